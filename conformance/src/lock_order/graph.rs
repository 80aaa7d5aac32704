//! The edges of the lock order from the model: those of the complete graphs of scenarios.

use super::{Edge, Node, Taking};
use crate::drawing::{actor_name, actor_of, lock_label};
use crate::traces::Ways;
use anyhow::Context as _;
use model::engine::{self, Options};
use model::locks::{self, Name, Possession, Rank};
use model::ops::{self, Request};
use model::state::Pending;
use model::verdict::Completeness;
use model::{Scope, State};
use specs::id::Actor;
use specs::lock_class::Wait;
use specs::mutant::Fault;
use specs::step::LockUse;
use specs::{Design, Event, LockClass, Outcome, Scenario, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The edges of the lock order under a design.
#[derive(Clone, Debug)]
pub struct LockGraph {
    /// The design.
    pub design: Design,
    /// The faults under it.
    pub faults: Vec<Fault>,
    /// The mutant, or the faults by their names.
    pub mutant: Option<&'static str>,
    /// The scenarios that were explored, in their order.
    pub scenarios: Vec<Explored>,
    /// What was asked for while something was held.
    pub takings: BTreeMap<Taking, Shown>,
}

/// A scenario that was explored.
#[derive(Clone, Copy, Debug)]
pub struct Explored {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// Its states.
    pub states: u64,
    /// Its edges that a replay takes: all but kills.
    pub edges: u64,
    /// Whether all of it was explored.
    pub is_complete: bool,
}

/// Where an edge shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The scenarios in which the lock is given to somebody who asks so.
    pub given_in: BTreeSet<&'static str>,
    /// Those in which a real run shows that somebody asks so.
    pub asked_in: BTreeSet<&'static str>,
    /// Whether it always stands above the one that is held, in the order of the model: by class, and namespaces by depth.
    pub rises: bool,
    /// The shortest behaviour after which somebody asks so.
    pub witness: Witness,
    /// For two locks of one class: a shortest behaviour for each two, where the second one is given.
    pub pairs: Vec<Witness>,
}

/// A behaviour, and what somebody asks for at its end.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// What happens before.
    pub events: Vec<Event>,
    /// Who asks.
    pub actor: Actor,
    /// The lock that the actor has: class and name.
    pub held: String,
    /// The lock that it asks for: class, and its name where that can be told, since it is given.
    pub taken: String,
    /// How long it waits.
    pub wait: Wait,
}

impl Witness {
    /// Who asks for what, and has what, in a sentence.
    pub fn sentence(&self, scope: &Scope) -> String {
        let actor = actor_name(scope, self.actor);
        let verb = if self.wait.blocks() {
            "waits for"
        } else {
            "tries"
        };
        format!("{actor} has {} and {verb} {}", self.held, self.taken)
    }
}

impl LockGraph {
    /// A graph without edges.
    pub const fn new(design: Design, faults: Vec<Fault>, mutant: Option<&'static str>) -> Self {
        Self {
            design,
            faults,
            mutant,
            scenarios: Vec::new(),
            takings: BTreeMap::new(),
        }
    }

    /// The scope of a scenario; no property is asked.
    pub fn scope(&self, scenario: &'static Scenario) -> Scope {
        let mut scope = Scope::new(scenario, self.design, &self.faults);
        scope.asked.clear();
        scope
    }

