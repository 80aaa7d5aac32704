//! The locks of namespaces: which ones an actor takes, in which order, and how they exclude each other.
//!
//! Their files are never unlinked, and what an actor takes is fixed by its task and its design. So a state says
//! only how far each actor has come; see `Reach`.

use crate::faults;
use crate::locks::{Name, visit_holds};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Hold, Reach, State};
use specs::id::{Actor, Namespace, Snapshot};
use specs::lock_class::{Mode, Wait};
use specs::ops::{backup, delete_namespace, move_group, prune, take_namespace_lock, verify};
use specs::scenario::{Scenario, Task};
use specs::{Design, LockClass, Outcome, Step};

/// A lock of a namespace, as an actor takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamespaceLock {
    /// Which namespace.
    pub(crate) namespace: Namespace,
    /// How.
    mode: Mode,
    /// Number of locks of the same chain that are taken before it.
    before: usize,
    /// Number of those that are taken after it.
    missing: usize,
    /// The step that takes it.
    pub(crate) take: Step,
    /// The step that lets it go.
    pub(crate) release: Step,
}

/// The steps of one chain of locks: for the own namespace, for each above it, and to let one go.
struct Steps {
    own: Step,
    above: Step,
    release: Step,
}

impl Steps {
    fn new<S: Into<Step>>(own: S, above: S, release: S) -> Self {
        Self {
            own: own.into(),
            above: above.into(),
            release: release.into(),
        }
    }
}

/// The locks of namespaces that a task takes under a design, in the order in which it takes them and lets them go.
pub(crate) fn of_task(
    scenario: &Scenario,
    design: Design,
    task: Task,
    backup_to: &dyn Fn(Snapshot) -> Namespace,
) -> Vec<NamespaceLock> {
    let shared = |namespace, take: Step, release: Step| {
        let steps = Steps::new(take, take, release);
        chain(scenario, design, namespace, Mode::Shared, &steps)
    };
    match task {
        Task::TakeNamespaceLock { first, second } => {
            use take_namespace_lock::Step as Own;
            let taken = |(namespace, mode)| {
                let own = match mode {
                    Mode::Exclusive => Own::LockExclusive,
                    Mode::Shared => Own::LockShared,
                };
                let steps = Steps::new(own, Own::LockShared, Own::UnlockNamespace);
                chain(scenario, design, namespace, mode, &steps)
            };
            let mut all = taken(first);
            all.extend(second.into_iter().flat_map(taken));
            all
        }
        _ if !design.locks_namespaces() => Vec::new(),
        Task::Backup { snapshot } => {
            use backup::Step as Own;
            let (take, release) = (Own::LockNamespace, Own::UnlockNamespace);
            shared(backup_to(snapshot), take.into(), release.into())
        }
        Task::Prune { namespace, .. } => {
            use prune::Step as Own;
            let (take, release) = (Own::LockNamespace, Own::UnlockNamespace);
            shared(namespace, take.into(), release.into())
        }
        Task::Verify { namespace, .. } => {
            use verify::Step as Own;
            let (take, release) = (Own::LockNamespace, Own::UnlockNamespace);
            shared(namespace, take.into(), release.into())
        }
        Task::MoveGroup { source, target, .. } => {
            use move_group::Step as Own;
            let take: Step = Own::LockSourceNamespace.into();
            let mut all = shared(source, take, Own::UnlockSourceNamespace.into());
            let take = Own::LockTargetNamespace.into();
            all.extend(shared(target, take, Own::UnlockTargetNamespace.into()));
            all
        }
        Task::DeleteNamespace { namespace } => {
            use delete_namespace::Step as Own;
            let (own, above) = (Own::LockNamespace, Own::LockAncestor);
            let steps = Steps::new(own, above, Own::UnlockNamespace);
            chain(scenario, design, namespace, Mode::Exclusive, &steps)
        }
        Task::Gc { .. }
        | Task::ForgetSnapshot { .. }
        | Task::SetNotes { .. }
        | Task::AccessChunk { .. }
        | Task::SetOwner { .. }
        | Task::TakeLock { .. } => Vec::new(),
    }
}

