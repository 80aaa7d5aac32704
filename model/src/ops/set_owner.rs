//! `set_owner`: changes the owner of a group.

use super::not_locked;
use crate::locks::{self, Name};
use crate::refusal::{Refusal, accept, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Next, Owner, State};
use specs::id::{self, Group, Id, Namespace};
use specs::ops::set_owner::{Step, TABLE};
use specs::scenario::Task;
use specs::{Design, Label, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the operation keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    /// The lock of the group.
    hold: Hold,
    /// The owner that was read without a lock.
    read: Owner,
    /// Ghost: whether another owner than that one was replaced.
    replaced_another: u8,
    /// Whether the file that is open was unlinked.
    unlinked: u8,
    /// Where the file that is open lies, if its group was renamed: the number of the namespace, and one more.
    renamed: u8,
    /// So that all operations keep as many bytes.
    rest: [u8; 15],
}

impl Locals {
    fn of(actor: &Actor) -> Self {
        zerocopy::transmute!(actor.locals)
    }
}

/// What follows a step.
enum Chain {
    /// The step of that label.
    Step(Step),
    /// The operation fails.
    Fail(End),
    /// It has ended.
    End,
}

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(actor: &mut Actor) {
    actor.next = next(Step::ReadOwner);
}

pub(crate) fn visit_holds(
    state: &State,
    me: id::Actor,
    name: Name,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let Locals { hold, .. } = Locals::of(state.actor(me));
    if hold != Hold::NONE {
        visit(me, name, hold);
    }
}

fn task(scope: &Scope, me: id::Actor) -> Option<(Namespace, Group, u8)> {
    if let Task::SetOwner {
        namespace,
        group,
        owner,
    } = scope.task_of(me)
    {
        Some((namespace, group, owner))
    } else {
        None
    }
}

/// Whether the actor is a change of an owner that has begun, or has ended.
pub(crate) fn has_begun(scope: &Scope, state: &State, me: id::Actor) -> bool {
    task(scope, me).is_some() && state.actor(me).next != next(Step::ReadOwner)
}

/// Whether the actor has changed an owner.
pub(crate) fn has_changed(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let actor = state.actor(me);
    task(scope, me).is_some() && (actor.next == next(Step::UnlockGroup) || actor.end == End::DONE)
}

/// Whether the actor has just replaced another owner than the one that it had checked.
pub(crate) fn has_replaced_another(scope: &Scope, state: &State, me: id::Actor) -> bool {
    task(scope, me).is_some() && Locals::of(state.actor(me)).replaced_another != 0
}

/// Unlinks the owner file of a group: whoever has emptied it writes into what nobody can find.
pub(crate) fn unlink(scope: &Scope, state: &mut State, group: (u8, u8)) {
    let (namespace, number) = (group.0, usize::from(group.1));
    state.owners[number] = state.owners[number].without(namespace);
    if scope.design.replaces_owner_file() {
        return;
    }
    with_open_file(scope, state, group, |change| change.unlinked = 1);
}

/// The directory of a group is renamed: whoever has emptied its owner file writes into it where it lies now.
pub(crate) fn rename(scope: &Scope, state: &mut State, group: (u8, u8), to: Namespace) {
    if !scope.design.replaces_owner_file() {
        with_open_file(scope, state, group, |change| change.renamed = to.0 + 1);
    }
}

