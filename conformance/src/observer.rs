//! `Observer`: looks at the real tree and the lock table, without opening a lock or reading a chunk.

use crate::contents;
use crate::errand::CUTOFF_NS;
use crate::gate::{CUTOFF_PASSES_NS, clock};
use crate::lock_directory::LockDirectory;
use crate::proc_locks::{Line, ProcLocks};
use crate::projection::{
    Chunk, ChunkFile, Ends, Holder, Lock, LockState, Manifest, OwnerFile, Projected, StoreHolder,
};
use crate::tree_paths::{
    ChunkPaths, Contents, GroupPaths, NamespacePaths, SnapshotPaths, c_path, chunk_paths,
    group_paths, known_paths, namespace_paths, snapshot_paths, unchanging_files,
};
use crate::use_times::Used;
use crate::world::{CLOCK_START_NS, STORE_NAME, World};
use anyhow::Context as _;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use specs::id::{Namespace, Process};
use specs::scenario::{Flag, Scenario};
use specs::{Design, Id};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What an observation needs to know from the driver.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The process ids of the workers, by process; none for one that does not run.
    pub pids: &'a [Option<i32>],
    /// How often the cutoff has passed.
    pub cutoffs: u8,
    /// Steps that actors have begun.
    pub ticks: u32,
    /// The passings of the cutoff during which a backup was at work, as bits.
    pub passed_backups: u8,
    /// The processes whose garbage-collection slot is occupied.
    pub gc_slots: u8,
    /// How operations have ended.
    pub ends: Ends,
}

/// A waiter that the kernel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Who waits.
    pub process: Process,
    /// For which lock; none if its file was never seen at the path of one.
    pub lock: Option<Lock>,
}

/// Everything that is needed to look at one world.
#[derive(Debug)]
pub struct Observer {
    store: File,
    lock_directory: LockDirectory,
    /// The directory of the lock directories.
    all_locks: File,
    proc_locks: ProcLocks,
    namespaces: Vec<NamespacePaths>,
    groups: Vec<GroupPaths>,
    snapshots: Vec<SnapshotPaths>,
    strays: Vec<(usize, CString)>,
    chunks: Vec<ChunkPaths>,
    locks: Vec<Lock>,
    /// The locks that are not where those of lock files lie: their position, and their path.
    apart: Vec<(usize, CString)>,
    /// The name of the flag file, beside the lock directory of the datastore.
    flag: Option<&'static CStr>,
    journal: Option<(u64, File)>,
    /// Inode at the path of each lock, as of the last look; 0 if there is none.
    at_path: Vec<u64>,
    /// Every inode that was seen at the path of a lock since the trace began.
    seen: Vec<(u64, usize)>,
    process_lock: u64,
    index_count: usize,
    /// The virtual clock at the last look.
    last_look_ns: i128,
    known_paths: BTreeSet<PathBuf>,
    unchanging: Vec<(PathBuf, Contents)>,
}

