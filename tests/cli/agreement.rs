//! Where several judges have to say the same: model and files, and the engines.

use super::{lockstep, records};

/// What strangers have found the two sides to differ in, each on the smallest question that shows it.
#[test]
fn model_and_files_agree_where_a_stranger_saw_them_differ() {
    let asked: [&[&str]; 4] = [
        // A removal that finds no inode for a lock file is a warning of the job.
        &["four_snapshots:prune(a)@inode"],
        // A reboot takes the flag file, and what is started then can move.
        &["directory_locks_refuse_a_move@kill", "--kill"],
        // The snapshot whose manifest is updated was moved, by somebody who locks something else.
        &["backup(a)+move(a,b)@upgrade", "--design", "upstream"],
        // The owner file that is open was renamed with its group.
        &["owner(a)+move(a,b)@upgrade", "--design", "namespace_locks"],
    ];
    for arguments in asked {
        let output = lockstep(&[&["replay", "--format", "json"], arguments].concat());
        let record = &records(&output)[0];
        assert_eq!(record["verdict"], "holds", "{arguments:?}: {record}");
        assert!(record["steps"].as_u64().unwrap() > 0, "{arguments:?}");
    }
}

/// An exception, one that is never put to the test, one that is broken, one that is not witnessed, and a plain one.
#[test]
fn the_engines_agree_on_the_verdict_whatever_it_is() {
    let exactly_one = "snapshot_is_at_exactly_one_place";
    for (arguments, code, verdict) in [
        (&["insert_and_touch_meet_sweep"][..], 0, "holds"),
        (
            &[
                "one_move_meets_gc",
                "--design",
                "4.1.0",
                "--property",
                exactly_one,
            ],
            1,
            "untested",
        ),
        (
            &["two_removals_of_two_snapshots", "--design", "upstream"],
            1,
            "violated",
        ),
        (&["two_moves_cross"], 0, "holds"),
    ] {
        let told = ["lockstep", "both", "stateright"].map(|engine| {
            let engine = ["--engine", engine, "--format", "json"];
            let output = lockstep(&[&["check"], arguments, &engine].concat());
            assert_eq!(output.status.code(), Some(code), "{arguments:?} {engine:?}");
            let record = records(&output).pop().unwrap();
            assert_eq!(record["verdict"], verdict, "{arguments:?} {engine:?}");
            ["states", "edges", "failures", "properties", "coverage"].map(|it| record[it].clone())
        });
        assert_eq!(told[0], told[1], "{arguments:?}");
        assert_eq!(told[0], told[2], "{arguments:?}");
    }
}

/// It was corrupt at the start, written again and then set aside. Its loss is one for whoever looks at files only, too.
#[test]
fn a_chunk_that_was_sound_when_it_was_set_aside_is_lost_for_files_as_well() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let file = format!("{root}/tests/traces/hardened-sets_aside_only_what_it_read.json");
    let recorded = std::fs::read_to_string(file).unwrap();
    let mut trace: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    trace["property"] = "what_is_left_can_be_used_again".into();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    std::fs::write(&path, trace.to_string()).unwrap();
    let output = lockstep(&[
        "replay",
        "--format",
        "json",
        "--trace",
        path.to_str().unwrap(),
    ]);
    let record = &records(&output)[0];
    assert_eq!(record["verdict"], "violated", "{record}");
    assert_eq!(output.status.code(), Some(1));
}
