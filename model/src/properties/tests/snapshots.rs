//! What is said of snapshots, and of the jobs that go over them.

use super::*;

#[test]
fn each_snapshot_of_the_start_is_at_one_place() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let property = Property::SnapshotIsAtExactlyOnePlace;
        let judged = Judged::new(property, &scope, scope.start());
        for id::Snapshot(s) in scenario.all_snapshots() {
            let at = usize::from(s);
            if scenario.snapshots[at].start == Start::Later {
                continue;
            }
            judged.refuses("a snapshot at no place", |state| {
                state.snapshots[at] = Set::default();
            });
            for n in namespaces(&scope) {
                judged.accepts("a snapshot elsewhere", |state| {
                    state.snapshots[at] = Set::only(n);
                });
                if !judged.base.snapshots[at].has(n) {
                    judged.refuses("a snapshot at two places", |state| {
                        state.snapshots[at] = state.snapshots[at].with(n);
                    });
                }
            }
        }
    }
}

#[test]
fn each_index_file_of_each_finished_snapshot_is_there() {
    let mut tried = 0;
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let judged = Judged::new(Property::FinishedSnapshotIsWhole, &scope, scope.start());
        for id::Snapshot(s) in scenario.all_snapshots() {
            if scenario.snapshots[usize::from(s)].start != Start::Finished {
                continue;
            }
            for i in scope.indexes_of[usize::from(s)].iter() {
                let unlink = |state: &mut State| state.indexes = state.indexes.without(i);
                let held = |name: Name, hold: Hold| {
                    move |state: &mut State| {
                        unlink(state);
                        state.actors[0].pending = Pending::of(name, hold);
                    }
                };
                let locked = Hold::open(1).locked();
                judged.refuses("a snapshot without an index file", unlink);
                judged.accepts(
                    "one that is being removed",
                    held(Name::Snapshot(0, s), locked),
                );
                judged.refuses(
                    "one that is read",
                    held(Name::Snapshot(0, s), locked.shared()),
                );
                judged.refuses(
                    "one that is not locked yet",
                    held(Name::Snapshot(0, s), Hold::open(1).relied_on()),
                );
                judged.refuses(
                    "one whose manifest is locked",
                    held(Name::Manifest(0, s), locked),
                );
                let other = (s + 1) % 3;
                judged.refuses(
                    "one beside which another is removed",
                    held(Name::Snapshot(0, other), locked),
                );
                judged.accepts("an unfinished snapshot", |state| {
                    unlink(state);
                    state.manifests[usize::from(s)] = Manifest::NONE;
                });
                tried += 1;
            }
        }
    }
    assert!(tried > SCENARIOS.len() / 2, "{tried}");
}

#[test]
fn each_snapshot_that_is_relied_on_stays_where_it_is() {
    for name in ["verify_meets_move", "backup_meets_gc"] {
        let scope = scope(name);
        let state = reach(&scope, |state| relied_on(&scope, state).next().is_some());
        let (n, s) = relied_on(&scope, &state).next().unwrap();
        let judged = Judged::new(Property::LockedSnapshotStays, &scope, state);
        let at = usize::from(s);
        judged.refuses("a snapshot that is gone", |state| {
            state.snapshots[at] = Set::default();
        });
        judged.refuses("a snapshot that is elsewhere", |state| {
            state.snapshots[at] = Set::only((n.0 + 1) % 4);
        });
    }
}

#[test]
fn each_part_of_each_manifest_that_was_written_is_there() {
    let scope = scope("notes_meet_verify_and_forget");
    let judged = Judged::new(Property::ManifestUpdateIsNotLost, &scope, scope.start());
    let parts = [Part::STATISTICS, Part::VERIFY, Part::NOTES];
    for s in 0..SNAPSHOTS {
        for lost in parts {
            for kept in parts.into_iter().filter(|kept| *kept != lost) {
                let plain = Manifest::PLAIN;
                let first = plain.rewritten(plain, lost, false);
                judged.refuses("a part that was written over", |state| {
                    state.manifests[s] = first.rewritten(plain, kept, false);
                });
                judged.accepts("both parts", |state| {
                    state.manifests[s] = first.rewritten(first, kept, false);
                });
            }
        }
    }
}

