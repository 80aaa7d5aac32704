//! Locks of nested namespaces on real lock files: whom they keep out, in which order they are let go, and
//! what whoever finds one busy does.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, TestSys, group, namespace, owner, snapshot};
use datastore::error::LockError;
use datastore::namespace_locks::NamespaceLocks;
use datastore::ops::backup::{self, Archive, BackupError};
use datastore::ops::prune::{self, KeepOptions};
use datastore::ops::take_namespace_lock::{self, Settings};
use datastore::ops::{move_group, verify};
use datastore::paths::BackupTime;
use datastore::{Cx, Datastore, Namespace};
use specs::Design;
use specs::ToLabel as _;
use specs::design::Change;
use specs::lock_class::Mode;
use specs::ops::take_namespace_lock::Step;
use std::fs;
use std::path::Path;

/// Seven components, which with the root namespace makes eight.
const DEEPEST: &str = "1/2/3/4/5/6/7";

fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    fs::create_dir_all(fixture.path(namespace("a/b"))).unwrap();
    fixture.cx.sys.hold_against_tables(design);
    fixture
}

fn other(design: Design) -> Cx<TestSys> {
    Cx {
        sys: TestSys::default(),
        design,
    }
}

/// Takes the locks of a namespace and keeps them.
fn lock<'s>(
    cx: &'s Cx<TestSys>,
    store: &Datastore<TestSys>,
    name: &str,
    mode: Mode,
) -> Result<NamespaceLocks<'s, TestSys>, LockError> {
    let mut locks = NamespaceLocks::none();
    let label = namespace(name);
    locks.lock(cx, store, &label, mode, |n, _| Step::LockShared.of(n))?;
    Ok(locks)
}

fn take(
    fixture: &Fixture,
    first: (&str, Mode),
    second: Option<(&str, Mode)>,
) -> Result<(), LockError> {
    let named = |(name, mode)| (namespace(name), mode);
    let settings = Settings {
        first: named(first),
        second: second.map(named),
    };
    take_namespace_lock::run(&fixture.cx, &fixture.store, &settings)
}

fn steps(fixture: &Fixture) -> Vec<String> {
    fixture.cx.sys.steps()
}

/// The steps of `take_namespace_lock`, in one line.
fn short(fixture: &Fixture) -> String {
    steps(fixture).join(" ").replace("take_namespace_lock.", "")
}

/// Whether the lock file of this one namespace is free.
fn is_free(fixture: &Fixture, name: &str) -> bool {
    let sys = TestSys::default();
    let design = Design::NAMESPACE_LOCKS;
    let name = namespace(name);
    let store = &fixture.store;
    store
        .lock_namespace(&sys, design, &name, Mode::Exclusive)
        .is_ok()
}

/// Whether a namespace is another one or lies below it; below the root namespace does not count.
fn is_in(inner: &str, outer: &str) -> bool {
    inner == outer || (!outer.is_empty() && inner.starts_with(&format!("{outer}/")))
}

#[test]
fn exclusive_holder_is_alone_in_its_namespace_and_below_it() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let (first, second) = (other(fixture.cx.design), other(fixture.cx.design));
    let names = ["", "a", "a/b", "a/b/c", "a/x", "ab", "b"];
    let modes = [Mode::Shared, Mode::Exclusive];
    let cases = || {
        let of = |name| modes.map(|mode| (name, mode));
        names.into_iter().flat_map(of)
    };
    for (held_name, held_mode) in cases() {
        let held = lock(&first, &fixture.store, held_name, held_mode).unwrap();
        for (name, mode) in cases() {
            let is_refused = match (held_name, name) {
                // The root namespace has no shared lock, and nobody else shares it.
                ("", "") => held_mode == Mode::Exclusive && mode == Mode::Exclusive,
                ("", _) | (_, "") => false,
                _ => {
                    (held_mode == Mode::Exclusive && is_in(name, held_name))
                        || (mode == Mode::Exclusive && is_in(held_name, name))
                }
            };
            let tried = lock(&second, &fixture.store, name, mode);
            let case = format!("{held_name:?} {held_mode:?} held, {name:?} {mode:?} tried");
            assert_eq!(tried.is_err(), is_refused, "{case}");
        }
        drop(held);
    }
}

