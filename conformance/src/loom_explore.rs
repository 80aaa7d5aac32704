//! Exploration of the interleavings of some threads on a machine in memory.
//!
//! Loom counts no executions and ends in silence at most of its limits; here executions are counted, and every limit is
//! an end of its own, [`End::Cut`]. What the variables `LOOM_*` say does not matter, as long as loom can read it.

use crate::interval_log::{IntervalLog, Mark, SharedLog};
use crate::loom_sys::{Contended, Machine, Object, Order, Patience, Start, lock};
use anyhow::bail;
use specs::id::Actor;
use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Once};

/// Threads that loom can interleave, besides the one that starts them.
pub const MAX_THREADS: usize = loom::MAX_THREADS - 1;

/// Scheduling points that one execution may have.
const MAX_BRANCHES: usize = 10_000;

/// Stack of a thread, in words.
const STACK_WORDS: usize = 0x8000;

/// Logs that may wait for the judge.
const LOGS_AHEAD: usize = 64;

/// How interleavings are explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often, in one execution, a thread may lose its turn although it could go on; none for any number of times.
    pub preemption_bound: Option<usize>,
    /// The order of directory listings.
    pub order: Order,
    /// What becomes of bounded waits.
    pub patience: Patience,
    /// Who lets the cutoff pass.
    pub cutoff: Cutoff,
    /// After so many steps the first actor lets the others go as far as they can, which is no preemption; none if it never
    /// does. Loom tries late preemptions before early ones, so this decides what is seen soon.
    pub pause: Option<usize>,
    /// After so many executions the exploration is cut.
    pub max_executions: u64,
    /// Whether calls that no other thread can notice are no scheduling points.
    pub reduces: bool,
}

impl Settings {
    /// Listings as of a tmpfs, bounded waits that wait, up to a million executions.
    pub const fn new(preemption_bound: Option<usize>) -> Self {
        Self {
            preemption_bound,
            order: Order::NewestFirst,
            patience: Patience::Waits,
            cutoff: Cutoff::Beside,
            pause: None,
            max_executions: 1_000_000,
            reduces: true,
        }
    }
}

/// Who lets the cutoff pass, if the environment of a scenario may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cutoff {
    /// A thread of its own, at any moment between two runs of garbage collection.
    Beside,
    /// The actor that collects garbage, as soon as it can before one of its runs: that costs no preemption.
    BeforeRuns,
}

/// How an exploration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every interleaving within the bound was judged.
    Complete,
    /// The judge had seen enough.
    Stopped,
    /// A limit was hit, which the words name.
    Cut(String),
    /// Nobody could go on: the steps that had begun and not ended.
    Deadlock(String),
}

/// What an exploration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Executions that were judged. Those after which the exploration began again are among them.
    pub executions: u64,
    /// How it ended.
    pub end: End,
}

/// The stage of one execution.
#[derive(Debug)]
pub struct Stage {
    /// The machine, with the tree of the start.
    pub machine: Arc<Machine>,
    /// The log of the execution.
    pub log: SharedLog,
    threads: usize,
    kept: Vec<Box<dyn Any + Send>>,
    leaves_no_lock: bool,
}

impl Stage {
    /// Makes it an error if a process has a record lock when all threads have ended.
    pub fn expect_no_record_lock(&mut self) {
        self.leaves_no_lock = true;
    }

    /// Starts a thread.
    pub fn spawn(&mut self, body: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        self.threads += 1;
        if self.threads > MAX_THREADS {
            bail!("loom can interleave no more than {MAX_THREADS} threads");
        }
        spawn(body)
    }

    /// Keeps something alive until the execution is over.
    pub fn keep(&mut self, it: impl Any + Send) {
        self.kept.push(Box::new(it));
    }
}

/// Starts a thread from within another one.
pub fn spawn(body: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let builder = loom::thread::Builder::new().stack_size(STACK_WORDS);
    builder.spawn(body)?;
    Ok(())
}

