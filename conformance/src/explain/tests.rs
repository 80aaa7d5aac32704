//! What is a behaviour is explained, what was made wrong is not, and what a log proves is what the behaviour breaks.

use super::*;
use crate::board;
use crate::drawing::actor_of;
use crate::interval_log::Mark;
use crate::random_walk::random_walk;
use crate::report::{TraceFile, walk};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};
use specs::id::Actor;
use specs::mutant::MUTANTS;
use specs::scenarios::SCENARIOS;
use specs::{Design, Mutant, Outcome, Scenario};
use std::collections::HashSet;
use std::path::Path;

mod calls;
mod waiting;

/// The start and the end of the interval of each event, in events: it takes effect between them, at its number and a
/// half. `reach` says how far each end reaches on the way to the next event of the same actor: 0 is not at all.
fn spans(events: &[Event], mut reach: impl FnMut() -> f64) -> Vec<(f64, f64)> {
    let moment = |n: usize| f64::from(u32::try_from(n).unwrap()) + 0.5;
    // An event of the environment comes between the steps of all actors.
    let is_near = |a: &Event, b: &Event| actor_of(a) == actor_of(b) || actor_of(b).is_none();
    let mut ends: Vec<(f64, f64)> = Vec::new();
    for (n, event) in events.iter().enumerate() {
        let before = events[..n].iter().rposition(|other| is_near(event, other));
        let after = events[n + 1..]
            .iter()
            .position(|other| is_near(event, other));
        let begin = before.map_or(0.0, |before| ends[before].1.max(moment(before)));
        let end = after.map_or(moment(events.len()), |after| moment(n + 1 + after));
        let (begins, stays) = (reach() * 0.98, reach() * 0.98);
        ends.push((
            moment(n) - 0.001 - begins * (moment(n) - 0.001 - begin).max(0.0),
            moment(n) + 0.001 + stays * (end - 0.002 - moment(n)),
        ));
    }
    ends
}

/// The log of a behaviour, with intervals that reach so far.
fn log_of(scope: &Scope, events: &[Event], reach: impl FnMut() -> f64) -> IntervalLog {
    let mut marks: Vec<(f64, Mark)> = Vec::new();
    for (n, (event, (begin, end))) in events.iter().zip(spans(events, reach)).enumerate() {
        match event.map(|id| scope.scenario.path(id)) {
            Event::Step {
                actor,
                label,
                outcome,
            } => {
                marks.push((begin, Mark::Begin { actor, label }));
                marks.push((end, Mark::End { actor, outcome }));
            }
            Event::Reached { .. } => panic!("a log has whole steps"),
            event @ (Event::Killed { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed) => {
                let moment = f64::from(u32::try_from(n).unwrap()) + 0.5;
                marks.push((moment, Mark::Happened { event }));
            }
        }
    }
    marks.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut marks: Vec<Mark> = marks.into_iter().map(|(_, mark)| mark).collect();
    // Who waits forever has begun to.
    let last = *walk(scope, events)
        .unwrap_or_default()
        .last()
        .unwrap_or(&scope.start());
    if scope.is_deadlock(&last) {
        for actor in scope.actors() {
            for label in scope.labels(&last, actor) {
                let label = label.map(|id| scope.scenario.path(id));
                marks.push(Mark::Begin { actor, label });
            }
        }
    }
    IntervalLog { marks }
}

/// The log in which nothing overlaps.
fn points(scope: &Scope, events: &[Event]) -> IntervalLog {
    log_of(scope, events, || 0.0)
}

/// Goes on to an end of the behaviour, always with the first actor that can, and without further interference.
fn to_the_end(scope: &Scope, events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    let mut state = *walk(scope, &events).unwrap().last().unwrap();
    loop {
        let mut first = None;
        scope.successors(&state, &mut |event, next| {
            if actor_of(&event).is_some() && first.is_none() {
                first = Some((event, next));
            }
        });
        let Some((event, next)) = first else {
            return events;
        };
        events.push(event);
        state = next;
    }
}

/// Everything that the scenarios and the mutants make different, with every lock taken in one step.
fn scopes() -> Vec<Scope> {
    let of_scenarios = SCENARIOS.iter().flat_map(|scenario| {
        [Design::HARDENED, Design::UPSTREAM].map(|design| Scope::new(scenario, design, &[]))
    });
    let of_mutants = MUTANTS
        .iter()
        .map(|mutant| board::scope_of(mutant).unwrap());
    let all = of_scenarios.chain(of_mutants);
    all.map(Scope::whole).collect()
}

fn any_walk() -> impl Strategy<Value = (Scope, Vec<Event>)> {
    (prop::sample::select(scopes()), any::<u64>())
        .prop_map(|(scope, seed)| (scope.clone(), random_walk(&scope, seed)))
}

/// Draws that widen the intervals of one log.
fn reach_of(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from(u32::try_from(seed >> 40).unwrap()) / f64::from(1_u32 << 24)
    }
}

