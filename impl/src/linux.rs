//! `LinuxSys`: the system calls of Linux, as operations of users and of replay run them.
//!
//! *Bounded wait.* `flock` has no timeout. A wait of so many seconds is a non-blocking attempt,
//! then a blocking `flock` that a timer of this very thread interrupts once the deadline has
//! passed. Polling would starve behind takers that wait in the kernel's queue, and a helper thread
//! would obtain the lock after its asker had given up. The timer repeats every 10 ms after the
//! deadline, in case its first signal arrives between two attempts. A foreign signal ends no wait:
//! only the clock says whether the time is over.
//!
//! Calls on files go through rustix, which makes the system call in place; signals, timers and users
//! go through nix. The methods that locks and marks consist of are inlined: measured, a mark behind
//! one more call takes about a fifth longer. Probably the first return after a system call is
//! mispredicted, with the mitigations of some processors; that is not proven.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the one place that they belong to"
)]

mod memory;

use crate::error::no_regular_file;
use crate::sys::{Access, CreateMode, Entry, FlockError, Stat, Sys, Waiting};
pub use memory::Claim;
use memory::first_looks;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FcntlArg};
use nix::libc;
use nix::sys::signal::{
    SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, SigmaskHow, Signal,
};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use nix::unistd::{AccessFlags, Gid, Uid, User};
use rustix::fs::{
    self, CWD, FileType, FlockOperation, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT,
};
use rustix::io::retry_on_intr;
use specs::lock_class::{Mode, Wait};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Interrupts a bounded wait. Ignored by default, so that one that comes late does no harm in any
/// thread.
const INTERRUPT: Signal = Signal::SIGURG;

/// How often the timer repeats once the deadline has passed.
const REPEAT: Duration = Duration::from_millis(10);

/// The buffer of a file that is read whole has at first room for its size, within these bounds: some files do not tell
/// theirs, and whatever a file tells, no more memory is taken than a blob needs before it was read.
const MIN_READ: usize = 8192;
const MAX_READ: usize = 1 << 25;

/// The system calls of Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxSys;

/// User and group id of Proxmox Backup's user `backup`, which owns its lock files; none if there is
/// no such user.
pub fn backup_user() -> io::Result<Option<(u32, u32)>> {
    let user = User::from_name("backup")?;
    Ok(user.map(|user| (user.uid.as_raw(), user.gid.as_raw())))
}

/// Whether the process may give files to another user.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

impl Sys for LinuxSys {
    type File = File;
    type Mutex<T: Send> = Mutex<T>;
    type Claim = Claim;
    type Guard<'a, T: Send + 'a> = MutexGuard<'a, T>;