#[test]
fn lock_of_the_namespace_alone_does_not_meet_those_of_the_others() {
    for (design, inner) in [
        (
            Design::NAMESPACE_LOCKS.with(Change::NamespaceExclusiveAlone),
            Mode::Exclusive,
        ),
        (
            Design::NAMESPACE_LOCKS.with(Change::NamespaceSharedAlone),
            Mode::Shared,
        ),
    ] {
        let fixture = fixture(design);
        let (first, second) = (other(design), other(design));
        let held = lock(&first, &fixture.store, "a/b", inner).unwrap();
        let outer = lock(&second, &fixture.store, "a", Mode::Exclusive);
        assert!(outer.is_ok(), "that is what is wrong with {design:?}");
        drop(held);
    }
}

#[test]
fn namespaces_are_locked_to_the_greatest_depth_there_is() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let cx = other(fixture.cx.design);
    let held = lock(&cx, &fixture.store, DEEPEST, Mode::Shared).unwrap();
    let locks = fixture.store.layout().locks();
    for directory in ["1", "1:2", "1:2:3", "1:2:3:4:5:6:7"] {
        assert!(locks.join(directory).join(".ns-lock").exists());
    }
    assert!(!locks.join(".ns-lock").exists(), "that of the root");
    let outermost = take(&fixture, ("1", Mode::Exclusive), None);
    assert!(matches!(outermost, Err(LockError::WouldBlock(_))));
    drop(held);
    take(&fixture, ("1", Mode::Exclusive), None).unwrap();
    steps(&fixture);
    take(&fixture, (DEEPEST, Mode::Exclusive), None).unwrap();
    assert_eq!(steps(&fixture).len(), 14, "seven taken, seven let go");
    assert!(namespace(DEEPEST).child("8").is_err());
    assert!(Namespace::new(&format!("{DEEPEST}/8")).is_err());
}

#[test]
fn files_of_namespace_locks_stay_and_are_made_like_other_lock_files() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    take(&fixture, ("a", Mode::Exclusive), None).unwrap();
    let path = fixture.store.layout().namespace_lock(&namespace("a"));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let expected = fixture.store.layout().locks().join("a/.ns-lock");
    assert_eq!(path, expected);
}

#[test]
fn locks_are_let_go_in_the_order_in_which_they_were_taken() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    take(
        &fixture,
        ("a/b", Mode::Exclusive),
        Some(("c", Mode::Shared)),
    )
    .unwrap();
    assert_eq!(
        short(&fixture),
        "lock_exclusive(ns/a/ns/b) lock_shared(ns/a) lock_shared(ns/c) unlock_namespace(ns/a/ns/b) unlock_namespace(ns/a) unlock_namespace(ns/c)"
    );
    let ancestors_first = Fixture::new(
        Design::NAMESPACE_LOCKS
            .with(Change::NamespaceAncestorsFirst)
            .with(Change::NamespaceLocksBlock),
    );
    take(&ancestors_first, ("a/b", Mode::Exclusive), None).unwrap();
    assert_eq!(
        short(&ancestors_first),
        "lock_shared(ns/a) lock_exclusive(ns/a/ns/b) unlock_namespace(ns/a) unlock_namespace(ns/a/ns/b)"
    );
}

#[test]
fn each_step_of_letting_go_frees_one_lock() {
    let fixture = std::rc::Rc::new(fixture(Design::NAMESPACE_LOCKS));
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    for name in ["ns/a/ns/b", "ns/a"] {
        let (looked, seen) = (fixture.clone(), seen.clone());
        let label = format!("take_namespace_lock.unlock_namespace({name})");
        fixture.cx.sys.at(label, move || {
            let free = [is_free(&looked, "a/b"), is_free(&looked, "a")];
            seen.borrow_mut().push(free);
        });
    }
    take(&fixture, ("a/b", Mode::Shared), None).unwrap();
    assert_eq!(*seen.borrow(), [[false, false], [true, false]]);
    assert!(is_free(&fixture, "a"));
}

#[test]
fn busy_lock_ends_the_taking_and_frees_what_was_taken() {
    for (design, outcome) in [
        (Design::HARDENED, "WouldBlock"),
        (Design::UPSTREAM, "WouldBlock"),
        (Design::NAMESPACE_LOCKS, "WouldBlock"),
        (Design::NAMESPACE_LOCKS_WAIT, "TimedOut"),
    ] {
        let fixture = fixture(design);
        let cx = other(Design::NAMESPACE_LOCKS);
        let held = lock(&cx, &fixture.store, "a", Mode::Exclusive).unwrap();
        let error = take(&fixture, ("a/b", Mode::Exclusive), None).unwrap_err();
        assert!(error.is_conflict(), "{error}");
        assert_eq!(
            short(&fixture),
            format!("lock_exclusive(ns/a/ns/b) lock_shared(ns/a) = {outcome} release_all")
        );
        assert!(is_free(&fixture, "a/b"));
        drop(held);
        take(&fixture, ("a/b", Mode::Exclusive), None).unwrap();
    }
}