/// Whether a scope asks about every way in which a walk of it can end.
fn asks_about(scope: &Scope, events: &[Event]) -> bool {
    let ends = walk(scope, events).unwrap();
    !scope.is_deadlock(ends.last().unwrap())
        || scope.asked.contains(&Property::NoOperationWaitsForever)
}

fn is_explained(judged: &Judged) -> bool {
    matches!(judged, Judged::Explained { .. })
}

fn meets_full_tmpfs(event: &Event) -> bool {
    matches!(
        event,
        Event::Step {
            outcome: Outcome::NoSpace(_),
            ..
        }
    )
}

/// The properties that a behaviour violates at some moment.
fn broken(scope: &Scope, events: &[Event]) -> Vec<Property> {
    let states = walk(scope, events).unwrap();
    let is_broken = |property: &&Property| {
        property.entry().mood == Mood::Always
            && states
                .iter()
                .any(|state| crate::thin::hits(scope, **property)(scope, state))
    };
    scope.asked.iter().filter(is_broken).copied().collect()
}

/// The events that a log tells of, without the calls between them.
fn steps_of(events: &[Event]) -> impl Iterator<Item = &Event> {
    let is_whole = |event: &&Event| !matches!(event, Event::Reached { .. });
    events.iter().filter(is_whole)
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(256) })]

    #[test]
    fn every_behaviour_is_explained_however_its_intervals_overlap(
        (scope, walked) in any_walk(),
        seed in any::<u64>(),
    ) {
        let judged = explain(&scope, &log_of(&scope, &walked, reach_of(seed)));
        match judged {
            Judged::Explained { violated, events } => {
                prop_assert!(asks_about(&scope, &walked));
                prop_assert_eq!(steps_of(&events).count(), walked.len());
                let as_judged = scope.clone().as_in_a_log();
                prop_assert!(walk(&as_judged, &events).is_ok());
                // What every order breaks, this one and that one break.
                prop_assert!(violated.iter().all(|p| broken(&scope, &walked).contains(p)));
                prop_assert!(violated.iter().all(|p| broken(&as_judged, &events).contains(p)));
            }
            Judged::Unconsumed(why) => prop_assert!(!asks_about(&scope, &walked), "{}", why),
            judged @ (Judged::Unexplained(_) | Judged::Malformed(_) | Judged::Cut { .. }) => prop_assert!(false, "{:?}", judged),
        }
    }

    #[test]
    fn a_log_without_overlap_is_judged_as_the_model_judges_its_one_order(
        (scope, mut walked) in any_walk(),
        at in any::<prop::sample::Index>(),
    ) {
        // How much a full tmpfs took is left open, so such a log has more than one order.
        prop_assume!(!walked.iter().any(meets_full_tmpfs));
        let log = points(&scope, &walked);
        if let Judged::Explained { violated, events } = explain(&scope, &log) {
            prop_assert!(steps_of(&events).eq(&walked));
            prop_assert_eq!(violated, broken(&scope, &walked));
        }
        // Two neighbours change places: whether they depend on each other the model alone says.
        let at = at.index(walked.len() - 1);
        walked.swap(at, at + 1);
        let judged = explain(&scope, &points(&scope, &walked));
        match walk(&scope, &walked) {
            // In the other order an operation may find more to do, which the log does not have.
            Ok(states) if states.last().is_some_and(|end| !scope.is_over(end) && !scope.is_deadlock(end)) => {
                prop_assert!(matches!(judged, Judged::Unconsumed(_)), "{:?}", judged);
            }
            Ok(_) => prop_assert!(is_explained(&judged) || !asks_about(&scope, &walked)),
            Err((wrong, refusal)) => {
                let Judged::Unexplained(unexplained) = judged else {
                    return Err(TestCaseError::fail(format!("{judged:?}")));
                };
                prop_assert_eq!(unexplained.event, Some(walked[wrong]));
                prop_assert_eq!(unexplained.refusals, vec![refusal]);
            }
        }
    }
}

