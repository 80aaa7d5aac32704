//! Directories that two processes change, and listings beside a rename.

use super::super::call::Call::{Create, Mkdir, Rename, Rmdir, Unlink};
use super::super::call::Step::{Do, See};
use super::{NAMES, ON_TMPFS, is_broken, list};
use crate::litmus::{Frequency, Litmus, Memory, Model, Place, Start};
use specs::design::Change;
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
            Start::Crowd("a", 200),
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
            Design::HARDENED.with(Change::NoJournal),
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "two_listings_see_what_moves_on",
        assumes: "Who lists in the direction of the move sees what moves, once or twice.",
        relied_on_by: "`gc`: what moves to a place that is still to be listed needs no line in the journal",
        start: &[
            Start::Directory("a"),
            Start::Crowd("a", 200),
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
            Design::HARDENED.with(Change::NoJournal),
        ),
        ..ON_TMPFS
    },
    Litmus {
        name: "listing_meets_rename_in_a_crowd",
        assumes: "One listing of a large directory may miss a file that is renamed meanwhile: it is several calls, and a new name may stand where it has been already.",
        relied_on_by: "nothing, it is hoped: `gc.list_snapshot`, `gc.list_chunks` beside files that get their names by rename",
        start: &[
            Start::Directory("d"),
            Start::File("d/x"),
            Start::Crowd("d", 250),
        ],
        rounds: &[&[
            (0, &[Do(Rename("d/x", "d/y"))]),
            (1, &[See("listed", list("d", &["x", "y"]))]),
        ]],
        condition: &[("listed", "none")],
        expected: Frequency::Sometimes,
        memory: Memory::Differs(Frequency::Never, "a listing is one call there"),
        model: Model::Lacks(NAMES),
        ..ON_TMPFS
    },
    BYSTANDER,
    Litmus {
        name: "listing_shows_a_bystander_on_ext4",
        assumes: "The same on ext4.",
        place: Place::Ext4,
        ..BYSTANDER
    },
];

const BYSTANDER: Litmus = Litmus {
    name: "listing_shows_a_bystander",
    assumes: "A listing shows what is there from its begin to its end, whatever is renamed, removed and created beside it.",
    relied_on_by: "every listing: `gc.list_snapshots`, `gc.list_index_files`, `verify.list_group`",
    start: &[
        Start::Directory("d"),
        Start::File("d/x"),
        Start::File("d/w"),
        Start::File("d/z"),
        Start::Crowd("d", 250),
    ],
    rounds: &[&[
        (
            0,
            &[
                Do(Rename("d/x", "d/y")),
                Do(Unlink("d/w")),
                Do(Create("n", "d/new")),
            ],
        ),
        (1, &[See("listed", list("d", &["z"]))]),
    ]],
    condition: &[("listed", "z")],
    expected: Frequency::Always,
    model: Model::Lacks(NAMES),
    ..ON_TMPFS
};
