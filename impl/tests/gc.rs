//! Garbage collection on real files: its steps, what it keeps and removes, what it meets.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::collection::{gc, middle, rename};
use common::{Fixture, NEW, OLD, digest, group, snapshot};
use datastore::LinuxSys;
use datastore::error::LockError;
use datastore::ops::gc::{self, GcError, GcStatus, Settings};
use specs::Design;
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use std::fs;
use std::time::Duration;

#[test]
fn steps_are_those_of_the_table_in_its_order() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("a", "vm/100"), OLD), &[1]);
    fixture.add(&snapshot(&group("a", "vm/100"), NEW), &[1, 2]);
    fixture.add_index(&fixture.path("stray.fidx"), &[3]);
    fixture.add_chunk(9, Duration::from_secs(100_000));
    fixture.cx.sys.hold_against_tables(Design::HARDENED);
    gc(&fixture).unwrap();
    let chunk = |n| format!(".chunks/5ca1/{}", digest(n));
    let expected = format!(
        "gc.lock_gc_slot
gc.lock_store
gc.read_clock
gc.read_oldest_writer
gc.list_index_files(.)
gc.list_index_files(ns)
gc.list_index_files(ns/a)
gc.list_index_files(ns/a/vm)
gc.list_index_files(ns/a/vm/100)
gc.list_index_files(ns/a/vm/100/{OLD})
gc.list_index_files(ns/a/vm/100/{NEW})
gc.list_index_files(ns/b)
gc.list_groups(.)
gc.list_namespaces(.)
gc.list_groups(ns/a)
gc.list_snapshots(ns/a/vm/100)
gc.list_snapshot(ns/a/vm/100/{OLD})
gc.list_snapshot(ns/a/vm/100/{NEW})
gc.list_snapshots_again(ns/a/vm/100)
gc.open_index(ns/a/vm/100/{NEW}/drive.img.fidx)
gc.touch_chunk({c1})
gc.touch_chunk({c2})
gc.open_index(ns/a/vm/100/{OLD}/drive.img.fidx)
gc.list_namespaces(ns/a) = NotFound
gc.list_groups(ns/b)
gc.list_namespaces(ns/b) = NotFound
gc.open_leftover(stray.fidx)
gc.touch_chunk({c3})
gc.lock_journal
gc.read_journal
gc.truncate_journal
gc.unlock_journal
gc.list_prefixes
gc.list_chunks(.chunks/5ca1)
gc.sweep_chunk({c1}) = Kept
gc.sweep_chunk({c2}) = Kept
gc.sweep_chunk({c3}) = Kept
gc.sweep_chunk({c9}) = Removed
gc.write_status
gc.unlock_store
gc.unlock_gc_slot",
        c1 = chunk(1),
        c2 = chunk(2),
        c3 = chunk(3),
        c9 = chunk(9),
    );
    assert_eq!(fixture.cx.sys.steps().join("\n"), expected);
}

#[test]
fn only_old_chunks_that_nobody_names_are_removed() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("", "host/web"), OLD), &[1, 4]);
    fs::remove_file(fixture.chunk(4)).unwrap();
    fixture.add_chunk(2, Duration::from_secs(25 * 3600));
    fixture.add_chunk(3, Duration::from_secs(23 * 3600));
    let bad = |n: u8| fixture.chunk(n).with_extension("0.bad");
    fixture.add_file(&bad(4), Duration::from_secs(100_000));
    fixture.add_file(&bad(5), Duration::from_secs(100_000));
    let other = fixture.chunk(1).with_file_name("notes.txt");
    fixture.add_file(&other, Duration::from_secs(100_000));

    let status = gc(&fixture).unwrap();
    assert!(fixture.has_chunk(1) && !fixture.has_chunk(2) && fixture.has_chunk(3));
    assert!(
        bad(4).exists(),
        "a corrupt copy stays while its chunk is named"
    );
    assert!(!bad(5).exists() && other.exists());
    let expected = GcStatus {
        index_file_count: 1,
        index_data_bytes: 2 * 4096,
        marked_chunks: 1,
        missing_chunks: 1,
        disk_chunks: 1,
        disk_bytes: 5,
        pending_chunks: 1,
        pending_bytes: 5,
        removed_chunks: 1,
        removed_bytes: 5,
        removed_bad: 1,
        still_bad: 1,
        ..GcStatus::default()
    };
    assert_eq!(status, expected);
    let json = fs::read_to_string(fixture.store.layout().gc_status()).unwrap();
    assert!(json.contains("\"removed-chunks\":1"), "{json}");
    assert!(
        !common::tree(fixture.directory.path())
            .iter()
            .any(|file| file.contains("tmp_"))
    );
}

