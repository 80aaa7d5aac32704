//! The trees that questions are asked on.

use crate::id::{Chunk, Group, Namespace, Snapshot};
use crate::scenario::{IndexOf, SnapshotAt, Start};

/// What there is at the start, and what may be backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Its name.
    pub name: &'static str,
    /// What it holds, in a sentence.
    pub sentence: &'static str,
    /// Names of the namespaces.
    pub namespaces: &'static [&'static str],
    /// Names of the groups.
    pub groups: &'static [&'static str],
    /// The snapshots, oldest first.
    pub snapshots: &'static [SnapshotAt],
    /// The index files.
    pub indexes: &'static [IndexOf],
    /// Number of chunks, all of them older than the cutoff.
    pub chunks: u8,
    /// Groups that exist without a snapshot.
    pub empty_groups: &'static [(Namespace, Group)],
    /// Snapshots that are protected.
    pub protected: &'static [Snapshot],
    /// Chunks whose contents are not those of their digest.
    pub corrupt: &'static [Chunk],
    /// Groups that have notes.
    pub notes: &'static [(Namespace, Group)],
    /// Whether the journal has a line that no append wrote.
    pub foreign_line: bool,
}

const ROOT: Namespace = Namespace(0);
const A: Namespace = Namespace(1);
const B: Namespace = Namespace(2);

const fn snapshot(group: u8, time: &'static str, namespace: Namespace, start: Start) -> SnapshotAt {
    SnapshotAt {
        group: Group(group),
        time,
        namespace,
        start,
    }
}

const fn index(snapshot: u8, name: &'static str, chunks: &'static [Chunk]) -> IndexOf {
    IndexOf {
        snapshot: Some(Snapshot(snapshot)),
        name,
        chunks,
    }
}

const DRIVE: &str = "drive-scsi0.img.fidx";
const SECOND_DRIVE: &str = "drive-scsi1.img.fidx";
const FIRST: &str = "2026-07-14T04:33:20Z";
const SECOND: &str = "2026-07-14T05:33:20Z";
const LATEST: &str = "2026-07-14T06:33:20Z";
const LAST: &str = "2026-07-14T07:33:20Z";

/// Namespaces a and b, and a group with one snapshot in a.
const ONE_CHUNK: Tree = Tree {
    name: "one_chunk",
    sentence: "Namespaces a and b, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in b. One chunk, which all name.",
    namespaces: &["a", "b"],
    groups: &["vm/100"],
    snapshots: &[
        snapshot(0, FIRST, A, Start::Finished),
        snapshot(0, SECOND, A, Start::Later),
        snapshot(0, LATEST, B, Start::Later),
    ],
    indexes: &[
        index(0, DRIVE, &[Chunk(0)]),
        index(1, DRIVE, &[Chunk(0)]),
        index(2, DRIVE, &[Chunk(0)]),
    ],
    chunks: 1,
    empty_groups: &[],
    protected: &[],
    corrupt: &[],
    notes: &[],
    foreign_line: false,
};

const TWO_FILES: Tree = Tree {
    name: "two_files",
    sentence: "Namespaces a and b, one group: snapshot 0 is in a; 1 can be backed up in a. Two index files each, and two chunks.",
    snapshots: &[
        snapshot(0, FIRST, A, Start::Finished),
        snapshot(0, SECOND, A, Start::Later),
    ],
    indexes: &[
        index(0, DRIVE, &[Chunk(0)]),
        index(0, SECOND_DRIVE, &[Chunk(1)]),
        index(1, DRIVE, &[Chunk(0)]),
        index(1, SECOND_DRIVE, &[Chunk(1)]),
    ],
    chunks: 2,
    ..ONE_CHUNK
};

const TWO_GROUPS: Tree = Tree {
    name: "two_groups",
    sentence: "Namespaces a and b, two groups: snapshot 0 of the first and 1 of the second are in a; 2 of the first can be backed up in b. One chunk, which all name.",
    groups: &["vm/100", "vm/101"],
    snapshots: &[
        snapshot(0, FIRST, A, Start::Finished),
        snapshot(1, SECOND, A, Start::Finished),
        snapshot(0, LATEST, B, Start::Later),
    ],
    ..ONE_CHUNK
};

