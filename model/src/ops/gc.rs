//! `gc`: garbage collection of a datastore on a file system: mark phase, drain of the move journal, sweep.

mod place;

use super::not_locked;
use crate::directories;
use crate::environment;
use crate::journal::{self, Kind};
use crate::locks;
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Fixed, Held, Next, Set, State};
use place::{Chain, Locals, Phase};
use specs::design::Change;
use specs::id::{self, Chunk, Group, Id, Index, Namespace, Snapshot};
use specs::ops::gc::{Step, TABLE};
use specs::{Label, Outcome, ToLabel as _};

pub use place::visit_holds;
pub(crate) use place::{deepest, groups_at};

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(runs: u8, actor: &mut Actor) {
    actor.runs = runs - 1;
    actor.next = next(Step::LockGcSlot);
}

/// Whether a run has begun and not ended.
pub(crate) fn is_running(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let actor = state.actor(me);
    matches!(scope.task_of(me), specs::scenario::Task::Gc { .. })
        && actor.next.is_live()
        && actor.next != next(Step::LockGcSlot)
}

/// Whether the run has begun to list and has not read the journal yet.
pub(crate) fn is_marking(scope: &Scope, state: &State, me: id::Actor) -> bool {
    if !is_running(scope, state, me) {
        return false;
    }
    let actor = state.actor(me);
    let listing = next(Step::ListIndexFiles).0;
    let reading = next(Step::ReadJournal).0;
    (listing..=reading).contains(&actor.next.0) && Locals::of(actor).read == 0
}

/// Whether the next step of the run takes the process lock.
pub(crate) fn takes_store_next(scope: &Scope, state: &State, me: id::Actor) -> bool {
    matches!(scope.task_of(me), specs::scenario::Task::Gc { .. })
        && state.actor(me).next == next(Step::LockStore)
}

/// Whether it would get it.
pub(crate) fn may_take_store(scope: &Scope, state: &State, me: id::Actor) -> bool {
    step(scope, state, me, (Step::LockStore, None), Outcome::Done).is_ok()
}

/// Whether the run is past its mark phase.
pub(crate) fn is_past_mark(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let actor = state.actor(me);
    let sweep = next(Step::ListPrefixes).0..=next(Step::UnlockGcSlot).0;
    matches!(scope.task_of(me), specs::scenario::Task::Gc { .. })
        && (actor.end == End::DONE || sweep.contains(&actor.next.0))
}

