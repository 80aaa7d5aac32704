//! The properties: premise and sentence of each, in the order of `specs/property.rs`.

use crate::aftermath;
use crate::directories;
use crate::journal::{self, At};
use crate::locks::{self, Rank, generations, namespaces};
use crate::ops::{
    self, access_chunk, backup, forget_snapshot, gc, move_group, prune, set_owner, verify,
};
use crate::scope::Scope;
use crate::state::{Actor, Age, End, Fixed, Next, Owner, Owners, Set, State};
use specs::Property;
use specs::id;
use specs::property::Mood;
use specs::scenario::{Start, Task};
use stateright::Property as Checked;

/// The property as stateright wants it: a function pointer on a state.
pub(crate) fn checked(property: Property) -> Checked<Scope> {
    let condition: fn(&Scope, &State) -> bool = match property {
        Property::LiveChunkIsNeverSwept => live_chunk_is_never_swept,
        Property::SnapshotIsAtExactlyOnePlace => snapshot_is_at_exactly_one_place,
        Property::OneExclusiveHolderPerLock => |scope, state| !locks::two_rely(scope, state),
        Property::LocksAreTakenInRankOrder => locks_are_taken_in_rank_order,
        Property::NoOperationWaitsForever => |scope, state| !scope.is_deadlock(state),
        Property::GcThatMeetsNoAbortConditionFinishes => gc_finishes,
        Property::JournalNeverStopsGc => journal_never_stops_gc,
        Property::NewPathImpliesJournalEntry => new_path_implies_journal_entry,
        Property::FailedMoveLeavesNoEmptyGroup => |scope, state| {
            scope
                .actors()
                .all(|actor| move_group::leaves_empty_target(scope, state, actor) != Some(true))
        },
        Property::FinishedOperationHoldsNoLock => finished_operation_holds_no_lock,
        Property::FinishedSnapshotIsWhole => finished_snapshot_is_whole,
        Property::LockedSnapshotStays => |scope, state| {
            relied_on(scope, state).all(|(n, s)| state.snapshots[usize::from(s)].has(n.0))
        },
        Property::ManifestUpdateIsNotLost => |_, state| {
            state
                .manifests
                .iter()
                .all(|m| !m.is_there() || m.keeps_all())
        },
        Property::FailedBackupLeavesNothing => |scope, state| {
            scope
                .actors()
                .all(|actor| backup::leaves_remains(scope, state, actor) != Some(true))
        },
        Property::StartedBackupFinishes => |scope, state| {
            let accepted = [
                End::NONE,
                End::DONE,
                End::BUSY,
                End::TIMED_OUT,
                End::STOPPED,
                End::NO_NAMESPACE,
                End::NOT_OWNER,
                End::NOT_LATER,
                End::NO_SPACE,
                End::NEW_GONE,
            ];
            backups(scope, state).all(|actor| accepted.contains(&actor.end))
        },
        Property::ProtectedSnapshotStays => |scope, state| {
            let stays = |s: &id::Snapshot| {
                state.protected.has(s.0) && !state.snapshots[usize::from(s.0)].is_empty()
            };
            scope.scenario.protected.iter().all(stays)
        },
        Property::PruneKeepsFinishedSnapshot => |scope, state| {
            scope
                .actors()
                .all(|actor| prune::removes_newest(scope, state, actor) != Some(true))
        },
        Property::JobSkipsWhatVanished => |scope, state| {
            let mut missed = jobs(scope).filter(|a| state.actor(*a).end == End::VANISHED);
            missed.all(|a| !could_be_there(scope, state, a))
                && jobs(scope).all(|a| state.actor(a).end != End::LEFT_OUT)
        },
        Property::InsertedChunkIsThere => |scope, state| {
            secured(scope, state).all(|(id::Chunk(c), unlocks)| {
                let chunk = state.chunks[usize::from(c)];
                chunk.is_there() || !unlocks && chunk.was_corrupt()
            })
        },
        Property::GcIsNotRefusedByItsOwnWriters => gc_is_not_refused_by_its_own_writers,
        Property::GroupWithSnapshotHasOwner => group_with_snapshot_has_owner,
        Property::MergeKeepsTimeOrder => |scope, state| {
            scope
                .actors()
                .all(|actor| merge_keeps_time_order(scope, state, actor))
        },
        Property::FailedMoveCanBeRepeated => |scope, state| {
            scope
                .actors()
                .all(|actor| match move_group::half_moved(scope, state, actor) {
                    Some((moved, left)) => moved.highest() < left.lowest(),
                    None => true,
                })
        },
        Property::ExclusiveNamespaceIsAlone => namespaces::exclusive_is_alone,
        Property::DeletedNamespaceStaysDeleted => {
            |_, state| state.removed.and(state.namespaces).is_empty()
        }
        Property::OwnerIsChangedFromWhatWasChecked => |scope, state| {
            !scope
                .actors()
                .any(|actor| set_owner::has_replaced_another(scope, state, actor))
        },
        Property::OwnerFileIsWhole => |scope, state| {
            state.owners.iter().all(|owners| {
                let mut all = scope.scenario.all_namespaces();
                all.all(|n| owners.at(n.0) != Some(Owner::NOBODY))
            })
        },
        Property::WhatIsLeftCanBeUsedAgain => aftermath::is_usable,
        Property::CanCollectBesideBackup => has_collected_beside_backup,
        Property::CanHaveNewPathWithoutEntry => has_new_path_without_entry,
        Property::CanSweepDeadChunk => has_swept_a_dead_chunk,
        Property::CanMoveDuringMark => has_moved_during_mark,
    };
    match property.entry().mood {
        Mood::Always => Checked::always(property.name(), condition),
        Mood::Sometimes => Checked::sometimes(property.name(), condition),
    }
}

