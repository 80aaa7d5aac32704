//! The classes of locks: what each protects, where it stands in the order, how it is taken.

use crate::op::Op;
use crate::step::{LockUse, Row};
use serde::{Deserialize, Serialize};

/// A class of locks that are the same with respect to the rules; named after what it protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockClass {
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
    /// The counts of the operations that use a datastore.
    ActiveOperations,
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
    /// Owner of its file.
    pub owner: &'static str,
    /// Mode of its file.
    pub mode: &'static str,
    /// The modes in which it is taken.
    pub modes: &'static [Mode],
    /// Place in the order: a lock that is waited for stands above every lock that is held.
    pub rank: u8,
    /// How long takers wait.
    pub wait: Wait,
    /// Who waits otherwise, if somebody does.
    pub waits_otherwise: Option<&'static str>,
    /// Who removes its file.
    pub removed_by: &'static str,
    /// Who takes it in Proxmox Backup, if no operation of this version does.
    pub taken_there_by: Option<&'static str>,
}

/// All classes by rank, lowest first.
pub const CLASSES: &[Class] = &[
    Class {
        class: LockClass::GcSlot,
        number: "L7",
        kind: "in-process slot",
        path: "(memory of the process)",
        owner: "-",
        mode: "-",
        modes: &[Mode::Exclusive],
        rank: 10,
        wait: Wait::No,
        waits_otherwise: Some("whoever ends waits for the mutex that it is made of"),
        removed_by: "-",
        taken_there_by: None,
    },
    Class {
        class: LockClass::Store,
        number: "L6",
        kind: "POSIX record lock, owned by the process",
        path: "<datastore>/.lock",
        owner: "backup:backup",
        mode: "0644",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 20,
        wait: Wait::No,
        waits_otherwise: None,
        removed_by: "whoever removes the datastore",
        taken_there_by: None,
    },
    Class {
        class: LockClass::Namespace,
        number: "L16",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/<ns>/.ns-lock",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 25,
        wait: Wait::No,
        waits_otherwise: None,
        removed_by: "nobody",
        taken_there_by: None,
    },
    Class {
        class: LockClass::Group,
        number: "L1",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/[<ns>/]<type>-<id>",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Exclusive],
        rank: 30,
        wait: Wait::No,
        waits_otherwise: None,
        removed_by: "the holder, after the group directory is gone",
        taken_there_by: None,
    },
    Class {
        class: LockClass::GroupDirectory,
        number: "L15",
        kind: "flock, owned by the open file description",
        path: "<datastore>/[ns/<ns>/..]<type>/<id>",
        owner: "backup:backup",
        mode: "0755",
        modes: &[Mode::Exclusive],
        rank: 31,
        wait: Wait::No,
        waits_otherwise: None,
        removed_by: "the holder, with what it protects",
        taken_there_by: None,
    },
    Class {
        class: LockClass::Snapshot,
        number: "L2",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/[<ns>/]<type>-<id>-<time>",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 40,
        wait: Wait::No,
        waits_otherwise: None,
        removed_by: "the holder, after the snapshot is gone from its place",
        taken_there_by: None,
    },
    Class {
        class: LockClass::SnapshotDirectory,
        number: "L15",
        kind: "flock, owned by the open file description",
        path: "<datastore>/[ns/<ns>/..]<type>/<id>/<time>",
        owner: "backup:backup",
        mode: "0755",
        modes: &[Mode::Shared, Mode::Exclusive],
        rank: 41,
        wait: Wait::No,
        waits_otherwise: None,
        removed_by: "the holder, with what it protects",
        taken_there_by: None,
    },
    Class {
        class: LockClass::Manifest,
        number: "L3",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/[<ns>/]<type>-<id>-<time>-.index.json.lck; in a process that locks directories <locks>/<store>/[ns/<ns>/..]<type>/<id>/<time>/<time>.index.json.lck",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Exclusive],
        rank: 50,
        wait: Wait::Seconds(5),
        waits_otherwise: None,
        removed_by: "a holder, after the manifest is gone from its place; published, also a move, and a backup that gives up, neither of which holds it",
        taken_there_by: None,
    },
    Class {
        class: LockClass::MoveJournal,
        number: "L5",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/move-journal",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Exclusive],
        rank: 60,
        wait: Wait::Seconds(10),
        waits_otherwise: None,
        removed_by: "nobody; the drain truncates it",
        taken_there_by: None,
    },
    Class {
        class: LockClass::ChunkFile,
        number: "L4",
        kind: "flock, owned by the open file description",
        path: "<locks>/<store>/.chunks/<4 hex>/<64 hex>",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Exclusive],
        rank: 70,
        wait: Wait::Seconds(10_800),
        waits_otherwise: Some("the second and the third phase of garbage collection only try"),
        removed_by: "nobody",
        taken_there_by: Some(
            "in Proxmox Backup, on object stores: an insert, whoever sets a corrupt chunk aside, garbage collection in each of its phases",
        ),
    },
    Class {
        class: LockClass::ChunkStore,
        number: "L8",
        kind: "in-process mutex",
        path: "(memory of the process)",
        owner: "-",
        mode: "-",
        modes: &[Mode::Exclusive],
        rank: 80,
        wait: Wait::Forever,
        waits_otherwise: None,
        removed_by: "-",
        taken_there_by: None,
    },
    Class {
        class: LockClass::Cache,
        number: "L9",
        kind: "in-process mutex",
        path: "(memory of the process)",
        owner: "-",
        mode: "-",
        modes: &[Mode::Exclusive],
        rank: 90,
        wait: Wait::Forever,
        waits_otherwise: None,
        removed_by: "-",
        taken_there_by: Some(
            "in Proxmox Backup, on object stores: whoever reads or changes the cache",
        ),
    },
    Class {
        class: LockClass::ActiveOperations,
        number: "L10",
        kind: "flock, owned by the open file description",
        path: "/run/proxmox-backup/active-operations/<store>.lock",
        owner: "backup:backup",
        mode: "0660",
        modes: &[Mode::Exclusive],
        rank: 100,
        wait: Wait::Seconds(10),
        waits_otherwise: None,
        removed_by: "nobody",
        taken_there_by: Some(
            "in Proxmox Backup whoever looks a datastore up, copies its handle or lets one go, each time for a moment; the removal of a datastore, to its end",
        ),
    },
];

