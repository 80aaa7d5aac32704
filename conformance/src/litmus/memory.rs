//! Litmus tests on the machine in memory: every interleaving that the rounds leave open.
//!
//! Each process is a thread of loom. A part that waits for a lock may do so at any time after its round has begun, so
//! the next round may begin before; on Linux it begins when the process waits.

use super::call::{Call, Os, Step};
use super::perform::Files;
use super::{Frequency, Histogram, Litmus, Place, Start};
use crate::interval_log::SharedLog;
use crate::loom_explore::{End, Settings, Stage, interleave};
use crate::loom_sys::{LoomFile, LoomSys, Patience, Process, lock};
use loom::sync::{Condvar, Mutex as LoomMutex};
use specs::id::{self, Actor};
use specs::lock_class::Wait;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The directory of the test on a machine.
const DIRECTORY: &str = "/litmus";

/// More than any test here needs.
const MAX_EXECUTIONS: u64 = 200_000;

/// What the exploration of a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// The outcomes; how often each occurred says nothing about Linux.
    pub outcomes: Histogram,
    /// Executions.
    pub executions: u64,
    /// How it ended; all but [`End::Complete`] is red.
    pub end: End,
}

impl Explored {
    /// How often the condition came true; none if not every interleaving was seen.
    pub fn frequency(&self) -> Option<Frequency> {
        self.outcomes
            .frequency()
            .filter(|_| self.end == End::Complete)
    }
}

/// What the machine in memory lacks for a test, in a few words; none if it can run there.
pub fn lacks(litmus: &Litmus) -> Option<&'static str> {
    let lacking = |call: &Call| call.os().map(Os::lacking);
    match litmus.place {
        Place::Tmpfs => litmus.calls().find_map(lacking),
        Place::Ext4 => Some("a tmpfs"),
        Place::Mount(_) => Some("no mount options"),
    }
}

/// Explores a test completely. The error is that a call failed which the test takes for granted.
pub fn explore(litmus: &Litmus) -> anyhow::Result<Explored> {
    let times_out = litmus
        .calls()
        .any(|call| matches!(call, Call::Flock(_, _, Wait::Seconds(_))));
    let settings = Settings {
        patience: if times_out {
            Patience::TimesOut
        } else {
            Patience::Waits
        },
        max_executions: MAX_EXECUTIONS,
        ..Settings::new(None)
    };
    let found = Arc::new(Mutex::new(Found::default()));
    let all = Arc::clone(&found);
    let program = *litmus;
    let begin = move |stage: &mut Stage| begin(program, &all, stage);
    let run = interleave(settings, &tree(litmus), BTreeSet::new(), begin, |_| {
        ControlFlow::Continue(())
    })?;
    let found = std::mem::take(&mut *lock(&found));
    if let Some(broken) = found.broken {
        anyhow::bail!("{}: in memory, {broken}", litmus.name);
    }
    Ok(Explored {
        outcomes: found.outcomes,
        executions: run.executions,
        end: run.end,
    })
}

/// What all executions came to.
#[derive(Default)]
struct Found {
    outcomes: Histogram,
    /// A call that failed and should not have.
    broken: Option<String>,
}

/// The end of a round, which some wait for.
struct Gate {
    left: LoomMutex<usize>,
    changed: Condvar,
}

/// What the threads of an execution share.
struct Shared {
    gates: Vec<Gate>,
    seen: Mutex<Vec<(String, String)>>,
    /// Open files, which are closed when the execution is over.
    files: Mutex<Vec<Files<LoomFile>>>,
    /// Threads that have not ended.
    threads: Mutex<usize>,
}

fn tree(litmus: &Litmus) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let directory = Path::new(DIRECTORY.trim_start_matches('/'));
    let mut tree = BTreeMap::from([(directory.to_owned(), None)]);
    for start in litmus.start {
        match start {
            Start::File(name) => drop(tree.insert(directory.join(name), Some(Vec::new()))),
            Start::Directory(name) => drop(tree.insert(directory.join(name), None)),
            // A listing is one call, so how many files there are makes no difference.
            Start::Crowd(name, _) => {
                drop(tree.insert(directory.join(name).join("0"), Some(Vec::new())));
            }
        }
    }
    tree
}

fn begin(litmus: Litmus, found: &Arc<Mutex<Found>>, stage: &mut Stage) -> anyhow::Result<()> {
    let gate = |round: &&[super::Part]| Gate {
        left: LoomMutex::new(round.len()),
        changed: Condvar::new(),
    };
    let shared = Arc::new(Shared {
        gates: litmus.rounds.iter().map(gate).collect(),
        seen: Mutex::default(),
        files: Mutex::default(),
        threads: Mutex::new(litmus.processes()),
    });
    stage.keep(Arc::clone(&shared));
    for number in 0..litmus.processes() {
        let number = u8::try_from(number)?;
        let process = Process::new(&stage.machine, id::Process(number));
        let sys = LoomSys::new(&process, Actor(number), &SharedLog::default());
        let (shared, found) = (Arc::clone(&shared), Arc::clone(found));
        stage.spawn(move || play(&litmus, usize::from(number), &sys, &shared, &found))?;
    }
    Ok(())
}

/// What one process does.
fn play(litmus: &Litmus, me: usize, sys: &LoomSys, shared: &Shared, found: &Mutex<Found>) {
    let mut files = Files::new();
    for (round, (process, steps)) in litmus.parts() {
        if process != me {
            continue;
        }
        if let Some(before) = round.checked_sub(1) {
            shared.gates[before].wait();
        }
        let mut is_over = false;
        for step in steps {
            if step.call().can_wait() && !is_over {
                shared.gates[round].leave();
                is_over = true;
            }
            take(step, sys, &mut files, shared, found);
        }
        if !is_over {
            shared.gates[round].leave();
        }
    }
    lock(&shared.files).push(files);
    let mut threads = lock(&shared.threads);
    *threads -= 1;
    if *threads == 0 {
        let outcome = litmus.sorted(&lock(&shared.seen));
        lock(found).outcomes.add(litmus, &outcome);
    }
}

fn take(
    step: &Step,
    sys: &LoomSys,
    files: &mut Files<LoomFile>,
    shared: &Shared,
    found: &Mutex<Found>,
) {
    let mut os = |os, _: &mut Files<LoomFile>| {
        Err(io::Error::other(format!(
            "{os}: the machine has no such call"
        )))
    };
    match step.perform(sys, Path::new(DIRECTORY), files, &mut os) {
        Ok(word) => lock(&shared.seen).extend(word),
        Err(broken) => drop(lock(found).broken.get_or_insert(broken)),
    }
}

impl Gate {
    /// Somebody has done their part.
    fn leave(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left -= 1;
        if *left == 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until everybody has.
    fn wait(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while *left > 0 {
            left = self
                .changed
                .wait(left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
