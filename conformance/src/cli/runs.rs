//! `lockstep check`, `replay` and `mutants`: one record a scenario or mutant, one table.

use super::output::{Output, SKIPPED, count, table, worst};
use super::shell::word;
use super::{Common, EngineName, Variant, driver_options, names};
use crate::board;
use crate::check::{self, Engine};
use crate::edges;
use crate::record::{Asked, Check, Replay, Run, Seed, Verdict};
use crate::replay::Plan;
use model::Scope;
use model::engine::Options;
use specs::Mutant;
use specs::property::Mood;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) fn check(
    scenarios: &[String],
    variant: &Variant,
    property: Option<&str>,
    engine: EngineName,
    max_states: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let engine = match engine {
        EngineName::Lockstep => Engine::Lockstep,
        EngineName::Stateright => Engine::Stateright,
        EngineName::Both => Engine::Both,
    };
    let mut done = Vec::new();
    let is_named = !scenarios.is_empty();
    let scenarios = names::scenarios(scenarios, |s| s.runs.check)?;
    names::each_fault_is_met(scenarios.iter().copied(), &names::chosen(variant)?)?;
    for scenario in scenarios {
        let (mut scope, chosen) = names::scope(scenario, variant)?;
        if let Some(name) = property {
            let property = names::property(name)?;
            // Whoever names no scenario means all that ask it; some scenario must then put it to the test, and not all.
            if is_named {
                names::asked(Some(name), None, &scope)?;
                scope = scope.asking(property);
            } else if scope.asked.contains(&property) {
                scope.asked = vec![property];
            } else {
                continue;
            }
        }
        done.push(check_one(
            &scope,
            chosen.name,
            engine,
            max_states,
            common,
            output,
        )?);
    }
    if let (true, Some(name)) = (done.is_empty(), property) {
        anyhow::bail!("no scenario that the gate checks asks {name}");
    }
    check_table(&done, output);
    let mut verdict = worst(done.iter().map(|check| check.run.verdict));
    if let Some(name) = property {
        let asked = done.iter().flat_map(|check| &check.properties);
        let mut of_it = asked.filter(|asked| asked.name == name);
        if of_it.all(|asked| asked.verdict == "not_tested") {
            output.text(&format!("{name}: no scenario puts it to the test"));
            verdict = verdict.max(Verdict::Untested);
        }
    }
    Ok(verdict.exit_code())
}

/// One scope, with a bar that follows the engine.
pub(super) fn check_one(
    scope: &Scope,
    mutant: Option<&'static str>,
    engine: Engine,
    max_states: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Check> {
    let options = Options {
        threads: common.threads.into(),
        max_states,
        ..Options::default()
    };
    let (check, _) = watched(scope.scenario.name, &options, output, || {
        check::check(scope, mutant, engine, &options)
    })?;
    output.record(&check);
    Ok(check)
}

/// Runs a search, with a bar that follows it.
pub(super) fn watched<T: Send>(
    name: &str,
    options: &Options,
    output: &Output,
    search: impl FnOnce() -> T,
) -> T {
    let progress = Arc::clone(&options.progress);
    let bar = output.bar(name);
    std::thread::scope(|threads| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let watch = move || {
            while stopped.recv_timeout(Duration::from_millis(100))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                bar.set(progress.states.load(Ordering::Relaxed));
            }
        };
        // Without a thread for it the bar stands still; the search needs it not.
        let watcher = std::thread::Builder::new().spawn_scoped(threads, watch);
        watcher.map(drop).unwrap_or_default();
        let result = search();
        drop(stop);
        result
    })
}

pub(super) fn check_table(done: &[Check], output: &Output) {
    let mut table = table(&[
        "scenario", "design", "verdict", "states", "edges", "depth", "seconds",
    ]);
    for check in done {
        let run = &check.run;
        table.add_row([
            run.scenario.to_owned(),
            run.variant(),
            run.verdict.to_string(),
            count(run.states),
            count(run.edges),
            run.depth
                .map_or_else(|| "-".to_owned(), |depth| depth.to_string()),
            format!("{:.2}", run.seconds),
        ]);
    }
    output.text(&table.trim_fmt());
    for check in done {
        for failure in &check.run.failures {
            output.text(&format!("{}: {failure}", check.run.scenario));
        }
        let is_broken = |asked: &&Asked| asked.mood == Mood::Always && asked.hits > 0;
        for asked in check.properties.iter().filter(is_broken) {
            remark_on(asked, &check.run, output);
        }
    }
}

