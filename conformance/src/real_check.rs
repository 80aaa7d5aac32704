//! Whether a property is broken, judged from real files, the kernel's lock table and the errors of the operations.
//!
//! Nothing here knows a state of the model: when a counterexample is replayed on an implementation with the same
//! fault, these are the independent witnesses that its property has really fallen.

use crate::aftermath;
use crate::errand::Ended;
use crate::observer::Waiter;
use crate::projection::{Holder, Projected};
use crate::reliance::Reliance;
use crate::witness::Witness;
use crate::world::World;
use datastore::index::{self, is_index_file};
use datastore::{LinuxSys, Sys};
use specs::id::{Actor, Chunk, Process, Snapshot};
use specs::scenario::{Scenario, Start, Task};
use specs::{Design, Id, Outcome, Property};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod moves;
mod namespaces;
mod upkeep;

/// Everything that a property can be judged by, at some point of a trace.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The design that is run.
    pub design: Design,
    /// The tree.
    pub world: &'a World,
    /// What was seen last.
    pub seen: &'a Projected,
    /// How the ended runs of each actor did end.
    pub runs: &'a [Vec<Ended>],
    /// Who relies on which lock, by the steps that were reported.
    pub reliance: &'a Reliance,
    /// What the steps say beyond that.
    pub witness: &'a Witness,
    /// Waiters that the kernel showed.
    pub waiters: &'a [Waiter],
    /// A collection to which the process lock was refused after the last event.
    pub refused: Option<Actor>,
}

/// What real files show of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// That it is broken: how.
    Broken(String),
    /// Nothing that breaks it.
    Unbroken,
    /// Neither, whatever happens: why.
    Nothing(&'static str),
}

/// Why the order of ranks cannot be seen broken in a run.
pub const RANKS_SHOW_NOWHERE: &str =
    "the order of ranks is a rule about what may be waited for; files show only what is held";

/// Why files do not show what can happen.
const STEPS_TELL: &str = "that something can happen is told by the steps of a run";

/// What the real files show of a property.
pub fn shown(property: Property, evidence: &Evidence<'_>) -> anyhow::Result<Shown> {
    let broken = match property {
        // One that was corrupt and is set aside was lost before.
        Property::LiveChunkIsNeverSwept => missing_chunk(evidence.world, evidence.scenario, |c| {
            evidence.witness.was_corrupt(c)
        })?,
        Property::SnapshotIsAtExactlyOnePlace => misplaced_snapshot(evidence),
        Property::OneExclusiveHolderPerLock => evidence.reliance.conflict(evidence.seen),
        Property::NoOperationWaitsForever => deadlock(evidence),
        Property::GcThatMeetsNoAbortConditionFinishes | Property::JournalNeverStopsGc => {
            failed_collection(evidence)
        }
        Property::NewPathImpliesJournalEntry => rename_without_entry(evidence),
        Property::FailedMoveLeavesNoEmptyGroup => empty_group(evidence),
        Property::FinishedOperationHoldsNoLock => left_over_lock(evidence),
        Property::FinishedSnapshotIsWhole => upkeep::torn_snapshot(evidence),
        Property::LockedSnapshotStays => upkeep::lost_snapshot(evidence),
        Property::ManifestUpdateIsNotLost => upkeep::lost_update(evidence),
        Property::FailedBackupLeavesNothing => upkeep::left_over_backup(evidence),
        Property::StartedBackupFinishes => upkeep::failed_backup(evidence),
        Property::ProtectedSnapshotStays => upkeep::lost_protection(evidence),
        Property::PruneKeepsFinishedSnapshot => upkeep::pruned_away(evidence),
        Property::JobSkipsWhatVanished => upkeep::failed_job(evidence),
        Property::InsertedChunkIsThere => upkeep::lost_chunk(evidence),
        Property::GcIsNotRefusedByItsOwnWriters => upkeep::refused_collection(evidence),
        Property::GroupWithSnapshotHasOwner => moves::ownerless_group(evidence),
        Property::MergeKeepsTimeOrder => moves::merge_out_of_order(evidence),
        Property::FailedMoveCanBeRepeated => moves::half_moved_group(evidence),
        Property::ExclusiveNamespaceIsAlone => evidence.reliance.namespace_conflict(evidence.seen),
        Property::DeletedNamespaceStaysDeleted => namespaces::returned_namespace(evidence),
        Property::OwnerIsChangedFromWhatWasChecked => namespaces::unchecked_owner(evidence),
        Property::OwnerFileIsWhole => namespaces::empty_owner(evidence),
        Property::WhatIsLeftCanBeUsedAgain => {
            aftermath::failure(evidence.world, evidence.scenario, evidence.design)?
        }
        Property::LocksAreTakenInRankOrder => return Ok(Shown::Nothing(RANKS_SHOW_NOWHERE)),
        Property::CanCollectBesideBackup
        | Property::CanHaveNewPathWithoutEntry
        | Property::CanSweepDeadChunk
        | Property::CanMoveDuringMark => return Ok(Shown::Nothing(STEPS_TELL)),
    };
    Ok(broken.map_or(Shown::Unbroken, Shown::Broken))
}

