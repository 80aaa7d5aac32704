//! `Projected`: a real tree and its locks as one value that a state of the model can be compared with.
//!
//! Sets of namespaces are bit masks: bit 0 is the root namespace, bit n the n-th of the scenario. Nothing here reads a
//! clock: a chunk is fresh or old by the virtual time of the trace.

use specs::design::LooksForFlag;
use specs::id::{Group, Namespace, Process, Snapshot};
use specs::scenario::{Flag, Generations, Scenario};
use specs::{Design, Id};

/// A set of namespaces.
pub type Namespaces = u8;

/// Everything that is compared after a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projected {
    /// The namespaces whose directory exists.
    pub namespaces: Namespaces,
    /// The namespaces in which the type directory exists.
    pub type_directories: Namespaces,
    /// The namespaces in which the directory of child namespaces exists.
    pub children_directories: Namespaces,
    /// For each snapshot, the namespaces in which its directory exists.
    pub snapshots: Vec<Namespaces>,
    /// For each index file, the namespaces in which it exists; the root namespace for a stray one.
    pub indexes: Vec<Namespaces>,
    /// For each index file, the namespaces in which it exists under its temporary name.
    pub temporaries: Vec<Namespaces>,
    /// For each snapshot, its manifest.
    pub manifests: Vec<Manifest>,
    /// For each snapshot, the namespaces in which the file that protects it exists.
    pub protected: Vec<Namespaces>,
    /// For each group, the namespaces in which its directory exists.
    pub groups: Vec<Namespaces>,
    /// For each group, the namespaces in which it has an owner file.
    pub owners: Vec<Namespaces>,
    /// What each owner file says: for each namespace, for each group.
    pub owner_names: Vec<OwnerFile>,
    /// For each group, the namespaces in which it has notes.
    pub notes: Vec<Namespaces>,
    /// The chunks.
    pub chunks: Vec<Chunk>,
    /// The bytes of the move journal, with absolute paths; none if there is no such file.
    pub journal: Option<Vec<u8>>,
    /// The lock files, in the order of [`Lock::all`].
    pub locks: Vec<LockState>,
    /// Flocks of the workers on files below the private directory that were never seen at the path of a lock.
    pub unknown_locks: u8,
    /// Whether the flag file is there; none in a scenario in which it never is.
    pub flag: Option<bool>,
    /// The processes that hold the process lock of the datastore, sorted.
    pub store_holders: Vec<StoreHolder>,
    /// The processes whose garbage-collection slot is occupied, as bits.
    pub gc_slots: u8,
    /// How operations have ended.
    pub ends: Ends,
}

/// How operations have ended, with a bit for each actor. One that was killed has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The actors whose operation has ended.
    pub ended: u8,
    /// Those of them whose operation has returned an error.
    pub failed: u8,
}

/// What an owner file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerFile {
    /// There is none.
    #[default]
    Missing,
    /// It is empty.
    Empty,
    /// One of the owners of a scenario, by its number in [`specs::scenario::OWNERS`].
    Owner(u8),
    /// Anything else.
    Unknown,
}

/// The manifest of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The namespaces in which there is one.
    pub namespaces: Namespaces,
    /// What it says; none if there is none, if it cannot be read, if it does not list the index files of its
    /// snapshot, or if two places disagree.
    pub says: Option<Says>,
}

/// What a manifest says beside the files of its snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Says {
    /// Whether it has the statistics of the upload.
    pub statistics: bool,
    /// What the last verification found.
    pub verified: Verified,
    /// Whether it has notes.
    pub notes: bool,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verified {
    /// There was none.
    #[default]
    Never,
    /// All was well.
    Ok,
    /// Something was missing or corrupt.
    Failed,
}

/// A chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Its file.
    pub file: ChunkFile,
    /// Whether the content of its file is another one than its name says.
    pub is_corrupt: bool,
    /// The files that were set aside as `.0.bad` and `.1.bad`.
    pub bad: [ChunkFile; 2],
}

/// A chunk file, by its access time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkFile {
    /// There is none.
    #[default]
    Missing,
    /// Its access time is before the cutoff of a run that would start now.
    Old,
    /// The same, and a backup was at work when the cutoff passed it, which may be older still.
    Middle,
    /// Its access time is not before the cutoff.
    Fresh,
    /// Its access time has changed, and is not that of the step in which it did.
    Untimely,
}

/// A lock that has a file in the lock directory, or is that of a directory of the datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// Of a namespace.
    Namespace(Namespace),
    /// Of a group.
    Group(Namespace, Group),
    /// Of a snapshot.
    Snapshot(Namespace, Snapshot),
    /// Of the manifest of a snapshot.
    Manifest(Namespace, Snapshot),
    /// Of the move journal.
    Journal,
    /// Of a group, by its directory.
    GroupDirectory(Namespace, Group),
    /// Of a snapshot, by its directory.
    SnapshotDirectory(Namespace, Snapshot),
    /// Of the manifest of a snapshot, at its path for a process that locks directories.
    OldManifest(Namespace, Snapshot),
}

