//! Worker processes: started by exec, heard over a socket, killed and waited for.

use crate::wire::{self, Channel, Hello};
use crate::worker::Arguments;
use anyhow::{Context as _, bail, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Where workers report, and how they are started.
#[derive(Debug)]
pub(crate) struct Pool {
    listener: UnixListener,
    socket: PathBuf,
    executable: PathBuf,
    patience: Duration,
}

/// Held while a process is started. Until it executes its program it shares every open file, and with it every lock.
static STARTS: RwLock<()> = RwLock::new(());

/// Lets no process be started meanwhile: for whoever takes locks of files in this process.
pub(crate) fn without_starts<T>(run: impl FnOnce() -> T) -> T {
    let _no_starts = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    run()
}

/// Lets no process be started any more, nor anybody begin what has to be without starts: whoever asks waits until this process
/// ends. What was begun has ended when this returns.
pub(crate) fn end_starts() {
    let starting = STARTS.write().unwrap_or_else(PoisonError::into_inner);
    std::mem::forget(starting);
}

/// A worker process, if it runs; killed when dropped.
#[derive(Debug, Default)]
pub(crate) struct Worker(Option<Child>);

impl Pool {
    /// Listens at a path for workers that are started from an executable.
    pub(crate) fn new(
        socket: PathBuf,
        executable: &Path,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            listener: wire::listen(&socket)?,
            socket,
            executable: executable.to_owned(),
            patience,
        })
    }

    /// Starts a process with these actors and gives the channel of each.
    pub(crate) fn start(&self, actors: Vec<u8>) -> anyhow::Result<(Worker, Vec<(u8, Channel)>)> {
        let arguments = Arguments {
            socket: self.socket.clone(),
            driver: std::process::id(),
            actors,
        };
        let starting = STARTS.write().unwrap_or_else(PoisonError::into_inner);
        let child = Command::new(&self.executable)
            .arg("worker")
            .args(arguments.to_strings())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start the worker {}", self.executable.display()))?;
        drop(starting);
        let mut worker = Worker(Some(child));
        let mut channels = Vec::new();
        for _ in &arguments.actors {
            let stream = self.accept(&mut worker)?;
            stream.set_nonblocking(false)?;
            let mut channel = Channel::new(stream, Some(self.patience))?;
            let hello: Hello = channel
                .receive()
                .context("a worker does not say who it is")?;
            ensure!(
                arguments.actors.contains(&hello.actor),
                "a worker says that it is actor {}, which lives elsewhere",
                hello.actor
            );
            channels.push((hello.actor, channel));
        }
        Ok((worker, channels))
    }

    fn accept(&self, worker: &mut Worker) -> anyhow::Result<UnixStream> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Ok(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("cannot hear a worker"),
            }
            let status = worker
                .0
                .as_mut()
                .map(Child::try_wait)
                .transpose()?
                .flatten();
            if let Some(status) = status {
                bail!(
                    "worker {} ended at its start: {status}",
                    self.executable.display()
                );
            }
            ensure!(
                Instant::now() < deadline,
                "worker {} does not report within {:?}",
                self.executable.display(),
                self.patience
            );
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

impl Worker {
    /// Its process id, if it runs.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.0
            .as_ref()
            .and_then(|child| i32::try_from(child.id()).ok())
    }

    /// SIGKILL, and back only when the kernel has released everything.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        match self.0.take() {
            Some(mut child) => {
                child.kill()?;
                child.wait().map(|_| ())
            }
            None => Ok(()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A worker that cannot be killed is gone already, and it dies with this thread in any case.
        self.kill().unwrap_or_default();
    }
}

/// Keeps this thread, and the workers that it starts, on one processor: a step is then a switch between two
/// processes, and nobody waits for another processor to wake up. Dropping it gives the thread its choice back.
#[derive(Debug)]
pub(crate) struct Pinned(CpuSet);

impl Pinned {
    /// To the processor of a lane.
    pub(crate) fn to(lane: usize) -> anyhow::Result<Self> {
        let this_thread = Pid::from_raw(0);
        let allowed =
            sched_getaffinity(this_thread).context("cannot read the processors of this thread")?;
        let processors: Vec<usize> = (0..CpuSet::count())
            .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
            .collect();
        if let Some(processor) = processors.get(lane % processors.len().max(1)) {
            let mut one = CpuSet::new();
            one.set(*processor).context("cannot choose a processor")?;
            sched_setaffinity(this_thread, &one).context("cannot keep to one processor")?;
        }
        Ok(Self(allowed))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // A thread that stays on one processor is slower, not wrong.
        sched_setaffinity(Pid::from_raw(0), &self.0).unwrap_or_default();
    }
}
