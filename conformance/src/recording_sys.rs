//! `RecordingSys`: a `Sys` that notes which calls each step makes, for the tests that run one operation alone, or which
//! locks its actor asks for while it has which, for replays.

use crate::lock_notes::LockNotes;
use crate::lock_order::Taking;
use datastore::sys::{Access, CreateMode, Entry, FlockError, Label, Stat, Sys, Waiting};
use specs::lock_class::Mode;
use specs::step::Call;
use specs::{LockClass, Outcome, Step};
use std::any::type_name;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One step as it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The label as it is printed, with its argument.
    pub label: String,
    /// The label without its argument.
    pub kind: Step,
    /// How the step ended; none if the operation gave up inside it.
    pub outcome: Option<Outcome>,
    /// The calls inside the step, in order; `close` is the drop of a file.
    pub calls: Vec<Made>,
}

/// One call as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Which one.
    pub call: Call,
    /// The file or the directory: of a rename the new name, of an open file the name that it has by then; empty if there
    /// is none.
    pub path: PathBuf,
    /// Whether it succeeded.
    pub is_ok: bool,
}

/// What one actor did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The steps, in order.
    pub steps: Vec<Recorded>,
    /// Calls that were made outside any step.
    pub outside: Vec<Made>,
    is_inside: bool,
    /// What was renamed to what, for files that are open meanwhile.
    renamed: Vec<(PathBuf, PathBuf)>,
    /// In the place of calls.
    locks: Option<LockNotes>,
}

/// A `Sys` that notes calls.
#[derive(Debug)]
pub struct RecordingSys<S> {
    inner: S,
    recording: SharedRecording,
    shuts_down: bool,
}

/// The recording that a `Sys` and its files write to; none if nothing is recorded.
#[derive(Clone, Debug)]
pub struct SharedRecording(Option<Arc<Mutex<Recording>>>);

/// An open file whose drop is noted as a `close`.
#[derive(Debug)]
pub struct RecordedFile<F> {
    file: F,
    recording: SharedRecording,
    /// The name by which it was opened; empty if no calls are recorded.
    path: PathBuf,
    number: u64,
}

/// A locked mutex whose drop is noted.
#[derive(Debug)]
pub struct RecordedGuard<G> {
    // Unlocked before that is noted.
    guard: G,
    _note: GuardNote,
}

#[derive(Debug)]
struct GuardNote {
    recording: SharedRecording,
    number: u64,
}

impl Default for SharedRecording {
    fn default() -> Self {
        Self::of(Recording::default())
    }
}

impl SharedRecording {
    /// Nothing is recorded.
    pub const NOTHING: Self = Self(None);

    /// Locks are recorded, and no calls.
    pub fn of_locks(notes: LockNotes) -> Self {
        Self::of(Recording {
            locks: Some(notes),
            ..Recording::default()
        })
    }

    fn of(recording: Recording) -> Self {
        Self(Some(Arc::new(Mutex::new(recording))))
    }

    /// What has been recorded so far.
    pub fn snapshot(&self) -> Recording {
        self.lock().as_deref().cloned().unwrap_or_default()
    }

    /// The locks that were taken in a way that was not met before, since the last call.
    pub fn take_new_locks(&self) -> Vec<Taking> {
        self.locks(LockNotes::take_new)
    }

    fn note(&self, call: Call, path: &Path) {
        self.calls(|recording| {
            let path = recording.current(path).to_owned();
            let is_ok = true;
            recording.list().push(Made { call, path, is_ok });
        });
    }

    /// The call that was noted last has failed, or has renamed something.
    fn note_end(&self, is_ok: bool, renamed: Option<(&Path, &Path)>) {
        self.calls(|recording| {
            if let Some(last) = recording.list().last_mut() {
                last.is_ok = is_ok;
            }
            if let Some((old, new)) = renamed.filter(|_| is_ok) {
                let pair = (old.to_owned(), new.to_owned());
                recording.renamed.push(pair);
            }
        });
    }

