//! `Reliance`: who relies on which lock, by the steps that the workers reported.

use crate::projection::{Lock, Projected};
use specs::id::{Actor, Group, Namespace};
use specs::ops::{gc, move_group, take_lock};
use specs::scenario::{Lockable, Scenario, Task};
use specs::{Event, Id, Outcome, Step};

/// Who relies on which lock: from the step that obtained it until the one that gives its name up.
#[derive(Clone, Debug)]
pub struct Reliance {
    scenario: Scenario,
    relied: Vec<(Actor, Lock)>,
    /// The parts of `take_lock` that succeeded: the flock and the comparison of inodes.
    parts: Vec<(bool, bool)>,
}

impl Reliance {
    /// Nobody relies on anything.
    pub fn new(scenario: &Scenario) -> Self {
        let parts = vec![(false, false); scenario.actors.len()];
        Self {
            scenario: *scenario,
            relied: Vec::new(),
            parts,
        }
    }

    /// Notes an event as it was reported.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Step {
                actor,
                label,
                outcome,
            } => self.step(*actor, *label, *outcome),
            Event::Killed { process } => {
                let actors = &self.scenario.actors;
                self.relied
                    .retain(|(actor, _)| actors[usize::from(actor.0)].0 != *process);
            }
            Event::CutoffPassed => {}
        }
    }

    /// Two actors that rely on the same lock, with the holders that the kernel shows.
    pub fn conflict(&self, seen: &Projected) -> Option<String> {
        let (lock, first, second) =
            self.relied
                .iter()
                .enumerate()
                .find_map(|(at, (first, lock))| {
                    let rest = &self.relied[at + 1..];
                    let (second, _) = rest
                        .iter()
                        .find(|(actor, other)| other == lock && actor != first)?;
                    Some((*lock, *first, *second))
                })?;
        let holders = seen
            .locks
            .iter()
            .find(|state| state.lock == lock)
            .map(|state| &state.holders);
        let holders: Vec<String> = holders
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        Some(format!(
            "actors {} and {} both rely on the lock {}; its holders, by the kernel's word: {}",
            first.0,
            second.0,
            lock.path(&self.scenario),
            if holders.is_empty() {
                "nobody".to_owned()
            } else {
                holders.join(", ")
            }
        ))
    }

    fn step(&mut self, actor: Actor, label: Step<Id>, outcome: Outcome) {
        let done = outcome == Outcome::Done;
        let task = self
            .scenario
            .actors
            .get(usize::from(actor.0))
            .map(|(_, task)| *task);
        match label {
            Step::TakeLock(step) => self.take_lock(actor, step, done),
            Step::MoveGroup(step) => {
                if let Some(Task::MoveGroup {
                    group,
                    source,
                    target,
                    ..
                }) = task
                {
                    self.move_group(actor, step, done, [(source, group), (target, group)]);
                }
            }
            Step::Gc(step) => self.gc(actor, step, done),
        }
    }

    fn take_lock(&mut self, actor: Actor, step: take_lock::Step<Id>, done: bool) {
        use take_lock::Step as S;
        let at = usize::from(actor.0);
        match step {
            S::OpenLockFile(_) => self.parts[at] = (false, false),
            S::FlockLockFile => self.parts[at].0 = done,
            S::RecheckLockFile => self.parts[at].1 = done,
            S::UnlinkLockFile | S::UnlockLockFile | S::ReleaseAll => {
                self.parts[at] = (false, false);
                self.relied.retain(|(other, _)| *other != actor);
            }
        }
        if self.parts[at] == (true, true) {
            let lock = match self.scenario.actors[at].1 {
                Task::TakeLock {
                    lock: Lockable::Group(n, g),
                    ..
                } => Lock::Group(n, g),
                Task::TakeLock {
                    lock: Lockable::Snapshot(n, s),
                    ..
                } => Lock::Snapshot(n, s),
                Task::Gc { .. } | Task::MoveGroup { .. } => return,
            };
            self.rely(actor, lock, true);
        }
    }

    fn move_group(
        &mut self,
        actor: Actor,
        step: move_group::Step<Id>,
        done: bool,
        [source, target]: [(Namespace, Group); 2],
    ) {
        use move_group::Step as S;
        let group = |(namespace, group)| Lock::Group(namespace, group);
        match step {
            S::LockSourceGroup => self.rely(actor, group(source), done),
            S::LockTargetGroup => self.rely(actor, group(target), done),
            S::LockSnapshot(Id::Snapshot(n, s)) => self.rely(actor, Lock::Snapshot(n, s), done),
            S::LockJournal => self.rely(actor, Lock::Journal, done),
            S::UnlockJournal => self.give_up(actor, Lock::Journal),
            S::UnlinkSourceGroupLock | S::UnlockSourceGroup => self.give_up(actor, group(source)),
            S::UnlinkTargetGroupLock | S::UnlockTargetGroup => self.give_up(actor, group(target)),
            S::UnlinkSnapshotLock(Id::Snapshot(n, s)) | S::UnlockSnapshot(Id::Snapshot(n, s)) => {
                self.give_up(actor, Lock::Snapshot(n, s));
            }
            S::ReleaseAll => self.relied.retain(|(other, _)| *other != actor),
            S::LockSnapshot(_)
            | S::UnlinkSnapshotLock(_)
            | S::UnlockSnapshot(_)
            | S::CheckMove
            | S::ReadOwner
            | S::CreateTargetGroup
            | S::WriteTargetOwner
            | S::ReadTargetOwner
            | S::CheckMerge
            | S::ListSnapshots
            | S::ListSnapshot(_)
            | S::AppendJournal(_)
            | S::RenameSnapshot(_)
            | S::RemoveSnapshot(_)
            | S::UnlinkManifestLock(_)
            | S::MoveNotes
            | S::ListSourceGroup
            | S::UnlinkOwner
            | S::RemoveSourceGroup
            | S::RenameGroup
            | S::UnlinkTargetOwner
            | S::RemoveTargetGroup => {}
        }
    }

    fn gc(&mut self, actor: Actor, step: gc::Step<Id>, done: bool) {
        use gc::Step as S;
        match step {
            S::LockGroup(Id::Group(n, g)) => self.rely(actor, Lock::Group(n, g), done),
            S::UnlockGroup(Id::Group(n, g)) => self.give_up(actor, Lock::Group(n, g)),
            S::LockJournal => self.rely(actor, Lock::Journal, done),
            S::UnlockJournal => self.give_up(actor, Lock::Journal),
            S::ReleaseAll => self.relied.retain(|(other, _)| *other != actor),
            S::LockGroup(_)
            | S::UnlockGroup(_)
            | S::LockGcSlot
            | S::LockStore
            | S::ReadClock
            | S::ListIndexFiles(_)
            | S::ListGroups(_)
            | S::ListSnapshots(_)
            | S::ListSnapshot(_)
            | S::CheckGroup(_)
            | S::OpenIndex(_)
            | S::TouchChunk(_)
            | S::ListNamespaces(_)
            | S::OpenLeftover(_)
            | S::ReadJournal
            | S::OpenEntry(_)
            | S::TruncateJournal
            | S::ListPrefixes
            | S::ListChunks(_)
            | S::SweepChunk(_)
            | S::WriteStatus
            | S::UnlockStore
            | S::UnlockGcSlot => {}
        }
    }

    fn rely(&mut self, actor: Actor, lock: Lock, done: bool) {
        if done && !self.relied.contains(&(actor, lock)) {
            self.relied.push((actor, lock));
        }
    }

    fn give_up(&mut self, actor: Actor, lock: Lock) {
        self.relied.retain(|entry| *entry != (actor, lock));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{Holder, LockState};
    use specs::id::Process;

    #[test]
    fn a_taker_relies_on_its_lock_only_after_both_calls() {
        let scenario = Scenario::named("three_takers_meet_remover").unwrap();
        let mut reliance = Reliance::new(scenario);
        let lock = Lock::Group(Namespace(0), Group(0));
        let holder = |process, is_at_path| Holder {
            process: Process(process),
            is_at_path,
        };
        let seen = Projected {
            locks: vec![LockState {
                lock,
                has_file: true,
                holders: vec![holder(0, false), holder(1, true)],
            }],
            ..Projected::default()
        };
        let mut step = |actor, step: take_lock::Step<Id>| {
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
}
