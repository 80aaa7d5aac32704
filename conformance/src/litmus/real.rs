//! Real runs of litmus tests: real processes, which are told round by round what to do.
//!
//! A part of a round that waits for a lock is not waited for: once the kernel's table shows that it waits, the next round
//! begins. Those who share a round are told when to begin, a little later than now and not quite at the same time, so
//! that either may be first; litmus7 calls that a time base.

use super::os::Started;
use super::process::{Answer, Arguments, Hello, Order, now_ns};
use super::{Histogram, Litmus, Outcome, Place};
use crate::private_dir::{
    Holding, ParentError, Private, check_lock_directory, check_store_directory, remove_tree, room,
};
use crate::proc_locks::ProcLocks;
use crate::wire::{self, Channel};
use anyhow::{Context as _, bail, ensure};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, statfs};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything may take before the run is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to rest between two looks whether a process has answered or waits.
const REST: Duration = Duration::from_micros(20);

/// How long to rest between two looks whether a process that was started has come: nobody races meanwhile.
const REST_AT_START: Duration = Duration::from_micros(200);

/// How much later than now those begin who race: time to wake up all of them.
const HEAD_START_NS: u64 = 80_000;

/// The beginnings of those who race lie up to so far apart.
const SKEW_NS: u64 = 6_000;

/// Where real runs take place.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary `lockstep`.
    pub lockstep: PathBuf,
    /// A directory on a tmpfs.
    pub tmpfs: PathBuf,
    /// A directory on a disk.
    pub disk: PathBuf,
}

/// What real runs came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Real {
    /// As many tries as were wanted.
    Ran(Histogram),
    /// The machine refuses what the test needs, in a sentence.
    Refused(String),
    /// A call failed that the test takes for granted, or somebody waits for ever, in a sentence.
    Broken(String),
}

/// An error that says something about the kernel, and nothing about the surroundings of the test.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(String);

/// Runs a test so many times; the first try that breaks is the last one. The error is that tries cannot be made here.
/// `done` hears of the number of tries that are over.
pub fn run(
    litmus: &Litmus,
    tries: u64,
    options: &Options,
    done: &dyn Fn(u64),
) -> anyhow::Result<Real> {
    let (parent, holding) = match litmus.place {
        Place::Tmpfs | Place::Mount(_) => {
            check_lock_directory(&options.tmpfs)?;
            (&options.tmpfs, Holding::Locks)
        }
        Place::Ext4 => {
            check_store_directory(&options.disk)?;
            (&options.disk, Holding::Stores)
        }
    };
    if litmus.place == Place::Ext4 && !is_ext4(parent)? {
        let reason = format!(
            "{} does not lie on ext4; name a directory that does with --store-dir",
            parent.display()
        );
        return Ok(Real::Refused(reason));
    }
    let mut stage = Stage::new(litmus, options, (parent, holding))?;
    let mut histogram = Histogram::default();
    for number in 0..tries {
        match stage.play(number) {
            Ok(Ok(outcome)) => histogram.add(litmus, &outcome),
            Ok(Err(refusal)) => return Ok(Real::Refused(refusal)),
            Err(error) => {
                let Broken(sentence) = error.downcast()?;
                // A test that fills a tmpfs fills one of its own.
                let has_room = room(parent)
                    .with_context(|| format!("{} cannot be reached", parent.display()))?;
                ensure!(has_room, ParentError::Full(parent.clone(), holding));
                return Ok(Real::Broken(format!("try {}: {sentence}", number + 1)));
            }
        }
        done(number + 1);
    }
    Ok(Real::Ran(histogram))
}

fn is_ext4(directory: &Path) -> anyhow::Result<bool> {
    let found =
        statfs(directory).with_context(|| format!("{} cannot be reached", directory.display()))?;
    Ok(found.filesystem_type() == EXT4_SUPER_MAGIC)
}

