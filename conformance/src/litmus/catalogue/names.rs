//! Names of files: unlink and rename, beside locks and beside each other.

use super::super::call::Call::{
    Append, Close, Create, Letters, Open, Recheck, Rename, RenameNoReplace, Unlink,
};
use super::super::call::Step::{Do, See};
use super::{NAMES, ON_TMPFS, exclusive, is_broken, open, recheck};
use crate::litmus::question::{Asks, Question};
use crate::litmus::{Frequency, Litmus, Model, Place, Start};
use specs::mutant::Fault;
use specs::ops::take_lock;
use specs::{Design, Property, Step};

pub(super) const TESTS: &[Litmus] = &[
    Litmus {
        name: "taker_meets_remover",
        assumes: "Of a holder who unlinks the file and takes the lock anew, and somebody who takes it meanwhile, one at most has a lock whose file is at the path.",
        relied_on_by: "`take_lock.recheck_lock_file`, `take_lock.unlink_lock_file`",
        rounds: &[
            &[(0, &[Do(open("a")), Do(exclusive("a"))])],
            &[
                (
                    0,
                    &[
                        Do(Unlink("lock")),
                        Do(Close("a")),
                        Do(Create("n", "lock")),
                        See("n", exclusive("n")),
                        See("n_at", recheck("n")),
                    ],
                ),
                (
                    1,
                    &[
                        See("opens", open("b")),
                        See("b", exclusive("b")),
                        See("b_at", recheck("b")),
                    ],
                ),
            ],
        ],
        condition: &[
            ("n", "done"),
            ("n_at", "same"),
            ("b", "done"),
            ("b_at", "same"),
        ],
        model: is_broken(
            Frequency::Never,
            Property::OneExclusiveHolderPerLock,
            "three_takers_meet_remover",
            Design::HARDENED,
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "taker_without_a_look_meets_remover",
        assumes: "Who takes no look at the path may hold a lock beside another holder.",
        relied_on_by: "`take_lock.recheck_lock_file`",
        rounds: &[
            &[
                (0, &[Do(open("a")), Do(exclusive("a"))]),
                (1, &[Do(open("b"))]),
            ],
            &[
                (
                    0,
                    &[
                        Do(Unlink("lock")),
                        Do(Close("a")),
                        Do(Create("n", "lock")),
                        See("n", exclusive("n")),
                    ],
                ),
                (1, &[See("b", exclusive("b"))]),
            ],
        ],
        condition: &[("n", "done"), ("b", "done")],
        expected: Frequency::Sometimes,
        model: Model::Says(
            Frequency::Sometimes,
            Question {
                scenario: "three_takers_meet_remover",
                design: Design::HARDENED,
                faults: &[Fault::Skip(Step::TakeLock(
                    take_lock::Step::RecheckLockFile,
                ))],
                asks: Asks::Broken(Property::OneExclusiveHolderPerLock),
            },
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "unlinked_file_keeps_its_lock",
        assumes: "An unlinked file stays as it is for whoever has it open: fstat, content and lock; a new file at the path is another one.",
        relied_on_by: "`take_lock.unlink_lock_file`: the file is unlinked while it is held",
        rounds: &[
            &[(
                0,
                &[
                    Do(open("a")),
                    Do(exclusive("a")),
                    Do(Unlink("lock")),
                    See("gone", recheck("a")),
                    Do(Append("a", 'x', 1)),
                ],
            )],
            &[(
                1,
                &[
                    Do(Create("b", "lock")),
                    See("b", exclusive("b")),
                    See("new", Letters("b")),
                ],
            )],
            &[(0, &[See("other", recheck("a")), See("old", Letters("a"))])],
        ],
        condition: &[
            ("gone", "gone"),
            ("b", "done"),
            ("new", "empty"),
            ("other", "other"),
            ("old", "x"),
        ],
        expected: Frequency::Always,
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    Litmus {
        name: "rename_over_an_open_lock_file",
        assumes: "A rename over a lock file leaves its holder with the old one, and whoever opens the path locks the new one.",
        relied_on_by: "the absence of such renames: lock files are put in place with RENAME_NOREPLACE",
        start: &[Start::File("lock"), Start::File("other")],
        rounds: &[
            &[(0, &[Do(open("a")), Do(exclusive("a"))])],
            &[(
                1,
                &[
                    Do(Rename("other", "lock")),
                    Do(open("b")),
                    See("b", exclusive("b")),
                ],
            )],
            &[(0, &[See("at", recheck("a"))])],
        ],
        condition: &[("b", "done"), ("at", "other")],
        expected: Frequency::Always,
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    Litmus {
        name: "rename_keeps_the_lock",
        assumes: "A lock is on the file, not on its name: it goes with a rename.",
        relied_on_by: "`take_lock.open_lock_file`: a lock file exists before it has its name",
        rounds: &[
            &[(0, &[Do(open("a")), Do(exclusive("a"))])],
            &[(
                1,
                &[
                    Do(Rename("lock", "elsewhere")),
                    Do(Open("b", "elsewhere")),
                    See("b", exclusive("b")),
                ],
            )],
            &[(0, &[See("at", Recheck("a", "elsewhere"))])],
        ],
        condition: &[("b", "busy"), ("at", "same")],
        expected: Frequency::Always,
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    NOREPLACE,
    Litmus {
        name: "two_renames_without_replacing_on_ext4",
        assumes: "The same on ext4.",
        place: Place::Ext4,
        ..NOREPLACE
    },
    Litmus {
        name: "loser_of_a_rename_opens_the_winner",
        assumes: "Whoever finds a lock file at the path, after losing the race for its name, opens the file of the winner.",
        relied_on_by: "`take_lock.open_lock_file`",
        start: &[],
        rounds: &[
            &[
                (0, &[Do(Create("a", "temporary0"))]),
                (1, &[Do(Create("b", "temporary1"))]),
            ],
            &[
                (0, &[See("first", RenameNoReplace("temporary0", "lock"))]),
                (
                    1,
                    &[
                        See("second", RenameNoReplace("temporary1", "lock")),
                        See("opens", open("c")),
                    ],
                ),
            ],
        ],
        condition: &[("opens", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    Litmus {
        name: "replaced_file_is_never_missing",
        assumes: "A file that is replaced by a rename can be opened at any moment.",
        relied_on_by: "`set_notes.write_manifest`, `backup.update_manifest`: a manifest is replaced while readers open it",
        start: &[
            Start::File("manifest"),
            Start::File("one"),
            Start::File("two"),
        ],
        rounds: &[&[
            (
                0,
                &[Do(Rename("one", "manifest")), Do(Rename("two", "manifest"))],
            ),
            (
                1,
                &[
                    See("first", Open("a", "manifest")),
                    See("second", Open("b", "manifest")),
                ],
            ),
        ]],
        condition: &[("first", "done"), ("second", "done")],
        expected: Frequency::Always,
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
];

const NOREPLACE: Litmus = Litmus {
    name: "two_renames_without_replacing",
    assumes: "Of two who rename to one name with RENAME_NOREPLACE, one succeeds.",
    relied_on_by: "`take_lock.open_lock_file`",
    start: &[Start::File("temporary0"), Start::File("temporary1")],
    rounds: &[&[
        (0, &[See("a", RenameNoReplace("temporary0", "lock"))]),
        (1, &[See("b", RenameNoReplace("temporary1", "lock"))]),
    ]],
    condition: &[("a", "done"), ("b", "done")],
    model: Model::Lacks(NAMES),
    ..ON_TMPFS
};
