//! The record of a run: how far it came, what it counted, what it found, and whether that is green.
//!
//! Green is what is left when nothing speaks against it: [`Record::failures`] lists everything that
//! does, and a run that was cut short is on that list whatever it found until then.

use std::fmt;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Every reachable state was found and judged.
    Complete,
    /// The run was cut short.
    Cut {
        /// By what.
        why: Cut,
    },
    /// The run was told to stop at this property, and did.
    Stopped {
        /// The property.
        at: String,
    },
}

/// What cut a run short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Somebody asked for it.
    Aborted,
    /// There are more states than were allowed.
    StateLimit {
        /// How many were allowed.
        limit: u64,
    },
    /// There are more states than can be numbered.
    OutOfNumbers,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted => write!(f, "aborted"),
            Self::StateLimit { limit } => write!(f, "more than {limit} states"),
            Self::OutOfNumbers => write!(f, "more states than have a number (2^32)"),
        }
    }
}

impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => write!(f, "complete"),
            Self::Cut { why } => write!(f, "cut: {why}"),
            Self::Stopped { at } => write!(f, "stopped at {at}"),
        }
    }
}

/// What a property claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It holds in every reachable state.
    Always,
    /// It holds in at least one.
    Sometimes,
}

/// What is expected of a property in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is kept, and put to the test.
    Tested,
    /// It is kept; nothing need put it to the test.
    Kept,
    /// It is broken, and first after so many steps.
    BrokenAfter(usize),
}

/// A walk from an initial state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace<S, A> {
    /// Where it begins.
    pub initial: S,
    /// Each step and the state it led to.
    pub steps: Vec<(A, S)>,
}

impl<S, A> Trace<S, A> {
    /// The state in which the trace ends.
    #[must_use]
    pub fn last(&self) -> &S {
        self.steps.last().map_or(&self.initial, |(_, state)| state)
    }

    /// The steps without the states.
    pub fn actions(&self) -> impl Iterator<Item = &A> {
        self.steps.iter().map(|(action, _)| action)
    }

    /// The states, the initial one first.
    pub fn states(&self) -> impl Iterator<Item = &S> {
        std::iter::once(&self.initial).chain(self.steps.iter().map(|(_, state)| state))
    }
}

/// What a run found about one property.
#[derive(Clone, Debug)]
pub struct PropertyRecord<S, A> {
    /// Its name.
    pub name: &'static str,
    /// What it claims.
    pub claim: Claim,
    /// What is expected of it.
    pub expected: Expected,
    /// States in which its premise held.
    pub premise: u64,
    /// States that violate it (`always`) or witness it (`sometimes`).
    pub hits: u64,
    /// A shortest trace to one of them, the first in the order of actions.
    pub first: Option<Trace<S, A>>,
}

/// States in which an actor is unfinished and none has a step.
#[derive(Clone, Debug)]
pub struct Deadlocks<S, A> {
    /// How many there are.
    pub count: u64,
    /// A shortest trace to one of them, the first in the order of actions.
    pub first: Option<Trace<S, A>>,
}

/// Everything a run has to say for itself.
#[derive(Clone, Debug)]
pub struct Record<S, A> {
    /// How it ended.
    pub completeness: Completeness,
    /// States found, each counted once.
    pub states: u64,
    /// Edges followed, those to known states included.
    pub edges: u64,
    /// Steps from an initial state to the farthest state found.
    pub depth: u32,
    /// States in which nobody can go on.
    pub deadlocks: Deadlocks<S, A>,
    /// Edges followed per kind of step.
    pub coverage: Vec<u64>,
    /// One entry per property, in the order of the model.
    pub properties: Vec<PropertyRecord<S, A>>,
    /// Threads that searched.
    pub threads: usize,
    /// The most memory that the tables of the search took at the end of a level, in bytes.
    pub peak_bytes: u64,
    /// Seconds from start to record.
    pub seconds: f64,
}

