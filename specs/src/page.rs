//! Prints the generated parts of the pages beside this crate; the prose around them is written by hand.

use crate::design::{CHANGES, Change, Design, PRESETS};
use crate::lock_class::{CLASSES, Class, LockClass, Mode, Wait};
use crate::mutant::{Fault, MUTANTS, Variant};
use crate::op::Op;
use crate::property::{Mood, Property};
use crate::scenario::Scenario;
use crate::step::{Designs, LockUse, Row};
use std::fmt::Write as _;

/// A Markdown table.
pub struct Table {
    text: String,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut text = format!("| {} |\n|", headings.join(" | "));
        for _ in headings {
            text.push_str("---|");
        }
        text.push('\n');
        Self { text }
    }

    /// Adds a row; a bar in a cell is escaped.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.text.push('|');
        for cell in cells {
            // Writing to a string does not fail.
            write!(self.text, " {} |", cell.as_ref().replace('|', "\\|")).unwrap_or_default();
        }
        self.text.push('\n');
    }

    /// The text of the table.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Replaces what stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
///
/// Returns nothing if the page has no such part.
pub fn replace_part(page: &str, name: &str, content: &str) -> Option<String> {
    let begin = format!("<!-- begin: {name} -->\n");
    let end = format!("<!-- end: {name} -->");
    let from = page.find(&begin)? + begin.len();
    let to = from + page[from..].find(&end)?;
    Some(format!("{}{content}{}", &page[..from], &page[to..]))
}

/// The step table of an operation.
pub fn steps(op: Op) -> String {
    let mut table = Table::new(&[
        "step",
        "what it does",
        "lock",
        "ends with",
        "designs",
        "in Proxmox Backup",
    ]);
    for row in op.table() {
        table.row([
            format!("`{}`", row.step.name()),
            row.sentence.to_owned(),
            lock_use(row),
            outcomes(row),
            designs(row),
            format!("`{}`", row.upstream),
        ]);
    }
    table.finish()
}

fn lock_use(row: &Row) -> String {
    match row.lock {
        None => String::new(),
        Some(LockUse::Take(class, mode, wait)) => {
            format!(
                "takes {} ({}, {})",
                class.name(),
                mode_name(mode),
                wait_of(class, wait)
            )
        }
        Some(LockUse::Within(class, mode, wait)) => {
            format!(
                "within: {} ({}, {})",
                class.name(),
                mode_name(mode),
                wait_name(wait)
            )
        }
        Some(LockUse::Release(class)) => format!("lets {} go", class.name()),
        Some(LockUse::Unlink(class)) => format!("unlinks the file of {}", class.name()),
    }
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Shared => "shared",
        Mode::Exclusive => "exclusive",
    }
}

/// How long a step waits for a lock; for that of a namespace the design decides.
fn wait_of(class: LockClass, wait: Wait) -> String {
    if class == LockClass::Namespace {
        "waits as the design says".to_owned()
    } else {
        wait_name(wait)
    }
}

fn wait_name(wait: Wait) -> String {
    match wait {
        Wait::No => "no wait".to_owned(),
        Wait::Seconds(seconds) => format!("waits {seconds} s"),
        Wait::Forever => "waits".to_owned(),
    }
}

fn outcomes(row: &Row) -> String {
    let names: Vec<String> = row
        .outcomes
        .iter()
        .map(|outcome| format!("{outcome:?}"))
        .collect();
    names.join(", ")
}

/// The designs that a row belongs to, in words.
fn designs(row: &Row) -> String {
    match row.designs {
        Designs::All => "all".to_owned(),
        Designs::With(change) => format!("with `{}`", change.name()),
        Designs::Without(change) => format!("without `{}`", change.name()),
    }
}

/// How long those who take a lock of a class wait.
pub fn wait_of_class(class: &Class) -> String {
    let wait = wait_of(class.class, class.wait);
    match class.waits_otherwise {
        Some(who) => format!("{wait}; {who}"),
        None => wait,
    }
}

/// Owner and mode of a lock's file, if it has one.
fn owner_and_mode(class: &Class) -> String {
    if class.owner == "-" {
        class.owner.to_owned()
    } else {
        format!("{}, {}", class.owner, class.mode)
    }
}

/// The lock classes.
pub fn locks() -> String {
    let mut table = Table::new(&[
        "rank",
        "class",
        "no.",
        "kind",
        "path",
        "owner, mode",
        "modes",
        "wait",
        "file removed by",
        "taken by",
    ]);
    for class in CLASSES {
        let in_code = |taker: String| match taker.split_once(' ') {
            Some((step, rest)) if step.contains('.') => format!("`{step}` {rest}"),
            None => format!("`{taker}`"),
            Some(_) => taker,
        };
        let takers: Vec<String> = class.taken_by().into_iter().map(in_code).collect();
        let modes: Vec<&str> = class.modes.iter().map(|mode| mode_name(*mode)).collect();
        table.row([
            class.rank.to_string(),
            class.class.name().to_owned(),
            class.number.to_owned(),
            class.kind.to_owned(),
            format!("`{}`", class.path),
            owner_and_mode(class),
            modes.join(", "),
            wait_of_class(class),
            class.removed_by.to_owned(),
            takers.join(", "),
        ]);
    }
    table.finish()
}

