//! The classes of locks: what each protects, where it stands in the order, how it is taken.

use serde::{Deserialize, Serialize};

/// A class of locks that are the same with respect to the rules; named after what it protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockClass {
    /// The counts of the operations that use a datastore.
    ActiveOperations,
    /// The slot of the one garbage collection of a process.
    GcSlot,
    /// The process lock of a datastore.
    Store,
    /// A namespace.
    Namespace,
    /// A backup group.
    Group,
    /// A backup group, by its directory: the lock of the old generation.
    GroupDirectory,
    /// A snapshot.
    Snapshot,
    /// A snapshot, by its directory: the lock of the old generation.
    SnapshotDirectory,
    /// The manifest of a snapshot.
    Manifest,
    /// The move journal.
    MoveJournal,
    /// One chunk of an object-store datastore.
    ChunkFile,
    /// The chunk store of a process.
    ChunkStore,
    /// The cache of an object-store datastore in a process.
    Cache,
}

/// Shared or exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Any number of holders beside each other.
    Shared,
    /// One holder.
    Exclusive,
}

/// How long a step waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Not at all.
    No,
    /// So many seconds.
    Seconds(u32),
    /// Until it is free.
    Forever,
}

impl Wait {
    /// Whether a step that takes the lock in this way can be kept waiting.
    pub const fn blocks(self) -> bool {
        !matches!(self, Self::No)
    }
}

/// What is fixed for a class.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// The class.
    pub class: LockClass,
    /// Number in the fact sheet of the protocol that the class follows.
    pub number: &'static str,
    /// Kind of lock and who owns it, in the words of the man page.
    pub kind: &'static str,
    /// Where its file lies.
    pub path: &'static str,
    /// Owner and mode of its file.
    pub owner: &'static str,
    /// The modes in which it is taken.
    pub modes: &'static [Mode],
    /// Place in the order: a lock that is waited for stands above every lock that is held.
    pub rank: u8,
    /// How long takers wait.
    pub wait: Wait,
    /// Who removes its file.
    pub removed_by: &'static str,
    /// Whether an operation of this version takes it.
    pub in_use: bool,
}

/// All classes by rank, lowest first.
pub const CLASSES: &[Class] = &[
    Class {
        class: LockClass::ActiveOperations,
        number: "L10",
        kind: "flock, owned by the open file description",
        path: "/run/proxmox-backup/active-operations/<store>.lock",
        owner: "backup:backup, 0660",
        modes: &[Mode::Exclusive],
        rank: 5,
        wait: Wait::Seconds(10),
        removed_by: "nobody",
        in_use: false,
    },
    Class {
        class: LockClass::GcSlot,
        number: "L7",
        kind: "in-process slot",
        path: "(memory of the process)",
        owner: "-",
        modes: &[Mode::Exclusive],
        rank: 10,
        wait: Wait::No,
        removed_by: "-",
        in_use: true,
    },
    Class {
        class: LockClass::Store,
        number: "L6",
        kind: "POSIX record lock, owned by the process",
        path: "<datastore>/.lock",
        owner: "backup:backup, 0644",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 20,
        wait: Wait::No,
        removed_by: "nobody",
        in_use: true,
    },
    Class {
        class: LockClass::Namespace,
        number: "L16",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/<ns>/.ns-lock",
        owner: "backup:backup, 0660",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 25,
        wait: Wait::No,
        removed_by: "nobody",
        in_use: true,
    },
    Class {
        class: LockClass::Group,
        number: "L1",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/[<ns>/]<type>-<id>",
        owner: "backup:backup, 0660",
        modes: &[Mode::Exclusive],
        rank: 30,
        wait: Wait::No,
        removed_by: "the holder, after the group directory is gone",
        in_use: true,
    },
    Class {
        class: LockClass::GroupDirectory,
        number: "L15",
        kind: "flock, owned by the open file description",
        path: "<datastore>/[ns/<ns>/..]<type>/<id>",
        owner: "backup:backup, 0755",
        modes: &[Mode::Exclusive],
        rank: 31,
        wait: Wait::No,
        removed_by: "the holder, with what it protects",
        in_use: true,
    },
    Class {
        class: LockClass::Snapshot,
        number: "L2",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/[<ns>/]<type>-<id>-<time>",
        owner: "backup:backup, 0660",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 40,
        wait: Wait::No,
        removed_by: "the holder, after the snapshot is gone from its place",
        in_use: true,
    },
    Class {
        class: LockClass::SnapshotDirectory,
        number: "L15",
        kind: "flock, owned by the open file description",
        path: "<datastore>/[ns/<ns>/..]<type>/<id>/<time>",
        owner: "backup:backup, 0755",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 41,
        wait: Wait::No,
        removed_by: "the holder, with what it protects",
        in_use: true,
    },
    Class {
        class: LockClass::Manifest,
        number: "L3",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/[<ns>/]<type>-<id>-<time>-.index.json.lck; in a process that locks directories <locks>/<store>/[ns/<ns>/..]<type>/<id>/<time>/<time>.index.json.lck",
        owner: "backup:backup, 0660",
        modes: &[Mode::Exclusive],
        rank: 50,
        wait: Wait::Seconds(5),
        removed_by: "a holder, after the manifest is gone from its place; published, a move that does not hold it",
        in_use: true,
    },
    Class {
        class: LockClass::MoveJournal,
        number: "L5",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/move-journal",
        owner: "backup:backup, 0660",
        modes: &[Mode::Exclusive],
        rank: 60,
        wait: Wait::Seconds(10),
        removed_by: "nobody; the drain truncates it",
        in_use: true,
    },
    Class {
        class: LockClass::ChunkFile,
        number: "L4",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/.chunks/<4 hex>/<64 hex>",
        owner: "backup:backup, 0660",
        modes: &[Mode::Exclusive],
        rank: 70,
        wait: Wait::Seconds(10_800),
        removed_by: "nobody",
        in_use: false,
    },
    Class {
        class: LockClass::ChunkStore,
        number: "L8",
        kind: "in-process mutex",
        path: "(memory of the process)",
        owner: "-",
        modes: &[Mode::Exclusive],
        rank: 80,
        wait: Wait::Forever,
        removed_by: "-",
        in_use: true,
    },
    Class {
        class: LockClass::Cache,
        number: "L9",
        kind: "in-process mutex",
        path: "(memory of the process)",
        owner: "-",
        modes: &[Mode::Exclusive],
        rank: 90,
        wait: Wait::Forever,
        removed_by: "-",
        in_use: false,
    },
];

