//! The page of records says what the binary writes: each kind with its fields, no more and no fewer.

use super::{LOCKSTEP, lockstep, records};
use conformance::mends::sets::{Repair, Smallest};
use conformance::mends::{Fall, Mend, Summary};
use conformance::record::{Gate, Verdict};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A field of the page.
struct Field {
    /// The table of the objects in it, if it holds such.
    table: Option<String>,
    can_be_left_out: bool,
}

type Tables = BTreeMap<String, BTreeMap<String, Field>>;

/// The tables of the page, each under the names of its heading.
fn page() -> Tables {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/records.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once("<!-- begin: records -->").unwrap();
    let mut tables = Tables::new();
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with("###") {
            names = quoted(line);
            tables.extend(
                names
                    .iter()
                    .map(|name| ((*name).to_owned(), BTreeMap::new())),
            );
        } else if let Some(row) = line.strip_prefix("| `") {
            let (field, rest) = row.split_once("` | ").unwrap();
            let (value, _) = rest.split_once(" | ").unwrap();
            for name in &names {
                let field = (field.to_owned(), described(value));
                tables.get_mut(*name).unwrap().extend([field]);
            }
        }
    }
    tables
}

/// What stands between two backquotes.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn described(value: &str) -> Field {
    let table = value
        .split_once("[`")
        .and_then(|(_, name)| name.split_once("`]"));
    Field {
        table: table.map(|(name, _)| name.to_owned()),
        can_be_left_out: value.ends_with(", or left out"),
    }
}

/// Compares an object with its table, and the objects in it with theirs; notes the tables that were used.
fn compare(object: &Value, name: &str, tables: &Tables, seen: &mut BTreeSet<String>) {
    let Some(table) = tables.get(name) else {
        panic!("the page has no {name}: {object}")
    };
    seen.insert(name.to_owned());
    let object = object.as_object().unwrap();
    let unknown: Vec<&String> = object
        .keys()
        .filter(|key| !table.contains_key(*key))
        .collect();
    assert_eq!(unknown, Vec::<&String>::new(), "not on the page of {name}");
    for (key, field) in table {
        let Some(value) = object.get(key) else {
            assert!(field.can_be_left_out, "{name} has no {key}");
            continue;
        };
        let Some(table) = &field.table else {
            continue;
        };
        match value {
            Value::Null => {}
            Value::Array(objects) => {
                objects
                    .iter()
                    .for_each(|object| compare(object, table, tables, seen));
            }
            Value::Object(fields) => {
                // Either the object itself, or objects by name.
                if tables[table].keys().all(|key| fields.contains_key(key)) {
                    compare(value, table, tables, seen);
                } else {
                    fields
                        .values()
                        .for_each(|object| compare(object, table, tables, seen));
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("{name}: {key}"),
        }
    }
}

/// What `explore` writes before it waits for a browser.
fn explored() -> Value {
    let mut child = Command::new(LOCKSTEP)
        .args([
            "explore",
            "two_moves_cross",
            "--port",
            "0",
            "--format",
            "json",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    serde_json::from_str(&line).unwrap()
}

/// The gate runs for minutes; this is what its last record is written from.
fn gate() -> Value {
    let gate = Gate {
        kind: "gate",
        verdict: Verdict::Holds,
        complete: true,
        scenarios: 1,
        states: 1,
        questions: 1,
        question_states: 1,
        edges_replayed: 1,
        steps: 1,
        mutants_found: 1,
        mutants_equivalent: 0,
        mutants_failed: 0,
        seconds: 1.0,
    };
    serde_json::to_value(gate).unwrap()
}

/// All mends take minutes as well.
fn mends() -> Vec<Value> {
    let fall = Fall {
        property: "p",
        scenario: "s",
        trace_length: 1,
    };
    let mend = Mend {
        kind: "mend",
        mend: "m",
        verdict: Verdict::Holds,
        without: vec![fall],
        repairs: vec![fall],
        breaks: vec![fall],
        kept_by: Some("k"),
    };
    let repair = Repair {
        kind: "repair",
        property: "p",
        scenario: "s",
        trace_length: 1,
        matter: vec!["m"],
        sets: vec![vec!["m"]],
        is_all: true,
    };
    let smallest = Smallest {
        kind: "smallest_mends",
        property: "p",
        sets: vec![vec!["m"]],
        breaks: vec![fall],
    };
    let summary = Summary {
        kind: "mends",
        verdict: Verdict::Holds,
        complete: true,
        scenarios: 1,
        large: vec!["s"],
        explored: 1,
        states: 1,
        seconds: 1.0,
        failures: vec!["f".to_owned()],
    };
    vec![
        serde_json::to_value(mend).unwrap(),
        serde_json::to_value(repair).unwrap(),
        serde_json::to_value(smallest).unwrap(),
        serde_json::to_value(summary).unwrap(),
    ]
}

#[test]
fn every_record_has_the_fields_of_the_page_and_the_page_names_no_others() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces");
    let trace = trace.join("move_group-lock_target_group-wait.json");
    let waits = "move_group.lock_target_group/wait";
    let commands: &[&[&str]] = &[
        &["check", "one_move_meets_gc", "--design", "upstream"],
        &[
            "check",
            "two_moves_cross",
            "--design",
            "upstream+waits_for_namespaces",
        ],
        &["check", "two_gc_runs_meet_move", "--against", "upstream"],
        &[
            "ask",
            "pairs_beside_gc",
            "--part",
            "1/70",
            "--design",
            "upstream",
        ],
        &["ask", "pairs_beside_gc", "--part", "1/70", "--replay"],
        &["mutants", "M32", "--in", "two_moves_cross"],
        &["replay", "two_moves_cross"],
        &["replay", "killed_forget_meets_prune", "--kill"],
        &["replay", "--trace", trace.to_str().unwrap()],
        &["mutants", "M32"],
        &["mutants", "M32", "--by", "loom"],
        &["trace", "--mutant", waits],
        &[
            "trace",
            "one_move_meets_gc",
            "--property",
            "live_chunk_is_never_swept",
        ],
        &["lock-order", "--mutant", waits],
        &["litmus", "unlink_while_waiting", "--tries", "2"],
        &["list"],
        &["check", "nobody"],
    ];
    let mut written = vec![gate(), explored()];
    written.extend(mends());
    for command in commands {
        let output = lockstep(&[command, &["--format", "json"][..]].concat());
        let new = records(&output);
        assert!(!new.is_empty(), "{command:?}");
        written.extend(new);
    }
    let tables = page();
    let mut seen = BTreeSet::new();
    for record in &written {
        compare(record, record["kind"].as_str().unwrap(), &tables, &mut seen);
    }
    let named: BTreeSet<String> = tables.into_keys().collect();
    assert_eq!(
        seen, named,
        "what the binary writes, and what the page names"
    );
}

#[test]
fn a_wrong_flag_has_no_record() {
    let output = lockstep(&["check", "--no-such-flag", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--no-such-flag")
    );
}
