//! The scenarios: one question each, small bounds, the same value for model, replay and kill runs.

use crate::scenario::Scenario;

mod backups;
mod moves;
mod neighbours;
mod upkeep;
mod words;

const COUNT: usize = moves::MOVES_AND_LOCKS.len()
    + neighbours::NEIGHBOURS.len()
    + backups::BACKUPS.len()
    + upkeep::UPKEEP.len();

const ALL: [Scenario; COUNT] = joined();

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &ALL;

/// The lists of the files below, one after the other.
const fn joined() -> [Scenario; COUNT] {
    let mut all = [moves::MOVES_AND_LOCKS[0]; COUNT];
    let lists = [
        moves::MOVES_AND_LOCKS,
        neighbours::NEIGHBOURS,
        backups::BACKUPS,
        upkeep::UPKEEP,
    ];
    let (mut list, mut at, mut filled) = (0, 0, 0);
    while list < lists.len() {
        if at == lists[list].len() {
            list += 1;
            at = 0;
        } else {
            all[filled] = lists[list][at];
            at += 1;
            filled += 1;
        }
    }
    all
}

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}

#[cfg(test)]
mod tests;
