//! `take_lock`: one lock file, taken in the three calls that elsewhere are one step.
//!
//! The protocol and what it protects from are those of [`crate::lock_file`]. This operation makes
//! every call a step of its own, so that everything that can happen between them is explored and
//! replayed. With directory locks, what is locked is a directory at the path of the lock.

use crate::datastore::Datastore;
use crate::error::{LockError, skip_not_found};
use crate::lock_file::{LockFile, LockGuard, unlink_not_held};
use crate::paths::Lockable;
use crate::step::Cx;
use crate::sys::Sys;
use specs::ToLabel as _;
use specs::design::Change;
use specs::lock_class::{Mode, Wait};
use specs::ops::take_lock::Step;

/// What is locked, and how.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// What the lock protects.
    pub lock: Lockable<'a>,
    /// Shared or exclusive.
    pub mode: Mode,
    /// Whether the lock file is unlinked before the lock is let go.
    pub removes: bool,
}

/// What is held.
struct Held<'a, S: Sys> {
    /// The open file, until the lock is known to be one.
    file: Option<LockFile<'a, S>>,
    lock: Option<LockGuard<'a, S>>,
}

/// Takes a lock and lets it go.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings<'_>,
) -> Result<(), LockError> {
    let mut held = Held {
        file: None,
        lock: None,
    };
    let result = take(cx, store, settings, &mut held);
    if result.is_err() {
        cx.step(Step::ReleaseAll, || drop(held));
    }
    result
}

fn take<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &Datastore<S>,
    settings: &Settings<'_>,
    held: &mut Held<'a, S>,
) -> Result<(), LockError> {
    let path = store.layout().lock(settings.lock);
    let is_directory = cx.design.locks_directories();
    let file = cx.try_step(Step::OpenLockFile.of(&settings.lock), || {
        if is_directory {
            LockFile::open_or_make_directory(&cx.sys, &path, store.lock_files().owner)
        } else {
            LockFile::open_or_create(&cx.sys, path.clone(), store.lock_files())
        }
    })?;
    let file = held.file.insert(file);
    if cx.design.has(Change::RecheckBeforeFlock) {
        cx.try_step(Step::RecheckLockFile, || file.recheck())?;
        cx.try_step(Step::FlockLockFile, || file.flock(settings.mode, Wait::No))?;
    } else {
        cx.try_step(Step::FlockLockFile, || file.flock(settings.mode, Wait::No))?;
        if !is_directory {
            cx.try_step(Step::RecheckLockFile, || file.recheck())?;
        }
    }
    held.lock = held.file.take().map(LockFile::into_guard);

    if settings.removes && cx.design.has(Change::UnlinkAfterUnlock) {
        cx.step(Step::UnlockLockFile, || held.lock = None);
        cx.try_step(Step::UnlinkLockFile, || unlink_not_held(&cx.sys, &path))
            .or_else(skip_not_found)?;
        return Ok(());
    }
    if let (true, Some(lock)) = (settings.removes, &held.lock) {
        // In some designs somebody else can have removed the file before.
        cx.try_step(Step::UnlinkLockFile, || {
            if is_directory {
                lock.remove_directory()
            } else {
                lock.unlink()
            }
        })
        .or_else(skip_not_found)?;
    }
    cx.step(Step::UnlockLockFile, || held.lock = None);
    Ok(())
}
