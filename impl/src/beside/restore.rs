//! Restores an archive: its chunks, one after the other, each compared with what the snapshot says of it.
//!
//! The lock of the snapshot is shared to the end, as published, and whether there is such a snapshot is asked under it. What
//! it names stays as long as that, so a chunk that is missing was missing before.

use crate::chunk_store::{self, Content, Damage};
use crate::datastore::Datastore;
use crate::error::{CallError, LockError};
use crate::group_directory::exists;
use crate::index::{self, Digest, IndexError, is_index_file};
use crate::manifest::{self, ManifestError};
use crate::paths::Snapshot;
use crate::step::Cx;
use crate::sys::Sys;
use std::io::{self, Write};
use std::path::Path;

/// What is restored.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The index file of the archive, as the manifest lists it.
    pub file: String,
}

/// Why an archive was not restored, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Somebody removes or moves it; a later attempt can succeed with nothing mended.
    #[error("cannot lock {what}: {source}")]
    Busy {
        /// The snapshot.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// It is not there, or its backup was not finished.
    #[error("there is no finished snapshot {0}; it may have been removed or moved")]
    Gone(Snapshot),
    /// The manifest does not list such an archive.
    #[error("{what} has no archive {file:?}; it has {}", list(there))]
    NoArchive {
        /// The snapshot.
        what: String,
        /// The archive.
        file: String,
        /// Those that it has.
        there: Vec<String>,
    },
    /// The index file, or a chunk, is not what the manifest or the index file says.
    #[error("{file} of {what} is damaged: {why}; verify the datastore")]
    Damaged {
        /// The snapshot.
        what: String,
        /// The archive.
        file: String,
        /// What is wrong.
        why: Box<Problem>,
    },
    /// What was read cannot be written.
    #[error("cannot write what was restored: {0}")]
    Output(#[source] io::Error),
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The index file cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The index file is not the one that the manifest lists.
    #[error("its index file has another checksum or size than the manifest says")]
    Index,
    /// A chunk is not there.
    #[error("chunk {0} is missing")]
    Missing(Digest),
    /// A chunk is not what its name says.
    #[error("chunk {0} is corrupt: {1}")]
    Corrupt(Digest, #[source] Damage),
    /// A chunk is not as long as its entry.
    #[error("chunk {0} has {1} bytes, and its entry in the index file has {2}")]
    Size(Digest, u64, u64),
    /// A chunk is encrypted, and the key is not here.
    #[error("chunk {0} is encrypted, and nobody has the key here")]
    Encrypted(Digest),
}

impl RestoreError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Gone(_)
            | Self::NoArchive { .. }
            | Self::Damaged { .. }
            | Self::Output(_)
            | Self::Manifest(_)
            | Self::Index(_)
            | Self::Call(_) => false,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

/// Writes the content of an archive; tells how many bytes it has. After an error, what was written is sound as far as it
/// goes.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
    out: &mut impl Write,
) -> Result<u64, RestoreError> {
    let (sys, snapshot) = (&cx.sys, &settings.snapshot);
    let gone = || RestoreError::Gone(snapshot.clone());
    let lock = match store.lock_snapshot_shared(sys, cx.design, snapshot) {
        Ok(lock) => lock,
        Err(LockError::Missing(_)) => return Err(gone()),
        Err(LockError::Call(error)) => return Err(error.into()),
        Err(
            source @ (LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_)),
        ) => {
            let what = snapshot.to_string();
            return Err(RestoreError::Busy { what, source });
        }
    };
    let path = store.layout().manifest(snapshot);
    store.refuse_links(sys, &store.layout().path(snapshot))?;
    if !exists(sys, &path)? {
        return Err(gone());
    }
    let manifest = manifest::read(sys, &path)?;
    let archives = || {
        let files = manifest.files().iter();
        files.filter(|file| is_index_file(Path::new(&file.filename)))
    };
    // A name that leads out of the snapshot is none of an archive.
    let is_it = |name: &str| name == settings.file && !name.contains('/');
    let Some(file) = archives().find(|file| is_it(&file.filename)) else {
        return Err(RestoreError::NoArchive {
            what: snapshot.to_string(),
            file: settings.file.clone(),
            there: archives().map(|file| file.filename.clone()).collect(),
        });
    };
    let damaged = |why| RestoreError::Damaged {
        what: snapshot.to_string(),
        file: settings.file.clone(),
        why: Box::new(why),
    };
    let index = index::read(sys, &store.layout().path(snapshot).join(&settings.file))?;
    if (index.checksum(), index.size()) != (file.csum, file.size) {
        return Err(damaged(Problem::Index));
    }
    for (digest, (begin, end)) in index.digests().zip(index.ranges()) {
        let blob = match chunk_store::read(sys, &store.chunks().path(digest)) {
            Err(error) if error.is_not_found() => return Err(damaged(Problem::Missing(digest))),
            blob => blob?,
        };
        match chunk_store::check(digest, &blob) {
            Ok(Content::Data(data)) if data.len() as u64 == end - begin => {
                out.write_all(&data).map_err(RestoreError::Output)?;
            }
            Ok(Content::Data(data)) => {
                let size = data.len() as u64;
                return Err(damaged(Problem::Size(digest, size, end - begin)));
            }
            Ok(Content::Encrypted) => return Err(damaged(Problem::Encrypted(digest))),
            Err(damage) => return Err(damaged(Problem::Corrupt(digest, damage))),
        }
    }
    out.flush().map_err(RestoreError::Output)?;
    drop(lock);
    Ok(index.size())
}
