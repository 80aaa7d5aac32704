//! What the driver and an actor of a worker say to each other: one frame each way a step.
//!
//! A frame is its length, four bytes, and a postcard encoding. Every actor has a socket of its own, so a
//! step is one round trip and nobody sorts messages.

use crate::errand::{Ended, Errand};
use crate::lock_order::Taking;
use anyhow::anyhow;
use datastore::Generation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use specs::mutant::Fault;
use specs::scenario::Limits;
use specs::{Design, Outcome, Stage};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first frame of an actor: which actor of the scenario it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Position in the scenario's list of actors.
    pub actor: u8,
}

/// What the driver tells an actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// A trace begins: start the operation, which stops before its first step.
    Begin(Box<Setup>),
    /// Take the next step of the script.
    Go(Now),
    /// Take the next step and really wait if it waits; whatever its label is.
    Block(Now),
    /// The trace has ended: give up the operation wherever it stands.
    End,
}

/// What an actor must know of the world when it takes a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Times that the cutoff has passed since the trace began.
    pub cutoffs: u8,
    /// Steps that actors have begun since then.
    pub ticks: u32,
    /// Whether the process of the actor shuts down, because a newer one has been started.
    pub shuts_down: bool,
}

/// What an actor tells the driver: once it stands before its next step, or has no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// How the step ended, or how far it has come; none if no step was taken.
    pub until: Option<Until>,
    /// Where the actor stands now.
    pub stands: Stands,
    /// Whether the garbage-collection slot of the actor's process is occupied.
    pub slot: bool,
    /// How the runs that ended since the last reply ended: none, or the text of the error.
    pub runs: Vec<Ended>,
    /// The locks that were taken since the last reply, in a way that is new in this trace.
    pub takings: Vec<Taking>,
}

/// Where an actor stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stands {
    /// Before the next step of its script.
    Before,
    /// Before a step behind the end of its script, which has this label.
    Behind(String),
    /// Before a step that is not the next one of its script, with this label.
    Strayed(String),
    /// Its operation has ended.
    Ended,
    /// Its operation has panicked, with this message.
    Panicked(String),
    /// It has given the trace up and holds nothing.
    Gone,
}

/// Everything that an actor needs to know about a trace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Number of the trace; the actors of one process that have the same share one open datastore.
    pub trace: u64,
    /// The datastore.
    pub store: PathBuf,
    /// The lock directory.
    pub locks: PathBuf,
    /// How the process of the actor locks groups and snapshots.
    #[serde(with = "RemoteGeneration")]
    pub generation: Generation,
    /// The design to follow.
    pub design: Design,
    /// The faults to apply.
    pub faults: Vec<Fault>,
    /// What to do.
    pub task: Errand,
    /// Attempts to list a group without its lock.
    pub list_attempts: u8,
    /// Snapshot locks that a move holds at a time.
    pub snapshot_locks: u16,
    /// Whether a step that takes a lock file is split into its calls.
    pub splits_locks: bool,
    /// The clock at the start, in nanoseconds since the epoch.
    pub clock_ns: i128,
    /// Whether the actor answers as soon as its process has opened the datastore: what that looks at is about to change.
    pub answers: bool,
    /// The steps that will be let go, in order.
    pub script: Vec<Scripted>,
}

/// [`Generation`] on the wire.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Generation")]
enum RemoteGeneration {
    ByFlag(PathBuf),
    Directories,
    LockFiles,
}

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripted {
    /// The label, as it is printed.
    pub label: String,
    /// How the step will end, or how far it will go.
    pub until: Until,
}

/// How far a step goes before its actor waits for the driver again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// To its end.
    End(Outcome),
    /// To behind one of its calls, in a scenario that splits steps that take a lock file.
    Stage(Stage),
}

impl Setup {
    /// The limits that the operation runs under.
    pub const fn limits(&self) -> Limits {
        Limits {
            list_attempts: self.list_attempts,
            snapshot_locks: self.snapshot_locks,
        }
    }
}

/// One end of an actor's socket.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// Where the next frame starts in `incoming`.
    start: usize,
    /// Where what was received ends in `incoming`.
    end: usize,
}

/// Listens at a path, without waiting for anybody.
pub(crate) fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    let listener = UnixListener::bind(socket).map_err(|error| {
        let path = socket.display();
        match error.kind() == io::ErrorKind::InvalidInput {
            true => anyhow!(
                "{path} is too long for a socket, which has less than 108 bytes; name a shorter directory with --lock-dir"
            ),
            false => anyhow!("cannot listen at {path}: {error}"),
        }
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Bytes of the length before a frame.
const LENGTH: usize = 4;

/// Whether all that happened is that the other side went away.
pub(crate) fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let gone = [Kind::UnexpectedEof, Kind::BrokenPipe, Kind::ConnectionReset];
    gone.contains(&error.kind())
}

impl Channel {
    /// A channel to whoever listens at a socket; that nobody does any more is a hang-up.
    pub(crate) fn connect(socket: &Path) -> io::Result<Self> {
        let gone = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
        let stream = UnixStream::connect(socket).map_err(|error| {
            if gone.contains(&error.kind()) {
                io::ErrorKind::ConnectionReset.into()
            } else {
                error
            }
        })?;
        Self::new(stream, None)
    }

    /// A channel on a connected socket; a receive that takes longer than the patience fails.
    pub fn new(stream: UnixStream, patience: Option<Duration>) -> io::Result<Self> {
        stream.set_read_timeout(patience)?;
        Ok(Self {
            stream,
            outgoing: Vec::new(),
            incoming: vec![0; 4096],
            start: 0,
            end: 0,
        })
    }

    /// Sends one frame.
    pub fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        self.outgoing.clear();
        self.outgoing.extend([0; LENGTH]);
        let mut frame = std::mem::take(&mut self.outgoing);
        frame = postcard::to_extend(message, frame).map_err(io::Error::other)?;
        let length = u32::try_from(frame.len() - LENGTH).map_err(io::Error::other)?;
        frame[..LENGTH].copy_from_slice(&length.to_le_bytes());
        let sent = self.stream.write_all(&frame);
        self.outgoing = frame;
        sent
    }

    /// Receives one frame.
    pub fn receive<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        self.fill(LENGTH)?;
        let mut length = [0; LENGTH];
        length.copy_from_slice(&self.incoming[self.start..self.start + LENGTH]);
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
        self.fill(LENGTH + length)?;
        let frame = &self.incoming[self.start + LENGTH..self.start + LENGTH + length];
        let message = postcard::from_bytes(frame).map_err(io::Error::other)?;
        self.start += LENGTH + length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        Ok(message)
    }

    /// Reads until so many bytes are there.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.start + wanted > self.incoming.len() {
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if wanted > self.incoming.len() {
                self.incoming.resize(wanted.next_power_of_two(), 0);
            }
        }
        while self.end - self.start < wanted {
            match self.stream.read(&mut self.incoming[self.end..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_and_in_order_even_when_two_are_under_way() {
        let (a, b) = UnixStream::pair().unwrap();
        let mut a = Channel::new(a, None).unwrap();
        let mut b = Channel::new(b, None).unwrap();
        let long = "x".repeat(10_000);
        a.send(&Stands::Behind(long.clone())).unwrap();
        let now = Now {
            cutoffs: 3,
            ticks: 5,
            shuts_down: true,
        };
        a.send(&Command::Go(now)).unwrap();
        assert_eq!(b.receive::<Stands>().unwrap(), Stands::Behind(long));
        assert!(matches!(b.receive().unwrap(), Command::Go(same) if same == now));
        drop(a);
        assert_eq!(
            b.receive::<Command>().unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
