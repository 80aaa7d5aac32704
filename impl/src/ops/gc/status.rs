//! Settings, status and errors of garbage collection.

use crate::error::{CallError, LockError};
use crate::index::IndexError;
use crate::journal::Corrupt;
use crate::paths::{Group, Snapshot};
use serde::Serialize;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::time::Duration;

/// How a garbage collection runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A chunk that was touched within this time stays.
    pub cutoff: Duration,
    /// Attempts to list a group without its lock.
    pub list_attempts: u32,
    /// How many digests are remembered as marked; 0 marks every chunk as often as it is named.
    pub remembered_chunks: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cutoff: Duration::from_secs(24 * 3600 + 5 * 60),
            list_attempts: 10,
            remembered_chunks: 1_048_576,
        }
    }
}

/// What a garbage collection did; written to `.gc-status` with the names that Proxmox Backup uses,
/// and a few more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GcStatus {
    /// Index files that were read; one that was read twice counts twice.
    pub index_file_count: u64,
    /// Size of the archives that they stand for.
    pub index_data_bytes: u64,
    /// Chunks that were marked.
    pub marked_chunks: u64,
    /// Chunks that an index file names and that are not there.
    pub missing_chunks: u64,
    /// Chunks in use.
    pub disk_chunks: u64,
    /// Their size.
    pub disk_bytes: u64,
    /// Chunks that nobody uses, but that are younger than the cutoff.
    pub pending_chunks: u64,
    /// Their size.
    pub pending_bytes: u64,
    /// Chunks that were removed.
    pub removed_chunks: u64,
    /// Their size.
    pub removed_bytes: u64,
    /// Corrupt chunks that were removed.
    pub removed_bad: u64,
    /// Corrupt chunks that stay.
    pub still_bad: u64,
    /// Files that were removed because whoever wrote them was killed before they got their names.
    pub removed_temporary: u64,
    /// Their size.
    pub removed_temporary_bytes: u64,
    /// Files without a name yet that are younger than the cutoff.
    pub still_temporary: u64,
    /// Their size.
    pub still_temporary_bytes: u64,
    /// Chunks that could not be looked at or removed, and directories of chunks that could not be listed.
    pub not_swept: u64,
}

/// What a sweep could not look at, list or remove.
#[derive(Debug, Default)]
pub struct NotSwept {
    /// How many.
    pub count: u64,
    /// Why the first of them could not.
    pub first: Vec<CallError>,
}

impl NotSwept {
    /// So many are told; a file system that refuses one refuses all.
    const TOLD: usize = 10;

    pub(super) fn add(&mut self, error: CallError) {
        self.count += 1;
        if self.first.len() < Self::TOLD {
            self.first.push(error);
        }
    }
}

impl Display for NotSwept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.first.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "; " })?;
        }
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Why a garbage collection ended early. Nothing was removed, unless the sweep had begun: it can stop or fail between two
/// chunks, and what it did is written down after it.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// Another one runs in this process.
    #[error("this process is collecting the garbage of {} already; try again when it has ended", .0.display())]
    AlreadyRunning(PathBuf),
    /// Another process uses the datastore.
    #[error("another process writes to {} or collects its garbage; try again when it has ended", .0.display())]
    StoreInUse(PathBuf),
    /// The run is done, its status is written, and some of what was to go is still there.
    #[error(
        "the sweep is done but for {}: {left}; mend that, and collect again", files(left.count)
    )]
    NotSwept {
        /// What it did.
        status: Box<GcStatus>,
        /// What it could not.
        left: NotSwept,
    },
    /// A group kept changing, and is locked.
    #[error(
        "group {group} is busy: its snapshots kept vanishing while it was listed, and now it is locked"
    )]
    GroupBusy {
        /// Which group.
        group: Group,
        /// Its lock.
        source: LockError,
    },
    /// A snapshot vanished while its group was listed; the published design gives up then.
    #[error("snapshot {0} vanished while its group was listed")]
    SnapshotVanished(Snapshot),
    /// A file of the newest snapshot vanished under the lock of its group; the published design gives up then.
    #[error("index file {} vanished while its group was locked and listed for the last time", .0.display())]
    FileVanished(PathBuf),
    /// This process is about to end.
    #[error("stopped, since this process is about to end; run it again after that")]
    Stopped,
    /// The journal stayed locked.
    #[error("cannot lock the move journal: {0}")]
    JournalBusy(#[source] LockError),
    /// The journal has a line that nobody can have written.
    #[error("move journal {}: {source}; once no move and no garbage collection runs, mend or remove it", path.display())]
    Journal {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong.
        source: Corrupt,
    },
    /// An index file of the journal cannot be read.
    #[error("line {line} of the move journal: {source}")]
    Entry {
        /// Number of the line.
        line: usize,
        /// Why.
        source: IndexError,
    },
    /// An index file cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The process lock can be neither taken nor told to be busy.
    #[error("cannot lock {}: {source}; see that its file system has record locks", path.display())]
    Lock {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn files(count: u64) -> String {
    match count {
        1 => "one file".to_owned(),
        count => format!("{count} files"),
    }
}

impl GcError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::AlreadyRunning(_)
            | Self::StoreInUse(_)
            | Self::GroupBusy { .. }
            | Self::JournalBusy(_) => true,
            Self::NotSwept { .. }
            | Self::SnapshotVanished(_)
            | Self::FileVanished(_)
            | Self::Stopped
            | Self::Journal { .. }
            | Self::Entry { .. }
            | Self::Index(_)
            | Self::Call(_)
            | Self::Lock { .. } => false,
        }
    }
}