/// The lock of a namespace and the shared ones of those above it, without the root namespace.
fn chain(
    scenario: &Scenario,
    design: Design,
    namespace: Namespace,
    mode: Mode,
    steps: &Steps,
) -> Vec<NamespaceLock> {
    let lock = |namespace, mode, take| NamespaceLock {
        namespace,
        mode,
        before: 0,
        missing: 0,
        take,
        release: steps.release,
    };
    let mut all = Vec::new();
    // Whoever shares the root namespace needs no lock at all.
    if namespace.0 != 0 || mode == Mode::Exclusive {
        all.push(lock(namespace, mode, steps.own));
    }
    if design.locks_ancestors(mode) {
        let above = scenario.chain(namespace).skip(1);
        all.extend(above.map(|namespace| lock(namespace, Mode::Shared, steps.above)));
    }
    if design.locks_ancestors_first() {
        all.reverse();
    }
    let length = all.len();
    for (before, lock) in all.iter_mut().enumerate() {
        lock.before = before;
        lock.missing = length - 1 - before;
    }
    all
}

/// The lock that an actor takes next; none once it has all of them.
pub(crate) fn next(scope: &Scope, state: &State, me: Actor) -> Option<NamespaceLock> {
    let taken = state.actor(me).reach.taken();
    scope.namespace_locks[usize::from(me.0)].get(taken).copied()
}

/// The lock that it lets go next; none if it has none.
pub(crate) fn oldest(scope: &Scope, state: &State, me: Actor) -> Option<NamespaceLock> {
    let reach = state.actor(me).reach;
    let all = &scope.namespace_locks[usize::from(me.0)];
    reach.has_any().then(|| all[reach.let_go()])
}

/// Takes the next lock in one step.
pub(crate) fn take(
    scope: &Scope,
    state: &mut State,
    me: Actor,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let lock = next(scope, state, me).ok_or(Refusal::NotNext)?;
    let skips = faults::skips(scope, lock.take);
    if skips && outcome != Outcome::Done {
        return Err(Refusal::NotInDesign(outcome));
    }
    let by = holder(scope, state, lock).filter(|_| !skips);
    let wait = lock.take.row().lock.and_then(|l| l.wait(scope.design));
    match (by, outcome) {
        (None, Outcome::Done) => {
            let actor = state.actor_mut(me);
            actor.reach = actor.reach.further();
            Ok(())
        }
        (Some(_), Outcome::WouldBlock) if !scope.waits(lock.take) => Ok(()),
        (Some(_), Outcome::TimedOut) if matches!(wait, Some(Wait::Seconds(_))) => Ok(()),
        (Some(by), _) => Err(Refusal::Held(LockClass::Namespace, by.0)),
        (None, _) => Err(Refusal::Free(LockClass::Namespace)),
    }
}

/// Who holds a lock that this one is in conflict with; it may be the actor itself, through another open file.
fn holder(scope: &Scope, state: &State, lock: NamespaceLock) -> Option<Actor> {
    let mut found = None;
    visit_holds(scope, state, &mut |actor, name, theirs| {
        if name == Name::Namespace(lock.namespace.0)
            && theirs.is_locked()
            && !(theirs.is_shared() && lock.mode == Mode::Shared)
        {
            found = Some(actor);
        }
    });
    found
}

/// Lets the lock go that was taken first.
pub(crate) fn release(state: &mut State, me: Actor) {
    let actor = state.actor_mut(me);
    actor.reach = actor.reach.back();
}

/// Lets all of them go.
pub(crate) fn release_all(state: &mut State, me: Actor) {
    state.actor_mut(me).reach = Reach::NONE;
}

/// Visits those that an actor has. It relies on the locks of a chain while it has all of them; a fault leaves it
/// with that belief only.
pub(super) fn visit(
    scope: &Scope,
    state: &State,
    me: Actor,
    visit: &mut impl FnMut(Actor, Name, Hold),
) {
    let reach = state.actor(me).reach;
    if !reach.has_any() {
        return;
    }
    let all = &scope.namespace_locks[usize::from(me.0)];
    for (number, lock) in all
        .iter()
        .enumerate()
        .take(reach.taken())
        .skip(reach.let_go())
    {
        let mut hold = Hold::open(FILE);
        if number + lock.missing < reach.taken() && number - lock.before >= reach.let_go() {
            hold = hold.relied_on();
        }
        if lock.mode == Mode::Shared {
            hold = hold.shared();
        }
        if !faults::skips(scope, lock.take) {
            hold = hold.locked();
        }
        visit(me, Name::Namespace(lock.namespace.0), hold);
    }
}

