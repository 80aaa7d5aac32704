//! `verify`: reads every chunk of a group's snapshots and sets corrupt ones aside.
//!
//! # Race fixed
//!
//! The snapshot may be moved or removed while its chunks are read, which takes long; notes may be
//! written while the verify state is; and the file that is set aside may not be the one that was read
//! (see [`crate::chunk_store`]).
//!
//! # Protocol
//!
//! 1. List the snapshots of the group, without a lock. As published, their files as well: if a snapshot vanishes meanwhile, the
//!    whole group is left out, and the job ends well. For each, newest first:
//! 2. Share its lock and look again whether it is there. A busy one and one that is gone are skipped.
//!    With locks of namespaces, those of its namespace and of those above it are shared before, and let
//!    go after it; a snapshot is skipped as well if one of these is busy.
//! 3. Read the manifest, each index file that it lists, and each chunk that this job has not read
//!    yet. Set corrupt chunks aside under the chunk-store mutex. The size of an archive is compared with the manifest, and
//!    the range of each entry with the size of its chunk, since no checksum covers the header of an index file.
//! 4. Under the manifest's lock, read the manifest again and write it with the verify state.
//! 5. Let the snapshot go.
//!
//! > A chunk is set aside only if it was read under the mutex and found to be corrupt.
//!
//! What is wrong with a snapshot does not end the job: the snapshot has failed, and the job says so at
//! its end. A file that cannot be read because of an I/O error is such a problem, and is not renamed.
//! Only a failure of what the job itself needs ends it: a listing, a lock call, writing a manifest.
//!
//! As published, a snapshot that was moved or removed before its lock was taken has failed, and a chunk
//! that cannot be read is corrupt.
//!
//! A crash leaves chunks that were set aside, and snapshots without a verify state.
//!
//! Not covered: skipping what was verified recently; files that are no index; the content of encrypted
//! chunks, of which only the checksum is compared.

use crate::chunk_store::{self, ChunkPath, Examined, Renamed};
use crate::datastore::Datastore;
use crate::error::{At, CallError, LockError};
use crate::index::{self, Digest, Index};
use crate::listing::{self, snapshot_times};
use crate::lock_file::LockGuard;
use crate::lock_names::escape;
use crate::manifest::{self, File, Manifest, ManifestError, Verdict, VerifyState};
use crate::namespace_locks::NamespaceLocks;
use crate::paths::Snapshot;
use crate::step::Cx;
use crate::sys::{Entry, Label, Sys};
use specs::ToLabel as _;
use specs::lock_class::Mode;
use specs::ops::verify::Step;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

mod report;

pub use report::{Abort, ChunkProblem, Failure, Problem, Report, Settings, VerifyError};

/// What is held, in the order of release.
struct Held<'a, S: Sys> {
    manifest: Option<LockGuard<'a, S>>,
    snapshot: Option<LockGuard<'a, S>>,
    namespaces: NamespaceLocks<'a, S>,
}

/// Verifies the snapshots of a group.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<Report, VerifyError> {
    let mut held = Held {
        manifest: None,
        snapshot: None,
        namespaces: NamespaceLocks::none(),
    };
    let mut job = Job {
        cx,
        store,
        settings,
        chunks: HashMap::new(),
        report: Report::default(),
    };
    match job.verify_group(&mut held) {
        Ok(()) if job.report.failures.is_empty() => Ok(job.report),
        Ok(()) => Err(VerifyError::Failed(Box::new(job.report))),
        Err(source) => {
            cx.step(Step::ReleaseAll, || drop(held));
            Err(VerifyError::Aborted {
                source,
                report: Box::new(job.report),
            })
        }
    }
}

struct Job<'a, S: Sys> {
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    settings: &'a Settings,
    /// The chunks that this job has read.
    chunks: HashMap<Digest, Known>,
    report: Report,
}

/// What this job knows of a chunk that it has read.
#[derive(Clone, Copy)]
enum Known {
    /// It is sound; so many bytes of data, unless they are encrypted.
    Sound(Option<u64>),
    Bad,
}

impl<'a, S: Sys> Job<'a, S> {
    fn verify_group(&mut self, held: &mut Held<'a, S>) -> Result<(), Abort> {
        let (cx, group) = (self.cx, &self.settings.group);
        let path = self.store.layout().path(group);
        self.store.refuse_links(&cx.sys, &path)?;
        let listing = cx.try_step(Step::ListGroup.of(group), || listing::list(&cx.sys, &path));
        let listing = match listing {
            Err(error) if error.is_not_found() => {
                self.report.is_group_gone = true;
                return Ok(());
            }
            listing => listing?,
        };
        if !cx.design.skips_a_vanished_snapshot() && !self.are_all_there(&listing)? {
            self.report.is_group_left_out = true;
            return Ok(());
        }
        for time in snapshot_times(&listing).into_iter().rev() {
            self.verify_snapshot(&group.snapshot(time), held)?;
        }
        Ok(())
    }

