//! `backup`: one backup session: locks, chunks, index files, manifest, finish, or abort.
//!
//! # Race fixed
//!
//! Nobody but the session knows its chunks before its index files have their names, and the chunks
//! that it reuses are kept by the previous snapshot alone. Garbage collection, a removal of that
//! snapshot and other backups to the group go on meanwhile.
//!
//! # Protocol
//!
//! 1. Lock the group, see that its namespace exists, see that the newest finished snapshot is older than the new one,
//!    share the lock of the previous snapshot, lock the new one; each name is locked before its directory is created, and looked at again under the lock.
//!    A namespace that is removed meanwhile is not made again. With locks of namespaces, the namespace
//!    and those above it are shared before the group is locked, until the end of the session.
//! 2. Share the process lock, which tells garbage collection of this process when the session began,
//!    and keeps that of others out.
//! 3. Send what the previous snapshot does not have. An index file gets its name when all its chunks
//!    are there. The manifest comes last and makes the snapshot a finished one.
//! 4. Make sure that the previous snapshot is still there, let it and the process lock go, note the
//!    statistics in the manifest, let the rest go.
//!
//! > Every chunk of the session is younger than its process lock, or named by the previous snapshot,
//! > until an index file of its own names it.
//!
//! Where directories are locked in the place of lock files, each is created first and locked then, and a group
//! stays that the session has created.
//!
//! A session that gives up removes the snapshot, and the group if that is empty then, under its own
//! locks and that of the manifest; one that somebody else keeps leaves a snapshot that is whole. A crash leaves an unfinished snapshot for the next prune. The published design creates
//! before it locks, and leaves a new directory or an empty group in some failures; it makes a namespace
//! again that was removed since it looked.
//!
//! Not covered: encryption, and the network.

use crate::blob;
use crate::chunk_store::{ChunkPath, InsertError, Inserted};
use crate::datastore::Datastore;
use crate::error::{At, LockError};
use crate::index::{self, Digest, IndexError, is_index_file};
use crate::listing::{self, snapshot_times};
use crate::lock_file::LockGuard;
use crate::manifest::{self, Manifest, ManifestError, Verdict};
use crate::namespace_locks::NamespaceLocks;
use crate::ops::forget_snapshot::{self, ForgetError, Undo};
use crate::owner::Owner;
use crate::paths::{BackupTime, Group, Snapshot};
use crate::process_lock::SharedProcessLock;
use crate::step::{Cx, Ending};
use crate::sys::{FlockError, Sys};
use archive::Writer;
use specs::Outcome;
use specs::ToLabel as _;
use specs::design::Change;
use specs::ops::backup::Step;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

mod archive;
mod group;
mod report;

pub use archive::Archive;
pub use report::{BackupError, Reason, Report, UploadStats};

/// What is backed up where.
#[derive(Clone)]
pub struct Settings<'a> {
    /// The group, in a namespace that exists.
    pub group: Group,
    /// Who makes the backup, and to whom the group belongs.
    pub owner: Owner,
    /// The time of the new snapshot.
    pub time: BackupTime,
    /// Its archives, which are written in the order of their names.
    pub archives: Vec<Archive>,
    /// Asked before each chunk; `true` ends the session.
    pub client_has_left: &'a dyn Fn() -> bool,
}

/// What is held, in the order of release, and what an error path has to know.
struct Held<'a, S: Sys> {
    index: Option<Writer<'a, S>>,
    previous: Option<Previous<'a, S>>,
    namespaces: NamespaceLocks<'a, S>,
    manifest: Option<LockGuard<'a, S>>,
    group: Option<LockGuard<'a, S>>,
    /// What the removal of the published design gets if it gets the lock of the group.
    tried: Option<LockGuard<'a, S>>,
    snapshot: Option<LockGuard<'a, S>>,
    store: Option<SharedProcessLock<'a, S>>,
    /// Whether this session created the directory of the snapshot.
    is_snapshot_new: bool,
    was_store_shared: bool,
    is_manifest_written: bool,
}

