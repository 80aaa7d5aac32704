//! Moving a group on real files: its steps, its calls, what it refuses, and what a failure leaves.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;
#[path = "move_group/failing.rs"]
mod failing;

use common::{Fixture, NEW, OLD, group, namespace, snapshot, tree};
use datastore::lock_file::{self, LockGuard};
use datastore::ops::gc;
use datastore::ops::move_group::{self, Existing, MoveError, Moved, Settings};
use datastore::{Group, LinuxSys};
use specs::Design;
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use specs::mutant::designs;
use std::fs;
use std::path::PathBuf;

/// A time before those of the group that moves.
const EARLIER: &str = "2026-07-13T06:33:20Z";

fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    let source = group("a", "vm/100");
    fixture.add(&snapshot(&source, OLD), &[1]);
    fixture.add(&snapshot(&source, NEW), &[2]);
    fixture
}

fn settings() -> Settings {
    Settings::new(group("a", "vm/100"), namespace("b"))
}

fn move_group(fixture: &Fixture) -> Result<Moved, MoveError> {
    move_group::run(&fixture.cx, &fixture.store, &settings())
}

fn hold(fixture: &Fixture, path: PathBuf) -> LockGuard<'static, LinuxSys> {
    lock_file::lock(
        &LinuxSys,
        path,
        fixture.store.lock_files(),
        Mode::Exclusive,
        Wait::No,
    )
    .unwrap()
}

#[test]
fn steps_are_those_of_the_table_in_its_order() {
    let fixture = fixture(Design::HARDENED);
    fs::write(fixture.path("ns/a/vm/100/notes"), "notes").unwrap();
    let moved = move_group(&fixture).unwrap();
    assert_eq!(
        moved,
        Moved {
            snapshots: 2,
            is_source_removed: true
        }
    );
    let one = |time| {
        format!(
            "lock_manifest(S/{time})
list_snapshot(S/{time})
lock_journal
append_journal(S/{time})
rename_snapshot(S/{time})
unlock_journal
unlink_manifest_lock(S/{time})
unlock_manifest(S/{time})
unlink_snapshot_lock(S/{time})"
        )
    };
    let expected = format!(
        "lock_source_group
check_move
read_owner
lock_target_group
create_target_group
write_target_owner
read_target_owner
list_snapshots
lock_snapshot(S/{OLD})
lock_snapshot(S/{NEW})
{}
{}
unlock_snapshot(S/{OLD})
unlock_snapshot(S/{NEW})
move_notes
list_source_group
unlink_owner
remove_source_group
unlink_source_group_lock
unlock_source_group
unlock_target_group",
        one(OLD),
        one(NEW)
    );
    let steps = fixture
        .cx
        .sys
        .steps()
        .join("\n")
        .replace("ns/a/vm/100", "S");
    assert_eq!(steps.replace("move_group.", ""), expected);

    let target = fixture.path("ns/b/vm/100");
    let target = target.display();
    assert_eq!(
        fixture.journal(),
        format!("{target}/{OLD}/drive.img.fidx\n{target}/{NEW}/drive.img.fidx\n")
    );
    let files: Vec<String> = tree(&fixture.path("ns"));
    assert!(
        files.contains(&"b/vm/100/notes".to_owned())
            && files.contains(&"b/vm/100/owner".to_owned())
    );
    assert!(!files.iter().any(|file| file.starts_with("a/vm/100")));
    assert_eq!(
        tree(fixture.store.layout().locks()),
        ["a", "b", "b/vm-100", "move-journal"]
    );
}

#[test]
fn every_design_moves_and_collects_when_it_is_alone() {
    for design in designs()
        .into_iter()
        .filter(|design| !design.is_before_moves())
    {
        let fixture = fixture(design);
        move_group(&fixture).unwrap();
        assert_eq!(tree(&fixture.path("ns/a")), ["vm"], "{design:?}");
        for time in [OLD, NEW] {
            assert!(
                fixture
                    .path(format!("ns/b/vm/100/{time}/drive.img.fidx"))
                    .exists(),
                "{design:?}"
            );
        }
        let collected = gc::run(&fixture.cx, &fixture.store, &gc::Settings::default());
        // A directory is no index file, and this design announces one.
        let fails = design.renames_whole_group() && design.has_journal();
        assert_eq!(collected.is_err(), fails, "{design:?} {collected:?}");
        assert!(fixture.has_chunk(1) && fixture.has_chunk(2), "{design:?}");
    }
}