/// Changes what those keep who have the owner file of a group open, where it lies now.
fn with_open_file(scope: &Scope, state: &mut State, group: (u8, u8), set: impl Fn(&mut Locals)) {
    for actor in scope.actors() {
        let Some((n, g, _)) = task(scope, actor) else {
            continue;
        };
        let actor = state.actor_mut(actor);
        let mut change = Locals::of(actor);
        let lies_at = change.renamed.checked_sub(1).unwrap_or(n.0);
        if (lies_at, g.0) == group && actor.next == next(Step::WriteOwner) {
            set(&mut change);
            actor.locals = zerocopy::transmute!(change);
        }
    }
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let row = TABLE.get(usize::from(state.actor(me).next.0));
    if let (Some((namespace, group, _)), Some(specs::Step::SetOwner(kind))) =
        (task(scope, me), row.map(|row| row.step))
    {
        offer(kind.of(Id::Group(namespace, group)));
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
    let (namespace, group, owner) = task(scope, me).ok_or(Refusal::NotNext)?;
    let (n, g) = (namespace.0, usize::from(group.0));
    let design = scope.design;
    let mut state = *before;
    let mut change = Locals::of(before.actor(me));
    let owners = before.owners[g];
    let then = match step {
        Step::ReadOwner => {
            let read = owners.at(n);
            accept(read.is_some(), read != Some(Owner::NOBODY), outcome)?;
            change.read = read.unwrap_or_default();
            if outcome != Outcome::Done {
                Chain::Fail(End::REFUSED)
            } else if design.locks_group_of_new_owner() {
                Chain::Step(Step::LockGroup)
            } else {
                recheck(scope)
            }
        }
        Step::LockGroup => {
            let name = locks::group(namespace, group);
            change.hold = locks::take(scope, &mut state, me, name, step, outcome)?;
            if outcome == Outcome::Done {
                recheck(scope)
            } else {
                Chain::Fail(not_locked(outcome))
            }
        }
        Step::RecheckOwner => {
            // An empty file is no owner that was read before.
            accept(owners.has(n), owners.at(n) == Some(change.read), outcome)?;
            if outcome == Outcome::Done {
                write(scope)
            } else {
                Chain::Fail(End::REFUSED)
            }
        }
        Step::TruncateOwner => {
            let there = state.groups[g].has(n);
            find(there, outcome)?;
            if owners.has(n) {
                change.notice(owners.at(n));
            }
            if there {
                state.owners[g] = owners.with(n, Owner::NOBODY);
            }
            done_or_refused(outcome, Step::WriteOwner)
        }
        Step::WriteOwner if design.replaces_owner_file() => {
            let there = before.groups[g].has(n);
            find(there, outcome)?;
            if there {
                change.notice(owners.at(n));
                state.owners[g] = owners.with(n, Owner::of(owner));
                leave(design)
            } else {
                Chain::Fail(End::REFUSED)
            }
        }
        Step::WriteOwner => {
            // The file is open: one that was unlinked meanwhile takes the owner with it.
            find(true, outcome)?;
            if change.unlinked == 0 {
                let lies_at = change.renamed.checked_sub(1).unwrap_or(n);
                state.owners[g] = owners.with(lies_at, Owner::of(owner));
            }
            leave(design)
        }
        Step::UnlockGroup | Step::ReleaseAll => Chain::End,
    };
    let actor = state.actor_mut(me);
    match then {
        Chain::Step(step) => actor.next = next(step),
        Chain::Fail(end) => {
            actor.end = end;
            actor.next = next(Step::ReleaseAll);
        }
        Chain::End => {
            if actor.end == End::NONE {
                actor.end = End::DONE;
            }
            // What it has done wrong is not forgotten with the rest, where the last step does it.
            let replaced_another = change.replaced_another;
            change = zerocopy::transmute!([0u8; crate::state::LOCALS]);
            change.replaced_another = replaced_another;
            actor.next = Next::FINISHED;
        }
    }
    actor.locals = zerocopy::transmute!(change);
    Ok(state)
}

impl Locals {
    /// What is replaced was checked, or it was not.
    fn notice(&mut self, replaced: Option<Owner>) {
        if replaced != Some(self.read) {
            self.replaced_another = 1;
        }
    }
}

/// What follows the lock, or the first look in a design that takes none.
fn recheck(scope: &Scope) -> Chain {
    if scope.design.rechecks_owner() {
        Chain::Step(Step::RecheckOwner)
    } else {
        write(scope)
    }
}

/// The lock is let go, if there is one.
fn leave(design: Design) -> Chain {
    if design.locks_group_of_new_owner() {
        Chain::Step(Step::UnlockGroup)
    } else {
        Chain::End
    }
}

/// The first step that changes the owner file.
fn write(scope: &Scope) -> Chain {
    if scope.design.replaces_owner_file() {
        Chain::Step(Step::WriteOwner)
    } else {
        Chain::Step(Step::TruncateOwner)
    }
}

fn done_or_refused(outcome: Outcome, step: Step) -> Chain {
    if outcome == Outcome::Done {
        Chain::Step(step)
    } else {
        Chain::Fail(End::REFUSED)
    }
}
