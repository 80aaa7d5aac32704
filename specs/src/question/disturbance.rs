//! What may disturb the actors of a question or of a scenario, each once.

use crate::event::{Cut, Outcome};
use crate::id::Process;
use crate::op::Op;
use crate::scenario::{Environment, Generations, Scenario};
use crate::step::{LockUse, Row};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// One thing that the environment may do once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// One process is killed.
    Kill,
    /// An append meets a full tmpfs.
    FullTmpfs,
    /// The client of a backup leaves.
    Leave,
    /// The daemon, which is the first process, is reloaded.
    Reload,
    /// The cutoff passes.
    Time,
    /// A lock file is to be created, and there is no inode left.
    NoInode,
}

/// Several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disturbances(u8);

/// A scenario that is disturbed in one more way than it says.
#[derive(Clone, Copy, Debug)]
pub struct Disturbed {
    /// Which scenario.
    pub scenario: &'static Scenario,
    /// By what.
    pub by: Disturbance,
}

impl Disturbance {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Kill,
        Self::FullTmpfs,
        Self::Leave,
        Self::Reload,
        Self::Time,
        Self::NoInode,
    ];

    /// Its name, as it stands behind the `@` of a name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::FullTmpfs => "full",
            Self::Leave => "leave",
            Self::Reload => "reload",
            Self::Time => "time",
            Self::NoInode => "inode",
        }
    }

    /// What happens, in a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Kill => "one process is killed",
            Self::FullTmpfs => "an append to the journal meets a full tmpfs",
            Self::Leave => "the client of a backup leaves",
            Self::Reload => "the daemon, which is the first process, is reloaded",
            Self::Time => "the cutoff passes between two collections",
            Self::NoInode => "there is no inode left for a lock file",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it is something that a scenario does not have, and that could change anything for its actors.
    pub fn matters(self, scenario: &Scenario) -> bool {
        let has = |op: Op| scenario.actors.iter().any(|(_, task)| task.op() == op);
        let environment = scenario.environment;
        match self {
            Self::Kill => environment.kills == 0,
            Self::FullTmpfs => environment.full_tmpfs == 0 && has(Op::MoveGroup),
            Self::Leave => environment.disconnects == 0 && has(Op::Backup),
            Self::Reload => {
                environment.reload.is_none()
                    && scenario.generations == Generations::NEW
                    && (has(Op::Backup) || has(Op::Gc))
            }
            // A chunk that is taken apart call by call has no run between which time could pass.
            Self::Time => environment.cutoff_passes == 0 && has(Op::Gc) && !has(Op::AccessChunk),
            Self::NoInode => {
                let finds_none = |op: &&Op| op.rows().any(may_find_no_inode);
                environment.no_inode == 0 && Op::ALL.iter().filter(finds_none).any(|op| has(*op))
            }
        }
    }

    /// The environment with it, where a scenario has so many processes.
    fn added(self, environment: Environment, processes: usize) -> Environment {
        let mut more = environment;
        match self {
            Self::Kill => more.kills += 1,
            Self::FullTmpfs => more.full_tmpfs += 1,
            Self::Leave => more.disconnects += 1,
            Self::Time => more.cutoff_passes += 1,
            Self::NoInode => more.no_inode += 1,
            Self::Reload => {
                let successor = u8::try_from(processes).unwrap_or(u8::MAX);
                more.reload = Some((Process(0), Process(successor)));
            }
        }
        more
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Whether a step creates a lock file for which there may be no inode left.
fn may_find_no_inode(row: &Row) -> bool {
    let takes = matches!(row.lock, Some(LockUse::Take(..)));
    takes && row.outcomes.contains(&Outcome::NoSpace(Cut::Nothing))
}

impl Disturbances {
    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, one: Disturbance) -> Self {
        Self(self.0 | one.bit())
    }

    /// With one less.
    #[must_use]
    pub const fn without(self, one: Disturbance) -> Self {
        Self(self.0 & !one.bit())
    }

    /// The single ones, in their order.
    pub fn iter(self) -> impl Iterator<Item = Disturbance> {
        let all = Disturbance::ALL.into_iter();
        all.filter(move |one| self.0 & one.bit() != 0)
    }

    /// Adds them to a scenario. A reload has a successor, a process that does nothing.
    pub(super) fn disturb(self, scenario: &mut Scenario) {
        for one in self.iter() {
            let processes = scenario.processes.len();
            scenario.environment = one.added(scenario.environment, processes);
            if one == Disturbance::Reload {
                let mut names = scenario.processes.to_vec();
                names.push("successor");
                scenario.processes = names.leak();
            }
        }
    }
}

impl Disturbed {
    /// Reads a name, as in `one_move_meets_gc@kill`; none if it is not one of a scenario and of something that could
    /// disturb it.
    pub fn parse(name: &str, scenarios: &'static [Scenario]) -> Option<Self> {
        let (name, by) = name.split_once('@')?;
        let scenario = scenarios.iter().find(|scenario| scenario.name == name)?;
        let by = Disturbance::named(by).filter(|by| by.matters(scenario))?;
        Some(Self { scenario, by })
    }

    /// The scenario that it stands for.
    pub fn scenario(&self) -> &'static Scenario {
        kept(&self.to_string(), |name| {
            let mut scenario = *self.scenario;
            scenario.name = name.to_owned().leak();
            Disturbances::NONE.with(self.by).disturb(&mut scenario);
            // What it must put to the test is asked without the disturbance, which may prevent that.
            scenario.properties = &[];
            scenario.runs = super::BY_NAME;
            scenario
        })
    }
}

impl fmt::Display for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.scenario.name, self.by.name())
    }
}

/// The scenario of a name. It lives as long as the process: what is asked is kept, so asking again costs nothing.
pub(super) fn kept(name: &str, build: impl FnOnce(&str) -> Scenario) -> &'static Scenario {
    static ASKED: Mutex<Option<HashMap<String, &'static Scenario>>> = Mutex::new(None);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = asked.get_or_insert_default();
    if let Some(scenario) = asked.get(name) {
        return scenario;
    }
    let scenario: &'static Scenario = Box::leak(Box::new(build(name)));
    asked.insert(name.to_owned(), scenario);
    scenario
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::SCENARIOS;

    #[test]
    fn disturbed_scenario_is_read_back_by_its_name() {
        let mut count = 0;
        for scenario in SCENARIOS {
            for by in Disturbance::ALL {
                let disturbed = Disturbed { scenario, by };
                let found = Scenario::named(&disturbed.to_string());
                assert_eq!(found.is_some(), by.matters(scenario), "{disturbed}");
                if let Some(found) = found {
                    assert_eq!(found.name, disturbed.to_string());
                    assert_ne!(found.environment, scenario.environment);
                    count += 1;
                }
            }
        }
        assert!(count > 2 * SCENARIOS.len(), "{count}");
    }

    #[test]
    fn a_scenario_that_has_it_already_is_not_disturbed_again() {
        let scenario = |name| SCENARIOS.iter().find(|s| s.name == name);
        let killed = scenario("killed_first_backup_meets_backup");
        assert_eq!(killed.map(|s| Disturbance::Kill.matters(s)), Some(false));
        let crossed = scenario("two_moves_cross");
        assert_eq!(crossed.map(|s| Disturbance::Leave.matters(s)), Some(false));
        assert_eq!(
            crossed.map(|s| Disturbance::FullTmpfs.matters(s)),
            Some(true)
        );
    }
}
