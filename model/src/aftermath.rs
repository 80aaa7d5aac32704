//! What comes after: everybody has died, and one operation after the other has to get on with what is left.
//!
//! In every state all processes are killed at once, and in another world the host goes down, which empties the tmpfs as
//! well. Then one new process collects, repeats the moves, backs up to each group, verifies and prunes it, repeats the
//! deletions, forgets all snapshots, and collects once more when all is old. It needs nobody's help: each ends well, and
//! in the end nothing is left that nothing names.
//!
//! *What is left out.* Nobody else is there meanwhile: what two operations do to each other after a kill is asked by the
//! scenarios that have a kill. What is protected or belongs to another owner stays, and what it keeps from happening is
//! not asked.

use crate::environment;
use crate::journal;
use crate::locks::generations;
use crate::ops;
use crate::properties;
use crate::scope::Scope;
use crate::state::{Actor, End, Looked, Next, Numbers, Owner, Places, Set, State};
use specs::id::{self, Group, Index, Namespace, Snapshot};
use specs::scenario::Task;
use specs::{Event, Property};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How everybody died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// All processes were killed; the tmpfs is as they left it.
    Killed,
    /// The host went down: the tmpfs is empty as well.
    Rebooted,
}

/// All of them.
const DEATHS: [Death; 2] = [Death::Killed, Death::Rebooted];

/// What did not work afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How everybody had died.
    pub death: Death,
    /// What was tried.
    pub task: Option<Task>,
    /// What was wrong with it.
    pub wrong: Wrong,
}

/// What was wrong with an operation that ran alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It could not go on.
    Stuck,
    /// It ended in several ways, although nobody else is there.
    Undecided,
    /// It failed.
    Ended(End),
    /// A property did not hold when it had ended.
    Broke(Property),
    /// In the end there was a chunk that nothing names.
    LeftChunk(id::Chunk),
    /// In the end there was an index file that never got its name.
    LeftTemporary(Index),
    /// In the end there was the lock file of a group that was gone.
    LeftLockOfGroup(Namespace, Group),
    /// In the end there was the lock file of a snapshot that was gone, or that of its manifest.
    LeftLockOfSnapshot(Namespace, Snapshot),
    /// In the end there was a group without a snapshot.
    LeftGroup(Namespace, Group),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.death {
            Death::Killed => "after a kill",
            Death::Rebooted => "after a reboot",
        })?;
        match self.task {
            Some(task) => write!(f, " {}: {:?}", task.op().name(), self.wrong),
            None => write!(f, " in the end: {:?}", self.wrong),
        }
    }
}

/// What is known of states in which everybody is dead.
#[derive(Default)]
#[allow(
    clippy::disallowed_types,
    reason = "states are looked up in it, and nobody walks over it"
)]
pub(crate) struct Known(Mutex<std::collections::HashMap<State, bool>>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

/// Whether it is asked of a scenario: not of one that makes single calls, which no operation makes alone.
pub(crate) fn is_asked(scope: &Scope) -> bool {
    let single = |task: &Task| matches!(task, Task::AccessChunk { .. });
    !scope.tasks.is_empty() && !scope.tasks.iter().any(single)
}

/// Whether one operation after the other can get on, if everybody died in this state.
pub(crate) fn is_usable(scope: &Scope, state: &State) -> bool {
    if !is_asked(scope) {
        return true;
    }
    DEATHS.into_iter().all(|death| {
        let left = after(scope, state, death);
        let known = scope.known.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&left).copied();
        drop(known);
        found.unwrap_or_else(|| {
            let usable = try_all(scope, left, death).failure.is_none();
            let mut known = scope.known.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(left, usable);
            usable
        })
    })
}

/// What is done after one way of dying, and what of it does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The operations that were begun, in their order; of a backup the namespace that it goes to, which its task does not say.
    pub tasks: Vec<(Task, Namespace)>,
    /// The first thing that did not work; none if all did.
    pub failure: Option<Failure>,
}

/// What is done if everybody dies in this state: after a kill, and after a reboot.
pub fn tried(scope: &Scope, state: &State) -> [Tried; 2] {
    DEATHS.map(|death| try_all(scope, after(scope, state, death), death))
}

/// What does not work, if everybody dies in this state; none if all works.
pub fn failure(scope: &Scope, state: &State) -> Option<Failure> {
    let tried = tried(scope, state).into_iter();
    tried.filter_map(|tried| tried.failure).next()
}

