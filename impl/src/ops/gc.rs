//! `gc`: marks the chunks that index files name, drains the move journal, sweeps the old chunks.
//!
//! # Race fixed
//!
//! Backups, moves and removals go on while garbage collection marks. A snapshot that vanishes from
//! a listing may have been renamed to where the walk has been already.
//!
//! # Protocol
//!
//! 1. The slot of the process and the exclusive process lock keep a second collection and all
//!    writers of other processes out; the cutoff keeps what was touched lately, and is set before
//!    the oldest writer of this process.
//! 2. A walk collects the path of every index file, wherever it lies.
//! 3. Every group is visited, and every chunk marked. Its snapshots are looked into oldest first, then
//!    their names are listed once more. If one is new, or a snapshot or an index file of the listing is
//!    gone, the group is listed again, at last under its lock.
//! 4. What the walk found and no group held is marked, then what the journal names. If a file that it
//!    names is gone, the group of that file is visited once more.
//! 5. Chunks whose access time is before the minimum are removed.
//!
//! > A chunk that an index file names is marked before the sweep begins, or younger than the
//! > cutoff.
//!
//! A group that is gone when it is listed, or when its directory is to be locked in the place of a file, has nothing left to
//! mark.
//!
//! A crash leaves the locks free, chunks with new access times, and the journal as it was.
//!
//! A run stops when its process is about to end, between two chunks. A chunk that cannot be removed stops nothing: it is
//! told at the end.
//!
//! Not covered: object stores, and the check that the file system records access times.

use crate::chunk_store::{ChunkPath, PathBuffer};
use crate::datastore::{Datastore, GcSlot};
use crate::error::{At, CallError, LockError, skip_not_found};
use crate::group_directory;
use crate::index::{self, Digest, Index, IndexError};
use crate::journal::{self, Journal, Place};
use crate::listing::{self, child_directories, index_files, snapshot_times};
use crate::lock_file::LockGuard;
use crate::lock_names::is_temporary_suffix;
use crate::paths::{BackupTime, Group, Namespace, Snapshot};
use crate::process_lock::ExclusiveProcessLock;
use crate::step::{Cx, Ending};
use crate::sys::{FlockError, Sys};
use crate::temporary::replace_file;
use lru::LruCache;
use specs::Outcome;
use specs::ToLabel as _;
use specs::design::Change;
use specs::ops::gc::Step;
use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

mod entry;
mod status;
mod sweep;

use entry::{Unopened, open};
pub use status::{GcError, GcStatus, NotSwept, Settings};
use sweep::{Limits, sweep};

/// Nanoseconds.
const SECOND: i128 = 1_000_000_000;

/// What is held, in the order of release.
struct Held<'a, S: Sys> {
    group: Option<LockGuard<'a, S>>,
    journal: Option<Journal<'a, S>>,
    store: Option<ExclusiveProcessLock<'a, S>>,
    slot: Option<GcSlot<'a, S>>,
}

/// Collects the garbage of a datastore.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<GcStatus, GcError> {
    let mut held = Held {
        group: None,
        journal: None,
        store: None,
        slot: None,
    };
    let result = collect(cx, store, settings, &mut held);
    if result.is_err() {
        cx.step(Step::ReleaseAll, || drop(held));
    }
    match result? {
        (status, left) if left.count == 0 => Ok(status),
        (status, left) => {
            let status = Box::new(status);
            Err(GcError::NotSwept { status, left })
        }
    }
}

