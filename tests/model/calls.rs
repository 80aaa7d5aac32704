//! Locks that are taken in their calls, in every scenario: what a step that takes them at once would hide.

use super::{PUBLISHED_AND_MENDED, row_name, rows, search, with_graph};
use conformance::expected::expected;
use model::Scope;
use model::engine::Options;
use model::locks::{self, Name};
use model::state::{Numbers, State};
use model::verdict::{Completeness, Expected, Record};
use specs::scenario::Generations;
use specs::scenarios::SCENARIOS;
use specs::{Design, Event, Outcome, Scenario, Stage, Step};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

/// Scenarios with more states than this are too large to be explored once more by a test.
const LARGE: u64 = 100_000;

/// The same scope with locks taken in their calls.
fn split(scope: &Scope) -> Scope {
    let mut split = scope.clone();
    split.splits_locks = true;
    split
}

fn record(scope: &Scope) -> Record<State, Event> {
    let options = Options {
        threads: 2,
        max_states: Some(LARGE),
        ..Options::default()
    };
    search(scope, &options).record
}

/// What is said of each property, and how many deadlocks there are.
fn verdicts(record: &Record<State, Event>) -> Vec<(&'static str, bool)> {
    // What a scenario does not put to the test it may break in its calls only: a lock that vanishes ends a published operation.
    let hits = record.properties.iter();
    let hits = hits.filter(|property| property.expected != Expected::Kept);
    let hits = hits.map(|property| (property.name, property.hits > 0));
    hits.chain([("deadlock", record.deadlocks.count > 0)])
        .collect()
}

/// The scenarios that are explored, with every lock taken in one step.
fn wholes(design: Design) -> impl Iterator<Item = (&'static Scenario, Scope)> {
    let checked = SCENARIOS.iter().filter(|scenario| scenario.runs.check);
    checked.map(move |scenario| (scenario, Scope::new(scenario, design, &[]).whole()))
}

#[test]
fn every_scenario_gets_the_same_verdicts_call_by_call() {
    let mut report = String::new();
    for design in PUBLISHED_AND_MENDED {
        writeln!(
            report,
            "{}, states in one step and in its calls:",
            design.name()
        )
        .unwrap();
        for (scenario, whole) in wholes(design) {
            let (at_once, in_calls) = (record(&whole), record(&split(&whole)));
            let both = [&at_once, &in_calls];
            if both
                .iter()
                .any(|r| r.completeness != Completeness::Complete)
            {
                writeln!(report, "  {}: too large", scenario.name).unwrap();
                continue;
            }
            let name = scenario.name;
            assert_eq!(
                verdicts(&at_once),
                verdicts(&in_calls),
                "{name}, {}",
                design.name()
            );
            writeln!(report, "  {name}: {}, {}", at_once.states, in_calls.states).unwrap();
        }
    }
    insta::assert_snapshot!("call_by_call", report);
}

/// States in which nobody is within a step. The number of a lock file that nobody has open says nothing: it is
/// another one where somebody had the file before it open for longer.
fn at_rest(scope: &Scope) -> HashSet<State> {
    let (_, graph) = with_graph(scope);
    let renumbered = |mut state: State| {
        let mut open = HashSet::new();
        locks::visit_holds(scope, &state, &mut |_, name, _| {
            open.insert(name);
        });
        let number = |numbers: &mut Numbers, name: Name| {
            for (old, name) in [(false, name), (true, name.by_directory())] {
                if !open.contains(&name) {
                    *numbers = numbers.with(old, numbers.of(old).min(1));
                }
            }
        };
        for (g, files) in (0..).zip(&mut state.group_locks) {
            let places = (0..).zip(files);
            places.for_each(|(n, file)| number(file, Name::Group(n, g)));
        }
        for (s, files) in (0..).zip(&mut state.snapshot_locks) {
            let places = (0..).zip(files);
            places.for_each(|(n, file)| number(file, Name::Snapshot(n, s)));
        }
        for (s, files) in (0..).zip(&mut state.manifest_locks) {
            let places = (0..).zip(files);
            places.for_each(|(n, file)| number(file, Name::Manifest(n, s)));
        }
        state
    };
    let rests = |state: &State| {
        state
            .actors
            .iter()
            .all(|actor| actor.pending.name().is_none())
    };
    let resting = graph.states.into_iter().filter(rests);
    resting.map(renumbered).collect()
}

