//! Private directories on a tmpfs: which parent is refused, and how none is left behind.

use crate::pool::end_starts;
use anyhow::Context as _;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, geteuid};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where private directories are made unless the user says otherwise.
pub const SHM: &str = "/dev/shm";

/// What the private directories below a directory hold. Each has a flag that names another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Locks, and the datastore unless it lies apart.
    Locks,
    /// Datastores that lie apart.
    Stores,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locks => "--lock-dir",
            Self::Stores => "--store-dir",
        })
    }
}

/// A directory for locks or stores cannot be used. The process ends with code 2 and this one sentence.
#[derive(Debug, thiserror::Error)]
pub enum ParentError {
    /// It is not on a tmpfs.
    #[error("{} does not lie on a tmpfs; name a directory that does with --lock-dir, such as /dev/shm", .0.display())]
    NotTmpfs(PathBuf),
    /// It cannot be written to.
    #[error("{} cannot be written to: {}; change its owner or name another directory with {}", .0.display(), .2, .1)]
    NotWritable(PathBuf, Holding, io::Error),
    /// It is full.
    #[error("{} is full; free some space or name another directory with {}", .0.display(), .1)]
    Full(PathBuf, Holding),
    /// Paths below it are lines of the move journal.
    #[error("the path {:?} has a line break, and paths are lines of the move journal; name another directory with {}", .0, .1)]
    LineBreak(PathBuf, Holding),
    /// The processes of a run are told it as text.
    #[error("the path {:?} is not UTF-8, and the processes of a run tell each other paths as text; name another directory with {}", .0, .1)]
    NotText(PathBuf, Holding),
    /// It is not there.
    #[error("{} cannot be reached: {}; create it or name another directory with {}", .0.display(), .2, .1)]
    Missing(PathBuf, Holding, io::Error),
}

/// Refuses a directory that cannot hold locks.
pub fn check_lock_directory(directory: &Path) -> Result<(), ParentError> {
    check_text(directory, Holding::Locks)?;
    let statfs = nix::sys::statfs::statfs(directory).map_err(|error| {
        ParentError::Missing(directory.to_owned(), Holding::Locks, error.into())
    })?;
    if statfs.filesystem_type() != nix::sys::statfs::TMPFS_MAGIC {
        return Err(ParentError::NotTmpfs(directory.to_owned()));
    }
    Ok(())
}

