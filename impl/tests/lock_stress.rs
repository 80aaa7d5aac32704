//! Many processes take and remove one lock for a while: never two holders, nothing left behind.
//!
//! The witness is independent of the locks: a counter in a file, which a holder reads and writes back
//! increased. Two holders at once lose an increment, sooner or later; the test that leaves the comparison
//! of inodes out shows that it is seen.
//!
//! `LOCKSTEP_STRESS_SECONDS` says for how long; without it the time is short.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

use datastore::error::LockError;
use datastore::lock_file::LockFile;
use datastore::sys::CreateMode;
use datastore::{BackupTime, Config, Datastore, Group, LinuxSys, Namespace, Prefixes, Snapshot};
use specs::Design;
use specs::lock_class::{Mode, Wait};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROCESSES: usize = 64;
const ROLE: &str = "LOCKSTEP_STRESS_ROLE";
const DIRECTORY: &str = "LOCKSTEP_STRESS_DIRECTORY";
const SECONDS: &str = "LOCKSTEP_STRESS_SECONDS";
const TOLD: &str = "told: ";

fn seconds() -> u64 {
    std::env::var(SECONDS).map_or(5, |seconds| seconds.parse().unwrap())
}

fn snapshot() -> Snapshot {
    let group = Group::parse(Namespace::new("a").unwrap(), "vm/100").unwrap();
    group.snapshot(BackupTime::parse("2026-07-14T06:33:20Z").unwrap())
}

fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory.join("base"), "store");
    config.locks = directory.join("locks");
    config
}

/// Reads the counter, lets others run, and writes it back increased: nothing here is atomic.
fn count(counter: &Path) {
    let value: u64 = fs::read_to_string(counter).unwrap().trim().parse().unwrap();
    std::thread::yield_now();
    // One write of a fixed length: who reads meanwhile sees the old number or the new one.
    let file = fs::OpenOptions::new().write(true).open(counter).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, format!("{:020}", value + 1).as_bytes(), 0)
        .unwrap();
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What one process saw: how often it held the lock, and how often it was refused.
#[derive(Default)]
struct Told {
    held: u64,
    refused: u64,
}

/// Takes the lock in the way of the library, and removes its file every other time.
fn take(directory: &Path, deadline: Instant) -> Told {
    let store = Datastore::open(&LinuxSys, config(directory)).unwrap();
    let (snapshot, counter) = (snapshot(), directory.join("counter"));
    let mut told = Told::default();
    while Instant::now() < deadline {
        match store.lock_manifest(&LinuxSys, Design::HARDENED, &snapshot) {
            Ok(lock) => {
                count(&counter);
                told.held += 1;
                if told.held % 2 == 0 {
                    lock.unlink().unwrap();
                }
            }
            Err(LockError::TimedOut(_) | LockError::Vanished(_)) => told.refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    told
}

/// The same without the comparison of inodes.
fn take_without_recheck(directory: &Path, deadline: Instant) -> Told {
    let path = directory.join("locks/store/lock");
    let create = CreateMode {
        mode: 0o660,
        owner: None,
    };
    let counter = directory.join("counter");
    let mut told = Told::default();
    while Instant::now() < deadline {
        match LockFile::open_or_create(&LinuxSys, path.clone(), create) {
            Ok(file) => {
                file.flock(Mode::Exclusive, Wait::Seconds(5)).unwrap();
                count(&counter);
                told.held += 1;
                if told.held % 2 == 0 {
                    // Somebody else may have removed it before.
                    file.into_guard().unlink().unwrap_or_default();
                }
            }
            Err(LockError::Vanished(_)) => told.refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    told
}

/// Does nothing unless another test of this file has started it.
#[test]
fn one_of_many_processes() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let before = open_descriptors();
    let deadline = Instant::now() + Duration::from_secs(seconds());
    let told = match role.as_str() {
        "take" => take(&directory, deadline),
        "take without recheck" => take_without_recheck(&directory, deadline),
        other => panic!("no role {other}"),
    };
    assert_eq!(open_descriptors(), before, "a descriptor leaked");
    println!("{TOLD}{} {}", told.held, told.refused);
}

fn start(role: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_of_many_processes", "--nocapture"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the processes; what they told, and what the counter says.
fn run(role: &str, directory: &Path) -> (Told, u64) {
    drop(Datastore::create(&LinuxSys, config(directory), Prefixes::Only(&[])).unwrap());
    let counter = directory.join("counter");
    fs::write(&counter, format!("{:020}", 0)).unwrap();
    let children: Vec<Child> = (0..PROCESSES).map(|_| start(role, directory)).collect();
    let mut sum = Told::default();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let (out, err) = (output.stdout, output.stderr);
        let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
        assert!(output.status.success(), "{out}{err}");
        let line = out.lines().find_map(|line| line.split_once(TOLD)).unwrap();
        let (held, refused) = line.1.split_once(' ').unwrap();
        sum.held += held.parse::<u64>().unwrap();
        sum.refused += refused.parse::<u64>().unwrap();
    }
    let counted = fs::read_to_string(&counter).unwrap().parse().unwrap();
    (sum, counted)
}

#[test]
fn sixty_four_processes_that_take_and_remove_one_lock_are_never_two_holders() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (told, counted) = run("take", directory.path());
    println!("held {} times, refused {} times", told.held, told.refused);
    assert_eq!(told.held, counted, "two holders have lost an increment");
    assert!(told.held > PROCESSES as u64, "hardly anybody held it");
    let left: Vec<_> = fs::read_dir(directory.path().join("locks/store/a"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(left.len() <= 1, "left behind: {left:?}");
}

#[test]
fn the_counter_shows_two_holders_where_nobody_compares_inodes() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (told, counted) = run("take without recheck", directory.path());
    assert!(counted < told.held, "{counted} of {}", told.held);
}
