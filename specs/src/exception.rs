//! Exceptions: the properties that the hardened design breaks in a scenario, each with the reason why it stays so.
//!
//! Every scenario asks every property. A property that a scenario breaks is an exception or a defect. The first state that
//! breaks it is pinned by its distance from the start: an exception that is no longer needed, or that has come nearer, is red.

use crate::property::Property;

/// A property that the hardened design breaks in a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// The scenario.
    pub scenario: &'static str,
    /// The property.
    pub property: Property,
    /// Events of the shortest trace that breaks it.
    pub after: usize,
    /// Why it stays so.
    pub reason: &'static str,
}

/// All exceptions.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        scenario: "insert_and_touch_meet_sweep",
        property: Property::LiveChunkIsNeverSwept,
        after: 3,
        reason: "The scenario takes the calls on one chunk apart, and its sweep comes without a mark phase: it removes what nobody has marked.",
    },
    Exception {
        scenario: "flag_meets_first_backups",
        property: Property::StartedBackupFinishes,
        after: 25,
        reason: "Only a directory that is there can be locked, so a process that locks directories creates a group before it has the lock; another backup that finds it without an owner may give it one.",
    },
    Exception {
        scenario: "flag_meets_first_backups@inode",
        property: Property::StartedBackupFinishes,
        after: 14,
        reason: "As without a disturbance; a backup that finds no inode for its last lock lets the other one go on sooner.",
    },
];

impl Exception {
    /// The exception of a property in a scenario, if there is one; whatever disturbs the scenario, it is the same, unless the
    /// disturbed one has one of its own, which comes nearer.
    pub fn of(scenario: &str, property: Property) -> Option<&'static Self> {
        let undisturbed = scenario.split('@').next().unwrap_or(scenario);
        [scenario, undisturbed].into_iter().find_map(|name| {
            let mut all = EXCEPTIONS.iter();
            all.find(|exception| exception.scenario == name && exception.property == property)
        })
    }
}
