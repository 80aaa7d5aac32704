//! A scenario: one question with small bounds. Start tree, actors and their processes, what the environment may do.

use crate::id::{Actor, Chunk, Group, Id, Index, Namespace, Process, Snapshot};
use crate::lock_class::Mode;
use crate::op::Op;
use crate::property::Property;
use serde::{Deserialize, Serialize};

/// Directory of the chunks of every scenario, which all share their first four hex digits.
pub const PREFIX: &str = ".chunks/5ca1";

/// Contents and SHA-256 of the chunks; the contents were searched for digests that begin with one prefix.
const CHUNKS: [(&str, &str); 4] = [
    (
        "chunk 0, try 43428\n",
        "5ca124474f2dcd11553db64411c4c76da12f65df6dd93bc0ee297bd93d66fd6d",
    ),
    (
        "chunk 1, try 18287\n",
        "5ca112db7be1bfff838e2534011642cb75c39eecdf8a4661d2ed5a6f0b8c2cbb",
    ),
    (
        "chunk 2, try 55355\n",
        "5ca1340bdddb08d2d8f9ce50b753dae2ff619cabf6647762eeb7802b51ac8954",
    ),
    (
        "chunk 3, try 50429\n",
        "5ca1595efc5fa09b56ac9c8426b81b2f2b958741be500f305c449b78a923f4f1",
    ),
];

/// The owners of a scenario: the one of every group at the start, who also makes the backups, and those that it is changed to.
pub const OWNERS: [&str; 3] = ["root@pam", "second@pbs", "third@pbs"];

/// One question, as a value that model, replay and kill runs share.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `<who>_<meets>_<who>`.
    pub name: &'static str,
    /// The question, in a sentence or two.
    pub question: &'static str,
    /// Namespaces below the root namespace, by their components (`a/b`), parents first, in the order of their ids from 1.
    pub namespaces: &'static [&'static str],
    /// Groups by type and id.
    pub groups: &'static [&'static str],
    /// Snapshots, oldest first within a group.
    pub snapshots: &'static [SnapshotAt],
    /// Index files, sorted by path at the start.
    pub indexes: &'static [IndexOf],
    /// Number of chunks; all are older than the cutoff at the start.
    pub chunks: u8,
    /// Groups that exist at the start without a snapshot.
    pub empty_groups: &'static [(Namespace, Group)],
    /// Snapshots that are protected, from the start and for good.
    pub protected: &'static [Snapshot],
    /// Chunks whose contents are not those of their digest at the start.
    pub corrupt: &'static [Chunk],
    /// Groups that have notes at the start.
    pub notes: &'static [(Namespace, Group)],
    /// Whether the journal starts with a line that no append wrote.
    pub foreign_line: bool,
    /// Names of the processes.
    pub processes: &'static [&'static str],
    /// The actors: in which process each runs, and what it does.
    pub actors: &'static [(Process, Task)],
    /// Of an actor and another one of its process: the second begins only when the first has ended, so a process does one
    /// task after another.
    pub sequels: &'static [(Actor, Actor)],
    /// How its processes lock groups and snapshots.
    pub generations: Generations,
    /// Whether a step that takes the file of a lock and compares it ([`crate::Step::compares_lock_file`]) is taken
    /// in its calls, so that others can come between them: open, flock, compare.
    pub splits_locks: bool,
    /// What the environment may do.
    pub environment: Environment,
    /// The limits that operations run under.
    pub limits: Limits,
    /// What it must put to the test. Every property of every state is asked as well, and is not red where nothing tests it.
    pub properties: &'static [Property],
    /// What lies outside its bounds, in a few words.
    pub outside: &'static str,
    /// Where it is run.
    pub runs: Runs,
}

/// A snapshot of the start tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAt {
    /// Its group.
    pub group: Group,
    /// Its backup time, RFC 3339 in UTC.
    pub time: &'static str,
    /// The namespace in which it starts, or is to be backed up to.
    pub namespace: Namespace,
    /// What there is of it at the start.
    pub start: Start,
}

