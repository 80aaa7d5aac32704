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

use datastore::namespace_locks::NamespaceLocks;
use datastore::paths::{BackupTime, Group, Namespace};
use datastore::{Cx, Datastore, LinuxSys};
use pairs::{Case, Pairs, new_store, time};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::path::Arg as _;
use specs::Design;
use specs::ToLabel as _;
use specs::lock_class;
use specs::ops::take_namespace_lock::Step;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

const DESIGN: Design = Design::HARDENED;

/// A namespace that lies as deep as one can.
const DEEPEST: &str = "1/2/3/4/5/6/7";

/// Locks in a row, so that the clock counts for nothing.
const OPERATIONS: usize = 100;

fn main() -> ExitCode {
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
    shared_chain(&pairs, &store);
    bounded_wait(&pairs, &store);
    pairs.verdict()
}

/// The locks of the deepest namespace and of those above it, as a backup takes them.
fn shared_chain(pairs: &Pairs, store: &Datastore<LinuxSys>) {
    let cx = Cx {
        sys: LinuxSys,
        design: Design::NAMESPACE_LOCKS,
    };
    let deepest = Namespace::new(DEEPEST).unwrap();
    let ours = || {
        let mut locks = NamespaceLocks::none();
        let mode = lock_class::Mode::Shared;
        locks
            .lock(&cx, store, &deepest, mode, |namespace, _| {
                Step::LockShared.of(namespace)
            })
            .unwrap();
        locks.unlock(&cx, |namespace| Step::UnlockNamespace.of(namespace));
    };
    ours();
    let chain = [deepest.clone()].into_iter().chain(deepest.above());
    let paths: Vec<_> = chain
        .map(|namespace| store.layout().namespace_lock(&namespace))
        .map(|path| path.into_c_str().unwrap().into_owned())
        .collect();
    assert_eq!(paths.len(), 7);
    let shared = FlockOperation::NonBlockingLockShared;
    let bare = || {
        let open: Vec<_> = paths.iter().map(|path| lock_bare(path, shared)).collect();
        drop(open);
    };
    let case = Case {
        name: "namespace_locks_of_depth_7",
        contenders: ["lock and unlock", "bare"],
        goal: Some(1.25),
        operations: [OPERATIONS; 2],
    };
    pairs.compare(
        &case,
        || time(|| (0..OPERATIONS).for_each(|_| ours())),
        || time(|| (0..OPERATIONS).for_each(|_| bare())),
    );
}

/// A free lock, by whoever would wait for it and by whoever would not.
fn bounded_wait(pairs: &Pairs, store: &Datastore<LinuxSys>) {
    let namespace = Namespace::new("a").unwrap();
    let lock = |design| {
        let mode = lock_class::Mode::Exclusive;
        drop(
            store
                .lock_namespace(&LinuxSys, design, &namespace, mode)
                .unwrap(),
        );
    };
    let case = Case {
        name: "free_lock_that_would_be_waited_for",
        contenders: ["wait", "try"],
        goal: Some(1.02),
        operations: [OPERATIONS; 2],
    };
    pairs.compare(
        &case,
        || time(|| (0..OPERATIONS).for_each(|_| lock(Design::NAMESPACE_LOCKS_WAIT))),
        || time(|| (0..OPERATIONS).for_each(|_| lock(Design::NAMESPACE_LOCKS))),
    );
}

/// Open, flock, fstat, stat, close.
fn bare(path: &CStr, mode: FlockOperation) {
    drop(lock_bare(path, mode));
}

fn lock_bare(path: &CStr, mode: FlockOperation) -> OwnedFd {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    rustix::fs::flock(&file, mode).unwrap();
    let open = rustix::fs::fstat(&file).unwrap();
    let found = rustix::fs::lstat(path).unwrap();
    assert_eq!((open.st_dev, open.st_ino), (found.st_dev, found.st_ino));
    file
}
