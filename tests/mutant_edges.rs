//! Under each seeded bug every edge of its scenario is replayed: model and implementation have the same bug, and it does
//! the same in both, on the way to a violation, behind it and beside it.
//!
//! A replay compares and judges nothing, so a broken property is no divergence. The shortest way to it is the board's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::board;
use conformance::driver::Options;
use conformance::edges::{Progress, replay_edges};
use conformance::record::Verdict;
use conformance::replay::Plan;
use model::verdict::Completeness;
use model::{Scope, engine};
use specs::design::Change;
use specs::mutant::MUTANTS;
use specs::{Design, Scenario};
use std::fmt::Write as _;

const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

/// More edges than this take too long here.
const MOST: u64 = 25_000;

/// Designs in a scenario that shows more of them than the one in which they are found.
const BESIDE: [(&str, Design); 1] = [(
    "move_meets_forget",
    Design::HARDENED.with(Change::ForgetUnlocksBeforeRemoval),
)];

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize, _: usize) {}
    fn done(&self, _: usize) {}
}

/// Number of edges; none if there are too many.
fn edges(scope: &Scope) -> Option<u64> {
    let options = engine::Options {
        threads: 2,
        // As many states have as many edges but one.
        max_states: Some(MOST + 1),
        ..engine::Options::default()
    };
    let record = engine::explore(scope, &options).unwrap().record;
    let is_whole = record.completeness == Completeness::Complete;
    (is_whole && record.edges <= MOST).then_some(record.edges)
}

/// Replays every edge of a scope, and says in a line how many; one that is too large is left out, and says so.
fn replayed(name: &str, mut scope: Scope) -> (String, Option<String>) {
    // What follows a kill is replayed by the kill runs, under the designs that hold.
    let is_calmed = std::mem::take(&mut scope.environment.kills) > 0;
    let place = format!(
        "{name} in {}{}",
        scope.scenario.name,
        if is_calmed { " without its kills" } else { "" }
    );
    let Some(edges) = edges(&scope) else {
        return (format!("{place}: left out, more than {MOST} edges"), None);
    };
    let plan = Plan {
        scenario: scope.scenario,
        design: scope.design,
        faults: scope.faults.clone(),
        options: Options::new(LOCKSTEP),
        lanes: 2,
    };
    let replay = replay_edges(&scope, &plan, 2, None, &Silent).unwrap();
    let is_same = replay.run.verdict == Verdict::Holds && replay.edges_replayed == edges;
    let failure = (!is_same).then(|| format!("{place}: {:?}", replay.run.failures));
    (format!("{place}: {edges} edges"), failure)
}

#[test]
fn model_and_implementation_do_the_same_under_every_mutant_on_every_edge() {
    let of_mutants = MUTANTS
        .iter()
        .map(|mutant| (mutant.name.to_owned(), board::scope_of(mutant).unwrap()));
    let beside = BESIDE.iter().map(|(scenario, design)| {
        let scenario = Scenario::named(scenario).unwrap();
        (design.name(), Scope::new(scenario, *design, &[]))
    });
    let mut lines = String::new();
    let mut failures = Vec::new();
    for (name, scope) in of_mutants.chain(beside) {
        let (line, failure) = replayed(&name, scope);
        writeln!(lines, "{line}").unwrap();
        failures.extend(failure);
    }
    assert_eq!(failures, Vec::<String>::new());
    insta::assert_snapshot!("edges", lines);
}
