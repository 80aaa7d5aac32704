//! Both generations of one lock: who takes which, and what excludes whom.

use super::*;
use crate::engine::{Options, explore};
use crate::locks::{holder, take, two_rely, unlink};
use crate::refusal::Refusal;
use crate::state::{End, Next};
use crate::verdict::Record;
use crate::{directories, environment};
use specs::design::Change;
use specs::id::{Id, Namespace, Snapshot};
use specs::ops::{backup, delete_namespace, forget_snapshot, gc, move_group};
use specs::scenarios::SCENARIOS;
use specs::{Event, Label, Op, Outcome, Property, Step, ToLabel as _};

fn scope_of(scenario: &str, design: Design) -> Scope {
    Scope::new(Scenario::named(scenario).unwrap(), design, &[])
}

fn record_of(scenario: &str, design: Design) -> Record<State, Event> {
    let scope = scope_of(scenario, design);
    explore(&scope, &Options::default()).unwrap().record
}

/// How often a step was taken; every scope counts steps alike.
fn taken(record: &Record<State, Event>, step: impl Into<Step>) -> u64 {
    let scope = scope_of("directory_locks_keep_groups", Design::HARDENED);
    scope.taken(&record.coverage, step.into())
}

/// An actor takes a step that is next for it.
fn after(scope: &Scope, state: &State, actor: Actor, label: impl Into<Label<Id>>) -> State {
    let event = Event::Step {
        actor,
        label: label.into(),
        outcome: Outcome::Done,
    };
    scope.apply(state, event).unwrap()
}

const OLD: Actor = Actor(0);
const NEW: Actor = Actor(1);
const SNAPSHOT: Id = Id::Snapshot(Namespace(0), Snapshot(0));

#[test]
fn an_old_process_locks_directories_and_a_new_one_does_what_it_finds() {
    let choices = |scenario: &str, design| {
        let scope = scope_of(scenario, design);
        let all = scope.actors().map(|actor| scope.choice_of(actor));
        all.collect::<Vec<_>>()
    };
    let upgrade = "old_backup_meets_new_forget";
    let both = [Choice::Directories, Choice::Flag];
    assert_eq!(choices(upgrade, Design::HARDENED), both);
    assert_eq!(choices(upgrade, Design::UPSTREAM), both);
    assert_eq!(
        choices(upgrade, Design::HARDENED.with(Change::FlagPerCall)),
        both
    );
    let ignored = [Choice::Directories, Choice::Files];
    assert_eq!(
        choices(upgrade, Design::HARDENED.with(Change::FlagIgnored)),
        ignored
    );
    let old = [Choice::Directories; 2];
    assert_eq!(choices(upgrade, Design::DIRECTORY_LOCKS), old);
    let flagged = "directory_locks_refuse_a_move";
    assert_eq!(choices(flagged, Design::HARDENED), old);
    assert_eq!(
        choices("two_moves_cross", Design::HARDENED),
        [Choice::Files; 2]
    );
}

#[test]
fn a_process_decides_at_its_first_lock_and_for_as_long_as_it_lives() {
    let scope = scope_of("flag_meets_two_tasks", Design::HARDENED);
    let label = forget_snapshot::Step::LockSnapshot.of(SNAPSHOT);
    let start = scope.start();
    let flagged = scope.apply(&start, Event::FlagSet).unwrap();

    let early = after(&scope, &start, NEW, label);
    let early = scope.apply(&early, Event::FlagSet).unwrap();
    assert!(!locks_directories(&scope, &early, OLD));
    assert_eq!(
        class_for(&scope, &early, OLD, LockClass::Group),
        LockClass::Group
    );

    assert_eq!(flagged.looked.of(0), None, "it has not looked");
    assert!(locks_directories(&scope, &flagged, OLD));
    let directory = LockClass::GroupDirectory;
    assert_eq!(
        class_for(&scope, &flagged, OLD, LockClass::Group),
        directory
    );
    let late = after(&scope, &flagged, NEW, label);
    assert!(locks_directories(&scope, &late, OLD));
}

#[test]
fn a_design_that_looks_at_every_lock_changes_its_mind() {
    let scope = scope_of(
        "flag_meets_two_tasks",
        Design::HARDENED.with(Change::FlagPerCall),
    );
    let label = forget_snapshot::Step::LockSnapshot.of(SNAPSHOT);
    let state = after(&scope, &scope.start(), NEW, label);
    let state = scope.apply(&state, Event::FlagSet).unwrap();
    assert!(locks_directories(&scope, &state, NEW));
    assert_eq!(state.looked, scope.start().looked);
}

