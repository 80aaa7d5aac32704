//! Who holds what: lock files and directories with an identity, holders by file, conflict and release.
//!
//! A lock file has a number for each time that it was created at its path. A holder holds a file, not
//! a path: after the file was unlinked, its holder and a holder of the next file do not exclude each other. So it is
//! with a directory that is locked.

pub(crate) mod calls;
pub(crate) mod generations;
pub(crate) mod namespaces;
mod rank;
#[cfg(test)]
mod tests;

use crate::faults;
use crate::ops::{
    access_chunk, backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_notes,
    set_owner, take_lock, verify,
};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{ACTORS, Fixed, Hold, NAMESPACES, SNAPSHOTS, State};
use specs::design::Change;
use specs::id::{self, Actor};
use specs::lock_class::Mode;
use specs::scenario::Task;
use specs::step::LockUse;
use specs::{LockClass, Outcome, Step};

pub use generations::name_now;
use generations::{name_for, next_number};
pub use rank::{Rank, rank_of, rank_of_class};
pub(crate) use rank::{highest_rank, holds_nothing};

/// A lock that has a file or a directory, and one for each namespace, group or snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The lock of a namespace, whose file is never unlinked.
    Namespace(u8),
    /// The lock of a group: namespace and group.
    Group(u8, u8),
    /// The lock of a snapshot: namespace and snapshot.
    Snapshot(u8, u8),
    /// The lock of a manifest: namespace and snapshot.
    Manifest(u8, u8),
    /// The directory of a group.
    GroupDirectory(u8, u8),
    /// The directory of a snapshot.
    SnapshotDirectory(u8, u8),
    /// The lock file of a manifest at the path that it has for those who lock directories.
    OldManifest(u8, u8),
}

impl Name {
    /// The class of the lock.
    pub const fn class(self) -> LockClass {
        match self {
            Self::Namespace(_) => LockClass::Namespace,
            Self::Group(..) => LockClass::Group,
            Self::Snapshot(..) => LockClass::Snapshot,
            Self::Manifest(..) | Self::OldManifest(..) => LockClass::Manifest,
            Self::GroupDirectory(..) => LockClass::GroupDirectory,
            Self::SnapshotDirectory(..) => LockClass::SnapshotDirectory,
        }
    }
}

/// Visits what every actor has open of the locks of namespaces, groups, snapshots and manifests.
pub fn visit_holds(scope: &Scope, state: &State, visit: &mut impl FnMut(Actor, Name, Hold)) {
    for actor in scope.actors() {
        visit_holds_of(scope, state, actor, visit);
    }
}

/// Visits what one actor has open of them.
fn visit_holds_of(
    scope: &Scope,
    state: &State,
    actor: Actor,
    visit: &mut impl FnMut(Actor, Name, Hold),
) {
    let visit = &mut |actor, name: Name, hold: Hold| visit(actor, name.of_hold(hold), hold);
    namespaces::visit(scope, state, actor, visit);
    let pending = state.actor(actor).pending;
    if let Some(name) = pending.name() {
        visit(actor, name, pending.hold());
    }
    match scope.task_of(actor) {
        Task::Gc { .. } => gc::visit_holds(state, actor, visit),
        Task::MoveGroup {
            group,
            source,
            target,
            ..
        } => {
            move_group::visit_holds(state, actor, group, source, target, visit);
        }
        Task::TakeLock { lock, .. } => take_lock::visit_holds(state, actor, lock, visit),
        Task::Backup { snapshot } => backup::visit_holds(scope, state, actor, snapshot, visit),
        Task::ForgetSnapshot { namespace, .. } => {
            forget_snapshot::visit_holds(scope, state, actor, namespace, visit);
        }
        Task::Prune { namespace, .. } => prune::visit_holds(scope, state, actor, namespace, visit),
        Task::Verify { namespace, .. } => verify::visit_holds(state, actor, namespace, visit),
        Task::SetNotes {
            namespace,
            snapshot,
        } => {
            set_notes::visit_holds(state, actor, Name::Manifest(namespace.0, snapshot.0), visit);
        }
        Task::SetOwner {
            namespace, group, ..
        } => set_owner::visit_holds(state, actor, self::group(namespace, group), visit),
        Task::DeleteNamespace { .. } => delete_namespace::visit_holds(scope, state, actor, visit),
        Task::AccessChunk { .. } | Task::TakeNamespaceLock { .. } => {}
    }
}

