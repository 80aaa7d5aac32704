//! Two contenders that take turns, and the ratio of their times.
//!
//! A machine is never quiet. What slows it down for a while slows both times of a pair, so that the
//! ratio of a pair says more than either time, and the median of many ratios more than one. The
//! interval holds the true median with a probability of at least 95 %, whatever the distribution.

use datastore::{Config, Datastore, LinuxSys, Prefixes};
use std::cell::Cell;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Pairs of a run that asks for no number, and the least that it may ask for.
const PAIRS: usize = 200;
const LEAST: usize = 50;
/// More would make the weight of a single outcome smaller than any number of this type.
const MOST: usize = 1000;

/// A case ends early after this time, but not with fewer pairs than a run may ask for.
const LIMIT: Duration = Duration::from_secs(60);

/// What the command line asks for.
pub(crate) struct Pairs {
    pairs: usize,
    filter: String,
    compared: Cell<usize>,
    missed: Cell<usize>,
}

/// One comparison.
pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    /// What the two contenders are called.
    pub(crate) contenders: [&'a str; 2],
    /// The ratio should not be greater. It is missed if the whole interval lies above.
    pub(crate) goal: Option<f64>,
    /// So many operations each of the two runs for a time; times are printed for one.
    pub(crate) operations: [usize; 2],
}

impl Pairs {
    /// `[--pairs N] [FILTER]`: the cases whose name contains the filter, with N pairs each.
    pub(crate) fn from_arguments() -> Self {
        let mut wanted = Self {
            pairs: PAIRS,
            filter: String::new(),
            compared: Cell::default(),
            missed: Cell::default(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--pairs" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    wanted.pairs = number
                        .filter(|number| (LEAST..=MOST).contains(number))
                        .unwrap_or_else(|| panic!("--pairs takes a number from {LEAST} to {MOST}"));
                }
                _ => wanted.filter = argument,
            }
        }
        wanted
    }

    /// Whether a case was asked for, so that what it needs has to be made.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// Runs both contenders in turns; each answers how long its operations took, without what it
    /// had to prepare.
    pub(crate) fn compare(
        &self,
        case: &Case<'_>,
        mut ours: impl FnMut() -> Duration,
        mut other: impl FnMut() -> Duration,
    ) {
        if !self.wants(case.name) {
            return;
        }
        // Once each to no avail, for caches and page tables.
        ours();
        other();
        let begin = Instant::now();
        let mut times = [Vec::new(), Vec::new()];
        let mut ratios = Vec::new();
        while ratios.len() < self.pairs && (ratios.len() < LEAST || begin.elapsed() < LIMIT) {
            let [our_time, other_time] = if ratios.len() % 2 == 0 {
                [ours(), other()].map(|time| time.as_secs_f64())
            } else {
                let other_time = other();
                [ours(), other_time].map(|time| time.as_secs_f64())
            };
            ratios.push(our_time / other_time);
            times[0].push(our_time / case.operations[0] as f64);
            times[1].push(other_time / case.operations[1] as f64);
        }
        ratios.sort_by(f64::total_cmp);
        let (ratio, first) = (median(&ratios), first_of_interval(ratios.len()));
        let (low, high) = (ratios[first], ratios[ratios.len() - 1 - first]);
        let [our_time, other_time] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            duration(median(&times))
        });
        let verdict = match case.goal {
            None => String::new(),
            Some(goal) if ratio <= goal => format!("; goal at most {goal}: met"),
            Some(goal) if low <= goal => format!("; goal at most {goal}: not met for certain"),
            Some(goal) => {
                self.missed.set(self.missed.get() + 1);
                format!("; goal at most {goal}: MISSED")
            }
        };
        self.compared.set(self.compared.get() + 1);
        println!(
            "{:34} ratio {ratio:7.3} [{low:7.3}, {high:7.3}] of {:3} pairs; {} {our_time}, {} {other_time}{verdict}",
            case.name,
            ratios.len(),
            case.contenders[0],
            case.contenders[1],
        );
    }

    /// How the run ends: a goal that is missed is a failure, and so is a run that compared nothing.
    pub(crate) fn verdict(&self) -> ExitCode {
        if self.compared.get() == 0 {
            println!("no case has {:?} in its name", self.filter);
            return ExitCode::FAILURE;
        }
        match self.missed.get() {
            0 => ExitCode::SUCCESS,
            missed => {
                println!("goals missed: {missed}");
                ExitCode::FAILURE
            }
        }
    }
}

/// How long something takes.
pub(crate) fn time(what: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    what();
    begin.elapsed()
}

/// A new datastore in a directory of its own on a tmpfs.
pub(crate) fn new_store(prefixes: &[&str]) -> (tempfile::TempDir, Datastore<LinuxSys>) {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut config = Config::new(directory.path().join("store"), "store");
    config.locks = directory.path().join("locks");
    let store = Datastore::create(&LinuxSys, config, Prefixes::Only(prefixes)).unwrap();
    (directory, store)
}

/// The median of sorted values.
fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// The place of the low end of a 95 % interval of the median, among so many sorted values; the high
/// end has the same place from behind. How many values lie below the true median is the number of
/// heads among as many tosses of a coin.
fn first_of_interval(len: usize) -> usize {
    let mut heads = 0;
    let mut weight = 0.5_f64.powi(i32::try_from(len).unwrap());
    let mut below = weight;
    while below <= 0.025 {
        weight *= (len - heads) as f64 / (heads + 1) as f64;
        heads += 1;
        below += weight;
    }
    heads.saturating_sub(1)
}

fn duration(seconds: f64) -> String {
    if seconds < 1e-4 {
        format!("{:.0} ns", seconds * 1e9)
    } else {
        format!("{:.3} ms", seconds * 1e3)
    }
}
