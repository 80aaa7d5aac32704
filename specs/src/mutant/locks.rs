//! Mutants that leave out one lock each, for every lock of an operation that no older entry leaves out.

use super::{Fault, Mutant, Variant};
use crate::design::Design;
use crate::ops::{
    backup, delete_namespace, forget_snapshot, gc, move_group, prune, take_namespace_lock, verify,
};
use crate::property::Property;
use crate::step::Step;

/// Mutants that leave out one lock each, in the order of the operations.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "gc.lock_group/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::Gc(gc::Step::LockGroup))]),
        scenario: "gc_lists_a_busy_group",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "Garbage collection lists a group again, for the last time, while a move has it.",
    },
    Mutant {
        name: "move_group.lock_source_group/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::MoveGroup(
            move_group::Step::LockSourceGroup,
        ))]),
        scenario: "gc_lists_a_busy_group",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "A group moves while garbage collection lists it for the last time.",
    },
    Mutant {
        name: "move_group.lock_target_group/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::MoveGroup(
            move_group::Step::LockTargetGroup,
        ))]),
        scenario: "move_merges_meets_backup",
        property: Property::MergeKeepsTimeOrder,
        is_equivalent: false,
        story: "A backup to the target group begins after the move has looked which of its snapshots is the newest.",
    },
    Mutant {
        name: "backup.lock_group/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::Backup(backup::Step::LockGroup))]),
        scenario: "two_backups_of_one_group",
        property: Property::StartedBackupFinishes,
        is_equivalent: false,
        story: "Two backups write to one group, and the second one finds what the first has begun.",
    },
    Mutant {
        name: "backup.lock_snapshot/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::Backup(backup::Step::LockSnapshot))]),
        scenario: "aborted_backup_meets_verify",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "A verification locks the snapshot that is being written, and both rely on the lock.",
    },
    Mutant {
        name: "backup.lock_store/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::Backup(backup::Step::LockStore))]),
        scenario: "backup_meets_gc_of_another_process",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "Another process collects garbage beside a writer whose beginning it does not know.",
    },
    Mutant {
        name: "forget_snapshot.lock_snapshot/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::ForgetSnapshot(
            forget_snapshot::Step::LockSnapshot,
        ))]),
        scenario: "verify_meets_forget",
        property: Property::LockedSnapshotStays,
        is_equivalent: false,
        story: "A snapshot is removed while it is verified.",
    },
    Mutant {
        name: "verify.lock_snapshot/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::Verify(verify::Step::LockSnapshot))]),
        scenario: "verify_meets_forget",
        property: Property::LockedSnapshotStays,
        is_equivalent: false,
        story: "A verification reads a snapshot that somebody removes.",
    },
    Mutant {
        name: "take_namespace_lock.lock_exclusive/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::TakeNamespaceLock(
            take_namespace_lock::Step::LockExclusive,
        ))]),
        scenario: "takers_of_nested_namespaces",
        property: Property::ExclusiveNamespaceIsAlone,
        is_equivalent: false,
        story: "An exclusive lock that is none keeps nobody out.",
    },
    Mutant {
        name: "delete_namespace.lock_namespace/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::DeleteNamespace(
                delete_namespace::Step::LockNamespace,
            ))],
        ),
        scenario: "first_backup_below_meets_deletion",
        property: Property::StartedBackupFinishes,
        is_equivalent: false,
        story: "A namespace is removed under a backup that has begun.",
    },
    Mutant {
        name: "delete_namespace.lock_ancestor/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::DeleteNamespace(
                delete_namespace::Step::LockAncestor,
            ))],
        ),
        scenario: "two_deletions_of_nested_namespaces",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "A namespace is removed while the one above it is.",
    },
    Mutant {
        name: "backup.lock_namespace/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::Backup(backup::Step::LockNamespace))],
        ),
        scenario: "first_backup_below_meets_deletion",
        property: Property::StartedBackupFinishes,
        is_equivalent: false,
        story: "A backup begins in a namespace that is being removed.",
    },
    Mutant {
        name: "prune.lock_namespace/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::Prune(prune::Step::LockNamespace))],
        ),
        scenario: "deletion_meets_protected_snapshot",
        property: Property::JobSkipsWhatVanished,
        is_equivalent: false,
        story: "A namespace is removed while it is pruned, and the job fails.",
    },
    Mutant {
        name: "verify.lock_namespace/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::Verify(verify::Step::LockNamespace))],
        ),
        scenario: "deletion_meets_verify_and_prune",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "A namespace is removed while it is verified.",
    },
    Mutant {
        name: "move_group.lock_source_namespace/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::MoveGroup(
                move_group::Step::LockSourceNamespace,
            ))],
        ),
        scenario: "deletion_of_source_meets_move",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "The namespace that a group moves out of is removed meanwhile.",
    },
    Mutant {
        name: "move_group.lock_target_namespace/skip",
        number: "-",
        variant: Variant::with(
            Design::NAMESPACE_LOCKS,
            &[Fault::Skip(Step::MoveGroup(
                move_group::Step::LockTargetNamespace,
            ))],
        ),
        scenario: "deletion_of_target_meets_move",
        property: Property::DeletedNamespaceStaysDeleted,
        is_equivalent: false,
        story: "The namespace that a group moves into is removed, and the move creates it again.",
    },
];
