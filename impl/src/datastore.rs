//! `Datastore`: a store on disk with its locks, as the actors of one process share it.

use crate::chunk_store::ChunkStore;
use crate::error::{At, CallError, LockError};
use crate::generation::{Found, Generation, OLD_LOCKING};
use crate::group_directory::exists;
use crate::journal::Journal;
use crate::lock_file::{self, LockFile, LockGuard, make_directory, unlink_not_held};
use crate::lock_names;
use crate::paths::{Group, InvalidName, Layout, Namespace, Snapshot};
use crate::place::{
    check_lock_directory, is_no_directory, link_in_the_way, real_path, stat_directory,
};
use crate::process_lock::ProcessLock;
use crate::sys::{CreateMode, Deadline, FlockError, Sys, Waiting};
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use specs::{Design, LockClass};
use std::io;
use std::path::{Path, PathBuf};

/// Where Proxmox Backup keeps the lock files of its datastores.
pub const LOCKS: &str = "/run/proxmox-backup/locks";

/// Mode of lock files, and of files below the datastore.
const LOCK_MODE: u32 = 0o660;
const FILE_MODE: u32 = 0o644;

/// How often the taker of a lock may begin, in all, because its file was unlinked meanwhile. Each time somebody else
/// got on. All of it has the time of one wait.
const ATTEMPTS: u32 = 8;

/// How long the editors of a manifest wait for each other.
const MANIFEST_WAIT: Wait = Wait::Seconds(5);

/// What a datastore is opened with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The base directory.
    pub base: PathBuf,
    /// The name, which is also that of its lock directory.
    pub name: String,
    /// The directory of the lock directories.
    pub locks: PathBuf,
    /// Which file systems it may lie on.
    pub lock_file_system: LockFileSystem,
    /// Mode of the lock files.
    pub lock_mode: u32,
    /// Owner of everything that is created; none leaves that of the process.
    pub owner: Option<(u32, u32)>,
    /// How this process locks groups and snapshots.
    pub generation: Generation,
}

impl Config {
    /// The configuration of Proxmox Backup, with files that belong to whoever runs the process.
    pub fn new(base: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            name: name.into(),
            locks: LOCKS.into(),
            lock_file_system: LockFileSystem::Tmpfs,
            lock_mode: LOCK_MODE,
            owner: None,
            generation: Generation::ByFlag(OLD_LOCKING.into()),
        }
    }
}

/// Which file systems the lock directory may lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockFileSystem {
    /// Only a tmpfs: locks and journal must not outlive a reboot.
    Tmpfs,
    /// Any. Stale files stay, and the journal grows until the next garbage collection.
    Any,
}

/// Which prefix directories a new chunk store gets.
#[derive(Clone, Copy, Debug)]
pub enum Prefixes<'a> {
    /// All 65,536.
    All,
    /// These: four hex digits each.
    Only(&'a [&'a str]),
}

/// A datastore cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration names it in a way that cannot be.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The directory holds none.
    #[error("{} is no datastore: it has no directory .chunks; create one there, or correct the path", .0.display())]
    NotADatastore(PathBuf),
    /// The directory holds one already.
    #[error("{} is a datastore already; open it, or choose an empty directory", .0.display())]
    Exists(PathBuf),
    /// This process has opened it before, and still has it open.
    #[error("{} is open in this process already; share that one, since closing a second one would drop the process lock of both", .0.display())]
    AlreadyOpen(PathBuf),
    /// Others lock it elsewhere, and would not see the locks of this process.
    #[error(
        "{} keeps its locks in {}, and {} was asked for; open it by the name and with the lock directory that it has, or, once nobody uses it, empty {}",
        base.display(), bound.display(), asked.display(), file.display()
    )]
    OtherLocks {
        /// The datastore.
        base: PathBuf,
        /// The lock directory that it has.
        bound: PathBuf,
        /// The one that was asked for.
        asked: PathBuf,
        /// The file that says so.
        file: PathBuf,
    },
    /// The lock directory cannot be used.
    #[error("lock directory {} {why}; {mend}", directory.display())]
    LockDirectory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do about it.
        mend: &'static str,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A datastore. The actors of a process share one; a second one of the same base directory is
