//! `move_group`: moves a backup group to another namespace, one rename a snapshot, journalled before each.

use crate::design::Change;
use crate::event::{Cut, Outcome};
use crate::id::{Group, Namespace};
use crate::lock_class::{LockClass, Mode, Wait};
use crate::op::Operation;
use crate::question::short::{Argument, Short};
use crate::scenario::Task;
use crate::step::{Call, LOCK_FILE_CALLS, Row, TRIED, TRIED_UNLESS_REFUSED, WAITED_FOR};
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
    LockSourceNamespace,
    LockTargetNamespace,
    LockSourceGroup,
    CheckMove,
    ReadOwner,
    LockTargetGroup,
    CreateTargetGroup,
    WriteTargetOwner,
    ReadTargetOwner,
    ListOwnerlessTarget,
    CheckMerge,
    ListSnapshots,
    LockSnapshot,
    LockManifest,
    ListSnapshot,
    LockJournal,
    AppendJournal,
    RenameSnapshot,
    UnlockJournal,
    RemoveSnapshot,
    UnlinkManifestLock,
    UnlockManifest,
    UnlinkSnapshotLock,
    UnlockSnapshot,
    MoveNotes,
    ListSourceGroup,
    UnlinkOwner,
    RemoveSourceGroup,
    RenameGroup,
    UnlinkSourceGroupLock,
    UnlockSourceGroup,
    UnlockTargetGroup,
    UnlockSourceNamespace,
    UnlockTargetNamespace,
    UnlinkTargetOwner,
    RemoveTargetGroup,
    UnlinkTargetGroupLock,
    ReleaseAll,
}

const fn row(step: Step, sentence: &'static str) -> Row {
    Row::new(crate::Step::MoveGroup(step), sentence)
}

/// What it is.
pub const ABOUT: Operation = Operation {
    sentence: "Moves the snapshots of a group to another namespace, one rename a snapshot.",
    table: TABLE,
    shorts: SHORT,
    part: None,
};

