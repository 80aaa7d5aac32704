//! The operations: guard and effect of each step in one arm, in the order of the step table.
//!
//! `offers` gives the labels that an actor could take next; `step` says what a label with an outcome leads
//! to, or which guard refuses it. `stateright` is offered exactly what the arms accept.

pub mod access_chunk;
pub mod backup;
pub mod delete_namespace;
pub mod forget_snapshot;
pub mod gc;
pub mod move_group;
pub mod prune;
pub mod set_notes;
pub mod set_owner;
pub mod take_lock;
pub mod take_namespace_lock;
pub mod verify;

use crate::environment;
use crate::faults;
use crate::locks::{self, Name, Rank, calls, generations, namespaces};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, End, Next, Pending, State};
use specs::id::{self, Id};
use specs::lock_class::{Mode, Wait};
use specs::scenario::Task;
use specs::step::LockUse;
use specs::{Event, Label, LockClass, Op, Outcome, Stage, Step};

/// Prepares an actor for its task.
pub(crate) fn begin(scope: &Scope, me: id::Actor, actor: &mut Actor) {
    match scope.task_of(me) {
        Task::Gc { runs } => gc::begin(runs, actor),
        Task::MoveGroup { .. } => move_group::begin(scope, me, actor),
        Task::TakeLock { .. } => take_lock::begin(actor),
        Task::Backup { snapshot } => backup::begin(scope, me, snapshot, actor),
        Task::ForgetSnapshot { snapshot, .. } => forget_snapshot::begin(snapshot, actor),
        Task::Prune { .. } => prune::begin(scope, me, actor),
        Task::Verify { .. } => verify::begin(actor),
        Task::SetNotes { .. } => set_notes::begin(scope, actor),
        Task::AccessChunk { access, .. } => access_chunk::begin(scope.design, access, actor),
        Task::SetOwner { .. } => set_owner::begin(actor),
        Task::DeleteNamespace { namespace } => {
            delete_namespace::begin(scope, me, namespace, actor);
        }
        Task::TakeNamespaceLock { .. } => take_namespace_lock::begin(scope, me, actor),
    }
}

/// How an operation ends that does not get the lock of a name. A directory that is not there has no lock that could be busy.
pub(crate) const fn not_locked(outcome: Outcome) -> End {
    if matches!(outcome, Outcome::NoSpace(_)) {
        End::NO_SPACE
    } else if matches!(outcome, Outcome::TimedOut) {
        End::TIMED_OUT
    } else if matches!(outcome, Outcome::NotFound) {
        End::REFUSED
    } else {
        End::BUSY
    }
}

/// Offers the labels that an actor could take next, in a fixed order.
pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    if !state.actor(me).next.is_live() || environment::is_to_come(scope, state, me) {
        return;
    }
    // Whoever has opened the file of one lock does not go on to take another.
    let pending = state.actor(me).pending.name();
    let offer = &mut |label| {
        if pending.is_none() || calls::name_of(scope, me, label) == pending {
            offer(label);
        }
    };
    match scope.task_of(me) {
        Task::Gc { .. } => gc::offers(scope, state, me, offer),
        Task::MoveGroup { .. } => {
            move_group::offers(scope, state, me, offer);
        }
        Task::TakeLock { .. } => {
            take_lock::offers(scope, state, me, offer);
        }
        Task::Backup { .. } => backup::offers(scope, state, me, offer),
        Task::ForgetSnapshot { .. } => {
            forget_snapshot::offers(scope, state, me, offer);
        }
        Task::Prune { .. } => prune::offers(scope, state, me, offer),
        Task::Verify { .. } => verify::offers(scope, state, me, offer),
        Task::SetNotes { .. } => {
            set_notes::offers(scope, state, me, offer);
        }
        Task::AccessChunk { .. } => {
            access_chunk::offers(scope, state, me, offer);
        }
        Task::SetOwner { .. } => {
            set_owner::offers(scope, state, me, offer);
        }
        Task::DeleteNamespace { .. } => delete_namespace::offers(scope, state, me, offer),
        Task::TakeNamespaceLock { .. } => {
            take_namespace_lock::offers(scope, state, me, offer);
        }
    }
}

