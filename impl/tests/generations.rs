//! Locks of both generations on real files: who excludes whom, when the flag file is looked for, and what a process that
//! locks directories does otherwise.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, TestSys, group, namespace, owner, snapshot, tree};
use datastore::error::LockError;
use datastore::ops::backup::{self, Archive};
use datastore::ops::{
    delete_namespace, forget_snapshot, gc, move_group, set_notes, set_owner, verify,
};
use datastore::paths::BackupTime;
use datastore::sys::Access;
use datastore::{Datastore, Generation, Group, LinuxSys, Prefixes, Snapshot, Sys};
use specs::Design;
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

const FILES: &[(&str, &[u8])] = &[("drive.img.fidx", &[0])];
const LATEST: &str = "2026-07-16T06:33:20Z";

fn the_group() -> Group {
    group("a", "vm/100")
}

fn the_snapshot() -> Snapshot {
    snapshot(&the_group(), NEW)
}

/// A process with two snapshots that looks for a flag file, which is not there yet.
fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::with(design, |config| {
        config.generation = Generation::ByFlag(config.locks.join("old-locking"));
    });
    fill(fixture, design)
}

/// A process of the version before, with the same snapshots.
fn old(design: Design) -> Fixture {
    let fixture = Fixture::with(design, |config| config.generation = Generation::Directories);
    fill(fixture, design)
}

fn fill(fixture: Fixture, design: Design) -> Fixture {
    for time in [OLD, NEW] {
        fixture.add_finished(&snapshot(&the_group(), time), FILES);
    }
    fixture.cx.sys.hold_against_tables(design);
    fixture.cx.sys.calls();
    fixture
}

fn flag(fixture: &Fixture) -> PathBuf {
    fixture.directory.path().join("locks/old-locking")
}

fn set_flag(fixture: &Fixture) {
    fs::write(flag(fixture), "").unwrap();
}

/// How often the flag file was looked for since the last call.
fn looks(fixture: &Fixture) -> usize {
    let calls = fixture.cx.sys.calls();
    calls
        .iter()
        .filter(|call| call.path == flag(fixture))
        .count()
}

/// The lock of a directory, as Proxmox Backup took it before it had lock files.
fn flock(fixture: &Fixture, what: impl std::fmt::Display, mode: Mode) -> fs::File {
    let path = fixture.path(what);
    let file = LinuxSys.open(&path, Access::Read).unwrap();
    LinuxSys.flock(&file, mode, Wait::No).unwrap();
    file
}

/// What lies in the lock directory of the datastore.
fn lock_files(fixture: &Fixture) -> Vec<String> {
    tree(fixture.store.layout().locks())
}

fn steps(fixture: &Fixture) -> Vec<String> {
    let steps = fixture.cx.sys.steps().into_iter();
    let short = |step: String| {
        let step = step.replace(&the_snapshot().to_string(), "N");
        let step = step.replace(&snapshot(&the_group(), LATEST).to_string(), "L");
        step.replace(&the_group().to_string(), "G")
    };
    steps.map(short).collect()
}

fn forget(fixture: &Fixture, time: &str) -> Result<bool, forget_snapshot::ForgetError> {
    let snapshot = snapshot(&the_group(), time);
    let settings = forget_snapshot::Settings { snapshot };
    let report = forget_snapshot::run(&fixture.cx, &fixture.store, &settings)?;
    Ok(report.is_group_removed)
}

fn back_up(fixture: &Fixture, group: Group) -> Result<backup::Report, backup::BackupError> {
    let settings = backup::Settings {
        group,
        owner: owner("root@pam"),
        time: BackupTime::parse(LATEST).unwrap(),
        archives: vec![Archive {
            name: "drive.img.fidx".to_owned(),
            chunks: Vec::new(),
        }],
        client_has_left: &|| false,
    };
    backup::run(&fixture.cx, &fixture.store, &settings)
}

