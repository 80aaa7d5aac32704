//! `delete_namespace`: removing a namespace with everything in it.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::Namespace;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED_IF_THERE};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Lock the namespace, exclusively.
    LockNamespace(A),
    /// Share the lock of a namespace above it.
    LockAncestor(A),
    /// List the child namespaces of a namespace.
    ListNamespaces(A),
    /// List the groups of a namespace.
    ListGroups(A),
    /// Lock a group.
    LockGroup(A),
    /// List the snapshots of a group.
    ListGroup(A),
    /// Look whether a snapshot is protected.
    CheckProtected(A),
    /// See whether a snapshot is left.
    ListGroupAgain(A),
    /// Unlink notes and owner of an empty group.
    UnlinkOwner(A),
    /// Remove the directory of an empty group.
    RemoveGroup(A),
    /// Unlink the lock file of a group.
    UnlinkGroupLock(A),
    /// Let a group go.
    UnlockGroup(A),
    /// Remove the type directory of a namespace.
    RemoveType(A),
    /// Remove the directory of child namespaces.
    RemoveChildren(A),
    /// Remove the directory of a namespace.
    RemoveNamespace(A),
    /// Let the lock of a namespace go.
    UnlockNamespace(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockNamespace(_) => 0,
            Self::LockAncestor(_) => 1,
            Self::ListNamespaces(_) => 2,
            Self::ListGroups(_) => 3,
            Self::LockGroup(_) => 4,
            Self::ListGroup(_) => 5,
            Self::CheckProtected(_) => 6,
            Self::ListGroupAgain(_) => 7,
            Self::UnlinkOwner(_) => 8,
            Self::RemoveGroup(_) => 9,
            Self::UnlinkGroupLock(_) => 10,
            Self::UnlockGroup(_) => 11,
            Self::RemoveType(_) => 12,
            Self::RemoveChildren(_) => 13,
            Self::RemoveNamespace(_) => 14,
            Self::UnlockNamespace(_) => 15,
            Self::ReleaseAll => 16,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockNamespace(_) => "lock_namespace",
            Self::LockAncestor(_) => "lock_ancestor",
            Self::ListNamespaces(_) => "list_namespaces",
            Self::ListGroups(_) => "list_groups",
            Self::LockGroup(_) => "lock_group",
            Self::ListGroup(_) => "list_group",
            Self::CheckProtected(_) => "check_protected",
            Self::ListGroupAgain(_) => "list_group_again",
            Self::UnlinkOwner(_) => "unlink_owner",
            Self::RemoveGroup(_) => "remove_group",
            Self::UnlinkGroupLock(_) => "unlink_group_lock",
            Self::UnlockGroup(_) => "unlock_group",
            Self::RemoveType(_) => "remove_type",
            Self::RemoveChildren(_) => "remove_children",
            Self::RemoveNamespace(_) => "remove_namespace",
            Self::UnlockNamespace(_) => "unlock_namespace",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockNamespace(a) => Step::LockNamespace(f(a)),
            Self::LockAncestor(a) => Step::LockAncestor(f(a)),
            Self::ListNamespaces(a) => Step::ListNamespaces(f(a)),
            Self::ListGroups(a) => Step::ListGroups(f(a)),
            Self::LockGroup(a) => Step::LockGroup(f(a)),
            Self::ListGroup(a) => Step::ListGroup(f(a)),
            Self::CheckProtected(a) => Step::CheckProtected(f(a)),
            Self::ListGroupAgain(a) => Step::ListGroupAgain(f(a)),
            Self::UnlinkOwner(a) => Step::UnlinkOwner(f(a)),
            Self::RemoveGroup(a) => Step::RemoveGroup(f(a)),
            Self::UnlinkGroupLock(a) => Step::UnlinkGroupLock(f(a)),
            Self::UnlockGroup(a) => Step::UnlockGroup(f(a)),
            Self::RemoveType(a) => Step::RemoveType(f(a)),
            Self::RemoveChildren(a) => Step::RemoveChildren(f(a)),
            Self::RemoveNamespace(a) => Step::RemoveNamespace(f(a)),
            Self::UnlockNamespace(a) => Step::UnlockNamespace(f(a)),
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
        Self::DeleteNamespace(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::DeleteNamespace(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
    name: "delete",
    takes: &[Argument::Namespace],
    usage: "delete(NS), a namespace other than the root namespace",
    task: |_, arguments| match *arguments {
        [namespace] if namespace != 0 => Some(Task::DeleteNamespace {
            namespace: Namespace(namespace),
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockNamespace(())),
        sentence: "Takes the lock of the namespace exclusively, before those above it.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Namespace,
            Mode::Exclusive,
            Wait::No,
        )),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "lock_namespace of v4 (never applied)",
    },
    Row {
        step: step(Step::LockAncestor(())),
        sentence: "Takes the lock of a namespace above it shared, from the inside out, without the root namespace.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "lock_namespace of v4 (never applied)",
    },
    Row {
        step: step(Step::ListNamespaces(())),
        sentence: "Lists the child namespaces of a namespace, which are deleted before it.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::recursive_iter_backup_ns",
    },
    Row {
        step: step(Step::ListGroups(())),
        sentence: "Lists the groups of a namespace, the deepest namespace first; one that is gone is skipped; `upstream` fails.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::remove_namespace_groups",
    },
    Row {
        step: step(Step::LockGroup(())),
        sentence: "Takes the lock of a group and does not wait; if it is busy, the whole operation fails. A directory that is locked in its place must be there.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "DataStore::remove_backup_group",
    },
    Row {
        step: step(Step::ListGroup(())),
        sentence: "Lists the snapshots of the group, which are removed one after the other, as by `forget_snapshot`; a group that is gone is skipped; `upstream` fails.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::destroy",
    },
    Row {
        step: step(Step::CheckProtected(())),
        sentence: "Looks, before any lock of it, whether a snapshot is protected; then it stays. Its removal looks again, under the lock.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Refused],
        designs: Designs::All,
        upstream: "BackupGroup::destroy",
    },
    Row {
        step: step(Step::ListGroupAgain(())),
        sentence: "Lists the group again, for what a change of the owner has left that crashed; the group is kept if a snapshot is left, and let go if whoever created it has removed it again. A process that locks directories goes on to let the group go, which stays; `upstream` goes on to remove the group if no snapshot of it was kept.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::With(Change::ReplacesOwnerFile),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::UnlinkOwner(())),
        sentence: "Unlinks the notes and the owner file of the empty group.",
        calls: &[Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::RemoveGroup(())),
        sentence: "Removes the directory of the empty group; one that is gone already, or no longer empty, is let go.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::UnlinkGroupLock(())),
        sentence: "Unlinks the lock file of the group, while it is held; a directory that was locked in its place is gone already.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Group)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::UnlockGroup(())),
        sentence: "Closes the lock of the group.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::RemoveType(())),
        sentence: "Removes the type directory of a namespace; one that is not empty stays.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::remove_namespace_recursive",
    },
    Row {
        step: step(Step::RemoveChildren(())),
        sentence: "Removes the directory of the child namespaces; one that is not empty stays.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::remove_namespace_recursive",
    },
    Row {
        step: step(Step::RemoveNamespace(())),
        sentence: "Removes the directory of the namespace; one that is not empty stays, and the operation says so.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::remove_namespace_recursive",
    },
    Row {
        step: step(Step::UnlockNamespace(())),
        sentence: "Closes the lock of a namespace, the exclusive one first, then those above it.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets every lock go: the removal of a snapshot, the group, the namespaces.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the guards",
    },
];
