//! The removal of nested namespaces on real files: what goes, what stays, and who is in the way.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, group, namespace, owner, snapshot};
use datastore::ops::backup::{self, BackupError};
use datastore::ops::delete_namespace::{self, DeleteError, Report, Settings};
use datastore::ops::{gc, move_group};
use datastore::paths::BackupTime;
use specs::Design;
use specs::lock_class::Mode;
use std::fs;

const FILES: &[(&str, &[u8])] = &[("drive.img.fidx", &[0])];

/// Groups in `a` and in two namespaces below it, and one beside it.
fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    for (ns, name) in [
        ("a", "vm/100"),
        ("a/b", "vm/100"),
        ("a/b", "ct/7"),
        ("a/c", "host/web"),
        ("b", "vm/100"),
    ] {
        for time in [OLD, NEW] {
            fixture.add_finished(&snapshot(&group(ns, name), time), FILES);
        }
    }
    fixture.cx.sys.hold_against_tables(design);
    fixture
}

fn delete(fixture: &Fixture, name: &str) -> Result<Report, DeleteError> {
    let settings = Settings {
        namespace: namespace(name),
    };
    delete_namespace::run(&fixture.cx, &fixture.store, &settings)
}

/// Removes a namespace of which nothing stays.
fn delete_all(fixture: &Fixture, name: &str) {
    assert!(delete(fixture, name).unwrap().kept.is_empty());
}

/// The steps of the operation itself, without those of the removals inside it.
fn own_steps(fixture: &Fixture) -> Vec<String> {
    own(fixture.cx.sys.steps())
}

fn own(mut steps: Vec<String>) -> Vec<String> {
    steps.retain(|step| step.starts_with("delete_namespace."));
    let short = |step: String| step.replace("delete_namespace.", "");
    steps.into_iter().map(short).collect()
}

fn names<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(T::to_string).collect()
}