#[test]
fn lock_of_a_directory_excludes_those_of_an_old_process_and_creates_no_file() {
    let fixture = old(Design::HARDENED);
    let (store, sys, design) = (&fixture.store, &fixture.cx.sys, Design::HARDENED);
    let (group, snapshot) = (the_group(), the_snapshot());
    let is_busy = |result: Result<_, LockError>| matches!(result, Err(LockError::WouldBlock(_)));

    let theirs = flock(&fixture, &group, Mode::Exclusive);
    assert!(is_busy(store.lock_group(sys, design, &group)));
    drop(theirs);
    let ours = store.lock_group(sys, design, &group).unwrap();
    let file = LinuxSys.open(&fixture.path(&group), Access::Read).unwrap();
    LinuxSys
        .flock(&file, Mode::Exclusive, Wait::No)
        .unwrap_err();
    assert!(ours.is_directory());
    assert_eq!(ours.path(), fixture.path(&group));

    let theirs = flock(&fixture, &snapshot, Mode::Shared);
    assert!(is_busy(store.lock_snapshot(sys, design, &snapshot)));
    drop(store.lock_snapshot_shared(sys, design, &snapshot).unwrap());
    drop(theirs);
    drop(store.lock_snapshot(sys, design, &snapshot).unwrap());
    assert_eq!(lock_files(&fixture), [""; 0]);
}

#[test]
fn lock_of_a_directory_that_is_not_there_is_told_apart() {
    let fixture = old(Design::HARDENED);
    let (store, sys) = (&fixture.store, &fixture.cx.sys);
    let gone = group("a", "vm/7");
    let result = store.lock_group(sys, Design::HARDENED, &gone);
    let Err(LockError::Missing(error)) = result else {
        panic!("{:?}", result.err());
    };
    assert_eq!(error.path, fixture.path(&gone));
    assert!(!fixture.path(&gone).exists());
}

#[test]
fn flag_file_is_looked_for_once_and_decides_for_as_long_as_the_process_runs() {
    let fixture = fixture(Design::HARDENED);
    let (store, sys, design) = (&fixture.store, &fixture.cx.sys, Design::HARDENED);
    drop(store.lock_group(sys, design, &the_group()).unwrap());
    assert_eq!(looks(&fixture), 1);
    set_flag(&fixture);
    let guard = store.lock_snapshot(sys, design, &the_snapshot()).unwrap();
    assert!(!guard.is_directory());
    drop(store.lock_manifest(sys, design, &the_snapshot()).unwrap());
    assert_eq!(looks(&fixture), 0);
}

#[test]
fn flag_file_that_is_there_at_the_first_lock_makes_all_locks_those_of_directories() {
    let fixture = fixture(Design::HARDENED);
    let (store, sys, design) = (&fixture.store, &fixture.cx.sys, Design::HARDENED);
    set_flag(&fixture);
    let guard = store.lock_snapshot(sys, design, &the_snapshot()).unwrap();
    assert!(guard.is_directory());
    assert!(
        store
            .lock_group(sys, design, &the_group())
            .unwrap()
            .is_directory()
    );
    assert_eq!(looks(&fixture), 1);
}

#[test]
fn what_a_process_found_first_holds_for_its_other_datastores_and_for_one_that_it_opens_again() {
    for is_there in [false, true] {
        let fixture = fixture(Design::HARDENED);
        let locks_directories = |store: &Datastore<TestSys>| {
            let sys = &fixture.cx.sys;
            fs::create_dir_all(store.layout().path(the_group())).unwrap();
            let guard = store.lock_group(sys, Design::HARDENED, &the_group());
            guard.unwrap().is_directory()
        };
        let configured = |name: &str| {
            let mut config = Fixture::config(fixture.directory.path());
            (config.base, config.name) = (config.base.with_file_name(name), name.to_owned());
            config.generation = Generation::ByFlag(flag(&fixture));
            config
        };
        let sys = &fixture.cx.sys;
        let create = |name: &str| Datastore::create(sys, configured(name), Prefixes::Only(&[]));
        // Opened before anything was found.
        let second = create("second").unwrap();
        if is_there {
            set_flag(&fixture);
        }
        assert_eq!(locks_directories(&fixture.store), is_there);
        if is_there {
            fs::remove_file(flag(&fixture)).unwrap();
        } else {
            set_flag(&fixture);
        }
        assert_eq!(locks_directories(&second), is_there);
        drop(second);
        let again = Datastore::open(sys, configured("second")).unwrap();
        assert_eq!(locks_directories(&again), is_there);
        assert_eq!(locks_directories(&create("third").unwrap()), is_there);
        assert_eq!(
            looks(&fixture),
            2,
            "by the second datastore, and at the first lock"
        );
    }
}

