//! Which steps take a lock that no mutant leaves out.

use specs::mutant::{Fault, MUTANTS};
use specs::step::{LockUse, Row};
use specs::{Mutant, Op};
use std::fmt::Write as _;

/// Why nobody skips the step of a row that takes a lock; none if somebody does.
fn why(row: &Row) -> Option<&'static str> {
    let skips = |mutant: &Mutant| mutant.faults().contains(&Fault::Skip(row.step));
    if MUTANTS.iter().any(skips) {
        None
    } else if matches!(row.lock, Some(LockUse::Within(..))) {
        Some("takes it for the time of its effect, which a skip would leave out as well")
    } else {
        Some("nobody has seeded that")
    }
}

#[test]
fn steps_whose_lock_no_mutant_leaves_out_are_known() {
    let takes_lock = |row: &&Row| matches!(row.lock, Some(LockUse::Take(..) | LockUse::Within(..)));
    let mut report = String::new();
    for row in Op::ALL.iter().flat_map(|op| op.table()).filter(takes_lock) {
        if let Some(why) = why(row) {
            let (op, step) = (row.step.op().name(), row.step.name());
            writeln!(report, "{op}.{step}: {why}").unwrap();
        }
    }
    insta::assert_snapshot!(report);
}
