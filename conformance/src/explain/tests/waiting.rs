//! What a log says of steps that never end.

use super::*;

/// Two moves wait for each other, and the log says of one of them that it waits somewhere else.
#[test]
fn whoever_never_ends_stands_where_the_model_says() {
    let is_it = |mutant: &&Mutant| mutant.name == "move_group.lock_target_group/wait";
    let mutant = MUTANTS.iter().find(is_it).unwrap();
    let scope = board::scope_of(mutant).unwrap();
    let events = to_the_end(&scope, &trace_of(mutant, &scope));
    let log = points(&scope, &events);
    assert!(is_explained(&explain(&scope, &log)));
    let begun = log.marks.len() - 2;
    for at in begun..log.marks.len() {
        let mut log = log.clone();
        let Mark::Begin { actor, label } = &log.marks[at] else {
            panic!("both have begun to wait")
        };
        let first = events.iter().find(|event| actor_of(event) == Some(*actor));
        let Some(Event::Step { label: first, .. }) = first else {
            panic!("it takes its first step")
        };
        let other = first.map(|id| scope.scenario.path(id));
        assert_ne!(other, *label);
        log.marks[at] = Mark::Begin {
            actor: *actor,
            label: other,
        };
        let judged = explain(&scope, &log);
        assert!(!is_explained(&judged), "{judged:?}");
    }
}
