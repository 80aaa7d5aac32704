//! What comes after, on real files: a copy of the tree, as if everybody had died, in which one operation after the other
//! has to get on with what is left, in a process that was started afterwards.
//!
//! Nothing here knows the model: what is there is read from the copy, and each operation is the real one.

use crate::contents;
use crate::errand::{Ended, Errand, GroupName, namespace_name};
use crate::pool::without_starts;
use crate::projection::Lock;
use crate::real_check;
use crate::start_tree;
use crate::world::{STORE_NAME, World};
use anyhow::Context as _;
use datastore::{Config, Cx, Datastore, Generation, LinuxSys};
use nix::sys::stat::UtimensatFlags;
use nix::sys::time::TimeSpec;
use specs::id::{Chunk, Group, Index, Namespace, Snapshot};
use specs::scenario::{OWNERS, Scenario, Task};
use specs::{Design, Id};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// What was done on a copy of the tree after one way of dying, and what of it did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The operations that were begun, in their order; of a backup the namespace that it goes to.
    pub tasks: Vec<(Task, Namespace)>,
    /// The first thing that did not work, in a sentence; none if all did.
    pub failure: Option<String>,
}

/// What is done on copies of a tree, after the processes were killed and after the host went down; none if nobody asks it of the
/// scenario.
///
/// # Errors
///
/// If a copy cannot be made or read.
pub fn tried(
    world: &World,
    scenario: &Scenario,
    design: Design,
) -> anyhow::Result<Option<[Tried; 2]>> {
    let single = |(_, task): &(_, Task)| matches!(task, Task::AccessChunk { .. });
    if scenario.actors.iter().any(single) {
        return Ok(None);
    }
    let on_a_copy = |rebooted: bool| {
        let copy = world.copied(scenario, rebooted)?;
        let all = || {
            let run = Run::new(&copy, scenario, design)?;
            let failure = match run.all() {
                Ok(()) => None,
                Err(error) => Some(error.downcast::<Failed>()?.to_string()),
            };
            let tasks = run.tasks.into_inner();
            anyhow::Ok(Tried { tasks, failure })
        };
        without_starts(all)
    };
    Ok(Some([on_a_copy(false)?, on_a_copy(true)?]))
}

/// What does not work on a copy of a tree, after the processes were killed or the host went down; none if all works, or if
/// nobody asks it of the scenario.
///
/// # Errors
///
/// If the copy cannot be made or read.
pub fn failure(
    world: &World,
    scenario: &Scenario,
    design: Design,
) -> anyhow::Result<Option<String>> {
    let Some([killed, rebooted]) = tried(world, scenario, design)? else {
        return Ok(None);
    };
    let after = |how: &str, tried: Tried| tried.failure.map(|what| format!("after {how}, {what}"));
    Ok(after("a kill", killed).or_else(|| after("a reboot", rebooted)))
}

/// What does not work.
#[derive(Debug)]
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

fn failed(what: String) -> anyhow::Result<()> {
    Err(Failed(what).into())
}

struct Run<'a> {
    world: &'a World,
    scenario: &'a Scenario,
    cx: Cx<LinuxSys>,
    store: Datastore<LinuxSys>,
    by_directory: bool,
    /// Lock files that were there before.
    locks: BTreeSet<PathBuf>,
    /// What was begun.
    tasks: RefCell<Vec<(Task, Namespace)>>,
}

impl<'a> Run<'a> {
    fn new(world: &'a World, scenario: &'a Scenario, design: Design) -> anyhow::Result<Self> {
        let generation = world.generation_of_new();
        let by_directory = design.locks_directories()
            || matches!(&generation, Generation::ByFlag(flag) if flag.exists());
        if let Generation::ByFlag(flag) = &generation {
            LinuxSys::forget_first_look(flag);
        }
        let config = Config {
            locks: world.locks().to_owned(),
            generation,
            ..Config::new(world.store(), STORE_NAME)
        };
        let store = Datastore::open(&LinuxSys, config).context("cannot open the copy")?;
        Ok(Self {
            locks: lock_files(world)?,
            cx: Cx {
                sys: LinuxSys,
                design,
            },
            world,
            scenario,
            store,
            by_directory,
            tasks: RefCell::default(),
        })
    }

