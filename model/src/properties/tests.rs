//! Each clause of each property by itself: a state that only this clause refuses, and what it must not refuse.
//!
//! A mutant breaks a property somehow; of a sentence with several clauses it says nothing about the others. Here a state that is
//! accepted is changed in one place, and must be refused: whoever weakens a clause turns a line of this file red.

use super::*;
use crate::engine::{Options, explore};
use crate::journal::Kind;
use crate::locks::Name;
use crate::state::{Chunk, GROUPS, Hold, Line, Manifest, NAMESPACES, Part, Pending, SNAPSHOTS};
use specs::scenarios::SCENARIOS;
use specs::{Design, Scenario};

fn scope(name: &str) -> Scope {
    Scope::new(Scenario::named(name).unwrap(), Design::Hardened, None)
}

fn holds(property: Property, scope: &Scope, state: &State) -> bool {
    (checked(property).condition)(scope, state)
}

/// A state that is accepted, and what is said of it once it was changed.
struct Judged<'s> {
    property: Property,
    scope: &'s Scope,
    base: State,
}

impl<'s> Judged<'s> {
    fn new(property: Property, scope: &'s Scope, base: State) -> Self {
        let judged = Self {
            property,
            scope,
            base,
        };
        judged.accepts("nothing", |_| {});
        judged
    }

    fn says(&self, edit: impl FnOnce(&mut State)) -> bool {
        let mut state = self.base;
        edit(&mut state);
        holds(self.property, self.scope, &state)
    }

    fn refuses(&self, what: &str, edit: impl FnOnce(&mut State)) {
        let (name, scenario) = (self.property.name(), self.scope.scenario.name);
        assert!(!self.says(edit), "{name} accepts {what} in {scenario}");
    }

    fn accepts(&self, what: &str, edit: impl FnOnce(&mut State)) {
        let (name, scenario) = (self.property.name(), self.scope.scenario.name);
        assert!(self.says(edit), "{name} refuses {what} in {scenario}");
    }
}

/// The first state that the search finds in which something holds.
fn reach(scope: &Scope, wanted: impl Fn(&State) -> bool) -> State {
    let options = Options {
        keep_graph: true,
        ..Options::default()
    };
    let states = explore(scope, &options).unwrap().graph.unwrap().states;
    states.into_iter().find(|state| wanted(state)).unwrap()
}

/// Every operation has ended well and holds nothing.
fn all_ended(state: &State, scope: &Scope) -> State {
    let mut ended = *state;
    for actor in scope.actors() {
        *ended.actor_mut(actor) = Actor {
            next: Next::FINISHED,
            end: End::DONE,
            ..Actor::default()
        };
    }
    ended
}

/// The first actor with a task like this.
fn actor(scope: &Scope, is_it: impl Fn(Task) -> bool) -> id::Actor {
    scope.actors().find(|a| is_it(scope.task_of(*a))).unwrap()
}

fn is_move(task: Task) -> bool {
    matches!(task, Task::MoveGroup { .. })
}

fn is_backup(task: Task) -> bool {
    matches!(task, Task::Backup { .. })
}

fn is_gc_task(task: Task) -> bool {
    matches!(task, Task::Gc { .. })
}

const ENDS: [End; 13] = [
    End::DONE,
    End::BUSY,
    End::TIMED_OUT,
    End::REFUSED,
    End::NO_SPACE,
    End::FOREIGN_LINE,
    End::BAD_ENTRY,
    End::VANISHED,
    End::STOPPED,
    End::NOT_VERIFIED,
    End::CUT_OFF,
    End::NO_NAMESPACE,
    End::NOT_EMPTY,
];

/// The namespaces of a scenario, the root namespace among them.
fn namespaces(scope: &Scope) -> Vec<u8> {
    scope.scenario.all_namespaces().map(|n| n.0).collect()
}

