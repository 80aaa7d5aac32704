//! Solo: each operation alone, on real files, takes the steps of a path of the model and makes the calls of its rows.
//!
//! Alone means that nobody else takes a step meanwhile. Others may have come before, or sit on a lock.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "solo/left.rs"]
mod left;
#[path = "solo/meetings.rs"]
mod meetings;
#[path = "solo/parts.rs"]
mod parts;
#[path = "solo/trees.rs"]
mod trees;

use conformance::calls_of_rows::CallsOfRows;
use conformance::errand::{Ended, Errand};
use conformance::expected::expected;
use conformance::projection::Lock;
use conformance::recording_sys::{Recording, RecordingSys, SharedRecording};
use conformance::world::{SHM, STORE_NAME, World};
use datastore::{Config, Cx, Datastore, Generation, LinuxSys};
use meetings::who_meets_what;
use model::Scope;
use model::state::{Next, State};
use specs::design::{About, CHANGES, PRESETS};
use specs::id::{Actor, Group as GroupId, Namespace, Process, Snapshot};
use specs::lock_class::Mode;
use specs::mutant::{MUTANTS, designs};
use specs::scenario::{Flag, Lockable, Task};
use specs::scenarios::SCENARIOS;
use specs::{Design, Event, Op, Outcome, Scenario};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::path::Path;
use tempfile::TempDir;

type Store = Datastore<RecordingSys<LinuxSys>>;

/// A datastore in a private directory, and the state of the model that it should be in.
struct Stage {
    scope: Scope,
    state: State,
    /// The datastore, and the process that has it open.
    open: Option<(Process, Store)>,
    world: World,
    // Behind the world: what holds the world is removed last.
    _private: TempDir,
}

/// What one actor did alone.
struct Solo {
    what: String,
    op: Op,
    recording: Recording,
}

impl Stage {
    fn new(scenario: &'static Scenario, design: Design) -> Self {
        let private = tempfile::tempdir_in(SHM).unwrap();
        let world = World::create(private.path(), scenario).unwrap();
        let scope = Scope::new(scenario, design, &[]).whole();
        Self {
            state: scope.start(),
            scope,
            open: None,
            world,
            _private: private,
        }
    }

    /// The actor's whole task, which the model follows.
    fn run(&mut self, actor: u8) -> Solo {
        self.run_with_client(actor, &|| false)
    }

    /// The same; the client of a backup leaves when it is said to.
    fn run_with_client(&mut self, actor: u8, has_left: &dyn Fn() -> bool) -> Solo {
        self.reload_for(Actor(actor));
        let recording = SharedRecording::default();
        let sys = RecordingSys::new(LinuxSys, recording.clone());
        let sys = sys.in_process_that_shuts_down(self.shuts_down(Actor(actor)));
        let cx = Cx {
            sys,
            design: self.scope.design,
        };
        let task = self.scope.task_of(Actor(actor));
        let scenario = self.scope.scenario;
        let ended = perform(&cx, self.store_of(Actor(actor)), scenario, task, has_left);
        let recording = recording.snapshot();
        let what = format!(
            "{} of {} under {}",
            actor,
            self.scope.scenario.name,
            cx.design.name()
        );
        self.follow(Actor(actor), &recording, &what);
        let failed = expected(&self.scope, &self.state, "").ends.failed >> actor & 1 == 1;
        assert_eq!(ended != Some(Ended::Done), failed, "{what}: {ended:?}");
        self.compare_tree(&what);
        let op = task.op();
        Solo {
            what,
            op,
            recording,
        }
    }

