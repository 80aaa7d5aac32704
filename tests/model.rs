//! The model by itself: every scenario is explored to its end and judged twice, every mutant is found.
//!
//! Numbers and traces are pinned in snapshots. A test is named after its scenario or its mutant.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "model/walks.rs"]
mod walks;

use model::engine::{Exploration, Graph, Options, explore};
use model::state::{Next, State};
use model::verdict::{Claim, Completeness, Record, Verdict};
use model::{Scope, second_opinion};
use specs::id::{Actor, Process};
use specs::mutant::{Change, MUTANTS, Mutant};
use specs::scenarios::SCENARIOS;
use specs::step::Row;
use specs::{Design, Event, Op, Outcome, Scenario, Step};
use stateright::Model as _;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The designs that every scenario is explored under.
const PUBLISHED_AND_MENDED: [Design; 2] = [Design::Hardened, Design::Upstream];

fn scenario(name: &str) -> &'static Scenario {
    Scenario::named(name).unwrap_or_else(|| panic!("no scenario is named {name}"))
}

fn search(scope: &Scope, options: &Options) -> Exploration<State, Event> {
    explore(scope, options).unwrap_or_else(|refusal| panic!("{}: {refusal}", scope.scenario.name))
}

fn with_graph(scope: &Scope) -> (Record<State, Event>, Graph<State, Event>) {
    let options = Options {
        threads: 2,
        keep_graph: true,
        ..Options::default()
    };
    let exploration = search(scope, &options);
    assert_eq!(exploration.record.completeness, Completeness::Complete);
    (exploration.record, exploration.graph.unwrap())
}

/// Explores a scenario under both designs, with everything that must be true of any of them.
fn explores(name: &str) {
    let scenario = scenario(name);
    let mut report = format!("{}\n", scenario.question);
    for design in PUBLISHED_AND_MENDED {
        let scope = Scope::new(scenario, design, None);
        let (record, graph) = with_graph(&scope);
        write!(report, "\n{}: {}", design.name(), counts(&record)).unwrap();

        assert_eq!(
            second_opinion::ask(&scope, 2).difference(&record),
            None,
            "{}",
            design.name()
        );
        let alone = search(&scope, &Options::default()).record;
        assert_eq!(
            counts(&alone),
            counts(&record),
            "one thread and two must count the same"
        );
        for (alone, record) in alone.properties.iter().zip(&record.properties) {
            assert_eq!(
                alone.first, record.first,
                "one thread and two must find the same trace"
            );
        }
        for property in &record.properties {
            assert!(
                property.premise > 0,
                "{} was never put to the test",
                property.name
            );
        }
        if design == Design::Hardened {
            assert_eq!(record.failures(), [], "{name}");
            whoever_has_no_step_has_ended(&scope, &graph);
        }
        arms_agree(&scope, &graph);
        kills_come_at_every_state(&scope, &graph);
    }
    insta::assert_snapshot!(format!("scenario_{name}"), report);
}

fn counts(record: &Record<State, Event>) -> String {
    let mut text = format!(
        "{}, {} states, {} edges, depth {}, {} deadlocks\n",
        record.completeness, record.states, record.edges, record.depth, record.deadlocks.count
    );
    for property in &record.properties {
        let verdict = match (property.claim, property.hits) {
            (Claim::Always, 0) => "holds".to_owned(),
            (Claim::Always, hits) => format!("violated in {hits}"),
            (Claim::Sometimes, 0) => "not witnessed".to_owned(),
            (Claim::Sometimes, hits) => format!("witnessed in {hits}"),
        };
        let first = property.first.as_ref();
        let after = first.map_or(String::new(), |trace| {
            format!(", first after {}", trace.steps.len())
        });
        writeln!(
            text,
            "  {}: {verdict}{after}; premise in {}",
            property.name, property.premise
        )
        .unwrap();
    }
    text
}

