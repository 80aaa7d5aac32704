//! `backup`: one backup session: locks, chunks, index files, manifest, finish, or abort.

use crate::design::Change;
use crate::event::{Cut, Outcome};
use crate::id::Namespace;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED_IF_THERE, WAITED_FOR};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// See that the namespace exists.
    CheckNamespace(A),
    /// Share the lock of the namespace and of those above it.
    LockNamespace(A),
    /// Lock the group.
    LockGroup(A),
    /// Create the group, if need be.
    CreateGroup(A),
    /// Remove the new group again.
    RemoveNewGroup(A),
    /// Write the owner of a new group.
    WriteOwner(A),
    /// Read the owner.
    ReadOwner(A),
    /// List a group that has no owner file.
    ListOwnerlessGroup(A),
    /// List the snapshots of the group.
    ListGroup(A),
    /// List the files of a snapshot.
    ListSnapshot(A),
    /// Read the manifest of the previous snapshot.
    ReadPreviousManifest(A),
    /// Share the lock of the previous snapshot.
    LockPrevious(A),
    /// Look whether it is still there.
    RecheckPrevious(A),
    /// Let the name of a vanished one go.
    DropPrevious(A),
    /// Lock the new snapshot.
    LockSnapshot(A),
    /// Create the new snapshot.
    CreateSnapshot(A),
    /// Share the process lock.
    LockStore,
    /// Read an index file of the previous snapshot.
    OpenPrevious(A),
    /// Create an index file under its temporary name.
    CreateIndex(A),
    /// Insert a chunk that is not known.
    InsertChunk(A),
    /// Give the index file its name.
    CloseIndex(A),
    /// Write the manifest.
    WriteManifest(A),
    /// Look whether the previous snapshot is there.
    CheckPrevious(A),
    /// Let the previous snapshot go.
    UnlockPrevious(A),
    /// Let the process lock go.
    UnlockStore,
    /// Lock the manifest.
    LockManifest(A),
    /// Read the manifest under its lock.
    LoadManifest(A),
    /// Write the statistics.
    UpdateManifest(A),
    /// Let the manifest go.
    UnlockManifest(A),
    /// Let the new snapshot go.
    UnlockSnapshot(A),
    /// Let the group go.
    UnlockGroup(A),
    /// Let the lock of a namespace go.
    UnlockNamespace(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::CheckNamespace(_) => 0,
            Self::LockNamespace(_) => 1,
            Self::LockGroup(_) => 2,
            Self::CreateGroup(_) => 3,
            Self::RemoveNewGroup(_) => 4,
            Self::WriteOwner(_) => 5,
            Self::ReadOwner(_) => 6,
            Self::ListOwnerlessGroup(_) => 7,
            Self::ListGroup(_) => 8,
            Self::ListSnapshot(_) => 9,
            Self::ReadPreviousManifest(_) => 10,
            Self::LockPrevious(_) => 11,
            Self::RecheckPrevious(_) => 12,
            Self::DropPrevious(_) => 13,
            Self::LockSnapshot(_) => 14,
            Self::CreateSnapshot(_) => 15,
            Self::LockStore => 16,
            Self::OpenPrevious(_) => 17,
            Self::CreateIndex(_) => 18,
            Self::InsertChunk(_) => 19,
            Self::CloseIndex(_) => 20,
            Self::WriteManifest(_) => 21,
            Self::CheckPrevious(_) => 22,
            Self::UnlockPrevious(_) => 23,
            Self::UnlockStore => 24,
            Self::LockManifest(_) => 25,
            Self::LoadManifest(_) => 26,
            Self::UpdateManifest(_) => 27,
            Self::UnlockManifest(_) => 28,
            Self::UnlockSnapshot(_) => 29,
            Self::UnlockGroup(_) => 30,
            Self::UnlockNamespace(_) => 31,
            Self::ReleaseAll => 32,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CheckNamespace(_) => "check_namespace",
            Self::LockNamespace(_) => "lock_namespace",
            Self::LockGroup(_) => "lock_group",
            Self::CreateGroup(_) => "create_group",
            Self::RemoveNewGroup(_) => "remove_new_group",
            Self::WriteOwner(_) => "write_owner",
            Self::ReadOwner(_) => "read_owner",
            Self::ListOwnerlessGroup(_) => "list_ownerless_group",
            Self::ListGroup(_) => "list_group",
            Self::ListSnapshot(_) => "list_snapshot",
            Self::ReadPreviousManifest(_) => "read_previous_manifest",
            Self::LockPrevious(_) => "lock_previous",
            Self::RecheckPrevious(_) => "recheck_previous",
            Self::DropPrevious(_) => "drop_previous",
            Self::LockSnapshot(_) => "lock_snapshot",
            Self::CreateSnapshot(_) => "create_snapshot",
            Self::LockStore => "lock_store",
            Self::OpenPrevious(_) => "open_previous",
            Self::CreateIndex(_) => "create_index",
            Self::InsertChunk(_) => "insert_chunk",
            Self::CloseIndex(_) => "close_index",
            Self::WriteManifest(_) => "write_manifest",
            Self::CheckPrevious(_) => "check_previous",
            Self::UnlockPrevious(_) => "unlock_previous",
            Self::UnlockStore => "unlock_store",
            Self::LockManifest(_) => "lock_manifest",
            Self::LoadManifest(_) => "load_manifest",
            Self::UpdateManifest(_) => "update_manifest",
            Self::UnlockManifest(_) => "unlock_manifest",
            Self::UnlockSnapshot(_) => "unlock_snapshot",
            Self::UnlockGroup(_) => "unlock_group",
            Self::UnlockNamespace(_) => "unlock_namespace",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::CheckNamespace(a) => Step::CheckNamespace(f(a)),
            Self::LockNamespace(a) => Step::LockNamespace(f(a)),
            Self::LockGroup(a) => Step::LockGroup(f(a)),
            Self::CreateGroup(a) => Step::CreateGroup(f(a)),
            Self::RemoveNewGroup(a) => Step::RemoveNewGroup(f(a)),
            Self::WriteOwner(a) => Step::WriteOwner(f(a)),
            Self::ReadOwner(a) => Step::ReadOwner(f(a)),
            Self::ListOwnerlessGroup(a) => Step::ListOwnerlessGroup(f(a)),
            Self::ListGroup(a) => Step::ListGroup(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
            Self::ReadPreviousManifest(a) => Step::ReadPreviousManifest(f(a)),
            Self::LockPrevious(a) => Step::LockPrevious(f(a)),
            Self::RecheckPrevious(a) => Step::RecheckPrevious(f(a)),
            Self::DropPrevious(a) => Step::DropPrevious(f(a)),
            Self::LockSnapshot(a) => Step::LockSnapshot(f(a)),
            Self::CreateSnapshot(a) => Step::CreateSnapshot(f(a)),
            Self::LockStore => Step::LockStore,
            Self::OpenPrevious(a) => Step::OpenPrevious(f(a)),
            Self::CreateIndex(a) => Step::CreateIndex(f(a)),
            Self::InsertChunk(a) => Step::InsertChunk(f(a)),
            Self::CloseIndex(a) => Step::CloseIndex(f(a)),
            Self::WriteManifest(a) => Step::WriteManifest(f(a)),
            Self::CheckPrevious(a) => Step::CheckPrevious(f(a)),
            Self::UnlockPrevious(a) => Step::UnlockPrevious(f(a)),
            Self::UnlockStore => Step::UnlockStore,
            Self::LockManifest(a) => Step::LockManifest(f(a)),
            Self::LoadManifest(a) => Step::LoadManifest(f(a)),
            Self::UpdateManifest(a) => Step::UpdateManifest(f(a)),
            Self::UnlockManifest(a) => Step::UnlockManifest(f(a)),
            Self::UnlockSnapshot(a) => Step::UnlockSnapshot(f(a)),
            Self::UnlockGroup(a) => Step::UnlockGroup(f(a)),
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
        Self::Backup(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::Backup(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
    name: "backup",
    takes: &[Argument::Namespace],
    usage: "backup(NS), a namespace for which the tree has a snapshot to back up",
    task: |tree, arguments| match *arguments {
        [namespace] => Some(Task::Backup {
            snapshot: tree.to_back_up(Namespace(namespace))?,
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::CheckNamespace(())),
        sentence: "Looks whether the namespace exists; the root namespace always does. `hardened` does so under the lock of the group.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "upgrade_to_backup_protocol",
    },
    Row {
        step: step(Step::LockNamespace(())),
        sentence: "Takes the lock of the namespace shared, then those of the namespaces above it, without the root namespace; they are kept for the whole session.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "lock_namespace_shared of v4 (never applied)",
    },
    Row {
        step: step(Step::LockGroup(())),
        sentence: "Takes the lock of the group and does not wait; `upstream` creates the directory first, and so does a process that locks directories, whatever the design.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "DataStore::create_locked_backup_group",
    },
    Row {
        step: step(Step::CreateGroup(())),
        sentence: "Creates the type directory if need be and the directory of the group; `upstream` also those of a namespace that is gone.",
        calls: &[Call::Mkdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::create_locked_backup_group",
    },
    Row {
        step: step(Step::RemoveNewGroup(())),
        sentence: "If the group is new and its lock is busy, removes its directory again; a process that locks directories leaves it.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::Without(Change::LocksBeforeItCreates),
        upstream: "DataStore::create_locked_backup_group",
    },
    Row {
        step: step(Step::WriteOwner(())),
        sentence: "Writes the owner file of a group that this session created; it must not exist yet. It is written under a temporary name and linked; `upstream` creates it empty and writes into it.",
        calls: Call::NEW_WHOLE_FILE,
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::set_owner",
    },
    Row {
        step: step(Step::ReadOwner(())),
        sentence: "Reads the owner of the group, which must be the one that makes the backup; an empty file is an error.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::All,
        upstream: "DataStore::get_owner",
    },
    Row {
        step: step(Step::ListOwnerlessGroup(())),
        sentence: "Lists a group that has no owner file; if no snapshot is in it, an interrupted creation or removal left it, and it gets an owner like a new one.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::With(Change::AdoptsAnOwnerlessGroup),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::ListGroup(())),
        sentence: "Lists the snapshots of the group, to find the previous one.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::last_backup",
    },
    Row {
        step: step(Step::ListSnapshot(())),
        sentence: "Lists the files of one snapshot of the group, newest first: whether it is finished; if one is gone, there is no previous snapshot.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::SkipsAVanishedSnapshot),
        upstream: "BackupGroup::list_backups",
    },
    Row {
        step: step(Step::ReadPreviousManifest(())),
        sentence: "Reads the manifest of a listed snapshot, newest first; the first one that has a manifest must be of an earlier time than the new snapshot, and is the previous one, unless its verification failed: then there is none. `upstream` reads that of the newest one that was listed as finished, and fails if it is gone.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::All,
        upstream: "BackupDir::load_manifest",
    },
    Row {
        step: step(Step::LockPrevious(())),
        sentence: "Takes the lock of the previous snapshot shared and does not wait. A directory that is locked in its place must be there.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Snapshot, Mode::Shared, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "BackupDir::lock_shared",
    },
    Row {
        step: step(Step::RecheckPrevious(())),
        sentence: "Looks under the lock whether the previous snapshot is still there, since the lock is on its name; if not, there is no previous one.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::With(Change::RechecksAfterLocking),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::DropPrevious(())),
        sentence: "Closes the lock of a previous snapshot that is gone.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Snapshot)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::RechecksAfterLocking),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::LockSnapshot(())),
        sentence: "Takes the lock of the new snapshot and does not wait; `upstream` creates the directory first, and so does a process that locks directories.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Snapshot,
            Mode::Exclusive,
            Wait::No,
        )),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "DataStore::create_locked_backup_dir",
    },
    Row {
        step: step(Step::CreateSnapshot(())),
        sentence: "Creates the directory of the new snapshot, which must not exist; `hardened` then makes sure that the lock file of its manifest is there, without locking it. If there is no inode for that, a session that has no lock on the directory yet removes it again.",
        calls: &[
            Call::Mkdir,
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Unlink,
            Call::Rmdir,
            Call::Close,
        ],
        lock: None,
        outcomes: &[
            Outcome::Done,
            Outcome::Exists,
            Outcome::NotFound,
            Outcome::NoSpace(Cut::Nothing),
        ],
        designs: Designs::All,
        upstream: "DataStore::create_locked_backup_dir",
    },
    Row {
        step: step(Step::LockStore),
        sentence: "Takes the process lock shared, which no other process may hold exclusively, and notes the time.",
        calls: &[
            Call::Mutex,
            Call::Open,
            Call::RecordLock,
            Call::Close,
            Call::Now,
        ],
        lock: Some(LockUse::Take(LockClass::Store, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock],
        designs: Designs::All,
        upstream: "ProcessLocker::try_shared_lock",
    },
    Row {
        step: step(Step::OpenPrevious(())),
        sentence: "Reads one index file of the previous snapshot; its chunks are known from now on, and are not touched.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupEnvironment::register_chunk",
    },
    Row {
        step: step(Step::CreateIndex(())),
        sentence: "Creates an index file under its temporary name; fails if somebody has removed the snapshot.",
        calls: &[Call::Create, Call::Ftruncate],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::create_dynamic_writer",
    },
    Row {
        step: step(Step::InsertChunk(())),
        sentence: "Under the chunk-store mutex, touches a chunk that is there already, or writes it to a temporary file and renames that.",
        calls: &[
            Call::Mutex,
            Call::Stat,
            Call::Now,
            Call::Utimensat,
            Call::Create,
            Call::Append,
            Call::Rename,
            Call::Close,
        ],
        lock: Some(LockUse::Within(
            LockClass::ChunkStore,
            Mode::Exclusive,
            Wait::Forever,
        )),
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::Stopped],
        designs: Designs::All,
        upstream: "ChunkStore::insert_chunk",
    },
    Row {
        step: step(Step::CloseIndex(())),
        sentence: "Writes the digests and renames the temporary file to its final name, where garbage collection sees it.",
        calls: &[Call::Append, Call::Close, Call::Rename, Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DynamicIndexWriter::close",
    },
    Row {
        step: step(Step::WriteManifest(())),
        sentence: "Writes the manifest to a temporary file and renames it.",
        calls: &[Call::Create, Call::Append, Call::Rename, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupEnvironment::add_blob",
    },
    Row {
        step: step(Step::CheckPrevious(())),
        sentence: "Looks whether the previous snapshot is still there.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::PreviousNotChecked),
        upstream: "BackupEnvironment::finish_backup",
    },
    Row {
        step: step(Step::UnlockPrevious(())),
        sentence: "Closes the lock of the previous snapshot.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Snapshot)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "BackupEnvironment::finish_backup",
    },
    Row {
        step: step(Step::UnlockStore),
        sentence: "Lets the shared process lock go; the last holder of a process that does not collect garbage releases the record lock.",
        calls: &[Call::Mutex, Call::RecordLock, Call::Close],
        lock: Some(LockUse::Release(LockClass::Store)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "BackupEnvironment::finish_backup",
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
        sentence: "Reads the manifest under its lock.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
    },
    Row {
        step: step(Step::UpdateManifest(())),
        sentence: "Writes the manifest with the statistics of the upload to a temporary file and renames it over the old one.",
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
        sentence: "Closes the lock of the new snapshot.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Snapshot)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "BackupEnvironment::finish_backup",
    },
    Row {
        step: step(Step::UnlockGroup(())),
        sentence: "Closes the lock of the group.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "BackupEnvironment::finish_backup",
    },
    Row {
        step: step(Step::UnlockNamespace(())),
        sentence: "Closes the lock of a namespace, the own one first, then those above it.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets every lock go: previous snapshot, namespaces, manifest, group, new snapshot, process lock.",
        calls: &[Call::Close, Call::Mutex, Call::RecordLock],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupEnvironment",
    },
];
