//! The search for an order: along the marks, with every configuration that can be the case there.

use super::reading::{Moment, Reading, Taken};
use super::{Explainer, Judged, report};
use model::State;
use specs::id::{Actor, Id};
use specs::{Event, Label, Outcome, Property, Stage};
use std::collections::HashSet;

/// What can be the case at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Configuration {
    pub(super) state: State,
    /// The actors whose step under way has taken effect, as bits.
    done: u8,
    /// The properties that were violated, as bits.
    violated: u32,
}

/// How a configuration was reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    before: usize,
    event: Option<Event>,
    /// How many events lead there.
    pub(super) depth: usize,
}

/// What can be the case at the mark that the search has come to.
pub(super) struct Search<'a> {
    pub(super) explainer: &'a Explainer,
    pub(super) reading: &'a Reading,
    /// The step that each actor has begun and not ended.
    pub(super) open: Vec<Option<usize>>,
    pub(super) nodes: Vec<Node>,
    alive: Vec<(Configuration, usize)>,
}

/// Configurations, each once, in the order in which they were met.
#[derive(Default)]
pub(super) struct Met {
    known: HashSet<Configuration>,
    pub(super) all: Vec<(Configuration, usize)>,
}

impl Met {
    fn add(&mut self, configuration: Configuration, node: usize) -> bool {
        let is_new = self.known.insert(configuration);
        if is_new {
            self.all.push((configuration, node));
        }
        is_new
    }
}

const fn bit(actor: Actor) -> u8 {
    1 << actor.0
}

impl<'a> Search<'a> {
    pub(super) fn new(explainer: &'a Explainer, reading: &'a Reading) -> Self {
        let state = explainer.scope.start();
        let start = Configuration {
            state,
            done: 0,
            violated: explainer.violated(&state),
        };
        let root = Node {
            before: 0,
            event: None,
            depth: 0,
        };
        Self {
            explainer,
            reading,
            open: vec![None; explainer.scope.actors().count()],
            nodes: vec![root],
            alive: vec![(start, 0)],
        }
    }

    /// Goes past a mark; the verdict, if it ends there.
    pub(super) fn pass(&mut self, mark: usize, moment: Moment) -> Result<(), Judged> {
        match moment {
            Moment::Begin(step) => {
                self.open[usize::from(self.reading.steps[step].actor.0)] = Some(step);
                Ok(())
            }
            Moment::End(step, outcome) => {
                let Taken { actor, label, .. } = self.reading.steps[step];
                let (before, after) = self.close(Some(actor))?;
                self.open[usize::from(actor.0)] = None;
                if after.all.is_empty() {
                    let event = Event::Step {
                        actor,
                        label,
                        outcome,
                    };
                    return Err(self.unexplained(mark, event, &before));
                }
                self.alive = after.all;
                Ok(())
            }
            Moment::Happened(event) => self.happen(mark, event),
        }
    }

    fn happen(&mut self, mark: usize, event: Event) -> Result<(), Judged> {
        let (before, _) = self.close(None)?;
        let mut gone = 0;
        if let Event::Killed { process } = event {
            for actor in self.explainer.scope.actors() {
                if self.explainer.scope.process_of(actor) == process {
                    self.open[usize::from(actor.0)] = None;
                    gone |= bit(actor);
                }
            }
        }
        let mut after = Met::default();
        for (configuration, node) in &before.all {
            if let Ok(state) = self.explainer.scope.apply(&configuration.state, event) {
                let next = Configuration {
                    state,
                    done: configuration.done & !gone,
                    violated: configuration.violated | self.explainer.violated(&state),
                };
                if after.add(next, self.nodes.len()) {
                    self.note(*node, event)?;
                }
            }
        }
        if after.all.is_empty() {
            return Err(self.unexplained(mark, event, &before));
        }
        self.alive = after.all;
        Ok(())
    }

    /// Lets steps under way take effect in every order. With an actor, each order ends with its step: all others can
    /// still wait. The configurations without its step, and those with it.
    fn close(&mut self, last: Option<Actor>) -> Result<(Met, Met), Judged> {
        let mut before = Met::default();
        let mut after = Met::default();
        for (configuration, node) in std::mem::take(&mut self.alive) {
            match last {
                Some(actor) if configuration.done & bit(actor) != 0 => {
                    let done = configuration.done & !bit(actor);
                    after.add(
                        Configuration {
                            done,
                            ..configuration
                        },
                        node,
                    );
                }
                Some(_) | None => {
                    before.add(configuration, node);
                }
            }
        }
        let mut at = 0;
        while let Some((configuration, node)) = before.all.get(at).copied() {
            at += 1;
            for step in self.open.clone().into_iter().flatten() {
                let Taken { actor, label, .. } = self.reading.steps[step];
                if configuration.done & bit(actor) != 0 {
                    continue;
                }
                for event in self.calls_of(actor, label) {
                    let Ok(state) = self.explainer.scope.apply(&configuration.state, event) else {
                        continue;
                    };
                    let next = Configuration {
                        state,
                        ..configuration
                    };
                    if before.add(next, self.nodes.len()) {
                        self.note(node, event)?;
                    }
                }
                for event in self.events_of(step) {
                    let Ok(state) = self.explainer.scope.apply(&configuration.state, event) else {
                        continue;
                    };
                    let is_last = last == Some(actor);
                    let next = Configuration {
                        state,
                        done: configuration.done | if is_last { 0 } else { bit(actor) },
                        violated: configuration.violated | self.explainer.violated(&state),
                    };
                    let met = if is_last { &mut after } else { &mut before };
                    if met.add(next, self.nodes.len()) {
                        self.note(node, event)?;
                    }
                }
            }
        }
        Ok((before, after))
    }

