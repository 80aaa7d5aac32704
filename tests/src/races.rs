//! The designs side by side: which race each of them has, and what it costs.

use crate::runs;
use conformance::lock_order::graph::LockGraph;
use conformance::lock_order::{Edge, Node, page};
use model::engine::Options;
use model::state::End;
use model::verdict::Completeness;
use model::{Scope, State};
use specs::id::Actor;
use specs::lock_class::Wait;
use specs::page::Table;
use specs::race::{COMPARED, RACES};
use specs::scenario::Task;
use specs::scenarios::SCENARIOS;
use specs::step::LockUse;
use specs::{Design, Event, LockClass, Op, Outcome, Property, Scenario};
use std::collections::BTreeSet;

/// A row for each race, a column for each design.
#[must_use]
pub fn verdicts() -> String {
    let designs: Vec<String> = COMPARED.iter().map(|design| design.name()).collect();
    let mut table = Table::new(
        &["no.", "race", "scenario", "property"]
            .into_iter()
            .chain(designs.iter().map(String::as_str))
            .collect::<Vec<_>>(),
    );
    for race in RACES {
        let mut row = vec![
            race.number.to_owned(),
            race.sentence.to_owned(),
            format!("`{}`", race.scenario),
            format!("`{}`", race.property.name()),
        ];
        let verdict = |design: &Design| verdict(race.scenario, race.property, *design);
        row.extend(COMPARED.iter().map(verdict));
        table.row(row);
    }
    table.finish()
}

/// Whether a property falls in a scenario under a design: `no`, or after how many events; `-` if nobody gets into the
/// situation, and `no moves` if somebody would move, in a design that is older than moves.
pub(crate) fn verdict(scenario: &str, property: Property, design: Design) -> String {
    let scope = Scope::new(runs::named(scenario), design, &[]).asking(property);
    let run = runs::explored(&scope);
    assert_eq!(run.completeness, Completeness::Complete, "{scenario}");
    let moves = |task: &Task| matches!(task, Task::MoveGroup { .. });
    let is_of_a_move = scope.scenario.actors.iter().any(|(_, task)| moves(task));
    let name = property.name();
    let Some(asked) = run.property(name) else {
        panic!("{name} was not asked")
    };
    match &asked.first {
        Some(trace) => format!("after {} events", trace.steps.len()),
        None if design.is_before_moves() && is_of_a_move => "no moves".to_owned(),
        None if asked.premise == 0 => "-".to_owned(),
        None => "no".to_owned(),
    }
}

/// What each design costs: a row for each.
#[must_use]
pub fn costs() -> String {
    let mut table = Table::new(&[
        "design",
        "locks of a backup into the root namespace",
        "into a namespace, for each level",
        "longest wait of a backup into `a/b`",
        "longest chain of waiters",
        "waits in it",
    ]);
    for design in COMPARED {
        // The namespace of the second one, `a/b`, lies on the second level.
        let [root, below] = ["owner_change_meets_backup", "backup_below_meets_deletion"]
            .map(|scenario| alone(scenario, *design));
        let chain = longest_chain(*design);
        table.row([
            format!("`{}`", design.name()),
            root.locks.to_string(),
            ((below.locks - root.locks) / 2).to_string(),
            format!("{} s", below.seconds),
            classes(&chain),
            waits(&chain),
        ]);
    }
    table.finish()
}

/// What a backup that meets nobody does.
struct Alone {
    /// Locks that it takes and keeps.
    locks: usize,
    /// The sum of its bounded waits, should every one last as long as it may.
    seconds: u32,
}

/// The backup of a scenario, without the others.
fn alone(scenario: &str, design: Design) -> Alone {
    let scope = Scope::new(runs::named(scenario), design, &[]);
    let backup = scope.actors().find(|actor| {
        let labels = scope.labels(&scope.start(), *actor);
        labels.iter().any(|label| label.step.op() == Op::Backup)
    });
    let Some(actor) = backup else {
        panic!("{scenario} has no backup")
    };
    let (mut state, mut alone) = (
        scope.start(),
        Alone {
            locks: 0,
            seconds: 0,
        },
    );
    while let Some((event, next)) = step_of(&scope, &state, actor) {
        state = next;
        if let Event::Step { label, .. } = event
            && let Some(lock @ LockUse::Take(..)) = label.step.row().lock
        {
            alone.locks += 1;
            if let Some(Wait::Seconds(seconds)) = lock.wait(design) {
                alone.seconds += seconds;
            }
        }
    }
    // One that gave up in the middle would have taken fewer locks.
    assert_eq!(state.actor(actor).end, End::DONE, "{scenario}");
    alone
}

/// The next step of an actor that meets nobody; one that succeeds, if there is one.
fn step_of(scope: &Scope, state: &State, actor: Actor) -> Option<(Event, State)> {
    let mut found: Option<(Event, State)> = None;
    scope.successors(state, &mut |event, next| {
        let Event::Step {
            actor: who,
            outcome,
            ..
        } = event
        else {
            return;
        };
        if who == actor && (found.is_none() || outcome == Outcome::Done) {
            found = Some((event, next));
        }
    });
    found
}

/// Somebody who waits: for a lock of which class, and how long.
type Waiter = (LockClass, Wait);

