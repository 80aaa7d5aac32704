//! The properties: one sentence each, what the user loses without it, and by which steps it is kept.

use serde::{Deserialize, Serialize};

/// A property of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// No chunk that an index file names is ever missing.
    LiveChunkIsNeverSwept,
    /// Every snapshot is at exactly one place.
    SnapshotIsAtExactlyOnePlace,
    /// No two actors hold the same lock.
    OneExclusiveHolderPerLock,
    /// What is waited for ranks above what is held.
    LocksAreTakenInRankOrder,
    /// There is no deadlock.
    NoOperationWaitsForever,
    /// Garbage collection that meets no abort condition finishes.
    GcThatMeetsNoAbortConditionFinishes,
    /// No line that a move wrote makes garbage collection fail.
    JournalNeverStopsGc,
    /// The corrected form of the journal's invariant.
    NewPathImpliesJournalEntry,
    /// A move that fails leaves no empty group behind.
    FailedMoveLeavesNoEmptyGroup,
    /// An operation that ended holds no lock.
    FinishedOperationHoldsNoLock,
    /// The published sentence of the journal's invariant can fail.
    CanHaveNewPathWithoutEntry,
    /// Garbage collection removes a chunk that no index file names.
    CanSweepDeadChunk,
    /// A snapshot can be renamed while a garbage collection marks.
    CanMoveDuringMark,
}

/// Whether a property speaks of every reachable state or of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Holds in every reachable state.
    Always,
    /// Holds in some reachable state.
    Sometimes,
}

/// What is fixed for a property.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The property.
    pub property: Property,
    /// Always or sometimes.
    pub mood: Mood,
    /// The sentence.
    pub sentence: &'static str,
    /// When the sentence says something: the states in which this holds are counted, and zero is red.
    pub premise: &'static str,
    /// What a user loses without it.
    pub loses: &'static str,
    /// The steps that keep it.
    pub kept_by: &'static str,
}

