//! Every field that is compared takes two values somewhere in what the gate replays: one that never changes shows nothing.

use conformance::expected::expected;
use conformance::projection::Projected;
use model::Scope;
use model::engine::{Options, explore};
use specs::Design;
use specs::scenarios::SCENARIOS;
use std::collections::BTreeSet;

/// The fields that no state of the model changes. That another value would be seen is shown in `real_tree`.
const CONSTANT: &[(&str, &str)] = &[
    (
        "protected",
        "no operation protects a snapshot, and no scenario moves one that is",
    ),
    (
        "unknown_locks",
        "the model has no lock on a file that was never at its path",
    ),
];

#[test]
fn every_field_takes_two_values_in_what_the_gate_replays() {
    let mut constant: BTreeSet<&str> = Projected::FIELDS.iter().copied().collect();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.replay) {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let options = Options {
            keep_graph: true,
            ..Options::default()
        };
        let graph = explore(&scope, &options).unwrap().graph.unwrap();
        let mut states = graph.states.iter();
        let look = |state| expected(&scope, state, "/store");
        let first = look(states.next().unwrap());
        // Few fields are left soon, and few states of a large graph are needed to see that one stays.
        for state in states {
            if constant.len() == CONSTANT.len() {
                break;
            }
            let state = look(state);
            constant.retain(|field| state.value(field) == first.value(field));
        }
    }
    let accepted: BTreeSet<&str> = CONSTANT.iter().map(|(field, _)| *field).collect();
    assert_eq!(constant, accepted, "fields that never change");
}