/// A way to make a log wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Corruption {
    Outcome,
    Label,
    Removed,
    Truncated,
}

/// The log with one thing made wrong; none if there is nothing of that kind.
fn corrupt(log: &IntervalLog, corruption: Corruption, draw: usize) -> Option<IntervalLog> {
    let mut marks = log.marks.clone();
    let of = |is: fn(&Mark) -> bool| -> Option<usize> {
        let all: Vec<usize> = (0..marks.len()).filter(|n| is(&marks[*n])).collect();
        (!all.is_empty()).then(|| all[draw % all.len()])
    };
    match corruption {
        Corruption::Outcome => {
            let at = of(|mark| matches!(mark, Mark::End { .. }))?;
            let Mark::End { actor, outcome } = marks[at] else {
                return None;
            };
            let label = marks[..at].iter().rev().find_map(|mark| match mark {
                Mark::Begin {
                    actor: other,
                    label,
                } if *other == actor => Some(label),
                Mark::Begin { .. } | Mark::End { .. } | Mark::Happened { .. } => None,
            })?;
            let mut others = label.step.row().outcomes.to_vec();
            others.retain(|other| *other != outcome);
            let outcome = *others.get(draw % others.len().max(1))?;
            marks[at] = Mark::End { actor, outcome };
        }
        Corruption::Label => {
            let at = of(|mark| matches!(mark, Mark::Begin { .. }))?;
            let Mark::Begin { actor, label } = marks[at].clone() else {
                return None;
            };
            let mine = |mark: &Mark| match mark {
                Mark::Begin {
                    actor: other,
                    label: known,
                } if *other == actor && *known != label => Some(known.clone()),
                Mark::Begin { .. } | Mark::End { .. } | Mark::Happened { .. } => None,
            };
            let others: Vec<specs::Label<String>> = marks.iter().filter_map(mine).collect();
            let label = others.get(draw / 7 % others.len().max(1))?.clone();
            marks[at] = Mark::Begin { actor, label };
        }
        Corruption::Removed => {
            let at = of(|mark| matches!(mark, Mark::End { .. }))?;
            let Mark::End { actor: gone, .. } = marks[at] else {
                return None;
            };
            let begin = marks[..at]
                .iter()
                .rposition(|mark| matches!(mark, Mark::Begin { actor, .. } if *actor == gone))?;
            marks.remove(at);
            marks.remove(begin);
        }
        Corruption::Truncated => marks.truncate(draw % marks.len()),
    }
    Some(IntervalLog { marks })
}

