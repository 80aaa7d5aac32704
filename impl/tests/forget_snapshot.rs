//! Removing a snapshot on real files: its steps in each design, what refuses it, what it leaves.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, group, snapshot, tree};
use datastore::Snapshot;
use datastore::ops::forget_snapshot::{self, ForgetError, Report, Settings};
use specs::Design;
use specs::design::Change;
use specs::lock_class::Mode;
use std::fs;

fn the_snapshot() -> Snapshot {
    snapshot(&group("a", "vm/100"), NEW)
}

fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    fixture.add_with_manifest(&the_snapshot(), &[1]);
    fixture.cx.sys.hold_against_tables(design);
    fixture
}

fn forget(fixture: &Fixture) -> Result<Report, ForgetError> {
    let snapshot = the_snapshot();
    forget_snapshot::run(&fixture.cx, &fixture.store, &Settings { snapshot })
}

/// The steps, without the name of the operation; `S` is the snapshot and `G` its group.
fn steps(fixture: &Fixture) -> String {
    let steps = fixture.cx.sys.steps().join("\n");
    steps
        .replace("forget_snapshot.", "")
        .replace(&the_snapshot().to_string(), "S")
        .replace("ns/a/vm/100", "G")
}

const GROUP: &str = "lock_group(G)
list_group(G)
unlink_owner(G)
remove_group(G)
unlink_group_lock(G)
unlock_group(G)";

#[test]
fn steps_are_those_of_the_page_in_each_design() {
    let begin = "lock_snapshot(S)
lock_manifest(S)
check_protected(S)
list_snapshot(S)";
    let unlink_locks = "unlink_manifest_lock(S)
unlink_snapshot_lock(S)";
    let unlock = "unlock_manifest(S)
unlock_snapshot(S)";
    let manifest_first = "unlink_manifest(S)
unlink_file(S/drive.img.fidx)
remove_snapshot(S)";
    let as_listed = "unlink_file(S/drive.img.fidx)
unlink_file(S/index.json.blob)
remove_snapshot(S)";
    let unchecked = begin.replace("check_protected(S)\n", "");
    for (design, expected) in [
        (
            Design::HARDENED,
            [begin, manifest_first, unlink_locks, GROUP, unlock],
        ),
        (
            Design::UPSTREAM,
            [begin, as_listed, unlink_locks, GROUP, unlock],
        ),
        (
            Design::HARDENED.with(Change::ForgetUnlocksBeforeRemoval),
            [begin, unlink_locks, unlock, manifest_first, GROUP],
        ),
        (
            Design::HARDENED.with(Change::ProtectionNotChecked),
            [&unchecked, manifest_first, unlink_locks, GROUP, unlock],
        ),
    ] {
        let fixture = fixture(design);
        assert!(forget(&fixture).unwrap().is_group_removed);
        assert_eq!(steps(&fixture), expected.join("\n"), "{design:?}");
        assert_eq!(fixture.below("ns/a"), ["vm"]);
        assert_eq!(tree(fixture.store.layout().locks()), ["a"]);
    }
}

#[test]
fn group_stays_while_it_has_another_snapshot_or_is_busy() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        let group = group("a", "vm/100");
        fixture.add_with_manifest(&snapshot(&group, OLD), &[2]);
        fixture.cx.sys.hold_against_tables(design);
        assert!(!forget(&fixture).unwrap().is_group_removed);
        let log = steps(&fixture);
        let looks = match design {
            Design::HARDENED => String::new(),
            _ => format!("list_remaining(G/{OLD})\n"),
        };
        let expected = format!("list_group(G) = NotEmpty\n{looks}unlock_group(G)\nunlock_manifest");
        assert!(log.contains(&expected), "{log}");
        assert!(fixture.path(snapshot(&group, OLD)).exists());

        let fixture = self::fixture(design);
        let held = fixture.hold(fixture.store.layout().group_lock(&group), Mode::Exclusive);
        assert!(!forget(&fixture).unwrap().is_group_removed);
        let log = steps(&fixture);
        assert!(
            log.contains("lock_group(G) = WouldBlock\nunlock_manifest"),
            "{log}"
        );
        assert_eq!(fixture.below(&group), ["owner"]);
        drop(held);
    }
}

#[test]
fn another_snapshot_that_vanishes_meanwhile_fails_a_published_removal_that_is_done() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        let other = snapshot(&group("a", "vm/100"), OLD);
        fixture.add_with_manifest(&other, &[2]);
        fixture.cx.sys.hold_against_tables(design);
        let path = fixture.path(&other);
        let label = match design {
            Design::HARDENED => format!("unlock_group({})", other.group()),
            _ => format!("list_remaining({other})"),
        };
        fixture
            .cx
            .sys
            .at(format!("forget_snapshot.{label}"), move || {
                fs::remove_dir_all(path).unwrap();
            });
        let result = forget(&fixture);
        assert!(!fixture.path(the_snapshot()).exists());
        let log = steps(&fixture);
        if design == Design::HARDENED {
            result.unwrap();
        } else {
            let error = result.unwrap_err();
            assert!(
                matches!(error, ForgetError::OtherVanished { .. }),
                "{error}"
            );
            assert!(log.ends_with("= NotFound\nrelease_all"), "{log}");
        }
    }
}

