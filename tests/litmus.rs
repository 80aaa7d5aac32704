//! Litmus tests: what the protocol takes for granted of the kernel, each assumption by itself.
//!
//! A test that needs a second process starts this file again, as `the_other_process`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

use conformance::proc_locks::ProcLocks;
use datastore::LinuxSys;
use datastore::sys::{FlockError, Sys as _};
use specs::lock_class::Mode;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The tmpfs of every Linux system.
const TMPFS: &str = "/dev/shm";

/// Names the file that the other process works on, and says what it does with it.
const ROLE: &str = "LOCKSTEP_LITMUS_ROLE";
const FILE: &str = "LOCKSTEP_LITMUS_FILE";

/// What stands before every answer of the other process, among the words of the test harness.
const ANSWER: &str = "answer: ";

fn directory() -> TempDir {
    tempfile::tempdir_in(TMPFS).unwrap()
}

fn lock_file(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("lock");
    File::create_new(&path).unwrap();
    path
}

fn open(path: &Path) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

fn is_busy(result: &Result<(), TryLockError>) -> bool {
    matches!(result, Err(TryLockError::WouldBlock))
}

/// Lines of the kernel's table that concern a file: holders and waiters.
fn in_the_table(file: &File) -> (usize, usize) {
    let metadata = file.metadata().unwrap();
    let (mut holders, mut waiters) = (0, 0);
    let mut table = ProcLocks::open(metadata.dev(), metadata.dev()).unwrap();
    let count = |line: conformance::proc_locks::Line| {
        if line.ino == metadata.ino() {
            *(if line.waits {
                &mut waiters
            } else {
                &mut holders
            }) += 1;
        }
    };
    table.read(count).unwrap();
    (holders, waiters)
}

/// Another process; killed and reaped when dropped.
struct Other {
    child: Child,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(role: &str, file: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "the_other_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, role)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, answers }
    }

    /// The next answer.
    fn answer(&mut self) -> String {
        loop {
            let line = self
                .answers
                .next()
                .expect("the other process has ended")
                .unwrap();
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.to_owned();
            }
        }
    }

    /// SIGKILL, and back once it was waited for.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

fn say(answer: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ANSWER}{answer}").unwrap();
    out.flush().unwrap();
}

/// Blocks until whoever started this process hangs up.
fn stay() {
    std::io::stdin().lines().for_each(drop);
}

/// Does nothing unless another test of this file has started it.
#[test]
fn the_other_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let path = PathBuf::from(std::env::var_os(FILE).unwrap());
    match role.as_str() {
        "hold" => {
            let file = open(&path);
            file.try_lock().unwrap();
            say("holds");
            stay();
            drop(file);
        }
        "wait" => {
            let file = open(&path);
            say("opened");
            file.lock().unwrap();
            let found = std::fs::metadata(&path).unwrap();
            let open = file.metadata().unwrap();
            let is_same = (open.dev(), open.ino()) == (found.dev(), found.ino());
            say(if is_same {
                "the file at the path"
            } else {
                "an orphan"
            });
            stay();
            drop(file);
        }
        "record lock" => {
            let file = open(&path);
            say(match LinuxSys.record_lock(&file, Some(Mode::Exclusive)) {
                Ok(()) => "free",
                Err(FlockError::WouldBlock) => "busy",
                Err(FlockError::TimedOut | FlockError::Io(_)) => "error",
            });
        }
        other => panic!("no role {other}"),
    }
}

#[test]
fn two_opens_of_one_process_exclude_each_other_and_a_duplicate_does_not() {
    let directory = directory();
    let path = lock_file(&directory);
    let (first, second) = (open(&path), open(&path));
    first.try_lock().unwrap();
    assert!(is_busy(&second.try_lock()));
    assert!(is_busy(&second.try_lock_shared()));

    // The lock belongs to the open file description: a duplicate has it too, and the last close frees it.
    let duplicate = first.try_clone().unwrap();
    duplicate.try_lock().unwrap();
    drop(first);
    assert!(is_busy(&second.try_lock()));
    drop(duplicate);
    second.try_lock().unwrap();
}

#[test]
fn closing_any_descriptor_of_a_file_drops_the_record_lock_of_the_process_but_no_flock() {
    let directory = directory();
    let path = lock_file(&directory);
    let asked = || Other::start("record lock", &path).answer();
    let locked = open(&path);
    LinuxSys
        .record_lock(&locked, Some(Mode::Exclusive))
        .unwrap();
    assert_eq!(asked(), "busy");
    drop(open(&path));
    assert_eq!(asked(), "free");

    locked.try_lock().unwrap();
    drop(open(&path));
    assert_eq!(in_the_table(&locked), (1, 0));
}

#[test]
fn whoever_waits_for_an_unlinked_lock_file_gets_an_orphan_and_only_the_inodes_tell() {
    let directory = directory();
    let path = lock_file(&directory);
    let holder = open(&path);
    holder.try_lock().unwrap();
    let mut waiter = Other::start("wait", &path);
    assert_eq!(waiter.answer(), "opened");
    let patience = Instant::now() + Duration::from_secs(60);
    while in_the_table(&holder) != (1, 1) {
        assert!(Instant::now() < patience, "the other process does not wait");
        std::thread::yield_now();
    }
    std::fs::remove_file(&path).unwrap();
    let newcomer = File::create_new(&path).unwrap();
    newcomer.try_lock().unwrap();
    drop(holder);
    // Both hold a lock now, each on a file that once was at the path.
    assert_eq!(waiter.answer(), "an orphan");
    assert_eq!(in_the_table(&newcomer), (1, 0));
}

#[test]
fn a_killed_process_holds_no_lock_once_it_was_waited_for() {
    let directory = directory();
    let path = lock_file(&directory);
    let taker = open(&path);
    for _ in 0..20 {
        let mut holder = Other::start("hold", &path);
        assert_eq!(holder.answer(), "holds");
        assert!(is_busy(&taker.try_lock()));
        holder.kill();
        taker.try_lock().unwrap();
        taker.unlock().unwrap();
    }
}

#[test]
fn a_tmpfs_never_gives_an_inode_number_twice() {
    let directory = directory();
    let path = directory.path().join("lock");
    let mut seen = BTreeSet::new();
    for _ in 0..20_000 {
        let file = File::create_new(&path).unwrap();
        assert!(seen.insert(file.metadata().unwrap().ino()));
        drop(file);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_flock_that_is_to_become_exclusive_is_dropped_first() {
    let directory = directory();
    let path = lock_file(&directory);
    let (first, second) = (open(&path), open(&path));
    first.try_lock_shared().unwrap();
    second.try_lock_shared().unwrap();
    // It does not get the exclusive lock, and the shared one is lost.
    assert!(is_busy(&first.try_lock()));
    assert_eq!(in_the_table(&first), (1, 0));
    drop(second);
    open(&path).try_lock().unwrap();
}

#[test]
fn a_rename_over_a_lock_file_leaves_its_holder_with_the_old_one() {
    let directory = directory();
    let path = lock_file(&directory);
    let holder = open(&path);
    holder.try_lock().unwrap();
    let other = directory.path().join("other");
    File::create_new(&other).unwrap();
    std::fs::rename(&other, &path).unwrap();
    let newcomer = open(&path);
    newcomer.try_lock().unwrap();
    assert_eq!(
        (in_the_table(&holder), in_the_table(&newcomer)),
        ((1, 0), (1, 0))
    );
    assert_ne!(
        holder.metadata().unwrap().ino(),
        newcomer.metadata().unwrap().ino()
    );
}