/// Every edge is accepted by the arm of its label, in the order of `actions`, and no arm has a hole.
fn arms_agree(scope: &Scope, graph: &Graph<State, Event>) {
    let mut actions = Vec::new();
    for (number, state) in (0..).zip(&graph.states) {
        assert!(!scope.is_stuck(state), "an arm has a hole: {state:?}");
        actions.clear();
        scope.actions(state, &mut actions);
        let edges = graph.edges_from(number);
        assert!(
            edges
                .iter()
                .map(|edge| edge.action)
                .eq(actions.iter().copied()),
            "{state:?}"
        );
        for edge in edges {
            let next = graph.states[edge.to as usize];
            assert_eq!(scope.apply(state, edge.action), Ok(next));
            assert_eq!(scope.next_state(state, edge.action), Some(next));
        }
    }
}

/// As long as a kill is left, every process that has something to do can be killed, and no other.
fn kills_come_at_every_state(scope: &Scope, graph: &Graph<State, Event>) {
    for (number, state) in (0..).zip(&graph.states) {
        let killed: BTreeSet<Process> = graph
            .edges_from(number)
            .iter()
            .filter_map(|edge| match edge.action {
                Event::Killed { process } => Some(process),
                Event::Step { .. } | Event::Reloaded { .. } | Event::CutoffPassed => None,
            })
            .collect();
        let is_live = |actor: &Actor| state.actor(*actor).next.is_live();
        let live: BTreeSet<Process> = match state.kills {
            0 => BTreeSet::new(),
            _ => scope
                .actors()
                .filter(is_live)
                .map(|actor| scope.process_of(actor))
                .collect(),
        };
        assert_eq!(killed, live, "{state:?}");
    }
}

/// Where no actor has a step, all of them have ended or were killed.
fn whoever_has_no_step_has_ended(scope: &Scope, graph: &Graph<State, Event>) {
    for (number, state) in (0..).zip(&graph.states) {
        let is_step = |event: &Event| matches!(event, Event::Step { .. });
        if graph
            .edges_from(number)
            .iter()
            .any(|edge| is_step(&edge.action))
        {
            continue;
        }
        for actor in scope.actors() {
            let next = state.actor(actor).next;
            assert!(next == Next::FINISHED || next == Next::KILLED, "{state:?}");
        }
    }
}

mod scenarios {
    use super::explores;

    #[test]
    fn one_move_meets_gc() {
        explores("one_move_meets_gc");
    }

    #[test]
    fn one_move_meets_gc_with_kills() {
        explores("one_move_meets_gc_with_kills");
    }

    #[test]
    fn one_process_moves_and_collects() {
        explores("one_process_moves_and_collects");
    }

    #[test]
    fn move_out_of_the_root_meets_gc() {
        explores("move_out_of_the_root_meets_gc");
    }

    #[test]
    fn two_gc_runs_meet_move() {
        explores("two_gc_runs_meet_move");
    }

    #[test]
    fn two_moves_chain_meets_gc() {
        explores("two_moves_chain_meets_gc");
    }

    #[test]
    fn two_moves_to_one_target() {
        explores("two_moves_to_one_target");
    }

    #[test]
    fn two_moves_chain_meets_two_gc_runs() {
        explores("two_moves_chain_meets_two_gc_runs");
    }

    #[test]
    fn move_there_and_back_meets_gc() {
        explores("move_there_and_back_meets_gc");
    }

    #[test]
    fn two_moves_cross() {
        explores("two_moves_cross");
    }

    #[test]
    fn move_merges_meets_gc() {
        explores("move_merges_meets_gc");
    }

    #[test]
    fn gc_lists_a_busy_group() {
        explores("gc_lists_a_busy_group");
    }

    #[test]
    fn stray_index_meets_gc() {
        explores("stray_index_meets_gc");
    }

    #[test]
    fn foreign_line_meets_two_gc_runs() {
        explores("foreign_line_meets_two_gc_runs");
    }

