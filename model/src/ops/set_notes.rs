//! `set_notes`: changes the notes in the manifest of a snapshot.

use super::not_locked;
use crate::locks::{self, Name};
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Manifest, Next, Part, State};
use specs::id::{self, Id, Namespace, Snapshot};
use specs::ops::set_notes::{Step, TABLE};
use specs::scenario::Task;
use specs::{Label, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the operation keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    /// The lock of the manifest.
    hold: Hold,
    /// What was read.
    read: Manifest,
    /// So that all operations keep as many bytes.
    rest: [u8; 18],
}

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(scope: &Scope, actor: &mut Actor) {
    actor.next = if scope.design.locks_manifest_before_reading() {
        next(Step::LockManifest)
    } else {
        next(Step::LoadManifest)
    };
}

pub(crate) fn visit_holds(
    state: &State,
    me: id::Actor,
    name: Name,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let Locals { hold, .. } = zerocopy::transmute!(state.actor(me).locals);
    if hold != Hold::NONE {
        visit(me, name, hold);
    }
}

fn task(scope: &Scope, me: id::Actor) -> Option<(Namespace, Snapshot)> {
    if let Task::SetNotes {
        namespace,
        snapshot,
    } = scope.task_of(me)
    {
        Some((namespace, snapshot))
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
    let row = TABLE.get(usize::from(state.actor(me).next.0));
    if let (Some((namespace, snapshot)), Some(specs::Step::SetNotes(kind))) =
        (task(scope, me), row.map(|row| row.step))
    {
        offer(kind.of(Id::Snapshot(namespace, snapshot)));
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
    let (Namespace(n), Snapshot(snapshot)) = task(scope, me).ok_or(Refusal::NotNext)?;
    let s = usize::from(snapshot);
    let there = before.snapshots[s].has(n);
    let mut state = *before;
    let mut locals: Locals = zerocopy::transmute!(before.actor(me).locals);
    let mut end = before.actor(me).end;
    let reads_under_lock = scope.design.locks_manifest_before_reading();
    let then = match step {
        Step::LockManifest => {
            let name = Name::Manifest(n, snapshot);
            locals.hold = locks::take(scope, &mut state, me, name, step, outcome)?;
            if outcome != Outcome::Done {
                end = not_locked(outcome);
                next(Step::ReleaseAll)
            } else if reads_under_lock {
                next(Step::LoadManifest)
            } else {
                next(Step::WriteManifest)
            }
        }
        Step::LoadManifest => {
            find(there && before.manifests[s].is_there(), outcome)?;
            locals.read = before.manifests[s].contents();
            if outcome == Outcome::NotFound {
                locals.read = Manifest::NONE;
                end = End::REFUSED;
                next(Step::ReleaseAll)
            } else if reads_under_lock {
                next(Step::WriteManifest)
            } else {
                next(Step::LockManifest)
            }
        }
        Step::WriteManifest => {
            find(there, outcome)?;
            if there {
                state.manifests[s] = before.manifests[s].rewritten(locals.read, Part::NOTES, false);
                next(Step::UnlockManifest)
            } else {
                end = End::REFUSED;
                next(Step::ReleaseAll)
            }
        }
        Step::UnlockManifest | Step::ReleaseAll => {
            locals.hold = Hold::NONE;
            locals.read = Manifest::NONE;
            if end == End::NONE {
                end = End::DONE;
            }
            Next::FINISHED
        }
    };
    let actor = state.actor_mut(me);
    actor.locals = zerocopy::transmute!(locals);
    actor.next = then;
    actor.end = end;
    Ok(state)
}