/// Of so many random walks, each made wrong once: how many there are, and how many of them are refuted.
fn refuted(corruption: Corruption, reaches: bool) -> (u32, u32) {
    let mut runner = TestRunner::new_with_rng(
        Config {
            failure_persistence: None,
            ..Config::with_cases(400)
        },
        TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let counts = std::cell::Cell::new((0, 0));
    let cases = (any_walk(), any::<u64>(), any::<prop::sample::Index>());
    runner
        .run(&cases, |((scope, walked), seed, at)| {
            let log = if reaches {
                log_of(&scope, &walked, reach_of(seed))
            } else {
                points(&scope, &walked)
            };
            if let Some(wrong) = corrupt(&log, corruption, at.index(usize::MAX)) {
                let (all, refuted) = counts.get();
                let is_refuted = !is_explained(&explain(&scope, &wrong));
                counts.set((all + 1, refuted + u32::from(is_refuted)));
            }
            Ok(())
        })
        .unwrap();
    counts.get()
}

#[test]
fn logs_that_were_made_wrong_are_refuted_nearly_always() {
    let mut text = String::new();
    for corruption in [
        Corruption::Outcome,
        Corruption::Label,
        Corruption::Removed,
        Corruption::Truncated,
    ] {
        let (points, refuted_points) = refuted(corruption, false);
        let (all, refuted) = refuted(corruption, true);
        assert!(points >= 200 && all >= 200, "{corruption:?}: too few logs");
        assert!(
            refuted_points * 100 >= points * 97,
            "{corruption:?}: {refuted_points}"
        );
        assert!(refuted * 100 >= all * 90, "{corruption:?}: {refuted}");
        text += &format!(
            "{corruption:?}: {refuted_points} of {points} without overlap, {refuted} of {all} with\n"
        );
    }
    insta::assert_snapshot!("refuted", text);
}

/// A whole run of a scenario in which nothing but steps happens, one actor after the other.
fn in_turns(name: &str) -> (Scope, Vec<Event>) {
    let scope = Scope::new(Scenario::named(name).unwrap(), Design::HARDENED, &[]);
    let events = to_the_end(&scope, &[]);
    (scope, events)
}

#[test]
fn a_log_that_is_not_explained_says_where_every_order_ends_and_why() {
    let (scope, walked) = in_turns("one_move_meets_gc");
    let mut log = log_of(&scope, &walked, || 0.7);
    let at = log.marks.iter().position(|mark| {
        matches!(
            mark,
            Mark::End {
                outcome: Outcome::Removed,
                ..
            }
        )
    });
    let at = at.unwrap();
    let Mark::End { actor, .. } = log.marks[at] else {
        unreachable!()
    };
    let outcome = Outcome::Kept;
    log.marks[at] = Mark::End { actor, outcome };
    let Judged::Unexplained(unexplained) = explain(&scope, &log) else {
        panic!("a chunk that is kept although it is old is no behaviour");
    };
    insta::assert_snapshot!(unexplained, @r"
    mark 65: no order explains
      gc in proxy: sweep_chunk(.chunks/5ca1/..2cbb) -> Kept
    refused: the chunk is older than the cutoff
    allowed: sweep_chunk(.chunks/5ca1/..2cbb) -> Removed
    after 32 events, the last of which are
      gc in proxy: list_prefixes
      gc in proxy: list_chunks(.chunks/5ca1)
      gc in proxy: sweep_chunk(.chunks/5ca1/..fd6d) -> Kept
    still under way: move_group.lock_source_group of move_group in other
    ");
}

#[test]
fn an_overlap_explains_what_single_moments_would_refute() {
    // Two steps that depend on each other overlap, and the one that came first ends last.
    let scenario = Scenario::named("two_moves_cross").unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let depends = |walked: &[Event], at: usize| {
        let mut swapped = walked.to_vec();
        swapped.swap(at, at + 1);
        actor_of(&walked[at]) != actor_of(&walked[at + 1]) && walk(&scope, &swapped).is_err()
    };
    let (walked, at) = (1..10_000)
        .find_map(|seed| {
            let walked = random_walk(&scope, seed);
            let at = (0..walked.len() - 1).find(|at| depends(&walked, *at));
            at.map(|at| (walked, at))
        })
        .unwrap();
    let mut moments = walked.clone();
    moments.swap(at, at + 1);
    assert!(!is_explained(&explain(&scope, &points(&scope, &moments))));
    let mut log = points(&scope, &walked);
    // Begin, end, begin, end becomes begin, begin, end of the second, end of the first.
    log.marks[2 * at + 1..2 * at + 4].rotate_left(1);
    assert!(is_explained(&explain(&scope, &log)));
}

fn trace_of(mutant: &Mutant, scope: &Scope) -> Vec<Event> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join(board::trace_path(mutant))).unwrap();
    let trace: TraceFile = serde_json::from_str(&text).unwrap();
    trace.events_in(scope.scenario).unwrap()
}

#[test]
fn the_log_of_a_mutant_proves_its_property_broken_and_is_none_of_the_design_without_it() {
    let mut counts = (0, 0);
    for mutant in MUTANTS.iter().filter(|mutant| !mutant.is_equivalent) {
        let scope = board::scope_of(mutant).unwrap();
        if scope.splits_locks {
            // Its log is not made of the events of a trace, which are not all steps; loom makes one.
            continue;
        }
        let events = to_the_end(&scope, &trace_of(mutant, &scope));
        let log = points(&scope, &events);
        let judged = explain(&scope, &log);
        let last = *walk(&scope, &events).unwrap().last().unwrap();
        if scope.is_deadlock(&last) && mutant.property != Property::NoOperationWaitsForever {
            assert!(
                matches!(judged, Judged::Unconsumed(_)),
                "{}: {judged:?}",
                mutant.name
            );
        } else {
            let Judged::Explained { violated, .. } = judged else {
                panic!("{}: {judged:?}", mutant.name);
            };
            assert_eq!(violated, [mutant.property], "{}", mutant.name);
        }
        let right = Scope::new(scope.scenario, Design::HARDENED, &[]).asking(mutant.property);
        let judged = explain(&right, &log);
        counts.0 += 1;
        match walk(&right, &events) {
            // Only what waits forever under the mutant goes on here.
            Ok(states) if !right.is_over(states.last().unwrap()) => {
                assert!(
                    matches!(judged, Judged::Unconsumed(_)),
                    "{}: {judged:?}",
                    mutant.name
                );
            }
            Ok(_) => assert_eq!(
                judged,
                Judged::Explained {
                    violated: Vec::new(),
                    events
                },
                "{}",
                mutant.name
            ),
            Err((at, _)) => {
                let Judged::Unexplained(unexplained) = judged else {
                    panic!("{}: {judged:?}", mutant.name);
                };
                assert_eq!(unexplained.event, Some(events[at]), "{}", mutant.name);
                counts.1 += 1;
            }
        }
    }
    let text = format!(
        "{} of {} traces are no behaviour of the hardened design",
        counts.1, counts.0
    );
    insta::assert_snapshot!("traces", text);
}

