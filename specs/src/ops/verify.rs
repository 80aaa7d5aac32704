//! `verify`: reading every chunk of a group's snapshots and setting corrupt ones aside.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED_IF_THERE, WAITED_FOR};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// List the snapshots of the group.
    ListGroup(A),
    /// List the files of a snapshot.
    ListSnapshot(A),
    /// Look whether a snapshot is there.
    CheckSnapshot(A),
    /// Share the lock of the namespace and of those above it.
    LockNamespace(A),
    /// Share the lock of the snapshot.
    LockSnapshot(A),
    /// Look again, under the lock.
    RecheckSnapshot(A),
    /// Read the manifest.
    ReadManifest(A),
    /// Open an index file.
    OpenIndex(A),
    /// Read a chunk.
    ReadChunk(A),
    /// Set a corrupt chunk aside.
    RenameCorruptChunk(A),
    /// Lock the manifest.
    LockManifest(A),
    /// Read the manifest under its lock.
    LoadManifest(A),
    /// Write the verify state.
    WriteManifest(A),
    /// Let the manifest go.
    UnlockManifest(A),
    /// Let the snapshot go.
    UnlockSnapshot(A),
    /// Let the lock of a namespace go.
    UnlockNamespace(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::ListGroup(_) => 0,
            Self::ListSnapshot(_) => 1,
            Self::CheckSnapshot(_) => 2,
            Self::LockNamespace(_) => 3,
            Self::LockSnapshot(_) => 4,
            Self::RecheckSnapshot(_) => 5,
            Self::ReadManifest(_) => 6,
            Self::OpenIndex(_) => 7,
            Self::ReadChunk(_) => 8,
            Self::RenameCorruptChunk(_) => 9,
            Self::LockManifest(_) => 10,
            Self::LoadManifest(_) => 11,
            Self::WriteManifest(_) => 12,
            Self::UnlockManifest(_) => 13,
            Self::UnlockSnapshot(_) => 14,
            Self::UnlockNamespace(_) => 15,
            Self::ReleaseAll => 16,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ListGroup(_) => "list_group",
            Self::ListSnapshot(_) => "list_snapshot",
            Self::CheckSnapshot(_) => "check_snapshot",
            Self::LockNamespace(_) => "lock_namespace",
            Self::LockSnapshot(_) => "lock_snapshot",
            Self::RecheckSnapshot(_) => "recheck_snapshot",
            Self::ReadManifest(_) => "read_manifest",
            Self::OpenIndex(_) => "open_index",
            Self::ReadChunk(_) => "read_chunk",
            Self::RenameCorruptChunk(_) => "rename_corrupt_chunk",
            Self::LockManifest(_) => "lock_manifest",
            Self::LoadManifest(_) => "load_manifest",
            Self::WriteManifest(_) => "write_manifest",
            Self::UnlockManifest(_) => "unlock_manifest",
            Self::UnlockSnapshot(_) => "unlock_snapshot",
            Self::UnlockNamespace(_) => "unlock_namespace",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::ListGroup(a) => Step::ListGroup(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
            Self::CheckSnapshot(a) => Step::CheckSnapshot(f(a)),
            Self::LockNamespace(a) => Step::LockNamespace(f(a)),
            Self::LockSnapshot(a) => Step::LockSnapshot(f(a)),
            Self::RecheckSnapshot(a) => Step::RecheckSnapshot(f(a)),
            Self::ReadManifest(a) => Step::ReadManifest(f(a)),
            Self::OpenIndex(a) => Step::OpenIndex(f(a)),
            Self::ReadChunk(a) => Step::ReadChunk(f(a)),
            Self::RenameCorruptChunk(a) => Step::RenameCorruptChunk(f(a)),
            Self::LockManifest(a) => Step::LockManifest(f(a)),
            Self::LoadManifest(a) => Step::LoadManifest(f(a)),
            Self::WriteManifest(a) => Step::WriteManifest(f(a)),
            Self::UnlockManifest(a) => Step::UnlockManifest(f(a)),
            Self::UnlockSnapshot(a) => Step::UnlockSnapshot(f(a)),
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
        Self::Verify(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::Verify(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
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
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::ListGroup(())),
        sentence: "Lists the snapshots of the group, without a lock; a group that is gone is left out, and the job ends well.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "VerifyWorker::verify_backup_group",
    },
    Row {
        step: step(Step::ListSnapshot(())),
        sentence: "Lists the files of one snapshot of the group, newest first, before any of them is verified; if one is gone, the whole group is left out, and the job ends well.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::SkipsAVanishedSnapshot),
        upstream: "BackupGroup::list_backups",
    },
    Row {
        step: step(Step::CheckSnapshot(())),
        sentence: "Looks whether a snapshot is still there, newest first; one that is gone is skipped.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "VerifyWorker::verify_backup_dir",
    },
    Row {
        step: step(Step::LockNamespace(())),
        sentence: "Takes the lock of the namespace shared, then those of the namespaces above it; if one is busy, the snapshot is skipped.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "VerifyWorker::verify_backup_dir of v4 (never applied)",
    },
    Row {
        step: step(Step::LockSnapshot(())),
        sentence: "Takes the lock of the snapshot shared and does not wait; a busy one is skipped. A directory that is locked in its place must be there.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Snapshot, Mode::Shared, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "BackupDir::lock_shared",
    },
    Row {
        step: step(Step::RecheckSnapshot(())),
        sentence: "Looks under the lock whether the snapshot is still there, since the lock is on its name; one that is gone is skipped.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::With(Change::RechecksAfterLocking),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::ReadManifest(())),
        sentence: "Reads the manifest; without one the snapshot has failed.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::load_manifest",
    },
    Row {
        step: step(Step::OpenIndex(())),
        sentence: "Opens one index file that the manifest lists; if it is gone the snapshot has failed.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "VerifyWorker::verify_fixed_index",
    },
    Row {
        step: step(Step::ReadChunk(())),
        sentence: "Reads a chunk, decodes it and compares its digest; one that this job has read already is skipped.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Corrupt],
        designs: Designs::All,
        upstream: "VerifyWorker::verify_index_chunks",
    },
    Row {
        step: step(Step::RenameCorruptChunk(())),
        sentence: "Under the chunk-store mutex, renames the chunk to its first free bad name, if it is still the corrupt one that was read.",
        calls: &[
            Call::Mutex,
            Call::Open,
            Call::Fstat,
            Call::Read,
            Call::Close,
            Call::Stat,
            Call::Rename,
        ],
        lock: Some(LockUse::Within(
            LockClass::ChunkStore,
            Mode::Exclusive,
            Wait::Forever,
        )),
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Kept],
        designs: Designs::All,
        upstream: "DataStore::rename_corrupt_chunk",
    },
    Row {
        step: step(Step::LockManifest(())),
        sentence: "Takes the lock of the manifest and waits up to 5 s for it.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Manifest,
            Mode::Exclusive,
            Wait::Seconds(5),
        )),
        outcomes: WAITED_FOR,
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
    },
    Row {
        step: step(Step::LoadManifest(())),
        sentence: "Reads the manifest again, under its lock; if it is gone, nothing is written, and in `upstream` the snapshot has failed.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
    },
    Row {
        step: step(Step::WriteManifest(())),
        sentence: "Writes the manifest with the verify state to a temporary file and renames it over the old one; if the snapshot is gone, the job gives up; in `upstream` the snapshot has failed.",
        calls: &[Call::Create, Call::Append, Call::Rename, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
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
        step: step(Step::UnlockNamespace(())),
        sentence: "Closes the lock of a namespace, the own one first, once the snapshot is verified or skipped.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets every lock go: manifest, snapshot, namespaces.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the guards",
    },
];