/// How to see a property broken. That it is an exception is said, since nothing else tells of it.
fn remark_on(asked: &Asked, run: &Run, output: &Output) {
    let (scenario, name) = (run.scenario, asked.name);
    if asked.verdict == "exception" {
        output.remark(&format!(
            "{scenario}: {name} is broken, which is an exception: specs/guarantees.md, Exceptions, has the reason why it stays so"
        ));
    }
    let variant = names::flags(run.design, run.mutant);
    output.remark(&format!(
        "  lockstep trace {} {variant} --property {name}",
        word(scenario)
    ));
}

pub(super) fn replay(
    scenarios: &[String],
    variant: &Variant,
    kill: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let chosen = names::scenarios(
        scenarios,
        |s| if kill { s.runs.kill } else { s.runs.replay },
    )?;
    names::each_fault_is_met(chosen.iter().copied(), &names::chosen(variant)?)?;
    let mut done = Vec::new();
    for scenario in chosen {
        if !kill && scenario.environment.kills > 0 {
            anyhow::bail!(
                "{} allows kills, and what follows one is replayed by lockstep replay {} --kill",
                scenario.name,
                word(scenario.name)
            );
        }
        if kill && scenario.environment.kills == 0 {
            anyhow::bail!(
                "{} allows no kill, so --kill has nothing to replay; name a scenario with kills, such as one_move_meets_gc_with_kills",
                scenario.name
            );
        }
        let (scope, chosen) = names::scope(scenario, variant)?;
        done.push(replay_one(&scope, chosen.name, kill, common, output)?);
    }
    replay_table(&done, output);
    Ok(worst(done.iter().map(|replay| replay.run.verdict)).exit_code())
}

