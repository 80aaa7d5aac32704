//! `forget_snapshot`: removing a snapshot, file by file, and its group if nothing is left in it.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Namespace, Snapshot};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED_IF_THERE, WAITED_FOR};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Lock the snapshot.
    LockSnapshot(A),
    /// Lock its manifest.
    LockManifest(A),
    /// Look whether it is protected.
    CheckProtected(A),
    /// List its files.
    ListSnapshot(A),
    /// Unlink its manifest before anything else.
    UnlinkManifest(A),
    /// Unlink one of its files.
    UnlinkFile(A),
    /// Remove its directory.
    RemoveSnapshot(A),
    /// Unlink the lock file of the manifest.
    UnlinkManifestLock(A),
    /// Unlink the lock file of the snapshot.
    UnlinkSnapshotLock(A),
    /// Lock the group.
    LockGroup(A),
    /// List the group.
    ListGroup(A),
    /// List the files of a snapshot that is left in the group.
    ListRemaining(A),
    /// Unlink notes and owner file.
    UnlinkOwner(A),
    /// Remove the directory of the group.
    RemoveGroup(A),
    /// Unlink the lock file of the group.
    UnlinkGroupLock(A),
    /// Let the group go.
    UnlockGroup(A),
    /// Let the manifest go.
    UnlockManifest(A),
    /// Let the snapshot go.
    UnlockSnapshot(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockSnapshot(_) => 0,
            Self::LockManifest(_) => 1,
            Self::CheckProtected(_) => 2,
            Self::ListSnapshot(_) => 3,
            Self::UnlinkManifest(_) => 4,
            Self::UnlinkFile(_) => 5,
            Self::RemoveSnapshot(_) => 6,
            Self::UnlinkManifestLock(_) => 7,
            Self::UnlinkSnapshotLock(_) => 8,
            Self::LockGroup(_) => 9,
            Self::ListGroup(_) => 10,
            Self::ListRemaining(_) => 11,
            Self::UnlinkOwner(_) => 12,
            Self::RemoveGroup(_) => 13,
            Self::UnlinkGroupLock(_) => 14,
            Self::UnlockGroup(_) => 15,
            Self::UnlockManifest(_) => 16,
            Self::UnlockSnapshot(_) => 17,
            Self::ReleaseAll => 18,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockSnapshot(_) => "lock_snapshot",
            Self::LockManifest(_) => "lock_manifest",
            Self::CheckProtected(_) => "check_protected",
            Self::ListSnapshot(_) => "list_snapshot",
            Self::UnlinkManifest(_) => "unlink_manifest",
            Self::UnlinkFile(_) => "unlink_file",
            Self::RemoveSnapshot(_) => "remove_snapshot",
            Self::UnlinkManifestLock(_) => "unlink_manifest_lock",
            Self::UnlinkSnapshotLock(_) => "unlink_snapshot_lock",
            Self::LockGroup(_) => "lock_group",
            Self::ListGroup(_) => "list_group",
            Self::ListRemaining(_) => "list_remaining",
            Self::UnlinkOwner(_) => "unlink_owner",
            Self::RemoveGroup(_) => "remove_group",
            Self::UnlinkGroupLock(_) => "unlink_group_lock",
            Self::UnlockGroup(_) => "unlock_group",
            Self::UnlockManifest(_) => "unlock_manifest",
            Self::UnlockSnapshot(_) => "unlock_snapshot",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockSnapshot(a) => Step::LockSnapshot(f(a)),
            Self::LockManifest(a) => Step::LockManifest(f(a)),
            Self::CheckProtected(a) => Step::CheckProtected(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
            Self::UnlinkManifest(a) => Step::UnlinkManifest(f(a)),
            Self::UnlinkFile(a) => Step::UnlinkFile(f(a)),
            Self::RemoveSnapshot(a) => Step::RemoveSnapshot(f(a)),
            Self::UnlinkManifestLock(a) => Step::UnlinkManifestLock(f(a)),
            Self::UnlinkSnapshotLock(a) => Step::UnlinkSnapshotLock(f(a)),
            Self::LockGroup(a) => Step::LockGroup(f(a)),
            Self::ListGroup(a) => Step::ListGroup(f(a)),
            Self::ListRemaining(a) => Step::ListRemaining(f(a)),
            Self::UnlinkOwner(a) => Step::UnlinkOwner(f(a)),
            Self::RemoveGroup(a) => Step::RemoveGroup(f(a)),
            Self::UnlinkGroupLock(a) => Step::UnlinkGroupLock(f(a)),
            Self::UnlockGroup(a) => Step::UnlockGroup(f(a)),
            Self::UnlockManifest(a) => Step::UnlockManifest(f(a)),
            Self::UnlockSnapshot(a) => Step::UnlockSnapshot(f(a)),
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
        Self::ForgetSnapshot(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::ForgetSnapshot(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
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
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockSnapshot(())),
        sentence: "Takes the lock of the snapshot and does not wait. A directory that is locked in its place must be there.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Snapshot,
            Mode::Exclusive,
            Wait::No,
        )),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "BackupDir::lock",
    },
    Row {
        step: step(Step::LockManifest(())),
        sentence: "Takes the lock of the manifest and waits up to 5 s for it. A backup that gives up takes it in `hardened`, unless it has it already; if it does not get it, the snapshot stays as it is if the session has written its manifest, and is removed otherwise.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Manifest,
            Mode::Exclusive,
            Wait::Seconds(5),
        )),
        outcomes: WAITED_FOR,
        designs: Designs::All,
        upstream: "BackupDir::lock_manifest",
    },
    Row {
        step: step(Step::CheckProtected(())),
        sentence: "Looks whether the snapshot is protected; then it stays.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Refused],
        designs: Designs::Without(Change::ProtectionNotChecked),
        upstream: "BackupDir::is_protected",
    },
    Row {
        step: step(Step::ListSnapshot(())),
        sentence: "Lists the files of the snapshot; `hardened` refuses if that of a protection is among them.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::All,
        upstream: "BackupDir::destroy",
    },
    Row {
        step: step(Step::UnlinkManifest(())),
        sentence: "Unlinks the manifest before any other file, so that what a crash leaves is an unfinished snapshot.",
        calls: &[Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::With(Change::RemovesTheManifestFirst),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::UnlinkFile(())),
        sentence: "Unlinks one listed file, in the order of the listing; one that is gone is skipped.",
        calls: &[Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::destroy",
    },
    Row {
        step: step(Step::RemoveSnapshot(())),
        sentence: "Removes the directory of the snapshot.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::destroy",
    },
    Row {
        step: step(Step::UnlinkManifestLock(())),
        sentence: "Unlinks the lock file of the manifest, while it is held. A backup that gives up does not hold it in `upstream`, and unlinks it all the same; in `hardened` it leaves a file that it could not lock.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Manifest)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::destroy",
    },
    Row {
        step: step(Step::UnlinkSnapshotLock(())),
        sentence: "Unlinks the lock file of the snapshot, while it is held; a directory that was locked in its place is gone already.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Snapshot)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::destroy",
    },
    Row {
        step: step(Step::LockGroup(())),
        sentence: "Takes the lock of the group and does not wait; if it is busy, the group is left as it is. A process that locks directories leaves every group as it is and goes on to let the manifest go.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "BackupGroup::lock",
    },
    Row {
        step: step(Step::ListGroup(())),
        sentence: "Lists the group; it is kept if a snapshot is left.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::destroy",
    },
    Row {
        step: step(Step::ListRemaining(())),
        sentence: "Lists the files of one snapshot that is left in the group, newest first, as part of looking whether any is; if it is gone by now, the operation fails, though its own snapshot is removed.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::SkipsAVanishedSnapshot),
        upstream: "BackupGroup::list_backups",
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
        sentence: "Removes the directory of the empty group.",
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
        step: step(Step::UnlockManifest(())),
        sentence: "Closes the lock of the manifest.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Manifest)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::UnlockSnapshot(())),
        sentence: "Closes the lock of the snapshot.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Snapshot)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets every lock go: group, manifest, snapshot.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the guards",
    },
];
