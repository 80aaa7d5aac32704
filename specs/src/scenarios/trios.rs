//! Scenarios of three operations that cross, beside a garbage collection and without one, and of a group that a kill
//! leaves without an owner.

use super::words::{
    A, B, CHECK, FIRST, GATE, LATEST, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, backup, delete,
    forget, forget_in, gc, index, later, moves, moves_into, prune_in, snapshot,
};
use crate::id::Chunk;
use crate::property::Property;
use crate::scenario::{Environment, Generations, IndexOf, Limits, Runs, Scenario};

/// Each snapshot has one index file, and all of them name the one chunk.
const ONE_CHUNK: &[IndexOf] = &[
    index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
    index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
];

/// A move, a backup into its target and a removal there; the others are written as what they change in it.
const MOVE_AND_BACKUP_AND_FORGET_MEET_GC: Scenario = Scenario {
    name: "move_and_backup_and_forget_meet_gc",
    question: "A snapshot moves, a backup into the target reuses its chunk, and it is removed there, all while garbage collection runs in the same process. Is the chunk marked through one of the two index files?",
    namespaces: &["a", "b"],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, A), later(VM_100, LATEST, B)],
    indexes: ONE_CHUNK,
    chunks: 1,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
    sequels: &[],
    processes: &["proxy"],
    actors: &[
        gc(PROXY, 1),
        moves(PROXY, A, B),
        backup(PROXY, 1),
        forget_in(PROXY, B, 0),
    ],
    generations: Generations::NEW,
    splits_locks: false,
    environment: Environment::CALM,
    limits: Limits::PUBLISHED,
    properties: &[
        Property::LiveChunkIsNeverSwept,
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::GcThatMeetsNoAbortConditionFinishes,
        Property::NewPathImpliesJournalEntry,
        Property::LockedSnapshotStays,
        Property::FinishedSnapshotIsWhole,
        Property::GroupWithSnapshotHasOwner,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "more than one run, index file of each, chunk and process",
    runs: CHECK,
};

/// Scenarios of three operations that cross.
pub(super) const TRIOS: &[Scenario] = &[
    MOVE_AND_BACKUP_AND_FORGET_MEET_GC,
    Scenario {
        name: "move_and_backup_and_prune_meet_gc",
        question: "The same, with a prune that removes the snapshot which moved. Does it matter who removes it?",
        actors: &[
            gc(PROXY, 1),
            moves(PROXY, A, B),
            backup(PROXY, 1),
            prune_in(PROXY, B, 1),
        ],
        ..MOVE_AND_BACKUP_AND_FORGET_MEET_GC
    },
    Scenario {
        name: "move_and_backup_and_deletion_meet_gc",
        question: "The same, with a deletion of the namespace into which the snapshot moved. Does what comes back into it keep its chunk and its owner?",
        actors: &[
            gc(PROXY, 1),
            moves(PROXY, A, B),
            backup(PROXY, 1),
            delete(PROXY, B),
        ],
        ..MOVE_AND_BACKUP_AND_FORGET_MEET_GC
    },
    Scenario {
        name: "move_and_backup_meet_deletion",
        question: "A move and a backup go into one group of a namespace that is being removed. Does the group keep its owner file as long as a snapshot is in it?",
        processes: &["proxy", "other", "third"],
        actors: &[moves(PROXY, A, B), backup(OTHER, 1), delete(THIRD, B)],
        properties: &[
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::GroupWithSnapshotHasOwner,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and more than one snapshot of each",
        runs: GATE,
        ..MOVE_AND_BACKUP_AND_FORGET_MEET_GC
    },
    Scenario {
        name: "two_merging_moves_meet_backup",
        question: "Two moves in opposite directions merge the groups of two namespaces while a backup goes into one of them. Is each group in the order of time, whoever comes first?",
        processes: &["proxy", "other", "third"],
        actors: &[
            moves_into(PROXY, A, B),
            moves_into(OTHER, B, A),
            backup(THIRD, 1),
        ],
        properties: &[
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::MergeKeepsTimeOrder,
            Property::GroupWithSnapshotHasOwner,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and more than one snapshot of each",
        runs: GATE,
        ..MOVE_AND_BACKUP_AND_FORGET_MEET_GC
    },
    Scenario {
        name: "killed_first_backup_meets_backup",
        question: "One of two backups of a new group is killed at any step. Can the other one use what it leaves of the group?",
        namespaces: &[],
        snapshots: &[later(VM_100, FIRST, ROOT), later(VM_100, SECOND, ROOT)],
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 0), backup(OTHER, 1)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GroupWithSnapshotHasOwner,
            Property::StartedBackupFinishes,
            Property::WhatIsLeftCanBeUsedAgain,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second kill, and garbage collection",
        runs: Runs {
            check: true,
            replay: false,
            kill: true,
        },
        ..MOVE_AND_BACKUP_AND_FORGET_MEET_GC
    },
    Scenario {
        name: "killed_removal_of_a_group_meets_backup",
        question: "The removal of the last snapshot of a group is killed at any step. Can a backup use what it leaves of the group?",
        namespaces: &[],
        snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_100, SECOND, ROOT)],
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), forget(OTHER, 0)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::GroupWithSnapshotHasOwner,
            Property::StartedBackupFinishes,
            Property::WhatIsLeftCanBeUsedAgain,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second kill, and garbage collection",
        runs: Runs {
            check: true,
            replay: false,
            kill: true,
        },
        ..MOVE_AND_BACKUP_AND_FORGET_MEET_GC
    },
];
