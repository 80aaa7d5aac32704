//! `lockstep` without a command: the gate. Everything is run to its end, and one table says what came of it.

use super::output::{Output, count, table, worst};
use super::{Common, Variant, lock_order, names, runs};
use crate::check::Engine;
use crate::record::{Check, Replay, RunKind, Verdict};
use specs::mutant::MUTANTS;
use specs::page::bounds;
use specs::scenarios::SCENARIOS;
use std::time::Instant;

pub(super) fn run(common: &Common, output: &Output) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let variant = Variant::default();
    let mut checks: Vec<Check> = Vec::new();
    let mut replays: Vec<Replay> = Vec::new();
    for scenario in SCENARIOS.iter().filter(|s| s.runs.check) {
        let (scope, _) = names::scope(scenario, &variant)?;
        checks.push(runs::check_one(
            &scope,
            None,
            Engine::Both,
            None,
            common,
            output,
        )?);
    }
    for scenario in SCENARIOS.iter().filter(|s| s.runs.replay) {
        let (scope, _) = names::scope(scenario, &variant)?;
        replays.push(runs::replay_one(&scope, None, false, common, output)?);
    }
    for scenario in SCENARIOS.iter().filter(|s| s.runs.kill) {
        let (scope, _) = names::scope(scenario, &variant)?;
        replays.push(runs::replay_one(&scope, None, true, common, output)?);
    }
    let board = runs::board(&MUTANTS.iter().collect::<Vec<_>>(), None, common, output)?;

    show(&checks, &replays, output);
    output.text("");
    let order = lock_order::of_gate(&replays, common, output)?;
    output.text("");
    runs::board_table(&board, output);
    let code = worst(
        checks
            .iter()
            .map(|c| c.run.verdict)
            .chain(replays.iter().map(|r| r.run.verdict))
            .chain([order]),
    )
    .exit_code()
    .max(runs::board_code(&board));
    output.text("");
    output.text(&summary(
        &checks,
        &replays,
        board.len(),
        code,
        begin.elapsed().as_secs_f64(),
    ));
    Ok(code)
}

/// One table: a line a scenario, with what was explored, what was replayed, and what lies outside.
fn show(checks: &[Check], replays: &[Replay], output: &Output) {
    let mut table = table(&[
        "scenario", "verdict", "states", "edges", "replayed", "kills", "steps", "bounds", "outside",
    ]);
    for check in checks {
        let name = check.run.scenario;
        let replay = replays
            .iter()
            .find(|r| r.run.scenario == name && r.run.kind == RunKind::Replay);
        let kill = replays
            .iter()
            .find(|r| r.run.scenario == name && r.run.kind == RunKind::Kill);
        let verdicts = [
            Some(check.run.verdict),
            replay.map(|r| r.run.verdict),
            kill.map(|r| r.run.verdict),
        ];
        let scenario = SCENARIOS.iter().find(|s| s.name == name);
        let cell = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
        table.add_row([
            name.to_owned(),
            worst(verdicts.into_iter().flatten()).to_string(),
            count(check.run.states),
            count(check.run.edges),
            cell(replay.map(|r| r.edges_replayed)),
            cell(kill.map(|r| r.edges_replayed)),
            cell(replay.or(kill).map(|r| r.steps)),
            scenario.map(bounds).unwrap_or_default(),
            scenario.map_or_else(String::new, |s| s.outside.to_owned()),
        ]);
    }
    output.text(&table.trim_fmt());
    let failures = checks
        .iter()
        .map(|c| &c.run)
        .chain(replays.iter().map(|r| &r.run));
    for run in failures {
        for failure in &run.failures {
            output.text(&format!("{} ({}): {failure}", run.scenario, run.kind));
        }
    }
}

fn summary(checks: &[Check], replays: &[Replay], mutants: usize, code: u8, seconds: f64) -> String {
    let states: u64 = checks.iter().map(|c| c.run.states).sum();
    let edges: u64 = replays.iter().map(|r| r.edges_replayed).sum();
    let steps: u64 = replays.iter().map(|r| r.steps).sum();
    let verdict = match code {
        0 => Verdict::Holds.to_string(),
        3 => Verdict::Cut.to_string(),
        _ => "DOES NOT HOLD".to_owned(),
    };
    format!(
        "{verdict}: {} scenarios, {} states explored by two checkers, {} edges and kills replayed in {} steps on real locks, {mutants} mutants, {seconds:.0} s",
        checks.len(),
        count(states),
        count(edges),
        count(steps),
    )
}
