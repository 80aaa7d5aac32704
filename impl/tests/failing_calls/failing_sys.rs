//! `FailingSys`: the system calls of Linux, of which one goes wrong.

use datastore::sys::{Access, CreateMode, Entry, FlockError, Stat, Waiting};
use datastore::{LinuxSys, Sys};
use nix::errno::Errno;
use specs::lock_class::{Mode, Wait};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It fails and does nothing.
    Error(Errno),
    /// The same, and so does every call after it.
    Always(Errno),
    /// A write takes half of its bytes and says so, which is no failure.
    Short,
    /// The same, and then the disk is full.
    ShortThenFull,
    /// A write takes nothing and says so.
    Nothing,
    /// What is read ends too early.
    Cut,
    /// A bit of what is read has turned.
    Flip,
    /// Nothing is there to be read.
    Empty,
    /// All of what is read is zero.
    Zeros,
}

impl Failure {
    /// All of them, with the errors that a file system has for one of its users, its device and its size.
    pub(crate) const ALL: &[Self] = &[
        Self::Error(Errno::EACCES),
        Self::Error(Errno::EIO),
        Self::Error(Errno::EINTR),
        Self::Error(Errno::ENOSPC),
        Self::Always(Errno::EIO),
        Self::Short,
        Self::ShortThenFull,
        Self::Nothing,
        Self::Cut,
        Self::Flip,
        Self::Empty,
        Self::Zeros,
    ];

    /// Whether it gives something else than there is, without an error.
    fn is_damage(self) -> bool {
        match self {
            Self::Cut | Self::Flip | Self::Empty | Self::Zeros => true,
            Self::Error(_)
            | Self::Always(_)
            | Self::Short
            | Self::ShortThenFull
            | Self::Nothing => false,
        }
    }

    /// Whether it can happen to a call that is no read and no write, to a write, or to a read.
    fn happens_to(self, kind: Kind) -> bool {
        match self {
            Self::Error(_) | Self::Always(_) => true,
            Self::Short | Self::ShortThenFull => matches!(kind, Kind::Write(2..)),
            Self::Nothing => matches!(kind, Kind::Write(_)),
            Self::Cut | Self::Flip | Self::Empty | Self::Zeros => kind == Kind::Read,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A write of so many bytes.
    Write(usize),
    Read,
    Other,
}

/// The call that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Its name in [`Sys`].
    pub(crate) name: &'static str,
    /// The path, or that of the open file; of two paths the second.
    pub(crate) path: PathBuf,
}

/// An open file that is counted.
pub(crate) struct Counted {
    file: File,
    path: PathBuf,
    open: Rc<Cell<usize>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

/// The system calls of Linux, of which one goes wrong.
#[derive(Default)]
pub(crate) struct FailingSys {
    failure: Cell<Option<(Failure, usize)>>,
    /// Calls so far to which it could have happened.
    made: Cell<usize>,
    hit: RefCell<Option<Hit>>,
    open: Rc<Cell<usize>>,
}

impl FailingSys {
    /// From now on, the call of that number goes wrong, counted from 1 and among those to which this can happen.
    pub(crate) fn fail(&self, failure: Failure, number: usize) {
        self.failure.set(Some((failure, number)));
        self.made.set(0);
        self.hit.take();
    }

    /// From now on, no call goes wrong; tells which did.
    pub(crate) fn mend(&self) -> Option<Hit> {
        self.failure.set(None);
        self.hit.take()
    }

    /// How many files are open.
    pub(crate) fn open_files(&self) -> usize {
        self.open.get()
    }

    /// What happens to a call that is about to be made.
    fn fate(&self, name: &'static str, kind: Kind, path: &Path) -> Option<Failure> {
        let (failure, number) = self.failure.get()?;
        // The journal has no checksum: whoever reads it believes what the tmpfs says.
        let is_journal = path.to_string_lossy().contains("move-journal");
        if !failure.happens_to(kind) || failure.is_damage() && is_journal {
            return None;
        }
        self.made.set(self.made.get() + 1);
        let goes_on = matches!(failure, Failure::Always(_));
        let is_hit = self.made.get() == number || goes_on && self.made.get() > number;
        if is_hit && self.hit.borrow().is_none() {
            let path = path.to_owned();
            self.hit.replace(Some(Hit { name, path }));
        }
        is_hit.then_some(failure)
    }

    /// A call that is no read and no write.
    fn other<T>(
        &self,
        name: &'static str,
        path: &Path,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.fate(name, Kind::Other, path) {
            Some(Failure::Error(errno) | Failure::Always(errno)) => Err(errno.into()),
            _ => call(),
        }
    }

    fn opened(&self, path: &Path, result: io::Result<File>) -> io::Result<Counted> {
        let file = result?;
        self.open.set(self.open.get() + 1);
        let (path, open) = (path.to_owned(), Rc::clone(&self.open));
        Ok(Counted { file, path, open })
    }

