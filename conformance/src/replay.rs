//! Replay: one event after the other on real files and locks, and after each one everything is compared.

use crate::aftermath;
use crate::driver::{Driver, Options, Seen};
use crate::lock_order::Taking;
use crate::projection::Projected;
use crate::wire::Stands;
use anyhow::Context as _;
use specs::id::Namespace;
use specs::mutant::Fault;
use specs::scenario::Task;
use specs::{Design, Event, Outcome, Scenario, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traces that were replayed to their end.
    pub traces: usize,
    /// Events that happened.
    pub steps: usize,
    /// Single values that were compared.
    pub compared_fields: usize,
    /// Holders of locks that the kernel showed after a step.
    pub locks_witnessed: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.traces += other.traces;
        self.steps += other.steps;
        self.compared_fields += other.compared_fields;
        self.locks_witnessed += other.locks_witnessed;
    }
}

/// Where the real thing and the model part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Number of events before the one that went wrong; that of all events if the end went wrong.
    pub step: usize,
    /// The event that went wrong; none at the start and at the end.
    pub event: Option<Event>,
    /// The event in words, with paths.
    pub described: String,
    /// What was expected of the state, if that is what differs.
    pub expected: Option<Box<Projected>>,
    /// What was seen, if the state differs.
    pub seen: Option<Box<Projected>>,
    /// The first difference, in words.
    pub first_difference: String,
}

/// Replays one trace. `expected` says how everything looks after so many events; 0 is the start.
pub fn replay_trace(
    driver: &mut Driver,
    trace: &[Event],
    expected: impl FnMut(usize) -> Projected,
) -> anyhow::Result<Result<Counts, Divergence>> {
    replay_trace_with(driver, trace, expected, |_, _, _| {})
}

/// The same, and `each` hears of every observation that was as expected, by the number of events before it.
pub fn replay_trace_with(
    driver: &mut Driver,
    trace: &[Event],
    expected: impl FnMut(usize) -> Projected,
    each: impl FnMut(&Driver, usize, &Projected),
) -> anyhow::Result<Result<Counts, Divergence>> {
    let replayed = compare(driver, trace, expected, each);
    if !matches!(replayed, Ok(Ok(_))) {
        driver.world().check_sound()?;
    }
    replayed
}

fn compare(
    driver: &mut Driver,
    trace: &[Event],
    mut expected: impl FnMut(usize) -> Projected,
    mut each: impl FnMut(&Driver, usize, &Projected),
) -> anyhow::Result<Result<Counts, Divergence>> {
    let mut counts = Counts::default();
    let mut now = Projected::default();
    driver.begin(trace)?;
    for after in 0..=trace.len() {
        if let Some(at) = after.checked_sub(1) {
            let seen = driver.step(at)?;
            if let Some(difference) = differs(&trace[at], &seen) {
                return Ok(Err(Divergence::at(driver, trace, at, difference)));
            }
            counts.steps += 1;
        }
        driver.observe(&mut now)?;
        let wanted = expected(after);
        if let Some(difference) = now.first_difference(&wanted) {
            let at = after.saturating_sub(1);
            let mut divergence = Divergence::at(driver, trace, at, difference);
            if after == 0 {
                divergence.event = None;
                divergence.described = "the start of the trace".to_owned();
            }
            divergence.expected = Some(Box::new(wanted));
            divergence.seen = Some(Box::new(now));
            return Ok(Err(divergence));
        }
        counts.compared_fields += now.values();
        counts.locks_witnessed += now.store_holders.len()
            + now
                .locks
                .iter()
                .map(|lock| lock.holders.len())
                .sum::<usize>();
        each(driver, after, &now);
    }
    if let Some(stranger) = driver.strangers()?.first() {
        let difference = format!("unaccounted: nobody expects {}", stranger.display());
        return Ok(Err(Divergence::at(driver, trace, trace.len(), difference)));
    }
    if let Some(altered) = driver.altered()?.first() {
        let difference = format!(
            "contents: {} is not what it was at the start",
            altered.display()
        );
        return Ok(Err(Divergence::at(driver, trace, trace.len(), difference)));
    }
    counts.traces = 1;
    Ok(Ok(counts))
}