fn collect<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    settings: &Settings,
    held: &mut Held<'a, S>,
) -> Result<(GcStatus, NotSwept), GcError> {
    held.slot = Some(
        cx.try_step(Step::LockGcSlot, || store.lock_gc_slot(&cx.sys))
            .map_err(|error| not_locked(store, error, GcError::AlreadyRunning))?,
    );
    held.store = Some(
        cx.try_step(Step::LockStore, || {
            store.process_lock().lock_exclusive(&cx.sys, cx.design)
        })
        .map_err(|error| not_locked(store, error, GcError::StoreInUse))?,
    );
    let start = cx.step(Step::ReadClock, || cx.sys.now());
    let asks_now = !cx.design.has(Change::IgnoresOldestWriter)
        && !cx.design.has(Change::OldestWriterAfterMark);
    let mut writer = if asks_now {
        read_oldest_writer(cx, store)
    } else {
        None
    };

    let mut marker = Marker::new(cx, store, settings);
    marker.collect_index_files()?;
    if cx.design.has(Change::DrainBeforeIteration) {
        drain(&mut marker, held)?;
    }
    let mut namespaces = Vec::new();
    if !cx.design.marks_first_walk_only() {
        namespaces.push(Namespace::ROOT);
    }
    while let Some(namespace) = namespaces.pop() {
        let Some(groups) = marker.list_groups(&namespace)? else {
            continue;
        };
        for group in groups {
            marker.mark_group(&group, held)?;
        }
        namespaces.extend(marker.list_namespaces(&namespace)?.into_iter().rev());
    }
    if !cx.design.has(Change::LeftoversNotMarked) {
        marker.mark_leftovers()?;
    }
    if cx.design.has_journal() && !cx.design.has(Change::DrainBeforeIteration) {
        drain(&mut marker, held)?;
    }

    if cx.design.has(Change::OldestWriterAfterMark) {
        writer = read_oldest_writer(cx, store);
    }

    let (mut status, torn) = (marker.status, marker.torn_status);
    let limits = Limits::new(start, settings.cutoff, writer);
    let left = sweep(cx, store, &limits, &mut status)?;
    cx.try_step(Step::WriteStatus, || {
        write_status(&cx.sys, store, &status, &torn)
    })?;
    cx.step(Step::UnlockStore, || held.store = None);
    cx.step(Step::UnlockGcSlot, || held.slot = None);
    Ok((status, left))
}

/// The error of the slot or of the process lock, with the datastore.
fn not_locked<S: Sys>(
    store: &Datastore<S>,
    error: FlockError,
    busy: fn(PathBuf) -> GcError,
) -> GcError {
    let layout = store.layout();
    match error {
        FlockError::WouldBlock | FlockError::TimedOut => busy(layout.base().to_owned()),
        FlockError::Io(error) => GcError::Lock {
            path: layout.process_lock(),
            source: error,
        },
    }
}

/// When the oldest writer of this process began, in nanoseconds since the epoch.
fn read_oldest_writer<S: Sys>(cx: &Cx<S>, store: &Datastore<S>) -> Option<i128> {
    let oldest = cx.step(Step::ReadOldestWriter, || {
        store.process_lock().oldest_shared(&cx.sys)
    });
    oldest.map(|seconds| i128::from(seconds) * SECOND)
}

/// The effect of a step that ends with `Stopped` if this process is about to end.
fn unless_stopping<S: Sys, T, E>(
    sys: &S,
    effect: impl FnOnce() -> Result<T, E>,
) -> Result<T, Unfinished<E>> {
    if sys.is_shutting_down() {
        return Err(Unfinished::Stopped);
    }
    effect().map_err(Unfinished::Failed)
}

/// Why such a step did not do what it is for.
enum Unfinished<E> {
    Stopped,
    Failed(E),
}

impl<E: Ending> Ending for Unfinished<E> {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Stopped => Some(Outcome::Stopped),
            Self::Failed(error) => error.outcome(),
        }
    }
}

impl<E: Into<GcError>> From<Unfinished<E>> for GcError {
    fn from(unfinished: Unfinished<E>) -> Self {
        match unfinished {
            Unfinished::Stopped => Self::Stopped,
            Unfinished::Failed(error) => error.into(),
        }
    }
}

/// The mark phase.
struct Marker<'a, S: Sys> {
    cx: &'a Cx<S>,
    store: &'a Datastore<S>,
    settings: Settings,
    /// Index files that the walk found and that were not marked yet, relative to the datastore.
    unmarked: BTreeSet<PathBuf>,
    /// Digests that this run has marked, or found missing.
    seen: Option<LruCache<Digest, ()>>,
    buffer: PathBuffer,
    status: GcStatus,
    /// What earlier runs left of their status files that were killed while they wrote them.
    torn_status: Vec<PathBuf>,
}

/// A path relative to the datastore, as a label shows it.
struct Relative<'a>(&'a Path);

impl Display for Relative<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Path::new("") {
            f.write_str(".")
        } else {
            self.0.display().fmt(f)
        }
    }
}

/// The line of an entry, as a label shows it.
struct Line(usize);

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.0)
    }
}

impl<'a, S: Sys> Marker<'a, S> {
    fn new(cx: &'a Cx<S>, store: &'a Datastore<S>, settings: &Settings) -> Self {
        Self {
            cx,
            store,
            settings: *settings,
            unmarked: BTreeSet::new(),
            seen: NonZeroUsize::new(settings.remembered_chunks).map(remember),
            buffer: store.chunks().buffer(),
            status: GcStatus::default(),
            torn_status: Vec::new(),
        }
    }

