//! The generated parts that say which bounds of scenarios the seeded bugs need, and where each of them falls.
//!
//! Every mutant is asked in every scenario; nothing is replayed here. All of it is explored once.

use conformance::edges::Progress;
use conformance::everywhere::{self, Everywhere};
use conformance::mends::{self, Explorer, MOST_STATES};
use model::Scope;
use model::engine::{self, Options};
use specs::mutant::MUTANTS;
use specs::page::Table;
use specs::question::sets::SETS;
use specs::scenario::{Environment, Task};
use specs::scenarios::SCENARIOS;
use specs::{Design, Scenario};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::OnceLock;

/// A bound: its name, and how large it is in a scenario.
type Bound = (&'static str, fn(&Scenario) -> usize);

/// A bound of the environment, which any scenario can have one more of.
type Disturbed = (&'static str, fn(&mut Environment) -> &mut u8);

const DISTURBED: [Disturbed; 5] = [
    ("kills", |e| &mut e.kills),
    ("passings of the cutoff", |e| &mut e.cutoff_passes),
    ("appends to a full tmpfs", |e| &mut e.full_tmpfs),
    ("missing inodes", |e| &mut e.no_inode),
    ("clients that leave", |e| &mut e.disconnects),
];

const BOUNDS: [Bound; 14] = [
    ("namespaces, with the root namespace", |s| {
        s.namespaces.len() + 1
    }),
    ("groups", |s| s.groups.len()),
    ("snapshots", |s| s.snapshots.len()),
    ("index files", |s| s.indexes.len()),
    ("chunks", |s| s.chunks.into()),
    ("actors", |s| s.actors.len() - s.sequels.len()),
    ("processes", |s| s.processes.len()),
    ("runs of a garbage collection", |s| {
        let runs = |task: &Task| {
            let Task::Gc { runs } = task else { return 0 };
            usize::from(*runs)
        };
        longest(s, runs)
    }),
    ("tasks of an actor", |s| longest(s, |_| 1)),
    ("kills", |s| s.environment.kills.into()),
    ("passings of the cutoff", |s| {
        s.environment.cutoff_passes.into()
    }),
    ("appends to a full tmpfs", |s| {
        s.environment.full_tmpfs.into()
    }),
    ("missing inodes", |s| s.environment.no_inode.into()),
    ("clients that leave", |s| s.environment.disconnects.into()),
];

/// The most that any actor has of something that each of its tasks has so much of, one after the other.
fn longest(scenario: &Scenario, of: impl Fn(&Task) -> usize) -> usize {
    let mut sums: Vec<usize> = scenario.actors.iter().map(|(_, task)| of(task)).collect();
    for (first, then) in scenario.sequels {
        sums[usize::from(then.0)] += sums[usize::from(first.0)];
    }
    sums.into_iter().max().unwrap_or(0)
}

/// How many scenarios that have some of it the hardened design keeps with one more, exceptions included, and in what states.
///
/// # Panics
///
/// If something falls.
fn with_one_more(of: fn(&mut Environment) -> &mut u8) -> (usize, u64) {
    let (mut count, mut states) = (0, 0);
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.check) {
        let mut scope = Scope::new(scenario, Design::HARDENED, &[]);
        let bound = of(&mut scope.environment);
        if *bound == 0 {
            continue;
        }
        *bound += 1;
        let options = Options {
            threads: 2,
            ..Options::default()
        };
        let record = done(engine::explore(&scope, &options)).record;
        assert!(record.holds(), "{}: {:?}", scenario.name, record.failures());
        count += 1;
        states += record.states;
    }
    (count, states)
}

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize, _: usize) {}
    fn done(&self, _: usize) {}
}

struct Found {
    asked: Vec<Everywhere>,
    small: usize,
    large: usize,
}

fn done<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the mutants cannot be explored: {error:#}"))
}

