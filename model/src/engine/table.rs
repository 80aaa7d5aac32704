//! The set of fingerprints seen: one shard of it, open addressing, eight bytes a slot.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;

use foldhash::quality::FixedState;

/// Shards of the set. Fixed, because a shard is the unit of parallel insertion and of growth.
pub(super) const SHARDS: usize = 32;

const SHARD_SHIFT: u32 = 64 - SHARDS.trailing_zeros();
const EMPTY: u64 = 0;
const SMALLEST: usize = 64;

/// The fingerprint of a state. Never [`EMPTY`]: a state that hashes to 0 is stored as 1.
#[inline]
pub(super) fn fingerprint<S: Hash>(state: &S) -> u64 {
    not_empty(FixedState::with_seed(0).hash_one(state))
}

#[inline]
fn not_empty(hash: u64) -> u64 {
    if hash == EMPTY { 1 } else { hash }
}

/// The shard that a fingerprint belongs to: its high bits, since the low ones choose the slot.
#[inline]
pub(super) fn shard_of(print: u64) -> usize {
    (print >> SHARD_SHIFT) as usize
}

/// One shard: fingerprints in linear probing and, where the graph is kept, the number of each state.
pub(super) struct Table {
    slots: Vec<u64>,
    numbers: Vec<u32>,
    used: usize,
    keep_numbers: bool,
}

impl Table {
    pub(super) fn new(keep_numbers: bool) -> Self {
        Self {
            slots: Vec::new(),
            numbers: Vec::new(),
            used: 0,
            keep_numbers,
        }
    }

    /// Makes room for so many more, so that slots stay where they are while a block is inserted.
    pub(super) fn reserve(&mut self, more: usize) {
        let mut capacity = self.slots.len().max(SMALLEST);
        // At most three quarters full: beyond that linear probing gets slow.
        while (self.used + more) * 4 > capacity * 3 {
            capacity *= 2;
        }
        if capacity > self.slots.len() {
            self.grow(capacity);
        }
    }

    fn grow(&mut self, capacity: usize) {
        // Written, not merely allocated as zeros: a page that is read before it is written is mapped
        // twice, and the second time every other thread is interrupted for it.
        let mut slots = Vec::with_capacity(capacity);
        slots.resize(capacity, EMPTY);
        let old_slots = std::mem::replace(&mut self.slots, slots);
        let kept = if self.keep_numbers { capacity } else { 0 };
        let old_numbers = std::mem::replace(&mut self.numbers, vec![0; kept]);
        for (old, print) in old_slots.into_iter().enumerate() {
            if print != EMPTY {
                let slot = self.find(print);
                self.slots[slot] = print;
                if self.keep_numbers {
                    self.numbers[slot] = old_numbers[old];
                }
            }
        }
    }

    /// Loads the slots that these fingerprints will be looked for in.
    ///
    /// The loads do not depend on each other, so their cache misses overlap; the insertions that
    /// follow find the lines at hand. This is a prefetch, written without an intrinsic.
    #[inline]
    pub(super) fn touch(&self, prints: impl Iterator<Item = u64>) {
        let seen = prints.fold(0, |seen, print| seen ^ self.slots[self.home(print)]);
        black_box(seen);
    }

    /// The slot of a fingerprint, and whether it is new. Room must have been reserved.
    #[inline]
    pub(super) fn insert(&mut self, print: u64) -> (usize, bool) {
        let slot = self.find(print);
        let is_new = self.slots[slot] == EMPTY;
        if is_new {
            self.slots[slot] = print;
            self.used += 1;
        }
        (slot, is_new)
    }

    /// The number of the state in `slot`, which has been given one.
    pub(super) fn number(&self, slot: usize) -> u32 {
        self.numbers[slot]
    }

    pub(super) fn set_number(&mut self, slot: usize, number: u32) {
        self.numbers[slot] = number;
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>() + self.numbers.capacity() * size_of::<u32>()
    }

    /// The slot that holds `print`, or the empty one where it belongs.
    #[inline]
    fn find(&self, print: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.home(print);
        while self.slots[slot] != EMPTY && self.slots[slot] != print {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mask keeps only the low bits"
    )]
    fn home(&self, print: u64) -> usize {
        print as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_homes_and_growth_lose_nothing() {
        let mut table = Table::new(true);
        // All of these have one home in every table of up to 2^20 slots.
        let prints: Vec<u64> = (1..=500).map(|n| n << 20).collect();
        for (number, &print) in (0..).zip(&prints) {
            table.reserve(1);
            let (slot, is_new) = table.insert(print);
            assert!(is_new);
            table.set_number(slot, number);
        }
        for (number, &print) in (0..).zip(&prints) {
            let (slot, is_new) = table.insert(print);
            assert!(!is_new);
            assert_eq!(table.number(slot), number);
        }
    }

    #[test]
    fn the_smallest_and_the_largest_fingerprint_are_kept_apart() {
        let mut table = Table::new(false);
        table.reserve(2);
        assert!(table.insert(1).1);
        assert!(table.insert(u64::MAX).1);
        assert!(!table.insert(1).1);
        assert!(!table.insert(u64::MAX).1);
        assert_eq!(shard_of(u64::MAX), SHARDS - 1);
        assert_eq!(shard_of(1), 0);
    }

    #[test]
    fn a_state_that_hashes_to_zero_is_not_lost() {
        assert_eq!(not_empty(EMPTY), 1);
        assert_eq!(not_empty(u64::MAX), u64::MAX);
    }

    /// Half a fingerprint collides as often as 32 random bits would, on states that differ in few bits.
    #[test]
    fn fingerprints_of_similar_states_spread_evenly() {
        const COUNT: u32 = 400_000;
        for half in [0, 32] {
            let mut halves: Vec<u32> = (0..COUNT).map(|n| low_half(n, half)).collect();
            halves.sort_unstable();
            let same = halves.windows(2).filter(|pair| pair[0] == pair[1]).count();
            // Expected COUNT^2 / 2^33 = 18.6, standard deviation 4.3.
            assert!((2..=45).contains(&same), "{same} collisions in half {half}");
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "this test wants half of the bits"
    )]
    fn low_half(n: u32, shift: u32) -> u32 {
        let mut state = [0_u8; 128];
        for (digit, byte) in state.iter_mut().skip(7).step_by(11).enumerate() {
            *byte = (n / 5_u32.pow(digit as u32) % 5) as u8;
        }
        (fingerprint(&state) >> shift) as u32
    }
}
