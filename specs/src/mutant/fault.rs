//! Faults: a step that is skipped, or that waits where it should only try.

use crate::lock_class::{LockClass, Wait};
use crate::op::Op;
use crate::ops::{move_group, take_lock};
use crate::step::{LockUse, Row, Step};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fault at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The step reports success without its effect: a lock is not taken, a line not written.
    Skip(Step),
    /// The step waits for a lock that it should only try.
    Wait(Step),
}

/// The steps without a lock of their own, and those that give one up, that can be skipped.
const SKIPPED: [Step; 3] = [
    Step::MoveGroup(move_group::Step::AppendJournal),
    Step::MoveGroup(move_group::Step::UnlockTargetGroup),
    Step::TakeLock(take_lock::Step::RecheckLockFile),
];

impl Fault {
    /// All that model and implementation have, in the order of the tables.
    pub fn all() -> impl Iterator<Item = Self> {
        let rows = Op::ALL.iter().flat_map(|op| op.table());
        let both = rows.flat_map(|row| [Self::Skip(row.step), Self::Wait(row.step)]);
        both.filter(|fault| fault.is_possible())
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    ///
    /// A sentence, if it is none, or one that cannot be had.
    pub fn parse(name: &str) -> Result<Self, String> {
        let form = || {
            format!(
                "{name:?} is no fault: it is a step and what it does, such as gc.lock_journal/skip or move_group.lock_target_group/wait"
            )
        };
        let (step, kind) = name.rsplit_once('/').ok_or_else(form)?;
        let fault = match kind {
            "skip" => Self::Skip,
            "wait" => Self::Wait,
            _ => return Err(form()),
        };
        let rows = Op::ALL.iter().flat_map(|op| op.table());
        let row = rows.into_iter().find(|row| row.step.full_name() == step);
        let no_step = || format!("there is no step {step} (lockstep list steps names them all)");
        let fault = fault(row.ok_or_else(no_step)?.step);
        if fault.is_possible() {
            return Ok(fault);
        }
        Err(match fault {
            Self::Skip(_) => format!(
                "{step} cannot be skipped: only a step that takes the lock of a file can, and {}",
                SKIPPED.map(|step| step.full_name()).join(", ")
            ),
            Self::Wait(_) => {
                format!("{step} cannot wait: only a step that tries to lock a file can")
            }
        })
    }

    /// Where.
    pub const fn step(self) -> Step {
        match self {
            Self::Skip(step) | Self::Wait(step) => step,
        }
    }

    /// Whether model and implementation have it. Nobody gets into a mutex without its lock, and a record lock is never waited
    /// for.
    fn is_possible(self) -> bool {
        let row: &Row = self.step().row();
        match (self, row.lock) {
            (Self::Skip(step), _) if SKIPPED.contains(&step) => true,
            (Self::Skip(_), Some(LockUse::Take(class, ..))) => is_file(class),
            (Self::Wait(_), Some(LockUse::Take(class, _, Wait::No))) => {
                is_file(class) && class != LockClass::Store
            }
            (
                _,
                Some(
                    LockUse::Take(..)
                    | LockUse::Within(..)
                    | LockUse::Release(_)
                    | LockUse::Unlink(_),
                )
                | None,
            ) => false,
        }
    }
}

/// Whether a class of locks is one of files.
const fn is_file(class: LockClass) -> bool {
    match class {
        LockClass::Store
        | LockClass::Namespace
        | LockClass::Group
        | LockClass::GroupDirectory
        | LockClass::Snapshot
        | LockClass::SnapshotDirectory
        | LockClass::Manifest
        | LockClass::MoveJournal
        | LockClass::ChunkFile => true,
        LockClass::GcSlot
        | LockClass::ChunkStore
        | LockClass::Cache
        | LockClass::ActiveOperations => false,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Skip(_) => "skip",
            Self::Wait(_) => "wait",
        };
        write!(f, "{}/{kind}", self.step().full_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::MUTANTS;

    #[test]
    fn every_fault_is_read_back_by_its_name() {
        let all: Vec<Fault> = Fault::all().collect();
        assert!(all.len() > 40, "{}", all.len());
        for fault in all {
            assert_eq!(Fault::parse(&fault.to_string()), Ok(fault));
        }
    }

    #[test]
    fn every_fault_of_a_mutant_can_be_named() {
        for mutant in MUTANTS {
            for fault in mutant.faults() {
                assert_eq!(Fault::parse(&fault.to_string()), Ok(*fault));
            }
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_reason() {
        for (name, why) in [
            ("gc.lock_journal", "is no fault"),
            ("gc.lock_journal/drop", "is no fault"),
            ("gc.lock_jornal/skip", "there is no step gc.lock_jornal"),
            ("gc.lock_gc_slot/skip", "cannot be skipped"),
            ("gc.open_entry/skip", "cannot be skipped"),
            ("gc.lock_journal/wait", "cannot wait"),
            ("gc.lock_store/wait", "cannot wait"),
        ] {
            let refused = Fault::parse(name).err();
            let says = refused.as_ref().is_some_and(|said| said.contains(why));
            assert!(says, "{name}: {refused:?}");
        }
    }
}
