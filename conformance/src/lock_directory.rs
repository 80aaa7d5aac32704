//! `LockDirectory`: which inode is at the path of each lock, by reading directories that stay open.
//!
//! A look-up of a name that is not there is the most expensive one on a tmpfs, which keeps no negative entries,
//! and most lock files are not there most of the time. A listing tells names and inodes of all that are.

use crate::projection::Lock;
use anyhow::Context as _;
use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use specs::scenario::Scenario;
use std::ffi::{CStr, CString};
use std::path::Path;

/// The lock directory of a datastore and the directories of namespaces below it.
#[derive(Debug)]
pub struct LockDirectory {
    top: Dir,
    files: Vec<NamedLock>,
    namespaces: Vec<NamespaceDirectory>,
}

#[derive(Debug)]
struct NamedLock {
    at: usize,
    name: CString,
}

#[derive(Debug)]
struct NamespaceDirectory {
    name: CString,
    /// As of the last listing of the directory above; 0 if it is not there.
    ino: u64,
    open: Option<(u64, Dir)>,
    files: Vec<NamedLock>,
}

const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

impl LockDirectory {
    /// Opens the lock directory of a datastore, for the locks in the order of [`Lock::all`]; those of the old generation
    /// lie elsewhere, and deeper.
    pub fn open(path: &Path, scenario: &Scenario, locks: &[Lock]) -> anyhow::Result<Self> {
        let top = Dir::open(path, FLAGS, Mode::empty())
            .with_context(|| format!("cannot open {}", path.display()))?;
        let mut files = Vec::new();
        let mut namespaces: Vec<NamespaceDirectory> = Vec::new();
        let is_here = |lock: &Lock| !lock.is_directory() && !matches!(lock, Lock::OldManifest(..));
        for (at, lock) in locks.iter().enumerate().filter(|(_, lock)| is_here(lock)) {
            let path = lock.path(scenario);
            let Some((namespace, name)) = path.split_once('/') else {
                files.push(NamedLock {
                    at,
                    name: CString::new(path)?,
                });
                continue;
            };
            let (namespace, name) = (CString::new(namespace)?, CString::new(name)?);
            let found = namespaces
                .iter_mut()
                .find(|directory| directory.name == namespace);
            match found {
                Some(directory) => directory.files.push(NamedLock { at, name }),
                None => namespaces.push(NamespaceDirectory {
                    name: namespace,
                    ino: 0,
                    open: None,
                    files: vec![NamedLock { at, name }],
                }),
            }
        }
        Ok(Self {
            top,
            files,
            namespaces,
        })
    }

    /// The directory itself, to open files in it.
    pub fn top(&self) -> &Dir {
        &self.top
    }

    /// Writes the inode at the path of each lock, 0 if there is none.
    pub fn list(&mut self, inodes: &mut [u64]) -> anyhow::Result<()> {
        inodes.fill(0);
        for directory in &mut self.namespaces {
            directory.ino = 0;
        }
        let namespaces = &mut self.namespaces;
        let files = &self.files;
        each_entry(&mut self.top, |name, ino| {
            match namespaces
                .iter_mut()
                .find(|directory| directory.name.as_c_str() == name)
            {
                Some(directory) => directory.ino = ino,
                None => note(files, inodes, name, ino),
            }
        })?;
        for directory in &mut self.namespaces {
            if directory.ino == 0 {
                directory.open = None;
                continue;
            }
            let open = match directory.open.take() {
                Some((ino, open)) if ino == directory.ino => open,
                Some(_) | None => {
                    Dir::openat(&self.top, directory.name.as_c_str(), FLAGS, Mode::empty())
                        .context("cannot open the lock directory of a namespace to look at it")?
                }
            };
            let (_, open) = directory.open.insert((directory.ino, open));
            each_entry(open, |name, ino| note(&directory.files, inodes, name, ino))?;
        }
        Ok(())
    }
}

fn each_entry(directory: &mut Dir, mut each: impl FnMut(&CStr, u64)) -> anyhow::Result<()> {
    for entry in directory.iter() {
        let entry = entry.context("cannot list a lock directory")?;
        each(entry.file_name(), entry.ino());
    }
    Ok(())
}

fn note(files: &[NamedLock], inodes: &mut [u64], name: &CStr, ino: u64) {
    if let Some(file) = files.iter().find(|file| file.name.as_c_str() == name) {
        inodes[file.at] = ino;
    }
}