/// All trees; the first one is meant where none is named. Those with one group and one chunk have every shape of up to four
/// namespaces over two names; which name stands where makes no difference, only which of two in one place is listed first.
pub const TREES: &[Tree] = &[
    ONE_CHUNK,
    TWO_FILES,
    TWO_GROUPS,
    Tree {
        name: "four_snapshots",
        sentence: "Namespaces a and b, one group: snapshots 0 and 1 are in a; 2 can be backed up in a, 3 in b. One chunk, which all name.",
        snapshots: &[
            snapshot(0, FIRST, A, Start::Finished),
            snapshot(0, SECOND, A, Start::Finished),
            snapshot(0, LATEST, A, Start::Later),
            snapshot(0, LAST, B, Start::Later),
        ],
        indexes: &[
            index(0, DRIVE, &[Chunk(0)]),
            index(1, DRIVE, &[Chunk(0)]),
            index(2, DRIVE, &[Chunk(0)]),
            index(3, DRIVE, &[Chunk(0)]),
        ],
        ..ONE_CHUNK
    },
    Tree {
        name: "protected",
        sentence: "As two_groups, and snapshot 0 is protected.",
        protected: &[Snapshot(0)],
        ..TWO_GROUPS
    },
    Tree {
        name: "corrupt",
        sentence: "As two_files, and chunk 0 is corrupt.",
        corrupt: &[Chunk(0)],
        ..TWO_FILES
    },
    Tree {
        name: "notes",
        sentence: "As the first one, and the group in a has notes; so has an empty group of its name in b.",
        empty_groups: &[(B, Group(0))],
        notes: &[(A, Group(0)), (B, Group(0))],
        ..ONE_CHUNK
    },
    Tree {
        name: "foreign_line",
        sentence: "As the first one, and the journal has a line that no append wrote.",
        foreign_line: true,
        ..ONE_CHUNK
    },
    Tree {
        name: "root",
        sentence: "Only the root namespace, one group: snapshot 0 is in it, and 1 can be backed up. One chunk, which both name.",
        namespaces: &[],
        snapshots: &[
            snapshot(0, FIRST, ROOT, Start::Finished),
            snapshot(0, SECOND, ROOT, Start::Later),
        ],
        indexes: &[index(0, DRIVE, &[Chunk(0)]), index(1, DRIVE, &[Chunk(0)])],
        ..ONE_CHUNK
    },
    Tree {
        name: "one_namespace",
        sentence: "Namespace a, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in the root namespace. One chunk, which all name.",
        namespaces: &["a"],
        snapshots: &[
            snapshot(0, FIRST, A, Start::Finished),
            snapshot(0, SECOND, A, Start::Later),
            snapshot(0, LATEST, ROOT, Start::Later),
        ],
        ..ONE_CHUNK
    },
    Tree {
        name: "nested",
        sentence: "Namespaces a and a/b, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in a/b. One chunk, which all name.",
        namespaces: &["a", "a/b"],
        ..ONE_CHUNK
    },
    Tree {
        name: "nested_in_first",
        sentence: "Namespaces a, a/b and b, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in a/b. One chunk, which all name.",
        namespaces: &["a", "a/b", "b"],
        ..ONE_CHUNK
    },
    Tree {
        name: "nested_in_second",
        sentence: "Namespaces a, b and b/a, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in b/a. One chunk, which all name.",
        namespaces: &["a", "b", "b/a"],
        snapshots: &[
            snapshot(0, FIRST, A, Start::Finished),
            snapshot(0, SECOND, A, Start::Later),
            snapshot(0, LATEST, Namespace(3), Start::Later),
        ],
        ..ONE_CHUNK
    },
    Tree {
        name: "two_in_one",
        sentence: "Namespaces a, a/a and a/b, one group: snapshot 0 is in a/a; 1 can be backed up in a/a, 2 in a/b. One chunk, which all name.",
        namespaces: &["a", "a/a", "a/b"],
        snapshots: &[
            snapshot(0, FIRST, Namespace(2), Start::Finished),
            snapshot(0, SECOND, Namespace(2), Start::Later),
            snapshot(0, LATEST, Namespace(3), Start::Later),
        ],
        ..ONE_CHUNK
    },
    Tree {
        name: "three_deep",
        sentence: "Namespaces a, a/b and a/b/a, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in a/b/a. One chunk, which all name.",
        namespaces: &["a", "a/b", "a/b/a"],
        snapshots: &[
            snapshot(0, FIRST, A, Start::Finished),
            snapshot(0, SECOND, A, Start::Later),
            snapshot(0, LATEST, Namespace(3), Start::Later),
        ],
        ..ONE_CHUNK
    },
];

impl Tree {
    /// The snapshot that can be backed up in a namespace.
    pub fn to_back_up(&self, namespace: Namespace) -> Option<Snapshot> {
        let is_meant = |at: &SnapshotAt| at.start == Start::Later && at.namespace == namespace;
        let place = self.snapshots.iter().position(is_meant)?;
        u8::try_from(place).ok().map(Snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A namespace with so many namespaces below it: its children in their order, each in brackets.
    fn shapes(nodes: usize) -> Vec<String> {
        let Some(below) = nodes.checked_sub(1) else {
            return Vec::new();
        };
        let mut found = vec![String::from("()")].split_off(below.min(1));
        found.extend(shapes(below).iter().map(|one| format!("({one})")));
        for first in 1..below {
            let second = shapes(below - first);
            let both = |one: String| second.iter().map(move |other| format!("({one}{other})"));
            found.extend(shapes(first).into_iter().flat_map(both));
        }
        found
    }

    fn shape(tree: &Tree, namespace: &str) -> String {
        let is_child = |name: &&&str| {
            let above = name.rsplit_once('/').map_or("", |(above, _)| above);
            above == namespace
        };
        let children = tree.namespaces.iter().filter(is_child);
        let below: String = children.map(|child| shape(tree, child)).collect();
        format!("({below})")
    }

    #[test]
    fn every_shape_of_up_to_four_namespaces_over_two_names_is_a_tree() {
        let wanted: BTreeSet<String> = (1..=4).flat_map(shapes).collect();
        let all: BTreeSet<String> = TREES.iter().map(|tree| shape(tree, "")).collect();
        assert_eq!(all, wanted);
        assert_eq!(wanted.len(), 8);
    }
}