#[test]
fn each_chunk_that_an_index_file_names_is_live() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::Hardened, None);
        let judged = Judged::new(Property::LiveChunkIsNeverSwept, &scope, scope.start());
        for id::Chunk(c) in scenario.all_chunks() {
            let at = usize::from(c);
            let is_named = judged
                .base
                .indexes
                .iter()
                .any(|i| scope.chunks_of[usize::from(i)].has(c));
            let sweep = |state: &mut State| state.chunks[at] = state.chunks[at].unlinked();
            if !is_named {
                judged.accepts("a dead chunk that is gone", sweep);
                continue;
            }
            judged.refuses("a live chunk that is gone", sweep);
            judged.accepts("a corrupt chunk that was set aside", |state| {
                state.chunks[at] = Chunk::OLD.corrupt().set_aside().unwrap();
            });
            judged.refuses("a good chunk that was set aside", |state| {
                state.chunks[at] = Chunk::OLD.set_aside().unwrap();
            });
            judged.accepts("a chunk whose index files have no name yet", |state| {
                sweep(state);
                let naming = state
                    .indexes
                    .iter()
                    .filter(|i| scope.chunks_of[usize::from(*i)].has(c));
                state.indexes = naming.fold(state.indexes, Set::without);
            });
            let is_stray = scope
                .strays
                .iter()
                .any(|i| scope.chunks_of[usize::from(i)].has(c));
            if !is_stray {
                judged.accepts("a chunk of snapshots that are gone", |state| {
                    sweep(state);
                    state.snapshots = [Set::default(); SNAPSHOTS];
                });
            }
        }
    }
}

#[test]
fn each_snapshot_of_the_start_is_at_one_place() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::Hardened, None);
        let property = Property::SnapshotIsAtExactlyOnePlace;
        let judged = Judged::new(property, &scope, scope.start());
        for id::Snapshot(s) in scenario.all_snapshots() {
            let at = usize::from(s);
            if scenario.snapshots[at].start == Start::Later {
                continue;
            }
            judged.refuses("a snapshot at no place", |state| {
                state.snapshots[at] = Set::default();
            });
            for n in namespaces(&scope) {
                judged.accepts("a snapshot elsewhere", |state| {
                    state.snapshots[at] = Set::only(n)
                });
                if !judged.base.snapshots[at].has(n) {
                    judged.refuses("a snapshot at two places", |state| {
                        state.snapshots[at] = state.snapshots[at].with(n);
                    });
                }
            }
        }
    }
}

/// Two actors of two processes.
const TWO: &str = "move_meets_busy_snapshot";

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
    for name in [
        Name::Group(1, 0),
        Name::Snapshot(1, 0),
        Name::Manifest(1, 0),
    ] {
        let other = match name {
            Name::Group(n, g) => Name::Group(n + 1, g),
            Name::Snapshot(n, s) => Name::Snapshot(n + 1, s),
            _ => Name::Manifest(2, 0),
        };
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
    let memory = Scope::new(scope.scenario, Design::JournalInMemory, None);
    let in_memory = Judged::new(Property::OneExclusiveHolderPerLock, &memory, memory.start());
    in_memory.accepts("each its own journal", fixed([Fixed::JOURNAL; 2]));
}

#[test]
fn who_waits_has_no_lock_of_the_same_or_a_higher_rank() {
    let scope = scope("notes_meet_verify_and_forget");
    let waits = |state: &State, a: id::Actor| ops::waits_for(&scope, state, a).is_some();
    let state = reach(&scope, |state| scope.actors().any(|a| waits(state, a)));
    let waiter = scope.actors().find(|a| waits(&state, *a)).unwrap();
    let judged = Judged::new(Property::LocksAreTakenInRankOrder, &scope, state);
    let holding = |name: Name, hold: Hold| {
        move |state: &mut State| state.actor_mut(waiter).pending = Pending::of(name, hold)
    };
    let locked = Hold::open(1).locked();
    judged.refuses(
        "another lock of the class",
        holding(Name::Manifest(0, 2), locked),
    );
    judged.accepts("a lock before it", holding(Name::Group(0, 0), locked));
    judged.accepts(
        "a file that is merely open",
        holding(Name::Manifest(0, 2), Hold::open(1)),
    );
    judged.refuses("the journal", |state| {
        let actor = state.actor_mut(waiter);
        actor.held = actor.held.with(Fixed::JOURNAL);
    });
}

