//! Each clause of each property by itself: a state that only this clause refuses, and what it must not refuse.
//!
//! A mutant breaks a property somehow; of a sentence with several clauses it says nothing about the others. Here a state that is
//! accepted is changed in one place, and must be refused: whoever weakens a clause turns a line of this file red.

mod backups;
mod chunks;
mod locks;
mod moves;
mod places;
mod premises;
mod snapshots;

use super::*;
use crate::engine::{Options, explore};
use crate::journal::Kind;
use crate::locks::Name;
use crate::state::{
    Chunk, GROUPS, Held, Hold, Line, Manifest, NAMESPACES, Part, Pending, Reach, SNAPSHOTS,
};
use specs::mutant::{MUTANTS, Mutant};
use specs::scenario::{Environment, Start};
use specs::scenarios::SCENARIOS;
use specs::{Design, Event, LockClass, Outcome, Scenario};

fn scope(name: &str) -> Scope {
    Scope::new(Scenario::named(name).unwrap(), Design::HARDENED, &[])
}

fn mutant(name: &str) -> &'static Mutant {
    MUTANTS.iter().find(|mutant| mutant.name == name).unwrap()
}

/// The scenario and the bug of a mutant.
fn seeded(name: &str) -> Scope {
    let mutant = mutant(name);
    let scenario = Scenario::named(mutant.scenario).unwrap();
    Scope::new(scenario, mutant.design(), mutant.faults())
}

/// The first state in which a seeded bug breaks a property, and in which something holds.
fn broken(property: Property, scope: &Scope, wanted: impl Fn(&State) -> bool) -> State {
    reach(scope, |state| {
        !holds(property, scope, state) && wanted(state)
    })
}

fn holds(property: Property, scope: &Scope, state: &State) -> bool {
    (checked(property).condition)(scope, state)
}

/// A state that is accepted, and what is said of it once it was changed.
struct Judged<'s> {
    property: Property,
    scope: &'s Scope,
    base: State,
}

impl<'s> Judged<'s> {
    fn new(property: Property, scope: &'s Scope, base: State) -> Self {
        let judged = Self {
            property,
            scope,
            base,
        };
        judged.accepts("nothing", |_| {});
        judged
    }

    fn says(&self, edit: impl FnOnce(&mut State)) -> bool {
        let mut state = self.base;
        edit(&mut state);
        holds(self.property, self.scope, &state)
    }

    fn refuses(&self, what: &str, edit: impl FnOnce(&mut State)) {
        let (name, scenario) = (self.property.name(), self.scope.scenario.name);
        assert!(!self.says(edit), "{name} accepts {what} in {scenario}");
    }

    fn accepts(&self, what: &str, edit: impl FnOnce(&mut State)) {
        let (name, scenario) = (self.property.name(), self.scope.scenario.name);
        assert!(self.says(edit), "{name} refuses {what} in {scenario}");
    }
}

/// The first state that the search finds in which something holds.
fn reach(scope: &Scope, wanted: impl Fn(&State) -> bool) -> State {
    let options = Options {
        keep_graph: true,
        ..Options::default()
    };
    let states = explore(scope, &options).unwrap().graph.unwrap().states;
    states.into_iter().find(|state| wanted(state)).unwrap()
}

/// Every operation has ended well and holds nothing.
fn all_ended(state: &State, scope: &Scope) -> State {
    let mut ended = *state;
    for actor in scope.actors() {
        *ended.actor_mut(actor) = Actor {
            next: Next::FINISHED,
            end: End::DONE,
            ..Actor::default()
        };
    }
    ended
}

/// The first actor with a task like this.
fn actor(scope: &Scope, is_it: impl Fn(Task) -> bool) -> id::Actor {
    scope.actors().find(|a| is_it(scope.task_of(*a))).unwrap()
}

fn is_move(task: Task) -> bool {
    matches!(task, Task::MoveGroup { .. })
}

fn is_backup(task: Task) -> bool {
    matches!(task, Task::Backup { .. })
}

fn is_gc_task(task: Task) -> bool {
    matches!(task, Task::Gc { .. })
}

const ENDS: [End; 17] = [
    End::DONE,
    End::BUSY,
    End::TIMED_OUT,
    End::REFUSED,
    End::NO_SPACE,
    End::FOREIGN_LINE,
    End::BAD_ENTRY,
    End::VANISHED,
    End::STOPPED,
    End::NOT_VERIFIED,
    End::CUT_OFF,
    End::NO_NAMESPACE,
    End::NOT_EMPTY,
    End::NOT_OWNER,
    End::NOT_LATER,
    End::LEFT_OUT,
    End::NEW_GONE,
];

/// The namespaces of a scenario, the root namespace among them.
fn namespaces(scope: &Scope) -> Vec<u8> {
    scope.scenario.all_namespaces().map(|n| n.0).collect()
}

/// Two actors of two processes.
const TWO: &str = "move_meets_busy_snapshot";