    /// The walk over all directories but hidden ones, depth first, in listing order.
    fn collect_index_files(&mut self) -> Result<(), GcError> {
        let mut directories = vec![PathBuf::new()];
        while let Some(relative) = directories.pop() {
            let path = self.store.layout().base().join(&relative);
            let listing = self
                .cx
                .try_step(Step::ListIndexFiles.of(&Relative(&relative)), || {
                    listing::list(&self.cx.sys, &path)
                });
            let listing = match listing {
                Ok(listing) => listing,
                Err(error) if error.is_not_found() => continue,
                // Only root may read it, and it holds no index file.
                Err(error) if error.is_denied() && relative == Path::new("lost+found") => continue,
                Err(error) => return Err(error.into()),
            };
            let first_child = directories.len();
            for entry in listing {
                let name = Path::new(&entry.name);
                if entry.name.as_encoded_bytes().starts_with(b".") {
                    if relative == Path::new("") && is_torn_status(name) {
                        self.torn_status.push(path.join(name));
                    }
                    continue;
                }
                if entry.is_dir {
                    directories.push(relative.join(name));
                } else if index::is_index_file(name) {
                    self.unmarked.insert(relative.join(name));
                }
            }
            directories[first_child..].reverse();
        }
        Ok(())
    }

    /// The groups of a namespace; none if the namespace is gone, which ends the run as published.
    fn list_groups(&self, namespace: &Namespace) -> Result<Option<Vec<Group>>, GcError> {
        let path = self.store.layout().path(namespace);
        let groups = self.cx.try_step(Step::ListGroups.of(namespace), || {
            group_directory::list(&self.cx.sys, self.cx.design, namespace, &path)
        });
        match groups {
            Err(error) if error.is_not_found() && self.cx.design.skips_a_vanished_namespace() => {
                Ok(None)
            }
            groups => Ok(Some(groups?)),
        }
    }

    fn list_namespaces(&self, namespace: &Namespace) -> Result<Vec<Namespace>, GcError> {
        let path = self.store.layout().children(namespace);
        let listing = self.cx.try_step(Step::ListNamespaces.of(namespace), || {
            listing::list(&self.cx.sys, &path)
        });
        let listing = listing.or_else(skip_not_found)?;
        Ok(child_directories(&listing)
            .filter_map(|name| namespace.child(name).ok())
            .collect())
    }

    /// Lists and marks a group, again and again if its snapshots vanish, the last time under its
    /// lock.
    fn mark_group(&mut self, group: &Group, held: &mut Held<'a, S>) -> Result<(), GcError> {
        let (cx, store) = (self.cx, self.store);
        let mut attempts = 0;
        let mut attempt = Attempt::Again;
        while attempt == Attempt::Again {
            if attempts == self.settings.list_attempts {
                let lock = cx.try_step(Step::LockGroup.of(group), || {
                    store.lock_group(&cx.sys, cx.design, group)
                });
                held.group = Some(match lock {
                    Ok(lock) => lock,
                    // It is locked by its directory, which is gone: nothing is left in it to mark.
                    Err(LockError::Missing(_)) => return Ok(()),
                    Err(LockError::Call(error)) => return Err(error.into()),
                    Err(
                        source @ (LockError::WouldBlock(_)
                        | LockError::TimedOut(_)
                        | LockError::Vanished(_)),
                    ) => {
                        return Err(GcError::GroupBusy {
                            group: group.clone(),
                            source,
                        });
                    }
                });
            }
            attempt = self.mark_listing(group, held.group.is_some())?;
            attempts += 1;
        }
        if held.group.is_some() {
            cx.step(Step::UnlockGroup.of(group), || held.group = None);
        }
        Ok(())
    }

