//! `prune`: removing the snapshots of a group that the keep options do not keep.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::{Op, Operation, Part};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, LOCK_FILE_CALLS, Row};
use serde::{Deserialize, Serialize};
use strum::{EnumCount, IntoStaticStr};

/// The steps, in the order of the protocol.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumCount,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Step {
    LockNamespace,
    ListGroup,
    ListSnapshot,
    UnlockNamespace,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::Prune(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Removes the snapshots of a group that the keep options do not keep.",
    table: TABLE,
    shorts: SHORT,
    part: Some(Part {
        op: Op::ForgetSnapshot,
        without: &[],
    }),
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
    name: "prune",
    takes: &[Argument::Namespace, Argument::Group],
    usage: "prune(NS), a namespace",
    task: |_, arguments| match *arguments {
        [namespace, group] => Some(Task::Prune {
            namespace: Namespace(namespace),
            group: Group(group),
            keep_last: 1,
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockNamespace, "Takes the lock of the namespace shared, then those of the namespaces above it; if one is busy, the group is skipped.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("prune_datastore of v4 (never applied)"),
    row(Step::ListGroup, "Lists the snapshots of the group, without a lock.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::list_backups"),
    row(Step::ListSnapshot, "Lists the files of one snapshot, newest first: whether it is finished, whether it is protected.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::list_backups"),
    row(Step::UnlockNamespace, "Closes the lock of a namespace, the own one first, once the group is pruned or skipped.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .only_with(Change::LocksNamespaces)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
];
