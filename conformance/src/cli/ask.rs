//! `lockstep ask` and `lockstep merge`: generated questions, and the answers of their parts put together.

use super::output::{Output, count, table, worst};
use super::{Common, Variant, names};
use crate::ask::{self, Answer, Broken, Part};
use crate::record::Verdict;
use specs::Design;
use specs::question::sets::{SETS, Set};
use std::path::PathBuf;

/// Asks these sets, or those of the gate, or all.
pub(super) fn run(
    sets: &[String],
    deep: bool,
    design: Option<&str>,
    part: Part,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let variant = Variant {
        design: design.map(str::to_owned),
        mutant: None,
    };
    let (design, _) = names::design_and_mutant(&variant)?;
    let chosen: Vec<&'static Set> = if sets.is_empty() {
        SETS.iter().filter(|set| deep || set.gate).collect()
    } else {
        sets.iter()
            .map(|name| names::set(name))
            .collect::<anyhow::Result<_>>()?
    };
    let mut answers = Vec::new();
    for set in chosen {
        answers.push(one(set, part, design, common, output)?);
    }
    show(&answers, output);
    Ok(worst(answers.iter().map(ask::verdict)).exit_code())
}

/// One set, with a bar that counts its questions.
pub(super) fn one(
    set: &'static Set,
    part: Part,
    design: Design,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Answer> {
    let bar = output.bar(set.name);
    let (answer, broken) = ask::ask(set, part, design, common.threads.into(), &|done| {
        bar.set(done);
    })?;
    drop(bar);
    for broken in &broken {
        output.record(broken);
    }
    output.record(&answer);
    tell(&broken, output);
    Ok(answer)
}

/// For each property the shortest of the questions that break it.
fn tell(broken: &[Broken], output: &Output) {
    let mut told: Option<&str> = None;
    for (i, found) in broken.iter().enumerate() {
        if told == Some(found.property) {
            continue;
        }
        told = Some(found.property);
        let more = broken[i..]
            .iter()
            .filter(|other| other.property == found.property)
            .count()
            - 1;
        let shortest = broken[i..]
            .iter()
            .filter(|other| other.property == found.property)
            .min_by_key(|other| (other.thinned_length, &other.thinned))
            .unwrap_or(found);
        output.text(&format!(
            "{}: {} is violated after {} events in '{}', and in {more} questions more",
            found.set, found.property, shortest.thinned_length, shortest.thinned
        ));
        output.remark(&format!(
            "  lockstep trace '{}' --design {} --property {}",
            shortest.thinned, shortest.design, shortest.property
        ));
    }
}

/// A line a set.
pub(super) fn show(answers: &[Answer], output: &Output) {
    let mut table = table(&[
        "set",
        "design",
        "part",
        "verdict",
        "questions",
        "states",
        "edges",
        "largest",
        "seconds",
    ]);
    for answer in answers {
        table.add_row([
            answer.set.clone(),
            answer.design.clone(),
            format!("{}/{}", answer.part.k, answer.part.n),
            answer.verdict.clone(),
            count(answer.questions as u64),
            count(answer.states),
            count(answer.edges),
            count(answer.largest),
            format!("{:.1}", answer.seconds),
        ]);
    }
    output.text(&table.trim_fmt());
}

/// Puts the records of these files together.
pub(super) fn merge(files: &[PathBuf], output: &Output) -> anyhow::Result<u8> {
    let mut answers = Vec::new();
    for file in files {
        answers.extend(ask::merge::read(file)?);
    }
    let whole = ask::merge::merge(&answers)?;
    for answer in &whole {
        output.record(answer);
    }
    show(&whole, output);
    Ok(worst(whole.iter().map(ask::verdict).collect::<Vec<Verdict>>()).exit_code())
}
