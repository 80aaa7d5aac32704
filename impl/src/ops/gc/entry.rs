//! An entry of the move journal: which index files it can stand for, opened.

use crate::error::{At, CallError};
use crate::index::{self, Index, IndexError};
use crate::journal::Place;
use crate::step::Ending;
use crate::sys::{Access, Sys};
use specs::Outcome;
use std::path::Path;

/// Why an entry was not opened.
pub(super) enum Unopened {
    /// Its index file cannot be read, or is not there.
    Index(IndexError),
    /// It is there, in another datastore.
    Elsewhere,
}

impl From<IndexError> for Unopened {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<CallError> for Unopened {
    fn from(error: CallError) -> Self {
        Self::Index(error.into())
    }
}

impl Ending for Unopened {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Index(error) => error.outcome(),
            Self::Elsewhere => None,
        }
    }
}

/// Opens the index files of an entry: the one at its path, or those that are where it would be if the datastore had another
/// name when the entry was written. One too many is marked, which harms nobody.
///
/// If a file is there under the name of the entry, it must be one of them. A mover of another datastore whose entry is still
/// needed has just renamed its snapshot there, so that the file is.
pub(super) fn open<S: Sys>(
    sys: &S,
    written: &Path,
    place: &Place<'_>,
) -> Result<Vec<Index>, Unopened> {
    let called = match place {
        Place::Here(path) => return Ok(vec![index::read(sys, path)?]),
        Place::Called(called) => called,
    };
    let at_its_path = identity(sys, written)?;
    let mut is_ours = at_its_path.is_none();
    let mut found = Vec::new();
    let mut missing = None;
    for path in called {
        match index::read(sys, path) {
            Err(IndexError::Call(error)) if error.is_not_found() => missing = Some(error),
            index => {
                found.push(index?);
                is_ours |= identity(sys, path)? == at_its_path;
            }
        }
    }
    match missing {
        _ if !is_ours => Err(Unopened::Elsewhere),
        Some(error) if found.is_empty() => Err(error.into()),
        _ => Ok(found),
    }
}

/// Device and inode of a file; none if there is none.
fn identity<S: Sys>(sys: &S, path: &Path) -> Result<Option<(u64, u64)>, CallError> {
    match sys.open(path, Access::Read).at("open", path) {
        Ok(file) => {
            let stat = sys.fstat(&file).at("fstat", path)?;
            Ok(Some((stat.dev, stat.ino)))
        }
        Err(error) if error.is_not_found() || error.is_in_the_way() => Ok(None),
        Err(error) => Err(error),
    }
}
