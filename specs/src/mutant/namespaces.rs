//! Mutants of the locks of namespaces, of the removal of a namespace and of the change of an owner.

use super::{Fault, Mutant, Variant};
use crate::design::{Change, Design};
use crate::ops::{delete_namespace, set_owner, take_namespace_lock};
use crate::property::Property;
use crate::step::Step;

/// The mutants.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "history/namespace_exclusive_alone",
        number: "M52",
        variant: Variant::of(Design::NAMESPACE_LOCKS.with(Change::NamespaceExclusiveAlone)),
        scenario: "takers_of_nested_namespaces",
        property: Property::ExclusiveNamespaceIsAlone,
        is_equivalent: false,
        story: "A namespace is locked exclusively, and the one above it as well: neither knows of the other.",
    },
    Mutant {
        name: "history/namespace_shared_alone",
        number: "M52",
        variant: Variant::of(Design::NAMESPACE_LOCKS.with(Change::NamespaceSharedAlone)),
        scenario: "takers_of_nested_namespaces",
        property: Property::ExclusiveNamespaceIsAlone,
        is_equivalent: false,
        story: "Somebody works in a namespace while the one above it is moved or removed.",
    },
    Mutant {
        name: "take_namespace_lock.lock_shared/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::TakeNamespaceLock(
            take_namespace_lock::Step::LockShared,
        ))]),
        scenario: "takers_of_nested_namespaces",
        property: Property::ExclusiveNamespaceIsAlone,
        is_equivalent: false,
        story: "A shared lock that is none keeps nobody out.",
    },
    Mutant {
        name: "history/namespace_ancestors_first",
        number: "M53",
        variant: Variant::of(
            Design::NAMESPACE_LOCKS
                .with(Change::NamespaceAncestorsFirst)
                .with(Change::NamespaceLocksBlock),
        ),
        scenario: "two_pairs_of_namespaces_cross",
        property: Property::NoOperationWaitsForever,
        is_equivalent: false,
        story: "Two operations that lock two namespaces each wait for each other.",
    },
    Mutant {
        name: "history/namespace_locks_block",
        number: "M53",
        variant: Variant::of(Design::NAMESPACE_LOCKS.with(Change::NamespaceLocksBlock)),
        scenario: "two_pairs_of_namespaces_cross",
        property: Property::NoOperationWaitsForever,
        is_equivalent: false,
        story: "The same with the own lock before those above it: it is the waiting, and not the order, that makes the deadlock.",
    },
    Mutant {
        name: "namespace_locks",
        number: "M54",
        variant: Variant::of(Design::NAMESPACE_LOCKS),
        scenario: "one_move_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        is_equivalent: false,
        story: "Garbage collection takes no lock of a namespace, so that a group moves past it as before.",
    },
    Mutant {
        name: "upstream/removed_namespace_returns",
        number: "-",
        variant: Variant::of(Design::UPSTREAM),
        scenario: "first_backup_below_meets_deletion",
        property: Property::DeletedNamespaceStaysDeleted,
        is_equivalent: false,
        story: "A backup has seen the namespace; it is removed; the backup creates the directories of its group with all those above.",
    },
    Mutant {
        name: "upstream/removed_namespace_stops_gc",
        number: "W2",
        variant: Variant::of(Design::UPSTREAM),
        scenario: "deletion_of_empty_namespaces_meets_gc",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
        is_equivalent: false,
        story: "A namespace was listed, and is gone when its groups are.",
    },
    Mutant {
        name: "delete_namespace.lock_group/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::DeleteNamespace(
            delete_namespace::Step::LockGroup,
        ))]),
        scenario: "backup_below_meets_deletion",
        property: Property::OneExclusiveHolderPerLock,
        is_equivalent: false,
        story: "A group is removed while a backup to it runs.",
    },
    Mutant {
        name: "upstream/moved_group_brings_namespace_back",
        number: "-",
        variant: Variant::of(Design::UPSTREAM),
        scenario: "deletion_of_target_meets_move",
        property: Property::DeletedNamespaceStaysDeleted,
        is_equivalent: false,
        story: "A move has seen its target namespace; it is removed; the move creates it again.",
    },
    Mutant {
        name: "history/owner_not_rechecked",
        number: "M39",
        variant: Variant::of(Design::HARDENED.with(Change::OwnerNotRechecked)),
        scenario: "two_owner_changes",
        property: Property::OwnerIsChangedFromWhatWasChecked,
        is_equivalent: false,
        story: "Both users read the same owner; the second one overwrites the first, though it was no longer allowed to.",
    },
    Mutant {
        name: "set_owner.lock_group/skip",
        number: "-",
        variant: Variant::faulty(&[Fault::Skip(Step::SetOwner(set_owner::Step::LockGroup))]),
        scenario: "two_owner_changes",
        property: Property::OwnerIsChangedFromWhatWasChecked,
        is_equivalent: false,
        story: "Both read the owner again, and then both write.",
    },
    Mutant {
        name: "upstream/owner_written_in_place",
        number: "M56",
        variant: Variant::of(Design::UPSTREAM),
        scenario: "killed_owner_change_meets_backup",
        property: Property::OwnerFileIsWhole,
        is_equivalent: false,
        story: "The owner file is emptied and then written; whoever reads it in between finds no owner, and after a crash nobody does.",
    },
];
