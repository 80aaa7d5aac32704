//! The model by itself: every scenario is explored to its end and judged twice, every mutant is found.
//!
//! Numbers and traces are pinned in snapshots. A test is named after its scenario or its mutant.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "model/calls.rs"]
mod calls;
#[path = "model/locks_without_mutant.rs"]
mod locks_without_mutant;
#[path = "model/mends.rs"]
mod mends;
#[path = "model/mutants.rs"]
mod mutants;
#[path = "model/scenarios.rs"]
mod scenarios;
#[path = "model/walks.rs"]
mod walks;

use conformance::drawing::actor_of;
use model::engine::{Exploration, Graph, Options, explore};
use model::state::{Next, State};
use model::verdict::{Claim, Completeness, Expected, Record, Verdict};
use model::{Scope, second_opinion};
use specs::id::{Actor, Process};
use specs::mutant::{MUTANTS, designs};
use specs::question::Asked;
use specs::question::sets::Set;
use specs::scenarios::SCENARIOS;
use specs::step::Row;
use specs::{Design, Event, Op, Outcome, Scenario, Step};
use stateright::Model as _;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The designs that every scenario is explored under.
const PUBLISHED_AND_MENDED: [Design; 2] = [Design::HARDENED, Design::UPSTREAM];

/// The designs that are asked in every scenario whether their rows are taken; the others in those of their mutants.
const LOOKED_AT_WHOLE: [Design; 3] = [Design::HARDENED, Design::UPSTREAM, Design::NAMESPACE_LOCKS];

fn scenario(name: &str) -> &'static Scenario {
    Scenario::named(name).unwrap_or_else(|| panic!("no scenario is named {name}"))
}

fn search(scope: &Scope, options: &Options) -> Exploration<State, Event> {
    explore(scope, options).unwrap_or_else(|refusal| panic!("{}: {refusal}", scope.scenario.name))
}

fn with_graph(scope: &Scope) -> (Record<State, Event>, Graph<State, Event>) {
    let options = Options {
        threads: 2,
        keep_graph: true,
        ..Options::default()
    };
    let exploration = search(scope, &options);
    assert_eq!(exploration.record.completeness, Completeness::Complete);
    (exploration.record, exploration.graph.unwrap())
}

/// Explores a scenario under both designs, with everything that must be true of any of them.
fn explores(name: &str) {
    let scenario = scenario(name);
    let mut report = format!("{}\n", scenario.question);
    for design in PUBLISHED_AND_MENDED {
        let scope = Scope::new(scenario, design, &[]);
        let (record, graph) = with_graph(&scope);
        write!(report, "\n{}: {}", design.name(), counts(&record)).unwrap();

        assert_eq!(
            second_opinion::ask(&scope, 2).difference(&record),
            None,
            "{}",
            design.name()
        );
        let alone = search(&scope, &Options::default()).record;
        assert_eq!(
            counts(&alone),
            counts(&record),
            "one thread and two must count the same"
        );
        for (alone, record) in alone.properties.iter().zip(&record.properties) {
            assert_eq!(
                alone.first, record.first,
                "one thread and two must find the same trace"
            );
        }
        for property in &record.properties {
            assert!(
                property.premise > 0 || property.expected != Expected::Tested,
                "{} was never put to the test",
                property.name
            );
        }
        if design == Design::HARDENED {
            assert_eq!(record.failures(), [], "{name}");
            whoever_has_no_step_has_ended(&scope, &graph);
        }
        arms_agree(&scope, &graph);
        kills_come_at_every_state(&scope, &graph);
    }
    insta::assert_snapshot!(format!("scenario_{name}"), report);
}

fn counts(record: &Record<State, Event>) -> String {
    let mut text = format!(
        "{}, {} states, {} edges, depth {}, {} deadlocks\n",
        record.completeness, record.states, record.edges, record.depth, record.deadlocks.count
    );
    for property in &record.properties {
        let verdict = match (property.claim, property.hits) {
            (Claim::Always, 0) => "holds".to_owned(),
            (Claim::Always, hits) => format!("violated in {hits}"),
            (Claim::Sometimes, 0) => "not witnessed".to_owned(),
            (Claim::Sometimes, hits) => format!("witnessed in {hits}"),
        };
        let first = property.first.as_ref();
        let after = first.map_or(String::new(), |trace| {
            format!(", first after {}", trace.steps.len())
        });
        writeln!(
            text,
            "  {}: {verdict}{after}; premise in {}",
            property.name, property.premise
        )
        .unwrap();
    }
    text
}

