//! `lockstep worker`: one process of a scenario. Each of its actors is a thread that serves trace after trace.
//!
//! The actors share one open datastore for a trace: closing any descriptor of its `.lock` would drop the record
//! lock of the whole process. It is closed when every actor has given the trace up.

use crate::faulty_sys::FaultySys;
use crate::gate::{Abandoned, SharedGate};
use crate::gated_sys::GatedSys;
use crate::wire::{Channel, Command, Ended, Errand, Hello, Reply, Setup, Stands};
use crate::world::STORE_NAME;
use anyhow::{Context as _, bail};
use datastore::LockFileSystem;
use datastore::ops::{gc, move_group, take_lock};
use datastore::{BackupTime, Config, Cx, Datastore, Group, LinuxSys, Lockable, Namespace, Sys};
use nix::sys::signal::Signal;
use specs::lock_class::Mode;
use std::any::Any;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The system calls of an actor: faulty if the trace says so, and gated.
type ActorSys = FaultySys<GatedSys<LinuxSys>>;

/// Digests that a garbage collection remembers as marked: more than any scenario has.
const REMEMBERED_CHUNKS: usize = 64;

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
    // The driver may have died before the line above.
    if std::os::unix::process::parent_id() != arguments.driver {
        bail!("the driver, process {}, is gone", arguments.driver);
    }
    let process = Arc::new(Process::default());
    std::thread::scope(|scope| {
        for actor in &arguments.actors {
            let process = Arc::clone(&process);
            let body = move || {
                if let Err(error) = serve_actor(&arguments.socket, *actor, &process) {
                    if !is_hang_up(&error) {
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

/// Whether all that happened is that the driver went away.
fn is_hang_up(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind as Kind;
    let gone = [Kind::UnexpectedEof, Kind::BrokenPipe, Kind::ConnectionReset];
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| gone.contains(&error.kind()))
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
                let config = Config {
                    locks: setup.locks.clone(),
                    lock_file_system: LockFileSystem::Tmpfs,
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
    FaultySys::new(GatedSys::open(LinuxSys), None)
}

fn serve_actor(socket: &Path, actor: u8, process: &Process) -> anyhow::Result<()> {
    let stream = UnixStream::connect(socket)
        .with_context(|| format!("cannot reach the driver at {}", socket.display()))?;
    let mut channel = Channel::new(stream, None)?;
    channel.send(&Hello { actor })?;
    loop {
        match channel.receive::<Command>() {
            Ok(Command::Begin(setup)) => channel = serve_trace(channel, *setup, process)?,
            Ok(Command::End) => {}
            Ok(Command::Go { .. } | Command::Block { .. }) => bail!("a step without a trace"),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error).context("cannot hear the driver"),
        }
        channel.send(&Reply {
            outcome: None,
            stands: Stands::Gone,
            slot: false,
            runs: Vec::new(),
        })?;
    }
}

/// Runs the operation of one trace; when this returns, the actor holds nothing any more.
fn serve_trace(channel: Channel, mut setup: Setup, process: &Process) -> anyhow::Result<Channel> {
    let store = process
        .open(&setup)
        .context("cannot open the datastore of the trace")?;
    let probe = {
        let (sys, store) = (ungated(), Arc::clone(&store));
        Box::new(move || store.lock_gc_slot(&sys).is_err())
    };
    let script = std::mem::take(&mut setup.script);
    let gate = SharedGate::new(channel, &setup, script, probe);
    let sys = FaultySys::new(GatedSys::new(LinuxSys, gate.clone()), setup.fault);
    let cx = Cx {
        sys,
        design: setup.design,
    };
    let stands = match catch_unwind(AssertUnwindSafe(|| run(&cx, &store, &setup, &gate))) {
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

/// Runs the task of the actor; how each run ended goes to the gate.
fn run<S: Sys>(cx: &Cx<S>, store: &Datastore<S>, setup: &Setup, gate: &SharedGate) {
    let limits = setup.limits();
    let result = match &setup.task {
        Errand::Gc { runs } => {
            let settings = gc::Settings {
                list_attempts: limits.list_attempts.into(),
                remembered_chunks: REMEMBERED_CHUNKS,
                ..gc::Settings::default()
            };
            for _ in 0..*runs {
                gate.run_ended(match gc::run(cx, store, &settings) {
                    Ok(_) => Ended::Done,
                    Err(error) => gc_ended(&error),
                });
            }
            return;
        }
        Errand::MoveGroup {
            group,
            source,
            target,
            merge,
        } => move_one(
            cx,
            store,
            limits.snapshot_locks.into(),
            [group, source, target],
            *merge,
        ),
        Errand::TakeLock {
            namespace,
            group,
            snapshot,
            removes,
        } => take_one(cx, store, [namespace, group], snapshot.as_deref(), *removes),
    };
    gate.run_ended(match result {
        Ok(()) => Ended::Done,
        Err(error) => Ended::Failed(error.to_string()),
    });
}

/// Whether a collection failed because somebody else held a lock.
fn gc_ended(error: &gc::GcError) -> Ended {
    let text = error.to_string();
    match error {
        gc::GcError::AlreadyRunning
        | gc::GcError::StoreInUse
        | gc::GcError::GroupBusy { .. }
        | gc::GcError::JournalBusy(_) => Ended::Busy(text),
        gc::GcError::SnapshotVanished(_)
        | gc::GcError::Journal { .. }
        | gc::GcError::Entry { .. }
        | gc::GcError::Index(_)
        | gc::GcError::Call(_)
        | gc::GcError::Lock(_) => Ended::Failed(text),
    }
}

fn move_one<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    snapshot_locks: usize,
    [group, source, target]: [&String; 3],
    merge: bool,
) -> anyhow::Result<()> {
    let settings = move_group::Settings {
        existing: if merge {
            move_group::Existing::Merge
        } else {
            move_group::Existing::Refuse
        },
        snapshot_locks,
        ..move_group::Settings::new(
            Group::parse(Namespace::new(source)?, group)?,
            Namespace::new(target)?,
        )
    };
    move_group::run(cx, store, &settings)?;
    Ok(())
}

fn take_one<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    [namespace, group]: [&String; 2],
    snapshot: Option<&str>,
    removes: bool,
) -> anyhow::Result<()> {
    let group = Group::parse(Namespace::new(namespace)?, group)?;
    let snapshot = match snapshot {
        Some(time) => Some(group.snapshot(BackupTime::parse(time)?)),
        None => None,
    };
    let lock = snapshot
        .as_ref()
        .map_or(Lockable::Group(&group), Lockable::Snapshot);
    take_lock::run(
        cx,
        store,
        &take_lock::Settings {
            lock,
            mode: Mode::Exclusive,
            removes,
        },
    )?;
    Ok(())
}
