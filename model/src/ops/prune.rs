//! `prune`: removes the snapshots of a group that the keep options do not keep.
//!
//! The steps of `forget_snapshot` follow those of prune in the numbering of what an actor does next.

use super::forget_snapshot::{Locks, Removal, Then};
use crate::locks::{Name, namespaces};
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Next, Set, State};
use specs::design::Change;
use specs::id::{self, Group, Id, Namespace, Snapshot};
use specs::ops::forget_snapshot;
use specs::ops::prune::{Step, TABLE};
use specs::scenario::Task;
use specs::{Label, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a prune keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    /// The removal that is at work.
    removal: Removal,
    /// Listed snapshots whose files are still to be listed.
    to_list: Set,
    /// Listed snapshots, without those that were gone.
    listed: Set,
    /// Those of them that have a manifest.
    finished: Set,
    /// Those of them that are protected.
    protected: Set,
    /// Snapshots that are still to be removed.
    to_remove: Set,
    /// So that all operations keep as many bytes.
    rest: [u8; 7],
}

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

const fn next_of_removal(step: forget_snapshot::Step) -> Next {
    Next::row(TABLE.len() + step as usize)
}

pub(crate) fn begin(scope: &Scope, me: id::Actor, actor: &mut Actor) {
    actor.next = next(if scope.namespace_locks[usize::from(me.0)].is_empty() {
        Step::ListGroup
    } else {
        Step::LockNamespace
    });
}

pub(crate) fn visit_holds(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    namespace: Namespace,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let Locals { removal, .. } = zerocopy::transmute!(state.actor(me).locals);
    removal.visit_holds(scope, me, namespace, visit);
}

fn task(scope: &Scope, me: id::Actor) -> Option<(Namespace, Group, u8)> {
    if let Task::Prune {
        namespace,
        group,
        keep_last,
    } = scope.task_of(me)
    {
        Some((namespace, group, keep_last))
    } else {
        None
    }
}

/// While a prune removes a snapshot: whether that was the newest finished one of those that it has listed, and has lost its
/// manifest. One that is to keep none may remove it.
pub(crate) fn removes_newest(scope: &Scope, state: &State, me: id::Actor) -> Option<bool> {
    let (.., keep_last) = task(scope, me)?;
    let actor = state.actor(me);
    let prune: Locals = zerocopy::transmute!(actor.locals);
    let step = super::step_of(specs::Op::Prune, actor.next);
    let removes = matches!(step, Some(specs::Step::ForgetSnapshot(_)));
    let snapshot = prune.removal.snapshot;
    let is_torn = !state.manifests[usize::from(snapshot)].is_there();
    (removes && keep_last > 0).then(|| is_torn && prune.finished.highest() == Some(snapshot))
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let Some((namespace, group, _)) = task(scope, me) else {
        return;
    };
    let actor = state.actor(me);
    let prune: Locals = zerocopy::transmute!(actor.locals);
    match super::step_of(specs::Op::Prune, actor.next) {
        Some(specs::Step::Prune(Step::LockNamespace)) => {
            if let Some(lock) = namespaces::next(scope, state, me) {
                offer(Step::LockNamespace.of(Id::Namespace(lock.namespace)));
            }
        }
        Some(specs::Step::Prune(Step::UnlockNamespace)) => {
            if let Some(lock) = namespaces::oldest(scope, state, me) {
                offer(Step::UnlockNamespace.of(Id::Namespace(lock.namespace)));
            }
        }
        Some(specs::Step::Prune(Step::ListGroup)) => {
            offer(Step::ListGroup.of(Id::Group(namespace, group)));
        }
        Some(specs::Step::Prune(Step::ListSnapshot)) => {
            if let Some(s) = prune.to_list.highest() {
                offer(Step::ListSnapshot.of(Id::Snapshot(namespace, Snapshot(s))));
            }
        }
        Some(specs::Step::ForgetSnapshot(kind)) => {
            prune.removal.offers(scope, namespace, kind, offer);
        }
        _ => {}
    }
}

