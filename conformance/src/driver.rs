//! `Driver`: lets the actors of a trace take one step at a time, in real processes, and kills them when the trace says so.
//!
//! The driver holds no lock that an actor could meet. A worker is started by exec and dies with the thread that started it, so a driver
//! stays on the thread that made it.

use crate::errand::{Ended, Errand};
use crate::lock_order::Taking;
use crate::observer::{Circumstances, Observer, Waiter};
use crate::pool::{Pinned, Pool, Worker};
use crate::projection::{Ends, Projected};
use crate::wire::{Channel, Command, Now, Reply, Scripted, Setup, Stands, Until};
use crate::world::{CLOCK_START_NS, SHM, World};
use anyhow::{Context as _, anyhow, bail, ensure};
use specs::id::{Actor, Process};
use specs::mutant::Fault;
use specs::scenario::{Flag, Task};
use specs::{Design, Event, Id, Label, Outcome, Scenario, Stage};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Steps that an actor may take to come to its end; no operation has so many in a scenario.
const LAST_STEPS: usize = 1_000;

/// How a driver works.
#[derive(Clone, Debug)]
pub struct Options {
    /// The executable that has the subcommand `worker`.
    pub worker: PathBuf,
    /// The directory for the private directory of the lane; on a tmpfs.
    pub parent: PathBuf,
    /// The directory for the datastore of the lane, if it is to lie apart from its locks.
    pub store_parent: Option<PathBuf>,
    /// Number of the lane; lanes run beside each other, each on a processor of its own.
    pub lane: usize,
    /// How long an actor may take for a step.
    pub patience: Duration,
}

impl Options {
    /// The first lane, with workers from an executable.
    pub fn new(worker: impl Into<PathBuf>) -> Self {
        Self {
            worker: worker.into(),
            parent: SHM.into(),
            store_parent: None,
            lane: 0,
            patience: Duration::from_secs(60),
        }
    }
}

/// What a step showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How it ended; none for an event of the environment, and for an actor that did not take the step.
    pub outcome: Option<Outcome>,
    /// How far it has come, if it has not ended.
    pub stage: Option<Stage>,
    /// Where the actor stands afterwards; none for an event of the environment.
    pub stands: Option<Stands>,
}

/// One lane: a world, the workers of a scenario, and the eyes on both.
#[derive(Debug)]
pub struct Driver {
    scenario: Scenario,
    design: Design,
    faults: Vec<Fault>,
    options: Options,
    // Before the world: workers are gone when their tree is removed.
    workers: Vec<Worker>,
    actors: Vec<ActorOf>,
    observer: Observer,
    pool: Pool,
    world: World,
    _pinned: Pinned,
    trace: Vec<Event>,
    trace_number: u64,
    takings: BTreeSet<Taking>,
    pids: Vec<Option<i32>>,
    cutoffs: u8,
    /// Steps that actors have begun since then, with which the clock goes on.
    ticks: u32,
    /// The passings of the cutoff during which a backup was at work, as bits.
    passed_backups: u8,
    /// The process that shuts down, once the daemon was reloaded.
    shuts_down: Option<Process>,
    gc_slots: u8,
    /// The actors that have taken a step, as bits.
    begun: u8,
    ends: Ends,
    /// Whether a reset would not do before the next trace.
    must_rebuild: bool,
}

#[derive(Debug)]
struct ActorOf {
    process: Process,
    channel: Option<Channel>,
    has_begun: bool,
    runs: Vec<Ended>,
    stands: Stands,
}

impl Driver {
    /// Builds the world of a scenario; the workers start with the first trace.
    pub fn new(
        scenario: &Scenario,
        design: Design,
        faults: &[Fault],
        options: Options,
    ) -> anyhow::Result<Self> {
        let pinned = Pinned::to(options.lane)?;
        let world =
            World::create_apart(&options.parent, options.store_parent.as_deref(), scenario)?;
        let socket = world.root().join("socket");
        let pool = Pool::new(socket, &options.worker, options.patience)
            .map_err(|error| world.cause(error))?;
        let actor = |(process, _): &(Process, _)| ActorOf {
            process: *process,
            channel: None,
            has_begun: false,
            runs: Vec::new(),
            stands: Stands::Gone,
        };
        Ok(Self {
            observer: Observer::new(&world, scenario, design)?,
            workers: scenario
                .processes
                .iter()
                .map(|_| Worker::default())
                .collect(),
            actors: scenario.actors.iter().map(actor).collect(),
            pids: vec![None; scenario.processes.len()],
            scenario: *scenario,
            design,
            faults: faults.to_vec(),
            options,
            pool,
            world,
            _pinned: pinned,
            trace: Vec::new(),
            trace_number: 0,
            takings: BTreeSet::new(),
            cutoffs: 0,
            ticks: 0,
            passed_backups: 0,
            shuts_down: None,
            gc_slots: 0,
            begun: 0,
            ends: Ends::default(),
            must_rebuild: false,
        })
    }

