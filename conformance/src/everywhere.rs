//! A change in every scenario: what falls where in the model, and whether the implementation with the same change does the same.
//!
//! The board asks a mutant where somebody expects it to be caught. Here it is asked everywhere, and so is a mend alone on the
//! published design, or a fault that nobody has chosen: each scenario is explored to its end with the change and without it.
//! Where the two differ in anything that is counted, every step that occurs is replayed on real files, with each of its
//! outcomes, at least once.

use crate::edges::Progress;
use crate::mends::{Explorer, Fall, look};
use crate::record::{Share, Verdict};
use crate::replay::Plan;
use crate::share::{Sharing, kinds};
use model::Scope;
use serde::Serialize;
use specs::design::Change;
use specs::mutant::{Fault, designs};
use specs::{Design, Mutant};
use std::collections::BTreeSet;
use std::time::Instant;

/// A change, and what it is measured against.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name: that of a mutant or a design, or a fault.
    pub name: String,
    /// The design with it.
    pub design: Design,
    /// The faults under that design.
    pub faults: Vec<Fault>,
    /// The design without it.
    pub base: Design,
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a change where all scenarios are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Something falls that does not fall without it: it is a bug.
    Falls,
    /// Something changes.
    Changes,
    /// Nothing falls: it is said to make no difference.
    Nothing,
    /// Nothing need change: it says itself why no property shows it.
    Anything,
}

impl Subject {
    /// A mend alone on the published design, with what it requires.
    pub fn alone(mend: Change) -> Self {
        let design = Design::UPSTREAM.with(mend);
        Self {
            name: design.name(),
            design,
            faults: Vec::new(),
            base: Design::UPSTREAM,
            expected: match mend.about().kept_by {
                Some(_) => Expected::Anything,
                None => Expected::Changes,
            },
        }
    }

    /// A fault under the hardened design or, if that has not its step, the first of all designs that has; none if none has.
    pub fn fault(fault: Fault) -> Option<Self> {
        let has_step = |design: &Design| fault.step().row().designs.contains(*design);
        let all = std::iter::once(Design::HARDENED).chain(designs());
        let design = all.into_iter().find(has_step)?;
        Some(Self {
            name: fault.to_string(),
            design,
            faults: vec![fault],
            base: design,
            expected: Expected::Changes,
        })
    }
}

impl From<&'static Mutant> for Subject {
    fn from(mutant: &'static Mutant) -> Self {
        Self {
            name: mutant.name.to_owned(),
            design: mutant.design(),
            faults: mutant.faults().to_vec(),
            base: mutant.sound(),
            expected: match mutant.is_equivalent {
                true => Expected::Nothing,
                false => Expected::Falls,
            },
        }
    }
}

/// What came of one change.
#[derive(Clone, Debug, Serialize)]
pub struct Everywhere {
    /// `everywhere`.
    pub kind: &'static str,
    /// Its name: that of a mutant, of a design with a mend alone, or of a fault.
    pub of: String,
    /// Whether it is said to make no difference.
    pub is_equivalent: bool,
    /// The design under which it runs.
    pub design: Design,
    /// `holds` if a bug falls somewhere, what is said to make no difference makes none, and the implementation does the same;
    /// `untested` if it makes no difference anywhere although it is not said so. Where only some scenarios are asked, it may make none there.
    pub verdict: Verdict,
    /// Whether every graph was explored to its end.
    pub complete: bool,
    /// Scenarios in which it was asked.
    pub scenarios: usize,
    /// Those in which it makes a difference that is counted.
    pub different: usize,
    /// States of all graphs with it.
    pub states: u64,
    /// What falls with it and not without it.
    pub falls: Vec<Fall>,
    /// What was replayed; none if nothing was to be.
    pub share: Option<Share>,
    /// Time in seconds.
    pub seconds: f64,
    /// What is wrong, in sentences.
    pub failures: Vec<String>,
    /// Whether something must fall.
    #[serde(skip)]
    must_fall: bool,
    /// Whether something must change.
    #[serde(skip)]
    must_differ: bool,
}