#[test]
fn logs_that_tell_nothing_are_failures() {
    let (scope, walked) = in_turns("two_moves_cross");
    assert!(matches!(
        explain(&scope, &IntervalLog::default()),
        Judged::Malformed(_)
    ));
    let log = points(&scope, &walked);
    let twice = IntervalLog {
        marks: [&log.marks[..1], &log.marks[..]].concat(),
    };
    assert!(matches!(explain(&scope, &twice), Judged::Malformed(_)));
    let headless = IntervalLog {
        marks: log.marks[1..].to_vec(),
    };
    assert!(matches!(explain(&scope, &headless), Judged::Malformed(_)));
    let cut = Explainer::new(&scope).within(10).explain(&log);
    assert_eq!(cut, Judged::Cut { configurations: 10 });
    for length in 1..log.marks.len() {
        let marks = log.marks[..length].to_vec();
        let judged = explain(&scope, &IntervalLog { marks });
        assert!(
            matches!(judged, Judged::Unconsumed(_)),
            "{length}: {judged:?}"
        );
    }
}

#[test]
fn a_path_of_no_scenario_is_unexplained() {
    let (scope, walked) = in_turns("one_move_meets_gc");
    let mut log = points(&scope, &walked);
    let changed = log.marks.iter_mut().find_map(|mark| match mark {
        Mark::Begin { label, .. } if label.of.is_some() => {
            *label = label.clone().map(|_| "ns/nowhere".to_owned());
            Some(())
        }
        Mark::Begin { .. } | Mark::End { .. } | Mark::Happened { .. } => None,
    });
    assert!(changed.is_some());
    let Judged::Unexplained(unexplained) = explain(&scope, &log) else {
        panic!("nobody knows that path");
    };
    assert_eq!(unexplained.event, None);
    assert!(
        unexplained
            .to_string()
            .contains("has nothing at ns/nowhere"),
        "{unexplained}"
    );
}

#[test]
fn a_step_that_a_kill_interrupts_may_have_taken_effect_or_not() {
    let scenario = Scenario::named("one_move_meets_gc_with_kills").unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let mut interrupted = 0;
    for seed in 1..1_000_u64 {
        let walked = random_walk(&scope, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let Some(kill) = walked
            .iter()
            .position(|event| matches!(event, Event::Killed { .. }))
        else {
            continue;
        };
        let Event::Killed { process } = walked[kill] else {
            continue;
        };
        let log = points(&scope, &walked);
        let at = log
            .marks
            .iter()
            .position(|mark| matches!(mark, Mark::Happened { .. }))
            .unwrap();
        let is_killed = |actor: Actor| scope.process_of(actor) == process;
        let Some(Mark::End { actor, .. }) = at.checked_sub(1).map(|n| log.marks[n].clone()) else {
            continue;
        };
        if !is_killed(actor) {
            continue;
        }
        let mut marks = log.marks.clone();
        marks.remove(at - 1);
        let judged = explain(&scope, &IntervalLog { marks });
        assert!(is_explained(&judged), "{seed}: {judged:?}");
        interrupted += 1;
    }
    assert!(interrupted > 50, "{interrupted}");
}

#[test]
fn every_path_stands_for_one_id() {
    for scenario in SCENARIOS {
        let ids = scenario.all_ids();
        let paths: HashSet<String> = ids.iter().map(|id| scenario.path(*id)).collect();
        assert_eq!(paths.len(), ids.len(), "{}", scenario.name);
    }
}