impl Divergence {
    fn at(driver: &Driver, trace: &[Event], step: usize, first_difference: String) -> Self {
        let event = trace.get(step).copied();
        let described = match event {
            Some(_) => driver.describe(step),
            None => "the end of the trace".to_owned(),
        };
        Self {
            step,
            event,
            described,
            expected: None,
            seen: None,
            first_difference,
        }
    }
}

/// In what a step differs from its event.
fn differs(event: &Event, seen: &Seen) -> Option<String> {
    let (outcome, stage) = match event {
        Event::Step { outcome, .. } => (Some(*outcome), None),
        Event::Reached { stage, .. } => (None, Some(*stage)),
        Event::Killed { .. } | Event::Reloaded { .. } | Event::FlagSet | Event::CutoffPassed => {
            return None;
        }
    };
    let came_to = |outcome: Option<Outcome>, stage: Option<Stage>| match (outcome, stage) {
        (Some(outcome), _) => format!("{outcome:?}"),
        (None, Some(stage)) => format!("{} and no end", stage.name()),
        (None, None) => "nothing".to_owned(),
    };
    let has_come = seen.outcome.is_some() || seen.stage.is_some();
    match (has_come, &seen.stands) {
        (_, Some(Stands::Panicked(message))) => {
            Some(format!("panic: the operation panicked: {message}"))
        }
        (false, Some(Stands::Strayed(label) | Stands::Behind(label))) => Some(format!(
            "label: expected the step of the trace, but the actor stands before {label}"
        )),
        (false, Some(Stands::Ended)) => {
            Some("label: expected the step of the trace, but the operation has ended".to_owned())
        }
        (false, _) => Some("outcome: the actor took no step".to_owned()),
        (true, _) if (seen.outcome, seen.stage) != (outcome, stage) => Some(format!(
            "outcome: expected {}, saw {}",
            came_to(outcome, stage),
            came_to(seen.outcome, seen.stage)
        )),
        (true, _) => None,
    }
}

/// What a replay of many traces needs.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The design that the operations follow.
    pub design: Design,
    /// The faults that are applied to them.
    pub faults: Vec<Fault>,
    /// How drivers work; each lane has its own number.
    pub options: Options,
    /// Number of lanes that run beside each other.
    pub lanes: usize,
}

/// What a replay of many traces found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was compared, up to the first divergence.
    pub counts: Counts,
    /// The first divergence of the trace with the lowest number, and that number.
    pub divergence: Option<(usize, Divergence)>,
    /// The locks that actors were given while they had others, each with the lowest number of a trace.
    pub takings: BTreeMap<Taking, usize>,
}

/// What the model does with what a trace leaves, after a kill and after a reboot.
pub type Left<'a> = dyn Fn(usize) -> [aftermath::Tried; 2] + Sync + 'a;

/// In what model and real thing differ about what is left: in what is done, or in whether it works.
fn differ(model: &[aftermath::Tried; 2], real: &[aftermath::Tried; 2]) -> Option<String> {
    let both = model.iter().zip(real).zip(["a kill", "a reboot"]);
    both.into_iter().find_map(
        |((model, real), how)| match (&model.failure, &real.failure) {
            (None, Some(why)) => Some(format!("the model uses it after {how}, but {why}")),
            (Some(why), None) => Some(format!("real files can be used after {how}, but {why}")),
            (None, None) | (Some(_), Some(_)) if model.tasks != real.tasks => {
                let same = model.tasks.iter().zip(&real.tasks);
                let at = same.take_while(|(model, real)| model == real).count();
                let at_place = |tasks: &[(Task, Namespace)]| match tasks.get(at) {
                    Some((task, to)) => {
                        let op = task.op().name();
                        format!("tries {op} ({task:?}; a backup goes to {to:?})")
                    }
                    None => "ends".to_owned(),
                };
                Some(format!(
                    "after {how} both try {at} operations alike; then the model {}, and the real thing {}",
                    at_place(&model.tasks),
                    at_place(&real.tasks)
                ))
            }
            (None, None) | (Some(_), Some(_)) => None,
        },
    )
}