/// The allowed order: which lock may be taken while which other one is held, an edge a line.
pub const LOCK_ORDER: &str = include_str!("../lock-order.txt");

impl Class {
    /// Whether the step of a row takes it: as it stands there, or in the place of that.
    pub fn is_taken_by(&self, row: &Row) -> bool {
        match row.lock {
            Some(LockUse::Take(class, ..) | LockUse::Within(class, ..)) => {
                class == self.class || class.by_directory() == self.class
            }
            Some(LockUse::Release(_) | LockUse::Unlink(_)) | None => false,
        }
    }

    /// Who takes it: the steps, with the operations that take them as a part of themselves; or who does in Proxmox Backup.
    pub fn taken_by(&self) -> Vec<String> {
        if let Some(who) = self.taken_there_by {
            return vec![who.to_owned()];
        }
        let rows = Op::ALL.iter().flat_map(|op| op.table());
        rows.filter(|row| self.is_taken_by(row))
            .map(|row| {
                let (step, own) = (row.step, row.step.op());
                let also = Op::ALL.iter().filter(|op| **op != own && op.takes(step));
                let also: Vec<&str> = also.map(|op| op.name()).collect();
                let name = format!("{}.{}", own.name(), step.name());
                if also.is_empty() {
                    name
                } else {
                    format!("{name} (also in {})", also.join(", "))
                }
            })
            .collect()
    }
}

impl LockClass {
    /// How many locks of the class lie one in the other, at most: namespaces have so many levels below the root.
    pub const fn levels(self) -> usize {
        match self {
            Self::Namespace => 7,
            Self::GcSlot
            | Self::Store
            | Self::Group
            | Self::GroupDirectory
            | Self::Snapshot
            | Self::SnapshotDirectory
            | Self::Manifest
            | Self::MoveJournal
            | Self::ChunkFile
            | Self::ChunkStore
            | Self::Cache
            | Self::ActiveOperations => 1,
        }
    }

    /// The place of this class in the order.
    pub const fn rank(self) -> u8 {
        match self {
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
            Self::ActiveOperations => 100,
        }
    }

    /// The class that a process takes in the place of this one if it locks directories.
    pub const fn by_directory(self) -> Self {
        match self {
            Self::Group | Self::GroupDirectory => Self::GroupDirectory,
            Self::Snapshot | Self::SnapshotDirectory => Self::SnapshotDirectory,
            Self::GcSlot
            | Self::Store
            | Self::Namespace
            | Self::Manifest
            | Self::MoveJournal
            | Self::ChunkFile
            | Self::ChunkStore
            | Self::Cache
            | Self::ActiveOperations => self,
        }
    }

    /// The name as it is printed.
    pub const fn name(self) -> &'static str {
        match self {
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
            Self::ActiveOperations => "active_operations",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_taken_in_the_modes_that_they_have_and_no_other() {
        for class in CLASSES {
            let rows = Op::ALL.iter().flat_map(|op| op.table());
            let taken: Vec<Mode> = rows
                .filter(|row| class.is_taken_by(row))
                .filter_map(|row| match row.lock {
                    Some(LockUse::Take(_, mode, _) | LockUse::Within(_, mode, _)) => Some(mode),
                    Some(LockUse::Release(_) | LockUse::Unlink(_)) | None => None,
                })
                .collect();
            let name = class.class.name();
            assert_eq!(class.taken_there_by.is_some(), taken.is_empty(), "{name}");
            assert!(
                taken.iter().all(|mode| class.modes.contains(mode)),
                "{name}"
            );
            if !taken.is_empty() {
                assert!(
                    class.modes.iter().all(|mode| taken.contains(mode)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn every_class_says_who_takes_it() {
        for class in CLASSES {
            let takers = class.taken_by();
            assert!(!takers.is_empty(), "{}", class.class.name());
        }
        let removal = "forget_snapshot.lock_snapshot (also in prune, delete_namespace)";
        let snapshot = CLASSES.iter().filter(|c| c.class == LockClass::Snapshot);
        let takers: Vec<String> = snapshot.flat_map(Class::taken_by).collect();
        assert!(takers.iter().any(|taker| taker == removal), "{takers:?}");
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
