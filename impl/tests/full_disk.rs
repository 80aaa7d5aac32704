//! What a full disk leaves: the file that was there, and nothing beside it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, group, snapshot, tree};
use datastore::blob;
use datastore::index::{Digest, DynamicWriter, FixedWriter};
use datastore::manifest::{self, Manifest};
use datastore::ops::gc;
use datastore::step::Ending;
use specs::{Cut, Design, Outcome};
use std::fs;
use std::num::NonZeroU64;

const FULL: Option<Outcome> = Some(Outcome::NoSpace(Cut::Nothing));

/// Runs with every amount of room that is too small, given what a whole run writes.
fn with_too_little_room(fixture: &Fixture, needed: usize, run: impl Fn()) {
    let before = tree(fixture.directory.path());
    for room in [0, 1, needed / 2, needed - 1] {
        fixture.cx.sys.room.set(Some(room));
        run();
        assert_eq!(tree(fixture.directory.path()), before, "{room} bytes");
    }
    fixture.cx.sys.room.set(None);
}

#[test]
fn manifest_stays_as_it_was() {
    let fixture = Fixture::new(Design::HARDENED);
    let snapshot = snapshot(&group("a", "vm/100"), NEW);
    fixture.add(&snapshot, &[1]);
    let (sys, files) = (&fixture.cx.sys, fixture.store.files());
    let path = fixture.store.layout().manifest(&snapshot);
    let old = Manifest::new(&snapshot);
    old.write(sys, &path, files).unwrap();
    let mut new = old.clone();
    new.set_notes("new");
    let needed = blob::encode(&new.to_json().unwrap()).unwrap().len();
    with_too_little_room(&fixture, needed, || {
        let error = new.write(sys, &path, files).unwrap_err();
        assert_eq!(error.outcome(), FULL);
        assert_eq!(manifest::read(sys, &path).unwrap(), old);
    });
    new.write(sys, &path, files).unwrap();
    assert_eq!(manifest::read(sys, &path).unwrap(), new);
}

#[test]
fn chunk_is_there_whole_or_not_at_all() {
    let fixture = Fixture::new(Design::HARDENED);
    let (sys, chunks) = (&fixture.cx.sys, fixture.store.chunks());
    let blob = blob::encode_plain(b"some data").unwrap();
    let insert = || chunks.insert(sys, common::digest(1), &blob, fixture.store.files());
    with_too_little_room(&fixture, blob.len(), || {
        assert_eq!(insert().unwrap_err().outcome(), FULL);
    });
    insert().unwrap();
    assert_eq!(fs::read(fixture.chunk(1)).unwrap(), blob);
}

#[test]
fn index_is_there_whole_or_not_at_all() {
    let fixture = Fixture::new(Design::HARDENED);
    let (sys, files) = (&fixture.cx.sys, fixture.store.files());
    let path = fixture.path("ns/a/drive.img.fidx");
    with_too_little_room(&fixture, 4096 + 32, || {
        let size = NonZeroU64::new(4096).unwrap();
        let mut writer = FixedWriter::create(sys, path.clone(), files, 0, 4096, size).unwrap();
        writer.set(0, Digest([1; 32])).unwrap();
        assert_eq!(writer.close().unwrap_err().outcome(), FULL);
    });
    let path = fixture.path("ns/a/root.pxar.didx");
    with_too_little_room(&fixture, 4096 + 40, || {
        let mut writer = DynamicWriter::create(sys, path.clone(), files, 0).unwrap();
        writer.push(1, Digest([1; 32])).unwrap();
        assert_eq!(writer.close().unwrap_err().outcome(), FULL);
    });
}

#[test]
fn collection_that_cannot_write_its_status_says_so() {
    let fixture = Fixture::new(Design::HARDENED);
    let run = || gc::run(&fixture.cx, &fixture.store, &gc::Settings::default());
    run().unwrap();
    let status = fixture.store.layout().gc_status();
    let old = fs::read(&status).unwrap();
    with_too_little_room(&fixture, old.len(), || {
        let message = run().unwrap_err().to_string();
        assert!(message.contains(".gc-status"), "{message}");
    });
    assert_eq!(fs::read(&status).unwrap(), old);
    assert_eq!(fixture.cx.sys.calls().last().unwrap().name, "record_lock");
}
