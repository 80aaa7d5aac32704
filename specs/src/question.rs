//! Generated questions: a tree, short tasks, their processes and what the environment may do, under a name that
//! reproduces the scenario, as in `gc+move(a,b)+backup(b)+forget(b,0)`.
//!
//! A name is `[TREE:]TASK+TASK+..[@MODE,..]`; for a task there may be several, one after the other, as in
//! `gc+move(a,b);forget(b,0)`. Without a tree it is asked on the first of [`tree::TREES`]; without a mode all tasks run in
//! one process, and nothing disturbs them. A scenario that is disturbed in one more way than it says is `SCENARIO@MODE`.

pub mod disturbance;
pub mod sets;
pub mod short;
pub mod tree;

use crate::id::{Actor, Process};
use crate::scenario::{Environment, Flag, Generations, Limits, Runs, Scenario, Task};
use disturbance::{Disturbance, Disturbances, Disturbed, kept};
use short::{Argument, Short};
use std::fmt;
use tree::{TREES, Tree};

/// The names of the processes, in the order of the actors.
const PROCESSES: &[&str] = &["proxy", "other", "third", "fourth", "fifth", "sixth"];

/// The mode in which each actor has a process of its own.
const OWN: &str = "own";

/// The mode in which the package is upgraded.
const UPGRADE: &str = "upgrade";

/// The mode in which every process locks directories.
const FLAG: &str = "flag";

/// Most tasks of a question.
pub const TASKS: usize = PROCESSES.len();

/// A question before it is a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What there is at the start.
    pub tree: &'static Tree,
    /// What each actor does, one task after the other.
    pub actors: Vec<Vec<ShortTask>>,
    /// Where they run, and what disturbs them.
    pub modes: Modes,
}

/// A task in its short form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortTask {
    /// What is done.
    pub short: &'static Short,
    /// To what: namespaces and snapshots by their number in the tree.
    pub arguments: Vec<u8>,
}

/// Where the tasks of a question run, and what the environment may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// In which processes.
    pub processes: Processes,
    /// Whether the flag file is there, so that every process locks directories.
    pub flag: bool,
    /// What disturbs them.
    pub by: Disturbances,
}

/// The processes of the tasks of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processes {
    /// There is one.
    #[default]
    One,
    /// Each actor has one of its own.
    Own,
    /// The first actor works in one of the old version, which locks directories and knows no flag file. Meanwhile the package is
    /// upgraded, and the other actors work in its successor.
    Upgraded,
}

/// Something that can be asked: a generated question, or a scenario that is disturbed.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A generated question.
    Generated(Question),
    /// A scenario that is disturbed.
    Disturbed(Disturbed),
}

/// Only by its name.
const BY_NAME: Runs = Runs {
    check: false,
    replay: false,
    kill: false,
};

impl Asked {
    /// The scenario that it stands for.
    pub fn scenario(&self) -> &'static Scenario {
        match self {
            Self::Generated(question) => question.scenario(),
            Self::Disturbed(disturbed) => disturbed.scenario(),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated(question) => question.fmt(f),
            Self::Disturbed(disturbed) => disturbed.fmt(f),
        }
    }
}

/// Why a name is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// No tree has that name.
    Tree(String),
    /// No task has that name.
    Task(String),
    /// The arguments of a task are not those that it takes in this tree.
    Arguments(String, &'static Short),
    /// No mode has that name.
    Mode(String),
    /// A mode is named twice.
    ModeTwice(String),
    /// Two modes say different things of the same.
    ModesApart(String),
    /// There are more tasks than a question can have.
    TooMany(usize),
    /// A snapshot is backed up twice.
    Twice(String),
}

