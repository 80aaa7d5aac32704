//! The chunk store: where chunks lie, marking one as used, and removing one that nobody marked.
//!
//! A chunk whose access time is before the minimum of a garbage collection is used by nobody.
//! Marking, inserting and removing happen under one mutex of the process, so that nobody marks a
//! chunk between the look at its access time and its removal; other processes are kept out by the
//! process lock of the datastore.

use crate::error::{At, CallError};
use crate::index::Digest;
use crate::lock_names::is_temporary_suffix;
use crate::sys::{Stat, Sys};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

mod corrupt;
mod insert;

pub use corrupt::{Content, Damage, Examined, Renamed, check, examine, read, set_aside};
pub use insert::{InsertError, Inserted, Plan, plan, write};

/// Suffixes of chunks that were found to be corrupt.
const BAD: [&str; 10] = [
    ".0.bad", ".1.bad", ".2.bad", ".3.bad", ".4.bad", ".5.bad", ".6.bad", ".7.bad", ".8.bad",
    ".9.bad",
];

/// The chunks of a datastore, as the actors of one process share them.
pub struct ChunkStore<S: Sys> {
    directory: PathBuf,
    mutex: S::Mutex<()>,
}

/// The path of a chunk relative to the datastore.
#[derive(Clone, Copy, Debug)]
pub struct ChunkPath(pub Digest);

impl fmt::Display for ChunkPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.0.hex();
        write!(f, ".chunks/{}/{}", &hex.as_str()[..4], hex.as_str())
    }
}

/// A buffer for the paths of chunks, so that marking does not allocate for each.
#[derive(Debug)]
pub struct PathBuffer {
    path: PathBuf,
    /// Length of the directory of the prefix directories.
    directory: usize,
}

/// What became of a chunk in the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// It is gone: its access time was before the minimum.
    Removed {
        /// Its size in bytes.
        size: u64,
    },
    /// It stays.
    Kept {
        /// Its size in bytes.
        size: u64,
        /// Its access time.
        atime_ns: i128,
    },
    /// It is not there any more.
    Gone,
    /// It is no chunk.
    Skipped,
}

/// What a file of the chunk store is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A chunk.
    Chunk,
    /// A chunk that was found to be corrupt.
    Bad,
    /// A chunk that is being written, or whose writer was killed.
    Temporary,
}

impl Named {
    /// What a name stands for; none if a chunk store has no such file.
    pub fn of(name: &str) -> Option<Self> {
        let (digest, suffix) = name.split_at_checked(64)?;
        if !digest
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return None;
        }
        match suffix {
            "" => Some(Self::Chunk),
            suffix if BAD.contains(&suffix) => Some(Self::Bad),
            suffix if is_temporary_suffix(suffix) => Some(Self::Temporary),
            _ => None,
        }
    }
}

/// Whether a name is that of a prefix directory: four hex digits.
pub fn is_prefix(name: &str) -> bool {
    name.len() == 4
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl<S: Sys> ChunkStore<S> {
    /// The chunk store in a directory. A process has one for a datastore.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            mutex: S::mutex(()),
        }
    }

    /// The directory of the prefix directories.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a chunk lies, or would lie.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let mut buffer = self.buffer();
        buffer.set(digest);
        buffer.path
    }

    /// A buffer for [`ChunkStore::mark`].
    pub fn buffer(&self) -> PathBuffer {
        // Room for the longest name of a corrupt chunk, too.
        let path = self.directory.join("0000").join("0".repeat(70));
        PathBuffer {
            path,
            directory: self.directory.as_os_str().len(),
        }
    }

    /// Takes the mutex, under which everything happens that depends on what a chunk is like: the
    /// functions of this module that are no methods do not take it.
    pub fn lock<'a>(&'a self, sys: &'a S) -> S::Guard<'a, ()> {
        sys.lock(&self.mutex)
    }

    /// Marks a chunk as used now. If it is missing, that is the error, and its corrupt copies are
    /// marked instead, so that they stay for as long as somebody names the chunk.
    ///
    /// The clock is read for each chunk: an access time of the start of the run would take back
    /// what a backup marked since.
    #[inline]
    pub fn mark(&self, sys: &S, digest: Digest, buffer: &mut PathBuffer) -> Result<(), CallError> {
        buffer.set(digest);
        let guard = self.lock(sys);
        let marked = touch(sys, &buffer.path);
        if marked.as_ref().is_err_and(CallError::is_not_found) {
            touch_bad(sys, &mut buffer.path)?;
        }
        drop(guard);
        marked
    }

    /// Removes a chunk file whose access time is before the minimum, or what a writer left that was killed before that: a
    /// writer that is at work began after the minimum.
    pub fn sweep(&self, sys: &S, path: &Path, minimum_ns: i128) -> Result<Swept, CallError> {
        let guard = self.lock(sys);
        let Some(stat) = stat(sys, path)? else {
            return Ok(Swept::Gone);
        };
        let swept = if !stat.is_file {
            Swept::Skipped
        } else if stat.atime_ns < minimum_ns {
            unlink(sys, path)?;
            Swept::Removed { size: stat.size }
        } else {
            Swept::Kept {
                size: stat.size,
                atime_ns: stat.atime_ns,
            }
        };
        drop(guard);
        Ok(swept)
    }
}

