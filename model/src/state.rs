//! One flat state of small ids: the datastore, the lock directory, the journal and the actors, as bytes.
//!
//! Equality and hash are those of the bytes, derived. What is not here: file contents other than index
//! files, manifests and the journal (nothing reads them), and the exact time (a chunk is older than the cutoff
//! or it is not; time only passes between runs, since a run fixes its cutoff when it begins).

mod chunk;
#[cfg(test)]
mod coherence;
mod generation;
mod manifest;
mod owners;
mod pending;
mod reach;

use specs::id;
use zerocopy::{ByteEq, ByteHash, FromBytes, Immutable, IntoBytes, KnownLayout};

pub use chunk::{Age, Chunk};
pub use generation::{Looked, Numbers};
pub use manifest::{Manifest, Part};
pub use owners::{Owner, Owners};
pub use pending::Pending;
pub use reach::Reach;

/// Most namespaces of a scenario, the root namespace among them.
pub const NAMESPACES: usize = 4;
/// Most groups of a scenario.
pub const GROUPS: usize = 2;
/// Most snapshots of a scenario.
pub const SNAPSHOTS: usize = 4;
/// Most index files of a scenario.
pub const INDEXES: usize = 4;
/// Most chunks of a scenario.
pub const CHUNKS: usize = 3;
/// Most actors of a scenario.
pub const ACTORS: usize = 6;
/// Most lines of the journal.
pub const LINES: usize = 18;
/// Bytes that an operation keeps between its steps.
pub const LOCALS: usize = 20;

/// A set of small ids, as bits.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Set(pub u8);

impl Set {
    /// The set of one id.
    pub const fn only(id: u8) -> Self {
        Self(1 << id)
    }

    /// Whether it holds an id.
    pub const fn has(self, id: u8) -> bool {
        self.0 & (1 << id) != 0
    }

    /// With an id.
    #[must_use]
    pub const fn with(self, id: u8) -> Self {
        Self(self.0 | 1 << id)
    }

    /// Without an id.
    #[must_use]
    pub const fn without(self, id: u8) -> Self {
        Self(self.0 & !(1 << id))
    }

    /// Without the ids of another set.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The ids of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The ids of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest id; none of an empty set.
    pub fn lowest(self) -> Option<u8> {
        (self.0 != 0).then(|| narrow(self.0.trailing_zeros()))
    }

    /// The highest id; none of an empty set.
    pub fn highest(self) -> Option<u8> {
        (self.0 != 0).then(|| narrow(7 - self.0.leading_zeros()))
    }

    /// The ids, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let id = rest.lowest()?;
            rest = rest.without(id);
            Some(id)
        })
    }
}

/// A set of index files at places, as bits.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Places([u8; 2]);

impl Places {
    const fn bits(self) -> u16 {
        u16::from_le_bytes(self.0)
    }

    /// Whether it holds an index file at a namespace.
    pub const fn has(self, namespace: u8, index: u8) -> bool {
        self.bits() >> (namespace * 4 + index) & 1 != 0
    }

    /// With these index files at a namespace.
    #[must_use]
    pub const fn with_all(self, namespace: u8, indexes: Set) -> Self {
        Self((self.bits() | (indexes.0 as u16) << (namespace * 4)).to_le_bytes())
    }

    /// Without an index file at a namespace.
    #[must_use]
    pub const fn without(self, namespace: u8, index: u8) -> Self {
        Self((self.bits() & !(1 << (namespace * 4 + index))).to_le_bytes())
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.bits() == 0
    }
}

/// Bit positions of a byte fit in a byte.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a bit position of a byte is at most 7"
)]
const fn narrow(bit: u32) -> u8 {
    bit as u8
}

/// What an actor does next: the row of its operation's table, or that it does nothing more.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Next(pub u8);

impl Next {
    /// The operation has ended.
    pub const FINISHED: Self = Self(0xff);
    /// The process was killed.
    pub const KILLED: Self = Self(0xfe);

    /// The step of that row is next.
    #[allow(clippy::cast_possible_truncation, reason = "no table has 254 rows")]
    pub const fn row(position: usize) -> Self {
        Self(position as u8)
    }

    /// Whether there is a next step.
    pub const fn is_live(self) -> bool {
        self.0 < Self::KILLED.0
    }
}

/// An open lock file, or what has the lock in the old generation: its number, whether the kernel gave the lock, whether
/// the actor relies on it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Hold(pub u8);

impl Hold {
    /// Nothing is open.
    pub const NONE: Self = Self(0);
    const OLD: u8 = 0x10;
    const SHARED: u8 = 0x20;
    const LOCKED: u8 = 0x40;
    const RELIED: u8 = 0x80;

    /// What has that number is open; see [`Numbers`].
    pub const fn open(number: u8) -> Self {
        Self(number)
    }

