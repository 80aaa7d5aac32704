//! `GatedSys`: a `Sys` whose actor waits for the driver before every step and has its world decided by a script.
//!
//! *Protocol.* An actor knows the steps that it will take and how each will end (its script) before it starts.
//! `begin` waits until the driver lets go. What `end` is told goes to the driver only when the actor stands
//! before its next step, so whatever it does between two steps counts as part of the first one and is seen.
//! Where a scenario splits the steps that take a lock file, such a step waits before its `flock` and before its
//! comparison as well, before it opens the file again, and between its look for the flag file and the open.
//!
//! *What the gate supplies*, since the real thing would be random or slow: the order of directory entries, the
//! clock, a reload of the daemon, a wait that ends without success, and a full tmpfs. A lock is always asked for without waiting, and
//! the answer is compared with the script by the driver; nothing is invented.

use crate::gate::{Abandoned, Gate, LockCall, SharedGate, clock, cut_length};
use crate::wire::Until;
use datastore::sys::{Access, CreateMode, Entry, FlockError, Label, Stat, Sys, Waiting};
use specs::lock_class::{Mode, Wait};
use specs::{LockClass, Outcome};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::Duration;

/// A `Sys` that waits for the driver.
#[derive(Debug)]
pub struct GatedSys<S> {
    inner: S,
    /// None for a handle that nobody waits at.
    gate: Option<SharedGate>,
}

impl<S> GatedSys<S> {
    /// Puts a gate in front of a `Sys`.
    pub const fn new(inner: S, gate: SharedGate) -> Self {
        Self {
            inner,
            gate: Some(gate),
        }
    }

    /// A `Sys` of the same type that never waits: for what happens outside every step.
    pub const fn open(inner: S) -> Self {
        Self { inner, gate: None }
    }

    fn gate(&self) -> Option<MutexGuard<'_, Gate>> {
        self.gate.as_ref().map(SharedGate::lock)
    }

    /// Waits for the driver before a call, where the step that is under way is split into its calls.
    fn stop_before(&self, call: LockCall) {
        let Some(mut gate) = self.gate() else { return };
        if gate.stop_before(call).is_err() {
            drop(gate);
            std::panic::resume_unwind(Box::new(Abandoned));
        }
    }
}

impl<S: Sys> Sys for GatedSys<S> {
    type File = S::File;
    type Mutex<T: Send> = S::Mutex<T>;
    type Claim = S::Claim;
    type Guard<'a, T: Send + 'a>
        = S::Guard<'a, T>
    where
        Self: 'a;

    fn begin(&self, label: &Label<'_>) {
        let Some(mut gate) = self.gate() else { return };
        gate.label.clear();
        let printed = write!(gate.label, "{label}");
        debug_assert!(printed.is_ok(), "writing to a string does not fail");
        if gate.wait().is_err() {
            drop(gate);
            std::panic::resume_unwind(Box::new(Abandoned));
        }
        gate.begin_step(label.step);
    }

    fn end(&self, _label: &Label<'_>, outcome: Outcome) {
        let Some(mut gate) = self.gate() else { return };
        // How much of an append a full tmpfs took is the environment's choice; the operation cannot name it.
        let outcome = match (outcome, gate.expected()) {
            (Outcome::NoSpace(_), Some(Outcome::NoSpace(cut))) => Outcome::NoSpace(cut),
            _ => outcome,
        };
        gate.pending = Some(Until::End(outcome));
        gate.position += 1;
    }

    fn holds(&self, class: LockClass, mode: Option<Mode>) {
        self.inner.holds(class, mode);
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File> {
        self.stop_before(LockCall::Open);
        self.inner.open(path, access)
    }

    fn create(&self, path: &Path, create: CreateMode) -> io::Result<Self::File> {
        // A step that creates anything and finds no space finds no inode.
        let expected = self.gate().and_then(|gate| gate.expected());
        if matches!(expected, Some(Outcome::NoSpace(_))) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.create(path, create)
    }

    fn flock<'d>(
        &self,
        file: &Self::File,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        self.stop_before(LockCall::Flock);
        let (expected, waits) = self
            .gate()
            .map_or((None, true), |g| (g.expected(), g.waits));
        if waits {
            return self.inner.flock(file, mode, wait);
        }
        match (self.inner.flock(file, mode, Wait::No), wait.into().wait) {
            (Err(FlockError::WouldBlock), Wait::Seconds(_)) => Err(FlockError::TimedOut),
            (Err(FlockError::WouldBlock), Wait::Forever) if expected == Some(Outcome::TimedOut) => {
                Err(FlockError::TimedOut)
            }
            (result, _) => result,
        }
    }

    fn record_lock(&self, file: &Self::File, mode: Option<Mode>) -> Result<(), FlockError> {
        self.inner.record_lock(file, mode)
    }

    fn fstat(&self, file: &Self::File) -> io::Result<Stat> {
        self.stop_before(LockCall::Compare);
        self.inner.fstat(file)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.stop_before(LockCall::Look);
        self.inner.stat(path)
    }

    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.inner.link(old, new)
    }

    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.inner.rename(old, new)
    }

    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.inner.rename_no_replace(old, new)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.inner.unlink(path)
    }

    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        self.inner.mkdir(path, owner)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.inner.rmdir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = self.inner.read_dir(path)?;
        if let Some(gate) = self.gate() {
            gate.sort(path, &mut entries);
        }
        Ok(entries)
    }

    fn read(&self, file: &Self::File, offset: u64) -> io::Result<Vec<u8>> {
        self.inner.read(file, offset)
    }

    fn pread(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.pread(file, buffer, offset)
    }

    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize> {
        let cut = self.gate().and_then(|mut gate| match gate.expected() {
            Some(Outcome::NoSpace(cut)) => {
                let length = if gate.torn { 0 } else { cut_length(bytes, cut) };
                gate.torn = true;
                Some(length)
            }
            _ => None,
        });
        match cut {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(length) => self.inner.append(file, &bytes[..length]),
            None => self.inner.append(file, bytes),
        }
    }

    fn ftruncate(&self, file: &Self::File, size: u64) -> io::Result<()> {
        self.inner.ftruncate(file, size)
    }

    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        self.inner.utimensat(path, atime_ns)
    }

    fn now(&self) -> i128 {
        match self.gate() {
            Some(gate) => clock(gate.clock_ns, gate.now.cutoffs, gate.now.ticks),
            None => self.inner.now(),
        }
    }

    fn is_tmpfs(&self, path: &Path) -> io::Result<bool> {
        self.inner.is_tmpfs(path)
    }

    fn can_write(&self, path: &Path) -> io::Result<()> {
        self.inner.can_write(path)
    }

    fn claim(&self, dev: u64, ino: u64) -> Option<Self::Claim> {
        self.inner.claim(dev, ino)
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.inner.real_path(path)
    }

    fn first_link(&self, below: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
        self.inner.first_link(below, path)
    }

    fn first_look(&self, path: &Path) -> Option<bool> {
        self.inner.first_look(path)
    }

    fn note_first_look(&self, path: &Path, is_there: bool) -> bool {
        self.inner.note_first_look(path, is_there)
    }

    fn is_shutting_down(&self) -> bool {
        self.gate().is_some_and(|gate| gate.now.shuts_down)
    }

    fn sleep(&self, _duration: Duration) {}

    fn mutex<T: Send>(value: T) -> Self::Mutex<T> {
        S::mutex(value)
    }

    fn lock<'a, T: Send>(&'a self, mutex: &'a Self::Mutex<T>) -> Self::Guard<'a, T> {
        self.inner.lock(mutex)
    }
}