fn back_up(
    fixture: &Fixture,
    time: &str,
    client_has_left: &dyn Fn() -> bool,
) -> Result<(), BackupError> {
    let settings = backup::Settings {
        group: group("a/b", "vm/100"),
        owner: owner("root@pam"),
        time: BackupTime::parse(time).unwrap(),
        archives: vec![Archive {
            name: "drive.img.fidx".to_owned(),
            chunks: vec![common::finished::contents(u8::from(time == NEW)).to_vec()],
        }],
        client_has_left,
    };
    backup::run(&fixture.cx, &fixture.store, &settings).map(drop)
}

#[test]
fn backup_keeps_its_namespaces_for_the_whole_session() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let in_session = || {
        assert!(!is_free(&fixture, "a/b") && !is_free(&fixture, "a"));
        false
    };
    back_up(&fixture, OLD, &in_session).unwrap();
    let steps = steps(&fixture);
    assert_eq!(
        steps[..5],
        [
            "backup.check_namespace(ns/a/ns/b)",
            "backup.lock_namespace(ns/a/ns/b)",
            "backup.lock_namespace(ns/a)",
            "backup.create_group(ns/a/ns/b/vm/100)",
            "backup.lock_group(ns/a/ns/b/vm/100)",
        ]
    );
    assert_eq!(
        steps[steps.len() - 3..],
        [
            "backup.unlock_group(ns/a/ns/b/vm/100)",
            "backup.unlock_namespace(ns/a/ns/b)",
            "backup.unlock_namespace(ns/a)",
        ]
    );
    assert!(is_free(&fixture, "a/b") && is_free(&fixture, "a"));
    let leaves = || true;
    back_up(&fixture, NEW, &leaves).unwrap_err();
    assert!(is_free(&fixture, "a/b") && is_free(&fixture, "a"));
}

#[test]
fn backup_and_move_give_up_when_a_namespace_above_is_busy() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let cx = other(Design::NAMESPACE_LOCKS);
    let moved = group("a/b", "vm/100");
    fixture.add_finished(&snapshot(&moved, OLD), &[("drive.img.fidx", &[0])]);
    let before = common::tree(&fixture.path("."));
    let held = lock(&cx, &fixture.store, "a", Mode::Exclusive).unwrap();
    let error = back_up(&fixture, NEW, &|| false).unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(
        steps(&fixture).last().map(String::as_str),
        Some("backup.release_all")
    );
    for (source, target) in [("a/b", "b"), ("b", "a/b")] {
        let settings = move_group::Settings::new(group(source, "vm/100"), namespace(target));
        let error = move_group::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
        assert!(error.is_busy(), "{error}");
        assert!(error.to_string().contains("namespace ns/a/ns/b"), "{error}");
        assert_eq!(
            steps(&fixture).last().map(String::as_str),
            Some("move_group.release_all")
        );
    }
    drop(held);
    assert_eq!(common::tree(&fixture.path(".")), before);
    for name in ["a/b", "b"] {
        assert!(is_free(&fixture, name));
    }
}

#[test]
fn group_moves_by_one_rename_under_the_locks_of_both_namespaces() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let moved = group("a/b", "vm/100");
    fixture.add_finished(&snapshot(&moved, OLD), &[("drive.img.fidx", &[0])]);
    let settings = move_group::Settings::new(moved.clone(), namespace("a"));
    move_group::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert_eq!(
        steps(&fixture).join("\n").replace("move_group.", ""),
        "lock_source_namespace(ns/a/ns/b)
lock_source_namespace(ns/a)
lock_target_namespace(ns/a)
lock_source_group
check_move
lock_target_group
rename_group
unlink_source_group_lock
unlock_source_group
unlock_target_group
unlock_source_namespace(ns/a/ns/b)
unlock_source_namespace(ns/a)
unlock_target_namespace(ns/a)"
    );
    assert!(!fixture.path(moved).exists());
    assert!(
        fixture
            .path(snapshot(&group("a", "vm/100"), OLD))
            .join("index.json.blob")
            .exists()
    );
    assert!(!fixture.store.layout().journal().exists());
}