#[test]
fn flag_file_that_a_datastore_is_opened_with_decides_for_those_that_are_open() {
    let fixture = fixture(Design::HARDENED);
    let mut config = Fixture::config(fixture.directory.path());
    config.base = config.base.with_file_name("second");
    config.generation = Generation::ByFlag(flag(&fixture));
    set_flag(&fixture);
    let sys = &fixture.cx.sys;
    drop(Datastore::create(sys, config, Prefixes::Only(&[])).unwrap());
    fs::remove_file(flag(&fixture)).unwrap();
    let guard = fixture
        .store
        .lock_group(sys, Design::HARDENED, &the_group());
    assert!(guard.unwrap().is_directory());
}

#[test]
fn flag_file_is_looked_for_at_every_lock_or_never_as_the_design_says() {
    for (design, is_directory, number) in [
        (
            Design::HARDENED.with(Change::FlagPerCall),
            [false, true],
            [1, 1],
        ),
        (
            Design::HARDENED.with(Change::FlagIgnored),
            [false, false],
            [0, 0],
        ),
    ] {
        let fixture = fixture(design);
        let (store, sys) = (&fixture.store, &fixture.cx.sys);
        let before = store.lock_group(sys, design, &the_group()).unwrap();
        let looked = looks(&fixture);
        set_flag(&fixture);
        let after = store.lock_snapshot(sys, design, &the_snapshot()).unwrap();
        assert_eq!([looked, looks(&fixture)], number, "{design:?}");
        let found = [before.is_directory(), after.is_directory()];
        assert_eq!(found, is_directory, "{design:?}");
    }
}

#[test]
fn flag_file_that_cannot_be_looked_for_is_an_error_that_says_so() {
    let fixture = Fixture::with(Design::HARDENED, |config| {
        let file = config.base.with_file_name("file");
        fs::write(&file, "").unwrap();
        config.generation = Generation::ByFlag(file.join("old-locking"));
    });
    let (store, sys) = (&fixture.store, &fixture.cx.sys);
    let result = store.lock_group(sys, Design::HARDENED, &the_group());
    let message = result.err().unwrap().to_string();
    assert!(
        message.starts_with("cannot tell how groups are locked without the flag file"),
        "{message}"
    );
    assert_eq!(lock_files(&fixture), [""; 0]);
}

#[test]
fn manifest_lock_of_an_old_process_is_the_file_at_its_published_path() {
    let fixture = old(Design::HARDENED);
    let (store, sys, design) = (&fixture.store, &fixture.cx.sys, Design::HARDENED);
    let path = store
        .layout()
        .locks()
        .join(format!("ns/a/vm/100/{NEW}/{NEW}.index.json.lck"));
    let guard = store.lock_manifest(sys, design, &the_snapshot()).unwrap();
    assert_eq!(guard.path(), path);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    drop(guard);

    sys.hold_against_tables(design);
    let settings = set_notes::Settings {
        snapshot: the_snapshot(),
        notes: "changed".to_owned(),
    };
    let held = fixture.hold(path.clone(), Mode::Exclusive);
    let result = set_notes::run(&fixture.cx, store, &settings);
    assert!(result.unwrap_err().is_busy());
    drop(held);
    set_notes::run(&fixture.cx, store, &settings).unwrap();
    forget(&fixture, NEW).unwrap();
    assert!(!path.exists());
}

#[test]
fn backup_creates_what_it_locks_by_its_directory() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = old(design);
        back_up(&fixture, the_group()).unwrap();
        let steps = steps(&fixture);
        let order = [
            "backup.check_namespace(ns/a)",
            "backup.create_group(G) = Exists",
            "backup.lock_group(G)",
            "backup.read_owner(G)",
        ];
        assert_eq!(steps[..4], order, "{design:?}");
        let at = |step: &str| steps.iter().position(|s| s == step).unwrap();
        assert!(at("backup.create_snapshot(L)") < at("backup.lock_snapshot(L)"));
    }
}