/// What everybody's death leaves.
fn after(scope: &Scope, state: &State, death: Death) -> State {
    let mut left = *state;
    journal::forget_hidden(&mut left);
    if scope.design.keeps_journal_in_memory() {
        journal::truncate(&mut left);
    }
    for actor in &mut left.actors {
        *actor = Actor {
            next: Next::FINISHED,
            ..Actor::default()
        };
    }
    // What a file is called by matters to nobody any more who has it open.
    let named = |numbers: &mut Numbers, file: bool| {
        let there = |old| u8::from(numbers.of(old) != 0);
        *numbers = Numbers::default()
            .with(false, if file { there(false) } else { 0 })
            .with(true, there(true));
    };
    let keeps = death == Death::Killed;
    left.group_locks
        .iter_mut()
        .flatten()
        .for_each(|n| named(n, keeps));
    left.snapshot_locks
        .iter_mut()
        .flatten()
        .for_each(|n| named(n, keeps));
    left.manifest_locks
        .iter_mut()
        .flatten()
        .for_each(|n| named(n, keeps));
    if death == Death::Rebooted {
        journal::truncate(&mut left);
        left.journal_file = 0;
        left.flag = 0;
    }
    left.looked = Looked::default();
    left.renamed = Places::default();
    (left.kills, left.full_tmpfs, left.disconnects) = (0, 0, 0);
    (left.reloaded, left.cutoff_passes, left.no_inode) = (0, 0, 0);
    left
}

/// Runs one operation after the other.
fn try_all(scope: &Scope, left: State, death: Death) -> Tried {
    let alone = scope.alone(Task::Gc { runs: 1 }, Namespace(0));
    let by_directory = generations::locks_directories(&alone, &left, id::Actor(0));
    let mut run = Run {
        scope,
        left,
        state: left,
        death,
        by_directory,
        tasks: Vec::new(),
    };
    let failure = all(&mut run).err();
    Tried {
        tasks: run.tasks,
        failure,
    }
}

/// One operation after the other.
fn all(run: &mut Run<'_>) -> Result<(), Failure> {
    run.collect()?;
    run.repeat_moves()?;
    for (n, g) in run.groups() {
        run.back_up(n, g)?;
        run.look_after(n, g)?;
    }
    run.repeat_deletions()?;
    for (n, g) in run.groups() {
        run.forget_all(n, g)?;
    }
    // Groups whose snapshots were all elsewhere, so that there was none that could have been backed up.
    for (n, g) in run.groups() {
        run.back_up(n, g)?;
        run.forget_all(n, g)?;
    }
    run.age();
    run.collect()?;
    run.nothing_is_left()
}

/// The one way in which an operation ended, which has to be a good one; what is wrong, otherwise.
fn only_good_end(ends: &[State], me: id::Actor) -> Result<State, Wrong> {
    let of = |state: &State| state.actor(me).end;
    if let Some(bad) = ends.iter().find(|end| of(end) != End::DONE) {
        return Err(Wrong::Ended(of(bad)));
    }
    match *ends {
        [end] => Ok(end),
        [] | [_, _, ..] => Err(Wrong::Undecided),
    }
}

struct Run<'a> {
    scope: &'a Scope,
    /// What the dead have left.
    left: State,
    state: State,
    death: Death,
    /// Whether directories are locked, which forbids moves, and some removals of groups.
    by_directory: bool,
    /// What was begun.
    tasks: Vec<(Task, Namespace)>,
}

