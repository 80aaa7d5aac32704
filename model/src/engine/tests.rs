//! The search against graphs whose size and shape are known, and against stateright's own.

mod small;
mod two_phase;

use std::sync::atomic::Ordering;

use stateright::{Checker, Model};

use self::small::{Fan, Gate, Lattice, Panics, Ring};
use self::two_phase::{TwoPhase, Wide};
use super::{DEADLOCK, Exploration, Graph, Options, Protocol, Refusal, explore};
use crate::verdict::{Completeness, Cut, Failure, Record, Trace, Verdict};

fn search<P: Protocol>(model: &P) -> Record<P::State, P::Action> {
    with(model, &Options::default()).record
}

fn with<P: Protocol>(model: &P, options: &Options) -> Exploration<P::State, P::Action> {
    explore(model, options).expect("the model can be searched")
}

/// Everything of a record but the time and the memory it took.
fn facts<S: std::fmt::Debug, A: std::fmt::Debug>(record: &Record<S, A>) -> String {
    format!(
        "{:?} {} {} {} {:?} {:?} {:?}",
        record.completeness,
        record.states,
        record.edges,
        record.depth,
        record.deadlocks,
        record.coverage,
        record.properties
    )
}

/// A trace is a walk: each step is one that the state before it offers.
fn assert_walk<P: Protocol>(model: &P, trace: &Trace<P::State, P::Action>) {
    assert!(model.init_states().contains(&trace.initial));
    let mut state = trace.initial;
    for (action, next) in &trace.steps {
        assert!(model.next_state(&state, *action) == Some(*next));
        state = *next;
    }
}

#[test]
fn two_phase_commit_has_its_known_size() {
    for threads in [1, 2] {
        let options = Options {
            threads,
            ..Options::default()
        };
        let record = with(&TwoPhase::<u64>::new(8), &options).record;
        // stateright counts the initial state as an edge and as a level.
        assert_eq!((record.states, record.edges), (1_745_408, 18_507_777));
        assert_eq!(record.depth, 25);
        assert_eq!(record.verdict(), Verdict::Holds, "{:?}", record.failures());
        let bytes_each = record.peak_bytes / record.states;
        assert!(bytes_each < 100, "{bytes_each} bytes a state");
    }
}

#[test]
fn states_of_128_bytes_take_less_memory_than_one_each() {
    let record = search(&TwoPhase::<Wide>::new(8));
    assert_eq!(record.states, 1_745_408);
    let bytes_each = record.peak_bytes / record.states;
    assert!(bytes_each < 100, "{bytes_each} bytes a state");
}

#[test]
fn counts_equal_those_of_stateright() {
    for managers in 1..=6 {
        let record = search(&TwoPhase::<u64>::new(managers));
        let checker = TwoPhase::<u64>::new(managers).checker().spawn_bfs().join();
        assert_eq!(record.states, checker.unique_state_count() as u64);
        assert_eq!(record.edges + 1, checker.state_count() as u64);
        assert_eq!(record.depth as usize + 1, checker.max_depth());
    }
}

#[test]
fn result_does_not_depend_on_the_number_of_threads() {
    let model = TwoPhase::<u64>::new(6);
    for keep_graph in [false, true] {
        let run = |threads| {
            with(
                &model,
                &Options {
                    threads,
                    keep_graph,
                    ..Options::default()
                },
            )
        };
        let one = run(1);
        for threads in [2, 3, 4] {
            let many = run(threads);
            assert_eq!(facts(&one.record), facts(&many.record));
            assert_eq!(one.graph, many.graph);
        }
    }
}

#[test]
fn a_run_that_stops_early_stops_at_the_same_place_whatever_the_threads() {
    let model = TwoPhase::<u64>::new(7);
    for stop_at in [None, Some("can_commit".to_owned())] {
        let run = |threads| {
            let max_states = Some(50_000);
            with(
                &model,
                &Options {
                    threads,
                    max_states,
                    stop_at: stop_at.clone(),
                    ..Options::default()
                },
            )
        };
        assert_eq!(facts(&run(1).record), facts(&run(2).record));
        assert_eq!(facts(&run(1).record), facts(&run(3).record));
    }
}

