//! `Errand`: a task with names in the place of ids, and the one call on a datastore that carries it out.
//!
//! Generic over the system calls, so that every world runs the same call with the same settings.

use crate::world::CLOCK_START_NS;
use anyhow::Context as _;
use datastore::error::LockError;
use datastore::index::Digest;
use datastore::ops::{
    access_chunk, backup, delete_namespace, forget_snapshot, gc, move_group, prune, set_notes,
    set_owner, take_lock, take_namespace_lock, verify,
};
use datastore::{BackupTime, Cx, Datastore, Group, Lockable, Namespace, Owner, Snapshot, Sys};
use serde::{Deserialize, Serialize};
use specs::id;
use specs::lock_class::Mode;
use specs::scenario::{Access, Limits, Lockable as LockableId, OWNERS, Scenario, Task};
use std::fmt;

/// A garbage collection takes no chunk that was used in the last 24 h 5 min.
pub(crate) const CUTOFF_NS: i128 = (24 * 3600 + 5 * 60) * 1_000_000_000;

/// Digests that a garbage collection remembers as marked: more than any scenario has.
const REMEMBERED_CHUNKS: usize = 64;

/// What the notes of a snapshot are changed to.
const NEW_NOTES: &str = "changed";

/// A task, with names in the place of ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// Garbage collection, so many runs one after the other.
    Gc {
        /// Number of runs.
        runs: u8,
    },
    /// Moves a group.
    MoveGroup {
        /// Which group, at its source.
        group: GroupName,
        /// Name of the target namespace, empty for the root.
        target: String,
        /// Whether an existing target group is merged into.
        merge: bool,
    },
    /// Takes the lock of a group, or of one of its snapshots.
    TakeLock {
        /// Which group.
        group: GroupName,
        /// Backup time; none for the lock of the group.
        time: Option<String>,
        /// Whether it unlinks the lock file before it lets go.
        removes: bool,
    },
    /// Backs up to a new snapshot.
    Backup {
        /// To which group.
        group: GroupName,
        /// Backup time.
        time: String,
        /// Name and chunks of each archive.
        archives: Vec<(String, Vec<String>)>,
    },
    /// Removes a snapshot.
    ForgetSnapshot {
        /// Of which group.
        group: GroupName,
        /// Backup time.
        time: String,
    },
    /// Prunes a group.
    Prune {
        /// Which group.
        group: GroupName,
        /// How many of the newest finished snapshots are kept.
        keep_last: u8,
    },
    /// Verifies a group.
    Verify {
        /// Which group.
        group: GroupName,
    },
    /// Changes the notes of a snapshot.
    SetNotes {
        /// Of which group.
        group: GroupName,
        /// Backup time.
        time: String,
    },
    /// Accesses one chunk.
    AccessChunk {
        /// Its digest, in hex digits.
        digest: String,
        /// What it contains.
        contents: String,
        /// To do what.
        access: Access,
    },
    /// Changes the owner of a group.
    SetOwner {
        /// Of which group.
        group: GroupName,
        /// The new owner.
        owner: String,
    },
    /// Removes a namespace.
    DeleteNamespace {
        /// Its name.
        namespace: String,
    },
    /// Takes the locks of one namespace or of two.
    TakeNamespaceLock {
        /// Name of the first one, and how.
        first: (String, Mode),
        /// The second one, once the first is locked.
        second: Option<(String, Mode)>,
    },
}

impl fmt::Display for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gc { .. } => f.write_str("a garbage collection"),
            Self::MoveGroup { group, target, .. } => write!(f, "a move of {group} to {target:?}"),
            Self::TakeLock { group, .. } => write!(f, "taking a lock of {group}"),
            Self::Backup { group, time, .. } => write!(f, "a backup to {group} at {time}"),
            Self::ForgetSnapshot { group, time } => write!(f, "the removal of {group}/{time}"),
            Self::Prune { group, .. } => write!(f, "a prune of {group}"),
            Self::Verify { group } => write!(f, "a verification of {group}"),
            Self::SetNotes { group, time } => write!(f, "new notes for {group}/{time}"),
            Self::AccessChunk { digest, .. } => write!(f, "the access of chunk {digest}"),
            Self::SetOwner { group, owner } => write!(f, "{owner} as new owner of {group}"),
            Self::DeleteNamespace { namespace } => write!(f, "the deletion of {namespace}"),
            Self::TakeNamespaceLock { first, .. } => write!(f, "taking the lock of {}", first.0),
        }
    }
}

/// A group by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupName {
    /// Name of the namespace, empty for the root.
    pub namespace: String,
    /// Type and id.
    pub group: String,
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.group),
            namespace => write!(f, "{} in {namespace}", self.group),
        }
    }
}

/// The name of a namespace, empty for the root.
pub(crate) fn namespace_name(scenario: &Scenario, namespace: id::Namespace) -> String {
    match namespace.0 {
        0 => String::new(),
        n => scenario.namespaces[usize::from(n) - 1].to_owned(),
    }
}

