//! Recordings of Proxmox Backup: its garbage, lock files and system calls.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::recorded::{BASE, LOCKS, OWNER, Recorded, index_contents, recordings, without_letters};
use common::{Call, group, namespace, snapshot};
use datastore::index::Digest;
use datastore::manifest::{self, Verdict};
use datastore::ops::verify::{self, VerifyError};
use datastore::ops::{move_group, set_notes};
use datastore::paths::Namespace;
use datastore::{LinuxSys, linux};
use specs::Design;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// The calls of a recording between two lines, in our names; failed ones are left out.
fn recorded_calls(folder: &Path, log: &str, begin: &str, end: &str) -> Vec<(&'static str, String)> {
    let gzip = Command::new("gzip")
        .arg("-dc")
        .arg(folder.join("strace").join(log))
        .output()
        .unwrap();
    assert!(gzip.status.success(), "{log}");
    let text = String::from_utf8(gzip.stdout).unwrap();
    let text = &text[text.find(&format!("#STEP {begin}")).unwrap()..];
    let text = &text[..text.find(&format!("#STEP {end}")).unwrap()];
    text.lines().skip(1).filter_map(parse_call).collect()
}

fn parse_call(line: &str) -> Option<(&'static str, String)> {
    let (call, arguments) = line.split_whitespace().nth(2)?.split_once('(')?;
    let rest = &line[line.find(arguments)?..];
    if rest.contains(" = -1 ") {
        return None;
    }
    let quoted: Vec<&str> = rest.split('"').skip(1).step_by(2).collect();
    let open_file = rest
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(path, _)| path);
    let (name, path) = match call {
        "openat" if rest.contains("O_CREAT") => ("create", *quoted.first()?),
        "openat" => ("open", *quoted.first()?),
        "mkdir" | "mkdirat" => ("mkdir", *quoted.first()?),
        "rename" => ("rename", *quoted.get(1)?),
        "renameat2" => ("rename_no_replace", *quoted.get(1)?),
        "unlink" => ("unlink", *quoted.first()?),
        "rmdir" => ("rmdir", *quoted.first()?),
        "flock" => ("flock", open_file?),
        "ftruncate" => ("ftruncate", open_file?),
        "fcntl" if rest.contains("F_SETLK") => ("record_lock", open_file?),
        "write" => ("append", open_file?),
        _ => return None,
    };
    Some((name, without_letters(&path.replace("\\\\", "\\"))))
}

/// Keeps the calls that change something, and all that concern the lock directory.
///
/// Reading differs on purpose (ours does not list a directory twice, nor look up a user for each
/// lock), as does the number of writes to a file, and Proxmox Backup's check that the file system
/// records access times.
fn effects(calls: impl IntoIterator<Item = (&'static str, String)>) -> Vec<(&'static str, String)> {
    let mut effects: Vec<(&'static str, String)> = calls
        .into_iter()
        .filter(|(name, path)| {
            let reads = ["open", "flock", "stat", "fstat", "utimensat"].contains(name);
            let locks = ["open", "flock"].contains(name) && path.starts_with(LOCKS);
            let is_chunk = path.starts_with("/srv/lockstep-store/.chunks/");
            locks || !reads && !is_chunk && (path.starts_with(LOCKS) || path.starts_with(BASE))
        })
        .collect();
    effects.dedup_by(|a, b| a == b && a.0 == "append");
    effects
}

impl Recorded {
    fn effects(&self) -> Vec<(&'static str, String)> {
        let calls = self
            .cx
            .sys
            .calls()
            .into_iter()
            .filter(|call: &Call| call.is_ok);
        effects(calls.map(|call| (call.name, self.recorded_path(&call.path))))
    }
}

#[test]
fn collection_makes_the_recorded_calls_in_their_order() {
    let Some(folder) = recordings("collection_makes_the_recorded_calls_in_their_order") else {
        return;
    };
    let recorded = Recorded::unpack(&folder);
    let (store, cx) = (&recorded.store, &recorded.cx);
    drop(store.lock_journal(&cx.sys, cx.design).unwrap());
    recorded.cx.sys.calls();
    recorded.gc();
    let theirs = recorded_calls(
        &folder,
        "03-gc.log.gz",
        "garbage_collection start",
        "garbage_collection end",
    );
    let theirs = effects(theirs);
    assert_eq!(recorded.effects(), theirs);
    assert!(theirs.contains(&("ftruncate", format!("{LOCKS}move-journal"))));
}

#[test]
fn move_makes_the_recorded_calls_in_their_order() {
    let Some(folder) = recordings("move_makes_the_recorded_calls_in_their_order") else {
        return;
    };
    let mut recorded = Recorded::unpack(&folder);
    // The hardened design locks each manifest besides.
    recorded.cx.design = Design::UPSTREAM;
    let (store, sys) = (&recorded.store, &recorded.cx.sys);
    let layout = store.layout();
    let source = group("a", "vm/100");
    let times = ["2026-07-14T06:33:20Z", "2026-07-14T07:33:20Z"];

    // What earlier operations of the recording had left: the lock files of the source, the journal,
    // a namespace.
    fs::create_dir(layout.path(namespace("z"))).unwrap();
    drop(store.lock_group(sys, recorded.cx.design, &source).unwrap());
    drop(store.lock_journal(sys, recorded.cx.design).unwrap());
    for time in times {
        let snapshot = snapshot(&source, time);
        drop(
            store
                .lock_snapshot(sys, recorded.cx.design, &snapshot)
                .unwrap(),
        );
        fs::write(layout.manifest_lock(&snapshot), "").unwrap();
    }
    sys.calls();

    let target: Namespace = namespace("z");
    let settings = move_group::Settings::new(source, target);
    move_group::run(&recorded.cx, store, &settings).unwrap();
    let log = "05-move-group-then-gc.log.gz";
    let theirs = effects(recorded_calls(
        &folder,
        log,
        "move_group\\n",
        "move_group result",
    ));
    assert_eq!(recorded.effects(), theirs);
    assert_eq!(
        theirs.iter().filter(|(name, _)| *name == "unlink").count(),
        6,
        "{theirs:?}"
    );

    // The entries that the recorded collection drained are those that ours finds.
    let journal = fs::read_to_string(layout.journal()).unwrap();
    let entries: Vec<String> = journal
        .lines()
        .map(|line| recorded.recorded_path(Path::new(line)))
        .collect();
    let expected: Vec<String> = times
        .iter()
        .flat_map(|time| ["drive-scsi0.img.fidx", "root.pxar.didx"].map(|file| (time, file)))
        .map(|(time, file)| format!("{BASE}ns/z/vm/100/{time}/{file}"))
        .collect();
    assert_eq!(entries, expected);
    recorded.gc();
    let steps = sys.steps();
    for line in 1..=4 {
        assert!(steps.contains(&format!("gc.open_entry(line {line})")));
    }
    assert_eq!(fs::read(layout.journal()).unwrap(), b"");
    assert_eq!(recorded.chunks().len(), 98);
}