    fn all(&self) -> anyhow::Result<()> {
        self.collect()?;
        for (_, task) in self.scenario.actors {
            self.move_again(*task)?;
        }
        for (namespace, group) in self.groups() {
            self.back_up(namespace, group)?;
            self.look_after(namespace, group)?;
        }
        for (_, task) in self.scenario.actors {
            self.delete_again(*task)?;
        }
        for (namespace, group) in self.groups() {
            self.forget_all(namespace, group)?;
        }
        for (namespace, group) in self.groups() {
            self.back_up(namespace, group)?;
            self.forget_all(namespace, group)?;
        }
        self.age()?;
        self.collect()?;
        self.nothing_is_left()
    }

    /// Carries one errand out, and looks for chunks that are named and missing.
    fn errand(&self, errand: &Errand) -> anyhow::Result<()> {
        let mut fault = None;
        let limits = self.scenario.limits;
        errand.run(&self.cx, &self.store, limits, &|| false, |ended| {
            if let Ended::Busy(why) | Ended::Failed(why) = ended {
                fault = Some(why);
            }
        });
        if let Some(why) = fault {
            return failed(format!("{errand} fails: {why}"));
        }
        let was_lost = |c| self.scenario.corrupt.contains(&c) && !self.was_sound_when_set_aside(c);
        let missing = real_check::missing_chunk(self.world, self.scenario, was_lost)?;
        match missing.or_else(|| self.wrong_with_the_tree()) {
            Some(what) => failed(format!("after {errand}, {what}")),
            None => Ok(()),
        }
    }

    /// Whether a chunk was set aside that was not corrupt, or not any more since somebody had written it again.
    fn was_sound_when_set_aside(&self, chunk: Chunk) -> bool {
        let (hex, digest) = (Scenario::digest(chunk), start_tree::digest(chunk));
        let beside = |n: u8| format!("store/.chunks/{}/{hex}.{n}.bad", &hex[..4]);
        let aside = (0..2).filter_map(|n| std::fs::read(self.world.at(Path::new(&beside(n)))).ok());
        aside
            .into_iter()
            .any(|bytes| !contents::is_corrupt(digest, &bytes))
    }

    /// What is wrong with what is there, when nobody is at work.
    fn wrong_with_the_tree(&self) -> Option<String> {
        let scenario = self.scenario;
        let path = |id| scenario.path(id);
        for (namespace, group) in self.groups() {
            let owner = self.owner(namespace, group);
            let snapshots = self.snapshots(namespace, group);
            let of_group = path(Id::Group(namespace, group));
            if owner.as_deref().is_some_and(str::is_empty) {
                return Some(format!("the owner file of {of_group} is empty"));
            }
            if owner.is_none() && !snapshots.is_empty() {
                return Some(format!("{of_group} has a snapshot and no owner"));
            }
            for snapshot in snapshots {
                let at = |n: &Namespace| self.is_there(Id::Snapshot(*n, snapshot));
                if scenario.all_namespaces().filter(at).count() > 1 {
                    let times = path(Id::Snapshot(namespace, snapshot));
                    return Some(format!("{times} is at another place as well"));
                }
                let is_missing = |index: &Index| {
                    let of = scenario.indexes[usize::from(index.0)].snapshot;
                    of == Some(snapshot) && !self.is_there(Id::Index(namespace, *index))
                };
                let manifest = Id::Manifest(namespace, snapshot);
                if self.is_there(manifest)
                    && let Some(index) = scenario.all_indexes().find(is_missing)
                {
                    let (manifest, index) = (path(manifest), path(Id::Index(namespace, index)));
                    return Some(format!("{manifest} is there, and {index} is not"));
                }
            }
        }
        None
    }

    fn task(&self, task: Task) -> anyhow::Result<()> {
        self.tasks.borrow_mut().push((task, Namespace(0)));
        self.errand(&Errand::of(self.scenario, task))
    }

    fn is_there(&self, id: Id) -> bool {
        let path = self.world.store().join(self.scenario.path(id));
        path.symlink_metadata().is_ok()
    }