/// A lock as an actor has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possession {
    /// Its class.
    pub class: LockClass,
    /// Which one of its class; none where a class has one lock only.
    pub name: Option<Name>,
    /// Shared or exclusive.
    pub mode: Mode,
    /// Whether the kernel or the mutex gave it.
    pub is_locked: bool,
    /// Whether the actor relies on it.
    pub is_relied_on: bool,
}

/// The locks that are not in the lock directory or are never unlinked, with their classes.
const FIXED: [(LockClass, Mode, Fixed); 4] = [
    (LockClass::GcSlot, Mode::Exclusive, Fixed::GC_SLOT),
    (LockClass::Store, Mode::Exclusive, Fixed::STORE),
    (LockClass::Store, Mode::Shared, Fixed::STORE_SHARED),
    (LockClass::MoveJournal, Mode::Exclusive, Fixed::JOURNAL),
];

/// Every lock that an actor has or relies on; a file that is merely open is none.
pub fn possessions(scope: &Scope, state: &State, me: Actor) -> Vec<Possession> {
    let mut all: Vec<Possession> = Vec::new();
    let mut add = |class, name, mode, is_locked, is_relied_on| {
        let same = |had: &&mut Possession| (had.class, had.name, had.mode) == (class, name, mode);
        // Under a fault it may have taken a lock that it believed to have already.
        if let Some(had) = all.iter_mut().find(same) {
            had.is_locked |= is_locked;
            had.is_relied_on |= is_relied_on;
        } else if is_locked || is_relied_on {
            all.push(Possession {
                class,
                name,
                mode,
                is_locked,
                is_relied_on,
            });
        }
    };
    let held = state.actor(me).held;
    for (class, mode, lock) in FIXED {
        let (is_locked, is_relied_on) = (held.is_locked(lock), held.is_relied_on(lock));
        add(class, None, mode, is_locked, is_relied_on);
    }
    let has_mutex = access_chunk::has_mutex(scope, state, me);
    let class = LockClass::ChunkStore;
    add(class, None, Mode::Exclusive, has_mutex, has_mutex);
    visit_holds_of(scope, state, me, &mut |_, name, hold| {
        let mode = if hold.is_shared() {
            Mode::Shared
        } else {
            Mode::Exclusive
        };
        add(
            name.class(),
            Some(name),
            mode,
            hold.is_locked(),
            hold.is_relied_on(),
        );
    });
    all
}

/// Number of the file or directory at the path of a lock; 0 if there is none. That of a namespace is as good as always
/// there.
pub fn file_at(state: &State, name: Name) -> u8 {
    match name {
        Name::Namespace(_) => namespaces::FILE,
        Name::Group(n, g) | Name::GroupDirectory(n, g) => {
            state.group_locks[usize::from(g)][usize::from(n)].of(name.is_old())
        }
        Name::Snapshot(n, s) | Name::SnapshotDirectory(n, s) => {
            state.snapshot_locks[usize::from(s)][usize::from(n)].of(name.is_old())
        }
        Name::Manifest(n, s) | Name::OldManifest(n, s) => {
            state.manifest_locks[usize::from(s)][usize::from(n)].of(name.is_old())
        }
    }
}

fn set_file(state: &mut State, name: Name, number: u8) {
    let numbers = match name {
        Name::Namespace(_) => return,
        Name::Group(n, g) | Name::GroupDirectory(n, g) => {
            &mut state.group_locks[usize::from(g)][usize::from(n)]
        }
        Name::Snapshot(n, s) | Name::SnapshotDirectory(n, s) => {
            &mut state.snapshot_locks[usize::from(s)][usize::from(n)]
        }
        Name::Manifest(n, s) | Name::OldManifest(n, s) => {
            &mut state.manifest_locks[usize::from(s)][usize::from(n)]
        }
    };
    *numbers = numbers.with(name.is_old(), number);
}

/// Opens the file at the path of a lock, or creates it with a number that nobody has open. A directory is not created:
/// nothing is open if it is not there.
pub(crate) fn open(scope: &Scope, state: &mut State, name: Name) -> Hold {
    let mut number = file_at(state, name);
    if number == 0 && name.is_directory() {
        return Hold::NONE;
    }
    if number == 0 {
        number = next_number(scope, state, name);
        set_file(state, name, number);
    }
    let hold = Hold::open(number);
    if name.is_old() { hold.old() } else { hold }
}

