//! The drain of the move journal: entries, torn tails, foreign lines.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::collection::{gc, middle, rename};
use common::{Fixture, NEW, OLD, group, namespace, snapshot};
use datastore::journal::Corrupt;
use datastore::ops::gc::GcError;
use datastore::ops::move_group;
use specs::Design;
use specs::design::Change;
use std::fs;
use std::time::Duration;

#[test]
fn moved_snapshot_is_found_through_the_journal() {
    for (design, is_kept) in [
        (Design::HARDENED, true),
        (Design::UPSTREAM, true),
        (Design::UPSTREAM.with(Change::DrainInReverse), true),
        (Design::HARDENED.with(Change::DrainBeforeIteration), false),
    ] {
        let fixture = Fixture::new(design);
        // Namespace a is visited before b: the snapshot moves to where the run has been.
        let source = snapshot(&group("b", "vm/100"), NEW);
        let target = snapshot(&group("a", "vm/100"), NEW);
        let from = fixture.add(&source, &[1]);
        let to = fixture.path(&target);
        let entry = format!("{}/drive.img.fidx\n", to.display());
        let journal = fixture.store.layout().journal();
        let mover = rename(from, to);
        fixture.cx.sys.at("gc.list_groups(ns/b)", move || {
            let old = fs::read_to_string(&journal).unwrap_or_default();
            fs::write(&journal, old + &entry).unwrap();
            mover();
        });
        gc(&fixture).unwrap();
        assert_eq!(fixture.has_chunk(1), is_kept, "{design:?}");
        let left = if is_kept { 0 } else { 1 };
        assert_eq!(fixture.journal().lines().count(), left, "{design:?}");
    }
}

#[test]
fn journal_in_memory_is_read_by_the_collections_of_its_process_only() {
    let design = Design::HARDENED.with(Change::JournalInMemory);
    for is_another_process in [false, true] {
        let mut fixture = Fixture::new(design);
        let source = group("b", "vm/100");
        fixture.add(&snapshot(&source, NEW), &[1]);
        let to_a = move_group::Settings::new(source, namespace("a"));
        fixture.cx.sys.hold_against_tables(design);
        move_group::run(&fixture.cx, &fixture.store, &to_a).unwrap();
        if is_another_process {
            fixture = fixture.reopened();
        }
        fixture.cx.sys.hold_against_tables(design);
        let entries = || {
            gc(&fixture).unwrap();
            let steps = middle(&fixture);
            steps
                .iter()
                .filter(|s| s.starts_with("gc.open_entry"))
                .count()
        };
        assert_eq!(entries(), usize::from(!is_another_process));
        assert_eq!(entries(), 0, "the first collection has emptied it");
        let journal = fixture.store.layout().journal();
        let calls = fixture.cx.sys.calls();
        assert!(calls.iter().all(|call| call.path != journal), "{calls:?}");
        assert!(!journal.exists());
    }
}

#[test]
fn leftovers_are_not_marked_in_a_design_that_says_so() {
    let fixture = Fixture::new(Design::HARDENED.with(Change::LeftoversNotMarked));
    fixture.add_index(&fixture.path("stray.fidx"), &[3]);
    gc(&fixture).unwrap();
    assert!(!fixture.has_chunk(3));
}

#[test]
fn entry_whose_file_is_gone_is_skipped_unless_the_design_says_that_it_is_fatal() {
    for design in [
        Design::HARDENED,
        Design::UPSTREAM,
        Design::HARDENED.with(Change::MissingEntryIsFatal),
    ] {
        let fixture = Fixture::new(design);
        let gone = fixture.path("ns/a/vm/1/gone.fidx");
        fs::write(
            fixture.store.layout().journal(),
            format!("\n{}\n", gone.display()),
        )
        .unwrap();
        let result = gc(&fixture);
        let steps = middle(&fixture).join("\n");
        assert!(
            steps.contains("gc.open_entry(line 2) = NotFound"),
            "{steps}"
        );
        if design.has(Change::MissingEntryIsFatal) {
            assert!(matches!(result, Err(GcError::Entry { line: 2, .. })));
            assert_ne!(fixture.journal(), "");
        } else {
            result.unwrap();
            assert_eq!(fixture.journal(), "");
        }
    }
}

