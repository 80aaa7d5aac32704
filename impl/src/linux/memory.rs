//! What a process remembers until it ends: what it has claimed, and what it found at its first looks for files. The kernel
//! knows neither.

use super::LinuxSys;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file or directory that this process has claimed.
#[derive(Debug)]
pub struct Claim(u64, u64);

impl Claim {
    /// Claims a file by device and inode; none if it is claimed.
    pub(super) fn new(dev: u64, ino: u64) -> Option<Self> {
        // Only a claim that was made may be dropped.
        let is_new = claims().insert((dev, ino));
        is_new.then(|| Self(dev, ino))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        claims().remove(&(self.0, self.1));
    }
}

/// Everything that this process has claimed, by device and inode.
fn claims() -> MutexGuard<'static, BTreeSet<(u64, u64)>> {
    static CLAIMS: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What this process found at its first looks, by the path of the file.
pub(super) fn first_looks() -> MutexGuard<'static, BTreeMap<PathBuf, bool>> {
    static FIRST_LOOKS: Mutex<BTreeMap<PathBuf, bool>> = Mutex::new(BTreeMap::new());
    FIRST_LOOKS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LinuxSys {
    /// Forgets what this process found at its first look for a file: for whoever plays one process after the other in a
    /// single one.
    pub fn forget_first_look(path: &Path) {
        first_looks().remove(path);
    }
}
