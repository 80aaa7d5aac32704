//! What both worlds, Linux and the machine in memory, answer to single calls of one process, their errors above all: one
//! table, run in either.
//!
//! Locks, and whatever concerns two processes or two open files, are litmus tests: `conformance/src/litmus.rs`.

use conformance::interval_log::SharedLog;
use conformance::loom_explore::{Settings, Stage, interleave};
use conformance::loom_sys::{LoomSys, Patience, Process};
use datastore::LinuxSys;
use datastore::sys::{Access, CreateMode, Sys};
use specs::id::{self, Actor};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::{say, settings};

const CREATE: CreateMode = CreateMode {
    mode: 0o660,
    owner: None,
};

/// A test of some calls, in an empty directory.
type Contract<S> = (&'static str, fn(&S, &Path));

fn contracts<S: Sys>() -> Vec<Contract<S>> {
    vec![
        ("errors of open and create", errors_of_open_and_create),
        ("errors of directories", errors_of_directories),
        ("errors of link and unlink", errors_of_link_and_unlink),
        ("rename of files", rename_of_files),
        ("rename of directories", rename_of_directories),
        ("read, append and truncate", read_append_and_truncate),
        ("access time", access_time),
        ("claim", claim),
        ("first_look", first_look),
    ]
}

#[test]
fn linux_keeps_every_contract() {
    for (name, contract) in contracts::<LinuxSys>() {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        say(name);
        contract(&LinuxSys, directory.path());
    }
}

#[test]
fn the_machine_in_memory_keeps_every_contract() {
    for (name, contract) in contracts::<LoomSys>() {
        alone(name, move |process| {
            let log = SharedLog::default();
            contract(&LoomSys::new(&process(0), Actor(0), &log), Path::new("/d"));
        });
    }
}

/// Runs a body as the only thread of a machine with a directory `/d`; it gets processes by their numbers.
fn alone(
    name: &'static str,
    body: impl Fn(&dyn Fn(u8) -> Arc<Process>) + Clone + Send + Sync + 'static,
) {
    let tree = BTreeMap::from([("d".into(), None)]);
    let settings = Settings {
        patience: Patience::TimesOut,
        ..settings(None)
    };
    let begin = move |stage: &mut Stage| {
        let (body, machine) = (body.clone(), stage.machine.clone());
        stage.spawn(move || body(&|number| Process::new(&machine, id::Process(number))))
    };
    let run = interleave(settings, &tree, BTreeSet::new(), begin, |_| {
        ControlFlow::Continue(())
    });
    let run = run.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(run.executions, 1, "{name}: one thread has one order");
}

fn kind<T>(result: io::Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.kind(),
    }
}

fn ino<S: Sys>(sys: &S, path: &Path) -> u64 {
    sys.stat(path).unwrap().ino
}

