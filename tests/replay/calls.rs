//! Locks that are taken in their calls, on real files and in real processes.

use super::{Covered, diverges, options, private, replays_every_edge};
use conformance::driver::Driver;
use model::Scope;
use model::engine::{Options, explore};
use model::verdict::Completeness;
use specs::design::Change;
use specs::scenarios::SCENARIOS;
use specs::{Design, Event, Scenario, Stage};
use std::fmt::Write as _;

/// Scenarios with more states than this are left to their whole steps.
const LARGE: u64 = 2_000;

/// The scenario with locks taken in their calls.
fn split(scenario: &Scenario) -> &'static Scenario {
    Box::leak(Box::new(Scenario {
        splits_locks: true,
        ..*scenario
    }))
}

/// Replays every edge of the small scenarios, each lock taken call by call.
fn small_scenarios_are_replayed(design: Design) -> String {
    let mut report = String::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.replay) {
        let scope = Scope::new(split(scenario), design, &[]);
        let bounded = Options {
            max_states: Some(LARGE),
            ..Options::default()
        };
        let record = explore(&scope, &bounded).unwrap().record;
        let stages = record.coverage.len() - Stage::ALL.len();
        let is_split = record.coverage[stages..].iter().any(|count| *count > 0);
        if record.completeness == Completeness::Complete && is_split {
            replays_every_edge(&Covered::of(scope));
            writeln!(report, "{}: {} edges", scenario.name, record.edges).unwrap();
        }
    }
    report
}

#[test]
fn small_scenarios_are_replayed_call_by_call() {
    let report = small_scenarios_are_replayed(Design::HARDENED);
    insta::assert_snapshot!("replayed_call_by_call", report);
}

#[test]
fn small_scenarios_of_the_published_design_are_replayed_call_by_call() {
    let report = small_scenarios_are_replayed(Design::UPSTREAM);
    insta::assert_snapshot!("published_replayed_call_by_call", report);
}

const NOTES: &str = "two_changes_of_notes_meet_forget_call_by_call";

#[test]
fn a_wrong_stage_is_a_divergence_at_its_call() {
    let covered = Covered::new(NOTES, Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let parent = private();
    let mut driver = covered.driver(parent.path(), &[]);
    let mut tried = 0;
    for bad in 0..trace.len() {
        for other in Stage::ALL {
            let mut spoilt = trace.clone();
            let Event::Reached { stage, .. } = &mut spoilt[bad] else {
                continue;
            };
            let seen = std::mem::replace(stage, other);
            if seen == other {
                continue;
            }
            let divergence = diverges(&covered, &mut driver, &spoilt, |_, _| {});
            assert_eq!(divergence.step, bad, "{}", divergence.first_difference);
            assert_eq!(
                divergence.first_difference,
                format!(
                    "outcome: expected {} and no end, saw {} and no end",
                    other.name(),
                    seen.name()
                )
            );
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn an_implementation_that_compares_too_early_is_seen_at_that_call() {
    let covered = Covered::new(NOTES, Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let first = trace
        .iter()
        .position(|event| {
            let is_flocked = |stage: &Stage| *stage == Stage::Flocked;
            matches!(event, Event::Reached { stage, .. } if is_flocked(stage))
        })
        .unwrap();
    let parent = private();
    let design = Design::HARDENED.with(Change::RecheckBeforeFlock);
    let mut driver =
        Driver::new(covered.scope.scenario, design, &[], options(parent.path())).unwrap();
    let divergence = diverges(&covered, &mut driver, &trace, |_, _| {});
    assert_eq!(divergence.step, first);
    assert_eq!(
        divergence.first_difference,
        "outcome: expected flocked and no end, saw compared and no end"
    );
}
