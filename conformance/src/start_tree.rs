//! The start tree of a scenario: every directory and file, with its contents.

use crate::world::{CLOCK_START_NS, STORE_NAME, seconds};
use datastore::index::{Digest, Index};
use datastore::manifest::Manifest;
use datastore::{BackupTime, Group, Namespace as Name, blob};
use specs::Id;
use specs::id::{Chunk, Index as IndexId, Namespace, Snapshot};
use specs::scenario::{Flag, OWNERS, PREFIX, Scenario, Start};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The flag file, relative to the private directory.
pub(crate) const FLAG: &str = "locks/old-locking";

/// A line of the journal that no append wrote.
pub(crate) const FOREIGN_LINE: &str = "foreign line, no path\n";

/// Contents of notes.
pub(crate) const NOTES: &[u8] = b"Notes.\n";

/// Contents of an owner file.
pub(crate) fn owner_file(owner: &str) -> Vec<u8> {
    format!("{owner}\n").into_bytes()
}

/// Size of what every chunk of a scenario contains, so that an image can consist of them.
const CHUNK_SIZE: u64 = 19;

/// Every directory and file of the start tree, relative to the private directory.
pub(crate) fn start_tree(
    scenario: &Scenario,
) -> anyhow::Result<BTreeMap<PathBuf, Option<Vec<u8>>>> {
    let mut tree = BTreeMap::new();
    let mut directory = |path: &str| {
        let mut whole = PathBuf::from("store");
        for component in Path::new(path).components() {
            tree.insert(whole.clone(), None);
            whole.push(component);
        }
        tree.insert(whole, None);
    };
    directory(".");
    directory(PREFIX);
    for namespace in scenario.all_namespaces() {
        directory(&scenario.path(Id::Type(namespace)));
    }
    let mut groups: BTreeSet<_> = scenario.empty_groups.iter().copied().collect();
    let is_there = |s: &Snapshot| scenario.snapshots[usize::from(s.0)].start != Start::Later;
    for snapshot in scenario.all_snapshots().filter(is_there) {
        let at = scenario.snapshots[usize::from(snapshot.0)];
        groups.insert((at.namespace, at.group));
        directory(&scenario.path(Id::Snapshot(at.namespace, snapshot)));
    }
    for (namespace, group) in &groups {
        directory(&scenario.path(Id::Group(*namespace, *group)));
    }
    let mut file = |path: String, contents: Vec<u8>| {
        tree.insert(Path::new("store").join(path), Some(contents));
    };
    for (namespace, group) in groups {
        file(
            format!("{}/owner", scenario.path(Id::Group(namespace, group))),
            owner_file(OWNERS[0]),
        );
    }
    for (namespace, group) in scenario.notes {
        file(
            format!("{}/notes", scenario.path(Id::Group(*namespace, *group))),
            NOTES.to_vec(),
        );
    }
    for index in scenario.all_indexes() {
        let of = scenario.indexes[usize::from(index.0)];
        let namespace = match of.snapshot {
            Some(snapshot) if !is_there(&snapshot) => continue,
            Some(snapshot) => scenario.snapshots[usize::from(snapshot.0)].namespace,
            None => Namespace(0),
        };
        file(
            scenario.path(Id::Index(namespace, index)),
            index_file(scenario, index),
        );
    }
    for snapshot in scenario.all_snapshots() {
        let at = scenario.snapshots[usize::from(snapshot.0)];
        if at.start == Start::Finished {
            file(
                scenario.path(Id::Manifest(at.namespace, snapshot)),
                manifest_file(scenario, snapshot)?,
            );
        }
        if scenario.protected.contains(&snapshot) {
            file(
                scenario.path(Id::Protected(at.namespace, snapshot)),
                Vec::new(),
            );
        }
    }
    for chunk in scenario.all_chunks() {
        file(
            scenario.path(Id::Chunk(chunk)),
            chunk_file(scenario, chunk)?,
        );
    }
    file(".lock".to_owned(), Vec::new());
    let locks = Path::new("locks");
    tree.insert(locks.to_owned(), None);
    tree.insert(locks.join(STORE_NAME), None);
    if scenario.foreign_line {
        tree.insert(
            locks.join(STORE_NAME).join("move-journal"),
            Some(FOREIGN_LINE.into()),
        );
    }
    if scenario.generations.flag == Flag::Present {
        tree.insert(PathBuf::from(FLAG), Some(Vec::new()));
    }
    Ok(tree)
}