/// Explores all interleavings of the threads that `begin` starts on a machine with this tree. `contended` names objects
/// that are scheduling points from the beginning. `judge` sees the log of each execution, in their order, and says
/// whether to go on; it runs beside the exploration.
///
/// The error is one of `begin`, or that a thread panicked.
pub fn interleave(
    settings: Settings,
    tree: &BTreeMap<PathBuf, Option<Vec<u8>>>,
    contended: BTreeSet<Object>,
    begin: impl Fn(&mut Stage) -> anyhow::Result<()> + Send + Sync + 'static,
    mut judge: impl FnMut(IntervalLog) -> ControlFlow<()>,
) -> anyhow::Result<Run> {
    let (sender, logs) = sync_channel(LOGS_AHEAD);
    let explorer = Arc::new(Explorer {
        start: Start::new(tree, settings.order, settings.patience)?,
        settings,
        contended: Mutex::new(Arc::new(contended)),
        begin,
        logs: sender,
        executions: AtomicU64::new(0),
        last: Mutex::new(None),
    });
    std::thread::scope(|threads| {
        let explorer = threads.spawn(move || explorer.explore());
        let (mut executions, mut is_enough) = (0, false);
        while let Ok(log) = logs.recv() {
            executions += 1;
            if judge(log).is_break() {
                is_enough = true;
                break;
            }
        }
        drop(logs);
        let end = match explorer.join() {
            Ok(end) => end?,
            Err(payload) => resume_unwind(payload),
        };
        // What was explored after the judge had seen enough does not count.
        let end = if is_enough { End::Stopped } else { end };
        Ok(Run { executions, end })
    })
}

/// An exploration. Only one thread uses it; loom wants it to be `Sync`.
struct Explorer<F> {
    settings: Settings,
    start: Start,
    contended: Mutex<Arc<BTreeSet<Object>>>,
    begin: F,
    logs: SyncSender<IntervalLog>,
    executions: AtomicU64,
    /// The execution under way.
    last: Mutex<Option<Stage>>,
}

/// Why an exploration was left, as the payload of an unwinding.
enum Left {
    /// Objects turned out to be contended.
    Again,
    /// The judge has hung up.
    Stopped,
    /// There were as many executions as there may be.
    Cut,
    /// An execution could not begin.
    Failed(anyhow::Error),
}

