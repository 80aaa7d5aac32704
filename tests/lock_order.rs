//! The lock order: what the model takes is what real runs take and what is allowed, and whatever is made wrong is seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::driver::Options;
use conformance::edges::{Progress, replay_edges};
use conformance::lock_order::allowed::Allowed;
use conformance::lock_order::cycle::cycles;
use conformance::lock_order::graph::{LockGraph, Shown};
use conformance::lock_order::real::{EXPLANATIONS, RealRuns, covering_set};
use conformance::lock_order::verdict::{Difference, judge};
use conformance::lock_order::{Edge, Node, Taking, page};
use conformance::record::{Replay, Verdict};
use conformance::replay::Plan;
use datastore::Namespace;
use model::engine;
use specs::design::Change;
use specs::lock_class::{LOCK_ORDER, Mode, Wait};
use specs::mutant::{Fault, MUTANTS};
use specs::ops::move_group::Step as Move;
use specs::scenario::Task;
use specs::scenarios::SCENARIOS;
use specs::{Design, LockClass, Mutant, Scenario, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

struct Silent;

impl Progress for Silent {
    fn begin(&self, _traces: usize, _steps: usize) {}
    fn done(&self, _steps: usize) {}
}

fn graph_of(scenarios: &[&'static Scenario], design: Design, mutant: Option<&str>) -> LockGraph {
    let named = |name: &str| MUTANTS.iter().find(|m| m.name == name).unwrap();
    let mutant: Option<&'static Mutant> = mutant.map(named);
    let mut graph = LockGraph::new(
        design,
        mutant.map_or_else(Vec::new, |mutant| mutant.faults().to_vec()),
        mutant.map(|mutant| mutant.name),
    );
    let options = engine::Options {
        threads: 2,
        ..engine::Options::default()
    };
    for scenario in scenarios {
        graph.add(scenario, &options).unwrap();
    }
    assert!(graph.is_complete());
    graph
}

fn graph_of_one(scenario: &str) -> LockGraph {
    graph_of(
        &[Scenario::named(scenario).unwrap()],
        Design::HARDENED,
        None,
    )
}

/// All that the gate checks.
fn whole() -> &'static LockGraph {
    static WHOLE: OnceLock<LockGraph> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let checked: Vec<_> = SCENARIOS.iter().filter(|s| s.runs.check).collect();
        graph_of(&checked, Design::HARDENED, None)
    })
}

/// Replays every edge of a scenario, perhaps with faults of which the model knows nothing.
fn replay(lane: usize, graph: &LockGraph, scenario: &str, faults: &[Fault]) -> Replay {
    let scope = graph.scope(Scenario::named(scenario).unwrap());
    let plan = Plan {
        scenario: scope.scenario,
        design: scope.design,
        faults: faults.to_vec(),
        options: Options {
            lane,
            ..Options::new(LOCKSTEP)
        },
        lanes: 1,
    };
    replay_edges(&scope, &plan, 1, None, &Silent).unwrap()
}

fn exclusive(class: LockClass) -> Node {
    Node::Class(class, Mode::Exclusive)
}

#[test]
fn the_model_takes_locks_in_the_allowed_order_and_in_no_other() {
    let judgement = judge(whole(), &Allowed::checked_in().unwrap(), None, true);
    assert_eq!(judgement.differences, []);
    assert!(judgement.cycles.is_empty());
    assert_eq!(judgement.verdict, Verdict::Holds);
    let is_silent = |shown: &Shown| shown.asked_in.is_empty();
    let mut takings = whole().takings.iter();
    let silent = takings.find(|(_, shown)| is_silent(shown));
    assert!(silent.is_none(), "no real run can show {silent:?}");
}

#[test]
fn a_line_too_few_is_an_edge_that_is_not_allowed() {
    let all = Allowed::checked_in().unwrap();
    for edge in all.edges() {
        let line = format!("{edge}\n");
        assert!(LOCK_ORDER.contains(&line), "{edge} is not a line");
        let allowed = Allowed::read(&LOCK_ORDER.replacen(&line, "", 1)).unwrap();
        let judgement = judge(whole(), &allowed, None, true);
        assert_eq!(
            judgement.differences,
            [Difference::NotAllowed(edge.clone())]
        );
        assert_eq!(judgement.verdict, Verdict::Violated);
    }
}

#[test]
fn a_line_too_many_is_an_edge_that_nobody_takes() {
    let text =
        format!("{LOCK_ORDER}move_journal exclusive -> chunk_file exclusive: waits 10800 s\n");
    let wrong = Allowed::read(&text).unwrap_err();
    assert!(format!("{wrong:#}").contains("stands after"), "{wrong:#}");
    let text = format!("{LOCK_ORDER}chunk_store exclusive -> cache exclusive: waits\n");
    let judgement = judge(whole(), &Allowed::read(&text).unwrap(), None, true);
    let edge = Edge {
        held: exclusive(LockClass::ChunkStore),
        taken: exclusive(LockClass::Cache),
        wait: Wait::Forever,
    };
    assert_eq!(judgement.differences, [Difference::NobodyTakes(edge)]);
}