#[test]
fn designs_differ_in_the_rows_that_their_sentence_names() {
    let order = |design: Design| {
        let fixture = fixture(design);
        fs::remove_dir_all(fixture.path(snapshot(&group("a", "vm/100"), NEW))).unwrap();
        move_group(&fixture).unwrap();
        let steps = fixture.cx.sys.steps().join(" ").replace("move_group.", "");
        let steps = steps
            .replace(&format!("(ns/a/vm/100/{OLD})"), "")
            .replace("(ns/a/vm/100)", "");
        let from = steps
            .find("list_snapshot ")
            .or_else(|| steps.find("lock_journal"))
            .unwrap();
        let to = steps
            .find("unlink_manifest_lock")
            .or_else(|| steps.find("unlink_source"))
            .unwrap();
        (steps[from..to].trim_end().to_owned(), fixture.journal())
    };
    let journalled = "lock_journal append_journal rename_snapshot unlock_journal";
    assert_eq!(
        order(Design::HARDENED).0,
        format!("list_snapshot {journalled}")
    );
    assert_eq!(
        order(Design::UPSTREAM).0,
        "list_snapshot lock_journal append_journal unlock_journal rename_snapshot"
    );
    assert_eq!(
        order(
            Design::HARDENED
                .without(Change::RenamesUnderJournalLock)
                .with(Change::RenameBeforeAppend)
        )
        .0,
        "list_snapshot rename_snapshot lock_journal append_journal unlock_journal"
    );
    assert_eq!(
        order(Design::HARDENED.with(Change::CopyThenRemove)).0,
        format!("list_snapshot {journalled} remove_snapshot")
    );
    assert!(
        order(Design::HARDENED.with(Change::RecordSourcePath))
            .1
            .contains("/ns/a/vm/100/")
    );
    let (whole, journal) = order(Design::HARDENED.with(Change::RenameWholeGroup));
    assert_eq!(
        whole,
        "lock_journal append_journal rename_group unlock_journal"
    );
    assert!(journal.ends_with("/ns/b/vm/100\n"));
}

/// The steps of a merge into a group that has an older snapshot, without their arguments.
fn merge(design: Design) -> Vec<String> {
    let fixture = fixture(design);
    fixture.add(&snapshot(&group("b", "vm/100"), EARLIER), &[1]);
    let merging = Settings {
        existing: Existing::Merge,
        ..settings()
    };
    move_group::run(&fixture.cx, &fixture.store, &merging).unwrap();
    let steps = fixture.cx.sys.steps();
    let named = steps.iter().map(|step| step.replace("move_group.", ""));
    named
        .map(|step| step.split('(').next().unwrap().to_owned())
        .collect()
}

#[test]
fn merge_is_checked_under_the_lock_of_the_target_but_in_one_design() {
    let middle = |design| {
        let steps = merge(design);
        let from = steps.iter().position(|step| step == "read_owner");
        let to = steps.iter().position(|step| step == "list_snapshots");
        steps[from.unwrap() + 1..to.unwrap()].join(" ")
    };
    assert_eq!(
        middle(Design::HARDENED),
        "lock_target_group create_target_group = Exists read_target_owner check_merge"
    );
    assert_eq!(
        middle(
            Design::HARDENED
                .without(Change::LocksTargetBeforeItCreates)
                .with(Change::MergeCheckedBeforeLock)
        ),
        "create_target_group = Exists check_merge lock_target_group read_target_owner"
    );
}

