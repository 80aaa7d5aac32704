//! How a litmus test is printed: its calls, and its program with a column for each process; time goes down.

use super::call::{Call, Os, Step};
use super::{Litmus, Start};
use datastore::sys::Access;
use specs::lock_class::{Mode, Wait};
use std::fmt;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(call) => call.fmt(f),
            Self::See(name, call) => write!(f, "{name} = {call}"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(fd, name) => write!(f, "{fd}: create {name}"),
            Self::Open(fd, name) => write!(f, "{fd}: open {name}"),
            Self::OpenToRead(fd, name, Access::ReadNoAtime) => {
                write!(f, "{fd}: open {name}, O_NOATIME")
            }
            Self::OpenToRead(fd, name, Access::Read | Access::Directory | Access::ReadAppend) => {
                write!(f, "{fd}: open {name}")
            }
            Self::Close(fd) => write!(f, "close {fd}"),
            Self::Flock(fd, mode, wait) => write!(f, "flock {fd} {}{}", word(*mode), waits(*wait)),
            Self::Record(fd, Some(mode)) => write!(f, "record lock {fd} {}", word(*mode)),
            Self::Record(fd, None) => write!(f, "record unlock {fd}"),
            Self::Recheck(fd, name) => write!(f, "is {fd} at {name}"),
            Self::Look(name) => write!(f, "stat {name}"),
            Self::Rename(old, new) => write!(f, "rename {old} {new}"),
            Self::RenameNoReplace(old, new) => write!(f, "rename {old} {new}, NOREPLACE"),
            Self::Unlink(name) => write!(f, "unlink {name}"),
            Self::Mkdir(name) => write!(f, "mkdir {name}"),
            Self::Rmdir(name) => write!(f, "rmdir {name}"),
            Self::List(name, wanted) => write!(f, "list {name} for {}", wanted.join(", ")),
            Self::Append(fd, letter, 1) => write!(f, "append {letter} to {fd}"),
            Self::Append(fd, letter, times) => write!(f, "append {times} {letter} to {fd}"),
            Self::Letters(fd) => write!(f, "read {fd}"),
            Self::Runs(fd, length) => write!(f, "read {fd} in runs of {length}"),
            Self::Size(fd) => write!(f, "size of {fd}"),
            Self::Whole(fd, unit) => write!(f, "is size of {fd} n * {unit}"),
            Self::Truncate(fd) => write!(f, "truncate {fd}"),
            Self::Touch(name, time) => write!(f, "set atime of {name} to {}", time.word()),
            Self::Atime(name) => write!(f, "atime of {name}"),
            Self::Churn(name, times, _) => write!(f, "{times} times: create and unlink {name}"),
            Self::Os(os) => os.fmt(f),
        }
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dup(new, fd) => write!(f, "{new}: dup {fd}"),
            Self::Leak(fd) => write!(f, "{fd} survives exec"),
            Self::ToInput(fd) => write!(f, "standard input: dup {fd}"),
            Self::CloseInput => write!(f, "close standard input"),
            Self::FromInput(fd) => write!(f, "{fd}: dup standard input"),
            Self::Start(process) => write!(f, "fork and exec P{process}"),
            Self::Kill(process) => write!(f, "SIGKILL P{process}"),
            Self::Reap(process) => write!(f, "wait for the end of P{process}"),
            Self::Signal(process) => write!(f, "SIGURG P{process}"),
            Self::FlockOnce(fd, mode) => write!(f, "flock {fd} {}, once", word(*mode)),
            Self::Unlock(fd) => write!(f, "unlock {fd}"),
            Self::Table(fd) => write!(f, "/proc/locks of {fd}"),
        }
    }
}

const fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Shared => "shared",
        Mode::Exclusive => "exclusive",
    }
}

fn waits(wait: Wait) -> String {
    match wait {
        Wait::No => String::new(),
        Wait::Seconds(seconds) => format!(", waits {seconds} s"),
        Wait::Forever => ", waits".to_owned(),
    }
}

/// The start, the program with a column for each process and a rule between rounds, and the condition.
pub fn program(litmus: &Litmus) -> String {
    let columns = litmus.processes();
    let mut rows: Vec<Option<Vec<String>>> = Vec::new();
    for round in litmus.rounds {
        rows.push(None);
        let length = round
            .iter()
            .map(|(_, steps)| steps.len())
            .max()
            .unwrap_or(0);
        for line in 0..length {
            let mut cells = vec![String::new(); columns];
            for (process, steps) in *round {
                if let Some(step) = steps.get(line) {
                    cells[*process] = step.to_string();
                }
            }
            rows.push(Some(cells));
        }
    }
    let width = |column: usize| {
        let cells = rows.iter().flatten().map(|cells| cells[column].len());
        cells.max().unwrap_or(0).max(2)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("  {}", cells.join(" | ")).trim_end().to_owned() + "\n"
    };
    let heads: Vec<String> = (0..columns).map(|process| format!("P{process}")).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = format!("{}\n{}", start(litmus), line(&heads));
    for row in &rows {
        match row {
            None => text += &format!("  {}\n", rule.join("-+-")),
            Some(cells) => text += &line(cells),
        }
    }
    text + &format!("  condition: {}\n", litmus.condition_text())
}

fn start(litmus: &Litmus) -> String {
    let parts: Vec<String> = litmus
        .start
        .iter()
        .map(|start| match start {
            Start::Directory(name) => format!("{name}/"),
            Start::File(name) => (*name).to_owned(),
            Start::Crowd(name, files) => format!("{files} files in {name}/"),
        })
        .collect();
    if parts.is_empty() {
        format!("{} {{}}", litmus.name)
    } else {
        format!("{} {{ {} }}", litmus.name, parts.join(", "))
    }
}
