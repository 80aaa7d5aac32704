//! A covering set of paths: every edge of the model's graph is taken, from the start to an end.
//!
//! The graph of a scenario has no cycles, because every actor's work is bounded. Each round weighs every
//! state by the most uncovered edges on a way from it to an end, and then takes the heaviest ways until
//! they gain less than half of what the weights promised. A round costs time linear in the edges.

use model::State;
use model::engine::Graph;
use specs::Event;

/// A path from the start to an end, as numbers of edges.
pub type Path = Vec<u32>;

/// The graph has a cycle, so that paths have no end.
#[derive(Debug, thiserror::Error)]
#[error("the graph has a cycle; every actor of a scenario must have bounded work")]
pub struct Cyclic;

/// Paths that together take every edge that `wanted` names; other edges are never taken.
///
/// Every path goes on until no wanted edge leaves its last state.
pub fn cover(graph: &Graph<State, Event>, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Path>, Cyclic> {
    let order = backwards(graph)?;
    let mut open: Vec<bool> = graph.edges.iter().map(|edge| wanted(&edge.action)).collect();
    let usable = open.clone();
    let mut left = open.iter().filter(|open| **open).count();
    let mut paths = Vec::new();
    let mut weight = vec![0u32; graph.states.len()];
    while left > 0 {
        weigh(graph, &order, &usable, &open, &mut weight);
        let promised = weight.first().copied().unwrap_or(0);
        if promised == 0 {
            // What is left cannot be reached over wanted edges.
            break;
        }
        loop {
            let path = heaviest(graph, &usable, &open, &weight);
            let gain = path.iter().filter(|edge| open[**edge as usize]).count();
            if gain == 0 || (gain as u32) * 2 < promised {
                break;
            }
            for edge in &path {
                open[*edge as usize] = false;
            }
            left -= gain;
            paths.push(path);
        }
    }
    Ok(paths)
}

/// The states in an order in which every edge leads backwards.
fn backwards(graph: &Graph<State, Event>) -> Result<Vec<u32>, Cyclic> {
    let mut missing = vec![0u32; graph.states.len()];
    for edge in &graph.edges {
        missing[edge.to as usize] += 1;
    }
    let mut order: Vec<u32> = (0..).zip(&missing).filter(|(_, m)| **m == 0).map(|(s, _)| s).collect();
    let mut done = 0;
    while let Some(state) = order.get(done).copied() {
        done += 1;
        for edge in graph.edges_from(state) {
            missing[edge.to as usize] -= 1;
            if missing[edge.to as usize] == 0 {
                order.push(edge.to);
            }
        }
    }
    order.reverse();
    if order.len() == graph.states.len() { Ok(order) } else { Err(Cyclic) }
}

fn weigh(graph: &Graph<State, Event>, order: &[u32], usable: &[bool], open: &[bool], weight: &mut [u32]) {
    for state in order {
        let from = graph.offsets[*state as usize] as usize;
        let mut best = 0;
        for (e, edge) in (from..).zip(graph.edges_from(*state)) {
            if usable[e] {
                best = best.max(weight[edge.to as usize] + u32::from(open[e]));
            }
        }
        weight[*state as usize] = best;
    }
}

/// The heaviest way from the start; of equal ones the first.
fn heaviest(graph: &Graph<State, Event>, usable: &[bool], open: &[bool], weight: &[u32]) -> Path {
    let mut path = Vec::new();
    let mut state = 0u32;
    loop {
        let from = graph.offsets[state as usize] as usize;
        let mut best: Option<(u32, usize)> = None;
        for (e, edge) in (from..).zip(graph.edges_from(state)) {
            let here = weight[edge.to as usize] + u32::from(open[e]);
            if usable[e] && best.is_none_or(|(most, _)| here > most) {
                best = Some((here, e));
            }
        }
        let Some((_, e)) = best else { return path };
        state = graph.edges[e].to;
        path.push(u32::try_from(e).unwrap_or(u32::MAX));
    }
}
