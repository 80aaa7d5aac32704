//! What a verdict says in words.

use super::reading::Reading;
use super::search::{Configuration, Met, Search};
use super::{Judged, Unexplained};
use crate::drawing::{actor_name, actor_of, describe, refused};
use model::{Refusal, Scope};
use specs::{Event, Label, Outcome, Stage};

/// A step whose path the scenario does not have.
pub(super) fn unknown(scope: &Scope, mark: usize, label: &Label<String>, path: &str) -> Judged {
    let scenario = scope.scenario.name;
    Judged::Unexplained(Box::new(Unexplained {
        mark,
        event: None,
        refusals: Vec::new(),
        allowed: Vec::new(),
        text: format!(
            "mark {}: {label}: {scenario} has nothing at {path}",
            mark + 1
        ),
    }))
}

/// Steps that never end, in a scope that does not ask about them.
pub(super) fn waiting(scope: &Scope, reading: &Reading, waiting: &[usize]) -> String {
    format!(
        "these steps never end: {}",
        under_way(scope, reading, waiting)
    )
}

/// A log behind whose last mark somebody still had something to do.
pub(super) fn unconsumed(
    scope: &Scope,
    reading: &Reading,
    waiting: &[usize],
    alive: &[(Configuration, usize)],
) -> String {
    if !waiting.is_empty() {
        let steps = under_way(scope, reading, waiting);
        return format!("the log ends inside steps that need not wait: {steps}");
    }
    let Some((configuration, _)) = alive.first() else {
        return "the log ends too early".to_owned();
    };
    let next: Vec<String> = scope
        .actors()
        .filter_map(|actor| {
            let label = scope
                .labels(&configuration.state, actor)
                .into_iter()
                .next()?;
            let name = actor_name(scope, actor);
            Some(format!(
                "{} of {name}",
                label.map(|id| scope.scenario.path(id))
            ))
        })
        .collect();
    format!("the log ends before {}", next.join(" and "))
}

fn under_way(scope: &Scope, reading: &Reading, waiting: &[usize]) -> String {
    let step = |step: &usize| {
        let step = reading.steps[*step];
        let name = actor_name(scope, step.actor);
        format!("{} of {name}", step.label.map(|id| scope.scenario.path(id)))
    };
    waiting.iter().map(step).collect::<Vec<_>>().join(" and ")
}

impl Search<'_> {
    /// What is said at a mark before which an event cannot have happened in any configuration.
    pub(super) fn unexplained(&self, mark: usize, event: Event, before: &Met) -> Judged {
        let scope = &self.explainer.scope;
        let mut ways: Vec<&(Configuration, usize)> = before.all.iter().collect();
        // A stable order: of those that came furthest the first.
        ways.sort_by_key(|(_, node)| std::cmp::Reverse(self.nodes[*node].depth));
        let mut refusals: Vec<Refusal> = Vec::new();
        let mut allowed = Vec::new();
        let mut last = Vec::new();
        for (n, (configuration, node)) in ways.into_iter().enumerate() {
            for event in self.calls_before(event).chain([event]) {
                if let Err(refusal) = scope.apply(&configuration.state, event)
                    && !refusals.contains(&refusal)
                {
                    refusals.push(refusal);
                }
            }
            if n == 0 {
                last = self.way_to(*node);
                scope.successors(&configuration.state, &mut |other, _| {
                    if actor_of(&other) == actor_of(&event) {
                        allowed.push(other);
                    }
                });
            }
        }
        // A step whose calls did not come so far is not next either, which says nothing beside what stopped them.
        if refusals.len() > 1 {
            refusals.retain(|refusal| *refusal != Refusal::NotNext);
        }
        let text = self.text(mark, &event, &last, &refusals, &allowed);
        Judged::Unexplained(Box::new(Unexplained {
            mark,
            event: Some(event),
            refusals,
            allowed,
            text,
        }))
    }

    /// The calls that a step makes before it ends like that. Whoever finds nothing made none, and that a file has not
    /// vanished is no reason for anything.
    fn calls_before(&self, event: Event) -> impl Iterator<Item = Event> + use<> {
        let calls = match event {
            Event::Step {
                actor,
                label,
                outcome,
            } if outcome != Outcome::NotFound => Some(self.calls_of(actor, label)),
            Event::Step { .. }
            | Event::Reached { .. }
            | Event::Killed { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => None,
        };
        let is_reason = |event: &Event| {
            !matches!(
                event,
                Event::Reached {
                    stage: Stage::Vanished,
                    ..
                }
            )
        };
        calls.into_iter().flatten().filter(is_reason)
    }

    fn text(
        &self,
        mark: usize,
        event: &Event,
        before: &[Event],
        refusals: &[Refusal],
        allowed: &[Event],
    ) -> String {
        let scope = &self.explainer.scope;
        let who = |event: &Event| {
            let said = describe(scope, event);
            actor_of(event).map_or(said.clone(), |actor| {
                format!("{}: {said}", actor_name(scope, actor))
            })
        };
        let list = |events: &[Event]| {
            let said: Vec<String> = events.iter().map(|event| describe(scope, event)).collect();
            if said.is_empty() {
                "nothing".to_owned()
            } else {
                said.join(", or ")
            }
        };
        let refusals: Vec<String> = refusals.iter().map(|r| refused(scope, *r)).collect();
        let mut text = format!("mark {}: no order explains\n  {}\n", mark + 1, who(event));
        text += &format!("refused: {}\n", refusals.join("; or "));
        text += &format!("allowed: {}\n", list(allowed));
        let last: Vec<String> = before.iter().rev().take(3).rev().map(who).collect();
        text += &format!(
            "after {} events, the last of which are\n  {}\n",
            before.len(),
            last.join("\n  ")
        );
        let under_way: Vec<usize> = self.open.iter().copied().flatten().collect();
        if !under_way.is_empty() {
            let steps = self::under_way(scope, self.reading, &under_way);
            text += &format!("still under way: {steps}\n");
        }
        text
    }
}
