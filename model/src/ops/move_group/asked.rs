//! What properties ask of a move.

use super::place::Locals;
use super::{next, task};
use crate::scope::Scope;
use crate::state::{Set, State};
use specs::id;
use specs::ops::move_group::Step;

/// While a move that merges holds both groups and has listed what it moves: the snapshots of the target group that it
/// did not bring, and those that it brought or has still to bring.
pub(crate) fn merges(scope: &Scope, state: &State, me: id::Actor) -> Option<(Set, Set)> {
    let (group, source, target, merge) = task(scope, me)?;
    let mv = Locals::of(state.actor(me));
    let from = next(Step::LockSnapshot).0;
    let to = next(Step::UnlockTargetGroup).0;
    // Once it has removed its source, whoever makes a group there anew has nothing to do with it.
    let holds_both = mv.source.is_relied_on() && mv.target.is_relied_on();
    let at_work = holds_both && (from..to).contains(&state.actor(me).next.0);
    let there = scope.snapshots_at(state, target.0, group.0);
    let here = scope.snapshots_at(state, source.0, group.0);
    (merge && at_work).then(|| (there.minus(mv.renamed), there.and(mv.renamed).or(here)))
}

/// What a move that is about to let everything go, after a failure, has moved and has left behind; none if it has moved
/// nothing, or everything.
pub(crate) fn half_moved(scope: &Scope, state: &State, me: id::Actor) -> Option<(Set, Set)> {
    let (group, source, target, _) = task(scope, me)?;
    let moved = Locals::of(state.actor(me))
        .renamed
        .and(scope.snapshots_at(state, target.0, group.0));
    let left = scope.snapshots_at(state, source.0, group.0);
    let gives_up = state.actor(me).next == next(Step::ReleaseAll);
    (gives_up && !moved.is_empty() && !left.is_empty()).then_some((moved, left))
}

/// Once a move that has renamed nothing is about to end: whether the target group that it has created is there and empty.
pub(crate) fn leaves_empty_target(scope: &Scope, state: &State, me: id::Actor) -> Option<bool> {
    let (group, _, target, _) = task(scope, me)?;
    let mv = Locals::of(state.actor(me));
    let ends = [Step::ReleaseAll, Step::UnlockTargetGroup];
    let is_over = ends.iter().any(|step| state.actor(me).next == next(*step));
    let is_there = state.groups[usize::from(group.0)].has(target.0);
    let is_empty = scope.snapshots_at(state, target.0, group.0).is_empty();
    (is_over && mv.renamed.is_empty() && !scope.design.renames_whole_group())
        .then_some(mv.created == 1 && is_there && is_empty)
}
