//! `Used`: whether the access times of a chunk are those of the steps that set them, by the virtual clock.
//!
//! The clock goes on with every step and is never at a whole second, so a time that was taken at the start of a run, from
//! another clock, or without its fraction, is not that of the step.

use crate::gate::{CUTOFF_PASSES_NS, TICK_NS};
use crate::world::CLOCK_START_NS;

/// The access times of a chunk file and of the two files set aside, as of the last look; none before the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used(Option<[Option<i128>; 3]>);

impl Used {
    /// Notes the access times, and tells which of them has changed since the last look and is none of a step since then. A
    /// file that is set aside takes its time along.
    pub(crate) fn look(
        &mut self,
        used: [Option<i128>; 3],
        since_ns: i128,
        now_ns: i128,
    ) -> [bool; 3] {
        let Some(before) = self.0.replace(used) else {
            return [false; 3];
        };
        let mut untimely = [false; 3];
        for (at, untimely) in untimely.iter_mut().enumerate() {
            let is_moved = at > 0 && before.contains(&used[at]);
            *untimely = used[at].is_some_and(|time| {
                used[at] != before[at] && !is_moved && !is_of_a_step(time, since_ns, now_ns)
            });
        }
        untimely
    }
}

/// Whether a time is one that the clock had in a step after one time and up to another.
fn is_of_a_step(time: i128, since_ns: i128, now_ns: i128) -> bool {
    let within = (time - CLOCK_START_NS).rem_euclid(CUTOFF_PASSES_NS);
    since_ns < time && time <= now_ns && within % TICK_NS == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::clock;

    #[test]
    fn time_of_a_chunk_is_that_of_a_step_since_the_last_look() {
        let at = |ticks| clock(CLOCK_START_NS, 1, ticks);
        let old = CLOCK_START_NS - 5;
        let look = |time: i128| {
            let mut used = Used::default();
            used.look([Some(old), None, None], CLOCK_START_NS, at(3));
            used.look([Some(time), None, None], at(3), at(5))[0]
        };
        for time in [old, at(4), at(5)] {
            assert!(!look(time), "{time}");
        }
        let whole = at(5) - at(5).rem_euclid(1_000_000_000);
        for time in [at(3), at(6), at(5) - 1, at(5) + 1, whole, old - 1] {
            assert!(look(time), "{time}");
        }
    }

    #[test]
    fn file_that_is_set_aside_takes_its_time_along() {
        let mut used = Used::default();
        let now = clock(CLOCK_START_NS, 0, 1);
        let since = CLOCK_START_NS;
        used.look([Some(7), None, None], since, since);
        assert_eq!(used.look([None, Some(7), None], since, now), [false; 3]);
        let again = used.look([Some(8), Some(7), Some(9)], since, now);
        assert_eq!(again, [true, false, true]);
    }
}