/// The allowed order: which lock may be taken while which other one is held, an edge a line.
pub const LOCK_ORDER: &str = include_str!("../lock-order.txt");

impl LockClass {
    /// The place of this class in the order.
    pub const fn rank(self) -> u8 {
        match self {
            Self::ActiveOperations => 5,
            Self::GcSlot => 10,
            Self::Store => 20,
            Self::Namespace => 25,
            Self::Group => 30,
            Self::GroupDirectory => 31,
            Self::Snapshot => 40,
            Self::SnapshotDirectory => 41,
            Self::Manifest => 50,
            Self::MoveJournal => 60,
            Self::ChunkFile => 70,
            Self::ChunkStore => 80,
            Self::Cache => 90,
        }
    }

    /// The class that a process takes in the place of this one if it locks directories.
    pub const fn by_directory(self) -> Self {
        match self {
            Self::Group | Self::GroupDirectory => Self::GroupDirectory,
            Self::Snapshot | Self::SnapshotDirectory => Self::SnapshotDirectory,
            Self::ActiveOperations
            | Self::GcSlot
            | Self::Store
            | Self::Namespace
            | Self::Manifest
            | Self::MoveJournal
            | Self::ChunkFile
            | Self::ChunkStore
            | Self::Cache => self,
        }
    }

    /// The name as it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActiveOperations => "active_operations",
            Self::GcSlot => "gc_slot",
            Self::Store => "store",
            Self::Namespace => "namespace",
            Self::Group => "group",
            Self::GroupDirectory => "group_directory",
            Self::Snapshot => "snapshot",
            Self::SnapshotDirectory => "snapshot_directory",
            Self::Manifest => "manifest",
            Self::MoveJournal => "move_journal",
            Self::ChunkFile => "chunk_file",
            Self::ChunkStore => "chunk_store",
            Self::Cache => "cache",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Op;
    use crate::step::LockUse;

    #[test]
    fn classes_are_taken_in_the_modes_that_they_have_and_no_other() {
        for class in CLASSES {
            let rows = Op::ALL.iter().flat_map(|op| op.table());
            let taken: Vec<Mode> = rows
                .filter_map(|row| match row.lock {
                    Some(LockUse::Take(c, mode, _) | LockUse::Within(c, mode, _)) => {
                        (c == class.class || c.by_directory() == class.class).then_some(mode)
                    }
                    Some(LockUse::Release(_) | LockUse::Unlink(_)) | None => None,
                })
                .collect();
            let name = class.class.name();
            assert_eq!(class.in_use, !taken.is_empty(), "{name}");
            assert!(
                taken.iter().all(|mode| class.modes.contains(mode)),
                "{name}"
            );
            if class.in_use {
                assert!(
                    class.modes.iter().all(|mode| taken.contains(mode)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn classes_are_listed_by_rank_and_each_once() {
        let ranks: Vec<u8> = CLASSES.iter().map(|c| c.rank).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b));
        for class in CLASSES {
            assert_eq!(class.rank, class.class.rank(), "{}", class.class.name());
        }
    }
}