/// Who holds the flock of that very file, so that this one is in conflict with it. A flock belongs to the open
/// file: it may be the actor itself, through another one.
pub(crate) fn holder(scope: &Scope, state: &State, name: Name, hold: Hold) -> Option<Actor> {
    let mut found = None;
    visit_holds(scope, state, &mut |actor, other, theirs| {
        if other.can_be(name)
            && theirs.is_locked()
            && theirs.number() == hold.number()
            && !(theirs.is_shared() && hold.is_shared())
        {
            found = Some(actor);
        }
    });
    found
}

/// Takes a lock, or the one that the process takes in its place, in one step: open or create, flock without waiting,
/// compare; or ends a step that did so in its calls.
pub(crate) fn take(
    scope: &Scope,
    state: &mut State,
    me: Actor,
    name: Name,
    step: impl Into<Step>,
    outcome: Outcome,
) -> Result<Hold, Refusal> {
    let step = step.into();
    if matches!(outcome, Outcome::NoSpace(_)) {
        let name = name_for(scope, state, me, name);
        calls::find_no_inode(state, name)?;
        return if faults::skips(scope, step) {
            Err(Refusal::NotInDesign(outcome))
        } else {
            Ok(Hold::NONE)
        };
    }
    if calls::splits(scope, step) {
        return Ok(calls::taken(state, me, outcome));
    }
    let name = name_for(scope, state, me, name);
    let mut hold = open(scope, state, name);
    if hold == Hold::NONE {
        return if outcome == Outcome::NotFound {
            Ok(Hold::NONE)
        } else {
            Err(Refusal::NotThere)
        };
    }
    let lock = step.row().lock;
    if matches!(lock, Some(LockUse::Take(_, Mode::Shared, _))) {
        hold = hold.shared();
    }
    if faults::skips(scope, step) {
        return if outcome == Outcome::Done {
            Ok(hold.relied_on())
        } else {
            Err(Refusal::NotInDesign(outcome))
        };
    }
    match (holder(scope, state, name, hold), outcome) {
        (None, Outcome::Done) => Ok(hold.locked().relied_on()),
        (Some(by), Outcome::Done) => Err(Refusal::Held(name.class(), by.0)),
        (Some(_), Outcome::WouldBlock) if !scope.waits(step) => Ok(Hold::NONE),
        (Some(_), Outcome::TimedOut) => Ok(Hold::NONE),
        (_, Outcome::NotFound) => Err(Refusal::There),
        (Some(by), _) => Err(Refusal::Held(name.class(), by.0)),
        (None, _) => Err(Refusal::Free(name.class())),
    }
}

/// What lies at the path of a lock is removed; whether there was anything.
pub(crate) fn unlink(state: &mut State, name: Name) -> bool {
    let was = file_at(state, name) != 0;
    set_file(state, name, 0);
    was
}

/// Takes the lock of the move journal in one step.
pub(crate) fn take_journal(
    scope: &Scope,
    state: &mut State,
    me: Actor,
    step: impl Into<Step>,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let in_memory = scope.design.keeps_journal_in_memory();
    if !in_memory {
        // A file that is there stays as it is, an emptied one too.
        state.journal_file = state.journal_file.max(1);
    }
    if faults::skips(scope, step) {
        return only_believe(state, me, Fixed::JOURNAL, outcome);
    }
    let by = scope
        .actors()
        .filter(|a| !in_memory || scope.process_of(*a) == scope.process_of(me))
        .find(|a| *a != me && state.actor(*a).held.is_locked(Fixed::JOURNAL));
    match (by, outcome) {
        (None, Outcome::Done) => {
            let actor = state.actor_mut(me);
            actor.held = actor.held.with(Fixed::JOURNAL);
            Ok(())
        }
        // A wait for a mutex has no end.
        (Some(_), Outcome::TimedOut) if !in_memory => Ok(()),
        (Some(by), _) => Err(Refusal::Held(LockClass::MoveJournal, by.0)),
        (None, _) => Err(Refusal::Free(LockClass::MoveJournal)),
    }
}

/// What a step leaves that a fault has robbed of its lock: the belief to have it.
fn only_believe(
    state: &mut State,
    me: Actor,
    lock: Fixed,
    outcome: Outcome,
) -> Result<(), Refusal> {
    if outcome != Outcome::Done {
        return Err(Refusal::NotInDesign(outcome));
    }
    let actor = state.actor_mut(me);
    actor.held = actor.held.with_belief_only(lock);
    Ok(())
}

