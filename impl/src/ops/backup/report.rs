//! What a backup tells its caller: what it did, or why it gave up.

use crate::chunk_store::InsertError;
use crate::error::{CallError, LockError};
use crate::index::{IndexError, WriterError};
use crate::manifest::ManifestError;
use crate::ops::forget_snapshot::ForgetError;
use crate::owner::{Owner, OwnerError};
use crate::paths::{Namespace, Snapshot};
use crate::step::Ending;
use serde::Serialize;
use specs::Outcome;
use std::io;

/// What a backup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The new snapshot, which is finished.
    pub snapshot: Snapshot,
    /// The previous one, whose chunks were not sent again; none if there was none that could be
    /// used.
    pub previous: Option<Snapshot>,
    /// Chunks that were not sent, since they were known.
    pub reused_chunks: u64,
    /// Chunks that were sent.
    pub upload: UploadStats,
}

/// The chunks that a backup sent, as the manifest notes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UploadStats {
    /// How many.
    pub count: u64,
    /// Their size in bytes.
    pub size: u64,
    /// The size of their blobs in bytes.
    pub compressed_size: u64,
    /// How many of them were there already.
    pub duplicates: u64,
}

/// Why a backup gave up. What it had created is removed, except in the published design before the
/// process lock was shared.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// An archive cannot be backed up; nothing was done.
    #[error("archive {name:?}: {why}")]
    Archive {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody else holds a lock; a later attempt can succeed with nothing mended.
    #[error("cannot lock {what}: {source}")]
    Busy {
        /// The group, or a snapshot.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// Another process collects garbage, and does not know of the chunks of this backup.
    #[error("another process collects the garbage of the datastore; try again when it has ended")]
    StoreInUse,
    /// The client left.
    #[error("backup of {0} stopped: the client has left")]
    ClientLeft(Snapshot),
    /// Anything else.
    #[error("cannot back up {snapshot}: {source}")]
    Failed {
        /// The new snapshot.
        snapshot: Snapshot,
        /// Why.
        source: Box<Reason>,
    },
    /// It gave up, and could not remove what it had created.
    #[error("{source}; what it made stays, since it could not be removed: {remains}")]
    LeftRemains {
        /// Why it gave up.
        source: Box<BackupError>,
        /// Why the snapshot or the group is still there.
        remains: ForgetError,
    },
}

/// Why a backup failed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The namespace does not exist, or was removed meanwhile.
    #[error("there is no namespace {0}; it may have been removed or moved")]
    NoNamespace(Namespace),
    /// There is such a snapshot.
    #[error("there is such a snapshot already")]
    Exists,
    /// There is such a snapshot, and it is finished.
    #[error("there is such a snapshot already")]
    SameTime,
    /// The newest finished snapshot is from a later time.
    #[error(
        "the newest snapshot {0} is later; set the clock right, or remove that one if its time was wrong"
    )]
    NotLater(Snapshot),
    /// The group has no owner: it was just removed, or a backup was killed when it had created it.
    #[error("the group has no owner; if it has no snapshot either, remove its directory")]
    NoOwner,
    /// The group belongs to somebody else.
    #[error("the group belongs to {0}; back up as that user, or change the owner")]
    OtherOwner(Owner),
    /// The owner cannot be told.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The previous snapshot is gone, so that nothing kept the chunks that were reused.
    #[error("the previous snapshot {0} was removed meanwhile; back up again")]
    PreviousGone(Snapshot),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The lock file of the manifest cannot be made.
    #[error("the manifest cannot be locked at the end of the backup: {0}")]
    ManifestLock(#[from] LockError),
    /// A call of the process lock failed.
    #[error("cannot share the process lock: {0}")]
    Lock(#[source] io::Error),
    /// An index file of the previous snapshot cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A manifest cannot be read or written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A chunk cannot be inserted.
    #[error(transparent)]
    Insert(#[from] InsertError),
    /// An index file cannot be written.
    #[error(transparent)]
    Writer(#[from] WriterError),
}

impl Ending for Reason {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::NoNamespace(_) | Self::NoOwner => Some(Outcome::NotFound),
            Self::Exists => Some(Outcome::Exists),
            Self::Call(error) => error.outcome(),
            Self::ManifestLock(error) => error.outcome(),
            Self::Owner(error) => error.outcome(),
            Self::Manifest(error) => error.outcome(),
            Self::OtherOwner(_)
            | Self::SameTime
            | Self::NotLater(_)
            | Self::PreviousGone(_)
            | Self::Lock(_)
            | Self::Index(_)
            | Self::Insert(_)
            | Self::Writer(_) => None,
        }
    }
}

impl BackupError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::StoreInUse => true,
            Self::LeftRemains { source, .. } => source.is_busy(),
            Self::Archive { .. } | Self::ClientLeft(_) | Self::Failed { .. } => false,
        }
    }
}
