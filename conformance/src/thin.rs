//! Makes a behaviour small, and tells it in as few turns as can be.
//!
//! *Reordering.* A search for shortest behaviours takes the steps of different actors in whatever order comes first.
//! [`reorder`] keeps the steps of each actor as they are, and finds among all the ways to interleave them that the
//! model accepts, and that end in the same state, one in which the actors take turns least often.
//!
//! *Thinning.* A behaviour that was met by chance, under loom, between kills or in free running, has steps that have
//! nothing to do with its end. [`thin`] leaves out whole actors, what the environment does, ends and parts of what an
//! actor does, and single events, with whatever cannot happen without them, for as long as the end still comes.
//! Nothing is taken on trust: the model takes every step again each time.

#[cfg(test)]
mod tests;

use crate::drawing::actor_of;
use model::{Scope, State};
use specs::property::Mood;
use specs::{Event, Property};
use stateright::Model as _;
use std::collections::{HashMap, VecDeque};

/// States that a reordering may look at. A behaviour with more interleavings than that stays as it is.
const REORDER_STATES: usize = 400_000;

/// Whether a state breaks a property that must always hold, or witnesses one that must be reached.
///
/// The scope must ask the property.
pub fn hits(scope: &Scope, property: Property) -> impl Fn(&Scope, &State) -> bool + use<> {
    let asked = scope.properties().into_iter();
    let condition = asked
        .filter(|asked| asked.name == property.name())
        .map(|asked| asked.condition)
        .next();
    let wanted = property.entry().mood == Mood::Sometimes;
    move |scope, state| condition.is_some_and(|holds| holds(scope, state) == wanted)
}

/// The behaviour without what its end does not need; the end comes with its last event, and not before.
///
/// If the end never comes, or the model does not accept an event, what comes from there on is left out first.
pub fn thin(
    scope: &Scope,
    events: &[Event],
    is_end: impl Fn(&Scope, &State) -> bool,
) -> Vec<Event> {
    let thinner = Thinner {
        scope,
        is_end: &is_end,
    };
    let Some(mut best) = thinner.take(events.iter()) else {
        return events.to_vec();
    };
    loop {
        while let Some(smaller) = thinner.smaller(&best) {
            best = smaller;
        }
        let told = reorder(scope, &best);
        match thinner.take(told.iter()) {
            // In another order the end may come earlier, or a step may be dispensable that was not before.
            Some(told) if told.len() < best.len() => best = told,
            _ => match thinner.smaller(&told) {
                Some(smaller) => best = smaller,
                None => return told,
            },
        }
    }
}

struct Thinner<'a, F> {
    scope: &'a Scope,
    is_end: &'a F,
}