/// What there is of a snapshot at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// All of it.
    Finished,
    /// Its directory and index files, and no manifest: a backup was interrupted.
    Unfinished,
    /// Nothing: a backup of the scenario makes it.
    Later,
}

/// An index file of the start tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOf {
    /// Its snapshot; none for one that lies in the base directory, outside the hierarchy.
    pub snapshot: Option<Snapshot>,
    /// File name; the extension says whether it is a fixed or a dynamic index.
    pub name: &'static str,
    /// The chunks that it names.
    pub chunks: &'static [Chunk],
}

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Garbage collection, so many runs one after the other.
    Gc {
        /// Number of runs.
        runs: u8,
    },
    /// Moves a group.
    MoveGroup {
        /// Which group.
        group: Group,
        /// From where.
        source: Namespace,
        /// To where.
        target: Namespace,
        /// Whether an existing target group is merged into.
        merge: bool,
    },
    /// Backs up to a new snapshot, whose index files and chunks the scenario lists.
    Backup {
        /// Which snapshot; its start is [`Start::Later`].
        snapshot: Snapshot,
    },
    /// Removes a snapshot.
    ForgetSnapshot {
        /// From where.
        namespace: Namespace,
        /// Which snapshot.
        snapshot: Snapshot,
    },
    /// Prunes a group.
    Prune {
        /// Where.
        namespace: Namespace,
        /// Which group.
        group: Group,
        /// How many of the newest finished snapshots are kept.
        keep_last: u8,
    },
    /// Verifies a group.
    Verify {
        /// Where.
        namespace: Namespace,
        /// Which group.
        group: Group,
    },
    /// Changes the notes of a snapshot.
    SetNotes {
        /// Where.
        namespace: Namespace,
        /// Which snapshot.
        snapshot: Snapshot,
    },
    /// Accesses one chunk, in single calls.
    AccessChunk {
        /// Which chunk.
        chunk: Chunk,
        /// To do what.
        access: Access,
    },
    /// Changes the owner of a group.
    SetOwner {
        /// Where.
        namespace: Namespace,
        /// Which group.
        group: Group,
        /// The new owner; see [`OWNERS`].
        owner: u8,
    },
    /// Removes a namespace with everything in it.
    DeleteNamespace {
        /// Which namespace; never the root namespace.
        namespace: Namespace,
    },
    /// Takes the locks of one namespace or of two, and lets them go.
    TakeNamespaceLock {
        /// The first namespace, and how.
        first: (Namespace, Mode),
        /// The second one, once the first is locked.
        second: Option<(Namespace, Mode)>,
    },
    /// Takes the lock of a group or of a snapshot, in its three calls.
    TakeLock {
        /// Which lock.
        lock: Lockable,
        /// Whether it unlinks the lock file before it lets go.
        removes: bool,
    },
}

/// What the micro-operation `access_chunk` does to its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Marks it as used, as garbage collection does.
    Touch,
    /// Inserts it, as a backup does.
    Insert,
    /// Removes it if it is old, as garbage collection does.
    Sweep,
    /// Sets it aside if it is corrupt, as a verification does.
    SetAside,
}

/// What the micro-operation `take_lock` locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockable {
    /// The lock of a group.
    Group(Namespace, Group),
    /// The lock of a snapshot.
    Snapshot(Namespace, Snapshot),
}

/// The generations of locks in a scenario: those of directories are the old one, those of lock files the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generations {
    /// The processes of the old version: they lock directories, and know of no flag file. In all else they are of the
    /// design that is run.
    pub old: &'static [Process],
    /// The flag file, which makes processes of the new version lock directories as well.
    pub flag: Flag,
}

/// The flag file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It is not there, and never will be.
    Absent,
    /// It is there from the start.
    Present,
    /// It is created at some time: with a reload, on the side of it that the design says.
    Created,
}

/// How often the environment may interfere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Kills of a process.
    pub kills: u8,
    /// Times that the cutoff passes between two garbage collections.
    pub cutoff_passes: u8,
    /// Appends that meet a full tmpfs.
    pub full_tmpfs: u8,
    /// Lock files of a backup for which there is no inode left.
    pub no_inode: u8,
    /// Backups whose client leaves in the middle.
    pub disconnects: u8,
    /// The daemon is reloaded: the old process, and the new one whose actors begin only then.
    pub reload: Option<(Process, Process)>,
}

