//! `lockstep ask` and `lockstep merge`: generated questions, and the answers of their parts put together.

use super::output::{Output, count, table, worst};
use super::shell::word;
use super::{Common, Variant, driver_options, names};
use crate::ask::{self, Answer, Broken, Part, Protocol};
use crate::record::{Share, Verdict};
use crate::replay::Plan;
use crate::share::{self, Sharing};
use model::Scope;
use specs::Scenario;
use specs::mutant::MUTANTS;
use specs::question::sets::{SETS, Set};
use std::path::PathBuf;

impl From<names::Chosen> for Protocol {
    fn from(chosen: names::Chosen) -> Self {
        Self {
            design: chosen.design,
            faults: chosen.faults,
            mutant: chosen.name.map(str::to_owned),
        }
    }
}

/// Asks these sets, or those of the gate, or all.
pub(super) fn run(
    sets: &[String],
    deep: bool,
    variant: &Variant,
    part: Part,
    replays: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let protocol = names::chosen(variant)?;
    let chosen: Vec<&'static Set> = if sets.is_empty() {
        SETS.iter().filter(|set| deep || set.gate).collect()
    } else {
        sets.iter()
            .map(|name| names::set(name))
            .collect::<anyhow::Result<_>>()?
    };
    names::each_once(chosen.iter().map(|set| set.name))?;
    for set in &chosen {
        part.check(set.name, set.questions().len())?;
    }
    // Of the whole set: a part need not have what another one has.
    let questions = chosen.iter().flat_map(|set| set.questions());
    let scenarios = questions.map(|question| question.scenario());
    names::each_fault_is_met(scenarios, &protocol)?;
    let protocol = Protocol::from(protocol);
    let mut answers = Vec::new();
    let mut shares = Vec::new();
    for set in chosen {
        answers.push(one(set, part, &protocol, common, output)?);
        if replays {
            shares.push(share(set, part, &protocol, common, output)?);
        }
    }
    show(&answers, output);
    show_shares(&shares, output);
    let verdicts = answers.iter().map(ask::verdict);
    let verdict = worst(verdicts.chain(shares.iter().map(|share| share.verdict)));
    Ok(verdict.exit_code())
}

/// Replays a share of a set's graphs on real files: every meeting of two operations that occurs in one of them.
pub(super) fn share(
    set: &'static Set,
    part: Part,
    protocol: &Protocol,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Share> {
    let asked = part.of(set.questions());
    let scopes = asked.iter().map(|question| protocol.scope(question));
    let with = protocol.mutant.iter().map(|name| format!(" with {name}"));
    let of = format!("{}{}", set.name, with.collect::<String>());
    share_of(
        Sharing::new(&of, protocol.design, share::meetings),
        scopes,
        common,
        output,
    )
}

/// Replays a share of the graphs of these scopes.
pub(super) fn share_of(
    mut sharing: Sharing,
    scopes: impl Iterator<Item = Scope>,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Share> {
    let options = driver_options(common)?;
    let bar = output.bar("replayed");
    for scope in scopes {
        let plan = Plan {
            scenario: scope.scenario,
            design: scope.design,
            faults: scope.faults.clone(),
            options: options.clone(),
            lanes: 2,
        };
        sharing.replay(&scope, &plan, common.threads.into(), &bar)?;
    }
    drop(bar);
    let share = sharing.end();
    output.record(&share);
    Ok(share)
}

/// A line a share.
pub(super) fn show_shares(shares: &[Share], output: &Output) {
    if shares.is_empty() {
        return;
    }
    let mut table = table(&[
        "replayed of",
        "design",
        "verdict",
        "graphs",
        "edges",
        "on a path",
        "meetings",
        "traces",
        "steps",
        "values",
        "seconds",
    ]);
    for share in shares {
        table.add_row([
            share.of.clone(),
            share.design.name(),
            share.verdict.to_string(),
            count(share.graphs as u64),
            count(share.edges),
            count(share.edges_replayed),
            count(share.sights as u64),
            count(share.traces),
            count(share.steps),
            count(share.compared_fields),
            format!("{:.1}", share.seconds),
        ]);
    }
    output.text(&table.trim_fmt());
    for share in shares {
        for failure in &share.failures {
            output.text(&format!("{}: {failure}", share.of));
        }
    }
}

/// One set, with a bar that counts its questions.
pub(super) fn one(
    set: &'static Set,
    part: Part,
    protocol: &Protocol,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Answer> {
    let bar = output.bar(set.name);
    let (answer, broken) = ask::ask(set, part, protocol, common.threads.into(), &|done| {
        bar.set(done);
    })?;
    drop(bar);
    for broken in &broken {
        output.record(broken);
    }
    output.record(&answer);
    tell(&broken, protocol, output);
    Ok(answer)
}

/// For each property the shortest of the questions that break it.
fn tell(broken: &[Broken], protocol: &Protocol, output: &Output) {
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
        let thinned = word(&shortest.thinned);
        let flags = flags(&shortest.thinned, protocol);
        // What nobody can leave is no property, so there is no trace by its name.
        output.remark(&match shortest.property {
            ask::DEADLOCK => format!("  lockstep check {thinned} {flags}"),
            property => format!("  lockstep trace {thinned} {flags} --property {property}"),
        });
    }
}

/// What asks a thinned question again: a fault that nobody there meets is refused, and was not needed.
fn flags(thinned: &str, protocol: &Protocol) -> String {
    let is_mutant = |name: &&str| MUTANTS.iter().any(|mutant| mutant.name == *name);
    let name = protocol.mutant.as_deref();
    let (None, Some(scenario)) = (name.filter(is_mutant), Scenario::named(thinned)) else {
        return names::flags(protocol.design, name);
    };
    let met = protocol
        .faults
        .iter()
        .filter(|fault| ask::is_met(**fault, scenario));
    let met: Vec<String> = met.map(ToString::to_string).collect();
    let met = (!met.is_empty()).then(|| met.join("+"));
    names::flags(protocol.design, met.as_deref())
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
            under(answer),
            answer.part.to_string(),
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

/// Under what an answer was asked.
fn under(answer: &Answer) -> String {
    match &answer.mutant {
        Some(name) if *name != answer.design => format!("{} with {name}", answer.design),
        Some(_) | None => answer.design.clone(),
    }
}

/// Puts the records of these files together.
pub(super) fn merge(files: &[PathBuf], output: &Output) -> anyhow::Result<u8> {
    let mut told = ask::merge::Told::default();
    for file in files {
        told.read(file)?;
    }
    let whole = told.merge()?;
    for answer in &whole {
        output.record(answer);
    }
    show(&whole, output);
    Ok(worst(whole.iter().map(ask::verdict).collect::<Vec<Verdict>>()).exit_code())
}