/// Generation of the one file that the lock of a namespace ever has.
pub(super) const FILE: u8 = 1;

/// Whether nobody relies on a lock of a namespace, or of one below it, that somebody else relies on exclusively.
pub(crate) fn exclusive_is_alone(scope: &Scope, state: &State) -> bool {
    let mut alone = true;
    visit_relied_on(scope, state, &mut |owner, Namespace(above), hold| {
        if !hold.is_shared() {
            visit_relied_on(scope, state, &mut |other, Namespace(below), _| {
                alone &= other == owner || !scope.below[usize::from(above)].has(below);
            });
        }
    });
    alone
}

/// Whether an actor relies on the exclusive lock of a namespace.
pub(crate) fn relies_on_exclusive(scope: &Scope, state: &State, me: Actor) -> bool {
    let mut relies = false;
    visit(scope, state, me, &mut |_, _, hold| {
        relies |= hold.is_relied_on() && !hold.is_shared();
    });
    relies
}

fn visit_relied_on(scope: &Scope, state: &State, visit: &mut impl FnMut(Actor, Namespace, Hold)) {
    visit_holds(scope, state, &mut |actor, name, hold| {
        if let (Name::Namespace(n), true) = (name, hold.is_relied_on()) {
            visit(actor, Namespace(n), hold);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::design::Change;

    fn taken(design: Design, actor: u8) -> Vec<(u8, bool)> {
        let scenario = Scenario::named("takers_of_nested_namespaces").unwrap();
        let scope = Scope::new(scenario, design, &[]);
        let all = &scope.namespace_locks[usize::from(actor)];
        all.iter()
            .map(|lock| (lock.namespace.0, lock.mode == Mode::Shared))
            .collect()
    }

    #[test]
    fn a_chain_goes_from_the_inside_out_and_shares_what_lies_above() {
        assert_eq!(taken(Design::HARDENED, 0), [(1, false)]);
        assert_eq!(taken(Design::HARDENED, 1), [(2, false), (1, true)]);
        assert_eq!(
            taken(Design::HARDENED, 2),
            [(3, true), (2, true), (1, true)]
        );
    }

    #[test]
    fn a_design_may_reverse_a_chain_or_leave_out_what_lies_above() {
        let outside_in = Design::NAMESPACE_LOCKS
            .with(Change::NamespaceAncestorsFirst)
            .with(Change::NamespaceLocksBlock);
        assert_eq!(taken(outside_in, 1), [(1, true), (2, false)]);
        assert_eq!(
            taken(
                Design::NAMESPACE_LOCKS.with(Change::NamespaceExclusiveAlone),
                1
            ),
            [(2, false)]
        );
        assert_eq!(
            taken(
                Design::NAMESPACE_LOCKS.with(Change::NamespaceSharedAlone),
                2
            ),
            [(3, true)]
        );
    }

    #[test]
    fn only_designs_with_such_locks_take_them_in_an_operation() {
        let scenario = Scenario::named("deletion_of_target_meets_move").unwrap();
        for design in specs::mutant::designs() {
            let scope = Scope::new(scenario, design, &[]);
            let counts: Vec<usize> = scope.namespace_locks.iter().map(Vec::len).collect();
            let expected = if design.locks_namespaces() {
                [2, 1]
            } else {
                [0, 0]
            };
            assert_eq!(counts, expected, "{}", design.name());
        }
    }

    #[test]
    fn an_actor_relies_on_a_chain_while_it_has_all_of_it() {
        let scenario = Scenario::named("takers_of_nested_namespaces").unwrap();
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let me = Actor(1);
        let mut state = scope.start();
        let relies = |state: &State| relies_on_exclusive(&scope, state, me);
        assert_eq!(take(&scope, &mut state, me, Outcome::Done), Ok(()));
        assert!(!relies(&state));
        assert_eq!(take(&scope, &mut state, me, Outcome::Done), Ok(()));
        assert!(relies(&state) && next(&scope, &state, me).is_none());
        release(&mut state, me);
        assert!(!relies(&state));
        assert_eq!(oldest(&scope, &state, me).unwrap().namespace, Namespace(1));
        release(&mut state, me);
        assert_eq!(state.actor(me).reach, Reach::NONE);
    }
}
