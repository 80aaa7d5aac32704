//! The generated parts of the pages: tables of what `specs` names, with numbers of runs of the model.

use crate::{root, runs};
use conformance::litmus::{self, Litmus, Memory, memory};
use model::Scope;
use model::verdict::{Claim, Completeness};
use specs::design::{CHANGES, PRESETS};
use specs::exception::EXCEPTIONS;
use specs::lock_class::{CLASSES, LockClass, Mode, Wait};
use specs::mutant::{MUTANTS, Mutant};
use specs::occurrences::Occurrences;
use specs::page::{self, Table};
use specs::property::Mood;
use specs::scenarios::SCENARIOS;
use specs::step::{Designs, LockUse};
use specs::{Design, Op, Property};
use std::collections::BTreeMap;
use std::fs;

/// The two designs of which every scenario is explored.
const DESIGNS: [Design; 2] = [Design::HARDENED, Design::UPSTREAM];

/// The properties that a run found violated.
fn violated(run: &runs::Run) -> Vec<&'static str> {
    let broken = |p: &&model::verdict::PropertyRecord<_, _>| p.claim == Claim::Always && p.hits > 0;
    run.properties
        .iter()
        .filter(broken)
        .map(|property| property.name)
        .collect()
}

fn code(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A number with a comma between thousands.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The scenarios: what was counted under either design, and what was found.
#[must_use]
pub fn scenario_counts() -> String {
    let mut table = Table::new(&["scenario", "design", "states", "edges", "depth", "verdict"]);
    for scenario in SCENARIOS {
        for design in DESIGNS {
            let run = runs::complete(scenario, design, &[]);
            let verdict = if run.holds() {
                "holds".to_owned()
            } else if run.completeness == Completeness::Complete {
                format!("violated: {}", code(&violated(&run)))
            } else {
                run.completeness.to_string()
            };
            table.row([
                format!("`{}`", scenario.name),
                design.name(),
                number(run.states),
                number(run.edges),
                run.depth.to_string(),
                verdict,
            ]);
        }
    }
    table.finish()
}

/// What happens in each scenario, as runs are compared with it.
#[must_use]
pub fn occurrences() -> String {
    let mut text = "```text\n".to_owned();
    for scenario in SCENARIOS {
        let run = runs::complete(scenario, Design::HARDENED, &[]);
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let names = scope.occurrences(&run.coverage).into_keys().collect();
        let found = Occurrences {
            states: run.states,
            edges: run.edges,
            names,
        };
        text += &found.print(scenario.name);
    }
    text + "```\n"
}

/// The gate in one table: what is explored, what is replayed, and what the published design breaks.
#[must_use]
pub fn gate() -> String {
    let mut table = Table::new(&[
        "scenario",
        "states",
        "edges",
        "replayed",
        "`hardened`",
        "`upstream` breaks",
    ]);
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.check) {
        let run = runs::complete(scenario, Design::HARDENED, &[]);
        let published = runs::complete(scenario, Design::UPSTREAM, &[]);
        let replayed = match (scenario.runs.replay, scenario.runs.kill) {
            (true, _) => "every edge",
            (false, true) => "a kill at every state",
            (false, false) => "",
        };
        table.row([
            format!("`{}`", scenario.name),
            number(run.states),
            number(run.edges),
            replayed.to_owned(),
            if run.holds() {
                "holds"
            } else {
                "does not hold"
            }
            .to_owned(),
            code(&violated(&published)),
        ]);
    }
    table.finish()
}

