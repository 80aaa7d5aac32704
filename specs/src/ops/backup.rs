//! `backup`: one backup session: locks, chunks, index files, manifest, finish, or abort.

use crate::design::Change;
use crate::event::{Cut, Outcome};
use crate::id::Namespace;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::{Op, Operation, Part};
use crate::ops::forget_snapshot;
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
    CheckNamespace,
    LockNamespace,
    LockGroup,
    CreateGroup,
    RemoveNewGroup,
    WriteOwner,
    ReadOwner,
    ListOwnerlessGroup,
    ListGroup,
    ListSnapshot,
    ReadPreviousManifest,
    LockPrevious,
    RecheckPrevious,
    DropPrevious,
    LockSnapshot,
    CreateSnapshot,
    LockStore,
    OpenPrevious,
    CreateIndex,
    InsertChunk,
    CloseIndex,
    WriteManifest,
    CheckPrevious,
    UnlockPrevious,
    UnlockStore,
    LockManifest,
    LoadManifest,
    UpdateManifest,
    UnlockManifest,
    UnlockSnapshot,
    UnlockGroup,
    UnlockNamespace,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::Backup(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Runs a backup session: locks, chunks, index files, manifest, finish, or abort.",
    table: TABLE,
    shorts: SHORT,
    part: Some(Part {
        op: Op::ForgetSnapshot,
        without: UNDER_A_SESSION,
    }),
};

