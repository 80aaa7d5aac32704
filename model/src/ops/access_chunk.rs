//! `access_chunk`: one chunk under the chunk-store mutex, in its single calls.

use crate::faults;
use crate::locks;
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, Age, Chunk, End, Next, State};
use specs::design::Change;
use specs::id::{self, Id};
use specs::ops::access_chunk::{Step, TABLE};
use specs::scenario::{Access, Task};
use specs::{Design, Label, LockClass, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the operation keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    /// Whether the mutex is locked.
    locked: u8,
    /// What an insert or a sweep saw, see the constants.
    seen: u8,
    /// So that all operations keep as many bytes.
    rest: [u8; 18],
}

/// The chunk is there; for a sweep, it is old.
const THERE: u8 = 1;
/// The chunk is not there.
const ABSENT: u8 = 2;
/// The chunk was touched or written.
const SECURED: u8 = 3;

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(design: Design, access: Access, actor: &mut Actor) {
    actor.next = next(match access {
        Access::SetAside => Step::ReadChunk,
        Access::Touch if design.touches_without_mutex() => Step::TouchChunk,
        Access::Insert if design.has(Change::InsertDecidesBeforeMutex) => Step::StatChunk,
        Access::Touch | Access::Insert | Access::Sweep => Step::LockChunkStore,
    });
}

fn task(scope: &Scope, me: id::Actor) -> Option<(id::Chunk, Access)> {
    if let Task::AccessChunk { chunk, access } = scope.task_of(me) {
        Some((chunk, access))
    } else {
        None
    }
}

/// Whether the actor has locked the mutex of its process.
pub(crate) fn has_mutex(scope: &Scope, state: &State, me: id::Actor) -> bool {
    task(scope, me).is_some() && {
        let Locals { locked, .. } = zerocopy::transmute!(state.actor(me).locals);
        locked == 1
    }
}

/// The chunk that an actor has touched or inserted, and whether it is just about to unlock the mutex.
pub(crate) fn secured(scope: &Scope, state: &State, me: id::Actor) -> Option<(id::Chunk, bool)> {
    let (chunk, access) = task(scope, me)?;
    let Locals { seen, .. } = zerocopy::transmute!(state.actor(me).locals);
    let unlocks = state.actor(me).next == next(Step::UnlockChunkStore);
    (seen == SECURED || access == Access::Insert && unlocks).then_some((chunk, unlocks))
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let row = TABLE.get(usize::from(state.actor(me).next.0));
    if let (Some((chunk, _)), Some(specs::Step::AccessChunk(kind))) =
        (task(scope, me), row.map(|row| row.step))
    {
        offer(kind.of(Id::Chunk(chunk)));
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
    let (id::Chunk(c), access) = task(scope, me).ok_or(Refusal::NotNext)?;
    let chunk = before.chunks[usize::from(c)];
    let design = scope.design;
    let mut after = chunk;
    let mut locals: Locals = zerocopy::transmute!(before.actor(me).locals);
    let then = match step {
        Step::ReadChunk => {
            read(chunk, outcome)?;
            let goes_on = outcome == Outcome::Corrupt
                || outcome == Outcome::NotFound && !design.sets_aside_only_what_it_read();
            if !goes_on {
                None
            } else if design.sets_aside_without_mutex() {
                Some(set_aside(design))
            } else {
                Some(Step::LockChunkStore)
            }
        }
        Step::LockChunkStore => {
            if let Some(by) = locks::mutex_holder(scope, before, me)
                && !faults::skips(scope, step)
            {
                return Err(Refusal::Held(LockClass::ChunkStore, by.0));
            }
            locals.locked = u8::from(!faults::skips(scope, step));
            Some(match (access, locals.seen) {
                (Access::Touch, _) => Step::TouchChunk,
                (Access::SetAside, _) => set_aside(design),
                (Access::Insert | Access::Sweep, 0) => Step::StatChunk,
                (Access::Insert, THERE) => Step::TouchChunk,
                (Access::Insert, _) => Step::WriteChunk,
                (Access::Sweep, _) => Step::UnlinkChunk,
            })
        }
        Step::StatChunk if access == Access::Sweep => {
            let expected = match chunk.age() {
                Age::MISSING => Outcome::NotFound,
                Age::FRESH => Outcome::Kept,
                _ => Outcome::Done,
            };
            if outcome != expected {
                return Err(if expected == Outcome::Kept {
                    Refusal::Fresh
                } else {
                    Refusal::Old
                });
            }
            locals.seen = u8::from(outcome == Outcome::Done);
            Some(
                if outcome == Outcome::Done && !design.has(Change::SweepInTwoPeriods) {
                    Step::UnlinkChunk
                } else {
                    Step::UnlockChunkStore
                },
            )
        }
        Step::StatChunk => {
            find(chunk.is_there(), outcome)?;
            locals.seen = if chunk.is_there() { THERE } else { ABSENT };
            Some(if design.has(Change::InsertDecidesBeforeMutex) {
                Step::LockChunkStore
            } else if chunk.is_there() {
                Step::TouchChunk
            } else {
                Step::WriteChunk
            })
        }
        Step::TouchChunk => {
            find(chunk.is_there(), outcome)?;
            if chunk.is_there() {
                after = chunk.touched();
                locals.seen = SECURED;
            }
            (!design.touches_without_mutex() || access != Access::Touch)
                .then_some(Step::UnlockChunkStore)
        }
        Step::WriteChunk => {
            after = chunk.written();
            locals.seen = SECURED;
            Some(Step::UnlockChunkStore)
        }
        Step::UnlinkChunk => {
            find(chunk.is_there(), outcome)?;
            after = chunk.unlinked();
            locals.seen = 0;
            Some(Step::UnlockChunkStore)
        }
        Step::RecheckChunk => {
            read(chunk, outcome)?;
            if outcome == Outcome::Corrupt {
                Some(Step::RenameChunk)
            } else {
                unlock(design)
            }
        }
        Step::RenameChunk => {
            find(chunk.is_there(), outcome)?;
            if chunk.is_there() {
                after = chunk.set_aside().ok_or(Refusal::Exhausted)?;
            }
            unlock(design)
        }
        Step::UnlockChunkStore => {
            locals.locked = 0;
            (design.has(Change::SweepInTwoPeriods)
                && access == Access::Sweep
                && locals.seen == THERE)
                .then_some(Step::LockChunkStore)
        }
    };
    let mut state = *before;
    state.chunks[usize::from(c)] = after;
    let actor = state.actor_mut(me);
    match then {
        Some(step) => actor.next = next(step),
        None => {
            locals.locked = 0;
            actor.end = End::DONE;
            actor.next = Next::FINISHED;
        }
    }
    actor.locals = zerocopy::transmute!(locals);
    Ok(state)
}

/// The chunk is renamed; a design that may have to let it be looks at it again before.
fn set_aside(design: Design) -> Step {
    if design.sets_aside_only_what_it_read() {
        Step::RecheckChunk
    } else {
        Step::RenameChunk
    }
}

/// Whoever sets a chunk aside unlocks the mutex, unless its design never locked it.
fn unlock(design: Design) -> Option<Step> {
    (!design.sets_aside_without_mutex()).then_some(Step::UnlockChunkStore)
}

fn read(chunk: Chunk, outcome: Outcome) -> Result<(), Refusal> {
    let expected = match (chunk.is_there(), chunk.is_corrupt()) {
        (false, _) => Outcome::NotFound,
        (true, true) => Outcome::Corrupt,
        (true, false) => Outcome::Done,
    };
    if outcome == expected {
        Ok(())
    } else {
        Err(Refusal::found(chunk.is_there()))
    }
}
