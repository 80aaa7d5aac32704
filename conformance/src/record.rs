//! The machine-readable record of a run: one JSON line each.

use crate::lock_order::Taking;
use serde::Serialize;
use specs::lock_class::Mode;
use specs::mutant::MUTANTS;
use specs::property::Mood;
use specs::{Design, Mutant};
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
    /// Nothing is broken, and a premise never held, a witness is missing, or real files cannot show the property.
    Untested,
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
            Self::Untested | Self::Violated | Self::Diverged => 1,
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
            Self::Untested => "untested",
            Self::Violated => "violated",
            Self::Diverged => "diverged",
        })
    }
}

/// What was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// The model was explored.
    Check,
    /// Every edge but kills was replayed.
    Replay,
    /// Every kill was replayed.
    Kill,
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Check => "check",
            Self::Replay => "replay",
            Self::Kill => "kill",
        })
    }
}

/// What is common to every run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// What was run.
    pub kind: RunKind,
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: Design,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<&'static str>,
    /// What it says.
    pub verdict: Verdict,
    /// Whether it was run to its end.
    pub complete: bool,
    /// States that the model reaches.
    pub states: u64,
    /// Edges of the model's graph.
    pub edges: u64,
    /// Events from the start to the farthest state; none where the search does not tell.
    pub depth: Option<u32>,
    /// Time in seconds.
    pub seconds: f64,
    /// What is wrong, one sentence each.
    pub failures: Vec<String>,
}

impl Run {
    /// What was run of the protocol: the mutant, the design, or that with faults.
    pub fn variant(&self) -> String {
        let is_on_board = |name: &str| {
            let is_it = |mutant: &Mutant| mutant.name == name && mutant.design() == self.design;
            MUTANTS.iter().any(is_it)
        };
        match self.mutant {
            None => self.design.name(),
            Some(name) if is_on_board(name) => name.to_owned(),
            Some(faults) => format!("{} with {faults}", self.design),
        }
    }
}

/// A scenario that was explored.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is common to every run.
    #[serde(flatten)]
    pub run: Run,
    /// `lockstep`, `stateright` or `both`.
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
    /// Whether it speaks of every state or of some.
    pub mood: Mood,
    /// `holds`; `violated`; `not_tested`, if its premise never held; or `exception`, if it is violated as an exception says.
    pub verdict: &'static str,
    /// In how many states its premise held.
    pub premise: u64,
    /// In how many states it was violated or witnessed.
    pub hits: u64,
    /// Events of the shortest example.
    pub trace_length: Option<usize>,
}

/// A scenario that was replayed; its `edges` are those that are to be taken, kills in a record of kind `kill` and the others in the other one.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// What is common to every run; `edges` are those that a replay takes.
    #[serde(flatten)]
    pub run: Run,
    /// Edges that were taken on real files.
    pub edges_replayed: u64,
    /// Edges that are kills, which a replay with `--kill` takes.
    pub kill_edges: u64,
    /// Steps that were compared.
    pub steps: u64,
    /// Traces in which they were taken.
    pub traces: u64,
    /// Single values that were compared.
    pub compared_fields: u64,
    /// Holders of locks that the kernel showed.
    pub locks_witnessed: u64,
    /// The properties that the model breaks. A replay that holds says that the code does the same.
    pub model_breaks: Vec<&'static str>,
    /// The locks that were taken while others were held, each with the number of a trace; not part of the record.
    #[serde(skip)]
    pub takings: BTreeMap<Taking, usize>,
}

/// A share of many graphs, replayed: of each graph what none before it has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// `share`.
    pub kind: &'static str,
    /// What the graphs are of: a set of questions, or a mutant in all scenarios.
    pub of: String,
    /// The design.
    pub design: Design,
    /// What it says.
    pub verdict: Verdict,
    /// Whether every graph was looked at to its end.
    pub complete: bool,
    /// The graphs.
    pub graphs: usize,
    /// Those that have shown something new.
    pub graphs_replayed: usize,
    /// What was shown: steps with their outcomes, each beside every place of another operation.
    pub sights: usize,
    /// Edges of all graphs, kills not counted.
    pub edges: u64,
    /// Those that lie on a replayed path.
    pub edges_replayed: u64,
    /// Traces that were replayed.
    pub traces: u64,
    /// Events that happened.
    pub steps: u64,
    /// Single values that were compared.
    pub compared_fields: u64,
    /// Time in seconds.
    pub seconds: f64,
    /// What is wrong, in sentences.
    pub failures: Vec<String>,
}

impl Share {
    /// Nothing was replayed yet.
    pub fn of(of: &str, design: Design) -> Self {
        Self {
            kind: "share",
            of: of.to_owned(),
            design,
            verdict: Verdict::Holds,
            complete: true,
            graphs: 0,
            graphs_replayed: 0,
            sights: 0,
            edges: 0,
            edges_replayed: 0,
            traces: 0,
            steps: 0,
            compared_fields: 0,
            seconds: 0.0,
            failures: Vec::new(),
        }
    }
}

