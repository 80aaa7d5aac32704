//! The mutants: what was removed or reordered, which property must fall, in which scenario.

use crate::design::{Change, Design, PRESETS};
use crate::joined::{joined, total};
use crate::property::Property;

pub use fault::Fault;

/// What is run: a design, and perhaps faults under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The design.
    pub design: Design,
    /// The faults; several may hide each other.
    pub faults: &'static [Fault],
}

impl Variant {
    /// A design without faults.
    pub const fn of(design: Design) -> Self {
        Self::with(design, &[])
    }

    /// Faults under the default design.
    pub const fn faulty(faults: &'static [Fault]) -> Self {
        Self::with(Design::HARDENED, faults)
    }

    /// Faults under a design.
    pub const fn with(design: Design, faults: &'static [Fault]) -> Self {
        Self { design, faults }
    }
}

/// A seeded bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its number in the list of candidates, or `-`.
    pub number: &'static str,
    /// What is run.
    pub variant: Variant,
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
        self.variant.design
    }

    /// The faults under it.
    pub const fn faults(&self) -> &'static [Fault] {
        self.variant.faults
    }

    /// The design without the bug: that of the mutant if it has faults, and else the published one for a bug of that, and
    /// the hardened one for everything else. What the published design lacks is not missing from the hardened one.
    pub fn sound(&self) -> Design {
        let design = self.design();
        let has_mends = Change::mends().any(|mend| design.has(mend));
        if !self.faults().is_empty() {
            design
        } else if has_mends || design == Design::UPSTREAM {
            Design::HARDENED
        } else {
            Design::UPSTREAM
        }
    }
}

/// The designs that something is asked of: those with names, and those of the mutants.
pub fn designs() -> Vec<Design> {
    let of_mutants = MUTANTS.iter().map(Mutant::design);
    let mut designs = Vec::new();
    for design in PRESETS.iter().map(|preset| preset.design).chain(of_mutants) {
        if !designs.contains(&design) {
            designs.push(design);
        }
    }
    designs
}

mod backups;
mod fault;
mod generations;
mod locks;
mod mends;
mod moves;
mod namespaces;

const LISTS: &[&[Mutant]] = &[
    moves::MUTANTS,
    backups::MUTANTS,
    namespaces::MUTANTS,
    generations::MUTANTS,
    locks::MUTANTS,
    mends::MUTANTS,
];

/// All mutants.
pub const MUTANTS: &[Mutant] = &joined::<_, { total(LISTS) }>(LISTS);
