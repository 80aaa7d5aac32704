//! Which mends are needed together.
//!
//! *In one scenario.* A mend matters there if the graph of the published design changes with it, or that of the hardened
//! design without it: states, edges, depth, or how often any property was tested, violated or witnessed. Of the mends that
//! matter every set of up to [`MOST`] is tried on top of the published design, the smaller ones first. One is kept if the
//! property holds with it and with none of its parts. If no set is that small, mends are left out of all that matter as
//! long as the property holds.
//!
//! *Everywhere.* A set that restores a property has, for each scenario in which the published design breaks it, one of
//! the sets found there. The smallest of their unions are then explored in every scenario that asks the property: one
//! mend may break what another one repairs.

use super::{Explorer, Fall, less};
use serde::Serialize;
use specs::design::Change;
use specs::{Design, Scenario};
use std::collections::BTreeSet;

/// Sets of more mends are not tried one by one.
pub const MOST: usize = 3;

/// Mends, by their place in the list of changes.
type Set = BTreeSet<Change>;

/// What repairs a property in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Repair {
    /// `repair`.
    pub kind: &'static str,
    /// The property.
    pub property: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// Events of a shortest behaviour that breaks it under the published design.
    pub trace_length: usize,
    /// The mends that change anything in this scenario.
    pub matter: Vec<&'static str>,
    /// The sets with which it holds, none of them part of another one.
    pub sets: Vec<Vec<&'static str>>,
    /// Whether these are all: false if there may be others of more than three mends.
    pub is_all: bool,
}

/// The smallest sets of mends that restore a property everywhere.
#[derive(Clone, Debug, Serialize)]
pub struct Smallest {
    /// `smallest_mends`.
    pub kind: &'static str,
    /// The property.
    pub property: &'static str,
    /// The sets; none if no set that was tried does it.
    pub sets: Vec<Vec<&'static str>>,
    /// What else falls under the published design with the first of them, and without it does not.
    pub breaks: Vec<Fall>,
}

fn names(set: &Set) -> Vec<&'static str> {
    set.iter().map(|mend| mend.name()).collect()
}

fn published_with(set: &Set) -> Design {
    let mends = set.iter().copied();
    mends.fold(Design::UPSTREAM, Design::with)
}

/// The mends that matter in a scenario.
fn matter(explorer: &mut Explorer, scenario: &'static Scenario) -> anyhow::Result<Vec<Change>> {
    let mut found = Vec::new();
    for mend in Change::mends() {
        let mut differs = false;
        for (one, other) in [
            (Design::UPSTREAM, Design::UPSTREAM.with(mend)),
            (Design::HARDENED, Design::HARDENED.without(mend)),
        ] {
            let one = explorer.see(scenario, one)?;
            let other = explorer.see(scenario, other)?;
            differs |= !one.looks_like(&other);
        }
        if differs {
            found.push(mend);
        }
    }
    Ok(found)
}

/// The sets of so many of some mends.
fn subsets(mends: &[Change], size: usize) -> Vec<Set> {
    let Some(rest) = size.checked_sub(1) else {
        return vec![Set::new()];
    };
    let mut all = Vec::new();
    for (at, mend) in mends.iter().enumerate() {
        for mut set in subsets(&mends[at + 1..], rest) {
            set.insert(*mend);
            all.push(set);
        }
    }
    all
}

/// What repairs all that the published design breaks and the hardened one does not, scenario by scenario.
pub fn repairs(explorer: &mut Explorer) -> anyhow::Result<Vec<Repair>> {
    let mut all = Vec::new();
    for scenario in explorer.scenarios() {
        let published = explorer.see(scenario, Design::UPSTREAM)?;
        let exceptions = explorer.see(scenario, Design::HARDENED)?;
        let broken = less(&published.falls, &exceptions.falls);
        if broken.is_empty() {
            continue;
        }
        let matter = matter(explorer, scenario)?;
        for fall in &broken {
            let (sets, is_all) = sets_that_repair(explorer, scenario, fall, &matter)?;
            all.push(Repair {
                kind: "repair",
                property: fall.property,
                scenario: scenario.name,
                trace_length: fall.trace_length,
                matter: matter.iter().map(|mend| mend.name()).collect(),
                sets: sets.iter().map(names).collect(),
                is_all,
            });
        }
    }
    Ok(all)
}

fn holds(
    explorer: &mut Explorer,
    scenario: &'static Scenario,
    fall: &Fall,
    set: &Set,
) -> anyhow::Result<bool> {
    let seen = explorer.see(scenario, published_with(set))?;
    Ok(!seen.falls.iter().any(|other| other.is_of(fall)))
}

