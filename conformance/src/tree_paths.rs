//! Where the things that are observed lie: tables of paths, made once for a world.

use crate::contents::Cached;
use crate::projection::{Lock, OwnerFile, Says};
use crate::start_tree::{FLAG, NOTES, digest, index_file, owner_file};
use crate::use_times::Used;
use crate::world::STORE_NAME;
use anyhow::Context as _;
use datastore::index::{Digest, Index as DecodedIndex};
use specs::id::{Index, Namespace, Snapshot};
use specs::scenario::{Access, Flag, OWNERS, PREFIX, Scenario, Start, Task};
use specs::{Design, Id};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct NamespacePaths {
    pub(crate) namespace: u8,
    pub(crate) directory: CString,
    pub(crate) types: CString,
    pub(crate) children: CString,
}

#[derive(Debug)]
pub(crate) struct GroupPaths {
    pub(crate) group: usize,
    pub(crate) namespace: u8,
    pub(crate) directory: CString,
    pub(crate) owner: CString,
    pub(crate) says: Cached<OwnerFile>,
    pub(crate) notes: CString,
}

#[derive(Debug)]
pub(crate) struct SnapshotPaths {
    pub(crate) snapshot: usize,
    pub(crate) group: usize,
    pub(crate) namespace: u8,
    pub(crate) directory: CString,
    pub(crate) indexes: Vec<(usize, CString)>,
    /// Those that a backup of the scenario makes.
    pub(crate) temporaries: Vec<(usize, CString)>,
    pub(crate) manifest: CString,
    /// Names of the index files that a manifest should list, sorted.
    pub(crate) index_names: Vec<&'static str>,
    pub(crate) says: Cached<Option<Says>>,
    /// Of a snapshot that the scenario protects.
    pub(crate) protected: Option<CString>,
}

#[derive(Debug)]
pub(crate) struct ChunkPaths {
    pub(crate) digest: Digest,
    pub(crate) file: CString,
    pub(crate) is_corrupt: Cached<bool>,
    /// In a scenario that sets chunks aside.
    pub(crate) bad: Option<[CString; 2]>,
    /// The access times of its file and of those set aside, as of the last look of this trace.
    pub(crate) used: Used,
}

pub(crate) fn c_path(path: &str) -> anyhow::Result<CString> {
    CString::new(path).with_context(|| format!("the path {path:?} has a NUL in it"))
}

pub(crate) fn namespace_paths(scenario: &Scenario) -> anyhow::Result<Vec<NamespacePaths>> {
    let path = |id: Id| c_path(&scenario.path(id));
    scenario
        .all_namespaces()
        .map(|namespace| {
            Ok(NamespacePaths {
                namespace: namespace.0,
                directory: path(Id::Namespace(namespace))?,
                types: path(Id::Type(namespace))?,
                children: path(Id::Children(namespace))?,
            })
        })
        .collect()
}

/// By namespaces, and in each by groups.
pub(crate) fn group_paths(scenario: &Scenario) -> anyhow::Result<Vec<GroupPaths>> {
    let mut paths = Vec::new();
    for namespace in scenario.all_namespaces() {
        for group in scenario.all_groups() {
            let directory = scenario.path(Id::Group(namespace, group));
            paths.push(GroupPaths {
                group: usize::from(group.0),
                namespace: namespace.0,
                owner: c_path(&format!("{directory}/owner"))?,
                says: Cached::default(),
                notes: c_path(&format!("{directory}/notes"))?,
                directory: c_path(&directory)?,
            });
        }
    }
    Ok(paths)
}

pub(crate) fn snapshot_paths(scenario: &Scenario) -> anyhow::Result<Vec<SnapshotPaths>> {
    let mut paths = Vec::new();
    for namespace in scenario.all_namespaces() {
        for snapshot in scenario.all_snapshots() {
            paths.push(snapshot_at(scenario, namespace, snapshot)?);
        }
    }
    Ok(paths)
}

fn snapshot_at(
    scenario: &Scenario,
    namespace: Namespace,
    snapshot: Snapshot,
) -> anyhow::Result<SnapshotPaths> {
    let at = scenario.snapshots[usize::from(snapshot.0)];
    let of_snapshot = |i: &Index| scenario.indexes[usize::from(i.0)].snapshot == Some(snapshot);
    let of: Vec<Index> = scenario.all_indexes().filter(of_snapshot).collect();
    let names = of.iter().map(|i| scenario.indexes[usize::from(i.0)].name);
    let mut index_names: Vec<_> = names.collect();
    index_names.sort_unstable();
    let paths = |id: fn(Namespace, Index) -> Id| {
        of.iter()
            .map(|i| {
                let path = c_path(&scenario.path(id(namespace, *i)))?;
                Ok((usize::from(i.0), path))
            })
            .collect::<anyhow::Result<Vec<_>>>()
    };
    Ok(SnapshotPaths {
        snapshot: usize::from(snapshot.0),
        group: usize::from(at.group.0),
        namespace: namespace.0,
        directory: c_path(&scenario.path(Id::Snapshot(namespace, snapshot)))?,
        indexes: paths(Id::Index)?,
        temporaries: match at.start {
            Start::Later => paths(Id::Temporary)?,
            Start::Finished | Start::Unfinished => Vec::new(),
        },
        manifest: c_path(&scenario.path(Id::Manifest(namespace, snapshot)))?,
        index_names,
        says: Cached::default(),
        protected: if scenario.protected.contains(&snapshot) {
            Some(c_path(&scenario.path(Id::Protected(namespace, snapshot)))?)
        } else {
            None
        },
    })
}