    fn groups(&self) -> Vec<(Namespace, Group)> {
        let all = self.scenario.all_namespaces().flat_map(|namespace| {
            let groups = self.scenario.all_groups();
            groups.map(move |group| (namespace, group))
        });
        all.filter(|(n, g)| self.is_there(Id::Group(*n, *g)))
            .collect()
    }

    fn snapshots(&self, namespace: Namespace, group: Group) -> Vec<Snapshot> {
        let all = self.scenario.all_snapshots();
        let of_group = all.filter(|s| self.scenario.snapshots[usize::from(s.0)].group == group);
        of_group
            .filter(|s| self.is_there(Id::Snapshot(namespace, *s)))
            .collect()
    }

    fn is_protected(&self, snapshot: Snapshot) -> bool {
        let mut all = self.scenario.all_namespaces();
        all.any(|n| self.is_there(Id::Protected(n, snapshot)))
    }

    /// What the owner file of a group says; none if there is none.
    fn owner(&self, namespace: Namespace, group: Group) -> Option<String> {
        let path = self.scenario.path(Id::Group(namespace, group));
        let text = std::fs::read_to_string(self.world.store().join(path).join("owner"));
        text.ok().map(|text| text.trim_end().to_owned())
    }

    fn is_somebody_elses(&self, namespace: Namespace, group: Group) -> bool {
        let owner = self.owner(namespace, group);
        owner.is_some_and(|owner| !owner.is_empty() && owner != OWNERS[0])
    }

    fn collect(&self) -> anyhow::Result<()> {
        if self.scenario.foreign_line {
            return Ok(());
        }
        self.task(Task::Gc { runs: 1 })
    }

    fn move_again(&self, task: Task) -> anyhow::Result<()> {
        let Task::MoveGroup {
            group,
            source,
            target,
            ..
        } = task
        else {
            return Ok(());
        };
        let (left, there) = (self.snapshots(source, group), self.snapshots(target, group));
        let is_in_order = there.last() < left.first();
        let (from, to) = (self.owner(source, group), self.owner(target, group));
        let can_move = !left.is_empty()
            && is_in_order
            && self.is_there(Id::Namespace(target))
            && (to.is_none() || to == from);
        if self.by_directory || self.cx.design.is_before_moves() || !can_move {
            return Ok(());
        }
        self.task(Task::MoveGroup {
            group,
            source,
            target,
            merge: true,
        })
    }

    fn back_up(&self, namespace: Namespace, group: Group) -> anyhow::Result<()> {
        if self.is_somebody_elses(namespace, group) {
            return Ok(());
        }
        let there = self.snapshots(namespace, group);
        let newest = there.last().copied();
        let all = self.scenario.all_snapshots();
        let mut spare = all
            .filter(|s| self.scenario.snapshots[usize::from(s.0)].group == group)
            .filter(|s| newest.is_none_or(|newest| s.0 > newest.0))
            .find(|s| {
                let mut all = self.scenario.all_namespaces();
                !all.any(|n| self.is_there(Id::Snapshot(n, *s)))
            });
        if let (None, Some(newest)) = (spare, newest)
            && !self.is_protected(newest)
        {
            self.forget(namespace, newest)?;
            spare = Some(newest);
        }
        let Some(snapshot) = spare else {
            return Ok(());
        };
        let task = Task::Backup { snapshot };
        self.tasks.borrow_mut().push((task, namespace));
        let mut errand = Errand::of(self.scenario, task);
        if let Errand::Backup { group, .. } = &mut errand {
            *group = GroupName {
                namespace: namespace_name(self.scenario, namespace),
                group: group.group.clone(),
            };
        }
        self.errand(&errand)
    }

    fn look_after(&self, namespace: Namespace, group: Group) -> anyhow::Result<()> {
        self.task(Task::Prune {
            namespace,
            group,
            keep_last: 1,
        })?;
        let snapshots = self.snapshots(namespace, group);
        let is_finished = |s: &Snapshot| self.is_there(Id::Manifest(namespace, *s));
        if snapshots.iter().all(is_finished) && self.scenario.corrupt.is_empty() {
            self.task(Task::Verify { namespace, group })?;
        }
        Ok(())
    }

