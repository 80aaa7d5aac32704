//! What calls depend on: the objects of a machine, and who used which of them in an execution.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that two calls can have in common.
///
/// Inodes go by the path at which they were created, not by their number, which depends on the order of the calls.
/// Two inodes that were created at one path count as one object, which is one dependency too many and never one too few.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// Entries of a directory, or contents and times of a file.
    Inode(Arc<str>),
    /// The `flock`s on a file.
    Flock(Arc<str>),
    /// The record locks on a file.
    RecordLock(Arc<str>),
    /// The clock.
    Clock,
    /// Whether a process shuts down.
    Reload,
}

impl Object {
    /// Whether it can be waited for, or is asked for without waiting.
    pub(super) const fn is_lock(&self) -> bool {
        matches!(self, Self::Flock(_) | Self::RecordLock(_))
    }
}

/// What a call does with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It looks.
    Read,
    /// It changes something.
    Write,
}

/// Who used each object in an execution.
#[derive(Debug, Default)]
pub(super) struct Usage(BTreeMap<Object, Users>);

/// Numbers of threads, as bits.
#[derive(Debug, Default)]
struct Users {
    all: u8,
    writers: u8,
}

impl Usage {
    /// Notes what a thread did.
    pub(super) fn note(&mut self, thread: u8, object: Object, what: Use) {
        let users = self.0.entry(object).or_default();
        users.all |= 1 << thread;
        if what == Use::Write {
            users.writers |= 1 << thread;
        }
    }

    /// Objects that one thread changed and another one used.
    pub(super) fn contended(&self) -> BTreeSet<Object> {
        let is_contended = |users: &Users| users.writers != 0 && users.all.count_ones() > 1;
        let objects = self.0.iter().filter(|(_, users)| is_contended(users));
        objects.map(|(object, _)| object.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_alone_do_not_contend() {
        let mut usage = Usage::default();
        usage.note(0, Object::Clock, Use::Read);
        usage.note(1, Object::Clock, Use::Read);
        usage.note(1, Object::Reload, Use::Write);
        assert!(usage.contended().is_empty());
        usage.note(1, Object::Clock, Use::Write);
        assert_eq!(usage.contended(), BTreeSet::from([Object::Clock]));
    }
}