/// Takes the slot of garbage collection, which excludes actors of one process from each other.
pub(crate) fn take_gc_slot(
    scope: &Scope,
    state: &mut State,
    me: Actor,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let process = scope.process_of(me);
    let by = scope.actors().find(|a| {
        *a != me
            && scope.process_of(*a) == process
            && state.actor(*a).held.is_locked(Fixed::GC_SLOT)
    });
    try_once(state, me, Fixed::GC_SLOT, LockClass::GcSlot, by, outcome)
}

/// Takes the process lock exclusively, which excludes processes from each other.
pub(crate) fn take_store(
    scope: &Scope,
    state: &mut State,
    me: Actor,
    step: impl Into<Step>,
    outcome: Outcome,
) -> Result<(), Refusal> {
    if faults::skips(scope, step) {
        return only_believe(state, me, Fixed::STORE, outcome);
    }
    let excludes_itself = scope.design.has(Change::StoreLockPerHandle);
    let foreign = |a: Actor| excludes_itself || scope.process_of(a) != scope.process_of(me);
    let by = scope
        .actors()
        .filter(|a| *a != me)
        .find(|a| foreign(*a) && has_record(state, *a) || collects_for_us(scope, state, me, *a));
    try_once(state, me, Fixed::STORE, LockClass::Store, by, outcome)
}

/// Whether another actor of this process already holds the exclusive lock.
fn collects_for_us(scope: &Scope, state: &State, me: Actor, other: Actor) -> bool {
    scope.process_of(other) == scope.process_of(me)
        && state.actor(other).held.is_relied_on(Fixed::STORE)
}

/// Shares the process lock: the first writer of a process asks the kernel, the others take its word.
pub(crate) fn share_store(
    scope: &Scope,
    state: &mut State,
    me: Actor,
    step: impl Into<Step>,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let ours = |a: &Actor| scope.process_of(*a) == scope.process_of(me);
    let held = |a: Actor, lock| state.actor(a).held.is_relied_on(lock);
    let has_holder = scope
        .actors()
        .filter(ours)
        .any(|a| held(a, Fixed::STORE) || held(a, Fixed::STORE_SHARED));
    if scope.design.has(Change::StoreLockPerHandle) {
        let by = scope
            .actors()
            .find(|a| state.actor(*a).held.is_locked(Fixed::STORE));
        return try_once(
            state,
            me,
            Fixed::STORE_SHARED,
            LockClass::Store,
            by,
            outcome,
        );
    }
    if has_holder {
        if outcome != Outcome::Done {
            return Err(Refusal::Free(LockClass::Store));
        }
        let locked = scope.actors().filter(ours).any(|a| has_record(state, a));
        let actor = state.actor_mut(me);
        actor.held = if locked {
            actor.held.with(Fixed::STORE_SHARED)
        } else {
            actor.held.with_belief_only(Fixed::STORE_SHARED)
        };
        return Ok(());
    }
    if faults::skips(scope, step) {
        return only_believe(state, me, Fixed::STORE_SHARED, outcome);
    }
    let by = others(scope, me).find(|a| state.actor(*a).held.is_locked(Fixed::STORE));
    try_once(
        state,
        me,
        Fixed::STORE_SHARED,
        LockClass::Store,
        by,
        outcome,
    )
}

/// Ends garbage collection's hold of the process lock; writers of the process keep the record lock, or get it.
pub(crate) fn release_store(scope: &Scope, state: &mut State, me: Actor) {
    let actor = state.actor_mut(me);
    actor.held = actor.held.without(Fixed::STORE);
    let taken = others(scope, me).any(|a| state.actor(a).held.is_locked(Fixed::STORE));
    let keeps = !scope.design.has(Change::UnlockWithoutDowngrade) && !taken;
    for other in scope
        .actors()
        .filter(|a| scope.process_of(*a) == scope.process_of(me))
    {
        let writer = state.actor_mut(other);
        if writer.held.is_relied_on(Fixed::STORE_SHARED) {
            writer.held = writer.held.without(Fixed::STORE_SHARED);
            writer.held = if keeps {
                writer.held.with(Fixed::STORE_SHARED)
            } else {
                writer.held.with_belief_only(Fixed::STORE_SHARED)
            };
        }
    }
}