#[test]
fn each_end_of_a_collection_that_a_journal_or_a_removal_brings_is_refused() {
    for (name, has_foreign) in [
        ("one_move_meets_gc", false),
        ("foreign_line_meets_two_gc_runs", true),
    ] {
        let scope = scope(name);
        let gc = actor(&scope, is_gc_task);
        let base = all_ended(&scope.start(), &scope);
        let finishes = Judged::new(Property::GcThatMeetsNoAbortConditionFinishes, &scope, base);
        let stops = Judged::new(Property::JournalNeverStopsGc, &scope, base);
        for end in ENDS {
            let ends = move |state: &mut State| state.actor_mut(gc).end = end;
            let by_journal = end == End::BAD_ENTRY || end == End::FOREIGN_LINE && !has_foreign;
            let is_refused = by_journal || end == End::VANISHED;
            let what = format!("end {}", end.0);
            match is_refused {
                true => finishes.refuses(&what, ends),
                false => finishes.accepts(&what, ends),
            }
            match by_journal {
                true => stops.refuses(&what, ends),
                false => stops.accepts(&what, ends),
            }
            for judged in [&finishes, &stops] {
                judged.accepts("a run that has not let its locks go", |state| {
                    ends(state);
                    state.actor_mut(gc).held = crate::state::Held::NONE.with(Fixed::GC_SLOT);
                });
                judged.accepts("another operation that ends so", |state| {
                    state.actor_mut(actor(&scope, is_move)).end = end;
                });
            }
        }
    }
}

#[test]
fn each_new_path_of_each_index_file_needs_its_entry() {
    let scope = scope("two_moves_chain_meets_gc");
    let judged = Judged::new(Property::NewPathImpliesJournalEntry, &scope, scope.start());
    for (n, i) in &scope.by_path {
        let (n, i) = (*n, *i);
        let Some(s) = scope.snapshot_of[usize::from(i)] else {
            continue;
        };
        let at = At {
            index: i,
            namespace: n,
        };
        let other = At {
            namespace: (n + 1) % 4,
            ..at
        };
        let renamed = |line: Kind| {
            move |state: &mut State| {
                state.snapshots[usize::from(s)] = Set::only(n);
                state.renamed = state.renamed.with_all(n, Set::only(i));
                state.lines[0] = Line::of(line);
            }
        };
        judged.refuses("a path without an entry", renamed(Kind::None));
        judged.refuses("an entry for another path", renamed(Kind::Entry(other)));
        judged.refuses("an entry that was cut short", renamed(Kind::MidLine(at)));
        judged.accepts("a path with its entry", renamed(Kind::Entry(at)));
        judged.accepts("an entry without its newline", renamed(Kind::NoNewline(at)));
        judged.accepts("a path where nothing is any more", |state| {
            renamed(Kind::None)(state);
            state.snapshots[usize::from(s)] = Set::default();
        });
    }
}

#[test]
fn each_group_that_a_failed_move_leaves_is_refused() {
    let scope = scope("move_meets_busy_snapshot");
    let mover = actor(&scope, is_move);
    let mut base = all_ended(&scope.start(), &scope);
    base.actor_mut(mover).end = End::BUSY;
    let judged = Judged::new(Property::FailedMoveLeavesNoEmptyGroup, &scope, base);
    for g in 0..scope.scenario.groups.len() {
        for n in namespaces(&scope) {
            if scope.first_groups[g].has(n) {
                continue;
            }
            let leaves = |state: &mut State| state.groups[g] = state.groups[g].with(n);
            judged.refuses("a new empty group", leaves);
            judged.accepts("a new group with a snapshot", |state| {
                leaves(state);
                let s = scope.snapshots_of[g].lowest().unwrap();
                state.snapshots[usize::from(s)] = Set::only(n);
            });
            judged.accepts("a group of a move that succeeded", |state| {
                leaves(state);
                state.actor_mut(mover).end = End::DONE;
            });
            for other in scope.actors() {
                judged.accepts("a group beside an operation that goes on", |state| {
                    leaves(state);
                    state.actor_mut(other).next = Next::row(0);
                });
                judged.accepts("a group beside an operation that was killed", |state| {
                    leaves(state);
                    state.actor_mut(other).next = Next::KILLED;
                });
            }
        }
    }
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
                        state.actor_mut(actor).held = crate::state::Held::NONE.with(lock);
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
                (actor.next, actor.held) =
                    (Next::row(0), crate::state::Held::NONE.with(Fixed::JOURNAL));
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
                state.actor_mut(holder).next = next
            });
        }
    }
}

