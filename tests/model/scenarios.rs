//! One test for each scenario, under its name.

use super::explores;

#[test]
fn one_move_meets_gc() {
    explores("one_move_meets_gc");
}

#[test]
fn one_move_meets_gc_with_kills() {
    explores("one_move_meets_gc_with_kills");
}

#[test]
fn one_process_moves_and_collects() {
    explores("one_process_moves_and_collects");
}

#[test]
fn move_meets_reload() {
    explores("move_meets_reload");
}

#[test]
fn move_out_of_the_root_meets_gc() {
    explores("move_out_of_the_root_meets_gc");
}

#[test]
fn two_gc_runs_meet_move() {
    explores("two_gc_runs_meet_move");
}

#[test]
fn two_moves_chain_meets_gc() {
    explores("two_moves_chain_meets_gc");
}

#[test]
fn two_moves_chain_meets_two_gc_runs() {
    explores("two_moves_chain_meets_two_gc_runs");
}

#[test]
fn move_there_and_back_meets_gc() {
    explores("move_there_and_back_meets_gc");
}

#[test]
fn two_moves_cross() {
    explores("two_moves_cross");
}

#[test]
fn two_moves_to_one_target() {
    explores("two_moves_to_one_target");
}

#[test]
fn move_merges_meets_gc() {
    explores("move_merges_meets_gc");
}

#[test]
fn gc_lists_a_busy_group() {
    explores("gc_lists_a_busy_group");
}

#[test]
fn stray_index_meets_gc() {
    explores("stray_index_meets_gc");
}

#[test]
fn foreign_line_meets_two_gc_runs() {
    explores("foreign_line_meets_two_gc_runs");
}

#[test]
fn full_tmpfs_meets_gc() {
    explores("full_tmpfs_meets_gc");
}

#[test]
fn two_moves_meet_full_tmpfs() {
    explores("two_moves_meet_full_tmpfs");
}

#[test]
fn torn_append_meets_gc() {
    explores("torn_append_meets_gc");
}

#[test]
fn torn_move_is_repeated_and_meets_gc() {
    explores("torn_move_is_repeated_and_meets_gc");
}

#[test]
fn move_meets_busy_snapshot() {
    explores("move_meets_busy_snapshot");
}

#[test]
fn second_batch_meets_busy_snapshot() {
    explores("second_batch_meets_busy_snapshot");
}

#[test]
fn two_gcs_meet() {
    explores("two_gcs_meet");
}

#[test]
fn two_takers_meet_remover() {
    explores("two_takers_meet_remover");
}

#[test]
fn three_takers_meet_remover() {
    explores("three_takers_meet_remover");
}

#[test]
fn move_merges_meets_backup() {
    explores("move_merges_meets_backup");
}

#[test]
fn move_merges_meets_forget() {
    explores("move_merges_meets_forget");
}

#[test]
fn move_meets_forget() {
    explores("move_meets_forget");
}

#[test]
fn backup_meets_gc() {
    explores("backup_meets_gc");
}

#[test]
fn backup_meets_gc_of_another_process() {
    explores("backup_meets_gc_of_another_process");
}

#[test]
fn long_backup_meets_gc() {
    explores("long_backup_meets_gc");
}

#[test]
fn backup_and_forget_meet_gc() {
    explores("backup_and_forget_meet_gc");
}

#[test]
fn backup_and_prune_meet_gc() {
    explores("backup_and_prune_meet_gc");
}

#[test]
fn two_processes_collect_beside_backup() {
    explores("two_processes_collect_beside_backup");
}

#[test]
fn backup_meets_reload() {
    explores("backup_meets_reload");
}

#[test]
fn gc_meets_reload() {
    explores("gc_meets_reload");
}

#[test]
fn two_backups_of_one_group() {
    explores("two_backups_of_one_group");
}

#[test]
fn backup_meets_forget_of_the_last_snapshot() {
    explores("backup_meets_forget_of_the_last_snapshot");
}

#[test]
fn aborted_backup_meets_verify() {
    explores("aborted_backup_meets_verify");
}

#[test]
fn backup_finds_no_inode_and_meets_verify() {
    explores("backup_finds_no_inode_and_meets_verify");
}

#[test]
fn backup_meets_notes() {
    explores("backup_meets_notes");
}

#[test]
fn aborted_backup_meets_notes() {
    explores("aborted_backup_meets_notes");
}

#[test]
fn two_verifications_meet_backup() {
    explores("two_verifications_meet_backup");
}

#[test]
fn prune_meets_aborted_backup() {
    explores("prune_meets_aborted_backup");
}

#[test]
fn killed_backup_meets_gc() {
    explores("killed_backup_meets_gc");
}

#[test]
fn killed_backup_meets_prune() {
    explores("killed_backup_meets_prune");
}

#[test]
fn killed_backup_meets_prune_and_gc() {
    explores("killed_backup_meets_prune_and_gc");
}

#[test]
fn verify_meets_forget() {
    explores("verify_meets_forget");
}

#[test]
fn verify_meets_move() {
    explores("verify_meets_move");
}

#[test]
fn prune_meets_move() {
    explores("prune_meets_move");
}

#[test]
fn verify_meets_forget_of_another() {
    explores("verify_meets_forget_of_another");
}