impl Observer {
    /// Opens what it needs of a world that stands at its start.
    pub fn new(world: &World, scenario: &Scenario, design: Design) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            File::open(path).with_context(|| format!("cannot open {}", path.display()))
        };
        let store = open(world.store())?;
        let store_on = store.metadata()?.dev();
        let locks_on = std::fs::metadata(world.locks())?.dev();
        let process_lock = world.store().join(".lock");
        let locks = Lock::all(scenario, design);
        Ok(Self {
            lock_directory: LockDirectory::open(&world.locks().join(STORE_NAME), scenario, &locks)?,
            all_locks: open(world.locks())?,
            proc_locks: ProcLocks::open(locks_on, store_on).context("cannot open /proc/locks")?,
            store,
            namespaces: namespace_paths(scenario)?,
            groups: group_paths(scenario)?,
            snapshots: snapshot_paths(scenario)?,
            strays: scenario
                .all_indexes()
                .filter(|i| scenario.indexes[usize::from(i.0)].snapshot.is_none())
                .map(|i| {
                    Ok((
                        usize::from(i.0),
                        c_path(&scenario.path(Id::Index(Namespace(0), i)))?,
                    ))
                })
                .collect::<anyhow::Result<_>>()?,
            chunks: chunk_paths(scenario)?,
            at_path: vec![0; locks.len()],
            apart: apart(scenario, &locks)?,
            locks,
            journal: None,
            seen: Vec::new(),
            process_lock: std::fs::metadata(&process_lock)
                .with_context(|| format!("cannot stat {}", process_lock.display()))?
                .ino(),
            index_count: scenario.indexes.len(),
            last_look_ns: CLOCK_START_NS,
            known_paths: known_paths(scenario, design),
            flag: (scenario.generations.flag != Flag::Absent).then_some(c"old-locking"),
            unchanging: unchanging_files(scenario),
        })
    }

    /// Forgets the files of the trace before, which the reset may have written to in place.
    pub fn begin(&mut self) {
        self.seen.clear();
        self.journal = None;
        self.groups.iter_mut().for_each(|of| of.says.forget());
        self.snapshots.iter_mut().for_each(|of| of.says.forget());
        self.chunks.iter_mut().for_each(|of| {
            of.is_corrupt.forget();
            of.used = Used::default();
        });
        self.last_look_ns = CLOCK_START_NS;
    }

    /// Looks at everything, into a value that is used again and again.
    pub fn observe(&mut self, now: &Circumstances<'_>, into: &mut Projected) -> anyhow::Result<()> {
        self.observe_namespaces(into)?;
        self.observe_groups(into)?;
        self.observe_snapshots(into)?;
        self.observe_chunks(now, into)?;
        self.observe_lock_files(into)?;
        self.observe_flag(into)?;
        self.observe_holders(now, into)?;
        into.gc_slots = now.gc_slots;
        into.ends = now.ends;
        Ok(())
    }

    /// Who waits for a lock, by the kernel's word.
    pub fn waiters(&mut self, now: &Circumstances<'_>) -> anyhow::Result<Vec<Waiter>> {
        let mut waiters = Vec::new();
        let (seen, locks) = (&self.seen, &self.locks);
        self.proc_locks.read(|line| {
            if let (true, Some(process)) = (line.waits, process_of(&line, now)) {
                let lock = seen
                    .iter()
                    .find(|(ino, at)| is_of(&line, *ino, locks[*at]))
                    .map(|(_, at)| locks[*at]);
                waiters.push(Waiter { process, lock });
            }
        })?;
        Ok(waiters)
    }

    /// Files and directories that no field of the projection accounts for.
    pub fn strangers(&self, world: &World) -> anyhow::Result<Vec<PathBuf>> {
        let found = world
            .walk()
            .with_context(|| format!("cannot walk {}", world.root().display()))?;
        Ok(found
            .into_keys()
            .filter(|path| !self.known_paths.contains(path))
            .collect())
    }

    /// Files that are written once and whose contents are not what they should be; where they lie does not matter.
    pub fn altered(&self, world: &World) -> anyhow::Result<Vec<PathBuf>> {
        let mut altered = Vec::new();
        for (path, contents) in &self.unchanging {
            let full = world.store().join(path);
            match std::fs::read(&full) {
                Ok(bytes) if contents.are(&bytes) => {}
                Ok(_) => altered.push(path.clone()),
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", full.display()));
                }
            }
        }
        Ok(altered)
    }

    fn observe_namespaces(&self, into: &mut Projected) -> anyhow::Result<()> {
        let seen = [
            &mut into.namespaces,
            &mut into.type_directories,
            &mut into.children_directories,
        ];
        for mask in seen {
            *mask = 0;
        }
        for paths in &self.namespaces {
            let bit = 1 << paths.namespace;
            if self.exists(&paths.directory)? {
                into.namespaces |= bit;
                if self.exists(&paths.types)? {
                    into.type_directories |= bit;
                }
                if self.exists(&paths.children)? {
                    into.children_directories |= bit;
                }
            }
        }
        Ok(())
    }

    fn observe_groups(&mut self, into: &mut Projected) -> anyhow::Result<()> {
        let count = self
            .groups
            .iter()
            .map(|paths| paths.group + 1)
            .max()
            .unwrap_or(0);
        for masks in [&mut into.groups, &mut into.owners, &mut into.notes] {
            clear(masks, count);
        }
        into.owner_names.clear();
        for paths in &mut self.groups {
            let mut owner = OwnerFile::Missing;
            if look(&self.store, &paths.directory)?.is_some() {
                let bit = 1 << paths.namespace;
                into.groups[paths.group] |= bit;
                if let Some(stat) = look(&self.store, &paths.owner)? {
                    into.owners[paths.group] |= bit;
                    let path = &paths.owner;
                    owner = paths.says.get(&self.store, path, &stat, contents::owner)?;
                }
                if look(&self.store, &paths.notes)?.is_some() {
                    into.notes[paths.group] |= bit;
                }
            }
            if owner == OwnerFile::Missing {
                paths.says.forget();
            }
            into.owner_names.push(owner);
        }
        Ok(())
    }

    fn observe_snapshots(&mut self, into: &mut Projected) -> anyhow::Result<()> {
        let last = self.snapshots.iter().map(|paths| paths.snapshot + 1).max();
        let count = last.unwrap_or(0);
        clear(&mut into.snapshots, count);
        clear(&mut into.protected, count);
        clear(&mut into.indexes, self.index_count);
        clear(&mut into.temporaries, self.index_count);
        into.manifests.clear();
        into.manifests.resize(count, Manifest::default());
        for paths in &mut self.snapshots {
            let bit = 1 << paths.namespace;
            let is_group_there = into.groups[paths.group] & bit != 0;
            if !is_group_there || look(&self.store, &paths.directory)?.is_none() {
                paths.says.forget();
                continue;
            }
            into.snapshots[paths.snapshot] |= bit;
            for (masks, files) in [
                (&mut into.indexes, &paths.indexes),
                (&mut into.temporaries, &paths.temporaries),
            ] {
                for (index, path) in files {
                    if look(&self.store, path)?.is_some() {
                        masks[*index] |= bit;
                    }
                }
            }
            if let Some(protected) = &paths.protected
                && look(&self.store, protected)?.is_some()
            {
                into.protected[paths.snapshot] |= bit;
            }
            observe_manifest(&self.store, paths, &mut into.manifests[paths.snapshot])?;
        }
        for (index, path) in &self.strays {
            if self.exists(path)? {
                into.indexes[*index] |= 1;
            }
        }
        Ok(())
    }

    fn observe_chunks(
        &mut self,
        now: &Circumstances<'_>,
        into: &mut Projected,
    ) -> anyhow::Result<()> {
        into.chunks.clear();
        let now_ns = clock(CLOCK_START_NS, now.cutoffs, now.ticks);
        let since_ns = std::mem::replace(&mut self.last_look_ns, now_ns);
        for paths in &mut self.chunks {
            let mut chunk = Chunk::default();
            let file = look(&self.store, &paths.file)?;
            match &file {
                None => paths.is_corrupt.forget(),
                Some(stat) => {
                    chunk.file = now.age(stat);
                    let digest = paths.digest;
                    let judge = |bytes: &[u8]| contents::is_corrupt(digest, bytes);
                    chunk.is_corrupt =
                        paths
                            .is_corrupt
                            .get(&self.store, &paths.file, stat, judge)?;
                }
            }
            let mut used = [file.as_ref().map(atime_ns), None, None];
            let aside = chunk.bad.iter_mut().zip(paths.bad.iter().flatten());
            for ((file, path), used) in aside.zip(&mut used[1..]) {
                if let Some(stat) = look(&self.store, path)? {
                    *file = now.age(&stat);
                    *used = Some(atime_ns(&stat));
                }
            }
            let untimely = paths.used.look(used, since_ns, now_ns);
            let files = std::iter::once(&mut chunk.file).chain(&mut chunk.bad);
            for (file, _) in files.zip(untimely).filter(|(_, untimely)| *untimely) {
                *file = ChunkFile::Untimely;
            }
            into.chunks.push(chunk);
        }
        Ok(())
    }

    fn observe_lock_files(&mut self, into: &mut Projected) -> anyhow::Result<()> {
        if into.locks.len() != self.locks.len() {
            let state = |lock: &Lock| LockState {
                lock: *lock,
                has_file: false,
                holders: Vec::new(),
            };
            into.locks = self.locks.iter().map(state).collect();
        }
        self.lock_directory.list(&mut self.at_path)?;
        for (at, path) in &self.apart {
            let found = if self.locks[*at].is_directory() {
                look(&self.store, path)?
            } else {
                look(self.lock_directory.top(), path)?
            };
            self.at_path[*at] = found.map_or(0, |stat| stat.st_ino);
        }
        for (at, (ino, state)) in self.at_path.iter().zip(&mut into.locks).enumerate() {
            if *ino != 0 && !self.seen.contains(&(*ino, at)) {
                // A number can come again, on a disk, once nobody has the directory open that had it.
                let is_gone = |(old, seen_at): &(u64, usize)| {
                    old == ino
                        && self.locks[at].is_directory()
                        && self.locks[*seen_at].is_directory()
                };
                self.seen.retain(|seen| !is_gone(seen));
                self.seen.push((*ino, at));
            }
            // Whoever locks a namespace first makes the file, and nobody removes it: to the model it was always there.
            let is_to_come = matches!(state.lock, Lock::Namespace(_))
                && self.seen.iter().all(|(_, seen_at)| *seen_at != at);
            state.has_file = *ino != 0 || is_to_come;
            state.holders.clear();
        }
        self.read_journal(into)
    }

    fn observe_flag(&self, into: &mut Projected) -> anyhow::Result<()> {
        let is_there = |name| look(&self.all_locks, name).map(|stat| stat.is_some());
        into.flag = self.flag.map(is_there).transpose()?;
        Ok(())
    }

    fn read_journal(&mut self, into: &mut Projected) -> anyhow::Result<()> {
        let ino = self
            .locks
            .iter()
            .zip(&self.at_path)
            .find(|(lock, _)| **lock == Lock::Journal);
        let Some((_, &ino)) = ino.filter(|(_, ino)| **ino != 0) else {
            into.journal = None;
            return Ok(());
        };
        let file = match &mut self.journal {
            Some((open, file)) if *open == ino => file,
            other => {
                let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                let file = openat(
                    self.lock_directory.top(),
                    "move-journal",
                    flags,
                    Mode::empty(),
                )
                .context("cannot open the journal to look at it")?;
                &mut other.insert((ino, File::from(file))).1
            }
        };
        let bytes = into.journal.get_or_insert_default();
        bytes.clear();
        loop {
            let length = bytes.len();
            bytes.resize(length + 4096, 0);
            let read = file
                .read_at(&mut bytes[length..], length as u64)
                .context("cannot read the journal to look at it")?;
            bytes.truncate(length + read);
            if read < 4096 {
                return Ok(());
            }
        }
    }

    fn observe_holders(
        &mut self,
        now: &Circumstances<'_>,
        into: &mut Projected,
    ) -> anyhow::Result<()> {
        into.store_holders.clear();
        into.unknown_locks = 0;
        let (seen, at_path, process_lock) = (&self.seen, &self.at_path, self.process_lock);
        let locks = &self.locks;
        self.proc_locks.held(now.pids, |line| {
            let Some(process) = process_of(&line, now) else {
                return;
            };
            if line.is_record_lock && line.is_in_store && line.ino == process_lock {
                into.store_holders.push(StoreHolder {
                    process,
                    is_shared: line.is_shared,
                });
                return;
            }
            match seen.iter().find(|(ino, at)| is_of(&line, *ino, locks[*at])) {
                Some((ino, at)) => {
                    let is_at_path = at_path[*at] == *ino;
                    into.locks[*at].holders.push(Holder {
                        process,
                        is_at_path,
                        is_shared: line.is_shared,
                    });
                }
                None => into.unknown_locks = into.unknown_locks.saturating_add(1),
            }
        })?;
        into.store_holders.sort_unstable();
        for lock in &mut into.locks {
            lock.holders.sort_unstable();
        }
        Ok(())
    }

    fn exists(&self, path: &CStr) -> anyhow::Result<bool> {
        Ok(look(&self.store, path)?.is_some())
    }
}