/// A lock file and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockState {
    /// Which lock.
    pub lock: Lock,
    /// Whether a file or directory is at its path; that of a namespace counts as there until somebody makes it.
    pub has_file: bool,
    /// The holders, sorted; a process that holds two inodes is there twice.
    pub holders: Vec<Holder>,
}

/// A holder of a lock, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The process.
    pub process: Process,
    /// Whether the inode that it holds is the one at the path.
    pub is_at_path: bool,
    /// Whether it shares the lock.
    pub is_shared: bool,
}

/// A holder of the process lock, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreHolder {
    /// The process.
    pub process: Process,
    /// Whether it shares the lock with other processes.
    pub is_shared: bool,
}

impl Lock {
    /// The locks of a scenario under a design, in the order in which they are projected. Those of the old generation are
    /// among them if an actor could take one.
    pub fn all(scenario: &Scenario, design: Design) -> Vec<Self> {
        let mut all = Vec::new();
        for namespace in scenario.all_namespaces() {
            all.push(Self::Namespace(namespace));
            all.extend(scenario.all_groups().map(|g| Self::Group(namespace, g)));
            all.extend(
                scenario
                    .all_snapshots()
                    .map(|s| Self::Snapshot(namespace, s)),
            );
            all.extend(
                scenario
                    .all_snapshots()
                    .map(|s| Self::Manifest(namespace, s)),
            );
        }
        all.push(Self::Journal);
        if !may_lock_directories(scenario, design) {
            return all;
        }
        for n in scenario.all_namespaces() {
            all.extend(scenario.all_groups().map(|g| Self::GroupDirectory(n, g)));
            let snapshots = || scenario.all_snapshots();
            all.extend(snapshots().map(|s| Self::SnapshotDirectory(n, s)));
            all.extend(snapshots().map(|s| Self::OldManifest(n, s)));
        }
        all
    }

    /// Whether it is that of a directory of the datastore.
    pub const fn is_directory(self) -> bool {
        matches!(self, Self::GroupDirectory(..) | Self::SnapshotDirectory(..))
    }

    /// The lock that a process takes in its place if it locks directories; none if it is the same.
    pub const fn by_directory(self) -> Option<Self> {
        match self {
            Self::Group(n, g) => Some(Self::GroupDirectory(n, g)),
            Self::Snapshot(n, s) => Some(Self::SnapshotDirectory(n, s)),
            Self::Manifest(n, s) => Some(Self::OldManifest(n, s)),
            Self::Namespace(_)
            | Self::Journal
            | Self::GroupDirectory(..)
            | Self::SnapshotDirectory(..)
            | Self::OldManifest(..) => None,
        }
    }

    /// Its file, relative to the lock directory of the datastore; its directory, relative to the datastore.
    pub fn path(self, scenario: &Scenario) -> String {
        let beside = |namespace: Namespace, name: String| match namespace.0 {
            0 => name,
            n => {
                let components = scenario.namespaces[usize::from(n) - 1];
                format!("{}/{name}", components.replace('/', ":"))
            }
        };
        let in_namespace = |namespace: Namespace, raw: String| beside(namespace, escape(&raw));
        // In the root namespace the directory of a group or snapshot is its name.
        let name = |id| scenario.path(id);
        let root = Namespace(0);
        match self {
            Self::Namespace(namespace) => beside(namespace, ".ns-lock".to_owned()),
            Self::Group(namespace, g) => in_namespace(namespace, name(Id::Group(root, g))),
            Self::Snapshot(namespace, s) => in_namespace(namespace, name(Id::Snapshot(root, s))),
            Self::Manifest(namespace, s) => in_namespace(
                namespace,
                format!("{}/.index.json.lck", name(Id::Snapshot(root, s))),
            ),
            Self::Journal => "move-journal".to_owned(),
            Self::GroupDirectory(namespace, g) => name(Id::Group(namespace, g)),
            Self::SnapshotDirectory(namespace, s) => name(Id::Snapshot(namespace, s)),
            Self::OldManifest(namespace, s) => {
                let directory = name(Id::Snapshot(namespace, s));
                let time = scenario.snapshots[usize::from(s.0)].time;
                format!("{directory}/{time}.index.json.lck")
            }
        }
    }

    /// As it is printed in a difference.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Namespace(n) => format!("namespace {}", n.0),
            Self::Group(n, g) => format!("group {} in namespace {}", g.0, n.0),
            Self::Snapshot(n, s) => format!("snapshot {} in namespace {}", s.0, n.0),
            Self::Manifest(n, s) => format!("manifest of snapshot {} in namespace {}", s.0, n.0),
            Self::Journal => "move journal".to_owned(),
            Self::GroupDirectory(n, g) => {
                format!("directory of group {} in namespace {}", g.0, n.0)
            }
            Self::SnapshotDirectory(n, s) => {
                format!("directory of snapshot {} in namespace {}", s.0, n.0)
            }
            Self::OldManifest(n, s) => {
                format!(
                    "manifest of snapshot {} in namespace {}, old path",
                    s.0, n.0
                )
            }
        }
    }
}

