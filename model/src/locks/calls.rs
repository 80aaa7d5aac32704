//! A lock file that is taken in its calls, with everybody else between them: open, flock, compare.
//!
//! Where a scenario does not split such steps, [`super::take`] is the whole of it. Here the calls are events of their
//! own ([`Stage`]), and the step ends with the last one. The hardened design opens again what has vanished, at most
//! so many times; here as often as somebody unlinks a file, since every scenario has fewer who do.

use super::{Name, file_at, holder, open};
use crate::faults;
use crate::ops::move_group;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Hold, Pending, State};
use specs::id::{Actor, Id};
use specs::lock_class::Mode;
use specs::step::LockUse;
use specs::{Design, LockClass, Outcome, Stage, Step};

/// Whether a step is taken in its calls; one whose `flock` a fault leaves out is taken at once.
pub(crate) fn splits(scope: &Scope, step: Step<()>) -> bool {
    scope.splits_locks && step.compares_lock_file() && !faults::skips(scope, step)
}

/// The lock that a label of an actor takes, if its file can be unlinked.
pub(crate) fn name_of(scope: &Scope, me: Actor, label: Step<Id>) -> Option<Name> {
    let Some(LockUse::Take(class, ..)) = label.row().lock else {
        return None;
    };
    let Some(id) = label.argument() else {
        return move_group::lock_of(scope.task_of(me), label);
    };
    match (class, id) {
        (LockClass::Group, Id::Group(n, g)) => Some(Name::Group(n.0, g.0)),
        (LockClass::Snapshot, Id::Snapshot(n, s)) => Some(Name::Snapshot(n.0, s.0)),
        (LockClass::Manifest, Id::Snapshot(n, s) | Id::Manifest(n, s)) => {
            Some(Name::Manifest(n.0, s.0))
        }
        (_, _) => None,
    }
}

/// Whether the design compares the file before it locks it.
fn compares_first(scope: &Scope) -> bool {
    scope.design == Design::RecheckBeforeFlock
}

/// Whether the next call is the `flock`.
fn is_to_be_locked(scope: &Scope, pending: Pending) -> bool {
    let is_open = pending != Pending::NONE && !pending.hold().is_locked();
    is_open && pending.is_compared() == compares_first(scope)
}

/// Whether the next call is the comparison.
fn is_to_be_compared(scope: &Scope, pending: Pending) -> bool {
    let is_open = pending != Pending::NONE && !pending.is_compared();
    is_open && pending.hold().is_locked() != compares_first(scope)
}

/// Whoever else holds the `flock` of the open file.
fn conflict(scope: &Scope, state: &State, pending: Pending) -> Option<(LockClass, Actor)> {
    let name = pending.name()?;
    let by = holder(scope, state, name, pending.hold())?;
    Some((name.class(), by))
}

/// Whether the open file is the one at the path.
fn is_at_path(state: &State, pending: Pending) -> bool {
    let generation = pending.hold().generation();
    let at_path = pending.name().map(|name| file_at(state, name));
    at_path == Some(generation)
}

/// What a call leads to that does not end its step, or the guard that refuses it.
pub(crate) fn reach(
    scope: &Scope,
    state: &State,
    me: Actor,
    label: Step<Id>,
    stage: Stage,
) -> Result<State, Refusal> {
    let pending = state.actor(me).pending;
    let name = name_of(scope, me, label).filter(|_| splits(scope, label.kind()));
    let name = name.ok_or(Refusal::NotNext)?;
    let mut after = *state;
    after.actor_mut(me).pending = match stage {
        Stage::Opened if pending == Pending::NONE => {
            let hold = open(scope, &mut after, name);
            let is_shared = matches!(label.row().lock, Some(LockUse::Take(_, Mode::Shared, _)));
            Pending::of(name, if is_shared { hold.shared() } else { hold })
        }
        // With the comparison before it, the `flock` is the last call, and ends the step.
        Stage::Flocked if is_to_be_locked(scope, pending) && !compares_first(scope) => {
            match conflict(scope, state, pending) {
                None => pending.locked(),
                Some((class, by)) => return Err(Refusal::Held(class, by.0)),
            }
        }
        Stage::Compared if is_to_be_compared(scope, pending) && compares_first(scope) => {
            if !is_at_path(state, pending) {
                return Err(Refusal::NotThere);
            }
            pending.compared()
        }
        Stage::Vanished
            if is_to_be_compared(scope, pending) && scope.design.locks_again_what_vanished() =>
        {
            if is_at_path(state, pending) {
                return Err(Refusal::There);
            }
            Pending::NONE
        }
        Stage::Opened | Stage::Flocked | Stage::Compared | Stage::Vanished => {
            return Err(Refusal::NotNext);
        }
    };
    Ok(after)
}

/// How a step may end that has come so far; what its arm is told.
///
/// A published design ends such a step with [`Outcome::Vanished`] at once, which none of its rows has: whoever takes
/// the lock treats it as one that somebody else has.
pub(crate) fn end(
    scope: &Scope,
    state: &State,
    me: Actor,
    step: Step<()>,
    outcome: Outcome,
) -> Result<Outcome, Refusal> {
    let pending = state.actor(me).pending;
    let conflict = conflict(scope, state, pending);
    match outcome {
        Outcome::Done if compares_first(scope) && is_to_be_locked(scope, pending) => match conflict
        {
            None => Ok(outcome),
            Some((class, by)) => Err(Refusal::Held(class, by.0)),
        },
        Outcome::Done if !compares_first(scope) && is_to_be_compared(scope, pending) => {
            if is_at_path(state, pending) {
                Ok(outcome)
            } else {
                Err(Refusal::NotThere)
            }
        }
        Outcome::WouldBlock | Outcome::TimedOut if is_to_be_locked(scope, pending) => {
            let class = pending.name().map(Name::class);
            match (conflict, class) {
                (Some((class, by)), _) if outcome == Outcome::WouldBlock && scope.waits(step) => {
                    Err(Refusal::Held(class, by.0))
                }
                (Some(_), _) => Ok(outcome),
                (None, class) => Err(class.map_or(Refusal::NotNext, Refusal::Free)),
            }
        }
        Outcome::Vanished
            if is_to_be_compared(scope, pending) && !scope.design.locks_again_what_vanished() =>
        {
            if is_at_path(state, pending) {
                return Err(Refusal::There);
            }
            let refusals = [Outcome::WouldBlock, Outcome::TimedOut];
            let told = refusals
                .into_iter()
                .find(|refusal| step.row().outcomes.contains(refusal));
            told.ok_or(Refusal::NotInDesign(outcome))
        }
        Outcome::Done | Outcome::WouldBlock | Outcome::TimedOut | Outcome::Vanished => {
            Err(Refusal::NotNext)
        }
        // Whatever else a step ends with, it asked for no lock.
        Outcome::NotFound
        | Outcome::NotDirectory
        | Outcome::Exists
        | Outcome::NotEmpty
        | Outcome::Refused
        | Outcome::Kept
        | Outcome::Removed
        | Outcome::Corrupt
        | Outcome::Stopped
        | Outcome::NoSpace(_) => {
            if pending == Pending::NONE {
                Ok(outcome)
            } else {
                Err(Refusal::NotNext)
            }
        }
    }
}

/// What an actor has of a lock whose last call was made.
pub(super) fn taken(state: &State, me: Actor, name: Name, outcome: Outcome) -> Hold {
    debug_assert_eq!(state.actor(me).pending.name(), Some(name));
    if outcome == Outcome::Done {
        state.actor(me).pending.hold().locked().relied_on()
    } else {
        Hold::NONE
    }
}
