//! What is known of the mends, as rows of tables: for a terminal and for a page.

use super::sets::{Repair, Smallest};
use super::{Fall, Mend};

/// A table: its headings and its rows. Cells are text without markup.
pub struct Rows {
    /// The headings.
    pub headings: &'static [&'static str],
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Plain words.
    Words(String),
    /// Names, which a page sets in the type of code.
    Names(Vec<String>),
}

fn name(name: &str) -> Cell {
    Cell::Names(vec![name.to_owned()])
}

fn words(words: &(impl ToString + ?Sized)) -> Cell {
    Cell::Words(words.to_string())
}

/// One row for each property among falls: the scenario with the shortest trace, its events, and how many others there are.
fn by_property(falls: &[Fall]) -> Vec<(&'static str, Fall, usize)> {
    let mut found: Vec<(&'static str, Fall, usize)> = Vec::new();
    for fall in falls {
        match found
            .iter_mut()
            .find(|(property, ..)| *property == fall.property)
        {
            Some((_, shortest, others)) => {
                *others += 1;
                if fall.trace_length < shortest.trace_length {
                    *shortest = *fall;
                }
            }
            None => found.push((fall.property, *fall, 0)),
        }
    }
    found
}

/// Falls in a few words.
fn told(falls: &[Fall]) -> Vec<String> {
    let by_property = by_property(falls).into_iter();
    by_property
        .map(|(property, shortest, others)| {
            let more = match others {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            let Fall {
                scenario,
                trace_length,
                ..
            } = shortest;
            format!("{property} in {scenario} after {trace_length}{more}")
        })
        .collect()
}

/// What falls without each mend.
pub fn without(mends: &[Mend]) -> Rows {
    let mut rows = Vec::new();
    for mend in mends {
        for (property, shortest, others) in by_property(&mend.without) {
            rows.push(vec![
                name(mend.mend),
                name(property),
                name(shortest.scenario),
                words(&shortest.trace_length),
                words(&others),
            ]);
        }
        if let (true, Some(kept_by)) = (mend.without.is_empty(), mend.kept_by) {
            let nothing = words("nothing");
            rows.push(vec![
                name(mend.mend),
                nothing,
                words(kept_by),
                words(""),
                words(""),
            ]);
        }
    }
    Rows {
        headings: &[
            "without",
            "what falls",
            "shortest in",
            "events",
            "other scenarios",
        ],
        rows,
    }
}

/// What each mend does by itself.
pub fn alone(mends: &[Mend]) -> Rows {
    let cell = |falls: &[Fall]| match told(falls) {
        told if told.is_empty() => words("nothing"),
        told => words(&told.join("; ")),
    };
    let rows = mends
        .iter()
        .map(|mend| vec![name(mend.mend), cell(&mend.repairs), cell(&mend.breaks)]);
    Rows {
        headings: &["`upstream` and", "repairs", "breaks"],
        rows: rows.collect(),
    }
}

fn joined(sets: &[Vec<&'static str>]) -> Cell {
    Cell::Names(sets.iter().map(|set| set.join(" + ")).collect())
}

/// What repairs whatever the published design breaks.
pub fn repairs(repairs: &[Repair]) -> Rows {
    let rows = repairs.iter().map(|repair| {
        vec![
            name(repair.property),
            name(repair.scenario),
            words(&repair.trace_length),
            joined(&repair.sets),
            words(&repair.matter.len()),
            words(if repair.is_all { "yes" } else { "of up to 3" }),
        ]
    });
    Rows {
        headings: &[
            "property",
            "scenario",
            "falls after",
            "holds with",
            "mends that matter",
            "all sets",
        ],
        rows: rows.collect(),
    }
}

/// What restores each property everywhere.
pub fn smallest(smallest: &[Smallest]) -> Rows {
    let rows = smallest.iter().map(|smallest| {
        let breaks = told(&smallest.breaks);
        vec![
            name(smallest.property),
            words(&smallest.sets.first().map_or(0, Vec::len)),
            joined(&smallest.sets),
            words(&if breaks.is_empty() {
                "nothing".to_owned()
            } else {
                breaks.join("; ")
            }),
        ]
    });
    Rows {
        headings: &[
            "property",
            "mends",
            "smallest sets",
            "what the first one breaks",
        ],
        rows: rows.collect(),
    }
}
