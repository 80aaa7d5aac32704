//! A lock file that an actor has open within a step that takes its lock in single calls.

use super::Hold;
use crate::locks::Name;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A lock file that is open, and perhaps locked, by an actor that does not rely on it yet.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Pending {
    /// Class, namespace and number of the lock, two bits each, and whether the file was compared before it is locked.
    name: u8,
    hold: Hold,
}

const COMPARED: u8 = 0x80;

impl Pending {
    /// Nothing is open.
    pub const NONE: Self = Self {
        name: 0,
        hold: Hold::NONE,
    };

    /// The file of a lock, which can be unlinked.
    pub(crate) const fn of(name: Name, hold: Hold) -> Self {
        let name = match name.by_file() {
            Name::Namespace(_) => return Self::NONE,
            Name::Group(n, g) | Name::GroupDirectory(n, g) => n << 2 | g,
            Name::Snapshot(n, s) | Name::SnapshotDirectory(n, s) => 0x10 | n << 2 | s,
            Name::Manifest(n, s) | Name::OldManifest(n, s) => 0x20 | n << 2 | s,
        };
        Self { name, hold }
    }

    /// Which lock, as one of a file; none if nothing is open. Which one it is of the two generations, the open file knows.
    pub fn name(self) -> Option<Name> {
        let (n, number) = (self.name >> 2 & 3, self.name & 3);
        (self != Self::NONE).then_some(match self.name >> 4 & 3 {
            0 => Name::Group(n, number),
            1 => Name::Snapshot(n, number),
            _ => Name::Manifest(n, number),
        })
    }

    /// The open file.
    pub const fn hold(self) -> Hold {
        self.hold
    }

    /// With the kernel's lock.
    pub(crate) const fn locked(self) -> Self {
        Self {
            hold: self.hold.locked(),
            ..self
        }
    }

    /// Found at its path, by a design that looks before it locks.
    pub(crate) const fn compared(self) -> Self {
        Self {
            name: self.name | COMPARED,
            ..self
        }
    }

    /// Whether it was found at its path before it is locked.
    pub(crate) const fn is_compared(self) -> bool {
        self.name & COMPARED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{GROUPS, NAMESPACES, SNAPSHOTS};

    #[test]
    fn every_lock_whose_file_can_be_unlinked_keeps_its_name() {
        let small = |number: usize| u8::try_from(number).unwrap();
        for n in 0..small(NAMESPACES) {
            let groups = (0..small(GROUPS)).map(|g| Name::Group(n, g));
            let snapshots = (0..small(SNAPSHOTS)).map(|s| Name::Snapshot(n, s));
            let manifests = (0..small(SNAPSHOTS)).map(|s| Name::Manifest(n, s));
            for name in groups.chain(snapshots).chain(manifests) {
                let pending = Pending::of(name, Hold::open(1));
                assert_eq!(pending.name(), Some(name));
                assert_eq!(pending.compared().locked().name(), Some(name));
                assert_ne!(pending, pending.compared());
            }
        }
        assert_eq!(Pending::NONE.name(), None);
    }
}
