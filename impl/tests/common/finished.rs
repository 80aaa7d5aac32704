//! Snapshots as a backup leaves them: real chunks, index files over them, a manifest.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use super::Fixture;
use datastore::index::{Digest, Index};
use datastore::manifest::{self, Manifest};
use datastore::paths::Snapshot;
use datastore::{LinuxSys, Sys, blob};
use specs::id::Chunk;
use specs::scenario::Scenario;
use std::fs;
use std::path::PathBuf;

/// What chunk number `n` contains; its digest begins with the one prefix of the fixture.
pub(crate) fn contents(n: u8) -> &'static [u8] {
    Scenario::contents(Chunk(n)).as_bytes()
}

pub(crate) fn real_digest(n: u8) -> Digest {
    Digest::of(contents(n))
}

impl Fixture {
    /// Adds a snapshot with index files over real chunks, and its manifest.
    pub(crate) fn add_finished(&self, snapshot: &Snapshot, files: &[(&str, &[u8])]) {
        let directory = self.path(snapshot);
        fs::create_dir_all(&directory).unwrap();
        fs::write(self.path(snapshot.group()).join("owner"), "root@pam\n").unwrap();
        let mut manifest = Manifest::new(snapshot);
        for (name, chunks) in files {
            let digests: Vec<Digest> = chunks.iter().map(|n| real_digest(*n)).collect();
            // Every chunk has one size.
            let chunk_size = contents(0).len() as u64;
            let size = chunk_size * digests.len() as u64;
            let bytes = Index::encode_fixed([7; 16], 0, size, chunk_size, &digests);
            fs::write(directory.join(name), &bytes).unwrap();
            let csum = Index::decode(bytes).unwrap().checksum();
            manifest.add_file(name, size, csum);
            for n in *chunks {
                self.write_chunk(*n, &blob::encode_plain(contents(*n)).unwrap());
            }
        }
        let path = self.store.layout().manifest(snapshot);
        manifest
            .write(&LinuxSys, &path, self.store.files())
            .unwrap();
    }

    pub(crate) fn real_chunk(&self, n: u8) -> PathBuf {
        self.store.chunks().path(real_digest(n))
    }

    pub(crate) fn bad_chunk(&self, n: u8, bad: u8) -> PathBuf {
        PathBuf::from(format!("{}.{bad}.bad", self.real_chunk(n).display()))
    }

    /// Writes a chunk file whose access time is a second after 1970 began.
    pub(crate) fn write_chunk(&self, n: u8, blob: &[u8]) {
        fs::write(self.real_chunk(n), blob).unwrap();
        LinuxSys
            .utimensat(&self.real_chunk(n), 1_000_000_000)
            .unwrap();
    }

    /// Spoils a chunk, which keeps its size.
    pub(crate) fn corrupt_chunk(&self, n: u8) {
        let blob = blob::encode_plain(contents(n)).unwrap();
        self.write_chunk(n, &vec![b'x'; blob.len()]);
    }

    pub(crate) fn is_sound(&self, n: u8) -> bool {
        fs::read(self.real_chunk(n)).is_ok_and(|found| {
            blob::decode(&found).is_ok_and(|data| Digest::of(&data) == real_digest(n))
        })
    }

    pub(crate) fn manifest(&self, snapshot: &Snapshot) -> Manifest {
        manifest::read(&LinuxSys, &self.store.layout().manifest(snapshot)).unwrap()
    }

    /// The steps so far, without the name of their operation and with short names.
    pub(crate) fn short_steps(&self, operation: &str, short: &[(&str, &str)]) -> String {
        let mut steps = self.cx.sys.steps().join("\n");
        steps = steps.replace(&format!("{operation}."), "");
        for n in 0..4 {
            let chunk = format!(".chunks/5ca1/{}", real_digest(n));
            steps = steps.replace(&chunk, &format!("chunk {n}"));
        }
        for (long, short) in short {
            steps = steps.replace(long, short);
        }
        steps
    }
}

/// Puts a sound copy of a chunk in its place, in one rename, as a backup does.
pub(crate) fn insert_sound(path: PathBuf, n: u8) -> impl FnOnce() + 'static {
    move || {
        let temporary = path.with_extension("tmp_abcdef");
        fs::write(&temporary, blob::encode_plain(contents(n)).unwrap()).unwrap();
        fs::rename(temporary, path).unwrap();
    }
}