/// What speaks against a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It did not see everything.
    Incomplete(Completeness),
    /// No property was judged.
    NothingClaimed,
    /// An `always` property is violated.
    Violated(&'static str),
    /// A `sometimes` property has no witness.
    Unwitnessed(&'static str),
    /// The premise of a property held in no state, so the property was never put to the test.
    PremiseNeverHeld(&'static str),
    /// A property that is expected to be broken is kept.
    ExceptionNotNeeded(&'static str),
    /// A property that is expected to be broken is so, but not after so many steps.
    ExceptionMoved {
        /// The property.
        name: &'static str,
        /// The steps that are expected.
        expected: usize,
        /// The steps that were found.
        found: usize,
    },
    /// Actors can get stuck.
    Deadlock,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(completeness) => write!(f, "{completeness}"),
            Self::NothingClaimed => write!(f, "no property was judged"),
            Self::Violated(name) => write!(f, "{name} is violated"),
            Self::Unwitnessed(name) => write!(f, "{name} has no witness"),
            Self::PremiseNeverHeld(name) => write!(f, "{name} was never put to the test"),
            Self::ExceptionNotNeeded(name) => {
                write!(f, "{name} is kept, and its exception is no longer needed")
            }
            Self::ExceptionMoved {
                name,
                expected,
                found,
            } => write!(
                f,
                "{name} is violated after {found} events, and its exception says {expected}"
            ),
            Self::Deadlock => write!(f, "actors can get stuck"),
        }
    }
}

/// A run in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Complete, and nothing speaks against it.
    Holds,
    /// Something was found that no further search could excuse.
    Fails,
    /// Nothing was found, but not everything was seen.
    Cut,
}

impl<S, A> PropertyRecord<S, A> {
    /// What speaks against it, if the run is complete.
    fn failure(&self) -> Option<Failure> {
        let name = self.name;
        let found = self.first.as_ref().map_or(0, |trace| trace.steps.len());
        match (self.claim, self.hits, self.expected) {
            (Claim::Always, 0, Expected::BrokenAfter(_)) => Some(Failure::ExceptionNotNeeded(name)),
            (Claim::Always, 1.., Expected::BrokenAfter(expected)) => {
                (expected != found).then_some(Failure::ExceptionMoved {
                    name,
                    expected,
                    found,
                })
            }
            (Claim::Always, 1.., Expected::Tested | Expected::Kept) => {
                Some(Failure::Violated(name))
            }
            (Claim::Sometimes, 0, _) => Some(Failure::Unwitnessed(name)),
            (_, _, Expected::Tested) if self.premise == 0 => Some(Failure::PremiseNeverHeld(name)),
            (Claim::Always, 0, Expected::Tested | Expected::Kept) | (Claim::Sometimes, 1.., _) => {
                None
            }
        }
    }
}

impl<S, A> Record<S, A> {
    /// The probability, about, that two of the states share a fingerprint and one was lost: n^2 / 2^65.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "odds need no more than 53 bits")]
    pub fn collision_odds(&self) -> f64 {
        (self.states as f64).powi(2) / 2_f64.powi(65)
    }

