//! `forget_snapshot`: removing a snapshot, file by file, and its group if nothing is left in it.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Namespace, Snapshot};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, LOCK_FILE_CALLS, Row, TRIED_IF_THERE, WAITED_FOR};
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
    LockSnapshot,
    LockManifest,
    CheckProtected,
    ListSnapshot,
    UnlinkManifest,
    UnlinkFile,
    RemoveSnapshot,
    UnlinkManifestLock,
    UnlinkSnapshotLock,
    LockGroup,
    ListGroup,
    ListRemaining,
    UnlinkOwner,
    RemoveGroup,
    UnlinkGroupLock,
    UnlockGroup,
    UnlockManifest,
    UnlockSnapshot,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::ForgetSnapshot(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Removes a snapshot, file by file, and its group if nothing is left in it.",
    table: TABLE,
    shorts: SHORT,
    part: None,
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
    name: "forget",
    takes: &[Argument::Namespace, Argument::Snapshot],
    usage: "forget(NS,N), a namespace and the number of a snapshot",
    task: |_, arguments| match *arguments {
        [namespace, snapshot] => Some(Task::ForgetSnapshot {
            namespace: Namespace(namespace),
            snapshot: Snapshot(snapshot),
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockSnapshot, "Takes the lock of the snapshot and does not wait. A directory that is locked in its place must be there.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Snapshot, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("BackupDir::lock"),
    row(Step::LockManifest, "Takes the lock of the manifest and waits up to 5 s for it. A backup that gives up takes it in `hardened`, unless it has it already; if it does not get it, the snapshot stays as it is if the session has written its manifest, and is removed otherwise.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Manifest, Mode::Exclusive, Wait::Seconds(5))
        .ends(WAITED_FOR)
        .published("BackupDir::lock_manifest"),
    row(Step::CheckProtected, "Looks whether the snapshot is protected; then it stays.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::Refused])
        .only_without(Change::ProtectionNotChecked)
        .published("BackupDir::is_protected"),
    row(Step::ListSnapshot, "Lists the files of the snapshot; `hardened` refuses if that of a protection is among them.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .published("BackupDir::destroy"),
    row(Step::UnlinkManifest, "Unlinks the manifest before any other file, so that what a crash leaves is an unfinished snapshot.")
        .calls(&[Call::Unlink])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_with(Change::RemovesTheManifestFirst)
        .published("(not in the published design)"),
    row(Step::UnlinkFile, "Unlinks one listed file, in the order of the listing; one that is gone is skipped.")
        .calls(&[Call::Unlink])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::destroy"),
    row(Step::RemoveSnapshot, "Removes the directory of the snapshot.")
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .published("BackupDir::destroy"),
    row(Step::UnlinkManifestLock, "Unlinks the lock file of the manifest, while it is held. A backup that gives up does not hold it in `upstream`, and unlinks it all the same; in `hardened` it leaves a file that it could not lock.")
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Manifest)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::destroy"),
    row(Step::UnlinkSnapshotLock, "Unlinks the lock file of the snapshot, while it is held; a directory that was locked in its place is gone already.")
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Snapshot)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::destroy"),
    row(Step::LockGroup, "Takes the lock of the group and does not wait; if it is busy, the group is left as it is. A process that locks directories leaves every group as it is and goes on to let the manifest go.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("BackupGroup::lock"),
    row(Step::ListGroup, "Lists the group; it is kept if a snapshot is left.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .published("BackupDir::destroy"),
    row(Step::ListRemaining, "Lists the files of one snapshot that is left in the group, newest first, as part of looking whether any is; if it is gone by now, the operation fails, though its own snapshot is removed.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::SkipsAVanishedSnapshot)
        .published("BackupGroup::list_backups"),
    row(Step::UnlinkOwner, "Unlinks the notes and the owner file of the empty group.")
        .calls(&[Call::Unlink])
        .published("BackupGroup::remove_group_dir"),
    row(Step::RemoveGroup, "Removes the directory of the empty group.")
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
    row(Step::UnlockManifest, "Closes the lock of the manifest.")
        .calls(&[Call::Close])
        .releases(LockClass::Manifest)
        .published("drop of BackupLockGuard"),
    row(Step::UnlockSnapshot, "Closes the lock of the snapshot.")
        .calls(&[Call::Close])
        .releases(LockClass::Snapshot)
        .published("drop of BackupLockGuard"),
    row(Step::ReleaseAll, "After a failure, lets every lock go: group, manifest, snapshot.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of the guards"),
];