/// The previous snapshot, which stays as long as this is held.
struct Previous<'a, S: Sys> {
    _lock: LockGuard<'a, S>,
    snapshot: Snapshot,
}

/// Runs a backup session.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings<'_>,
) -> Result<Report, BackupError> {
    let snapshot = settings.group.snapshot(settings.time);
    let session = Session {
        cx,
        store,
        settings,
        archives: checked(&settings.archives)?,
        group_path: store.layout().path(&settings.group),
        snapshot_path: store.layout().path(&snapshot),
        snapshot,
    };
    let mut held = Held {
        index: None,
        previous: None,
        namespaces: NamespaceLocks::none(),
        manifest: None,
        group: None,
        tried: None,
        snapshot: None,
        store: None,
        is_snapshot_new: false,
        was_store_shared: false,
        is_manifest_written: false,
    };
    store
        .refuse_links(&cx.sys, &session.snapshot_path)
        .map_err(|e| session.failed(e))?;
    session.back_up(&mut held).map_err(|source| {
        let remains = session.undo(&mut held);
        cx.step(Step::ReleaseAll, || drop(held));
        match remains {
            Ok(()) => source,
            Err(remains) => BackupError::LeftRemains {
                source: Box::new(source),
                remains,
            },
        }
    })
}

/// The archives in the order of their names, if each is one that can be written.
fn checked(archives: &[Archive]) -> Result<Vec<&Archive>, BackupError> {
    let mut sorted: Vec<&Archive> = archives.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for (i, archive) in sorted.iter().enumerate() {
        let is_double = i > 0 && sorted[i - 1].name == archive.name;
        let checked = if is_double {
            Err("there are two of that name")
        } else {
            archive.check()
        };
        checked.map_err(|why| BackupError::Archive {
            name: archive.name.clone(),
            why,
        })?;
    }
    Ok(sorted)
}

/// Whether a backup may build on the snapshot of a manifest: its verification has not failed.
fn is_usable(manifest: &Manifest) -> bool {
    manifest.verify_state().map(|state| state.state) != Some(Verdict::Failed)
}

struct Session<'a, 'b, S: Sys> {
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    settings: &'b Settings<'b>,
    archives: Vec<&'b Archive>,
    snapshot: Snapshot,
    group_path: PathBuf,
    snapshot_path: PathBuf,
}

