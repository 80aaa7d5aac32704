//! Sets of questions: every multiset of so many tasks, beside a garbage collection or without one.

use super::disturbance::{Disturbance, Disturbances, Disturbed};
use super::short;
use super::tree::{TREES, Tree};
use super::{Asked, Modes, Processes, Question, ShortTask};
use crate::scenario::Task;
use crate::scenarios::SCENARIOS;

/// The tasks of the standard set, on the first tree; each backup at most once in a question.
pub const STANDARD: &[&str] = &[
    "move(a,b)",
    "move(b,a)",
    "merge(a,b)",
    "merge(b,a)",
    "backup(a)",
    "backup(b)",
    "forget(a,0)",
    "forget(b,0)",
    "forget(a,1)",
    "forget(b,1)",
    "forget(b,2)",
    "prune(a)",
    "prune(b)",
    "verify(a)",
    "verify(b)",
    "notes(a,0)",
    "notes(b,0)",
    "owner(a)",
    "delete(a)",
    "delete(b)",
];

/// Tasks that move, remove or back up what others rely on: so few that five of them fit into one question.
pub const FEW: &[&str] = &[
    "move(a,b)",
    "merge(b,a)",
    "backup(a)",
    "backup(b)",
    "forget(a,0)",
    "forget(b,2)",
    "delete(a)",
];

/// A set of questions.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// What is asked, in a sentence.
    pub sentence: &'static str,
    /// Out of what its questions are made.
    pub of: Of,
    /// Whether the gate asks it.
    pub gate: bool,
    /// Whether the gate replays a share of its graphs as well.
    pub replayed: bool,
}

/// Out of what the questions of a set are made.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Tasks of a list.
    Tasks {
        /// The list.
        list: &'static [&'static str],
        /// Their number, garbage collections not counted.
        tasks: usize,
        /// How many garbage collections run beside them, one after the other.
        gc: usize,
        /// How often an actor does its task. A backup is done once, since it makes one snapshot.
        turns: usize,
        /// Where the tasks run, and what disturbs them.
        modes: Modes,
    },
    /// Every ordered pair of tasks of a list, garbage collections among them: the first one in a process of the old version, the other
    /// one in its successor.
    Upgrades(&'static [&'static str]),
    /// Every pair of tasks that make sense, beside a garbage collection, on every tree but the first one.
    Trees,
    /// The scenarios of the gate, each disturbed in one way that could change anything.
    Scenarios,
}

const OWN: Modes = Modes {
    processes: Processes::Own,
    flag: false,
    by: Disturbances::NONE,
};
const ONE_PROCESS: Modes = Modes {
    processes: Processes::One,
    flag: false,
    by: Disturbances::NONE,
};
/// Everything that may disturb them, each once.
const STORM: Modes = Modes {
    processes: Processes::Own,
    flag: false,
    by: Disturbances::NONE
        .with(Disturbance::Kill)
        .with(Disturbance::FullTmpfs)
        .with(Disturbance::Leave)
        .with(Disturbance::Reload)
        .with(Disturbance::Time)
        .with(Disturbance::NoInode),
};
const WITHOUT_INODE: Modes = Modes {
    processes: Processes::Own,
    flag: false,
    by: Disturbances::NONE.with(Disturbance::NoInode),
};
const KILLED: Modes = Modes {
    processes: Processes::Own,
    flag: false,
    by: Disturbances::NONE.with(Disturbance::Kill),
};

/// With the locks of before: every process locks directories.
const BY_DIRECTORY: Modes = Modes { flag: true, ..OWN };
const UPGRADED: Modes = Modes {
    processes: Processes::Upgraded,
    ..ONE_PROCESS
};
const BY_DIRECTORY_KILLED: Modes = Modes {
    flag: true,
    ..KILLED
};

