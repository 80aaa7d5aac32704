//! `lockstep litmus-process`: one process of a litmus test, which does its part of a round when it is told.

use super::call::{Os, Step};
use super::os::{Started, no_input, perform};
use super::perform::Files;
use super::{Litmus, Place, Start};
use crate::wire::{self, Channel};
use anyhow::{Context as _, bail};
use datastore::LinuxSys;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::time::ClockId;
use nix::unistd::{Gid, Pid, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The first frame of a process: which one of the test it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Its number.
    pub process: usize,
    /// Its process id.
    pub pid: i32,
}

/// What a process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// A try begins, in this directory. The first process makes what is there at the start.
    Begin(PathBuf),
    /// Do your part of a round, not before this time on the monotonic clock, in nanoseconds.
    Round(usize, u64),
    /// The try is over: close everything.
    End,
}

/// What a process answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// What was seen, by name.
    Seen(Vec<(String, String)>),
    /// The machine refuses what the test needs, in a sentence.
    Refused(String),
    /// A call failed that the test takes for granted.
    Broken(String),
}

/// The arguments behind `lockstep litmus-process`.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// The name of the test.
    pub test: String,
    /// Which process of it.
    pub process: usize,
    /// The socket to talk on.
    pub socket: PathBuf,
}

/// How to allow mounts.
const ALLOW: &str = "run it as root, or allow user namespaces and mounts in them (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)";

/// The command on the command line.
pub const COMMAND: &str = "litmus-process";

impl Arguments {
    /// Reads them.
    pub fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let [test, process, socket] = arguments else {
            bail!("a process of a litmus test is started by lockstep litmus");
        };
        Ok(Self {
            test: test.clone(),
            process: process.parse().context("the process is no number")?,
            socket: socket.into(),
        })
    }

    /// The command that starts such a process.
    pub fn command(&self, lockstep: &Path) -> Command {
        let mut command = Command::new(lockstep);
        command
            .args([COMMAND, &self.test, &self.process.to_string()])
            .arg(&self.socket);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// Serves until whoever gives the orders hangs up.
pub fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let litmus = Litmus::named(&arguments.test)
        .with_context(|| format!("there is no litmus test {}", arguments.test))?;
    let mut channel = match Channel::connect(&arguments.socket) {
        Err(error) if wire::is_hang_up(&error) => return Ok(()),
        result => result?,
    };
    channel.send(&Hello {
        process: arguments.process,
        pid: Pid::this().as_raw(),
    })?;
    let mut process = Process {
        litmus,
        arguments: arguments.clone(),
        directory: PathBuf::new(),
        is_mounted: false,
        is_apart: false,
        files: Files::new(),
        started: BTreeMap::new(),
    };
    loop {
        let order = channel.receive();
        match order.and_then(|order| channel.send(&process.obey(order))) {
            Err(error) if wire::is_hang_up(&error) => return Ok(()),
            result => result?,
        }
    }
}

struct Process {
    litmus: &'static Litmus,
    arguments: Arguments,
    directory: PathBuf,
    is_mounted: bool,
    /// Whether it has mounts of its own.
    is_apart: bool,
    files: Files<File>,
    started: BTreeMap<usize, Started>,
}

impl Process {
    fn obey(&mut self, order: Order) -> Answer {
        let done = match order {
            Order::Begin(directory) => {
                self.directory = directory;
                match self.begin() {
                    Ok(answer) => return answer,
                    Err(error) => Err(error.to_string()),
                }
            }
            Order::Round(number, at_ns) => self.play(number, at_ns),
            Order::End => self
                .end()
                .map(|()| Vec::new())
                .map_err(|error| error.to_string()),
        };
        match done {
            Ok(seen) => Answer::Seen(seen),
            Err(broken) => Answer::Broken(format!("P{}: {broken}", self.arguments.process)),
        }
    }

