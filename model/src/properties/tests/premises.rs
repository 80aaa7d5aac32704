//! When a property is put to the test: what by itself does so, and what does not.

use super::*;

/// A state, and whether an edit of it puts a property to the test.
fn tests(property: Property, scope: &Scope, base: &State, edit: impl FnOnce(&mut State)) -> bool {
    let mut state = *base;
    edit(&mut state);
    premise(property, scope, &state)
}

#[test]
fn an_exclusive_namespace_is_tested_by_another_who_is_at_work() {
    let property = Property::ExclusiveNamespaceIsAlone;
    let scope = scope("takers_of_nested_namespaces");
    let me = id::Actor(0);
    let relies = |state: &State| namespaces::relies_on_exclusive(&scope, state, me);
    let base = reach(&scope, relies);
    let others = || scope.actors().filter(|actor| *actor != me);
    let end = |state: &mut State, actor: id::Actor| {
        *state.actor_mut(actor) = Actor {
            next: Next::FINISHED,
            end: End::DONE,
            ..Actor::default()
        };
    };
    assert!(tests(property, &scope, &base, |_| {}));
    assert!(!tests(property, &scope, &scope.start(), |_| {}));
    assert!(!tests(property, &scope, &base, |state| others()
        .for_each(|it| end(state, it))));
    assert!(!tests(property, &scope, &base, |state| end(state, me)));
    for last in others() {
        let all_but_one = |state: &mut State| {
            others()
                .filter(|it| *it != last)
                .for_each(|it| end(state, it));
        };
        assert!(tests(property, &scope, &base, all_but_one), "{last:?}");
    }
}

#[test]
fn a_lost_update_of_a_manifest_needs_two_updates_of_one() {
    let property = Property::ManifestUpdateIsNotLost;
    let scope = scope("notes_meet_moves_and_verify");
    let base = scope.start();
    let write = |state: &mut State, at: usize, part: Part| {
        let was = state.manifests[at];
        state.manifests[at] = was.rewritten(was.contents(), part, false);
    };
    let parts = [Part::NOTES, Part::VERIFY];
    assert!(!tests(property, &scope, &base, |_| {}));
    for part in parts {
        assert!(!tests(property, &scope, &base, |state| write(
            state, 0, part
        )));
    }
    for (first, second) in [(0, 1), (1, 0)] {
        let both = |to: [usize; 2]| {
            move |state: &mut State| {
                write(state, to[0], parts[first]);
                write(state, to[1], parts[second]);
            }
        };
        assert!(tests(property, &scope, &base, both([0, 0])));
        assert!(!tests(property, &scope, &base, both([0, 1])));
    }
}

#[test]
fn a_collection_is_tested_once_it_has_ended_and_a_move_once_a_snapshot_is_elsewhere() {
    let scope = scope("one_move_meets_gc");
    let gc = actor(&scope, is_gc_task);
    let property = Property::GcThatMeetsNoAbortConditionFinishes;
    let base = scope.start();
    for end in ENDS {
        let ends = |state: &mut State| {
            state.actor_mut(gc).next = Next::FINISHED;
            state.actor_mut(gc).end = end;
        };
        assert!(tests(property, &scope, &base, ends), "{end:?}");
    }
    assert!(!tests(property, &scope, &base, |_| {}));
    let property = Property::SnapshotIsAtExactlyOnePlace;
    let at = scope.scenario.snapshots[0].namespace.0;
    for n in namespaces(&scope) {
        let alone = |state: &mut State| state.snapshots[0] = Set::default().with(n);
        let both = |state: &mut State| state.snapshots[0] = state.snapshots[0].with(n);
        assert_eq!(tests(property, &scope, &base, alone), n != at);
        assert!(!tests(property, &scope, &base, both));
    }
    assert!(!tests(property, &scope, &base, |state| state.snapshots
        [0] =
        Set::default()));
}
