//! Runs of the model whose numbers stand in the pages.

use model::engine::{self, Options};
use model::verdict::{Record, Trace};
use model::{Scope, State};
use specs::mutant::{Fault, Mutant};
use specs::{Design, Event, Scenario};
use std::collections::{HashMap, VecDeque};

/// What a run of the model has to say.
pub type Run = Record<State, Event>;

/// The scenario of that name.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn named(name: &str) -> &'static Scenario {
    Scenario::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"))
}

/// A scenario under a design, perhaps with a fault, explored completely.
///
/// # Panics
///
/// If the engine refuses the model, which is a defect of the model.
#[must_use]
pub fn complete(scenario: &'static Scenario, design: Design, fault: Option<Fault>) -> Run {
    explore(&Scope::new(scenario, design, fault), None)
}

/// A shortest trace that breaks the property of a mutant, and the scenario that it is a trace of.
///
/// # Panics
///
/// If there is none: a mutant that survives is a defect of the suite.
#[must_use]
pub fn shortest(mutant: &Mutant) -> (&'static Scenario, Trace<State, Event>) {
    let scenario = named(mutant.scenario);
    let scope = Scope::new(scenario, mutant.design(), mutant.fault()).asking(mutant.property);
    let name = mutant.property.name();
    let record = explore(&scope, Some(name));
    let trace = record.property(name).and_then(|property| property.first.clone());
    (scenario, trace.unwrap_or_else(|| panic!("{} survives {}", mutant.name, mutant.scenario)))
}

fn explore(scope: &Scope, stop_at: Option<&str>) -> Run {
    let options =
        Options { threads: 2, stop_at: stop_at.map(ToOwned::to_owned), ..Options::default() };
    match engine::explore(scope, &options) {
        Ok(exploration) => exploration.record,
        Err(refusal) => panic!("{}: {refusal}", scope.scenario.name),
    }
}

/// The shortest trace to an event that `ends`, among the behaviours without any event that is `left_out`.
///
/// For a weakness that another one, with a shorter trace, would hide. None if the event cannot be reached so.
#[must_use]
pub fn shortest_to(
    scope: &Scope,
    left_out: impl Fn(&Event) -> bool,
    ends: impl Fn(&Event) -> bool,
) -> Option<Vec<Event>> {
    let start = scope.start();
    let mut from: HashMap<State, Option<(State, Event)>> = HashMap::from([(start, None)]);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        let mut last = None;
        scope.successors(&state, &mut |event, next| {
            if left_out(&event) || last.is_some() {
                return;
            }
            if ends(&event) {
                last = Some(event);
            }
            from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                Some((state, event))
            });
        });
        if let Some(event) = last {
            let mut events = vec![event];
            let mut at = state;
            while let Some((before, event)) = from[&at] {
                events.push(event);
                at = before;
            }
            events.reverse();
            return Some(events);
        }
    }
    None
}