/// A chunk that was found corrupt twice has two copies, and whoever cleans up takes whichever away.
#[test]
fn each_corrupt_copy_alone_stays_while_its_chunk_is_named() {
    let fixture = Fixture::new(Design::HARDENED);
    let copy = |number: u8, chunk: u8| fixture.chunk(chunk).with_extension(format!("{number}.bad"));
    let named = |number: u8| copy(number, 20 + number);
    let unnamed = |number: u8| copy(number, 40 + number);
    let chunks: Vec<u8> = (20..30).collect();
    fixture.add(&snapshot(&group("", "host/web"), OLD), &chunks);
    for number in 0..10 {
        fs::remove_file(fixture.chunk(20 + number)).unwrap();
        fixture.add_file(&named(number), Duration::from_secs(100_000));
        fixture.add_file(&unnamed(number), Duration::from_secs(100_000));
    }
    let status = gc(&fixture).unwrap();
    for number in 0..10 {
        assert!(named(number).exists(), "{number} of a named chunk");
        assert!(!unnamed(number).exists(), "{number} of no named chunk");
    }
    assert_eq!((status.still_bad, status.removed_bad), (10, 10));
}

#[test]
fn every_chunk_is_marked_each_time_without_memory() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("", "vm/1"), OLD), &[1, 1, 2]);
    let settings = Settings {
        remembered_chunks: 0,
        ..Settings::default()
    };
    assert_eq!(
        gc::run(&fixture.cx, &fixture.store, &settings)
            .unwrap()
            .marked_chunks,
        3
    );
    assert_eq!(gc(&fixture).unwrap().marked_chunks, 2);
}

#[test]
fn snapshot_that_vanishes_from_a_listing_makes_the_group_be_listed_again() {
    let fixture = Fixture::new(Design::HARDENED);
    let group = group("a", "vm/100");
    fixture.add(&snapshot(&group, OLD), &[1]);
    let newest = snapshot(&group, NEW);
    let from = fixture.add(&newest, &[2]);
    let to = fixture.directory.path().join("elsewhere");
    fixture
        .cx
        .sys
        .at(format!("gc.list_snapshot({newest})"), rename(from, to));
    gc(&fixture).unwrap();
    let steps = middle(&fixture).join("\n");
    assert!(
        steps.contains(&format!(
            "gc.list_snapshot({newest}) = NotFound\ngc.list_snapshots({group})\n"
        )),
        "{steps}"
    );
    assert!(fixture.has_chunk(1) && !fixture.has_chunk(2));
}

#[test]
fn published_design_gives_up_when_a_snapshot_vanishes_from_a_listing() {
    let fixture = Fixture::new(Design::UPSTREAM);
    let group = group("a", "vm/100");
    let newest = snapshot(&group, NEW);
    let from = fixture.add(&newest, &[2]);
    let to = fixture.directory.path().join("elsewhere");
    fixture
        .cx
        .sys
        .at(format!("gc.list_snapshot({newest})"), rename(from, to));
    assert!(matches!(gc(&fixture), Err(GcError::SnapshotVanished(s)) if s == newest));
    let steps = middle(&fixture);
    assert_eq!(
        steps[steps.len() - 2..],
        [
            format!("gc.check_group({group})"),
            "gc.release_all".to_owned()
        ]
    );
    assert!(fixture.has_chunk(2), "a run that fails sweeps nothing");
}

#[test]
fn published_design_skips_a_group_that_vanished() {
    let fixture = Fixture::new(Design::UPSTREAM);
    let group = group("a", "vm/100");
    let newest = snapshot(&group, NEW);
    fixture.add(&newest, &[2]);
    let from = fixture.path(&group);
    let to = fixture.directory.path().join("elsewhere");
    fixture
        .cx
        .sys
        .at(format!("gc.list_snapshot({newest})"), rename(from, to));
    gc(&fixture).unwrap();
}

#[test]
fn last_attempt_to_list_a_group_holds_its_lock() {
    let fixture = Fixture::new(Design::HARDENED);
    let group = group("a", "vm/100");
    let newest = snapshot(&group, NEW);
    let from = fixture.add(&newest, &[2]);
    let label = format!("gc.open_index({newest}/drive.img.fidx)");
    fixture.cx.sys.at(label.clone(), move || {
        fs::remove_file(from.join("drive.img.fidx")).unwrap();
    });
    let settings = Settings {
        list_attempts: 1,
        ..Settings::default()
    };
    gc::run(&fixture.cx, &fixture.store, &settings).unwrap();
    let steps = middle(&fixture).join("\n");
    let expected = format!(
        "{label} = NotFound
gc.lock_group({group})
gc.list_snapshots({group})
gc.list_snapshot({newest})
gc.unlock_group({group})"
    );
    assert!(steps.contains(&expected), "{steps}");
}

