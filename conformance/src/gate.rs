//! The gate of one actor: its script, its clock, and its talk with the driver.

use crate::errand::Ended;
use crate::recording_sys::SharedRecording;
use crate::wire::{Channel, Command, Now, Reply, Scripted, Setup, Stands, Until};
use datastore::sys::Entry;
use specs::design::LooksForFlag;
use specs::mutant::Fault;
use specs::{Cut, Outcome, Stage, Step};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The payload with which an actor unwinds when the driver ends a trace before the operation has ended.
#[derive(Clone, Copy, Debug)]
pub struct Abandoned;

/// How far the clock goes when the cutoff passes: two days, and the cutoff lies a good day back.
pub const CUTOFF_PASSES_NS: i128 = 2 * 24 * 3600 * 1_000_000_000;

/// How far the clock goes with every step: far enough to tell two steps apart, at no whole second, and in a whole trace less than the
/// five minutes that garbage collection allows a writer.
pub const TICK_NS: i128 = 100_000_007;

/// The virtual clock when the cutoff has passed so often, in so many steps.
pub fn clock(start_ns: i128, cutoffs: u8, ticks: u32) -> i128 {
    start_ns + i128::from(cutoffs) * CUTOFF_PASSES_NS + i128::from(ticks) * TICK_NS
}

/// Tells whether the garbage-collection slot of the process is occupied.
pub type Probe = Box<dyn Fn() -> bool + Send>;

/// The gate of one actor, which its `Sys` and the loop around its operation share.
#[derive(Clone, Debug)]
pub struct SharedGate(Arc<Mutex<Gate>>);

pub(crate) struct Gate {
    channel: Channel,
    script: Vec<Scripted>,
    /// Number of steps taken, which is the position of the next one in the script.
    pub(crate) position: usize,
    /// The label before which the actor stands, as it is printed.
    pub(crate) label: String,
    /// How the last step ended, or how far it has come, until the driver is told.
    pub(crate) pending: Option<Until>,
    /// How runs ended, until the driver is told.
    runs: Vec<Ended>,
    store: PathBuf,
    pub(crate) clock_ns: i128,
    /// What the driver said of the world when it let go last.
    pub(crate) now: Now,
    /// Whether the step is to wait for real.
    pub(crate) waits: bool,
    /// Whether a part of this step's append was written already.
    pub(crate) torn: bool,
    /// Whether a step that takes a lock file is split into its calls.
    splits_locks: bool,
    /// Whether its process looks for the flag file once, at its first lock.
    looks: bool,
    /// The faults that are applied: a step that leaves out its `flock` is not split.
    faults: Vec<Fault>,
    /// The calls of the step that is under way, if it is split.
    calls: Option<Calls>,
    probe: Probe,
    /// What notes the locks that the actor takes.
    recording: SharedRecording,
}

/// What was done with the lock file since the last time that it was opened, in a step that is split into its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calls {
    /// Whether the flag file was looked for, and nothing opened since.
    has_looked: bool,
    is_locked: bool,
    is_compared: bool,
}

