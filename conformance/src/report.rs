//! One behaviour as a file that reproduces it, and as a Mermaid sequence diagram.

use crate::drawing::{Drawing, actor_name};
use model::{Scope, State};
use serde::{Deserialize, Serialize};
use specs::{Event, Id, Scenario};
use std::collections::HashMap;

/// One behaviour with all that is needed to reproduce it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceFile {
    /// `trace`.
    #[serde(default = "trace")]
    pub kind: String,
    /// The version of the format, which has changed once.
    pub version: u32,
    /// The scenario.
    pub scenario: String,
    /// The design.
    pub design: String,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<String>,
    /// The property that the last state breaks or witnesses.
    pub property: String,
    /// The events, with paths.
    pub events: Vec<Event<String>>,
}

/// The version of the format of traces. In the first one a label was a step with its path in it.
pub const VERSION: u32 = 2;

/// What tells a trace of another version, and what is no trace, before the rest is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// `trace`, or the kind of another record.
    #[serde(default = "trace")]
    pub kind: String,
    /// The version; none in the first.
    #[serde(default = "first")]
    pub version: u32,
}

const fn first() -> u32 {
    1
}

/// The kind of a trace, which a file may leave out.
pub const TRACE: &str = "trace";

fn trace() -> String {
    TRACE.to_owned()
}

impl TraceFile {
    /// A behaviour with its paths spelled out.
    pub fn new(scope: &Scope, mutant: Option<&str>, property: &str, events: &[Event]) -> Self {
        Self {
            kind: trace(),
            version: VERSION,
            scenario: scope.scenario.name.to_owned(),
            design: scope.design.name(),
            mutant: mutant.map(str::to_owned),
            property: property.to_owned(),
            events: events
                .iter()
                .map(|e| e.map(|id| scope.scenario.path(id)))
                .collect(),
        }
    }

    /// The events with the ids of a scenario; what the first event names that the scenario does not have, otherwise.
    pub fn events_in(&self, scenario: &Scenario) -> Result<Vec<Event>, String> {
        let ids = Ids::of(scenario);
        let known = |(number, event): (usize, &Event<String>)| {
            let event = match stranger(scenario, event) {
                Some(stranger) => Err(stranger),
                None => ids
                    .event(event)
                    .map_err(|path| format!("nothing at {path}")),
            };
            event.map_err(|lack| format!("event {number}: {} has {lack}", scenario.name))
        };
        (1..).zip(&self.events).map(known).collect()
    }
}

/// The actor or process of an event that a scenario does not have: `no actor 9`.
fn stranger(scenario: &Scenario, event: &Event<String>) -> Option<String> {
    let (what, number, count) = match event {
        Event::Step { actor, .. } | Event::Reached { actor, .. } => {
            ("actor", actor.0, scenario.actors.len())
        }
        Event::Killed { process } | Event::Reloaded { process } => {
            ("process", process.0, scenario.processes.len())
        }
        Event::FlagSet | Event::CutoffPassed => return None,
    };
    (usize::from(number) >= count).then(|| format!("no {what} {number}"))
}

/// What the paths of a scenario stand for.
#[derive(Clone, Debug)]
pub struct Ids(HashMap<String, Id>);

impl Ids {
    /// Every path that can be the argument of a label.
    pub fn of(scenario: &Scenario) -> Self {
        let ids = scenario.all_ids().into_iter();
        Self(ids.map(|id| (scenario.path(id), id)).collect())
    }

    /// The event with an id; its path, if the scenario does not know it.
    pub fn event(&self, event: &Event<String>) -> Result<Event, String> {
        let mut unknown = None;
        let found = event.clone().map(|path| match self.0.get(&path) {
            Some(id) => *id,
            None => {
                unknown = Some(path);
                Id::Prefix
            }
        });
        unknown.map_or(Ok(found), Err)
    }
}

/// A Mermaid sequence diagram; an actor's lane is thickened for each lock that it has.
pub fn mermaid(drawing: &Drawing) -> String {
    let scope = &drawing.scope;
    let mut text = String::from("sequenceDiagram\n");
    for actor in scope.actors() {
        let name = actor_name(scope, actor);
        text += &format!("    participant a{} as {name}\n", actor.0);
    }
    let last = scope.actors().count().saturating_sub(1);
    if drawing.lines.is_empty() {
        for mark in &drawing.marks {
            text += &format!("    Note over a0,a{last}: {}\n", drawing.told(mark));
        }
    }
    let mut open = vec![false; drawing.locks.len()];
    for line in &drawing.lines {
        let said = drawing.text(line).replace(';', ",");
        text += &match line.actor {
            Some(actor) => format!("    a{0}->>a{0}: {said}\n", actor.0),
            None => format!("    Note over a0,a{last}: {said}\n"),
        };
        if let Some(mark) = drawing.mark_of(line) {
            text += &format!("    Note over a0,a{last}: {mark}\n");
        }
        for (lock, open) in drawing.locks.iter().zip(&mut open) {
            let held = lock.spans.iter().any(|span| span.covers(line.last));
            let word = match (*open, held) {
                (false, true) => "activate",
                (true, false) => "deactivate",
                (false, false) | (true, true) => continue,
            };
            text += &format!("    {word} a{}\n", lock.actor.0);
            *open = held;
        }
    }
    text
}

/// Whether every event of a trace is possible, one after the other; the states, or where and why not.
pub fn walk(scope: &Scope, events: &[Event]) -> Result<Vec<State>, (usize, model::Refusal)> {
    let mut states = vec![scope.start()];
    for (n, event) in events.iter().enumerate() {
        let next = scope
            .apply(&states[n], *event)
            .map_err(|refusal| (n, refusal))?;
        states.push(next);
    }
    Ok(states)
}
