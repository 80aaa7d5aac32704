//! Scenarios of namespaces: their removal beside everything else, the locks of namespaces, and changes of an owner.

use super::words::{
    A, B, C, CHECK, FIRST, GATE, LATEST, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, backup, delete,
    forget, gc, index, later, lock_namespace, lock_two_namespaces, moves, prune_in, set_owner,
    snapshot, verify_in,
};
use crate::id::{Chunk, Snapshot};
use crate::lock_class::Mode;
use crate::property::Property;
use crate::scenario::{Environment, Generations, Limits, Runs, Scenario};

/// A namespace with one below it is removed beside a backup into the inner one; the others are written as what they
/// change in it.
const BACKUP_BELOW_MEETS_DELETION: Scenario = Scenario {
    name: "backup_below_meets_deletion",
    question: "A namespace is removed while a backup into one below it begins or runs. Does either the backup finish, or the namespace go, and does it stay away?",
    namespaces: &["a", "a/b"],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, B), later(VM_100, LATEST, B)],
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
    processes: &["proxy", "other"],
    actors: &[backup(PROXY, 1), delete(OTHER, A)],
    generations: Generations::NEW,
    splits_locks: false,
    environment: Environment::CALM,
    limits: Limits::PUBLISHED,
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::DeletedNamespaceStaysDeleted,
        Property::FinishedSnapshotIsWhole,
        Property::LockedSnapshotStays,
        Property::GroupWithSnapshotHasOwner,
        Property::FailedBackupLeavesNothing,
        Property::StartedBackupFinishes,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "garbage collection, and a group that is new",
    runs: GATE,
};

/// The locks of three namespaces, one in the other.
const TAKERS_OF_NESTED_NAMESPACES: Scenario = Scenario {
    name: "takers_of_nested_namespaces",
    question: "One namespace is locked exclusively, one above it as well, and one below it is shared. Is whoever locks exclusively alone in all that lies below?",
    namespaces: &["a", "a/b", "a/b/c"],
    snapshots: &[],
    indexes: &[],
    chunks: 0,
    processes: &["proxy", "other", "third"],
    actors: &[
        lock_namespace(PROXY, A, Mode::Exclusive),
        lock_namespace(OTHER, B, Mode::Exclusive),
        lock_namespace(THIRD, C, Mode::Shared),
    ],
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::ExclusiveNamespaceIsAlone,
        Property::NoOperationWaitsForever,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "what is done under the locks",
    ..BACKUP_BELOW_MEETS_DELETION
};

/// The smaller one of the two.
const TAKERS_OF_TWO_NAMESPACES: Scenario = Scenario {
    name: "takers_of_two_namespaces",
    question: "One namespace and the one above it are locked exclusively. Is whoever locks exclusively alone in all that lies below?",
    namespaces: &["a", "a/b"],
    processes: &["proxy", "other"],
    actors: &[
        lock_namespace(PROXY, A, Mode::Exclusive),
        lock_namespace(OTHER, B, Mode::Exclusive),
    ],
    outside: "what is done under the locks, a shared lock, and a third namespace",
    ..TAKERS_OF_NESTED_NAMESPACES
};

/// Two changes of one owner; the others are written as what they change in it.
const TWO_OWNER_CHANGES: Scenario = Scenario {
    name: "two_owner_changes",
    question: "Two users change the owner of one group at once, each allowed to by the owner that was there. Does the second one find out?",
    namespaces: &[],
    snapshots: &[snapshot(VM_100, FIRST, ROOT)],
    indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
    actors: &[set_owner(PROXY, 1), set_owner(OTHER, 2)],
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::NoOperationWaitsForever,
        Property::OwnerIsChangedFromWhatWasChecked,
        Property::OwnerFileIsWhole,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "who may change an owner",
    ..BACKUP_BELOW_MEETS_DELETION
};

