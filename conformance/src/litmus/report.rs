//! What came of a litmus test in all worlds, and whether it is as the test claims.

use super::memory::{self, Explored};
use super::question::Answer;
use super::real::{self, Options, Real};
use super::{Count, Frequency, Histogram, Litmus, Memory, Model};
use crate::loom_explore::End;
use crate::record::Verdict;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// A litmus test in all worlds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `litmus`.
    pub kind: &'static str,
    /// The test.
    pub name: &'static str,
    /// What is assumed.
    pub assumes: &'static str,
    /// Who relies on it.
    pub relied_on_by: &'static str,
    /// The condition.
    pub condition: String,
    /// How often it may come true on Linux.
    pub expected: Frequency,
    /// What it says: `holds`, `skipped`, `cut` or `violated`.
    pub verdict: Verdict,
    /// How often it came true on Linux; none if the test was skipped.
    pub linux: Option<Frequency>,
    /// Tries on Linux in which it came true.
    pub positive: u64,
    /// Tries on Linux in which it did not.
    pub negative: u64,
    /// The outcomes on Linux.
    pub histogram: BTreeMap<String, Count>,
    /// How often it comes true in memory, under loom; none if the machine there cannot run it.
    pub loom: Option<Frequency>,
    /// The outcomes there.
    pub loom_outcomes: Vec<String>,
    /// Executions in memory.
    pub executions: u64,
    /// How often it comes true in the model; none if the model has no such thing.
    pub model: Option<Frequency>,
    /// Why it was skipped.
    pub skipped: Option<String>,
    /// Time in seconds.
    pub seconds: f64,
    /// What is wrong, one sentence each.
    pub failures: Vec<String>,
}

/// Runs a test in all worlds that have it.
pub fn run(
    litmus: &Litmus,
    tries: u64,
    threads: usize,
    options: &Options,
    done: &dyn Fn(u64),
) -> anyhow::Result<Report> {
    let begin = Instant::now();
    let explored = in_memory(litmus)?;
    let answer = in_model(litmus, threads)?;
    let real = real::run(litmus, tries, options, done)?;
    let mut report = judge(litmus, &real, explored.as_ref(), answer);
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// What the machine in memory says; none if it has no such thing.
pub fn in_memory(litmus: &Litmus) -> anyhow::Result<Option<Explored>> {
    match memory::lacks(litmus) {
        Some(_) => Ok(None),
        None => memory::explore(litmus).map(Some),
    }
}

/// What the model says; none if it has no such thing.
pub fn in_model(litmus: &Litmus, threads: usize) -> anyhow::Result<Option<Answer>> {
    match litmus.model {
        Model::Lacks(_) => Ok(None),
        Model::Says(_, question) => question.answer(threads).map(Some),
    }
}

/// Compares what came of a test with what it claims.
pub fn judge(
    litmus: &Litmus,
    real: &Real,
    explored: Option<&Explored>,
    answer: Option<Answer>,
) -> Report {
    let mut failures = Vec::new();
    let (histogram, skipped) = match real {
        Real::Ran(histogram) => (histogram.clone(), None),
        Real::Refused(reason) => (Histogram::default(), Some(reason.clone())),
        Real::Broken(sentence) => {
            failures.push(format!("on Linux {sentence}"));
            (Histogram::default(), None)
        }
    };
    let linux = histogram.frequency();
    if let Some(seen) = linux.filter(|seen| !litmus.expected.allows(*seen)) {
        failures.push(format!(
            "on Linux {} is {seen} so, and is expected {}",
            litmus.condition_text(),
            litmus.expected
        ));
    }
    let cut = explored.filter(|explored| explored.end != End::Complete);
    // Nothing is told from what a cut exploration has not seen.
    if let Some(explored) = explored.filter(|explored| explored.end == End::Complete) {
        failures.extend(beside_memory(litmus, &histogram, explored));
    }
    if let (Model::Says(claimed, _), Some(answer)) = (litmus.model, answer) {
        if claimed != answer.frequency {
            failures.push(format!(
                "the model says {}, and the test claims {claimed}",
                answer.frequency
            ));
        }
        if let Some(seen) = linux.filter(|seen| !answer.frequency.allows(*seen)) {
            failures.push(format!(
                "the model says {}, and on Linux it is {seen} so",
                answer.frequency
            ));
        }
    }
    let verdict = if !failures.is_empty() {
        Verdict::Violated
    } else if cut.is_some() {
        Verdict::Cut
    } else if skipped.is_some() {
        Verdict::Skipped
    } else {
        Verdict::Holds
    };
    failures
        .extend(cut.map(|cut| format!("in memory not every interleaving was seen: {:?}", cut.end)));
    let (positive, negative) = histogram.positive_and_negative();
    Report {
        kind: "litmus",
        name: litmus.name,
        assumes: litmus.assumes,
        relied_on_by: litmus.relied_on_by,
        condition: litmus.condition_text(),
        expected: litmus.expected,
        verdict,
        linux,
        positive,
        negative,
        histogram: histogram.outcomes().clone(),
        loom: explored.and_then(Explored::frequency),
        loom_outcomes: explored
            .map(|explored| explored.outcomes.outcomes().keys().cloned().collect())
            .unwrap_or_default(),
        executions: explored.map_or(0, |explored| explored.executions),
        model: answer.map(|answer| answer.frequency),
        skipped,
        seconds: 0.0,
        failures,
    }
}

/// What is wrong between Linux and the machine in memory.
fn beside_memory(litmus: &Litmus, histogram: &Histogram, explored: &Explored) -> Vec<String> {
    let mut failures = Vec::new();
    let claimed = match litmus.memory {
        Memory::Same => {
            let known = explored.outcomes.outcomes();
            let new = histogram
                .outcomes()
                .keys()
                .filter(|outcome| !known.contains_key(*outcome));
            failures.extend(new.map(|outcome| {
                format!("in memory there is no outcome {outcome}, and on Linux there is")
            }));
            litmus.expected
        }
        Memory::Differs(claimed, _) => claimed,
    };
    if let Some(found) = explored.frequency().filter(|found| *found != claimed) {
        failures.push(format!(
            "in memory {} is {found} so, and the test claims {claimed}",
            litmus.condition_text()
        ));
    }
    failures
}