/// Asks a change in all scenarios of an explorer. `plan` says how a scope is replayed; without it nothing is. Where all are
/// asked something must fall somewhere if it is a bug, and something must change if it is none.
///
/// # Errors
///
/// If a scope cannot be explored, or no worker can be started.
pub fn ask(
    subject: &Subject,
    explorer: &mut Explorer,
    asks_all: bool,
    threads: usize,
    plan: Option<&dyn Fn(&Scope) -> Plan<'static>>,
    progress: &dyn Progress,
) -> anyhow::Result<Everywhere> {
    let begin = Instant::now();
    let mut found = Everywhere {
        kind: "everywhere",
        of: subject.name.clone(),
        is_equivalent: subject.expected == Expected::Nothing,
        must_fall: asks_all && subject.expected == Expected::Falls,
        must_differ: asks_all && subject.expected == Expected::Changes,
        design: subject.design,
        verdict: Verdict::Holds,
        complete: true,
        scenarios: 0,
        different: 0,
        states: 0,
        falls: Vec::new(),
        share: None,
        seconds: 0.0,
        failures: Vec::new(),
    };
    let mut sharing: Option<Sharing> = None;
    for scenario in explorer.scenarios() {
        let without = explorer.see(scenario, subject.base)?;
        let scope = Scope::new(scenario, subject.design, &subject.faults);
        let with = look(&scope, threads)?;
        found.scenarios += 1;
        found.states += with.states();
        if with.looks_like(&without) {
            continue;
        }
        found.different += 1;
        let is_new = |fall: &&Fall| !without.falls.iter().any(|other| other.is_of(fall));
        found.falls.extend(with.falls.iter().filter(is_new));
        if let Some(plan) = plan {
            let blank = || Sharing::new(&subject.name, subject.design, kinds);
            let sharing = sharing.get_or_insert_with(blank);
            sharing.forget();
            sharing.replay(&scope, &plan(&scope), threads, progress)?;
        }
    }
    found.share = sharing.map(Sharing::end);
    found.judge();
    found.seconds = begin.elapsed().as_secs_f64();
    Ok(found)
}

impl Everywhere {
    /// In how many scenarios something falls.
    pub fn scenarios_that_fall(&self) -> usize {
        let names = self.falls.iter().map(|fall| fall.scenario);
        names.collect::<BTreeSet<_>>().len()
    }

    /// How many properties fall somewhere.
    pub fn properties_that_fall(&self) -> usize {
        let names = self.falls.iter().map(|fall| fall.property);
        names.collect::<BTreeSet<_>>().len()
    }

    /// Adds what came of other scenarios, which must fall only if these do not.
    pub fn add(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.different += other.different;
        self.states += other.states;
        self.falls.extend(other.falls);
        self.seconds += other.seconds;
        self.judge();
    }

    fn judge(&mut self) {
        self.failures = failures(self);
        let is_idle = self.must_differ && self.different == 0;
        let is_same = |share: &Share| share.verdict == Verdict::Holds;
        let is_same = self.share.as_ref().is_none_or(is_same);
        self.verdict = match (is_same, &self.failures[..]) {
            (false, _) => Verdict::Diverged,
            (true, []) => Verdict::Holds,
            (true, _) if is_idle => Verdict::Untested,
            (true, _) => Verdict::Violated,
        };
    }
}

fn failures(found: &Everywhere) -> Vec<String> {
    let mut failures = Vec::new();
    if let (true, Some(fall)) = (found.is_equivalent, found.falls.first()) {
        failures.push(format!(
            "it is said to make no difference, and {} falls in {}",
            fall.property, fall.scenario
        ));
    }
    if found.must_fall && found.falls.is_empty() {
        failures.push(format!("it falls in none of {} scenarios", found.scenarios));
    }
    if found.must_differ && found.different == 0 {
        failures.push(format!(
            "it makes no difference in any of {} scenarios, so nothing was replayed",
            found.scenarios
        ));
    }
    let replayed = found.share.iter().flat_map(|share| &share.failures);
    failures.extend(replayed.cloned());
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::Scenario;
    use specs::mutant::MUTANTS;
    use specs::scenarios::SCENARIOS;

    struct Silent;

    impl Progress for Silent {
        fn begin(&self, _: usize, _: usize) {}
        fn done(&self, _: usize) {}
    }

    /// What two halves of the scenarios say together is what all of them say.
    #[test]
    fn what_is_asked_in_parts_and_added_is_what_is_asked_at_once() {
        let small = |scenario: &&Scenario| scenario.name.contains("take");
        let all: Vec<&'static Scenario> = SCENARIOS.iter().filter(small).collect();
        let asked = |subject: &Subject, some: &[&'static Scenario]| {
            let mut explorer = Explorer::new(some.to_vec(), Vec::new(), 1, |_| {});
            ask(subject, &mut explorer, true, 1, None, &Silent).unwrap()
        };
        let mut differs_in_both = 0;
        for mutant in MUTANTS
            .iter()
            .filter(|mutant| mutant.scenario.contains("take"))
        {
            let subject = Subject::from(mutant);
            let whole = asked(&subject, &all);
            for at in 1..all.len() {
                let (some, rest) = all.split_at(at);
                let mut sum = asked(&subject, some);
                let rest = asked(&subject, rest);
                differs_in_both += usize::from(sum.different > 0 && rest.different > 0);
                sum.add(rest);
                let told = |it: &Everywhere| {
                    let counts = (it.scenarios, it.different, it.states);
                    (counts, it.falls.len(), it.verdict, it.failures.clone())
                };
                assert_eq!(told(&sum), told(&whole), "{} at {at}", mutant.name);
            }
        }
        assert!(differs_in_both > 0);
    }
}