#[test]
fn merge_is_refused_in_every_design_that_checks_it() {
    for design in [
        Design::HARDENED,
        Design::HARDENED
            .without(Change::LocksTargetBeforeItCreates)
            .with(Change::MergeCheckedBeforeLock),
    ] {
        for (time, owner, why) in [
            (EARLIER, "other@pam\n", "has another owner"),
            (NEW, "root@pam\n", "is not older than all of the source"),
        ] {
            let fixture = fixture(design);
            let target = group("b", "vm/100");
            fixture.add(&snapshot(&target, time), &[1]);
            fs::write(fixture.path(&target).join("owner"), owner).unwrap();
            let merging = Settings {
                existing: Existing::Merge,
                ..settings()
            };
            let error = move_group::run(&fixture.cx, &fixture.store, &merging).unwrap_err();
            assert!(error.to_string().contains(why), "{design:?}: {error}");
            assert!(fixture.path("ns/a/vm/100").join(OLD).exists());
        }
    }
}

#[test]
fn target_group_is_let_go_last_but_in_one_design() {
    let at = |design| -> Vec<usize> {
        let steps = merge(design);
        let unlocks = steps.iter().enumerate();
        let unlocks = unlocks.filter(|(_, step)| *step == "unlock_target_group");
        unlocks.map(|(at, _)| steps.len() - 1 - at).collect()
    };
    assert_eq!(at(Design::HARDENED), [0]);
    let design = Design::HARDENED.with(Change::TargetUnlockedEarly);
    let [from_end] = at(design)[..] else {
        panic!("it is let go once");
    };
    let steps = merge(design);
    let at = steps.len() - 1 - from_end;
    assert_eq!(
        steps[at - 1..at + 2],
        ["list_snapshots", "unlock_target_group", "lock_snapshot"]
    );
    assert_eq!(steps.last().unwrap(), "unlock_source_group");
}

#[test]
fn newest_snapshot_moves_first_in_one_design_only() {
    for (design, first, second) in [
        (Design::HARDENED, OLD, NEW),
        (Design::HARDENED.with(Change::NewestMovesFirst), NEW, OLD),
    ] {
        for snapshot_locks in [1, 2] {
            let fixture = fixture(design);
            let limited = Settings {
                snapshot_locks,
                ..settings()
            };
            move_group::run(&fixture.cx, &fixture.store, &limited).unwrap();
            let steps = fixture.cx.sys.steps();
            for verb in ["lock_snapshot", "rename_snapshot", "unlock_snapshot"] {
                let prefix = format!("move_group.{verb}(");
                let order: Vec<&String> = steps
                    .iter()
                    .filter(|step| step.starts_with(&prefix))
                    .collect();
                let label = |time| format!("{prefix}ns/a/vm/100/{time})");
                assert_eq!(order, [&label(first), &label(second)], "{design:?}");
            }
        }
    }
}

#[test]
fn a_lock_costs_open_flock_fstat_stat_once_its_file_is_there() {
    let fixture = fixture(Design::HARDENED);
    let sys = &fixture.cx.sys;
    let group = group("a", "vm/100");
    let lock = fixture.store.layout().group_lock(&group);
    let calls = || {
        sys.calls()
            .into_iter()
            .map(|call| call.name)
            .collect::<Vec<_>>()
    };
    calls();
    drop(
        fixture
            .store
            .lock_group(sys, Design::HARDENED, &group)
            .unwrap(),
    );
    assert_eq!(
        calls(),
        [
            "open",
            "create",
            "mkdir",
            "create",
            "rename_no_replace",
            "flock",
            "fstat",
            "stat"
        ]
    );
    drop(
        fixture
            .store
            .lock_group(sys, Design::HARDENED, &group)
            .unwrap(),
    );
    assert_eq!(calls(), ["open", "flock", "fstat", "stat"]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        fs::metadata(lock).unwrap().permissions().mode() & 0o7777,
        0o660
    );
}

