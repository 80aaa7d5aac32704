//! `lockstep worker`: one process of a scenario. Each of its actors is a thread that serves trace after trace.
//!
//! The actors share one open datastore for a trace: closing any descriptor of its `.lock` would drop the record
//! lock of the whole process. It is closed when every actor has given the trace up.

use crate::faulty_sys::FaultySys;
use crate::gate::{Abandoned, SharedGate};
use crate::gated_sys::GatedSys;
use crate::lock_notes::LockNotes;
use crate::lock_place::Roots;
use crate::recording_sys::{RecordingSys, SharedRecording};
use crate::wire::{self, Channel, Command, Hello, Reply, Setup, Stands};
use crate::world::STORE_NAME;
use anyhow::{Context as _, bail};
use datastore::LockFileSystem;
use datastore::{Config, Cx, Datastore, Generation, LinuxSys};
use nix::sys::signal::Signal;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The system calls of an actor: faulty if the trace says so, with its locks noted, and gated.
type ActorSys = FaultySys<RecordingSys<GatedSys<LinuxSys>>>;

/// What a worker is started with.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// The socket on which the driver listens.
    pub socket: PathBuf,
    /// The process id of the driver.
    pub driver: u32,
    /// The actors that live in this process.
    pub actors: Vec<u8>,
}

impl Arguments {
    /// The arguments behind `lockstep worker`.
    pub fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let [socket, driver, actors @ ..] = arguments else {
            bail!("a worker is started by lockstep itself, with a socket, a process id and actors");
        };
        Ok(Self {
            socket: socket.into(),
            driver: driver
                .parse()
                .context("the process id of the driver is no number")?,
            actors: actors
                .iter()
                .map(|actor| {
                    actor
                        .parse()
                        .with_context(|| format!("actor {actor:?} is no number"))
                })
                .collect::<anyhow::Result<_>>()?,
        })
    }

    /// The arguments as strings.
    pub fn to_strings(&self) -> Vec<String> {
        let mut strings = vec![
            self.socket.to_string_lossy().into_owned(),
            self.driver.to_string(),
        ];
        strings.extend(self.actors.iter().map(u8::to_string));
        strings
    }
}

/// Serves traces until the driver hangs up.
pub fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).context("cannot ask to die with the driver")?;
    // The driver may have died before the line above, and then nobody is to hear of it: whoever interrupts a run may still read
    // what its workers say.
    if std::os::unix::process::parent_id() != arguments.driver {
        return Ok(());
    }
    let process = Arc::new(Process::default());
    std::thread::scope(|scope| {
        for actor in &arguments.actors {
            let process = Arc::clone(&process);
            let body = move || {
                if let Err(error) = serve_actor(&arguments.socket, *actor, &process) {
                    // That there is no room, the driver says.
                    if !is_any(&error, wire::is_hang_up) && !is_any(&error, is_full) {
                        report(&format!("actor {actor}: {error:#}"));
                    }
                    // The other actors would wait for ever; the driver sees the end of the process.
                    std::process::exit(1);
                }
            };
            std::thread::Builder::new()
                .name(format!("actor {actor}"))
                .spawn_scoped(scope, body)
                .context("cannot start a thread for an actor")?;
        }
        Ok(())
    })
}

/// Whether an error comes from one of the system of which something is true.
fn is_any(error: &anyhow::Error, is: impl Fn(&std::io::Error) -> bool) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(is)
}

fn is_full(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::StorageFull
}

#[allow(
    clippy::print_stderr,
    reason = "a worker has no other way to say why it ended"
)]
fn report(message: &str) {
    eprintln!("lockstep worker: {message}");
}

/// What the actors of this process share.
#[derive(Default)]
struct Process {
    open: Mutex<Option<(u64, Arc<Datastore<ActorSys>>)>>,
}