    /// Writes to the calls, if they are kept.
    fn calls(&self, note: impl FnOnce(&mut Recording)) {
        if let Some(mut recording) = self.lock().filter(|recording| recording.locks.is_none()) {
            note(&mut recording);
        }
    }

    /// Whether calls are kept, and not the locks in their place.
    fn keeps_calls(&self) -> bool {
        self.lock()
            .is_some_and(|recording| recording.locks.is_none())
    }

    /// Writes to the notes on locks, if such are kept.
    fn locks<T: Default>(&self, note: impl FnOnce(&mut LockNotes) -> T) -> T {
        let mut recording = self.lock();
        let notes = recording.as_mut().and_then(|r| r.locks.as_mut());
        notes.map(note).unwrap_or_default()
    }

    fn lock(&self) -> Option<MutexGuard<'_, Recording>> {
        let recording = self.0.as_ref()?;
        Some(recording.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recording {
    /// The list that a call belongs to.
    fn list(&mut self) -> &mut Vec<Made> {
        match self.steps.last_mut() {
            Some(step) if self.is_inside => &mut step.calls,
            Some(_) | None => &mut self.outside,
        }
    }

    /// The name that a file has by now.
    fn current<'a>(&'a self, path: &'a Path) -> &'a Path {
        let names = self.renamed.iter();
        names.fold(
            path,
            |path, (old, new)| if old == path { new } else { path },
        )
    }
}

impl<F> Drop for RecordedFile<F> {
    fn drop(&mut self) {
        self.recording.note(Call::Close, &self.path);
        self.recording.locks(|notes| notes.closed(self.number));
    }
}

impl Drop for GuardNote {
    fn drop(&mut self) {
        self.recording
            .locks(|notes| notes.mutex_unlocked(self.number));
    }
}

impl<G: Deref> Deref for RecordedGuard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for RecordedGuard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

impl<S> RecordingSys<S> {
    /// Records what goes through a `Sys`.
    pub const fn new(inner: S, recording: SharedRecording) -> Self {
        Self {
            inner,
            recording,
            shuts_down: false,
        }
    }

    /// The same, in a process that shuts down or does not.
    #[must_use]
    pub fn in_process_that_shuts_down(self, shuts_down: bool) -> Self {
        Self { shuts_down, ..self }
    }

    fn wrap<F>(&self, file: F, path: &Path) -> RecordedFile<F> {
        let path_of_calls = self.recording.keeps_calls().then(|| path.to_owned());
        RecordedFile {
            file,
            number: self.recording.locks(|notes| notes.opened(path)),
            recording: self.recording.clone(),
            path: path_of_calls.unwrap_or_default(),
        }
    }

    /// A file may have another path now.
    fn renamed(&self, renamed: io::Result<()>, old: &Path, new: &Path) -> io::Result<()> {
        self.recording.note_end(renamed.is_ok(), Some((old, new)));
        if renamed.is_ok() {
            self.recording.locks(|notes| notes.renamed(old, new));
        }
        renamed
    }

    /// Notes a call on a path.
    fn note(&self, call: Call, path: &Path) -> &S {
        self.recording.note(call, path);
        &self.inner
    }

    /// Notes how the call that was noted last has ended.
    fn ended<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.recording.note_end(result.is_ok(), None);
        result
    }
}

impl<S: Sys> Sys for RecordingSys<S> {
    type File = RecordedFile<S::File>;
    type Mutex<T: Send> = S::Mutex<T>;
    type Claim = S::Claim;
    type Guard<'a, T: Send + 'a>
        = RecordedGuard<S::Guard<'a, T>>
    where
        Self: 'a;

    fn begin(&self, label: &Label<'_>) {
        self.inner.begin(label);
        let Some(mut recording) = self.recording.lock() else {
            return;
        };
        let kind = label.step;
        if let Some(notes) = &mut recording.locks {
            notes.in_step(Some(kind));
            return;
        }
        recording.steps.push(Recorded {
            label: label.to_string(),
            kind,
            outcome: None,
            calls: Vec::new(),
        });
        recording.is_inside = true;
    }

