//! The properties of backups and of what keeps a datastore in order, judged from real files and reported steps.

use super::moves::empty_group;
use super::{Evidence, has_done, stands_before};
use crate::errand::Ended;
use crate::projection::Lock;
use crate::witness::misses;
use specs::id::{Actor, Namespace, Snapshot};
use specs::ops::backup::Step as Backup;
use specs::ops::verify::Step as Verify;
use specs::scenario::{Start, Task};
use specs::{Id, Label, Outcome, Step, ToLabel as _};

/// The actors with their tasks.
fn actors<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (Actor, Task)> + use<'a> {
    let tasks = evidence.scenario.actors.iter().map(|(_, task)| *task);
    (0..).map(Actor).zip(tasks)
}

/// How the last run of an actor ended, if it was no success.
fn failure<'a>(evidence: &Evidence<'a>, actor: Actor) -> Option<&'a str> {
    match evidence.runs[usize::from(actor.0)].last()? {
        Ended::Done => None,
        Ended::Busy(error) | Ended::Failed(error) => Some(error),
    }
}

/// A manifest beside which an index file is missing, while nobody has the snapshot's lock exclusively.
pub(super) fn torn_snapshot(evidence: &Evidence<'_>) -> Option<String> {
    let (scenario, seen) = (evidence.scenario, evidence.seen);
    let is_locked = |snapshot: Snapshot| {
        seen.locks.iter().any(|lock| {
            matches!(lock.lock, Lock::Snapshot(_, s) | Lock::SnapshotDirectory(_, s) if s == snapshot)
                && lock.holders.iter().any(|holder| !holder.is_shared)
        })
    };
    scenario.all_snapshots().find_map(|snapshot| {
        let namespaces = seen.manifests[usize::from(snapshot.0)].namespaces;
        let missing = scenario.all_indexes().find(|index| {
            let at = usize::from(index.0);
            scenario.indexes[at].snapshot == Some(snapshot) && namespaces & !seen.indexes[at] != 0
        })?;
        let namespace = Namespace(u8::try_from(namespaces.trailing_zeros()).ok()?);
        (!is_locked(snapshot)).then(|| {
            format!(
                "{} is there, {} is not, and nobody has the lock of the snapshot",
                scenario.path(Id::Manifest(namespace, snapshot)),
                scenario.path(Id::Index(namespace, missing))
            )
        })
    })
}

pub(super) fn lost_snapshot(evidence: &Evidence<'_>) -> Option<String> {
    let mut lost = evidence.notes.witness.lost_snapshots();
    lost.find_map(|(actor, namespace, snapshot)| {
        let path = evidence.scenario.path(Id::Snapshot(namespace, snapshot));
        // Whoever only has to let it go relies on it no more.
        let unlock = Verify::UnlockSnapshot.of(path.to_string());
        let is_done = stands_before(evidence, actor, &[unlock]);
        let gone = || {
            format!(
                "actor {} has locked and found {path}, which is gone",
                actor.0
            )
        };
        (!is_done).then(gone)
    })
}

pub(super) fn lost_update(evidence: &Evidence<'_>) -> Option<String> {
    let (snapshot, part) = evidence.notes.witness.lost_update()?;
    Some(format!(
        "the manifest of snapshot {} does not have {part}, which was written to it",
        snapshot.0
    ))
}

/// Once a session is about to let everything go: a snapshot that it has made and not finished, or a group that it has made and
/// that is empty. If it found no inode for its last lock, the snapshot has its manifest. Of what has a directory for its lock, it
/// may leave the group, and the snapshot if that was locked by somebody else.
pub(super) fn left_over_backup(evidence: &Evidence<'_>) -> Option<String> {
    let (scenario, seen) = (evidence.scenario, evidence.seen);
    actors(evidence).find_map(|(actor, task)| {
        let Task::Backup { snapshot } = task else {
            return None;
        };
        if !stands_before(evidence, actor, &[Backup::ReleaseAll.into()]) {
            return None;
        }
        let at = usize::from(snapshot.0);
        let (namespace, group) = (
            scenario.snapshots[at].namespace,
            scenario.snapshots[at].group,
        );
        let had_no_inode = evidence
            .notes
            .witness
            .steps_of(actor)
            .any(|(label, outcome)| {
                matches!(label.step, Step::Backup(Backup::LockManifest))
                    && matches!(outcome, Outcome::NoSpace(_))
            });
        let path = scenario.path(Id::Snapshot(namespace, snapshot));
        let is_there = seen.snapshots[at] & 1 << namespace.0 != 0;
        let is_unfinished = seen.manifests[at].namespaces == 0 || had_no_inode;
        let made_it = has_done(evidence, actor, Backup::CreateSnapshot.into())
            && !evidence.notes.witness.is_kept_out_of_directory(actor);
        if made_it && is_there && is_unfinished {
            return Some(format!(
                "the backup of {path} has failed, and left it unfinished"
            ));
        }
        let made_it = has_done(evidence, actor, Backup::CreateGroup.into())
            && !evidence.notes.witness.has_tried_directory_of_group(actor);
        let group = empty_group(evidence, namespace, group).filter(|_| made_it)?;
        Some(format!(
            "the backup of {path} has failed, and left {group}, which is empty"
        ))
    })
}

