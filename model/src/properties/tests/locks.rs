//! What is said of locks, of waiting and of order.

use super::*;
use specs::lock_class::Mode;

#[test]
fn each_lock_that_two_rely_on_is_shared() {
    let scope = scope(TWO);
    let judged = Judged::new(Property::OneExclusiveHolderPerLock, &scope, scope.start());
    let exclusive = Hold::open(1).locked().relied_on();
    let shared = exclusive.shared();
    let pair = |name: Name, other: Name, holds: [Hold; 2]| {
        move |state: &mut State| {
            state.actors[0].pending = Pending::of(name, holds[0]);
            state.actors[1].pending = Pending::of(other, holds[1]);
        }
    };
    for (name, other) in [
        (Name::Group(1, 0), Name::Group(2, 0)),
        (Name::Snapshot(1, 0), Name::Snapshot(2, 0)),
        (Name::Manifest(1, 0), Name::Manifest(2, 0)),
    ] {
        judged.refuses("two exclusive holders", pair(name, name, [exclusive; 2]));
        judged.refuses("one beside a sharer", pair(name, name, [exclusive, shared]));
        judged.refuses("a sharer beside one", pair(name, name, [shared, exclusive]));
        judged.refuses(
            "two on two files",
            pair(name, name, [exclusive, Hold::open(2).locked().relied_on()]),
        );
        judged.refuses(
            "two of two generations",
            pair(name, name, [exclusive, exclusive.old()]),
        );
        judged.accepts("two sharers", pair(name, name, [shared; 2]));
        judged.accepts(
            "one who has opened it",
            pair(name, name, [exclusive, Hold::open(1)]),
        );
        judged.accepts("two locks", pair(name, other, [exclusive; 2]));
    }
    let fixed = |locks: [Fixed; 2]| {
        move |state: &mut State| {
            for (actor, lock) in state.actors.iter_mut().zip(locks) {
                actor.held = actor.held.with_belief_only(lock);
            }
        }
    };
    judged.refuses("two on the journal", fixed([Fixed::JOURNAL; 2]));
    judged.refuses("two collectors", fixed([Fixed::STORE; 2]));
    judged.refuses(
        "a collector and a writer",
        fixed([Fixed::STORE, Fixed::STORE_SHARED]),
    );
    judged.refuses(
        "a writer and a collector",
        fixed([Fixed::STORE_SHARED, Fixed::STORE]),
    );
    judged.accepts("two writers", fixed([Fixed::STORE_SHARED; 2]));
    let one = self::scope("one_process_moves_and_collects");
    let of_one = Judged::new(Property::OneExclusiveHolderPerLock, &one, one.start());
    of_one.accepts(
        "both in one process",
        fixed([Fixed::STORE, Fixed::STORE_SHARED]),
    );
    of_one.refuses("two collectors of one process", fixed([Fixed::STORE; 2]));
    let memory = Scope::new(
        scope.scenario,
        mutant("history/journal_in_memory").design(),
        &[],
    );
    let in_memory = Judged::new(Property::OneExclusiveHolderPerLock, &memory, memory.start());
    in_memory.accepts("each its own journal", fixed([Fixed::JOURNAL; 2]));
}

#[test]
fn who_waits_has_no_lock_of_the_same_or_a_higher_rank() {
    let property = Property::LocksAreTakenInRankOrder;
    for (name, class, refused, accepted) in [
        (
            "one_move_meets_gc",
            LockClass::MoveJournal,
            &[Fixed::JOURNAL][..],
            &[Fixed::GC_SLOT, Fixed::STORE, Fixed::STORE_SHARED][..],
        ),
        (
            "notes_meet_verify_and_forget",
            LockClass::Manifest,
            &[Fixed::JOURNAL],
            &[Fixed::GC_SLOT, Fixed::STORE, Fixed::STORE_SHARED],
        ),
    ] {
        let scope = scope(name);
        let waits = |state: &State, a: id::Actor| {
            ops::waits_for(&scope, state, a) == Some(crate::locks::rank_of_class(class))
        };
        let mut base = reach(&scope, |state| scope.actors().any(|a| waits(state, a)));
        let waiter = scope.actors().find(|a| waits(&base, *a)).unwrap();
        base.actor_mut(waiter).held = Held::NONE;
        let judged = Judged::new(property, &scope, base);
        for lock in refused {
            judged.refuses("a lock of the same or a higher rank", |state| {
                state.actor_mut(waiter).held = Held::NONE.with(*lock);
            });
            judged.accepts("such a lock of somebody who waits for nothing", |state| {
                let waiter = state.actor_mut(waiter);
                (waiter.next, waiter.held) = (Next::FINISHED, Held::NONE.with(*lock));
            });
            judged.accepts("the belief to have it", |state| {
                state.actor_mut(waiter).held = Held::NONE.with_belief_only(*lock);
            });
        }
        for lock in accepted {
            judged.accepts("a lock of a lower rank", |state| {
                state.actor_mut(waiter).held = Held::NONE.with(*lock);
            });
        }
    }
    // Of the locks of namespaces that of the inner one comes first.
    let scope = seeded("history/namespace_ancestors_first");
    broken(property, &scope, |_| true);
}

