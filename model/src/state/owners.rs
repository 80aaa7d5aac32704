//! The owner files of a group in two bytes: where there is one, and whom it names.

use crate::state::Set;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What an owner file says: the number of an owner of `specs::scenario::OWNERS`, or nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Owner(u8);

impl Owner {
    /// The owner of every group at the start, who also makes the backups.
    pub const FIRST: Self = Self(0);
    /// The file is empty.
    pub const NOBODY: Self = Self(3);

    /// The owner of that number, at most 2.
    pub const fn of(number: u8) -> Self {
        Self(number)
    }
}

/// The owner files of one group in all namespaces.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Owners {
    /// The namespaces in which there is one.
    files: Set,
    /// Two bits for each namespace: whom the file names; zero where there is none.
    names: u8,
}

impl Owners {
    /// Owner files that all name the first owner.
    pub const fn first(files: Set) -> Self {
        Self { files, names: 0 }
    }

    /// The namespaces in which there is a file.
    pub const fn files(self) -> Set {
        self.files
    }

    /// Whether there is a file in a namespace.
    pub const fn has(self, namespace: u8) -> bool {
        self.files.has(namespace)
    }

    /// What the file in a namespace says; none if there is no file.
    pub fn at(self, namespace: u8) -> Option<Owner> {
        self.has(namespace)
            .then_some(Owner(self.names >> (2 * namespace) & 3))
    }

    /// With a file in a namespace that names an owner.
    #[must_use]
    pub const fn with(self, namespace: u8, owner: Owner) -> Self {
        let shift = 2 * namespace;
        Self {
            files: self.files.with(namespace),
            names: self.names & !(3 << shift) | owner.0 << shift,
        }
    }

    /// Without the file in a namespace.
    #[must_use]
    pub const fn without(self, namespace: u8) -> Self {
        Self {
            files: self.files.without(namespace),
            names: self.names & !(3 << (2 * namespace)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_file_says_what_was_written_to_it() {
        let owners = Owners::first(Set::only(0))
            .with(3, Owner::NOBODY)
            .with(1, Owner::of(2));
        assert_eq!(owners.at(0), Some(Owner::FIRST));
        assert_eq!(owners.at(1), Some(Owner::of(2)));
        assert_eq!(owners.at(2), None);
        assert_eq!(owners.at(3), Some(Owner::NOBODY));
        assert_eq!(owners.without(1).without(3), Owners::first(Set::only(0)));
        assert_eq!(owners.with(3, Owner::FIRST).at(3), Some(Owner::FIRST));
    }
}
