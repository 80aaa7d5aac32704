//! What a drawing of a behaviour shows: its lines, with runs of one actor folded, and the spans of the locks.
//!
//! *Which events share a line.* Consecutive steps of one actor do. A line of its own begin
//! * what the environment does: a kill, the cutoff;
//! * an event that breaks or witnesses a property;
//! * a step that its actor could not have taken, or that would have ended otherwise, if all others had stood still
//!   since the start, or since the last such step of this actor: here the others show. The model decides it, by taking
//!   the steps of that one actor alone.
//!
//! So no meeting is inside a fold: what is folded happened as if nobody else were there.
//!
//! *What a lock span is.* It reaches from the event after which the actor has the lock to the event after which it
//! has not. A lock on which the actor relies although nobody gave it, which takes a fault, is hollow.

pub mod picture;
pub mod svg;
#[cfg(test)]
mod tests;

use model::locks::{self, Name, Possession};
use model::{Refusal, Scope, State};
use specs::id::{Actor, Group, Namespace, Snapshot};
use specs::lock_class::Mode;
use specs::step::LockUse;
use specs::{Event, Id, Label, LockClass, Outcome};

/// A behaviour, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// The scope.
    pub scope: Scope,
    /// What happens.
    pub events: Vec<Event>,
    /// The states, the start first: one more than events.
    pub states: Vec<State>,
    /// The events that matter most, in their order.
    pub marks: Vec<Mark>,
    /// The lines.
    pub lines: Vec<Line>,
    /// The locks that anybody has, in the order in which they are taken.
    pub locks: Vec<Lock>,
}

/// An event and what it does, in words: what it breaks or witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number, from 0.
    pub event: usize,
    /// What it does.
    pub text: String,
}

/// Events that share a line, by their numbers from 0; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who; none for the environment.
    pub actor: Option<Actor>,
    /// The first event.
    pub first: usize,
    /// The last event.
    pub last: usize,
}

/// A lock and when an actor has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who has it.
    pub actor: Actor,
    /// Its class.
    pub class: LockClass,
    /// Its class, and which one.
    pub label: String,
    /// When.
    pub spans: Vec<Span>,
}

/// From one event to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The event after which the actor has the lock.
    pub taken: usize,
    /// The event after which it has not; none if it still has.
    pub released: Option<usize>,
    /// How it was taken, where the step table says so.
    pub mode: Option<Mode>,
    /// Whether it was given; otherwise the actor only relies on it.
    pub is_real: bool,
}

impl Span {
    /// Whether the actor has the lock after an event.
    pub fn covers(&self, event: usize) -> bool {
        self.taken <= event && self.released.is_none_or(|released| event < released)
    }
}

impl Drawing {
    /// The behaviour with these events, folded, and with what its last event does; where and why the model refuses one,
    /// otherwise.
    pub fn folded(
        scope: &Scope,
        events: &[Event],
        end: Option<String>,
    ) -> Result<Self, (usize, Refusal)> {
        let drawing = Self::full(scope, events, end)?;
        let marks = drawing.marks.clone();
        Ok(drawing.marked(marks))
    }

    /// Folded anew, with other events that matter most.
    #[must_use]
    pub fn marked(mut self, marks: Vec<Mark>) -> Self {
        self.lines = fold(&self.scope, &self.events, &self.states, &marks);
        self.marks = marks;
        self
    }

    /// The same with a line for every event.
    pub fn full(
        scope: &Scope,
        events: &[Event],
        end: Option<String>,
    ) -> Result<Self, (usize, Refusal)> {
        let states = crate::report::walk(scope, events)?;
        let locks = lock_spans(scope, events, &states);
        let line = |n| Line {
            actor: actor_of(&events[n]),
            first: n,
            last: n,
        };
        Ok(Self {
            scope: scope.clone(),
            events: events.to_vec(),
            states,
            marks: end
                .map(|text| Mark {
                    event: events.len().saturating_sub(1),
                    text,
                })
                .into_iter()
                .collect(),
            lines: (0..events.len()).map(line).collect(),
            locks,
        })
    }

