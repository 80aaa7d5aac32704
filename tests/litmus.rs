//! Litmus tests: each one on this machine, in memory and in the model; and that a wrong claim is caught.
//!
//! What the kernel is assumed to do when several processes or open files are concerned stands here. What single calls answer,
//! their errors above all, is asked in `tests/loom/contract.rs`.
//!
//! A test whose needs this machine refuses says that it is skipped; with `LOCKSTEP_REQUIRE_LITMUS=1` that is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "litmus/claims.rs"]
mod claims;

use conformance::litmus::real::Options;
use conformance::litmus::report;
use conformance::litmus::text::program;
use conformance::litmus::{Litmus, Memory, Model};
use conformance::loom_explore::End;
use conformance::record::Verdict;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Enough to see what never or always happens; who wants a histogram asks the command for more.
const TRIES: u64 = 10;

fn options() -> Options {
    Options {
        lockstep: env!("CARGO_BIN_EXE_lockstep").into(),
        tmpfs: "/dev/shm".into(),
        disk: env!("CARGO_TARGET_TMPDIR").into(),
    }
}

/// Runs a test in all worlds.
fn holds(name: &str) {
    let litmus = Litmus::named(name).unwrap();
    let report = report::run(litmus, TRIES, 1, &options(), &|_| {}).unwrap();
    if let Some(reason) = &report.skipped {
        let required = std::env::var_os("LOCKSTEP_REQUIRE_LITMUS").is_some_and(|v| v == "1");
        assert!(!required, "{reason}, and LOCKSTEP_REQUIRE_LITMUS is set");
        eprintln!("skipped: {name}: {reason}");
    } else {
        assert_eq!(report.positive + report.negative, TRIES);
        assert_eq!(report.verdict, Verdict::Holds);
    }
    assert_eq!(report.failures, [""; 0]);
}

#[test]
fn two_opens_in_one_process() {
    holds("two_opens_in_one_process");
}

#[test]
fn two_processes() {
    holds("two_processes");
}

#[test]
fn two_processes_create() {
    holds("two_processes_create");
}

#[test]
fn two_processes_on_ext4() {
    holds("two_processes_on_ext4");
}

#[test]
fn duplicate_keeps_the_lock() {
    holds("duplicate_keeps_the_lock");
}

#[test]
fn inherited_descriptor_keeps_the_lock() {
    holds("inherited_descriptor_keeps_the_lock");
}

#[test]
fn close_on_exec_keeps_no_lock() {
    holds("close_on_exec_keeps_no_lock");
}

#[test]
fn leaked_descriptor_keeps_the_lock() {
    holds("leaked_descriptor_keeps_the_lock");
}

#[test]
fn unlock_by_a_child_ends_the_lock_of_its_parent() {
    holds("unlock_by_a_child_ends_the_lock_of_its_parent");
}

#[test]
fn other_close_keeps_the_flock() {
    holds("other_close_keeps_the_flock");
}

#[test]
fn conversion_loses_the_shared_lock() {
    holds("conversion_loses_the_shared_lock");
}

#[test]
fn two_conversions_race() {
    holds("two_conversions_race");
}

#[test]
fn shared_holders_stand_beside() {
    holds("shared_holders_stand_beside");
}

#[test]
fn close_wakes_the_waiter() {
    holds("close_wakes_the_waiter");
}

#[test]
fn table_shows_holder_and_waiter() {
    holds("table_shows_holder_and_waiter");
}

#[test]
fn reader_overtakes_waiting_writer() {
    holds("reader_overtakes_waiting_writer");
}

#[test]
fn waiter_overtakes_conversion() {
    holds("waiter_overtakes_conversion");
}

#[test]
fn timer_ends_a_wait() {
    holds("timer_ends_a_wait");
}

#[test]
fn ignored_signal_ends_no_wait() {
    holds("ignored_signal_ends_no_wait");
}

#[test]
fn handled_signal_ends_a_wait() {
    holds("handled_signal_ends_a_wait");
}

