//! Faults on the command line: one step that is left out, or that waits where it should only try, under any design.

use super::{complaint, lockstep, records};
use serde_json::Value;
use std::borrow::Cow;
use std::process::Output;

fn text(output: &Output) -> Cow<'_, str> {
    String::from_utf8_lossy(&output.stdout)
}

const TAKERS: &str = "two_takers_meet_remover";
const SKIP: &str = "take_lock.recheck_lock_file/skip";

#[test]
fn a_fault_is_the_mutant_of_that_name_under_any_design() {
    let states = |flags: &[&str]| {
        let args = [&["check", TAKERS, "--format", "json"], flags].concat();
        let check = records(&lockstep(&args)).pop().unwrap();
        let broken: Vec<Value> = check["properties"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|asked| asked["verdict"] == "violated")
            .map(|asked| asked["name"].clone())
            .collect();
        (check["mutant"].clone(), check["states"].clone(), broken)
    };
    let mutant = states(&["--mutant", SKIP]);
    assert_eq!(mutant.2, ["one_exclusive_holder_per_lock"]);
    assert_eq!(states(&["--fault", SKIP]), mutant);
    let published = states(&["--design", "upstream", "--fault", SKIP]);
    assert_eq!((published.0, published.2), (mutant.0, mutant.2));
}

#[test]
fn what_a_fault_breaks_is_drawn_and_replayed_from_its_file() {
    let check = lockstep(&["check", TAKERS, "--design", "upstream", "--fault", SKIP]);
    assert_eq!(check.status.code(), Some(1));
    let command = "lockstep trace two_takers_meet_remover --design upstream --fault take_lock.recheck_lock_file/skip --property one_exclusive_holder_per_lock";
    assert!(text(&check).contains(command), "{}", text(&check));
    let mut trace: Vec<&str> = command.split(' ').skip(1).collect();
    trace.extend(["--format", "json"]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.json");
    std::fs::write(&file, lockstep(&trace).stdout).unwrap();
    let replayed = lockstep(&["replay", "--trace", file.to_str().unwrap()]);
    assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed));
    assert!(text(&replayed).contains("one_exclusive_holder_per_lock violated"));
}

