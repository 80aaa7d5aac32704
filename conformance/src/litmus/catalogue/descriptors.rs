//! Whom a `flock` belongs to: the open file description, whoever has a descriptor of it.

use super::super::call::Call::{Close, Create, Os as OsCall};
use super::super::call::Os::{CloseInput, Dup, FromInput, Leak, ToInput, Unlock};
use super::super::call::Step::{Do, See};
use super::{DESCRIPTORS, FLOCKS, ON_TMPFS, exclusive, is_broken, open, shared, start};
use crate::litmus::{Frequency, Litmus, Model, Place, Start};
use specs::{Design, Property};

pub(super) const TESTS: &[Litmus] = &[
    Litmus {
        name: "two_opens_in_one_process",
        assumes: "Two opens of a file in one process exclude each other.",
        relied_on_by: FLOCKS,
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                Do(open("b")),
                Do(exclusive("a")),
                See("b", exclusive("b")),
            ],
        )]],
        condition: &[("b", "done")],
        model: is_broken(
            Frequency::Never,
            Property::OneExclusiveHolderPerLock,
            "one_process_moves_and_collects",
            Design::HARDENED,
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "two_processes",
        assumes: "Two processes that lock a file at once do not both get it.",
        relied_on_by: FLOCKS,
        rounds: &[
            &[(0, &[Do(open("a"))]), (1, &[Do(open("b"))])],
            &[
                (0, &[See("a", exclusive("a"))]),
                (1, &[See("b", exclusive("b"))]),
            ],
        ],
        condition: &[("a", "done"), ("b", "done")],
        model: is_broken(
            Frequency::Never,
            Property::OneExclusiveHolderPerLock,
            "two_backups_of_one_group",
            Design::HARDENED,
        ),
        ..ON_TMPFS
    },
    TWO_PROCESSES_CREATE,
    Litmus {
        name: "two_processes_on_ext4",
        place: Place::Ext4,
        assumes: "The same on ext4: a lock directory may lie there if its user says so.",
        relied_on_by: "lock directories that are no tmpfs",
        ..TWO_PROCESSES_CREATE
    },
    Litmus {
        name: "duplicate_keeps_the_lock",
        assumes: "A duplicated descriptor has the same lock: to close one of them lets nothing go.",
        relied_on_by: FLOCKS,
        rounds: &[
            &[
                (
                    0,
                    &[
                        Do(open("a")),
                        Do(OsCall(Dup("b", "a"))),
                        Do(exclusive("a")),
                        Do(exclusive("b")),
                        Do(Close("a")),
                    ],
                ),
                (1, &[Do(open("c"))]),
            ],
            &[(1, &[See("before", exclusive("c"))])],
            &[(0, &[Do(Close("b"))])],
            &[(1, &[See("after", exclusive("c"))])],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "inherited_descriptor_keeps_the_lock",
        assumes: "A child that inherits a descriptor keeps the lock when its parent closes the file.",
        relied_on_by: "close-on-exec of every open",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(exclusive("a")),
                    Do(OsCall(ToInput("a"))),
                    Do(start(1)),
                    Do(OsCall(CloseInput)),
                    Do(Close("a")),
                ],
            )],
            &[(0, &[Do(open("b")), See("parent", exclusive("b"))])],
            &[(
                1,
                &[Do(OsCall(FromInput("c"))), See("child", exclusive("c"))],
            )],
        ],
        condition: &[("parent", "busy"), ("child", "done")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "close_on_exec_keeps_no_lock",
        assumes: "A child does not get the descriptors that are close-on-exec, so a lock goes when its holder closes the file.",
        relied_on_by: "every open, in a daemon that starts other programs",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(exclusive("a")),
                    Do(start(1)),
                    Do(Close("a")),
                ],
            )],
            &[(1, &[Do(open("b")), See("b", exclusive("b"))])],
        ],
        condition: &[("b", "done")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "leaked_descriptor_keeps_the_lock",
        assumes: "Without close-on-exec a child that knows nothing of the lock keeps it.",
        relied_on_by: "close-on-exec of every open",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(exclusive("a")),
                    Do(OsCall(Leak("a"))),
                    Do(start(1)),
                    Do(Close("a")),
                ],
            )],
            &[(0, &[Do(open("b")), See("b", exclusive("b"))])],
        ],
        condition: &[("b", "busy")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "unlock_by_a_child_ends_the_lock_of_its_parent",
        assumes: "A child that inherits a descriptor and unlocks it takes the lock from its parent, which goes on as if it had it.",
        relied_on_by: "the absence of unlocks: every lock is let go by closing its file; close-on-exec of every open",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(exclusive("a")),
                    Do(OsCall(ToInput("a"))),
                    Do(start(1)),
                    Do(OsCall(CloseInput)),
                ],
            )],
            &[(0, &[Do(open("b")), See("before", exclusive("b"))])],
            &[(1, &[Do(OsCall(FromInput("c"))), Do(OsCall(Unlock("c")))])],
            &[(0, &[See("after", exclusive("b"))])],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "other_close_keeps_the_flock",
        assumes: "To close another open of the file does not let a flock go.",
        relied_on_by: FLOCKS,
        rounds: &[
            &[
                (
                    0,
                    &[
                        Do(open("a")),
                        Do(exclusive("a")),
                        Do(open("b")),
                        Do(Close("b")),
                    ],
                ),
                (1, &[Do(open("c"))]),
            ],
            &[(1, &[See("c", exclusive("c"))])],
        ],
        condition: &[("c", "busy")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "conversion_loses_the_shared_lock",
        assumes: "A shared lock that cannot become exclusive is lost: conversion drops it, then takes.",
        relied_on_by: "the absence of conversions: no step changes the mode of a flock",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(shared("a"))]),
                (1, &[Do(open("b")), Do(shared("b"))]),
            ],
            &[(0, &[See("converts", exclusive("a"))])],
            &[(
                1,
                &[Do(Close("b")), Do(open("c")), See("c", exclusive("c"))],
            )],
        ],
        condition: &[("converts", "busy"), ("c", "done")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "two_conversions_race",
        assumes: "Of two shared holders who convert at once, one gets the exclusive lock, and the other one ends with no lock at all.",
        relied_on_by: "the absence of conversions: no step changes the mode of a flock",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(shared("a"))]),
                (1, &[Do(open("b")), Do(shared("b"))]),
            ],
            &[
                (0, &[See("a", exclusive("a"))]),
                (1, &[See("b", exclusive("b"))]),
            ],
        ],
        condition: &[("a", "done"), ("b", "done")],
        ..ON_TMPFS
    },
];

/// Nobody has the file yet.
const TWO_PROCESSES_CREATE: Litmus = Litmus {
    name: "two_processes_create",
    assumes: "Of two who create a file under one name, one does; the other one opens the same file.",
    relied_on_by: "`take_lock.open_lock_file`",
    start: &[Start::Directory("d")],
    rounds: &[&[
        (0, &[See("a", Create("a", "lock"))]),
        (1, &[See("b", Create("b", "lock"))]),
    ]],
    condition: &[("a", "done"), ("b", "done")],
    model: Model::Lacks(DESCRIPTORS),
    ..ON_TMPFS
};