    /// The datastore as the process of an actor has it open. What another process keeps in memory is not there:
    /// that one has closed it, since all of them are this process, which opens it once.
    fn store_of(&mut self, actor: Actor) -> &Store {
        let process = self.scope.process_of(actor);
        let open = self.open.take().filter(|(whose, _)| *whose == process);
        let (_, store) = self.open.insert(open.unwrap_or_else(|| {
            let generation = self.world.generation(self.scope.scenario, process);
            if let Generation::ByFlag(flag) = &generation {
                LinuxSys::forget_first_look(flag);
            }
            let config = Config {
                locks: self.world.locks().to_owned(),
                generation,
                ..Config::new(self.world.store(), STORE_NAME)
            };
            let quiet = RecordingSys::new(LinuxSys, SharedRecording::default());
            (process, Datastore::open(&quiet, config).unwrap())
        }));
        store
    }

    /// An actor whose process a reload starts needs one.
    fn reload_for(&mut self, actor: Actor) {
        let reload = self.scope.scenario.environment.reload;
        if let Some((old, new)) = reload
            && self.scope.process_of(actor) == new
            && self.state.reloaded == 0
        {
            let creates_flag = self.scope.scenario.generations.flag == Flag::Created;
            if creates_flag && self.scope.design.sets_flag_before_reload() {
                self.state = self.scope.apply(&self.state, Event::FlagSet).unwrap();
                self.world.set_flag().unwrap();
            }
            let event = Event::Reloaded { process: old };
            self.state = self.scope.apply(&self.state, event).unwrap();
        }
    }

    fn shuts_down(&self, actor: Actor) -> bool {
        let old = self.scope.scenario.environment.reload.map(|(old, _)| old);
        self.state.reloaded != 0 && old == Some(self.scope.process_of(actor))
    }

    fn follow(&mut self, actor: Actor, recording: &Recording, what: &str) {
        for (number, step) in recording.steps.iter().enumerate() {
            let allowed = self.allowed(actor);
            let found = allowed
                .iter()
                .find(|(label, outcome, _)| *label == step.label && Some(*outcome) == step.outcome);
            let Some((_, _, next)) = found else {
                let allowed: Vec<_> = allowed
                    .iter()
                    .map(|(label, outcome, _)| format!("{label} {outcome:?}"))
                    .collect();
                panic!(
                    "actor {what}: step {number} is {} {:?}, the model allows {allowed:?}",
                    step.label, step.outcome
                );
            };
            self.state = *next;
        }
        let next = self.state.actor(actor).next;
        assert_eq!(
            next,
            Next::FINISHED,
            "actor {what}: the model goes on with {:?}",
            self.allowed(actor)
        );
    }

    /// What the model lets the actor do next.
    fn allowed(&self, actor: Actor) -> Vec<(String, Outcome, State)> {
        let mut allowed = Vec::new();
        self.scope
            .successors(&self.state, &mut |event, next| match event {
                Event::Step {
                    actor: whose,
                    label,
                    outcome,
                } if whose == actor => {
                    let label = label.map(|id| self.scope.scenario.path(id)).to_string();
                    allowed.push((label, outcome, next));
                }
                Event::Step { .. }
                | Event::Reached { .. }
                | Event::Killed { .. }
                | Event::Reloaded { .. }
                | Event::FlagSet
                | Event::CutoffPassed => {}
            });
        allowed
    }

    /// The model lets an actor take so many steps, each with its first outcome.
    fn advance(&mut self, actor: u8, steps: usize) {
        for _ in 0..steps {
            self.state = self.allowed(Actor(actor)).first().unwrap().2;
        }
    }

    /// Somebody sits on a lock file.
    fn sit_on(&self, lock: Lock) -> File {
        let path = self
            .world
            .locks()
            .join(STORE_NAME)
            .join(lock.path(self.scope.scenario));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.try_lock().unwrap();
        file
    }
}

/// Runs a task, and tells how its last run ended. That it may fail is part of the model.
fn perform(
    cx: &Cx<RecordingSys<LinuxSys>>,
    store: &Store,
    scenario: &Scenario,
    task: Task,
    client_has_left: &dyn Fn() -> bool,
) -> Option<Ended> {
    let mut last = None;
    let errand = Errand::of(scenario, task);
    errand.run(cx, store, scenario.limits, client_has_left, |ended| {
        last = Some(ended);
    });
    last
}

