//! Where a backup session is: what it keeps between its steps, and what follows each of them.

use super::{next, next_of_removal};
use crate::locks;
use crate::ops::forget_snapshot::Removal;
use crate::scope::Scope;
use crate::state::{End, Fixed, Hold, Manifest, Next, Set, State};
use specs::Design;
use specs::design::Change;
use specs::id::{self, Namespace};
use specs::ops::backup::Step;
use specs::ops::forget_snapshot;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a session keeps between its steps. The locks of the removal are those of the session.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Locals {
    /// The new snapshot, its lock, that of its manifest and that of the group.
    pub(super) session: Removal,
    /// The lock of the previous snapshot.
    pub(super) previous_lock: Hold,
    /// One more than the previous snapshot; 0 if there is none.
    pub(super) previous: u8,
    /// Listed snapshots whose files are still to be listed.
    pub(super) to_list: Set,
    /// Listed snapshots whose manifest is still to be read.
    pub(super) to_read: Set,
    /// Index files of the previous snapshot that are still to be read.
    pub(super) to_open: Set,
    /// Index files of the new snapshot that are still to be closed, the current one among them.
    pub(super) to_write: Set,
    /// Chunks of the current index file that are still to be inserted.
    pub(super) to_insert: Set,
    /// Chunks that are known.
    pub(super) known: Set,
    /// What was read of the manifest under its lock.
    pub(super) read: Manifest,
    /// What has happened, see the constants.
    pub(super) marks: Set,
    /// Whether the cutoff has passed since the process lock was shared.
    pub(super) old: u8,
    /// 1 from the writing of the manifest on, as long as it matters to a removal.
    pub(super) wrote_manifest: u8,
}

/// The session created the group.
pub(super) const NEW_GROUP: u8 = 0;
/// The session created the snapshot.
pub(super) const NEW_SNAPSHOT: u8 = 1;
/// The session has shared the process lock at least once.
pub(super) const SHARED_STORE: u8 = 2;
/// The session has looked whether the previous snapshot is there, and let it go.
pub(super) const LEFT_PREVIOUS: u8 = 3;
/// The first chunk was inserted.
pub(super) const INSERTED: u8 = 4;
/// An index file of the previous snapshot was read, so that its chunks are relied on.
pub(super) const FOUND_PREVIOUS: u8 = 5;
/// The group has no directory yet that it could lock, so that is created first.
pub(super) const CREATES_FIRST: u8 = 6;

/// The session has written an owner file.
pub(super) const WROTE_OWNER: u8 = 7;

/// Where the flag of a session that began before the cutoff passed lies among the locals.
pub(super) const OLD: usize = std::mem::offset_of!(Locals, old);

/// What follows a step.
#[derive(Clone, Copy)]
pub(super) enum Chain {
    /// The step of that label.
    Step(Step),
    /// A step of the removal.
    Remove(forget_snapshot::Step),
    /// The session fails.
    Fail(End),
    /// The session has ended.
    End,
}

/// What comes before the group is created: the root namespace need not be looked for.
pub(super) fn check_or_create(namespace: Namespace) -> Step {
    if namespace.0 == 0 {
        Step::CreateGroup
    } else {
        Step::CheckNamespace
    }
}

/// A new group gets its owner file first.
pub(super) fn owner(session: &Locals) -> Chain {
    if session.marks.has(NEW_GROUP) {
        Chain::Step(Step::WriteOwner)
    } else {
        Chain::Step(Step::ReadOwner)
    }
}

/// Whether the snapshot is locked before it is created. Only a directory that is there can be locked.
pub(super) fn locks_snapshot_first(design: Design, session: &Locals) -> bool {
    design.locks_before_it_creates() && !session.session.group.is_old()
}

/// The next snapshot to list, the next manifest to read, or, once the previous snapshot is known, the new one.
pub(super) fn read_or_create(design: Design, session: &Locals) -> Chain {
    if !session.to_list.is_empty() {
        Chain::Step(Step::ListSnapshot)
    } else if !session.to_read.is_empty() {
        Chain::Step(Step::ReadPreviousManifest)
    } else if locks_snapshot_first(design, session) {
        Chain::Step(Step::LockSnapshot)
    } else {
        Chain::Step(Step::CreateSnapshot)
    }
}

/// The process lock, where the design takes it for the whole session.
pub(super) fn share_or_read(scope: &Scope, session: &mut Locals) -> Chain {
    let later = scope.design.has(Change::StoreLockAfterFirstChunk);
    if later || scope.design.shares_store_lock_per_index() {
        read_or_write(scope, session)
    } else {
        Chain::Step(Step::LockStore)
    }
}

