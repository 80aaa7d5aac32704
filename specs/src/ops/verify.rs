//! `verify`: reading every chunk of a group's snapshots and setting corrupt ones aside.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Group, Namespace};
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
    ListGroup,
    ListSnapshot,
    CheckSnapshot,
    LockNamespace,
    LockSnapshot,
    RecheckSnapshot,
    ReadManifest,
    OpenIndex,
    ReadChunk,
    RenameCorruptChunk,
    LockManifest,
    LoadManifest,
    WriteManifest,
    UnlockManifest,
    UnlockSnapshot,
    UnlockNamespace,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::Verify(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Reads every chunk of a group's snapshots and sets corrupt ones aside.",
    table: TABLE,
    shorts: SHORT,
    part: None,
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
    name: "verify",
    takes: &[Argument::Namespace, Argument::Group],
    usage: "verify(NS), a namespace",
    task: |_, arguments| match *arguments {
        [namespace, group] => Some(Task::Verify {
            namespace: Namespace(namespace),
            group: Group(group),
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::ListGroup, "Lists the snapshots of the group, without a lock; a group that is gone is left out, and the job ends well.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("VerifyWorker::verify_backup_group"),
    row(Step::ListSnapshot, "Lists the files of one snapshot of the group, newest first, before any of them is verified; if one is gone, the whole group is left out, and the job ends well.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::SkipsAVanishedSnapshot)
        .published("BackupGroup::list_backups"),
    row(Step::CheckSnapshot, "Looks whether a snapshot is still there, newest first; one that is gone is skipped.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("VerifyWorker::verify_backup_dir"),
    row(Step::LockNamespace, "Takes the lock of the namespace shared, then those of the namespaces above it; if one is busy, the snapshot is skipped.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("VerifyWorker::verify_backup_dir of v4 (never applied)"),
    row(Step::LockSnapshot, "Takes the lock of the snapshot shared and does not wait; a busy one is skipped. A directory that is locked in its place must be there.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Snapshot, Mode::Shared, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("BackupDir::lock_shared"),
    row(Step::RecheckSnapshot, "Looks under the lock whether the snapshot is still there, since the lock is on its name; one that is gone is skipped.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_with(Change::RechecksAfterLocking)
        .published("(not in the published design)"),
    row(Step::ReadManifest, "Reads the manifest; without one the snapshot has failed.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::load_manifest"),
    row(Step::OpenIndex, "Opens one index file that the manifest lists; if it is gone the snapshot has failed.")
        .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("VerifyWorker::verify_fixed_index"),
    row(Step::ReadChunk, "Reads a chunk, decodes it and compares its digest; one that this job has read already is skipped.")
        .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Corrupt])
        .published("VerifyWorker::verify_index_chunks"),
    row(Step::RenameCorruptChunk, "Under the chunk-store mutex, renames the chunk to its first free bad name, if it is still the corrupt one that was read.")
        .calls(&[
            Call::Mutex,
            Call::Open,
            Call::Fstat,
            Call::Read,
            Call::Close,
            Call::Stat,
            Call::Rename,
        ])
        .takes_within(LockClass::ChunkStore, Mode::Exclusive, Wait::Forever)
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Kept])
        .published("DataStore::rename_corrupt_chunk"),
    row(Step::LockManifest, "Takes the lock of the manifest and waits up to 5 s for it.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Manifest, Mode::Exclusive, Wait::Seconds(5))
        .ends(WAITED_FOR)
        .published("BackupDir::update_manifest"),
    row(Step::LoadManifest, "Reads the manifest again, under its lock; if it is gone, nothing is written, and in `upstream` the snapshot has failed.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::update_manifest"),
    row(Step::WriteManifest, "Writes the manifest with the verify state to a temporary file and renames it over the old one; if the snapshot is gone, the job gives up; in `upstream` the snapshot has failed.")
        .calls(&[Call::Create, Call::Append, Call::Rename, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::update_manifest"),
    row(Step::UnlockManifest, "Closes the lock of the manifest.")
        .calls(&[Call::Close])
        .releases(LockClass::Manifest)
        .published("drop of BackupLockGuard"),
    row(Step::UnlockSnapshot, "Closes the lock of the snapshot.")
        .calls(&[Call::Close])
        .releases(LockClass::Snapshot)
        .published("drop of BackupLockGuard"),
    row(Step::UnlockNamespace, "Closes the lock of a namespace, the own one first, once the snapshot is verified or skipped.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .only_with(Change::LocksNamespaces)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
    row(Step::ReleaseAll, "After a failure, lets every lock go: manifest, snapshot, namespaces.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of the guards"),
];
