//! `lockstep litmus`: verdicts, histograms, and what becomes of a test that the machine refuses.

use super::{complaint, lockstep, records};
use conformance::litmus::{Litmus, real};
use std::time::{Duration, Instant};

#[test]
fn a_test_alone_is_printed_with_its_program_and_its_histogram() {
    let output = lockstep(&["litmus", "two_opens_in_one_process", "--tries", "7"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("true: in how many of the tries on Linux"),
        "{text}"
    );
    for line in [
        "  b = flock b exclusive",
        "  condition: b=done",
        "        7   b=busy",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn a_record_has_the_verdict_of_every_world_and_the_histogram() {
    let tests = ["unlink_while_waiting", "two_mkdirs"];
    let output = lockstep(&[
        "litmus", tests[0], tests[1], "--tries", "5", "--format", "json",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let records = records(&output);
    assert_eq!(records.len(), 2);
    let waits = &records[0];
    for (field, value) in [
        ("kind", "litmus"),
        ("name", tests[0]),
        ("verdict", "holds"),
        ("expected", "always"),
        ("linux", "always"),
        ("loom", "always"),
        ("model", "sometimes"),
        ("condition", "b=done and n=done and inode=other"),
    ] {
        assert_eq!(waits[field], value, "{field}");
    }
    let seen = &waits["histogram"]["b=done inode=other n=done"];
    assert_eq!(
        (&seen["times"], &seen["is_true"]),
        (&5.into(), &true.into())
    );
    assert!(waits["executions"].as_u64().unwrap() > 1);
    assert_eq!(records[1]["model"], serde_json::Value::Null);
    assert_eq!(records[1]["negative"], 5);
}

#[test]
fn a_test_that_the_machine_refuses_is_skipped_by_name_and_never_green() {
    let test = [
        "litmus",
        "inode_numbers_on_ext4",
        "two_mkdirs",
        "--tries",
        "2",
    ];
    let tmpfs = ["--store-dir", "/dev/shm"];
    let text = complaint(&[&test[..], &tmpfs].concat());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains(
            "skipped inode_numbers_on_ext4: /dev/shm does not lie on ext4; name a directory"
        ),
        "{text}"
    );
    let output = lockstep(&[&test[..], &tmpfs, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let records = records(&output);
    let kinds: Vec<&str> = records
        .iter()
        .map(|r| r["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["litmus", "litmus", "error"]);
    assert_eq!(records[0]["verdict"], "skipped");
    assert_eq!(records[0]["linux"], serde_json::Value::Null);
    assert_eq!(records[1]["verdict"], "holds");
}

#[test]
fn a_wrong_name_or_number_is_refused_before_anything_runs() {
    let text = complaint(&["litmus", "unlink_while_wating"]);
    assert!(
        text.contains("did you mean unlink_while_waiting?")
            && text.contains("lockstep list litmus"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    let text = complaint(&["litmus", "--tries", "0"]);
    assert!(text.contains("--tries"), "{text}");
}

#[test]
fn nothing_is_left_behind() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().to_str().unwrap();
    let tests = [
        "killed_waiter_leaves_the_queue",
        "truncate_makes_room",
        "two_appends_on_ext4",
    ];
    let output = lockstep(&[&["litmus", "--tries", "2", "--lock-dir", path], &tests[..]].concat());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 2)), "{text}");
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
}

/// Whoever waits for it to report would wait for a minute.
#[test]
fn a_process_of_a_test_that_dies_at_its_start_is_noticed_at_once() {
    let options = real::Options {
        lockstep: "/bin/false".into(),
        tmpfs: "/dev/shm".into(),
        disk: std::env::temp_dir(),
    };
    let begin = Instant::now();
    let litmus = Litmus::named("two_appends").unwrap();
    let error = real::run(litmus, 1, &options, &|_| {}).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(30), "{error:#}");
    let said = "P0 of the litmus test two_appends, which /bin/false runs, ended at its start: exit status: 1";
    assert_eq!(format!("{error:#}"), said);
}
