//! `set_notes`: changing the notes in the manifest of a snapshot.

use crate::event::Outcome;
use crate::id::{Namespace, Snapshot};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, LOCK_FILE_CALLS, Row, WAITED_FOR};
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
    LockManifest,
    LoadManifest,
    WriteManifest,
    UnlockManifest,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::SetNotes(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Changes the notes in the manifest of a snapshot.",
    table: TABLE,
    shorts: SHORT,
    part: None,
};

/// The short names of its tasks.
const SHORT: &[Short] = &[Short {
    name: "notes",
    takes: &[Argument::Namespace, Argument::Snapshot],
    usage: "notes(NS,N), a namespace and the number of a snapshot",
    task: |_, arguments| match *arguments {
        [namespace, snapshot] => Some(Task::SetNotes {
            namespace: Namespace(namespace),
            snapshot: Snapshot(snapshot),
        }),
        _ => None,
    },
}];

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockManifest, "Takes the lock of the manifest and waits up to 5 s for it; no lock of the snapshot is taken.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Manifest, Mode::Exclusive, Wait::Seconds(5))
        .ends(WAITED_FOR)
        .published("BackupDir::update_manifest"),
    row(Step::LoadManifest, "Reads the manifest under its lock.")
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::update_manifest"),
    row(Step::WriteManifest, "Writes the manifest with the notes to a temporary file and renames it over the old one.")
        .calls(&[Call::Create, Call::Append, Call::Rename, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupDir::update_manifest"),
    row(Step::UnlockManifest, "Closes the lock of the manifest.")
        .calls(&[Call::Close])
        .releases(LockClass::Manifest)
        .published("drop of BackupLockGuard"),
    row(Step::ReleaseAll, "After a failure, lets the manifest go.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of the guards"),
];
