//! What an inode number is worth as the identity of a file.

use super::super::call::Call::{Churn, Look, Unlink};
use super::super::call::Step::{Do, See};
use super::{NUMBERS, ON_TMPFS, open};
use crate::litmus::{Frequency, Litmus, Model, Place};

pub(super) const TESTS: &[Litmus] = &[
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
        model: Model::Lacks(NUMBERS),
        ..ON_TMPFS
    },
    Litmus {
        name: "open_file_keeps_its_number",
        assumes: "The number of a file that is open is given to no other one, even after it was unlinked.",
        ..OPEN_FILE_KEEPS_ITS_NUMBER
    },
    Litmus {
        name: "open_file_keeps_its_number_on_ext4",
        assumes: "The same on ext4, which uses numbers again.",
        place: Place::Ext4,
        ..OPEN_FILE_KEEPS_ITS_NUMBER
    },
];

const OPEN_FILE_KEEPS_ITS_NUMBER: Litmus = Litmus {
    rounds: &[
        &[(
            0,
            &[Do(open("a")), Do(Unlink("lock")), See("path", Look("lock"))],
        )],
        &[(1, &[See("number", Churn("lock", 50, None))])],
        &[(0, &[See("mine", Churn("lock", 50, Some("a")))])],
    ],
    relied_on_by: "`take_lock.recheck_lock_file`: it compares numbers while the file is open",
    condition: &[("mine", "twice")],
    model: Model::Lacks(NUMBERS),
    ..ON_TMPFS
};
