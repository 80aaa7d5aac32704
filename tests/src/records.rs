//! The generated part of the page of records: the fields of each kind, with the docstrings of the types that are written.

use crate::root;
use specs::page::Table;
use std::fs;

/// A type that is written as a record, or within one.
struct Section {
    /// The kinds of records that it is written for; none if it only stands within another one.
    kinds: &'static [&'static str],
    /// The file of the crate `conformance` that has it.
    file: &'static str,
    /// Its name there.
    name: &'static str,
}

const fn record(kinds: &'static [&'static str], file: &'static str, name: &'static str) -> Section {
    Section { kinds, file, name }
}

const RECORD: &str = "record.rs";
const COMPARE: &str = "compare.rs";
const LOCK_ORDER: &str = "lock_order/record.rs";
const MENDS: &str = "mends.rs";
const MENDS_SETS: &str = "mends/sets.rs";

const SECTIONS: &[Section] = &[
    record(&["gate"], RECORD, "Gate"),
    record(&["check"], RECORD, "Check"),
    record(&[], RECORD, "Asked"),
    record(&["questions"], "ask.rs", "Answer"),
    record(&[], "ask.rs", "Part"),
    record(&["question"], "ask.rs", "Broken"),
    record(&["share"], RECORD, "Share"),
    record(&["everywhere"], "everywhere.rs", "Everywhere"),
    record(&["compare"], COMPARE, "Comparison"),
    record(&[], COMPARE, "Judged"),
    record(&[], COMPARE, "Counts"),
    record(&[], COMPARE, "Size"),
    record(&[], COMPARE, "Difference"),
    record(&[], COMPARE, "Behaviour"),
    record(&["replay", "kill"], RECORD, "Replay"),
    record(&["mutants"], RECORD, "Seed"),
    record(&["trace"], "report.rs", "TraceFile"),
    record(&["no_trace"], RECORD, "NoTrace"),
    record(&["replayed_trace"], RECORD, "ReplayedTrace"),
    record(&["lock_edge"], LOCK_ORDER, "LockEdge"),
    record(&["lock_cycle"], LOCK_ORDER, "LockCycle"),
    record(&[], LOCK_ORDER, "ShownCycle"),
    record(&["lock_difference"], LOCK_ORDER, "LockDifference"),
    record(&["lock_order"], LOCK_ORDER, "LockOrder"),
    record(&["litmus"], "litmus/report.rs", "Report"),
    record(&[], "litmus.rs", "Count"),
    record(
        &[
            "operation",
            "step",
            "lock",
            "property",
            "mutant",
            "scenario",
            "design",
            "change",
            "set",
            "tree",
            "task",
            "litmus_test",
        ],
        RECORD,
        "Listed",
    ),
    record(&["mend"], MENDS, "Mend"),
    record(&[], "mends/explorer.rs", "Fall"),
    record(&["repair"], MENDS_SETS, "Repair"),
    record(&["smallest_mends"], MENDS_SETS, "Smallest"),
    record(&["mends"], MENDS, "Summary"),
    record(&["completed_design"], RECORD, "CompletedDesign"),
    record(&["explore"], RECORD, "Explored"),
    record(&["error"], RECORD, "Mistake"),
];

/// A field as it is written.
struct Field {
    name: String,
    value: String,
    meaning: String,
}

/// All kinds of records, each with a table of its fields.
#[must_use]
pub fn tables() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let title = match section.kinds {
            [] => format!("#### `{}`", section.name),
            kinds => {
                let quoted: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                format!("### {}", quoted.join(", "))
            }
        };
        let (sentence, fields) = written(section.file, section.name);
        let mut table = Table::new(&["field", "value", "meaning"]);
        for field in fields {
            table.row([format!("`{}`", field.name), field.value, field.meaning]);
        }
        text += &format!("{title}\n\n{sentence}\n\n{}\n", table.finish());
    }
    text
}

