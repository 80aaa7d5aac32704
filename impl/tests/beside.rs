//! What stands beside the operations, on real files: restore, protection, and new namespaces.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::finished::{contents, real_digest};
use common::{Fixture, NEW, OLD, group, namespace, snapshot, tree};
use datastore::beside::create_namespace::{self, CreateError};
use datastore::beside::protect::{self, ProtectError, Protection};
use datastore::beside::restore::{self, Problem, RestoreError, Settings};
use datastore::index::Index;
use datastore::manifest::Manifest;
use datastore::{LinuxSys, Snapshot};
use specs::Design;
use specs::lock_class::Mode;
use std::fs;
use std::io::{self, Write};

const FILE: &str = "drive.img.fidx";

fn old() -> Snapshot {
    snapshot(&group("a", "vm/100"), OLD)
}

/// One finished snapshot, whose archive has one chunk twice.
fn fixture() -> Fixture {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_finished(&old(), &[(FILE, &[1, 0, 1])]);
    fixture
}

fn settings(file: &str) -> Settings {
    Settings {
        snapshot: old(),
        file: file.to_owned(),
    }
}

fn restore(fixture: &Fixture, out: &mut impl Write) -> Result<u64, RestoreError> {
    restore::run(&fixture.cx, &fixture.store, &settings(FILE), out)
}

/// Whether somebody else can lock the snapshot.
fn is_free(fixture: &Fixture) -> bool {
    let (store, cx) = (&fixture.store, &fixture.cx);
    store.lock_snapshot(&cx.sys, cx.design, &old()).is_ok()
}

fn whole() -> Vec<u8> {
    [contents(1), contents(0), contents(1)].concat()
}

/// Somewhere to write to that holds what is written back until it is told to flush.
struct Output<F> {
    written: Vec<u8>,
    is_flushed: bool,
    at_each: F,
}

impl<F: FnMut(usize) -> io::Result<()>> Write for Output<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.at_each)(self.written.len())?;
        // As little as is allowed.
        self.written.push(bytes[0]);
        self.is_flushed = false;
        Ok(1)
    }
    fn flush(&mut self) -> io::Result<()> {
        (self.at_each)(self.written.len())?;
        self.is_flushed = true;
        Ok(())
    }
}

#[test]
fn restore_writes_the_chunks_in_the_order_of_the_archive_under_the_shared_lock_of_the_snapshot() {
    let fixture = fixture();
    let (store, cx) = (&fixture.store, &fixture.cx);
    let at_each = |_| {
        assert!(!is_free(&fixture), "somebody can remove it");
        let reader = store.lock_snapshot_shared(&cx.sys, cx.design, &old());
        assert!(reader.is_ok(), "nobody else can read it");
        Ok(())
    };
    let mut output = Output {
        written: Vec::new(),
        is_flushed: false,
        at_each,
    };
    let size = restore(&fixture, &mut output).unwrap();
    assert_eq!(output.written, whole());
    assert_eq!(size, whole().len() as u64);
    assert!(output.is_flushed);
    assert!(is_free(&fixture));
}

#[test]
fn output_that_fails_anywhere_fails_the_restore_and_the_lock_is_free() {
    // The last failure is that of flush.
    for fails_at in [0, 1, whole().len() - 1, whole().len()] {
        let fixture = fixture();
        let at_each = |written| match written == fails_at {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        };
        let mut output = Output {
            written: Vec::new(),
            is_flushed: false,
            at_each,
        };
        let error = restore(&fixture, &mut output).unwrap_err();
        assert!(matches!(error, RestoreError::Output(_)), "{error}");
        assert_eq!(output.written, whole()[..fails_at]);
        assert!(is_free(&fixture));
    }
}

#[test]
fn what_is_damaged_is_named_and_what_came_before_it_is_written() {
    let problem = |fixture: &Fixture| {
        let mut written = Vec::new();
        let Err(RestoreError::Damaged { why, .. }) = restore(fixture, &mut written) else {
            panic!("nothing is damaged");
        };
        (why, written)
    };
    let missing = fixture();
    fs::remove_file(missing.real_chunk(0)).unwrap();
    let (why, written) = problem(&missing);
    assert!(matches!(why, Problem::Missing(digest) if digest == real_digest(0)));
    assert_eq!(written, contents(1));

    let corrupt = fixture();
    corrupt.corrupt_chunk(0);
    let (why, written) = problem(&corrupt);
    assert!(matches!(why, Problem::Corrupt(digest, _) if digest == real_digest(0)));
    assert_eq!(written, contents(1));

    // Sound, but of another chunk.
    let exchanged = fixture();
    fs::copy(exchanged.real_chunk(1), exchanged.real_chunk(0)).unwrap();
    let (why, _) = problem(&exchanged);
    assert!(matches!(why, Problem::Corrupt(digest, _) if digest == real_digest(0)));

    // The entry says one byte more than the chunk has.
    let size = contents(1).len() as u64 + 1;
    let index = Index::encode_fixed([7; 16], 0, size, size, &[real_digest(1)]);
    let long = fixture();
    fs::write(long.path(old()).join(FILE), &index).unwrap();
    let (why, written) = problem(&long);
    assert!(matches!(why, Problem::Index), "the manifest says otherwise");
    let mut manifest = Manifest::new(&old());
    manifest.add_file(FILE, size, Index::decode(index).unwrap().checksum());
    let path = long.store.layout().manifest(&old());
    manifest
        .write(&LinuxSys, &path, long.store.files())
        .unwrap();
    let (why, again) = problem(&long);
    assert!(matches!(why, Problem::Size(_, has, says) if (has, says) == (size - 1, size)));
    assert!(written.is_empty() && again.is_empty());
}

