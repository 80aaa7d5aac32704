//! Explores a scope with the engine, asks stateright for a second opinion, and writes the record.

mod by_stateright;

use crate::record::{Asked, Check, Run, RunKind, Verdict};
use anyhow::Context as _;
use model::engine::{self, Exploration, Options};
use model::second_opinion::{self, Opinion};
use model::verdict::{
    Claim, Completeness, Expected, Failure, PropertyRecord, Record, Verdict as Judged,
};
use model::{Scope, State};
use specs::occurrences::Occurrences;
use specs::property::Mood;
use specs::{Design, Event};
use std::collections::BTreeMap;

/// Whose counts and verdicts are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The engine of this project.
    Lockstep,
    /// stateright's breadth-first checker, with one thread.
    Stateright,
    /// Both, and they must agree.
    Both,
}

/// Explores a scope and writes the record; the exploration is given back for traces and replay.
pub fn check(
    scope: &Scope,
    mutant: Option<&'static str>,
    engine: Engine,
    options: &Options,
) -> anyhow::Result<(Check, Option<Exploration<State, Event>>)> {
    if engine == Engine::Stateright {
        let record = by_stateright::explore(scope)?;
        return Ok((judge(scope, mutant, engine, &record, None), None));
    }
    let exploration = engine::explore(scope, options)
        .with_context(|| format!("cannot explore {}", scope.scenario.name))?;
    let record = &exploration.record;
    let is_complete = record.completeness == Completeness::Complete;
    let opinion = (engine == Engine::Both && is_complete)
        .then(|| second_opinion::ask(scope, options.threads));
    let check = judge(scope, mutant, engine, record, opinion.as_ref());
    Ok((check, Some(exploration)))
}

/// The record of a run, whichever engine has searched: what holds for one is red for none.
fn judge(
    scope: &Scope,
    mutant: Option<&'static str>,
    engine: Engine,
    record: &Record<State, Event>,
    opinion: Option<&Opinion>,
) -> Check {
    let failures = record.failures().into_iter();
    let mut failures: Vec<String> = failures.map(|failure| sentence(record, &failure)).collect();
    let mut verdict = match record.verdict() {
        Judged::Holds => Verdict::Holds,
        Judged::Fails => of_failures(&record.failures()),
        Judged::Cut => Verdict::Cut,
    };
    let complete = record.completeness == Completeness::Complete;
    if complete {
        let less = less_than_expected(scope, mutant, record);
        if !less.is_empty() && verdict == Verdict::Holds {
            verdict = Verdict::Untested;
        }
        failures.extend(less);
    }
    if let Some(difference) = opinion.and_then(|opinion| opinion.difference(record)) {
        failures.push(difference);
        verdict = Verdict::Diverged;
    }
    let run = Run {
        kind: RunKind::Check,
        scenario: scope.scenario.name,
        design: scope.design,
        mutant,
        verdict,
        complete,
        states: record.states,
        edges: record.edges,
        // How deep it has come is not asked of stateright.
        depth: (engine != Engine::Stateright).then_some(record.depth),
        seconds: record.seconds,
        failures,
    };
    Check {
        run,
        engine: match engine {
            Engine::Lockstep => "lockstep",
            Engine::Stateright => "stateright",
            Engine::Both => "both",
        },
        threads: record.threads,
        properties: asked(record),
        coverage: coverage(scope, record),
        collision_odds: record.collision_odds(),
        peak_bytes: record.peak_bytes,
    }
}

/// How many names of what is missing are listed.
const LISTED: usize = 8;

/// What makes a complete run show less than it seems to: premises that tell nothing, and what does not happen any more.
fn less_than_expected(
    scope: &Scope,
    mutant: Option<&str>,
    record: &Record<State, Event>,
) -> Vec<String> {
    let asked = record.properties.iter().filter(|property| {
        let is_asked = scope
            .asked
            .iter()
            .any(|asked| asked.name() == property.name);
        is_asked && property.claim == Claim::Always && property.premise == record.states
    });
    let mut less: Vec<String> = asked
        .map(|property| {
            format!(
                "the premise of {} holds in every state, so it tells nothing",
                property.name
            )
        })
        .collect();
    let scenario = scope.scenario;
    let is_as_listed = scope.design == Design::HARDENED
        && mutant.is_none()
        && scope.environment == scenario.environment
        && scope.splits_locks == scenario.splits_locks;
    if let (true, Some(expected)) = (is_as_listed, Occurrences::of(scenario.name)) {
        let found = scope.occurrences(&record.coverage);
        less.extend(missing(&expected, &found));
    }
    less
}

/// What the page of occurrences lists and a run has not shown, in a sentence.
fn missing(expected: &Occurrences, found: &BTreeMap<String, u64>) -> Option<String> {
    let missing: Vec<&str> = expected
        .names
        .iter()
        .filter(|name| !found.contains_key(*name))
        .map(String::as_str)
        .collect();
    let more = missing.len().saturating_sub(LISTED);
    let and_more = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let listed = missing[..missing.len() - more].join(", ");
    (!missing.is_empty())
        .then(|| format!("does not happen any more: {listed}{and_more}; see specs/occurrences.md"))
}

