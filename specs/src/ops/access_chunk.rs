//! `access_chunk`: one chunk under the chunk-store mutex, in its single calls; carries the mutants of the mutex.

use crate::design::Change;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::step::{Call, Row};
use serde::{Deserialize, Serialize};
use strum::{EnumCount, IntoStaticStr};

/// The steps, in the order of the protocol.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumCount,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Step {
    ReadChunk,
    LockChunkStore,
    StatChunk,
    TouchChunk,
    WriteChunk,
    UnlinkChunk,
    RecheckChunk,
    RenameChunk,
    UnlockChunkStore,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::AccessChunk(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Accesses one chunk under the chunk-store mutex, in single calls: touch, insert, sweep, set aside.",
    table: TABLE,
    shorts: &[],
    part: None,
};

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(
        Step::ReadChunk,
        "Whoever sets a corrupt chunk aside reads it first, without the mutex.",
    )
    .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
    .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Corrupt])
    .published("VerifyWorker::verify_index_chunks"),
    row(
        Step::LockChunkStore,
        "Locks the chunk-store mutex and waits for it.",
    )
    .about_nothing()
    .calls(&[Call::Mutex])
    .takes(LockClass::ChunkStore, Mode::Exclusive, Wait::Forever)
    .published("ChunkStore::mutex"),
    row(
        Step::StatChunk,
        "An insert looks whether the chunk is there, a sweep whether it is old.",
    )
    .calls(&[Call::Stat])
    .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Kept])
    .published("ChunkStore::insert_chunk, ChunkStore::sweep_unused_chunks"),
    row(
        Step::TouchChunk,
        "Sets the access time of the chunk to now.",
    )
    .calls(&[Call::Now, Call::Utimensat])
    .ends(&[Outcome::Done, Outcome::NotFound])
    .published("ChunkStore::touch_chunk"),
    row(
        Step::WriteChunk,
        "Writes the chunk to a temporary file and renames it.",
    )
    .calls(&[
        Call::Create,
        Call::Append,
        Call::Now,
        Call::Utimensat,
        Call::Rename,
        Call::Close,
    ])
    .published("ChunkStore::insert_chunk"),
    row(Step::UnlinkChunk, "Unlinks an old chunk.")
        .calls(&[Call::Unlink])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("ChunkStore::sweep_unused_chunks"),
    row(
        Step::RecheckChunk,
        "Reads the chunk again under the mutex; only one that is still corrupt is set aside.",
    )
    .calls(&[Call::Open, Call::Fstat, Call::Read, Call::Close])
    .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Corrupt])
    .only_with(Change::SetsAsideOnlyWhatItRead)
    .published("(not in the published design)"),
    row(
        Step::RenameChunk,
        "Renames the chunk to its first free bad name.",
    )
    .calls(&[Call::Stat, Call::Rename])
    .ends(&[Outcome::Done, Outcome::NotFound])
    .published("DataStore::rename_corrupt_chunk"),
    row(Step::UnlockChunkStore, "Unlocks the chunk-store mutex.")
        .about_nothing()
        .calls(&[Call::Mutex])
        .releases(LockClass::ChunkStore)
        .published("drop of the mutex guard"),
];
