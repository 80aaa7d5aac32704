//! What is said of moves.

use super::*;

#[test]
fn each_group_that_a_failed_move_leaves_is_refused() {
    let property = Property::FailedMoveLeavesNoEmptyGroup;
    let scope = Scope::new(Scenario::named(TWO).unwrap(), Design::UPSTREAM, &[]);
    let bad = broken(property, &scope, |_| true);
    let moves = |a: &id::Actor| move_group::leaves_empty_target(&scope, &bad, *a) == Some(true);
    let mover = scope.actors().find(moves).unwrap();
    let Task::MoveGroup { group, target, .. } = scope.task_of(mover) else {
        unreachable!("it is a move");
    };
    let (g, n) = (usize::from(group.0), target.0);
    let mut base = bad;
    base.groups[g] = base.groups[g].without(n);
    let judged = Judged::new(property, &scope, base);
    let leaves = |state: &mut State| state.groups[g] = state.groups[g].with(n);
    let ends: [specs::ops::move_group::Step; 2] = [
        specs::ops::move_group::Step::ReleaseAll,
        specs::ops::move_group::Step::UnlockTargetGroup,
    ];
    for end in ends.map(|step| Next::row(step as usize)) {
        judged.refuses("a new empty group", |state| {
            leaves(state);
            state.actor_mut(mover).next = end;
        });
    }
    for next in [Next::row(0), Next::FINISHED, Next::KILLED] {
        judged.accepts("a group of a move that is not about to end", |state| {
            leaves(state);
            state.actor_mut(mover).next = next;
        });
    }
    judged.accepts("a new group with a snapshot", |state| {
        leaves(state);
        let s = scope.snapshots_of[g].lowest().unwrap();
        state.snapshots[usize::from(s)] = Set::only(n);
    });
    for elsewhere in namespaces(&scope).into_iter().filter(|at| *at != n) {
        judged.accepts("an empty group in another namespace", |state| {
            state.groups[g] = state.groups[g].with(elsewhere);
        });
    }
    // One that ends before it has created a group, and one that has renamed something, has left nothing that is there.
    let says = |state: &State| move_group::leaves_empty_target(&scope, state, mover);
    let is_not_its_own = |state: &State| {
        let mut other = *state;
        leaves(&mut other);
        !state.groups[g].has(n) && says(state).is_some() && says(&other) == Some(false)
    };
    reach(&scope, is_not_its_own);
    let has_moved = reach(&scope, |state| {
        state.actor(mover).next == Next::row(ends[1] as usize) && says(state).is_none()
    });
    let judged = Judged::new(property, &scope, has_moved);
    judged.accepts(
        "a group out of which somebody has removed what was moved",
        |state| {
            leaves(state);
            state.snapshots = [Set::default(); SNAPSHOTS];
        },
    );
}

#[test]
fn what_a_merge_brings_is_newer_than_what_was_there() {
    let property = Property::MergeKeepsTimeOrder;
    let mut scope = scope("move_merges_meets_forget");
    let mover = actor(&scope, is_move);
    let Task::MoveGroup { source, target, .. } = scope.task_of(mover) else {
        unreachable!("it is a move");
    };
    let both = |state: &State| {
        let (there, brought) = move_group::merges(&scope, state, mover)?;
        let is_to_come = !brought.is_empty() && state.renamed.is_empty();
        Some((there.lowest()?, brought.highest().filter(|_| is_to_come)?))
    };
    let state = reach(&scope, |state| both(state).is_some());
    let (there, brought) = both(&state).unwrap();
    assert!(there < brought, "older ones have lower numbers");
    let [there, brought] = [there, brought].map(usize::from);
    let swapped = |state: &mut State| {
        state.snapshots = [Set::default(); SNAPSHOTS];
        state.snapshots[there] = Set::only(source.0);
        state.snapshots[brought] = Set::only(target.0);
    };
    let judged = Judged::new(property, &scope, state);
    judged.refuses("an older one that is to come", swapped);
    judged.accepts("a target that is empty", |state| {
        swapped(state);
        state.snapshots[brought] = Set::default();
    });
    judged.accepts("a source that is empty", |state| {
        swapped(state);
        state.snapshots[there] = Set::default();
    });
    for next in [Next::row(0), Next::FINISHED, Next::KILLED] {
        judged.accepts("a move that is not at work", |state| {
            swapped(state);
            state.actor_mut(mover).next = next;
        });
    }
    // What it has brought already is not older than what is to come, and was not there.
    let midway = |state: &State| {
        let merged = move_group::merges(&scope, state, mover);
        let at_target = scope.snapshots_at(state, target.0, 0);
        merged.is_some_and(|(_, brought)| !brought.and(at_target).is_empty())
    };
    Judged::new(property, &scope, reach(&scope, midway));
    let mut state = judged.base;
    swapped(&mut state);
    let Task::MoveGroup { merge, .. } = &mut scope.tasks[usize::from(mover.0)] else {
        unreachable!("it is a move");
    };
    *merge = false;
    assert!(
        holds(property, &scope, &state),
        "a move that merges nothing"
    );
}

