//! The mutants: what was removed or reordered, which property must fall, in which scenario.

use crate::design::Design;
use crate::property::Property;
use crate::step::Step;
use serde::{Deserialize, Serialize};

/// What a mutant changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A fault at one step, under the default design.
    Fault(Fault),
    /// A design with other rows, or in another order.
    Design(Design),
    /// A design, and a fault under it: two changes that hide each other.
    Both(Design, Fault),
}

/// A fault at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The step reports success without its effect: a lock is not taken, a line not written.
    Skip(Step<()>),
    /// The step waits for a lock that it should only try.
    Wait(Step<()>),
}

impl Fault {
    /// Where.
    pub const fn step(self) -> Step<()> {
        match self {
            Self::Skip(step) | Self::Wait(step) => step,
        }
    }
}

/// A seeded bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its number in the list of candidates, or `-`.
    pub number: &'static str,
    /// What it changes.
    pub change: Change,
    /// The scenario in which it is caught.
    pub scenario: &'static str,
    /// The property that falls.
    pub property: Property,
    /// What goes wrong, in one sentence.
    pub story: &'static str,
}

impl Mutant {
    /// The design that is run.
    pub const fn design(&self) -> Design {
        match self.change {
            Change::Fault(_) => Design::Hardened,
            Change::Design(design) | Change::Both(design, _) => design,
        }
    }

    /// The fault that is applied, if it is one.
    pub const fn fault(&self) -> Option<Fault> {
        match self.change {
            Change::Fault(fault) | Change::Both(_, fault) => Some(fault),
            Change::Design(_) => None,
        }
    }
}

mod backups;
mod moves;

const COUNT: usize = moves::MUTANTS.len() + backups::MUTANTS.len();

const ALL: [Mutant; COUNT] = joined();

/// All mutants.
pub const MUTANTS: &[Mutant] = &ALL;

/// The lists of the files below, one after the other.
const fn joined() -> [Mutant; COUNT] {
    let mut all = [moves::MUTANTS[0]; COUNT];
    let lists = [moves::MUTANTS, backups::MUTANTS];
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
