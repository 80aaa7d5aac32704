//! What the environment does: it kills processes, and it lets the cutoff pass between two runs.

use crate::ops::gc;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, ChunkAge, End, Next, State};
use specs::Event;
use specs::id::Process;

/// Offers everything that the environment might do.
pub(crate) fn offers(scope: &Scope, state: &State, offer: &mut impl FnMut(Event)) {
    if state.cutoff_passes > 0 {
        offer(Event::CutoffPassed);
    }
    if state.kills > 0 {
        for process in (0..scope.process_count).map(Process) {
            offer(Event::Killed { process });
        }
    }
}

/// SIGKILL ends a process and all its actors; the kernel closes their files, which releases their locks.
pub(crate) fn kill(scope: &Scope, state: &State, process: Process) -> Result<State, Refusal> {
    if state.kills == 0 {
        return Err(Refusal::Exhausted);
    }
    let mut next = *state;
    let mut any = false;
    for actor in scope
        .actors()
        .filter(|actor| scope.process_of(*actor) == process)
    {
        if next.actor(actor).next.is_live() {
            any = true;
            *next.actor_mut(actor) = Actor {
                next: Next::KILLED,
                ..Actor::default()
            };
        }
    }
    if !any {
        return Err(Refusal::Ended);
    }
    next.kills -= 1;
    Ok(next)
}

/// Every chunk becomes older than the cutoff of the next run.
///
/// Only between runs: a run fixes its cutoff when it begins, so time that passes during a run changes
/// nothing for it, and for the next one it is the same as time that passes afterwards.
pub(crate) fn pass_cutoff(scope: &Scope, state: &State) -> Result<State, Refusal> {
    if state.cutoff_passes == 0 {
        return Err(Refusal::Exhausted);
    }
    if scope
        .actors()
        .any(|actor| gc::is_running(scope, state, actor))
    {
        return Err(Refusal::NotAllowed);
    }
    if !state.chunks.contains(&ChunkAge::FRESH) {
        return Err(Refusal::Old);
    }
    let mut next = *state;
    next.cutoff_passes -= 1;
    for chunk in &mut next.chunks {
        if *chunk == ChunkAge::FRESH {
            *chunk = ChunkAge::OLD;
        }
    }
    Ok(next)
}

/// Whether no process was killed.
pub(crate) fn is_calm(scope: &Scope, state: &State) -> bool {
    scope
        .actors()
        .all(|actor| state.actor(actor).next != Next::KILLED)
}

/// Whether an operation has ended with an error.
pub(crate) const fn failed(end: End) -> bool {
    end.0 > End::DONE.0
}
