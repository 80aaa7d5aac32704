//! What is in a datastore: lists, notes, and whether all of it can be read.

use crate::Opened;
use crate::ended::{Ended, unless_busy};
use crate::names::{self, SnapshotArgs};
use clap::Args;
use datastore::error::CallError;
use datastore::ops::set_notes::{self, SetNotesError};
use datastore::ops::verify::{self, VerifyError};
use datastore::sys::Entry;
use datastore::{Group, Namespace, listing, manifest};
use std::io::Write;
use std::path::Path;

#[derive(Args)]
pub(crate) struct List {
    /// Namespace whose content is listed, with those in it; all if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    namespace: Namespace,
}

impl List {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        for namespace in subtree(opened, &self.namespace)? {
            writeln!(out, "{namespace}")?;
            for group in groups(opened, &namespace)? {
                writeln!(out, "{group}")?;
                let path = opened.store.layout().path(&group);
                for time in listing::snapshot_times(&read(opened, &path)?) {
                    writeln!(out, "{}", group.snapshot(time))?;
                }
            }
        }
        Ok(())
    }
}

/// Lists all namespaces, the root namespace first.
pub(crate) fn namespaces(opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
    for namespace in subtree(opened, &Namespace::ROOT)? {
        if namespace == Namespace::ROOT {
            writeln!(out, "(the root namespace)")?;
        } else {
            writeln!(out, "{}", namespace.name())?;
        }
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct Verify {
    /// The group, as in vm/100; all groups of the namespace and of those in it if left out
    #[arg(value_parser = names::group)]
    group: Option<Group>,
    /// Namespace of the group; the root namespace if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    namespace: Namespace,
}

impl Verify {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let one = self.group.map(|g| g.in_namespace(self.namespace.clone()));
        let mut groups = Vec::new();
        match &one {
            Some(group) => groups.push(group.clone()),
            None => {
                for namespace in subtree(opened, &self.namespace)? {
                    groups.extend(self::groups(opened, &namespace)?);
                }
            }
        }
        let mut worst = Ok(());
        for group in groups {
            let settings = verify::Settings { group };
            let verified = verify::run(&opened.cx, &opened.store, &settings);
            let group = settings.group;
            match &verified {
                Ok(report) if report.is_group_gone && one.is_some() => {
                    return Err(Ended::Failed(format!("there is no group {group}")));
                }
                Ok(report) => writeln!(
                    out,
                    "{group}: {} snapshots verified, {} busy, {} gone, {} chunks read",
                    report.verified, report.busy, report.vanished, report.chunks
                )?,
                Err(VerifyError::Failed(report)) => writeln!(
                    out,
                    "{group}: {} snapshots verified, {} bad, {} chunks set aside",
                    report.verified,
                    report.failures.len(),
                    report.set_aside.len()
                )?,
                Err(VerifyError::Aborted { .. }) => writeln!(out, "{group}: not verified")?,
            }
            worst = worse(worst, unless_busy(verified.map(drop), VerifyError::is_busy));
        }
        worst
    }
}

/// The verdict on two jobs: what failed counts more than what was busy, and no message is lost.
fn worse(one: Result<(), Ended>, other: Result<(), Ended>) -> Result<(), Ended> {
    match (one, other) {
        (Ok(()), other) => other,
        (one, Ok(())) => one,
        (Err(Ended::Busy(one)), Err(Ended::Busy(other))) => {
            Err(Ended::Busy(format!("{one}\n{other}")))
        }
        (
            Err(Ended::Failed(one) | Ended::Usage(one) | Ended::Busy(one)),
            Err(Ended::Failed(other) | Ended::Usage(other) | Ended::Busy(other)),
        ) => Err(Ended::Failed(format!("{one}\n{other}"))),
    }
}

#[derive(Args)]
pub(crate) struct Notes {
    #[command(flatten)]
    snapshot: SnapshotArgs,
    /// The new notes; empty ones remove those that are there
    #[arg(long, value_name = "TEXT")]
    set: Option<String>,
}

impl Notes {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        let snapshot = self.snapshot.snapshot();
        if let Some(notes) = self.set {
            let settings = set_notes::Settings { snapshot, notes };
            let changed = set_notes::run(cx, store, &settings);
            return unless_busy(changed, SetNotesError::is_busy);
        }
        let path = store.layout().manifest(&snapshot);
        match manifest::read(&cx.sys, &path) {
            Err(manifest::ManifestError::Call(error)) if error.is_not_found() => Err(
                Ended::Failed(format!("there is no finished snapshot {snapshot}")),
            ),
            manifest => {
                if let Some(notes) = manifest?.notes() {
                    writeln!(out, "{notes}")?;
                }
                Ok(())
            }
        }
    }
}

/// A namespace and those in it, each before those in it.
fn subtree(opened: &Opened, top: &Namespace) -> Result<Vec<Namespace>, Ended> {
    let path = opened.store.layout().path(top);
    opened.store.refuse_links(&opened.cx.sys, &path)?;
    if let Err(error) = read(opened, &path) {
        if error.is_not_found() {
            let name = top.name();
            return Err(Ended::Failed(format!("there is no namespace {name}")));
        }
        return Err(error.into());
    }
    let mut found = Vec::new();
    let mut next = vec![top.clone()];
    while let Some(namespace) = next.pop() {
        let children = match read(opened, &opened.store.layout().children(&namespace)) {
            Err(error) if error.is_not_found() => Vec::new(),
            children => children?,
        };
        let names = listing::child_directories(&children);
        let mut children: Vec<_> = names
            .filter_map(|name| namespace.child(name).ok())
            .collect();
        children.sort_unstable();
        next.extend(children.into_iter().rev());
        found.push(namespace);
    }
    Ok(found)
}

/// The groups of a namespace.
fn groups(opened: &Opened, namespace: &Namespace) -> Result<Vec<Group>, Ended> {
    let path = opened.store.layout().path(namespace);
    let mut groups = Vec::new();
    for kind in listing::type_directories(&read(opened, &path)?) {
        let ids = read(opened, &path.join(kind.name()))?;
        let ids = listing::child_directories(&ids);
        groups.extend(ids.filter_map(|id| Group::new(namespace.clone(), kind, id).ok()));
    }
    groups.sort_unstable();
    Ok(groups)
}

fn read(opened: &Opened, path: &Path) -> Result<Vec<Entry>, CallError> {
    listing::list(&opened.cx.sys, path)
}
