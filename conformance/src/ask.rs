//! Generated questions: each question of a set is explored to its end, every property asked; what breaks is thinned.

mod lines;
pub mod merge;

use crate::record::Verdict;
use anyhow::Context as _;
use model::Scope;
use model::State;
use model::engine::{self, Options};
use model::verdict::{Claim, Completeness, Expected, PropertyRecord, Record};
use serde::{Deserialize, Serialize};
use specs::mutant::Fault;
use specs::question::Asked;
use specs::question::sets::Set;
use specs::{Design, Event, Scenario};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The name under which a deadlock stands among the properties.
pub const DEADLOCK: &str = engine::DEADLOCK;

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The design.
    pub design: Design,
    /// The faults under it.
    pub faults: Vec<Fault>,
    /// The mutant, or the faults by their names; none if there is neither.
    pub mutant: Option<String>,
}

impl Protocol {
    /// A scenario that follows it.
    pub fn scope(&self, question: &Asked) -> Scope {
        Scope::new(question.scenario(), self.design, &self.faults)
    }
}

impl From<Design> for Protocol {
    fn from(design: Design) -> Self {
        Self {
            design,
            faults: Vec::new(),
            mutant: None,
        }
    }
}

/// Whether somebody in a scenario takes the step of a fault.
pub fn is_met(fault: Fault, scenario: &Scenario) -> bool {
    let mut tasks = scenario.actors.iter().map(|(_, task)| task.op());
    tasks.any(|op| op.takes(fault.step()))
}

/// Which part of a set is asked: every n-th question, beginning with the k-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, counted from 1.
    pub k: usize,
    /// How many parts there are.
    pub n: usize,
}

impl Part {
    /// The whole.
    pub const WHOLE: Self = Self { k: 1, n: 1 };

    /// The questions of this part.
    pub fn of(self, all: Vec<Asked>) -> Vec<Asked> {
        all.into_iter().skip(self.k - 1).step_by(self.n).collect()
    }

    /// How many those are, out of so many.
    pub fn size(self, all: usize) -> usize {
        let behind = self.k.saturating_sub(1);
        all.saturating_sub(behind).div_ceil(self.n.max(1))
    }

    /// Refuses more parts than a set has questions: an empty one would show nothing.
    ///
    /// # Errors
    ///
    /// If the part cannot be one of a set of so many questions.
    pub fn check(self, set: &str, questions: usize) -> anyhow::Result<()> {
        anyhow::ensure!(
            (1..=self.n).contains(&self.k) && self.n <= questions,
            "there is no part {self} of {set}, which has {questions} questions; name at most so many parts"
        );
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.k, self.n)
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/');
        let numbers = numbers.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((k, n)) if (1..=n).contains(&k) => Ok(Self { k, n }),
            Some(_) | None => Err(format!("{text} is no part; give K/N, with K from 1 to N")),
        }
    }
}

/// A question in which something is broken.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// `question`.
    pub kind: &'static str,
    /// The set.
    pub set: &'static str,
    /// Its name, which reproduces it.
    pub question: String,
    /// The design.
    pub design: String,
    /// The mutant, or the faults, if there is one.
    pub mutant: Option<String>,
    /// `violated`, or `cut`.
    pub verdict: Verdict,
    /// Whether it was explored to its end.
    pub complete: bool,
    /// The property; `deadlock` if nobody can go on.
    pub property: &'static str,
    /// Events of the shortest trace.
    pub trace_length: usize,
    /// The question with as few tasks as still break it.
    pub thinned: String,
    /// Events of the shortest trace of that.
    pub thinned_length: usize,
}

/// What came of a set, or of a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// `questions`.
    pub kind: String,
    /// The set.
    pub set: String,
    /// Which part of it.
    pub part: Part,
    /// The design.
    pub design: String,
    /// The mutant, or the faults, if there is one.
    #[serde(default)]
    pub mutant: Option<String>,
    /// What it says.
    pub verdict: String,
    /// Whether every question was explored to its end.
    pub complete: bool,
    /// Questions of this part.
    pub questions: usize,
    /// Their states.
    pub states: u64,
    /// Their edges.
    pub edges: u64,
    /// States of the largest one.
    pub largest: u64,
    /// For each property, in how many questions it was put to the test.
    pub tested: BTreeMap<String, usize>,
    /// For each property that is broken, in how many questions.
    pub violated: BTreeMap<String, usize>,
    /// Time in seconds.
    pub seconds: f64,
}

