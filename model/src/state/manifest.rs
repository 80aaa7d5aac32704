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
