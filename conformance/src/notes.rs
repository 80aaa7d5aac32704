//! What is noted of a run from its start, for whoever judges it by its files.

use crate::driver::{Driver, scripted};
use crate::errand::Ended;
use crate::projection::Projected;
use crate::reliance::Reliance;
use crate::wire::Stands;
use crate::witness::Witness;
use model::Scope;
use specs::Event;
use specs::id::Actor;

/// The notes of one run.
#[derive(Clone, Debug)]
pub struct Notes {
    /// Who relies on which lock, by the steps that were reported.
    pub reliance: Reliance,
    /// What the steps say beyond that.
    pub witness: Witness,
}

impl Notes {
    /// Of a run that has not begun.
    pub fn new(scope: &Scope) -> Self {
        Self {
            reliance: Reliance::new(scope.scenario, scope.design),
            witness: Witness::new(scope.scenario),
        }
    }

    /// Notes what is seen behind so many events; to be told of each number, from none to all.
    pub fn note(&mut self, events: &[Event], after: usize, seen: &Projected) {
        match after.checked_sub(1) {
            Some(event) => {
                self.reliance.note(&events[event]);
                self.witness.note(&events[event], seen);
            }
            None => self.witness.begin(seen),
        }
    }
}

/// How the ended runs of each actor did end.
pub fn runs(driver: &Driver, scope: &Scope) -> Vec<Vec<Ended>> {
    scope
        .actors()
        .map(|actor| driver.runs(actor).to_vec())
        .collect()
}

/// The label of the step before which each actor stands: the next one of its script, which it has checked, or the one that it
/// says behind that.
pub fn before(driver: &Driver, scope: &Scope, to_come: &[Event]) -> Vec<Option<String>> {
    let label = |actor: Actor| {
        let scripted = to_come.iter().filter_map(scripted);
        let mut own = scripted.filter(|(whose, ..)| *whose == actor);
        let next = own.next();
        let next = next.map(|(_, label, _)| label.map(|id| scope.scenario.path(id)).to_string());
        next.or_else(|| match driver.stands(actor) {
            Stands::Behind(label) => Some(label.clone()),
            Stands::Before
            | Stands::Strayed(_)
            | Stands::Ended
            | Stands::Panicked(_)
            | Stands::Gone => None,
        })
    };
    scope.actors().map(label).collect()
}
