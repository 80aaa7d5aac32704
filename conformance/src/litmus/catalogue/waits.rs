//! Who waits for a `flock`, who gets it next, and what ends a wait.

use super::super::call::Call::{Append, Close, Create, Flock, Os as OsCall, Size, Unlink};
use super::super::call::Os::{FlockOnce, Signal};
use super::super::call::Step::{Do, See};
use super::{
    FLOCKS, ON_TMPFS, QUEUES, SIGNALS, exclusive, open, recheck, shared, start, table, wait_for,
};
use crate::litmus::question::{Asks, Question};
use crate::litmus::{Frequency, Litmus, Model};
use model::{Scope, State, locks};
use specs::lock_class::{Mode, Wait};
use specs::ops::{gc, move_group};
use specs::{Design, Event, Label, LockClass, Outcome, Step};

pub(super) const TESTS: &[Litmus] = &[
    Litmus {
        name: "shared_holders_stand_beside",
        assumes: "Shared locks stand beside each other.",
        relied_on_by: "readers of a snapshot, `verify.lock_snapshot`",
        rounds: &[
            &[(0, &[Do(open("a"))]), (1, &[Do(open("b"))])],
            &[(0, &[See("a", shared("a"))]), (1, &[See("b", shared("b"))])],
        ],
        condition: &[("a", "done"), ("b", "done")],
        expected: Frequency::Always,
        ..ON_TMPFS
    },
    Litmus {
        name: "close_wakes_the_waiter",
        assumes: "Whoever waits gets the lock when the holder closes the file, and not before.",
        relied_on_by: "locks `manifest`, `move_journal`",
        rounds: &[
            &[
                (
                    0,
                    &[Do(open("a")), Do(exclusive("a")), Do(Append("a", 'x', 1))],
                ),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[Do(wait_for("b")), See("size", Size("b"))])],
            &[(0, &[Do(Append("a", 'x', 1)), Do(Close("a"))])],
        ],
        condition: &[("size", "2")],
        expected: Frequency::Always,
        model: Model::Lacks(QUEUES),
        ..ON_TMPFS
    },
    Litmus {
        name: "table_shows_holder_and_waiter",
        assumes: "/proc/locks has a line for the holder and one for the waiter.",
        relied_on_by: "replay: the driver sees in it that a step waits",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(exclusive("a"))]),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[Do(wait_for("b"))])],
            &[(0, &[See("table", table("a")), Do(Close("a"))])],
        ],
        condition: &[("table", "1+1")],
        expected: Frequency::Always,
        model: Model::Lacks(QUEUES),
        ..ON_TMPFS
    },
    Litmus {
        name: "reader_overtakes_waiting_writer",
        assumes: "There is no queue: a shared lock is given although somebody waits for an exclusive one.",
        relied_on_by: "bounded waits: nobody counts on getting a lock in turn",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(shared("a")), Do(open("c"))]),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[Do(wait_for("b"))])],
            &[(0, &[See("c", shared("c")), Do(Close("c")), Do(Close("a"))])],
        ],
        condition: &[("c", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(QUEUES),
        ..ON_TMPFS
    },
    Litmus {
        name: "waiter_overtakes_conversion",
        assumes: "Between the two halves of a conversion somebody else can get the lock.",
        relied_on_by: "the absence of conversions: no step changes the mode of a flock",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(shared("a"))]),
                (1, &[Do(open("b"))]),
            ],
            &[(
                1,
                &[Do(wait_for("b")), Do(Append("b", 'x', 1)), Do(Close("b"))],
            )],
            &[(
                0,
                &[Do(wait_for("a")), See("size", Size("a")), Do(Close("a"))],
            )],
        ],
        condition: &[("size", "1")],
        expected: Frequency::Sometimes,
        model: Model::Lacks(QUEUES),
        ..ON_TMPFS
    },
    Litmus {
        name: "timer_ends_a_wait",
        assumes: "A timer that interrupts flock ends a bounded wait, and nothing is left of it in the queue.",
        relied_on_by: "locks `manifest`, `move_journal`: 5 s and 10 s",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(exclusive("a"))]),
                (1, &[Do(open("b"))]),
            ],
            &[(
                1,
                &[See("b", Flock("b", Mode::Exclusive, Wait::Seconds(0)))],
            )],
            // Here the wait is over: this process has answered.
            &[(1, &[Do(Close("b"))])],
            &[(0, &[Do(Close("a"))])],
            &[(1, &[Do(open("c")), See("c", exclusive("c"))])],
        ],
        condition: &[("b", "timed_out"), ("c", "done")],
        expected: Frequency::Always,
        model: Model::Says(
            Frequency::Always,
            Question {
                scenario: "one_move_meets_gc",
                design: Design::HARDENED,
                faults: &[],
                asks: Asks::Events(timed_out_while_held),
            },
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "ignored_signal_ends_no_wait",
        assumes: "A signal that nobody handles does not end a wait.",
        relied_on_by: FLOCKS,
        rounds: &[
            &[(0, &[Do(open("a")), Do(exclusive("a")), Do(start(1))])],
            &[(
                1,
                &[
                    Do(open("b")),
                    See("b", OsCall(FlockOnce("b", Mode::Exclusive))),
                ],
            )],
            &[(
                0,
                &[
                    Do(OsCall(Signal(1))),
                    Do(OsCall(Signal(1))),
                    See("table", table("a")),
                    Do(Close("a")),
                ],
            )],
        ],
        condition: &[("table", "1+1"), ("b", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(SIGNALS),
        ..ON_TMPFS
    },
    Litmus {
        name: "handled_signal_ends_a_wait",
        assumes: "A signal with a handler that was installed without SA_RESTART ends one flock with EINTR.",
        relied_on_by: "bounded waits, which look at the clock and wait on",
        rounds: &[
            &[(0, &[Do(open("a")), Do(exclusive("a")), Do(start(1))])],
            // A bounded wait installs the handler.
            &[(
                1,
                &[
                    Do(open("b")),
                    See("bounded", Flock("b", Mode::Exclusive, Wait::Seconds(0))),
                ],
            )],
            &[(1, &[See("b", OsCall(FlockOnce("b", Mode::Exclusive)))])],
            &[(0, &[Do(OsCall(Signal(1)))])],
        ],
        condition: &[("b", "interrupted")],
        expected: Frequency::Always,
        model: Model::Lacks(SIGNALS),
        ..ON_TMPFS
    },
    Litmus {
        name: "unlink_while_waiting",
        assumes: "Whoever waits for a lock file that is unlinked gets a lock on an orphan, and only the inodes tell.",
        relied_on_by: "`take_lock.recheck_lock_file`",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(exclusive("a"))]),
                (1, &[Do(open("b"))]),
            ],
            &[(1, &[See("b", wait_for("b")), See("inode", recheck("b"))])],
            &[(
                0,
                &[
                    Do(Unlink("lock")),
                    Do(Create("n", "lock")),
                    See("n", exclusive("n")),
                    Do(Close("a")),
                ],
            )],
        ],
        condition: &[("b", "done"), ("n", "done"), ("inode", "other")],
        expected: Frequency::Always,
        model: Model::Says(
            Frequency::Sometimes,
            Question {
                scenario: "three_takers_meet_remover",
                design: Design::HARDENED,
                faults: &[],
                asks: Asks::Events(recheck_finds_an_orphan),
            },
        ),
        ..ON_TMPFS
    },
];

