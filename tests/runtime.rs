//! The runtime of the replay by itself: what operations do unguided is recorded, and then driven step by step.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

#[path = "runtime/faults.rs"]
mod faults;

use conformance::driver::{Driver, Options};
use conformance::errand::{Ended, Errand};
use conformance::notes::Notes;
use conformance::observer::Waiter;
use conformance::projection::{ChunkFile, Holder, Lock, Projected, StoreHolder};
use conformance::real_check::{Evidence, Shown, shown};
use conformance::recording_sys::{Recording, RecordingSys, SharedRecording};
use conformance::replay::{Divergence, replay_trace};
use conformance::wire::Stands;
use conformance::world::{SHM, STORE_NAME, World};
use datastore::{Config, Cx, Datastore, Generation, LinuxSys};
use model::Scope;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use specs::id::{Actor, Group as GroupId, Namespace, Process};
use specs::mutant::Fault;
use specs::ops::move_group::Step as Move;
use specs::ops::take_lock::Step as Take;
use specs::scenario::Limits;
use specs::{Cut, Design, Event, Id, Outcome, Property, Scenario, ToLabel as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Tests of one process run beside each other: each driver has a lane of its own.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(100);
    NEXT.fetch_add(2, Ordering::Relaxed)
}

fn options() -> Options {
    Options {
        lane: lane(),
        ..Options::new(env!("CARGO_BIN_EXE_lockstep"))
    }
}

fn scenario(name: &str) -> &'static Scenario {
    Scenario::named(name).unwrap()
}

const LIMITS: Limits = Limits::PUBLISHED;

fn driver(scenario: &Scenario, faults: &[Fault]) -> Driver {
    Driver::new(scenario, Design::HARDENED, faults, options()).unwrap()
}

/// What the given actors do one after the other, unguided.
fn record(scenario: &Scenario, actors: &[u8]) -> Vec<Event> {
    let world = World::create(Path::new(SHM), scenario).unwrap();
    let ids: BTreeMap<String, Id> = scenario
        .all_ids()
        .into_iter()
        .map(|id| (scenario.path(id), id))
        .collect();
    let mut events = Vec::new();
    for actor in actors {
        let recording = record_one(
            &world,
            &Errand::of(scenario, scenario.actors[usize::from(*actor)].1),
        );
        assert_eq!(recording.outside.len(), 0, "{:?}", recording.outside);
        for step in recording.steps {
            let argument = step
                .label
                .split_once('(')
                .map(|(_, rest)| rest.trim_end_matches(')'));
            let id = argument.map_or(Id::Prefix, |path| {
                *ids.get(path)
                    .unwrap_or_else(|| panic!("{path:?} of {} is no id", step.label))
            });
            events.push(Event::Step {
                actor: Actor(*actor),
                label: step.kind.of(id),
                outcome: step.outcome.unwrap(),
            });
        }
    }
    events
}

fn record_one(world: &World, task: &Errand) -> Recording {
    let recording = SharedRecording::default();
    let config = Config {
        locks: world.locks().to_owned(),
        generation: Generation::LockFiles,
        ..Config::new(world.store(), STORE_NAME)
    };
    let quiet = RecordingSys::new(LinuxSys, SharedRecording::default());
    let store = Datastore::open(&quiet, config).unwrap();
    let cx = Cx {
        sys: RecordingSys::new(LinuxSys, recording.clone()),
        design: Design::HARDENED,
    };
    let mut runs = Vec::new();
    task.run(&cx, &store, LIMITS, &|| false, |ended| runs.push(ended));
    assert_eq!(runs, [Ended::Done]);
    recording.snapshot()
}

/// What is seen after each event, starting with none.
fn watch(driver: &mut Driver, trace: &[Event]) -> Vec<Projected> {
    driver.begin(trace).unwrap();
    let mut all = Vec::new();
    for after in 0..=trace.len() {
        if let Some(at) = after.checked_sub(1) {
            let seen = driver.step(at).unwrap();
            if let Event::Step { outcome, .. } = trace[at] {
                assert_eq!(
                    seen.outcome,
                    Some(outcome),
                    "{}: {seen:?}",
                    driver.describe(at)
                );
            }
        }
        let mut now = Projected::default();
        driver.observe(&mut now).unwrap();
        all.push(now);
    }
    all
}

fn files(state: &Projected) -> Vec<ChunkFile> {
    state.chunks.iter().map(|chunk| chunk.file).collect()
}

fn label(event: &Event) -> String {
    match event {
        Event::Step { label, .. } | Event::Reached { label, .. } => label.step.name().to_owned(),
        Event::Killed { .. } | Event::Reloaded { .. } | Event::FlagSet | Event::CutoffPassed => {
            String::new()
        }
    }
}