/// Offers the labels of the next step: one, or one for each entry that may be taken next.
pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let actor = state.actor(me);
    let gc = Locals::of(actor);
    let Some(row) = TABLE.get(usize::from(actor.next.0)) else {
        return;
    };
    let specs::Step::Gc(kind) = row.step else {
        return;
    };
    let here = Namespace(gc.namespace);
    let group = Id::Group(here, Group(gc.group.saturating_sub(1)));
    match kind {
        Step::ListIndexFiles => {
            place::walk_next(scope, &gc, |id| offer(Step::ListIndexFiles.of(id)));
        }
        Step::ListGroups if gc.namespaces.is_empty() => {
            offer(Step::ListGroups.of(Id::Namespace(Namespace(0))));
        }
        Step::ListGroups => {
            for n in deepest(scope, gc.namespaces).iter() {
                offer(Step::ListGroups.of(Id::Namespace(Namespace(n))));
            }
        }
        Step::LockGroup => offer(Step::LockGroup.of(group)),
        Step::ListSnapshots if gc.group != 0 => offer(Step::ListSnapshots.of(group)),
        Step::ListSnapshots => {
            for g in gc.groups.iter() {
                offer(Step::ListSnapshots.of(Id::Group(here, Group(g))));
            }
        }
        Step::ListSnapshot => {
            let next = if scope.design.lists_names_again() {
                gc.to_list.lowest()
            } else {
                gc.to_list.highest()
            };
            if let Some(s) = next {
                offer(Step::ListSnapshot.of(Id::Snapshot(here, Snapshot(s))));
            }
        }
        Step::ListSnapshotsAgain => offer(Step::ListSnapshotsAgain.of(group)),
        Step::CheckGroup => offer(Step::CheckGroup.of(group)),
        Step::UnlockGroup => offer(Step::UnlockGroup.of(group)),
        Step::OpenIndex => {
            for i in place::newest_files(scope, &gc).iter() {
                offer(Step::OpenIndex.of(Id::Index(here, Index(i))));
            }
        }
        Step::TouchChunk => {
            if let Some(c) = gc.chunks.lowest() {
                offer(Step::TouchChunk.of(Id::Chunk(Chunk(c))));
            }
        }
        Step::ListNamespaces => offer(Step::ListNamespaces.of(Id::Namespace(here))),
        Step::OpenLeftover => {
            if let Some((n, i)) = place::first_leftover(scope, &gc) {
                offer(Step::OpenLeftover.of(Id::Index(Namespace(n), Index(i))));
            }
        }
        Step::OpenEntry => offer(Step::OpenEntry.of(Id::Line(gc.line))),
        Step::ListChunks => offer(Step::ListChunks.of(Id::Prefix)),
        Step::SweepChunk => {
            for c in gc.chunks.iter() {
                offer(Step::SweepChunk.of(Id::Chunk(Chunk(c))));
            }
            for bad in gc.bad_chunks.iter() {
                offer(Step::SweepChunk.of(Id::BadChunk(Chunk(bad / 2), bad % 2)));
            }
        }
        Step::LockGcSlot
        | Step::LockStore
        | Step::ReadClock
        | Step::ReadOldestWriter
        | Step::LockJournal
        | Step::ReadJournal
        | Step::TruncateJournal
        | Step::UnlockJournal
        | Step::ListPrefixes
        | Step::WriteStatus
        | Step::UnlockStore
        | Step::UnlockGcSlot
        | Step::ReleaseAll => offer(kind.into()),
    }
}

