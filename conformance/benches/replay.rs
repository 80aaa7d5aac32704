//! Replay: compared steps a second with two and three processes in one and two lanes, and where the time goes.
//!
//! `cargo bench -p conformance [-- --rounds N]`. The variants take turns.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are printed with three digits"
)]

use conformance::driver::{Driver, Options};
use conformance::expected::expected;
use conformance::projection::Projected;
use conformance::replay::{Plan, replay_all};
use conformance::traces::cover;
use conformance::world::SHM;
use model::engine::{Graph, Options as Search, explore};
use model::{Scope, State};
use specs::{Design, Event, Scenario};
use std::path::Path;
use std::time::{Duration, Instant};

/// A run takes whole traces until there are so many steps.
const STEPS: usize = 40_000;

/// Two processes, and three.
const SCENARIOS: [&str; 2] = ["one_move_meets_gc", "move_there_and_back_meets_gc"];

struct Course {
    scope: Scope,
    graph: Graph<State, Event>,
    paths: Vec<Vec<u32>>,
    traces: Vec<Vec<Event>>,
}

impl Course {
    fn new(name: &str) -> Self {
        let scope = Scope::new(Scenario::named(name).unwrap(), Design::HARDENED, &[]);
        let options = Search {
            threads: 2,
            keep_graph: true,
            ..Search::default()
        };
        let graph = explore(&scope, &options).unwrap().graph.unwrap();
        let mut paths = Vec::new();
        let mut steps = 0;
        for path in cover(&graph, |_| true).unwrap() {
            if steps < STEPS {
                steps += path.len();
                paths.push(path);
            }
        }
        let events = |path: &Vec<u32>| {
            path.iter()
                .map(|e| graph.edges[*e as usize].action)
                .collect()
        };
        let traces = paths.iter().map(events).collect();
        Self {
            scope,
            graph,
            paths,
            traces,
        }
    }

    fn steps(&self) -> usize {
        self.traces.iter().map(Vec::len).sum()
    }

    fn expected(&self, trace: usize, after: usize, base: &Path) -> Projected {
        let path = &self.paths[trace];
        let state = after
            .checked_sub(1)
            .map_or(0, |last| self.graph.edges[path[last] as usize].to);
        expected(
            &self.scope,
            &self.graph.states[state as usize],
            &base.display().to_string(),
        )
    }
}

fn options(parent: &Path) -> Options {
    Options {
        parent: parent.to_owned(),
        ..Options::new(env!("CARGO_BIN_EXE_lockstep"))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments
        .iter()
        .position(|argument| argument == "--rounds")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(5);
    let private = tempfile::tempdir_in(SHM).unwrap();
    let courses: Vec<Course> = SCENARIOS.iter().map(|name| Course::new(name)).collect();
    let variants: Vec<(&Course, usize)> = courses
        .iter()
        .flat_map(|course| [(course, 1), (course, 2)])
        .collect();
    let mut rates = vec![Vec::new(); variants.len()];
    for _ in 0..rounds {
        for (rates, (course, lanes)) in rates.iter_mut().zip(&variants) {
            rates.push(rate(course, *lanes, private.path()));
        }
    }
    for (rates, (course, lanes)) in rates.iter_mut().zip(&variants) {
        rates.sort_by(f64::total_cmp);
        println!(
            "{:30} {} processes, {lanes} lanes: {:6.0} compared steps a second ({:.0} to {:.0})",
            course.scope.scenario.name,
            course.scope.scenario.processes.len(),
            rates[rates.len() / 2],
            rates[0],
            rates[rates.len() - 1]
        );
    }
    for course in &courses {
        dissect(course, private.path());
    }
}

/// Compared steps a second, the start of the processes included.
fn rate(course: &Course, lanes: usize, parent: &Path) -> f64 {
    let plan = Plan {
        scenario: course.scope.scenario,
        design: course.scope.design,
        faults: Vec::new(),
        options: options(parent),
        lanes,
    };
    let begin = Instant::now();
    let expect = |base: &Path, trace: usize, after: usize| course.expected(trace, after, base);
    let report = replay_all(&plan, &course.traces, expect, None, |_| {}).unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(report.divergence, None);
    assert_eq!(report.counts.steps, course.steps());
    report.counts.steps as f64 / seconds
}

/// One lane, and each part of the work by itself.
fn dissect(course: &Course, parent: &Path) {
    let mut driver = Driver::new(
        course.scope.scenario,
        course.scope.design,
        &[],
        options(parent),
    )
    .unwrap();
    let base = driver.world().store().to_owned();
    let [
        mut reset,
        mut step,
        mut observe,
        mut expect,
        mut compare,
        mut end,
    ] = [Duration::ZERO; 6];
    let mut seen = Projected::default();
    for (number, trace) in course.traces.iter().enumerate() {
        timed(&mut reset, || driver.begin(trace)).unwrap();
        for after in 0..=trace.len() {
            if let Some(at) = after.checked_sub(1) {
                timed(&mut step, || driver.step(at)).unwrap();
            }
            timed(&mut observe, || driver.observe(&mut seen)).unwrap();
            let wanted = timed(&mut expect, || course.expected(number, after, &base));
            assert_eq!(timed(&mut compare, || seen.first_difference(&wanted)), None);
        }
        timed(&mut end, || {
            driver.strangers().and_then(|_| driver.altered())
        })
        .unwrap();
    }
    let steps = course.steps() as f64;
    println!(
        "{}: {} traces, {steps} steps; microseconds a step:",
        course.scope.scenario.name,
        course.traces.len()
    );
    let parts = [
        ("round trip of the step", step),
        ("observation of tree and locks", observe),
        ("what the model expects", expect),
        ("comparison", compare),
        ("reset and begin of traces", reset),
        ("look at the whole tree at their ends", end),
    ];
    let whole: Duration = parts.iter().map(|(_, time)| *time).sum();
    for (what, time) in parts {
        let share = 100.0 * time.as_secs_f64() / whole.as_secs_f64();
        println!(
            "  {what:38} {:7.2}  {share:5.1} %",
            time.as_secs_f64() * 1e6 / steps
        );
    }
}

fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = work();
    *sum += begin.elapsed();
    result
}
