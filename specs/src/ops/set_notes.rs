//! `set_notes`: changing the notes in the manifest of a snapshot.

use crate::event::Outcome;
use crate::id::{Namespace, Snapshot};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row, WAITED_FOR};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Lock the manifest.
    LockManifest(A),
    /// Read the manifest.
    LoadManifest(A),
    /// Write the notes.
    WriteManifest(A),
    /// Let the manifest go.
    UnlockManifest(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockManifest(_) => 0,
            Self::LoadManifest(_) => 1,
            Self::WriteManifest(_) => 2,
            Self::UnlockManifest(_) => 3,
            Self::ReleaseAll => 4,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockManifest(_) => "lock_manifest",
            Self::LoadManifest(_) => "load_manifest",
            Self::WriteManifest(_) => "write_manifest",
            Self::UnlockManifest(_) => "unlock_manifest",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockManifest(a) => Step::LockManifest(f(a)),
            Self::LoadManifest(a) => Step::LoadManifest(f(a)),
            Self::WriteManifest(a) => Step::WriteManifest(f(a)),
            Self::UnlockManifest(a) => Step::UnlockManifest(f(a)),
            Self::ReleaseAll => Step::ReleaseAll,
        }
    }

    /// The label without its argument.
    pub fn kind(self) -> Step<()> {
        self.map(|_| ())
    }
}

impl<A> From<Step<A>> for crate::Step<A> {
    fn from(step: Step<A>) -> Self {
        Self::SetNotes(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::SetNotes(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[Short {
    name: "notes",
    takes: &[Argument::Namespace, Argument::Snapshot],
    usage: "notes(NS,N), a namespace and the number of a snapshot",
    task: |_, arguments| match *arguments {
        [namespace, snapshot] => Some(Task::SetNotes {
            namespace: Namespace(namespace),
            snapshot: Snapshot(snapshot),
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockManifest(())),
        sentence: "Takes the lock of the manifest and waits up to 5 s for it; no lock of the snapshot is taken.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Manifest,
            Mode::Exclusive,
            Wait::Seconds(5),
        )),
        outcomes: WAITED_FOR,
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
    },
    Row {
        step: step(Step::LoadManifest(())),
        sentence: "Reads the manifest under its lock.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
    },
    Row {
        step: step(Step::WriteManifest(())),
        sentence: "Writes the manifest with the notes to a temporary file and renames it over the old one.",
        calls: &[Call::Create, Call::Append, Call::Rename, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupDir::update_manifest",
    },
    Row {
        step: step(Step::UnlockManifest(())),
        sentence: "Closes the lock of the manifest.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Manifest)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets the manifest go.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the guards",
    },
];
