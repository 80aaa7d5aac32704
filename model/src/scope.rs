//! What a run explores: a scenario under a design, perhaps with faults; and the `stateright::Model` of it.

use crate::aftermath::Known;
use crate::engine::Protocol;
use crate::faults;
use crate::locks::generations::{self, Choice};
use crate::locks::namespaces::{self, NamespaceLock};
use crate::ops;
use crate::properties;
use crate::refusal::Refusal;
use crate::state::{
    ACTORS, Actor, CHUNKS, Chunk, GROUPS, INDEXES, Line, Looked, Manifest, NAMESPACES, Next,
    Owners, SNAPSHOTS, Set, State,
};
use crate::verdict::Expected;
use crate::{environment, journal};
use specs::id::{self, Id};
use specs::mutant::Fault;
use specs::property::Mood;
use specs::scenario::{Environment, Flag, Scenario, Start, Task};
use specs::{Design, Event, Exception, Label, Property, Step};
use stateright::{Model, Property as Checked};
use std::sync::Arc;

/// A scenario under a design, with the tables that the arms look into.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The design.
    pub design: Design,
    /// The faults under it.
    pub faults: Vec<Fault>,
    /// What the environment may do: what the scenario says, or less.
    pub environment: Environment,
    /// Whether locks whose files are compared are taken in their calls: what the scenario says, or not.
    pub splits_locks: bool,
    /// The properties that are asked: those of every state, and those of some that the scenario lists.
    pub asked: Vec<Property>,
    /// Those of them that must be put to the test.
    pub tested: Vec<Property>,
    pub(crate) tasks: Vec<Task>,
    /// The actor whose end each waits for before it begins.
    pub(crate) waits_for: Vec<Option<id::Actor>>,
    actor_count: u8,
    pub(crate) process_count: u8,
    pub(crate) indexes_of: [Set; SNAPSHOTS],
    pub(crate) chunks_of: [Set; INDEXES],
    pub(crate) snapshots_of: [Set; GROUPS],
    pub(crate) snapshot_of: [Option<u8>; INDEXES],
    pub(crate) group_of: [u8; SNAPSHOTS],
    /// The namespace that each is backed up to.
    pub(crate) backup_to: [u8; SNAPSHOTS],
    /// The namespaces in which each group is there at the start, with the first owner.
    pub(crate) first_groups: [Set; GROUPS],
    pub(crate) strays: Set,
    /// The namespace that each lies in; none for the root namespace, and where a scenario has no more.
    pub(crate) parents: [Option<u8>; NAMESPACES],
    /// The namespaces that lie directly in each.
    pub(crate) children: [Set; NAMESPACES],
    /// Each namespace with all that lie in it.
    pub(crate) below: [Set; NAMESPACES],
    /// Number of namespaces above each, the root namespace among them.
    pub(crate) depths: [u8; NAMESPACES],
    /// The locks of namespaces that each actor takes, in that order.
    pub(crate) namespace_locks: Vec<Vec<NamespaceLock>>,
    /// What the process of each actor goes by when it takes a lock.
    choices: Vec<Choice>,
    /// Whether some process could lock directories, so that these have numbers.
    pub(crate) numbers_directories: bool,
    /// Places of index files in the order of their paths.
    pub(crate) by_path: Vec<(u8, u8)>,
    /// What is known of states in which everybody is dead.
    pub(crate) known: Arc<Known>,
}