pub(crate) fn step(
    scope: &Scope,
    before: &State,
    me: id::Actor,
    label: Label<Id>,
    outcome: Outcome,
) -> Result<State, Refusal> {
    let (namespace, group, keep_last) = task(scope, me).ok_or(Refusal::NotNext)?;
    let n = namespace.0;
    let mut state = *before;
    let mut prune: Locals = zerocopy::transmute!(before.actor(me).locals);
    let wanted = super::step_of(specs::Op::Prune, before.actor(me).next);
    if wanted != Some(label.step) {
        return Err(Refusal::NotNext);
    }
    let then = match (label.step, label.of, outcome) {
        (specs::Step::Prune(Step::LockNamespace), _, _) => {
            namespaces::take(scope, &mut state, me, outcome)?;
            if outcome != Outcome::Done {
                // The group is skipped, which is no failure.
                Ok(None)
            } else if namespaces::next(scope, &state, me).is_some() {
                Ok(Some(next(Step::LockNamespace)))
            } else {
                Ok(Some(next(Step::ListGroup)))
            }
        }
        (specs::Step::Prune(Step::ListGroup), _, _) => {
            let there = before.groups[usize::from(group.0)].has(n);
            find(there, outcome)?;
            if there {
                prune.to_list = scope.snapshots_at(before, n, group.0);
                prune.listed = prune.to_list;
                Ok(list_or_remove(scope, &mut prune, keep_last))
            } else if scope.design.skips_a_vanished_snapshot() {
                Ok(None)
            } else {
                Err(End::VANISHED)
            }
        }
        (specs::Step::Prune(Step::ListSnapshot), Some(Id::Snapshot(_, Snapshot(s))), _) => {
            let there = before.snapshots[usize::from(s)].has(n);
            find(there, outcome)?;
            prune.to_list = prune.to_list.without(s);
            if !there {
                prune.listed = prune.listed.without(s);
            } else {
                if before.manifests[usize::from(s)].is_there() {
                    prune.finished = prune.finished.with(s);
                }
                if before.protected.has(s) {
                    prune.protected = prune.protected.with(s);
                }
            }
            if there || scope.design.skips_a_vanished_snapshot() {
                Ok(list_or_remove(scope, &mut prune, keep_last))
            } else {
                Err(End::VANISHED)
            }
        }
        (specs::Step::ForgetSnapshot(step), of, _) => {
            let removal = &mut prune.removal;
            let locks = Locks::Own;
            match removal.step(scope, &mut state, me, namespace, locks, (step, of, outcome))? {
                Then::Step(step) => Ok(Some(next_of_removal(step))),
                // A warning; the next snapshot follows.
                Then::Fail(_) => Ok(Some(next_of_removal(forget_snapshot::Step::ReleaseAll))),
                Then::End => Ok(next_removal(&mut prune)),
            }
        }
        (specs::Step::Prune(Step::UnlockNamespace), _, _) => {
            namespaces::release(&mut state, me);
            Ok(None)
        }
        _ => return Err(Refusal::NotNext),
    };
    let actor = state.actor_mut(me);
    match then {
        Ok(Some(next)) => actor.next = next,
        Ok(None) if actor.end == End::NONE => actor.end = End::DONE,
        Ok(None) => {}
        Err(end) => actor.end = end,
    }
    if !matches!(then, Ok(Some(_))) {
        actor.next = if actor.reach.has_any() {
            next(Step::UnlockNamespace)
        } else {
            Next::FINISHED
        };
        prune = Locals {
            removal: Removal::of(0),
            ..zerocopy::transmute!([0u8; crate::state::LOCALS])
        };
    }
    actor.locals = zerocopy::transmute!(prune);
    Ok(state)
}

/// The next snapshot to list; then, once all are listed, the decision.
fn list_or_remove(scope: &Scope, prune: &mut Locals, keep_last: u8) -> Option<Next> {
    if !prune.to_list.is_empty() {
        return Some(next(Step::ListSnapshot));
    }
    let finished = prune.finished.minus(prune.protected);
    let mut kept = prune.protected;
    let mut counted = finished;
    // The newest snapshot may be running; any other one without a manifest goes.
    if let Some(newest) = prune.listed.highest().filter(|s| !prune.finished.has(*s)) {
        kept = kept.with(newest);
        if scope.design.has(Change::PruneCountsUnfinished) {
            counted = counted.with(newest).minus(prune.protected);
        }
    }
    let mut rest = counted;
    for _ in 0..keep_last {
        if let Some(newest) = rest.highest() {
            kept = kept.with(newest);
            rest = rest.without(newest);
        }
    }
    prune.to_remove = prune.listed.minus(kept);
    next_removal(prune)
}

/// The next removal, oldest snapshot first; none if there is nothing left to remove.
fn next_removal(prune: &mut Locals) -> Option<Next> {
    let oldest = prune.to_remove.lowest()?;
    prune.to_remove = prune.to_remove.without(oldest);
    prune.removal = Removal::of(oldest);
    Some(next_of_removal(forget_snapshot::Step::LockSnapshot))
}
