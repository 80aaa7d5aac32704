//! `forget_snapshot`: removes a snapshot, file by file, and its group if nothing is left in it.
//!
//! Prune runs it for each snapshot that goes, and a backup that fails runs it under its own locks.

use super::not_locked;
use super::set_owner;
use crate::directories;
use crate::locks::{self, Name, generations};
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Manifest, Next, Set, State};
use specs::design::Change;
use specs::id::{self, Group, Id, Index, Namespace, Snapshot};
use specs::ops::forget_snapshot::{Step, TABLE};
use specs::scenario::Task;
use specs::{Label, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The manifest among the files that are neither index file nor temporary.
const MANIFEST: u8 = 0;
/// The file that protects the snapshot.
const PROTECTED: u8 = 1;

/// What a removal keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Removal {
    /// The snapshot.
    pub(super) snapshot: u8,
    /// The lock of the snapshot.
    pub(super) lock: Hold,
    /// The lock of its manifest.
    pub(super) manifest: Hold,
    /// The lock of its group.
    pub(super) group: Hold,
    /// The lock of the group once more: only a fault gives it to a session that should have it.
    again: Hold,
    /// Listed index files that are still to be unlinked.
    indexes: Set,
    /// Listed temporary files that are still to be unlinked.
    temporaries: Set,
    /// Other listed files that are still to be unlinked; then the snapshots of the group that are still to be listed.
    others: Set,
}

/// Whose locks a removal runs under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    /// It takes its own.
    Own,
    /// Those of the backup session that removes what it created.
    OfSession {
        /// Whether the session has written the manifest: somebody may have read it.
        wrote_manifest: bool,
    },
}

impl Locks {
    const fn are_own(self) -> bool {
        matches!(self, Self::Own)
    }
}

/// What follows a step of a removal.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// The step of that label.
    Step(Step),
    /// The removal fails; its locks are still to be let go.
    Fail(End),
    /// It has ended.
    End,
}

/// What the operation keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    removal: Removal,
    /// So that all operations keep as many bytes.
    rest: [u8; 12],
}

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(snapshot: Snapshot, actor: &mut Actor) {
    actor.locals[0] = snapshot.0;
    actor.next = next(Step::LockSnapshot);
}

pub(crate) fn visit_holds(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    namespace: Namespace,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let Locals { removal, .. } = zerocopy::transmute!(state.actor(me).locals);
    removal.visit_holds(scope, me, namespace, visit);
}

impl Removal {
    /// A removal that has not begun.
    pub(super) const fn of(snapshot: u8) -> Self {
        Self {
            snapshot,
            lock: Hold::NONE,
            manifest: Hold::NONE,
            group: Hold::NONE,
            again: Hold::NONE,
            indexes: Set(0),
            temporaries: Set(0),
            others: Set(0),
        }
    }

    /// Visits its locks.
    pub(super) fn visit_holds(
        &self,
        scope: &Scope,
        me: id::Actor,
        namespace: Namespace,
        visit: &mut impl FnMut(id::Actor, Name, Hold),
    ) {
        let n = namespace.0;
        let group = scope.group_of[usize::from(self.snapshot)];
        for (name, hold) in [
            (Name::Snapshot(n, self.snapshot), self.lock),
            (Name::Manifest(n, self.snapshot), self.manifest),
            (Name::Group(n, group), self.group),
            (Name::Group(n, group), self.again),
        ] {
            if hold != Hold::NONE {
                visit(me, name, hold);
            }
        }
    }

