//! What the designs do differently inside their steps, as model and implementation ask it; each is a question about single
//! changes. The tables say which steps a design has.

use super::{Change, Design};
use crate::lock_class::{Mode, Wait};

/// When a process looks for the flag file that makes it lock directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksForFlag {
    /// Once, at its first lock; what it finds then holds for as long as it runs.
    AtFirstLock,
    /// Again at every lock.
    AtEveryLock,
    /// Never.
    Never,
}

impl Design {
    /// Whether it is older than moves.
    pub const fn is_before_moves(self) -> bool {
        self.has(Change::NoMoves)
    }

    /// Whether a move announces what it renames.
    pub const fn has_journal(self) -> bool {
        !self.has(Change::NoJournal)
    }

    /// Whether every process locks a group or a snapshot by its directory, and not by a lock file.
    pub const fn locks_directories(self) -> bool {
        self.has(Change::LocksDirectories)
    }

    /// When a process looks for the flag file that makes it lock directories.
    pub const fn flag(self) -> LooksForFlag {
        if self.has(Change::FlagPerCall) {
            LooksForFlag::AtEveryLock
        } else if self.has(Change::FlagIgnored) {
            LooksForFlag::Never
        } else {
            LooksForFlag::AtFirstLock
        }
    }

    /// Whether the package script sets the flag file before it reloads the daemon.
    pub const fn sets_flag_before_reload(self) -> bool {
        self.has(Change::SetsFlagBeforeReload)
    }

    /// Whether whoever removes the last snapshot of a group removes the group as well, when groups are locked by
    /// their directories or by lock files.
    pub const fn forget_removes_group(self, by_directory: bool) -> bool {
        !by_directory || self.has(Change::DirectoryGroupsRemoved)
    }

    /// Whether the removal of a namespace removes its groups, when groups are locked by their directories or by lock
    /// files.
    pub const fn deletion_removes_groups(self, by_directory: bool) -> bool {
        self.forget_removes_group(by_directory) || self.locks_directories()
    }

    /// Whether garbage collection marks the index files of its first walk, and no others.
    pub const fn marks_first_walk_only(self) -> bool {
        self.has(Change::IndexListOnly)
    }

    /// Whether garbage collection lists a group once, whatever vanishes from it.
    pub const fn lists_a_group_once(self) -> bool {
        self.has(Change::NoSecondListing)
    }

    /// Whether a backup shares the process lock for each index file, and not in between.
    pub const fn shares_store_lock_per_index(self) -> bool {
        self.has(Change::StoreLockPerIndex)
    }

    /// Whether a chunk is touched without the chunk-store mutex.
    pub const fn touches_without_mutex(self) -> bool {
        self.has(Change::TouchWithoutMutex)
    }

    /// Whether a corrupt chunk is set aside without the chunk-store mutex.
    pub const fn sets_aside_without_mutex(self) -> bool {
        self.has(Change::RenameWithoutMutex)
    }

    /// Whether a change of the owner locks the group.
    pub const fn locks_group_of_new_owner(self) -> bool {
        !self.has(Change::OwnerNotLocked)
    }

    /// Whether a change of the owner reads the owner again, once it has the lock.
    pub const fn rechecks_owner(self) -> bool {
        !self.has(Change::OwnerNotRechecked)
    }

    /// Whether a change of the notes has the lock of the manifest before it reads it.
    pub const fn locks_manifest_before_reading(self) -> bool {
        !self.has(Change::ManifestLoadedBeforeLock)
    }

    /// Whether operations lock the namespace that they work in.
    pub const fn locks_namespaces(self) -> bool {
        self.has(Change::LocksNamespaces)
    }

    /// How long a taker waits for the lock of a namespace.
    pub const fn namespace_wait(self) -> Wait {
        if self.has(Change::WaitsForNamespaces) {
            Wait::Seconds(5)
        } else if self.has(Change::NamespaceLocksBlock) {
            Wait::Forever
        } else {
            Wait::No
        }
    }

    /// Whether whoever locks a namespace in a mode shares the locks of those above it.
    pub const fn locks_ancestors(self, mode: Mode) -> bool {
        match mode {
            Mode::Exclusive => !self.has(Change::NamespaceExclusiveAlone),
            Mode::Shared => !self.has(Change::NamespaceSharedAlone),
        }
    }

    /// Whether the locks of the namespaces above are taken before the own one.
    pub const fn locks_ancestors_first(self) -> bool {
        self.has(Change::NamespaceAncestorsFirst)
    }

    /// Whether a group moves by one rename of its directory.
    pub const fn renames_whole_group(self) -> bool {
        self.has(Change::RenameWholeGroup)
    }

    /// Whether whoever creates a group also creates the directories above it, those of its namespace among them.
    pub const fn creates_namespaces_on_the_way(self) -> bool {
        !self.has(Change::NeverCreatesNamespaces)
    }

    /// Whether an owner file is whole when it comes to its place, that of a new group as well as one with another owner.
    pub const fn replaces_owner_file(self) -> bool {
        self.has(Change::ReplacesOwnerFile)
    }

