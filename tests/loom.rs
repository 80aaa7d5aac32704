//! Loom: the real operations on a machine in memory, in every interleaving within a bound.
//!
//! The counts of executions are pinned: one that changed says that other interleavings were tried.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "loom/contract.rs"]
mod contract;
#[path = "loom/sections.rs"]
mod sections;

use conformance::board;
use conformance::explain::{Explainer, Judged};
use conformance::interval_log::{IntervalLog, Mark};
use conformance::loom_run::{Cutoff, End, Run, Settings, explore};
use conformance::loom_sys::{Order, Patience};
use model::Scope;
use specs::mutant::MUTANTS;
use specs::scenarios::SCENARIOS;
use specs::{Design, Exception, Outcome, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Instant;

/// More than any exploration here needs.
const MAX_EXECUTIONS: u64 = 100_000;

fn settings(preemption_bound: Option<usize>) -> Settings {
    Settings {
        max_executions: MAX_EXECUTIONS,
        ..Settings::new(preemption_bound)
    }
}

/// Says what something cost; shown with `--nocapture`.
#[allow(clippy::print_stdout, reason = "a test has no other way to say it")]
fn say(words: &str) {
    println!("{words}");
}

/// Pins counts of executions.
fn pin(name: &str, counts: &str) {
    insta::assert_snapshot!(name, counts);
}

/// A log is a record of steps, each of which begins and ends as its row says.
fn judge(log: &IntervalLog) {
    let mut under_way = BTreeMap::new();
    for mark in &log.marks {
        match mark {
            Mark::Begin { actor, label } => {
                let before = under_way.insert(*actor, label);
                assert_eq!(before, None, "actor {} begins {label}", actor.0);
            }
            Mark::End { actor, outcome } => {
                let label = under_way.remove(actor).unwrap();
                let row = label.step.row();
                assert!(row.outcomes.contains(outcome), "{label}: {outcome:?}");
                assert!(row.designs.contains(Design::HARDENED), "{label}");
            }
            Mark::Happened { .. } => {}
        }
    }
    assert!(under_way.is_empty(), "{under_way:?} end nothing");
    assert!(!log.marks.is_empty(), "nobody did anything");
}

/// Whether loom can do what the environment of a scenario does.
fn is_possible(scenario: &Scenario) -> bool {
    let environment = scenario.environment;
    environment.kills + environment.full_tmpfs + environment.no_inode == 0
}

/// Two operations. Where the cutoff passes there are two runs, and more interleavings than a test has time for.
fn is_small(scenario: &Scenario) -> bool {
    scenario.actors.len() == 2 && scenario.environment.cutoff_passes == 0
}

/// Explores a scenario; every log is one of whole steps, and a behaviour of the model that violates nothing.
fn explore_whole(scenario: &'static Scenario, settings: &Settings) -> Run {
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let begin = Instant::now();
    let explainer = Explainer::new(&scope);
    let run = explore(&scope, settings, |log| {
        judge(&log);
        match explainer.explain(&log) {
            Judged::Explained { mut violated, .. } => {
                violated.retain(|property| Exception::of(scenario.name, *property).is_none());
                assert_eq!(violated, [], "{}", scenario.name);
            }
            Judged::Unexplained(unexplained) => panic!("{}: {unexplained}", scenario.name),
            judged @ (Judged::Unconsumed(_) | Judged::Malformed(_) | Judged::Cut { .. }) => {
                panic!("{}: {judged:?}", scenario.name)
            }
        }
        ControlFlow::Continue(())
    });
    let (run, seconds) = (run.unwrap(), begin.elapsed().as_secs_f64());
    let rate = run.executions as f64 / seconds;
    let (name, executions) = (scenario.name, run.executions);
    say(&format!("{name}: {executions} executions, {rate:.0}/s"));
    run
}

/// Explores scenarios to the end and pins how many executions that takes.
fn explore_all(name: &str, bound: usize, scenarios: impl Iterator<Item = &'static Scenario>) {
    let mut counts = String::new();
    for scenario in scenarios {
        let run = explore_whole(scenario, &settings(Some(bound)));
        assert_eq!(run.end, End::Complete, "{}", scenario.name);
        writeln!(counts, "{}: {}", scenario.name, run.executions).unwrap();
    }
    pin(name, &counts);
}

fn possible() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().filter(|scenario| is_possible(scenario))
}

