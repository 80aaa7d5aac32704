//! The small ids that stand for datastore paths in the model; the scenario owns the table of names.

use serde::{Deserialize, Serialize};

/// A namespace of the scenario; 0 is always the root namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Namespace(pub u8);

/// A backup group's type and id (`vm/100`), without the namespace that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group(pub u8);

/// A snapshot: a group and a backup time, without the namespace that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Snapshot(pub u8);

/// An index file of a snapshot, or one that lies outside the hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Index(pub u8);

/// A chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chunk(pub u8);

/// A process of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Process(pub u8);

/// An actor: a thread of a named process that runs one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Actor(pub u8);

/// What the argument of a step label names: a path below the datastore, or a line of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Id {
    /// The directory of a namespace; the base directory for the root namespace.
    Namespace(Namespace),
    /// The directory `ns` below a namespace, which holds its child namespaces.
    Children(Namespace),
    /// The directory of one backup type (`vm`) in a namespace.
    Type(Namespace),
    /// A group directory.
    Group(Namespace, Group),
    /// A snapshot directory.
    Snapshot(Namespace, Snapshot),
    /// An index file.
    Index(Namespace, Index),
    /// An index file under its temporary name.
    Temporary(Namespace, Index),
    /// The manifest of a snapshot.
    Manifest(Namespace, Snapshot),
    /// The file that protects a snapshot.
    Protected(Namespace, Snapshot),
    /// A directory of chunks that share the first four hex digits.
    Prefix,
    /// A chunk file.
    Chunk(Chunk),
    /// A chunk that was set aside as corrupt, with the number in its bad name.
    BadChunk(Chunk, u8),
    /// A line of the move journal, counted from 1.
    Line(u8),
}
