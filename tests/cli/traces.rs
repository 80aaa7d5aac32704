//! `lockstep replay --trace` and `trace --trace`: what a file must say to be looked at, and when it holds.

use super::{complaint, lockstep, records};
use serde_json::Value;

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
        r#"{"version":2,"scenario":"nobody","design":"hardened","mutant":null,"property":"can_sweep_dead_chunk","events":[]}"#,
    );
    let empty = refused(
        r#"{"version":2,"scenario":"two_moves_cross","design":"hardened","mutant":null,"property":"no_operation_waits_forever","events":[]}"#,
    );
    assert!(empty.contains("no events"), "{empty}");
    let impossible = refused(
        r#"{"version":2,"scenario":"two_moves_cross","design":"hardened","mutant":null,"property":"no_operation_waits_forever","events":[{"step":{"actor":0,"label":{"step":{"move_group":"unlock_target_group"},"of":null},"outcome":"done"}}]}"#,
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
fn a_trace_of_somebody_whom_the_scenario_does_not_have_is_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap().to_owned();
    let label = r#"{"step":{"move_group":"unlock_target_group"},"of":null}"#;
    for (event, lack) in [
        (
            format!(r#"{{"step":{{"actor":9,"label":{label},"outcome":"done"}}}}"#),
            "no actor 9",
        ),
        (
            format!(r#"{{"step":{{"actor":2,"label":{label},"outcome":"done"}}}}"#),
            "no actor 2",
        ),
        (
            format!(r#"{{"reached":{{"actor":255,"label":{label},"stage":"opened"}}}}"#),
            "no actor 255",
        ),
        (r#"{"killed":{"process":2}}"#.to_owned(), "no process 2"),
        (r#"{"reloaded":{"process":9}}"#.to_owned(), "no process 9"),
        (
            r#"{"step":{"actor":0,"label":{"step":{"move_group":"rename_snapshot"},"of":"vm/9"},"outcome":"done"}}"#
                .to_owned(),
            "nothing at vm/9",
        ),
    ] {
        let trace = r#"{"version":2,"scenario":"two_moves_cross","design":"hardened","mutant":null,"property":"no_operation_waits_forever","events":["#;
        std::fs::write(&file, format!("{trace}{event}]}}")).unwrap();
        for command in ["replay", "trace"] {
            let text = complaint(&[command, "--trace", &path]);
            assert_eq!(
                text,
                format!("lockstep: {path}: event 1: two_moves_cross has {lack}\n"),
                "{command}"
            );
        }
    }
}

#[test]
fn a_replayed_trace_whose_property_files_cannot_show_does_not_hold() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let path = format!("{root}/tests/traces/move_group-lock_snapshot-wait.json");
    let replay = ["replay", "--trace", &path];
    let output = lockstep(&[&replay[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let record = &records(&output)[0];
    assert_eq!(record["property"], "locks_are_taken_in_rank_order");
    assert_eq!(record["verdict"], "untested");
    let output = lockstep(&replay);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("which breaks it after event")
            && text.contains("files cannot show this property")
            && !text.contains("holds"),
        "{text}"
    );
}

#[test]
fn a_trace_of_a_property_that_its_scenario_does_not_ask_is_refused() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let file = format!("{root}/tests/traces/move_group-lock_target_group-wait.json");
    let mut trace: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    trace["property"] = "can_collect_beside_backup".into();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, trace.to_string()).unwrap();
    for command in ["replay", "trace"] {
        let text = complaint(&[command, "--trace", path]);
        let sentence = "two_moves_cross does not ask can_collect_beside_backup";
        assert!(text.contains(path) && text.contains(sentence), "{text}");
    }
}

#[test]
fn a_record_of_another_kind_is_no_trace() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let file = format!("{root}/tests/traces/move_group-lock_target_group-wait.json");
    let mut trace: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap();
    trace["kind"] = "check".into();
    std::fs::write(&file, trace.to_string()).unwrap();
    for command in ["replay", "trace"] {
        let text = complaint(&[command, "--trace", path]);
        let sentence = "is a record of the kind \"check\" and no trace";
        assert!(text.contains(path) && text.contains(sentence), "{text}");
    }
}

#[test]
fn a_trace_of_another_version_is_refused_with_both_versions() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let file = format!("{root}/tests/traces/move_group-lock_target_group-wait.json");
    let whole: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap();
    for (version, sentence) in [
        (
            None,
            "is a trace of version 1, and this lockstep reads version 2",
        ),
        (
            Some(3),
            "is a trace of version 3, and this lockstep reads version 2",
        ),
    ] {
        let mut trace = whole.clone();
        let fields = trace.as_object_mut().unwrap();
        match version {
            Some(version) => fields.insert("version".to_owned(), version.into()),
            None => fields.remove("version"),
        };
        std::fs::write(&file, trace.to_string()).unwrap();
        let text = complaint(&["trace", "--trace", path]);
        assert!(text.contains(path) && text.contains(sentence), "{text}");
    }
}

#[test]
fn an_event_that_is_not_possible_is_told_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap();
    let text = r#"{"version":2,"scenario":"two_moves_cross","design":"hardened","mutant":null,"property":"no_operation_waits_forever","events":[{"step":{"actor":0,"label":{"step":{"move_group":"unlock_target_group"},"of":null},"outcome":"done"}}]}"#;
    std::fs::write(&file, text).unwrap();
    for command in ["replay", "trace"] {
        let text = complaint(&[command, "--trace", path]);
        let told = "event 1 is not possible in the model: move_group";
        assert!(
            text.contains(told) && text.contains(".unlock_target_group"),
            "{text}"
        );
        assert!(
            !text.contains("Actor(") && !text.contains("Step {"),
            "{text}"
        );
    }
}

#[test]
fn what_a_trace_file_says_reaches_the_terminal_neither_raw_nor_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap();
    let bell = "\u{1b}]0;title\u{7}\u{9b}2J";
    let long = "x".repeat(5_000_000);
    for name in [bell, &long] {
        for (scenario, property, at) in [
            (name, "no_operation_waits_forever", "vm/9"),
            ("two_moves_cross", name, "vm/9"),
            ("two_moves_cross", "no_operation_waits_forever", name),
        ] {
            let trace = serde_json::json!({
                "version": 2, "scenario": scenario, "design": "hardened", "mutant": null, "property": property,
                "events": [{"step": {"actor": 0, "label": {"step": {"move_group": "rename_snapshot"}, "of": at}, "outcome": "done"}}],
            });
            for text in [trace.to_string(), format!("{{\"{name}\": 1}}")] {
                std::fs::write(&file, text).unwrap();
                for command in ["replay", "trace"] {
                    let text = complaint(&[command, "--trace", path]);
                    assert!(text.len() < 5000, "{} bytes", text.len());
                    let is_raw = |c: char| c.is_control() && c != '\n';
                    assert!(!text.contains(is_raw), "{text:?}");
                    assert!(text.contains(path), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_behaviour_without_events_is_drawn_and_its_file_is_accepted_again() {
    let property = "what_is_left_can_be_used_again";
    let trace = ["trace", "two_moves_cross", "--design", "namespace_locks"];
    let trace = [&trace[..], &["--property", property]].concat();
    let sentence = format!(
        "two_moves_cross under namespace_locks: no event is needed, since the start breaks {property}"
    );
    let text = String::from_utf8(lockstep(&trace).stdout).unwrap();
    assert!(text.starts_with(&sentence), "{text}");
    for format in ["mermaid", "svg", "itf"] {
        let output = lockstep(&[&trace[..], &["--format", format]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains(&format!("the start breaks {property}")),
            "{text}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let path = file.to_str().unwrap();
    let json = lockstep(&[&trace[..], &["--format", "json"]].concat());
    std::fs::write(&file, json.stdout).unwrap();
    let output = lockstep(&["trace", "--trace", path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(&sentence), "{text}");
    let output = lockstep(&["replay", "--trace", path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("{property} violated")), "{text}");
}

#[test]
fn a_trace_without_its_end_puts_its_property_to_no_test() {
    let made = lockstep(&[
        "trace",
        "--mutant",
        "hardened-finds_protection_in_the_listing",
        "--format",
        "json",
    ]);
    let mut trace: Value = serde_json::from_slice(&made.stdout).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    let replay = |trace: &Value| {
        std::fs::write(&file, trace.to_string()).unwrap();
        let output = lockstep(&["replay", "--trace", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(replay(&trace).contains("protected_snapshot_stays violated"));
    trace["events"].as_array_mut().unwrap().pop().unwrap();
    let cut = replay(&trace);
    assert!(cut.contains("protected_snapshot_stays untested"), "{cut}");
    assert!(cut.contains("was the end of the file cut off?"), "{cut}");
}

/// At its end nobody has the lock twice any more, and nobody has seen it but the model.
#[test]
fn a_replayed_trace_that_breaks_its_property_on_the_way_is_judged_where_it_breaks() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let file = format!("{root}/tests/traces/forget_snapshot-lock_manifest-skip.json");
    let mut trace: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    trace["property"] = "one_exclusive_holder_per_lock".into();
    let events = trace["events"].as_array().unwrap().len();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    std::fs::write(&file, trace.to_string()).unwrap();
    let replay = ["replay", "--trace", file.to_str().unwrap()];
    let output = lockstep(&[&replay[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let record = &records(&output)[0];
    assert_eq!(record["verdict"], "violated");
    assert_eq!(record["complete"], false);
    let steps = record["steps"].as_u64().unwrap();
    assert!(0 < steps && steps < events as u64, "{record}");
    let output = lockstep(&replay);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let said =
        format!("one_exclusive_holder_per_lock violated: after {steps} of {events} events: ");
    assert!(text.contains(&said), "{text}");
    let marked = "<== breaks one_exclusive_holder_per_lock";
    assert!(text.contains(marked), "{text}");
}