/// All sets.
pub const SETS: &[Set] = &[
    Set {
        name: "scenarios_disturbed",
        sentence: "Every scenario of the gate, disturbed once in one more way: a kill, a full tmpfs, a client that leaves, a reload, time that passes, no inode for a lock file.",
        of: Of::Scenarios,
        gate: true,
        replayed: false,
    },
    Set {
        name: "pairs_beside_gc",
        sentence: "Every pair of tasks and a garbage collection, all in one process.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 1,
            turns: 1,
            modes: ONE_PROCESS,
        },
        gate: true,
        replayed: true,
    },
    Set {
        name: "pairs_beside_another_gc",
        sentence: "Every pair of tasks and a garbage collection, each in a process of its own.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 1,
            turns: 1,
            modes: OWN,
        },
        gate: true,
        replayed: false,
    },
    Set {
        name: "pairs_without_inode",
        sentence: "Every pair of tasks, each in a process of its own; there is no inode left for one of their lock files.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 0,
            turns: 1,
            modes: WITHOUT_INODE,
        },
        gate: true,
        replayed: true,
    },
    Set {
        name: "pairs_by_directory",
        sentence: "Every pair of tasks and a garbage collection, each in a process of its own, all of which lock directories.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 1,
            turns: 1,
            modes: BY_DIRECTORY,
        },
        gate: true,
        replayed: true,
    },
    Set {
        name: "pairs_in_an_upgrade",
        sentence: "Every two tasks or garbage collections, the first one in a process of the old version, which locks directories, the other one in its successor.",
        of: Of::Upgrades(STANDARD),
        gate: true,
        replayed: true,
    },
    Set {
        name: "triples",
        sentence: "Every three tasks, all in one process.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 3,
            gc: 0,
            turns: 1,
            modes: ONE_PROCESS,
        },
        gate: true,
        replayed: true,
    },
    Set {
        name: "triples_killed",
        sentence: "Every three tasks, each in a process of its own, one of which may be killed.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 3,
            gc: 0,
            turns: 1,
            modes: KILLED,
        },
        gate: true,
        replayed: false,
    },
    Set {
        name: "triples_beside_gc",
        sentence: "Every three tasks and a garbage collection, all in one process.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 3,
            gc: 1,
            turns: 1,
            modes: ONE_PROCESS,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "triples_killed_by_directory",
        sentence: "Every three tasks, each in a process of its own, all of which lock directories; one may be killed.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 3,
            gc: 0,
            turns: 1,
            modes: BY_DIRECTORY_KILLED,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "pairs_in_a_storm",
        sentence: "Every pair of tasks and a garbage collection, each in a process of its own; a kill, a full tmpfs, a client that leaves, a reload, a passing of the cutoff and a missing inode, each once, in any order.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 1,
            turns: 1,
            modes: STORM,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "pairs_in_turn_beside_gc",
        sentence: "Every pair of actors and a garbage collection, all in one process; each of the two does its task twice, a backup once.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 1,
            turns: 2,
            modes: ONE_PROCESS,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "fours",
        sentence: "Every four tasks, all in one process.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 4,
            gc: 0,
            turns: 1,
            modes: ONE_PROCESS,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "pairs_beside_three_gc",
        sentence: "Every pair of tasks and three garbage collections, one after the other, all in one process.",
        of: Of::Tasks {
            list: STANDARD,
            tasks: 2,
            gc: 3,
            turns: 1,
            modes: ONE_PROCESS,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "fives_of_few",
        sentence: "Every five of the seven tasks that move, remove or back up what others rely on, each in a process of its own.",
        of: Of::Tasks {
            list: FEW,
            tasks: 5,
            gc: 0,
            turns: 1,
            modes: OWN,
        },
        gate: false,
        replayed: false,
    },
    Set {
        name: "other_trees",
        sentence: "Every pair of tasks that make sense and a garbage collection, all in one process, on every tree but the first one.",
        of: Of::Trees,
        gate: false,
        replayed: false,
    },
];

impl Set {
    /// The set of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.name == name)
    }

    /// Its questions, in a fixed order.
    pub fn questions(&self) -> Vec<Asked> {
        match self.of {
            Of::Tasks {
                list,
                tasks,
                gc,
                turns,
                modes,
            } => {
                let tree = &TREES[0];
                let tasks_of_list = list
                    .iter()
                    .filter_map(|task| ShortTask::parse(tree, task).ok());
                let actors: Vec<_> = tasks_of_list
                    .map(|task| in_turn(tree, task, turns))
                    .collect();
                questions(tree, &actors, tasks, gc, modes)
            }
            Of::Upgrades(list) => upgrades(&TREES[0], list),
            Of::Trees => {
                let pairs = |tree| {
                    let actors: Vec<_> =
                        tasks_of(tree).into_iter().map(|task| vec![task]).collect();
                    questions(tree, &actors, 2, 1, ONE_PROCESS)
                };
                TREES[1..].iter().flat_map(pairs).collect()
            }
            Of::Scenarios => {
                let scenarios = SCENARIOS.iter().filter(|scenario| scenario.runs.check);
                let disturbed = scenarios.flat_map(|scenario| {
                    let all = Disturbance::ALL.into_iter();
                    all.filter(|by| by.matters(scenario))
                        .map(move |by| Disturbed { scenario, by })
                });
                disturbed.map(Asked::Disturbed).collect()
            }
        }
    }
}

