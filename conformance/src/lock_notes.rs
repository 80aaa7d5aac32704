//! `LockNotes`: which lock an actor of a real run asks for while it has which other ones.
//!
//! Whoever asks for the lock of a file and does not get it is noted like whoever does: it is the one that is kept waiting.
//! A mutex, and a lock that is counted in memory, is noted when it is given.
//!
//! Files are told apart by their paths, mutexes by the type of what they guard. What a lock that is counted in memory
//! is about, its program says itself (`Sys::holds`). No step table and no model is asked.

use crate::lock_order::{Edge, Node, Taking};
use crate::lock_place::Roots;
use specs::lock_class::{Mode, Wait};
use specs::{LockClass, Step};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What one actor has and has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockNotes {
    roots: Roots,
    step: Option<Step>,
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
    pub(crate) fn in_step(&mut self, step: Option<Step>) {
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

    /// The flock of a file was asked for, and given or not.
    pub(crate) fn flocked(&mut self, number: u64, mode: Mode, wait: Wait, is_given: bool) {
        let Some(at) = self.files.iter().position(|file| file.number == number) else {
            return;
        };
        // Whoever locks a file anew converts the lock that it has, and loses it if that is refused.
        self.files[at].lock = None;
        let path = &self.files[at].path;
        let node = match self.roots.class_of(path) {
            Some(class) => Node::Class(class, mode),
            None => Node::Other(format!("a file like {}", path.display())),
        };
        self.asked(&node, wait);
        self.files[at].lock = is_given.then_some(node);
    }

    /// A mutex is locked; the number stands for its guard. The type is that of what it guards.
    pub(crate) fn mutex_locked(&mut self, guarded: &str) -> u64 {
        self.next += 1;
        let node = mutex(guarded);
        self.asked(&node, Wait::Forever);
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
            self.asked(&Node::Class(class, mode), Wait::No);
            self.counted.push((class, mode));
        }
    }

    fn asked(&mut self, taken: &Node, wait: Wait) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_dir::SHM;
    use crate::recording_sys::{RecordingSys, SharedRecording};
    use crate::world::STORE_NAME;
    use datastore::sys::{CreateMode, Sys as _};
    use datastore::{Config, Datastore, Group, LinuxSys, Namespace};
    use datastore::{LockFileSystem, Prefixes};
    use specs::Design;

    /// The notes of what is done to a new datastore, as lines, those of steps and mutexes of the process lock left out.
    fn noted(
        act: impl FnOnce(&RecordingSys<LinuxSys>, &Datastore<RecordingSys<LinuxSys>>),
    ) -> Vec<String> {
        let private = tempfile::tempdir_in(SHM).unwrap();
        let config = Config {
            locks: private.path().join("locks"),
            lock_file_system: LockFileSystem::Tmpfs,
            ..Config::new(private.path().join("store"), STORE_NAME)
        };
        let recording = SharedRecording::of_locks(LockNotes::new(Roots {
            store: private.path().join("store"),
            locks: private.path().join("locks").join(STORE_NAME),
        }));
        let sys = RecordingSys::new(LinuxSys, recording.clone());
        let store = Datastore::create(&sys, config, Prefixes::Only(&[])).unwrap();
        act(&sys, &store);
        let takings = recording.take_new_locks();
        let edges = takings.iter().map(|taking| taking.edge.to_string());
        edges.filter(|edge| !edge.contains("mutex of")).collect()
    }

    fn group() -> Group {
        Group::parse(Namespace::new("a").unwrap(), "vm/100").unwrap()
    }

    #[test]
    fn whoever_has_a_group_and_a_process_lock_takes_the_journal_after_both() {
        let edges = noted(|sys, store| {
            let group = store.lock_group(sys, Design::HARDENED, &group()).unwrap();
            let share = store
                .process_lock()
                .lock_shared(sys, Design::HARDENED)
                .unwrap();
            let journal = store.lock_journal(sys, Design::HARDENED).unwrap();
            drop((journal, share, group));
        });
        assert_eq!(
            edges,
            [
                "group exclusive -> store shared: tries",
                "group exclusive -> move_journal exclusive: waits 10 s",
                "store shared -> move_journal exclusive: waits 10 s",
            ]
        );
    }

    #[test]
    fn whoever_is_refused_has_asked_and_holds_nothing_by_it() {
        let edges = noted(|sys, store| {
            let held = store.lock_group(sys, Design::HARDENED, &group()).unwrap();
            assert!(store.lock_group(sys, Design::HARDENED, &group()).is_err());
            drop(held);
            drop(store.lock_journal(sys, Design::HARDENED).unwrap());
        });
        assert_eq!(edges, ["group exclusive -> group exclusive: tries"]);
    }

    #[test]
    fn what_was_let_go_is_not_held() {
        let edges = noted(|sys, store| {
            drop(store.lock_group(sys, Design::HARDENED, &group()).unwrap());
            drop(
                store
                    .process_lock()
                    .lock_exclusive(sys, Design::HARDENED)
                    .unwrap(),
            );
            drop(store.chunks().lock(sys));
            drop(store.lock_gc_slot(sys).unwrap());
            drop(store.lock_journal(sys, Design::HARDENED).unwrap());
        });
        assert_eq!(edges, [""; 0]);
    }

    #[test]
    fn a_mutex_is_held_until_its_guard_is_dropped() {
        let edges = noted(|sys, store| {
            let slot = store.lock_gc_slot(sys).unwrap();
            let chunks = store.chunks().lock(sys);
            let journal = store.lock_journal(sys, Design::HARDENED).unwrap();
            drop((journal, chunks, slot));
        });
        assert_eq!(
            edges,
            [
                "gc_slot exclusive -> chunk_store exclusive: waits",
                "chunk_store exclusive -> move_journal exclusive: waits 10 s",
                "gc_slot exclusive -> move_journal exclusive: waits 10 s",
            ]
        );
    }

    #[test]
    fn a_file_that_is_no_known_lock_is_noted_as_what_it_is() {
        let edges = noted(|sys, store| {
            let group = store.lock_group(sys, Design::HARDENED, &group()).unwrap();
            let mode = CreateMode {
                mode: 0o600,
                owner: None,
            };
            let path = store.layout().base().join("stranger");
            let file = sys.create(&path, mode).unwrap();
            sys.flock(&file, Mode::Shared, Wait::No).unwrap();
            drop(group);
        });
        let [edge] = &edges[..] else {
            panic!("one edge is expected: {edges:?}");
        };
        assert!(
            edge.starts_with("group exclusive -> a file like "),
            "{edge}"
        );
        assert!(edge.ends_with("store/stranger: tries"), "{edge}");
    }
}