#[test]
fn group_of_an_entry_whose_file_is_gone_is_visited_once_more() {
    for (design, is_kept) in [
        (Design::HARDENED, true),
        (
            Design::HARDENED.without(Change::MarksGroupOfAMissingEntry),
            false,
        ),
        (Design::UPSTREAM, false),
    ] {
        let fixture = Fixture::new(design);
        let target = group("a", "vm/100");
        fixture.add_chunk(1, Duration::from_secs(100_000));
        let (from, to) = (fixture.path("new"), fixture.path(snapshot(&target, NEW)));
        fs::create_dir(&from).unwrap();
        fixture.add_index(&from.join("drive.img.fidx.later"), &[1]);
        let moved = fixture.path(snapshot(&target, OLD));
        let files = ["drive.img.fidx", "root.img.fidx"];
        let entries = files.map(|file| format!("{}\n", moved.join(file).display()));
        fs::write(fixture.store.layout().journal(), entries.concat()).unwrap();
        // What moved here was reused by a backup, and removed, after the run has been here.
        fixture.cx.sys.at("gc.lock_journal", move || {
            fs::create_dir_all(&to).unwrap();
            fs::rename(from.join("drive.img.fidx.later"), to.join("drive.img.fidx")).unwrap();
        });
        gc(&fixture).unwrap();
        assert_eq!(fixture.has_chunk(1), is_kept, "{design:?}");
        let steps = middle(&fixture);
        let listing = format!("gc.list_snapshots({target})");
        let visits = steps.iter().filter(|step| **step == listing).count();
        assert_eq!(
            visits,
            usize::from(is_kept),
            "{design:?}: once for both entries"
        );
        assert_eq!(fixture.journal(), "");
    }
}

/// An entry that was written under another path fits two places, and what lies at one of them is another backup's file. The one
/// that was meant has been reused and removed.
#[test]
fn every_group_that_an_entry_may_mean_is_visited() {
    for there in ["", "ns/a/"] {
        let fixture = Fixture::new(Design::HARDENED);
        fixture.add_chunk(1, Duration::from_secs(100_000));
        let index = |namespace: &str, time: &str| {
            fixture.path(format!("{namespace}vm/100/{time}/drive.img.fidx"))
        };
        let other = index(there, OLD);
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fixture.add_index(&other, &[2]);
        let meant = if there.is_empty() { "ns/a/" } else { "" };
        let later = fixture.path("later");
        fixture.add_index(&later, &[1]);
        let reused = index(meant, NEW);
        fs::create_dir_all(fixture.path("ns/a")).unwrap();
        let entry = format!("/mnt/ns/a/vm/100/{OLD}/drive.img.fidx\n");
        fs::write(fixture.store.layout().journal(), entry).unwrap();
        fixture.cx.sys.at("gc.lock_journal", move || {
            fs::create_dir_all(reused.parent().unwrap()).unwrap();
            fs::rename(later, reused).unwrap();
        });
        gc(&fixture).unwrap();
        assert!(fixture.has_chunk(1), "the file is below {there:?}");
    }
}

#[test]
fn torn_tail_fails_the_published_design_only() {
    for (tail, published_fails) in [
        ("drive.im", true),
        ("drive.img.fidx", false),
        ("\u{fc}", true),
    ] {
        for design in [Design::HARDENED, Design::UPSTREAM] {
            let fixture = Fixture::new(design);
            fixture.add(&snapshot(&group("a", "vm/100"), NEW), &[1]);
            let mut line =
                format!("{}/ns/b/vm/100/{NEW}/{tail}", fixture.path(".").display()).into_bytes();
            if tail == "\u{fc}" {
                line.pop();
            }
            fs::write(fixture.store.layout().journal(), line).unwrap();
            let result = gc(&fixture);
            let fails = design == Design::UPSTREAM && published_fails;
            assert_eq!(result.is_err(), fails, "{design:?} {tail:?} {result:?}");
            assert_eq!(
                fs::read(fixture.store.layout().journal())
                    .unwrap()
                    .is_empty(),
                !fails
            );
        }
    }
}

