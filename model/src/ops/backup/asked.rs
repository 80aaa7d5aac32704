//! What properties and the environment ask of a session.

use super::place::{FOUND_PREVIOUS, Locals, NEW_GROUP, NEW_SNAPSHOT, OLD};
use super::{first, namespace_of, next, task};
use crate::locks::generations;
use crate::scope::Scope;
use crate::state::{Actor, End, Fixed, Hold, State};
use specs::id::{self, Namespace};
use specs::ops::backup::Step;

/// Whether the actor is a session that has begun and not ended.
pub(crate) fn is_at_work(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let actor = state.actor(me);
    task(scope, me).is_some_and(|snapshot| actor.next != next(first(scope, me, snapshot)))
        && actor.next.is_live()
}

/// The cutoff passes: a session that shares the process lock began before that.
pub(crate) fn grow_old(actor: &mut Actor) {
    if actor.held.is_relied_on(Fixed::STORE_SHARED) {
        actor.locals[OLD] = 1;
    }
}

/// Whether the session began before the cutoff passed.
pub(crate) const fn has_grown_old(actor: &Actor) -> bool {
    actor.locals[OLD] != 0
}

/// Once a session that failed is about to let everything go: whether a snapshot that it has begun and not finished, or an
/// empty group that it has created, is there. One for whose last lock there was no inode has not finished its snapshot,
/// though the manifest is written: whoever prunes counts it, and its client was told that it failed. Where directories are
/// locked, it leaves the group, whose lock would go with it, and a snapshot that somebody else has locked first.
pub(crate) fn leaves_remains(scope: &Scope, state: &State, me: id::Actor) -> Option<bool> {
    let snapshot = task(scope, me)?;
    let actor = state.actor(me);
    let session: Locals = zerocopy::transmute!(actor.locals);
    let (n, s) = (namespace_of(scope, snapshot).0, usize::from(snapshot.0));
    let group = scope.group_of[s];
    let is_unfinished = !state.manifests[s].is_there() || actor.end == End::NO_SPACE;
    let by_directory = generations::locks_directories(scope, state, me);
    let is_kept_out = by_directory && session.session.lock == Hold::NONE;
    let has_snapshot = session.marks.has(NEW_SNAPSHOT)
        && state.snapshots[s].has(n)
        && is_unfinished
        && !is_kept_out;
    let has_group = session.marks.has(NEW_GROUP)
        && !by_directory
        && state.groups[usize::from(group)].has(n)
        && scope.snapshots_at(state, n, group).is_empty();
    (actor.next == next(Step::ReleaseAll)).then_some(has_snapshot || has_group)
}

/// The previous snapshot, while the session relies on its being there.
pub(crate) fn relies_on(scope: &Scope, state: &State, me: id::Actor) -> Option<(Namespace, u8)> {
    let snapshot = task(scope, me)?;
    let session: Locals = zerocopy::transmute!(state.actor(me).locals);
    let from = next(Step::CreateIndex).0;
    let to = next(Step::CheckPrevious).0;
    let relies = (from..=to).contains(&state.actor(me).next.0)
        && session.previous_lock.is_relied_on()
        && session.marks.has(FOUND_PREVIOUS);
    relies.then(|| (namespace_of(scope, snapshot), session.previous - 1))
}
