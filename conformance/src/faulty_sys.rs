//! `FaultySys`: a `Sys` that applies faults, each at one step, by the label that it hears in `begin`.
//!
//! A step that is skipped reports success without its effect. If it takes a lock file, only the `flock` is left
//! out: the caller gets a guard without a lock, on a file that is really open, and is told that this is the file at
//! the path. A file that is closed inside a skipped step stays open, and keeps its lock, until the trace ends.

use datastore::sys::{Access, CreateMode, Entry, FlockError, Label, Stat, Sys, Waiting};
use specs::lock_class::{Mode, Wait};
use specs::mutant::Fault;
use specs::step::LockUse;
use specs::{LockClass, Outcome};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A `Sys` with faults.
#[derive(Debug)]
pub struct FaultySys<S: Sys> {
    inner: S,
    faults: Vec<Fault>,
    shared: Arc<Shared<S::File>>,
    /// What the last `fstat` of the skipped step said.
    fstat: Mutex<Option<Stat>>,
}

/// An open file that survives its own drop inside a skipped step.
#[derive(Debug)]
pub struct FaultyFile<F> {
    file: Arc<F>,
    shared: Arc<Shared<F>>,
}

#[derive(Debug)]
struct Shared<F> {
    now: AtomicU8,
    kept_open: Mutex<Vec<Arc<F>>>,
}

/// What the step that is under way does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Now {
    /// What it should.
    Right,
    /// Everything but its `flock`.
    SkipFlock,
    /// Nothing that changes anything.
    SkipAll,
    /// It waits.
    Wait,
}

impl<F> Shared<F> {
    fn set(&self, now: Now) {
        self.now.store(now as u8, Ordering::Relaxed);
    }

    fn is(&self, now: Now) -> bool {
        self.now.load(Ordering::Relaxed) == now as u8
    }
}

impl<F> Drop for FaultyFile<F> {
    fn drop(&mut self) {
        if self.shared.is(Now::SkipAll) {
            let mut kept_open = self
                .shared
                .kept_open
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            kept_open.push(Arc::clone(&self.file));
        }
    }
}

impl<S: Sys> FaultySys<S> {
    /// Applies faults to a `Sys`; with none it changes nothing.
    pub fn new(inner: S, faults: &[Fault]) -> Self {
        let shared = Arc::new(Shared {
            now: AtomicU8::new(Now::Right as u8),
            kept_open: Mutex::new(Vec::new()),
        });
        Self {
            inner,
            faults: faults.to_vec(),
            shared,
            fstat: Mutex::new(None),
        }
    }

    fn wrap(&self, file: S::File) -> FaultyFile<S::File> {
        FaultyFile {
            file: Arc::new(file),
            shared: Arc::clone(&self.shared),
        }
    }

    fn skips(&self) -> bool {
        self.shared.is(Now::SkipAll)
    }

    /// What a step does, by its label.
    fn at(&self, label: &Label<'_>) -> Now {
        let kind = label.step;
        let here = self.faults.iter().find(|fault| fault.step() == kind);
        match here {
            Some(Fault::Skip(_)) => match kind.row().lock {
                Some(LockUse::Take(..)) => Now::SkipFlock,
                Some(LockUse::Within(..) | LockUse::Release(_) | LockUse::Unlink(_)) | None => {
                    Now::SkipAll
                }
            },
            Some(Fault::Wait(_)) => Now::Wait,
            None => Now::Right,
        }
    }
}

impl<S: Sys> Sys for FaultySys<S> {
    type File = FaultyFile<S::File>;
    type Mutex<T: Send> = S::Mutex<T>;
    type Claim = S::Claim;
    type Guard<'a, T: Send + 'a>
        = S::Guard<'a, T>
    where
        Self: 'a;

    fn begin(&self, label: &Label<'_>) {
        self.inner.begin(label);
        self.shared.set(self.at(label));
    }

    fn end(&self, label: &Label<'_>, outcome: Outcome) {
        self.shared.set(Now::Right);
        self.inner.end(label, outcome);
    }

    /// Where the call that takes or lets go is left out, nothing changes.
    fn holds(&self, class: LockClass, mode: Option<Mode>) {
        if !self.skips() && !self.shared.is(Now::SkipFlock) {
            self.inner.holds(class, mode);
        }
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File> {
        self.inner.open(path, access).map(|file| self.wrap(file))
    }

    fn create(&self, path: &Path, create: CreateMode) -> io::Result<Self::File> {
        self.inner.create(path, create).map(|file| self.wrap(file))
    }

    fn flock<'d>(
        &self,
        file: &Self::File,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        if self.skips() || self.shared.is(Now::SkipFlock) {
            return Ok(());
        }
        let waiting = if self.shared.is(Now::Wait) {
            Wait::Forever.into()
        } else {
            wait.into()
        };
        self.inner.flock(&file.file, mode, waiting)
    }

    fn record_lock(&self, file: &Self::File, mode: Option<Mode>) -> Result<(), FlockError> {
        if self.skips() || self.shared.is(Now::SkipFlock) {
            return Ok(());
        }
        self.inner.record_lock(&file.file, mode)
    }

    fn fstat(&self, file: &Self::File) -> io::Result<Stat> {
        let stat = self.inner.fstat(&file.file)?;
        if self.skips() || self.shared.is(Now::SkipFlock) {
            *self.fstat.lock().unwrap_or_else(PoisonError::into_inner) = Some(stat);
        }
        Ok(stat)
    }

    /// In a skipped step the path always leads to the file that was looked at before.
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let known = self
            .fstat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match known {
            Some(stat) if self.skips() || self.shared.is(Now::SkipFlock) => Ok(stat),
            Some(_) | None => self.inner.stat(path),
        }
    }

    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.link(old, new)
        }
    }

    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.rename(old, new)
        }
    }

    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.rename_no_replace(old, new)
        }
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.unlink(path)
        }
    }

    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.mkdir(path, owner)
        }
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.rmdir(path)
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.inner.read_dir(path)
    }

    fn read(&self, file: &Self::File, offset: u64) -> io::Result<Vec<u8>> {
        self.inner.read(&file.file, offset)
    }

    fn pread(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.pread(&file.file, buffer, offset)
    }

    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize> {
        if self.skips() {
            Ok(bytes.len())
        } else {
            self.inner.append(&file.file, bytes)
        }
    }

    fn ftruncate(&self, file: &Self::File, size: u64) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.ftruncate(&file.file, size)
        }
    }

    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        if self.skips() {
            Ok(())
        } else {
            self.inner.utimensat(path, atime_ns)
        }
    }

    fn now(&self) -> i128 {
        self.inner.now()
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
        self.inner.is_shutting_down()
    }

    fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration);
    }

    fn mutex<T: Send>(value: T) -> Self::Mutex<T> {
        S::mutex(value)
    }

    fn lock<'a, T: Send>(&'a self, mutex: &'a Self::Mutex<T>) -> Self::Guard<'a, T> {
        self.inner.lock(mutex)
    }
}