impl Circumstances<'_> {
    /// How old a chunk file is, by the virtual clock.
    fn age(&self, stat: &FileStat) -> ChunkFile {
        let since = atime_ns(stat) - CLOCK_START_NS;
        if since >= i128::from(self.cutoffs) * CUTOFF_PASSES_NS - CUTOFF_NS {
            return ChunkFile::Fresh;
        }
        // The number of the passing that made it old; what is older than the clock was so from the start.
        let passed_by = u32::try_from(since.div_euclid(CUTOFF_PASSES_NS)).ok();
        let beside_backup = passed_by.and_then(|pass| self.passed_backups.checked_shr(pass));
        match beside_backup {
            Some(bits) if bits & 1 != 0 => ChunkFile::Middle,
            Some(_) | None => ChunkFile::Old,
        }
    }
}

fn observe_manifest(
    store: &File,
    paths: &mut SnapshotPaths,
    into: &mut Manifest,
) -> anyhow::Result<()> {
    let Some(stat) = look(store, &paths.manifest)? else {
        paths.says.forget();
        return Ok(());
    };
    let names = &paths.index_names;
    let judge = |bytes: &[u8]| contents::manifest(bytes, names);
    let says = paths.says.get(store, &paths.manifest, &stat, judge)?;
    into.says = if into.namespaces == 0 || into.says == says {
        says
    } else {
        None
    };
    into.namespaces |= 1 << paths.namespace;
    Ok(())
}