impl<F: Fn(&mut Stage) -> anyhow::Result<()> + Send + Sync + 'static> Explorer<F> {
    fn explore(self: Arc<Self>) -> anyhow::Result<End> {
        loop {
            let explorer = Arc::clone(&self);
            let result = quietly(|| self.builder().check(move || explorer.execute()));
            let left = match result {
                Ok(()) => match self.finish() {
                    Ok(()) => return Ok(End::Complete),
                    Err(left) => left,
                },
                Err((payload, message)) => match payload.downcast::<Left>() {
                    Ok(left) => *left,
                    Err(_) => return self.failed(&message),
                },
            };
            match left {
                Left::Again => {}
                Left::Stopped => return Ok(End::Stopped),
                Left::Cut => {
                    let limit = self.settings.max_executions;
                    return Ok(End::Cut(format!("{limit} executions")));
                }
                Left::Failed(error) => return Err(error),
            }
        }
    }

    /// Every field is set: their defaults come from the environment.
    fn builder(&self) -> loom::model::Builder {
        let mut builder = loom::model::Builder::new();
        builder.max_threads = loom::MAX_THREADS;
        builder.max_branches = MAX_BRANCHES;
        builder.max_permutations = None;
        builder.max_duration = None;
        builder.preemption_bound = self.settings.preemption_bound;
        builder.checkpoint_file = None;
        builder.checkpoint_interval = usize::MAX;
        builder.expect_explicit_explore = false;
        builder.location = false;
        builder.log = false;
        builder
    }

    /// One execution: the body of the thread that starts the others.
    fn execute(&self) {
        let begun = self.finish().and_then(|()| self.begin());
        if let Err(left) = begun {
            resume_unwind(Box::new(left));
        }
    }

    fn begin(&self) -> Result<(), Left> {
        if self.executions.load(Ordering::Relaxed) == self.settings.max_executions {
            return Err(Left::Cut);
        }
        self.executions.fetch_add(1, Ordering::Relaxed);
        let contended = Arc::clone(&lock(&self.contended));
        let contended = if self.settings.reduces {
            Contended::These(contended)
        } else {
            Contended::All
        };
        let mut stage = Stage {
            machine: Machine::new(&self.start, contended),
            log: SharedLog::default(),
            threads: 0,
            kept: Vec::new(),
            leaves_no_lock: false,
        };
        (self.begin)(&mut stage).map_err(Left::Failed)?;
        *lock(&self.last) = Some(stage);
        Ok(())
    }

    /// What comes after an execution, when its threads have ended.
    fn finish(&self) -> Result<(), Left> {
        let Some(stage) = lock(&self.last).take() else {
            return Ok(());
        };
        stage.machine.end();
        let held = stage.machine.record_locks();
        if stage.leaves_no_lock && !held.is_empty() {
            let held = held.join(", ");
            let error = anyhow::anyhow!("an execution has ended, and there is still {held}");
            return Err(Left::Failed(error));
        }
        drop(stage.kept);
        self.logs
            .send(stage.log.take())
            .map_err(|_| Left::Stopped)?;
        let found = stage.machine.newly_contended();
        if found.is_empty() {
            return Ok(());
        }
        Arc::make_mut(&mut lock(&self.contended)).extend(found);
        Err(Left::Again)
    }

    /// What a panic inside loom says.
    fn failed(&self, message: &str) -> anyhow::Result<End> {
        if message.starts_with("deadlock; ") {
            let log = lock(&self.last).take().map(|stage| stage.log.take());
            let log = log.unwrap_or_default();
            let steps = unfinished(&log);
            // A judge that has hung up has seen enough.
            self.logs.send(log).unwrap_or_default();
            return Ok(End::Deadlock(steps));
        }
        if message.starts_with("Model exceeded maximum number of branches") {
            return Ok(End::Cut(format!(
                "{MAX_BRANCHES} scheduling points in one execution"
            )));
        }
        bail!("an execution has panicked: {message}")
    }
}

/// The steps that have begun and not ended.
fn unfinished(log: &IntervalLog) -> String {
    let mut steps: BTreeMap<Actor, String> = BTreeMap::new();
    for mark in &log.marks {
        match mark {
            Mark::Begin { actor, label } => {
                steps.insert(*actor, label.to_string());
            }
            Mark::End { actor, .. } => {
                steps.remove(actor);
            }
            Mark::Happened { .. } => {}
        }
    }
    let steps: Vec<String> = steps
        .into_iter()
        .map(|(actor, step)| format!("actor {} in {step}", actor.0))
        .collect();
    steps.join(", ")
}

thread_local! {
    /// What the panic of an exploration in this thread said; none outside of one.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs something whose panics are results: nothing is printed, and the message comes with the payload.
fn quietly(body: impl FnOnce()) -> Result<(), (Box<dyn Any + Send>, String)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_ours = MESSAGE.with_borrow_mut(|message| match message {
                // The first one counts; a later one is a consequence of it.
                Some(message) if message.is_empty() => {
                    panic
                        .payload_as_str()
                        .unwrap_or("no message")
                        .clone_into(message);
                    true
                }
                Some(_) => true,
                None => false,
            });
            if !is_ours {
                before(panic);
            }
        }));
    });
    MESSAGE.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(body));
    let message = MESSAGE.take().unwrap_or_default();
    result.map_err(|payload| (payload, message))
}
