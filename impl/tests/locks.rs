//! The locks of a datastore: the process lock as the kernel sees it, one datastore for a process,
//! shared snapshots, manifests.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, TestSys, group, snapshot};
use datastore::error::LockError;
use datastore::lock_file;
use datastore::lock_names;
use datastore::ops::gc::{self, GcError};
use datastore::process_lock::{ExclusiveProcessLock, SharedProcessLock};
use datastore::sys::{Access, CreateMode, Deadline, FlockError, Waiting};
use datastore::{Config, Datastore, LinuxSys, OpenError, Prefixes, Sys};
use proptest::prelude::*;
use specs::Design;
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// The kernel's list of locks, in as few reads as there are: between two of them others may take and release theirs,
/// and what moves up then is not seen.
fn proc_locks() -> String {
    let mut file = fs::File::open("/proc/locks").unwrap();
    let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
}

/// The record lock that this process has on `.lock`, by the kernel's own list.
fn record_lock(fixture: &Fixture) -> Option<String> {
    let ino = fs::metadata(fixture.path(".lock")).unwrap().ino();
    let (pid, file) = (std::process::id().to_string(), format!(":{ino}"));
    proc_locks().lines().find_map(
        |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [_, "POSIX", _, mode, owner, inode, "0", "EOF"]
                if owner == pid && inode.ends_with(&file) =>
            {
                Some(mode.to_owned())
            }
            _ => None,
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// Takes a share when the clock says so many seconds; a clock can be set back.
    LockShared(i64),
    /// Drops the shared holder with this number, counted around.
    UnlockShared(usize),
    LockExclusive,
    UnlockExclusive,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (-9i64..9).prop_map(Action::LockShared),
        (0usize..4).prop_map(Action::UnlockShared),
        Just(Action::LockExclusive),
        Just(Action::UnlockExclusive),
    ]
}

