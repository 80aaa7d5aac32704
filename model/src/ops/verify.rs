//! `verify`: reads every chunk of a group's snapshots and sets corrupt ones aside.

use super::not_locked;
use crate::locks::{self, Name, namespaces};
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, Chunk, End, Hold, Manifest, Next, Part, Set, State};
use specs::id::{self, Group, Id, Index, Namespace, Snapshot};
use specs::ops::verify::{Step, TABLE};
use specs::scenario::Task;
use specs::{Label, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a job keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    /// The lock of the snapshot.
    hold: Hold,
    /// The lock of its manifest.
    manifest: Hold,
    /// What was read of the manifest under its lock.
    read: Manifest,
    /// Listed snapshots whose files are still to be listed.
    to_list: Set,
    /// Listed snapshots that are still to be verified.
    snapshots: Set,
    /// One more than the current snapshot; 0 between snapshots.
    snapshot: u8,
    /// Index files of the current snapshot that are still to be opened.
    files: Set,
    /// Chunks of the current index file that are still to be read.
    chunks: Set,
    /// One more than the chunk that is to be set aside; 0 if there is none.
    aside: u8,
    /// Chunks that this job has read and found good.
    good: Set,
    /// Chunks that this job has read and found bad.
    bad: Set,
    /// Whether the current snapshot has failed.
    failed: u8,
    /// Whether any snapshot has.
    any_failed: u8,
    /// So that all operations keep as many bytes.
    rest: [u8; 7],
}

/// What follows a step.
enum Chain {
    /// The step of that label.
    Step(Step),
    /// The job gives up; what it holds is still to be let go.
    Fail(End),
    /// The job has ended.
    End,
}

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(actor: &mut Actor) {
    actor.next = next(Step::ListGroup);
}

pub(crate) fn visit_holds(
    state: &State,
    me: id::Actor,
    Namespace(n): Namespace,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let job: Locals = zerocopy::transmute!(state.actor(me).locals);
    for (name, hold) in [
        (Name::Snapshot(n, job.snapshot.wrapping_sub(1)), job.hold),
        (
            Name::Manifest(n, job.snapshot.wrapping_sub(1)),
            job.manifest,
        ),
    ] {
        if hold != Hold::NONE {
            visit(me, name, hold);
        }
    }
}

fn task(scope: &Scope, me: id::Actor) -> Option<(Namespace, Group)> {
    if let Task::Verify { namespace, group } = scope.task_of(me) {
        Some((namespace, group))
    } else {
        None
    }
}

