//! The operations: guard and effect of each step in one arm, in the order of the step table.
//!
//! `offers` gives the labels that an actor could take next; `step` says what a label with an outcome leads
//! to, or which guard refuses it. `stateright` is offered exactly what the arms accept.

pub mod gc;
pub mod move_group;
pub mod take_lock;

use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, State};
use specs::id::{self, Id};
use specs::scenario::Task;
use specs::step::LockUse;
use specs::{LockClass, Outcome, Step};

/// Prepares an actor for its task.
pub(crate) fn begin(task: Task, actor: &mut Actor) {
    match task {
        Task::Gc { runs } => gc::begin(runs, actor),
        Task::MoveGroup { .. } => move_group::begin(actor),
        Task::TakeLock { .. } => take_lock::begin(actor),
    }
}

/// Offers the labels that an actor could take next, in a fixed order.
pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Step<Id>),
) {
    if !state.actor(me).next.is_live() {
        return;
    }
    match scope.task_of(me) {
        Task::Gc { .. } => gc::offers(scope, state, me, &mut |label| offer(Step::Gc(label))),
        Task::MoveGroup { .. } => {
            move_group::offers(scope, state, me, &mut |label| offer(Step::MoveGroup(label)));
        }
        Task::TakeLock { .. } => {
            take_lock::offers(scope, state, me, &mut |label| offer(Step::TakeLock(label)));
        }
    }
}

/// What a step leads to, or the guard that refuses it.
pub(crate) fn step(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    label: Step<Id>,
    outcome: Outcome,
) -> Result<State, Refusal> {
    if !state.actor(me).next.is_live() {
        return Err(Refusal::Ended);
    }
    match (scope.task_of(me), label) {
        (Task::Gc { .. }, Step::Gc(label)) => gc::step(scope, state, me, label, outcome),
        (Task::MoveGroup { .. }, Step::MoveGroup(label)) => {
            move_group::step(scope, state, me, label, outcome)
        }
        (Task::TakeLock { .. }, Step::TakeLock(label)) => {
            take_lock::step(scope, state, me, label, outcome)
        }
        (Task::Gc { .. } | Task::MoveGroup { .. } | Task::TakeLock { .. }, _) => {
            Err(Refusal::NotNext)
        }
    }
}

/// The step that an actor takes next, without its argument.
pub(crate) fn next_step(scope: &Scope, state: &State, me: id::Actor) -> Option<Step<()>> {
    let table = match scope.task_of(me) {
        Task::Gc { .. } => specs::Op::Gc.table(),
        Task::MoveGroup { .. } => specs::Op::MoveGroup.table(),
        Task::TakeLock { .. } => specs::Op::TakeLock.table(),
    };
    Some(table.get(usize::from(state.actor(me).next.0))?.step)
}

/// The class of the lock that an actor is about to wait for.
pub(crate) fn waits_for(scope: &Scope, state: &State, me: id::Actor) -> Option<LockClass> {
    let step = next_step(scope, state, me)?;
    match step.row().lock {
        Some(LockUse::Take(class, ..) | LockUse::Within(class, ..)) if scope.waits(step) => {
            Some(class)
        }
        Some(
            LockUse::Take(..) | LockUse::Within(..) | LockUse::Release(_) | LockUse::Unlink(_),
        )
        | None => None,
    }
}

/// Whether an actor has a step, whatever its outcome.
pub(crate) fn has_step(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let mut has = false;
    offers(scope, state, me, &mut |label| {
        has = has
            || label
                .row()
                .outcomes
                .iter()
                .any(|outcome| step(scope, state, me, label, *outcome).is_ok());
    });
    has
}