impl Question {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// If it is not the name of a question; says which part of it.
    pub fn parse(name: &str) -> Result<Self, Unreadable> {
        let (rest, modes) = name.split_once('@').unwrap_or((name, ""));
        let (tree, rest) = match rest.split_once(':') {
            Some((tree, rest)) => {
                let found = TREES.iter().find(|known| known.name == tree);
                (
                    found.ok_or_else(|| Unreadable::Tree(tree.to_owned()))?,
                    rest,
                )
            }
            None => (&TREES[0], rest),
        };
        let mut read = Modes::default();
        let listed = name.contains('@').then(|| modes.split(','));
        for mode in listed.into_iter().flatten() {
            let before = read;
            match Disturbance::named(mode) {
                Some(by) => read.by = read.by.with(by),
                None if mode == OWN => read.processes = Processes::Own,
                None if mode == UPGRADE => read.processes = Processes::Upgraded,
                None if mode == FLAG => read.flag = true,
                None => return Err(Unreadable::Mode(mode.to_owned())),
            }
            if read == before {
                return Err(Unreadable::ModeTwice(mode.to_owned()));
            }
            let was_said = before.processes != Processes::One;
            if was_said && read.processes != before.processes || read.are_apart() {
                return Err(Unreadable::ModesApart(modes.to_owned()));
            }
        }
        let one = |task| ShortTask::parse(tree, task);
        let actors: Vec<Vec<ShortTask>> = rest
            .split('+')
            .map(|tasks| tasks.split(';').map(one).collect())
            .collect::<Result<_, _>>()?;
        let question = Self {
            tree,
            actors,
            modes: read,
        };
        let tasks = question.tasks().count();
        if tasks > TASKS {
            return Err(Unreadable::TooMany(tasks));
        }
        match question.doubled_backup() {
            Some(task) => Err(Unreadable::Twice(task.display(tree).to_string())),
            None => Ok(question),
        }
    }

    /// All its tasks, actor by actor.
    pub fn tasks(&self) -> impl Iterator<Item = &ShortTask> {
        self.actors.iter().flatten()
    }

    /// A backup that stands in it twice: one snapshot cannot be made twice.
    pub fn doubled_backup(&self) -> Option<&ShortTask> {
        let is_backup =
            |task: &&ShortTask| matches!(task.task(self.tree), Some(Task::Backup { .. }));
        let mut backups = self.tasks().filter(is_backup);
        backups.find(|task| self.tasks().filter(|other| other == task).count() > 1)
    }

    /// The scenario that it stands for.
    pub fn scenario(&self) -> &'static Scenario {
        kept(&self.to_string(), |name| self.build(name))
    }

    fn build(&self, name: &str) -> Scenario {
        let mut actors: Vec<(Process, Task)> = Vec::new();
        let mut sequels = Vec::new();
        for (place, tasks) in (0..).zip(&self.actors) {
            let process = Process(match self.modes.processes {
                Processes::One => 0,
                Processes::Own => place,
                Processes::Upgraded => place.min(1),
            });
            let mut before = None;
            let tasks = tasks.iter().filter_map(|task| task.task(self.tree));
            for task in tasks {
                let actor = u8::try_from(actors.len()).map_or(Actor(u8::MAX), Actor);
                sequels.extend(before.map(|before| (before, actor)));
                before = Some(actor);
                actors.push((process, task));
            }
        }
        let processes = match self.modes.processes {
            Processes::One => 1,
            Processes::Own => self.actors.len(),
            Processes::Upgraded => 2,
        };
        let mut scenario = Scenario {
            name: name.to_owned().leak(),
            question: "Does every property hold at every interleaving of these tasks?",
            namespaces: self.tree.namespaces,
            groups: self.tree.groups,
            snapshots: self.tree.snapshots,
            indexes: self.tree.indexes,
            chunks: self.tree.chunks,
            empty_groups: self.tree.empty_groups,
            protected: self.tree.protected,
            corrupt: self.tree.corrupt,
            notes: self.tree.notes,
            foreign_line: self.tree.foreign_line,
            processes: &PROCESSES[..processes],
            actors: actors.leak(),
            sequels: sequels.leak(),
            generations: self.modes.generations(),
            splits_locks: false,
            environment: Environment::CALM,
            limits: Limits::PUBLISHED,
            properties: &[],
            outside: "more of anything than its tree has",
            runs: BY_NAME,
        };
        if self.modes.processes == Processes::Upgraded {
            scenario.environment.reload = Some((Process(0), Process(1)));
        }
        self.modes.by.disturb(&mut scenario);
        scenario
    }
}