#[test]
fn what_is_not_there_or_in_use_is_told_apart_when_it_is_restored() {
    let fixture = fixture();
    let run = |settings| restore::run(&fixture.cx, &fixture.store, &settings, &mut Vec::new());
    for file in [
        "other.img.fidx",
        "index.json.blob",
        "../vm/100/drive.img.fidx",
    ] {
        let error = run(settings(file)).unwrap_err();
        assert!(!error.is_busy());
        let RestoreError::NoArchive { there, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(there, [FILE]);
    }
    let lock = fixture.store.layout().snapshot_lock(&old());
    let removal = fixture.hold(lock.clone(), Mode::Exclusive);
    let error = run(settings(FILE)).unwrap_err();
    assert!(error.is_busy(), "{error}");
    drop(removal);
    let _reader = fixture.hold(lock, Mode::Shared);
    run(settings(FILE)).unwrap();

    fs::remove_file(fixture.store.layout().manifest(&old())).unwrap();
    let error = run(settings(FILE)).unwrap_err();
    assert!(matches!(&error, RestoreError::Gone(gone) if *gone == old()));
    assert!(!error.is_busy());
    let settings = Settings {
        snapshot: snapshot(&group("a", "vm/100"), NEW),
        file: FILE.to_owned(),
    };
    assert!(matches!(run(settings), Err(RestoreError::Gone(_))));
}

#[test]
fn protection_is_a_file_that_is_there_or_not_and_whoever_changes_it_is_told_whether_it_was_another()
{
    let fixture = fixture();
    let (store, cx) = (&fixture.store, &fixture.cx);
    let path = store.layout().protected(&old());
    for (protection, is_new) in [
        (Protection::Off, false),
        (Protection::On, true),
        (Protection::On, false),
        (Protection::Off, true),
        (Protection::Off, false),
    ] {
        let changed = protect::run(cx, store, &old(), protection).unwrap();
        assert_eq!(changed, is_new, "{protection:?}");
        assert_eq!(path.exists(), protection == Protection::On);
        assert!(is_free(&fixture));
    }
}

#[test]
fn protection_of_what_is_in_use_or_not_there_stays_as_it_is() {
    let fixture = fixture();
    let (store, cx) = (&fixture.store, &fixture.cx);
    let lock = store.layout().snapshot_lock(&old());
    let reader = fixture.hold(lock, Mode::Shared);
    let error = protect::run(cx, store, &old(), Protection::On).unwrap_err();
    assert!(error.is_busy(), "{error}");
    drop(reader);
    assert!(!store.layout().protected(&old()).exists());

    let before = tree(&fixture.path(""));
    for gone in [
        snapshot(old().group(), NEW),
        snapshot(&group("b", "ct/1"), OLD),
    ] {
        for protection in [Protection::On, Protection::Off] {
            let error = protect::run(cx, store, &gone, protection).unwrap_err();
            assert!(matches!(&error, ProtectError::Gone(it) if *it == gone));
            assert!(!error.is_busy());
        }
    }
    assert_eq!(tree(&fixture.path("")), before);
}

#[test]
fn namespace_is_made_in_one_that_is_there_and_nowhere_else() {
    let fixture = fixture();
    let create =
        |name: &str| create_namespace::run(&fixture.cx.sys, &fixture.store, &namespace(name));
    let before = tree(&fixture.path(""));
    assert!(matches!(create(""), Err(CreateError::Root)));
    assert!(matches!(create("a"), Err(CreateError::Exists(name)) if name == namespace("a")));
    match create("c/d") {
        Err(CreateError::NoParent {
            parent,
            namespace: made,
        }) => {
            assert_eq!((parent, made), (namespace("c"), namespace("c/d")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(tree(&fixture.path("")), before, "nothing was made");
    for name in ["c", "c/d", "a/e", "a/e/f"] {
        create(name).unwrap();
        assert!(fixture.path(namespace(name)).is_dir());
        assert!(matches!(create(name), Err(CreateError::Exists(_))));
    }
    let added: Vec<_> = tree(&fixture.path(""))
        .into_iter()
        .filter(|path| !before.contains(path))
        .collect();
    assert_eq!(added.len(), 4 + 3, "{added:?}");
}

#[test]
fn first_namespace_of_a_datastore_is_made_with_the_directory_that_it_lies_in() {
    let fixture = fixture();
    fs::remove_dir_all(fixture.path("ns")).unwrap();
    let create =
        |name: &str| create_namespace::run(&fixture.cx.sys, &fixture.store, &namespace(name));
    assert!(matches!(create("a/b"), Err(CreateError::NoParent { .. })));
    assert!(!fixture.path("ns").exists());
    create("a").unwrap();
    assert_eq!(fixture.below("ns"), ["a"]);
}