    /// What a read gives that was to give these bytes.
    fn given(&self, name: &'static str, path: &Path, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        match self.fate(name, Kind::Read, path) {
            Some(Failure::Error(errno) | Failure::Always(errno)) => return Err(errno.into()),
            Some(Failure::Cut) => bytes.truncate(bytes.len() / 2),
            Some(Failure::Empty) => bytes.clear(),
            Some(Failure::Zeros) => bytes.fill(0),
            Some(Failure::Flip) => {
                // The last byte: of an index it is one of an entry, and not of the unused rest of the header.
                if let Some(byte) = bytes.last_mut() {
                    *byte ^= 0x10;
                }
            }
            Some(Failure::Short | Failure::ShortThenFull | Failure::Nothing) | None => {}
        }
        Ok(bytes)
    }
}

impl Sys for FailingSys {
    type File = Counted;
    type Mutex<T: Send> = <LinuxSys as Sys>::Mutex<T>;
    type Claim = <LinuxSys as Sys>::Claim;
    type Guard<'a, T: Send + 'a> = <LinuxSys as Sys>::Guard<'a, T>;

    fn open(&self, path: &Path, access: Access) -> io::Result<Counted> {
        let file = self.other("open", path, || LinuxSys.open(path, access));
        self.opened(path, file)
    }
    fn create(&self, path: &Path, create: CreateMode) -> io::Result<Counted> {
        let file = self.other("create", path, || LinuxSys.create(path, create));
        self.opened(path, file)
    }
    /// Nobody else is there, so nothing is waited for.
    fn flock<'d>(
        &self,
        file: &Counted,
        mode: Mode,
        _: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        self.other("flock", &file.path, || Ok(()))?;
        LinuxSys.flock(&file.file, mode, Wait::No)
    }
    /// Unlocking does not fail: the kernel needs nothing for it.
    fn record_lock(&self, file: &Counted, mode: Option<Mode>) -> Result<(), FlockError> {
        if mode.is_some() {
            self.other("record_lock", &file.path, || Ok(()))?;
        }
        LinuxSys.record_lock(&file.file, mode)
    }
    fn fstat(&self, file: &Counted) -> io::Result<Stat> {
        self.other("fstat", &file.path, || LinuxSys.fstat(&file.file))
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.other("stat", path, || LinuxSys.stat(path))
    }
    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.other("link", new, || LinuxSys.link(old, new))
    }
    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.other("rename", new, || LinuxSys.rename(old, new))
    }
    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.other("rename_no_replace", new, || {
            LinuxSys.rename_no_replace(old, new)
        })
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.other("unlink", path, || LinuxSys.unlink(path))
    }
    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        self.other("mkdir", path, || LinuxSys.mkdir(path, owner))
    }
    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.other("rmdir", path, || LinuxSys.rmdir(path))
    }
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.other("real_path", path, || LinuxSys.real_path(path))
    }
    fn first_link(&self, below: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
        self.other("first_link", path, || LinuxSys.first_link(below, path))
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = self.other("read_dir", path, || LinuxSys.read_dir(path))?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
    fn read(&self, file: &Counted, offset: u64) -> io::Result<Vec<u8>> {
        let bytes = LinuxSys.read(&file.file, offset)?;
        self.given("read", &file.path, bytes)
    }
    fn pread(&self, file: &Counted, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = LinuxSys.pread(&file.file, buffer, offset)?;
        let bytes = self.given("pread", &file.path, buffer[..read].to_vec())?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
    fn append(&self, file: &Counted, bytes: &[u8]) -> io::Result<usize> {
        let half = &bytes[..bytes.len() / 2];
        match self.fate("append", Kind::Write(bytes.len()), &file.path) {
            Some(Failure::Error(errno) | Failure::Always(errno)) => Err(errno.into()),
            Some(Failure::Short) => LinuxSys.append(&file.file, half),
            Some(Failure::ShortThenFull) => {
                self.failure.set(Some((Failure::Error(Errno::ENOSPC), 1)));
                self.made.set(0);
                LinuxSys.append(&file.file, half)
            }
            Some(Failure::Nothing) => Ok(0),
            Some(Failure::Cut | Failure::Flip | Failure::Empty | Failure::Zeros) | None => {
                LinuxSys.append(&file.file, bytes)
            }
        }
    }
    fn ftruncate(&self, file: &Counted, size: u64) -> io::Result<()> {
        self.other("ftruncate", &file.path, || {
            LinuxSys.ftruncate(&file.file, size)
        })
    }
    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        self.other("utimensat", path, || LinuxSys.utimensat(path, atime_ns))
    }
    fn now(&self) -> i128 {
        LinuxSys.now()
    }
    fn is_tmpfs(&self, path: &Path) -> io::Result<bool> {
        self.other("is_tmpfs", path, || LinuxSys.is_tmpfs(path))
    }
    fn can_write(&self, path: &Path) -> io::Result<()> {
        self.other("can_write", path, || LinuxSys.can_write(path))
    }
    fn claim(&self, dev: u64, ino: u64) -> Option<Self::Claim> {
        LinuxSys.claim(dev, ino)
    }
    fn first_look(&self, path: &Path) -> Option<bool> {
        LinuxSys.first_look(path)
    }
    fn note_first_look(&self, path: &Path, is_there: bool) -> bool {
        LinuxSys.note_first_look(path, is_there)
    }
    fn sleep(&self, duration: Duration) {
        LinuxSys.sleep(duration);
    }
    fn mutex<T: Send>(value: T) -> Self::Mutex<T> {
        LinuxSys::mutex(value)
    }
    fn lock<'a, T: Send>(&'a self, mutex: &'a Self::Mutex<T>) -> Self::Guard<'a, T> {
        LinuxSys.lock(mutex)
    }
}
