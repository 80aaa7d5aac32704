//! A step label with its argument, and the row of the step table that describes it.

use crate::design::{Change, Design};
use crate::event::{Cut, Outcome};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Op;
use crate::ops::{
    access_chunk, backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_notes,
    set_owner, take_lock, take_namespace_lock, verify,
};
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
    /// A step of a backup session.
    Backup(backup::Step<A>),
    /// A step of removing a snapshot.
    ForgetSnapshot(forget_snapshot::Step<A>),
    /// A step of pruning a group.
    Prune(prune::Step<A>),
    /// A step of verifying a group.
    Verify(verify::Step<A>),
    /// A step of changing the notes of a snapshot.
    SetNotes(set_notes::Step<A>),
    /// A step of accessing one chunk.
    AccessChunk(access_chunk::Step<A>),
    /// A step of changing the owner of a group.
    SetOwner(set_owner::Step<A>),
    /// A step of removing a namespace.
    DeleteNamespace(delete_namespace::Step<A>),
    /// A step of taking the locks of namespaces.
    TakeNamespaceLock(take_namespace_lock::Step<A>),
}

impl Call {
    /// A file comes to its place whole: it is written under a temporary name, and linked.
    pub const NEW_WHOLE_FILE: &'static [Self] = &[
        Self::Create,
        Self::Append,
        Self::Link,
        Self::Unlink,
        Self::Close,
    ];
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

/// How the lock of a file ends that is only tried; the file may be made, and there may be no inode for it.
pub const TRIED: &[Outcome] = &[
    Outcome::Done,
    Outcome::WouldBlock,
    Outcome::NoSpace(Cut::Nothing),
];

/// The same of what may be gone, which whoever locks directories finds out.
pub const TRIED_IF_THERE: &[Outcome] = &[
    Outcome::Done,
    Outcome::WouldBlock,
    Outcome::NotFound,
    Outcome::NoSpace(Cut::Nothing),
];

/// The same where the operation may be refused before it tries.
pub const TRIED_UNLESS_REFUSED: &[Outcome] = &[
    Outcome::Done,
    Outcome::WouldBlock,
    Outcome::Refused,
    Outcome::NoSpace(Cut::Nothing),
];

/// How the lock of a file ends that is waited for.
pub const WAITED_FOR: &[Outcome] = &[
    Outcome::Done,
    Outcome::TimedOut,
    Outcome::NoSpace(Cut::Nothing),
];

/// The calls of a step that takes a lock file in one step, without the window in which it has no owner.
pub const LOCK_FILE_CALLS: &[Call] = &[
    Call::Mkdir,
    Call::Open,
    Call::Create,
    Call::RenameNoReplace,
    Call::Unlink,
    Call::Flock,
    Call::Fstat,
    Call::Stat,
    Call::Close,
];

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

impl LockUse {
    /// How long a design waits for the lock; none if it is not taken here.
    pub const fn wait(self, design: Design) -> Option<Wait> {
        match self {
            Self::Take(LockClass::Namespace, ..) | Self::Within(LockClass::Namespace, ..) => {
                Some(design.namespace_wait())
            }
            Self::Take(_, _, wait) | Self::Within(_, _, wait) => Some(wait),
            Self::Release(_) | Self::Unlink(_) => None,
        }
    }
}

/// The designs that a row belongs to: a row is there with a change, or without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Designs {
    /// Every design.
    All,
    /// Those with this change.
    With(Change),
    /// Those without it.
    Without(Change),
}

