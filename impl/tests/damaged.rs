//! What lies in a datastore and is damaged, or no file at all: it is noticed, named, and nobody waits for it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::finished::contents;
use common::recorded::{Recorded, recordings};
use common::{Fixture, NEW, OLD, group, owner, snapshot};
use datastore::index::is_index_file;
use datastore::manifest::{self, Verdict};
use datastore::ops::backup::{self, Archive};
use datastore::ops::gc;
use datastore::ops::verify::{self, ChunkProblem, Problem, Report, VerifyError};
use datastore::paths::BackupTime;
use datastore::{LinuxSys, Snapshot, Sys};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use specs::Design;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const FILE: &str = "drive.img.fidx";

/// Where the header of a fixed index has the size of the image and that of a chunk.
const SIZES: std::ops::Range<usize> = 64..80;

fn old() -> Snapshot {
    snapshot(&group("a", "vm/100"), OLD)
}

fn verify(fixture: &Fixture) -> Result<Report, VerifyError> {
    let settings = verify::Settings {
        group: group("a", "vm/100"),
    };
    verify::run(&fixture.cx, &fixture.store, &settings)
}

/// What is wrong with the one snapshot.
fn problems(fixture: &Fixture) -> Vec<Problem> {
    match verify(fixture) {
        Err(VerifyError::Failed(report)) => {
            let [failure] = <[_; 1]>::try_from(report.failures).unwrap();
            failure.problems
        }
        other => panic!("{other:?}"),
    }
}

fn set(bytes: &[u8], at: usize, number: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn no_flipped_bit_of_the_sizes_in_an_index_header_verifies() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_finished(&old(), &[(FILE, &[0, 1, 2])]);
    verify(&fixture).unwrap();
    let path = fixture.path(old()).join(FILE);
    let good = fs::read(&path).unwrap();
    for at in SIZES {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            fs::write(&path, bad).unwrap();
            let problems = problems(&fixture);
            assert!(!problems.is_empty(), "bit {bit} of byte {at}");
            let state = fixture.manifest(&old()).verify_state().unwrap().state;
            assert_eq!(state, Verdict::Failed);
        }
    }
    fs::write(&path, good).unwrap();
    verify(&fixture).unwrap();
}

#[test]
fn header_that_fits_the_number_of_entries_is_compared_with_manifest_and_chunks() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_finished(&old(), &[(FILE, &[0, 1, 2])]);
    let path = fixture.path(old()).join(FILE);
    let good = fs::read(&path).unwrap();
    let chunk = contents(0).len() as u64;
    for (size, chunk_size) in [(3 * chunk - 1, chunk), (3, 1), (u64::MAX, u64::MAX / 3 + 1)] {
        fs::write(&path, set(&set(&good, 64, size), 72, chunk_size)).unwrap();
        let problems = problems(&fixture);
        let is_size = |problem: &Problem| {
            matches!(problem, Problem::IndexSize { file, index, manifest }
                if file == FILE && *index == size && *manifest == 3 * chunk)
        };
        let entries = if chunk_size == chunk { 1 } else { 3 };
        let is_chunk = |problem: &Problem| {
            matches!(problem, Problem::ChunkSize { entries: found, size, .. }
                if *found == entries && *size == chunk)
        };
        assert!(problems.iter().any(is_size), "{problems:?}");
        assert!(problems.iter().any(is_chunk), "{problems:?}");
        // A collection needs the digests alone, and those have a checksum.
        let status = common::collection::gc(&fixture).unwrap();
        assert_eq!(status.index_data_bytes, size);
        assert_eq!((status.marked_chunks, status.missing_chunks), (3, 0));
    }
}

