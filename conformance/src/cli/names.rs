//! Finds things by name; an unknown name suggests the nearest, if one is near.

use super::Variant;
use super::output::Output;
use super::shell::word;
use crate::ask;
use crate::litmus::Litmus;
use crate::record::CompletedDesign;
use anyhow::{Context as _, anyhow, bail};
use model::Scope;
use specs::design::{CHANGES, Change, Nonsense, PRESETS, Parsed};
use specs::mutant::{Fault, MUTANTS};
use specs::question::Question;
use specs::question::disturbance::Disturbance;
use specs::question::sets::{SETS, Set};
use specs::scenarios::SCENARIOS;
use specs::{Design, Mutant, Property, Scenario};
use std::collections::BTreeSet;

pub(super) fn scenario(name: &str) -> anyhow::Result<&'static Scenario> {
    Scenario::named(name).ok_or_else(|| {
        if let Some(sentence) = not_disturbed(name) {
            return anyhow!("{name:?} is no question: {sentence}");
        }
        let is_question = name.contains(['+', ';', '(', '@', ':']);
        if let (true, Err(error)) = (is_question, Question::parse(name)) {
            return anyhow!("{name:?} is no question: {error}");
        }
        unknown(
            "scenario",
            "scenarios",
            name,
            SCENARIOS.iter().map(|s| s.name),
        )
    })
}

/// Why a scenario that there is cannot be disturbed in the way that a name says.
fn not_disturbed(name: &str) -> Option<String> {
    let (scenario, by) = name.split_once('@')?;
    let scenario = SCENARIOS.iter().find(|known| known.name == scenario)?;
    let why = match Disturbance::named(by) {
        Some(by) => format!("{} is in it already, or could change nothing", by.name()),
        None => format!("it is disturbed in one way, and {by:?} is none"),
    };
    let all = Disturbance::ALL.into_iter();
    let taken: Vec<&str> = all
        .filter(|by| by.matters(scenario))
        .map(Disturbance::name)
        .collect();
    let takes = match taken[..] {
        [] => "nothing".to_owned(),
        _ => format!("one of {}", taken.join(", ")),
    };
    Some(format!(
        "the scenario {} takes {takes} behind its @; {why}",
        scenario.name
    ))
}

pub(super) fn set(name: &str) -> anyhow::Result<&'static Set> {
    let names = SETS.iter().map(|set| set.name);
    Set::named(name).ok_or_else(|| unknown("set of questions", "sets", name, names))
}

/// The mutant of that name, or the only one of that number.
pub(super) fn mutant(name: &str) -> anyhow::Result<&'static Mutant> {
    let found = mutants_of(name)?;
    let names: Vec<&str> = found.iter().map(|mutant| mutant.name).collect();
    let [mutant] = found[..] else {
        bail!(
            "{name} is the number of {} mutants, and one is needed: {}",
            names.len(),
            names.join(", ")
        );
    };
    Ok(mutant)
}

/// The mutants of these names and numbers, or all.
pub(super) fn mutants(names: &[String]) -> anyhow::Result<Vec<&'static Mutant>> {
    if names.is_empty() {
        return Ok(MUTANTS.iter().collect());
    }
    let found: Vec<_> = names
        .iter()
        .map(|name| mutants_of(name))
        .collect::<anyhow::Result<_>>()?;
    Ok(found.concat())
}

/// The mutant of that name, or all of that number; never none.
fn mutants_of(name: &str) -> anyhow::Result<Vec<&'static Mutant>> {
    let is_meant = |mutant: &&Mutant| mutant.name == name || (mutant.number == name && name != "-");
    let found: Vec<&'static Mutant> = MUTANTS.iter().filter(is_meant).collect();
    if found.is_empty() {
        let names = MUTANTS.iter().map(|mutant| mutant.name);
        return Err(unknown("mutant", "mutants", name, names));
    }
    Ok(found)
}

/// The design that somebody wrote.
pub(super) fn design(name: &str) -> anyhow::Result<Design> {
    parsed(name).map(|parsed| parsed.design)
}

/// The same, with what came along.
fn parsed(name: &str) -> anyhow::Result<Parsed> {
    Parsed::new(name).map_err(|nonsense| match nonsense {
        Nonsense::NoPreset(name) => {
            let of_that_name = |mutant: &&Mutant| mutant.name == name && mutant.faults().is_empty();
            if let Some(mutant) = MUTANTS.iter().find(of_that_name) {
                return anyhow!(
                    "{name} is a mutant and no design; --design {} is what it runs",
                    word(&mutant.design().name())
                );
            }
            let names = PRESETS.iter().map(|preset| preset.name);
            unknown("design", "designs", &name, names)
        }
        Nonsense::NoChange(name) => {
            let names = CHANGES.iter().map(|about| about.name);
            unknown("change", "changes", &name, names)
        }
        nonsense @ (Nonsense::Twice(_)
        | Nonsense::AddedAndTakenAway(_)
        | Nonsense::ThereAlready(..)
        | Nonsense::NotThere(..)
        | Nonsense::RequiresWhatIsTakenAway(..)
        | Nonsense::ExcludesPartOf(..)
        | Nonsense::ExcludeEachOther(..)) => anyhow!("{name}: {nonsense}"),
    })
}

