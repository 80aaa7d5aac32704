//! `lockstep mutants --everywhere` and `lockstep mends --replay`: each change in every scenario.

use super::output::{Output, count, table, worst};
use super::{Common, driver_options, names};
use crate::everywhere::{self, Everywhere, Expected, Subject};
use crate::mends::{self, Explorer};
use crate::record::Verdict;
use crate::replay::Plan;
use model::Scope;
use std::time::Instant;

/// Asks these changes in these scenarios or, if none is named, in all; then in the large scenarios as well, if all are asked
/// for or a bug falls in no other one, and without a replay of those.
pub(super) fn run(
    chosen: &[Subject],
    scenarios: &[String],
    all: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let threads = common.threads.into();
    let is_everywhere = scenarios.is_empty();
    let (small, large) = match is_everywhere {
        true => mends::scenarios(Some(mends::MOST_STATES), threads)?,
        false => (names::scenarios(scenarios, |_| true)?, Vec::new()),
    };
    let options = driver_options(common)?;
    let plan = |scope: &Scope| Plan {
        scenario: scope.scenario,
        design: scope.design,
        faults: scope.faults.clone(),
        options: options.clone(),
        lanes: 2,
    };
    let mut of_small = Explorer::new(small, Vec::new(), threads, |_| {});
    let mut of_large = Explorer::new(large, Vec::new(), threads, |_| {});
    let mut done = Vec::new();
    for subject in chosen {
        let bar = output.bar(&subject.name);
        let mut found = everywhere::ask(
            subject,
            &mut of_small,
            is_everywhere,
            threads,
            Some(&plan),
            &bar,
        )?;
        if is_everywhere && (all || found.falls.is_empty() && subject.expected == Expected::Falls) {
            found.add(everywhere::ask(
                subject,
                &mut of_large,
                true,
                threads,
                None,
                &bar,
            )?);
        }
        drop(bar);
        output.record(&found);
        output.progress(&format!(
            "{}: {}, {:.1} s",
            found.of, found.verdict, found.seconds
        ));
        done.push(found);
    }
    show(&done, output);
    if is_everywhere && !all {
        let large = of_large.scenarios();
        let names: Vec<_> = large.iter().map(|scenario| scenario.name).collect();
        output.remark(&format!(
            "large, and asked only for a bug that falls in no other one: {} (--all asks them always)",
            names.join(", ")
        ));
    }
    let shares = || done.iter().filter_map(|found| found.share.as_ref());
    let (replayed, edges): (u64, u64) = (
        shares().map(|share| share.edges_replayed).sum(),
        shares().map(|share| share.edges).sum(),
    );
    output.remark(&format!(
        "{} changes in {} scenarios, {} states; replayed where they make a difference: {} of {} edges, {:.0} s",
        done.len(),
        done.iter().map(|found| found.scenarios).max().unwrap_or(0),
        count(done.iter().map(|found| found.states).sum()),
        count(replayed),
        count(edges),
        begin.elapsed().as_secs_f64()
    ));
    let verdict: Verdict = worst(done.iter().map(|found| found.verdict));
    Ok(verdict.exit_code())
}

fn show(done: &[Everywhere], output: &Output) {
    let mut table = table(&[
        "change",
        "verdict",
        "scenarios",
        "differs in",
        "falls in",
        "properties",
        "states",
        "edges",
        "replayed",
        "steps",
        "seconds",
    ]);
    for found in done {
        let cell = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
        let share = found.share.as_ref();
        table.add_row([
            found.of.clone(),
            found.verdict.to_string(),
            found.scenarios.to_string(),
            found.different.to_string(),
            found.scenarios_that_fall().to_string(),
            found.properties_that_fall().to_string(),
            count(found.states),
            cell(share.map(|share| share.edges)),
            cell(share.map(|share| share.edges_replayed)),
            cell(share.map(|share| share.steps)),
            format!("{:.1}", found.seconds),
        ]);
    }
    output.text(&table.trim_fmt());
    for found in done {
        for failure in &found.failures {
            output.text(&format!("{}: {failure}", found.of));
        }
    }
}
