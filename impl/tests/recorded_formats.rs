//! Recordings of Proxmox Backup: its index files, chunks and manifests, read and written anew.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::recorded::{OWNER, Recorded, index_contents, recordings};
use datastore::chunk_store::{self, Content, Inserted};
use datastore::index::{self, Digest};
use datastore::{LinuxSys, Sys, blob, linux, manifest};
use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[test]
fn every_index_file_reads_entry_for_entry() {
    let Some(folder) = recordings("every_index_file_reads_entry_for_entry") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let contents = index_contents(&folder);
    let found = common::tree(recorded.store.layout().base());
    let found: BTreeSet<&String> = found
        .iter()
        .filter(|file| index::is_index_file(Path::new(file)))
        .collect();
    assert_eq!(found, contents.keys().collect());
    for (path, expected) in &contents {
        let index = index::read(&LinuxSys, &recorded.store.layout().path(path)).unwrap();
        let entries: Vec<_> = index
            .ranges()
            .zip(index.digests())
            .map(|((begin, end), d)| (begin, end, d))
            .collect();
        assert_eq!(entries, expected.entries, "{path}");
        assert_eq!(
            (index.size(), index.checksum()),
            (expected.size, expected.checksum),
            "{path}"
        );
        assert_eq!(index.kind() == index::Kind::Fixed, path.ends_with(".fidx"));
    }
}

#[test]
fn every_chunk_reads_and_verifies() {
    let Some(folder) = recordings("every_chunk_reads_and_verifies") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (chunks, sys) = (recorded.store.chunks(), &recorded.cx.sys);
    let digests = recorded.chunks();
    assert_eq!(digests.len(), 98);
    for digest in digests {
        let path = chunks.path(digest);
        let before = LinuxSys.stat(&path).unwrap();
        let blob = chunk_store::read(sys, &path).unwrap();
        let content = chunk_store::check(digest, &blob).unwrap();
        assert!(matches!(content, Content::Data(data) if data.len() == 64 * 1024));
        assert_eq!(LinuxSys.stat(&path).unwrap(), before, "reading is no use");
        // A backup that uploads it again finds it there.
        let inserted = chunks.insert(sys, digest, &blob, recorded.store.files());
        let size = before.size;
        assert_eq!(inserted.unwrap(), Inserted::Duplicate { size });
        assert!(LinuxSys.stat(&path).unwrap().atime_ns > before.atime_ns);
    }
}

#[test]
fn every_manifest_reads_and_is_written_back_byte_for_byte() {
    let Some(folder) = recordings("every_manifest_reads_and_is_written_back_byte_for_byte") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (layout, sys) = (recorded.store.layout(), &recorded.cx.sys);
    let snapshots = recorded.snapshots();
    assert!(!snapshots.is_empty());
    for snapshot in snapshots {
        let path = layout.manifest(&snapshot);
        let json = blob::decode(&fs::read(&path).unwrap()).unwrap();
        let manifest = manifest::read(sys, &path).unwrap();
        assert!(manifest.belongs_to(&snapshot));
        assert_eq!(manifest.to_json().unwrap(), json);
        assert_eq!(manifest.verify_state(), None);
        assert!(manifest.chunk_upload_stats().is_some());

        // What it says of each file is what the file is like, by the rules that a backup follows.
        let mut named = BTreeSet::from([PathBuf::from("index.json.blob")]);
        for file in manifest.files() {
            let path = layout.path(&snapshot).join(&file.filename);
            let found = if index::is_index_file(&path) {
                let index = index::read(sys, &path).unwrap();
                (index.size(), index.checksum())
            } else {
                let bytes = fs::read(&path).unwrap();
                blob::decode(&bytes).unwrap();
                (bytes.len() as u64, Digest::of(&bytes))
            };
            assert_eq!((file.size, file.csum), found, "{}", path.display());
            assert_eq!(file.crypt_mode, manifest::CryptMode::None);
            named.insert(PathBuf::from(&file.filename));
        }
        let there = common::tree(&layout.path(&snapshot)).into_iter();
        assert_eq!(there.map(PathBuf::from).collect::<BTreeSet<_>>(), named);

        manifest.write(sys, &path, recorded.store.files()).unwrap();
        assert_eq!(blob::decode(&fs::read(&path).unwrap()).unwrap(), json);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644);
    }
}

#[test]
fn every_index_file_is_written_anew_byte_for_byte() {
    let Some(folder) = recordings("every_index_file_is_written_anew_byte_for_byte") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (store, sys) = (&recorded.store, &recorded.cx.sys);
    for path in index_contents(&folder).into_keys() {
        let path = store.layout().path(path);
        let theirs = fs::read(&path).unwrap();
        let index = index::read(sys, &path).unwrap();
        fs::remove_file(&path).unwrap();
        let closed = match index.kind() {
            index::Kind::Fixed => {
                let chunk_size = NonZeroU64::new(64 * 1024).unwrap();
                let (path, files) = (path.clone(), store.files());
                let mut writer =
                    index::FixedWriter::create(sys, path, files, 0, index.size(), chunk_size)
                        .unwrap();
                for (position, digest) in index.digests().enumerate() {
                    writer.set(position, digest).unwrap();
                }
                writer.close()
            }
            index::Kind::Dynamic => {
                let (path, files) = (path.clone(), store.files());
                let mut writer = index::DynamicWriter::create(sys, path, files, 0).unwrap();
                for ((_, end), digest) in index.ranges().zip(index.digests()) {
                    writer.push(end, digest).unwrap();
                }
                writer.close()
            }
        }
        .unwrap();
        let ours = fs::read(&path).unwrap();
        // UUID and creation time are those of another file.
        assert_eq!((&ours[..8], &ours[32..]), (&theirs[..8], &theirs[32..]));
        assert_eq!((closed.csum, closed.size), (index.checksum(), index.size()));
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o644);
        if linux::is_root() {
            assert_eq!((metadata.uid(), metadata.gid()), OWNER);
        }
    }
}