#[test]
fn two_operations_without_gc_take_whole_steps_in_every_interleaving_with_two_preemptions() {
    let scenarios = possible().filter(|s| is_small(s) && !s.name.contains("gc"));
    explore_all("two_operations_without_gc", 2, scenarios);
}

#[test]
fn two_operations_with_gc_take_whole_steps_in_every_interleaving_with_two_preemptions() {
    let scenarios = possible().filter(|s| is_small(s) && s.name.contains("gc"));
    explore_all("two_operations_with_gc", 2, scenarios);
}

#[test]
fn more_operations_take_whole_steps_in_every_interleaving_with_one_preemption() {
    explore_all("more_operations", 1, possible().filter(|s| !is_small(s)));
}

/// What the actors met, each by itself.
fn outcomes(scenario: &'static Scenario, reduces: bool) -> (u64, BTreeSet<Vec<Vec<Outcome>>>) {
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let mut met = BTreeSet::new();
    let settings = Settings {
        reduces,
        ..settings(Some(2))
    };
    let run = explore(&scope, &settings, |log| {
        let mut outcomes = vec![Vec::new(); scenario.actors.len()];
        for mark in &log.marks {
            if let Mark::End { actor, outcome } = mark {
                outcomes[usize::from(actor.0)].push(*outcome);
            }
        }
        met.insert(outcomes);
        ControlFlow::Continue(())
    });
    let run = run.unwrap();
    assert_eq!(run.end, End::Complete);
    (run.executions, met)
}

#[test]
fn a_scheduling_point_at_every_call_shows_nothing_else() {
    let mut counts = String::new();
    for name in [
        "verify_meets_forget",
        "two_moves_cross",
        "insert_meets_set_aside",
    ] {
        let scenario = Scenario::named(name).unwrap();
        let (few, met) = outcomes(scenario, true);
        let (many, all) = outcomes(scenario, false);
        assert!(all.len() > 1, "{name}");
        assert_eq!(met, all, "{name}");
        let all = all.len();
        writeln!(
            counts,
            "{name}: {few} instead of {many} executions, {all} ways to end"
        )
        .unwrap();
    }
    pin("every_call", &counts);
}

#[test]
fn the_cutoff_passes_beside_a_backup_and_a_daemon_is_reloaded() {
    let (mut seen, mut counts) = (BTreeSet::new(), String::new());
    for (name, bound) in [
        ("long_backup_meets_gc", 1),
        ("backup_meets_reload", 1),
        ("two_gc_runs_meet_move", 1),
    ] {
        let scope = Scope::new(Scenario::named(name).unwrap(), Design::HARDENED, &[]);
        let run = explore(&scope, &settings(Some(bound)), |log| {
            judge(&log);
            let happened = log
                .marks
                .iter()
                .any(|mark| matches!(mark, Mark::Happened { .. }));
            seen.insert((name, happened));
            ControlFlow::Continue(())
        });
        let run = run.unwrap();
        assert_eq!(run.end, End::Complete);
        writeln!(counts, "{name}: {}", run.executions).unwrap();
    }
    let always = ("backup_meets_reload", true);
    assert!(seen.contains(&always) && !seen.contains(&(always.0, false)));
    assert!(seen.contains(&("long_backup_meets_gc", true)), "{seen:?}");
    assert!(seen.contains(&("two_gc_runs_meet_move", true)), "{seen:?}");
    pin("environment", &counts);
}

#[test]
fn the_cutoff_passes_before_each_run_that_it_can_and_every_log_is_explained() {
    let mut counts = String::new();
    let with_cutoff = possible().filter(|s| s.environment.cutoff_passes > 0);
    for scenario in with_cutoff {
        let bound = if scenario.actors.len() == 2 { 2 } else { 1 };
        let before_runs = Settings {
            cutoff: Cutoff::BeforeRuns,
            ..settings(Some(bound))
        };
        let run = explore_whole(scenario, &before_runs);
        assert_eq!(run.end, End::Complete, "{}", scenario.name);
        let executions = run.executions;
        writeln!(counts, "{}: {executions}, bound {bound}", scenario.name).unwrap();
    }
    pin("cutoff_before_runs", &counts);
}