impl Scope {
    /// A scenario under a design.
    ///
    /// # Panics
    ///
    /// If the scenario has more of anything than a state can hold, or the design has two changes that exclude each other,
    /// which is a mistake in either.
    pub fn new(scenario: &'static Scenario, design: Design, faults: &[Fault]) -> Self {
        assert_eq!(design.contradiction(), None, "{design}");
        assert!(
            scenario.namespaces.len() < NAMESPACES,
            "{}: namespaces",
            scenario.name
        );
        assert!(scenario.groups.len() <= GROUPS, "{}: groups", scenario.name);
        assert!(
            scenario.snapshots.len() <= SNAPSHOTS,
            "{}: snapshots",
            scenario.name
        );
        assert!(
            scenario.indexes.len() <= INDEXES,
            "{}: index files",
            scenario.name
        );
        assert!(
            usize::from(scenario.chunks) <= CHUNKS,
            "{}: chunks",
            scenario.name
        );
        assert!(scenario.actors.len() <= ACTORS, "{}: actors", scenario.name);
        assert!(
            scenario.processes.len() <= Looked::PROCESSES,
            "{}: processes",
            scenario.name
        );
        let choice_of = |(process, _): &(id::Process, Task)| Choice::of(scenario, design, *process);
        let choices: Vec<Choice> = scenario.actors.iter().map(choice_of).collect();
        let mut scope = Self {
            scenario,
            design,
            faults: faults.to_vec(),
            environment: scenario.environment,
            splits_locks: scenario.splits_locks,
            asked: asked_of(scenario),
            tested: scenario.properties.to_vec(),
            tasks: scenario.actors.iter().map(|(_, task)| *task).collect(),
            waits_for: waits_for(scenario),
            actor_count: count(scenario.actors.len()),
            process_count: count(scenario.processes.len()),
            indexes_of: [Set::default(); SNAPSHOTS],
            chunks_of: [Set::default(); INDEXES],
            snapshots_of: [Set::default(); GROUPS],
            snapshot_of: [None; INDEXES],
            group_of: [0; SNAPSHOTS],
            backup_to: [0; SNAPSHOTS],
            first_groups: [Set::default(); GROUPS],
            strays: Set::default(),
            parents: [None; NAMESPACES],
            children: [Set::default(); NAMESPACES],
            below: [Set::default(); NAMESPACES],
            depths: [0; NAMESPACES],
            namespace_locks: Vec::new(),
            numbers_directories: choices.iter().any(|choice| *choice != Choice::Files),
            choices,
            by_path: Vec::new(),
            known: Arc::default(),
        };
        for id::Snapshot(s) in scenario.all_snapshots() {
            let at = scenario.snapshots[usize::from(s)];
            let group = usize::from(at.group.0);
            scope.group_of[usize::from(s)] = at.group.0;
            scope.backup_to[usize::from(s)] = at.namespace.0;
            scope.snapshots_of[group] = scope.snapshots_of[group].with(s);
            if at.start != Start::Later {
                scope.first_groups[group] = scope.first_groups[group].with(at.namespace.0);
            }
        }
        for (namespace, group) in scenario.empty_groups {
            let groups = &mut scope.first_groups[usize::from(group.0)];
            *groups = groups.with(namespace.0);
        }
        for id::Index(i) in scenario.all_indexes() {
            let of = scenario.indexes[usize::from(i)];
            scope.chunks_of[usize::from(i)] = of
                .chunks
                .iter()
                .fold(Set::default(), |set, chunk| set.with(chunk.0));
            scope.snapshot_of[usize::from(i)] = of.snapshot.map(|s| s.0);
            match of.snapshot {
                Some(s) => {
                    let set = &mut scope.indexes_of[usize::from(s.0)];
                    *set = set.with(i);
                }
                None => scope.strays = scope.strays.with(i),
            }
        }
        for namespace in scenario.all_namespaces() {
            let n = usize::from(namespace.0);
            scope.below[n] = Set::only(namespace.0);
            scope.depths[n] = count(scenario.chain(namespace).count());
            let mut above = scenario.parent(namespace);
            scope.parents[n] = above.map(|above| above.0);
            if let Some(id::Namespace(parent)) = above {
                let set = &mut scope.children[usize::from(parent)];
                *set = set.with(namespace.0);
            }
            while let Some(over) = above {
                let set = &mut scope.below[usize::from(over.0)];
                *set = set.with(namespace.0);
                above = scenario.parent(over);
            }
        }
        scope.lock_namespaces();
        let mut places: Vec<(String, (u8, u8))> = Vec::new();
        for namespace in scenario.all_namespaces() {
            for index in scenario.all_indexes() {
                if namespace.0 == 0 || !scope.strays.has(index.0) {
                    let path = scenario.path(Id::Index(namespace, index));
                    places.push((path, (namespace.0, index.0)));
                }
            }
        }
        places.sort();
        scope.by_path = places.into_iter().map(|(_, place)| place).collect();
        scope
    }

    fn lock_namespaces(&mut self) {
        let backup_to = |s: id::Snapshot| id::Namespace(self.backup_to[usize::from(s.0)]);
        let locks_of =
            |task: &Task| namespaces::of_task(self.scenario, self.design, *task, &backup_to);
        self.namespace_locks = self.tasks.iter().map(locks_of).collect();
    }

