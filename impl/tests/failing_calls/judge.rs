//! What a datastore must be like after an operation, whichever of its calls went wrong.

use datastore::index::{Digest, Index, is_index_file};
use datastore::manifest::{self, Manifest};
use datastore::paths::BackupTime;
use datastore::{LinuxSys, Owner, blob};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a directory with its content, and every directory.
pub(crate) struct Tree {
    root: PathBuf,
    nodes: BTreeMap<String, Option<Vec<u8>>>,
}

impl Tree {
    pub(crate) fn of(root: &Path) -> Self {
        let nodes = crate::common::tree(root).into_iter().map(|path| {
            let content = fs::read(root.join(&path)).ok();
            (path, content)
        });
        Self {
            root: root.to_owned(),
            nodes: nodes.collect(),
        }
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.nodes.iter();
        files.filter_map(|(path, content)| Some((path.as_str(), content.as_deref()?)))
    }

    /// The chunks that are there and sound, by their digests.
    fn chunks(&self) -> BTreeSet<Digest> {
        let is_sound = |digest: &Digest, content: &[u8]| {
            blob::decode(content).is_ok_and(|data| Digest::of(&data) == *digest)
        };
        let chunks = self.files().filter_map(|(path, content)| {
            let digest = Digest::parse(Path::new(path).file_name()?.to_str()?)?;
            is_sound(&digest, content).then_some(digest)
        });
        chunks.collect()
    }

    /// The chunks that are named by index files that can be read.
    fn named(&self) -> BTreeSet<Digest> {
        let indexes = self
            .files()
            .filter(|(path, _)| is_index_file(Path::new(path)));
        let indexes = indexes.filter_map(|(_, content)| Index::decode(content.to_vec()).ok());
        indexes
            .flat_map(|index| index.digests().collect::<Vec<_>>())
            .collect()
    }

    /// The snapshots: by group and time, whatever namespace they lie in, and how often they are there.
    pub(crate) fn snapshots(&self) -> BTreeMap<String, u32> {
        let mut snapshots = BTreeMap::new();
        for path in self.paths().filter(|path| is_snapshot(path)) {
            let names: Vec<&str> = path.rsplit('/').take(3).collect();
            *snapshots.entry(names.join(" of ")).or_default() += 1;
        }
        snapshots
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// The paths that only one of two trees has, but for those of temporary files and of the status of a collection.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let only = |one: &'a Self, two: &'a Self| one.paths().filter(|path| !two.has(path));
        let differing = only(self, other).chain(only(other, self));
        differing.filter(|path| !is_temporary(path) && !path.ends_with(".gc-status"))
    }

    /// Whatever is lost or half-written, since the tree was like `before`.
    pub(crate) fn damage(&self, before: &Self) -> Vec<String> {
        let mut damage = Vec::new();
        let mut note = |path: &str, why: &str| damage.push(format!("{path}: {why}"));
        for (path, content) in self.files() {
            let was = before.nodes.get(path).and_then(Option::as_deref);
            if was.is_none_or(|was| is_sound(path, was)) && !is_sound(path, content) {
                note(path, "is half-written or damaged");
            }
        }
        let (chunks, named) = (self.chunks(), self.named());
        for digest in before.chunks().difference(&chunks) {
            if named.contains(digest) {
                note(&digest.to_string(), "is named, was there, and is gone");
            }
        }
        for digest in named.difference(&before.named()) {
            if !chunks.contains(digest) {
                note(&digest.to_string(), "is named now, and is not there");
            }
        }
        for path in self.paths().filter(|path| is_snapshot(path)) {
            if let Some(why) = self.is_finished_and_not_whole(path) {
                note(path, &why);
            }
            let group = path.rsplit_once('/').map_or("", |(group, _)| group);
            if !self.has(&format!("{group}/owner")) {
                note(group, "has a snapshot and no owner");
            }
        }
        damage
    }

    fn is_finished_and_not_whole(&self, snapshot: &str) -> Option<String> {
        let manifest = self.read_manifest(snapshot)?;
        manifest.files().iter().find_map(|file| {
            let path = format!("{snapshot}/{}", file.filename);
            let Some(Some(content)) = self.nodes.get(&path) else {
                return Some(format!("has a manifest and no {}", file.filename));
            };
            let index = Index::decode(content.clone()).ok()?;
            let fits = index.checksum() == file.csum && index.size() == file.size;
            (!fits).then(|| format!("has a manifest of another {}", file.filename))
        })
    }

    /// The manifest of a snapshot; none if there is none.
    fn read_manifest(&self, snapshot: &str) -> Option<Manifest> {
        let path = format!("{snapshot}/index.json.blob");
        self.has(&path)
            .then(|| manifest::read(&LinuxSys, &self.root.join(path)).ok())?
    }
}

/// Whether a file has a name under which files are written.
pub(crate) fn is_temporary(path: &str) -> bool {
    path.contains(".tmp_")
}

fn is_snapshot(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("store/") && BackupTime::parse(name).is_ok()
}

/// Whether a file is what its name says; of most names nothing is known.
fn is_sound(path: &str, content: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    if is_index_file(Path::new(name)) {
        return Index::decode(content.to_vec()).is_ok();
    }
    if let Some(digest) = Digest::parse(name) {
        return blob::decode(content).is_ok_and(|data| Digest::of(&data) == digest);
    }
    match name {
        "index.json.blob" => blob::decode(content)
            .is_ok_and(|json| serde_json::from_slice::<Manifest>(&json).is_ok()),
        "owner" => str::from_utf8(content).is_ok_and(|owner| Owner::new(owner.trim()).is_ok()),
        ".gc-status" => serde_json::from_slice::<serde_json::Value>(content).is_ok(),
        _ => true,
    }
}
