//! Small models, each with one peculiarity.

use std::sync::atomic::{AtomicU32, Ordering};

use stateright::{Model, Property};

use crate::engine::Protocol;

/// Steps east and north from (0, 0) in a square: many ways to every place.
pub(super) struct Lattice {
    pub(super) width: u16,
    pub(super) corner: (u16, u16),
}

impl Model for Lattice {
    type State = (u16, u16);
    type Action = char;

    fn init_states(&self) -> Vec<Self::State> {
        vec![(0, 0)]
    }

    fn actions(&self, &(x, y): &Self::State, actions: &mut Vec<char>) {
        if x + 1 < self.width {
            actions.push('E');
        }
        if y + 1 < self.width {
            actions.push('N');
        }
    }

    fn next_state(&self, &(x, y): &Self::State, action: char) -> Option<Self::State> {
        Some(if action == 'E' {
            (x + 1, y)
        } else {
            (x, y + 1)
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("corner_is_free", |model: &Self, state: &(u16, u16)| {
                *state != model.corner
            }),
            Property::always("stays_west", |_, &(x, _): &(u16, u16)| x < 20),
            Property::sometimes("can_reach_diagonal", |_, &(x, y): &(u16, u16)| {
                x.abs_diff(y) == 4 && x + y >= 10
            }),
        ]
    }
}

impl Protocol for Lattice {
    fn kinds(&self) -> usize {
        2
    }

    fn kind(&self, _: &(u16, u16), action: &char) -> usize {
        usize::from(*action == 'N')
    }
}

/// A tree whose places all have eight below them, down to those of the third level: many states at one distance.
pub(super) struct Fan;

impl Fan {
    /// Places above the third level, whose own follow them.
    const INNER: u32 = 1 + 8 + 64;
}

impl Model for Fan {
    type State = u32;
    type Action = u32;

    fn init_states(&self) -> Vec<u32> {
        vec![0]
    }

    fn actions(&self, state: &u32, actions: &mut Vec<u32>) {
        if *state < Self::INNER {
            actions.extend(1..=8);
        }
    }

    fn next_state(&self, state: &u32, action: u32) -> Option<u32> {
        Some(state * 8 + action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("is_near", |_, state: &u32| *state < Self::INNER),
            Property::sometimes("can_reach_an_odd_leaf", |_, state: &u32| {
                *state >= Self::INNER && state % 2 == 1
            }),
        ]
    }
}

impl Protocol for Fan {
    fn is_deadlock(&self, state: &u32) -> bool {
        *state >= Self::INNER
    }
}

/// Forward, backward or stay, on a ring.
pub(super) struct Ring {
    pub(super) size: u32,
}

impl Model for Ring {
    type State = u32;
    type Action = u32;

    fn init_states(&self) -> Vec<u32> {
        vec![0]
    }

    fn actions(&self, _: &u32, actions: &mut Vec<u32>) {
        actions.extend([0, 1, self.size - 1]);
    }

    fn next_state(&self, state: &u32, action: u32) -> Option<u32> {
        Some((state + action) % self.size)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("in_ring", |model: &Self, state: &u32| *state < model.size),
            Property::sometimes("can_close", |model: &Self, state: &u32| {
                *state == model.size - 1
            }),
        ]
    }
}

impl Protocol for Ring {}

/// Counts to ten by ones or twos; a closed gate lets nobody past four.
pub(super) struct Gate {
    pub(super) is_open: bool,
    pub(super) is_tested: bool,
}

impl Model for Gate {
    type State = u8;
    type Action = u8;

    fn init_states(&self) -> Vec<u8> {
        vec![0]
    }

    fn actions(&self, state: &u8, actions: &mut Vec<u8>) {
        let may_pass = self.is_open || *state < 4;
        actions.extend([1, 2].iter().filter(|&step| may_pass && state + step <= 10));
    }

    fn next_state(&self, state: &u8, action: u8) -> Option<u8> {
        Some(state + action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never_past_ten", |_, state: &u8| *state <= 10),
            Property::sometimes("can_end", |model: &Self, state: &u8| {
                *state == if model.is_open { 10 } else { 4 }
            }),
        ]
    }
}

impl Protocol for Gate {
    fn premise(&self, property: usize, state: &u8) -> bool {
        property == 1 || self.is_tested && *state == 4
    }

    fn is_deadlock(&self, state: &u8) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.is_empty() && *state < 10
    }
}

/// Properties that no search over states can judge, or tell apart.
pub(super) struct Refused {
    pub(super) twice: bool,
}

impl Model for Refused {
    type State = u8;
    type Action = u8;

    fn init_states(&self) -> Vec<u8> {
        vec![0]
    }

    fn actions(&self, _: &u8, _: &mut Vec<u8>) {}

    fn next_state(&self, _: &u8, _: u8) -> Option<u8> {
        None
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if self.twice {
            vec![
                Property::always("same", |_, _| true),
                Property::sometimes("same", |_, _| true),
            ]
        } else {
            vec![
                Property::always("holds", |_, _| true),
                Property::eventually("ends", |_, _| true),
            ]
        }
    }
}

impl Protocol for Refused {}

/// A model that claims nothing.
pub(super) struct Silent;

impl Model for Silent {
    type State = u8;
    type Action = u8;

    fn init_states(&self) -> Vec<u8> {
        vec![0]
    }

    fn actions(&self, _: &u8, actions: &mut Vec<u8>) {
        actions.push(1);
    }

    fn next_state(&self, state: &u8, action: u8) -> Option<u8> {
        Some(state ^ action)
    }
}

impl Protocol for Silent {}

/// A model with a bug of its own, deep inside.
pub(super) struct Panics;

impl Model for Panics {
    type State = u32;
    type Action = u32;

    fn init_states(&self) -> Vec<u32> {
        vec![0]
    }

    fn actions(&self, state: &u32, actions: &mut Vec<u32>) {
        assert!(*state < 50_000, "this test is meant to panic");
        actions.extend(1..10);
    }

    fn next_state(&self, state: &u32, action: u32) -> Option<u32> {
        Some(state * 3 + action)
    }
}

impl Protocol for Panics {}

/// A model with a memory, so that the same question is answered differently.
#[derive(Default)]
pub(super) struct Fickle {
    asked: AtomicU32,
}

impl Model for Fickle {
    type State = u32;
    type Action = u32;

    fn init_states(&self) -> Vec<u32> {
        vec![0]
    }

    fn actions(&self, state: &u32, actions: &mut Vec<u32>) {
        if *state < 1_000_000 {
            actions.push(self.asked.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn next_state(&self, state: &u32, action: u32) -> Option<u32> {
        Some(state + action + 1)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("stays_small", |_, state: &u32| {
            *state < 100
        })]
    }
}

impl Protocol for Fickle {}