/// The shape of a state: what the arms take for granted. It is asked in every run.
pub(crate) fn shape() -> Checked<Scope> {
    Checked::always("state_is_well_formed", |scope: &Scope, state: &State| {
        let namespaces = scope.scenario.namespaces.len() + 1;
        let inside = |set: &Set| usize::from(set.0) >> namespaces == 0;
        let places = state
            .snapshots
            .iter()
            .chain(&state.groups)
            .chain(&state.notes)
            .chain([&state.namespaces]);
        let ends = scope.actors().all(|actor| {
            let record = state.actor(actor);
            record.next.is_live() || record.end != End::NONE || record.next == Next::KILLED
        });
        let torn_is_last = state
            .lines
            .windows(2)
            .all(|pair| !pair[0].is_torn() || pair[1].kind() == journal::Kind::None);
        places.into_iter().all(inside)
            && directories::are_rooted(scope, state)
            && generations::are_numbered(scope, state)
            && ends
            && torn_is_last
    })
}

/// Whether a property that speaks of every state holds in one.
pub fn holds(property: Property, scope: &Scope, state: &State) -> bool {
    (checked(property).condition)(scope, state)
}

/// Whether the premise of a property holds in a state.
pub fn premise(property: Property, scope: &Scope, state: &State) -> bool {
    match property {
        Property::LiveChunkIsNeverSwept => {
            scope.actors().any(|actor| {
                gc::is_past_mark(scope, state, actor)
                    || (is_gc(scope, actor) && state.actor(actor).end != End::NONE)
            }) || state
                .chunks
                .iter()
                .any(|chunk| chunk.bad(0) != Age::MISSING)
        }
        Property::SnapshotIsAtExactlyOnePlace => scope
            .scenario
            .snapshots
            .iter()
            .zip(state.snapshots)
            .any(|(at, now)| !now.is_empty() && !now.has(at.namespace.0)),
        Property::OneExclusiveHolderPerLock => locks::one_relies_beside_another(scope, state),
        Property::LocksAreTakenInRankOrder => scope
            .actors()
            .any(|actor| waits_while_holding(scope, state, actor).is_some()),
        Property::NoOperationWaitsForever => scope
            .actors()
            .any(|actor| state.actor(actor).next.is_live()),
        Property::WhatIsLeftCanBeUsedAgain => {
            let mut actors = scope.actors();
            aftermath::is_asked(scope) && actors.any(|actor| state.actor(actor).next.is_live())
        }
        Property::GcThatMeetsNoAbortConditionFinishes | Property::JournalNeverStopsGc => scope
            .actors()
            .any(|actor| is_gc(scope, actor) && ended(state, actor)),
        Property::NewPathImpliesJournalEntry => has_moved_during_mark(scope, state),
        Property::FailedMoveLeavesNoEmptyGroup => scope
            .actors()
            .any(|actor| move_group::leaves_empty_target(scope, state, actor).is_some()),
        Property::FinishedOperationHoldsNoLock => scope
            .actors()
            .any(|actor| !state.actor(actor).next.is_live()),
        Property::FinishedSnapshotIsWhole => scope.actors().any(|actor| {
            forget_snapshot::is_running(scope, state, actor) || removes(scope, state, actor)
        }),
        Property::LockedSnapshotStays => relied_on(scope, state).next().is_some(),
        Property::ManifestUpdateIsNotLost => state
            .manifests
            .iter()
            .any(|manifest| manifest.parts_written() > 1),
        Property::FailedBackupLeavesNothing => scope
            .actors()
            .any(|actor| backup::leaves_remains(scope, state, actor).is_some()),
        Property::StartedBackupFinishes => {
            backups(scope, state).any(|actor| actor.next == Next::FINISHED)
        }
        Property::ProtectedSnapshotStays => scope.actors().any(|actor| {
            matches!(
                scope.task_of(actor),
                Task::ForgetSnapshot { .. } | Task::Prune { .. }
            ) && state.actor(actor).next == Next::FINISHED
        }),
        Property::PruneKeepsFinishedSnapshot => scope
            .actors()
            .any(|actor| prune::removes_newest(scope, state, actor).is_some()),
        Property::JobSkipsWhatVanished => {
            jobs(scope).any(|a| state.actor(a).next == Next::FINISHED)
        }
        Property::InsertedChunkIsThere => secured(scope, state).next().is_some(),
        Property::GcIsNotRefusedByItsOwnWriters => scope
            .actors()
            .any(|gc| is_about_to_collect_beside_writer(scope, state, gc)),
        Property::GroupWithSnapshotHasOwner => {
            let first = scope.first_groups;
            (state.groups, state.owners) != (first, first.map(Owners::first))
        }
        Property::MergeKeepsTimeOrder => scope
            .actors()
            .any(|actor| move_group::merges(scope, state, actor).is_some()),
        Property::FailedMoveCanBeRepeated => scope
            .actors()
            .any(|actor| move_group::half_moved(scope, state, actor).is_some()),
        Property::ExclusiveNamespaceIsAlone => scope.actors().any(|actor| {
            namespaces::relies_on_exclusive(scope, state, actor)
                && scope
                    .actors()
                    .any(|other| other != actor && state.actor(other).next.is_live())
        }),
        Property::DeletedNamespaceStaysDeleted => !state.removed.is_empty(),
        Property::OwnerIsChangedFromWhatWasChecked => scope
            .actors()
            .any(|actor| set_owner::has_changed(scope, state, actor)),
        Property::OwnerFileIsWhole => scope
            .actors()
            .any(|actor| set_owner::has_begun(scope, state, actor)),
        Property::CanHaveNewPathWithoutEntry
        | Property::CanSweepDeadChunk
        | Property::CanCollectBesideBackup
        | Property::CanMoveDuringMark => true,
    }
}

