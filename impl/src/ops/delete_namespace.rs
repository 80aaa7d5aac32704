//! `delete_namespace`: removes a namespace with all groups and namespaces in it, the deepest first.
//!
//! # Race fixed
//!
//! A backup, a move or another removal begins or ends in the namespace while it is taken apart. What is
//! used stays, nothing of it comes back once it is gone, and nobody loses a group that he has locked.
//!
//! # Protocol
//!
//! 1. With locks of namespaces: lock the namespace exclusively, and share those above it. Whoever works in
//!    it or below it makes the call give up.
//! 2. List the namespaces below it. For each, the deepest first, and then for itself:
//! 3. Lock each group, which is only tried, and remove its snapshots one by one as
//!    [`forget_snapshot`] does, unless they are protected, which is looked at before and then under their locks. A protected one stays, and so does its group; an empty group goes with its
//!    lock file, while the lock is held. A group that is locked by its directory stays, and with it its
//!    namespace.
//! 4. Remove the type directories, the directory of child namespaces, and that of the namespace. Each goes
//!    only if it is empty.
//! 5. With locks of namespaces: let them go.
//!
//! > A directory of a namespace goes only when nothing is left in it, and whoever creates a group does not
//! > bring it back.
//!
//! Without the lock of a group, a backup to it loses its directory: see the mutant
//! `delete_namespace.lock_group/skip`.
//!
//! A group that is busy ends the call; what is removed stays removed, and a later call goes on. The same
//! is true of a crash. The published design also gives up when somebody else has removed what it listed,
//! and whoever creates a group there brings the namespace back.
//!
//! Not covered: object stores, and a namespace that keeps its groups.

use crate::datastore::Datastore;
use crate::error::{CallError, LockError};
use crate::group_directory;
use crate::listing::{self, child_directories, snapshot_times};
use crate::lock_file::LockGuard;
use crate::namespace_locks::NamespaceLocks;
use crate::ops::forget_snapshot::{self, ForgetError};
use crate::paths::{BackupType, Group, Namespace, Snapshot};
use crate::step::{Cx, Ending};
use crate::sys::{Label, Sys};
use specs::Outcome;
use specs::ToLabel as _;
use specs::lock_class::Mode;
use specs::ops::delete_namespace::Step;
use std::fmt::{self, Display};
use std::path::Path;

/// What is removed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace; not the root namespace.
    pub namespace: Namespace,
}

/// What a removal did.
#[derive(Debug, Default)]
#[must_use = "the namespace may still be there"]
pub struct Report {
    /// Namespaces that are removed, the deepest first.
    pub removed: Vec<Namespace>,
    /// Namespaces that stay, since something is in them.
    pub kept: Vec<Namespace>,
    /// Groups that are removed.
    pub groups: Vec<Group>,
    /// Snapshots that stay, since they are protected.
    pub protected: Vec<Snapshot>,
    /// What kept lock files of removed snapshots from being removed.
    pub problems: Vec<ForgetError>,
}

impl Report {
    /// Whether there was no such namespace, or not any more: nothing was removed, and nothing stays.
    pub fn is_namespace_gone(&self) -> bool {
        self.removed.is_empty() && self.kept.is_empty()
    }
}

/// Why a removal gave up. What was removed before stays removed.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The root namespace cannot be removed; nothing was done.
    #[error("the root namespace cannot be removed; name one below it")]
    Root,
    /// Somebody else holds a lock; a later attempt can succeed with nothing mended.
    #[error("cannot lock {what}: {source}")]
    Busy {
        /// The namespace or the group.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// A snapshot could not be removed.
    #[error(transparent)]
    Snapshot(#[from] ForgetError),
    /// A directory or lock file cannot be reached.
    #[error("cannot remove {what}: {source}")]
    Failed {
        /// The namespace or the group.
        what: String,
        /// Why.
        source: CallError,
    },
}

impl DeleteError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Snapshot(error) => error.is_busy(),
            Self::Root | Self::Failed { .. } => false,
        }
    }
}

/// What is held, in the order of release.
struct Held<'a, S: Sys> {
    group: Option<LockGuard<'a, S>>,
    namespaces: NamespaceLocks<'a, S>,
}

/// Removes a namespace.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Report, DeleteError> {
    if settings.namespace == Namespace::ROOT {
        return Err(DeleteError::Root);
    }
    let path = store.layout().path(&settings.namespace);
    let link = store.refuse_links(&cx.sys, &path);
    link.map_err(|error| failed(&Named(&settings.namespace), error))?;
    let mut held = Held {
        group: None,
        namespaces: NamespaceLocks::none(),
    };
    let mut deletion = Deletion {
        cx,
        store,
        report: Report::default(),
    };
    match deletion.delete(&settings.namespace, &mut held) {
        Ok(()) => Ok(deletion.report),
        Err(error) => {
            cx.step(Step::ReleaseAll, || drop(held));
            Err(error)
        }
    }
}

