//! Compares two designs of the protocol in one scenario: verdicts, sizes, and what only one of them can do.
//!
//! *Behaviour.* A state together with an event has one successor, so two designs are compared as automata: both take
//! the same events for as long as both can, and the first event that only one of them takes ends a behaviour that the
//! other one has not. *Files.* Two protocols can do the same in another order, so the trees are compared as well: which
//! states of files, locks and ended actors only one of them shows, whatever the way there.

use crate::check::{self, Engine};
use crate::equivalent::look_the_same;
use crate::expected::expected;
use crate::record::{Asked, Check, Verdict};
use crate::report::walk;
use crate::thin;
use crate::traces::Ways;
use anyhow::Context as _;
use model::engine::{Graph, Options};
use model::{Scope, State};
use serde::Serialize;
use specs::property::Mood;
use specs::{Design, Event};
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Two designs side by side; `before` is the one that the other is measured against.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// `compare`.
    pub kind: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The design that is asked about.
    pub design: Design,
    /// Its mutant, if there is one.
    pub mutant: Option<&'static str>,
    /// The design that it is measured against.
    pub against: Design,
    /// `violated` if it breaks what the other one keeps, `cut` if either was cut short, `holds` otherwise.
    pub verdict: Verdict,
    /// Whether both were explored to their end.
    pub complete: bool,
    /// The properties, each with what both say.
    pub properties: Vec<Judged>,
    /// How large its graph is.
    pub now: Size,
    /// How large the graph of the other one is.
    pub before: Size,
    /// Whether the graphs are the same, state for state and edge for edge.
    pub equivalent: bool,
    /// Steps with their outcomes that it reaches and the other one does not.
    pub steps_only_now: Vec<String>,
    /// Steps with their outcomes that the other one reaches and it does not.
    pub steps_only_before: Vec<String>,
    /// What it can do and the other one cannot; none if there is nothing.
    pub only_now: Option<Difference>,
    /// What the other one can do and it cannot; none if there is nothing.
    pub only_before: Option<Difference>,
    /// Time in seconds.
    pub seconds: f64,
}

/// A property under two designs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Its name.
    pub name: &'static str,
    /// States in which it is violated or witnessed, and in which its premise holds: now.
    pub now: Counts,
    /// The same under the other design.
    pub before: Counts,
    /// What changed.
    pub change: Change,
}

/// What a design changes in the verdict on a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing.
    Same,
    /// It holds no longer.
    Broken,
    /// It holds now.
    Mended,
    /// Nobody can say, because a run was cut short.
    Unknown,
}

/// What was counted of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Whether it holds: never violated, or witnessed.
    pub holds: bool,
    /// States in which it is violated or witnessed.
    pub hits: u64,
    /// States in which its premise holds.
    pub premise: u64,
}

/// The size of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// States.
    pub states: u64,
    /// Edges.
    pub edges: u64,
    /// Length of the longest shortest path.
    pub depth: u32,
}

/// What one design can do and the other one cannot.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// States of files and locks that only this one shows.
    pub files: u64,
    /// A shortest behaviour whose last event only this one has; none if it has no behaviour of its own.
    pub behaviour: Option<Behaviour>,
    /// A shortest behaviour after which files and locks are as they never are under the other one.
    pub shown: Option<Behaviour>,
}

/// A behaviour in a record: there with paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Behaviour {
    /// How many events it has.
    pub length: usize,
    /// The events with paths.
    #[serde(rename = "events")]
    pub paths: Vec<Event<String>>,
    /// The events.
    #[serde(skip)]
    pub events: Vec<Event>,
}

impl Behaviour {
    fn new(scope: &Scope, events: Vec<Event>) -> Self {
        let path = |event: &Event| event.map(|id| scope.scenario.path(id));
        Self {
            length: events.len(),
            paths: events.iter().map(path).collect(),
            events,
        }
    }
}

