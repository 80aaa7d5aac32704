//! Changes of an owner: from the one that was checked, in one rename; what readers of the file find.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, group, namespace, owner, snapshot};
use datastore::Group;
use datastore::ops::backup::{self, BackupError};
use datastore::ops::set_owner::{self, SetOwnerError, Settings};
use datastore::ops::{forget_snapshot, move_group};
use datastore::paths::BackupTime;
use specs::Design;
use specs::design::Change;
use specs::lock_class::Mode;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;

fn the_group() -> Group {
    group("a", "vm/100")
}

/// A group with one snapshot, whose owner is `root@pam`.
fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    fixture.add_with_manifest(&snapshot(&the_group(), OLD), &[1]);
    fixture.cx.sys.hold_against_tables(design);
    fixture
}

fn owner_file(fixture: &Fixture) -> PathBuf {
    fixture.path(the_group()).join("owner")
}

fn set_owner(fixture: &Fixture, name: &str) -> Result<(), SetOwnerError> {
    let settings = Settings {
        group: the_group(),
        owner: owner(name),
    };
    set_owner::run(&fixture.cx, &fixture.store, &settings)
}

fn steps(fixture: &Fixture) -> String {
    let steps = fixture.cx.sys.steps().join(" ");
    let argument = format!("({})", the_group());
    steps.replace("set_owner.", "").replace(&argument, "")
}

#[test]
fn steps_are_those_of_the_design_and_the_owner_is_another_one_then() {
    for (design, expected) in [
        (
            Design::HARDENED,
            "read_owner lock_group recheck_owner write_owner unlock_group",
        ),
        (
            Design::UPSTREAM,
            "read_owner lock_group recheck_owner truncate_owner write_owner unlock_group",
        ),
        (
            Design::HARDENED.with(Change::OwnerNotRechecked),
            "read_owner lock_group write_owner unlock_group",
        ),
    ] {
        let fixture = fixture(design);
        let before = common::tree(&fixture.path("."));
        set_owner(&fixture, "second@pbs!token").unwrap();
        assert_eq!(steps(&fixture), expected, "{design:?}");
        let path = owner_file(&fixture);
        assert_eq!(fs::read(&path).unwrap(), b"second@pbs!token\n");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(common::tree(&fixture.path(".")), before);
        drop(fixture.hold(
            fixture.store.layout().group_lock(&the_group()),
            Mode::Exclusive,
        ));
    }
}

#[test]
fn owner_that_was_changed_after_it_was_checked_stays() {
    let designs = [
        (Design::HARDENED, false),
        (Design::UPSTREAM, false),
        (Design::HARDENED.with(Change::OwnerNotRechecked), true),
    ];
    // By somebody who wants a third one, and by somebody who wants the same.
    let owners = ["third@pbs\n", "second@pbs\n"];
    for ((design, is_lost), owner) in designs
        .iter()
        .flat_map(|of| owners.map(|owner| (*of, owner)))
    {
        let fixture = fixture(design);
        let path = owner_file(&fixture);
        let label = format!("set_owner.lock_group({})", the_group());
        let changed = path.clone();
        fixture
            .cx
            .sys
            .at(label, move || fs::write(changed, owner).unwrap());
        let result = set_owner(&fixture, "second@pbs");
        assert_eq!(result.is_ok(), is_lost, "{design:?}");
        if let Err(error) = result {
            assert!(matches!(error, SetOwnerError::Changed { .. }), "{error}");
            assert_eq!(
                steps(&fixture),
                "read_owner lock_group recheck_owner = Refused release_all"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), owner);
        }
    }
}

#[test]
fn nobody_reads_an_empty_owner_file_while_it_is_replaced() {
    for (design, expected) in [(Design::HARDENED, "root@pam\n"), (Design::UPSTREAM, "")] {
        let fixture = fixture(design);
        let seen = Rc::new(RefCell::new(String::new()));
        let (path, found) = (owner_file(&fixture), seen.clone());
        let label = format!("set_owner.write_owner({})", the_group());
        fixture.cx.sys.at(label, move || {
            *found.borrow_mut() = fs::read_to_string(path).unwrap();
        });
        set_owner(&fixture, "second@pbs").unwrap();
        assert_eq!(*seen.borrow(), expected, "{design:?}");
    }
}

#[test]
fn whoever_opened_the_file_before_it_is_replaced_reads_the_old_owner() {
    let fixture = fixture(Design::HARDENED);
    let mut file = fs::File::open(owner_file(&fixture)).unwrap();
    set_owner(&fixture, "second@pbs").unwrap();
    assert_eq!(std::io::read_to_string(&mut file).unwrap(), "root@pam\n");
}

#[test]
fn full_disk_leaves_the_old_owner_and_no_temporary_file() {
    for room in [0, 5] {
        let fixture = Fixture::new(Design::HARDENED);
        fixture.add_with_manifest(&snapshot(&the_group(), OLD), &[1]);
        let before = common::tree(&fixture.path("."));
        fixture.cx.sys.room.set(Some(room));
        set_owner(&fixture, "second@pbs").unwrap_err();
        assert_eq!(fs::read(owner_file(&fixture)).unwrap(), b"root@pam\n");
        assert_eq!(common::tree(&fixture.path(".")), before);
    }
}