/// The verdict on a run that shows something: a claim that was not put to the test is not broken.
fn of_failures(failures: &[Failure]) -> Verdict {
    let is_broken = |failure: &Failure| match failure {
        Failure::Violated(_)
        | Failure::Deadlock
        | Failure::ExceptionNotNeeded(_)
        | Failure::ExceptionMoved { .. } => true,
        Failure::Incomplete(_)
        | Failure::NothingClaimed
        | Failure::Unwitnessed(_)
        | Failure::PremiseNeverHeld(_) => false,
    };
    match failures.iter().any(is_broken) {
        true => Verdict::Violated,
        false => Verdict::Untested,
    }
}

/// A failure in a sentence; of a property that is violated, with how soon.
fn sentence(record: &Record<State, Event>, failure: &Failure) -> String {
    if let Failure::Violated(name) = failure
        && let Some(trace) = record.property(name).and_then(|p| p.first.as_ref())
    {
        return format!("{failure} after {} events", trace.steps.len());
    }
    failure.to_string()
}

fn asked(record: &Record<State, Event>) -> Vec<Asked> {
    record
        .properties
        .iter()
        .map(|property| Asked {
            name: property.name,
            mood: match property.claim {
                Claim::Always => Mood::Always,
                Claim::Sometimes => Mood::Sometimes,
            },
            verdict: word(property),
            premise: property.premise,
            hits: property.hits,
            trace_length: property.first.as_ref().map(|trace| trace.steps.len()),
        })
        .collect()
}

/// What a run says of one property.
fn word(property: &PropertyRecord<State, Event>) -> &'static str {
    match (property.claim, property.hits, property.expected) {
        (Claim::Always, 1.., Expected::BrokenAfter(_)) => "exception",
        (Claim::Always, 1.., Expected::Tested | Expected::Kept) | (Claim::Sometimes, 0, _) => {
            "violated"
        }
        (Claim::Always, 0, _) if property.premise == 0 => "not_tested",
        (Claim::Always, 0, _) | (Claim::Sometimes, 1.., _) => "holds",
    }
}

/// How often each row of the tables was taken, for those that were, and what else happened.
fn coverage(scope: &Scope, record: &Record<State, Event>) -> BTreeMap<String, u64> {
    let mut coverage = BTreeMap::new();
    for (name, count) in scope.occurrences(&record.coverage) {
        // By itself, and not once more by whom it meets; of a step, however it ended.
        let name = match name.split_once(' ') {
            Some(("stage", stage)) => format!("stage.{stage}"),
            Some((_, by)) if by.contains("beside ") => continue,
            Some((name, _)) => name.to_owned(),
            None => name,
        };
        *coverage.entry(name).or_default() += count;
    }
    coverage
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::{Design, Property, Scenario};

    /// One property that is broken, one that holds, and one that nothing witnesses.
    #[test]
    fn the_worst_that_is_found_is_the_verdict_in_whichever_order_it_is_asked() {
        use Property::{CanSweepDeadChunk, GroupWithSnapshotHasOwner, JobSkipsWhatVanished};
        let scenario = Scenario::named("two_removals_of_two_snapshots").unwrap();
        let scope = Scope::new(scenario, Design::UPSTREAM, &[]);
        let asks = |asked: &[Property]| {
            let mut scope = scope.clone();
            scope.asked = asked.to_vec();
            let by = |engine| {
                let (check, _) = check(&scope, None, engine, &Options::default()).unwrap();
                (check.run.verdict, check.run.failures.len())
            };
            let (verdict, failures) = by(Engine::Stateright);
            assert_eq!(by(Engine::Lockstep).0, verdict, "{asked:?}");
            (verdict, failures)
        };
        let (broken, sound, unseen) = (
            JobSkipsWhatVanished,
            GroupWithSnapshotHasOwner,
            CanSweepDeadChunk,
        );
        assert_eq!(asks(&[sound]), (Verdict::Holds, 0));
        assert_eq!(asks(&[unseen, sound]), (Verdict::Untested, 1));
        assert_eq!(asks(&[sound, unseen]), (Verdict::Untested, 1));
        assert_eq!(asks(&[broken, sound]), (Verdict::Violated, 1));
        assert_eq!(asks(&[sound, broken]), (Verdict::Violated, 1));
        assert_eq!(asks(&[broken, unseen]), (Verdict::Violated, 2));
        assert_eq!(asks(&[unseen, broken]), (Verdict::Violated, 2));
    }

    #[test]
    fn what_does_not_happen_any_more_is_named() {
        fn names<'a>(names: &'a [&str]) -> impl Iterator<Item = String> + 'a {
            names.iter().map(|name| (*name).to_owned())
        }
        let expected = Occurrences {
            states: 9,
            edges: 9,
            names: names(&["gc.lock_journal TimedOut", "killed other", "killed proxy"]).collect(),
        };
        let found = |list: &[&str]| names(list).map(|name| (name, 1)).collect();
        let all = [
            "gc.lock_journal TimedOut",
            "killed other",
            "killed proxy",
            "new",
        ];
        assert_eq!(missing(&expected, &found(&all)), None);
        let sentence = missing(&expected, &found(&["killed proxy"])).unwrap();
        assert_eq!(
            sentence,
            "does not happen any more: gc.lock_journal TimedOut, killed other; see specs/occurrences.md"
        );
    }
}
