//! What a process that was started by one with a datastore open finds open: nothing of it, whichever way it was opened.
//!
//! In a process of its own: other tests would have files open while theirs begin, and lend them their locks.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, group, namespace, owner, snapshot};
use datastore::index::FixedWriter;
use datastore::lock_file;
use datastore::ops::backup::{self, Archive};
use datastore::paths::BackupTime;
use datastore::sys::Access;
use datastore::temporary::Temporary;
use datastore::{LinuxSys, Sys};
use specs::Design;
use specs::design::Change;
use specs::lock_class::Mode;
use std::cell::Cell;
use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::process::Command;

/// How many files below a directory this process has open.
fn open(directory: &Path) -> usize {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    let targets = entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets
        .filter(|target| target.starts_with(directory))
        .count()
}

/// The files below a directory that a process has open which this one starts.
fn inherited(directory: &Path) -> Vec<String> {
    let mut list = Command::new("ls");
    let output = list.args(["-l", "/proc/self/fd"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let listing = String::from_utf8(output.stdout).unwrap();
    let below = directory.display().to_string();
    let lines = listing.lines().filter(|line| line.contains(&below));
    lines.map(str::to_owned).collect()
}

/// Opens something, and looks what a new process has of it.
fn is_not_inherited<T>(directory: &Path, what: &str, make: impl FnOnce() -> T) {
    let before = open(directory);
    let opened = make();
    assert!(open(directory) > before, "{what} opens nothing");
    assert_eq!(inherited(directory), [""; 0], "{what}");
    drop(opened);
}

#[test]
fn what_is_inherited_is_seen() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = fs::File::create(directory.path().join("x")).unwrap();
    assert_eq!(inherited(directory.path()), [""; 0]);
    // A duplicate without the flag.
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD(100)).unwrap();
    assert_eq!(inherited(directory.path()).len(), 1);
}

#[test]
fn no_way_to_open_a_file_lends_it_to_a_new_process() {
    let fixture = Fixture::new(Design::HARDENED);
    let group = group("a", "vm/100");
    let snapshot = snapshot(&group, OLD);
    fixture.add_with_manifest(&snapshot, &[1]);
    let (directory, store, sys) = (fixture.directory.path(), &fixture.store, &fixture.cx.sys);
    let check = |what: &str, make: &dyn Fn() -> Box<dyn std::any::Any>| {
        is_not_inherited(directory, what, make);
    };
    let manifest = store.layout().manifest(&snapshot);
    let files = store.files();
    for access in [Access::Read, Access::ReadNoAtime, Access::ReadAppend] {
        check(&format!("{access:?}"), &|| {
            Box::new(LinuxSys.open(&manifest, access).unwrap())
        });
    }
    check("a directory", &|| {
        Box::new(
            LinuxSys
                .open(&fixture.path(&group), Access::Directory)
                .unwrap(),
        )
    });
    check("a new file", &|| {
        Box::new(LinuxSys.create(&directory.join("new"), files).unwrap())
    });
    let design = Design::HARDENED;
    is_not_inherited(directory, "a temporary file", || {
        Temporary::beside(&LinuxSys, &manifest, files).unwrap()
    });
    is_not_inherited(directory, "an index", || {
        let (path, size) = (directory.join("x.fidx"), NonZeroU64::new(4).unwrap());
        FixedWriter::create(&LinuxSys, path, files, 0, 4, size).unwrap()
    });
    is_not_inherited(directory, "the lock of a group", || {
        store.lock_group(sys, design, &group).unwrap()
    });
    is_not_inherited(directory, "the lock of a directory", || {
        lock_file::lock_directory(sys, &fixture.path(&group), Mode::Exclusive).unwrap()
    });
    is_not_inherited(directory, "the lock of a snapshot", || {
        store.lock_snapshot_shared(sys, design, &snapshot).unwrap()
    });
    is_not_inherited(directory, "the lock of a manifest", || {
        store.lock_manifest(sys, design, &snapshot).unwrap()
    });
    is_not_inherited(directory, "the lock of a namespace", || {
        store
            .lock_namespace(sys, design, &namespace("a"), Mode::Shared)
            .unwrap()
    });
    is_not_inherited(directory, "the journal", || {
        store.lock_journal(sys, design).unwrap()
    });
    is_not_inherited(directory, "a share of the process lock", || {
        store
            .process_lock()
            .lock_shared(sys, Design::HARDENED.with(Change::TwoProcessLocks))
            .unwrap()
    });
}

/// The datastore, its locks and an index that is being written, in the middle of a backup.
#[test]
fn process_that_is_started_in_the_middle_of_a_backup_has_nothing_of_it() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_with_manifest(&snapshot(&group("a", "vm/100"), OLD), &[1]);
    let directory = fixture.directory.path();
    let looks = Cell::new(0);
    let look = || {
        assert!(open(directory) >= 5, "too little is open to say anything");
        assert_eq!(inherited(directory), [""; 0]);
        looks.set(looks.get() + 1);
        false
    };
    let settings = backup::Settings {
        group: group("a", "vm/100"),
        owner: owner("root@pam"),
        time: BackupTime::parse(NEW).unwrap(),
        archives: vec![Archive {
            name: "root.pxar.didx".to_owned(),
            chunks: vec![common::finished::contents(0).to_vec()],
        }],
        client_has_left: &look,
    };
    backup::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert_eq!(looks.get(), 1);
}
