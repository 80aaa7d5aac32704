//! `find`: looks for the bug of a mutant among the interleavings of the real operations under loom.
//!
//! Nobody looks at what the machine in memory holds: the log of an execution is judged by the model, and the bug is
//! found when the log proves the property broken. A log that the model cannot explain is a divergence. Under a mutant it
//! is noted, and the search goes on: where a lock is missing, the steps that it covered are no longer one step each to
//! everybody else. If nothing is found, the divergence is the result.
//!
//! *Order of the search.* Loom tries late preemptions before early ones, so that the first executions of an exploration are
//! all alike at their beginning, and a bug that needs somebody to be interrupted early comes last. So the search looks at
//! many beginnings and a little at each: the first actor pauses after some of its steps, which is no preemption, and what
//! follows is explored with few preemptions and few executions, then with more of both. The cutoff passes before a run of
//! garbage collection, which is no preemption either. What budget is left goes to whole explorations without a pause, where
//! the cutoff passes at any moment; each order of directory listings and each way to end a bounded wait is one of its own.

use crate::board;
use crate::explain::{Explainer, Judged};
use crate::interval_log::Mark;
use crate::loom_run::{Cutoff, End, Settings, explore, refusal};
use crate::loom_sys::{Order, Patience};
use crate::real_check::RANKS_SHOW_NOWHERE;
use crate::{report, thin};
use anyhow::anyhow;
use model::Scope;
use specs::id::Actor;
use specs::{Event, Mutant, Property};
use std::iter;
use std::ops::ControlFlow;
use std::time::Instant;

/// Rounds of explorations in which the first actor pauses: preemptions that an execution may have, steps from one pause to
/// the next, and executions for each.
const ROUNDS: [(usize, usize, u64); 3] = [(1, 1, 100), (2, 8, 700), (2, 8, 5_000)];

/// Preemptions of an execution without a pause, from one round of explorations to the next.
const PREEMPTIONS: [usize; 3] = [1, 2, 3];

/// Executions that a search may have.
pub const EXECUTIONS: u64 = 40_000;

/// What became of the search for a mutant.
#[derive(Clone, Debug, PartialEq)]
pub enum Sought {
    /// Its property is seen broken.
    Found(Found),
    /// It is not.
    Survives {
        /// Executions that were judged.
        executions: u64,
        /// Whether every interleaving within the bounds was among them.
        complete: bool,
    },
    /// Why it cannot be found in this way, in a sentence.
    NotApplicable(String),
    /// Model and implementation part, or the actors wait for each other forever: the verdict on the log, in words.
    Diverged(String),
}

/// How a bug was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Executions until then, that one included.
    pub executions: u64,
    /// Seconds until then.
    pub seconds: f64,
    /// The exploration that met it.
    pub settings: Settings,
    /// Executions before it that the model could not explain, and the first verdict of that kind.
    pub unexplained: (u64, Option<String>),
    /// Those of them that the end needs, in few turns; the last one breaks the property.
    pub events: Vec<Event>,
}

/// The scope in which a mutant is sought: its own, with an environment that does only what the machine in memory can,
/// and with every lock taken as a log has it.
pub fn scope_of(mutant: &Mutant) -> anyhow::Result<Scope> {
    Ok(board::scope_of(mutant)?.undisturbed().as_in_a_log())
}

/// Looks for the bug of a mutant, in so many executions.
///
/// The error is that an operation panicked, or that the model does not take a behaviour again that it took before.
pub fn find(mutant: &Mutant, threads: usize, budget: u64) -> anyhow::Result<Sought> {
    let begin = Instant::now();
    let scope = scope_of(mutant)?;
    if let Some(reason) = not_applicable(mutant, &scope, threads)? {
        return Ok(Sought::NotApplicable(reason));
    }
    let explainer = Explainer::new(&scope).until(mutant.property);
    let mut unexplained: (u64, Option<String>) = (0, None);
    let (mut executions, mut complete) = (0, true);
    for settings in plan(steps_of_first(&scope)?) {
        let mut found = None;
        let settings = Settings {
            max_executions: settings.max_executions.min(budget - executions),
            ..settings
        };
        let run = explore(&scope, &settings, |log| {
            let why = match explainer.explain(&log) {
                Judged::Explained { violated, events } => {
                    if violated.contains(&mutant.property) {
                        found = Some(events);
                        return ControlFlow::Break(());
                    }
                    return ControlFlow::Continue(());
                }
                Judged::Unexplained(unexplained) => unexplained.to_string(),
                Judged::Unconsumed(why) | Judged::Malformed(why) => why,
                Judged::Cut { configurations } => {
                    format!("a log has more than {configurations} configurations")
                }
            };
            unexplained.0 += 1;
            unexplained.1.get_or_insert(why);
            ControlFlow::Continue(())
        })?;
        executions += run.executions;
        if let Some(events) = found {
            return Ok(Sought::Found(Found {
                executions,
                seconds: begin.elapsed().as_secs_f64(),
                settings,
                unexplained,
                events: thinned(&scope, mutant.property, &events)?,
            }));
        }
        complete &= run.end == End::Complete || settings.pause.is_some();
        if executions >= budget {
            complete = false;
            break;
        }
    }
    Ok(match unexplained.1 {
        Some(why) => Sought::Diverged(why),
        None => Sought::Survives {
            executions,
            complete,
        },
    })
}

