//! Mutants that are the hardened design without one mend.

use super::{Mutant, Variant};
use crate::design::{Change, Design};
use crate::property::Property;

const fn without(mend: Change) -> Variant {
    Variant::of(Design::HARDENED.without(mend))
}

/// The mutants.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "hardened-lists_again_after_a_vanished_snapshot",
        number: "-",
        variant: without(Change::ListsAgainAfterAVanishedSnapshot),
        scenario: "one_move_meets_gc",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
        is_equivalent: false,
        story: "A snapshot is renamed between the listing of its group and the listing of its files, and the run is lost.",
    },
    Mutant {
        name: "hardened-lists_again_for_every_vanished_file",
        number: "-",
        variant: without(Change::ListsAgainForEveryVanishedFile),
        scenario: "backup_and_forget_meet_gc",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "The newest snapshot of the listing is the running backup, so the vanished one before it is just skipped.",
    },
    Mutant {
        name: "hardened-lists_names_again",
        number: "-",
        variant: without(Change::ListsNamesAgain),
        scenario: "backup_and_forget_meet_gc",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "The removal is half done when the snapshot is listed: its index file is gone, its directory is not, and nothing seems to have vanished.",
    },
    Mutant {
        name: "hardened-marks_group_of_a_missing_entry",
        number: "-",
        variant: without(Change::MarksGroupOfAMissingEntry),
        scenario: "move_and_backup_and_forget_meet_gc",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "A snapshot moves to where the run has been, a backup there reuses its chunk, and it is removed before the drain: the entry leads nowhere, and nobody looks at the group.",
    },
    Mutant {
        name: "hardened-locks_target_before_it_creates",
        number: "-",
        variant: without(Change::LocksTargetBeforeItCreates),
        scenario: "move_and_backup_meet_deletion",
        property: Property::GroupWithSnapshotHasOwner,
        is_equivalent: false,
        story: "The target group that a move has created is removed and made again by a backup before the move has its lock; the move fails, and removes the owner file of the backup's group as its own.",
    },
    Mutant {
        name: "hardened-adopts_an_ownerless_group",
        number: "-",
        variant: without(Change::AdoptsAnOwnerlessGroup),
        scenario: "killed_first_backup_meets_backup",
        property: Property::WhatIsLeftCanBeUsedAgain,
        is_equivalent: false,
        story: "A process is killed between creating a group and writing its owner file, and every later backup into the group fails.",
    },
    Mutant {
        name: "hardened-skips_a_vanished_namespace",
        number: "-",
        variant: without(Change::SkipsAVanishedNamespace),
        scenario: "deletion_of_empty_namespaces_meets_gc",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
        is_equivalent: false,
        story: "A namespace is removed between the listing of namespaces and that of its groups, and the run is lost.",
    },
    Mutant {
        name: "hardened-mends_torn_tail",
        number: "-",
        variant: without(Change::MendsTornTail),
        scenario: "torn_move_is_repeated_and_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "The entry of the repeated move is glued to a torn one, so the drain looks for a path that nobody has.",
    },
    Mutant {
        name: "hardened-renames_under_journal_lock",
        number: "-",
        variant: without(Change::RenamesUnderJournalLock),
        scenario: "two_gc_runs_meet_move",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "A drain removes the entry of a move that has not renamed yet, and the next run knows nothing of it.",
    },
    Mutant {
        name: "hardened-moves_under_manifest_lock",
        number: "-",
        variant: without(Change::MovesUnderManifestLock),
        scenario: "notes_meet_moves_and_verify",
        property: Property::ManifestUpdateIsNotLost,
        is_equivalent: false,
        story: "Notes are read, the snapshot is verified elsewhere and comes back, and the notes are written without the verify state.",
    },
    Mutant {
        name: "hardened-finds_protection_in_the_listing",
        number: "-",
        variant: without(Change::FindsProtectionInTheListing),
        scenario: "move_of_protected_snapshot_meets_forget",
        property: Property::ProtectedSnapshotStays,
        is_equivalent: false,
        story: "A removal has looked for a protection where no snapshot is yet; a protected one moves there, and is removed.",
    },
    Mutant {
        name: "hardened-removes_group_of_a_failed_move",
        number: "-",
        variant: without(Change::RemovesGroupOfAFailedMove),
        scenario: "move_meets_busy_snapshot",
        property: Property::FailedMoveLeavesNoEmptyGroup,
        is_equivalent: false,
        story: "The move meets a snapshot that is read, and leaves the target group that it has created.",
    },
    Mutant {
        name: "hardened-locks_before_it_creates",
        number: "-",
        variant: without(Change::LocksBeforeItCreates),
        scenario: "two_backups_of_one_group",
        property: Property::StartedBackupFinishes,
        is_equivalent: false,
        story: "The second backup locks a group that the first one has created and not yet given an owner.",
    },
    Mutant {
        name: "hardened-rechecks_after_locking",
        number: "-",
        variant: without(Change::RechecksAfterLocking),
        scenario: "verify_meets_forget",
        property: Property::JobSkipsWhatVanished,
        is_equivalent: false,
        story: "The verification gets the lock of a snapshot that was removed meanwhile, and counts it as failed.",
    },
    Mutant {
        name: "hardened-removes_group_of_a_failed_backup",
        number: "-",
        variant: without(Change::RemovesGroupOfAFailedBackup),
        scenario: "aborted_backup_meets_verify",
        property: Property::FailedBackupLeavesNothing,
        is_equivalent: false,
        story: "The session tries the lock of its group, which it has itself, and leaves the group.",
    },
    Mutant {
        name: "hardened-cleans_up_after_a_refused_backup",
        number: "-",
        variant: without(Change::CleansUpAfterARefusedBackup),
        scenario: "backup_meets_gc_of_another_process",
        property: Property::FailedBackupLeavesNothing,
        is_equivalent: false,
        story: "The backup is refused the process lock and leaves its empty snapshot.",
    },
    Mutant {
        name: "hardened-locks_manifest_of_a_failed_backup",
        number: "-",
        variant: without(Change::LocksManifestOfAFailedBackup),
        scenario: "backup_meets_notes",
        property: Property::FinishedSnapshotIsWhole,
        is_equivalent: false,
        story: "Notes have read the manifest; the backup removes it with the index files; the notes write it back.",
    },
    Mutant {
        name: "hardened-makes_lock_of_manifest_first",
        number: "-",
        variant: without(Change::MakesLockOfManifestFirst),
        scenario: "backup_finds_no_inode_and_meets_verify",
        property: Property::FailedBackupLeavesNothing,
        is_equivalent: false,
        story: "The last lock of the backup has no inode, and neither has its removal: the snapshot stays, with its manifest, and a prune counts it.",
    },
    Mutant {
        name: "hardened-removes_the_manifest_first",
        number: "-",
        variant: without(Change::RemovesTheManifestFirst),
        scenario: "killed_forget_meets_prune",
        property: Property::FinishedSnapshotIsWhole,
        is_equivalent: false,
        story: "A removal is killed when the index files are gone and the manifest is still there.",
    },
    Mutant {
        name: "hardened-skips_a_vanished_snapshot",
        number: "-",
        variant: without(Change::SkipsAVanishedSnapshot),
        scenario: "two_removals_of_one_snapshot",
        property: Property::JobSkipsWhatVanished,
        is_equivalent: false,
        story: "A snapshot is removed between the listing of its group and its own, and the prune job ends with an error.",
    },
    Mutant {
        name: "hardened-sets_aside_only_what_it_read",
        number: "-",
        variant: without(Change::SetsAsideOnlyWhatItRead),
        scenario: "two_verifications_meet_backup",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "The second verification renames the good chunk that a backup has written in place of the bad one.",
    },
    Mutant {
        name: "hardened-never_creates_namespaces",
        number: "-",
        variant: without(Change::NeverCreatesNamespaces),
        scenario: "first_backup_below_meets_deletion",
        property: Property::DeletedNamespaceStaysDeleted,
        is_equivalent: false,
        story: "A backup has seen the namespace; it is removed; the backup creates the directories of its group with all those above.",
    },
    Mutant {
        name: "hardened-replaces_owner_file",
        number: "-",
        variant: without(Change::ReplacesOwnerFile),
        scenario: "killed_owner_change_meets_backup",
        property: Property::OwnerFileIsWhole,
        is_equivalent: false,
        story: "The owner file is emptied and then written, and its reader comes in between.",
    },
    Mutant {
        name: "hardened-sets_flag_before_reload",
        number: "-",
        variant: without(Change::SetsFlagBeforeReload),
        scenario: "old_backup_meets_new_forget",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "The new process has decided for lock files before the flag file is there, and the old one locks directories.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{CHANGES, PRESETS};
    use crate::mutant::designs;

    #[test]
    fn every_mend_has_a_mutant_without_it_or_says_what_keeps_it() {
        for mend in Change::mends() {
            let less = Design::HARDENED.without(mend);
            let found: Vec<&Mutant> = MUTANTS.iter().filter(|m| m.design() == less).collect();
            let about = mend.about();
            assert_eq!(
                found.len(),
                usize::from(about.kept_by.is_none()),
                "{}",
                about.name
            );
            assert!(found.iter().all(|mutant| mutant.name == less.name()));
        }
    }

    #[test]
    fn every_change_is_part_of_a_design_that_is_asked_about() {
        let designs = designs();
        for about in CHANGES {
            let has = |design: &Design| design.has(about.change);
            assert!(designs.iter().any(has), "{}", about.name);
            assert!(!designs.iter().all(has), "{}", about.name);
        }
        assert!(
            PRESETS
                .iter()
                .all(|preset| designs.contains(&preset.design))
        );
    }

    #[test]
    fn no_design_of_a_mutant_contradicts_itself() {
        for design in designs() {
            assert_eq!(design.contradiction(), None, "{design}");
            assert_eq!(design.name().parse(), Ok(design));
        }
    }
}
