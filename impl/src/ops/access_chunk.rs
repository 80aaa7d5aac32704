//! `access_chunk`: one chunk under the chunk-store mutex, in the single calls that elsewhere are one
//! step.
//!
//! # Race fixed
//!
//! Looking at a chunk and acting on what was seen are two calls. Whoever comes between them removes
//! what the other one has just found, or sets it aside.
//!
//! # Protocol
//!
//! The protocol is that of [`crate::chunk_store`]: each access looks and acts within one period of the
//! mutex; only the first reading of a chunk that may be set aside comes before it. This operation
//! makes every call a step of its own, so that everything that can happen between them is explored
//! and replayed.
//!
//! > A chunk that was touched or inserted is there when the mutex is unlocked.
//!
//! A crash leaves the chunk with all its bytes, or not at all: it is written in one rename.
//!
//! Not covered: what an insert does about a copy of another size. Here every file that is there is
//! taken for a copy; [`ChunkStore::insert`](crate::chunk_store::ChunkStore::insert) is what a backup
//! uses.

use crate::blob::{self, BlobError};
use crate::chunk_store::{self, ChunkPath, Examined, Renamed};
use crate::datastore::Datastore;
use crate::error::CallError;
use crate::index::Digest;
use crate::step::{Cx, Ending};
use crate::sys::{Label, Stat, Sys};
use specs::Outcome;
use specs::ToLabel as _;
use specs::design::Change;
use specs::ops::access_chunk::Step;
use std::path::PathBuf;

/// Which chunk is accessed, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its digest.
    pub digest: Digest,
    /// Its contents, which an insert writes.
    pub contents: Vec<u8>,
    /// What is done to it.
    pub access: Access,
    /// A sweep removes it if its access time is before this one, in nanoseconds since the epoch.
    pub min_atime_ns: i128,
}

/// What is done to a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Marks it as used, as garbage collection does.
    Touch,
    /// Inserts it, as a backup does.
    Insert,
    /// Removes it if it is old, as garbage collection does.
    Sweep,
    /// Sets it aside if it is corrupt, as a verification does.
    SetAside,
}

/// What became of the chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accessed {
    /// It was not there, or not any more.
    Missing,
    /// It was there, and its access time is now.
    Touched,
    /// It was written.
    Written,
    /// It stays as it was: it is not old, or it is sound.
    Kept,
    /// It was removed.
    Removed,
    /// It was set aside, and has this name now.
    SetAside(PathBuf),
}

/// Why an access failed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The contents have another digest.
    #[error("chunk {digest} was not inserted: its contents have the digest {found}")]
    Digest {
        /// The digest of the chunk.
        digest: Digest,
        /// That of the contents.
        found: Digest,
    },
    /// The contents do not fit into a chunk.
    #[error("chunk {digest} was not inserted: {source}")]
    Blob {
        /// The digest of the chunk.
        digest: Digest,
        /// Why.
        source: BlobError,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl AccessError {
    /// Whether a lock was busy: never, since the mutex is waited for.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Digest { .. } | Self::Blob { .. } | Self::Call(_) => false,
        }
    }
}

/// What is held.
struct Held<'a, S: Sys + 'a> {
    mutex: Option<S::Guard<'a, ()>>,
}

/// Accesses a chunk.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Accessed, AccessError> {
    let accessor = Accessor {
        cx,
        store,
        digest: settings.digest,
        path: store.chunks().path(settings.digest),
    };
    let mut held = Held { mutex: None };
    let result = match settings.access {
        Access::Touch => accessor.touch(&mut held),
        Access::Insert => accessor.insert(&mut held, &settings.contents),
        Access::Sweep => accessor.sweep(&mut held, settings.min_atime_ns),
        Access::SetAside => accessor.set_aside(&mut held),
    };
    accessor.unlock(&mut held);
    result
}

struct Accessor<'a, S: Sys> {
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    digest: Digest,
    path: PathBuf,
}

impl<'a, S: Sys> Accessor<'a, S> {
    fn touch(&self, held: &mut Held<'a, S>) -> Result<Accessed, AccessError> {
        if !self.cx.design.touches_without_mutex() {
            self.lock(held);
        }
        self.touch_chunk()
    }

    fn insert(&self, held: &mut Held<'a, S>, contents: &[u8]) -> Result<Accessed, AccessError> {
        let digest = self.digest;
        let found = Digest::of(contents);
        if found != digest {
            return Err(AccessError::Digest { digest, found });
        }
        let blob =
            blob::encode_plain(contents).map_err(|source| AccessError::Blob { digest, source })?;

        let there = if self.cx.design.has(Change::InsertDecidesBeforeMutex) {
            let there = self.stat_chunk(|_| true)?;
            self.lock(held);
            there
        } else {
            self.lock(held);
            self.stat_chunk(|_| true)?
        };
        match there {
            Look::Missing => {
                self.write_chunk(&blob)?;
                Ok(Accessed::Written)
            }
            Look::Acts | Look::Keeps => self.touch_chunk(),
        }
    }

