//! What the environment does: it kills processes, reloads the daemon, creates the flag file of the old locks, and lets
//! the cutoff pass between two runs.

use crate::journal;
use crate::locks;
use crate::ops::{backup, gc};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, Age, Fixed, Next, State};
use specs::Event;
use specs::id::{self, Process};
use specs::scenario::Flag;

/// Offers everything that the environment might do.
pub(crate) fn offers(scope: &Scope, state: &State, offer: &mut impl FnMut(Event)) {
    if state.cutoff_passes > 0 {
        offer(Event::CutoffPassed);
    }
    if scope.scenario.generations.flag == Flag::Created && state.flag == 0 {
        offer(Event::FlagSet);
    }
    if let (Some((process, _)), 0) = (scope.environment.reload, state.reloaded) {
        offer(Event::Reloaded { process });
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
            if state.actor(actor).held.is_locked(Fixed::JOURNAL) {
                journal::forget_hidden(&mut next);
            }
            if scope.design.keeps_journal_in_memory() && journal::is_that_of(scope, actor) {
                journal::truncate(&mut next);
            }
            *next.actor_mut(actor) = Actor {
                next: Next::KILLED,
                ..Actor::default()
            };
        } else if !locks::holds_nothing(scope, state, actor) {
            // Only a fault lets an operation end with a lock, which goes with its process.
            let ended = state.actor(actor);
            *next.actor_mut(actor) = Actor {
                next: ended.next,
                end: ended.end,
                ..Actor::default()
            };
        }
    }
    if !any {
        return Err(Refusal::Ended);
    }
    next.kills -= 1;
    next.looked = next.looked.without(process.0);
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
    if !state.chunks.iter().any(|chunk| chunk.has_fresh()) {
        return Err(Refusal::Old);
    }
    let mut next = *state;
    next.cutoff_passes -= 1;
    // Only a writer at work can tell a chunk of the time before from one that is older still.
    let mut to = Age::OLD;
    for actor in scope
        .actors()
        .filter(|actor| backup::is_at_work(scope, state, *actor))
    {
        to = Age::MIDDLE;
        backup::grow_old(next.actor_mut(actor));
    }
    for chunk in &mut next.chunks {
        *chunk = chunk.aged(to);
    }
    Ok(next)
}

/// The old process starts its successor, takes no new work, and stops its garbage collection.
pub(crate) fn reload(scope: &Scope, state: &State, process: Process) -> Result<State, Refusal> {
    if state.reloaded != 0 || scope.environment.reload.map(|r| r.0) != Some(process) {
        return Err(Refusal::Exhausted);
    }
    let waits_for_flag =
        scope.scenario.generations.flag == Flag::Created && scope.design.sets_flag_before_reload();
    if waits_for_flag && state.flag == 0 {
        return Err(Refusal::NotAllowed);
    }
    let mut next = *state;
    next.reloaded = 1;
    Ok(next)
}

/// The package script creates the flag file, on the side of the reload that the design says.
pub(crate) fn set_flag(scope: &Scope, state: &State) -> Result<State, Refusal> {
    if scope.scenario.generations.flag != Flag::Created || state.flag != 0 {
        return Err(Refusal::Exhausted);
    }
    let is_early = state.reloaded == 0;
    if scope.environment.reload.is_some() && is_early != scope.design.sets_flag_before_reload() {
        return Err(Refusal::NotAllowed);
    }
    let mut next = *state;
    next.flag = 1;
    Ok(next)
}

/// Whether the process of an actor is shutting down.
pub(crate) fn is_shutting_down(scope: &Scope, state: &State, me: id::Actor) -> bool {
    state.reloaded != 0 && scope.environment.reload.map(|r| r.0) == Some(scope.process_of(me))
}

/// Whether an actor cannot begin yet: its process has not been started, or does another task first.
pub(crate) fn is_to_come(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let is_new = scope.environment.reload.map(|r| r.1) == Some(scope.process_of(me));
    let first = scope.waits_for[usize::from(me.0)];
    is_new && state.reloaded == 0 || first.is_some_and(|first| state.actor(first).next.is_live())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, explore};
    use specs::scenario::{Environment, Task};
    use specs::{Design, Outcome, Scenario};

    /// Whoever writes while the cutoff passes has begun before that, be it the first or the last.
    #[test]
    fn every_backup_at_work_grows_old_when_the_cutoff_passes() {
        let scenario = Scenario::named("gc+backup(a)+backup(b)@time").unwrap();
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let options = Options {
            keep_graph: true,
            ..Options::default()
        };
        let graph = explore(&scope, &options).unwrap().graph.unwrap();
        let writers = |state: &State| -> Vec<id::Actor> {
            let shares = |a: &id::Actor| state.actor(*a).held.is_relied_on(Fixed::STORE_SHARED);
            scope.actors().filter(shares).collect()
        };
        let mut seen = 0;
        for state in &graph.states {
            let Ok(after) = pass_cutoff(&scope, state) else {
                continue;
            };
            let writers = writers(state);
            let old = |a: &id::Actor| backup::has_grown_old(after.actor(*a));
            assert!(writers.iter().all(old));
            seen += u32::from(writers.len() == 2);
        }
        assert!(seen > 0, "two are never at work while it passes");
    }

    #[test]
    fn a_kill_takes_the_journal_in_memory_of_its_own_process_only() {
        let one = *Scenario::named("one_process_moves_and_collects").unwrap();
        let verify = Task::Verify {
            namespace: id::Namespace(1),
            group: id::Group(0),
        };
        let actors = [one.actors, &[(Process(1), verify)]].concat();
        let scenario = Scenario {
            actors: actors.leak(),
            processes: &["proxy", "other"],
            environment: Environment {
                kills: 1,
                ..one.environment
            },
            ..one
        };
        let design: Design = "upstream+journal_in_memory".parse().unwrap();
        let scope = Scope::new(Box::leak(Box::new(scenario)), design, &[]);
        let moves = |a: &id::Actor| matches!(scope.task_of(*a), Task::MoveGroup { .. });
        let mover = scope.actors().find(moves).unwrap();
        let mut state = scope.start();
        while journal::len(&state) == 0 {
            let mut next = None;
            scope.successors(&state, &mut |event, after| {
                let goes_on = matches!(event, Event::Step { actor, outcome: Outcome::Done, .. } if actor == mover);
                next = next.or(goes_on.then_some(after));
            });
            state = next.unwrap();
        }
        let lines = |process| journal::len(&kill(&scope, &state, Process(process)).unwrap());
        assert_eq!((lines(1), lines(0)), (1, 0));
    }
}
