//! `prune`: removes the snapshots of a group that the keep options do not keep.
//!
//! # Race fixed
//!
//! None by itself: the list that it decides on is read without a lock, and every removal is a
//! [`forget_snapshot`] with its locks. It must not remove what a running backup builds on, and not
//! count a snapshot that may never be finished.
//!
//! # Protocol
//!
//! 1. With locks of namespaces: share that of the namespace and of those above it, to the end. If one is
//!    busy, the group is skipped. List the group, and the files of each snapshot, newest first.
//! 2. Decide by [`KeepOptions`].
//! 3. Remove what goes, oldest first. A removal that fails is told, and the next one follows.
//!
//! A snapshot that is gone by the time that it is looked at or removed was removed or moved by
//! somebody else, and is skipped. The published design fails then.
//!
//! A crash leaves what it leaves of one removal; the other snapshots are whole or gone.
//!
//! Not covered: somebody removes by hand, at the same time, what the options keep.

use crate::datastore::Datastore;
use crate::error::{CallError, LockError};
use crate::listing::{self, snapshot_times};
use crate::namespace_locks::NamespaceLocks;
use crate::ops::forget_snapshot::{self, ForgetError};
use crate::paths::{Group, Snapshot};
use crate::step::Cx;
use crate::sys::Sys;
use specs::ToLabel as _;
use specs::lock_class::Mode;
use specs::ops::prune::Step;

mod keep;

pub use keep::{Candidate, KeepOptions, Mark};

/// What is pruned.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group.
    pub group: Group,
    /// What stays.
    pub keep: KeepOptions,
}

/// What a prune did, newest snapshot first in each list.
#[derive(Debug, Default)]
pub struct Report {
    /// Snapshots that are removed.
    pub removed: Vec<Snapshot>,
    /// Snapshots that stay, and why.
    pub kept: Vec<(Snapshot, Mark)>,
    /// Snapshots that were to go and do not, and why: a lock is busy, the snapshot is protected, or
    /// somebody else removed or moved it.
    pub skipped: Vec<(Snapshot, ForgetError)>,
    /// Snapshots whose removal failed, and why: a warning each, and the job goes on.
    pub failed: Vec<(Snapshot, ForgetError)>,
    /// What kept lock files of removed snapshots, or their group, from being removed.
    pub problems: Vec<ForgetError>,
    /// Who was in the way if the lock of a namespace was busy: the group was skipped.
    pub busy_namespace: Option<LockError>,
    /// Whether there is no such group, or not any more.
    pub is_group_gone: bool,
}

/// Why a prune failed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The group is gone; the published design fails then.
    #[error("there is no group {0}; it may have been removed or moved")]
    GroupGone(Group),
    /// A snapshot vanished after it was listed; the published design fails then.
    #[error("snapshot {0} vanished while its group was listed")]
    SnapshotVanished(Snapshot),
    /// A call of the lock of a namespace failed; nothing was removed.
    #[error("cannot lock the namespace of {group}: {source}")]
    Lock {
        /// The group.
        group: Group,
        /// Why.
        source: LockError,
    },
    /// The group or a snapshot cannot be listed; nothing was removed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl PruneError {
    /// Whether somebody else holds a lock. A busy lock does not fail a prune, so this is never so.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::GroupGone(_) | Self::SnapshotVanished(_) | Self::Lock { .. } | Self::Call(_) => {
                false
            }
        }
    }
}

/// What is held.
struct Held<'a, S: Sys> {
    namespaces: NamespaceLocks<'a, S>,
}

/// Prunes a group.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Report, PruneError> {
    let path = store.layout().path(&settings.group);
    store.refuse_links(&cx.sys, &path)?;
    let mut held = Held {
        namespaces: NamespaceLocks::none(),
    };
    let result = match lock_namespaces(cx, store, &settings.group, &mut held) {
        Ok(()) => prune(cx, store, settings),
        Err(error) if error.is_conflict() => Ok(Report {
            busy_namespace: Some(error),
            ..Report::default()
        }),
        Err(source) => Err(PruneError::Lock {
            group: settings.group.clone(),
            source,
        }),
    };
    held.namespaces
        .unlock(cx, |namespace| Step::UnlockNamespace.of(namespace));
    result
}