fn live_chunk_is_never_swept(scope: &Scope, state: &State) -> bool {
    let mut missing = Set::default();
    for (chunk, file) in (0..scope.scenario.chunks).zip(state.chunks) {
        // A chunk that was corrupt and is set aside was lost before.
        if !file.is_there() && !file.was_corrupt() {
            missing = missing.with(chunk);
        }
    }
    missing.is_empty()
        || state.indexes.iter().all(|index| {
            let snapshot = scope.snapshot_of[usize::from(index)];
            let exists = snapshot.is_none_or(|s| !state.snapshots[usize::from(s)].is_empty());
            !exists || scope.chunks_of[usize::from(index)].and(missing).is_empty()
        })
}

/// A manifest without one of its index files, and nobody who holds the snapshot exclusively.
fn finished_snapshot_is_whole(scope: &Scope, state: &State) -> bool {
    scope.scenario.all_snapshots().all(|id::Snapshot(s)| {
        let at = usize::from(s);
        let whole = scope.indexes_of[at].minus(state.indexes).is_empty();
        !state.manifests[at].is_there() || whole || is_held_exclusively(scope, state, s)
    })
}

fn is_held_exclusively(scope: &Scope, state: &State, snapshot: u8) -> bool {
    let mut held = false;
    locks::visit_holds(scope, state, &mut |_, name, hold| {
        held |= matches!(name.by_file(), locks::Name::Snapshot(_, s) if s == snapshot)
            && hold.is_locked()
            && !hold.is_shared();
    });
    held
}

/// Whether an actor that prunes or backs up is in the middle of a removal.
fn removes(scope: &Scope, state: &State, actor: id::Actor) -> bool {
    matches!(
        ops::next_step(scope, state, actor),
        Some(specs::Step::ForgetSnapshot(_))
    )
}

/// The snapshots that actors have locked and found, and rely on.
fn relied_on(scope: &Scope, state: &State) -> impl Iterator<Item = (id::Namespace, u8)> {
    scope.actors().filter_map(move |actor| {
        verify::relies_on(scope, state, actor).or_else(|| backup::relies_on(scope, state, actor))
    })
}

