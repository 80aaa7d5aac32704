//! The generated parts of the page of questions, and of what the README says of them.

use crate::parts::number;
use specs::Op;
use specs::page::Table;
use specs::question::disturbance::Disturbance;
use specs::question::sets::{SETS, STANDARD, Set};
use specs::question::tree::TREES;

/// What may disturb the actors of a question or a scenario.
#[must_use]
pub fn disturbances() -> String {
    let mut table = Table::new(&["mode", "what happens once"]);
    for one in Disturbance::ALL {
        table.row([format!("`@{}`", one.name()), one.sentence().to_owned()]);
    }
    table.finish()
}

/// The sets of generated questions, with what the hardened design makes of those that the gate asks.
#[must_use]
pub fn question_sets() -> String {
    let mut table = Table::new(&["set", "what is asked", "questions", "in the gate"]);
    for set in SETS {
        table.row([
            format!("`{}`", set.name),
            set.sentence.to_owned(),
            number(set.questions().len() as u64),
            if set.gate { "yes" } else { "with `--deep`" }.to_owned(),
        ]);
    }
    table.finish()
}

/// The sets that the gate asks, a line each.
#[must_use]
pub fn sets_of_the_gate() -> String {
    let sets = SETS.iter().filter(|set| set.gate);
    let line = |set: &Set| format!("* `{}`: {}\n", set.name, set.sentence);
    sets.map(line).collect()
}

/// The short names of tasks.
#[must_use]
pub fn short_tasks() -> String {
    let mut table = Table::new(&["task", "operation"]);
    for op in Op::ALL {
        for short in op.shorts() {
            table.row([format!("`{}`", short.usage), format!("`{}`", op.name())]);
        }
    }
    table.finish()
}

/// The trees that questions are asked on.
#[must_use]
pub fn trees() -> String {
    let mut table = Table::new(&["tree", "what it holds"]);
    for tree in TREES {
        table.row([format!("`{}`", tree.name), tree.sentence.to_owned()]);
    }
    table.finish()
}

/// The tasks of the standard set.
#[must_use]
pub fn standard_tasks() -> String {
    let tasks: Vec<String> = STANDARD.iter().map(|task| format!("`{task}`")).collect();
    tasks.join(", ") + "\n"
}