    /// The same tree when all others are gone: one task, in a process that was started after them, and nothing disturbs it.
    pub(crate) fn alone(&self, task: Task, backup_to: id::Namespace) -> Self {
        let mut alone = self.clone();
        if let Task::Backup { snapshot } = task {
            alone.backup_to[usize::from(snapshot.0)] = backup_to.0;
        }
        alone.environment = Environment::CALM;
        alone.splits_locks = false;
        alone.faults.clear();
        alone.tasks = vec![task];
        alone.waits_for = vec![None];
        alone.actor_count = 1;
        alone.choices.truncate(1);
        alone.choices[0] = Choice::of_late(self.scenario, self.design);
        alone.lock_namespaces();
        alone
    }

    /// The same, asking one property only.
    #[must_use]
    pub fn asking(mut self, property: Property) -> Self {
        self.asked = vec![property];
        self.tested = vec![property];
        self
    }

    /// The same without kills, with room on the tmpfs, and with clients that stay. The cutoff and a reload are left.
    #[must_use]
    pub fn undisturbed(mut self) -> Self {
        self.environment = Environment {
            kills: 0,
            full_tmpfs: 0,
            no_inode: 0,
            disconnects: 0,
            ..self.environment
        };
        self
    }

    /// The same with every lock taken in one step.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.splits_locks = false;
        self
    }

    /// The same with every lock taken in one step, as a log has it. Not where the scenario asks for what is between the
    /// calls, and not where directories are locked, since nobody looks afterwards whether the directory is still there:
    /// a log is explained with every call somewhere within its step.
    #[must_use]
    pub fn as_in_a_log(mut self) -> Self {
        self.splits_locks = self.numbers_directories || self.scenario.splits_locks;
        self
    }

    /// The state at the start.
    pub fn start(&self) -> State {
        let mut state = State::default();
        let scenario = self.scenario;
        let at_start = scenario.snapshots.iter().enumerate();
        for (s, at) in at_start.filter(|(_, at)| at.start != Start::Later) {
            if at.start == Start::Finished {
                state.manifests[s] = Manifest::PLAIN;
            }
            state.indexes = state.indexes.or(self.indexes_of[s]);
            state.snapshots[s] = Set::only(at.namespace.0);
            state.present = state.present.with(count(s));
        }
        state.groups = self.first_groups;
        state.owners = self.first_groups.map(Owners::first);
        for id::Namespace(n) in scenario.all_namespaces() {
            state.namespaces = state.namespaces.with(n);
            state.types = state.types.with(n);
            if !self.children[usize::from(n)].is_empty() {
                state.children = state.children.with(n);
            }
        }
        for (namespace, group) in scenario.notes {
            let group = usize::from(group.0);
            state.notes[group] = state.notes[group].with(namespace.0);
        }
        for chunk in scenario.all_chunks() {
            state.chunks[usize::from(chunk.0)] = Chunk::OLD;
        }
        for chunk in scenario.corrupt {
            state.chunks[usize::from(chunk.0)] = Chunk::OLD.corrupt();
        }
        for snapshot in scenario.protected {
            state.protected = state.protected.with(snapshot.0);
        }
        state.indexes = state.indexes.or(self.strays);
        if scenario.foreign_line {
            state.lines[0] = Line::of(journal::Kind::Foreign);
            state.journal_file = 1;
        }
        generations::number_directories(self, &mut state);
        state.flag = u8::from(scenario.generations.flag == Flag::Present);
        state.kills = self.environment.kills;
        state.cutoff_passes = self.environment.cutoff_passes;
        state.full_tmpfs = self.environment.full_tmpfs;
        state.no_inode = self.environment.no_inode;
        state.disconnects = self.environment.disconnects;
        state.actors = [Actor {
            next: Next::FINISHED,
            ..Actor::default()
        }; ACTORS];
        for actor in self.actors() {
            ops::begin(self, actor, state.actor_mut(actor));
        }
        state
    }

    /// The actors of the scenario.
    pub fn actors(&self) -> impl Iterator<Item = id::Actor> + use<> {
        (0..self.actor_count).map(id::Actor)
    }

    /// The process of an actor.
    pub fn process_of(&self, actor: id::Actor) -> id::Process {
        self.scenario.actors[usize::from(actor.0)].0
    }

    /// What the process of an actor goes by when it takes a lock.
    pub(crate) fn choice_of(&self, actor: id::Actor) -> Choice {
        self.choices[usize::from(actor.0)]
    }

    /// The task of an actor.
    pub fn task_of(&self, actor: id::Actor) -> Task {
        self.tasks[usize::from(actor.0)]
    }

    /// The snapshots of a group that lie in a namespace.
    pub(crate) fn snapshots_at(&self, state: &State, namespace: u8, group: u8) -> Set {
        let mut found = Set::default();
        for s in self.snapshots_of[usize::from(group)].iter() {
            if state.snapshots[usize::from(s)].has(namespace) {
                found = found.with(s);
            }
        }
        found
    }

    /// Whether an index file lies in a namespace; one outside the hierarchy lies in the base directory.
    pub(crate) fn index_is_at(&self, state: &State, namespace: u8, index: u8) -> bool {
        let there = match self.snapshot_of[usize::from(index)] {
            Some(s) => state.snapshots[usize::from(s)].has(namespace),
            None => namespace == 0,
        };
        there && state.indexes.has(index)
    }

    /// The index files of a snapshot that have their final name.
    pub(crate) fn indexes_in(&self, state: &State, snapshot: u8) -> Set {
        self.indexes_of[usize::from(snapshot)].and(state.indexes)
    }

    /// What an event leads to, or the guard that refuses it.
    pub fn apply(&self, state: &State, event: Event) -> Result<State, Refusal> {
        match event {
            Event::Step {
                actor,
                label,
                outcome,
            } => {
                let is_known = ops::knows(self, label.step, outcome);
                if !is_known || !label.step.row().designs.contains(self.design) {
                    return Err(Refusal::NotInDesign(outcome));
                }
                self.is_offered(state, actor, label)?;
                ops::step(self, state, actor, label, outcome)
            }
            Event::Reached {
                actor,
                label,
                stage,
            } => {
                self.is_offered(state, actor, label)?;
                ops::reach(self, state, actor, label, stage)
            }
            Event::Killed { process } => environment::kill(self, state, process),
            Event::Reloaded { process } => environment::reload(self, state, process),
            Event::CutoffPassed => environment::pass_cutoff(self, state),
            Event::FlagSet => environment::set_flag(self, state),
        }
    }

    /// The guard that the label is among those that the actor could take next.
    fn is_offered(&self, state: &State, actor: id::Actor, label: Label<Id>) -> Result<(), Refusal> {
        let mut offered = false;
        ops::offers(self, state, actor, &mut |other| offered |= other == label);
        if offered {
            Ok(())
        } else {
            Err(Refusal::NotNext)
        }
    }

    /// Visits every event that is possible in a state, with the state after it, in a fixed order.
    pub fn successors(&self, state: &State, visit: &mut impl FnMut(Event, State)) {
        for actor in self.actors() {
            ops::offers(self, state, actor, &mut |label| {
                ops::events(self, state, actor, label, visit);
            });
        }
        environment::offers(self, state, &mut |event| {
            if let Ok(next) = self.apply(state, event) {
                visit(event, next);
            }
        });
    }

    /// The labels that an actor could take next, whatever their outcome.
    pub fn labels(&self, state: &State, actor: id::Actor) -> Vec<Label<Id>> {
        let mut labels = Vec::new();
        ops::offers(self, state, actor, &mut |label| labels.push(label));
        labels
    }

    /// Whether an actor is unfinished and no actor has a step; what the environment could do does not count.
    ///
    /// Only a step that takes a lock can be without an outcome: [`Self::is_stuck`] checks that of every state.
    pub fn is_deadlock(&self, state: &State) -> bool {
        let mut live = false;
        for actor in self
            .actors()
            .filter(|actor| state.actor(*actor).next.is_live())
            .filter(|actor| !environment::is_to_come(self, state, *actor))
        {
            live = true;
            let takes_lock = ops::next_step(self, state, actor).is_some_and(|step| {
                matches!(step.row().lock, Some(specs::step::LockUse::Take(..)))
            });
            if !takes_lock || ops::has_step(self, state, actor) {
                return false;
            }
        }
        live
    }

    /// Whether no actor has anything left to do: each has ended, was killed, or is of a process that was never started.
    pub fn is_over(&self, state: &State) -> bool {
        self.actors().all(|actor| {
            !state.actor(actor).next.is_live() || environment::is_to_come(self, state, actor)
        })
    }

    /// Whether an actor whose next step takes no lock has no outcome for it: a hole in an arm.
    pub fn is_stuck(&self, state: &State) -> bool {
        self.actors().any(|actor| {
            ops::next_step(self, state, actor).is_some_and(|step| {
                !matches!(step.row().lock, Some(specs::step::LockUse::Take(..)))
            }) && !environment::is_to_come(self, state, actor)
                && !ops::has_step(self, state, actor)
        })
    }

    /// Whether the step waits for its lock, with the fault taken into account.
    pub(crate) fn waits(&self, step: Step) -> bool {
        let lock = step.row().lock;
        let wait = lock.and_then(|lock| lock.wait(self.design));
        wait.is_some_and(specs::lock_class::Wait::blocks) || faults::waits(self, step)
    }
}