impl<F: Fn(&Scope, &State) -> bool> Thinner<'_, F> {
    /// Takes the events that the model accepts, up to the end; none if the end does not come.
    fn take<'e>(&self, events: impl Iterator<Item = &'e Event>) -> Option<Vec<Event>> {
        let mut state = self.scope.start();
        let mut taken = Vec::new();
        for event in events {
            if (self.is_end)(self.scope, &state) {
                break;
            }
            if let Ok(next) = self.scope.apply(&state, *event) {
                taken.push(*event);
                state = next;
            }
        }
        (self.is_end)(self.scope, &state).then_some(taken)
    }

    /// The first smaller behaviour with the same end: large parts are tried first.
    fn smaller(&self, events: &[Event]) -> Option<Vec<Event>> {
        let without = |left_out: &dyn Fn(usize) -> bool| {
            let kept = events.iter().enumerate().filter(|(n, _)| !left_out(*n));
            let taken = self.take(kept.map(|(_, event)| event))?;
            (taken.len() < events.len()).then_some(taken)
        };
        let lanes = lanes(self.scope, events);
        for lane in &lanes {
            if let Some(found) = without(&|n| lane.contains(&n)) {
                return Some(found);
            }
        }
        // Ends of what an actor does, then any part of it: the longest first.
        for lane in &lanes {
            for first in 1..lane.len() {
                if let Some(found) = without(&|n| lane[first..].contains(&n)) {
                    return Some(found);
                }
            }
        }
        let mut size = events.len() / 2;
        while size > 0 {
            for first in (0..events.len()).step_by(size) {
                if let Some(found) = without(&|n| (first..first + size).contains(&n)) {
                    return Some(found);
                }
            }
            size /= 2;
        }
        for lane in &lanes {
            for size in (2..lane.len()).rev() {
                for part in lane.windows(size) {
                    if let Some(found) = without(&|n| part.contains(&n)) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }
}

/// The numbers of the events of each actor, and those of the environment.
fn lanes(scope: &Scope, events: &[Event]) -> Vec<Vec<usize>> {
    let of = |actor| {
        let mine = events.iter().enumerate();
        mine.filter(|(_, event)| actor_of(event) == actor)
            .map(|(n, _)| n)
            .collect::<Vec<_>>()
    };
    let mut lanes: Vec<_> = scope.actors().map(|actor| of(Some(actor))).collect();
    lanes.push(of(None));
    lanes.retain(|lane| !lane.is_empty());
    lanes
}

/// How far each lane is, in which state, and whose turn it was.
type Place = (Vec<usize>, State, Option<usize>);

/// The same events, those of each actor in their order, with the fewest turns, and the same last state.
///
/// A search in the order of turns: to go on with the lane whose turn it is costs nothing. The events are given back
/// as they are if the model does not accept them, or if there are too many ways to interleave them.
pub fn reorder(scope: &Scope, events: &[Event]) -> Vec<Event> {
    let Ok(states) = crate::report::walk(scope, events) else {
        return events.to_vec();
    };
    let lanes = lanes(scope, events);
    let goal = states.last().copied();
    let start: Place = (vec![0; lanes.len()], scope.start(), None);
    let mut found: Vec<(Place, usize)> = vec![(start.clone(), 0)];
    let mut turns: HashMap<Place, usize> = HashMap::from([(start, 0)]);
    let mut queue: VecDeque<(usize, usize)> = VecDeque::from([(0, 0)]);
    while let Some((at, cost)) = queue.pop_front() {
        let (done, state, turn) = found[at].0.clone();
        if turns.get(&found[at].0).is_some_and(|known| *known < cost) {
            continue;
        }
        if done
            .iter()
            .zip(&lanes)
            .all(|(done, lane)| *done == lane.len())
        {
            if Some(state) == goal {
                return told(events, &lanes, &found, at);
            }
            continue;
        }
        if found.len() > REORDER_STATES {
            break;
        }
        for (lane, numbers) in lanes.iter().enumerate() {
            let Some(event) = numbers.get(done[lane]) else {
                continue;
            };
            let Ok(next) = scope.apply(&state, events[*event]) else {
                continue;
            };
            let mut further = done.clone();
            further[lane] += 1;
            let cost = cost + usize::from(turn != Some(lane));
            let place: Place = (further, next, Some(lane));
            if turns.get(&place).is_some_and(|known| *known <= cost) {
                continue;
            }
            turns.insert(place.clone(), cost);
            found.push((place, at));
            if turn == Some(lane) {
                queue.push_front((found.len() - 1, cost));
            } else {
                queue.push_back((found.len() - 1, cost));
            }
        }
    }
    events.to_vec()
}

/// The events on the way to a place.
fn told(
    events: &[Event],
    lanes: &[Vec<usize>],
    found: &[(Place, usize)],
    end: usize,
) -> Vec<Event> {
    let mut told = Vec::new();
    let mut at = end;
    while let ((done, _, Some(lane)), before) = &found[at] {
        told.push(events[lanes[*lane][done[*lane] - 1]]);
        at = *before;
    }
    told.reverse();
    told
}