    /// Offers the labels of a step.
    pub(super) fn offers(
        &self,
        scope: &Scope,
        namespace: Namespace,
        kind: Step,
        offer: &mut impl FnMut(Label<Id>),
    ) {
        let here = Snapshot(self.snapshot);
        let group = Group(scope.group_of[usize::from(self.snapshot)]);
        match kind {
            Step::UnlinkFile => {
                for i in self.indexes.iter() {
                    offer(Step::UnlinkFile.of(Id::Index(namespace, Index(i))));
                }
                for i in self.temporaries.iter() {
                    offer(Step::UnlinkFile.of(Id::Temporary(namespace, Index(i))));
                }
                if self.others.has(MANIFEST) {
                    offer(Step::UnlinkFile.of(Id::Manifest(namespace, here)));
                }
                if self.others.has(PROTECTED) {
                    offer(Step::UnlinkFile.of(Id::Protected(namespace, here)));
                }
            }
            Step::ListRemaining => {
                if let Some(s) = self.others.highest() {
                    offer(Step::ListRemaining.of(Id::Snapshot(namespace, Snapshot(s))));
                }
            }
            Step::LockGroup
            | Step::ListGroup
            | Step::UnlinkOwner
            | Step::RemoveGroup
            | Step::UnlinkGroupLock
            | Step::UnlockGroup => offer(kind.of(Id::Group(namespace, group))),
            Step::LockSnapshot
            | Step::LockManifest
            | Step::CheckProtected
            | Step::ListSnapshot
            | Step::UnlinkManifest
            | Step::RemoveSnapshot
            | Step::UnlinkManifestLock
            | Step::UnlinkSnapshotLock
            | Step::UnlockManifest
            | Step::UnlockSnapshot
            | Step::ReleaseAll => offer(kind.of(Id::Snapshot(namespace, here))),
        }
    }