impl Run<'_> {
    fn wrong(&self, task: Option<Task>, wrong: Wrong) -> Failure {
        let death = self.death;
        Failure { death, task, wrong }
    }

    /// The groups that are there, with the namespaces that they are in, one namespace after the other.
    fn groups(&self) -> Vec<(u8, u8)> {
        let groups = (0u8..).zip(self.state.groups);
        let mut all: Vec<(u8, u8)> = groups
            .flat_map(|(g, at)| at.iter().map(move |n| (n, g)))
            .collect();
        all.sort_unstable();
        all
    }

    fn is_somebody_elses(&self, namespace: u8, group: u8) -> bool {
        let owner = self.state.owners[usize::from(group)].at(namespace);
        owner.is_some_and(|owner| owner != Owner::FIRST && owner != Owner::NOBODY)
    }

    fn task(&mut self, task: Task) -> Result<(), Failure> {
        self.task_at(task, Namespace(0))
    }

    /// Runs an operation, which has to end well.
    fn task_at(&mut self, task: Task, backup_to: Namespace) -> Result<(), Failure> {
        self.tasks.push((task, backup_to));
        let alone = self.scope.alone(task, backup_to);
        let me = id::Actor(0);
        *self.state.actor_mut(me) = Actor::default();
        ops::begin(&alone, me, self.state.actor_mut(me));
        // In which order it opens, marks and unlinks is its own choice, so all of its ways are followed, step by step.
        let (mut level, mut ends) = (vec![self.state], Vec::<State>::new());
        while !level.is_empty() {
            let mut next = Vec::<State>::new();
            for state in &level {
                if !state.actor(me).next.is_live() {
                    if !ends.contains(state) {
                        ends.push(*state);
                    }
                    continue;
                }
                let mut is_stuck = true;
                alone.successors(state, &mut |event, state| {
                    // What the environment could still do is not asked, such as creating the flag file.
                    let is_step = matches!(event, Event::Step { .. });
                    is_stuck &= !is_step;
                    if is_step && !next.contains(&state) {
                        next.push(state);
                    }
                });
                if is_stuck {
                    return Err(self.wrong(Some(task), Wrong::Stuck));
                }
            }
            level = next;
        }
        let end = only_good_end(&ends, me).map_err(|wrong| self.wrong(Some(task), wrong))?;
        self.state = end;
        let broken = ASKED
            .iter()
            .find(|property| !properties::holds(**property, &alone, &end));
        match broken {
            Some(property) => Err(self.wrong(Some(task), Wrong::Broke(*property))),
            None => Ok(()),
        }
    }

    /// Collects, unless the journal has a line that nobody of ours wrote.
    fn collect(&mut self) -> Result<(), Failure> {
        if self.scope.scenario.foreign_line {
            return Ok(());
        }
        self.task(Task::Gc { runs: 1 })
    }

    /// Each move once more, as far as there is something to move; what is at the target is merged into.
    fn repeat_moves(&mut self) -> Result<(), Failure> {
        for (_, task) in self.scope.scenario.actors {
            let Task::MoveGroup {
                group,
                source,
                target,
                ..
            } = *task
            else {
                continue;
            };
            let refused = self.by_directory || self.scope.design.is_before_moves();
            if refused || !self.can_move(group.0, source.0, target.0) {
                continue;
            }
            self.task(Task::MoveGroup {
                group,
                source,
                target,
                merge: true,
            })?;
        }
        Ok(())
    }

    /// Whether there is something to move, and what is there already does not forbid it.
    fn can_move(&self, group: u8, source: u8, target: u8) -> bool {
        let g = usize::from(group);
        let moved = self.scope.snapshots_at(&self.state, source, group);
        let there = self.scope.snapshots_at(&self.state, target, group);
        let owners = self.state.owners[g];
        let namespaces = self.state.namespaces;
        let is_there =
            self.state.groups[g].has(source) && namespaces.has(source) && namespaces.has(target);
        let one_owner = owners.at(target).is_none() || owners.at(source) == owners.at(target);
        is_there && !moved.is_empty() && one_owner && there.highest() < moved.lowest()
            || is_there && there.is_empty() && !moved.is_empty() && one_owner
    }

    /// Backs up to a group: a snapshot that is nowhere, and newer than what is there; if need be, the newest is forgotten
    /// before.
    fn back_up(&mut self, n: u8, g: u8) -> Result<(), Failure> {
        if self.is_somebody_elses(n, g) {
            return Ok(());
        }
        let newer = |state: &State| {
            let newest = self.scope.snapshots_at(state, n, g).highest();
            let free = |s: &u8| {
                let s = *s;
                let at = usize::from(s);
                state.snapshots[at].is_empty() && newest.is_none_or(|newest| s > newest)
            };
            self.scope.snapshots_of[usize::from(g)].iter().find(free)
        };
        let mut spare = newer(&self.state);
        if spare.is_none() {
            let newest = self.scope.snapshots_at(&self.state, n, g).highest();
            if let Some(newest) = newest.filter(|s| !self.state.protected.has(*s)) {
                self.forget(n, newest)?;
                spare = Some(newest);
            }
        }
        match spare {
            Some(s) => {
                let snapshot = Snapshot(s);
                self.task_at(Task::Backup { snapshot }, Namespace(n))
            }
            None => Ok(()),
        }
    }

    fn forget(&mut self, n: u8, s: u8) -> Result<(), Failure> {
        if self.state.protected.has(s) {
            return Ok(());
        }
        self.task(Task::ForgetSnapshot {
            namespace: Namespace(n),
            snapshot: Snapshot(s),
        })
    }

    /// Prunes a group, and verifies it if nothing in it was corrupt or interrupted.
    fn look_after(&mut self, n: u8, g: u8) -> Result<(), Failure> {
        let (namespace, group) = (Namespace(n), Group(g));
        self.task(Task::Prune {
            namespace,
            group,
            keep_last: 1,
        })?;
        let mut snapshots = self.scope.snapshots_at(&self.state, n, g).iter();
        let finished = snapshots.all(|s| self.state.manifests[usize::from(s)].is_there());
        if finished && self.scope.scenario.corrupt.is_empty() {
            self.task(Task::Verify { namespace, group })?;
        }
        Ok(())
    }

    fn forget_all(&mut self, n: u8, g: u8) -> Result<(), Failure> {
        for s in self.scope.snapshots_at(&self.state, n, g).iter() {
            self.forget(n, s)?;
        }
        Ok(())
    }

    /// Each deletion once more, if the namespace is there and nothing in it is protected.
    fn repeat_deletions(&mut self) -> Result<(), Failure> {
        if !self.scope.design.deletion_removes_groups(self.by_directory) {
            return Ok(());
        }
        for (_, task) in self.scope.scenario.actors {
            let Task::DeleteNamespace { namespace } = *task else {
                continue;
            };
            let below = self.scope.below[usize::from(namespace.0)];
            let protected = self
                .state
                .protected
                .iter()
                .any(|s| !self.state.snapshots[usize::from(s)].and(below).is_empty());
            if self.state.namespaces.has(namespace.0) && !protected {
                self.task(*task)?;
            }
        }
        Ok(())
    }

    /// Everything becomes older than the cutoff.
    fn age(&mut self) {
        let scope = self.scope.alone(Task::Gc { runs: 1 }, Namespace(0));
        *self.state.actor_mut(id::Actor(0)) = Actor {
            next: Next::FINISHED,
            ..Actor::default()
        };
        self.state.cutoff_passes = 1;
        if let Ok(state) = environment::pass_cutoff(&scope, &self.state) {
            self.state = state;
        }
        self.state.cutoff_passes = 0;
    }

    /// No lock file is there of anything that is gone, but for those that were there already: who was killed, or came too
    /// late to find the thing, leaves one, which stays until the name is used again or the host goes down.
    fn no_lock_is_left(&self) -> Result<(), Failure> {
        let left = |now: Numbers, then: Numbers| now.of(false) != 0 && then.of(false) == 0;
        for namespace in self.scope.scenario.all_namespaces() {
            let n = usize::from(namespace.0);
            for (g, at) in self.state.groups.iter().enumerate() {
                let (now, then) = (self.state.group_locks[g][n], self.left.group_locks[g][n]);
                if left(now, then) && !at.has(namespace.0) {
                    let group = Group(crate::scope::count(g));
                    return Err(self.wrong(None, Wrong::LeftLockOfGroup(namespace, group)));
                }
            }
            for (s, at) in self.state.snapshots.iter().enumerate() {
                let (now, then) = (
                    self.state.snapshot_locks[s][n],
                    self.left.snapshot_locks[s][n],
                );
                let manifest = (
                    self.state.manifest_locks[s][n],
                    self.left.manifest_locks[s][n],
                );
                if (left(now, then) || left(manifest.0, manifest.1)) && !at.has(namespace.0) {
                    let snapshot = Snapshot(crate::scope::count(s));
                    return Err(self.wrong(None, Wrong::LeftLockOfSnapshot(namespace, snapshot)));
                }
            }
        }
        Ok(())
    }

    /// Only what is protected, or named by an index file outside the hierarchy, may keep anything.
    fn nothing_is_left(&self) -> Result<(), Failure> {
        if self.scope.scenario.foreign_line {
            return Ok(());
        }
        let removed = self.scope.design.forget_removes_group(self.by_directory);
        for (n, g) in self.groups() {
            let empty = self.scope.snapshots_at(&self.state, n, g).is_empty();
            // With every snapshot of its name elsewhere, protected, nothing could be backed up to it and removed.
            let of_name = self.scope.snapshots_of[usize::from(g)];
            let has_spare = of_name
                .iter()
                .any(|s| self.state.snapshots[usize::from(s)].is_empty());
            if empty && has_spare && removed && !self.is_somebody_elses(n, g) {
                return Err(self.wrong(None, Wrong::LeftGroup(Namespace(n), Group(g))));
            }
        }
        if let Some(i) = self.state.temporaries.lowest() {
            return Err(self.wrong(None, Wrong::LeftTemporary(Index(i))));
        }
        self.no_lock_is_left()?;
        let mut named = Set::default();
        for i in self.state.indexes.iter() {
            named = named.or(self.scope.chunks_of[usize::from(i)]);
        }
        for (c, chunk) in (0u8..).zip(self.state.chunks) {
            if chunk.is_there() && !named.has(c) {
                return Err(self.wrong(None, Wrong::LeftChunk(id::Chunk(c))));
            }
        }
        Ok(())
    }
}

/// What is asked when an operation has ended. Nobody is there to see what is half done.
const ASKED: &[Property] = &[
    Property::LiveChunkIsNeverSwept,
    Property::SnapshotIsAtExactlyOnePlace,
    Property::FinishedSnapshotIsWhole,
    Property::GroupWithSnapshotHasOwner,
    Property::OwnerFileIsWhole,
];

#[cfg(test)]
mod tests;
