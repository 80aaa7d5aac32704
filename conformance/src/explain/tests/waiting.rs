//! What a log says of steps that never end, and of what was broken before something else happened.

use super::*;
use specs::mutant::Fault;

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

/// A lock that is shared by nobody's fault but its own: both rely on it for a while, and one process is killed later.
#[test]
fn what_was_broken_for_a_while_is_not_forgotten_when_something_happens() {
    let scenario = Scenario::named("takers_of_two_namespaces@kill").unwrap();
    let property = Property::ExclusiveNamespaceIsAlone;
    let skips = |fault: &Fault| fault.to_string() == "take_namespace_lock.lock_shared/skip";
    let fault = Fault::all().find(skips).unwrap();
    let scope = Scope::new(scenario, Design::HARDENED, &[fault]).asking(property);
    let holds = |state: &State| !crate::thin::hits(&scope, property)(&scope, state);
    let is_wanted = |events: &Vec<Event>| {
        let kill = |event: &Event| matches!(event, Event::Killed { .. });
        let states = walk(&scope, events).unwrap();
        let at = events.iter().position(kill);
        // The first state is the one after the first event.
        let first = states.len() - events.len();
        at.is_some_and(|at| {
            let (before, after) = states.split_at(first + at);
            !before.iter().all(holds) && after.iter().all(holds)
        })
    };
    let walks = (1..20_000).map(|seed| random_walk(&scope, seed));
    let events = walks.into_iter().find(is_wanted).unwrap();
    let Judged::Explained { violated, .. } = explain(&scope, &points(&scope, &events)) else {
        panic!("it is a behaviour");
    };
    assert_eq!(violated, [property]);
}