impl Process {
    /// The datastore of a trace, opened by the first actor that asks.
    fn open(&self, setup: &Setup) -> anyhow::Result<Arc<Datastore<ActorSys>>> {
        let mut open = self.lock();
        match &*open {
            Some((trace, store)) if *trace == setup.trace => Ok(Arc::clone(store)),
            Some(_) | None => {
                // In each trace this is another process.
                if let Generation::ByFlag(flag) = &setup.generation {
                    LinuxSys::forget_first_look(flag);
                }
                let config = Config {
                    locks: setup.locks.clone(),
                    lock_file_system: LockFileSystem::Tmpfs,
                    generation: setup.generation.clone(),
                    ..Config::new(&setup.store, STORE_NAME)
                };
                let store = Arc::new(Datastore::open(&ungated(), config)?);
                *open = Some((setup.trace, Arc::clone(&store)));
                Ok(store)
            }
        }
    }

    /// Lets go of the datastore of a trace; the last actor to let go closes it.
    fn close(&self, trace: u64) {
        let mut open = self.lock();
        if open.as_ref().is_some_and(|(number, _)| *number == trace) {
            *open = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, Arc<Datastore<ActorSys>>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ungated() -> ActorSys {
    let sys = RecordingSys::new(GatedSys::open(LinuxSys), SharedRecording::NOTHING);
    FaultySys::new(sys, &[])
}

fn serve_actor(socket: &Path, actor: u8, process: &Process) -> anyhow::Result<()> {
    let mut channel = Channel::connect(socket)
        .with_context(|| format!("cannot reach the driver at {}", socket.display()))?;
    channel.send(&Hello { actor })?;
    loop {
        match channel.receive::<Command>() {
            Ok(Command::Begin(setup)) => channel = serve_trace(channel, *setup, process)?,
            Ok(Command::End) => {}
            Ok(Command::Go(_) | Command::Block(_)) => bail!("a step without a trace"),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error).context("cannot hear the driver"),
        }
        channel.send(&standing(Stands::Gone))?;
    }
}

/// What an actor says that has taken no step.
fn standing(stands: Stands) -> Reply {
    Reply {
        until: None,
        stands,
        slot: false,
        runs: Vec::new(),
        takings: Vec::new(),
    }
}

/// Runs the operation of one trace; when this returns, the actor holds nothing any more.
fn serve_trace(
    mut channel: Channel,
    mut setup: Setup,
    process: &Process,
) -> anyhow::Result<Channel> {
    let store = process
        .open(&setup)
        .context("cannot open the datastore of the trace")?;
    if setup.answers {
        channel.send(&standing(Stands::Before))?;
    }
    let probe = {
        let (sys, store) = (ungated(), Arc::clone(&store));
        Box::new(move || store.lock_gc_slot(&sys).is_err())
    };
    let script = std::mem::take(&mut setup.script);
    let recording = SharedRecording::of_locks(LockNotes::new(Roots {
        store: setup.store.clone(),
        locks: setup.locks.join(STORE_NAME),
    }));
    let gate = SharedGate::new(channel, &setup, script, probe, recording.clone());
    let sys = RecordingSys::new(GatedSys::new(LinuxSys, gate.clone()), recording);
    let sys = FaultySys::new(sys, &setup.faults);
    let cx = Cx {
        sys,
        design: setup.design,
    };
    let run = || {
        let client_has_left = || gate.client_has_left();
        let ended = |how| gate.run_ended(how);
        let (task, limits) = (&setup.task, setup.limits());
        task.run(&cx, &store, limits, &client_has_left, ended);
    };
    let stands = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => Some(Stands::Ended),
        Err(payload) if payload.is::<Abandoned>() => None,
        Err(payload) => Some(Stands::Panicked(message(payload.as_ref()))),
    };
    if let Some(stands) = stands {
        gate.finish(&stands)
            .context("cannot tell the driver that the operation has ended")?;
    }
    drop(cx);
    process.close(setup.trace);
    drop(store);
    gate.into_channel()
        .context("an operation kept its system calls after its end")
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
