//! Sets of questions: every multiset of so many tasks, beside a garbage collection or without one.

use super::disturbance::{Disturbance, Disturbances, Disturbed};
use super::short;
use super::tree::{TREES, Tree};
use super::{Asked, Modes, Question, ShortTask};
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
}

/// Out of what the questions of a set are made.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Tasks of the standard list.
    Tasks {
        /// Their number, the garbage collection not counted.
        tasks: usize,
        /// Whether a garbage collection runs beside them.
        gc: bool,
        /// Where the tasks run, and what disturbs them.
        modes: Modes,
    },
    /// The scenarios of the gate, each disturbed in one way that could change anything.
    Scenarios,
}

const ONE_PROCESS: Modes = Modes {
    own: false,
    by: Disturbances::NONE,
};
const KILLED: Modes = Modes {
    own: true,
    by: Disturbances::NONE.with(Disturbance::Kill),
};

/// All sets.
pub const SETS: &[Set] = &[
    Set {
        name: "scenarios_disturbed",
        sentence: "Every scenario of the gate, disturbed once in one more way: a kill, a full tmpfs, a client that leaves, a reload, time that passes.",
        of: Of::Scenarios,
        gate: true,
    },
    Set {
        name: "pairs_beside_gc",
        sentence: "Every pair of tasks and a garbage collection, all in one process.",
        of: Of::Tasks {
            tasks: 2,
            gc: true,
            modes: ONE_PROCESS,
        },
        gate: true,
    },
    Set {
        name: "triples_killed",
        sentence: "Every three tasks, each in a process of its own, one of which may be killed.",
        of: Of::Tasks {
            tasks: 3,
            gc: false,
            modes: KILLED,
        },
        gate: true,
    },
    Set {
        name: "triples_beside_gc",
        sentence: "Every three tasks and a garbage collection, all in one process.",
        of: Of::Tasks {
            tasks: 3,
            gc: true,
            modes: ONE_PROCESS,
        },
        gate: false,
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
            Of::Tasks { tasks, gc, modes } => {
                let generated = of_tasks(tasks, gc, modes).into_iter();
                generated.map(Asked::Generated).collect()
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

fn of_tasks(count: usize, gc: bool, modes: Modes) -> Vec<Question> {
    let tree = &TREES[0];
    let tasks: Vec<ShortTask> = STANDARD
        .iter()
        .filter_map(|task| ShortTask::parse(tree, task).ok())
        .collect();
    let gc = ShortTask::parse(tree, "gc").ok().filter(|_| gc);
    let mut found = Vec::new();
    multisets(tasks.len(), count, &mut |places| {
        let chosen = places.iter().map(|place| tasks[*place].clone());
        let question = Question {
            tree,
            tasks: gc.iter().cloned().chain(chosen).collect(),
            modes,
        };
        if question.doubled_backup().is_none() {
            found.push(question);
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
    let below = |kind: &short::Argument| match kind {
        short::Argument::Namespace => tree.namespaces.len() + 1,
        short::Argument::Snapshot => tree.snapshots.len(),
    };
    let mut found = Vec::new();
    for short in short::all() {
        let limits: Vec<usize> = short.takes.iter().map(below).collect();
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
            ("scenarios_disturbed", 236),
            ("pairs_beside_gc", 208),
            ("triples_killed", 1500),
            ("triples_beside_gc", 1500),
        ];
        assert_eq!(counts, expected);
    }

    #[test]
    fn every_name_of_a_set_is_read_back() {
        for question in of_tasks(2, true, ONE_PROCESS) {
            assert_eq!(Question::parse(&question.to_string()), Ok(question));
        }
    }
}
