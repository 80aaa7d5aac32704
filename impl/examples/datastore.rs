//! A small command line for a datastore: back up, prune, collect garbage, move a group, list what is
//! in it.

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use datastore::error::At;
use datastore::ops::{backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_owner};
use datastore::paths::{BackupTime, Group, Namespace};
use datastore::sys::Access;
use datastore::{Config, Cx, Datastore, Generation, LOCKS, LinuxSys, LockFileSystem, OLD_LOCKING};
use datastore::{Owner, Prefixes, Sys};
use datastore::{linux, listing};
use specs::Design;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

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

#[derive(Args)]
struct Store {
    /// Base directory of the datastore
    #[arg(long, value_name = "DIR")]
    base: PathBuf,
    /// Name of the datastore, which is that of its lock directory
    #[arg(long)]
    name: String,
    /// Directory of the lock directories
    #[arg(long, value_name = "DIR", default_value = LOCKS)]
    locks: PathBuf,
    /// Flag file; if it is there, groups and snapshots are locked by their directories, as before there were lock files
    #[arg(long, value_name = "FILE", default_value = OLD_LOCKING)]
    old_locking: PathBuf,
    /// Allow a lock directory that is not on a tmpfs
    #[arg(long)]
    any_lock_file_system: bool,
    /// Owner of new files, as in 34:34 [default: the user "backup" for root, else whoever runs
    /// this]
    #[arg(long, value_name = "UID:GID")]
    owner: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new, empty datastore
    Create,
    /// Collect garbage: mark what index files name, remove old chunks that nobody names
    Gc {
        /// Keep chunks that were used within so many minutes
        #[arg(long, default_value_t = 1445, value_parser = clap::value_parser!(u32).range(1..=2880))]
        cutoff_minutes: u32,
    },
    /// Move a group to another namespace
    MoveGroup {
        /// The group, as in vm/100
        group: String,
        /// Namespace that it is in, as in a/b; the root namespace if left out
        #[arg(long, default_value = "", value_name = "NAMESPACE")]
        from: String,
        /// Namespace that it goes to, which exists; the root namespace if left out
        #[arg(long, default_value = "", value_name = "NAMESPACE")]
        to: String,
        /// Merge into a group that is there already, if its owner is the same and its snapshots are
        /// older
        #[arg(long)]
        merge: bool,
    },
    /// Back up files to a new snapshot of a group
    Backup {
        /// The group, as in vm/100; it is created if need be
        group: String,
        /// The files: one that ends in .img becomes an image of chunks of one size, any other an
        /// archive
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Namespace of the group, which exists; the root namespace if left out
        #[arg(long, default_value = "", value_name = "NAMESPACE")]
        namespace: String,
        /// Who makes the backup, and to whom the group belongs
        #[arg(long, default_value = "root@pam", value_name = "USER@REALM")]
        user: String,
        /// Time of the snapshot, as in 2026-07-14T06:33:20Z [default: now]
        #[arg(long)]
        time: Option<String>,
    },
    /// Change the owner of a group
    SetOwner {
        /// The group, as in vm/100
        group: String,
        /// The new owner, as in root@pam
        owner: String,
        /// Namespace of the group; the root namespace if left out
        #[arg(long, default_value = "", value_name = "NAMESPACE")]
        namespace: String,
    },
    /// Remove a namespace with all groups and namespaces in it; what is protected stays
    DeleteNamespace {
        /// The namespace, as in a/b
        namespace: String,
    },
    /// Remove a snapshot, and its group if that is empty then
    Forget {
        /// The snapshot, as in vm/100/2026-07-14T06:33:20Z
        snapshot: String,
        /// Namespace of the group; the root namespace if left out
        #[arg(long, default_value = "", value_name = "NAMESPACE")]
        namespace: String,
    },
    /// Remove the snapshots of a group that no option keeps; without an option all are kept
    Prune {
        /// The group, as in vm/100
        group: String,
        /// Namespace of the group; the root namespace if left out
        #[arg(long, default_value = "", value_name = "NAMESPACE")]
        namespace: String,
        #[command(flatten)]
        keep: Keep,
    },
    /// List namespaces, groups and snapshots
    List,
}