    /// The tree.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// How the runs of an actor that have ended did end.
    pub fn runs(&self, actor: Actor) -> &[Ended] {
        &self.actors[usize::from(actor.0)].runs
    }

    /// The locks that actors were given while they had others, since the last call.
    pub fn take_takings(&mut self) -> BTreeSet<Taking> {
        std::mem::take(&mut self.takings)
    }

    /// Where an actor stands: behind its last step in the trace it says before which one.
    pub fn stands(&self, actor: Actor) -> &Stands {
        &self.actors[usize::from(actor.0)].stands
    }

    /// The process id of a process that runs.
    pub fn pid(&self, process: Process) -> Option<i32> {
        self.pids[usize::from(process.0)]
    }

    /// Begins a trace: the tree stands at its start, and every actor of the trace before its first step.
    pub fn begin(&mut self, trace: &[Event]) -> anyhow::Result<()> {
        if self.end().is_err() {
            // An actor that cannot even give up is replaced, and nobody knows what it did to the tree.
            self.must_rebuild = true;
        }
        if std::mem::take(&mut self.must_rebuild) {
            self.kill_all();
            self.world.rebuild()?;
            self.observer = Observer::new(&self.world, &self.scenario, self.design)?;
        }
        self.world.reset()?;
        self.observer.begin();
        self.respawn()?;
        self.trace.clear();
        self.trace.extend_from_slice(trace);
        self.trace_number += 1;
        (self.cutoffs, self.passed_backups, self.shuts_down) = (0, 0, None);
        self.ticks = 0;
        (self.gc_slots, self.begun, self.ends) = (0, 0, Ends::default());
        let mut scripts: Vec<Vec<Scripted>> = self.actors.iter().map(|_| Vec::new()).collect();
        for event in trace {
            if let Some((actor, label, until)) = scripted(event) {
                let script = scripts.get_mut(usize::from(actor.0)).ok_or_else(|| {
                    anyhow!(
                        "the trace names actor {}, which the scenario lacks",
                        actor.0
                    )
                })?;
                let label = label.map(|id| self.scenario.path(id)).to_string();
                script.push(Scripted { label, until });
            }
        }
        for (at, script) in scripts.into_iter().enumerate() {
            self.actors[at].runs.clear();
            self.actors[at].stands = Stands::Before;
            if !script.is_empty() {
                self.begin_actor(at, script)?;
            }
        }
        Ok(())
    }

    /// Lets the event of that position happen.
    pub fn step(&mut self, at: usize) -> anyhow::Result<Seen> {
        match self.trace[at] {
            Event::Step { actor, .. } | Event::Reached { actor, .. } => {
                let go = Command::Go(self.now_for(actor));
                return self.command(actor, &go).with_context(|| {
                    format!("step {} of the trace, {}", at + 1, self.describe(at))
                });
            }
            Event::Killed { process } => self.kill(process)?,
            Event::Reloaded { process } => self.shuts_down = Some(process),
            Event::FlagSet => self.world.set_flag()?,
            Event::CutoffPassed => {
                self.passed_backups |= u8::from(self.has_backup_at_work()) << self.cutoffs;
                self.cutoffs += 1;
            }
        }
        Ok(Seen {
            outcome: None,
            stage: None,
            stands: None,
        })
    }

    /// Lets an actor take the step before which it stands, although its script has no more.
    pub fn try_next(&mut self, actor: Actor) -> anyhow::Result<Seen> {
        let at = usize::from(actor.0);
        if !self.actors[at].has_begun {
            self.begin_actor(at, Vec::new())?;
        }
        let block = Command::Block(self.now_for(actor));
        self.command(actor, &block)
    }

    /// Lets an actor go on to the end of its operation, while nobody else takes a step.
    pub fn finish(&mut self, actor: Actor) -> anyhow::Result<()> {
        for _ in 0..LAST_STEPS {
            match self.stands(actor) {
                Stands::Ended | Stands::Panicked(_) | Stands::Gone => return Ok(()),
                Stands::Before | Stands::Behind(_) | Stands::Strayed(_) => {
                    self.try_next(actor)?;
                }
            }
        }
        bail!("actor {} does not come to an end", actor.0)
    }

    fn now_for(&mut self, actor: Actor) -> Now {
        let process = self.actors[usize::from(actor.0)].process;
        self.ticks += 1;
        Now {
            cutoffs: self.cutoffs,
            ticks: self.ticks,
            shuts_down: self.shuts_down == Some(process),
        }
    }

