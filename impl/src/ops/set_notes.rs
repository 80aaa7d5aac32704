//! `set_notes`: changes the notes in the manifest of a snapshot.
//!
//! # Race fixed
//!
//! Two operations update a manifest: each reads it, changes its own part and writes all of it. The
//! second one would write back what the first one has changed.
//!
//! # Protocol
//!
//! 1. Take the manifest's lock, and wait for it.
//! 2. Read the manifest. If there is none, give up.
//! 3. Write it with the new notes in one rename.
//! 4. Let the manifest go.
//!
//! > Whoever writes a manifest has held its lock since before reading it.
//!
//! A crash leaves the old manifest or the new one, and perhaps a temporary file.
//!
//! Not covered: a move unlinks the lock file without holding it, as published. The directory is then
//! gone as well, so that nothing is written.

use crate::datastore::Datastore;
use crate::error::LockError;
use crate::lock_file::LockGuard;
use crate::manifest::{self, ManifestError};
use crate::paths::Snapshot;
use crate::step::Cx;
use crate::sys::Sys;
use specs::ToLabel as _;
use specs::ops::set_notes::Step;

/// Whose notes, and which.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The new notes; empty ones remove those that are there.
    pub notes: String,
}

/// Why the notes were not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetNotesError {
    /// The manifest stayed locked; a later attempt can succeed with nothing mended.
    #[error("cannot change the notes of {what}: {source}")]
    Busy {
        /// The snapshot.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// There is no such snapshot, or its backup is not finished.
    #[error("cannot change the notes of {0}: there is no finished snapshot of that name")]
    NoManifest(Snapshot),
    /// The manifest cannot be read or written.
    #[error("cannot change the notes of {what}: {source}")]
    Manifest {
        /// The snapshot.
        what: String,
        /// Why.
        source: ManifestError,
    },
    /// A lock call failed.
    #[error("cannot change the notes of {what}: {source}")]
    Lock {
        /// The snapshot.
        what: String,
        /// Why.
        source: LockError,
    },
}

impl SetNotesError {
    /// Whether a lock was busy.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::NoManifest(_) | Self::Manifest { .. } | Self::Lock { .. } => false,
        }
    }
}

/// What is held.
struct Held<'a, S: Sys> {
    manifest: Option<LockGuard<'a, S>>,
}

/// Changes the notes of a snapshot.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<(), SetNotesError> {
    let mut held = Held { manifest: None };
    let result = update(cx, store, settings, &mut held);
    if result.is_err() {
        cx.step(Step::ReleaseAll, || drop(held));
    }
    result
}

fn update<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
    held: &mut Held<'a, S>,
) -> Result<(), SetNotesError> {
    let snapshot = &settings.snapshot;
    let path = store.layout().manifest(snapshot);
    let what = || snapshot.to_string();
    let failed = |source: ManifestError| match source {
        ManifestError::Call(ref call) if call.is_not_found() => {
            SetNotesError::NoManifest(snapshot.clone())
        }
        ManifestError::Call(_) | ManifestError::Blob { .. } | ManifestError::Json { .. } => {
            SetNotesError::Manifest {
                what: what(),
                source,
            }
        }
    };
    store
        .refuse_links(&cx.sys, &store.layout().path(snapshot))
        .map_err(|error| failed(error.into()))?;
    let load = || {
        let read = || manifest::read(&cx.sys, &path);
        cx.try_step(Step::LoadManifest.of(snapshot), read)
            .map_err(failed)
    };
    let read_before = if cx.design.locks_manifest_before_reading() {
        None
    } else {
        Some(load()?)
    };
    let lock = cx.try_step(Step::LockManifest.of(snapshot), || {
        store.lock_manifest(&cx.sys, cx.design, snapshot)
    });
    held.manifest = Some(lock.map_err(|source| {
        let what = what();
        if source.is_conflict() {
            SetNotesError::Busy { what, source }
        } else {
            SetNotesError::Lock { what, source }
        }
    })?);
    let mut manifest = match read_before {
        Some(manifest) => manifest,
        None => load()?,
    };
    manifest.set_notes(&settings.notes);
    cx.try_step(Step::WriteManifest.of(snapshot), || {
        manifest.write(&cx.sys, &path, store.files())
    })
    .map_err(failed)?;
    cx.step(Step::UnlockManifest.of(snapshot), || held.manifest = None);
    Ok(())
}
