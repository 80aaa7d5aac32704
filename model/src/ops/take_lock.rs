//! `take_lock`: one lock file, taken in its three calls.
//!
//! Whether what is locked is a file or a directory makes no difference here: either is one inode after the other
//! under one name.

use crate::faults;
use crate::locks::{self, Name};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Next, State};
use specs::design::Change;
use specs::id::{self, Id};
use specs::ops::take_lock::{Step, TABLE};
use specs::scenario::{Lockable, Task};
use specs::{Label, LockClass, Outcome, ToLabel as _};

/// What the operation keeps between its steps: the lock file that it has open.
const HOLD: usize = 0;

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(actor: &mut Actor) {
    actor.next = next(Step::OpenLockFile);
}

pub(crate) fn visit_holds(
    state: &State,
    me: id::Actor,
    lock: Lockable,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let hold = Hold(state.actor(me).locals[HOLD]);
    if hold != Hold::NONE {
        visit(me, name(lock), hold);
    }
}

pub(crate) const fn name(lock: Lockable) -> Name {
    match lock {
        Lockable::Group(n, g) => Name::Group(n.0, g.0),
        Lockable::Snapshot(n, s) => Name::Snapshot(n.0, s.0),
    }
}

fn task(scope: &Scope, me: id::Actor) -> Option<(Lockable, bool)> {
    if let Task::TakeLock { lock, removes } = scope.task_of(me) {
        Some((lock, removes))
    } else {
        None
    }
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let Some((lock, _)) = task(scope, me) else {
        return;
    };
    let Some(row) = TABLE.get(usize::from(state.actor(me).next.0)) else {
        return;
    };
    if let specs::Step::TakeLock(step) = row.step {
        offer(step.of(match lock {
            Lockable::Group(n, g) => Id::Group(n, g),
            Lockable::Snapshot(n, s) => Id::Snapshot(n, s),
        }));
    }
}

pub(crate) fn step(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    step: Step,
    outcome: Outcome,
) -> Result<State, Refusal> {
    let Some((lock, removes)) = task(scope, me) else {
        return Err(Refusal::NotNext);
    };
    if state.actor(me).next != next(step) {
        return Err(Refusal::NotNext);
    }
    let name = name(lock);
    let mut after = *state;
    let hold = Hold(state.actor(me).locals[HOLD]);
    let recheck_first = scope.design.has(Change::RecheckBeforeFlock);
    let never_rechecks = scope.design.locks_directories();
    let unlock_first = scope.design.has(Change::UnlinkAfterUnlock);
    let locked = match (removes, unlock_first) {
        (true, false) => Step::UnlinkLockFile,
        (true, true) | (false, _) => Step::UnlockLockFile,
    };
    let (hold, then) = match step {
        Step::OpenLockFile => {
            let hold = locks::open(scope, &mut after, name);
            let then = if recheck_first {
                Step::RecheckLockFile
            } else {
                Step::FlockLockFile
            };
            (hold, Some(then))
        }
        Step::FlockLockFile => {
            let skips = faults::skips(scope, Step::FlockLockFile);
            let by = locks::holder(scope, state, name, hold).filter(|_| !skips);
            let given = if skips { hold } else { hold.locked() };
            match (by, outcome) {
                (None, Outcome::Done) if recheck_first || never_rechecks => {
                    (given.relied_on(), Some(locked))
                }
                (None, Outcome::Done) => (given, Some(Step::RecheckLockFile)),
                (Some(_), Outcome::WouldBlock) if !scope.waits(Step::FlockLockFile.into()) => {
                    after.actor_mut(me).end = End::BUSY;
                    (hold, Some(Step::ReleaseAll))
                }
                (Some(by), _) => return Err(Refusal::Held(LockClass::Group, by.0)),
                (None, _) => return Err(Refusal::Free(LockClass::Group)),
            }
        }
        Step::RecheckLockFile => {
            let same = hold.number() == locks::file_at(state, name)
                || faults::skips(scope, Step::RecheckLockFile);
            match (same, outcome) {
                (true, Outcome::Done) if recheck_first => (hold, Some(Step::FlockLockFile)),
                (true, Outcome::Done) => (hold.relied_on(), Some(locked)),
                (false, Outcome::Vanished) => {
                    after.actor_mut(me).end = End::BUSY;
                    (hold, Some(Step::ReleaseAll))
                }
                (true, _) => return Err(Refusal::There),
                (false, _) => return Err(Refusal::NotThere),
            }
        }
        Step::UnlinkLockFile => {
            match (locks::unlink(&mut after, name), outcome) {
                (true, Outcome::Done) | (false, Outcome::NotFound) => {}
                (true, _) => return Err(Refusal::There),
                (false, _) => return Err(Refusal::NotThere),
            }
            (
                hold.given_up(),
                (!unlock_first).then_some(Step::UnlockLockFile),
            )
        }
        Step::UnlockLockFile => (
            Hold::NONE,
            (removes && unlock_first).then_some(Step::UnlinkLockFile),
        ),
        Step::ReleaseAll => (Hold::NONE, None),
    };
    let actor = after.actor_mut(me);
    actor.locals[HOLD] = hold.0;
    actor.next = then.map_or(Next::FINISHED, next);
    if then.is_none() && actor.end == End::NONE {
        actor.end = End::DONE;
    }
    Ok(after)
}
