//! The named designs of the protocol: the published one, the hardened one, and those with one row changed.

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
    /// A snapshot is copied to its target and then removed from its source.
    CopyThenRemove,
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
        Self::CopyThenRemove,
    ];

    /// The design that this one differs from in the rows that its sentence names.
    pub const fn base(self) -> Self {
        match self {
            Self::Upstream | Self::DrainInReverse | Self::TruncateAfterFailedEntry => {
                Self::Upstream
            }
            Self::Hardened
            | Self::RenameBeforeAppend
            | Self::RecordSourcePath
            | Self::DrainBeforeIteration
            | Self::MissingEntryIsFatal
            | Self::RenameWholeGroup
            | Self::LeftoversNotMarked
            | Self::UnlinkAfterUnlock
            | Self::RecheckBeforeFlock
            | Self::CopyThenRemove => Self::Hardened,
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
            Self::CopyThenRemove => "history/copy_then_remove",
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
            Self::CopyThenRemove => {
                "A snapshot is copied to its target and then removed from its source, as on an object store."
            }
        }
    }

    /// Whether whoever holds the journal lock removes what an interrupted append left at its end.
    pub fn mends_torn_tail(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a move keeps the journal locked until it has renamed the snapshot.
    pub fn renames_under_journal_lock(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether garbage collection lists a group again when a snapshot of the listing is gone.
    pub fn lists_again_after_a_vanished_snapshot(self) -> bool {
        self.base() == Self::Hardened
    }

    /// Whether a move that fails before its first rename removes the target group that it created.
    pub fn removes_group_of_a_failed_move(self) -> bool {
        self.base() == Self::Hardened
    }
}
