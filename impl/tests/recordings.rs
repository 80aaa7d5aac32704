//! Recordings of Proxmox Backup: its garbage, chunks and lock files. Its system calls are compared in `tests/recordings.rs`.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::group;
use common::recorded::{LOCKS, OWNER, Recorded, index_contents, recordings};
use datastore::index::Digest;
use datastore::manifest::{self, Verdict};
use datastore::ops::set_notes;
use datastore::ops::verify::{self, VerifyError};
use datastore::{LinuxSys, linux};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

#[test]
fn collection_keeps_exactly_what_index_files_name() {
    let Some(folder) = recordings("collection_keeps_exactly_what_index_files_name") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let contents = index_contents(&folder);
    let named = |keeps: &dyn Fn(&str) -> bool| -> BTreeSet<Digest> {
        let files = contents.iter().filter(|(path, _)| keeps(path));
        files
            .flat_map(|(_, contents)| contents.entries.iter().map(|entry| entry.2))
            .collect()
    };
    let all = named(&|_| true);
    assert_eq!(all.len(), 98);
    let stray = recorded
        .store
        .layout()
        .chunks()
        .join("2a4a")
        .join(format!("2a4a{}", "0".repeat(60)));
    fs::write(&stray, "nobody names this").unwrap();
    recorded.age_chunks();

    let status = recorded.gc();
    assert_eq!(recorded.chunks(), all);
    assert_eq!((status.index_file_count, status.marked_chunks), (11, 98));
    assert_eq!(
        (
            status.disk_chunks,
            status.removed_chunks,
            status.missing_chunks
        ),
        (98, 1, 0)
    );

    // Every snapshot in turn would do; this one shares some chunks with its predecessor and has
    // some of its own.
    let removed = "vm/100/2026-07-14T05:33:20Z";
    fs::remove_dir_all(recorded.store.layout().path(removed)).unwrap();
    recorded.age_chunks();
    let status = recorded.gc();
    let rest = named(&|path| !path.starts_with(removed));
    assert!(rest.len() < all.len());
    assert_eq!(recorded.chunks(), rest);
    assert_eq!(status.removed_chunks, (all.len() - rest.len()) as u64);
    assert_eq!(
        recorded.gc().removed_chunks,
        0,
        "what was just marked is younger than the cutoff"
    );
}

#[test]
fn every_snapshot_verifies_until_a_chunk_is_damaged() {
    let Some(folder) = recordings("every_snapshot_verifies_until_a_chunk_is_damaged") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (cx, store) = (&recorded.cx, &recorded.store);
    let snapshots = recorded.snapshots();
    let verify = |group| {
        let settings = verify::Settings { group };
        verify::run(cx, store, &settings)
    };
    let states = || {
        let manifests = snapshots.iter().map(|snapshot| {
            let path = store.layout().manifest(snapshot);
            manifest::read(&LinuxSys, &path).unwrap()
        });
        manifests
            .map(|manifest| manifest.verify_state().map(|state| state.state))
            .collect::<Vec<_>>()
    };
    assert!(states().iter().all(Option::is_none));
    for snapshot in &snapshots {
        let settings = set_notes::Settings {
            snapshot: snapshot.clone(),
            notes: "kept".to_owned(),
        };
        set_notes::run(cx, store, &settings).unwrap();
    }
    let mut verified = 0;
    let mut chunks = 0;
    for group in recorded.groups() {
        let report = verify(group).unwrap();
        verified += report.verified;
        chunks += report.chunks;
    }
    assert_eq!(verified, snapshots.len() as u64);
    assert!(chunks >= 98, "every chunk is read: {chunks}");
    assert!(states().iter().all(|state| *state == Some(Verdict::Ok)));

    let damaged = index_contents(&folder).into_values().next().unwrap();
    let path = store.chunks().path(damaged.entries[0].2);
    fs::write(&path, "damaged").unwrap();
    let mut bad = Vec::new();
    for group in recorded.groups() {
        if let Err(VerifyError::Failed(report)) = verify(group) {
            bad.push(report.set_aside.len());
        }
    }
    assert_eq!(
        bad.iter().sum::<usize>(),
        1,
        "it is set aside once: {bad:?}"
    );
    let failed = states()
        .iter()
        .filter(|state| **state == Some(Verdict::Failed))
        .count();
    assert!(failed >= bad.len() && failed < snapshots.len(), "{failed}");
    assert!(!path.exists() && path.with_extension("0.bad").exists());
    for snapshot in &snapshots {
        let manifest = manifest::read(&LinuxSys, &store.layout().manifest(snapshot)).unwrap();
        assert_eq!(manifest.notes(), Some("kept"));
    }
}

#[test]
fn lock_files_have_the_recorded_names_mode_and_owner() {
    let Some(folder) = recordings("lock_files_have_the_recorded_names_mode_and_owner") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (store, sys) = (&recorded.store, &recorded.cx.sys);
    let layout = store.layout();

    let mut ours = BTreeSet::new();
    let mut take = |path: PathBuf| {
        let create = store.lock_files();
        let mode = specs::lock_class::Mode::Exclusive;
        let wait = specs::lock_class::Wait::No;
        drop(datastore::lock_file::lock(sys, path.clone(), create, mode, wait).unwrap());
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
        if linux::is_root() {
            assert_eq!((metadata.uid(), metadata.gid()), OWNER);
        }
        ours.insert(recorded.recorded_path(&path));
    };
    for group in recorded.groups() {
        take(layout.group_lock(&group));
    }
    for snapshot in recorded.snapshots() {
        take(layout.snapshot_lock(&snapshot));
        take(layout.manifest_lock(&snapshot));
    }
    // Two groups of the recording that have nothing but a lock: a hashed name, and the longest that
    // fits.
    for id in ["x".repeat(300), "z".repeat(241)] {
        take(layout.group_lock(&group("a/b", &format!("vm/{id}"))));
    }
    take(layout.journal());

    let text = fs::read_to_string(folder.join("locks.txt")).unwrap();
    let theirs: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with('-') && line.contains(LOCKS))
        .map(|line| {
            assert!(line.starts_with("-rw-rw---- 34:34 "), "{line}");
            line[line.find(LOCKS).unwrap()..].to_owned()
        })
        .collect();
    assert_eq!(ours, theirs);
}