#[test]
fn newest_file_that_vanishes_under_the_lock_of_its_group_ends_a_published_run() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = Fixture::new(design);
        let newest = snapshot(&group("a", "vm/100"), NEW);
        let from = fixture.add(&newest, &[2]);
        let label = format!("gc.open_index({newest}/drive.img.fidx)");
        fixture.cx.sys.at(label.clone(), move || {
            fs::remove_file(from.join("drive.img.fidx")).unwrap();
        });
        let settings = Settings {
            list_attempts: 0,
            ..Settings::default()
        };
        let result = gc::run(&fixture.cx, &fixture.store, &settings);
        let steps = middle(&fixture).join("\n");
        if design == Design::HARDENED {
            result.unwrap();
            assert!(steps.contains(&format!("{label} = NotFound\ngc.unlock_group")));
        } else {
            let error = result.unwrap_err();
            assert!(matches!(error, GcError::FileVanished(_)), "{error}");
        }
    }
}

/// The listings of the group and the openings of its index files, by the day of the snapshot, when
/// that of a day vanishes before it is opened; and whether the run ended well.
fn visits(design: Design, vanishing: &str) -> String {
    let fixture = Fixture::new(design);
    let group = group("a", "vm/100");
    for (time, chunk) in [(OLD, 1), (NEW, 2), (LATEST, 3)] {
        fixture.add(&snapshot(&group, time), &[chunk]);
    }
    let file = format!("{}/drive.img.fidx", snapshot(&group, vanishing));
    let path = fixture.path(&file);
    let hook = move || fs::remove_file(path).unwrap();
    fixture.cx.sys.at(format!("gc.open_index({file})"), hook);
    fixture.cx.sys.hold_against_tables(design);
    gc(&fixture).unwrap();
    let steps = middle(&fixture).into_iter().filter_map(|step| {
        let day = step.split("2026-07-").nth(1).map(|rest| &rest[..2]);
        match (step.starts_with("gc.open_index"), day) {
            (true, Some(day)) => Some(day.to_owned()),
            _ => step
                .starts_with("gc.list_snapshots(")
                .then(|| "list".to_owned()),
        }
    });
    steps.collect::<Vec<_>>().join(" ")
}

const LATEST: &str = "2026-07-16T06:33:20Z";

#[test]
fn designs_differ_in_which_vanished_index_file_makes_the_group_be_listed_again() {
    let again = "list 16 15 list 16 15 14";
    let newest_only = "list 16 15 14";
    for (design, middle, newest) in [
        (Design::HARDENED, again, "list 16 list 16 15 14"),
        (
            Design::HARDENED.without(Change::ListsNamesAgain),
            again,
            "list 16 list 16 15 14",
        ),
        (Design::UPSTREAM, newest_only, "list 16 list 16 15 14"),
        (
            Design::HARDENED.without(Change::ListsAgainForEveryVanishedFile),
            newest_only,
            "list 16 list 16 15 14",
        ),
        (
            Design::HARDENED
                .without(Change::ListsNamesAgain)
                .with(Change::NoSecondListing),
            newest_only,
            newest_only,
        ),
        (
            Design::HARDENED
                .without(Change::ListsAgainForEveryVanishedFile)
                .with(Change::OldestFirst),
            "list 14 15 16",
            "list 14 15 16",
        ),
    ] {
        // The second listing of a group does not have the file, so that it is not opened again.
        let without = |visits: &str, day: &str| match visits.rsplit_once("list") {
            Some((before, last)) if !before.is_empty() => {
                format!("{before}list{}", last.replace(&format!(" {day}"), ""))
            }
            _ => visits.to_owned(),
        };
        assert_eq!(visits(design, NEW), without(middle, "15"), "{design:?}");
        assert_eq!(visits(design, LATEST), without(newest, "16"), "{design:?}");
    }
    assert_eq!(
        visits(
            Design::HARDENED
                .without(Change::ListsAgainForEveryVanishedFile)
                .with(Change::OldestFirst),
            OLD
        ),
        "list 14 list 15 16"
    );
}

