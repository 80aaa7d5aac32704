//! A shortest way to each state of a graph.

use model::State;
use model::engine::Graph;
use specs::Event;

/// For each state the edge by which a shortest way reaches it.
#[derive(Debug)]
pub struct Ways<'g> {
    graph: &'g Graph<State, Event>,
    into: Vec<Option<u32>>,
}

impl<'g> Ways<'g> {
    /// The ways from the start of a graph.
    pub fn of(graph: &'g Graph<State, Event>) -> Self {
        let mut into = vec![None; graph.states.len()];
        for (e, edge) in (0u32..).zip(&graph.edges) {
            // States are numbered in the order in which they were first met, so the first edge into a state is on a shortest way.
            let first = &mut into[edge.to as usize];
            if edge.to >= graph.initial && first.is_none() {
                *first = Some(e);
            }
        }
        Self { graph, into }
    }

    /// The edges from the start to a state.
    pub fn to(&self, state: u32) -> Vec<u32> {
        let mut way = Vec::new();
        let mut at = state;
        while let Some(e) = self.into[at as usize] {
            way.push(e);
            at = self.graph.edges[e as usize].from;
        }
        way.reverse();
        way
    }

    /// The events from the start to a state.
    pub fn events_to(&self, state: u32) -> Vec<Event> {
        let action = |e: u32| self.graph.edges[e as usize].action;
        self.to(state).into_iter().map(action).collect()
    }
}