    /// Explores a scenario and adds the edges of its graph.
    pub fn add(&mut self, scenario: &'static Scenario, options: &Options) -> anyhow::Result<()> {
        let scope = self.scope(scenario);
        let options = Options {
            keep_graph: true,
            ..options.clone()
        };
        let exploration = engine::explore(&scope, &options)
            .with_context(|| format!("cannot explore {}", scenario.name))?;
        let graph = exploration.graph.context("the engine kept no graph")?;
        let is_kill = |event: &Event| matches!(event, Event::Killed { .. });
        let kills = graph.edges.iter().filter(|edge| is_kill(&edge.action));
        self.scenarios.push(Explored {
            scenario,
            states: exploration.record.states,
            edges: exploration.record.edges - kills.count() as u64,
            is_complete: exploration.record.completeness == Completeness::Complete,
        });
        let mut search = Search {
            scope: &scope,
            found: BTreeMap::new(),
        };
        for edge in &graph.edges {
            let [from, to] = [edge.from, edge.to].map(|at| &graph.states[at as usize]);
            search.look_at(edge.from, from, &edge.action, to);
        }
        for (at, state) in (0u32..).zip(&graph.states) {
            let has_step = |actor: Actor| {
                let of_actor = |event: &Event| actor_of(event) == Some(actor);
                graph.edges_from(at).iter().any(|e| of_actor(&e.action))
            };
            search.look_at_waiting(at, state, &has_step);
        }
        let found = search.found;
        let ways = Ways::of(&graph);
        for (taking, found) in found {
            let wait = taking.edge.wait;
            let witness = |seen: &Seen| Witness {
                scenario,
                events: ways.events_to(seen.state),
                actor: seen.actor,
                held: seen.held.clone(),
                taken: seen.taken.clone(),
                wait,
            };
            self.put(taking, &found, witness);
        }
        Ok(())
    }

    fn put(&mut self, taking: Taking, found: &Found, witness: impl Fn(&Seen) -> Witness) {
        let new = witness(&found.first);
        let pairs = found.pairs.values().map(&witness);
        let shown = self.takings.entry(taking).or_insert_with(|| Shown {
            given_in: BTreeSet::new(),
            asked_in: BTreeSet::new(),
            rises: true,
            witness: new.clone(),
            pairs: Vec::new(),
        });
        if found.is_given {
            shown.given_in.insert(new.scenario.name);
        }
        if found.is_asked {
            shown.asked_in.insert(new.scenario.name);
        }
        shown.rises &= found.rises;
        shown.pairs.extend(pairs);
        if new.events.len() < shown.witness.events.len() {
            shown.witness = new;
        }
    }

    /// Whether every scenario was explored completely.
    pub fn is_complete(&self) -> bool {
        self.scenarios.iter().all(|explored| explored.is_complete)
    }

    /// The edges, each with its takings.
    pub fn edges(&self) -> BTreeMap<&Edge, Vec<(&Taking, &Shown)>> {
        let mut edges: BTreeMap<&Edge, Vec<_>> = BTreeMap::new();
        for (taking, shown) in &self.takings {
            edges.entry(&taking.edge).or_default().push((taking, shown));
        }
        edges
    }
}

/// Where an edge was seen first in one scenario.
#[derive(Clone, Debug)]
struct Found {
    first: Seen,
    is_given: bool,
    is_asked: bool,
    rises: bool,
    pairs: BTreeMap<[Option<Name>; 2], Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    state: u32,
    actor: Actor,
    held: String,
    taken: String,
}

/// Somebody asks for a lock.
struct Ask {
    /// In which state.
    state: u32,
    actor: Actor,
    step: Step,
    request: Request,
    /// Its place in the order.
    rank: Rank,
    /// Whether it is given.
    is_given: bool,
    /// Whether a real run shows it.
    is_asked: bool,
    /// The lock, if it is kept after the step.
    kept: Option<Possession>,
}

struct Search<'a> {
    scope: &'a Scope,
    found: BTreeMap<Taking, Found>,
}

