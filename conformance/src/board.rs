//! The seed board: each mutant is searched in the model, and its trace replayed on the faulted implementation.

use crate::behaviour::{Replayed, replay_behaviour};
use crate::driver::Options;
use crate::equivalent::is_equivalent;
use crate::loom_find::{self, Sought};
use crate::real_check::Shown;
use crate::record::{Seed, Verdict};
use crate::{report, thin};
use anyhow::{Context as _, anyhow};
use model::engine;
use model::{Scope, State};
use specs::{Event, Mutant, Property, Scenario};
use std::collections::BTreeMap;
use std::time::Instant;

/// Where the traces of mutants lie, from the root of the repository.
pub const TRACES: &str = "tests/traces";

/// The file of a mutant's trace.
pub fn trace_path(mutant: &Mutant) -> String {
    format!("{TRACES}/{}.json", mutant.name.replace(['/', '.'], "-"))
}

/// A shortest behaviour that breaks a property.
pub struct Counterexample {
    /// Its events.
    pub events: Vec<Event>,
    /// Its states, the start first.
    pub states: Vec<State>,
}

/// The scope of a mutant, asking only the property that it breaks.
pub fn scope_of(mutant: &Mutant) -> anyhow::Result<Scope> {
    let scenario = Scenario::named(mutant.scenario).with_context(|| {
        format!(
            "{} names the unknown scenario {}",
            mutant.name, mutant.scenario
        )
    })?;
    Ok(Scope::new(scenario, mutant.design(), mutant.faults()).asking(mutant.property))
}

/// The shortest behaviour that breaks a property or witnesses it, told in the fewest turns; none if the whole graph has
/// none.
pub fn shortest(
    scope: &Scope,
    property: Property,
    threads: usize,
) -> anyhow::Result<Option<Counterexample>> {
    let scope = scope.clone().asking(property);
    let options = engine::Options {
        threads,
        stop_at: Some(property.name().to_owned()),
        ..engine::Options::default()
    };
    let exploration = engine::explore(&scope, &options)
        .with_context(|| format!("cannot explore {}", scope.scenario.name))?;
    let Some(asked) = exploration.record.property(property.name()) else {
        return Ok(None);
    };
    let Some(trace) = &asked.first else {
        return Ok(None);
    };
    let found: Vec<Event> = trace.actions().copied().collect();
    let events = thin::reorder(&scope, &found);
    let states = report::walk(&scope, &events)
        .map_err(|(at, refusal)| anyhow!("event {} is refused: {refusal}", at + 1))?;
    Ok(Some(Counterexample { events, states }))
}

/// What a run of a mutant begins with.
pub(crate) fn blank(mutant: &'static Mutant) -> Seed {
    Seed {
        kind: "mutants",
        mutant: mutant.name,
        number: mutant.number,
        scenario: mutant.scenario,
        design: mutant.design(),
        property: mutant.property.name(),
        verdict: Verdict::Holds,
        complete: true,
        trace_length: 0,
        equivalent: false,
        traces: BTreeMap::new(),
        found_by: Vec::new(),
        not_applicable: BTreeMap::new(),
        executions: None,
        witness: None,
        seconds: 0.0,
        remarks: Vec::new(),
        failures: Vec::new(),
    }
}

/// Runs one mutant: in the model, and its shortest behaviour on real files.
pub fn run(mutant: &'static Mutant, threads: usize, options: Options) -> anyhow::Result<Seed> {
    let begin = Instant::now();
    let scope = scope_of(mutant)?;
    let mut seed = blank(mutant);
    let Some(example) = shortest(&scope, mutant.property, threads)? else {
        seed.equivalent = is_equivalent(mutant, &scope, threads)?;
        match (seed.equivalent, mutant.is_equivalent) {
            (true, true) => {}
            (true, false) => seed
                .failures
                .push("it makes no difference, and is not said to be equivalent".to_owned()),
            (false, _) => seed
                .failures
                .push("it survives: the model breaks no property".to_owned()),
        }
        seed.seconds = begin.elapsed().as_secs_f64();
        return Ok(seed);
    };
    if mutant.is_equivalent {
        seed.failures
            .push("it is said to be equivalent, and the model breaks a property".to_owned());
    }
    seed.found_by.push("model");
    seed.verdict = Verdict::Violated;
    seed.trace_length = example.events.len();
    seed.traces.insert("model".to_owned(), trace_path(mutant));
    replay(&mut seed, mutant, &scope, &example, options)?;
    match without_kill(&scope, &example) {
        None => seed.found_by.push("kill"),
        Some(reason) => {
            seed.not_applicable.insert("kill", reason.to_owned());
        }
    }
    if shortest(&scope, Property::LocksAreTakenInRankOrder, threads)?.is_some() {
        seed.found_by.push("lock_order");
    } else {
        let reason = "whatever is waited for in its scenario ranks above what is held";
        seed.not_applicable.insert("lock_order", reason.to_owned());
    }
    seed.seconds = begin.elapsed().as_secs_f64();
    Ok(seed)
}