#[test]
fn snapshot_that_comes_while_a_group_is_looked_into_makes_the_group_be_listed_again() {
    for (design, is_seen) in [
        (Design::HARDENED, true),
        (
            Design::HARDENED
                .without(Change::ListsAgainForEveryVanishedFile)
                .with(Change::OldestFirst),
            true,
        ),
        (
            Design::HARDENED.without(Change::ListsAgainForEveryVanishedFile),
            true,
        ),
        (Design::HARDENED.without(Change::ListsNamesAgain), false),
        (
            Design::HARDENED
                .without(Change::ListsNamesAgain)
                .with(Change::NoSecondListing),
            false,
        ),
        (Design::UPSTREAM, false),
    ] {
        let fixture = Fixture::new(design);
        let group = group("a", "vm/100");
        let old = snapshot(&group, OLD);
        let directory = fixture.add(&old, &[1]);
        fixture.add_chunk(2, Duration::from_secs(100_000));
        let (from, to) = (fixture.path("new"), fixture.path(snapshot(&group, NEW)));
        fs::create_dir(&from).unwrap();
        fixture.add_index(&from.join("drive.img.fidx.later"), &[2]);
        // A backup ends, and the removal of the snapshot that it builds on is half done: the directory is still there.
        let hook = move || {
            fs::create_dir(&to).unwrap();
            fs::rename(from.join("drive.img.fidx.later"), to.join("drive.img.fidx")).unwrap();
            fs::remove_file(directory.join("drive.img.fidx")).unwrap();
        };
        fixture.cx.sys.at(format!("gc.list_snapshot({old})"), hook);
        fixture.cx.sys.hold_against_tables(design);
        gc(&fixture).unwrap();
        let steps = middle(&fixture);
        let listed = steps.iter().filter(|s| s.starts_with("gc.list_snapshots("));
        assert_eq!(listed.count(), 1 + usize::from(is_seen), "{design:?}");
        assert_eq!(fixture.has_chunk(2), is_seen, "{design:?}");
    }
}

#[test]
fn design_that_visits_no_namespace_marks_what_the_walk_found() {
    let fixture = Fixture::new(Design::HARDENED.with(Change::IndexListOnly));
    let group = group("a", "vm/100");
    fixture.add(&snapshot(&group, OLD), &[1]);
    let late = snapshot(&group, NEW);
    fixture.add_chunk(2, Duration::from_secs(100_000));
    let (from, to) = (fixture.path("late"), fixture.path(&late));
    fs::create_dir(&from).unwrap();
    fixture.add_index(&from.join("drive.img.fidx.later"), &[2]);
    let hook = move || {
        fs::create_dir(&to).unwrap();
        fs::rename(from.join("drive.img.fidx.later"), to.join("drive.img.fidx")).unwrap();
    };
    let label = format!("gc.open_leftover({group}/{OLD}/drive.img.fidx)");
    fixture.cx.sys.at(label, hook);
    gc(&fixture).unwrap();
    assert!(fixture.has_chunk(1) && !fixture.has_chunk(2));
    let steps = middle(&fixture).join("\n");
    assert!(!steps.contains("list_groups"), "{steps}");
}

#[test]
fn oldest_writer_of_the_process_moves_the_cutoff() {
    for (design, is_kept) in [
        (Design::HARDENED, true),
        (Design::UPSTREAM, true),
        (Design::HARDENED.with(Change::IgnoresOldestWriter), false),
        (Design::HARDENED.with(Change::OldestWriterAfterMark), true),
    ] {
        let fixture = Fixture::new(design);
        let (sys, hour) = (&fixture.cx.sys, Duration::from_secs(3600));
        sys.behind.set(30 * hour);
        let lock = fixture.store.process_lock();
        let writer = lock.lock_shared(sys, design).unwrap();
        sys.behind.set(Duration::ZERO);
        fixture.add_chunk(1, 30 * hour);
        fixture.add_chunk(2, 31 * hour);
        sys.hold_against_tables(design);
        gc(&fixture).unwrap();
        drop(writer);
        assert_eq!(fixture.has_chunk(1), is_kept, "{design:?}");
        assert!(!fixture.has_chunk(2), "older than the margin");
        let steps = middle(&fixture).join(" ");
        let expected = if design.has(Change::IgnoresOldestWriter) {
            "gc.read_clock gc.list_groups(.)"
        } else if design.has(Change::OldestWriterAfterMark) {
            "gc.unlock_journal gc.read_oldest_writer"
        } else {
            "gc.read_clock gc.read_oldest_writer"
        };
        assert!(steps.contains(expected), "{steps}");
    }
}