    /// Number of what is open; 0 if nothing is.
    pub const fn number(self) -> u8 {
        self.0 & Numbers::MOST
    }

    /// Whether the lock is one of the old generation.
    pub const fn is_old(self) -> bool {
        self.0 & Self::OLD != 0
    }

    /// As a lock of the old generation.
    #[must_use]
    pub const fn old(self) -> Self {
        Self(self.0 | Self::OLD)
    }

    /// Whether the kernel holds the lock for it.
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCKED != 0
    }

    /// Whether the actor relies on the lock of the name.
    pub const fn is_relied_on(self) -> bool {
        self.0 & Self::RELIED != 0
    }

    /// Whether the lock is, or is to be, shared.
    pub const fn is_shared(self) -> bool {
        self.0 & Self::SHARED != 0
    }

    /// To be locked shared.
    #[must_use]
    pub const fn shared(self) -> Self {
        Self(self.0 | Self::SHARED)
    }

    /// With the kernel's lock.
    #[must_use]
    pub const fn locked(self) -> Self {
        Self(self.0 | Self::LOCKED)
    }

    /// With the actor relying on it.
    #[must_use]
    pub const fn relied_on(self) -> Self {
        Self(self.0 | Self::RELIED)
    }

    /// The actor has given up the name, by unlinking it.
    #[must_use]
    pub const fn given_up(self) -> Self {
        Self(self.0 & !Self::RELIED)
    }
}

/// Those locks of an actor that have no file or one that is never unlinked: slot, process lock, journal.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Held(pub u8);

/// One of the locks of [`Held`], as its bit; four bits higher stands whether the actor relies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(u8);

impl Fixed {
    /// The slot of garbage collection.
    pub const GC_SLOT: Self = Self(1);
    /// The process lock of the datastore, exclusive.
    pub const STORE: Self = Self(2);
    /// The move journal.
    pub const JOURNAL: Self = Self(4);
    /// The process lock of the datastore, shared.
    pub const STORE_SHARED: Self = Self(8);
}

impl Held {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether the kernel or the mutex gave the lock.
    pub const fn is_locked(self, lock: Fixed) -> bool {
        self.0 & lock.0 != 0
    }

    /// Whether the actor relies on the lock.
    pub const fn is_relied_on(self, lock: Fixed) -> bool {
        self.0 & lock.0 << 4 != 0
    }

    /// With the lock, on which the actor relies.
    #[must_use]
    pub const fn with(self, lock: Fixed) -> Self {
        Self(self.0 | lock.0 | lock.0 << 4)
    }

    /// The actor relies on a lock that it does not have.
    #[must_use]
    pub const fn with_belief_only(self, lock: Fixed) -> Self {
        Self(self.0 | lock.0 << 4)
    }

    /// Without the lock.
    #[must_use]
    pub const fn without(self, lock: Fixed) -> Self {
        Self(self.0 & !(lock.0 | lock.0 << 4))
    }
}

/// How an operation ended, or with which error it is about to end.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct End(pub u8);

impl End {
    /// It has not ended.
    pub const NONE: Self = Self(0);
    /// It succeeded.
    pub const DONE: Self = Self(1);
    /// A lock was busy: slot, process lock, group, snapshot, lock file.
    pub const BUSY: Self = Self(2);
    /// The move journal stayed locked for too long.
    pub const TIMED_OUT: Self = Self(3);
    /// A precondition did not hold, or a file that it needs was gone.
    pub const REFUSED: Self = Self(4);
    /// The tmpfs was full.
    pub const NO_SPACE: Self = Self(5);
    /// The journal has a line that is no path of an index file.
    pub const FOREIGN_LINE: Self = Self(6);
    /// An entry of the journal could not be opened.
    pub const BAD_ENTRY: Self = Self(7);
    /// A group or a snapshot that had been seen was gone.
    pub const VANISHED: Self = Self(8);
    /// The process shuts down, or the client has left.
    pub const STOPPED: Self = Self(9);
    /// Something could not be verified.
    pub const NOT_VERIFIED: Self = Self(10);
    /// The process lock was refused in the middle of a backup.
    pub const CUT_OFF: Self = Self(11);
    /// The namespace of a new group was gone.
    pub const NO_NAMESPACE: Self = Self(12);
    /// Something that was to be removed had to stay.
    pub const NOT_EMPTY: Self = Self(13);
    /// The group belongs to somebody else.
    pub const NOT_OWNER: Self = Self(14);
    /// The group has a finished snapshot that is not older.
    pub const NOT_LATER: Self = Self(15);
    /// It has succeeded, and left out what was to be looked at, since something else had vanished.
    pub const LEFT_OUT: Self = Self(16);
    /// What it had created was removed before it had the lock of it.
    pub const NEW_GONE: Self = Self(17);
}

