//! `move_group`: moves a backup group to another namespace, one rename a snapshot, journalled before each.

use crate::design::Change;
use crate::event::{Cut, Outcome};
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{
    Call, Designs, LOCK_FILE_CALLS, LockUse, Row, TRIED, TRIED_UNLESS_REFUSED, WAITED_FOR,
};
use serde::{Deserialize, Serialize};

/// The steps, in the order of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step<A> {
    /// Share the lock of the source namespace and of those above it.
    LockSourceNamespace(A),
    /// Share the lock of the target namespace and of those above it.
    LockTargetNamespace(A),
    /// Take the lock of the source group.
    LockSourceGroup,
    /// Check again, under the lock, that the move is allowed.
    CheckMove,
    /// Read the owner of the source group.
    ReadOwner,
    /// Take the lock of the target group.
    LockTargetGroup,
    /// Create the directory of the target group.
    CreateTargetGroup,
    /// Write the owner of a target group that this move created.
    WriteTargetOwner,
    /// Read the owner of the target group.
    ReadTargetOwner,
    /// List a target group that has no owner file.
    ListOwnerlessTarget,
    /// Check that an existing target group may be merged into.
    CheckMerge,
    /// List the snapshots of the source group.
    ListSnapshots,
    /// Take the lock of a snapshot of the batch.
    LockSnapshot(A),
    /// Take the lock of the manifest of a snapshot.
    LockManifest(A),
    /// List the index files of a snapshot.
    ListSnapshot(A),
    /// Lock the move journal.
    LockJournal,
    /// Append the paths after the rename.
    AppendJournal(A),
    /// Rename the snapshot directory to its target.
    RenameSnapshot(A),
    /// Let the journal lock go.
    UnlockJournal,
    /// Remove the source of a copied snapshot.
    RemoveSnapshot(A),
    /// Unlink the manifest lock file of the old place.
    UnlinkManifestLock(A),
    /// Let the manifest lock go.
    UnlockManifest(A),
    /// Unlink the lock file of the old place.
    UnlinkSnapshotLock(A),
    /// Let a snapshot lock of the batch go.
    UnlockSnapshot(A),
    /// Move the notes of the group.
    MoveNotes,
    /// Look whether the source group is empty.
    ListSourceGroup,
    /// Unlink notes and owner of the empty source group.
    UnlinkOwner,
    /// Remove the directory of the empty source group.
    RemoveSourceGroup,
    /// Rename the whole group directory.
    RenameGroup,
    /// Unlink the lock file of the source group.
    UnlinkSourceGroupLock,
    /// Let the lock of the source group go.
    UnlockSourceGroup,
    /// Let the lock of the target group go.
    UnlockTargetGroup,
    /// Let the lock of a namespace of the source go.
    UnlockSourceNamespace(A),
    /// Let the lock of a namespace of the target go.
    UnlockTargetNamespace(A),
    /// Unlink the owner of a target group that stays empty.
    UnlinkTargetOwner,
    /// Remove a target group that stays empty.
    RemoveTargetGroup,
    /// Unlink the lock file of a target group that was removed.
    UnlinkTargetGroupLock,
    /// Let every lock go, after a failure.
    ReleaseAll,
}

impl<A> Step<A> {
    /// Number of the step's row in [`TABLE`].
    pub const fn position(&self) -> usize {
        match self {
            Self::LockSourceNamespace(_) => 0,
            Self::LockTargetNamespace(_) => 1,
            Self::LockSourceGroup => 2,
            Self::CheckMove => 3,
            Self::ReadOwner => 4,
            Self::LockTargetGroup => 5,
            Self::CreateTargetGroup => 6,
            Self::WriteTargetOwner => 7,
            Self::ReadTargetOwner => 8,
            Self::ListOwnerlessTarget => 9,
            Self::CheckMerge => 10,
            Self::ListSnapshots => 11,
            Self::LockSnapshot(_) => 12,
            Self::LockManifest(_) => 13,
            Self::ListSnapshot(_) => 14,
            Self::LockJournal => 15,
            Self::AppendJournal(_) => 16,
            Self::RenameSnapshot(_) => 17,
            Self::UnlockJournal => 18,
            Self::RemoveSnapshot(_) => 19,
            Self::UnlinkManifestLock(_) => 20,
            Self::UnlockManifest(_) => 21,
            Self::UnlinkSnapshotLock(_) => 22,
            Self::UnlockSnapshot(_) => 23,
            Self::MoveNotes => 24,
            Self::ListSourceGroup => 25,
            Self::UnlinkOwner => 26,
            Self::RemoveSourceGroup => 27,
            Self::RenameGroup => 28,
            Self::UnlinkSourceGroupLock => 29,
            Self::UnlockSourceGroup => 30,
            Self::UnlockTargetGroup => 31,
            Self::UnlockSourceNamespace(_) => 32,
            Self::UnlockTargetNamespace(_) => 33,
            Self::UnlinkTargetOwner => 34,
            Self::RemoveTargetGroup => 35,
            Self::UnlinkTargetGroupLock => 36,
            Self::ReleaseAll => 37,
        }
    }

