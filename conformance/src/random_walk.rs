//! Random behaviours of the model, for tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::drawing::actor_of;
use model::{Scope, State};
use specs::Event;

/// A walk in which somebody goes on for a while before the turn changes, so that operations meet in the middle.
pub(crate) fn random_walk(scope: &Scope, seed: u64) -> Vec<Event> {
    let mut random = seed | 1;
    let mut draw = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % 1_000_003).unwrap() % below
    };
    let mut state = scope.start();
    let mut events: Vec<Event> = Vec::new();
    loop {
        let mut successors = Vec::new();
        scope.successors(&state, &mut |event, next| successors.push((event, next)));
        if successors.is_empty() {
            return events;
        }
        let turn = events.last().and_then(actor_of);
        let same = |(event, _): &&(Event, State)| actor_of(event) == turn;
        let own: Vec<(Event, State)> = successors.iter().filter(same).copied().collect();
        let from = if !own.is_empty() && draw(5) > 0 {
            own
        } else {
            successors
        };
        let (event, next) = from[draw(from.len())];
        events.push(event);
        state = next;
    }
}
