//! The calls of litmus tests: what each is, how it is printed, and what it comes to on the files of a process.

use datastore::sys::{Access, CreateMode, FlockError, Stat, Sys};
use specs::lock_class::{Mode, Wait};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A name that a process gives to an open file.
pub type Fd = &'static str;
/// A path below the directory of the test.
pub type Name = &'static str;

/// A call, and whether what it comes to is part of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It must succeed, else the test is broken.
    Do(Call),
    /// What it comes to is seen under a name.
    See(&'static str, Call),
}

/// A call that both worlds have, or one that only Linux has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Creates a file that is not there yet, to read and to append.
    Create(Fd, Name),
    /// Opens a file to read and to append.
    Open(Fd, Name),
    /// Opens a file to read.
    OpenToRead(Fd, Name, Access),
    /// Closes it.
    Close(Fd),
    /// `flock`.
    Flock(Fd, Mode, Wait),
    /// Takes the record lock, or lets it go with none.
    Record(Fd, Option<Mode>),
    /// `fstat` and `stat`: `same` if the open file is at the path, else `other` or `gone`.
    Recheck(Fd, Name),
    /// `stat`: `there` or `gone`.
    Look(Name),
    /// `rename`.
    Rename(Name, Name),
    /// `renameat2` with `RENAME_NOREPLACE`.
    RenameNoReplace(Name, Name),
    /// `unlink`.
    Unlink(Name),
    /// `mkdir`.
    Mkdir(Name),
    /// `rmdir`.
    Rmdir(Name),
    /// Lists a directory: which of these names it has, or `none`.
    List(Name, &'static [&'static str]),
    /// Appends a letter so many times, in one write: `done`, `short` or `full`.
    Append(Fd, char, usize),
    /// Reads the file, each run of a letter as one letter, or `empty`.
    Letters(Fd),
    /// `fstat`: the size in bytes.
    Size(Fd),
    /// `fstat`: `whole` if the size is a multiple of this, else `part`.
    Whole(Fd, u64),
    /// `ftruncate` to nothing.
    Truncate(Fd),
    /// `utimensat` of the access time.
    Touch(Name, Time),
    /// `stat` of the access time: one of those, or `now`.
    Atime(Name),
    /// Creates and removes a file so many times: `twice` if an inode number comes back, also that of an open file if
    /// one is named; else `once`.
    Churn(Name, u32, Option<Fd>),
    /// What only Linux has.
    Os(Os),
}

/// A call that needs a kernel with processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// `dup`: a new name for the same open file description.
    Dup(Fd, Fd),
    /// Takes close-on-exec away.
    Leak(Fd),
    /// `dup2`: the file is the standard input as well, which is never close-on-exec.
    ToInput(Fd),
    /// The standard input is nothing any more.
    CloseInput,
    /// A name for the standard input.
    FromInput(Fd),
    /// `fork` and `exec`: starts a process, with the standard input of this one.
    Start(usize),
    /// `kill` with SIGKILL, of a process that this one has started.
    Kill(usize),
    /// `waitpid`.
    Reap(usize),
    /// `kill` with SIGURG, which is ignored unless there is a handler.
    Signal(usize),
    /// One `flock` that waits, and is not tried again after a signal: `done` or `interrupted`.
    FlockOnce(Fd, Mode),
    /// `/proc/locks`: how many hold and how many wait for a lock on the file, as `1+0`.
    Table(Fd),
}

/// An access time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Long before any run, in the year 2001.
    Past,
    /// Long after any run, in the year 2096.
    Future,
}

impl Time {
    const fn ns(self) -> i128 {
        match self {
            Self::Past => 1_000_000_000_000_000_000,
            Self::Future => 4_000_000_000_000_000_000,
        }
    }

    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::Future => "future",
        }
    }
}

/// The open files of a process by their names.
pub type Files<F> = BTreeMap<&'static str, F>;

/// What a call of one world only comes to; none if the world has no such call.
pub type OsCall<'a, F> = &'a mut dyn FnMut(Os, &mut Files<F>) -> io::Result<String>;

/// The word for success.
pub const DONE: &str = "done";

const CREATE: CreateMode = CreateMode {
    mode: 0o660,
    owner: None,
};

