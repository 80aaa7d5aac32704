//! Where a datastore lies: its one base directory and its one lock directory, whatever path a caller gives.
//!
//! # Race fixed
//!
//! Two processes use one datastore, and lock files in two directories: neither sees the locks of the other. Or a group lies
//! behind a symbolic link: whoever goes to its path finds it, and whoever lists its namespace does not, so that garbage
//! collection takes its chunks.
//!
//! # Protocol
//!
//! 1. Base and lock directory are taken by their real paths, without links and `..`, when the datastore is opened.
//! 2. Whoever opens the datastore first writes its lock directory into the file of the process lock, which lies in the base
//!    directory. Whoever finds another one there is refused. Proxmox Backup neither reads nor changes what that file holds.
//! 3. An operation that is told a namespace, group or snapshot refuses it if a symbolic link is on the way to it, and one that
//!    lists a directory refuses it if there is a link in it that leads to no file. Garbage collection lists all of them.
//!
//! > Everybody who uses a datastore takes the same lock files for it, and whoever finds a thing by its path finds it in the
//! > listings.
//!
//! A crash while the lock directory is written down leaves half a line: the next one is told to empty the file.
//!
//! Not covered: a lock directory that is another one under the same path, as in a container with a tmpfs of its own; a disk
//! that is mounted in the place of a group, and is not there when garbage collection runs; a link that somebody makes while an
//! operation is at work.

use crate::datastore::{LockFileSystem, OpenError};
use crate::error::{At, CallError};
use crate::sys::{Stat, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// The real path of a directory that may not be there yet, or not all of the directories that it lies in.
pub(crate) fn real_path<S: Sys>(sys: &S, path: &Path) -> Result<PathBuf, CallError> {
    for there in path.ancestors() {
        match sys.real_path(there) {
            Err(error) if is_no_directory(&error) => {}
            real => {
                let mut real = real.at("find", there)?;
                // Joined with an empty path it would end in a slash.
                real.extend(path.strip_prefix(there).unwrap_or(Path::new("")));
                return Ok(real);
            }
        }
    }
    Ok(path.to_owned())
}

/// The error of whoever meets a symbolic link in a datastore.
pub(crate) fn link_in_the_way(path: PathBuf) -> CallError {
    CallError {
        action: "use",
        path,
        source: io::Error::other(
            "it is a symbolic link, behind which nobody who lists a datastore looks; move what it leads to into its place, or mount it there",
        ),
    }
}

/// `stat` of a directory at a configured path, which may be a link to one: `/var/run` is, and `.chunks` where the chunks lie
/// on another disk. A link at the end of a path is not followed, so `/.` comes after it.
pub(crate) fn stat_directory<S: Sys>(sys: &S, path: &Path) -> io::Result<Stat> {
    sys.stat(&path.join("."))
}

/// Whether [`stat_directory`] found no directory.
pub(crate) fn is_no_directory(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Refuses a lock directory that cannot work, before anything is created in it.
pub(crate) fn check_lock_directory<S: Sys>(
    sys: &S,
    directory: &Path,
    allowed: LockFileSystem,
) -> Result<(), OpenError> {
    let refuse = |why: String, mend| {
        Err(OpenError::LockDirectory {
            directory: directory.to_owned(),
            why,
            mend,
        })
    };
    let unreachable =
        |error: io::Error| refuse(format!("cannot be reached: {error}"), "choose another one");
    if directory.as_os_str().as_encoded_bytes().contains(&b'\n') {
        return refuse(
            "has a line break in its path, and the datastore keeps that path as a line".to_owned(),
            "choose another one",
        );
    }
    // The directory itself, or the nearest one above it that is there.
    for existing in directory.ancestors() {
        match stat_directory(sys, existing) {
            Ok(_) => {}
            Err(error) if is_no_directory(&error) => match sys.stat(existing) {
                // A file, or a link that leads nowhere.
                Ok(_) => {
                    return refuse(
                        format!("cannot be: {} is no directory", existing.display()),
                        "remove that file, or choose another lock directory",
                    );
                }
                Err(error) if is_no_directory(&error) => continue,
                Err(error) => return unreachable(error),
            },
            Err(error) => return unreachable(error),
        }
        if allowed == LockFileSystem::Tmpfs && !sys.is_tmpfs(existing).at("statfs", existing)? {
            return refuse(
                format!("does not lie on a tmpfs ({} does not)", existing.display()),
                "mount one there, choose a directory on a tmpfs such as /run or /dev/shm, or allow other file systems",
            );
        }
        if let Err(error) = sys.can_write(existing) {
            return refuse(
                format!("cannot be written to ({}: {error})", existing.display()),
                "run as the user that owns it, change its owner, or choose another lock directory",
            );
        }
        return Ok(());
    }
    refuse(
        "has no existing parent directory".to_owned(),
        "choose another one",
    )
}
