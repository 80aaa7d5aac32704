//! Runs of the model whose numbers stand in the pages.

use foldhash::fast::FixedState;
use model::engine::{self, Options};
use model::verdict::{Record, Trace};
use model::{Scope, State};
use specs::mutant::{Fault, Mutant};
use specs::{Design, Event, Scenario};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

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

/// What was explored already, so that no page explores it again.
static EXPLORED: Mutex<BTreeMap<String, Arc<Run>>> = Mutex::new(BTreeMap::new());

/// A scenario under a design, perhaps with faults, explored completely.
///
/// # Panics
///
/// If the engine refuses the model, which is a defect of the model.
#[must_use]
pub fn complete(scenario: &'static Scenario, design: Design, faults: &[Fault]) -> Arc<Run> {
    let key = format!("{} {} {faults:?}", scenario.name, design.name());
    // One at a time: each has its own threads, and the next page may want the same.
    let mut explored = EXPLORED.lock().unwrap_or_else(PoisonError::into_inner);
    let run = explored
        .entry(key)
        .or_insert_with(|| Arc::new(explore(&Scope::new(scenario, design, faults), None)));
    Arc::clone(run)
}

/// A scope that asks what it asks, explored completely.
///
/// # Panics
///
/// If the engine refuses the model, which is a defect of the model.
#[must_use]
pub fn explored(scope: &Scope) -> Run {
    explore(scope, None)
}

/// A shortest trace that breaks the property of a mutant, and the scenario that it is a trace of.
///
/// # Panics
///
/// If there is none: a mutant that survives is a defect of the suite.
#[must_use]
pub fn shortest(mutant: &Mutant) -> (&'static Scenario, Trace<State, Event>) {
    let scenario = named(mutant.scenario);
    let scope = Scope::new(scenario, mutant.design(), mutant.faults()).asking(mutant.property);
    let name = mutant.property.name();
    let record = explore(&scope, Some(name));
    let trace = record
        .property(name)
        .and_then(|property| property.first.clone());
    (
        scenario,
        trace.unwrap_or_else(|| panic!("{} survives {}", mutant.name, mutant.scenario)),
    )
}

fn explore(scope: &Scope, stop_at: Option<&str>) -> Run {
    let options = Options {
        threads: 2,
        stop_at: stop_at.map(ToOwned::to_owned),
        ..Options::default()
    };
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
    // The states in the order in which they were found, each with the number of the one before it.
    let mut found: Vec<(State, usize, Option<Event>)> = vec![(scope.start(), 0, None)];
    // Never iterated, so the order of the map does not matter.
    let mut known: HashMap<State, (), FixedState> = HashMap::default();
    known.insert(scope.start(), ());
    let mut at = 0;
    while let Some((state, ..)) = found.get(at).copied() {
        let mut last = None;
        scope.successors(&state, &mut |event, next| {
            if last.is_some() || left_out(&event) {
                return;
            }
            if ends(&event) {
                last = Some(event);
            } else if known.insert(next, ()).is_none() {
                found.push((next, at, Some(event)));
            }
        });
        if let Some(last) = last {
            let mut events = vec![last];
            while let (_, before, Some(event)) = found[at] {
                events.push(event);
                at = before;
            }
            events.reverse();
            return Some(events);
        }
        at += 1;
    }
    None
}
