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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use specs::Design;
    use specs::question::Question;

    #[test]
    fn whatever_only_one_of_two_checkers_finds_is_a_difference() {
        let question = Question::parse("gc+move(a,b)").unwrap();
        let scope = Scope::new(question.scenario(), Design::UPSTREAM, &[]);
        let record = engine::explore(&scope, &engine::Options::default())
            .unwrap()
            .record;
        let opinion = ask(&scope, 1);
        assert_eq!(opinion.difference(&record), None);
        let names: BTreeSet<_> = record.properties.iter().map(|it| it.name).collect();
        assert!(!opinion.found.is_empty() && opinion.found.len() < names.len());
        for name in &names {
            let mut other = opinion.clone();
            let whose = match other.found.remove(name) {
                true => "the engine",
                false => {
                    other.found.insert(name);
                    "stateright"
                }
            };
            let told = other.difference(&record).unwrap();
            assert!(
                told.starts_with(&format!("only {whose} finds {name} ")),
                "{told}"
            );
        }
        for (states, edges) in [(1, 0), (0, 1), (1, 1)] {
            let other = Opinion {
                states: opinion.states + states,
                edges: opinion.edges - edges,
                ..opinion.clone()
            };
            assert!(other.difference(&record).is_some());
        }
    }
}
