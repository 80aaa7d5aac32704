//! The list of operations; the one place that names them all.

use crate::ops::{
    access_chunk, backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_notes,
    set_owner, take_lock, take_namespace_lock, verify,
};
use crate::question::short::Short;
use crate::step::{Row, Step};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// An operation on a datastore.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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

/// What an operation is, told in its own file.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What it does, in one sentence.
    pub sentence: &'static str,
    /// The step table.
    pub table: &'static [Row],
    /// The short names of its tasks, in generated questions; none of an operation that takes another one apart.
    pub shorts: &'static [Short],
    /// The operation that it runs as a part of itself.
    pub part: Option<Part>,
}

/// An operation that another one runs as a part of itself, under the labels of the part.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Which one.
    pub op: Op,
    /// The steps of it that are left out.
    pub without: &'static [Step],
}

impl Op {
    /// All operations.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The file name of the operation in every part.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is.
    pub const fn about(self) -> &'static Operation {
        match self {
            Self::Gc => &gc::ABOUT,
            Self::MoveGroup => &move_group::ABOUT,
            Self::TakeLock => &take_lock::ABOUT,
            Self::Backup => &backup::ABOUT,
            Self::ForgetSnapshot => &forget_snapshot::ABOUT,
            Self::Prune => &prune::ABOUT,
            Self::Verify => &verify::ABOUT,
            Self::SetNotes => &set_notes::ABOUT,
            Self::AccessChunk => &access_chunk::ABOUT,
            Self::SetOwner => &set_owner::ABOUT,
            Self::DeleteNamespace => &delete_namespace::ABOUT,
            Self::TakeNamespaceLock => &take_namespace_lock::ABOUT,
        }
    }

    /// What the operation does, in one sentence.
    pub const fn sentence(self) -> &'static str {
        self.about().sentence
    }

    /// The step table.
    pub const fn table(self) -> &'static [Row] {
        self.about().table
    }

    /// The short names of its tasks, in generated questions.
    pub const fn shorts(self) -> &'static [Short] {
        self.about().shorts
    }

    /// The operation that it runs as a part of itself.
    pub const fn part(self) -> Option<Part> {
        self.about().part
    }

    /// Whether it takes a step: one of its own, or of its part.
    pub fn takes(self, step: Step) -> bool {
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
