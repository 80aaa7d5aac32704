//! `backup`: one backup session.
//!
//! A session that fails removes what it created with the steps of `forget_snapshot`, which follow those of
//! backup in the numbering of what an actor does next.

mod asked;
mod place;

pub(crate) use asked::{grow_old, has_grown_old, is_at_work, leaves_remains, relies_on};

use super::forget_snapshot::{Locks, Then};
use super::not_locked;
use crate::directories;
use crate::locks::generations::{self, Choice};
use crate::locks::{self, Name, calls, namespaces};
use crate::refusal::{Refusal, accept, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Manifest, Next, Owner, Part, Set, State};
use place::{
    CREATES_FIRST, Chain, FOUND_PREVIOUS, INSERTED, LEFT_PREVIOUS, Locals, NEW_GROUP, NEW_SNAPSHOT,
    SHARED_STORE, WROTE_OWNER, check_or_create, go_on, insert_or_close, leave_namespaces,
    leave_previous, leave_process_lock, leave_store, locks_snapshot_first, owner, read_or_create,
    read_or_write, share_or_read, write_or_finish,
};
use specs::design::Change;
use specs::id::{self, Chunk, Group, Id, Index, Namespace, Snapshot};
use specs::ops::backup::{Step, TABLE};
use specs::ops::forget_snapshot;
use specs::scenario::Task;
use specs::{Label, Outcome, ToLabel as _};

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

const fn next_of_removal(step: forget_snapshot::Step) -> Next {
    Next::row(TABLE.len() + step as usize)
}

/// Whether the group is locked before it is created. Only a directory that is there can be locked; a process that has
/// to look for the flag file does so with the lock.
fn locks_group_first(scope: &Scope, me: id::Actor) -> bool {
    scope.design.locks_before_it_creates() && scope.choice_of(me) != Choice::Directories
}

/// The first step of a session.
fn first(scope: &Scope, me: id::Actor, snapshot: Snapshot) -> Step {
    if locks_group_first(scope, me) {
        Step::LockGroup
    } else {
        check_or_create(namespace_of(scope, snapshot))
    }
}

pub(crate) fn begin(scope: &Scope, me: id::Actor, snapshot: Snapshot, actor: &mut Actor) {
    actor.locals[0] = snapshot.0;
    actor.next = next(first(scope, me, snapshot));
}

fn task(scope: &Scope, me: id::Actor) -> Option<Snapshot> {
    if let Task::Backup { snapshot } = scope.task_of(me) {
        Some(snapshot)
    } else {
        None
    }
}

/// Where a snapshot is backed up to.
fn namespace_of(scope: &Scope, snapshot: Snapshot) -> Namespace {
    Namespace(scope.backup_to[usize::from(snapshot.0)])
}

