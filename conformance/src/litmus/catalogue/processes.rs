//! What becomes of locks when a process is killed.

use super::super::call::Call::{Os as OsCall, Record};
use super::super::call::Os::{Kill, Reap};
use super::super::call::Step::{Do, See};
use super::{FLOCKS, ON_TMPFS, QUEUES, exclusive, open, start, table, wait_for};
use crate::litmus::question::{Asks, Question};
use crate::litmus::{Frequency, Litmus, Model};
use model::{Scope, State, locks};
use specs::lock_class::Mode;
use specs::{Design, Event};

pub(super) const TESTS: &[Litmus] = &[
    Litmus {
        name: "killed_holder_is_gone_once_waited_for",
        assumes: "A process that was killed and waited for has no flock any more.",
        relied_on_by: FLOCKS,
        rounds: &[
            &[(0, &[Do(open("a")), Do(start(1))])],
            &[(1, &[Do(open("b")), Do(exclusive("b"))])],
            &[(
                0,
                &[
                    See("before", exclusive("a")),
                    Do(OsCall(Kill(1))),
                    Do(OsCall(Reap(1))),
                    See("after", exclusive("a")),
                ],
            )],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        ..KILLED
    },
    Litmus {
        name: "killed_holder_may_be_there_until_waited_for",
        assumes: "When kill returns, the locks of the killed process may still be held.",
        relied_on_by: "kill runs of the replay: they wait for the end of the process",
        rounds: &[
            &[(0, &[Do(open("a")), Do(start(1))])],
            &[(1, &[Do(open("b")), Do(exclusive("b"))])],
            &[(0, &[Do(OsCall(Kill(1))), See("a", exclusive("a"))])],
        ],
        condition: &[("a", "busy")],
        expected: Frequency::Sometimes,
        model: Model::Lacks("a kill is one event"),
        ..KILLED
    },
    Litmus {
        name: "killed_waiter_leaves_the_queue",
        assumes: "A process that was killed while it waited for a lock does not wait any more, and never gets it.",
        relied_on_by: "locks `manifest`, `move_journal`",
        rounds: &[
            &[(0, &[Do(open("a")), Do(exclusive("a")), Do(start(1))])],
            &[(1, &[Do(open("b")), Do(wait_for("b"))])],
            &[(
                0,
                &[
                    See("before", table("a")),
                    Do(OsCall(Kill(1))),
                    Do(OsCall(Reap(1))),
                    See("after", table("a")),
                ],
            )],
        ],
        condition: &[("before", "1+1"), ("after", "1+0")],
        model: Model::Lacks(QUEUES),
        ..KILLED
    },
    Litmus {
        name: "killed_process_drops_its_record_lock",
        assumes: "A process that was killed and waited for has no record lock any more.",
        relied_on_by: "lock `store`",
        rounds: &[
            &[(0, &[Do(open("a")), Do(start(1))])],
            &[(1, &[Do(open("b")), Do(Record("b", Some(Mode::Exclusive)))])],
            &[(
                0,
                &[
                    See("before", Record("a", Some(Mode::Exclusive))),
                    Do(OsCall(Kill(1))),
                    Do(OsCall(Reap(1))),
                    See("after", Record("a", Some(Mode::Exclusive))),
                ],
            )],
        ],
        condition: &[("before", "busy"), ("after", "done")],
        ..KILLED
    },
];

const KILLED: Litmus = Litmus {
    expected: Frequency::Always,
    model: Model::Says(
        Frequency::Always,
        Question {
            scenario: "one_move_meets_gc_with_kills",
            design: Design::HARDENED,
            faults: &[],
            asks: Asks::Events(killed_holds_nothing),
        },
    ),
    ..ON_TMPFS
};

/// Of the kills: whether the process holds nothing afterwards.
fn killed_holds_nothing(scope: &Scope, event: Event, after: &State) -> Option<bool> {
    let Event::Killed { process } = event else {
        return None;
    };
    let mut killed = scope
        .actors()
        .filter(|actor| scope.process_of(*actor) == process);
    Some(killed.all(|actor| locks::possessions(scope, after, actor).is_empty()))
}
