//! `take_namespace_lock`: the locks of one namespace or of two, as a caller takes them.

use crate::locks::namespaces;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, End, Next, State};
use specs::id::{self, Id};
use specs::ops::take_namespace_lock::{Step, TABLE};
use specs::{Label, Outcome, ToLabel as _};

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(scope: &Scope, me: id::Actor, actor: &mut Actor) {
    let first = scope.namespace_locks[usize::from(me.0)].first();
    actor.next = first.map_or(Next::FINISHED, |lock| Next::row(lock.take.position()));
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let row = TABLE.get(usize::from(state.actor(me).next.0));
    let Some(specs::Step::TakeNamespaceLock(kind)) = row.map(|row| row.step) else {
        return;
    };
    let lock = match kind {
        Step::LockExclusive | Step::LockShared => namespaces::next(scope, state, me),
        Step::UnlockNamespace => namespaces::oldest(scope, state, me),
        Step::ReleaseAll => {
            offer(Step::ReleaseAll.into());
            return;
        }
    };
    if let Some(lock) = lock {
        offer(kind.of(Id::Namespace(lock.namespace)));
    }
}

pub(crate) fn step(
    scope: &Scope,
    before: &State,
    me: id::Actor,
    step: Step,
    outcome: Outcome,
) -> Result<State, Refusal> {
    if before.actor(me).next != next(step) {
        return Err(Refusal::NotNext);
    }
    let mut state = *before;
    let then = match step {
        Step::LockExclusive | Step::LockShared => {
            namespaces::take(scope, &mut state, me, outcome)?;
            match (outcome, namespaces::next(scope, &state, me)) {
                (Outcome::Done, Some(lock)) => Next::row(lock.take.position()),
                (Outcome::Done, None) => next(Step::UnlockNamespace),
                (_, _) => {
                    state.actor_mut(me).end = End::BUSY;
                    next(Step::ReleaseAll)
                }
            }
        }
        Step::UnlockNamespace => {
            namespaces::release(&mut state, me);
            if state.actor(me).reach.has_any() {
                next(Step::UnlockNamespace)
            } else {
                state.actor_mut(me).end = End::DONE;
                Next::FINISHED
            }
        }
        Step::ReleaseAll => {
            namespaces::release_all(&mut state, me);
            Next::FINISHED
        }
    };
    state.actor_mut(me).next = then;
    Ok(state)
}