    fn delete_again(&self, task: Task) -> anyhow::Result<()> {
        let Task::DeleteNamespace { namespace } = task else {
            return Ok(());
        };
        let removes = self.cx.design.deletion_removes_groups(self.by_directory);
        let prefix = format!("{}/", self.scenario.namespace_path(namespace));
        let protected = self.scenario.all_snapshots().any(|s| {
            let mut all = self.scenario.all_namespaces();
            all.any(|n| {
                let id = Id::Protected(n, s);
                self.scenario.path(id).starts_with(&prefix) && self.is_there(id)
            })
        });
        if !removes || protected || !self.is_there(Id::Namespace(namespace)) {
            return Ok(());
        }
        self.task(task)
    }

    fn forget(&self, namespace: Namespace, snapshot: Snapshot) -> anyhow::Result<()> {
        if self.is_protected(snapshot) {
            return Ok(());
        }
        self.task(Task::ForgetSnapshot {
            namespace,
            snapshot,
        })
    }

    fn forget_all(&self, namespace: Namespace, group: Group) -> anyhow::Result<()> {
        for snapshot in self.snapshots(namespace, group) {
            self.forget(namespace, snapshot)?;
        }
        Ok(())
    }

    /// Every chunk was used long ago.
    fn age(&self) -> anyhow::Result<()> {
        let old = TimeSpec::new(0, 0);
        for path in self.world.walk()?.into_keys() {
            if path.starts_with("store/.chunks") && self.world.at(&path).is_file() {
                let at = self.world.at(&path);
                let flags = UtimensatFlags::NoFollowSymlink;
                nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, &at, &old, &old, flags)
                    .with_context(|| format!("cannot make {} old", at.display()))?;
            }
        }
        Ok(())
    }

    fn nothing_is_left(&self) -> anyhow::Result<()> {
        if self.scenario.foreign_line {
            return Ok(());
        }
        for (namespace, group) in self.groups() {
            // With every snapshot of its name elsewhere, protected, nothing could be backed up to it and removed.
            let of_name = (self.scenario.all_snapshots())
                .filter(|s| self.scenario.snapshots[usize::from(s.0)].group == group);
            let mut spare = of_name.filter(|s| {
                let mut places = self.scenario.all_namespaces();
                !places.any(|n| self.is_there(Id::Snapshot(n, *s)))
            });
            let has_spare = spare.next().is_some();
            let removed = self.cx.design.forget_removes_group(self.by_directory);
            let is_empty = self.snapshots(namespace, group).is_empty();
            if is_empty && has_spare && removed && !self.is_somebody_elses(namespace, group) {
                let path = self.scenario.path(Id::Group(namespace, group));
                return failed(format!("{path} stays without a snapshot"));
            }
        }
        let named = real_check::named_chunks(self.world)?;
        for (path, is_dir) in self.world.walk()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_chunk = path.starts_with("store/.chunks") && name.len() == 64;
            if !is_dir && is_chunk && !named.contains_key(name.as_ref()) {
                return failed(format!("nothing names {}", path.display()));
            }
            if name.contains(".tmp_") {
                return failed(format!("{} never got its name", path.display()));
            }
        }
        self.no_lock_is_left()
    }

    /// No lock file was left of anything that is gone, but for those that were there before.
    fn no_lock_is_left(&self) -> anyhow::Result<()> {
        let mut left = lock_files(self.world)?;
        left.retain(|path| !self.locks.contains(path));
        let nothing = self.groups().is_empty();
        let gone = self.locks_of_what_is_gone();
        match left
            .iter()
            .find(|path| nothing || gone.contains(path.as_path()))
        {
            Some(path) => failed(format!("{} is the lock of nothing", path.display())),
            None => Ok(()),
        }
    }

    /// Where the lock files of groups, snapshots and manifests would lie that are not there.
    fn locks_of_what_is_gone(&self) -> BTreeSet<PathBuf> {
        let below = Path::new("locks").join(STORE_NAME);
        let all = Lock::all(self.scenario, self.cx.design).into_iter();
        all.filter(|lock| thing_of(*lock).is_some_and(|id| !self.is_there(id)))
            .map(|lock| below.join(lock.path(self.scenario)))
            .collect()
    }
}

