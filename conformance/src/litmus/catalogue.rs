//! The tests, by what they are about.

mod contents;
mod descriptors;
mod directories;
mod names;
mod numbers;
mod processes;
mod record_locks;
mod times;
mod waits;

use super::call::Call::{self, Flock};
use super::call::{Fd, Name, Os};
use super::question::{Asks, Question};
use super::{Frequency, Litmus, Memory, Model, Place, Start};
use specs::lock_class::{Mode, Wait};
use specs::{Design, Property};

/// The tests by what they are about, in the order of the page.
pub(super) const GROUPS: &[(&str, &[Litmus])] = &[
    ("Whose lock it is", descriptors::TESTS),
    ("Who waits, and who gets it next", waits::TESTS),
    ("The record lock", record_locks::TESTS),
    ("Processes that are killed", processes::TESTS),
    ("Names of files", names::TESTS),
    ("Directories", directories::TESTS),
    ("Inode numbers", numbers::TESTS),
    ("Contents, and a tmpfs that is full", contents::TESTS),
    ("Access times", times::TESTS),
];

/// What most tests have in common: a lock file on a tmpfs, and a machine in memory that agrees.
const ON_TMPFS: Litmus = Litmus {
    name: "",
    assumes: "",
    relied_on_by: "",
    place: Place::Tmpfs,
    start: &[Start::File("lock")],
    rounds: &[],
    condition: &[],
    expected: Frequency::Never,
    memory: Memory::Same,
    model: Model::Lacks(DESCRIPTORS),
};

/// Why the model says nothing.
const DESCRIPTORS: &str = "no descriptors";
const SIGNALS: &str = "no signals";
const QUEUES: &str = "no queue of waiters";
const SIZES: &str = "no sizes";
const NUMBERS: &str = "a new file is always another one";
const NAMES: &str = "within one step";

/// Every flock of the protocol.
const FLOCKS: &str = "locks `group`, `snapshot`, `manifest`, `move_journal`";

/// `flock`, exclusive, without waiting.
const fn exclusive(fd: Fd) -> Call {
    Flock(fd, Mode::Exclusive, Wait::No)
}

/// `flock`, shared, without waiting.
const fn shared(fd: Fd) -> Call {
    Flock(fd, Mode::Shared, Wait::No)
}

/// `flock`, exclusive, however long it takes.
const fn wait_for(fd: Fd) -> Call {
    Flock(fd, Mode::Exclusive, Wait::Forever)
}

/// Opens the lock file.
const fn open(fd: Fd) -> Call {
    Call::Open(fd, "lock")
}

/// Whether the open file is the lock file.
const fn recheck(fd: Fd) -> Call {
    Call::Recheck(fd, "lock")
}

/// `fork` and `exec`.
const fn start(process: usize) -> Call {
    Call::Os(Os::Start(process))
}

/// Who holds and who waits.
const fn table(fd: Fd) -> Call {
    Call::Os(Os::Table(fd))
}

/// Which of these names a directory has.
const fn list(directory: Name, names: &'static [&'static str]) -> Call {
    Call::List(directory, names)
}

/// Whether a property is broken in a scenario, under a design.
const fn is_broken(
    claimed: Frequency,
    property: Property,
    scenario: &'static str,
    design: Design,
) -> Model {
    let asks = Asks::Broken(property);
    Model::Says(
        claimed,
        Question {
            scenario,
            design,
            faults: &[],
            asks,
        },
    )
}