/// The scenarios in which a design is looked at: all of them, also for those before moves, or those of its mutants; with
/// locks of namespaces those in which somebody takes one, and where groups go that are locked by their directories,
/// those with such locks.
fn scenarios_of(design: Design) -> impl Iterator<Item = &'static Scenario> {
    let is_asked = move |scenario: &&Scenario| {
        let mut mutants = MUTANTS.iter().filter(|mutant| mutant.design() == design);
        [Design::HARDENED, Design::UPSTREAM].contains(&design)
            || design.is_before_moves()
            || design.forget_removes_group(true) && scenario.generations.flag == Flag::Present
            || mutants.any(|mutant| mutant.scenario == scenario.name)
            || design.locks_namespaces() && scenario.actors.iter().any(locks_a_namespace)
    };
    SCENARIOS.iter().filter(is_asked)
}

fn locks_a_namespace((_, task): &(Process, Task)) -> bool {
    matches!(
        task,
        Task::DeleteNamespace { .. } | Task::TakeNamespaceLock { .. }
    )
}

/// Every actor of every such scenario.
fn one_after_the_other(design: Design) -> Vec<Solo> {
    scenarios_of(design)
        .flat_map(|scenario| in_both_orders(scenario, design))
        .collect()
}

/// Every actor of a scenario, one after the other and in the opposite order.
fn in_both_orders(scenario: &'static Scenario, design: Design) -> Vec<Solo> {
    let actors = 0..u8::try_from(scenario.actors.len()).unwrap();
    let orders: [Vec<u8>; 2] = [actors.clone().collect(), actors.rev().collect()];
    let mut solos = Vec::new();
    for order in orders {
        let mut stage = Stage::new(scenario, design);
        solos.extend(order.into_iter().map(|actor| stage.run(actor)));
    }
    solos
}

/// A scenario with other actors; the tests of one process make a few dozen.
fn with_actors(name: &str, actors: &[(Process, Task)]) -> &'static Scenario {
    let scenario = Scenario {
        actors: actors.to_vec().leak(),
        ..*Scenario::named(name).unwrap()
    };
    Box::leak(Box::new(scenario))
}

const SOURCE: Namespace = Namespace(1);
const TARGET: Namespace = Namespace(2);
const GROUP: GroupId = GroupId(0);
const SNAPSHOT: Snapshot = Snapshot(0);

const ROOT: Namespace = Namespace(0);

/// An operation that meets a lock on which somebody sits.
fn meets(scenario: &str, task: Task, lockable: Lockable, design: Design) -> Solo {
    let sitter = Task::TakeLock {
        lock: lockable,
        removes: false,
    };
    let mut stage = Stage::new(
        with_actors(scenario, &[(Process(0), sitter), (Process(1), task)]),
        design,
    );
    // Open, flock, recheck.
    stage.advance(0, 3);
    let lock = match lockable {
        Lockable::Group(namespace, group) => Lock::Group(namespace, group),
        Lockable::Snapshot(namespace, snapshot) => Lock::Snapshot(namespace, snapshot),
    };
    let sits = stage.sit_on(lock);
    let solo = stage.run(1);
    drop(sits);
    solo
}

/// Everybody who works in a namespace, while somebody sits on the lock of the one above it.
fn meet_a_busy_namespace() -> Vec<Solo> {
    let (outer, inner) = (Namespace(1), Namespace(2));
    let exclusively = |namespace| Task::TakeNamespaceLock {
        first: (namespace, Mode::Exclusive),
        second: None,
    };
    let tasks = [
        Task::Backup {
            snapshot: Snapshot(1),
        },
        Task::Prune {
            namespace: inner,
            group: GROUP,
            keep_last: 0,
        },
        Task::Verify {
            namespace: inner,
            group: GROUP,
        },
        Task::MoveGroup {
            group: GROUP,
            source: inner,
            target: outer,
            merge: false,
        },
        Task::DeleteNamespace { namespace: inner },
        exclusively(inner),
    ];
    let meets = |task| {
        let actors = [(Process(0), exclusively(outer)), (Process(1), task)];
        let scenario = with_actors("backup_below_meets_deletion", &actors);
        let mut stage = Stage::new(scenario, Design::NAMESPACE_LOCKS);
        stage.advance(0, 1);
        let sits = stage.sit_on(Lock::Namespace(outer));
        let solo = stage.run(1);
        drop(sits);
        solo
    };
    tasks.into_iter().map(meets).collect()
}

