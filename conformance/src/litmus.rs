//! Litmus tests: what the protocol takes for granted of the kernel, each assumption by itself.
//!
//! A test is a small program for some processes, in the form that herd7 and litmus7 have made common for memory models: a
//! start, what each process calls, and one condition on what they saw. How often the condition came true is its
//! verdict: never, sometimes or always. The same program runs in two worlds:
//!
//! * **Linux** ([`real`]): real processes on a real file system, so many tries, and a histogram of the outcomes.
//! * **loom** ([`memory`]): the kernel in memory, in every interleaving.
//!
//! Where a scenario of the **model** carries the assumption, the model is asked as well ([`question`]).
//!
//! *Rounds.* A program is written in rounds. A round begins when everybody has done their part of the one before, or waits
//! for a lock. What stands in one round is a race. So most programs have one order, and one outcome.
//!
//! *What makes a run red.* An outcome that the verdict does not allow; an outcome that the machine in memory cannot have,
//! unless the test says why; a verdict of the machine or of the model that is not the one that the test claims.

pub mod call;
mod catalogue;
pub mod memory;
mod os;
mod perform;
pub mod process;
pub mod question;
pub mod real;
pub mod report;
pub mod text;

use call::{Call, Step};
use question::Question;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What one process does in a round: its number and its calls.
pub type Part = (usize, &'static [Step]);

/// A test.
#[derive(Clone, Copy, Debug)]
pub struct Litmus {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is assumed, in a sentence.
    pub assumes: &'static str,
    /// Which steps, locks or files rely on it.
    pub relied_on_by: &'static str,
    /// Where its files lie.
    pub place: Place,
    /// What is there before the first round.
    pub start: &'static [Start],
    /// The program.
    pub rounds: &'static [&'static [Part]],
    /// The condition: these names have these words.
    pub condition: &'static [(&'static str, &'static str)],
    /// How often it comes true on Linux.
    pub expected: Frequency,
    /// What the machine in memory says, if it can run the test.
    pub memory: Memory,
    /// What the model says.
    pub model: Model,
}

/// Where the files of a test lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a private directory on the tmpfs of the lock directories.
    Tmpfs,
    /// In a private directory on a disk with ext4.
    Ext4,
    /// On a tmpfs of its own, with these mount options; the first process mounts it.
    Mount(&'static str),
}

/// Something that is there from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A directory.
    Directory(&'static str),
    /// An empty file.
    File(&'static str),
    /// So many empty files in a directory, with long names, so that a listing takes several calls.
    Crowd(&'static str, u32),
}

/// How often a condition comes true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// In no try.
    Never,
    /// In some tries, or in some only if there are enough of them.
    Sometimes,
    /// In every try.
    Always,
}

/// What the machine in memory says about a condition, if it has all the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The same as Linux; every outcome of Linux is one of its own.
    Same,
    /// Something else, for a reason.
    Differs(Frequency, &'static str),
}

/// What the model says about a condition.
#[derive(Clone, Copy, Debug)]
pub enum Model {
    /// The answer to a question.
    Says(Frequency, Question),
    /// Nothing: it has no such thing.
    Lacks(&'static str),
}

/// What was seen in one try: names with words, in the order of the program.
pub type Outcome = Vec<(&'static str, String)>;

/// How often each outcome occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<String, Count>);

/// How often an outcome occurred, and whether the condition is true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How often.
    pub times: u64,
    /// Whether the condition is true of it.
    pub is_true: bool,
}

impl Frequency {
    /// The name as it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Sometimes => "sometimes",
            Self::Always => "always",
        }
    }

    /// Whether something of which this is claimed may be seen with that frequency.
    pub fn allows(self, seen: Self) -> bool {
        self == Self::Sometimes || self == seen
    }

    /// Of so many cases, in how many was it true? None of none.
    pub const fn of(is_true: u64, is_false: u64) -> Option<Self> {
        match (is_true, is_false) {
            (0, 0) => None,
            (0, _) => Some(Self::Never),
            (_, 0) => Some(Self::Always),
            (_, _) => Some(Self::Sometimes),
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Histogram {
    /// Adds an outcome.
    pub fn add(&mut self, litmus: &Litmus, outcome: &Outcome) {
        let words: Vec<String> = outcome
            .iter()
            .map(|(name, word)| format!("{name}={word}"))
            .collect();
        let is_true = litmus.is_true_of(outcome);
        let count = self
            .0
            .entry(words.join(" "))
            .or_insert(Count { times: 0, is_true });
        count.times += 1;
    }

    /// The outcomes with their counts.
    pub fn outcomes(&self) -> &BTreeMap<String, Count> {
        &self.0
    }

    /// How often there was an outcome of which the condition is true, and how often one of which it is not.
    pub fn positive_and_negative(&self) -> (u64, u64) {
        let times = |wanted| {
            self.0
                .values()
                .filter(|count| count.is_true == wanted)
                .map(|count| count.times)
                .sum()
        };
        (times(true), times(false))
    }

    /// How often the condition was true; none if there was no outcome.
    pub fn frequency(&self) -> Option<Frequency> {
        let (positive, negative) = self.positive_and_negative();
        Frequency::of(positive, negative)
    }
}

impl Litmus {
    /// Every test, in the order of the page.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        Self::groups().iter().flat_map(|(_, tests)| *tests)
    }

    /// The same by what they are about.
    pub const fn groups() -> &'static [(&'static str, &'static [Self])] {
        catalogue::GROUPS
    }

    /// The test of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|litmus| litmus.name == name)
    }

    /// How many processes it has.
    pub fn processes(&self) -> usize {
        self.parts()
            .map(|(_, (process, _))| process + 1)
            .max()
            .unwrap_or(0)
    }

    /// Every part of the program with the number of its round.
    pub fn parts(&self) -> impl Iterator<Item = (usize, Part)> {
        let rounds = self.rounds.iter().enumerate();
        rounds.flat_map(|(number, round)| round.iter().map(move |part| (number, *part)))
    }

    /// Every call of the program, in its order.
    pub fn calls(&self) -> impl Iterator<Item = &'static Call> {
        self.parts()
            .flat_map(|(_, (_, steps))| steps)
            .map(Step::call)
    }

    /// The names of what is seen, in the order of the program.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.parts()
            .flat_map(|(_, (_, steps))| steps)
            .filter_map(Step::name)
    }

    /// The process that starts another one; none if that one is there from the beginning.
    pub fn starter_of(&self, process: usize) -> Option<usize> {
        let starts = |step: &Step| step.call().starts() == Some(process);
        let found = self
            .parts()
            .find(|(_, (_, steps))| steps.iter().any(starts));
        found.map(|(_, (starter, _))| starter)
    }

    /// Whether the condition is true of an outcome.
    pub fn is_true_of(&self, outcome: &Outcome) -> bool {
        self.condition.iter().all(|wanted| {
            outcome
                .iter()
                .any(|(name, word)| (*name, word.as_str()) == *wanted)
        })
    }

    /// What was seen, in the order of the program.
    pub(crate) fn sorted(&self, seen: &[(String, String)]) -> Outcome {
        let word_of = |name: &str| {
            seen.iter()
                .find(|(seen, _)| seen == name)
                .map(|(_, word)| word.clone())
        };
        self.names()
            .filter_map(|name| Some((name, word_of(name)?)))
            .collect()
    }

    /// The condition as it is printed.
    pub fn condition_text(&self) -> String {
        let parts: Vec<String> = self
            .condition
            .iter()
            .map(|(name, word)| format!("{name}={word}"))
            .collect();
        parts.join(" and ")
    }
}
