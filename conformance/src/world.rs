//! `World`: the start tree of a scenario on real files, in a private directory on a tmpfs.
//!
//! Datastore and lock directory are siblings, `store` and `locks`, in one private directory; the datastore may also
//! lie apart, on a disk, in a private directory of its own. Between two traces the tree is walked once and only what differs from the start is mended.

use crate::gate::CUTOFF_PASSES_NS;
use crate::private_dir::{Holding, Private, check_lock_directory, remove_tree};
use crate::start_tree::{FLAG, start_tree};
use crate::tree_paths::changes_owners;
use anyhow::Context as _;
use datastore::Generation;
use nix::sys::stat::UtimensatFlags;
use nix::sys::time::TimeSpec;
use specs::Id;
use specs::id::Process;
use specs::scenario::{Scenario, Task};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

pub use crate::private_dir::{ParentError, SHM, remove_leftovers, remove_on_interrupt};

/// Name of the datastore, and of its directory below the lock directory.
pub const STORE_NAME: &str = "store";

/// The virtual clock at the start of every trace: 2026-07-15T00:00:00Z.
pub const CLOCK_START_NS: i128 = 1_784_073_600 * 1_000_000_000;

/// The tree of one lane.
#[derive(Debug)]
pub struct World {
    root: Private,
    /// The private directory of a datastore that lies apart.
    apart: Option<Private>,
    store: PathBuf,
    locks: PathBuf,
    /// What exists at the start: relative path to contents; none for a directory. Parents come first.
    start: BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// Files of the start tree that may be another file, or have other contents, after a trace.
    rewritten: BTreeSet<PathBuf>,
    /// Paths of the chunks, which start older than every cutoff.
    chunks: Vec<PathBuf>,
}

impl World {
    /// Makes the private directory of a lane below `parent` and builds the start tree of a scenario in it.
    pub fn create(parent: &Path, scenario: &Scenario) -> anyhow::Result<Self> {
        Self::create_apart(parent, None, scenario)
    }

    /// The same with the datastore below another directory, which need not be on a tmpfs.
    pub fn create_apart(
        parent: &Path,
        apart: Option<&Path>,
        scenario: &Scenario,
    ) -> anyhow::Result<Self> {
        check_lock_directory(parent)?;
        let root = Private::create(parent, Holding::Locks)?;
        let apart = apart.map(|parent| Private::create(parent, Holding::Stores));
        let apart = apart.transpose()?;
        let world = Self {
            store: apart.as_ref().unwrap_or(&root).path().join("store"),
            locks: root.path().join("locks"),
            start: start_tree(scenario)?,
            rewritten: rewritten(scenario),
            chunks: scenario
                .all_chunks()
                .map(|chunk| Path::new("store").join(scenario.path(Id::Chunk(chunk))))
                .collect(),
            apart,
            root,
        };
        world.reset()?;
        Ok(world)
    }

    /// A copy of the tree as it is, beside it: what is open and locked here is neither there. After a reboot the tmpfs is
    /// empty.
    pub(crate) fn copied(&self, scenario: &Scenario, rebooted: bool) -> anyhow::Result<Self> {
        let parent = self.root().parent().context("the tree has no parent")?;
        let root = Private::create(parent, Holding::Locks)?;
        let copy = Self {
            store: root.path().join("store"),
            locks: root.path().join("locks"),
            start: start_tree(scenario)?,
            rewritten: rewritten(scenario),
            chunks: self.chunks.clone(),
            apart: None,
            root,
        };
        for (path, is_dir) in self.walk()? {
            let (from, to) = (self.at(&path), copy.at(&path));
            if rebooted && path.starts_with("locks") && path != Path::new("locks") {
                continue;
            }
            let copied = if is_dir {
                std::fs::create_dir(&to)
            } else if path.starts_with("locks") || path == Path::new("store/.lock") {
                self.copy_renamed(&from, &to, &copy)
            } else {
                std::fs::copy(&from, &to).map(drop)
            };
            copied.with_context(|| format!("cannot copy {}", from.display()))?;
        }
        Ok(copy)
    }

    /// What there is, with the contents of all files but chunks, whose names say what is in them. Two trees that look the
    /// same are the same to whoever opens them later.
    pub(crate) fn looks(&self) -> io::Result<BTreeMap<PathBuf, Option<String>>> {
        let mut looks = BTreeMap::new();
        for (path, is_dir) in self.walk()? {
            let contents = if is_dir {
                None
            } else if path.starts_with("store/.chunks") {
                Some(String::new())
            } else {
                let contents = std::fs::read(self.at(&path))?;
                let root = self.root().to_string_lossy();
                Some(String::from_utf8_lossy(&contents).replace(root.as_ref(), ""))
            };
            looks.insert(path, contents);
        }
        Ok(looks)
    }

