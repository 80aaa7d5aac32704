//! A lock on a name: open or create its file, flock it, make sure that it is still at the path.
//!
//! # Race fixed
//!
//! Lock files are removed together with what they protect, by whoever holds the lock. Somebody who
//! opened the file before and obtains the lock afterwards holds a lock on a file that nobody else
//! can find.
//!
//! # Protocol
//!
//! 1. Open the file. If there is none, create it under a temporary name, with its mode and owner,
//!    and rename it into place without replacing; whoever loses that race opens the winner's file.
//! 2. `flock` it.
//! 3. Compare device and inode of the open file with those of the path. If they differ, or if there
//!    is no file, it is no lock: [`LockError::Vanished`].
//! 4. Only the holder unlinks the file, before it closes it.
//!
//! > A guard whose file was at its path after the lock was obtained excludes every other such guard
//! > of that path.
//!
//! A crash leaves the lock free (the kernel closes the file), the lock file behind, and perhaps a
//! file with a temporary name; nobody reads either.
//!
//! Not covered: whoever removes lock files without holding them, or mounts another file system over
//! the directory.
//!
//! Where the published path of a lock can be that of something else, a guard is that of two files:
//! see [`crate::lock_names`].
//!
//! A process of the generation before lock files locks a directory itself, without steps 1 and 3: see [`crate::Generation`].
//!
//! Not done here: to try again when the file vanished. What was to be locked may have gone with its
//! lock file, which only the caller can look for. The hardened design has the datastore try again,
//! and every operation look afterwards; the published one fails at once.

use crate::error::{At, CallError, LockError, skip_not_found};
use crate::sys::{Access, CreateMode, Sys, Waiting};
use crate::temporary::create_beside;
use specs::lock_class::{Mode, Wait};
use std::io;
use std::path::{Path, PathBuf};

/// An open lock file, not known to be locked: what the three calls of the protocol work on.
pub struct LockFile<'s, S: Sys> {
    sys: &'s S,
    path: PathBuf,
    file: S::File,
    /// Whether it is a directory, in the place of a lock file.
    is_directory: bool,
}

/// A lock that is held. Dropping it closes the file, which lets the lock go.
#[must_use = "a lock is held only as long as its guard"]
pub struct LockGuard<'s, S: Sys> {
    /// The published file, where a namespace has one of its own as well; it goes first.
    published: Option<LockFile<'s, S>>,
    file: LockFile<'s, S>,
}

/// Takes a lock: all three calls.
pub fn lock<'s, 'd, S: Sys>(
    sys: &'s S,
    path: PathBuf,
    create: CreateMode,
    mode: Mode,
    wait: impl Into<Waiting<'d>>,
) -> Result<LockGuard<'s, S>, LockError> {
    let file = LockFile::open_or_create(sys, path, create)?;
    file.flock(mode, wait)?;
    file.recheck()?;
    Ok(file.into_guard())
}

/// Takes a lock with its calls in an order that one of the designs has that are shown to be wrong:
/// what was compared can be unlinked before it is locked.
pub(crate) fn lock_after_recheck<'s, 'd, S: Sys>(
    sys: &'s S,
    path: PathBuf,
    create: CreateMode,
    mode: Mode,
    wait: impl Into<Waiting<'d>>,
) -> Result<LockGuard<'s, S>, LockError> {
    let file = LockFile::open_or_create(sys, path, create)?;
    file.recheck()?;
    file.flock(mode, wait)?;
    Ok(file.into_guard())
}

/// Takes the lock of a directory that must be there; does not wait. Nothing is created, and nothing compared: whoever
/// removes such a directory holds its lock, and one that is made again has another one.
pub fn lock_directory<'s, S: Sys>(
    sys: &'s S,
    path: &Path,
    mode: Mode,
) -> Result<LockGuard<'s, S>, LockError> {
    let file = LockFile::open_directory(sys, path)?;
    file.flock(mode, Wait::No)?;
    Ok(file.into_guard())
}

/// Unlinks a lock file whose lock the caller does not hold.
///
/// The protocol has three such places: a move removes the manifest lock of a snapshot that it moved,
/// a backup that gives up removes that of its own, and one of the designs that are shown to be wrong
/// unlinks after it let go.
pub fn unlink_not_held<S: Sys>(sys: &S, path: &Path) -> Result<(), CallError> {
    sys.unlink(path).at("unlink", path)
}

