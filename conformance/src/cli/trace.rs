//! `lockstep trace` draws one shortest behaviour, or a thinned one from a file; `lockstep replay --trace` replays one.

use super::output::{Format, Output};
use super::{Common, Variant, driver_options, names};
use crate::behaviour::{Replayed, replay_behaviour};
use crate::board;
use crate::drawing::{Drawing, svg, told};
use crate::driver::Options;
use crate::real_check;
use crate::record::{NoTrace, ReplayedTrace, Verdict};
use crate::report::{self, Header, TraceFile};
use crate::{itf, lanes, thin};
use anyhow::{Context as _, anyhow, bail};
use model::{Scope, State};
use specs::property::Mood;
use specs::{Event, Property};
use std::io::Read as _;
use std::path::Path;

/// A behaviour that is to be drawn.
struct Shown {
    scope: Scope,
    mutant: Option<String>,
    property: Property,
    events: Vec<Event>,
}

pub(super) fn draw(
    scenario: Option<&str>,
    variant: &Variant,
    property: Option<&str>,
    full: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let scenario = names::scenario_or_that_of_mutant(scenario, variant)?;
    let (scope, chosen) = names::scope(scenario, variant)?;
    names::each_fault_is_met([scenario].into_iter(), &chosen)?;
    let asked = names::asked(property, chosen.mutant, &scope)?;
    for property in asked.iter().copied() {
        if let Some(example) = board::shortest(&scope, property, common.threads.into())? {
            let shown = Shown {
                mutant: chosen.name.map(str::to_owned),
                property,
                events: example.events,
                scope,
            };
            show(&shown, full, output)?;
            return Ok(0);
        }
    }
    let with = chosen.name.filter(|name| *name != scope.design.name());
    let names: Vec<&str> = asked.iter().map(|property| property.name()).collect();
    let sentence = format!(
        "{} under {}{}: nothing is broken or witnessed of {}, so there is nothing to draw",
        scenario.name,
        scope.design.name(),
        with.map_or_else(String::new, |name| format!(" with {name}")),
        names.join(", ")
    );
    if output.is_drawing() {
        bail!(sentence);
    }
    output.text(&sentence);
    output.record(&NoTrace {
        kind: "no_trace",
        scenario: scenario.name,
        design: scope.design,
        mutant: chosen.name.map(str::to_owned),
        property: property.map(str::to_owned),
        verdict: Verdict::Holds,
        complete: true,
    });
    Ok(0)
}

/// Draws what is left of the behaviour in a file when its end needs nothing more.
pub(super) fn draw_file(file: &Path, full: bool, output: &Output) -> anyhow::Result<u8> {
    let mut shown = load(file)?;
    let is_hit = thin::hits(&shown.scope, shown.property);
    let states = walk(&shown, file)?;
    if !states.iter().any(|state| is_hit(&shown.scope, state)) {
        bail!(
            "{}: no state of the behaviour {} {}",
            file.display(),
            kind(shown.property),
            shown.property.name()
        );
    }
    let before = shown.events.len();
    shown.events = thin::thin(&shown.scope, &shown.events, is_hit);
    let after = shown.events.len();
    if output.format() == Format::Text {
        output.remark(&format!("{after} of {before} events are left"));
    }
    show(&shown, full, output)?;
    Ok(0)
}

/// What the end of a behaviour does to a property.
fn kind(property: Property) -> &'static str {
    match property.entry().mood {
        Mood::Always => "breaks",
        Mood::Sometimes => "witnesses",
    }
}

/// The same, of one that does not.
fn verb(property: Property) -> &'static str {
    match property.entry().mood {
        Mood::Always => "break",
        Mood::Sometimes => "witness",
    }
}

/// What stands behind the last event of a drawing.
fn end(property: Property) -> String {
    format!("{} {}", kind(property), property.name())
}

fn show(shown: &Shown, full: bool, output: &Output) -> anyhow::Result<()> {
    let Shown {
        scope,
        mutant,
        property,
        events,
    } = shown;
    let end = end(*property);
    let drawing = drawing(scope, events, Some(end.clone()), full)?;
    match output.format() {
        Format::Json => {
            let file = TraceFile::new(scope, mutant.as_deref(), property.name(), events);
            output.print(&serde_json::to_string(&file)?);
        }
        Format::Itf => output.print(&serde_json::to_string_pretty(&itf::trace(&drawing))?),
        Format::Mermaid => output.print(report::mermaid(&drawing).trim_end()),
        Format::Svg => output.print(svg::draw(&drawing).trim_end()),
        Format::Text => {
            let comes = match events.len() {
                0 => format!("no event is needed, since the start {end}"),
                count => format!("{count} events, the last of which {end}"),
            };
            output.text(&format!(
                "{} under {}: {comes}",
                scope.scenario.name,
                mutant.clone().unwrap_or_else(|| scope.design.name()),
            ));
            output.text(lanes::draw(&drawing).trim_end());
        }
    }
    Ok(())
}

/// Most bytes of a trace. The longest here has a hundredth of it; a device that never ends has more.
const LONGEST: u64 = 64 << 20;

/// The text of a file, unless it is longer than any trace.
fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut limited = std::fs::File::open(file)?.take(LONGEST + 1);
    let length = limited.read_to_string(&mut text)?;
    anyhow::ensure!(
        length as u64 <= LONGEST,
        "it is longer than {LONGEST} bytes, and no trace is"
    );
    Ok(text)
}