#[test]
fn nothing_is_remembered_where_the_flag_file_is_there_from_the_start() {
    let scope = scope_of("directory_locks_in_upkeep", Design::HARDENED);
    let mut state = scope.start();
    assert!(state.flag == 1);
    look(&scope, &mut state, NEW);
    assert!(state == scope.start());
    assert_eq!(
        environment::set_flag(&scope, &state).err(),
        Some(Refusal::Exhausted)
    );
}

#[test]
fn two_generations_of_a_lock_do_not_exclude_each_other_and_are_one_lock_all_the_same() {
    let design = Design::HARDENED.with(Change::FlagIgnored);
    let record = record_of("old_backup_meets_new_forget", design);
    let property = Property::OneExclusiveHolderPerLock.name();
    let trace = record.property(property).unwrap().first.clone().unwrap();
    let scope = scope_of("old_backup_meets_new_forget", design);
    assert!(two_rely(&scope, trace.last()));
    let mut locked = Vec::new();
    visit_holds(&scope, trace.last(), &mut |actor, name, hold| {
        if hold.is_locked() && name.by_file() == Name::Snapshot(0, 0) {
            locked.push((actor, name));
        }
    });
    let (old, new) = (Name::SnapshotDirectory(0, 0), Name::Snapshot(0, 0));
    assert_eq!(locked, [(OLD, old), (NEW, new)]);
}

#[test]
fn a_directory_that_was_removed_and_made_again_is_another_lock() {
    let scope = scope_of("directory_locks_meet_gc", Design::HARDENED);
    let (place, name) = ((0, 0), Name::Snapshot(0, 0));
    let directory = name.by_directory();
    let step = forget_snapshot::Step::LockSnapshot;
    let again = |state: &mut State| {
        directories::remove_snapshot(state, place);
        assert_eq!(file_at(state, directory), 0);
        directories::create_snapshot(&scope, state, place);
        file_at(state, directory)
    };
    let mut free = scope.start();
    assert_eq!(again(&mut free), 1, "nobody has it open");
    let mut state = after(
        &scope,
        &scope.start(),
        NEW,
        forget_snapshot::Step::LockSnapshot.of(SNAPSHOT),
    );
    let open = Hold::open(1).old();
    assert_eq!(holder(&scope, &state, directory, open), Some(NEW));
    assert_eq!(again(&mut state), 2);
    let taken = take(&scope, &mut state, OLD, name, step, Outcome::Done).unwrap();
    assert_eq!((taken.number(), taken.is_old()), (2, true));
}

#[test]
fn a_directory_is_not_created_to_be_locked() {
    let scope = scope_of("directory_locks_keep_groups", Design::HARDENED);
    let mut state = scope.start();
    let name = Name::Group(1, 1);
    let step = backup::Step::LockGroup;
    let mut take = |outcome| take(&scope, &mut state, OLD, name, step, outcome);
    assert_eq!(take(Outcome::NotFound), Ok(Hold::NONE));
    assert_eq!(take(Outcome::Done), Err(Refusal::NotThere));
    assert!(state == scope.start());
    assert!(!unlink(&mut state, name.by_directory()));
}

#[test]
fn directories_have_numbers_only_where_somebody_could_lock_them() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let state = scope.start();
        let numbers = state.snapshot_locks.iter().chain(&state.group_locks);
        let any = numbers.flatten().any(|numbers| numbers.of(true) != 0);
        let is_new = scenario.generations == specs::scenario::Generations::NEW;
        assert_eq!(scope.numbers_directories, !is_new, "{}", scenario.name);
        let is_empty = state.groups.iter().all(|at| at.is_empty());
        assert_eq!(any, !is_new && !is_empty, "{}", scenario.name);
    }
}

#[test]
fn the_flag_file_is_created_on_the_side_of_the_reload_that_the_design_says() {
    let process = Process(0);
    let reload = Event::Reloaded { process };
    for (design, first, second) in [
        (Design::HARDENED, Event::FlagSet, reload),
        (Design::UPSTREAM, reload, Event::FlagSet),
    ] {
        let scope = scope_of("old_notes_meet_new_notes", design);
        let start = scope.start();
        assert_eq!(scope.apply(&start, second).err(), Some(Refusal::NotAllowed));
        let next = scope.apply(&start, first).unwrap();
        let last = scope.apply(&next, second).unwrap();
        assert_eq!(
            scope.apply(&last, Event::FlagSet).err(),
            Some(Refusal::Exhausted)
        );
        assert_eq!((last.flag, last.reloaded), (1, 1));
    }
}