#[test]
fn run_stops_between_two_chunks_when_its_process_is_about_to_end() {
    let chunk = |n| format!(".chunks/5ca1/{}", digest(n));
    let index = format!("ns/a/vm/100/{NEW}/drive.img.fidx");
    for label in [
        format!("gc.open_index({index})"),
        format!("gc.touch_chunk({})", chunk(2)),
        format!("gc.sweep_chunk({})", chunk(2)),
    ] {
        let fixture = Fixture::new(Design::HARDENED);
        fixture.add(&snapshot(&group("a", "vm/100"), NEW), &[1, 2]);
        fixture.add_chunk(9, Duration::from_secs(100_000));
        let is_shutting_down = fixture.cx.sys.is_shutting_down.clone();
        fixture
            .cx
            .sys
            .at(label.clone(), move || is_shutting_down.set(true));
        fixture.cx.sys.hold_against_tables(Design::HARDENED);
        let error = gc(&fixture).unwrap_err();
        assert!(matches!(error, GcError::Stopped) && !error.is_busy());
        let steps = middle(&fixture);
        assert_eq!(steps.last().unwrap(), "gc.release_all");
        assert!(fixture.has_chunk(9));
        fixture.cx.sys.is_shutting_down.set(false);
        gc(&fixture).expect("everything was released");
        assert!(!fixture.has_chunk(9));
    }
}

#[test]
fn chunk_that_is_gone_when_the_sweep_comes_is_skipped() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_chunk(1, Duration::from_secs(100_000));
    let path = fixture.chunk(1);
    let label = format!("gc.sweep_chunk(.chunks/5ca1/{})", digest(1));
    let hook = move || fs::remove_file(path).unwrap();
    fixture.cx.sys.at(label.clone(), hook);
    fixture.cx.sys.hold_against_tables(Design::HARDENED);
    assert_eq!(gc(&fixture).unwrap().removed_chunks, 0);
    let steps = fixture.cx.sys.steps();
    assert!(steps.contains(&format!("{label} = NotFound")), "{steps:?}");
}

#[test]
fn busy_group_fails_the_last_attempt() {
    let fixture = Fixture::new(Design::HARDENED);
    let group = group("a", "vm/100");
    fixture.add(&snapshot(&group, NEW), &[2]);
    let sys = LinuxSys;
    let path = fixture.store.layout().group_lock(&group);
    let create = fixture.store.lock_files();
    let guard = datastore::lock_file::lock(&sys, path, create, Mode::Exclusive, Wait::No).unwrap();
    let settings = Settings {
        list_attempts: 0,
        ..Settings::default()
    };
    let result = gc::run(&fixture.cx, &fixture.store, &settings);
    assert!(matches!(
        result,
        Err(GcError::GroupBusy {
            source: LockError::WouldBlock(_),
            ..
        })
    ));
    drop(guard);
    let steps = middle(&fixture);
    assert_eq!(steps.last().unwrap(), "gc.release_all");
    gc(&fixture).expect("everything was released");
}

#[test]
fn corrupt_index_fails_the_run_and_is_named() {
    let fixture = Fixture::new(Design::HARDENED);
    let directory = fixture.add(&snapshot(&group("a", "vm/100"), NEW), &[1]);
    let path = directory.join("drive.img.fidx");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
    let message = gc(&fixture).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "index file {} is corrupt at byte 4128: the last entry is cut short",
            path.display()
        )
    );
}

#[test]
fn second_run_of_the_process_is_refused() {
    let fixture = Fixture::new(Design::HARDENED);
    let slot = fixture.store.lock_gc_slot(&fixture.cx.sys).unwrap();
    let error = gc(&fixture).unwrap_err();
    assert!(matches!(error, GcError::AlreadyRunning(_)) && error.is_busy());
    let expected = format!(
        "this process is collecting the garbage of {} already; try again when it has ended",
        fixture.path(".").display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(
        fixture.cx.sys.steps(),
        ["gc.lock_gc_slot = WouldBlock", "gc.release_all"]
    );
    drop(slot);
    gc(&fixture).unwrap();
}

#[test]
fn locked_journal_fails_the_run() {
    let fixture = Fixture::new(Design::HARDENED);
    let sys = LinuxSys;
    let journal = fixture.store.layout().journal();
    let create = fixture.store.lock_files();
    let held = datastore::journal::Journal::lock(&sys, journal, create).unwrap();
    assert!(matches!(
        gc(&fixture),
        Err(GcError::JournalBusy(LockError::TimedOut(_)))
    ));
    let steps = middle(&fixture);
    assert_eq!(
        steps[steps.len() - 2..],
        ["gc.lock_journal = TimedOut", "gc.release_all"]
    );
    drop(held);
}
