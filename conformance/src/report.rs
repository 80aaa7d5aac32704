//! One behaviour as a file that reproduces it, and as a Mermaid sequence diagram.

use crate::lanes;
use model::{Scope, State};
use serde::{Deserialize, Serialize};
use specs::{Event, Scenario};
use std::fmt::Write as _;

/// One behaviour with all that is needed to reproduce it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceFile {
    /// The scenario.
    pub scenario: String,
    /// The design.
    pub design: String,
    /// The mutant, if there is one.
    pub mutant: Option<String>,
    /// The property that the last state breaks or witnesses.
    pub property: String,
    /// The events, with paths.
    pub events: Vec<Event<String>>,
}

impl TraceFile {
    /// A behaviour with its paths spelled out.
    pub fn new(scope: &Scope, mutant: Option<&str>, property: &str, events: &[Event]) -> Self {
        Self {
            scenario: scope.scenario.name.to_owned(),
            design: scope.design.name().to_owned(),
            mutant: mutant.map(str::to_owned),
            property: property.to_owned(),
            events: events
                .iter()
                .map(|e| e.map(|id| scope.scenario.path(id)))
                .collect(),
        }
    }

    /// The events with the ids of a scenario; the first path that it does not know, otherwise.
    pub fn events_in(&self, scenario: &Scenario) -> Result<Vec<Event>, String> {
        let ids: Vec<_> = scenario
            .all_ids()
            .into_iter()
            .map(|id| (scenario.path(id), id))
            .collect();
        self.events
            .iter()
            .map(|event| {
                let mut unknown = None;
                let found = event
                    .clone()
                    .map(|path| match ids.iter().find(|(p, _)| *p == path) {
                        Some((_, id)) => *id,
                        None => {
                            unknown = Some(path);
                            ids[0].1
                        }
                    });
                unknown.map_or(Ok(found), Err)
            })
            .collect()
    }
}

/// A Mermaid sequence diagram.
pub fn mermaid(scope: &Scope, events: &[Event]) -> String {
    let scenario = scope.scenario;
    let mut text = String::from("sequenceDiagram\n");
    for actor in scope.actors() {
        writeln!(
            text,
            "    participant a{} as {}",
            actor.0,
            lanes::head(scenario, usize::from(actor.0))
        )
        .unwrap_or_default();
    }
    let last = scope.actors().count().saturating_sub(1);
    for event in events {
        let line = match event {
            Event::Step {
                actor,
                label,
                outcome,
            } => {
                let step = lanes::cell(scenario, *label, *outcome);
                format!("    a{0}->>a{0}: {1}", actor.0, step.replace(';', ","))
            }
            Event::Killed { process } => {
                format!(
                    "    Note over a0,a{last}: process {} is killed",
                    name(scenario, *process)
                )
            }
            Event::Reloaded { process } => {
                format!(
                    "    Note over a0,a{last}: process {} is reloaded",
                    name(scenario, *process)
                )
            }
            Event::CutoffPassed => format!("    Note over a0,a{last}: the cutoff passes"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn name(scenario: &Scenario, process: specs::id::Process) -> &'static str {
    scenario.processes[usize::from(process.0)]
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
