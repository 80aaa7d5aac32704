//! What keeps a datastore in order: collections, moves, owners, namespaces.

use crate::Opened;
use crate::ended::{Ended, unless_busy};
use crate::names::{self, GroupArgs};
use clap::Args;
use datastore::beside::create_namespace;
use datastore::ops::gc::{self, GcError, GcStatus};
use datastore::ops::move_group::{self, MoveError};
use datastore::ops::set_owner::{self, SetOwnerError};
use datastore::{Group, Namespace, Owner};
use std::io::{self, Write};
use std::time::Duration;

#[derive(Args)]
pub(crate) struct CreateNamespace {
    /// The namespace, as in a/b; what it lies in exists
    #[arg(value_parser = Namespace::new)]
    namespace: Namespace,
}

impl CreateNamespace {
    pub(crate) fn run(self, opened: &Opened) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        Ok(create_namespace::run(&cx.sys, store, &self.namespace)?)
    }
}

#[derive(Args)]
pub(crate) struct Gc {
    /// Keep chunks that were used within so many minutes
    #[arg(long, default_value_t = 1445, value_parser = clap::value_parser!(u32).range(1..=2880))]
    cutoff_minutes: u32,
}

impl Gc {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let settings = gc::Settings {
            cutoff: Duration::from_secs(60 * u64::from(self.cutoff_minutes)),
            ..gc::Settings::default()
        };
        let result = gc::run(&opened.cx, &opened.store, &settings);
        let status = match &result {
            Ok(status) => Some(*status),
            Err(GcError::NotSwept { status, .. }) => Some(**status),
            Err(_) => None,
        };
        if let Some(status) = &status {
            tell(status, out)?;
        }
        let result = unless_busy(result.map(drop), GcError::is_busy);
        match status.map_or(0, |status| status.missing_chunks) {
            0 => result,
            missing => {
                let missing = format!(
                    "{missing} chunks that index files name are missing; verify the datastore"
                );
                Err(Ended::Failed(match result {
                    Ok(()) => missing,
                    Err(Ended::Failed(also) | Ended::Usage(also) | Ended::Busy(also)) => {
                        format!("{missing}\n{also}")
                    }
                }))
            }
        }
    }
}

fn tell(status: &GcStatus, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "index files     {:>12}", status.index_file_count)?;
    for (what, count, bytes) in [
        ("chunks in use   ", status.disk_chunks, status.disk_bytes),
        (
            "chunks pending  ",
            status.pending_chunks,
            status.pending_bytes,
        ),
        (
            "chunks removed  ",
            status.removed_chunks,
            status.removed_bytes,
        ),
    ] {
        writeln!(out, "{what}{count:>12}  {bytes:>16} bytes")?;
    }
    writeln!(out, "corrupt, removed{:>12}", status.removed_bad)?;
    writeln!(out, "corrupt, kept   {:>12}", status.still_bad)?;
    for (what, count, bytes) in [
        (
            "torn, removed   ",
            status.removed_temporary,
            status.removed_temporary_bytes,
        ),
        (
            "torn, kept      ",
            status.still_temporary,
            status.still_temporary_bytes,
        ),
    ] {
        writeln!(out, "{what}{count:>12}  {bytes:>16} bytes")?;
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct MoveGroup {
    /// The group, as in vm/100
    #[arg(value_parser = names::group)]
    group: Group,
    /// Namespace that it is in, as in a/b; the root namespace if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    from: Namespace,
    /// Namespace that it goes to, which exists; the root namespace if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    to: Namespace,
    /// Merge into a group that is there already, if its owner is the same and its snapshots are
    /// older
    #[arg(long)]
    merge: bool,
}

impl MoveGroup {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let mut settings = move_group::Settings::new(self.group.in_namespace(self.from), self.to);
        if self.merge {
            settings.existing = move_group::Existing::Merge;
        }
        let moved = move_group::run(&opened.cx, &opened.store, &settings);
        let moved = unless_busy(moved, MoveError::is_busy)?;
        writeln!(out, "{} snapshots moved", moved.snapshots)?;
        if !moved.is_source_removed {
            writeln!(
                out,
                "the source group stays, since it has other snapshots now"
            )?;
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct SetOwner {
    #[command(flatten)]
    group: GroupArgs,
    /// The new owner, as in root@pam
    #[arg(value_parser = Owner::new)]
    owner: Owner,
}

impl SetOwner {
    pub(crate) fn run(self, opened: &Opened) -> Result<(), Ended> {
        let settings = set_owner::Settings {
            group: self.group.group(),
            owner: self.owner,
        };
        let changed = set_owner::run(&opened.cx, &opened.store, &settings);
        unless_busy(changed, SetOwnerError::is_busy)
    }
}