/// Looks for one mutant under loom, in so many executions, and replays what is found on real files.
pub fn run_by_loom(
    mutant: &'static Mutant,
    threads: usize,
    executions: u64,
    options: Options,
) -> anyhow::Result<Seed> {
    let begin = Instant::now();
    let mut seed = blank(mutant);
    seed.equivalent = mutant.is_equivalent;
    match loom_find::find(mutant, threads, executions)? {
        Sought::Found(found) => {
            let scope = scope_of(mutant)?.as_in_a_log();
            seed.found_by.push("loom");
            seed.verdict = Verdict::Violated;
            seed.trace_length = found.events.len();
            seed.executions = Some(found.executions);
            if let (count @ 1.., Some(first)) = found.unexplained {
                seed.remarks.push(format!(
                    "the model explains {count} of these executions not, the first of them: {first}"
                ));
            }
            let states = report::walk(&scope, &found.events)
                .map_err(|(at, refusal)| anyhow!("event {} is refused: {refusal}", at + 1))?;
            let example = Counterexample {
                events: found.events,
                states,
            };
            replay(&mut seed, mutant, &scope, &example, options)?;
        }
        Sought::Survives {
            executions,
            complete,
        } => {
            seed.executions = Some(executions);
            seed.complete = complete;
            if !complete {
                seed.verdict = Verdict::Cut;
            }
            seed.failures.push(format!(
                "it survives {executions} executions{}",
                if complete { "" } else { ", which are not all" }
            ));
        }
        Sought::NotApplicable(reason) => {
            seed.verdict = Verdict::Skipped;
            seed.not_applicable.insert("loom", reason);
        }
        Sought::Diverged(why) => {
            seed.verdict = Verdict::Diverged;
            seed.failures.push(why);
        }
    }
    seed.seconds = begin.elapsed().as_secs_f64();
    Ok(seed)
}

/// Replays a behaviour on real files, and notes what they show.
fn replay(
    seed: &mut Seed,
    mutant: &Mutant,
    scope: &Scope,
    example: &Counterexample,
    options: Options,
) -> anyhow::Result<()> {
    let Counterexample { events, states } = example;
    match replay_behaviour(scope, events, states, mutant.property, options)? {
        Replayed::Same { shown, .. } => match shown {
            Shown::Broken(witness) => {
                seed.found_by.push("replay");
                seed.witness = Some(witness);
            }
            Shown::Unbroken => {
                seed.failures
                    .push("the real files do not show that the property is broken".to_owned());
            }
            Shown::Nothing(reason) => {
                seed.not_applicable.insert("replay", reason.to_owned());
            }
        },
        Replayed::Diverged(divergence) => {
            seed.verdict = Verdict::Diverged;
            seed.failures.push(format!(
                "step {}: {}: {}",
                divergence.step + 1,
                divergence.described,
                divergence.first_difference
            ));
        }
    }
    Ok(())
}

/// Why a mutant is not found by a kill; none if the shortest behaviour that breaks its property has one.
fn without_kill(scope: &Scope, example: &Counterexample) -> Option<&'static str> {
    let is_kill = |event: &Event| matches!(event, Event::Killed { .. });
    if scope.environment.kills == 0 {
        Some("nobody is killed in its scenario")
    } else if example.events.iter().any(is_kill) {
        None
    } else {
        Some("its property falls sooner without a kill")
    }
}
