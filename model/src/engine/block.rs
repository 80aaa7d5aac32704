//! The unit of expansion: a range of the frontier, and the successors that were found for it.

use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Protocol;
use super::history::NOWHERE;
use super::table::{SHARDS, fingerprint, shard_of};

/// Chunks of one block. More than there are threads, so that all of them finish about together.
pub(super) const CHUNKS: usize = 16;

/// States that wait for their fingerprint before all of them get it.
const BATCH: usize = 12;

/// A successor was not known before. The other bits of a mark are its slot in its table.
const NEW: u32 = 1 << 31;

/// The successors of a range of the frontier, in the order of states and of their actions.
pub(super) struct Chunk<S, A> {
    pub(super) states: Vec<S>,
    pub(super) prints: Vec<u64>,
    /// The number of the state that each came from.
    pub(super) sources: Vec<u32>,
    /// The action that led to each; empty unless the graph is kept.
    pub(super) actions: Vec<A>,
    /// The indices of the successors that belong to each table, ascending.
    pub(super) buckets: Vec<Vec<u32>>,
    /// Edges followed. More than there are successors if some were left out.
    pub(super) edges: u64,
    marks: Vec<AtomicU32>,
}

impl<S: Copy, A: Copy> Chunk<S, A> {
    pub(super) fn new() -> Self {
        Self {
            states: Vec::new(),
            prints: Vec::new(),
            sources: Vec::new(),
            actions: Vec::new(),
            buckets: vec![Vec::new(); SHARDS],
            edges: 0,
            marks: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.states.clear();
        self.prints.clear();
        self.sources.clear();
        self.actions.clear();
        self.marks.clear();
        for bucket in &mut self.buckets {
            bucket.clear();
        }
        self.edges = 0;
    }

    /// Follows every edge out of `frontier`, whose first state has the number `first`.
    pub(super) fn expand<P>(
        &mut self,
        model: &P,
        frontier: &[S],
        first: u32,
        recent: &mut Option<Recent>,
        keep_actions: bool,
        coverage: &mut [u64],
    ) where
        P: Protocol<State = S, Action = A>,
    {
        self.clear();
        for (number, state) in (first..).zip(frontier) {
            model.successors(state, &mut |action, next| {
                if !model.within_boundary(&next) {
                    return;
                }
                self.edges += 1;
                coverage[model.kind(state, &action)] += 1;
                self.states.push(next);
                self.sources.push(number);
                if keep_actions {
                    self.actions.push(action);
                }
            });
            if self.states.len() - self.prints.len() >= BATCH {
                self.enter(recent);
            }
        }
        self.enter(recent);
    }

    /// Adds an initial state.
    pub(super) fn push_initial(&mut self, state: S)
    where
        S: Hash,
    {
        self.states.push(state);
        self.sources.push(NOWHERE);
        self.enter(&mut None);
    }

    /// Gives the states that have no fingerprint yet theirs, and leaves out those met a short while ago.
    ///
    /// Not done as each state is made: a state that was just written in small pieces cannot be read
    /// in large ones before the writes have left the processor's store buffer.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a chunk is a few hundred states"
    )]
    fn enter(&mut self, recent: &mut Option<Recent>)
    where
        S: Hash,
    {
        let pending = self.prints.len()..self.states.len();
        let mut kept = pending.start;
        for index in pending {
            let print = fingerprint(&self.states[index]);
            if recent.as_mut().is_some_and(|recent| recent.has_seen(print)) {
                continue;
            }
            // Where actions are kept nothing is left out, so they need not be moved.
            self.states[kept] = self.states[index];
            self.sources[kept] = self.sources[index];
            self.buckets[shard_of(print)].push(kept as u32);
            self.prints.push(print);
            self.marks.push(AtomicU32::new(0));
            kept += 1;
        }
        self.states.truncate(kept);
        self.sources.truncate(kept);
    }

    /// Notes the slot that a successor was found at, and whether it is new.
    ///
    /// Atomic because tables are worked on in parallel and a chunk has successors in many; each
    /// mark is written once, and read after the threads have met.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a table has fewer than 2^31 slots"
    )]
    pub(super) fn mark(&self, index: u32, slot: usize, is_new: bool) {
        let mark = if is_new {
            slot as u32 | NEW
        } else {
            slot as u32
        };
        self.marks[index as usize].store(mark, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_new(&self, index: usize) -> bool {
        self.marks[index].load(Ordering::Relaxed) & NEW != 0
    }

    pub(super) fn slot(&self, index: usize) -> usize {
        (self.marks[index].load(Ordering::Relaxed) & !NEW) as usize
    }

    pub(super) fn bytes(&self) -> usize {
        let indices: usize = self.buckets.iter().map(Vec::capacity).sum();
        self.states.capacity() * size_of::<S>()
            + self.actions.capacity() * size_of::<A>()
            + self.prints.capacity() * size_of::<u64>()
            + (self.sources.capacity() + self.marks.capacity() + indices) * size_of::<u32>()
    }
}

/// Fingerprints that a thread met a short while ago.
///
/// Steps of different actors commute, so many successors are met twice within a few states. One
/// that this thread met earlier is already in the table, or in a bucket before this one, since a
/// thread takes chunks in ascending order: leaving it out changes nothing but the time it takes.
pub(super) struct Recent(Vec<u64>);

const RECENT: usize = 1 << 12;

impl Recent {
    pub(super) fn new() -> Self {
        Self(vec![0; RECENT])
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mask keeps only the low bits"
    )]
    fn has_seen(&mut self, print: u64) -> bool {
        let slot = &mut self.0[print as usize & (RECENT - 1)];
        std::mem::replace(slot, print) == print
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two states that are taken for one are lost with all behind them, so every bit counts.
    #[test]
    fn prints_that_differ_in_one_bit_are_two() {
        let print = 0x0123_4567_89ab_cdef;
        for bit in 0..u64::BITS {
            let mut recent = Recent::new();
            assert!(!recent.has_seen(print));
            assert!(!recent.has_seen(print ^ (1 << bit)), "bit {bit}");
        }
        let mut recent = Recent::new();
        assert_eq!([print, print].map(|p| recent.has_seen(p)), [false, true]);
    }
}