/// The bytes of a chunk file: a plain blob. A corrupt one has the same size and another last byte.
pub(crate) fn chunk_file(scenario: &Scenario, chunk: Chunk) -> anyhow::Result<Vec<u8>> {
    let mut bytes = blob::encode_plain(Scenario::contents(chunk).as_bytes())?;
    if scenario.corrupt.contains(&chunk)
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 1;
    }
    Ok(bytes)
}

/// The bytes of the manifest of a snapshot that nobody has verified or commented.
fn manifest_file(scenario: &Scenario, snapshot: Snapshot) -> anyhow::Result<Vec<u8>> {
    let at = scenario.snapshots[usize::from(snapshot.0)];
    let group = Group::parse(Name::new("")?, scenario.groups[usize::from(at.group.0)])?;
    let mut manifest = Manifest::new(&group.snapshot(BackupTime::parse(at.time)?));
    for index in scenario.all_indexes() {
        let of = scenario.indexes[usize::from(index.0)];
        if of.snapshot == Some(snapshot) {
            let decoded = Index::decode(index_file(scenario, index))
                .map_err(|(_, why)| anyhow::anyhow!("index file {}: {why}", of.name))?;
            manifest.add_file(of.name, decoded.size(), decoded.checksum());
        }
    }
    Ok(blob::encode(&manifest.to_json()?)?)
}

/// The bytes of an index file.
pub(crate) fn index_file(scenario: &Scenario, index: IndexId) -> Vec<u8> {
    let of = scenario.indexes[usize::from(index.0)];
    let digests: Vec<Digest> = of.chunks.iter().map(|chunk| digest(*chunk)).collect();
    let uuid = [index.0; 16];
    if of.name.ends_with(".didx") {
        let ends = (1..).map(|n| n * CHUNK_SIZE);
        let entries: Vec<_> = ends.zip(digests).collect();
        return Index::encode_dynamic(uuid, seconds(CLOCK_START_NS), &entries);
    }
    let size = digests.len() as u64 * CHUNK_SIZE;
    Index::encode_fixed(uuid, seconds(CLOCK_START_NS), size, CHUNK_SIZE, &digests)
}

/// The digest of a chunk of a scenario, in binary.
pub(crate) fn digest(chunk: Chunk) -> Digest {
    Digest::of(Scenario::contents(chunk).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_files_name_the_chunks_of_the_scenario() {
        let scenario = Scenario::named("one_move_meets_gc").unwrap();
        let index = Index::decode(index_file(scenario, IndexId(0))).unwrap();
        let digests: Vec<String> = index.digests().map(|d| d.to_string()).collect();
        assert_eq!(digests, [Scenario::digest(Chunk(0))]);
    }

    #[test]
    fn the_chunks_are_named_by_what_they_contain() {
        for chunk in (0..4).map(Chunk) {
            assert_eq!(digest(chunk).to_string(), Scenario::digest(chunk));
            assert_eq!(Scenario::contents(chunk).len() as u64, CHUNK_SIZE);
        }
    }

    #[test]
    fn nested_namespaces_and_their_type_directories_are_there() {
        let scenario = Scenario::named("takers_of_nested_namespaces").unwrap();
        let tree = start_tree(scenario).unwrap();
        for directory in ["vm", "ns/a/vm", "ns/a/ns/b/vm", "ns/a/ns/b/ns/c/vm"] {
            assert_eq!(tree.get(&Path::new("store").join(directory)), Some(&None));
        }
        let innermost = "store/ns/a/ns/b/ns/c/ns";
        assert!(!tree.contains_key(Path::new(innermost)));
    }

    #[test]
    fn a_snapshot_that_is_to_come_has_nothing_and_a_finished_one_has_all_of_it() {
        let scenario = Scenario::named("backup_meets_gc").unwrap();
        let tree = start_tree(scenario).unwrap();
        let has = |path: String| tree.contains_key(&Path::new("store").join(path));
        for (snapshot, is_there) in [(Snapshot(0), true), (Snapshot(1), false)] {
            let manifest = scenario.path(Id::Manifest(Namespace(0), snapshot));
            let directory = scenario.path(Id::Snapshot(Namespace(0), snapshot));
            let index = scenario.path(Id::Index(Namespace(0), IndexId(snapshot.0)));
            assert_eq!(
                [has(manifest), has(directory), has(index)],
                [is_there; 3],
                "{snapshot:?}"
            );
        }
    }
}
