//! `Reliance`: who relies on which lock, by the steps that the workers reported.

use crate::projection::{Lock, LockState, Projected};
use specs::design::Change;
use specs::id::Actor;
use specs::lock_class::Mode;
use specs::ops::{delete_namespace, forget_snapshot, move_group, take_lock};
use specs::scenario::{Lockable, Scenario, Task};
use specs::step::LockUse;
use specs::{Design, Event, Id, Label, LockClass, Op, Outcome, Step};

/// What an actor relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relied {
    /// A lock that has a file in the lock directory, or is that of a directory of the same name.
    File(Lock),
    /// The process lock.
    Store,
}

/// Who relies on which lock: from the step that obtained it until the one that gives its name up.
#[derive(Clone, Debug)]
pub struct Reliance {
    scenario: Scenario,
    relied: Vec<(Actor, Relied, Mode)>,
    /// Who has removed what a lock stands for, since it took that lock.
    removed: Vec<(Actor, Relied)>,
    /// Whether `take_lock` compares inodes.
    rechecks: bool,
    /// Whether every process has a journal of its own.
    has_own_journal: bool,
    /// The parts of `take_lock` that succeeded: the flock and the comparison of inodes.
    parts: Vec<(bool, bool)>,
}

impl Reliance {
    /// Nobody relies on anything.
    pub fn new(scenario: &Scenario, design: Design) -> Self {
        let recheck = Step::TakeLock(take_lock::Step::RecheckLockFile);
        let parts = vec![(false, false); scenario.actors.len()];
        Self {
            scenario: *scenario,
            relied: Vec::new(),
            removed: Vec::new(),
            rechecks: recheck.row().designs.contains(design),
            has_own_journal: design.has(Change::JournalInMemory),
            parts,
        }
    }