fn atime_ns(stat: &FileStat) -> i128 {
    i128::from(stat.st_atime) * 1_000_000_000 + i128::from(stat.st_atime_nsec)
}

fn is_absent(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

/// Whether a line is about the inode of a lock, by its number and its device.
fn is_of(line: &Line, ino: u64, lock: Lock) -> bool {
    let is_there = if lock.is_directory() {
        line.is_in_store
    } else {
        line.is_in_locks
    };
    is_there && line.ino == ino
}

/// The locks of the old generation, whose files and directories are looked up one by one.
fn apart(scenario: &Scenario, locks: &[Lock]) -> anyhow::Result<Vec<(usize, CString)>> {
    let is_apart = |lock: &Lock| lock.is_directory() || matches!(lock, Lock::OldManifest(..));
    let locks = locks.iter().enumerate().filter(|(_, lock)| is_apart(lock));
    locks
        .map(|(at, lock)| Ok((at, c_path(&lock.path(scenario))?)))
        .collect()
}

fn look(directory: impl AsFd, path: &CStr) -> anyhow::Result<Option<FileStat>> {
    match fstatat(directory, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot stat {}", path.to_string_lossy())),
    }
}

fn process_of(line: &Line, now: &Circumstances<'_>) -> Option<Process> {
    let at = now.pids.iter().position(|pid| *pid == Some(line.pid))?;
    u8::try_from(at).ok().map(Process)
}

fn clear(masks: &mut Vec<u8>, count: usize) {
    masks.clear();
    masks.resize(count, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_dir::SHM;
    use crate::projection::ChunkFile;
    use datastore::LinuxSys;
    use datastore::sys::Sys as _;

    /// A time that was read in an earlier step, and a look since then, is none of a step that sets it now.
    #[test]
    fn a_chunk_that_is_marked_with_the_time_of_an_earlier_step_is_told() {
        let scenario = Scenario::named("one_move_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let mut observer = Observer::new(&world, scenario, Design::HARDENED).unwrap();
        let mut look = |ticks: u32| {
            let pids = vec![None; scenario.processes.len()];
            let now = Circumstances {
                pids: &pids,
                cutoffs: 0,
                ticks,
                passed_backups: 0,
                gc_slots: 0,
                ends: Ends::default(),
            };
            let mut seen = Projected::default();
            observer.observe(&now, &mut seen).unwrap();
            seen.chunks[0].file
        };
        let chunk = scenario.path(Id::Chunk(specs::id::Chunk(0)));
        let mark = |ticks: u32| {
            let time = clock(CLOCK_START_NS, 0, ticks);
            let file = world.store().join(&chunk);
            LinuxSys.utimensat(&file, time).unwrap();
        };
        look(1);
        look(3);
        mark(2);
        assert_eq!(look(5), ChunkFile::Untimely);
        mark(7);
        assert_ne!(look(7), ChunkFile::Untimely);
        mark(4);
        assert_eq!(look(9), ChunkFile::Untimely);
    }
}
