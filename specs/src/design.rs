//! A design of the protocol: the published one, with named changes.

mod bugs;
mod change;
mod eras;
mod mechanisms;
mod mends;
mod text;

pub use change::{About, CHANGES, Change, Kind};
pub use mechanisms::LooksForFlag;
pub use text::{Nonsense, Parsed};

/// A design: which changes of the published protocol it has. It is written as a preset, less some changes, plus others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Design(u128);

const _: () = assert!(CHANGES.len() <= u128::BITS as usize);

/// A design that has a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// The design.
    pub design: Design,
    /// What it is, in one sentence.
    pub sentence: &'static str,
    /// The release of Proxmox Backup that it was read from.
    pub release: Option<&'static str>,
}

/// The designs that have names, the default first. Of two that are equally near to a design the first one names it.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "hardened",
        design: Design::HARDENED,
        sentence: "The published design with every confirmed weakness mended.",
        release: None,
    },
    Preset {
        name: "upstream",
        design: Design::UPSTREAM,
        sentence: "The move journal as published (v8, April 2026), as read from its source.",
        release: Some("4.2.0-1"),
    },
    Preset {
        name: "4.2.3",
        design: Design::RELEASE_4_2_3,
        sentence: "The published design of July 2026, as read from its source: a backup that gives up removes its group.",
        release: Some("4.2.3-1"),
    },
    Preset {
        name: "4.1.0",
        design: Design::RELEASE_4_1_0,
        sentence: "The published design before moves (end of 2025), as read from its source: a group is listed again, a backup shares the process lock once, and chunks are touched and set aside under the mutex.",
        release: Some("4.1.0"),
    },
    Preset {
        name: "directory_locks",
        design: Design::DIRECTORY_LOCKS,
        sentence: "The protocol before lock files (June 2024), as read from its source: groups and snapshots are locked by their directories, garbage collection lists index files once, and there are no moves.",
        release: Some("3.2.4-1"),
    },
    Preset {
        name: "tmpfs_locks",
        design: Design::TMPFS_LOCKS,
        sentence: "The protocol with the first lock files on a tmpfs (April 2025), as read from its source: a group is listed once, index files share the process lock one by one, and there are no moves.",
        release: Some("3.3.5"),
    },
    Preset {
        name: "namespace_locks",
        design: Design::NAMESPACE_LOCKS,
        sentence: "Lock files for namespaces, which everybody tries (v4 of the move series, never applied).",
        release: None,
    },
    Preset {
        name: "namespace_locks_wait",
        design: Design::NAMESPACE_LOCKS_WAIT,
        sentence: "Lock files for namespaces, for which everybody waits up to 5 s (as its review asked).",
        release: None,
    },
];

impl Design {
    /// The published design: none of the changes.
    pub const UPSTREAM: Self = Self(0);

    /// The published design with all mends; the default.
    pub const HARDENED: Self = {
        let (mut design, mut at) = (Self::UPSTREAM, 0);
        while at < CHANGES.len() {
            if matches!(CHANGES[at].kind, Kind::Mend) {
                design = design.with(CHANGES[at].change);
            }
            at += 1;
        }
        design
    };

    /// The published design of July 2026, which has one of the mends.
    pub const RELEASE_4_2_3: Self = Self::UPSTREAM.with(Change::RemovesGroupOfAFailedBackup);

    /// The published design before moves.
    pub const RELEASE_4_1_0: Self = Self::UPSTREAM.with(Change::NoMoves);

    /// The first lock files on a tmpfs.
    pub const TMPFS_LOCKS: Self = Self::RELEASE_4_1_0
        .with(Change::NoSecondListing)
        .with(Change::StoreLockPerIndex)
        .with(Change::TouchWithoutMutex)
        .with(Change::RenameWithoutMutex);

    /// Locks of directories, before there were lock files.
    pub const DIRECTORY_LOCKS: Self = Self::TMPFS_LOCKS
        .with(Change::LocksDirectories)
        .with(Change::IndexListOnly)
        .with(Change::OwnerNotLocked);

    /// Lock files for namespaces instead of a journal.
    pub const NAMESPACE_LOCKS: Self = Self::UPSTREAM
        .with(Change::LocksNamespaces)
        .with(Change::NoJournal);

    /// The same, and everybody waits for them.
    pub const NAMESPACE_LOCKS_WAIT: Self = Self::NAMESPACE_LOCKS.with(Change::WaitsForNamespaces);

    /// Whether it has a change.
    pub const fn has(self, change: Change) -> bool {
        self.0 & bit(change) != 0
    }

    /// The same design with a change, and with what that requires.
    pub const fn with(self, change: Change) -> Self {
        let mut design = Self(self.0 | bit(change));
        let (requires, mut at) = (change.about().requires, 0);
        while at < requires.len() {
            if !design.has(requires[at]) {
                design = design.with(requires[at]);
            }
            at += 1;
        }
        design
    }

    /// The same design without a change, and without what requires it.
    pub const fn without(self, change: Change) -> Self {
        let (mut design, mut at) = (Self(self.0 & !bit(change)), 0);
        while at < CHANGES.len() {
            let About {
                change: other,
                requires,
                ..
            } = CHANGES[at];
            if design.has(other) && change::contains(requires, change) {
                design = design.without(other);
            }
            at += 1;
        }
        design
    }

    /// Its changes, in the order of [`CHANGES`].
    pub fn changes(self) -> impl Iterator<Item = Change> {
        let changes = CHANGES.iter().map(|about| about.change);
        changes.filter(move |change| self.has(*change))
    }

    /// Two changes of it that exclude each other; none if the design makes sense.
    pub fn contradiction(self) -> Option<(Change, Change)> {
        self.changes().find_map(|one| {
            let other = self.changes().find(|other| one.is_excluded_by(*other));
            Some((one, other?))
        })
    }
}

const fn bit(change: Change) -> u128 {
    1 << change as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_named_like_its_variant() {
        for about in CHANGES {
            let mut name = String::new();
            for letter in format!("{:?}", about.change).chars() {
                if letter.is_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.extend(letter.to_lowercase());
            }
            assert_eq!(about.name, name);
            assert_eq!(Change::named(about.name), Some(about.change));
        }
    }

    #[test]
    fn no_preset_contradicts_itself_or_has_the_name_of_another_thing() {
        for (at, preset) in PRESETS.iter().enumerate() {
            assert_eq!(preset.design.contradiction(), None, "{}", preset.name);
            assert_eq!(Change::named(preset.name), None);
            for other in &PRESETS[..at] {
                assert_ne!(preset.design, other.design, "{}", preset.name);
                assert_ne!(preset.name, other.name);
            }
        }
    }

    #[test]
    fn a_change_is_added_with_what_it_requires_and_removed_with_what_requires_it() {
        let whole = Design::UPSTREAM.with(Change::WaitsForNamespaces);
        let changes: Vec<Change> = whole.changes().collect();
        assert_eq!(
            changes,
            [
                Change::RenameWholeGroup,
                Change::LocksNamespaces,
                Change::WaitsForNamespaces
            ]
        );
        assert_eq!(whole.without(Change::RenameWholeGroup), Design::UPSTREAM);
    }

    #[test]
    fn every_mend_can_be_taken_alone_and_left_out() {
        for mend in Change::mends() {
            let (alone, less) = (Design::UPSTREAM.with(mend), Design::HARDENED.without(mend));
            assert!(alone.has(mend) && alone.changes().count() >= 1);
            assert!(!less.has(mend));
            assert_eq!(alone.contradiction(), None);
            assert_eq!(less.contradiction(), None);
        }
    }
}