/// What a step leads to, or the guard that refuses it.
pub(crate) fn step(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    label: Label<Id>,
    outcome: Outcome,
) -> Result<State, Refusal> {
    if !state.actor(me).next.is_live() {
        return Err(Refusal::Ended);
    }
    if !calls::splits(scope, label.step) {
        return arm(scope, state, me, label, outcome);
    }
    let told = calls::end(scope, state, me, label, outcome)?;
    let mut after = arm(scope, state, me, label, told)?;
    after.actor_mut(me).pending = Pending::NONE;
    Ok(after)
}

/// The arm of a step.
fn arm(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    label: Label<Id>,
    outcome: Outcome,
) -> Result<State, Refusal> {
    match (scope.task_of(me), label.step) {
        (Task::Gc { .. }, Step::Gc(step)) => gc::step(scope, state, me, (step, label.of), outcome),
        (Task::MoveGroup { .. }, Step::MoveGroup(step)) => {
            move_group::step(scope, state, me, (step, label.of), outcome)
        }
        (Task::TakeLock { .. }, Step::TakeLock(step)) => {
            take_lock::step(scope, state, me, step, outcome)
        }
        (Task::Backup { .. }, Step::Backup(_) | Step::ForgetSnapshot(_)) => {
            backup::step(scope, state, me, label, outcome)
        }
        (Task::ForgetSnapshot { .. }, Step::ForgetSnapshot(step)) => {
            forget_snapshot::step(scope, state, me, (step, label.of), outcome)
        }
        (Task::Prune { .. }, Step::Prune(_) | Step::ForgetSnapshot(_)) => {
            prune::step(scope, state, me, label, outcome)
        }
        (Task::Verify { .. }, Step::Verify(step)) => {
            verify::step(scope, state, me, (step, label.of), outcome)
        }
        (Task::SetNotes { .. }, Step::SetNotes(step)) => {
            set_notes::step(scope, state, me, step, outcome)
        }
        (Task::AccessChunk { .. }, Step::AccessChunk(step)) => {
            access_chunk::step(scope, state, me, step, outcome)
        }
        (Task::SetOwner { .. }, Step::SetOwner(step)) => {
            set_owner::step(scope, state, me, step, outcome)
        }
        (Task::DeleteNamespace { .. }, Step::DeleteNamespace(_) | Step::ForgetSnapshot(_)) => {
            delete_namespace::step(scope, state, me, label, outcome)
        }
        (Task::TakeNamespaceLock { .. }, Step::TakeNamespaceLock(step)) => {
            take_namespace_lock::step(scope, state, me, step, outcome)
        }
        (_, _) => Err(Refusal::NotNext),
    }
}

/// What a call leads to that does not end its step, or which guard refuses it.
pub(crate) fn reach(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    label: Label<Id>,
    stage: Stage,
) -> Result<State, Refusal> {
    if !state.actor(me).next.is_live() {
        return Err(Refusal::Ended);
    }
    calls::reach(scope, state, me, label, stage)
}

/// Whether a step can end so under the scope's design.
pub(crate) fn knows(scope: &Scope, step: Step, outcome: Outcome) -> bool {
    let row = step.row();
    let may_vanish = calls::splits(scope, step) && row.may_vanish(scope.design);
    row.outcomes.contains(&outcome) || outcome == Outcome::Vanished && may_vanish
}

