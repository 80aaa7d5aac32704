//! Replay on real processes, files and locks: every edge is taken, and whatever is made wrong is seen at its step.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

#[path = "replay/calls.rs"]
mod calls;
#[path = "replay/confirmed.rs"]
mod confirmed;
#[path = "replay/disturbed.rs"]
mod disturbed;
#[path = "replay/judged.rs"]
mod judged;
#[path = "replay/real_tree.rs"]
mod real_tree;
#[path = "replay/two_values.rs"]
mod two_values;

use conformance::driver::{Driver, Options};
use conformance::edges::{Progress, replay_edges};
use conformance::expected::expected;
use conformance::projection::Projected;
use conformance::record::Verdict;
use conformance::replay::{Divergence, Plan, Report, replay_all, replay_trace};
use conformance::report::TraceFile;
use conformance::traces::cover;
use conformance::world::SHM;
use model::engine::{self, Graph, explore};
use model::{Scope, State};
use specs::mutant::Fault;
use specs::ops::move_group::Step as Move;
use specs::{Design, Event, Outcome, Property, Scenario, Step};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

/// The graph of a scenario and paths that take every edge of it.
struct Covered {
    scope: Scope,
    graph: Graph<State, Event>,
    paths: Vec<Vec<u32>>,
}

impl Covered {
    fn new(scenario: &str, design: Design) -> Self {
        Self::of(Scope::new(Scenario::named(scenario).unwrap(), design, &[]))
    }

    fn of(scope: Scope) -> Self {
        let options = engine::Options {
            keep_graph: true,
            ..engine::Options::default()
        };
        let exploration = explore(&scope, &options).unwrap();
        let graph = exploration.graph.unwrap();
        assert_eq!(graph.edges.len() as u64, exploration.record.edges);
        let paths = cover(&graph, |_| true).unwrap();
        Self {
            scope,
            graph,
            paths,
        }
    }

    fn trace(&self, path: &[u32]) -> Vec<Event> {
        path.iter()
            .map(|edge| self.graph.edges[*edge as usize].action)
            .collect()
    }

    fn traces(&self) -> Vec<Vec<Event>> {
        self.paths.iter().map(|path| self.trace(path)).collect()
    }

    /// The longest of the paths: the one on which most happens.
    fn longest(&self) -> &[u32] {
        self.paths.iter().max_by_key(|path| path.len()).unwrap()
    }

    fn expected(&self, path: &[u32], after: usize, base: &Path) -> Projected {
        let state = after
            .checked_sub(1)
            .map_or(0, |last| self.graph.edges[path[last] as usize].to);
        expected(
            &self.scope,
            &self.graph.states[state as usize],
            base.to_str().unwrap(),
        )
    }

    fn replay(&self, parent: &Path, lanes: usize) -> Report {
        let plan = Plan {
            scenario: self.scope.scenario,
            design: self.scope.design,
            faults: Vec::new(),
            options: options(parent),
            lanes,
        };
        let expect = |base: &Path, trace: usize, after: usize| {
            self.expected(&self.paths[trace], after, base)
        };
        replay_all(&plan, &self.traces(), expect, None, |_| {}).unwrap()
    }

    fn driver(&self, parent: &Path, faults: &[Fault]) -> Driver {
        Driver::new(
            self.scope.scenario,
            self.scope.design,
            faults,
            options(parent),
        )
        .unwrap()
    }
}

fn private() -> TempDir {
    tempfile::tempdir_in(SHM).unwrap()
}