/// The kernel releases the record lock of a process, whoever believes to have it.
pub(crate) fn lose_store(scope: &Scope, state: &mut State, me: Actor) {
    for other in scope
        .actors()
        .filter(|a| scope.process_of(*a) == scope.process_of(me))
    {
        let actor = state.actor_mut(other);
        for lock in [Fixed::STORE, Fixed::STORE_SHARED] {
            if actor.held.is_relied_on(lock) {
                actor.held = actor.held.without(lock).with_belief_only(lock);
            }
        }
    }
}

/// Whether a writer of this process began before the cutoff passed.
pub(crate) fn has_old_writer(scope: &Scope, state: &State, me: Actor) -> bool {
    scope.actors().any(|a| {
        scope.process_of(a) == scope.process_of(me)
            && state.actor(a).held.is_relied_on(Fixed::STORE_SHARED)
            && backup::has_grown_old(state.actor(a))
    })
}

/// The actors of other processes.
fn others(scope: &Scope, me: Actor) -> impl Iterator<Item = Actor> {
    let process = scope.process_of(me);
    scope
        .actors()
        .filter(move |a| scope.process_of(*a) != process)
}

/// Whether an actor is one for whom its process has the record lock, in either mode.
fn has_record(state: &State, actor: Actor) -> bool {
    let held = state.actor(actor).held;
    held.is_locked(Fixed::STORE) || held.is_locked(Fixed::STORE_SHARED)
}

/// The actor that has locked the chunk-store mutex of the process of `me`.
pub(crate) fn mutex_holder(scope: &Scope, state: &State, me: Actor) -> Option<Actor> {
    scope.actors().find(|a| {
        *a != me
            && scope.process_of(*a) == scope.process_of(me)
            && access_chunk::has_mutex(scope, state, *a)
    })
}

fn try_once(
    state: &mut State,
    me: Actor,
    lock: Fixed,
    class: LockClass,
    by: Option<Actor>,
    outcome: Outcome,
) -> Result<(), Refusal> {
    match (by, outcome) {
        (None, Outcome::Done) => {
            let actor = state.actor_mut(me);
            actor.held = actor.held.with(lock);
            Ok(())
        }
        (Some(_), Outcome::WouldBlock) => Ok(()),
        (Some(by), _) => Err(Refusal::Held(class, by.0)),
        (None, _) => Err(Refusal::Free(class)),
    }
}

/// Most locks that all actors have open: two groups, every snapshot, a manifest, and two chains of namespaces each.
const HOLDS: usize = ACTORS * (2 + SNAPSHOTS + 1 + 2 * (NAMESPACES - 1));

/// Whether two actors rely on the same lock, be it that of a directory or that of a file.
pub(crate) fn two_rely(scope: &Scope, state: &State) -> bool {
    let mut all: [Option<(Actor, Name, Hold)>; HOLDS] = [None; HOLDS];
    let mut count = 0;
    let mut twice = false;
    visit_holds(scope, state, &mut |actor, name, hold| {
        if hold.is_relied_on() {
            let name = name.by_file();
            twice |= all[..count].iter().flatten().any(|(other, n, theirs)| {
                *other != actor && *n == name && !(theirs.is_shared() && hold.is_shared())
            });
            all[count] = Some((actor, name, hold));
            count += 1;
        }
    });
    let rely = |lock: Fixed| {
        scope
            .actors()
            .filter(|a| state.actor(*a).held.is_relied_on(lock))
            .count()
    };
    twice
        || (rely(Fixed::JOURNAL) > 1 && !scope.design.keeps_journal_in_memory())
        || rely(Fixed::STORE) > 1
        || collects_beside_a_writer(scope, state)
}

/// Whether one process relies on the exclusive process lock, and another one on the shared one.
fn collects_beside_a_writer(scope: &Scope, state: &State) -> bool {
    let relies = |a: Actor, lock| state.actor(a).held.is_relied_on(lock);
    scope
        .actors()
        .filter(|a| relies(*a, Fixed::STORE))
        .any(|gc| others(scope, gc).any(|writer| relies(writer, Fixed::STORE_SHARED)))
}

/// Whether some actor relies on a lock while another one is not finished.
pub(crate) fn one_relies_beside_another(scope: &Scope, state: &State) -> bool {
    let live = scope
        .actors()
        .filter(|a| state.actor(*a).next.is_live())
        .count();
    live > 1
        && scope
            .actors()
            .any(|a| state.actor(a).next.is_live() && !holds_nothing(scope, state, a))
}

/// The place of a group's lock.
pub(crate) const fn group(namespace: id::Namespace, group: id::Group) -> Name {
    Name::Group(namespace.0, group.0)
}
