//! The mutants: what was removed or reordered, which property must fall, in which scenario.

use crate::design::Design;
use crate::ops::{gc, move_group, take_lock};
use crate::property::Property;
use crate::step::Step;
use serde::{Deserialize, Serialize};

/// What a mutant changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A fault at one step, under the default design.
    Fault(Fault),
    /// A design with other rows, or in another order.
    Design(Design),
}

/// A fault at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The step reports success without its effect: a lock is not taken, a line not written.
    Skip(Step<()>),
    /// The step waits for a lock that it should only try.
    Wait(Step<()>),
}

impl Fault {
    /// Where.
    pub const fn step(self) -> Step<()> {
        match self {
            Self::Skip(step) | Self::Wait(step) => step,
        }
    }
}

/// A seeded bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its number in the list of candidates, or `-`.
    pub number: &'static str,
    /// What it changes.
    pub change: Change,
    /// The scenario in which it is caught.
    pub scenario: &'static str,
    /// The property that falls.
    pub property: Property,
    /// What goes wrong, in one sentence.
    pub story: &'static str,
}

impl Mutant {
    /// The design that is run.
    pub const fn design(&self) -> Design {
        match self.change {
            Change::Fault(_) => Design::Hardened,
            Change::Design(design) => design,
        }
    }

    /// The fault that is applied, if it is one.
    pub const fn fault(&self) -> Option<Fault> {
        match self.change {
            Change::Fault(fault) => Some(fault),
            Change::Design(_) => None,
        }
    }
}

