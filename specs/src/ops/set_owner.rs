//! `set_owner`: changing the owner of a group.

use crate::design::Change;
use crate::event::Outcome;
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, LOCK_FILE_CALLS, Row, TRIED_IF_THERE};
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
    ReadOwner,
    LockGroup,
    RecheckOwner,
    TruncateOwner,
    WriteOwner,
    UnlockGroup,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::SetOwner(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Changes the owner of a group, from the one that was checked.",
    table: TABLE,
    shorts: SHORT,
    part: None,
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
    name: "owner",
    takes: &[Argument::Namespace, Argument::Group],
    usage: "owner(NS), a namespace",
    task: |_, arguments| match *arguments {
        [namespace, group] => Some(Task::SetOwner {
            namespace: Namespace(namespace),
            group: Group(group),
            owner: 1,
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::ReadOwner, "Reads the owner without a lock; whether it may be changed is decided by it. An empty file is an error.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .published("set_backup_owner"),
    row(Step::LockGroup, "Takes the lock of the group and does not wait; `directory_locks` takes none.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED_IF_THERE)
        .only_without(Change::OwnerNotLocked)
        .published("set_backup_owner"),
    row(Step::RecheckOwner, "Reads the owner again, under the lock; if it is another one, the operation fails.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .only_without(Change::OwnerNotRechecked)
        .published("set_backup_owner"),
    row(Step::TruncateOwner, "Opens the owner file and empties it; one that is gone is created, unless the group is gone as well.")
        .calls(&[Call::Open, Call::Create, Call::Ftruncate])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::ReplacesOwnerFile)
        .published("DataStore::set_owner"),
    row(Step::WriteOwner, "Writes the new owner to a temporary file and renames it over the old one; `upstream` writes it into the emptied file, from its beginning.")
        .calls(&[
            Call::Create,
            Call::Append,
            Call::Ftruncate,
            Call::Rename,
            Call::Unlink,
            Call::Close,
        ])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("DataStore::set_owner"),
    row(Step::UnlockGroup, "Closes the lock of the group.")
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .only_without(Change::OwnerNotLocked)
        .published("drop of BackupLockGuard"),
    row(Step::ReleaseAll, "After a failure, lets the group go.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of BackupLockGuard"),
];
