//! What removes snapshots and namespaces, and what keeps a snapshot from being removed.

use crate::Opened;
use crate::ended::{Ended, remark, unless_busy};
use crate::names::{GroupArgs, SnapshotArgs};
use clap::Args;
use datastore::beside::protect::{self, ProtectError, Protection};
use datastore::ops::delete_namespace::{self, DeleteError};
use datastore::ops::forget_snapshot::{self, ForgetError};
use datastore::ops::prune;
use datastore::{Namespace, Snapshot, Sys};
use std::io::Write;

#[derive(Args)]
pub(crate) struct Protect {
    #[command(flatten)]
    snapshot: SnapshotArgs,
}

impl Protect {
    pub(crate) fn on(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        self.change(opened, out, Protection::On, "it was protected before")
    }

    pub(crate) fn off(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        self.change(opened, out, Protection::Off, "it was not protected before")
    }

    fn change(
        &self,
        opened: &Opened,
        out: &mut impl Write,
        protection: Protection,
        nothing_new: &str,
    ) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        let changed = protect::run(cx, store, &self.snapshot.snapshot(), protection);
        if !unless_busy(changed, ProtectError::is_busy)? {
            writeln!(out, "{nothing_new}")?;
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Forget {
    #[command(flatten)]
    snapshot: SnapshotArgs,
}

impl Forget {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let settings = forget_snapshot::Settings {
            snapshot: self.snapshot.snapshot(),
        };
        let report = forget_snapshot::run(&opened.cx, &opened.store, &settings);
        let report = unless_busy(report, ForgetError::is_busy)?;
        if report.is_group_removed {
            writeln!(out, "the group was empty then, and is gone as well")?;
        }
        if let Some(problem) = report.problem {
            remark(&format!(
                "the snapshot is removed; what is left of it is not: {problem}"
            ));
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    keep: Keep,
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

impl Prune {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        let settings = prune::Settings {
            group: self.group.group(),
            keep: prune::KeepOptions {
                last: self.keep.keep_last,
                hourly: self.keep.keep_hourly,
                daily: self.keep.keep_daily,
                weekly: self.keep.keep_weekly,
                monthly: self.keep.keep_monthly,
                yearly: self.keep.keep_yearly,
            },
        };
        let report = prune::run(cx, store, &settings)?;
        if report.is_group_gone {
            return Err(Ended::Failed(format!(
                "there is no group {}",
                settings.group
            )));
        }
        if let Some(busy) = report.busy_namespace {
            return Err(Ended::Busy(busy.to_string()));
        }
        let now = cx.sys.now() / 1_000_000_000;
        let ahead = |snapshot: &Snapshot| {
            if i128::from(snapshot.time().epoch()) > now {
                "  (its time has not come: it counts as the newest)"
            } else {
                ""
            }
        };
        for (snapshot, mark) in &report.kept {
            let why = match mark {
                prune::Mark::Protected => "  (protected)",
                prune::Mark::Unfinished => "  (unfinished)",
                prune::Mark::Kept | prune::Mark::Goes => "",
            };
            writeln!(out, "kept     {snapshot}{why}{}", ahead(snapshot))?;
        }
        for (snapshot, why) in &report.skipped {
            writeln!(out, "skipped  {snapshot}: {why}")?;
        }
        for snapshot in &report.removed {
            writeln!(out, "removed  {snapshot}{}", ahead(snapshot))?;
        }
        for problem in &report.problems {
            remark(&format!("what is left of a removed snapshot: {problem}"));
        }
        let failed: Vec<String> = (report.failed.iter())
            .map(|(_, error)| error.to_string())
            .collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(Ended::Failed(failed.join("; "))),
        }
    }
}

#[derive(Args)]
pub(crate) struct DeleteNamespace {
    /// The namespace, as in a/b
    #[arg(value_parser = Namespace::new)]
    namespace: Namespace,
}

impl DeleteNamespace {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let settings = delete_namespace::Settings {
            namespace: self.namespace,
        };
        let report = delete_namespace::run(&opened.cx, &opened.store, &settings);
        let report = unless_busy(report, DeleteError::is_busy)?;
        if report.is_namespace_gone() {
            let name = settings.namespace.name();
            return Err(Ended::Failed(format!("there is no namespace {name}")));
        }
        for namespace in &report.removed {
            writeln!(out, "removed  {namespace}")?;
        }
        for snapshot in &report.protected {
            writeln!(out, "kept     {snapshot}  (protected)")?;
        }
        for problem in &report.problems {
            remark(&format!("what is left of a removed snapshot: {problem}"));
        }
        if report.kept.is_empty() {
            return Ok(());
        }
        let kept: Vec<String> = report.kept.iter().map(Namespace::to_string).collect();
        Err(Ended::Failed(format!(
            "{} stayed, since something is left there",
            kept.join(", ")
        )))
    }
}
