//! One datastore under several paths and names, and symbolic links in it: one answer for everybody.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::collection::{gc, middle};
use common::finished::contents;
use common::{Fixture, NEW, OLD, group, namespace, owner, snapshot};
use datastore::beside::protect::{self, Protection};
use datastore::beside::{create_namespace, restore};
use datastore::journal::Corrupt;
use datastore::ops::backup::{self, Archive};
use datastore::ops::gc::{GcError, GcStatus};
use datastore::ops::{delete_namespace, forget_snapshot, move_group, prune, set_notes, set_owner};
use datastore::ops::{verify, verify::VerifyError};
use datastore::paths::BackupTime;
use datastore::{Cx, Datastore, LinuxSys, OpenError};
use specs::Design;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const FILE: &str = "drive.img.fidx";

/// A move of one snapshot to another namespace, by somebody who opened the datastore by another path.
fn moved_by(path: impl FnOnce(&Path) -> PathBuf) -> Fixture {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("a", "vm/1"), OLD), &[1]);
    let Fixture {
        directory,
        cx,
        store,
    } = fixture;
    drop(store);
    let other = path(directory.path());
    let mut config = Fixture::config(directory.path());
    config.base = other;
    let store = Datastore::open(&LinuxSys, config).unwrap();
    let mover = Cx {
        sys: LinuxSys,
        design: Design::HARDENED,
    };
    let settings = move_group::Settings::new(group("a", "vm/1"), namespace("b"));
    move_group::run(&mover, &store, &settings).unwrap();
    drop(store);
    let store = Datastore::open(&cx.sys, Fixture::config(directory.path())).unwrap();
    Fixture {
        directory,
        cx,
        store,
    }
}

#[test]
fn move_by_another_path_announces_what_every_collection_finds() {
    let by_link = |directory: &Path| {
        let link = directory.join("link");
        symlink(directory.join("store"), &link).unwrap();
        link
    };
    let by_dots = |directory: &Path| directory.join("store/../store/.");
    for fixture in [moved_by(by_link), moved_by(by_dots)] {
        let base = fixture.path(".");
        let file = base.join("ns/b/vm/1").join(OLD).join(FILE);
        assert_eq!(fixture.journal(), format!("{}\n", file.display()));
        gc(&fixture).unwrap();
        assert!(middle(&fixture).contains(&"gc.open_entry(line 1)".to_owned()));
        assert_eq!(fixture.journal(), "");
    }
}

/// A collection of a datastore whose one snapshot is at `relative`, when the journal has an entry for it below `called`.
fn collect_called(relative: &str, called: &str) -> (Fixture, Result<GcStatus, GcError>) {
    let fixture = Fixture::new(Design::HARDENED);
    let directory = fixture.path(relative);
    fs::create_dir_all(&directory).unwrap();
    fixture.add_index(&directory.join(FILE), &[1]);
    let line = format!("{called}/{relative}/{FILE}\n");
    fs::write(fixture.store.layout().journal(), line).unwrap();
    let result = gc(&fixture);
    (fixture, result)
}

#[test]
fn entry_that_was_written_before_the_mount_point_was_renamed_is_marked() {
    for called in ["/mnt/before", "/mnt/ns/a", "/vm/100"] {
        for namespace in ["", "ns/a/", "ns/a/ns/b/"] {
            let relative = format!("{namespace}vm/100/{OLD}");
            let (fixture, result) = collect_called(&relative, called);
            result.unwrap();
            let steps = middle(&fixture);
            let opened = "gc.open_entry(line 1)".to_owned();
            assert!(steps.contains(&opened), "{called} {relative} {steps:?}");
            assert_eq!(fixture.journal(), "");
        }
    }
    // It was removed since then, or never renamed.
    let fixture = Fixture::new(Design::HARDENED);
    let line = format!("/mnt/before/vm/100/{OLD}/{FILE}\n");
    fs::write(fixture.store.layout().journal(), line).unwrap();
    gc(&fixture).unwrap();
    assert!(middle(&fixture).contains(&"gc.open_entry(line 1) = NotFound".to_owned()));
    assert_eq!(fixture.journal(), "");
}

#[test]
fn entry_of_a_file_in_another_datastore_stays_in_the_journal() {
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let other = elsewhere.path().join("vm/100").join(OLD);
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join(FILE), "").unwrap();
    for relative in [format!("vm/100/{OLD}"), format!("vm/101/{OLD}")] {
        let fixture = Fixture::new(Design::HARDENED);
        let directory = fixture.path(&relative);
        fs::create_dir_all(&directory).unwrap();
        fixture.add_index(&directory.join(FILE), &[1]);
        let line = format!("{}/{FILE}\n", other.display());
        fs::write(fixture.store.layout().journal(), &line).unwrap();
        match gc(&fixture) {
            Err(GcError::Journal {
                source: Corrupt::BadEntry { line: 1, why, .. },
                ..
            }) => assert_eq!(why, "lies outside the datastore"),
            other => panic!("{other:?}"),
        }
        assert_eq!(fixture.journal(), line);
    }
}

