//! Changing the notes of a snapshot on real files: its steps, what it leaves as it was, what it refuses.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, OLD, group, snapshot, tree};
use datastore::lock_file;
use datastore::ops::set_notes::{self, SetNotesError, Settings};
use datastore::{LinuxSys, Snapshot};
use specs::Design;
use specs::lock_class::{Mode, Wait};
use specs::mutant::designs;
use std::fs;

fn the_snapshot() -> Snapshot {
    snapshot(&group("a", "vm/100"), OLD)
}

fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    fixture.add_finished(&the_snapshot(), &[("drive.img.fidx", &[0])]);
    fixture
}

fn set_notes(fixture: &Fixture, notes: &str) -> Result<(), SetNotesError> {
    let settings = Settings {
        snapshot: the_snapshot(),
        notes: notes.to_owned(),
    };
    set_notes::run(&fixture.cx, &fixture.store, &settings)
}

fn steps(fixture: &Fixture) -> String {
    fixture.short_steps("set_notes", &[(&format!("({})", the_snapshot()), "")])
}

#[test]
fn notes_are_all_that_changes_in_the_manifest() {
    for design in designs() {
        let fixture = fixture(design);
        let mut expected = fixture.manifest(&the_snapshot());
        let before = tree(&fixture.path("."));
        set_notes(&fixture, "two\nlines").unwrap();
        let first = if design.locks_manifest_before_reading() {
            "lock_manifest\nload_manifest"
        } else {
            "load_manifest\nlock_manifest"
        };
        assert_eq!(
            steps(&fixture),
            format!("{first}\nwrite_manifest\nunlock_manifest")
        );
        expected.set_notes("two\nlines");
        assert_eq!(fixture.manifest(&the_snapshot()), expected);
        assert_eq!(tree(&fixture.path(".")), before, "no temporary file stays");
        set_notes(&fixture, "").unwrap();
        assert_eq!(fixture.manifest(&the_snapshot()).notes(), None);
    }
}

#[test]
fn locked_manifest_is_not_changed() {
    let fixture = fixture(Design::HARDENED);
    let held = lock_file::lock(
        &LinuxSys,
        fixture.store.layout().manifest_lock(&the_snapshot()),
        fixture.store.lock_files(),
        Mode::Exclusive,
        Wait::No,
    )
    .unwrap();
    let error = set_notes(&fixture, "late").unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(steps(&fixture), "lock_manifest = TimedOut\nrelease_all");
    assert_eq!(fixture.manifest(&the_snapshot()).notes(), None);
    drop(held);
    set_notes(&fixture, "in time").unwrap();
    assert_eq!(
        fixture.manifest(&the_snapshot()).notes(),
        Some("in time"),
        "the failed attempt holds nothing"
    );
}

#[test]
fn snapshot_that_is_gone_is_not_made_again() {
    for (step, expected) in [
        (
            "load_manifest",
            "lock_manifest\nload_manifest = NotFound\nrelease_all",
        ),
        (
            "write_manifest",
            "lock_manifest\nload_manifest\nwrite_manifest = NotFound\nrelease_all",
        ),
    ] {
        let fixture = fixture(Design::HARDENED);
        let directory = fixture.path(the_snapshot());
        let label = format!("set_notes.{step}({})", the_snapshot());
        let gone = directory.clone();
        fixture
            .cx
            .sys
            .at(label, move || fs::remove_dir_all(gone).unwrap());
        let error = set_notes(&fixture, "lost").unwrap_err();
        assert!(matches!(error, SetNotesError::NoManifest(_)), "{error}");
        assert_eq!(steps(&fixture), expected);
        assert!(!directory.exists());
    }
}

#[test]
fn damaged_manifest_is_left_as_it_is() {
    let fixture = fixture(Design::HARDENED);
    let path = fixture.store.layout().manifest(&the_snapshot());
    fs::write(&path, "no blob at all").unwrap();
    let error = set_notes(&fixture, "lost").unwrap_err();
    assert!(!error.is_busy());
    let message = error.to_string();
    let of = format!("cannot change the notes of {}: ", the_snapshot());
    assert!(
        message.starts_with(&of) && message.contains("index.json.blob"),
        "{message}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"no blob at all");
    assert!(steps(&fixture).ends_with("release_all"));
}
