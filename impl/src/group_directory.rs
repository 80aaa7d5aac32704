//! The directory of a group, and what it holds beside snapshots: its owner and its notes.
//!
//! None of these functions takes a lock; whoever calls them holds that of the group.

use crate::error::{At, CallError, skip_not_found};
use crate::listing::{self, child_directories, snapshot_times, type_directories};
use crate::lock_file::{LockGuard, make_directory};
use crate::owner::is_temporary;
use crate::paths::{BackupTime, Group, Namespace};
use crate::step::{Cx, Ending};
use crate::sys::{Entry, Label, Sys};
use specs::{Design, Outcome};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// Whether something is at a path.
pub(crate) fn exists<S: Sys>(sys: &S, path: &Path) -> Result<bool, CallError> {
    let found = sys.stat(path).at("stat", path);
    Ok(found.map(Some).or_else(skip_not_found)?.is_some())
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
    for kind in type_directories(&listing::list(sys, path)?) {
        let path = path.join(kind.name());
        let listing = match listing::list(sys, &path) {
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

/// Removes a group without snapshots under its lock, with the labels of the operation that does so: for the listing, the
/// owner, the directory and the lock file; tells whether it did. Of one with snapshots these are looked at. If it is gone, or cannot go since something is in it that
/// this version does not know, the file of its lock stays.
pub(crate) fn remove_if_empty<S: Sys>(
    cx: &Cx<S>,
    group: &Path,
    lock: &LockGuard<'_, S>,
    [list, unlink_owner, remove_group, unlink_lock]: [Label<'_>; 4],
    look_at_rest: impl FnOnce(&[BackupTime]) -> Result<(), CallError>,
) -> Result<bool, CallError> {
    let sys = &cx.sys;
    let listing = cx.step_with(list, || list_rest(sys, group));
    let Some(listing) = listing.map(Some).or_else(skip_not_found)? else {
        return Ok(false);
    };
    let rest = snapshot_times(&listing);
    if !rest.is_empty() {
        look_at_rest(&rest)?;
        return Ok(false);
    }
    let labels = [unlink_owner, remove_group, unlink_lock];
    remove_empty(cx, group, lock, &listing, labels)
}

/// The same of a group that has no snapshot, as was found before; of its listing only what changes of the owner have left is of interest.
pub(crate) fn remove_empty<S: Sys>(
    cx: &Cx<S>,
    group: &Path,
    lock: &LockGuard<'_, S>,
    listing: &[Entry],
    [unlink_owner, remove_group, unlink_lock]: [Label<'_>; 3],
) -> Result<bool, CallError> {
    let sys = &cx.sys;
    cx.try_step(unlink_owner, || self::unlink_owner(sys, group, listing))?;
    match cx.try_step(remove_group, || remove(sys, group)) {
        Err(error) if error.is_not_found() || error.is_not_empty() => return Ok(false),
        result => result?,
    }
    if !lock.is_directory() {
        cx.try_step(unlink_lock, || lock.unlink())
            .or_else(skip_not_found)?;
    }
    Ok(true)
}

/// What is in a group that has no snapshot, and how the step ends that asks this; none if it has one.
pub(crate) fn list_if_empty<S: Sys>(
    sys: &S,
    group: &Path,
) -> (Result<Option<Vec<Entry>>, CallError>, Outcome) {
    let (listing, outcome) = list_rest(sys, group);
    let is_empty = |listing: &Vec<Entry>| snapshot_times(listing).is_empty();
    (
        listing.map(|listing| Some(listing).filter(is_empty)),
        outcome,
    )
}

/// What is in a group, and how the step ends that asks whether it has a snapshot.
fn list_rest<S: Sys>(sys: &S, group: &Path) -> (Result<Vec<Entry>, CallError>, Outcome) {
    match listing::list(sys, group) {
        Ok(listing) if snapshot_times(&listing).is_empty() => (Ok(listing), Outcome::Done),
        Ok(listing) => (Ok(listing), Outcome::NotEmpty),
        Err(error) => {
            let outcome = error.outcome().unwrap_or(Outcome::Refused);
            (Err(error), outcome)
        }
    }
}
