//! Explores scenarios under many designs, each pair once.

use anyhow::{Context as _, ensure};
use model::Scope;
use model::engine::{self, Options};
use model::verdict::{Claim, Completeness};
use serde::Serialize;
use specs::{Design, Scenario};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A property that falls in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fall {
    /// The property.
    pub property: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// Events of a shortest behaviour that breaks it.
    pub trace_length: usize,
}

impl Fall {
    /// Whether both are the same property in the same scenario.
    pub fn is_of(&self, other: &Self) -> bool {
        (self.property, self.scenario) == (other.property, other.scenario)
    }
}

/// What was seen of a scenario under a design.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What falls.
    pub(crate) falls: Vec<Fall>,
    /// What is not as it is expected to be.
    failures: Vec<String>,
    /// States, edges and depth; then of each property how often it was put to the test, violated or witnessed.
    counts: Vec<u64>,
}

impl Seen {
    /// How many states there are.
    pub(crate) fn states(&self) -> u64 {
        self.counts[0]
    }

    /// Whether nothing that was counted tells it from another one.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        (&self.falls, &self.counts) == (&other.falls, &other.counts)
    }
}

/// Explores scenarios, and remembers what it has seen.
pub struct Explorer {
    scenarios: Vec<&'static Scenario>,
    large: Vec<&'static Scenario>,
    threads: usize,
    progress: Box<dyn Fn(usize)>,
    seen: BTreeMap<(Design, &'static str), Rc<Seen>>,
    states: u64,
}

impl Explorer {
    /// Explores these scenarios, and the large ones where they are asked for; `progress` hears how many explorations are
    /// done.
    pub fn new(
        scenarios: Vec<&'static Scenario>,
        large: Vec<&'static Scenario>,
        threads: usize,
        progress: impl Fn(usize) + 'static,
    ) -> Self {
        Self {
            scenarios,
            large,
            threads,
            progress: Box::new(progress),
            seen: BTreeMap::new(),
            states: 0,
        }
    }

    /// The scenarios.
    pub fn scenarios(&self) -> Vec<&'static Scenario> {
        self.scenarios.clone()
    }

    /// How many pairs of a scenario and a design were explored, and their states.
    pub fn explored(&self) -> (usize, u64) {
        (self.seen.len(), self.states)
    }

    /// What falls under a design, in the order of the scenarios.
    pub fn falls(&mut self, design: Design) -> anyhow::Result<Vec<Fall>> {
        self.falls_in(self.scenarios(), design)
    }

    /// What falls under a design in the large scenarios.
    pub(super) fn falls_in_large(&mut self, design: Design) -> anyhow::Result<Vec<Fall>> {
        self.falls_in(self.large.clone(), design)
    }

    fn falls_in(
        &mut self,
        scenarios: Vec<&'static Scenario>,
        design: Design,
    ) -> anyhow::Result<Vec<Fall>> {
        let mut falls = Vec::new();
        for scenario in scenarios {
            falls.extend_from_slice(&self.see(scenario, design)?.falls);
        }
        Ok(falls)
    }

    /// What is not as it is expected to be under a design: an exception that is pinned is.
    pub fn failures(&mut self, design: Design) -> anyhow::Result<Vec<String>> {
        let mut failures = Vec::new();
        for scenario in self.scenarios() {
            failures.extend_from_slice(&self.see(scenario, design)?.failures);
        }
        Ok(failures)
    }

    /// A scenario under a design.
    pub(crate) fn see(
        &mut self,
        scenario: &'static Scenario,
        design: Design,
    ) -> anyhow::Result<Rc<Seen>> {
        if let Some(seen) = self.seen.get(&(design, scenario.name)) {
            return Ok(Rc::clone(seen));
        }
        let seen = look(&Scope::new(scenario, design, &[]), self.threads)?;
        self.states += seen.states();
        let seen = Rc::new(seen);
        self.seen.insert((design, scenario.name), Rc::clone(&seen));
        (self.progress)(self.seen.len());
        Ok(seen)
    }
}

/// Explores a scope to its end.
pub(crate) fn look(scope: &Scope, threads: usize) -> anyhow::Result<Seen> {
    let (name, design) = (scope.scenario.name, scope.design);
    let options = Options {
        threads,
        ..Options::default()
    };
    let explored = engine::explore(scope, &options)
        .with_context(|| format!("cannot explore {name} under {design}"))?;
    let record = explored.record;
    let is_complete = record.completeness == Completeness::Complete;
    ensure!(is_complete, "{name} under {design} was cut short");
    let failures = record.failures().into_iter();
    let mut seen = Seen {
        falls: Vec::new(),
        failures: failures
            .map(|failure| format!("{name}: {failure}"))
            .collect(),
        counts: vec![record.states, record.edges, record.depth.into()],
    };
    for property in &record.properties {
        seen.counts.extend([property.premise, property.hits]);
        if let (Claim::Always, Some(trace)) = (property.claim, &property.first) {
            seen.falls.push(Fall {
                property: property.name,
                scenario: name,
                trace_length: trace.steps.len(),
            });
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_one_count_looks_different() {
        let seen = |counts: [u64; 6], trace_length| Seen {
            falls: vec![Fall {
                property: "live_chunk_is_never_swept",
                scenario: "one_move_meets_gc",
                trace_length,
            }],
            failures: Vec::new(),
            counts: counts.to_vec(),
        };
        let first = seen([9, 8, 7, 6, 5, 4], 3);
        assert!(first.looks_like(&seen([9, 8, 7, 6, 5, 4], 3)));
        assert!(!first.looks_like(&seen([9, 8, 7, 6, 5, 4], 2)));
        for at in 0..6 {
            let mut counts = [9, 8, 7, 6, 5, 4];
            counts[at] += 1;
            assert!(!first.looks_like(&seen(counts, 3)), "count {at}");
        }
    }
}