impl Step {
    /// The call.
    pub const fn call(&self) -> &Call {
        match self {
            Self::Do(call) | Self::See(_, call) => call,
        }
    }

    /// The name under which the result is seen.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Do(_) => None,
            Self::See(name, _) => Some(name),
        }
    }

    /// Makes the call. The name and word if they are seen; an error says what should have succeeded.
    pub fn perform<S: Sys>(
        &self,
        sys: &S,
        directory: &Path,
        files: &mut Files<S::File>,
        os: OsCall<'_, S::File>,
    ) -> Result<Option<(String, String)>, String> {
        let word = word(self.call().perform(sys, directory, files, os));
        match self {
            Self::See(name, _) => Ok(Some(((*name).to_owned(), word))),
            Self::Do(_) if word == DONE => Ok(None),
            Self::Do(call) => Err(format!("{call}: {word}")),
        }
    }
}

impl Call {
    /// Whether it can wait for somebody else.
    pub const fn can_wait(&self) -> bool {
        matches!(
            self,
            Self::Flock(_, _, Wait::Forever | Wait::Seconds(_)) | Self::Os(Os::FlockOnce(..))
        )
    }

    /// The process that it starts.
    pub const fn starts(&self) -> Option<usize> {
        if let Self::Os(Os::Start(process)) = self {
            Some(*process)
        } else {
            None
        }
    }

    /// The process that it kills.
    pub const fn kills(&self) -> Option<usize> {
        if let Self::Os(Os::Kill(process)) = self {
            Some(*process)
        } else {
            None
        }
    }

    fn perform<S: Sys>(
        &self,
        sys: &S,
        directory: &Path,
        files: &mut Files<S::File>,
        os: OsCall<'_, S::File>,
    ) -> io::Result<String> {
        let at = |name: Name| directory.join(name);
        let file = |fd: Fd, files: &Files<S::File>| match files.contains_key(fd) {
            true => Ok(()),
            false => Err(io::Error::other(format!("no file {fd}"))),
        };
        match *self {
            Self::Create(fd, name) => return opened(files, fd, sys.create(&at(name), CREATE)),
            Self::Open(fd, name) => {
                return opened(files, fd, sys.open(&at(name), Access::ReadAppend));
            }
            Self::OpenToRead(fd, name, access) => {
                return opened(files, fd, sys.open(&at(name), access));
            }
            Self::Rename(old, new) => sys.rename(&at(old), &at(new))?,
            Self::RenameNoReplace(old, new) => sys.rename_no_replace(&at(old), &at(new))?,
            Self::Unlink(name) => sys.unlink(&at(name))?,
            Self::Mkdir(name) => sys.mkdir(&at(name))?,
            Self::Rmdir(name) => sys.rmdir(&at(name))?,
            Self::Touch(name, time) => sys.utimensat(&at(name), time.ns())?,
            Self::Look(name) => {
                return Ok(if is_gone(sys.stat(&at(name)))?.is_some() {
                    "there"
                } else {
                    "gone"
                }
                .to_owned());
            }
            Self::Atime(name) => {
                let atime_ns = sys.stat(&at(name))?.atime_ns;
                let time = [Time::Past, Time::Future]
                    .into_iter()
                    .find(|time| time.ns() == atime_ns);
                return Ok(time.map_or("now", Time::word).to_owned());
            }
            Self::List(name, wanted) => {
                let entries = sys.read_dir(&at(name))?;
                let found: Vec<&str> = wanted
                    .iter()
                    .copied()
                    .filter(|wanted| entries.iter().any(|entry| entry.name == **wanted))
                    .collect();
                return Ok(if found.is_empty() {
                    "none".to_owned()
                } else {
                    found.join("+")
                });
            }
            Self::Churn(name, times, open) => {
                let mut seen = BTreeSet::new();
                if let Some(fd) = open {
                    file(fd, files)?;
                    seen.insert(sys.fstat(&files[fd])?.ino);
                }
                let mut is_new = true;
                for _ in 0..times {
                    let created = sys.create(&at(name), CREATE)?;
                    let ino = sys.fstat(&created)?.ino;
                    is_new &= match open {
                        Some(_) => !seen.contains(&ino),
                        None => seen.insert(ino),
                    };
                    drop(created);
                    sys.unlink(&at(name))?;
                }
                return Ok(if is_new { "once" } else { "twice" }.to_owned());
            }
            Self::Close(fd) => {
                file(fd, files)?;
                drop(files.remove(fd));
            }
            Self::Os(call) => return os(call, files),
            Self::Flock(fd, ..)
            | Self::Record(fd, _)
            | Self::Recheck(fd, _)
            | Self::Append(fd, ..)
            | Self::Letters(fd)
            | Self::Size(fd)
            | Self::Whole(fd, _)
            | Self::Truncate(fd) => {
                file(fd, files)?;
                return self.perform_on(sys, directory, &files[fd]);
            }
        }
        Ok(DONE.to_owned())
    }