impl Modes {
    /// Whether they say twice what an upgrade says.
    fn are_apart(self) -> bool {
        let reloads = self.by.iter().any(|by| by == Disturbance::Reload);
        self.processes == Processes::Upgraded && (self.flag || reloads)
    }

    const fn generations(self) -> Generations {
        match (self.processes, self.flag) {
            (Processes::Upgraded, _) => Generations {
                old: &[Process(0)],
                flag: Flag::Created,
            },
            (Processes::One | Processes::Own, true) => Generations::FLAGGED,
            (Processes::One | Processes::Own, false) => Generations::NEW,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.tree != TREES[0] {
            write!(f, "{}:", self.tree.name)?;
        }
        for (i, tasks) in self.actors.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "+" })?;
            for (i, task) in tasks.iter().enumerate() {
                let after = if i == 0 { "" } else { ";" };
                write!(f, "{after}{}", task.display(self.tree))?;
            }
        }
        let processes = match self.modes.processes {
            Processes::One => None,
            Processes::Own => Some(OWN),
            Processes::Upgraded => Some(UPGRADE),
        };
        let flag = self.modes.flag.then_some(FLAG);
        let by = self.modes.by.iter().map(Disturbance::name);
        let modes = processes.into_iter().chain(flag).chain(by);
        for (i, mode) in modes.enumerate() {
            write!(f, "{}{mode}", if i == 0 { '@' } else { ',' })?;
        }
        Ok(())
    }
}