/// Reads every index file of the datastore and looks for the chunks that it names, but for those that were lost before.
pub(crate) fn missing_chunk(
    world: &World,
    scenario: &Scenario,
    was_lost: impl Fn(Chunk) -> bool,
) -> anyhow::Result<Option<String>> {
    let lost = scenario.all_chunks().filter(|chunk| was_lost(*chunk));
    let lost: Vec<&str> = lost.map(Scenario::digest).collect();
    for (hex, path) in named_chunks(world)? {
        let chunk = Path::new(".chunks").join(&hex[..4]).join(&hex);
        let is_there = LinuxSys.stat(&world.store().join(&chunk)).is_ok();
        if !lost.contains(&hex.as_str()) && !is_there {
            return Ok(Some(format!(
                "{} names chunk {hex}, which is not there",
                path.display()
            )));
        }
    }
    Ok(None)
}

/// The digests of the chunks that the index files of the datastore name, each with a file that names it.
pub(crate) fn named_chunks(world: &World) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut named = BTreeMap::new();
    for (path, is_dir) in world.walk()? {
        if is_dir || !path.starts_with("store") || !is_index_file(&path) {
            continue;
        }
        let index = index::read(&LinuxSys, &world.at(&path))?;
        for digest in index.digests() {
            named
                .entry(digest.to_string())
                .or_insert_with(|| path.clone());
        }
    }
    Ok(named)
}

fn misplaced_snapshot(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    let is_there = |s: &Snapshot| scenario.snapshots[usize::from(s.0)].start != Start::Later;
    scenario
        .all_snapshots()
        .filter(is_there)
        .find_map(|snapshot| {
            let places: Vec<String> = scenario
                .all_namespaces()
                .map(|namespace| scenario.path(Id::Snapshot(namespace, snapshot)))
                .filter(|path| evidence.world.store().join(path).is_dir())
                .collect();
            match places.as_slice() {
                [_] => None,
                [] => Some(format!("snapshot {} is at no place", snapshot.0)),
                places => Some(format!(
                    "a snapshot is at {} places: {}",
                    places.len(),
                    places.join(", ")
                )),
            }
        })
}

fn deadlock(evidence: &Evidence<'_>) -> Option<String> {
    let show = |waiter: &Waiter| {
        let name = evidence.scenario.processes[usize::from(waiter.process.0)];
        match waiter.lock {
            Some(lock) => format!("{name} waits for {}", lock.path(evidence.scenario)),
            None => format!("{name} waits"),
        }
    };
    let waiters: Vec<String> = evidence.waiters.iter().map(show).collect();
    (!waiters.is_empty()).then(|| format!("the kernel shows: {}", waiters.join(", ")))
}

/// A garbage collection that failed, and not because somebody else held a lock; a journal that began with a
/// foreign line explains any failure.
fn failed_collection(evidence: &Evidence<'_>) -> Option<String> {
    if evidence.scenario.foreign_line {
        return None;
    }
    evidence
        .scenario
        .actors
        .iter()
        .zip(evidence.runs)
        .find_map(|((process, task), runs)| {
            let error = runs.iter().find_map(|ended| match ended {
                Ended::Failed(error) => Some(error),
                Ended::Done | Ended::Busy(_) => None,
            })?;
            let name = evidence.scenario.processes[usize::from(process.0)];
            matches!(task, Task::Gc { .. })
                .then(|| format!("garbage collection in {name} failed: {error}"))
        })
}

