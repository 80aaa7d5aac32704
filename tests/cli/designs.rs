//! Designs on the command line: a name, less some changes and plus others; and nonsense, which is refused.

use super::{complaint, lockstep, records};
use serde_json::Value;
use specs::Design;
use specs::design::{Change, PRESETS};

const SMALL: &str = "two_moves_cross";

/// The record of a small scenario, and what comes before it.
fn checked(design: &str) -> (Value, Vec<Value>) {
    let output = lockstep(&["check", SMALL, "--design", design, "--format", "json"]);
    let mut all = records(&output);
    let check = all.pop().unwrap();
    assert_eq!(check["kind"], "check", "{design}: {check}");
    assert_eq!(check["complete"], true, "{design}");
    (check, all)
}

#[test]
fn every_mend_runs_alone_on_the_published_design_and_left_out_of_the_hardened_one() {
    for mend in Change::mends() {
        for design in [Design::UPSTREAM.with(mend), Design::HARDENED.without(mend)] {
            let written = if design.has(mend) {
                format!("upstream+{}", mend.name())
            } else {
                format!("hardened-{}", mend.name())
            };
            let (check, before) = checked(&written);
            assert_eq!(check["design"], design.name(), "{written}");
            assert_eq!(before, Vec::<Value>::new(), "{written}");
        }
    }
}

#[test]
fn a_record_names_a_design_in_one_way_however_it_was_written() {
    for (written, name) in [
        (
            "upstream+no_journal+mends_torn_tail",
            "upstream+mends_torn_tail+no_journal",
        ),
        (
            "hardened+rename_before_append-renames_under_journal_lock",
            "hardened-renames_under_journal_lock+rename_before_append",
        ),
        (
            "namespace_locks_wait-waits_for_namespaces",
            "namespace_locks",
        ),
    ] {
        let (check, _) = checked(written);
        assert_eq!(check["design"], name);
        assert_eq!(checked(name).0["states"], check["states"]);
    }
}

#[test]
fn what_comes_along_with_a_change_is_said() {
    let written = "upstream+waits_for_namespaces";
    let (check, before) = checked(written);
    let [completed] = &before[..] else {
        panic!("{before:?}")
    };
    assert_eq!(completed["kind"], "completed_design");
    assert_eq!(completed["asked"], written);
    assert_eq!(completed["design"], check["design"]);
    let added = ["locks_namespaces", "rename_whole_group"];
    assert_eq!(completed["added"], Value::from(&added[..]));

    let output = lockstep(&[
        "check",
        SMALL,
        "--design",
        "namespace_locks-rename_whole_group",
    ]);
    let text = String::from_utf8(output.stderr).unwrap();
    let said = "locks_namespaces is taken away, since it requires rename_whole_group";
    assert!(text.contains(said), "{text}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(said), "{text}");
    assert!(text.contains("upstream+no_journal"), "{text}");
}

#[test]
fn nonsense_is_refused_with_one_sentence() {
    for (design, expected) in [
        ("upstream+mend_torn_tail", "did you mean mends_torn_tail?"),
        ("upsteam+mends_torn_tail", "did you mean upstream?"),
        ("hardened+mends_torn_tail", "has mends_torn_tail already"),
        ("upstream-mends_torn_tail", "has no mends_torn_tail"),
        (
            "hardened-mends_torn_tail+mends_torn_tail",
            "both added and taken away",
        ),
        ("upstream+no_moves+no_moves", "named twice"),
        (
            "hardened+rename_before_append",
            "did you mean hardened-renames_under_journal_lock+rename_before_append?",
        ),
        ("upstream+flag_per_call+flag_ignored", "exclude each other"),
        (
            "namespace_locks-rename_whole_group+waits_for_namespaces",
            "waits_for_namespaces requires locks_namespaces",
        ),
        ("upstream+", "there is no change "),
        ("history/no_journal", "--design hardened+no_journal"),
    ] {
        for arguments in [
            &["check", SMALL, "--design", design][..],
            &["check", SMALL, "--against", design],
            &["trace", SMALL, "--design", design],
        ] {
            let text = complaint(arguments);
            assert!(text.contains(expected), "{arguments:?}: {text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[test]
fn a_behaviour_of_any_design_is_drawn_and_replayed_from_its_record() {
    let scenario = "two_gc_runs_meet_move";
    let design = "hardened-renames_under_journal_lock";
    let asked = [
        "--property",
        "new_path_implies_journal_entry",
        "--format",
        "json",
    ];
    let output = lockstep(&[&["trace", scenario, "--design", design], &asked[..]].concat());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &output.stdout).unwrap();
    let path = file.path().to_str().unwrap();
    let output = lockstep(&["replay", "--trace", path, "--format", "json"]);
    let record = &records(&output)[0];
    assert_eq!(record["design"], design);
    assert_eq!(record["verdict"], "violated", "{record}");
}

#[test]
fn a_listed_change_says_what_it_is_and_a_listed_design_what_it_has() {
    let all = records(&lockstep(&["list", "changes", "--format", "json"]));
    let named = |name: &str| all.iter().find(|change| change["name"] == name).unwrap();
    let mend = named("renames_under_journal_lock");
    assert_eq!(mend["nature"], "mend");
    assert_eq!(mend["finding"], "drain_forgets_pending_rename");
    assert_eq!(mend["excludes"], Value::from(vec!["rename_before_append"]));
    let era = named("waits_for_namespaces");
    assert_eq!(era["requires"], Value::from(vec!["locks_namespaces"]));

    let designs = records(&lockstep(&["list", "designs", "--format", "json"]));
    assert_eq!(designs.len(), PRESETS.len());
    let upstream = designs.iter().find(|design| design["name"] == "upstream");
    assert_eq!(
        upstream.unwrap()["changes"],
        Value::from(Vec::<Value>::new())
    );

    let output = lockstep(&["list", "changes"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains(" rename_before_append "));
    let line = line.unwrap();
    assert!(line.starts_with("bug "), "{line}");
    assert!(
        line.contains("(excludes renames_under_journal_lock, "),
        "{line}"
    );
}

#[test]
fn two_designs_that_differ_in_one_change_are_compared() {
    let output = lockstep(&[
        "check",
        SMALL,
        "--design",
        "upstream+mends_torn_tail",
        "--against",
        "upstream",
        "--format",
        "json",
    ]);
    let record = &records(&output)[0];
    assert_eq!(record["design"], "upstream+mends_torn_tail");
    assert_eq!(record["equivalent"], true, "nobody tears a line here");
}