/// The docstring of a type, and its fields as they are written.
fn written(file: &str, name: &str) -> (String, Vec<Field>) {
    let path = root().join("conformance/src").join(file);
    let source = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let begin = format!("pub struct {name} {{");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| *line == begin) else {
        panic!("{file} has no {name}")
    };
    let above = lines[..at].iter().rposition(|line| line.is_empty());
    let sentence = docs(&lines[above.map_or(0, |empty| empty + 1)..at]).join(" ");
    let mut fields = Vec::new();
    let mut notes: Vec<&str> = Vec::new();
    for line in lines[at + 1..].iter().take_while(|line| **line != "}") {
        let Some((name, kind)) = line.strip_prefix("pub ").and_then(|f| f.split_once(": ")) else {
            notes.push(line);
            continue;
        };
        let serde: String = notes
            .iter()
            .filter(|note| note.starts_with("#["))
            .copied()
            .collect();
        let kind = kind.trim_end_matches(',');
        if serde.contains("flatten") {
            fields.extend(flattened(file, kind));
        } else if !serde.contains("(skip)") {
            let renamed = serde
                .split_once("rename = \"")
                .and_then(|(_, r)| r.split_once('"'));
            let mut value = value(kind);
            if serde.contains("skip_serializing_if") {
                value = format!("{}, or left out", value.trim_end_matches(" or null"));
            }
            fields.push(Field {
                name: renamed.map_or(name, |(renamed, _)| renamed).to_owned(),
                value,
                meaning: docs(&notes).join(" "),
            });
        }
        notes.clear();
    }
    (sentence, fields)
}

/// The fields of a type that stand among those of another one, in the same file; perhaps left out all together.
fn flattened(file: &str, kind: &str) -> Vec<Field> {
    let optional = kind
        .strip_prefix("Option<")
        .and_then(|kind| kind.strip_suffix('>'));
    let (_, mut fields) = written(file, optional.unwrap_or(kind));
    if optional.is_some() {
        for field in &mut fields {
            field.value += ", or left out";
        }
    }
    fields
}

/// The docstring among some lines.
fn docs<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("/// "))
        .collect()
}

/// The type of what is in a list, if the type is that of a list.
fn within_a_list(kind: &str) -> Option<&str> {
    kind.strip_prefix("Vec<")?.strip_suffix('>')
}

/// What stands in a record for a value of that type.
fn value(kind: &str) -> String {
    let within = |generic: &str| {
        kind.strip_prefix(generic)?
            .strip_prefix('<')?
            .strip_suffix('>')
    };
    if let Some(kind) = within("Option") {
        return format!("{} or null", value(kind));
    }
    if let Some(kind) = within("Vec") {
        return match within_a_list(kind) {
            Some(inner) => format!("list of lists of {}", value(inner)),
            None => format!("list of {}", value(kind)),
        };
    }
    if let Some((_, kind)) = within("BTreeMap").and_then(|both| both.split_once(", ")) {
        return format!("{} by name", value(kind));
    }
    if let Some(kind) = kind
        .strip_prefix("&'static [")
        .and_then(|kind| kind.strip_suffix(']'))
    {
        return format!("list of {}", value(kind));
    }
    match kind {
        "&'static str" | "String" => "text".to_owned(),
        "bool" => "true or false".to_owned(),
        "u8" | "u32" | "u64" | "usize" | "f64" => "number".to_owned(),
        "Verdict" => "[verdict](#verdicts)".to_owned(),
        "Frequency" => "`never`, `sometimes` or `always`".to_owned(),
        "Mode" => "`shared` or `exclusive`".to_owned(),
        "Mood" => "`always` or `sometimes`".to_owned(),
        "RunKind" => "`check`, `replay` or `kill`".to_owned(),
        "Change" => "`same`, `broken`, `mended` or `unknown`".to_owned(),
        "Wait" => "[wait](#waits)".to_owned(),
        "Design" => "[design](designs.md)".to_owned(),
        "Event<String>" => "[event](#events)".to_owned(),
        kind => {
            let known = SECTIONS.iter().any(|section| section.name == kind);
            assert!(known, "the page of records has no {kind}");
            format!("[`{kind}`](#{})", kind.to_lowercase())
        }
    }
}