/// The index files of the previous snapshot, then those of the new one.
pub(super) fn read_or_write(scope: &Scope, session: &mut Locals) -> Chain {
    session.to_write = scope.indexes_of[usize::from(session.session.snapshot)];
    if let Some(previous) = session.previous.checked_sub(1) {
        session.to_open = scope.indexes_of[usize::from(previous)];
    }
    if session.to_open.is_empty() {
        write_or_finish(scope, session)
    } else {
        Chain::Step(Step::OpenPrevious)
    }
}

/// The next index file, or the manifest.
pub(super) fn write_or_finish(scope: &Scope, session: &Locals) -> Chain {
    if session.to_write.is_empty() {
        let unshared =
            scope.design.has(Change::StoreLockAfterFirstChunk) && !session.marks.has(SHARED_STORE);
        if unshared {
            Chain::Step(Step::LockStore)
        } else {
            Chain::Step(Step::WriteManifest)
        }
    } else if scope.design.shares_store_lock_per_index() {
        Chain::Step(Step::LockStore)
    } else {
        Chain::Step(Step::CreateIndex)
    }
}

/// The next chunk of the current index file, or its end.
pub(super) fn insert_or_close(design: Design, session: &Locals) -> Chain {
    if !session.to_insert.is_empty() {
        return Chain::Step(Step::InsertChunk);
    }
    if session.to_write.is_empty() {
        return Chain::Step(Step::WriteManifest);
    }
    let last = session.to_write.0.count_ones() == 1;
    let early = design.has(Change::PreviousUnlockedEarly)
        && session.previous != 0
        && !session.marks.has(LEFT_PREVIOUS);
    if last && early {
        check_or_leave_previous(design)
    } else {
        Chain::Step(Step::CloseIndex)
    }
}

/// After the manifest: the previous snapshot is looked at and let go, if that has not happened yet.
pub(super) fn leave_previous(design: Design, session: &Locals) -> Chain {
    if session.previous == 0 || session.marks.has(LEFT_PREVIOUS) {
        leave_store(design)
    } else {
        check_or_leave_previous(design)
    }
}

/// The previous snapshot is looked at, in a design that does, and let go.
fn check_or_leave_previous(design: Design) -> Chain {
    if design.has(Change::PreviousNotChecked) {
        Chain::Step(Step::UnlockPrevious)
    } else {
        Chain::Step(Step::CheckPrevious)
    }
}

pub(super) fn leave_store(design: Design) -> Chain {
    if design.shares_store_lock_per_index() {
        Chain::Step(Step::LockManifest)
    } else {
        Chain::Step(Step::UnlockStore)
    }
}

/// The next lock of a namespace to let go, or the end.
pub(super) fn leave_namespaces(state: &State, me: id::Actor) -> Chain {
    if state.actor(me).reach.has_any() {
        Chain::Step(Step::UnlockNamespace)
    } else {
        Chain::End
    }
}

/// Lets the shared process lock go, if the session has it.
pub(super) fn leave_process_lock(scope: &Scope, state: &mut State, me: id::Actor) {
    let actor = state.actor_mut(me);
    let shared = actor.held.is_relied_on(Fixed::STORE_SHARED);
    actor.held = actor.held.without(Fixed::STORE_SHARED);
    if shared && scope.design.has(Change::TwoProcessLocks) {
        locks::lose_store(scope, state, me);
    }
}

/// Stores what follows. A session that fails removes what it created and has locked; a group that is locked by its
/// directory stays.
pub(super) fn go_on(
    scope: &Scope,
    state: &mut State,
    me: id::Actor,
    mut session: Locals,
    then: Chain,
) {
    let actor = state.actor_mut(me);
    match then {
        Chain::Step(step) => actor.next = next(step),
        Chain::Remove(step) => actor.next = next_of_removal(step),
        Chain::Fail(end) => {
            actor.end = end;
            let refused_too = scope.design.cleans_up_after_a_refused_backup();
            let begun = session.marks.has(SHARED_STORE);
            let locks = scope.design.locks_manifest_of_a_failed_backup()
                && session.session.manifest == Hold::NONE;
            let is_ours = session.marks.has(NEW_SNAPSHOT) && session.session.lock != Hold::NONE;
            let group = session.session.group;
            let removes = is_ours && (refused_too || begun);
            if !(removes && locks) {
                session.wrote_manifest = 0;
            }
            actor.next = if removes {
                next_of_removal(if locks {
                    forget_snapshot::Step::LockManifest
                } else {
                    forget_snapshot::Step::ListSnapshot
                })
            } else if refused_too && group != Hold::NONE && !group.is_old() {
                next_of_removal(forget_snapshot::Step::ListGroup)
            } else {
                next(Step::ReleaseAll)
            };
        }
        Chain::End => {
            if actor.end == End::NONE {
                actor.end = End::DONE;
            }
            session = zerocopy::transmute!([0u8; crate::state::LOCALS]);
            actor.next = Next::FINISHED;
        }
    }
    actor.locals = zerocopy::transmute!(session);
}
