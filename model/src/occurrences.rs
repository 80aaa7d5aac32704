//! What happens in a run, by names: each step with each of its outcomes, each call that a step is split into, and what the
//! environment does, with who is at work meanwhile.

use crate::ops;
use crate::scope::Scope;
use crate::state::{Actor, State};
use specs::id::{self, Process};
use specs::{Cut, Event, Op, Outcome, Stage, Step};
use std::collections::BTreeMap;

const OUTCOMES: [Outcome; 16] = [
    Outcome::Done,
    Outcome::WouldBlock,
    Outcome::TimedOut,
    Outcome::Vanished,
    Outcome::NotFound,
    Outcome::NotDirectory,
    Outcome::Exists,
    Outcome::NotEmpty,
    Outcome::Refused,
    Outcome::Kept,
    Outcome::Removed,
    Outcome::Corrupt,
    Outcome::Stopped,
    Outcome::NoSpace(Cut::Nothing),
    Outcome::NoSpace(Cut::MidLine),
    Outcome::NoSpace(Cut::NoNewline),
];

/// What the environment does that has no process.
const ENVIRONMENT: [&str; 3] = ["cutoff_passed", "reloaded", "flag_set"];

impl Scope {
    /// Steps by the rows of their tables and by their outcomes; then what the environment does, by the actors that are at
    /// work; then the stages.
    pub fn kind_of(&self, state: &State, event: &Event) -> usize {
        let environment = |number: usize| {
            let at_work = self.actors().filter(|actor| self.is_at_work(state, *actor));
            let mask = at_work.fold(0, |mask, actor| mask | 1 << actor.0);
            steps() + (number << self.actors().count()) + mask
        };
        match event {
            Event::Step { label, outcome, .. } => {
                let before = OUTCOMES.iter().take_while(|other| *other != outcome);
                row(label.step) * OUTCOMES.len() + before.count()
            }
            Event::CutoffPassed => environment(0),
            Event::Reloaded { .. } => environment(1),
            Event::FlagSet => environment(2),
            Event::Killed { process } => environment(ENVIRONMENT.len() + usize::from(process.0)),
            Event::Reached { stage, .. } => {
                let before = Stage::ALL.iter().take_while(|other| *other != stage);
                self.stages() + before.count()
            }
        }
    }

    /// How many kinds there are.
    pub(crate) fn kind_count(&self) -> usize {
        self.stages() + Stage::ALL.len()
    }

    /// What a run would have counted that had followed these edges.
    pub fn count<'a>(&self, edges: impl IntoIterator<Item = (&'a State, &'a Event)>) -> Vec<u64> {
        let mut coverage = vec![0; self.kind_count()];
        for (from, event) in edges {
            coverage[self.kind_of(from, event)] += 1;
        }
        coverage
    }

    /// How often a step was taken, however it ended, by what a run has counted.
    pub fn taken(&self, coverage: &[u64], step: Step) -> u64 {
        let first = row(step) * OUTCOMES.len();
        coverage[first..first + OUTCOMES.len()].iter().sum()
    }

    /// Everything that has happened, by what a run has counted, with how often. A step that was done has its name alone.
    /// What the environment did is there once by itself, and once for each operation that was at work.
    pub fn occurrences(&self, coverage: &[u64]) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        let mut note = |name: String, count: u64| {
            if count > 0 {
                *found.entry(name).or_default() += count;
            }
        };
        let rows = Op::ALL.iter().flat_map(|op| op.table());
        for (row, counts) in rows.zip(coverage.chunks(OUTCOMES.len())) {
            let name = row.step.full_name();
            for (outcome, count) in OUTCOMES.iter().zip(counts) {
                note(with_outcome(&name, *outcome), *count);
            }
        }
        let kills = (0..self.process_count).map(Process);
        let kills = kills.map(|p| format!("killed {}", self.scenario.processes[usize::from(p.0)]));
        let names = ENVIRONMENT.map(str::to_owned).into_iter().chain(kills);
        let masks = 1 << self.actors().count();
        for (name, counts) in names.zip(coverage[steps()..].chunks(masks)) {
            note(name.clone(), counts.iter().sum());
            for op in Op::ALL {
                let is_of = |mask: &usize| {
                    self.actors()
                        .any(|a| mask & 1 << a.0 != 0 && self.task_of(a).op() == *op)
                };
                let counts = counts.iter().enumerate().filter(|(mask, _)| is_of(mask));
                let count = counts.map(|(_, count)| count).sum();
                note(format!("{name} beside {}", op.name()), count);
            }
        }
        for (stage, count) in Stage::ALL.iter().zip(&coverage[self.stages()..]) {
            note(format!("stage {}", stage.name()), *count);
        }
        found
    }

    /// Where the stages begin.
    fn stages(&self) -> usize {
        let events = ENVIRONMENT.len() + usize::from(self.process_count);
        steps() + (events << self.actors().count())
    }

    /// Where an actor stands: the row of its step, counted through the tables of all operations.
    pub fn place_of(&self, state: &State, actor: id::Actor) -> usize {
        let own = self.task_of(actor).op();
        let before = Op::ALL.iter().take_while(|op| **op != own);
        let rows: usize = before.map(|op| op.table().len()).sum();
        rows + usize::from(state.actor(actor).next.0)
    }

    /// Whether an actor has begun and not ended.
    pub fn is_at_work(&self, state: &State, actor: id::Actor) -> bool {
        let mut before = Actor::default();
        ops::begin(self, actor, &mut before);
        let now = state.actor(actor);
        now.next.is_live() && *now != before
    }
}

/// The number of kinds that are steps.
fn steps() -> usize {
    let rows: usize = Op::ALL.iter().map(|op| op.table().len()).sum();
    rows * OUTCOMES.len()
}

/// The number of a row among those of all tables.
fn row(step: Step) -> usize {
    let before = Op::ALL.iter().take_while(|op| **op != step.op());
    before.map(|op| op.table().len()).sum::<usize>() + step.position()
}

fn with_outcome(name: &str, outcome: Outcome) -> String {
    if outcome == Outcome::Done {
        return name.to_owned();
    }
    format!("{name} {outcome:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, explore};
    use specs::{Design, Scenario};

    #[test]
    fn kills_are_told_by_process_and_by_who_is_at_work() {
        let scenario = Scenario::named("one_move_meets_gc_with_kills").unwrap();
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let record = explore(&scope, &Options::default()).unwrap().record;
        let found = scope.occurrences(&record.coverage);
        let taken: u64 = record.coverage[..steps()].iter().sum();
        let kills: u64 = ["killed proxy", "killed other"]
            .map(|name| found[name])
            .iter()
            .sum();
        assert_eq!(taken + kills, record.edges);
        for name in ["killed other beside gc", "killed proxy beside move_group"] {
            assert!(found.contains_key(name), "{name}: {found:?}");
        }
        assert!(found["killed other"] > found["killed other beside gc"]);
        let timed_out = "gc.lock_journal TimedOut";
        assert!(found[timed_out] < scope.taken(&record.coverage, step("lock_journal")));
    }

    fn step(name: &str) -> Step {
        let row = Op::Gc.table().iter().find(|row| row.step.name() == name);
        row.unwrap().step
    }

    #[test]
    fn the_cutoff_passes_beside_a_backup() {
        let scenario = Scenario::named("long_backup_meets_gc").unwrap();
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let record = explore(&scope, &Options::default()).unwrap().record;
        let found = scope.occurrences(&record.coverage);
        assert!(
            found.contains_key("cutoff_passed beside backup"),
            "{found:?}"
        );
    }
}