/// How a run of an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// It succeeded.
    Done,
    /// Somebody else held a lock that it needs.
    Busy(String),
    /// Anything else went wrong.
    Failed(String),
}

impl Errand {
    /// The task of an actor.
    pub fn of(scenario: &Scenario, task: Task) -> Self {
        let namespace = |n: id::Namespace| namespace_name(scenario, n);
        let group = |n: id::Namespace, g: id::Group| GroupName {
            namespace: namespace(n),
            group: scenario.groups[usize::from(g.0)].to_owned(),
        };
        let snapshot = |n: id::Namespace, s: id::Snapshot| {
            let at = scenario.snapshots[usize::from(s.0)];
            (group(n, at.group), at.time.to_owned())
        };
        match task {
            Task::Gc { runs } => Self::Gc { runs },
            Task::MoveGroup {
                group: g,
                source,
                target,
                merge,
            } => Self::MoveGroup {
                group: group(source, g),
                target: namespace(target),
                merge,
            },
            Task::TakeLock {
                lock: LockableId::Group(n, g),
                removes,
            } => Self::TakeLock {
                group: group(n, g),
                time: None,
                removes,
            },
            Task::TakeLock {
                lock: LockableId::Snapshot(n, s),
                removes,
            } => {
                let (group, time) = snapshot(n, s);
                Self::TakeLock {
                    group,
                    time: Some(time),
                    removes,
                }
            }
            Task::Backup { snapshot: s } => {
                let (group, time) = snapshot(scenario.snapshots[usize::from(s.0)].namespace, s);
                Self::Backup {
                    group,
                    time,
                    archives: archives(scenario, s),
                }
            }
            Task::ForgetSnapshot {
                namespace,
                snapshot: s,
            } => {
                let (group, time) = snapshot(namespace, s);
                Self::ForgetSnapshot { group, time }
            }
            Task::Prune {
                namespace,
                group: g,
                keep_last,
            } => Self::Prune {
                group: group(namespace, g),
                keep_last,
            },
            Task::Verify {
                namespace,
                group: g,
            } => Self::Verify {
                group: group(namespace, g),
            },
            Task::SetNotes {
                namespace,
                snapshot: s,
            } => {
                let (group, time) = snapshot(namespace, s);
                Self::SetNotes { group, time }
            }
            Task::AccessChunk { chunk, access } => Self::AccessChunk {
                digest: Scenario::digest(chunk).to_owned(),
                contents: Scenario::contents(chunk).to_owned(),
                access,
            },
            Task::SetOwner {
                namespace,
                group: g,
                owner,
            } => Self::SetOwner {
                group: group(namespace, g),
                owner: OWNERS[usize::from(owner)].to_owned(),
            },
            Task::DeleteNamespace { namespace: n } => Self::DeleteNamespace {
                namespace: namespace(n),
            },
            Task::TakeNamespaceLock { first, second } => {
                let named = |(n, mode)| (namespace(n), mode);
                Self::TakeNamespaceLock {
                    first: named(first),
                    second: second.map(named),
                }
            }
        }
    }

    /// Carries the errand out. `client_has_left` is asked by a backup; `ended` hears how each run ended.
    pub fn run<S: Sys>(
        &self,
        cx: &Cx<S>,
        store: &Datastore<S>,
        limits: Limits,
        client_has_left: &dyn Fn() -> bool,
        mut ended: impl FnMut(Ended),
    ) {
        let runs = if let Self::Gc { runs } = self {
            *runs
        } else {
            1
        };
        for _ in 0..runs {
            let run = self.run_once(cx, store, limits, client_has_left);
            ended(run.unwrap_or_else(|error| Ended::Failed(format!("{error:#}"))));
        }
    }