fn sets_that_repair(
    explorer: &mut Explorer,
    scenario: &'static Scenario,
    fall: &Fall,
    matter: &[Change],
) -> anyhow::Result<(Vec<Set>, bool)> {
    let mut found: Vec<Set> = Vec::new();
    for size in 1..=MOST.min(matter.len()) {
        for set in subsets(matter, size) {
            let is_new = !found.iter().any(|smaller| smaller.is_subset(&set));
            if is_new && holds(explorer, scenario, fall, &set)? {
                found.push(set);
            }
        }
    }
    let mut left: Set = matter.iter().copied().collect();
    if found.is_empty() && holds(explorer, scenario, fall, &left)? {
        for mend in matter {
            left.remove(mend);
            if !holds(explorer, scenario, fall, &left)? {
                left.insert(*mend);
            }
        }
        found.push(left);
    }
    Ok((found, matter.len() <= MOST))
}

/// The smallest sets that restore each property that the published design breaks.
pub fn smallest(explorer: &mut Explorer, repairs: &[Repair]) -> anyhow::Result<Vec<Smallest>> {
    let mut properties: Vec<&'static str> = Vec::new();
    for repair in repairs {
        if !properties.contains(&repair.property) {
            properties.push(repair.property);
        }
    }
    let published = explorer.falls(Design::UPSTREAM)?;
    let mut all = Vec::new();
    for property in properties {
        let of_property = repairs.iter().filter(|repair| repair.property == property);
        let mut candidates = unions(of_property);
        candidates.sort_by_key(BTreeSet::len);
        let mut sets: Vec<Set> = Vec::new();
        for set in candidates {
            let is_larger = sets.first().is_some_and(|first| first.len() < set.len());
            if !is_larger && is_kept(explorer, property, &set)? {
                sets.push(set);
            }
        }
        let breaks = match sets.first() {
            Some(first) => less(&explorer.falls(published_with(first))?, &published),
            None => Vec::new(),
        };
        all.push(Smallest {
            kind: "smallest_mends",
            property,
            sets: sets.iter().map(names).collect(),
            breaks,
        });
    }
    Ok(all)
}

/// Unions of one set of each scenario, none of which is part of another one.
fn unions<'a>(repairs: impl Iterator<Item = &'a Repair>) -> Vec<Set> {
    let mut unions = vec![Set::new()];
    for repair in repairs {
        let mut longer: Vec<Set> = Vec::new();
        for union in &unions {
            for set in &repair.sets {
                let mends = set.iter().filter_map(|name| Change::named(name));
                let joined: Set = union.iter().copied().chain(mends).collect();
                if !longer.iter().any(|other| other.is_subset(&joined)) {
                    longer.retain(|other| !joined.is_subset(other));
                    longer.push(joined);
                }
            }
        }
        unions = longer;
    }
    unions
}

/// Whether the published design with these mends keeps a property in every scenario in which the hardened one does.
fn is_kept(explorer: &mut Explorer, property: &str, set: &Set) -> anyhow::Result<bool> {
    let exceptions = explorer.falls(Design::HARDENED)?;
    let falls = less(&explorer.falls(published_with(set))?, &exceptions);
    Ok(!falls.iter().any(|fall| fall.property == property))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Set {
        names
            .iter()
            .filter_map(|name| Change::named(name))
            .collect()
    }

    fn repair(sets: &[&[&'static str]]) -> Repair {
        Repair {
            kind: "repair",
            property: "p",
            scenario: "s",
            trace_length: 1,
            matter: Vec::new(),
            sets: sets.iter().map(|set| set.to_vec()).collect(),
            is_all: true,
        }
    }

    #[test]
    fn sets_of_a_size_come_each_once() {
        let mends: Vec<Change> = Change::mends().take(4).collect();
        assert_eq!(subsets(&mends, 0), [Set::new()]);
        let pairs: BTreeSet<Set> = subsets(&mends, 2).into_iter().collect();
        assert_eq!(pairs.len(), 6);
        assert!(pairs.iter().all(|pair| pair.len() == 2));
    }

    #[test]
    fn a_union_has_a_set_of_each_scenario_and_no_part_that_has_one_as_well() {
        let (torn, under, owner) = (
            "mends_torn_tail",
            "renames_under_journal_lock",
            "replaces_owner_file",
        );
        let repairs = [
            repair(&[&[torn], &[under]]),
            repair(&[&[under, owner], &[torn]]),
        ];
        assert_eq!(unions(repairs.iter()), [set(&[torn]), set(&[under, owner])]);
        assert!(unions([repair(&[])].iter()).is_empty());
    }
}