/// Refuses a path that cannot be told to others, and one that leads to such a path: a run goes on with where it leads.
fn check_text(directory: &Path, holding: Holding) -> Result<(), ParentError> {
    // What is not there is refused for that later on.
    let target = directory.canonicalize().ok();
    for path in [Some(directory), target.as_deref()].into_iter().flatten() {
        match path.to_str() {
            None => return Err(ParentError::NotText(path.to_owned(), holding)),
            Some(text) if text.contains('\n') => {
                return Err(ParentError::LineBreak(path.to_owned(), holding));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Refuses a directory that cannot hold stores.
pub(crate) fn check_store_directory(directory: &Path) -> Result<(), ParentError> {
    check_text(directory, Holding::Stores)?;
    std::fs::read_dir(directory)
        .map(drop)
        .map_err(|error| ParentError::Missing(directory.to_owned(), Holding::Stores, error))
}

/// The file in a private directory on which its run holds a lock for as long as it lives: `flock` ends with the process,
/// and is seen by those that do not see the process itself.
pub const LOCK_FILE: &str = ".lockstep-run";

/// What private directories are called: this, the process id of the run, a hyphen, and the first number that is free. A
/// journal names paths, and a failure that is repeated in one process must be the same failure to the letter.
const PREFIX: &str = "lockstep-";

/// What one is called whose run does not hold the lock yet, behind its name.
const NEW: &str = "new";

/// What one is called that is being removed.
const GONE: &str = "gone";

/// The private directories of this process. Whoever has this locked knows that none is half made.
static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn made() -> MutexGuard<'static, Vec<PathBuf>> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A private directory, removed when dropped. What cannot be removed then is a leftover that the next run removes.
#[derive(Debug)]
pub(crate) struct Private {
    path: PathBuf,
    parent: PathBuf,
    holding: Holding,
    _lock: File,
}

impl Private {
    /// Makes it, with nothing in it but its lock file.
    pub(crate) fn create(parent: &Path, holding: Holding) -> Result<Self, ParentError> {
        let mut made = made();
        let refuse = |error| refuse(parent, holding, error);
        let (path, lock) = make(parent, &made).map_err(refuse)?;
        made.push(path.clone());
        Ok(Self {
            path,
            parent: parent.to_owned(),
            holding,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that it is still there, and still the one that was made: its lock file goes last and comes first.
    pub(crate) fn check_there(&self) -> anyhow::Result<()> {
        // What fails because of an interrupt is no answer.
        end_if_interrupted();
        let ours = self._lock.metadata().context("cannot stat a lock file")?;
        let there = self.path.join(LOCK_FILE).metadata();
        let is_ours =
            there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        anyhow::ensure!(
            is_ours,
            "somebody has removed {}, in which this run was at work; run it again, and keep whatever cleans up {} from it",
            self.path.display(),
            self.parent.display()
        );
        Ok(())
    }

    /// Makes sure that there is room for more in it. What a full file system makes of a step says nothing about the code.
    pub(crate) fn check_room(&self) -> Result<(), ParentError> {
        match room(&self.parent) {
            Ok(false) => Err(ParentError::Full(self.parent.clone(), self.holding)),
            // Whoever cannot be asked is not known to be full.
            Ok(true) | Err(_) => Ok(()),
        }
    }

    /// What the failure to write something in it means.
    pub(crate) fn refuse(&self, error: io::Error) -> ParentError {
        refuse(&self.parent, self.holding, error)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Until it is off the list, nobody makes another one of this name.
        let mut made = made();
        remove_private(&self.path).unwrap_or_default();
        made.retain(|path| *path != self.path);
    }
}

/// Bytes and inodes with which nothing is lacked: neither by a step, nor by all that is done again in a copy of the tree.
const ROOM: (u64, u64) = (256 << 10, 64);

/// Whether a file system has so much room. One that counts no blocks or no inodes has no end of them.
pub(crate) fn room(directory: &Path) -> nix::Result<bool> {
    let found = nix::sys::statvfs::statvfs(directory)?;
    let bytes = found
        .blocks_available()
        .saturating_mul(found.fragment_size());
    let has_bytes = found.blocks() == 0 || bytes >= ROOM.0;
    let has_inodes = found.files() == 0 || found.files_available() >= ROOM.1;
    Ok(has_bytes && has_inodes)
}

/// How often a directory is made anew. Somebody else removes it once or twice; a file system that has nothing that is new,
/// such as procfs, says the same for ever.
const TRIES: usize = 100;

/// Makes a directory with the first name that is free; a run in another process namespace may have the same process id.
/// It gets the name when its lock is held: nobody ever sees a directory in use whose lock is free. Until then somebody may
/// take it for a leftover and remove it, and it is made anew. A name in use stays in use when somebody removes what it
/// names: workers of one run would report at the socket of another.
fn make(parent: &Path, in_use: &[PathBuf]) -> io::Result<(PathBuf, File)> {
    let (mut number, mut tries) = (0_u64, 0);
    loop {
        let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        if in_use.contains(&path) {
            number += 1;
            continue;
        }
        let new = path.with_extension(NEW);
        match hold(&new, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && tries < TRIES && parent.exists() =>
            {
                tries += 1;
            }
            result => return result.map(|lock| (path, lock)),
        }
    }
}

/// Makes a directory under a new name, locks it, and gives it its own. Who has the one name decides on the other.
fn hold(new: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().mode(0o700).create(new)?;
    let lock = || {
        if path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let lock = File::create_new(new.join(LOCK_FILE))?;
        lock.lock()?;
        std::fs::rename(new, path)?;
        Ok(lock)
    };
    lock().inspect_err(|_| remove_private(new).unwrap_or_default())
}

/// What the failure to write below a directory means.
fn refuse(directory: &Path, holding: Holding, error: io::Error) -> ParentError {
    let directory = directory.to_owned();
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    if full.contains(&error.kind()) {
        ParentError::Full(directory, holding)
    } else {
        ParentError::NotWritable(directory, holding, error)
    }
}

/// Removes private directories whose run is over. Whatever is not surely one of those, or is another user's, stays as it
/// is, and is in nobody's way.
pub fn remove_leftovers(parent: &Path) -> anyhow::Result<()> {
    let listing = || format!("cannot list {}", parent.display());
    for entry in std::fs::read_dir(parent).with_context(listing)? {
        let entry = entry.with_context(listing)?;
        let path = entry.path();
        if !is_private_name(&entry.file_name()) {
            continue;
        }
        if let Some(_lock) = take_over(&path) {
            remove_private(&path).with_context(|| {
                format!(
                    "{} was left by a run that is over, and cannot be removed; remove it, or name another directory than {}",
                    path.display(),
                    parent.display()
                )
            })?;
        } else if path.extension() == Some(OsStr::new(NEW)) && of_this_user(&path).is_some() {
            // Its run was killed before there was anything in it; otherwise it stays.
            std::fs::remove_dir(&path).unwrap_or_default();
        }
    }
    Ok(())
}

fn is_private_name(name: &OsStr) -> bool {
    let path = Path::new(name);
    let is_ours = |extension: &OsStr| extension == NEW || extension == GONE;
    let name = match path.extension() {
        Some(extension) if is_ours(extension) => path.file_stem(),
        Some(_) | None => Some(name),
    };
    let parts = name.and_then(|name| name.to_str()?.strip_prefix(PREFIX)?.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    parts.is_some_and(|(pid, number)| is_number(pid) && is_number(number))
}

/// The lock of a private directory of this user whose run is over; none if it is anything else. While it is held, nobody
/// else removes the directory.
fn take_over(directory: &Path) -> Option<File> {
    let path = directory.join(LOCK_FILE);
    if !of_this_user(directory)?.is_dir() || !of_this_user(&path)?.is_file() {
        return None;
    }
    let lock = File::options().read(true).write(true).open(&path).ok()?;
    lock.try_lock().ok()?;
    // Between the opening and the locking somebody else may have removed all of it.
    let (locked, now) = (lock.metadata().ok()?, of_this_user(&path)?);
    ((locked.dev(), locked.ino()) == (now.dev(), now.ino())).then_some(lock)
}

/// What is at a path, if it is this user's.
fn of_this_user(path: &Path) -> Option<Metadata> {
    let found = path.symlink_metadata().ok()?;
    (found.uid() == geteuid().as_raw()).then_some(found)
}

/// Whether a signal has asked this process to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Does not return once a signal has asked this process to end: what fails then, fails because of it.
pub(crate) fn end_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Which signals end this process: those that its caller has not told it to ignore, as `nohup` does with SIGHUP.
fn ending_signals() -> SigSet {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let is_ignored = |signal: Signal| ignored.unwrap_or(0) >> (signal as i32 - 1) & 1 == 1;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        if !is_ignored(signal) {
            signals.add(signal);
        }
    }
    signals
}

/// Has the private directories of this process removed when it is interrupted, and says so unless it is to be quiet. To be
/// called before any thread is started.
pub fn remove_on_interrupt(quiet: bool) -> anyhow::Result<()> {
    let signals = ending_signals();
    signals.thread_block().context("cannot block SIGINT")?;
    let interrupts = SignalFd::new(&signals).context("cannot make a signal descriptor")?;
    let watch = move || {
        let signal = interrupts
            .read_signal()
            .ok()
            .flatten()
            .map_or(2, |info| info.ssi_signo);
        INTERRUPTED.store(true, Ordering::SeqCst);
        // Whoever works in the directories would have something to say about their end, or make them anew. Killed twice: an
        // operation in this process may wait for a lock of a worker, and until it has ended, another worker may be started.
        kill_children();
        end_starts();
        kill_children();
        // This is never given back: nobody makes another one, and nobody is done with one, until the process ends.
        let made = made();
        for path in made.iter() {
            // Lanes are still at work; under its new name the tree is out of their reach. The process ends
            // either way, and the next run removes what is left.
            let gone = path.with_extension(GONE);
            let renamed = std::fs::rename(path, &gone);
            let tree = if renamed.is_ok() { &gone } else { path };
            remove_private(tree).unwrap_or_default();
        }
        let number = i32::try_from(signal).unwrap_or(2);
        if !quiet {
            let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
            let text = format!(
                "lockstep: interrupted by {name}; nothing was judged, and nothing is left behind"
            );
            writeln!(io::stderr(), "{text}").unwrap_or_default();
        }
        std::process::exit(128 + number);
    };
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(watch)
        .context("cannot start the thread that waits for interrupts")?;
    Ok(())
}

fn kill_children() {
    for child in children() {
        kill(child, Signal::SIGKILL).unwrap_or_default();
    }
}

/// The processes that the threads of this one have started.
fn children() -> Vec<Pid> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        found.extend(pids.map(Pid::from_raw));
    }
    found
}

/// Removes a private directory if it is there. The lock file goes last: without it, what is left would be nobody's.
fn remove_private(directory: &Path) -> io::Result<()> {
    with_attempts(|| {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_name() != LOCK_FILE {
                remove_tree(&entry.path())?;
            }
        }
        remove_tree(&directory.join(LOCK_FILE))?;
        std::fs::remove_dir(directory)
    })
}

/// Removes a tree or a file if it is there.
pub(crate) fn remove_tree(root: &Path) -> io::Result<()> {
    with_attempts(|| match root.symlink_metadata()?.is_dir() {
        true => std::fs::remove_dir_all(root),
        false => std::fs::remove_file(root),
    })
}

/// Workers that die at this moment may still create files in what is being removed, hence the attempts.
fn with_attempts(remove: impl Fn() -> io::Result<()>) -> io::Result<()> {
    for attempt in 0.. {
        match remove() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) if attempt >= 3 => return Err(error),
            Err(_) => {}
            Ok(()) => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_no_tmpfs_or_not_there_is_refused_in_one_sentence() {
        let error = check_lock_directory(Path::new("/proc")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("/proc does not lie on a tmpfs;"),
            "{error}"
        );
        let error = check_lock_directory(Path::new("/dev/shm/not/there")).unwrap_err();
        assert!(matches!(error, ParentError::Missing(..)), "{error}");
    }

    #[test]
    fn a_directory_with_a_line_break_in_its_path_is_refused() {
        let parent = tempfile::tempdir_in(SHM).unwrap();
        let broken = parent.path().join("a\nb");
        std::fs::create_dir(&broken).unwrap();
        for refused in [
            check_lock_directory(&broken),
            check_store_directory(&broken),
        ] {
            let error = refused.unwrap_err();
            assert!(matches!(error, ParentError::LineBreak(..)), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_directory_in_which_nothing_can_be_made_is_refused_and_not_tried_for_ever() {
        let error = Private::create(Path::new("/proc"), Holding::Stores).unwrap_err();
        let said = "/proc cannot be written to: No such file or directory (os error 2); ";
        assert!(error.to_string().starts_with(said), "{error}");
    }

    #[test]
    fn the_name_of_a_directory_that_somebody_has_removed_is_not_given_again_while_it_is_in_use() {
        let parent = tempfile::tempdir_in(SHM).unwrap();
        let create = || Private::create(parent.path(), Holding::Locks).unwrap();
        let removed = create();
        std::fs::remove_dir_all(removed.path()).unwrap();
        let other = create();
        assert_ne!(other.path(), removed.path());
        assert!(removed.check_there().is_err());
        other.check_there().unwrap();
        let name = removed.path().to_owned();
        drop(removed);
        assert_eq!(create().path(), name);
    }

    #[test]
    fn a_directory_with_room_is_not_called_full() {
        let private = Private::create(Path::new(SHM), Holding::Locks).unwrap();
        private.check_room().unwrap();
        // procfs counts neither blocks nor inodes.
        assert_eq!(room(Path::new("/proc")), Ok(true));
    }

    #[test]
    fn what_a_run_left_is_removed_once_it_is_over_and_nothing_else_is() {
        let parent = tempfile::tempdir_in(SHM).unwrap();
        let put = |name: &str, file: &str| {
            let directory = parent.path().join(name);
            std::fs::create_dir(&directory).unwrap();
            std::fs::write(directory.join(file), "").unwrap();
            directory
        };
        let alive = Private::create(parent.path(), Holding::Locks).unwrap();
        let stays = [
            alive.path().to_owned(),
            put("lockstep-2147483646-1", "theirs"),
            put("lockstep-2147483646-results", LOCK_FILE),
            put("lockstep-2026-results.gone", LOCK_FILE),
            put("lockstep--1", LOCK_FILE),
            put("lockstep-x-1", LOCK_FILE),
            put("stop-2147483646-1", LOCK_FILE),
            put("lockstep-2147483646-3.new", "theirs"),
        ];
        let goes = [
            put("lockstep-2147483646-2", LOCK_FILE),
            put("lockstep-2147483646-30.gone", LOCK_FILE),
            put("lockstep-2147483646-4.new", LOCK_FILE),
            parent.path().join("lockstep-2147483646-5.new"),
        ];
        std::fs::create_dir(&goes[3]).unwrap();
        std::fs::create_dir_all(goes[0].join("store/.chunks")).unwrap();
        remove_leftovers(parent.path()).unwrap();
        for path in stays {
            assert!(path.exists(), "{}", path.display());
        }
        for path in goes {
            assert!(!path.exists(), "{}", path.display());
        }
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }
}
