//! Private directories on a tmpfs: which parent is refused, and how none is left behind.

use anyhow::Context as _;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// It is not there.
    #[error("{} cannot be reached: {}; create it or name another directory with {}", .0.display(), .2, .1)]
    Missing(PathBuf, Holding, io::Error),
}

/// Refuses a directory that cannot hold locks.
pub fn check_lock_directory(directory: &Path) -> Result<(), ParentError> {
    let statfs = nix::sys::statfs::statfs(directory).map_err(|error| {
        ParentError::Missing(directory.to_owned(), Holding::Locks, error.into())
    })?;
    if statfs.filesystem_type() != nix::sys::statfs::TMPFS_MAGIC {
        return Err(ParentError::NotTmpfs(directory.to_owned()));
    }
    Ok(())
}

/// Refuses a directory that cannot hold stores.
pub(crate) fn check_store_directory(directory: &Path) -> Result<(), ParentError> {
    std::fs::read_dir(directory)
        .map(drop)
        .map_err(|error| ParentError::Missing(directory.to_owned(), Holding::Stores, error))
}

/// A private directory, removed when dropped. What cannot be removed then is a leftover that the next run removes.
#[derive(Debug)]
pub(crate) struct Private {
    path: PathBuf,
    parent: PathBuf,
    holding: Holding,
}

impl Private {
    /// Makes it, empty.
    pub(crate) fn create(parent: &Path, holding: Holding, name: &str) -> anyhow::Result<Self> {
        let path = parent.join(format!("lockstep-{}-{name}", std::process::id()));
        remove_tree(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        std::fs::create_dir(&path).map_err(|error| refuse(parent, holding, error))?;
        let parent = parent.to_owned();
        Ok(Self {
            path,
            parent,
            holding,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the failure to write something in it means.
    pub(crate) fn refuse(&self, error: io::Error) -> ParentError {
        refuse(&self.parent, self.holding, error)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        remove_tree(&self.path).unwrap_or_default();
    }
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

/// Removes private directories of processes that are no longer there. What another user's process left and nobody
/// else may remove is left to its owner; it is in nobody's way.
pub fn remove_leftovers(parent: &Path) -> anyhow::Result<()> {
    let listing = || format!("cannot list {}", parent.display());
    for entry in std::fs::read_dir(parent).with_context(listing)? {
        let entry = entry.with_context(listing)?;
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            name.strip_prefix("lockstep-")?
                .split_once('-')?
                .0
                .parse::<i32>()
                .ok()
        });
        let is_dead = |pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        if !pid.is_some_and(is_dead) {
            continue;
        }
        let path = entry.path();
        match remove_tree(&path) {
            // Also what a sticky directory answers, with another number.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            removed => removed.with_context(|| {
                format!("cannot remove {}, which a dead run left", path.display())
            })?,
        }
    }
    Ok(())
}

/// Whether a signal has asked this process to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Does not return once a signal has asked this process to end: what fails then, fails because of it.
pub(crate) fn end_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Has the private directories of this process removed when it is interrupted. To be called before any thread is started.
pub fn remove_on_interrupt(parents: &[&Path]) -> anyhow::Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().context("cannot block SIGINT")?;
    let interrupts = SignalFd::new(&signals).context("cannot make a signal descriptor")?;
    let parents: Vec<PathBuf> = parents.iter().map(|parent| parent.to_path_buf()).collect();
    let watch = move || {
        let signal = interrupts
            .read_signal()
            .ok()
            .flatten()
            .map_or(2, |info| info.ssi_signo);
        INTERRUPTED.store(true, Ordering::SeqCst);
        // Whoever works in the directories would have something to say about their end.
        for child in children() {
            kill(child, Signal::SIGKILL).unwrap_or_default();
        }
        let prefix = format!("lockstep-{}-", std::process::id());
        let entries = parents
            .iter()
            .filter_map(|parent| std::fs::read_dir(parent).ok());
        for entry in entries.flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // Lanes are still at work; under its new name the tree is out of their reach. The process ends
                // either way, and the next run removes what is left.
                let gone = entry.path().with_extension("gone");
                let renamed = std::fs::rename(entry.path(), &gone);
                let tree = if renamed.is_ok() { gone } else { entry.path() };
                remove_tree(&tree).unwrap_or_default();
            }
        }
        std::process::exit(128 + i32::try_from(signal).unwrap_or(2));
    };
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(watch)?;
    Ok(())
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

/// Removes a tree if it is there. Workers that die at this moment may still create files in it, hence the attempts.
pub(crate) fn remove_tree(root: &Path) -> io::Result<()> {
    for attempt in 0.. {
        match std::fs::remove_dir_all(root) {
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
    fn leftovers_of_dead_processes_are_removed() {
        let parent = tempfile::tempdir_in(SHM).unwrap();
        let dead = parent.path().join("lockstep-2147483646-0/store");
        let alive = parent
            .path()
            .join(format!("lockstep-{}-0", std::process::id()));
        std::fs::create_dir_all(&dead).unwrap();
        std::fs::create_dir_all(&alive).unwrap();
        remove_leftovers(parent.path()).unwrap();
        assert!(!dead.exists() && alive.exists());
    }
}
