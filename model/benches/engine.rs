//! The engine against stateright's breadth-first and depth-first checkers: time in turns, memory in processes of their own.
//!
//! `cargo bench -p model [-- --rounds N]`. The scenario is the one with the most states.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are printed with three digits"
)]

use model::Scope;
use model::engine::{Options, explore};
use specs::scenarios::SCENARIOS;
use specs::{Design, Scenario};
use stateright::{Checker as _, Model as _};
use std::process::Command;
use std::time::Instant;

/// Asks this program, started again, to run one contender and to say how much memory it took.
const MEMORY: &str = "--memory";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contender {
    Engine,
    Breadth,
    Depth,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Engine, Self::Breadth, Self::Depth];

    const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Breadth => "stateright_bfs",
            Self::Depth => "stateright_dfs",
        }
    }

    /// Explores the scope to its end; states and edges.
    fn run(self, scope: &Scope, threads: usize) -> (u64, u64) {
        let starts = scope.init_states().len() as u64;
        match self {
            Self::Engine => {
                let options = Options {
                    threads,
                    ..Options::default()
                };
                let record = explore(scope, &options)
                    .expect("the engine accepts the model")
                    .record;
                assert!(record.holds(), "{:?}", record.failures());
                (record.states, record.edges)
            }
            Self::Breadth => {
                let checker = scope.clone().checker().threads(threads).spawn_bfs().join();
                (
                    checker.unique_state_count() as u64,
                    checker.state_count() as u64 - starts,
                )
            }
            Self::Depth => {
                let checker = scope.clone().checker().threads(threads).spawn_dfs().join();
                (
                    checker.unique_state_count() as u64,
                    checker.state_count() as u64 - starts,
                )
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == MEMORY) {
        return report_memory(&arguments[at + 1..]);
    }
    let rounds = arguments
        .iter()
        .position(|argument| argument == "--rounds")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(7);
    let (scenario, states, edges) = largest();
    println!(
        "{}: {states} states, {edges} edges, {rounds} rounds in turns",
        scenario.name
    );
    println!("size of a state: {} bytes", size_of::<model::State>());
    for threads in [1, 2] {
        race(
            &Scope::new(scenario, Design::HARDENED, &[]),
            threads,
            rounds,
            (states, edges),
        );
    }
    for threads in [1, 2] {
        for contender in Contender::ALL {
            weigh(contender, threads, scenario.name);
        }
    }
}

fn largest() -> (&'static Scenario, u64, u64) {
    let count = |scenario: &'static Scenario| {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let (states, edges) = Contender::Engine.run(&scope, 2);
        (scenario, states, edges)
    };
    let checked = SCENARIOS.iter().filter(|scenario| scenario.runs.check);
    checked
        .map(count)
        .max_by_key(|(_, states, _)| *states)
        .expect("there are scenarios")
}

/// All contenders in turns, so that what slows the machine down slows all of them.
fn race(scope: &Scope, threads: usize, rounds: usize, counts: (u64, u64)) {
    let mut seconds = vec![Vec::new(); Contender::ALL.len()];
    for round in 0..rounds {
        for turn in 0..Contender::ALL.len() {
            let which = (round + turn) % Contender::ALL.len();
            let begin = Instant::now();
            let found = Contender::ALL[which].run(scope, threads);
            seconds[which].push(begin.elapsed().as_secs_f64());
            assert_eq!(
                found,
                counts,
                "{} counts differently",
                Contender::ALL[which].name()
            );
        }
    }
    for (which, contender) in Contender::ALL.iter().enumerate() {
        let median = spread(&seconds[which]).1;
        let ratios: Vec<f64> = seconds[which]
            .iter()
            .zip(&seconds[0])
            .map(|(theirs, ours)| theirs / ours)
            .collect();
        let (least, middle, most) = spread(&ratios);
        println!(
            "{threads} threads, {:14} {median:7.3} s, {:8.3} M states/s, {:8.3} M edges/s, {middle:6.2} times the engine's time ({least:.2} to {most:.2})",
            contender.name(),
            counts.0 as f64 / median / 1e6,
            counts.1 as f64 / median / 1e6,
        );
    }
}

/// Least, median and most.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    )
}

/// In a process of its own, so that nobody else's memory counts.
fn weigh(contender: Contender, threads: usize, scenario: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([MEMORY, contender.name(), &threads.to_string(), scenario])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

fn report_memory(arguments: &[String]) {
    let [name, threads, scenario] = arguments else {
        panic!("contender, threads, scenario")
    };
    let contender = Contender::ALL
        .into_iter()
        .find(|other| other.name() == name)
        .unwrap();
    let scope = Scope::new(Scenario::named(scenario).unwrap(), Design::HARDENED, &[]);
    let before = peak_bytes();
    let (states, _) = contender.run(&scope, threads.parse().unwrap());
    let grown = peak_bytes() - before;
    println!(
        "{threads} threads, {name:14} peak memory grows by {:7.1} MiB, {:6.1} bytes a state",
        grown as f64 / (1 << 20) as f64,
        grown as f64 / states as f64
    );
}

/// The most memory that this process ever had resident.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}