#[test]
fn a_line_that_is_no_edge_is_refused_with_its_number() {
    for (line, why) in [
        ("group exclusive -> snapshot shared", "an edge reads"),
        ("grupo shared -> store shared: tries", "no lock class grupo"),
        ("group mine -> store shared: tries", "shared or exclusive"),
        ("group shared -> store shared: hopes", "does not hopes"),
        ("group shared -> store shared: waits x s", "no number"),
    ] {
        let error = format!(
            "{:#}",
            Allowed::read(&format!("# order\n{line}\n")).unwrap_err()
        );
        assert!(error.contains("line 2") && error.contains(why), "{error}");
    }
}

#[test]
fn a_design_that_takes_locks_otherwise_differs_from_the_allowed_order() {
    let scenario = Scenario::named("two_moves_to_one_target").unwrap();
    let graph = graph_of(
        &[scenario],
        Design::HARDENED.with(Change::JournalInMemory),
        None,
    );
    let forbidden = Allowed::checked_in().unwrap().forbidden(&graph);
    assert!(!forbidden.is_empty());
    for edge in forbidden {
        assert_eq!(edge.taken, exclusive(LockClass::MoveJournal));
        assert_eq!(
            edge.wait,
            Wait::Forever,
            "a mutex is waited for as long as it takes"
        );
    }
}

#[test]
fn two_groups_that_are_waited_for_in_both_orders_are_a_cycle_with_two_traces() {
    let mutant = "move_group.lock_target_group/wait";
    let scenario = Scenario::named("two_moves_cross").unwrap();
    let graph = graph_of(&[scenario], Design::HARDENED, Some(mutant));
    let [cycle] = &cycles(&graph)[..] else {
        panic!("one cycle is expected");
    };
    let [one, other] = &cycle.witnesses[..] else {
        panic!("two traces are expected");
    };
    assert_eq!((&one.held, &one.taken), (&other.taken, &other.held));
    assert_ne!(one.actor, other.actor);
    let judgement = judge(&graph, &Allowed::checked_in().unwrap(), None, false);
    assert_eq!(judgement.verdict, Verdict::Violated);
}

#[test]
fn snapshots_that_a_batch_waits_for_are_a_cycle_with_one_trace() {
    let mutant = "move_group.lock_snapshot/wait";
    let scenario = Scenario::named("move_merges_meets_gc").unwrap();
    let graph = graph_of(&[scenario], Design::HARDENED, Some(mutant));
    let [cycle] = &cycles(&graph)[..] else {
        panic!("one cycle is expected");
    };
    // Every batch takes its snapshots in the same order, so nobody shows the other one.
    assert_eq!(cycle.witnesses.len(), 1);
    assert_eq!(cycle.takings[0].edge.held, exclusive(LockClass::Snapshot));
    assert_eq!(cycle.takings[0].edge.taken, exclusive(LockClass::Snapshot));
}

#[test]
fn edges_that_lead_back_are_a_cycle_only_if_all_takers_wait_and_nobody_shares() {
    let base = graph_of_one("verify_meets_forget");
    let witness = &base.takings.values().next().unwrap().clone();
    let cycles_of = |edges: &[(Node, Node, Wait)]| {
        let mut graph = LockGraph::new(Design::HARDENED, Vec::new(), None);
        for (held, taken, wait) in edges {
            let edge = Edge {
                held: held.clone(),
                taken: taken.clone(),
                wait: *wait,
            };
            let shown = Shown {
                rises: held.class() < taken.class(),
                ..witness.clone()
            };
            graph.takings.insert(Taking { edge, step: None }, shown);
        }
        cycles(&graph)
    };
    let snapshot = |mode| Node::Class(LockClass::Snapshot, mode);
    let manifest = exclusive(LockClass::Manifest);
    let there = (
        snapshot(Mode::Exclusive),
        manifest.clone(),
        Wait::Seconds(5),
    );
    let back = |mode, wait| (manifest.clone(), snapshot(mode), wait);

    let found = cycles_of(&[there.clone(), back(Mode::Shared, Wait::Forever)]);
    assert_eq!(found.len(), 1, "one cycle, however it is entered");
    assert_eq!(found[0].takings.len(), 2);
    assert_eq!(found[0].witnesses.len(), 2);
    assert!(cycles_of(&[there.clone(), back(Mode::Exclusive, Wait::No)]).is_empty());
    // Whoever asks to share is not kept waiting by somebody who shares.
    let shares = (snapshot(Mode::Shared), manifest.clone(), Wait::Seconds(5));
    assert!(cycles_of(&[shares, back(Mode::Shared, Wait::Forever)]).is_empty());
}