    /// Name of the step.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LockSourceNamespace(_) => "lock_source_namespace",
            Self::LockTargetNamespace(_) => "lock_target_namespace",
            Self::LockSourceGroup => "lock_source_group",
            Self::CheckMove => "check_move",
            Self::ReadOwner => "read_owner",
            Self::LockTargetGroup => "lock_target_group",
            Self::CreateTargetGroup => "create_target_group",
            Self::WriteTargetOwner => "write_target_owner",
            Self::ReadTargetOwner => "read_target_owner",
            Self::ListOwnerlessTarget => "list_ownerless_target",
            Self::CheckMerge => "check_merge",
            Self::ListSnapshots => "list_snapshots",
            Self::LockSnapshot(_) => "lock_snapshot",
            Self::LockManifest(_) => "lock_manifest",
            Self::ListSnapshot(_) => "list_snapshot",
            Self::LockJournal => "lock_journal",
            Self::AppendJournal(_) => "append_journal",
            Self::RenameSnapshot(_) => "rename_snapshot",
            Self::UnlockJournal => "unlock_journal",
            Self::RemoveSnapshot(_) => "remove_snapshot",
            Self::UnlinkManifestLock(_) => "unlink_manifest_lock",
            Self::UnlockManifest(_) => "unlock_manifest",
            Self::UnlinkSnapshotLock(_) => "unlink_snapshot_lock",
            Self::UnlockSnapshot(_) => "unlock_snapshot",
            Self::MoveNotes => "move_notes",
            Self::ListSourceGroup => "list_source_group",
            Self::UnlinkOwner => "unlink_owner",
            Self::RemoveSourceGroup => "remove_source_group",
            Self::RenameGroup => "rename_group",
            Self::UnlinkSourceGroupLock => "unlink_source_group_lock",
            Self::UnlockSourceGroup => "unlock_source_group",
            Self::UnlockTargetGroup => "unlock_target_group",
            Self::UnlockSourceNamespace(_) => "unlock_source_namespace",
            Self::UnlockTargetNamespace(_) => "unlock_target_namespace",
            Self::UnlinkTargetOwner => "unlink_target_owner",
            Self::RemoveTargetGroup => "remove_target_group",
            Self::UnlinkTargetGroupLock => "unlink_target_group_lock",
            Self::ReleaseAll => "release_all",
        }
    }

    /// Applies `f` to the argument.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Step<B> {
        match self {
            Self::LockSourceNamespace(a) => Step::LockSourceNamespace(f(a)),
            Self::LockTargetNamespace(a) => Step::LockTargetNamespace(f(a)),
            Self::LockSourceGroup => Step::LockSourceGroup,
            Self::CheckMove => Step::CheckMove,
            Self::ReadOwner => Step::ReadOwner,
            Self::LockTargetGroup => Step::LockTargetGroup,
            Self::CreateTargetGroup => Step::CreateTargetGroup,
            Self::WriteTargetOwner => Step::WriteTargetOwner,
            Self::ReadTargetOwner => Step::ReadTargetOwner,
            Self::ListOwnerlessTarget => Step::ListOwnerlessTarget,
            Self::CheckMerge => Step::CheckMerge,
            Self::ListSnapshots => Step::ListSnapshots,
            Self::LockSnapshot(a) => Step::LockSnapshot(f(a)),
            Self::LockManifest(a) => Step::LockManifest(f(a)),
            Self::ListSnapshot(a) => Step::ListSnapshot(f(a)),
            Self::LockJournal => Step::LockJournal,
            Self::AppendJournal(a) => Step::AppendJournal(f(a)),
            Self::RenameSnapshot(a) => Step::RenameSnapshot(f(a)),
            Self::UnlockJournal => Step::UnlockJournal,
            Self::RemoveSnapshot(a) => Step::RemoveSnapshot(f(a)),
            Self::UnlinkManifestLock(a) => Step::UnlinkManifestLock(f(a)),
            Self::UnlockManifest(a) => Step::UnlockManifest(f(a)),
            Self::UnlinkSnapshotLock(a) => Step::UnlinkSnapshotLock(f(a)),
            Self::UnlockSnapshot(a) => Step::UnlockSnapshot(f(a)),
            Self::MoveNotes => Step::MoveNotes,
            Self::ListSourceGroup => Step::ListSourceGroup,
            Self::UnlinkOwner => Step::UnlinkOwner,
            Self::RemoveSourceGroup => Step::RemoveSourceGroup,
            Self::RenameGroup => Step::RenameGroup,
            Self::UnlinkSourceGroupLock => Step::UnlinkSourceGroupLock,
            Self::UnlockSourceGroup => Step::UnlockSourceGroup,
            Self::UnlockTargetGroup => Step::UnlockTargetGroup,
            Self::UnlockSourceNamespace(a) => Step::UnlockSourceNamespace(f(a)),
            Self::UnlockTargetNamespace(a) => Step::UnlockTargetNamespace(f(a)),
            Self::UnlinkTargetOwner => Step::UnlinkTargetOwner,
            Self::RemoveTargetGroup => Step::RemoveTargetGroup,
            Self::UnlinkTargetGroupLock => Step::UnlinkTargetGroupLock,
            Self::ReleaseAll => Step::ReleaseAll,
        }
    }

    /// The label without its argument.
    pub fn kind(self) -> Step<()> {
        self.map(|_| ())
    }
}