#[test]
fn each_index_file_of_each_finished_snapshot_is_there() {
    let mut tried = 0;
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::Hardened, None);
        let judged = Judged::new(Property::FinishedSnapshotIsWhole, &scope, scope.start());
        for id::Snapshot(s) in scenario.all_snapshots() {
            if scenario.snapshots[usize::from(s)].start != Start::Finished {
                continue;
            }
            for i in scope.indexes_of[usize::from(s)].iter() {
                let unlink = |state: &mut State| state.indexes = state.indexes.without(i);
                let held = |name: Name, hold: Hold| {
                    move |state: &mut State| {
                        unlink(state);
                        state.actors[0].pending = Pending::of(name, hold);
                    }
                };
                let locked = Hold::open(1).locked();
                judged.refuses("a snapshot without an index file", unlink);
                judged.accepts(
                    "one that is being removed",
                    held(Name::Snapshot(0, s), locked),
                );
                judged.refuses(
                    "one that is read",
                    held(Name::Snapshot(0, s), locked.shared()),
                );
                judged.refuses(
                    "one that is not locked yet",
                    held(Name::Snapshot(0, s), Hold::open(1).relied_on()),
                );
                judged.refuses(
                    "one whose manifest is locked",
                    held(Name::Manifest(0, s), locked),
                );
                let other = (s + 1) % 3;
                judged.refuses(
                    "one beside which another is removed",
                    held(Name::Snapshot(0, other), locked),
                );
                judged.accepts("an unfinished snapshot", |state| {
                    unlink(state);
                    state.manifests[usize::from(s)] = Manifest::NONE;
                });
                tried += 1;
            }
        }
    }
    assert!(tried > SCENARIOS.len() / 2, "{tried}");
}

#[test]
fn each_snapshot_that_is_relied_on_stays_where_it_is() {
    for name in ["verify_meets_move", "backup_meets_gc"] {
        let scope = scope(name);
        let state = reach(&scope, |state| relied_on(&scope, state).next().is_some());
        let (n, s) = relied_on(&scope, &state).next().unwrap();
        let judged = Judged::new(Property::LockedSnapshotStays, &scope, state);
        let at = usize::from(s);
        judged.refuses("a snapshot that is gone", |state| {
            state.snapshots[at] = Set::default()
        });
        judged.refuses("a snapshot that is elsewhere", |state| {
            state.snapshots[at] = Set::only((n.0 + 1) % 4);
        });
    }
}

#[test]
fn each_part_of_each_manifest_that_was_written_is_there() {
    let scope = scope("notes_meet_verify_and_forget");
    let judged = Judged::new(Property::ManifestUpdateIsNotLost, &scope, scope.start());
    let parts = [Part::STATISTICS, Part::VERIFY, Part::NOTES];
    for s in 0..SNAPSHOTS {
        for lost in parts {
            for kept in parts.into_iter().filter(|kept| *kept != lost) {
                let plain = Manifest::PLAIN;
                let first = plain.rewritten(plain, lost, false);
                judged.refuses("a part that was written over", |state| {
                    state.manifests[s] = first.rewritten(plain, kept, false);
                });
                judged.accepts("both parts", |state| {
                    state.manifests[s] = first.rewritten(first, kept, false);
                });
            }
        }
    }
}