/// All mutants, in the order of their numbers.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "move_group.append_journal/skip",
        number: "M01",
        change: Change::Fault(Fault::Skip(Step::MoveGroup(
            move_group::Step::AppendJournal(()),
        ))),
        scenario: "one_move_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "The index file is at neither place when garbage collection looks, and no entry tells it.",
    },
    Mutant {
        name: "history/rename_before_append",
        number: "M02",
        change: Change::Design(Design::RenameBeforeAppend),
        scenario: "one_move_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "The drain comes between rename and append, and finds nothing.",
    },
    Mutant {
        name: "history/record_source_path",
        number: "M03",
        change: Change::Design(Design::RecordSourcePath),
        scenario: "one_move_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "The drain looks where the index file was.",
    },
    Mutant {
        name: "history/drain_before_iteration",
        number: "M04",
        change: Change::Design(Design::DrainBeforeIteration),
        scenario: "one_move_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "A move comes after the drain and before its source namespace is visited.",
    },
    Mutant {
        name: "gc.lock_journal/skip",
        number: "M05",
        change: Change::Fault(Fault::Skip(Step::Gc(gc::Step::LockJournal))),
        scenario: "two_moves_chain_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "After the drain has read, a snapshot moves on: its first stop is looked at too late, and the entry for the second is emptied unread.",
    },
    Mutant {
        name: "history/drain_in_reverse",
        number: "M07",
        change: Change::Design(Design::DrainInReverse),
        scenario: "two_moves_chain_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "The second stop of a chain is looked at before its rename, the first one after it.",
    },
    Mutant {
        name: "history/truncate_after_failed_entry",
        number: "M08",
        change: Change::Design(Design::TruncateAfterFailedEntry),
        scenario: "foreign_line_meets_two_gc_runs",
        property: Property::LiveChunkIsNeverSwept,
        story: "A failed drain empties the journal, and the rename of an entry follows in the next run.",
    },
    Mutant {
        name: "history/missing_entry_is_fatal",
        number: "M09",
        change: Change::Design(Design::MissingEntryIsFatal),
        scenario: "one_move_meets_gc_with_kills",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
        story: "The entry of a move that was killed before its rename fails every run.",
    },
    Mutant {
        name: "move_group.lock_journal/skip",
        number: "M10",
        change: Change::Fault(Fault::Skip(Step::MoveGroup(move_group::Step::LockJournal))),
        scenario: "two_moves_chain_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "Append and rename slip in while the drain goes through what it has read; the entry is emptied unread.",
    },
    Mutant {
        name: "history/rename_whole_group",
        number: "M11",
        change: Change::Design(Design::RenameWholeGroup),
        scenario: "one_move_meets_gc",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
        story: "An entry for a directory is no index file: the drain fails on it from then on.",
    },
    Mutant {
        name: "history/leftovers_not_marked",
        number: "M17",
        change: Change::Design(Design::LeftoversNotMarked),
        scenario: "stray_index_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "An index file outside the hierarchy loses its chunks.",
    },
    Mutant {
        name: "take_lock.recheck_lock_file/skip",
        number: "M32",
        change: Change::Fault(Fault::Skip(Step::TakeLock(
            take_lock::Step::RecheckLockFile,
        ))),
        scenario: "three_takers_meet_remover",
        property: Property::OneExclusiveHolderPerLock,
        story: "One taker holds the unlinked file, a newcomer the new one.",
    },
    Mutant {
        name: "history/unlink_after_unlock",
        number: "M33",
        change: Change::Design(Design::UnlinkAfterUnlock),
        scenario: "three_takers_meet_remover",
        property: Property::OneExclusiveHolderPerLock,
        story: "The remover unlinks the file that a newcomer holds, and a third taker creates another.",
    },
    Mutant {
        name: "history/recheck_before_flock",
        number: "M34",
        change: Change::Design(Design::RecheckBeforeFlock),
        scenario: "three_takers_meet_remover",
        property: Property::OneExclusiveHolderPerLock,
        story: "The file is unlinked between the comparison and the lock.",
    },
    Mutant {
        name: "move_group.lock_target_group/wait",
        number: "-",
        change: Change::Fault(Fault::Wait(Step::MoveGroup(
            move_group::Step::LockTargetGroup,
        ))),
        scenario: "two_moves_cross",
        property: Property::NoOperationWaitsForever,
        story: "Two moves in opposite directions each hold their source and wait for their target.",
    },
    Mutant {
        name: "move_group.lock_snapshot/wait",
        number: "-",
        change: Change::Fault(Fault::Wait(Step::MoveGroup(
            move_group::Step::LockSnapshot(()),
        ))),
        scenario: "move_merges_meets_gc",
        property: Property::LocksAreTakenInRankOrder,
        story: "A batch that waits for its second snapshot holds its first, which has the same rank.",
    },
    Mutant {
        name: "move_group.unlock_target_group/skip",
        number: "-",
        change: Change::Fault(Fault::Skip(Step::MoveGroup(
            move_group::Step::UnlockTargetGroup,
        ))),
        scenario: "one_move_meets_gc",
        property: Property::FinishedOperationHoldsNoLock,
        story: "The target group stays locked until the process ends.",
    },
    Mutant {
        name: "history/copy_then_remove",
        number: "-",
        change: Change::Design(Design::CopyThenRemove),
        scenario: "one_move_meets_gc",
        property: Property::SnapshotIsAtExactlyOnePlace,
        story: "Between copy and removal the snapshot lies at both places, and a crash leaves it so.",
    },
    Mutant {
        name: "upstream/torn_append_loses_entry",
        number: "W4b",
        change: Change::Design(Design::Upstream),
        scenario: "torn_append_meets_gc",
        property: Property::LiveChunkIsNeverSwept,
        story: "The next mover's line is glued to a torn one; the drain looks for a path that nobody has, and skips it.",
    },
    Mutant {
        name: "upstream/torn_append_stops_gc",
        number: "W4a",
        change: Change::Design(Design::Upstream),
        scenario: "full_tmpfs_meets_gc",
        property: Property::JournalNeverStopsGc,
        story: "A torn line has no index extension, so every run fails until the host reboots or somebody removes the file.",
    },
    Mutant {
        name: "upstream/drain_forgets_pending_rename",
        number: "-",
        change: Change::Design(Design::Upstream),
        scenario: "two_gc_runs_meet_move",
        property: Property::LiveChunkIsNeverSwept,
        story: "A drain removes the entry of a move that has not renamed yet; the rename comes in the next run, which knows nothing of it.",
    },
    Mutant {
        name: "upstream/rename_without_entry",
        number: "-",
        change: Change::Design(Design::Upstream),
        scenario: "two_gc_runs_meet_move",
        property: Property::NewPathImpliesJournalEntry,
        story: "The same, as the journal's invariant sees it: the rename comes while a run marks, and its entry was drained by the run before.",
    },
    Mutant {
        name: "upstream/vanished_snapshot_stops_gc",
        number: "W2",
        change: Change::Design(Design::Upstream),
        scenario: "move_merges_meets_gc",
        property: Property::GcThatMeetsNoAbortConditionFinishes,
        story: "A snapshot is renamed between the listing of its group and the listing of its files.",
    },
    Mutant {
        name: "upstream/failed_move_leaves_group",
        number: "W17",
        change: Change::Design(Design::Upstream),
        scenario: "move_meets_busy_snapshot",
        property: Property::FailedMoveLeavesNoEmptyGroup,
        story: "A reader holds a snapshot; the move has created its target group and leaves it behind.",
    },
];
