//! `take_lock`: one lock file, taken in its three calls; carries the mutants of the lock-file protocol.

use crate::design::Change;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::step::{Call, Designs, LockUse, Row};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Open the lock file, or create it.
    OpenLockFile(A),
    /// flock(2) the open file.
    FlockLockFile,
    /// Compare the inode of the open file with the one at the path.
    RecheckLockFile,
    /// A remover unlinks the file that it holds.
    UnlinkLockFile,
    /// Close the file.
    UnlockLockFile,
    /// Close whatever is open, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::OpenLockFile(_) => 0,
            Self::FlockLockFile => 1,
            Self::RecheckLockFile => 2,
            Self::UnlinkLockFile => 3,
            Self::UnlockLockFile => 4,
            Self::ReleaseAll => 5,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OpenLockFile(_) => "open_lock_file",
            Self::FlockLockFile => "flock_lock_file",
            Self::RecheckLockFile => "recheck_lock_file",
            Self::UnlinkLockFile => "unlink_lock_file",
            Self::UnlockLockFile => "unlock_lock_file",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::OpenLockFile(a) => Step::OpenLockFile(f(a)),
            Self::FlockLockFile => Step::FlockLockFile,
            Self::RecheckLockFile => Step::RecheckLockFile,
            Self::UnlinkLockFile => Step::UnlinkLockFile,
            Self::UnlockLockFile => Step::UnlockLockFile,
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
        Self::TakeLock(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::TakeLock(step)
}

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::OpenLockFile(())),
        sentence: "Opens the lock file; if there is none, creates it under a temporary name with its mode and owner and renames it into place without replacing. With directory locks: makes a directory where there is none, and opens that.",
        calls: &[
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Mkdir,
            Call::Unlink,
        ],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "proxmox_sys::fs::open_file_locked",
    },
    Row {
        step: step(Step::FlockLockFile),
        sentence: "Asks for an exclusive flock on the open file and does not wait.",
        calls: &[Call::Flock],
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock],
        designs: Designs::All,
        upstream: "proxmox_sys::fs::lock_file",
    },
    Row {
        step: step(Step::RecheckLockFile),
        sentence: "Compares device and inode of the open file with those of the path; a lock on a file that is no longer there is no lock.",
        calls: &[Call::Fstat, Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Vanished],
        designs: Designs::Without(Change::LocksDirectories),
        upstream: "lock_helper (pbs-datastore/src/backup_info.rs)",
    },
    Row {
        step: step(Step::UnlinkLockFile),
        sentence: "A remover unlinks the file while it holds the lock. With directory locks: removes the directory.",
        calls: &[Call::Unlink, Call::Rmdir],
        lock: Some(LockUse::Unlink(LockClass::Group)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::UnlockLockFile),
        sentence: "Closes the file, which lets the lock go.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, closes whatever is open.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
];
