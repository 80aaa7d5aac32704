//! Making and opening a datastore: to whom its directories belong, and what lies at its paths before.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, OLD, group, owner, tree};
use datastore::ops::backup::{self, Archive};
use datastore::ops::gc;
use datastore::paths::BackupTime;
use datastore::{Config, Cx, Datastore, LinuxSys, OpenError, Prefixes, Sys, linux};
use specs::Design;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

const CX: Cx<LinuxSys> = Cx {
    sys: LinuxSys,
    design: Design::HARDENED,
};

fn create(config: Config) -> Datastore<LinuxSys> {
    Datastore::create(&CX.sys, config, Prefixes::Only(&["5ca1"])).unwrap()
}

fn owner_of(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

fn inode_of(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// Chunks lie below the first four hex digits of their digest.
#[test]
fn a_datastore_has_a_directory_for_every_prefix_of_a_digest() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let config = Fixture::config(directory.path());
    let chunks = config.base.join(".chunks");
    Datastore::create(&CX.sys, config, Prefixes::All).unwrap();
    let found = fs::read_dir(&chunks).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> = found
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let wanted: Vec<String> = (0..0x1_0000).map(|n| format!("{n:04x}")).collect();
    assert_eq!(names.len(), wanted.len());
    assert!(names == wanted);
}

#[test]
fn whatever_is_created_belongs_to_the_configured_owner() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (user, group_id) = owner_of(directory.path());
    // Only root may give files away; whoever is not root owns what it makes.
    let wanted = match linux::is_root() {
        true => (user + 34, group_id + 35),
        false => (user, group_id),
    };
    let mut config = Fixture::config(directory.path());
    config.owner = Some(wanted);
    let store = create(config);
    let settings = backup::Settings {
        group: group("", "vm/100"),
        owner: owner("root@pam"),
        time: BackupTime::parse(OLD).unwrap(),
        archives: vec![Archive {
            name: "drive.img.fidx".to_owned(),
            chunks: Vec::new(),
        }],
        client_has_left: &|| false,
    };
    backup::run(&CX, &store, &settings).unwrap();
    gc::run(&CX, &store, &gc::Settings::default()).unwrap();

    let created = tree(directory.path());
    let snapshot = format!("store/vm/100/{OLD}");
    for path in [
        "locks/store",
        "store/.chunks/5ca1",
        "store/.gc-status",
        &snapshot,
    ] {
        assert!(
            created.iter().any(|there| there == path),
            "{path} {created:?}"
        );
    }
    for path in created {
        assert_eq!(owner_of(&directory.path().join(&path)), wanted, "{path}");
    }
}

#[test]
fn lock_directory_and_chunks_may_be_links_to_directories() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let elsewhere = directory.path().join("elsewhere");
    let config = Fixture::config(directory.path());
    fs::create_dir_all(elsewhere.join("run")).unwrap();
    symlink(elsewhere.join("run"), &config.locks).unwrap();
    drop(create(config.clone()));
    assert_eq!(tree(&elsewhere.join("run")), ["store"]);

    let chunks = config.base.join(".chunks");
    fs::rename(&chunks, elsewhere.join("chunks")).unwrap();
    symlink(elsewhere.join("chunks"), &chunks).unwrap();
    let store = Datastore::open(&LinuxSys, config.clone()).unwrap();
    let error = Datastore::open(&LinuxSys, config).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::AlreadyOpen(_)), "{error}");
    gc::run(&CX, &store, &gc::Settings::default()).unwrap();
}

#[test]
fn what_is_no_directory_is_named() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (file, nowhere) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&file, "").unwrap();
    symlink("nowhere", &nowhere).unwrap();
    for path in [&file, &nowhere] {
        for locks in [path.clone(), path.join("a/b")] {
            let mut config = Fixture::config(directory.path());
            config.locks = locks;
            let error = Datastore::create(&LinuxSys, config, Prefixes::All).map(drop);
            let message = error.unwrap_err().to_string();
            let expected = format!("cannot be: {} is no directory", path.display());
            assert!(message.contains(&expected), "{message}");
        }
        let config = Fixture::config(directory.path());
        fs::create_dir_all(&config.base).unwrap();
        let chunks = config.base.join(".chunks");
        symlink(path, &chunks).unwrap();
        let error = Datastore::open(&LinuxSys, config).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::NotADatastore(_)), "{error}");
        fs::remove_file(chunks).unwrap();
    }
}

#[test]
fn interrupted_creation_is_no_datastore_and_a_repeat_goes_on_with_it() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let config = Fixture::config(directory.path());
    let new = config.base.join(".chunks.new");
    fs::create_dir_all(new.join("0000")).unwrap();
    let kept = inode_of(&new.join("0000"));

    let error = Datastore::open(&LinuxSys, config.clone()).map(drop);
    assert!(matches!(error.unwrap_err(), OpenError::NotADatastore(_)));
    let prefixes = Prefixes::Only(&["0000", "0001"]);
    drop(Datastore::create(&LinuxSys, config.clone(), prefixes).unwrap());
    let chunks = config.base.join(".chunks");
    assert_eq!(tree(&chunks), ["0000", "0001"]);
    assert_eq!(inode_of(&chunks.join("0000")), kept);
    assert!(!new.exists());
    drop(Datastore::open(&LinuxSys, config.clone()).unwrap());
    let error = Datastore::create(&LinuxSys, config, prefixes).map(drop);
    assert!(matches!(error.unwrap_err(), OpenError::Exists(_)));
}

#[test]
fn open_and_create_say_what_is_wrong() {
    let fixture = Fixture::new(Design::HARDENED);
    let config = Fixture::config(fixture.directory.path());
    let create = Datastore::create(&LinuxSys, config.clone(), Prefixes::Only(&[]));
    let message = |result: Result<Datastore<LinuxSys>, _>| match result {
        Ok(_) => panic!("opened"),
        Err::<_, OpenError>(error) => error.to_string(),
    };
    assert!(message(create).contains("is a datastore already"));
    let mut nowhere = config.clone();
    nowhere.base = fixture.directory.path().join("nowhere");
    assert!(message(Datastore::open(&LinuxSys, nowhere)).contains("it has no directory .chunks"));
    let mut relative = config.clone();
    relative.base = "store".into();
    assert!(message(Datastore::open(&LinuxSys, relative)).contains("is not absolute"));
    let mut file = config.clone();
    file.locks = fixture.path(".lock");
    let file = message(Datastore::open(&LinuxSys, file));
    assert!(
        file.contains("lock directory") && file.contains("choose another"),
        "{file}"
    );

    let disk = tempfile::tempdir().unwrap();
    let mut not_tmpfs = config;
    not_tmpfs.locks = disk.path().join("locks");
    if !LinuxSys.is_tmpfs(disk.path()).unwrap() {
        let message = message(Datastore::open(&LinuxSys, not_tmpfs.clone()));
        assert!(
            message.contains("does not lie on a tmpfs") && message.contains("locks/store"),
            "{message}"
        );
        assert!(
            !not_tmpfs.locks.exists(),
            "nothing is created in a directory that is refused"
        );
    }
    not_tmpfs.lock_file_system = datastore::LockFileSystem::Any;
    let lock = fixture.path(".lock");
    drop(fixture.store);
    // Nobody has said yet where its locks are.
    fs::write(lock, "").unwrap();
    Datastore::open(&LinuxSys, not_tmpfs).unwrap();
}
