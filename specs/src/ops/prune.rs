//! `prune`: removing the snapshots of a group that the keep options do not keep.

use crate::event::Outcome;
use crate::step::{Call, Designs, Row};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// List the snapshots of the group.
    ListGroup(A),
    /// List the files of a snapshot.
    ListSnapshot(A),
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::ListGroup(_) => 0,
            Self::ListSnapshot(_) => 1,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ListGroup(_) => "list_group",
            Self::ListSnapshot(_) => "list_snapshot",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::ListGroup(a) => Step::ListGroup(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
        }
    }

    /// The label without its argument.
    pub fn kind(self) -> Step<()> {
        self.map(|_| ())
    }
}

impl<A> From<Step<A>> for crate::Step<A> {
    fn from(step: Step<A>) -> Self {
        Self::Prune(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::Prune(step)
}

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::ListGroup(())),
        sentence: "Lists the snapshots of the group, without a lock.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::list_backups",
    },
    Row {
        step: step(Step::ListSnapshot(())),
        sentence: "Lists the files of one snapshot, newest first: whether it is finished, whether it is protected.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupInfo::new",
    },
];
