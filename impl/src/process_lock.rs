//! The process lock of a datastore: writers of a process share it, garbage collection has it alone
//! among the processes.
//!
//! # Race fixed
//!
//! Garbage collection removes what nobody touched since the cutoff. It knows when the writers of its
//! own process began, and sets the cutoff before the oldest of them; of the writers of another
//! process, such as the one that a reload left behind, it knows nothing.
//!
//! # Protocol
//!
//! The lock is a POSIX record lock on `.lock`, which the kernel gives to a process, not to a thread.
//! Who in this process holds it is counted here; count and record lock change under one mutex.
//!
//! 1. The first shared holder takes the record lock shared, unless the process has it exclusively;
//!    the last one lets it go, with the same exception. Each holder notes when it began, after it
//!    has the lock.
//! 2. An exclusive holder takes it exclusively, which converts what the shared holders of this
//!    process have; there is one such holder. When it is done it goes back to shared if there are
//!    shared holders, else it lets the lock go.
//!
//! > While a process has an exclusive holder, no other process has a holder of either kind.
//!
//! Inside the process, exclusive and shared holders stand beside each other: there the cutoff, which
//! [`ProcessLock::oldest_shared`] bounds, and the mutex of the chunk store keep them apart.
//!
//! A crash frees the lock.
//!
//! Three designs that are shown to be wrong differ here. In one the exclusive holder lets the record
//! lock go whoever shares it. In the second the lock belongs to the open file, as a `flock` would, so
//! that the process excludes itself as well. In the third each shared holder opens `.lock` anew, asks
//! the kernel through that descriptor, and closes it when it is done.
//!
//! # One for a process
//!
//! The kernel drops all record locks that a process has on a file as soon as the process closes any
//! descriptor of that file. So a process opens a datastore once: it claims the datastore before it
//! opens `.lock`, and gives it up after it has closed it. Not covered: somebody else in the process
//! opens `.lock` by itself.

use crate::error::{At, CallError};
use crate::sys::{Access, CreateMode, FlockError, Sys};
use crate::temporary::append_all;
use specs::design::Change;
use specs::lock_class::Mode;
use specs::{Design, LockClass};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The process lock, as the actors of one process share it.
pub struct ProcessLock<S: Sys> {
    holders: S::Mutex<Holders>,
    path: PathBuf,
    file: S::File,
    /// Given up after the file was closed, hence behind it.
    _claim: S::Claim,
}

/// Who of this process holds the lock. The record lock is exclusive if `is_exclusive`, otherwise
/// shared if there are shared holders, otherwise not held.
#[derive(Debug, Default)]
struct Holders {
    is_exclusive: bool,
    /// When each shared holder began, in seconds since the epoch.
    shared: BTreeMap<u64, i64>,
    /// Number of the next shared holder.
    next: u64,
}

/// A share of the process lock. Dropping it lets the share go.
#[must_use = "the process lock is held only as long as its guard"]
pub struct SharedProcessLock<'a, S: Sys> {
    sys: &'a S,
    lock: &'a ProcessLock<S>,
    number: u64,
    /// The descriptor of its own, in the design that has one.
    own: Option<S::File>,
}

/// The exclusive process lock. Dropping it leaves what the shared holders of this process need.
#[must_use = "the process lock is held only as long as its guard"]
pub struct ExclusiveProcessLock<'a, S: Sys> {
    sys: &'a S,
    lock: &'a ProcessLock<S>,
    design: Design,
}

