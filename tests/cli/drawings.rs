//! `lockstep trace`: what is drawn, in which formats, and what is refused.

use super::{complaint, lockstep};
use serde_json::Value;

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
    let events: usize = full
        .split_once(": ")
        .and_then(|(_, rest)| rest.split_once(" events")?.0.parse().ok())
        .unwrap();
    assert!(events > 12, "{full}");
    assert_eq!(lines(&full), events, "{full}");
    assert!(full.contains("check_move"), "{full}");
    let deadlock = lockstep(&["trace", "--mutant", "move_group.lock_target_group/wait"]);
    let text = String::from_utf8(deadlock.stdout).unwrap();
    for (who, by) in [("proxy", "other"), ("other", "proxy")] {
        let end = format!(
            "in the end move_group in {who} wants the group lock that move_group in {by} has"
        );
        assert!(text.contains(&end), "{text}");
    }
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
    let open = r#"{"step":{"actor":2,"label":{"step":{"take_lock":"open_lock_file"},"of":"vm/100"},"outcome":"done"}}"#;
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
fn the_step_that_breaks_a_property_is_marked_in_a_drawing_of_a_replay_as_in_one_of_the_trace() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/traces/history-rename_before_append.json"
    );
    let marked = |command: &str| {
        let output = lockstep(&[command, "--trace", file]);
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("<=="));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(marked("trace").ends_with("<== breaks live_chunk_is_never_swept"));
    assert_eq!(marked("replay"), marked("trace"));
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
    let json = lockstep(&[
        "trace",
        "--mutant",
        "history/missing_entry_is_fatal",
        "--format",
        "json",
    ]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let events = json["events"].as_array().unwrap().len();
    assert_eq!(states.len(), events + 1, "one for the start and one each");
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
    let of_kinds = (kinds("start"), kinds("killed"), kinds("step"));
    assert_eq!(of_kinds, (1, 1, events - 1));
    let still = |n: usize| &states[n]["environment_may_still"]["kill"]["#bigint"];
    assert_eq!((still(0), still(events)), (&"1".into(), &"0".into()));
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
fn where_nothing_is_broken_a_picture_is_refused_and_the_reason_is_said() {
    let property = "live_chunk_is_never_swept";
    let mutant = "move_group.lock_target_group/wait";
    let trace = ["trace", "one_move_meets_gc", "--property", property];
    let in_format = |format, variant: &[&str]| {
        let output = lockstep(&[&trace[..], variant, &["--format", format]].concat());
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        (output.status.code(), said.map(String::from))
    };
    for (variant, under) in [
        (&[][..], "hardened".to_owned()),
        (&["--design", "upstream"], "upstream".to_owned()),
        (&["--mutant", mutant], format!("hardened with {mutant}")),
    ] {
        let sentence = format!(
            "one_move_meets_gc under {under}: nothing is broken or witnessed of {property}, so there is nothing to draw\n"
        );
        for format in ["svg", "itf", "mermaid"] {
            let refused = (Some(2), [String::new(), format!("lockstep: {sentence}")]);
            assert_eq!(in_format(format, variant), refused, "{format}");
        }
        let said = (Some(0), [sentence, String::new()]);
        assert_eq!(in_format("text", variant), said);
        let (code, [record, _]) = in_format("json", variant);
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!((code, &record["verdict"]), (Some(0), &"holds".into()));
    }
}

#[test]
fn formats_of_traces_are_refused_elsewhere() {
    for format in ["svg", "itf", "mermaid"] {
        let text = complaint(&["check", "two_moves_cross", "--format", format]);
        assert!(text.contains("lockstep trace"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