#[test]
fn trace_is_the_first_of_the_shortest_in_the_order_of_actions() {
    // Any order of one step east and two north reaches the corner; east comes first.
    let record = search(&Lattice {
        width: 9,
        corner: (1, 2),
    });
    let trace = record
        .property("corner_is_free")
        .unwrap()
        .first
        .as_ref()
        .unwrap();
    assert_eq!(trace.actions().collect::<Vec<_>>(), [&'E', &'N', &'N']);
    assert_eq!(
        trace.states().collect::<Vec<_>>(),
        [&(0, 0), &(1, 0), &(1, 1), &(1, 2)]
    );
    assert_eq!(*trace.last(), (1, 2));
}

#[test]
fn each_violated_property_has_its_own_shortest_trace() {
    let model = Lattice {
        width: 50,
        corner: (3, 4),
    };
    for threads in [1, 2] {
        let record = with(
            &model,
            &Options {
                threads,
                ..Options::default()
            },
        )
        .record;
        let of = |name| record.property(name).unwrap();
        for (name, steps, hits) in [
            ("corner_is_free", 7, 1),
            ("stays_west", 20, 30 * 50),
            ("can_reach_diagonal", 10, 2 * 43),
        ] {
            let trace = of(name).first.as_ref().unwrap();
            assert_eq!((trace.steps.len(), of(name).hits), (steps, hits), "{name}");
            assert_walk(&model, trace);
        }
        assert_eq!(
            (record.states, record.edges, record.depth),
            (2_500, 4_900, 98)
        );
        assert_eq!(record.coverage, [2_450, 2_450]);
        assert_eq!(
            record.failures(),
            [
                Failure::Violated("corner_is_free"),
                Failure::Violated("stays_west")
            ]
        );
        assert_eq!(record.verdict(), Verdict::Fails);
    }
}

#[test]
fn cycles_and_self_loops_end() {
    let record = search(&Ring { size: 1_000 });
    assert_eq!(
        (record.states, record.edges, record.depth),
        (1_000, 3_000, 500)
    );
    assert!(record.holds(), "{:?}", record.failures());
}

#[test]
fn more_states_than_allowed_is_cut_and_not_green() {
    let model = Ring { size: 1_000 };
    let limited = |limit| {
        with(
            &model,
            &Options {
                max_states: Some(limit),
                ..Options::default()
            },
        )
    };
    let record = limited(999).record;
    assert_eq!(
        record.completeness,
        Completeness::Cut {
            why: Cut::StateLimit { limit: 999 }
        }
    );
    assert!(!record.holds());
    assert_eq!(record.verdict(), Verdict::Cut);
    assert!(limited(1_000).record.holds());
    assert!(limited(10).record.states < 20);
}

#[test]
fn an_aborted_run_is_cut_and_not_green() {
    let options = Options::default();
    options.abort.store(true, Ordering::Relaxed);
    let record = with(&Ring { size: 1_000 }, &options).record;
    assert_eq!(record.completeness, Completeness::Cut { why: Cut::Aborted });
    assert!(!record.holds());
    assert_eq!(record.verdict(), Verdict::Cut);
}

#[test]
fn a_violation_found_before_the_cut_stays_found() {
    let options = Options {
        max_states: Some(100),
        ..Options::default()
    };
    let record = with(
        &Lattice {
            width: 50,
            corner: (1, 1),
        },
        &options,
    )
    .record;
    assert_eq!(record.verdict(), Verdict::Fails);
    assert!(record.states < 50 * 50);
}

