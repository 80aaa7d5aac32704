//! Exploration of the interleavings of a scenario's actors, which run the real operations on a machine in memory.
//!
//! Each actor is a thread of loom; the actors of a process share one open datastore. What the environment does is a
//! thread, too, unless the settings leave the cutoff to the actor that collects garbage. The cutoff passes when no garbage
//! collection is under way and a chunk was used since it passed last: the model has it so, and at any other time it makes
//! no difference. After a reload the actors of the new process begin. A flag file that is created at some time is so by
//! whoever reloads, on the side of the reload that the design says, and else by a thread of its own.
//!
//! Not here: kills, a full tmpfs, and the client of a backup that leaves, which stays.

use crate::errand::Errand;
use crate::faulty_sys::FaultySys;
use crate::interval_log::{IntervalLog, Mark, SharedLog};
pub use crate::loom_explore::{Cutoff, End, Run, Settings};
use crate::loom_explore::{MAX_THREADS, Stage, interleave, spawn};
use crate::loom_sys::{Asides, LoomSys, Machine, Object, Process};
use crate::start_tree::start_tree;
use crate::world::STORE_NAME;
use anyhow::{Context as _, bail};
use datastore::{Config, Cx, Datastore, Generation};
use model::Scope;
use specs::Event;
use specs::id::{self, Actor};
use specs::scenario::{Flag, Generations, Limits, Scenario, Task};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Where a machine has the directories of the start tree.
pub const STORE: &str = "/store";
/// The same of the lock directories.
pub const LOCKS: &str = "/locks";
/// The same of the flag file.
const FLAG_FILE: &str = "/locks/old-locking";

type ActorSys = FaultySys<LoomSys>;

/// What one actor does.
struct Part {
    actor: Actor,
    errand: Errand,
    cx: Arc<Cx<ActorSys>>,
    store: Arc<Datastore<ActorSys>>,
    machine: Arc<Machine>,
}

/// Explores the interleavings of a scenario under a design, perhaps with faults. `judge` sees the log of each
/// execution and says whether to go on.
///
/// The error is that the scenario needs something that cannot be explored, or that an operation panicked.
pub fn explore(
    scope: &Scope,
    settings: &Settings,
    judge: impl FnMut(IntervalLog) -> ControlFlow<()>,
) -> anyhow::Result<Run> {
    let contended = check(scope)?;
    let tree = start_tree(scope.scenario)?;
    let scope = scope.clone();
    let settings = *settings;
    interleave(
        settings,
        &tree,
        contended,
        move |stage| begin(&scope, &settings, stage),
        judge,
    )
}

/// Why a scope cannot be explored, in a sentence.
pub fn refusal(scope: &Scope) -> Option<String> {
    let environment = scope.environment;
    let creates_flag = scope.scenario.generations.flag == Flag::Created;
    let threads = scope.actors().count() - scope.scenario.sequels.len()
        + usize::from(environment.cutoff_passes > 0)
        + usize::from(environment.reload.is_some() || creates_flag);
    if environment.kills > 0 {
        return Some("it has a kill, which no thread of loom survives".to_owned());
    }
    if environment.full_tmpfs + environment.no_inode > 0 {
        return Some("it has a full tmpfs, which the machine in memory has not".to_owned());
    }
    (threads > MAX_THREADS)
        .then(|| format!("it needs {threads} threads, and loom has {MAX_THREADS}"))
}

/// Refuses what cannot be explored; else says what the environment contends for.
fn check(scope: &Scope) -> anyhow::Result<BTreeSet<Object>> {
    if let Some(reason) = refusal(scope) {
        bail!("{} cannot be explored: {reason}", scope.scenario.name);
    }
    let mut contended = BTreeSet::new();
    if scope.environment.cutoff_passes > 0 {
        contended.insert(Object::Clock);
    }
    if scope.environment.reload.is_some() {
        contended.insert(Object::Reload);
    }
    Ok(contended)
}

