//! Mutants of the two generations of locks.

use super::{Mutant, Variant};
use crate::design::{Change, Design};
use crate::property::Property;

/// The mutants.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "history/flag_ignored",
        number: "M36",
        variant: Variant::of(Design::HARDENED.with(Change::FlagIgnored)),
        scenario: "old_backup_meets_new_forget",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "The old process locks the directory of a snapshot, the new one a file of the same name: both have \"the\" lock.",
    },
    Mutant {
        name: "history/flag_per_call",
        number: "M36",
        variant: Variant::of(Design::HARDENED.with(Change::FlagPerCall)),
        scenario: "flag_meets_two_tasks",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "One task of a process locked a file before the flag was there, the other one locks the directory afterwards.",
    },
    Mutant {
        name: "upstream/flag_after_reload",
        number: "W15",
        variant: Variant::of(Design::UPSTREAM),
        scenario: "old_backup_meets_new_forget",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "The package script reloads the daemon before it creates the flag file: the new process has decided for lock files by then.",
    },
    Mutant {
        name: "upstream/flag_after_reload_notes",
        number: "W15",
        variant: Variant::of(Design::UPSTREAM),
        scenario: "old_notes_meet_new_notes",
        property: Property::ManifestUpdateIsNotLost,
        is_equivalent: false,
        story: "The same with the lock of a manifest, whose file lies elsewhere in the old version: an update is lost.",
    },
    Mutant {
        name: "history/directory_groups_removed",
        number: "M37",
        variant: Variant::of(Design::HARDENED.with(Change::DirectoryGroupsRemoved)),
        scenario: "removed_directory_meets_owner_change",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "A change of the owner has the directory of the group open when that is removed, and locks it; a backup locks the next directory of that name.",
    },
];
