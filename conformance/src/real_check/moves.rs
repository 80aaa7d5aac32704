//! The properties of groups that are moved and merged, judged from real files and reported steps.

use super::{Evidence, has_done, stands_before};
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

/// Whether a move has listed what it moves, relies on both groups, and is not about to let one of them go.
fn has_begun(evidence: &Evidence<'_>, mover: Actor) -> bool {
    let (mut has_listed, mut has_source, mut has_target) = (false, false, false);
    for (label, outcome) in evidence.notes.witness.steps_of(mover) {
        let Step::MoveGroup(step) = label.step else {
            continue;
        };
        let done = outcome == Outcome::Done;
        has_listed |= matches!(step, Move::ListSnapshots) && done;
        has_source |= matches!(step, Move::LockSourceGroup) && done;
        has_target |= matches!(step, Move::LockTargetGroup) && done;
        let lets_all_go = matches!(step, Move::ReleaseAll);
        has_source &=
            !lets_all_go && !matches!(step, Move::UnlockSourceGroup | Move::UnlinkSourceGroupLock);
        has_target &=
            !lets_all_go && !matches!(step, Move::UnlockTargetGroup | Move::UnlinkTargetGroupLock);
    }
    let lets_go = [Move::ReleaseAll.into(), Move::UnlockTargetGroup.into()];
    has_listed && has_source && has_target && !stands_before(evidence, mover, &lets_go)
}

/// The snapshots of a group that a move has renamed and that are at its target.
fn brought(
    evidence: &Evidence<'_>,
    mover: Actor,
    target: Namespace,
    group: Group,
) -> Vec<Snapshot> {
    let renamed = evidence.notes.witness.renamed_by(mover);
    let mut there = there(evidence, target, group);
    there.retain(|snapshot| renamed.contains(snapshot));
    there
}

/// A move that merges older snapshots into a group with newer ones.
pub(super) fn merge_out_of_order(evidence: &Evidence<'_>) -> Option<String> {
    movers(evidence).find_map(|(actor, group, source, target, merges)| {
        let brought = brought(evidence, actor, target, group);
        let mut others = there(evidence, target, group);
        others.retain(|snapshot| !brought.contains(snapshot));
        let newest = others.into_iter().max()?;
        let here = there(evidence, source, group).into_iter();
        let oldest = here.chain(brought).min()?;
        (merges && has_begun(evidence, actor) && oldest < newest).then(|| {
            format!(
                "actor {} merges snapshot {} into a group that has the newer snapshot {}",
                actor.0, oldest.0, newest.0
            )
        })
    })
}

/// The path of a group that is there and holds no snapshot.
pub(super) fn empty_group(
    evidence: &Evidence<'_>,
    namespace: Namespace,
    group: Group,
) -> Option<String> {
    let path = evidence.scenario.path(Id::Group(namespace, group));
    let is_there = evidence.world.store().join(&path).is_dir();
    (is_there && there(evidence, namespace, group).is_empty()).then_some(path)
}

/// A move that has renamed nothing and is about to end, and the target group that it has made is there and empty.
pub(super) fn empty_target(evidence: &Evidence<'_>) -> Option<String> {
    movers(evidence).find_map(|(actor, group, _, target, _)| {
        let ends = [Move::ReleaseAll.into(), Move::UnlockTargetGroup.into()];
        let made_it = has_done(evidence, actor, Move::CreateTargetGroup.into())
            && evidence.notes.witness.renamed_by(actor).is_empty();
        let left = empty_group(evidence, target, group)?;
        (made_it && stands_before(evidence, actor, &ends))
            .then(|| format!("group {left} is there and holds no snapshot"))
    })
}

