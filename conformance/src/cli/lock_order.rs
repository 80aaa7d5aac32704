//! `lockstep lock-order`: which lock is taken while which other one is held, compared with what is allowed.

use super::output::{Format, Output, count, table};
use super::{Common, Variant, names, runs};
use crate::drawing::Drawing;
use crate::lock_order::allowed::Allowed;
use crate::lock_order::cycle::{Cycle, cycles};
use crate::lock_order::graph::LockGraph;
use crate::lock_order::{page, wait_name};
use crate::record::Verdict;
use crate::{lanes, thin};
use anyhow::anyhow;
use model::engine::Options;
use std::time::Instant;

pub(super) fn run(
    scenarios: &[String],
    variant: &Variant,
    max_states: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let allowed = Allowed::checked_in()?;
    let (design, mutant) = names::design_and_mutant(variant)?;
    let chosen = match (scenarios, mutant) {
        ([], Some(mutant)) => vec![names::scenario(mutant.scenario)?],
        _ => names::scenarios(scenarios, |s| s.runs.check)?,
    };
    let is_whole = scenarios.is_empty() && mutant.is_none();
    let mut graph = LockGraph::new(design, mutant);
    for scenario in chosen {
        let options = Options {
            threads: common.threads.into(),
            max_states,
            ..Options::default()
        };
        runs::watched(scenario.name, &options, output, || {
            graph.add(scenario, &options)
        })?;
    }
    let cycles = cycles(&graph);
    let mut differences = Vec::new();
    for edge in allowed.forbidden(&graph) {
        differences.push(format!("not allowed: {edge}"));
    }
    if is_whole {
        for edge in allowed.unused(&graph) {
            differences.push(format!("allowed, and nobody takes it: {edge}"));
        }
    }
    show(&graph, output);
    for cycle in &cycles {
        show_cycle(&graph, cycle, output)?;
    }
    for difference in &differences {
        output.text(difference);
    }
    let verdict = if !cycles.is_empty() || !differences.is_empty() {
        Verdict::Violated
    } else if !graph.is_complete() {
        Verdict::Cut
    } else {
        Verdict::Holds
    };
    let states: u64 = graph.scenarios.iter().map(|s| s.states).sum();
    output.text(&format!(
        "{verdict}: {} edges in {} scenarios, {} states, {:.0} s",
        graph.edges().len(),
        graph.scenarios.len(),
        count(states),
        begin.elapsed().as_secs_f64()
    ));
    Ok(verdict.exit_code())
}

fn show(graph: &LockGraph, output: &Output) {
    if output.format() == Format::Mermaid {
        output.print(page::mermaid(graph).trim_end());
        return;
    }
    let mut table = table(&["held", "taken", "taker", "steps", "shown in", "events"]);
    for (edge, takings) in graph.edges() {
        let shortest = takings
            .iter()
            .map(|(_, shown)| &shown.witness)
            .min_by_key(|witness| witness.events.len());
        table.add_row([
            edge.held.to_string(),
            edge.taken.to_string(),
            wait_name(edge.wait),
            page::steps(&takings).join(", "),
            shortest.map_or_else(String::new, |w| w.scenario.name.to_owned()),
            shortest.map_or_else(String::new, |w| w.events.len().to_string()),
        ]);
    }
    output.text(&table.trim_fmt());
}

fn show_cycle(graph: &LockGraph, cycle: &Cycle, output: &Output) -> anyhow::Result<()> {
    output.text("a cycle:");
    for taking in &cycle.takings {
        output.text(&format!("  {taking}"));
    }
    for witness in &cycle.witnesses {
        let scope = graph.scope(witness.scenario);
        let events = thin::reorder(&scope, &witness.events);
        let drawing = Drawing::folded(&scope, &events, None)
            .map_err(|(at, refusal)| anyhow!("event {} is not possible: {refusal}", at + 1))?;
        let wait = cycle.takings[0].edge.wait;
        output.text(&format!(
            "\n{}: {}",
            scope.scenario.name,
            witness.sentence(&scope, wait)
        ));
        output.text(lanes::draw(&drawing).trim_end());
    }
    Ok(())
}