fn names<S: Sys>(sys: &S, path: &Path) -> Vec<String> {
    let entries = sys.read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .into_iter()
        .map(|entry| entry.name.into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn errors_of_open_and_create<S: Sys>(sys: &S, d: &Path) {
    let (file, nothing) = (d.join("file"), d.join("nothing"));
    drop(sys.create(&file, CREATE).unwrap());
    for access in [Access::Read, Access::ReadNoAtime, Access::ReadAppend] {
        assert_eq!(kind(sys.open(&nothing, access)), ErrorKind::NotFound);
        assert_eq!(
            kind(sys.open(&nothing.join("x"), access)),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(sys.open(&file.join("x"), access)),
            ErrorKind::NotADirectory
        );
        drop(sys.open(&file, access).unwrap());
    }
    assert_eq!(
        kind(sys.open(d, Access::ReadAppend)),
        ErrorKind::IsADirectory
    );
    let opened = sys.open(d, Access::Read).unwrap();
    assert!(sys.fstat(&opened).unwrap().is_dir);
    assert!(
        sys.fstat(&sys.open(d, Access::Directory).unwrap())
            .unwrap()
            .is_dir
    );
    assert_eq!(
        kind(sys.open(&file, Access::Directory)),
        ErrorKind::NotADirectory
    );
    assert_eq!(
        kind(sys.open(&nothing, Access::Directory)),
        ErrorKind::NotFound
    );
    assert_eq!(kind(sys.read(&opened, 0)), ErrorKind::IsADirectory);
    assert_eq!(kind(sys.create(&file, CREATE)), ErrorKind::AlreadyExists);
    assert_eq!(kind(sys.create(d, CREATE)), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(sys.create(&nothing.join("x"), CREATE)),
        ErrorKind::NotFound
    );
    assert_eq!(
        kind(sys.create(&file.join("x"), CREATE)),
        ErrorKind::NotADirectory
    );
    assert_eq!(kind(sys.stat(&nothing)), ErrorKind::NotFound);
    assert_eq!(kind(sys.stat(&file.join("x"))), ErrorKind::NotADirectory);
    let stat = sys.stat(&file).unwrap();
    assert!(stat.is_file && !stat.is_dir && stat.size == 0);
}

fn errors_of_directories<S: Sys>(sys: &S, d: &Path) {
    let (directory, file) = (d.join("directory"), d.join("file"));
    sys.mkdir(&directory, None).unwrap();
    drop(sys.create(&file, CREATE).unwrap());
    assert_eq!(kind(sys.mkdir(&directory, None)), ErrorKind::AlreadyExists);
    assert_eq!(kind(sys.mkdir(&file, None)), ErrorKind::AlreadyExists);
    assert_eq!(kind(sys.mkdir(&d.join("no/x"), None)), ErrorKind::NotFound);
    assert_eq!(
        kind(sys.mkdir(&file.join("x"), None)),
        ErrorKind::NotADirectory
    );
    assert_eq!(kind(sys.read_dir(&file)), ErrorKind::NotADirectory);
    assert_eq!(kind(sys.read_dir(&d.join("no"))), ErrorKind::NotFound);
    assert_eq!(kind(sys.rmdir(&file)), ErrorKind::NotADirectory);
    assert_eq!(kind(sys.rmdir(&d.join("no"))), ErrorKind::NotFound);
    sys.mkdir(&directory.join("child"), None).unwrap();
    assert_eq!(kind(sys.rmdir(&directory)), ErrorKind::DirectoryNotEmpty);
    sys.rmdir(&directory.join("child")).unwrap();
    sys.rmdir(&directory).unwrap();
    assert_eq!(names(sys, d), ["file"]);
}

fn errors_of_link_and_unlink<S: Sys>(sys: &S, d: &Path) {
    let (file, other, directory) = (d.join("file"), d.join("other"), d.join("directory"));
    drop(sys.create(&file, CREATE).unwrap());
    sys.mkdir(&directory, None).unwrap();
    assert_eq!(kind(sys.link(&d.join("no"), &other)), ErrorKind::NotFound);
    assert_eq!(kind(sys.link(&file, &directory)), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(sys.link(&directory, &other)),
        ErrorKind::PermissionDenied
    );
    sys.link(&file, &other).unwrap();
    assert_eq!(ino(sys, &file), ino(sys, &other));
    assert_eq!(kind(sys.unlink(&d.join("no"))), ErrorKind::NotFound);
    assert_eq!(kind(sys.unlink(&directory)), ErrorKind::IsADirectory);
    sys.unlink(&file).unwrap();
    assert_eq!(names(sys, d), ["directory", "other"]);
}

fn rename_of_files<S: Sys>(sys: &S, d: &Path) {
    let (file, other, directory) = (d.join("file"), d.join("other"), d.join("directory"));
    drop(sys.create(&file, CREATE).unwrap());
    drop(sys.create(&other, CREATE).unwrap());
    sys.mkdir(&directory, None).unwrap();
    let moved = ino(sys, &file);
    for rename in [S::rename, S::rename_no_replace] {
        assert_eq!(
            kind(rename(sys, &d.join("no"), &other)),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(rename(sys, &file, &d.join("no/x"))),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(rename(sys, &file, &other.join("x"))),
            ErrorKind::NotADirectory
        );
    }
    assert_eq!(kind(sys.rename(&file, &directory)), ErrorKind::IsADirectory);
    assert_eq!(
        kind(sys.rename_no_replace(&file, &other)),
        ErrorKind::AlreadyExists
    );
    assert_eq!(
        kind(sys.rename_no_replace(&file, &directory)),
        ErrorKind::AlreadyExists
    );
    sys.rename(&file, &other).unwrap();
    assert_eq!((names(sys, d).len(), ino(sys, &other)), (2, moved));
    sys.rename_no_replace(&other, &directory.join("file"))
        .unwrap();
    assert_eq!(ino(sys, &directory.join("file")), moved);
    // Two names of one file: nothing happens.
    sys.link(&directory.join("file"), &other).unwrap();
    sys.rename(&directory.join("file"), &other).unwrap();
    assert_eq!(names(sys, &directory), ["file"]);
}

fn rename_of_directories<S: Sys>(sys: &S, d: &Path) {
    let [a, b, file] = ["a", "b", "file"].map(|name| d.join(name));
    sys.mkdir(&a, None).unwrap();
    sys.mkdir(&b, None).unwrap();
    drop(sys.create(&file, CREATE).unwrap());
    drop(sys.create(&b.join("x"), CREATE).unwrap());
    assert_eq!(kind(sys.rename(&a, &b)), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(sys.rename(&a, &file)), ErrorKind::NotADirectory);
    assert_eq!(kind(sys.rename(&a, &a.join("x"))), ErrorKind::InvalidInput);
    assert_eq!(
        kind(sys.rename_no_replace(&a, &b)),
        ErrorKind::AlreadyExists
    );
    let moved = ino(sys, &b);
    sys.rename(&b, &a).unwrap();
    assert_eq!(
        (ino(sys, &a), names(sys, &a)),
        (moved, vec!["x".to_owned()])
    );
    assert_eq!(names(sys, d), ["a", "file"]);
}

fn read_append_and_truncate<S: Sys>(sys: &S, d: &Path) {
    let path = d.join("file");
    let file = sys.create(&path, CREATE).unwrap();
    assert_eq!(sys.append(&file, b"one ").unwrap(), 4);
    let other = sys.open(&path, Access::ReadAppend).unwrap();
    assert_eq!(sys.append(&other, b"two").unwrap(), 3);
    assert_eq!(sys.read(&file, 0).unwrap(), b"one two");
    assert_eq!(sys.read(&file, 4).unwrap(), b"two");
    assert_eq!(sys.read(&file, 7).unwrap(), b"");
    assert_eq!(sys.read(&file, 99).unwrap(), b"");
    sys.ftruncate(&other, 1).unwrap();
    sys.ftruncate(&other, 3).unwrap();
    sys.append(&file, b"x").unwrap();
    assert_eq!(sys.read(&file, 0).unwrap(), b"o\0\0x");
    assert_eq!(sys.stat(&path).unwrap().size, 4);
    let reads = sys.open(&path, Access::Read).unwrap();
    assert!(sys.append(&reads, b"x").is_err());
    assert_eq!(kind(sys.ftruncate(&reads, 0)), ErrorKind::InvalidInput);
    assert_eq!(sys.fstat(&reads).unwrap().size, 4);
}

fn access_time<S: Sys>(sys: &S, d: &Path) {
    let path = d.join("file");
    drop(sys.create(&path, CREATE).unwrap());
    let before = sys.stat(&path).unwrap();
    sys.utimensat(&path, 1_700_000_000_123_456_789).unwrap();
    let after = sys.stat(&path).unwrap();
    assert_eq!(after.atime_ns, 1_700_000_000_123_456_789);
    assert_eq!(after.mtime_ns, before.mtime_ns);
    assert_eq!(kind(sys.utimensat(&d.join("no"), 0)), ErrorKind::NotFound);
}

fn claim<S: Sys>(sys: &S, d: &Path) {
    let found = sys.stat(d).unwrap();
    let claim = sys.claim(found.dev, found.ino).unwrap();
    assert!(sys.claim(found.dev, found.ino).is_none());
    drop(claim);
    drop(sys.claim(found.dev, found.ino).unwrap());
}

fn first_look<S: Sys>(sys: &S, d: &Path) {
    let flag = d.join("flag");
    assert_eq!(sys.first_look(&flag), None);
    assert!(!sys.note_first_look(&flag, false));
    assert!(!sys.note_first_look(&flag, true));
    assert_eq!(sys.first_look(&flag), Some(false));
    assert_eq!(sys.first_look(&d.join("other")), None);
}
