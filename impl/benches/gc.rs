//! How drain, mark and sweep grow: a hundred times as much work against the work.
//!
//! `cargo bench -p datastore [-- --pairs N] [FILTER]`. A case is a whole garbage collection of a
//! datastore in which one phase has something to do; marking alone is what that phase does for the
//! chunks of one index file. Chunks are empty files in 16 prefix directories.

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

use datastore::index::{self, Digest, Index};
use datastore::ops::gc;
use datastore::{Cx, Datastore, LinuxSys, Sys};
use pairs::{Case, Pairs, new_store, time};
use specs::Design;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const SMALL: usize = 1000;
const LARGE: usize = 100_000;

const PREFIXES: [&str; 16] = [
    "0000", "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "000a", "000b",
    "000c", "000d", "000e", "000f",
];

const CX: Cx<LinuxSys> = Cx {
    sys: LinuxSys,
    design: Design::HARDENED,
};

/// A datastore with chunks that are older than any cutoff.
struct Scene {
    _directory: tempfile::TempDir,
    store: Datastore<LinuxSys>,
    digests: Vec<Digest>,
}

fn main() -> ExitCode {
    let pairs = Pairs::from_arguments();
    let compare = |name: &str, scene: &dyn Fn(usize) -> Box<dyn FnMut() -> Duration>| {
        if pairs.wants(name) {
            let case = Case {
                name,
                contenders: ["one of 100000", "one of 1000"],
                goal: Some(130.0),
                operations: [LARGE, SMALL],
            };
            pairs.compare(&case, scene(LARGE), scene(SMALL));
        }
    };
    compare("gc_drain", &|entries| Box::new(drain(entries)));
    compare("gc_mark", &|chunks| Box::new(mark(chunks)));
    compare("gc_sweep", &|chunks| Box::new(sweep(chunks)));
    compare("gc_mark_and_sweep", &|chunks| {
        Box::new(mark_and_sweep(chunks))
    });
    pairs.verdict()
}

/// A collection that finds entries in the journal: each the path of an index file that no listing
/// finds. All of them name one chunk.
fn drain(entries: usize) -> impl FnMut() -> Duration {
    let scene = Scene::new(1);
    let first = scene.write_index(".hidden/0.fidx");
    let mut lines = String::new();
    for entry in 1..=entries {
        let path = first.with_file_name(format!("{entry}.fidx"));
        // One file under many names takes the memory of one.
        fs::hard_link(&first, &path).unwrap();
        writeln!(lines, "{}", path.display()).unwrap();
    }
    move || {
        scene.make_chunks();
        fs::write(scene.store.layout().journal(), &lines).unwrap();
        let (time, status) = scene.collect();
        assert_eq!(status.index_file_count, entries as u64);
        assert_eq!(status.disk_chunks, 1);
        time
    }
}

/// Every chunk of an index file, from opening the file on.
fn mark(chunks: usize) -> impl FnMut() -> Duration {
    let scene = Scene::new(chunks);
    let index = scene.write_index("host/a/2026-07-14T06:33:20Z/drive.img.fidx");
    scene.make_chunks();
    move || time(|| scene.mark(&index))
}

/// A collection that finds chunks that nobody names, and removes them.
fn sweep(chunks: usize) -> impl FnMut() -> Duration {
    let scene = Scene::new(chunks);
    move || {
        scene.make_chunks();
        let (time, status) = scene.collect();
        assert_eq!(status.removed_chunks, chunks as u64);
        time
    }
}

/// A collection that finds chunks that one index file names.
fn mark_and_sweep(chunks: usize) -> impl FnMut() -> Duration {
    let scene = Scene::new(chunks);
    scene.write_index("host/a/2026-07-14T06:33:20Z/drive.img.fidx");
    scene.make_chunks();
    move || {
        let (time, status) = scene.collect();
        assert_eq!(status.disk_chunks, chunks as u64);
        time
    }
}

impl Scene {
    /// A datastore whose chunks have names, and are still to be made.
    fn new(chunks: usize) -> Self {
        let (directory, store) = new_store(&PREFIXES);
        let digests = (0..chunks).map(|n| {
            let mut digest = Digest::of(&n.to_le_bytes());
            digest.0[0] = 0;
            digest.0[1] %= 16;
            digest
        });
        Self {
            _directory: directory,
            store,
            digests: digests.collect(),
        }
    }

    /// Makes the chunks, all of them old.
    fn make_chunks(&self) {
        let old = CX.sys.now() - 1_000_000_000 * 3600 * 24 * 30;
        for digest in &self.digests {
            let path = self.store.chunks().path(*digest);
            drop(File::create(&path).unwrap());
            CX.sys.utimensat(&path, old).unwrap();
        }
    }

    /// Writes an index file over all chunks.
    fn write_index(&self, name: &str) -> PathBuf {
        let path = self.store.layout().path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let size = 4096 * self.digests.len() as u64;
        let bytes = Index::encode_fixed([7; 16], 0, size, 4096, &self.digests);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// What a collection does for the chunks of an index file.
    fn mark(&self, index: &Path) {
        let chunks = self.store.chunks();
        let mut buffer = chunks.buffer();
        for digest in index::read(&CX.sys, index).unwrap().digests() {
            chunks.mark(&CX.sys, digest, &mut buffer).unwrap();
        }
    }

    fn collect(&self) -> (Duration, gc::GcStatus) {
        let mut status = gc::GcStatus::default();
        let time = time(|| {
            status = gc::run(&CX, &self.store, &gc::Settings::default()).unwrap();
        });
        (time, status)
    }
}