#[test]
fn whoever_uses_the_snapshot_keeps_it() {
    let layout = |fixture: &Fixture| {
        let layout = fixture.store.layout();
        let snapshot = the_snapshot();
        [
            (layout.snapshot_lock(&snapshot), Mode::Shared),
            (layout.manifest_lock(&snapshot), Mode::Exclusive),
        ]
    };
    for (i, last) in [
        "lock_snapshot(S) = WouldBlock",
        "lock_manifest(S) = TimedOut",
    ]
    .iter()
    .enumerate()
    {
        let fixture = fixture(Design::HARDENED);
        let before = fixture.below("ns");
        let (path, mode) = layout(&fixture)[i].clone();
        let held = fixture.hold(path, mode);
        assert!(forget(&fixture).unwrap_err().is_busy());
        assert!(steps(&fixture).ends_with(&format!("{last}\nrelease_all")));
        assert_eq!(fixture.below("ns"), before);
        drop(held);
        forget(&fixture).expect("everything was released");
    }
}

#[test]
fn protected_snapshot_stays_unless_nobody_looks() {
    for (design, is_removed) in [
        (Design::HARDENED, false),
        (Design::UPSTREAM, false),
        (Design::HARDENED.with(Change::ProtectionNotChecked), true),
    ] {
        let fixture = fixture(design);
        fs::write(fixture.path(the_snapshot()).join(".protected"), "").unwrap();
        let result = forget(&fixture);
        assert_eq!(result.is_ok(), is_removed);
        if is_removed {
            assert!(steps(&fixture).contains("unlink_file(S/.protected)"));
        } else {
            let error = result.unwrap_err();
            assert!(matches!(error, ForgetError::Protected(_)) && !error.is_busy());
            assert!(steps(&fixture).ends_with("check_protected(S) = Refused\nrelease_all"));
        }
    }
}

#[test]
fn snapshot_that_is_gone_is_said_to_be_gone() {
    let fixture = fixture(Design::HARDENED);
    forget(&fixture).unwrap();
    steps(&fixture);
    let error = forget(&fixture).unwrap_err();
    assert!(matches!(error, ForgetError::Gone(_)), "{error}");
    assert!(steps(&fixture).ends_with("list_snapshot(S) = NotFound\nrelease_all"));
}

#[test]
fn file_that_vanishes_is_skipped_and_one_that_appears_stops_the_removal() {
    let fixture = fixture(Design::HARDENED);
    let index = fixture.path(the_snapshot()).join("drive.img.fidx");
    let label = |step: &str| format!("forget_snapshot.{step}({})", the_snapshot());
    let gone = index.clone();
    let hook = move || fs::remove_file(gone).unwrap();
    fixture.cx.sys.at(label("unlink_manifest"), hook);
    let late = index.with_extension("late");
    let hook = move || fs::write(late, "").unwrap();
    fixture.cx.sys.at(label("remove_snapshot"), hook);
    let error = forget(&fixture).unwrap_err();
    assert!(matches!(error, ForgetError::Failed { .. }), "{error}");
    let log = steps(&fixture);
    assert!(
        log.ends_with(
            "unlink_file(S/drive.img.fidx) = NotFound\nremove_snapshot(S) = NotEmpty\nrelease_all"
        ),
        "{log}"
    );
    forget(&fixture).expect("what is left is an unfinished snapshot");
    assert!(steps(&fixture).contains("unlink_manifest(S) = NotFound"));
}

#[test]
fn directory_of_a_group_that_is_not_empty_stays_with_its_lock_file() {
    let fixture = fixture(Design::HARDENED);
    let group = group("a", "vm/100");
    fs::write(fixture.path(&group).join("unknown"), "").unwrap();
    fs::write(fixture.path(&group).join("notes"), "").unwrap();
    assert!(!forget(&fixture).unwrap().is_group_removed);
    assert!(steps(&fixture).contains("remove_group(G) = NotEmpty\nunlock_group(G)"));
    assert_eq!(fixture.below(&group), ["unknown"]);
    assert!(fixture.store.layout().group_lock(&group).exists());
}

#[test]
fn group_that_vanished_is_left_alone() {
    let fixture = fixture(Design::HARDENED);
    let path = fixture.path(group("a", "vm/100"));
    let hook = move || fs::remove_dir_all(path).unwrap();
    fixture
        .cx
        .sys
        .at("forget_snapshot.list_group(ns/a/vm/100)", hook);
    assert!(!forget(&fixture).unwrap().is_group_removed);
    assert!(steps(&fixture).contains("list_group(G) = NotFound\nunlock_group(G)"));
}

#[test]
fn what_is_removed_is_removed_though_nothing_can_be_made_to_lock_its_group() {
    // The tables have no such ending.
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_with_manifest(&the_snapshot(), &[1]);
    let group = group("a", "vm/100");
    let locks = fixture.store.layout().locks().to_owned();
    // The directory of the namespace, the lock of the snapshot and that of its manifest.
    *fixture.cx.sys.inodes.borrow_mut() = Some((locks.clone(), 3));
    let settings = Settings {
        snapshot: the_snapshot(),
    };
    let report = forget_snapshot::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert!(!report.is_group_removed && !fixture.path(the_snapshot()).exists());
    let problem = report.problem.unwrap();
    let lock = format!("{}/a/vm-100.tmp_", locks.display());
    assert!(
        !problem.is_busy() && problem.to_string().contains(&lock),
        "{problem}"
    );
    assert!(steps(&fixture).ends_with("unlock_manifest(S)\nunlock_snapshot(S)"));

    fixture.cx.sys.inodes.take();
    fixture.add_with_manifest(&the_snapshot(), &[1]);
    let owner = fixture.path(&group).join("owner");
    fixture.cx.sys.refused.borrow_mut().push(("unlink", owner));
    let report = forget_snapshot::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert!(!report.is_group_removed && report.problem.is_some());
    assert!(steps(&fixture).ends_with("unlock_group(G)\nunlock_manifest(S)\nunlock_snapshot(S)"));
    fixture.cx.sys.refused.take();
    fixture.add_with_manifest(&the_snapshot(), &[1]);
    assert!(forget(&fixture).unwrap().is_group_removed);
}
