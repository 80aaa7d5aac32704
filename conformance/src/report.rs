//! Draws one behaviour: a lane for each actor, as text or as a Mermaid sequence diagram; and its file.

use model::{Scope, State};
use serde::{Deserialize, Serialize};
use specs::{Event, Outcome, Scenario};
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
            events: events.iter().map(|e| e.map(|id| scope.scenario.path(id))).collect(),
        }
    }

    /// The events with the ids of a scenario; the first path that it does not know, otherwise.
    pub fn events_in(&self, scenario: &Scenario) -> Result<Vec<Event>, String> {
        let ids: Vec<_> = scenario.all_ids().into_iter().map(|id| (scenario.path(id), id)).collect();
        self.events
            .iter()
            .map(|event| {
                let mut unknown = None;
                let found = event.clone().map(|path| match ids.iter().find(|(p, _)| *p == path) {
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

/// Text lanes: a column for each actor, a line for each event.
pub fn lanes(scope: &Scope, events: &[Event]) -> String {
    let scenario = scope.scenario;
    let heads: Vec<String> = scope.actors().map(|actor| head(scope, actor)).collect();
    let mut cells: Vec<(usize, String)> = Vec::new();
    for event in events {
        match event {
            Event::Step { actor, label, outcome } => {
                cells.push((usize::from(actor.0), step_text(scenario, label, *outcome)));
            }
            Event::Killed { process } => {
                cells.push((usize::MAX, format!("-- process {} is killed --", name(scenario, *process))));
            }
            Event::CutoffPassed => cells.push((usize::MAX, "-- the cutoff passes --".to_owned())),
        }
    }
    let widths: Vec<usize> = (0..heads.len())
        .map(|lane| {
            let longest = cells.iter().filter(|(l, _)| *l == lane).map(|(_, text)| text.len()).max();
            longest.unwrap_or(0).max(heads[lane].len())
        })
        .collect();
    let mut text = String::new();
    let mut line = |number: &str, lane: usize, cell: &str| {
        let mut row = format!("{number:>4}  ");
        for (l, width) in widths.iter().enumerate() {
            let here = if l == lane { cell } else { "" };
            write!(row, "{here:width$}  ").unwrap_or_default();
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    let mut row = String::from("      ");
    for (head, width) in heads.iter().zip(&widths) {
        write!(row, "{head:width$}  ").unwrap_or_default();
    }
    for (n, (lane, cell)) in cells.iter().enumerate() {
        if *lane == usize::MAX {
            line(&(n + 1).to_string(), 0, cell);
        } else {
            line(&(n + 1).to_string(), *lane, cell);
        }
    }
    format!("{}\n{text}", row.trim_end())
}

/// A Mermaid sequence diagram.
pub fn mermaid(scope: &Scope, events: &[Event]) -> String {
    let scenario = scope.scenario;
    let mut text = String::from("sequenceDiagram\n");
    for actor in scope.actors() {
        writeln!(text, "    participant a{} as {}", actor.0, head(scope, actor)).unwrap_or_default();
    }
    let last = scope.actors().count().saturating_sub(1);
    for event in events {
        let line = match event {
            Event::Step { actor, label, outcome } => {
                let step = step_text(scenario, label, *outcome);
                format!("    a{0}->>a{0}: {1}", actor.0, step.replace(';', ","))
            }
            Event::Killed { process } => {
                format!("    Note over a0,a{last}: process {} is killed", name(scenario, *process))
            }
            Event::CutoffPassed => format!("    Note over a0,a{last}: the cutoff passes"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn head(scope: &Scope, actor: specs::id::Actor) -> String {
    let op = match scope.task_of(actor) {
        specs::scenario::Task::Gc { .. } => specs::Op::Gc,
        specs::scenario::Task::MoveGroup { .. } => specs::Op::MoveGroup,
        specs::scenario::Task::TakeLock { .. } => specs::Op::TakeLock,
    };
    format!("{} ({})", op.name(), name(scope.scenario, scope.process_of(actor)))
}

fn name(scenario: &Scenario, process: specs::id::Process) -> &'static str {
    scenario.processes[usize::from(process.0)]
}

/// A step in a lane: no operation, since the lane has it; chunks by their last digits; the outcome unless it is plain.
fn step_text(scenario: &Scenario, label: &specs::Step<specs::Id>, outcome: Outcome) -> String {
    let argument = label.argument().map(|id| match id {
        specs::Id::Chunk(_) => {
            let path = scenario.path(id);
            format!("chunk ..{}", &path[path.len() - 2..])
        }
        _ => scenario.path(id),
    });
    let mut text = label.name().to_owned();
    if let Some(argument) = argument {
        write!(text, " {argument}").unwrap_or_default();
    }
    if outcome != Outcome::Done {
        write!(text, " -> {outcome:?}").unwrap_or_default();
    }
    text
}

/// Whether every event of a trace is possible, one after the other; the states, or where and why not.
pub fn walk(scope: &Scope, events: &[Event]) -> Result<Vec<State>, (usize, model::Refusal)> {
    let mut states = vec![scope.start()];
    for (n, event) in events.iter().enumerate() {
        let next = scope.apply(&states[n], *event).map_err(|refusal| (n, refusal))?;
        states.push(next);
    }
    Ok(states)
}
