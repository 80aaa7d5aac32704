//! The generated parts of the pages of the findings: traces, and the table of all findings.

use crate::{drawn, races, runs};
use model::Scope;
use specs::design::{About, CHANGES, Kind, PRESETS};
use specs::mutant::{MUTANTS, Mutant};
use specs::page::Table;
use specs::race::COMPARED;
use specs::{Design, Event, Outcome, Property};

/// The page of each finding, and the mutants that stand for it.
pub const FINDINGS: &[(&str, &[&str])] = &[
    (
        "drain_forgets_pending_rename",
        &["upstream/drain_forgets_pending_rename"],
    ),
    (
        "torn_append",
        &[
            "upstream/torn_append_loses_entry",
            "upstream/torn_append_stops_gc",
        ],
    ),
    (
        "vanished_snapshot_stops_gc",
        &[
            "upstream/vanished_snapshot_stops_gc",
            "upstream/removed_namespace_stops_gc",
        ],
    ),
    (
        "failed_move_leaves_group",
        &["upstream/failed_move_leaves_group"],
    ),
    (
        "vanished_previous_snapshot",
        &[
            "upstream/running_backup_hides_vanished_snapshot",
            "hardened-lists_again_for_every_vanished_file",
            "hardened-lists_names_again",
        ],
    ),
    (
        "reused_after_move",
        &[
            "upstream/reused_after_move",
            "hardened-marks_group_of_a_missing_entry",
        ],
    ),
    (
        "group_without_owner",
        &["upstream/group_without_owner_stays_unusable"],
    ),
    (
        "verify_sets_good_chunk_aside",
        &["upstream/verify_sets_good_chunk_aside"],
    ),
    (
        "protection_looked_for_too_early",
        &[
            "upstream/protection_looked_for_too_early",
            "hardened-finds_protection_in_the_listing",
        ],
    ),
    (
        "names_without_things",
        &[
            "upstream/moved_snapshot_fails_verify",
            "upstream/vanished_snapshot_fails_prune",
            "upstream/vanished_snapshot_hides_group",
            "upstream/removal_fails_when_done",
            "upstream/forgotten_previous_fails_backup",
        ],
    ),
    (
        "created_before_locked",
        &[
            "upstream/aborted_backup_leaves_group",
            "upstream/refused_backup_leaves_snapshot",
            "upstream/snapshot_is_removed_before_its_lock",
            "upstream/group_without_owner_fails_backup",
        ],
    ),
    (
        "move_ignores_manifest_lock",
        &[
            "upstream/move_ignores_manifest_lock",
            "upstream/move_unlinks_manifest_lock",
        ],
    ),
    (
        "aborted_backup_ignores_manifest_lock",
        &[
            "upstream/notes_outlive_aborted_backup",
            "upstream/aborted_backup_unlinks_manifest_lock",
        ],
    ),
    (
        "killed_removal_leaves_manifest",
        &["upstream/killed_removal_leaves_manifest"],
    ),
    (
        "no_inode_for_the_last_lock",
        &["hardened-makes_lock_of_manifest_first"],
    ),
    (
        "removed_namespace_returns",
        &[
            "upstream/removed_namespace_returns",
            "upstream/moved_group_brings_namespace_back",
        ],
    ),
    (
        "owner_written_in_place",
        &["upstream/owner_written_in_place"],
    ),
    (
        "flag_after_reload",
        &[
            "upstream/flag_after_reload",
            "upstream/flag_after_reload_notes",
        ],
    ),
];

/// What the weakness of a page breaks besides the properties of its mutants, each under `upstream`.
pub const BROKEN_AS_WELL: &[Broken] = &[
    Broken {
        page: "drain_forgets_pending_rename",
        number: "-",
        property: Property::NewPathImpliesJournalEntry,
        scenario: "two_gc_runs_meet_move",
        story: "The same: the snapshot is at its new path in the time of a run whose journal does not name it.",
    },
    Broken {
        page: "verify_sets_good_chunk_aside",
        number: "R10",
        property: Property::InsertedChunkIsThere,
        scenario: "insert_meets_set_aside",
        story: "The same, call by call: an insert has written the chunk after the read that failed, and before the rename.",
    },
    Broken {
        page: "group_without_owner",
        number: "-",
        property: Property::WhatIsLeftCanBeUsedAgain,
        scenario: "killed_first_backup_meets_backup",
        story: "The same, asked of what is left: whoever is killed between creating a group and writing its owner leaves a group that no later backup can use.",
    },
    Broken {
        page: "flag_after_reload",
        number: "W15",
        property: Property::LockedSnapshotStays,
        scenario: "old_backup_meets_new_forget",
        story: "The same, to its end: the new process removes the snapshot that the backup of the old one has locked.",
    },
    Broken {
        page: "flag_after_reload",
        number: "W15",
        property: Property::GroupWithSnapshotHasOwner,
        scenario: "old_backup_meets_new_forget",
        story: "The same: the new process finds the group empty and removes its owner file while the backup of the old one creates its snapshot.",
    },
];