/// Of the waits for the journal whose time was over: whether somebody else had it.
fn timed_out_while_held(scope: &Scope, event: Event, after: &State) -> Option<bool> {
    let Event::Step {
        actor,
        label,
        outcome: Outcome::TimedOut,
    } = event
    else {
        return None;
    };
    let is_journal = matches!(
        label.step,
        Step::Gc(gc::Step::LockJournal) | Step::MoveGroup(move_group::Step::LockJournal)
    );
    let has_it = |other| {
        let all = locks::possessions(scope, after, other);
        all.iter()
            .any(|it| it.class == LockClass::MoveJournal && it.is_locked)
    };
    is_journal.then(|| scope.actors().any(|other| other != actor && has_it(other)))
}

/// Of the looks whether a lock file is still at its path: whether it was not.
fn recheck_finds_an_orphan(_: &Scope, event: Event, _: &State) -> Option<bool> {
    match event {
        Event::Step {
            label:
                Label {
                    step: Step::TakeLock(specs::ops::take_lock::Step::RecheckLockFile),
                    ..
                },
            outcome,
            ..
        } => Some(outcome == Outcome::Vanished),
        Event::Step { .. }
        | Event::Reached { .. }
        | Event::Killed { .. }
        | Event::Reloaded { .. }
        | Event::FlagSet
        | Event::CutoffPassed => None,
    }
}
