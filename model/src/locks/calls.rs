//! A lock file that is taken in its calls, with everybody else between them: open, flock, compare.
//!
//! Where a scenario does not split such steps, [`super::take`] is the whole of it. Here the calls are events of their
//! own ([`Stage`]), and the step ends with the last one. A directory is opened and locked, and not compared. The
//! hardened design opens again what has vanished, at most so many times; here as often as somebody unlinks a file, since
//! every scenario has fewer who do.

use super::{Name, file_at, generations, holder, open};
use crate::faults;
use crate::ops::move_group;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Hold, Pending, State};
use specs::design::Change;
use specs::id::{Actor, Id};
use specs::lock_class::Mode;
use specs::step::LockUse;
use specs::{Label, LockClass, Outcome, Stage, Step};

/// Whether a step is taken in its calls; one whose `flock` a fault leaves out is taken at once.
pub(crate) fn splits(scope: &Scope, step: Step) -> bool {
    scope.splits_locks && step.compares_lock_file() && !faults::skips(scope, step)
}

/// The lock that a label of an actor takes, if its file can be unlinked.
pub(crate) fn name_of(scope: &Scope, me: Actor, label: Label<Id>) -> Option<Name> {
    let Some(LockUse::Take(class, ..)) = label.step.row().lock else {
        return None;
    };
    let Some(id) = label.of else {
        return move_group::lock_of(scope.task_of(me), label.step);
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
    scope.design.has(Change::RecheckBeforeFlock)
}

/// Whether the `flock` is the last call: what it is asked for was compared before, or is a directory.
fn ends_with_flock(scope: &Scope, pending: Pending) -> bool {
    compares_first(scope) || lock(pending).is_some_and(Name::is_directory)
}

/// The lock that is open.
fn lock(pending: Pending) -> Option<Name> {
    pending.name().map(|name| name.of_hold(pending.hold()))
}

/// Whether the next call is the `flock`.
fn is_to_be_locked(scope: &Scope, pending: Pending) -> bool {
    let is_open = pending != Pending::NONE && !pending.hold().is_locked();
    let waits_for_comparison = lock(pending).is_some_and(|name| !name.is_directory());
    is_open && pending.is_compared() == (compares_first(scope) && waits_for_comparison)
}

/// Whether the next call is the comparison.
fn is_to_be_compared(scope: &Scope, pending: Pending) -> bool {
    let is_file = lock(pending).is_some_and(|name| !name.is_directory());
    is_file && !pending.is_compared() && pending.hold().is_locked() != compares_first(scope)
}

/// Whoever else holds the `flock` of what is open.
fn conflict(scope: &Scope, state: &State, pending: Pending) -> Option<(LockClass, Actor)> {
    let name = lock(pending)?;
    let by = holder(scope, state, name, pending.hold())?;
    Some((name.class(), by))
}

/// Whether the open file is the one at the path.
fn is_at_path(state: &State, pending: Pending) -> bool {
    let at_path = lock(pending).map(|name| file_at(state, name));
    at_path == Some(pending.hold().number())
}

/// What a call leads to that does not end its step, or the guard that refuses it.
pub(crate) fn reach(
    scope: &Scope,
    state: &State,
    me: Actor,
    label: Label<Id>,
    stage: Stage,
) -> Result<State, Refusal> {
    let pending = state.actor(me).pending;
    let name = name_of(scope, me, label).filter(|_| splits(scope, label.step));
    let name = name.ok_or(Refusal::NotNext)?;
    if matches!(label.step, Step::MoveGroup(_)) && move_group::refuses(scope, state, me) {
        return Err(Refusal::NotNext);
    }
    let has_to_look = generations::has_to_look(scope, state, me);
    let mut after = *state;
    after.actor_mut(me).pending = match stage {
        Stage::Looked if has_to_look => {
            generations::look(scope, &mut after, me);
            Pending::NONE
        }
        Stage::Opened if pending == Pending::NONE && !has_to_look => {
            let name = generations::name_for(scope, &mut after, me, name);
            let hold = open(scope, &mut after, name);
            if hold == Hold::NONE {
                return Err(Refusal::NotThere);
            }
            let is_shared = matches!(
                label.step.row().lock,
                Some(LockUse::Take(_, Mode::Shared, _))
            );
            Pending::of(name, if is_shared { hold.shared() } else { hold })
        }
        Stage::Flocked if is_to_be_locked(scope, pending) && !ends_with_flock(scope, pending) => {
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
        Stage::Looked | Stage::Opened | Stage::Flocked | Stage::Compared | Stage::Vanished => {
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
    label: Label<Id>,
    outcome: Outcome,
) -> Result<Outcome, Refusal> {
    let step = label.step;
    let pending = state.actor(me).pending;
    let conflict = conflict(scope, state, pending);
    match outcome {
        Outcome::Done if is_to_be_locked(scope, pending) && ends_with_flock(scope, pending) => {
            match conflict {
                None => Ok(outcome),
                Some((class, by)) => Err(Refusal::Held(class, by.0)),
            }
        }
        Outcome::Done if is_to_be_compared(scope, pending) && !compares_first(scope) => {
            if is_at_path(state, pending) {
                Ok(outcome)
            } else {
                Err(Refusal::NotThere)
            }
        }
        Outcome::WouldBlock | Outcome::TimedOut if is_to_be_locked(scope, pending) => {
            let class = lock(pending).map(Name::class);
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
        Outcome::NotFound if generations::has_to_look(scope, state, me) => Err(Refusal::NotNext),
        Outcome::NotFound if pending == Pending::NONE => {
            let directory = name_of(scope, me, label)
                .filter(|_| generations::locks_directories(scope, state, me))
                .map(Name::by_directory);
            match directory.map(|name| file_at(state, name)) {
                Some(0) => Ok(outcome),
                Some(_) | None => Err(Refusal::There),
            }
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
pub(super) fn taken(state: &State, me: Actor, outcome: Outcome) -> Hold {
    if outcome == Outcome::Done {
        state.actor(me).pending.hold().locked().relied_on()
    } else {
        Hold::NONE
    }
}

/// The file of a lock is to be created, and there is no inode left for it.
pub(crate) fn find_no_inode(state: &mut State, name: Name) -> Result<(), Refusal> {
    if name.is_directory() || file_at(state, name) != 0 {
        return Err(Refusal::There);
    }
    state.no_inode = state.no_inode.checked_sub(1).ok_or(Refusal::Exhausted)?;
    Ok(())
}
