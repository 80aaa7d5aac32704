//! What happens: the action of the model, the record of a log and the element of a trace are this one type.

use crate::id::{Actor, Id, Process};
use crate::step::Label;
use serde::{Deserialize, Serialize};

/// How a step ended, as its own program would see it. Each outcome has a guard of its own in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The step did what its sentence says.
    Done,
    /// Somebody else holds the lock, and the step does not wait.
    WouldBlock,
    /// Somebody else held the lock for longer than the step waits.
    TimedOut,
    /// The lock was obtained on a file that is no longer at its path.
    Vanished,
    /// The file or directory is not there (`ENOENT`).
    NotFound,
    /// A component of the path is a file (`ENOTDIR`).
    NotDirectory,
    /// It is there already (`EEXIST`).
    Exists,
    /// The directory still has entries (`ENOTEMPTY`).
    NotEmpty,
    /// A precondition of the operation does not hold.
    Refused,
    /// The chunk stays: it was touched after the cutoff.
    Kept,
    /// The chunk was removed: nobody touched it after the cutoff.
    Removed,
    /// The chunk does not have the contents that its digest says.
    Corrupt,
    /// The operation stops before its end: its process shuts down, or its client has left.
    Stopped,
    /// The tmpfs is full (`ENOSPC`); a part of the buffer may have been written before.
    NoSpace(Cut),
}

/// Where a short write to the move journal ended; every line before the last one is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Not one byte was written.
    Nothing,
    /// The last line ends three bytes into its file name.
    MidLine,
    /// The last line lacks nothing but its newline.
    NoNewline,
}

/// How far a step has come that takes a lock file, where a scenario splits such steps into their calls. It has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The process has looked for the flag file, which it does once, and nothing is open yet.
    Looked,
    /// The lock file is open; if there was none, it was created.
    Opened,
    /// The open file is the one at the path, and is not locked yet: only a design that compares too early has this.
    Compared,
    /// The open file is locked, and is not compared yet.
    Flocked,
    /// The open file is no longer at the path, and was closed; the step goes on and opens what is there now.
    Vanished,
}

impl Stage {
    /// All stages, in the order in which they are offered.
    pub const ALL: [Self; 5] = [
        Self::Looked,
        Self::Opened,
        Self::Compared,
        Self::Flocked,
        Self::Vanished,
    ];

    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Looked => "looked",
            Self::Opened => "opened",
            Self::Compared => "compared",
            Self::Flocked => "flocked",
            Self::Vanished => "vanished",
        }
    }
}

/// One event: an actor's step with its outcome, or something that the environment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<A = Id> {
    /// An actor takes a step.
    Step {
        /// Who.
        actor: Actor,
        /// Which step, with its argument.
        label: Label<A>,
        /// How it ended.
        outcome: Outcome,
    },
    /// An actor gets so far within a step that goes on; see [`crate::Scenario::splits_locks`].
    Reached {
        /// Who.
        actor: Actor,
        /// Within which step, with its argument.
        label: Label<A>,
        /// How far.
        stage: Stage,
    },
    /// SIGKILL ends a process and all its actors; the kernel releases its locks.
    Killed {
        /// Which process.
        process: Process,
    },
    /// A process is reloaded: its successor starts, and it ends when its last task has ended.
    Reloaded {
        /// Which process.
        process: Process,
    },
    /// The package script creates the flag file: processes of the version before may still lock directories.
    FlagSet,
    /// So much time passes between two garbage collections that every chunk is older than the cutoff of the next.
    CutoffPassed,
}

impl<A> Event<A> {
    /// Applies `f` to the argument of the label.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Event<B> {
        match self {
            Self::Step {
                actor,
                label,
                outcome,
            } => Event::Step {
                actor,
                label: label.map(f),
                outcome,
            },
            Self::Reached {
                actor,
                label,
                stage,
            } => Event::Reached {
                actor,
                label: label.map(f),
                stage,
            },
            Self::Killed { process } => Event::Killed { process },
            Self::Reloaded { process } => Event::Reloaded { process },
            Self::FlagSet => Event::FlagSet,
            Self::CutoffPassed => Event::CutoffPassed,
        }
    }
}