    #[test]
    fn torn_append_meets_gc() {
        explores("torn_append_meets_gc");
    }

    #[test]
    fn full_tmpfs_meets_gc() {
        explores("full_tmpfs_meets_gc");
    }

    #[test]
    fn two_moves_meet_full_tmpfs() {
        explores("two_moves_meet_full_tmpfs");
    }

    #[test]
    fn move_meets_busy_snapshot() {
        explores("move_meets_busy_snapshot");
    }

    #[test]
    fn second_batch_meets_busy_snapshot() {
        explores("second_batch_meets_busy_snapshot");
    }

    #[test]
    fn torn_move_is_repeated_and_meets_gc() {
        explores("torn_move_is_repeated_and_meets_gc");
    }

    #[test]
    fn two_gcs_meet() {
        explores("two_gcs_meet");
    }

    #[test]
    fn three_takers_meet_remover() {
        explores("three_takers_meet_remover");
    }

    #[test]
    fn backup_meets_gc() {
        explores("backup_meets_gc");
    }

    #[test]
    fn backup_meets_gc_of_another_process() {
        explores("backup_meets_gc_of_another_process");
    }

    #[test]
    fn long_backup_meets_gc() {
        explores("long_backup_meets_gc");
    }

    #[test]
    fn backup_and_forget_meet_gc() {
        explores("backup_and_forget_meet_gc");
    }

    #[test]
    fn backup_and_prune_meet_gc() {
        explores("backup_and_prune_meet_gc");
    }

    #[test]
    fn two_processes_collect_beside_backup() {
        explores("two_processes_collect_beside_backup");
    }

    #[test]
    fn backup_meets_reload() {
        explores("backup_meets_reload");
    }

    #[test]
    fn gc_meets_reload() {
        explores("gc_meets_reload");
    }

    #[test]
    fn two_backups_of_one_group() {
        explores("two_backups_of_one_group");
    }

    #[test]
    fn backup_meets_forget_of_the_last_snapshot() {
        explores("backup_meets_forget_of_the_last_snapshot");
    }

    #[test]
    fn aborted_backup_meets_verify() {
        explores("aborted_backup_meets_verify");
    }

    #[test]
    fn two_verifications_meet_backup() {
        explores("two_verifications_meet_backup");
    }

    #[test]
    fn prune_meets_aborted_backup() {
        explores("prune_meets_aborted_backup");
    }

    #[test]
    fn killed_backup_meets_prune_and_gc() {
        explores("killed_backup_meets_prune_and_gc");
    }

    #[test]
    fn verify_meets_forget() {
        explores("verify_meets_forget");
    }

    #[test]
    fn verify_meets_move() {
        explores("verify_meets_move");
    }

    #[test]
    fn prune_meets_move() {
        explores("prune_meets_move");
    }

    #[test]
    fn two_removals_of_one_snapshot() {
        explores("two_removals_of_one_snapshot");
    }

    #[test]
    fn notes_meet_verify_and_forget() {
        explores("notes_meet_verify_and_forget");
    }

    #[test]
    fn killed_forget_meets_prune() {
        explores("killed_forget_meets_prune");
    }

    #[test]
    fn verify_meets_gc() {
        explores("verify_meets_gc");
    }

    #[test]
    fn insert_and_touch_meet_sweep() {
        explores("insert_and_touch_meet_sweep");
    }

    #[test]
    fn insert_meets_set_aside() {
        explores("insert_meets_set_aside");
    }
}

/// The design without the bug. What the published design lacks is not missing from the hardened one.
fn sound(mutant: &Mutant) -> Design {
    match mutant.change {
        Change::Fault(_) | Change::Design(Design::Upstream) => Design::Hardened,
        Change::Design(design) => design.base(),
    }
}

