//! `gc`: garbage collection of a datastore on a file system: mark phase, drain of the move journal, sweep.

use crate::design::Change;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::Short;
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED_IF_THERE};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Take the slot of the one garbage collection of this process.
    LockGcSlot,
    /// Take the process lock of the datastore exclusively.
    LockStore,
    /// Read the clock and fix the cutoff.
    ReadClock,
    /// Ask this process for its oldest writer.
    ReadOldestWriter,
    /// List one directory of the walk that collects all index files.
    ListIndexFiles(A),
    /// List the groups of a namespace.
    ListGroups(A),
    /// Take the group lock before the last listing attempt.
    LockGroup(A),
    /// List the snapshots of a group.
    ListSnapshots(A),
    /// List the files of a snapshot.
    ListSnapshot(A),
    /// List the snapshots of the group once more.
    ListSnapshotsAgain(A),
    /// Look whether the group is still there.
    CheckGroup(A),
    /// Let the group lock go.
    UnlockGroup(A),
    /// Open an index file.
    OpenIndex(A),
    /// Mark a chunk as used.
    TouchChunk(A),
    /// List the child namespaces of a namespace.
    ListNamespaces(A),
    /// Open a listed index file that no group held.
    OpenLeftover(A),
    /// Lock the move journal.
    LockJournal,
    /// Read the whole journal.
    ReadJournal,
    /// Open the index file that a line of the journal names.
    OpenEntry(A),
    /// Empty the journal.
    TruncateJournal,
    /// Let the journal lock go.
    UnlockJournal,
    /// List the directories of the chunk store.
    ListPrefixes,
    /// List the chunks of a prefix directory.
    ListChunks(A),
    /// Remove a chunk that nobody marked.
    SweepChunk(A),
    /// Write the status of the run.
    WriteStatus,
    /// Let the process lock go.
    UnlockStore,
    /// Empty the slot.
    UnlockGcSlot,
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockGcSlot => 0,
            Self::LockStore => 1,
            Self::ReadClock => 2,
            Self::ReadOldestWriter => 3,
            Self::ListIndexFiles(_) => 4,
            Self::ListGroups(_) => 5,
            Self::LockGroup(_) => 6,
            Self::ListSnapshots(_) => 7,
            Self::ListSnapshot(_) => 8,
            Self::ListSnapshotsAgain(_) => 9,
            Self::CheckGroup(_) => 10,
            Self::UnlockGroup(_) => 11,
            Self::OpenIndex(_) => 12,
            Self::TouchChunk(_) => 13,
            Self::ListNamespaces(_) => 14,
            Self::OpenLeftover(_) => 15,
            Self::LockJournal => 16,
            Self::ReadJournal => 17,
            Self::OpenEntry(_) => 18,
            Self::TruncateJournal => 19,
            Self::UnlockJournal => 20,
            Self::ListPrefixes => 21,
            Self::ListChunks(_) => 22,
            Self::SweepChunk(_) => 23,
            Self::WriteStatus => 24,
            Self::UnlockStore => 25,
            Self::UnlockGcSlot => 26,
            Self::ReleaseAll => 27,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockGcSlot => "lock_gc_slot",
            Self::LockStore => "lock_store",
            Self::ReadClock => "read_clock",
            Self::ReadOldestWriter => "read_oldest_writer",
            Self::ListIndexFiles(_) => "list_index_files",
            Self::ListGroups(_) => "list_groups",
            Self::LockGroup(_) => "lock_group",
            Self::ListSnapshots(_) => "list_snapshots",
            Self::ListSnapshot(_) => "list_snapshot",
            Self::ListSnapshotsAgain(_) => "list_snapshots_again",
            Self::CheckGroup(_) => "check_group",
            Self::UnlockGroup(_) => "unlock_group",
            Self::OpenIndex(_) => "open_index",
            Self::TouchChunk(_) => "touch_chunk",
            Self::ListNamespaces(_) => "list_namespaces",
            Self::OpenLeftover(_) => "open_leftover",
            Self::LockJournal => "lock_journal",
            Self::ReadJournal => "read_journal",
            Self::OpenEntry(_) => "open_entry",
            Self::TruncateJournal => "truncate_journal",
            Self::UnlockJournal => "unlock_journal",
            Self::ListPrefixes => "list_prefixes",
            Self::ListChunks(_) => "list_chunks",
            Self::SweepChunk(_) => "sweep_chunk",
            Self::WriteStatus => "write_status",
            Self::UnlockStore => "unlock_store",
            Self::UnlockGcSlot => "unlock_gc_slot",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockGcSlot => Step::LockGcSlot,
            Self::LockStore => Step::LockStore,
            Self::ReadClock => Step::ReadClock,
            Self::ReadOldestWriter => Step::ReadOldestWriter,
            Self::ListIndexFiles(a) => Step::ListIndexFiles(f(a)),
            Self::ListGroups(a) => Step::ListGroups(f(a)),
            Self::LockGroup(a) => Step::LockGroup(f(a)),
            Self::ListSnapshots(a) => Step::ListSnapshots(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
            Self::ListSnapshotsAgain(a) => Step::ListSnapshotsAgain(f(a)),
            Self::CheckGroup(a) => Step::CheckGroup(f(a)),
            Self::UnlockGroup(a) => Step::UnlockGroup(f(a)),
            Self::OpenIndex(a) => Step::OpenIndex(f(a)),
            Self::TouchChunk(a) => Step::TouchChunk(f(a)),
            Self::ListNamespaces(a) => Step::ListNamespaces(f(a)),
            Self::OpenLeftover(a) => Step::OpenLeftover(f(a)),
            Self::LockJournal => Step::LockJournal,
            Self::ReadJournal => Step::ReadJournal,
            Self::OpenEntry(a) => Step::OpenEntry(f(a)),
            Self::TruncateJournal => Step::TruncateJournal,
            Self::UnlockJournal => Step::UnlockJournal,
            Self::ListPrefixes => Step::ListPrefixes,
            Self::ListChunks(a) => Step::ListChunks(f(a)),
            Self::SweepChunk(a) => Step::SweepChunk(f(a)),
            Self::WriteStatus => Step::WriteStatus,
            Self::UnlockStore => Step::UnlockStore,
            Self::UnlockGcSlot => Step::UnlockGcSlot,
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
        Self::Gc(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::Gc(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
    name: "gc",
    takes: &[],
    usage: "gc",
    task: |_, _| Some(Task::Gc { runs: 1 }),
}];

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockGcSlot),
        sentence: "Takes the slot that allows one garbage collection in this process.",
        calls: &[Call::Mutex],
        lock: Some(LockUse::Take(LockClass::GcSlot, Mode::Exclusive, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock],
        designs: Designs::All,
        upstream: "DataStore::garbage_collection",
    },
    Row {
        step: step(Step::LockStore),
        sentence: "Takes the exclusive process lock, which no other process may share.",
        calls: &[Call::Mutex, Call::RecordLock],
        lock: Some(LockUse::Take(LockClass::Store, Mode::Exclusive, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock],
        designs: Designs::All,
        upstream: "ProcessLocker::try_exclusive_lock",
    },
    Row {
        step: step(Step::ReadClock),
        sentence: "Reads the clock; the start time and the minimum access time stay fixed for this run.",
        calls: &[Call::Now],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "DataStore::garbage_collection_impl",
    },
    Row {
        step: step(Step::ReadOldestWriter),
        sentence: "Asks when the oldest writer of this process began; a chunk that is not older than that stays, whatever the cutoff.",
        calls: &[Call::Mutex],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::IgnoresOldestWriter),
        upstream: "ProcessLocker::oldest_shared_lock",
    },
    Row {
        step: step(Step::ListIndexFiles(())),
        sentence: "Lists one directory of the walk that collects the path of every index file below the datastore; a directory that is gone is skipped.",
        calls: &[Call::Stat, Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::list_index_files",
    },
    Row {
        step: step(Step::ListGroups(())),
        sentence: "Lists the groups of a namespace: its type directories and their entries; a namespace that is gone is skipped; `upstream` fails.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "ListGroups::next",
    },
    Row {
        step: step(Step::LockGroup(())),
        sentence: "Takes the group lock before the last attempt to list a group whose snapshots keep vanishing. A directory that is locked in its place must be there; a group that is gone is skipped.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED_IF_THERE,
        designs: Designs::All,
        upstream: "BackupGroup::lock",
    },
    Row {
        step: step(Step::ListSnapshots(())),
        sentence: "Lists the snapshots of a group; a group that is gone is skipped.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::list_backups",
    },
    Row {
        step: step(Step::ListSnapshot(())),
        sentence: "Lists the files of one snapshot of the listing, the oldest snapshot first; `upstream` begins with the newest.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::list_backups",
    },
    Row {
        step: step(Step::ListSnapshotsAgain(())),
        sentence: "Lists the snapshots of the group once more, after the files of all of them; if one is new, the group is listed again from the start.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::With(Change::ListsNamesAgain),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::CheckGroup(())),
        sentence: "After a snapshot could not be listed, looks whether its group still exists: then the run ends with an error, else the group is skipped.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::ListsAgainAfterAVanishedSnapshot),
        upstream: "DataStore::mark_used_chunks",
    },
    Row {
        step: step(Step::UnlockGroup(())),
        sentence: "Closes the group lock of the last listing attempt.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::OpenIndex(())),
        sentence: "Opens one index file of the listing, newest snapshot first; if it is gone, the group is listed again; `upstream` does that only for the newest snapshot, and after the last attempt ends the run.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Stopped],
        designs: Designs::All,
        upstream: "DataStore::open_index_reader",
    },
    Row {
        step: step(Step::TouchChunk(())),
        sentence: "Sets the access time of a chunk to now, under the chunk-store mutex; a chunk that this run touched already is skipped.",
        calls: &[Call::Mutex, Call::Now, Call::Utimensat],
        lock: Some(LockUse::Within(
            LockClass::ChunkStore,
            Mode::Exclusive,
            Wait::Forever,
        )),
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Stopped],
        designs: Designs::All,
        upstream: "DataStore::index_mark_used_chunks",
    },
    Row {
        step: step(Step::ListNamespaces(())),
        sentence: "Lists the child namespaces of a namespace, which are visited next, in any order.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "ListNamespaces::next",
    },
    Row {
        step: step(Step::OpenLeftover(())),
        sentence: "Opens an index file that the walk found and no group held; one that is gone is skipped.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::LeftoversNotMarked),
        upstream: "DataStore::mark_used_chunks",
    },
    Row {
        step: step(Step::LockJournal),
        sentence: "Takes the lock of the move journal and waits up to 10 s for it.",
        calls: &[
            Call::Mkdir,
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Unlink,
            Call::Flock,
            Call::Close,
            Call::Mutex,
            Call::Stat,
        ],
        lock: Some(LockUse::Take(
            LockClass::MoveJournal,
            Mode::Exclusive,
            Wait::Seconds(10),
        )),
        outcomes: &[Outcome::Done, Outcome::TimedOut],
        designs: Designs::Without(Change::NoJournal),
        upstream: "move_journal::drain_move_journal",
    },
    Row {
        step: step(Step::ReadJournal),
        sentence: "Reads the whole journal; what an interrupted append left behind the last newline is no entry.",
        calls: &[Call::Fstat, Call::Read],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::NoJournal),
        upstream: "move_journal::drain_move_journal",
    },
    Row {
        step: step(Step::OpenEntry(())),
        sentence: "Opens the index file that one line names, in the order of the file; if it is gone, its group is listed and marked again; `upstream` skips it.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::NotDirectory],
        designs: Designs::Without(Change::NoJournal),
        upstream: "move_journal::drain_move_journal",
    },
    Row {
        step: step(Step::TruncateJournal),
        sentence: "Empties the journal, once every entry was processed.",
        calls: &[Call::Ftruncate],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::NoJournal),
        upstream: "move_journal::drain_move_journal",
    },
    Row {
        step: step(Step::UnlockJournal),
        sentence: "Closes the journal, which lets its lock go.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::MoveJournal)),
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::NoJournal),
        upstream: "drop of the journal file",
    },
    Row {
        step: step(Step::ListPrefixes),
        sentence: "Lists the prefix directories of the chunk store.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "ChunkStore::get_chunk_iterator",
    },
    Row {
        step: step(Step::ListChunks(())),
        sentence: "Lists the chunks of one prefix directory.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "ChunkStore::get_chunk_iterator",
    },
    Row {
        step: step(Step::SweepChunk(())),
        sentence: "Under the chunk-store mutex, reads the access time of a chunk and removes the chunk if that is before the minimum.",
        calls: &[Call::Mutex, Call::Stat, Call::Unlink],
        lock: Some(LockUse::Within(
            LockClass::ChunkStore,
            Mode::Exclusive,
            Wait::Forever,
        )),
        outcomes: &[
            Outcome::Kept,
            Outcome::Removed,
            Outcome::NotFound,
            Outcome::Stopped,
        ],
        designs: Designs::All,
        upstream: "ChunkStore::sweep_unused_chunks",
    },
    Row {
        step: step(Step::WriteStatus),
        sentence: "Writes the status of the run to a temporary file and renames it over the old one.",
        calls: &[
            Call::Create,
            Call::Append,
            Call::Rename,
            Call::Close,
            Call::Unlink,
        ],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "DataStore::garbage_collection",
    },
    Row {
        step: step(Step::UnlockStore),
        sentence: "Releases the exclusive process lock.",
        calls: &[Call::Mutex, Call::RecordLock],
        lock: Some(LockUse::Release(LockClass::Store)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of ProcessLockExclusiveGuard",
    },
    Row {
        step: step(Step::UnlockGcSlot),
        sentence: "Empties the slot of this process.",
        calls: &[Call::Mutex],
        lock: Some(LockUse::Release(LockClass::GcSlot)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "DataStore::garbage_collection",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets every lock go: group, journal, process lock, slot.",
        calls: &[Call::Close, Call::RecordLock, Call::Mutex],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the guards",
    },
];
