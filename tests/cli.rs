//! The built binary from outside: exit codes, records, and one clear sentence for every mistake.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

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
        assert_eq!(records(&output)[0]["engine"], engine);
    }
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
fn list_names_everything_that_exists() {
    let output = lockstep(&["list", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let kinds: std::collections::BTreeSet<String> = records(&output)
        .iter()
        .map(|r| r["kind"].as_str().unwrap().to_owned())
        .collect();
    let wanted = [
        "design",
        "lock",
        "mutant",
        "operation",
        "property",
        "scenario",
        "step",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), wanted);
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
fn a_counterexample_is_drawn_in_few_lines_with_its_locks_and_its_end() {
    let mutant = ["trace", "--mutant", "history/rename_before_append"];
    let output = lockstep(&mutant);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = |text: &str| {
        let numbered = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        text.lines().filter(numbered).count()
    };
    assert!(lines(&text) <= 12, "{text}");
    assert!(
        text.contains("<== breaks live_chunk_is_never_swept"),
        "{text}"
    );
    assert!(text.contains("locks: A gc_slot, B store"), "{text}");
    let full = lockstep(&[&mutant[..], &["--full"]].concat());
    let full = String::from_utf8(full.stdout).unwrap();
    assert_eq!(lines(&full), 38, "{full}");
    assert!(full.contains("check_move"), "{full}");
}

#[test]
fn a_behaviour_from_a_file_is_thinned_before_it_is_drawn() {
    let mutant = ["trace", "--mutant", "move_group.lock_target_group/wait"];
    let json = lockstep(&[&mutant[..], &["--format", "json"]].concat());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap().to_owned();
    std::fs::write(&file, &json.stdout).unwrap();
    let same = lockstep(&["trace", "--trace", &path, "--format", "json"]);
    assert_eq!(same.status.code(), Some(0));
    assert_eq!(
        same.stdout, json.stdout,
        "a shortest behaviour stays as it is"
    );

    // A trace of a mutant with three actors, of which one more step than needed was recorded.
    let found = lockstep(&[
        "trace",
        "--mutant",
        "history/unlink_after_unlock",
        "--format",
        "json",
    ]);
    let mut trace: Value = serde_json::from_slice(&found.stdout).unwrap();
    let open = r#"{"step":{"actor":2,"label":{"take_lock":{"open_lock_file":"vm/100"}},"outcome":"done"}}"#;
    let events = trace["events"].as_array_mut().unwrap();
    let shortest = events.len();
    events.insert(0, serde_json::from_str(open).unwrap());
    std::fs::write(&file, trace.to_string()).unwrap();
    let output = lockstep(&["trace", "--trace", &path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let left = format!("{shortest} of {} events are left", shortest + 1);
    assert!(text.contains(&left), "{text}");

    // Without its end it shows nothing.
    trace["events"].as_array_mut().unwrap().pop();
    std::fs::write(&file, trace.to_string()).unwrap();
    let text = complaint(&["trace", "--trace", &path]);
    assert!(text.contains(&path) && text.contains("no state"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = complaint(&["trace", "two_moves_cross", "--trace", &path]);
    assert!(text.contains("--trace"), "{text}");
}

#[test]
fn a_picture_of_a_trace_stands_alone() {
    let output = lockstep(&[
        "trace",
        "--mutant",
        "gc.lock_journal/skip",
        "--format",
        "svg",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("<svg xmlns=") && text.trim_end().ends_with("</svg>"));
    for wanted in [
        "<title>gc in proxy has store, exclusive, from event 2 to the end</title>",
        "gc in proxy relies, without having it, on move_journal",
        "class=\"alarm\"",
        "prefers-color-scheme:dark",
        "breaks live_chunk_is_never_swept",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    // Nothing is fetched from anywhere, and every element is closed.
    assert!(!text.contains("href") && !text.contains("<script"));
    for tag in ["text", "title", "rect", "style"] {
        let start = format!("<{tag}");
        let pieces: Vec<&str> = text.split(&start).skip(1).collect();
        let ended = |piece: &&&str| piece.split('>').next().unwrap().ends_with('/');
        let opened = pieces.len() - pieces.iter().filter(ended).count();
        let closed = text.matches(&format!("</{tag}>")).count();
        assert_eq!(opened, closed, "{tag}");
    }
}

#[test]
fn a_trace_is_written_in_the_informal_trace_format() {
    let output = lockstep(&[
        "trace",
        "--mutant",
        "history/missing_entry_is_fatal",
        "--format",
        "itf",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let trace: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(trace["#meta"]["format"], "ITF");
    let names: Vec<&str> = trace["vars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let states = trace["states"].as_array().unwrap();
    assert_eq!(states.len(), 40, "one for the start and one for each event");
    for (n, state) in states.iter().enumerate() {
        let state = state.as_object().unwrap();
        assert_eq!(state["#meta"]["index"], n);
        let mut found: Vec<&str> = state.keys().map(String::as_str).collect();
        found.retain(|name| *name != "#meta");
        let mut wanted = names.clone();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        for name in &names {
            is_itf(&state[*name]);
            // A variable has one type throughout, so a record has the same fields in every state.
            if let (Value::Object(here), Value::Object(first)) = (&state[*name], &states[0][*name])
            {
                assert!(here.keys().eq(first.keys()), "{name}");
            }
        }
    }
    assert_eq!(states[1]["last_event"]["step"], "gc.lock_gc_slot");
    assert_eq!(states[1]["last_event"]["who"], "gc in proxy");
    let kinds = |kind: &str| {
        let with = |state: &&Value| state["last_event"]["kind"] == kind;
        states.iter().filter(with).count()
    };
    assert_eq!((kinds("start"), kinds("killed"), kinds("step")), (1, 1, 38));
    let still = |n: usize| &states[n]["environment_may_still"]["kill"]["#bigint"];
    assert_eq!((still(0), still(39)), (&"1".into(), &"0".into()));
}

/// Whether a value is an expression of the format: a name with `#` in front stands alone, and numbers are strings.
fn is_itf(value: &Value) {
    match value {
        Value::Bool(_) | Value::String(_) => {}
        Value::Null | Value::Number(_) => panic!("{value} is no value of the format"),
        Value::Array(items) => items.iter().for_each(is_itf),
        Value::Object(fields) => match fields.keys().find(|name| name.starts_with('#')) {
            None => fields.values().for_each(is_itf),
            Some(name) => {
                assert_eq!(fields.len(), 1, "{value}");
                match (name.as_str(), &fields[name]) {
                    ("#bigint", Value::String(digits)) => {
                        digits.parse::<i128>().unwrap();
                    }
                    ("#set", Value::Array(items)) => {
                        items.iter().for_each(is_itf);
                        for (n, item) in items.iter().enumerate() {
                            assert!(!items[..n].contains(item), "{item} is there twice");
                        }
                    }
                    ("#map", Value::Array(pairs)) => {
                        for (n, pair) in pairs.iter().enumerate() {
                            let [key, item] = pair.as_array().unwrap().as_slice() else {
                                panic!("{pair} is no pair");
                            };
                            is_itf(key);
                            is_itf(item);
                            assert!(pairs[..n].iter().all(|other| other[0] != *key), "{key}");
                        }
                    }
                    _ => panic!("{value} is no value of the format"),
                }
            }
        },
    }
}

#[test]
fn where_nothing_is_broken_a_file_stays_empty_and_the_reason_is_said() {
    let arguments = |format| {
        [
            "trace",
            "one_move_meets_gc",
            "--property",
            "live_chunk_is_never_swept",
            "--format",
            format,
        ]
    };
    for format in ["svg", "itf", "mermaid"] {
        let output = lockstep(&arguments(format));
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert!(output.stdout.is_empty(), "{format}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("nothing is broken"), "{format}: {said}");
    }
    let output = lockstep(&arguments("json"));
    assert_eq!(records(&output)[0]["verdict"], "holds");
    let output = lockstep(&arguments("text"));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("nothing is broken")
    );
}

#[test]
fn formats_of_traces_are_refused_elsewhere() {
    for format in ["svg", "itf", "mermaid"] {
        let text = complaint(&["check", "two_moves_cross", "--format", format]);
        assert!(text.contains("lockstep trace"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_design_that_breaks_what_the_other_one_keeps_exits_1() {
    let output = lockstep(&[
        "check",
        "one_move_meets_gc",
        "--design",
        "history/rename_before_append",
        "--against",
        "upstream",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let record = &records(&output)[0];
    assert_eq!(record["kind"], "compare");
    assert_eq!(record["verdict"], "violated");
    assert_eq!(record["against"], "upstream");
    let property = |name: &str| {
        let all = record["properties"].as_array().unwrap();
        all.iter().find(|p| p["name"] == name).unwrap().clone()
    };
    assert_eq!(property("live_chunk_is_never_swept")["change"], "broken");
    assert_eq!(property("no_operation_waits_forever")["change"], "same");
    // The move that renames first is the shortest thing that only the one can do.
    let only = &record["only_now"]["behaviour"];
    let last = only["events"].as_array().unwrap().last().unwrap();
    assert!(last.to_string().contains("rename_snapshot"), "{last}");
    let only = &record["only_before"]["behaviour"];
    let last = only["events"].as_array().unwrap().last().unwrap();
    assert!(last.to_string().contains("lock_journal"), "{last}");
    assert!(record["now"]["states"].as_u64() > record["before"]["states"].as_u64());
}

#[test]
fn a_design_that_mends_the_other_one_exits_0_and_says_so() {
    let output = lockstep(&["check", "two_gc_runs_meet_move", "--against", "upstream"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("mended"), "{text}");
    assert!(text.contains("only under upstream: "), "{text}");
    assert!(text.contains("gc.sweep_chunk -> Removed"), "{text}");
    assert!(
        text.contains("hardened keeps what upstream keeps"),
        "{text}"
    );
}

#[test]
fn a_design_compared_with_itself_is_the_same_graph() {
    let output = lockstep(&[
        "check",
        "two_moves_cross",
        "--against",
        "hardened",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let record = &records(&output)[0];
    assert_eq!(record["equivalent"], true);
    assert_eq!(record["only_now"], Value::Null);
    assert_eq!(record["only_before"], Value::Null);
    assert_eq!(record["steps_only_now"], serde_json::json!([]));
}

#[test]
fn a_comparison_that_is_cut_short_is_never_green() {
    let output = lockstep(&[
        "check",
        "one_move_meets_gc",
        "--against",
        "upstream",
        "--max-states",
        "100",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let record = &records(&output)[0];
    assert_eq!(
        (&record["verdict"], &record["complete"]),
        (&"cut".into(), &false.into())
    );
    assert_eq!(record["equivalent"], false);
}

#[test]
fn a_comparison_with_nothing_is_refused_in_one_sentence() {
    let text = complaint(&["check", "two_moves_cross", "--against", "upstraem"]);
    assert!(text.contains("upstream"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = complaint(&[
        "check",
        "two_moves_cross",
        "--against",
        "upstream",
        "--engine",
        "stateright",
    ]);
    assert!(text.contains("--engine"), "{text}");
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
fn a_trace_that_cannot_be_used_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap().to_owned();
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let text = complaint(&["replay", "--trace", &path]);
        assert!(text.contains(&path), "{text}");
        text
    };
    refused("no json");
    refused(
        r#"{"scenario":"nobody","design":"hardened","mutant":null,"property":"can_sweep_dead_chunk","events":[]}"#,
    );
    let empty = refused(
        r#"{"scenario":"two_moves_cross","design":"hardened","mutant":null,"property":"no_operation_waits_forever","events":[]}"#,
    );
    assert!(empty.contains("no events"), "{empty}");
    let impossible = refused(
        r#"{"scenario":"two_moves_cross","design":"hardened","mutant":null,"property":"no_operation_waits_forever","events":[{"step":{"actor":0,"label":{"move_group":"unlock_target_group"},"outcome":"done"}}]}"#,
    );
    assert!(
        impossible.contains("event 1 is not possible"),
        "{impossible}"
    );
    std::fs::remove_file(&file).unwrap();
    let missing = complaint(&["replay", "--trace", &path]);
    assert!(missing.contains("cannot read"), "{missing}");
}

#[test]
fn an_interrupt_ends_all_processes_and_leaves_no_directory_behind() {
    let parent = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut child = Command::new(LOCKSTEP)
        .args([
            "replay",
            "move_there_and_back_meets_gc",
            "--quiet",
            "--lock-dir",
        ])
        .arg(parent.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let workers = || workers_below(child.id());
    let deadline = Instant::now() + Duration::from_secs(60);
    while workers().is_empty() {
        assert!(Instant::now() < deadline, "no worker was started");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pids = workers();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    while pids
        .iter()
        .any(|pid| Path::new("/proc").join(pid).join("exe").exists())
    {
        assert!(Instant::now() < deadline, "a worker outlives the interrupt");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}

/// The processes whose parent is that one.
fn workers_below(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1));
        if parent == Some(pid.to_string().as_str()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
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
