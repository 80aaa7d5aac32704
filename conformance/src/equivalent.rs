//! Whether a mutant makes a difference that anybody else can see: computed, on the whole graph of its scenario.
//!
//! *What is seen.* The datastore, the lock directory and the journal; of each actor the locks that it has and how
//! it ended. What an actor does next and what it remembers is its own business. Two graphs are compared after
//! everything else was left out: the same things can be seen in both, and the same changes of them. A step that
//! changes nothing that is seen counts for nothing, so a step more or less is no difference by itself.

use anyhow::Context as _;
use model::state::{Actor, LOCALS, Next};
use model::{Scope, State, engine, locks};
use specs::Mutant;
use std::collections::HashSet;

/// A state without what only its actor knows, and the lock files that each actor has open.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Seen {
    state: State,
    holds: Vec<(u8, locks::Name, u8)>,
}

/// Everything that can be seen of a graph: the sights, and the changes from one to another.
#[derive(PartialEq, Eq)]
struct Sights {
    sights: HashSet<Seen>,
    changes: HashSet<(Seen, Seen)>,
}

/// Whether a mutant's scenario looks the same as under its base design without the fault.
pub fn is_equivalent(mutant: &Mutant, scope: &Scope, threads: usize) -> anyhow::Result<bool> {
    let base = Scope::new(scope.scenario, mutant.design().base(), None).asking(mutant.property);
    Ok(sights(scope, threads)? == sights(&base, threads)?)
}

fn sights(scope: &Scope, threads: usize) -> anyhow::Result<Sights> {
    let options = engine::Options {
        threads,
        keep_graph: true,
        ..engine::Options::default()
    };
    let graph = engine::explore(scope, &options)
        .with_context(|| format!("cannot explore {}", scope.scenario.name))?
        .graph
        .context("the engine kept no graph")?;
    let seen: Vec<Seen> = graph
        .states
        .iter()
        .map(|state| seen(scope, state))
        .collect();
    let changes = graph
        .edges
        .iter()
        .map(|edge| (&seen[edge.from as usize], &seen[edge.to as usize]))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (from.clone(), to.clone()))
        .collect();
    Ok(Sights {
        changes,
        sights: seen.into_iter().collect(),
    })
}

fn seen(scope: &Scope, state: &State) -> Seen {
    let mut holds = Vec::new();
    locks::visit_holds(scope, state, &mut |actor, name, hold| {
        holds.push((actor.0, name, hold.0))
    });
    holds.sort_unstable();
    let mut state = *state;
    for actor in &mut state.actors {
        *actor = Actor {
            next: if actor.next.is_live() {
                Next::row(0)
            } else {
                actor.next
            },
            locals: [0; LOCALS],
            ..*actor
        };
    }
    Seen { state, holds }
}
