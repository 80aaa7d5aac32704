//! How each state was first reached, and the trace that follows from it.

use super::table::fingerprint;
use super::{Protocol, Refusal};
use crate::verdict::Trace;

/// The source of an initial state. No state has this number.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Fingerprint and source of every state by number: all that is kept of most states.
#[derive(Default)]
pub(super) struct History {
    prints: Vec<u64>,
    sources: Vec<u32>,
}

impl History {
    pub(super) fn len(&self) -> usize {
        self.prints.len()
    }

    #[inline]
    pub(super) fn push(&mut self, print: u64, source: u32) {
        push(&mut self.prints, print);
        push(&mut self.sources, source);
    }

    pub(super) fn bytes(&self) -> usize {
        self.prints.capacity() * size_of::<u64>() + self.sources.capacity() * size_of::<u32>()
    }

    /// A shortest trace to the state with this fingerprint, found by walking there again.
    ///
    /// # Errors
    /// If a state on the way no longer leads to the next.
    pub(super) fn trace<P: Protocol>(
        &self,
        model: &P,
        print: u64,
    ) -> Result<Trace<P::State, P::Action>, Refusal> {
        let way = self.way_to(print);
        let lost = |depth| Refusal::NotRepeatable { depth };
        let (&first, rest) = way.split_first().ok_or(lost(0))?;
        let mut initial_states = model.init_states().into_iter();
        let initial = initial_states
            .find(|state| fingerprint(state) == first)
            .ok_or(lost(0))?;
        let mut trace = Trace {
            initial,
            steps: Vec::with_capacity(rest.len()),
        };
        for (depth, &wanted) in rest.iter().enumerate() {
            let mut found = None;
            model.successors(trace.last(), &mut |action, next| {
                if found.is_none() && fingerprint(&next) == wanted {
                    found = Some((action, next));
                }
            });
            trace.steps.push(found.ok_or(lost(depth))?);
        }
        Ok(trace)
    }

    /// The fingerprints from an initial state to this one; empty if there is no such state.
    fn way_to(&self, print: u64) -> Vec<u64> {
        let mut way = Vec::new();
        let mut number = self.prints.iter().position(|&known| known == print);
        while let Some(index) = number {
            way.push(self.prints[index]);
            let source = self.sources[index];
            number = (source != NOWHERE).then_some(source as usize);
        }
        way.reverse();
        way
    }
}

/// Appends, and grows by an eighth: doubling would leave up to half of the memory of a long run empty.
#[inline]
pub(super) fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        make_room(list);
    }
    list.push(item);
}

#[cold]
fn make_room<T>(list: &mut Vec<T>) {
    list.reserve_exact((list.len() / 8).max(1024));
}