/// The actor whose end each waits for before it begins.
fn waits_for(scenario: &Scenario) -> Vec<Option<id::Actor>> {
    let mut waits_for = vec![None; scenario.actors.len()];
    for (first, second) in scenario.sequels {
        let process = |actor: &id::Actor| scenario.actors[usize::from(actor.0)].0;
        assert!(
            first < second && process(first) == process(second),
            "{}: one task after another",
            scenario.name
        );
        waits_for[usize::from(second.0)] = Some(*first);
    }
    waits_for
}

/// What a scenario asks: every property of every state, and those of some that it lists.
fn asked_of(scenario: &Scenario) -> Vec<Property> {
    let listed = scenario.properties.iter().copied();
    let sometimes = listed.filter(|property| property.entry().mood == Mood::Sometimes);
    Property::always().chain(sometimes).collect()
}

/// A number that was asserted to be small.
pub(crate) fn count(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

impl Protocol for Scope {
    fn successors(&self, state: &State, visit: &mut impl FnMut(Event, State)) {
        Self::successors(self, state, visit);
    }

    fn premise(&self, property: usize, state: &State) -> bool {
        match property.checked_sub(1) {
            Some(asked) => properties::premise(self.asked[asked], self, state),
            None => true,
        }
    }

    fn expected(&self, property: usize) -> Expected {
        let Some(asked) = property.checked_sub(1).map(|asked| self.asked[asked]) else {
            return Expected::Tested;
        };
        let exception = Exception::of(self.scenario.name, asked)
            .filter(|_| self.design == Design::HARDENED && self.faults.is_empty());
        match exception {
            Some(exception) => Expected::BrokenAfter(exception.after),
            None if self.tested.contains(&asked) => Expected::Tested,
            None => Expected::Kept,
        }
    }

    fn kind(&self, state: &State, event: &Event) -> usize {
        self.kind_of(state, event)
    }

    fn kinds(&self) -> usize {
        self.kind_count()
    }
}

impl Model for Scope {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Event>) {
        self.successors(state, &mut |event, _| actions.push(event));
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        self.apply(state, event).ok()
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        // stateright stops as soon as it has found an example of every property; the first one has none.
        let mut all = vec![properties::shape()];
        all.extend(
            self.asked
                .iter()
                .map(|property| properties::checked(*property)),
        );
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::exception::EXCEPTIONS;
    use specs::ops::backup::Step as Backup;

    #[test]
    fn an_exception_is_one_of_the_hardened_design_without_a_fault_and_of_nothing_else() {
        let fault = Fault::Skip(Backup::LockGroup.into());
        for exception in EXCEPTIONS {
            let scenario = Scenario::named(exception.scenario).unwrap();
            for (design, faults, is_one) in [
                (Design::HARDENED, &[][..], true),
                (Design::HARDENED, &[fault], false),
                (Design::UPSTREAM, &[], false),
            ] {
                let scope = Scope::new(scenario, design, faults).asking(exception.property);
                let expected = Protocol::expected(&scope, 1);
                let after = Expected::BrokenAfter(exception.after);
                assert_eq!(expected == after, is_one, "{exception:?} {design}");
            }
        }
    }
}
