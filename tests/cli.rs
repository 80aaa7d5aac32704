//! The built binary from outside: exit codes, records, and one clear sentence for every mistake.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "cli/agreement.rs"]
mod agreement;
#[path = "cli/claim.rs"]
mod claim;
#[path = "cli/compare.rs"]
mod compare;
#[path = "cli/designs.rs"]
mod designs;
#[path = "cli/directories.rs"]
mod directories;
#[path = "cli/drawings.rs"]
mod drawings;
#[path = "cli/faults.rs"]
mod faults;
#[path = "cli/litmus.rs"]
mod litmus;
#[path = "cli/lock_order.rs"]
mod lock_order;
#[path = "cli/questions.rs"]
mod questions;
#[path = "cli/records.rs"]
mod records_page;
#[path = "cli/surroundings.rs"]
mod surroundings;
#[path = "cli/traces.rs"]
mod traces;

use serde_json::Value;
use std::process::{Command, Output, Stdio};

const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

fn lockstep(arguments: &[&str]) -> Output {
    Command::new(LOCKSTEP)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn records(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn complaint(arguments: &[&str]) -> String {
    let output = lockstep(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn check_of_a_scenario_that_holds_exits_0_with_a_complete_record() {
    let output = lockstep(&["check", "one_move_meets_gc", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let record = &records(&output)[0];
    assert_eq!(record["kind"], "check");
    assert_eq!(record["scenario"], "one_move_meets_gc");
    assert_eq!(record["design"], "hardened");
    assert_eq!(record["mutant"], Value::Null);
    assert_eq!(record["verdict"], "holds");
    assert_eq!(record["complete"], true);
    assert_eq!(record["properties"][0]["mood"], "always");
    for field in ["states", "edges", "depth", "seconds"] {
        assert!(record[field].is_number(), "{field}");
    }
}

#[test]
fn check_of_the_published_design_exits_1_where_a_finding_stands() {
    let output = lockstep(&[
        "check",
        "two_gc_runs_meet_move",
        "--design",
        "upstream",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(records(&output)[0]["verdict"], "violated");
    let output = lockstep(&["check", "two_gc_runs_meet_move", "--design", "upstream"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let how_soon = "live_chunk_is_never_swept is violated after 79 events";
    assert!(text.contains(how_soon), "{text}");
}

#[test]
fn check_of_what_was_never_put_to_the_test_exits_1_and_calls_nothing_violated() {
    let check = ["check", "one_move_meets_gc", "--design", "directory_locks"];
    for engine in ["lockstep", "both", "stateright"] {
        let output = lockstep(&[&check[..], &["--engine", engine, "--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(1), "{engine}");
        let record = &records(&output)[0];
        assert_eq!(record["verdict"], "untested", "{engine}");
        let properties = record["properties"].as_array().unwrap();
        let broken = |asked: &&Value| asked["mood"] == "always" && asked["hits"] != 0;
        assert_eq!(properties.iter().find(broken), None, "{engine}");
        assert_ne!(record["failures"], serde_json::json!([]), "{engine}");
    }
}

#[test]
fn check_of_one_property_says_nothing_about_the_others() {
    let check = ["check", "one_move_meets_gc", "--design", "upstream"];
    let asking = |property: &str| {
        let output =
            lockstep(&[&check[..], &["--format", "json", "--property", property]].concat());
        let record = &records(&output)[0];
        let asked = record["properties"].as_array().unwrap().iter();
        let names: Vec<&str> = asked.map(|asked| asked["name"].as_str().unwrap()).collect();
        // The shape of a state is looked at in every run.
        assert_eq!(names, ["state_is_well_formed", property]);
        output.status.code()
    };
    assert_eq!(asking("live_chunk_is_never_swept"), Some(0));
    assert_eq!(asking("gc_that_meets_no_abort_condition_finishes"), Some(1));
    assert_eq!(
        asking("merge_keeps_time_order"),
        Some(1),
        "nothing tests it"
    );
    let witness = ["--property", "can_collect_beside_backup"];
    let not_asked = complaint(&[&check[..], &witness].concat());
    assert!(
        not_asked.contains("one_move_meets_gc does not ask can_collect_beside_backup"),
        "{not_asked}"
    );
    let unknown = complaint(&[&check[..], &["--property", "live_chunk_is_swept"]].concat());
    assert!(
        unknown.contains("did you mean live_chunk_is_never_swept?")
            && unknown.contains("lockstep list properties"),
        "{unknown}"
    );
}

#[test]
fn check_of_one_property_without_a_scenario_is_that_of_every_scenario_that_asks_it() {
    let check = ["check", "--engine", "lockstep", "--format", "json"];
    let asking = |property: &str| {
        let output = lockstep(&[&check[..], &["--property", property]].concat());
        assert_eq!(output.status.code(), Some(0));
        let done = records(&output);
        let tests_it = |record: &Value| {
            let asked = record["properties"].as_array().unwrap();
            let found = asked.iter().find(|asked| asked["name"] == property);
            (
                record["scenario"].as_str().unwrap().to_owned(),
                found.unwrap()["verdict"] == "holds",
            )
        };
        done.iter().map(tests_it).collect::<Vec<_>>()
    };
    let asked = asking("merge_keeps_time_order");
    assert!(asked.contains(&("two_gcs_meet".to_owned(), false)));
    for (name, tests_it) in asked.iter().filter(|(name, _)| name.contains("two_")) {
        let one = lockstep(&[&check[..], &[name, "--property", "merge_keeps_time_order"]].concat());
        let expected = if *tests_it { 0 } else { 1 };
        assert_eq!(one.status.code(), Some(expected), "{name}");
    }
    let witnessed = asking_where_it_is_asked(&check, "can_collect_beside_backup");
    assert!(!witnessed.is_empty() && !witnessed.contains(&"two_gcs_meet".to_owned()));
}

/// The scenarios that ask a property of some state.
fn asking_where_it_is_asked(check: &[&str], property: &str) -> Vec<String> {
    let output = lockstep(&[check, &["--property", property]].concat());
    assert_eq!(output.status.code(), Some(0));
    let done = records(&output);
    let names = done.iter().map(|record| record["scenario"].as_str());
    names.map(|name| name.unwrap().to_owned()).collect()
}

#[test]
fn a_search_under_loom_that_ends_at_its_budget_is_cut_and_one_that_finds_is_not() {
    let search = |executions: &str| {
        let mutant = ["mutants", "history/rename_whole_group", "--by", "loom"];
        let budget = ["--max-executions", executions, "--format", "json"];
        let output = lockstep(&[&mutant[..], &budget].concat());
        let record = &records(&output)[0];
        (
            output.status.code(),
            record["verdict"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(search("2"), (Some(3), "cut".to_owned()));
    assert_eq!(search("2000"), (Some(0), "violated".to_owned()));
}

#[test]
fn a_mutant_that_loom_cannot_look_for_is_not_green_when_it_alone_is_named() {
    let mutant = "upstream/killed_removal_leaves_manifest";
    let text = complaint(&["mutants", mutant, "--by", "loom"]);
    for part in [
        mutant,
        "falls only with a kill, and the machine in memory has none",
        "model, replay, kill and lock order look with --by model",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let both = ["mutants", mutant, "history/rename_whole_group"];
    let output = lockstep(&[&both[..], &["--by", "loom", "--max-executions", "2000"]].concat());
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn check_that_is_cut_short_is_never_green() {
    for engine in ["lockstep", "both"] {
        let output = lockstep(&[
            "check",
            "one_move_meets_gc",
            "--max-states",
            "100",
            "--engine",
            engine,
            "--format",
            "json",
        ]);
        assert_eq!(output.status.code(), Some(3), "{engine}");
        let record = &records(&output)[0];
        assert_eq!(record["verdict"], "cut");
        assert_eq!(record["complete"], false);
    }
}

#[test]
fn a_limit_is_refused_where_the_engine_has_none() {
    let text = complaint(&[
        "check",
        "one_move_meets_gc",
        "--engine",
        "stateright",
        "--max-states",
        "5",
    ]);
    assert!(text.contains("--max-states"), "{text}");
}

#[test]
fn both_engines_agree_and_each_can_be_asked_alone() {
    for engine in ["lockstep", "stateright", "both"] {
        let output = lockstep(&[
            "check",
            "two_moves_cross",
            "--engine",
            engine,
            "--format",
            "json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{engine}");
        let record = &records(&output)[0];
        assert_eq!(record["engine"], engine);
        assert_eq!(record["depth"].is_null(), engine == "stateright");
    }
    let output = lockstep(&["check", "two_moves_cross", "--engine", "stateright"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let row = table.lines().nth(1).unwrap().split_whitespace();
    assert_eq!(row.collect::<Vec<_>>()[5], "-", "{table}");
}

#[test]
fn replay_of_a_scenario_takes_every_edge() {
    let output = lockstep(&["replay", "two_moves_cross", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let record = &records(&output)[0];
    assert_eq!(record["kind"], "replay");
    assert_eq!(record["edges_replayed"], record["edges"]);
    for field in ["steps", "traces", "compared_fields", "locks_witnessed"] {
        assert!(record[field].as_u64().unwrap() > 0, "{field}");
    }
}

#[test]
fn a_replay_that_holds_says_what_model_and_code_break_alike() {
    let scenario = "aborted_backup_meets_verify";
    let published = ["replay", scenario, "--design", "upstream"];
    let breaks = [
        "failed_backup_leaves_nothing",
        "job_skips_what_vanished",
        "what_is_left_can_be_used_again",
    ];
    let output = lockstep(&[&published[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0));
    let record = &records(&output)[0];
    assert_eq!(record["verdict"], "holds");
    assert_eq!(record["model_breaks"], serde_json::json!(breaks));
    let text = String::from_utf8(lockstep(&published).stdout).unwrap();
    let sentence = format!(
        "{scenario}: under upstream the model breaks {}; holds says that the code does the same",
        breaks.join(", ")
    );
    assert!(text.contains(&sentence), "{text}");
    let hardened = lockstep(&["replay", scenario, "--format", "json"]);
    assert_eq!(records(&hardened)[0]["model_breaks"], serde_json::json!([]));
}

#[test]
fn a_store_on_a_disk_with_its_locks_on_a_tmpfs_replays_as_well() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = disk.path().to_str().unwrap();
    let output = lockstep(&[
        "replay",
        "two_moves_cross",
        "--store-dir",
        path,
        "--format",
        "json",
    ]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(
        records(&output)[0]["edges_replayed"],
        records(&output)[0]["edges"]
    );
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    let text = complaint(&[
        "replay",
        "two_moves_cross",
        "--store-dir",
        "/there/is/nothing",
    ]);
    assert!(
        text.contains("/there/is/nothing") && text.contains("--store-dir"),
        "{text}"
    );
}

#[test]
fn a_mutant_is_reported_with_what_found_it() {
    let output = lockstep(&["mutants", "M32", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let record = &records(&output)[0];
    assert_eq!(record["mutant"], "take_lock.recheck_lock_file/skip");
    assert_eq!(record["found_by"], serde_json::json!(["model", "replay"]));
    assert_eq!(record["equivalent"], false);
}

#[test]
fn why_a_mutant_is_not_found_in_some_way_is_said_once_for_all_of_whom_it_is_true() {
    let of = |mutants: &[&str]| {
        let output = lockstep(&[&["mutants"], mutants].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let reasons = text
            .lines()
            .filter(|line| line.contains("not found by kill"));
        reasons.map(str::to_owned).collect::<Vec<_>>()
    };
    let reason = "not found by kill: nobody is killed in its scenario";
    let one = of(&["M32"]);
    assert_eq!(one, [format!("take_lock.recheck_lock_file/skip: {reason}")]);
    assert_eq!(of(&["M32", "M33"]), [format!("2 mutants: {reason}")]);
}

#[test]
fn a_number_of_several_mutants_means_all_of_them_and_none_where_one_is_needed() {
    let several = ["history/flag_ignored", "history/flag_per_call"];
    let output = lockstep(&["mutants", "M36", "--format", "json"]);
    let records = records(&output);
    let run: Vec<&str> = records
        .iter()
        .map(|record| record["mutant"].as_str().unwrap())
        .collect();
    assert_eq!(run, several);
    for command in ["check", "replay", "trace", "explore", "lock-order"] {
        let text = complaint(&[command, "--mutant", "M36"]);
        assert!(several.iter().all(|name| text.contains(name)), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn list_names_everything_that_exists() {
    let output = lockstep(&["list", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let kinds: std::collections::BTreeSet<String> = records(&output)
        .iter()
        .map(|r| r["kind"].as_str().unwrap().to_owned())
        .collect();
    let wanted = [
        "change",
        "design",
        "litmus_test",
        "lock",
        "mutant",
        "operation",
        "property",
        "scenario",
        "set",
        "step",
        "task",
        "tree",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_listed_lock_has_the_columns_of_its_class() {
    let records = records(&lockstep(&["list", "locks", "--format", "json"]));
    let manifest = records.iter().find(|lock| lock["name"] == "manifest");
    let manifest = manifest.unwrap();
    assert_eq!(manifest["owner"], "backup:backup");
    assert_eq!(manifest["mode"], "0660");
    assert_eq!(manifest["modes"], serde_json::json!(["exclusive"]));
    assert_eq!(manifest["wait"], "waits 5 s");
    let takers = manifest["taken_by"].as_array().unwrap();
    assert!(takers.contains(&"set_notes.lock_manifest".into()));
    for lock in &records {
        for field in ["removed_by", "path"] {
            assert!(lock[field].is_string(), "{field} of {lock}");
        }
        assert!(!lock["taken_by"].as_array().unwrap().is_empty(), "{lock}");
    }
}

#[test]
fn trace_draws_lanes_and_mermaid_and_writes_a_file_that_replays() {
    let lanes = lockstep(&["trace", "--mutant", "move_group.lock_target_group/wait"]);
    let text = String::from_utf8(lanes.stdout).unwrap();
    assert!(text.contains("lock_source_group"), "{text}");
    let mermaid = lockstep(&[
        "trace",
        "two_moves_cross",
        "--mutant",
        "move_group.lock_target_group/wait",
        "--format",
        "mermaid",
    ]);
    assert!(
        String::from_utf8(mermaid.stdout)
            .unwrap()
            .starts_with("sequenceDiagram")
    );
    let json = lockstep(&[
        "trace",
        "--mutant",
        "move_group.lock_target_group/wait",
        "--format",
        "json",
    ]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    std::fs::write(&file, json.stdout).unwrap();
    let replay = lockstep(&["replay", "--trace", file.to_str().unwrap(), "--quiet"]);
    let text = String::from_utf8(replay.stdout).unwrap();
    assert_eq!(replay.status.code(), Some(1), "{text}");
    assert!(
        text.contains("no_operation_waits_forever violated"),
        "{text}"
    );
}

#[test]
fn unknown_names_suggest_the_nearest() {
    for (arguments, nearest) in [
        (
            ["check", "one_move_meet_gc"].as_slice(),
            "one_move_meets_gc",
        ),
        (
            ["check", "two_moves_cross", "--design", "upstraem"].as_slice(),
            "upstream",
        ),
        (
            ["mutants", "take_lock.recheck"].as_slice(),
            "take_lock.recheck_lock_file/skip",
        ),
        (
            [
                "trace",
                "two_moves_cross",
                "--property",
                "no_operation_wait_forever",
            ]
            .as_slice(),
            "no_operation_waits_forever",
        ),
    ] {
        let text = complaint(arguments);
        assert!(text.contains(nearest), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn names_that_nothing_is_near_to_suggest_nothing() {
    for arguments in [
        &["check", "foo"][..],
        &["check", ""],
        &["check", "two_moves_cross", "--design", "xyzzy"],
        &["mutants", "M99"],
        &["litmus", "foo"],
    ] {
        let text = complaint(arguments);
        assert!(
            text.contains("there is no") && !text.contains("did you mean"),
            "{arguments:?}: {text}"
        );
        assert!(text.contains("lockstep list"), "{arguments:?}: {text}");
    }
}

#[test]
fn a_command_that_is_not_for_users_is_not_suggested() {
    let text = complaint(&["lock_order"]);
    assert!(
        text.contains("lock-order") && !text.contains("worker"),
        "{text}"
    );
    let text = complaint(&["workers"]);
    assert!(!text.contains("'worker'"), "{text}");
}

#[test]
fn a_number_of_executions_is_refused_where_nothing_is_executed() {
    let text = complaint(&["mutants", "M32", "--max-executions", "10"]);
    assert!(text.contains("--by loom"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_kill_run_and_a_scenario_with_kills_belong_together() {
    let text = complaint(&["replay", "one_move_meets_gc_with_kills"]);
    assert!(text.contains("--kill"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = complaint(&["replay", "one_move_meets_gc", "--kill"]);
    assert!(text.contains("one_move_meets_gc_with_kills"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_lock_directory_that_cannot_be_used_is_refused_in_one_sentence() {
    let off_tmpfs = env!("CARGO_MANIFEST_DIR");
    for directory in [off_tmpfs, "/dev/shm/there-is-no-such-directory"] {
        let text = complaint(&["replay", "two_moves_cross", "--lock-dir", directory]);
        assert!(
            text.contains(directory) && text.contains("--lock-dir"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn without_a_terminal_nothing_but_the_result_is_printed() {
    let output = lockstep(&["check", "two_moves_cross"]);
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!String::from_utf8(output.stdout).unwrap().contains('\u{1b}'));
}