#[test]
fn unlink_while_waiting() {
    holds("unlink_while_waiting");
}

#[test]
fn record_lock_excludes_other_processes() {
    holds("record_lock_excludes_other_processes");
}

#[test]
fn record_lock_does_not_exclude_its_process() {
    holds("record_lock_does_not_exclude_its_process");
}

#[test]
fn other_close_drops_the_record_lock() {
    holds("other_close_drops_the_record_lock");
}

#[test]
fn downgrade_lets_no_writer_in() {
    holds("downgrade_lets_no_writer_in");
}

#[test]
fn downgrade_lets_readers_in() {
    holds("downgrade_lets_readers_in");
}

#[test]
fn record_unlock_lets_others_in() {
    holds("record_unlock_lets_others_in");
}

#[test]
fn record_lock_is_not_inherited() {
    holds("record_lock_is_not_inherited");
}

#[test]
fn close_of_an_inherited_descriptor_keeps_the_record_lock() {
    holds("close_of_an_inherited_descriptor_keeps_the_record_lock");
}

#[test]
fn flock_and_record_lock_are_two_locks() {
    holds("flock_and_record_lock_are_two_locks");
}

#[test]
fn killed_holder_is_gone_once_waited_for() {
    holds("killed_holder_is_gone_once_waited_for");
}

#[test]
fn killed_holder_may_be_there_until_waited_for() {
    holds("killed_holder_may_be_there_until_waited_for");
}

#[test]
fn killed_waiter_leaves_the_queue() {
    holds("killed_waiter_leaves_the_queue");
}

#[test]
fn killed_process_drops_its_record_lock() {
    holds("killed_process_drops_its_record_lock");
}

#[test]
fn taker_meets_remover() {
    holds("taker_meets_remover");
}

#[test]
fn taker_without_a_look_meets_remover() {
    holds("taker_without_a_look_meets_remover");
}

#[test]
fn unlinked_file_keeps_its_lock() {
    holds("unlinked_file_keeps_its_lock");
}

#[test]
fn rename_over_an_open_lock_file() {
    holds("rename_over_an_open_lock_file");
}

#[test]
fn rename_keeps_the_lock() {
    holds("rename_keeps_the_lock");
}

#[test]
fn two_renames_without_replacing() {
    holds("two_renames_without_replacing");
}

#[test]
fn two_renames_without_replacing_on_ext4() {
    holds("two_renames_without_replacing_on_ext4");
}

#[test]
fn loser_of_a_rename_opens_the_winner() {
    holds("loser_of_a_rename_opens_the_winner");
}

#[test]
fn replaced_file_is_never_missing() {
    holds("replaced_file_is_never_missing");
}

#[test]
fn two_mkdirs() {
    holds("two_mkdirs");
}

#[test]
fn rmdir_meets_create() {
    holds("rmdir_meets_create");
}

#[test]
fn two_listings_miss_what_moves_back() {
    holds("two_listings_miss_what_moves_back");
}

#[test]
fn two_listings_see_what_moves_on() {
    holds("two_listings_see_what_moves_on");
}

#[test]
fn listing_meets_rename_in_a_crowd() {
    holds("listing_meets_rename_in_a_crowd");
}

#[test]
fn listing_shows_a_bystander() {
    holds("listing_shows_a_bystander");
}

#[test]
fn listing_shows_a_bystander_on_ext4() {
    holds("listing_shows_a_bystander_on_ext4");
}

#[test]
fn inode_numbers_on_tmpfs() {
    holds("inode_numbers_on_tmpfs");
}

#[test]
fn inode_numbers_on_ext4() {
    holds("inode_numbers_on_ext4");
}

#[test]
fn open_file_keeps_its_number() {
    holds("open_file_keeps_its_number");
}

#[test]
fn open_file_keeps_its_number_on_ext4() {
    holds("open_file_keeps_its_number_on_ext4");
}

#[test]
fn two_appends() {
    holds("two_appends");
}

#[test]
fn two_appends_on_ext4() {
    holds("two_appends_on_ext4");
}