#[test]
fn what_a_crash_leaves_does_not_keep_the_group() {
    let fixture = fixture(Design::HARDENED);
    let directory = fixture.path(the_group());
    // Under which name it writes, a change that fails shows.
    let full = common::TestSys::default();
    full.room.set(Some(0));
    let cx = datastore::Cx {
        sys: full,
        design: Design::HARDENED,
    };
    let settings = Settings {
        group: the_group(),
        owner: owner("second@pbs"),
    };
    set_owner::run(&cx, &fixture.store, &settings).unwrap_err();
    let mut made = cx.sys.calls().into_iter().map(|call| call.path);
    let temporary = made.rfind(|path| path.starts_with(&directory));
    let temporary = temporary.unwrap();
    assert!(!temporary.exists() && temporary.to_string_lossy().contains("owner.tmp_"));
    fs::write(&temporary, "").unwrap();
    let settings = forget_snapshot::Settings {
        snapshot: snapshot(&the_group(), OLD),
    };
    let report = forget_snapshot::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert!(report.is_group_removed);
    assert!(!directory.exists());
}

#[test]
fn busy_group_keeps_its_owner() {
    let fixture = fixture(Design::HARDENED);
    let path = fixture.store.layout().group_lock(&the_group());
    let held = fixture.hold(path, Mode::Exclusive);
    let error = set_owner(&fixture, "second@pbs").unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(
        steps(&fixture),
        "read_owner lock_group = WouldBlock release_all"
    );
    drop(held);
    assert_eq!(fs::read(owner_file(&fixture)).unwrap(), b"root@pam\n");
}

#[test]
fn group_that_is_gone_is_not_made_again() {
    for (step, expected) in [
        ("read_owner", "read_owner = NotFound release_all"),
        (
            "recheck_owner",
            "read_owner lock_group recheck_owner = NotFound release_all",
        ),
        (
            "write_owner",
            "read_owner lock_group recheck_owner write_owner = NotFound release_all",
        ),
    ] {
        let fixture = fixture(Design::HARDENED);
        let directory = fixture.path(the_group());
        let gone = directory.clone();
        let label = format!("set_owner.{step}({})", the_group());
        fixture
            .cx
            .sys
            .at(label, move || fs::remove_dir_all(gone).unwrap());
        set_owner(&fixture, "second@pbs").unwrap_err();
        assert_eq!(steps(&fixture), expected);
        assert!(!directory.exists());
    }
    let fixture = fixture(Design::UPSTREAM);
    let directory = fixture.path(the_group());
    let gone = directory.clone();
    fixture
        .cx
        .sys
        .at(format!("set_owner.truncate_owner({})", the_group()), {
            move || fs::remove_dir_all(gone).unwrap()
        });
    let error = set_owner(&fixture, "second@pbs").unwrap_err();
    assert!(matches!(error, SetOwnerError::NoOwner(_)), "{error}");
    assert!(!directory.exists());
}

#[test]
fn empty_owner_file_is_an_error_that_names_it_and_says_what_to_do() {
    let fixture = fixture(Design::HARDENED);
    let path = owner_file(&fixture);
    for content in ["", "\n"] {
        fs::write(&path, content).unwrap();
        let error = set_owner(&fixture, "second@pbs").unwrap_err();
        let message = error.to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(
            message.contains("write the owner into the file"),
            "{message}"
        );
        assert_eq!(steps(&fixture), "read_owner = Refused release_all");
    }
    let settings = move_group::Settings::new(the_group(), namespace("b"));
    let error = move_group::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
    assert!(error.to_string().contains("is empty"), "{error}");
    let moved = fixture.cx.sys.steps().join(" ");
    assert!(
        moved.ends_with("move_group.read_owner = Refused move_group.release_all"),
        "{moved}"
    );
    let error = back_up(&fixture).unwrap_err();
    assert!(error.to_string().contains("is empty"), "{error}");
    fs::write(&path, "nobody\n").unwrap();
    let error = set_owner(&fixture, "second@pbs").unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
}

fn back_up(fixture: &Fixture) -> Result<(), BackupError> {
    let settings = backup::Settings {
        group: the_group(),
        owner: owner("root@pam"),
        time: BackupTime::parse(NEW).unwrap(),
        archives: Vec::new(),
        client_has_left: &|| false,
    };
    backup::run(&fixture.cx, &fixture.store, &settings).map(drop)
}

#[test]
fn backup_to_a_group_of_somebody_else_is_refused_and_leaves_nothing() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        set_owner(&fixture, "second@pbs").unwrap();
        let before = common::tree(&fixture.path("."));
        let error = back_up(&fixture).unwrap_err();
        assert!(error.to_string().contains("second@pbs"), "{error}");
        let steps = fixture.cx.sys.steps();
        let refused = format!("backup.read_owner({}) = Refused", the_group());
        assert!(steps.contains(&refused), "{steps:?}");
        assert_eq!(common::tree(&fixture.path(".")), before);
    }
}

#[test]
fn moved_group_keeps_the_owner_that_was_set() {
    let fixture = fixture(Design::HARDENED);
    set_owner(&fixture, "second@pbs").unwrap();
    let settings = move_group::Settings::new(the_group(), namespace("b"));
    move_group::run(&fixture.cx, &fixture.store, &settings).unwrap();
    let moved = fixture.path(group("b", "vm/100")).join("owner");
    assert_eq!(fs::read(moved).unwrap(), b"second@pbs\n");
}
