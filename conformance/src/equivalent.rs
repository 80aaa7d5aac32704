//! Whether a mutant makes a difference that anybody else can see: computed, on the whole graph of its scenario.
//!
//! *What is seen.* The datastore, the lock directory and the journal; of each actor the locks that it has and how
//! it ended. What an actor does next and what it remembers is its own business. Two graphs are compared after
//! everything else was left out: the same things can be seen in both, and the same changes of them. A step that
//! changes nothing that is seen counts for nothing, so a step more or less is no difference by itself.
//!
//! Sights are told apart by fingerprints of 64 bits; that two of them collide is less likely than a fault of the
//! memory that holds them.

use anyhow::Context as _;
use model::engine::{self, Graph};
use model::state::{Actor, LOCALS, Next};
use model::{Scope, State, locks};
use specs::{Event, Mutant};
use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

/// Everything that can be seen of a graph: the sights, and the changes from one to another.
#[derive(PartialEq, Eq)]
struct Sights {
    sights: HashSet<u64>,
    changes: HashSet<(u64, u64)>,
}

/// Whether a mutant's scenario looks the same as without the mutant.
pub fn is_equivalent(mutant: &Mutant, scope: &Scope, threads: usize) -> anyhow::Result<bool> {
    let base = Scope::new(scope.scenario, mutant.sound(), &[]).asking(mutant.property);
    let options = engine::Options {
        threads,
        keep_graph: true,
        ..engine::Options::default()
    };
    let graph = |scope: &Scope| {
        engine::explore(scope, &options)
            .with_context(|| format!("cannot explore {}", scope.scenario.name))?
            .graph
            .context("the engine kept no graph")
    };
    Ok(look_the_same(
        (scope, &graph(scope)?),
        (&base, &graph(&base)?),
    ))
}

/// Whether the same can be seen in two complete graphs.
pub fn look_the_same(
    (one, of_one): (&Scope, &Graph<State, Event>),
    (other, of_other): (&Scope, &Graph<State, Event>),
) -> bool {
    sights(one, of_one) == sights(other, of_other)
}

fn sights(scope: &Scope, graph: &Graph<State, Event>) -> Sights {
    let seen: Vec<u64> = graph
        .states
        .iter()
        .map(|state| sight(scope, state))
        .collect();
    let changes = graph
        .edges
        .iter()
        .map(|edge| (seen[edge.from as usize], seen[edge.to as usize]))
        .filter(|(from, to)| from != to)
        .collect();
    Sights {
        changes,
        sights: seen.into_iter().collect(),
    }
}

/// A state without what only its actors know, and the lock files that they have open, as a fingerprint.
fn sight(scope: &Scope, state: &State) -> u64 {
    let mut holds = Vec::new();
    locks::visit_holds(scope, state, &mut |actor, name, hold| {
        holds.push((actor.0, name, hold.0));
    });
    holds.sort_unstable();
    let mut state = *state;
    for actor in &mut state.actors {
        let next = if actor.next.is_live() {
            Next::row(0)
        } else {
            actor.next
        };
        *actor = Actor {
            next,
            locals: [0; LOCALS],
            ..*actor
        };
    }
    BuildHasherDefault::<DefaultHasher>::default().hash_one((state, holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::mutant::Fault;
    use specs::{Design, Scenario};

    /// Alone nobody is met, so that only what the actor holds can tell that a lock was not taken.
    #[test]
    fn a_lock_that_is_left_out_is_seen_where_nobody_is_met() {
        let graph = |scope: &Scope| {
            let options = engine::Options {
                keep_graph: true,
                ..engine::Options::default()
            };
            engine::explore(scope, &options).unwrap().graph.unwrap()
        };
        let mut seen = 0;
        for (question, op) in [
            ("verify(a)", "verify."),
            ("forget(a,0)", "forget_snapshot."),
            ("notes(a,0)", "set_notes."),
            ("backup(a)", "backup."),
            ("move(a,b)", "move_group."),
        ] {
            let scenario = Scenario::named(question).unwrap();
            let sound = Scope::new(scenario, Design::HARDENED, &[]);
            let of_sound = graph(&sound);
            assert!(look_the_same((&sound, &of_sound), (&sound, &of_sound)));
            let faults = Fault::all().filter(|fault| {
                let is_here = fault.to_string().starts_with(op);
                is_here && matches!(fault, Fault::Skip(_))
            });
            for fault in faults {
                let taken = of_sound.edges.iter().any(|edge| {
                    matches!(edge.action, Event::Step { label, .. } if label.step == fault.step())
                });
                let faulty = Scope::new(scenario, Design::HARDENED, &[fault]);
                let is_same = look_the_same((&sound, &of_sound), (&faulty, &graph(&faulty)));
                assert_eq!(is_same, !taken, "{question} {fault}");
                seen += u32::from(!is_same);
            }
        }
        assert!(seen > 8, "{seen}");
    }
}
