//! The mends: each closes one weakness of the published design, and can be taken by itself.

use super::change::{About, Change};

/// The mends.
pub(super) const MENDS: &[About] = &[
    About::mend(
        Change::ListsAgainAfterAVanishedSnapshot,
        "lists_again_after_a_vanished_snapshot",
        "Garbage collection lists a group again when a snapshot of the listing is gone, and skips what is gone from the last listing; as published the run ends.",
    )
    .finding("vanished_snapshot_stops_gc"),
    About::mend(
        Change::ListsAgainForEveryVanishedFile,
        "lists_again_for_every_vanished_file",
        "Garbage collection lists a group again for every index file that was listed and is gone; as published only for one of the newest snapshot.",
    )
    .finding("vanished_previous_snapshot"),
    About::mend(
        Change::ListsNamesAgain,
        "lists_names_again",
        "Garbage collection looks into the snapshots of a group oldest first, lists their names once more, and begins again if a name is gone or new.",
    )
    .finding("vanished_previous_snapshot"),
    About::mend(
        Change::MarksGroupOfAMissingEntry,
        "marks_group_of_a_missing_entry",
        "An entry of the journal whose index file is gone makes garbage collection list and mark the group of the entry once more.",
    )
    .finding("reused_after_move"),
    About::mend(
        Change::SkipsAVanishedNamespace,
        "skips_a_vanished_namespace",
        "An operation over namespaces skips one that is gone.",
    )
    .finding("vanished_snapshot_stops_gc"),
    About::mend(
        Change::MendsTornTail,
        "mends_torn_tail",
        "Whoever has the journal locked removes what an interrupted append has left at its end.",
    )
    .finding("torn_append"),
    About::mend(
        Change::RenamesUnderJournalLock,
        "renames_under_journal_lock",
        "A move keeps the journal locked until it has renamed the snapshot.",
    )
    .finding("drain_forgets_pending_rename"),
    About::mend(
        Change::MovesUnderManifestLock,
        "moves_under_manifest_lock",
        "A move has the lock of a manifest while it renames the snapshot.",
    )
    .finding("move_ignores_manifest_lock"),
    About::mend(
        Change::RemovesGroupOfAFailedMove,
        "removes_group_of_a_failed_move",
        "A move that fails before its first rename removes the target group that it created.",
    )
    .finding("failed_move_leaves_group"),
    About::mend(
        Change::LocksTargetBeforeItCreates,
        "locks_target_before_it_creates",
        "A move locks its target group before it creates the directory.",
    )
    .finding("created_before_locked"),
    About::mend(
        Change::LocksBeforeItCreates,
        "locks_before_it_creates",
        "A backup locks the name of a group or a snapshot before it creates the directory.",
    )
    .finding("created_before_locked"),
    About::mend(
        Change::AdoptsAnOwnerlessGroup,
        "adopts_an_ownerless_group",
        "A group without an owner file that holds no snapshot is taken for a new one by whoever has its lock.",
    )
    .finding("group_without_owner"),
    About::mend(
        Change::RechecksAfterLocking,
        "rechecks_after_locking",
        "An operation that has the lock of a name looks again whether the thing is there; where that is a directory, and there is none to lock, a backup goes on without a previous snapshot.",
    )
    .finding("names_without_things"),
    About::mend(
        Change::RemovesGroupOfAFailedBackup,
        "removes_group_of_a_failed_backup",
        "A backup that gives up removes its group under the lock that it has, if nothing is left in it; as published it tries a lock that it has itself.",
    )
    .finding("created_before_locked"),
    About::mend(
        Change::CleansUpAfterARefusedBackup,
        "cleans_up_after_a_refused_backup",
        "A backup that fails before it has the process lock removes what it created, as one that fails later does.",
    )
    .finding("created_before_locked"),
    About::mend(
        Change::LocksManifestOfAFailedBackup,
        "locks_manifest_of_a_failed_backup",
        "A backup that gives up locks the manifest of its snapshot before it removes that.",
    )
    .finding("aborted_backup_ignores_manifest_lock"),
    About::mend(
        Change::MakesLockOfManifestFirst,
        "makes_lock_of_manifest_first",
        "A backup makes the lock file of its manifest before it sends anything, so that neither its last steps nor the removal of what it made need another inode.",
    )
    .finding("no_inode_for_the_last_lock"),
    About::mend(
        Change::FindsProtectionInTheListing,
        "finds_protection_in_the_listing",
        "A removal refuses a snapshot if the listing of what it would unlink has the file of a protection.",
    )
    .finding("protection_looked_for_too_early"),
    About::mend(
        Change::RemovesTheManifestFirst,
        "removes_the_manifest_first",
        "A removal begins with the manifest, so that what a crash leaves counts as unfinished.",
    )
    .finding("killed_removal_leaves_manifest"),
    About::mend(
        Change::SkipsAVanishedSnapshot,
        "skips_a_vanished_snapshot",
        "Whoever goes through the snapshots of a group lists their names only, and skips one that is gone; as published their files are listed first, and one that is gone spoils the whole list.",
    )
    .finding("names_without_things"),
    About::mend(
        Change::SetsAsideOnlyWhatItRead,
        "sets_aside_only_what_it_read",
        "A verification reads a chunk again under the mutex, and sets it aside only if it is still corrupt.",
    )
    .finding("verify_sets_good_chunk_aside"),
    About::mend(
        Change::NeverCreatesNamespaces,
        "never_creates_namespaces",
        "Whoever creates a group creates the directory of its type, and never those of its namespace.",
    )
    .finding("removed_namespace_returns"),
    About::mend(
        Change::ReplacesOwnerFile,
        "replaces_owner_file",
        "An owner file is whole when it comes to its place, that of a new group as well as one with another owner.",
    )
    .finding("owner_written_in_place"),
    About::mend(
        Change::SetsFlagBeforeReload,
        "sets_flag_before_reload",
        "The package script creates the flag file of the old locks before it reloads the daemon.",
    )
    .finding("flag_after_reload"),
    About::mend(
        Change::LocksAgainWhatVanished,
        "locks_again_what_vanished",
        "A lock whose file was unlinked while it was being taken is tried again, in the same step.",
    )
    .kept_by("No property forbids that an operation ends as if a lock were busy that nobody has, which is what happens without it; the runs under loom meet that ending, which the rows of the steps do not have."),
    About::mend(
        Change::AvoidsNameCollisions,
        "avoids_name_collisions",
        "A namespace whose lock files may have the path of something else has a directory of its own for them.",
    )
    .finding("lock_names_collide")
    .kept_by("In the model a lock has an identity and no path, so no two can collide; the tests of lock names on real files show what happens without it."),
];
