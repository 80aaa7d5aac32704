//! The edges of the lock order from real runs, and in what they differ from those of the model.

use super::graph::{Explored, LockGraph};
use super::{Edge, Node, Taking};
use crate::record::Replay;
use specs::scenarios::SCENARIOS;
use specs::{LockClass, Scenario};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What actors of real runs asked for while they held something.
#[derive(Clone, Debug, Default)]
pub struct RealRuns {
    /// The scenarios that were replayed, every edge of each.
    pub scenarios: Vec<&'static str>,
    /// What was asked for, each with where it was seen first.
    pub takings: BTreeMap<Taking, Place>,
}

/// A trace of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The scenario.
    pub scenario: &'static str,
    /// Number of the trace, from 1.
    pub trace: usize,
}

/// Why real runs have locks that the model does not: a mutex that makes up another lock.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The lock that the model does not have.
    pub lock: &'static str,
    /// The class that it makes up.
    pub class: LockClass,
    /// Why its order is of no concern; [`Explanation::exception`] checks it.
    pub reason: &'static str,
}

/// All explanations.
pub const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        lock: "mutex of bool",
        class: LockClass::GcSlot,
        reason: "the slot is a flag under a mutex; while that is locked nothing but the flag is taken, and never waited for",
    },
    Explanation {
        lock: "mutex of datastore::process_lock::Holders",
        class: LockClass::Store,
        reason: "who of a process has the process lock is counted under a mutex; while that is locked nothing but the process lock is taken, and never waited for",
    },
];

impl Explanation {
    fn is_about(&self, taking: &Taking) -> bool {
        let is = |node: &Node| matches!(node, Node::Other(name) if name == self.lock);
        is(&taking.edge.held) || is(&taking.edge.taken)
    }

    /// An edge for which the reason is not true.
    pub fn exception<'r>(&self, runs: &'r RealRuns) -> Option<&'r Edge> {
        let is_harmless = |edge: &Edge| {
            matches!(&edge.held, Node::Other(name) if name != self.lock)
                || matches!(edge.held, Node::Class(..))
                || edge.taken.class() == Some(self.class) && !edge.wait.blocks()
        };
        runs.takings
            .keys()
            .filter(|taking| self.is_about(taking))
            .map(|taking| &taking.edge)
            .find(|edge| !is_harmless(edge))
    }
}

impl RealRuns {
    /// Adds what a replay of a scenario noted.
    pub fn add(&mut self, replay: &Replay) {
        let scenario = replay.run.scenario;
        self.scenarios.push(scenario);
        for (taking, trace) in &replay.takings {
            let trace = trace + 1;
            let place = Place { scenario, trace };
            self.takings.entry(taking.clone()).or_insert(place);
        }
    }

    /// What somebody asks for in the model of the scenarios that were replayed, and in no real run.
    pub fn missing<'g>(&self, graph: &'g LockGraph) -> Vec<(&'g Taking, &'static str)> {
        let all = graph.takings.iter();
        all.filter(|(taking, _)| !self.takings.contains_key(taking))
            .filter_map(|(taking, shown)| {
                let here = |scenario: &&&'static str| shown.asked_in.contains(**scenario);
                Some((taking, *self.scenarios.iter().find(here)?))
            })
            .collect()
    }

    /// What somebody asks for in real runs, and not in the model of the scenarios that were replayed; with what explains it.
    pub fn surplus(
        &self,
        graph: &LockGraph,
    ) -> Vec<(&Taking, Place, Option<&'static Explanation>)> {
        let is_known = |taking: &Taking| {
            let asked_in = graph.takings.get(taking).map(|shown| &shown.asked_in);
            asked_in.is_some_and(|asked_in| self.scenarios.iter().any(|s| asked_in.contains(s)))
        };
        let surplus = self.takings.iter().filter(|(taking, _)| !is_known(taking));
        surplus
            .map(|(taking, place)| {
                let explanation = EXPLANATIONS.iter().find(|e| e.is_about(taking));
                (taking, *place, explanation)
            })
            .collect()
    }
}

/// Whether real runs are made of a scenario here: of those of which the gate replays every edge, and of a question, which
/// stands on no list and was named by somebody.
pub fn is_replayed(scenario: &Scenario) -> bool {
    let is_listed = SCENARIOS.iter().any(|listed| listed.name == scenario.name);
    scenario.runs.replay || !is_listed && scenario.environment.kills == 0
}

