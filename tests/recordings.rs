//! Recordings of Proxmox Backup's own library, call by call: each recorded operation makes the changes that ours makes on
//! the same tree, with the same names in the same order, and every call of it is in a row of the step tables.
//!
//! The variable `LOCKSTEP_RECORDINGS` names the folder with the recordings. Without it the tests say that they are skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "recordings/cases.rs"]
mod cases;
#[path = "recordings/divide.rs"]
mod divide;
#[path = "recordings/stage.rs"]
mod stage;
#[path = "recordings/strace.rs"]
mod strace;

use cases::{Case, Mark, NOT_COMPARED, cases};
use conformance::calls_of_rows::CallsOfRows;
use conformance::recording_sys::Recorded;
use divide::divide;
use specs::Op;
use stage::Stage;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use strace::{Log, Seen};

const VARIABLE: &str = "LOCKSTEP_RECORDINGS";
/// Where the datastore and its locks were.
const STORE: &str = "/srv/lockstep-store";
const LOCKS: &str = "/run/proxmox-backup/locks/lockstep";

/// A temporary name without the letters that make it unique.
fn without_letters(path: &str) -> String {
    let path = path.strip_suffix("(deleted)").unwrap_or(path);
    match path.split_once(".tmp_") {
        Some((stem, _)) => format!("{stem}.tmp_"),
        None => path.to_owned(),
    }
}

fn time(hour: u8) -> String {
    format!("2026-07-14T{hour:02}:33:20Z")
}

impl Case {
    /// The calls of the recording.
    fn theirs(&self, folder: &Path) -> Vec<Seen> {
        let (begin, end) = self.between;
        let calls = Log::read(folder, self.log, begin).calls(begin, end);
        let Some((first, last)) = self.part else {
            return calls;
        };
        let is = |seen: &Seen, (call, path): Mark| seen.call == call && seen.path.ends_with(path);
        let from = calls.iter().position(|seen| is(seen, first)).unwrap();
        let rest = &calls[from..];
        let to = rest.iter().position(|seen| is(seen, last)).unwrap();
        rest[..=to].to_vec()
    }

    /// The steps of ours that the recording has.
    fn of_recording(&self, steps: Vec<Recorded>) -> Vec<Recorded> {
        let Some((first, last)) = self.steps else {
            return steps;
        };
        let from = steps
            .iter()
            .position(|step| step.kind.name() == first)
            .unwrap();
        let mut after = steps[from..].iter();
        let to = if last == "remove_namespace" {
            after.rposition(|step| step.kind.name() == last)
        } else {
            after.position(|step| step.kind.name() == last)
        };
        steps[from..=from + to.unwrap()].to_vec()
    }

    /// The steps of ours, with the calls of the recording.
    fn divided(&self, folder: &Path) -> Result<Vec<Recorded>, String> {
        let theirs = self.theirs(folder);
        let mut stage = Stage::unpack(folder);
        (self.before)(&mut stage);
        stage.prepare(&theirs);
        let errand = (self.errand)(&stage);
        let steps = self.of_recording(stage.run(&errand));
        let ours: Vec<_> = steps
            .into_iter()
            .map(|step| {
                let seen = step.calls.iter().map(|made| stage.seen(made)).collect();
                (step, seen)
            })
            .collect();
        let what = format!("{} ({errand:?})", self.log);
        let names = |seen: Vec<Seen>| stage.in_common_names(seen);
        let ours: Vec<_> = ours
            .into_iter()
            .map(|(step, seen)| (step, names(seen)))
            .collect();
        divide(&what, &ours, names(theirs), self.left_out)
    }
}

fn recordings(test: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(VARIABLE) else {
        println!("skipped: {test}: {VARIABLE} does not name the folder with the recordings");
        return None;
    };
    Some(PathBuf::from(folder))
}

/// What a backup, a removal and so on do, nine operations in all.
const RECORDED: &[Op] = &[
    Op::Gc,
    Op::MoveGroup,
    Op::Backup,
    Op::ForgetSnapshot,
    Op::Prune,
    Op::Verify,
    Op::SetNotes,
    Op::SetOwner,
    Op::DeleteNamespace,
];

#[test]
fn every_recorded_operation_makes_our_changes_by_calls_of_our_rows() {
    let Some(folder) =
        recordings("every_recorded_operation_makes_our_changes_by_calls_of_our_rows")
    else {
        return;
    };
    let mut made = CallsOfRows::default();
    let mut operations = BTreeSet::new();
    let mut differ = Vec::new();
    for case in cases() {
        match case.divided(&folder) {
            Ok(steps) => {
                operations.extend(steps.iter().map(|step| step.kind.op()));
                steps.iter().for_each(|step| made.add(step));
            }
            Err(how) => differ.push(how),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
    assert_eq!(operations, RECORDED.iter().copied().collect());
    let foreign = made.foreign().into_iter();
    let foreign: Vec<_> = foreign
        .map(|(step, call)| (step.full_name(), call))
        .collect();
    assert_eq!(foreign, [], "calls of the original that are in no row");
}

#[test]
fn every_log_of_the_recordings_is_compared_or_has_its_reason() {
    let Some(folder) = recordings("every_log_of_the_recordings_is_compared_or_has_its_reason")
    else {
        return;
    };
    let mut logs = BTreeSet::new();
    for file in std::fs::read_dir(folder.join("strace")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        logs.extend(name.strip_suffix(".log.gz").map(str::to_owned));
    }
    let compared = cases().into_iter().map(|case| case.log.to_owned());
    let reasons = NOT_COMPARED.iter().map(|(log, _)| (*log).to_owned());
    assert_eq!(logs, compared.chain(reasons).collect());
}
