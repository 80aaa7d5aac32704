//! `lockstep ask` and `merge`, and the names of generated questions: what is refused, and what is printed to be pasted.

use super::{complaint, lockstep, records};
use serde_json::{Value, json};
use std::process::Command;

const SET: &str = "pairs_beside_gc";

/// The record of a half of a set that holds.
fn half(k: u64) -> Value {
    json!({
        "kind": "questions", "set": SET, "part": {"k": k, "n": 2}, "design": "hardened", "verdict": "holds",
        "complete": true, "questions": 104, "states": 1000, "edges": 2000, "largest": 100,
        "tested": {"state_is_well_formed": 104, "no_operation_waits_forever": 104}, "violated": {}, "seconds": 1.0,
    })
}

/// What `merge` says of these records, with its exit code.
fn merge(records: &[Value]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("parts.json");
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let output = lockstep(&["merge", file.to_str().unwrap()]);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn merge_is_green_for_the_whole_of_a_set_only() {
    let (code, text) = merge(&[half(1), half(2)]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("holds") && text.contains("208"), "{text}");
    let changed = |field: &str, value: Value| {
        let mut record = half(1);
        record[field] = value;
        record
    };
    let broken = json!({
        "kind": "question", "set": SET, "design": "hardened", "question": "gc+move(a,b)+move(a,b)",
        "verdict": "violated", "property": "live_chunk_is_never_swept",
    });
    let small = json!({"k": 1, "n": 1});
    let mut whole = half(1);
    whole["part"] = small;
    whole["questions"] = 1.into();
    for wrong in [
        vec![changed("questions", 1.into()), half(2)],
        vec![whole],
        vec![changed("verdict", "violated".into()), half(2)],
        vec![changed("verdict", "banana".into()), half(2)],
        vec![broken, half(1), half(2)],
        vec![half(1), half(2), json!({"kind": "error", "message": "cut"})],
        vec![changed("set", "banana".into()), half(2)],
        vec![changed("design", "banana".into()), half(2)],
        vec![changed("states", u64::MAX.into()), half(2)],
        vec![changed("kind", Value::Null), half(2)],
        vec![changed("part", json!({"k": 1, "n": u64::MAX}))],
        vec![half(1)],
    ] {
        let (code, text) = merge(&wrong);
        assert_eq!(code, Some(2), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.len() < 500, "{text}");
    }
}

#[test]
fn a_property_that_no_question_asks_is_refused_with_its_line() {
    let mut tested = half(2);
    tested["tested"]["banana"] = 1.into();
    let mut violated = half(2);
    violated["violated"]["banana"] = 1.into();
    let broken = json!({
        "kind": "question", "set": SET, "design": "hardened", "question": "gc+move(a,b)+move(a,b)",
        "verdict": "violated", "property": "banana",
    });
    for wrong in [tested, violated, broken] {
        let (code, text) = merge(&[half(1), wrong]);
        assert_eq!(code, Some(2), "{text}");
        let said = "parts.json, line 2: no question asks a property \"banana\"; ask again";
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn records_that_never_end_are_refused_with_the_line_that_is_none() {
    let zeros = complaint(&["merge", "/dev/zero"]);
    let said = "lockstep: /dev/zero, line 1: it is longer than 1048576 bytes, and no record is\n";
    assert_eq!(zeros, said);
    let output = Command::new("bash")
        .args(["-c", "yes '' | \"$0\" merge /dev/stdin", super::LOCKSTEP])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    let said = "lockstep: /dev/stdin, line 1: it is blank, and every line is a record\n";
    assert_eq!(text, said);
}

#[test]
fn a_part_without_a_question_cannot_be_asked() {
    for part in ["300/400", "1/209", "1/18446744073709551615"] {
        let text = complaint(&["ask", SET, "--part", part]);
        let sentence = format!("there is no part {part} of {SET}, which has 208 questions");
        assert!(text.contains(&sentence), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_set_that_there_is_not_is_refused_with_a_command_that_lists_them() {
    let text = complaint(&["ask", "nope"]);
    assert!(text.contains("lockstep list sets"), "{text}");
    let sets = records(&lockstep(&["list", "sets", "--format", "json"]));
    let pairs = sets.iter().find(|set| set["name"] == SET).unwrap();
    assert_eq!(
        (&pairs["kind"], &pairs["questions"]),
        (&json!("set"), &json!(208))
    );
    let text = String::from_utf8(lockstep(&["list", "sets"]).stdout).unwrap();
    assert!(
        text.contains("all in one process. (208 questions)"),
        "{text}"
    );
    for (what, name) in [("trees", "two_groups"), ("tasks", "merge")] {
        let text = String::from_utf8(lockstep(&["list", what]).stdout).unwrap();
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_name_that_is_nearly_a_question_is_refused_with_what_is_wrong() {
    for (name, sentence) in [
        (
            "one_move_meets_gc@leave",
            "the scenario one_move_meets_gc takes one of kill, full, reload, time, inode behind its @",
        ),
        ("nope:gc", "no tree is named \"nope\""),
    ] {
        let text = complaint(&["check", name]);
        assert!(text.contains(sentence), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_command_that_is_printed_can_be_pasted() {
    let check = ["check", "gc+move(a,b)", "--design", "upstream"];
    let text = String::from_utf8(lockstep(&check).stdout).unwrap();
    let mut printed = text.lines().filter(|line| line.starts_with("  lockstep "));
    let line = printed.next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(super::LOCKSTEP, directory.path().join("lockstep")).unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .env("PATH", directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("gc+move(a,b) under upstream: "), "{text}");
    let text = complaint(&["replay", "gc+move(a,b)@kill"]);
    assert!(
        text.contains("lockstep replay 'gc+move(a,b)@kill' --kill"),
        "{text}"
    );
}

#[test]
fn an_exception_is_called_one_where_its_property_is_broken() {
    let text =
        String::from_utf8(lockstep(&["check", "insert_and_touch_meet_sweep"]).stdout).unwrap();
    let sentence =
        "live_chunk_is_never_swept is broken, which is an exception: specs/guarantees.md";
    assert!(text.contains(sentence), "{text}");
    let text = String::from_utf8(lockstep(&["check", "two_moves_cross"]).stdout).unwrap();
    assert!(!text.contains("exception"), "{text}");
}

#[test]
fn what_is_named_twice_is_refused() {
    for args in [
        &["check", "gc", "gc"][..],
        &["check", "one_chunk:gc", "gc"],
        &["ask", "triples", "triples"],
        &["replay", "gc", "two_moves_cross", "gc"],
    ] {
        let refused = complaint(args);
        assert!(
            refused.contains("is asked twice; name it once"),
            "{refused}"
        );
    }
}

/// Two groups in two namespaces, and one after the other is tried.
#[test]
fn what_is_left_of_two_groups_is_tried_in_one_order() {
    for question in [
        "two_groups:backup(b)@kill",
        "protected:backup(b)@kill",
        "notes:merge(a,b)@kill",
    ] {
        let output = lockstep(&["replay", question, "--kill", "--quiet"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
}