/// The mends of these names, or all.
pub(super) fn mends(names: &[String]) -> anyhow::Result<Vec<Change>> {
    if names.is_empty() {
        return Ok(Change::mends().collect());
    }
    let named = |name: &String| {
        let found = Change::mends().find(|mend| mend.name() == name);
        found.ok_or_else(|| unknown("mend", "changes", name, Change::mends().map(Change::name)))
    };
    names.iter().map(named).collect()
}

/// Says what came along with a design that is asked about, although nobody wrote it: in a record if others are written, and
/// else beside the result.
pub(super) fn say_what_came_along(
    name: &str,
    in_a_record: bool,
    output: &Output,
) -> anyhow::Result<()> {
    let Parsed { design, along } = parsed(name)?;
    if along.is_empty() {
        return Ok(());
    }
    let names = |is_added: bool| {
        let these = along.iter().filter(|along| along.is_added == is_added);
        these.map(|along| along.change.name()).collect()
    };
    if in_a_record {
        output.record(&CompletedDesign {
            kind: "completed_design",
            asked: name.to_owned(),
            design,
            added: names(true),
            taken_away: names(false),
        });
    } else {
        for along in &along {
            output.note(&format!("{name}: {along}"));
        }
    }
    Ok(())
}

pub(super) fn property(name: &str) -> anyhow::Result<Property> {
    let found = Property::ALL
        .iter()
        .find(|property| property.name() == name);
    found.copied().ok_or_else(|| {
        unknown(
            "property",
            "properties",
            name,
            Property::ALL.iter().map(|p| p.name()),
        )
    })
}

/// The litmus tests of these names, or all.
pub(super) fn litmus_tests(names: &[String]) -> anyhow::Result<Vec<&'static Litmus>> {
    if names.is_empty() {
        return Ok(Litmus::all().collect());
    }
    let named = |name: &String| {
        Litmus::named(name)
            .ok_or_else(|| unknown("litmus test", "litmus", name, Litmus::all().map(|l| l.name)))
    };
    names.iter().map(named).collect()
}

/// What is run of the protocol.
pub(super) struct Chosen {
    /// The design.
    pub(super) design: Design,
    /// The faults under it.
    pub(super) faults: Vec<Fault>,
    /// The mutant, if it is one of the board.
    pub(super) mutant: Option<&'static Mutant>,
    /// The mutant, or the faults by their names; none if there is neither.
    pub(super) name: Option<&'static str>,
}

/// The scope of a scenario in a variant, and what that is.
pub(super) fn scope(
    scenario: &'static Scenario,
    variant: &Variant,
) -> anyhow::Result<(Scope, Chosen)> {
    let chosen = chosen(variant)?;
    Ok((Scope::new(scenario, chosen.design, &chosen.faults), chosen))
}

/// Refuses a fault that can change nothing in any of the scenarios that are asked, since nobody there has its step.
pub(super) fn each_fault_is_met<'a>(
    mut scenarios: impl Iterator<Item = &'a Scenario> + Clone,
    chosen: &Chosen,
) -> anyhow::Result<()> {
    for fault in &chosen.faults {
        if !scenarios
            .clone()
            .any(|scenario| ask::is_met(*fault, scenario))
        {
            let first = scenarios.next().map_or("-", |scenario| scenario.name);
            let more = scenarios.count();
            let others = match more {
                0 => String::new(),
                _ => format!(" and {more} more"),
            };
            bail!(
                "{fault} changes nothing in {first}{others}: nobody there takes {}",
                fault.step().full_name()
            );
        }
    }
    Ok(())
}

/// What a variant runs.
pub(super) fn chosen(variant: &Variant) -> anyhow::Result<Chosen> {
    if let Some(mutant) = variant.mutant.as_deref().map(mutant).transpose()? {
        return Ok(Chosen {
            design: mutant.design(),
            faults: mutant.faults().to_vec(),
            mutant: Some(mutant),
            name: Some(mutant.name),
        });
    }
    let faults = faults(variant.faults.iter().map(String::as_str))?;
    let names: Vec<String> = faults.iter().map(Fault::to_string).collect();
    let name = names.join("+");
    let design = variant.design.as_deref();
    let design = design.map_or(Ok(Design::HARDENED), self::design)?;
    let has_step = |fault: &&Fault| fault.step().row().designs.contains(design);
    if let Some(idle) = faults.iter().find(|fault| !has_step(fault)) {
        bail!(
            "{idle} changes nothing: {design} has no step {}",
            idle.step().full_name()
        );
    }
    Ok(Chosen {
        design,
        faults,
        mutant: None,
        name: (!name.is_empty()).then(|| &*name.leak()),
    })
}