proptest! {
    #[test]
    fn record_lock_is_what_the_holders_of_the_process_need(
        actions in prop::collection::vec(action(), 1..30),
    ) {
        let fixture = Fixture::new(Design::HARDENED);
        let (lock, sys) = (fixture.store.process_lock(), &fixture.cx.sys);
        let mut shared: Vec<(i64, SharedProcessLock<'_, TestSys>)> = Vec::new();
        let mut exclusive: Option<ExclusiveProcessLock<'_, TestSys>> = None;
        for action in actions {
            sys.calls();
            let held = (shared.len(), exclusive.is_some());
            match action {
                Action::LockShared(began) => {
                    sys.clock.set(Some((i128::from(began) * 1_000_000_000 + 1, 0)));
                    shared.push((began, lock.lock_shared(sys, Design::HARDENED).unwrap()));
                    let calls = sys.calls().len();
                    prop_assert_eq!(calls, usize::from(held == (0, false)), "only the first asks the kernel");
                }
                Action::UnlockShared(n) if !shared.is_empty() => drop(shared.remove(n % shared.len())),
                Action::UnlockShared(_) => {}
                Action::LockExclusive => match lock.lock_exclusive(sys, Design::HARDENED) {
                    Ok(guard) => prop_assert!(exclusive.replace(guard).is_none()),
                    Err(FlockError::WouldBlock) => prop_assert!(exclusive.is_some()),
                    Err(error) => panic!("{error}"),
                },
                Action::UnlockExclusive => exclusive = None,
            }
            let expected = match (exclusive.is_some(), shared.len()) {
                (true, _) => Some("WRITE"),
                (false, 0) => None,
                (false, _) => Some("READ"),
            };
            let found = record_lock(&fixture);
            prop_assert_eq!(found.as_deref(), expected);
            let oldest = shared.iter().map(|(began, _)| *began).min();
            prop_assert_eq!(lock.oldest_shared(sys), oldest);
        }
        drop((shared, exclusive));
        prop_assert_eq!(record_lock(&fixture), None);
    }
}

#[test]
fn second_datastore_of_a_process_is_refused_and_drops_no_lock() {
    let fixture = Fixture::new(Design::HARDENED);
    let guard = fixture
        .store
        .process_lock()
        .lock_shared(&fixture.cx.sys, Design::HARDENED)
        .unwrap();
    let open_as = |base, name| {
        let mut config = Config::new(base, name);
        config.locks = fixture.directory.path().join("locks");
        Datastore::open(&LinuxSys, config)
    };
    let link = fixture.directory.path().join("link");
    std::os::unix::fs::symlink(fixture.path("."), &link).unwrap();
    for base in [fixture.path("."), link] {
        let result = open_as(base, "store");
        assert!(matches!(result, Err(OpenError::AlreadyOpen(_))));
    }
    assert_eq!(record_lock(&fixture).as_deref(), Some("READ"));

    // Another datastore is none of its business, and one that was closed can be opened again.
    let other = fixture.directory.path().join("other");
    let mut config = Config::new(other.clone(), "other");
    config.locks = fixture.directory.path().join("locks");
    drop(Datastore::create(&LinuxSys, config, Prefixes::Only(&[])).unwrap());
    drop(open_as(other, "other").unwrap());
    drop(guard);
    assert_eq!(record_lock(&fixture), None);
}

#[test]
fn collection_is_refused_while_the_process_has_the_lock_exclusively() {
    let fixture = Fixture::new(Design::HARDENED);
    let sys = &fixture.cx.sys;
    let guard = fixture
        .store
        .process_lock()
        .lock_exclusive(sys, Design::HARDENED)
        .unwrap();
    let run = || gc::run(&fixture.cx, &fixture.store, &gc::Settings::default());
    let error = run().unwrap_err();
    assert!(matches!(&error, GcError::StoreInUse(base) if *base == fixture.path(".")));
    assert!(error.to_string().contains("try again"), "{error}");
    let shared = fixture
        .store
        .process_lock()
        .lock_shared(sys, Design::HARDENED)
        .unwrap();
    drop(guard);
    run().unwrap();
    assert_eq!(
        record_lock(&fixture).as_deref(),
        Some("READ"),
        "the writer still has its share"
    );
    drop(shared);
}

#[test]
fn readers_share_a_snapshot_and_keep_its_removal_out() {
    let fixture = Fixture::new(Design::HARDENED);
    let (store, sys) = (&fixture.store, &fixture.cx.sys);
    let snapshot = snapshot(&group("a", "vm/100"), NEW);
    let first = store
        .lock_snapshot_shared(sys, Design::HARDENED, &snapshot)
        .unwrap();
    let second = store
        .lock_snapshot_shared(sys, Design::HARDENED, &snapshot)
        .unwrap();
    let busy = |result: Result<_, LockError>| matches!(result, Err(LockError::WouldBlock(_)));
    assert!(busy(store.lock_snapshot(sys, Design::HARDENED, &snapshot)));
    drop(first);
    assert!(busy(store.lock_snapshot(sys, Design::HARDENED, &snapshot)));
    drop(second);
    let alone = store
        .lock_snapshot(sys, Design::HARDENED, &snapshot)
        .unwrap();
    assert!(busy(store.lock_snapshot_shared(
        sys,
        Design::HARDENED,
        &snapshot
    )));
    drop(alone);
}

#[test]
fn manifest_is_waited_for_and_is_no_lock_once_its_file_is_gone() {
    let fixture = Fixture::new(Design::HARDENED);
    let (store, sys) = (&fixture.store, &fixture.cx.sys);
    let snapshot = snapshot(&group("a", "vm/100"), NEW);
    let held = store
        .lock_manifest(sys, Design::HARDENED, &snapshot)
        .unwrap();
    // The system calls of the fixture do not wait, and say what a wait would end with.
    let second = store.lock_manifest(sys, Design::HARDENED, &snapshot);
    assert!(matches!(second, Err(LockError::TimedOut(_))));
    let beside = store.lock_snapshot(sys, Design::HARDENED, &snapshot);
    assert!(beside.is_ok(), "a snapshot and its manifest are two locks");
    drop(beside);

    let path = store.layout().manifest_lock(&snapshot);
    let open = lock_file::LockFile::open_or_create(sys, path, store.lock_files());
    let open = open.unwrap();
    held.unlink().unwrap();
    drop(held);
    open.flock(Mode::Exclusive, Wait::No).unwrap();
    assert!(matches!(open.recheck(), Err(LockError::Vanished(_))));
}

/// Waits for the lock of a manifest. After so many seconds somebody lets go of the file that the namespace has to itself, if
/// it has one; and each time as long after that, somebody unlinks the published file and already has the next one. By
/// which error it ends, and after how long.
fn wait_behind_removals(namespace: &str, seconds: u64) -> (LockError, Duration) {
    let fixture = Fixture::new(Design::HARDENED);
    let (store, sys) = (&fixture.store, &fixture.cx.sys);
    let snapshot = snapshot(&group(namespace, "vm/100"), NEW);
    // Makes the directories of the locks.
    drop(
        store
            .lock_manifest(sys, Design::HARDENED, &snapshot)
            .unwrap(),
    );
    let hold = |path: PathBuf| fixture.hold(path, Mode::Exclusive);
    let raw = snapshot.manifest_lock_name();
    let (locks, namespace) = (store.layout().locks(), snapshot.group().namespace());
    let mut own = lock_names::own_lock_file(locks, namespace, &raw).map(hold);
    let path = store.layout().manifest_lock(&snapshot);
    let mut published = hold(path.clone());
    let create = store.lock_files();
    sys.meanwhile.replace(Some(Box::new(move || {
        if own.take().is_none() {
            published.unlink().unwrap();
            let (path, mode) = (path.clone(), Mode::Exclusive);
            published = lock_file::lock(&LinuxSys, path, create, mode, Wait::No).unwrap();
        }
        Duration::from_secs(seconds)
    })));
    let result = store.lock_manifest(sys, Design::HARDENED, &snapshot);
    (result.err().unwrap(), sys.waited.get())
}

#[test]
fn wait_ends_in_time_however_often_the_file_is_unlinked_and_however_many_files_it_is_for() {
    for namespace in ["a", "vm-100"] {
        for seconds in [1, 2, 3, 4] {
            let (error, waited) = wait_behind_removals(namespace, seconds);
            assert!(matches!(error, LockError::TimedOut(_)), "{error}");
            assert_eq!(waited, Duration::from_secs(5), "{namespace}, {seconds} s");
        }
    }
}

#[test]
fn waits_with_one_deadline_end_together() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("lock");
    let create = CreateMode {
        mode: 0o660,
        owner: None,
    };
    let held = LinuxSys.create(&path, create).unwrap();
    LinuxSys.flock(&held, Mode::Exclusive, Wait::No).unwrap();
    let file = LinuxSys.open(&path, Access::ReadAppend).unwrap();
    let deadline = Deadline::default();
    let wait = |seconds| {
        let waiting = Waiting::within(Wait::Seconds(seconds), &deadline);
        LinuxSys.flock(&file, Mode::Exclusive, waiting)
    };
    assert!(matches!(wait(1), Err(FlockError::TimedOut)));
    // The time of the first one was over.
    assert!(matches!(wait(600), Err(FlockError::TimedOut)));
    drop(held);
    wait(1).unwrap();
}