    /// Whether the run is green: complete, nothing violated or stuck, everything witnessed and tested.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures().is_empty()
    }

    /// The run in one word. What was found in a run that was cut is found none the less.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let failures = self.failures();
        let found = |failure: &Failure| !matches!(failure, Failure::Incomplete(_));
        if failures.is_empty() {
            Verdict::Holds
        } else if failures.iter().any(found) {
            Verdict::Fails
        } else {
            Verdict::Cut
        }
    }

    /// Everything that speaks against the run, none of it green.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        let is_complete = self.completeness == Completeness::Complete;
        if !is_complete {
            failures.push(Failure::Incomplete(self.completeness.clone()));
        }
        if self.properties.is_empty() {
            failures.push(Failure::NothingClaimed);
        }
        for property in &self.properties {
            // More states might bring the witness, the premise, or what is expected to be broken.
            failures.extend(property.failure().filter(|failure| {
                is_complete
                    || matches!(
                        failure,
                        Failure::Violated(_) | Failure::ExceptionMoved { .. }
                    )
            }));
        }
        if self.deadlocks.count > 0 {
            failures.push(Failure::Deadlock);
        }
        failures
    }

    /// What the run found about the property with this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&PropertyRecord<S, A>> {
        self.properties
            .iter()
            .find(|property| property.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(claim: Claim, expected: Expected, premise: u64, hits: u64) -> PropertyRecord<(), ()> {
        // The more often it is hit, the later for the first time: any pair of numbers would do.
        let first = (hits > 0).then(|| Trace {
            initial: (),
            steps: (0..hits).map(|_| ((), ())).collect(),
        });
        PropertyRecord {
            name: "property",
            claim,
            expected,
            premise,
            hits,
            first,
        }
    }

    #[test]
    fn an_exception_is_pinned_on_both_sides() {
        for expected in 0..5 {
            for found in 1..5 {
                let pinned = Expected::BrokenAfter(expected);
                let failure = record(Claim::Always, pinned, 9, found as u64).failure();
                let name = "property";
                let moved = Failure::ExceptionMoved {
                    name,
                    expected,
                    found,
                };
                assert_eq!(failure, (expected != found).then_some(moved));
            }
        }
    }

    #[test]
    fn what_is_not_tested_or_not_witnessed_or_broken_fails() {
        use Claim::{Always, Sometimes};
        use Expected::{BrokenAfter, Kept, Tested};
        let never = Failure::PremiseNeverHeld("property");
        let broken = Failure::Violated("property");
        let unwitnessed = Failure::Unwitnessed("property");
        let unneeded = Failure::ExceptionNotNeeded("property");
        for (claim, expected, premise, hits, failure) in [
            (Always, Tested, 1, 0, None),
            (Always, Tested, 0, 0, Some(never.clone())),
            (Always, Tested, 1, 1, Some(broken.clone())),
            (Always, Kept, 0, 0, None),
            (Always, Kept, 0, 1, Some(broken)),
            (Always, BrokenAfter(1), 0, 1, None),
            (Always, BrokenAfter(1), 1, 0, Some(unneeded)),
            (Sometimes, Tested, 1, 1, None),
            (Sometimes, Tested, 0, 1, Some(never)),
            (Sometimes, Tested, 1, 0, Some(unwitnessed.clone())),
            (Sometimes, Kept, 0, 0, Some(unwitnessed)),
            (Sometimes, Kept, 0, 1, None),
        ] {
            let found = record(claim, expected, premise, hits).failure();
            assert_eq!(found, failure, "{claim:?} {expected:?} {premise} {hits}");
        }
    }

    #[test]
    fn of_a_run_that_was_cut_only_what_more_states_cannot_take_back_is_told() {
        use Claim::{Always, Sometimes};
        use Expected::{BrokenAfter, Kept, Tested};
        let whole = Record {
            completeness: Completeness::Complete,
            states: 1,
            edges: 0,
            depth: 0,
            deadlocks: Deadlocks {
                count: 0,
                first: None,
            },
            coverage: Vec::new(),
            properties: vec![
                record(Always, Tested, 0, 0),
                record(Always, Kept, 1, 2),
                record(Always, BrokenAfter(9), 1, 5),
                record(Always, BrokenAfter(9), 1, 0),
                record(Sometimes, Tested, 1, 0),
            ],
            threads: 1,
            peak_bytes: 0,
            seconds: 0.0,
        };
        assert_eq!(whole.failures().len(), 5);
        let why = Completeness::Cut {
            why: Cut::StateLimit { limit: 1 },
        };
        let cut = Record {
            completeness: why.clone(),
            ..whole
        };
        let (name, expected, found) = ("property", 9, 5);
        let moved = Failure::ExceptionMoved {
            name,
            expected,
            found,
        };
        let mut told = vec![Failure::Incomplete(why), Failure::Violated(name), moved];
        assert_eq!(cut.failures(), told);
        // Nor can they set anybody free who is stuck.
        let stuck = Record {
            deadlocks: Deadlocks {
                count: 1,
                first: None,
            },
            ..cut
        };
        told.push(Failure::Deadlock);
        assert_eq!(stuck.failures(), told);
        let alone = Record {
            properties: vec![record(Always, Tested, 0, 0)],
            ..stuck
        };
        assert_eq!(alone.verdict(), Verdict::Fails);
    }
}