/// The group or snapshot that a lock file is of; none if it is of something else, or no file of the lock directory.
const fn thing_of(lock: Lock) -> Option<Id> {
    match lock {
        Lock::Group(n, g) => Some(Id::Group(n, g)),
        Lock::Snapshot(n, s) | Lock::Manifest(n, s) => Some(Id::Snapshot(n, s)),
        Lock::Namespace(_)
        | Lock::Journal
        | Lock::GroupDirectory(..)
        | Lock::SnapshotDirectory(..)
        | Lock::OldManifest(..) => None,
    }
}

/// The files of the lock directory that live as long as the store, and those of namespaces, which nobody ever unlinks; all
/// others are of a group, a snapshot or a manifest.
const KEPT: &[&str] = &["move-journal", ".ns-lock"];

/// The lock files of groups, snapshots and manifests.
fn lock_files(world: &World) -> anyhow::Result<BTreeSet<PathBuf>> {
    let below = Path::new("locks").join(STORE_NAME);
    let is_kept = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| KEPT.iter().any(|kept| name == *kept))
    };
    let files = world.walk()?.into_iter().filter(|(_, is_dir)| !is_dir);
    Ok(files
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(&below) && !is_kept(path))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_dir::SHM;

    /// Whatever else there is: each lock file that comes is that of something, or the run says so.
    #[test]
    fn the_lock_file_of_what_is_gone_is_found_beside_what_is_there() {
        let scenario = Scenario::named("move_merges_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let run = Run::new(&world, scenario, Design::HARDENED).unwrap();
        let below = world.locks().join(STORE_NAME);
        let mut seen = [0, 0];
        for lock in Lock::all(scenario, Design::HARDENED) {
            let Some(thing) = thing_of(lock) else {
                continue;
            };
            let file = below.join(lock.path(scenario));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            let is_there = run.is_there(thing);
            let left = run.no_lock_is_left();
            assert_eq!(left.is_ok(), is_there, "{}", file.display());
            std::fs::remove_file(&file).unwrap();
            seen[usize::from(is_there)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 2), "{seen:?}");
    }

    /// Each index file that a manifest needs is missed by itself, and one without a manifest is not.
    #[test]
    fn a_manifest_without_one_of_its_index_files_is_wrong_and_names_both() {
        let scenario = Scenario::named("move_merges_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let run = Run::new(&world, scenario, Design::HARDENED).unwrap();
        assert_eq!(run.wrong_with_the_tree(), None);
        let file = |id| world.store().join(scenario.path(id));
        let mut missed = 0;
        for index in scenario.all_indexes() {
            let Some(snapshot) = scenario.indexes[usize::from(index.0)].snapshot else {
                continue;
            };
            let mut namespaces = scenario.all_namespaces();
            let Some(at) = namespaces.find(|n| run.is_there(Id::Index(*n, index))) else {
                continue;
            };
            let [index, manifest] = [Id::Index(at, index), Id::Manifest(at, snapshot)].map(file);
            let [of_index, of_manifest] =
                [&index, &manifest].map(|file| std::fs::read(file).unwrap());
            std::fs::remove_file(&index).unwrap();
            let said = run.wrong_with_the_tree().unwrap();
            for path in [&index, &manifest] {
                let path = path.strip_prefix(world.store()).unwrap();
                assert!(said.contains(path.to_str().unwrap()), "{said}");
            }
            std::fs::remove_file(&manifest).unwrap();
            assert_eq!(run.wrong_with_the_tree(), None);
            std::fs::write(index, of_index).unwrap();
            std::fs::write(manifest, of_manifest).unwrap();
            missed += 1;
        }
        assert!(missed > 1, "{missed}");
    }

    #[test]
    fn a_torn_journal_stays_after_a_kill_and_is_gone_after_a_reboot() {
        let scenario = Scenario::named("full_tmpfs_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        std::fs::write(world.locks().join(STORE_NAME).join("move-journal"), "/torn").unwrap();
        for (design, is_stopped) in [(Design::UPSTREAM, true), (Design::HARDENED, false)] {
            let [killed, rebooted] = tried(&world, scenario, design).unwrap().unwrap();
            assert_eq!(killed.failure.is_some(), is_stopped, "{killed:?}");
            assert_eq!(rebooted.failure, None);
            assert_eq!(killed.tasks.len() < rebooted.tasks.len(), is_stopped);
        }
    }
}
