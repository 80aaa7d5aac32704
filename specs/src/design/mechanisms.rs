//! What the designs do differently inside their steps; the tables say which steps they have.

use super::Design;
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
        matches!(self, Self::DirectoryLocks | Self::TmpfsLocks)
    }

    /// Whether a move announces what it renames.
    pub fn has_journal(self) -> bool {
        self != Self::NoJournal && !self.locks_namespaces() && !self.is_before_moves()
    }

    /// Whether every process locks a group or a snapshot by its directory, and not by a lock file.
    pub const fn locks_directories(self) -> bool {
        matches!(self, Self::DirectoryLocks)
    }

    /// When a process looks for the flag file that makes it lock directories.
    pub const fn flag(self) -> LooksForFlag {
        if matches!(self, Self::FlagPerCall) {
            LooksForFlag::AtEveryLock
        } else if matches!(self, Self::FlagIgnored) {
            LooksForFlag::Never
        } else {
            LooksForFlag::AtFirstLock
        }
    }

    /// Whether the package script sets the flag file before it reloads the daemon.
    pub fn sets_flag_before_reload(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether whoever removes the last snapshot of a group removes the group as well, when groups are locked by
    /// their directories or by lock files.
    pub const fn forget_removes_group(self, by_directory: bool) -> bool {
        !by_directory || matches!(self, Self::DirectoryGroupsRemoved)
    }

    /// Whether the removal of a namespace removes its groups, when groups are locked by their directories or by lock
    /// files.
    pub const fn deletion_removes_groups(self, by_directory: bool) -> bool {
        self.forget_removes_group(by_directory) || self.locks_directories()
    }

    /// Whether garbage collection marks the index files of its first walk, and no others.
    pub const fn marks_first_walk_only(self) -> bool {
        matches!(self, Self::IndexListOnly | Self::DirectoryLocks)
    }

    /// Whether garbage collection lists a group once, whatever vanishes from it.
    pub const fn lists_a_group_once(self) -> bool {
        matches!(self, Self::NoSecondListing) || self.is_before_moves()
    }

    /// Whether a backup shares the process lock for each index file, and not in between.
    pub const fn shares_store_lock_per_index(self) -> bool {
        matches!(self, Self::StoreLockPerIndex) || self.is_before_moves()
    }

    /// Whether a chunk is touched without the chunk-store mutex.
    pub const fn touches_without_mutex(self) -> bool {
        matches!(self, Self::TouchWithoutMutex) || self.is_before_moves()
    }

    /// Whether a corrupt chunk is set aside without the chunk-store mutex.
    pub const fn sets_aside_without_mutex(self) -> bool {
        matches!(self, Self::RenameWithoutMutex) || self.is_before_moves()
    }

    /// Whether a change of the owner locks the group.
    pub const fn locks_group_of_new_owner(self) -> bool {
        !self.locks_directories()
    }

    /// Whether a change of the owner reads the owner again, once it has the lock.
    pub const fn rechecks_owner(self) -> bool {
        !matches!(self, Self::OwnerNotRechecked) && self.locks_group_of_new_owner()
    }

    /// Whether a change of the notes has the lock of the manifest before it reads it.
    pub const fn locks_manifest_before_reading(self) -> bool {
        !matches!(self, Self::ManifestLoadedBeforeLock)
    }

    /// Whether operations lock the namespace that they work in.
    pub fn locks_namespaces(self) -> bool {
        Self::NAMESPACE_LOCKS.contains(&self)
    }

    /// How long a taker waits for the lock of a namespace.
    pub const fn namespace_wait(self) -> Wait {
        if matches!(self, Self::NamespaceLocksWait) {
            Wait::Seconds(5)
        } else if matches!(
            self,
            Self::NamespaceAncestorsFirst | Self::NamespaceLocksBlock
        ) {
            Wait::Forever
        } else {
            Wait::No
        }
    }

    /// Whether whoever locks a namespace in a mode shares the locks of those above it.
    pub const fn locks_ancestors(self, mode: Mode) -> bool {
        match mode {
            Mode::Exclusive => !matches!(self, Self::NamespaceExclusiveAlone),
            Mode::Shared => !matches!(self, Self::NamespaceSharedAlone),
        }
    }

    /// Whether the locks of the namespaces above are taken before the own one.
    pub const fn locks_ancestors_first(self) -> bool {
        matches!(self, Self::NamespaceAncestorsFirst)
    }

    /// Whether a group moves by one rename of its directory.
    pub fn renames_whole_group(self) -> bool {
        self == Self::RenameWholeGroup || self.locks_namespaces()
    }

    /// Whether whoever creates a group also creates the directories above it, those of its namespace among them.
    pub fn creates_namespaces_on_the_way(self) -> bool {
        self.base() == Self::Upstream
    }

    /// Whether an owner file is whole when it comes to its place, that of a new group as well as one with another owner.
    pub fn replaces_owner_file(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether an operation over namespaces skips one that is gone.
    pub fn skips_a_vanished_namespace(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether whoever holds the journal lock removes what an interrupted append left at its end.
    pub fn mends_torn_tail(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether each process keeps a move journal of its own, in memory.
    pub fn keeps_journal_in_memory(self) -> bool {
        self == Self::JournalInMemory
    }

    /// Whether a move keeps the journal locked until it has renamed the snapshot.
    pub fn renames_under_journal_lock(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether garbage collection lists a group again when a snapshot of the listing is gone.
    pub fn lists_again_after_a_vanished_snapshot(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether garbage collection lists a group again for every index file that was seen and is gone.
    pub fn lists_again_for_every_vanished_file(self) -> bool {
        self.base() == Self::Hardened
            && !matches!(
                self,
                Self::RetryForNewestOnly | Self::NoSecondListing | Self::OldestFirst
            )
    }

    /// Whether it compares the listing of a group with what the walk found there.
    pub fn compares_listing_with_walk(self) -> bool {
        self.base() == Self::Hardened
            && !matches!(self, Self::ListingNotCompared | Self::NoSecondListing)
    }

    /// Whether a move that fails before its first rename removes the target group that it created.
    pub fn removes_group_of_a_failed_move(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a move holds the manifest lock of a snapshot while it renames it.
    pub fn moves_under_manifest_lock(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a backup locks the name of a group or snapshot before it creates the directory.
    pub fn locks_before_it_creates(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a lock whose file was unlinked while it was being taken is tried again, in the same step.
    pub fn locks_again_what_vanished(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a namespace whose lock files may have the path of something else has a directory of its own for them.
    pub fn avoids_name_collisions(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether an operation looks again, once it has the lock of a name, whether the thing is still there.
    pub fn rechecks_after_locking(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a removal begins with the manifest, so that what a crash leaves counts as unfinished.
    pub fn removes_the_manifest_first(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a backup that fails removes what it created, snapshot and group.
    pub fn removes_all_of_a_failed_backup(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a backup makes the lock file of its manifest before it sends anything, so that neither its last steps nor the
    /// removal of what it made need another inode.
    pub fn makes_lock_of_manifest_first(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a backup that fails locks the manifest of its snapshot before it removes that.
    pub fn locks_manifest_of_a_failed_backup(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a job over the snapshots of a group skips one that is gone.
    pub fn skips_a_vanished_snapshot(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether only a chunk that was read and found corrupt is set aside, and only if it still is.
    pub fn sets_aside_only_what_it_read(self) -> bool {
        self.base() == Self::Hardened
    }
}