#[test]
fn namespaces_that_are_always_waited_for_in_one_order_are_no_cycle() {
    let names = SCENARIOS.iter().filter(|scenario| scenario.runs.check);
    let operations: Vec<_> = names.filter(|s| !is_of_locks_alone(s)).collect();
    let graph = graph_of(&operations, Design::NAMESPACE_LOCKS_WAIT, None);
    let edges = graph.edges();
    let within: Vec<_> = edges
        .iter()
        .filter(|(edge, _)| edge.wait.blocks() && edge.held.class() == edge.taken.class())
        .collect();
    let could_close = |edge: &Edge| edge.taken.conflicts(&edge.held);
    assert!(within.iter().any(|(edge, _)| could_close(edge)));
    for (edge, takings) in within {
        let note = page::within_a_class(edge, takings);
        assert_eq!(
            note.contains("one order"),
            could_close(edge),
            "{edge}: {note}"
        );
    }
    assert!(cycles(&graph).is_empty());
}

#[test]
fn what_one_scenario_has_shown_another_does_not_take_back() {
    let crossing = Scenario::named("two_pairs_of_namespaces_cross").unwrap();
    let nested = Scenario::named("takers_of_nested_namespaces").unwrap();
    let design: Design = "namespace_locks_wait".parse().unwrap();
    let [one, other] = [[crossing, nested], [nested, crossing]].map(|scenarios| {
        let graph = graph_of(&scenarios, design, None);
        let takings = graph.edges().into_values().flatten();
        takings
            .map(|(taking, shown)| (format!("{taking:?}"), shown.rises))
            .collect::<BTreeMap<String, bool>>()
    });
    assert_eq!(one, other);
    let kinds: BTreeSet<bool> = one.into_values().collect();
    assert_eq!(kinds.len(), 2, "some rise and some do not");
}

#[test]
fn a_namespace_has_as_many_levels_as_its_class_says() {
    let levels = LockClass::Namespace.levels();
    let deep = |components: usize| Namespace::new(&vec!["a"; components].join("/"));
    assert!(deep(levels).is_ok());
    assert!(deep(levels + 1).is_err());
}

/// Whether it has an actor that takes locks of namespaces and does nothing with them.
fn is_of_locks_alone(scenario: &Scenario) -> bool {
    let mut tasks = scenario.actors.iter();
    tasks.any(|(_, task)| matches!(task, Task::TakeNamespaceLock { .. }))
}

#[test]
fn namespaces_that_are_waited_for_in_both_orders_are_a_cycle_in_every_design_that_waits() {
    let scenario = Scenario::named("two_pairs_of_namespaces_cross").unwrap();
    for (design, ends) in [
        (Design::NAMESPACE_LOCKS_WAIT, true),
        (
            Design::NAMESPACE_LOCKS.with(Change::NamespaceLocksBlock),
            false,
        ),
        (
            Design::NAMESPACE_LOCKS
                .with(Change::NamespaceAncestorsFirst)
                .with(Change::NamespaceLocksBlock),
            false,
        ),
    ] {
        let found = cycles(&graph_of(&[scenario], design, None));
        let exclusive = exclusive(LockClass::Namespace);
        let both = |e: &Edge| e.held == exclusive && e.taken == exclusive;
        assert!(
            found
                .iter()
                .any(|cycle| cycle.takings.iter().all(|t| both(&t.edge))),
            "{}",
            design.name()
        );
        let told = |text: &str| text.contains("until one has waited its time");
        assert!(found.iter().all(|cycle| told(cycle.conclusion()) == ends));
    }
    let tried = graph_of(&[scenario], Design::NAMESPACE_LOCKS, None);
    assert!(cycles(&tried).is_empty());
}

#[test]
fn the_covering_set_shows_whatever_any_replay_could_show() {
    let chosen = covering_set(whole());
    let names: BTreeSet<&str> = chosen.iter().map(|scenario| scenario.name).collect();
    assert!(chosen.iter().all(|scenario| scenario.runs.replay));
    let asked = || {
        let takings = whole().takings.iter();
        takings.filter(|(_, shown)| !shown.asked_in.is_empty())
    };
    for (taking, shown) in asked() {
        assert!(
            shown
                .asked_in
                .iter()
                .any(|scenario| names.contains(scenario)),
            "no replay shows {taking}"
        );
    }
    for left_out in &names {
        let others: BTreeSet<_> = names.iter().filter(|name| *name != left_out).collect();
        let needed = |asked_in: &BTreeSet<&str>| !asked_in.iter().any(|s| others.contains(s));
        assert!(
            asked().any(|(_, shown)| needed(&shown.asked_in)),
            "{left_out} is superfluous"
        );
    }
}