#[test]
fn two_faults_are_one_variant() {
    let second = "take_lock.flock_lock_file/skip";
    let args = [
        "replay", TAKERS, "--format", "json", "--fault", SKIP, "--fault", second,
    ];
    let output = lockstep(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let replay = records(&output).pop().unwrap();
    assert_eq!(replay["mutant"], format!("{SKIP}+{second}"));
    assert!(replay["edges_replayed"].as_u64().unwrap() > 100);
}

/// Whatever a text says that can be run: each draws what it promises.
fn run_all(told: &str) {
    let commands = told.lines().map(str::trim);
    let commands: Vec<&str> = commands
        .filter_map(|line| line.strip_prefix("lockstep "))
        .collect();
    assert!(!commands.is_empty(), "{told}");
    for command in commands {
        let words = command.split(' ').map(|word| word.trim_matches('\''));
        let ran = lockstep(&words.collect::<Vec<_>>());
        let shown = i32::from(command.starts_with("check "));
        assert_eq!(ran.status.code(), Some(shown), "{command}");
    }
}

/// The part of the three tasks that has only this one.
fn only(question: &str) -> String {
    let set = specs::question::sets::Set::named("triples").unwrap();
    let names: Vec<String> = set.questions().iter().map(ToString::to_string).collect();
    let at = names.iter().position(|name| name == question).unwrap();
    format!("{}/{}", at + 1, names.len())
}

#[test]
fn a_set_of_questions_is_asked_with_a_fault_and_its_commands_can_be_run() {
    let wait = "move_group.lock_target_group/wait";
    let part = only("merge(a,b)+merge(b,a)+backup(b)");
    let ask = ["ask", "triples", "--part", &part, "--fault", wait];
    assert_eq!(lockstep(&ask[..4]).status.code(), Some(0));
    let asked = lockstep(&ask);
    assert_eq!(asked.status.code(), Some(1), "{}", text(&asked));
    let told = text(&asked);
    assert!(told.contains(&format!("hardened with {wait}")), "{told}");
    run_all(&told);
    let records = records(&lockstep(&[&ask[..], &["--format", "json"]].concat()));
    assert!(records.len() > 1 && records.iter().all(|record| record["mutant"] == wait));
}

/// What is left of a question need not have the step of each fault, and a part need not have what another part has.
#[test]
fn a_fault_that_only_some_questions_meet_is_no_obstacle() {
    let set = ["ask", "pairs_without_inode", "--part", "1/30"];
    let faults = [
        "--fault",
        "set_owner.lock_group/skip",
        "--fault",
        "move_group.lock_target_group/wait",
    ];
    let told = lockstep(&[&set[..], &faults].concat());
    let told = text(&told);
    run_all(&told);
}

#[test]
fn a_fault_of_what_nobody_does_is_refused() {
    let take_lock = ["--fault", SKIP];
    for asked in [
        &["check", "backup(a)"][..],
        &["replay", "backup(a)"],
        &["trace", "backup(a)"],
        &["check", "backup(a)", "--against", "upstream"],
        &["lock-order", "backup(a)", "--by", "model"],
        &["explore", "backup(a)"],
        &["ask", "triples"],
    ] {
        let refused = complaint(&[asked, &take_lock].concat());
        assert!(
            refused.contains("nobody there takes take_lock.recheck_lock_file"),
            "{refused}"
        );
    }
}

/// Wherever the fault that nobody can have stands among others.
#[test]
fn each_of_several_faults_is_met() {
    let unmet = "set_owner.lock_group/skip";
    let all = ["gc.lock_group/skip", unmet, "move_group.lock_manifest/skip"];
    for turn in 0..all.len() {
        let mut faults = all;
        faults.rotate_left(turn);
        for count in 1..=all.len() {
            let some = &faults[..count];
            let mut args = vec!["check", "one_move_meets_gc"];
            args.extend(some.iter().flat_map(|fault| ["--fault", fault]));
            if some.contains(&unmet) {
                let refused = complaint(&args);
                assert!(
                    refused.contains("nobody there takes set_owner.lock_group"),
                    "{some:?}: {refused}"
                );
            } else {
                let code = lockstep(&args).status.code();
                assert!(matches!(code, Some(0 | 1)), "{some:?}: {code:?}");
            }
        }
    }
}

#[test]
fn a_fault_that_cannot_be_had_is_refused() {
    for (faults, why) in [
        (&["gc.lock_journal"][..], "is no fault"),
        (&["gc.lock_jornal/skip"], "there is no step gc.lock_jornal"),
        (&["gc.open_entry/skip"], "gc.open_entry cannot be skipped"),
        (&["gc.lock_store/wait"], "gc.lock_store cannot wait"),
        (
            &["gc.lock_store/skip", "gc.lock_store/skip"],
            "has another already",
        ),
    ] {
        let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
        let args: Vec<&str> = ["check", TAKERS].into_iter().chain(faults).collect();
        let refused = complaint(&args);
        assert!(refused.contains(why), "{refused}");
    }
    let refused = complaint(&[
        "check",
        TAKERS,
        "--fault",
        "move_group.lock_source_namespace/skip",
    ]);
    assert!(
        refused.contains("hardened has no step move_group.lock_source_namespace"),
        "{refused}"
    );
    let refused = complaint(&["mutants", "--faults"]);
    assert!(refused.contains("--faults needs --everywhere, or --in"));
}

/// One scenario of the small ones for each way: all of them are asked by `lockstep mutants --everywhere --faults`.
#[test]
fn every_fault_of_a_scenario_is_the_same_in_the_implementation() {
    for scenario in [TAKERS, "two_moves_cross", "takers_of_two_namespaces"] {
        let output = lockstep(&["mutants", "--faults", "--in", scenario, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let all = records(&output);
        let differ = all.iter().filter(|one| one["different"] == 1).count();
        assert!(differ > 1, "{scenario}: {differ} of {}", all.len());
        assert!(all.iter().all(|one| one["verdict"] == "holds"));
    }
}

/// What one scenario has shown is replayed in the next one all the same.
#[test]
fn a_mutant_is_replayed_in_each_scenario_as_if_that_were_the_only_one() {
    let share = |scenarios: &[&str]| {
        let mut args = vec!["mutants", "hardened-renames_under_journal_lock"];
        args.extend(scenarios.iter().flat_map(|scenario| ["--in", scenario]));
        args.extend(["--format", "json"]);
        let output = lockstep(&args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let found = records(&output).pop().unwrap();
        ["sights", "edges_replayed", "traces"].map(|of| found["share"][of].as_u64().unwrap())
    };
    let [one, other] = ["one_move_meets_gc", "move_meets_reload"];
    let (first, second) = (share(&[one]), share(&[other]));
    let both = share(&[one, other]);
    for (both, (first, second)) in both.into_iter().zip(first.into_iter().zip(second)) {
        assert!(first > 0 && second > 0);
        assert_eq!(both, first + second);
    }
}

#[test]
fn what_a_mend_changes_by_itself_is_the_same_in_the_implementation() {
    let mend = "sets_flag_before_reload";
    let output = lockstep(&["mends", mend, "--replay", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let found = records(&output).pop().unwrap();
    assert_eq!(found["of"], format!("upstream+{mend}"));
    assert!(found["different"].as_u64().unwrap() > 0);
    assert!(found["share"]["edges_replayed"].as_u64().unwrap() > 100);
}

/// What nobody had asked, and what a fault does to more than one operation.
#[test]
fn a_fault_is_the_same_in_model_and_code_beside_a_kill_and_in_what_a_backup_undoes() {
    for (question, flags) in [
        (
            "backup(b)@leave",
            &["--design", "upstream", "--fault", "backup.lock_group/skip"][..],
        ),
        (
            "backup(b)@leave",
            &[
                "--design",
                "upstream",
                "--fault",
                "forget_snapshot.lock_group/skip",
            ],
        ),
        (
            "four_snapshots:prune(a)+verify(a)",
            &["--fault", "forget_snapshot.lock_snapshot/skip"],
        ),
        (
            "move(a,b);owner(a)@kill",
            &["--kill", "--fault", "move_group.unlock_target_group/skip"],
        ),
        ("backup(a)@kill", &["--kill", "--design", "namespace_locks"]),
    ] {
        let args = [&["replay", question, "--format", "json"], flags].concat();
        let output = lockstep(&args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let replay = records(&output).pop().unwrap();
        let faults: Vec<&str> = flags
            .iter()
            .copied()
            .filter(|flag| flag.contains('/'))
            .collect();
        assert_eq!(replay["mutant"].as_str(), faults.first().copied());
    }
}

/// Each lets two operations into what a lock keeps to one of them, and both meet there at single calls.
#[test]
fn what_a_fault_lets_two_tasks_do_is_the_same_in_the_implementation() {
    for (question, design, fault) in [
        (
            "move(a,b)+forget(a,0)",
            "hardened",
            "move_group.lock_source_group/skip",
        ),
        (
            "move(a,b)+delete(a)",
            "hardened",
            "delete_namespace.lock_group/skip",
        ),
        (
            "move(a,b)+backup(a)@leave",
            "hardened",
            "move_group.lock_source_group/skip",
        ),
        (
            "backup(a)+delete(a)@leave",
            "hardened",
            "backup.lock_group/skip",
        ),
        (
            "backup(b)+forget(b,2)@leave",
            "hardened",
            "forget_snapshot.lock_snapshot/skip",
        ),
        (
            "backup(a)+forget(a,1)@leave",
            "hardened",
            "backup.lock_snapshot/skip",
        ),
        (
            "backup(b)+forget(b,2)",
            "upstream",
            "backup.lock_snapshot/skip",
        ),
        (
            "backup(b)+forget(b,2)",
            "4.2.3",
            "forget_snapshot.lock_snapshot/skip",
        ),
        (
            "merge(a,b)+backup(a)@leave",
            "upstream",
            "move_group.lock_source_group/skip",
        ),
        (
            "backup(a)+delete(a)",
            "upstream",
            "delete_namespace.lock_group/skip",
        ),
        (
            "move(a,b)+owner(a)",
            "upstream",
            "move_group.lock_source_group/skip",
        ),
    ] {
        let args = [
            "replay", question, "--design", design, "--fault", fault, "--quiet",
        ];
        let output = lockstep(&args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let told = "the model breaks";
        assert!(
            text(&output).contains(told),
            "{question}: {}",
            text(&output)
        );
    }
}
