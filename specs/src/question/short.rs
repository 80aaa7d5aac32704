//! Short names of tasks: each stands beside the table of its operation, and this lists them all.

use super::tree::Tree;
use crate::op::Op;
use crate::scenario::Task;

/// The short name of a task.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    /// The name.
    pub name: &'static str,
    /// What it is called with.
    pub takes: &'static [Argument],
    /// How it is called, for whoever got it wrong.
    pub usage: &'static str,
    /// The task; none if the arguments make no sense in that tree.
    pub task: fn(&Tree, &[u8]) -> Option<Task>,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A namespace, by its name; `.` is the root namespace.
    Namespace,
    /// A snapshot, by its number in the tree: the oldest is 0.
    Snapshot,
    /// A group, by its number in the tree. Where there is only one it is left out.
    Group,
}

impl Argument {
    /// Whether it goes without saying in a tree.
    pub(super) fn is_implied(self, tree: &Tree) -> bool {
        self == Self::Group && tree.groups.len() == 1
    }

    /// How many there are in a tree.
    pub(super) fn count(self, tree: &Tree) -> usize {
        match self {
            Self::Namespace => tree.namespaces.len() + 1,
            Self::Snapshot => tree.snapshots.len(),
            Self::Group => tree.groups.len(),
        }
    }

    pub(super) fn read(self, tree: &Tree, text: &str) -> Option<u8> {
        match self {
            Self::Namespace if text == "." => Some(0),
            Self::Namespace => {
                let place = tree.namespaces.iter().position(|name| *name == text)?;
                u8::try_from(place + 1).ok()
            }
            Self::Snapshot | Self::Group => {
                // As it is shown, and in no other way: a question has one name.
                let number: u8 = text.parse().ok()?;
                let is_there = usize::from(number) < self.count(tree);
                (is_there && self.show(tree, number) == text).then_some(number)
            }
        }
    }

    pub(super) fn show(self, tree: &Tree, argument: u8) -> String {
        match self {
            Self::Namespace => match argument.checked_sub(1) {
                Some(n) => tree.namespaces[usize::from(n)].to_owned(),
                None => ".".to_owned(),
            },
            Self::Snapshot | Self::Group => argument.to_string(),
        }
    }
}

/// The name tells them apart.
impl PartialEq for Short {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Short {}

impl PartialOrd for Short {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Short {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(other.name)
    }
}

/// All of them, in the order of the operations.
pub fn all() -> impl Iterator<Item = &'static Short> {
    Op::ALL.iter().flat_map(|op| op.shorts())
}
