//! How a command line names a datastore, a namespace, a group and a snapshot.

use crate::ended::Ended;
use clap::Args;
use datastore::paths::InvalidName;
use datastore::{BackupTime, Config, Generation, Group, LOCKS, Layout, LockFileSystem, Namespace};
use datastore::{OLD_LOCKING, Snapshot, linux};
use std::path::PathBuf;

/// Which datastore, and how it is locked.
#[derive(Args)]
pub(crate) struct Store {
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
    #[arg(long, value_name = "UID:GID", value_parser = owner_ids)]
    owner: Option<(u32, u32)>,
}

impl Store {
    pub(crate) fn config(self) -> Result<Config, Ended> {
        Layout::new(&self.base, &self.locks, &self.name).map_err(Ended::usage)?;
        let owner = match self.owner {
            None if linux::is_root() => linux::backup_user().map_err(|error| {
                Ended::Failed(format!("cannot look up the user backup: {error}"))
            })?,
            owner => owner,
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

/// A group and the namespace that it lies in.
#[derive(Args)]
pub(crate) struct GroupArgs {
    /// The group, as in vm/100
    #[arg(value_parser = group)]
    group: Group,
    /// Namespace of the group; the root namespace if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    namespace: Namespace,
}

impl GroupArgs {
    pub(crate) fn group(&self) -> Group {
        self.group.in_namespace(self.namespace.clone())
    }
}

/// A snapshot and the namespace that its group lies in.
#[derive(Args)]
pub(crate) struct SnapshotArgs {
    /// The snapshot, as in vm/100/2026-07-14T06:33:20Z
    #[arg(value_parser = snapshot)]
    snapshot: Snapshot,
    /// Namespace of the group; the root namespace if left out
    #[arg(long, default_value = "", value_name = "NAMESPACE", value_parser = Namespace::new)]
    namespace: Namespace,
}

impl SnapshotArgs {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let group = self.snapshot.group().in_namespace(self.namespace.clone());
        group.snapshot(self.snapshot.time())
    }
}

/// A group of the root namespace.
pub(crate) fn group(name: &str) -> Result<Group, InvalidName> {
    Group::parse(Namespace::ROOT, name)
}

/// A snapshot of the root namespace.
pub(crate) fn snapshot(name: &str) -> Result<Snapshot, String> {
    let (group, time) = name
        .rsplit_once('/')
        .ok_or("it is not <group>/<time>, as in vm/100/2026-07-14T06:33:20Z")?;
    let group = self::group(group).map_err(|error| error.to_string())?;
    let time = BackupTime::parse(time).map_err(|error| error.to_string())?;
    Ok(group.snapshot(time))
}

fn owner_ids(owner: &str) -> Result<(u32, u32), String> {
    let number = |id: &str| {
        id.parse()
            .map_err(|error| format!("it is not UID:GID, since {id:?} is none: {error}"))
    };
    let (user, group) = owner
        .split_once(':')
        .ok_or("it is not UID:GID, since it has no colon")?;
    Ok((number(user)?, number(group)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn message_says_what_a_name_should_be() {
        for (owner, why) in [("34", "no colon"), ("34:x", "\"x\" is none: invalid digit")] {
            let message = owner_ids(owner).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
        assert_eq!(owner_ids("34:35").unwrap(), (34, 35));
        for (name, why) in [
            ("vm", "is not <group>/<time>"),
            ("vm/100", "is none of vm/<id>"),
            ("vm/100/now", "is no time"),
        ] {
            let message = snapshot(name).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
    }
}
