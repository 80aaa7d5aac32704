//! Scenarios without a backup: forget, prune, verification and notes beside each other and beside a move.

use super::words::{
    A, B, CHECK, FIRST, FOURTH, GATE, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100, access, forget,
    forget_in, gc, index, moves, prune, set_notes, set_notes_in, snapshot, verify, verify_in,
};
use crate::id::{Chunk, Snapshot};
use crate::property::Property;
use crate::scenario::{Access, Environment, Generations, Limits, Runs, Scenario};

/// Two operations on one snapshot; the others are written as what they change in it.
const VERIFY_MEETS_FORGET: Scenario = Scenario {
    name: "verify_meets_forget",
    question: "A snapshot is removed while a verification goes over its group. Does the verification either have it whole, or skip it?",
    namespaces: &[],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, ROOT)],
    indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
    chunks: 1,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
    sequels: &[],
    processes: &["proxy", "other"],
    actors: &[verify(PROXY, VM_100), forget(OTHER, 0)],
    generations: Generations::NEW,
    splits_locks: false,
    environment: Environment::CALM,
    limits: Limits::PUBLISHED,
    properties: &[
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::FinishedSnapshotIsWhole,
        Property::LockedSnapshotStays,
        Property::JobSkipsWhatVanished,
        Property::FinishedOperationHoldsNoLock,
    ],
    outside: "more than one snapshot, and garbage collection",
    runs: GATE,
};

/// A group that moves away and back under an update of a manifest.
const NOTES_MEET_MOVES_AND_VERIFY: Scenario = Scenario {
    name: "notes_meet_moves_and_verify",
    question: "A group moves away and back while notes are changed, and a verification writes its state at the other place in between. Is its update lost?",
    namespaces: &["a", "b"],
    snapshots: &[snapshot(VM_100, FIRST, A)],
    actors: &[
        set_notes_in(PROXY, A, 0),
        moves(OTHER, A, B),
        moves(THIRD, B, A),
        verify_in(FOURTH, B, VM_100),
    ],
    processes: &["proxy", "other", "third", "fourth"],
    properties: &[
        Property::SnapshotIsAtExactlyOnePlace,
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::LockedSnapshotStays,
        Property::ManifestUpdateIsNotLost,
        Property::JobSkipsWhatVanished,
        Property::FinishedOperationHoldsNoLock,
    ],
    ..VERIFY_MEETS_FORGET
};