/// Every edge is accepted by the arm of its label, in the order of `actions`, and no arm has a hole.
fn arms_agree(scope: &Scope, graph: &Graph<State, Event>) {
    let mut actions = Vec::new();
    for (number, state) in (0..).zip(&graph.states) {
        assert!(!scope.is_stuck(state), "an arm has a hole: {state:?}");
        actions.clear();
        scope.actions(state, &mut actions);
        let edges = graph.edges_from(number);
        assert!(
            edges
                .iter()
                .map(|edge| edge.action)
                .eq(actions.iter().copied()),
            "{state:?}"
        );
        for edge in edges {
            let next = graph.states[edge.to as usize];
            assert_eq!(scope.apply(state, edge.action), Ok(next));
            assert_eq!(scope.next_state(state, edge.action), Some(next));
        }
    }
}

/// As long as a kill is left, every process that has something to do can be killed, and no other.
fn kills_come_at_every_state(scope: &Scope, graph: &Graph<State, Event>) {
    for (number, state) in (0..).zip(&graph.states) {
        let killed: BTreeSet<Process> = graph
            .edges_from(number)
            .iter()
            .filter_map(|edge| match edge.action {
                Event::Killed { process } => Some(process),
                Event::Step { .. }
                | Event::Reached { .. }
                | Event::Reloaded { .. }
                | Event::FlagSet
                | Event::CutoffPassed => None,
            })
            .collect();
        let is_live = |actor: &Actor| state.actor(*actor).next.is_live();
        let live: BTreeSet<Process> = match state.kills {
            0 => BTreeSet::new(),
            _ => scope
                .actors()
                .filter(is_live)
                .map(|actor| scope.process_of(actor))
                .collect(),
        };
        assert_eq!(killed, live, "{state:?}");
    }
}

/// Where no actor has a step, all of them have ended or were killed.
fn whoever_has_no_step_has_ended(scope: &Scope, graph: &Graph<State, Event>) {
    for (number, state) in (0..).zip(&graph.states) {
        let is_step = |event: &Event| actor_of(event).is_some();
        if graph
            .edges_from(number)
            .iter()
            .any(|edge| is_step(&edge.action))
        {
            continue;
        }
        // The actors of a process that is still to be started wait for that.
        let reload = scope.scenario.environment.reload;
        let to_come = reload.filter(|_| state.reloaded == 0).map(|(_, new)| new);
        let begun = scope
            .actors()
            .filter(|actor| Some(scope.process_of(*actor)) != to_come);
        for actor in begun {
            let next = state.actor(actor).next;
            assert!(next == Next::FINISHED || next == Next::KILLED, "{state:?}");
        }
    }
}

/// The mutant breaks its property after the pinned trace, and without it the property holds.
fn is_found(name: &str) {
    let mutant = MUTANTS.iter().find(|mutant| mutant.name == name).unwrap();
    let scenario = scenario(mutant.scenario);
    let property = mutant.property.name();

    let broken = Scope::new(scenario, mutant.design(), mutant.faults()).asking(mutant.property);
    let options = Options {
        stop_at: Some(property.to_owned()),
        ..Options::default()
    };
    let record = search(&broken, &options).record;
    assert_eq!(
        record.verdict(),
        Verdict::Fails,
        "{name}: {property} still holds"
    );
    assert!(
        second_opinion::ask(&broken, 2).found.contains(property),
        "{name}: stateright disagrees"
    );
    let found = record.property(property).unwrap();
    assert_eq!(found.claim, Claim::Always);
    let trace = found.first.as_ref().unwrap();
    let events: Vec<Event> = trace.actions().copied().collect();
    let text = format!(
        "{}\n{property} falls in {} after {} events:\n\n{}",
        mutant.story,
        scenario.name,
        trace.steps.len(),
        suite::drawn(&broken, &events, Some(format!("breaks {property}")))
    );

    let base = Scope::new(scenario, mutant.sound(), &[]).asking(mutant.property);
    let record = search(
        &base,
        &Options {
            threads: 2,
            ..Options::default()
        },
    )
    .record;
    assert_eq!(record.completeness, Completeness::Complete);
    let hits = record.property(property).unwrap().hits;
    assert_eq!(
        hits,
        0,
        "{property} falls without the mutant too, under {}",
        mutant.sound().name()
    );
    insta::assert_snapshot!(
        format!("mutant_{}", name.replace(['/', '.', '+', '-'], "_")),
        text
    );
}