/// A backup whose client leaves at the first chunk or at a later one.
fn client_leaves(design: Design) -> Vec<Solo> {
    let mut solos = Vec::new();
    for name in ["aborted_backup_meets_verify", "prune_meets_aborted_backup"] {
        let asked = std::cell::Cell::new(0);
        let has_left = || asked.replace(asked.get() + 1) == 0;
        let mut stage = Stage::new(Scenario::named(name).unwrap(), design);
        solos.push(stage.run_with_client(0, &has_left));
        assert_eq!(asked.get(), 1, "{name}");
    }
    solos
}

/// A taker that meets a lock on which somebody sits.
fn taker_meets_another(design: Design) -> Solo {
    let lock = Lockable::Group(SOURCE, GROUP);
    let taker = Task::TakeLock {
        lock,
        removes: false,
    };
    let actors = [(Process(0), taker), (Process(1), taker)];
    let mut stage = Stage::new(with_actors("one_move_meets_gc", &actors), design);
    stage.advance(0, 3);
    let sits = stage.sit_on(Lock::Group(SOURCE, GROUP));
    let solo = stage.run(1);
    drop(sits);
    solo
}

/// A collection that meets the occupied slot of its process.
fn gc_meets_its_slot(design: Design) -> Solo {
    let actors = [(Process(0), Task::Gc { runs: 1 }); 2];
    let mut stage = Stage::new(with_actors("one_move_meets_gc", &actors), design);
    stage.advance(0, 1);
    let recording = SharedRecording::default();
    let (scenario, task) = (stage.scope.scenario, stage.scope.task_of(Actor(1)));
    let store = stage.store_of(Actor(1));
    let sitter = RecordingSys::new(LinuxSys, SharedRecording::default());
    let slot = store.lock_gc_slot(&sitter).unwrap();
    let cx = Cx {
        sys: RecordingSys::new(LinuxSys, recording.clone()),
        design,
    };
    perform(&cx, store, scenario, task, &|| false);
    drop(slot);
    let recording = recording.snapshot();
    let what = format!(
        "1 of two collections in one process under {}",
        design.name()
    );
    stage.follow(Actor(1), &recording, &what);
    let op = task.op();
    Solo {
        what,
        op,
        recording,
    }
}

fn with_busy_locks(design: Design) -> Vec<Solo> {
    let mut solos = vec![gc_meets_its_slot(design), taker_meets_another(design)];
    for (scenario, task, locks) in who_meets_what() {
        for lock in locks {
            solos.push(meets(scenario, task, lock, design));
        }
    }
    solos
}

#[test]
fn an_operation_alone_takes_the_steps_of_the_hardened_design() {
    assert!(one_after_the_other(Design::HARDENED).len() >= 2 * SCENARIOS.len());
}

#[test]
fn an_operation_alone_takes_the_steps_of_the_published_design() {
    assert!(one_after_the_other(Design::UPSTREAM).len() >= 2 * SCENARIOS.len());
}

#[test]
fn an_operation_alone_takes_the_steps_of_the_designs_from_the_history() {
    for design in designs().into_iter().skip(2) {
        // Not every release has a scenario of its own; each change of each is tried below.
        let is_release = PRESETS.iter().any(|preset| preset.design == design);
        let taken = !one_after_the_other(design).is_empty();
        assert!(taken || is_release, "{}", design.name());
    }
}

