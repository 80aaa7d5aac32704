//! Random walks: no walk panics, and an event is accepted if and only if it is offered.

use super::rows;
use conformance::drawing::Drawing;
use conformance::lanes;
use model::Scope;
use model::state::State;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use specs::design::{About, CHANGES, PRESETS};
use specs::id::Actor;
use specs::mutant::{Fault, MUTANTS, Mutant};
use specs::scenarios::SCENARIOS;
use specs::step::Row;
use specs::{Design, Event, Outcome, Property, Scenario, Stage, ToLabel as _};
use std::collections::BTreeSet;

/// What a walk can be about: any scenario, any design, the faults of any mutant or none.
fn any_scope() -> impl Strategy<Value = Scope> {
    let faults: Vec<&'static [Fault]> = std::iter::once(&[][..])
        .chain(MUTANTS.iter().map(Mutant::faults))
        .collect();
    let scenarios: Vec<&'static Scenario> = SCENARIOS.iter().collect();
    let select = proptest::sample::select::<&'static [Fault]>;
    (
        proptest::sample::select(scenarios),
        any_design(),
        select(faults),
    )
        .prop_map(|(scenario, design, faults)| Scope::new(scenario, design, faults))
}

/// A design with a name, with a few changes added or taken away.
fn any_design() -> impl Strategy<Value = Design> {
    let changes = proptest::sample::select(CHANGES);
    let toggled = |design: Design, About { change, .. }: About| {
        let other = if design.has(change) {
            design.without(change)
        } else {
            design.with(change)
        };
        Some(other)
            .filter(|other| other.contradiction().is_none())
            .unwrap_or(design)
    };
    (
        proptest::sample::select(PRESETS),
        prop::collection::vec(changes, 0..6),
    )
        .prop_map(move |(preset, changes)| changes.into_iter().fold(preset.design, toggled))
}

/// Every event there could be: any actor, label, argument and outcome of the tables.
fn any_event() -> impl Strategy<Value = (u8, prop::sample::Index, prop::sample::Index, Outcome)> {
    let outcomes: BTreeSet<Outcome> = rows().flat_map(|row| row.outcomes).copied().collect();
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
    (
        0..4_u8,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop::sample::select(outcomes),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_walk_never_panics_and_its_states_print(
        scope in any_scope(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
    ) {
        let mut state = scope.start();
        let mut events = Vec::new();
        for choice in choices {
            let mut successors = Vec::new();
            scope.successors(&state, &mut |event, next| successors.push((event, next)));
            if successors.is_empty() {
                break;
            }
            let (event, next) = *choice.get(&successors);
            let printed = format!("{state:?}");
            prop_assert!(printed.contains("journal_file"));
            events.push(event);
            for property in Property::ALL {
                model::properties::premise(*property, &scope, &state);
            }
            state = next;
        }
        let drawing = Drawing::full(&scope, &events, None).unwrap();
        prop_assert!(lanes::draw(&drawing).lines().count() > events.len());
    }

    #[test]
    fn an_event_is_accepted_if_it_is_offered_and_only_then(
        scope in any_scope(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..120),
        events in prop::collection::vec(any_event(), 1..40),
    ) {
        let mut state = scope.start();
        for choice in choices {
            let mut successors = Vec::new();
            scope.successors(&state, &mut |event, next| successors.push((event, next)));
            if successors.is_empty() {
                break;
            }
            is_closed(&scope, &state, &successors, &events)?;
            state = choice.get(&successors).1;
        }
    }
}

fn is_closed(
    scope: &Scope,
    state: &State,
    successors: &[(Event, State)],
    events: &[(u8, prop::sample::Index, prop::sample::Index, Outcome)],
) -> Result<(), TestCaseError> {
    let table: Vec<&Row> = rows().collect();
    let ids = scope.scenario.all_ids();
    for (event, next) in successors {
        prop_assert_eq!(scope.apply(state, *event), Ok(*next));
    }
    for (actor, row, id, outcome) in events {
        let actor = Actor(actor % u8::try_from(scope.scenario.actors.len()).unwrap());
        let label = row.get(&table).step.of(*id.get(&ids));
        let end = Event::Step {
            actor,
            label,
            outcome: *outcome,
        };
        let stages = Stage::ALL.map(|stage| Event::Reached {
            actor,
            label,
            stage,
        });
        for event in stages.into_iter().chain([end]) {
            let offered = successors
                .iter()
                .find(|(other, _)| *other == event)
                .map(|(_, next)| *next);
            prop_assert_eq!(scope.apply(state, event).ok(), offered, "{:?}", event);
        }
    }
    Ok(())
}
