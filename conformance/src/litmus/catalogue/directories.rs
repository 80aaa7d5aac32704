//! Directories that two processes change, and listings beside a rename.

use super::super::call::Call::{Mkdir, Rename, Rmdir};
use super::super::call::Step::{Do, See};
use super::{NAMES, ON_TMPFS, is_broken, list};
use crate::litmus::{Frequency, Litmus, Memory, Model, Start};
use specs::{Design, Property};

pub(super) const TESTS: &[Litmus] = &[
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
        relied_on_by: "`gc`: what moves to a place that is still to be listed needs no line in the journal",
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
        model: is_broken(
            Frequency::Never,
            Property::LiveChunkIsNeverSwept,
            "move_out_of_the_root_meets_gc",
            Design::NoJournal,
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "listing_meets_rename_in_a_crowd",
        assumes: "One listing of a large directory may miss a file that is renamed meanwhile, or show it twice: it is several calls.",
        relied_on_by: "nothing, it is hoped: `gc.list_snapshot`, `gc.list_chunks` beside files that get their names by rename",
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
];
