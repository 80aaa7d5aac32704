//! Appending to the move journal, from its lock to its close, against the bare system calls.
//!
//! `cargo bench -p datastore [-- --pairs N] [FILTER]`. The bare calls are open, flock, write and close.
//! The hardened design looks for a torn line before it appends: two calls more, the fstat that tells
//! the size and the pread of the last byte. They are protocol, and no append can be cheaper than
//! they are: where this was written the six calls take about 1.35 times as long as the four for one
//! path, and 1.2 times as long for a hundred. So the hardened design is compared with the same six
//! calls as well, which shows what is overhead.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on has failed, and it looks at the clock"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are printed with few digits"
)]

mod pairs;

use datastore::{LinuxSys, journal};
use pairs::{Case, Pairs, new_store, time};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::path::Arg as _;
use specs::Design;
use std::ffi::CStr;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::ExitCode;

/// Appends in a row, so that the clock counts for nothing.
const OPERATIONS: usize = 100;

fn main() -> ExitCode {
    let pairs = Pairs::from_arguments();
    let (_directory, store) = new_store(&[]);
    let base = store.layout().base();
    let journal = store.layout().journal();
    let c_journal = journal.as_path().into_c_str().unwrap();
    drop(store.lock_journal(&LinuxSys, Design::HARDENED).unwrap());
    let empty = || {
        let file = OpenOptions::new().write(true).open(&journal).unwrap();
        file.set_len(0).unwrap();
    };
    let append = |paths: &[PathBuf], design| {
        let lines = journal::encode(paths).unwrap();
        let mut journal = store.lock_journal(&LinuxSys, design).unwrap();
        journal.append(&lines, design).unwrap();
    };
    for (name, design, entries, contender, rival) in [
        ("append_1", Design::HARDENED, 1, "bare", Calls::Bare),
        (
            "append_1_same_calls",
            Design::HARDENED,
            1,
            "same calls",
            Calls::Same,
        ),
        (
            "append_1_as_published",
            Design::UPSTREAM,
            1,
            "bare",
            Calls::Bare,
        ),
        ("append_100", Design::HARDENED, 100, "bare", Calls::Bare),
        (
            "append_100_same_calls",
            Design::HARDENED,
            100,
            "same calls",
            Calls::Same,
        ),
        (
            "append_100_as_published",
            Design::UPSTREAM,
            100,
            "bare",
            Calls::Bare,
        ),
    ] {
        let paths: Vec<PathBuf> = (0..entries)
            .map(|n| {
                base.join(format!(
                    "ns/a/vm/100/2026-07-14T06:33:20Z/drive-scsi{n}.img.fidx"
                ))
            })
            .collect();
        let lines = journal::encode(&paths).unwrap();
        let case = Case {
            name,
            contenders: ["append", contender],
            goal: Some(1.25),
            operations: [OPERATIONS; 2],
        };
        pairs.compare(
            &case,
            || {
                empty();
                time(|| (0..OPERATIONS).for_each(|_| append(&paths, design)))
            },
            || {
                empty();
                time(|| (0..OPERATIONS).for_each(|_| bare(&c_journal, &lines, rival)))
            },
        );
    }
    pairs.verdict()
}

/// What the other contender calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    /// Open, flock, write, close.
    Bare,
    /// Those, and the two that look for a torn line.
    Same,
}

fn bare(path: &CStr, lines: &[u8], calls: Calls) {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    if calls == Calls::Same {
        let size = u64::try_from(rustix::fs::fstat(&file).unwrap().st_size).unwrap();
        if let Some(last) = size.checked_sub(1) {
            let mut byte = [0];
            assert_eq!(rustix::io::pread(&file, &mut byte, last).unwrap(), 1);
        }
    }
    assert_eq!(rustix::io::write(&file, lines).unwrap(), lines.len());
}