    /// Guard and effect of each step.
    pub(super) fn step(
        &mut self,
        scope: &Scope,
        state: &mut State,
        me: id::Actor,
        namespace: Namespace,
        under: Locks,
        (step, of, outcome): (Step, Option<Id>, Outcome),
    ) -> Result<Then, Refusal> {
        let (n, snapshot) = (namespace.0, self.snapshot);
        let s = usize::from(snapshot);
        let g = usize::from(scope.group_of[s]);
        let group = Name::Group(n, scope.group_of[s]);
        let manifest_first = scope.design.removes_the_manifest_first();
        let there = state.snapshots[s].has(n);
        Ok(match (step, of) {
            (Step::LockSnapshot, _) => {
                let name = Name::Snapshot(n, snapshot);
                self.lock = locks::take(scope, state, me, name, step, outcome)?;
                busy_or(outcome, Step::LockManifest)
            }
            (Step::LockManifest, _) => {
                let name = Name::Manifest(n, snapshot);
                self.manifest = locks::take(scope, state, me, name, step, outcome)?;
                let must_lock = match under {
                    Locks::Own => true,
                    Locks::OfSession { wrote_manifest } => wrote_manifest,
                };
                let asks = !scope.design.has(Change::ProtectionNotChecked);
                let is_locked = outcome == Outcome::Done;
                if !is_locked && must_lock {
                    Then::Fail(not_locked(outcome))
                } else if under.are_own() && asks {
                    Then::Step(Step::CheckProtected)
                } else {
                    // Nobody writes a manifest who has not read one, so one that was never written stays away.
                    Then::Step(Step::ListSnapshot)
                }
            }
            (Step::CheckProtected, _) => {
                let protected = there && state.protected.has(snapshot);
                match (protected, outcome) {
                    (false, Outcome::Done) => Then::Step(Step::ListSnapshot),
                    (true, Outcome::Refused) => Then::Fail(End::REFUSED),
                    (true, _) => return Err(Refusal::NotAllowed),
                    (false, _) => return Err(Refusal::Allowed),
                }
            }
            (Step::ListSnapshot, _) => {
                let refuses = scope.design.finds_protection_in_the_listing() && under.are_own();
                match (refuses && there && state.protected.has(snapshot), outcome) {
                    (true, Outcome::Refused) => return Ok(Then::Fail(End::REFUSED)),
                    (true, _) => return Err(Refusal::NotAllowed),
                    (false, _) => find(there, outcome)?,
                }
                self.indexes = scope.indexes_in(state, snapshot);
                self.temporaries = scope.indexes_of[s].and(state.temporaries);
                self.others = Set::default();
                if state.manifests[s].is_there() && !manifest_first {
                    self.others = self.others.with(MANIFEST);
                }
                if state.protected.has(snapshot) {
                    self.others = self.others.with(PROTECTED);
                }
                if !there {
                    Then::Fail(End::REFUSED)
                } else if scope.design.has(Change::ForgetUnlocksBeforeRemoval) && under.are_own() {
                    Then::Step(Step::UnlinkManifestLock)
                } else {
                    self.first_file(manifest_first)
                }
            }
            (Step::UnlinkManifest, _) => {
                find(there && state.manifests[s].is_there(), outcome)?;
                if there {
                    state.manifests[s] = Manifest::NONE;
                }
                self.next_file()
            }
            (Step::UnlinkFile, Some(id)) => {
                let was = self.unlink(state, there, id)?;
                find(was, outcome)?;
                self.next_file()
            }
            (Step::RemoveSnapshot, _) => {
                let empty = !state.manifests[s].is_there()
                    && !state.protected.has(snapshot)
                    && scope.indexes_of[s]
                        .and(state.indexes.or(state.temporaries))
                        .is_empty();
                match (there, empty, outcome) {
                    (true, true, Outcome::Done) => {
                        directories::remove_snapshot(state, (n, snapshot));
                        if self.lock.is_old() {
                            self.lock = self.lock.given_up();
                        }
                    }
                    (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {}
                    (there, ..) => return Err(Refusal::found(there)),
                }
                if outcome != Outcome::Done {
                    Then::Fail(End::REFUSED)
                } else if scope.design.has(Change::ForgetUnlocksBeforeRemoval) && under.are_own() {
                    let by_directory = generations::locks_directories(scope, state, me);
                    self.group_or_leave(scope, by_directory)
                } else if !under.are_own()
                    && scope.design.locks_manifest_of_a_failed_backup()
                    && self.manifest == Hold::NONE
                {
                    self.after_manifest_lock(scope, under)
                } else {
                    Then::Step(Step::UnlinkManifestLock)
                }
            }
            (Step::UnlinkManifestLock, _) => {
                // A session that has no lock on it knows by that of the snapshot where its file lies.
                let known_by = if self.manifest == Hold::NONE {
                    self.lock
                } else {
                    self.manifest
                };
                let name = Name::Manifest(n, snapshot).of_hold(known_by);
                find(locks::unlink(state, name), outcome)?;
                self.manifest = self.manifest.given_up();
                self.after_manifest_lock(scope, under)
            }
            (Step::UnlinkSnapshotLock, _) => {
                find(locks::unlink(state, Name::Snapshot(n, snapshot)), outcome)?;
                self.lock = self.lock.given_up();
                self.after_lock_files(scope, under)
            }
            (Step::LockGroup, _) if !under.are_own() => {
                // The session's own lock is in the way, unless a fault has left it out, or let somebody unlink its file: a flock
                // belongs to the open file.
                self.again = locks::take(scope, state, me, group, step, outcome)?;
                if outcome == Outcome::Done {
                    Then::Step(Step::ListGroup)
                } else {
                    Then::End
                }
            }
            (Step::LockGroup, _) => {
                self.group = locks::take(scope, state, me, group, step, outcome)?;
                if outcome == Outcome::Done {
                    Then::Step(Step::ListGroup)
                } else {
                    self.leave(scope)
                }
            }
            (Step::ListGroup, _) => {
                let exists = state.groups[g].has(n);
                let left = scope.snapshots_at(state, n, scope.group_of[s]);
                match (exists, left.is_empty(), outcome) {
                    (true, true, Outcome::Done) => Then::Step(Step::UnlinkOwner),
                    (true, false, Outcome::NotEmpty)
                        if under.are_own() && !scope.design.skips_a_vanished_snapshot() =>
                    {
                        self.others = left;
                        Then::Step(Step::ListRemaining)
                    }
                    (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {
                        self.leave_group(under)
                    }
                    (exists, ..) => return Err(Refusal::found(exists)),
                }
            }
            (Step::ListRemaining, Some(Id::Snapshot(_, Snapshot(listed)))) => {
                let there = state.snapshots[usize::from(listed)].has(n);
                find(there, outcome)?;
                self.others = self.others.without(listed);
                if !there {
                    Then::Fail(End::VANISHED)
                } else if self.others.is_empty() {
                    self.leave_group(under)
                } else {
                    Then::Step(Step::ListRemaining)
                }
            }
            (Step::UnlinkFile | Step::ListRemaining, _) => return Err(Refusal::NotNext),
            (Step::UnlinkOwner, _) => {
                set_owner::unlink(scope, state, (n, scope.group_of[s]));
                state.notes[g] = state.notes[g].without(n);
                Then::Step(Step::RemoveGroup)
            }
            (Step::RemoveGroup, _) => {
                let empty = scope.snapshots_at(state, n, scope.group_of[s]).is_empty()
                    && !state.owners[g].has(n);
                match (state.groups[g].has(n), empty, outcome) {
                    (true, true, Outcome::Done) => {
                        directories::remove_group(state, (n, scope.group_of[s]));
                        if self.group.is_old() {
                            self.group = self.group.given_up();
                            self.leave_group(under)
                        } else {
                            Then::Step(Step::UnlinkGroupLock)
                        }
                    }
                    (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {
                        self.leave_group(under)
                    }
                    (exists, ..) => return Err(Refusal::found(exists)),
                }
            }
            (Step::UnlinkGroupLock, _) => {
                find(locks::unlink(state, group), outcome)?;
                self.group = self.group.given_up();
                self.again = self.again.given_up();
                self.leave_group(under)
            }
            (Step::UnlockGroup, _) if !under.are_own() => {
                self.again = Hold::NONE;
                Then::End
            }
            (Step::UnlockGroup, _) => {
                self.group = Hold::NONE;
                self.leave(scope)
            }
            (Step::UnlockManifest, _) => {
                self.manifest = Hold::NONE;
                Then::Step(Step::UnlockSnapshot)
            }
            (Step::UnlockSnapshot, _) => {
                self.lock = Hold::NONE;
                if scope.design.has(Change::ForgetUnlocksBeforeRemoval) {
                    self.first_file(manifest_first)
                } else {
                    Then::End
                }
            }
            (Step::ReleaseAll, _) => {
                *self = Self::of(snapshot);
                Then::End
            }
        })
    }

    fn first_file(&self, manifest_first: bool) -> Then {
        if manifest_first {
            Then::Step(Step::UnlinkManifest)
        } else {
            self.next_file()
        }
    }

    fn next_file(&self) -> Then {
        if self.indexes.or(self.temporaries).or(self.others).is_empty() {
            Then::Step(Step::RemoveSnapshot)
        } else {
            Then::Step(Step::UnlinkFile)
        }
    }

    /// After the lock files of what is gone. A session that locks directories never removes its group.
    fn after_lock_files(&self, scope: &Scope, under: Locks) -> Then {
        let by_directory = self.lock.is_old();
        match under {
            Locks::Own if scope.design.has(Change::ForgetUnlocksBeforeRemoval) => {
                Then::Step(Step::UnlockManifest)
            }
            Locks::Own => self.group_or_leave(scope, by_directory),
            Locks::OfSession { .. } if by_directory => Then::End,
            Locks::OfSession { .. } if scope.design.removes_group_of_a_failed_backup() => {
                Then::Step(Step::ListGroup)
            }
            Locks::OfSession { .. } => Then::Step(Step::LockGroup),
        }
    }

    /// The group, if it is removed when nothing is left in it; else the end.
    fn group_or_leave(&self, scope: &Scope, by_directory: bool) -> Then {
        if scope.design.forget_removes_group(by_directory) {
            Then::Step(Step::LockGroup)
        } else {
            self.leave(scope)
        }
    }

    /// After the lock file of the manifest: that of the snapshot, unless it is locked by its directory, which is gone.
    fn after_manifest_lock(&self, scope: &Scope, under: Locks) -> Then {
        if self.lock.is_old() {
            self.after_lock_files(scope, under)
        } else {
            Then::Step(Step::UnlinkSnapshotLock)
        }
    }

    /// After the group: its lock is let go, if the removal took it.
    fn leave_group(&self, under: Locks) -> Then {
        if under.are_own() || self.again != Hold::NONE {
            Then::Step(Step::UnlockGroup)
        } else {
            Then::End
        }
    }

    /// The end of a removal that holds its own locks, or has let them go early.
    fn leave(&self, scope: &Scope) -> Then {
        if scope.design.has(Change::ForgetUnlocksBeforeRemoval) {
            Then::End
        } else {
            Then::Step(Step::UnlockManifest)
        }
    }

    /// Unlinks one listed file; whether it was still there.
    fn unlink(&mut self, state: &mut State, there: bool, id: Id) -> Result<bool, Refusal> {
        let s = usize::from(self.snapshot);
        let was;
        if let Id::Index(_, Index(i)) = id {
            was = there && state.indexes.has(i);
            self.indexes = self.indexes.without(i);
            if was {
                state.indexes = state.indexes.without(i);
            }
        } else if let Id::Temporary(_, Index(i)) = id {
            was = there && state.temporaries.has(i);
            self.temporaries = self.temporaries.without(i);
            if was {
                state.temporaries = state.temporaries.without(i);
            }
        } else if let Id::Manifest(..) = id {
            was = there && state.manifests[s].is_there();
            self.others = self.others.without(MANIFEST);
            if was {
                state.manifests[s] = Manifest::NONE;
            }
        } else if let Id::Protected(..) = id {
            was = there && state.protected.has(self.snapshot);
            self.others = self.others.without(PROTECTED);
            if was {
                state.protected = state.protected.without(self.snapshot);
            }
        } else {
            return Err(Refusal::NotNext);
        }
        Ok(was)
    }
}

fn busy_or(outcome: Outcome, step: Step) -> Then {
    if outcome == Outcome::Done {
        Then::Step(step)
    } else {
        Then::Fail(not_locked(outcome))
    }
}

fn task(scope: &Scope, me: id::Actor) -> Option<Namespace> {
    if let Task::ForgetSnapshot { namespace, .. } = scope.task_of(me) {
        Some(namespace)
    } else {
        None
    }
}

/// Whether the operation has begun, and has not ended.
pub(crate) fn is_running(scope: &Scope, state: &State, me: id::Actor) -> bool {
    let actor = state.actor(me);
    task(scope, me).is_some() && actor.next.is_live() && actor.next != next(Step::LockSnapshot)
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let Some(namespace) = task(scope, me) else {
        return;
    };
    let actor = state.actor(me);
    let Locals { removal, .. } = zerocopy::transmute!(actor.locals);
    if let Some(specs::Step::ForgetSnapshot(kind)) =
        TABLE.get(usize::from(actor.next.0)).map(|row| row.step)
    {
        removal.offers(scope, namespace, kind, offer);
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
    let namespace = task(scope, me).ok_or(Refusal::NotNext)?;
    let mut state = *before;
    let mut locals: Locals = zerocopy::transmute!(before.actor(me).locals);
    let then = locals.removal.step(
        scope,
        &mut state,
        me,
        namespace,
        Locks::Own,
        (step, of, outcome),
    )?;
    let actor = state.actor_mut(me);
    match then {
        Then::Step(step) => actor.next = next(step),
        Then::Fail(end) => {
            actor.end = end;
            actor.next = next(Step::ReleaseAll);
        }
        Then::End => {
            if actor.end == End::NONE {
                actor.end = End::DONE;
            }
            locals.removal = Removal::of(0);
            actor.next = Next::FINISHED;
        }
    }
    actor.locals = zerocopy::transmute!(locals);
    Ok(state)
}
