//! The order of locks: who waits for one has none of a higher rank.

use super::{FIXED, Name, visit_holds_of};
use crate::ops::access_chunk;
use crate::scope::Scope;
use crate::state::State;
use specs::LockClass;
use specs::id::Actor;

/// The place of a lock in the order: that of its class, then one that falls with the depth of a namespace.
pub type Rank = (u8, u8);

/// The place of the only lock of a class.
pub const fn rank_of_class(class: LockClass) -> Rank {
    (class.rank(), 0)
}

/// The place of a lock by its name.
pub fn rank_of(scope: &Scope, name: Name) -> Rank {
    let place = if let Name::Namespace(n) = name {
        u8::MAX - scope.depths[usize::from(n)]
    } else {
        0
    };
    (name.class().rank(), place)
}

/// The highest rank of what an actor has locked; none if it has locked nothing.
pub(crate) fn highest_rank(scope: &Scope, state: &State, me: Actor) -> Option<Rank> {
    let actor = state.actor(me);
    let mut highest = None;
    for (class, _, lock) in FIXED {
        if actor.held.is_locked(lock) {
            highest = highest.max(Some(rank_of_class(class)));
        }
    }
    if access_chunk::has_mutex(scope, state, me) {
        highest = highest.max(Some(rank_of_class(LockClass::ChunkStore)));
    }
    visit_holds_of(scope, state, me, &mut |_, name, hold| {
        if hold.is_locked() {
            highest = highest.max(Some(rank_of(scope, name)));
        }
    });
    highest
}

/// Whether an actor has locked nothing.
pub(crate) fn holds_nothing(scope: &Scope, state: &State, me: Actor) -> bool {
    highest_rank(scope, state, me).is_none()
}