/// What somebody obtains who waits for the lock of a manifest whose holder unlinks its file.
fn lock_behind_a_removal(design: Design) -> Result<(), LockError> {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut config = Config::new(directory.path().join("base"), "other");
    config.locks = directory.path().join("locks");
    let store = Datastore::create(&LinuxSys, config, Prefixes::Only(&[])).unwrap();
    let snapshot = snapshot(&group("a", "vm/100"), NEW);
    let held = store.lock_manifest(&LinuxSys, design, &snapshot).unwrap();
    let path = store.layout().manifest_lock(&snapshot);
    let file = format!(":{}", fs::metadata(&path).unwrap().ino());
    let is_waiting = || {
        let table = proc_locks();
        let mut lines = table.lines();
        lines.any(|line| line.contains("-> FLOCK") && line.contains(&format!("{file} ")))
    };
    std::thread::scope(|threads| {
        let second = threads.spawn(|| {
            store
                .lock_manifest(&LinuxSys, design, &snapshot)
                .map(|lock| assert_eq!(lock.path(), path))
        });
        while !is_waiting() {
            std::thread::yield_now();
        }
        held.unlink().unwrap();
        drop(held);
        second.join().unwrap()
    })
}

#[test]
fn lock_whose_file_its_holder_unlinked_is_tried_again_where_the_published_one_fails() {
    assert!(lock_behind_a_removal(Design::HARDENED).is_ok());
    let published = lock_behind_a_removal(Design::UPSTREAM);
    assert!(matches!(published, Err(LockError::Vanished(_))));
}

#[test]
fn designs_that_are_wrong_about_the_process_lock_are_wrong_in_one_way_each() {
    let fixture = Fixture::new(Design::HARDENED);
    let (lock, sys) = (fixture.store.process_lock(), &fixture.cx.sys);

    let design = Design::HARDENED.with(Change::UnlockWithoutDowngrade);
    let writer = lock.lock_shared(sys, design).unwrap();
    drop(lock.lock_exclusive(sys, design).unwrap());
    assert_eq!(record_lock(&fixture), None, "although there is a writer");
    drop(writer);

    let design = Design::HARDENED.with(Change::StoreLockPerHandle);
    let writer = lock.lock_shared(sys, design).unwrap();
    let refused = lock.lock_exclusive(sys, design).err();
    assert!(matches!(refused, Some(FlockError::WouldBlock)));
    drop(writer);
    let collector = lock.lock_exclusive(sys, design).unwrap();
    let refused = lock.lock_shared(sys, design).err();
    assert!(matches!(refused, Some(FlockError::WouldBlock)));
    drop(collector);
    assert_eq!(record_lock(&fixture), None);
}

#[test]
fn writer_that_closes_a_descriptor_of_its_own_drops_what_the_others_of_the_process_hold() {
    let fixture = Fixture::new(Design::HARDENED.with(Change::TwoProcessLocks));
    let (lock, sys) = (fixture.store.process_lock(), &fixture.cx.sys);
    let held = || record_lock(&fixture);
    let design = Design::HARDENED.with(Change::TwoProcessLocks);

    let (first, second) = (lock.lock_shared(sys, design), lock.lock_shared(sys, design));
    assert_eq!(held().as_deref(), Some("READ"));
    drop(first.unwrap());
    assert_eq!(held(), None, "although there is another writer");
    assert!(lock.oldest_shared(sys).is_some(), "who is still counted");
    drop(second.unwrap());
    assert_eq!(lock.oldest_shared(sys), None);

    let collector = lock.lock_exclusive(sys, design).unwrap();
    let writer = lock.lock_shared(sys, design).unwrap();
    assert_eq!(held().as_deref(), Some("WRITE"), "a writer weakens nothing");
    drop(writer);
    assert_eq!(held(), None, "although garbage is being collected");
    drop(collector);
}
