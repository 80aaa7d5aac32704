//! Scenarios in which whole operations take locks in their calls: open, flock, compare, with the others between them.

use super::words::{
    FIRST, GATE, LATEST, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, backup, forget, index, later,
    set_notes, set_owner, snapshot,
};
use crate::id::Chunk;
use crate::property::Property;
use crate::scenario::{Environment, Generations, Limits, Runs, Scenario};

/// The lock file of a group goes while it is being taken; the others are written as what they change in it.
const GROUP_VANISHES: Scenario = Scenario {
    name: "set_owner_meets_forget_and_backup_call_by_call",
    question: "The lock file of a group is open and not locked when the group is removed together with it; a backup creates both anew. Does nobody believe in the lock of a file that is gone?",
    namespaces: &[],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_100, SECOND, ROOT)],
    indexes: &[
        index(0, "drive-scsi0.img.fidx", &[]),
        index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
    ],
    chunks: 1,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
    sequels: &[],
    processes: &["proxy", "other", "third"],
    actors: &[set_owner(PROXY, 1), forget(OTHER, 0), backup(THIRD, 1)],
    generations: Generations::NEW,
    splits_locks: true,
    environment: Environment::CALM,
    limits: Limits::PUBLISHED,
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::LockedSnapshotStays,
        Property::FinishedSnapshotIsWhole,
        Property::FailedBackupLeavesNothing,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "garbage collection, and more than one operation of each kind",
    runs: GATE,
};

/// Scenarios with locks that are taken in their calls.
pub(super) const CALLS: &[Scenario] = &[
    GROUP_VANISHES,
    Scenario {
        name: "two_backups_meet_forget_call_by_call",
        question: "A backup has the lock file of the group open when the last snapshot is forgotten, and the group with its lock file; a second backup makes another one. Does the first believe that it holds the lock?",
        snapshots: &[
            snapshot(VM_100, FIRST, ROOT),
            later(VM_100, SECOND, ROOT),
            later(VM_100, LATEST, ROOT),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[]),
            index(1, "drive-scsi0.img.fidx", &[]),
            index(2, "drive-scsi0.img.fidx", &[]),
        ],
        actors: &[backup(PROXY, 1), forget(OTHER, 0), backup(THIRD, 2)],
        ..GROUP_VANISHES
    },
    Scenario {
        name: "two_changes_of_notes_meet_forget_call_by_call",
        question: "The lock file of a manifest is open and waited for when the snapshot is removed together with it. Does whoever waited notice that the file is gone?",
        snapshots: &[snapshot(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        actors: &[set_notes(PROXY, 0), forget(OTHER, 0), set_notes(THIRD, 0)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and other users of the manifest",
        ..GROUP_VANISHES
    },
    Scenario {
        name: "killed_change_of_notes_meets_forget_call_by_call",
        question: "Somebody is killed between the calls that take a lock. Does the kernel let go what it had, and do the others come to their ends?",
        snapshots: &[snapshot(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        processes: &["proxy", "other"],
        actors: &[set_notes(PROXY, 0), forget(OTHER, 0)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "more than one kill, and garbage collection",
        runs: Runs {
            check: true,
            replay: false,
            kill: true,
        },
        ..GROUP_VANISHES
    },
];