pub(super) fn replay_one(
    scope: &Scope,
    mutant: Option<&'static str>,
    kill: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Replay> {
    let plan = Plan {
        scenario: scope.scenario,
        design: scope.design,
        faults: scope.faults.clone(),
        options: driver_options(common)?,
        lanes: 2,
    };
    let bar = output.bar(scope.scenario.name);
    let threads = common.threads.into();
    let replay = if kill {
        edges::replay_kills(scope, &plan, threads, mutant, &bar)?
    } else {
        edges::replay_edges(scope, &plan, threads, mutant, &bar)?
    };
    drop(bar);
    output.record(&replay);
    Ok(replay)
}

pub(super) fn replay_table(done: &[Replay], output: &Output) {
    let mut table = table(&[
        "scenario", "design", "verdict", "edges", "replayed", "traces", "steps", "values", "locks",
        "seconds", "steps/s",
    ]);
    for replay in done {
        let run = &replay.run;
        table.add_row([
            run.scenario.to_owned(),
            run.variant(),
            run.verdict.to_string(),
            count(run.edges),
            count(replay.edges_replayed),
            count(replay.traces),
            count(replay.steps),
            count(replay.compared_fields),
            count(replay.locks_witnessed),
            format!("{:.2}", run.seconds),
            format!("{:.0}", replay.steps as f64 / run.seconds.max(0.001)),
        ]);
    }
    output.text(&table.trim_fmt());
    for replay in done {
        let run = &replay.run;
        for failure in &run.failures {
            output.text(&format!("{}: {failure}", run.scenario));
        }
        if !replay.model_breaks.is_empty() {
            output.text(&format!(
                "{}: under {} the model breaks {}{}",
                run.scenario,
                run.variant(),
                replay.model_breaks.join(", "),
                match run.verdict == Verdict::Holds {
                    true => "; holds says that the code does the same",
                    false => "",
                },
            ));
        }
    }
}

/// With a number of executions: under loom.
pub(super) fn mutants(
    names: &[String],
    by_loom: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let done = board(&names::mutants(names)?, by_loom, common, output)?;
    board_table(&done, output);
    let was_skipped = |seed: &Seed| seed.verdict == Verdict::Skipped;
    if !names.is_empty() && done.iter().all(was_skipped) {
        output.error(&nothing_sought(&done));
        return Ok(SKIPPED);
    }
    Ok(board_code(&done))
}

/// One sentence that says why loom cannot look for any of the mutants that were named, and who can.
fn nothing_sought(skipped: &[Seed]) -> anyhow::Error {
    let reasons: Vec<String> = skipped
        .iter()
        .flat_map(|seed| seed.not_applicable.iter().map(move |cell| (seed, cell)))
        .map(|(seed, (cell, reason))| {
            format!("{} cannot be found by {cell}: {reason}", seed.mutant)
        })
        .collect();
    anyhow::anyhow!(
        "{}; model, replay, kill and lock order look with --by model",
        reasons.join("; ")
    )
}

pub(super) fn board(
    chosen: &[&'static Mutant],
    by_loom: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Vec<Seed>> {
    let mut done = Vec::new();
    for mutant in chosen {
        let bar = output.bar(mutant.name);
        let (threads, options) = (common.threads.into(), driver_options(common)?);
        let seed = match by_loom {
            Some(executions) => board::run_by_loom(mutant, threads, executions, options)?,
            None => board::run(mutant, threads, options)?,
        };
        drop(bar);
        output.record(&seed);
        let came = match (seed.failures.is_empty(), seed.equivalent) {
            (false, _) => "FAILED",
            (true, true) => "equivalent",
            (true, false) => "found",
        };
        output.progress(&format!(
            "mutant {}: {came}, {:.1} s",
            seed.mutant, seed.seconds
        ));
        done.push(seed);
    }
    Ok(done)
}

/// A mutant that is caught, or makes no difference, is what is wished for. One that survives is a failure, unless the
/// search for it was cut short. One that nobody could look for in this way says nothing.
pub(super) fn board_verdict(done: &[Seed]) -> Verdict {
    let failed = done.iter().filter(|seed| !seed.failures.is_empty());
    let verdicts = failed.map(|seed| match seed.verdict {
        Verdict::Cut | Verdict::Diverged => seed.verdict,
        Verdict::Holds | Verdict::Skipped | Verdict::Untested | Verdict::Violated => {
            Verdict::Violated
        }
    });
    verdicts.max().unwrap_or(Verdict::Holds)
}

/// The exit code of a board.
pub(super) fn board_code(done: &[Seed]) -> u8 {
    board_verdict(done).exit_code()
}

pub(super) fn board_table(done: &[Seed], output: &Output) {
    let mut table = table(&[
        "no.",
        "mutant",
        "property that falls",
        "events",
        "found by",
        "seconds",
    ]);
    for seed in done {
        let found = if seed.equivalent {
            "equivalent".to_owned()
        } else {
            seed.found_by.join(", ")
        };
        table.add_row([
            seed.number.to_owned(),
            seed.mutant.to_owned(),
            seed.property.to_owned(),
            seed.trace_length.to_string(),
            if seed.verdict == Verdict::Diverged {
                "DIVERGED".to_owned()
            } else {
                found
            },
            format!("{:.2}", seed.seconds),
        ]);
    }
    output.text(&table.trim_fmt());
    for seed in done {
        for failure in &seed.failures {
            output.text(&format!("{}: {failure}", seed.mutant));
        }
        for remark in &seed.remarks {
            output.remark(&format!("{}: {remark}", seed.mutant));
        }
    }
    for ((cell, reason), mutants) in not_found(done) {
        let who = match mutants[..] {
            [mutant] => mutant.to_owned(),
            _ => format!("{} mutants", mutants.len()),
        };
        output.remark(&format!("{who}: not found by {cell}: {reason}"));
    }
}

/// Why cells do not apply, each reason once, with the mutants of which it is said.
fn not_found(done: &[Seed]) -> BTreeMap<(&'static str, &str), Vec<&'static str>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for seed in done {
        for (cell, reason) in &seed.not_applicable {
            all.entry((*cell, reason.as_str()))
                .or_default()
                .push(seed.mutant);
        }
    }
    all
}