    /// Notes an event as it was reported.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Step {
                actor,
                label:
                    Label {
                        step: Step::TakeLock(step),
                        ..
                    },
                outcome,
            } => self.take_lock(*actor, *step, *outcome == Outcome::Done),
            Event::Step {
                actor,
                label,
                outcome,
            } => self.step(*actor, *label, *outcome),
            Event::Killed { process } => {
                let actors = &self.scenario.actors;
                self.relied
                    .retain(|(actor, ..)| actors[usize::from(actor.0)].0 != *process);
            }
            // Nobody relies on a lock before the step that takes it has ended.
            Event::Reached { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => {}
        }
    }

    /// Two actors that rely on the same lock, one of them exclusively, with the holders that the kernel shows.
    pub fn conflict(&self, seen: &Projected) -> Option<String> {
        let relied = self.relied.iter();
        let relied: Vec<_> = relied.filter(|it| !self.has_removed(it, seen)).collect();
        let (on, first, second) = relied.iter().enumerate().find_map(|(at, one)| {
            let rest = &relied[at + 1..];
            let other = rest.iter().find(|other| self.excludes(one, other))?;
            Some((one.1, one.0, other.0))
        })?;
        let (name, holders): (_, Vec<String>) = match on {
            Relied::File(lock) => {
                let is_it = |state: &&LockState| {
                    state.lock == lock || Some(state.lock) == lock.by_directory()
                };
                let states = seen.locks.iter().filter(is_it);
                let holders = states.flat_map(|state| &state.holders);
                (
                    lock.path(&self.scenario),
                    holders.map(ToString::to_string).collect(),
                )
            }
            Relied::Store => {
                let holders = seen.store_holders.iter();
                let show = |holder: &crate::projection::StoreHolder| {
                    format!("process {}", holder.process.0)
                };
                (".lock".to_owned(), holders.map(show).collect())
            }
        };
        Some(format!(
            "actors {} and {} both rely on the lock {name}; its holders, by the kernel's word: {}",
            first.0,
            second.0,
            if holders.is_empty() {
                "nobody".to_owned()
            } else {
                holders.join(", ")
            }
        ))
    }

    /// Whether what an actor relies on is the lock of a directory that it has removed: it gives its name up thereby.
    /// Whoever else finds it gone has just locked what nobody can find.
    fn has_removed(&self, (actor, on, _): &(Actor, Relied, Mode), seen: &Projected) -> bool {
        let Relied::File(lock) = *on else {
            return false;
        };
        if !self.removed.contains(&(*actor, *on)) {
            return false;
        }
        let process = self.scenario.actors[usize::from(actor.0)].0;
        let directory = lock.by_directory().filter(|lock| lock.is_directory());
        let state = seen
            .locks
            .iter()
            .find(|state| Some(state.lock) == directory);
        let holders = state.into_iter().flat_map(|state| &state.holders);
        let mut of_process = holders
            .filter(|holder| holder.process == process)
            .peekable();
        of_process.peek().is_some() && of_process.all(|holder| !holder.is_at_path)
    }

    /// An actor that relies on the exclusive lock of a namespace while another one relies on a lock of it or of one
    /// below it, with the holders that the kernel shows of the latter.
    pub fn namespace_conflict(&self, seen: &Projected) -> Option<String> {
        let of = |relied: Relied| match relied {
            Relied::File(Lock::Namespace(namespace)) => Some(namespace),
            Relied::File(_) | Relied::Store => None,
        };
        let is_in = |inner, outer| {
            inner == outer
                || self
                    .scenario
                    .chain(inner)
                    .any(|namespace| namespace == outer)
        };
        for (owner, on, mode) in &self.relied {
            let (Some(outer), Mode::Exclusive) = (of(*on), *mode) else {
                continue;
            };
            let intruder = self.relied.iter().find_map(|(actor, on, _)| {
                let inner = of(*on)?;
                (actor != owner && is_in(inner, outer)).then_some((*actor, inner))
            });
            if let Some((actor, inner)) = intruder {
                let (outer, inner) = (Lock::Namespace(outer), Lock::Namespace(inner));
                let state = seen.locks.iter().find(|state| state.lock == inner);
                let holders = state.into_iter().flat_map(|state| &state.holders);
                let holders: Vec<String> = holders.map(ToString::to_string).collect();
                return Some(format!(
                    "actor {} relies on having {} exclusively, and actor {} on {}; its holders, by the kernel's word: {}",
                    owner.0,
                    outer.path(&self.scenario),
                    actor.0,
                    inner.path(&self.scenario),
                    if holders.is_empty() {
                        "nobody".to_owned()
                    } else {
                        holders.join(", ")
                    }
                ));
            }
        }
        None
    }

    /// Whether two may not rely on what they do at once. The process lock keeps processes apart, and two
    /// collections, but not a collection and the writers of its own process.
    fn excludes(&self, one: &(Actor, Relied, Mode), other: &(Actor, Relied, Mode)) -> bool {
        let process = |actor: Actor| self.scenario.actors[usize::from(actor.0)].0;
        let beside = match one.1 {
            Relied::File(Lock::Journal) if self.has_own_journal => {
                process(one.0) != process(other.0)
            }
            Relied::File(_) => one.2 == Mode::Shared && other.2 == Mode::Shared,
            Relied::Store if process(one.0) == process(other.0) => {
                one.2 == Mode::Shared || other.2 == Mode::Shared
            }
            Relied::Store => one.2 == Mode::Shared && other.2 == Mode::Shared,
        };
        one.0 != other.0 && one.1 == other.1 && !beside
    }

    /// Every step but those of `take_lock` says in its row what it does to a lock.
    fn step(&mut self, actor: Actor, label: Label<Id>, outcome: Outcome) {
        if label.step == forget_snapshot::Step::ReleaseAll.into() {
            let task = self.scenario.actors[usize::from(actor.0)].1;
            self.relied
                .retain(|(other, on, _)| *other != actor || outlasts_removal(task, *on));
            return;
        }
        if releases_all(label.step) {
            self.relied.retain(|(other, ..)| *other != actor);
            return;
        }
        if let (Some(lock), Outcome::Done) = (removed_by(label), outcome) {
            self.removed.push((actor, Relied::File(lock)));
        }
        match label.step.row().lock {
            Some(LockUse::Take(class, mode, _)) if outcome == Outcome::Done => {
                let on = self.lock_of(actor, label, class);
                self.rely(actor, on, mode);
            }
            Some(LockUse::Release(class) | LockUse::Unlink(class)) => {
                let on = self.lock_of(actor, label, class);
                let is_it = |(other, relied, _): &(Actor, Relied, Mode)| {
                    *other == actor && Some(*relied) == on
                };
                if class == LockClass::Namespace {
                    // Two chains can share a namespace: it is held twice, and let go one by one.
                    let at = self.relied.iter().position(is_it);
                    at.map(|at| self.relied.remove(at));
                } else {
                    self.relied.retain(|relied| !is_it(relied));
                }
            }
            Some(LockUse::Take(..) | LockUse::Within(..)) | None => {}
        }
    }

    /// The lock that a step is about: by its argument, or by the task of a move.
    fn lock_of(&self, actor: Actor, label: Label<Id>, class: LockClass) -> Option<Relied> {
        use move_group::Step as Move;
        let lock = match (class, label.of) {
            (LockClass::Store, _) => return Some(Relied::Store),
            (LockClass::MoveJournal, _) => Lock::Journal,
            (LockClass::Namespace, Some(Id::Namespace(n))) => Lock::Namespace(n),
            (LockClass::Group, Some(Id::Group(n, g))) => Lock::Group(n, g),
            (LockClass::Snapshot, Some(Id::Snapshot(n, s))) => Lock::Snapshot(n, s),
            (LockClass::Manifest, Some(Id::Snapshot(n, s))) => Lock::Manifest(n, s),
            (LockClass::Group, None) => {
                let Task::MoveGroup {
                    group,
                    source,
                    target,
                    ..
                } = self.scenario.actors[usize::from(actor.0)].1
                else {
                    return None;
                };
                let is_source = matches!(
                    label.step,
                    Step::MoveGroup(
                        Move::LockSourceGroup
                            | Move::UnlockSourceGroup
                            | Move::UnlinkSourceGroupLock,
                    )
                );
                Lock::Group(if is_source { source } else { target }, group)
            }
            _ => return None,
        };
        Some(Relied::File(lock))
    }

    fn take_lock(&mut self, actor: Actor, step: take_lock::Step, done: bool) {
        use take_lock::Step as S;
        let at = usize::from(actor.0);
        match step {
            S::OpenLockFile => self.parts[at] = (false, false),
            S::FlockLockFile => self.parts[at].0 = done,
            S::RecheckLockFile => self.parts[at].1 = done,
            S::UnlinkLockFile | S::UnlockLockFile | S::ReleaseAll => {
                self.parts[at] = (false, false);
                self.relied.retain(|(other, ..)| *other != actor);
            }
        }
        let (has_flock, is_same) = self.parts[at];
        if has_flock
            && (is_same || !self.rechecks)
            && let Task::TakeLock { lock, .. } = self.scenario.actors[at].1
        {
            let lock = match lock {
                Lockable::Group(n, g) => Lock::Group(n, g),
                Lockable::Snapshot(n, s) => Lock::Snapshot(n, s),
            };
            self.rely(actor, Some(Relied::File(lock)), Mode::Exclusive);
        }
    }

    fn rely(&mut self, actor: Actor, on: Option<Relied>, mode: Mode) {
        let is_twice = |on| matches!(on, Relied::File(Lock::Namespace(_)));
        if let Some(on) = on {
            self.removed.retain(|removed| *removed != (actor, on));
        }
        if let Some(on) = on
            && (is_twice(on) || !self.relied.contains(&(actor, on, mode)))
        {
            self.relied.push((actor, on, mode));
        }
    }
}