/// Shares the locks of the namespace of a group and of those above it, in the designs that have such
/// locks.
fn lock_namespaces<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &Datastore<S>,
    group: &Group,
    held: &mut Held<'a, S>,
) -> Result<(), LockError> {
    if !cx.design.locks_namespaces() {
        return Ok(());
    }
    let namespace = group.namespace();
    held.namespaces
        .lock(cx, store, namespace, Mode::Shared, |namespace, _| {
            Step::LockNamespace.of(namespace)
        })
}

/// Prunes a group whose namespace is locked if need be.
fn prune<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Report, PruneError> {
    let Some(candidates) = list(cx, store, &settings.group)? else {
        return Ok(Report {
            is_group_gone: true,
            ..Report::default()
        });
    };
    let marks = settings.keep.decide(&candidates, cx.design);
    let mut report = Report::default();
    let mut going = Vec::new();
    for (candidate, mark) in candidates.iter().zip(marks) {
        let snapshot = settings.group.snapshot(candidate.time);
        match mark {
            Mark::Protected | Mark::Unfinished | Mark::Kept => report.kept.push((snapshot, mark)),
            Mark::Goes => going.push(snapshot),
        }
    }
    for snapshot in going.into_iter().rev() {
        let settings = forget_snapshot::Settings { snapshot };
        let result = forget_snapshot::run(cx, store, &settings);
        let snapshot = settings.snapshot;
        match result {
            Ok(removal) => {
                report.removed.push(snapshot);
                report
                    .problems
                    .extend(removal.problem.map(|problem| *problem));
            }
            Err(error @ (ForgetError::Busy { .. } | ForgetError::Protected(_))) => {
                report.skipped.push((snapshot, error));
            }
            Err(error @ ForgetError::Gone(_)) => report.skipped.push((snapshot, error)),
            Err(error @ ForgetError::OtherVanished { .. }) => {
                report.removed.push(snapshot);
                report.problems.push(error);
            }
            Err(error @ ForgetError::Failed { .. }) => {
                report.failed.push((snapshot, error));
            }
        }
    }
    report.removed.reverse();
    report.skipped.reverse();
    report.failed.reverse();
    Ok(report)
}

/// The snapshots of a group, newest first, without those that vanish meanwhile; none if the group is gone.
fn list<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    group: &Group,
) -> Result<Option<Vec<Candidate>>, PruneError> {
    let path = store.layout().path(group);
    let skips = cx.design.skips_a_vanished_snapshot();
    let listing = match cx.try_step(Step::ListGroup.of(group), || listing::list(&cx.sys, &path)) {
        Err(error) if error.is_not_found() && skips => return Ok(None),
        Err(error) if error.is_not_found() => return Err(PruneError::GroupGone(group.clone())),
        listing => listing?,
    };
    let mut candidates = Vec::new();
    for time in snapshot_times(&listing).into_iter().rev() {
        let snapshot = group.snapshot(time);
        let path = store.layout().path(&snapshot);
        let files = match cx.try_step(Step::ListSnapshot.of(&snapshot), || {
            listing::list(&cx.sys, &path)
        }) {
            Err(error) if error.is_not_found() && skips => continue,
            Err(error) if error.is_not_found() => {
                return Err(PruneError::SnapshotVanished(snapshot));
            }
            files => files?,
        };
        let has = |path: std::path::PathBuf| {
            let name = path.file_name();
            files.iter().any(|file| Some(file.name.as_os_str()) == name)
        };
        candidates.push(Candidate {
            time,
            is_finished: has(store.layout().manifest(&snapshot)),
            is_protected: has(store.layout().protected(&snapshot)),
        });
    }
    Ok(Some(candidates))
}
