//! `forget_snapshot`: removes a snapshot, file by file, and its group if nothing is left in it.
//!
//! # Race fixed
//!
//! A reader, a verification or a running backup uses the snapshot, or somebody writes its manifest,
//! while its files go.
//!
//! # Protocol
//!
//! 1. Lock the snapshot and its manifest, look whether it is protected, list its files. A snapshot that moved there after
//!    the look is found to be protected by the listing.
//! 2. Unlink the manifest, then the other files, remove the directory, unlink both lock files while
//!    they are held.
//! 3. Try the lock of the group. If no snapshot is left, remove owner, notes and directory of the
//!    group, and unlink its lock file while it is held. A busy group stays, and so does one that cannot be removed or
//!    locked: whoever removes the next snapshot cleans up. The snapshot is removed in any case.
//!
//! Where directories are locked in the place of lock files, a lock goes with its directory, and the group stays:
//! whoever opened its directory before would get the lock of a group that is gone.
//!
//! > While a lock of a snapshot is held, no file of it is unlinked by anybody else.
//!
//! A crash leaves a part of the files and never a manifest without the others: an unfinished
//! snapshot. The published design unlinks the manifest where the listing has it.
//!
//! A backup that gives up removes its own snapshot in the same way, under the locks that its session
//! holds and that of the manifest. Whoever edits a manifest holds its lock alone, and not that of the
//! snapshot: an edit that has read the manifest writes it again when its files are half gone, and the
//! directory stays, as a snapshot that looks finished and is not whole. So a session that does not get
//! that lock leaves a snapshot whose manifest it has written: it is whole. Before that there is nothing
//! to read, so nobody writes, and the snapshot goes; the file of the lock stays with its holder. The
//! published design takes no lock, and unlinks the file of one that somebody may hold.
//!
//! Not covered: object stores, and directories inside a snapshot, which no backup makes.

use crate::datastore::Datastore;
use crate::error::{At, CallError, LockError, skip_not_found};
use crate::group_directory;
use crate::listing;
use crate::lock_file::LockGuard;
use crate::paths::{BackupTime, Group, Snapshot};
use crate::step::{Cx, Ending as _};
use crate::sys::{Entry, Sys};
use specs::Outcome;
use specs::ToLabel as _;
use specs::design::Change;
use specs::ops::forget_snapshot::Step;
use std::fmt::Display;

/// What is removed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The snapshot.
    pub snapshot: Snapshot,
}

/// What a removal did: the snapshot is gone.
#[derive(Debug, Default)]
pub struct Report {
    /// Whether the group was empty then, and is gone as well.
    pub is_group_removed: bool,
    /// What kept its lock files, or a group that may be empty, from being removed; the next removal in the group tries again.
    pub problem: Option<Box<ForgetError>>,
}

/// Why a snapshot was not removed, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// Somebody uses it; a later attempt can succeed with nothing mended.
    #[error("cannot lock {what}: {source}")]
    Busy {
        /// The snapshot, or its manifest.
        what: String,
        /// Who is in the way.
        source: LockError,
    },
    /// It is protected.
    #[error("snapshot {0} is protected; end its protection before you remove it")]
    Protected(Snapshot),
    /// It is not there.
    #[error("there is no snapshot {0}; it may have been removed or moved")]
    Gone(Snapshot),
    /// The snapshot is removed, and another one of its group vanished while that was looked at; the published design fails then.
    #[error("snapshot {removed} is removed, but {other} vanished while its group was listed")]
    OtherVanished {
        /// What is removed.
        removed: Box<Snapshot>,
        /// What somebody else has removed or moved.
        other: Box<Snapshot>,
    },
    /// A file or lock file cannot be reached. What was unlinked before stays unlinked.
    #[error("cannot remove {what}: {source}")]
    Failed {
        /// The snapshot, or its group.
        what: String,
        /// Why.
        source: CallError,
    },
}

impl ForgetError {
    /// Whether somebody else holds a lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Protected(_)
            | Self::Gone(_)
            | Self::OtherVanished { .. }
            | Self::Failed { .. } => false,
        }
    }

    fn not_locked(what: String, error: LockError) -> Self {
        match error {
            LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_) => {
                Self::Busy {
                    what,
                    source: error,
                }
            }
            LockError::Missing(source) | LockError::Call(source) => Self::Failed { what, source },
        }
    }

    fn failed(what: &impl Display) -> impl FnOnce(CallError) -> Self {
        move |source| Self::Failed {
            what: what.to_string(),
            source,
        }
    }
}

/// What is held, in the order of release.
struct Held<'a, S: Sys> {
    group: Option<LockGuard<'a, S>>,
    manifest: Option<LockGuard<'a, S>>,
    snapshot: Option<LockGuard<'a, S>>,
}

