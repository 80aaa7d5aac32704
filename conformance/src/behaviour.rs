//! Replays one behaviour on the implementation with the same fault, and judges the property on the real files.

use crate::driver::{Driver, Options};
use crate::expected::expected;
use crate::projection::Projected;
use crate::real_check::{self, Evidence};
use crate::reliance::Reliance;
use crate::replay::{Counts, Divergence, replay_trace_with};
use crate::wire::Ended;
use anyhow::Context as _;
use model::{Scope, State};
use specs::{Event, Property};

/// What became of a behaviour.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// Every step was as the model says; what the real files show of the property, if they show that it is broken.
    Same {
        /// What was compared.
        counts: Counts,
        /// The witness.
        broken: Option<String>,
    },
    /// Model and implementation part.
    Diverged(Box<Divergence>),
}

/// Replays a behaviour; `states` are the model's, the start among them.
pub fn replay_behaviour(
    scope: &Scope,
    events: &[Event],
    states: &[State],
    property: Property,
    options: Options,
) -> anyhow::Result<Replayed> {
    let mut driver = Driver::new(scope.scenario, scope.design, scope.fault, options)?;
    let base = driver.world().store().display().to_string();
    let mut reliance = Reliance::new(scope.scenario);
    let mut last = Projected::default();
    let replayed = replay_trace_with(
        &mut driver,
        events,
        |after| expected(scope, &states[after], &base),
        |after, seen| {
            if let Some(event) = after.checked_sub(1) {
                reliance.note(&events[event]);
            }
            last = seen.clone();
        },
    )?;
    let counts = match replayed {
        Ok(counts) => counts,
        Err(divergence) => return Ok(Replayed::Diverged(Box::new(divergence))),
    };
    let end = states
        .last()
        .context("a behaviour has at least its start")?;
    let runs: Vec<Vec<Ended>> = scope
        .actors()
        .map(|actor| driver.runs(actor).to_vec())
        .collect();
    let waiters = if property == Property::NoOperationWaitsForever && scope.is_deadlock(end) {
        let live: Vec<_> = scope
            .actors()
            .filter(|a| end.actor(*a).next.is_live())
            .collect();
        driver.witness_deadlock(&live)?
    } else {
        Vec::new()
    };
    let evidence = Evidence {
        scenario: scope.scenario,
        world: driver.world(),
        seen: &last,
        runs: &runs,
        reliance: &reliance,
        waiters: &waiters,
    };
    let broken = real_check::broken(property, &evidence)?;
    Ok(Replayed::Same { counts, broken })
}