/// What stays. Hours, days, weeks, months and years are those of UTC.
#[derive(Args)]
struct Keep {
    /// Keep so many of the newest snapshots
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_last: Option<u64>,
    /// Keep the newest snapshot of each of so many hours
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_hourly: Option<u64>,
    /// Keep the newest snapshot of each of so many days
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_daily: Option<u64>,
    /// Keep the newest snapshot of each of so many weeks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_weekly: Option<u64>,
    /// Keep the newest snapshot of each of so many months
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_monthly: Option<u64>,
    /// Keep the newest snapshot of each of so many years
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_yearly: Option<u64>,
}

/// Size of the chunks that files are cut into, in bytes.
const CHUNK_SIZE: usize = 4 * 1024 * 1024;

/// The exit code for a lock that somebody else holds.
const BUSY: u8 = 4;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Each error is a whole sentence, with its cause in it; none is wrapped into another one here.
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn run(cli: Cli) -> Result<ExitCode> {
    let cx = Cx {
        sys: LinuxSys,
        design: Design::HARDENED,
    };
    let mut out = io::stdout().lock();
    let config = cli.store.config()?;
    if let Command::Create = cli.command {
        Datastore::create(&cx.sys, config, Prefixes::All)?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = Datastore::open(&cx.sys, config)?;
    match cli.command {
        Command::Create => {}
        Command::Gc { cutoff_minutes } => {
            let cutoff = Duration::from_secs(60 * u64::from(cutoff_minutes));
            let status = match gc::run(
                &cx,
                &store,
                &gc::Settings {
                    cutoff,
                    ..gc::Settings::default()
                },
            ) {
                Err(error) if error.is_busy() => return Ok(busy(&error)),
                result => result?,
            };
            writeln!(out, "index files     {:>12}", status.index_file_count)?;
            writeln!(
                out,
                "chunks in use   {:>12}  {:>16} bytes",
                status.disk_chunks, status.disk_bytes
            )?;
            writeln!(
                out,
                "chunks pending  {:>12}  {:>16} bytes",
                status.pending_chunks, status.pending_bytes
            )?;
            writeln!(
                out,
                "chunks removed  {:>12}  {:>16} bytes",
                status.removed_chunks, status.removed_bytes
            )?;
            writeln!(out, "corrupt, removed{:>12}", status.removed_bad)?;
            writeln!(out, "corrupt, kept   {:>12}", status.still_bad)?;
            if status.missing_chunks != 0 {
                bail!(
                    "{} chunks that index files name are missing; verify the datastore",
                    status.missing_chunks
                );
            }
        }
        Command::MoveGroup {
            group,
            from,
            to,
            merge,
        } => {
            let source = Group::parse(Namespace::new(&from)?, &group)?;
            let mut settings = move_group::Settings::new(source, Namespace::new(&to)?);
            if merge {
                settings.existing = move_group::Existing::Merge;
            }
            let moved = match move_group::run(&cx, &store, &settings) {
                Err(error @ move_group::MoveError::Soft { .. }) => return Ok(busy(&error)),
                result => result?,
            };
            writeln!(out, "{} snapshots moved", moved.snapshots)?;
            if !moved.is_source_removed {
                writeln!(
                    out,
                    "the source group stays, since it has other snapshots now"
                )?;
            }
        }
        Command::Backup {
            group,
            files,
            namespace,
            user,
            time,
        } => {
            let settings = backup::Settings {
                group: Group::parse(Namespace::new(&namespace)?, &group)?,
                owner: Owner::new(&user)?,
                time: match time {
                    Some(time) => BackupTime::parse(&time)?,
                    None => BackupTime::from_epoch((cx.sys.now() / 1_000_000_000).try_into()?)?,
                },
                archives: files
                    .iter()
                    .map(|file| archive(&cx.sys, file))
                    .collect::<Result<_>>()?,
                client_has_left: &|| false,
            };
            let report = match backup::run(&cx, &store, &settings) {
                Err(error) if error.is_busy() => return Ok(busy(&error)),
                result => result?,
            };
            writeln!(out, "{}", report.snapshot)?;
            let (sent, reused) = (report.upload, report.reused_chunks);
            writeln!(
                out,
                "chunks sent     {:>12}  {:>16} bytes",
                sent.count, sent.size
            )?;
            writeln!(out, "already there   {:>12}", sent.duplicates)?;
            writeln!(out, "chunks reused   {reused:>12}")?;
        }
        Command::SetOwner {
            group,
            owner,
            namespace,
        } => {
            let settings = set_owner::Settings {
                group: Group::parse(Namespace::new(&namespace)?, &group)?,
                owner: Owner::new(&owner)?,
            };
            match set_owner::run(&cx, &store, &settings) {
                Err(error) if error.is_busy() => return Ok(busy(&error)),
                result => result?,
            }
        }
        Command::DeleteNamespace { namespace } => {
            let settings = delete_namespace::Settings {
                namespace: Namespace::new(&namespace)?,
            };
            let report = match delete_namespace::run(&cx, &store, &settings) {
                Err(error) if error.is_busy() => return Ok(busy(&error)),
                result => result?,
            };
            for namespace in &report.removed {
                writeln!(out, "removed  {namespace}")?;
            }
            for snapshot in &report.protected {
                writeln!(out, "kept     {snapshot}  (protected)")?;
            }
            if !report.kept.is_empty() {
                let kept: Vec<String> = report.kept.iter().map(Namespace::to_string).collect();
                bail!("{} stayed, since something is left there", kept.join(", "));
            }
        }
        Command::Forget {
            snapshot,
            namespace,
        } => {
            let (group, time) = snapshot
                .rsplit_once('/')
                .with_context(|| format!("{snapshot} is not <group>/<time>"))?;
            let group = Group::parse(Namespace::new(&namespace)?, group)?;
            let snapshot = group.snapshot(BackupTime::parse(time)?);
            let settings = forget_snapshot::Settings { snapshot };
            let report = match forget_snapshot::run(&cx, &store, &settings) {
                Err(error) if error.is_busy() => return Ok(busy(&error)),
                result => result?,
            };
            if report.is_group_removed {
                writeln!(out, "the group was empty then, and is gone as well")?;
            }
        }
        Command::Prune {
            group,
            namespace,
            keep,
        } => {
            let settings = prune::Settings {
                group: Group::parse(Namespace::new(&namespace)?, &group)?,
                keep: prune::KeepOptions {
                    last: keep.keep_last,
                    hourly: keep.keep_hourly,
                    daily: keep.keep_daily,
                    weekly: keep.keep_weekly,
                    monthly: keep.keep_monthly,
                    yearly: keep.keep_yearly,
                },
            };
            let report = prune::run(&cx, &store, &settings)?;
            for (snapshot, mark) in &report.kept {
                let why = match mark {
                    prune::Mark::Protected => "  (protected)",
                    prune::Mark::Unfinished => "  (unfinished)",
                    prune::Mark::Kept | prune::Mark::Goes => "",
                };
                writeln!(out, "kept     {snapshot}{why}")?;
            }
            for (snapshot, why) in &report.skipped {
                writeln!(out, "skipped  {snapshot}: {why}")?;
            }
            for snapshot in &report.removed {
                writeln!(out, "removed  {snapshot}")?;
            }
        }
        Command::List => list(&mut out, &cx.sys, &store, &Namespace::ROOT)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A file, cut into chunks, under the name that its index file gets.
fn archive(sys: &LinuxSys, path: &Path) -> Result<backup::Archive> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} has no name to back up", path.display()))?;
    let file = sys.open(path, Access::Read).at("open", path)?;
    let content = sys.read(&file, 0).at("read", path)?;
    let extension = if name.ends_with(".img") {
        "fidx"
    } else {
        "didx"
    };
    Ok(backup::Archive {
        name: format!("{name}.{extension}"),
        chunks: content.chunks(CHUNK_SIZE).map(<[u8]>::to_vec).collect(),
    })
}

fn busy(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("Busy: {error}");
    ExitCode::from(BUSY)
}

impl Store {
    fn config(self) -> Result<Config> {
        let owner = match &self.owner {
            Some(owner) => Some(parse_owner(owner)?),
            None if linux::is_root() => linux::backup_user()
                .map_err(|error| anyhow!("cannot look up the user backup: {error}"))?,
            None => None,
        };
        let mut config = Config::new(self.base, self.name);
        config.locks = self.locks;
        config.generation = Generation::ByFlag(self.old_locking);
        config.owner = owner;
        if self.any_lock_file_system {
            config.lock_file_system = LockFileSystem::Any;
        }
        Ok(config)
    }
}

fn parse_owner(owner: &str) -> Result<(u32, u32)> {
    let number = |id: &str| {
        id.parse().map_err(|error| {
            anyhow!("--owner {owner} is not UID:GID, since {id:?} is none: {error}")
        })
    };
    let (user, group) = owner
        .split_once(':')
        .with_context(|| format!("--owner {owner} is not UID:GID, since it has no colon"))?;
    Ok((number(user)?, number(group)?))
}

fn list(
    out: &mut impl Write,
    sys: &LinuxSys,
    store: &Datastore<LinuxSys>,
    namespace: &Namespace,
) -> Result<()> {
    let path = store.layout().path(namespace);
    writeln!(out, "{namespace}")?;
    let read = |path: &Path| sys.read_dir(path).at("list", path);
    for kind in listing::type_directories(&read(&path)?) {
        for id in listing::child_directories(&read(&path.join(kind.name()))?) {
            let Ok(group) = Group::new(namespace.clone(), kind, id) else {
                continue;
            };
            writeln!(out, "{group}")?;
            for time in listing::snapshot_times(&read(&store.layout().path(&group))?) {
                writeln!(out, "{}", group.snapshot(time))?;
            }
        }
    }
    let children = match read(&path.join("ns")) {
        Err(error) if error.is_not_found() => return Ok(()),
        children => children?,
    };
    for name in listing::child_directories(&children) {
        if let Ok(child) = namespace.child(name) {
            list(out, sys, store, &child)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn prune_option_that_keeps_nothing_is_refused() {
        for option in ["last", "hourly", "daily", "weekly", "monthly", "yearly"] {
            let parse = |keep: &str| {
                let option = format!("--keep-{option}={keep}");
                let store = ["datastore", "--base", "/srv/store", "--name", "store"];
                Cli::try_parse_from(store.into_iter().chain(["prune", "vm/100", &option])).is_ok()
            };
            assert!(!parse("0"), "{option}");
            assert!(parse("1") && parse("18446744073709551615"), "{option}");
        }
    }

    #[test]
    fn message_says_what_was_tried_and_why_it_failed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk.img");
        let message = archive(&LinuxSys, &path).map(drop).unwrap_err().to_string();
        let expected = format!("cannot open {}: No such file", path.display());
        assert!(message.starts_with(&expected), "{message}");

        for (owner, why) in [("34", "no colon"), ("34:x", "\"x\" is none: invalid digit")] {
            let message = parse_owner(owner).unwrap_err().to_string();
            assert!(
                message.contains(owner) && message.contains(why),
                "{message}"
            );
        }
        assert_eq!(parse_owner("34:35").unwrap(), (34, 35));
    }
}
