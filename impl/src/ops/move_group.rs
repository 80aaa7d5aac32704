//! `move_group`: moves a group to another namespace, one rename a snapshot, each announced before.
//!
//! # Race fixed
//!
//! Two moves, a backup, a prune or a reader of the same snapshots at the same time; and garbage
//! collection that looks for a snapshot at either place while it is on its way (see
//! [`crate::journal`]).
//!
//! # Protocol
//!
//! 1. Lock the source group, check that the move is allowed, lock the target group and create it if need be.
//!    The locks of groups and snapshots are only tried: whoever meets another holder gives up with
//!    [`MoveError::Soft`]. With locks of namespaces, those of the source and of the target are shared
//!    before, to the end, and the whole group directory moves by one rename that nobody announces.
//! 2. For each batch, oldest first: lock its snapshots; for each snapshot lock its manifest, append
//!    the new paths of its index files to the journal, rename it, unlink the lock files of its old
//!    name; let the batch go. The lock of the manifest, which the published design does not take,
//!    keeps an update of the manifest from being half done when the snapshot leaves its name.
//! 3. Move the notes, remove the empty source group and its lock file, let both groups go.
//!
//! A process that locks directories in the place of lock files refuses: the lock of a directory would move with it.
//!
//! > Every snapshot is at exactly one place, and before it is at a new one, the journal says so.
//!
//! A crash leaves some snapshots moved and the others where they were, perhaps an empty source
//! group or one without an owner in the target, and an entry in the journal whose file is not
//! there. A second move with merging goes on.
//!
//! Not covered: object stores; whoever removes a snapshot without the lock of its group makes the
//! move fail half way, as published.

use crate::datastore::Datastore;
use crate::error::{At, CallError, skip_not_found};
use crate::group_directory;
use crate::journal::{self, Journal};
use crate::listing::{self, index_files, snapshot_times};
use crate::lock_file::{LockGuard, unlink_not_held};
use crate::namespace_locks::NamespaceLocks;
use crate::owner;
use crate::paths::{Group, Snapshot};
use crate::step::Cx;
use crate::sys::Sys;
use specs::ToLabel as _;
use specs::design::Change;
use specs::lock_class::Mode;
use specs::ops::move_group::Step;
use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

mod report;
mod target;

pub use report::{Existing, MoveError, Moved, Reason, Settings};
use report::{hard, not_locked};

/// What is held, in the order of release, and what an error path has to know.
struct Held<'a, S: Sys> {
    journal: Option<Journal<'a, S>>,
    manifest: Option<LockGuard<'a, S>>,
    snapshots: VecDeque<LockGuard<'a, S>>,
    // As recorded of a move that fails: the target first.
    target: Option<LockGuard<'a, S>>,
    source: Option<LockGuard<'a, S>>,
    source_namespaces: NamespaceLocks<'a, S>,
    target_namespaces: NamespaceLocks<'a, S>,
    /// Whether this move created the directory of the target group.
    is_target_new: bool,
    renamed: usize,
}

/// Moves a group.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Moved, MoveError> {
    let target = settings.source.in_namespace(settings.target.clone());
    let layout = store.layout();
    let mover = Mover {
        cx,
        store,
        settings,
        source_path: layout.path(&settings.source),
        target_path: layout.path(&target),
        target,
    };
    let mut held = Held {
        journal: None,
        manifest: None,
        snapshots: VecDeque::new(),
        source: None,
        target: None,
        source_namespaces: NamespaceLocks::none(),
        target_namespaces: NamespaceLocks::none(),
        is_target_new: false,
        renamed: 0,
    };
    for (what, path) in [
        (&settings.source, &mover.source_path),
        (&mover.target, &mover.target_path),
    ] {
        let link = store.refuse_links(&cx.sys, path);
        link.map_err(|error| hard(what, error.into()))?;
    }
    let result = if cx.design.renames_whole_group() {
        mover.move_whole(&mut held)
    } else {
        mover.move_snapshots(&mut held)
    };
    if result.is_err() {
        let is_unused = held.is_target_new && held.renamed == 0;
        if let (true, true, Some(lock)) = (
            cx.design.removes_group_of_a_failed_move(),
            is_unused,
            &held.target,
        ) {
            mover.remove_new_target(lock);
        }
        cx.step(Step::ReleaseAll, || drop(held));
    }
    result
}

struct Mover<'a, S: Sys> {
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    settings: &'a Settings,
    target: Group,
    source_path: PathBuf,
    target_path: PathBuf,
}

