//! Kill: a process ends by SIGKILL, the kernel lets its locks go, the others finish, and nothing is lost.
//!
//! A sample of the pairs of state and process; `lockstep replay --kill` takes all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::driver::{Driver, Options};
use conformance::edges::kill_paths;
use conformance::expected::expected;
use conformance::notes::{Notes, before, runs};
use conformance::projection::Projected;
use conformance::real_check::{Evidence, Shown, shown};
use conformance::replay::replay_trace_with;
use conformance::world::{SHM, STORE_NAME};
use datastore::ops::gc;
use datastore::{Config, Cx, Datastore, Generation, LinuxSys};
use model::engine::{Graph, Options as Search, explore};
use model::{Scope, State};
use specs::{Design, Event, Property, Scenario};

/// A scenario with kills, and a sample of them.
struct Sample {
    scenario: &'static str,
    /// One of so many pairs is tried.
    every: usize,
    /// The first one that is.
    offset: usize,
    /// What must hold on the real files, whoever was killed.
    invariants: &'static [Property],
    /// Those of them that must still hold after a later collection.
    afterwards: &'static [Property],
    /// Whether an index file is left whatever happens.
    keeps_an_index: bool,
}

const MOVE: Sample = Sample {
    scenario: "one_move_meets_gc_with_kills",
    every: 20,
    offset: 0,
    invariants: &[
        Property::LiveChunkIsNeverSwept,
        Property::SnapshotIsAtExactlyOnePlace,
        Property::OneExclusiveHolderPerLock,
        Property::FinishedOperationHoldsNoLock,
    ],
    afterwards: &[
        Property::LiveChunkIsNeverSwept,
        Property::SnapshotIsAtExactlyOnePlace,
    ],
    keeps_an_index: true,
};

const FORGET: Sample = Sample {
    scenario: "killed_forget_meets_prune",
    every: 1,
    offset: 0,
    invariants: &[
        Property::LiveChunkIsNeverSwept,
        Property::OneExclusiveHolderPerLock,
        Property::FinishedSnapshotIsWhole,
        Property::JobSkipsWhatVanished,
        Property::FinishedOperationHoldsNoLock,
    ],
    afterwards: &[
        Property::LiveChunkIsNeverSwept,
        Property::FinishedSnapshotIsWhole,
    ],
    keeps_an_index: false,
};

const CALLS: Sample = Sample {
    scenario: "killed_change_of_notes_meets_forget_call_by_call",
    every: 3,
    offset: 0,
    invariants: &[
        Property::OneExclusiveHolderPerLock,
        Property::FinishedOperationHoldsNoLock,
    ],
    afterwards: &[],
    keeps_an_index: false,
};

fn graph(scope: &Scope) -> Graph<State, Event> {
    explore(
        scope,
        &Search {
            keep_graph: true,
            ..Search::default()
        },
    )
    .unwrap()
    .graph
    .unwrap()
}

/// A later collection in this very process: it must find nothing in its way, and sweep nothing that is live.
fn collect_afterwards(driver: &mut Driver, keeps_an_index: bool) {
    driver.end().unwrap();
    let world = driver.world();
    let config = Config {
        locks: world.locks().to_owned(),
        generation: Generation::LockFiles,
        ..Config::new(world.store(), STORE_NAME)
    };
    let store = Datastore::open(&LinuxSys, config).unwrap();
    let cx = Cx {
        sys: LinuxSys,
        design: Design::HARDENED,
    };
    let status = gc::run(&cx, &store, &gc::Settings::default()).unwrap();
    assert_eq!(status.missing_chunks, 0);
    assert!(status.index_file_count > 0 || !keeps_an_index);
}

fn every_kill_of(sample: &Sample) {
    let (every, offset) = (sample.every, sample.offset);
    let scenario = Scenario::named(sample.scenario).unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let graph = graph(&scope);
    let ways = kill_paths(&graph);
    let private = tempfile::tempdir_in(SHM).unwrap();
    let options = Options {
        parent: private.path().to_owned(),
        lane: 0,
        ..Options::new(env!("CARGO_BIN_EXE_lockstep"))
    };
    let mut driver = Driver::new(scope.scenario, scope.design, &[], options).unwrap();
    let base = driver.world().store().to_str().unwrap().to_owned();
    let mut tried = 0;
    for way in ways.iter().skip(offset).step_by(every) {
        let edge = |number: u32| &graph.edges[number as usize];
        let trace: Vec<Event> = way.iter().map(|number| edge(*number).action).collect();
        let mut notes = Notes::new(&scope);
        let mut last = Projected::default();
        let wanted = |after: usize| {
            let state = after.checked_sub(1).map_or(0, |event| edge(way[event]).to);
            expected(&scope, &graph.states[state as usize], &base)
        };
        let replayed = replay_trace_with(&mut driver, &trace, wanted, |_, after, seen| {
            notes.note(&trace, after, seen);
            assert_eq!(notes.reliance.conflict(seen), None);
            last.clone_from(seen);
        });
        let counts = replayed.unwrap().unwrap_or_else(|divergence| {
            panic!("{}: {}", divergence.described, divergence.first_difference)
        });
        assert_eq!(counts.steps, trace.len());

        // Nobody holds anything, by the kernel's word.
        assert!(
            last.locks.iter().all(|lock| lock.holders.is_empty()),
            "{:?}",
            last.locks
        );
        assert_eq!(
            (last.unknown_locks, last.gc_slots, last.store_holders.len()),
            (0, 0, 0)
        );
        let runs = runs(&driver, &scope);
        let judge = |driver: &Driver, properties: &[Property]| {
            let evidence = Evidence {
                scenario: scope.scenario,
                design: scope.design,
                world: driver.world(),
                seen: &last,
                notes: &notes,
                runs: &runs,
                before: &before(driver, &scope, &[]),
                waiters: &[],
                refused: None,
            };
            for property in properties {
                assert_eq!(
                    shown(*property, &evidence).unwrap(),
                    Shown::Unbroken,
                    "{}",
                    property.name()
                );
            }
        };
        judge(&driver, sample.invariants);
        collect_afterwards(&mut driver, sample.keeps_an_index);
        judge(&driver, sample.afterwards);
        tried += 1;
    }
    assert_eq!(tried, (ways.len() - offset).div_ceil(every));
    assert!(tried > 10, "{tried} kills");
}

#[test]
fn a_killed_move_or_collection_holds_nothing_and_the_other_one_finishes() {
    every_kill_of(&MOVE);
}

#[test]
fn a_killed_move_or_collection_holds_nothing_and_the_other_one_finishes_in_another_sample() {
    every_kill_of(&Sample { offset: 10, ..MOVE });
}

#[test]
fn a_killed_removal_or_prune_holds_nothing_and_leaves_no_torn_snapshot() {
    every_kill_of(&FORGET);
}

#[test]
fn whoever_is_killed_between_the_calls_that_take_a_lock_holds_nothing() {
    every_kill_of(&CALLS);
}
