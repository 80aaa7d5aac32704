//! The locks of the kernel: `flock`, which belongs to an open file, and the record lock, which belongs to a process.

use super::kernel::Kernel;
use super::object::{Object, Use};
use datastore::sys::FlockError;
use specs::lock_class::Mode;
use std::io;
use std::sync::Arc;

/// Whether a lock can stand beside one of somebody else.
const fn is_compatible(mine: Mode, theirs: Mode) -> bool {
    matches!((mine, theirs), (Mode::Shared, Mode::Shared))
}

impl Kernel {
    /// The object that a `flock` on this file depends on.
    pub(super) fn flock_object(&self, file: u64) -> io::Result<Object> {
        let inode = self.inode(self.file(file)?.inode);
        Ok(Object::Flock(Arc::clone(&inode.name)))
    }

    /// Lets a lock of another mode go, which is the first half of a conversion: the kernel drops it before it takes the
    /// new one, and somebody else may come between.
    pub(super) fn drop_for_conversion(&mut self, file: u64, mode: Mode) -> io::Result<()> {
        let inode = self.file(file)?.inode;
        if self
            .inode(inode)
            .flocks
            .get(&file)
            .is_some_and(|held| *held != mode)
        {
            self.release_flock(file, inode);
        }
        Ok(())
    }

    /// Takes a `flock` if nobody else holds one that excludes it.
    pub(super) fn try_flock(&mut self, file: u64, mode: Mode) -> Result<(), FlockError> {
        let inode = self.file(file)?.inode;
        let object = self.flock_object(file)?;
        self.used.push((object, Use::Write));
        let is_free = self
            .inode(inode)
            .flocks
            .iter()
            .all(|(other, theirs)| *other == file || is_compatible(mode, *theirs));
        if !is_free {
            return Err(FlockError::WouldBlock);
        }
        self.inode_mut(inode).flocks.insert(file, mode);
        Ok(())
    }

    /// Takes or releases the record lock of the process on the whole file.
    pub(super) fn record_lock(&mut self, file: u64, mode: Option<Mode>) -> Result<(), FlockError> {
        let open = self.file(file)?;
        let object = Object::RecordLock(Arc::clone(&self.inode(open.inode).name));
        self.used.push((object, Use::Write));
        let locks = &mut self.inode_mut(open.inode).record_locks;
        let Some(mode) = mode else {
            locks.remove(&open.process);
            return Ok(());
        };
        let is_free = locks
            .iter()
            .all(|(process, theirs)| *process == open.process || is_compatible(mode, *theirs));
        if !is_free {
            return Err(FlockError::WouldBlock);
        }
        locks.insert(open.process, mode);
        Ok(())
    }

    /// The record locks that processes have, in words.
    pub(super) fn record_locks(&self) -> Vec<String> {
        let locks = self.all_inodes().flat_map(|inode| {
            let locks = inode.record_locks.iter();
            locks.map(|(process, mode)| {
                let process = process.0;
                format!(
                    "the {mode:?} record lock of process {process} on {}",
                    inode.name
                )
            })
        });
        locks.collect()
    }

    /// Closes an open file. Its `flock` goes, and so does the record lock of the process on the file, through whichever
    /// open file it was taken.
    pub(super) fn close(&mut self, file: u64) {
        let Some(open) = self.files.remove(&file) else {
            return;
        };
        if self.inode(open.inode).flocks.contains_key(&file) {
            self.release_flock(file, open.inode);
        }
        if self
            .inode(open.inode)
            .record_locks
            .contains_key(&open.process)
        {
            let object = Object::RecordLock(Arc::clone(&self.inode(open.inode).name));
            self.used.push((object, Use::Write));
            self.inode_mut(open.inode)
                .record_locks
                .remove(&open.process);
        }
    }

    fn release_flock(&mut self, file: u64, inode: usize) {
        let object = Object::Flock(Arc::clone(&self.inode(inode).name));
        self.inode_mut(inode).flocks.remove(&file);
        self.used.push((object.clone(), Use::Write));
        self.released.push(object);
    }
}
