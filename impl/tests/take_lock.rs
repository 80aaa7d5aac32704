//! One lock file in its three calls: what each design does, and what the double stat notices.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, group};
use datastore::error::LockError;
use datastore::lock_file;
use datastore::ops::take_lock::{self, Settings};
use datastore::{LinuxSys, Lockable};
use specs::Design;
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use std::fs;

fn take(fixture: &Fixture, removes: bool) -> Result<(), LockError> {
    let group = group("a", "vm/100");
    let settings = Settings {
        lock: Lockable::Group(&group),
        mode: Mode::Exclusive,
        removes,
    };
    take_lock::run(&fixture.cx, &fixture.store, &settings)
}

#[test]
fn steps_are_those_of_the_design() {
    let steps = |design, removes| {
        let fixture = Fixture::new(design);
        take(&fixture, removes).unwrap();
        let lock = fixture.store.layout().group_lock(&group("a", "vm/100"));
        assert_eq!(lock.exists(), !removes);
        fixture
            .cx
            .sys
            .steps()
            .join(" ")
            .replace("take_lock.", "")
            .replace("_lock_file", "")
    };
    for design in [
        Design::HARDENED,
        Design::UPSTREAM,
        Design::HARDENED.with(Change::UnlinkAfterUnlock),
    ] {
        assert_eq!(
            steps(design, false),
            "open(ns/a/vm/100) flock recheck unlock"
        );
    }
    assert_eq!(
        steps(Design::HARDENED, true),
        "open(ns/a/vm/100) flock recheck unlink unlock"
    );
    assert_eq!(
        steps(Design::HARDENED.with(Change::UnlinkAfterUnlock), true),
        "open(ns/a/vm/100) flock recheck unlock unlink"
    );
    assert_eq!(
        steps(Design::HARDENED.with(Change::RecheckBeforeFlock), true),
        "open(ns/a/vm/100) recheck flock unlink unlock"
    );
    for (removes, then) in [(false, "unlock"), (true, "unlink unlock")] {
        assert_eq!(
            steps(Design::DIRECTORY_LOCKS, removes),
            format!("open(ns/a/vm/100) flock {then}")
        );
    }
}

#[test]
fn directory_that_was_removed_or_replaced_meanwhile_is_locked_all_the_same() {
    for replaces in [false, true] {
        let fixture = Fixture::new(Design::DIRECTORY_LOCKS);
        let path = fixture.store.layout().group_lock(&group("a", "vm/100"));
        fixture.cx.sys.at("take_lock.flock_lock_file", move || {
            fs::remove_dir(&path).unwrap();
            if replaces {
                fs::create_dir(&path).unwrap();
            }
        });
        take(&fixture, false).expect("that is what is wrong with this design");
    }
}

#[test]
fn holder_makes_it_fail_and_everything_is_released() {
    let fixture = Fixture::new(Design::HARDENED);
    let path = fixture.store.layout().group_lock(&group("a", "vm/100"));
    let create = fixture.store.lock_files();
    let held = lock_file::lock(&LinuxSys, path, create, Mode::Exclusive, Wait::No).unwrap();
    assert!(matches!(
        take(&fixture, true),
        Err(LockError::WouldBlock(_))
    ));
    let steps = fixture.cx.sys.steps();
    assert_eq!(
        steps[1..],
        [
            "take_lock.flock_lock_file = WouldBlock",
            "take_lock.release_all"
        ]
    );
    drop(held);
    take(&fixture, true).unwrap();
}

#[test]
fn file_that_was_removed_or_replaced_meanwhile_is_no_lock() {
    for replaces in [false, true] {
        let fixture = Fixture::new(Design::HARDENED);
        let path = fixture.store.layout().group_lock(&group("a", "vm/100"));
        fixture.cx.sys.at("take_lock.flock_lock_file", move || {
            fs::remove_file(&path).unwrap();
            if replaces {
                fs::write(&path, "").unwrap();
            }
        });
        assert!(matches!(take(&fixture, false), Err(LockError::Vanished(_))));
        let steps = fixture.cx.sys.steps();
        assert_eq!(
            steps[2..],
            [
                "take_lock.recheck_lock_file = Vanished",
                "take_lock.release_all"
            ]
        );
    }
}

/// Whoever comes later locks the file of the other file system: both would hold the lock.
#[test]
fn file_with_the_same_inode_number_on_another_device_is_no_lock() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = Fixture::new(design);
        let locks = fixture.store.layout().locks().to_owned();
        fixture.cx.sys.mounted_over.replace(Some(locks));
        assert!(matches!(take(&fixture, false), Err(LockError::Vanished(_))));
        let steps = fixture.cx.sys.steps();
        assert_eq!(
            steps[2..],
            [
                "take_lock.recheck_lock_file = Vanished",
                "take_lock.release_all"
            ]
        );
        // Neither does it come to be one because somebody tries again.
        let group = group("a", "vm/100");
        let again = fixture.store.lock_group(&fixture.cx.sys, design, &group);
        assert!(matches!(again, Err(LockError::Vanished(_))));
    }
}

#[test]
fn check_before_the_lock_notices_nothing() {
    let fixture = Fixture::new(Design::HARDENED.with(Change::RecheckBeforeFlock));
    let path = fixture.store.layout().group_lock(&group("a", "vm/100"));
    fixture.cx.sys.at("take_lock.flock_lock_file", move || {
        fs::remove_file(&path).unwrap();
    });
    take(&fixture, false).expect("that is what is wrong with this design");
}

#[test]
fn names_that_leave_no_room_for_a_temporary_one_can_be_locked() {
    let fixture = Fixture::new(Design::HARDENED);
    for len in [241, 242, 251, 252, 300] {
        let group = group("a", &format!("vm/{}", "x".repeat(len)));
        drop(
            fixture
                .store
                .lock_group(&fixture.cx.sys, Design::HARDENED, &group)
                .unwrap(),
        );
        assert!(fixture.store.layout().group_lock(&group).exists(), "{len}");
    }
    assert!(
        !common::tree(fixture.directory.path())
            .iter()
            .any(|file| file.contains(".tmp_"))
    );
}
