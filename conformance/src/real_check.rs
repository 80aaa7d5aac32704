//! Whether a property is broken, judged from real files, the kernel's lock table and the errors of the operations.
//!
//! Nothing here knows a state of the model: when a counterexample is replayed on an implementation with the same
//! fault, these are the independent witnesses that its property has really fallen.

use crate::aftermath;
use crate::errand::Ended;
use crate::notes::Notes;
use crate::observer::Waiter;
use crate::projection::{Holder, Projected};
use crate::world::World;
use datastore::index::{self, is_index_file};
use datastore::{LinuxSys, Sys};
use specs::id::{Actor, Chunk, Process};
use specs::scenario::{Scenario, Task};
use specs::{Design, Id, Label, Outcome, Property, Step};
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
    /// What was noted of it from the start.
    pub notes: &'a Notes,
    /// The label of the step before which each actor stands, as far as it is known.
    pub before: &'a [Option<String>],
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
            evidence.notes.witness.was_corrupt(c)
        })?,
        Property::SnapshotIsAtExactlyOnePlace => misplaced_snapshot(evidence),
        Property::OneExclusiveHolderPerLock => evidence.notes.reliance.conflict(evidence.seen),
        Property::NoOperationWaitsForever => deadlock(evidence),
        Property::GcThatMeetsNoAbortConditionFinishes => failed_collection(evidence, |_| true),
        Property::JournalNeverStopsGc => failed_collection(evidence, is_of_journal),
        Property::NewPathImpliesJournalEntry => rename_without_entry(evidence),
        Property::FailedMoveLeavesNoEmptyGroup => moves::empty_target(evidence),
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
        Property::ExclusiveNamespaceIsAlone => {
            evidence.notes.reliance.namespace_conflict(evidence.seen)
        }
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

/// A snapshot that is at two places, or at none although nobody has removed it, or at one although it was removed.
fn misplaced_snapshot(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    scenario.all_snapshots().find_map(|snapshot| {
        let places: Vec<String> = scenario
            .all_namespaces()
            .map(|namespace| scenario.path(Id::Snapshot(namespace, snapshot)))
            .filter(|path| evidence.world.store().join(path).is_dir())
            .collect();
        match (places.as_slice(), evidence.notes.witness.is_to_be(snapshot)) {
            ([_], true) | ([], false) => None,
            ([], true) => Some(format!("snapshot {} is at no place", snapshot.0)),
            ([place], false) => Some(format!("{place} was removed and is there")),
            (places, _) => Some(format!(
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

/// A garbage collection that failed, and not because somebody else held a lock; a journal that began with a foreign line
/// explains that one cannot be read.
fn failed_collection(evidence: &Evidence<'_>, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let scenario = evidence.scenario;
    let mut runs = evidence.runs.iter().zip(scenario.actors);
    runs.find_map(|(runs, (process, task))| {
        let error = runs.iter().find_map(|ended| match ended {
            Ended::Failed(error) => Some(error),
            Ended::Done | Ended::Busy(_) => None,
        })?;
        let is_explained = scenario.foreign_line && is_of_a_line(error);
        let name = scenario.processes[usize::from(process.0)];
        (matches!(task, Task::Gc { .. }) && is_it(error) && !is_explained)
            .then(|| format!("garbage collection in {name} failed: {error}"))
    })
}

/// Whether it is a line of the journal that cannot be read.
fn is_of_a_line(error: &str) -> bool {
    error.starts_with("move journal /")
}

/// Whether it is the journal that a collection fails for: one of its lines, or what a line names.
fn is_of_journal(error: &str) -> bool {
    is_of_a_line(error) || error.contains(" of the move journal: ")
}

/// An index file that was renamed while a run marked, and no line of the journal names it.
fn rename_without_entry(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    let journal = evidence.seen.journal.clone().unwrap_or_default();
    let journal = String::from_utf8_lossy(&journal);
    evidence
        .notes
        .witness
        .renamed()
        .find_map(|(namespace, index)| {
            let relative = scenario.path(Id::Index(namespace, index));
            let path = evidence.world.store().join(&relative);
            let is_named = journal.lines().any(|line| Path::new(line) == path);
            (path.is_file() && !is_named).then(|| {
                format!(
                    "{relative} was renamed, a run is not over, and the journal does not name it"
                )
            })
        })
}

/// Whether an actor stands before one of these steps.
fn stands_before(evidence: &Evidence<'_>, actor: Actor, steps: &[Label<String>]) -> bool {
    let before = evidence.before.get(usize::from(actor.0));
    let label = before.and_then(Option::as_deref);
    label.is_some_and(|label| steps.iter().any(|step| step.to_string() == label))
}

/// Whether an actor has done a step.
fn has_done(evidence: &Evidence<'_>, actor: Actor, step: Step) -> bool {
    let mut steps = evidence.notes.witness.steps_of(actor);
    steps.any(|(label, outcome)| label.step == step && outcome == Outcome::Done)
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
        if !actors.all(|(actor, _)| evidence.seen.ends.ended & 1 << actor != 0) {
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