#[test]
fn all_groups_and_namespaces_below_go_and_nothing_else() {
    for design in [
        Design::HARDENED,
        Design::UPSTREAM,
        Design::NAMESPACE_LOCKS,
        Design::NAMESPACE_LOCKS_WAIT,
    ] {
        let fixture = fixture(design);
        let beside = fixture.below("ns/b");
        let report = delete(&fixture, "a").unwrap();
        assert_eq!(names(&report.removed), ["ns/a/ns/c", "ns/a/ns/b", "ns/a"]);
        assert_eq!(
            names(&report.groups),
            [
                "ns/a/ns/c/host/web",
                "ns/a/ns/b/vm/100",
                "ns/a/ns/b/ct/7",
                "ns/a/vm/100"
            ]
        );
        assert!(report.kept.is_empty() && report.protected.is_empty());
        assert!(!fixture.path("ns/a").exists(), "{design:?}");
        assert_eq!(fixture.below("ns/b"), beside);
        let locks = common::tree(fixture.store.layout().locks());
        let left: Vec<&String> = locks
            .iter()
            .filter(|lock| lock.contains('/') && !lock.ends_with(".ns-lock"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn deepest_namespace_is_emptied_first_and_each_directory_after_what_lies_in_it() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_finished(&snapshot(&group("a/b", "vm/100"), OLD), FILES);
    fixture.cx.sys.hold_against_tables(Design::HARDENED);
    delete_all(&fixture, "a");
    let looks = format!("check_protected(ns/a/ns/b/vm/100/{OLD})");
    assert_eq!(
        own_steps(&fixture),
        [
            "list_namespaces(ns/a)",
            "list_namespaces(ns/a/ns/b) = NotFound",
            "list_groups(ns/a/ns/b)",
            "lock_group(ns/a/ns/b/vm/100)",
            "list_group(ns/a/ns/b/vm/100)",
            looks.as_str(),
            "list_group_again(ns/a/ns/b/vm/100)",
            "unlink_owner(ns/a/ns/b/vm/100)",
            "remove_group(ns/a/ns/b/vm/100)",
            "unlink_group_lock(ns/a/ns/b/vm/100)",
            "unlock_group(ns/a/ns/b/vm/100)",
            "remove_type(ns/a/ns/b/vm)",
            "remove_children(ns/a/ns/b/ns) = NotFound",
            "remove_namespace(ns/a/ns/b)",
            "list_groups(ns/a)",
            "remove_type(ns/a/vm) = NotFound",
            "remove_children(ns/a/ns)",
            "remove_namespace(ns/a)",
        ]
    );
}

#[test]
fn snapshots_go_one_by_one_oldest_first_under_the_lock_of_their_group() {
    let fixture = Fixture::new(Design::HARDENED);
    let one = group("a", "vm/100");
    for time in [NEW, OLD] {
        fixture.add_finished(&snapshot(&one, time), FILES);
    }
    delete_all(&fixture, "a");
    let steps = fixture.cx.sys.steps();
    let removals: Vec<&String> = steps
        .iter()
        .filter(|step| {
            step.starts_with("forget_snapshot.lock_snapshot")
                || step.starts_with("forget_snapshot.lock_group")
        })
        .collect();
    assert_eq!(
        removals,
        [
            &format!("forget_snapshot.lock_snapshot({one}/{OLD})"),
            &format!("forget_snapshot.lock_group({one}) = WouldBlock"),
            &format!("forget_snapshot.lock_snapshot({one}/{NEW})"),
            &format!("forget_snapshot.lock_group({one}) = WouldBlock"),
        ]
    );
}

#[test]
fn protected_snapshot_keeps_its_group_and_the_namespaces_above_it() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        let kept = snapshot(&group("a/b", "vm/100"), OLD);
        fs::write(fixture.store.layout().protected(&kept), "").unwrap();
        let report = delete(&fixture, "a").unwrap();
        assert_eq!(names(&report.protected), [kept.to_string()]);
        assert_eq!(names(&report.kept), ["ns/a/ns/b", "ns/a"]);
        assert_eq!(names(&report.removed), ["ns/a/ns/c"]);
        let all = fixture.cx.sys.steps();
        // Nobody takes a lock of a snapshot that is protected.
        let locks = format!("forget_snapshot.lock_snapshot({kept})");
        assert!(!all.contains(&locks), "{all:#?}");
        let steps = own(all);
        let looks = format!("check_protected({kept}) = Refused");
        let again = "list_group_again(ns/a/ns/b/vm/100) = NotEmpty".to_owned();
        assert_eq!(steps.contains(&again), design == Design::HARDENED);
        for step in [
            looks.as_str(),
            "remove_type(ns/a/ns/b/vm) = NotEmpty",
            "remove_namespace(ns/a/ns/b) = NotEmpty",
            "remove_children(ns/a/ns) = NotEmpty",
            "remove_namespace(ns/a) = NotEmpty",
        ] {
            assert!(steps.iter().any(|s| s == step), "{step} in {steps:#?}");
        }
        let path = fixture.path(&kept);
        assert!(path.join("index.json.blob").exists());
        assert!(path.parent().unwrap().join("owner").exists());
        assert!(!fixture.path(snapshot(kept.group(), NEW)).exists());
        assert!(!fixture.path(group("a/b", "ct/7")).exists());
        fs::remove_file(fixture.store.layout().protected(&kept)).unwrap();
        let report = delete(&fixture, "a").unwrap();
        assert_eq!(names(&report.removed), ["ns/a/ns/b", "ns/a"]);
    }
}

#[test]
fn protected_snapshot_keeps_no_group_but_its_own() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for protected in [
            ("a/b", "vm/100"),
            ("a/b", "ct/7"),
            ("a/c", "host/web"),
            ("a", "vm/100"),
        ] {
            let fixture = fixture(design);
            let kept = snapshot(&group(protected.0, protected.1), NEW);
            fs::write(fixture.store.layout().protected(&kept), "").unwrap();
            let report = delete(&fixture, "a").unwrap();
            assert_eq!(names(&report.protected), [kept.to_string()]);
            for (ns, name) in [
                ("a", "vm/100"),
                ("a/b", "vm/100"),
                ("a/b", "ct/7"),
                ("a/c", "host/web"),
            ] {
                let other = group(ns, name);
                let stays = (ns, name) == protected;
                assert_eq!(
                    fixture.path(&other).exists(),
                    stays,
                    "{other} beside {kept}"
                );
                assert_eq!(
                    report.groups.contains(&other),
                    !stays,
                    "{other}: {report:?}"
                );
            }
        }
    }
}