/// The behaviour in a file, with the names of its scenario looked up.
fn load(file: &Path) -> anyhow::Result<Shown> {
    let name = file.display();
    let text = read(file).with_context(|| format!("cannot read the trace {name}"))?;
    let header: Header =
        serde_json::from_str(&text).with_context(|| format!("{name} is no trace"))?;
    if header.kind != report::TRACE {
        bail!(
            "{name} is a record of the kind {:?} and no trace; make one with lockstep trace .. --format json",
            header.kind
        );
    }
    if header.version != report::VERSION {
        bail!(
            "{name} is a trace of version {}, and this lockstep reads version {}; make it anew with lockstep trace .. --format json",
            header.version,
            report::VERSION
        );
    }
    let trace: TraceFile =
        serde_json::from_str(&text).with_context(|| format!("{name} is no trace"))?;
    let scenario = names::scenario(&trace.scenario).with_context(|| name.to_string())?;
    let property = names::property(&trace.property).with_context(|| name.to_string())?;
    let design = names::design(&trace.design).with_context(|| name.to_string())?;
    let faults = names::faults_of(trace.mutant.as_deref()).with_context(|| name.to_string())?;
    let scope = Scope::new(scenario, design, &faults);
    names::asked(Some(property.name()), None, &scope).with_context(|| name.to_string())?;
    let events = trace
        .events_in(scenario)
        .map_err(|lack| anyhow!("{name}: {lack}"))?;
    if events.is_empty() && !thin::hits(&scope, property)(&scope, &scope.start()) {
        bail!(
            "{name} has no events, so it shows nothing: the start of {} does not {} {}",
            scenario.name,
            verb(property),
            property.name()
        );
    }
    Ok(Shown {
        scope,
        mutant: trace.mutant,
        property,
        events,
    })
}

/// The states of a behaviour; a sentence about the first event that the model refuses, otherwise.
fn walk(shown: &Shown, file: &Path) -> anyhow::Result<Vec<State>> {
    report::walk(&shown.scope, &shown.events).map_err(|(at, refusal)| {
        anyhow!(
            "{}: event {} is not possible in the model: {}: {refusal}",
            file.display(),
            at + 1,
            told(&shown.scope, &shown.events[at])
        )
    })
}

pub(super) fn replay(file: &Path, common: &Common, output: &Output) -> anyhow::Result<u8> {
    let shown = load(file)?;
    let states = walk(&shown, file)?;
    let Shown {
        scope,
        mutant,
        property,
        events,
    } = shown;
    let (replayed, judged) = judge(&scope, &events, &states, property, &driver_options(common)?)?;
    let after = match judged < events.len() {
        true => format!("after {judged} of {} events: ", events.len()),
        false => String::new(),
    };
    let (verdict, sentence) = match &replayed {
        Replayed::Same { shown, .. } => match shown {
            real_check::Shown::Broken(witness) => (Verdict::Violated, format!("{after}{witness}")),
            real_check::Shown::Unbroken => match in_the_model(&scope, &states, property).as_str() {
                "" => (
                    Verdict::Untested,
                    format!(
                        "every step is as the model says, and none of them is to {} this property: was the end of the file cut off?",
                        verb(property)
                    ),
                ),
                model => (
                    Verdict::Diverged,
                    format!(
                        "every step is as the model says{model}; but the real files show nothing of it"
                    ),
                ),
            },
            real_check::Shown::Nothing(reason) => {
                let model = in_the_model(&scope, &states, property);
                (
                    Verdict::Untested,
                    format!(
                        "every step is as the model says{model}; files cannot show this property: {reason}"
                    ),
                )
            }
        },
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
    if !output.is_json() {
        // Whoever reads what the real files show wants to see which step it was.
        let is_hit = thin::hits(&scope, property);
        let ends_in_it = is_hit(&scope, &states[judged]).then(|| end(property));
        let drawing = drawing(&scope, &events[..judged], ends_in_it, false)?;
        output.remark(lanes::draw(&drawing).trim_end());
        output.text(&format!("{} {}: {sentence}", property.name(), verdict));
    }
    output.record(&ReplayedTrace {
        kind: "replayed_trace",
        scenario: scope.scenario.name,
        design: scope.design,
        mutant,
        property: property.name(),
        verdict,
        complete: steps == events.len(),
        steps,
        witness: sentence,
    });
    Ok(verdict.exit_code())
}

/// Replays a behaviour, and judges its property on the real files; and behind how many of its events.
///
/// A property that must always hold may be whole again at the end. So it is judged where the model says that it breaks
/// first, and nothing behind that is replayed. Where files show nothing there, they may when the run has gone on.
fn judge(
    scope: &Scope,
    events: &[Event],
    states: &[State],
    property: Property,
    options: &Options,
) -> anyhow::Result<(Replayed, usize)> {
    let until = |judged: usize| {
        let (events, states) = (&events[..judged], &states[..=judged]);
        replay_behaviour(scope, events, states, property, options.clone())
    };
    let is_broken = thin::hits(scope, property);
    let broken = match property.entry().mood {
        Mood::Always => states.iter().position(|state| is_broken(scope, state)),
        Mood::Sometimes => None,
    };
    if let Some(first) = broken.filter(|first| *first < events.len()) {
        let replayed = until(first)?;
        match &replayed {
            Replayed::Same {
                shown: real_check::Shown::Broken(_),
                ..
            }
            | Replayed::Diverged(_) => return Ok((replayed, first)),
            Replayed::Same {
                shown: real_check::Shown::Unbroken | real_check::Shown::Nothing(_),
                ..
            } => {}
        }
    }
    Ok((until(events.len())?, events.len()))
}

/// What a behaviour does to a property in the model.
fn in_the_model(scope: &Scope, states: &[State], property: Property) -> String {
    let is_hit = thin::hits(scope, property);
    match states.iter().position(|state| is_hit(scope, state)) {
        Some(0) => format!(", which {} it at the start", kind(property)),
        Some(events) => format!(", which {} it after event {events}", kind(property)),
        None => String::new(),
    }
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
