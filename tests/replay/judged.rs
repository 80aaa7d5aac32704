//! Two judges that know nothing of each other: every property is judged from the model's state and from the real files behind
//! every event of the behaviours that break something.

use super::*;
use conformance::board;
use conformance::notes::{Notes, before, runs};
use conformance::real_check::{Evidence, Shown, shown};
use conformance::replay::replay_trace_with;
use model::properties::holds;
use model::verdict::{Completeness, Trace};
use specs::mutant::MUTANTS;
use specs::property::Mood;
use specs::question::sets::Set;
use specs::scenarios::SCENARIOS;
use std::collections::BTreeMap;

/// What happened, and the states that the model has between.
type Behaviour = (Vec<Event>, Vec<State>);

/// What of a run has to go on before files show it; a replay of a counterexample lets it go on.
const SHOWN_LATER: [Property; 4] = [
    Property::GcIsNotRefusedByItsOwnWriters,
    Property::JobSkipsWhatVanished,
    Property::NoOperationWaitsForever,
    Property::StartedBackupFinishes,
];

/// What files show as soon as somebody has the first lock of a chain, and the model says when it has all of them.
const SHOWN_SOONER: [Property; 1] = [Property::ExclusiveNamespaceIsAlone];

/// What the two judges have said.
#[derive(Default)]
struct Judged {
    /// How often both said of a property that it is broken.
    broken: BTreeMap<&'static str, usize>,
    /// Where only one of them did.
    differences: Vec<String>,
    behaviours: usize,
}

impl Judged {
    /// Replays behaviours of one scope, and asks both judges of every property behind every event.
    fn judge(&mut self, name: &str, scope: &Scope, behaviours: &[Behaviour]) {
        let scenario = Scenario {
            splits_locks: scope.splits_locks,
            ..*scope.scenario
        };
        let parent = private();
        let options = options(parent.path());
        let mut driver = Driver::new(&scenario, scope.design, &scope.faults, options).unwrap();
        let base = driver.world().store().display().to_string();
        for (events, states) in behaviours {
            let mut notes = Notes::new(scope);
            let judge = |driver: &Driver, after: usize, seen: &Projected| {
                notes.note(events, after, seen);
                let evidence = Evidence {
                    scenario: scope.scenario,
                    design: scope.design,
                    world: driver.world(),
                    seen,
                    notes: &notes,
                    runs: &runs(driver, scope),
                    before: &before(driver, scope, &events[after..]),
                    waiters: &[],
                    refused: None,
                };
                // What is left is tried in copies of the tree, which the tests of kills do.
                let asked = Property::ALL
                    .iter()
                    .filter(|property| **property != Property::WhatIsLeftCanBeUsedAgain);
                for property in asked {
                    let by_files = match shown(*property, &evidence).unwrap() {
                        Shown::Broken(_) => true,
                        Shown::Unbroken => false,
                        Shown::Nothing(_) => continue,
                    };
                    let by_model = |at: usize| !holds(*property, scope, &states[at]);
                    let is_known = match (by_model(after), by_files) {
                        (true, true) => {
                            *self.broken.entry(property.name()).or_default() += 1;
                            true
                        }
                        (false, false) => true,
                        (true, false) => SHOWN_LATER.contains(property),
                        (false, true) => {
                            let later = (after..states.len()).any(by_model);
                            SHOWN_SOONER.contains(property) && later
                        }
                    };
                    if !is_known {
                        self.differences.push(format!(
                            "{name}, behind {after} of {} events: {} is broken by the files: {by_files}",
                            events.len(),
                            property.name()
                        ));
                    }
                }
            };
            let wanted = |after: usize| expected(scope, &states[after], &base);
            let replayed = replay_trace_with(&mut driver, events, wanted, judge).unwrap();
            if let Err(divergence) = replayed {
                panic!("{}: {}", divergence.described, divergence.first_difference);
            }
            self.behaviours += 1;
        }
    }
}

/// The shortest behaviour for each property that is broken or witnessed, and the longest ones that take every edge.
fn behaviours(scope: &Scope) -> Vec<Behaviour> {
    let options = engine::Options {
        max_states: Some(20_000),
        ..engine::Options::default()
    };
    let record = explore(scope, &options).unwrap().record;
    if record.completeness != Completeness::Complete {
        return Vec::new();
    }
    let firsts = record.properties.iter().filter_map(|it| it.first.as_ref());
    let told = |trace: &Trace<State, Event>| {
        let states = trace.states().copied().collect();
        (trace.actions().copied().collect(), states)
    };
    let mut found: Vec<Behaviour> = firsts.map(told).collect();
    let covered = Covered::of(scope.clone());
    let mut paths: Vec<&Vec<u32>> = covered.paths.iter().collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for path in paths.into_iter().take(3) {
        let edges = path
            .iter()
            .map(|edge| covered.graph.edges[*edge as usize].to);
        let states = std::iter::once(0).chain(edges);
        let states = states.map(|state| covered.graph.states[state as usize]);
        found.push((covered.trace(path), states.collect()));
    }
    found
}

#[test]
fn every_property_is_judged_alike_by_model_and_files() {
    let mut judged = Judged::default();
    for mutant in MUTANTS.iter().filter(|mutant| !mutant.is_equivalent) {
        let scope = board::scope_of(mutant).unwrap();
        let example = board::shortest(&scope, mutant.property, 2)
            .unwrap()
            .unwrap();
        let behaviour = (example.events, example.states);
        judged.judge(mutant.name, &scope, &[behaviour]);
    }
    // Some of the questions in which directories are locked, too.
    let questions = |set, every| {
        let all = Set::named(set).unwrap().questions().into_iter();
        all.step_by(every).map(|asked| asked.scenario())
    };
    let generated =
        questions("pairs_in_an_upgrade", 5).chain(questions("triples_killed_by_directory", 40));
    for scenario in SCENARIOS.iter().chain(generated) {
        for design in [Design::HARDENED, Design::UPSTREAM] {
            let scope = Scope::new(scenario, design, &[]);
            let name = format!("{} under {design}", scenario.name);
            judged.judge(&name, &scope, &behaviours(&scope));
        }
    }
    let differences = &judged.differences;
    assert!(
        differences.is_empty(),
        "{}: {:#?}",
        differences.len(),
        &differences[..differences.len().min(20)]
    );
    assert!(judged.behaviours > 700, "{}", judged.behaviours);
    // Each property is seen broken by both somewhere.
    let unseen = Property::ALL.iter().filter(|property| {
        let can_be_seen = property.entry().mood == Mood::Always
            && !SHOWN_LATER.contains(property)
            && **property != Property::LocksAreTakenInRankOrder
            && **property != Property::WhatIsLeftCanBeUsedAgain;
        can_be_seen && !judged.broken.contains_key(property.name())
    });
    assert_eq!(unseen.collect::<Vec<_>>(), [] as [&Property; 0]);
}