impl Property {
    /// All properties.
    pub const ALL: &'static [Self] = &[
        Self::LiveChunkIsNeverSwept,
        Self::SnapshotIsAtExactlyOnePlace,
        Self::OneExclusiveHolderPerLock,
        Self::LocksAreTakenInRankOrder,
        Self::NoOperationWaitsForever,
        Self::GcThatMeetsNoAbortConditionFinishes,
        Self::JournalNeverStopsGc,
        Self::NewPathImpliesJournalEntry,
        Self::FailedMoveLeavesNoEmptyGroup,
        Self::FinishedOperationHoldsNoLock,
        Self::CanHaveNewPathWithoutEntry,
        Self::CanSweepDeadChunk,
        Self::CanMoveDuringMark,
    ];

    /// The name in every table, record and command.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveChunkIsNeverSwept => "live_chunk_is_never_swept",
            Self::SnapshotIsAtExactlyOnePlace => "snapshot_is_at_exactly_one_place",
            Self::OneExclusiveHolderPerLock => "one_exclusive_holder_per_lock",
            Self::LocksAreTakenInRankOrder => "locks_are_taken_in_rank_order",
            Self::NoOperationWaitsForever => "no_operation_waits_forever",
            Self::GcThatMeetsNoAbortConditionFinishes => {
                "gc_that_meets_no_abort_condition_finishes"
            }
            Self::JournalNeverStopsGc => "journal_never_stops_gc",
            Self::NewPathImpliesJournalEntry => "new_path_implies_journal_entry",
            Self::FailedMoveLeavesNoEmptyGroup => "failed_move_leaves_no_empty_group",
            Self::FinishedOperationHoldsNoLock => "finished_operation_holds_no_lock",
            Self::CanHaveNewPathWithoutEntry => "can_have_new_path_without_entry",
            Self::CanSweepDeadChunk => "can_sweep_dead_chunk",
            Self::CanMoveDuringMark => "can_move_during_mark",
        }
    }

    /// What is fixed for it.
    pub const fn entry(self) -> Entry {
        let (mood, sentence, premise, loses, kept_by) = match self {
            Self::LiveChunkIsNeverSwept => (
                Mood::Always,
                "Every chunk that an index file in the datastore names is there.",
                "a run of garbage collection is past its mark phase, or has ended",
                "a backup that cannot be restored, noticed weeks later",
                "gc.touch_chunk, gc.open_leftover, gc.open_entry, move_group.append_journal before move_group.rename_snapshot",
            ),
            Self::SnapshotIsAtExactlyOnePlace => (
                Mood::Always,
                "Every snapshot of the scenario lies in exactly one namespace.",
                "a snapshot has left the namespace in which it started",
                "a snapshot that is gone, or one that two groups believe to own",
                "move_group.rename_snapshot being one rename, and both group locks",
            ),
            Self::OneExclusiveHolderPerLock => (
                Mood::Always,
                "No two actors rely on the same exclusive lock; a holder that unlinked the lock file has given the name up.",
                "an actor relies on a lock while another one is not finished",
                "two operations that each believe to be alone",
                "take_lock.flock_lock_file, take_lock.recheck_lock_file, unlinking only while the lock is held",
            ),
            Self::LocksAreTakenInRankOrder => (
                Mood::Always,
                "An actor that is about to wait for a lock holds only locks of lower rank.",
                "an actor that holds a lock is about to take one that it waits for",
                "the argument that there is no deadlock",
                "every step that waits: journal and chunk store rank above all that is held with them; all others only try",
            ),
            Self::NoOperationWaitsForever => (
                Mood::Always,
                "As long as an actor is not finished, some actor has a step.",
                "an actor is not finished",
                "an operation that hangs until somebody kills it",
                "locks that are only tried, and bounded waits",
            ),
            Self::GcThatMeetsNoAbortConditionFinishes => (
                Mood::Always,
                "A garbage collection fails only if another one runs, a lock that it needs stays busy, or the journal held a foreign line from the start.",
                "a garbage collection has ended",
                "a weekly garbage collection that is lost, or one that fails until somebody removes a file by hand",
                "gc.open_entry skipping what is not there, listing again, and the mended journal tail",
            ),
            Self::JournalNeverStopsGc => (
                Mood::Always,
                "A garbage collection never fails on a line of the journal that a move wrote.",
                "a garbage collection has ended",
                "every garbage collection, until the host reboots or somebody removes the file by hand",
                "gc.read_journal leaving a torn tail aside, move_group.append_journal cutting it off, gc.open_entry skipping what is not there",
            ),
            Self::NewPathImpliesJournalEntry => (
                Mood::Always,
                "From the first listing of a run until its drain has read the journal, every index file that was renamed in that time has an entry in the journal.",
                "an index file was renamed since the first listing of a run that has not drained yet",
                "the drain misses an index file that the iteration missed as well",
                "move_group.append_journal before move_group.rename_snapshot, and gc.truncate_journal only after gc.read_journal under one lock",
            ),
            Self::FailedMoveLeavesNoEmptyGroup => (
                Mood::Always,
                "When every operation has ended, there is no empty group that was not there at the start.",
                "a move has failed, nobody was killed, and every operation has ended",
                "a move without merging that can never be repeated, because its own leftover is in the way",
                "move_group.remove_target_group",
            ),
            Self::FinishedOperationHoldsNoLock => (
                Mood::Always,
                "An operation that has ended holds no lock.",
                "an operation has ended",
                "a lock that stays busy until the process ends",
                "the named release steps and release_all",
            ),
            Self::CanHaveNewPathWithoutEntry => (
                Mood::Sometimes,
                "An index file is at a path to which it was renamed, and the journal has no entry for it.",
                "always",
                "nothing: it shows that the published sentence of the invariant is too strong, since a drain removes the entry",
                "-",
            ),
            Self::CanSweepDeadChunk => (
                Mood::Sometimes,
                "A chunk that no index file names was removed.",
                "always",
                "nothing: it shows that the sweep sweeps",
                "-",
            ),
            Self::CanMoveDuringMark => (
                Mood::Sometimes,
                "A snapshot was renamed since the first listing of a run that has not drained yet.",
                "always",
                "nothing: it shows that the two operations really meet",
                "-",
            ),
        };
        Entry {
            property: self,
            mood,
            sentence,
            premise,
            loses,
            kept_by,
        }
    }
}
