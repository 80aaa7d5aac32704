//! Scenarios of moves, alone and beside garbage collection, and of lock files.

use super::words::{
    A, B, C, FIRST, FOURTH, GATE, MOVES, MOVES_AND_GC, OTHER, PROXY, ROOT, SECOND, THIRD, VM_100,
    VM_101, gc, index, moves, snapshot, take_group_lock,
};
use crate::id::{Chunk, Snapshot};
use crate::property::Property;
use crate::scenario::{Environment, Generations, IndexOf, Limits, Lockable, Runs, Scenario, Task};

/// The smallest scenario; the others are written as what they change in it.
pub(super) const ONE_MOVE_MEETS_GC: Scenario = Scenario {
    name: "one_move_meets_gc",
    question: "A group with one snapshot moves while a garbage collection in another process marks and sweeps. Does a chunk of the snapshot survive at every interleaving?",
    namespaces: &["a", "b"],
    groups: &["vm/100"],
    snapshots: &[snapshot(VM_100, FIRST, A)],
    indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
    chunks: 2,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
    sequels: &[],
    processes: &["proxy", "other"],
    actors: &[gc(PROXY, 1), moves(OTHER, A, B)],
    generations: Generations::NEW,
    splits_locks: false,
    environment: Environment::CALM,
    limits: Limits::PUBLISHED,
    properties: &[
        Property::LiveChunkIsNeverSwept,
        Property::SnapshotIsAtExactlyOnePlace,
        Property::OneExclusiveHolderPerLock,
        Property::LocksAreTakenInRankOrder,
        Property::NoOperationWaitsForever,
        Property::GcThatMeetsNoAbortConditionFinishes,
        Property::JournalNeverStopsGc,
        Property::NewPathImpliesJournalEntry,
        Property::FinishedOperationHoldsNoLock,
        Property::CanHaveNewPathWithoutEntry,
        Property::CanSweepDeadChunk,
        Property::CanMoveDuringMark,
    ],
    outside: "more than one snapshot, index file, live chunk and run",
    runs: GATE,
};

