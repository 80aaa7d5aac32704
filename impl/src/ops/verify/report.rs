//! Settings, report and errors of a verification.

use crate::chunk_store::Damage;
use crate::error::{CallError, LockError};
use crate::index::{Digest, IndexError};
use crate::manifest::ManifestError;
use crate::paths::{Group, Snapshot};
use std::fmt;
use std::path::PathBuf;

/// What is verified.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group.
    pub group: Group,
}

/// What a verification did and found.
#[derive(Debug, Default)]
pub struct Report {
    /// Whether there is no such group, or not any more.
    pub is_group_gone: bool,
    /// Whether nothing of the group was verified, because a snapshot vanished while it was listed; in the published design only.
    pub is_group_left_out: bool,
    /// Snapshots in which all is well.
    pub verified: u64,
    /// Snapshots that were skipped because somebody else had them locked.
    pub busy: u64,
    /// Snapshots that were skipped because they were moved or removed meanwhile.
    pub vanished: u64,
    /// Chunks that were read, or looked for.
    pub chunks: u64,
    /// New names of the chunks that were set aside.
    pub set_aside: Vec<PathBuf>,
    /// Snapshots in which something is wrong.
    pub failures: Vec<Failure>,
}

/// A snapshot in which something is wrong.
#[derive(Debug)]
pub struct Failure {
    /// Which.
    pub snapshot: Snapshot,
    /// What is wrong, at least one thing.
    pub problems: Vec<Problem>,
}

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It has no manifest: its backup was not finished, or, in the published design only, it was
    /// moved or removed before its lock was taken. Nothing is known to be damaged.
    #[error(
        "it has no manifest: its backup was not finished, or it was moved or removed meanwhile"
    )]
    NoManifest,
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(ManifestError),
    /// The manifest lists a file that cannot be one of the snapshot.
    #[error("its manifest lists {0:?}, which is no name of a file in its directory")]
    FileName(String),
    /// An index file is missing, damaged, or cannot be read.
    #[error(transparent)]
    Index(IndexError),
    /// An index file is not the one that the manifest lists.
    #[error("index file {0} does not have the checksum that the manifest says")]
    IndexChecksum(String),
    /// The header of an index file does not fit the manifest.
    #[error(
        "index file {file} says that its archive has {index} bytes, and the manifest says {manifest}"
    )]
    IndexSize {
        /// Which file.
        file: String,
        /// The size by its header and entries.
        index: u64,
        /// The size by the manifest.
        manifest: u64,
    },
    /// The ranges of an index file do not fit its chunks, which are sound.
    #[error(
        "{entries} entries of index file {file} are not as long as their chunks, first that of bytes {} to {}, whose chunk has {size}",
        range.0, range.1
    )]
    ChunkSize {
        /// Which file.
        file: String,
        /// How many entries.
        entries: u64,
        /// Where the range of the first of them begins and ends.
        range: (u64, u64),
        /// The size of its chunk.
        size: u64,
    },
    /// A chunk cannot be used.
    #[error("chunk {digest} {source}")]
    Chunk {
        /// Which chunk.
        digest: Digest,
        /// Why.
        source: ChunkProblem,
    },
    /// An index file names chunks that this job has found bad before.
    #[error("index file {file} has {entries} entries of chunks that were found bad before")]
    KnownChunks {
        /// Which file.
        file: String,
        /// How many entries.
        entries: u64,
    },
    /// A corrupt chunk could not be set aside.
    #[error(transparent)]
    NotSetAside(CallError),
    /// The manifest stayed locked, so that it does not say what was found.
    #[error("its verify state was not written: {0}")]
    ManifestBusy(#[source] LockError),
}

/// Why a chunk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChunkProblem {
    /// It is not what its name says.
    #[error("is corrupt: {0}")]
    Corrupt(#[source] Damage),
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It cannot be read, which says nothing about its content.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] CallError),
}

/// Why a verification did not end well.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It went over all snapshots, and something is wrong with some: the report has at least one failure.
    #[error("{}", failed(.0))]
    Failed(Box<Report>),
    /// It ended early.
    #[error("verification ended early: {source}")]
    Aborted {
        /// Why.
        source: Abort,
        /// What it found before.
        report: Box<Report>,
    },
}

/// Why a verification ended early.
#[derive(Debug, thiserror::Error)]
pub enum Abort {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A lock call failed.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A manifest could not be read again, or not be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl VerifyError {
    /// Whether nothing is wrong but that a manifest stayed locked, so that a later attempt can
    /// succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        self.only(|problem| matches!(problem, Problem::ManifestBusy(_)))
    }

    /// Whether nothing is wrong but that snapshots were gone or not finished: nothing that was backed up is known to be
    /// damaged.
    pub fn is_vanished(&self) -> bool {
        self.only(|problem| matches!(problem, Problem::NoManifest))
    }

    fn only(&self, is_such: impl Fn(&Problem) -> bool) -> bool {
        match self {
            Self::Failed(report) => {
                let mut problems = report.failures.iter().flat_map(|f| &f.problems);
                problems.all(is_such)
            }
            Self::Aborted { .. } => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {}: ", self.snapshot)?;
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// The whole list, since whoever reads it has to look for another copy of each.
fn failed(report: &Report) -> String {
    let failures: Vec<String> = report.failures.iter().map(Failure::to_string).collect();
    format!(
        "verification found {} of {} snapshots bad: {}",
        failures.len(),
        report.verified + report.failures.len() as u64,
        failures.join("\n")
    )
}