#[test]
fn each_remains_of_a_failed_backup_are_refused() {
    let scope = scope("aborted_backup_meets_notes");
    let backup = actor(&scope, is_backup);
    let Task::Backup { snapshot } = scope.task_of(backup) else {
        unreachable!("it is a backup");
    };
    let s = usize::from(snapshot.0);
    let mut base = all_ended(&scope.start(), &scope);
    base.actor_mut(backup).end = End::STOPPED;
    let judged = Judged::new(Property::FailedBackupLeavesNothing, &scope, base);
    let unfinished = |state: &mut State| state.snapshots[s] = Set::only(0);
    judged.refuses("an unfinished snapshot", unfinished);
    judged.accepts("a snapshot that is whole", |state| {
        unfinished(state);
        state.manifests[s] = Manifest::PLAIN;
    });
    for g in 0..scope.scenario.groups.len() {
        for n in namespaces(&scope)
            .into_iter()
            .filter(|n| !scope.first_groups[g].has(*n))
        {
            judged.refuses("an empty group", |state| {
                state.groups[g] = state.groups[g].with(n)
            });
        }
    }
    judged.accepts("remains of a backup that succeeded", |state| {
        unfinished(state);
        state.actor_mut(backup).end = End::DONE;
    });
    for other in scope.actors() {
        for next in [Next::row(0), Next::KILLED] {
            judged.accepts("remains beside one that goes on or was killed", |state| {
                unfinished(state);
                state.actor_mut(other).next = next;
            });
        }
    }
}

#[test]
fn each_end_of_a_backup_that_nobody_has_asked_for_is_refused() {
    let scope = scope("backup_and_forget_meet_gc");
    let backup = actor(&scope, is_backup);
    let judged = Judged::new(
        Property::StartedBackupFinishes,
        &scope,
        all_ended(&scope.start(), &scope),
    );
    for end in ENDS {
        let ends = |state: &mut State| state.actor_mut(backup).end = end;
        match end {
            End::DONE | End::BUSY | End::STOPPED | End::NO_NAMESPACE => {
                judged.accepts("an end that somebody wanted", ends);
            }
            _ => judged.refuses(&format!("end {}", end.0), ends),
        }
        judged.accepts("such an end of another operation", |state| {
            state.actor_mut(actor(&scope, is_gc_task)).end = end;
        });
    }
}

#[test]
fn each_protected_snapshot_stays_and_stays_protected() {
    let scope = scope("deletion_meets_protected_snapshot");
    let judged = Judged::new(Property::ProtectedSnapshotStays, &scope, scope.start());
    for id::Snapshot(s) in scope.scenario.all_snapshots() {
        let gone = |state: &mut State| state.snapshots[usize::from(s)] = Set::default();
        if scope.scenario.protected.contains(&id::Snapshot(s)) {
            judged.refuses("a protected snapshot that is gone", gone);
            judged.refuses("a snapshot that is not protected any more", |state| {
                state.protected = state.protected.without(s);
            });
        } else {
            judged.accepts("another snapshot that is gone", gone);
        }
    }
}

#[test]
fn each_group_that_was_pruned_keeps_a_finished_snapshot() {
    let scope = scope("prune_meets_aborted_backup");
    let prune = actor(&scope, |task| matches!(task, Task::Prune { .. }));
    let base = all_ended(&scope.start(), &scope);
    let judged = Judged::new(Property::PruneKeepsFinishedSnapshot, &scope, base);
    let none = |state: &mut State| state.manifests = [Manifest::NONE; SNAPSHOTS];
    judged.refuses("a group without a finished snapshot", none);
    for s in 0..scope.scenario.snapshots.len() {
        judged.accepts("a group with one", |state| {
            none(state);
            state.manifests[s] = Manifest::PLAIN;
        });
    }
    judged.accepts("a prune that goes on", |state| {
        none(state);
        state.actor_mut(prune).next = Next::row(0);
    });
}