/// The scenarios: question, bounds, what lies outside, where each runs.
#[must_use]
pub fn scenario_questions() -> String {
    let mut text = String::new();
    for scenario in SCENARIOS {
        let runs = scenario.runs;
        let places: Vec<&str> = [
            (runs.check, "explored by the gate"),
            (runs.replay, "every edge replayed by the gate"),
            (runs.kill, "a kill at every (state, process) pair"),
        ]
        .into_iter()
        .filter_map(|(is_run, place)| is_run.then_some(place))
        .collect();
        let asked: Vec<&str> = scenario.properties.iter().map(|p| p.name()).collect();
        let calls = if scenario.splits_locks {
            "; locks are taken call by call"
        } else {
            ""
        };
        text += &format!(
            "### `{}`\n\n{}\n\n* Bounds: {}{calls}.\n* Outside: {}.\n* Run: {}.\n* Asked: {}.\n\n",
            scenario.name,
            scenario.question,
            page::bounds(scenario),
            scenario.outside,
            places.join("; "),
            code(&asked)
        );
    }
    text
}

/// How often each property was put to the test under the hardened design.
#[must_use]
pub fn property_counts() -> String {
    let mut table = Table::new(&[
        "property",
        "scenarios that test it",
        "states that test it",
        "found",
    ]);
    let runs: Vec<_> = SCENARIOS
        .iter()
        .map(|s| runs::complete(s, Design::HARDENED, &[]))
        .collect();
    for property in Property::ALL {
        let records: Vec<_> = runs
            .iter()
            .filter_map(|run| run.property(property.name()))
            .filter(|record| record.premise > 0)
            .collect();
        let (premise, hits) = records.iter().fold((0, 0), |(p, h), record| {
            (p + record.premise, h + record.hits)
        });
        let shortest = records
            .iter()
            .filter_map(|record| Some(record.first.as_ref()?.steps.len()))
            .min()
            .map_or_else(String::new, |len| format!("; shortest trace: {len} events"));
        let found = match property.entry().mood {
            Mood::Always => format!("{} violations", number(hits)),
            Mood::Sometimes => format!("{} states that show it{shortest}", number(hits)),
        };
        table.row([
            format!("`{}`", property.name()),
            records.len().to_string(),
            number(premise),
            found,
        ]);
    }
    table.finish()
}

/// The exceptions: what the hardened design breaks, where, how soon, and why it stays so.
#[must_use]
pub fn exceptions() -> String {
    let mut table = Table::new(&["property", "scenario", "broken after", "why it stays so"]);
    for exception in EXCEPTIONS {
        table.row([
            format!("`{}`", exception.property.name()),
            format!("`{}`", exception.scenario),
            format!("{} events", exception.after),
            exception.reason.to_owned(),
        ]);
    }
    table.finish()
}

/// The board: every mutant with the length of its shortest trace and whatever else it breaks.
#[must_use]
pub fn board() -> String {
    let mut table = Table::new(&[
        "mutant",
        "no.",
        "change",
        "scenario",
        "property that falls",
        "shortest trace",
        "model",
        "loom",
        "replay",
        "kill",
        "lock order",
        "falls with it",
        "what goes wrong",
    ]);
    let found_by = cells("found_by");
    let found_by_loom = cells("found_by_loom");
    for mutant in MUTANTS {
        let finders = found_by.get(mutant.name).map_or("", String::as_str);
        let finds = |finder: &str| {
            if finders.split(' ').any(|other| other == finder) {
                "yes".to_owned()
            } else {
                "-".to_owned()
            }
        };
        let loom = match found_by_loom.get(mutant.name) {
            Some(cell) if cell.starts_with("found") => "yes",
            Some(cell) if cell.starts_with("survives") => "no",
            Some(_) | None => "-",
        };
        table.row([
            format!("`{}`", mutant.name),
            mutant.number.to_owned(),
            page::variant(mutant.variant),
            format!("`{}`", mutant.scenario),
            format!("`{}`", mutant.property.name()),
            if mutant.is_equivalent {
                "equivalent".to_owned()
            } else {
                format!("{} events", runs::shortest(mutant).1.steps.len())
            },
            finds("model"),
            loom.to_owned(),
            finds("replay"),
            finds("kill"),
            finds("lock_order"),
            code(&falls_with(mutant)),
            mutant.story.to_owned(),
        ]);
    }
    table.finish()
}