    /// Copies a file that may name the datastore or its lock directory, as the journal does.
    fn copy_renamed(&self, from: &Path, to: &Path, copy: &Self) -> io::Result<()> {
        let mut contents = String::from_utf8_lossy(&std::fs::read(from)?).into_owned();
        for (ours, theirs) in [(&self.store, &copy.store), (&self.locks, &copy.locks)] {
            let (ours, theirs) = (ours.to_string_lossy(), theirs.to_string_lossy());
            contents = contents.replace(ours.as_ref(), theirs.as_ref());
        }
        std::fs::write(to, contents)
    }

    /// How a process locks that is started now.
    pub(crate) fn generation_of_new(&self) -> Generation {
        Generation::ByFlag(self.flag())
    }

    /// The private directory.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Makes sure that nobody has removed the private directories from under the replay, and that neither is full: whatever
    /// was seen then says nothing about the code.
    pub(crate) fn check_sound(&self) -> anyhow::Result<()> {
        for private in [Some(&self.root), self.apart.as_ref()]
            .into_iter()
            .flatten()
        {
            private.check_there()?;
            private.check_room()?;
        }
        Ok(())
    }

    /// Why something failed: what is wrong with the private directories, if anything is.
    pub(crate) fn cause(&self, error: anyhow::Error) -> anyhow::Error {
        self.check_sound().err().unwrap_or(error)
    }

    /// The base directory of the datastore.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// The directory of the lock directories.
    pub fn locks(&self) -> &Path {
        &self.locks
    }

    /// Where the flag file lies, if it is there.
    fn flag(&self) -> PathBuf {
        self.root().join(FLAG)
    }

    /// How a process of a scenario locks groups and snapshots.
    pub fn generation(&self, scenario: &Scenario, process: Process) -> Generation {
        if scenario.generations.old.contains(&process) {
            Generation::Directories
        } else {
            Generation::ByFlag(self.flag())
        }
    }

    /// Creates the flag file, which must not be there.
    pub fn set_flag(&self) -> io::Result<()> {
        std::fs::File::create_new(self.flag()).map(drop)
    }

    /// Where a path lies that is relative to the private directory.
    pub fn at(&self, relative: &Path) -> PathBuf {
        match relative.strip_prefix("store") {
            Ok(below) if below.as_os_str().is_empty() => self.store.clone(),
            Ok(below) => self.store.join(below),
            Err(_) => self.root().join(relative),
        }
    }

    /// Everything that exists, relative to the private directory, with whether it is a directory.
    pub fn walk(&self) -> io::Result<BTreeMap<PathBuf, bool>> {
        let mut found = BTreeMap::new();
        for top in ["store", "locks"] {
            if self.at(Path::new(top)).is_dir() {
                found.insert(PathBuf::from(top), true);
                self.walk_below(Path::new(top), &mut found)?;
            }
        }
        Ok(found)
    }

    fn walk_below(&self, directory: &Path, found: &mut BTreeMap<PathBuf, bool>) -> io::Result<()> {
        for entry in std::fs::read_dir(self.at(directory))? {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            let is_dir = entry.file_type()?.is_dir();
            if is_dir {
                self.walk_below(&path, found)?;
            }
            found.insert(path, is_dir);
        }
        Ok(())
    }

    /// Brings the tree back to its start. Nobody may use it meanwhile.
    pub fn reset(&self) -> anyhow::Result<()> {
        let found = self
            .walk()
            .with_context(|| format!("cannot walk {}", self.root().display()))?;
        // Children come after their parents, so they go first in reverse.
        for (path, is_dir) in found.iter().rev() {
            if self.start.get(path).map(Option::is_none) == Some(*is_dir) {
                continue;
            }
            let full = self.at(path);
            let removed = if *is_dir {
                std::fs::remove_dir(&full)
            } else {
                std::fs::remove_file(&full)
            };
            removed.with_context(|| format!("cannot remove {}", full.display()))?;
        }
        for (path, contents) in &self.start {
            if found.get(path) == Some(&contents.is_none()) && !self.rewritten.contains(path) {
                continue;
            }
            let full = self.at(path);
            let made = match contents {
                None => std::fs::create_dir(&full),
                Some(bytes) => std::fs::write(&full, bytes),
            };
            let private = match &self.apart {
                Some(apart) if path.starts_with("store") => apart,
                Some(_) | None => &self.root,
            };
            made.map_err(|error| private.refuse(error))
                .with_context(|| format!("cannot write {}", full.display()))?;
        }
        let old = CLOCK_START_NS - 2 * CUTOFF_PASSES_NS;
        let old = TimeSpec::new(seconds(old), 0);
        for chunk in &self.chunks {
            let full = self.at(chunk);
            nix::sys::stat::utimensat(
                nix::fcntl::AT_FDCWD,
                &full,
                &old,
                &old,
                UtimensatFlags::NoFollowSymlink,
            )
            .with_context(|| format!("cannot set the access time of {}", full.display()))?;
        }
        Ok(())
    }