    /// Whether a backup has begun, and neither ended nor been killed.
    fn has_backup_at_work(&self) -> bool {
        let at_work = self.begun & !self.ends.ended;
        self.actors.iter().enumerate().any(|(at, actor)| {
            let is_backup = matches!(self.scenario.actors[at].1, Task::Backup { .. });
            is_backup && actor.has_begun && at_work & 1 << at != 0
        })
    }

    /// Kills a process and all its actors. When this returns, the kernel has released its locks.
    pub fn kill(&mut self, process: Process) -> anyhow::Result<()> {
        let at = usize::from(process.0);
        self.workers[at]
            .kill()
            .with_context(|| format!("cannot kill process {}", self.scenario.processes[at]))?;
        self.pids[at] = None;
        self.gc_slots &= !(1 << process.0);
        for actor in &mut self.actors {
            if actor.process == process {
                (actor.channel, actor.has_begun) = (None, false);
            }
        }
        Ok(())
    }

    /// Looks at the tree and the lock table.
    pub fn observe(&mut self, into: &mut Projected) -> anyhow::Result<()> {
        let now = Circumstances {
            pids: &self.pids,
            cutoffs: self.cutoffs,
            ticks: self.ticks,
            passed_backups: self.passed_backups,
            gc_slots: self.gc_slots,
            ends: self.ends,
        };
        self.observer.observe(&now, into)
    }

    /// Files and directories that no field of the projection accounts for.
    pub fn strangers(&self) -> anyhow::Result<Vec<PathBuf>> {
        self.observer.strangers(&self.world)
    }

    /// Files below the datastore whose contents are not those that they had at the start. Index, owner and notes
    /// files only ever move; the next trace has them as they were.
    pub fn altered(&mut self) -> anyhow::Result<Vec<PathBuf>> {
        let altered = self.observer.altered(&self.world)?;
        self.must_rebuild |= !altered.is_empty();
        Ok(altered)
    }

