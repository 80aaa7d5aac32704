//! `delete_namespace`: removing a namespace with everything in it.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::Namespace;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::{Op, Operation, Part};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, LOCK_FILE_CALLS, Row, TRIED_IF_THERE};
use serde::{Deserialize, Serialize};
use strum::{EnumCount, IntoStaticStr};

/// The steps, in the order of the protocol.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumCount,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Step {
    LockNamespace,
    LockAncestor,
    ListNamespaces,
    ListGroups,
    LockGroup,
    ListGroup,
    CheckProtected,
    ListGroupAgain,
    UnlinkOwner,
    RemoveGroup,
    UnlinkGroupLock,
    UnlockGroup,
    RemoveType,
    RemoveChildren,
    RemoveNamespace,
    UnlockNamespace,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::DeleteNamespace(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Removes a namespace with all groups and namespaces in it, the deepest first.",
    table: TABLE,
    shorts: SHORT,
    part: Some(Part {
        op: Op::ForgetSnapshot,
        without: &[],
    }),
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
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
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockNamespace, "Takes the lock of the namespace exclusively, before those above it.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Exclusive, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("lock_namespace of v4 (never applied)"),
    row(Step::LockAncestor, "Takes the lock of a namespace above it shared, from the inside out, without the root namespace.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("lock_namespace of v4 (never applied)"),
    row(Step::ListNamespaces, "Lists the child namespaces of a namespace, which are deleted before it.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("DataStore::recursive_iter_backup_ns"),
    row(Step::ListGroups, "Lists the groups of a namespace, the deepest namespace first; one that is gone is skipped; `upstream` fails.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("DataStore::remove_namespace_groups"),
    row(Step::LockGroup, "Takes the lock of a group and does not wait; if it is busy, the whole operation fails. A directory that is locked in its place must be there.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("DataStore::remove_backup_group"),
    row(Step::ListGroup, "Lists the snapshots of the group, which are removed one after the other, as by `forget_snapshot`; a group that is gone is skipped; `upstream` fails.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::destroy"),
    row(Step::CheckProtected, "Looks, before any lock of it, whether a snapshot is protected; then it stays. Its removal looks again, under the lock.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::Refused])
        .published("BackupGroup::destroy"),
    row(Step::ListGroupAgain, "Lists the group again, for what a change of the owner has left that crashed; the group is kept if a snapshot is left, and let go if whoever created it has removed it again. A process that locks directories goes on to let the group go, which stays; `upstream` goes on to remove the group if no snapshot of it was kept.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_with(Change::ReplacesOwnerFile)
        .published("(not in the published design)"),
    row(Step::UnlinkOwner, "Unlinks the notes and the owner file of the empty group.")
        .calls(&[Call::Unlink])
        .published("BackupGroup::remove_group_dir"),
    row(Step::RemoveGroup, "Removes the directory of the empty group; one that is gone already, or no longer empty, is let go.")
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .published("BackupGroup::remove_group_dir"),
    row(Step::UnlinkGroupLock, "Unlinks the lock file of the group, while it is held; a directory that was locked in its place is gone already.")
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Group)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::remove_group_dir"),
    row(Step::UnlockGroup, "Closes the lock of the group.")
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("drop of BackupLockGuard"),
    row(Step::RemoveType, "Removes the type directory of a namespace; one that is not empty stays.")
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .published("DataStore::remove_namespace_recursive"),
    row(Step::RemoveChildren, "Removes the directory of the child namespaces; one that is not empty stays.")
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .published("DataStore::remove_namespace_recursive"),
    row(Step::RemoveNamespace, "Removes the directory of the namespace; one that is not empty stays, and the operation says so.")
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .published("DataStore::remove_namespace_recursive"),
    row(Step::UnlockNamespace, "Closes the lock of a namespace, the exclusive one first, then those above it.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .only_with(Change::LocksNamespaces)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
    row(Step::ReleaseAll, "After a failure, lets every lock go: the removal of a snapshot, the group, the namespaces.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of the guards"),
];
