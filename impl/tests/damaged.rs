//! What lies in a datastore and is damaged, or no file at all: it is noticed, named, and nobody waits for it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::finished::contents;
use common::recorded::{Recorded, recordings};
use common::{Fixture, OLD, group, snapshot};
use datastore::index::is_index_file;
use datastore::manifest::{self, Verdict};
use datastore::ops::verify::{self, Problem, Report, VerifyError};
use datastore::{LinuxSys, Snapshot, Sys};
use specs::Design;
use std::fs;

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
    let fixture = Fixture::new(Design::Hardened);
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
    let fixture = Fixture::new(Design::Hardened);
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
