//! `lockstep list`: what exists.

use super::output::{Output, count};
use crate::litmus::Litmus;
use crate::record::{Listed, ListedChange, ListedLock};
use clap::ValueEnum;
use specs::design::{About, CHANGES, Change, PRESETS};
use specs::lock_class::{CLASSES, Class};
use specs::mutant::MUTANTS;
use specs::question::sets::SETS;
use specs::question::tree::TREES;
use specs::scenarios::SCENARIOS;
use specs::{Op, Property, page};

/// A kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// The operations.
    Operations,
    /// Their steps.
    Steps,
    /// The lock classes.
    Locks,
    /// The properties.
    Properties,
    /// The seeded bugs.
    Mutants,
    /// The scenarios.
    Scenarios,
    /// The designs of the protocol that have names.
    Designs,
    /// The changes that designs are made of.
    Changes,
    /// The sets of generated questions.
    Sets,
    /// The trees that questions are asked on.
    Trees,
    /// The tasks that questions are made of.
    Tasks,
    /// The litmus tests.
    Litmus,
}

const ALL: &[What] = &[
    What::Operations,
    What::Steps,
    What::Locks,
    What::Properties,
    What::Mutants,
    What::Scenarios,
    What::Designs,
    What::Changes,
    What::Sets,
    What::Trees,
    What::Tasks,
    What::Litmus,
];

pub(super) fn run(what: Option<What>, output: &Output) -> u8 {
    let chosen = what.map_or_else(|| ALL.to_vec(), |what| vec![what]);
    for what in chosen {
        let list = listed(what);
        if !output.is_json() {
            let width = list
                .iter()
                .map(|listed| listed.name.len())
                .max()
                .unwrap_or(0);
            for listed in &list {
                let kind = listed.change.as_ref().map_or(listed.kind, |c| c.nature);
                output.text(&format!(
                    "{kind:11} {:width$}  {}{}",
                    listed.name,
                    listed.sentence,
                    details(listed)
                ));
            }
        }
        for listed in &list {
            output.record(listed);
        }
    }
    0
}

fn listed(what: What) -> Vec<Listed> {
    let one = |kind, name: &str, sentence: &str| Listed {
        kind,
        name: name.to_owned(),
        sentence: sentence.to_owned(),
        lock: None,
        change: None,
        changes: None,
        questions: None,
    };
    match what {
        What::Operations => Op::ALL
            .iter()
            .map(|op| one("operation", op.name(), op.sentence()))
            .collect(),
        What::Steps => {
            let rows = Op::ALL.iter().flat_map(|op| op.table());
            rows.map(|row| {
                let name = row.step.full_name();
                one("step", &name, row.sentence)
            })
            .collect()
        }
        What::Locks => CLASSES.iter().map(lock).collect(),
        What::Properties => Property::ALL
            .iter()
            .map(|property| one("property", property.name(), property.entry().sentence))
            .collect(),
        What::Mutants => MUTANTS
            .iter()
            .map(|m| one("mutant", m.name, m.story))
            .collect(),
        What::Scenarios => SCENARIOS
            .iter()
            .map(|s| one("scenario", s.name, s.question))
            .collect(),
        What::Designs => PRESETS
            .iter()
            .map(|preset| Listed {
                changes: Some(preset.design.changes().map(Change::name).collect()),
                ..one("design", preset.name, preset.sentence)
            })
            .collect(),
        What::Changes => CHANGES
            .iter()
            .map(|about| Listed {
                change: Some(change(about)),
                ..one("change", about.name, about.sentence)
            })
            .collect(),
        What::Sets => SETS
            .iter()
            .map(|set| Listed {
                questions: Some(set.questions().len()),
                ..one("set", set.name, set.sentence)
            })
            .collect(),
        What::Trees => TREES
            .iter()
            .map(|tree| one("tree", tree.name, tree.sentence))
            .collect(),
        What::Tasks => {
            let shorts = Op::ALL
                .iter()
                .flat_map(|op| op.shorts().iter().map(move |short| (op, short)));
            shorts
                .map(|(op, short)| {
                    let sentence = format!("{}. {}", short.usage, op.sentence());
                    one("task", short.name, &sentence)
                })
                .collect()
        }
        What::Litmus => Litmus::all()
            .map(|litmus| one("litmus_test", litmus.name, litmus.assumes))
            .collect(),
    }
}

fn change(about: &'static About) -> ListedChange {
    let all = CHANGES.iter().map(|about| about.change);
    let excludes = all.filter(|other| other.is_excluded_by(about.change));
    ListedChange {
        nature: about.kind.name(),
        finding: about.finding,
        kept_by: about.kept_by,
        requires: about.requires.iter().map(|other| other.name()).collect(),
        excludes: excludes.map(Change::name).collect(),
    }
}

/// What else there is to say of a change or a set, behind its sentence.
fn details(listed: &Listed) -> String {
    let mut parts = Vec::new();
    if let Some(change) = &listed.change {
        if let Some(finding) = change.finding {
            parts.push(format!("mends {finding}"));
        }
        if !change.requires.is_empty() {
            parts.push(format!("requires {}", change.requires.join(", ")));
        }
        if !change.excludes.is_empty() {
            parts.push(format!("excludes {}", change.excludes.join(", ")));
        }
    }
    if let Some(questions) = listed.questions {
        parts.push(format!("{} questions", count(questions as u64)));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!(" ({})", parts.join("; "))
}

fn lock(class: &'static Class) -> Listed {
    Listed {
        kind: "lock",
        name: class.class.name().to_owned(),
        sentence: format!(
            "{} ({}), rank {}, {}",
            class.kind, class.number, class.rank, class.path
        ),
        lock: Some(ListedLock {
            rank: class.rank,
            path: class.path,
            owner: class.owner,
            mode: class.mode,
            modes: class.modes,
            wait: page::wait_of_class(class),
            taken_by: class.taken_by(),
            removed_by: class.removed_by,
        }),
        change: None,
        changes: None,
        questions: None,
    }
}