/// Guard and effect of each step.
pub(crate) fn step(
    scope: &Scope,
    before: &State,
    me: id::Actor,
    (step, of): (Step, Option<Id>),
    outcome: Outcome,
) -> Result<State, Refusal> {
    if before.actor(me).next != next(step) {
        return Err(Refusal::NotNext);
    }
    let mut state = *before;
    let mut gc = Locals::of(before.actor(me));
    let design = scope.design;
    let stops = environment::is_shutting_down(scope, before, me);
    let then: Chain = match (step, of, outcome) {
        (Step::OpenIndex | Step::TouchChunk | Step::SweepChunk, _, Outcome::Stopped) => {
            permit(stops)?;
            Chain::Fail(End::STOPPED)
        }
        (Step::OpenIndex | Step::TouchChunk | Step::SweepChunk, _, _) if stops => {
            return Err(Refusal::NotAllowed);
        }
        (Step::LockGcSlot, _, _) => {
            locks::take_gc_slot(scope, &mut state, me, outcome)?;
            busy_or(outcome, Step::LockStore)
        }
        (Step::LockStore, _, _) => {
            locks::take_store(scope, &mut state, me, step, outcome)?;
            busy_or(outcome, Step::ReadClock)
        }
        (Step::ReadClock, _, _) => {
            state.renamed = Default::default();
            gc.namespaces = place::BASE;
            if design.has(Change::OldestWriterAfterMark) || design.has(Change::IgnoresOldestWriter)
            {
                Chain::Step(Step::ListIndexFiles)
            } else {
                Chain::Step(Step::ReadOldestWriter)
            }
        }
        (Step::ReadOldestWriter, _, _) => {
            gc.spares_middle = u8::from(locks::has_old_writer(scope, before, me));
            if design.has(Change::OldestWriterAfterMark) {
                Chain::Step(Step::ListPrefixes)
            } else {
                Chain::Step(Step::ListIndexFiles)
            }
        }
        (Step::ListIndexFiles, Some(id), _) => {
            let found = place::walk_list(scope, before, &mut gc, id);
            find(found, outcome)?;
            if place::walk_is_over(&mut gc) {
                after_walk(scope, &gc)
            } else {
                Chain::Step(step)
            }
        }
        (Step::ListGroups, Some(Id::Namespace(n)), _) => {
            let there = before.namespaces.has(n.0);
            find(there, outcome)?;
            gc.namespace = n.0;
            gc.namespaces = gc.namespaces.without(n.0);
            gc.groups = groups_at(before, n.0);
            if there {
                next_group(scope, before, &mut gc)
            } else if design.skips_a_vanished_namespace() {
                next_namespace(scope, &gc)
            } else {
                Chain::Fail(End::VANISHED)
            }
        }
        (Step::LockGroup, Some(Id::Group(n, g)), _) => {
            let name = locks::group(n, g);
            gc.hold = locks::take(scope, &mut state, me, name, step, outcome)?.0;
            if outcome == Outcome::NotFound {
                // The group is gone, and its directory would have been the lock: there is nothing to mark.
                next_group(scope, before, &mut gc)
            } else {
                busy_or(outcome, Step::ListSnapshots)
            }
        }
        (Step::ListSnapshots, Some(Id::Group(n, g)), _) => {
            let there = before.groups[usize::from(g.0)].has(n.0);
            find(there, outcome)?;
            gc.group = g.0 + 1;
            gc.groups = gc.groups.without(g.0);
            if there {
                gc.listing = scope.snapshots_at(before, n.0, g.0);
                gc.to_list = gc.listing;
                gc.files = Set(0);
                list_or_open(scope, before, &mut gc)
            } else {
                leave_group(scope, before, &mut gc)
            }
        }
        (Step::ListSnapshot, Some(Id::Snapshot(n, s)), _) => {
            let there = before.snapshots[usize::from(s.0)].has(n.0);
            find(there, outcome)?;
            gc.to_list = gc.to_list.without(s.0);
            if there {
                gc.files = gc.files.or(scope.indexes_in(before, s.0));
                list_or_open(scope, before, &mut gc)
            } else if !design.lists_again_after_a_vanished_snapshot() {
                Chain::Step(Step::CheckGroup)
            } else if gc.hold != 0 || design.lists_a_group_once() {
                gc.listing = gc.listing.without(s.0);
                list_or_open(scope, before, &mut gc)
            } else {
                list_again(scope, &mut gc)
            }
        }
        (Step::ListSnapshotsAgain, Some(Id::Group(n, g)), _) => {
            let there = before.groups[usize::from(g.0)].has(n.0);
            find(there, outcome)?;
            gc.names_are_checked = 1;
            let new = scope.snapshots_at(before, n.0, g.0).minus(gc.listing);
            if !there {
                leave_group(scope, before, &mut gc)
            } else if new.is_empty() {
                list_or_open(scope, before, &mut gc)
            } else {
                list_again(scope, &mut gc)
            }
        }
        (Step::CheckGroup, Some(Id::Group(n, g)), _) => {
            let there = before.groups[usize::from(g.0)].has(n.0);
            find(there, outcome)?;
            if there {
                Chain::Fail(End::VANISHED)
            } else {
                gc.leave_listing();
                leave_group(scope, before, &mut gc)
            }
        }
        (Step::UnlockGroup, _, _) => {
            gc.hold = 0;
            next_group(scope, before, &mut gc)
        }
        (Step::OpenIndex, Some(Id::Index(n, i)), _) => {
            let there = scope.index_is_at(before, n.0, i.0);
            find(there, outcome)?;
            gc.unlist(n.0, i.0);
            gc.files = gc.files.without(i.0);
            let of = scope.snapshot_of[usize::from(i.0)];
            let first = if design.has(Change::OldestFirst) {
                gc.listing.lowest()
            } else {
                gc.listing.highest()
            };
            let decides = !design.lists_a_group_once()
                && (of == first || design.lists_again_for_every_vanished_file());
            if there {
                let phase = if gc.phase() == Phase::VISIT_AGAIN {
                    Phase::VISIT_AGAIN
                } else {
                    Phase::VISIT
                };
                mark(scope, before, &mut gc, i.0, phase)
            } else if decides && gc.hold == 0 {
                list_again(scope, &mut gc)
            } else if decides && of == first && !design.lists_again_after_a_vanished_snapshot() {
                // One attempt more than there are: whoever forgets a snapshot takes no lock of the group.
                Chain::Fail(End::VANISHED)
            } else {
                list_or_open(scope, before, &mut gc)
            }
        }
        (Step::TouchChunk, Some(Id::Chunk(c)), _) => {
            let chunk = before.chunks[usize::from(c.0)];
            find(chunk.is_there(), outcome)?;
            state.chunks[usize::from(c.0)] = if chunk.is_there() {
                chunk.touched()
            } else {
                chunk.bad_touched()
            };
            gc.chunks = gc.chunks.without(c.0);
            gc.touched = gc.touched.with(c.0);
            after_mark(scope, before, &mut gc)
        }
        (Step::ListNamespaces, Some(Id::Namespace(n)), _) => {
            find(before.children.has(n.0), outcome)?;
            gc.namespaces = gc.namespaces.or(directories::children(scope, before, n.0));
            next_namespace(scope, &gc)
        }
        (Step::OpenLeftover, Some(Id::Index(n, i)), _) => {
            let there = scope.index_is_at(before, n.0, i.0);
            find(there, outcome)?;
            gc.unlist(n.0, i.0);
            if there {
                mark(scope, before, &mut gc, i.0, Phase::LEFTOVER)
            } else {
                next_leftover(scope, &gc)
            }
        }
        (Step::LockJournal, _, _) => {
            locks::take_journal(scope, &mut state, me, step, outcome)?;
            if outcome == Outcome::TimedOut {
                Chain::Fail(End::TIMED_OUT)
            } else {
                Chain::Step(Step::ReadJournal)
            }
        }
        (Step::ReadJournal, _, _) => {
            state.renamed = Default::default();
            let lines = if journal::is_that_of(scope, me) {
                place::lines_read(design, before)
            } else {
                0
            };
            gc.read = lines + 1;
            gc.line = if design.has(Change::DrainInReverse) {
                gc.read
            } else {
                0
            };
            if design.has(Change::TruncateBeforeMarking) {
                Chain::Step(Step::TruncateJournal)
            } else {
                next_entry(scope, before, &mut gc)
            }
        }
        (Step::OpenEntry, _, _) => {
            let kind = before.lines[usize::from(gc.line) - 1].kind();
            let found = place::open_entry(scope, before, kind);
            if found != outcome {
                return Err(Refusal::NotInDesign(found));
            }
            match (found, kind) {
                (Outcome::Done, Kind::Entry(at) | Kind::NoNewline(at)) => {
                    mark(scope, before, &mut gc, at.index, Phase::DRAIN)
                }
                (Outcome::NotFound, Kind::Entry(at) | Kind::NoNewline(at))
                    if design.marks_group_of_a_missing_entry() && gc.visits_again(scope, at) =>
                {
                    Chain::Step(Step::ListSnapshots)
                }
                (Outcome::NotFound, _) if !design.has(Change::MissingEntryIsFatal) => {
                    next_entry(scope, before, &mut gc)
                }
                (_, _) => place::fail_drain(design, &mut gc, End::BAD_ENTRY),
            }
        }
        (Step::TruncateJournal, _, _) if design.has(Change::TruncateBeforeMarking) => {
            if journal::is_that_of(scope, me) {
                journal::hide(&mut state);
            }
            next_entry(scope, before, &mut gc)
        }
        (Step::TruncateJournal, _, _) => {
            if journal::is_that_of(scope, me) {
                journal::truncate(&mut state);
            }
            match gc.phase() {
                Phase::FAILED => Chain::Fail(End::FOREIGN_LINE),
                _ => Chain::Step(Step::UnlockJournal),
            }
        }
        (Step::UnlockJournal, _, _) => {
            journal::forget_hidden(&mut state);
            place::release(&mut state, me, Fixed::JOURNAL);
            if design.has(Change::DrainBeforeIteration) {
                first_namespace(scope, &gc)
            } else {
                place::after_marks(design)
            }
        }
        (Step::ListPrefixes, _, _) => {
            if scope.scenario.chunks == 0 {
                Chain::Step(Step::WriteStatus)
            } else {
                Chain::Step(Step::ListChunks)
            }
        }
        (Step::ListChunks, _, _) => {
            gc.chunks = place::chunks_there(before);
            gc.bad_chunks = place::bad_chunks_there(before);
            sweep_or_end(&gc)
        }
        (Step::SweepChunk, Some(Id::Chunk(c)), _) => {
            let chunk = before.chunks[usize::from(c.0)];
            if place::sweeps(&gc, chunk.age(), outcome)? {
                state.chunks[usize::from(c.0)] = chunk.unlinked();
            }
            gc.chunks = gc.chunks.without(c.0);
            sweep_or_end(&gc)
        }
        (Step::SweepChunk, Some(Id::BadChunk(c, n)), _) => {
            let chunk = before.chunks[usize::from(c.0)];
            if place::sweeps(&gc, chunk.bad(n), outcome)? {
                state.chunks[usize::from(c.0)] = chunk.without_bad(n);
            }
            gc.bad_chunks = gc.bad_chunks.without(c.0 * 2 + n);
            sweep_or_end(&gc)
        }
        (Step::WriteStatus, _, _) => Chain::Step(Step::UnlockStore),
        (Step::UnlockStore, _, _) => {
            locks::release_store(scope, &mut state, me);
            Chain::Step(Step::UnlockGcSlot)
        }
        (Step::UnlockGcSlot, _, _) => {
            place::release(&mut state, me, Fixed::GC_SLOT);
            Chain::End(End::DONE)
        }
        (Step::ReleaseAll, _, _) => {
            if before.actor(me).held.is_relied_on(Fixed::STORE) {
                locks::release_store(scope, &mut state, me);
            }
            if before.actor(me).held.is_locked(Fixed::JOURNAL) {
                journal::forget_hidden(&mut state);
            }
            let actor = state.actor_mut(me);
            actor.held = Held::NONE;
            Chain::End(actor.end)
        }
        (
            Step::ListIndexFiles
            | Step::ListGroups
            | Step::LockGroup
            | Step::ListSnapshots
            | Step::ListSnapshot
            | Step::ListSnapshotsAgain
            | Step::CheckGroup
            | Step::OpenIndex
            | Step::TouchChunk
            | Step::ListNamespaces
            | Step::OpenLeftover
            | Step::SweepChunk,
            _,
            _,
        ) => return Err(Refusal::NotNext),
    };
    place::go_on(&mut state, me, gc, then);
    Ok(state)
}

