//! What the entries of a directory mean; whatever a datastore does not know is left out.

use crate::error::{At, CallError};
use crate::index::is_index_file;
use crate::paths::{BackupTime, BackupType};
use crate::place::link_in_the_way;
use crate::sys::{Entry, Sys};
use std::path::{Path, PathBuf};

/// The entries of a directory of the datastore. A symbolic link among them that leads to no file is an error: it may lead to
/// a group, which whoever lists would not find. Nothing whose name begins with a dot is one; the directory of the chunks may
/// be a link.
pub fn list<S: Sys>(sys: &S, path: &Path) -> Result<Vec<Entry>, CallError> {
    let entries = sys.read_dir(path).at("list", path)?;
    let is_hidden = |entry: &Entry| entry.name.as_encoded_bytes().starts_with(b".");
    match entries
        .iter()
        .find(|entry| entry.is_link && !is_hidden(entry))
    {
        Some(link) => Err(link_in_the_way(path.join(&link.name))),
        None => Ok(entries),
    }
}

/// The names of the directories of a listing, in its order.
pub fn child_directories(listing: &[Entry]) -> impl Iterator<Item = &str> {
    listing
        .iter()
        .filter(|entry| entry.is_dir)
        .filter_map(|entry| entry.name.to_str())
}

/// The type directories of the listing of a namespace, in its order.
pub fn type_directories(listing: &[Entry]) -> impl Iterator<Item = BackupType> {
    child_directories(listing).filter_map(BackupType::from_name)
}

/// The snapshots of the listing of a group, oldest first.
pub fn snapshot_times(listing: &[Entry]) -> Vec<BackupTime> {
    let mut times: Vec<BackupTime> = child_directories(listing)
        .filter_map(|name| BackupTime::parse(name).ok())
        .collect();
    times.sort_unstable();
    times
}

/// The index files of the listing of a snapshot, in its order.
pub fn index_files(listing: &[Entry]) -> Vec<PathBuf> {
    let files = listing
        .iter()
        .filter(|entry| !entry.is_dir && is_index_file(Path::new(&entry.name)));
    files.map(|entry| PathBuf::from(&entry.name)).collect()
}