    /// Removes everything and builds it anew, for when something other than an operation may have written to it.
    pub fn rebuild(&self) -> anyhow::Result<()> {
        for directory in [&self.store, &self.locks] {
            remove_tree(directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
        self.reset()
    }
}

/// The journal, which is written in place; manifests and owners, if somebody changes them; chunks that a good one may
/// replace.
fn rewritten(scenario: &Scenario) -> BTreeSet<PathBuf> {
    let store = Path::new("store");
    let mut files = BTreeSet::from([Path::new("locks").join(STORE_NAME).join("move-journal")]);
    let edits = |(_, task): &(_, Task)| matches!(task, Task::Verify { .. } | Task::SetNotes { .. });
    if scenario.actors.iter().any(edits) {
        for snapshot in scenario.all_snapshots() {
            let namespace = scenario.snapshots[usize::from(snapshot.0)].namespace;
            files.insert(store.join(scenario.path(Id::Manifest(namespace, snapshot))));
        }
    }
    if changes_owners(scenario) {
        for namespace in scenario.all_namespaces() {
            let groups = scenario.all_groups();
            let owner = |group| {
                store
                    .join(scenario.path(Id::Group(namespace, group)))
                    .join("owner")
            };
            files.extend(groups.map(owner));
        }
    }
    let corrupt = scenario.corrupt.iter();
    files.extend(corrupt.map(|chunk| store.join(scenario.path(Id::Chunk(*chunk)))));
    files
}

/// Whole seconds of a time that fits.
pub(crate) fn seconds(ns: i128) -> i64 {
    i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_dir::SHM;
    use specs::id::Chunk;

    #[test]
    fn a_reset_removes_what_was_added_and_restores_what_is_gone() {
        let scenario = Scenario::named("move_merges_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let start = world.walk().unwrap();
        let base = world.store();
        std::fs::remove_dir_all(base.join("ns/a/vm/100")).unwrap();
        std::fs::create_dir_all(base.join("ns/b/vm/999/x")).unwrap();
        std::fs::write(world.locks().join("store/stray.tmp_abc"), "").unwrap();
        std::fs::remove_file(base.join(scenario.path(Id::Chunk(Chunk(1))))).unwrap();
        assert_ne!(world.walk().unwrap(), start);
        world.reset().unwrap();
        assert_eq!(world.walk().unwrap(), start);
    }

    #[test]
    fn trees_look_the_same_if_every_file_but_chunks_says_the_same() {
        let scenario = Scenario::named("move_merges_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let start = world.looks().unwrap();
        let mut changed = [0, 0];
        for (path, is_dir) in world.walk().unwrap() {
            if is_dir {
                continue;
            }
            let (file, is_chunk) = (world.at(&path), path.starts_with("store/.chunks"));
            let contents = std::fs::read(&file).unwrap();
            std::fs::write(&file, "something else").unwrap();
            assert_eq!(world.looks().unwrap() == start, is_chunk, "{path:?}");
            std::fs::write(&file, contents).unwrap();
            changed[usize::from(is_chunk)] += 1;
        }
        assert!(changed.iter().all(|count| *count > 1), "{changed:?}");
        // There is no journal at the start, and what it says decides what comes after.
        let journal = world.locks().join(STORE_NAME).join("move-journal");
        let with = ["", "/one\n", "/two\n"].map(|lines| {
            std::fs::write(&journal, lines).unwrap();
            world.looks().unwrap()
        });
        assert!(with[0] != with[1] && with[1] != with[2] && !with.contains(&start));
    }

    #[test]
    fn a_copy_after_a_reboot_has_no_lock_files_and_one_after_a_kill_has_them() {
        let scenario = Scenario::named("move_merges_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let file = Path::new("locks").join(STORE_NAME).join("move-journal");
        std::fs::write(world.at(&file), "/one\n").unwrap();
        for rebooted in [false, true] {
            let copy = world.copied(scenario, rebooted).unwrap();
            let lines = std::fs::read_to_string(copy.at(&file)).ok();
            assert_eq!(lines.as_deref(), (!rebooted).then_some("/one\n"));
        }
    }
}