fn busy_or(outcome: Outcome, step: Step) -> Chain {
    if outcome == Outcome::Done {
        Chain::Step(step)
    } else {
        Chain::Fail(not_locked(outcome))
    }
}

fn after_walk(scope: &Scope, gc: &Locals) -> Chain {
    if scope.design.has(Change::DrainBeforeIteration) {
        Chain::Step(Step::LockJournal)
    } else {
        first_namespace(scope, gc)
    }
}

fn first_namespace(scope: &Scope, gc: &Locals) -> Chain {
    if scope.design.marks_first_walk_only() {
        next_leftover(scope, gc)
    } else {
        Chain::Step(Step::ListGroups)
    }
}

/// After a group: the next group, then the child namespaces; in the drain the next entry.
fn next_group(scope: &Scope, state: &State, gc: &mut Locals) -> Chain {
    gc.leave_group();
    if gc.phase() == Phase::VISIT_AGAIN {
        gc.enter(Phase::DRAIN);
        next_entry(scope, state, gc)
    } else if gc.groups.is_empty() {
        Chain::Step(Step::ListNamespaces)
    } else {
        Chain::Step(Step::ListSnapshots)
    }
}

/// After a listing or a file: the next snapshot to list, the next file to open, or the end of the group.
fn list_or_open(scope: &Scope, state: &State, gc: &mut Locals) -> Chain {
    if !gc.to_list.is_empty() {
        return Chain::Step(Step::ListSnapshot);
    }
    // Under the lock no backup and no move brings a new one.
    if gc.hold == 0 && gc.names_are_checked == 0 && scope.design.lists_names_again() {
        return Chain::Step(Step::ListSnapshotsAgain);
    }
    if !place::newest_files(scope, gc).is_empty() {
        Chain::Step(Step::OpenIndex)
    } else {
        leave_group(scope, state, gc)
    }
}

