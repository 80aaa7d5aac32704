//! Where a move is: what it keeps between its steps, what follows each of them, and how a snapshot appears at its target.

use crate::directories;
use crate::journal::{self, At, Kind};
use crate::locks::generations::{number_directory, renumber_directory};
use crate::locks::namespaces::NamespaceLock;
use crate::locks::{self, Name};
use crate::ops::{gc, set_owner};
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Owner, SNAPSHOTS, Set, State};
use specs::design::Change;
use specs::id::{Group, Id, Namespace};
use specs::ops::move_group::Step;
use specs::{Cut, Design, Outcome};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a move keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Locals {
    /// The lock of the source group.
    pub(super) source: Hold,
    /// The lock of the target group.
    pub(super) target: Hold,
    /// The locks of the snapshots at the source.
    pub(super) snapshots: [Hold; SNAPSHOTS],
    /// The lock of the manifest of one snapshot at the source.
    pub(super) manifest: Hold,
    /// Which snapshot that is.
    pub(super) manifest_of: u8,
    /// Snapshots that are not in a batch yet.
    pub(super) left: Set,
    /// Snapshots of the batch whose lock is still to be taken.
    pub(super) to_lock: Set,
    /// Snapshots of the batch that are still to be moved.
    pub(super) to_move: Set,
    /// Snapshots of the batch whose lock is still to be let go.
    pub(super) to_unlock: Set,
    /// Whether this move created the target group.
    pub(super) created: u8,
    /// The snapshots that it has renamed.
    pub(super) renamed: Set,
    /// The owner that was read at the source.
    pub(super) owner: Owner,
    /// Listed index files of the current snapshot, which are announced.
    pub(super) listed: Set,
    /// The owner that was read at the target.
    pub(super) target_owner: Owner,
    /// So that all operations keep as many bytes.
    pub(super) rest: [u8; 3],
}

impl Locals {
    pub(super) fn of(actor: &Actor) -> Self {
        zerocopy::transmute!(actor.locals)
    }
}

/// What follows a step.
#[derive(Clone, Copy)]
pub(super) enum Chain {
    /// The step of that label.
    Step(Step),
    /// The step that takes that lock of a namespace.
    Lock(NamespaceLock),
    /// The step that lets that one go.
    Unlock(NamespaceLock),
    /// The move fails.
    Fail(End),
    /// The move has ended.
    End(End),
}

/// The snapshot of a set that is next.
pub(super) fn in_order(scope: &Scope, snapshots: Set) -> Option<u8> {
    if scope.design.has(Change::NewestMovesFirst) {
        snapshots.highest()
    } else {
        snapshots.lowest()
    }
}

/// The first step of a snapshot whose lock is held.
pub(super) fn first_of_a_snapshot(design: Design) -> Chain {
    if design.moves_under_manifest_lock() {
        Chain::Step(Step::LockManifest)
    } else {
        Chain::Step(Step::ListSnapshot)
    }
}

/// What follows the rename of a snapshot.
pub(super) fn after_rename(design: Design) -> Chain {
    if design.has(Change::CopyThenRemove) {
        Chain::Step(Step::RemoveSnapshot)
    } else {
        Chain::Step(Step::UnlinkManifestLock)
    }
}

/// The next batch of snapshot locks, oldest first, or the end of the group.
pub(super) fn next_batch(scope: &Scope, mv: &mut Locals) -> Chain {
    let mut batch = Set::default();
    for _ in 0..scope.scenario.limits.snapshot_locks {
        match in_order(scope, mv.left.minus(batch)) {
            Some(s) => batch = batch.with(s),
            None => break,
        }
    }
    mv.left = mv.left.minus(batch);
    mv.to_lock = batch;
    mv.to_move = batch;
    mv.to_unlock = batch;
    if batch.is_empty() {
        Chain::Step(Step::MoveNotes)
    } else {
        Chain::Step(Step::LockSnapshot)
    }
}

/// Whether the current snapshot has anything to announce, in a design that announces.
pub(super) fn is_journalled(scope: &Scope, mv: &Locals) -> bool {
    scope.design.has_journal() && !mv.listed.is_empty()
}

