//! Where the threads of a search wait for each other between two phases.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A barrier that spins before it yields, and that a panicking thread breaks up for the others.
///
/// A phase lasts a fraction of a millisecond, less than a sleeping thread takes to wake up on a busy
/// machine; and the barrier of the standard library would wait for ever for a thread that panicked.
pub(super) struct Meeting {
    members: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

/// Spins this often before it gives the processor to somebody else.
const SPINS: usize = 2_000;

impl Meeting {
    pub(super) fn new(members: usize) -> Self {
        Self {
            members,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Waits until all have come. False if somebody panicked and never will.
    #[must_use]
    pub(super) fn wait(&self) -> bool {
        if self.members == 1 {
            return true;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.members {
            // Nobody can arrive for the next round before `round` moves on.
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
        } else {
            let mut spins = 0;
            while self.round.load(Ordering::Acquire) == round {
                if self.broken.load(Ordering::Relaxed) {
                    return false;
                }
                spins += 1;
                if spins < SPINS {
                    spin_loop();
                } else {
                    thread::yield_now();
                }
            }
        }
        !self.broken.load(Ordering::Relaxed)
    }

    /// Held by each member while it works: if the member panics, the meeting is broken up.
    pub(super) fn member(&self) -> Member<'_> {
        Member(self)
    }
}

/// A member's presence at a [`Meeting`].
#[must_use]
pub(super) struct Member<'a>(&'a Meeting);

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_ahead_of_the_others() {
        let meeting = Meeting::new(3);
        let steps = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 0..1_000 {
                        steps.fetch_add(1, Ordering::Relaxed);
                        assert!(meeting.wait());
                        assert_eq!(steps.load(Ordering::Relaxed), 3 * (round + 1));
                        assert!(meeting.wait());
                    }
                });
            }
        });
    }
}
