//! A step label with its argument, and the row of the step table that describes it.

use crate::design::{Change, Design};
use crate::event::{Cut, Outcome};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Op;
use crate::ops::{
    access_chunk, backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_notes,
    set_owner, take_lock, take_namespace_lock, verify,
};
use derive_more::From;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A step of some operation: one row of one table.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, From, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A step of garbage collection.
    Gc(gc::Step),
    /// A step of moving a group.
    MoveGroup(move_group::Step),
    /// A step of taking one lock file.
    TakeLock(take_lock::Step),
    /// A step of a backup session.
    Backup(backup::Step),
    /// A step of removing a snapshot.
    ForgetSnapshot(forget_snapshot::Step),
    /// A step of pruning a group.
    Prune(prune::Step),
    /// A step of verifying a group.
    Verify(verify::Step),
    /// A step of changing the notes of a snapshot.
    SetNotes(set_notes::Step),
    /// A step of accessing one chunk.
    AccessChunk(access_chunk::Step),
    /// A step of changing the owner of a group.
    SetOwner(set_owner::Step),
    /// A step of removing a namespace.
    DeleteNamespace(delete_namespace::Step),
    /// A step of taking the locks of namespaces.
    TakeNamespaceLock(take_namespace_lock::Step),
}

/// A step, and what it is about. `A` is a small id in the model, a path in the implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label<A> {
    /// The step.
    pub step: Step,
    /// What it is about; none of a step that is about nothing in particular.
    pub of: Option<A>,
}

/// Makes a label of a step, be it of one operation or of any.
pub trait ToLabel: Into<Step> {
    /// The step is about this, unless its row says that it is about nothing.
    fn of<A>(self, of: A) -> Label<A> {
        let step = self.into();
        let of = step.row().has_object.then_some(of);
        Label { step, of }
    }
}

impl<S: Into<Step>> ToLabel for S {}

/// A step that is about nothing in particular.
impl<A, S: Into<Step>> From<S> for Label<A> {
    fn from(step: S) -> Self {
        let (step, of) = (step.into(), None);
        Self { step, of }
    }
}

impl<'a, A: fmt::Display> From<Label<&'a A>> for Label<&'a dyn fmt::Display> {
    fn from(label: Label<&'a A>) -> Self {
        label.map(|of| -> &dyn fmt::Display { of })
    }
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
    /// The step.
    pub step: Step,
    /// Whether the step is about a thing of the datastore, which its label then names.
    pub has_object: bool,
    /// What the step does, in one sentence.
    pub sentence: &'static str,
    /// The calls that may be made inside the step.
    pub calls: &'static [Call],
    /// What it does to a lock.
    pub lock: Option<LockUse>,
    /// Whether it lets every lock go that the operation has.
    pub releases_all: bool,
    /// How it can end.
    pub outcomes: &'static [Outcome],
    /// The designs that have it.
    pub designs: Designs,
    /// The function of Proxmox Backup that does it.
    pub upstream: &'static str,
}

impl Row {
    /// The row of a step that makes no call, uses no lock, succeeds, and is in every design.
    pub(crate) const fn new(step: Step, sentence: &'static str) -> Self {
        Self {
            step,
            has_object: true,
            sentence,
            calls: &[],
            lock: None,
            releases_all: false,
            outcomes: &[Outcome::Done],
            designs: Designs::All,
            upstream: "",
        }
    }

    /// The step is about nothing in particular.
    pub(crate) const fn about_nothing(self) -> Self {
        Self {
            has_object: false,
            ..self
        }
    }

    /// With the calls that may be made inside the step.
    pub(crate) const fn calls(self, calls: &'static [Call]) -> Self {
        Self { calls, ..self }
    }

    const fn uses(self, lock: LockUse) -> Self {
        let lock = Some(lock);
        Self { lock, ..self }
    }

    /// Takes a lock and keeps it.
    pub(crate) const fn takes(self, class: LockClass, mode: Mode, wait: Wait) -> Self {
        self.uses(LockUse::Take(class, mode, wait))
    }

    /// Takes a lock and lets it go within the step.
    pub(crate) const fn takes_within(self, class: LockClass, mode: Mode, wait: Wait) -> Self {
        self.uses(LockUse::Within(class, mode, wait))
    }