pub(crate) fn visit_holds(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    snapshot: Snapshot,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let session: Locals = zerocopy::transmute!(state.actor(me).locals);
    let namespace = namespace_of(scope, snapshot);
    session.session.visit_holds(scope, me, namespace, visit);
    if session.previous_lock != Hold::NONE {
        visit(
            me,
            Name::Snapshot(namespace.0, session.previous - 1),
            session.previous_lock,
        );
    }
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let Some(snapshot) = task(scope, me) else {
        return;
    };
    let namespace = namespace_of(scope, snapshot);
    let session: Locals = zerocopy::transmute!(state.actor(me).locals);
    let kind = match super::step_of(specs::Op::Backup, state.actor(me).next) {
        Some(specs::Step::Backup(kind)) => kind,
        Some(specs::Step::ForgetSnapshot(kind)) => {
            session.session.offers(scope, namespace, kind, offer);
            return;
        }
        _ => return,
    };
    let index = |set: Set| set.lowest().map(|i| Id::Index(namespace, Index(i)));
    let previous = session.previous.checked_sub(1);
    let group = Group(scope.group_of[usize::from(snapshot.0)]);
    let place = |lock: namespaces::NamespaceLock| Id::Namespace(lock.namespace);
    let argument = match kind {
        Step::CheckNamespace => Some(Id::Namespace(namespace)),
        Step::LockNamespace => namespaces::next(scope, state, me).map(place),
        Step::UnlockNamespace => namespaces::oldest(scope, state, me).map(place),
        Step::LockGroup
        | Step::CreateGroup
        | Step::RemoveNewGroup
        | Step::WriteOwner
        | Step::ReadOwner
        | Step::ListOwnerlessGroup
        | Step::ListGroup
        | Step::UnlockGroup => Some(Id::Group(namespace, group)),
        Step::ListSnapshot => session
            .to_list
            .highest()
            .map(|s| Id::Snapshot(namespace, Snapshot(s))),
        Step::ReadPreviousManifest => session
            .to_read
            .highest()
            .map(|s| Id::Snapshot(namespace, Snapshot(s))),
        Step::LockPrevious
        | Step::RecheckPrevious
        | Step::DropPrevious
        | Step::CheckPrevious
        | Step::UnlockPrevious => previous.map(|s| Id::Snapshot(namespace, Snapshot(s))),
        Step::OpenPrevious => index(session.to_open),
        Step::CreateIndex | Step::CloseIndex => index(session.to_write),
        Step::InsertChunk => session.to_insert.lowest().map(|c| Id::Chunk(Chunk(c))),
        Step::LockSnapshot
        | Step::CreateSnapshot
        | Step::LockStore
        | Step::WriteManifest
        | Step::UnlockStore
        | Step::LockManifest
        | Step::LoadManifest
        | Step::UpdateManifest
        | Step::UnlockManifest
        | Step::UnlockSnapshot
        | Step::ReleaseAll => Some(Id::Snapshot(namespace, snapshot)),
    };
    if let Some(argument) = argument {
        offer(kind.of(argument));
    }
}

pub(crate) fn step(
    scope: &Scope,
    before: &State,
    me: id::Actor,
    label: Label<Id>,
    outcome: Outcome,
) -> Result<State, Refusal> {
    let snapshot = task(scope, me).ok_or(Refusal::NotNext)?;
    let namespace = namespace_of(scope, snapshot);
    let wanted = super::step_of(specs::Op::Backup, before.actor(me).next);
    if wanted != Some(label.step) {
        return Err(Refusal::NotNext);
    }
    let mut state = *before;
    let mut session: Locals = zerocopy::transmute!(before.actor(me).locals);
    let then = if let specs::Step::Backup(step) = label.step {
        let step = (step, label.of, outcome);
        own_step(scope, &mut state, me, namespace, &mut session, step)?
    } else if let specs::Step::ForgetSnapshot(step) = label.step {
        let removal = &mut session.session;
        let locks = Locks::OfSession {
            wrote_manifest: session.wrote_manifest == 1,
        };
        let followed = removal.step(
            scope,
            &mut state,
            me,
            namespace,
            locks,
            (step, label.of, outcome),
        )?;
        if step == forget_snapshot::Step::RemoveGroup && outcome == Outcome::Done {
            session.marks = session.marks.without(NEW_GROUP);
        }
        if step == forget_snapshot::Step::LockManifest {
            session.wrote_manifest = 0;
        }
        match followed {
            Then::Step(step) => Chain::Remove(step),
            Then::Fail(_) | Then::End => Chain::Step(Step::ReleaseAll),
        }
    } else {
        return Err(Refusal::NotNext);
    };
    go_on(scope, &mut state, me, session, then);
    Ok(state)
}