    fn begin(&mut self) -> io::Result<Answer> {
        if self.arguments.process == 0 {
            if let Place::Mount(options) = self.litmus.place
                && let Err((what, errno)) = self.mount(options)
            {
                let why = errno.desc();
                return Ok(Answer::Refused(format!(
                    "{what} is refused ({why}); {ALLOW}"
                )));
            }
            for start in self.litmus.start {
                make(&self.directory, *start)?;
            }
        }
        Ok(Answer::Seen(Vec::new()))
    }

    /// Mounts a tmpfs on the directory, where nobody else sees it.
    fn mount(&mut self, options: &str) -> Result<(), (&'static str, Errno)> {
        if !self.is_apart {
            set_apart()?;
            self.is_apart = true;
        }
        let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let mut data = Vec::new();
        for option in options.split(',') {
            match option {
                "noatime" => flags |= MsFlags::MS_NOATIME,
                "relatime" => flags |= MsFlags::MS_RELATIME,
                "strictatime" => flags |= MsFlags::MS_STRICTATIME,
                other => data.push(other),
            }
        }
        let data = data.join(",");
        mount(
            Some("lockstep"),
            &self.directory,
            Some("tmpfs"),
            flags,
            Some(data.as_str()),
        )
        .map_err(|errno| ("a tmpfs of its own", errno))?;
        self.is_mounted = true;
        Ok(())
    }

    fn play(&mut self, number: usize, at_ns: u64) -> Result<Vec<(String, String)>, String> {
        let parts = self.litmus.rounds.get(number).copied().unwrap_or_default();
        let mine = parts
            .iter()
            .filter(|(process, _)| *process == self.arguments.process);
        let steps: Vec<Step> = mine.flat_map(|(_, steps)| *steps).copied().collect();
        let Self {
            directory,
            files,
            arguments,
            started,
            ..
        } = self;
        let mut os = |os: Os, files: &mut Files<File>| perform(os, files, arguments, started);
        let mut seen = Vec::new();
        wait_until(at_ns);
        for step in steps {
            seen.extend(step.perform(&LinuxSys, directory, files, &mut os)?);
        }
        Ok(seen)
    }

    fn end(&mut self) -> io::Result<()> {
        self.started.clear();
        self.files.clear();
        no_input()?;
        if std::mem::take(&mut self.is_mounted) {
            umount2(&self.directory, MntFlags::MNT_DETACH)?;
        }
        Ok(())
    }
}

/// A mount namespace of its own, and where that takes it, a user namespace.
fn set_apart() -> Result<(), (&'static str, Errno)> {
    let (user, group) = (Uid::effective(), Gid::effective());
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            .map_err(|errno| ("a user namespace with mounts of its own", errno))?;
        let write = |file: &str, text: String| {
            let path = Path::new("/proc/self").join(file);
            std::fs::write(path, text).map_err(|error| {
                (
                    "a map of users",
                    Errno::from_raw(error.raw_os_error().unwrap_or(0)),
                )
            })
        };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("{user} {user} 1"))?;
        write("gid_map", format!("{group} {group} 1"))?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(|errno| ("to keep mounts private", errno))
}

fn make(directory: &Path, start: Start) -> io::Result<()> {
    match start {
        Start::Directory(name) => std::fs::create_dir(directory.join(name)),
        Start::File(name) => File::create_new(directory.join(name)).map(drop),
        Start::Crowd(name, files) => {
            let crowd = directory.join(name);
            for number in 0..files {
                File::create_new(crowd.join(format!("{number:0200}")))?;
            }
            Ok(())
        }
    }
}

/// Turns in place, so that those who race begin within a microsecond of each other. The clock is one for the machine.
fn wait_until(at_ns: u64) {
    while at_ns > 0 && now_ns().is_ok_and(|now| now < at_ns) {
        std::hint::spin_loop();
    }
}

/// The monotonic clock in nanoseconds.
pub(super) fn now_ns() -> io::Result<u64> {
    let now = Duration::from(ClockId::CLOCK_MONOTONIC.now()?);
    u64::try_from(now.as_nanos()).map_err(io::Error::other)
}
