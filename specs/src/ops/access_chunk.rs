//! `access_chunk`: one chunk under the chunk-store mutex, in its single calls; carries the mutants of the mutex.

use crate::design::Change;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::step::{Call, Designs, LockUse, Row};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Read the chunk, without the mutex.
    ReadChunk(A),
    /// Lock the chunk-store mutex.
    LockChunkStore,
    /// Look at the chunk.
    StatChunk(A),
    /// Touch the chunk.
    TouchChunk(A),
    /// Write the chunk.
    WriteChunk(A),
    /// Unlink the chunk.
    UnlinkChunk(A),
    /// Read the chunk again, under the mutex.
    RecheckChunk(A),
    /// Set the chunk aside.
    RenameChunk(A),
    /// Unlock the mutex.
    UnlockChunkStore,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::ReadChunk(_) => 0,
            Self::LockChunkStore => 1,
            Self::StatChunk(_) => 2,
            Self::TouchChunk(_) => 3,
            Self::WriteChunk(_) => 4,
            Self::UnlinkChunk(_) => 5,
            Self::RecheckChunk(_) => 6,
            Self::RenameChunk(_) => 7,
            Self::UnlockChunkStore => 8,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReadChunk(_) => "read_chunk",
            Self::LockChunkStore => "lock_chunk_store",
            Self::StatChunk(_) => "stat_chunk",
            Self::TouchChunk(_) => "touch_chunk",
            Self::WriteChunk(_) => "write_chunk",
            Self::UnlinkChunk(_) => "unlink_chunk",
            Self::RecheckChunk(_) => "recheck_chunk",
            Self::RenameChunk(_) => "rename_chunk",
            Self::UnlockChunkStore => "unlock_chunk_store",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::ReadChunk(a) => Step::ReadChunk(f(a)),
            Self::LockChunkStore => Step::LockChunkStore,
            Self::StatChunk(a) => Step::StatChunk(f(a)),
            Self::TouchChunk(a) => Step::TouchChunk(f(a)),
            Self::WriteChunk(a) => Step::WriteChunk(f(a)),
            Self::UnlinkChunk(a) => Step::UnlinkChunk(f(a)),
            Self::RecheckChunk(a) => Step::RecheckChunk(f(a)),
            Self::RenameChunk(a) => Step::RenameChunk(f(a)),
            Self::UnlockChunkStore => Step::UnlockChunkStore,
        }
    }

    /// The label without its argument.
    pub fn kind(self) -> Step<()> {
        self.map(|_| ())
    }
}

impl<A> From<Step<A>> for crate::Step<A> {
    fn from(step: Step<A>) -> Self {
        Self::AccessChunk(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::AccessChunk(step)
}

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::ReadChunk(())),
        sentence: "Whoever sets a corrupt chunk aside reads it first, without the mutex.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Corrupt],
        designs: Designs::All,
        upstream: "VerifyWorker::verify_index_chunks",
    },
    Row {
        step: step(Step::LockChunkStore),
        sentence: "Locks the chunk-store mutex and waits for it.",
        calls: &[Call::Mutex],
        lock: Some(LockUse::Take(
            LockClass::ChunkStore,
            Mode::Exclusive,
            Wait::Forever,
        )),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "ChunkStore::mutex",
    },
    Row {
        step: step(Step::StatChunk(())),
        sentence: "An insert looks whether the chunk is there, a sweep whether it is old.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Kept],
        designs: Designs::All,
        upstream: "ChunkStore::insert_chunk, ChunkStore::sweep_unused_chunks",
    },
    Row {
        step: step(Step::TouchChunk(())),
        sentence: "Sets the access time of the chunk to now.",
        calls: &[Call::Now, Call::Utimensat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "ChunkStore::touch_chunk",
    },
    Row {
        step: step(Step::WriteChunk(())),
        sentence: "Writes the chunk to a temporary file and renames it.",
        calls: &[
            Call::Create,
            Call::Append,
            Call::Now,
            Call::Utimensat,
            Call::Rename,
            Call::Close,
        ],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "ChunkStore::insert_chunk",
    },
    Row {
        step: step(Step::UnlinkChunk(())),
        sentence: "Unlinks an old chunk.",
        calls: &[Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "ChunkStore::sweep_unused_chunks",
    },
    Row {
        step: step(Step::RecheckChunk(())),
        sentence: "Reads the chunk again under the mutex; only one that is still corrupt is set aside.",
        calls: &[Call::Open, Call::Fstat, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Corrupt],
        designs: Designs::With(Change::SetsAsideOnlyWhatItRead),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::RenameChunk(())),
        sentence: "Renames the chunk to its first free bad name.",
        calls: &[Call::Stat, Call::Rename],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "DataStore::rename_corrupt_chunk",
    },
    Row {
        step: step(Step::UnlockChunkStore),
        sentence: "Unlocks the chunk-store mutex.",
        calls: &[Call::Mutex],
        lock: Some(LockUse::Release(LockClass::ChunkStore)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the mutex guard",
    },
];
