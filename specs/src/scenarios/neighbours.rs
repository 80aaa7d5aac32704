//! Scenarios of moves beside a reload of the daemon, beside a backup and beside a removal.

use super::moves::ONE_MOVE_MEETS_GC;
use super::words::{
    A, B, FIRST, GATE, LATEST, OTHER, PROXY, SECOND, VM_100, backup, forget_in, gc, index, later,
    moves, moves_into, snapshot,
};
use crate::id::Chunk;
use crate::property::Property;
use crate::scenario::{Environment, Scenario};

/// A move and a removal in one group; the other one is written as what it changes in it.
const MOVE_MERGES_MEETS_FORGET: Scenario = Scenario {
    name: "move_merges_meets_forget",
    question: "A group moves into one whose only snapshot is being removed, and the empty group with it. Does what moved find a group with an owner?",
    snapshots: &[snapshot(VM_100, FIRST, B), snapshot(VM_100, SECOND, A)],
    indexes: &[
        index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
        index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
    ],
    chunks: 1,
    processes: &["proxy", "other"],
    actors: &[moves_into(PROXY, A, B), forget_in(OTHER, B, 0)],
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::GroupWithSnapshotHasOwner,
        Property::FinishedSnapshotIsWhole,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "garbage collection, and more than one snapshot of each",
    runs: GATE,
    ..ONE_MOVE_MEETS_GC
};

/// Scenarios of moves beside a reload of the daemon, beside a backup and beside a removal.
pub(super) const NEIGHBOURS: &[Scenario] = &[
    Scenario {
        name: "move_meets_reload",
        question: "The daemon is reloaded in the middle of a move: the old process goes on with it while the new one collects garbage. Does the new one find what the old one renames?",
        processes: &["old", "new"],
        actors: &[moves(PROXY, A, B), gc(OTHER, 1)],
        environment: Environment {
            reload: Some((PROXY, OTHER)),
            ..Environment::CALM
        },
        outside: "a garbage collection in the old process",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "move_merges_meets_backup",
        question: "A group moves into one to which a backup is being made. Does everything that it brings stay newer than what is there?",
        snapshots: &[
            snapshot(VM_100, FIRST, B),
            snapshot(VM_100, SECOND, A),
            later(VM_100, LATEST, B),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(2, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[moves_into(PROXY, A, B), backup(OTHER, 2)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GroupWithSnapshotHasOwner,
            Property::MergeKeepsTimeOrder,
            Property::LockedSnapshotStays,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        runs: GATE,
        ..ONE_MOVE_MEETS_GC
    },
    MOVE_MERGES_MEETS_FORGET,
    Scenario {
        name: "move_meets_forget",
        question: "A snapshot of a group is removed while the group moves. Is each snapshot moved or removed, and the group whole?",
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_100, SECOND, A)],
        actors: &[moves(PROXY, A, B), forget_in(OTHER, A, 0)],
        outside: "garbage collection",
        ..MOVE_MERGES_MEETS_FORGET
    },
];