impl<S: Sys> ProcessLock<S> {
    /// Opens the lock file, or creates it. The claim is that of the datastore by this process.
    pub(crate) fn open(
        sys: &S,
        path: &Path,
        create: CreateMode,
        claim: S::Claim,
    ) -> Result<Self, CallError> {
        let open = || sys.open(path, Access::ReadAppend);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match sys.create(path, create) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        open().at("open", path)
                    }
                    result => result.at("create", path),
                }
            }
            result => result.at("open", path),
        };
        Ok(Self {
            holders: S::mutex(Holders::default()),
            path: path.to_owned(),
            file: file?,
            _claim: claim,
        })
    }

    /// Writes the lock directory of the datastore into the file, unless somebody has before; answers what it says. Only this
    /// descriptor of the file may be used: closing another one would drop the lock.
    pub(crate) fn bind(&self, sys: &S, locks: &Path) -> Result<PathBuf, CallError> {
        let read = || sys.read(&self.file, 0).at("read", &self.path);
        let mut said = read()?;
        let mut line = locks.as_os_str().as_encoded_bytes().to_vec();
        line.push(b'\n');
        // Nobody has written, or somebody who was cut short.
        if let Some(rest) = line.strip_prefix(&said[..])
            && !rest.is_empty()
        {
            append_all(sys, &self.file, rest)
                .map_err(|torn| torn.source)
                .at("write", &self.path)?;
            // Of two that come first at once, the first line counts.
            said = read()?;
        }
        let Some(end) = said.iter().position(|byte| *byte == b'\n') else {
            let torn = io::Error::new(
                io::ErrorKind::InvalidData,
                "its first line, which says where the locks are, is cut short; empty it once nobody uses the datastore",
            );
            return Err(torn).at("read", &self.path);
        };
        said.truncate(end);
        Ok(PathBuf::from(OsString::from_vec(said)))
    }

    /// Takes a share; fails if another process has the lock exclusively.
    pub fn lock_shared<'a>(
        &'a self,
        sys: &'a S,
        design: Design,
    ) -> Result<SharedProcessLock<'a, S>, FlockError> {
        let mut holders = sys.lock(&self.holders);
        if holders.is_exclusive && design.has(Change::StoreLockPerHandle) {
            return Err(FlockError::WouldBlock);
        }
        let own = if design.has(Change::TwoProcessLocks) {
            Some(sys.open(&self.path, Access::ReadAppend)?)
        } else {
            None
        };
        // Shared would weaken what the exclusive holder has, through whichever descriptor.
        if !holders.is_exclusive && (holders.shared.is_empty() || own.is_some()) {
            let file = own.as_ref().unwrap_or(&self.file);
            sys.record_lock(file, Some(Mode::Shared))?;
        }
        let number = holders.next;
        holders.next += 1;
        let now = i64::try_from(sys.now().div_euclid(1_000_000_000)).unwrap_or(i64::MIN);
        holders.shared.insert(number, now);
        sys.holds(LockClass::Store, Some(Mode::Shared));
        drop(holders);
        Ok(SharedProcessLock {
            sys,
            lock: self,
            number,
            own,
        })
    }

    /// Takes the lock exclusively; fails if another process has it in either way, or if this one
    /// has it exclusively.
    pub fn lock_exclusive<'a>(
        &'a self,
        sys: &'a S,
        design: Design,
    ) -> Result<ExclusiveProcessLock<'a, S>, FlockError> {
        let mut holders = sys.lock(&self.holders);
        let excludes_itself = design.has(Change::StoreLockPerHandle) && !holders.shared.is_empty();
        if holders.is_exclusive || excludes_itself {
            return Err(FlockError::WouldBlock);
        }
        sys.record_lock(&self.file, Some(Mode::Exclusive))?;
        holders.is_exclusive = true;
        sys.holds(LockClass::Store, Some(Mode::Exclusive));
        drop(holders);
        Ok(ExclusiveProcessLock {
            sys,
            lock: self,
            design,
        })
    }

    /// When the oldest shared holder of this process began, in seconds since the epoch.
    pub fn oldest_shared(&self, sys: &S) -> Option<i64> {
        sys.lock(&self.holders).shared.values().min().copied()
    }

    /// Weakens the record lock, or releases it with none. On an open file this does not fail; the
    /// end of the process would do it too.
    fn settle(&self, sys: &S, mode: Option<Mode>) {
        sys.record_lock(&self.file, mode).unwrap_or_default();
    }
}

impl<S: Sys> Drop for SharedProcessLock<'_, S> {
    fn drop(&mut self) {
        let mut holders = self.sys.lock(&self.lock.holders);
        holders.shared.remove(&self.number);
        // Under the mutex, like every change of the record lock, which this releases.
        drop(self.own.take());
        if holders.shared.is_empty() && !holders.is_exclusive {
            self.lock.settle(self.sys, None);
        }
        self.sys.holds(LockClass::Store, None);
    }
}

impl<S: Sys> Drop for ExclusiveProcessLock<'_, S> {
    fn drop(&mut self) {
        let mut holders = self.sys.lock(&self.lock.holders);
        holders.is_exclusive = false;
        let goes_back =
            !holders.shared.is_empty() && !self.design.has(Change::UnlockWithoutDowngrade);
        let mode = goes_back.then_some(Mode::Shared);
        self.lock.settle(self.sys, mode);
        self.sys.holds(LockClass::Store, None);
    }
}