/// The end of the gate: what it says, and what it did.
#[derive(Clone, Debug, Serialize)]
pub struct Gate {
    /// `gate`.
    pub kind: &'static str,
    /// The worst verdict of all that it ran; a mutant that survives counts as `violated` here.
    pub verdict: Verdict,
    /// Whether nothing was cut short.
    pub complete: bool,
    /// Scenarios that were explored.
    pub scenarios: usize,
    /// Their states, each counted by two checkers.
    pub states: u64,
    /// Generated questions that were asked.
    pub questions: usize,
    /// Their states.
    pub question_states: u64,
    /// Edges that were replayed on real locks, and kills.
    pub edges_replayed: u64,
    /// Steps that were compared in these replays.
    pub steps: u64,
    /// Mutants that were found.
    pub mutants_found: usize,
    /// Mutants that are proven to make no difference.
    pub mutants_equivalent: usize,
    /// Mutants of which anything is not as it should be: they survive, diverge, or were cut short.
    pub mutants_failed: usize,
    /// Time in seconds.
    pub seconds: f64,
}

/// A behaviour of a file that was replayed.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedTrace {
    /// `replayed_trace`.
    pub kind: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: Design,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<String>,
    /// The property that is judged on the real files.
    pub property: &'static str,
    /// `violated` if the real files show that the property is broken, where the model breaks it first; `untested` if the model does not break it, or files cannot show it; `diverged` if a step was not as the model says, or the files do not show what the model says.
    pub verdict: Verdict,
    /// Whether it was replayed to its end; nothing is behind the event with which its property breaks first.
    pub complete: bool,
    /// Steps that were compared, until the property broke or the behaviour diverged.
    pub steps: usize,
    /// What the real files show, or the first difference, in a sentence.
    pub witness: String,
}

/// There is no behaviour to draw.
#[derive(Clone, Debug, Serialize)]
pub struct NoTrace {
    /// `no_trace`.
    pub kind: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: Design,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<String>,
    /// The property that was asked for; null for every one of the scenario.
    pub property: Option<String>,
    /// `holds`: in no state is anything broken or witnessed.
    pub verdict: Verdict,
    /// Whether the scenario was explored to its end.
    pub complete: bool,
}

/// A scenario is shown in the browser.
#[derive(Clone, Debug, Serialize)]
pub struct Explored {
    /// `explore`.
    pub kind: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The mutant, or the faults by their names, if there is one.
    pub mutant: Option<&'static str>,
    /// Where it is shown.
    pub url: String,
    /// Where the shortest counterexample of the mutant is shown.
    pub counterexample: Option<String>,
}

/// A design that was asked for, with what its changes require; it comes before what the command says of that design.
#[derive(Clone, Debug, Serialize)]
pub struct CompletedDesign {
    /// `completed_design`.
    pub kind: &'static str,
    /// What was asked for.
    pub asked: String,
    /// The design that it stands for.
    pub design: Design,
    /// The changes that came along, since others require them.
    pub added: Vec<&'static str>,
    /// The changes that were taken away as well, since they require what was taken away.
    pub taken_away: Vec<&'static str>,
}

/// Wrong use, or an environment that cannot carry the run.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// `error`.
    pub kind: &'static str,
    /// What is wrong and how to mend it, in a sentence.
    pub message: String,
}

/// A line of the seed board.
#[derive(Clone, Debug, Serialize)]
pub struct Seed {
    /// `mutants`.
    pub kind: &'static str,
    /// The mutant.
    pub mutant: &'static str,
    /// Its number in the reading notes, or `-`.
    pub number: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: Design,
    /// The property that falls.
    pub property: &'static str,
    /// `violated` if it was found, which is what is wished for. `holds` if its property falls nowhere: it is `equivalent`, or
    /// survives, and then `failures` says so. `skipped` if it cannot be found in this way, `cut` if the search ended early,
    /// `diverged` if model and real files part.
    pub verdict: Verdict,
    /// Whether the search was run to its end.
    pub complete: bool,
    /// Events of the trace that shows it; 0 without one.
    pub trace_length: usize,
    /// Whether it makes no difference that anybody can see.
    pub equivalent: bool,
    /// The files of its traces.
    pub traces: BTreeMap<String, String>,
    /// Who finds it, out of `model`, `loom`, `replay`, `kill` and `lock_order`.
    pub found_by: Vec<&'static str>,
    /// Why the others cannot find it.
    pub not_applicable: BTreeMap<&'static str, String>,
    /// Executions under loom until it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions: Option<u64>,
    /// What the real files show.
    pub witness: Option<String>,
    /// Time in seconds.
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
    /// `operation`, `step`, `lock`, `property`, `mutant`, `scenario`, `design`, `change`, `set`, `tree`, `task` or `litmus_test`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it is, in a sentence.
    pub sentence: String,
    /// The fields of a lock class.
    #[serde(flatten)]
    pub lock: Option<ListedLock>,
    /// The fields of a change.
    #[serde(flatten)]
    pub change: Option<ListedChange>,
    /// The changes of a design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<&'static str>>,
    /// The number of questions of a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub questions: Option<usize>,
}

/// What is fixed for a change that designs are made of.
#[derive(Clone, Debug, Serialize)]
pub struct ListedChange {
    /// `mend`, `bug` or `era`.
    pub nature: &'static str,
    /// The page of the weakness that it mends, in `specs/findings`.
    pub finding: Option<&'static str>,
    /// What keeps a mend that no property needs.
    pub kept_by: Option<&'static str>,
    /// Changes that come along with it.
    pub requires: Vec<&'static str>,
    /// Changes that no design has beside it.
    pub excludes: Vec<&'static str>,
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
