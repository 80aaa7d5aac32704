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
}

const VM_100: Group = Group(0);
const A: Namespace = Namespace(1);
const B: Namespace = Namespace(2);

const fn snapshot(time: &'static str, namespace: Namespace, start: Start) -> SnapshotAt {
    SnapshotAt {
        group: VM_100,
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

/// All trees; the first one is meant where none is named.
pub const TREES: &[Tree] = &[
    Tree {
        name: "one_chunk",
        sentence: "Namespaces a and b, one group: snapshot 0 is in a; 1 can be backed up in a, 2 in b. One chunk, which all name.",
        namespaces: &["a", "b"],
        groups: &["vm/100"],
        snapshots: &[
            snapshot(FIRST, A, Start::Finished),
            snapshot(SECOND, A, Start::Later),
            snapshot(LATEST, B, Start::Later),
        ],
        indexes: &[
            index(0, DRIVE, &[Chunk(0)]),
            index(1, DRIVE, &[Chunk(0)]),
            index(2, DRIVE, &[Chunk(0)]),
        ],
        chunks: 1,
    },
    Tree {
        name: "two_files",
        sentence: "Namespaces a and b, one group: snapshot 0 is in a; 1 can be backed up in a. Two index files each, and two chunks.",
        namespaces: &["a", "b"],
        groups: &["vm/100"],
        snapshots: &[
            snapshot(FIRST, A, Start::Finished),
            snapshot(SECOND, A, Start::Later),
        ],
        indexes: &[
            index(0, DRIVE, &[Chunk(0)]),
            index(0, SECOND_DRIVE, &[Chunk(1)]),
            index(1, DRIVE, &[Chunk(0)]),
            index(1, SECOND_DRIVE, &[Chunk(1)]),
        ],
        chunks: 2,
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
