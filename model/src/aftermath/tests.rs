//! That what comes after asks what it says: both ways of dying, and every operation.

use super::{DEATHS, Wrong, is_usable, only_good_end, tried};
use crate::engine::{self, Options};
use crate::scope::Scope;
use crate::state::{End, State};
use specs::design::Change;
use specs::scenario::Task;
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