/// Guard and effect of each step of the session itself.
fn own_step(
    scope: &Scope,
    state: &mut State,
    me: id::Actor,
    Namespace(n): Namespace,
    session: &mut Locals,
    (step, of, outcome): (Step, Option<Id>, Outcome),
) -> Result<Chain, Refusal> {
    let design = scope.design;
    let snapshot = session.session.snapshot;
    let s = usize::from(snapshot);
    let group = scope.group_of[s];
    let g = usize::from(group);
    Ok(match (step, of) {
        (Step::CheckNamespace, _) => {
            find(state.namespaces.has(n), outcome)?;
            if outcome == Outcome::NotFound {
                Chain::Fail(End::NO_NAMESPACE)
            } else if namespaces::next(scope, state, me).is_some() {
                Chain::Step(Step::LockNamespace)
            } else {
                Chain::Step(Step::CreateGroup)
            }
        }
        (Step::LockNamespace, _) => {
            namespaces::take(scope, state, me, outcome)?;
            if outcome != Outcome::Done {
                Chain::Fail(End::BUSY)
            } else if namespaces::next(scope, state, me).is_some() {
                Chain::Step(Step::LockNamespace)
            } else {
                Chain::Step(Step::CreateGroup)
            }
        }
        (Step::LockGroup, _) => {
            let name = Name::Group(n, group);
            session.session.group = locks::take(scope, state, me, name, step, outcome)?;
            let creates = locks_group_first(scope, me) && !session.marks.has(CREATES_FIRST);
            let removes = !creates
                && session.marks.has(NEW_GROUP)
                && !generations::locks_directories(scope, state, me);
            match (outcome == Outcome::Done, removes) {
                (false, _) if creates && outcome == Outcome::NotFound => {
                    // It has just found out that it locks directories.
                    session.marks = session.marks.with(CREATES_FIRST);
                    Chain::Step(check_or_create(Namespace(n)))
                }
                (true, _) if creates => Chain::Step(check_or_create(Namespace(n))),
                (true, _) => owner(session),
                (false, true) => {
                    state.actor_mut(me).end = not_locked(outcome);
                    Chain::Step(Step::RemoveNewGroup)
                }
                (false, false) => Chain::Fail(new_not_locked(outcome)),
            }
        }
        (Step::CreateGroup, _) => {
            directories::create_group(scope, state, (n, group), outcome)?;
            if outcome == Outcome::Done {
                session.marks = session.marks.with(NEW_GROUP);
            }
            if outcome == Outcome::NotFound {
                Chain::Fail(End::NO_NAMESPACE)
            } else if locks_group_first(scope, me) && !session.marks.has(CREATES_FIRST) {
                owner(session)
            } else {
                Chain::Step(Step::LockGroup)
            }
        }
        (Step::RemoveNewGroup, _) => {
            let empty = scope.snapshots_at(state, n, group).is_empty() && !state.owners[g].has(n);
            match (state.groups[g].has(n), empty, outcome) {
                (true, true, Outcome::Done) => directories::remove_group(state, (n, group)),
                (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {}
                (there, ..) => return Err(Refusal::found(there)),
            }
            session.marks = session.marks.without(NEW_GROUP);
            Chain::Step(Step::ReleaseAll)
        }
        (Step::WriteOwner, _) => match (state.groups[g].has(n), state.owners[g].has(n), outcome) {
            (true, false, Outcome::Done) => {
                state.owners[g] = state.owners[g].with(n, Owner::FIRST);
                session.marks = session.marks.with(WROTE_OWNER);
                Chain::Step(Step::ReadOwner)
            }
            (true, true, Outcome::Exists) => Chain::Fail(End::REFUSED),
            (false, _, Outcome::NotFound) => Chain::Fail(End::VANISHED),
            (group, file, _) => return Err(Refusal::found(group && file)),
        },
        (Step::ReadOwner, _) => {
            let owner = state.owners[g].at(n);
            accept(owner.is_some(), owner == Some(Owner::FIRST), outcome)?;
            let adopts = design.adopts_an_ownerless_group() && !session.marks.has(WROTE_OWNER);
            if outcome == Outcome::NotFound && adopts {
                Chain::Step(Step::ListOwnerlessGroup)
            } else if outcome == Outcome::NotFound {
                Chain::Fail(End::VANISHED)
            } else if outcome == Outcome::Refused && owner != Some(Owner::NOBODY) {
                Chain::Fail(End::NOT_OWNER)
            } else if outcome == Outcome::Refused {
                Chain::Fail(End::REFUSED)
            } else {
                Chain::Step(Step::ListGroup)
            }
        }
        (Step::ListOwnerlessGroup, _) => {
            let empty = scope.snapshots_at(state, n, group).is_empty();
            match (state.groups[g].has(n), empty, outcome) {
                (true, true, Outcome::Done) => Chain::Step(Step::WriteOwner),
                (true, false, Outcome::NotEmpty) => Chain::Fail(End::REFUSED),
                (false, _, Outcome::NotFound) => Chain::Fail(End::VANISHED),
                (there, ..) => return Err(Refusal::found(there)),
            }
        }
        (Step::ListGroup, _) => {
            find(state.groups[g].has(n), outcome)?;
            if outcome == Outcome::NotFound {
                Chain::Fail(End::VANISHED)
            } else {
                let listed = scope.snapshots_at(state, n, group);
                if design.skips_a_vanished_snapshot() {
                    session.to_read = listed;
                } else {
                    session.to_list = listed;
                }
                read_or_create(design, session)
            }
        }
        (Step::ListSnapshot, Some(Id::Snapshot(_, Snapshot(p)))) => {
            let there = state.snapshots[usize::from(p)].has(n);
            find(there, outcome)?;
            session.to_list = session.to_list.without(p);
            if !there {
                // Whatever was found: without the whole list there is no previous snapshot.
                session.to_list = Set::default();
                session.to_read = Set::default();
            } else if session.to_read.is_empty() && state.manifests[usize::from(p)].is_there() {
                session.to_read = Set::only(p);
            }
            read_or_create(design, session)
        }
        (Step::ReadPreviousManifest, Some(Id::Snapshot(_, Snapshot(p)))) => {
            let manifest = state.manifests[usize::from(p)];
            let there = state.snapshots[usize::from(p)].has(n) && manifest.is_there();
            // Numbers are in the order of times.
            accept(there, p < snapshot, outcome)?;
            session.to_read = session.to_read.without(p);
            if !there && !design.skips_a_vanished_snapshot() {
                Chain::Fail(End::VANISHED)
            } else if !there {
                read_or_create(design, session)
            } else if outcome == Outcome::Refused {
                Chain::Fail(End::NOT_LATER)
            } else if manifest.has_failed() {
                session.to_read = Set::default();
                read_or_create(design, session)
            } else {
                session.to_read = Set::default();
                session.previous = p + 1;
                Chain::Step(Step::LockPrevious)
            }
        }
        (Step::LockPrevious, _) => {
            let name = Name::Snapshot(n, session.previous - 1);
            session.previous_lock = locks::take(scope, state, me, name, step, outcome)?;
            if outcome == Outcome::NotFound && design.rechecks_after_locking() {
                // The lock is that of the directory, which is gone.
                session.previous = 0;
                read_or_create(design, session)
            } else if outcome != Outcome::Done {
                Chain::Fail(not_locked(outcome))
            } else if design.rechecks_after_locking() {
                Chain::Step(Step::RecheckPrevious)
            } else {
                read_or_create(design, session)
            }
        }
        (Step::RecheckPrevious, _) => {
            find(
                state.snapshots[usize::from(session.previous - 1)].has(n),
                outcome,
            )?;
            if outcome == Outcome::NotFound {
                Chain::Step(Step::DropPrevious)
            } else {
                read_or_create(design, session)
            }
        }
        (Step::DropPrevious, _) => {
            session.previous_lock = Hold::NONE;
            session.previous = 0;
            read_or_create(design, session)
        }
        (Step::LockSnapshot, _) => {
            let name = Name::Snapshot(n, snapshot);
            session.session.lock = locks::take(scope, state, me, name, step, outcome)?;
            if outcome != Outcome::Done {
                Chain::Fail(new_not_locked(outcome))
            } else if locks_snapshot_first(design, session) {
                Chain::Step(Step::CreateSnapshot)
            } else {
                share_or_read(scope, session)
            }
        }
        (Step::CreateSnapshot, _) => {
            match (
                state.groups[g].has(n),
                state.snapshots[s].is_empty(),
                outcome,
            ) {
                (true, true, Outcome::NoSpace(_)) if !locks_snapshot_first(design, session) => {
                    // The directory is removed at once: a session that has no lock on it removes nothing later.
                    let name = Name::Manifest(n, snapshot).of_hold(session.session.group);
                    if !design.makes_lock_of_manifest_first() {
                        return Err(Refusal::NotInDesign(outcome));
                    }
                    calls::find_no_inode(state, name)?;
                    return Ok(Chain::Fail(End::NO_SPACE));
                }
                (true, true, Outcome::Done | Outcome::NoSpace(_)) => {
                    directories::create_snapshot(scope, state, (n, snapshot));
                    session.marks = session.marks.with(NEW_SNAPSHOT);
                    let name = Name::Manifest(n, snapshot).of_hold(session.session.group);
                    match (design.makes_lock_of_manifest_first(), outcome) {
                        (true, Outcome::Done) => drop(locks::open(scope, state, name)),
                        (false, Outcome::Done) => {}
                        (true, _) => {
                            calls::find_no_inode(state, name)?;
                            return Ok(Chain::Fail(End::NO_SPACE));
                        }
                        (false, _) => return Err(Refusal::NotInDesign(outcome)),
                    }
                }
                (true, false, Outcome::Exists) => return Ok(Chain::Fail(End::REFUSED)),
                (false, _, Outcome::NotFound) => return Ok(Chain::Fail(End::VANISHED)),
                (group, empty, _) => return Err(Refusal::found(group && !empty)),
            }
            if locks_snapshot_first(design, session) {
                share_or_read(scope, session)
            } else {
                Chain::Step(Step::LockSnapshot)
            }
        }
        (Step::LockStore, _) => {
            locks::share_store(scope, state, me, step, outcome)?;
            let again = session.marks.has(SHARED_STORE);
            if outcome == Outcome::Done {
                session.marks = session.marks.with(SHARED_STORE);
            }
            session.old = 0;
            if outcome == Outcome::WouldBlock {
                // What was begun without the lock, or with an earlier one, is cut off.
                let late = again || session.marks.has(INSERTED);
                Chain::Fail(if late { End::CUT_OFF } else { End::BUSY })
            } else if design.shares_store_lock_per_index() {
                Chain::Step(Step::CreateIndex)
            } else if design.has(Change::StoreLockAfterFirstChunk) {
                insert_or_close(design, session)
            } else {
                read_or_write(scope, session)
            }
        }
        (Step::OpenPrevious, Some(Id::Index(_, Index(i)))) => {
            let there = scope.index_is_at(state, n, i);
            find(there, outcome)?;
            session.to_open = session.to_open.without(i);
            if there {
                session.marks = session.marks.with(FOUND_PREVIOUS);
                session.known = session.known.or(scope.chunks_of[usize::from(i)]);
            }
            if session.to_open.is_empty() {
                write_or_finish(scope, session)
            } else {
                Chain::Step(Step::OpenPrevious)
            }
        }
        // Whoever removes the snapshot before it is locked takes the directory of all that follows away.
        (Step::CreateIndex | Step::CloseIndex | Step::WriteManifest, _)
            if !state.snapshots[s].has(n) =>
        {
            find(false, outcome)?;
            // A write that fails may have got as far as the rename, for all that its caller knows.
            if step == Step::WriteManifest {
                session.wrote_manifest = 1;
            }
            Chain::Fail(End::VANISHED)
        }
        (Step::CreateIndex, Some(Id::Index(_, Index(i)))) => {
            find(true, outcome)?;
            state.temporaries = state.temporaries.with(i);
            session.to_insert = scope.chunks_of[usize::from(i)].minus(session.known);
            insert_or_close(design, session)
        }
        (Step::InsertChunk, Some(Id::Chunk(Chunk(c)))) => {
            let chunk = state.chunks[usize::from(c)];
            if outcome == Outcome::Stopped {
                state.disconnects = state.disconnects.checked_sub(1).ok_or(Refusal::Exhausted)?;
                return Ok(Chain::Fail(End::STOPPED));
            }
            match (chunk.is_there(), outcome) {
                (false, Outcome::Done) => state.chunks[usize::from(c)] = chunk.written(),
                (true, Outcome::Exists) => state.chunks[usize::from(c)] = chunk.touched(),
                (there, _) => return Err(Refusal::found(there)),
            }
            session.to_insert = session.to_insert.without(c);
            session.known = session.known.with(c);
            let first = !session.marks.has(INSERTED);
            session.marks = session.marks.with(INSERTED);
            if first && design.has(Change::StoreLockAfterFirstChunk) {
                Chain::Step(Step::LockStore)
            } else {
                insert_or_close(design, session)
            }
        }
        (Step::CloseIndex, Some(Id::Index(_, Index(i)))) => {
            find(state.temporaries.has(i), outcome)?;
            if outcome == Outcome::NotFound {
                return Ok(Chain::Fail(End::VANISHED));
            }
            state.temporaries = state.temporaries.without(i);
            state.indexes = state.indexes.with(i);
            session.to_write = session.to_write.without(i);
            if design.shares_store_lock_per_index() {
                Chain::Step(Step::UnlockStore)
            } else {
                write_or_finish(scope, session)
            }
        }
        (Step::WriteManifest, _) => {
            find(true, outcome)?;
            state.manifests[s] = Manifest::PLAIN;
            session.wrote_manifest = 1;
            leave_previous(design, session)
        }
        (Step::CheckPrevious, _) => {
            find(
                state.snapshots[usize::from(session.previous - 1)].has(n),
                outcome,
            )?;
            if outcome == Outcome::NotFound {
                Chain::Fail(End::VANISHED)
            } else {
                Chain::Step(Step::UnlockPrevious)
            }
        }
        (Step::UnlockPrevious, _) => {
            session.previous_lock = Hold::NONE;
            session.marks = session.marks.with(LEFT_PREVIOUS);
            if session.to_write.is_empty() {
                leave_store(design)
            } else {
                Chain::Step(Step::CloseIndex)
            }
        }
        (Step::UnlockStore, _) => {
            leave_process_lock(scope, state, me);
            session.old = 0;
            if design.shares_store_lock_per_index() {
                write_or_finish(scope, session)
            } else {
                Chain::Step(Step::LockManifest)
            }
        }
        (Step::LockManifest, _) => {
            let name = Name::Manifest(n, snapshot);
            session.session.manifest = locks::take(scope, state, me, name, step, outcome)?;
            if outcome == Outcome::Done {
                Chain::Step(Step::LoadManifest)
            } else {
                Chain::Fail(not_locked(outcome))
            }
        }
        (Step::LoadManifest, _) => {
            find(
                state.snapshots[s].has(n) && state.manifests[s].is_there(),
                outcome,
            )?;
            session.read = state.manifests[s].contents();
            if outcome == Outcome::Done {
                Chain::Step(Step::UpdateManifest)
            } else {
                Chain::Fail(End::VANISHED)
            }
        }
        (Step::UpdateManifest, _) => {
            find(state.snapshots[s].has(n), outcome)?;
            if outcome == Outcome::Done {
                let read = session.read;
                state.manifests[s] = state.manifests[s].rewritten(read, Part::STATISTICS, false);
                Chain::Step(Step::UnlockManifest)
            } else {
                Chain::Fail(End::VANISHED)
            }
        }
        (Step::UnlockManifest, _) => {
            session.session.manifest = Hold::NONE;
            session.read = Manifest::NONE;
            session.wrote_manifest = 0;
            Chain::Step(Step::UnlockSnapshot)
        }
        (Step::UnlockSnapshot, _) => {
            session.session.lock = Hold::NONE;
            Chain::Step(Step::UnlockGroup)
        }
        (Step::UnlockGroup, _) => {
            session.session.group = Hold::NONE;
            leave_namespaces(state, me)
        }
        (Step::UnlockNamespace, _) => {
            namespaces::release(state, me);
            leave_namespaces(state, me)
        }
        (Step::ReleaseAll, _) => {
            leave_process_lock(scope, state, me);
            namespaces::release_all(state, me);
            Chain::End
        }
        (
            Step::ListSnapshot
            | Step::ReadPreviousManifest
            | Step::OpenPrevious
            | Step::CreateIndex
            | Step::InsertChunk
            | Step::CloseIndex,
            _,
        ) => return Err(Refusal::NotNext),
    })
}

/// How a session ends that does not get the lock of what it creates; a directory it has created when it tries its lock.
fn new_not_locked(outcome: Outcome) -> End {
    if outcome == Outcome::NotFound {
        End::NEW_GONE
    } else {
        not_locked(outcome)
    }
}
