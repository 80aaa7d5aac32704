//! stateright's own breadth-first checker on the same scope, as a second opinion on counts and verdicts.

use crate::scope::Scope;
use crate::verdict::Claim;
use crate::verdict::Record;
use specs::Event;
use stateright::{Checker, Model};
use std::collections::BTreeSet;
use std::time::Instant;

/// What stateright says of a scope, explored to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// Unique states.
    pub states: u64,
    /// Edges.
    pub edges: u64,
    /// The properties of which it found an example: violated ones and witnessed ones.
    pub found: BTreeSet<&'static str>,
    /// Time in seconds.
    pub seconds: f64,
}

/// Explores a scope with stateright, with none of its limits set.
pub fn ask(scope: &Scope, threads: usize) -> Opinion {
    let begin = Instant::now();
    let starts = scope.init_states().len();
    let checker = scope.clone().checker().threads(threads).spawn_bfs().join();
    Opinion {
        states: checker.unique_state_count() as u64,
        edges: (checker.state_count() - starts) as u64,
        found: checker.discoveries().into_keys().collect(),
        seconds: begin.elapsed().as_secs_f64(),
    }
}

impl Opinion {
    /// The first difference to what the engine found, in a sentence.
    pub fn difference(&self, record: &Record<crate::State, Event>) -> Option<String> {
        if self.states != record.states {
            return Some(format!(
                "stateright counts {} states, not {}",
                self.states, record.states
            ));
        }
        if self.edges != record.edges {
            return Some(format!(
                "stateright counts {} edges, not {}",
                self.edges, record.edges
            ));
        }
        let found: BTreeSet<&str> = record
            .properties
            .iter()
            .filter(|p| p.first.is_some())
            .map(|p| p.name)
            .collect();
        if self.found == found {
            return None;
        }
        let unequal = record
            .properties
            .iter()
            .find(|p| self.found.contains(p.name) != found.contains(p.name))?;
        let word = match unequal.claim {
            Claim::Always => "violated",
            Claim::Sometimes => "witnessed",
        };
        let whose = if found.contains(unequal.name) {
            "the engine"
        } else {
            "stateright"
        };
        Some(format!("only {whose} finds {} {word}", unequal.name))
    }
}
