//! A seeded bug in every scenario: what falls where in the model, and whether the implementation with the same bug does the same.
//!
//! The board asks a mutant where somebody expects it to be caught. Here it is asked everywhere: each scenario is explored to its
//! end with the bug and without it. Where the two differ in anything that is counted, every step that occurs is replayed on
//! real files, with each of its outcomes, at least once.

use crate::edges::Progress;
use crate::mends::{Explorer, Fall, look};
use crate::record::{Share, Verdict};
use crate::replay::Plan;
use crate::share::{Sharing, kinds};
use model::Scope;
use serde::Serialize;
use specs::{Design, Mutant};
use std::collections::BTreeSet;
use std::time::Instant;

/// What came of one mutant.
#[derive(Clone, Debug, Serialize)]
pub struct Everywhere {
    /// `everywhere`.
    pub kind: &'static str,
    /// Its name.
    pub mutant: &'static str,
    /// Whether it is said to make no difference.
    pub is_equivalent: bool,
    /// The design under which it runs.
    pub design: Design,
    /// `holds` if it falls somewhere, or makes no difference and falls nowhere, and the implementation does the same.
    pub verdict: Verdict,
    /// Whether every graph was explored to its end.
    pub complete: bool,
    /// Scenarios in which it was asked.
    pub scenarios: usize,
    /// Those in which it makes a difference that is counted.
    pub different: usize,
    /// States of all graphs with the bug.
    pub states: u64,
    /// What falls with the bug and not without it.
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
}

/// Asks a mutant in all scenarios of an explorer. `plan` says how a scope is replayed; without it nothing is. Where all are
/// asked something must fall somewhere.
///
/// # Errors
///
/// If a scope cannot be explored, or no worker can be started.
pub fn ask(
    mutant: &'static Mutant,
    explorer: &mut Explorer,
    must_fall: bool,
    threads: usize,
    plan: Option<&dyn Fn(&Scope) -> Plan<'static>>,
    progress: &dyn Progress,
) -> anyhow::Result<Everywhere> {
    let begin = Instant::now();
    let mut found = Everywhere {
        kind: "everywhere",
        mutant: mutant.name,
        is_equivalent: mutant.is_equivalent,
        must_fall: must_fall && !mutant.is_equivalent,
        design: mutant.design(),
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
        let without = explorer.see(scenario, mutant.sound())?;
        let scope = Scope::new(scenario, mutant.design(), mutant.faults());
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
            let blank = || Sharing::new(mutant.name, mutant.design(), kinds);
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
        let is_same = |share: &Share| share.verdict == Verdict::Holds;
        let is_same = self.share.as_ref().is_none_or(is_same);
        self.verdict = match (is_same, &self.failures[..]) {
            (false, _) => Verdict::Diverged,
            (true, []) => Verdict::Holds,
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
    let replayed = found.share.iter().flat_map(|share| &share.failures);
    failures.extend(replayed.cloned());
    failures
}
