//! Scenarios with backups: beside garbage collection, forget, prune, verification, a reload.

use super::words::{
    CALM_BACKUPS, CHECK, FIRST, GATE, LATEST, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, VM_101,
    backup, forget, gc, index, later, prune, set_notes, snapshot, verify,
};
use crate::id::Chunk;
use crate::property::Property;
use crate::scenario::{Environment, Generations, Limits, Runs, Scenario};

const KILL: Runs = Runs {
    check: true,
    replay: false,
    kill: true,
};

/// A backup that reuses a chunk of the snapshot before it; the others are written as what they change in it.
const BACKUP_MEETS_GC: Scenario = Scenario {
    name: "backup_meets_gc",
    question: "A backup reuses a chunk of the previous snapshot and inserts another one, while garbage collection runs in the same process. Does every chunk survive?",
    namespaces: &[],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_100, SECOND, ROOT)],
    indexes: &[
        index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
        index(1, "drive-scsi0.img.fidx", &[Chunk(0), Chunk(1)]),
    ],
    chunks: 3,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
    sequels: &[],
    processes: &["proxy"],
    actors: &[gc(PROXY, 1), backup(PROXY, 1)],
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
        Property::GcIsNotRefusedByItsOwnWriters,
        Property::LockedSnapshotStays,
        Property::StartedBackupFinishes,
        Property::FinishedOperationHoldsNoLock,
        Property::CanSweepDeadChunk,
        Property::CanCollectBesideBackup,
    ],
    outside: "more than one run, backup, index file of each and process",
    runs: GATE,
};