/// The scenarios to replay, so that everything that any replay could show is shown in one of them: always the one
/// with the most new takings for its edges, and in the end none that the others make superfluous.
pub fn covering_set(graph: &LockGraph) -> Vec<&'static Scenario> {
    let replayable = |explored: &&Explored| is_replayed(explored.scenario);
    let all: Vec<&Explored> = graph.scenarios.iter().filter(replayable).collect();
    let asked_in = |explored: &Explored| -> BTreeSet<&Taking> {
        let name = explored.scenario.name;
        let shown = graph.takings.iter();
        let asked = shown.filter(|(_, shown)| shown.asked_in.contains(name));
        asked.map(|(taking, _)| taking).collect()
    };
    let mut open: BTreeSet<&Taking> = all.iter().flat_map(|explored| asked_in(explored)).collect();
    let mut chosen: Vec<&Explored> = Vec::new();
    while !open.is_empty() {
        let gain = |explored: &Explored| asked_in(explored).intersection(&open).count() as u64;
        // Takings for a million edges, in whole numbers so that they can be compared.
        let rate = |explored: &Explored| gain(explored) * 1_000_000 / explored.edges.max(1);
        let best = all.iter().rev().max_by_key(|e| (rate(e), gain(e))).copied();
        let Some(best) = best.filter(|best| gain(best) > 0) else {
            break;
        };
        let asked = asked_in(best);
        open.retain(|taking| !asked.contains(taking));
        chosen.push(best);
    }
    let mut by_size = chosen.clone();
    by_size.sort_by_key(|explored| Reverse(explored.edges));
    for explored in by_size {
        let others = chosen
            .iter()
            .filter(|c| c.scenario.name != explored.scenario.name);
        let others: BTreeSet<&Taking> = others.flat_map(|other| asked_in(other)).collect();
        if asked_in(explored).is_subset(&others) {
            chosen.retain(|c| c.scenario.name != explored.scenario.name);
        }
    }
    // In the order in which they are listed everywhere.
    let is_chosen = |e: &&&Explored| chosen.iter().any(|c| c.scenario.name == e.scenario.name);
    let listed = all.iter().filter(is_chosen);
    listed.map(|explored| explored.scenario).collect()
}

/// What somebody asks for in the model, but in no scenario whose edges are replayed.
pub fn beyond_replay(graph: &LockGraph) -> Vec<&Taking> {
    let replayable = |name: &str| Scenario::named(name).is_some_and(is_replayed);
    let all = graph.takings.iter();
    all.filter(|(_, shown)| {
        !shown.asked_in.is_empty() && !shown.asked_in.iter().any(|s| replayable(s))
    })
    .map(|(taking, _)| taking)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::graph::Shown;
    use super::*;
    use model::engine::Options;
    use specs::Design;

    #[test]
    fn what_a_real_run_takes_is_known_only_from_a_scenario_that_was_replayed() {
        let mut graph = LockGraph::new(Design::HARDENED, Vec::new(), None);
        let crossed = Scenario::named("two_moves_cross").unwrap();
        graph.add(crossed, &Options::default()).unwrap();
        let asked = |(_, shown): &(&Taking, &Shown)| shown.asked_in.contains(crossed.name);
        let (taking, _) = graph.takings.iter().find(asked).unwrap();
        let place = Place {
            scenario: crossed.name,
            trace: 1,
        };
        for (replayed, is_surplus) in [(crossed.name, false), ("one_move_meets_gc", true)] {
            let real = RealRuns {
                scenarios: vec![replayed],
                takings: BTreeMap::from([(taking.clone(), place)]),
            };
            let surplus = real.surplus(&graph);
            let found: Vec<_> = surplus
                .iter()
                .map(|(taking, at, _)| (*taking, *at))
                .collect();
            let expected = is_surplus.then_some((taking, place));
            assert_eq!(found, Vec::from_iter(expected), "{replayed}");
        }
    }

    #[test]
    fn what_is_asked_where_nothing_is_replayed_is_told_and_what_nobody_asks_is_not() {
        let mut graph = LockGraph::new(Design::HARDENED, Vec::new(), None);
        let crossed = Scenario::named("two_moves_cross").unwrap();
        graph.add(crossed, &Options::default()).unwrap();
        assert!(beyond_replay(&graph).is_empty(), "all of it is replayed");
        let is_large = |scenario: &&&Scenario| !scenario.runs.replay;
        let large = SCENARIOS.iter().collect::<Vec<_>>();
        let large = large.iter().find(is_large).unwrap().name;
        let taking = graph.takings.keys().next().unwrap().clone();
        for (asked_in, is_told) in [
            (vec![], false),
            (vec![large], true),
            (vec![crossed.name], false),
            (vec![crossed.name, large], false),
        ] {
            let shown = graph.takings.get_mut(&taking).unwrap();
            shown.asked_in = asked_in.iter().copied().collect();
            let told = beyond_replay(&graph) == [&taking];
            assert_eq!(told, is_told, "{asked_in:?}");
        }
    }
}
