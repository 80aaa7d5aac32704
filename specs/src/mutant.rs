//! The mutants: what was removed or reordered, which property must fall, in which scenario.

use crate::design::Design;
use crate::joined::{joined, total};
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
    /// Whether the change makes no difference that anybody can see, which is computed.
    pub is_equivalent: bool,
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
mod generations;
mod locks;
mod moves;
mod namespaces;

const LISTS: &[&[Mutant]] = &[
    moves::MUTANTS,
    backups::MUTANTS,
    namespaces::MUTANTS,
    generations::MUTANTS,
    locks::MUTANTS,
];

/// All mutants.
pub const MUTANTS: &[Mutant] = &joined::<_, { total(LISTS) }>(LISTS);
