//! stateright's breadth-first checker, with what it does not count by itself.
//!
//! It finds an example of a property, and neither the shortest one nor the states that put the property to the test. So every
//! state that it visits is looked at here, and the record says what that of the other engine says. Which states there are, and
//! which were met before, is stateright's own word. It has one thread: only then are states visited in the order of their
//! distance from the start.

use anyhow::{Context as _, ensure};
use model::engine::Protocol;
use model::verdict::{Claim, Completeness, Deadlocks, PropertyRecord, Record, Trace};
use model::{Scope, State};
use specs::Event;
use stateright::{Checker as _, Expectation, Model, Property as Checked};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A state, and how it was reached first, which does not belong to it.
#[derive(Clone, Debug)]
struct Reached {
    state: State,
    way: Option<Arc<Way>>,
}

impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Hash for Reached {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.state.hash(hasher);
    }
}

/// The last event of a way from the start, and what was before it.
#[derive(Debug)]
struct Way {
    event: Event,
    before: Option<Arc<Self>>,
}

/// A scope whose states are looked at when they are visited.
struct Watched {
    scope: Scope,
    properties: Vec<Checked<Scope>>,
    tally: Mutex<Tally>,
}

/// What was counted.
struct Tally {
    visited: u64,
    properties: Vec<Count>,
    deadlocks: Count,
    coverage: Vec<u64>,
}

/// States of a kind, and the first of them.
#[derive(Clone, Default)]
struct Count {
    premise: u64,
    hits: u64,
    first: Option<Reached>,
}

impl Count {
    fn add(&mut self, reached: &Reached) {
        self.hits += 1;
        self.first.get_or_insert_with(|| reached.clone());
    }
}

impl Watched {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks everything there is to ask about a state.
    fn look(&self, reached: &Reached) {
        let (scope, state) = (&self.scope, &reached.state);
        let mut tally = self.tally();
        tally.visited += 1;
        for (index, property) in self.properties.iter().enumerate() {
            let is_always = property.expectation == Expectation::Always;
            let count = &mut tally.properties[index];
            count.premise += u64::from(Protocol::premise(scope, index, state));
            if (property.condition)(scope, state) != is_always {
                count.add(reached);
            }
        }
        if Protocol::is_deadlock(scope, state) {
            tally.deadlocks.add(reached);
        }
        scope.successors(state, &mut |event, _| {
            tally.coverage[scope.kind_of(state, &event)] += 1;
        });
    }

    fn trace(&self, reached: Option<&Reached>) -> anyhow::Result<Option<Trace<State, Event>>> {
        let Some(reached) = reached else {
            return Ok(None);
        };
        let mut events = Vec::new();
        let mut way = reached.way.as_ref();
        while let Some(last) = way {
            events.push(last.event);
            way = last.before.as_ref();
        }
        events.reverse();
        let initial = self.scope.start();
        let mut state = initial;
        let mut steps = Vec::new();
        for event in events {
            let next = self.scope.apply(&state, event);
            state = next.ok().context("the model refuses what it has offered")?;
            steps.push((event, state));
        }
        Ok(Some(Trace { initial, steps }))
    }
}

/// What stateright searches. It stops when it has an example of everything that it asks, and so asks one thing, which has none.
#[derive(Clone)]
struct Asked(Arc<Watched>);

impl Model for Asked {
    type State = Reached;
    type Action = Event;

    fn init_states(&self) -> Vec<Reached> {
        let states = self.0.scope.init_states().into_iter();
        states.map(|state| Reached { state, way: None }).collect()
    }

    fn actions(&self, reached: &Reached, actions: &mut Vec<Event>) {
        self.0.scope.actions(&reached.state, actions);
    }

    fn next_state(&self, reached: &Reached, event: Event) -> Option<Reached> {
        let state = self.0.scope.next_state(&reached.state, event)?;
        let before = reached.way.clone();
        let way = Some(Arc::new(Way { event, before }));
        Some(Reached { state, way })
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        vec![Checked::always("is_looked_at", |asked: &Self, reached| {
            asked.0.look(reached);
            true
        })]
    }
}

/// Explores a scope to its end, with none of stateright's limits set.
pub(super) fn explore(scope: &Scope) -> anyhow::Result<Record<State, Event>> {
    let begin = Instant::now();
    let properties = scope.properties();
    let tally = Tally {
        visited: 0,
        properties: vec![Count::default(); properties.len()],
        deadlocks: Count::default(),
        coverage: vec![0; Protocol::kinds(scope)],
    };
    let watched = Arc::new(Watched {
        scope: scope.clone(),
        properties,
        tally: Mutex::new(tally),
    });
    let asked = Asked(Arc::clone(&watched));
    let starts = asked.init_states().len();
    let checker = asked.checker().threads(1).spawn_bfs().join();
    let tally = watched.tally();
    let states = checker.unique_state_count() as u64;
    ensure!(
        tally.visited == states,
        "stateright counts {states} states of {}, and has shown {}: a defect of ours",
        scope.scenario.name,
        tally.visited
    );
    let mut records = Vec::new();
    for (index, (property, count)) in watched.properties.iter().zip(&tally.properties).enumerate() {
        records.push(PropertyRecord {
            name: property.name,
            claim: match property.expectation == Expectation::Always {
                true => Claim::Always,
                false => Claim::Sometimes,
            },
            expected: Protocol::expected(scope, index),
            premise: count.premise,
            hits: count.hits,
            first: watched.trace(count.first.as_ref())?,
        });
    }
    Ok(Record {
        completeness: Completeness::Complete,
        states,
        edges: (checker.state_count() - starts) as u64,
        depth: u32::try_from(checker.max_depth().saturating_sub(1))?,
        deadlocks: Deadlocks {
            count: tally.deadlocks.hits,
            first: watched.trace(tally.deadlocks.first.as_ref())?,
        },
        coverage: tally.coverage.clone(),
        properties: records,
        threads: 1,
        peak_bytes: 0,
        seconds: begin.elapsed().as_secs_f64(),
    })
}
