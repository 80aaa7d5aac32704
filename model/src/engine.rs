//! Exhaustive search of a model: every state once, shortest traces, and an honest end.
//!
//! A level-synchronous breadth-first search over [`stateright::Model`]. A level is cut into blocks; a
//! block is expanded in parallel by contiguous ranges of the frontier, then its successors are looked
//! up in parallel by ranges of fingerprints, then the new ones are numbered in the order in which one
//! queue would have met them. So the numbers, the counts and the traces are the same whatever the
//! number of threads and whatever the hash function, and of all shortest traces the one reported is
//! the first in the order of actions.
//!
//! What is kept of a state is its fingerprint and the number of the state it was first reached from.
//! Full states are kept for two levels only (for all with [`Options::keep_graph`]); a trace is rebuilt
//! by walking again from an initial state. Two states with one fingerprint would be taken for one:
//! the record states the odds of that.

mod block;
mod graph;
mod history;
mod ledger;
mod meeting;
mod report;
mod search;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use stateright::{Expectation, Model};

use crate::verdict::{Expected, Record};
pub use graph::{Edge, Graph};

/// The name under which [`Options::stop_at`] means the first deadlock.
pub const DEADLOCK: &str = "deadlock";

/// A model that the engine can search: a [`Model`] of small `Copy` states, and what stateright has no word for.
///
/// The engine relies on the model being a function: the same state must always offer the same
/// actions in the same order. Where it notices that this is not so it refuses the run.
pub trait Protocol:
    Model<State: Copy + Eq + Hash + Send + Sync, Action: Copy + Eq + Send + Sync + Debug> + Sync
{
    /// Shows `visit` each action that `state` offers together with the state it leads to.
    ///
    /// The order must be that of [`Model::actions`]. A model that can find action and next state in
    /// one pass should override this: the default asks `next_state` anew for each action.
    fn successors(&self, state: &Self::State, visit: &mut impl FnMut(Self::Action, Self::State)) {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        for action in actions {
            if let Some(next) = self.next_state(state, action) {
                visit(action, next);
            }
        }
    }

    /// Whether `state` puts the property with this index in [`Model::properties`] to the test.
    ///
    /// A property whose premise never holds is true of nothing, and the run is red.
    fn premise(&self, _property: usize, _state: &Self::State) -> bool {
        true
    }

    /// What is expected of the property with this index.
    fn expected(&self, _property: usize) -> Expected {
        Expected::Tested
    }

    /// Whether somebody is unfinished in `state` and nobody has a step.
    fn is_deadlock(&self, _state: &Self::State) -> bool {
        false
    }

    /// The kind of step that `action` is in `state`, below [`Protocol::kinds`]: what coverage is counted by.
    fn kind(&self, _state: &Self::State, _action: &Self::Action) -> usize {
        0
    }

    /// How many kinds of step there are.
    fn kinds(&self) -> usize {
        1
    }
}

/// How a search is run, and what may end it early.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that search; 0 counts as 1. The result does not depend on it.
    pub threads: usize,
    /// More states than this cut the run. They are counted block by block, so a few more may be found.
    pub max_states: Option<u64>,
    /// Stop at the first violation (or witness) of this property, or at the first [`DEADLOCK`].
    pub stop_at: Option<String>,
    /// Keep every state and every edge, for replay.
    pub keep_graph: bool,
    /// Where a watcher can read how far the search is.
    pub progress: Arc<Progress>,
    /// Set to true by a watcher, cuts the run at the next block.
    pub abort: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            max_states: None,
            stop_at: None,
            keep_graph: false,
            progress: Arc::default(),
            abort: Arc::default(),
        }
    }
}

/// How far a search is, brought up to date after every block.
#[derive(Debug, Default)]
pub struct Progress {
    /// States found.
    pub states: AtomicU64,
    /// Edges followed.
    pub edges: AtomicU64,
    /// Steps from an initial state to the level being expanded.
    pub depth: AtomicU64,
    /// States found that are yet to be expanded.
    pub frontier: AtomicU64,
}

/// What a search yields: the record of the run and, where asked for, the graph.
#[derive(Clone, Debug)]
pub struct Exploration<S, A> {
    /// Counts, findings and completeness.
    pub record: Record<S, A>,
    /// Every state and edge, if [`Options::keep_graph`] was set. Partial if the run was.
    pub graph: Option<Graph<S, A>>,
}

/// Why a model or its options cannot be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `eventually` would need every infinite path judged; a search over states cannot.
    Eventually {
        /// The property.
        property: &'static str,
    },
    /// Two properties have this name, so a finding could not be told from another.
    SameName {
        /// The shared name.
        property: &'static str,
    },
    /// [`Options::stop_at`] names no property of the model.
    UnknownProperty {
        /// The name given.
        given: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A trace could not be walked again: the model does not always answer alike.
    NotRepeatable {
        /// Steps from the initial state to where the walk was lost.
        depth: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eventually { property } => write!(
                f,
                "`{property}` is an `eventually` property, which a search over states cannot judge: \
                 write it as `always`, for instance about states in which nobody can go on"
            ),
            Self::SameName { property } => write!(f, "two properties are named `{property}`"),
            Self::UnknownProperty { given, known } => {
                write!(
                    f,
                    "no property is named `{given}`; there are {}",
                    known.join(", ")
                )?;
                write!(f, " and {DEADLOCK}")
            }
            Self::NotRepeatable { depth } => write!(
                f,
                "the model does not repeat itself: a trace was lost after {depth} steps; the same \
                 state must always offer the same actions in the same order"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// Searches every state that `model` can reach.
///
/// # Errors
/// Refuses a model or options that could only give an answer that means nothing.
///
/// # Panics
/// Where the model does, whichever thread it happens on.
pub fn explore<P: Protocol>(
    model: &P,
    options: &Options,
) -> Result<Exploration<P::State, P::Action>, Refusal> {
    let started = Instant::now();
    let names = property_names(model)?;
    let stop_at = match &options.stop_at {
        None => None,
        Some(name) if name == DEADLOCK => Some(tally::Subject::Deadlock),
        Some(name) => match names.iter().position(|known| known == name) {
            Some(index) => Some(tally::Subject::Property(index)),
            None => {
                return Err(Refusal::UnknownProperty {
                    given: name.clone(),
                    known: names,
                });
            }
        },
    };
    let mut exploration = search::run(model, options, stop_at)?;
    exploration.record.seconds = started.elapsed().as_secs_f64();
    Ok(exploration)
}

/// The names of the properties, once it is certain that each can be judged and told apart.
fn property_names<P: Protocol>(model: &P) -> Result<Vec<&'static str>, Refusal> {
    let mut names = Vec::new();
    for property in model.properties() {
        if property.expectation == Expectation::Eventually {
            return Err(Refusal::Eventually {
                property: property.name,
            });
        }
        if names.contains(&property.name) {
            return Err(Refusal::SameName {
                property: property.name,
            });
        }
        names.push(property.name);
    }
    Ok(names)
}
