//! That a litmus test notices when what it claims is not so.

use super::{TRIES, options};
use conformance::litmus::memory::Explored;
use conformance::litmus::real::{self, Options, Real};
use conformance::litmus::report::{self, Report};
use conformance::litmus::{Frequency, Histogram, Litmus, Memory, Model};
use conformance::loom_explore::End;
use conformance::record::Verdict;
use specs::Op;
use specs::lock_class::CLASSES;
use std::collections::BTreeSet;

/// A report on a test that claims something else than it should, after runs of the program as it is.
fn with_claims(name: &str, change: impl FnOnce(&mut Litmus)) -> Report {
    let litmus = Litmus::named(name).unwrap();
    let real = real::run(litmus, TRIES, &options(), &|_| {}).unwrap();
    let explored = report::in_memory(litmus).unwrap();
    let answer = report::in_model(litmus, 1).unwrap();
    let mut claims = *litmus;
    change(&mut claims);
    report::judge(&claims, &real, explored.as_ref(), answer)
}

#[test]
fn a_wrong_verdict_is_caught() {
    let name = "two_processes";
    assert_eq!(with_claims(name, |_| {}).verdict, Verdict::Holds);
    let report = with_claims(name, |claims| claims.expected = Frequency::Always);
    assert_eq!(report.verdict, Verdict::Violated);
    let said: Vec<&str> = report.failures.iter().map(String::as_str).collect();
    assert_eq!(
        said,
        [
            "on Linux a=done and b=done is never so, and is expected always",
            "in memory a=done and b=done is never so, and the test claims always",
        ]
    );
}

#[test]
fn a_wrong_condition_is_caught() {
    let litmus = Litmus::named("unlink_while_waiting").unwrap();
    let wrong = Litmus {
        condition: &[("inode", "same")],
        ..*litmus
    };
    let real = real::run(&wrong, TRIES, &options(), &|_| {}).unwrap();
    assert_eq!(
        report::judge(&wrong, &real, None, None).verdict,
        Verdict::Violated
    );
}

#[test]
fn a_wrong_claim_about_memory_or_model_is_caught() {
    let report = with_claims("listing_meets_rename_in_a_crowd", |claims| {
        claims.memory = Memory::Differs(Frequency::Sometimes, "wrong");
    });
    assert_eq!(report.verdict, Verdict::Violated);
    let report = with_claims("killed_holder_is_gone_once_waited_for", |claims| {
        if let Model::Says(claimed, _) = &mut claims.model {
            *claimed = Frequency::Never;
        }
    });
    assert_eq!(report.verdict, Verdict::Violated);
}

#[test]
fn an_outcome_that_memory_does_not_have_is_caught() {
    // What the one test sees on Linux, beside what the other one has in memory.
    let busy = Litmus::named("two_opens_in_one_process").unwrap();
    let done = Litmus::named("record_lock_does_not_exclude_its_process").unwrap();
    let real = real::run(done, TRIES, &options(), &|_| {}).unwrap();
    let explored = report::in_memory(busy).unwrap();
    let claims = Litmus {
        memory: Memory::Same,
        expected: Frequency::Sometimes,
        ..*busy
    };
    let report = report::judge(&claims, &real, explored.as_ref(), None);
    assert!(
        report
            .failures
            .contains(&"in memory there is no outcome b=done, and on Linux there is".to_owned()),
        "{:?}",
        report.failures
    );
}

#[test]
fn what_was_refused_is_skipped_and_what_was_cut_is_no_verdict() {
    let litmus = Litmus::named("two_processes").unwrap();
    let refused = Real::Refused("no".to_owned());
    let report = report::judge(litmus, &refused, None, None);
    assert_eq!((report.verdict, report.linux), (Verdict::Skipped, None));
    let mut explored = report::in_memory(litmus).unwrap();
    explored.as_mut().unwrap().end = End::Cut("1 execution".to_owned());
    let report = report::judge(litmus, &refused, explored.as_ref(), None);
    assert_eq!((report.verdict, report.loom), (Verdict::Cut, None));
}

#[test]
fn a_cut_hides_no_violation_and_nothing_is_told_from_what_it_has_not_seen() {
    let litmus = Litmus::named("two_processes").unwrap();
    let real = real::run(litmus, TRIES, &options(), &|_| {}).unwrap();
    let cut = Explored {
        outcomes: Histogram::default(),
        executions: 1,
        end: End::Cut("1 execution".to_owned()),
    };
    let sentence = "in memory not every interleaving was seen: Cut(\"1 execution\")";
    let report = report::judge(litmus, &real, Some(&cut), None);
    assert_eq!(report.verdict, Verdict::Cut);
    assert_eq!(report.failures, [sentence]);
    let claims = Litmus {
        expected: Frequency::Always,
        ..*litmus
    };
    let report = report::judge(&claims, &real, Some(&cut), None);
    assert_eq!(report.verdict, Verdict::Violated);
    let [failure, last] = &report.failures[..] else {
        panic!("{:?}", report.failures);
    };
    assert!(failure.ends_with("and is expected always"), "{failure}");
    assert_eq!(last, sentence);
}

#[test]
fn a_call_that_fails_and_should_not_is_a_violation() {
    let litmus = Litmus::named("two_processes").unwrap();
    let broken = Real::Broken("try 3: P1: open lock: gone".to_owned());
    let report = report::judge(litmus, &broken, None, None);
    assert_eq!(report.verdict, Verdict::Violated);
    assert_eq!(report.failures, ["on Linux try 3: P1: open lock: gone"]);
}

#[test]
fn ext4_tests_are_refused_on_a_tmpfs_in_a_sentence() {
    let litmus = Litmus::named("inode_numbers_on_ext4").unwrap();
    let options = Options {
        disk: "/dev/shm".into(),
        ..options()
    };
    let Real::Refused(reason) = real::run(litmus, 1, &options, &|_| {}).unwrap() else {
        panic!("it ran");
    };
    assert!(reason.contains("--store-dir"), "{reason}");
}

/// Names in backquotes are those of steps, operations and locks.
#[test]
fn who_relies_on_an_assumption_exists() {
    let mut known: BTreeSet<String> = CLASSES.iter().map(|c| c.class.name().to_owned()).collect();
    for op in Op::ALL {
        known.insert(op.name().to_owned());
        known.extend(
            op.table()
                .iter()
                .map(|row| format!("{}.{}", op.name(), row.step.name())),
        );
    }
    for litmus in Litmus::all() {
        assert!(
            !litmus.relied_on_by.is_empty() && litmus.assumes.ends_with('.'),
            "{}",
            litmus.name
        );
        for name in litmus.relied_on_by.split('`').skip(1).step_by(2) {
            assert!(known.contains(name), "{} names {name}", litmus.name);
        }
    }
}