#[test]
fn each_actor_that_has_no_step_makes_a_deadlock_if_nobody_has_one() {
    let property = Property::NoOperationWaitsForever;
    for mutant in [
        "move_group.lock_target_group/wait",
        "history/namespace_locks_block",
    ] {
        let scope = seeded(mutant);
        let deadlock = broken(property, &scope, |_| true);
        let judged = Judged::new(property, &scope, scope.start());
        judged.refuses("a circle of waiters", |state| *state = deadlock);
        for actor in scope.actors() {
            judged.accepts("one of whom was killed", |state| {
                *state = deadlock;
                *state.actor_mut(actor) = Actor {
                    next: Next::KILLED,
                    ..Actor::default()
                };
            });
            judged.refuses("one of whom has ended with its locks", |state| {
                *state = deadlock;
                state.actor_mut(actor).next = Next::FINISHED;
            });
        }
        judged.accepts("all of whom have ended", |state| {
            *state = all_ended(&deadlock, &scope);
        });
    }
    // Whoever is not there yet helps nobody.
    let mutant = mutant("move_group.lock_target_group/wait");
    let cross = Scenario::named(mutant.scenario).unwrap();
    let (process, task) = cross.actors[0];
    // It takes no lock at first.
    let third = Task::Verify {
        namespace: id::Namespace(0),
        group: id::Group(0),
    };
    let with_third = |environment| {
        let actors = [(process, task), cross.actors[1], (id::Process(2), third)];
        let scenario = Scenario {
            processes: &["proxy", "other", "third"],
            actors: Box::leak(Box::new(actors)),
            environment,
            ..*cross
        };
        Scope::new(
            Box::leak(Box::new(scenario)),
            mutant.design(),
            mutant.faults(),
        )
    };
    let calm = with_third(Environment::CALM);
    let reloads = with_third(Environment {
        reload: Some((id::Process(0), id::Process(2))),
        ..Environment::CALM
    });
    let first = seeded(mutant.name);
    let circle = broken(property, &first, |_| true);
    let beside = |scope: &Scope| {
        let mut state = scope.start();
        state.actors[..2].copy_from_slice(&circle.actors[..2]);
        (state.groups, state.owners) = (circle.groups, circle.owners);
        (state.group_locks, state.types) = (circle.group_locks, circle.types);
        holds(property, scope, &state)
    };
    assert!(beside(&calm), "a circle beside one that has a step");
    assert!(!beside(&reloads), "a circle beside one that is to come");
}

#[test]
fn each_lock_that_an_ended_operation_keeps_is_refused() {
    let property = Property::FinishedOperationHoldsNoLock;
    for name in [TWO, "one_move_meets_gc", "backup_meets_gc"] {
        let scope = scope(name);
        let judged = Judged::new(property, &scope, all_ended(&scope.start(), &scope));
        for actor in scope.actors() {
            for next in [Next::FINISHED, Next::KILLED] {
                let set = |state: &mut State| state.actor_mut(actor).next = next;
                for lock in [
                    Fixed::GC_SLOT,
                    Fixed::STORE,
                    Fixed::STORE_SHARED,
                    Fixed::JOURNAL,
                ] {
                    judged.refuses(&format!("{lock:?}"), |state| {
                        set(state);
                        state.actor_mut(actor).held = Held::NONE.with(lock);
                    });
                }
                for lock in [
                    Name::Group(0, 0),
                    Name::Snapshot(0, 0),
                    Name::Manifest(0, 0),
                ] {
                    let keep = |hold: Hold| {
                        move |state: &mut State| {
                            set(state);
                            state.actor_mut(actor).pending = Pending::of(lock, hold);
                        }
                    };
                    judged.refuses(&format!("{lock:?}"), keep(Hold::open(1).locked()));
                    judged.refuses(
                        &format!("shared {lock:?}"),
                        keep(Hold::open(1).shared().locked()),
                    );
                    judged.accepts("a file that is merely open", keep(Hold::open(1)));
                }
            }
            judged.accepts("the lock of an operation that goes on", |state| {
                let actor = state.actor_mut(actor);
                (actor.next, actor.held) = (Next::row(0), Held::NONE.with(Fixed::JOURNAL));
            });
        }
    }
    // What lies in the record of the operation itself: locks of namespaces, and the mutex.
    let namespaces = scope("takers_of_nested_namespaces");
    let mutex = scope("insert_and_touch_meet_sweep");
    for (scope, has) in [
        (
            &namespaces,
            (|_, state, a| state.actor(a).reach.has_any()) as fn(&Scope, &State, id::Actor) -> bool,
        ),
        (&mutex, access_chunk::has_mutex),
    ] {
        let state = reach(scope, |state| scope.actors().any(|a| has(scope, state, a)));
        let holder = scope.actors().find(|a| has(scope, &state, *a)).unwrap();
        let judged = Judged::new(property, scope, state);
        for next in [Next::FINISHED, Next::KILLED] {
            judged.refuses("what its record says", |state| {
                state.actor_mut(holder).next = next;
            });
        }
    }
}