/// Scenarios with backups.
pub(super) const BACKUPS: &[Scenario] = &[
    BACKUP_MEETS_GC,
    Scenario {
        name: "backup_meets_gc_of_another_process",
        question: "The same, with garbage collection in another process, where the oldest writer is not known. Does one of the two keep out of the other's way?",
        processes: &["proxy", "other"],
        actors: &[gc(PROXY, 1), backup(OTHER, 1)],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "more than one run, backup and index file of each",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "long_backup_meets_gc",
        question: "A backup takes longer than the cutoff, and garbage collection runs in the same process. Does what it inserted first survive until its index file has its name?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0), Chunk(1)])],
        chunks: 2,
        actors: &[gc(PROXY, 1), backup(PROXY, 0)],
        environment: Environment {
            cutoff_passes: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::GcIsNotRefusedByItsOwnWriters,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
            Property::CanCollectBesideBackup,
        ],
        outside: "a previous snapshot, and more than one passing of the cutoff",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "backup_and_forget_meet_gc",
        question: "The previous snapshot, whose chunk a backup reuses without touching it, is removed while garbage collection runs. Is the chunk marked through one of the two index files?",
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        actors: &[gc(PROXY, 1), backup(PROXY, 1), forget(PROXY, 0)],
        properties: CALM_BACKUPS,
        outside: "more than one run, and a second process",
        runs: GATE,
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "backup_and_prune_meet_gc",
        question: "Prune keeps one snapshot of a group to which a backup is made, while garbage collection runs. Does a chunk survive that only the pruned and the new snapshot name?",
        snapshots: &[
            snapshot(VM_100, FIRST, ROOT),
            snapshot(VM_100, SECOND, ROOT),
            later(VM_100, LATEST, ROOT),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(1)]),
            index(2, "drive-scsi0.img.fidx", &[Chunk(1)]),
        ],
        chunks: 2,
        actors: &[gc(PROXY, 1), backup(PROXY, 2), prune(PROXY, 1)],
        properties: CALM_BACKUPS,
        outside: "more than one run, and a second process",
        runs: CHECK,
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "two_processes_collect_beside_backup",
        question: "Garbage collection ends in the process of a running backup, and another process wants to collect next. Is it still refused?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[gc(PROXY, 1), backup(PROXY, 0), gc(OTHER, 1)],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcIsNotRefusedByItsOwnWriters,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a previous snapshot",
        runs: GATE,
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "backup_meets_reload",
        question: "The daemon is reloaded in the middle of a backup with two index files and of a garbage collection, and the new process collects garbage. Does the backup get to its end?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(0, "drive-scsi1.img.fidx", &[Chunk(1)]),
        ],
        chunks: 2,
        processes: &["old", "new"],
        actors: &[backup(PROXY, 0), gc(OTHER, 1)],
        environment: Environment {
            reload: Some((PROXY, OTHER)),
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a previous snapshot, and a garbage collection in the old process",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "gc_meets_reload",
        question: "The daemon is reloaded in the middle of a garbage collection, and a backup begins in the new process. Does the old run stop, and lose nothing?",
        processes: &["old", "new"],
        actors: &[gc(PROXY, 1), backup(OTHER, 1)],
        environment: Environment {
            reload: Some((PROXY, OTHER)),
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a garbage collection in the new process",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "two_backups_of_one_group",
        question: "Two backups to a group that is not there yet begin at once, in two processes. Does one of them lose, and leave nothing behind?",
        snapshots: &[later(VM_100, FIRST, ROOT), later(VM_100, SECOND, ROOT)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 0), backup(OTHER, 1)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "backup_meets_forget_of_the_last_snapshot",
        question: "The only snapshot of a group is removed, and the empty group with it, while a backup begins. Does the backup get to its end, with its group and its owner?",
        chunks: 2,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), forget(OTHER, 0)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and a second snapshot",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "aborted_backup_meets_verify",
        question: "A client may leave in the middle of the first backup to a group, which a verification looks at. Is nothing left of it, and is the verification content?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 0), verify(OTHER, VM_100)],
        environment: Environment {
            disconnects: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::ManifestUpdateIsNotLost,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "backup_finds_no_inode_and_meets_verify",
        question: "Two lock files find no inode on the tmpfs, whichever they are: those of the first backup to a group, or those of a verification beside it. Does a backup that fails for that leave no snapshot, not even one that looks finished?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 0), verify(OTHER, VM_100)],
        environment: Environment {
            no_inode: 2,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::ManifestUpdateIsNotLost,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a removal or a move beside it",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "backup_meets_notes",
        question: "Notes are written to a snapshot whose backup still runs, and the backup may wait too long for the lock of its manifest. Is no update lost, and is what is left whole?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 0), set_notes(OTHER, 0)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::FailedBackupLeavesNothing,
            Property::ManifestUpdateIsNotLost,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and that a backup fails which waits too long for the lock of its manifest",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "aborted_backup_meets_notes",
        question: "A client may leave in the middle of the first backup to a group, or the backup does not get the lock of its manifest at the end, while two users write notes to the new snapshot. Does one of them write at a time, and is what is left whole?",
        snapshots: &[later(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 0), set_notes(OTHER, 0), set_notes(OTHER, 0)],
        environment: Environment {
            disconnects: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::FailedBackupLeavesNothing,
            Property::ManifestUpdateIsNotLost,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and that a backup fails which waits too long for the lock of its manifest",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "two_verifications_meet_backup",
        question: "Two verifications read the same corrupt chunk, and a backup to another group writes a good one in its place. Is only the corrupt one set aside?",
        groups: &["vm/100", "vm/101"],
        snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_101, SECOND, ROOT)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        corrupt: &[Chunk(0)],
        processes: &["proxy"],
        actors: &[
            verify(PROXY, VM_100),
            verify(PROXY, VM_100),
            backup(PROXY, 1),
        ],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and reads that fail",
        runs: GATE,
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "prune_meets_aborted_backup",
        question: "Prune keeps one snapshot of a group while a backup runs whose client leaves. Is there a finished snapshot afterwards?",
        chunks: 2,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), prune(OTHER, 1)],
        environment: Environment {
            disconnects: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::PruneKeepsFinishedSnapshot,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and options that keep more than one",
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "killed_backup_meets_gc",
        question: "A backup or a garbage collection in another process may be killed at any step. Does the other one finish, and is nothing lost that was finished?",
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), gc(OTHER, 1)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second kill, and what a prune does with what is left",
        runs: KILL,
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "killed_backup_meets_prune",
        question: "A backup or a prune may be killed at any step. Does the other one make of what is left what it should?",
        chunks: 2,
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), prune(OTHER, 1)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::PruneKeepsFinishedSnapshot,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second kill, and garbage collection",
        runs: KILL,
        ..BACKUP_MEETS_GC
    },
    Scenario {
        name: "killed_backup_meets_prune_and_gc",
        question: "A backup may be killed at any step. What it leaves meets a prune and a garbage collection in another process. Do these finish, and lose nothing that was finished?",
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        processes: &["proxy", "other", "third"],
        actors: &[backup(PROXY, 1), prune(OTHER, 1), gc(THIRD, 1)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::FinishedSnapshotIsWhole,
            Property::PruneKeepsFinishedSnapshot,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second kill",
        runs: CHECK,
        ..BACKUP_MEETS_GC
    },
];
