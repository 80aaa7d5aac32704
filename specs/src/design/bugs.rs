//! The seeded bugs: each changes the protocol at one place, as its history or a review did.

use super::change::{About, Change};

/// The bugs.
pub(super) const BUGS: &[About] = &[
    About::bug(
        Change::RenameBeforeAppend,
        "rename_before_append",
        "The journal entry is written after the rename.",
    )
    .excludes(&[Change::RenamesUnderJournalLock]),
    About::bug(
        Change::RecordSourcePath,
        "record_source_path",
        "The journal entry names the path before the rename.",
    ),
    About::bug(
        Change::DrainBeforeIteration,
        "drain_before_iteration",
        "The journal is drained before the namespaces are visited.",
    ),
    About::bug(
        Change::DrainInReverse,
        "drain_in_reverse",
        "The drain processes the newest entry first.",
    ),
    About::bug(
        Change::TruncateBeforeMarking,
        "truncate_before_marking",
        "The drain empties the journal as soon as it has read it.",
    )
    .excludes(&[Change::TruncateAfterFailedEntry]),
    About::bug(
        Change::TruncateAfterFailedEntry,
        "truncate_after_failed_entry",
        "The journal is truncated although an entry could not be processed.",
    ),
    About::bug(
        Change::MissingEntryIsFatal,
        "missing_entry_is_fatal",
        "An entry whose index file is not there fails the drain.",
    )
    .excludes(&[Change::MarksGroupOfAMissingEntry]),
    About::bug(
        Change::JournalInMemory,
        "journal_in_memory",
        "The move journal is no file: each process keeps its own in memory, under a mutex that is waited for without end.",
    ),
    About::bug(
        Change::NoJournal,
        "no_journal",
        "A move tells garbage collection nothing: there is no journal.",
    )
    .excludes(&[
        Change::RenameBeforeAppend,
        Change::RecordSourcePath,
        Change::DrainBeforeIteration,
        Change::DrainInReverse,
        Change::TruncateBeforeMarking,
        Change::TruncateAfterFailedEntry,
        Change::MissingEntryIsFatal,
        Change::JournalInMemory,
    ]),
    About::bug(
        Change::RenameWholeGroup,
        "rename_whole_group",
        "The group directory moves by one rename, under the lock of the journal and with one entry for the directory if there is a journal.",
    )
    .excludes(&[
        Change::RenameBeforeAppend,
        Change::RecordSourcePath,
        Change::CopyThenRemove,
        Change::MergeCheckedBeforeLock,
        Change::TargetUnlockedEarly,
        Change::NewestMovesFirst,
    ]),
    About::bug(
        Change::CopyThenRemove,
        "copy_then_remove",
        "A snapshot is copied to its target and then removed from its source, as on an object store.",
    ),
    About::bug(
        Change::MergeCheckedBeforeLock,
        "merge_checked_before_lock",
        "A move checks whether it may merge before it has the lock of the target group.",
    )
    .excludes(&[Change::LocksTargetBeforeItCreates]),
    About::bug(
        Change::TargetUnlockedEarly,
        "target_unlocked_early",
        "A move releases the target group before its first rename.",
    ),
    About::bug(
        Change::NewestMovesFirst,
        "newest_moves_first",
        "The snapshots of a group move newest first.",
    ),
    About::bug(
        Change::LeftoversNotMarked,
        "leftovers_not_marked",
        "Listed index files that no group holds are not marked.",
    ),
    About::bug(
        Change::IndexListOnly,
        "index_list_only",
        "Only the index files of the walk at the beginning are marked; no namespace is visited.",
    ),
    About::bug(
        Change::NoSecondListing,
        "no_second_listing",
        "A group is listed once, whatever vanishes from it.",
    )
    .excludes(&[Change::ListsNamesAgain]),
    About::bug(
        Change::OldestFirst,
        "oldest_first",
        "The snapshots of a group are visited oldest first; the first of the listing is still the one that decides on a second listing.",
    ),
    About::bug(
        Change::OldestWriterAfterMark,
        "oldest_writer_after_mark",
        "The oldest writer is asked for after the mark phase.",
    ),
    About::bug(
        Change::IgnoresOldestWriter,
        "ignores_oldest_writer",
        "Garbage collection does not ask for the oldest writer of its process.",
    )
    .excludes(&[Change::OldestWriterAfterMark]),
    About::bug(
        Change::StoreLockAfterFirstChunk,
        "store_lock_after_first_chunk",
        "A backup shares the process lock only after it has inserted its first chunk.",
    ),
    About::bug(
        Change::StoreLockPerIndex,
        "store_lock_per_index",
        "A backup shares the process lock for each index file, and not in between.",
    )
    .excludes(&[Change::StoreLockAfterFirstChunk]),
    About::bug(
        Change::StoreLockPerHandle,
        "store_lock_per_handle",
        "The process lock belongs to the open file, so a process excludes itself as well.",
    ),
    About::bug(
        Change::UnlockWithoutDowngrade,
        "unlock_without_downgrade",
        "Garbage collection ends by releasing the record lock, although writers of its process share it.",
    ),
    About::bug(
        Change::TwoProcessLocks,
        "two_process_locks",
        "Each backup opens the file of the process lock anew, and closes it at its end.",
    )
    .excludes(&[Change::StoreLockPerHandle]),
    About::bug(
        Change::PreviousUnlockedEarly,
        "previous_unlocked_early",
        "A backup releases the previous snapshot before it closes its last index file.",
    ),
    About::bug(
        Change::PreviousNotChecked,
        "previous_not_checked",
        "A backup does not look at its end whether the previous snapshot is there.",
    ),
    About::bug(
        Change::TouchWithoutMutex,
        "touch_without_mutex",
        "A chunk is touched without the chunk-store mutex.",
    ),
    About::bug(
        Change::SweepInTwoPeriods,
        "sweep_in_two_periods",
        "The sweep looks at a chunk and removes it in two periods of the chunk-store mutex.",
    ),
    About::bug(
        Change::InsertDecidesBeforeMutex,
        "insert_decides_before_mutex",
        "An insert looks whether the chunk is there before it locks the chunk-store mutex.",
    ),
    About::bug(
        Change::RenameWithoutMutex,
        "rename_without_mutex",
        "A corrupt chunk is set aside without the chunk-store mutex.",
    ),
    About::bug(
        Change::ForgetUnlocksBeforeRemoval,
        "forget_unlocks_before_removal",
        "A snapshot's lock file is unlinked and its lock released before the snapshot is removed.",
    ),
    About::bug(
        Change::ProtectionNotChecked,
        "protection_not_checked",
        "A removal does not look whether the snapshot is protected.",
    ),
    About::bug(
        Change::PruneCountsUnfinished,
        "prune_counts_unfinished",
        "Prune counts unfinished snapshots as kept ones.",
    ),
    About::bug(
        Change::OwnerNotLocked,
        "owner_not_locked",
        "A change of the owner does not lock the group.",
    )
    .requires(&[Change::OwnerNotRechecked]),
    About::bug(
        Change::OwnerNotRechecked,
        "owner_not_rechecked",
        "A change of the owner does not read the owner again under the lock.",
    ),
    About::bug(
        Change::ManifestLoadedBeforeLock,
        "manifest_loaded_before_lock",
        "A change of the notes reads the manifest before it has the lock.",
    ),
    About::bug(
        Change::UnlinkAfterUnlock,
        "unlink_after_unlock",
        "The lock file is unlinked after the lock was released.",
    ),
    About::bug(
        Change::RecheckBeforeFlock,
        "recheck_before_flock",
        "The inodes are compared before the lock is obtained.",
    ),
    About::bug(
        Change::FlagPerCall,
        "flag_per_call",
        "Whether locks are those of directories is looked up at every lock, and not once for a process.",
    ),
    About::bug(
        Change::FlagIgnored,
        "flag_ignored",
        "The flag file, which says that an older process may still lock directories, is not looked for.",
    )
    .excludes(&[Change::FlagPerCall]),
    About::bug(
        Change::DirectoryGroupsRemoved,
        "directory_groups_removed",
        "An empty group is removed, although its lock is that of its directory.",
    ),
    About::bug(
        Change::NamespaceExclusiveAlone,
        "namespace_exclusive_alone",
        "Whoever locks a namespace exclusively does not lock those above it.",
    )
    .requires(&[Change::LocksNamespaces]),
    About::bug(
        Change::NamespaceSharedAlone,
        "namespace_shared_alone",
        "Whoever shares the lock of a namespace does not share those above it.",
    )
    .requires(&[Change::LocksNamespaces]),
    About::bug(
        Change::NamespaceAncestorsFirst,
        "namespace_ancestors_first",
        "The locks of a namespace are taken from the outside in.",
    )
    .requires(&[Change::LocksNamespaces]),
    About::bug(
        Change::NamespaceLocksBlock,
        "namespace_locks_block",
        "The locks of namespaces are waited for without end.",
    )
    .requires(&[Change::LocksNamespaces])
    .excludes(&[Change::WaitsForNamespaces]),
];