impl ShortTask {
    fn parse(tree: &Tree, text: &str) -> Result<Self, Unreadable> {
        let (name, arguments) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, arguments)) => (name, arguments.split(',').collect()),
            None => (text, Vec::new()),
        };
        let short = short::all()
            .find(|short| short.name == name)
            .ok_or_else(|| Unreadable::Task(name.to_owned()))?;
        let wrong = || Unreadable::Arguments(text.to_owned(), short);
        let mut texts = arguments.into_iter();
        let arguments = (short.takes.iter())
            .map(|kind| match kind.is_implied(tree) {
                true => Some(0),
                false => kind.read(tree, texts.next()?),
            })
            .collect::<Option<Vec<u8>>>();
        if texts.next().is_some() {
            return Err(wrong());
        }
        let task = Self {
            short,
            arguments: arguments.ok_or_else(wrong)?,
        };
        match task.task(tree) {
            Some(_) => Ok(task),
            None => Err(wrong()),
        }
    }

    /// The task that it stands for; none if it makes no sense in that tree.
    pub fn task(&self, tree: &Tree) -> Option<Task> {
        (self.short.task)(tree, &self.arguments)
    }

    fn display<'a>(&'a self, tree: &'a Tree) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            f.write_str(self.short.name)?;
            let all = self.arguments.iter().zip(self.short.takes);
            let told = all.filter(|(_, kind)| !kind.is_implied(tree));
            let mut before = '(';
            for (argument, kind) in told {
                write!(f, "{before}{}", kind.show(tree, *argument))?;
                before = ',';
            }
            f.write_str(if before == '(' { "" } else { ")" })
        })
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: Vec<&str>| names.join(", ");
        match self {
            Self::Tree(name) => write!(
                f,
                "no tree is named {name:?}; there are {}",
                names(TREES.iter().map(|tree| tree.name).collect())
            ),
            Self::Task(name) => write!(
                f,
                "no task is named {name:?}; there are {}",
                names(short::all().map(|short| short.name).collect())
            ),
            Self::Arguments(text, short) => {
                write!(f, "{text:?} makes no sense in this tree: {}", short.usage)?;
                match short.takes.contains(&Argument::Group) {
                    true => f.write_str("; in a tree of two groups the number of one comes last"),
                    false => Ok(()),
                }
            }
            Self::Mode(name) => write!(
                f,
                "no mode is named {name:?}; there are {OWN}, {UPGRADE}, {FLAG}, {}",
                names(Disturbance::ALL.map(Disturbance::name).to_vec())
            ),
            Self::ModeTwice(name) => write!(f, "the mode {name} stands there twice; once is once"),
            Self::ModesApart(modes) => write!(
                f,
                "the modes {modes} do not go together: with {UPGRADE} there are two processes, a reload and a flag file already"
            ),
            Self::TooMany(tasks) => write!(f, "{tasks} tasks are more than {TASKS}"),
            Self::Twice(task) => write!(f, "{task} stands there twice, and makes one snapshot"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_it_was_printed() {
        for name in [
            "gc",
            "gc+move(a,b)+backup(b)+forget(b,0)",
            "merge(b,a)+prune(a)+verify(b)+notes(a,0)@own",
            "owner(a)+delete(b)@own,kill",
            "gc+move(a,b)+backup(b)@kill,full,leave,reload,time",
            "gc+backup(a)@own,flag,kill",
            "backup(a)+forget(a,0)+gc@upgrade,kill",
            "two_files:gc+backup(a)+forget(a,0)",
            "gc+move(a,b);move(b,a)+forget(a,0);backup(b)",
            "two_groups:move(a,b,1)+prune(a,0)+delete(b)",
            "three_deep:gc+move(a/b/a,.)+delete(a/b)",
        ] {
            assert_eq!(
                Question::parse(name).map(|q| q.to_string()),
                Ok(name.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_question_is_refused_with_the_part_that_is_wrong() {
        for (name, part) in [
            ("gc+fly(a)", "no task is named \"fly\""),
            ("gc+move(a)", "\"move(a)\" makes no sense"),
            ("gc+move(a,a)", "\"move(a,a)\" makes no sense"),
            ("gc+backup(c)", "\"backup(c)\" makes no sense"),
            ("gc+forget(a,7)", "\"forget(a,7)\" makes no sense"),
            ("gc+forget(a,00)", "\"forget(a,00)\" makes no sense"),
            ("gc+forget(a, 0)", "\"forget(a, 0)\" makes no sense"),
            ("gc@twice", "no mode is named \"twice\""),
            ("gc@", "no mode is named \"\""),
            ("gc@kill,", "no mode is named \"\""),
            ("gc@kill,kill", "the mode kill stands there twice"),
            ("gc@own,kill,own", "the mode own stands there twice"),
            ("gc@flag,flag", "the mode flag stands there twice"),
            (
                "gc+gc@own,upgrade",
                "the modes own,upgrade do not go together",
            ),
            (
                "gc+gc@upgrade,own",
                "the modes upgrade,own do not go together",
            ),
            (
                "gc+gc@flag,upgrade",
                "the modes flag,upgrade do not go together",
            ),
            (
                "gc+gc@upgrade,reload",
                "the modes upgrade,reload do not go together",
            ),
            ("nowhere:gc", "no tree is named \"nowhere\""),
            ("backup(a)+backup(a)", "backup(a) stands there twice"),
            ("gc+gc+gc+gc+gc+gc+gc", "7 tasks are more than 6"),
            ("gc;gc;gc;gc+gc;gc;gc", "7 tasks are more than 6"),
            ("backup(a);backup(a)", "backup(a) stands there twice"),
            ("gc;", "no task is named \"\""),
            ("prune(a,0)", "\"prune(a,0)\" makes no sense"),
            ("two_groups:prune(a)", "\"prune(a)\" makes no sense"),
            ("two_groups:prune(a,2)", "\"prune(a,2)\" makes no sense"),
            ("", "no task is named \"\""),
        ] {
            let refused = Question::parse(name).map_err(|error| error.to_string());
            assert!(
                refused.as_ref().is_err_and(|error| error.contains(part)),
                "{name}: {refused:?}"
            );
        }
    }
}
