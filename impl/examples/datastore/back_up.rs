//! Backing files up, and restoring one.

use crate::Opened;
use crate::ended::{Ended, unless_busy};
use crate::names::{GroupArgs, SnapshotArgs};
use clap::Args;
use datastore::beside::restore::{self, RestoreError};
use datastore::error::At;
use datastore::ops::backup::{self, BackupError};
use datastore::sys::{Access, CreateMode};
use datastore::{BackupTime, LinuxSys, Owner, Sys};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Size of the chunks that files are cut into, in bytes.
const CHUNK_SIZE: usize = 4 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct Backup {
    /// The group is created if need be; its namespace exists
    #[command(flatten)]
    group: GroupArgs,
    /// The files: one that ends in .img becomes an image of chunks of one size, any other an
    /// archive
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who makes the backup, and to whom the group belongs
    #[arg(long, default_value = "root@pam", value_name = "USER@REALM", value_parser = Owner::new)]
    user: Owner,
    /// Time of the snapshot, as in 2026-07-14T06:33:20Z [default: now]
    #[arg(long, value_parser = BackupTime::parse)]
    time: Option<BackupTime>,
}

impl Backup {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        let archives: Result<_, Ended> = self.files.iter().map(|f| archive(&cx.sys, f)).collect();
        let settings = backup::Settings {
            group: self.group.group(),
            owner: self.user,
            time: match self.time {
                Some(time) => time,
                None => BackupTime::from_epoch((cx.sys.now() / 1_000_000_000).try_into()?)?,
            },
            archives: archives?,
            client_has_left: &|| false,
        };
        let report = backup::run(cx, store, &settings);
        let report = unless_busy(report, BackupError::is_busy)?;
        writeln!(out, "{}", report.snapshot)?;
        let (sent, reused) = (report.upload, report.reused_chunks);
        writeln!(
            out,
            "chunks sent     {:>12}  {:>16} bytes",
            sent.count, sent.size
        )?;
        writeln!(out, "already there   {:>12}", sent.duplicates)?;
        writeln!(out, "chunks reused   {reused:>12}")?;
        Ok(())
    }
}

/// A file, cut into chunks, under the name that its index file gets.
fn archive(sys: &LinuxSys, path: &Path) -> Result<backup::Archive, Ended> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Ended::Usage(format!(
            "{} has no name that an archive could get",
            path.display()
        ))
    })?;
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

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    snapshot: SnapshotArgs,
    /// The archive, by the name of the file that was backed up or that of its index file
    archive: String,
    /// The file that it is written to, which is not there yet
    target: PathBuf,
}

impl Restore {
    pub(crate) fn run(self, opened: &Opened, out: &mut impl Write) -> Result<(), Ended> {
        let Opened { cx, store } = opened;
        let private = CreateMode {
            mode: 0o600,
            owner: None,
        };
        let file = cx.sys.create(&self.target, private);
        let mut file = BufWriter::new(file.at("create", &self.target)?);
        let restored = self.restore(opened, &mut file);
        if restored.is_err() {
            // Half of an archive would be taken for all of it.
            let unlinked = cx.sys.unlink(&self.target).at("unlink", &self.target);
            if let Err(error) = unlinked {
                crate::ended::remark(&format!("half of the archive is left: {error}"));
            }
        }
        let size = unless_busy(restored, RestoreError::is_busy)?;
        let base = store.layout().base().display();
        writeln!(out, "{size} bytes of {} restored from {base}", self.archive)?;
        Ok(())
    }

    fn restore(&self, opened: &Opened, file: &mut impl Write) -> Result<u64, RestoreError> {
        let names = ["", ".fidx", ".didx"].map(|end| format!("{}{end}", self.archive));
        let mut first = None;
        for file_name in names {
            let settings = restore::Settings {
                snapshot: self.snapshot.snapshot(),
                file: file_name,
            };
            match restore::run(&opened.cx, &opened.store, &settings, file) {
                Err(error @ RestoreError::NoArchive { .. }) => {
                    first.get_or_insert(error);
                }
                result => return result,
            }
        }
        first.map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn message_says_what_was_tried_and_why_it_failed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk.img");
        let Err(Ended::Failed(message)) = archive(&LinuxSys, &path) else {
            panic!("there is no such file");
        };
        let expected = format!("cannot open {}: No such file", path.display());
        assert!(message.starts_with(&expected), "{message}");
    }
}