impl<'a, S: Sys> Mover<'a, S> {
    fn move_snapshots(&self, held: &mut Held<'a, S>) -> Result<Moved, MoveError> {
        let (cx, source) = (self.cx, &self.settings.source);
        let hard = |reason: Reason| hard(source, reason);

        held.source = Some(self.lock_source()?);
        cx.try_step(Step::CheckMove, || self.check_move())
            .map_err(hard)?;
        let owner = cx
            .try_step(Step::ReadOwner, || owner::read(&cx.sys, &self.source_path))
            .map_err(|e| hard(e.into()))?;
        self.open_target(held, &owner)?;

        let listing = cx
            .try_step(Step::ListSnapshots, || self.read_dir(&self.source_path))
            .map_err(|e| hard(e.into()))?;
        let mut snapshots: Vec<Snapshot> = snapshot_times(&listing)
            .into_iter()
            .map(|time| source.snapshot(time))
            .collect();
        let is_vain = snapshots.is_empty() && held.is_target_new;
        if is_vain && cx.design.removes_group_of_a_failed_move() {
            return Err(hard(Reason::Refused("there is no snapshot in it")));
        }
        if cx.design.has(Change::NewestMovesFirst) {
            snapshots.reverse();
        }
        if cx.design.has(Change::TargetUnlockedEarly) {
            cx.step(Step::UnlockTargetGroup, || held.target = None);
        }
        for batch in snapshots.chunks(self.settings.snapshot_locks.max(1)) {
            for snapshot in batch {
                let lock = cx.try_step(Step::LockSnapshot.of(snapshot), || {
                    self.store.lock_snapshot(&cx.sys, cx.design, snapshot)
                });
                held.snapshots
                    .push_back(lock.map_err(|error| not_locked(snapshot, error))?);
            }
            for (i, snapshot) in batch.iter().enumerate() {
                self.move_snapshot(held, i, snapshot)?;
            }
            for snapshot in batch {
                cx.step(Step::UnlockSnapshot.of(snapshot), || {
                    drop(held.snapshots.pop_front());
                });
            }
        }

        cx.try_step(Step::MoveNotes, || self.move_notes())
            .map_err(|e| hard(e.into()))?;
        let empty = cx
            .step_with(Step::ListSourceGroup, || {
                group_directory::list_if_empty(&cx.sys, &self.source_path)
            })
            .map_err(|e| hard(e.into()))?;
        if let Some(listing) = &empty {
            cx.try_step(Step::UnlinkOwner, || {
                group_directory::unlink_owner(&cx.sys, &self.source_path, listing)
            })
            .map_err(|e| hard(e.into()))?;
            cx.try_step(Step::RemoveSourceGroup, || {
                group_directory::remove(&cx.sys, &self.source_path)
            })
            .map_err(|e| hard(e.into()))?;
            self.unlink_source_lock(held)?;
        }
        cx.step(Step::UnlockSourceGroup, || held.source = None);
        if held.target.is_some() {
            cx.step(Step::UnlockTargetGroup, || held.target = None);
        }
        Ok(Moved {
            snapshots: held.renamed,
            is_source_removed: empty.is_some(),
        })
    }

