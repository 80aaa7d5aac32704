//! What the leader keeps: the number of every state, and where in the frontier the search is.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::block::CHUNKS;
use super::graph::{Edge, Graph};
use super::history::{History, NOWHERE, push};
use super::search::{Search, lock, read, write};
use super::table::shard_of;
use super::{Options, Progress, Protocol};
use crate::verdict::{Completeness, Cut};

/// Successors that a block should have: enough to share out, few enough to stay in the cache.
const BLOCK_SUCCESSORS: u64 = 1 << 14;

/// Numbers that are never given out, so that a block begun below the limit can be finished.
const SPARE_NUMBERS: u64 = 1 << 24;

/// A range of the frontier that is expanded as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Blocks before this one.
    pub(super) block: u64,
    /// The range of the frontier, and how much of it is one chunk.
    start: usize,
    end: usize,
    chunk_states: usize,
    /// The number of the first state of the frontier.
    base: u32,
}

impl Plan {
    pub(super) fn chunks(&self) -> usize {
        (self.end - self.start).div_ceil(self.chunk_states)
    }

    /// The part of the frontier that is the chunk with this number.
    pub(super) fn chunk(&self, number: usize) -> Range<usize> {
        let start = self.start + number * self.chunk_states;
        start..self.end.min(start + self.chunk_states)
    }

    /// The number of the state at this position of the frontier.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "every state of the frontier has a number"
    )]
    pub(super) fn number_of(&self, position: usize) -> u32 {
        self.base + position as u32
    }
}

/// What the search does next.
pub(super) enum Step {
    Expand(Plan),
    End(Completeness),
}

/// The leader's books.
pub(super) struct Ledger<S, A> {
    pub(super) history: History,
    pub(super) edges: u64,
    pub(super) peak_bytes: u64,
    /// States of the next level.
    next: Vec<S>,
    graph: Option<(Vec<S>, Vec<Edge<A>>)>,
    initial: usize,
    blocks: u64,
    /// Chunks of the block that is being numbered.
    chunks: usize,
    /// Steps from an initial state to the frontier.
    depth: u32,
    /// How much of the frontier has been expanded, and the number of its first state.
    position: usize,
    base: usize,
}

impl<S: Copy, A: Copy> Ledger<S, A> {
    pub(super) fn new(keep_graph: bool) -> Self {
        Self {
            history: History::default(),
            edges: 0,
            depth: 0,
            peak_bytes: 0,
            next: Vec::new(),
            graph: keep_graph.then(|| (Vec::new(), Vec::new())),
            initial: 0,
            blocks: 0,
            chunks: 1,
            position: 0,
            base: 0,
        }
    }

    /// The block whose only chunk holds the initial states.
    pub(super) fn initial_block(&self) -> Plan {
        Plan {
            block: 0,
            start: 0,
            end: 1,
            chunk_states: 1,
            base: 0,
        }
    }