/// A property that a weakness breaks, without a mutant of its own.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// The page of the finding.
    pub page: &'static str,
    /// Its number in the reading notes, or `-`.
    pub number: &'static str,
    /// The property.
    pub property: Property,
    /// The scenario that shows it.
    pub scenario: &'static str,
    /// What goes wrong, in a sentence.
    pub story: &'static str,
}

fn broken_as_well(page: &str) -> impl Iterator<Item = &'static Broken> {
    BROKEN_AS_WELL
        .iter()
        .filter(move |broken| broken.page == page)
}

fn mutant(name: &str) -> &'static Mutant {
    MUTANTS
        .iter()
        .find(|mutant| mutant.name == name)
        .unwrap_or_else(|| panic!("there is no mutant {name}"))
}

/// All findings in one table.
#[must_use]
pub fn index() -> String {
    let mut table = Table::new(&[
        "finding",
        "mended by",
        "no.",
        "property that falls",
        "scenario",
        "what goes wrong",
    ]);
    for (page, mutants) in FINDINGS {
        let mended_by: Vec<String> = mends_of(page)
            .map(|about| format!("`{}`", about.name))
            .collect();
        let mended_by = mended_by.join(", ");
        let of_mutants = mutants.iter().map(|name| {
            let mutant = mutant(name);
            (
                mutant.number,
                mutant.property,
                mutant.scenario,
                mutant.story,
            )
        });
        let others = broken_as_well(page).map(|b| (b.number, b.property, b.scenario, b.story));
        for (number, property, scenario, story) in of_mutants.chain(others) {
            table.row([
                format!("[{page}]({page}.md)"),
                mended_by.clone(),
                number.to_owned(),
                format!("`{}`", property.name()),
                format!("`{scenario}`"),
                story.to_owned(),
            ]);
        }
    }
    table.finish()
}

/// The mends that have a page: each by name, in the order of the changes.
fn mends_of(page: &str) -> impl Iterator<Item = &'static About> {
    let mends = CHANGES.iter().filter(|about| about.kind == Kind::Mend);
    mends.filter(move |about| about.finding == Some(page))
}

/// The changes that mend a weakness, and which releases have it: for each of its mutants, and what else it breaks.
///
/// # Panics
///
/// If no mend has the page.
#[must_use]
pub fn mends(page: &str) -> String {
    let mut table = Table::new(&["mend", "what it does"]);
    for about in mends_of(page) {
        table.row([format!("`{}`", about.name), about.sentence.to_owned()]);
    }
    assert!(mends_of(page).next().is_some(), "nothing mends {page}");
    let mut text = table.finish();
    let Some((_, mutants)) = FINDINGS.iter().find(|(name, _)| *name == page) else {
        return text;
    };
    let of_mutants = mutants.iter().map(|name| {
        let mutant = mutant(name);
        (mutant.scenario, mutant.property)
    });
    let others = broken_as_well(page).map(|broken| (broken.scenario, broken.property));
    let mut asked: Vec<(&str, Property)> = Vec::new();
    for both in of_mutants.chain(others) {
        if !asked.contains(&both) {
            asked.push(both);
        }
    }
    let shown: Vec<(Design, String)> = COMPARED
        .iter()
        .filter_map(|design| {
            let preset = PRESETS.iter().find(|preset| preset.design == *design)?;
            Some((*design, preset.release?.to_owned()))
        })
        .chain([(Design::HARDENED, "`hardened`".to_owned())])
        .collect();
    let headings = ["property", "scenario"].into_iter();
    let headings = headings.chain(shown.iter().map(|(_, name)| name.as_str()));
    let mut table = Table::new(&headings.collect::<Vec<_>>());
    for (scenario, property) in asked {
        let mut row = vec![format!("`{}`", property.name()), format!("`{scenario}`")];
        let verdict = |(design, _): &(Design, String)| races::verdict(scenario, property, *design);
        row.extend(shown.iter().map(verdict));
        table.row(row);
    }
    text += "\nWhich releases have it, and after how many events; a release is the design that was read from it:\n\n";
    text + &table.finish()
}