/// A backup that failed, its client had not left, and no lock was busy and its namespace there when it began; nor was it not
/// later than the newest snapshot, nor without an inode, nor was what it had just made gone before it had the lock.
pub(super) fn failed_backup(evidence: &Evidence<'_>) -> Option<String> {
    actors(evidence).find_map(|(actor, task)| {
        let error = matches!(task, Task::Backup { .. })
            .then(|| failure(evidence, actor))
            .flatten()?;
        let mut has_begun = false;
        let mut is_excused = false;
        for (label, outcome) in evidence.notes.witness.steps_of(actor) {
            let Step::Backup(step) = label.step else {
                continue;
            };
            let is_name = matches!(
                step,
                Backup::LockGroup | Backup::LockPrevious | Backup::LockSnapshot
            );
            // A lock that is not found is that of a directory.
            let is_new = matches!(step, Backup::LockGroup | Backup::LockSnapshot);
            let is_namespace = matches!(step, Backup::LockNamespace);
            let is_gone = matches!(step, Backup::CheckNamespace | Backup::CreateGroup);
            let is_first = step == Backup::LockStore && !has_begun;
            let is_last = matches!(step, Backup::LockManifest);
            let is_not_later = matches!(step, Backup::ReadPreviousManifest);
            is_excused |= matches!(outcome, Outcome::Stopped | Outcome::NoSpace(_))
                || outcome == Outcome::Refused && is_not_later
                || outcome == Outcome::WouldBlock && (is_name || is_namespace || is_first)
                || outcome == Outcome::TimedOut && (is_namespace || is_last)
                || outcome == Outcome::NotFound && (is_gone || is_new);
            has_begun |= matches!(step, Backup::LockStore | Backup::InsertChunk);
        }
        (!is_excused).then(|| format!("the backup of actor {} failed: {error}", actor.0))
    })
}

pub(super) fn lost_protection(evidence: &Evidence<'_>) -> Option<String> {
    let seen = evidence.seen;
    let is_lost = |snapshot: &&Snapshot| {
        let at = usize::from(snapshot.0);
        seen.protected[at] == 0 || seen.snapshots[at] == 0
    };
    let lost = evidence.scenario.protected.iter().find(is_lost)?;
    Some(format!(
        "snapshot {} was protected, and is gone or protected no more",
        lost.0
    ))
}

/// A prune that is to keep a snapshot, and has taken its manifest from the newest finished one that it has listed.
pub(super) fn pruned_away(evidence: &Evidence<'_>) -> Option<String> {
    actors(evidence).find_map(|(actor, task)| {
        let keeps = matches!(task, Task::Prune { keep_last: 1.., .. });
        let newest = evidence.notes.witness.newest_listed(actor)?;
        let is_of_newest = |(label, _): (Label<Id>, Outcome)| {
            matches!(label.step, Step::ForgetSnapshot(_))
                && matches!(label.of, Some(Id::Snapshot(_, s)) if s == newest)
        };
        let removes = evidence.notes.witness.steps_of(actor).any(is_of_newest);
        let is_gone = evidence.seen.manifests[usize::from(newest.0)].namespaces == 0;
        (keeps && removes && is_gone).then(|| {
            format!(
                "actor {} prunes snapshot {}, the newest finished one that it has listed",
                actor.0, newest.0
            )
        })
    })
}