    /// Lets a lock go.
    pub(crate) const fn releases(self, class: LockClass) -> Self {
        self.uses(LockUse::Release(class))
    }

    /// Lets every lock go that the operation has.
    pub(crate) const fn releases_all(self) -> Self {
        Self {
            releases_all: true,
            ..self
        }
    }

    /// Removes the file of a lock from the lock directory.
    pub(crate) const fn unlinks(self, class: LockClass) -> Self {
        self.uses(LockUse::Unlink(class))
    }

    /// With the ways in which the step can end.
    pub(crate) const fn ends(self, outcomes: &'static [Outcome]) -> Self {
        Self { outcomes, ..self }
    }

    /// In designs with a change only.
    pub(crate) const fn only_with(self, change: Change) -> Self {
        let designs = Designs::With(change);
        Self { designs, ..self }
    }

    /// In designs without a change only.
    pub(crate) const fn only_without(self, change: Change) -> Self {
        let designs = Designs::Without(change);
        Self { designs, ..self }
    }

    /// With the function of Proxmox Backup that does it.
    pub(crate) const fn published(self, upstream: &'static str) -> Self {
        Self { upstream, ..self }
    }

    /// Whether the step can end with [`Outcome::Vanished`] beside what the row says, where its calls are looked at one
    /// by one: a design that does not try again finds that the file is no longer at the path, and gives up.
    pub fn may_vanish(&self, design: Design) -> bool {
        self.step.compares_lock_file() && !design.locks_again_what_vanished()
    }
}

impl Step {
    /// The operation, the name of the step, and its number in the table of the operation.
    const fn parts(self) -> (Op, &'static str, usize) {
        match self {
            Self::Gc(step) => (Op::Gc, step.into_str(), step as usize),
            Self::MoveGroup(step) => (Op::MoveGroup, step.into_str(), step as usize),
            Self::TakeLock(step) => (Op::TakeLock, step.into_str(), step as usize),
            Self::Backup(step) => (Op::Backup, step.into_str(), step as usize),
            Self::ForgetSnapshot(step) => (Op::ForgetSnapshot, step.into_str(), step as usize),
            Self::Prune(step) => (Op::Prune, step.into_str(), step as usize),
            Self::Verify(step) => (Op::Verify, step.into_str(), step as usize),
            Self::SetNotes(step) => (Op::SetNotes, step.into_str(), step as usize),
            Self::AccessChunk(step) => (Op::AccessChunk, step.into_str(), step as usize),
            Self::SetOwner(step) => (Op::SetOwner, step.into_str(), step as usize),
            Self::DeleteNamespace(step) => (Op::DeleteNamespace, step.into_str(), step as usize),
            Self::TakeNamespaceLock(step) => {
                (Op::TakeNamespaceLock, step.into_str(), step as usize)
            }
        }
    }

    /// The operation.
    pub const fn op(self) -> Op {
        self.parts().0
    }

    /// Name of the step, without its operation.
    pub const fn name(self) -> &'static str {
        self.parts().1
    }

    /// The operation and the step, as in `gc.lock_journal`.
    pub fn full_name(self) -> String {
        format!("{}.{}", self.op().name(), self.name())
    }

    /// Number of the step's row in the table of its operation.
    pub const fn position(self) -> usize {
        self.parts().2
    }

    /// The row of the step's table.
    pub const fn row(self) -> &'static Row {
        &self.op().table()[self.position()]
    }

    /// Whether the step takes a lock by its file, which may be unlinked meanwhile and so is compared with the path.
    ///
    /// The micro-operation `take_lock` has a step for each call instead, and the file of a namespace is never unlinked.
    pub const fn compares_lock_file(self) -> bool {
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
}

impl<A> Label<A> {
    /// Applies `f` to what the step is about.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Label<B> {
        Label {
            step: self.step,
            of: self.of.map(f),
        }
    }
}

impl<A: fmt::Display> fmt::Display for Label<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step.op().name(), self.step.name())?;
        match &self.of {
            Some(of) => write!(f, "({of})"),
            None => Ok(()),
        }
    }
}