/// The chunks that were touched or inserted one by one.
fn secured(scope: &Scope, state: &State) -> impl Iterator<Item = (id::Chunk, bool)> {
    scope
        .actors()
        .filter_map(move |actor| access_chunk::secured(scope, state, actor))
}

fn backups<'a>(scope: &'a Scope, state: &'a State) -> impl Iterator<Item = &'a Actor> {
    let backs_up = |actor: &id::Actor| matches!(scope.task_of(*actor), Task::Backup { .. });
    scope
        .actors()
        .filter(backs_up)
        .map(|actor| state.actor(actor))
}

/// The jobs that go over the snapshots of a group.
fn jobs(scope: &Scope) -> impl Iterator<Item = id::Actor> {
    let is_job = |a: &id::Actor| {
        matches!(
            scope.task_of(*a),
            Task::Prune { .. } | Task::Verify { .. } | Task::ForgetSnapshot { .. }
        )
    };
    scope.actors().filter(is_job)
}

/// Whether the group of a job, or the snapshot that it removes, can have been there: at the start, or since somebody who brings
/// it has begun.
fn could_be_there(scope: &Scope, state: &State, job: id::Actor) -> bool {
    let Some((n, g, wanted)) = wanted_by(scope, scope.task_of(job)) else {
        return true;
    };
    let at_start = match wanted {
        None => scope.first_groups[usize::from(g.0)].has(n.0),
        Some(snapshot) => {
            let at = scope.scenario.snapshots[usize::from(snapshot.0)];
            at.start != Start::Later && at.namespace == n
        }
    };
    let brings = |actor: &id::Actor| {
        let task = scope.task_of(*actor);
        if let Task::Backup { snapshot } = task {
            let s = usize::from(snapshot.0);
            let is_it = wanted.is_none_or(|wanted| wanted == snapshot);
            scope.group_of[s] == g.0 && scope.backup_to[s] == n.0 && is_it
        } else {
            matches!(task, Task::MoveGroup { group, target, .. } if (group, target) == (g, n))
        }
    };
    let has_begun =
        |actor: &id::Actor| scope.is_at_work(state, *actor) || !state.actor(*actor).next.is_live();
    at_start || scope.actors().filter(brings).any(|a| has_begun(&a))
}

/// What a job works on: where, which group, and which snapshot if it is one.
fn wanted_by(scope: &Scope, job: Task) -> Option<(id::Namespace, id::Group, Option<id::Snapshot>)> {
    if let Task::ForgetSnapshot {
        namespace,
        snapshot,
    } = job
    {
        let group = id::Group(scope.group_of[usize::from(snapshot.0)]);
        Some((namespace, group, Some(snapshot)))
    } else if let Task::Prune {
        namespace, group, ..
    }
    | Task::Verify { namespace, group } = job
    {
        Some((namespace, group, None))
    } else {
        None
    }
}

/// Whether every group that holds a snapshot has an owner file.
fn group_with_snapshot_has_owner(scope: &Scope, state: &State) -> bool {
    scope.scenario.all_snapshots().all(|id::Snapshot(s)| {
        let at = state.snapshots[usize::from(s)];
        let owners = state.owners[usize::from(scope.group_of[usize::from(s)])];
        at.minus(owners.files()).is_empty()
    })
}

/// Whether what a move brings is newer than every snapshot of the target that it did not bring.
fn merge_keeps_time_order(scope: &Scope, state: &State, actor: id::Actor) -> bool {
    let merged = move_group::merges(scope, state, actor);
    let sets = merged.map(|(there, brought)| (there.highest(), brought.lowest()));
    match sets {
        Some((Some(there), Some(brought))) => there < brought,
        Some((_, _)) | None => true,
    }
}

/// Whether a garbage collection is next to take the process lock, a writer of its own process shares it, and
/// no other process has it.
fn is_about_to_collect_beside_writer(scope: &Scope, state: &State, gc: id::Actor) -> bool {
    let shares = |a: id::Actor| state.actor(a).held.is_relied_on(Fixed::STORE_SHARED);
    let holds = |a: id::Actor| shares(a) || state.actor(a).held.is_relied_on(Fixed::STORE);
    let ours = |a: &id::Actor| scope.process_of(*a) == scope.process_of(gc);
    gc::takes_store_next(scope, state, gc)
        && scope.actors().filter(ours).any(shares)
        && !scope.actors().filter(|a| !ours(a)).any(holds)
}

