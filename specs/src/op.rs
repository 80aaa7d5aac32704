//! The list of operations; the one place that names them all.

use crate::ops::{
    access_chunk, backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_notes,
    set_owner, take_lock, take_namespace_lock, verify,
};
use crate::question::short::Short;
use crate::step::{Row, Step};
use serde::{Deserialize, Serialize};

/// An operation on a datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Garbage collection.
    Gc,
    /// Moving a backup group to another namespace.
    MoveGroup,
    /// Taking one lock file, in its three calls.
    TakeLock,
    /// A backup session.
    Backup,
    /// Removing a snapshot.
    ForgetSnapshot,
    /// Pruning a group.
    Prune,
    /// Verifying a group.
    Verify,
    /// Changing the notes of a snapshot.
    SetNotes,
    /// Accessing one chunk, in its single calls.
    AccessChunk,
    /// Changing the owner of a group.
    SetOwner,
    /// Removing a namespace.
    DeleteNamespace,
    /// Taking the locks of namespaces.
    TakeNamespaceLock,
}

/// An operation that another one runs as a part of itself, under the labels of the part.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Which one.
    pub op: Op,
    /// The steps of it that are left out.
    pub without: &'static [Step<()>],
}

/// What a backup that gives up leaves out: its session has the snapshot and the group, and ends in a step of its own.
const UNDER_A_SESSION: &[Step<()>] = &[
    Step::ForgetSnapshot(forget_snapshot::Step::LockSnapshot(())),
    Step::ForgetSnapshot(forget_snapshot::Step::CheckProtected(())),
    Step::ForgetSnapshot(forget_snapshot::Step::UnlockGroup(())),
    Step::ForgetSnapshot(forget_snapshot::Step::UnlockManifest(())),
    Step::ForgetSnapshot(forget_snapshot::Step::UnlockSnapshot(())),
    Step::ForgetSnapshot(forget_snapshot::Step::ReleaseAll),
];

