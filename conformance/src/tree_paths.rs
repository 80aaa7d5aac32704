//! Where the things that are observed lie: tables of paths, made once for a world.

use crate::projection::Lock;
use crate::start_tree::{NOTES, OWNER, index_file};
use crate::world::STORE_NAME;
use anyhow::Context as _;
use specs::Id;
use specs::id::Index;
use specs::scenario::{PREFIX, Scenario};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct GroupPaths {
    pub(crate) group: usize,
    pub(crate) namespace: u8,
    pub(crate) directory: CString,
    pub(crate) owner: CString,
    pub(crate) notes: CString,
}

#[derive(Debug)]
pub(crate) struct SnapshotPaths {
    pub(crate) snapshot: usize,
    pub(crate) group: usize,
    pub(crate) namespace: u8,
    pub(crate) directory: CString,
    pub(crate) indexes: Vec<(usize, CString)>,
}

pub(crate) fn c_path(path: &str) -> anyhow::Result<CString> {
    CString::new(path).with_context(|| format!("the path {path:?} has a NUL in it"))
}

pub(crate) fn group_paths(scenario: &Scenario) -> anyhow::Result<Vec<GroupPaths>> {
    let mut paths = Vec::new();
    for namespace in scenario.all_namespaces() {
        for group in scenario.all_groups() {
            let directory = scenario.path(Id::Group(namespace, group));
            paths.push(GroupPaths {
                group: usize::from(group.0),
                namespace: namespace.0,
                owner: c_path(&format!("{directory}/owner"))?,
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
            let is_of = |i: &Index| scenario.indexes[usize::from(i.0)].snapshot == Some(snapshot);
            paths.push(SnapshotPaths {
                snapshot: usize::from(snapshot.0),
                group: usize::from(scenario.snapshots[usize::from(snapshot.0)].group.0),
                namespace: namespace.0,
                directory: c_path(&scenario.path(Id::Snapshot(namespace, snapshot)))?,
                indexes: scenario
                    .all_indexes()
                    .filter(is_of)
                    .map(|i| {
                        Ok((
                            usize::from(i.0),
                            c_path(&scenario.path(Id::Index(namespace, i)))?,
                        ))
                    })
                    .collect::<anyhow::Result<_>>()?,
            });
        }
    }
    Ok(paths)
}

/// Every path that some field accounts for, and the directories above them.
pub(crate) fn known_paths(scenario: &Scenario) -> BTreeSet<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let store = Path::new("store");
    for id in scenario.all_ids() {
        match id {
            Id::Namespace(_) | Id::Type(_) | Id::Index(..) | Id::Prefix | Id::Chunk(_) => {
                files.push(store.join(scenario.path(id)));
            }
            Id::Group(..) => {
                files.push(store.join(scenario.path(id)).join("owner"));
                files.push(store.join(scenario.path(id)).join("notes"));
            }
            Id::Snapshot(..) => files.push(store.join(scenario.path(id))),
            // A namespace without children has no such directory, and a line is no path.
            Id::Children(_) | Id::Line(_) => {}
        }
    }
    files.extend([
        store.join(".lock"),
        store.join(".gc-status"),
        store.join(PREFIX),
    ]);
    let locks = Path::new("locks").join(STORE_NAME);
    files.extend(
        Lock::all(scenario)
            .into_iter()
            .map(|lock| locks.join(lock.path(scenario))),
    );
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

/// Every file that only ever moves, wherever it can be, with the contents that it has from the start.
pub(crate) fn unchanging_files(scenario: &Scenario) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for id in scenario.all_ids() {
        let path = PathBuf::from(scenario.path(id));
        match id {
            Id::Group(..) => {
                files.push((path.join("owner"), OWNER.to_vec()));
                files.push((path.join("notes"), NOTES.to_vec()));
            }
            Id::Index(_, index) => files.push((path, index_file(scenario, index))),
            Id::Namespace(_)
            | Id::Children(_)
            | Id::Type(_)
            | Id::Snapshot(..)
            | Id::Prefix
            | Id::Chunk(_)
            | Id::Line(_) => {}
        }
    }
    files
}