/// While a run holds the process lock: an index file that has left its first namespace, and no line of the journal names it.
fn rename_without_entry(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    if evidence.seen.store_holders.iter().all(|h| h.is_shared) {
        return None;
    }
    let journal = evidence.seen.journal.clone().unwrap_or_default();
    let journal = String::from_utf8_lossy(&journal);
    for index in scenario.all_indexes() {
        let Some(snapshot) = scenario.indexes[usize::from(index.0)].snapshot else {
            continue;
        };
        let start = scenario.snapshots[usize::from(snapshot.0)].namespace;
        for namespace in scenario
            .all_namespaces()
            .filter(|namespace| *namespace != start)
        {
            let path = evidence
                .world
                .store()
                .join(scenario.path(Id::Index(namespace, index)));
            if path.is_file() && !journal.lines().any(|line| Path::new(line) == path) {
                let path = scenario.path(Id::Index(namespace, index));
                return Some(format!(
                    "{path} was renamed, a run is not over, and the journal does not name it"
                ));
            }
        }
    }
    None
}

/// Whether an actor has met something that it cannot get over: its last step did not do what it is for.
fn gives_up(evidence: &Evidence<'_>, actor: Actor) -> bool {
    let last = evidence.witness.steps_of(actor).last();
    last.is_some_and(|(_, outcome)| outcome != Outcome::Done)
}

fn empty_group(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    let store = evidence.world.store();
    let has_snapshot = |namespace, group| {
        scenario
            .all_snapshots()
            .filter(|s| scenario.snapshots[usize::from(s.0)].group == group)
            .any(|s| {
                store
                    .join(scenario.path(Id::Snapshot(namespace, s)))
                    .is_dir()
            })
    };
    for namespace in scenario.all_namespaces() {
        for group in scenario.all_groups() {
            let path = scenario.path(Id::Group(namespace, group));
            if store.join(&path).is_dir()
                && !has_snapshot(namespace, group)
                && !scenario.empty_groups.contains(&(namespace, group))
            {
                return Some(format!("group {path} is there and holds no snapshot"));
            }
        }
    }
    None
}

/// A process whose actors have all ended and that the kernel still shows as a holder.
fn left_over_lock(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    for (process, name) in (0..).map(Process).zip(scenario.processes) {
        let mut actors = scenario
            .actors
            .iter()
            .enumerate()
            .filter(|(_, (home, _))| *home == process);
        if !actors.all(|(actor, _)| evidence.seen.ended & 1 << actor != 0) {
            continue;
        }
        let is_held = |holders: &[Holder]| holders.iter().any(|h| h.process == process);
        if let Some(lock) = evidence
            .seen
            .locks
            .iter()
            .find(|lock| is_held(&lock.holders))
        {
            let path = lock.lock.path(scenario);
            return Some(format!(
                "process {name} has ended its work and the kernel shows that it holds {path}"
            ));
        }
        if evidence
            .seen
            .store_holders
            .iter()
            .any(|h| h.process == process)
        {
            return Some(format!(
                "process {name} has ended its work and holds the process lock"
            ));
        }
        if evidence.seen.gc_slots & 1 << process.0 != 0 {
            return Some(format!(
                "process {name} has ended its work and its garbage-collection slot is taken"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_dir::SHM;

    /// Whichever chunks were lost before, and whichever are swept.
    #[test]
    fn a_chunk_is_missing_unless_it_was_lost_before() {
        let scenario = Scenario::named("move_merges_meets_gc").unwrap();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let named = named_chunks(&world).unwrap();
        let chunks: Vec<Chunk> = scenario
            .all_chunks()
            .filter(|chunk| named.contains_key(Scenario::digest(*chunk)))
            .collect();
        assert!(chunks.len() > 1, "{chunks:?}");
        let of = |set: u32| {
            let all = chunks.iter().enumerate();
            all.filter_map(move |(at, chunk)| (set & (1 << at) != 0).then_some(*chunk))
        };
        for swept in 0..1 << chunks.len() {
            world.reset().unwrap();
            for chunk in of(swept) {
                let path = scenario.path(Id::Chunk(chunk));
                std::fs::remove_file(world.store().join(path)).unwrap();
            }
            for lost in 0..1 << chunks.len() {
                let was_lost = |chunk| of(lost).any(|other| other == chunk);
                let found = missing_chunk(&world, scenario, was_lost).unwrap();
                assert_eq!(found.is_some(), swept & !lost != 0, "{swept:b} {lost:b}");
            }
        }
    }
}
