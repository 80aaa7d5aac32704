//! `take_namespace_lock`: the locks of one namespace or of two, as a caller takes them; carries the mutants of the namespace locks.

use crate::event::Outcome;
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
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
    LockExclusive,
    LockShared,
    UnlockNamespace,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::TakeNamespaceLock(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Takes the locks of one namespace or of two, and of those above them, as their callers do.",
    table: TABLE,
    shorts: &[],
    part: None,
};

/// The step table.
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockExclusive, "Takes the lock of the namespace exclusively, before those above it.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Exclusive, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .published("lock_namespace of v4 (never applied)"),
    row(Step::LockShared, "Takes the lock of the namespace, or of one above it, shared, from the inside out, without the root namespace.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .published("lock_namespace_shared of v4 (never applied)"),
    row(Step::UnlockNamespace, "Closes the lock of a namespace, in the order in which they were taken.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
    row(Step::ReleaseAll, "After a failure, lets the locks go that were taken, in the order in which they were taken.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of NamespaceLockGuard (v4, never applied)"),
];