/// Scenarios of moves and lock files.
pub(super) const MOVES_AND_LOCKS: &[Scenario] = &[
    ONE_MOVE_MEETS_GC,
    Scenario {
        name: "one_move_meets_gc_with_kills",
        question: "The same, and one of the two processes may be killed at any step. Does the other one finish, and does the chunk survive?",
        environment: Environment {
            kills: 1,
            ..Environment::CALM
        },
        outside: "what a second move or run does after the kill",
        runs: Runs {
            check: true,
            replay: false,
            kill: true,
        },
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "one_process_moves_and_collects",
        question: "The same, with both in one process: does anything rely on their being in two?",
        processes: &["proxy"],
        actors: &[gc(PROXY, 1), moves(PROXY, A, B)],
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "move_out_of_the_root_meets_gc",
        question: "The group moves out of the root namespace, which is always visited first. Does the order of visits matter?",
        namespaces: &["b"],
        snapshots: &[snapshot(VM_100, FIRST, ROOT)],
        actors: &[gc(PROXY, 1), moves(OTHER, ROOT, A)],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::NewPathImpliesJournalEntry,
            Property::FinishedOperationHoldsNoLock,
        ],
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_gc_runs_meet_move",
        question: "Two runs, the cutoff passing between them, meet one move. Does the drain of the first run take an entry away that the second one needs?",
        actors: &[gc(PROXY, 2), moves(OTHER, A, B)],
        environment: Environment {
            cutoff_passes: 1,
            ..Environment::CALM
        },
        chunks: 1,
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::NewPathImpliesJournalEntry,
            Property::FinishedOperationHoldsNoLock,
            Property::CanHaveNewPathWithoutEntry,
        ],
        outside: "more than one snapshot, index file, chunk and move",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_moves_chain_meets_gc",
        question: "A snapshot moves twice, through three namespaces, while a garbage collection runs. Can it outrun iteration and drain together?",
        namespaces: &["a", "b", "c"],
        chunks: 1,
        processes: &["proxy", "other", "third"],
        actors: &[gc(PROXY, 1), moves(OTHER, A, B), moves(THIRD, B, C)],
        properties: MOVES_AND_GC,
        outside: "more than one snapshot, index file, chunk and run",
        runs: Runs {
            check: true,
            replay: false,
            kill: false,
        },
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_moves_chain_meets_two_gc_runs",
        question: "A snapshot moves twice, through three namespaces, while two runs follow each other and the cutoff passes between them. Does what the first drain removed matter to the second run?",
        namespaces: &["a", "b", "c"],
        chunks: 2,
        processes: &["proxy", "other", "third"],
        actors: &[gc(PROXY, 2), moves(OTHER, A, B), moves(THIRD, B, C)],
        environment: Environment {
            cutoff_passes: 1,
            ..Environment::CALM
        },
        properties: MOVES_AND_GC,
        outside: "more than one snapshot, index file and live chunk",
        runs: Runs {
            check: true,
            replay: false,
            kill: false,
        },
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "move_there_and_back_meets_gc",
        question: "A group moves to another namespace and back while a garbage collection runs. Can it be away whenever somebody looks?",
        chunks: 1,
        processes: &["proxy", "other", "third"],
        actors: &[gc(PROXY, 1), moves(OTHER, A, B), moves(THIRD, B, A)],
        properties: MOVES_AND_GC,
        outside: "more than one snapshot, index file, chunk and run",
        runs: GATE,
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_moves_cross",
        question: "Two moves of the same group in opposite directions, with merging. Do they refuse each other without waiting, and is the group whole afterwards?",
        indexes: &[index(0, "drive-scsi0.img.fidx", &[Chunk(0)])],
        snapshots: &[snapshot(VM_100, FIRST, A)],
        empty_groups: &[(B, VM_100)],
        chunks: 1,
        actors: &[
            (
                PROXY,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: B,
                    merge: true,
                },
            ),
            (
                OTHER,
                Task::MoveGroup {
                    group: VM_100,
                    source: B,
                    target: A,
                    merge: true,
                },
            ),
        ],
        properties: MOVES,
        outside: "garbage collection, and a third mover",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_moves_to_one_target",
        question: "Two moves bring the same group from two namespaces into a third one, both with merging. Does one of them lose, and does it lose nothing?",
        namespaces: &["a", "b", "c"],
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_100, SECOND, B)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        actors: &[
            (
                PROXY,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: C,
                    merge: true,
                },
            ),
            (
                OTHER,
                Task::MoveGroup {
                    group: VM_100,
                    source: B,
                    target: C,
                    merge: true,
                },
            ),
        ],
        properties: MOVES,
        outside: "garbage collection, and a third mover",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "move_merges_meets_gc",
        question: "Two snapshots with notes merge into a group that has an older one, while a garbage collection lists and marks. Is any of the three missed?",
        snapshots: &[
            snapshot(VM_100, "2026-07-14T03:33:20Z", B),
            snapshot(VM_100, FIRST, A),
            snapshot(VM_100, SECOND, A),
        ],
        indexes: &[
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(2, "drive-scsi0.img.fidx", &[Chunk(1)]),
        ],
        notes: &[(A, VM_100)],
        actors: &[
            gc(PROXY, 1),
            (
                OTHER,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: B,
                    merge: true,
                },
            ),
        ],
        properties: MOVES_AND_GC,
        outside: "more than three snapshots, and a snapshot with two index files",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "gc_lists_a_busy_group",
        question: "Garbage collection lists a group at most twice, the second time under its lock. Does a move that empties the group meanwhile make it miss or fail?",
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
            Property::FinishedOperationHoldsNoLock,
        ],
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "stray_index_meets_gc",
        question: "An index file lies in the base directory, outside the hierarchy, while another group moves. Are its chunks marked?",
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            IndexOf {
                snapshot: None,
                name: "restored.fidx",
                chunks: &[Chunk(1)],
            },
        ],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::FinishedOperationHoldsNoLock,
        ],
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "foreign_line_meets_two_gc_runs",
        question: "The journal starts with a line that no append wrote, and a move appends behind it. Is an entry lost when the first run fails on that line?",
        foreign_line: true,
        chunks: 1,
        actors: &[gc(PROXY, 2), moves(OTHER, A, B)],
        environment: Environment {
            cutoff_passes: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::JournalNeverStopsGc,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "who wrote the line, and who removes it",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "full_tmpfs_meets_gc",
        question: "The append of the one move meets a full tmpfs. Does the move leave everything as it was, and does garbage collection finish?",
        environment: Environment {
            full_tmpfs: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::JournalNeverStopsGc,
            Property::FailedMoveLeavesNoEmptyGroup,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second move, and a tmpfs too full to create a lock file",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_moves_meet_full_tmpfs",
        question: "One of two moves meets a full tmpfs, at any point of the other. Does each lose nothing but its own attempt?",
        groups: &["vm/100", "vm/101"],
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_101, FIRST, A)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        actors: &[
            (
                PROXY,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: B,
                    merge: false,
                },
            ),
            (
                OTHER,
                Task::MoveGroup {
                    group: VM_101,
                    source: A,
                    target: B,
                    merge: false,
                },
            ),
        ],
        environment: Environment {
            full_tmpfs: 1,
            ..Environment::CALM
        },
        properties: MOVES,
        outside: "garbage collection, which torn_append_meets_gc adds",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "torn_append_meets_gc",
        question: "One of two moves meets a full tmpfs, and its append is torn; a process may be killed besides. Is the other move's entry read, and does garbage collection finish?",
        groups: &["vm/100", "vm/101"],
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_101, FIRST, A)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 2,
        processes: &["proxy", "other", "third"],
        actors: &[
            gc(PROXY, 1),
            (
                OTHER,
                Task::MoveGroup {
                    group: VM_101,
                    source: A,
                    target: B,
                    merge: false,
                },
            ),
            (
                THIRD,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: B,
                    merge: false,
                },
            ),
        ],
        environment: Environment {
            kills: 1,
            full_tmpfs: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::JournalNeverStopsGc,
            Property::NewPathImpliesJournalEntry,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second torn append, and a tmpfs too full to create a lock file",
        runs: Runs {
            check: true,
            replay: false,
            kill: false,
        },
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "torn_move_is_repeated_and_meets_gc",
        question: "The append of a move is torn, and the move is repeated before the next drain. Is the repeated entry read, and does garbage collection finish?",
        chunks: 1,
        processes: &["proxy", "other", "third"],
        actors: &[
            gc(PROXY, 1),
            (
                OTHER,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: B,
                    merge: true,
                },
            ),
            (
                THIRD,
                Task::MoveGroup {
                    group: VM_100,
                    source: A,
                    target: B,
                    merge: true,
                },
            ),
        ],
        environment: Environment {
            full_tmpfs: 1,
            ..Environment::CALM
        },
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::JournalNeverStopsGc,
            Property::NewPathImpliesJournalEntry,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "a second torn append, and a kill",
        runs: Runs {
            check: true,
            replay: false,
            kill: false,
        },
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "move_meets_busy_snapshot",
        question: "A reader holds the snapshot when a move comes, and the move is repeated later. Can it be repeated?",
        processes: &["proxy", "other", "third"],
        actors: &[
            (
                PROXY,
                Task::TakeLock {
                    lock: Lockable::Snapshot(A, Snapshot(0)),
                    removes: false,
                },
            ),
            moves(OTHER, A, B),
            moves(THIRD, A, B),
        ],
        properties: &[
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::FailedMoveLeavesNoEmptyGroup,
            Property::FinishedOperationHoldsNoLock,
        ],
        chunks: 1,
        outside: "garbage collection, and shared locks of readers",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "second_batch_meets_busy_snapshot",
        question: "A move locks one snapshot at a time, and readers hold the first or the second one. Does what was moved stay moved, the rest stay where it was, and can the move be repeated?",
        snapshots: &[snapshot(VM_100, FIRST, A), snapshot(VM_100, SECOND, A)],
        indexes: &[
            index(0, "drive-scsi0.img.fidx", &[Chunk(0)]),
            index(1, "drive-scsi0.img.fidx", &[Chunk(0)]),
        ],
        chunks: 1,
        actors: &[
            (
                PROXY,
                Task::TakeLock {
                    lock: Lockable::Snapshot(A, Snapshot(1)),
                    removes: false,
                },
            ),
            moves(OTHER, A, B),
            (
                PROXY,
                Task::TakeLock {
                    lock: Lockable::Snapshot(A, Snapshot(0)),
                    removes: false,
                },
            ),
        ],
        limits: Limits {
            snapshot_locks: 1,
            ..Limits::PUBLISHED
        },
        properties: &[
            Property::SnapshotIsAtExactlyOnePlace,
            Property::OneExclusiveHolderPerLock,
            Property::LocksAreTakenInRankOrder,
            Property::NoOperationWaitsForever,
            Property::FailedMoveLeavesNoEmptyGroup,
            Property::FailedMoveCanBeRepeated,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "garbage collection, and the repetition of the move, which then needs merging",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_gcs_meet",
        question: "Two garbage collections in two processes, and a third one in the first process. Does only one run at a time?",
        actors: &[gc(PROXY, 1), gc(PROXY, 1), gc(OTHER, 1)],
        namespaces: &["a"],
        properties: &[
            Property::LiveChunkIsNeverSwept,
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::GcThatMeetsNoAbortConditionFinishes,
            Property::FinishedOperationHoldsNoLock,
            Property::CanSweepDeadChunk,
        ],
        outside: "writers, which share the process lock",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "two_takers_meet_remover",
        question: "Two takers and a remover of one lock file, each in three calls. Do two of them ever rely on the lock?",
        namespaces: &[],
        snapshots: &[],
        indexes: &[],
        chunks: 0,
        empty_groups: &[(ROOT, VM_100)],
        processes: &["first", "second", "remover"],
        actors: &[
            take_group_lock(PROXY, false),
            take_group_lock(OTHER, false),
            take_group_lock(THIRD, true),
        ],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "shared holders, waiting takers, a third taker and a second remover",
        ..ONE_MOVE_MEETS_GC
    },
    Scenario {
        name: "three_takers_meet_remover",
        question: "Three takers and a remover of one lock file, each in three calls. Do two of them ever rely on the lock?",
        namespaces: &[],
        snapshots: &[],
        indexes: &[],
        chunks: 0,
        empty_groups: &[(ROOT, VM_100)],
        processes: &["first", "second", "third", "remover"],
        actors: &[
            take_group_lock(PROXY, false),
            take_group_lock(OTHER, false),
            take_group_lock(THIRD, false),
            take_group_lock(FOURTH, true),
        ],
        properties: &[
            Property::OneExclusiveHolderPerLock,
            Property::NoOperationWaitsForever,
            Property::FinishedOperationHoldsNoLock,
        ],
        outside: "shared holders, waiting takers, and a second remover",
        ..ONE_MOVE_MEETS_GC
    },
];
