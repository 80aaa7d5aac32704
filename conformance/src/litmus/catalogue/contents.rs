//! What is written to files: appends of several processes, and a tmpfs that is full.

use super::super::call::Call::{
    Append, Close, Create, Letters, Mkdir, Open, Rename, Runs, Size, Truncate, Unlink, Whole,
};
use super::super::call::Step::{Do, See};
use super::{ON_TMPFS, SIZES, exclusive, open};
use crate::litmus::question::{Asks, Question};
use crate::litmus::{Frequency, Litmus, Memory, Model, Place};
use model::{Scope, State};
use specs::ops::move_group;
use specs::{Cut, Design, Event, Label, Outcome, Step};

/// Three pages, so that an append that is not one step has a chance to show it.
const THREE_PAGES: usize = 3 * 4096;

/// Enough pages that the append takes a while.
const LONG: usize = 64 * 4096;

/// Mount options: two pages.
const EIGHT_KIB: Place = Place::Mount("size=8k");

pub(super) const TESTS: &[Litmus] = &[
    TWO_APPENDS,
    Litmus {
        name: "two_appends_on_ext4",
        assumes: "The same on ext4.",
        place: Place::Ext4,
        ..TWO_APPENDS
    },
    Litmus {
        name: "read_meets_append",
        assumes: "Who looks without the lock may see a part of an append.",
        relied_on_by: "lock `move_journal`, taken by whoever drains",
        rounds: &[
            &[(0, &[Do(open("a"))]), (1, &[Do(open("b"))])],
            &[
                (
                    0,
                    &[
                        Do(Append("a", 'x', LONG)),
                        Do(Append("a", 'x', LONG)),
                        Do(Append("a", 'x', LONG)),
                    ],
                ),
                (1, &[See("size", Whole("b", LONG as u64))]),
            ],
        ],
        condition: &[("size", "part")],
        expected: Frequency::Sometimes,
        memory: Memory::Differs(Frequency::Never, "an append is one call there"),
        model: Model::Lacks(SIZES),
        ..ON_TMPFS
    },
    Litmus {
        name: "append_on_a_full_tmpfs_is_short",
        assumes: "An append that does not fit writes what fits and says how much; the next one fails with ENOSPC.",
        relied_on_by: "`move_group.append_journal`",
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                Do(Append("a", 'x', 6000)),
                See("second", Append("a", 'y', 6000)),
                See("third", Append("a", 'z', 6000)),
                See("size", Size("a")),
                See("letters", Letters("a")),
            ],
        )]],
        condition: &[
            ("second", "short"),
            ("third", "full"),
            ("size", "8192"),
            ("letters", "xy"),
        ],
        expected: Frequency::Always,
        model: Model::Says(
            Frequency::Sometimes,
            Question {
                scenario: "torn_move_is_repeated_and_meets_gc",
                design: Design::HARDENED,
                faults: &[],
                asks: Asks::Events(append_is_short),
            },
        ),
        ..FULL
    },
    Litmus {
        name: "full_tmpfs_still_locks",
        assumes: "On a full tmpfs an empty lock file can be created and locked, and a directory made.",
        relied_on_by: "`take_lock.open_lock_file`: only the journal needs room",
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                See("fill", Append("a", 'x', 10_000)),
                See("create", Create("b", "new")),
                See("flock", exclusive("b")),
                See("mkdir", Mkdir("namespace")),
            ],
        )]],
        condition: &[
            ("fill", "short"),
            ("create", "done"),
            ("flock", "done"),
            ("mkdir", "done"),
        ],
        expected: Frequency::Always,
        ..FULL
    },
    Litmus {
        name: "no_inode_left",
        assumes: "Where the tmpfs has no inode left, no lock file can be created; those that are there can be locked and renamed.",
        relied_on_by: "`take_lock.open_lock_file`: it fails, and nothing is half done",
        place: Place::Mount("nr_inodes=2"),
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                See("create", Create("b", "new")),
                See("flock", exclusive("a")),
                See("rename", Rename("lock", "new")),
            ],
        )]],
        condition: &[("create", "full"), ("flock", "done"), ("rename", "done")],
        expected: Frequency::Always,
        ..FULL
    },
    Litmus {
        name: "truncate_makes_room",
        assumes: "On a full tmpfs a file can be truncated, which makes room at once.",
        relied_on_by: "`gc.truncate_journal`",
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                See("fill", Append("a", 'x', 10_000)),
                Do(Truncate("a")),
                See("again", Append("a", 'x', 8192)),
            ],
        )]],
        condition: &[("fill", "short"), ("again", "done")],
        expected: Frequency::Always,
        ..FULL
    },
    Litmus {
        name: "unlinked_file_takes_room_while_it_is_open",
        assumes: "The room of an unlinked file is free only when nobody has it open any more.",
        relied_on_by: "whoever frees space on a tmpfs that is full",
        rounds: &[&[(
            0,
            &[
                Do(open("a")),
                Do(Append("a", 'x', 8192)),
                Do(Unlink("lock")),
                Do(Create("b", "new")),
                See("while", Append("b", 'x', 4096)),
                Do(Close("a")),
                See("after", Append("b", 'x', 4096)),
            ],
        )]],
        condition: &[("while", "full"), ("after", "done")],
        expected: Frequency::Always,
        ..FULL
    },
];

const TWO_APPENDS: Litmus = Litmus {
    name: "two_appends",
    assumes: "With O_APPEND, two processes that append at once lose nothing, and neither gets into a write of the other one.",
    relied_on_by: "nothing: the journal is appended to under its lock",
    rounds: &[
        &[(0, &[Do(open("a"))]), (1, &[Do(open("b"))])],
        &[
            (
                0,
                &[
                    Do(Append("a", 'a', THREE_PAGES)),
                    Do(Append("a", 'a', THREE_PAGES)),
                ],
            ),
            (
                1,
                &[
                    Do(Append("b", 'b', THREE_PAGES)),
                    Do(Append("b", 'b', THREE_PAGES)),
                ],
            ),
        ],
        &[(
            0,
            &[
                Do(Open("c", "lock")),
                See("letters", Letters("c")),
                See("runs", Runs("c", THREE_PAGES)),
                See("size", Size("c")),
            ],
        )],
    ],
    condition: &[("runs", "whole"), ("size", "49152")],
    expected: Frequency::Always,
    model: Model::Lacks(SIZES),
    ..ON_TMPFS
};

const FULL: Litmus = Litmus {
    place: EIGHT_KIB,
    model: Model::Lacks(SIZES),
    ..ON_TMPFS
};

/// Of the appends to the journal that fail because the tmpfs is full: whether a part was written.
fn append_is_short(_: &Scope, event: Event, _: &State) -> Option<bool> {
    match event {
        Event::Step {
            label:
                Label {
                    step: Step::MoveGroup(move_group::Step::AppendJournal),
                    ..
                },
            outcome: Outcome::NoSpace(cut),
            ..
        } => Some(cut != Cut::Nothing),
        Event::Step { .. }
        | Event::Reached { .. }
        | Event::Killed { .. }
        | Event::Reloaded { .. }
        | Event::FlagSet
        | Event::CutoffPassed => None,
    }
}
