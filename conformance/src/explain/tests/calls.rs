//! What is said of a log where locks are taken in their calls.

use super::*;

#[test]
fn a_lock_that_somebody_has_is_named_where_it_is_taken_in_its_calls_too() {
    let scenario = Scenario::named("two_changes_of_notes_meet_forget_call_by_call").unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[]).whole();
    let lock = |event: &Event| match *event {
        Event::Step { label, outcome, .. } => label.step.row().lock.map(|_| (label, outcome)),
        Event::Reached { .. }
        | Event::Killed { .. }
        | Event::Reloaded { .. }
        | Event::FlagSet
        | Event::CutoffPassed => None,
    };
    let mut walked = to_the_end(&scope, &[]);
    let at = walked
        .iter()
        .position(|event| lock(event).is_some())
        .unwrap();
    let (label, outcome) = lock(&walked[at]).unwrap();
    walked.truncate(at + 1);
    walked.push(Event::Step {
        actor: Actor(2),
        label,
        outcome,
    });
    let Judged::Unexplained(unexplained) = explain(&scope, &points(&scope, &walked)) else {
        panic!("one process after the other gets the lock");
    };
    insta::assert_snapshot!(unexplained, @r"
    mark 4: no order explains
      set_notes in third: lock_manifest(vm/100/2026-07-14T04:33:20Z)
    refused: the manifest lock is held by set_notes in proxy
    allowed: lock_manifest(vm/100/2026-07-14T04:33:20Z) -> TimedOut
    after 4 events, the last of which are
      set_notes in proxy: lock_manifest(vm/100/2026-07-14T04:33:20Z): flocked
      set_notes in proxy: lock_manifest(vm/100/2026-07-14T04:33:20Z)
      set_notes in third: lock_manifest(vm/100/2026-07-14T04:33:20Z): opened
    ");
}