/// What is explored, one after the other, if the first actor has so many steps.
fn plan(steps: usize) -> impl Iterator<Item = Settings> {
    let near = |preemptions| Settings {
        cutoff: Cutoff::BeforeRuns,
        ..Settings::new(Some(preemptions))
    };
    let paused = ROUNDS
        .into_iter()
        .flat_map(move |(preemptions, stride, share)| {
            (0..steps).step_by(stride).map(move |pause| Settings {
                pause: Some(pause),
                max_executions: share,
                ..near(preemptions)
            })
        });
    let whole = PREEMPTIONS.into_iter().flat_map(explorations);
    iter::once(near(1)).chain(paused).chain(whole)
}

/// The whole explorations with so many preemptions.
fn explorations(preemptions: usize) -> [Settings; 4] {
    [
        (Order::NewestFirst, Patience::Waits),
        (Order::OldestFirst, Patience::Waits),
        (Order::NewestFirst, Patience::TimesOut),
        (Order::OldestFirst, Patience::TimesOut),
    ]
    .map(|(order, patience)| Settings {
        order,
        patience,
        ..Settings::new(Some(preemptions))
    })
}

/// The steps that the first actor takes if nobody interrupts it.
fn steps_of_first(scope: &Scope) -> anyhow::Result<usize> {
    let mut steps = 0;
    explore(scope, &Settings::new(Some(0)), |log| {
        let is_its = |mark: &&Mark| matches!(mark, Mark::Begin { actor, .. } if *actor == Actor(0));
        steps = log.marks.iter().filter(is_its).count();
        ControlFlow::Break(())
    })?;
    Ok(steps)
}

/// Why a mutant cannot be found under loom.
fn not_applicable(
    mutant: &Mutant,
    scope: &Scope,
    threads: usize,
) -> anyhow::Result<Option<String>> {
    if mutant.is_equivalent {
        return Ok(Some(
            "it makes no difference that anybody can see".to_owned(),
        ));
    }
    if mutant.property == Property::LocksAreTakenInRankOrder {
        return Ok(Some(RANKS_SHOW_NOWHERE.to_owned()));
    }
    if let Some(reason) = refusal(scope) {
        return Ok(Some(reason));
    }
    let breaks = || board::shortest(scope, mutant.property, threads);
    let allowed = scope.scenario.environment;
    if allowed == scope.environment || breaks()?.is_some() {
        return Ok(None);
    }
    let kinds = [
        (allowed.kills, "a kill"),
        (allowed.full_tmpfs, "a full tmpfs"),
        (allowed.no_inode, "a missing inode"),
        (allowed.disconnects, "a client that leaves"),
    ];
    let kinds: Vec<&str> = kinds
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(_, kind)| kind)
        .collect();
    Ok(Some(format!(
        "its property falls only with {}, and the machine in memory has none",
        kinds.join(" or ")
    )))
}

/// The events that the end of a behaviour needs, which the model takes again.
fn thinned(scope: &Scope, property: Property, events: &[Event]) -> anyhow::Result<Vec<Event>> {
    let is_hit = thin::hits(scope, property);
    let events = thin::thin(scope, events, &is_hit);
    let states = report::walk(scope, &events)
        .map_err(|(at, refusal)| anyhow!("event {} is refused: {refusal}", at + 1))?;
    let ends_so = states.last().is_some_and(|state| is_hit(scope, state));
    anyhow::ensure!(ends_so, "what is left does not break {}", property.name());
    Ok(events)
}
