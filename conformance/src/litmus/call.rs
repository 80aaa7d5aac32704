//! The calls of litmus tests.

use datastore::sys::Access;
use specs::lock_class::{Mode, Wait};

/// A name that a process gives to an open file.
pub type Fd = &'static str;
/// A path below the directory of the test.
pub type Name = &'static str;

/// A call, and whether what it comes to is part of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It must succeed, else the test is broken.
    Do(Call),
    /// What it comes to is seen under a name.
    See(&'static str, Call),
}

/// A call that both worlds have, or one that only Linux has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Creates a file that is not there yet, to read and to append.
    Create(Fd, Name),
    /// Opens a file to read and to append.
    Open(Fd, Name),
    /// Opens a file to read.
    OpenToRead(Fd, Name, Access),
    /// Closes it.
    Close(Fd),
    /// `flock`.
    Flock(Fd, Mode, Wait),
    /// Takes the record lock, or lets it go with none.
    Record(Fd, Option<Mode>),
    /// `fstat` and `stat`: `same` if the open file is at the path, else `other` or `gone`.
    Recheck(Fd, Name),
    /// `stat`: `there` or `gone`.
    Look(Name),
    /// `rename`.
    Rename(Name, Name),
    /// `renameat2` with `RENAME_NOREPLACE`.
    RenameNoReplace(Name, Name),
    /// `unlink`.
    Unlink(Name),
    /// `mkdir`.
    Mkdir(Name),
    /// `rmdir`.
    Rmdir(Name),
    /// Lists a directory: which of these names it has, or `none`.
    List(Name, &'static [&'static str]),
    /// Appends a letter so many times, in one write: `done`, `short` or `full`.
    Append(Fd, char, usize),
    /// Reads the file, each run of a letter as one letter, or `empty`.
    Letters(Fd),
    /// Reads the file: `whole` if every run of a letter is as long as so many of these appends, else `torn`.
    Runs(Fd, usize),
    /// `fstat`: the size in bytes.
    Size(Fd),
    /// `fstat`: `whole` if the size is a multiple of this, else `part`.
    Whole(Fd, u64),
    /// `ftruncate` to nothing.
    Truncate(Fd),
    /// `utimensat` of the access time.
    Touch(Name, Time),
    /// `stat` of the access time: one of those, or `now`.
    Atime(Name),
    /// Creates and removes a file so many times: `twice` if an inode number comes back, also that of an open file if
    /// one is named; else `once`.
    Churn(Name, u32, Option<Fd>),
    /// What only Linux has.
    Os(Os),
}

/// A call that needs a kernel with processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// `dup`: a new name for the same open file description.
    Dup(Fd, Fd),
    /// Takes close-on-exec away.
    Leak(Fd),
    /// `dup2`: the file is the standard input as well, which is never close-on-exec.
    ToInput(Fd),
    /// The standard input is nothing any more.
    CloseInput,
    /// A name for the standard input.
    FromInput(Fd),
    /// `fork` and `exec`: starts a process, with the standard input of this one.
    Start(usize),
    /// `kill` with SIGKILL, of a process that this one has started.
    Kill(usize),
    /// `waitpid`.
    Reap(usize),
    /// `kill` with SIGURG, which is ignored unless there is a handler.
    Signal(usize),
    /// One `flock` that waits, and is not tried again after a signal: `done` or `interrupted`.
    FlockOnce(Fd, Mode),
    /// `flock` with `LOCK_UN`: lets the lock of the open file description go, whoever took it.
    Unlock(Fd),
    /// `/proc/locks`: how many hold and how many wait for a lock on the file, as `1+0`.
    Table(Fd),
}

/// An access time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Long before any run, in the year 2001.
    Past,
    /// Long after any run, in the year 2096.
    Future,
}

impl Time {
    /// In nanoseconds since the epoch.
    pub(super) const fn ns(self) -> i128 {
        match self {
            Self::Past => 1_000_000_000_000_000_000,
            Self::Future => 4_000_000_000_000_000_000,
        }
    }

    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::Future => "future",
        }
    }
}

impl Step {
    /// The call.
    pub const fn call(&self) -> &Call {
        match self {
            Self::Do(call) | Self::See(_, call) => call,
        }
    }

    /// The name under which the result is seen.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Do(_) => None,
            Self::See(name, _) => Some(name),
        }
    }
}

impl Call {
    /// Whether it can wait for somebody else.
    pub const fn can_wait(&self) -> bool {
        matches!(
            self,
            Self::Flock(_, _, Wait::Forever | Wait::Seconds(_)) | Self::Os(Os::FlockOnce(..))
        )
    }

    /// The call, if only Linux has it.
    pub const fn os(&self) -> Option<Os> {
        if let Self::Os(os) = self {
            Some(*os)
        } else {
            None
        }
    }

    /// The process that it starts.
    pub const fn starts(&self) -> Option<usize> {
        if let Some(Os::Start(process)) = self.os() {
            Some(process)
        } else {
            None
        }
    }

    /// The process that it kills.
    pub const fn kills(&self) -> Option<usize> {
        if let Some(Os::Kill(process)) = self.os() {
            Some(process)
        } else {
            None
        }
    }
}

impl Os {
    /// What the machine in memory lacks for it.
    pub const fn lacking(self) -> &'static str {
        match self {
            Self::Dup(..) => "no dup",
            Self::Leak(_)
            | Self::ToInput(_)
            | Self::CloseInput
            | Self::FromInput(_)
            | Self::Start(_) => "no fork",
            Self::Kill(_) | Self::Reap(_) | Self::Signal(_) | Self::FlockOnce(..) => "no signals",
            Self::Unlock(_) => "no unlock but by closing",
            Self::Table(_) => "no /proc",
        }
    }
}