/// The processes of a test and the directory that they work in.
struct Stage<'a> {
    litmus: &'a Litmus,
    lockstep: PathBuf,
    /// By number; dropped before the directory.
    actors: BTreeMap<usize, Actor>,
    listener: UnixListener,
    socket: PathBuf,
    table: ProcLocks,
    directory: Private,
    /// Keeps the socket, which lies on the tmpfs whatever the file system of the test is.
    _talk: Private,
}

/// A process as it is seen from here.
struct Actor {
    channel: Channel,
    pid: i32,
    /// Whether it owes an answer to what it was told last.
    owes: bool,
    /// Unless another process of the test has started it.
    _child: Option<Started>,
}

impl<'a> Stage<'a> {
    fn new(
        litmus: &'a Litmus,
        options: &Options,
        (parent, holding): (&Path, Holding),
    ) -> anyhow::Result<Self> {
        let directory = Private::create(parent, holding)?;
        let talk = Private::create(&options.tmpfs, Holding::Locks)?;
        let socket = talk.path().join("socket");
        let listener = wire::listen(&socket)?;
        let device = std::fs::metadata(directory.path())?.dev();
        Ok(Self {
            litmus,
            lockstep: options.lockstep.clone(),
            actors: BTreeMap::new(),
            listener,
            socket,
            table: ProcLocks::open(device, device)?,
            directory,
            _talk: talk,
        })
    }

    /// One try; the inner error is a refusal.
    fn play(&mut self, number: u64) -> anyhow::Result<Result<Outcome, String>> {
        let directory = self.directory.path().join(number.to_string());
        std::fs::create_dir(&directory).map_err(|error| self.directory.refuse(error))?;
        let mut seen = Vec::new();
        for process in 0..self.litmus.processes() {
            if self.litmus.starter_of(process).is_some() {
                continue;
            }
            if !self.actors.contains_key(&process) {
                self.start(process)?;
            }
            if let Err(refusal) = self.begin(process, &directory)? {
                return Ok(Err(refusal));
            }
        }
        for round in 0..self.litmus.rounds.len() {
            self.round(round, number, &directory, &mut seen)?;
        }
        self.end(&mut seen)?;
        remove_tree(&directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
        Ok(Ok(self.litmus.sorted(&seen)))
    }

    fn start(&mut self, process: usize) -> anyhow::Result<()> {
        let arguments = Arguments {
            test: self.litmus.name.to_owned(),
            process,
            socket: self.socket.clone(),
        };
        let child = arguments
            .command(&self.lockstep)
            .spawn()
            .with_context(|| format!("cannot start {}", self.lockstep.display()))?;
        self.accept(process, Some(Started(child)))
    }

    /// Waits for a process to say who it is.
    fn accept(&mut self, process: usize, mut child: Option<Started>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            let status = child.as_mut().map(|child| child.0.try_wait()).transpose()?;
            if let Some(status) = status.flatten() {
                bail!(
                    "P{process} of the litmus test {}, which {} runs, ended at its start: {status}",
                    self.litmus.name,
                    self.lockstep.display()
                );
            }
            ensure!(
                Instant::now() < deadline,
                "P{process} does not report within {PATIENCE:?}"
            );
            std::thread::sleep(REST_AT_START);
        };
        stream.set_nonblocking(true)?;
        let mut channel = Channel::new(stream, None)?;
        let hello: Hello = patiently(&mut channel)?;
        ensure!(
            hello.process == process,
            "P{} reports in place of P{process}",
            hello.process
        );
        self.actors.insert(
            process,
            Actor {
                channel,
                pid: hello.pid,
                owes: false,
                _child: child,
            },
        );
        Ok(())
    }

    fn begin(&mut self, process: usize, directory: &Path) -> anyhow::Result<Result<(), String>> {
        let order = Order::Begin(directory.to_owned());
        let actor = self.actor(process)?;
        actor.channel.send(&order)?;
        match patiently(&mut actor.channel)? {
            Answer::Seen(_) => Ok(Ok(())),
            Answer::Refused(reason) => Ok(Err(reason)),
            Answer::Broken(sentence) => bail!(Broken(sentence)),
        }
    }