/// The end of a group: its lock is let go, if it was taken for the last attempt.
fn leave_group(scope: &Scope, state: &State, gc: &mut Locals) -> Chain {
    if gc.hold != 0 {
        Chain::Step(Step::UnlockGroup)
    } else {
        next_group(scope, state, gc)
    }
}

/// The group is listed again; before the last attempt its lock is taken.
fn list_again(scope: &Scope, gc: &mut Locals) -> Chain {
    gc.attempts += 1;
    gc.leave_listing();
    if gc.attempts == scope.scenario.limits.list_attempts {
        Chain::Step(Step::LockGroup)
    } else {
        Chain::Step(Step::ListSnapshots)
    }
}

fn mark(scope: &Scope, state: &State, gc: &mut Locals, index: u8, phase: Phase) -> Chain {
    gc.enter(phase);
    gc.chunks = scope.chunks_of[usize::from(index)].minus(gc.touched);
    after_mark(scope, state, gc)
}

/// After a chunk: the next chunk, or back to where the index file was opened.
fn after_mark(scope: &Scope, state: &State, gc: &mut Locals) -> Chain {
    if !gc.chunks.is_empty() {
        return Chain::Step(Step::TouchChunk);
    }
    match gc.phase() {
        Phase::LEFTOVER => next_leftover(scope, gc),
        Phase::DRAIN => next_entry(scope, state, gc),
        _ => list_or_open(scope, state, gc),
    }
}

