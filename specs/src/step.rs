//! A step label with its argument, and the row of the step table that describes it.

use crate::design::Design;
use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Op;
use crate::ops::{gc, move_group, take_lock};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A step of some operation. `A` is the argument: a small id in the model, a path in the implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// A step of garbage collection.
    Gc(gc::Step<A>),
    /// A step of moving a group.
    MoveGroup(move_group::Step<A>),
    /// A step of taking one lock file.
    TakeLock(take_lock::Step<A>),
}

/// A system call, or a call on an in-process lock, by the name of its method of `Sys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `openat` of an existing file.
    Open,
    /// `openat` with `O_CREAT | O_EXCL`.
    Create,
    /// `close`.
    Close,
    /// `flock`.
    Flock,
    /// `fcntl(F_SETLK)`.
    RecordLock,
    /// `fstat`.
    Fstat,
    /// `stat`.
    Stat,
    /// `link`.
    Link,
    /// `rename`.
    Rename,
    /// `renameat2` with `RENAME_NOREPLACE`.
    RenameNoReplace,
    /// `unlink`.
    Unlink,
    /// `mkdir`.
    Mkdir,
    /// `rmdir`.
    Rmdir,
    /// `openat` and `getdents64` of one directory.
    ReadDir,
    /// `pread` of a whole file.
    Read,
    /// `write` to a file opened with `O_APPEND`.
    Append,
    /// `ftruncate`.
    Ftruncate,
    /// `utimensat` with explicit times.
    Utimensat,
    /// `clock_gettime`.
    Now,
    /// Locking an in-process mutex.
    Mutex,
}

/// What a step does to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockUse {
    /// Takes it and keeps it.
    Take(LockClass, Mode, Wait),
    /// Takes it and lets it go within the step.
    Within(LockClass, Mode, Wait),
    /// Lets it go.
    Release(LockClass),
    /// Removes its file from the lock directory.
    Unlink(LockClass),
}

/// The designs that a row belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Designs {
    /// Every design.
    All,
    /// These only.
    Only(&'static [Design]),
    /// Every design but these.
    Except(&'static [Design]),
    /// The hardened design and those derived from it.
    Hardened,
    /// The published design only.
    Upstream,
}

impl Designs {
    /// Whether a design has the row.
    pub fn contains(self, design: Design) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.contains(&design),
            Self::Except(list) => !list.contains(&design),
            Self::Hardened => design.base() == Design::Hardened,
            Self::Upstream => design.base() == Design::Upstream,
        }
    }
}

/// One row of a step table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The label without its argument.
    pub step: Step<()>,
    /// What the step does, in one sentence.
    pub sentence: &'static str,
    /// The calls that may be made inside the step.
    pub calls: &'static [Call],
    /// What it does to a lock.
    pub lock: Option<LockUse>,
    /// How it can end.
    pub outcomes: &'static [Outcome],
    /// The designs that have it.
    pub designs: Designs,
    /// The function of Proxmox Backup that does it.
    pub upstream: &'static str,
}

impl<A> Step<A> {
    /// The operation.
    pub const fn op(&self) -> Op {
        match self {
            Self::Gc(_) => Op::Gc,
            Self::MoveGroup(_) => Op::MoveGroup,
            Self::TakeLock(_) => Op::TakeLock,
        }
    }

    /// Name of the step, without its operation.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gc(step) => step.name(),
            Self::MoveGroup(step) => step.name(),
            Self::TakeLock(step) => step.name(),
        }
    }

    /// The row of the step's table.
    pub const fn row(&self) -> &'static Row {
        match self {
            Self::Gc(step) => &gc::TABLE[step.position()],
            Self::MoveGroup(step) => &move_group::TABLE[step.position()],
            Self::TakeLock(step) => &take_lock::TABLE[step.position()],
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::Gc(step) => Step::Gc(step.map(f)),
            Self::MoveGroup(step) => Step::MoveGroup(step.map(f)),
            Self::TakeLock(step) => Step::TakeLock(step.map(f)),
        }
    }

    /// The label without its argument.
    pub fn kind(self) -> Step<()> {
        self.map(|_| ())
    }

    /// The argument, for steps that have one.
    pub fn argument(self) -> Option<A> {
        let mut argument = None;
        self.map(|a| argument = Some(a));
        argument
    }
}

impl<A: fmt::Display + Clone> fmt::Display for Step<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.op().name(), self.name())?;
        match self.clone().argument() {
            Some(argument) => write!(f, "({argument})"),
            None => Ok(()),
        }
    }
}
