//! A small command line for a datastore, with a command for every operation of this package.

mod back_up;
mod ended;
mod look;
mod names;
mod pieces;
mod remove;
mod upkeep;

use clap::{Parser, Subcommand};
use datastore::{Cx, Datastore, LinuxSys, Prefixes};
use ended::{Ended, Output, remark};
use names::Store;
use specs::Design;
use std::io::{self, Write};
use std::process::ExitCode;

/// Works on a backup datastore with the locks and formats of Proxmox Backup.
///
/// Exit code 0: done. 1: it failed, and the message says why. 2: the command line is wrong. 4:
/// somebody else holds a lock, so that a later attempt can succeed.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    store: Store,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new, empty datastore
    Create,
    /// Make a namespace in one that is there
    CreateNamespace(upkeep::CreateNamespace),
    /// Back up files to a new snapshot of a group
    Backup(back_up::Backup),
    /// Restore an archive of a snapshot to a file
    Restore(back_up::Restore),
    /// List namespaces, groups and snapshots
    List(look::List),
    /// List namespaces only, by the names that options take
    Namespaces,
    /// Read every chunk of a group, or of all groups, and set corrupt ones aside
    Verify(look::Verify),
    /// Collect garbage: mark what index files name, remove old chunks that nobody names
    Gc(upkeep::Gc),
    /// Move a group to another namespace
    MoveGroup(upkeep::MoveGroup),
    /// Show the notes of a snapshot, or change them
    Notes(look::Notes),
    /// Change the owner of a group
    SetOwner(upkeep::SetOwner),
    /// Protect a snapshot from removal
    Protect(remove::Protect),
    /// End the protection of a snapshot
    Unprotect(remove::Protect),
    /// Remove a snapshot, and its group if that is empty then
    Forget(remove::Forget),
    /// Remove the snapshots of a group that no option keeps; without an option all are kept
    Prune(remove::Prune),
    /// Remove a namespace with all groups and namespaces in it; what is protected stays
    DeleteNamespace(remove::DeleteNamespace),
    /// Take the lock of a group or a snapshot call by call, and let it go
    TakeLock(pieces::TakeLock),
    /// Take the lock of a namespace and those above it, and let them go
    TakeNamespaceLock(pieces::TakeNamespaceLock),
    /// Touch, insert, sweep or set aside one chunk
    AccessChunk(pieces::AccessChunk),
}

/// An open datastore, and what its operations run with.
struct Opened {
    cx: Cx<LinuxSys>,
    store: Datastore<LinuxSys>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::new(io::stdout().lock());
    let ended = run(cli, &mut out).and_then(|()| Ok(out.flush()?));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(ended) => {
            // What was found comes before the verdict on it.
            out.flush().unwrap_or_default();
            let (kind, message, code) = ended.verdict();
            remark(&format!("{kind}: {message}"));
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli, out: &mut impl Write) -> Result<(), Ended> {
    let cx = Cx {
        sys: LinuxSys,
        design: Design::HARDENED,
    };
    let config = cli.store.config()?;
    if let Command::Create = cli.command {
        Datastore::create(&cx.sys, config, Prefixes::All)?;
        return Ok(());
    }
    let store = Datastore::open(&cx.sys, config)?;
    let opened = &Opened { cx, store };
    match cli.command {
        Command::Create => Ok(()),
        Command::CreateNamespace(command) => command.run(opened),
        Command::Backup(command) => command.run(opened, out),
        Command::Restore(command) => command.run(opened, out),
        Command::List(command) => command.run(opened, out),
        Command::Namespaces => look::namespaces(opened, out),
        Command::Verify(command) => command.run(opened, out),
        Command::Gc(command) => command.run(opened, out),
        Command::MoveGroup(command) => command.run(opened, out),
        Command::Notes(command) => command.run(opened, out),
        Command::SetOwner(command) => command.run(opened),
        Command::Protect(command) => command.on(opened, out),
        Command::Unprotect(command) => command.off(opened, out),
        Command::Forget(command) => command.run(opened, out),
        Command::Prune(command) => command.run(opened, out),
        Command::DeleteNamespace(command) => command.run(opened, out),
        Command::TakeLock(command) => command.run(opened),
        Command::TakeNamespaceLock(command) => command.run(opened),
        Command::AccessChunk(command) => command.run(opened, out),
    }
}

#[cfg(test)]
mod tests;