    /// The calls on an open file.
    fn perform_on<S: Sys>(&self, sys: &S, directory: &Path, file: &S::File) -> io::Result<String> {
        match *self {
            Self::Flock(_, mode, wait) => return locked(sys.flock(file, mode, wait)),
            Self::Record(_, mode) => return locked(sys.record_lock(file, mode)),
            Self::Recheck(_, name) => {
                let open = sys.fstat(file)?;
                let found = is_gone(sys.stat(&directory.join(name)))?;
                let word = match found {
                    Some(found) if (found.dev, found.ino) == (open.dev, open.ino) => "same",
                    Some(_) => "other",
                    None => "gone",
                };
                return Ok(word.to_owned());
            }
            Self::Append(_, letter, times) => {
                let bytes = letter.to_string().repeat(times);
                if sys.append(file, bytes.as_bytes())? < bytes.len() {
                    return Ok("short".to_owned());
                }
            }
            Self::Letters(_) => {
                let mut letters = sys.read(file, 0)?;
                letters.dedup();
                let word = String::from_utf8_lossy(&letters).into_owned();
                return Ok(if word.is_empty() {
                    "empty".to_owned()
                } else {
                    word
                });
            }
            Self::Size(_) => return Ok(sys.fstat(file)?.size.to_string()),
            Self::Whole(_, unit) => {
                let is_whole = sys.fstat(file)?.size.is_multiple_of(unit);
                return Ok(if is_whole { "whole" } else { "part" }.to_owned());
            }
            Self::Truncate(_) => sys.ftruncate(file, 0)?,
            Self::Create(..)
            | Self::Open(..)
            | Self::OpenToRead(..)
            | Self::Close(_)
            | Self::Look(_)
            | Self::Rename(..)
            | Self::RenameNoReplace(..)
            | Self::Unlink(_)
            | Self::Mkdir(_)
            | Self::Rmdir(_)
            | Self::List(..)
            | Self::Touch(..)
            | Self::Atime(_)
            | Self::Churn(..)
            | Self::Os(_) => {}
        }
        Ok(DONE.to_owned())
    }
}

fn opened<F>(files: &mut Files<F>, fd: Fd, file: io::Result<F>) -> io::Result<String> {
    drop(files.insert(fd, file?));
    Ok(DONE.to_owned())
}

fn locked(result: Result<(), FlockError>) -> io::Result<String> {
    match result {
        Ok(()) => Ok(DONE.to_owned()),
        Err(FlockError::WouldBlock) => Ok("busy".to_owned()),
        Err(FlockError::TimedOut) => Ok("timed_out".to_owned()),
        Err(FlockError::Io(error)) => Err(error),
    }
}

fn is_gone(result: io::Result<Stat>) -> io::Result<Option<Stat>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// What a call came to, in a word.
fn word(result: io::Result<String>) -> String {
    let error = match result {
        Ok(word) => return word,
        Err(error) => error,
    };
    // Kinds of errors of the standard library, not ours, so the rest goes by its text.
    match error.kind() {
        ErrorKind::NotFound => "gone".to_owned(),
        ErrorKind::AlreadyExists => "exists".to_owned(),
        ErrorKind::DirectoryNotEmpty => "not_empty".to_owned(),
        ErrorKind::StorageFull => "full".to_owned(),
        ErrorKind::Interrupted => "interrupted".to_owned(),
        _ => error.to_string(),
    }
}
