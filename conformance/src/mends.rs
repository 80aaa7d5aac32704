//! What each mend is good for: what falls without it, what it repairs and what it breaks by itself, and which sets of
//! mends are needed together.
//!
//! *How it is computed.* Scenarios are explored completely, with all properties that they ask: under the hardened design
//! less each mend, and under the published one with each. What the published one breaks is then looked at one by one, see
//! [`sets`]. Nothing is concluded about scenarios that were not explored.

mod explorer;
pub mod sets;
pub mod tables;

pub(crate) use explorer::look;
pub use explorer::{Explorer, Fall};

use crate::record::Verdict;
use anyhow::Context as _;
use model::Scope;
use model::engine::{self, Options};
use model::verdict::Completeness;
use serde::Serialize;
use specs::design::Change;
use specs::scenarios::SCENARIOS;
use specs::{Design, Scenario};

/// Scenarios with more states than this are large: they are explored for a mend that no smaller one needs, unless all are
/// asked for.
pub const MOST_STATES: u64 = 100_000;

/// What is known of one mend.
#[derive(Clone, Debug, Serialize)]
pub struct Mend {
    /// `mend`.
    pub kind: &'static str,
    /// Its name.
    pub mend: &'static str,
    /// `holds` if something falls without it, or it says what keeps it; `violated` if nothing does.
    pub verdict: Verdict,
    /// What falls under the hardened design without it, and with it does not.
    pub without: Vec<Fall>,
    /// What falls under the published design, and with this mend alone does not.
    pub repairs: Vec<Fall>,
    /// What falls under the published design with this mend alone, and without it does not.
    pub breaks: Vec<Fall>,
    /// What keeps it, if no property does.
    pub kept_by: Option<&'static str>,
}

/// What was looked at in all.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `mends`.
    pub kind: &'static str,
    /// The worst verdict: `violated` if a mend is good for nothing, or the hardened design breaks something.
    pub verdict: Verdict,
    /// Whether every exploration went to its end.
    pub complete: bool,
    /// The scenarios that were explored.
    pub scenarios: usize,
    /// The scenarios of the gate that are large, and were explored only for a mend that no other one needs.
    pub large: Vec<&'static str>,
    /// Pairs of a scenario and a design that were explored.
    pub explored: usize,
    /// Their states.
    pub states: u64,
    /// Time in seconds.
    pub seconds: f64,
    /// What is wrong, one sentence each.
    pub failures: Vec<String>,
}

/// What is known of one mend.
pub fn mend(explorer: &mut Explorer, mend: Change) -> anyhow::Result<Mend> {
    let published = explorer.falls(Design::UPSTREAM)?;
    let alone = explorer.falls(Design::UPSTREAM.with(mend))?;
    let kept_by = mend.about().kept_by;
    let (whole, less_it) = (Design::HARDENED, Design::HARDENED.without(mend));
    let mut without = less(&explorer.falls(less_it)?, &explorer.falls(whole)?);
    if without.is_empty() && kept_by.is_none() {
        let falls = explorer.falls_in_large(less_it)?;
        without = less(&falls, &explorer.falls_in_large(whole)?);
    }
    Ok(Mend {
        kind: "mend",
        mend: mend.name(),
        verdict: if without.is_empty() && kept_by.is_none() {
            Verdict::Violated
        } else {
            Verdict::Holds
        },
        without,
        repairs: less(&published, &alone),
        breaks: less(&alone, &published),
        kept_by,
    })
}

/// The scenarios of the gate that have no more states than that, under the published and the hardened design; and the
/// others.
pub fn scenarios(
    most: Option<u64>,
    threads: usize,
) -> anyhow::Result<(Vec<&'static Scenario>, Vec<&'static Scenario>)> {
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.runs.check) {
        let options = Options {
            threads,
            max_states: most,
            ..Options::default()
        };
        let mut is_small = true;
        for design in [Design::HARDENED, Design::UPSTREAM] {
            let scope = Scope::new(scenario, design, &[]);
            let explored = engine::explore(&scope, &options)
                .with_context(|| format!("cannot explore {}", scenario.name))?;
            is_small &= explored.record.completeness == Completeness::Complete;
        }
        if is_small {
            small.push(scenario);
        } else {
            large.push(scenario);
        }
    }
    Ok((small, large))
}

/// What is wrong with some mends, or with the design that has all of them.
pub fn failures(explorer: &mut Explorer, mends: &[Mend]) -> anyhow::Result<Vec<String>> {
    let broken = explorer.failures(Design::HARDENED)?;
    let idle = mends.iter().filter(|mend| mend.verdict != Verdict::Holds);
    let idle = idle.map(|mend| {
        format!(
            "{}: nothing falls without it, and nothing says what keeps it",
            mend.mend
        )
    });
    Ok(broken.into_iter().chain(idle).collect())
}

/// What of the first falls is not among the others, whatever the length of their traces.
fn less(these: &[Fall], those: &[Fall]) -> Vec<Fall> {
    let is_new = |fall: &&Fall| !those.iter().any(|other| other.is_of(fall));
    these.iter().filter(is_new).copied().collect()
}
