//! Scenarios in which whole operations take locks in their calls: open, flock, compare, with the others between them.

use super::words::{
    FIRST, GATE, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, backup, forget, index, later,
    set_notes, set_owner, snapshot,
};
use crate::id::Chunk;
use crate::property::Property;
use crate::scenario::{Environment, Limits, Scenario};

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
    processes: &["proxy", "other", "third"],
    actors: &[set_owner(PROXY, 1), forget(OTHER, 0), backup(THIRD, 1)],
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
        name: "two_owner_changes_meet_forget_call_by_call",
        question: "The same, with another change of the owner in the place of the backup.",
        snapshots: &[snapshot(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        actors: &[set_owner(PROXY, 1), forget(OTHER, 0), set_owner(THIRD, 2)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FinishedOperationHoldsNoLock,
        ],
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
            Property::LockedSnapshotStays,
            Property::FinishedOperationHoldsNoLock,
        ],
        ..GROUP_VANISHES
    },
];