impl Search<'_> {
    /// Looks at an event that leads from a state to another.
    fn look_at(&mut self, state: u32, before: &State, event: &Event, after: &State) {
        let Event::Step {
            actor,
            label,
            outcome,
        } = *event
        else {
            return;
        };
        // Whoever stops does so before it asks.
        if outcome == Outcome::Stopped {
            return;
        }
        let step = label.step;
        let Some(request) = ops::request(self.scope, before, actor, step) else {
            return;
        };
        let held = locked(self.scope, before, actor);
        if held.is_empty() {
            return;
        }
        let mut new = locked(self.scope, after, actor);
        for lock in &held {
            // Whether an actor relies on a lock may change with the next one.
            let is =
                |l: &Possession| (l.class, l.name, l.mode) == (lock.class, lock.name, lock.mode);
            if let Some(at) = new.iter().position(is) {
                new.remove(at);
            }
        }
        let kept = new.into_iter().find(|lock| lock.class == request.class);
        let is_within = matches!(step.row().lock, Some(LockUse::Within(..)));
        let is_given = is_within || kept.is_some();
        let ask = Ask {
            state,
            actor,
            step,
            request,
            rank: ops::rank_asked(self.scope, before, actor, step, request.class),
            is_given,
            is_asked: is_given || shows_in_vain(request.class),
            kept,
        };
        self.note(&held, &ask);
    }

    /// Looks at those who wait in a state for as long as it takes, and so have no step.
    fn look_at_waiting(&mut self, at: u32, state: &State, has_step: &impl Fn(Actor) -> bool) {
        for actor in self.scope.actors() {
            let Some(step) = ops::next_step(self.scope, state, actor) else {
                continue;
            };
            let Some(request) = ops::request(self.scope, state, actor, step) else {
                continue;
            };
            if request.wait == Wait::Forever && !has_step(actor) {
                let ask = Ask {
                    state: at,
                    actor,
                    step,
                    request,
                    rank: ops::rank_asked(self.scope, state, actor, step, request.class),
                    is_given: false,
                    // In a replay nobody begins a step that it cannot end.
                    is_asked: false,
                    kept: None,
                };
                self.note(&locked(self.scope, state, actor), &ask);
            }
        }
    }

    fn note(&mut self, held: &[Possession], ask: &Ask) {
        let Request { class, mode, wait } = ask.request;
        for lock in held {
            let taking = Taking {
                edge: Edge {
                    held: Node::Class(lock.class, lock.mode),
                    taken: Node::Class(class, mode),
                    wait,
                },
                step: Some(ask.step),
            };
            let seen = || Seen {
                state: ask.state,
                actor: ask.actor,
                held: lock_label(self.scope, lock),
                taken: ask.kept.as_ref().map_or_else(
                    || class.name().to_owned(),
                    |kept| lock_label(self.scope, kept),
                ),
            };
            let found = self.found.entry(taking).or_insert_with(|| Found {
                first: seen(),
                is_given: false,
                is_asked: false,
                rises: true,
                pairs: BTreeMap::new(),
            });
            if ask.state < found.first.state {
                found.first = seen();
            }
            found.is_given |= ask.is_given;
            found.is_asked |= ask.is_asked;
            let rank = lock.name.map_or(locks::rank_of_class(lock.class), |name| {
                locks::rank_of(self.scope, name)
            });
            found.rises &= rank < ask.rank;
            let kept = ask.kept.as_ref().filter(|kept| kept.class == lock.class);
            if let Some(kept) = kept {
                let pair = [lock.name, kept.name];
                let first = found.pairs.entry(pair).or_insert_with(seen);
                if ask.state < first.state {
                    *first = seen();
                }
            }
        }
    }
}

/// Whether a call shows who asks for a lock of a class in vain. Of what a process counts in memory its code says who has it,
/// and of a mutex nothing is known before it is locked.
const fn shows_in_vain(class: LockClass) -> bool {
    match class {
        LockClass::GcSlot | LockClass::Store | LockClass::ChunkStore | LockClass::Cache => false,
        LockClass::Namespace
        | LockClass::Group
        | LockClass::GroupDirectory
        | LockClass::Snapshot
        | LockClass::SnapshotDirectory
        | LockClass::Manifest
        | LockClass::MoveJournal
        | LockClass::ChunkFile
        | LockClass::ActiveOperations => true,
    }
}

/// What an actor has by the word of the kernel.
fn locked(scope: &Scope, state: &State, actor: Actor) -> Vec<Possession> {
    // What a step has locked whose lock it is about to compare is what it takes.
    let mut before = *state;
    before.actor_mut(actor).pending = Pending::NONE;
    let mut all = locks::possessions(scope, &before, actor);
    all.retain(|lock| lock.is_locked);
    all
}