fn position(trace: &[Event], actor: u8, name: &str) -> usize {
    let is_it =
        |e: &Event| matches!(e, Event::Step { actor: a, .. } if a.0 == actor) && label(e) == name;
    trace
        .iter()
        .position(is_it)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_move_and_then_a_collection_are_driven_step_by_step() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1, 0]);
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    let start = &states[0];
    assert_eq!(
        (
            start.snapshots[0],
            start.indexes[0],
            start.groups[0],
            start.owners[0]
        ),
        (2, 2, 2, 2)
    );
    assert_eq!(files(start), [ChunkFile::Old; 2]);
    assert_eq!(start.journal, None);

    let source = Lock::Group(Namespace(1), GroupId(0));
    let lock =
        |state: &Projected, lock| state.locks.iter().find(|l| l.lock == lock).unwrap().clone();
    let held = lock(
        &states[position(&trace, 1, "lock_source_group") + 1],
        source,
    );
    assert_eq!(
        held.holders,
        [Holder {
            process: Process(1),
            is_at_path: true,
            is_shared: false
        }]
    );
    let unlinked = lock(
        &states[position(&trace, 1, "unlink_source_group_lock") + 1],
        source,
    );
    assert!(!unlinked.has_file);
    assert_eq!(
        unlinked.holders,
        [Holder {
            process: Process(1),
            is_at_path: false,
            is_shared: false
        }]
    );

    let appended = &states[position(&trace, 1, "append_journal") + 1];
    let index = driver
        .world()
        .store()
        .join(scenario.path(Id::Index(Namespace(2), specs::id::Index(0))));
    assert_eq!(
        appended.journal,
        Some(format!("{}\n", index.display()).into_bytes())
    );

    let locked = &states[position(&trace, 0, "lock_store") + 1];
    assert_eq!(
        (locked.gc_slots, &locked.store_holders),
        (
            1,
            &vec![StoreHolder {
                process: Process(0),
                is_shared: false
            }]
        )
    );
    let end = states.last().unwrap();
    assert_eq!(
        (
            end.snapshots[0],
            end.groups[0],
            end.gc_slots,
            end.ends.ended
        ),
        (4, 4, 0, 3)
    );
    assert_eq!(files(end), [ChunkFile::Fresh, ChunkFile::Missing]);
    assert!(end.store_holders.is_empty() && end.locks.iter().all(|l| l.holders.is_empty()));
    assert_eq!(driver.runs(Actor(0)), [Ended::Done]);
    assert_eq!(
        driver.strangers().unwrap(),
        Vec::<std::path::PathBuf>::new()
    );

    // The same again on the same lane: the reset restores the start.
    assert_eq!(watch(&mut driver, &trace), states);
}

#[test]
fn a_corrupted_field_is_a_divergence_at_its_step() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1, 0]);
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    for (n, field) in Projected::FIELDS.iter().enumerate() {
        // Where there is something of that kind, each field at another step if need be.
        let later = (2 + 5 * n..).map(|at| 1 + at % trace.len());
        let mut later = later.take(trace.len());
        let bad = later.find(|at| states[*at].clone().corrupt(field)).unwrap();
        let result = replay_trace(&mut driver, &trace, |after| {
            let mut state = states[after].clone();
            if after == bad {
                assert!(state.corrupt(field));
            }
            state
        });
        let divergence = result.unwrap().unwrap_err();
        assert_eq!(divergence.step, bad - 1, "{field}");
        assert!(
            divergence.first_difference.starts_with(field),
            "{field}: {divergence:?}"
        );
    }
}

#[test]
fn a_wrong_label_or_outcome_is_a_divergence_and_the_lane_goes_on() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    let mut diverges = |trace: &[Event]| -> Divergence {
        replay_trace(&mut driver, trace, |after| states[after].clone())
            .unwrap()
            .unwrap_err()
    };

    let mut swapped = trace.clone();
    swapped.swap(4, 5);
    let divergence = diverges(&swapped);
    assert_eq!(divergence.step, 4);
    assert!(
        divergence.first_difference.starts_with("label"),
        "{divergence:?}"
    );

    let mut other = trace.clone();
    if let Event::Step { outcome, .. } = &mut other[0] {
        *outcome = Outcome::WouldBlock;
    }
    let divergence = diverges(&other);
    assert_eq!(
        (divergence.step, divergence.first_difference.as_str()),
        (0, "outcome: expected WouldBlock, saw Done")
    );

    let mut longer = trace.clone();
    longer.push(trace[0]);
    let divergence = diverges(&longer);
    assert_eq!(divergence.step, trace.len());
    assert!(
        divergence.first_difference.contains("has ended"),
        "{divergence:?}"
    );

    assert!(
        replay_trace(&mut driver, &trace, |after| states[after].clone())
            .unwrap()
            .is_ok()
    );
}

#[test]
fn the_kernel_releases_the_locks_of_a_killed_process_and_the_next_trace_has_a_new_one() {
    let scenario = scenario("one_move_meets_gc");
    let mut trace = record(scenario, &[1]);
    trace.truncate(8);
    trace.push(Event::Killed {
        process: Process(1),
    });
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    let holders = |state: &Projected| state.locks.iter().map(|l| l.holders.len()).sum::<usize>();
    assert_ne!(holders(&states[8]), 0);
    assert_eq!(holders(&states[9]), 0);
    assert_eq!(watch(&mut driver, &trace), states);
}

