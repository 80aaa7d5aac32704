//! What is to be said about a lock order: cycles, what is not allowed, and where model and real runs part.

use super::allowed::Allowed;
use super::cycle::{Cycle, cycles};
use super::graph::LockGraph;
use super::real::{EXPLANATIONS, Explanation, Place, RealRuns, beyond_replay};
use super::{Edge, Taking};
use crate::record::Verdict;
use specs::Design;
use std::fmt;

/// The verdict on a lock order, and what it rests on.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The worst of it.
    pub verdict: Verdict,
    /// Possible deadlocks.
    pub cycles: Vec<Cycle>,
    /// What is not as it should be.
    pub differences: Vec<Difference>,
    /// What explains something that only real runs have, and how much.
    pub explained: Vec<(&'static Explanation, usize)>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The allowed order lacks an edge.
    NotAllowed(Edge),
    /// The allowed order has an edge that nobody takes.
    NobodyTakes(Edge),
    /// It has an edge that nobody takes under the design that is asked about, which is another one than that of the file.
    NotInThisDesign(Edge),
    /// In the model of the scenario somebody asks for a lock so, and in no real run.
    OnlyInModel(Taking, &'static str),
    /// In a real run somebody asks for a lock so, and in the model nobody does.
    OnlyInRealRuns(Taking, Place),
    /// No scenario that shows it is replayed.
    NeverReplayed(Taking),
    /// The explanation of a lock that no real run has.
    ExplainsNothing(&'static str),
    /// The reason of an explanation is not true of this edge.
    NotTheReason(&'static str, Edge),
}

impl Difference {
    /// What it makes of the run.
    pub const fn verdict(&self) -> Verdict {
        match self {
            // The file is that of the default design; no other one has to take all of it.
            Self::NotInThisDesign(_) => Verdict::Holds,
            Self::NotAllowed(_) | Self::NobodyTakes(_) => Verdict::Violated,
            Self::OnlyInModel(..)
            | Self::OnlyInRealRuns(..)
            | Self::NeverReplayed(_)
            | Self::ExplainsNothing(_)
            | Self::NotTheReason(..) => Verdict::Diverged,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(edge) => write!(f, "not allowed: {edge}"),
            Self::NobodyTakes(edge) => write!(f, "allowed, and nobody takes it: {edge}"),
            Self::NotInThisDesign(edge) => {
                write!(f, "taken by hardened, and here by nobody: {edge}")
            }
            Self::OnlyInModel(taking, scenario) => {
                write!(f, "only in the model of {scenario}: {taking}")
            }
            Self::OnlyInRealRuns(taking, Place { scenario, trace }) => {
                write!(
                    f,
                    "only in real runs, first in trace {trace} of {scenario}: {taking}"
                )
            }
            Self::NeverReplayed(taking) => {
                write!(f, "only in scenarios that are not replayed: {taking}")
            }
            Self::ExplainsNothing(lock) => {
                write!(
                    f,
                    "an explanation explains nothing: no real run has the {lock}"
                )
            }
            Self::NotTheReason(lock, edge) => {
                write!(f, "the explanation of the {lock} is not true of {edge}")
            }
        }
    }
}

/// Judges a lock order. It is whole if all scenarios were explored: only then is it known what nobody takes.
pub fn judge(
    graph: &LockGraph,
    allowed: &Allowed,
    runs: Option<&RealRuns>,
    is_whole: bool,
) -> Judgement {
    let cycles = cycles(graph);
    let mut differences: Vec<Difference> = Vec::new();
    differences.extend(
        allowed
            .forbidden(graph)
            .into_iter()
            .map(Difference::NotAllowed),
    );
    if is_whole && graph.is_complete() {
        let difference = if graph.design == Design::HARDENED {
            Difference::NobodyTakes
        } else {
            Difference::NotInThisDesign
        };
        differences.extend(allowed.unused(graph).into_iter().map(difference));
    }
    let mut explained = Vec::new();
    if let Some(runs) = runs {
        let missing = runs.missing(graph).into_iter();
        differences
            .extend(missing.map(|(t, scenario)| Difference::OnlyInModel(t.clone(), scenario)));
        let surplus = runs.surplus(graph);
        let unexplained = surplus
            .iter()
            .filter(|(_, _, explanation)| explanation.is_none());
        differences.extend(
            unexplained.map(|(t, place, _)| Difference::OnlyInRealRuns((*t).clone(), *place)),
        );
        let beyond = beyond_replay(graph).into_iter();
        differences.extend(beyond.map(|taking| Difference::NeverReplayed(taking.clone())));
        for explanation in EXPLANATIONS {
            let by_this =
                |e: &Option<&'static Explanation>| e.is_some_and(|e| e.lock == explanation.lock);
            let count = surplus.iter().filter(|(_, _, e)| by_this(e)).count();
            match explanation.exception(runs) {
                Some(edge) => {
                    differences.push(Difference::NotTheReason(explanation.lock, edge.clone()));
                }
                None if count > 0 => explained.push((explanation, count)),
                None if is_whole => differences.push(Difference::ExplainsNothing(explanation.lock)),
                None => {}
            }
        }
    }
    let of_cycles = (!cycles.is_empty()).then_some(Verdict::Violated);
    let of_graph = (!graph.is_complete()).then_some(Verdict::Cut);
    let verdicts = differences.iter().map(Difference::verdict);
    let verdict = verdicts.chain(of_cycles).chain(of_graph).max();
    Judgement {
        verdict: verdict.unwrap_or(Verdict::Holds),
        cycles,
        differences,
        explained,
    }
}