/// Asks a part of a set; `watch` hears how many questions have been answered.
///
/// # Errors
///
/// If a question cannot be explored.
pub fn ask(
    set: &'static Set,
    part: Part,
    protocol: &Protocol,
    threads: usize,
    watch: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<(Answer, Vec<Broken>)> {
    let begin = Instant::now();
    let mine = part.of(set.questions());
    let shared = Mutex::new((blank(set, part, protocol), Vec::new()));
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    // A thread for each question at a time: the levels of small graphs are too small to share.
    let work = || -> anyhow::Result<()> {
        while let Some(question) = mine.get(next.fetch_add(1, Ordering::Relaxed)) {
            let record = explored(question, protocol)?;
            let broken = judge(set, question, protocol, &record)?;
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            add(&mut shared.0, &record, &broken);
            shared.1.extend(broken);
            drop(shared);
            watch(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })?;
    let (mut answer, mut broken) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by(|a, b| {
        (a.property, a.trace_length, &a.question).cmp(&(b.property, b.trace_length, &b.question))
    });
    answer.questions = mine.len();
    answer.verdict = verdict(&answer).to_string();
    answer.seconds = begin.elapsed().as_secs_f64();
    Ok((answer, broken))
}

/// What an answer says.
pub fn verdict(answer: &Answer) -> Verdict {
    if !answer.violated.is_empty() {
        Verdict::Violated
    } else if answer.complete && answer.questions > 0 {
        Verdict::Holds
    } else {
        Verdict::Cut
    }
}

fn blank(set: &Set, part: Part, protocol: &Protocol) -> Answer {
    Answer {
        kind: "questions".to_owned(),
        set: set.name.to_owned(),
        part,
        design: protocol.design.name(),
        mutant: protocol.mutant.clone(),
        verdict: String::new(),
        complete: true,
        questions: 0,
        states: 0,
        edges: 0,
        largest: 0,
        tested: BTreeMap::new(),
        violated: BTreeMap::new(),
        seconds: 0.0,
    }
}

fn explored(question: &Asked, protocol: &Protocol) -> anyhow::Result<Record<State, Event>> {
    let explored = engine::explore(&protocol.scope(question), &Options::default());
    Ok(explored
        .with_context(|| format!("cannot explore {question}"))?
        .record)
}

fn add(answer: &mut Answer, record: &Record<State, Event>, broken: &[Broken]) {
    answer.complete &= record.completeness == Completeness::Complete;
    answer.states += record.states;
    answer.edges += record.edges;
    answer.largest = answer.largest.max(record.states);
    for property in record.properties.iter().filter(|p| p.premise > 0) {
        *answer.tested.entry(property.name.to_owned()).or_default() += 1;
    }
    for broken in broken {
        *answer
            .violated
            .entry(broken.property.to_owned())
            .or_default() += 1;
    }
}

/// What a question breaks: each property with the length of its shortest trace. One that is broken as its exception says
/// is not among them.
fn broken_in(record: &Record<State, Event>) -> Vec<(&'static str, usize)> {
    let length = |steps: Option<usize>| steps.unwrap_or_default();
    let is_exception = |p: &PropertyRecord<State, Event>| {
        let after = p.first.as_ref().map(|trace| trace.steps.len());
        matches!(p.expected, Expected::BrokenAfter(expected) if after == Some(expected))
    };
    let always = record
        .properties
        .iter()
        .filter(|p| p.claim == Claim::Always && p.hits > 0 && !is_exception(p));
    let mut found: Vec<(&'static str, usize)> = always
        .map(|p| {
            (
                p.name,
                length(p.first.as_ref().map(|trace| trace.steps.len())),
            )
        })
        .collect();
    if record.deadlocks.count > 0 {
        let first = record.deadlocks.first.as_ref();
        found.push((DEADLOCK, length(first.map(|trace| trace.steps.len()))));
    }
    found
}

fn judge(
    set: &'static Set,
    question: &Asked,
    protocol: &Protocol,
    record: &Record<State, Event>,
) -> anyhow::Result<Vec<Broken>> {
    let mut found = Vec::new();
    for (property, trace_length) in broken_in(record) {
        let (thinned, thinned_length) = thin(question, protocol, property, trace_length)?;
        found.push(Broken {
            kind: "question",
            set: set.name,
            question: question.to_string(),
            design: protocol.design.name(),
            mutant: protocol.mutant.clone(),
            verdict: Verdict::Violated,
            complete: record.completeness == Completeness::Complete,
            property,
            trace_length,
            thinned: thinned.to_string(),
            thinned_length,
        });
    }
    Ok(found)
}

/// The question without the tasks and modes that the breaking of a property does not need.
fn thin(
    question: &Asked,
    protocol: &Protocol,
    property: &str,
    length: usize,
) -> anyhow::Result<(Asked, usize)> {
    let mut smallest = (question.clone(), length);
    loop {
        let mut smaller = None;
        for candidate in less(&smallest.0) {
            let broken = broken_in(&explored(&candidate, protocol)?);
            if let Some((_, length)) = broken.into_iter().find(|(name, _)| *name == property) {
                smaller = Some((candidate, length));
                break;
            }
        }
        match smaller {
            Some(found) => smallest = found,
            None => return Ok(smallest),
        }
    }
}

/// The questions that have one thing less: a task, or what disturbs them. A scenario of somebody's choice has no less.
fn less(question: &Asked) -> Vec<Asked> {
    let Asked::Generated(question) = question else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for by in question.modes.by.iter() {
        let mut calm = question.clone();
        calm.modes.by = calm.modes.by.without(by);
        found.push(calm);
    }
    if question.tasks().count() > 1 {
        for (i, tasks) in question.actors.iter().enumerate() {
            for k in 0..tasks.len() {
                let mut fewer = question.clone();
                fewer.actors[i].remove(k);
                fewer.actors.retain(|tasks| !tasks.is_empty());
                found.push(fewer);
            }
        }
    }
    found.into_iter().map(Asked::Generated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::question::Question;

    #[test]
    fn a_part_is_two_numbers_and_lies_within_the_whole() {
        assert_eq!("2/3".parse(), Ok(Part { k: 2, n: 3 }));
        for wrong in ["", "1", "0/2", "3/2", "a/b", "1/0", "1/2/3"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_parts_of_a_set_have_all_its_questions_and_none_is_empty() {
        for n in [1, 3, 207, 208] {
            let sizes = (1..=n).map(|k| {
                let part = Part { k, n };
                part.check("pairs", 208).unwrap();
                part.size(208)
            });
            assert_eq!(sizes.clone().sum::<usize>(), 208);
            assert!(sizes.min() >= Some(1));
        }
        for n in [209, usize::MAX] {
            let refused = Part { k: 1, n }.check("pairs", 208).unwrap_err();
            assert!(
                refused.to_string().contains("has 208 questions"),
                "{refused}"
            );
        }
    }

    #[test]
    fn an_exception_is_one_only_after_as_many_events_as_it_says() {
        let question = Question::parse("gc+merge(a,b)+verify(b)").unwrap();
        let mut record = explored(&Asked::Generated(question), &Design::UPSTREAM.into()).unwrap();
        let (name, length) = broken_in(&record)[0];
        for (expected, count) in [(length - 1, 1), (length, 0), (length + 1, 1)] {
            let mut properties = record.properties.iter_mut();
            let property = properties.find(|property| property.name == name).unwrap();
            property.expected = Expected::BrokenAfter(expected);
            let broken = broken_in(&record);
            let told = broken.iter().filter(|(told, _)| *told == name).count();
            assert_eq!(told, count, "{expected} of {length}");
        }
    }

    #[test]
    fn what_breaks_is_shown_with_the_tasks_that_it_needs() {
        let question = Question::parse("gc+merge(a,b)+verify(b)@own,kill").unwrap();
        let question = Asked::Generated(question);
        let property = "gc_that_meets_no_abort_condition_finishes";
        let record = explored(&question, &Design::UPSTREAM.into()).unwrap();
        let (_, length) = *broken_in(&record)
            .iter()
            .find(|(name, _)| *name == property)
            .unwrap();
        let (thinned, _) = thin(&question, &Design::UPSTREAM.into(), property, length).unwrap();
        assert_eq!(thinned.to_string(), "gc+merge(a,b)@own");
    }

    /// Of two tasks, too, the one that is not needed is left out.
    #[test]
    fn what_one_task_breaks_is_shown_with_that_one() {
        let question = Asked::Generated(Question::parse("notes(a,0)+move(a,b)@kill").unwrap());
        let record = explored(&question, &Design::UPSTREAM.into()).unwrap();
        let mut alone = 0;
        for (property, length) in broken_in(&record) {
            let (thinned, _) = thin(&question, &Design::UPSTREAM.into(), property, length).unwrap();
            let tasks = thinned.to_string().matches('(').count();
            for less in less(&thinned) {
                let record = explored(&less, &Design::UPSTREAM.into()).unwrap();
                let still = broken_in(&record).iter().any(|(name, _)| *name == property);
                assert!(
                    !still,
                    "{property}: {less} is enough, and {thinned} was shown"
                );
            }
            alone += usize::from(tasks == 1);
        }
        assert!(alone > 0);
    }
}
