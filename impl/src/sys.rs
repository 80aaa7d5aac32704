//! The effect line: the system calls that operations make, as a trait.
//!
//! Nothing above it is ever mocked.
//!
//! A handle belongs to one actor, so operations never name it. Methods mean what their man page
//! says; replay, recorders and faults are wrappers around another handle.

use specs::lock_class::{Mode, Wait};
use specs::{LockClass, Outcome};
use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A step label whose argument is printed as a path below the datastore.
pub type Label<'a> = specs::Label<&'a dyn Display>;

/// What `fstat` and `stat` tell: enough to compare identities, sizes and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last access, in nanoseconds since the epoch.
    pub atime_ns: i128,
    /// Last change of the content, in nanoseconds since the epoch.
    pub mtime_ns: i128,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether it is a regular file.
    pub is_file: bool,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// File name; names are bytes, and those that are not UTF-8 are kept out by the caller.
    pub name: std::ffi::OsString,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether it is a symbolic link that leads to no regular file: to a directory, or to nothing that is there now.
    pub is_link: bool,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`.
    Read,
    /// `O_RDONLY | O_NOATIME`, or without the latter for whoever may not ask for it: reading a
    /// chunk is no use of it, whatever the mount options say.
    ReadNoAtime,
    /// `O_RDONLY | O_DIRECTORY`: a directory that is locked in the place of a file.
    Directory,
    /// `O_RDWR | O_APPEND`: lock files and the journal.
    ReadAppend,
}

/// Owner and mode of a file that is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateMode {
    /// Permission bits.
    pub mode: u32,
    /// Owner and group; none leaves those of the process.
    pub owner: Option<(u32, u32)>,
}

/// Why a lock was not obtained.
#[derive(Debug, thiserror::Error)]
pub enum FlockError {
    /// Somebody else holds it.
    #[error("held by somebody else")]
    WouldBlock,
    /// Somebody else held it for as long as the call waited.
    #[error("held by somebody else for the whole wait")]
    TimedOut,
    /// The call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// When several bounded waits end together, on a clock that never goes back. The first of them that has to wait sets it.
#[derive(Debug, Default)]
pub struct Deadline(Cell<Option<Duration>>);

/// How the taker of a lock waits: by itself, or with a deadline for all the files and attempts that it takes.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'d> {
    /// How long at most.
    pub wait: Wait,
    deadline: Option<&'d Deadline>,
}

impl<'d> Waiting<'d> {
    /// A wait that ends when the others of a deadline do.
    pub const fn within(wait: Wait, deadline: &'d Deadline) -> Self {
        Self {
            wait,
            deadline: Some(deadline),
        }
    }

    /// When it ends, if it would end at `alone` by itself: at the deadline, which is `alone` from now on if it was not set.
    pub fn until(self, alone: Duration) -> Duration {
        let Some(Deadline(shared)) = self.deadline else {
            return alone;
        };
        let until = shared.get().unwrap_or(alone);
        shared.set(Some(until));
        until
    }
}

impl From<Wait> for Waiting<'_> {
    fn from(wait: Wait) -> Self {
        Self {
            wait,
            deadline: None,
        }
    }
}

/// The system calls of one actor.
pub trait Sys {
    /// An open file description; dropping it closes it and thereby releases its flock.
    type File;
    /// An in-process mutex.
    type Mutex<T: Send>: Send + Sync;
    /// A claim of this process; dropping it gives the claim up.
    type Claim;
    /// The guard of a locked mutex; dropping it unlocks.
    type Guard<'a, T: Send + 'a>: std::ops::DerefMut<Target = T>
    where
        Self: 'a;

    /// A step begins. Replay waits here until the driver lets go.
    fn begin(&self, _label: &Label<'_>) {}

    /// A step has ended.
    fn end(&self, _label: &Label<'_>, _outcome: Outcome) {}

    /// This actor has from now on, or has no more, a lock that its process counts in memory, so that
    /// no call shows whose it is. Recorders listen.
    fn holds(&self, _class: LockClass, _mode: Option<Mode>) {}

    /// `openat` of an existing file, close-on-exec, and without waiting for anybody if it is no regular file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File>;

    /// `openat` with `O_CREAT | O_EXCL | O_RDWR | O_APPEND`, close-on-exec, then `fchmod` and, with
    /// an owner, `fchown`.
    fn create(&self, path: &Path, create: CreateMode) -> io::Result<Self::File>;

    /// `flock`; a bounded wait tries first, then waits until it ends, and is not ended early by a foreign signal.
    fn flock<'d>(
        &self,
        file: &Self::File,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError>;

    /// `fcntl(F_SETLK)` on the whole file: takes the record lock of this process, or releases it
    /// with none.
    fn record_lock(&self, file: &Self::File, mode: Option<Mode>) -> Result<(), FlockError>;

    /// `fstat`.
    fn fstat(&self, file: &Self::File) -> io::Result<Stat>;

    /// `stat`, not following a symbolic link.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// `link`.
    fn link(&self, old: &Path, new: &Path) -> io::Result<()>;

    /// `rename`.
    fn rename(&self, old: &Path, new: &Path) -> io::Result<()>;

    /// `renameat2` with `RENAME_NOREPLACE`.
    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()>;

    /// `unlink`.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// `mkdir`, then with an owner `chown`. A crash in between leaves a directory that belongs to the process; if it
    /// cannot be given away, there is none.
    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()>;

    /// `rmdir`.
    fn rmdir(&self, path: &Path) -> io::Result<()>;

    /// Opens a directory and reads all of it, in the order of the file system.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Reads from an offset to the end of the file; an error if it is no regular file.
    fn read(&self, file: &Self::File, offset: u64) -> io::Result<Vec<u8>>;

    /// `pread`: reads at most as much as the buffer holds; returns how much, which is nothing at the
    /// end of the file.
    fn pread(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.read(file, offset)?;
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    /// `write` to a file opened with `O_APPEND`; returns how much was written, which may be less
    /// than asked.
    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize>;

    /// `ftruncate`.
    fn ftruncate(&self, file: &Self::File, size: u64) -> io::Result<()>;

    /// `utimensat`: sets the access time, in nanoseconds since the epoch, and leaves the
    /// modification time.
    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()>;

    /// The clock, in nanoseconds since the epoch.
    fn now(&self) -> i128;

    /// `statfs`: whether the path lies on a tmpfs.
    fn is_tmpfs(&self, path: &Path) -> io::Result<bool>;

    /// `faccessat`: whether files can be created in a directory; an error says why not.
    fn can_write(&self, path: &Path) -> io::Result<()>;

    /// `realpath`: the path of something that is there, without links, `.` and `..`.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;

    /// The first symbolic link on the way from a directory to a path below it, the path itself included, as far as the way
    /// is there. A look for whatever a person did, which belongs to no step.
    fn first_link(&self, below: &Path, path: &Path) -> io::Result<Option<PathBuf>>;

    /// Claims a file or directory for this process, by its device and inode; none if the process
    /// has claimed it before. No system call: record locks belong to a process, and the kernel does
    /// not keep two users of one file apart that live in the same one.
    fn claim(&self, dev: u64, ino: u64) -> Option<Self::Claim>;

    /// What this process noted at its first look for a file, whichever of its datastores looked; none if it has not looked.
    /// No system call.
    fn first_look(&self, path: &Path) -> Option<bool>;

    /// Notes whether a file was there at the first look of this process, unless that is noted; answers what is.
    /// No system call.
    fn note_first_look(&self, path: &Path, is_there: bool) -> bool;

    /// Whether this process is about to end, as after a reload of the daemon: whoever can stop then
    /// does, and nobody begins anything long.
    fn is_shutting_down(&self) -> bool {
        false
    }

    /// Sleeps.
    fn sleep(&self, duration: Duration);

    /// Makes a mutex.
    fn mutex<T: Send>(value: T) -> Self::Mutex<T>;

    /// Locks a mutex.
    fn lock<'a, T: Send>(&'a self, mutex: &'a Self::Mutex<T>) -> Self::Guard<'a, T>;
}