    #[inline]
    fn open(&self, path: &Path, access: Access) -> io::Result<File> {
        match access {
            Access::Read => open(path, OFlags::RDONLY),
            Access::ReadNoAtime => match open(path, OFlags::RDONLY | OFlags::NOATIME) {
                // Only the owner of the file and root may ask for it.
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                    open(path, OFlags::RDONLY)
                }
                result => result,
            },
            Access::Directory => open(path, OFlags::RDONLY | OFlags::DIRECTORY),
            Access::ReadAppend => open(path, OFlags::RDWR | OFlags::APPEND),
        }
    }

    fn create(&self, path: &Path, create: CreateMode) -> io::Result<File> {
        let new = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        let file = open(path, new)?;
        if let Err(error) = set_mode_and_owner(&file, create) {
            // The caller does not know of the file. What cannot be set is what counts.
            fs::unlink(path).unwrap_or_default();
            return Err(error);
        }
        Ok(file)
    }

    #[inline]
    fn flock<'d>(
        &self,
        file: &File,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        let waiting = wait.into();
        match waiting.wait {
            Wait::No => try_flock(file, mode),
            Wait::Seconds(seconds) => match try_flock(file, mode) {
                Err(FlockError::WouldBlock) => {
                    let alone = monotonic()? + Duration::from_secs(seconds.into());
                    flock_until(file, mode, waiting.until(alone))
                }
                result => result,
            },
            Wait::Forever => loop {
                match blocking_flock(file, mode) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result.map_err(FlockError::Io),
                }
            },
        }
    }

    fn record_lock(&self, file: &File, mode: Option<Mode>) -> Result<(), FlockError> {
        let kind = match mode {
            Some(Mode::Shared) => libc::F_RDLCK,
            Some(Mode::Exclusive) => libc::F_WRLCK,
            None => libc::F_UNLCK,
        };
        let lock = libc::flock {
            l_type: libc::c_short::try_from(kind).map_err(io::Error::other)?,
            l_whence: 0,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        match nix::fcntl::fcntl(file, FcntlArg::F_SETLK(&lock)) {
            Ok(_) => Ok(()),
            Err(Errno::EACCES | Errno::EAGAIN) => Err(FlockError::WouldBlock),
            Err(errno) => Err(FlockError::Io(errno.into())),
        }
    }

    #[inline]
    fn fstat(&self, file: &File) -> io::Result<Stat> {
        Ok(stat(&fs::fstat(file)?))
    }

    #[inline]
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat(&fs::lstat(path)?))
    }

    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        Ok(fs::link(old, new)?)
    }

    #[inline]
    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        Ok(fs::rename(old, new)?)
    }

    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        Ok(fs::renameat_with(
            CWD,
            old,
            CWD,
            new,
            RenameFlags::NOREPLACE,
        )?)
    }

    #[inline]
    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(fs::unlink(path)?)
    }

    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        fs::mkdir(path, fs::Mode::from_raw_mode(0o777))?;
        let Some((user, group)) = owner else {
            return Ok(());
        };
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        match nix::unistd::fchownat(AT_FDCWD, path, Some(user), Some(group), flags) {
            // An empty directory can be gone again: the caller has made it, and somebody else has removed it.
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => {
                fs::rmdir(path).unwrap_or_default();
                Err(errno.into())
            }
        }
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        Ok(fs::rmdir(path)?)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        all_listed(std::fs::read_dir(path)?.map(|entry| {
            let entry = entry?;
            let kind = entry.file_type().map(|kind| {
                // Whatever it leads to that is not there may be there tomorrow.
                let leads_to_a_file = || std::fs::metadata(entry.path()).is_ok_and(|m| m.is_file());
                (kind.is_dir(), kind.is_symlink() && !leads_to_a_file())
            });
            listed(entry.file_name(), kind)
        }))
    }

    fn read(&self, file: &File, mut offset: u64) -> io::Result<Vec<u8>> {
        let found = self.fstat(file)?;
        if found.is_dir {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file {
            return Err(no_regular_file());
        }
        // One byte more than there is, so that the second call finds the end.
        let expected = usize::try_from(found.size.saturating_sub(offset)).unwrap_or(0);
        let mut bytes = vec![0; expected.clamp(MIN_READ, MAX_READ) + 1];
        let mut len = 0;
        loop {
            if len == bytes.len() {
                bytes.resize(2 * len, 0);
            }
            match self.pread(file, &mut bytes[len..], offset)? {
                0 => break,
                n => {
                    len += n;
                    offset += n as u64;
                }
            }
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    #[inline]
    fn pread(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| {
            rustix::io::pread(file, &mut *buffer, offset)
        })?)
    }

    #[inline]
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(file, bytes)?)
    }

    fn ftruncate(&self, file: &File, size: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| fs::ftruncate(file, size))?)
    }

    #[inline]
    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        let times = Timestamps {
            last_access: time_spec(atime_ns)?,
            last_modification: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
        };
        Ok(fs::utimensat(
            CWD,
            path,
            &times,
            fs::AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    #[inline]
    fn now(&self) -> i128 {
        // The real-time clock always exists; its call cannot fail.
        ClockId::CLOCK_REALTIME
            .now()
            .map_or(0, |time| nanoseconds(time.tv_sec(), time.tv_nsec()))
    }

    fn is_tmpfs(&self, path: &Path) -> io::Result<bool> {
        Ok(nix::sys::statfs::statfs(path)?.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC)
    }

    fn can_write(&self, path: &Path) -> io::Result<()> {
        let how = AccessFlags::W_OK | AccessFlags::X_OK;
        Ok(nix::unistd::faccessat(
            AT_FDCWD,
            path,
            how,
            AtFlags::AT_EACCESS,
        )?)
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn first_link(&self, below: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.retain(|at| *at != below && at.starts_with(below));
        for at in way.into_iter().rev() {
            match fs::lstat(at) {
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => break,
                found if FileType::from_raw_mode(found?.st_mode) == FileType::Symlink => {
                    return Ok(Some(at.to_owned()));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn claim(&self, dev: u64, ino: u64) -> Option<Claim> {
        Claim::new(dev, ino)
    }

    fn first_look(&self, path: &Path) -> Option<bool> {
        first_looks().get(path).copied()
    }

    fn note_first_look(&self, path: &Path, is_there: bool) -> bool {
        *first_looks().entry(path.to_owned()).or_insert(is_there)
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn mutex<T: Send>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    /// A panic of another holder is no reason to fail: what the mutexes protect is on disk, or changed
    /// by one call.
    #[inline]
    fn lock<'a, T: Send>(&'a self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    // What it creates gets its mode afterwards, when no umask interferes.
    let mode = fs::Mode::RUSR | fs::Mode::WUSR;
    // Nobody waits for the other end of a FIFO that lies in the place of a file.
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(retry_on_intr(|| fs::open(path, flags, mode))?.into())
}

/// An entry of a listing; none if it vanished since then. Where the file system does not tell with the name whether it is
/// a directory, that is another call, whose error would be taken for that of the listed directory.
/// A whole listing, or the error that cut it short: of what it does not show nobody may believe that it is not there.
fn all_listed(entries: impl Iterator<Item = io::Result<Option<Entry>>>) -> io::Result<Vec<Entry>> {
    entries.filter_map(Result::transpose).collect()
}

fn listed(name: OsString, kind: io::Result<(bool, bool)>) -> io::Result<Option<Entry>> {
    match kind {
        Ok((is_dir, is_link)) => Ok(Some(Entry {
            name,
            is_dir,
            is_link,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn set_mode_and_owner(file: &File, create: CreateMode) -> io::Result<()> {
    fs::fchmod(file, fs::Mode::from_raw_mode(create.mode))?;
    if let Some((user, group)) = create.owner {
        nix::unistd::fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    Ok(())
}

#[inline]
fn stat(found: &fs::Stat) -> Stat {
    let kind = FileType::from_raw_mode(found.st_mode);
    Stat {
        dev: found.st_dev,
        ino: found.st_ino,
        // No file has a negative size.
        size: u64::try_from(found.st_size).unwrap_or_default(),
        atime_ns: nanoseconds(found.st_atime, found.st_atime_nsec.cast_signed()),
        mtime_ns: nanoseconds(found.st_mtime, found.st_mtime_nsec.cast_signed()),
        is_dir: kind == FileType::Directory,
        is_file: kind == FileType::RegularFile,
    }
}

#[inline]
fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

#[inline]
fn time_spec(ns: i128) -> io::Result<Timespec> {
    let part = |value: i128| {
        i64::try_from(value)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "time out of range"))
    };
    Ok(Timespec {
        tv_sec: part(ns.div_euclid(1_000_000_000))?,
        tv_nsec: part(ns.rem_euclid(1_000_000_000))?,
    })
}

fn monotonic() -> io::Result<Duration> {
    Ok(Duration::from(ClockId::CLOCK_MONOTONIC.now()?))
}

#[inline]
fn try_flock(file: &File, mode: Mode) -> Result<(), FlockError> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match fs::flock(file, operation) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(FlockError::WouldBlock),
        Err(errno) => Err(FlockError::Io(errno.into())),
    }
}

/// One blocking `flock`, which a signal can interrupt.
fn blocking_flock(file: &File, mode: Mode) -> io::Result<()> {
    match mode {
        Mode::Shared => file.lock_shared(),
        Mode::Exclusive => file.lock(),
    }
}

/// Waits until a deadline on the monotonic clock.
fn flock_until(file: &File, mode: Mode, deadline: Duration) -> Result<(), FlockError> {
    install_handler()?;
    let mut interrupt = SigSet::empty();
    interrupt.add(INTERRUPT);
    let blocked_before = interrupt
        .thread_swap_mask(SigmaskHow::SIG_UNBLOCK)
        .map_err(io::Error::from)?;
    let result = flock_with_timer(file, mode, deadline);
    blocked_before.thread_set_mask().map_err(io::Error::from)?;
    result
}

fn flock_with_timer(file: &File, mode: Mode, deadline: Duration) -> Result<(), FlockError> {
    let notify = SigevNotify::SigevThreadId {
        signal: INTERRUPT,
        thread_id: nix::unistd::gettid().as_raw(),
        si_value: 0,
    };
    let mut timer =
        Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify)).map_err(io::Error::from)?;
    let expiration = Expiration::IntervalDelayed(TimeSpec::from(deadline), TimeSpec::from(REPEAT));
    timer
        .set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
        .map_err(io::Error::from)?;
    loop {
        match blocking_flock(file, mode) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(FlockError::Io(error));
            }
            Err(_) if monotonic()? >= deadline => return Err(FlockError::TimedOut),
            Err(_) => {}
        }
    }
}

extern "C" fn interrupted(_signal: libc::c_int) {}

/// Installs the handler; again before each wait, since a library of the same process may have
/// replaced it.
fn install_handler() -> io::Result<()> {
    // Without SA_RESTART: the very point is that flock returns.
    let action = SigAction::new(
        SigHandler::Handler(interrupted),
        SaFlags::empty(),
        SigSet::empty(),
    );
    #[allow(
        unsafe_code,
        reason = "std has no signal handlers; this one does nothing, so it is safe in any context"
    )]
    // SAFETY: the handler is async-signal-safe because it is empty.
    unsafe { nix::sys::signal::sigaction(INTERRUPT, &action) }?;
    Ok(())
}

#[cfg(test)]
mod tests;
