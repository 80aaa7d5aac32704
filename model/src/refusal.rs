//! Which guard refused a step, with the values that made it false.

use specs::{LockClass, Outcome};
use std::fmt;

/// Why a step with an outcome is not possible in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The actor's next step is another one.
    NotNext,
    /// The actor has ended or was killed.
    Ended,
    /// The lock is held by somebody else, by the number of the actor.
    Held(LockClass, u8),
    /// The lock is free, so nobody is refused.
    Free(LockClass),
    /// What the step looks for is there.
    There,
    /// What the step looks for is not there.
    NotThere,
    /// The precondition holds.
    Allowed,
    /// The precondition does not hold.
    NotAllowed,
    /// The chunk was touched after the cutoff.
    Fresh,
    /// The chunk is older than the cutoff.
    Old,
    /// The environment may not do that any more.
    Exhausted,
    /// The design has no such step or outcome.
    NotInDesign(Outcome),
}

impl Refusal {
    /// What a step that finds something, or nothing, is refused with.
    pub(crate) const fn found(there: bool) -> Self {
        if there { Self::There } else { Self::NotThere }
    }
}

/// The guard of a step that finds something, or does not.
pub(crate) const fn find(there: bool, outcome: Outcome) -> Result<(), Refusal> {
    match (there, outcome) {
        (true, Outcome::Done) | (false, Outcome::NotFound) => Ok(()),
        (there, _) => Err(Refusal::found(there)),
    }
}

/// The guard of a step that reads something and accepts it or not, or does not find it.
pub(crate) const fn accept(there: bool, good: bool, outcome: Outcome) -> Result<(), Refusal> {
    match (there, good, outcome) {
        (false, _, Outcome::NotFound)
        | (true, true, Outcome::Done)
        | (true, false, Outcome::Refused) => Ok(()),
        (false, ..) => Err(Refusal::NotThere),
        (true, true, _) => Err(Refusal::Allowed),
        (true, false, _) => Err(Refusal::NotAllowed),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNext => write!(f, "the actor's next step is another one"),
            Self::Ended => write!(f, "the actor has no step any more"),
            Self::Held(class, by) => write!(f, "the {} lock is held by actor {by}", class.name()),
            Self::Free(class) => write!(f, "the {} lock is free", class.name()),
            Self::There => write!(f, "what the step looks for is there"),
            Self::NotThere => write!(f, "what the step looks for is not there"),
            Self::Allowed => write!(f, "the precondition holds"),
            Self::NotAllowed => write!(f, "the precondition does not hold"),
            Self::Fresh => write!(f, "the chunk was touched after the cutoff"),
            Self::Old => write!(f, "the chunk is older than the cutoff"),
            Self::Exhausted => write!(f, "the scenario allows no more of it"),
            Self::NotInDesign(outcome) => write!(f, "the step cannot end with {outcome:?}"),
        }
    }
}
