//! The generated parts of the page of the mends. All of it is explored once, when the first part is asked for.

use conformance::mends::sets::{self, Repair, Smallest};
use conformance::mends::tables::{self, Cell, Rows};
use conformance::mends::{self, Explorer, MOST_STATES, Mend};
use specs::Scenario;
use specs::design::Change;
use specs::page::Table;
use std::fmt::Display;
use std::sync::OnceLock;

struct Found {
    mends: Vec<Mend>,
    repairs: Vec<Repair>,
    smallest: Vec<Smallest>,
    scenarios: usize,
    large: Vec<&'static Scenario>,
    failures: Vec<String>,
}

fn explore() -> Found {
    let (scenarios, large) = done(mends::scenarios(Some(MOST_STATES), 2));
    let count = scenarios.len();
    let mut explorer = Explorer::new(scenarios, large.clone(), 2, |_| {});
    let mends: Vec<Mend> = Change::mends()
        .map(|mend| done(mends::mend(&mut explorer, mend)))
        .collect();
    let repairs = done(sets::repairs(&mut explorer));
    let smallest = done(sets::smallest(&mut explorer, &repairs));
    let failures = done(mends::failures(&mut explorer, &mends));
    Found {
        mends,
        repairs,
        smallest,
        scenarios: count,
        large,
        failures,
    }
}

fn done<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the mends cannot be explored: {error:#}"))
}

/// # Panics
///
/// If a scenario cannot be explored, or a mend is good for nothing and does not say what keeps it.
fn found() -> &'static Found {
    static FOUND: OnceLock<Found> = OnceLock::new();
    let found = FOUND.get_or_init(explore);
    assert_eq!(found.failures, Vec::<String>::new());
    found
}

fn table(rows: &Rows) -> String {
    let mut table = Table::new(rows.headings);
    for row in &rows.rows {
        table.row(row.iter().map(|cell| match cell {
            Cell::Words(words) => words.clone(),
            Cell::Names(names) => {
                let quoted = names
                    .iter()
                    .map(|name| format!("`{}`", name.replace(" + ", "` + `")));
                quoted.collect::<Vec<_>>().join(", ")
            }
        }));
    }
    table.finish()
}

/// What falls without each mend.
#[must_use]
pub fn without() -> String {
    table(&tables::without(&found().mends))
}

/// What each mend does by itself.
#[must_use]
pub fn alone() -> String {
    table(&tables::alone(&found().mends))
}

/// What repairs whatever the published design breaks.
#[must_use]
pub fn repairs() -> String {
    table(&tables::repairs(&found().repairs))
}

/// What restores each property.
#[must_use]
pub fn smallest() -> String {
    table(&tables::smallest(&found().smallest))
}

/// What was explored.
#[must_use]
pub fn explored() -> String {
    let Found {
        scenarios, large, ..
    } = found();
    let names: Vec<String> = large
        .iter()
        .map(|scenario| format!("`{}`", scenario.name))
        .collect();
    format!(
        "{scenarios} scenarios of the gate were explored. Those with more than {MOST_STATES} states were explored only for a mend that none of them needs: {}.\n",
        names.join(", ")
    )
}