#[test]
fn each_snapshot_that_a_merge_brings_is_newer_than_each_that_was_there() {
    let property = Property::MergeKeepsTimeOrder;
    let scope = scope("merge(a,b)+backup(a)+backup(b)");
    let mover = actor(&scope, is_move);
    let Task::MoveGroup { source, target, .. } = scope.task_of(mover) else {
        unreachable!("it is a move");
    };
    let is_at_work = |state: &State| {
        move_group::merges(&scope, state, mover).is_some() && state.renamed.is_empty()
    };
    let base = reach(&scope, is_at_work);
    let places = [Set::default(), Set::only(source.0), Set::only(target.0)];
    let count = scope.scenario.snapshots.len();
    assert!(count > 2, "an oldest and a newest one, and one between");
    let mut seen = [0, 0];
    for way in 0..3_usize.pow(u32::try_from(count).unwrap()) {
        let at = |s: usize| way / 3_usize.pow(u32::try_from(s).unwrap()) % 3;
        let mut state = base;
        for s in 0..count {
            state.snapshots[s] = places[at(s)];
        }
        let is_in_order =
            (0..count).all(|older| (older..count).all(|newer| (at(older), at(newer)) != (1, 2)));
        let found = holds(property, &scope, &state);
        assert_eq!(
            found,
            is_in_order,
            "{:?}",
            (0..count).map(at).collect::<Vec<_>>()
        );
        seen[usize::from(found)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 3), "{seen:?}");
}

/// Whoever has removed its source and given its lock up brings nothing any more, and a backup may make the group anew.
#[test]
fn a_merge_that_has_given_its_source_up_has_nothing_to_do_with_what_comes_there() {
    let scope = scope("merge(a,b)+backup(a)+backup(b)+forget(a,0)");
    let mover = actor(&scope, is_move);
    let Task::MoveGroup { source, target, .. } = scope.task_of(mover) else {
        unreachable!("it is a move");
    };
    let holds_target = |state: &State| {
        let held = |n: u8| {
            let mut is_held = false;
            crate::locks::visit_holds(&scope, state, &mut |actor, name, hold| {
                let is_it = actor == mover && name == Name::Group(n, 0);
                is_held |= is_it && hold.is_relied_on();
            });
            is_held
        };
        !held(source.0) && held(target.0)
    };
    let state = reach(&scope, holds_target);
    assert_eq!(move_group::merges(&scope, &state, mover), None);
}

#[test]
fn what_a_move_leaves_is_newer_than_what_it_has_moved() {
    let property = Property::FailedMoveCanBeRepeated;
    let half = |scope: &Scope, state: &State, a| move_group::half_moved(scope, state, a);
    let scope = scope("second_batch_meets_busy_snapshot");
    let mover = actor(&scope, is_move);
    let oldest_first = reach(&scope, |state| half(&scope, state, mover).is_some());
    let scope = seeded("history/newest_moves_first");
    let bad = broken(property, &scope, |_| true);
    assert_eq!(
        half(&scope, &oldest_first, mover),
        Some((Set::only(0), Set::only(1)))
    );
    assert_eq!(
        half(&scope, &bad, mover),
        Some((Set::only(1), Set::only(0)))
    );
    let judged = Judged::new(property, &scope, oldest_first);
    judged.refuses("an older one that was left", |state| *state = bad);
    for s in 0..2 {
        judged.accepts("one of which somebody has removed", |state| {
            *state = bad;
            state.snapshots[s] = Set::default();
        });
    }
    judged.accepts("places that others have exchanged", |state| {
        *state = bad;
        state.snapshots.swap(0, 1);
    });
    for next in [Next::row(0), Next::FINISHED, Next::KILLED] {
        judged.accepts("a move that does not give up", |state| {
            *state = bad;
            state.actor_mut(mover).next = next;
        });
    }
}