/// Appends to the journal what is announced, or as much of it as was written.
pub(super) fn append(
    scope: &Scope,
    state: &mut State,
    (of, listed): (Option<Id>, Set),
    source: Namespace,
    target: Namespace,
    cut: Option<Cut>,
) {
    let records_source = scope.design.has(Change::RecordSourcePath);
    let namespace = if records_source { source.0 } else { target.0 };
    if let Some(Id::Snapshot(..)) = of {
        journal::append_all(
            state,
            listed.iter().map(|index| At { index, namespace }),
            cut,
        );
    } else if let (Some(Id::Group(_, g)), None) = (of, cut) {
        journal::append(
            state,
            Kind::Directory {
                namespace,
                group: g.0,
            },
        );
    }
}

/// The directory of a snapshot is renamed; a design that copies it leaves the old one.
pub(super) fn rename_snapshot(
    scope: &Scope,
    state: &mut State,
    snapshot: u8,
    (from, to): (u8, u8),
) {
    let [source, target] = [from, to].map(|n| Name::Snapshot(n, snapshot));
    appear(scope, state, snapshot, to);
    if scope.design.has(Change::CopyThenRemove) {
        number_directory(scope, state, target);
    } else {
        let at = &mut state.snapshots[usize::from(snapshot)];
        *at = at.without(from);
        renumber_directory(state, source, target);
    }
}

/// A snapshot appears at its target; the ghost remembers it while a run marks.
fn appear(scope: &Scope, state: &mut State, snapshot: u8, to: u8) {
    let at = &mut state.snapshots[usize::from(snapshot)];
    *at = at.with(to);
    if scope
        .actors()
        .any(|actor| gc::is_marking(scope, state, actor))
    {
        let indexes = scope.indexes_in(state, snapshot);
        state.renamed = state.renamed.with_all(to, indexes);
    }
}

/// Whether the directory of a group is there and not empty.
pub(super) fn holds_anything(
    scope: &Scope,
    state: &State,
    group: Group,
    Namespace(n): Namespace,
) -> bool {
    let g = usize::from(group.0);
    let has_files = state.owners[g].has(n) || state.notes[g].has(n);
    state.groups[g].has(n) && (has_files || !scope.snapshots_at(state, n, group.0).is_empty())
}

/// The directory of a group is renamed with everything in it, and that of its type created before if need be. An empty directory
/// in its way is replaced.
pub(super) fn rename_group(
    scope: &Scope,
    before: &State,
    state: &mut State,
    (group, source, target): (Group, Namespace, Namespace),
    outcome: Outcome,
) -> Result<Chain, Refusal> {
    let (g, Namespace(from), Namespace(to)) = (usize::from(group.0), source, target);
    let design = scope.design;
    let possible = before.namespaces.has(to) || design.creates_namespaces_on_the_way();
    let there = before.groups[g].has(from);
    let in_the_way = holds_anything(scope, before, group, target);
    if !possible {
        find(false, outcome)?;
        return Ok(Chain::Fail(End::NO_NAMESPACE));
    }
    directories::create_type(scope, state, to);
    match (there, in_the_way, outcome) {
        (true, false, Outcome::Done) => {}
        (true, true, Outcome::Exists) => return Ok(Chain::Fail(End::REFUSED)),
        (false, _, Outcome::NotFound) => return Ok(Chain::Fail(End::VANISHED)),
        (there, ..) => return Err(Refusal::found(there)),
    }
    for s in scope.snapshots_at(state, from, group.0).iter() {
        rename_snapshot(scope, state, s, (from, to));
    }
    renumber_directory(
        state,
        locks::group(source, group),
        locks::group(target, group),
    );
    for set in [&mut state.groups[g], &mut state.notes[g]] {
        if set.has(from) {
            *set = set.without(from).with(to);
        }
    }
    set_owner::rename(scope, state, (from, group.0), target);
    if let Some(owner) = state.owners[g].at(from) {
        state.owners[g] = state.owners[g].without(from).with(to, owner);
    }
    Ok(Chain::Step(if design.has_journal() {
        Step::UnlockJournal
    } else {
        Step::UnlinkSourceGroupLock
    }))
}