#[test]
fn read_meets_append() {
    holds("read_meets_append");
}

#[test]
fn append_on_a_full_tmpfs_is_short() {
    holds("append_on_a_full_tmpfs_is_short");
}

#[test]
fn full_tmpfs_still_locks() {
    holds("full_tmpfs_still_locks");
}

#[test]
fn no_inode_left() {
    holds("no_inode_left");
}

#[test]
fn truncate_makes_room() {
    holds("truncate_makes_room");
}

#[test]
fn unlinked_file_takes_room_while_it_is_open() {
    holds("unlinked_file_takes_room_while_it_is_open");
}

#[test]
fn mark_sets_atime_on_noatime() {
    holds("mark_sets_atime_on_noatime");
}

#[test]
fn rename_keeps_atime() {
    holds("rename_keeps_atime");
}

#[test]
fn read_marks_nothing_on_noatime() {
    holds("read_marks_nothing_on_noatime");
}

#[test]
fn read_marks_on_strictatime() {
    holds("read_marks_on_strictatime");
}

#[test]
fn read_marks_an_old_chunk_on_relatime() {
    holds("read_marks_an_old_chunk_on_relatime");
}

#[test]
fn read_marks_no_fresh_chunk_on_relatime() {
    holds("read_marks_no_fresh_chunk_on_relatime");
}

#[test]
fn read_without_atime_marks_nothing() {
    holds("read_without_atime_marks_nothing");
}

#[test]
fn every_litmus_test_is_run_here_and_no_name_is_there_twice() {
    let this = include_str!("litmus.rs");
    let mut names = BTreeSet::new();
    for litmus in Litmus::all() {
        assert!(names.insert(litmus.name), "{} is there twice", litmus.name);
        let test = format!(
            "#[test]\nfn {0}() {{\n    holds(\"{0}\");\n}}\n",
            litmus.name
        );
        assert!(this.contains(&test), "{} is not run", litmus.name);
    }
}

/// Counts that change say that other interleavings were tried; outcomes, that the machine in memory became another one.
#[test]
fn every_interleaving_in_memory_is_seen_and_comes_to_what_is_claimed() {
    let mut text = String::new();
    for litmus in Litmus::all() {
        let Some(explored) = report::in_memory(litmus).unwrap() else {
            continue;
        };
        assert_eq!(explored.end, End::Complete, "{}", litmus.name);
        let claimed = match litmus.memory {
            Memory::Same => litmus.expected,
            Memory::Differs(claimed, _) => claimed,
        };
        assert_eq!(explored.frequency(), Some(claimed), "{}", litmus.name);
        writeln!(
            text,
            "{}: {claimed}, {} executions",
            litmus.name, explored.executions
        )
        .unwrap();
        for (outcome, count) in explored.outcomes.outcomes() {
            let mark = if count.is_true { "*" } else { " " };
            writeln!(text, "  {mark} {outcome}").unwrap();
        }
    }
    insta::assert_snapshot!("in_memory", text);
}

/// What the model was asked, and in how many cases it said so.
#[test]
fn the_model_says_what_is_claimed() {
    let mut text = String::new();
    for litmus in Litmus::all() {
        let Model::Says(claimed, question) = litmus.model else {
            continue;
        };
        let answer = question.answer(2).unwrap();
        assert_eq!(answer.frequency, claimed, "{}", litmus.name);
        let cases = answer.positive + answer.negative;
        writeln!(
            text,
            "{}: {claimed}, {} of {cases} cases in {}",
            litmus.name, answer.positive, question.scenario
        )
        .unwrap();
    }
    insta::assert_snapshot!("in_the_model", text);
}

#[test]
fn programs_are_drawn_with_a_column_for_each_process() {
    let names = [
        "unlink_while_waiting",
        "inherited_descriptor_keeps_the_lock",
        "listing_meets_rename_in_a_crowd",
    ];
    let programs: Vec<String> = names
        .map(|name| program(Litmus::named(name).unwrap()))
        .into();
    insta::assert_snapshot!("programs", programs.join("\n"));
}