fn explore() -> Found {
    let (small, large) = done(mends::scenarios(Some(MOST_STATES), 2));
    let (count, count_of_large) = (small.len(), large.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    // A graph is too small to be shared by threads, so each thread has mutants of its own.
    let worker = || {
        let explorer = |scenarios| Explorer::new(scenarios, Vec::new(), 1, |_| {});
        let mut of_small = explorer(small.clone());
        let mut of_large = explorer(large.clone());
        let mut asked = Vec::new();
        loop {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(mutant) = MUTANTS.get(at) else {
                return asked;
            };
            let mut found = done(everywhere::ask(
                &mutant.into(),
                &mut of_small,
                true,
                1,
                None,
                &Silent,
            ));
            if found.falls.is_empty() && !mutant.is_equivalent {
                let more = everywhere::ask(&mutant.into(), &mut of_large, true, 1, None, &Silent);
                found.add(done(more));
            }
            asked.push((at, found));
        }
    };
    let mut asked = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<_>>| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    asked.sort_by_key(|(at, _)| *at);
    Found {
        asked: asked.into_iter().map(|(_, found)| found).collect(),
        small: count,
        large: count_of_large,
    }
}

fn found() -> &'static Found {
    static FOUND: OnceLock<Found> = OnceLock::new();
    FOUND.get_or_init(explore)
}

/// What is wrong with the mutants in all scenarios.
#[must_use]
pub fn failures() -> Vec<String> {
    let all = found().asked.iter();
    all.flat_map(|found| {
        let of_it = found.failures.iter();
        of_it.map(|failure| format!("{}: {failure}", found.of))
    })
    .collect()
}

/// For each bound what there is of it, and the seeded bug that needs most.
#[must_use]
pub fn table() -> String {
    let mut table = Table::new(&[
        "bound",
        "largest scenario",
        "largest question",
        "no seeded bug needs more than",
        "needed by",
        "mutants that need it",
        "one more was asked in",
    ]);
    let questions: Vec<&Scenario> = SETS
        .iter()
        .flat_map(|set| set.questions())
        .map(|question| question.scenario())
        .collect();
    for (name, of) in BOUNDS {
        let needs: Vec<(usize, &str, &str)> = found()
            .asked
            .iter()
            .filter_map(|found| need(found, of).map(|(need, at)| (need, found.of.as_str(), at)))
            .collect();
        let most = needs.iter().map(|(need, ..)| *need).max().unwrap_or(0);
        let need_it: Vec<_> = needs.iter().filter(|(need, ..)| *need == most).collect();
        let example = need_it.first().filter(|_| most > 0);
        let disturbed = DISTURBED.iter().find(|(disturbed, _)| *disturbed == name);
        let one_more = match disturbed {
            Some((_, of)) => {
                let (count, states) = with_one_more(*of);
                format!("{count} scenarios, {} states", states)
            }
            None => {
                let larger = questions.iter().filter(|question| of(question) > most);
                format!("{} questions", larger.count())
            }
        };
        let largest = |all: &mut dyn Iterator<Item = &Scenario>| all.map(of).max().unwrap_or(0);
        table.row([
            name.to_owned(),
            largest(&mut SCENARIOS.iter()).to_string(),
            largest(&mut questions.iter().copied()).to_string(),
            most.to_string(),
            example.map_or_else(String::new, |(_, mutant, at)| {
                format!("`{mutant}` in `{at}`")
            }),
            match example {
                Some(_) => need_it.len().to_string(),
                None => String::new(),
            },
            one_more,
        ]);
    }
    table.finish()
}

/// The least of a bound with which something falls that does not without the mutant, and a scenario that has no more.
fn need(found: &Everywhere, of: fn(&Scenario) -> usize) -> Option<(usize, &'static str)> {
    let falls = found.falls.iter();
    let needs = falls.filter_map(|fall| {
        let scenario = Scenario::named(fall.scenario)?;
        Some((of(scenario), scenario.name))
    });
    needs.min_by_key(|(need, _)| *need)
}

/// In how many scenarios the mutants were asked, and where they fall.
#[must_use]
pub fn everywhere() -> String {
    let asked = &found().asked;
    let places: Vec<usize> = asked.iter().map(Everywhere::scenarios_that_fall).collect();
    let once = places.iter().filter(|places| **places == 1).count();
    let pairs: usize = asked.iter().map(|found| found.scenarios).sum();
    let different: usize = asked.iter().map(|found| found.different).sum();
    let falls: usize = places.iter().sum();
    let properties: BTreeSet<&str> = asked
        .iter()
        .flat_map(|found| found.falls.iter().map(|fall| fall.property))
        .collect();
    format!(
        "Each of {} mutants in each of {} scenarios (and in {} large ones, if it falls in no other): {pairs} graphs. In {different} of them \
         the mutant makes a difference that is counted, and in {falls} something falls that does not fall without it; {} properties fall \
         somewhere. {once} mutants fall in one scenario only.\n",
        asked.len(),
        found().small,
        found().large,
        properties.len(),
    )
}