#[test]
fn two_removals_of_two_snapshots() {
    explores("two_removals_of_two_snapshots");
}

#[test]
fn two_removals_of_one_snapshot() {
    explores("two_removals_of_one_snapshot");
}

#[test]
fn notes_meet_verify_and_forget() {
    explores("notes_meet_verify_and_forget");
}

#[test]
fn notes_meet_moves_and_verify() {
    explores("notes_meet_moves_and_verify");
}

#[test]
fn notes_meet_move_away_and_back() {
    explores("notes_meet_move_away_and_back");
}

#[test]
fn killed_forget_meets_prune() {
    explores("killed_forget_meets_prune");
}

#[test]
fn verify_meets_gc() {
    explores("verify_meets_gc");
}

#[test]
fn insert_and_touch_meet_sweep() {
    explores("insert_and_touch_meet_sweep");
}

#[test]
fn insert_meets_set_aside() {
    explores("insert_meets_set_aside");
}

#[test]
fn backup_below_meets_deletion() {
    explores("backup_below_meets_deletion");
}

#[test]
fn takers_of_two_namespaces() {
    explores("takers_of_two_namespaces");
}

#[test]
fn takers_of_nested_namespaces() {
    explores("takers_of_nested_namespaces");
}

#[test]
fn two_owner_changes() {
    explores("two_owner_changes");
}

#[test]
fn owner_change_meets_backup() {
    explores("owner_change_meets_backup");
}

#[test]
fn owner_change_meets_forget_and_backup() {
    explores("owner_change_meets_forget_and_backup");
}

#[test]
fn deletion_meets_protected_snapshot() {
    explores("deletion_meets_protected_snapshot");
}

#[test]
fn first_backup_below_meets_deletion() {
    explores("first_backup_below_meets_deletion");
}

#[test]
fn deletion_meets_gc() {
    explores("deletion_meets_gc");
}

#[test]
fn deletion_of_empty_namespaces_meets_gc() {
    explores("deletion_of_empty_namespaces_meets_gc");
}

#[test]
fn deletion_of_target_meets_move() {
    explores("deletion_of_target_meets_move");
}

#[test]
fn deletion_of_source_meets_move() {
    explores("deletion_of_source_meets_move");
}

#[test]
fn deletion_meets_verify_and_prune() {
    explores("deletion_meets_verify_and_prune");
}

#[test]
fn two_deletions_of_nested_namespaces() {
    explores("two_deletions_of_nested_namespaces");
}

#[test]
fn two_pairs_of_namespaces_cross() {
    explores("two_pairs_of_namespaces_cross");
}

#[test]
fn killed_owner_change_meets_backup() {
    explores("killed_owner_change_meets_backup");
}

#[test]
fn old_backup_meets_new_forget() {
    explores("old_backup_meets_new_forget");
}

#[test]
fn old_notes_meet_new_notes() {
    explores("old_notes_meet_new_notes");
}

#[test]
fn flag_meets_two_tasks() {
    explores("flag_meets_two_tasks");
}

#[test]
fn directory_locks_meet_gc() {
    explores("directory_locks_meet_gc");
}

#[test]
fn directory_locks_in_upkeep() {
    explores("directory_locks_in_upkeep");
}

#[test]
fn directory_locks_refuse_a_move() {
    explores("directory_locks_refuse_a_move");
}

#[test]
fn directory_locks_keep_groups() {
    explores("directory_locks_keep_groups");
}

#[test]
fn set_owner_meets_forget_and_backup_call_by_call() {
    explores("set_owner_meets_forget_and_backup_call_by_call");
}

#[test]
fn two_backups_meet_forget_call_by_call() {
    explores("two_backups_meet_forget_call_by_call");
}

#[test]
fn two_changes_of_notes_meet_forget_call_by_call() {
    explores("two_changes_of_notes_meet_forget_call_by_call");
}

#[test]
fn killed_change_of_notes_meets_forget_call_by_call() {
    explores("killed_change_of_notes_meets_forget_call_by_call");
}

#[test]
fn removed_directory_meets_two_backups() {
    explores("removed_directory_meets_two_backups");
}

#[test]
fn flag_meets_first_backups() {
    explores("flag_meets_first_backups");
}

#[test]
fn removed_directory_meets_owner_change() {
    explores("removed_directory_meets_owner_change");
}

#[test]
fn move_and_backup_and_forget_meet_gc() {
    explores("move_and_backup_and_forget_meet_gc");
}

#[test]
fn move_and_backup_and_prune_meet_gc() {
    explores("move_and_backup_and_prune_meet_gc");
}

#[test]
fn move_and_backup_and_deletion_meet_gc() {
    explores("move_and_backup_and_deletion_meet_gc");
}

#[test]
fn move_and_backup_meet_deletion() {
    explores("move_and_backup_meet_deletion");
}

#[test]
fn two_merging_moves_meet_backup() {
    explores("two_merging_moves_meet_backup");
}

#[test]
fn killed_first_backup_meets_backup() {
    explores("killed_first_backup_meets_backup");
}

#[test]
fn killed_removal_of_a_group_meets_backup() {
    explores("killed_removal_of_a_group_meets_backup");
}

#[test]
fn move_of_protected_snapshot_meets_forget() {
    explores("move_of_protected_snapshot_meets_forget");
}
