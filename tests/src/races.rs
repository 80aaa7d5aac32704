//! The designs side by side: which race each of them has, and what it costs.

use crate::runs;
use conformance::lock_order::Edge;
use conformance::lock_order::graph::LockGraph;
use model::engine::Options;
use model::state::End;
use model::verdict::Completeness;
use model::{Scope, State};
use specs::id::Actor;
use specs::lock_class::Wait;
use specs::page::Table;
use specs::race::{COMPARED, RACES, Race};
use specs::scenario::Task;
use specs::scenarios::SCENARIOS;
use specs::step::LockUse;
use specs::{Design, Event, LockClass, Outcome};
use std::collections::BTreeSet;

/// A row for each race, a column for each design.
#[must_use]
pub fn verdicts() -> String {
    let designs = COMPARED.iter().map(|design| design.name());
    let mut table = Table::new(
        &["no.", "race", "scenario", "property"]
            .into_iter()
            .chain(designs)
            .collect::<Vec<_>>(),
    );
    for race in RACES {
        let mut row = vec![
            race.number.to_owned(),
            race.sentence.to_owned(),
            format!("`{}`", race.scenario),
            format!("`{}`", race.property.name()),
        ];
        row.extend(COMPARED.iter().map(|design| verdict(race, *design)));
        table.row(row);
    }
    table.finish()
}

/// Whether a design has a race: `no`, or after how many events; `-` if nobody gets into the situation, and `no moves` if
/// the race is one with a move, in a design that is older than moves.
fn verdict(race: &Race, design: Design) -> String {
    let scope = Scope::new(runs::named(race.scenario), design, None).asking(race.property);
    let run = runs::explored(&scope);
    assert_eq!(
        run.completeness,
        Completeness::Complete,
        "{}",
        race.scenario
    );
    let moves = |task: &Task| matches!(task, Task::MoveGroup { .. });
    let is_of_a_move = scope.scenario.actors.iter().any(|(_, task)| moves(task));
    let name = race.property.name();
    let Some(property) = run.property(name) else {
        panic!("{} was not asked", name)
    };
    match &property.first {
        Some(trace) => format!("after {} events", trace.steps.len()),
        None if design.is_before_moves() && is_of_a_move => "no moves".to_owned(),
        None if property.premise == 0 => "-".to_owned(),
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
        let names: Vec<&str> = chain.iter().map(|(class, _)| class.name()).collect();
        table.row([
            format!("`{}`", design.name()),
            root.locks.to_string(),
            ((below.locks - root.locks) / 2).to_string(),
            format!("{} s", below.seconds),
            names.join(", "),
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
    let scope = Scope::new(runs::named(scenario), design, None);
    let backup = scope.actors().find(|actor| {
        let labels = scope.labels(&scope.start(), *actor);
        labels.iter().any(|label| label.op() == specs::Op::Backup)
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
            && let Some(lock @ LockUse::Take(..)) = label.row().lock
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

/// The longest way in which one waits for somebody who waits for somebody else: what is waited for, and how long.
fn longest_chain(design: Design) -> Vec<(LockClass, Wait)> {
    let mut graph = LockGraph::new(design, None);
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.replay) {
        if let Err(error) = graph.add(scenario, &Options::default()) {
            panic!("{}: {error}", scenario.name)
        }
    }
    assert!(graph.is_complete(), "{}", design.name());
    let edges: Vec<Edge> = graph.edges().into_keys().cloned().collect();
    let waiting: Vec<&Edge> = edges.iter().filter(|edge| edge.wait.blocks()).collect();
    let mut longest = Vec::new();
    for edge in &waiting {
        let way = chain_from(edge, &waiting, &mut BTreeSet::new());
        if way.len() > longest.len() {
            longest = way;
        }
    }
    longest
}

/// The longest chain that begins with an edge; a class is entered once.
fn chain_from(
    edge: &Edge,
    waiting: &[&Edge],
    seen: &mut BTreeSet<LockClass>,
) -> Vec<(LockClass, Wait)> {
    let Some(class) = edge.taken.class() else {
        return Vec::new();
    };
    if !seen.insert(class) {
        return Vec::new();
    }
    let mut rest = Vec::new();
    for next in waiting
        .iter()
        .filter(|next| next.held.class() == Some(class))
    {
        let way = chain_from(next, waiting, seen);
        if way.len() > rest.len() {
            rest = way;
        }
    }
    seen.remove(&class);
    rest.insert(0, (class, edge.wait));
    rest
}

fn waits(chain: &[(LockClass, Wait)]) -> String {
    let seconds: u32 = chain
        .iter()
        .map(|(_, wait)| match wait {
            Wait::Seconds(seconds) => *seconds,
            Wait::No | Wait::Forever => 0,
        })
        .sum();
    let has_mutex = chain.iter().any(|(_, wait)| *wait == Wait::Forever);
    format!("{seconds} s{}", if has_mutex { " and a mutex" } else { "" })
}