impl<'s, S: Sys> LockFile<'s, S> {
    /// Opens the file, or creates it.
    pub fn open_or_create(
        sys: &'s S,
        path: PathBuf,
        create: CreateMode,
    ) -> Result<Self, LockError> {
        let file = match sys.open(&path, Access::ReadAppend) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_file(sys, &path, create)?
            }
            result => result.at("open", &path)?,
        };
        Ok(Self {
            sys,
            path,
            file,
            is_directory: false,
        })
    }

    /// Opens a directory in the place of a lock file.
    pub fn open_directory(sys: &'s S, path: &Path) -> Result<Self, LockError> {
        match sys.open(path, Access::Directory).at("open", path) {
            Err(error) if error.is_not_found() => Err(LockError::Missing(error)),
            file => Ok(Self {
                sys,
                file: file?,
                path: path.to_owned(),
                is_directory: true,
            }),
        }
    }

    /// Opens a directory in the place of a lock file, or makes it. Whoever finds that somebody has
    /// removed it in between begins anew.
    pub fn open_or_make_directory(
        sys: &'s S,
        path: &Path,
        owner: Option<(u32, u32)>,
    ) -> Result<Self, LockError> {
        loop {
            make_directory(sys, path, owner)?;
            match Self::open_directory(sys, path) {
                Err(LockError::Missing(_)) => {}
                result => return result,
            }
        }
    }

    /// Locks the open file.
    pub fn flock<'d>(&self, mode: Mode, wait: impl Into<Waiting<'d>>) -> Result<(), LockError> {
        self.sys
            .flock(&self.file, mode, wait)
            .map_err(|error| LockError::at(error, &self.path))
    }

    /// Makes sure that the open file is the one at the path. A number of an inode alone is not
    /// enough: a file system mounted over the directory counts anew.
    pub fn recheck(&self) -> Result<(), LockError> {
        let open = self.sys.fstat(&self.file).at("fstat", &self.path)?;
        match self.sys.stat(&self.path) {
            Ok(found) if (found.dev, found.ino) == (open.dev, open.ino) => Ok(()),
            Ok(_) => Err(LockError::Vanished(self.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(LockError::Vanished(self.path.clone()))
            }
            Err(error) => Err(error).at("stat", &self.path)?,
        }
    }

    /// The guard of a file that the caller has locked, and checked if the protocol of the lock says
    /// so.
    pub fn into_guard(self) -> LockGuard<'s, S> {
        LockGuard {
            published: None,
            file: self,
        }
    }
}

impl<'s, S: Sys> LockGuard<'s, S> {
    /// Together with the guard of the published file of the same name.
    pub fn with_published(self, published: LockGuard<'s, S>) -> Self {
        Self {
            published: Some(published.file),
            file: self.file,
        }
    }

    /// Unlinks the lock file while the lock is held: what it protected is gone.
    pub fn unlink(&self) -> Result<(), CallError> {
        if let Some(LockFile { sys, path, .. }) = &self.published {
            sys.unlink(path)
                .at("unlink", path)
                .or_else(skip_not_found)?;
        }
        let LockFile { sys, path, .. } = &self.file;
        sys.unlink(path).at("unlink", path)
    }

    /// Removes the directory that is locked in the place of a file, while the lock is held.
    pub fn remove_directory(&self) -> Result<(), CallError> {
        let LockFile { sys, path, .. } = &self.file;
        sys.rmdir(path).at("remove the directory", path)
    }

    /// Whether it is the lock of a directory, which goes with what it protects: there is nothing to unlink.
    pub fn is_directory(&self) -> bool {
        self.file.is_directory
    }

    /// The open file, for a lock whose file has content.
    pub fn file(&self) -> &S::File {
        &self.file.file
    }

    /// The path of the lock file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Creates the file, and the directory that it lies in if there is none, or opens the one that
/// somebody else created meanwhile.
fn create_file<S: Sys>(sys: &S, path: &Path, create: CreateMode) -> Result<S::File, LockError> {
    let (temporary, file) = match create_beside(sys, path, create) {
        Err(error) if error.is_not_found() => {
            make_directory(sys, path.parent().unwrap_or(path), create.owner)?;
            create_beside(sys, path, create)?
        }
        result => result?,
    };
    match sys.rename_no_replace(&temporary, path) {
        Ok(()) => Ok(file),
        Err(error) => {
            sys.unlink(&temporary).at("unlink", &temporary)?;
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error).at("create", path)?;
            }
            match sys.open(path, Access::ReadAppend) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {
                    Err(LockError::Vanished(path.to_owned()))
                }
                result => Ok(result.at("open", path)?),
            }
        }
    }
}

/// Makes a directory and those above it, all for one owner; one that is there already is fine.
pub(crate) fn make_directory<S: Sys>(
    sys: &S,
    path: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), CallError> {
    match sys.mkdir(path, owner) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_directory(sys, path.parent().unwrap_or(path), owner)?;
            match sys.mkdir(path, owner) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                result => result.at("create the directory", path),
            }
        }
        result => result.at("create the directory", path),
    }
}
