//! The races that the designs are compared by: each is a property that falls in a scenario.

use crate::design::Design;
use crate::property::Property;

/// A race that was known, or found.
#[derive(Clone, Copy, Debug)]
pub struct Race {
    /// Its number in the reading notes, or `-`.
    pub number: &'static str,
    /// Who meets whom, and what it costs.
    pub sentence: &'static str,
    /// The scenario that has it.
    pub scenario: &'static str,
    /// The property that falls.
    pub property: Property,
}

/// The designs that are compared, the oldest first.
pub const COMPARED: &[Design] = &[
    Design::DIRECTORY_LOCKS,
    Design::TMPFS_LOCKS,
    Design::RELEASE_4_1_0,
    Design::NAMESPACE_LOCKS,
    Design::NAMESPACE_LOCKS_WAIT,
    Design::UPSTREAM,
    Design::RELEASE_4_2_3,
    Design::HARDENED,
];

/// The races, those of garbage collection first.
pub const RACES: &[Race] = &[
    Race {
        number: "R1",
        sentence: "A group moves while garbage collection marks: chunks of a live backup are swept.",
        scenario: "one_move_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
    },
    Race {
        number: "-",
        sentence: "A move stalls over two runs of garbage collection: the same.",
        scenario: "two_gc_runs_meet_move",
        property: Property::LiveChunkIsNeverSwept,
    },
    Race {
        number: "R2, R3",
        sentence: "A backup builds on a snapshot that is removed while garbage collection marks: the same.",
        scenario: "backup_and_forget_meet_gc",
        property: Property::LiveChunkIsNeverSwept,
    },
    Race {
        number: "W4",
        sentence: "An append to the journal is cut short: every later run fails.",
        scenario: "full_tmpfs_meets_gc",
        property: Property::JournalNeverStopsGc,
    },
    Race {
        number: "W2",
        sentence: "Something vanishes while garbage collection lists it: the run is lost.",
        scenario: "move_merges_meets_gc",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
    },
    Race {
        number: "R6",
        sentence: "The package is upgraded during a backup: the old process and the new one have different locks of one name.",
        scenario: "old_backup_meets_new_forget",
        property: Property::OneExclusiveHolderPerLock,
    },
    Race {
        number: "R6",
        sentence: "The same while notes are changed: an update is lost.",
        scenario: "old_notes_meet_new_notes",
        property: Property::ManifestUpdateIsNotLost,
    },
    Race {
        number: "R4",
        sentence: "The directory of a group is removed while a backup waits for its lock: two backups hold it.",
        scenario: "removed_directory_meets_two_backups",
        property: Property::OneExclusiveHolderPerLock,
    },
    Race {
        number: "R4, R5",
        sentence: "What is locked is removed while others wait for it: two holders of one lock.",
        scenario: "three_takers_meet_remover",
        property: Property::OneExclusiveHolderPerLock,
    },
    Race {
        number: "R7",
        sentence: "Two users change one owner: the second overwrites what it may not.",
        scenario: "two_owner_changes",
        property: Property::OwnerIsChangedFromWhatWasChecked,
    },
    Race {
        number: "W18",
        sentence: "An owner is read, or its writer killed, while it is written: a group without an owner.",
        scenario: "killed_owner_change_meets_backup",
        property: Property::OwnerFileIsWhole,
    },
    Race {
        number: "R8",
        sentence: "The daemon is reloaded during a backup: the backup fails.",
        scenario: "backup_meets_reload",
        property: Property::StartedBackupFinishes,
    },
    Race {
        number: "R9",
        sentence: "A chunk is touched and swept at once: a new backup lacks it.",
        scenario: "insert_and_touch_meet_sweep",
        property: Property::InsertedChunkIsThere,
    },
    Race {
        number: "R10",
        sentence: "A chunk is inserted and set aside at once: the same.",
        scenario: "insert_meets_set_aside",
        property: Property::InsertedChunkIsThere,
    },
    Race {
        number: "R17",
        sentence: "Two backups of one new group begin at once: one of them fails for no reason.",
        scenario: "two_backups_of_one_group",
        property: Property::StartedBackupFinishes,
    },
    Race {
        number: "R17",
        sentence: "A backup gives up: its group stays without a snapshot.",
        scenario: "aborted_backup_meets_verify",
        property: Property::FailedBackupLeavesNothing,
    },
    Race {
        number: "W17",
        sentence: "A move fails before its first rename: an empty group that is in the way.",
        scenario: "move_meets_busy_snapshot",
        property: Property::FailedMoveLeavesNoEmptyGroup,
    },
    Race {
        number: "W8",
        sentence: "A group moves while it is verified: the job reports an error that is none.",
        scenario: "verify_meets_move",
        property: Property::JobSkipsWhatVanished,
    },
    Race {
        number: "M42",
        sentence: "A group moves while a snapshot of it is read: the reader loses it.",
        scenario: "verify_meets_move",
        property: Property::LockedSnapshotStays,
    },
    Race {
        number: "-",
        sentence: "A group moves away and back while notes are changed: an update is lost.",
        scenario: "notes_meet_moves_and_verify",
        property: Property::ManifestUpdateIsNotLost,
    },
    Race {
        number: "-",
        sentence: "A namespace is removed while a backup into it begins: it comes back.",
        scenario: "first_backup_below_meets_deletion",
        property: Property::DeletedNamespaceStaysDeleted,
    },
    Race {
        number: "-",
        sentence: "A namespace is removed while a backup into it begins: the backup fails half way.",
        scenario: "first_backup_below_meets_deletion",
        property: Property::StartedBackupFinishes,
    },
    Race {
        number: "R24",
        sentence: "A namespace is removed while it is verified and pruned: a job reports an error that is none.",
        scenario: "deletion_meets_verify_and_prune",
        property: Property::JobSkipsWhatVanished,
    },
];
