//! One test for each mutant, under its name.

use super::{is_equivalent, is_found};

#[test]
fn move_group_append_journal_skip() {
    is_found("move_group.append_journal/skip");
}

#[test]
fn history_rename_before_append() {
    is_found("history/rename_before_append");
}

#[test]
fn history_record_source_path() {
    is_found("history/record_source_path");
}

#[test]
fn history_drain_before_iteration() {
    is_found("history/drain_before_iteration");
}

#[test]
fn gc_lock_journal_skip() {
    is_found("gc.lock_journal/skip");
}

#[test]
fn history_truncate_before_marking() {
    is_found("history/truncate_before_marking");
}

#[test]
fn history_drain_in_reverse() {
    is_found("history/drain_in_reverse");
}

#[test]
fn history_truncate_after_failed_entry() {
    is_found("history/truncate_after_failed_entry");
}

#[test]
fn history_missing_entry_is_fatal() {
    is_found("history/missing_entry_is_fatal");
}

#[test]
fn move_group_lock_journal_skip() {
    is_found("move_group.lock_journal/skip");
}

#[test]
fn history_rename_whole_group() {
    is_found("history/rename_whole_group");
}

#[test]
fn history_journal_in_memory() {
    is_found("history/journal_in_memory");
}

#[test]
fn history_leftovers_not_marked() {
    is_found("history/leftovers_not_marked");
}

#[test]
fn take_lock_flock_lock_file_skip() {
    is_found("take_lock.flock_lock_file/skip");
}

#[test]
fn take_lock_recheck_lock_file_skip() {
    is_found("take_lock.recheck_lock_file/skip");
}

#[test]
fn history_unlink_after_unlock() {
    is_found("history/unlink_after_unlock");
}

#[test]
fn history_recheck_before_flock() {
    is_found("history/recheck_before_flock");
}

#[test]
fn directory_locks() {
    is_found("directory_locks");
}

#[test]
fn history_merge_checked_before_lock() {
    is_found("history/merge_checked_before_lock");
}

#[test]
fn history_target_unlocked_early() {
    is_found("history/target_unlocked_early");
}

#[test]
fn move_group_lock_target_group_wait() {
    is_found("move_group.lock_target_group/wait");
}

#[test]
fn history_newest_moves_first() {
    is_found("history/newest_moves_first");
}

#[test]
fn move_group_lock_snapshot_wait() {
    is_found("move_group.lock_snapshot/wait");
}

#[test]
fn move_group_unlock_target_group_skip() {
    is_found("move_group.unlock_target_group/skip");
}

#[test]
fn history_copy_then_remove() {
    is_found("history/copy_then_remove");
}

#[test]
fn history_no_journal() {
    is_found("history/no_journal");
}

#[test]
fn upstream_torn_append_loses_entry() {
    is_found("upstream/torn_append_loses_entry");
}

#[test]
fn upstream_torn_append_stops_gc() {
    is_found("upstream/torn_append_stops_gc");
}

#[test]
fn upstream_drain_forgets_pending_rename() {
    is_found("upstream/drain_forgets_pending_rename");
}

#[test]
fn upstream_rename_without_entry() {
    is_found("upstream/rename_without_entry");
}

#[test]
fn upstream_vanished_snapshot_stops_gc() {
    is_found("upstream/vanished_snapshot_stops_gc");
}

#[test]
fn move_group_lock_manifest_skip() {
    is_found("move_group.lock_manifest/skip");
}

#[test]
fn upstream_move_ignores_manifest_lock() {
    is_found("upstream/move_ignores_manifest_lock");
}

#[test]
fn upstream_move_unlinks_manifest_lock() {
    is_found("upstream/move_unlinks_manifest_lock");
}

#[test]
fn upstream_failed_move_leaves_group() {
    is_found("upstream/failed_move_leaves_group");
}

#[test]
fn history_index_list_only() {
    is_found("history/index_list_only");
}

#[test]
fn history_no_second_listing() {
    is_found("history/no_second_listing");
}

#[test]
fn history_oldest_first() {
    is_found("history/oldest_first");
}

#[test]
fn history_previous_unlocked_early() {
    is_found("history/previous_unlocked_early");
}

#[test]
fn backup_lock_previous_skip() {
    is_found("backup.lock_previous/skip");
}

#[test]
fn history_previous_not_checked() {
    is_equivalent("history/previous_not_checked");
}