/// The mutant breaks its property after the pinned trace, and without it the property holds.
fn is_found(name: &str) {
    let mutant = MUTANTS.iter().find(|mutant| mutant.name == name).unwrap();
    let scenario = scenario(mutant.scenario);
    let property = mutant.property.name();

    let broken = Scope::new(scenario, mutant.design(), mutant.fault()).asking(mutant.property);
    let options = Options {
        stop_at: Some(property.to_owned()),
        ..Options::default()
    };
    let record = search(&broken, &options).record;
    assert_eq!(
        record.verdict(),
        Verdict::Fails,
        "{name}: {property} still holds"
    );
    assert!(
        second_opinion::ask(&broken, 2).found.contains(property),
        "{name}: stateright disagrees"
    );
    let found = record.property(property).unwrap();
    assert_eq!(found.claim, Claim::Always);
    let trace = found.first.as_ref().unwrap();
    let events: Vec<Event> = trace.actions().copied().collect();
    let text = format!(
        "{}\n{property} falls in {} after {} events:\n\n{}",
        mutant.story,
        scenario.name,
        trace.steps.len(),
        suite::drawn(&broken, &events, Some(format!("breaks {property}")))
    );

    let base = Scope::new(scenario, sound(mutant), None).asking(mutant.property);
    let record = search(
        &base,
        &Options {
            threads: 2,
            ..Options::default()
        },
    )
    .record;
    assert_eq!(record.completeness, Completeness::Complete);
    let hits = record.property(property).unwrap().hits;
    assert_eq!(
        hits,
        0,
        "{property} falls without the mutant too, under {}",
        sound(mutant).name()
    );
    insta::assert_snapshot!(format!("mutant_{}", name.replace(['/', '.'], "_")), text);
}

mod mutants {
    use super::is_found;

    #[test]
    fn move_group_append_journal_skip() {
        is_found("move_group.append_journal/skip");
    }

    #[test]
    fn history_rename_before_append() {
        is_found("history/rename_before_append");
    }

    #[test]
    fn history_record_source_path() {
        is_found("history/record_source_path");
    }

    #[test]
    fn history_drain_before_iteration() {
        is_found("history/drain_before_iteration");
    }

    #[test]
    fn gc_lock_journal_skip() {
        is_found("gc.lock_journal/skip");
    }

    #[test]
    fn history_drain_in_reverse() {
        is_found("history/drain_in_reverse");
    }

    #[test]
    fn history_truncate_after_failed_entry() {
        is_found("history/truncate_after_failed_entry");
    }

    #[test]
    fn history_missing_entry_is_fatal() {
        is_found("history/missing_entry_is_fatal");
    }

    #[test]
    fn move_group_lock_journal_skip() {
        is_found("move_group.lock_journal/skip");
    }

    #[test]
    fn history_rename_whole_group() {
        is_found("history/rename_whole_group");
    }

    #[test]
    fn history_leftovers_not_marked() {
        is_found("history/leftovers_not_marked");
    }

    #[test]
    fn take_lock_recheck_lock_file_skip() {
        is_found("take_lock.recheck_lock_file/skip");
    }

    #[test]
    fn history_unlink_after_unlock() {
        is_found("history/unlink_after_unlock");
    }

    #[test]
    fn history_recheck_before_flock() {
        is_found("history/recheck_before_flock");
    }

    #[test]
    fn move_group_lock_target_group_wait() {
        is_found("move_group.lock_target_group/wait");
    }

    #[test]
    fn move_group_lock_snapshot_wait() {
        is_found("move_group.lock_snapshot/wait");
    }

    #[test]
    fn move_group_unlock_target_group_skip() {
        is_found("move_group.unlock_target_group/skip");
    }

    #[test]
    fn history_copy_then_remove() {
        is_found("history/copy_then_remove");
    }

    #[test]
    fn upstream_torn_append_loses_entry() {
        is_found("upstream/torn_append_loses_entry");
    }