#[test]
fn an_actor_that_stands_elsewhere_says_before_which_step() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let mut driver = driver(scenario, &[]);
    driver.begin(&trace[..2]).unwrap();
    driver.step(0).unwrap();
    let seen = driver.step(1).unwrap();
    let next = trace[2];
    let Event::Step { label, .. } = next else {
        panic!("{next:?}")
    };
    assert_eq!(
        seen.stands,
        Some(Stands::Behind(
            label.map(|id| scenario.path(id)).to_string()
        ))
    );
}

#[test]
fn two_runs_of_one_process_with_the_cutoff_between_them() {
    let scenario = scenario("one_process_moves_and_collects");
    let mut trace = record(scenario, &[1, 0]);
    trace.push(Event::CutoffPassed);
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    let [.., before, after] = states.as_slice() else {
        panic!("{states:?}")
    };
    assert_eq!(files(before), [ChunkFile::Fresh, ChunkFile::Missing]);
    assert_eq!(files(after), [ChunkFile::Old, ChunkFile::Missing]);
    assert_eq!(watch(&mut driver, &trace), states);
}

#[test]
fn a_file_that_nobody_expects_is_a_divergence_at_the_end() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    let stray = driver.world().locks().join("store/b/vm-100.tmp_abc");
    let result = replay_trace(&mut driver, &trace, |after| {
        if after == trace.len() {
            std::fs::write(&stray, "").unwrap();
        }
        states[after].clone()
    });
    let divergence = result.unwrap().unwrap_err();
    assert_eq!((divergence.step, divergence.event), (trace.len(), None));
    assert_eq!(
        divergence.first_difference,
        "unaccounted: nobody expects locks/store/b/vm-100.tmp_abc"
    );
    assert!(
        replay_trace(&mut driver, &trace, |after| states[after].clone())
            .unwrap()
            .is_ok()
    );
}

#[test]
fn a_file_that_was_written_to_is_a_divergence_at_the_end() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let mut driver = driver(scenario, &[]);
    let states = watch(&mut driver, &trace);
    let owner = driver.world().store().join("ns/b/vm/100/owner");
    let result = replay_trace(&mut driver, &trace, |after| {
        if after == trace.len() {
            std::fs::write(&owner, "").unwrap();
        }
        states[after].clone()
    });
    let divergence = result.unwrap().unwrap_err();
    let difference = "contents: ns/b/vm/100/owner is not what it was at the start";
    assert_eq!(divergence.first_difference, difference);
    // Even a file of the start tree is as it was in the next trace.
    driver.begin(&trace).unwrap();
    let owner = driver.world().store().join("ns/a/vm/100/owner");
    std::fs::write(&owner, "").unwrap();
    assert_eq!(driver.altered().unwrap(), [Path::new("ns/a/vm/100/owner")]);
    assert!(
        replay_trace(&mut driver, &trace, |after| states[after].clone())
            .unwrap()
            .is_ok()
    );
}

#[test]
fn an_actor_that_does_not_answer_is_an_error_that_names_its_step() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let patience = Duration::from_secs(2);
    let options = Options {
        patience,
        ..options()
    };
    let mut driver = Driver::new(scenario, Design::HARDENED, &[], options).unwrap();
    let states = watch(&mut driver, &trace);
    driver.begin(&trace).unwrap();
    driver.step(0).unwrap();
    let pid = Pid::from_raw(driver.pid(Process(1)).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
    let error = format!("{:#}", driver.step(1).unwrap_err());
    assert!(
        error.starts_with("step 2 of the trace, move_group.check_move by actor 1 in process other"),
        "{error}"
    );
    assert!(
        error.ends_with("the actor does not answer within 2s"),
        "{error}"
    );
    // The next trace has new workers and a tree at its start.
    assert_eq!(watch(&mut driver, &trace), states);
}

#[test]
fn a_worker_that_cannot_be_started_is_an_error_at_once() {
    let scenario = scenario("one_move_meets_gc");
    let options = Options {
        worker: "/bin/false".into(),
        ..options()
    };
    let mut driver = Driver::new(scenario, Design::HARDENED, &[], options).unwrap();
    let error = driver.begin(&[]).unwrap_err().to_string();
    assert!(
        error.starts_with("worker /bin/false ended at its start"),
        "{error}"
    );
}

#[test]
fn nothing_is_left_behind() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let mut driver = driver(scenario, &[]);
    watch(&mut driver, &trace);
    let root = driver.world().root().to_owned();
    let pid = Pid::from_raw(driver.pid(Process(0)).unwrap());
    drop(driver);
    assert!(!root.exists());
    assert_eq!(kill(pid, None), Err(nix::errno::Errno::ESRCH));
}