/// Replays many traces in lanes, each with its own directories and workers; stops at the first divergence.
///
/// `expected` gets the base directory of the lane's datastore, the number of the trace, and the number of events that have happened.
/// `left` says, where it is asked, what the model does with what a trace leaves, see [`aftermath`]; the real thing must do the same.
/// `done` is called after each trace with the number of steps so far.
pub fn replay_all(
    plan: &Plan<'_>,
    traces: &[Vec<Event>],
    expected: impl Fn(&Path, usize, usize) -> Projected + Sync,
    left: Option<&Left<'_>>,
    done: impl Fn(usize) + Sync,
) -> anyhow::Result<Report> {
    let next = AtomicUsize::new(0);
    let steps = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    // What was left, after other traces as well: it is used again once.
    let known = Mutex::new(BTreeSet::new());
    let lane = |number: usize| -> anyhow::Result<()> {
        let options = Options {
            lane: plan.options.lane + number,
            ..plan.options.clone()
        };
        let mut driver = Driver::new(plan.scenario, plan.design, &plan.faults, options)?;
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(trace) = traces.get(at) else { break };
            let base = driver.world().store().to_owned();
            let result = replay_trace(&mut driver, trace, |after| expected(&base, at, after));
            let mut result =
                result.with_context(|| format!("trace {} of {}", at + 1, plan.scenario.name))?;
            if let (Some(left), Ok(_)) = (left, &result) {
                let (world, scenario) = (driver.world(), plan.scenario);
                let looks = world.looks().context("cannot read what is left")?;
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let is_new = known.insert(looks);
                drop(known);
                let after = || {
                    let tried = aftermath::tried(world, scenario, plan.design);
                    tried.map_err(|error| world.cause(error))
                };
                if is_new
                    && let Some(real) = after()?
                    && let Some(what) = differ(&left(at), &real)
                {
                    world.check_sound()?;
                    let what = format!("aftermath: {what}");
                    result = Err(Divergence::at(&driver, trace, trace.len(), what));
                }
            }
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            for taking in driver.take_takings() {
                let first = report.takings.entry(taking).or_insert(at);
                *first = at.min(*first);
            }
            match result {
                Ok(counts) => {
                    report.counts += counts;
                    done(steps.fetch_add(counts.steps, Ordering::Relaxed) + counts.steps);
                }
                Err(divergence) => {
                    stop.store(true, Ordering::Relaxed);
                    if report
                        .divergence
                        .as_ref()
                        .is_none_or(|(before, _)| at < *before)
                    {
                        report.divergence = Some((at, divergence));
                    }
                }
            }
        }
        driver.end()
    };
    std::thread::scope(|scope| {
        let start = |number| {
            let (lane, stop) = (&lane, &stop);
            let run = move || {
                let result = lane(number);
                if result.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                result
            };
            let started = std::thread::Builder::new().spawn_scoped(scope, run);
            started
                .inspect_err(|_| stop.store(true, Ordering::Relaxed))
                .context("cannot start a thread for a replay")
        };
        let lanes: Vec<_> = (0..plan.lanes.max(1)).map(start).collect();
        for lane in lanes {
            match lane?.join() {
                Ok(result) => result?,
                Err(payload) => std::panic::resume_unwind(payload),
            }
        }
        anyhow::Ok(())
    })?;
    Ok(report.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_must_be_the_same_whether_it_works_or_not() {
        let tried = |runs: &[u8], failure: Option<&str>| aftermath::Tried {
            tasks: runs
                .iter()
                .map(|runs| (Task::Gc { runs: *runs }, Namespace(0)))
                .collect(),
            failure: failure.map(str::to_owned),
        };
        let works = || tried(&[1], None);
        for failure in [None, Some("it failed")] {
            let one = || [works(), tried(&[1], failure)];
            assert_eq!(differ(&one(), &one()), None);
            for other in [&[2][..], &[], &[1, 1]] {
                let other = [works(), tried(other, failure)];
                let said = differ(&one(), &other).unwrap();
                assert!(said.starts_with("after a reboot both try "), "{said}");
            }
            let opposite = failure.xor(Some("it failed"));
            assert!(differ(&one(), &[works(), tried(&[1], opposite)]).is_some());
        }
    }
}
