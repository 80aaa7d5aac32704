//! A manifest as one byte: which parts it has, and which were ever written to it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A manifest: what it says, and what was ever written to it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Manifest(u8);

/// A part of a manifest, as its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(u8);

impl Part {
    /// The statistics of the upload.
    pub const STATISTICS: Self = Self(0x02);
    /// The verify state.
    pub const VERIFY: Self = Self(0x04);
    /// The notes.
    pub const NOTES: Self = Self(0x08);

    const ALL: [Self; 3] = [Self::STATISTICS, Self::VERIFY, Self::NOTES];
}

impl Manifest {
    /// There is none.
    pub const NONE: Self = Self(0);
    /// One that was just written, with no part.
    pub const PLAIN: Self = Self(1);
    const FAILED: u8 = 0x10;

    /// Whether there is one.
    pub const fn is_there(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it says a part.
    pub const fn has(self, part: Part) -> bool {
        self.0 & part.0 != 0
    }

    /// Whether its verify state is a failure.
    pub const fn has_failed(self) -> bool {
        self.0 & Self::FAILED != 0
    }

    /// What it says, without what was ever written to it.
    pub const fn contents(self) -> Self {
        Self(self.0 & 0x1f)
    }

    /// What is there once somebody who has read `read` has written it back with a part.
    #[must_use]
    pub const fn rewritten(self, read: Self, part: Part, failed: bool) -> Self {
        let ghost = self.0 & 0xe0 | part.0 << 4;
        let verified = if part.0 != Part::VERIFY.0 {
            read.0 & Self::FAILED
        } else if failed {
            Self::FAILED
        } else {
            0
        };
        Self(ghost | 1 | read.0 & 0x0e | part.0 | verified)
    }

    /// Number of parts that were ever written.
    pub fn parts_written(self) -> usize {
        Part::ALL
            .iter()
            .filter(|part| self.0 & part.0 << 4 != 0)
            .count()
    }

    /// Whether it says every part that was ever written to it.
    pub fn keeps_all(self) -> bool {
        Part::ALL
            .iter()
            .all(|part| self.0 & part.0 << 4 == 0 || self.has(*part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_a_manifest_back_says_what_was_read_and_the_part_that_is_its_own() {
        for (there, read) in (0..=u8::MAX).flat_map(|a| (0..=u8::MAX).map(move |b| (a, b))) {
            let (there, read) = (Manifest(there), Manifest(read));
            for (part, failed) in Part::ALL.into_iter().flat_map(|p| [(p, false), (p, true)]) {
                let is = there.rewritten(read, part, failed);
                assert!(is.is_there());
                for other in Part::ALL {
                    assert_eq!(is.has(other), other == part || read.has(other));
                }
                let says_failure = match part {
                    Part::VERIFY => failed,
                    _ => read.has_failed(),
                };
                assert_eq!(is.has_failed(), says_failure);
            }
        }
    }

    #[test]
    fn what_was_ever_written_is_counted_and_missed_once_somebody_writes_back_what_was_read_before()
    {
        for parts in 0..8_u8 {
            let written = |i: usize| parts >> i & 1 == 1;
            let mine: Vec<_> = (0..3).filter(|i| written(*i)).collect();
            let one_by_one = mine.iter().fold(Manifest::PLAIN, |manifest, i| {
                manifest.rewritten(manifest, Part::ALL[*i], false)
            });
            assert_eq!(one_by_one.parts_written(), mine.len());
            assert!(one_by_one.keeps_all());
            assert_eq!(one_by_one.contents().parts_written(), 0);
            let (first, last) = (mine.first(), mine.last());
            if let (Some(first), Some(last)) = (first, last)
                && first != last
            {
                let lost = one_by_one.rewritten(Manifest::PLAIN, Part::ALL[*last], false);
                assert_eq!(lost.parts_written(), mine.len());
                assert!(!lost.keeps_all());
                assert!(!lost.has(Part::ALL[*first]));
            }
        }
    }
}
