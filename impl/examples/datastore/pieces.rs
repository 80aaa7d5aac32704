//! The small operations: one lock, one chain of locks, one chunk. Each makes the calls that elsewhere are one step.

use crate::Opened;
use crate::ended::{Ended, unless_busy};
use crate::names;
use clap::{Args, ValueEnum};
use datastore::error::{At, LockError};
use datastore::index::Digest;
use datastore::ops::{access_chunk, take_lock, take_namespace_lock};
use datastore::sys::Access;
use datastore::{Group, Lockable, Namespace, Snapshot, Sys};
use specs::lock_class::Mode;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct TakeLock {
    /// The group, as in vm/100, or the snapshot, as in vm/100/2026-07-14T06:33:20Z
    #[arg(value_parser = named)]
    name: Named,
    /// Namespace of the group; the root namespace if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    namespace: Namespace,
    /// Take it beside others
    #[arg(long)]
    shared: bool,
    /// Unlink the lock file before the lock is let go
    #[arg(long, conflicts_with = "shared")]
    remove: bool,
}

#[derive(Clone)]
enum Named {
    Group(Group),
    Snapshot(Snapshot),
}

fn named(name: &str) -> Result<Named, String> {
    if name.matches('/').count() > 1 {
        return names::snapshot(name).map(Named::Snapshot);
    }
    let group = names::group(name).map_err(|error| error.to_string())?;
    Ok(Named::Group(group))
}

impl TakeLock {
    pub(crate) fn run(self, opened: &Opened) -> Result<(), Ended> {
        let name = match self.name {
            Named::Group(group) => Named::Group(group.in_namespace(self.namespace)),
            Named::Snapshot(snapshot) => {
                let group = snapshot.group().in_namespace(self.namespace);
                Named::Snapshot(group.snapshot(snapshot.time()))
            }
        };
        let settings = take_lock::Settings {
            lock: match &name {
                Named::Group(group) => Lockable::Group(group),
                Named::Snapshot(snapshot) => Lockable::Snapshot(snapshot),
            },
            mode: mode(self.shared),
            removes: self.remove,
        };
        let taken = take_lock::run(&opened.cx, &opened.store, &settings);
        unless_busy(taken, LockError::is_conflict)
    }
}

fn mode(is_shared: bool) -> Mode {
    if is_shared {
        Mode::Shared
    } else {
        Mode::Exclusive
    }
}

#[derive(Args)]
pub(crate) struct TakeNamespaceLock {
    /// The namespace, as in a/b
    #[arg(value_parser = Namespace::new)]
    namespace: Namespace,
    /// Take it beside others; those above it always are
    #[arg(long)]
    shared: bool,
}

impl TakeNamespaceLock {
    pub(crate) fn run(self, opened: &Opened) -> Result<(), Ended> {
        let settings = take_namespace_lock::Settings {
            first: (self.namespace, mode(self.shared)),
            second: None,
        };
        let taken = take_namespace_lock::run(&opened.cx, &opened.store, &settings);
        unless_busy(taken, LockError::is_conflict)
    }
}

#[derive(Args)]
pub(crate) struct AccessChunk {
    /// The digest of the chunk, 64 hex digits
    #[arg(value_parser = digest)]
    digest: Digest,
    /// What is done to it
    #[arg(value_enum)]
    access: Kind,
    /// The file with the data that an insert writes
    #[arg(long, value_name = "FILE", required_if_eq("access", "insert"))]
    data: Option<PathBuf>,
    /// A sweep removes the chunk if it was not used within so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 1445)]
    cutoff_minutes: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Touch,
    Insert,
    Sweep,
    SetAside,
}

fn digest(hex: &str) -> Result<Digest, &'static str> {
    Digest::parse(hex).ok_or("it is not 64 lower-case hex digits")
}

impl AccessChunk {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        let contents = match &self.data {
            Some(path) => {
                let file = cx.sys.open(path, Access::Read).at("open", path)?;
                cx.sys.read(&file, 0).at("read", path)?
            }
            None => Vec::new(),
        };
        let cutoff = Duration::from_secs(60 * u64::from(self.cutoff_minutes));
        let settings = access_chunk::Settings {
            digest: self.digest,
            contents,
            access: match self.access {
                Kind::Touch => access_chunk::Access::Touch,
                Kind::Insert => access_chunk::Access::Insert,
                Kind::Sweep => access_chunk::Access::Sweep,
                Kind::SetAside => access_chunk::Access::SetAside,
            },
            min_atime_ns: cx.sys.now() - i128::try_from(cutoff.as_nanos())?,
        };
        use access_chunk::Accessed;
        match access_chunk::run(cx, store, &settings)? {
            Accessed::Missing => return Err(Ended::Failed("there is no such chunk".to_owned())),
            Accessed::Touched => writeln!(out, "touched")?,
            Accessed::Written => writeln!(out, "written")?,
            Accessed::Kept => writeln!(out, "kept")?,
            Accessed::Removed => writeln!(out, "removed")?,
            Accessed::SetAside(path) => writeln!(out, "set aside as {}", path.display())?,
        }
        Ok(())
    }
}
