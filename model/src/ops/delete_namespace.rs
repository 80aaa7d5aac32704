//! `delete_namespace`: removes a namespace with all groups and namespaces in it, the deepest first.
//!
//! The steps of `forget_snapshot` follow those of the deletion in the numbering of what an actor does next.

use super::forget_snapshot::{Locks, Removal, Then};
use super::gc::{deepest, groups_at};
use super::not_locked;
use super::set_owner;
use crate::directories;
use crate::locks::namespaces::{self, NamespaceLock};
use crate::locks::{self, Name};
use crate::refusal::{Refusal, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Hold, Next, Set, State};
use specs::id::{self, Group, Id, Namespace, Snapshot};
use specs::ops::delete_namespace::{Step, TABLE};
use specs::ops::forget_snapshot;
use specs::scenario::Task;
use specs::{Label, Outcome, ToLabel as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a deletion keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Locals {
    /// The removal that is at work. Its lock of the group is another one than that of the deletion.
    removal: Removal,
    /// The lock of the group.
    group: Hold,
    /// Namespaces whose children are still to be listed.
    to_list: Set,
    /// The namespaces that were listed and are still to be emptied.
    collected: Stack,
    /// The namespace that is being emptied.
    namespace: u8,
    /// Its groups that are still to be removed, the current one among them.
    groups: Set,
    /// Snapshots of the current group that are still to be removed.
    snapshots: Set,
    /// Whether a snapshot of the current group is protected.
    kept: u8,
    /// Whether a namespace had to stay.
    left: u8,
    /// So that all operations keep as many bytes.
    rest: [u8; 4],
}

/// Namespaces other than the root namespace, the last one on top, two bits each.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
struct Stack(u8);

impl Stack {
    const fn with(self, namespace: u8) -> Self {
        Self(self.0 << 2 | namespace)
    }

    /// The last one; 0 if there is none.
    const fn top(self) -> u8 {
        self.0 & 3
    }

    const fn without_top(self) -> Self {
        Self(self.0 >> 2)
    }
}

/// What follows a step.
enum Chain {
    /// The step of that label.
    Step(Step),
    /// The step that takes that lock of a namespace.
    Lock(NamespaceLock),
    /// A step of the removal.
    Remove(forget_snapshot::Step),
    /// The deletion fails.
    Fail(End),
    /// It has ended.
    End,
}

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(scope: &Scope, me: id::Actor, namespace: Namespace, actor: &mut Actor) {
    let mut deletion: Locals = zerocopy::transmute!(actor.locals);
    deletion.to_list = Set::only(namespace.0);
    actor.locals = zerocopy::transmute!(deletion);
    let first = scope.namespace_locks[usize::from(me.0)].first();
    actor.next = first.map_or(next(Step::ListNamespaces), |lock| {
        Next::row(lock.take.position())
    });
}

pub(crate) fn visit_holds(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let deletion: Locals = zerocopy::transmute!(state.actor(me).locals);
    let namespace = Namespace(deletion.namespace);
    if let (Some(group), true) = (deletion.groups.lowest(), deletion.group != Hold::NONE) {
        visit(me, locks::group(namespace, Group(group)), deletion.group);
    }
    deletion.removal.visit_holds(scope, me, namespace, visit);
}

pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let deletion: Locals = zerocopy::transmute!(state.actor(me).locals);
    let here = Namespace(deletion.namespace);
    let kind = match super::step_of(specs::Op::DeleteNamespace, state.actor(me).next) {
        Some(specs::Step::DeleteNamespace(kind)) => kind,
        Some(specs::Step::ForgetSnapshot(kind)) => {
            let removal = &deletion.removal;
            removal.offers(scope, here, kind, offer);
            return;
        }
        _ => return,
    };
    let place = |lock: NamespaceLock| Id::Namespace(lock.namespace);
    let argument = match kind {
        Step::LockNamespace | Step::LockAncestor => namespaces::next(scope, state, me).map(place),
        Step::ListNamespaces => {
            for n in deepest(scope, deletion.to_list).iter() {
                offer(Step::ListNamespaces.of(Id::Namespace(Namespace(n))));
            }
            None
        }
        Step::ListGroups | Step::RemoveNamespace => Some(Id::Namespace(here)),
        Step::LockGroup
        | Step::ListGroup
        | Step::ListGroupAgain
        | Step::UnlinkOwner
        | Step::RemoveGroup
        | Step::UnlinkGroupLock
        | Step::UnlockGroup => {
            let group = deletion.groups.lowest();
            group.map(|g| Id::Group(here, Group(g)))
        }
        Step::CheckProtected => {
            let oldest = deletion.snapshots.lowest();
            oldest.map(|s| Id::Snapshot(here, Snapshot(s)))
        }
        Step::RemoveType => Some(Id::Type(here)),
        Step::RemoveChildren => Some(Id::Children(here)),
        Step::UnlockNamespace => namespaces::oldest(scope, state, me).map(place),
        Step::ReleaseAll => Some(Id::Namespace(here)),
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
    if !matches!(scope.task_of(me), Task::DeleteNamespace { .. }) {
        return Err(Refusal::NotNext);
    }
    let wanted = super::step_of(specs::Op::DeleteNamespace, before.actor(me).next);
    if wanted != Some(label.step) {
        return Err(Refusal::NotNext);
    }
    let mut state = *before;
    let mut deletion: Locals = zerocopy::transmute!(before.actor(me).locals);
    let then = if let specs::Step::DeleteNamespace(step) = label.step {
        own_step(
            scope,
            &mut state,
            me,
            &mut deletion,
            (step, label.of, outcome),
        )?
    } else if let specs::Step::ForgetSnapshot(step) = label.step {
        removal_step(
            scope,
            &mut state,
            me,
            &mut deletion,
            (step, label.of, outcome),
        )?
    } else {
        return Err(Refusal::NotNext);
    };
    let actor = state.actor_mut(me);
    match then {
        Chain::Step(step) => actor.next = next(step),
        Chain::Lock(lock) => actor.next = Next::row(lock.take.position()),
        Chain::Remove(step) => actor.next = Next::row(TABLE.len() + step as usize),
        Chain::Fail(end) => {
            actor.end = end;
            actor.next = next(Step::ReleaseAll);
        }
        Chain::End => {
            if actor.end == End::NONE {
                actor.end = if deletion.left == 0 {
                    End::DONE
                } else {
                    End::NOT_EMPTY
                };
            }
            deletion = zerocopy::transmute!([0u8; crate::state::LOCALS]);
            actor.next = Next::FINISHED;
        }
    }
    actor.locals = zerocopy::transmute!(deletion);
    Ok(state)
}

/// Guard and effect of each step of the deletion itself.
fn own_step(
    scope: &Scope,
    state: &mut State,
    me: id::Actor,
    deletion: &mut Locals,
    (step, of, outcome): (Step, Option<Id>, Outcome),
) -> Result<Chain, Refusal> {
    let n = deletion.namespace;
    let group = deletion.groups.lowest().unwrap_or(0);
    let g = usize::from(group);
    let name = Name::Group(n, group);
    Ok(match (step, of) {
        (Step::LockNamespace | Step::LockAncestor, _) => {
            namespaces::take(scope, state, me, outcome)?;
            match (outcome, namespaces::next(scope, state, me)) {
                (Outcome::Done, Some(lock)) => Chain::Lock(lock),
                (Outcome::Done, None) => Chain::Step(Step::ListNamespaces),
                (_, _) => Chain::Fail(End::BUSY),
            }
        }
        (Step::ListNamespaces, Some(Id::Namespace(Namespace(listed)))) => {
            find(state.children.has(listed), outcome)?;
            let found = directories::children(scope, state, listed);
            deletion.to_list = deletion.to_list.without(listed).or(found);
            deletion.collected = deletion.collected.with(listed);
            if deletion.to_list.is_empty() {
                next_namespace(state, me, deletion)
            } else {
                Chain::Step(Step::ListNamespaces)
            }
        }
        (Step::ListGroups, _) => {
            let there = state.namespaces.has(n);
            find(there, outcome)?;
            if there {
                deletion.groups = groups_at(state, n);
                next_group(deletion)
            } else if scope.design.skips_a_vanished_namespace() {
                next_namespace(state, me, deletion)
            } else {
                Chain::Fail(End::VANISHED)
            }
        }
        (Step::LockGroup, _) => {
            deletion.group = locks::take(scope, state, me, name, step, outcome)?;
            if outcome == Outcome::Done {
                Chain::Step(Step::ListGroup)
            } else {
                Chain::Fail(not_locked(outcome))
            }
        }
        (Step::ListGroup, _) => {
            let there = state.groups[g].has(n);
            find(there, outcome)?;
            if there {
                deletion.snapshots = scope.snapshots_at(state, n, group);
                next_snapshot(scope, deletion)
            } else if scope.design.skips_a_vanished_namespace() {
                Chain::Step(Step::UnlockGroup)
            } else {
                Chain::Fail(End::VANISHED)
            }
        }
        (Step::CheckProtected, Some(Id::Snapshot(_, Snapshot(oldest)))) => {
            let protected =
                state.snapshots[usize::from(oldest)].has(n) && state.protected.has(oldest);
            deletion.snapshots = deletion.snapshots.without(oldest);
            match (protected, outcome) {
                (false, Outcome::Done) => {
                    deletion.removal = Removal::of(oldest);
                    Chain::Remove(forget_snapshot::Step::LockSnapshot)
                }
                (true, Outcome::Refused) => {
                    deletion.kept = 1;
                    next_snapshot(scope, deletion)
                }
                (true, _) => return Err(Refusal::NotAllowed),
                (false, _) => return Err(Refusal::Allowed),
            }
        }
        (Step::ListGroupAgain, _) => {
            let there = state.groups[g].has(n);
            let empty = scope.snapshots_at(state, n, group).is_empty();
            match (there, empty, outcome) {
                (true, true, Outcome::Done) => Chain::Step(Step::UnlinkOwner),
                (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {
                    Chain::Step(Step::UnlockGroup)
                }
                (there, ..) => return Err(Refusal::found(there)),
            }
        }
        (Step::UnlinkOwner, _) => {
            set_owner::unlink(scope, state, (n, group));
            state.notes[g] = state.notes[g].without(n);
            Chain::Step(Step::RemoveGroup)
        }
        (Step::RemoveGroup, _) => {
            let there = state.groups[g].has(n);
            let empty = scope.snapshots_at(state, n, group).is_empty() && !state.owners[g].has(n);
            match (there, empty, outcome) {
                (true, true, Outcome::Done) => {
                    directories::remove_group(state, (n, group));
                    if deletion.group.is_old() {
                        deletion.group = deletion.group.given_up();
                        Chain::Step(Step::UnlockGroup)
                    } else {
                        Chain::Step(Step::UnlinkGroupLock)
                    }
                }
                (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {
                    Chain::Step(Step::UnlockGroup)
                }
                (there, ..) => return Err(Refusal::found(there)),
            }
        }
        (Step::UnlinkGroupLock, _) => {
            find(locks::unlink(state, name), outcome)?;
            deletion.group = deletion.group.given_up();
            Chain::Step(Step::UnlockGroup)
        }
        (Step::UnlockGroup, _) => {
            deletion.group = Hold::NONE;
            deletion.kept = 0;
            deletion.groups = deletion.groups.without(group);
            next_group(deletion)
        }
        (Step::RemoveType, _) => {
            directories::remove_type(state, n, outcome)?;
            Chain::Step(Step::RemoveChildren)
        }
        (Step::RemoveChildren, _) => {
            directories::remove_children(scope, state, n, outcome)?;
            Chain::Step(Step::RemoveNamespace)
        }
        (Step::RemoveNamespace, _) => {
            directories::remove_namespace(state, n, outcome)?;
            if outcome == Outcome::NotEmpty {
                deletion.left = 1;
            }
            next_namespace(state, me, deletion)
        }
        (Step::UnlockNamespace, _) => {
            namespaces::release(state, me);
            leave_namespaces(state, me)
        }
        (Step::ReleaseAll, _) => {
            namespaces::release_all(state, me);
            Chain::End
        }
        (Step::ListNamespaces | Step::CheckProtected, _) => return Err(Refusal::NotNext),
    })
}

/// A step of the removal of one snapshot. A protected one stays; any other failure ends the deletion.
fn removal_step(
    scope: &Scope,
    state: &mut State,
    me: id::Actor,
    deletion: &mut Locals,
    step: (forget_snapshot::Step, Option<Id>, Outcome),
) -> Result<Chain, Refusal> {
    let here = Namespace(deletion.namespace);
    let protects = matches!(
        step,
        (forget_snapshot::Step::CheckProtected, ..)
            | (forget_snapshot::Step::ListSnapshot, _, Outcome::Refused)
    );
    let removal = &mut deletion.removal;
    Ok(
        match removal.step(scope, state, me, here, Locks::Own, step)? {
            Then::Step(step) => Chain::Remove(step),
            Then::Fail(end) => {
                if protects {
                    deletion.kept = 1;
                } else {
                    state.actor_mut(me).end = end;
                }
                Chain::Remove(forget_snapshot::Step::ReleaseAll)
            }
            Then::End => match state.actor(me).end {
                End::NONE => next_snapshot(scope, deletion),
                end => Chain::Fail(end),
            },
        },
    )
}

/// The namespace that was listed last of those that are left; after the first one the locks are let go.
fn next_namespace(state: &State, me: id::Actor, deletion: &mut Locals) -> Chain {
    deletion.groups = Set::default();
    deletion.namespace = deletion.collected.top();
    deletion.collected = deletion.collected.without_top();
    if deletion.namespace == 0 {
        leave_namespaces(state, me)
    } else {
        Chain::Step(Step::ListGroups)
    }
}

/// The next group of the namespace, or the end of the namespace.
const fn next_group(deletion: &Locals) -> Chain {
    if deletion.groups.is_empty() {
        Chain::Step(Step::RemoveType)
    } else {
        Chain::Step(Step::LockGroup)
    }
}

/// The removal of the next snapshot, oldest first, or the end of the group.
fn next_snapshot(scope: &Scope, deletion: &mut Locals) -> Chain {
    if !deletion.snapshots.is_empty() {
        return Chain::Step(Step::CheckProtected);
    }
    deletion.removal = Removal::of(0);
    let by_directory = deletion.group.is_old();
    Chain::Step(if !scope.design.deletion_removes_groups(by_directory) {
        Step::UnlockGroup
    } else if scope.design.replaces_owner_file() {
        Step::ListGroupAgain
    } else if deletion.kept == 0 {
        Step::UnlinkOwner
    } else {
        Step::UnlockGroup
    })
}

/// The next lock of a namespace to let go, or the end.
fn leave_namespaces(state: &State, me: id::Actor) -> Chain {
    if state.actor(me).reach.has_any() {
        Chain::Step(Step::UnlockNamespace)
    } else {
        Chain::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, explore};
    use specs::{Design, Event, Scenario};

    /// The deletion and the removal that it runs open the lock file of the group twice.
    #[test]
    fn the_removal_of_a_snapshot_finds_the_group_locked_by_its_own_deletion() {
        let scenario = Scenario::named("deletion_meets_gc").unwrap();
        for design in [Design::HARDENED, Design::UPSTREAM, Design::NAMESPACE_LOCKS] {
            let scope = Scope::new(scenario, design, &[]);
            let options = Options {
                keep_graph: true,
                ..Options::default()
            };
            let graph = explore(&scope, &options).unwrap().graph.unwrap();
            let mut met = 0;
            for edge in &graph.edges {
                if let Event::Step { label, outcome, .. } = edge.action
                    && label.step == forget_snapshot::Step::LockGroup.into()
                {
                    assert_eq!(outcome, Outcome::WouldBlock);
                    met += 1;
                }
            }
            assert!(met > 0, "{}", design.name());
        }
    }
}