    fn actor(&mut self, process: usize) -> anyhow::Result<&mut Actor> {
        self.actors
            .get_mut(&process)
            .with_context(|| format!("P{process} was not started"))
    }

    fn round(
        &mut self,
        round: usize,
        number: u64,
        directory: &Path,
        seen: &mut Vec<(String, String)>,
    ) -> anyhow::Result<()> {
        let parts = self.litmus.rounds[round];
        for (process, _) in parts {
            self.settle(*process, seen)?;
        }
        let begins_ns = if parts.len() > 1 {
            now_ns()? + HEAD_START_NS
        } else {
            0
        };
        for (place, (process, _)) in (1_u64..).zip(parts) {
            // Another distance in every try; which one does not matter.
            let skew_ns = number.wrapping_mul(7919 * place) % SKEW_NS;
            let at_ns = if begins_ns > 0 {
                begins_ns + skew_ns
            } else {
                0
            };
            let actor = self.actor(*process)?;
            actor.channel.send(&Order::Round(round, at_ns))?;
            actor.owes = true;
        }
        for (process, steps) in parts {
            let can_wait = steps.iter().any(|step| step.call().can_wait());
            self.hear_or_see_wait(*process, can_wait, seen)?;
            for step in *steps {
                if let Some(started) = step.call().starts() {
                    self.accept(started, None)?;
                    let begun = self.begin(started, directory)?;
                    ensure!(begun.is_ok(), "P{started} refuses to begin");
                } else if let Some(killed) = step.call().kills() {
                    self.actors.remove(&killed);
                }
            }
        }
        Ok(())
    }

    /// Takes the answer that a process owes, however long it waits for a lock.
    fn settle(&mut self, process: usize, seen: &mut Vec<(String, String)>) -> anyhow::Result<()> {
        if self.actors.get(&process).is_some_and(|actor| actor.owes) {
            self.hear_or_see_wait(process, false, seen)?;
        }
        Ok(())
    }

    /// Waits until a process answers or, if its part can wait, until the kernel shows that it waits.
    fn hear_or_see_wait(
        &mut self,
        process: usize,
        can_wait: bool,
        seen: &mut Vec<(String, String)>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let actor = self
                .actors
                .get_mut(&process)
                .with_context(|| format!("P{process} was not started"))?;
            match actor.channel.receive() {
                Ok(Answer::Seen(more)) => {
                    actor.owes = false;
                    seen.extend(more);
                    return Ok(());
                }
                Ok(Answer::Refused(sentence) | Answer::Broken(sentence)) => {
                    bail!(Broken(sentence))
                }
                Err(error) if is_early(&error) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("P{process} does not answer"));
                }
            }
            let (pid, mut waits) = (actor.pid, false);
            if can_wait {
                self.table
                    .read(|line| waits |= line.waits && line.pid == pid)?;
            }
            if waits {
                return Ok(());
            }
            std::thread::sleep(REST);
            ensure!(
                Instant::now() < deadline,
                Broken(format!("P{process} does not answer within {PATIENCE:?}"))
            );
        }
    }

    /// Takes the answers that are owed, and has everybody close everything.
    fn end(&mut self, seen: &mut Vec<(String, String)>) -> anyhow::Result<()> {
        let processes: Vec<usize> = self.actors.keys().copied().collect();
        for process in &processes {
            self.settle(*process, seen)?;
        }
        // Those that others have started end when nobody talks to them any more.
        self.actors
            .retain(|process, _| self.litmus.starter_of(*process).is_none());
        for actor in self.actors.values_mut() {
            actor.channel.send(&Order::End)?;
            if let Answer::Refused(sentence) | Answer::Broken(sentence) =
                patiently(&mut actor.channel)?
            {
                bail!(Broken(sentence));
            }
        }
        Ok(())
    }
}

fn is_early(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn patiently<T: serde::de::DeserializeOwned>(channel: &mut Channel) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match channel.receive() {
            Err(error) if is_early(&error) && Instant::now() < deadline => {
                std::thread::sleep(REST);
            }
            result => return result.context("a process of a litmus test does not answer"),
        }
    }
}
