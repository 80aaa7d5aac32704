//! The calls of litmus tests that only Linux has: descriptors, processes, signals, and the table of locks.

use super::call::Os;
use super::perform::{DONE, Files};
use super::process::Arguments;
use crate::proc_locks::ProcLocks;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin};
use specs::lock_class::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Stdio};

/// A process that is killed and waited for when it is dropped.
#[derive(Debug)]
pub(super) struct Started(pub(super) Child);

impl Drop for Started {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// A call that only Linux has.
pub(super) fn perform(
    os: Os,
    files: &mut Files<File>,
    arguments: &Arguments,
    started: &mut BTreeMap<usize, Started>,
) -> io::Result<String> {
    match os {
        Os::Dup(new, fd) => drop(files.insert(new, open(files, fd)?.try_clone()?)),
        Os::ToInput(fd) => dup2_stdin(open(files, fd)?)?,
        Os::CloseInput => no_input()?,
        Os::FromInput(fd) => {
            let inherited = io::stdin().as_fd().try_clone_to_owned()?;
            drop(files.insert(fd, inherited.into()));
        }
        Os::Leak(fd) => drop(fcntl(open(files, fd)?, FcntlArg::F_SETFD(FdFlag::empty()))?),
        Os::Start(process) => {
            let arguments = Arguments {
                process,
                ..arguments.clone()
            };
            let mut command = arguments.command(&std::env::current_exe()?);
            command.stdin(Stdio::inherit());
            started.insert(process, Started(command.spawn()?));
        }
        Os::Kill(process) => child(started, process)?.kill()?,
        Os::Reap(process) => drop(child(started, process)?.wait()?),
        Os::Signal(process) => {
            let pid = i32::try_from(child(started, process)?.id()).map_err(io::Error::other)?;
            kill(Pid::from_raw(pid), Signal::SIGURG)?;
        }
        Os::FlockOnce(fd, Mode::Shared) => open(files, fd)?.lock_shared()?,
        Os::FlockOnce(fd, Mode::Exclusive) => open(files, fd)?.lock()?,
        Os::Unlock(fd) => open(files, fd)?.unlock()?,
        Os::Table(fd) => return table(open(files, fd)?),
    }
    Ok(DONE.to_owned())
}

fn child(started: &mut BTreeMap<usize, Started>, process: usize) -> io::Result<&mut Child> {
    let started = started.get_mut(&process).map(|started| &mut started.0);
    started.ok_or_else(|| io::Error::other(format!("P{process} was not started here")))
}

fn open<'a>(files: &'a Files<File>, fd: &str) -> io::Result<&'a File> {
    let file = files.get(fd);
    file.ok_or_else(|| io::Error::other(format!("no file {fd}")))
}

/// The standard input is nothing; a file that it was is closed.
pub(super) fn no_input() -> io::Result<()> {
    Ok(dup2_stdin(File::open("/dev/null")?)?)
}

/// How often the table is read: the kernel prints it page by page, and a line may slip from one page to another.
const LOOKS: u32 = 8;

/// How many hold and how many wait for a lock on a file. Nobody moves meanwhile, so that what one look misses another
/// one sees.
fn table(file: &File) -> io::Result<String> {
    let metadata = file.metadata()?;
    let mut table = ProcLocks::open(metadata.dev(), metadata.dev())?;
    let [mut holders, mut waiters] = [BTreeSet::new(), BTreeSet::new()];
    for _ in 0..LOOKS {
        table.read(|line| {
            if line.ino == metadata.ino() {
                let lines = if line.waits {
                    &mut waiters
                } else {
                    &mut holders
                };
                lines.insert((line.pid, line.is_record_lock));
            }
        })?;
    }
    Ok(format!("{}+{}", holders.len(), waiters.len()))
}