/// Explores both designs and compares them.
///
/// # Errors
///
/// If the engine refuses one of them, which is a defect of the model.
pub fn compare(
    now: &Scope,
    mutant: Option<&'static str>,
    before: &Scope,
    options: &Options,
) -> anyhow::Result<Comparison> {
    let begin = std::time::Instant::now();
    let options = Options {
        keep_graph: true,
        ..options.clone()
    };
    let explore = |scope: &Scope, mutant| -> anyhow::Result<(Check, Graph<State, Event>)> {
        let (check, exploration) = check::check(scope, mutant, Engine::Lockstep, &options)?;
        let graph = exploration.and_then(|exploration| exploration.graph);
        Ok((check, graph.context("the engine kept no graph")?))
    };
    let (check_now, graph_now) = explore(now, mutant)?;
    let (check_before, graph_before) = explore(before, None)?;
    let complete = check_now.run.complete && check_before.run.complete;
    let properties = judged(&check_now, &check_before);
    let steps = |graph: &Graph<State, Event>| -> BTreeSet<String> {
        graph.edges.iter().map(|edge| kind(&edge.action)).collect()
    };
    let (steps_now, steps_before) = (steps(&graph_now), steps(&graph_before));
    // Of a graph that was cut nobody can say what it lacks.
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>, is_whole: bool| {
        let lacks = these.difference(those).filter(|_| is_whole);
        lacks.cloned().collect()
    };
    let (files_now, files_before) = (files(now, &graph_now), files(before, &graph_before));
    let size = |check: &Check| Size {
        states: check.run.states,
        edges: check.run.edges,
        depth: check.run.depth.unwrap_or_default(),
    };
    let verdict = if properties
        .iter()
        .any(|property| property.change == Change::Broken)
    {
        Verdict::Violated
    } else if complete {
        Verdict::Holds
    } else {
        Verdict::Cut
    };
    let difference = |of: &Scope, to: &Scope, graph, files: &[u64], others: &[u64]| {
        complete
            .then(|| difference(of, to, graph, files, others))
            .flatten()
    };
    Ok(Comparison {
        kind: "compare",
        scenario: now.scenario.name,
        design: now.design,
        mutant,
        against: before.design,
        verdict,
        complete,
        properties,
        now: size(&check_now),
        before: size(&check_before),
        equivalent: complete && look_the_same((now, &graph_now), (before, &graph_before)),
        steps_only_now: only(&steps_now, &steps_before, check_before.run.complete),
        steps_only_before: only(&steps_before, &steps_now, check_now.run.complete),
        only_now: difference(now, before, &graph_now, &files_now, &files_before),
        only_before: difference(before, now, &graph_before, &files_before, &files_now),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

fn judged(now: &Check, before: &Check) -> Vec<Judged> {
    let counts = |asked: &Asked| Counts {
        holds: (asked.mood == Mood::Always) == (asked.hits == 0),
        hits: asked.hits,
        premise: asked.premise,
    };
    // In a run that was cut only what was found is certain.
    let is_known = |check: &Check, asked: &Asked| check.run.complete || asked.hits > 0;
    let pairs = now.properties.iter().zip(&before.properties);
    pairs
        .map(|(asked, other)| {
            let (now_counts, before_counts) = (counts(asked), counts(other));
            let change = match (now_counts.holds, before_counts.holds) {
                _ if !is_known(now, asked) || !is_known(before, other) => Change::Unknown,
                (false, true) => Change::Broken,
                (true, false) => Change::Mended,
                (true, true) | (false, false) => Change::Same,
            };
            Judged {
                name: asked.name,
                now: now_counts,
                before: before_counts,
                change,
            }
        })
        .collect()
}

/// A step with its outcome, or what the environment does, without its argument.
fn kind(event: &Event) -> String {
    match event {
        Event::Step { label, outcome, .. } => {
            format!(
                "{}.{} -> {outcome:?}",
                label.step.op().name(),
                label.step.name()
            )
        }
        Event::Reached { label, stage, .. } => {
            format!(
                "{}.{} {}",
                label.step.op().name(),
                label.step.name(),
                stage.name()
            )
        }
        Event::Killed { .. } => "killed".to_owned(),
        Event::Reloaded { .. } => "reloaded".to_owned(),
        Event::FlagSet => "flag file created".to_owned(),
        Event::CutoffPassed => "cutoff passed".to_owned(),
    }
}

/// What files, locks and ended actors show in each state, as a fingerprint of 64 bits.
fn files(scope: &Scope, graph: &Graph<State, Event>) -> Vec<u64> {
    let states = graph.states.iter();
    states
        .map(|state| {
            let mut hasher = DefaultHasher::new();
            format!("{:?}", expected(scope, state, "")).hash(&mut hasher);
            hasher.finish()
        })
        .collect()
}

fn difference(
    of: &Scope,
    to: &Scope,
    graph: &Graph<State, Event>,
    files: &[u64],
    others: &[u64],
) -> Option<Difference> {
    let others: HashSet<u64> = others.iter().copied().collect();
    let own: BTreeSet<u64> = files
        .iter()
        .filter(|f| !others.contains(f))
        .copied()
        .collect();
    // States are numbered by their distance from the start.
    let first = (0u32..).zip(files).find(|(_, file)| own.contains(file));
    let shown = first.map(|(state, _)| thin::reorder(of, &Ways::of(graph).events_to(state)));
    let behaviour = only_here(of, to).map(|events| told(of, to, &events));
    if own.is_empty() && behaviour.is_none() {
        return None;
    }
    Some(Difference {
        files: own.len() as u64,
        behaviour: behaviour.map(|events| Behaviour::new(of, events)),
        shown: shown.map(|events| Behaviour::new(of, events)),
    })
}

/// A shortest behaviour of one scope whose last event the other one does not accept after the same events.
fn only_here(of: &Scope, to: &Scope) -> Option<Vec<Event>> {
    type Pair = (State, State);
    let mut found: Vec<(Pair, usize, Option<Event>)> = vec![((of.start(), to.start()), 0, None)];
    let mut known: HashSet<Pair> = HashSet::from([found[0].0]);
    let mut queue: VecDeque<usize> = VecDeque::from([0]);
    while let Some(at) = queue.pop_front() {
        let (mine, theirs) = found[at].0;
        let mut last = None;
        of.successors(&mine, &mut |event, next| match to.apply(&theirs, event) {
            Ok(other) => {
                if known.insert((next, other)) {
                    found.push(((next, other), at, Some(event)));
                    queue.push_back(found.len() - 1);
                }
            }
            Err(_) => last = last.or(Some(event)),
        });
        if let Some(last) = last {
            let mut events = vec![last];
            let mut at = at;
            while let (_, before, Some(event)) = found[at] {
                events.push(event);
                at = before;
            }
            events.reverse();
            debug_assert!(walk(of, &events).is_ok() && walk(to, &events).is_err());
            return Some(events);
        }
    }
    None
}

/// A behaviour that only one scope has in the fewest turns that still keep it from the other one.
fn told(of: &Scope, to: &Scope, events: &[Event]) -> Vec<Event> {
    let Some((last, before)) = events.split_last() else {
        return Vec::new();
    };
    let mut told = thin::reorder(of, before);
    let is_shared = walk(to, &told).is_ok();
    told.push(*last);
    if is_shared && walk(of, &told).is_ok() && walk(to, &told).is_err() {
        told
    } else {
        events.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Run, RunKind};
    use std::collections::BTreeMap;

    /// A run that asked one property: whether it came to its end, and in how many states the property was hit.
    fn run(mood: Mood, (complete, hits): (bool, u64)) -> Check {
        let verdict = if complete {
            Verdict::Holds
        } else {
            Verdict::Cut
        };
        Check {
            run: Run {
                kind: RunKind::Check,
                scenario: "any",
                design: Design::HARDENED,
                mutant: None,
                verdict,
                complete,
                states: 9,
                edges: 9,
                depth: Some(3),
                seconds: 0.0,
                failures: Vec::new(),
            },
            engine: "lockstep",
            threads: 1,
            properties: vec![Asked {
                name: "any",
                mood,
                verdict: "holds",
                premise: 9,
                hits,
                trace_length: None,
            }],
            coverage: BTreeMap::new(),
            collision_odds: 0.0,
            peak_bytes: 0,
        }
    }

    /// What was not hit before a run was cut may be hit behind that, on either side.
    #[test]
    fn a_change_is_known_only_if_both_sides_are() {
        const SIDES: [(bool, u64); 4] = [(true, 0), (true, 2), (false, 0), (false, 2)];
        use Change::{Broken, Mended, Same, Unknown};
        // A line for each run of the design that is asked about, in it a change for each run of the other one.
        let always = [
            [Same, Mended, Unknown, Mended],
            [Broken, Same, Unknown, Same],
            [Unknown, Unknown, Unknown, Unknown],
            [Broken, Same, Unknown, Same],
        ];
        let sometimes = [
            [Same, Broken, Unknown, Broken],
            [Mended, Same, Unknown, Same],
            [Unknown, Unknown, Unknown, Unknown],
            [Mended, Same, Unknown, Same],
        ];
        for (mood, changes) in [(Mood::Always, always), (Mood::Sometimes, sometimes)] {
            for (now, line) in SIDES.into_iter().zip(changes) {
                for (before, change) in SIDES.into_iter().zip(line) {
                    let judged = judged(&run(mood, now), &run(mood, before));
                    assert_eq!(judged.len(), 1);
                    assert_eq!(
                        judged[0].change, change,
                        "{mood:?}, complete and hits: {now:?} now, {before:?} before"
                    );
                }
            }
        }
    }

    /// Each side has more states than the other one under some pair of designs.
    #[test]
    fn a_comparison_with_a_graph_that_was_cut_is_cut_and_says_nothing_that_the_rest_could_take_back()
     {
        let scenario = specs::Scenario::named("deletion_meets_protected_snapshot").unwrap();
        let scopes = [Design::HARDENED, Design::UPSTREAM].map(|d| Scope::new(scenario, d, &[]));
        let whole = compare(&scopes[0], None, &scopes[1], &Options::default()).unwrap();
        assert!(whole.complete && !whole.equivalent);
        assert!(!whole.steps_only_now.is_empty());
        let (now, before) = (whole.now.states, whole.before.states);
        assert_ne!(now, before);
        let options = Options {
            max_states: Some(now.min(before)),
            ..Options::default()
        };
        for (of, to) in [(0, 1), (1, 0)] {
            let cut = compare(&scopes[of], None, &scopes[to], &options).unwrap();
            assert!(!cut.complete && !cut.equivalent);
            assert_ne!(cut.verdict, Verdict::Holds);
            assert!(cut.only_now.is_none() && cut.only_before.is_none());
            let is_now_cut = (of == 0) == (now > before);
            let told = [&cut.steps_only_now, &cut.steps_only_before];
            assert!(told[usize::from(is_now_cut)].is_empty(), "{told:?}");
        }
    }

    /// One state of the hardened design is met in two ways that leave the other one in two states, and only the second tells.
    #[test]
    fn a_difference_is_found_behind_a_state_that_was_met_before() {
        let scenario = specs::Scenario::named("deletion_meets_protected_snapshot").unwrap();
        let less = Design::HARDENED.without(specs::design::Change::SkipsAVanishedSnapshot);
        let [of, to] = [Design::HARDENED, less].map(|design| Scope::new(scenario, design, &[]));
        let events = only_here(&of, &to).unwrap();
        assert!(walk(&of, &events).is_ok() && walk(&to, &events).is_err());
    }
}