/// Visits what a label can lead to, with the state after it: how the step can end, then its calls.
pub(crate) fn events(
    scope: &Scope,
    state: &State,
    actor: id::Actor,
    label: Label<Id>,
    visit: &mut impl FnMut(Event, State),
) {
    let mut end = |outcome| {
        if let Ok(next) = step(scope, state, actor, label, outcome) {
            let event = Event::Step {
                actor,
                label,
                outcome,
            };
            visit(event, next);
        }
    };
    label
        .step
        .row()
        .outcomes
        .iter()
        .for_each(|outcome| end(*outcome));
    if !calls::splits(scope, label.step) {
        return;
    }
    end(Outcome::Vanished);
    for stage in Stage::ALL {
        if let Ok(next) = reach(scope, state, actor, label, stage) {
            let event = Event::Reached {
                actor,
                label,
                stage,
            };
            visit(event, next);
        }
    }
}

/// The step of a number: the rows of an operation's table, then those of the operation that it runs as a part.
fn step_of(op: Op, next: Next) -> Option<Step> {
    let row = usize::from(next.0);
    let own = op.table();
    if let Some(row) = own.get(row) {
        return Some(row.step);
    }
    let part = op.part()?.op.table();
    part.get(row - own.len()).map(|row| row.step)
}

/// The step that an actor takes next, without its argument.
pub fn next_step(scope: &Scope, state: &State, me: id::Actor) -> Option<Step> {
    step_of(scope.task_of(me).op(), state.actor(me).next)
}

/// The lock that a step asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its class.
    pub class: LockClass,
    /// Shared or exclusive.
    pub mode: Mode,
    /// How long the step waits for it.
    pub wait: Wait,
}

/// The lock that a step of an actor asks for; none if it asks for none, by its row, because a fault skips it, or because
/// it refuses before.
pub fn request(scope: &Scope, state: &State, me: id::Actor, step: Step) -> Option<Request> {
    let lock = step.row().lock?;
    let wait = lock.wait(scope.design)?;
    let (LockUse::Take(class, mode, _) | LockUse::Within(class, mode, _)) = lock else {
        return None;
    };
    let is_first_of_move = step == specs::ops::move_group::Step::LockSourceGroup.into();
    let refuses = is_first_of_move && move_group::refuses(scope, state, me);
    if faults::skips(scope, step) || refuses {
        return None;
    }
    // That operation is one table for two kinds of lock.
    let class = if let Task::TakeLock { lock, .. } = scope.task_of(me) {
        take_lock::name(lock).class()
    } else {
        generations::class_for(scope, state, me, class)
    };
    let is_mutex = class == LockClass::MoveJournal && scope.design.keeps_journal_in_memory();
    let wait = if is_mutex || faults::waits(scope, step) {
        Wait::Forever
    } else {
        wait
    };
    Some(Request { class, mode, wait })
}

/// The place in the order of the lock that an actor is about to wait for.
pub(crate) fn waits_for(scope: &Scope, state: &State, me: id::Actor) -> Option<Rank> {
    // Whoever has the lock, and only compares the file, waits no more.
    if state.actor(me).pending.hold().is_locked() {
        return None;
    }
    let step = next_step(scope, state, me)?;
    match step.row().lock {
        Some(LockUse::Take(class, ..) | LockUse::Within(class, ..)) if scope.waits(step) => {
            Some(rank_asked(scope, state, me, step, class))
        }
        Some(
            LockUse::Take(..) | LockUse::Within(..) | LockUse::Release(_) | LockUse::Unlink(_),
        )
        | None => None,
    }
}

/// The place in the order of the lock of a class that a step of an actor asks for.
pub fn rank_asked(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    step: Step,
    class: LockClass,
) -> Rank {
    let lock = namespaces::next(scope, state, me).filter(|lock| lock.take == step);
    let class = generations::class_for(scope, state, me, class);
    lock.map_or(locks::rank_of_class(class), |lock| {
        locks::rank_of(scope, Name::Namespace(lock.namespace.0))
    })
}

/// Whether an actor has a step, whatever its outcome.
pub(crate) fn has_step(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let mut has = false;
    offers(scope, state, me, &mut |label| {
        events(scope, state, me, label, &mut |_, _| has = true);
    });
    has
}
