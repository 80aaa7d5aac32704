//! Every field that is compared takes two values somewhere in what the gate replays: one that never changes shows nothing.

use conformance::expected::expected;
use conformance::projection::{Lock, Projected};
use model::Scope;
use model::engine::{Options, explore};
use specs::lock_class::{CLASSES, Class, Mode};
use specs::scenarios::SCENARIOS;
use specs::{Design, LockClass};
use std::collections::{BTreeMap, BTreeSet};

/// The fields that no state of the model changes. That another value would be seen is shown in `real_tree`.
const CONSTANT: &[(&str, &str)] = &[(
    "unknown_locks",
    "the model has no lock on a file that was never at its path",
)];

#[test]
fn every_field_takes_two_values_in_what_the_gate_replays() {
    let mut constant: BTreeSet<&str> = Projected::FIELDS.iter().copied().collect();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.replay) {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let options = Options {
            keep_graph: true,
            ..Options::default()
        };
        let graph = explore(&scope, &options).unwrap().graph.unwrap();
        let mut states = graph.states.iter();
        let look = |state| expected(&scope, state, "/store");
        let first = look(states.next().unwrap());
        // Few fields are left soon, and few states of a large graph are needed to see that one stays.
        for state in states {
            if constant.len() == CONSTANT.len() {
                break;
            }
            let state = look(state);
            constant.retain(|field| state.value(field) == first.value(field));
        }
    }
    let accepted: BTreeSet<&str> = CONSTANT.iter().map(|(field, _)| *field).collect();
    assert_eq!(constant, accepted, "fields that never change");
}

#[test]
fn every_lock_is_held_in_each_of_its_modes_in_what_the_gate_replays() {
    let mut held: BTreeMap<LockClass, BTreeSet<bool>> = BTreeMap::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.replay) {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let options = Options {
            keep_graph: true,
            ..Options::default()
        };
        let graph = explore(&scope, &options).unwrap().graph.unwrap();
        // In a large graph few states are needed.
        for state in graph.states.iter().take(5000) {
            let state = expected(&scope, state, "/store");
            let mut note = |class, is_shared| held.entry(class).or_default().insert(is_shared);
            for holder in &state.store_holders {
                note(LockClass::Store, holder.is_shared);
            }
            for lock in &state.locks {
                let class = match lock.lock {
                    Lock::Namespace(_) => LockClass::Namespace,
                    Lock::Group(..) => LockClass::Group,
                    Lock::GroupDirectory(..) => LockClass::GroupDirectory,
                    Lock::Snapshot(..) => LockClass::Snapshot,
                    Lock::SnapshotDirectory(..) => LockClass::SnapshotDirectory,
                    Lock::Manifest(..) | Lock::OldManifest(..) => LockClass::Manifest,
                    Lock::Journal => LockClass::MoveJournal,
                };
                for holder in &lock.holders {
                    note(class, holder.is_shared);
                }
            }
        }
    }
    // What a process counts in memory the kernel does not show, and some nobody takes here.
    let in_memory = [LockClass::GcSlot, LockClass::ChunkStore];
    let is_shown =
        |class: &&Class| class.taken_there_by.is_none() && !in_memory.contains(&class.class);
    for class in CLASSES.iter().filter(is_shown) {
        let modes: BTreeSet<bool> = class.modes.iter().map(|m| *m == Mode::Shared).collect();
        let name = class.class.name();
        assert_eq!(held.get(&class.class), Some(&modes), "{name}: is it shared");
    }
}
