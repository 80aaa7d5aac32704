//! `IntervalLog`: when each step of each actor began and ended, in one order for all of them.
//!
//! A step takes effect at some moment between its two marks. A log of single moments would wrongly refute correct
//! runs: of two steps that overlap, the one that is noted first need not be the one that came first.

use serde::{Deserialize, Serialize};
use specs::id::Actor;
use specs::{Event, Label, Outcome};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mark {
    /// An actor begins a step.
    Begin {
        /// Who.
        actor: Actor,
        /// Which step, with its argument as a path below the datastore.
        label: Label<String>,
    },
    /// The step that an actor began last has ended.
    End {
        /// Who.
        actor: Actor,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something that the environment did in one moment.
    Happened {
        /// What.
        event: Event<String>,
    },
}

/// The marks of a run, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntervalLog {
    /// The marks.
    pub marks: Vec<Mark>,
}

/// A log that the actors of a run write to.
#[derive(Clone, Debug, Default)]
pub struct SharedLog(Arc<Mutex<IntervalLog>>);

impl SharedLog {
    /// Adds a mark.
    pub fn note(&self, mark: Mark) {
        self.lock().marks.push(mark);
    }

    /// What has been noted; the log is empty afterwards.
    pub fn take(&self) -> IntervalLog {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, IntervalLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