struct Deletion<'a, S: Sys> {
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    report: Report,
}

impl<'a, S: Sys> Deletion<'a, S> {
    fn delete(&mut self, namespace: &Namespace, held: &mut Held<'a, S>) -> Result<(), DeleteError> {
        let (cx, store) = (self.cx, self.store);
        if cx.design.locks_namespaces() {
            held.namespaces
                .lock(cx, store, namespace, Mode::Exclusive, lock)
                .map_err(|e| not_locked(&Named(namespace), e))?;
        }
        for namespace in self.list_subtree(namespace)?.iter().rev() {
            if let Some(groups) = self.list_groups(namespace)? {
                for group in &groups {
                    self.delete_group(group, held)?;
                }
                self.remove_directories(namespace)?;
            }
        }
        held.namespaces
            .unlock(cx, |namespace| Step::UnlockNamespace.of(namespace));
        Ok(())
    }

    /// The namespace and those below it, each before those in it.
    fn list_subtree(&self, namespace: &Namespace) -> Result<Vec<Namespace>, DeleteError> {
        let cx = self.cx;
        let mut subtree = Vec::new();
        let mut next = vec![namespace.clone()];
        while let Some(namespace) = next.pop() {
            let path = self.store.layout().children(&namespace);
            let listing = match cx.try_step(Step::ListNamespaces.of(&namespace), || {
                listing::list(&cx.sys, &path)
            }) {
                Err(error) if error.is_not_found() => Vec::new(),
                listing => listing.map_err(|e| failed(&Named(&namespace), e))?,
            };
            let first = next.len();
            let names = child_directories(&listing);
            next.extend(names.filter_map(|name| namespace.child(name).ok()));
            next[first..].reverse();
            subtree.push(namespace);
        }
        Ok(subtree)
    }

    /// The groups of a namespace in their order; none if somebody else has removed it, which ends the
    /// removal as published.
    fn list_groups(&self, namespace: &Namespace) -> Result<Option<Vec<Group>>, DeleteError> {
        let cx = self.cx;
        let path = self.store.layout().path(namespace);
        match cx.try_step(Step::ListGroups.of(namespace), || {
            group_directory::list(&cx.sys, cx.design, namespace, &path)
        }) {
            Ok(mut groups) => {
                groups.sort_unstable();
                Ok(Some(groups))
            }
            Err(error) if error.is_not_found() && cx.design.skips_a_vanished_namespace() => {
                Ok(None)
            }
            Err(error) => Err(failed(&Named(namespace), error)),
        }
    }

    /// Removes a group, unless a snapshot stays in it.
    fn delete_group(&mut self, group: &Group, held: &mut Held<'a, S>) -> Result<(), DeleteError> {
        let (cx, store) = (self.cx, self.store);
        let path = store.layout().path(group);
        let lock = cx.try_step(Step::LockGroup.of(group), || {
            store.lock_group(&cx.sys, cx.design, group)
        });
        let lock = held.group.insert(lock.map_err(|e| not_locked(group, e))?);
        let listing = match cx.try_step(Step::ListGroup.of(group), || listing::list(&cx.sys, &path))
        {
            Err(error) if error.is_not_found() && cx.design.skips_a_vanished_namespace() => {
                cx.step(Step::UnlockGroup.of(group), || held.group = None);
                return Ok(());
            }
            listing => listing.map_err(|e| failed(group, e))?,
        };
        let protected = self.report.protected.len();
        for time in snapshot_times(&listing) {
            let snapshot = group.snapshot(time);
            if self.is_protected(&snapshot)? {
                self.report.protected.push(snapshot);
                continue;
            }
            let settings = forget_snapshot::Settings { snapshot };
            match forget_snapshot::run(cx, store, &settings) {
                Ok(removal) => {
                    let problem = removal.problem.map(|problem| *problem);
                    self.report.problems.extend(problem);
                }
                Err(ForgetError::Protected(snapshot)) => self.report.protected.push(snapshot),
                Err(error) => return Err(error.into()),
            }
        }
        let [list, unlink_owner, remove_group, unlink_lock] = [
            Step::ListGroupAgain,
            Step::UnlinkOwner,
            Step::RemoveGroup,
            Step::UnlinkGroupLock,
        ]
        .map(|step| step.of(group).into());
        let is_removed = if !cx.design.deletion_removes_groups(lock.is_directory()) {
            Ok(false)
        } else if cx.design.replaces_owner_file() {
            let labels = [list, unlink_owner, remove_group, unlink_lock];
            group_directory::remove_if_empty(cx, &path, lock, labels, |_| Ok(()))
        } else if self.report.protected.len() == protected {
            let labels = [unlink_owner, remove_group, unlink_lock];
            group_directory::remove_empty(cx, &path, lock, &[], labels)
        } else {
            Ok(false)
        };
        if is_removed.map_err(|e| failed(group, e))? {
            self.report.groups.push(group.clone());
        }
        cx.step(Step::UnlockGroup.of(group), || held.group = None);
        Ok(())
    }

