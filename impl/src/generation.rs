//! `Generation`: whether a process locks groups and snapshots by lock files or by their directories.
//!
//! # Race fixed
//!
//! Before there were lock files, a group or a snapshot was locked by its directory. While a process of that version
//! still runs, one of the new version would not see its locks, nor be seen.
//!
//! # Protocol
//!
//! 1. Whoever installs the new version creates a flag file. It lies on a tmpfs, so that it is gone after a reboot, as
//!    every old process is.
//! 2. A process looks for it once, at its first lock of a group, a snapshot or a manifest. What it finds holds for all
//!    its locks, as long as it runs: in every datastore that it has open, and in one that it closes and opens again.
//! 3. If the flag file is there, it locks the directories themselves ([`crate::lock_file::lock_directory`]), and
//!    manifests by lock files at their old paths.
//!
//! > All processes that can run at one time take the same locks.
//!
//! A backup creates what it is going to lock, where that is a directory. So a process that has not decided also looks for
//! the flag file when it opens a datastore, and decides for directories at once if it is there: nobody removes it. One
//! that finds it only at its first lock tries to lock before it creates.
//!
//! Where it cannot be told whether there is a flag file, the lock is not obtained; Proxmox Backup panics there.
//!
//! Not covered: whoever removes the flag file by hand while an old process runs.

use crate::error::CallError;
use crate::group_directory::exists;
use crate::sys::Sys;
use specs::Design;
use specs::design::LooksForFlag;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The flag file of Proxmox Backup. Its package script creates it in an upgrade from a version without lock files.
pub const OLD_LOCKING: &str = "/run/proxmox-backup/old-locking";

/// How a process locks groups and snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generation {
    /// By lock files, or by their directories if this flag file is there.
    ByFlag(PathBuf),
    /// By their directories, as a process of a version before lock files.
    Directories,
    /// By lock files; no flag file is looked for. Only for lock directories that no other program uses.
    LockFiles,
}

/// The generation of a process, as a datastore knows it.
#[derive(Debug)]
pub(crate) struct Found {
    generation: Generation,
    /// Whether the process had decided for directories when the datastore was opened, or did so then.
    at_open: bool,
    /// What the process has decided, as far as this datastore has asked.
    at_first_lock: OnceLock<bool>,
}

impl Found {
    /// Looks for the flag file in advance. What cannot be told yet is an error at the first lock.
    pub(crate) fn at_open<S: Sys>(sys: &S, generation: Generation) -> Self {
        let at_open = match &generation {
            Generation::ByFlag(flag) => sys.first_look(flag).unwrap_or_else(|| {
                exists(sys, flag).unwrap_or(false) && sys.note_first_look(flag, true)
            }),
            Generation::Directories | Generation::LockFiles => false,
        };
        Self {
            generation,
            at_open,
            at_first_lock: OnceLock::new(),
        }
    }

    /// Whether the process has locked directories since it opened the datastore.
    pub(crate) fn always_locks_directories(&self, design: Design) -> bool {
        design.locks_directories()
            || match &self.generation {
                Generation::Directories => true,
                Generation::LockFiles => false,
                Generation::ByFlag(_) => self.at_open && design.flag() != LooksForFlag::Never,
            }
    }

    /// Whether the process locks directories, as far as is known without another look.
    pub(crate) fn locks_directories(&self, design: Design) -> bool {
        self.always_locks_directories(design)
            || design.flag() == LooksForFlag::AtFirstLock && self.at_first_lock.get() == Some(&true)
    }

    /// Whether the process locks directories, at a lock that it is about to take.
    pub(crate) fn look<S: Sys>(&self, sys: &S, design: Design) -> Result<bool, CallError> {
        if self.locks_directories(design) {
            return Ok(true);
        }
        let Some(flag) = self.flag() else {
            return Ok(false);
        };
        let is_there = || {
            exists(sys, flag).map_err(|error| CallError {
                action: "tell how groups are locked without the flag file",
                ..error
            })
        };
        match (design.flag(), self.at_first_lock.get()) {
            (LooksForFlag::Never, _) => Ok(false),
            (LooksForFlag::AtEveryLock, _) => is_there(),
            (LooksForFlag::AtFirstLock, Some(found)) => Ok(*found),
            (LooksForFlag::AtFirstLock, None) => {
                let found = match sys.first_look(flag) {
                    Some(found) => found,
                    None => sys.note_first_look(flag, is_there()?),
                };
                Ok(*self.at_first_lock.get_or_init(|| found))
            }
        }
    }

    /// The flag file that may make the process lock directories.
    pub(crate) fn flag(&self) -> Option<&Path> {
        match &self.generation {
            Generation::ByFlag(flag) => Some(flag),
            Generation::Directories | Generation::LockFiles => None,
        }
    }
}