pub(crate) fn chunk_paths(scenario: &Scenario) -> anyhow::Result<Vec<ChunkPaths>> {
    let sets_aside = sets_chunks_aside(scenario);
    let path = |id: Id| c_path(&scenario.path(id));
    scenario
        .all_chunks()
        .map(|chunk| {
            let bad = |n| path(Id::BadChunk(chunk, n));
            Ok(ChunkPaths {
                digest: digest(chunk),
                file: path(Id::Chunk(chunk))?,
                is_corrupt: Cached::default(),
                used: Used::default(),
                bad: if sets_aside {
                    Some([bad(0)?, bad(1)?])
                } else {
                    None
                },
            })
        })
        .collect()
}

fn sets_chunks_aside(scenario: &Scenario) -> bool {
    scenario.actors.iter().any(|(_, task)| {
        matches!(
            task,
            Task::Verify { .. }
                | Task::AccessChunk {
                    access: Access::SetAside,
                    ..
                }
        )
    })
}

/// Every path that some field accounts for, and the directories above them.
pub(crate) fn known_paths(scenario: &Scenario, design: Design) -> BTreeSet<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let store = Path::new("store");
    for id in scenario.all_ids() {
        let is_known = match id {
            Id::Namespace(_)
            | Id::Type(_)
            | Id::Snapshot(..)
            | Id::Index(..)
            | Id::Manifest(..)
            | Id::Prefix
            | Id::Chunk(_) => true,
            Id::Group(..) => {
                files.push(store.join(scenario.path(id)).join("owner"));
                files.push(store.join(scenario.path(id)).join("notes"));
                false
            }
            Id::Protected(_, snapshot) => scenario.protected.contains(&snapshot),
            Id::Temporary(_, index) => is_made(scenario, index),
            Id::BadChunk(..) => sets_chunks_aside(scenario),
            // Only a namespace with children has such a directory, which lies above them. A line is no path.
            Id::Children(_) | Id::Line(_) => false,
        };
        if is_known {
            files.push(store.join(scenario.path(id)));
        }
    }
    files.extend([
        store.join(".lock"),
        store.join(".gc-status"),
        store.join(PREFIX),
    ]);
    let locks = Path::new("locks").join(STORE_NAME);
    let has_file = |lock: &Lock| !lock.is_directory();
    files.extend(
        Lock::all(scenario, design)
            .into_iter()
            .filter(has_file)
            .map(|lock| locks.join(lock.path(scenario))),
    );
    if scenario.generations.flag != Flag::Absent {
        files.push(FLAG.into());
    }
    let mut known = BTreeSet::new();
    for file in files {
        // `store/./x` and `store/x` are the same path.
        let file: PathBuf = file.components().collect();
        known.extend(
            file.ancestors()
                .filter(|path| !path.as_os_str().is_empty())
                .map(Path::to_owned),
        );
    }
    known
}

/// Whether a backup of the scenario makes an index file.
fn is_made(scenario: &Scenario, index: Index) -> bool {
    let snapshot = scenario.indexes[usize::from(index.0)].snapshot;
    snapshot.is_some_and(|s| scenario.snapshots[usize::from(s.0)].start == Start::Later)
}

/// What a file that is written once must contain.
#[derive(Debug)]
pub(crate) enum Contents {
    /// These bytes.
    Bytes(Vec<u8>),
    /// An index with these digests.
    Digests(Vec<Digest>),
}

impl Contents {
    /// Whether a file with these bytes has them.
    pub(crate) fn are(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(right) => bytes == right,
            Self::Digests(right) => {
                let index = DecodedIndex::decode(bytes.to_vec());
                index.is_ok_and(|index| index.digests().eq(right.iter().copied()))
            }
        }
    }
}

/// Whether anybody changes the owner of a group.
pub(crate) fn changes_owners(scenario: &Scenario) -> bool {
    let changes = |(_, task): &(_, Task)| matches!(task, Task::SetOwner { .. });
    scenario.actors.iter().any(changes)
}

/// Every file that is written once and then only moves, wherever it can be, with what it must contain.
pub(crate) fn unchanging_files(scenario: &Scenario) -> Vec<(PathBuf, Contents)> {
    let mut files = Vec::new();
    for id in scenario.all_ids() {
        let path = PathBuf::from(scenario.path(id));
        match id {
            Id::Group(..) => {
                files.push((path.join("notes"), Contents::Bytes(NOTES.to_vec())));
                if !changes_owners(scenario) {
                    let owner = owner_file(OWNERS[0]);
                    files.push((path.join("owner"), Contents::Bytes(owner)));
                }
            }
            Id::Index(_, index) if is_made(scenario, index) => {
                let chunks = scenario.indexes[usize::from(index.0)].chunks;
                let digests = chunks.iter().map(|chunk| digest(*chunk)).collect();
                files.push((path, Contents::Digests(digests)));
            }
            Id::Index(_, index) => {
                files.push((path, Contents::Bytes(index_file(scenario, index))));
            }
            Id::Namespace(_)
            | Id::Children(_)
            | Id::Type(_)
            | Id::Snapshot(..)
            | Id::Temporary(..)
            | Id::Manifest(..)
            | Id::Protected(..)
            | Id::Prefix
            | Id::Chunk(_)
            | Id::BadChunk(..)
            | Id::Line(_) => {}
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_its_digests_no_more_and_no_fewer_in_their_order() {
        let [first, second] = [Digest([1; 32]), Digest([2; 32])];
        let right = Contents::Digests(vec![first, second]);
        for (digests, is_right) in [
            (vec![first, second], true),
            (vec![first], false),
            (vec![first, second, second], false),
            (vec![second, first], false),
        ] {
            let size = digests.len() as u64;
            let bytes = DecodedIndex::encode_fixed([1; 16], 0, size, 1, &digests);
            assert_eq!(right.are(&bytes), is_right, "{digests:?}");
        }
        assert!(!right.are(b""));
    }
}
