//! The named designs of the protocol: the published one, the hardened one, and those with one row changed.

mod mechanisms;

pub use mechanisms::LooksForFlag;
use serde::{Deserialize, Serialize};

/// A design of the protocol. A design from the history or from a review differs from its base in named rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// The move journal as published (v8, April 2026).
    Upstream,
    /// The published design with every confirmed weakness mended; the default.
    Hardened,
    /// The journal entry is written after the rename.
    RenameBeforeAppend,
    /// The journal entry names the path before the rename.
    RecordSourcePath,
    /// The journal is drained before the namespaces are visited.
    DrainBeforeIteration,
    /// The drain processes the newest entry first.
    DrainInReverse,
    /// The journal is truncated although an entry could not be processed.
    TruncateAfterFailedEntry,
    /// An entry whose index file is not there fails the drain.
    MissingEntryIsFatal,
    /// The group directory moves by one rename, with one entry for the directory.
    RenameWholeGroup,
    /// Listed index files that no group holds are not marked.
    LeftoversNotMarked,
    /// The lock file is unlinked after the lock was let go.
    UnlinkAfterUnlock,
    /// The inodes are compared before the lock is obtained.
    RecheckBeforeFlock,
    /// The protocol before lock files (June 2024): groups and snapshots are locked by their directories.
    DirectoryLocks,
    /// The protocol with the first lock files on a tmpfs (April 2025).
    TmpfsLocks,
    /// The flag file of the old locks is looked for again at every lock.
    FlagPerCall,
    /// The flag file of the old locks is not looked for.
    FlagIgnored,
    /// An empty group is removed, although it is locked by its directory.
    DirectoryGroupsRemoved,
    /// A snapshot is copied to its target and then removed from its source.
    CopyThenRemove,
    /// The oldest writer is asked for after the mark phase.
    OldestWriterAfterMark,
    /// A backup shares the process lock only after it has inserted its first chunk.
    StoreLockAfterFirstChunk,
    /// A backup shares the process lock for each index file, and not in between.
    StoreLockPerIndex,
    /// Garbage collection ends by releasing the record lock, although writers of its process share it.
    UnlockWithoutDowngrade,
    /// A backup lets the previous snapshot go before it closes its last index file.
    PreviousUnlockedEarly,
    /// A group is listed once, whatever vanishes from it.
    NoSecondListing,
    /// The snapshots of a group are visited oldest first; the first of the listing is still the one that decides on a second listing.
    OldestFirst,
    /// Only the index files of the walk at the beginning are marked; no namespace is visited.
    IndexListOnly,
    /// A chunk is touched without the chunk-store mutex.
    TouchWithoutMutex,
    /// The sweep looks at a chunk and removes it in two periods of the chunk-store mutex.
    SweepInTwoPeriods,
    /// An insert looks whether the chunk is there before it locks the chunk-store mutex.
    InsertDecidesBeforeMutex,
    /// A corrupt chunk is set aside without the chunk-store mutex.
    RenameWithoutMutex,
    /// A snapshot's lock file is unlinked and its lock let go before the snapshot is removed.
    ForgetUnlocksBeforeRemoval,
    /// Prune counts unfinished snapshots as kept ones.
    PruneCountsUnfinished,
    /// The process lock belongs to the open file and not to the process.
    StoreLockPerHandle,
    /// Garbage collection does not ask for the oldest writer of its process.
    IgnoresOldestWriter,
    /// A removal does not look whether the snapshot is protected.
    ProtectionNotChecked,
    /// A backup does not look at its end whether the previous snapshot is there.
    PreviousNotChecked,
    /// Only a vanished index file of the newest snapshot of a listing makes garbage collection list a group again.
    RetryForNewestOnly,
    /// The snapshots of a group are not listed again after their files, and the newest is looked into first.
    NamesListedOnce,
    /// An entry of the journal whose index file is gone is skipped.
    MissingEntryIsSkipped,
    /// A move creates its target group before it locks it.
    TargetCreatedBeforeLock,
    /// A group without an owner file is refused, even if it holds no snapshot.
    OwnerlessGroupIsRefused,
    /// A move checks whether it may merge before it has the lock of the target group.
    MergeCheckedBeforeLock,
    /// A move lets the target group go before its first rename.
    TargetUnlockedEarly,
    /// The snapshots of a group move newest first.
    NewestMovesFirst,
    /// The drain empties the journal as soon as it has read it.
    TruncateBeforeMarking,
    /// Each backup opens the file of the process lock anew, and closes it at its end.
    TwoProcessLocks,
    /// The move journal lies in the memory of each process.
    JournalInMemory,
    /// A move tells garbage collection nothing: there is no journal.
    NoJournal,
    /// Lock files for namespaces, which everybody tries (v4 of the move series, never applied).
    NamespaceLocks,
    /// Lock files for namespaces, for which everybody waits up to 5 s (as its review asked).
    NamespaceLocksWait,
    /// Whoever locks a namespace exclusively does not lock those above it.
    NamespaceExclusiveAlone,
    /// Whoever shares the lock of a namespace does not share those above it.
    NamespaceSharedAlone,
    /// The locks of a namespace are taken from the outside in, and are waited for without end.
    NamespaceAncestorsFirst,
    /// The locks of namespaces are waited for without end.
    NamespaceLocksBlock,
    /// A change of the owner does not read the owner again under the lock.
    OwnerNotRechecked,
    /// A change of the notes reads the manifest before it has the lock.
    ManifestLoadedBeforeLock,
}

