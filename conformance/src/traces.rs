//! A minimum covering set of paths: every edge of the model's graph is taken, from the start to an end.
//!
//! The graph of a scenario has no cycles, because every actor's work is bounded. A cover is a flow from the
//! start to the ends that puts at least one path on every edge. A greedy cover comes first; then flow is sent
//! back from the ends to the start for as long as some edge has more than one path, which leaves the fewest
//! paths that there can be.

mod flow;
mod ways;

use flow::Flow;
use model::State;
use model::engine::Graph;
use specs::Event;
pub use ways::Ways;

/// A path from the start to an end, as numbers of edges.
pub type Path = Vec<u32>;

/// The graph has a cycle, so that paths have no end.
#[derive(Debug, thiserror::Error)]
#[error("the graph has a cycle; every actor of a scenario must have bounded work")]
pub struct Cyclic;

/// The fewest paths that together take every edge that `wanted` names; other edges are never taken.
///
/// A path ends where nothing new would come: all that follows lies on paths before it.
pub fn cover(
    graph: &Graph<State, Event>,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Vec<Path>, Cyclic> {
    let order = backwards(graph)?;
    let usable = reachable(graph, &wanted);
    let mut flow = Flow::new(graph, &usable);
    for path in greedy(graph, &order, &usable) {
        flow.add(&path);
    }
    flow.minimise();
    let mut paths = flow.paths();
    let mut taken = vec![false; graph.edges.len()];
    for path in &mut paths {
        let new = path.iter().rposition(|edge| !taken[*edge as usize]);
        path.truncate(new.map_or(0, |last| last + 1));
        for edge in path.iter() {
            taken[*edge as usize] = true;
        }
    }
    paths.retain(|path| !path.is_empty());
    Ok(paths)
}

/// The wanted edges that can be reached over wanted edges.
fn reachable(graph: &Graph<State, Event>, wanted: &impl Fn(&Event) -> bool) -> Vec<bool> {
    let mut met = vec![false; graph.states.len()];
    let mut usable = vec![false; graph.edges.len()];
    let mut stack = vec![0u32];
    if let Some(start) = met.first_mut() {
        *start = true;
    }
    while let Some(state) = stack.pop() {
        for (e, edge) in edges_from(graph, state) {
            if wanted(&edge.action) {
                usable[e] = true;
                if !std::mem::replace(&mut met[edge.to as usize], true) {
                    stack.push(edge.to);
                }
            }
        }
    }
    usable
}

/// The edges that leave a state, with their numbers.
fn edges_from(
    graph: &Graph<State, Event>,
    state: u32,
) -> impl Iterator<Item = (usize, &model::engine::Edge<Event>)> {
    let first = graph.offsets[state as usize] as usize;
    (first..).zip(graph.edges_from(state))
}

/// The states in an order in which every edge leads backwards.
fn backwards(graph: &Graph<State, Event>) -> Result<Vec<u32>, Cyclic> {
    let mut missing = vec![0u32; graph.states.len()];
    for edge in &graph.edges {
        missing[edge.to as usize] += 1;
    }
    let mut order: Vec<u32> = (0..)
        .zip(&missing)
        .filter(|(_, m)| **m == 0)
        .map(|(s, _)| s)
        .collect();
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
    if order.len() == graph.states.len() {
        Ok(order)
    } else {
        Err(Cyclic)
    }
}

/// A cover that is not the smallest: each round weighs every state by the most uncovered edges on a way from
/// it to an end, and takes the heaviest ways until they gain less than half of what the weights promised.
fn greedy(graph: &Graph<State, Event>, order: &[u32], usable: &[bool]) -> Vec<Path> {
    let mut open = usable.to_vec();
    let mut left = open.iter().filter(|open| **open).count();
    let mut paths = Vec::new();
    let mut weight = vec![0u32; graph.states.len()];
    while left > 0 {
        weigh(graph, order, usable, &open, &mut weight);
        let promised = weight.first().copied().unwrap_or(0) as usize;
        loop {
            let path = heaviest(graph, usable, &open, &weight);
            let gain = path.iter().filter(|edge| open[**edge as usize]).count();
            if gain == 0 || gain * 2 < promised {
                break;
            }
            for edge in &path {
                open[*edge as usize] = false;
            }
            left -= gain;
            paths.push(path);
        }
    }
    paths
}

fn weigh(
    graph: &Graph<State, Event>,
    order: &[u32],
    usable: &[bool],
    open: &[bool],
    weight: &mut [u32],
) {
    for state in order {
        let mut best = 0;
        for (e, edge) in edges_from(graph, *state) {
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
        let mut best: Option<(u32, usize, u32)> = None;
        for (e, edge) in edges_from(graph, state) {
            let here = weight[edge.to as usize] + u32::from(open[e]);
            if usable[e] && best.is_none_or(|(most, _, _)| here > most) {
                best = Some((here, e, edge.to));
            }
        }
        let Some((_, e, to)) = best else { return path };
        state = to;
        path.push(u32::try_from(e).unwrap_or(u32::MAX));
    }
}
