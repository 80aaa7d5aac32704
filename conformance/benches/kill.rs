//! Kills: a process of a scenario is started, killed at a state and waited for, against a bare process that only sleeps.
//!
//! `cargo bench -p conformance --bench kill [-- --pairs N] [FILTER]`. A cycle is all that a kill of the replay takes: the
//! killed process is started by exec, the actors take their steps up to the state, SIGKILL, waitpid, and whoever is left
//! comes to an end; after each step tree and locks are compared with the model. The bare one is fork, exec, SIGKILL and
//! waitpid.

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

use conformance::driver::{Driver, Options};
use conformance::edges::kill_paths;
use conformance::expected::expected;
use conformance::replay::replay_trace;
use conformance::world::SHM;
use model::engine::{Graph, Options as Search, explore};
use model::{Scope, State};
use pairs::{Case, Pairs, time};
use specs::{Design, Event, Scenario};
use std::process::{Command, ExitCode, Stdio};

/// Kills in a row.
const KILLS: usize = 10;

struct Course {
    scope: Scope,
    graph: Graph<State, Event>,
    paths: Vec<Vec<u32>>,
}

fn main() -> ExitCode {
    let pairs = Pairs::from_arguments();
    let private = tempfile::tempdir_in(SHM).unwrap();
    let scenario = Scenario::named("one_move_meets_gc_with_kills").unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let search = Search {
        threads: 2,
        keep_graph: true,
        ..Search::default()
    };
    let graph = explore(&scope, &search).unwrap().graph.unwrap();
    let paths = kill_paths(&graph);
    let course = Course {
        scope,
        graph,
        paths,
    };
    let options = Options {
        parent: private.path().to_owned(),
        ..Options::new(env!("CARGO_BIN_EXE_lockstep"))
    };
    // On the driver's processor, as the workers are.
    let mut driver = Driver::new(scenario, Design::HARDENED, &[], options).unwrap();

    let mut next = 0;
    // Far from a divisor of their number, so that every part of the scenario has its turn.
    let stride = course.paths.len() * 618 / 1000;
    let case = |name| Case {
        name,
        contenders: ["kill", "bare"],
        goal: None,
        operations: [KILLS; 2],
    };
    pairs.compare(
        &case("kill_at_any_state"),
        || {
            time(|| {
                for _ in 0..KILLS {
                    next = (next + stride) % course.paths.len();
                    course.kill(&mut driver, next);
                }
            })
        },
        || time(|| (0..KILLS).for_each(|_| bare())),
    );
    let at_once = |path: &Vec<u32>| course.is_kill(path[0]);
    let first = course.paths.iter().position(at_once).unwrap();
    pairs.compare(
        &case("kill_at_the_first_state"),
        || time(|| (0..KILLS).for_each(|_| course.kill(&mut driver, first))),
        || time(|| (0..KILLS).for_each(|_| bare())),
    );
    pairs.verdict()
}

impl Course {
    fn is_kill(&self, edge: u32) -> bool {
        matches!(self.graph.edges[edge as usize].action, Event::Killed { .. })
    }

    fn kill(&self, driver: &mut Driver, number: usize) {
        let path = &self.paths[number];
        let edge = |at: usize| &self.graph.edges[path[at] as usize];
        let trace: Vec<Event> = (0..path.len()).map(|at| edge(at).action).collect();
        let base = driver.world().store().display().to_string();
        let wanted = |after: usize| {
            let state = after.checked_sub(1).map_or(0, |at| edge(at).to);
            expected(&self.scope, &self.graph.states[state as usize], &base)
        };
        let counts = replay_trace(driver, &trace, wanted).unwrap().unwrap();
        assert_eq!(counts.steps, path.len());
    }
}

fn bare() {
    let mut child = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}
