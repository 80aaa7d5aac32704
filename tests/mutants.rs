//! The seed board: every mutant is caught where it says, and its trace lies in a file that reproduces it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::board;
use conformance::driver::Options;
use conformance::record::Verdict;
use conformance::report::TraceFile;
use serde_json::Value;
use specs::mutant::{Fault, MUTANTS, Variant};
use specs::ops::gc::Step as Gc;
use specs::ops::move_group::Step as Move;
use specs::{Mutant, Property, Step};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The trace as it is kept: one event a line.
fn file_text(trace: &TraceFile) -> String {
    let Value::Object(fields) = serde_json::to_value(trace).unwrap() else {
        unreachable!()
    };
    let mut text = String::from("{\n");
    for (name, value) in fields.iter().filter(|(name, _)| *name != "events") {
        writeln!(text, "  {name:?}: {value},").unwrap();
    }
    let events: Vec<String> = fields["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| format!("    {e}"))
        .collect();
    write!(text, "  \"events\": [\n{}\n  ]\n}}\n", events.join(",\n")).unwrap();
    text
}

/// The mutants that make a difference.
fn visible() -> impl Iterator<Item = &'static Mutant> {
    MUTANTS.iter().filter(|mutant| !mutant.is_equivalent)
}

#[test]
fn the_shortest_trace_of_every_mutant_lies_in_its_file() {
    let mut changed = Vec::new();
    for mutant in visible() {
        let scope = board::scope_of(mutant).unwrap();
        let example = board::shortest(&scope, mutant.property, 2)
            .unwrap()
            .unwrap();
        let trace = TraceFile::new(
            &scope,
            Some(mutant.name),
            mutant.property.name(),
            &example.events,
        );
        let path = root().join(board::trace_path(mutant));
        let text = file_text(&trace);
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            if std::env::var_os("CI").is_none() {
                std::fs::write(&path, text).unwrap();
            }
            changed.push(path);
        }
    }
    assert!(
        changed.is_empty(),
        "traces that were not up to date: {changed:?}"
    );
}

#[test]
fn no_trace_file_is_left_of_a_mutant_that_is_gone() {
    let known: Vec<PathBuf> = visible()
        .map(|m| root().join(board::trace_path(m)))
        .collect();
    for entry in std::fs::read_dir(root().join(board::TRACES)).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            known.contains(&path),
            "{} belongs to no mutant",
            path.display()
        );
    }
}

#[test]
fn every_mutant_is_found_by_the_model_and_on_real_files() {
    let mut options = Options::new(LOCKSTEP);
    options.lane = 400;
    let mut cells = String::new();
    for mutant in MUTANTS {
        let seed = board::run(mutant, 2, options.clone()).unwrap();
        assert_eq!(seed.failures, Vec::<String>::new(), "{}", mutant.name);
        assert_eq!(seed.equivalent, mutant.is_equivalent, "{}", mutant.name);
        writeln!(cells, "{}: {}", mutant.name, seed.found_by.join(" ")).unwrap();
        if mutant.is_equivalent {
            continue;
        }
        assert_eq!(seed.verdict, Verdict::Violated, "{}", mutant.name);
        assert!(seed.found_by.contains(&"model"), "{}", mutant.name);
        let on_files = seed.found_by.contains(&"replay");
        assert_eq!(
            on_files,
            mutant.property != Property::LocksAreTakenInRankOrder,
            "{}",
            mutant.name
        );
        assert_eq!(on_files, seed.witness.is_some(), "{}", mutant.name);
    }
    insta::assert_snapshot!("found_by", cells);
}

/// Executions that a search under loom may have here: more than any mutant needs that is found at all.
const EXECUTIONS: u64 = 20_000;

#[test]
fn what_loom_finds_of_the_mutants_is_broken_on_real_files_too() {
    let mut options = Options::new(LOCKSTEP);
    options.lane = 430;
    let mut cells = String::new();
    for mutant in MUTANTS {
        let seed = board::run_by_loom(mutant, 2, EXECUTIONS, options.clone()).unwrap();
        write!(cells, "{}: ", mutant.name).unwrap();
        if let (["loom", "replay"], Some(executions)) = (&seed.found_by[..], seed.executions) {
            assert_eq!(seed.verdict, Verdict::Violated, "{}", mutant.name);
            assert!(seed.witness.is_some(), "{}", mutant.name);
            assert_eq!(seed.failures, Vec::<String>::new(), "{}", mutant.name);
            let events = seed.trace_length;
            writeln!(cells, "found, {executions} executions, {events} events").unwrap();
        } else {
            let (name, failures) = (mutant.name, &seed.failures);
            let reason = seed.not_applicable.get("loom");
            let reason = reason.unwrap_or_else(|| panic!("{name} is not found: {failures:?}"));
            writeln!(cells, "not applicable, {reason}").unwrap();
        }
    }
    insta::assert_snapshot!("found_by_loom", cells);
}

#[test]
fn a_trace_file_reproduces_its_violation_by_one_command() {
    let reproduced = |mutant: &Mutant| {
        let output = Command::new(LOCKSTEP)
            .args(["replay", "--quiet", "--format", "json", "--trace"])
            .arg(root().join(board::trace_path(mutant)))
            .output()
            .unwrap();
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["property"], mutant.property.name());
        (
            output.status.code(),
            record["verdict"].as_str().unwrap().to_owned(),
        )
    };
    for name in [
        "move_group.append_journal/skip",
        "upstream/drain_forgets_pending_rename",
        "history/recheck_before_flock",
        "history/recheck_before_flock/in_a_backup",
    ] {
        let mutant = MUTANTS.iter().find(|m| m.name == name).unwrap();
        assert_eq!(
            reproduced(mutant),
            (Some(1), "violated".to_owned()),
            "{name}"
        );
    }
}

/// Waits for a clock: changes nothing.
static EQUIVALENT: Mutant = Mutant {
    name: "gc.read_clock/wait",
    number: "-",
    variant: Variant::faulty(&[Fault::Wait(Step::Gc(Gc::ReadClock))]),
    scenario: "one_move_meets_gc",
    property: Property::LiveChunkIsNeverSwept,
    is_equivalent: true,
    story: "It takes no lock there.",
};

/// Changes who holds what, and nothing that its property speaks of.
static SURVIVING: Mutant = Mutant {
    name: "move_group.lock_source_group/skip",
    number: "-",
    variant: Variant::faulty(&[Fault::Skip(Step::MoveGroup(Move::LockSourceGroup))]),
    scenario: "one_move_meets_gc",
    property: Property::LiveChunkIsNeverSwept,
    is_equivalent: false,
    story: "Nobody else wants the group here.",
};

#[test]
fn a_mutant_that_changes_nothing_is_computed_to_be_equivalent() {
    let mut options = Options::new(LOCKSTEP);
    options.lane = 410;
    let seed = board::run(&EQUIVALENT, 2, options).unwrap();
    assert!(seed.equivalent);
    assert_eq!(seed.verdict, Verdict::Holds);
    assert_eq!(seed.failures, Vec::<String>::new());
}

#[test]
fn a_mutant_that_changes_something_and_breaks_nothing_survives_and_is_red() {
    let mut options = Options::new(LOCKSTEP);
    options.lane = 420;
    let seed = board::run(&SURVIVING, 2, options).unwrap();
    assert!(!seed.equivalent);
    assert!(seed.failures[0].contains("survives"), "{:?}", seed.failures);
}