impl PathBuffer {
    /// Writes the path of a chunk over what is there; taking a path apart by its components takes
    /// longer.
    fn set(&mut self, digest: Digest) {
        let hex = digest.hex();
        let mut bytes = mem::take(&mut self.path).into_os_string().into_vec();
        bytes.truncate(self.directory);
        bytes.push(b'/');
        bytes.extend_from_slice(&hex.as_bytes()[..4]);
        bytes.push(b'/');
        bytes.extend_from_slice(hex.as_bytes());
        self.path = OsString::from_vec(bytes).into();
    }
}

/// What a chunk file is like; none if it is not there.
pub fn stat<S: Sys>(sys: &S, path: &Path) -> Result<Option<Stat>, CallError> {
    match sys.stat(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.at("stat the chunk", path).map(Some),
    }
}

/// Sets the access time of a chunk file to now, by the clock of the process: the one that garbage
/// collection compares it with.
#[inline]
pub fn touch<S: Sys>(sys: &S, path: &Path) -> Result<(), CallError> {
    sys.utimensat(path, sys.now()).at("mark the chunk", path)
}

/// Sets the access time of the corrupt copies of a chunk to now. The path is that of the chunk; after
/// an error it is that of the copy.
pub fn touch_bad<S: Sys>(sys: &S, path: &mut PathBuf) -> Result<(), CallError> {
    let name = path.file_name().map(OsStr::to_owned).unwrap_or_default();
    for suffix in BAD {
        path.as_mut_os_string().push(suffix);
        match touch(sys, path) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => path.set_file_name(&name),
        }
    }
    Ok(())
}

/// Removes a chunk file.
pub fn unlink<S: Sys>(sys: &S, path: &Path) -> Result<(), CallError> {
    sys.unlink(path).at("remove the chunk", path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use crate::LinuxSys;

    #[test]
    fn all_corrupt_copies_of_a_chunk_are_touched_whichever_names_are_taken() {
        for taken in [
            &[][..],
            &[0],
            &[1],
            &[9],
            &[0, 9],
            &[3, 5],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        ] {
            let directory = tempfile::tempdir_in("/dev/shm").unwrap();
            let chunk = directory.path().join("5ca1");
            let beside = directory.path().join("5ca2.0.bad");
            let copy = |n: &i32| PathBuf::from(format!("{}.{n}.bad", chunk.display()));
            for path in taken.iter().map(copy).chain([beside.clone()]) {
                std::fs::write(&path, "").unwrap();
                LinuxSys.utimensat(&path, 0).unwrap();
            }
            let mut path = chunk.clone();
            touch_bad(&LinuxSys, &mut path).unwrap();
            assert_eq!(path, chunk);
            for n in 0..=9 {
                let stat = stat(&LinuxSys, &copy(&n)).unwrap();
                let is_touched = stat.map(|stat| stat.atime_ns > 0);
                assert_eq!(
                    is_touched,
                    taken.contains(&n).then_some(true),
                    "{n} of {taken:?}"
                );
            }
            assert_eq!(stat(&LinuxSys, &beside).unwrap().unwrap().atime_ns, 0);
        }
    }

    #[test]
    fn only_chunks_their_corrupt_copies_and_temporary_files_are_swept() {
        let hex = "5ca1".repeat(16);
        for (name, expected) in [
            (hex.clone(), Some(Named::Chunk)),
            (format!("{hex}.0.bad"), Some(Named::Bad)),
            (format!("{hex}.10.bad"), None),
            (format!("{hex}.using"), None),
            (format!("{hex}.tmp_abcdE9"), Some(Named::Temporary)),
            (format!("{hex}.tmp_abcde"), None),
            (format!("{hex}.tmp_abcd/f"), None),
            (hex.to_uppercase(), None),
            (hex[1..].to_owned(), None),
            ("\u{e9}".repeat(40), None),
        ] {
            assert_eq!(Named::of(&name), expected, "{name}");
        }
        assert!(is_prefix("5ca1") && !is_prefix("5CA1") && !is_prefix("5ca"));
    }

    #[test]
    fn label_of_a_chunk_is_its_path() {
        let digest = Digest([0xab; 32]);
        assert_eq!(
            ChunkPath(digest).to_string(),
            format!(".chunks/abab/{}", "ab".repeat(32))
        );
    }
}
