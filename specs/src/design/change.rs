//! The changes that a design is made of: a mend, a seeded bug and a mechanism of another era are one kind of thing.

use super::{bugs, eras, mends};
use crate::joined::{joined, total};

/// One change of the published design. What it does is its sentence in [`CHANGES`].
#[allow(missing_docs, reason = "each has its sentence in CHANGES")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Change {
    // Mends.
    ListsAgainAfterAVanishedSnapshot,
    ListsAgainForEveryVanishedFile,
    ListsNamesAgain,
    MarksGroupOfAMissingEntry,
    SkipsAVanishedNamespace,
    MendsTornTail,
    RenamesUnderJournalLock,
    MovesUnderManifestLock,
    RemovesGroupOfAFailedMove,
    LocksTargetBeforeItCreates,
    LocksBeforeItCreates,
    AdoptsAnOwnerlessGroup,
    RechecksAfterLocking,
    RemovesGroupOfAFailedBackup,
    CleansUpAfterARefusedBackup,
    LocksManifestOfAFailedBackup,
    MakesLockOfManifestFirst,
    FindsProtectionInTheListing,
    RemovesTheManifestFirst,
    SkipsAVanishedSnapshot,
    SetsAsideOnlyWhatItRead,
    NeverCreatesNamespaces,
    ReplacesOwnerFile,
    SetsFlagBeforeReload,
    LocksAgainWhatVanished,
    AvoidsNameCollisions,
    // Bugs.
    RenameBeforeAppend,
    RecordSourcePath,
    DrainBeforeIteration,
    DrainInReverse,
    TruncateBeforeMarking,
    TruncateAfterFailedEntry,
    MissingEntryIsFatal,
    JournalInMemory,
    NoJournal,
    RenameWholeGroup,
    CopyThenRemove,
    MergeCheckedBeforeLock,
    TargetUnlockedEarly,
    NewestMovesFirst,
    LeftoversNotMarked,
    IndexListOnly,
    NoSecondListing,
    OldestFirst,
    OldestWriterAfterMark,
    IgnoresOldestWriter,
    StoreLockAfterFirstChunk,
    StoreLockPerIndex,
    StoreLockPerHandle,
    UnlockWithoutDowngrade,
    TwoProcessLocks,
    PreviousUnlockedEarly,
    PreviousNotChecked,
    TouchWithoutMutex,
    SweepInTwoPeriods,
    InsertDecidesBeforeMutex,
    RenameWithoutMutex,
    ForgetUnlocksBeforeRemoval,
    ProtectionNotChecked,
    PruneCountsUnfinished,
    OwnerNotLocked,
    OwnerNotRechecked,
    ManifestLoadedBeforeLock,
    UnlinkAfterUnlock,
    RecheckBeforeFlock,
    FlagPerCall,
    FlagIgnored,
    DirectoryGroupsRemoved,
    NamespaceExclusiveAlone,
    NamespaceSharedAlone,
    NamespaceAncestorsFirst,
    NamespaceLocksBlock,
    // Eras.
    LocksDirectories,
    NoMoves,
    LocksNamespaces,
    WaitsForNamespaces,
}

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mends a weakness of the published design.
    Mend,
    /// Breaks something, or was rejected by a review because it would.
    Bug,
    /// A mechanism of another time, or one that was proposed.
    Era,
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mend => "mend",
            Self::Bug => "bug",
            Self::Era => "era",
        }
    }
}

/// What there is to say of a change.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Which one.
    pub change: Change,
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it does, in one sentence.
    pub sentence: &'static str,
    /// The page of the weakness that it mends.
    pub finding: Option<&'static str>,
    /// What keeps a mend that no property needs.
    pub kept_by: Option<&'static str>,
    /// Changes that a design with this one has as well.
    pub requires: &'static [Change],
    /// Changes that a design with this one does not have.
    pub excludes: &'static [Change],
}

impl About {
    const fn new(change: Change, name: &'static str, kind: Kind, sentence: &'static str) -> Self {
        Self {
            change,
            name,
            kind,
            sentence,
            finding: None,
            kept_by: None,
            requires: &[],
            excludes: &[],
        }
    }

    pub(super) const fn mend(change: Change, name: &'static str, sentence: &'static str) -> Self {
        Self::new(change, name, Kind::Mend, sentence)
    }

    pub(super) const fn bug(change: Change, name: &'static str, sentence: &'static str) -> Self {
        Self::new(change, name, Kind::Bug, sentence)
    }

    pub(super) const fn era(change: Change, name: &'static str, sentence: &'static str) -> Self {
        Self::new(change, name, Kind::Era, sentence)
    }

    pub(super) const fn finding(mut self, page: &'static str) -> Self {
        self.finding = Some(page);
        self
    }

    pub(super) const fn kept_by(mut self, what: &'static str) -> Self {
        self.kept_by = Some(what);
        self
    }

    pub(super) const fn requires(mut self, changes: &'static [Change]) -> Self {
        self.requires = changes;
        self
    }

    pub(super) const fn excludes(mut self, changes: &'static [Change]) -> Self {
        self.excludes = changes;
        self
    }
}

const LISTS: &[&[About]] = &[mends::MENDS, bugs::BUGS, eras::ERAS];

/// All changes, in the order in which a design names them.
pub const CHANGES: &[About] = &joined::<_, { total(LISTS) }>(LISTS);

// The place of a change in the table is its number.
const _: () = {
    let mut at = 0;
    while at < CHANGES.len() {
        assert!(CHANGES[at].change as usize == at);
        at += 1;
    }
};

impl Change {
    /// What there is to say of it.
    pub const fn about(self) -> &'static About {
        &CHANGES[self as usize]
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// The change of that name.
    pub fn named(name: &str) -> Option<Self> {
        let about = CHANGES.iter().find(|about| about.name == name)?;
        Some(about.change)
    }

    /// All mends.
    pub fn mends() -> impl Iterator<Item = Self> {
        let mends = CHANGES.iter().filter(|about| about.kind == Kind::Mend);
        mends.map(|about| about.change)
    }

    /// Whether a design cannot have both.
    pub const fn is_excluded_by(self, other: Self) -> bool {
        contains(self.about().excludes, other) || contains(other.about().excludes, self)
    }
}

pub(super) const fn contains(changes: &[Change], change: Change) -> bool {
    let mut at = 0;
    while at < changes.len() {
        if changes[at] as u8 == change as u8 {
            return true;
        }
        at += 1;
    }
    false
}
