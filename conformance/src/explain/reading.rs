//! A log with the ids of its scenario: which steps there are, and which mark begins and ends each.

use super::{Judged, report};
use crate::interval_log::{IntervalLog, Mark};
use crate::report::Ids;
use model::Scope;
use specs::id::{Actor, Id};
use specs::{Event, Label, Outcome};

/// A step of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) actor: Actor,
    pub(super) label: Label<Id>,
    /// How it ended; none if it never did.
    pub(super) end: Option<Outcome>,
    /// Whether a kill interrupted it.
    pub(super) is_killed: bool,
}

/// A mark: the number of the step that it begins or ends, or what happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    Begin(usize),
    End(usize, Outcome),
    Happened(Event),
}

#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) steps: Vec<Taken>,
    pub(super) moments: Vec<Moment>,
}

impl Reading {
    /// Reads a log; the verdict, if it is none.
    pub(super) fn of(scope: &Scope, ids: &Ids, log: &IntervalLog) -> Result<Self, Judged> {
        if log.marks.is_empty() {
            return Err(Judged::Malformed("the log is empty".to_owned()));
        }
        let mut reading = Self::default();
        let mut open: Vec<Option<usize>> = scope.actors().map(|_| None).collect();
        for (n, mark) in log.marks.iter().enumerate() {
            let malformed = |why: String| Judged::Malformed(format!("mark {}: {why}", n + 1));
            match mark {
                Mark::Begin { actor, label } => {
                    let slot = open.get_mut(usize::from(actor.0));
                    let slot = slot.ok_or_else(|| malformed(no_actor(scope, *actor)))?;
                    if slot.is_some() {
                        let why = format!("actor {} begins a step inside a step", actor.0);
                        return Err(malformed(why));
                    }
                    // The outcome does not matter here; the label does.
                    let event = Event::Step {
                        actor: *actor,
                        label: label.clone(),
                        outcome: Outcome::Done,
                    };
                    let event = ids.event(&event);
                    let event = event.map_err(|path| report::unknown(scope, n, label, &path))?;
                    if let Event::Step { label, .. } = event {
                        *slot = Some(reading.steps.len());
                        reading.moments.push(Moment::Begin(reading.steps.len()));
                        reading.steps.push(Taken {
                            actor: *actor,
                            label,
                            end: None,
                            is_killed: false,
                        });
                    }
                }
                Mark::End { actor, outcome } => {
                    let slot = open.get_mut(usize::from(actor.0));
                    let slot = slot.ok_or_else(|| malformed(no_actor(scope, *actor)))?;
                    let Some(step) = slot.take() else {
                        let why = format!("actor {} ends a step that it did not begin", actor.0);
                        return Err(malformed(why));
                    };
                    reading.steps[step].end = Some(*outcome);
                    reading.moments.push(Moment::End(step, *outcome));
                }
                Mark::Happened { event } => {
                    let event = match event {
                        Event::Step { .. } | Event::Reached { .. } => {
                            return Err(malformed("a step has no moment of its own".to_owned()));
                        }
                        Event::Killed { process } => {
                            for actor in scope.actors() {
                                if scope.process_of(actor) == *process
                                    && let Some(step) = open[usize::from(actor.0)].take()
                                {
                                    reading.steps[step].is_killed = true;
                                }
                            }
                            Event::Killed { process: *process }
                        }
                        Event::Reloaded { process } => Event::Reloaded { process: *process },
                        Event::FlagSet => Event::FlagSet,
                        Event::CutoffPassed => Event::CutoffPassed,
                    };
                    reading.moments.push(Moment::Happened(event));
                }
            }
        }
        Ok(reading)
    }
}

fn no_actor(scope: &Scope, actor: Actor) -> String {
    format!("{} has no actor {}", scope.scenario.name, actor.0)
}