impl<'a, S: Sys> Session<'a, '_, S> {
    fn back_up(&self, held: &mut Held<'a, S>) -> Result<Report, BackupError> {
        let (cx, design) = (self.cx, self.cx.design);
        self.open_group(held)?;
        let previous = self.find_previous()?;
        if let Some((snapshot, _)) = &previous {
            self.lock_previous(snapshot, held)?;
        }
        self.create_snapshot(held)?;
        let shares_per_index = design.shares_store_lock_per_index();
        if !design.has(Change::StoreLockAfterFirstChunk) && !shares_per_index {
            self.share_store(held)?;
        }
        let mut report = Report {
            snapshot: self.snapshot.clone(),
            previous: held.previous.as_ref().map(|p| p.snapshot.clone()),
            reused_chunks: 0,
            upload: UploadStats::default(),
        };
        let mut known = match (previous, &held.previous) {
            (Some((snapshot, manifest)), Some(_)) => self.known_chunks(&snapshot, &manifest)?,
            _ => BTreeSet::new(),
        };

        let mut manifest = Manifest::new(&self.snapshot);
        for (i, archive) in self.archives.iter().enumerate() {
            if shares_per_index {
                self.share_store(held)?;
            }
            self.send(archive, held, &mut known, &mut report)?;
            if i + 1 == self.archives.len() && design.has(Change::PreviousUnlockedEarly) {
                self.let_previous_go(held)?;
            }
            self.close_index(archive, held, &mut manifest)?;
            if shares_per_index {
                cx.step(Step::UnlockStore, || held.store = None);
            }
        }
        if design.has(Change::StoreLockAfterFirstChunk) && held.store.is_none() {
            self.share_store(held)?;
        }

        let path = self.store.layout().manifest(&self.snapshot);
        let files = self.store.files();
        held.is_manifest_written = true;
        cx.try_step(Step::WriteManifest.of(&self.snapshot), || {
            manifest.write(&cx.sys, &path, files)
        })
        .map_err(|e| self.failed(e))?;
        self.let_previous_go(held)?;
        if held.store.is_some() {
            cx.step(Step::UnlockStore, || held.store = None);
        }
        self.note_statistics(&path, report.upload, held)?;
        cx.step(Step::UnlockSnapshot.of(&self.snapshot), || {
            held.snapshot = None;
        });
        cx.step(Step::UnlockGroup.of(&self.settings.group), || {
            held.group = None;
        });
        held.namespaces
            .unlock(cx, |namespace| Step::UnlockNamespace.of(namespace));
        Ok(report)
    }

    /// The newest finished snapshot with its manifest, unless its verification failed. The new one must be later, so that
    /// times are in the order of the backups; a prune and a merge of groups rely on that.
    fn find_previous(&self) -> Result<Option<(Snapshot, Manifest)>, BackupError> {
        let (cx, group) = (self.cx, &self.settings.group);
        let listing = cx
            .try_step(Step::ListGroup.of(group), || {
                listing::list(&cx.sys, &self.group_path)
            })
            .map_err(|e| self.failed(e))?;
        if !cx.design.skips_a_vanished_snapshot() {
            return self.newest_finished(&snapshot_times(&listing));
        }
        for time in snapshot_times(&listing).into_iter().rev() {
            let snapshot = group.snapshot(time);
            let path = self.store.layout().manifest(&snapshot);
            match cx.try_step(Step::ReadPreviousManifest.of(&snapshot), || {
                let manifest = manifest::read(&cx.sys, &path)?;
                self.refuse_later(&snapshot)?;
                Ok::<_, Reason>(manifest)
            }) {
                Ok(manifest) => return Ok(is_usable(&manifest).then_some((snapshot, manifest))),
                Err(Reason::Manifest(ManifestError::Call(error))) if error.is_not_found() => {}
                Err(reason) => return Err(self.failed(reason)),
            }
        }
        Ok(None)
    }

    /// The same as published: the files of all snapshots are listed first, and without one of them there is no previous snapshot.
    fn newest_finished(
        &self,
        times: &[BackupTime],
    ) -> Result<Option<(Snapshot, Manifest)>, BackupError> {
        let (cx, layout) = (self.cx, self.store.layout());
        let mut newest = None;
        for time in times.iter().rev() {
            let snapshot = self.settings.group.snapshot(*time);
            let path = layout.path(&snapshot);
            let files = match cx.try_step(Step::ListSnapshot.of(&snapshot), || {
                listing::list(&cx.sys, &path)
            }) {
                Err(error) if error.is_not_found() => return Ok(None),
                files => files.map_err(|e| self.failed(e))?,
            };
            let manifest = layout.manifest(&snapshot);
            let is_finished = files
                .iter()
                .any(|file| Some(file.name.as_os_str()) == manifest.file_name());
            if is_finished && newest.is_none() {
                newest = Some((snapshot, manifest));
            }
        }
        let Some((snapshot, path)) = newest else {
            return Ok(None);
        };
        let manifest = cx.try_step(Step::ReadPreviousManifest.of(&snapshot), || {
            let manifest = manifest::read(&cx.sys, &path)?;
            self.refuse_later(&snapshot)?;
            Ok::<_, Reason>(manifest)
        });
        let manifest = manifest.map_err(|e| self.failed(e))?;
        Ok(is_usable(&manifest).then_some((snapshot, manifest)))
    }

    /// Refuses a snapshot of the group that is not older than the new one.
    fn refuse_later(&self, snapshot: &Snapshot) -> Result<(), Reason> {
        match snapshot.time().cmp(&self.settings.time) {
            Ordering::Less => Ok(()),
            Ordering::Equal => Err(Reason::SameTime),
            Ordering::Greater => Err(Reason::NotLater(snapshot.clone())),
        }
    }

    /// Keeps the previous snapshot from being removed, if it is still there.
    fn lock_previous(
        &self,
        snapshot: &Snapshot,
        held: &mut Held<'a, S>,
    ) -> Result<(), BackupError> {
        let cx = self.cx;
        let lock = cx.try_step(Step::LockPrevious.of(snapshot), || {
            self.store
                .lock_snapshot_shared(&cx.sys, cx.design, snapshot)
        });
        let lock = match lock {
            // The lock is that of the directory, which is gone.
            Err(LockError::Missing(_)) if cx.design.rechecks_after_locking() => return Ok(()),
            result => result.map_err(|e| self.not_locked(snapshot, e))?,
        };
        held.previous = Some(Previous {
            _lock: lock,
            snapshot: snapshot.clone(),
        });
        if !cx.design.rechecks_after_locking() {
            return Ok(());
        }
        let path = self.store.layout().path(snapshot);
        match cx.try_step(Step::RecheckPrevious.of(snapshot), || {
            cx.sys.stat(&path).at("stat", &path)
        }) {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                cx.step(Step::DropPrevious.of(snapshot), || held.previous = None);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn create_snapshot(&self, held: &mut Held<'a, S>) -> Result<(), BackupError> {
        let (cx, snapshot) = (self.cx, &self.snapshot);
        let lock = || {
            cx.try_step(Step::LockSnapshot.of(snapshot), || {
                self.store.lock_snapshot(&cx.sys, cx.design, snapshot)
            })
            .map_err(|e| self.not_locked(snapshot, e))
        };
        let by_directory = held.group.as_ref().is_some_and(LockGuard::is_directory);
        let locks_first = cx.design.locks_before_it_creates() && !by_directory;
        let create = |is_new: &mut bool| {
            cx.try_step(Step::CreateSnapshot.of(snapshot), || {
                self.make_snapshot(is_new, by_directory, locks_first)
            })
            .map_err(|reason| self.failed(reason))
        };
        if locks_first {
            held.snapshot = Some(lock()?);
            create(&mut held.is_snapshot_new)?;
        } else {
            create(&mut held.is_snapshot_new)?;
            held.snapshot = Some(lock()?);
        }
        Ok(())
    }

    /// Makes the directory of the snapshot, and the lock file of its manifest: if there is no inode left for that, nothing
    /// has been sent, and the removal of the snapshot needs none.
    fn make_snapshot(
        &self,
        is_new: &mut bool,
        by_directory: bool,
        is_locked: bool,
    ) -> Result<(), Reason> {
        let (sys, path) = (&self.cx.sys, &self.snapshot_path);
        match sys.mkdir(path, self.store.files().owner) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Reason::Exists);
            }
            made => made.at("create the directory", path)?,
        }
        *is_new = true;
        if self.cx.design.makes_lock_of_manifest_first() {
            let design = self.cx.design;
            let snapshot = &self.snapshot;
            let lock = self
                .store
                .make_manifest_lock(sys, design, snapshot, by_directory);
            if lock.is_err() && !is_locked {
                // A session that has no lock on it removes nothing later.
                sys.rmdir(path).at("remove the directory", path)?;
                *is_new = false;
            }
            lock?;
        }
        Ok(())
    }

    fn share_store(&self, held: &mut Held<'a, S>) -> Result<(), BackupError> {
        let cx = self.cx;
        let lock = cx.try_step(Step::LockStore, || {
            self.store.process_lock().lock_shared(&cx.sys, cx.design)
        });
        held.store = Some(lock.map_err(|error| match error {
            FlockError::WouldBlock | FlockError::TimedOut => BackupError::StoreInUse,
            FlockError::Io(error) => self.failed(Reason::Lock(error)),
        })?);
        held.was_store_shared = true;
        Ok(())
    }

    /// The chunks that the previous snapshot names. They are not touched: its lock keeps them. An
    /// index file that is gone adds none.
    fn known_chunks(
        &self,
        previous: &Snapshot,
        manifest: &Manifest,
    ) -> Result<BTreeSet<Digest>, BackupError> {
        let files = manifest.files().iter().map(|file| file.filename.as_str());
        let mut names: Vec<&str> = files
            .filter(|name| is_index_file(Path::new(name)))
            .collect();
        names.sort_unstable();
        let mut known = BTreeSet::new();
        for name in names {
            let relative = format!("{previous}/{name}");
            let path = self.store.layout().path(&relative);
            match self.cx.try_step(Step::OpenPrevious.of(&relative), || {
                index::read(&self.cx.sys, &path)
            }) {
                Ok(index) => known.extend(index.digests()),
                Err(IndexError::Call(error)) if error.is_not_found() => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(known)
    }

    /// Inserts the chunks of an archive that are not known, and collects its entries.
    fn send(
        &self,
        archive: &Archive,
        held: &mut Held<'a, S>,
        known: &mut BTreeSet<Digest>,
        report: &mut Report,
    ) -> Result<(), BackupError> {
        let (cx, label) = (self.cx, self.index_label(archive));
        let path = self.snapshot_path.join(&archive.name);
        let writer = cx.try_step(Step::CreateIndex.of(&label), || {
            let (files, ctime) = (self.store.files(), self.settings.time.epoch());
            Writer::create(&cx.sys, archive, path, files, ctime)
        });
        held.index = Some(writer.map_err(|e| self.failed(e))?);
        for chunk in &archive.chunks {
            let digest = Digest::of(chunk);
            if known.contains(&digest) {
                report.reused_chunks += 1;
            } else {
                self.insert(digest, chunk, &mut report.upload)?;
                known.insert(digest);
                if cx.design.has(Change::StoreLockAfterFirstChunk) && held.store.is_none() {
                    self.share_store(held)?;
                }
            }
            if let Some(writer) = &mut held.index {
                let size = chunk.len() as u64;
                writer.add(digest, size).map_err(|e| self.failed(e))?;
            }
        }
        Ok(())
    }

    fn insert(
        &self,
        digest: Digest,
        chunk: &[u8],
        stats: &mut UploadStats,
    ) -> Result<(), BackupError> {
        let cx = self.cx;
        let blob = blob::encode_plain(chunk)
            .map_err(|source| self.failed(InsertError::Blob { digest, source }))?;
        let inserted = cx.step_with(Step::InsertChunk.of(&ChunkPath(digest)), || {
            if (self.settings.client_has_left)() {
                return (None, Outcome::Stopped);
            }
            let chunks = self.store.chunks();
            let inserted = chunks.insert(&cx.sys, digest, &blob, self.store.files());
            let outcome = match &inserted {
                Ok(Inserted::New | Inserted::Replaced { .. }) => Outcome::Done,
                Ok(Inserted::Duplicate { .. }) => Outcome::Exists,
                Err(error) => error.outcome().unwrap_or(Outcome::Refused),
            };
            (Some(inserted), outcome)
        });
        let inserted = inserted
            .ok_or_else(|| BackupError::ClientLeft(self.snapshot.clone()))?
            .map_err(|e| self.failed(e))?;
        stats.count += 1;
        stats.size += chunk.len() as u64;
        stats.compressed_size += blob.len() as u64;
        stats.duplicates += u64::from(matches!(inserted, Inserted::Duplicate { .. }));
        Ok(())
    }

    fn close_index(
        &self,
        archive: &Archive,
        held: &mut Held<'a, S>,
        manifest: &mut Manifest,
    ) -> Result<(), BackupError> {
        let label = self.index_label(archive);
        let Some(writer) = held.index.take() else {
            return Ok(());
        };
        let closed = self
            .cx
            .try_step(Step::CloseIndex.of(&label), || writer.close())
            .map_err(|e| self.failed(e))?;
        manifest.add_file(&archive.name, closed.size, closed.csum);
        Ok(())
    }

    /// Makes sure that the chunks that were reused were kept to the end, and ends that.
    fn let_previous_go(&self, held: &mut Held<'a, S>) -> Result<(), BackupError> {
        let cx = self.cx;
        let Some(Previous { snapshot, .. }) = &held.previous else {
            return Ok(());
        };
        let snapshot = snapshot.clone();
        if !cx.design.has(Change::PreviousNotChecked) {
            let path = self.store.layout().path(&snapshot);
            match cx.try_step(Step::CheckPrevious.of(&snapshot), || {
                cx.sys.stat(&path).at("stat", &path)
            }) {
                Ok(_) => {}
                Err(error) if error.is_not_found() => {
                    return Err(self.failed(Reason::PreviousGone(snapshot)));
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        cx.step(Step::UnlockPrevious.of(&snapshot), || held.previous = None);
        Ok(())
    }

    fn note_statistics(
        &self,
        path: &Path,
        upload: UploadStats,
        held: &mut Held<'a, S>,
    ) -> Result<(), BackupError> {
        let (cx, snapshot) = (self.cx, &self.snapshot);
        let lock = cx.try_step(Step::LockManifest.of(snapshot), || {
            self.store.lock_manifest(&cx.sys, cx.design, snapshot)
        });
        let what = format!("the manifest of {snapshot}");
        held.manifest = Some(lock.map_err(|e| self.not_locked(&what, e))?);
        let mut manifest = cx
            .try_step(Step::LoadManifest.of(snapshot), || {
                manifest::read(&cx.sys, path)
            })
            .map_err(|e| self.failed(e))?;
        manifest.set_chunk_upload_stats(serde_json::json!(upload));
        cx.try_step(Step::UpdateManifest.of(snapshot), || {
            manifest.write(&cx.sys, path, self.store.files())
        })
        .map_err(|e| self.failed(e))?;
        cx.step(Step::UnlockManifest.of(snapshot), || held.manifest = None);
        Ok(())
    }

    /// Removes what the session created, under its own locks, which stay held; see `forget_snapshot`.
    fn undo(&self, held: &mut Held<'a, S>) -> Result<(), ForgetError> {
        let (cx, store) = (self.cx, self.store);
        let refused_too = cx.design.cleans_up_after_a_refused_backup();
        if !refused_too && !held.was_store_shared {
            return Ok(());
        }
        if let Some(writer) = &mut held.index {
            writer.leave();
        }
        match (&held.group, &held.snapshot) {
            (Some(group), Some(snapshot)) if held.is_snapshot_new => {
                let session = Undo {
                    snapshot,
                    group,
                    manifest: &mut held.manifest,
                    is_manifest_written: held.is_manifest_written,
                    tried: &mut held.tried,
                };
                forget_snapshot::undo_backup(cx, store, &self.snapshot, session)
            }
            (Some(lock), _) if refused_too && !lock.is_directory() => {
                let group = &self.settings.group;
                forget_snapshot::remove_group_if_empty(cx, store, group, lock).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn index_label(&self, archive: &Archive) -> String {
        format!("{}/{}", self.snapshot, archive.name)
    }

    fn failed(&self, source: impl Into<Reason>) -> BackupError {
        BackupError::Failed {
            snapshot: self.snapshot.clone(),
            source: Box::new(source.into()),
        }
    }

    fn not_locked(&self, what: &impl Display, error: LockError) -> BackupError {
        match error {
            LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_) => {
                BackupError::Busy {
                    what: what.to_string(),
                    source: error,
                }
            }
            LockError::Missing(error) | LockError::Call(error) => self.failed(error),
        }
    }
}