    /// Writes the initial states into the first chunk, as if they were successors of nothing.
    pub(super) fn put_initial_states<P>(&self, search: &Search<'_, P>)
    where
        P: Protocol<State = S, Action = A>,
    {
        let mut chunk = write(&search.chunks[0]);
        for state in search.model.init_states() {
            if search.model.within_boundary(&state) {
                chunk.push_initial(state);
            }
        }
    }

    /// Phase three: numbers the new states of a block in the order in which they were met.
    pub(super) fn number_new_states<P>(&mut self, search: &Search<'_, P>, options: &Options)
    where
        P: Protocol<State = S, Action = A>,
    {
        for chunk in &search.chunks[..self.chunks] {
            let chunk = read(chunk);
            self.edges += chunk.edges;
            for index in 0..chunk.states.len() {
                if chunk.is_new(index) {
                    self.history.push(chunk.prints[index], chunk.sources[index]);
                    push(&mut self.next, chunk.states[index]);
                }
                if self.graph.is_some() {
                    let table = shard_of(chunk.prints[index]);
                    let mut table = lock(&search.tables[table]);
                    let slot = chunk.slot(index);
                    if chunk.is_new(index) {
                        table.set_number(slot, self.last_number());
                    }
                    let to = table.number(slot);
                    drop(table);
                    let action = chunk.actions.get(index).copied();
                    self.keep(&chunk.states[index], chunk.sources[index], action, to);
                }
            }
        }
        self.blocks += 1;
        self.report(&options.progress, read(&search.frontier).len());
    }

    /// Adds a state that has just been numbered, and the edge to any, to the graph.
    fn keep(&mut self, state: &S, from: u32, action: Option<A>, to: u32) {
        let Some((states, edges)) = &mut self.graph else {
            return;
        };
        if to as usize == states.len() {
            states.push(*state);
        }
        if let Some(action) = action {
            edges.push(Edge { from, action, to });
        }
    }

    /// What is to be done next: another block, another level, or nothing.
    pub(super) fn next_step<P>(&mut self, search: &Search<'_, P>, options: &Options) -> Step
    where
        P: Protocol<State = S, Action = A>,
    {
        if search.is_stopped.load(Ordering::Relaxed) {
            self.measure(search);
            return Step::End(Completeness::Stopped {
                at: search.stopped_at(),
            });
        }
        if let Some(why) = self.why_cut(options) {
            self.measure(search);
            return Step::End(Completeness::Cut { why });
        }
        if self.position == read(&search.frontier).len() {
            self.begin_level(search);
        }
        let start = self.position;
        let left = read(&search.frontier).len() - start;
        if left == 0 {
            return Step::End(Completeness::Complete);
        }
        let chunk_states = self.block_states().min(left).div_ceil(CHUNKS).max(16);
        let end = start + left.min(chunk_states * CHUNKS);
        let base = u32::try_from(self.base).unwrap_or(NOWHERE);
        let plan = Plan {
            block: self.blocks,
            start,
            end,
            chunk_states,
            base,
        };
        self.chunks = plan.chunks();
        self.position = end;
        Step::Expand(plan)
    }

    /// Makes the next level the frontier. If there is none, the frontier is left empty.
    fn begin_level<P>(&mut self, search: &Search<'_, P>)
    where
        P: Protocol<State = S, Action = A>,
    {
        self.measure(search);
        let mut frontier = write(&search.frontier);
        self.base += frontier.len();
        self.position = 0;
        frontier.clear();
        std::mem::swap(&mut *frontier, &mut self.next);
        if self.blocks == 1 {
            self.initial = frontier.len();
        } else if !frontier.is_empty() {
            self.depth += 1;
        }
    }

    /// Steps from an initial state to the farthest state found.
    pub(super) fn depth(&self) -> u32 {
        // The initial states were the first to be found, and are no level below anything.
        let has_next_level = self.blocks > 1 && !self.next.is_empty();
        self.depth + u32::from(has_next_level)
    }

    fn why_cut(&self, options: &Options) -> Option<Cut> {
        let states = self.history.len() as u64;
        let numbers = u64::from(u32::MAX) - SPARE_NUMBERS;
        let kept_edges = if self.graph.is_some() { self.edges } else { 0 };
        if options.abort.load(Ordering::Relaxed) {
            return Some(Cut::Aborted);
        }
        if states > numbers || kept_edges > numbers {
            return Some(Cut::OutOfNumbers);
        }
        let limit = options.max_states?;
        (states > limit).then_some(Cut::StateLimit { limit })
    }

    /// How many states make a block, going by the edges that states had so far.
    fn block_states(&self) -> usize {
        let expanded = (self.base + self.position) as u64;
        (BLOCK_SUCCESSORS * expanded / self.edges.max(1)).clamp(256, BLOCK_SUCCESSORS) as usize
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the search is cut before it runs out"
    )]
    fn last_number(&self) -> u32 {
        (self.history.len() - 1) as u32
    }

    fn report(&self, progress: &Progress, frontier: usize) {
        let waiting = frontier - self.position + self.next.len();
        progress
            .states
            .store(self.history.len() as u64, Ordering::Relaxed);
        progress.edges.store(self.edges, Ordering::Relaxed);
        progress
            .depth
            .store(u64::from(self.depth), Ordering::Relaxed);
        progress.frontier.store(waiting as u64, Ordering::Relaxed);
    }

    /// Adds up what the tables take now.
    fn measure<P>(&mut self, search: &Search<'_, P>)
    where
        P: Protocol<State = S, Action = A>,
    {
        let tables: usize = search.tables.iter().map(|table| lock(table).bytes()).sum();
        let chunks: usize = search.chunks.iter().map(|chunk| read(chunk).bytes()).sum();
        let states = (read(&search.frontier).capacity() + self.next.capacity()) * size_of::<S>();
        let graph = self.graph.as_ref().map_or(0, |(states, edges)| {
            states.capacity() * size_of::<S>() + edges.capacity() * size_of::<Edge<A>>()
        });
        let bytes = tables + chunks + states + graph + self.history.bytes();
        self.peak_bytes = self.peak_bytes.max(bytes as u64);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the search is cut before it runs out"
    )]
    pub(super) fn into_graph(self) -> Option<Graph<S, A>> {
        let initial = self.initial as u32;
        self.graph
            .map(|(states, edges)| Graph::new(states, edges, initial))
    }
}
