//! What the calls of litmus tests come to on the open files of a process, in either world.

use super::call::{Call, Fd, Name, Os, Step, Time};
use datastore::sys::{Access, CreateMode, FlockError, Stat, Sys};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::Path;

/// The open files of a process by their names.
pub(super) type Files<F> = BTreeMap<&'static str, F>;

/// What a call of one world only comes to; none if the world has no such call.
pub(super) type OsCall<'a, F> = &'a mut dyn FnMut(Os, &mut Files<F>) -> io::Result<String>;

/// The word for success.
pub(super) const DONE: &str = "done";

const CREATE: CreateMode = CreateMode {
    mode: 0o660,
    owner: None,
};

impl Step {
    /// Makes the call. The name and word if they are seen; an error says what should have succeeded.
    pub(super) fn perform<S: Sys>(
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
            Self::Mkdir(name) => sys.mkdir(&at(name), None)?,
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
            | Self::Runs(fd, _)
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
            Self::Runs(_, length) => {
                let bytes = sys.read(file, 0)?;
                let is_whole = bytes
                    .chunk_by(|a, b| a == b)
                    .all(|run| run.len().is_multiple_of(length));
                return Ok(if is_whole { "whole" } else { "torn" }.to_owned());
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

/// The words for errors that tests expect; any other one goes by its text.
const ERRORS: &[(ErrorKind, &str)] = &[
    (ErrorKind::NotFound, "gone"),
    (ErrorKind::AlreadyExists, "exists"),
    (ErrorKind::DirectoryNotEmpty, "not_empty"),
    (ErrorKind::StorageFull, "full"),
    (ErrorKind::Interrupted, "interrupted"),
];

/// What a call came to, in a word.
fn word(result: io::Result<String>) -> String {
    let error = match result {
        Ok(word) => return word,
        Err(error) => error,
    };
    let known = ERRORS.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(|| error.to_string(), |(_, word)| (*word).to_owned())
}