/// What the tests of the mutants have pinned: the name of each, and its cell.
///
/// # Panics
///
/// If the snapshot cannot be read.
fn cells(snapshot: &str) -> BTreeMap<String, String> {
    let path = root().join(format!("tests/snapshots/mutants__{snapshot}.snap"));
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    text.lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
        .collect()
}

fn falls_with(mutant: &Mutant) -> Vec<&'static str> {
    let run = runs::complete(
        runs::named(mutant.scenario),
        mutant.design(),
        mutant.faults(),
    );
    let mut names = violated(&run);
    names.retain(|name| *name != mutant.property.name());
    names
}

/// Which mutants break a property, their own or not, each with the scenario in which it is asked.
#[must_use]
pub fn breakers(property: Property) -> String {
    let mut table = Table::new(&["mutant", "scenario", "shortest trace"]);
    for mutant in MUTANTS {
        let probe = Mutant {
            property,
            ..*mutant
        };
        let asks = runs::named(mutant.scenario).properties.contains(&property);
        let is_own = mutant.property == property && !mutant.is_equivalent;
        if asks && (is_own || falls_with(mutant).contains(&property.name())) {
            table.row([
                format!("`{}`", mutant.name),
                format!("`{}`", mutant.scenario),
                format!("{} events", runs::shortest(&probe).1.steps.len()),
            ]);
        }
    }
    table.finish()
}

/// A property as a quoted sentence.
#[must_use]
pub fn sentence(property: Property) -> String {
    format!("> {}\n", property.entry().sentence)
}

/// Which class of lock keeps which operations apart.
#[must_use]
pub fn conflicts() -> String {
    let mut headings = vec!["who comes".to_owned()];
    headings.extend(
        Op::ALL
            .iter()
            .map(|op| format!("while `{}` holds", op.name())),
    );
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for comes in Op::ALL {
        let mut cells = vec![format!("`{}`", comes.name())];
        cells.extend(Op::ALL.iter().map(|holds| meeting(*comes, *holds)));
        table.row(cells);
    }
    table.finish()
}

/// What an operation meets while another one holds what it holds, class by class.
fn meeting(comes: Op, holds: Op) -> String {
    let mut meets = Vec::new();
    for class in CLASSES {
        let theirs = taken(holds, class.class);
        let conflict = taken(comes, class.class).into_iter().find(|(mode, _)| {
            theirs
                .iter()
                .any(|(other, _)| *mode == Mode::Exclusive || *other == Mode::Exclusive)
        });
        if let Some((_, wait)) = conflict {
            let how = match wait {
                Wait::No => "refused".to_owned(),
                Wait::Seconds(seconds) => format!("waits {seconds} s"),
                Wait::Forever => "waits".to_owned(),
            };
            meets.push(format!("{}: {how}", class.class.name()));
        }
    }
    if meets.is_empty() {
        "nothing".to_owned()
    } else {
        meets.join("; ")
    }
}

/// The ways in which an operation takes locks of a class, by itself or in the operation that it runs as a part.
fn taken(op: Op, class: LockClass) -> Vec<(Mode, Wait)> {
    op.rows()
        .filter_map(|row| match row.lock {
            Some(LockUse::Take(c, mode, wait) | LockUse::Within(c, mode, wait)) if c == class => {
                Some((mode, wait))
            }
            Some(
                LockUse::Take(..) | LockUse::Within(..) | LockUse::Release(_) | LockUse::Unlink(_),
            )
            | None => None,
        })
        .collect()
}

/// The steps that some designs have and others have not.
#[must_use]
pub fn rows_that_differ() -> String {
    let mut table = Table::new(&["step", "upstream", "hardened", "where it is there"]);
    for row in Op::ALL.iter().flat_map(|op| op.table()) {
        let place = match row.designs {
            Designs::All => continue,
            Designs::With(change) => format!("with `{}`", change.name()),
            Designs::Without(change) => format!("without `{}`", change.name()),
        };
        let has = |design| {
            if row.designs.contains(design) {
                "yes"
            } else {
                "no"
            }
        };
        table.row([
            format!("`{}`", row.step.full_name()),
            has(Design::UPSTREAM).to_owned(),
            has(Design::HARDENED).to_owned(),
            place,
        ]);
    }
    table.finish()
}