    /// Lists the files of each snapshot, as the published listing of a group does; if one is gone, it lists none.
    fn are_all_there(&self, listing: &[Entry]) -> Result<bool, CallError> {
        let cx = self.cx;
        for time in snapshot_times(listing).into_iter().rev() {
            let snapshot = self.settings.group.snapshot(time);
            let path = self.store.layout().path(&snapshot);
            let files = cx.try_step(Step::ListSnapshot.of(&snapshot), || {
                listing::list(&cx.sys, &path)
            });
            match files {
                Err(error) if error.is_not_found() => return Ok(false),
                files => files?,
            };
        }
        Ok(true)
    }

    fn verify_snapshot(
        &mut self,
        snapshot: &Snapshot,
        held: &mut Held<'a, S>,
    ) -> Result<(), Abort> {
        let (cx, store) = (self.cx, self.store);
        if !self.is_there(Step::CheckSnapshot.of(snapshot), snapshot)? {
            self.report.vanished += 1;
            return Ok(());
        }
        match self.lock_snapshot(snapshot, held) {
            Err(error) if error.is_conflict() => {
                self.report.busy += 1;
                self.unlock_namespaces(held);
                return Ok(());
            }
            Err(LockError::Missing(_)) => {
                self.report.vanished += 1;
                self.unlock_namespaces(held);
                return Ok(());
            }
            result => result?,
        }
        if cx.design.rechecks_after_locking()
            && !self.is_there(Step::RecheckSnapshot.of(snapshot), snapshot)?
        {
            self.report.vanished += 1;
            self.unlock_snapshot(snapshot, held);
            return Ok(());
        }

        let path = store.layout().manifest(snapshot);
        let manifest = cx.try_step(Step::ReadManifest.of(snapshot), || {
            manifest::read(&cx.sys, &path)
        });
        let mut written = Ok(());
        let problems = match manifest {
            Ok(manifest) => {
                let mut problems = self.verify_files(snapshot, &manifest);
                written = self.update_manifest(snapshot, &path, &mut problems, held);
                problems
            }
            Err(ManifestError::Call(error)) if error.is_not_found() => vec![Problem::NoManifest],
            Err(error) => vec![Problem::Manifest(error)],
        };
        // What was found is reported even if it cannot be written.
        if problems.is_empty() {
            self.report.verified += 1;
        } else {
            self.report.failures.push(Failure {
                snapshot: snapshot.clone(),
                problems,
            });
        }
        written?;
        self.unlock_snapshot(snapshot, held);
        Ok(())
    }