#[test]
fn busy_group_or_snapshot_ends_the_call_and_a_later_one_goes_on() {
    let fixture = fixture(Design::HARDENED);
    let busy = group("a", "vm/100");
    let layout = fixture.store.layout();
    for (lock, is_group) in [
        (layout.group_lock(&busy), true),
        (layout.snapshot_lock(&snapshot(&busy, NEW)), false),
    ] {
        let held = fixture.hold(lock, Mode::Exclusive);
        let error = delete(&fixture, "a").unwrap_err();
        assert!(error.is_busy(), "{error}");
        assert!(error.to_string().contains("ns/a/vm/100"), "{error}");
        let steps = own_steps(&fixture);
        assert_eq!(steps.last().map(String::as_str), Some("release_all"));
        assert!(fixture.path(snapshot(&busy, NEW)).exists());
        assert_eq!(fixture.path(snapshot(&busy, OLD)).exists(), is_group);
        drop(held);
        drop(fixture.hold(layout.group_lock(&busy), Mode::Exclusive));
    }
    assert!(!fixture.path(namespace("a/b")).exists());
    delete_all(&fixture, "a");
    assert!(!fixture.path(namespace("a")).exists());
}

#[test]
fn whoever_works_below_keeps_the_namespace_in_a_design_with_locks_of_namespaces() {
    let fixture = fixture(Design::NAMESPACE_LOCKS);
    let before = common::tree(&fixture.path("."));
    let layout = fixture.store.layout();
    let held = fixture.hold(layout.namespace_lock(&namespace("a")), Mode::Shared);
    let error = delete(&fixture, "a").unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(
        own_steps(&fixture),
        ["lock_namespace(ns/a) = WouldBlock", "release_all"]
    );
    // Both only share the lock of the outer one.
    delete_all(&fixture, "a/b");
    assert_eq!(
        own_steps(&fixture)[..2],
        ["lock_namespace(ns/a/ns/b)", "lock_ancestor(ns/a)"]
    );
    drop(held);
    assert_ne!(common::tree(&fixture.path(".")), before);
    delete_all(&fixture, "a");
    let steps = own_steps(&fixture);
    assert_eq!(
        steps.last().map(String::as_str),
        Some("unlock_namespace(ns/a)")
    );
}

#[test]
fn what_somebody_else_removes_meanwhile_is_skipped_or_ends_the_published_design() {
    for (at, gone, outcome) in [
        ("list_groups(ns/a/ns/b)", "ns/a/ns/b", "NotFound"),
        ("list_group(ns/a/ns/b/ct/7)", "ns/a/ns/b/ct/7", "NotFound"),
    ] {
        for design in [Design::HARDENED, Design::UPSTREAM] {
            let fixture = fixture(design);
            let path = fixture.path(gone);
            fixture
                .cx
                .sys
                .at(format!("delete_namespace.{at}"), move || {
                    fs::remove_dir_all(path).unwrap();
                });
            let result = delete(&fixture, "a");
            assert_eq!(result.is_ok(), design == Design::HARDENED, "{at}");
            let steps = own_steps(&fixture);
            assert!(steps.contains(&format!("{at} = {outcome}")), "{steps:#?}");
            assert_eq!(fixture.path("ns/a").exists(), design == Design::UPSTREAM);
        }
    }
}

#[test]
fn group_that_appears_while_the_namespace_is_taken_apart_keeps_it() {
    let fixture = fixture(Design::HARDENED);
    let late = fixture.path(snapshot(&group("a/b", "vm/200"), NEW));
    let label = "delete_namespace.remove_type(ns/a/ns/b/vm)";
    let made = late.clone();
    fixture
        .cx
        .sys
        .at(label, move || fs::create_dir_all(made).unwrap());
    let report = delete(&fixture, "a").unwrap();
    assert_eq!(names(&report.kept), ["ns/a/ns/b", "ns/a"]);
    assert!(late.exists());
}

#[test]
fn group_that_whoever_made_it_removes_again_is_let_go() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for step in ["list_group_again", "remove_group"] {
            if step == "list_group_again" && design == Design::UPSTREAM {
                continue;
            }
            let fixture = fixture(design);
            let path = fixture.path("ns/a/ns/b/ct/7");
            fixture.cx.sys.at(
                format!("delete_namespace.{step}(ns/a/ns/b/ct/7)"),
                move || fs::remove_dir_all(path).unwrap(),
            );
            delete_all(&fixture, "a");
            let steps = own_steps(&fixture);
            let gone = format!("{step}(ns/a/ns/b/ct/7) = NotFound");
            let at = steps.iter().position(|s| *s == gone).unwrap();
            assert_eq!(steps[at + 1], "unlock_group(ns/a/ns/b/ct/7)");
        }
    }
}

#[test]
fn root_namespace_cannot_be_removed() {
    let fixture = fixture(Design::HARDENED);
    let error = delete(&fixture, "").unwrap_err();
    assert!(matches!(error, DeleteError::Root), "{error}");
    assert!(fixture.cx.sys.steps().is_empty());
}