#[test]
fn whoever_holds_a_lock_makes_the_move_fail_softly() {
    let source = group("a", "vm/100");
    let locks = |fixture: &Fixture| {
        let layout = fixture.store.layout();
        let target = source.in_namespace(namespace("b"));
        [
            layout.group_lock(&source),
            layout.group_lock(&target),
            layout.snapshot_lock(&snapshot(&source, NEW)),
        ]
    };
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for (i, last) in ["lock_source_group", "lock_target_group", "lock_snapshot"]
            .iter()
            .enumerate()
        {
            let fixture = fixture(design);
            let held = hold(&fixture, locks(&fixture)[i].clone());
            assert!(
                matches!(move_group(&fixture), Err(MoveError::Soft { .. })),
                "{design:?} {last}"
            );
            drop(held);
            let steps = fixture.cx.sys.steps().join("\n");
            assert!(
                steps.contains(&format!("move_group.{last}"))
                    && steps.ends_with("move_group.release_all")
            );
            let leaves_group = i == 2 && design == Design::UPSTREAM;
            assert_eq!(
                fixture.path("ns/b/vm/100").exists(),
                leaves_group,
                "{design:?} {last}"
            );
            let clean_up = [
                "unlink_target_owner",
                "remove_target_group",
                "unlink_target_group_lock",
            ];
            let cleaned = steps.contains(&clean_up.join("\nmove_group."));
            assert_eq!(cleaned, i == 2 && design == Design::HARDENED, "{steps}");
            // The published design leaves an empty group, so that a second attempt without merging
            // is refused.
            assert_eq!(move_group(&fixture).is_err(), leaves_group);
        }
    }
}

#[test]
fn what_is_not_allowed_is_refused_before_anything_changes() {
    let fixture = fixture(Design::HARDENED);
    let refused = |source: Group, target: &str, existing| {
        let settings = Settings {
            existing,
            ..Settings::new(source, namespace(target))
        };
        let before = tree(&fixture.path("."));
        let error = move_group::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
        assert!(matches!(error, MoveError::Hard { .. }), "{error}");
        assert_eq!(tree(&fixture.path(".")), before);
        error.to_string()
    };
    let source = || group("a", "vm/100");
    assert!(refused(source(), "a", Existing::Merge).contains("in that namespace already"));
    assert!(refused(source(), "c", Existing::Merge).contains("target namespace does not exist"));
    assert!(refused(group("a", "vm/101"), "b", Existing::Merge).contains("no such group"));
    fixture.add(&snapshot(&group("b", "vm/100"), OLD), &[3]);
    assert!(refused(source(), "b", Existing::Refuse).contains("merging is not allowed"));
    assert!(refused(source(), "b", Existing::Merge).contains("not older"));
    fs::remove_dir_all(fixture.path(snapshot(&source(), OLD))).unwrap();
    fs::write(fixture.path("ns/b/vm/100/owner"), "other@pbs\n").unwrap();
    assert!(refused(source(), "b", Existing::Merge).contains("another owner"));
    fs::write(fixture.path("ns/b/vm/100/owner"), "root@pam").unwrap();
    fs::write(fixture.path("ns/b/vm/100/notes"), "theirs").unwrap();
    fs::write(fixture.path("ns/a/vm/100/notes"), "ours").unwrap();
    let merge = Settings {
        existing: Existing::Merge,
        ..settings()
    };
    move_group::run(&fixture.cx, &fixture.store, &merge).unwrap();
    assert_eq!(
        fs::read_to_string(fixture.path("ns/b/vm/100/notes")).unwrap(),
        "theirs"
    );
    assert!(!fixture.path("ns/a/vm/100").exists());
}

#[test]
fn batches_lock_no_more_snapshots_than_they_may() {
    let fixture = fixture(Design::HARDENED);
    let one_by_one = Settings {
        snapshot_locks: 1,
        ..settings()
    };
    move_group::run(&fixture.cx, &fixture.store, &one_by_one).unwrap();
    let mut held = 0;
    for step in fixture.cx.sys.steps() {
        held += i32::from(step.starts_with("move_group.lock_snapshot"));
        held -= i32::from(step.starts_with("move_group.unlock_snapshot"));
        assert!(held <= 1);
    }
}
