//! `lockstep check --against`: what two designs differ in, and the exit code.

use super::{complaint, lockstep, records};
use serde_json::Value;

#[test]
fn a_design_that_breaks_what_the_other_one_keeps_exits_1() {
    let output = lockstep(&[
        "check",
        "one_move_meets_gc",
        "--design",
        "hardened-renames_under_journal_lock+rename_before_append",
        "--against",
        "hardened",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let record = &records(&output)[0];
    assert_eq!(record["kind"], "compare");
    assert_eq!(record["verdict"], "violated");
    assert_eq!(record["against"], "hardened");
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

/// That the other design keeps the property up to where it was cut says nothing.
#[test]
fn a_violation_before_the_cut_breaks_nothing_as_long_as_the_other_side_is_unknown() {
    let cut = |format: &[&str]| {
        let mut arguments = vec![
            "check",
            "one_move_meets_gc",
            "--design",
            "upstream",
            "--against",
            "hardened",
            "--max-states",
            "3000",
        ];
        arguments.extend(format);
        let output = lockstep(&arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        output
    };
    let record = &records(&cut(&["--format", "json"]))[0];
    assert_eq!(record["verdict"], "cut");
    let properties = record["properties"].as_array().unwrap();
    let is_hit = |property: &&Value| property["now"]["holds"] == false;
    let kept = "failed_move_leaves_no_empty_group";
    let hit = properties.iter().filter(is_hit).find(|p| p["name"] == kept);
    let hit = hit.expect("upstream violates it before the cut");
    assert!(hit["now"]["hits"].as_u64() > Some(0), "{hit}");
    assert_eq!(hit["before"]["hits"], 0);
    assert_eq!(hit["change"], "unknown");

    let text = String::from_utf8(cut(&[]).stdout).unwrap();
    let line = text.lines().find(|line| line.contains(kept)).unwrap();
    assert!(line.contains("unknown"), "{text}");
    assert!(
        !text.contains("broken") && !text.contains("breaks"),
        "{text}"
    );
    assert!(text.contains("nothing is known"), "{text}");
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