/// A call in a step that is split into its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockCall {
    /// A file is looked for by its path.
    Look,
    /// The file is opened, perhaps again.
    Open,
    /// It is locked.
    Flock,
    /// It is compared with the one at the path.
    Compare,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("label", &self.label)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl SharedGate {
    /// The gate of an actor for one trace.
    pub fn new(
        channel: Channel,
        setup: &Setup,
        script: Vec<Scripted>,
        probe: Probe,
        recording: SharedRecording,
    ) -> Self {
        Self(Arc::new(Mutex::new(Gate {
            channel,
            script,
            position: 0,
            label: String::new(),
            pending: None,
            runs: Vec::new(),
            store: setup.store.clone(),
            clock_ns: setup.clock_ns,
            now: Now::default(),
            waits: false,
            torn: false,
            splits_locks: setup.splits_locks,
            looks: setup.answers && setup.design.flag() == LooksForFlag::AtFirstLock,
            faults: setup.faults.clone(),
            calls: None,
            probe,
            recording,
        })))
    }

    /// Notes how a run ended; the driver hears of it with the next reply.
    pub fn run_ended(&self, ended: Ended) {
        self.lock().runs.push(ended);
    }

    /// Whether the step that is under way is the one in which the client of a backup leaves.
    pub fn client_has_left(&self) -> bool {
        self.lock().expected() == Some(Outcome::Stopped)
    }

    /// Tells the driver that the operation has ended and waits for the end of the trace.
    pub fn finish(&self, stands: &Stands) -> io::Result<()> {
        let mut gate = self.lock();
        if gate.pending.is_some() {
            gate.reply(stands.clone())?;
        }
        loop {
            match gate.channel.receive()? {
                Command::Go(_) | Command::Block(_) => gate.reply(stands.clone())?,
                Command::End => return Ok(()),
                Command::Begin(_) => {
                    return Err(io::Error::other("a trace began before another had ended"));
                }
            }
        }
    }

    /// Gives the channel back, for the next trace; none while an operation still has its `Sys`.
    pub fn into_channel(self) -> Option<Channel> {
        let gate = Arc::into_inner(self.0)?;
        Some(
            gate.into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .channel,
        )
    }

    /// An actor that gives up unwinds through here; nothing in the gate is half done then.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Gate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    fn reply(&mut self, stands: Stands) -> io::Result<()> {
        let reply = Reply {
            until: self.pending.take(),
            stands,
            slot: (self.probe)(),
            runs: std::mem::take(&mut self.runs),
            takings: self.recording.take_new_locks(),
        };
        self.channel.send(&reply)
    }

    /// Where the actor stands, now that its next label is known.
    fn stands(&self) -> Stands {
        match self.script.get(self.position) {
            Some(scripted) if scripted.label == self.label => Stands::Before,
            Some(_) => Stands::Strayed(self.label.clone()),
            None => Stands::Behind(self.label.clone()),
        }
    }

    /// Waits until the driver lets go; the error is that it never will.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        let stands = self.stands();
        if self.pending.is_some() {
            self.reply(stands.clone())?;
        }
        loop {
            let (now, waits) = match self.channel.receive()? {
                Command::Go(now) => (now, false),
                Command::Block(now) => (now, true),
                Command::End | Command::Begin(_) => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            };
            if waits || stands == Stands::Before {
                (self.now, self.waits, self.torn) = (now, waits, false);
                return Ok(());
            }
            self.reply(stands.clone())?;
        }
    }

    /// A step begins that was let go.
    pub(crate) fn begin_step(&mut self, step: Step) {
        let splits = self.splits_locks
            && step.compares_lock_file()
            && !self.faults.contains(&Fault::Skip(step));
        self.calls = splits.then(Calls::default);
    }

    /// Before a call of a step that is split, waits once more behind the call before it, if there was one.
    pub(crate) fn stop_before(&mut self, call: LockCall) -> io::Result<()> {
        let Some(calls) = &mut self.calls else {
            return Ok(());
        };
        let before = *calls;
        let stage = match call {
            // The look that belongs to the comparison comes after that of the open file.
            LockCall::Look => {
                calls.has_looked = self.looks && !before.is_compared;
                return Ok(());
            }
            LockCall::Open if before.has_looked => {
                calls.has_looked = false;
                Stage::Looked
            }
            // A file that was compared and is opened again was not at the path.
            LockCall::Open if before.is_compared => {
                *calls = Calls::default();
                Stage::Vanished
            }
            LockCall::Open => return Ok(()),
            LockCall::Flock => {
                calls.is_locked = true;
                if before.is_compared {
                    Stage::Compared
                } else {
                    Stage::Opened
                }
            }
            LockCall::Compare => {
                calls.is_compared = true;
                if before.is_locked {
                    Stage::Flocked
                } else {
                    Stage::Opened
                }
            }
        };
        self.pending = Some(Until::Stage(stage));
        self.position += 1;
        self.wait()
    }

    /// How the step that is under way will end, if it will be let go to its end.
    pub(crate) fn expected(&self) -> Option<Outcome> {
        match self.script.get(self.position)?.until {
            Until::End(outcome) => Some(outcome),
            Until::Stage(_) => None,
        }
    }

    /// Sorts entries by the first mention of a path at or below each among the steps to come; those that none mentions last, by name.
    pub(crate) fn sort(&self, directory: &Path, entries: &mut [Entry]) {
        if entries.len() < 2 {
            return;
        }
        let Ok(directory) = directory.strip_prefix(&self.store) else {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            return;
        };
        let to_come = self.script.get(self.position..).unwrap_or_default();
        let mention = |entry: &Entry| {
            let path = directory.join(&entry.name);
            to_come
                .iter()
                .position(|s| {
                    argument(&s.label).is_some_and(|arg| Path::new(arg).starts_with(&path))
                })
                .unwrap_or(usize::MAX)
        };
        entries.sort_by_cached_key(|entry| (mention(entry), entry.name.clone()));
    }
}

/// The argument of a printed label.
fn argument(label: &str) -> Option<&str> {
    label.split_once('(')?.1.strip_suffix(')')
}

/// How much of an append a full tmpfs takes.
pub fn cut_length(bytes: &[u8], cut: Cut) -> usize {
    match cut {
        Cut::Nothing => 0,
        Cut::MidLine => {
            let last_slash = bytes.iter().rposition(|&byte| byte == b'/');
            last_slash.map_or(0, |at| (at + 1 + 3).min(bytes.len()))
        }
        Cut::NoNewline => bytes.len().saturating_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_write_ends_where_its_cut_says() {
        let lines = b"/s/vm/100/T/a.fidx\n/s/vm/100/T/drive.fidx\n";
        assert_eq!(cut_length(lines, Cut::Nothing), 0);
        assert!(lines[..cut_length(lines, Cut::MidLine)].ends_with(b"/T/dri"));
        assert!(lines[..cut_length(lines, Cut::NoNewline)].ends_with(b"/drive.fidx"));
    }

    #[test]
    fn the_argument_of_a_label_is_what_its_parentheses_hold() {
        assert_eq!(argument("gc.list_groups(ns/a)"), Some("ns/a"));
        assert_eq!(argument("gc.lock_store"), None);
    }
}