    fn end(&self, label: &Label<'_>, outcome: Outcome) {
        if let Some(mut recording) = self.recording.lock() {
            recording.is_inside = false;
            if let Some(notes) = &mut recording.locks {
                notes.in_step(None);
            }
            if let Some(step) = recording.steps.last_mut() {
                step.outcome = Some(outcome);
            }
        }
        self.inner.end(label, outcome);
    }

    fn holds(&self, class: LockClass, mode: Option<Mode>) {
        self.recording.locks(|notes| notes.holds(class, mode));
        self.inner.holds(class, mode);
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File> {
        let opened = self.note(Call::Open, path).open(path, access);
        self.ended(opened).map(|file| self.wrap(file, path))
    }

    fn create(&self, path: &Path, create: CreateMode) -> io::Result<Self::File> {
        let created = self.note(Call::Create, path).create(path, create);
        self.ended(created).map(|file| self.wrap(file, path))
    }

    fn flock<'d>(
        &self,
        file: &Self::File,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        let waiting = wait.into();
        let inner = self.note(Call::Flock, &file.path);
        let locked = self.ended(inner.flock(&file.file, mode, waiting));
        self.recording
            .locks(|notes| notes.flocked(file.number, mode, waiting.wait, locked.is_ok()));
        locked
    }

    fn record_lock(&self, file: &Self::File, mode: Option<Mode>) -> Result<(), FlockError> {
        let inner = self.note(Call::RecordLock, &file.path);
        self.ended(inner.record_lock(&file.file, mode))
    }

    fn fstat(&self, file: &Self::File) -> io::Result<Stat> {
        let inner = self.note(Call::Fstat, &file.path);
        self.ended(inner.fstat(&file.file))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.ended(self.note(Call::Stat, path).stat(path))
    }

    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.ended(self.note(Call::Link, new).link(old, new))
    }

    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        let renamed = self.note(Call::Rename, new).rename(old, new);
        self.renamed(renamed, old, new)
    }

    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        let inner = self.note(Call::RenameNoReplace, new);
        self.renamed(inner.rename_no_replace(old, new), old, new)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.ended(self.note(Call::Unlink, path).unlink(path))
    }

    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        self.ended(self.note(Call::Mkdir, path).mkdir(path, owner))
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.ended(self.note(Call::Rmdir, path).rmdir(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.ended(self.note(Call::ReadDir, path).read_dir(path))
    }

    fn read(&self, file: &Self::File, offset: u64) -> io::Result<Vec<u8>> {
        let inner = self.note(Call::Read, &file.path);
        self.ended(inner.read(&file.file, offset))
    }

    fn pread(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let inner = self.note(Call::Read, &file.path);
        self.ended(inner.pread(&file.file, buffer, offset))
    }

    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize> {
        let inner = self.note(Call::Append, &file.path);
        self.ended(inner.append(&file.file, bytes))
    }

    fn ftruncate(&self, file: &Self::File, size: u64) -> io::Result<()> {
        let inner = self.note(Call::Ftruncate, &file.path);
        self.ended(inner.ftruncate(&file.file, size))
    }

    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        let inner = self.note(Call::Utimensat, path);
        self.ended(inner.utimensat(path, atime_ns))
    }

    fn now(&self) -> i128 {
        self.note(Call::Now, Path::new("")).now()
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
        self.shuts_down || self.inner.is_shutting_down()
    }

    fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration);
    }

    fn mutex<T: Send>(value: T) -> Self::Mutex<T> {
        S::mutex(value)
    }

    fn lock<'a, T: Send>(&'a self, mutex: &'a Self::Mutex<T>) -> Self::Guard<'a, T> {
        let guard = self.note(Call::Mutex, Path::new("")).lock(mutex);
        let number = self
            .recording
            .locks(|notes| notes.mutex_locked(type_name::<T>()));
        RecordedGuard {
            guard,
            _note: GuardNote {
                recording: self.recording.clone(),
                number,
            },
        }
    }
}