/// Limits that are settings of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts to list a group without its lock.
    pub list_attempts: u8,
    /// Snapshot locks that a move holds at a time.
    pub snapshot_locks: u16,
}

/// Where a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    /// Explored by the gate.
    pub check: bool,
    /// Every edge replayed by the gate.
    pub replay: bool,
    /// A kill at every (state, process) pair.
    pub kill: bool,
}

impl Task {
    /// Its operation.
    pub const fn op(self) -> Op {
        match self {
            Self::Gc { .. } => Op::Gc,
            Self::MoveGroup { .. } => Op::MoveGroup,
            Self::TakeLock { .. } => Op::TakeLock,
            Self::Backup { .. } => Op::Backup,
            Self::ForgetSnapshot { .. } => Op::ForgetSnapshot,
            Self::Prune { .. } => Op::Prune,
            Self::Verify { .. } => Op::Verify,
            Self::SetNotes { .. } => Op::SetNotes,
            Self::AccessChunk { .. } => Op::AccessChunk,
            Self::SetOwner { .. } => Op::SetOwner,
            Self::DeleteNamespace { .. } => Op::DeleteNamespace,
            Self::TakeNamespaceLock { .. } => Op::TakeNamespaceLock,
        }
    }
}

impl Generations {
    /// Every process is of the new version, and there is no flag file.
    pub const NEW: Self = Self {
        old: &[],
        flag: Flag::Absent,
    };

    /// Every process is of the new version, and the flag file is there.
    pub const FLAGGED: Self = Self {
        old: &[],
        flag: Flag::Present,
    };
}

impl Environment {
    /// The environment does nothing.
    pub const CALM: Self = Self {
        kills: 0,
        cutoff_passes: 0,
        full_tmpfs: 0,
        no_inode: 0,
        disconnects: 0,
        reload: None,
    };
}

impl Limits {
    /// The settings of Proxmox Backup.
    pub const PUBLISHED: Self = Self {
        list_attempts: 10,
        snapshot_locks: 512,
    };
}

impl Scenario {
    /// Directory of a namespace, relative to the datastore; the base directory is `.`.
    pub fn namespace_path(&self, namespace: Namespace) -> String {
        match namespace.0 {
            0 => ".".to_owned(),
            n => format!(
                "ns/{}",
                self.namespaces[usize::from(n) - 1].replace('/', "/ns/")
            ),
        }
    }

    /// The namespace that a namespace lies in; none for the root namespace.
    pub fn parent(&self, namespace: Namespace) -> Option<Namespace> {
        let name = self
            .namespaces
            .get(usize::from(namespace.0).checked_sub(1)?)?;
        let above = name.rsplit_once('/').map(|(above, _)| above);
        let position = self.namespaces.iter().position(|n| Some(*n) == above);
        Some(Namespace(position.map_or(0, |n| small(n + 1))))
    }

    /// The namespaces in which a namespace lies, itself first, from the inside out, without the root namespace.
    pub fn chain(&self, namespace: Namespace) -> impl Iterator<Item = Namespace> {
        let mut next = Some(namespace);
        std::iter::from_fn(move || {
            let this = next.filter(|n| n.0 != 0)?;
            next = self.parent(this);
            Some(this)
        })
    }