    #[test]
    fn upstream_torn_append_stops_gc() {
        is_found("upstream/torn_append_stops_gc");
    }

    #[test]
    fn upstream_rename_without_entry() {
        is_found("upstream/rename_without_entry");
    }

    #[test]
    fn upstream_drain_forgets_pending_rename() {
        is_found("upstream/drain_forgets_pending_rename");
    }

    #[test]
    fn upstream_vanished_snapshot_stops_gc() {
        is_found("upstream/vanished_snapshot_stops_gc");
    }

    #[test]
    fn upstream_failed_move_leaves_group() {
        is_found("upstream/failed_move_leaves_group");
    }
}

#[test]
fn every_scenario_and_every_mutant_has_a_test_of_its_name() {
    let this_file = include_str!("model.rs");
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    let names = names.chain(MUTANTS.iter().map(|mutant| mutant.name));
    let missing: Vec<String> = names
        .map(|name| format!("fn {}()", name.replace(['/', '.'], "_")))
        .filter(|name| !this_file.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// The rows of all tables.
fn rows() -> impl Iterator<Item = &'static Row> {
    Op::ALL.iter().flat_map(|op| op.table())
}

/// The scenarios in which a design is looked at: all of them, or those of its mutants.
fn scenarios_of(design: Design) -> Vec<&'static Scenario> {
    let mutants = || MUTANTS.iter().filter(|mutant| mutant.design() == design);
    SCENARIOS
        .iter()
        .filter(|scenario| {
            PUBLISHED_AND_MENDED.contains(&design)
                || mutants().any(|mutant| mutant.scenario == scenario.name)
        })
        .collect()
}

fn row_name(row: &Row) -> String {
    format!("{}.{}", row.step.op().name(), row.step.name())
}

/// Every step with every outcome that some scenario of a design reaches.
fn reached_in(design: Design) -> BTreeSet<(Step<()>, Outcome)> {
    let mut reached = BTreeSet::new();
    for scenario in scenarios_of(design) {
        let (_, graph) = with_graph(&Scope::new(scenario, design, None));
        reached.extend(graph.edges.iter().filter_map(|edge| match edge.action {
            Event::Step { label, outcome, .. } => Some((label.kind(), outcome)),
            Event::Killed { .. } | Event::Reloaded { .. } | Event::CutoffPassed => None,
        }));
    }
    reached
}

#[test]
fn every_row_is_taken_in_its_designs_only_and_outcomes_never_reached_are_known() {
    let mut report = String::new();
    let mut reached_somewhere = BTreeSet::new();
    for design in Design::ALL.iter().copied() {
        let reached = reached_in(design);
        for (step, outcome) in &reached {
            let row = step.row();
            assert!(
                row.designs.contains(design),
                "{}: {}",
                design.name(),
                row_name(row)
            );
            assert!(
                row.outcomes.contains(outcome),
                "{} {outcome:?}",
                row_name(row)
            );
        }
        if PUBLISHED_AND_MENDED.contains(&design) {
            writeln!(report, "under {}, no scenario reaches:", design.name()).unwrap();
            for row in rows().filter(|row| row.designs.contains(design)) {
                for outcome in row
                    .outcomes
                    .iter()
                    .filter(|o| !reached.contains(&(row.step, **o)))
                {
                    writeln!(report, "  {} {outcome:?}", row_name(row)).unwrap();
                }
            }
        }
        reached_somewhere.extend(reached);
    }
    report.push_str("under no design:\n");
    for row in rows() {
        for outcome in row
            .outcomes
            .iter()
            .filter(|o| !reached_somewhere.contains(&(row.step, **o)))
        {
            writeln!(report, "  {} {outcome:?}", row_name(row)).unwrap();
        }
        assert!(
            reached_somewhere.iter().any(|(step, _)| *step == row.step),
            "{}",
            row_name(row)
        );
    }
    insta::assert_snapshot!("never_reached", report);
}