#[test]
fn prune_skips_a_group_whose_namespace_is_busy_and_says_so() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let pruned = group("a/b", "vm/100");
    fixture.add_finished(&snapshot(&pruned, OLD), &[("drive.img.fidx", &[0])]);
    fixture.add_finished(&snapshot(&pruned, NEW), &[("drive.img.fidx", &[0])]);
    let settings = prune::Settings {
        group: pruned.clone(),
        keep: KeepOptions {
            last: Some(1),
            ..KeepOptions::default()
        },
    };
    let prune = || prune::run(&fixture.cx, &fixture.store, &settings).unwrap();
    let cx = other(Design::NAMESPACE_LOCKS);
    let held = lock(&cx, &fixture.store, "a", Mode::Exclusive).unwrap();
    let report = prune();
    assert!(report.busy_namespace.is_some());
    assert!(report.removed.is_empty() && report.kept.is_empty());
    assert_eq!(
        steps(&fixture),
        [
            "prune.lock_namespace(ns/a/ns/b)",
            "prune.lock_namespace(ns/a) = WouldBlock",
            "prune.unlock_namespace(ns/a/ns/b)",
        ]
    );
    drop(held);
    let report = prune();
    assert!(report.busy_namespace.is_none());
    assert_eq!(report.removed, [snapshot(&pruned, OLD)]);
    let steps = steps(&fixture);
    assert_eq!(steps[0], "prune.lock_namespace(ns/a/ns/b)");
    assert_eq!(steps[2], "prune.list_group(ns/a/ns/b/vm/100)");
    assert_eq!(
        steps[steps.len() - 2..],
        [
            "prune.unlock_namespace(ns/a/ns/b)",
            "prune.unlock_namespace(ns/a)"
        ]
    );
}

#[test]
fn failed_prune_lets_its_namespaces_go() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let settings = prune::Settings {
        group: group("a/b", "vm/100"),
        keep: KeepOptions::default(),
    };
    prune::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
    assert_eq!(
        steps(&fixture)[2..],
        [
            "prune.list_group(ns/a/ns/b/vm/100) = NotFound",
            "prune.unlock_namespace(ns/a/ns/b)",
            "prune.unlock_namespace(ns/a)"
        ]
    );
}

#[test]
fn verify_skips_a_snapshot_whose_namespace_or_name_is_busy() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let one = snapshot(&group("a/b", "vm/100"), OLD);
    fixture.add_finished(&one, &[("drive.img.fidx", &[0])]);
    let settings = verify::Settings {
        group: one.group().clone(),
    };
    let verify = || verify::run(&fixture.cx, &fixture.store, &settings).unwrap();
    let without_argument = || {
        let cut = |step: String| match step.split_once(&format!("({one}")) {
            Some((step, rest)) => format!("{step}{}", rest.trim_start_matches(')')),
            None => step,
        };
        let steps = steps(&fixture).into_iter().map(cut);
        steps
            .collect::<Vec<_>>()
            .join(" ")
            .replace("verify.", "")
            .replace("(ns/a/ns/b/vm/100)", "")
    };
    let cx = other(Design::NAMESPACE_LOCKS);
    let held = lock(&cx, &fixture.store, "a", Mode::Exclusive).unwrap();
    assert_eq!(verify().busy, 1);
    assert_eq!(
        without_argument(),
        "list_group list_snapshot check_snapshot lock_namespace(ns/a/ns/b) lock_namespace(ns/a) = WouldBlock unlock_namespace(ns/a/ns/b)"
    );
    drop(held);
    let held = fixture.hold(fixture.store.layout().snapshot_lock(&one), Mode::Exclusive);
    assert_eq!(verify().busy, 1);
    assert_eq!(
        without_argument(),
        "list_group list_snapshot check_snapshot lock_namespace(ns/a/ns/b) lock_namespace(ns/a) lock_snapshot = WouldBlock unlock_namespace(ns/a/ns/b) unlock_namespace(ns/a)"
    );
    drop(held);
    assert_eq!(verify().verified, 1);
    let steps = without_argument();
    assert!(
        steps.ends_with("unlock_snapshot unlock_namespace(ns/a/ns/b) unlock_namespace(ns/a)"),
        "{steps}"
    );
}

#[test]
fn group_in_the_root_namespace_needs_no_lock_of_a_namespace() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let one = snapshot(&group("", "vm/100"), OLD);
    fixture.add_finished(&one, &[("drive.img.fidx", &[0])]);
    let settings = prune::Settings {
        group: one.group().clone(),
        keep: KeepOptions::default(),
    };
    prune::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert!(
        steps(&fixture)
            .iter()
            .all(|step| !step.contains("namespace"))
    );
    let locks: &Path = fixture.store.layout().locks();
    assert!(!locks.join(".ns-lock").exists());
}