impl Op {
    /// All operations.
    pub const ALL: &'static [Self] = &[
        Self::Gc,
        Self::MoveGroup,
        Self::TakeLock,
        Self::Backup,
        Self::ForgetSnapshot,
        Self::Prune,
        Self::Verify,
        Self::SetNotes,
        Self::AccessChunk,
        Self::SetOwner,
        Self::DeleteNamespace,
        Self::TakeNamespaceLock,
    ];

    /// The file name of the operation in every part.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gc => "gc",
            Self::MoveGroup => "move_group",
            Self::TakeLock => "take_lock",
            Self::Backup => "backup",
            Self::ForgetSnapshot => "forget_snapshot",
            Self::Prune => "prune",
            Self::Verify => "verify",
            Self::SetNotes => "set_notes",
            Self::AccessChunk => "access_chunk",
            Self::SetOwner => "set_owner",
            Self::DeleteNamespace => "delete_namespace",
            Self::TakeNamespaceLock => "take_namespace_lock",
        }
    }

    /// What the operation does, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Gc => {
                "Marks every chunk that an index file names and removes the old ones that none names."
            }
            Self::MoveGroup => {
                "Moves the snapshots of a group to another namespace, one rename a snapshot."
            }
            Self::TakeLock => {
                "Takes one lock file: open, flock, compare inodes; a remover also unlinks it."
            }
            Self::Backup => {
                "Runs a backup session: locks, chunks, index files, manifest, finish, or abort."
            }
            Self::ForgetSnapshot => {
                "Removes a snapshot, file by file, and its group if nothing is left in it."
            }
            Self::Prune => "Removes the snapshots of a group that the keep options do not keep.",
            Self::Verify => "Reads every chunk of a group's snapshots and sets corrupt ones aside.",
            Self::SetNotes => "Changes the notes in the manifest of a snapshot.",
            Self::AccessChunk => {
                "Accesses one chunk under the chunk-store mutex, in single calls: touch, insert, sweep, set aside."
            }
            Self::SetOwner => "Changes the owner of a group, from the one that was checked.",
            Self::DeleteNamespace => {
                "Removes a namespace with all groups and namespaces in it, the deepest first."
            }
            Self::TakeNamespaceLock => {
                "Takes the locks of one namespace or of two, and of those above them, as their callers do."
            }
        }
    }

    /// The step table.
    pub const fn table(self) -> &'static [Row] {
        match self {
            Self::Gc => gc::TABLE,
            Self::MoveGroup => move_group::TABLE,
            Self::TakeLock => take_lock::TABLE,
            Self::Backup => backup::TABLE,
            Self::ForgetSnapshot => forget_snapshot::TABLE,
            Self::Prune => prune::TABLE,
            Self::Verify => verify::TABLE,
            Self::SetNotes => set_notes::TABLE,
            Self::AccessChunk => access_chunk::TABLE,
            Self::SetOwner => set_owner::TABLE,
            Self::DeleteNamespace => delete_namespace::TABLE,
            Self::TakeNamespaceLock => take_namespace_lock::TABLE,
        }
    }

    /// The short names of its tasks, in generated questions; none of an operation that takes another one apart.
    pub const fn shorts(self) -> &'static [Short] {
        match self {
            Self::Gc => gc::SHORT,
            Self::MoveGroup => move_group::SHORT,
            Self::Backup => backup::SHORT,
            Self::ForgetSnapshot => forget_snapshot::SHORT,
            Self::Prune => prune::SHORT,
            Self::Verify => verify::SHORT,
            Self::SetNotes => set_notes::SHORT,
            Self::SetOwner => set_owner::SHORT,
            Self::DeleteNamespace => delete_namespace::SHORT,
            Self::TakeLock | Self::AccessChunk | Self::TakeNamespaceLock => &[],
        }
    }

    /// The operation that it runs as a part of itself.
    pub const fn part(self) -> Option<Part> {
        let without: &[Step<()>] = match self {
            Self::Prune | Self::DeleteNamespace => &[],
            Self::Backup => UNDER_A_SESSION,
            Self::Gc
            | Self::MoveGroup
            | Self::TakeLock
            | Self::ForgetSnapshot
            | Self::Verify
            | Self::SetNotes
            | Self::AccessChunk
            | Self::SetOwner
            | Self::TakeNamespaceLock => return None,
        };
        let op = Self::ForgetSnapshot;
        Some(Part { op, without })
    }

    /// Whether it takes a step: one of its own, or of its part.
    pub fn takes(self, step: Step<()>) -> bool {
        let of_part = |part: Part| part.op == step.op() && !part.without.contains(&step);
        step.op() == self || self.part().is_some_and(of_part)
    }

    /// The rows of the steps that it takes: its own, and those of its part.
    pub fn rows(self) -> impl Iterator<Item = &'static Row> {
        let all = Self::ALL.iter().flat_map(|op| op.table());
        all.filter(move |row| self.takes(row.step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_finds_its_own_row() {
        for op in Op::ALL {
            for row in op.table() {
                assert_eq!(row.step.row().step, row.step, "{}", row.step.name());
                assert_eq!(row.step.op(), *op);
            }
        }
    }

    #[test]
    fn step_names_are_those_of_the_log_format() {
        // The names are written by hand; serde derives its own from the variants. They must agree.
        let camel = |name: &str| -> String {
            let word = |word: &str| match word.split_at_checked(1) {
                Some((first, rest)) => first.to_ascii_uppercase() + rest,
                None => String::new(),
            };
            name.split('_').map(word).collect()
        };
        for op in Op::ALL {
            for row in op.table() {
                let debug = format!("{:?}", row.step);
                let variants: Vec<&str> = debug.trim_end_matches(')').split('(').collect();
                let names = [camel(op.name()), camel(row.step.name())];
                assert_eq!(variants[..2], names, "{debug}");
            }
        }
    }
}