#[test]
fn group_that_is_new_stays_if_its_directory_is_locked_by_somebody_else() {
    let fixture = old(Design::UPSTREAM);
    let new = group("a", "vm/101");
    let path = fixture.path(&new);
    let (sys, held) = (&fixture.cx.sys, std::rc::Rc::default());
    let keeps = std::rc::Rc::clone(&held);
    sys.at("backup.lock_group(ns/a/vm/101)", move || {
        let file = LinuxSys.open(&path, Access::Read).unwrap();
        LinuxSys.flock(&file, Mode::Exclusive, Wait::No).unwrap();
        std::cell::RefCell::replace(&keeps, Some(file));
    });
    let error = back_up(&fixture, new.clone()).unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(fixture.below(&new), [""; 0]);
    assert!(fixture.path(&new).exists());
    assert!(held.borrow().is_some());
}

#[test]
fn backup_that_finds_the_flag_file_at_its_first_lock_begins_a_new_group_all_the_same() {
    let fixture = fixture(Design::HARDENED);
    set_flag(&fixture);
    back_up(&fixture, group("a", "vm/101")).unwrap();
    assert_eq!(
        fixture.cx.sys.steps()[..4],
        [
            "backup.lock_group(ns/a/vm/101) = NotFound",
            "backup.check_namespace(ns/a)",
            "backup.create_group(ns/a/vm/101)",
            "backup.lock_group(ns/a/vm/101)"
        ]
    );
}

#[test]
fn failed_backup_removes_its_snapshot_and_leaves_its_group() {
    let fixture = old(Design::HARDENED);
    let new = group("a", "vm/101");
    let settings = backup::Settings {
        group: new.clone(),
        owner: owner("root@pam"),
        time: BackupTime::parse(LATEST).unwrap(),
        archives: vec![Archive {
            name: "drive.img.fidx".to_owned(),
            chunks: vec![specs::Scenario::contents(specs::id::Chunk(0)).into()],
        }],
        client_has_left: &|| true,
    };
    let result = backup::run(&fixture.cx, &fixture.store, &settings);
    assert!(matches!(result, Err(backup::BackupError::ClientLeft(_))));
    assert_eq!(fixture.below(&new), ["owner"]);
}

#[test]
fn forgotten_snapshot_leaves_its_group() {
    let fixture = old(Design::HARDENED);
    assert!(!forget(&fixture, OLD).unwrap());
    steps(&fixture);
    assert!(!forget(&fixture, NEW).unwrap());
    assert_eq!(fixture.below(the_group()), ["owner"]);
    let steps = steps(&fixture).join("\n").replace("forget_snapshot.", "");
    assert!(
        steps.ends_with(
            "remove_snapshot(N)\nunlink_manifest_lock(N)\nunlock_manifest(N)\nunlock_snapshot(N)"
        ),
        "{steps}"
    );
    assert!(matches!(
        forget(&fixture, NEW),
        Err(forget_snapshot::ForgetError::Gone(_))
    ));
}

#[test]
fn group_is_removed_under_the_lock_of_its_directory_in_the_design_that_does_so() {
    let fixture = old(Design::HARDENED.with(Change::DirectoryGroupsRemoved));
    forget(&fixture, OLD).unwrap();
    steps(&fixture);
    assert!(forget(&fixture, NEW).unwrap());
    assert!(!fixture.path(the_group()).exists());
    let steps = steps(&fixture).join("\n").replace("forget_snapshot.", "");
    assert!(
        steps.contains(
            "lock_group(G)\nlist_group(G)\nunlink_owner(G)\nremove_group(G)\nunlock_group(G)"
        ),
        "{steps}"
    );
}