#[test]
fn real_runs_take_what_the_model_takes_and_what_is_explained() {
    let graph = graph_of_one("gc_lists_a_busy_group");
    let replay = replay(30, &graph, "gc_lists_a_busy_group", &[]);
    assert_eq!(replay.run.verdict, Verdict::Holds);
    let mut runs = RealRuns::default();
    runs.add(&replay);
    let allowed = Allowed::checked_in().unwrap();
    let judgement = judge(&graph, &allowed, Some(&runs), false);
    assert_eq!(judgement.differences, []);
    assert_eq!(judgement.explained.len(), EXPLANATIONS.len());

    // What a real run was given, and another one was not, is missed.
    let taking = graph.takings.keys().next().unwrap();
    let mut fewer = runs.clone();
    fewer.takings.remove(taking).unwrap();
    let judgement = judge(&graph, &allowed, Some(&fewer), false);
    let expected = Difference::OnlyInModel(taking.clone(), "gc_lists_a_busy_group");
    assert_eq!(judgement.differences, [expected]);
    assert_eq!(judgement.verdict, Verdict::Diverged);

    // What only a real run was given is a difference.
    let place = *runs.takings.values().next().unwrap();
    let edge = |held: Node, taken: Node, wait| Taking {
        edge: Edge { held, taken, wait },
        step: None,
    };
    let mut more = runs.clone();
    let foreign = edge(
        exclusive(LockClass::Manifest),
        exclusive(LockClass::Group),
        Wait::Forever,
    );
    more.takings.insert(foreign.clone(), place);
    let judgement = judge(&graph, &allowed, Some(&more), false);
    let expected = Difference::OnlyInRealRuns(foreign, place);
    assert_eq!(judgement.differences, [expected]);

    // A reason that is not true of what it explains is one.
    let inner = Node::Other(EXPLANATIONS[1].lock.to_owned());
    let under_it = edge(inner, exclusive(LockClass::Group), Wait::Forever);
    let mut wrong = runs.clone();
    wrong.takings.insert(under_it.clone(), place);
    let judgement = judge(&graph, &allowed, Some(&wrong), false);
    let expected = Difference::NotTheReason(EXPLANATIONS[1].lock, under_it.edge);
    assert_eq!(judgement.differences, [expected]);
}

/// A removal inside the deletion of a namespace asks for the group, which the deletion has through another open file.
#[test]
fn real_runs_and_the_model_note_a_lock_that_nobody_is_ever_given() {
    let scenario = "deletion_meets_protected_snapshot";
    let graph = graph_of_one(scenario);
    let in_vain = "group exclusive -> group exclusive: tries by forget_snapshot.lock_group";
    let mut takings = graph.takings.iter();
    let found = takings.find(|(taking, _)| taking.to_string() == in_vain);
    let (taking, shown) = found.unwrap();
    assert!(shown.given_in.is_empty());
    assert!(shown.asked_in.contains(scenario));
    let mut runs = RealRuns::default();
    runs.add(&replay(33, &graph, scenario, &[]));
    assert!(runs.takings.contains_key(taking));
    assert_eq!(runs.missing(&graph), []);
}

#[test]
fn an_explanation_of_what_no_real_run_has_is_a_difference() {
    let judgement = judge(
        whole(),
        &Allowed::checked_in().unwrap(),
        Some(&RealRuns::default()),
        true,
    );
    let unused = EXPLANATIONS
        .iter()
        .map(|e| Difference::ExplainsNothing(e.lock));
    assert_eq!(judgement.differences, unused.collect::<Vec<_>>());
}

#[test]
fn a_lock_that_the_implementation_leaves_out_is_missing_in_its_real_runs() {
    let graph = graph_of_one("verify_meets_move");
    let step: Step = Move::LockSnapshot.into();
    let is_skipped = |taking: &&Taking| taking.step == Some(step);
    let whole = replay(31, &graph, "verify_meets_move", &[]);
    assert!(whole.takings.keys().any(|taking| is_skipped(&taking)));
    let faulty = replay(32, &graph, "verify_meets_move", &[Fault::Skip(step)]);
    assert_eq!(faulty.run.verdict, Verdict::Diverged);
    assert!(!faulty.takings.keys().any(|taking| is_skipped(&taking)));
}

#[test]
fn an_edge_of_scenarios_that_nobody_replays_is_a_difference() {
    let graph = graph_of_one("one_move_meets_gc_with_kills");
    let allowed = Allowed::checked_in().unwrap();
    let judgement = judge(&graph, &allowed, Some(&RealRuns::default()), false);
    let all = graph.takings.keys().cloned().map(Difference::NeverReplayed);
    assert_eq!(judgement.differences, all.collect::<Vec<_>>());
    assert_eq!(judgement.verdict, Verdict::Diverged);
}