#[test]
fn whoever_locks_directories_creates_first_and_leaves_every_group() {
    let record = record_of("directory_locks_keep_groups", Design::HARDENED);
    assert!(record.holds(), "{:?}", record.failures());
    assert!(taken(&record, delete_namespace::Step::UnlockGroup) > 0);
    assert_eq!(taken(&record, delete_namespace::Step::ListGroupAgain), 0);
    assert_eq!(taken(&record, backup::Step::RemoveNewGroup), 0);
    let scope = scope_of("directory_locks_keep_groups", Design::HARDENED);
    let check = backup::Step::CheckNamespace.of(Id::Namespace(Namespace(1)));
    assert_eq!(scope.labels(&scope.start(), OLD), [check]);

    let record = record_of("directory_locks_meet_gc", Design::HARDENED);
    assert!(record.holds(), "{:?}", record.failures());
    assert!(taken(&record, forget_snapshot::Step::UnlinkManifestLock) > 0);
    assert_eq!(taken(&record, forget_snapshot::Step::UnlinkSnapshotLock), 0);
    assert_eq!(taken(&record, forget_snapshot::Step::LockGroup), 0);
}

#[test]
fn a_design_that_removes_groups_by_their_directories_unlinks_no_lock_file_of_them() {
    let design = Design::HARDENED.with(Change::DirectoryGroupsRemoved);
    let record = record_of("directory_locks_keep_groups", design);
    assert!(taken(&record, delete_namespace::Step::RemoveGroup) > 0);
    assert_eq!(taken(&record, delete_namespace::Step::UnlinkGroupLock), 0);
}

#[test]
fn a_move_refuses_where_directories_are_locked_or_there_are_no_moves() {
    for design in [
        Design::HARDENED,
        Design::DIRECTORY_LOCKS,
        Design::TMPFS_LOCKS,
    ] {
        let record = record_of("directory_locks_refuse_a_move", design);
        assert!(record.holds(), "{:?}", record.failures());
        assert!(taken(&record, move_group::Step::LockSourceGroup) > 0);
        assert_eq!(taken(&record, move_group::Step::CheckMove), 0);
    }
}

#[test]
fn an_upgrade_is_safe_only_with_the_flag_file_in_time() {
    let falls = |scenario, design, property: Property| {
        let record = record_of(scenario, design);
        record.property(property.name()).unwrap().hits > 0
    };
    let two = Property::OneExclusiveHolderPerLock;
    let lost = Property::ManifestUpdateIsNotLost;
    let (upgrade, notes) = ("old_backup_meets_new_forget", "old_notes_meet_new_notes");
    assert!(!falls(upgrade, Design::HARDENED, two) && !falls(notes, Design::HARDENED, lost));
    assert!(falls(upgrade, Design::UPSTREAM, two) && falls(notes, Design::UPSTREAM, lost));
    assert!(falls(
        upgrade,
        Design::HARDENED.with(Change::FlagIgnored),
        two
    ));
    assert!(falls(
        "flag_meets_two_tasks",
        Design::HARDENED.with(Change::FlagPerCall),
        two
    ));
    assert!(!falls("flag_meets_two_tasks", Design::HARDENED, two));
}

/// A move ends at once, so that the others meet nobody.
#[test]
fn nobody_gets_stuck_in_a_design_before_moves() {
    for design in [Design::DIRECTORY_LOCKS, Design::TMPFS_LOCKS] {
        for scenario in SCENARIOS {
            let scope = Scope::new(scenario, design, &[]);
            let options = Options {
                keep_graph: true,
                ..Options::default()
            };
            let exploration = explore(&scope, &options).unwrap();
            assert_eq!(exploration.record.deadlocks.count, 0, "{}", scenario.name);
            let graph = exploration.graph.unwrap();
            assert!(
                !graph.states.iter().any(|state| scope.is_stuck(state)),
                "{}",
                scenario.name
            );
            let moves = scope
                .actors()
                .filter(|a| scope.task_of(*a).op() == Op::MoveGroup);
            for mover in moves {
                let done = graph
                    .states
                    .iter()
                    .any(|state| state.actor(mover).end == End::DONE);
                assert!(!done, "{}", scenario.name);
            }
        }
    }
}

#[test]
fn a_collection_goes_on_when_a_group_is_gone_before_its_directory_is_locked() {
    let scenario = "directory_locks_meet_gc";
    let gone = |design| {
        let scope = scope_of(scenario, design);
        let options = Options {
            keep_graph: true,
            ..Options::default()
        };
        let graph = explore(&scope, &options).unwrap().graph.unwrap();
        let lock = Step::from(gc::Step::LockGroup);
        let mut found = 0;
        for edge in graph.edges {
            if let Event::Step {
                actor,
                label,
                outcome: Outcome::NotFound,
            } = edge.action
                && label.step == lock
            {
                let after = graph.states[edge.to as usize].actor(actor);
                let next = gc::Step::ListNamespaces as usize;
                assert_eq!((after.next, after.end), (Next::row(next), End::NONE));
                found += 1;
            }
        }
        found
    };
    assert_eq!(gone(Design::HARDENED), 0, "nobody removes such a group");
    assert!(gone(Design::HARDENED.with(Change::DirectoryGroupsRemoved)) > 0);
}
