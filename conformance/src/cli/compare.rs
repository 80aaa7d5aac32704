//! `lockstep check --against`: two designs side by side.

use super::output::{Output, count, table, worst};
use super::{Common, Variant, names, runs};
use crate::compare::{self, Change, Comparison, Difference};
use crate::drawing::Drawing;
use crate::lanes;
use anyhow::anyhow;
use model::Scope;
use model::engine::Options;
use specs::Event;

pub(super) fn run(
    scenarios: &[String],
    variant: &Variant,
    against: &str,
    max_states: Option<u64>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let against = names::design(against)?;
    let mut done = Vec::new();
    let scenarios = names::scenarios(scenarios, |s| s.runs.check)?;
    names::each_fault_is_met(scenarios.iter().copied(), &names::chosen(variant)?)?;
    for scenario in scenarios {
        let (now, chosen) = names::scope(scenario, variant)?;
        let before = Scope::new(scenario, against, &[]);
        let options = Options {
            threads: common.threads.into(),
            max_states,
            ..Options::default()
        };
        let comparison = runs::watched(scenario.name, &options, output, || {
            compare::compare(&now, chosen.name, &before, &options)
        })?;
        output.record(&comparison);
        if !output.is_json() {
            show(&comparison, &now, &before, output)?;
        }
        done.push(comparison.verdict);
    }
    Ok(worst(done).exit_code())
}

fn show(
    comparison: &Comparison,
    now: &Scope,
    before: &Scope,
    output: &Output,
) -> anyhow::Result<()> {
    let design = || comparison.design.name();
    let name = &comparison.mutant.map_or_else(design, str::to_owned);
    let against = &comparison.against.name();
    output.text(comparison.scenario);
    let mut table = table(&["", name, against, ""]);
    let (a, b) = (comparison.now, comparison.before);
    for (what, a, b) in [
        ("states", a.states, b.states),
        ("edges", a.edges, b.edges),
        ("depth", a.depth.into(), b.depth.into()),
    ] {
        table.add_row([what.to_owned(), count(a), count(b), String::new()]);
    }
    for property in &comparison.properties {
        let word = |holds: bool| if holds { "holds" } else { "fails" };
        let change = match property.change {
            Change::Same => "",
            Change::Broken => "broken",
            Change::Mended => "mended",
            Change::Unknown => "unknown",
        };
        table.add_row([
            property.name,
            word(property.now.holds),
            word(property.before.holds),
            change,
        ]);
    }
    output.text(&table.trim_fmt());
    if comparison.equivalent {
        output.text("the graphs are the same, state for state and edge for edge");
    }
    for (whose, steps) in [
        (name, &comparison.steps_only_now),
        (against, &comparison.steps_only_before),
    ] {
        if !steps.is_empty() {
            output.text(&format!("only under {whose}: {}", steps.join(", ")));
        }
    }
    for (whose, scope, difference) in [
        (name, now, &comparison.only_now),
        (against, before, &comparison.only_before),
    ] {
        if let Some(difference) = difference {
            show_difference(whose, scope, difference, output)?;
        }
    }
    let verdict = match (comparison.complete, comparison.verdict.exit_code()) {
        (_, 1) => format!("{name} breaks what {against} keeps"),
        (false, _) => "cut short, so nothing is known".to_owned(),
        (true, _) => format!("{name} keeps what {against} keeps"),
    };
    output.text(&format!("{verdict}\n"));
    Ok(())
}

fn show_difference(
    whose: &str,
    scope: &Scope,
    difference: &Difference,
    output: &Output,
) -> anyhow::Result<()> {
    if let Some(behaviour) = &difference.behaviour {
        let title = format!("the shortest behaviour that only {whose} has,");
        draw(&title, scope, &behaviour.events, output)?;
    }
    match &difference.shown {
        Some(shown) if difference.behaviour.as_ref() != Some(shown) => {
            let title = format!(
                "{} states of files and locks occur only under {whose}; the first one comes after",
                count(difference.files)
            );
            draw(&title, scope, &shown.events, output)
        }
        Some(_) | None => Ok(()),
    }
}

fn draw(title: &str, scope: &Scope, events: &[Event], output: &Output) -> anyhow::Result<()> {
    let drawing = Drawing::folded(scope, events, Some("only here".to_owned()))
        .map_err(|(at, refusal)| anyhow!("event {} is not possible: {refusal}", at + 1))?;
    output.remark(&format!("{title} {} events:", events.len()));
    output.remark(lanes::draw(&drawing).trim_end());
    Ok(())
}