impl<A> From<Step<A>> for crate::Step<A> {
    fn from(step: Step<A>) -> Self {
        Self::MoveGroup(step)
    }
}

const fn step(step: Step<()>) -> crate::Step<()> {
    crate::Step::MoveGroup(step)
}

/// The short names of its tasks.
pub const SHORT: &[Short] = &[
    Short {
        name: "move",
        takes: &[Argument::Namespace, Argument::Namespace, Argument::Group],
        usage: "move(FROM,TO), two namespaces",
        task: |_, arguments| between(arguments, false),
    },
    Short {
        name: "merge",
        takes: &[Argument::Namespace, Argument::Namespace, Argument::Group],
        usage: "merge(FROM,TO), two namespaces",
        task: |_, arguments| between(arguments, true),
    },
];

fn between(arguments: &[u8], merge: bool) -> Option<Task> {
    match *arguments {
        [source, target, group] if source != target => Some(Task::MoveGroup {
            group: Group(group),
            source: Namespace(source),
            target: Namespace(target),
            merge,
        }),
        _ => None,
    }
}

/// The step table.
pub const TABLE: &[Row] = &[
    Row {
        step: step(Step::LockSourceNamespace(())),
        sentence: "Takes the lock of the source namespace shared, then those of the namespaces above it.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "move_group of v4 (never applied)",
    },
    Row {
        step: step(Step::LockTargetNamespace(())),
        sentence: "The same for the target namespace.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Namespace, Mode::Shared, Wait::No)),
        outcomes: &[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "move_group of v4 (never applied)",
    },
    Row {
        step: step(Step::LockSourceGroup),
        sentence: "Takes the lock of the source group and does not wait; a process that locks directories refuses to move, and a version without moves does.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED_UNLESS_REFUSED,
        designs: Designs::All,
        upstream: "BackupGroup::lock",
    },
    Row {
        step: step(Step::CheckMove),
        sentence: "Checks under the lock that the target namespace and the source group exist, and that the target group does not, unless merging is allowed.",
        calls: &[Call::Stat],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Refused],
        designs: Designs::All,
        upstream: "DataStore::check_move_group",
    },
    Row {
        step: step(Step::ReadOwner),
        sentence: "Reads the owner of the source group; an empty file is an error.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "DataStore::get_owner",
    },
    Row {
        step: step(Step::LockTargetGroup),
        sentence: "Takes the lock of the target group and does not wait.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(LockClass::Group, Mode::Exclusive, Wait::No)),
        outcomes: TRIED,
        designs: Designs::All,
        upstream: "BackupGroup::lock",
    },
    Row {
        step: step(Step::CreateTargetGroup),
        sentence: "Creates the type directory if need be and the directory of the target group; `upstream` does so before it has the lock of the group, and creates the directories of a namespace that is gone as well.",
        calls: &[Call::Mkdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "DataStore::create_locked_backup_group",
    },
    Row {
        step: step(Step::WriteTargetOwner),
        sentence: "Writes the owner file of a target group that this move created; it must not exist yet. It is written under a temporary name and linked; `upstream` creates it empty and writes into it.",
        calls: Call::NEW_WHOLE_FILE,
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "DataStore::set_owner",
    },
    Row {
        step: step(Step::ReadTargetOwner),
        sentence: "Reads the owner of the target group; an empty file is an error.",
        calls: &[Call::Open, Call::Read, Call::Close],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound, Outcome::Refused],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "DataStore::get_owner",
    },
    Row {
        step: step(Step::ListOwnerlessTarget),
        sentence: "Lists a target group that has no owner file; if no snapshot is in it, an interrupted creation or removal left it, and it gets an owner like a new one.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::With(Change::AdoptsAnOwnerlessGroup),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::CheckMerge),
        sentence: "If the target group existed: merging is allowed, the owners are equal, and every snapshot of the target is older than the oldest of the source. One step, since both groups are locked: `upstream` reads both owners and lists both groups anew in it.",
        calls: &[Call::Open, Call::Read, Call::Close, Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Refused, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupGroup::check_merge_invariants",
    },
    Row {
        step: step(Step::ListSnapshots),
        sentence: "Lists the snapshots of the source group; they move oldest first.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupGroup::iter_snapshots",
    },
    Row {
        step: step(Step::LockSnapshot(())),
        sentence: "Takes the lock of one snapshot of the batch and does not wait.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Snapshot,
            Mode::Exclusive,
            Wait::No,
        )),
        outcomes: TRIED,
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupDir::lock",
    },
    Row {
        step: step(Step::LockManifest(())),
        sentence: "Takes the lock of the manifest of the snapshot and waits up to 5 s for it, so that no update of the manifest is under way while it moves.",
        calls: LOCK_FILE_CALLS,
        lock: Some(LockUse::Take(
            LockClass::Manifest,
            Mode::Exclusive,
            Wait::Seconds(5),
        )),
        outcomes: WAITED_FOR,
        designs: Designs::With(Change::MovesUnderManifestLock),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::ListSnapshot(())),
        sentence: "Lists the index files of the snapshot; their paths after the rename become the journal entries.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupDir::move_to",
    },
    Row {
        step: step(Step::LockJournal),
        sentence: "Takes the lock of the move journal and waits up to 10 s for it.",
        calls: &[
            Call::Mkdir,
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Unlink,
            Call::Flock,
            Call::Close,
            Call::Mutex,
            Call::Stat,
        ],
        lock: Some(LockUse::Take(
            LockClass::MoveJournal,
            Mode::Exclusive,
            Wait::Seconds(10),
        )),
        outcomes: &[Outcome::Done, Outcome::TimedOut],
        designs: Designs::Without(Change::NoJournal),
        upstream: "move_journal::append_moved_indices",
    },
    Row {
        step: step(Step::AppendJournal(())),
        sentence: "Appends one line for each index file, its absolute path after the rename, in one write; first, what an interrupted append left is cut off.",
        calls: &[Call::Fstat, Call::Read, Call::Ftruncate, Call::Append],
        lock: None,
        outcomes: &[
            Outcome::Done,
            Outcome::NoSpace(Cut::Nothing),
            Outcome::NoSpace(Cut::MidLine),
            Outcome::NoSpace(Cut::NoNewline),
        ],
        designs: Designs::Without(Change::NoJournal),
        upstream: "move_journal::append_moved_indices",
    },
    Row {
        step: step(Step::RenameSnapshot(())),
        sentence: "Renames the snapshot directory from the source group to the target group.",
        calls: &[Call::Rename, Call::Mkdir, Call::ReadDir, Call::Link],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupDir::move_to",
    },
    Row {
        step: step(Step::UnlockJournal),
        sentence: "Closes the journal, which lets its lock go.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::MoveJournal)),
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::NoJournal),
        upstream: "drop of the journal file",
    },
    Row {
        step: step(Step::RemoveSnapshot(())),
        sentence: "Removes the source of a snapshot that was copied.",
        calls: &[Call::ReadDir, Call::Unlink, Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::CopyThenRemove),
        upstream: "BackupDir::move_to (object store)",
    },
    Row {
        step: step(Step::UnlinkManifestLock(())),
        sentence: "Unlinks the manifest lock file of the old place; the published design does so without holding it.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Manifest)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupDir::move_to",
    },
    Row {
        step: step(Step::UnlockManifest(())),
        sentence: "Closes the lock of the manifest.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Manifest)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::MovesUnderManifestLock),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::UnlinkSnapshotLock(())),
        sentence: "Unlinks the lock file of the old place, while it is held.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Snapshot)),
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupDir::move_to",
    },
    Row {
        step: step(Step::UnlockSnapshot(())),
        sentence: "Closes one snapshot lock of the batch, in the order in which they were taken.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Snapshot)),
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::MoveNotes),
        sentence: "Renames the notes of the group to the target, unless there are none or the target has its own.",
        calls: &[
            Call::Open,
            Call::Read,
            Call::Close,
            Call::Stat,
            Call::Rename,
        ],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupGroup::move_notes_to",
    },
    Row {
        step: step(Step::ListSourceGroup),
        sentence: "Lists the source group; it is kept if a snapshot is left.",
        calls: &[Call::ReadDir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupGroup::destroy",
    },
    Row {
        step: step(Step::UnlinkOwner),
        sentence: "Unlinks the notes and the owner file of the empty source group.",
        calls: &[Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::RemoveSourceGroup),
        sentence: "Removes the directory of the empty source group.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::RenameGroup),
        sentence: "Renames the group directory with everything in it, and creates the type directory before if need be; `upstream` also those of a namespace that is gone.",
        calls: &[Call::Mkdir, Call::Rename],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::Exists, Outcome::NotFound],
        designs: Designs::With(Change::RenameWholeGroup),
        upstream: "move_group of v4 (never applied)",
    },
    Row {
        step: step(Step::UnlinkSourceGroupLock),
        sentence: "Unlinks the lock file of the source group, while it is held.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Group)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::All,
        upstream: "BackupGroup::remove_group_dir",
    },
    Row {
        step: step(Step::UnlockSourceGroup),
        sentence: "Closes the lock of the source group.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::UnlockTargetGroup),
        sentence: "Closes the lock of the target group.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Group)),
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of BackupLockGuard",
    },
    Row {
        step: step(Step::UnlockSourceNamespace(())),
        sentence: "Closes the lock of a namespace of the source, the own one first.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
    Row {
        step: step(Step::UnlockTargetNamespace(())),
        sentence: "The same for the target namespace.",
        calls: &[Call::Close],
        lock: Some(LockUse::Release(LockClass::Namespace)),
        outcomes: &[Outcome::Done],
        designs: Designs::With(Change::LocksNamespaces),
        upstream: "drop of NamespaceLockGuard (v4, never applied)",
    },
    Row {
        step: step(Step::UnlinkTargetOwner),
        sentence: "After a failure before the first rename, unlinks the owner file of a target group that this move created.",
        calls: &[Call::Unlink],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::With(Change::RemovesGroupOfAFailedMove),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::RemoveTargetGroup),
        sentence: "After a failure before the first rename, removes the directory of a target group that this move created; the published design does so only if the target lock is busy.",
        calls: &[Call::Rmdir],
        lock: None,
        outcomes: &[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound],
        designs: Designs::Without(Change::RenameWholeGroup),
        upstream: "DataStore::create_locked_backup_group",
    },
    Row {
        step: step(Step::UnlinkTargetGroupLock),
        sentence: "Unlinks the lock file of the target group that was removed, while it is held.",
        calls: &[Call::Unlink],
        lock: Some(LockUse::Unlink(LockClass::Group)),
        outcomes: &[Outcome::Done, Outcome::NotFound],
        designs: Designs::With(Change::RemovesGroupOfAFailedMove),
        upstream: "(not in the published design)",
    },
    Row {
        step: step(Step::ReleaseAll),
        sentence: "After a failure, lets every lock go: journal, manifest, snapshots, target group, source group, namespaces.",
        calls: &[Call::Close],
        lock: None,
        outcomes: &[Outcome::Done],
        designs: Designs::All,
        upstream: "drop of the guards",
    },
];
