//! Cycles of the lock order: edges whose takers wait, each for what the next one has.
//!
//! No lock stands above itself, so edges that all rise in the order of the model come back to no lock, even if they
//! come back to a node: the locks of a class are many. Such a cycle of nodes is none.

use super::graph::{LockGraph, Shown, Witness};
use super::page::rises;
use super::{Edge, Taking};
use specs::lock_class::Wait;
use std::collections::{BTreeSet, VecDeque};

/// A cycle: whoever takes an edge has what the one before it waits for.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// The edges, each with a step that takes it.
    pub takings: Vec<Taking>,
    /// A behaviour for each edge; for one edge within a class, two that take two locks in both orders, if there are.
    pub witnesses: Vec<Witness>,
}

impl Cycle {
    /// What the behaviours mean together, in a sentence.
    pub fn conclusion(&self) -> &'static str {
        let is_bounded = |taking: &Taking| matches!(taking.edge.wait, Wait::Seconds(_));
        match (
            self.witnesses.len() > 1,
            self.takings.iter().any(is_bounded),
        ) {
            (true, false) => "Together: each has what the next one waits for, and nobody lets go.",
            (true, true) => {
                "Together: each has what the next one waits for, and nobody lets go until one has waited its time."
            }
            (false, false) => {
                "Whoever takes two of that class in the other order meanwhile waits for this one, and nobody lets go."
            }
            (false, true) => {
                "Whoever takes two of that class in the other order meanwhile waits for this one, and nobody lets go until one has waited its time."
            }
        }
    }
}

/// The shortest cycle through each edge whose taker waits; each cycle once, and none whose edges all rise.
pub fn cycles(graph: &LockGraph) -> Vec<Cycle> {
    let edges = graph.edges();
    let waiting: Vec<&Edge> = edges
        .keys()
        .copied()
        .filter(|edge| edge.wait.blocks())
        .collect();
    let mut known: BTreeSet<BTreeSet<&Edge>> = BTreeSet::new();
    let mut cycles = Vec::new();
    for edge in &waiting {
        let Some(way) = shortest(edge, &waiting) else {
            continue;
        };
        if way.iter().all(|edge| rises(&edges[edge])) {
            continue;
        }
        if known.insert(way.iter().copied().collect()) {
            let taken: Vec<(&Taking, &Shown)> = way
                .iter()
                .filter_map(|edge| telling(&edges[edge]))
                .collect();
            cycles.push(Cycle {
                takings: taken.iter().map(|(taking, _)| (*taking).clone()).collect(),
                witnesses: witnesses(&taken),
            });
        }
    }
    cycles
}

/// A step that takes an edge, one that does not always rise if there is one.
fn telling<'g>(takings: &[(&'g Taking, &'g Shown)]) -> Option<(&'g Taking, &'g Shown)> {
    let falls = takings.iter().find(|(_, shown)| !shown.rises);
    falls.or(takings.first()).copied()
}

/// The fewest edges that lead from what an edge takes back to what it has, itself first.
fn shortest<'e>(start: &'e Edge, edges: &[&'e Edge]) -> Option<Vec<&'e Edge>> {
    let closes = |edge: &Edge| edge.taken.conflicts(&start.held);
    let mut met: Vec<(&Edge, Option<usize>)> = vec![(start, None)];
    let mut queue = VecDeque::from([0]);
    while let Some(at) = queue.pop_front() {
        let edge = met[at].0;
        if closes(edge) {
            let mut way = Vec::new();
            let mut before = Some(at);
            while let Some(n) = before {
                way.push(met[n].0);
                before = met[n].1;
            }
            way.reverse();
            return Some(way);
        }
        for next in edges.iter().filter(|next| edge.taken.conflicts(&next.held)) {
            if !met.iter().any(|(known, _)| known == next) {
                met.push((next, Some(at)));
                queue.push_back(met.len() - 1);
            }
        }
    }
    None
}

/// What shows a cycle.
fn witnesses(taken: &[(&Taking, &Shown)]) -> Vec<Witness> {
    if let [(_, shown)] = taken
        && let Some([one, other]) = both_orders(&shown.pairs)
    {
        return vec![one.clone(), other.clone()];
    }
    taken
        .iter()
        .map(|(_, shown)| shown.witness.clone())
        .collect()
}

/// Two behaviours of one scenario that take the same two locks of a class in both orders.
fn both_orders(pairs: &[Witness]) -> Option<[&Witness; 2]> {
    let reversed = |one: &&Witness, other: &&Witness| {
        one.scenario.name == other.scenario.name
            && one.held == other.taken
            && one.taken == other.held
    };
    let mut found: Vec<[&Witness; 2]> = Vec::new();
    for one in pairs {
        let others = pairs.iter().filter(|other| reversed(&one, other));
        found.extend(others.map(|other| [one, other]));
    }
    found
        .into_iter()
        .min_by_key(|pair| pair.iter().map(|w| w.events.len()).sum::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::id::Actor;
    use specs::scenarios::SCENARIOS;

    fn taken(scenario: usize, held: &str, taken: &str) -> Witness {
        Witness {
            scenario: &SCENARIOS[scenario],
            events: Vec::new(),
            actor: Actor(0),
            held: held.to_owned(),
            taken: taken.to_owned(),
            wait: Wait::Forever,
        }
    }

    #[test]
    fn two_orders_are_the_same_two_locks_of_one_scenario_the_other_way_round() {
        let one = taken(0, "a", "b");
        for (other, is_other_order) in [
            (taken(0, "b", "a"), true),
            (taken(1, "b", "a"), false),
            (taken(0, "a", "b"), false),
            (taken(0, "c", "a"), false),
            (taken(0, "b", "c"), false),
        ] {
            for pairs in [[one.clone(), other.clone()], [other.clone(), one.clone()]] {
                let found = both_orders(&pairs);
                assert_eq!(
                    found.is_some(),
                    is_other_order,
                    "{} {}",
                    other.held,
                    other.taken
                );
            }
        }
    }
}
