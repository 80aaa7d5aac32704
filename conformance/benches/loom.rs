//! Executions under loom: two whole operations on the machine in memory, against two threads of loom that only lock a mutex.
//!
//! `cargo bench -p conformance --bench loom [-- --pairs N] [FILTER]`. Times are for one execution. Each case says how much more
//! an execution of real operations takes than what loom itself takes for the smallest one; `judged` has the model explain each
//! log besides, which happens in a thread beside the exploration.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are printed with few digits"
)]

#[allow(dead_code, reason = "what other benchmarks need besides")]
#[path = "../../impl/benches/pairs/mod.rs"]
mod pairs;

use conformance::explain::{Explainer, Judged};
use conformance::interval_log::IntervalLog;
use conformance::loom_run::{End, Settings, explore};
use loom::sync::Mutex;
use model::Scope;
use pairs::{Case, Pairs, time};
use specs::{Design, Scenario};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often a bare thread locks its mutex.
const TURNS: usize = 4;

fn main() -> ExitCode {
    let pairs = Pairs::from_arguments();
    let scenario = Scenario::named("verify_meets_move").unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let explainer = Explainer::new(&scope);
    let explained = |log: &IntervalLog| {
        assert!(matches!(explainer.explain(log), Judged::Explained { .. }));
    };
    let executions = operations(&scope, |_| {});
    let operations_of = [executions, bare()];
    let case = |name| Case {
        name,
        contenders: ["operations", "bare"],
        goal: None,
        operations: operations_of,
    };
    pairs.compare(
        &case("execution"),
        || time(|| assert_eq!(operations(&scope, |_| {}), executions)),
        || time(|| assert!(bare() > 1)),
    );
    pairs.compare(
        &case("execution_judged"),
        || time(|| assert_eq!(operations(&scope, explained), executions)),
        || time(|| assert!(bare() > 1)),
    );
    pairs.verdict()
}

/// All executions of a scenario with at most two preemptions; how many there are.
fn operations(scope: &Scope, judge: impl Fn(&IntervalLog)) -> usize {
    let run = explore(scope, &Settings::new(Some(2)), |log| {
        judge(&log);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(run.end, End::Complete);
    usize::try_from(run.executions).unwrap()
}

/// All executions of two threads that lock a mutex a few times; how many there are.
fn bare() -> usize {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = None;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let mutex = Arc::new(Mutex::new(0));
        for _ in 0..2 {
            let mutex = Arc::clone(&mutex);
            loom::thread::spawn(move || {
                for _ in 0..TURNS {
                    *mutex.lock().unwrap() += 1;
                }
            });
        }
    });
    executions.load(Ordering::Relaxed)
}
