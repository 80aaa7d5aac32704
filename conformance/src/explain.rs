//! `explain`: whether a log of intervals is a behaviour of the model, and what all such behaviours break.
//!
//! *Question.* A step takes effect at one moment between its two marks. Is there an order of these moments in which the
//! model accepts every step with its outcome? If a property is broken in every such order, the log proves it broken.
//!
//! *Search.* It goes along the marks with a set of configurations: a state of the model, which of the steps under way
//! have taken effect, and what is broken so far. A step is put off for as long as it can be: it takes effect when a
//! mark comes before which it, or a step that is to follow it, must have done so. So each order is met once.
//!
//! *What is not invented.* Whatever the environment does is a mark of the log. Two things are left open, because the
//! log cannot know them: how much of an append a full tmpfs took, and whether a step that a kill interrupted took effect.
//! And where the model takes a lock file in one step, a file that vanished meanwhile is a lock that was held. Where it
//! takes locks in their calls, the log is silent about those: each lies somewhere within its step.

mod reading;
mod report;
mod search;
#[cfg(test)]
mod tests;

use crate::interval_log::IntervalLog;
use crate::report::Ids;
use model::{Refusal, Scope, State};
use reading::Reading;
use search::Search;
use specs::property::Mood;
use specs::{Event, Property};
use stateright::Model as _;
use std::fmt;

/// Configurations that a search may visit before it gives up.
const CONFIGURATIONS: usize = 1_000_000;

/// What the model says about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The log is a behaviour of the model.
    Explained {
        /// The properties of the scope that are violated at some moment of every order.
        violated: Vec<Property>,
        /// One order.
        events: Vec<Event>,
    },
    /// There is no order that the model accepts.
    Unexplained(Box<Unexplained>),
    /// There is one, but the log ends before the operations do; why, in a sentence.
    Unconsumed(String),
    /// It is no log of a run: it is empty, or its marks do not belong together; why, in a sentence.
    Malformed(String),
    /// There are more configurations than the search may visit, so nothing is known.
    Cut {
        /// How many it may visit.
        configurations: usize,
    },
}

/// Where every order ends, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The mark at which no configuration is left, from 0.
    pub mark: usize,
    /// What must have happened by then and cannot; none if it names a path that the scenario does not have.
    pub event: Option<Event>,
    /// The guards that refuse it, each once; first that of the configuration which came furthest.
    pub refusals: Vec<Refusal>,
    /// What the actor could have done there instead.
    pub allowed: Vec<Event>,
    text: String,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Judges a log by the model of a scope.
pub fn explain(scope: &Scope, log: &IntervalLog) -> Judged {
    Explainer::new(scope).explain(log)
}

/// Whether a property holds in a state.
type Condition = fn(&Scope, &State) -> bool;

/// Judges many logs of one scope.
#[derive(Clone, Debug)]
pub struct Explainer {
    /// With every lock taken as a log has it.
    scope: Scope,
    ids: Ids,
    /// The properties that must always hold, each with its condition.
    asked: Vec<(Property, Condition)>,
    configurations: usize,
    until: Option<Property>,
}

impl Explainer {
    /// For a scope.
    pub fn new(scope: &Scope) -> Self {
        let conditions = scope.properties();
        // The first property of the model is the shape of its states.
        let asked = scope.asked.iter().zip(conditions.iter().skip(1));
        Self {
            scope: scope.clone().as_in_a_log(),
            ids: Ids::of(scope.scenario),
            asked: asked
                .filter(|(property, _)| property.entry().mood == Mood::Always)
                .map(|(property, checked)| (*property, checked.condition))
                .collect(),
            configurations: CONFIGURATIONS,
            until: None,
        }
    }

    /// The same, judging each log only up to the mark at which it proves that a property is violated. What comes after
    /// that is outside of what the protocol promises, so that model and implementation need not agree on it.
    #[must_use]
    pub const fn until(mut self, property: Property) -> Self {
        self.until = Some(property);
        self
    }

    /// The same, giving up after so many configurations.
    #[must_use]
    pub const fn within(mut self, configurations: usize) -> Self {
        self.configurations = configurations;
        self
    }

    /// Judges a log.
    pub fn explain(&self, log: &IntervalLog) -> Judged {
        let reading = match Reading::of(&self.scope, &self.ids, log) {
            Ok(reading) => reading,
            Err(judged) => return judged,
        };
        let mut search = Search::new(self, &reading);
        for (mark, moment) in reading.moments.iter().enumerate() {
            if let Err(judged) = search.pass(mark, *moment) {
                return judged;
            }
            if let Some(proof) = self.until.and_then(|property| search.proof_of(property)) {
                return proof;
            }
        }
        search.finish()
    }

    /// The properties that a state violates, as bits.
    fn violated(&self, state: &State) -> u32 {
        let broken = self
            .asked
            .iter()
            .map(|(_, holds)| !holds(&self.scope, state));
        broken
            .rev()
            .fold(0, |bits, broken| bits << 1 | u32::from(broken))
    }
}