/// A job that met something that was gone, and failed or counted it as failed.
pub(super) fn failed_job(evidence: &Evidence<'_>) -> Option<String> {
    if let Some((actor, snapshot)) = evidence.notes.witness.counted_vanished() {
        return Some(format!(
            "the job of actor {} counts snapshot {} as failed, which is gone",
            actor.0, snapshot.0
        ));
    }
    if let Some(left_out) = left_out_group(evidence) {
        return Some(left_out);
    }
    actors(evidence).find_map(|(actor, task)| {
        let is_job = matches!(
            task,
            Task::Prune { .. } | Task::Verify { .. } | Task::ForgetSnapshot { .. }
        );
        let error = is_job.then(|| failure(evidence, actor)).flatten()?;
        let missed = evidence
            .notes
            .witness
            .steps_of(actor)
            .any(|(label, outcome)| misses(label, outcome));
        let is_blamed = missed && could_be_there(evidence, task);
        is_blamed.then(|| format!("the job of actor {} failed: {error}", actor.0))
    })
}

/// Whether the group of a job, or the snapshot that it removes, can have been there: at the start, or since somebody who brings
/// it took a step.
fn could_be_there(evidence: &Evidence<'_>, job: Task) -> bool {
    let scenario = evidence.scenario;
    let (namespace, group, wanted) = if let Task::ForgetSnapshot {
        namespace,
        snapshot,
    } = job
    {
        let group = scenario.snapshots[usize::from(snapshot.0)].group;
        (namespace, group, Some(snapshot))
    } else if let Task::Prune {
        namespace, group, ..
    }
    | Task::Verify { namespace, group } = job
    {
        (namespace, group, None)
    } else {
        return true;
    };
    let is_meant = |s: &Snapshot| match wanted {
        Some(wanted) => wanted == *s,
        None => scenario.snapshots[usize::from(s.0)].group == group,
    };
    let at_start = scenario.all_snapshots().any(|s| {
        let at = scenario.snapshots[usize::from(s.0)];
        is_meant(&s) && at.start != Start::Later && at.namespace == namespace
    });
    let is_empty_group = wanted.is_none() && scenario.empty_groups.contains(&(namespace, group));
    let brings = |task: Task| {
        if let Task::Backup { snapshot } = task {
            let to = scenario.snapshots[usize::from(snapshot.0)].namespace;
            is_meant(&snapshot) && to == namespace
        } else {
            let here = (group, namespace);
            matches!(task, Task::MoveGroup { group, target, .. } if (group, target) == here)
        }
    };
    let mut bringers = actors(evidence).filter(|(_, task)| brings(*task));
    let has_begun = |actor| evidence.notes.witness.steps_of(actor).next().is_some();
    at_start || is_empty_group || bringers.any(|(actor, _)| has_begun(actor))
}

/// A verification that ended well, found one snapshot of its group gone, and so looked at none of those that are there.
fn left_out_group(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    actors(evidence).find_map(|(actor, task)| {
        let Task::Verify { namespace, group } = task else {
            return None;
        };
        let is_vanished = |(label, outcome): (Label<Id>, Outcome)| {
            outcome == Outcome::NotFound && matches!(label.step, Step::Verify(Verify::ListSnapshot))
        };
        let has_ended = evidence.runs[usize::from(actor.0)].last() == Some(&Ended::Done);
        if !has_ended || !evidence.notes.witness.steps_of(actor).any(is_vanished) {
            return None;
        }
        let left_out = scenario.all_snapshots().find(|snapshot| {
            let path = scenario.path(Id::Snapshot(namespace, *snapshot));
            scenario.snapshots[usize::from(snapshot.0)].group == group
                && evidence.world.store().join(path).is_dir()
        })?;
        Some(format!(
            "the verification of actor {} ended well and left out {}",
            actor.0,
            scenario.path(Id::Snapshot(namespace, left_out))
        ))
    })
}

pub(super) fn lost_chunk(evidence: &Evidence<'_>) -> Option<String> {
    let (actor, chunk) = evidence.notes.witness.lost_chunk()?;
    Some(format!(
        "actor {} relies on {}, which is not there",
        actor.0,
        evidence.scenario.path(Id::Chunk(chunk))
    ))
}

/// A collection to which the process lock was refused, although the kernel shows no other process that has it.
pub(super) fn refused_collection(evidence: &Evidence<'_>) -> Option<String> {
    let actor = evidence.refused?;
    let process = evidence.scenario.actors[usize::from(actor.0)].0;
    let mut holders = evidence.seen.store_holders.iter();
    holders.all(|holder| holder.process == process).then(|| {
        let name = evidence.scenario.processes[usize::from(process.0)];
        format!(
            "the process lock was refused to a collection in {name}, and no other process has it"
        )
    })
}
