//! Two-phase commit (Gray and Lamport), packed into one word: a graph whose size is well known.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use stateright::{Model, Property};

use super::Protocol;

/// How a state is stored: the search should not care.
pub(super) trait Cell: Copy + std::fmt::Debug + Eq + Hash + Send + Sync + 'static {
    fn new(bits: u64) -> Self;
    fn bits(&self) -> u64;
}

impl Cell for u64 {
    fn new(bits: u64) -> Self {
        bits
    }
    fn bits(&self) -> u64 {
        *self
    }
}

/// A state of 128 bytes, hashed in one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide(pub(super) [u8; 128]);

impl Hash for Wide {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write(&self.0);
    }
}

impl Cell for Wide {
    fn new(bits: u64) -> Self {
        let mut bytes = [0; 128];
        bytes[..8].copy_from_slice(&bits.to_le_bytes());
        Self(bytes)
    }
    fn bits(&self) -> u64 {
        self.0[..8]
            .iter()
            .rev()
            .fold(0, |bits, &byte| bits << 8 | u64::from(byte))
    }
}

/// The model, for this many resource managers (at most 16).
pub(super) struct TwoPhase<C> {
    managers: u32,
    cell: PhantomData<fn() -> C>,
}

impl<C> TwoPhase<C> {
    pub(super) fn new(managers: u32) -> Self {
        Self {
            managers,
            cell: PhantomData,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Commit,
    Abort,
    ReceivePrepared(u32),
    Prepare(u32),
    ChooseAbort(u32),
    ReceiveCommit(u32),
    ReceiveAbort(u32),
}

// Two bits a manager (working, prepared, committed, aborted), then a bit each for "the coordinator
// knows it is prepared", then for "it has said so", then the coordinator and its messages.
const KNOWN: u32 = 32;
const SAID: u32 = 44;
const DECIDED: u64 = 1 << 60;
const COMMIT: u64 = 1 << 61;
const ABORT: u64 = 1 << 62;

fn manager(bits: u64, rm: u32) -> u64 {
    bits >> (2 * rm) & 3
}

fn with_manager(bits: u64, rm: u32, state: u64) -> u64 {
    bits & !(3 << (2 * rm)) | state << (2 * rm)
}

fn step(bits: u64, action: Action) -> u64 {
    match action {
        Action::Commit => bits | DECIDED | COMMIT,
        Action::Abort => bits | DECIDED | ABORT,
        Action::ReceivePrepared(rm) => bits | 1 << (KNOWN + rm),
        Action::Prepare(rm) => with_manager(bits, rm, 1) | 1 << (SAID + rm),
        Action::ChooseAbort(rm) | Action::ReceiveAbort(rm) => with_manager(bits, rm, 3),
        Action::ReceiveCommit(rm) => with_manager(bits, rm, 2),
    }
}

impl<C> TwoPhase<C> {
    fn offer(&self, bits: u64, mut offer: impl FnMut(Action)) {
        let all = (1 << self.managers) - 1;
        if bits & DECIDED == 0 {
            if bits >> KNOWN & all == all {
                offer(Action::Commit);
            }
            offer(Action::Abort);
        }
        for rm in 0..self.managers {
            if bits & DECIDED == 0 && bits >> (SAID + rm) & 1 == 1 {
                offer(Action::ReceivePrepared(rm));
            }
            if manager(bits, rm) == 0 {
                offer(Action::Prepare(rm));
                offer(Action::ChooseAbort(rm));
            }
            if bits & COMMIT != 0 {
                offer(Action::ReceiveCommit(rm));
            }
            if bits & ABORT != 0 {
                offer(Action::ReceiveAbort(rm));
            }
        }
    }

    fn is_consistent(&self, bits: u64) -> bool {
        let has = |state| (0..self.managers).any(|rm| manager(bits, rm) == state);
        !(has(2) && has(3))
    }
}

impl<C: Cell> Model for TwoPhase<C> {
    type State = C;
    type Action = Action;

    fn init_states(&self) -> Vec<C> {
        vec![C::new(0)]
    }

    fn actions(&self, state: &C, actions: &mut Vec<Action>) {
        self.offer(state.bits(), |action| actions.push(action));
    }

    fn next_state(&self, state: &C, action: Action) -> Option<C> {
        Some(C::new(step(state.bits(), action)))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("consistent", |model: &Self, state: &C| {
                model.is_consistent(state.bits())
            }),
            Property::sometimes("can_commit", |model: &Self, state: &C| {
                (0..model.managers).all(|rm| manager(state.bits(), rm) == 2)
            }),
            Property::sometimes("can_abort", |model: &Self, state: &C| {
                (0..model.managers).all(|rm| manager(state.bits(), rm) == 3)
            }),
        ]
    }
}

impl<C: Cell> Protocol for TwoPhase<C> {
    fn successors(&self, state: &C, visit: &mut impl FnMut(Action, C)) {
        let bits = state.bits();
        self.offer(bits, |action| visit(action, C::new(step(bits, action))));
    }
}
