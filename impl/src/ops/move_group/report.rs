//! What a move is told, and what it tells its caller.

use crate::error::{CallError, LockError};
use crate::journal::{AppendError, BadPath};
use crate::owner::OwnerError;
use crate::paths::{Group, Namespace};
use crate::step::Ending;
use specs::Outcome;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What is moved where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group.
    pub source: Group,
    /// The namespace that it goes to, which exists.
    pub target: Namespace,
    /// What to do if there is such a group already.
    pub existing: Existing,
    /// Snapshots that are locked at a time.
    pub snapshot_locks: usize,
}

/// What to do with a group that exists in the target namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to move.
    Refuse,
    /// Merge into it, if its owner is the same and all its snapshots are older.
    Merge,
}

impl Settings {
    /// A move that does not merge, with the batches of Proxmox Backup.
    pub fn new(source: Group, target: Namespace) -> Self {
        Self {
            source,
            target,
            existing: Existing::Refuse,
            snapshot_locks: 512,
        }
    }
}

/// What a move did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Snapshots that are in the target group now.
    pub snapshots: usize,
    /// Whether the source group is gone.
    pub is_source_removed: bool,
}

/// Why a move ended early. Snapshots that were moved before stay moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Somebody else holds a lock; a later attempt can succeed with nothing mended.
    #[error("cannot lock {what}: {source}")]
    Soft {
        /// The group or snapshot.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// Anything else.
    #[error("cannot move {what}: {source}")]
    Hard {
        /// The group or snapshot.
        what: String,
        /// Why.
        source: Reason,
    },
}

impl MoveError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Soft { .. } => true,
            Self::Hard { source, .. } => source.is_conflict(),
        }
    }
}

/// Why a move fails hard.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// It is not allowed.
    #[error("{0}")]
    Refused(&'static str),
    /// This process locks groups by their directories: since this flag file is there, or since it is to do so.
    #[error("groups are locked by their directories, which cannot move, {}", why_old_locks(.0.as_deref()))]
    OldLocks(Option<PathBuf>),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The owner of one of the groups cannot be told.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The journal, or a file of a lock, cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A path cannot be an entry of the journal.
    #[error(transparent)]
    BadPath(#[from] BadPath),
    /// The journal could not be appended to. Nothing was renamed without its entry.
    #[error("cannot append to the move journal: {0}")]
    Append(#[from] AppendError),
}

impl Reason {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Lock(error) => error.is_conflict(),
            Self::Refused(_)
            | Self::OldLocks(_)
            | Self::Call(_)
            | Self::Owner(_)
            | Self::BadPath(_)
            | Self::Append(_) => false,
        }
    }
}

impl Ending for Reason {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Refused(_) | Self::OldLocks(_) | Self::BadPath(_) => None,
            Self::Call(error) => error.outcome(),
            Self::Owner(error) => error.outcome(),
            Self::Lock(error) => error.outcome(),
            Self::Append(error) => error.outcome(),
        }
    }
}

fn why_old_locks(flag: Option<&Path>) -> String {
    match flag {
        Some(flag) => format!(
            "since {} is there: once no process of the version before runs any more, remove that file and restart this one",
            flag.display()
        ),
        None => "as this process was told: let one move it that locks files".to_owned(),
    }
}

pub(super) fn hard(what: &(impl Display + ?Sized), source: Reason) -> MoveError {
    MoveError::Hard {
        what: what.to_string(),
        source,
    }
}

pub(super) fn not_locked(what: &impl Display, error: LockError) -> MoveError {
    if error.is_conflict() {
        MoveError::Soft {
            what: what.to_string(),
            source: error,
        }
    } else {
        hard(what, error.into())
    }
}