/// Faults of these names, each once.
pub(super) fn faults<'a>(names: impl Iterator<Item = &'a str>) -> anyhow::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for name in names {
        let fault = Fault::parse(name).map_err(|lack| anyhow!(lack))?;
        if faults
            .iter()
            .any(|other: &Fault| other.step() == fault.step())
        {
            bail!("{name}: a step can have one fault, and this one has another already");
        }
        faults.push(fault);
    }
    Ok(faults)
}

/// The faults of what a record names as its mutant: those of a mutant, or by their names.
pub(super) fn faults_of(name: Option<&str>) -> anyhow::Result<Vec<Fault>> {
    let Some(name) = name else {
        return Ok(Vec::new());
    };
    match MUTANTS.iter().find(|mutant| mutant.name == name) {
        Some(mutant) => Ok(mutant.faults().to_vec()),
        None if name.contains('.') => faults(name.split('+')),
        None => mutant(name).map(|mutant| mutant.faults().to_vec()),
    }
}

/// The flags that run a variant again, by its design and the name of its mutant or its faults.
pub(super) fn flags(design: Design, name: Option<&str>) -> String {
    let is_it = |mutant: &&Mutant| Some(mutant.name) == name && mutant.design() == design;
    if let Some(mutant) = MUTANTS.iter().find(is_it) {
        return format!("--mutant {}", word(mutant.name));
    }
    let faults = name.into_iter().flat_map(|name| name.split('+'));
    let faults: String = faults.map(|name| format!(" --fault {name}")).collect();
    format!("--design {}{faults}", word(&design.name()))
}

/// The scenario of that name, or that of the mutant if none is named.
pub(super) fn scenario_or_that_of_mutant(
    name: Option<&str>,
    variant: &Variant,
) -> anyhow::Result<&'static Scenario> {
    let of_mutant = variant.mutant.as_deref().map(mutant).transpose()?;
    let name = name.or(of_mutant.map(|mutant| mutant.scenario));
    scenario(name.ok_or_else(|| {
        anyhow!("name a scenario, or a mutant with --mutant (lockstep list scenarios)")
    })?)
}

/// The scenarios of these names, or all that are chosen.
pub(super) fn scenarios(
    names: &[String],
    chosen: impl Fn(&Scenario) -> bool,
) -> anyhow::Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(SCENARIOS
            .iter()
            .filter(|scenario| chosen(scenario))
            .collect());
    }
    let found: Vec<&Scenario> = names
        .iter()
        .map(|name| scenario(name))
        .collect::<anyhow::Result<_>>()?;
    each_once(found.iter().map(|scenario| scenario.name))?;
    Ok(found)
}

/// What is named twice would be counted twice.
pub(super) fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            bail!("{name} is asked twice; name it once");
        }
    }
    Ok(())
}

/// How alike two names are of which one may be meant by the other. What long names have in common with any word lies below.
const NEAR: f64 = 0.75;

/// No name is so long; likeness takes a time that grows with the length.
const LONGEST: usize = 200;

/// No such thing; `list` names them all.
fn unknown<'a>(
    what: &str,
    list: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> anyhow::Error {
    let nearest = known
        .filter(|_| name.len() <= LONGEST)
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known);
    let hint = nearest
        .map(|nearest| format!("; did you mean {nearest}?"))
        .unwrap_or_default();
    // Quotes show what cannot be seen.
    let shown = match name.is_empty() || name.contains(char::is_whitespace) {
        true => format!("{name:?}"),
        false => name.to_owned(),
    };
    anyhow!("there is no {what} {shown}{hint} (lockstep list {list} names them all)")
}

/// The property that a mutant breaks, unless another one is named.
pub(super) fn asked(
    named: Option<&str>,
    mutant: Option<&Mutant>,
    scope: &Scope,
) -> anyhow::Result<Vec<Property>> {
    match (named, mutant) {
        (Some(name), _) => {
            let property = property(name)?;
            let asked = scope.asked.contains(&property);
            let mistaken = || format!("{} does not ask {name}", scope.scenario.name);
            asked.then_some(vec![property]).with_context(mistaken)
        }
        (None, Some(mutant)) => Ok(vec![mutant.property]),
        (None, None) => Ok(scope.asked.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_disturb_a_scenario_is_refused_with_what_can() {
        for (name, why) in [
            (
                "one_move_meets_gc@leave",
                "the scenario one_move_meets_gc takes one of kill, full, reload, time, inode behind its @; leave is in it already, or could change nothing",
            ),
            (
                "killed_first_backup_meets_backup@kill",
                "kill is in it already",
            ),
            ("one_move_meets_gc@kill,full", "\"kill,full\" is none"),
            ("one_move_meets_gc@own", "\"own\" is none"),
        ] {
            let refused = scenario(name).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_tree_that_there_is_not_is_named() {
        let refused = scenario("nope:gc").unwrap_err().to_string();
        assert!(refused.contains("no tree is named \"nope\""), "{refused}");
    }
}