fn options(parent: &Path) -> Options {
    Options {
        parent: parent.to_owned(),
        ..Options::new(LOCKSTEP)
    }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

/// Edges that lie on a path, once it is certain that each path is one: from the start, without a gap, to a new edge.
fn edges_on_paths(covered: &Covered) -> usize {
    let mut taken = vec![false; covered.graph.edges.len()];
    for path in &covered.paths {
        let mut at = 0;
        assert!(
            !taken[path[path.len() - 1] as usize],
            "a path goes on although nothing new comes"
        );
        for number in path {
            let edge = &covered.graph.edges[*number as usize];
            assert_eq!(edge.from, at);
            at = edge.to;
            taken[*number as usize] = true;
        }
    }
    taken.into_iter().filter(|taken| *taken).count()
}

fn every_edge_is_replayed(scenario: &str, design: Design) {
    let report = every_edge_is_replayed_without_lock_files(scenario, design);
    assert!(report.counts.locks_witnessed > 0);
}

/// The same for a scenario whose locks the kernel does not know.
fn every_edge_is_replayed_without_lock_files(scenario: &str, design: Design) -> Report {
    replays_every_edge(&Covered::new(scenario, design))
}

fn replays_every_edge(covered: &Covered) -> Report {
    assert_eq!(edges_on_paths(covered), covered.graph.edges.len());
    let parent = private();
    let report = covered.replay(parent.path(), 2);
    assert_eq!(report.divergence, None);
    assert_eq!(report.counts.traces, covered.paths.len());
    assert_eq!(
        report.counts.steps,
        covered.paths.iter().map(Vec::len).sum::<usize>()
    );
    assert!(report.counts.compared_fields > report.counts.steps);
    assert!(is_empty(parent.path()), "something is left behind");
    report
}

#[test]
fn two_moves_cross_on_every_edge() {
    every_edge_is_replayed("two_moves_cross", Design::HARDENED);
}

#[test]
fn move_meets_busy_snapshot_on_every_edge() {
    every_edge_is_replayed("move_meets_busy_snapshot", Design::HARDENED);
}

#[test]
fn move_out_of_the_root_meets_gc_on_every_edge_of_the_published_design() {
    every_edge_is_replayed("move_out_of_the_root_meets_gc", Design::UPSTREAM);
}

#[test]
fn notes_meet_verify_and_forget_on_every_edge() {
    every_edge_is_replayed("notes_meet_verify_and_forget", Design::HARDENED);
}

#[test]
fn verify_meets_move_on_every_edge_of_the_published_design() {
    every_edge_is_replayed("verify_meets_move", Design::UPSTREAM);
}

#[test]
fn aborted_backup_meets_verify_on_every_edge() {
    every_edge_is_replayed("aborted_backup_meets_verify", Design::HARDENED);
}

#[test]
fn backup_finds_no_inode_and_meets_verify_on_every_edge() {
    every_edge_is_replayed("backup_finds_no_inode_and_meets_verify", Design::HARDENED);
}

#[test]
fn backup_meets_reload_on_every_edge() {
    every_edge_is_replayed("backup_meets_reload", Design::HARDENED);
}

#[test]
fn insert_meets_set_aside_on_every_edge_of_the_published_design() {
    every_edge_is_replayed_without_lock_files("insert_meets_set_aside", Design::UPSTREAM);
}

/// A trace with one wrong event, or one wrong expectation.
fn diverges(
    covered: &Covered,
    driver: &mut Driver,
    trace: &[Event],
    mut spoil: impl FnMut(usize, &mut Projected),
) -> Divergence {
    let base = driver.world().store().to_owned();
    let path = covered.longest();
    let expect = |after: usize| {
        let mut wanted = covered.expected(path, after, &base);
        spoil(after, &mut wanted);
        wanted
    };
    replay_trace(driver, trace, expect)
        .unwrap()
        .expect_err("nothing was noticed")
}

/// Each field is corrupted after three of the steps where it can be.
fn corrupts_every_field(scenario: &str) {
    let covered = Covered::new(scenario, Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let parent = private();
    let mut driver = covered.driver(parent.path(), &[]);
    for (n, field) in Projected::FIELDS.iter().enumerate() {
        let can_be = |after: &usize| {
            let path = covered.longest();
            let mut wanted = covered.expected(path, *after, Path::new("/"));
            wanted.corrupt(field)
        };
        let steps: Vec<usize> = (1..=trace.len()).filter(can_be).collect();
        let count = steps.len();
        assert!(count > 2, "{scenario} has {field} after {count} steps");
        for bad in [
            steps[n % count],
            steps[(count / 2 + n) % count],
            steps[count - 1 - n % count],
        ] {
            let divergence = diverges(&covered, &mut driver, &trace, |after, wanted| {
                if after == bad {
                    assert!(wanted.corrupt(field), "{field}");
                }
            });
            assert_eq!(divergence.step, bad - 1, "{field}");
            assert_eq!(divergence.event, Some(trace[bad - 1]));
            let named = divergence
                .first_difference
                .split([':', '['])
                .next()
                .unwrap();
            assert_eq!(named, *field, "{}", divergence.first_difference);
        }
    }
}

#[test]
fn a_corrupted_field_is_a_divergence_at_its_step_that_names_it() {
    corrupts_every_field("move_merges_meets_gc");
}

#[test]
fn a_corrupted_field_is_a_divergence_in_a_scenario_of_backups_as_well() {
    corrupts_every_field("backup_meets_forget_of_the_last_snapshot");
}

/// An outcome of the row that the step did not have, and that is not up to the environment.
fn other_outcome(step: Step, outcome: Outcome) -> Option<Outcome> {
    let is_other = |other: &Outcome| *other != outcome && !matches!(other, Outcome::NoSpace(_));
    step.row().outcomes.iter().copied().find(is_other)
}

#[test]
fn a_wrong_outcome_is_a_divergence_at_its_step() {
    let covered = Covered::new("one_move_meets_gc", Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let parent = private();
    let mut driver = covered.driver(parent.path(), &[]);
    let mut tried = 0;
    for bad in 0..trace.len() {
        let mut spoilt = trace.clone();
        let Event::Step { label, outcome, .. } = &mut spoilt[bad] else {
            continue;
        };
        let Some(other) = other_outcome(label.step, *outcome) else {
            continue;
        };
        let seen = std::mem::replace(outcome, other);
        let divergence = diverges(&covered, &mut driver, &spoilt, |_, _| {});
        assert_eq!(divergence.step, bad, "{}", divergence.first_difference);
        assert_eq!(
            divergence.first_difference,
            format!("outcome: expected {other:?}, saw {seen:?}")
        );
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn a_wrong_label_is_a_divergence_at_its_step() {
    let covered = Covered::new("one_move_meets_gc", Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let parent = private();
    let mut driver = covered.driver(parent.path(), &[]);
    for bad in 0..trace.len() {
        let Event::Step { actor, label, .. } = trace[bad] else {
            continue;
        };
        // Another step of the same actor, in its place.
        let other = trace.iter().find_map(|event| match event {
            Event::Step {
                actor: whose,
                label: other,
                ..
            } if *whose == actor && *other != label => Some(*other),
            Event::Step { .. }
            | Event::Reached { .. }
            | Event::Killed { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => None,
        });
        let mut spoilt = trace.clone();
        let Event::Step { label, .. } = &mut spoilt[bad] else {
            continue;
        };
        *label = other.unwrap();
        let divergence = diverges(&covered, &mut driver, &spoilt, |_, _| {});
        assert_eq!(divergence.step, bad, "{}", divergence.first_difference);
        assert!(
            divergence.first_difference.starts_with("label: "),
            "{}",
            divergence.first_difference
        );
    }
}

#[test]
fn a_failure_fails_the_same_way_again() {
    let covered = Covered::new("one_move_meets_gc", Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let parent = private();
    // The implementation does not unlock; the model knows nothing of that.
    let fault = Fault::Skip(Step::MoveGroup(Move::UnlockTargetGroup));
    let mut driver = covered.driver(parent.path(), &[fault]);
    let first = diverges(&covered, &mut driver, &trace, |_, _| {});
    assert!(
        first.first_difference.starts_with("lock_holders"),
        "{}",
        first.first_difference
    );
    assert_eq!(diverges(&covered, &mut driver, &trace, |_, _| {}), first);
    drop(driver);
    let mut fresh = covered.driver(parent.path(), &[fault]);
    assert_eq!(diverges(&covered, &mut fresh, &trace, |_, _| {}), first);
}

fn lockstep(arguments: &[&str], parent: &Path) -> Command {
    let mut command = Command::new(LOCKSTEP);
    command
        .args(arguments)
        .arg("--quiet")
        .arg("--lock-dir")
        .arg(parent);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
fn a_trace_without_an_event_or_with_an_impossible_one_is_no_success() {
    let covered = Covered::new("one_move_meets_gc", Design::HARDENED);
    let property = Property::LiveChunkIsNeverSwept.name();
    let whole = covered.trace(covered.longest());
    let impossible = [&whole[..3], &whole[..3]].concat();
    let parent = private();
    let file = parent.path().join("trace.json");
    for events in [&[][..], &impossible] {
        let trace = TraceFile::new(&covered.scope, None, property, events);
        std::fs::write(&file, serde_json::to_vec(&trace).unwrap()).unwrap();
        let status = lockstep(
            &["replay", "--trace", file.to_str().unwrap()],
            parent.path(),
        )
        .status()
        .unwrap();
        assert!(!status.success(), "{} events: {status}", events.len());
    }
}

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize, _: usize) {}
    fn done(&self, _: usize) {}
}

#[test]
fn a_scenario_in_which_nothing_happens_is_no_success() {
    let nobody = Scenario {
        actors: &[],
        ..*Scenario::named("one_move_meets_gc").unwrap()
    };
    let scenario: &'static Scenario = Box::leak(Box::new(nobody));
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let parent = private();
    let plan = Plan {
        scenario,
        design: Design::HARDENED,
        faults: Vec::new(),
        options: options(parent.path()),
        lanes: 1,
    };
    // An error is as good as a verdict that is not green.
    if let Ok(replay) = replay_edges(&scope, &plan, 1, None, &Silent) {
        assert_ne!(
            replay.run.verdict,
            Verdict::Holds,
            "{} edges replayed",
            replay.edges_replayed
        );
    }
}

#[test]
fn what_a_killed_driver_left_is_removed_at_the_next_start() {
    let parent = private();
    let mut driver = lockstep(&["replay", "one_move_meets_gc"], parent.path())
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while is_empty(parent.path()) {
        assert!(
            driver.try_wait().unwrap().is_none(),
            "the driver has ended by itself"
        );
        assert!(Instant::now() < patience, "the driver makes no directory");
        std::thread::yield_now();
    }
    driver.kill().unwrap();
    driver.wait().unwrap();
    assert!(!is_empty(parent.path()), "nothing was left behind");

    let status = lockstep(&["replay", "two_moves_cross"], parent.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    assert!(is_empty(parent.path()), "something is left behind");
}
