//! Marking a chunk and inserting a new one, against the bare system calls on the same paths.
//!
//! `cargo bench -p datastore [-- --pairs N] [FILTER]`.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on has failed, and it looks at the clock"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are printed with few digits"
)]

mod pairs;

use datastore::chunk_store::Inserted;
use datastore::index::Digest;
use datastore::{LinuxSys, blob};
use pairs::{Case, Pairs, new_store, time};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::path::Arg as _;
use std::ffi::{CStr, CString};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// The prefix directory that all chunks lie in.
const PREFIX: &str = "5ca1";
const PREFIX_BYTES: [u8; 2] = [0x5c, 0xa1];

const MARKS: usize = 200;
const INSERTS: usize = 50;

fn main() -> ExitCode {
    let pairs = Pairs::from_arguments();
    let (_directory, store) = new_store(&[PREFIX]);
    let chunks = store.chunks();
    let digests: Vec<Digest> = (0..MARKS).map(digest).collect();
    let paths: Vec<PathBuf> = digests.iter().map(|digest| chunks.path(*digest)).collect();
    let c_paths: Vec<CString> = paths.iter().map(|path| c_path(path.clone())).collect();

    for path in &paths {
        fs::write(path, "").unwrap();
    }
    let case = Case {
        name: "mark",
        contenders: ["mark", "bare"],
        goal: Some(1.3),
        operations: [MARKS; 2],
    };
    let mut buffer = chunks.buffer();
    pairs.compare(
        &case,
        || {
            time(|| {
                for digest in &digests {
                    chunks.mark(&LinuxSys, *digest, &mut buffer).unwrap();
                }
            })
        },
        || time(|| c_paths.iter().for_each(|path| set_access_time(path))),
    );

    let remove = || paths.iter().for_each(|path| fs::remove_file(path).unwrap());
    remove();
    let blob = blob::encode_plain(&[7; 4096]).unwrap();
    let temporary: Vec<CString> = paths[..INSERTS]
        .iter()
        .map(|path| c_path(path.with_extension("tmp_bench1")))
        .collect();
    let case = Case {
        name: "insert_4_kib",
        contenders: ["insert", "bare"],
        goal: None,
        operations: [INSERTS; 2],
    };
    let remove = || {
        for path in &paths[..INSERTS] {
            fs::remove_file(path).unwrap();
        }
    };
    pairs.compare(
        &case,
        || {
            let time = time(|| {
                for digest in &digests[..INSERTS] {
                    let inserted = chunks.insert(&LinuxSys, *digest, &blob, store.files());
                    assert_eq!(inserted.unwrap(), Inserted::New);
                }
            });
            remove();
            time
        },
        || {
            let time = time(|| {
                for (temporary, path) in temporary.iter().zip(&c_paths) {
                    bare_insert(temporary, path, &blob);
                }
            });
            remove();
            time
        },
    );
    pairs.verdict()
}

/// A digest whose chunk lies in the prefix directory.
fn digest(n: usize) -> Digest {
    let mut digest = Digest::of(&n.to_le_bytes());
    digest.0[..2].copy_from_slice(&PREFIX_BYTES);
    digest
}

fn c_path(path: PathBuf) -> CString {
    path.into_c_str().unwrap().into_owned()
}

/// Utimensat.
fn set_access_time(path: &CStr) {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 1_784_000_000,
            tv_nsec: 0,
        },
        last_modification: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Create, write, utimensat, rename, close.
fn bare_insert(temporary: &CStr, path: &CStr, blob: &[u8]) {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    let file = rustix::fs::open(temporary, flags, Mode::RUSR | Mode::WUSR).unwrap();
    assert_eq!(rustix::io::write(&file, blob).unwrap(), blob.len());
    set_access_time(temporary);
    rustix::fs::rename(temporary, path).unwrap();
}
