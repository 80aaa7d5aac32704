//! `take_lock`: one lock file, taken in its three calls; carries the mutants of the lock-file protocol.

use crate::design::Change;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::step::{Call, Row};
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
    OpenLockFile,
    FlockLockFile,
    RecheckLockFile,
    UnlinkLockFile,
    UnlockLockFile,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::TakeLock(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Takes one lock file: open, flock, compare inodes; a remover also unlinks it.",
    table: TABLE,
    shorts: &[],
    part: None,
};

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::OpenLockFile, "Opens the lock file; if there is none, creates it under a temporary name with its mode and owner and renames it into place without replacing. With directory locks: makes a directory where there is none, and opens that.")
        .calls(&[
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Mkdir,
            Call::Unlink,
        ])
        .published("proxmox_sys::fs::open_file_locked"),
    row(Step::FlockLockFile, "Asks for an exclusive flock on the open file and does not wait.")
        .about_nothing()
        .calls(&[Call::Flock])
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock])
        .published("proxmox_sys::fs::lock_file"),
    row(Step::RecheckLockFile, "Compares device and inode of the open file with those of the path; a lock on a file that is no longer there is no lock.")
        .about_nothing()
        .calls(&[Call::Fstat, Call::Stat])
        .ends(&[Outcome::Done, Outcome::Vanished])
        .only_without(Change::LocksDirectories)
        .published("lock_helper (pbs-datastore/src/backup_info.rs)"),
    row(Step::UnlinkLockFile, "A remover unlinks the file while it holds the lock. With directory locks: removes the directory.")
        .about_nothing()
        .calls(&[Call::Unlink, Call::Rmdir])
        .unlinks(LockClass::Group)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::remove_group_dir"),
    row(Step::UnlockLockFile, "Closes the file, which lets the lock go.")
        .about_nothing()
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("drop of BackupLockGuard"),
    row(Step::ReleaseAll, "After a failure, closes whatever is open.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("drop of BackupLockGuard"),
];