/// The properties.
pub fn properties() -> String {
    let mut table = Table::new(&[
        "property",
        "sentence",
        "asked when",
        "without it a user loses",
        "kept by",
        "broken by",
    ]);
    for property in Property::ALL {
        let entry = property.entry();
        let broken: Vec<String> = MUTANTS
            .iter()
            .filter(|mutant| mutant.property == *property && !mutant.is_equivalent)
            .map(|mutant| format!("`{}`", mutant.name))
            .collect();
        let broken = match entry.mood {
            Mood::Always => broken.join(", "),
            Mood::Sometimes => "(must be reached)".to_owned(),
        };
        table.row([
            format!("`{}`", property.name()),
            entry.sentence.to_owned(),
            entry.premise.to_owned(),
            entry.loses.to_owned(),
            entry.kept_by.to_owned(),
            broken,
        ]);
    }
    table.finish()
}

/// The designs that have names.
pub fn presets() -> String {
    let mut table = Table::new(&["design", "release", "what it is", "written from `upstream`"]);
    for preset in PRESETS {
        let changes: Vec<String> = preset
            .design
            .changes()
            .map(|change| format!("`+{}`", change.name()))
            .collect();
        table.row([
            format!("`{}`", preset.name),
            preset.release.unwrap_or("-").to_owned(),
            preset.sentence.to_owned(),
            if preset.design == Design::HARDENED {
                "all mends".to_owned()
            } else {
                changes.join(" ")
            },
        ]);
    }
    table.finish()
}

/// The changes that a design is made of.
pub fn changes() -> String {
    let list = |changes: &[Change]| {
        let names: Vec<String> = changes
            .iter()
            .map(|other| format!("`{}`", other.name()))
            .collect();
        names.join(", ")
    };
    let mut table = Table::new(&[
        "change",
        "kind",
        "what it does",
        "mends",
        "requires",
        "excludes",
    ]);
    for about in CHANGES {
        let finding = about
            .finding
            .map(|page| format!("[{page}](findings/{page}.md)"));
        let excluded: Vec<Change> = CHANGES
            .iter()
            .map(|other| other.change)
            .filter(|other| other.is_excluded_by(about.change))
            .collect();
        table.row([
            format!("`{}`", about.name),
            about.kind.name().to_owned(),
            about.sentence.to_owned(),
            finding.unwrap_or_default(),
            list(about.requires),
            list(&excluded),
        ]);
    }
    table.finish()
}

/// What a mutant runs, in a few words.
pub fn variant(variant: Variant) -> String {
    let faults = variant.faults.iter().map(|fault| at_step(*fault));
    let design = (variant.design != Design::HARDENED || variant.faults.is_empty())
        .then(|| format!("design `{}`", variant.design));
    design
        .into_iter()
        .chain(faults)
        .collect::<Vec<_>>()
        .join(", and ")
}

fn at_step(fault: Fault) -> String {
    let what = match fault {
        Fault::Skip(_) => "is skipped",
        Fault::Wait(_) => "waits",
    };
    let step = fault.step();
    format!("`{}` {what}", step.full_name())
}

/// The bounds of a scenario, in a few words.
pub fn bounds(scenario: &Scenario) -> String {
    let mut parts = vec![
        plural(scenario.namespaces.len() + 1, "namespace"),
        plural(scenario.snapshots.len(), "snapshot"),
        plural(usize::from(scenario.chunks), "chunk"),
        plural(scenario.actors.len() - scenario.sequels.len(), "actor"),
        plural(scenario.processes.len(), "process").replace("processs", "processes"),
    ];
    if !scenario.sequels.is_empty() {
        parts.push(plural(scenario.actors.len(), "task"));
    }
    let environment = scenario.environment;
    for (count, name) in [
        (environment.kills, "kill"),
        (environment.cutoff_passes, "passing of the cutoff"),
        (environment.full_tmpfs, "full tmpfs"),
        (environment.no_inode, "missing inode"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    parts.join(", ")
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_generated_part_of_a_page_is_replaced() {
        let page = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n";
        let new = replace_part(page, "x", "new\n");
        assert_eq!(
            new.as_deref(),
            Some("a\n<!-- begin: x -->\nnew\n<!-- end: x -->\nb\n")
        );
        assert_eq!(replace_part(page, "y", ""), None);
    }
}