/// The mutant breaks nothing, and nobody can see a difference; that it is said to be so is what is checked.
fn is_equivalent(name: &str) {
    let mutant = MUTANTS.iter().find(|mutant| mutant.name == name).unwrap();
    let scope = Scope::new(scenario(mutant.scenario), mutant.design(), mutant.faults());
    assert!(search(&scope, &Options::default()).record.holds());
    assert!(conformance::equivalent::is_equivalent(mutant, &scope, 2).unwrap());
}

#[test]
fn every_scenario_and_every_mutant_has_a_test_of_its_name() {
    let files = concat!(
        include_str!("model/scenarios.rs"),
        include_str!("model/mutants.rs"),
        include_str!("model/mends.rs")
    );
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    let names = names.chain(MUTANTS.iter().map(|mutant| mutant.name));
    let missing: Vec<String> = names
        .map(|name| format!("fn {}()", name.replace(['/', '.', '+', '-'], "_")))
        .filter(|name| !files.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// The rows of all tables.
fn rows() -> impl Iterator<Item = &'static Row> {
    Op::ALL.iter().flat_map(|op| op.table())
}

/// The scenarios in which a design is looked at: all of them, or those of its mutants.
fn scenarios_of(design: Design) -> Vec<&'static Scenario> {
    let mutants = || MUTANTS.iter().filter(|mutant| mutant.design() == design);
    SCENARIOS
        .iter()
        .filter(|scenario| {
            LOOKED_AT_WHOLE.contains(&design)
                || mutants().any(|mutant| mutant.scenario == scenario.name)
        })
        .collect()
}

fn row_name(row: &Row) -> String {
    format!("{}.{}", row.step.op().name(), row.step.name())
}

/// Every step with every outcome that some scenario of a design reaches, or a pair of tasks that lacks an inode.
fn reached_in(design: Design) -> BTreeSet<(Step, Outcome)> {
    let mut reached = BTreeSet::new();
    let pairs = Set::named("pairs_without_inode").unwrap().questions();
    let pairs = pairs
        .iter()
        .filter(|_| PUBLISHED_AND_MENDED.contains(&design));
    for scenario in scenarios_of(design)
        .into_iter()
        .chain(pairs.map(Asked::scenario))
    {
        let (_, graph) = with_graph(&Scope::new(scenario, design, &[]));
        reached.extend(graph.edges.iter().filter_map(|edge| match edge.action {
            Event::Step { label, outcome, .. } => Some((label.step, outcome)),
            Event::Reached { .. }
            | Event::Killed { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => None,
        }));
    }
    reached
}

#[test]
fn every_row_is_taken_in_its_designs_only_and_outcomes_never_reached_are_known() {
    let mut report = String::new();
    let mut reached_somewhere = BTreeSet::new();
    for design in designs() {
        let reached = reached_in(design);
        for (step, outcome) in &reached {
            let row = step.row();
            assert!(
                row.designs.contains(design),
                "{}: {}",
                design.name(),
                row_name(row)
            );
            assert!(
                row.outcomes.contains(outcome)
                    || *outcome == Outcome::Vanished && row.may_vanish(design),
                "{} {outcome:?}",
                row_name(row)
            );
        }
        if PUBLISHED_AND_MENDED.contains(&design) {
            writeln!(report, "under {}, no scenario reaches:", design.name()).unwrap();
            for row in rows().filter(|row| row.designs.contains(design)) {
                for outcome in row
                    .outcomes
                    .iter()
                    .filter(|o| !reached.contains(&(row.step, **o)))
                {
                    writeln!(report, "  {} {outcome:?}", row_name(row)).unwrap();
                }
            }
        }
        reached_somewhere.extend(reached);
    }
    report.push_str("under no design:\n");
    for row in rows() {
        for outcome in row
            .outcomes
            .iter()
            .filter(|o| !reached_somewhere.contains(&(row.step, **o)))
        {
            writeln!(report, "  {} {outcome:?}", row_name(row)).unwrap();
        }
        assert!(
            reached_somewhere.iter().any(|(step, _)| *step == row.step),
            "{}",
            row_name(row)
        );
    }
    insta::assert_snapshot!("never_reached", report);
}
