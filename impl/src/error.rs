//! Errors of single calls, with the path that they happened at.
//!
//! What an error of this crate displays is the whole sentence: what was tried, on what, why it failed, and what to do if that
//! is not plain. The cause is in it already, though `source` has it as well, so whoever shows an error shows it alone and not
//! its chain.

use crate::step::Ending;
use crate::sys::FlockError;
use specs::Outcome;
use std::io;
use std::path::{Path, PathBuf};

/// A system call failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct CallError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// At which path.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl CallError {
    /// Whether the file or directory is not there.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether something else has the path: a directory, a file in the place of a directory above it, or a
    /// name that is too long for a directory.
    pub fn is_in_the_way(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::InvalidFilename
        )
    }

    /// Whether a directory still has entries.
    pub fn is_not_empty(&self) -> bool {
        self.source.kind() == io::ErrorKind::DirectoryNotEmpty
    }

    /// Whether this user may not do it.
    pub fn is_denied(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl Ending for CallError {
    fn outcome(&self) -> Option<Outcome> {
        self.source.outcome()
    }
}

/// For a call whose purpose is met if the file is not there, or whose caller makes do with nothing: with none, or an empty
/// list.
pub(crate) fn skip_not_found<T: Default>(error: CallError) -> Result<T, CallError> {
    if error.is_not_found() {
        Ok(T::default())
    } else {
        Err(error)
    }
}

/// The error of whoever finds something else in the place of a file: a FIFO has no end, and neither have some devices.
pub(crate) fn no_regular_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

/// Adds what was tried, and where, to the error of a system call.
pub trait At<T> {
    /// The error with the path; nothing is allocated on success.
    fn at(self, action: &'static str, path: &Path) -> Result<T, CallError>;
}

impl<T> At<T> for io::Result<T> {
    #[inline]
    fn at(self, action: &'static str, path: &Path) -> Result<T, CallError> {
        self.map_err(|source| CallError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

/// A lock was not obtained.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it, and the taker does not wait.
    #[error("{} is locked by somebody else", .0.display())]
    WouldBlock(PathBuf),
    /// Somebody else held it for as long as the taker waits.
    #[error("{} was locked by somebody else for the whole wait", .0.display())]
    TimedOut(PathBuf),
    /// The lock was obtained on a file that its holder had unlinked meanwhile; a new attempt may
    /// succeed.
    #[error("{} was replaced or removed while it was being locked", .0.display())]
    Vanished(PathBuf),
    /// The directory that is to be locked is not there.
    #[error(transparent)]
    Missing(CallError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl LockError {
    /// The error of a `flock`, with the path of the lock file.
    pub fn at(error: FlockError, path: &Path) -> Self {
        match error {
            FlockError::WouldBlock => Self::WouldBlock(path.to_owned()),
            FlockError::TimedOut => Self::TimedOut(path.to_owned()),
            FlockError::Io(source) => Self::Call(CallError {
                action: "lock",
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Whether the lock file cannot be, because something else has its path.
    pub fn is_in_the_way(&self) -> bool {
        match self {
            Self::Call(error) => error.is_in_the_way(),
            Self::WouldBlock(_) | Self::TimedOut(_) | Self::Vanished(_) | Self::Missing(_) => false,
        }
    }

    /// Whether somebody else is in the way, so that a later attempt can succeed with nothing
    /// mended.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::WouldBlock(_) | Self::TimedOut(_) | Self::Vanished(_) => true,
            Self::Missing(_) | Self::Call(_) => false,
        }
    }
}

impl Ending for LockError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::WouldBlock(_) => Some(Outcome::WouldBlock),
            Self::TimedOut(_) => Some(Outcome::TimedOut),
            Self::Vanished(_) => Some(Outcome::Vanished),
            Self::Missing(error) | Self::Call(error) => error.outcome(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_a_failed_call_is_one_thing_only() {
        use io::ErrorKind as K;
        for (kind, is) in [
            (K::NotFound, "not_found"),
            (K::IsADirectory, "in_the_way"),
            (K::NotADirectory, "in_the_way"),
            (K::InvalidFilename, "in_the_way"),
            (K::DirectoryNotEmpty, "not_empty"),
            (K::PermissionDenied, "denied"),
            (K::AlreadyExists, ""),
            (K::WouldBlock, ""),
            (K::Interrupted, ""),
            (K::StorageFull, ""),
            (K::Other, ""),
        ] {
            let result: io::Result<()> = Err(kind.into());
            let error = result.at("open", Path::new("/a")).unwrap_err();
            assert_eq!(error.is_not_found(), is == "not_found", "{kind:?}");
            assert_eq!(error.is_in_the_way(), is == "in_the_way", "{kind:?}");
            assert_eq!(error.is_not_empty(), is == "not_empty", "{kind:?}");
            assert_eq!(error.is_denied(), is == "denied", "{kind:?}");
            let lock = LockError::from(error);
            assert_eq!(lock.is_in_the_way(), is == "in_the_way", "{kind:?}");
            assert!(!lock.is_conflict(), "{kind:?}");
        }
    }

    #[test]
    fn whoever_is_in_the_way_of_a_lock_is_told_from_what_is() {
        let path = || Path::new("/a").to_owned();
        for conflict in [
            LockError::WouldBlock(path()),
            LockError::TimedOut(path()),
            LockError::Vanished(path()),
            LockError::at(FlockError::WouldBlock, &path()),
            LockError::at(FlockError::TimedOut, &path()),
        ] {
            assert!(
                conflict.is_conflict() && !conflict.is_in_the_way(),
                "{conflict}"
            );
        }
        let missing: io::Result<()> = Err(io::ErrorKind::NotFound.into());
        let missing = LockError::Missing(missing.at("open", &path()).unwrap_err());
        assert!(!missing.is_conflict() && !missing.is_in_the_way());
    }
}
