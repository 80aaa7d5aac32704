//! The generated parts of the pages of findings, and of their index.

use super::Part;
use suite::findings;

/// The parts.
pub(super) const PARTS: &[Part] = &[
    ("specs/findings/flag_after_reload.md", "reproduce", || {
        findings::reproduce("flag_after_reload")
    }),
    ("specs/findings/flag_after_reload.md", "trace", || {
        findings::trace("upstream/flag_after_reload")
    }),
    ("specs/findings/flag_after_reload.md", "notes", || {
        findings::trace("upstream/flag_after_reload_notes")
    }),
    (
        "specs/findings/removed_namespace_returns.md",
        "reproduce",
        || findings::reproduce("removed_namespace_returns"),
    ),
    (
        "specs/findings/removed_namespace_returns.md",
        "trace",
        || findings::trace("upstream/removed_namespace_returns"),
    ),
    (
        "specs/findings/removed_namespace_returns.md",
        "move",
        || findings::trace("upstream/moved_group_brings_namespace_back"),
    ),
    (
        "specs/findings/owner_written_in_place.md",
        "reproduce",
        || findings::reproduce("owner_written_in_place"),
    ),
    ("specs/findings/owner_written_in_place.md", "trace", || {
        findings::trace("upstream/owner_written_in_place")
    }),
    (
        "specs/findings/vanished_snapshot_stops_gc.md",
        "namespace",
        || findings::trace("upstream/removed_namespace_stops_gc"),
    ),
    ("specs/findings/index.md", "findings", findings::index),
    (
        "specs/findings/drain_forgets_pending_rename.md",
        "reproduce",
        || findings::reproduce("drain_forgets_pending_rename"),
    ),
    (
        "specs/findings/drain_forgets_pending_rename.md",
        "trace",
        || findings::trace("upstream/drain_forgets_pending_rename"),
    ),
    ("specs/findings/torn_append.md", "reproduce", || {
        findings::reproduce("torn_append")
    }),
    ("specs/findings/torn_append.md", "loses", || {
        findings::trace("upstream/torn_append_loses_entry")
    }),
    ("specs/findings/torn_append.md", "stops", || {
        findings::trace("upstream/torn_append_stops_gc")
    }),
    (
        "specs/findings/torn_append.md",
        "glued",
        findings::glued_below_a_file,
    ),
    (
        "specs/findings/vanished_snapshot_stops_gc.md",
        "reproduce",
        || findings::reproduce("vanished_snapshot_stops_gc"),
    ),
    (
        "specs/findings/vanished_snapshot_stops_gc.md",
        "trace",
        || findings::trace("upstream/vanished_snapshot_stops_gc"),
    ),
    (
        "specs/findings/no_inode_for_the_last_lock.md",
        "reproduce",
        || findings::reproduce("no_inode_for_the_last_lock"),
    ),
    (
        "specs/findings/no_inode_for_the_last_lock.md",
        "trace",
        || findings::trace("hardened-makes_lock_of_manifest_first"),
    ),
    (
        "specs/findings/no_inode_for_the_last_lock.md",
        "mends",
        || findings::mends("no_inode_for_the_last_lock"),
    ),
    (
        "specs/findings/failed_move_leaves_group.md",
        "reproduce",
        || findings::reproduce("failed_move_leaves_group"),
    ),
    (
        "specs/findings/failed_move_leaves_group.md",
        "trace",
        || findings::trace("upstream/failed_move_leaves_group"),
    ),
    (
        "specs/findings/vanished_previous_snapshot.md",
        "reproduce",
        || findings::reproduce("vanished_previous_snapshot"),
    ),
    (
        "specs/findings/vanished_previous_snapshot.md",
        "trace",
        || findings::trace("upstream/running_backup_hides_vanished_snapshot"),
    ),
    (
        "specs/findings/vanished_previous_snapshot.md",
        "first way",
        || findings::trace("hardened-lists_again_for_every_vanished_file"),
    ),
    ("specs/findings/reused_after_move.md", "trace", || {
        findings::trace("upstream/reused_after_move")
    }),
    ("specs/findings/reused_after_move.md", "alone", || {
        findings::trace("hardened-marks_group_of_a_missing_entry")
    }),
    ("specs/findings/reused_after_move.md", "reproduce", || {
        findings::reproduce("reused_after_move")
    }),
    ("specs/findings/group_without_owner.md", "trace", || {
        findings::trace("upstream/group_without_owner_stays_unusable")
    }),
    ("specs/findings/group_without_owner.md", "reproduce", || {
        findings::reproduce("group_without_owner")
    }),
    (
        "specs/findings/names_without_things.md",
        "reproduce",
        || findings::reproduce("names_without_things"),
    ),
    ("specs/findings/names_without_things.md", "verify", || {
        findings::trace("upstream/moved_snapshot_fails_verify")
    }),
    ("specs/findings/names_without_things.md", "prune", || {
        findings::trace("upstream/vanished_snapshot_fails_prune")
    }),
    ("specs/findings/names_without_things.md", "hidden", || {
        findings::trace("upstream/vanished_snapshot_hides_group")
    }),
    ("specs/findings/names_without_things.md", "done", || {
        findings::trace("upstream/removal_fails_when_done")
    }),
    ("specs/findings/names_without_things.md", "backup", || {
        findings::trace("upstream/forgotten_previous_fails_backup")
    }),
    (
        "specs/findings/created_before_locked.md",
        "reproduce",
        || findings::reproduce("created_before_locked"),
    ),
    ("specs/findings/created_before_locked.md", "cleanup", || {
        findings::trace("upstream/aborted_backup_leaves_group")
    }),
    ("specs/findings/created_before_locked.md", "refused", || {
        findings::trace("upstream/refused_backup_leaves_snapshot")
    }),
    ("specs/findings/created_before_locked.md", "removed", || {
        findings::trace("upstream/snapshot_is_removed_before_its_lock")
    }),
    ("specs/findings/created_before_locked.md", "owner", || {
        findings::trace("upstream/group_without_owner_fails_backup")
    }),
    (
        "specs/findings/move_ignores_manifest_lock.md",
        "reproduce",
        || findings::reproduce("move_ignores_manifest_lock"),
    ),
    (
        "specs/findings/move_ignores_manifest_lock.md",
        "trace",
        || findings::trace("upstream/move_ignores_manifest_lock"),
    ),
    (
        "specs/findings/aborted_backup_ignores_manifest_lock.md",
        "reproduce",
        || findings::reproduce("aborted_backup_ignores_manifest_lock"),
    ),
    (
        "specs/findings/aborted_backup_ignores_manifest_lock.md",
        "trace",
        || findings::trace("upstream/notes_outlive_aborted_backup"),
    ),
    (
        "specs/findings/aborted_backup_ignores_manifest_lock.md",
        "holders",
        || findings::trace("upstream/aborted_backup_unlinks_manifest_lock"),
    ),
    (
        "specs/findings/killed_removal_leaves_manifest.md",
        "reproduce",
        || findings::reproduce("killed_removal_leaves_manifest"),
    ),
    (
        "specs/findings/killed_removal_leaves_manifest.md",
        "trace",
        || findings::trace("upstream/killed_removal_leaves_manifest"),
    ),
    (
        "specs/findings/protection_looked_for_too_early.md",
        "reproduce",
        || findings::reproduce("protection_looked_for_too_early"),
    ),
    (
        "specs/findings/protection_looked_for_too_early.md",
        "trace",
        || findings::trace("upstream/protection_looked_for_too_early"),
    ),
    (
        "specs/findings/verify_sets_good_chunk_aside.md",
        "reproduce",
        || findings::reproduce("verify_sets_good_chunk_aside"),
    ),
    (
        "specs/findings/verify_sets_good_chunk_aside.md",
        "trace",
        || findings::trace("upstream/verify_sets_good_chunk_aside"),
    ),
    (
        "specs/findings/aborted_backup_ignores_manifest_lock.md",
        "mends",
        || findings::mends("aborted_backup_ignores_manifest_lock"),
    ),
    ("specs/findings/created_before_locked.md", "mends", || {
        findings::mends("created_before_locked")
    }),
    (
        "specs/findings/drain_forgets_pending_rename.md",
        "mends",
        || findings::mends("drain_forgets_pending_rename"),
    ),
    (
        "specs/findings/failed_move_leaves_group.md",
        "mends",
        || findings::mends("failed_move_leaves_group"),
    ),
    ("specs/findings/flag_after_reload.md", "mends", || {
        findings::mends("flag_after_reload")
    }),
    (
        "specs/findings/killed_removal_leaves_manifest.md",
        "mends",
        || findings::mends("killed_removal_leaves_manifest"),
    ),
    ("specs/findings/lock_names_collide.md", "mends", || {
        findings::mends("lock_names_collide")
    }),
    (
        "specs/findings/move_ignores_manifest_lock.md",
        "mends",
        || findings::mends("move_ignores_manifest_lock"),
    ),
    ("specs/findings/names_without_things.md", "mends", || {
        findings::mends("names_without_things")
    }),
    ("specs/findings/owner_written_in_place.md", "mends", || {
        findings::mends("owner_written_in_place")
    }),
    (
        "specs/findings/removed_namespace_returns.md",
        "mends",
        || findings::mends("removed_namespace_returns"),
    ),
    ("specs/findings/torn_append.md", "mends", || {
        findings::mends("torn_append")
    }),
    (
        "specs/findings/vanished_previous_snapshot.md",
        "mends",
        || findings::mends("vanished_previous_snapshot"),
    ),
    (
        "specs/findings/vanished_snapshot_stops_gc.md",
        "mends",
        || findings::mends("vanished_snapshot_stops_gc"),
    ),
    (
        "specs/findings/protection_looked_for_too_early.md",
        "mends",
        || findings::mends("protection_looked_for_too_early"),
    ),
    (
        "specs/findings/verify_sets_good_chunk_aside.md",
        "mends",
        || findings::mends("verify_sets_good_chunk_aside"),
    ),
    ("specs/findings/group_without_owner.md", "mends", || {
        findings::mends("group_without_owner")
    }),
    ("specs/findings/reused_after_move.md", "mends", || {
        findings::mends("reused_after_move")
    }),
];