    /// What the event of a line does, if it is one of those that matter most.
    pub fn mark_of(&self, line: &Line) -> Option<String> {
        let marks = self.marks.iter().filter(|mark| mark.event == line.last);
        let texts: Vec<&str> = marks.map(|mark| mark.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    /// What a mark says, and where it stands: at the start, if no event is needed.
    pub fn told(&self, mark: &Mark) -> String {
        match self.events.is_empty() {
            true => format!("the start {}", mark.text),
            false => format!("event {} {}", mark.event + 1, mark.text),
        }
    }

    /// What a line says.
    pub fn text(&self, line: &Line) -> String {
        let first = describe(&self.scope, &self.events[line.first]);
        if line.first == line.last {
            return first;
        }
        let name = |event: &Event| match event {
            Event::Step { label, outcome, .. } => {
                format!("{}{}", label.step.name(), ended(*outcome))
            }
            Event::Reached { label, stage, .. } => {
                format!("{}: {}", label.step.name(), stage.name())
            }
            Event::Killed { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => describe(&self.scope, event),
        };
        format!(
            "{} .. {} ({} steps)",
            name(&self.events[line.first]),
            name(&self.events[line.last]),
            line.last - line.first + 1
        )
    }

    /// What the steps of an event are for, and the guard that kept it from ending with `Done`.
    pub fn reason(&self, event: usize) -> String {
        let Event::Step {
            actor,
            label,
            outcome,
        } = self.events[event]
        else {
            return describe(&self.scope, &self.events[event]);
        };
        let done = Event::Step {
            actor,
            label,
            outcome: Outcome::Done,
        };
        let sentence = label.step.row().sentence;
        match self.scope.apply(&self.states[event], done) {
            Err(refusal) if outcome != Outcome::Done => {
                format!("{sentence} Not done: {}.", refused(&self.scope, refusal))
            }
            Ok(_) | Err(_) => sentence.to_owned(),
        }
    }
}

/// A refusal with the name of the actor that it speaks of.
pub fn refused(scope: &Scope, refusal: Refusal) -> String {
    if let Refusal::Held(class, by) = refusal {
        let holder = actor_name(scope, Actor(by));
        return format!("the {} lock is held by {holder}", class.name());
    }
    refusal.to_string()
}

/// Who takes a step; none for the environment.
pub fn actor_of(event: &Event) -> Option<Actor> {
    match event {
        Event::Step { actor, .. } | Event::Reached { actor, .. } => Some(*actor),
        Event::Killed { .. } | Event::Reloaded { .. } | Event::FlagSet | Event::CutoffPassed => {
            None
        }
    }
}

/// The name of an actor: its operation and its process, with a number if there are several.
pub fn actor_name(scope: &Scope, actor: Actor) -> String {
    let name = |actor: Actor| {
        let task = scope.task_of(actor).op().name();
        let process = usize::from(scope.process_of(actor).0);
        (task, scope.scenario.processes[process])
    };
    let (task, process) = name(actor);
    let same: Vec<Actor> = scope
        .actors()
        .filter(|other| name(*other) == (task, process))
        .collect();
    match same.iter().position(|other| *other == actor) {
        Some(n) if same.len() > 1 => format!("{task} {} in {process}", n + 1),
        _ => format!("{task} in {process}"),
    }
}

/// An event in words, with its actor if it has one.
pub fn told(scope: &Scope, event: &Event) -> String {
    match event {
        Event::Step { actor, label, .. } | Event::Reached { actor, label, .. } => {
            let (who, what) = (actor_name(scope, *actor), describe(scope, event));
            format!("{who}: {}.{what}", label.step.op().name())
        }
        Event::Killed { .. } | Event::Reloaded { .. } | Event::FlagSet | Event::CutoffPassed => {
            describe(scope, event)
        }
    }
}

/// An event in words, without its actor.
pub fn describe(scope: &Scope, event: &Event) -> String {
    match event {
        Event::Step { label, outcome, .. } => step_text(scope, *label, &ended(*outcome)),
        Event::Reached { label, stage, .. } => {
            step_text(scope, *label, &format!(": {}", stage.name()))
        }
        Event::Killed { process } => {
            let name = scope.scenario.processes[usize::from(process.0)];
            format!("the process {name} is killed")
        }
        Event::Reloaded { process } => {
            let name = scope.scenario.processes[usize::from(process.0)];
            format!("the process {name} is reloaded")
        }
        Event::FlagSet => "the flag file of the old locks is created".to_owned(),
        Event::CutoffPassed => "the cutoff passes".to_owned(),
    }
}

fn step_text(scope: &Scope, label: Label<Id>, end: &str) -> String {
    let argument = label
        .of
        .map(|id| format!("({})", short(&scope.scenario.path(id))));
    format!(
        "{}{}{}",
        label.step.name(),
        argument.unwrap_or_default(),
        end
    )
}

/// An outcome behind its step; nothing for the usual one.
fn ended(outcome: Outcome) -> String {
    if outcome == Outcome::Done {
        String::new()
    } else {
        format!(" -> {outcome:?}")
    }
}

/// The path with a digest cut down to its last four digits.
pub fn short(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, name)) if name.len() == 64 => format!("{directory}/..{}", &name[60..]),
        Some(_) | None => path.to_owned(),
    }
}