#[test]
fn foreign_line_is_named_with_its_line_and_byte() {
    let fixture = Fixture::new(Design::HARDENED);
    let first = fixture.path("x.fidx");
    let first = first.to_str().unwrap();
    for (line, why) in [
        ("relative.fidx", "is not absolute"),
        ("/etc/passwd", "is not the path of an index file"),
        ("/elsewhere/x.fidx", "lies outside the datastore"),
        (
            &format!("{}/../x.fidx", fixture.path(".").display()),
            "lies outside the datastore",
        ),
    ] {
        fs::write(
            fixture.store.layout().journal(),
            format!("{first}\n{line}\n"),
        )
        .unwrap();
        let expected = Corrupt::BadEntry {
            line: 2,
            offset: first.len() + 1,
            why,
            entry: line.to_owned(),
        };
        match gc(&fixture) {
            Err(GcError::Journal { source, .. }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
        assert_ne!(
            fixture.journal(),
            "",
            "a journal that could not be processed stays as it is"
        );
    }
}

#[test]
fn journal_is_emptied_after_a_failed_entry_in_the_design_that_does_so() {
    let fixture = Fixture::new(Design::UPSTREAM.with(Change::TruncateAfterFailedEntry));
    fs::write(fixture.store.layout().journal(), "/etc/passwd\n").unwrap();
    gc(&fixture).unwrap_err();
    assert_eq!(fixture.journal(), "");
    let steps = middle(&fixture);
    assert_eq!(
        steps[steps.len() - 2..],
        ["gc.truncate_journal", "gc.release_all"]
    );
}

#[test]
fn journal_is_emptied_as_soon_as_it_is_read_in_the_design_that_does_so() {
    let drain = |design, journal: &str| {
        let fixture = Fixture::new(design);
        fs::write(
            fixture.store.layout().journal(),
            journal.replace("S", fixture.path("").to_str().unwrap()),
        )
        .unwrap();
        let result = gc(&fixture);
        let steps = fixture.cx.sys.steps();
        let from = steps.iter().position(|step| step == "gc.read_journal");
        let steps = &steps[from.unwrap()..];
        let to = steps
            .iter()
            .position(|step| ["gc.unlock_journal", "gc.release_all"].contains(&step.as_str()));
        let steps = steps[..=to.unwrap()].join(" ").replace("gc.", "");
        (result.is_ok(), steps, fixture.journal().is_empty())
    };
    let design = Design::UPSTREAM.with(Change::TruncateBeforeMarking);
    let gone = "open_entry(line 1) = NotFound";
    let (is_ok, steps, is_empty) = drain(design, "S/gone.fidx\n");
    assert!(is_ok && is_empty);
    assert_eq!(
        steps,
        format!("read_journal truncate_journal {gone} unlock_journal")
    );
    let (is_ok, steps, _) = drain(Design::UPSTREAM, "S/gone.fidx\n");
    assert!(is_ok);
    assert_eq!(
        steps,
        format!("read_journal {gone} truncate_journal unlock_journal")
    );
    let (is_ok, steps, is_empty) = drain(design, "/etc/passwd\n");
    assert!(!is_ok && is_empty);
    assert_eq!(steps, "read_journal truncate_journal release_all");
}

#[test]
fn entry_below_a_file_fails_the_run() {
    let fixture = Fixture::new(Design::HARDENED);
    fs::write(fixture.path("file"), "").unwrap();
    let entry = fixture.path("file/y.fidx");
    fs::write(
        fixture.store.layout().journal(),
        format!("{}\n", entry.display()),
    )
    .unwrap();
    assert!(matches!(gc(&fixture), Err(GcError::Entry { line: 1, .. })));
    let steps = middle(&fixture).join("\n");
    assert!(
        steps.contains("gc.open_entry(line 1) = NotDirectory\ngc.release_all"),
        "{steps}"
    );
}
