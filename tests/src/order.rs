//! The lock order as it stands in the pages.

use conformance::lock_order::graph::LockGraph;
use conformance::lock_order::page;
use model::engine::Options;
use specs::Design;
use specs::scenarios::SCENARIOS;
use std::sync::OnceLock;

/// The lock order of the default design, from all scenarios of the gate.
fn order() -> &'static LockGraph {
    static ORDER: OnceLock<LockGraph> = OnceLock::new();
    ORDER.get_or_init(|| {
        let mut graph = LockGraph::new(Design::HARDENED, Vec::new(), None);
        let options = Options {
            threads: 2,
            ..Options::default()
        };
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.check) {
            if let Err(error) = graph.add(scenario, &options) {
                panic!("{}: {error:#}", scenario.name);
            }
        }
        assert!(graph.is_complete());
        graph
    })
}

/// The edges as a table.
#[must_use]
pub fn table() -> String {
    page::table(order())
}

/// The edges as a picture.
#[must_use]
pub fn drawing() -> String {
    format!("```mermaid\n{}```\n", page::mermaid(order()))
}