fn gc_is_not_refused_by_its_own_writers(scope: &Scope, state: &State) -> bool {
    scope.actors().all(|gc| {
        !is_about_to_collect_beside_writer(scope, state, gc) || gc::may_take_store(scope, state, gc)
    })
}

/// Whether a run is past its mark phase while a writer of its process is at work.
fn has_collected_beside_backup(scope: &Scope, state: &State) -> bool {
    scope
        .actors()
        .filter(|gc| gc::is_past_mark(scope, state, *gc))
        .any(|gc| {
            let beside = |a: &id::Actor| scope.process_of(*a) == scope.process_of(gc);
            let shares = |a: id::Actor| state.actor(a).held.is_locked(Fixed::STORE_SHARED);
            state.actor(gc).held.is_locked(Fixed::STORE)
                && scope.actors().filter(beside).any(shares)
        })
}

fn snapshot_is_at_exactly_one_place(scope: &Scope, state: &State) -> bool {
    scope.scenario.all_snapshots().all(|id::Snapshot(s)| {
        let places = state.snapshots[usize::from(s)].0.count_ones();
        places == u32::from(state.present.has(s))
    })
}

fn locks_are_taken_in_rank_order(scope: &Scope, state: &State) -> bool {
    scope
        .actors()
        .all(|actor| match waits_while_holding(scope, state, actor) {
            Some((wanted, held)) => held < wanted,
            None => true,
        })
}

/// The rank of what an actor is about to wait for, and the highest rank that it holds.
fn waits_while_holding(scope: &Scope, state: &State, actor: id::Actor) -> Option<(Rank, Rank)> {
    let wanted = ops::waits_for(scope, state, actor)?;
    let held = locks::highest_rank(scope, state, actor)?;
    Some((wanted, held))
}

fn gc_finishes(scope: &Scope, state: &State) -> bool {
    journal_never_stops_gc(scope, state) && !has_ended_with(scope, state, End::VANISHED)
}

fn journal_never_stops_gc(scope: &Scope, state: &State) -> bool {
    let foreign = has_ended_with(scope, state, End::FOREIGN_LINE) && !scope.scenario.foreign_line;
    !foreign && !has_ended_with(scope, state, End::BAD_ENTRY)
}

/// Whether a run of garbage collection has ended in that way.
fn has_ended_with(scope: &Scope, state: &State, end: End) -> bool {
    scope
        .actors()
        .any(|actor| is_gc(scope, actor) && state.actor(actor).end == end && ended(state, actor))
}

fn new_path_implies_journal_entry(scope: &Scope, state: &State) -> bool {
    state.renamed.is_empty()
        || scope.by_path.iter().all(|(namespace, index)| {
            let at = At {
                index: *index,
                namespace: *namespace,
            };
            !state.renamed.has(*namespace, *index)
                || !scope.index_is_at(state, *namespace, *index)
                || journal::has_entry(state, at)
        })
}

fn finished_operation_holds_no_lock(scope: &Scope, state: &State) -> bool {
    scope
        .actors()
        .all(|actor| state.actor(actor).next.is_live() || locks::holds_nothing(scope, state, actor))
}

fn has_new_path_without_entry(scope: &Scope, state: &State) -> bool {
    scope.by_path.iter().any(|(namespace, index)| {
        let at = At {
            index: *index,
            namespace: *namespace,
        };
        let new = scope.snapshot_of[usize::from(*index)]
            .is_some_and(|s| scope.scenario.snapshots[usize::from(s)].namespace.0 != *namespace);
        new && scope.index_is_at(state, *namespace, *index) && !journal::has_entry(state, at)
    })
}

fn has_swept_a_dead_chunk(scope: &Scope, state: &State) -> bool {
    let live = scope.chunks_of.iter().fold(0, |all, of| all | of.0);
    scope
        .scenario
        .all_chunks()
        .any(|chunk| live & 1 << chunk.0 == 0 && !state.chunks[usize::from(chunk.0)].is_there())
}

fn has_moved_during_mark(_: &Scope, state: &State) -> bool {
    !state.renamed.is_empty()
}

fn is_gc(scope: &Scope, actor: id::Actor) -> bool {
    matches!(scope.task_of(actor), Task::Gc { .. })
}

/// Whether a run has ended: its outcome stands, and it is not still to be released.
fn ended(state: &State, actor: id::Actor) -> bool {
    let record = state.actor(actor);
    record.end != End::NONE && record.held == crate::state::Held::NONE
}

#[cfg(test)]
mod tests;
