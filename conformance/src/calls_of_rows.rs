//! Which calls of recorded steps are in the rows of these steps: of our own operations that run alone, and of recordings of the
//! original, divided into steps.

use crate::recording_sys::Recorded;
use specs::Step;
use specs::step::Call;
use std::collections::{BTreeMap, BTreeSet};

/// The calls that were made in each step.
#[derive(Clone, Debug, Default)]
pub struct CallsOfRows {
    made: BTreeMap<Step, BTreeSet<Call>>,
}

impl CallsOfRows {
    /// Adds a step.
    pub fn add(&mut self, step: &Recorded) {
        let made = self.made.entry(step.kind).or_default();
        made.extend(step.calls.iter().map(|made| made.call));
    }

    /// Whether the step was taken.
    pub fn has(&self, step: Step) -> bool {
        self.made.contains_key(&step)
    }

    /// The calls that are not in the row of their step.
    pub fn foreign(&self) -> Vec<(Step, Call)> {
        let calls = self
            .made
            .iter()
            .flat_map(|(step, calls)| calls.iter().map(|call| (*step, *call)));
        calls
            .filter(|(step, call)| !step.row().calls.contains(call))
            .collect()
    }

    /// The calls of the row of a step that was taken which nobody has made.
    pub fn not_made(&self, step: Step) -> Vec<Call> {
        let made = self.made.get(&step);
        let calls = step.row().calls.iter().copied();
        calls
            .filter(|call| made.is_some_and(|made| !made.contains(call)))
            .collect()
    }
}
