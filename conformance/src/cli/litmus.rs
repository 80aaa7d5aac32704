//! `lockstep litmus`: one record a test, one table, and the histograms of what is not always the same.

use super::output::{Output, SKIPPED, count, table, worst};
use super::{Common, names};
use crate::edges::Progress as _;
use crate::litmus::Litmus;
use crate::litmus::real::Options;
use crate::litmus::report::{self, Report};
use crate::litmus::text::program;
use crate::record::Verdict;
use anyhow::Context as _;

/// What the columns of the table say.
const LEGEND: &str = "\
expected: how often the condition may come true on Linux; Linux, loom, model: how often it does there. The model may say
sometimes where Linux says always: the program forces what the model leaves open. true: in how many of the tries on Linux it did.";

pub(super) fn run(
    tests: &[String],
    tries: u64,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let options = Options {
        lockstep: std::env::current_exe().context("cannot find the executable of this process")?,
        tmpfs: common.lock_dir.clone(),
        disk: common.store_dir.clone().unwrap_or_else(std::env::temp_dir),
    };
    let tests = names::litmus_tests(tests)?;
    let mut done = Vec::new();
    for litmus in &tests {
        let bar = output.bar(litmus.name);
        bar.begin(1, usize::try_from(tries)?);
        let report = report::run(litmus, tries, common.threads.into(), &options, &|tries| {
            bar.set(tries);
        })?;
        drop(bar);
        output.record(&report);
        done.push((*litmus, report));
    }
    show(&done, output);
    let code = worst(done.iter().map(|(_, report)| report.verdict)).exit_code();
    let skipped: Vec<&Report> = done
        .iter()
        .map(|(_, report)| report)
        .filter(|report| report.verdict == Verdict::Skipped)
        .collect();
    if skipped.is_empty() {
        return Ok(code);
    }
    output.error(&complaint(&skipped));
    Ok(if code == 0 { SKIPPED } else { code })
}

/// One sentence that names what was skipped, and how to allow it.
fn complaint(skipped: &[&Report]) -> anyhow::Error {
    let names: Vec<&str> = skipped.iter().map(|report| report.name).collect();
    let mut reasons: Vec<&str> = skipped
        .iter()
        .filter_map(|report| report.skipped.as_deref())
        .collect();
    reasons.dedup();
    anyhow::anyhow!("skipped {}: {}", names.join(", "), reasons.join("; "))
}

fn show(done: &[(&Litmus, Report)], output: &Output) {
    if let [(litmus, _)] = done {
        output.text(&program(litmus));
    }
    let mut table = table(&[
        "test", "verdict", "expected", "model", "loom", "Linux", "tries", "true", "seconds",
    ]);
    let cell = |frequency: Option<_>| match frequency {
        Some(frequency) => format!("{frequency}"),
        None => "-".to_owned(),
    };
    for (litmus, report) in done {
        table.add_row([
            report.name.to_owned(),
            report.verdict.to_string(),
            litmus.expected.to_string(),
            cell(report.model),
            cell(report.loom),
            cell(report.linux),
            count(report.positive + report.negative),
            count(report.positive),
            format!("{:.2}", report.seconds),
        ]);
    }
    output.text(&table.trim_fmt());
    output.remark(LEGEND);
    for (_, report) in done {
        if done.len() == 1 || report.histogram.len() > 1 {
            output.text(&format!(
                "{}: {} outcomes",
                report.name,
                report.histogram.len()
            ));
            for (outcome, count) in &report.histogram {
                let mark = if count.is_true { '*' } else { ' ' };
                output.text(&format!("  {:>7} {mark} {outcome}", count.times));
            }
        }
        for failure in &report.failures {
            output.text(&format!("{}: {failure}", report.name));
        }
    }
}