/// A move that gives up, has moved a snapshot, and has left an older one behind.
pub(super) fn half_moved_group(evidence: &Evidence<'_>) -> Option<String> {
    movers(evidence).find_map(|(actor, group, source, target, _)| {
        let left = there(evidence, source, group).into_iter().min()?;
        let moved = brought(evidence, actor, target, group).into_iter().max()?;
        let gives_up = stands_before(evidence, actor, &[Move::ReleaseAll.into()]);
        (gives_up && left < moved).then(|| {
            format!(
                "the move of actor {} has left snapshot {} and moved the newer snapshot {}",
                actor.0, left.0, moved.0
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::Notes;
    use crate::private_dir::SHM;
    use crate::projection::Projected;
    use crate::world::World;
    use model::Scope;
    use specs::question::Question;
    use specs::{Design, Event, Label, ToLabel as _};
    use std::path::Path;

    /// Where a snapshot of the group is.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum At {
        Source,
        Brought,
        Target,
        Nowhere,
    }

    const WAYS: [At; 4] = [At::Source, At::Brought, At::Target, At::Nowhere];

    /// Every way in which four snapshots can lie, each compared with every other one.
    #[test]
    fn the_order_of_a_move_is_broken_if_that_of_two_snapshots_is() {
        let question = Question::parse("four_snapshots:merge(a,b)").unwrap();
        let scenario = question.scenario();
        let world = World::create(Path::new(SHM), scenario).unwrap();
        let mover = Actor(0);
        let Task::MoveGroup { source, target, .. } = scenario.actors[0].1 else {
            panic!("{:?} is no move", scenario.actors[0].1);
        };
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let done = |label: Label<Id>| Event::Step {
            actor: mover,
            label,
            outcome: Outcome::Done,
        };
        let all: Vec<Snapshot> = scenario.all_snapshots().collect();
        assert_eq!(all.len(), 4);
        for way in 0..WAYS.len().pow(4) {
            let at = |s: Snapshot| WAYS[way / WAYS.len().pow(u32::from(s.0)) % WAYS.len()];
            let seen = Projected {
                snapshots: all
                    .iter()
                    .map(|snapshot| match at(*snapshot) {
                        At::Source => 1 << source.0,
                        At::Brought | At::Target => 1 << target.0,
                        At::Nowhere => 0,
                    })
                    .collect(),
                chunks: Vec::new(),
                ..Projected::default()
            };
            let mut notes = Notes::new(&scope);
            let begun = [
                Move::LockSourceGroup,
                Move::LockTargetGroup,
                Move::ListSnapshots,
            ];
            begun
                .into_iter()
                .for_each(|step| notes.witness.note(&done(step.into()), &seen));
            for snapshot in all.iter().filter(|s| at(**s) == At::Brought) {
                let label = Move::RenameSnapshot.of(Id::Snapshot(source, *snapshot));
                notes.witness.note(&done(label), &seen);
            }
            let pair = |is_older: fn(At) -> bool, is_newer: fn(At) -> bool| {
                let mut pairs = all.iter().flat_map(|a| all.iter().map(move |b| (a, b)));
                pairs.any(|(a, b)| a < b && is_older(at(*a)) && is_newer(at(*b)))
            };
            for gives_up in [false, true] {
                let before = [gives_up.then(|| {
                    let label: Label<String> = Move::ReleaseAll.into();
                    label.to_string()
                })];
                let evidence = Evidence {
                    scenario,
                    design: Design::HARDENED,
                    world: &world,
                    seen: &seen,
                    notes: &notes,
                    runs: &[Vec::new()],
                    before: &before,
                    waiters: &[],
                    refused: None,
                };
                let is_left = pair(|at| at == At::Source, |at| at == At::Brought);
                let is_half = half_moved_group(&evidence).is_some();
                assert_eq!(is_half, gives_up && is_left, "{way}");
                let comes = |at| matches!(at, At::Source | At::Brought);
                let is_mixed = pair(comes, |at| at == At::Target);
                let is_out_of_order = merge_out_of_order(&evidence).is_some();
                assert_eq!(is_out_of_order, !gives_up && is_mixed, "{way}");
            }
        }
    }
}