#[test]
fn stops_at_the_property_it_was_told_to() {
    let model = Lattice {
        width: 200,
        corner: (3, 4),
    };
    let options = Options {
        stop_at: Some("corner_is_free".to_owned()),
        ..Options::default()
    };
    let record = with(&model, &options).record;
    assert_eq!(
        record.completeness,
        Completeness::Stopped {
            at: "corner_is_free".to_owned()
        }
    );
    assert_eq!((record.depth, record.states), (7, 36));
    assert_eq!(
        record
            .property("corner_is_free")
            .unwrap()
            .first
            .as_ref()
            .unwrap()
            .steps
            .len(),
        7
    );
    assert_eq!(record.verdict(), Verdict::Fails);

    let options = Options {
        stop_at: Some("can_reach_diagonal".to_owned()),
        ..Options::default()
    };
    let record = with(
        &Lattice {
            width: 200,
            corner: (99, 99),
        },
        &options,
    )
    .record;
    assert_eq!(
        record.verdict(),
        Verdict::Cut,
        "a witness alone proves nothing else"
    );
}

/// What a search reports that stops at a property: the first state and the way there.
fn assert_same_trace_when_it_stops<P: Protocol>(model: &P, name: &str) {
    let first = |record: Record<P::State, P::Action>| {
        if name == DEADLOCK {
            record.deadlocks.first
        } else {
            record.property(name).unwrap().first.clone()
        }
    };
    let whole = first(search(model)).expect("there is something to stop at");
    for threads in [1, 2, 4] {
        for keep_graph in [false, true] {
            let options = Options {
                threads,
                keep_graph,
                stop_at: Some(name.to_owned()),
                ..Options::default()
            };
            let record = with(model, &options).record;
            let at = name.to_owned();
            assert_eq!(record.completeness, Completeness::Stopped { at });
            assert!(
                first(record).as_ref() == Some(&whole),
                "{name}, {threads} threads"
            );
        }
    }
}

#[test]
fn a_search_that_stops_shows_the_same_trace_as_the_whole_one() {
    assert_same_trace_when_it_stops(&Fan, "is_near");
    assert_same_trace_when_it_stops(&Fan, "can_reach_an_odd_leaf");
    assert_same_trace_when_it_stops(&Fan, DEADLOCK);
    for name in ["one_move_meets_gc", "two_gc_runs_meet_move"] {
        let scenario = specs::Scenario::named(name).unwrap();
        let scope = crate::Scope::new(scenario, specs::Design::UPSTREAM, &[]);
        let record = search(&scope);
        let hit = record.properties.iter().filter(|p| p.first.is_some());
        let hit: Vec<&str> = hit.map(|property| property.name).collect();
        assert!(
            hit.contains(&"failed_move_leaves_no_empty_group"),
            "{hit:?}"
        );
        for property in hit {
            assert_same_trace_when_it_stops(&scope, property);
        }
    }
}

#[test]
fn a_deadlock_is_found_with_its_shortest_trace() {
    let model = Gate {
        is_open: false,
        is_tested: true,
    };
    let record = search(&model);
    assert_eq!(record.deadlocks.count, 2);
    let trace = record.deadlocks.first.as_ref().unwrap();
    assert_eq!(trace.actions().copied().collect::<Vec<_>>(), [2, 2]);
    assert_eq!(record.failures(), [Failure::Deadlock]);
    assert_eq!(record.verdict(), Verdict::Fails);

    let options = Options {
        stop_at: Some(DEADLOCK.to_owned()),
        ..Options::default()
    };
    let record = with(&model, &options).record;
    assert_eq!(
        record.completeness,
        Completeness::Stopped {
            at: DEADLOCK.to_owned()
        }
    );
    assert_eq!(record.depth, 2);
}

