//! `lockstep lock-order` from outside.

use super::{complaint, lockstep, records};
use serde_json::Value;

fn of_kind<'r>(records: &'r [Value], kind: &str) -> Vec<&'r Value> {
    records.iter().filter(|r| r["kind"] == kind).collect()
}

#[test]
fn lock_order_of_the_default_design_is_the_allowed_one_in_model_and_real_runs() {
    let output = lockstep(&["lock-order", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let records = records(&output);
    let [order] = of_kind(&records, "lock_order")[..] else {
        panic!("one record of all is expected");
    };
    assert_eq!(order["verdict"], "holds");
    assert_eq!(order["complete"], true);
    assert_eq!(
        (&order["cycles"], &order["differences"]),
        (&0.into(), &0.into())
    );
    assert!(!order["replayed"].as_array().unwrap().is_empty());
    let edges = of_kind(&records, "lock_edge");
    assert_eq!(order["edges"], edges.len());
    for edge in edges {
        assert_eq!(edge["allowed"], true, "{edge}");
        assert_eq!(edge["steps"], edge["steps_in_real_runs"], "{edge}");
        let trace = edge["trace"].as_array().unwrap();
        assert_eq!(edge["trace_length"], trace.len());
    }
    let replays = of_kind(&records, "replay");
    assert_eq!(replays.len(), order["replayed"].as_array().unwrap().len());
    assert!(replays.iter().all(|replay| replay["verdict"] == "holds"));
}

#[test]
fn lock_order_of_a_move_that_waits_exits_1_and_draws_the_two_traces_of_its_cycle() {
    let mutant = [
        "lock-order",
        "--mutant",
        "move_group.lock_target_group/wait",
    ];
    let output = lockstep(&[&mutant[..], &["--by", "model"]].concat());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(
        "lock_order_cycle",
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .skip_while(|line| !line.starts_with("a cycle"))
            .take_while(|line| !line.starts_with("violated"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let output = lockstep(&[&mutant[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let records = records(&output);
    let [cycle] = of_kind(&records, "lock_cycle")[..] else {
        panic!("one cycle is expected");
    };
    assert_eq!(cycle["shown"].as_array().unwrap().len(), 2);
    let differences = of_kind(&records, "lock_difference");
    assert!(
        differences.iter().all(|d| d["verdict"] == "violated"),
        "real runs of the mutant take what its model takes"
    );
}

#[test]
fn lock_order_is_drawn_as_a_flowchart_and_in_no_other_way() {
    let drawn = ["lock-order", "verify_meets_forget", "--by", "model"];
    let output = lockstep(&[&drawn[..], &["--format", "mermaid"]].concat());
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(
        "lock_order_mermaid",
        String::from_utf8(output.stdout).unwrap()
    );
    let refused = complaint(&[&drawn[..], &["--format", "svg"]].concat());
    assert!(refused.contains("use --format text or json"), "{refused}");
}

#[test]
fn lock_order_of_what_no_real_run_can_tell_is_refused_and_the_model_can_still_be_asked() {
    let unreplayed = ["lock-order", "one_move_meets_gc_with_kills"];
    let refused = complaint(&unreplayed);
    assert!(refused.contains("use --by model"), "{refused}");
    let output = lockstep(&[&unreplayed[..], &["--by", "model"]].concat());
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn lock_order_that_is_cut_short_is_never_green() {
    let output = lockstep(&["lock-order", "--max-states", "100", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let records = records(&output);
    let order = of_kind(&records, "lock_order")[0];
    assert_eq!(order["verdict"], "cut");
    assert_eq!(order["complete"], false);
    assert!(order["replayed"].as_array().unwrap().is_empty());
}

#[test]
fn lock_order_of_another_design_says_what_it_takes_otherwise() {
    let order = |design: &str| {
        let output = lockstep(&["lock-order", "--design", design, "--by", "model"]);
        let text = String::from_utf8(output.stdout).unwrap();
        // The file is that of hardened: what nobody takes here may be taken there.
        assert!(!text.contains("nobody takes it"), "{text}");
        (output.status.code(), text)
    };
    let (code, text) = order("hardened+rename_whole_group");
    let less = "taken by hardened, and here by nobody: move_journal exclusive -> chunk_store exclusive: waits";
    assert!(text.contains(less), "{text}");
    assert_eq!(code, Some(0), "it takes nothing that hardened does not");
    let (code, text) = order("namespace_locks");
    let more = "not allowed: namespace exclusive -> group exclusive: tries";
    assert!(text.contains(more), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn the_lock_order_of_a_question_is_that_of_its_real_runs_as_well() {
    let output = lockstep(&["lock-order", "gc+gc", "--format", "json"]);
    let records = records(&output);
    assert_eq!(output.status.code(), Some(0), "{records:?}");
    let [order] = of_kind(&records, "lock_order")[..] else {
        panic!("one record of all is expected");
    };
    assert_eq!(order["replayed"], serde_json::json!(["gc+gc"]));
    assert_eq!(of_kind(&records, "replay")[0]["verdict"], "holds");
    let text = complaint(&["lock-order", "killed_backup_meets_gc"]);
    let said = "the gate does not replay every edge of killed_backup_meets_gc; use --by model";
    assert!(text.contains(said), "{text}");
}