impl Designs {
    /// Whether a design has the row.
    pub const fn contains(self, design: Design) -> bool {
        match self {
            Self::All => true,
            Self::With(change) => design.has(change),
            Self::Without(change) => !design.has(change),
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

impl Row {
    /// Whether the step can end with [`Outcome::Vanished`] beside what the row says, where its calls are looked at one
    /// by one: a design that does not try again finds that the file is no longer at the path, and gives up.
    pub fn may_vanish(&self, design: Design) -> bool {
        self.step.compares_lock_file() && !design.locks_again_what_vanished()
    }
}

impl<A> Step<A> {
    /// The operation.
    pub const fn op(&self) -> Op {
        match self {
            Self::Gc(_) => Op::Gc,
            Self::MoveGroup(_) => Op::MoveGroup,
            Self::TakeLock(_) => Op::TakeLock,
            Self::Backup(_) => Op::Backup,
            Self::ForgetSnapshot(_) => Op::ForgetSnapshot,
            Self::Prune(_) => Op::Prune,
            Self::Verify(_) => Op::Verify,
            Self::SetNotes(_) => Op::SetNotes,
            Self::AccessChunk(_) => Op::AccessChunk,
            Self::SetOwner(_) => Op::SetOwner,
            Self::DeleteNamespace(_) => Op::DeleteNamespace,
            Self::TakeNamespaceLock(_) => Op::TakeNamespaceLock,
        }
    }

    /// Name of the step, without its operation.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gc(step) => step.name(),
            Self::MoveGroup(step) => step.name(),
            Self::TakeLock(step) => step.name(),
            Self::Backup(step) => step.name(),
            Self::ForgetSnapshot(step) => step.name(),
            Self::Prune(step) => step.name(),
            Self::Verify(step) => step.name(),
            Self::SetNotes(step) => step.name(),
            Self::AccessChunk(step) => step.name(),
            Self::SetOwner(step) => step.name(),
            Self::DeleteNamespace(step) => step.name(),
            Self::TakeNamespaceLock(step) => step.name(),
        }
    }

    /// The operation and the step, as in `gc.lock_journal`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.op().name(), self.name())
    }

    /// Number of the step's row in the table of its operation.
    pub const fn position(&self) -> usize {
        match self {
            Self::Gc(step) => step.position(),
            Self::MoveGroup(step) => step.position(),
            Self::TakeLock(step) => step.position(),
            Self::Backup(step) => step.position(),
            Self::ForgetSnapshot(step) => step.position(),
            Self::Prune(step) => step.position(),
            Self::Verify(step) => step.position(),
            Self::SetNotes(step) => step.position(),
            Self::AccessChunk(step) => step.position(),
            Self::SetOwner(step) => step.position(),
            Self::DeleteNamespace(step) => step.position(),
            Self::TakeNamespaceLock(step) => step.position(),
        }
    }

    /// The row of the step's table.
    pub const fn row(&self) -> &'static Row {
        &self.op().table()[self.position()]
    }

    /// Whether the step takes a lock by its file, which may be unlinked meanwhile and so is compared with the path.
    ///
    /// The micro-operation `take_lock` has a step for each call instead, and the file of a namespace is never unlinked.
    pub const fn compares_lock_file(&self) -> bool {
        let class = match self.row().lock {
            Some(LockUse::Take(class, ..)) => class,
            Some(LockUse::Within(..) | LockUse::Release(_) | LockUse::Unlink(_)) | None => {
                return false;
            }
        };
        let is_removed = matches!(
            class,
            LockClass::Group | LockClass::Snapshot | LockClass::Manifest
        );
        is_removed && !matches!(self, Self::TakeLock(_))
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::Gc(step) => Step::Gc(step.map(f)),
            Self::MoveGroup(step) => Step::MoveGroup(step.map(f)),
            Self::TakeLock(step) => Step::TakeLock(step.map(f)),
            Self::Backup(step) => Step::Backup(step.map(f)),
            Self::ForgetSnapshot(step) => Step::ForgetSnapshot(step.map(f)),
            Self::Prune(step) => Step::Prune(step.map(f)),
            Self::Verify(step) => Step::Verify(step.map(f)),
            Self::SetNotes(step) => Step::SetNotes(step.map(f)),
            Self::AccessChunk(step) => Step::AccessChunk(step.map(f)),
            Self::SetOwner(step) => Step::SetOwner(step.map(f)),
            Self::DeleteNamespace(step) => Step::DeleteNamespace(step.map(f)),
            Self::TakeNamespaceLock(step) => Step::TakeNamespaceLock(step.map(f)),
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