    fn mark_listing(&mut self, group: &Group, is_locked: bool) -> Result<Attempt, GcError> {
        let cx = self.cx;
        let path = self.store.layout().path(group);
        let listing = cx.try_step(Step::ListSnapshots.of(group), || {
            listing::list(&cx.sys, &path)
        });
        let Some(listing) = listing.map(Some).or_else(skip_not_found)? else {
            return Ok(Attempt::Finished);
        };

        let may_list_again = !is_locked && !cx.design.lists_a_group_once();
        let mut snapshots = Vec::<Vec<PathBuf>>::new();
        let names = snapshot_times(&listing);
        let oldest_first = cx.design.lists_names_again();
        let mut in_order = names.clone();
        if !oldest_first {
            in_order.reverse();
        }
        for time in in_order {
            let snapshot = group.snapshot(time);
            let path = path.join(time.to_string());
            let files = cx.try_step(Step::ListSnapshot.of(&snapshot), || {
                listing::list(&cx.sys, &path)
            });
            match files.map(Some).or_else(skip_not_found)? {
                Some(files) => {
                    let directory = PathBuf::from(snapshot.to_string());
                    let files = index_files(&files).into_iter();
                    snapshots.push(files.map(|file| directory.join(file)).collect());
                }
                None if !cx.design.lists_again_after_a_vanished_snapshot() => {
                    return self.check_group(group, snapshot);
                }
                None if may_list_again => return Ok(Attempt::Again),
                None => {}
            }
        }
        if may_list_again && oldest_first {
            let again = cx.try_step(Step::ListSnapshotsAgain.of(group), || {
                cx.sys.read_dir(&path).at("list", &path)
            });
            let Some(again) = again.map(Some).or_else(skip_not_found)? else {
                return Ok(Attempt::Finished);
            };
            let is_new = |time: &BackupTime| names.binary_search(time).is_err();
            if snapshot_times(&again).iter().any(is_new) {
                return Ok(Attempt::Again);
            }
        }
        if oldest_first {
            snapshots.reverse();
        }
        if cx.design.has(Change::OldestFirst) {
            snapshots.reverse();
        }
        // One attempt more than there are, as published.
        let ends_the_run = is_locked && !cx.design.lists_again_after_a_vanished_snapshot();
        for (i, files) in snapshots.iter().enumerate() {
            let decides = i == 0 || cx.design.lists_again_for_every_vanished_file();
            for file in files {
                match self.open_listed(file)? {
                    Some(index) => self.mark(&index)?,
                    None if decides && may_list_again => return Ok(Attempt::Again),
                    None if i == 0 && ends_the_run => {
                        return Err(GcError::FileVanished(file.clone()));
                    }
                    None => {}
                }
            }
        }
        Ok(Attempt::Finished)
    }

    fn check_group(&self, group: &Group, vanished: Snapshot) -> Result<Attempt, GcError> {
        let path = self.store.layout().path(group);
        let stat = self.cx.try_step(Step::CheckGroup.of(group), || {
            self.cx.sys.stat(&path).at("stat", &path)
        });
        match stat.map(Some).or_else(skip_not_found)? {
            Some(_) => Err(GcError::SnapshotVanished(vanished)),
            None => Ok(Attempt::Finished),
        }
    }