/// The snapshot that the job has locked and found, while it relies on that.
pub(crate) fn relies_on(scope: &Scope, state: &State, me: id::Actor) -> Option<(Namespace, u8)> {
    let (namespace, _) = task(scope, me)?;
    let job: Locals = zerocopy::transmute!(state.actor(me).locals);
    let from = next(Step::OpenIndex).0;
    let to = next(Step::UnlockSnapshot).0;
    let relies = (from..to).contains(&state.actor(me).next.0) && job.hold.is_relied_on();
    relies.then(|| (namespace, job.snapshot - 1))
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let row = TABLE.get(usize::from(state.actor(me).next.0));
    let (Some((namespace, group)), Some(specs::Step::Verify(kind))) =
        (task(scope, me), row.map(|row| row.step))
    else {
        return;
    };
    let job: Locals = zerocopy::transmute!(state.actor(me).locals);
    let current = if kind == Step::ListSnapshot {
        job.to_list.highest()
    } else if kind == Step::CheckSnapshot {
        job.snapshots.highest()
    } else {
        job.snapshot.checked_sub(1)
    };
    let snapshot = Id::Snapshot(namespace, Snapshot(current.unwrap_or(0)));
    let place = |lock: namespaces::NamespaceLock| Id::Namespace(lock.namespace);
    let argument = match kind {
        Step::LockNamespace => namespaces::next(scope, state, me).map(place),
        Step::UnlockNamespace => namespaces::oldest(scope, state, me).map(place),
        Step::ListGroup => Some(Id::Group(namespace, group)),
        Step::OpenIndex => job.files.lowest().map(|i| Id::Index(namespace, Index(i))),
        Step::ReadChunk => job.chunks.lowest().map(|c| Id::Chunk(id::Chunk(c))),
        Step::RenameCorruptChunk => job.aside.checked_sub(1).map(|c| Id::Chunk(id::Chunk(c))),
        Step::ListSnapshot
        | Step::CheckSnapshot
        | Step::LockSnapshot
        | Step::RecheckSnapshot
        | Step::ReadManifest
        | Step::LockManifest
        | Step::LoadManifest
        | Step::WriteManifest
        | Step::UnlockManifest
        | Step::UnlockSnapshot
        | Step::ReleaseAll => Some(snapshot),
    };
    if let Some(argument) = argument {
        offer(kind.of(argument));
    }
}

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
    let (Namespace(n), Group(group)) = task(scope, me).ok_or(Refusal::NotNext)?;
    let design = scope.design;
    let mut state = *before;
    let mut job: Locals = zerocopy::transmute!(before.actor(me).locals);
    let snapshot = job.snapshot.saturating_sub(1);
    let s = usize::from(snapshot);
    let there = before.snapshots[s].has(n);
    let then = match (step, of) {
        (Step::ListGroup, _) => {
            let exists = before.groups[usize::from(group)].has(n);
            find(exists, outcome)?;
            if exists {
                job.snapshots = scope.snapshots_at(before, n, group);
                if !design.skips_a_vanished_snapshot() {
                    job.to_list = job.snapshots;
                }
                list_or_verify(&mut job)
            } else {
                Chain::End
            }
        }
        (Step::ListSnapshot, Some(Id::Snapshot(_, Snapshot(listed)))) => {
            let there = before.snapshots[usize::from(listed)].has(n);
            find(there, outcome)?;
            job.to_list = job.to_list.without(listed);
            if there {
                list_or_verify(&mut job)
            } else {
                // The whole group is left out, with whatever of it is there.
                let left_out = job.snapshots.and(scope.snapshots_at(before, n, group));
                if !left_out.is_empty() {
                    state.actor_mut(me).end = End::LEFT_OUT;
                }
                Chain::End
            }
        }
        (Step::CheckSnapshot, Some(Id::Snapshot(_, Snapshot(checked)))) => {
            let there = before.snapshots[usize::from(checked)].has(n);
            find(there, outcome)?;
            job.snapshots = job.snapshots.without(checked);
            if there {
                job.snapshot = checked + 1;
                lock_next(scope, &state, me)
            } else {
                next_snapshot(&mut job)
            }
        }
        (Step::LockNamespace, _) => {
            namespaces::take(scope, &mut state, me, outcome)?;
            if outcome == Outcome::Done {
                lock_next(scope, &state, me)
            } else {
                leave_snapshot(&state, me, &mut job)
            }
        }
        (Step::LockSnapshot, _) => {
            let name = Name::Snapshot(n, snapshot);
            job.hold = locks::take(scope, &mut state, me, name, step, outcome)?;
            if matches!(outcome, Outcome::NoSpace(_)) {
                Chain::Fail(not_locked(outcome))
            } else if outcome != Outcome::Done {
                leave_snapshot(&state, me, &mut job)
            } else if design.rechecks_after_locking() {
                Chain::Step(Step::RecheckSnapshot)
            } else {
                Chain::Step(Step::ReadManifest)
            }
        }
        (Step::RecheckSnapshot, _) => {
            find(there, outcome)?;
            if there {
                Chain::Step(Step::ReadManifest)
            } else {
                Chain::Step(Step::UnlockSnapshot)
            }
        }
        (Step::ReadManifest, _) => {
            find(there && before.manifests[s].is_there(), outcome)?;
            if outcome == Outcome::NotFound {
                fail_vanished(&mut state, me, &mut job, there);
                Chain::Step(Step::UnlockSnapshot)
            } else {
                job.files = scope.indexes_of[s];
                next_file(&job)
            }
        }
        (Step::OpenIndex, Some(Id::Index(_, Index(i)))) => {
            let there = scope.index_is_at(before, n, i);
            find(there, outcome)?;
            job.files = job.files.without(i);
            if there {
                let chunks = scope.chunks_of[usize::from(i)];
                if !chunks.and(job.bad).is_empty() {
                    job.failed = 1;
                }
                job.chunks = chunks.minus(job.good).minus(job.bad);
            } else {
                job.failed = 1;
            }
            next_chunk(&job)
        }
        (Step::ReadChunk, Some(Id::Chunk(id::Chunk(c)))) => {
            let chunk = before.chunks[usize::from(c)];
            let expected = read(chunk);
            if outcome != expected {
                return Err(Refusal::found(chunk.is_there()));
            }
            job.chunks = job.chunks.without(c);
            if outcome == Outcome::Done {
                job.good = job.good.with(c);
                next_chunk(&job)
            } else {
                job.bad = job.bad.with(c);
                job.failed = 1;
                if outcome == Outcome::Corrupt || !design.sets_aside_only_what_it_read() {
                    job.aside = c + 1;
                    Chain::Step(Step::RenameCorruptChunk)
                } else {
                    next_chunk(&job)
                }
            }
        }
        (Step::RenameCorruptChunk, Some(Id::Chunk(id::Chunk(c)))) => {
            let chunk = before.chunks[usize::from(c)];
            let keeps = design.sets_aside_only_what_it_read() && read(chunk) != Outcome::Corrupt;
            let expected = match (chunk.is_there(), keeps) {
                (false, _) => Outcome::NotFound,
                (true, true) => Outcome::Kept,
                (true, false) => Outcome::Done,
            };
            if outcome != expected {
                return Err(Refusal::found(chunk.is_there()));
            }
            if outcome == Outcome::Done {
                state.chunks[usize::from(c)] = chunk.set_aside().ok_or(Refusal::Exhausted)?;
            }
            job.aside = 0;
            next_chunk(&job)
        }
        (Step::LockManifest, _) => {
            let name = Name::Manifest(n, snapshot);
            job.manifest = locks::take(scope, &mut state, me, name, step, outcome)?;
            if outcome == Outcome::TimedOut {
                job.failed = 1;
                Chain::Step(Step::UnlockSnapshot)
            } else if outcome != Outcome::Done {
                Chain::Fail(not_locked(outcome))
            } else {
                Chain::Step(Step::LoadManifest)
            }
        }
        (Step::LoadManifest, _) => {
            find(there && before.manifests[s].is_there(), outcome)?;
            if outcome == Outcome::NotFound {
                if !design.skips_a_vanished_snapshot() {
                    fail_vanished(&mut state, me, &mut job, there);
                }
                Chain::Step(Step::UnlockManifest)
            } else {
                job.read = before.manifests[s].contents();
                Chain::Step(Step::WriteManifest)
            }
        }
        (Step::WriteManifest, _) => {
            find(there, outcome)?;
            if there {
                let failed = job.failed == 1;
                state.manifests[s] = before.manifests[s].rewritten(job.read, Part::VERIFY, failed);
                Chain::Step(Step::UnlockManifest)
            } else if design.skips_a_vanished_snapshot() {
                Chain::Fail(End::REFUSED)
            } else {
                fail_vanished(&mut state, me, &mut job, there);
                Chain::Step(Step::UnlockManifest)
            }
        }
        (Step::UnlockManifest, _) => {
            job.manifest = Hold::NONE;
            job.read = Manifest::NONE;
            Chain::Step(Step::UnlockSnapshot)
        }
        (Step::UnlockSnapshot, _) => {
            job.hold = Hold::NONE;
            leave_snapshot(&state, me, &mut job)
        }
        (Step::UnlockNamespace, _) => {
            namespaces::release(&mut state, me);
            leave_snapshot(&state, me, &mut job)
        }
        (Step::ReleaseAll, _) => {
            namespaces::release_all(&mut state, me);
            Chain::End
        }
        (
            Step::ListSnapshot
            | Step::CheckSnapshot
            | Step::OpenIndex
            | Step::ReadChunk
            | Step::RenameCorruptChunk,
            _,
        ) => return Err(Refusal::NotNext),
    };
    let actor = state.actor_mut(me);
    match then {
        Chain::Step(step) => {
            actor.locals = zerocopy::transmute!(job);
            actor.next = next(step);
        }
        Chain::Fail(end) => {
            actor.end = end;
            actor.next = next(Step::ReleaseAll);
        }
        Chain::End => {
            if actor.end == End::NONE {
                actor.end = if job.any_failed == 1 {
                    End::NOT_VERIFIED
                } else {
                    End::DONE
                };
            }
            actor.locals = [0; crate::state::LOCALS];
            actor.next = Next::FINISHED;
        }
    }
    Ok(state)
}