/// The longest way in which one waits for somebody who waits for somebody else: what is waited for, and how long. Of two
/// that are as long, the one with more seconds.
///
/// The first one may have nothing. Whoever comes next has what the one before waits for, so an edge stands for one who
/// waits. An edge that always rises within its class stands for as many as find a higher lock there.
fn longest_chain(design: Design) -> Vec<Waiter> {
    let mut graph = LockGraph::new(design, Vec::new(), None);
    let replayed = SCENARIOS.iter().filter(|scenario| scenario.runs.replay);
    for scenario in replayed.filter(|scenario| !is_of_locks_alone(scenario)) {
        if let Err(error) = graph.add(scenario, &Options::default()) {
            panic!("{}: {error}", scenario.name)
        }
    }
    assert!(graph.is_complete(), "{}", design.name());
    let edges = graph.edges();
    let mut left: Vec<(&Edge, usize)> = edges
        .iter()
        .filter(|(edge, _)| edge.wait.blocks())
        .map(|(edge, takings)| {
            let climbs = edge.taken.conflicts(&edge.held) && page::rises(takings);
            let levels = edge.taken.class().map_or(1, LockClass::levels);
            (*edge, if climbs { levels - 1 } else { 1 })
        })
        .collect();
    let rows = Op::ALL.iter().flat_map(|op| op.table());
    let asks: BTreeSet<(Node, Wait)> = rows
        .filter(|row| row.designs.contains(design))
        .filter_map(|row| match row.lock {
            Some(lock @ (LockUse::Take(class, mode, _) | LockUse::Within(class, mode, _))) => {
                Some((Node::Class(class, mode), lock.wait(design)?))
            }
            Some(LockUse::Release(_) | LockUse::Unlink(_)) | None => None,
        })
        .filter(|(_, wait)| wait.blocks())
        .collect();
    let chains = asks
        .iter()
        .map(|(asked, wait)| chain_from(asked, *wait, &mut left));
    chains.max_by_key(|chain| weight(chain)).unwrap_or_default()
}

/// Whether it has an actor that takes locks and does nothing with them, in an order that no operation has.
fn is_of_locks_alone(scenario: &Scenario) -> bool {
    let mut tasks = scenario.actors.iter();
    tasks.any(|(_, task)| matches!(task, Task::TakeNamespaceLock { .. }))
}

/// The longest chain that begins with somebody who asks for a lock; of each edge is said how often it is left.
fn chain_from(asked: &Node, wait: Wait, left: &mut [(&Edge, usize)]) -> Vec<Waiter> {
    let mut longest = Vec::new();
    for at in 0..left.len() {
        let (edge, times) = left[at];
        if times == 0 || !asked.conflicts(&edge.held) {
            continue;
        }
        left[at].1 -= 1;
        let chain = chain_from(&edge.taken, edge.wait, left);
        left[at].1 += 1;
        if weight(&chain) > weight(&longest) {
            longest = chain;
        }
    }
    if let Some(class) = asked.class() {
        longest.insert(0, (class, wait));
    }
    longest
}

fn weight(chain: &[Waiter]) -> (usize, u32) {
    (chain.len(), seconds(chain))
}

/// The classes of a chain, each with how many in a row wait for one of it.
fn classes(chain: &[Waiter]) -> String {
    let runs = chain.chunk_by(|(one, _), (next, _)| one == next);
    let names: Vec<String> = runs
        .map(|run| match run {
            [(class, _)] => class.name().to_owned(),
            [(class, _), ..] => format!("{} times {}", run.len(), class.name()),
            [] => String::new(),
        })
        .collect();
    names.join(", ")
}

/// The sum of the bounded waits.
fn seconds(chain: &[Waiter]) -> u32 {
    let waits = chain.iter().map(|(_, wait)| match wait {
        Wait::Seconds(seconds) => *seconds,
        Wait::No | Wait::Forever => 0,
    });
    waits.sum()
}

fn waits(chain: &[Waiter]) -> String {
    let has_mutex = chain.iter().any(|(_, wait)| *wait == Wait::Forever);
    let mutex = if has_mutex { " and a mutex" } else { "" };
    format!("{} s{mutex}", seconds(chain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::lock_class::Mode;

    const FIVE: Wait = Wait::Seconds(5);

    fn edge(held: (LockClass, Mode), taken: (LockClass, Mode)) -> Edge {
        let [held, taken] = [held, taken].map(|(class, mode)| Node::Class(class, mode));
        Edge {
            held,
            taken,
            wait: FIVE,
        }
    }

    #[test]
    fn a_chain_climbs_as_often_as_there_are_levels() {
        let own = (LockClass::Namespace, Mode::Exclusive);
        let above = (LockClass::Namespace, Mode::Shared);
        let manifest = (LockClass::Manifest, Mode::Exclusive);
        let (up, out) = (edge(own, above), edge(own, manifest));
        let asked = Node::Class(LockClass::Namespace, Mode::Shared);
        let chain = chain_from(&asked, FIVE, &mut [(&out, 1), (&up, 6)]);
        assert_eq!(classes(&chain), "7 times namespace, manifest");
        assert_eq!(waits(&chain), "40 s");
    }

    #[test]
    fn nobody_waits_for_whoever_shares_what_is_shared() {
        let shared = (LockClass::Namespace, Mode::Shared);
        let out = edge(shared, (LockClass::Manifest, Mode::Exclusive));
        let asked = |mode| Node::Class(LockClass::Namespace, mode);
        let chain = |mode| classes(&chain_from(&asked(mode), FIVE, &mut [(&out, 1)]));
        assert_eq!(chain(Mode::Shared), "namespace");
        assert_eq!(chain(Mode::Exclusive), "namespace, manifest");
    }

    #[test]
    fn of_chains_that_are_as_long_the_one_with_more_seconds_counts() {
        let mutex = (LockClass::ChunkStore, Wait::Forever);
        assert!(weight(&[(LockClass::Manifest, FIVE)]) > weight(&[mutex]));
        assert!(weight(&[mutex, mutex]) > weight(&[(LockClass::Manifest, FIVE)]));
    }
}
