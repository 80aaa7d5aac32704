//! The lock order as a Mermaid flowchart and as a table of a page.

use super::graph::{LockGraph, Shown, Witness};
use super::{Edge, Node, Taking, step_name, wait_name};
use specs::page::Table;
use std::collections::BTreeSet;

/// How a deadlock of two locks of one class is excluded, where the ranks of classes do not speak.
pub fn within_a_class(edge: &Edge, takings: &[(&Taking, &Shown)]) -> &'static str {
    if !edge.is_within_a_class() {
        ""
    } else if !edge.wait.blocks() {
        "two of one class: the second one is only tried, so whoever does not get it lets the first one go"
    } else if edge.taken.conflicts(&edge.held) && rises(takings) {
        "two of one class: whoever waits for the second one keeps the first one, and always takes them in the one order of the class"
    } else if edge.taken.conflicts(&edge.held) {
        "two of one class: whoever waits for the second one keeps the first one"
    } else {
        "two of one class, both shared: neither keeps the other waiting"
    }
}

/// Whether every step that takes an edge takes a lock that stands above the one it has.
pub fn rises(takings: &[(&Taking, &Shown)]) -> bool {
    takings.iter().all(|(_, shown)| shown.rises)
}

/// The steps that take an edge.
pub fn steps(takings: &[(&Taking, &Shown)]) -> Vec<String> {
    let steps = takings.iter().map(|(taking, _)| step_name(taking.step));
    steps.collect()
}

/// The shortest behaviour that shows an edge.
pub fn shortest<'a>(takings: &[(&Taking, &'a Shown)]) -> Option<&'a Witness> {
    let witnesses = takings.iter().map(|(_, shown)| &shown.witness);
    witnesses.min_by_key(|witness| witness.events.len())
}

/// A flowchart: an edge whose taker waits is drawn through, any other one is dotted.
pub fn mermaid(graph: &LockGraph) -> String {
    let mut text = String::from("flowchart TD\n");
    let edges = graph.edges();
    let nodes: BTreeSet<&Node> = edges
        .keys()
        .flat_map(|edge| [&edge.held, &edge.taken])
        .collect();
    for node in &nodes {
        text += &format!("    {}[\"{node}\"]\n", id(node));
    }
    for edge in edges.keys() {
        let (held, taken) = (id(&edge.held), id(&edge.taken));
        if edge.wait.blocks() {
            text += &format!("    {held} -->|{}| {taken}\n", wait_name(edge.wait));
        } else {
            text += &format!("    {held} -.-> {taken}\n");
        }
    }
    text
}

/// The name of a node within a drawing.
fn id(node: &Node) -> String {
    node.to_string().replace(' ', "_")
}

/// The edges as a table.
pub fn table(graph: &LockGraph) -> String {
    let mut table = Table::new(&["held", "taken", "taker", "steps", "shown in", "events"]);
    for (edge, takings) in graph.edges() {
        let steps: Vec<String> = steps(&takings).iter().map(|s| format!("`{s}`")).collect();
        let shortest = shortest(&takings);
        table.row([
            edge.held.to_string(),
            edge.taken.to_string(),
            wait_name(edge.wait),
            steps.join(", "),
            shortest.map_or_else(String::new, |w| format!("`{}`", w.scenario.name)),
            shortest.map_or_else(String::new, |w| w.events.len().to_string()),
        ]);
    }
    table.finish()
}
