//! A trace as text: one line an event, one column an actor.

use specs::id::Actor;
use specs::{Event, Outcome, Scenario};

/// Width of a column. What is longer runs on to the right: no line has more than one event.
const WIDTH: usize = 26;

/// Draws the events of a scenario as lanes, numbered from 1.
pub fn draw<'a>(scenario: &Scenario, events: impl IntoIterator<Item = &'a Event>) -> String {
    let heads: Vec<String> = (0..scenario.actors.len())
        .map(|actor| head(scenario, actor))
        .collect();
    let mut text = line("", &heads);
    let bars = vec!["|".to_owned(); heads.len()];
    for (i, event) in events.into_iter().enumerate() {
        let mut cells = bars.clone();
        let number = (i + 1).to_string();
        match event {
            Event::Step {
                actor: Actor(actor),
                label,
                outcome,
            } => {
                cells[usize::from(*actor)] = cell(scenario, *label, *outcome);
                text += &line(&number, &cells);
            }
            Event::Killed { process } => {
                let name = scenario.processes[usize::from(process.0)];
                text += &line(&number, &[format!("-- the process {name} is killed --")]);
            }
            Event::Reloaded { process } => {
                let name = scenario.processes[usize::from(process.0)];
                text += &line(&number, &[format!("-- the process {name} is reloaded --")]);
            }
            Event::CutoffPassed => {
                text += &line(&number, &["-- the cutoff passes --".to_owned()]);
            }
        }
    }
    text
}

pub(crate) fn head(scenario: &Scenario, actor: usize) -> String {
    let (process, task) = scenario.actors[actor];
    let name = model::ops::op_of(task).name();
    format!("{name} in {}", scenario.processes[usize::from(process.0)])
}

pub(crate) fn cell(scenario: &Scenario, label: specs::Step<specs::Id>, outcome: Outcome) -> String {
    let step = label.name();
    let argument = label
        .argument()
        .map(|id| format!("({})", short(&scenario.path(id))));
    let outcome = if outcome == Outcome::Done {
        String::new()
    } else {
        format!(" -> {outcome:?}")
    };
    format!("{step}{}{outcome}", argument.unwrap_or_default())
}

/// The path with a digest cut down to its last four digits.
fn short(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, name)) if name.len() == 64 => format!("{directory}/..{}", &name[60..]),
        Some(_) | None => path.to_owned(),
    }
}

fn line(number: &str, cells: &[String]) -> String {
    let mut text = format!("{number:>3}  ");
    for cell in cells {
        // A cell that is too long hides the bars behind it.
        text.push_str(&format!("{cell:<WIDTH$}"));
        if cell.len() >= WIDTH {
            break;
        }
    }
    format!("{}\n", text.trim_end())
}
