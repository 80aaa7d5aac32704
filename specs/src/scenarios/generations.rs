//! Scenarios of the two generations of locks: directories before, lock files on a tmpfs since, and both at once.

use super::words::{
    A, B, FIRST, GATE, LATEST, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, backup, delete, forget,
    gc, index, later, moves, prune, set_notes, set_owner, snapshot, verify,
};
use crate::id::Chunk;
use crate::property::Property;
use crate::scenario::{Environment, Flag, Generations, Limits, Scenario, Task};

/// An upgrade: a process of the old version works while the new one begins. The others are written as what they change
/// in it.
const OLD_BACKUP_MEETS_NEW_FORGET: Scenario = Scenario {
    name: "old_backup_meets_new_forget",
    question: "The package is upgraded during a backup: the process that makes it locks directories, the one that begins with the reload removes the previous snapshot. Do the two exclude each other?",
    namespaces: &[],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_100, LATEST, ROOT)],
    indexes: &[
        index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
        index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
    ],
    chunks: 1,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
    sequels: &[],
    processes: &["old", "new"],
    actors: &[backup(PROXY, 1), forget(OTHER, 0)],
    generations: Generations {
        old: &[PROXY],
        flag: Flag::Created,
    },
    splits_locks: false,
    environment: Environment {
        reload: Some((PROXY, OTHER)),
        ..Environment::CALM
    },
    limits: Limits::PUBLISHED,
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::LockedSnapshotStays,
        Property::FinishedSnapshotIsWhole,
        Property::StartedBackupFinishes,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "a flag file that is removed by hand while a process of the old version runs; in all but its locks, the old process is of the same design",
    runs: GATE,
};

/// Scenarios of both generations, and of the old one.
pub(super) const GENERATIONS: &[Scenario] = &[
    OLD_BACKUP_MEETS_NEW_FORGET,
    Scenario {
        name: "old_notes_meet_new_notes",
        question: "A process of the old version verifies a snapshot while one of the new version changes its notes, during an upgrade. Is an update of the manifest lost?",
        snapshots: &[snapshot(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        actors: &[verify(PROXY, VM_100), set_notes(OTHER, 0)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::ManifestUpdateIsNotLost,
            Property::FinishedOperationHoldsNoLock,
        ],
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "flag_meets_two_tasks",
        question: "The flag file is created while a process of the new version makes a backup and removes the previous snapshot. Do the two tasks of one process still exclude each other?",
        processes: &["proxy"],
        actors: &[backup(PROXY, 1), forget(PROXY, 0)],
        generations: Generations {
            old: &[],
            flag: Flag::Created,
        },
        environment: Environment::CALM,
        outside: "a second process, which would have to begin before the flag file is there",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "flag_meets_first_backups",
        question: "The flag file is created while a process makes two backups into a group that is not there yet, and that cannot be locked by its directory then. Does either come to a group that it can lock?",
        snapshots: &[later(VM_100, FIRST, ROOT), later(VM_100, SECOND, ROOT)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[]),
            index(1, "drive-scsi0.img.fidx", &[]),
        ],
        chunks: 0,
        processes: &["proxy"],
        actors: &[backup(PROXY, 0), backup(PROXY, 1)],
        generations: Generations {
            old: &[],
            flag: Flag::Created,
        },
        environment: Environment::CALM,
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a backup that fails since the other one is about to write the owner of the group, as without the flag in `upstream`",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "directory_locks_meet_gc",
        question: "Every process locks directories, since the flag file is there. A backup builds on a snapshot that is removed while garbage collection marks, which lists a group at most twice, the second time under its lock: does every chunk stay that a snapshot names?",
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), forget(OTHER, 0), gc(PROXY, 1)],
        generations: Generations::FLAGGED,
        environment: Environment::CALM,
        limits: Limits {
            list_attempts: 1,
            ..Limits::PUBLISHED
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::LockedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second garbage collection",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "directory_locks_in_upkeep",
        question: "Every process locks directories. A group is verified and pruned while notes of a snapshot that is to go are changed: are they skipped, or kept out?",
        snapshots: &[
            snapshot(VM_100, FIRST, ROOT),
            snapshot(VM_100, SECOND, ROOT),
        ],
        processes: &["proxy", "other", "third"],
        actors: &[verify(PROXY, VM_100), prune(OTHER, 1), set_notes(THIRD, 0)],
        generations: Generations::FLAGGED,
        environment: Environment::CALM,
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::PruneKeepsFinishedSnapshot,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a backup",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "directory_locks_refuse_a_move",
        question: "Every process locks directories. Does a move refuse, and leave a backup into its source alone?",
        namespaces: &["a", "b"],
        snapshots: &[snapshot(VM_100, FIRST, A), later(VM_100, LATEST, A)],
        processes: &["proxy", "other"],
        actors: &[backup(PROXY, 1), moves(OTHER, A, B)],
        generations: Generations::FLAGGED,
        environment: Environment::CALM,
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a process of the old version, which knows of no moves",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "directory_locks_keep_groups",
        question: "Every process locks directories. A namespace is removed while a first backup into its group begins and the owner of that group changes: do empty groups stay, so that nobody holds the lock of a directory that is gone?",
        namespaces: &["a"],
        snapshots: &[later(VM_100, FIRST, A)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        empty_groups: &[(A, VM_100)],
        processes: &["proxy", "other", "third"],
        actors: &[
            backup(PROXY, 0),
            delete(OTHER, A),
            (
                THIRD,
                Task::SetOwner {
                    namespace: A,
                    group: VM_100,
                    owner: 1,
                },
            ),
        ],
        generations: Generations::FLAGGED,
        environment: Environment::CALM,
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GroupWithSnapshotHasOwner,
            Property::FinishedSnapshotIsWhole,
            Property::OwnerIsChangedFromWhatWasChecked,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a namespace below it",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "removed_directory_meets_two_backups",
        question: "Every process locks directories. A backup has the directory of the group open when the group is removed with its namespace; a second backup makes another one. Do both believe that they hold the lock?",
        namespaces: &["a"],
        snapshots: &[later(VM_100, FIRST, A), later(VM_100, SECOND, A)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[]),
            index(1, "drive-scsi0.img.fidx", &[]),
        ],
        chunks: 0,
        empty_groups: &[(A, VM_100)],
        processes: &["proxy", "other", "third"],
        actors: &[backup(PROXY, 0), delete(OTHER, A), backup(THIRD, 1)],
        generations: Generations::FLAGGED,
        splits_locks: true,
        environment: Environment::CALM,
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a snapshot that is there at the start",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
    Scenario {
        name: "removed_directory_meets_owner_change",
        question: "Every process locks directories. A change of the owner has the directory of the group open when the last snapshot goes, and a backup begins: would they believe in two locks if the group went as well?",
        snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_100, LATEST, ROOT)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[]),
            index(1, "drive-scsi0.img.fidx", &[]),
        ],
        chunks: 0,
        processes: &["proxy", "other", "third"],
        actors: &[set_owner(PROXY, 1), forget(OTHER, 0), backup(THIRD, 1)],
        generations: Generations::FLAGGED,
        splits_locks: true,
        environment: Environment::CALM,
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and more than one operation of each kind",
        ..OLD_BACKUP_MEETS_NEW_FORGET
    },
];
