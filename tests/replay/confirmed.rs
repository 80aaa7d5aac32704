//! Whatever the model breaks, the real files show broken: each property that falls under the published design, in every scenario
//! and in questions about other trees.

use super::*;
use conformance::behaviour::{Replayed, replay_behaviour};
use conformance::real_check::Shown;
use model::verdict::Completeness;
use specs::property::Mood;
use specs::question::sets::Set;
use specs::scenarios::SCENARIOS;
use std::collections::BTreeMap;

#[test]
fn every_property_that_the_published_design_breaks_is_shown_broken_by_real_files() {
    let others = Set::named("other_trees").unwrap().questions();
    let all: Vec<&'static Scenario> = others.iter().map(|asked| asked.scenario()).collect();
    // A group without a snapshot is what a job can lose without anything being missed.
    let empty = |scenario: &&&Scenario| !scenario.empty_groups.is_empty();
    let generated = all.iter().step_by(41).chain(all.iter().filter(empty));
    let mut broken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    let parent = private();
    for scenario in SCENARIOS.iter().chain(generated.copied()) {
        let scope = Scope::new(scenario, Design::UPSTREAM, &[]);
        let limit = engine::Options {
            max_states: Some(20_000),
            ..engine::Options::default()
        };
        let record = explore(&scope, &limit).unwrap().record;
        if record.completeness != Completeness::Complete {
            continue;
        }
        for found in &record.properties {
            // The model claims things of itself as well, which no files show.
            let known = Property::ALL.iter().find(|it| it.name() == found.name);
            let Some(&property) = known else { continue };
            let is_claim = property.entry().mood == Mood::Always;
            let Some(trace) = found.first.as_ref().filter(|_| is_claim) else {
                continue;
            };
            let events: Vec<Event> = trace.actions().copied().collect();
            let states: Vec<State> = trace.states().copied().collect();
            let options = options(parent.path());
            let shown = replay_behaviour(&scope, &events, &states, property, options).unwrap();
            if let Replayed::Same {
                shown: Shown::Broken(_),
                ..
            } = shown
            {
                *broken.entry(found.name).or_default() += 1;
            } else {
                differences.push(format!("{}: {}: {shown:?}", scenario.name, found.name));
            }
        }
    }
    let first = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{}: {first:#?}", differences.len());
    let all: usize = broken.values().sum();
    assert!(all > 300 && broken.len() > 15, "{all}: {broken:?}");
}