/// All of a state but the numbers of lock files and what operations remember.
fn look(scope: &Scope, state: &State) -> String {
    let actors = scope.actors().map(|actor| {
        let record = state.actor(actor);
        (
            record.next,
            record.end,
            locks::possessions(scope, state, actor),
        )
    });
    let actors: Vec<_> = actors.collect();
    format!("{:?} {actors:?}", expected(scope, state, "/"))
}

#[test]
fn what_can_be_taken_at_once_can_be_taken_call_by_call() {
    let mut report = String::new();
    for design in PUBLISHED_AND_MENDED {
        writeln!(
            report,
            "{}, states and states only between steps that were split:",
            design.name()
        )
        .unwrap();
        for (scenario, whole) in wholes(design) {
            if record(&whole).completeness != Completeness::Complete {
                continue;
            }
            let (at_once, in_calls) = (at_rest(&whole), at_rest(&split(&whole)));
            assert!(
                at_once.is_subset(&in_calls),
                "{}, {}",
                scenario.name,
                design.name()
            );
            let more = in_calls.len() - at_once.len();
            write!(report, "  {}: {}, {more}", scenario.name, at_once.len()).unwrap();
            if more > 0 {
                let looks = |states: &HashSet<State>| -> HashSet<String> {
                    states.iter().map(|state| look(&whole, state)).collect()
                };
                let looks = looks(&in_calls).difference(&looks(&at_once)).count();
                // Nobody compares a directory that he has locked, so one that is gone can be locked between the calls.
                let by_file = scenario.generations == Generations::NEW;
                let is_hidden = design == Design::HARDENED && by_file && looks > 0;
                assert!(!is_hidden, "{}: whole steps hide {looks}", scenario.name);
                write!(report, ", of which look like no other: {looks}").unwrap();
            }
            report.push('\n');
        }
    }
    insta::assert_snapshot!("only_call_by_call", report);
}

#[test]
fn every_step_that_takes_a_lock_file_is_split_somewhere() {
    let mut report = String::new();
    for design in PUBLISHED_AND_MENDED {
        let mut reached: BTreeMap<Step, BTreeSet<&str>> = BTreeMap::new();
        for (_, whole) in wholes(design) {
            let split = split(&whole);
            if record(&split).completeness != Completeness::Complete {
                continue;
            }
            for edge in with_graph(&split).1.edges {
                match edge.action {
                    Event::Reached { label, stage, .. } => {
                        reached.entry(label.step).or_default().insert(stage.name());
                    }
                    Event::Step {
                        label,
                        outcome: Outcome::Vanished,
                        ..
                    } => {
                        reached
                            .entry(label.step)
                            .or_default()
                            .insert("ends vanished");
                    }
                    Event::Step { .. }
                    | Event::Killed { .. }
                    | Event::Reloaded { .. }
                    | Event::FlagSet
                    | Event::CutoffPassed => {}
                }
            }
        }
        writeln!(report, "under {}:", design.name()).unwrap();
        let of_design = rows().filter(|row| row.designs.contains(design));
        for row in of_design.filter(|row| row.step.compares_lock_file()) {
            let stages = reached.get(&row.step).cloned().unwrap_or_default();
            for stage in [Stage::Opened, Stage::Flocked] {
                assert!(
                    stages.contains(stage.name()),
                    "{} {}",
                    row_name(row),
                    stage.name()
                );
            }
            let stages: Vec<&str> = stages.into_iter().collect();
            writeln!(report, "  {}: {}", row_name(row), stages.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!("split_steps", report);
}