#[test]
fn each_job_goes_on_when_something_has_vanished() {
    for name in ["verify_meets_forget", "prune_meets_move"] {
        let scope = scope(name);
        let job = actor(&scope, |task| {
            matches!(task, Task::Prune { .. } | Task::Verify { .. })
        });
        let judged = Judged::new(
            Property::JobSkipsWhatVanished,
            &scope,
            all_ended(&scope.start(), &scope),
        );
        judged.refuses("a job that gives up", |state| {
            state.actor_mut(job).end = End::VANISHED
        });
        for other in scope.actors().filter(|other| *other != job) {
            judged.accepts("another operation that does", |state| {
                state.actor_mut(other).end = End::VANISHED;
            });
        }
    }
}

#[test]
fn each_chunk_that_was_touched_or_inserted_is_there() {
    for (name, unlocks) in [
        ("insert_meets_set_aside", true),
        ("insert_meets_set_aside", false),
    ] {
        let scope = scope(name);
        let is_it = |state: &State| {
            let all: Vec<bool> = secured(&scope, state).map(|(_, unlocks)| unlocks).collect();
            !all.is_empty() && all.iter().all(|found| *found == unlocks)
        };
        let state = reach(&scope, |state| {
            is_it(state) && holds(Property::InsertedChunkIsThere, &scope, state)
        });
        let (id::Chunk(c), _) = secured(&scope, &state).next().unwrap();
        let judged = Judged::new(Property::InsertedChunkIsThere, &scope, state);
        let at = usize::from(c);
        judged.refuses("a chunk that is gone", |state| {
            state.chunks[at] = Chunk::OLD.unlinked()
        });
        let aside =
            |state: &mut State| state.chunks[at] = Chunk::OLD.corrupt().set_aside().unwrap();
        match unlocks {
            // Under the mutex nobody sets it aside.
            true => judged.refuses("a chunk that was set aside under the mutex", aside),
            false => judged.accepts("a corrupt chunk that was set aside", aside),
        }
    }
}

#[test]
fn each_group_with_a_snapshot_has_an_owner_file() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::Hardened, None);
        let judged = Judged::new(Property::GroupWithSnapshotHasOwner, &scope, scope.start());
        for id::Snapshot(s) in scenario.all_snapshots() {
            let g = usize::from(scope.group_of[usize::from(s)]);
            for n in namespaces(&scope) {
                let there = |state: &mut State| {
                    state.snapshots[usize::from(s)] = Set::only(n);
                    state.owners[g] = state.owners[g].with(n, Owner::FIRST);
                };
                judged.accepts("a snapshot in a group with an owner", there);
                judged.refuses("a snapshot in a group without", |state| {
                    there(state);
                    state.owners[g] = state.owners[g].without(n);
                });
            }
        }
    }
}

#[test]
fn what_a_merge_brings_is_newer_than_what_was_there() {
    let scope = scope("move_merges_meets_forget");
    let mover = actor(&scope, is_move);
    let Task::MoveGroup { source, target, .. } = scope.task_of(mover) else {
        unreachable!("it is a move");
    };
    let merges = |state: &State| move_group::has_begun_to_merge(&scope, state, mover);
    let state = reach(&scope, merges);
    let judged = Judged::new(Property::MergeKeepsTimeOrder, &scope, state);
    let of = |n: id::Namespace| {
        let all = scope.scenario.all_snapshots();
        let mut of = all.filter(|s| scope.scenario.snapshots[usize::from(s.0)].namespace == n);
        usize::from(of.next().unwrap().0)
    };
    let (there, brought) = (of(target), of(source));
    assert!(there < brought, "older ones have lower numbers");
    // Where a snapshot started says whether it is brought. Nothing older than what is there can be brought in this scenario, so
    // the numbers are compared by what lies where.
    judged.accepts("what it is to bring at its target", |state| {
        state.snapshots[brought] = Set::only(target.0);
    });
    judged.accepts("a target that is empty", |state| {
        state.snapshots[there] = Set::default()
    });
}

