//! `lockstep trace` draws one shortest behaviour; `lockstep replay --trace` replays one from a file.

use super::output::{Format, Output};
use super::{Common, Variant, driver_options, names};
use crate::behaviour::{Replayed, replay_behaviour};
use crate::board;
use crate::drawing::{Drawing, svg};
use crate::record::Verdict;
use crate::report::{self, TraceFile};
use crate::{itf, lanes};
use anyhow::{Context as _, anyhow, bail};
use model::Scope;
use serde_json::json;
use specs::{Event, Mutant};
use std::path::Path;

pub(super) fn draw(
    scenario: Option<&str>,
    variant: &Variant,
    property: Option<&str>,
    full: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let scenario = names::scenario_or_that_of_mutant(scenario, variant)?;
    let name = scenario.name;
    let (scope, mutant) = names::scope(scenario, variant)?;
    for asked in names::asked(property, mutant, &scope)? {
        let Some(example) = board::shortest(&scope, asked, common.threads.into())? else {
            continue;
        };
        let kind = match asked.entry().mood {
            specs::property::Mood::Always => "breaks",
            specs::property::Mood::Sometimes => "witnesses",
        };
        let end = format!("{kind} {}", asked.name());
        let drawing = drawing(&scope, &example.events, Some(end), full)?;
        match output.format() {
            Format::Json => {
                let file = TraceFile::new(
                    &scope,
                    mutant.map(|m| m.name),
                    asked.name(),
                    &example.events,
                );
                output.print(&serde_json::to_string(&file)?);
            }
            Format::Itf => output.print(&serde_json::to_string_pretty(&itf::trace(&drawing))?),
            Format::Mermaid => output.print(report::mermaid(&drawing).trim_end()),
            Format::Svg => output.print(svg::draw(&drawing).trim_end()),
            Format::Text => {
                output.text(&format!(
                    "{} under {}: {} events, the last of which {kind} {}",
                    scope.scenario.name,
                    mutant.map_or(scope.design.name(), |m| m.name),
                    example.events.len(),
                    asked.name()
                ));
                output.text(lanes::draw(&drawing).trim_end());
            }
        }
        return Ok(0);
    }
    output.text(&format!(
        "{name}: nothing is broken or witnessed, so there is nothing to draw"
    ));
    output.record(&json!({
        "kind": "trace",
        "scenario": name,
        "design": scope.design.name(),
        "mutant": variant.mutant,
        "property": property,
        "verdict": Verdict::Holds,
        "complete": true,
    }));
    Ok(0)
}

pub(super) fn replay(file: &Path, common: &Common, output: &Output) -> anyhow::Result<u8> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the trace {name}"))?;
    let trace: TraceFile = serde_json::from_str(&text)
        .with_context(|| format!("{name} is no trace of this version"))?;
    let scenario = names::scenario(&trace.scenario).with_context(|| name.to_string())?;
    let property = names::property(&trace.property).with_context(|| name.to_string())?;
    let mutant = trace.mutant.as_deref().map(names::mutant).transpose()?;
    let design = names::design(&trace.design).with_context(|| name.to_string())?;
    let scope = Scope::new(scenario, design, mutant.and_then(Mutant::fault));
    let events = trace
        .events_in(scenario)
        .map_err(|path| anyhow!("{name}: {} has nothing at {path}", scenario.name))?;
    if events.is_empty() {
        bail!("{name} has no events, so it shows nothing");
    }
    let states = report::walk(&scope, &events).map_err(|(at, refusal)| {
        let event = events[at].map(|id| scenario.path(id));
        anyhow!(
            "{name}: event {} is not possible in the model: {event:?}: {refusal}",
            at + 1
        )
    })?;
    let replayed = replay_behaviour(&scope, &events, &states, property, driver_options(common)?)?;
    let (verdict, sentence) = match &replayed {
        Replayed::Same {
            broken: Some(witness),
            ..
        } => (Verdict::Violated, witness.clone()),
        Replayed::Same { broken: None, .. } => (
            Verdict::Holds,
            "every step is as the model says, and the real files break nothing".to_owned(),
        ),
        Replayed::Diverged(divergence) => (
            Verdict::Diverged,
            format!(
                "step {}: {}: {}",
                divergence.step + 1,
                divergence.described,
                divergence.first_difference
            ),
        ),
    };
    let steps = match &replayed {
        Replayed::Same { counts, .. } => counts.steps,
        Replayed::Diverged(divergence) => divergence.step,
    };
    if output.is_json() {
        output.record(&json!({
            "kind": "trace",
            "scenario": scenario.name,
            "design": design.name(),
            "mutant": trace.mutant,
            "property": property.name(),
            "verdict": verdict,
            "complete": verdict != Verdict::Diverged,
            "steps": steps,
            "witness": sentence,
        }));
    } else {
        let drawing = drawing(&scope, &events, None, false)?;
        output.remark(lanes::draw(&drawing).trim_end());
        output.text(&format!("{} {}: {sentence}", property.name(), verdict));
    }
    Ok(verdict.exit_code())
}

fn drawing(
    scope: &Scope,
    events: &[Event],
    end: Option<String>,
    full: bool,
) -> anyhow::Result<Drawing> {
    let drawing = if full {
        Drawing::full(scope, events, end)
    } else {
        Drawing::folded(scope, events, end)
    };
    drawing.map_err(|(at, refusal)| anyhow!("event {} is not possible: {refusal}", at + 1))
}
