//! That what comes after asks what it says: both ways of dying, and every operation.

use super::{DEATHS, Wrong, is_usable, only_good_end, tried};
use crate::engine::{self, Options};
use crate::scope::Scope;
use crate::state::{End, State};
use specs::design::Change;
use specs::id::Process;
use specs::scenario::{Generations, Task};
use specs::scenarios::SCENARIOS;
use specs::{Design, Scenario, id};

fn states(scenario: &str, design: Design) -> (Scope, Vec<State>) {
    let scope = Scope::new(Scenario::named(scenario).unwrap(), design, &[]);
    let options = Options {
        keep_graph: true,
        ..Options::default()
    };
    let graph = engine::explore(&scope, &options).unwrap().graph.unwrap();
    (scope, graph.states)
}

/// A reboot empties the tmpfs, and with it the journal whose torn line keeps every collection from ending.
#[test]
fn what_only_a_kill_leaves_unusable_is_not_usable() {
    let design = Design::HARDENED.without(Change::MendsTornTail);
    let (scope, states) = states("two_moves_meet_full_tmpfs", design);
    let mut seen = 0;
    for state in &states {
        let works = tried(&scope, state).map(|tried| tried.failure.is_none());
        assert_eq!(is_usable(&scope, state), works == [true, true]);
        seen += u32::from(works == [false, true]);
    }
    assert!(seen > 0, "a reboot mends what a kill leaves, in no state");
}

#[test]
fn a_move_that_is_half_done_is_repeated_after_each_death() {
    let (scope, states) = states("second_batch_meets_busy_snapshot", Design::HARDENED);
    let moves = |task: &Task| matches!(task, Task::MoveGroup { .. });
    let mover = scope.tasks.iter().copied().find(moves).unwrap();
    let Task::MoveGroup { source, target, .. } = mover else {
        panic!("{mover:?} is no move")
    };
    let is_half = |state: &&State| {
        let at = |n: u8| state.snapshots.iter().any(|places| places.has(n));
        at(source.0) && at(target.0)
    };
    let half: Vec<&State> = states.iter().filter(is_half).collect();
    assert!(!half.is_empty());
    for state in half {
        let after = tried(&scope, state);
        assert_eq!(after.len(), DEATHS.len());
        for tried in after {
            let repeated = tried.tasks.iter().filter(|(task, _)| moves(task)).count();
            assert!(repeated > 0, "{:?}", tried.tasks);
        }
    }
}

/// Whoever comes after all have died is a process of its own: what it tries, and how it locks, does not depend on who of them
/// came first. Only moves and deletions are repeated in the order of their actors.
#[test]
fn what_is_tried_does_not_depend_on_the_order_of_those_that_have_died() {
    let repeated = |scenario: &&Scenario| {
        let tasks = scenario.actors.iter().map(|(_, task)| task);
        let is_repeated =
            |task: &&Task| matches!(task, Task::MoveGroup { .. } | Task::DeleteNamespace { .. });
        tasks.filter(is_repeated).count()
    };
    let mut old = 0;
    for scenario in SCENARIOS.iter().filter(|it| repeated(it) < 2) {
        for process in (0..).map(Process).take(scenario.processes.len()) {
            let generations = Generations {
                old: vec![process].leak(),
                ..scenario.generations
            };
            let in_order = |actors: Vec<(Process, Task)>| -> &Scenario {
                Box::leak(Box::new(Scenario {
                    actors: actors.leak(),
                    generations,
                    ..*scenario
                }))
            };
            let mut actors = scenario.actors.to_vec();
            let scenarios = [in_order(actors.clone()), {
                actors.reverse();
                in_order(actors)
            }];
            let tried = scenarios.map(|scenario| {
                let scope = Scope::new(scenario, Design::HARDENED, &[]);
                tried(&scope, &scope.start()).map(|tried| {
                    let all = tried.tasks.iter();
                    let mut tasks: Vec<String> = all.map(|task| format!("{task:?}")).collect();
                    tasks.sort();
                    (tasks, tried.failure.is_some())
                })
            });
            assert_eq!(tried[0], tried[1], "{}", scenario.name);
            old += 1;
        }
    }
    assert!(old > 100, "{old} questions with an old process");
}

/// Each of these is among what is done, in the order in which somebody who cleans up would do it.
#[test]
fn a_collection_comes_first_and_last() {
    let (scope, states) = states("one_move_meets_gc", Design::HARDENED);
    for state in &states {
        for tried in tried(&scope, state) {
            let is_gc = |task: Option<&(Task, _)>| matches!(task, Some((Task::Gc { .. }, _)));
            assert!(is_gc(tried.tasks.first()) && is_gc(tried.tasks.last()));
            let backups = |task: &&(Task, _)| matches!(task.0, Task::Backup { .. });
            assert!(tried.tasks.iter().filter(backups).count() > 0);
        }
    }
}

/// No operation of ours ends in two ways when it is alone, so only made-up endings can show that each is looked at.
#[test]
fn every_way_in_which_an_operation_ends_is_looked_at() {
    let me = id::Actor(0);
    let ended = |end: End, kills: u8| {
        let mut state = State {
            kills,
            ..State::default()
        };
        state.actor_mut(me).end = end;
        state
    };
    let (good, also, bad) = (
        ended(End::DONE, 0),
        ended(End::DONE, 1),
        ended(End::BUSY, 0),
    );
    assert_eq!(only_good_end(&[good], me), Ok(good));
    assert_eq!(only_good_end(&[good, also], me), Err(Wrong::Undecided));
    assert_eq!(only_good_end(&[], me), Err(Wrong::Undecided));
    for ends in [&[bad][..], &[good, bad], &[bad, good]] {
        assert_eq!(only_good_end(ends, me), Err(Wrong::Ended(End::BUSY)));
    }
}