/// What an actor still relies on when a removal inside its task has failed and let its locks go.
const fn outlasts_removal(task: Task, on: Relied) -> bool {
    match on {
        Relied::File(Lock::Namespace(_)) | Relied::Store => true,
        // A removal tries the lock of the group, which whoever removes a namespace has.
        Relied::File(Lock::Group(..)) => matches!(task, Task::DeleteNamespace { .. }),
        Relied::File(
            Lock::Snapshot(..)
            | Lock::Manifest(..)
            | Lock::Journal
            | Lock::GroupDirectory(..)
            | Lock::SnapshotDirectory(..)
            | Lock::OldManifest(..),
        ) => false,
    }
}

/// The lock of what a step has removed.
fn removed_by(label: Label<Id>) -> Option<Lock> {
    use delete_namespace::Step as Delete;
    use forget_snapshot::Step as Forget;
    let removes = matches!(
        label.step,
        Step::ForgetSnapshot(Forget::RemoveSnapshot | Forget::RemoveGroup)
            | Step::DeleteNamespace(Delete::RemoveGroup)
    );
    match label.of {
        Some(Id::Snapshot(n, s)) if removes => Some(Lock::Snapshot(n, s)),
        Some(Id::Group(n, g)) if removes => Some(Lock::Group(n, g)),
        _ => None,
    }
}

