//! The words that scenarios are written in: names, shorthands and lists of properties.

use crate::id::{Chunk, Group, Namespace, Process, Snapshot};
use crate::lock_class::Mode;
use crate::property::Property;
use crate::scenario::{Access, IndexOf, Lockable, Runs, SnapshotAt, Start, Task};

pub(super) const ROOT: Namespace = Namespace(0);
pub(super) const A: Namespace = Namespace(1);
pub(super) const B: Namespace = Namespace(2);
pub(super) const C: Namespace = Namespace(3);
pub(super) const VM_100: Group = Group(0);
pub(super) const VM_101: Group = Group(1);
pub(super) const PROXY: Process = Process(0);
pub(super) const OTHER: Process = Process(1);
pub(super) const THIRD: Process = Process(2);
pub(super) const FOURTH: Process = Process(3);

pub(super) const FIRST: &str = "2026-07-14T04:33:20Z";
pub(super) const SECOND: &str = "2026-07-14T05:33:20Z";

/// Explored, and not replayed: what it could show on files is shown in a smaller scope.
pub(super) const CHECK: Runs = Runs {
    check: true,
    replay: false,
    kill: false,
};

pub(super) const GATE: Runs = Runs {
    check: true,
    replay: true,
    kill: false,
};

pub(super) const fn snapshot(group: Group, time: &'static str, namespace: Namespace) -> SnapshotAt {
    SnapshotAt {
        group,
        time,
        namespace,
        start: Start::Finished,
    }
}

pub(super) const fn index(snapshot: u8, name: &'static str, chunks: &'static [Chunk]) -> IndexOf {
    IndexOf {
        snapshot: Some(Snapshot(snapshot)),
        name,
        chunks,
    }
}

pub(super) const fn gc(process: Process, runs: u8) -> (Process, Task) {
    (process, Task::Gc { runs })
}

pub(super) const fn moves(
    process: Process,
    source: Namespace,
    target: Namespace,
) -> (Process, Task) {
    (
        process,
        Task::MoveGroup {
            group: VM_100,
            source,
            target,
            merge: false,
        },
    )
}

/// What is asked where moves meet garbage collection.
pub(super) const MOVES_AND_GC: &[Property] = &[
    Property::LiveChunkIsNeverSwept,
    Property::SnapshotIsAtExactlyOnePlace,
    Property::OneExclusiveHolderPerLock,
    Property::LocksAreTakenInRankOrder,
    Property::NoOperationWaitsForever,
    Property::GcThatMeetsNoAbortConditionFinishes,
    Property::NewPathImpliesJournalEntry,
    Property::FinishedOperationHoldsNoLock,
];

/// What is asked where moves meet each other.
pub(super) const MOVES: &[Property] = &[
    Property::SnapshotIsAtExactlyOnePlace,
    Property::OneExclusiveHolderPerLock,
    Property::LocksAreTakenInRankOrder,
    Property::NoOperationWaitsForever,
    Property::FailedMoveLeavesNoEmptyGroup,
    Property::FinishedOperationHoldsNoLock,
];

pub(super) const LATEST: &str = "2026-07-14T06:33:20Z";

pub(super) const fn later(group: Group, time: &'static str, namespace: Namespace) -> SnapshotAt {
    SnapshotAt {
        group,
        time,
        namespace,
        start: Start::Later,
    }
}

pub(super) const fn backup(process: Process, snapshot: u8) -> (Process, Task) {
    let snapshot = Snapshot(snapshot);
    (process, Task::Backup { snapshot })
}

pub(super) const fn forget(process: Process, snapshot: u8) -> (Process, Task) {
    forget_in(process, ROOT, snapshot)
}

pub(super) const fn moves_into(
    process: Process,
    source: Namespace,
    target: Namespace,
) -> (Process, Task) {
    (
        process,
        Task::MoveGroup {
            group: VM_100,
            source,
            target,
            merge: true,
        },
    )
}

pub(super) const fn forget_in(
    process: Process,
    namespace: Namespace,
    snapshot: u8,
) -> (Process, Task) {
    (
        process,
        Task::ForgetSnapshot {
            namespace,
            snapshot: Snapshot(snapshot),
        },
    )
}

pub(super) const fn prune(process: Process, keep_last: u8) -> (Process, Task) {
    (
        process,
        Task::Prune {
            namespace: ROOT,
            group: VM_100,
            keep_last,
        },
    )
}

pub(super) const fn verify(process: Process, group: Group) -> (Process, Task) {
    verify_in(process, ROOT, group)
}

pub(super) const fn verify_in(
    process: Process,
    namespace: Namespace,
    group: Group,
) -> (Process, Task) {
    (process, Task::Verify { namespace, group })
}

pub(super) const fn set_notes(process: Process, snapshot: u8) -> (Process, Task) {
    set_notes_in(process, ROOT, snapshot)
}

pub(super) const fn set_notes_in(
    process: Process,
    namespace: Namespace,
    snapshot: u8,
) -> (Process, Task) {
    (
        process,
        Task::SetNotes {
            namespace,
            snapshot: Snapshot(snapshot),
        },
    )
}

pub(super) const fn access(process: Process, access: Access) -> (Process, Task) {
    (
        process,
        Task::AccessChunk {
            chunk: Chunk(0),
            access,
        },
    )
}

/// What is asked where a backup and a removal meet garbage collection.
pub(super) const CALM_BACKUPS: &[Property] = &[
    Property::LiveChunkIsNeverSwept,
    Property::OneExclusiveHolderPerLock,
    Property::LocksAreTakenInRankOrder,
    Property::NoOperationWaitsForever,
    Property::GcThatMeetsNoAbortConditionFinishes,
    Property::LockedSnapshotStays,
    Property::FinishedSnapshotIsWhole,
    Property::FailedBackupLeavesNothing,
    Property::StartedBackupFinishes,
    Property::FinishedOperationHoldsNoLock,
];

pub(super) const fn set_owner(process: Process, owner: u8) -> (Process, Task) {
    (
        process,
        Task::SetOwner {
            namespace: ROOT,
            group: VM_100,
            owner,
        },
    )
}

pub(super) const fn delete(process: Process, namespace: Namespace) -> (Process, Task) {
    (process, Task::DeleteNamespace { namespace })
}

/// Takes the lock of the one group of the root namespace, and perhaps removes its file.
pub(super) const fn take_group_lock(process: Process, removes: bool) -> (Process, Task) {
    let lock = Lockable::Group(ROOT, VM_100);
    (process, Task::TakeLock { lock, removes })
}

pub(super) const fn lock_namespace(
    process: Process,
    namespace: Namespace,
    mode: Mode,
) -> (Process, Task) {
    (
        process,
        Task::TakeNamespaceLock {
            first: (namespace, mode),
            second: None,
        },
    )
}

pub(super) const fn lock_two_namespaces(
    process: Process,
    first: Namespace,
    second: Namespace,
) -> (Process, Task) {
    (
        process,
        Task::TakeNamespaceLock {
            first: (first, Mode::Exclusive),
            second: Some((second, Mode::Exclusive)),
        },
    )
}

pub(super) const fn prune_in(
    process: Process,
    namespace: Namespace,
    keep_last: u8,
) -> (Process, Task) {
    (
        process,
        Task::Prune {
            namespace,
            group: VM_100,
            keep_last,
        },
    )
}
