//! What the directory of a group holds beside snapshots: its owner and its notes.
//!
//! None of these functions takes a lock; whoever calls them holds that of the group.

use crate::error::{At, CallError, skip_not_found};
use crate::listing::snapshot_times;
use crate::step::Ending;
use crate::sys::{Access, CreateMode, Sys};
use specs::Outcome;
use std::io;
use std::path::Path;

/// Whether something is at a path.
pub(crate) fn exists<S: Sys>(sys: &S, path: &Path) -> Result<bool, CallError> {
    match sys.stat(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).at("stat", path),
    }
}

/// Makes the directory of a group, and the type directory above it if there is none. The directory
/// of the namespace must be there.
pub(crate) fn create<S: Sys>(sys: &S, group: &Path) -> Result<(), CallError> {
    make_type_directory(sys, group)?;
    sys.mkdir(group).at("create the directory", group)
}

/// Makes the type directory of a group; one that is there already is fine.
pub(crate) fn make_type_directory<S: Sys>(sys: &S, group: &Path) -> Result<(), CallError> {
    let directory = group.parent().unwrap_or(group);
    match sys.mkdir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.at("create the directory", directory),
    }
}

/// Removes a directory that is empty.
pub(crate) fn remove<S: Sys>(sys: &S, directory: &Path) -> Result<(), CallError> {
    sys.rmdir(directory).at("remove the directory", directory)
}

/// The owner of a group.
pub(crate) fn read_owner<S: Sys>(sys: &S, group: &Path) -> Result<Vec<u8>, CallError> {
    let path = group.join("owner");
    let file = sys.open(&path, Access::Read).at("open", &path)?;
    let content = sys.read(&file, 0).at("read", &path)?;
    Ok(content.trim_ascii().to_vec())
}

/// Writes the owner of a group that has none yet.
pub(crate) fn write_owner<S: Sys>(
    sys: &S,
    group: &Path,
    create: CreateMode,
    owner: &[u8],
) -> Result<(), CallError> {
    let path = group.join("owner");
    let file = sys.create(&path, create).at("create", &path)?;
    let line = [owner, b"\n"].concat();
    match sys.append(&file, &line) {
        Ok(n) if n < line.len() => Err(io::Error::from(io::ErrorKind::StorageFull)),
        result => result.map(drop),
    }
    .at("write", &path)
}

/// Unlinks notes and owner; those that are not there are skipped.
pub(crate) fn unlink_owner<S: Sys>(sys: &S, group: &Path) -> Result<(), CallError> {
    for name in ["notes", "owner"] {
        let path = group.join(name);
        sys.unlink(&path)
            .at("unlink", &path)
            .or_else(skip_not_found)?;
    }
    Ok(())
}

/// Whether a group has no snapshot, and how the step ends that asks this.
pub(crate) fn is_empty<S: Sys>(sys: &S, group: &Path) -> (Result<bool, CallError>, Outcome) {
    match sys.read_dir(group).at("list", group) {
        Ok(listing) if snapshot_times(&listing).is_empty() => (Ok(true), Outcome::Done),
        Ok(_) => (Ok(false), Outcome::NotEmpty),
        Err(error) => {
            let outcome = error.outcome().unwrap_or(Outcome::Refused);
            (Err(error), outcome)
        }
    }
}
