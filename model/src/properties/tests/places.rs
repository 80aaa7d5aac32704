//! What is said of groups, owners and namespaces, and the shape of a state.

use super::*;

#[test]
fn each_group_with_a_snapshot_has_an_owner_file() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let judged = Judged::new(Property::GroupWithSnapshotHasOwner, &scope, scope.start());
        for id::Snapshot(s) in scenario.all_snapshots() {
            let g = usize::from(scope.group_of[usize::from(s)]);
            for n in namespaces(&scope) {
                let there = |state: &mut State| {
                    state.snapshots[usize::from(s)] = Set::only(n);
                    state.owners[g] = state.owners[g].with(n, Owner::FIRST);
                };
                judged.accepts("a snapshot in a group with an owner", there);
                judged.refuses("a snapshot in a group without", |state| {
                    there(state);
                    state.owners[g] = state.owners[g].without(n);
                });
            }
        }
    }
}

#[test]
fn each_actor_that_replaces_an_owner_unseen_is_refused() {
    let property = Property::OwnerIsChangedFromWhatWasChecked;
    for mutant in ["history/owner_not_rechecked", "set_owner.lock_group/skip"] {
        let scope = seeded(mutant);
        let has = |state: &State, a| set_owner::has_replaced_another(&scope, state, a);
        for actor in scope.actors() {
            let bad = broken(property, &scope, |state| {
                has(state, actor) && scope.actors().all(|a| a == actor || !has(state, a))
            });
            let judged = Judged::new(property, &scope, scope.start());
            judged.refuses("one that has replaced another owner", |state| *state = bad);
            judged.accepts("one that begins anew", |state| {
                *state = bad;
                *state.actor_mut(actor) = *scope.start().actor(actor);
            });
        }
        // Each step that writes says whether the owner that it replaces is the one that was read.
        let first = reach(&scope, |state| {
            scope
                .actors()
                .all(|a| set_owner::has_begun(&scope, state, a))
        });
        let writes = |state: &State, a| {
            let label = scope.labels(state, a).pop()?;
            let event = Event::Step {
                actor: a,
                label,
                outcome: Outcome::Done,
            };
            scope.apply(state, event).ok()
        };
        let mut judged = 0;
        for actor in scope.actors() {
            let mut state = first;
            while !set_owner::has_changed(&scope, &state, actor) {
                state = writes(&state, actor).unwrap();
            }
            assert!(!has(&state, actor), "it was the first one");
            judged += 1;
        }
        assert_eq!(judged, 2);
    }
}

#[test]
fn each_namespace_that_was_removed_stays_removed() {
    let scope = scope("deletion_meets_verify_and_prune");
    let judged = Judged::new(
        Property::DeletedNamespaceStaysDeleted,
        &scope,
        scope.start(),
    );
    for n in namespaces(&scope) {
        judged.refuses("a namespace that is there again", |state| {
            state.removed = state.removed.with(n);
            state.namespaces = state.namespaces.with(n);
        });
        judged.accepts("a namespace that is gone", |state| {
            state.removed = state.removed.with(n);
            state.namespaces = state.namespaces.without(n);
        });
    }
}

#[test]
fn each_owner_file_of_each_group_is_whole() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let judged = Judged::new(Property::OwnerFileIsWhole, &scope, scope.start());
        for g in 0..GROUPS {
            for n in namespaces(&scope) {
                judged.refuses("an empty owner file", |state| {
                    state.owners[g] = state.owners[g].with(n, Owner::NOBODY);
                });
                for owner in (0..3).map(Owner::of) {
                    judged.accepts("an owner file that names somebody", |state| {
                        state.owners[g] = state.owners[g].with(n, owner);
                    });
                }
                judged.accepts("no owner file", |state| {
                    state.owners[g] = state.owners[g].without(n);
                });
            }
        }
    }
}

#[test]
fn each_part_of_the_shape_of_a_state_is_looked_at() {
    let scope = scope("one_move_meets_gc");
    let is_well_formed = |edit: &dyn Fn(&mut State)| {
        let mut state = scope.start();
        edit(&mut state);
        (shape().condition)(&scope, &state)
    };
    assert!(is_well_formed(&|_| {}));
    let outside = u8::try_from(scope.scenario.namespaces.len() + 1).unwrap();
    assert!(usize::from(outside) < NAMESPACES);
    let torn = Line::of(Kind::MidLine(At {
        index: 0,
        namespace: 0,
    }));
    type Edit<'e> = &'e dyn Fn(&mut State);
    let refused: [(&str, Edit<'_>); 7] = [
        ("a snapshot outside", &|s| {
            s.snapshots[0] = s.snapshots[0].with(outside);
        }),
        ("a group outside", &|s| {
            s.groups[0] = s.groups[0].with(outside);
        }),
        ("notes outside", &|s| s.notes[0] = s.notes[0].with(outside)),
        ("a namespace outside", &|s| {
            s.namespaces = s.namespaces.with(outside);
        }),
        ("a line behind a torn one", &|s| {
            (s.lines[0], s.lines[1]) = (torn, Line::of(Kind::Foreign));
        }),
        ("an end that is none", &|s| {
            s.actors[0].next = Next::FINISHED;
        }),
        ("a directory without the one above it", &|s| {
            s.namespaces = s.namespaces.without(1);
        }),
    ];
    for (what, edit) in refused {
        assert!(!is_well_formed(edit), "{what} is well formed");
    }
    assert!(
        is_well_formed(&|s| s.lines[0] = torn),
        "a torn line at the end"
    );
    assert!(is_well_formed(&|s| s.actors[0].next = Next::KILLED));
}
