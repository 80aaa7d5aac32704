//! The directories that `--lock-dir` and `--store-dir` name: what is removed from them, and what is not.

use super::surroundings::workers_below;
use super::{LOCKSTEP, lockstep};
use conformance::private_dir::LOCK_FILE;
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A directory with a file in it.
fn directory(parent: &Path, name: &str, file: &str) -> PathBuf {
    let path = parent.join(name);
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join(file), "").unwrap();
    path
}

#[test]
fn what_a_run_did_not_leave_stays_whatever_its_name() {
    let locks = tempfile::tempdir_in("/dev/shm").unwrap();
    let stores = tempfile::tempdir().unwrap();
    for parent in [locks.path(), stores.path()] {
        let results = directory(parent, "lockstep-2026-results", "theirs");
        let result = directory(parent, "lockstep-2147483646-1", "theirs");
        let link = parent.join("lockstep-2147483646-2");
        std::os::unix::fs::symlink(&results, &link).unwrap();
        let file = parent.join("lockstep-2147483646-3");
        std::fs::write(&file, "").unwrap();
        let live = directory(parent, "lockstep-2147483646-4", LOCK_FILE);
        let lock = File::open(live.join(LOCK_FILE)).unwrap();
        lock.lock().unwrap();
        let left = directory(parent, "lockstep-2147483646-5", LOCK_FILE);
        std::fs::create_dir(left.join("store")).unwrap();
        let output = lockstep(&[
            "replay",
            "two_moves_cross",
            "--lock-dir",
            locks.path().to_str().unwrap(),
            "--store-dir",
            stores.path().to_str().unwrap(),
        ]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        for path in [results.join("theirs"), result.join("theirs"), link, file] {
            assert!(path.exists(), "{}", path.display());
        }
        assert!(live.exists() && !left.exists());
    }
}

#[test]
fn a_run_that_sees_no_process_of_another_one_leaves_its_directories_alone() {
    const APART: [&str; 4] = ["--user", "--map-root-user", "--pid", "--fork"];
    let unshare = || {
        let mut command = Command::new("unshare");
        let is_root = nix::unistd::geteuid().is_root();
        command.args(if is_root { &APART[2..] } else { &APART[..] });
        command.arg("--mount-proc");
        command
    };
    let can = unshare().arg("true").stderr(Stdio::null()).status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine lets nobody have process ids of their own");
        return;
    }
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let litmus = ["litmus", "two_appends", "--quiet", "--tries"];
    let mut first = Command::new(LOCKSTEP)
        .args([&litmus[..], &["1000000", "--lock-dir"]].concat())
        .arg(parent.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let directories = || {
        let entries = std::fs::read_dir(parent.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.collect::<BTreeSet<PathBuf>>()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while workers_below(first.id()).is_empty() {
        assert!(Instant::now() < deadline, "no worker was started");
        std::thread::sleep(Duration::from_millis(5));
    }
    let of_the_first = directories();
    let second = unshare()
        .arg(LOCKSTEP)
        .args([&litmus[..], &["1", "--lock-dir"]].concat())
        .arg(parent.path())
        .output()
        .unwrap();
    assert!(second.status.success(), "{second:?}");
    assert_eq!(directories(), of_the_first);
    let first_id = nix::unistd::Pid::from_raw(i32::try_from(first.id()).unwrap());
    nix::sys::signal::kill(first_id, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(130));
    assert_eq!(directories(), BTreeSet::new());
}

#[test]
fn what_a_run_of_another_user_left_is_left_to_its_owner() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::set_permissions(parent.path(), Permissions::from_mode(0o1777)).unwrap();
    let left = directory(parent.path(), "lockstep-2147483646-5", LOCK_FILE);
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can start the binary as another user");
        return;
    }
    let output = Command::new(LOCKSTEP)
        .uid(65534)
        .gid(65534)
        .args(["litmus", "two_appends", "--tries", "1", "--lock-dir"])
        .arg(parent.path())
        .output();
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: only root can start the binary from where it lies");
            return;
        }
        output => output.unwrap(),
    };
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(left.exists());
    let output = lockstep(&[
        "litmus",
        "two_appends",
        "--tries",
        "1",
        "--lock-dir",
        parent.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!left.exists());
}

#[test]
fn directories_may_be_relative_and_lead_over_links() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    for name in ["locks", "stores"] {
        std::fs::create_dir(parent.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink("stores", parent.path().join("link")).unwrap();
    for arguments in [
        &["replay", "two_moves_cross"][..],
        &["replay", "two_moves_cross", "--store-dir", "link"],
        &["mutants", "M32", "--store-dir", "stores/../link"],
        &["lock-order", "two_moves_cross", "--store-dir", "./stores"],
        &["litmus", "two_appends", "--tries", "1"],
    ] {
        let output = Command::new(LOCKSTEP)
            .args(arguments)
            .args(["--lock-dir", "locks"])
            .current_dir(parent.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_lock_directory_whose_path_is_too_long_for_a_socket_is_named() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let long = parent.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let path = long.to_str().unwrap();
    for arguments in [
        &["replay", "two_moves_cross"][..],
        &["litmus", "two_appends", "--tries", "1"],
    ] {
        let output = lockstep(&[arguments, &["--lock-dir", path]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains(path) && text.contains("a shorter directory with --lock-dir"),
            "{text}"
        );
        assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
    }
}