    /// How far a step can come that takes a lock in its calls. A log does not say it.
    pub(super) fn calls_of(
        &self,
        actor: Actor,
        label: Label<Id>,
    ) -> impl Iterator<Item = Event> + use<> {
        let stages = self.explainer.scope.splits_locks.then_some(Stage::ALL);
        let call = move |stage| Event::Reached {
            actor,
            label,
            stage,
        };
        stages.into_iter().flatten().map(call)
    }

    /// The events that a step can be.
    fn events_of(&self, step: usize) -> impl Iterator<Item = Event> + use<> {
        let step = self.reading.steps[step];
        let knows_vanished = step.label.step.row().outcomes.contains(&Outcome::Vanished);
        let is_wanted = move |outcome: &&Outcome| match (step.end, outcome) {
            (Some(Outcome::NoSpace(_)), Outcome::NoSpace(_)) => true,
            // Whoever unlinks a lock file holds it: at that moment a step that takes it at once would not get it.
            (Some(Outcome::Vanished), Outcome::WouldBlock | Outcome::TimedOut) => !knows_vanished,
            (Some(end), outcome) => end == **outcome,
            (None, _) => step.is_killed,
        };
        let event = move |outcome: &Outcome| Event::Step {
            actor: step.actor,
            label: step.label,
            outcome: *outcome,
        };
        let other = step
            .end
            .filter(|end| !step.label.step.row().outcomes.contains(end));
        let outcomes = step.label.step.row().outcomes.iter();
        // An outcome that the table does not know is refused by the model, which then says so.
        outcomes
            .filter(is_wanted)
            .map(event)
            .chain(other.map(|end| event(&end)))
    }

    fn note(&mut self, before: usize, event: Event) -> Result<(), Judged> {
        if self.nodes.len() >= self.explainer.configurations {
            return Err(Judged::Cut {
                configurations: self.explainer.configurations,
            });
        }
        self.nodes.push(Node {
            before,
            event: Some(event),
            depth: self.nodes[before].depth + 1,
        });
        Ok(())
    }

    /// The events on the way to a configuration.
    pub(super) fn way_to(&self, mut node: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.nodes[node].event {
            events.push(event);
            node = self.nodes[node].before;
        }
        events.reverse();
        events
    }

    /// What is proven at the mark where the search stands, if that is that a property is violated.
    pub(super) fn proof_of(&self, property: Property) -> Option<Judged> {
        let common = self.common(&self.alive);
        let (_, node) = self.alive.first()?;
        common.contains(&property).then(|| Judged::Explained {
            violated: common,
            events: self.way_to(*node),
        })
    }

    /// The properties that are violated on every way to these configurations.
    fn common(&self, configurations: &[(Configuration, usize)]) -> Vec<Property> {
        let bits =
            |bits, (configuration, _): &(Configuration, usize)| bits & configuration.violated;
        let common = configurations.iter().fold(u32::MAX, bits);
        let asked = self.explainer.asked.iter().enumerate();
        asked
            .filter(|(n, _)| common & 1 << n != 0)
            .map(|(_, (property, _))| *property)
            .collect()
    }

    /// The verdict behind the last mark.
    pub(super) fn finish(self) -> Judged {
        let scope = &self.explainer.scope;
        let waiting: Vec<usize> = self.open.iter().copied().flatten().collect();
        let is_end = |state: &State| {
            if waiting.is_empty() {
                return scope.is_over(state);
            }
            // Steps that never end are those of a deadlock, and each of them stands where the model says.
            let stands = |step: &usize| {
                let step = self.reading.steps[*step];
                scope.labels(state, step.actor).contains(&step.label)
            };
            scope.is_deadlock(state) && waiting.iter().all(stands)
        };
        let mut ends = self.alive.clone();
        ends.retain(|(configuration, _)| configuration.done == 0 && is_end(&configuration.state));
        let asks = scope.asked.contains(&Property::NoOperationWaitsForever);
        let Some((_, node)) = ends.first() else {
            return Judged::Unconsumed(report::unconsumed(
                scope,
                self.reading,
                &waiting,
                &self.alive,
            ));
        };
        if !waiting.is_empty() && !asks {
            return Judged::Unconsumed(report::waiting(scope, self.reading, &waiting));
        }
        Judged::Explained {
            violated: self.common(&ends),
            events: self.way_to(*node),
        }
    }
}