#[test]
fn pair_previous_neither_locked_nor_checked() {
    is_found("pair/previous_neither_locked_nor_checked");
}

#[test]
fn history_ignores_oldest_writer() {
    is_found("history/ignores_oldest_writer");
}

#[test]
fn history_oldest_writer_after_mark() {
    is_found("history/oldest_writer_after_mark");
}

#[test]
fn history_store_lock_after_first_chunk() {
    is_found("history/store_lock_after_first_chunk");
}

#[test]
fn history_store_lock_per_index() {
    is_found("history/store_lock_per_index");
}

#[test]
fn gc_lock_store_skip() {
    is_found("gc.lock_store/skip");
}

#[test]
fn history_store_lock_per_handle() {
    is_found("history/store_lock_per_handle");
}

#[test]
fn history_unlock_without_downgrade() {
    is_found("history/unlock_without_downgrade");
}

#[test]
fn history_two_process_locks() {
    is_found("history/two_process_locks");
}

#[test]
fn history_touch_without_mutex() {
    is_found("history/touch_without_mutex");
}

#[test]
fn history_sweep_in_two_periods() {
    is_found("history/sweep_in_two_periods");
}

#[test]
fn history_insert_decides_before_mutex() {
    is_found("history/insert_decides_before_mutex");
}

#[test]
fn history_rename_without_mutex() {
    is_found("history/rename_without_mutex");
}

#[test]
fn history_forget_unlocks_before_removal() {
    is_found("history/forget_unlocks_before_removal");
}

#[test]
fn forget_snapshot_lock_group_skip() {
    is_found("forget_snapshot.lock_group/skip");
}

#[test]
fn set_notes_lock_manifest_skip() {
    is_found("set_notes.lock_manifest/skip");
}

#[test]
fn verify_lock_manifest_skip() {
    is_found("verify.lock_manifest/skip");
}

#[test]
fn forget_snapshot_lock_manifest_skip() {
    is_found("forget_snapshot.lock_manifest/skip");
}

#[test]
fn move_group_lock_snapshot_skip() {
    is_found("move_group.lock_snapshot/skip");
}

#[test]
fn history_protection_not_checked() {
    is_found("history/protection_not_checked");
}

#[test]
fn history_prune_counts_unfinished() {
    is_found("history/prune_counts_unfinished");
}

#[test]
fn upstream_running_backup_hides_vanished_snapshot() {
    is_found("upstream/running_backup_hides_vanished_snapshot");
}

#[test]
fn upstream_forgotten_previous_fails_backup() {
    is_found("upstream/forgotten_previous_fails_backup");
}

#[test]
fn upstream_group_without_owner_fails_backup() {
    is_found("upstream/group_without_owner_fails_backup");
}

#[test]
fn upstream_snapshot_is_removed_before_its_lock() {
    is_found("upstream/snapshot_is_removed_before_its_lock");
}

#[test]
fn upstream_refused_backup_leaves_snapshot() {
    is_found("upstream/refused_backup_leaves_snapshot");
}

#[test]
fn upstream_aborted_backup_leaves_group() {
    is_found("upstream/aborted_backup_leaves_group");
}

#[test]
fn upstream_notes_outlive_aborted_backup() {
    is_found("upstream/notes_outlive_aborted_backup");
}

#[test]
fn upstream_aborted_backup_unlinks_manifest_lock() {
    is_found("upstream/aborted_backup_unlinks_manifest_lock");
}

#[test]
fn upstream_killed_removal_leaves_manifest() {
    is_found("upstream/killed_removal_leaves_manifest");
}

#[test]
fn upstream_moved_snapshot_fails_verify() {
    is_found("upstream/moved_snapshot_fails_verify");
}

#[test]
fn upstream_vanished_snapshot_fails_prune() {
    is_found("upstream/vanished_snapshot_fails_prune");
}

#[test]
fn upstream_vanished_snapshot_hides_group() {
    is_found("upstream/vanished_snapshot_hides_group");
}

#[test]
fn upstream_removal_fails_when_done() {
    is_found("upstream/removal_fails_when_done");
}

#[test]
fn upstream_verify_sets_good_chunk_aside() {
    is_found("upstream/verify_sets_good_chunk_aside");
}

#[test]
fn history_namespace_exclusive_alone() {
    is_found("history/namespace_exclusive_alone");
}