#[test]
fn each_protected_snapshot_stays_and_stays_protected() {
    let scope = scope("deletion_meets_protected_snapshot");
    let judged = Judged::new(Property::ProtectedSnapshotStays, &scope, scope.start());
    for id::Snapshot(s) in scope.scenario.all_snapshots() {
        let gone = |state: &mut State| state.snapshots[usize::from(s)] = Set::default();
        if scope.scenario.protected.contains(&id::Snapshot(s)) {
            judged.refuses("a protected snapshot that is gone", gone);
            judged.refuses("a snapshot that is not protected any more", |state| {
                state.protected = state.protected.without(s);
            });
        } else {
            judged.accepts("another snapshot that is gone", gone);
        }
    }
}

#[test]
fn each_group_that_is_pruned_keeps_its_newest_finished_snapshot() {
    let property = Property::PruneKeepsFinishedSnapshot;
    let mut scope = seeded("history/prune_counts_unfinished");
    let bad = broken(property, &scope, |_| true);
    let prune = actor(&scope, |task| matches!(task, Task::Prune { .. }));
    let mut whole = bad;
    whole.manifests = [Manifest::PLAIN; SNAPSHOTS];
    let judged = Judged::new(property, &scope, whole);
    judged.refuses("the newest finished one without its manifest", |state| {
        *state = bad;
    });
    for next in [Next::row(0), Next::FINISHED, Next::KILLED] {
        judged.accepts("one that the prune does not remove", |state| {
            *state = bad;
            state.actor_mut(prune).next = next;
        });
    }
    let Task::Prune { keep_last, .. } = &mut scope.tasks[usize::from(prune.0)] else {
        unreachable!("it is a prune");
    };
    *keep_last = 0;
    assert!(holds(property, &scope, &bad), "it was to keep none");
    // An older one may go.
    let scope = self::scope("prune_meets_move");
    let prune = actor(&scope, |task| matches!(task, Task::Prune { .. }));
    let state = reach(&scope, |state| {
        prune::removes_newest(&scope, state, prune).is_some()
    });
    Judged::new(property, &scope, state).accepts("an older one without its manifest", |state| {
        state.manifests = [Manifest::NONE; SNAPSHOTS];
    });
}

#[test]
fn each_job_goes_on_when_something_has_vanished() {
    for name in ["verify_meets_forget", "prune_meets_move"] {
        let scope = scope(name);
        let job = actor(&scope, |task| {
            matches!(task, Task::Prune { .. } | Task::Verify { .. })
        });
        let judged = Judged::new(
            Property::JobSkipsWhatVanished,
            &scope,
            all_ended(&scope.start(), &scope),
        );
        judged.refuses("a job that gives up", |state| {
            state.actor_mut(job).end = End::VANISHED;
        });
        let is_other = |other: &id::Actor| {
            let removes = matches!(scope.task_of(*other), Task::ForgetSnapshot { .. });
            *other != job && !removes
        };
        for other in scope.actors().filter(is_other) {
            judged.accepts("another operation that does", |state| {
                state.actor_mut(other).end = End::VANISHED;
            });
        }
    }
}

/// What a job looked for can have been there since somebody who brings it has begun, be he still at it or not.
#[test]
fn a_job_may_miss_only_what_nobody_has_brought() {
    for (name, brings) in [
        ("prune(b)+backup(b)", is_backup as fn(Task) -> bool),
        ("verify(b)+move(a,b)", is_move),
        ("forget(b,2)+backup(b)", is_backup),
        ("forget(b,0)+move(a,b)", is_move),
    ] {
        let scope = scope(name);
        let bringer = actor(&scope, brings);
        let job = actor(&scope, |task| !brings(task));
        let missing = |state: &mut State| state.actor_mut(job).end = End::VANISHED;
        let ended = Judged::new(
            Property::JobSkipsWhatVanished,
            &scope,
            all_ended(&scope.start(), &scope),
        );
        ended.refuses("what somebody has brought who has ended", missing);
        let at_work = reach(&scope, |state| scope.is_at_work(state, bringer));
        let judged = Judged::new(Property::JobSkipsWhatVanished, &scope, at_work);
        judged.refuses("what somebody is about to bring", missing);
        let judged = Judged::new(Property::JobSkipsWhatVanished, &scope, scope.start());
        judged.accepts("what nobody has begun to bring", missing);
    }
}
