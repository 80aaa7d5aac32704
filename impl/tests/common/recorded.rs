//! The recordings of Proxmox Backup: its datastore, unpacked, and what its index files hold.
//!
//! The variable `LOCKSTEP_RECORDINGS` names the folder with the recordings. Without it the tests
//! say that they are skipped; if it is set and something is missing, they fail.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests look at real files"
)]

use super::{TestSys, namespace, tree};
use datastore::index::Digest;
use datastore::ops::gc;
use datastore::paths::{Group, Snapshot};
use datastore::{Config, Cx, Datastore, LinuxSys, Sys, linux, listing};
use specs::Design;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "LOCKSTEP_RECORDINGS";
pub(crate) const BASE: &str = "/srv/lockstep-store/";
pub(crate) const LOCKS: &str = "/run/proxmox-backup/locks/lockstep/";
/// User and group `backup` of the recording.
pub(crate) const OWNER: (u32, u32) = (34, 34);

/// The folder, or none after a line that says which test is skipped.
pub(crate) fn recordings(test: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(VARIABLE) else {
        println!("skipped: {test}: {VARIABLE} does not name the folder with the recordings");
        return None;
    };
    let folder = PathBuf::from(folder);
    for file in [
        "datastore.tar.gz",
        "index-contents.txt",
        "locks.txt",
        "strace",
    ] {
        assert!(
            folder.join(file).exists(),
            "{VARIABLE} is {}, which has no {file}",
            folder.display()
        );
    }
    Some(folder)
}

/// The recorded datastore, unpacked, with chunks that are older than any cutoff.
pub(crate) struct Recorded {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) cx: Cx<TestSys>,
    pub(crate) store: Datastore<TestSys>,
}

impl Recorded {
    pub(crate) fn unpack(folder: &Path) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let tar = Command::new("tar")
            .args(["--extract", "--gzip", "--no-same-owner", "--file"])
            .arg(folder.join("datastore.tar.gz"))
            .arg("--directory")
            .arg(directory.path())
            .output()
            .unwrap();
        assert!(
            tar.status.success(),
            "{}",
            String::from_utf8_lossy(&tar.stderr)
        );
        let mut config = Config::new(directory.path().join("lockstep-store"), "lockstep");
        config.locks = directory.path().join("locks");
        config.owner = linux::is_root().then_some(OWNER);
        let cx = Cx {
            sys: TestSys::default(),
            design: Design::HARDENED,
        };
        let store = Datastore::open(&cx.sys, config).unwrap();
        let recorded = Self {
            directory,
            cx,
            store,
        };
        recorded.age_chunks();
        recorded.cx.sys.calls();
        recorded
    }

    pub(crate) fn age_chunks(&self) {
        for chunk in self.chunks() {
            let hex = chunk.to_string();
            let path = self.store.layout().chunks().join(&hex[..4]).join(&hex);
            LinuxSys
                .utimensat(&path, LinuxSys.now() - 1_000_000_000 * 3600 * 24 * 30)
                .unwrap();
        }
    }

    pub(crate) fn chunks(&self) -> BTreeSet<Digest> {
        let files = tree(&self.store.layout().chunks()).into_iter();
        files
            .filter_map(|file| digest(file.split_once('/')?.1))
            .collect()
    }

    pub(crate) fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        for name in ["", "a", "a/b"] {
            let path = self.store.layout().path(namespace(name));
            for kind in listing::type_directories(&LinuxSys.read_dir(&path).unwrap()) {
                for id in
                    listing::child_directories(&LinuxSys.read_dir(&path.join(kind.name())).unwrap())
                {
                    groups.push(Group::new(namespace(name), kind, id).unwrap());
                }
            }
        }
        groups
    }

    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        let mut snapshots = Vec::new();
        for group in self.groups() {
            let path = self.store.layout().path(&group);
            let times = listing::snapshot_times(&LinuxSys.read_dir(&path).unwrap());
            snapshots.extend(times.into_iter().map(|time| group.snapshot(time)));
        }
        snapshots
    }

    pub(crate) fn gc(&self) -> gc::GcStatus {
        gc::run(&self.cx, &self.store, &gc::Settings::default()).unwrap()
    }

    /// A path of ours in the words of the recording.
    pub(crate) fn recorded_path(&self, path: &Path) -> String {
        let text = path.to_str().unwrap();
        let directory = self.directory.path().to_str().unwrap();
        let text = text.replace(
            &format!("{directory}/locks/lockstep"),
            LOCKS.trim_end_matches('/'),
        );
        without_letters(&text.replace(
            &format!("{directory}/lockstep-store"),
            BASE.trim_end_matches('/'),
        ))
    }
}

pub(crate) fn digest(hex: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (i, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(Digest(digest))
}

/// A temporary name without the letters that make it unique.
pub(crate) fn without_letters(path: &str) -> String {
    match path.split_once(".tmp_") {
        Some((stem, _)) => format!("{stem}.tmp_"),
        None => path.to_owned(),
    }
}

/// What an index file holds according to the recording.
pub(crate) struct Contents {
    pub(crate) checksum: Digest,
    pub(crate) size: u64,
    pub(crate) entries: Vec<(u64, u64, Digest)>,
}

pub(crate) fn index_contents(folder: &Path) -> BTreeMap<String, Contents> {
    let text = fs::read_to_string(folder.join("index-contents.txt")).unwrap();
    let mut files: BTreeMap<String, Contents> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["INDEX", path, _count, _bytes, size, csum] => {
                current = (*path).to_owned();
                let contents = Contents {
                    checksum: digest(csum.strip_prefix("csum=").unwrap()).unwrap(),
                    size: size.strip_prefix("size=").unwrap().parse().unwrap(),
                    entries: Vec::new(),
                };
                files.insert(current.clone(), contents);
            }
            [_number, range, hex] if range.contains("..") => {
                let (begin, end) = range.split_once("..").unwrap();
                let entry = (
                    begin.parse().unwrap(),
                    end.parse().unwrap(),
                    digest(hex).unwrap(),
                );
                files.get_mut(&current).unwrap().entries.push(entry);
            }
            _ => {}
        }
    }
    assert_eq!(files.len(), 11, "the recording has eleven index files");
    files
}
