//! The properties: premise and sentence of each, in the order of `specs/property.rs`.

use crate::environment;
use crate::journal::{self, At};
use crate::locks;
use crate::ops::{self, gc};
use crate::scope::Scope;
use crate::state::{ChunkAge, End, Set, State};
use specs::Property;
use specs::property::Mood;
use specs::scenario::Task;
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
            !failed_move_has_ended(scope, state) || !has_new_empty_group(scope, state)
        },
        Property::FinishedOperationHoldsNoLock => finished_operation_holds_no_lock,
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
            .chain(&state.owners)
            .chain(&state.notes);
        let ends = scope.actors().all(|actor| {
            let record = state.actor(actor);
            record.next.is_live()
                || record.end != End::NONE
                || record.next == crate::state::Next::KILLED
        });
        let torn_is_last = state
            .lines
            .windows(2)
            .all(|pair| !pair[0].is_torn() || pair[1].kind() == journal::Kind::None);
        places.into_iter().all(inside) && ends && torn_is_last
    })
}

/// Whether the premise of a property holds in a state.
pub fn premise(property: Property, scope: &Scope, state: &State) -> bool {
    match property {
        Property::LiveChunkIsNeverSwept => scope.actors().any(|actor| {
            gc::is_past_mark(scope, state, actor)
                || (is_gc(scope, actor) && state.actor(actor).end != End::NONE)
        }),
        Property::SnapshotIsAtExactlyOnePlace => scope
            .scenario
            .snapshots
            .iter()
            .zip(state.snapshots)
            .any(|(at, now)| !now.has(at.namespace.0)),
        Property::OneExclusiveHolderPerLock => locks::one_relies_beside_another(scope, state),
        Property::LocksAreTakenInRankOrder => scope
            .actors()
            .any(|actor| waits_while_holding(scope, state, actor).is_some()),
        Property::NoOperationWaitsForever => scope
            .actors()
            .any(|actor| state.actor(actor).next.is_live()),
        Property::GcThatMeetsNoAbortConditionFinishes | Property::JournalNeverStopsGc => scope
            .actors()
            .any(|actor| is_gc(scope, actor) && ended(state, actor)),
        Property::NewPathImpliesJournalEntry => has_moved_during_mark(scope, state),
        Property::FailedMoveLeavesNoEmptyGroup => failed_move_has_ended(scope, state),
        Property::FinishedOperationHoldsNoLock => scope
            .actors()
            .any(|actor| !state.actor(actor).next.is_live()),
        Property::CanHaveNewPathWithoutEntry
        | Property::CanSweepDeadChunk
        | Property::CanMoveDuringMark => true,
    }
}

fn live_chunk_is_never_swept(scope: &Scope, state: &State) -> bool {
    let mut missing = Set::default();
    for (chunk, age) in (0..scope.scenario.chunks).zip(state.chunks) {
        if age == ChunkAge::MISSING {
            missing = missing.with(chunk);
        }
    }
    missing.is_empty()
        || scope
            .chunks_of
            .iter()
            .zip(scope.snapshot_of)
            .all(|(chunks, snapshot)| {
                let exists = snapshot.is_none_or(|s| !state.snapshots[usize::from(s)].is_empty());
                !exists || chunks.and(missing).is_empty()
            })
}

fn snapshot_is_at_exactly_one_place(scope: &Scope, state: &State) -> bool {
    state
        .snapshots
        .iter()
        .take(scope.scenario.snapshots.len())
        .all(|at| at.0.count_ones() == 1)
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
fn waits_while_holding(scope: &Scope, state: &State, actor: specs::id::Actor) -> Option<(u8, u8)> {
    let wanted = ops::waits_for(scope, state, actor)?;
    let held = locks::highest_rank(scope, state, actor)?;
    Some((wanted.rank(), held))
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
    scope.scenario.all_chunks().any(|chunk| {
        live & 1 << chunk.0 == 0 && state.chunks[usize::from(chunk.0)] == ChunkAge::MISSING
    })
}

fn has_moved_during_mark(_: &Scope, state: &State) -> bool {
    !state.renamed.is_empty()
}

fn failed_move_has_ended(scope: &Scope, state: &State) -> bool {
    environment::is_calm(scope, state)
        && scope
            .actors()
            .all(|actor| !state.actor(actor).next.is_live())
        && scope.actors().any(|actor| {
            matches!(scope.task_of(actor), Task::MoveGroup { .. })
                && environment::failed(state.actor(actor).end)
        })
}

fn has_new_empty_group(scope: &Scope, state: &State) -> bool {
    let start = scope.start();
    (0..scope.scenario.groups.len()).any(|g| {
        state.groups[g]
            .minus(start.groups[g])
            .iter()
            .any(|namespace| {
                scope.snapshots_of[g]
                    .iter()
                    .all(|s| !state.snapshots[usize::from(s)].has(namespace))
            })
    })
}

fn is_gc(scope: &Scope, actor: specs::id::Actor) -> bool {
    matches!(scope.task_of(actor), Task::Gc { .. })
}

/// Whether a run has ended: its outcome stands, and it is not still to be released.
fn ended(state: &State, actor: specs::id::Actor) -> bool {
    let record = state.actor(actor);
    record.end != End::NONE && record.held == crate::state::Held::NONE
}
