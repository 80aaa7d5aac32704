//! Locks on names, taken and let go, against the bare system calls that this cannot do without.
//!
//! `cargo bench -p datastore [-- --pairs N] [FILTER]`. The lock files are there already.

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

use datastore::paths::{BackupTime, Group, Namespace};
use datastore::{Datastore, LinuxSys};
use pairs::{Case, Pairs, new_store, time};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::path::Arg as _;
use specs::Design;
use std::ffi::CStr;
use std::path::PathBuf;

const DESIGN: Design = Design::Hardened;

/// Locks in a row, so that the clock counts for nothing.
const OPERATIONS: usize = 100;

fn main() {
    let pairs = Pairs::from_arguments();
    let (_directory, store) = new_store(&[]);
    let group = Group::parse(Namespace::new("a/b").unwrap(), "vm/100").unwrap();
    let snapshot = group.snapshot(BackupTime::parse("2026-07-14T06:33:20Z").unwrap());
    let layout = store.layout();
    let (exclusive, shared) = (
        FlockOperation::NonBlockingLockExclusive,
        FlockOperation::NonBlockingLockShared,
    );
    let run = |name, goal, path: PathBuf, mode, ours: &dyn Fn(&Datastore<LinuxSys>)| {
        ours(&store);
        let path = path.into_c_str().unwrap();
        let case = Case {
            name,
            contenders: ["lock and unlock", "bare"],
            goal,
            operations: [OPERATIONS; 2],
        };
        pairs.compare(
            &case,
            || time(|| (0..OPERATIONS).for_each(|_| ours(&store))),
            || time(|| (0..OPERATIONS).for_each(|_| bare(&path, mode))),
        );
    };
    run(
        "lock_group",
        Some(1.25),
        layout.group_lock(&group),
        exclusive,
        &|store| drop(store.lock_group(&LinuxSys, DESIGN, &group).unwrap()),
    );
    run(
        "lock_snapshot_shared",
        None,
        layout.snapshot_lock(&snapshot),
        shared,
        &|store| {
            drop(
                store
                    .lock_snapshot_shared(&LinuxSys, DESIGN, &snapshot)
                    .unwrap(),
            );
        },
    );
    run(
        "lock_manifest",
        None,
        layout.manifest_lock(&snapshot),
        exclusive,
        &|store| drop(store.lock_manifest(&LinuxSys, DESIGN, &snapshot).unwrap()),
    );
}

/// Open, flock, fstat, stat, close.
fn bare(path: &CStr, mode: FlockOperation) {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    rustix::fs::flock(&file, mode).unwrap();
    let open = rustix::fs::fstat(&file).unwrap();
    let found = rustix::fs::lstat(path).unwrap();
    assert_eq!((open.st_dev, open.st_ino), (found.st_dev, found.st_ino));
}