/// A lock's class, and which one of its class.
pub fn lock_label(scope: &Scope, lock: &Possession) -> String {
    let path = match lock.name {
        Some(Name::Namespace(n)) => scope.scenario.path(Id::Namespace(Namespace(n))),
        Some(Name::Group(n, g) | Name::GroupDirectory(n, g)) => {
            scope.scenario.path(Id::Group(Namespace(n), Group(g)))
        }
        Some(Name::Snapshot(n, s) | Name::SnapshotDirectory(n, s)) => {
            scope.scenario.path(Id::Snapshot(Namespace(n), Snapshot(s)))
        }
        Some(Name::Manifest(n, s) | Name::OldManifest(n, s)) => {
            scope.scenario.path(Id::Manifest(Namespace(n), Snapshot(s)))
        }
        None => return lock.class.name().to_owned(),
    };
    format!("{} {path}", lock.class.name())
}

fn fold(scope: &Scope, events: &[Event], states: &[State], marks: &[Mark]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    // For each actor the world in which the others stand still.
    let mut alone: Vec<State> = scope.actors().map(|_| scope.start()).collect();
    for (n, event) in events.iter().enumerate() {
        let actor = actor_of(event);
        let is_apart = marks
            .iter()
            .any(|mark| n == mark.event || n == mark.event + 1);
        let meets = match actor {
            Some(actor) => {
                let world = &mut alone[usize::from(actor.0)];
                let step = scope.apply(world, *event);
                *world = step.unwrap_or(states[n + 1]);
                step.is_err()
            }
            None => {
                for world in &mut alone {
                    *world = scope.apply(world, *event).unwrap_or(states[n + 1]);
                }
                true
            }
        };
        match lines.last_mut() {
            Some(line) if !meets && !is_apart && line.actor == actor => line.last = n,
            _ => lines.push(Line {
                actor,
                first: n,
                last: n,
            }),
        }
    }
    lines
}

fn lock_spans(scope: &Scope, events: &[Event], states: &[State]) -> Vec<Lock> {
    let mut all: Vec<(Possession, Lock)> = Vec::new();
    for (n, event) in events.iter().enumerate() {
        for actor in scope.actors() {
            let now = locks::possessions(scope, &states[n + 1], actor);
            let same = |a: &Possession, b: &Possession| (a.class, a.name) == (b.class, b.name);
            for (known, lock) in all.iter_mut().filter(|(_, lock)| lock.actor == actor) {
                let open = lock.spans.last_mut().filter(|span| span.released.is_none());
                if let Some(span) = open {
                    let goes_on = now
                        .iter()
                        .any(|p| same(p, known) && p.is_locked == span.is_real);
                    if !goes_on {
                        span.released = Some(n);
                    }
                }
            }
            for possession in now {
                let column = all
                    .iter()
                    .position(|(p, lock)| lock.actor == actor && same(p, &possession));
                let column = column.unwrap_or_else(|| {
                    let lock = Lock {
                        actor,
                        class: possession.class,
                        label: lock_label(scope, &possession),
                        spans: Vec::new(),
                    };
                    all.push((possession, lock));
                    all.len() - 1
                });
                let spans = &mut all[column].1.spans;
                if spans.last().is_none_or(|span| span.released.is_some()) {
                    spans.push(Span {
                        taken: n,
                        released: None,
                        mode: mode(event, possession.class),
                        is_real: possession.is_locked,
                    });
                }
            }
        }
    }
    all.into_iter().map(|(_, lock)| lock).collect()
}

/// How a step takes a lock of a class.
fn mode(event: &Event, class: LockClass) -> Option<Mode> {
    let Event::Step { label, .. } = event else {
        return None;
    };
    match label.step.row().lock {
        Some(LockUse::Take(taken, mode, _)) if taken == class => Some(mode),
        Some(_) | None => None,
    }
}