fn next_namespace(scope: &Scope, gc: &Locals) -> Chain {
    if gc.namespaces.is_empty() {
        next_leftover(scope, gc)
    } else {
        Chain::Step(Step::ListGroups)
    }
}

fn next_leftover(scope: &Scope, gc: &Locals) -> Chain {
    let marks = !scope.design.has(Change::LeftoversNotMarked);
    if marks && place::first_leftover(scope, gc).is_some() {
        Chain::Step(Step::OpenLeftover)
    } else if scope.design.has(Change::DrainBeforeIteration) || !scope.design.has_journal() {
        place::after_marks(scope.design)
    } else {
        Chain::Step(Step::LockJournal)
    }
}

/// The next line of what was read; a line that is no path of an index file fails the drain.
fn next_entry(scope: &Scope, state: &State, gc: &mut Locals) -> Chain {
    gc.line = if scope.design.has(Change::DrainInReverse) {
        gc.line - 1
    } else {
        gc.line + 1
    };
    if gc.line == 0 || gc.line >= gc.read {
        return if scope.design.has(Change::TruncateBeforeMarking) {
            Chain::Step(Step::UnlockJournal)
        } else {
            Chain::Step(Step::TruncateJournal)
        };
    }
    match state.lines[usize::from(gc.line) - 1].kind() {
        Kind::Foreign | Kind::MidLine(_) | Kind::Directory { .. } | Kind::None => {
            place::fail_drain(scope.design, gc, End::FOREIGN_LINE)
        }
        Kind::Entry(_)
        | Kind::NoNewline(_)
        | Kind::GluedToMidLine(..)
        | Kind::GluedToNoNewline(..) => Chain::Step(Step::OpenEntry),
    }
}

const fn permit(allowed: bool) -> Result<(), Refusal> {
    if allowed {
        Ok(())
    } else {
        Err(Refusal::NotAllowed)
    }
}

const fn sweep_or_end(gc: &Locals) -> Chain {
    if gc.chunks.is_empty() && gc.bad_chunks.is_empty() {
        Chain::Step(Step::WriteStatus)
    } else {
        Chain::Step(Step::SweepChunk)
    }
}
