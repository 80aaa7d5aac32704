//! `gc`: garbage collection of a datastore on a file system: mark phase, drain of the move journal, sweep.

use crate::design::Change;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::question::short::Short;
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
    LockGcSlot,
    LockStore,
    ReadClock,
    ReadOldestWriter,
    ListIndexFiles,
    ListGroups,
    LockGroup,
    ListSnapshots,
    ListSnapshot,
    ListSnapshotsAgain,
    CheckGroup,
    UnlockGroup,
    OpenIndex,
    TouchChunk,
    ListNamespaces,
    OpenLeftover,
    LockJournal,
    ReadJournal,
    OpenEntry,
    TruncateJournal,
    UnlockJournal,
    ListPrefixes,
    ListChunks,
    SweepChunk,
    WriteStatus,
    UnlockStore,
    UnlockGcSlot,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::Gc(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Marks every chunk that an index file names and removes the old ones that none names.",
    table: TABLE,
    shorts: SHORT,
    part: None,
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
    name: "gc",
    takes: &[],
    usage: "gc",
    task: |_, _| Some(Task::Gc { runs: 1 }),
}];

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockGcSlot, "Takes the slot that allows one garbage collection in this process.")
        .about_nothing()
        .calls(&[Call::Mutex])
        .takes(LockClass::GcSlot, Mode::Exclusive, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock])
        .published("DataStore::garbage_collection"),
    row(Step::LockStore, "Takes the exclusive process lock, which no other process may share.")
        .about_nothing()
        .calls(&[Call::Mutex, Call::RecordLock])
        .takes(LockClass::Store, Mode::Exclusive, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock])
        .published("ProcessLocker::try_exclusive_lock"),
    row(Step::ReadClock, "Reads the clock; the start time and the minimum access time stay fixed for this run.")
        .about_nothing()
        .calls(&[Call::Now])
        .published("DataStore::garbage_collection_impl"),
    row(Step::ReadOldestWriter, "Asks when the oldest writer of this process began; a chunk that is not older than that stays, whatever the cutoff.")
        .about_nothing()
        .calls(&[Call::Mutex])
        .only_without(Change::IgnoresOldestWriter)
        .published("ProcessLocker::oldest_shared_lock"),
    row(Step::ListIndexFiles, "Lists one directory of the walk that collects the path of every index file below the datastore; a directory that is gone is skipped.")
        .calls(&[Call::Stat, Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("DataStore::list_index_files"),
    row(Step::ListGroups, "Lists the groups of a namespace: its type directories and their entries; a namespace that is gone is skipped; `upstream` fails.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("ListGroups::next"),
    row(Step::LockGroup, "Takes the group lock before the last attempt to list a group whose snapshots keep vanishing. A directory that is locked in its place must be there; a group that is gone is skipped.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .published("BackupGroup::lock"),
    row(Step::ListSnapshots, "Lists the snapshots of a group; a group that is gone is skipped.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::list_backups"),
    row(Step::ListSnapshot, "Lists the files of one snapshot of the listing, the oldest snapshot first; `upstream` begins with the newest.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::list_backups"),
    row(Step::ListSnapshotsAgain, "Lists the snapshots of the group once more, after the files of all of them; if one is new, the group is listed again from the start.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_with(Change::ListsNamesAgain)
        .published("(not in the published design)"),
    row(Step::CheckGroup, "After a snapshot could not be listed, looks whether its group still exists: then the run ends with an error, else the group is skipped.")
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::ListsAgainAfterAVanishedSnapshot)
        .published("DataStore::mark_used_chunks"),
    row(Step::UnlockGroup, "Closes the group lock of the last listing attempt.")
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("drop of BackupLockGuard"),
    row(Step::OpenIndex, "Opens one index file of the listing, newest snapshot first; if it is gone, the group is listed again; `upstream` does that only for the newest snapshot, and after the last attempt ends the run.")
        .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Stopped])
        .published("DataStore::open_index_reader"),
    row(Step::TouchChunk, "Sets the access time of a chunk to now, under the chunk-store mutex; a chunk that this run touched already is skipped.")
        .calls(&[Call::Mutex, Call::Now, Call::Utimensat])
        .takes_within(LockClass::ChunkStore, Mode::Exclusive, Wait::Forever)
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Stopped])
        .published("DataStore::index_mark_used_chunks"),
    row(Step::ListNamespaces, "Lists the child namespaces of a namespace, which are visited next, in any order.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("ListNamespaces::next"),
    row(Step::OpenLeftover, "Opens an index file that the walk found and no group held; one that is gone is skipped.")
        .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::LeftoversNotMarked)
        .published("DataStore::mark_used_chunks"),
    row(Step::LockJournal, "Takes the lock of the move journal and waits up to 10 s for it.")
        .about_nothing()
        .calls(&[
            Call::Mkdir,
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Unlink,
            Call::Flock,
            Call::Close,
            Call::Mutex,
            Call::Stat,
        ])
        .takes(LockClass::MoveJournal, Mode::Exclusive, Wait::Seconds(10))
        .ends(&[Outcome::Done, Outcome::TimedOut])
        .only_without(Change::NoJournal)
        .published("move_journal::drain_move_journal"),
    row(Step::ReadJournal, "Reads the whole journal; what an interrupted append left behind the last newline is no entry.")
        .about_nothing()
        .calls(&[Call::Fstat, Call::Read])
        .only_without(Change::NoJournal)
        .published("move_journal::drain_move_journal"),
    row(Step::OpenEntry, "Opens the index file that one line names, in the order of the file; if it is gone, its group is listed and marked again; `upstream` skips it.")
        .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::NotDirectory])
        .only_without(Change::NoJournal)
        .published("move_journal::drain_move_journal"),
    row(Step::TruncateJournal, "Empties the journal, once every entry was processed.")
        .about_nothing()
        .calls(&[Call::Ftruncate])
        .only_without(Change::NoJournal)
        .published("move_journal::drain_move_journal"),
    row(Step::UnlockJournal, "Closes the journal, which lets its lock go.")
        .about_nothing()
        .calls(&[Call::Close])
        .releases(LockClass::MoveJournal)
        .only_without(Change::NoJournal)
        .published("drop of the journal file"),
    row(Step::ListPrefixes, "Lists the prefix directories of the chunk store.")
        .about_nothing()
        .calls(&[Call::ReadDir])
        .published("ChunkStore::get_chunk_iterator"),
    row(Step::ListChunks, "Lists the chunks of one prefix directory.")
        .calls(&[Call::ReadDir])
        .published("ChunkStore::get_chunk_iterator"),
    row(Step::SweepChunk, "Under the chunk-store mutex, reads the access time of a chunk and removes the chunk if that is before the minimum.")
        .calls(&[Call::Mutex, Call::Stat, Call::Unlink])
        .takes_within(LockClass::ChunkStore, Mode::Exclusive, Wait::Forever)
        .ends(&[
            Outcome::Kept,
            Outcome::Removed,
            Outcome::NotFound,
            Outcome::Stopped,
        ])
        .published("ChunkStore::sweep_unused_chunks"),
    row(Step::WriteStatus, "Writes the status of the run to a temporary file and renames it over the old one.")
        .about_nothing()
        .calls(&[
            Call::Create,
            Call::Append,
            Call::Rename,
            Call::Close,
            Call::Unlink,
        ])
        .published("DataStore::garbage_collection"),
    row(Step::UnlockStore, "Releases the exclusive process lock.")
        .about_nothing()
        .calls(&[Call::Mutex, Call::RecordLock])
        .releases(LockClass::Store)
        .published("drop of ProcessLockExclusiveGuard"),
    row(Step::UnlockGcSlot, "Empties the slot of this process.")
        .about_nothing()
        .calls(&[Call::Mutex])
        .releases(LockClass::GcSlot)
        .published("DataStore::garbage_collection"),
    row(Step::ReleaseAll, "After a failure, lets every lock go: group, journal, process lock, slot.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close, Call::RecordLock, Call::Mutex])
        .published("drop of the guards"),
];
