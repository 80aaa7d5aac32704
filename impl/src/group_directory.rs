//! The directory of a group, and what it holds beside snapshots: its owner and its notes.
//!
//! None of these functions takes a lock; whoever calls them holds that of the group.

use crate::error::{At, CallError, skip_not_found};
use crate::listing::{child_directories, snapshot_times, type_directories};
use crate::lock_file::make_directory;
use crate::owner::is_temporary;
use crate::paths::{Group, Namespace};
use crate::step::Ending;
use crate::sys::{Entry, Sys};
use specs::{Design, Outcome};
use std::ffi::OsStr;
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
/// of the namespace must be there, unless the design makes it as well.
pub(crate) fn create<S: Sys>(
    sys: &S,
    design: Design,
    group: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), CallError> {
    loop {
        make_type_directory(sys, design, group, owner)?;
        match sys.mkdir(group, owner) {
            // Somebody removes the namespace, and has just removed the type directory.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && !design.creates_namespaces_on_the_way() => {}
            result => return result.at("create the directory", group),
        }
    }
}

/// Makes the type directory of a group; one that is there already is fine.
pub(crate) fn make_type_directory<S: Sys>(
    sys: &S,
    design: Design,
    group: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), CallError> {
    let directory = group.parent().unwrap_or(group);
    if design.creates_namespaces_on_the_way() {
        return make_directory(sys, directory, owner);
    }
    match sys.mkdir(directory, owner) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.at("create the directory", directory),
    }
}

/// The groups of the namespace whose directory is at `path`, in listing order. A type directory that
/// goes meanwhile has no groups any more, except in the designs in which it is an error.
pub(crate) fn list<S: Sys>(
    sys: &S,
    design: Design,
    namespace: &Namespace,
    path: &Path,
) -> Result<Vec<Group>, CallError> {
    let mut groups = Vec::new();
    for kind in type_directories(&sys.read_dir(path).at("list", path)?) {
        let path = path.join(kind.name());
        let listing = match sys.read_dir(&path).at("list", &path) {
            Err(error) if error.is_not_found() && design.skips_a_vanished_namespace() => continue,
            listing => listing?,
        };
        let ids = child_directories(&listing);
        groups.extend(ids.filter_map(|id| Group::new(namespace.clone(), kind, id).ok()));
    }
    Ok(groups)
}

/// Removes a directory that is empty.
pub(crate) fn remove<S: Sys>(sys: &S, directory: &Path) -> Result<(), CallError> {
    sys.rmdir(directory).at("remove the directory", directory)
}

/// Unlinks notes and owner, and what changes of the owner have left that crashed; whatever is not there is skipped.
pub(crate) fn unlink_owner<S: Sys>(
    sys: &S,
    group: &Path,
    listing: &[Entry],
) -> Result<(), CallError> {
    let names = ["notes", "owner"].map(OsStr::new);
    let left = listing.iter().map(|entry| entry.name.as_os_str());
    let left = left.filter(|name| is_temporary(name));
    for name in names.into_iter().chain(left) {
        let path = group.join(name);
        sys.unlink(&path)
            .at("unlink", &path)
            .or_else(skip_not_found)?;
    }
    Ok(())
}

/// What is in a group that has no snapshot, and how the step ends that asks this; none if it has one.
pub(crate) fn list_if_empty<S: Sys>(
    sys: &S,
    group: &Path,
) -> (Result<Option<Vec<Entry>>, CallError>, Outcome) {
    match sys.read_dir(group).at("list", group) {
        Ok(listing) if snapshot_times(&listing).is_empty() => (Ok(Some(listing)), Outcome::Done),
        Ok(_) => (Ok(None), Outcome::NotEmpty),
        Err(error) => {
            let outcome = error.outcome().unwrap_or(Outcome::Refused);
            (Err(error), outcome)
        }
    }
}