#[test]
fn recorded_index_file_with_a_damaged_header_fails_its_snapshot() {
    let Some(folder) = recordings("recorded_index_file_with_a_damaged_header_fails_its_snapshot")
    else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (sys, store) = (LinuxSys, &recorded.store);
    let mut damaged = 0;
    for snapshot in recorded.snapshots() {
        let directory = store.layout().path(&snapshot);
        let names = sys.read_dir(&directory).unwrap().into_iter();
        for name in names.map(|entry| entry.name) {
            let path = directory.join(name);
            if !is_index_file(&path) || path.extension().is_some_and(|end| end != "fidx") {
                continue;
            }
            let good = fs::read(&path).unwrap();
            let entries = (good.len() - 4096) as u64 / 32;
            let chunk = 64 * 1024;
            let widest = u64::MAX.div_ceil(entries);
            for (size, chunk_size) in [
                (entries * chunk - 1000, chunk),
                (entries, 1),
                (u64::MAX, widest),
            ] {
                fs::write(&path, set(&set(&good, 64, size), 72, chunk_size)).unwrap();
                let settings = verify::Settings {
                    group: snapshot.group().clone(),
                };
                let failed = match verify::run(&recorded.cx, store, &settings) {
                    Err(VerifyError::Failed(report)) => report.failures,
                    other => panic!("{}: {other:?}", path.display()),
                };
                assert!(failed.iter().all(|failure| failure.snapshot == snapshot));
                let path = store.layout().manifest(&snapshot);
                let state = manifest::read(&sys, &path).unwrap().verify_state();
                assert_eq!(state.unwrap().state, Verdict::Failed);
            }
            fs::write(&path, good).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0, "the recording has fixed index files");
}

/// Runs something that must not wait for anybody.
fn without_waiting(run: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let runner = thread::spawn(move || {
        run();
        done.send(()).unwrap();
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(60)) {
        panic!("it waits for somebody");
    }
    runner.join().unwrap();
}

/// What takes the place of a file: a FIFO, and where this user may make one, a device that has no end.
fn no_files() -> Vec<fn(&Path)> {
    fn fifo(path: &Path) {
        nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
    }
    fn zeros(path: &Path) {
        mknod(path, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 5)).unwrap();
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("zeros");
    let may_make = mknod(&path, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 5)).is_ok();
    let mut all: Vec<fn(&Path)> = vec![fifo];
    // A file system without devices opens none.
    if may_make && fs::File::open(&path).is_ok() {
        all.push(zeros);
    }
    all
}

/// A fixture with one snapshot, in which something else has taken the place of a file.
fn without(file: impl Fn(&Fixture) -> PathBuf, make: fn(&Path)) -> Fixture {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_finished(&old(), &[(FILE, &[0, 1])]);
    let path = file(&fixture);
    fs::remove_file(&path).unwrap_or_default();
    make(&path);
    fixture
}

fn collect(fixture: &Fixture) -> Result<gc::GcStatus, gc::GcError> {
    gc::run(&fixture.cx, &fixture.store, &gc::Settings::default())
}

fn back_up(fixture: &Fixture) -> Result<backup::Report, backup::BackupError> {
    let settings = backup::Settings {
        group: group("a", "vm/100"),
        owner: owner("root@pam"),
        time: BackupTime::parse(NEW).unwrap(),
        archives: vec![Archive {
            name: FILE.to_owned(),
            chunks: vec![contents(0).to_vec(), contents(2).to_vec()],
        }],
        client_has_left: &|| false,
    };
    backup::run(&fixture.cx, &fixture.store, &settings)
}

fn says(message: &str, path: &Path) {
    let names = message.contains(&path.display().to_string());
    assert!(names && message.contains("regular file"), "{message}");
}

#[test]
fn what_is_no_file_in_the_place_of_an_index_file_ends_a_collection_and_fails_its_snapshot() {
    for make in no_files() {
        without_waiting(move || {
            let fixture = without(|fixture| fixture.path(old()).join(FILE), make);
            let path = fixture.path(old()).join(FILE);
            for _ in 0..2 {
                says(&collect(&fixture).unwrap_err().to_string(), &path);
            }
            says(&back_up(&fixture).unwrap_err().to_string(), &path);
            let [Problem::Index(error)] = &problems(&fixture)[..] else {
                panic!("the index file is the one problem");
            };
            says(&error.to_string(), &path);
        });
    }
}

#[test]
fn what_is_no_file_in_the_place_of_a_chunk_fails_its_snapshot_and_stays() {
    for make in no_files() {
        without_waiting(move || {
            let fixture = without(|fixture| fixture.real_chunk(0), make);
            let path = fixture.real_chunk(0);
            collect(&fixture).unwrap();
            let [
                Problem::Chunk {
                    source: ChunkProblem::Unreadable(error),
                    ..
                },
            ] = &problems(&fixture)[..]
            else {
                panic!("the chunk is the one problem");
            };
            says(&error.to_string(), &path);
            // The verification has failed, so that nothing is reused.
            says(&back_up(&fixture).unwrap_err().to_string(), &path);
            assert!(path.exists());
        });
    }
}

#[test]
fn what_is_no_file_in_the_place_of_a_manifest_an_owner_or_the_journal_is_named() {
    for make in no_files() {
        without_waiting(move || {
            let manifest = |fixture: &Fixture| fixture.store.layout().manifest(&old());
            let fixture = without(manifest, make);
            let [Problem::Manifest(error)] = &problems(&fixture)[..] else {
                panic!("the manifest is the one problem");
            };
            says(&error.to_string(), &manifest(&fixture));
            says(
                &back_up(&fixture).unwrap_err().to_string(),
                &manifest(&fixture),
            );

            let owner = |fixture: &Fixture| fixture.path(old().group()).join("owner");
            let fixture = without(owner, make);
            says(
                &back_up(&fixture).unwrap_err().to_string(),
                &owner(&fixture),
            );

            let journal = |fixture: &Fixture| fixture.store.layout().journal();
            let fixture = without(journal, make);
            for _ in 0..2 {
                says(
                    &collect(&fixture).unwrap_err().to_string(),
                    &journal(&fixture),
                );
            }
        });
    }
}