/// Removes a snapshot.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Report, ForgetError> {
    let mut held = Held {
        group: None,
        manifest: None,
        snapshot: None,
    };
    let removal = Removal {
        cx,
        store,
        snapshot: &settings.snapshot,
    };
    let path = store.layout().path(removal.snapshot);
    store
        .refuse_links(&cx.sys, &path)
        .map_err(ForgetError::failed(removal.snapshot))?;
    let result = removal.remove(&mut held);
    if result.is_err() {
        cx.step(Step::ReleaseAll, || drop(held));
    }
    result
}

/// What a backup session that gives up has of the snapshot that it created.
pub(super) struct Undo<'s, 'a, S: Sys> {
    /// The lock of the snapshot.
    pub(super) snapshot: &'s LockGuard<'a, S>,
    /// The lock of the group.
    pub(super) group: &'s LockGuard<'a, S>,
    /// The lock of the manifest, if the session has it; it is taken here otherwise.
    pub(super) manifest: &'s mut Option<LockGuard<'a, S>>,
    /// Whether the session has written the manifest.
    pub(super) is_manifest_written: bool,
    /// Where the published design puts the lock of the group, should it get it.
    pub(super) tried: &'s mut Option<LockGuard<'a, S>>,
}

/// What a backup that gives up removes: the snapshot that it created, under the locks of its
/// session, and the group if it is empty. The published design tries the lock of the group, which
/// the session has, and so leaves the group; should it get that lock, it is put into `tried`. A group that
/// is locked by its directory stays in any case.
pub(super) fn undo_backup<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &Datastore<S>,
    snapshot: &Snapshot,
    session: Undo<'_, 'a, S>,
) -> Result<(), ForgetError> {
    let removal = Removal {
        cx,
        store,
        snapshot,
    };
    let Undo {
        snapshot: lock,
        group,
        manifest,
        is_manifest_written,
        tried,
    } = session;
    let locks_manifest = cx.design.locks_manifest_of_a_failed_backup();
    if locks_manifest && manifest.is_none() {
        match removal.lock_manifest() {
            Ok(taken) => *manifest = Some(taken),
            Err(busy) if is_manifest_written => return Err(busy),
            // Nobody has read a manifest that was never written, so nobody writes one.
            Err(_) => {}
        }
    }
    let listing = removal.list(false)?;
    removal.unlink_files(&listing)?;
    let by_directory = lock.is_directory();
    if manifest.is_some() || !locks_manifest {
        removal.unlink_manifest_lock(manifest.as_ref(), by_directory)?;
    }
    if by_directory {
        return Ok(());
    }
    removal.unlink_snapshot_lock(lock)?;
    if cx.design.removes_group_of_a_failed_backup() {
        remove_group_if_empty(cx, store, snapshot.group(), group)?;
    } else {
        removal.lock_and_remove_group(tried, false)?;
    }
    Ok(())
}

/// Removes the directory of a group without snapshots, under its lock; tells whether it did.
pub(super) fn remove_group_if_empty<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    group: &Group,
    lock: &LockGuard<'_, S>,
) -> Result<bool, ForgetError> {
    remove_or_look(cx, store, group, lock, |_| Ok(())).map_err(ForgetError::failed(group))
}

/// The same, and what is left in a group that stays is looked at.
fn remove_or_look<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    group: &Group,
    lock: &LockGuard<'_, S>,
    look_at_rest: impl FnOnce(&[BackupTime]) -> Result<(), CallError>,
) -> Result<bool, CallError> {
    let labels = [
        Step::ListGroup,
        Step::UnlinkOwner,
        Step::RemoveGroup,
        Step::UnlinkGroupLock,
    ]
    .map(|step| step.of(group).into());
    let path = store.layout().path(group);
    group_directory::remove_if_empty(cx, &path, lock, labels, look_at_rest)
}

struct Removal<'a, 'b, S: Sys> {
    cx: &'a Cx<S>,
    store: &'b Datastore<S>,
    snapshot: &'b Snapshot,
}