/// Every ordered pair that makes no snapshot twice.
fn upgrades(tree: &'static Tree, list: &[&str]) -> Vec<Asked> {
    let texts = std::iter::once(&"gc").chain(list);
    let tasks: Vec<ShortTask> = texts
        .filter_map(|task| ShortTask::parse(tree, task).ok())
        .collect();
    let pairs = tasks
        .iter()
        .flat_map(|old| tasks.iter().map(move |new| (old, new)));
    let questions = pairs.map(|(old, new)| Question {
        tree,
        actors: vec![vec![old.clone()], vec![new.clone()]],
        modes: UPGRADED,
    });
    let sound = questions.filter(|question| question.doubled_backup().is_none());
    sound.map(Asked::Generated).collect()
}

/// What an actor does that does its task so often.
fn in_turn(tree: &Tree, task: ShortTask, turns: usize) -> Vec<ShortTask> {
    let is_backup = matches!(task.task(tree), Some(Task::Backup { .. }));
    vec![task; if is_backup { 1 } else { turns }]
}

/// Every multiset of so many of these actors that makes no snapshot twice.
fn questions(
    tree: &'static Tree,
    actors: &[Vec<ShortTask>],
    count: usize,
    gc: usize,
    modes: Modes,
) -> Vec<Asked> {
    let gc: Vec<ShortTask> =
        ShortTask::parse(tree, "gc").map_or_else(|_| Vec::new(), |task| vec![task; gc]);
    let mut found = Vec::new();
    multisets(actors.len(), count, &mut |places| {
        let chosen = places.iter().map(|place| actors[*place].clone());
        let gc = Some(gc.clone()).filter(|gc| !gc.is_empty()).into_iter();
        let question = Question {
            tree,
            actors: gc.chain(chosen).collect(),
            modes,
        };
        if question.doubled_backup().is_none() {
            found.push(Asked::Generated(question));
        }
    });
    found
}

/// Visits every multiset of `size` numbers below `below`, in rising order.
fn multisets(below: usize, size: usize, visit: &mut impl FnMut(&[usize])) {
    fn go(
        from: usize,
        below: usize,
        left: usize,
        places: &mut Vec<usize>,
        visit: &mut impl FnMut(&[usize]),
    ) {
        if left == 0 {
            visit(places);
            return;
        }
        for place in from..below {
            places.push(place);
            go(place, below, left - 1, places, visit);
            places.pop();
        }
    }
    go(0, below, size, &mut Vec::new(), visit);
}

/// Every task that makes sense in a tree.
pub fn tasks_of(tree: &Tree) -> Vec<ShortTask> {
    let mut found = Vec::new();
    for short in short::all() {
        let limits: Vec<usize> = short.takes.iter().map(|kind| kind.count(tree)).collect();
        arguments(&limits, &mut Vec::new(), &mut |arguments| {
            let task = ShortTask {
                short,
                arguments: arguments.to_vec(),
            };
            if task.task(tree).is_some() {
                found.push(task);
            }
        });
    }
    found
}

fn arguments(limits: &[usize], chosen: &mut Vec<u8>, visit: &mut impl FnMut(&[u8])) {
    let Some(limit) = limits.get(chosen.len()) else {
        visit(chosen);
        return;
    };
    for argument in 0..u8::try_from(*limit).unwrap_or(u8::MAX) {
        chosen.push(argument);
        arguments(limits, chosen, visit);
        chosen.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_set_has_every_task_once_and_each_makes_sense() {
        for (i, task) in STANDARD.iter().enumerate() {
            assert!(ShortTask::parse(&TREES[0], task).is_ok(), "{task}");
            assert!(!STANDARD[..i].contains(task), "{task}");
        }
    }

    #[test]
    fn sets_hold_every_multiset_but_those_that_make_a_snapshot_twice() {
        let counts: Vec<(&str, usize)> = SETS
            .iter()
            .map(|set| (set.name, set.questions().len()))
            .collect();
        let expected = [
            ("scenarios_disturbed", 329),
            ("pairs_beside_gc", 208),
            ("pairs_beside_another_gc", 208),
            ("pairs_without_inode", 208),
            ("pairs_by_directory", 208),
            ("pairs_in_an_upgrade", 439),
            ("triples", 1500),
            ("triples_killed", 1500),
            ("triples_beside_gc", 1500),
            ("triples_killed_by_directory", 1500),
            ("pairs_in_a_storm", 208),
            ("pairs_in_turn_beside_gc", 208),
            ("fours", 8436),
            ("pairs_beside_three_gc", 208),
            ("fives_of_few", 301),
            ("other_trees", 19028),
        ];
        assert_eq!(counts, expected);
    }

    #[test]
    fn every_name_of_a_set_is_read_back() {
        for question in SETS.iter().flat_map(Set::questions) {
            if let Asked::Generated(question) = question {
                assert_eq!(Question::parse(&question.to_string()), Ok(question));
            }
        }
    }
}