/// Every change of every design with a name, each in a few scenarios, another few each time.
#[test]
fn an_operation_alone_takes_the_steps_of_a_design_with_one_change() {
    const EVERY: usize = 16;
    let mut count = 0;
    for preset in PRESETS {
        for About { change, .. } in CHANGES {
            let has = preset.design.has(*change);
            let design = if has {
                preset.design.without(*change)
            } else {
                preset.design.with(*change)
            };
            if design.contradiction().is_some() {
                continue;
            }
            count += 1;
            for scenario in SCENARIOS.iter().skip(count % EVERY).step_by(EVERY) {
                in_both_orders(scenario, design);
            }
        }
    }
    assert!(count > 2 * CHANGES.len());
}

#[test]
fn an_operation_that_meets_a_busy_lock_fails_by_the_steps_of_the_model() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for solo in with_busy_locks(design) {
            let busy = |step: &conformance::recording_sys::Recorded| {
                step.outcome == Some(Outcome::WouldBlock)
            };
            assert!(solo.recording.steps.iter().any(busy), "{}", solo.what);
        }
    }
}

#[test]
fn an_operation_that_meets_a_busy_namespace_gives_up_or_skips_by_the_steps_of_the_model() {
    for solo in meet_a_busy_namespace() {
        let steps = &solo.recording.steps;
        let is_busy =
            |step: &conformance::recording_sys::Recorded| step.outcome == Some(Outcome::WouldBlock);
        assert!(steps.iter().any(is_busy), "{}", solo.what);
    }
}

fn everything() -> Vec<Solo> {
    let runs = |design: Design| {
        let mut solos = one_after_the_other(design);
        if [Design::HARDENED, Design::UPSTREAM].contains(&design) {
            solos.extend(with_busy_locks(design));
            solos.extend(client_leaves(design));
        }
        if design == Design::NAMESPACE_LOCKS {
            solos.extend(meet_a_busy_namespace());
        }
        solos
    };
    designs().into_iter().flat_map(runs).collect()
}

#[test]
fn a_backup_whose_client_leaves_fails_by_the_steps_of_the_model() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for solo in client_leaves(design) {
            let steps = &solo.recording.steps;
            let stopped = |step: &conformance::recording_sys::Recorded| {
                step.outcome == Some(Outcome::Stopped)
            };
            assert!(steps.iter().any(stopped), "{}", solo.what);
        }
    }
}

#[test]
fn nothing_is_called_outside_a_step() {
    for solo in everything() {
        assert_eq!(solo.recording.outside, [], "{}", solo.what);
    }
}

#[test]
fn the_calls_of_a_step_are_those_of_its_row() {
    let mut made = CallsOfRows::default();
    for solo in everything() {
        solo.recording.steps.iter().for_each(|step| made.add(step));
    }
    assert_eq!(
        made.foreign(),
        [],
        "these calls are not in the row of their step"
    );
    let mut report = String::from("calls of a row that no operation makes alone:\n");
    let rows = || Op::ALL.iter().flat_map(|op| op.table()).map(|row| row.step);
    for step in rows() {
        for call in made.not_made(step) {
            writeln!(report, "  {} {call:?}", step.full_name()).unwrap();
        }
    }
    report.push_str("rows that no operation takes alone:\n");
    for step in rows().filter(|step| !made.has(*step)) {
        writeln!(report, "  {}", step.full_name()).unwrap();
    }
    insta::assert_snapshot!("calls_not_made_alone", report);
}

/// A process that is started shares every lock of this one until it executes its program, and another test may want it by then.
#[test]
fn no_snapshot_starts_a_process_to_find_its_place() {
    assert!(option_env!("INSTA_WORKSPACE_ROOT").is_some());
}

#[test]
fn nothing_is_left_behind() {
    let left = {
        let stage = Stage::new(
            Scenario::named("one_move_meets_gc").unwrap(),
            Design::HARDENED,
        );
        assert!(stage.world.root().starts_with(SHM));
        stage._private.path().to_owned()
    };
    assert!(!Path::new(&left).exists());
}