/// Opens the datastore in every process and starts the actors.
fn begin(scope: &Scope, settings: &Settings, stage: &mut Stage) -> anyhow::Result<()> {
    let scenario = scope.scenario;
    // A fault may leave out that it is released.
    if scope.faults.is_empty() {
        stage.expect_no_record_lock();
    }
    let mut processes = Vec::new();
    for number in 0..scenario.processes.len() {
        let process = Process::new(&stage.machine, id::Process(u8::try_from(number)?));
        let config = Config {
            locks: LOCKS.into(),
            generation: generation(scenario, process.id()),
            ..Config::new(STORE, STORE_NAME)
        };
        let sys = FaultySys::new(LoomSys::before(&process), &[]);
        let store = Datastore::open(&sys, config).context("cannot open the datastore")?;
        processes.push((process, Arc::new(store)));
    }
    let mut lists: Vec<Vec<Part>> = Vec::new();
    let mut passes = match settings.cutoff {
        Cutoff::Beside => 0,
        Cutoff::BeforeRuns => scope.environment.cutoff_passes,
    };
    for actor in scope.actors() {
        let home = scope.process_of(actor);
        let (process, store) = &processes[usize::from(home.0)];
        let is_gc = matches!(scope.task_of(actor), Task::Gc { .. });
        let asides = Asides {
            pause: settings.pause.filter(|_| actor == Actor(0)),
            passes: if is_gc {
                std::mem::take(&mut passes)
            } else {
                0
            },
        };
        let sys = LoomSys::with(process, actor, &stage.log, asides);
        let part = Part {
            actor,
            errand: Errand::of(scenario, scope.task_of(actor)),
            cx: Arc::new(Cx {
                sys: FaultySys::new(sys, &scope.faults),
                design: scope.design,
            }),
            store: Arc::clone(store),
            machine: Arc::clone(&stage.machine),
        };
        stage.keep((Arc::clone(&part.cx), Arc::clone(store)));
        let follows = |list: &&mut Vec<Part>| {
            let last = list.last().map(|last| last.actor);
            last.is_some_and(|last| scenario.sequels.contains(&(last, actor)))
        };
        match lists.iter_mut().find(follows) {
            Some(list) => list.push(part),
            None => lists.push(vec![part]),
        }
    }
    let is_new = |list: &Vec<Part>| {
        let home = list.first().map(|part| scope.process_of(part.actor));
        let reload = scenario.environment.reload;
        reload.is_some_and(|(_, new)| Some(new) == home)
    };
    let (later, at_once): (Vec<_>, Vec<_>) = lists.into_iter().partition(is_new);
    for list in at_once {
        let limits = scenario.limits;
        stage.spawn(move || list.into_iter().for_each(|part| part.play(limits)))?;
    }
    environment(scope, settings, stage, later)
}

/// How a process locks groups and snapshots. Where there never is a flag file, nobody looks for it: each look would be
/// one more thing that has its turn.
fn generation(scenario: &Scenario, process: id::Process) -> Generation {
    let Generations { old, flag } = scenario.generations;
    match flag {
        _ if old.contains(&process) => Generation::Directories,
        Flag::Absent => Generation::LockFiles,
        Flag::Present | Flag::Created => Generation::ByFlag(FLAG_FILE.into()),
    }
}

/// Starts what the environment does. Its threads have the numbers after those of the actors.
fn environment(
    scope: &Scope,
    settings: &Settings,
    stage: &mut Stage,
    later: Vec<Vec<Part>>,
) -> anyhow::Result<()> {
    let scenario = scope.scenario;
    let mut number = u8::try_from(scenario.actors.len())?;
    let passes = scope.environment.cutoff_passes;
    if passes > 0 && settings.cutoff == Cutoff::Beside {
        let (machine, log) = (Arc::clone(&stage.machine), stage.log.clone());
        stage.spawn(move || {
            for _ in 0..passes {
                machine.pass_cutoff(number, || {
                    let event = Event::CutoffPassed;
                    log.note(Mark::Happened { event });
                });
            }
        })?;
        number += 1;
    }
    let creates_flag = scenario.generations.flag == Flag::Created;
    if let Some((process, _)) = scenario.environment.reload {
        let (machine, log) = (Arc::clone(&stage.machine), stage.log.clone());
        let limits = scenario.limits;
        let flag_first = scope.design.sets_flag_before_reload();
        stage.spawn(move || {
            if creates_flag && flag_first {
                set_flag(&machine, &log, number);
            }
            let event = Event::Reloaded { process };
            machine.reload(number, process, || log.note(Mark::Happened { event }));
            for list in later {
                let play = move || list.into_iter().for_each(|part| part.play(limits));
                // The threads were counted before.
                spawn(play).unwrap_or_default();
            }
            if creates_flag && !flag_first {
                set_flag(&machine, &log, number);
            }
        })?;
    } else if creates_flag {
        let (machine, log) = (Arc::clone(&stage.machine), stage.log.clone());
        stage.spawn(move || set_flag(&machine, &log, number))?;
    }
    Ok(())
}

/// The package script creates the flag file.
fn set_flag(machine: &Machine, log: &SharedLog, thread: u8) {
    machine.create_file(thread, Path::new(FLAG_FILE), || {
        let event = Event::FlagSet;
        log.note(Mark::Happened { event });
    });
}

impl Part {
    fn play(self, limits: Limits) {
        let is_gc = matches!(self.errand, Errand::Gc { .. });
        let stays = || false;
        self.errand.run(&self.cx, &self.store, limits, &stays, |_| {
            if is_gc {
                self.machine.collects(self.actor.0, false);
            }
        });
    }
}