/// What a backup that gives up leaves out of the removal: its session has the snapshot and the group, and ends in a step of its
/// own.
const UNDER_A_SESSION: &[crate::Step] = &[
    crate::Step::ForgetSnapshot(forget_snapshot::Step::LockSnapshot),
    crate::Step::ForgetSnapshot(forget_snapshot::Step::CheckProtected),
    crate::Step::ForgetSnapshot(forget_snapshot::Step::UnlockGroup),
    crate::Step::ForgetSnapshot(forget_snapshot::Step::UnlockManifest),
    crate::Step::ForgetSnapshot(forget_snapshot::Step::UnlockSnapshot),
    crate::Step::ForgetSnapshot(forget_snapshot::Step::ReleaseAll),
];

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
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
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::CheckNamespace, "Looks whether the namespace exists; the root namespace always does. `hardened` does so under the lock of the group.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("upgrade_to_backup_protocol"),
    row(Step::LockNamespace, "Takes the lock of the namespace shared, then those of the namespaces above it, without the root namespace; they are kept for the whole session.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("lock_namespace_shared of v4 (never applied)"),
    row(Step::LockGroup, "Takes the lock of the group and does not wait; `upstream` creates the directory first, and so does a process that locks directories, whatever the design.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("DataStore::create_locked_backup_group"),
    row(Step::CreateGroup, "Creates the type directory if need be and the directory of the group; `upstream` also those of a namespace that is gone.")
        .calls(&[Call::Mkdir])
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::NotFound])
        .published("DataStore::create_locked_backup_group"),
    row(Step::RemoveNewGroup, "If the group is new and its lock is busy, removes its directory again; a process that locks directories leaves it.")
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_without(Change::LocksBeforeItCreates)
        .published("DataStore::create_locked_backup_group"),
    row(Step::WriteOwner, "Writes the owner file of a group that this session created; it must not exist yet. It is written under a temporary name and linked; `upstream` creates it empty and writes into it.")
        .calls(Call::NEW_WHOLE_FILE)
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::NotFound])
        .published("DataStore::set_owner"),
    row(Step::ReadOwner, "Reads the owner of the group, which must be the one that makes the backup; an empty file is an error.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .published("DataStore::get_owner"),
    row(Step::ListOwnerlessGroup, "Lists a group that has no owner file; if no snapshot is in it, an interrupted creation or removal left it, and it gets an owner like a new one.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_with(Change::AdoptsAnOwnerlessGroup)
        .published("(not in the published design)"),
    row(Step::ListGroup, "Lists the snapshots of the group, to find the previous one.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::last_backup"),
    row(Step::ListSnapshot, "Lists the files of one snapshot of the group, newest first: whether it is finished; if one is gone, there is no previous snapshot.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::SkipsAVanishedSnapshot)
        .published("BackupGroup::list_backups"),
    row(Step::ReadPreviousManifest, "Reads the manifest of a listed snapshot, newest first; the first one that has a manifest must be of an earlier time than the new snapshot, and is the previous one, unless its verification failed: then there is none. `upstream` reads that of the newest one that was listed as finished, and fails if it is gone.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .published("BackupDir::load_manifest"),
    row(Step::LockPrevious, "Takes the lock of the previous snapshot shared and does not wait. A directory that is locked in its place must be there.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Snapshot, Mode::Shared, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("BackupDir::lock_shared"),
    row(Step::RecheckPrevious, "Looks under the lock whether the previous snapshot is still there, since the lock is on its name; if not, there is no previous one.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_with(Change::RechecksAfterLocking)
        .published("(not in the published design)"),
    row(Step::DropPrevious, "Closes the lock of a previous snapshot that is gone.")
        .calls(&[Call::Close])
        .releases(LockClass::Snapshot)
        .only_with(Change::RechecksAfterLocking)
        .published("(not in the published design)"),
    row(Step::LockSnapshot, "Takes the lock of the new snapshot and does not wait; `upstream` creates the directory first, and so does a process that locks directories.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Snapshot, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("DataStore::create_locked_backup_dir"),
    row(Step::CreateSnapshot, "Creates the directory of the new snapshot, which must not exist; `hardened` then makes sure that the lock file of its manifest is there, without locking it. If there is no inode for that, a session that has no lock on the directory yet removes it again.")
        .calls(&[
            Call::Mkdir,
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Unlink,
            Call::Rmdir,
            Call::Close,
        ])
        .ends(&[
            Outcome::Done,
            Outcome::Exists,
            Outcome::NotFound,
            Outcome::NoSpace(Cut::Nothing),
        ])
        .published("DataStore::create_locked_backup_dir"),
    row(Step::LockStore, "Takes the process lock shared, which no other process may hold exclusively, and notes the time.")
        .about_nothing()
        .calls(&[
            Call::Mutex,
            Call::Open,
            Call::RecordLock,
            Call::Close,
            Call::Now,
        ])
        .takes(LockClass::Store, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock])
        .published("ProcessLocker::try_shared_lock"),
    row(Step::OpenPrevious, "Reads one index file of the previous snapshot; its chunks are known from now on, and are not touched.")
        .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupEnvironment::register_chunk"),
    row(Step::CreateIndex, "Creates an index file under its temporary name; fails if somebody has removed the snapshot.")
        .calls(&[Call::Create, Call::Ftruncate])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("DataStore::create_dynamic_writer"),
    row(Step::InsertChunk, "Under the chunk-store mutex, touches a chunk that is there already, or writes it to a temporary file and renames that.")
        .calls(&[
            Call::Mutex,
            Call::Stat,
            Call::Now,
            Call::Utimensat,
            Call::Create,
            Call::Append,
            Call::Rename,
            Call::Close,
        ])
        .takes_within(LockClass::ChunkStore, Mode::Exclusive, Wait::Forever)
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::Stopped])
        .published("ChunkStore::insert_chunk"),
    row(Step::CloseIndex, "Writes the digests and renames the temporary file to its final name, where garbage collection sees it.")
        .calls(&[Call::Append, Call::Close, Call::Rename, Call::Unlink])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("DynamicIndexWriter::close"),
    row(Step::WriteManifest, "Writes the manifest to a temporary file and renames it.")
        .calls(&[Call::Create, Call::Append, Call::Rename, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupEnvironment::add_blob"),
    row(Step::CheckPrevious, "Looks whether the previous snapshot is still there.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::PreviousNotChecked)
        .published("BackupEnvironment::finish_backup"),
    row(Step::UnlockPrevious, "Closes the lock of the previous snapshot.")
        .calls(&[Call::Close])
        .releases(LockClass::Snapshot)
        .published("BackupEnvironment::finish_backup"),
    row(Step::UnlockStore, "Lets the shared process lock go; the last holder of a process that does not collect garbage releases the record lock.")
        .about_nothing()
        .calls(&[Call::Mutex, Call::RecordLock, Call::Close])
        .releases(LockClass::Store)
        .published("BackupEnvironment::finish_backup"),
    row(Step::LockManifest, "Takes the lock of the manifest and waits up to 5 s for it.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Manifest, Mode::Exclusive, Wait::Seconds(5))
        .ends(WAITED_FOR)
        .published("BackupDir::update_manifest"),
    row(Step::LoadManifest, "Reads the manifest under its lock.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::update_manifest"),
    row(Step::UpdateManifest, "Writes the manifest with the statistics of the upload to a temporary file and renames it over the old one.")
        .calls(&[Call::Create, Call::Append, Call::Rename, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::update_manifest"),
    row(Step::UnlockManifest, "Closes the lock of the manifest.")
        .calls(&[Call::Close])
        .releases(LockClass::Manifest)
        .published("drop of BackupLockGuard"),
    row(Step::UnlockSnapshot, "Closes the lock of the new snapshot.")
        .calls(&[Call::Close])
        .releases(LockClass::Snapshot)
        .published("BackupEnvironment::finish_backup"),
    row(Step::UnlockGroup, "Closes the lock of the group.")
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("BackupEnvironment::finish_backup"),
    row(Step::UnlockNamespace, "Closes the lock of a namespace, the own one first, then those above it.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .only_with(Change::LocksNamespaces)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
    row(Step::ReleaseAll, "After a failure, lets every lock go: previous snapshot, namespaces, manifest, group, new snapshot, process lock.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close, Call::Mutex, Call::RecordLock])
        .published("drop of BackupEnvironment"),
];