/// refused.
pub struct Datastore<S: Sys> {
    layout: Layout,
    lock_files: CreateMode,
    files: CreateMode,
    chunks: ChunkStore<S>,
    /// Whether a garbage collection of this process runs.
    gc_slot: S::Mutex<bool>,
    process_lock: ProcessLock<S>,
    /// The move journal of this process, in the design that keeps it in memory.
    journal: S::Mutex<Vec<u8>>,
    generation: Found,
}

/// The slot of the one garbage collection of the process. Dropping it empties the slot.
#[must_use = "the slot is taken only as long as its guard"]
pub struct GcSlot<'a, S: Sys> {
    sys: &'a S,
    slot: &'a S::Mutex<bool>,
}

impl<S: Sys> Datastore<S> {
    /// Makes a new datastore and opens it.
    ///
    /// The directory of the chunks is filled under another name and gets its own at last, so that one that is there has all
    /// its prefixes. A crash leaves a part of it under the other name, which is no datastore; a repeat goes on with that. The
    /// directory that was made when the crash came may belong to the process instead of the configured owner, and stays so.
    pub fn create(sys: &S, config: Config, prefixes: Prefixes<'_>) -> Result<Self, OpenError> {
        let layout = layout(sys, &config)?;
        let chunks = layout.chunks();
        check_lock_directory(sys, layout.locks(), config.lock_file_system)?;
        make_directory(sys, layout.base(), config.owner)?;
        if exists(sys, &chunks)? {
            return Err(OpenError::Exists(config.base));
        }
        let new = layout.new_chunks();
        make_directory(sys, &new, config.owner)?;
        let make = |name: &str| make_directory(sys, &new.join(name), config.owner);
        match prefixes {
            Prefixes::All => (0..=u16::MAX).try_for_each(|n| make(&format!("{n:04x}")))?,
            Prefixes::Only(names) => names.iter().try_for_each(|name| make(name))?,
        }
        match sys.rename(&new, &chunks) {
            // Somebody else was faster. Which of the two it is depends on the file system.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                return Err(OpenError::Exists(config.base));
            }
            result => result.at("create", &chunks)?,
        }
        Self::open(sys, config)
    }

    /// Opens a datastore.
    pub fn open(sys: &S, config: Config) -> Result<Self, OpenError> {
        let layout = layout(sys, &config)?;
        let chunks = match stat_directory(sys, &layout.chunks()) {
            Err(error) if is_no_directory(&error) => {
                return Err(OpenError::NotADatastore(config.base));
            }
            result => result.at("stat", &layout.chunks())?,
        };
        check_lock_directory(sys, layout.locks(), config.lock_file_system)?;
        make_directory(sys, layout.locks(), config.owner)?;
        let files = CreateMode {
            mode: FILE_MODE,
            owner: config.owner,
        };
        let Some(claim) = sys.claim(chunks.dev, chunks.ino) else {
            return Err(OpenError::AlreadyOpen(config.base));
        };
        let process_lock = ProcessLock::open(sys, &layout.process_lock(), files, claim)?;
        let bound = process_lock.bind(sys, layout.locks())?;
        if bound != layout.locks() {
            return Err(OpenError::OtherLocks {
                base: config.base,
                bound,
                asked: layout.locks().to_owned(),
                file: layout.process_lock(),
            });
        }
        Ok(Self {
            chunks: ChunkStore::new(layout.chunks()),
            layout,
            lock_files: CreateMode {
                mode: config.lock_mode,
                owner: config.owner,
            },
            files,
            gc_slot: S::mutex(false),
            process_lock,
            journal: S::mutex(Vec::new()),
            generation: Found::at_open(sys, config.generation),
        })
    }

    /// Refuses a path below the datastore that leads through a symbolic link, or is one. A look that belongs to no step.
    pub fn refuse_links(&self, sys: &S, path: &Path) -> Result<(), CallError> {
        let link = sys.first_link(self.layout.base(), path).at("find", path)?;
        link.map_or(Ok(()), |link| Err(link_in_the_way(link)))
    }

    /// Where its files lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its chunks.
    pub fn chunks(&self) -> &ChunkStore<S> {
        &self.chunks
    }

    /// Mode and owner of files below the datastore.
    pub fn files(&self) -> CreateMode {
        self.files
    }

    /// Mode and owner of lock files.
    pub fn lock_files(&self) -> CreateMode {
        self.lock_files
    }

    /// Takes the slot of the one garbage collection of this process.
    pub fn lock_gc_slot<'a>(&'a self, sys: &'a S) -> Result<GcSlot<'a, S>, FlockError> {
        let mut is_running = sys.lock(&self.gc_slot);
        if *is_running {
            return Err(FlockError::WouldBlock);
        }
        *is_running = true;
        sys.holds(LockClass::GcSlot, Some(Mode::Exclusive));
        drop(is_running);
        Ok(GcSlot {
            sys,
            slot: &self.gc_slot,
        })
    }

    /// The process lock.
    pub fn process_lock(&self) -> &ProcessLock<S> {
        &self.process_lock
    }

    /// Takes the lock of one namespace, and of none above it; waits as long as the design says.
    pub fn lock_namespace<'s>(
        &self,
        sys: &'s S,
        design: Design,
        namespace: &Namespace,
        mode: Mode,
    ) -> Result<LockGuard<'s, S>, LockError> {
        let published = self.layout.namespace_lock(namespace);
        let own = lock_names::own_namespace_lock_file(self.layout.locks(), namespace);
        let deadline = Deadline::default();
        let waiting = Waiting::within(design.namespace_wait(), &deadline);
        self.lock_both(sys, design, namespace, (&published, own), mode, waiting)
    }

    /// Whether this process has locked directories since it opened the datastore, so that it creates what it locks.
    pub(crate) fn always_locks_directories(&self, design: Design) -> bool {
        self.generation.always_locks_directories(design)
    }

    /// Whether this process locks directories, as far as is known without another look for the flag file.
    pub(crate) fn locks_directories(&self, design: Design) -> bool {
        self.generation.locks_directories(design)
    }

    /// Whether the lock that is about to be taken is that of a directory. Looks for the flag file where the design says.
    pub(crate) fn look_for_directories(&self, sys: &S, design: Design) -> Result<bool, CallError> {
        self.generation.look(sys, design)
    }

    /// The flag file that may make this process lock directories.
    pub(crate) fn flag(&self) -> Option<&Path> {
        self.generation.flag()
    }

    /// Takes the lock of a group; does not wait.
    pub fn lock_group<'s>(
        &self,
        sys: &'s S,
        design: Design,
        group: &Group,
    ) -> Result<LockGuard<'s, S>, LockError> {
        if self.look_for_directories(sys, design)? {
            let path = self.layout.path(group);
            return lock_file::lock_directory(sys, &path, Mode::Exclusive);
        }
        self.lock_group_file(sys, design, group)
    }

    /// Takes the lock of a group by its lock file, without a look for the flag file.
    pub(crate) fn lock_group_file<'s>(
        &self,
        sys: &'s S,
        design: Design,
        group: &Group,
    ) -> Result<LockGuard<'s, S>, LockError> {
        let name = (group.namespace(), group.name());
        self.lock(sys, design, name, Mode::Exclusive, Wait::No)
    }

    /// Takes the lock of a snapshot exclusively; does not wait.
    pub fn lock_snapshot<'s>(
        &self,
        sys: &'s S,
        design: Design,
        snapshot: &Snapshot,
    ) -> Result<LockGuard<'s, S>, LockError> {
        self.lock_snapshot_in(sys, design, snapshot, Mode::Exclusive)
    }

    /// Takes the lock of a snapshot beside other readers; does not wait. A lock file is a lock on the name: whether
    /// there is such a snapshot is another question then.
    pub fn lock_snapshot_shared<'s>(
        &self,
        sys: &'s S,
        design: Design,
        snapshot: &Snapshot,
    ) -> Result<LockGuard<'s, S>, LockError> {
        self.lock_snapshot_in(sys, design, snapshot, Mode::Shared)
    }

    fn lock_snapshot_in<'s>(
        &self,
        sys: &'s S,
        design: Design,
        snapshot: &Snapshot,
        mode: Mode,
    ) -> Result<LockGuard<'s, S>, LockError> {
        if self.look_for_directories(sys, design)? {
            return lock_file::lock_directory(sys, &self.layout.path(snapshot), mode);
        }
        let name = (snapshot.group().namespace(), snapshot.name());
        self.lock(sys, design, name, mode, Wait::No)
    }

    /// Takes the lock of the manifest of a snapshot; waits up to 5 s. It is always that of a file, which lies elsewhere
    /// for a process that locks directories.
    pub fn lock_manifest<'s>(
        &self,
        sys: &'s S,
        design: Design,
        snapshot: &Snapshot,
    ) -> Result<LockGuard<'s, S>, LockError> {
        if self.look_for_directories(sys, design)? {
            let path = self.layout.old_manifest_lock(snapshot);
            let deadline = Deadline::default();
            let waiting = Waiting::within(MANIFEST_WAIT, &deadline);
            return self.lock_path(sys, design, &path, Mode::Exclusive, waiting);
        }
        let name = (snapshot.group().namespace(), snapshot.manifest_lock_name());
        self.lock(sys, design, name, Mode::Exclusive, MANIFEST_WAIT)
    }

    /// Makes sure that the files of the lock of a manifest are there, for a process that locks directories or one that does
    /// not; nothing is locked.
    pub(crate) fn make_manifest_lock(
        &self,
        sys: &S,
        design: Design,
        snapshot: &Snapshot,
        by_directory: bool,
    ) -> Result<(), LockError> {
        let make = |path: &Path| {
            for _ in 1..ATTEMPTS {
                match LockFile::open_or_create(sys, path.to_owned(), self.lock_files) {
                    Err(LockError::Vanished(_)) => {}
                    result => return result.map(drop),
                }
            }
            LockFile::open_or_create(sys, path.to_owned(), self.lock_files).map(drop)
        };
        if by_directory {
            return make(&self.layout.old_manifest_lock(snapshot));
        }
        let (namespace, raw) = (snapshot.group().namespace(), snapshot.manifest_lock_name());
        let locks = self.layout.locks();
        let own = lock_names::own_lock_file(locks, namespace, &raw);
        let own = own.filter(|_| design.avoids_name_collisions());
        own.as_deref().map_or(Ok(()), make)?;
        if own.is_some() && !lock_names::is_published_beside(namespace) {
            return Ok(());
        }
        // Where something else has its path, the lock is that of another file.
        match make(&self.layout.manifest_lock(snapshot)) {
            Err(error) if error.is_in_the_way() && design.avoids_name_collisions() => {
                match (own, *namespace == Namespace::ROOT) {
                    (None, true) => make(&lock_names::lock_file_instead(locks, &raw)),
                    (None, false) => Err(error),
                    (Some(_), _) => Ok(()),
                }
            }
            result => result,
        }
    }

    /// Locks the move journal; waits up to 10 s for the file.
    pub fn lock_journal<'s>(
        &'s self,
        sys: &'s S,
        design: Design,
    ) -> Result<Journal<'s, S>, LockError> {
        if design.keeps_journal_in_memory() {
            return Ok(Journal::lock_in_memory(sys, &self.journal));
        }
        Journal::lock(sys, self.layout.journal(), self.lock_files)
    }

    /// Unlinks the lock files of the manifest of a snapshot that is gone, by somebody who does not hold
    /// the lock, of a process that locks directories or one that does not.
    pub(crate) fn unlink_manifest_lock_not_held(
        &self,
        sys: &S,
        design: Design,
        snapshot: &Snapshot,
        by_directory: bool,
    ) -> Result<(), CallError> {
        if by_directory {
            return unlink_not_held(sys, &self.layout.old_manifest_lock(snapshot));
        }
        let (namespace, raw) = (snapshot.group().namespace(), snapshot.manifest_lock_name());
        let published = self.layout.manifest_lock(snapshot);
        let own = lock_names::own_lock_file(self.layout.locks(), namespace, &raw);
        match own.filter(|_| design.avoids_name_collisions()) {
            None => unlink_not_held(sys, &published),
            Some(own) => {
                match unlink_not_held(sys, &published) {
                    Err(error) if !error.is_not_found() && !error.is_in_the_way() => Err(error)?,
                    _ => {}
                }
                unlink_not_held(sys, &own)
            }
        }
    }

    /// Takes the lock of a name: a namespace, and what is locked in it.
    fn lock<'s>(
        &self,
        sys: &'s S,
        design: Design,
        (namespace, raw): (&Namespace, String),
        mode: Mode,
        wait: Wait,
    ) -> Result<LockGuard<'s, S>, LockError> {
        let locks = self.layout.locks();
        let published = lock_names::lock_file(locks, namespace, &raw);
        let own = lock_names::own_lock_file(locks, namespace, &raw);
        let deadline = Deadline::default();
        let waiting = Waiting::within(wait, &deadline);
        match self.lock_both(sys, design, namespace, (&published, own), mode, waiting) {
            Err(error)
                if error.is_in_the_way()
                    && *namespace == Namespace::ROOT
                    && design.avoids_name_collisions() =>
            {
                let instead = lock_names::lock_file_instead(locks, &raw);
                self.lock_path(sys, design, &instead, mode, waiting)
            }
            result => result,
        }
    }

    /// Takes the lock of the published file; in the design that has one, after that of the file that the namespace has to
    /// itself, and then only if the published one can be.
    fn lock_both<'s>(
        &self,
        sys: &'s S,
        design: Design,
        namespace: &Namespace,
        (published, own): (&Path, Option<PathBuf>),
        mode: Mode,
        waiting: Waiting<'_>,
    ) -> Result<LockGuard<'s, S>, LockError> {
        let take = |path: &Path| self.lock_path(sys, design, path, mode, waiting);
        let Some(own) = own.filter(|_| design.avoids_name_collisions()) else {
            return take(published);
        };
        let guard = take(&own)?;
        if !lock_names::is_published_beside(namespace) {
            return Ok(guard);
        }
        match take(published) {
            Ok(beside) => Ok(guard.with_published(beside)),
            Err(error) if error.is_in_the_way() => Ok(guard),
            Err(error) => Err(error),
        }
    }

    fn lock_path<'s>(
        &self,
        sys: &'s S,
        design: Design,
        path: &Path,
        mode: Mode,
        waiting: Waiting<'_>,
    ) -> Result<LockGuard<'s, S>, LockError> {
        let attempts = if design.locks_again_what_vanished() {
            ATTEMPTS
        } else {
            1
        };
        let try_once = || {
            let path = path.to_owned();
            if design.has(Change::RecheckBeforeFlock) {
                lock_file::lock_after_recheck(sys, path, self.lock_files, mode, waiting)
            } else {
                lock_file::lock(sys, path, self.lock_files, mode, waiting)
            }
        };
        for _ in 1..attempts {
            match try_once() {
                Err(LockError::Vanished(_)) => {}
                result => return result,
            }
        }
        try_once()
    }
}

impl<S: Sys> Drop for GcSlot<'_, S> {
    fn drop(&mut self) {
        let mut is_running = self.sys.lock(self.slot);
        *is_running = false;
        self.sys.holds(LockClass::GcSlot, None);
    }
}

/// The layout of a configuration, by the real paths of its directories.
fn layout<S: Sys>(sys: &S, config: &Config) -> Result<Layout, OpenError> {
    // A path that is not absolute would be one for whoever asks for its real one.
    Layout::new(&config.base, &config.locks, &config.name)?;
    let (base, locks) = (
        real_path(sys, &config.base)?,
        real_path(sys, &config.locks)?,
    );
    Ok(Layout::new(&base, &locks, &config.name)?)
}
