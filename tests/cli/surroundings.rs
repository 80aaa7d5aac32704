//! What the built binary does when its surroundings fail it: it is interrupted, its output or its tmpfs is full.

use super::{LOCKSTEP, lockstep};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to start or end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A replay that takes long enough to be met in the middle.
const LONG: &str = "move_there_and_back_meets_gc";

#[test]
fn an_interrupt_ends_all_processes_and_leaves_no_directory_behind() {
    ends_with_an_interrupt(&["replay", LONG], Duration::ZERO);
    let litmus = ["litmus", "two_appends", "--tries", "1000000"];
    ends_with_an_interrupt(&litmus, Duration::ZERO);
    // Here, processes are started all the time, and this one works in the directories itself.
    for tens in 0..20 {
        let replay = ["replay", "one_move_meets_gc_with_kills", "--kill"];
        ends_with_an_interrupt(&replay, Duration::from_millis(10 * tens));
    }
}

/// Runs a command line with its private directories below one, until it has workers.
#[allow(
    clippy::zombie_processes,
    reason = "whoever is given the child waits for it"
)]
fn at_work(command: &mut Command, parent: &Path) -> (Child, Vec<String>) {
    let mut child = command
        .arg("--lock-dir")
        .arg(parent)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let workers = workers_below(child.id());
        if !workers.is_empty() {
            return (child, workers);
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("no worker was started");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

fn ends_with_an_interrupt(arguments: &[&str], after: Duration) {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let quiet = [arguments, &["--quiet"]].concat();
    let (child, pids) = at_work(Command::new(LOCKSTEP).args(quiet), parent.path());
    std::thread::sleep(after);
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let deadline = Instant::now() + PATIENCE;
    while pids
        .iter()
        .any(|pid| Path::new("/proc").join(pid).join("exe").exists())
    {
        assert!(Instant::now() < deadline, "a worker outlives the interrupt");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}

/// An interrupt may come while a worker is being started.
#[test]
fn a_worker_that_comes_after_the_end_of_its_driver_says_nothing() {
    let nobodys_child = std::process::id() + 1;
    let output = Command::new(LOCKSTEP)
        .args(["worker", "/nowhere", &nobodys_child.to_string(), "0"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_signal_that_ends_a_run_is_named_unless_its_caller_ignores_it() {
    for (number, name) in [
        (Signal::SIGINT, "SIGINT"),
        (Signal::SIGHUP, "SIGHUP"),
        (Signal::SIGTERM, "SIGTERM"),
    ] {
        let parent = tempfile::tempdir_in("/dev/shm").unwrap();
        let (child, _) = at_work(Command::new(LOCKSTEP).args(["replay", LONG]), parent.path());
        signal(&child, number);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(128 + number as i32));
        let text = String::from_utf8(output.stderr).unwrap();
        let said = format!("lockstep: interrupted by {name}; nothing was judged");
        assert!(text.contains(&said), "{text}");

        // As nohup does, and a shell without job control with SIGINT in the background.
        let ignoring = format!("trap '' {}; exec \"$@\"", name.trim_start_matches("SIG"));
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            &ignoring,
            "sh",
            LOCKSTEP,
            "replay",
            "one_move_meets_gc",
        ]);
        let (child, _) = at_work(&mut shell, parent.path());
        signal(&child, number);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {text}");
    }
}

#[test]
fn a_private_directory_that_somebody_removes_is_no_divergence() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let (child, _) = at_work(Command::new(LOCKSTEP).args(["replay", LONG]), parent.path());
    let mut removed = 0;
    for entry in std::fs::read_dir(parent.path()).unwrap().flatten() {
        // Workers may still create files in it.
        for _ in 0..100 {
            if std::fs::remove_dir_all(entry.path()).is_ok() {
                removed += 1;
                break;
            }
        }
    }
    assert!(removed > 0);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let said = format!("somebody has removed {}/lockstep-", parent.path().display());
    assert!(text.contains(&said), "{text}");
}

#[test]
fn a_user_who_may_have_no_threads_is_told_so() {
    // Root may have as many as it likes.
    let mut shell = Command::new("bash");
    shell.args([
        "-c",
        "ulimit -u 3 && exec \"$@\"",
        "sh",
        LOCKSTEP,
        "check",
        "two_moves_cross",
    ]);
    if nix::unistd::geteuid().is_root() {
        shell.uid(65534).gid(65534);
    }
    let runs = Command::new("bash").args(["-c", "ulimit -u 3"]).status();
    if !runs.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this shell cannot limit the number of processes");
        return;
    }
    let output = shell.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    if output.status.code() == Some(126) {
        eprintln!("skipped: another user may not run the binary where it lies: {text}");
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{text}");
    let said = "lockstep: cannot start 6 threads, but only ";
    assert!(
        text.starts_with(said) && text.contains("ulimit -u"),
        "{text}"
    );
}

#[test]
fn a_long_run_tells_on_standard_error_what_is_done() {
    let mutants = ["mutants", "history/rename_before_append"];
    let output = lockstep(&mutants);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("mutant history/rename_before_append: found, "),
        "{text}"
    );
    for silent in [&["--quiet"][..], &["--format", "json"]] {
        let output = lockstep(&[&mutants[..], silent].concat());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

/// The processes whose parent is that one.
pub(crate) fn workers_below(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1));
        if parent == Some(pid.to_string().as_str()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    for arguments in [
        &["list", "locks"][..],
        &["check", "two_moves_cross", "--format", "json"],
        &["explore", "two_moves_cross", "--port", "0"],
    ] {
        let output = Command::new(LOCKSTEP)
            .args(arguments)
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.starts_with("lockstep: results cannot be written to standard output: No space"),
            "{text}"
        );
    }
}

#[test]
fn a_help_that_cannot_be_written_is_an_error() {
    for arguments in [&["--help"][..], &["--version"], &["ask", "--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = Command::new(LOCKSTEP).args(arguments).stdout(full).status();
        assert_eq!(status.unwrap().code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_trace_that_never_ends_is_refused() {
    let output = Command::new(LOCKSTEP)
        .args(["trace", "--trace", "/dev/zero"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("it is longer than 67108864 bytes"), "{text}");
}

#[test]
fn whoever_reads_no_further_makes_no_error() {
    let mut child = Command::new(LOCKSTEP)
        .args(["list", "locks"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// A tmpfs of its own, unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// None if this machine lets nobody mount one.
    fn with(options: &str) -> Option<Self> {
        let tmpfs = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(tmpfs.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            Some(Self(tmpfs))
        } else {
            eprintln!("skipped: this machine lets nobody mount a tmpfs here");
            None
        }
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn a_tmpfs_that_is_too_small_is_named_and_no_test_is_called_failed() {
    let Some(tmpfs) = Mounted::with("size=16k") else {
        return;
    };
    let path = tmpfs.path();
    for arguments in [
        &["litmus", "two_appends"][..],
        &["lock-order"],
        &["replay", "one_move_meets_gc"],
    ] {
        let output = lockstep(&[arguments, &["--lock-dir", path]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        let sentence =
            format!("{path} is full; free some space or name another directory with --lock-dir");
        assert!(text.contains(&sentence), "{text}");
    }
}

/// A file system runs out of files as well as of bytes, and neither is a word about the kernel.
#[test]
fn a_tmpfs_without_inodes_is_called_full_and_no_litmus_test_is_called_violated() {
    let Some(tmpfs) = Mounted::with("size=16m,nr_inodes=60") else {
        return;
    };
    let path = tmpfs.path();
    let test = "two_listings_miss_what_moves_back";
    let output = lockstep(&["litmus", test, "--tries", "2", "--lock-dir", path]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let sentence =
        format!("{path} is full; free some space or name another directory with --lock-dir");
    assert!(text.contains(&sentence), "{text}");
}

/// Neither a worker nor a process of a litmus test is told paths in another way than as text.
#[test]
fn a_directory_whose_path_is_not_utf_8_is_refused_at_once() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let directory = parent.path().join(OsStr::from_bytes(b"a\xff"));
    std::fs::create_dir(&directory).unwrap();
    let link = parent.path().join("link");
    std::os::unix::fs::symlink(&directory, &link).unwrap();
    for arguments in [
        &["replay", "gc+gc"][..],
        &["litmus", "two_appends", "--tries", "1"],
    ] {
        for flag in ["--lock-dir", "--store-dir"] {
            for path in [&directory, &link] {
                let mut command = Command::new(LOCKSTEP);
                let output = command
                    .args(arguments)
                    .arg(flag)
                    .arg(path)
                    .output()
                    .unwrap();
                let text = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(2), "{text}");
                assert_eq!(
                    text,
                    format!(
                        "lockstep: the path {directory:?} is not UTF-8, and the processes of a run tell each other paths as text; name another directory with {flag}\n"
                    )
                );
            }
        }
    }
}

#[test]
fn a_tmpfs_that_fills_up_during_a_replay_is_named_and_nothing_is_called_diverged() {
    for size in ["40k", "48k", "56k", "64k", "80k"] {
        let Some(tmpfs) = Mounted::with(&format!("size={size}")) else {
            return;
        };
        let path = tmpfs.path();
        for arguments in [
            &["replay", "one_move_meets_gc"][..],
            &["replay", "killed_forget_meets_prune", "--kill"],
        ] {
            let output = lockstep(&[arguments, &["--lock-dir", path]].concat());
            let text = String::from_utf8(output.stderr).unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            if output.status.success() {
                assert!(told.contains("holds"), "{size}: {told}");
                continue;
            }
            assert_eq!(output.status.code(), Some(2), "{size}: {text}{told}");
            let sentence = format!(
                "{path} is full; free some space or name another directory with --lock-dir\n"
            );
            assert!(text.ends_with(&sentence), "{size}: {text}");
            assert_eq!(text.lines().count(), 1, "{size}: {text}");
        }
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_in_which_nothing_can_be_made_is_an_error_and_leaves_nothing() {
    let locks = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = locks.path().to_str().unwrap();
    let replay = ["replay", "two_moves_cross", "--lock-dir", path];
    let output = lockstep(&[&replay[..], &["--store-dir", "/proc"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let sentence = "/proc cannot be written to: No such file or directory";
    assert!(
        text.contains(sentence) && text.contains("--store-dir"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(std::fs::read_dir(locks.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_takes_no_store_is_named_with_its_own_flag() {
    for (options, sentence) in [
        ("size=16k", "is full; free some space or name"),
        (
            "ro",
            "cannot be written to: Read-only file system (os error 30); change its owner or name",
        ),
    ] {
        let Some(tmpfs) = Mounted::with(options) else {
            return;
        };
        let stores = tmpfs.path();
        let locks = tempfile::tempdir_in("/dev/shm").unwrap();
        let output = lockstep(&[
            "replay",
            "one_move_meets_gc",
            "--lock-dir",
            locks.path().to_str().unwrap(),
            "--store-dir",
            stores,
        ]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        let sentence = format!("{stores} {sentence} another directory with --store-dir");
        assert!(text.contains(&sentence), "{text}");
        assert_eq!(std::fs::read_dir(locks.path()).unwrap().count(), 0);
    }
}
