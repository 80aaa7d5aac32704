//! An operation takes its own steps, those of the operation that it runs as a part, and no other.

use super::everything;
use specs::step::LockUse;
use specs::{Op, Step};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn an_operation_takes_its_own_steps_and_those_of_its_part() {
    let mut taken: BTreeMap<Op, BTreeSet<Step>> = BTreeMap::new();
    for solo in everything() {
        let steps = solo.recording.steps.iter().map(|step| step.kind);
        taken.entry(solo.op).or_default().extend(steps);
    }
    for op in Op::ALL {
        let steps = taken.get(op).unwrap();
        let foreign = steps.iter().filter(|step| !op.takes(**step));
        let foreign: Vec<String> = foreign.map(|step| step.full_name()).collect();
        assert_eq!(foreign, [""; 0], "{} takes these as well", op.name());
        // The pages say who takes a lock in its part, so no such step is there in vain.
        let takes_lock = |step: &Step| {
            matches!(
                step.row().lock,
                Some(LockUse::Take(..) | LockUse::Within(..))
            )
        };
        let of_part = op.rows().map(|row| row.step).filter(|s| s.op() != *op);
        let never: Vec<String> = of_part
            .filter(takes_lock)
            .filter(|step| !steps.contains(step))
            .map(|step| step.full_name())
            .collect();
        assert_eq!(never, [""; 0], "{} never takes these", op.name());
    }
}
