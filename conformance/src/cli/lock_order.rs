//! `lockstep lock-order`: which lock is taken while which other one is held, compared with what is allowed.

use super::output::{Format, Output, count, table};
use super::{Common, Variant, driver_options, names, runs};
use crate::drawing::Drawing;
use crate::edges;
use crate::lock_order::allowed::Allowed;
use crate::lock_order::cycle::Cycle;
use crate::lock_order::graph::LockGraph;
use crate::lock_order::real::{RealRuns, covering_set, is_replayed};
use crate::lock_order::verdict::{Judgement, judge};
use crate::lock_order::{page, record, wait_name};
use crate::record::{Replay, RunKind, Verdict};
use crate::replay::Plan;
use crate::{lanes, thin};
use anyhow::{anyhow, bail};
use clap::ValueEnum;
use model::engine::Options;
use specs::{Design, Scenario};
use std::time::Instant;

/// Who says what is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Teller {
    /// The model alone.
    Model,
    /// The model, and real runs that must say the same.
    Both,
}

pub(super) fn run(
    scenarios: &[String],
    variant: &Variant,
    by: Teller,
    max_states: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let allowed = Allowed::checked_in()?;
    let protocol = names::chosen(variant)?;
    let chosen = match (scenarios, protocol.mutant) {
        ([], Some(mutant)) => vec![names::scenario(mutant.scenario)?],
        _ => names::scenarios(scenarios, |s| s.runs.check)?,
    };
    names::each_fault_is_met(chosen.iter().copied(), &protocol)?;
    let names::Chosen {
        design,
        faults,
        mutant: _,
        name,
    } = protocol;
    if by == Teller::Both && !chosen.iter().any(|scenario| is_replayed(scenario)) {
        let names: Vec<&str> = chosen.iter().map(|scenario| scenario.name).collect();
        bail!(
            "no real run can tell: the gate does not replay every edge of {}; use --by model, or name a scenario of which it does, such as one_move_meets_gc",
            names.join(", ")
        );
    }
    let is_whole = scenarios.is_empty() && name.is_none();
    let graph = LockGraph::new(design, faults, name);
    let graph = explore(graph, &chosen, max_states, common, output)?;
    let mut diverged = Vec::new();
    let real = if by == Teller::Both && graph.is_complete() {
        Some(replay(&graph, &mut diverged, common, output)?)
    } else {
        None
    };
    let mut judgement = judge(&graph, &allowed, real.as_ref(), is_whole);
    if !diverged.is_empty() {
        judgement.verdict = Verdict::Diverged;
    }
    show(&graph, &allowed, real.as_ref(), output);
    for cycle in &judgement.cycles {
        show_cycle(&graph, cycle, output)?;
    }
    for failure in diverged {
        output.text(&failure);
    }
    remark(&judgement, real.as_ref(), output);
    let seconds = begin.elapsed().as_secs_f64();
    conclude(&graph, &judgement, real.as_ref(), seconds, output);
    Ok(judgement.verdict.exit_code())
}