/// The short names of its tasks.
const SHORT: &[Short] = &[
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
pub const TABLE: &[Row; Step::COUNT] = &[
    row(Step::LockSourceNamespace, "Takes the lock of the source namespace shared, then those of the namespaces above it.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("move_group of v4 (never applied)"),
    row(Step::LockTargetNamespace, "The same for the target namespace.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Namespace, Mode::Shared, Wait::No)
        .ends(&[Outcome::Done, Outcome::WouldBlock, Outcome::TimedOut])
        .only_with(Change::LocksNamespaces)
        .published("move_group of v4 (never applied)"),
    row(Step::LockSourceGroup, "Takes the lock of the source group and does not wait; a process that locks directories refuses to move, and a version without moves does.")
        .about_nothing()
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED_UNLESS_REFUSED)
        .published("BackupGroup::lock"),
    row(Step::CheckMove, "Checks under the lock that the target namespace and the source group exist, and that the target group does not, unless merging is allowed.")
        .about_nothing()
        .calls(&[Call::Stat])
        .ends(&[Outcome::Done, Outcome::Refused])
        .published("DataStore::check_move_group"),
    row(Step::ReadOwner, "Reads the owner of the source group; an empty file is an error.")
        .about_nothing()
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .only_without(Change::RenameWholeGroup)
        .published("DataStore::get_owner"),
    row(Step::LockTargetGroup, "Takes the lock of the target group and does not wait.")
        .about_nothing()
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Group, Mode::Exclusive, Wait::No)
        .ends(TRIED)
        .published("BackupGroup::lock"),
    row(Step::CreateTargetGroup, "Creates the type directory if need be and the directory of the target group; `upstream` does so before it has the lock of the group, and creates the directories of a namespace that is gone as well.")
        .about_nothing()
        .calls(&[Call::Mkdir])
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("DataStore::create_locked_backup_group"),
    row(Step::WriteTargetOwner, "Writes the owner file of a target group that this move created; it must not exist yet. It is written under a temporary name and linked; `upstream` creates it empty and writes into it.")
        .about_nothing()
        .calls(Call::NEW_WHOLE_FILE)
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("DataStore::set_owner"),
    row(Step::ReadTargetOwner, "Reads the owner of the target group; an empty file is an error.")
        .about_nothing()
        .calls(&[Call::Open, Call::Read, Call::Close])
        .ends(&[Outcome::Done, Outcome::NotFound, Outcome::Refused])
        .only_without(Change::RenameWholeGroup)
        .published("DataStore::get_owner"),
    row(Step::ListOwnerlessTarget, "Lists a target group that has no owner file; if no snapshot is in it, an interrupted creation or removal left it, and it gets an owner like a new one.")
        .about_nothing()
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_with(Change::AdoptsAnOwnerlessGroup)
        .published("(not in the published design)"),
    row(Step::CheckMerge, "If the target group existed: merging is allowed, the owners are equal, and every snapshot of the target is older than the oldest of the source. One step, since both groups are locked: `upstream` reads both owners and lists both groups anew in it.")
        .about_nothing()
        .calls(&[Call::Open, Call::Read, Call::Close, Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::Refused, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupGroup::check_merge_invariants"),
    row(Step::ListSnapshots, "Lists the snapshots of the source group; they move oldest first.")
        .about_nothing()
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupGroup::iter_snapshots"),
    row(Step::LockSnapshot, "Takes the lock of one snapshot of the batch and does not wait.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Snapshot, Mode::Exclusive, Wait::No)
        .ends(TRIED)
        .only_without(Change::RenameWholeGroup)
        .published("BackupDir::lock"),
    row(Step::LockManifest, "Takes the lock of the manifest of the snapshot and waits up to 5 s for it, so that no update of the manifest is under way while it moves.")
        .calls(LOCK_FILE_CALLS)
        .takes(LockClass::Manifest, Mode::Exclusive, Wait::Seconds(5))
        .ends(WAITED_FOR)
        .only_with(Change::MovesUnderManifestLock)
        .published("(not in the published design)"),
    row(Step::ListSnapshot, "Lists the index files of the snapshot; their paths after the rename become the journal entries.")
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupDir::move_to"),
    row(Step::LockJournal, "Takes the lock of the move journal and waits up to 10 s for it.")
        .about_nothing()
        .calls(&[
            Call::Mkdir,
            Call::Open,
            Call::Create,
            Call::RenameNoReplace,
            Call::Unlink,
            Call::Flock,
            Call::Close,
            Call::Mutex,
            Call::Stat,
        ])
        .takes(LockClass::MoveJournal, Mode::Exclusive, Wait::Seconds(10))
        .ends(&[Outcome::Done, Outcome::TimedOut])
        .only_without(Change::NoJournal)
        .published("move_journal::append_moved_indices"),
    row(Step::AppendJournal, "Appends one line for each index file, its absolute path after the rename, in one write; first, what an interrupted append left is cut off.")
        .calls(&[Call::Fstat, Call::Read, Call::Ftruncate, Call::Append])
        .ends(&[
            Outcome::Done,
            Outcome::NoSpace(Cut::Nothing),
            Outcome::NoSpace(Cut::MidLine),
            Outcome::NoSpace(Cut::NoNewline),
        ])
        .only_without(Change::NoJournal)
        .published("move_journal::append_moved_indices"),
    row(Step::RenameSnapshot, "Renames the snapshot directory from the source group to the target group.")
        .calls(&[Call::Rename, Call::Mkdir, Call::ReadDir, Call::Link])
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupDir::move_to"),
    row(Step::UnlockJournal, "Closes the journal, which lets its lock go.")
        .about_nothing()
        .calls(&[Call::Close])
        .releases(LockClass::MoveJournal)
        .only_without(Change::NoJournal)
        .published("drop of the journal file"),
    row(Step::RemoveSnapshot, "Removes the source of a snapshot that was copied.")
        .calls(&[Call::ReadDir, Call::Unlink, Call::Rmdir])
        .only_with(Change::CopyThenRemove)
        .published("BackupDir::move_to (object store)"),
    row(Step::UnlinkManifestLock, "Unlinks the manifest lock file of the old place; the published design does so without holding it.")
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Manifest)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupDir::move_to"),
    row(Step::UnlockManifest, "Closes the lock of the manifest.")
        .calls(&[Call::Close])
        .releases(LockClass::Manifest)
        .only_with(Change::MovesUnderManifestLock)
        .published("(not in the published design)"),
    row(Step::UnlinkSnapshotLock, "Unlinks the lock file of the old place, while it is held.")
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Snapshot)
        .only_without(Change::RenameWholeGroup)
        .published("BackupDir::move_to"),
    row(Step::UnlockSnapshot, "Closes one snapshot lock of the batch, in the order in which they were taken.")
        .calls(&[Call::Close])
        .releases(LockClass::Snapshot)
        .only_without(Change::RenameWholeGroup)
        .published("drop of BackupLockGuard"),
    row(Step::MoveNotes, "Renames the notes of the group to the target, unless there are none or the target has its own.")
        .about_nothing()
        .calls(&[
            Call::Open,
            Call::Read,
            Call::Close,
            Call::Stat,
            Call::Rename,
        ])
        .only_without(Change::RenameWholeGroup)
        .published("BackupGroup::move_notes_to"),
    row(Step::ListSourceGroup, "Lists the source group; it is kept if a snapshot is left.")
        .about_nothing()
        .calls(&[Call::ReadDir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupGroup::destroy"),
    row(Step::UnlinkOwner, "Unlinks the notes and the owner file of the empty source group.")
        .about_nothing()
        .calls(&[Call::Unlink])
        .only_without(Change::RenameWholeGroup)
        .published("BackupGroup::remove_group_dir"),
    row(Step::RemoveSourceGroup, "Removes the directory of the empty source group.")
        .about_nothing()
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("BackupGroup::remove_group_dir"),
    row(Step::RenameGroup, "Renames the group directory with everything in it, and creates the type directory before if need be; `upstream` also those of a namespace that is gone.")
        .about_nothing()
        .calls(&[Call::Mkdir, Call::Rename])
        .ends(&[Outcome::Done, Outcome::Exists, Outcome::NotFound])
        .only_with(Change::RenameWholeGroup)
        .published("move_group of v4 (never applied)"),
    row(Step::UnlinkSourceGroupLock, "Unlinks the lock file of the source group, while it is held.")
        .about_nothing()
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Group)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .published("BackupGroup::remove_group_dir"),
    row(Step::UnlockSourceGroup, "Closes the lock of the source group.")
        .about_nothing()
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("drop of BackupLockGuard"),
    row(Step::UnlockTargetGroup, "Closes the lock of the target group.")
        .about_nothing()
        .calls(&[Call::Close])
        .releases(LockClass::Group)
        .published("drop of BackupLockGuard"),
    row(Step::UnlockSourceNamespace, "Closes the lock of a namespace of the source, the own one first.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .only_with(Change::LocksNamespaces)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
    row(Step::UnlockTargetNamespace, "The same for the target namespace.")
        .calls(&[Call::Close])
        .releases(LockClass::Namespace)
        .only_with(Change::LocksNamespaces)
        .published("drop of NamespaceLockGuard (v4, never applied)"),
    row(Step::UnlinkTargetOwner, "After a failure before the first rename, unlinks the owner file of a target group that this move created.")
        .about_nothing()
        .calls(&[Call::Unlink])
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_with(Change::RemovesGroupOfAFailedMove)
        .published("(not in the published design)"),
    row(Step::RemoveTargetGroup, "After a failure before the first rename, removes the directory of a target group that this move created; the published design does so only if the target lock is busy.")
        .about_nothing()
        .calls(&[Call::Rmdir])
        .ends(&[Outcome::Done, Outcome::NotEmpty, Outcome::NotFound])
        .only_without(Change::RenameWholeGroup)
        .published("DataStore::create_locked_backup_group"),
    row(Step::UnlinkTargetGroupLock, "Unlinks the lock file of the target group that was removed, while it is held.")
        .about_nothing()
        .calls(&[Call::Unlink])
        .unlinks(LockClass::Group)
        .ends(&[Outcome::Done, Outcome::NotFound])
        .only_with(Change::RemovesGroupOfAFailedMove)
        .published("(not in the published design)"),
    row(Step::ReleaseAll, "After a failure, lets every lock go: journal, manifest, snapshots, target group, source group, namespaces.")
        .about_nothing()
        .releases_all()
        .calls(&[Call::Close])
        .published("drop of the guards"),
];
