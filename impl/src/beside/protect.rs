//! Protects a snapshot from removal, or ends that, by a file that is there or not.
//!
//! The lock of the snapshot is taken exclusively and only tried, as published. Unlike there, whether there is such a snapshot
//! is asked under the lock, which is one on its name.

use crate::datastore::Datastore;
use crate::error::{At, CallError, LockError};
use crate::group_directory::exists;
use crate::paths::Snapshot;
use crate::step::Cx;
use crate::sys::Sys;
use std::io;

/// What becomes of the protection of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It is protected.
    On,
    /// It is not.
    Off,
}

/// Why the protection of a snapshot was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ProtectError {
    /// Somebody uses it; a later attempt can succeed with nothing mended.
    #[error("cannot lock {what}: {source}")]
    Busy {
        /// The snapshot.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// It is not there.
    #[error("there is no snapshot {0}; it may have been removed or moved")]
    Gone(Snapshot),
    /// A call failed.
    #[error("cannot change the protection of {what}: {source}")]
    Failed {
        /// The snapshot.
        what: String,
        /// Why.
        source: CallError,
    },
}

impl ProtectError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Gone(_) | Self::Failed { .. } => false,
        }
    }
}

/// Changes the protection of a snapshot; tells whether it was another one before.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    snapshot: &Snapshot,
    protection: Protection,
) -> Result<bool, ProtectError> {
    let failed = |source| ProtectError::Failed {
        what: snapshot.to_string(),
        source,
    };
    let link = store.refuse_links(&cx.sys, &store.layout().path(snapshot));
    link.map_err(failed)?;
    let lock = match store.lock_snapshot(&cx.sys, cx.design, snapshot) {
        Ok(lock) => lock,
        Err(LockError::Missing(_)) => return Err(ProtectError::Gone(snapshot.clone())),
        Err(LockError::Call(source)) => return Err(failed(source)),
        Err(
            source @ (LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_)),
        ) => {
            let what = snapshot.to_string();
            return Err(ProtectError::Busy { what, source });
        }
    };
    if !exists(&cx.sys, &store.layout().path(snapshot)).map_err(failed)? {
        return Err(ProtectError::Gone(snapshot.clone()));
    }
    let path = store.layout().protected(snapshot);
    let changed = match protection {
        Protection::On => match cx.sys.create(&path, store.files()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            created => created.at("create", &path).map(|_| true),
        },
        Protection::Off => match cx.sys.unlink(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            unlinked => unlinked.at("unlink", &path).map(|()| true),
        },
    };
    drop(lock);
    changed.map_err(failed)
}
