//! How far an actor has come with the locks of namespaces that it takes, as one byte.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many of its locks of namespaces an actor has taken, and how many of those it has let go again.
///
/// Which ones it takes, in which order and how, is fixed by its task; they are let go in the same order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Reach(u8);

impl Reach {
    /// Nothing is taken.
    pub const NONE: Self = Self(0);

    /// Number of locks that were taken.
    pub fn taken(self) -> usize {
        usize::from(self.0 & 0x0f)
    }

    /// Number of those that were let go.
    pub fn let_go(self) -> usize {
        usize::from(self.0 >> 4)
    }

    /// Whether the actor has one.
    pub fn has_any(self) -> bool {
        self.taken() > self.let_go()
    }

    /// With one more.
    #[must_use]
    pub const fn further(self) -> Self {
        Self(self.0 + 1)
    }

    /// Without the one that was taken first.
    #[must_use]
    pub fn back(self) -> Self {
        let less = Self(self.0 + 0x10);
        if less.has_any() { less } else { Self::NONE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_first_is_let_go_first() {
        let two = Reach::NONE.further().further();
        assert_eq!((two.taken(), two.let_go()), (2, 0));
        assert_eq!((two.back().taken(), two.back().let_go()), (2, 1));
        assert_eq!(two.back().back(), Reach::NONE);
        assert!(!Reach::NONE.has_any() && two.back().has_any());
    }
}
