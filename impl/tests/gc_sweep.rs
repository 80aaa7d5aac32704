//! What a sweep does about files that are no chunks, those that it cannot remove, and chunks of groups beside a type that goes.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::collection::gc;
use common::{Fixture, OLD, group, snapshot};
use datastore::ops::gc::GcError;
use datastore::ops::{forget_snapshot, prune};
use specs::Design;
use specs::design::Change;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const HOUR: u64 = 3600;

fn temporary(fixture: &Fixture, n: u8) -> PathBuf {
    fixture.chunk(n).with_extension("tmp_aB3dEf")
}

#[test]
fn what_a_killed_writer_left_goes_when_it_is_as_old_as_the_cutoff() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("a", "vm/1"), OLD), &[1]);
    let (old, young) = (temporary(&fixture, 1), temporary(&fixture, 2));
    fixture.add_file(&old, Duration::from_secs(25 * HOUR));
    fixture.add_file(&young, Duration::from_secs(23 * HOUR));
    let torn = fixture.path(".gc-status.tmp_aB3dEf");
    fs::write(&torn, "{").unwrap();
    let (hidden, named) = (
        fixture.path(".gc-status.old"),
        fixture.path("gc.tmp_aB3dEf"),
    );
    fs::write(&hidden, "").unwrap();
    fs::write(&named, "").unwrap();

    let status = gc(&fixture).unwrap();
    assert!(!old.exists() && young.exists() && !torn.exists());
    assert!(hidden.exists() && named.exists() && fixture.has_chunk(1));
    let bytes = "chunk".len() as u64;
    assert_eq!(
        (status.removed_temporary, status.removed_temporary_bytes),
        (1, bytes)
    );
    assert_eq!(
        (status.still_temporary, status.still_temporary_bytes),
        (1, bytes)
    );
    assert_eq!(status.removed_chunks, 0, "it never was a chunk");
    let json = fs::read_to_string(fixture.store.layout().gc_status()).unwrap();
    assert!(json.contains("\"removed-temporary\":1"), "{json}");
}

#[test]
fn temporary_file_of_a_writer_that_is_older_than_the_cutoff_stays() {
    let fixture = Fixture::new(Design::HARDENED);
    let file = temporary(&fixture, 1);
    fixture.add_file(&file, Duration::from_secs(25 * HOUR));
    let (cx, lock) = (&fixture.cx, fixture.store.process_lock());
    cx.sys.behind.set(Duration::from_secs(26 * HOUR));
    let writer = lock.lock_shared(&cx.sys, cx.design).unwrap();
    cx.sys.behind.set(Duration::ZERO);
    assert_eq!(gc(&fixture).unwrap().still_temporary, 1);
    assert!(file.exists());
    drop(writer);
    assert_eq!(gc(&fixture).unwrap().removed_temporary, 1);
    assert!(!file.exists());
}

#[test]
fn chunk_that_cannot_be_removed_keeps_no_other_from_going() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("a", "vm/1"), OLD), &[1]);
    for n in 2..6 {
        fixture.add_chunk(n, Duration::from_secs(25 * HOUR));
    }
    let refused = [fixture.chunk(2), fixture.chunk(4)];
    let calls = refused.iter().map(|path| ("unlink", path.clone()));
    fixture.cx.sys.refused.borrow_mut().extend(calls);
    for removed in [2, 0] {
        let error = gc(&fixture).unwrap_err();
        let message = error.to_string();
        assert!(!error.is_busy());
        let GcError::NotSwept { status, left } = error else {
            panic!("{message}");
        };
        assert_eq!(
            (status.removed_chunks, status.not_swept, left.count),
            (removed, 2, 2)
        );
        for path in &refused {
            assert!(message.contains(&path.display().to_string()), "{message}");
            assert!(path.exists());
        }
        assert!(fixture.has_chunk(1) && !fixture.has_chunk(3) && !fixture.has_chunk(5));
        let json = fs::read_to_string(fixture.store.layout().gc_status()).unwrap();
        assert!(json.contains("\"not-swept\":2"), "{json}");
    }
    fixture.cx.sys.refused.take();
    assert_eq!(gc(&fixture).unwrap().removed_chunks, 2);
}

#[test]
fn prefix_that_cannot_be_listed_is_named_and_the_run_goes_on() {
    let fixture = Fixture::new(Design::HARDENED);
    let chunks = fixture.store.layout().chunks();
    fs::create_dir(chunks.join("0000")).unwrap();
    fixture.add_chunk(2, Duration::from_secs(25 * HOUR));
    let refused = ("read_dir", chunks.join("0000"));
    fixture.cx.sys.refused.borrow_mut().push(refused);
    let message = gc(&fixture).unwrap_err().to_string();
    assert!(message.contains("one file: cannot list"), "{message}");
    assert!(!fixture.has_chunk(2));
}

#[test]
fn store_that_refuses_every_removal_loses_nothing_and_says_so() {
    let fixture = Fixture::new(Design::HARDENED);
    let kept = snapshot(&group("a", "vm/1"), OLD);
    fixture.add_with_manifest(&kept, &[1]);
    for n in 10..30 {
        fixture.add_chunk(n, Duration::from_secs(25 * HOUR));
    }
    let before = fixture.below("ns");
    let base = fixture.path(".");
    fixture.cx.sys.refused.borrow_mut().push(("unlink", base));
    let message = gc(&fixture).unwrap_err().to_string();
    assert!(
        message.contains("20 files") && message.contains("and 10 more"),
        "{message}"
    );
    let settings = forget_snapshot::Settings { snapshot: kept };
    let error = forget_snapshot::run(&fixture.cx, &fixture.store, &settings);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("index.json.blob"), "{message}");
    let settings = prune::Settings {
        group: group("a", "vm/1"),
        keep: prune::KeepOptions::default(),
    };
    prune::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert_eq!(
        fixture.below("ns"),
        before,
        "the snapshot is as whole as it was"
    );
    assert!(fixture.has_chunk(1));
}

/// Whichever type of groups goes between the listing of its namespace and its own, the other types are listed.
#[test]
fn type_directory_that_goes_meanwhile_hides_no_other() {
    let kinds = ["ct", "host", "vm"];
    for gone in kinds {
        // Nor does it help that what the walk has found outside is marked as well.
        let fixture = Fixture::new(Design::HARDENED.with(Change::LeftoversNotMarked));
        for (kind, chunk) in kinds.into_iter().zip(1..) {
            let group = group("a", &format!("{kind}/100"));
            fixture.add(&snapshot(&group, OLD), &[chunk]);
        }
        let directory = fixture.path("ns/a").join(gone);
        // The first listing is that of the walk.
        let walk = format!("gc.list_groups({})", "ns/a");
        let sys = &fixture.cx.sys;
        let at_call = format!("read_dir {}", directory.display());
        let (hooks, path) = (sys.hooks(), directory.clone());
        sys.at(walk, move || {
            let act = move || fs::remove_dir_all(path).unwrap();
            hooks.borrow_mut().push((at_call, Box::new(act)));
        });
        let status = gc(&fixture).unwrap();
        assert!(!directory.exists());
        assert_eq!(status.marked_chunks, 2, "{gone}");
        for (kind, chunk) in kinds.into_iter().zip(1..) {
            assert!(
                kind == gone || fixture.has_chunk(chunk),
                "{kind} beside {gone}"
            );
        }
    }
}
