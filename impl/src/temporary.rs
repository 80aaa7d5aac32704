//! Files that are written under a temporary name and renamed into place, so that nobody sees half
//! of one.
//!
//! A crash leaves the temporary file; no name that a datastore reads looks like it.
//!
//! Not covered: a crash of the machine. Nothing is synced, so that after a power failure a file that was renamed into place may
//! be empty or cut short, where the file system records a rename before the content.

use crate::error::{At, CallError};
use crate::lock_names::temporary_name;
use crate::sys::{CreateMode, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// Attempts to find a temporary name that no other process uses at the moment.
const TEMPORARY_NAMES: usize = 100;

/// A file that is open under a temporary name. Dropping it unlinks it, unless it was renamed
/// or left to somebody else.
#[must_use = "a temporary file is unlinked when it is dropped"]
pub struct Temporary<'s, S: Sys> {
    sys: &'s S,
    path: PathBuf,
    file: S::File,
    is_there: bool,
}

impl<'s, S: Sys> Temporary<'s, S> {
    /// Creates an empty file beside `path`, with a name that nobody else uses.
    pub fn beside(sys: &'s S, path: &Path, create: CreateMode) -> Result<Self, CallError> {
        let (path, file) = create_beside(sys, path, create)?;
        Ok(Self {
            sys,
            path,
            file,
            is_there: true,
        })
    }

    /// Creates an empty file with a given temporary name, which must be free.
    pub fn create(sys: &'s S, path: PathBuf, create: CreateMode) -> Result<Self, CallError> {
        let file = sys.create(&path, create).at("create", &path)?;
        Ok(Self {
            sys,
            path,
            file,
            is_there: true,
        })
    }

    /// The temporary path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes to the end of the file.
    pub fn append(&self, bytes: &[u8]) -> Result<(), CallError> {
        append_all(self.sys, &self.file, bytes)
            .map_err(|torn| torn.source)
            .at("write", &self.path)
    }

    /// Leaves the file where it is when this is dropped.
    pub fn leave(&mut self) {
        self.is_there = false;
    }

    /// Renames the file into place, over what is there.
    pub fn rename(mut self, target: &Path) -> Result<(), CallError> {
        self.sys.rename(&self.path, target).at("create", target)?;
        self.is_there = false;
        Ok(())
    }

    /// Gives the file its name, which must be free, and takes the temporary one away. A link, since more
    /// of the file systems that a datastore may lie on have it than a rename that does not replace.
    pub fn link(self, target: &Path) -> Result<(), CallError> {
        self.sys.link(&self.path, target).at("create", target)
    }
}

impl<S: Sys> Drop for Temporary<'_, S> {
    fn drop(&mut self) {
        if self.is_there {
            // Whatever made the caller give up is the error that counts.
            self.sys.unlink(&self.path).unwrap_or_default();
        }
    }
}

/// Creates an empty file beside `path`, with a name that nobody else uses.
pub(crate) fn create_beside<S: Sys>(
    sys: &S,
    path: &Path,
    create: CreateMode,
) -> Result<(PathBuf, S::File), CallError> {
    for _ in 0..TEMPORARY_NAMES {
        let temporary = temporary_name(path);
        match sys.create(&temporary, create) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => {
                let file = result.at("create", &temporary)?;
                return Ok((temporary, file));
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists)).at("create a temporary file for", path)
}

/// Replaces a file by one with new content, in one rename; the directory must be there.
pub fn replace_file<S: Sys>(
    sys: &S,
    path: &Path,
    create: CreateMode,
    content: &[u8],
) -> Result<(), CallError> {
    let temporary = Temporary::beside(sys, path, create)?;
    temporary.append(content)?;
    temporary.rename(path)
}

/// A write that failed, perhaps after a part of it was written.
pub(crate) struct Torn {
    /// So many bytes were written.
    pub(crate) written: usize,
    /// Why it failed.
    pub(crate) source: io::Error,
}

/// Writes all bytes to a file that is open for appending, in as few writes as the system allows.
pub(crate) fn append_all<S: Sys>(sys: &S, file: &S::File, bytes: &[u8]) -> Result<(), Torn> {
    let mut written = 0;
    while written < bytes.len() {
        let torn = |source| Torn { written, source };
        match sys.append(file, &bytes[written..]) {
            Ok(0) => return Err(torn(io::ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(torn(error)),
        }
    }
    Ok(())
}
