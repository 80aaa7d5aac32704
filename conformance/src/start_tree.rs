//! The start tree of a scenario: every directory and file, with its contents.

use crate::world::{CLOCK_START_NS, STORE_NAME, seconds};
use datastore::index::{Digest, Index};
use specs::Id;
use specs::id::{Chunk, Index as IndexId, Namespace};
use specs::scenario::{PREFIX, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A line of the journal that no append wrote.
pub(crate) const FOREIGN_LINE: &[u8] = b"foreign line, no path\n";

/// Contents of notes.
pub(crate) const NOTES: &[u8] = b"Notes.\n";

/// Contents of an owner file.
pub(crate) const OWNER: &[u8] = b"root@pam\n";
const CHUNK_SIZE: u64 = 4 << 20;

/// Every directory and file of the start tree, relative to the private directory.
pub(crate) fn start_tree(scenario: &Scenario) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
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
    for snapshot in scenario.all_snapshots() {
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
            OWNER.to_vec(),
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
            Some(snapshot) => scenario.snapshots[usize::from(snapshot.0)].namespace,
            None => Namespace(0),
        };
        file(
            scenario.path(Id::Index(namespace, index)),
            index_file(scenario, index),
        );
    }
    for chunk in scenario.all_chunks() {
        // Nobody reads a chunk; its contents are those of no digest.
        file(scenario.path(Id::Chunk(chunk)), b"chunk\n".to_vec());
    }
    file(".lock".to_owned(), Vec::new());
    let locks = Path::new("locks");
    tree.insert(locks.to_owned(), None);
    tree.insert(locks.join(STORE_NAME), None);
    if scenario.foreign_line {
        tree.insert(
            locks.join(STORE_NAME).join("move-journal"),
            Some(FOREIGN_LINE.to_vec()),
        );
    }
    tree
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
fn digest(chunk: Chunk) -> Digest {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes
        .iter_mut()
        .zip(Scenario::digest(chunk).as_bytes().chunks(2))
    {
        let text = str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(text, 16).unwrap_or_default();
    }
    Digest(bytes)
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
}
