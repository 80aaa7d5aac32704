//! A flow of paths through the graph, reduced to the fewest that leave every edge covered.
//!
//! What can be undone: a path fewer on an edge that has more than one, a path more on any edge. Flow is sent
//! from the ends back to the start along such changes, by levels (Dinic): time is bounded by the number of
//! rounds times the edges, and a round is needed only while the shortest way back grows.

use super::Path;
use model::State;
use model::engine::Graph;
use specs::Event;

/// How many paths take each edge.
pub(super) struct Flow<'a> {
    graph: &'a Graph<State, Event>,
    usable: &'a [bool],
    /// Paths on each edge.
    on: Vec<u32>,
    /// The usable edges into each state, by the offsets of `first_in`.
    into: Vec<u32>,
    first_in: Vec<usize>,
    /// Paths that end in each state.
    ends: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl<'a> Flow<'a> {
    pub(super) fn new(graph: &'a Graph<State, Event>, usable: &'a [bool]) -> Self {
        let states = graph.states.len();
        let mut first_in = vec![0usize; states + 1];
        let usable_edges = || {
            graph
                .edges
                .iter()
                .zip(usable)
                .filter(|(_, usable)| **usable)
        };
        for (edge, _) in usable_edges() {
            first_in[edge.to as usize + 1] += 1;
        }
        for state in 0..states {
            first_in[state + 1] += first_in[state];
        }
        let mut next = first_in.clone();
        let mut into = vec![0u32; first_in[states]];
        for (e, edge) in (0u32..).zip(&graph.edges) {
            if usable[e as usize] {
                into[next[edge.to as usize]] = e;
                next[edge.to as usize] += 1;
            }
        }
        Self {
            graph,
            usable,
            on: vec![0; graph.edges.len()],
            into,
            first_in,
            ends: vec![0; states],
        }
    }

    /// Adds a path.
    pub(super) fn add(&mut self, path: &[u32]) {
        for edge in path {
            self.on[*edge as usize] += 1;
        }
        if let Some(last) = path.last() {
            self.ends[self.graph.edges[*last as usize].to as usize] += 1;
        }
    }

    /// Takes back as many paths as every edge can spare.
    pub(super) fn minimise(&mut self) {
        while let Some(level) = self.levels() {
            let mut tried = vec![0usize; level.len()];
            for end in 0..self.ends.len() {
                while self.ends[end] > 0
                    && level[end] == 0
                    && self.send_back(end, &level, &mut tried)
                {
                    self.ends[end] -= 1;
                }
            }
        }
    }

    /// The changes that a state offers: number, edge, whether it is a path fewer, and the state at its other side.
    fn change(&self, state: usize, number: usize) -> Option<(u32, bool, usize)> {
        let into = &self.into[self.first_in[state]..self.first_in[state + 1]];
        if let Some(edge) = into.get(number) {
            return Some((*edge, true, self.graph.edges[*edge as usize].from as usize));
        }
        let out = self.graph.offsets[state] + u32::try_from(number - into.len()).unwrap_or(NOWHERE);
        if out >= self.graph.offsets[state + 1] {
            return None;
        }
        Some((out, false, self.graph.edges[out as usize].to as usize))
    }

    fn is_possible(&self, edge: u32, fewer: bool) -> bool {
        if fewer {
            self.on[edge as usize] > 1
        } else {
            self.usable[edge as usize]
        }
    }

    /// Distance of each state from the ends that still have paths; none if the start cannot be reached.
    fn levels(&self) -> Option<Vec<u32>> {
        let mut level = vec![NOWHERE; self.ends.len()];
        let mut queue: Vec<usize> = (0..self.ends.len()).filter(|s| self.ends[*s] > 0).collect();
        for state in &queue {
            level[*state] = 0;
        }
        let mut done = 0;
        while let Some(state) = queue.get(done).copied() {
            done += 1;
            let mut number = 0;
            while let Some((edge, fewer, other)) = self.change(state, number) {
                number += 1;
                if level[other] == NOWHERE && self.is_possible(edge, fewer) {
                    level[other] = level[state] + 1;
                    queue.push(other);
                }
            }
        }
        (level[0] != NOWHERE && level[0] != 0).then_some(level)
    }

    /// Sends one path back from an end to the start, along rising levels.
    fn send_back(&mut self, end: usize, level: &[u32], tried: &mut [usize]) -> bool {
        let mut way: Vec<(u32, bool)> = Vec::new();
        let mut at = vec![end];
        while let Some(state) = at.last().copied() {
            if state == 0 {
                for (edge, fewer) in way {
                    let on = &mut self.on[edge as usize];
                    *on = if fewer { *on - 1 } else { *on + 1 };
                }
                return true;
            }
            let Some((edge, fewer, other)) = self.change(state, tried[state]) else {
                at.pop();
                way.pop();
                if let Some(before) = at.last() {
                    tried[*before] += 1;
                }
                continue;
            };
            if level[other] != NOWHERE
                && level[other] == level[state] + 1
                && self.is_possible(edge, fewer)
            {
                way.push((edge, fewer));
                at.push(other);
            } else {
                tried[state] += 1;
            }
        }
        false
    }

    /// The paths that the flow is made of.
    pub(super) fn paths(mut self) -> Vec<Path> {
        let mut paths = Vec::new();
        loop {
            let mut path = Path::new();
            let mut state = 0usize;
            loop {
                let out = self.graph.offsets[state]..self.graph.offsets[state + 1];
                let Some(edge) = out.into_iter().find(|edge| self.on[*edge as usize] > 0) else {
                    break;
                };
                self.on[edge as usize] -= 1;
                path.push(edge);
                state = self.graph.edges[edge as usize].to as usize;
            }
            if path.is_empty() {
                return paths;
            }
            paths.push(path);
        }
    }
}