#[test]
fn entry_that_two_paths_of_one_file_system_lead_to_is_marked() {
    // A hard link stands for the second mount, another path of the same file; or for a file of another file system that has
    // the same inode number.
    for is_mounted in [false, true] {
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let other = elsewhere.path().join("vm/100").join(OLD);
        fs::create_dir_all(&other).unwrap();
        let fixture = Fixture::new(Design::HARDENED);
        let directory = fixture.path(format!("vm/100/{OLD}"));
        fs::create_dir_all(&directory).unwrap();
        fixture.add_index(&directory.join(FILE), &[1]);
        fs::hard_link(directory.join(FILE), other.join(FILE)).unwrap();
        let line = format!("{}/{FILE}\n", other.display());
        fs::write(fixture.store.layout().journal(), &line).unwrap();
        let mounted = is_mounted.then(|| elsewhere.path().to_owned());
        fixture.cx.sys.elsewhere.replace(mounted);
        let collected = gc(&fixture);
        if is_mounted {
            assert!(matches!(collected, Err(GcError::Journal { .. })));
            assert_eq!(fixture.journal(), line);
        } else {
            collected.unwrap();
            assert_eq!(fixture.journal(), "");
        }
    }
}

#[test]
fn second_name_or_lock_directory_of_a_datastore_is_refused() {
    let fixture = Fixture::new(Design::HARDENED).reopened();
    let base = fixture.path(".");
    let locks = fixture.store.layout().locks().to_owned();
    let Fixture {
        directory,
        cx,
        store,
    } = fixture;
    drop(store);
    let open = |change: &dyn Fn(&mut datastore::Config)| {
        let mut config = Fixture::config(directory.path());
        change(&mut config);
        Datastore::open(&cx.sys, config).map(drop)
    };
    let link = directory.path().join("link");
    symlink(directory.path(), &link).unwrap();
    let elsewhere = directory.path().join("other-locks");
    let changes: [&dyn Fn(&mut datastore::Config); 3] = [
        &|config| config.name = "other".to_owned(),
        &|config| config.locks = elsewhere.clone(),
        &|config| {
            config.base = link.join("store");
            config.name = "other".to_owned();
        },
    ];
    for change in changes {
        let error = open(change).unwrap_err();
        let OpenError::OtherLocks { bound, file, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((bound, file), (&locks, &base.join(".lock")));
        assert!(error.to_string().contains(&locks.display().to_string()));
    }
    // The same directories by other paths.
    open(&|config| {
        config.base = link.join("store");
        config.locks = link.join("locks/../locks");
    })
    .unwrap();

    fs::write(base.join(".lock"), "/run/lo").unwrap();
    let message = open(&|_| {}).unwrap_err().to_string();
    assert!(message.contains("cut short; empty it"), "{message}");
    fs::write(base.join(".lock"), "").unwrap();
    open(&|config| config.name = "other".to_owned()).unwrap();
    assert!(open(&|_| {}).is_err(), "the first to open it decides");
}

#[test]
fn datastore_of_proxmox_backup_is_bound_when_it_is_opened_first() {
    let fixture = Fixture::new(Design::HARDENED);
    let lock = fixture.path(".lock");
    let locks = fixture.store.layout().locks().display().to_string();
    assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{locks}\n"));
    let fixture = fixture.reopened();
    assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{locks}\n"));
    drop(fixture.store);
    fs::write(&lock, "").unwrap();
    let config = Fixture::config(fixture.directory.path());
    drop(Datastore::open(&fixture.cx.sys, config).unwrap());
    assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{locks}\n"));
}

/// Moves a directory of a fixture elsewhere and leaves a link to it; the path of the link.
fn replace_by_link(fixture: &Fixture, relative: &str) -> PathBuf {
    let (path, there) = (
        fixture.path(relative),
        fixture.directory.path().join("elsewhere"),
    );
    fs::rename(&path, &there).unwrap();
    symlink(&there, &path).unwrap();
    path
}

fn says(message: &str, link: &Path) {
    let expected = format!("cannot use {}: it is a symbolic link", link.display());
    assert!(message.contains(&expected), "{message}");
}

/// What everybody who is told the group, its snapshot or its namespace says.
fn everybody_refuses(fixture: &Fixture, link: &Path) {
    let (cx, store) = (&fixture.cx, &fixture.store);
    let of = group("a/b", "vm/100");
    let old = snapshot(&of, OLD);
    let settings = backup::Settings {
        group: of.clone(),
        owner: owner("root@pam"),
        time: BackupTime::parse(NEW).unwrap(),
        archives: vec![Archive {
            name: FILE.to_owned(),
            chunks: vec![contents(0).to_vec()],
        }],
        client_has_left: &|| false,
    };
    let refused = backup::run(cx, store, &settings).unwrap_err();
    says(&refused.to_string(), link);
    let settings = verify::Settings { group: of.clone() };
    let refused = verify::run(cx, store, &settings).unwrap_err();
    assert!(matches!(refused, VerifyError::Aborted { .. }));
    says(&refused.to_string(), link);
    let settings = prune::Settings {
        group: of.clone(),
        keep: prune::KeepOptions {
            last: Some(1),
            ..prune::KeepOptions::default()
        },
    };
    says(
        &prune::run(cx, store, &settings).unwrap_err().to_string(),
        link,
    );
    let settings = forget_snapshot::Settings {
        snapshot: old.clone(),
    };
    let refused = forget_snapshot::run(cx, store, &settings).unwrap_err();
    says(&refused.to_string(), link);
    let settings = set_notes::Settings {
        snapshot: old.clone(),
        notes: "x".to_owned(),
    };
    says(
        &set_notes::run(cx, store, &settings)
            .unwrap_err()
            .to_string(),
        link,
    );
    let settings = set_owner::Settings {
        group: of.clone(),
        owner: owner("a@pam"),
    };
    says(
        &set_owner::run(cx, store, &settings)
            .unwrap_err()
            .to_string(),
        link,
    );
    for (from, to) in [("a/b", "b"), ("b", "a/b")] {
        let settings = move_group::Settings::new(group(from, "vm/100"), namespace(to));
        says(
            &move_group::run(cx, store, &settings)
                .unwrap_err()
                .to_string(),
            link,
        );
    }
    let refused = protect::run(cx, store, &old, Protection::On).unwrap_err();
    says(&refused.to_string(), link);
    let settings = restore::Settings {
        snapshot: old,
        file: FILE.to_owned(),
    };
    let refused = restore::run(cx, store, &settings, &mut Vec::new()).unwrap_err();
    says(&refused.to_string(), link);
}

#[test]
fn group_behind_a_link_is_refused_by_everybody_and_its_chunks_stay() {
    for relative in ["ns/a", "ns/a/ns/b", "ns/a/ns/b/vm", "ns/a/ns/b/vm/100"] {
        for dangles in [false, true] {
            let fixture = Fixture::new(Design::HARDENED);
            let old = snapshot(&group("a/b", "vm/100"), OLD);
            fixture.add_finished(&old, &[(FILE, &[0])]);
            let link = replace_by_link(&fixture, relative);
            if dangles {
                // The disk that it leads to is not mounted.
                let there = fixture.directory.path().join("elsewhere");
                fs::rename(&there, there.with_extension("away")).unwrap();
            }
            everybody_refuses(&fixture, &link);
            let settings = delete_namespace::Settings {
                namespace: namespace("a"),
            };
            let refused = delete_namespace::run(&fixture.cx, &fixture.store, &settings);
            says(&refused.unwrap_err().to_string(), &link);
            says(&gc(&fixture).unwrap_err().to_string(), &link);
            assert!(fixture.real_chunk(0).exists(), "{relative}");
            let refused =
                create_namespace::run(&fixture.cx.sys, &fixture.store, &namespace("a/b/c"));
            if relative.starts_with("ns/a/ns/b/vm") {
                refused.unwrap();
            } else {
                says(&refused.unwrap_err().to_string(), &link);
            }
        }
    }
}

#[test]
fn link_of_a_snapshot_stops_those_who_list_it_and_one_to_a_file_stops_nobody() {
    let fixture = Fixture::new(Design::HARDENED);
    let of = group("a", "vm/100");
    for time in [OLD, NEW] {
        fixture.add_finished(&snapshot(&of, time), &[(FILE, &[0])]);
    }
    let link = replace_by_link(&fixture, &snapshot(&of, OLD).to_string());
    says(&gc(&fixture).unwrap_err().to_string(), &link);
    let settings = verify::Settings { group: of.clone() };
    let refused = verify::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
    says(&refused.to_string(), &link);

    fs::remove_file(&link).unwrap();
    fs::rename(fixture.directory.path().join("elsewhere"), &link).unwrap();
    let index = link.join(FILE);
    let there = fixture.directory.path().join("there");
    fs::rename(&index, &there).unwrap();
    symlink(&there, &index).unwrap();
    symlink("/dev/null/nothing", fixture.path(".hidden")).unwrap();
    let text = fixture.directory.path().join("text");
    fs::write(&text, "").unwrap();
    symlink(&text, fixture.path("readme")).unwrap();
    gc(&fixture).unwrap();
    verify::run(&fixture.cx, &fixture.store, &settings).unwrap();
    assert!(fixture.real_chunk(0).exists());
    // What it leads to may come back.
    fs::remove_file(there).unwrap();
    says(&gc(&fixture).unwrap_err().to_string(), &index);
}

#[test]
fn directory_of_chunks_behind_a_link_is_named_and_not_swept() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add_chunk(1, std::time::Duration::from_secs(30 * 24 * 3600));
    let link = replace_by_link(&fixture, ".chunks/5ca1");
    let error = gc(&fixture).unwrap_err();
    assert!(matches!(error, GcError::NotSwept { .. }), "{error}");
    says(&error.to_string(), &link);
    assert!(fixture.has_chunk(1));
}