#[test]
fn what_a_move_leaves_is_newer_than_what_it_has_moved() {
    let scope = scope("second_batch_meets_busy_snapshot");
    let mover = actor(&scope, is_move);
    let Task::MoveGroup { source, target, .. } = scope.task_of(mover) else {
        unreachable!("it is a move");
    };
    let base = all_ended(&scope.start(), &scope);
    let judged = Judged::new(Property::FailedMoveCanBeRepeated, &scope, base);
    let of: Vec<usize> = scope
        .scenario
        .all_snapshots()
        .map(|s| usize::from(s.0))
        .collect();
    let (oldest, newest) = (of[0], of[of.len() - 1]);
    let moves = |at: usize| move |state: &mut State| state.snapshots[at] = Set::only(target.0);
    for s in &of {
        assert_eq!(judged.base.snapshots[*s], Set::only(source.0));
    }
    judged.accepts("the oldest one moved", moves(oldest));
    judged.refuses("the newest one moved", moves(newest));
    judged.accepts("a move that goes on", |state| {
        moves(newest)(state);
        state.actor_mut(mover).next = Next::row(0);
    });
    judged.accepts("all of them moved", |state| {
        of.iter().for_each(|s| moves(*s)(state))
    });
}

#[test]
fn each_namespace_that_was_removed_stays_removed() {
    let scope = scope("deletion_meets_verify_and_prune");
    let judged = Judged::new(
        Property::DeletedNamespaceStaysDeleted,
        &scope,
        scope.start(),
    );
    for n in namespaces(&scope) {
        judged.refuses("a namespace that is there again", |state| {
            state.removed = state.removed.with(n);
            state.namespaces = state.namespaces.with(n);
        });
        judged.accepts("a namespace that is gone", |state| {
            state.removed = state.removed.with(n);
            state.namespaces = state.namespaces.without(n);
        });
    }
}

#[test]
fn each_owner_file_of_each_group_is_whole() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::Hardened, None);
        let judged = Judged::new(Property::OwnerFileIsWhole, &scope, scope.start());
        for g in 0..GROUPS {
            for n in namespaces(&scope) {
                judged.refuses("an empty owner file", |state| {
                    state.owners[g] = state.owners[g].with(n, Owner::NOBODY);
                });
                for owner in (0..3).map(Owner::of) {
                    judged.accepts("an owner file that names somebody", |state| {
                        state.owners[g] = state.owners[g].with(n, owner);
                    });
                }
                judged.accepts("no owner file", |state| {
                    state.owners[g] = state.owners[g].without(n);
                });
            }
        }
    }
}

#[test]
fn each_part_of_the_shape_of_a_state_is_looked_at() {
    let scope = scope("one_move_meets_gc");
    let is_well_formed = |edit: &dyn Fn(&mut State)| {
        let mut state = scope.start();
        edit(&mut state);
        (shape().condition)(&scope, &state)
    };
    assert!(is_well_formed(&|_| {}));
    let outside = u8::try_from(scope.scenario.namespaces.len() + 1).unwrap();
    assert!(usize::from(outside) < NAMESPACES);
    let torn = Line::of(Kind::MidLine(At {
        index: 0,
        namespace: 0,
    }));
    let refused: [(&str, &dyn Fn(&mut State)); 7] = [
        ("a snapshot outside", &|s| {
            s.snapshots[0] = s.snapshots[0].with(outside)
        }),
        ("a group outside", &|s| {
            s.groups[0] = s.groups[0].with(outside)
        }),
        ("notes outside", &|s| s.notes[0] = s.notes[0].with(outside)),
        ("a namespace outside", &|s| {
            s.namespaces = s.namespaces.with(outside)
        }),
        ("a line behind a torn one", &|s| {
            (s.lines[0], s.lines[1]) = (torn, Line::of(Kind::Foreign));
        }),
        ("an end that is none", &|s| {
            s.actors[0].next = Next::FINISHED
        }),
        ("a directory without the one above it", &|s| {
            s.namespaces = s.namespaces.without(1);
        }),
    ];
    for (what, edit) in refused {
        assert!(!is_well_formed(edit), "{what} is well formed");
    }
    assert!(
        is_well_formed(&|s| s.lines[0] = torn),
        "a torn line at the end"
    );
    assert!(is_well_formed(&|s| s.actors[0].next = Next::KILLED));
}
