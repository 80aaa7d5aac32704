//! The properties of groups that are moved and merged, judged from real files and reported steps.

use super::{Evidence, gives_up};
use specs::id::{Actor, Group, Namespace, Snapshot};
use specs::ops::move_group::Step as Move;
use specs::scenario::Task;
use specs::{Id, Outcome, Step};

/// A move: who, which group, from where, to where, and whether it merges.
type Mover = (Actor, Group, Namespace, Namespace, bool);

fn movers<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = Mover> + use<'a> {
    let actors = (0..).map(Actor).zip(evidence.scenario.actors);
    actors.filter_map(|(actor, (_, task))| match task {
        Task::MoveGroup {
            group,
            source,
            target,
            merge,
        } => Some((actor, *group, *source, *target, *merge)),
        Task::Gc { .. }
        | Task::TakeLock { .. }
        | Task::Backup { .. }
        | Task::ForgetSnapshot { .. }
        | Task::Prune { .. }
        | Task::Verify { .. }
        | Task::SetNotes { .. }
        | Task::AccessChunk { .. }
        | Task::SetOwner { .. }
        | Task::DeleteNamespace { .. }
        | Task::TakeNamespaceLock { .. } => None,
    })
}

/// The snapshots of a group that are in a namespace, oldest first.
fn there(evidence: &Evidence<'_>, namespace: Namespace, group: Group) -> Vec<Snapshot> {
    let is_there = |snapshot: &Snapshot| {
        let at = usize::from(snapshot.0);
        evidence.scenario.snapshots[at].group == group
            && evidence.seen.snapshots[at] & 1 << namespace.0 != 0
    };
    evidence.scenario.all_snapshots().filter(is_there).collect()
}

pub(super) fn ownerless_group(evidence: &Evidence<'_>) -> Option<String> {
    let (scenario, seen) = (evidence.scenario, evidence.seen);
    scenario.all_namespaces().find_map(|namespace| {
        let group = scenario.all_groups().find(|group| {
            let has_owner = seen.owners[usize::from(group.0)] & 1 << namespace.0 != 0;
            !has_owner && !there(evidence, namespace, *group).is_empty()
        })?;
        let path = scenario.path(Id::Group(namespace, group));
        Some(format!("group {path} holds a snapshot and has no owner"))
    })
}

/// Whether a move has listed what it moves and relies on its target group.
fn has_begun(evidence: &Evidence<'_>, mover: Actor) -> bool {
    let (mut has_listed, mut has_target) = (false, false);
    for (label, outcome) in evidence.witness.steps_of(mover) {
        let Step::MoveGroup(label) = label else {
            continue;
        };
        let done = outcome == Outcome::Done;
        has_listed |= matches!(label, Move::ListSnapshots) && done;
        has_target |= matches!(label, Move::LockTargetGroup) && done;
        let lets_go = matches!(
            label,
            Move::UnlockTargetGroup | Move::UnlinkTargetGroupLock | Move::ReleaseAll
        );
        has_target &= !lets_go;
    }
    has_listed && has_target
}

/// A move that merges older snapshots into a group with newer ones.
pub(super) fn merge_out_of_order(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    movers(evidence).find_map(|(actor, group, source, target, merges)| {
        let started = |at: Namespace| {
            move |s: &Snapshot| scenario.snapshots[usize::from(s.0)].namespace == at
        };
        let at_target = there(evidence, target, group);
        let newest = at_target.iter().copied().filter(started(target)).max()?;
        let both = there(evidence, source, group).into_iter().chain(at_target);
        let oldest = both.filter(started(source)).min()?;
        (merges && has_begun(evidence, actor) && oldest < newest).then(|| {
            format!(
                "actor {} merges snapshot {} into a group that has the newer snapshot {}",
                actor.0, oldest.0, newest.0
            )
        })
    })
}

/// A move that gives up, has moved a snapshot, and has left an older one behind.
pub(super) fn half_moved_group(evidence: &Evidence<'_>) -> Option<String> {
    movers(evidence).find_map(|(actor, group, source, target, _)| {
        let left = there(evidence, source, group).into_iter().min()?;
        let moved = there(evidence, target, group).into_iter().max()?;
        (gives_up(evidence, actor) && left < moved).then(|| {
            format!(
                "the move of actor {} has left snapshot {} and moved the newer snapshot {}",
                actor.0, left.0, moved.0
            )
        })
    })
}
