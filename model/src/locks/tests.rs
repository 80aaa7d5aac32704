//! How a wait for a lock can end, in every state of many graphs, asked of whoever has the lock and not of the arms.

use super::{Name, calls, file_at, namespaces, visit_holds};
use crate::Scope;
use crate::engine::{Options, explore};
use crate::state::{Fixed, Pending, State};
use specs::id::{Actor, Id};
use specs::lock_class::{Mode, Wait};
use specs::scenario::Generations;
use specs::scenarios::SCENARIOS;
use specs::step::LockUse;
use specs::{Design, Event, Label, LockClass, Outcome, Scenario};
use stateright::Model as _;
use std::collections::BTreeMap;

/// States of each graph that are looked at, from the start on.
const LOOKED_AT: u64 = 5_000;

/// A lock that a step is about to wait for.
enum Wanted {
    Journal,
    /// The file or directory with this number.
    File(Name, u8),
}

/// The lock that a step of an actor asks for with its next call, if it is one with a bounded wait.
fn wanted(scope: &Scope, state: &State, me: Actor, label: Label<Id>) -> Option<(Wanted, Mode)> {
    let row = label.step.row();
    let Some(lock @ LockUse::Take(class, mode, _)) = row.lock else {
        return None;
    };
    let is_bounded = matches!(lock.wait(scope.design), Some(Wait::Seconds(_)));
    if !is_bounded || !row.outcomes.contains(&Outcome::TimedOut) {
        return None;
    }
    let wanted = match class {
        LockClass::MoveJournal => Wanted::Journal,
        LockClass::Namespace => {
            let next = namespaces::next(scope, state, me)?;
            assert_eq!(next.take, label.step);
            Wanted::File(Name::Namespace(next.namespace.0), namespaces::FILE)
        }
        LockClass::Group | LockClass::Snapshot | LockClass::Manifest => {
            let name = calls::name_of(scope, me, label).expect("its file can be unlinked");
            let pending = state.actor(me).pending;
            if calls::splits(scope, label.step) {
                // Before its file is open and after it is locked, nothing is waited for.
                let is_next = pending != Pending::NONE && !pending.hold().is_locked();
                is_next.then(|| Wanted::File(name, pending.hold().number()))?
            } else {
                Wanted::File(name, file_at(state, name))
            }
        }
        LockClass::GcSlot
        | LockClass::Store
        | LockClass::GroupDirectory
        | LockClass::SnapshotDirectory
        | LockClass::ChunkFile
        | LockClass::ChunkStore
        | LockClass::Cache
        | LockClass::ActiveOperations => panic!("{label:?} waits for a lock of another kind"),
    };
    Some((wanted, mode))
}

/// The actors that have the lock in a way that excludes the mode.
fn holders(scope: &Scope, state: &State, wanted: &Wanted, mode: Mode) -> Vec<Actor> {
    let mut holders = Vec::new();
    match *wanted {
        Wanted::Journal => {
            let actors = scope.actors();
            holders.extend(actors.filter(|a| state.actor(*a).held.is_locked(Fixed::JOURNAL)));
        }
        Wanted::File(name, number) => visit_holds(scope, state, &mut |actor, other, hold| {
            let is_it = other == name && hold.number() == number && hold.is_locked();
            if is_it && !(hold.is_shared() && mode == Mode::Shared) {
                holders.push(actor);
            }
        }),
    }
    holders
}

/// How often a lock of each class was waited for that somebody of the own process, or of another one, had.
type Met = BTreeMap<(&'static str, bool), u64>;

fn waits_end(scope: &Scope, met: &mut Met) {
    let options = Options {
        keep_graph: true,
        max_states: Some(LOOKED_AT),
        ..Options::default()
    };
    let graph = explore(scope, &options).unwrap().graph.unwrap();
    let mut events = Vec::new();
    for state in &graph.states {
        events.clear();
        scope.actions(state, &mut events);
        for me in scope.actors() {
            for label in scope.labels(state, me) {
                let Some((wanted, mode)) = wanted(scope, state, me, label) else {
                    continue;
                };
                let holders = holders(scope, state, &wanted, mode);
                let ends = events.contains(&Event::Step {
                    actor: me,
                    label,
                    outcome: Outcome::TimedOut,
                });
                assert_eq!(
                    ends,
                    !holders.is_empty(),
                    "{}, {}: {me:?} waits with {label:?} for {holders:?} in {state:?}",
                    scope.scenario.name,
                    scope.design.name()
                );
                for holder in holders.into_iter().filter(|holder| *holder != me) {
                    let class = match wanted {
                        Wanted::Journal => LockClass::MoveJournal,
                        Wanted::File(name, _) => name.class(),
                    };
                    let is_own = scope.process_of(holder) == scope.process_of(me);
                    *met.entry((class.name(), is_own)).or_default() += 1;
                }
            }
        }
    }
}

/// Nobody knows how long somebody else keeps a lock, be it a thread of the same process.
#[test]
fn a_bounded_wait_can_end_whichever_process_the_holder_is_in() {
    let mut met = Met::new();
    for design in [
        Design::HARDENED,
        Design::UPSTREAM,
        Design::NAMESPACE_LOCKS_WAIT,
    ] {
        let is_asked = |scenario: &&Scenario| scenario.generations == Generations::NEW;
        for scenario in SCENARIOS.iter().filter(is_asked) {
            for splits_locks in [false, true] {
                let mut scope = Scope::new(scenario, design, &[]);
                scope.splits_locks = splits_locks;
                waits_end(&scope, &mut met);
            }
        }
    }
    for class in [
        LockClass::Manifest,
        LockClass::MoveJournal,
        LockClass::Namespace,
    ] {
        for is_own in [false, true] {
            assert!(met.contains_key(&(class.name(), is_own)), "{met:?}");
        }
    }
}