#[test]
fn each_collection_that_only_its_own_writers_could_refuse_is_let_in() {
    let property = Property::GcIsNotRefusedByItsOwnWriters;
    let mutant = mutant("history/store_lock_per_handle");
    let scenario = Scenario::named("two_processes_collect_beside_backup").unwrap();
    let scope = Scope::new(scenario, mutant.design(), &[]);
    let writer = actor(&scope, is_backup);
    let ours = scope.process_of(writer);
    let gc = scope
        .actors()
        .find(|a| is_gc(&scope, *a) && scope.process_of(*a) == ours)
        .unwrap();
    let foreign = scope
        .actors()
        .find(|a| scope.process_of(*a) != ours)
        .unwrap();
    let bad = broken(property, &scope, |state| {
        state.actor(foreign).held == Held::NONE
    });
    let judged = Judged::new(property, &scope, scope.start());
    judged.refuses("a run beside a writer of its own process", |state| {
        *state = bad;
    });
    judged.accepts("a run that asks for something else", |state| {
        *state = bad;
        state.actor_mut(gc).next = Next::row(0);
    });
    judged.accepts("a run beside nobody", |state| {
        *state = bad;
        state.actor_mut(writer).held = Held::NONE;
    });
    judged.accepts("a run that another run of its process keeps out", |state| {
        *state = bad;
        state.actor_mut(writer).held = Held::NONE.with(Fixed::STORE);
    });
    for lock in [Fixed::STORE, Fixed::STORE_SHARED] {
        judged.accepts("a run that another process keeps out", |state| {
            *state = bad;
            state.actor_mut(foreign).held = Held::NONE.with(lock);
        });
    }
    judged.refuses(
        "a run beside one of another process without locks",
        |state| {
            *state = bad;
            state.actor_mut(foreign).held = Held::NONE.with(Fixed::GC_SLOT);
        },
    );
    // The protocol as it is lets it in.
    let hardened = Scope::new(scenario, Design::HARDENED, &[]);
    let same = |state: &State| is_about_to_collect_beside_writer(&hardened, state, gc);
    let state = reach(&hardened, same);
    assert!(holds(property, &hardened, &state));
}

#[test]
fn each_one_below_a_namespace_that_is_locked_exclusively_is_refused() {
    let property = Property::ExclusiveNamespaceIsAlone;
    let scope = scope("takers_of_nested_namespaces");
    let judged = Judged::new(property, &scope, scope.start());
    let taken = |reach: [usize; 3]| {
        move |state: &mut State| {
            for (actor, count) in state.actors.iter_mut().zip(reach) {
                actor.reach = (0..count).fold(Reach::NONE, |reach, _| reach.further());
            }
        }
    };
    // The first one takes `a`; the second one `a/b`, and shares `a`; the third one shares all three.
    let all: Vec<usize> = scope.namespace_locks.iter().map(Vec::len).collect();
    assert_eq!(all, [1, 2, 3]);
    for reach in [[1, 2, 0], [1, 0, 3], [0, 2, 3], [1, 2, 3]] {
        judged.refuses(&format!("{reach:?} locks"), taken(reach));
    }
    for reach in [
        [1, 0, 0],
        [0, 2, 0],
        [0, 0, 3],
        [1, 1, 0],
        [1, 0, 2],
        [0, 1, 3],
        [0, 2, 2],
        [1, 1, 2],
    ] {
        judged.accepts(&format!("{reach:?} locks"), taken(reach));
    }
    // Sharers do not exclude each other, wherever they are.
    let shares = |process, namespace| {
        let task = Task::TakeNamespaceLock {
            first: (id::Namespace(namespace), Mode::Shared),
            second: None,
        };
        (id::Process(process), task)
    };
    let actors = [shares(0, 1), shares(1, 3)];
    let scenario = Scenario {
        actors: Box::leak(Box::new(actors)),
        ..*scope.scenario
    };
    let both = Scope::new(Box::leak(Box::new(scenario)), Design::HARDENED, &[]);
    Judged::new(property, &both, both.start()).accepts("two sharers", taken([1, 3, 0]));
    // Whoever shares has nobody above who locks exclusively, and may have one beside.
    let cross = self::scope("two_pairs_of_namespaces_cross");
    let judged = Judged::new(property, &cross, cross.start());
    let [first, second] = [0, 1].map(|actor: usize| cross.namespace_locks[actor].len());
    assert_eq!((first, second), (3, 3));
    judged.accepts("two that are apart", taken([2, 1, 0]));
    judged.refuses("one that has both of them", taken([3, 1, 0]));
    judged.refuses("one that has both of them", taken([2, 3, 0]));
}
