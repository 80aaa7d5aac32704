//! The allowed order, `specs/lock-order.txt`, and in what a graph differs from it.

use super::graph::LockGraph;
use super::{Edge, Node, wait_name};
use anyhow::{Context as _, bail, ensure};
use specs::lock_class::{CLASSES, Mode, Wait};
use std::collections::BTreeSet;

/// The edges that may be, as the file has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(BTreeSet<Edge>);

impl Allowed {
    /// Reads a file: an edge a line, by rank; comments begin with `#`.
    ///
    /// # Errors
    ///
    /// A line that is no edge, one that is there twice, or one that is not in its place.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let mut edges = BTreeSet::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let at = || format!("line {number} of the allowed lock order: {line}");
            let edge = edge(line).with_context(at)?;
            if let Some(last) = edges.last() {
                ensure!(edge > *last, "{} stands after {last}", at());
            }
            edges.insert(edge);
        }
        Ok(Self(edges))
    }

    /// The file as it was when this was built.
    pub fn checked_in() -> anyhow::Result<Self> {
        Self::read(specs::lock_class::LOCK_ORDER)
    }

    /// The edges.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.0.iter()
    }

    /// Whether an edge may be.
    pub fn has(&self, edge: &Edge) -> bool {
        self.0.contains(edge)
    }

    /// Edges of a graph that may not be.
    pub fn forbidden(&self, graph: &LockGraph) -> Vec<Edge> {
        let edges = graph.edges();
        let forbidden = edges.keys().filter(|edge| !self.has(edge));
        forbidden.map(|edge| (*edge).clone()).collect()
    }

    /// Edges that may be, and that nobody takes.
    pub fn unused(&self, graph: &LockGraph) -> Vec<Edge> {
        let edges = graph.edges();
        let unused = self.0.iter().filter(|edge| !edges.contains_key(edge));
        unused.cloned().collect()
    }
}

/// An edge as it is printed.
fn edge(line: &str) -> anyhow::Result<Edge> {
    let parts = line.split_once(" -> ").and_then(|(held, rest)| {
        let (taken, wait) = rest.split_once(": ")?;
        Some((held, taken, wait))
    });
    let (held, taken, wait) =
        parts.context("an edge reads: CLASS MODE -> CLASS MODE: tries | waits N s | waits")?;
    Ok(Edge {
        held: node(held)?,
        taken: node(taken)?,
        wait: waits(wait)?,
    })
}

fn node(text: &str) -> anyhow::Result<Node> {
    let (name, mode) = text
        .split_once(' ')
        .context("a lock is a class and a mode")?;
    let class = CLASSES.iter().find(|class| class.class.name() == name);
    let class = class.with_context(|| format!("there is no lock class {name}"))?;
    let mode = match mode {
        "shared" => Mode::Shared,
        "exclusive" => Mode::Exclusive,
        _ => bail!("a lock is shared or exclusive, not {mode}"),
    };
    Ok(Node::Class(class.class, mode))
}

fn waits(text: &str) -> anyhow::Result<Wait> {
    let seconds = text
        .strip_prefix("waits ")
        .and_then(|rest| rest.strip_suffix(" s"));
    let wait = match (text, seconds) {
        ("tries", _) => Wait::No,
        ("waits", _) => Wait::Forever,
        (_, Some(seconds)) => Wait::Seconds(seconds.parse().context("no number of seconds")?),
        _ => bail!("whoever takes a lock tries, waits N s or waits, and does not {text}"),
    };
    debug_assert_eq!(wait_name(wait), text);
    Ok(wait)
}
