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
    /// A snapshot that has a manifest has all its index files, unless somebody holds its exclusive lock.
    FinishedSnapshotIsWhole,
    /// A snapshot that an actor has locked and found is neither moved nor removed by another one.
    LockedSnapshotStays,
    /// What an operation has written to a manifest stays in it: notes, verify state, statistics.
    ManifestUpdateIsNotLost,
    /// When every operation has ended, a backup that failed has left neither an unfinished snapshot nor an empty group.
    FailedBackupLeavesNothing,
    /// A backup fails only if a lock was busy when it began, or its client left.
    StartedBackupFinishes,
    /// A protected snapshot is not removed.
    ProtectedSnapshotStays,
    /// A group that had a finished snapshot has one after pruning.
    PruneKeepsFinishedSnapshot,
    /// A prune or verify job does not fail because a snapshot was moved or removed beside it.
    JobSkipsWhatVanished,
    /// A chunk that was touched or inserted is there when the mutex is unlocked, and stays, unless it was corrupt and is set aside.
    InsertedChunkIsThere,
    /// The process lock refuses a garbage collection only if another process holds it.
    GcIsNotRefusedByItsOwnWriters,
    /// A group that holds a snapshot has an owner file.
    GroupWithSnapshotHasOwner,
    /// Whatever a move brings into a group is newer than every snapshot that is there already.
    MergeKeepsTimeOrder,
    /// When a move has ended, every snapshot that it left behind is newer than every one that it moved.
    FailedMoveCanBeRepeated,
    /// While an actor relies on the exclusive lock of a namespace, nobody else relies on a lock of that namespace or of one below it.
    ExclusiveNamespaceIsAlone,
    /// No operation brings back the directory of a namespace that was removed.
    DeletedNamespaceStaysDeleted,
    /// A change of the owner replaces the owner that it has checked, and no other.
    OwnerIsChangedFromWhatWasChecked,
    /// An owner file that is there names an owner.
    OwnerFileIsWhole,
    /// If everybody dies, the next operations get on with what is left.
    WhatIsLeftCanBeUsedAgain,
    /// The published sentence of the journal's invariant can fail.
    CanHaveNewPathWithoutEntry,
    /// Garbage collection removes a chunk that no index file names.
    CanSweepDeadChunk,
    /// A snapshot can be renamed while a garbage collection marks.
    CanMoveDuringMark,
    /// A garbage collection sweeps while a backup of its own process is running.
    CanCollectBesideBackup,
}