    /// Lets actors that are said to wait for each other take their next step, really waiting, until the kernel
    /// shows as many waiters; then kills their processes. An actor that does not wait is an error.
    pub fn witness_deadlock(&mut self, actors: &[Actor]) -> anyhow::Result<Vec<Waiter>> {
        // The inodes at the paths of the locks must be known.
        self.observe(&mut Projected::default())?;
        for actor in actors {
            let at = usize::from(actor.0);
            if !self.actors[at].has_begun {
                self.begin_actor(at, Vec::new())?;
            }
            let block = Command::Block(self.now_for(*actor));
            self.channel(at)?.send(&block)?;
        }
        let deadline = Instant::now() + self.options.patience;
        let waiters = loop {
            let now = Circumstances {
                pids: &self.pids,
                cutoffs: self.cutoffs,
                ticks: self.ticks,
                passed_backups: 0,
                gc_slots: 0,
                ends: Ends::default(),
            };
            let waiters = self.observer.waiters(&now)?;
            if waiters.len() >= actors.len() || Instant::now() > deadline {
                break waiters;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        for actor in actors {
            self.kill(self.actors[usize::from(actor.0)].process)?;
        }
        ensure!(
            waiters.len() >= actors.len(),
            "{} actors should wait for each other, but the kernel shows only {} waiters",
            actors.len(),
            waiters.len()
        );
        Ok(waiters)
    }

    /// Ends the trace: every actor gives up and holds nothing.
    pub fn end(&mut self) -> anyhow::Result<()> {
        for at in 0..self.actors.len() {
            if self.actors[at].has_begun {
                self.channel(at)?.send(&Command::End)?;
            }
        }
        for at in 0..self.actors.len() {
            if std::mem::take(&mut self.actors[at].has_begun) {
                let reply: Reply = self.channel(at)?.receive()?;
                ensure!(
                    reply.stands == Stands::Gone,
                    "actor {at} did not give the trace up"
                );
            }
        }
        Ok(())
    }

    /// The event at a position, for messages.
    pub fn describe(&self, at: usize) -> String {
        let name = |process: Process| self.scenario.processes[usize::from(process.0)];
        match self.trace[at] {
            Event::Step {
                actor,
                label,
                outcome,
            } => {
                let process = name(self.actors[usize::from(actor.0)].process);
                let label = label.map(|id| self.scenario.path(id));
                format!(
                    "{label} by actor {} in process {process}, {outcome:?}",
                    actor.0
                )
            }
            Event::Reached {
                actor,
                label,
                stage,
            } => {
                let process = name(self.actors[usize::from(actor.0)].process);
                let label = label.map(|id| self.scenario.path(id));
                format!(
                    "{label} by actor {} in process {process}, {}",
                    actor.0,
                    stage.name()
                )
            }
            Event::Killed { process } => format!("process {} is killed", name(process)),
            Event::Reloaded { process } => format!("process {} is reloaded", name(process)),
            Event::FlagSet => "the flag file is created".to_owned(),
            Event::CutoffPassed => "the cutoff passes".to_owned(),
        }
    }

    fn begin_actor(&mut self, at: usize, script: Vec<Scripted>) -> anyhow::Result<()> {
        let process = self.actors[at].process;
        let setup = Setup {
            trace: self.trace_number,
            store: self.world.store().to_owned(),
            locks: self.world.locks().to_owned(),
            generation: self.world.generation(&self.scenario, process),
            design: self.design,
            faults: self.faults.clone(),
            task: Errand::of(&self.scenario, self.scenario.actors[at].1),
            list_attempts: self.scenario.limits.list_attempts,
            snapshot_locks: self.scenario.limits.snapshot_locks,
            splits_locks: self.scenario.splits_locks,
            clock_ns: CLOCK_START_NS,
            answers: self.scenario.generations.flag == Flag::Created,
            script,
        };
        let answers = setup.answers;
        self.channel(at)?.send(&Command::Begin(Box::new(setup)))?;
        self.actors[at].has_begun = true;
        if answers {
            let reply: Reply = self.channel(at)?.receive()?;
            ensure!(
                reply.stands == Stands::Before && reply.until.is_none(),
                "actor {at} is to stand before its first step, and says {:?}",
                reply.stands
            );
        }
        Ok(())
    }

    fn command(&mut self, actor: Actor, command: &Command) -> anyhow::Result<Seen> {
        let at = usize::from(actor.0);
        self.channel(at)?
            .send(command)
            .context("the actor cannot be reached")?;
        let received = self.channel(at)?.receive();
        let reply: Reply = received.map_err(|error: io::Error| {
            let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
            if is(&[io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]) {
                anyhow!(
                    "the actor does not answer within {:?}",
                    self.options.patience
                )
            } else if is(&[io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset]) {
                anyhow!("the process of the actor has ended")
            } else {
                error.into()
            }
        })?;
        let process = self.actors[at].process;
        let bit = 1 << process.0;
        self.gc_slots = if reply.slot {
            self.gc_slots | bit
        } else {
            self.gc_slots & !bit
        };
        self.begun |= u8::from(reply.until.is_some()) << actor.0;
        self.actors[at].runs.extend(reply.runs);
        if reply.stands == Stands::Ended {
            let failed = match self.actors[at].runs.last() {
                Some(Ended::Busy(_) | Ended::Failed(_)) => 1,
                Some(Ended::Done) | None => 0,
            };
            self.ends.ended |= 1 << actor.0;
            self.ends.failed |= failed << actor.0;
        }
        self.takings.extend(reply.takings);
        self.actors[at].stands = reply.stands.clone();
        let (outcome, stage) = match reply.until {
            Some(Until::End(outcome)) => (Some(outcome), None),
            Some(Until::Stage(stage)) => (None, Some(stage)),
            None => (None, None),
        };
        Ok(Seen {
            outcome,
            stage,
            stands: Some(reply.stands),
        })
    }

    fn channel(&mut self, at: usize) -> anyhow::Result<&mut Channel> {
        let process = self.actors[at].process;
        let channel = self.actors[at].channel.as_mut();
        channel.with_context(|| {
            let name = self.scenario.processes[usize::from(process.0)];
            format!("actor {at} cannot take a step: its process {name} does not run")
        })
    }

    fn kill_all(&mut self) {
        for process in 0..self.workers.len() {
            // One that cannot be killed is gone; respawn finds out.
            self.kill(Process(u8::try_from(process).unwrap_or(u8::MAX)))
                .unwrap_or_default();
        }
    }

    /// Starts the processes that do not run.
    fn respawn(&mut self) -> anyhow::Result<()> {
        for process in 0..self.workers.len() {
            if self.pids[process].is_some() {
                continue;
            }
            let lives_here = |actor: &ActorOf| usize::from(actor.process.0) == process;
            let numbers = self
                .actors
                .iter()
                .zip(0..)
                .filter(|(actor, _)| lives_here(actor));
            let (worker, channels) = self.pool.start(numbers.map(|(_, at)| at).collect())?;
            for (actor, channel) in channels {
                self.actors[usize::from(actor)].channel = Some(channel);
            }
            self.pids[process] = worker.pid();
            self.workers[process] = worker;
        }
        Ok(())
    }
}

/// What an event lets an actor do: within which step, and how far; nothing if it is of the environment.
pub(crate) fn scripted(event: &Event) -> Option<(Actor, Label<Id>, Until)> {
    match *event {
        Event::Step {
            actor,
            label,
            outcome,
        } => Some((actor, label, Until::End(outcome))),
        Event::Reached {
            actor,
            label,
            stage,
        } => Some((actor, label, Until::Stage(stage))),
        Event::Killed { .. } | Event::Reloaded { .. } | Event::FlagSet | Event::CutoffPassed => {
            None
        }
    }
}
