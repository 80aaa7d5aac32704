//! The record lock, which belongs to a process: to all of it, and to no other one.

use super::super::call::Call::{Close, Os as OsCall, Record};
use super::super::call::Os::{CloseInput, FromInput, ToInput};
use super::super::call::Step::{Do, See};
use super::{DESCRIPTORS, ON_TMPFS, exclusive, is_broken, open, start};
use crate::litmus::{Frequency, Litmus, Model};
use specs::design::Change;
use specs::lock_class::Mode::{Exclusive, Shared};
use specs::{Design, Property};

const STORE: &str = "lock `store`";

pub(super) const TESTS: &[Litmus] = &[
    Litmus {
        name: "record_lock_excludes_other_processes",
        assumes: "While a process has the record lock exclusively, no other one gets it.",
        relied_on_by: STORE,
        rounds: &[
            &[(0, &[Do(open("a"))]), (1, &[Do(open("b"))])],
            &[
                (0, &[See("a", Record("a", Some(Exclusive)))]),
                (1, &[See("b", Record("b", Some(Shared)))]),
            ],
        ],
        condition: &[("a", "done"), ("b", "done")],
        model: is_broken(
            Frequency::Never,
            Property::OneExclusiveHolderPerLock,
            "backup_meets_gc_of_another_process",
            Design::HARDENED,
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "record_lock_does_not_exclude_its_process",
        assumes: "Two opens of a file in one process have one record lock.",
        relied_on_by: "lock `store`: its holders are counted in the process, and a datastore is opened once",
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                Do(open("b")),
                Do(Record("a", Some(Exclusive))),
                See("b", Record("b", Some(Exclusive))),
            ],
        )]],
        condition: &[("b", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(DESCRIPTORS),
        ..ON_TMPFS
    },
    Litmus {
        name: "other_close_drops_the_record_lock",
        assumes: "To close any descriptor of a file drops the record lock of the process.",
        relied_on_by: "lock `store`: a process claims its datastore before it opens the file",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(Record("a", Some(Exclusive)))]),
                (1, &[Do(open("c"))]),
            ],
            &[(1, &[See("before", Record("c", Some(Shared)))])],
            &[(0, &[Do(open("b")), Do(Close("b"))])],
            &[(1, &[See("after", Record("c", Some(Shared)))])],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        expected: Frequency::Always,
        model: is_broken(
            Frequency::Sometimes,
            Property::OneExclusiveHolderPerLock,
            "two_processes_collect_beside_backup",
            Design::HARDENED.with(Change::TwoProcessLocks),
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "downgrade_lets_no_writer_in",
        assumes: "An exclusive record lock that becomes shared is never let go in between.",
        relied_on_by: "`gc.unlock_store`, beside a backup of the same process",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(Record("a", Some(Exclusive)))]),
                (1, &[Do(open("b"))]),
            ],
            &[
                (0, &[Do(Record("a", Some(Shared)))]),
                (1, &[See("b", Record("b", Some(Exclusive)))]),
            ],
        ],
        condition: &[("b", "done")],
        model: is_broken(
            Frequency::Never,
            Property::OneExclusiveHolderPerLock,
            "two_processes_collect_beside_backup",
            Design::HARDENED,
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "downgrade_lets_readers_in",
        assumes: "A record lock that became shared stands beside shared ones of other processes.",
        relied_on_by: "`gc.unlock_store`, beside a backup of the same process",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(Record("a", Some(Exclusive)))]),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[See("before", Record("b", Some(Shared)))])],
            &[(0, &[Do(Record("a", Some(Shared)))])],
            &[(1, &[See("after", Record("b", Some(Shared)))])],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(DESCRIPTORS),
        ..ON_TMPFS
    },
    Litmus {
        name: "record_unlock_lets_others_in",
        assumes: "A record lock can be let go without closing the file.",
        relied_on_by: "`gc.unlock_store`, `backup.unlock_store`: the file stays open",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(Record("a", Some(Exclusive)))]),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[See("before", Record("b", Some(Shared)))])],
            &[(0, &[Do(Record("a", None))])],
            &[(1, &[See("after", Record("b", Some(Exclusive)))])],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(DESCRIPTORS),
        ..ON_TMPFS
    },
    Litmus {
        name: "record_lock_is_not_inherited",
        assumes: "A child has none of the record locks of its parent, not even through an inherited descriptor.",
        relied_on_by: "lock `store`, when the daemon reloads",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(OsCall(ToInput("a"))),
                    Do(Record("a", Some(Exclusive))),
                    Do(start(1)),
                ],
            )],
            &[(
                1,
                &[
                    Do(OsCall(FromInput("c"))),
                    See("c", Record("c", Some(Shared))),
                ],
            )],
        ],
        condition: &[("c", "busy")],
        expected: Frequency::Always,
        model: Model::Lacks(DESCRIPTORS),
        ..ON_TMPFS
    },
    Litmus {
        name: "close_of_an_inherited_descriptor_keeps_the_record_lock",
        assumes: "What a child closes does not touch the record lock of its parent.",
        relied_on_by: "lock `store`, in a daemon that starts other programs",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(OsCall(ToInput("a"))),
                    Do(Record("a", Some(Exclusive))),
                    Do(start(1)),
                ],
            )],
            &[(
                1,
                &[
                    Do(OsCall(FromInput("c"))),
                    Do(Close("c")),
                    Do(OsCall(CloseInput)),
                    Do(open("d")),
                    See("d", Record("d", Some(Shared))),
                ],
            )],
        ],
        condition: &[("d", "busy")],
        expected: Frequency::Always,
        model: Model::Lacks(DESCRIPTORS),
        ..ON_TMPFS
    },
    Litmus {
        name: "flock_and_record_lock_are_two_locks",
        assumes: "A flock and a record lock on one file do not exclude each other.",
        relied_on_by: "lock `store`, whose file nobody locks with flock",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(exclusive("a"))]),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[See("b", Record("b", Some(Exclusive)))])],
        ],
        condition: &[("b", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(DESCRIPTORS),
        ..ON_TMPFS
    },
];
