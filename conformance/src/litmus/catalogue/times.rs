//! Access times, by which garbage collection tells used chunks from others.

use super::super::call::Call::{Append, Atime, Letters, Open, OpenToRead, Rename, Touch};
use super::super::call::Step::{Do, See};
use super::super::call::Time::{Future, Past};
use super::ON_TMPFS;
use crate::litmus::{Frequency, Litmus, Model, Place, Start};
use datastore::sys::Access;

pub(super) const TESTS: &[Litmus] = &[
    Litmus {
        name: "mark_sets_atime_on_noatime",
        assumes: "An access time that is set is kept, also where the mount option is noatime.",
        relied_on_by: "`gc.touch_chunk`, and the look at the mount options that is not needed",
        rounds: &[&[(
            0,
            &[
                Do(Touch("chunk", Past)),
                See("past", Atime("chunk")),
                Do(Touch("chunk", Future)),
                See("future", Atime("chunk")),
            ],
        )]],
        condition: &[("past", "past"), ("future", "future")],
        expected: Frequency::Always,
        ..CHUNK
    },
    Litmus {
        name: "rename_keeps_atime",
        assumes: "A rename does not change the access time of a file.",
        relied_on_by: "`gc.sweep_chunk`, `verify.rename_corrupt_chunk`",
        rounds: &[&[(
            0,
            &[
                Do(Touch("chunk", Past)),
                Do(Rename("chunk", "chunk.0.bad")),
                See("atime", Atime("chunk.0.bad")),
            ],
        )]],
        condition: &[("atime", "past")],
        expected: Frequency::Always,
        place: Place::Tmpfs,
        ..CHUNK
    },
    Litmus {
        name: "read_marks_nothing_on_noatime",
        assumes: "With noatime, reading a chunk does not change its access time.",
        relied_on_by: "every use of a chunk is a mark of its own: reading is none",
        rounds: READ,
        condition: &[("atime", "now")],
        ..CHUNK
    },
    Litmus {
        name: "read_marks_on_strictatime",
        assumes: "With strictatime, reading a chunk raises its access time: a chunk may look used that no index names.",
        relied_on_by: "nothing: such a chunk is kept for a day longer",
        place: Place::Mount("strictatime"),
        rounds: READ,
        condition: &[("atime", "now")],
        expected: Frequency::Always,
        ..CHUNK
    },
    Litmus {
        name: "read_marks_an_old_chunk_on_relatime",
        assumes: "With relatime, reading raises an access time that is older than a day or than the last change.",
        relied_on_by: "nothing: such a chunk is kept for a day longer",
        place: Place::Mount("relatime"),
        rounds: READ,
        condition: &[("atime", "now")],
        expected: Frequency::Always,
        ..CHUNK
    },
    Litmus {
        name: "read_marks_no_fresh_chunk_on_relatime",
        assumes: "With relatime, reading does not change an access time that is younger than the last change.",
        relied_on_by: "every use of a chunk is a mark of its own: reading is none",
        place: Place::Mount("relatime"),
        rounds: &[&[(
            0,
            &[
                Do(Open("w", "chunk")),
                Do(Append("w", 'x', 1)),
                Do(Touch("chunk", Future)),
                Do(OpenToRead("a", "chunk", Access::Read)),
                See("read", Letters("a")),
                See("atime", Atime("chunk")),
            ],
        )]],
        condition: &[("atime", "now")],
        ..CHUNK
    },
    Litmus {
        name: "read_without_atime_marks_nothing",
        assumes: "A read through O_NOATIME does not change the access time, not even with strictatime.",
        relied_on_by: "`verify`: it reads every chunk and must keep none alive",
        place: Place::Mount("strictatime"),
        rounds: &[&[(
            0,
            &[
                Do(Open("w", "chunk")),
                Do(Append("w", 'x', 1)),
                Do(Touch("chunk", Past)),
                Do(OpenToRead("a", "chunk", Access::ReadNoAtime)),
                See("read", Letters("a")),
                See("atime", Atime("chunk")),
            ],
        )]],
        condition: &[("atime", "now")],
        ..CHUNK
    },
];

const READ: &[&[crate::litmus::Part]] = &[&[(
    0,
    &[
        Do(Open("w", "chunk")),
        Do(Append("w", 'x', 1)),
        Do(Touch("chunk", Past)),
        Do(OpenToRead("a", "chunk", Access::Read)),
        See("read", Letters("a")),
        See("atime", Atime("chunk")),
    ],
)]];

const CHUNK: Litmus = Litmus {
    place: Place::Mount("noatime"),
    start: &[Start::File("chunk")],
    model: Model::Lacks("reading changes no time"),
    ..ON_TMPFS
};
