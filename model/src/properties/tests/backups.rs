//! What is said of backups that fail.

use super::*;

#[test]
fn each_remains_of_a_failed_backup_are_refused() {
    let property = Property::FailedBackupLeavesNothing;
    let mut tried = [0u32; 4];
    for name in [
        "backup_meets_gc_of_another_process",
        "aborted_backup_meets_verify",
        "two_backups_of_one_group",
    ] {
        let scope = Scope::new(Scenario::named(name).unwrap(), Design::UPSTREAM, &[]);
        let states = explore(
            &scope,
            &Options {
                keep_graph: true,
                ..Options::default()
            },
        );
        let states = states.unwrap().graph.unwrap().states;
        for bad in states
            .iter()
            .filter(|state| !holds(property, &scope, state))
        {
            let leaves = |a: &id::Actor| backup::leaves_remains(&scope, bad, *a) == Some(true);
            let of: Vec<id::Actor> = scope.actors().filter(leaves).collect();
            let [session] = of[..] else { continue };
            let Task::Backup { snapshot } = scope.task_of(session) else {
                unreachable!("it is a backup");
            };
            let s = usize::from(snapshot.0);
            let n = scope.scenario.snapshots[s].namespace.0;
            let g = usize::from(scope.group_of[s]);
            let mut base = *bad;
            base.snapshots[s] = Set::default();
            base.groups[g] = base.groups[g].without(n);
            let judged = Judged::new(property, &scope, base);
            let unfinished = |state: &mut State| state.snapshots[s] = Set::only(n);
            let empty = |state: &mut State| {
                let others = &mut state.snapshots;
                scope.snapshots_of[g]
                    .iter()
                    .for_each(|s| others[usize::from(s)] = Set::default());
                state.groups[g] = state.groups[g].with(n);
            };
            if bad.snapshots[s].has(n) {
                tried[0] += 1;
                judged.refuses("an unfinished snapshot", unfinished);
                judged.accepts("a snapshot that is whole", |state| {
                    unfinished(state);
                    state.manifests[s] = Manifest::PLAIN;
                });
                judged.refuses(
                    "a whole one for whose last lock there was no inode",
                    |state| {
                        unfinished(state);
                        state.manifests[s] = Manifest::PLAIN;
                        state.actor_mut(session).end = End::NO_SPACE;
                    },
                );
                judged.accepts("a snapshot that was moved away", |state| {
                    state.snapshots[s] = Set::only((n + 1) % 4);
                });
            } else {
                tried[1] += 1;
                judged.refuses("an empty group", empty);
                judged.accepts("a group in which a snapshot lies", |state| {
                    empty(state);
                    state.snapshots[s] = Set::only(n);
                    state.manifests[s] = Manifest::PLAIN;
                });
                judged.accepts("an empty group in another namespace", |state| {
                    empty(state);
                    state.groups[g] = state.groups[g].without(n).with((n + 1) % 4);
                });
            }
            for next in [Next::row(0), Next::FINISHED, Next::KILLED] {
                judged.accepts("remains of a session that is not about to end", |state| {
                    *state = *bad;
                    state.actor_mut(session).next = next;
                });
            }
        }
        // A session that ends before it has created anything leaves what others have created.
        let says = |state: &State, a| backup::leaves_remains(&scope, state, a);
        for a in scope.actors() {
            let Task::Backup { snapshot } = scope.task_of(a) else {
                continue;
            };
            let s = usize::from(snapshot.0);
            let n = scope.scenario.snapshots[s].namespace.0;
            let g = usize::from(scope.group_of[s]);
            for state in states.iter().filter(|state| says(state, a).is_some()) {
                let mut other = *state;
                other.groups[g] = other.groups[g].with(n);
                other.snapshots = [Set::default(); SNAPSHOTS];
                tried[2] += u32::from(says(&other, a) == Some(false));
                other.snapshots[s] = Set::only(n);
                other.manifests[s] = Manifest::NONE;
                tried[3] += u32::from(says(&other, a) == Some(false));
            }
        }
    }
    assert!(tried.iter().all(|count| *count > 0), "{tried:?}");
}

#[test]
fn each_end_of_a_backup_that_nobody_has_asked_for_is_refused() {
    let scope = scope("backup_and_forget_meet_gc");
    let backup = actor(&scope, is_backup);
    let judged = Judged::new(
        Property::StartedBackupFinishes,
        &scope,
        all_ended(&scope.start(), &scope),
    );
    for end in ENDS {
        let ends = |state: &mut State| state.actor_mut(backup).end = end;
        match end {
            End::DONE
            | End::BUSY
            | End::TIMED_OUT
            | End::STOPPED
            | End::NO_NAMESPACE
            | End::NOT_OWNER
            | End::NOT_LATER
            | End::NEW_GONE
            | End::NO_SPACE => {
                judged.accepts("an end that somebody wanted", ends);
            }
            _ => judged.refuses(&format!("end {}", end.0), ends),
        }
        judged.accepts("such an end of another operation", |state| {
            state.actor_mut(actor(&scope, is_gc_task)).end = end;
        });
    }
}