    /// The path that an id stands for, relative to the datastore; `line <n>` for a line of the journal.
    pub fn path(&self, id: Id) -> String {
        let below = |namespace: Namespace, name: &str| match namespace.0 {
            0 => name.to_owned(),
            _ => format!("{}/{name}", self.namespace_path(namespace)),
        };
        match id {
            Id::Namespace(namespace) => self.namespace_path(namespace),
            Id::Children(namespace) => below(namespace, "ns"),
            Id::Type(namespace) => below(namespace, self.backup_type()),
            Id::Group(namespace, group) => below(namespace, self.groups[usize::from(group.0)]),
            Id::Snapshot(namespace, snapshot) => {
                let at = self.snapshots[usize::from(snapshot.0)];
                below(
                    namespace,
                    &format!("{}/{}", self.groups[usize::from(at.group.0)], at.time),
                )
            }
            Id::Index(namespace, index) => {
                let of = self.indexes[usize::from(index.0)];
                match of.snapshot {
                    Some(s) => format!("{}/{}", self.path(Id::Snapshot(namespace, s)), of.name),
                    None => of.name.to_owned(),
                }
            }
            Id::Temporary(namespace, index) => {
                let path = self.path(Id::Index(namespace, index));
                match path.rsplit_once('.') {
                    Some((stem, extension)) => format!("{stem}.tmp_{extension}"),
                    None => path,
                }
            }
            Id::Manifest(namespace, snapshot) => {
                let directory = self.path(Id::Snapshot(namespace, snapshot));
                format!("{directory}/index.json.blob")
            }
            Id::Protected(namespace, snapshot) => {
                format!(
                    "{}/.protected",
                    self.path(Id::Snapshot(namespace, snapshot))
                )
            }
            Id::Prefix => PREFIX.to_owned(),
            Id::Chunk(chunk) => format!("{PREFIX}/{}", Self::digest(chunk)),
            Id::BadChunk(chunk, n) => format!("{PREFIX}/{}.{n}.bad", Self::digest(chunk)),
            Id::Line(line) => format!("line {line}"),
        }
    }

    /// What a chunk contains.
    pub fn contents(chunk: Chunk) -> &'static str {
        CHUNKS[usize::from(chunk.0)].0
    }

    /// The digest of a chunk, as 64 hex digits: the SHA-256 of what it contains.
    pub fn digest(chunk: Chunk) -> &'static str {
        CHUNKS[usize::from(chunk.0)].1
    }

    /// The one backup type of the scenario's groups.
    pub fn backup_type(&self) -> &'static str {
        self.groups
            .first()
            .and_then(|group| group.split('/').next())
            .unwrap_or("vm")
    }

    /// All namespaces, the root namespace first.
    pub fn all_namespaces(&self) -> impl Iterator<Item = Namespace> + use<> {
        (0..=small(self.namespaces.len())).map(Namespace)
    }

    /// All groups.
    pub fn all_groups(&self) -> impl Iterator<Item = Group> + use<> {
        (0..small(self.groups.len())).map(Group)
    }

    /// All snapshots.
    pub fn all_snapshots(&self) -> impl Iterator<Item = Snapshot> + use<> {
        (0..small(self.snapshots.len())).map(Snapshot)
    }

    /// All index files.
    pub fn all_indexes(&self) -> impl Iterator<Item = Index> + use<> {
        (0..small(self.indexes.len())).map(Index)
    }

    /// All chunks.
    pub fn all_chunks(&self) -> impl Iterator<Item = Chunk> + use<> {
        (0..self.chunks).map(Chunk)
    }

    /// Every id that can be the argument of a label in this scenario.
    pub fn all_ids(&self) -> Vec<Id> {
        let mut ids = vec![Id::Prefix];
        for namespace in self.all_namespaces() {
            ids.extend([
                Id::Namespace(namespace),
                Id::Children(namespace),
                Id::Type(namespace),
            ]);
            ids.extend(self.all_groups().map(|g| Id::Group(namespace, g)));
            for s in self.all_snapshots() {
                ids.extend([
                    Id::Snapshot(namespace, s),
                    Id::Manifest(namespace, s),
                    Id::Protected(namespace, s),
                ]);
            }
            for index in self.all_indexes() {
                let stray = self.indexes[usize::from(index.0)].snapshot.is_none();
                if !stray || namespace.0 == 0 {
                    ids.extend([Id::Index(namespace, index), Id::Temporary(namespace, index)]);
                }
            }
        }
        for chunk in self.all_chunks() {
            ids.extend([
                Id::Chunk(chunk),
                Id::BadChunk(chunk, 0),
                Id::BadChunk(chunk, 1),
            ]);
        }
        ids.extend((1..=18).map(Id::Line));
        ids
    }
}

/// Scenarios are small by construction; a table of more than 255 entries is a mistake in the scenario.
fn small(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}