#[test]
fn a_premise_that_never_holds_is_red() {
    let record = search(&Gate {
        is_open: true,
        is_tested: false,
    });
    assert_eq!(
        record.failures(),
        [Failure::PremiseNeverHeld("never_past_ten")]
    );
    assert_eq!(record.verdict(), Verdict::Fails);
    assert_eq!(record.property("can_end").unwrap().premise, record.states);
    let record = search(&Gate {
        is_open: true,
        is_tested: true,
    });
    assert!(record.holds(), "{:?}", record.failures());
    assert_eq!(record.property("never_past_ten").unwrap().premise, 1);
}

#[test]
fn a_sometimes_without_witness_is_red() {
    let record = search(&Lattice {
        width: 5,
        corner: (9, 9),
    });
    assert_eq!(
        record.failures(),
        [Failure::Unwitnessed("can_reach_diagonal")]
    );
    assert_eq!(record.verdict(), Verdict::Fails);
    assert!(
        record
            .property("can_reach_diagonal")
            .unwrap()
            .first
            .is_none()
    );
}

#[test]
fn the_graph_has_every_state_and_every_edge() {
    let model = TwoPhase::<u64>::new(5);
    let Exploration { record, graph } = with(
        &model,
        &Options {
            keep_graph: true,
            ..Options::default()
        },
    );
    let graph: Graph<_, _> = graph.unwrap();
    assert_eq!(graph.states.len() as u64, record.states);
    assert_eq!(graph.edges.len() as u64, record.edges);
    assert_eq!(graph.initial, 1);
    let mut unique = graph.states.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), graph.states.len());
    for (number, state) in (0..).zip(&graph.states) {
        let mut expected = Vec::new();
        model.successors(state, &mut |action, next| expected.push((action, next)));
        let found = graph
            .edges_from(number)
            .iter()
            .inspect(|edge| assert_eq!(edge.from, number));
        let found: Vec<_> = found
            .map(|edge| (edge.action, graph.states[edge.to as usize]))
            .collect();
        assert_eq!(found, expected);
    }
    assert!(graph.edges_from(u32::MAX).is_empty());
}

#[test]
fn progress_ends_with_the_counts_of_the_record() {
    let options = Options::default();
    let record = with(&TwoPhase::<u64>::new(4), &options).record;
    assert_eq!(
        options.progress.states.load(Ordering::Relaxed),
        record.states
    );
    assert_eq!(options.progress.edges.load(Ordering::Relaxed), record.edges);
    assert_eq!(options.progress.frontier.load(Ordering::Relaxed), 0);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let options = Options {
        stop_at: Some("spelt_wrong".to_owned()),
        ..Options::default()
    };
    let refusal = explore(&Ring { size: 5 }, &options).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "no property is named `spelt_wrong`; there are in_ring, can_close and deadlock"
    );
    let refusal = explore(&small::Refused { twice: false }, &Options::default()).unwrap_err();
    assert_eq!(refusal, Refusal::Eventually { property: "ends" });
    assert!(refusal.to_string().contains("`eventually`"));
    let refusal = explore(&small::Refused { twice: true }, &Options::default()).unwrap_err();
    assert_eq!(refusal, Refusal::SameName { property: "same" });
}

#[test]
fn a_model_that_does_not_repeat_itself_is_refused() {
    let refusal = explore(&small::Fickle::default(), &Options::default()).unwrap_err();
    assert!(
        matches!(refusal, Refusal::NotRepeatable { .. }),
        "{refusal}"
    );
}

#[test]
fn odds_of_a_collision_are_stated() {
    let mut record = search(&Ring { size: 5 });
    record.states = 1_000_000;
    assert!((2.7e-8..2.8e-8).contains(&record.collision_odds()));
}

#[test]
fn a_model_without_properties_is_not_green() {
    let record = search(&small::Silent);
    assert_eq!(record.failures(), [Failure::NothingClaimed]);
}

#[test]
fn a_model_that_panics_ends_the_search() {
    for threads in [1, 2, 3] {
        let options = Options {
            threads,
            ..Options::default()
        };
        let result = std::panic::catch_unwind(|| explore(&Panics, &options).map(|_| ()));
        assert!(result.is_err());
    }
}
