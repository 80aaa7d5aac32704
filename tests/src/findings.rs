//! The generated parts of the pages of the findings: traces, and the table of all findings.

use crate::{drawn, runs};
use model::Scope;
use specs::mutant::{MUTANTS, Mutant};
use specs::page::Table;
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
            "history/retry_for_newest_only",
            "history/listing_not_compared",
        ],
    ),
    (
        "verify_sets_good_chunk_aside",
        &["upstream/verify_sets_good_chunk_aside"],
    ),
    (
        "names_without_things",
        &[
            "upstream/moved_snapshot_fails_verify",
            "upstream/vanished_snapshot_fails_prune",
            "upstream/forgotten_previous_fails_backup",
        ],
    ),
    (
        "created_before_locked",
        &[
            "upstream/aborted_backup_leaves_group",
            "upstream/refused_backup_leaves_snapshot",
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
        "no.",
        "property that falls",
        "scenario",
        "what goes wrong",
    ]);
    for (page, mutants) in FINDINGS {
        for name in *mutants {
            let mutant = mutant(name);
            table.row([
                format!("[{page}]({page}.md)"),
                mutant.number.to_owned(),
                format!("`{}`", mutant.property.name()),
                format!("`{}`", mutant.scenario),
                mutant.story.to_owned(),
            ]);
        }
    }
    table.finish()
}

/// The shortest trace of a mutant, with what it ends in.
#[must_use]
pub fn trace(name: &str) -> String {
    let mutant = mutant(name);
    let (scenario, trace) = runs::shortest(mutant);
    let scope = Scope::new(scenario, mutant.design(), mutant.fault());
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
    let run = runs::complete(scenario, design, None);
    let trace = run.property(property.name()).and_then(|p| p.first.clone());
    let trace = trace.unwrap_or_else(|| panic!("{} is not reached", property.name()));
    let scope = Scope::new(scenario, design, None);
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
        Design::Upstream,
        None,
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

/// How to see a finding: for each of its mutants the search, the drawing and the replay.
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
    let mut scenarios: Vec<&str> = mutants.iter().map(|name| mutant(name).scenario).collect();
    scenarios.dedup();
    for scenario in scenarios {
        text += &format!("lockstep check {scenario} --design upstream\n");
    }
    for name in *mutants {
        text += &format!("lockstep trace {} --mutant {name}\n", mutant(name).scenario);
        let file = name.replace(['/', '.'], "-");
        text += &format!("lockstep replay --trace tests/traces/{file}.json\n");
    }
    text + "```\n"
}
