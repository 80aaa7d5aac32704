//! Names: rename, unlink, directories, and what an inode number is worth.

use super::super::call::Call::{
    Append, Churn, Close, Create, Letters, Look, Mkdir, Open, Recheck, Rename, RenameNoReplace,
    Rmdir, Unlink,
};
use super::super::call::Step::{Do, See};
use super::{FLOCKS, NAMES, NUMBERS, ON_TMPFS, exclusive, is_broken, list, open, recheck};
use crate::litmus::question::{Asks, Question};
use crate::litmus::{Frequency, Litmus, Memory, Model, Place, Start};
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
            Design::Hardened,
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
                design: Design::Hardened,
                fault: Some(Fault::Skip(Step::TakeLock(
                    take_lock::Step::RecheckLockFile,
                ))),
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
        memory: Memory::Lacks("a tmpfs"),
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
        relied_on_by: "`set_notes`, `backup.finish`: a manifest is replaced while readers open it",
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
    Litmus {
        name: "two_mkdirs",
        assumes: "Of two who make a directory, one does and the other one is told that it is there.",
        relied_on_by: "backups that create a snapshot, lock directories of namespaces",
        start: &[],
        rounds: &[&[(0, &[See("a", Mkdir("d"))]), (1, &[See("b", Mkdir("d"))])]],
        condition: &[("a", "done"), ("b", "done")],
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    Litmus {
        name: "rmdir_meets_create",
        assumes: "A directory is removed only while it is empty: never together with what is created in it.",
        relied_on_by: "empty groups that `forget_snapshot` and `move_group` remove",
        start: &[Start::Directory("group")],
        rounds: &[&[
            (0, &[See("rmdir", Rmdir("group"))]),
            (1, &[See("mkdir", Mkdir("group/snapshot"))]),
        ]],
        condition: &[("rmdir", "done"), ("mkdir", "done")],
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    Litmus {
        name: "two_listings_miss_what_moves_back",
        assumes: "Who lists one directory and then the other misses what moves from the second one to the first.",
        relied_on_by: "the move journal: it tells a mark phase what its listings missed",
        start: &[
            Start::Directory("a"),
            Start::Directory("b"),
            Start::File("b/x"),
        ],
        rounds: &[&[
            (0, &[Do(Rename("b/x", "a/x"))]),
            (
                1,
                &[See("a", list("a", &["x"])), See("b", list("b", &["x"]))],
            ),
        ]],
        condition: &[("a", "none"), ("b", "none")],
        expected: Frequency::Sometimes,
        model: is_broken(
            Frequency::Sometimes,
            Property::LiveChunkIsNeverSwept,
            "one_move_meets_gc",
            Design::NoJournal,
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "two_listings_see_what_moves_on",
        assumes: "Who lists in the direction of the move sees what moves, once or twice.",
        relied_on_by: "the order of the listings of `gc` where the protocol fixes it",
        start: &[
            Start::Directory("a"),
            Start::Directory("b"),
            Start::File("a/x"),
        ],
        rounds: &[&[
            (0, &[Do(Rename("a/x", "b/x"))]),
            (
                1,
                &[See("a", list("a", &["x"])), See("b", list("b", &["x"]))],
            ),
        ]],
        condition: &[("a", "none"), ("b", "none")],
        ..ON_TMPFS
    },
    Litmus {
        name: "listing_meets_rename_in_a_crowd",
        assumes: "One listing of a large directory may miss a file that is renamed meanwhile, or show it twice: it is several calls.",
        relied_on_by: "`gc`: a listing that misses an entry is the reason for the second listing",
        start: &[Start::Crowd("d", 2000), Start::File("d/x")],
        rounds: &[&[
            (
                0,
                &[
                    Do(Rename("d/x", "d/y")),
                    Do(Rename("d/y", "d/x")),
                    Do(Rename("d/x", "d/y")),
                ],
            ),
            (1, &[See("listed", list("d", &["x", "y"]))]),
        ]],
        condition: &[("listed", "none")],
        expected: Frequency::Sometimes,
        memory: Memory::Differs(Frequency::Never, "a listing is one call there"),
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    Litmus {
        name: "inode_numbers_on_tmpfs",
        assumes: "A tmpfs does not give an inode number twice.",
        relied_on_by: "nothing: the open file of a taker pins its number anyway",
        start: &[],
        rounds: &[&[(0, &[See("number", Churn("lock", 200, None))])]],
        condition: &[("number", "twice")],
        model: Model::Lacks(NUMBERS),
        ..ON_TMPFS
    },
    Litmus {
        name: "inode_numbers_on_ext4",
        assumes: "ext4 gives the number of a removed file to the next one.",
        relied_on_by: "`take_lock.recheck_lock_file`: a number that was noted before says nothing later",
        place: Place::Ext4,
        start: &[],
        rounds: &[&[(0, &[See("number", Churn("lock", 20, None))])]],
        condition: &[("number", "twice")],
        expected: Frequency::Always,
        memory: Memory::Lacks("a tmpfs"),
        model: Model::Lacks(NUMBERS),
        ..ON_TMPFS
    },
    Litmus {
        name: "open_file_keeps_its_number",
        assumes: "The number of a file that is open is given to no other one, even after it was unlinked.",
        relied_on_by: "`take_lock.recheck_lock_file`: it compares numbers while the file is open",
        ..OPEN_FILE_KEEPS_ITS_NUMBER
    },
    Litmus {
        name: "open_file_keeps_its_number_on_ext4",
        assumes: "The same on ext4, which uses numbers again.",
        place: Place::Ext4,
        memory: Memory::Lacks("a tmpfs"),
        ..OPEN_FILE_KEEPS_ITS_NUMBER
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

const OPEN_FILE_KEEPS_ITS_NUMBER: Litmus = Litmus {
    rounds: &[
        &[(
            0,
            &[Do(open("a")), Do(Unlink("lock")), See("path", Look("lock"))],
        )],
        &[(1, &[See("number", Churn("lock", 200, None))])],
        &[(0, &[See("mine", Churn("lock", 200, Some("a")))])],
    ],
    relied_on_by: FLOCKS,
    condition: &[("mine", "twice")],
    model: Model::Lacks(NUMBERS),
    ..ON_TMPFS
};