/// Scenarios without a backup.
pub(super) const UPKEEP: &[Scenario] = &[
    VERIFY_MEETS_FORGET,
    Scenario {
        name: "verify_meets_move",
        question: "A group moves while a verification goes over it. Does the verification either have a snapshot whole, or skip it?",
        namespaces: &["a", "b"],
        snapshots: &[snapshot(VM_100, FIRST, A)],
        actors: &[verify_in(PROXY, A, VM_100), moves(OTHER, A, B)],
        properties: &[
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::LockedSnapshotStays,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "prune_meets_move",
        question: "A group of two snapshots moves while it is pruned. Does the prune skip what has gone, and is every snapshot that is kept at one place?",
        namespaces: &["a", "b"],
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_100, SECOND, A)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        actors: &[
            (
                PROXY,
                crate::scenario::Task::Prune {
                    namespace: A,
                    group: VM_100,
                    keep_last: 1,
                },
            ),
            moves(OTHER, A, B),
        ],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::PruneKeepsFinishedSnapshot,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "verify_meets_forget_of_another",
        question: "One of the two snapshots of a group is removed while the group is verified. Is the other one verified all the same?",
        snapshots: &[
            snapshot(VM_100, FIRST, ROOT),
            snapshot(VM_100, SECOND, ROOT),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        actors: &[verify(PROXY, VM_100), forget(OTHER, 1)],
        outside: "garbage collection",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "two_removals_of_two_snapshots",
        question: "Both snapshots of a group are removed at the same time. Does each removal end well?",
        snapshots: &[
            snapshot(VM_100, FIRST, ROOT),
            snapshot(VM_100, SECOND, ROOT),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        actors: &[forget(PROXY, 0), forget(OTHER, 1)],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "two_removals_of_one_snapshot",
        question: "A prune and a removal by hand meet on one group, of which one snapshot is protected. Is each removed once or not at all, and the protected one never?",
        snapshots: &[
            snapshot(VM_100, FIRST, ROOT),
            snapshot(VM_100, SECOND, ROOT),
        ],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        protected: &[Snapshot(0)],
        actors: &[prune(PROXY, 0), forget(OTHER, 0), forget(THIRD, 1)],
        processes: &["proxy", "other", "third"],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::ProtectedSnapshotStays,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "move_of_protected_snapshot_meets_forget",
        question: "A protected snapshot moves to where somebody is about to remove one of its time. Does it stay?",
        namespaces: &["a", "b"],
        snapshots: &[snapshot(VM_100, FIRST, A)],
        protected: &[Snapshot(0)],
        actors: &[moves(PROXY, A, B), forget_in(OTHER, B, 0)],
        properties: &[
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::ProtectedSnapshotStays,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "notes_meet_verify_and_forget",
        question: "Notes are changed while a verification writes its state and a removal may take the snapshot. Is no update lost, and nothing written into a directory that is being emptied?",
        actors: &[set_notes(PROXY, 0), verify(OTHER, VM_100), forget(THIRD, 0)],
        processes: &["proxy", "other", "third"],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::ManifestUpdateIsNotLost,
            Property::LockedSnapshotStays,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        ..VERIFY_MEETS_FORGET
    },
    NOTES_MEET_MOVES_AND_VERIFY,
    Scenario {
        name: "notes_meet_move_away_and_back",
        question: "The same, and the verification waits where the snapshot comes back to. Do two updates of one manifest exclude each other, although a move unlinks the file of their lock?",
        actors: &[
            set_notes_in(PROXY, A, 0),
            moves(OTHER, A, B),
            moves(THIRD, B, A),
            verify_in(FOURTH, A, VM_100),
        ],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::ManifestUpdateIsNotLost,
        ],
        runs: CHECK,
        ..NOTES_MEET_MOVES_AND_VERIFY
    },
    Scenario {
        name: "killed_forget_meets_prune",
        question: "A removal may be killed between any two files. What it leaves meets a verification. Does no finished snapshot lack an index file?",
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(0, "drive-scsi1.img.fidx", &[Chunk(0)]),
        ],
        actors: &[forget(OTHER, 0), prune(PROXY, 1)],
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::FinishedSnapshotIsWhole,
            Property::JobSkipsWhatVanished,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second kill",
        runs: Runs {
            check: true,
            replay: false,
            kill: true,
        },
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "verify_meets_gc",
        question: "A verification sets a corrupt chunk aside while garbage collection marks and sweeps. Do both finish, and does the other chunk survive?",
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0), Chunk(1)])],
        chunks: 2,
        corrupt: &[Chunk(0)],
        actors: &[verify(PROXY, VM_100), gc(PROXY, 1)],
        processes: &["proxy"],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::LockedSnapshotStays,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a backup that writes the chunk again",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "insert_and_touch_meet_sweep",
        question: "An insert, a touch and a sweep of one old chunk, call by call. Is the chunk there afterwards?",
        actors: &[
            access(PROXY, Access::Insert),
            access(PROXY, Access::Touch),
            access(PROXY, Access::Sweep),
        ],
        processes: &["proxy"],
        properties: &[
            Property::InsertedChunkIsThere,
            Property::NoOperationWaitsForever,
        ],
        outside: "a second chunk",
        ..VERIFY_MEETS_FORGET
    },
    Scenario {
        name: "insert_meets_set_aside",
        question: "An insert and two verifications that set a corrupt chunk aside, call by call. Is the chunk there when the insert ends, and stays if it wrote a good one?",
        corrupt: &[Chunk(0)],
        actors: &[
            access(PROXY, Access::Insert),
            access(PROXY, Access::SetAside),
            access(PROXY, Access::SetAside),
        ],
        processes: &["proxy"],
        properties: &[
            Property::InsertedChunkIsThere,
            Property::NoOperationWaitsForever,
        ],
        outside: "a second chunk",
        ..VERIFY_MEETS_FORGET
    },
];