/// The lock order of the gate: that of its scenarios, and of the real runs that it has made anyway.
pub(super) fn of_gate(
    replays: &[Replay],
    common: &Common,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let begin = Instant::now();
    let allowed = Allowed::checked_in()?;
    let chosen = names::scenarios(&[], |s| s.runs.check)?;
    let graph = LockGraph::new(Design::HARDENED, Vec::new(), None);
    let graph = explore(graph, &chosen, None, common, output)?;
    let mut real = RealRuns::default();
    for replay in replays.iter().filter(|r| r.run.kind == RunKind::Replay) {
        real.add(replay);
    }
    let judgement = judge(&graph, &allowed, Some(&real), true);
    for cycle in &judgement.cycles {
        show_cycle(&graph, cycle, output)?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    conclude(&graph, &judgement, Some(&real), seconds, output);
    Ok(judgement.verdict)
}

/// Adds the edges of scenarios to a lock order.
fn explore(
    mut graph: LockGraph,
    scenarios: &[&'static Scenario],
    max_states: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<LockGraph> {
    for scenario in scenarios {
        let options = Options {
            threads: common.threads.into(),
            max_states,
            ..Options::default()
        };
        runs::watched(scenario.name, &options, output, || {
            graph.add(scenario, &options)
        })?;
    }
    Ok(graph)
}

/// The differences, and all of it in a line.
fn conclude(
    graph: &LockGraph,
    judgement: &Judgement,
    real: Option<&RealRuns>,
    seconds: f64,
    output: &Output,
) {
    for difference in &judgement.differences {
        output.record(&record::difference(difference));
        output.text(&difference.to_string());
    }
    let summary = record::summary(graph, judgement, real, seconds);
    output.record(&summary);
    output.text(&format!(
        "{}: {} edges of the lock order, {} by the steps that take them, in {} scenarios with {} states, {seconds:.0} s",
        judgement.verdict,
        summary.edges,
        summary.takings,
        summary.scenarios,
        count(summary.states),
    ));
}

/// Replays every edge of a covering set of scenarios.
fn replay(
    graph: &LockGraph,
    diverged: &mut Vec<String>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<RealRuns> {
    let mut real = RealRuns::default();
    for scenario in covering_set(graph) {
        let scope = graph.scope(scenario);
        let plan = Plan {
            scenario,
            design: scope.design,
            faults: scope.faults.clone(),
            options: driver_options(common)?,
            lanes: 2,
        };
        let bar = output.bar(scenario.name);
        let threads = common.threads.into();
        let replay = edges::replay_edges(&scope, &plan, threads, graph.mutant, &bar)?;
        drop(bar);
        output.record(&replay);
        let failures = replay.run.failures.iter();
        diverged.extend(failures.map(|failure| format!("{} (replay): {failure}", scenario.name)));
        real.add(&replay);
    }
    Ok(real)
}

fn show(graph: &LockGraph, allowed: &Allowed, real: Option<&RealRuns>, output: &Output) {
    match output.format() {
        Format::Mermaid => output.print(page::mermaid(graph).trim_end()),
        Format::Json => {
            for edge in record::edges(graph, allowed, real) {
                output.record(&edge);
            }
        }
        Format::Text | Format::Svg | Format::Itf => show_table(graph, real, output),
    }
}

fn show_table(graph: &LockGraph, real: Option<&RealRuns>, output: &Output) {
    let mut table = table(&[
        "held",
        "taken",
        "taker",
        "steps",
        "real runs",
        "shown in",
        "events",
    ]);
    let mut notes = Vec::new();
    for (edge, takings) in graph.edges() {
        let shortest = page::shortest(&takings);
        let seen = |real: &RealRuns| {
            let seen = takings.iter().filter(|(t, _)| real.takings.contains_key(t));
            format!("{} of {}", seen.count(), takings.len())
        };
        table.add_row([
            edge.held.to_string(),
            edge.taken.to_string(),
            wait_name(edge.wait),
            page::steps(&takings).join(", "),
            real.map_or_else(|| "-".to_owned(), seen),
            shortest.map_or_else(String::new, |w| w.scenario.name.to_owned()),
            shortest.map_or_else(String::new, |w| w.events.len().to_string()),
        ]);
        let note = page::within_a_class(edge, &takings);
        if !note.is_empty() {
            notes.push(format!("{edge}: {note}"));
        }
    }
    output.text(&table.trim_fmt());
    for note in notes {
        output.remark(&note);
    }
}

fn show_cycle(graph: &LockGraph, cycle: &Cycle, output: &Output) -> anyhow::Result<()> {
    output.record(&record::cycle(graph, cycle));
    let takings: Vec<String> = cycle.takings.iter().map(ToString::to_string).collect();
    output.text(&format!("a cycle: {}", takings.join("; ")));
    for witness in &cycle.witnesses {
        let scope = graph.scope(witness.scenario);
        let events = thin::reorder(&scope, &witness.events);
        let drawing = Drawing::folded(&scope, &events, None)
            .map_err(|(at, refusal)| anyhow!("event {} is not possible: {refusal}", at + 1))?;
        let sentence = witness.sentence(&scope);
        output.text(&format!("\n{}: {sentence}", scope.scenario.name));
        output.text(lanes::draw(&drawing).trim_end());
    }
    output.text(&format!("\n{}\n", cycle.conclusion()));
    Ok(())
}

/// What real runs had to say.
fn remark(judgement: &Judgement, real: Option<&RealRuns>, output: &Output) {
    let Some(real) = real else {
        return;
    };
    for (explanation, count) in &judgement.explained {
        output.remark(&format!(
            "{count} edges of real runs have the {}, which the model does not: {}",
            explanation.lock, explanation.reason
        ));
    }
    output.remark(&format!(
        "real runs, every edge of {}: {} edges by their steps",
        real.scenarios.join(", "),
        real.takings.len()
    ));
}