/// The shortest trace of a mutant, with what it ends in.
#[must_use]
pub fn trace(name: &str) -> String {
    let mutant = mutant(name);
    let (scenario, trace) = runs::shortest(mutant);
    let scope = Scope::new(scenario, mutant.design(), mutant.faults());
    let events: Vec<Event> = trace.actions().copied().collect();
    let end = format!("breaks {}", mutant.property.name());
    framed(
        &drawn(&scope, &events, Some(end)),
        trace.steps.len(),
        &format!("`{}` is broken", mutant.property.name()),
    )
}

/// The shortest trace that shows a property that must be reached.
///
/// # Panics
///
/// If it is not reached.
#[must_use]
pub fn witness(scenario: &str, design: Design, property: Property) -> String {
    let scenario = runs::named(scenario);
    let run = runs::complete(scenario, design, &[]);
    let trace = run.property(property.name()).and_then(|p| p.first.clone());
    let trace = trace.unwrap_or_else(|| panic!("{} is not reached", property.name()));
    let scope = Scope::new(scenario, design, &[]);
    let events: Vec<Event> = trace.actions().copied().collect();
    let end = format!("witnesses {}", property.name());
    framed(
        &drawn(&scope, &events, Some(end)),
        trace.steps.len(),
        &format!("`{}` is reached", property.name()),
    )
}

fn framed(drawn: &str, events: usize, end: &str) -> String {
    format!("```text\n{drawn}```\n\nAfter these {events} events {end}.\n")
}

/// The shortest trace in which a line is glued to a complete path, without its newline, and is a path below a file.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn glued_below_a_file() -> String {
    let scope = Scope::new(
        runs::named("torn_move_is_repeated_and_meets_gc"),
        Design::UPSTREAM,
        &[],
    );
    let ends = |event: &Event| {
        matches!(
            event,
            Event::Step {
                outcome: Outcome::NotDirectory,
                ..
            }
        )
    };
    let Some(events) = runs::shortest_to(&scope, |_| false, ends) else {
        panic!("no drain meets a path below a file")
    };
    let end = "the drain meets a path below a file";
    let drawn = drawn(
        &scope,
        &events,
        Some("meets a path below a file".to_owned()),
    );
    framed(&drawn, events.len(), end)
}

/// How to see a finding: for each of its mutants the search, the drawing and the replay; for what else it breaks the drawing.
///
/// # Panics
///
/// If there is no such finding.
#[must_use]
pub fn reproduce(page: &str) -> String {
    let Some((_, mutants)) = FINDINGS.iter().find(|(name, _)| *name == page) else {
        panic!("there is no finding {page}")
    };
    let mut text = String::from("```text\n");
    let of_mutants = mutants.iter().map(|name| mutant(name).scenario);
    let others = broken_as_well(page).map(|broken| broken.scenario);
    let mut scenarios: Vec<&str> = Vec::new();
    for scenario in of_mutants.chain(others) {
        if !scenarios.contains(&scenario) {
            scenarios.push(scenario);
        }
    }
    for scenario in scenarios {
        text += &format!("lockstep check {} --design upstream\n", word(scenario));
    }
    for name in *mutants {
        let scenario = word(mutant(name).scenario);
        text += &format!("lockstep trace {scenario} --mutant {name}\n");
        let file = name.replace(['/', '.'], "-");
        text += &format!("lockstep replay --trace tests/traces/{file}.json\n");
    }
    for Broken {
        property, scenario, ..
    } in broken_as_well(page)
    {
        let (scenario, property) = (word(scenario), property.name());
        text += &format!("lockstep trace {scenario} --design upstream --property {property}\n");
    }
    text + "```\n"
}

/// A name as a shell takes it.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./+".contains(c);
    match name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("'{name}'"),
    }
}