/// Whether an actor could lock a directory.
fn may_lock_directories(scenario: &Scenario, design: Design) -> bool {
    let Generations { old, flag } = scenario.generations;
    let is_flag_seen = flag != Flag::Absent && design.flag() != LooksForFlag::Never;
    let is_old = |(process, _): &(Process, _)| old.contains(process);
    design.locks_directories() || is_flag_seen || scenario.actors.iter().any(is_old)
}

/// The encoding of a path as one file name, for the characters that scenarios use.
fn escape(raw: &str) -> String {
    let mut name = String::new();
    for character in raw.chars() {
        match character {
            '/' => name.push('-'),
            '-' => name.push_str("\\x2d"),
            ':' => name.push_str("\\x3a"),
            other => name.push(other),
        }
    }
    name
}

impl Projected {
    /// The fields, by the names that a difference gives them.
    pub const FIELDS: &'static [&'static str] = &[
        "namespaces",
        "type_directories",
        "children_directories",
        "snapshots",
        "indexes",
        "temporaries",
        "manifests",
        "manifest_contents",
        "protected",
        "groups",
        "owners",
        "owner_names",
        "notes",
        "chunks",
        "corrupt_chunks",
        "bad_chunks",
        "journal",
        "lock_files",
        "lock_holders",
        "lock_modes",
        "unknown_locks",
        "flag",
        "store_holders",
        "store_modes",
        "gc_slots",
        "ended",
        "failed",
    ];

    /// Number of single values that a comparison looks at.
    pub fn values(&self) -> usize {
        let masks: usize = self.masks().iter().map(|(_, masks)| masks.len()).sum();
        // A manifest is there and says something; a chunk has a file, its content, and two files set aside; a lock
        // has a file and holders with their modes. The flag file where there may be one. Journal, unknown locks, holders of the process lock with their
        // modes, slots, actors that have ended and failed; three kinds of directories of namespaces.
        masks
            + self.owner_names.len()
            + 2 * self.manifests.len()
            + 4 * self.chunks.len()
            + 3 * self.locks.len()
            + usize::from(self.flag.is_some())
            + 10
    }

    /// The directories of namespaces, by the names of their fields.
    pub(crate) const fn directories(&self) -> [(&'static str, Namespaces); 3] {
        [
            ("namespaces", self.namespaces),
            ("type_directories", self.type_directories),
            ("children_directories", self.children_directories),
        ]
    }

    /// The fields that are sets of namespaces for each of some things, by their names.
    pub(crate) fn masks(&self) -> [(&'static str, &Vec<Namespaces>); 7] {
        [
            ("snapshots", &self.snapshots),
            ("indexes", &self.indexes),
            ("temporaries", &self.temporaries),
            ("protected", &self.protected),
            ("groups", &self.groups),
            ("owners", &self.owners),
            ("notes", &self.notes),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_paths_are_those_of_proxmox_backup() {
        let scenario = Scenario::named("one_move_meets_gc").unwrap();
        let path = |lock: Lock| lock.path(scenario);
        assert_eq!(path(Lock::Group(Namespace(0), Group(0))), "vm-100");
        assert_eq!(
            path(Lock::Snapshot(Namespace(2), Snapshot(0))),
            "b/vm-100-2026\\x2d07\\x2d14T04\\x3a33\\x3a20Z"
        );
        assert_eq!(
            path(Lock::Manifest(Namespace(1), Snapshot(0))),
            "a/vm-100-2026\\x2d07\\x2d14T04\\x3a33\\x3a20Z-.index.json.lck"
        );
        assert_eq!(
            path(Lock::OldManifest(Namespace(1), Snapshot(0))),
            "ns/a/vm/100/2026-07-14T04:33:20Z/2026-07-14T04:33:20Z.index.json.lck"
        );
    }

    #[test]
    fn locks_of_nested_namespaces_lie_in_one_directory_each() {
        let scenario = Scenario::named("takers_of_nested_namespaces").unwrap();
        let path = |lock: Lock| lock.path(scenario);
        assert_eq!(path(Lock::Namespace(Namespace(0))), ".ns-lock");
        assert_eq!(path(Lock::Namespace(Namespace(3))), "a:b:c/.ns-lock");
        assert_eq!(path(Lock::Group(Namespace(2), Group(0))), "a:b/vm-100");
        assert_eq!(
            path(Lock::GroupDirectory(Namespace(2), Group(0))),
            "ns/a/ns/b/vm/100"
        );
    }
}