    /// One run. The error is that the errand names what cannot be.
    fn run_once<S: Sys>(
        &self,
        cx: &Cx<S>,
        store: &Datastore<S>,
        limits: Limits,
        client_has_left: &dyn Fn() -> bool,
    ) -> anyhow::Result<Ended> {
        Ok(match self {
            Self::Gc { .. } => {
                let settings = gc::Settings {
                    list_attempts: limits.list_attempts.into(),
                    remembered_chunks: REMEMBERED_CHUNKS,
                    ..gc::Settings::default()
                };
                how(gc::run(cx, store, &settings), gc::GcError::is_busy)
            }
            Self::MoveGroup {
                group,
                target,
                merge,
            } => {
                let settings = move_group::Settings {
                    existing: if *merge {
                        move_group::Existing::Merge
                    } else {
                        move_group::Existing::Refuse
                    },
                    snapshot_locks: limits.snapshot_locks.into(),
                    ..move_group::Settings::new(group.parse()?, Namespace::new(target)?)
                };
                let result = move_group::run(cx, store, &settings);
                how(result, move_group::MoveError::is_busy)
            }
            Self::TakeLock {
                group,
                time,
                removes,
            } => {
                let group = group.parse()?;
                let time = time.as_deref().map(BackupTime::parse).transpose()?;
                let snapshot = time.map(|time| group.snapshot(time));
                let lock = snapshot
                    .as_ref()
                    .map_or(Lockable::Group(&group), Lockable::Snapshot);
                let settings = take_lock::Settings {
                    lock,
                    mode: Mode::Exclusive,
                    removes: *removes,
                };
                let result = take_lock::run(cx, store, &settings);
                how(result, LockError::is_conflict)
            }
            Self::Backup {
                group,
                time,
                archives,
            } => {
                let archive = |(name, chunks): &(String, Vec<String>)| backup::Archive {
                    name: name.clone(),
                    chunks: chunks.iter().map(|c| c.clone().into_bytes()).collect(),
                };
                let settings = backup::Settings {
                    group: group.parse()?,
                    owner: Owner::new(OWNERS[0])?,
                    time: BackupTime::parse(time)?,
                    archives: archives.iter().map(archive).collect(),
                    client_has_left,
                };
                how(
                    backup::run(cx, store, &settings),
                    backup::BackupError::is_busy,
                )
            }
            Self::ForgetSnapshot { group, time } => {
                let settings = forget_snapshot::Settings {
                    snapshot: group.snapshot(time)?,
                };
                let result = forget_snapshot::run(cx, store, &settings);
                how(result, forget_snapshot::ForgetError::is_busy)
            }
            Self::Prune { group, keep_last } => {
                let settings = prune::Settings {
                    group: group.parse()?,
                    keep: prune::KeepOptions {
                        last: Some((*keep_last).into()),
                        ..prune::KeepOptions::default()
                    },
                };
                how(prune::run(cx, store, &settings), prune::PruneError::is_busy)
            }
            Self::Verify { group } => {
                let settings = verify::Settings {
                    group: group.parse()?,
                };
                how(
                    verify::run(cx, store, &settings),
                    verify::VerifyError::is_busy,
                )
            }
            Self::SetNotes { group, time } => {
                let settings = set_notes::Settings {
                    snapshot: group.snapshot(time)?,
                    notes: NEW_NOTES.to_owned(),
                };
                let result = set_notes::run(cx, store, &settings);
                how(result, set_notes::SetNotesError::is_busy)
            }
            Self::AccessChunk {
                digest,
                contents,
                access,
            } => {
                let settings = access_chunk::Settings {
                    digest: Digest::parse(digest)
                        .with_context(|| format!("{digest:?} is no digest of a chunk"))?,
                    contents: contents.clone().into_bytes(),
                    access: match access {
                        Access::Touch => access_chunk::Access::Touch,
                        Access::Insert => access_chunk::Access::Insert,
                        Access::Sweep => access_chunk::Access::Sweep,
                        Access::SetAside => access_chunk::Access::SetAside,
                    },
                    min_atime_ns: CLOCK_START_NS - CUTOFF_NS,
                };
                let result = access_chunk::run(cx, store, &settings);
                how(result, access_chunk::AccessError::is_busy)
            }
            Self::SetOwner { group, owner } => {
                let settings = set_owner::Settings {
                    group: group.parse()?,
                    owner: Owner::new(owner)?,
                };
                let result = set_owner::run(cx, store, &settings);
                how(result, set_owner::SetOwnerError::is_busy)
            }
            Self::DeleteNamespace { namespace } => {
                let settings = delete_namespace::Settings {
                    namespace: Namespace::new(namespace)?,
                };
                let result = delete_namespace::run(cx, store, &settings);
                how(result, delete_namespace::DeleteError::is_busy)
            }
            Self::TakeNamespaceLock { first, second } => {
                let named =
                    |(name, mode): &(String, Mode)| anyhow::Ok((Namespace::new(name)?, *mode));
                let settings = take_namespace_lock::Settings {
                    first: named(first)?,
                    second: second.as_ref().map(named).transpose()?,
                };
                let result = take_namespace_lock::run(cx, store, &settings);
                how(result, LockError::is_conflict)
            }
        })
    }
}

/// The index files of a snapshot and the contents of their chunks.
fn archives(scenario: &Scenario, snapshot: id::Snapshot) -> Vec<(String, Vec<String>)> {
    let contents = |chunk: &id::Chunk| Scenario::contents(*chunk).to_owned();
    scenario
        .indexes
        .iter()
        .filter(|index| index.snapshot == Some(snapshot))
        .map(|index| {
            let chunks = index.chunks.iter().map(contents).collect();
            (index.name.to_owned(), chunks)
        })
        .collect()
}

/// How a run ended, by its result.
fn how<T, E: fmt::Display>(result: Result<T, E>, is_busy: impl Fn(&E) -> bool) -> Ended {
    match result {
        Ok(_) => Ended::Done,
        Err(error) if is_busy(&error) => Ended::Busy(error.to_string()),
        Err(error) => Ended::Failed(error.to_string()),
    }
}

impl GroupName {
    /// The group that it names.
    fn parse(&self) -> anyhow::Result<Group> {
        Ok(Group::parse(Namespace::new(&self.namespace)?, &self.group)?)
    }

    /// A snapshot of the group.
    fn snapshot(&self, time: &str) -> anyhow::Result<Snapshot> {
        Ok(self.parse()?.snapshot(BackupTime::parse(time)?))
    }
}
