//! What is left after thinning is a behaviour of the model, ends as it should, and is small.

use super::*;
use crate::board;
use crate::drawing::Drawing;
use crate::random_walk::random_walk;
use crate::report::walk;
use proptest::prelude::*;
use specs::mutant::{MUTANTS, Mutant};
use std::time::Instant;

/// A random walk of a mutant that breaks its property, if one of the first so many does.
fn violation(mutant: &Mutant, first: u64, tries: u64) -> Option<(Scope, Vec<Event>)> {
    let scope = board::scope_of(mutant).unwrap();
    let is_hit = hits(&scope, mutant.property);
    (first..first + tries)
        .map(|seed| random_walk(&scope, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .find(|walked| {
            let states = walk(&scope, walked).unwrap();
            states.iter().any(|state| is_hit(&scope, state))
        })
        .map(|events| (scope, events))
}

fn named(name: &str) -> &'static Mutant {
    MUTANTS.iter().find(|mutant| mutant.name == name).unwrap()
}

/// Mutants whose bug a random walk meets soon enough.
const MET: &[&str] = &[
    "move_group.append_journal/skip",
    "history/rename_before_append",
    "history/drain_before_iteration",
    "take_lock.recheck_lock_file/skip",
    "upstream/vanished_snapshot_stops_gc",
    "upstream/failed_move_leaves_group",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn what_is_left_is_a_behaviour_that_breaks_the_property_and_loses_it_without_any_event(
        mutant in prop::sample::select(MET),
        first in 0..1_000_000_u64,
    ) {
        let mutant = named(mutant);
        let Some((scope, walked)) = violation(mutant, first, 60) else {
            return Ok(());
        };
        let is_hit = hits(&scope, mutant.property);
        let left = thin(&scope, &walked, &is_hit);
        let states = walk(&scope, &left).unwrap();
        prop_assert!(is_hit(&scope, states.last().unwrap()));
        for state in &states[..states.len() - 1] {
            prop_assert!(!is_hit(&scope, state));
        }
        for dropped in 0..left.len() {
            let mut fewer = left.clone();
            fewer.remove(dropped);
            let is_broken = walk(&scope, &fewer)
                .is_ok_and(|states| states.iter().any(|state| is_hit(&scope, state)));
            prop_assert!(!is_broken, "without event {}", dropped + 1);
        }
    }
}

#[test]
fn a_thinned_walk_is_nearly_as_short_as_the_shortest_behaviour() {
    for name in MET {
        let mutant = named(name);
        let shortest = board::shortest(&board::scope_of(mutant).unwrap(), mutant.property, 2);
        let shortest = shortest.unwrap().unwrap().events.len();
        let (scope, walked) = violation(mutant, 1, 4_000).unwrap();
        let begin = Instant::now();
        let left = thin(&scope, &walked, hits(&scope, mutant.property));
        let seconds = begin.elapsed().as_secs_f64();
        assert!(
            left.len() * 4 <= shortest * 5,
            "{name}: {} of {shortest}",
            left.len()
        );
        assert!(seconds < 5.0, "{name}: {seconds} s");
    }
}

#[test]
fn every_counterexample_is_told_in_few_lines() {
    for mutant in MUTANTS.iter().filter(|mutant| !mutant.is_equivalent) {
        let scope = board::scope_of(mutant).unwrap();
        let example = board::shortest(&scope, mutant.property, 2)
            .unwrap()
            .unwrap();
        let drawing = Drawing::folded(&scope, &example.events, Some("end".to_owned())).unwrap();
        assert!(
            drawing.lines.len() <= 12,
            "{}: {} lines",
            mutant.name,
            drawing.lines.len()
        );
    }
}

fn turns(events: &[Event]) -> usize {
    let pairs = events.windows(2);
    pairs.filter(|w| actor_of(&w[0]) != actor_of(&w[1])).count()
}

#[test]
fn reordering_keeps_the_events_of_each_actor_and_the_last_state() {
    let mut before = 0;
    let mut after = 0;
    for (seed, mutant) in (1..).zip(MUTANTS) {
        let scope = board::scope_of(mutant).unwrap();
        let events = random_walk(&scope, seed * 0x9e37_79b9);
        let told = reorder(&scope, &events);
        let last = |events: &[Event]| walk(&scope, events).unwrap().last().copied();
        assert_eq!(last(&told), last(&events), "{}", mutant.name);
        assert!(turns(&told) <= turns(&events), "{}", mutant.name);
        before += turns(&events);
        after += turns(&told);
        for lane in scope.actors().map(Some).chain([None]) {
            let of = |events: &[Event]| -> Vec<Event> {
                let mine = events.iter().filter(|event| actor_of(event) == lane);
                mine.copied().collect()
            };
            assert_eq!(of(&told), of(&events), "{}", mutant.name);
        }
    }
    // How much there is to gain depends on how much the actors of the mutants have to do with each other.
    assert!(after * 4 < before * 3, "{after} turns of {before} are left");
}

/// Two actors that have nothing to do with each other need no more than one turn.
#[test]
fn steps_that_meet_nobody_are_told_one_actor_after_the_other() {
    let scope = board::scope_of(named("move_group.lock_target_group/wait")).unwrap();
    let mut state = scope.start();
    let mut events = Vec::new();
    for n in 0..6 {
        let mut next = None;
        scope.successors(&state, &mut |event, after| {
            if next.is_none() && actor_of(&event) == Some(specs::id::Actor(n % 2)) {
                next = Some((event, after));
            }
        });
        let (event, after) = next.unwrap();
        events.push(event);
        state = after;
    }
    assert_eq!((turns(&events), turns(&reorder(&scope, &events))), (5, 1));
}
