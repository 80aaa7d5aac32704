//! What happens in each scenario under `hardened`, as the page `occurrences.md` lists it: what a run is compared with, so that a
//! model in which less happens is noticed.

use std::collections::BTreeSet;

/// The page.
const PAGE: &str = include_str!("../occurrences.md");

/// What the page says of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrences {
    /// Number of states.
    pub states: u64,
    /// Number of edges.
    pub edges: u64,
    /// The names of what happens.
    pub names: BTreeSet<String>,
}

impl Occurrences {
    /// What the page says of a scenario; none if it does not know of it.
    pub fn of(scenario: &str) -> Option<Self> {
        Self::read(PAGE, scenario)
    }

    fn read(page: &str, scenario: &str) -> Option<Self> {
        let mut lines = page
            .lines()
            .skip_while(|line| line.strip_suffix(" edges").and_then(head) != Some(scenario));
        let mut counts = lines.next()?.split(' ').rev().skip(1);
        let edges = counts.next()?.parse().ok()?;
        let states = counts.nth(1)?.parse().ok()?;
        let groups = lines.map_while(|line| line.strip_prefix("  ")?.split_once(": "));
        let names = groups.flat_map(|(of, names)| {
            names.split(", ").map(move |name| match of {
                "environment" => name.to_owned(),
                op => format!("{op}.{name}"),
            })
        });
        Some(Self {
            states,
            edges,
            names: names.collect(),
        })
    }

    /// As the page has it.
    pub fn print(&self, scenario: &str) -> String {
        let mut text = format!("{scenario}: {} states, {} edges\n", self.states, self.edges);
        let mut last = None;
        // The names are sorted, so those of an operation follow each other; of the environment none has a dot.
        let by_op = |name: &String| !name.contains('.');
        let (environment, steps): (Vec<_>, Vec<_>) = self.names.iter().partition(|n| by_op(n));
        let steps = steps.into_iter().filter_map(|name| name.split_once('.'));
        let environment = environment
            .into_iter()
            .map(|name| ("environment", name.as_str()));
        for (of, name) in steps.chain(environment) {
            if last == Some(of) {
                text += &format!(", {name}");
            } else {
                let end = if last.is_some() { "\n" } else { "" };
                text += &format!("{end}  {of}: {name}");
            }
            last = Some(of);
        }
        text + "\n"
    }
}

/// The scenario that a line begins with.
fn head(line: &str) -> Option<&str> {
    line.split_once(": ").map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let first = Occurrences {
            states: 12,
            edges: 34,
            names: names(&[
                "gc.lock_store",
                "gc.lock_store WouldBlock",
                "backup.x",
                "killed other",
            ]),
        };
        let second = Occurrences {
            states: 1,
            names: names(&["cutoff_passed beside backup"]),
            ..first.clone()
        };
        let page = format!(
            "Prose: of some edges\n{}{}```\n",
            first.print("one"),
            second.print("two")
        );
        assert_eq!(Occurrences::read(&page, "one"), Some(first));
        assert_eq!(Occurrences::read(&page, "two"), Some(second));
        assert_eq!(Occurrences::read(&page, "three"), None);
    }
}
