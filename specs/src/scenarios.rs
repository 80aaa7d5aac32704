//! The scenarios: one question each, small bounds, the same value for model, replay and kill runs.

use crate::joined::{joined, total};
use crate::question::Question;
use crate::question::disturbance::Disturbed;
use crate::scenario::Scenario;

mod backups;
mod calls;
mod generations;
mod moves;
mod namespaces;
mod neighbours;
mod trios;
mod upkeep;
mod words;

const LISTS: &[&[Scenario]] = &[
    moves::MOVES_AND_LOCKS,
    neighbours::NEIGHBOURS,
    backups::BACKUPS,
    upkeep::UPKEEP,
    namespaces::NAMESPACES,
    generations::GENERATIONS,
    calls::CALLS,
    trios::TRIOS,
];

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &joined::<_, { total(LISTS) }>(LISTS);

impl Scenario {
    /// The scenario of that name, which may be that of a disturbed scenario or of a generated question.
    pub fn named(name: &str) -> Option<&'static Self> {
        let written = SCENARIOS.iter().find(|scenario| scenario.name == name);
        written
            .or_else(|| Some(Disturbed::parse(name, SCENARIOS)?.scenario()))
            .or_else(|| Some(Question::parse(name).ok()?.scenario()))
    }
}

#[cfg(test)]
mod tests;
