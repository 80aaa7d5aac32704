//! `prune`: removing the snapshots of a group that the keep options do not keep.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Share the lock of the namespace and of those above it.
    LockNamespace(A),
    /// List the snapshots of the group.
    ListGroup(A),
    /// List the files of a snapshot.
    ListSnapshot(A),
    /// Let the lock of a namespace go.
    UnlockNamespace(A),
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockNamespace(_) => 0,
            Self::ListGroup(_) => 1,
            Self::ListSnapshot(_) => 2,
            Self::UnlockNamespace(_) => 3,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockNamespace(_) => "lock_namespace",
            Self::ListGroup(_) => "list_group",
            Self::ListSnapshot(_) => "list_snapshot",
            Self::UnlockNamespace(_) => "unlock_namespace",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockNamespace(a) => Step::LockNamespace(f(a)),
            Self::ListGroup(a) => Step::ListGroup(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
            Self::UnlockNamespace(a) => Step::UnlockNamespace(f(a)),
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

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
    name: "prune",
    takes: &[Argument::Namespace, Argument::Group],
    usage: "prune(NS), a namespace",
    task: |_, arguments| match *arguments {
        [namespace, group] => Some(Task::Prune {
            namespace: Namespace(namespace),
            group: Group(group),
            keep_last: 1,
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockNamespace(())),
        sentence: "Takes the lock of the namespace shared, then those of the namespaces above it; if one is busy, the group is skipped.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "prune_datastore of v4 (never applied)",
    },
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
        upstream: "BackupGroup::list_backups",
    },
    Row {
        step: step(Step::UnlockNamespace(())),
        sentence: "Closes the lock of a namespace, the own one first, once the group is pruned or skipped.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
];
