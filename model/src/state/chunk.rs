//! A chunk as one byte: the age of its file, whether that is corrupt, and the files that were set aside.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// When a chunk file was last touched, or that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(u8);

impl Age {
    /// There is no such file.
    pub const MISSING: Self = Self(0);
    /// Before the cutoff, and before any writer that is at work began.
    pub const OLD: Self = Self(1);
    /// Before the cutoff that has passed meanwhile; a writer at work may have begun before that.
    pub const MIDDLE: Self = Self(2);
    /// After the cutoff.
    pub const FRESH: Self = Self(3);
}

/// A chunk: the age of its file, whether that is corrupt, and the files that were set aside.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Chunk(u8);

impl Chunk {
    const CORRUPT: u8 = 0x04;
    const WAS_CORRUPT: u8 = 0x08;

    /// A good file that is older than the cutoff.
    pub const OLD: Self = Self(1);

    /// The age of its file.
    pub const fn age(self) -> Age {
        Age(self.0 & 3)
    }

    /// Whether there is a file.
    pub const fn is_there(self) -> bool {
        self.0 & 3 != 0
    }

    /// Whether its file is corrupt.
    pub const fn is_corrupt(self) -> bool {
        self.0 & Self::CORRUPT != 0
    }

    /// Whether it is missing because a corrupt file was set aside.
    pub const fn was_corrupt(self) -> bool {
        self.0 & Self::WAS_CORRUPT != 0
    }

    /// With a corrupt file.
    #[must_use]
    pub const fn corrupt(self) -> Self {
        Self(self.0 | Self::CORRUPT)
    }

    /// With a file that was just touched.
    #[must_use]
    pub const fn touched(self) -> Self {
        Self(self.0 | 3)
    }

    /// With a good file that was just written.
    #[must_use]
    pub const fn written(self) -> Self {
        Self(self.0 & 0xf0 | 3)
    }

    /// Without its file.
    #[must_use]
    pub const fn unlinked(self) -> Self {
        Self(self.0 & 0xf0)
    }

    /// The age of the file that was set aside under a number, 0 or 1.
    pub const fn bad(self, number: u8) -> Age {
        Age(self.0 >> (4 + 2 * number) & 3)
    }

    const fn with_bad(self, number: u8, age: Age) -> Self {
        let shift = 4 + 2 * number;
        Self(self.0 & !(3 << shift) | age.0 << shift)
    }

    /// Without the file that was set aside under a number.
    #[must_use]
    pub const fn without_bad(self, number: u8) -> Self {
        self.with_bad(number, Age::MISSING)
    }

    /// With its file renamed to the first free bad name; none if both names of a state are taken.
    #[must_use]
    pub fn set_aside(self) -> Option<Self> {
        let free = (0..2).find(|n| self.bad(*n) == Age::MISSING)?;
        let aside = self.unlinked().with_bad(free, self.age());
        Some(if self.is_corrupt() {
            Self(aside.0 | Self::WAS_CORRUPT)
        } else {
            aside
        })
    }

    /// With the files that were set aside just touched.
    #[must_use]
    pub fn bad_touched(self) -> Self {
        (0..2).fold(self, |chunk, n| match chunk.bad(n) {
            Age::MISSING => chunk,
            _ => chunk.with_bad(n, Age::FRESH),
        })
    }

    /// With every fresh file become so old.
    #[must_use]
    pub fn aged(self, to: Age) -> Self {
        let main = if self.age() == Age::FRESH {
            Self(self.0 & !3 | to.0)
        } else {
            self
        };
        (0..2).fold(main, |chunk, n| match chunk.bad(n) {
            Age::FRESH => chunk.with_bad(n, to),
            _ => chunk,
        })
    }

    /// Whether a file was touched after the cutoff.
    pub fn has_fresh(self) -> bool {
        self.age() == Age::FRESH || (0..2).any(|n| self.bad(n) == Age::FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a chunk is, told in fields: the ages of its file and of those that were set aside, and whether it is or was
    /// corrupt.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Fields {
        file: Age,
        bad: [Age; 2],
        is_corrupt: bool,
        was_corrupt: bool,
    }

    fn fields(chunk: Chunk) -> Fields {
        Fields {
            file: chunk.age(),
            bad: [chunk.bad(0), chunk.bad(1)],
            is_corrupt: chunk.is_corrupt(),
            was_corrupt: chunk.was_corrupt(),
        }
    }

    #[test]
    fn a_chunk_of_one_byte_is_what_it_is_in_fields() {
        let ages = [Age::MISSING, Age::OLD, Age::MIDDLE, Age::FRESH];
        let mut seen = std::collections::BTreeSet::new();
        for chunk in (0..=u8::MAX).map(Chunk) {
            let is = fields(chunk);
            assert!(seen.insert(format!("{is:?}")));
            assert_eq!(chunk.is_there(), is.file != Age::MISSING);
            let all = [is.file, is.bad[0], is.bad[1]];
            assert_eq!(chunk.has_fresh(), all.contains(&Age::FRESH));

            let file = Age::FRESH;
            assert_eq!(fields(chunk.touched()), Fields { file, ..is });
            let gone = Fields {
                file: Age::MISSING,
                is_corrupt: false,
                was_corrupt: false,
                ..is
            };
            assert_eq!(fields(chunk.written()), Fields { file, ..gone });
            assert_eq!(fields(chunk.unlinked()), gone);
            let is_corrupt = true;
            assert_eq!(fields(chunk.corrupt()), Fields { is_corrupt, ..is });

            let aside = |number: usize| {
                let mut bad = is.bad;
                bad[number] = is.file;
                let was_corrupt = is.is_corrupt;
                Fields {
                    bad,
                    was_corrupt,
                    ..gone
                }
            };
            let free = is.bad.iter().position(|age| *age == Age::MISSING);
            assert_eq!(chunk.set_aside().map(fields), free.map(aside));
            for number in 0..2 {
                let mut bad = is.bad;
                bad[number] = Age::MISSING;
                let without = chunk.without_bad(u8::try_from(number).unwrap());
                assert_eq!(fields(without), Fields { bad, ..is });
            }
            let bad = is.bad.map(|age| match age {
                Age::MISSING => age,
                _ => Age::FRESH,
            });
            assert_eq!(fields(chunk.bad_touched()), Fields { bad, ..is });
            for to in ages {
                let aged = |age: Age| if age == Age::FRESH { to } else { age };
                let older = Fields {
                    file: aged(is.file),
                    bad: is.bad.map(aged),
                    ..is
                };
                assert_eq!(fields(chunk.aged(to)), older);
            }
        }
    }
}