impl<'a, S: Sys> Removal<'a, '_, S> {
    fn remove(&self, held: &mut Held<'a, S>) -> Result<Report, ForgetError> {
        let (cx, snapshot) = (self.cx, self.snapshot);
        let lock = cx.try_step(Step::LockSnapshot.of(snapshot), || {
            self.store.lock_snapshot(&cx.sys, cx.design, snapshot)
        });
        if let Err(LockError::Missing(_)) = lock {
            return Err(ForgetError::Gone(snapshot.clone()));
        }
        let name = || snapshot.to_string();
        held.snapshot = Some(lock.map_err(|e| ForgetError::not_locked(name(), e))?);
        // What the lock of the snapshot was taken by, those of its manifest and its group are.
        let by_directory = held.snapshot.as_ref().is_some_and(LockGuard::is_directory);
        held.manifest = Some(self.lock_manifest()?);
        if !cx.design.has(Change::ProtectionNotChecked) {
            self.check_protected()?;
        }
        let refuses = cx.design.finds_protection_in_the_listing();
        let listing = self.list(refuses)?;
        // What is removed is removed: nothing after that is an error.
        let mut report = Report::default();
        let unlocks_first = cx.design.has(Change::ForgetUnlocksBeforeRemoval);
        if unlocks_first {
            self.unlink_locks(held)?;
            self.unlock(held);
            self.unlink_files(&listing)?;
        } else {
            self.unlink_files(&listing)?;
            report.problem = self.unlink_locks(held).err().map(Box::new);
        }
        if cx.design.forget_removes_group(by_directory) {
            let lists_rest = !cx.design.skips_a_vanished_snapshot();
            match self.lock_and_remove_group(&mut held.group, lists_rest) {
                Ok(is_removed) => report.is_group_removed = is_removed,
                Err(error @ ForgetError::OtherVanished { .. }) => return Err(error),
                Err(problem) => report.problem = Some(Box::new(problem)),
            }
            if held.group.is_some() {
                cx.step(Step::UnlockGroup.of(snapshot.group()), || held.group = None);
            }
        }
        if !unlocks_first {
            self.unlock(held);
        }
        Ok(report)
    }

    fn lock_manifest(&self) -> Result<LockGuard<'a, S>, ForgetError> {
        let (cx, snapshot) = (self.cx, self.snapshot);
        cx.try_step(Step::LockManifest.of(snapshot), || {
            self.store.lock_manifest(&cx.sys, cx.design, snapshot)
        })
        .map_err(|e| ForgetError::not_locked(format!("the manifest of {snapshot}"), e))
    }

    fn check_protected(&self) -> Result<(), ForgetError> {
        let path = self.store.layout().protected(self.snapshot);
        let is_protected = self
            .cx
            .step_with(Step::CheckProtected.of(self.snapshot), || {
                let is_protected = group_directory::exists(&self.cx.sys, &path);
                let outcome = match is_protected {
                    Ok(false) => Outcome::Done,
                    Ok(true) | Err(_) => Outcome::Refused,
                };
                (is_protected, outcome)
            });
        if is_protected.map_err(ForgetError::failed(self.snapshot))? {
            return Err(ForgetError::Protected(self.snapshot.clone()));
        }
        Ok(())
    }

    /// The files of the snapshot; whoever asks for that is refused if one of them protects it.
    fn list(&self, refuses: bool) -> Result<Vec<Entry>, ForgetError> {
        let layout = self.store.layout();
        let (path, protected) = (layout.path(self.snapshot), layout.protected(self.snapshot));
        let protects = |entry: &Entry| protected.file_name() == Some(&entry.name);
        let listing = self.cx.step_with(Step::ListSnapshot.of(self.snapshot), || {
            let listing = listing::list(&self.cx.sys, &path);
            let outcome = match &listing {
                Ok(entries) if refuses && entries.iter().any(protects) => Outcome::Refused,
                Ok(_) => Outcome::Done,
                Err(error) => error.outcome().unwrap_or(Outcome::Refused),
            };
            (listing, outcome)
        });
        let entries = listing.map_err(|error| self.gone_or_failed(error))?;
        if refuses && entries.iter().any(protects) {
            return Err(ForgetError::Protected(self.snapshot.clone()));
        }
        Ok(entries)
    }

    /// The directory cannot be listed or removed: somebody else has removed or moved it, or something is wrong.
    fn gone_or_failed(&self, error: CallError) -> ForgetError {
        if error.is_not_found() {
            ForgetError::Gone(self.snapshot.clone())
        } else {
            ForgetError::failed(self.snapshot)(error)
        }
    }

    /// Unlinks what was listed, and removes the directory.
    fn unlink_files(&self, listing: &[Entry]) -> Result<(), ForgetError> {
        let (cx, snapshot) = (self.cx, self.snapshot);
        let directory = self.store.layout().path(snapshot);
        let manifest = self.store.layout().manifest(snapshot);
        let manifest_first = cx.design.removes_the_manifest_first();
        if manifest_first {
            cx.try_step(Step::UnlinkManifest.of(snapshot), || {
                cx.sys.unlink(&manifest).at("unlink", &manifest)
            })
            .or_else(skip_not_found)
            .map_err(ForgetError::failed(snapshot))?;
        }
        for entry in listing.iter().filter(|entry| !entry.is_dir) {
            let path = directory.join(&entry.name);
            if manifest_first && path == manifest {
                continue;
            }
            let label = format!("{snapshot}/{}", entry.name.display());
            cx.try_step(Step::UnlinkFile.of(&label), || {
                cx.sys.unlink(&path).at("unlink", &path)
            })
            .or_else(skip_not_found)
            .map_err(ForgetError::failed(snapshot))?;
        }
        cx.try_step(Step::RemoveSnapshot.of(snapshot), || {
            group_directory::remove(&cx.sys, &directory)
        })
        .map_err(|error| self.gone_or_failed(error))
    }

    /// Unlinks the lock files of a snapshot that is gone; a directory that was locked is gone with it.
    fn unlink_locks(&self, held: &Held<'a, S>) -> Result<(), ForgetError> {
        let by_directory = held.snapshot.as_ref().is_some_and(LockGuard::is_directory);
        self.unlink_manifest_lock(held.manifest.as_ref(), by_directory)?;
        held.snapshot
            .as_ref()
            .filter(|lock| !lock.is_directory())
            .map_or(Ok(()), |lock| self.unlink_snapshot_lock(lock))
    }

    /// Unlinks the lock file of a manifest that is gone; without its lock, as the published design does
    /// for a backup that gives up, it may be that of somebody else.
    fn unlink_manifest_lock(
        &self,
        lock: Option<&LockGuard<'_, S>>,
        by_directory: bool,
    ) -> Result<(), ForgetError> {
        let (cx, store) = (self.cx, self.store);
        cx.try_step(Step::UnlinkManifestLock.of(self.snapshot), || match lock {
            Some(lock) => lock.unlink(),
            None => {
                let (sys, snapshot) = (&cx.sys, self.snapshot);
                store.unlink_manifest_lock_not_held(sys, cx.design, snapshot, by_directory)
            }
        })
        .or_else(skip_not_found)
        .map_err(ForgetError::failed(self.snapshot))
    }

    fn unlink_snapshot_lock(&self, lock: &LockGuard<'_, S>) -> Result<(), ForgetError> {
        self.cx
            .try_step(Step::UnlinkSnapshotLock.of(self.snapshot), || lock.unlink())
            .or_else(skip_not_found)
            .map_err(ForgetError::failed(self.snapshot))
    }

    /// Removes the group if it is empty, unless somebody else has its lock. The guard is kept in
    /// `held`, where an error leaves it to the caller.
    fn lock_and_remove_group(
        &self,
        held: &mut Option<LockGuard<'a, S>>,
        lists_rest: bool,
    ) -> Result<bool, ForgetError> {
        let (cx, group) = (self.cx, self.snapshot.group());
        let lock = match cx.try_step(Step::LockGroup.of(group), || {
            self.store.lock_group(&cx.sys, cx.design, group)
        }) {
            Ok(lock) => &*held.insert(lock),
            Err(LockError::Call(error)) => return Err(ForgetError::failed(group)(error)),
            Err(
                LockError::WouldBlock(_)
                | LockError::TimedOut(_)
                | LockError::Vanished(_)
                | LockError::Missing(_),
            ) => return Ok(false),
        };
        let mut vanished = None;
        let is_removed = remove_or_look(cx, self.store, group, lock, |rest| {
            if lists_rest {
                vanished = self.list_rest(rest)?;
            }
            Ok(())
        })
        .map_err(ForgetError::failed(group))?;
        if let Some(other) = vanished {
            return Err(ForgetError::OtherVanished {
                removed: Box::new(self.snapshot.clone()),
                other: Box::new(other),
            });
        }
        cx.step(Step::UnlockGroup.of(group), || *held = None);
        Ok(is_removed)
    }

    /// Lists the files of what is left in the group, as the published look for snapshots does; the one that is gone by then, if one is.
    fn list_rest(&self, rest: &[BackupTime]) -> Result<Option<Snapshot>, CallError> {
        let cx = self.cx;
        for time in rest.iter().rev() {
            let other = self.snapshot.group().snapshot(*time);
            let path = self.store.layout().path(&other);
            match cx.try_step(Step::ListRemaining.of(&other), || {
                listing::list(&cx.sys, &path)
            }) {
                Err(error) if error.is_not_found() => return Ok(Some(other)),
                files => files?,
            };
        }
        Ok(None)
    }

    fn unlock(&self, held: &mut Held<'a, S>) {
        let cx = self.cx;
        cx.step(Step::UnlockManifest.of(self.snapshot), || {
            held.manifest = None;
        });
        cx.step(Step::UnlockSnapshot.of(self.snapshot), || {
            held.snapshot = None;
        });
    }
}
