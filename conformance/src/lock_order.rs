//! The lock order: which lock is taken while which other one is held, in the model and in real runs.
//!
//! *Nodes* are lock classes in a mode. *An edge* `held -> taken` says that some actor asked for `taken` while it had
//! `held` by the word of the kernel, with how long it waits. A lock that is asked for in vain is an edge like one that
//! is given, since whoever is kept waiting is the one who deadlocks; whether it was ever given is noted. A lock that is
//! taken and let go within one step is an edge into it.
//!
//! *From the model* (`graph`) come all edges of the complete graphs of scenarios. *From real runs* (`real`) come those
//! that the actors of a replay note themselves (`lock_notes`), by the files that they lock, without any look at the
//! step tables. The two must be equal. *What is allowed* (`allowed`) stands in `specs/lock-order.txt`. *A cycle*
//! (`cycle`) of edges whose takers wait is a possible deadlock, whatever the file says.

pub mod allowed;
pub mod cycle;
pub mod graph;
pub mod page;
pub mod real;
pub mod record;
pub mod verdict;

use serde::{Deserialize, Serialize};
use specs::lock_class::{Mode, Wait};
use specs::{LockClass, Step};
use std::fmt;

/// A lock, as far as an order needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// One of a class, in a mode.
    Class(LockClass, Mode),
    /// One that the step tables do not know, by what is known of it; only a real run meets one.
    Other(String),
}

/// A lock is asked for while another one is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// What the actor has.
    pub held: Node,
    /// What it asks for.
    pub taken: Node,
    /// How long it waits.
    pub wait: Wait,
}

/// An edge, and the step that takes it; none for one outside every step, which only a real run could have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Taking {
    /// The edge.
    pub edge: Edge,
    /// The step.
    pub step: Option<Step>,
}

impl Node {
    /// The class, of a lock that has one.
    pub const fn class(&self) -> Option<LockClass> {
        match self {
            Self::Class(class, _) => Some(*class),
            Self::Other(_) => None,
        }
    }

    /// Whether one actor can be kept waiting for this lock because another one has it as `other`.
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Class(a, Mode::Shared), Self::Class(b, Mode::Shared)) if a == b => false,
            (Self::Class(a, _), Self::Class(b, _)) => a == b,
            (Self::Other(a), Self::Other(b)) => a == b,
            (Self::Class(..), Self::Other(_)) | (Self::Other(_), Self::Class(..)) => false,
        }
    }
}

impl Edge {
    /// Whether both locks are of one class, so that ranks say nothing about their order.
    pub fn is_within_a_class(&self) -> bool {
        self.held.class().is_some() && self.held.class() == self.taken.class()
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class, Mode::Shared) => write!(f, "{} shared", class.name()),
            Self::Class(class, Mode::Exclusive) => write!(f, "{} exclusive", class.name()),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// As a line of the allowed order.
impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = wait_name(self.wait);
        write!(f, "{} -> {}: {wait}", self.held, self.taken)
    }
}

impl fmt::Display for Taking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.edge, step_name(self.step))
    }
}

/// How long a taker waits, in few words.
pub fn wait_name(wait: Wait) -> String {
    match wait {
        Wait::No => "tries".to_owned(),
        Wait::Seconds(seconds) => format!("waits {seconds} s"),
        Wait::Forever => "waits".to_owned(),
    }
}

/// A step as it is printed.
pub fn step_name(step: Option<Step>) -> String {
    step.map_or_else(|| "no step".to_owned(), |step| step.full_name())
}
