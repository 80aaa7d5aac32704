//! Who may find which lock busy.

use super::{GROUP, ROOT, SNAPSHOT, SOURCE, TARGET};
use specs::id::Snapshot;
use specs::scenario::{Lockable, Task};

/// Moves, backups, removals and jobs, each with the locks that it may find busy.
pub(super) fn who_meets_what() -> Vec<(&'static str, Task, Vec<Lockable>)> {
    let mover = Task::MoveGroup {
        group: GROUP,
        source: SOURCE,
        target: TARGET,
        merge: false,
    };
    let backup = Task::Backup {
        snapshot: Snapshot(1),
    };
    let forget = Task::ForgetSnapshot {
        namespace: ROOT,
        snapshot: SNAPSHOT,
    };
    let prune = Task::Prune {
        namespace: ROOT,
        group: GROUP,
        keep_last: 0,
    };
    let verify = Task::Verify {
        namespace: ROOT,
        group: GROUP,
    };
    let set_owner = Task::SetOwner {
        namespace: ROOT,
        group: GROUP,
        owner: 1,
    };
    let delete = Task::DeleteNamespace { namespace: SOURCE };
    let (group, snapshot) = (Lockable::Group(ROOT, GROUP), Lockable::Snapshot);
    vec![
        ("two_owner_changes", set_owner, vec![group]),
        (
            "deletion_of_source_meets_move",
            delete,
            vec![Lockable::Group(SOURCE, GROUP), snapshot(SOURCE, SNAPSHOT)],
        ),
        (
            "one_move_meets_gc",
            mover,
            vec![
                Lockable::Group(SOURCE, GROUP),
                Lockable::Group(TARGET, GROUP),
                snapshot(SOURCE, SNAPSHOT),
            ],
        ),
        (
            "backup_meets_gc",
            backup,
            vec![group, snapshot(ROOT, SNAPSHOT), snapshot(ROOT, Snapshot(1))],
        ),
        (
            "verify_meets_forget",
            forget,
            vec![group, snapshot(ROOT, SNAPSHOT)],
        ),
        (
            "two_backups_of_one_group",
            Task::Backup { snapshot: SNAPSHOT },
            vec![group],
        ),
        ("verify_meets_forget", prune, vec![snapshot(ROOT, SNAPSHOT)]),
        (
            "verify_meets_forget",
            verify,
            vec![snapshot(ROOT, SNAPSHOT)],
        ),
    ]
}
