//! The only place where a fault touches the model.

use crate::scope::Scope;
use specs::Step;
use specs::mutant::Fault;

/// Whether the step reports success without its effect.
pub(crate) fn skips(scope: &Scope, step: impl Into<Step>) -> bool {
    has(scope, Fault::Skip(step.into()))
}

/// Whether the step waits for a lock that it should only try.
pub(crate) fn waits(scope: &Scope, step: impl Into<Step>) -> bool {
    has(scope, Fault::Wait(step.into()))
}

fn has(scope: &Scope, fault: Fault) -> bool {
    scope.faults.contains(&fault)
}