    /// Locks the source group, by its lock file. Nothing that is locked by its directory can move.
    fn lock_source(&self) -> Result<LockGuard<'a, S>, MoveError> {
        let (cx, store, source) = (self.cx, self.store, &self.settings.source);
        let lock = cx.try_step(Step::LockSourceGroup, || {
            let by_directory = store.look_for_directories(&cx.sys, cx.design)?;
            if cx.design.is_before_moves() {
                return Err(Reason::Refused("this version has no moves"));
            }
            if by_directory {
                return Err(Reason::OldLocks(store.flag().map(Path::to_owned)));
            }
            let lock = store.lock_group_file(&cx.sys, cx.design, source);
            lock.map_err(Reason::Lock)
        });
        lock.map_err(|reason| match reason {
            Reason::Lock(error) => not_locked(source, error),
            Reason::Refused(_)
            | Reason::OldLocks(_)
            | Reason::Call(_)
            | Reason::Owner(_)
            | Reason::BadPath(_)
            | Reason::Append(_) => hard(source, reason),
        })
    }

    /// One snapshot of the batch, whose lock is number `i` of the locks that are held.
    fn move_snapshot(
        &self,
        held: &mut Held<'a, S>,
        i: usize,
        snapshot: &Snapshot,
    ) -> Result<(), MoveError> {
        let (cx, sys) = (self.cx, &self.cx.sys);
        let hard = |reason: Reason| hard(snapshot, reason);
        let time = snapshot.time().to_string();
        let (from, to) = (self.source_path.join(&time), self.target_path.join(&time));

        if cx.design.moves_under_manifest_lock() {
            let lock = cx.try_step(Step::LockManifest.of(snapshot), || {
                self.store.lock_manifest(sys, cx.design, snapshot)
            });
            held.manifest = Some(lock.map_err(|error| not_locked(snapshot, error))?);
        }
        let listing = cx
            .try_step(Step::ListSnapshot.of(snapshot), || self.read_dir(&from))
            .map_err(|e| hard(e.into()))?;
        let announced = if cx.design.has(Change::RecordSourcePath) {
            &from
        } else {
            &to
        };
        let paths: Vec<PathBuf> = index_files(&listing)
            .into_iter()
            .map(|name| announced.join(name))
            .collect();
        let lines = journal::encode(&paths).map_err(|e| hard(e.into()))?;

        if cx.design.has(Change::RenameBeforeAppend) {
            self.rename_snapshot(held, snapshot, &from, &to)?;
            self.append(held, snapshot, &lines)?;
        } else {
            self.append(held, snapshot, &lines)?;
            if !cx.design.renames_under_journal_lock() {
                self.unlock_journal(held);
            }
            self.rename_snapshot(held, snapshot, &from, &to)?;
        }
        self.unlock_journal(held);
        if cx.design.has(Change::CopyThenRemove) {
            cx.try_step(Step::RemoveSnapshot.of(snapshot), || {
                self.remove_copied(&from)
            })
            .map_err(|e| hard(e.into()))?;
        }
        cx.try_step(Step::UnlinkManifestLock.of(snapshot), || {
            match &held.manifest {
                Some(lock) => lock.unlink(),
                None => unlink_not_held(sys, &self.store.layout().manifest_lock(snapshot)),
            }
        })
        .or_else(skip_not_found)
        .map_err(|e| hard(e.into()))?;
        if held.manifest.is_some() {
            cx.step(Step::UnlockManifest.of(snapshot), || held.manifest = None);
        }
        let Some(lock) = held.snapshots.get(i) else {
            return Ok(());
        };
        cx.try_step(Step::UnlinkSnapshotLock.of(snapshot), || lock.unlink())
            .or_else(skip_not_found)
            .map_err(|e| hard(e.into()))
    }

    fn rename_snapshot(
        &self,
        held: &mut Held<'a, S>,
        snapshot: &Snapshot,
        from: &Path,
        to: &Path,
    ) -> Result<(), MoveError> {
        let copies = self.cx.design.has(Change::CopyThenRemove);
        self.cx
            .try_step(Step::RenameSnapshot.of(snapshot), || {
                if copies {
                    self.copy(from, to)
                } else {
                    self.rename(from, to)
                }
            })
            .map_err(|error| hard(snapshot, error.into()))?;
        held.renamed += 1;
        Ok(())
    }

    /// Announces what moves, and keeps the journal locked. A snapshot without an index file needs no entry.
    fn append(
        &self,
        held: &mut Held<'a, S>,
        what: &dyn Display,
        lines: &[u8],
    ) -> Result<(), MoveError> {
        let cx = self.cx;
        if lines.is_empty() || !cx.design.has_journal() {
            return Ok(());
        }
        let journal = cx
            .try_step(Step::LockJournal, || {
                self.store.lock_journal(&cx.sys, cx.design)
            })
            .map_err(|error| hard(what, error.into()))?;
        let journal = held.journal.insert(journal);
        cx.try_step(Step::AppendJournal.of(what), || {
            journal.append(lines, cx.design)
        })
        .map_err(|error| hard(what, error.into()))
    }

    /// Lets the journal go, if it is locked. After the rename, so that no drain can come between an entry and its rename.
    fn unlock_journal(&self, held: &mut Held<'a, S>) {
        if held.journal.is_some() {
            self.cx.step(Step::UnlockJournal, || held.journal = None);
        }
    }

    /// The designs that were never applied: one rename of the whole group, with one entry for its
    /// directory, or under the locks of both namespaces.
    fn move_whole(&self, held: &mut Held<'a, S>) -> Result<Moved, MoveError> {
        let (cx, source) = (self.cx, &self.settings.source);
        let hard = |reason: Reason| hard(source, reason);
        self.lock_namespaces(held)?;
        held.source = Some(self.lock_source()?);
        cx.try_step(Step::CheckMove, || self.check_move())
            .map_err(hard)?;
        held.target = Some(self.lock_target()?);
        let lines =
            journal::encode(std::slice::from_ref(&self.target_path)).map_err(|e| hard(e.into()))?;
        self.append(held, source, &lines)?;
        cx.try_step(Step::RenameGroup, || {
            let (path, files) = (&self.target_path, self.store.files());
            group_directory::make_type_directory(&cx.sys, cx.design, path, files.owner)?;
            self.rename(&self.source_path, &self.target_path)
        })
        .map_err(|e| hard(e.into()))?;
        self.unlock_journal(held);
        self.unlink_source_lock(held)?;
        cx.step(Step::UnlockSourceGroup, || held.source = None);
        cx.step(Step::UnlockTargetGroup, || held.target = None);
        held.source_namespaces
            .unlock(cx, |namespace| Step::UnlockSourceNamespace.of(namespace));
        held.target_namespaces
            .unlock(cx, |namespace| Step::UnlockTargetNamespace.of(namespace));
        Ok(Moved {
            snapshots: 0,
            is_source_removed: true,
        })
    }

    /// Shares the locks of both namespaces and of those above them, in the designs that have such locks.
    fn lock_namespaces(&self, held: &mut Held<'a, S>) -> Result<(), MoveError> {
        let (cx, store) = (self.cx, self.store);
        if !cx.design.locks_namespaces() {
            return Ok(());
        }
        let namespace = self.settings.source.namespace();
        held.source_namespaces
            .lock(cx, store, namespace, Mode::Shared, |namespace, _| {
                Step::LockSourceNamespace.of(namespace)
            })
            .map_err(|error| not_locked(&format!("namespace {namespace}"), error))?;
        let namespace = &self.settings.target;
        held.target_namespaces
            .lock(cx, store, namespace, Mode::Shared, |namespace, _| {
                Step::LockTargetNamespace.of(namespace)
            })
            .map_err(|error| not_locked(&format!("namespace {namespace}"), error))
    }

    fn unlink_source_lock(&self, held: &Held<'a, S>) -> Result<(), MoveError> {
        let Some(lock) = &held.source else {
            return Ok(());
        };
        self.cx
            .try_step(Step::UnlinkSourceGroupLock, || lock.unlink())
            .or_else(skip_not_found)
            .map_err(|error| hard(&self.settings.source, error.into()))
    }

    fn check_move(&self) -> Result<(), Reason> {
        if self.settings.source.namespace() == &self.settings.target {
            return Err(Reason::Refused("it is in that namespace already"));
        }
        if !group_directory::exists(
            &self.cx.sys,
            &self.store.layout().path(&self.settings.target),
        )? {
            return Err(Reason::Refused("the target namespace does not exist"));
        }
        if !group_directory::exists(&self.cx.sys, &self.source_path)? {
            return Err(Reason::Refused("there is no such group"));
        }
        if group_directory::exists(&self.cx.sys, &self.target_path)?
            && self.settings.existing == Existing::Refuse
        {
            return Err(Reason::Refused(
                "the target namespace has such a group, and merging is not allowed",
            ));
        }
        Ok(())
    }

    /// `rename`; a target that is not empty is there already, whichever of its two numbers the
    /// error has.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), CallError> {
        match self.cx.sys.rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(io::Error::from(io::ErrorKind::AlreadyExists))
            }
            result => result,
        }
        .at("rename", from)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), CallError> {
        let owner = self.store.files().owner;
        let made = self.cx.sys.mkdir(to, owner);
        made.at("create the directory", to)?;
        for entry in self.read_dir(from)? {
            let file = from.join(&entry.name);
            self.cx
                .sys
                .link(&file, &to.join(&entry.name))
                .at("link", &file)?;
        }
        Ok(())
    }

    fn remove_copied(&self, from: &Path) -> Result<(), CallError> {
        for entry in self.read_dir(from)? {
            let file = from.join(&entry.name);
            self.cx.sys.unlink(&file).at("unlink", &file)?;
        }
        group_directory::remove(&self.cx.sys, from)
    }

    fn move_notes(&self) -> Result<(), CallError> {
        let (from, to) = (
            self.source_path.join("notes"),
            self.target_path.join("notes"),
        );
        if group_directory::exists(&self.cx.sys, &from)?
            && !group_directory::exists(&self.cx.sys, &to)?
        {
            self.cx.sys.rename(&from, &to).at("rename", &from)?;
        }
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<crate::sys::Entry>, CallError> {
        listing::list(&self.cx.sys, path)
    }
}