    /// Whether a snapshot is protected; asked before any lock of it is taken.
    fn is_protected(&self, snapshot: &Snapshot) -> Result<bool, DeleteError> {
        let path = self.store.layout().protected(snapshot);
        let is_protected = self.cx.step_with(Step::CheckProtected.of(snapshot), || {
            let is_protected = group_directory::exists(&self.cx.sys, &path);
            let outcome = match is_protected {
                Ok(false) => Outcome::Done,
                Ok(true) | Err(_) => Outcome::Refused,
            };
            (is_protected, outcome)
        });
        is_protected.map_err(|error| failed(snapshot, error))
    }

    /// Removes the directories of a namespace that are empty.
    fn remove_directories(&mut self, namespace: &Namespace) -> Result<(), DeleteError> {
        let (cx, layout) = (self.cx, self.store.layout());
        let path = layout.path(namespace);
        let failed = |error| failed(&Named(namespace), error);
        let label = TypeDirectories(namespace);
        cx.step_with(Step::RemoveType.of(&label), || remove_types(&cx.sys, &path))
            .map_err(failed)?;
        let children = layout.children(namespace);
        let label = Children(namespace);
        cx.step_with(Step::RemoveChildren.of(&label), || {
            remove_if_empty(&cx.sys, &children)
        })
        .map_err(failed)?;
        let is_there = cx.step_with(Step::RemoveNamespace.of(namespace), || {
            remove_if_empty(&cx.sys, &path)
        });
        match is_there.map_err(failed)? {
            true => self.report.kept.push(namespace.clone()),
            false => self.report.removed.push(namespace.clone()),
        }
        Ok(())
    }
}

/// Removes the type directories of a namespace that are empty, and says how the step ended: one that
/// stays counts most, and one that was there more than those that were not.
fn remove_types<S: Sys>(sys: &S, namespace: &Path) -> (Result<(), CallError>, Outcome) {
    let mut outcome = Outcome::NotFound;
    for kind in BackupType::ALL {
        match remove_if_empty(sys, &namespace.join(kind.name())) {
            (Ok(_), Outcome::NotFound) => {}
            (Ok(_), Outcome::NotEmpty) => outcome = Outcome::NotEmpty,
            (Ok(_), _) if outcome == Outcome::NotEmpty => {}
            (Ok(_), done) => outcome = done,
            (Err(error), outcome) => return (Err(error), outcome),
        }
    }
    (Ok(()), outcome)
}

/// Removes a directory if it is empty; tells whether it is still there, and how the step ended.
fn remove_if_empty<S: Sys>(sys: &S, directory: &Path) -> (Result<bool, CallError>, Outcome) {
    let result = group_directory::remove(sys, directory);
    let outcome = match &result {
        Ok(()) => Outcome::Done,
        Err(error) => error.outcome().unwrap_or(Outcome::Refused),
    };
    let is_there = match result {
        Ok(()) => Ok(false),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) if error.is_not_empty() => Ok(true),
        Err(error) => Err(error),
    };
    (is_there, outcome)
}

/// The type directories of a namespace: a label shows the first of them.
struct TypeDirectories<'a>(&'a Namespace);

impl Display for TypeDirectories<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, BackupType::Vm.name())
    }
}

/// The directory of the child namespaces of a namespace, as a label shows it.
struct Children<'a>(&'a Namespace);

impl Display for Children<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/ns", self.0)
    }
}

/// A namespace, as an error names it.
struct Named<'a>(&'a Namespace);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "namespace {}", self.0)
    }
}

fn lock(namespace: &dyn Display, mode: Mode) -> Label<'_> {
    match mode {
        Mode::Exclusive => Step::LockNamespace.of(namespace),
        Mode::Shared => Step::LockAncestor.of(namespace),
    }
}

fn not_locked(what: &impl Display, error: LockError) -> DeleteError {
    match error {
        LockError::Missing(source) | LockError::Call(source) => failed(what, source),
        LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_) => {
            DeleteError::Busy {
                what: what.to_string(),
                source: error,
            }
        }
    }
}

fn failed(what: &impl Display, source: CallError) -> DeleteError {
    DeleteError::Failed {
        what: what.to_string(),
        source,
    }
}