    fn mark_leftovers(&mut self) -> Result<(), GcError> {
        let cx = self.cx;
        while let Some(relative) = self.unmarked.pop_first() {
            let path = self.store.layout().base().join(&relative);
            match cx.try_step(Step::OpenLeftover.of(&Relative(&relative)), || {
                index::read(&cx.sys, &path)
            }) {
                Ok(index) => self.mark(&index)?,
                Err(IndexError::Call(error)) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Opens an index file of a listing, which then is no leftover, whether it is there or not.
    fn open_listed(&mut self, relative: &Path) -> Result<Option<Index>, GcError> {
        let cx = self.cx;
        let path = self.store.layout().base().join(relative);
        let index = cx.try_step(Step::OpenIndex.of(&Relative(relative)), || {
            unless_stopping(&cx.sys, || index::read(&cx.sys, &path))
        });
        self.unmarked.remove(relative);
        match index {
            Ok(index) => Ok(Some(index)),
            Err(Unfinished::Failed(IndexError::Call(error))) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks every chunk of an index that this run has not marked yet.
    fn mark(&mut self, index: &Index) -> Result<(), GcError> {
        let (cx, chunks) = (self.cx, self.store.chunks());
        self.status.index_file_count += 1;
        // The size is what a header says, which no checksum covers.
        let bytes = &mut self.status.index_data_bytes;
        *bytes = bytes.saturating_add(index.size());
        for digest in index.digests() {
            if self
                .seen
                .as_mut()
                .is_some_and(|seen| seen.put(digest, ()).is_some())
            {
                continue;
            }
            let label = ChunkPath(digest);
            match cx.try_step(Step::TouchChunk.of(&label), || {
                unless_stopping(&cx.sys, || chunks.mark(&cx.sys, digest, &mut self.buffer))
            }) {
                Ok(()) => self.status.marked_chunks += 1,
                Err(Unfinished::Failed(error)) if error.is_not_found() => {
                    self.status.missing_chunks += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether a group has to be listed again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Finished,
    Again,
}

/// A set that grows with what it holds, up to its capacity.
fn remember(capacity: NonZeroUsize) -> LruCache<Digest, ()> {
    let mut seen = LruCache::unbounded();
    seen.resize(capacity);
    seen
}

/// Marks what the move journal names, and empties it.
fn drain<'a, S: Sys>(marker: &mut Marker<'a, S>, held: &mut Held<'a, S>) -> Result<(), GcError> {
    let (cx, store) = (marker.cx, marker.store);
    let journal = cx
        .try_step(Step::LockJournal, || store.lock_journal(&cx.sys, cx.design))
        .map_err(|error| match error {
            LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_) => {
                GcError::JournalBusy(error)
            }
            LockError::Missing(error) | LockError::Call(error) => error.into(),
        })?;
    let journal = held.journal.insert(journal);
    let content = cx.try_step(Step::ReadJournal, || journal.read())?;
    let truncates_first = cx.design.has(Change::TruncateBeforeMarking);
    if truncates_first {
        truncate(cx, held)?;
    }
    let processed = mark_entries(marker, held, &content);
    let may_truncate = processed.is_ok() || cx.design.has(Change::TruncateAfterFailedEntry);
    if may_truncate && !truncates_first {
        truncate(cx, held)?;
    }
    processed?;
    cx.step(Step::UnlockJournal, || held.journal = None);
    Ok(())
}

fn truncate<S: Sys>(cx: &Cx<S>, held: &mut Held<'_, S>) -> Result<(), CallError> {
    let Some(journal) = &mut held.journal else {
        return Ok(());
    };
    cx.try_step(Step::TruncateJournal, || journal.truncate())
}

/// Marks the index file of each entry. If one is gone, a backup may have reused its chunks before somebody removed it, so
/// its group is visited once more: nothing moves while the journal is locked, so once is enough.
fn mark_entries<'a, S: Sys>(
    marker: &mut Marker<'a, S>,
    held: &mut Held<'a, S>,
    content: &[u8],
) -> Result<(), GcError> {
    let (cx, layout) = (marker.cx, marker.store.layout());
    let corrupt = |source| GcError::Journal {
        path: layout.journal(),
        source,
    };
    let mut entries = journal::entries(content, cx.design).map_err(corrupt)?;
    if cx.design.has(Change::DrainInReverse) {
        entries.reverse();
    }
    let mut visited = BTreeSet::new();
    for entry in entries {
        let place = journal::place(&entry, layout.base(), cx.design).map_err(corrupt)?;
        let line = entry.line;
        let is_missing = match cx.try_step(Step::OpenEntry.of(&Line(line)), || {
            open(&cx.sys, entry.path, &place)
        }) {
            Ok(found) => {
                found.iter().try_for_each(|index| marker.mark(index))?;
                false
            }
            Err(Unopened::Elsewhere) => return Err(corrupt(entry.outside())),
            Err(Unopened::Index(IndexError::Call(error)))
                if error.is_not_found() && !cx.design.has(Change::MissingEntryIsFatal) =>
            {
                true
            }
            Err(Unopened::Index(source)) => return Err(GcError::Entry { line, source }),
        };
        if !cx.design.marks_group_of_a_missing_entry() {
            continue;
        }
        let below = |path: &Path| Group::of_file(path.strip_prefix(layout.base()).ok()?);
        let groups: Vec<Group> = match &place {
            Place::Here(path) => below(path).filter(|_| is_missing).into_iter().collect(),
            // Of several paths one may be there, and it may be another one that was meant.
            Place::Called(paths) => paths.iter().filter_map(|path| below(path)).collect(),
        };
        for group in groups {
            if visited.insert(group.clone()) {
                marker.mark_group(&group, held)?;
            }
        }
    }
    Ok(())
}

/// Replaces the status file in one rename, and removes what earlier runs left of theirs: nobody else writes one now.
fn write_status<S: Sys>(
    sys: &S,
    store: &Datastore<S>,
    status: &GcStatus,
    torn: &[PathBuf],
) -> Result<(), CallError> {
    let path = store.layout().gc_status();
    let json = serde_json::to_vec(status)
        .map_err(std::io::Error::from)
        .at("encode", &path)?;
    replace_file(sys, &path, store.files(), &json)?;
    for path in torn {
        sys.unlink(path)
            .at("unlink", path)
            .or_else(skip_not_found)?;
    }
    Ok(())
}

/// Whether a name is a temporary one of the status file.
fn is_torn_status(name: &Path) -> bool {
    let suffix = name
        .to_str()
        .and_then(|name| name.strip_prefix(".gc-status"));
    suffix.is_some_and(is_temporary_suffix)
}
