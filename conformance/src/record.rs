//! The machine-readable record of a run: one JSON line each.

use crate::lock_order::Taking;
use serde::Serialize;
use specs::lock_class::Mode;
use std::collections::BTreeMap;
use std::fmt;

/// What a run says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was run to its end and holds.
    Holds,
    /// It was skipped; the record says why.
    Skipped,
    /// It was cut short, so nothing is known.
    Cut,
    /// A property is broken.
    Violated,
    /// The model and the real thing part: a defect of ours.
    Diverged,
}

impl Verdict {
    /// The exit code of a command whose worst verdict this is.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Holds | Self::Skipped => 0,
            Self::Violated | Self::Diverged => 1,
            Self::Cut => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Skipped => "skipped",
            Self::Cut => "cut",
            Self::Violated => "violated",
            Self::Diverged => "diverged",
        })
    }
}

/// What is common to every run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// `check`, `replay`, `kill` or `mutants`.
    pub kind: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: &'static str,
    /// The mutant, if there is one.
    pub mutant: Option<&'static str>,
    /// What it says.
    pub verdict: Verdict,
    /// Whether it was run to its end.
    pub complete: bool,
    /// States of the model.
    pub states: u64,
    /// Edges of the model's graph.
    pub edges: u64,
    /// Length of the longest shortest path.
    pub depth: u32,
    /// Time.
    pub seconds: f64,
    /// What is wrong, one sentence each.
    pub failures: Vec<String>,
}

/// A run of the checker.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is common to every run.
    #[serde(flatten)]
    pub run: Run,
    /// `lockstep`, `stateright`, or both.
    pub engine: &'static str,
    /// Threads.
    pub threads: usize,
    /// The properties.
    pub properties: Vec<Asked>,
    /// How often each kind of step was taken.
    pub coverage: BTreeMap<String, u64>,
    /// The odds that two states were taken for one.
    pub collision_odds: f64,
    /// Peak of the engine's own tables in bytes.
    pub peak_bytes: u64,
}

/// A property as it was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Its name.
    pub name: &'static str,
    /// `always` or `sometimes`.
    pub mood: &'static str,
    /// In how many states its premise held.
    pub premise: u64,
    /// In how many states it was violated or witnessed.
    pub hits: u64,
    /// Events of the shortest example.
    pub trace_length: Option<usize>,
}

/// A replay.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// What is common to every run; `edges` are those that a replay takes.
    #[serde(flatten)]
    pub run: Run,
    /// Edges that were taken on real files.
    pub edges_replayed: u64,
    /// Edges that are kills: taken by `--kill`.
    pub kill_edges: u64,
    /// Steps that were compared.
    pub steps: u64,
    /// Traces.
    pub traces: u64,
    /// Single values that were compared.
    pub compared_fields: u64,
    /// Holders of locks that the kernel showed.
    pub locks_witnessed: u64,
    /// The locks that were taken while others were held, each with the number of a trace; not part of the record.
    #[serde(skip)]
    pub takings: BTreeMap<Taking, usize>,
}

/// A line of the seed board.
#[derive(Clone, Debug, Serialize)]
pub struct Seed {
    /// `mutants`.
    pub kind: &'static str,
    /// The mutant.
    pub mutant: &'static str,
    /// Its number in the list of candidates.
    pub number: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: &'static str,
    /// The property that falls.
    pub property: &'static str,
    /// `violated` is what is wished for here; anything else is a defect of ours.
    pub verdict: Verdict,
    /// Whether the run ended as it should.
    pub complete: bool,
    /// Events of the shortest trace.
    pub trace_length: usize,
    /// Whether its graph is the same as that of its base.
    pub equivalent: bool,
    /// Name to file.
    pub traces: BTreeMap<String, String>,
    /// Who finds it.
    pub found_by: Vec<&'static str>,
    /// Why a cell cannot apply.
    pub not_applicable: BTreeMap<&'static str, String>,
    /// Executions under loom until it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions: Option<u64>,
    /// What the real files show.
    pub witness: Option<String>,
    /// Time.
    pub seconds: f64,
    /// What was noted on the way, and is no defect by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What is wrong, one sentence each.
    pub failures: Vec<String>,
}

/// One thing that exists.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// `operation`, `step`, `lock`, `property`, `mutant`, `scenario`, `design` or `litmus`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it is, in a sentence.
    pub sentence: String,
    /// The fields of a lock class.
    #[serde(flatten)]
    pub lock: Option<ListedLock>,
}

/// What is fixed for a lock class.
#[derive(Clone, Debug, Serialize)]
pub struct ListedLock {
    /// Place in the order.
    pub rank: u8,
    /// Where its file lies.
    pub path: &'static str,
    /// Owner of its file.
    pub owner: &'static str,
    /// Mode of its file.
    pub mode: &'static str,
    /// The modes in which it is taken.
    pub modes: &'static [Mode],
    /// How long takers wait, in words.
    pub wait: String,
    /// The steps that take it, or who does in Proxmox Backup.
    pub taken_by: Vec<String>,
    /// Who removes its file.
    pub removed_by: &'static str,
}
