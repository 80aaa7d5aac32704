//! The whole graph of a small model, for replay along every edge.

use std::ops::Range;

/// Every state and every edge. States are numbered in the order of the search, so initial states come
/// first and no state comes before one that is fewer steps away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph<S, A> {
    /// The states by number.
    pub states: Vec<S>,
    /// The edges by `from`, and those of one state in the order of its actions.
    pub edges: Vec<Edge<A>>,
    /// Edges of state `n` begin at `offsets[n]` and end before `offsets[n + 1]`.
    pub offsets: Vec<u32>,
    /// How many of the states are initial: the first so many.
    pub initial: u32,
}

/// One step from a state to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<A> {
    /// Number of the state it leaves.
    pub from: u32,
    /// The step.
    pub action: A,
    /// Number of the state it reaches, which may be the same.
    pub to: u32,
}

impl<S, A> Graph<S, A> {
    /// The steps that the state with this number offers; none for a number there is not.
    #[must_use]
    pub fn edges_from(&self, state: u32) -> &[Edge<A>] {
        self.edges.get(self.range(state)).unwrap_or_default()
    }

    fn range(&self, state: u32) -> Range<usize> {
        let bound = |index: usize| self.offsets.get(index).map_or(0, |&offset| offset as usize);
        bound(state as usize)..bound(state as usize + 1)
    }

    /// A graph of these states and edges, which are grouped by `from` in ascending order.
    pub(super) fn new(states: Vec<S>, edges: Vec<Edge<A>>, initial: u32) -> Self {
        let mut offsets = vec![0_u32; states.len() + 1];
        for edge in &edges {
            offsets[edge.from as usize + 1] += 1;
        }
        for index in 1..offsets.len() {
            offsets[index] += offsets[index - 1];
        }
        Self {
            states,
            edges,
            offsets,
            initial,
        }
    }
}