#[test]
fn removal_of_a_namespace_leaves_group_type_and_namespace() {
    let settings = delete_namespace::Settings {
        namespace: namespace("a"),
    };
    for (design, stays) in [(Design::HARDENED, true), (Design::DIRECTORY_LOCKS, false)] {
        let fixture = old(design);
        let report = delete_namespace::run(&fixture.cx, &fixture.store, &settings).unwrap();
        assert_eq!(fixture.path(the_group()).exists(), stays, "{design:?}");
        assert_eq!(fixture.path("ns/a").exists(), stays, "{design:?}");
        assert_eq!(report.kept.len(), usize::from(stays));
        if stays {
            assert_eq!(fixture.below("ns/a"), ["vm", "vm/100", "vm/100/owner"]);
            let end = [
                "delete_namespace.unlock_group(G)",
                "delete_namespace.remove_type(ns/a/vm) = NotEmpty",
                "delete_namespace.remove_children(ns/a/ns) = NotFound",
                "delete_namespace.remove_namespace(ns/a) = NotEmpty",
            ];
            assert!(steps(&fixture).ends_with(&end.map(str::to_owned)));
        }
    }
}

#[test]
fn move_refuses_at_once_and_says_which_file_is_in_the_way() {
    let fixture = fixture(Design::HARDENED);
    let before = tree(fixture.directory.path());
    set_flag(&fixture);
    let theirs = flock(&fixture, the_group(), Mode::Exclusive);
    let settings = move_group::Settings::new(the_group(), namespace("b"));
    let error = move_group::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot move ns/a/vm/100: groups are locked by their directories, which cannot move, since {} is there: \
             once no process of the version before runs any more, remove that file and restart this one",
            flag(&fixture).display()
        )
    );
    assert!(!error.is_busy());
    assert_eq!(
        steps(&fixture),
        [
            "move_group.lock_source_group = Refused",
            "move_group.release_all"
        ]
    );
    drop(theirs);
    fs::remove_file(flag(&fixture)).unwrap();
    assert_eq!(tree(fixture.directory.path()), before);
    // The process has decided.
    move_group::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
    assert_eq!(looks(&fixture), 1);
}

#[test]
fn designs_before_moves_refuse_to_move() {
    for design in [Design::DIRECTORY_LOCKS, Design::TMPFS_LOCKS] {
        let fixture = fixture(design);
        let settings = move_group::Settings::new(the_group(), namespace("b"));
        let error = move_group::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot move ns/a/vm/100: this version has no moves"
        );
    }
}

#[test]
fn verification_skips_a_snapshot_that_an_old_process_has_locked() {
    let fixture = old(Design::HARDENED);
    let theirs = flock(&fixture, the_snapshot(), Mode::Exclusive);
    let settings = verify::Settings { group: the_group() };
    let report = verify::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert_eq!(report.busy, 1);
    drop(theirs);
}

#[test]
fn change_of_an_owner_locks_the_directory_or_nothing() {
    let settings = set_owner::Settings {
        group: the_group(),
        owner: owner("user@pbs"),
    };
    for (design, locks) in [(Design::HARDENED, true), (Design::DIRECTORY_LOCKS, false)] {
        let fixture = old(design);
        let theirs = flock(&fixture, the_group(), Mode::Exclusive);
        let result = set_owner::run(&fixture.cx, &fixture.store, &settings);
        assert_eq!(result.is_err_and(|error| error.is_busy()), locks);
        drop(theirs);
        steps(&fixture);
        set_owner::run(&fixture.cx, &fixture.store, &settings).unwrap();
        let steps = steps(&fixture);
        let has_lock = steps.contains(&"set_owner.lock_group(G)".to_owned());
        assert_eq!(has_lock, locks, "{steps:?}");
    }
}

#[test]
fn group_that_is_gone_when_its_directory_is_to_be_locked_is_no_concern_of_a_collection() {
    let fixture = old(Design::HARDENED);
    let next = snapshot(&group("a", "vm/101"), NEW);
    fixture.add(&next, &[1]);
    let (gone, label) = (
        fixture.path(the_group()),
        format!("gc.lock_group({})", the_group()),
    );
    fixture
        .cx
        .sys
        .at(label.clone(), move || fs::remove_dir_all(gone).unwrap());
    let settings = gc::Settings {
        list_attempts: 0,
        ..gc::Settings::default()
    };
    gc::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert!(fixture.has_chunk(1), "the collection has gone on");
    let steps = fixture.cx.sys.steps().join("\n");
    let expected = format!("{label} = NotFound\ngc.lock_group({})\n", next.group());
    assert!(steps.contains(&expected), "{steps}");
}