/// An owner changes beside a backup.
const OWNER_CHANGE_MEETS_BACKUP: Scenario = Scenario {
    name: "owner_change_meets_backup",
    question: "The owner of a group changes while a backup to it begins. Does the backup read an owner, the old one or the new one?",
    snapshots: &[snapshot(VM_100, FIRST, ROOT), later(VM_100, LATEST, ROOT)],
    indexes: &[
        index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
        index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
    ],
    actors: &[set_owner(PROXY, 1), backup(OTHER, 1)],
    outside: "a group that is new",
    ..TWO_OWNER_CHANGES
};

/// An owner changes beside the removal of the last snapshot and a backup that begins.
const OWNER_CHANGE_MEETS_FORGET_AND_BACKUP: Scenario = Scenario {
    name: "owner_change_meets_forget_and_backup",
    question: "The owner of a group changes while its last snapshot is removed, and the group with it, and a backup makes it again. Does no owner file come into a group that is gone, and has every group with a snapshot one?",
    processes: &["proxy", "other", "third"],
    actors: &[set_owner(PROXY, 1), forget(OTHER, 0), backup(THIRD, 1)],
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::OwnerIsChangedFromWhatWasChecked,
        Property::OwnerFileIsWhole,
        Property::GroupWithSnapshotHasOwner,
        Property::FinishedSnapshotIsWhole,
        Property::LockedSnapshotStays,
        Property::FailedBackupLeavesNothing,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "garbage collection, and a second change",
    ..OWNER_CHANGE_MEETS_BACKUP
};

/// A group moves into a namespace that is removed; the other one is written as what it changes in it.
const DELETION_OF_TARGET_MEETS_MOVE: Scenario = Scenario {
    name: "deletion_of_target_meets_move",
    question: "A group moves into a namespace that is being removed. Does the namespace stay away once it is gone, and is the group whole?",
    namespaces: &["a", "b"],
    snapshots: &[snapshot(VM_100, FIRST, A)],
    indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
    actors: &[moves(PROXY, A, B), delete(OTHER, B)],
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::DeletedNamespaceStaysDeleted,
        Property::FinishedSnapshotIsWhole,
        Property::GroupWithSnapshotHasOwner,
        Property::FailedMoveLeavesNoEmptyGroup,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "garbage collection",
    ..BACKUP_BELOW_MEETS_DELETION
};