#[test]
fn file_that_nobody_knows_keeps_its_group_and_the_lock_file() {
    let fixture = Fixture::new(Design::HARDENED);
    let one = group("a", "vm/100");
    fixture.add_finished(&snapshot(&one, OLD), FILES);
    fs::write(fixture.path(&one).join("unknown"), "").unwrap();
    let report = delete(&fixture, "a").unwrap();
    assert_eq!(names(&report.kept), ["ns/a"]);
    assert!(report.groups.is_empty());
    assert!(fixture.store.layout().group_lock(&one).exists());
}

fn back_up(fixture: &Fixture, ns: &str) -> Result<(), BackupError> {
    let settings = backup::Settings {
        group: group(ns, "vm/300"),
        owner: owner("root@pam"),
        time: BackupTime::parse(NEW).unwrap(),
        archives: Vec::new(),
        client_has_left: &|| false,
    };
    backup::run(&fixture.cx, &fixture.store, &settings).map(drop)
}

#[test]
fn backup_into_a_namespace_that_is_gone_is_refused() {
    for (design, steps) in [
        (
            Design::UPSTREAM,
            "backup.check_namespace(ns/gone) = NotFound backup.release_all",
        ),
        (
            Design::HARDENED,
            "backup.lock_group(ns/gone/vm/300) backup.check_namespace(ns/gone) = NotFound forget_snapshot.list_group(ns/gone/vm/300) = NotFound backup.release_all",
        ),
    ] {
        let fixture = fixture(design);
        let error = back_up(&fixture, "gone").unwrap_err();
        assert!(
            error.to_string().contains("no namespace ns/gone"),
            "{error}"
        );
        assert_eq!(fixture.cx.sys.steps().join(" "), steps);
        assert!(!fixture.path("ns/gone").exists());
    }
}

#[test]
fn namespace_that_was_removed_does_not_come_back_with_a_group() {
    for (design, returns) in [(Design::HARDENED, false), (Design::UPSTREAM, true)] {
        let fixture = fixture(design);
        let path = fixture.path("ns/a");
        let gone = path.clone();
        fixture
            .cx
            .sys
            .at("backup.create_group(ns/a/ns/b/vm/300)", move || {
                fs::remove_dir_all(gone).unwrap();
            });
        let result = back_up(&fixture, "a/b");
        assert_eq!(result.is_ok(), returns, "{design:?}");
        assert_eq!(path.exists(), returns, "{design:?}");

        let path = fixture.path("ns/c");
        fs::create_dir_all(&path).unwrap();
        let gone = path.clone();
        fixture
            .cx
            .sys
            .at("move_group.create_target_group", move || {
                fs::remove_dir_all(gone).unwrap();
            });
        let settings = move_group::Settings::new(group("b", "vm/100"), namespace("c"));
        let result = move_group::run(&fixture.cx, &fixture.store, &settings);
        assert_eq!(result.is_ok(), returns, "{design:?}");
        assert_eq!(path.exists(), returns, "{design:?}");
    }
}

#[test]
fn type_directory_that_went_does_not_keep_a_group_from_being_made() {
    let fixture = fixture(Design::HARDENED);
    fs::remove_dir_all(fixture.path("ns/b/vm")).unwrap();
    back_up(&fixture, "b").unwrap();
    assert!(fixture.path(group("b", "vm/300")).exists());
}

#[test]
fn collection_skips_a_namespace_that_is_gone_and_ends_as_published() {
    for (design, ends) in [(Design::HARDENED, true), (Design::UPSTREAM, false)] {
        let fixture = fixture(design);
        let path = fixture.path("ns/a/ns/b");
        fixture.cx.sys.at("gc.list_groups(ns/a/ns/b)", move || {
            fs::remove_dir_all(path).unwrap();
        });
        let settings = gc::Settings::default();
        let result = gc::run(&fixture.cx, &fixture.store, &settings);
        assert_eq!(result.is_ok(), ends, "{design:?}");
        let steps = fixture.cx.sys.steps();
        let skipped = steps
            .iter()
            .position(|s| s == "gc.list_groups(ns/a/ns/b) = NotFound");
        assert!(skipped.is_some(), "{steps:#?}");
        let goes_on = steps.iter().any(|s| s == "gc.list_groups(ns/b)");
        assert_eq!(goes_on, ends);
    }
}