const fn read(chunk: Chunk) -> Outcome {
    match (chunk.is_there(), chunk.is_corrupt()) {
        (false, _) => Outcome::NotFound,
        (true, true) => Outcome::Corrupt,
        (true, false) => Outcome::Done,
    }
}

/// The current snapshot has failed, since there is no manifest; or no snapshot.
fn fail_vanished(state: &mut State, me: id::Actor, job: &mut Locals, there: bool) {
    job.failed = 1;
    if !there {
        state.actor_mut(me).end = End::VANISHED;
    }
}

/// The next snapshot of the listing whose files are listed as well; then the first one that is verified.
fn list_or_verify(job: &mut Locals) -> Chain {
    if job.to_list.is_empty() {
        next_snapshot(job)
    } else {
        Chain::Step(Step::ListSnapshot)
    }
}

/// The next lock of a namespace, then that of the snapshot.
fn lock_next(scope: &Scope, state: &State, me: id::Actor) -> Chain {
    if namespaces::next(scope, state, me).is_some() {
        Chain::Step(Step::LockNamespace)
    } else {
        Chain::Step(Step::LockSnapshot)
    }
}

/// The current snapshot is done or skipped: what is still locked of its namespaces is let go before the next one.
fn leave_snapshot(state: &State, me: id::Actor, job: &mut Locals) -> Chain {
    let then = next_snapshot(job);
    if state.actor(me).reach.has_any() {
        Chain::Step(Step::UnlockNamespace)
    } else {
        then
    }
}

/// The current snapshot is done; the next one is looked for, newest first.
fn next_snapshot(job: &mut Locals) -> Chain {
    job.any_failed |= job.failed;
    job.failed = 0;
    job.snapshot = 0;
    if job.snapshots.is_empty() {
        Chain::End
    } else {
        Chain::Step(Step::CheckSnapshot)
    }
}

fn next_file(job: &Locals) -> Chain {
    if job.files.is_empty() {
        Chain::Step(Step::LockManifest)
    } else {
        Chain::Step(Step::OpenIndex)
    }
}

fn next_chunk(job: &Locals) -> Chain {
    if job.chunks.is_empty() {
        next_file(job)
    } else {
        Chain::Step(Step::ReadChunk)
    }
}