/// Scenarios of namespaces and owners.
pub(super) const NAMESPACES: &[Scenario] = &[
    BACKUP_BELOW_MEETS_DELETION,
    Scenario {
        name: "first_backup_below_meets_deletion",
        question: "The same where the group is new, so that the directory of its type is removed beside it. Does nobody bring the namespace back?",
        snapshots: &[later(VM_100, LATEST, B)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        actors: &[backup(PROXY, 0), delete(OTHER, A)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::DeletedNamespaceStaysDeleted,
            Property::FinishedSnapshotIsWhole,
            Property::GroupWithSnapshotHasOwner,
            Property::FailedBackupLeavesNothing,
            Property::StartedBackupFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and a previous snapshot",
        ..BACKUP_BELOW_MEETS_DELETION
    },
    Scenario {
        name: "deletion_meets_gc",
        question: "A namespace is removed while garbage collection goes over it. Does the collection finish, and is every chunk that is still named there?",
        snapshots: &[snapshot(VM_100, FIRST, ROOT), snapshot(VM_100, SECOND, B)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(1)]),
        ],
        chunks: 2,
        actors: &[gc(PROXY, 1), delete(OTHER, A)],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::DeletedNamespaceStaysDeleted,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a backup beside them",
        ..BACKUP_BELOW_MEETS_DELETION
    },
    Scenario {
        name: "deletion_of_empty_namespaces_meets_gc",
        question: "Namespaces without a backup are removed while garbage collection goes over them. Does the collection finish?",
        snapshots: &[snapshot(VM_100, FIRST, ROOT)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        actors: &[gc(PROXY, 1), delete(OTHER, A)],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::DeletedNamespaceStaysDeleted,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a group in the namespaces, and a backup beside them",
        ..BACKUP_BELOW_MEETS_DELETION
    },
    DELETION_OF_TARGET_MEETS_MOVE,
    Scenario {
        name: "deletion_of_source_meets_move",
        question: "A group moves out of a namespace that is being removed. Is it moved or removed, and whole either way?",
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_100, SECOND, A)],
        indexes: BACKUP_BELOW_MEETS_DELETION.indexes,
        actors: &[moves(PROXY, A, B), delete(OTHER, A)],
        ..DELETION_OF_TARGET_MEETS_MOVE
    },
    Scenario {
        name: "deletion_meets_verify_and_prune",
        question: "A namespace is removed while the group below it is verified and pruned. Do both jobs skip what is gone or locked?",
        snapshots: &[snapshot(VM_100, FIRST, B), snapshot(VM_100, SECOND, B)],
        processes: &["proxy", "other", "third"],
        actors: &[
            verify_in(PROXY, B, VM_100),
            prune_in(OTHER, B, 1),
            delete(THIRD, A),
        ],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::DeletedNamespaceStaysDeleted,
            Property::FinishedSnapshotIsWhole,
            Property::LockedSnapshotStays,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and a backup",
        runs: CHECK,
        ..BACKUP_BELOW_MEETS_DELETION
    },
    Scenario {
        name: "two_deletions_of_nested_namespaces",
        question: "A namespace and one below it are removed at once. Does each removal end, and is nothing left over that nobody reports?",
        snapshots: &[snapshot(VM_100, FIRST, B)],
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        actors: &[delete(PROXY, A), delete(OTHER, B)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::DeletedNamespaceStaysDeleted,
            Property::FinishedSnapshotIsWhole,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "anybody else",
        ..BACKUP_BELOW_MEETS_DELETION
    },
    Scenario {
        name: "deletion_meets_protected_snapshot",
        question: "A namespace is removed in which a snapshot is protected, while its group is pruned. Does that snapshot stay, with its group and namespace, and does everything else go?",
        snapshots: &[
            snapshot(VM_100, FIRST, A),
            snapshot(VM_100, SECOND, A),
            snapshot(VM_100, LATEST, B),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(2, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        protected: &[Snapshot(0)],
        actors: &[prune_in(PROXY, A, 1), delete(OTHER, A)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::DeletedNamespaceStaysDeleted,
            Property::ProtectedSnapshotStays,
            Property::FinishedSnapshotIsWhole,
            Property::GroupWithSnapshotHasOwner,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a protection that begins or ends meanwhile",
        ..BACKUP_BELOW_MEETS_DELETION
    },
    TAKERS_OF_NESTED_NAMESPACES,
    TAKERS_OF_TWO_NAMESPACES,
    Scenario {
        name: "two_pairs_of_namespaces_cross",
        question: "Two operations lock two namespaces each, exclusively and in opposite order, as two moves of namespaces would. Does either wait for the other without end?",
        namespaces: &["a", "a/b", "c"],
        processes: &["proxy", "other"],
        actors: &[
            lock_two_namespaces(PROXY, B, C),
            lock_two_namespaces(OTHER, C, B),
        ],
        ..TAKERS_OF_NESTED_NAMESPACES
    },
    TWO_OWNER_CHANGES,
    OWNER_CHANGE_MEETS_BACKUP,
    OWNER_CHANGE_MEETS_FORGET_AND_BACKUP,
    Scenario {
        name: "killed_owner_change_meets_backup",
        question: "A change of an owner, or the backup beside it, is killed at any point. Does the group have an owner afterwards?",
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        runs: Runs {
            check: true,
            replay: false,
            kill: true,
        },
        ..OWNER_CHANGE_MEETS_BACKUP
    },
];