/// Whether a step lets every lock of its actor go; that of a removal, which may be a part of a task, is not among them.
fn releases_all(step: Step) -> bool {
    step.row().releases_all && step.op() != Op::ForgetSnapshot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{Holder, LockState};
    use specs::ToLabel as _;
    use specs::id::{Group, Namespace, Process};
    use specs::ops::{backup, gc};

    #[test]
    fn a_taker_relies_on_its_lock_only_after_both_calls() {
        let scenario = Scenario::named("three_takers_meet_remover").unwrap();
        let mut reliance = Reliance::new(scenario, Design::HARDENED);
        let lock = Lock::Group(Namespace(0), Group(0));
        let holder = |process, is_at_path| Holder {
            process: Process(process),
            is_at_path,
            is_shared: false,
        };
        let seen = Projected {
            locks: vec![LockState {
                lock,
                has_file: true,
                holders: vec![holder(0, false), holder(1, true)],
            }],
            ..Projected::default()
        };
        let mut step = |actor, step: take_lock::Step| {
            reliance.note(&Event::Step {
                actor: Actor(actor),
                label: step.into(),
                outcome: Outcome::Done,
            });
            reliance.conflict(&seen)
        };
        assert_eq!(step(0, take_lock::Step::FlockLockFile), None);
        assert_eq!(step(0, take_lock::Step::RecheckLockFile), None);
        assert_eq!(step(1, take_lock::Step::FlockLockFile), None);
        let conflict = step(1, take_lock::Step::RecheckLockFile).unwrap();
        assert!(
            conflict.contains("actors 0 and 1 both rely on the lock vm-100"),
            "{conflict}"
        );
        assert_eq!(step(0, take_lock::Step::UnlinkLockFile), None);
    }

    #[test]
    fn sharing_a_lock_is_no_conflict_and_having_it_beside_a_sharer_is() {
        let scenario = Scenario::named("two_processes_collect_beside_backup").unwrap();
        let mut reliance = Reliance::new(scenario, Design::HARDENED);
        let mut done = |actor, label: Label<Id>| {
            reliance.note(&Event::Step {
                actor: Actor(actor),
                label,
                outcome: Outcome::Done,
            });
            reliance.conflict(&Projected::default())
        };
        // The collection of the same process, and that of another one.
        assert_eq!(done(1, backup::Step::LockStore.into()), None);
        assert_eq!(done(0, gc::Step::LockStore.into()), None);
        assert_eq!(done(0, gc::Step::UnlockStore.into()), None);
        let conflict = done(2, gc::Step::LockStore.into()).unwrap();
        assert!(
            conflict.contains("both rely on the lock .lock"),
            "{conflict}"
        );
        assert_eq!(done(1, backup::Step::UnlockStore.into()), None);
    }

    /// Whoever moves between a namespace and one in it shares the lock of the outer one twice.
    #[test]
    fn a_namespace_that_is_held_twice_is_relied_on_until_both_are_let_go() {
        use delete_namespace::Step as Delete;
        use move_group::Step as Move;
        let question = specs::question::Question::parse("nested:move(a,a/b)+delete(a)").unwrap();
        let scenario = question.scenario();
        let named = |name| {
            let mut all = scenario.all_namespaces();
            let it = all.find(|n| scenario.namespaces[usize::from(n.0)] == name);
            Id::Namespace(it.unwrap())
        };
        let outer = named("a");
        let mut reliance = Reliance::new(scenario, Design::NAMESPACE_LOCKS);
        let mut done = |actor, label: Label<Id>| {
            reliance.note(&Event::Step {
                actor: Actor(actor),
                label,
                outcome: Outcome::Done,
            });
            reliance.namespace_conflict(&Projected::default()).is_some()
        };
        assert!(!done(0, Move::LockSourceNamespace.of(outer)));
        assert!(!done(0, Move::LockTargetNamespace.of(outer)));
        assert!(!done(0, Move::UnlockTargetNamespace.of(outer)));
        assert!(done(1, Delete::LockNamespace.of(outer)));
        assert!(!done(0, Move::UnlockSourceNamespace.of(outer)));
    }
}
