//! `set_owner`: changing the owner of a group.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED_IF_THERE};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Read the owner, to check whether the change is allowed.
    ReadOwner(A),
    /// Lock the group.
    LockGroup(A),
    /// Read the owner again, under the lock.
    RecheckOwner(A),
    /// Empty the owner file.
    TruncateOwner(A),
    /// Write the new owner.
    WriteOwner(A),
    /// Let the group go.
    UnlockGroup(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::ReadOwner(_) => 0,
            Self::LockGroup(_) => 1,
            Self::RecheckOwner(_) => 2,
            Self::TruncateOwner(_) => 3,
            Self::WriteOwner(_) => 4,
            Self::UnlockGroup(_) => 5,
            Self::ReleaseAll => 6,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReadOwner(_) => "read_owner",
            Self::LockGroup(_) => "lock_group",
            Self::RecheckOwner(_) => "recheck_owner",
            Self::TruncateOwner(_) => "truncate_owner",
            Self::WriteOwner(_) => "write_owner",
            Self::UnlockGroup(_) => "unlock_group",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::ReadOwner(a) => Step::ReadOwner(f(a)),
            Self::LockGroup(a) => Step::LockGroup(f(a)),
            Self::RecheckOwner(a) => Step::RecheckOwner(f(a)),
            Self::TruncateOwner(a) => Step::TruncateOwner(f(a)),
            Self::WriteOwner(a) => Step::WriteOwner(f(a)),
            Self::UnlockGroup(a) => Step::UnlockGroup(f(a)),
            Self::ReleaseAll => Step::ReleaseAll,
        }
    }

    /// The label without its argument.
    pub fn kind(self) -> Step<()> {
        self.map(|_| ())
    }
}

impl<A> From<Step<A>> for crate::Step<A> {
    fn from(step: Step<A>) -> Self {
        Self::SetOwner(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::SetOwner(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
    name: "owner",
    takes: &[Argument::Namespace, Argument::Group],
    usage: "owner(NS), a namespace",
    task: |_, arguments| match *arguments {
        [namespace, group] => Some(Task::SetOwner {
            namespace: Namespace(namespace),
            group: Group(group),
            owner: 1,
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::ReadOwner(())),
        sentence: "Reads the owner without a lock; whether it may be changed is decided by it. An empty file is an error.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::All,
        upstream: "set_backup_owner",
    },
    Row {
        step: step(Step::LockGroup(())),
        sentence: "Takes the lock of the group and does not wait; `directory_locks` takes none.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::Without(Change::OwnerNotLocked),
        upstream: "set_backup_owner",
    },
    Row {
        step: step(Step::RecheckOwner(())),
        sentence: "Reads the owner again, under the lock; if it is another one, the operation fails.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::Without(Change::OwnerNotRechecked),
        upstream: "set_backup_owner",
    },
    Row {
        step: step(Step::TruncateOwner(())),
        sentence: "Opens the owner file and empties it; one that is gone is created, unless the group is gone as well.",
        calls: &[Call::Open, Call::Create, Call::Ftruncate],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::ReplacesOwnerFile),
        upstream: "DataStore::set_owner",
    },
    Row {
        step: step(Step::WriteOwner(())),
        sentence: "Writes the new owner to a temporary file and renames it over the old one; `upstream` writes it into the emptied file, from its beginning.",
        calls: &[
            Call::Create,
            Call::Append,
            Call::Ftruncate,
            Call::Rename,
            Call::Unlink,
            Call::Close,
        ],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::set_owner",
    },
    Row {
        step: step(Step::UnlockGroup(())),
        sentence: "Closes the lock of the group.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::OwnerNotLocked),
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets the group go.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
];
