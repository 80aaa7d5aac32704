//! `LockNotes`: which lock an actor of a real run is given while it has which other ones.
//!
//! Files are told apart by their paths, mutexes by the type of what they guard. What a lock that is counted in memory
//! is about, its program says itself (`Sys::holds`). No step table and no model is asked.

use crate::lock_order::{Edge, Node, Taking};
use crate::lock_place::Roots;
use specs::lock_class::{Mode, Wait};
use specs::{LockClass, Step};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What one actor has and was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockNotes {
    roots: Roots,
    step: Option<Step<()>>,
    files: Vec<OpenFile>,
    /// Mutexes that are locked, by the number of their guard.
    mutexes: Vec<(u64, Node)>,
    counted: Vec<(LockClass, Mode)>,
    /// Number of the next file or guard.
    next: u64,
    known: BTreeSet<Taking>,
    new: Vec<Taking>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenFile {
    number: u64,
    path: PathBuf,
    lock: Option<Node>,
}

impl LockNotes {
    /// No notes yet; the roots say where lock files lie.
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            step: None,
            files: Vec::new(),
            mutexes: Vec::new(),
            counted: Vec::new(),
            next: 0,
            known: BTreeSet::new(),
            new: Vec::new(),
        }
    }

    /// What was noted for the first time since the last call.
    pub fn take_new(&mut self) -> Vec<Taking> {
        std::mem::take(&mut self.new)
    }

    /// A step begins, or none is under way any more.
    pub(crate) fn in_step(&mut self, step: Option<Step<()>>) {
        self.step = step;
    }

    /// A file is open; the number stands for it.
    pub(crate) fn opened(&mut self, path: &Path) -> u64 {
        self.next += 1;
        self.files.push(OpenFile {
            number: self.next,
            path: path.to_owned(),
            lock: None,
        });
        self.next
    }

    /// A file, or whatever lies below, has another path from now on.
    pub(crate) fn renamed(&mut self, old: &Path, new: &Path) {
        for file in &mut self.files {
            if let Ok(below) = file.path.strip_prefix(old) {
                file.path = if below.as_os_str().is_empty() {
                    new.to_owned()
                } else {
                    new.join(below)
                };
            }
        }
    }

    /// A file is closed, which lets its lock go.
    pub(crate) fn closed(&mut self, number: u64) {
        self.files.retain(|file| file.number != number);
    }

    /// The kernel has given the flock of a file.
    pub(crate) fn flocked(&mut self, number: u64, mode: Mode, wait: Wait) {
        let Some(at) = self.files.iter().position(|file| file.number == number) else {
            return;
        };
        // Whoever locks a file anew converts the lock that it has.
        self.files[at].lock = None;
        let path = &self.files[at].path;
        let node = match self.roots.class_of(path) {
            Some(class) => Node::Class(class, mode),
            None => Node::Other(format!("a file like {}", path.display())),
        };
        self.given(&node, wait);
        self.files[at].lock = Some(node);
    }

    /// A mutex is locked; the number stands for its guard. The type is that of what it guards.
    pub(crate) fn mutex_locked(&mut self, guarded: &str) -> u64 {
        self.next += 1;
        let node = mutex(guarded);
        self.given(&node, Wait::Forever);
        self.mutexes.push((self.next, node));
        self.next
    }

    /// A mutex is unlocked.
    pub(crate) fn mutex_unlocked(&mut self, number: u64) {
        self.mutexes.retain(|(known, _)| *known != number);
    }

    /// The actor has a lock that its process counts itself, or has it no more.
    pub(crate) fn holds(&mut self, class: LockClass, mode: Option<Mode>) {
        self.counted.retain(|(known, _)| *known != class);
        if let Some(mode) = mode {
            self.given(&Node::Class(class, mode), Wait::No);
            self.counted.push((class, mode));
        }
    }

    fn given(&mut self, taken: &Node, wait: Wait) {
        let files = self.files.iter().filter_map(|file| file.lock.clone());
        let mutexes = self.mutexes.iter().map(|(_, node)| node.clone());
        let counted = self
            .counted
            .iter()
            .map(|(class, mode)| Node::Class(*class, *mode));
        for held in files.chain(mutexes).chain(counted) {
            let edge = Edge {
                held,
                taken: taken.clone(),
                wait,
            };
            let taking = Taking {
                edge,
                step: self.step,
            };
            if self.known.insert(taking.clone()) {
                self.new.push(taking);
            }
        }
    }
}

/// The lock that a mutex is, by the type of what it guards.
fn mutex(guarded: &str) -> Node {
    match guarded {
        "()" => Node::Class(LockClass::ChunkStore, Mode::Exclusive),
        "alloc::vec::Vec<u8>" => Node::Class(LockClass::MoveJournal, Mode::Exclusive),
        _ => Node::Other(format!("mutex of {guarded}")),
    }
}