/// Whether a property speaks of every reachable state or of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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
        Self::FinishedSnapshotIsWhole,
        Self::LockedSnapshotStays,
        Self::ManifestUpdateIsNotLost,
        Self::FailedBackupLeavesNothing,
        Self::StartedBackupFinishes,
        Self::ProtectedSnapshotStays,
        Self::PruneKeepsFinishedSnapshot,
        Self::JobSkipsWhatVanished,
        Self::InsertedChunkIsThere,
        Self::GcIsNotRefusedByItsOwnWriters,
        Self::GroupWithSnapshotHasOwner,
        Self::MergeKeepsTimeOrder,
        Self::FailedMoveCanBeRepeated,
        Self::ExclusiveNamespaceIsAlone,
        Self::DeletedNamespaceStaysDeleted,
        Self::OwnerIsChangedFromWhatWasChecked,
        Self::OwnerFileIsWhole,
        Self::WhatIsLeftCanBeUsedAgain,
        Self::CanHaveNewPathWithoutEntry,
        Self::CanSweepDeadChunk,
        Self::CanMoveDuringMark,
        Self::CanCollectBesideBackup,
    ];

    /// Those that speak of every reachable state, which every scenario asks.
    pub fn always() -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|property| property.entry().mood == Mood::Always)
    }

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
            Self::GroupWithSnapshotHasOwner => "group_with_snapshot_has_owner",
            Self::MergeKeepsTimeOrder => "merge_keeps_time_order",
            Self::FailedMoveCanBeRepeated => "failed_move_can_be_repeated",
            Self::FinishedSnapshotIsWhole => "finished_snapshot_is_whole",
            Self::LockedSnapshotStays => "locked_snapshot_stays",
            Self::ManifestUpdateIsNotLost => "manifest_update_is_not_lost",
            Self::FailedBackupLeavesNothing => "failed_backup_leaves_nothing",
            Self::StartedBackupFinishes => "started_backup_finishes",
            Self::ProtectedSnapshotStays => "protected_snapshot_stays",
            Self::PruneKeepsFinishedSnapshot => "prune_keeps_finished_snapshot",
            Self::JobSkipsWhatVanished => "job_skips_what_vanished",
            Self::InsertedChunkIsThere => "inserted_chunk_is_there",
            Self::GcIsNotRefusedByItsOwnWriters => "gc_is_not_refused_by_its_own_writers",
            Self::ExclusiveNamespaceIsAlone => "exclusive_namespace_is_alone",
            Self::DeletedNamespaceStaysDeleted => "deleted_namespace_stays_deleted",
            Self::OwnerIsChangedFromWhatWasChecked => "owner_is_changed_from_what_was_checked",
            Self::OwnerFileIsWhole => "owner_file_is_whole",
            Self::WhatIsLeftCanBeUsedAgain => "what_is_left_can_be_used_again",
            Self::CanCollectBesideBackup => "can_collect_beside_backup",
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
                "A snapshot that was created and not removed lies in exactly one namespace, and any other one in none.",
                "a snapshot is in another namespace than the one in which it started",
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
                "A garbage collection fails only if another one runs, the daemon is reloaded, a lock that it needs stays busy or cannot be made, or the journal held a foreign line from the start.",
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
                "A move that has renamed nothing when it ends leaves no empty target group that it has created.",
                "a move that has renamed nothing is about to end",
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
            Self::FinishedSnapshotIsWhole => (
                Mood::Always,
                "A snapshot that has a manifest has all its index files, unless somebody holds its exclusive lock.",
                "an operation that removes a snapshot has begun",
                "a snapshot that looks restorable and is not",
                "forget_snapshot.unlink_manifest before any other file",
            ),
            Self::LockedSnapshotStays => (
                Mood::Always,
                "A snapshot that an actor has locked and found is neither moved nor removed by another one.",
                "an actor relies on a snapshot that it locked and found",
                "a restore, a verification or the reference of a running backup that breaks in the middle",
                "the exclusive snapshot lock of every mover and remover",
            ),
            Self::ManifestUpdateIsNotLost => (
                Mood::Always,
                "What an operation has written to a manifest stays in it: notes, verify state, statistics.",
                "two operations have updated a manifest",
                "notes that vanish, a failed verification that is forgotten",
                "every update of a manifest reading and writing it under its lock",
            ),
            Self::FailedBackupLeavesNothing => (
                Mood::Always,
                "A backup that fails leaves neither a snapshot that it has begun and not finished, nor one for whose last lock there was no inode, nor an empty group that it has created. A process that locks directories leaves the group, whose lock would go with it, and a snapshot that somebody else has locked first.",
                "a backup that has failed is about to let everything go",
                "an unfinished snapshot, or an empty group whose owner keeps others out",
                "the removal at the end of backup, under its own locks",
            ),
            Self::StartedBackupFinishes => (
                Mood::Always,
                "A backup fails only if a lock was busy or its namespace gone when it began, if the group belongs to somebody else or has a finished snapshot that is not older, if a lock file found no inode, if somebody kept its manifest locked for longer than it waits at its end, or if its client left; where directories are locked, also if what it had just created was removed before it had the lock of it.",
                "a backup has ended",
                "hours of upload that end with an error",
                "name locks taken before anything is created, looking again under the lock, and one shared process lock for the whole session",
            ),
            Self::ProtectedSnapshotStays => (
                Mood::Always,
                "A protected snapshot is not removed.",
                "an operation that removes snapshots has ended",
                "the one backup that was marked to be kept",
                "forget_snapshot.check_protected",
            ),
            Self::PruneKeepsFinishedSnapshot => (
                Mood::Always,
                "A prune that is to keep a snapshot never removes the newest finished one of those that it has listed.",
                "a prune that is to keep a snapshot removes one",
                "the last good backup of a machine",
                "the keep options counting finished snapshots only",
            ),
            Self::JobSkipsWhatVanished => (
                Mood::Always,
                "A removal, prune or verification does not fail, nor leave out a snapshot that is there, because another one was moved or removed beside it.",
                "a removal, prune or verification has ended",
                "a job that reports an error that is none, a group that is not pruned, or one that was not verified and looks so",
                "looking again under the lock, and skipping what is gone",
            ),
            Self::InsertedChunkIsThere => (
                Mood::Always,
                "A chunk that was touched or inserted is there when the mutex is unlocked, and stays, unless it was corrupt and is set aside.",
                "a chunk was touched or inserted",
                "a new backup that refers to a chunk that somebody has just removed",
                "the chunk-store mutex around looking and acting",
            ),
            Self::GcIsNotRefusedByItsOwnWriters => (
                Mood::Always,
                "The process lock refuses a garbage collection only if another process holds it.",
                "a garbage collection is about to take the process lock beside a writer of its own process",
                "garbage collection that never runs while backups do",
                "the process lock belonging to the process",
            ),
            Self::CanCollectBesideBackup => (
                Mood::Sometimes,
                "A garbage collection sweeps while a backup of its own process is running.",
                "always",
                "nothing: it shows that the two really run beside each other",
                "-",
            ),
            Self::ExclusiveNamespaceIsAlone => (
                Mood::Always,
                "While an actor relies on the exclusive lock of a namespace, nobody else relies on a lock of that namespace or of one below it.",
                "an actor relies on the exclusive lock of a namespace while another one is not finished",
                "a namespace that is moved or removed while somebody works in it",
                "the shared locks of all namespaces above, take_namespace_lock.lock_shared",
            ),
            Self::DeletedNamespaceStaysDeleted => (
                Mood::Always,
                "No operation brings back the directory of a namespace that was removed.",
                "a namespace was removed",
                "a namespace that is there again, with one backup in it, and without its owner knowing",
                "creating only the directories of the type and of the group",
            ),
            Self::OwnerIsChangedFromWhatWasChecked => (
                Mood::Always,
                "A change of the owner replaces the owner that it has checked, and no other.",
                "an owner was changed",
                "a group that belongs to somebody who was not allowed to take it",
                "set_owner.recheck_owner under the lock of the group",
            ),
            Self::OwnerFileIsWhole => (
                Mood::Always,
                "An owner file that is there names an owner.",
                "a change of the owner is under way or has ended",
                "a group that nobody can use until somebody writes its owner by hand",
                "set_owner.write_owner replacing the file",
            ),
            Self::WhatIsLeftCanBeUsedAgain => (
                Mood::Always,
                "If all processes are killed, or the host goes down, then a collection, a backup to each group, its verification, pruning and removal, and every move and deletion once more end well, one after the other, and leave nothing behind that nothing names.",
                "somebody is at work",
                "a group or a datastore that fails every job from then on, until somebody mends it by hand",
                "backup.list_ownerless_group, move_group.list_ownerless_target, the order of steps in every removal, and gc.cut_torn_tail",
            ),
            Self::GroupWithSnapshotHasOwner => (
                Mood::Always,
                "A group that holds a snapshot has an owner file.",
                "a group was created or removed, or has lost its owner",
                "a group that nobody may use until somebody mends it by hand",
                "the group's lock around creating and removing it: move_group.lock_target_group, backup.lock_group, forget_snapshot.lock_group",
            ),
            Self::MergeKeepsTimeOrder => (
                Mood::Always,
                "Whatever a move that merges brings into a group is newer than every snapshot that is there and was not brought by it.",
                "a move that merges holds both groups and has listed what it moves",
                "a group whose newest snapshot is not the last one made, so that prune removes the wrong ones",
                "move_group.check_merge under both locks",
            ),
            Self::FailedMoveCanBeRepeated => (
                Mood::Always,
                "When a move fails, every snapshot that it leaves behind is newer than every one that it has moved.",
                "a move that has moved a snapshot and not all of them is about to give up",
                "a half moved group that no move can bring together again",
                "moving the oldest snapshot first",
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