/// The litmus tests: what is assumed, who relies on it, and what each world says. The tests of the litmus tests see to
/// it that what is claimed here of loom and of the model is what these say.
#[must_use]
pub fn litmus() -> String {
    let mut text = String::new();
    for (about, tests) in Litmus::groups() {
        let mut table = Table::new(&[
            "test",
            "what is assumed",
            "who relies on it",
            "the condition",
            "on Linux",
            "under loom",
            "in the model",
        ]);
        for litmus in *tests {
            let memory = match (memory::lacks(litmus), litmus.memory) {
                (Some(lacks), _) => format!("- ({lacks})"),
                (None, Memory::Same) => litmus.expected.name().to_owned(),
                (None, Memory::Differs(claimed, why)) => format!("{claimed}: {why}"),
            };
            let model = match litmus.model {
                litmus::Model::Says(claimed, question) => {
                    format!("{claimed}, `{}`", question.scenario)
                }
                litmus::Model::Lacks(what) => format!("- ({what})"),
            };
            table.row([
                format!("`{}`", litmus.name),
                litmus.assumes.to_owned(),
                litmus.relied_on_by.to_owned(),
                format!("`{}`", litmus.condition_text()),
                litmus.expected.name().to_owned(),
                memory,
                model,
            ]);
        }
        text += &format!("### {about}\n\n{}\n", table.finish());
    }
    text
}

/// Sizes that the architecture page speaks of.
#[must_use]
pub fn sizes() -> String {
    let mut table = Table::new(&["what", "how many"]);
    let rows = Op::ALL.iter().map(|op| op.table().len()).sum::<usize>();
    for (what, count) in [
        ("bytes of a state", size_of::<model::State>()),
        ("operations", Op::ALL.len()),
        ("steps", rows),
        ("lock classes", CLASSES.len()),
        ("properties", Property::ALL.len()),
        ("mutants", MUTANTS.len()),
        ("scenarios", SCENARIOS.len()),
        ("designs with a name", PRESETS.len()),
        ("changes that designs are made of", CHANGES.len()),
        ("litmus tests", Litmus::all().count()),
    ] {
        table.row([what.to_owned(), count.to_string()]);
    }
    table.finish()
}

/// The patches of the worked example, each with the file that it changes.
pub const EXAMPLE_PATCHES: [(&str, &str); 3] = [
    (
        "specs/changing-a-lock/row.patch",
        "specs/src/ops/move_group.rs",
    ),
    (
        "specs/changing-a-lock/arm.patch",
        "model/src/ops/move_group.rs",
    ),
    (
        "specs/changing-a-lock/line.patch",
        "impl/src/ops/move_group.rs",
    ),
];

/// One of them, as a block.
///
/// # Panics
///
/// If it cannot be read.
#[must_use]
pub fn example_patch(number: usize) -> String {
    let path = root().join(EXAMPLE_PATCHES[number].0);
    let patch = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    format!("```diff\n{patch}```\n")
}

/// The packages of the workspace and which of the others each may use, from their manifests.
///
/// # Panics
///
/// If a manifest cannot be read.
#[must_use]
pub fn arrows() -> String {
    let mut table = Table::new(&["package", "folder", "uses", "to check itself"]);
    for (package, folder) in crate::PACKAGES {
        let path = root().join(folder).join("Cargo.toml");
        let manifest = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let [normal, dev] = crate::uses(&manifest).map(|all| {
            let ours = crate::PACKAGES.iter().map(|(name, _)| *name);
            code(
                &ours
                    .filter(|name| all.iter().any(|used| used == name))
                    .collect::<Vec<_>>(),
            )
        });
        table.row([format!("`{package}`"), format!("`{folder}/`"), normal, dev]);
    }
    table.finish()
}