#[test]
fn a_pause_and_a_cutoff_before_a_run_cost_no_preemption() {
    let name = "two_gc_runs_meet_move";
    let scope = Scope::new(Scenario::named(name).unwrap(), Design::HARDENED, &[]);
    let without_preemption = Settings {
        cutoff: Cutoff::BeforeRuns,
        pause: Some(3),
        ..settings(Some(0))
    };
    let mut first = None;
    explore(&scope, &without_preemption, |log| {
        first = Some(log);
        ControlFlow::Break(())
    })
    .unwrap();
    let log = first.unwrap();
    let who = |mark: &Mark| match mark {
        Mark::Begin { actor, .. } => Some(actor.0),
        Mark::End { .. } | Mark::Happened { .. } => None,
    };
    let mut turns: Vec<u8> = log.marks.iter().filter_map(who).collect();
    assert_eq!(turns.iter().take_while(|actor| **actor == 0).count(), 3);
    turns.dedup();
    assert_eq!(turns, [0, 1, 0]);
    let happened = |mark: &&Mark| matches!(mark, Mark::Happened { .. });
    assert_eq!(log.marks.iter().filter(happened).count(), 1);
}

#[test]
fn two_moves_that_wait_for_each_other_are_a_deadlock() {
    let name = "move_group.lock_target_group/wait";
    let mutant = MUTANTS.iter().find(|mutant| mutant.name == name).unwrap();
    let scope = board::scope_of(mutant).unwrap();
    let run = explore(&scope, &settings(Some(2)), |_| ControlFlow::Continue(())).unwrap();
    let End::Deadlock(steps) = run.end else {
        panic!("{run:?}")
    };
    assert_eq!(
        steps,
        "actor 0 in move_group.lock_target_group, actor 1 in move_group.lock_target_group"
    );
}

#[test]
fn a_run_that_hits_its_limit_is_cut_and_one_that_just_does_not_is_complete() {
    let scenario = Scenario::named("verify_meets_forget").unwrap();
    let of = |max_executions| {
        let limited = Settings {
            max_executions,
            ..settings(Some(1))
        };
        explore_whole(scenario, &limited)
    };
    let all = of(MAX_EXECUTIONS);
    assert_eq!(all.end, End::Complete);
    assert_eq!(of(all.executions), all);
    let one_less = of(all.executions - 1);
    assert_eq!(one_less.executions, all.executions - 1);
    assert!(matches!(one_less.end, End::Cut(_)), "{one_less:?}");
}

#[test]
fn the_judge_stops_a_run() {
    let scope = Scope::new(
        Scenario::named("verify_meets_forget").unwrap(),
        Design::HARDENED,
        &[],
    );
    let mut judged = 0;
    let run = explore(&scope, &settings(Some(2)), |_| {
        judged += 1;
        if judged == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(
        run.unwrap(),
        Run {
            executions: 3,
            end: End::Stopped
        }
    );
}

#[test]
fn what_loom_cannot_do_is_refused() {
    for (name, why) in [
        ("one_move_meets_gc_with_kills", "has a kill"),
        ("full_tmpfs_meets_gc", "has a full tmpfs"),
    ] {
        let scope = Scope::new(Scenario::named(name).unwrap(), Design::HARDENED, &[]);
        let error = explore(&scope, &settings(Some(2)), |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn listings_in_either_order_and_waits_that_end_at_once_are_explored_as_well() {
    let scenario = Scenario::named("verify_meets_forget").unwrap();
    for (order, patience) in [
        (Order::OldestFirst, Patience::Waits),
        (Order::NewestFirst, Patience::TimesOut),
    ] {
        let run = explore_whole(
            scenario,
            &Settings {
                order,
                patience,
                ..settings(Some(2))
            },
        );
        assert_eq!(run.end, End::Complete);
    }
}