#[test]
fn history_namespace_shared_alone() {
    is_found("history/namespace_shared_alone");
}

#[test]
fn take_namespace_lock_lock_shared_skip() {
    is_found("take_namespace_lock.lock_shared/skip");
}

#[test]
fn history_namespace_ancestors_first() {
    is_found("history/namespace_ancestors_first");
}

#[test]
fn history_namespace_locks_block() {
    is_found("history/namespace_locks_block");
}

#[test]
fn namespace_locks() {
    is_found("namespace_locks");
}

#[test]
fn upstream_removed_namespace_returns() {
    is_found("upstream/removed_namespace_returns");
}

#[test]
fn upstream_removed_namespace_stops_gc() {
    is_found("upstream/removed_namespace_stops_gc");
}

#[test]
fn delete_namespace_lock_group_skip() {
    is_found("delete_namespace.lock_group/skip");
}

#[test]
fn upstream_moved_group_brings_namespace_back() {
    is_found("upstream/moved_group_brings_namespace_back");
}

#[test]
fn history_owner_not_rechecked() {
    is_found("history/owner_not_rechecked");
}

#[test]
fn set_owner_lock_group_skip() {
    is_found("set_owner.lock_group/skip");
}

#[test]
fn upstream_owner_written_in_place() {
    is_found("upstream/owner_written_in_place");
}

#[test]
fn history_flag_ignored() {
    is_found("history/flag_ignored");
}

#[test]
fn history_flag_per_call() {
    is_found("history/flag_per_call");
}

#[test]
fn upstream_flag_after_reload() {
    is_found("upstream/flag_after_reload");
}

#[test]
fn upstream_flag_after_reload_notes() {
    is_found("upstream/flag_after_reload_notes");
}

#[test]
fn history_recheck_before_flock_in_a_backup() {
    is_found("history/recheck_before_flock/in_a_backup");
}

#[test]
fn history_directory_groups_removed() {
    is_found("history/directory_groups_removed");
}

#[test]
fn gc_lock_group_skip() {
    is_found("gc.lock_group/skip");
}

#[test]
fn move_group_lock_source_group_skip() {
    is_found("move_group.lock_source_group/skip");
}

#[test]
fn move_group_lock_target_group_skip() {
    is_found("move_group.lock_target_group/skip");
}

#[test]
fn backup_lock_group_skip() {
    is_found("backup.lock_group/skip");
}

#[test]
fn backup_lock_snapshot_skip() {
    is_found("backup.lock_snapshot/skip");
}

#[test]
fn backup_lock_store_skip() {
    is_found("backup.lock_store/skip");
}

#[test]
fn forget_snapshot_lock_snapshot_skip() {
    is_found("forget_snapshot.lock_snapshot/skip");
}

#[test]
fn verify_lock_snapshot_skip() {
    is_found("verify.lock_snapshot/skip");
}

#[test]
fn take_namespace_lock_lock_exclusive_skip() {
    is_found("take_namespace_lock.lock_exclusive/skip");
}

#[test]
fn delete_namespace_lock_namespace_skip() {
    is_found("delete_namespace.lock_namespace/skip");
}

#[test]
fn delete_namespace_lock_ancestor_skip() {
    is_found("delete_namespace.lock_ancestor/skip");
}

#[test]
fn backup_lock_namespace_skip() {
    is_found("backup.lock_namespace/skip");
}

#[test]
fn prune_lock_namespace_skip() {
    is_found("prune.lock_namespace/skip");
}

#[test]
fn verify_lock_namespace_skip() {
    is_found("verify.lock_namespace/skip");
}

#[test]
fn move_group_lock_source_namespace_skip() {
    is_found("move_group.lock_source_namespace/skip");
}

#[test]
fn move_group_lock_target_namespace_skip() {
    is_found("move_group.lock_target_namespace/skip");
}

#[test]
fn backup_lock_manifest_skip() {
    is_found("backup.lock_manifest/skip");
}

#[test]
fn history_manifest_loaded_before_lock() {
    is_found("history/manifest_loaded_before_lock");
}

#[test]
fn upstream_reused_after_move() {
    is_found("upstream/reused_after_move");
}

#[test]
fn upstream_group_without_owner_stays_unusable() {
    is_found("upstream/group_without_owner_stays_unusable");
}

#[test]
fn upstream_protection_looked_for_too_early() {
    is_found("upstream/protection_looked_for_too_early");
}