    fn is_there(&self, label: Label<'_>, snapshot: &Snapshot) -> Result<bool, CallError> {
        let path = self.store.layout().path(snapshot);
        let stat = self
            .cx
            .try_step(label, || self.cx.sys.stat(&path).at("stat", &path));
        match stat {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Shares the lock of a snapshot, after those of its namespaces in the designs that have such locks.
    fn lock_snapshot(&self, snapshot: &Snapshot, held: &mut Held<'a, S>) -> Result<(), LockError> {
        let (cx, store) = (self.cx, self.store);
        if cx.design.locks_namespaces() {
            let namespace = snapshot.group().namespace();
            held.namespaces
                .lock(cx, store, namespace, Mode::Shared, |namespace, _| {
                    Step::LockNamespace.of(namespace)
                })?;
        }
        let lock = cx.try_step(Step::LockSnapshot.of(snapshot), || {
            store.lock_snapshot_shared(&cx.sys, cx.design, snapshot)
        });
        held.snapshot = Some(lock?);
        Ok(())
    }

    fn unlock_snapshot(&self, snapshot: &Snapshot, held: &mut Held<'a, S>) {
        self.cx
            .step(Step::UnlockSnapshot.of(snapshot), || held.snapshot = None);
        self.unlock_namespaces(held);
    }

    fn unlock_namespaces(&self, held: &mut Held<'a, S>) {
        held.namespaces
            .unlock(self.cx, |namespace| Step::UnlockNamespace.of(namespace));
    }

    /// Every index file that a manifest lists, in the order of their names.
    fn verify_files(&mut self, snapshot: &Snapshot, manifest: &Manifest) -> Vec<Problem> {
        let files: BTreeMap<&str, &File> = manifest
            .files()
            .iter()
            .filter(|file| index::is_index_file(Path::new(&file.filename)))
            .map(|file| (file.filename.as_str(), file))
            .collect();
        let mut problems = Vec::new();
        for (name, file) in files {
            // Nothing that a manifest says leads out of the directory of its snapshot.
            if name.contains('/') {
                problems.push(Problem::FileName(name.to_owned()));
                continue;
            }
            let relative = format!("{snapshot}/{name}");
            let path = self.store.layout().path(&relative);
            let index = self.cx.try_step(Step::OpenIndex.of(&relative), || {
                index::read(&self.cx.sys, &path)
            });
            match index {
                Ok(index) => {
                    if index.checksum() != file.csum {
                        problems.push(Problem::IndexChecksum(name.to_owned()));
                    }
                    if index.size() != file.size {
                        problems.push(Problem::IndexSize {
                            file: name.to_owned(),
                            index: index.size(),
                            manifest: file.size,
                        });
                    }
                    self.verify_chunks(name, &index, &mut problems);
                }
                Err(error) => problems.push(Problem::Index(error)),
            }
        }
        problems
    }

    fn verify_chunks(&mut self, name: &str, index: &Index, problems: &mut Vec<Problem>) {
        let mut known_bad = 0;
        let mut wrong_sizes = Vec::new();
        for (digest, range) in index.digests().zip(index.ranges()) {
            let chunk = match self.chunks.get(&digest) {
                Some(known) => {
                    known_bad += u64::from(matches!(known, Known::Bad));
                    *known
                }
                None => {
                    let chunk = self.verify_chunk(digest, problems);
                    self.chunks.insert(digest, chunk);
                    self.report.chunks += 1;
                    chunk
                }
            };
            if let Known::Sound(Some(size)) = chunk
                && range.1 - range.0 != size
            {
                wrong_sizes.push((range, size));
            }
        }
        if known_bad != 0 {
            problems.push(Problem::KnownChunks {
                file: name.to_owned(),
                entries: known_bad,
            });
        }
        if let Some((range, size)) = wrong_sizes.first() {
            problems.push(Problem::ChunkSize {
                file: name.to_owned(),
                entries: wrong_sizes.len() as u64,
                range: *range,
                size: *size,
            });
        }
    }

    /// Reads a chunk; a corrupt one is set aside.
    fn verify_chunk(&mut self, digest: Digest, problems: &mut Vec<Problem>) -> Known {
        let (cx, chunks) = (self.cx, self.store.chunks());
        let label = ChunkPath(digest);
        let path = chunks.path(digest);
        let examined = cx.step_with(Step::ReadChunk.of(&label), || {
            let examined = chunk_store::examine(&cx.sys, &path, digest);
            let outcome = examined.outcome(cx.design);
            (examined, outcome)
        });
        let is_set_aside = examined.is_set_aside(cx.design);
        let source = match examined {
            Examined::Sound { size } => return Known::Sound(size),
            Examined::Corrupt(damage) => ChunkProblem::Corrupt(damage),
            Examined::Missing => ChunkProblem::Missing,
            Examined::Unreadable(error) => ChunkProblem::Unreadable(error),
        };
        problems.push(Problem::Chunk { digest, source });
        if is_set_aside {
            let renamed = cx.step_with(Step::RenameCorruptChunk.of(&label), || {
                let renamed = chunks.rename_corrupt(&cx.sys, digest, cx.design);
                let outcome = Renamed::outcome(&renamed);
                (renamed, outcome)
            });
            match renamed {
                Ok(Renamed::To(bad)) => self.report.set_aside.push(bad),
                // Somebody else has mended it, or set it aside.
                Ok(Renamed::Kept | Renamed::Gone) => {}
                Err(error) => problems.push(Problem::NotSetAside(error)),
            }
        }
        Known::Bad
    }

    /// Writes what was found into the manifest, unless it is gone.
    fn update_manifest(
        &self,
        snapshot: &Snapshot,
        path: &Path,
        problems: &mut Vec<Problem>,
        held: &mut Held<'a, S>,
    ) -> Result<(), Abort> {
        let (cx, store) = (self.cx, self.store);
        let lock = cx.try_step(Step::LockManifest.of(snapshot), || {
            store.lock_manifest(&cx.sys, cx.design, snapshot)
        });
        match lock {
            Err(error) if error.is_conflict() => {
                problems.push(Problem::ManifestBusy(error));
                return Ok(());
            }
            lock => held.manifest = Some(lock?),
        }
        let manifest = cx.try_step(Step::LoadManifest.of(snapshot), || {
            manifest::read(&cx.sys, path)
        });
        match manifest {
            Err(ManifestError::Call(error)) if error.is_not_found() => {
                if !cx.design.skips_a_vanished_snapshot() {
                    problems.push(Problem::NoManifest);
                }
            }
            manifest => {
                let mut manifest = manifest?;
                manifest.set_verify_state(&self.state(problems));
                match cx.try_step(Step::WriteManifest.of(snapshot), || {
                    manifest.write(&cx.sys, path, store.files())
                }) {
                    Err(ManifestError::Call(error))
                        if error.is_not_found() && !cx.design.skips_a_vanished_snapshot() =>
                    {
                        problems.push(Problem::NoManifest);
                    }
                    written => written?,
                }
            }
        }
        cx.step(Step::UnlockManifest.of(snapshot), || held.manifest = None);
        Ok(())
    }

    /// The name of the task has the form that readers of the manifest expect, with neither process
    /// nor time: no task log belongs to it.
    fn state(&self, problems: &[Problem]) -> VerifyState {
        let group = escape(self.settings.group.to_string().as_bytes());
        VerifyState {
            upid: format!(
                "UPID:localhost:00000000:00000000:00000000:00000000:verify:{group}:root@pam:"
            ),
            state: if problems.is_empty() {
                Verdict::Ok
            } else {
                Verdict::Failed
            },
        }
    }
}
