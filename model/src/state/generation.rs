//! The two generations of locks, as bits: what has the lock of a name, and what processes have decided for.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Numbers of what has the locks of one group, snapshot or manifest at its path: of the lock file of the new
/// generation, and of what has the lock in the old one. 0 where there is none.
///
/// Whatever is made anew at a path gets the smallest number that nobody has open there.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Numbers(u8);

impl Numbers {
    /// The highest number.
    pub const MOST: u8 = 0x0f;

    /// That of one generation.
    pub const fn of(self, old: bool) -> u8 {
        if old { self.0 >> 4 } else { self.0 & 0x0f }
    }

    /// With another one of a generation.
    #[must_use]
    pub const fn with(self, old: bool, number: u8) -> Self {
        if old {
            Self(self.0 & 0x0f | number << 4)
        } else {
            Self(self.0 & 0xf0 | number)
        }
    }
}

/// What processes found when they looked for the flag file, two bits each.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Looked([u8; 2]);

impl Looked {
    /// Most processes of a scenario.
    pub const PROCESSES: usize = 8;
    const LOOKED: u16 = 1;
    const FOUND: u16 = 2;

    const fn bits(self) -> u16 {
        u16::from_le_bytes(self.0)
    }

    /// Whether a process found it; none if it has not looked.
    pub fn of(self, process: u8) -> Option<bool> {
        let bits = self.bits() >> (2 * process);
        (bits & Self::LOOKED != 0).then_some(bits & Self::FOUND != 0)
    }

    /// With what a process has found.
    #[must_use]
    pub const fn with(self, process: u8, found: bool) -> Self {
        let bits = if found {
            Self::LOOKED | Self::FOUND
        } else {
            Self::LOOKED
        };
        Self((self.without(process).bits() | bits << (2 * process)).to_le_bytes())
    }

    /// Without what a process has found, which has ended.
    #[must_use]
    pub const fn without(self, process: u8) -> Self {
        let of_it = (Self::LOOKED | Self::FOUND) << (2 * process);
        Self((self.bits() & !of_it).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_two_generations_do_not_touch_each_other() {
        let both = Numbers::default().with(false, 3).with(true, Numbers::MOST);
        assert_eq!((both.of(false), both.of(true)), (3, Numbers::MOST));
        let new = both.with(true, 0);
        assert_eq!((new.of(false), new.of(true)), (3, 0));
    }

    #[test]
    fn each_process_remembers_what_it_found() {
        let looked = Looked::default().with(7, true).with(1, false);
        let all: Vec<_> = [0, 1, 6, 7].map(|process| looked.of(process)).into();
        assert_eq!(all, [None, Some(false), None, Some(true)]);
        assert_eq!(looked.without(7).without(1), Looked::default());
    }
}
