//! Loom: the real operations on a machine in memory, in every interleaving within a bound.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::loom_run::{Settings, explore};
use conformance::loom_sys::{Order, Patience};
use model::Scope;
use specs::{Design, Scenario};
use std::ops::ControlFlow;

#[test]
fn first() {
    let names = std::env::var("LOOM_NAMES").unwrap_or("one_move_meets_gc".into());
    let bound: usize = std::env::var("LOOM_B")
        .unwrap_or("2".into())
        .parse()
        .unwrap();
    for name in names.split(',') {
        let scenario = Scenario::named(name).unwrap();
        let scope = Scope::new(scenario, Design::Hardened, None);
        let settings = Settings {
            preemption_bound: Some(bound),
            order: Order::NewestFirst,
            patience: Patience::Waits,
            max_executions: 200_000,
        };
        let begin = std::time::Instant::now();
        let mut marks = 0;
        let run = explore(&scope, &settings, |log| {
            marks = marks.max(log.marks.len());
            ControlFlow::Continue(())
        });
        let s = begin.elapsed().as_secs_f64();
        match run {
            Ok(run) => println!(
                "{name}: {run:?} {s:.2} s, {:.0}/s, {marks} marks",
                run.executions as f64 / s
            ),
            Err(e) => println!("{name}: {e:#}"),
        }
    }
}
