//! The machine-readable records of a lock order: one an edge, a cycle and a difference, and one for all of it.

use super::allowed::Allowed;
use super::cycle::Cycle;
use super::graph::{LockGraph, Witness};
use super::page;
use super::real::RealRuns;
use super::verdict::{Difference, Judgement};
use crate::record::Verdict;
use crate::thin;
use serde::Serialize;
use specs::lock_class::Wait;
use specs::{Design, Event};

/// An edge of the lock order: one lock is asked for while another one is held.
#[derive(Clone, Debug, Serialize)]
pub struct LockEdge {
    /// `lock_edge`.
    pub kind: &'static str,
    /// The design.
    pub design: Design,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<&'static str>,
    /// Class and mode of the lock that is held.
    pub held: String,
    /// Class and mode of the lock that is asked for.
    pub taken: String,
    /// How long its taker waits.
    pub wait: Wait,
    /// The steps that take it.
    pub steps: Vec<String>,
    /// Whether the lock was ever given to somebody who asked so.
    pub given: bool,
    /// Whether it is allowed.
    pub allowed: bool,
    /// Whether the lock that is asked for always stands above the one that is held, in the order of the model.
    pub rises: bool,
    /// The steps that took it in real runs; null without real runs.
    pub steps_in_real_runs: Option<Vec<String>>,
    /// The scenario of the shortest behaviour that shows it.
    pub scenario: &'static str,
    /// How many events come before somebody asks.
    pub trace_length: usize,
    /// These events.
    pub trace: Vec<Event<String>>,
}

/// A possible deadlock: edges of the lock order that close a circle of waiters.
#[derive(Clone, Debug, Serialize)]
pub struct LockCycle {
    /// `lock_cycle`.
    pub kind: &'static str,
    /// The design.
    pub design: Design,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<&'static str>,
    /// Its edges, as lines of the allowed order.
    pub edges: Vec<String>,
    /// What shows it.
    pub shown: Vec<ShownCycle>,
}

/// One of the behaviours that show a cycle.
#[derive(Clone, Debug, Serialize)]
pub struct ShownCycle {
    /// The scenario.
    pub scenario: &'static str,
    /// Who has what at its end, and waits for what.
    pub sentence: String,
    /// Its events.
    pub trace: Vec<Event<String>>,
}

/// A difference between the lock orders of the model, of the real runs, and the allowed one.
#[derive(Clone, Debug, Serialize)]
pub struct LockDifference {
    /// `lock_difference`.
    pub kind: &'static str,
    /// What it makes of the run.
    pub verdict: Verdict,
    /// The difference, in a sentence.
    pub sentence: String,
}

/// A lock order in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct LockOrder {
    /// `lock_order`.
    pub kind: &'static str,
    /// The design.
    pub design: Design,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<&'static str>,
    /// What it says.
    pub verdict: Verdict,
    /// Whether every scenario was explored completely.
    pub complete: bool,
    /// Scenarios that were explored.
    pub scenarios: usize,
    /// Their states.
    pub states: u64,
    /// Edges of the lock order.
    pub edges: usize,
    /// Edges by the steps that take them.
    pub takings: usize,
    /// The scenarios that were replayed.
    pub replayed: Vec<&'static str>,
    /// Edges by the steps that took them in real runs.
    pub takings_in_real_runs: usize,
    /// How many of those the model does not have, and an explanation covers.
    pub explained: usize,
    /// Possible deadlocks.
    pub cycles: usize,
    /// What is not as it should be.
    pub differences: usize,
    /// Time in seconds.
    pub seconds: f64,
}

/// The events of a witness, told in the fewest turns, with their paths.
fn events(graph: &LockGraph, witness: &Witness) -> Vec<Event<String>> {
    let scope = graph.scope(witness.scenario);
    let told = thin::reorder(&scope, &witness.events);
    let path = |event: &Event| event.map(|id| witness.scenario.path(id));
    told.iter().map(path).collect()
}

/// The records of the edges.
pub fn edges(graph: &LockGraph, allowed: &Allowed, runs: Option<&RealRuns>) -> Vec<LockEdge> {
    let mut records = Vec::new();
    for (edge, takings) in graph.edges() {
        let witness = page::shortest(&takings);
        let real = |runs: &RealRuns| {
            let here = takings.iter().filter(|(t, _)| runs.takings.contains_key(t));
            page::steps(&here.copied().collect::<Vec<_>>())
        };
        records.push(LockEdge {
            kind: "lock_edge",
            design: graph.design,
            mutant: graph.mutant,
            held: edge.held.to_string(),
            taken: edge.taken.to_string(),
            wait: edge.wait,
            steps: page::steps(&takings),
            given: takings.iter().any(|(_, shown)| !shown.given_in.is_empty()),
            allowed: allowed.has(edge),
            rises: page::rises(&takings),
            steps_in_real_runs: runs.map(real),
            scenario: witness.map_or("", |witness| witness.scenario.name),
            trace_length: witness.map_or(0, |witness| witness.events.len()),
            trace: witness.map_or_else(Vec::new, |witness| events(graph, witness)),
        });
    }
    records
}

/// The record of a cycle.
pub fn cycle(graph: &LockGraph, cycle: &Cycle) -> LockCycle {
    let shown = |witness: &Witness| ShownCycle {
        scenario: witness.scenario.name,
        sentence: witness.sentence(&graph.scope(witness.scenario)),
        trace: events(graph, witness),
    };
    LockCycle {
        kind: "lock_cycle",
        design: graph.design,
        mutant: graph.mutant,
        edges: cycle
            .takings
            .iter()
            .map(|t| t.edge.to_string())
            .collect::<Vec<String>>(),
        shown: cycle.witnesses.iter().map(shown).collect(),
    }
}

/// The record of a difference.
pub fn difference(difference: &Difference) -> LockDifference {
    LockDifference {
        kind: "lock_difference",
        verdict: difference.verdict(),
        sentence: difference.to_string(),
    }
}

/// The record of all of it.
pub fn summary(
    graph: &LockGraph,
    judgement: &Judgement,
    runs: Option<&RealRuns>,
    seconds: f64,
) -> LockOrder {
    LockOrder {
        kind: "lock_order",
        design: graph.design,
        mutant: graph.mutant,
        verdict: judgement.verdict,
        complete: graph.is_complete(),
        scenarios: graph.scenarios.len(),
        states: graph.scenarios.iter().map(|explored| explored.states).sum(),
        edges: graph.edges().len(),
        takings: graph.takings.len(),
        replayed: runs.map_or_else(Vec::new, |runs| runs.scenarios.clone()),
        takings_in_real_runs: runs.map_or(0, |runs| runs.takings.len()),
        explained: judgement.explained.iter().map(|(_, count)| count).sum(),
        cycles: judgement.cycles.len(),
        differences: judgement.differences.len(),
        seconds,
    }
}
