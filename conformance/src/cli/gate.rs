//! `lockstep` without a command: the gate. Everything is run to its end, and one table says what came of it.

use super::output::{Output, count, table, worst};
use super::{Common, Variant, ask, lock_order, names, runs};
use crate::ask::{Answer, Part, Protocol};
use crate::check::Engine;
use crate::record::{Check, Gate, Replay, Run, RunKind, Seed, Share, Verdict};
use specs::Design;
use specs::mutant::MUTANTS;
use specs::page::bounds;
use specs::question::sets::SETS;
use specs::scenarios::SCENARIOS;
use std::time::Instant;

pub(super) fn run(common: &Common, output: &Output) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let variant = Variant::default();
    let mut checks: Vec<Check> = Vec::new();
    let mut replays: Vec<Replay> = Vec::new();
    for scenario in SCENARIOS.iter().filter(|s| s.runs.check) {
        let (scope, _) = names::scope(scenario, &variant)?;
        let check = runs::check_one(&scope, None, Engine::Both, None, common, output)?;
        tell(&check.run, output);
        checks.push(check);
    }
    let mut answers: Vec<Answer> = Vec::new();
    let mut shares: Vec<Share> = Vec::new();
    for set in SETS.iter().filter(|set| set.gate) {
        let protocol = Protocol::from(Design::HARDENED);
        answers.push(ask::one(set, Part::WHOLE, &protocol, common, output)?);
        if set.replayed {
            shares.push(ask::share(set, Part::WHOLE, &protocol, common, output)?);
        }
    }
    for scenario in SCENARIOS.iter().filter(|s| s.runs.replay) {
        let (scope, _) = names::scope(scenario, &variant)?;
        let replay = runs::replay_one(&scope, None, false, common, output)?;
        tell(&replay.run, output);
        replays.push(replay);
    }
    for scenario in SCENARIOS.iter().filter(|s| s.runs.kill) {
        let (scope, _) = names::scope(scenario, &variant)?;
        let replay = runs::replay_one(&scope, None, true, common, output)?;
        tell(&replay.run, output);
        replays.push(replay);
    }
    let board = runs::board(&MUTANTS.iter().collect::<Vec<_>>(), None, common, output)?;

    show(&checks, &replays, output);
    output.text("");
    ask::show(&answers, output);
    ask::show_shares(&shares, output);
    output.text("");
    let order = lock_order::of_gate(&replays, common, output)?;
    output.text("");
    runs::board_table(&board, output);
    let verdict = worst(
        checks
            .iter()
            .map(|c| c.run.verdict)
            .chain(replays.iter().map(|r| r.run.verdict))
            .chain(answers.iter().map(crate::ask::verdict))
            .chain(shares.iter().map(|share| share.verdict))
            .chain([order, runs::board_verdict(&board)]),
    );
    let gate = sum(
        verdict,
        (&checks, &answers),
        (&replays, &shares),
        &board,
        begin,
    );
    output.record(&gate);
    output.text("");
    output.text(&summary(&gate));
    Ok(verdict.exit_code())
}

/// What came of one part, while the others are still to come.
fn tell(run: &Run, output: &Output) {
    output.progress(&format!(
        "{} {}: {}, {:.1} s",
        run.kind, run.scenario, run.verdict, run.seconds
    ));
}

fn sum(
    verdict: Verdict,
    (checks, answers): (&[Check], &[Answer]),
    (replays, shares): (&[Replay], &[Share]),
    board: &[Seed],
    begin: Instant,
) -> Gate {
    let failed = |seed: &&Seed| !seed.failures.is_empty();
    let equivalent = |seed: &&Seed| seed.failures.is_empty() && seed.equivalent;
    let mutants_failed = board.iter().filter(failed).count();
    let mutants_equivalent = board.iter().filter(equivalent).count();
    Gate {
        kind: "gate",
        verdict,
        complete: checks.iter().all(|check| check.run.complete)
            && answers.iter().all(|answer| answer.complete)
            && replays.iter().all(|replay| replay.run.complete)
            && board.iter().all(|seed| seed.complete),
        scenarios: checks.len(),
        states: checks.iter().map(|check| check.run.states).sum(),
        questions: answers.iter().map(|answer| answer.questions).sum(),
        question_states: answers.iter().map(|answer| answer.states).sum(),
        edges_replayed: replays
            .iter()
            .map(|replay| replay.edges_replayed)
            .sum::<u64>()
            + shares.iter().map(|share| share.edges_replayed).sum::<u64>(),
        steps: replays.iter().map(|replay| replay.steps).sum::<u64>()
            + shares.iter().map(|share| share.steps).sum::<u64>(),
        mutants_found: board.len() - mutants_equivalent - mutants_failed,
        mutants_equivalent,
        mutants_failed,
        seconds: begin.elapsed().as_secs_f64(),
    }
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

fn summary(gate: &Gate) -> String {
    let verdict = match gate.verdict {
        Verdict::Holds | Verdict::Skipped | Verdict::Cut | Verdict::Untested => {
            gate.verdict.to_string()
        }
        Verdict::Violated | Verdict::Diverged => "DOES NOT HOLD".to_owned(),
    };
    let failed = match gate.mutants_failed {
        0 => String::new(),
        failed => format!(" and {failed} FAILED"),
    };
    format!(
        "{verdict}: {} scenarios, {} states explored by two checkers, {} generated questions with {} states, {} edges and kills replayed in {} steps on real locks, {} mutants found and {} equivalent{failed}, {:.0} s",
        gate.scenarios,
        count(gate.states),
        count(gate.questions as u64),
        count(gate.question_states),
        count(gate.edges_replayed),
        count(gate.steps),
        gate.mutants_found,
        gate.mutants_equivalent,
        gate.seconds,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::blank;

    fn seed(verdict: Verdict, equivalent: bool, failure: Option<&str>) -> Seed {
        Seed {
            verdict,
            equivalent,
            failures: failure.into_iter().map(str::to_owned).collect(),
            ..blank(&MUTANTS[0])
        }
    }

    #[test]
    fn a_mutant_is_counted_as_found_as_equivalent_or_as_a_failure_and_only_the_last_is_red() {
        let survives = seed(Verdict::Holds, false, Some("it survives"));
        let mut board = vec![
            seed(Verdict::Violated, false, None),
            seed(Verdict::Violated, false, None),
            seed(Verdict::Holds, true, None),
        ];
        assert_eq!(runs::board_verdict(&board), Verdict::Holds);
        board.push(seed(Verdict::Cut, false, Some("it survives 2 executions")));
        assert_eq!(runs::board_verdict(&board), Verdict::Cut);
        board.push(survives);
        assert_eq!(runs::board_verdict(&board), Verdict::Violated);
        let gate = sum(
            Verdict::Violated,
            (&[], &[]),
            (&[], &[]),
            &board,
            Instant::now(),
        );
        let counts = (
            gate.mutants_found,
            gate.mutants_equivalent,
            gate.mutants_failed,
        );
        assert_eq!(counts, (2, 1, 2));
        let text = summary(&gate);
        assert!(text.starts_with("DOES NOT HOLD: "), "{text}");
        assert!(
            text.contains(", 2 mutants found and 1 equivalent and 2 FAILED, "),
            "{text}"
        );
    }
}
