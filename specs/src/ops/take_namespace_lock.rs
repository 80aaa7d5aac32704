//! `take_namespace_lock`: the locks of one namespace or of two, as a caller takes them; carries the mutants of the namespace locks.

use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::step::{Call, Designs, LOCK_FILE_CALLS, LockUse, Row};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Lock a namespace, exclusively.
    LockExclusive(A),
    /// Share the lock of a namespace.
    LockShared(A),
    /// Let the lock of a namespace go.
    UnlockNamespace(A),
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockExclusive(_) => 0,
            Self::LockShared(_) => 1,
            Self::UnlockNamespace(_) => 2,
            Self::ReleaseAll => 3,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockExclusive(_) => "lock_exclusive",
            Self::LockShared(_) => "lock_shared",
            Self::UnlockNamespace(_) => "unlock_namespace",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockExclusive(a) => Step::LockExclusive(f(a)),
            Self::LockShared(a) => Step::LockShared(f(a)),
            Self::UnlockNamespace(a) => Step::UnlockNamespace(f(a)),
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
        Self::TakeNamespaceLock(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::TakeNamespaceLock(step)
}

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockExclusive(())),
        sentence: "Takes the lock of the namespace exclusively, before those above it.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Namespace,
            Mode::Exclusive,
            Wait::No,
        )),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::All,
        upstream: "lock_namespace of v4 (never applied)",
    },
    Row {
        step: step(Step::LockShared(())),
        sentence: "Takes the lock of the namespace, or of one above it, shared, from the inside out, without the root namespace.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::All,
        upstream: "lock_namespace_shared of v4 (never applied)",
    },
    Row {
        step: step(Step::UnlockNamespace(())),
        sentence: "Closes the lock of a namespace, in the order in which they were taken.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets the locks go that were taken, in the order in which they were taken.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
];
