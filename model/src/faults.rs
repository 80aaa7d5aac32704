//! The only place where a fault touches the model.

use crate::scope::Scope;
use specs::Step;
use specs::mutant::FaultKind;

/// Whether the step reports success without its effect.
pub(crate) fn skips(scope: &Scope, step: impl Into<Step<()>>) -> bool {
    has(scope, step.into(), FaultKind::Skip)
}

/// Whether the step waits for a lock that it should only try.
pub(crate) fn waits(scope: &Scope, step: impl Into<Step<()>>) -> bool {
    has(scope, step.into(), FaultKind::Wait)
}

fn has(scope: &Scope, step: Step<()>, kind: FaultKind) -> bool {
    scope.fault.is_some_and(|fault| fault.step == step && fault.kind == kind)
}
