//! What a drawing says is what the states say.

use super::*;
use crate::lanes;
use proptest::prelude::*;
use specs::mutant::MUTANTS;
use specs::scenarios::SCENARIOS;
use specs::{Design, Scenario};

/// A behaviour of a scope, by which of the steps offered is taken.
fn behaviour(scope: &Scope, choices: &[prop::sample::Index]) -> Vec<Event> {
    let mut state = scope.start();
    let mut events = Vec::new();
    for choice in choices {
        let mut offered = Vec::new();
        scope.successors(&state, &mut |event, next| offered.push((event, next)));
        if offered.is_empty() {
            break;
        }
        let (event, next) = *choice.get(&offered);
        events.push(event);
        state = next;
    }
    events
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let scenarios: Vec<&'static Scenario> = SCENARIOS.iter().collect();
    let faults: Vec<_> = MUTANTS.iter().map(specs::Mutant::faults).collect();
    (
        prop::sample::select(scenarios),
        prop::sample::select(specs::mutant::designs()),
        prop::sample::select(faults),
    )
        .prop_map(|(scenario, design, faults)| Scope::new(scenario, design, faults))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn spans_cover_exactly_what_each_actor_has_after_each_event(
        scope in any_scope(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..120),
    ) {
        let events = behaviour(&scope, &choices);
        let drawing = Drawing::full(&scope, &events, None).unwrap();
        for (n, state) in drawing.states.iter().skip(1).enumerate() {
            for actor in scope.actors() {
                let mut drawn: Vec<(String, bool)> = Vec::new();
                for lock in drawing.locks.iter().filter(|lock| lock.actor == actor) {
                    let now = lock.spans.iter().filter(|span| span.covers(n));
                    drawn.extend(now.map(|span| (lock.label.clone(), span.is_real)));
                }
                let has = locks::possessions(&scope, state, actor);
                let mut has: Vec<(String, bool)> =
                    has.iter().map(|p| (lock_label(&scope, p), p.is_locked)).collect();
                drawn.sort();
                has.sort();
                prop_assert_eq!(drawn, has, "after event {}", n + 1);
            }
        }
    }

    #[test]
    fn lines_are_the_events_in_order_and_a_fold_is_of_one_actor_that_meets_nobody(
        scope in any_scope(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..120),
    ) {
        let events = behaviour(&scope, &choices);
        let drawing = Drawing::folded(&scope, &events, Some("ends".to_owned())).unwrap();
        let mut next = 0;
        for line in &drawing.lines {
            prop_assert_eq!(line.first, next);
            prop_assert!(line.last >= line.first);
            next = line.last + 1;
            for event in &events[line.first..=line.last] {
                prop_assert_eq!(actor_of(event), line.actor);
            }
            prop_assert!(line.actor.is_some() || line.first == line.last);
        }
        prop_assert_eq!(next, events.len());
        let last = drawing.lines.last().unwrap();
        prop_assert_eq!(last.first, last.last, "the end has a line of its own");
        prop_assert!(lanes::draw(&drawing).contains("<== ends"));
    }
}

fn scope(scenario: &str) -> Scope {
    Scope::new(Scenario::named(scenario).unwrap(), Design::HARDENED, &[])
}

/// Takes steps of these actors, each time the first one that ends with `Done` if there is one.
fn turns(scope: &Scope, actors: &[u8]) -> Vec<Event> {
    let mut state = scope.start();
    let mut events = Vec::new();
    for turn in actors {
        let mut offered = Vec::new();
        scope.successors(&state, &mut |event, next| {
            if actor_of(&event) == Some(Actor(*turn)) {
                offered.push((event, next));
            }
        });
        let (event, next) = offered[0];
        events.push(event);
        state = next;
    }
    events
}

#[test]
fn a_step_that_another_actor_forces_has_a_line_of_its_own() {
    let scope = scope("two_gcs_meet");
    // Both begin; the second one is refused the process lock, or the slot, by the first one.
    let events = turns(&scope, &[0, 0, 0, 1, 1]);
    let drawing = Drawing::folded(&scope, &events, None).unwrap();
    let refused = events
        .iter()
        .position(|e| {
            matches!(
                e,
                Event::Step {
                    outcome: Outcome::WouldBlock,
                    ..
                }
            )
        })
        .unwrap();
    assert!(drawing.lines.iter().any(|line| line.first == refused));
    assert!(drawing.lines[0].last > 0, "what comes before it is folded");
    let why = drawing.reason(refused);
    assert!(
        why.contains("Not done: the ") && why.contains("held by gc"),
        "{why}"
    );
}

#[test]
fn actors_of_one_kind_are_told_apart() {
    let scope = scope("three_takers_meet_remover");
    let mut names: Vec<String> = scope.actors().map(|a| actor_name(&scope, a)).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

#[test]
fn a_lock_that_comes_and_goes_within_a_line_is_a_small_letter() {
    let scope = scope("one_move_meets_gc");
    let mut events = Vec::new();
    let mut state = scope.start();
    while let Some(label) = scope.labels(&state, Actor(0)).first() {
        let offers = label.step.row().outcomes.iter().map(|outcome| Event::Step {
            actor: Actor(0),
            label: *label,
            outcome: *outcome,
        });
        let mut possible = offers.filter_map(|e| Some((e, scope.apply(&state, e).ok()?)));
        let (event, next) = possible.next().unwrap();
        events.push(event);
        state = next;
    }
    let drawing = Drawing::folded(&scope, &events, None).unwrap();
    assert_eq!(drawing.lines.len(), 1, "nobody else is there");
    let text = lanes::draw(&drawing);
    assert!(text.contains("abc lock_gc_slot .. "), "{text}");
    let full = lanes::draw(&Drawing::full(&scope, &events, None).unwrap());
    assert!(full.contains("ABC lock_journal"), "{full}");
    assert!(full.contains("AB  unlock_journal"), "{full}");
}
