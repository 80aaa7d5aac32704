//! One test for each mutant that is the hardened design without one mend, under its name.

use super::is_found;

#[test]
fn hardened_lists_again_after_a_vanished_snapshot() {
    is_found("hardened-lists_again_after_a_vanished_snapshot");
}

#[test]
fn hardened_skips_a_vanished_namespace() {
    is_found("hardened-skips_a_vanished_namespace");
}

#[test]
fn hardened_mends_torn_tail() {
    is_found("hardened-mends_torn_tail");
}

#[test]
fn hardened_renames_under_journal_lock() {
    is_found("hardened-renames_under_journal_lock");
}

#[test]
fn hardened_moves_under_manifest_lock() {
    is_found("hardened-moves_under_manifest_lock");
}

#[test]
fn hardened_removes_group_of_a_failed_move() {
    is_found("hardened-removes_group_of_a_failed_move");
}

#[test]
fn hardened_locks_before_it_creates() {
    is_found("hardened-locks_before_it_creates");
}

#[test]
fn hardened_rechecks_after_locking() {
    is_found("hardened-rechecks_after_locking");
}

#[test]
fn hardened_removes_group_of_a_failed_backup() {
    is_found("hardened-removes_group_of_a_failed_backup");
}

#[test]
fn hardened_cleans_up_after_a_refused_backup() {
    is_found("hardened-cleans_up_after_a_refused_backup");
}

#[test]
fn hardened_locks_manifest_of_a_failed_backup() {
    is_found("hardened-locks_manifest_of_a_failed_backup");
}

#[test]
fn hardened_makes_lock_of_manifest_first() {
    is_found("hardened-makes_lock_of_manifest_first");
}

#[test]
fn hardened_removes_the_manifest_first() {
    is_found("hardened-removes_the_manifest_first");
}

#[test]
fn hardened_skips_a_vanished_snapshot() {
    is_found("hardened-skips_a_vanished_snapshot");
}

#[test]
fn hardened_sets_aside_only_what_it_read() {
    is_found("hardened-sets_aside_only_what_it_read");
}

#[test]
fn hardened_never_creates_namespaces() {
    is_found("hardened-never_creates_namespaces");
}

#[test]
fn hardened_replaces_owner_file() {
    is_found("hardened-replaces_owner_file");
}

#[test]
fn hardened_sets_flag_before_reload() {
    is_found("hardened-sets_flag_before_reload");
}

#[test]
fn hardened_lists_again_for_every_vanished_file() {
    is_found("hardened-lists_again_for_every_vanished_file");
}

#[test]
fn hardened_lists_names_again() {
    is_found("hardened-lists_names_again");
}

#[test]
fn hardened_locks_target_before_it_creates() {
    is_found("hardened-locks_target_before_it_creates");
}

#[test]
fn hardened_marks_group_of_a_missing_entry() {
    is_found("hardened-marks_group_of_a_missing_entry");
}

#[test]
fn hardened_adopts_an_ownerless_group() {
    is_found("hardened-adopts_an_ownerless_group");
}

#[test]
fn hardened_finds_protection_in_the_listing() {
    is_found("hardened-finds_protection_in_the_listing");
}