impl Design {
    /// All designs, the default first.
    pub const ALL: &'static [Self] = &[
        Self::Hardened,
        Self::Upstream,
        Self::RenameBeforeAppend,
        Self::RecordSourcePath,
        Self::DrainBeforeIteration,
        Self::DrainInReverse,
        Self::TruncateAfterFailedEntry,
        Self::MissingEntryIsFatal,
        Self::RenameWholeGroup,
        Self::LeftoversNotMarked,
        Self::UnlinkAfterUnlock,
        Self::RecheckBeforeFlock,
        Self::DirectoryLocks,
        Self::TmpfsLocks,
        Self::FlagPerCall,
        Self::FlagIgnored,
        Self::DirectoryGroupsRemoved,
        Self::CopyThenRemove,
        Self::OldestWriterAfterMark,
        Self::StoreLockAfterFirstChunk,
        Self::StoreLockPerIndex,
        Self::UnlockWithoutDowngrade,
        Self::PreviousUnlockedEarly,
        Self::NoSecondListing,
        Self::OldestFirst,
        Self::IndexListOnly,
        Self::TouchWithoutMutex,
        Self::SweepInTwoPeriods,
        Self::InsertDecidesBeforeMutex,
        Self::RenameWithoutMutex,
        Self::ForgetUnlocksBeforeRemoval,
        Self::PruneCountsUnfinished,
        Self::StoreLockPerHandle,
        Self::IgnoresOldestWriter,
        Self::ProtectionNotChecked,
        Self::PreviousNotChecked,
        Self::RetryForNewestOnly,
        Self::NamesListedOnce,
        Self::MissingEntryIsSkipped,
        Self::TargetCreatedBeforeLock,
        Self::OwnerlessGroupIsRefused,
        Self::MergeCheckedBeforeLock,
        Self::TargetUnlockedEarly,
        Self::NewestMovesFirst,
        Self::TruncateBeforeMarking,
        Self::TwoProcessLocks,
        Self::JournalInMemory,
        Self::NoJournal,
        Self::NamespaceLocks,
        Self::NamespaceLocksWait,
        Self::NamespaceExclusiveAlone,
        Self::NamespaceSharedAlone,
        Self::NamespaceAncestorsFirst,
        Self::NamespaceLocksBlock,
        Self::OwnerNotRechecked,
        Self::ManifestLoadedBeforeLock,
    ];

    /// Those with locks on namespaces.
    pub const NAMESPACE_LOCKS: &'static [Self] = &[
        Self::NamespaceLocks,
        Self::NamespaceLocksWait,
        Self::NamespaceExclusiveAlone,
        Self::NamespaceSharedAlone,
        Self::NamespaceAncestorsFirst,
        Self::NamespaceLocksBlock,
    ];

    /// The design that this one differs from in the rows that its sentence names.
    pub const fn base(self) -> Self {
        if matches!(
            self,
            Self::Upstream
                | Self::DirectoryLocks
                | Self::TmpfsLocks
                | Self::DrainInReverse
                | Self::TruncateAfterFailedEntry
                | Self::TruncateBeforeMarking
                | Self::NamespaceLocks
                | Self::NamespaceLocksWait
                | Self::NamespaceExclusiveAlone
                | Self::NamespaceSharedAlone
                | Self::NamespaceAncestorsFirst
                | Self::NamespaceLocksBlock
        ) {
            Self::Upstream
        } else {
            Self::Hardened
        }
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Hardened => "hardened",
            Self::RenameBeforeAppend => "history/rename_before_append",
            Self::RecordSourcePath => "history/record_source_path",
            Self::DrainBeforeIteration => "history/drain_before_iteration",
            Self::DrainInReverse => "history/drain_in_reverse",
            Self::TruncateAfterFailedEntry => "history/truncate_after_failed_entry",
            Self::MissingEntryIsFatal => "history/missing_entry_is_fatal",
            Self::RenameWholeGroup => "history/rename_whole_group",
            Self::LeftoversNotMarked => "history/leftovers_not_marked",
            Self::UnlinkAfterUnlock => "history/unlink_after_unlock",
            Self::RecheckBeforeFlock => "history/recheck_before_flock",
            Self::DirectoryLocks => "directory_locks",
            Self::TmpfsLocks => "tmpfs_locks",
            Self::FlagPerCall => "history/flag_per_call",
            Self::FlagIgnored => "history/flag_ignored",
            Self::DirectoryGroupsRemoved => "history/directory_groups_removed",
            Self::CopyThenRemove => "history/copy_then_remove",
            Self::OldestWriterAfterMark => "history/oldest_writer_after_mark",
            Self::StoreLockAfterFirstChunk => "history/store_lock_after_first_chunk",
            Self::StoreLockPerIndex => "history/store_lock_per_index",
            Self::UnlockWithoutDowngrade => "history/unlock_without_downgrade",
            Self::PreviousUnlockedEarly => "history/previous_unlocked_early",
            Self::NoSecondListing => "history/no_second_listing",
            Self::OldestFirst => "history/oldest_first",
            Self::IndexListOnly => "history/index_list_only",
            Self::TouchWithoutMutex => "history/touch_without_mutex",
            Self::SweepInTwoPeriods => "history/sweep_in_two_periods",
            Self::InsertDecidesBeforeMutex => "history/insert_decides_before_mutex",
            Self::RenameWithoutMutex => "history/rename_without_mutex",
            Self::ForgetUnlocksBeforeRemoval => "history/forget_unlocks_before_removal",
            Self::PruneCountsUnfinished => "history/prune_counts_unfinished",
            Self::StoreLockPerHandle => "history/store_lock_per_handle",
            Self::IgnoresOldestWriter => "history/ignores_oldest_writer",
            Self::ProtectionNotChecked => "history/protection_not_checked",
            Self::PreviousNotChecked => "history/previous_not_checked",
            Self::RetryForNewestOnly => "history/retry_for_newest_only",
            Self::NamesListedOnce => "history/names_listed_once",
            Self::MissingEntryIsSkipped => "history/missing_entry_is_skipped",
            Self::TargetCreatedBeforeLock => "history/target_created_before_lock",
            Self::OwnerlessGroupIsRefused => "history/ownerless_group_is_refused",
            Self::MergeCheckedBeforeLock => "history/merge_checked_before_lock",
            Self::TargetUnlockedEarly => "history/target_unlocked_early",
            Self::NewestMovesFirst => "history/newest_moves_first",
            Self::TruncateBeforeMarking => "history/truncate_before_marking",
            Self::TwoProcessLocks => "history/two_process_locks",
            Self::JournalInMemory => "history/journal_in_memory",
            Self::NoJournal => "history/no_journal",
            Self::NamespaceLocks => "namespace_locks",
            Self::NamespaceLocksWait => "namespace_locks_wait",
            Self::NamespaceExclusiveAlone => "history/namespace_exclusive_alone",
            Self::NamespaceSharedAlone => "history/namespace_shared_alone",
            Self::NamespaceAncestorsFirst => "history/namespace_ancestors_first",
            Self::NamespaceLocksBlock => "history/namespace_locks_block",
            Self::OwnerNotRechecked => "history/owner_not_rechecked",
            Self::ManifestLoadedBeforeLock => "history/manifest_loaded_before_lock",
        }
    }

    /// What sets it apart, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Upstream => {
                "The move journal as published (v8, April 2026), as read from its source."
            }
            Self::Hardened => "The published design with every confirmed weakness mended.",
            Self::RenameBeforeAppend => "The journal entry is written after the rename.",
            Self::RecordSourcePath => "The journal entry names the path before the rename.",
            Self::DrainBeforeIteration => {
                "The journal is drained before the namespaces are visited."
            }
            Self::DrainInReverse => "The drain processes the newest entry first.",
            Self::TruncateAfterFailedEntry => {
                "The journal is truncated although an entry could not be processed."
            }
            Self::MissingEntryIsFatal => "An entry whose index file is not there fails the drain.",
            Self::RenameWholeGroup => {
                "The group directory moves by one rename, with one entry for the directory."
            }
            Self::LeftoversNotMarked => "Listed index files that no group holds are not marked.",
            Self::UnlinkAfterUnlock => "The lock file is unlinked after the lock was let go.",
            Self::RecheckBeforeFlock => "The inodes are compared before the lock is obtained.",
            Self::DirectoryLocks => {
                "The protocol before lock files (June 2024), as read from its source: groups and snapshots are locked by their directories, garbage collection lists index files once, and there are no moves."
            }
            Self::TmpfsLocks => {
                "The protocol with the first lock files on a tmpfs (April 2025), as read from its source: a group is listed once, index files share the process lock one by one, and there are no moves."
            }
            Self::FlagPerCall => {
                "Whether locks are those of directories is looked up at every lock, and not once for a process."
            }
            Self::FlagIgnored => {
                "The flag file, which says that an older process may still lock directories, is not looked for."
            }
            Self::DirectoryGroupsRemoved => {
                "An empty group is removed, although its lock is that of its directory."
            }
            Self::CopyThenRemove => {
                "A snapshot is copied to its target and then removed from its source, as on an object store."
            }
            Self::OldestWriterAfterMark => "The oldest writer is asked for after the mark phase.",
            Self::StoreLockAfterFirstChunk => {
                "A backup shares the process lock only after it has inserted its first chunk."
            }
            Self::StoreLockPerIndex => {
                "A backup shares the process lock for each index file, and not in between."
            }
            Self::UnlockWithoutDowngrade => {
                "Garbage collection ends by releasing the record lock, although writers of its process share it."
            }
            Self::PreviousUnlockedEarly => {
                "A backup lets the previous snapshot go before it closes its last index file."
            }
            Self::NoSecondListing => "A group is listed once, whatever vanishes from it.",
            Self::OldestFirst => {
                "The snapshots of a group are visited oldest first; the first of the listing is still the one that decides on a second listing."
            }
            Self::IndexListOnly => {
                "Only the index files of the walk at the beginning are marked; no namespace is visited."
            }
            Self::TouchWithoutMutex => "A chunk is touched without the chunk-store mutex.",
            Self::SweepInTwoPeriods => {
                "The sweep looks at a chunk and removes it in two periods of the chunk-store mutex."
            }
            Self::InsertDecidesBeforeMutex => {
                "An insert looks whether the chunk is there before it locks the chunk-store mutex."
            }
            Self::RenameWithoutMutex => {
                "A corrupt chunk is set aside without the chunk-store mutex."
            }
            Self::ForgetUnlocksBeforeRemoval => {
                "A snapshot's lock file is unlinked and its lock let go before the snapshot is removed."
            }
            Self::PruneCountsUnfinished => "Prune counts unfinished snapshots as kept ones.",
            Self::StoreLockPerHandle => {
                "The process lock belongs to the open file, so a process excludes itself as well."
            }
            Self::IgnoresOldestWriter => {
                "Garbage collection does not ask for the oldest writer of its process."
            }
            Self::ProtectionNotChecked => {
                "A removal does not look whether the snapshot is protected."
            }
            Self::RetryForNewestOnly => {
                "Only a vanished index file of the newest snapshot of a listing makes garbage collection list a group again."
            }
            Self::NamesListedOnce => {
                "The snapshots of a group are not listed again after their files, and the newest is looked into first."
            }
            Self::MissingEntryIsSkipped => {
                "An entry of the journal whose index file is gone is skipped."
            }
            Self::TargetCreatedBeforeLock => "A move creates its target group before it locks it.",
            Self::OwnerlessGroupIsRefused => {
                "A group without an owner file is refused, even if it holds no snapshot."
            }
            Self::MergeCheckedBeforeLock => {
                "A move checks whether it may merge before it has the lock of the target group."
            }
            Self::TargetUnlockedEarly => "A move lets the target group go before its first rename.",
            Self::NewestMovesFirst => "The snapshots of a group move newest first.",
            Self::TruncateBeforeMarking => {
                "The drain empties the journal as soon as it has read it."
            }
            Self::TwoProcessLocks => {
                "Each backup opens the file of the process lock anew, and closes it at its end."
            }
            Self::JournalInMemory => {
                "The move journal is no file: each process keeps its own in memory, under a mutex that is waited for without end."
            }
            Self::NoJournal => "A move tells garbage collection nothing: there is no journal.",
            Self::NamespaceLocks => {
                "Lock files for namespaces, which everybody tries (v4 of the move series, never applied)."
            }
            Self::NamespaceLocksWait => {
                "Lock files for namespaces, for which everybody waits up to 5 s (as its review asked)."
            }
            Self::NamespaceExclusiveAlone => {
                "Whoever locks a namespace exclusively does not lock those above it."
            }
            Self::NamespaceSharedAlone => {
                "Whoever shares the lock of a namespace does not share those above it."
            }
            Self::NamespaceAncestorsFirst => {
                "The locks of a namespace are taken from the outside in, and are waited for without end."
            }
            Self::NamespaceLocksBlock => "The locks of namespaces are waited for without end.",
            Self::OwnerNotRechecked => {
                "A change of the owner does not read the owner again under the lock."
            }
            Self::ManifestLoadedBeforeLock => {
                "A change of the notes reads the manifest before it has the lock."
            }
            Self::PreviousNotChecked => {
                "A backup does not look at its end whether the previous snapshot is there."
            }
        }
    }
}