/// One actor.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Actor {
    /// What it does next.
    pub next: Next,
    /// How its last run ended.
    pub end: End,
    /// Runs that it still has to begin.
    pub runs: u8,
    /// The locks that it holds whose files are never unlinked.
    pub held: Held,
    /// How far it has come with the locks of namespaces that it takes.
    pub reach: Reach,
    /// The lock file that it has open within a step, in a scenario that splits such steps.
    pub pending: Pending,
    /// What its operation keeps between steps; the operation's file says what.
    pub locals: [u8; LOCALS],
}

/// A line of the journal; `journal.rs` says what the bytes mean.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Line(pub [u8; 2]);

/// A state.
#[derive(
    Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, ByteEq, ByteHash,
)]
#[repr(C)]
pub struct State {
    /// For each snapshot the namespaces in which its directory lies.
    pub snapshots: [Set; SNAPSHOTS],
    /// For each group the namespaces in which its directory exists.
    pub groups: [Set; GROUPS],
    /// For each group the namespaces in which it has an owner file, and whom that names.
    pub owners: [Owners; GROUPS],
    /// For each group the namespaces in which it has notes.
    pub notes: [Set; GROUPS],
    /// The manifest of each snapshot.
    pub manifests: [Manifest; SNAPSHOTS],
    /// The snapshots that are protected.
    pub protected: Set,
    /// The index files that have their final name.
    pub indexes: Set,
    /// The index files under their temporary name.
    pub temporaries: Set,
    /// The chunks.
    pub chunks: [Chunk; CHUNKS],
    /// The lines of the journal, in the order of the file; the rest is zero.
    pub lines: [Line; LINES],
    /// Whether the journal's file exists.
    pub journal_file: u8,
    /// For each group in each namespace its lock file and, where somebody may lock it, its directory.
    pub group_locks: [[Numbers; NAMESPACES]; GROUPS],
    /// For each snapshot in each namespace the same.
    pub snapshot_locks: [[Numbers; NAMESPACES]; SNAPSHOTS],
    /// For each manifest in each namespace its lock file, and that of the old generation.
    pub manifest_locks: [[Numbers; NAMESPACES]; SNAPSHOTS],
    /// Kills that may still happen.
    pub kills: u8,
    /// Times that the cutoff may still pass.
    pub cutoff_passes: u8,
    /// Appends that may still meet a full tmpfs.
    pub full_tmpfs: u8,
    /// Lock files of a backup for which there may still be no inode left.
    pub no_inode: u8,
    /// Clients that may still leave.
    pub disconnects: u8,
    /// Whether the daemon was reloaded.
    pub reloaded: u8,
    /// Whether the flag file is there.
    pub flag: u8,
    /// What processes found when they looked for it, where it is created at some time.
    pub looked: Looked,
    /// Ghost: the index files that were renamed since the first listing of a run that has not read the journal yet, at their new places.
    pub renamed: Places,
    /// The namespaces whose directory exists; the base directory always does.
    pub namespaces: Set,
    /// The namespaces that have the directory of the backup type.
    pub types: Set,
    /// The namespaces that have a directory of child namespaces.
    pub children: Set,
    /// Ghost: the snapshots that somebody has created and nobody has removed.
    pub present: Set,
    /// Ghost: the namespaces whose directory was removed.
    pub removed: Set,
    /// The actors.
    pub actors: [Actor; ACTORS],
}

impl State {
    /// The record of an actor.
    pub fn actor(&self, actor: id::Actor) -> &Actor {
        &self.actors[usize::from(actor.0)]
    }

    /// The record of an actor, to change it.
    pub fn actor_mut(&mut self, actor: id::Actor) -> &mut Actor {
        &mut self.actors[usize::from(actor.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_no_padding_and_stays_small() {
        assert!(size_of::<State>() == 277, "{}", size_of::<State>());
    }

    #[test]
    fn no_two_ends_are_told_by_one_number() {
        let source = include_str!("state.rs");
        let numbers: Vec<&str> = source
            .split("impl End {")
            .nth(1)
            .and_then(|rest| rest.split("\n}").next())
            .unwrap()
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub const "))
            .filter_map(|line| line.split_once("= Self(").map(|(_, number)| number))
            .collect();
        let distinct: std::collections::BTreeSet<&str> = numbers.iter().copied().collect();
        assert!(numbers.len() > 15, "{numbers:?}");
        assert_eq!(distinct.len(), numbers.len(), "{numbers:?}");
    }

    #[test]
    fn sets_give_their_ids_in_order() {
        let set = Set::only(5).with(1).with(3);
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!((set.lowest(), set.highest()), (Some(1), Some(5)));
        assert_eq!(set.without(3).minus(Set::only(5)), Set::only(1));
        assert_eq!(Set::default().lowest(), None);
    }
}