    /// Whether an operation over namespaces skips one that is gone.
    pub const fn skips_a_vanished_namespace(self) -> bool {
        self.has(Change::SkipsAVanishedNamespace)
    }

    /// Whether whoever holds the journal lock removes what an interrupted append left at its end.
    pub const fn mends_torn_tail(self) -> bool {
        self.has(Change::MendsTornTail)
    }

    /// Whether each process keeps a move journal of its own, in memory.
    pub const fn keeps_journal_in_memory(self) -> bool {
        self.has(Change::JournalInMemory)
    }

    /// Whether a move keeps the journal locked until it has renamed the snapshot.
    pub const fn renames_under_journal_lock(self) -> bool {
        self.has(Change::RenamesUnderJournalLock)
    }

    /// Whether garbage collection lists a group again when a snapshot of the listing is gone.
    pub const fn lists_again_after_a_vanished_snapshot(self) -> bool {
        self.has(Change::ListsAgainAfterAVanishedSnapshot)
    }

    /// Whether garbage collection lists a group again for every index file that was seen and is gone.
    pub const fn lists_again_for_every_vanished_file(self) -> bool {
        self.has(Change::ListsAgainForEveryVanishedFile)
    }

    /// Whether it looks into the snapshots of a group oldest first, and then lists their names once more.
    pub const fn lists_names_again(self) -> bool {
        self.has(Change::ListsNamesAgain)
    }

    /// Whether an entry of the journal whose index file is gone makes it list and mark the group of the entry again.
    pub const fn marks_group_of_a_missing_entry(self) -> bool {
        self.has(Change::MarksGroupOfAMissingEntry)
    }

    /// Whether a move locks its target group before it creates the directory.
    pub const fn locks_target_before_it_creates(self) -> bool {
        self.has(Change::LocksTargetBeforeItCreates)
    }

    /// Whether a group without an owner file that holds no snapshot is taken for a new one by whoever has its lock.
    pub const fn adopts_an_ownerless_group(self) -> bool {
        self.has(Change::AdoptsAnOwnerlessGroup)
    }

    /// Whether a move that fails before its first rename removes the target group that it created.
    pub const fn removes_group_of_a_failed_move(self) -> bool {
        self.has(Change::RemovesGroupOfAFailedMove)
    }

    /// Whether a move holds the manifest lock of a snapshot while it renames it.
    pub const fn moves_under_manifest_lock(self) -> bool {
        self.has(Change::MovesUnderManifestLock)
    }

    /// Whether a backup locks the name of a group or snapshot before it creates the directory.
    pub const fn locks_before_it_creates(self) -> bool {
        self.has(Change::LocksBeforeItCreates)
    }

    /// Whether a lock whose file was unlinked while it was being taken is tried again, in the same step.
    pub const fn locks_again_what_vanished(self) -> bool {
        self.has(Change::LocksAgainWhatVanished)
    }

    /// Whether a namespace whose lock files may have the path of something else has a directory of its own for them.
    pub const fn avoids_name_collisions(self) -> bool {
        self.has(Change::AvoidsNameCollisions)
    }

    /// Whether an operation looks again, once it has the lock of a name, whether the thing is still there.
    pub const fn rechecks_after_locking(self) -> bool {
        self.has(Change::RechecksAfterLocking)
    }

    /// Whether a removal refuses a snapshot if the listing of what it would unlink has the file of a protection.
    pub const fn finds_protection_in_the_listing(self) -> bool {
        self.has(Change::FindsProtectionInTheListing) && !self.has(Change::ProtectionNotChecked)
    }

    /// Whether a removal begins with the manifest, so that what a crash leaves counts as unfinished.
    pub const fn removes_the_manifest_first(self) -> bool {
        self.has(Change::RemovesTheManifestFirst)
    }

    /// Whether a backup that gives up removes its group under the lock that it has, if nothing is left in it.
    pub const fn removes_group_of_a_failed_backup(self) -> bool {
        self.has(Change::RemovesGroupOfAFailedBackup)
    }

    /// Whether a backup that fails before it has the process lock removes what it created.
    pub const fn cleans_up_after_a_refused_backup(self) -> bool {
        self.has(Change::CleansUpAfterARefusedBackup)
    }

    /// Whether a backup makes the lock file of its manifest before it sends anything, so that neither its last steps nor the
    /// removal of what it made need another inode.
    pub const fn makes_lock_of_manifest_first(self) -> bool {
        self.has(Change::MakesLockOfManifestFirst)
    }

    /// Whether a backup that fails locks the manifest of its snapshot before it removes that.
    pub const fn locks_manifest_of_a_failed_backup(self) -> bool {
        self.has(Change::LocksManifestOfAFailedBackup)
    }

    /// Whether whoever goes through the snapshots of a group lists their names only, and skips one that is gone.
    pub const fn skips_a_vanished_snapshot(self) -> bool {
        self.has(Change::SkipsAVanishedSnapshot)
    }

    /// Whether only a chunk that was read and found corrupt is set aside, and only if it still is.
    pub const fn sets_aside_only_what_it_read(self) -> bool {
        self.has(Change::SetsAsideOnlyWhatItRead)
    }
}