    fn sweep(&self, held: &mut Held<'a, S>, min_atime_ns: i128) -> Result<Accessed, AccessError> {
        self.lock(held);
        match self.stat_chunk(|stat| stat.is_file && stat.atime_ns < min_atime_ns)? {
            Look::Missing => return Ok(Accessed::Missing),
            Look::Keeps => return Ok(Accessed::Kept),
            Look::Acts => {}
        }
        if self.cx.design.has(Change::SweepInTwoPeriods) {
            self.unlock(held);
            self.lock(held);
        }
        let unlinked = self
            .cx
            .try_step(Step::UnlinkChunk.of(&ChunkPath(self.digest)), || {
                chunk_store::unlink(&self.cx.sys, &self.path)
            });
        done_or_missing(unlinked, Accessed::Removed)
    }

    fn set_aside(&self, held: &mut Held<'a, S>) -> Result<Accessed, AccessError> {
        let (design, label) = (self.cx.design, ChunkPath(self.digest));
        let examined = self.examine(Step::ReadChunk.of(&label));
        if !examined.is_set_aside(design) {
            return kept(examined);
        }
        if !design.sets_aside_without_mutex() {
            self.lock(held);
        }
        if design.sets_aside_only_what_it_read() {
            let examined = self.examine(Step::RecheckChunk.of(&label));
            if !examined.is_set_aside(design) {
                return kept(examined);
            }
        }
        let renamed = self.cx.step_with(Step::RenameChunk.of(&label), || {
            let renamed = chunk_store::set_aside(&self.cx.sys, &self.path);
            let outcome = Renamed::outcome(&renamed);
            (renamed, outcome)
        });
        Ok(match renamed? {
            Renamed::To(bad) => Accessed::SetAside(bad),
            Renamed::Kept => Accessed::Kept,
            Renamed::Gone => Accessed::Missing,
        })
    }

    fn lock(&self, held: &mut Held<'a, S>) {
        let (chunks, sys) = (self.store.chunks(), &self.cx.sys);
        held.mutex = Some(self.cx.step(Step::LockChunkStore, || chunks.lock(sys)));
    }

    /// Lets the mutex go, if it is held.
    fn unlock(&self, held: &mut Held<'a, S>) {
        if held.mutex.is_some() {
            self.cx.step(Step::UnlockChunkStore, || held.mutex = None);
        }
    }

    fn stat_chunk(&self, acts: impl FnOnce(&Stat) -> bool) -> Result<Look, CallError> {
        let label = ChunkPath(self.digest);
        self.cx.step_with(Step::StatChunk.of(&label), || {
            let look = chunk_store::stat(&self.cx.sys, &self.path).map(|found| {
                match found.map(|s| acts(&s)) {
                    None => Look::Missing,
                    Some(true) => Look::Acts,
                    Some(false) => Look::Keeps,
                }
            });
            let outcome = match &look {
                Ok(Look::Missing) => Outcome::NotFound,
                Ok(Look::Acts) => Outcome::Done,
                Ok(Look::Keeps) => Outcome::Kept,
                Err(error) => error.outcome().unwrap_or(Outcome::Refused),
            };
            (look, outcome)
        })
    }

    fn touch_chunk(&self) -> Result<Accessed, AccessError> {
        let label = ChunkPath(self.digest);
        let touched = self.cx.try_step(Step::TouchChunk.of(&label), || {
            chunk_store::touch(&self.cx.sys, &self.path)
        });
        done_or_missing(touched, Accessed::Touched)
    }

    fn write_chunk(&self, blob: &[u8]) -> Result<(), CallError> {
        let label = ChunkPath(self.digest);
        self.cx.try_step(Step::WriteChunk.of(&label), || {
            chunk_store::write(&self.cx.sys, &self.path, blob, self.store.files())?
                .rename(&self.path)
        })
    }

    fn examine(&self, label: Label<'_>) -> Examined {
        self.cx.step_with(label, || {
            let examined = chunk_store::examine(&self.cx.sys, &self.path, self.digest);
            let outcome = examined.outcome(self.cx.design);
            (examined, outcome)
        })
    }
}

/// What a look at a chunk says about what is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// There is no such file.
    Missing,
    /// It is there, and whoever looked goes on.
    Acts,
    /// It is there, and whoever looked leaves it.
    Keeps,
}

/// Why a chunk is not set aside.
fn kept(examined: Examined) -> Result<Accessed, AccessError> {
    match examined {
        Examined::Sound { .. } | Examined::Corrupt(_) => Ok(Accessed::Kept),
        Examined::Missing => Ok(Accessed::Missing),
        Examined::Unreadable(error) => Err(error.into()),
    }
}

fn done_or_missing(result: Result<(), CallError>, done: Accessed) -> Result<Accessed, AccessError> {
    match result {
        Ok(()) => Ok(done),
        Err(error) if error.is_not_found() => Ok(Accessed::Missing),
        Err(error) => Err(error.into()),
    }
}
