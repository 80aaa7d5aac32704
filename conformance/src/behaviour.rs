//! Replays one behaviour on the implementation with the same faults, and judges the property on the real files.

use crate::driver::{Driver, Options};
use crate::expected::expected;
use crate::notes::{Notes, before, runs};
use crate::projection::Projected;
use crate::real_check::{self, Evidence, Shown};
use crate::replay::{Counts, Divergence, replay_trace_with};
use crate::wire::Stands;
use crate::witness::takes_store;
use anyhow::Context as _;
use model::state::End;
use model::{Scope, State};
use specs::id::Actor;
use specs::{Event, Outcome, Property, Scenario};

/// What became of a behaviour.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// Every step was as the model says.
    Same {
        /// What was compared.
        counts: Counts,
        /// What the real files show of the property.
        shown: Shown,
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
    let scenario = Scenario {
        splits_locks: scope.splits_locks,
        ..*scope.scenario
    };
    let mut driver = Driver::new(&scenario, scope.design, &scope.faults, options)?;
    let base = driver.world().store().display().to_string();
    let mut notes = Notes::new(scope);
    let mut last = Projected::default();
    let replayed = replay_trace_with(
        &mut driver,
        events,
        |after| expected(scope, &states[after], &base),
        |_, after, seen| {
            notes.note(events, after, seen);
            last.clone_from(seen);
        },
    )?;
    let counts = match replayed {
        Ok(counts) => counts,
        Err(divergence) => return Ok(Replayed::Diverged(Box::new(divergence))),
    };
    let end = states
        .last()
        .context("a behaviour has at least its start")?;
    let before = before(&driver, scope, &[]);
    let mut waiters = Vec::new();
    let mut refused = None;
    if property == Property::NoOperationWaitsForever && scope.is_deadlock(end) {
        let is_live = |actor: &Actor| end.actor(*actor).next.is_live();
        let live: Vec<_> = scope.actors().filter(is_live).collect();
        waiters = driver.witness_deadlock(&live)?;
    }
    if property == Property::GcIsNotRefusedByItsOwnWriters {
        refused = refused_collection(&mut driver, scope)?;
    }
    if [
        Property::StartedBackupFinishes,
        Property::JobSkipsWhatVanished,
    ]
    .contains(&property)
    {
        // The model knows that an operation will fail as soon as it meets the reason.
        for actor in scope.actors() {
            if end.actor(actor).end != End::NONE {
                driver.finish(actor)?;
            }
        }
    }
    let evidence = Evidence {
        scenario: scope.scenario,
        design: scope.design,
        world: driver.world(),
        seen: &last,
        notes: &notes,
        runs: &runs(&driver, scope),
        before: &before,
        waiters: &waiters,
        refused,
    };
    let shown = real_check::shown(property, &evidence)?;
    Ok(Replayed::Same { counts, shown })
}

/// Lets every collection that stands before taking the process lock try it; the first to which it is refused.
fn refused_collection(driver: &mut Driver, scope: &Scope) -> anyhow::Result<Option<Actor>> {
    for actor in scope.actors() {
        let stands_before_it =
            matches!(driver.stands(actor), Stands::Behind(label) if *label == takes_store());
        if stands_before_it && driver.try_next(actor)?.outcome == Some(Outcome::WouldBlock) {
            return Ok(Some(actor));
        }
    }
    Ok(None)
}
