//! Puts the answers of the parts of a set together, and says whether they are whole. Whatever contradicts itself, or what is
//! known of the set, is refused: a green answer is worth no more than the records that it was made of.

use super::{Answer, DEADLOCK, Part, is_met, lines, verdict};
use anyhow::{Context as _, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use specs::design::Parsed;
use specs::mutant::{Fault, MUTANTS};
use specs::property::Mood;
use specs::question::sets::Set;
use specs::{Design, Property};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// How many of the parts that are missing are listed.
const LISTED: usize = 8;

/// What the records of `lockstep ask` say.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<Key, Records>);

/// What was asked: a set, under a design, with a mutant or faults.
type Key = (String, String, Option<String>);

/// The records of one set under one design.
#[derive(Debug, Default)]
struct Records {
    answers: Vec<Answer>,
    broken: BTreeSet<(String, String)>,
}

/// A question that breaks something, as its record names it.
#[derive(Debug, Deserialize)]
struct Broken {
    set: String,
    design: String,
    #[serde(default)]
    mutant: Option<String>,
    question: String,
    property: String,
}

impl Told {
    /// Takes the records of a file, one JSON record a line.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a line is no record of a question that was asked.
    pub fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        lines::each(&name, BufReader::new(file), &mut |line| self.take(line))
    }

    /// Takes one record.
    fn take(&mut self, text: &str) -> anyhow::Result<()> {
        let no_record = "this is no record of lockstep ask --format json";
        let record: Value = serde_json::from_str(text).context(no_record)?;
        match record["kind"].as_str() {
            Some("questions") => {
                let answer: Answer = serde_json::from_value(record).context(no_record)?;
                let tested = answer.tested.keys().find(|name| !can_be_tested(name));
                let violated = answer.violated.keys().find(|name| !can_be_broken(name));
                if let Some(name) = tested.or(violated) {
                    bail!(nobody_asks(name));
                }
                self.of(&answer.set, &answer.design, answer.mutant.as_deref())
                    .answers
                    .push(answer);
            }
            Some("question") => {
                let broken: Broken = serde_json::from_value(record).context(no_record)?;
                if !can_be_broken(&broken.property) {
                    bail!(nobody_asks(&broken.property));
                }
                let records = self.of(&broken.set, &broken.design, broken.mutant.as_deref());
                records.broken.insert((broken.question, broken.property));
            }
            Some("share") => ensure!(
                record["verdict"] == "holds" && record["complete"] == true,
                "this replay of a share does not hold, so there is nothing green to put together"
            ),
            Some("completed_design") => {}
            Some("error") => bail!(
                "here an error stands, so what was asked did not come to its end; ask it again: {}",
                record["message"].as_str().unwrap_or_default()
            ),
            Some(kind) => bail!("{no_record}, which writes none of the kind {kind:?}"),
            None => bail!("{no_record}: it has no kind"),
        }
        Ok(())
    }

    fn of(&mut self, set: &str, design: &str, mutant: Option<&str>) -> &mut Records {
        let key = (set.to_owned(), design.to_owned(), mutant.map(str::to_owned));
        self.0.entry(key).or_default()
    }

    /// One answer for each set and design, out of those of their parts.
    ///
    /// # Errors
    ///
    /// If parts are missing, stand there twice, are parts of different wholes, or say what cannot be; says which.
    pub fn merge(&self) -> anyhow::Result<Vec<Answer>> {
        ensure!(
            !self.0.is_empty(),
            "there is no record of kind questions; make some with lockstep ask --part K/N --format json"
        );
        let of = |(set, design, mutant): &Key| {
            let with = mutant.iter().map(|name| format!(" with {name}"));
            format!("{set} under {design}{}", with.collect::<String>())
        };
        // A name that nobody knows says more than the parts that are missing because of it.
        let sets = self.0.keys().map(|key| known(key).with_context(|| of(key)));
        let sets: Vec<&Set> = sets.collect::<anyhow::Result<_>>()?;
        let whole = |((key, records), set): ((&Key, &Records), &Set)| {
            records.whole(set).with_context(|| of(key))
        };
        self.0.iter().zip(sets).map(whole).collect()
    }
}

/// What is asked of every state besides the properties of the protocol: whether there can be such a state.
const SHAPE: &str = "state_is_well_formed";

/// What every question puts to the test, in its first state already: somebody is at work there.
fn tested_everywhere() -> [&'static str; 2] {
    [SHAPE, Property::NoOperationWaitsForever.name()]
}

/// Whether a question can put a property of that name to the test.
fn can_be_tested(name: &str) -> bool {
    name == SHAPE || Property::ALL.iter().any(|known| known.name() == name)
}

/// Whether a question can break a property of that name; one that is to be witnessed is broken by no state.
fn can_be_broken(name: &str) -> bool {
    let is_it = |known: &Property| known.name() == name && known.entry().mood == Mood::Always;
    name == SHAPE || name == DEADLOCK || Property::ALL.iter().any(is_it)
}

fn nobody_asks(name: &str) -> String {
    format!("no question asks a property {name:?}; ask again, and leave the records as they are")
}

/// The set of that name; refuses what there is not.
fn known((set, design, mutant): &Key) -> anyhow::Result<&'static Set> {
    let set = Set::named(set)
        .context("there is no such set of questions (lockstep list sets names them all)")?;
    let read = Parsed::new(design).map_err(|nonsense| anyhow!("{nonsense}"))?;
    let name = read.design.name();
    ensure!(
        name == *design,
        "this design is called {name}; ask again with --design {name}"
    );
    if let Some(name) = mutant {
        check_mutant(name, read.design, set)?;
    }
    Ok(set)
}

/// Refuses what is neither a mutant of the design nor faults that the design and the set can have.
fn check_mutant(name: &str, design: Design, set: &Set) -> anyhow::Result<()> {
    let faults = match MUTANTS.iter().find(|mutant| mutant.name == name) {
        Some(mutant) => {
            let own = mutant.design().name();
            ensure!(
                own == design.name(),
                "the mutant {name} has the design {own}, and the record has {design}"
            );
            mutant.faults().to_vec()
        }
        None => name
            .split('+')
            .map(|name| Fault::parse(name).map_err(|lack| anyhow!(lack)))
            .collect::<anyhow::Result<_>>()?,
    };
    for (n, fault) in faults.iter().enumerate() {
        let step = fault.step();
        let mut questions = set.questions().into_iter();
        ensure!(
            step.row().designs.contains(design)
                && questions.any(|question| is_met(*fault, question.scenario()))
                && faults[..n].iter().all(|other| other.step() != step),
            "lockstep ask takes no fault {fault} there: the design has no such step, nobody takes it, or it has one already"
        );
    }
    Ok(())
}

impl Records {
    fn whole(&self, set: &Set) -> anyhow::Result<Answer> {
        let names: Vec<String> = set.questions().iter().map(ToString::to_string).collect();
        for answer in &self.answers {
            let part = || format!("part {}", answer.part);
            check(answer, set, names.len()).with_context(part)?;
        }
        let parts = self.parts()?;
        self.check_broken(&parts, &names)?;
        let mut sum = Answer {
            part: Part::WHOLE,
            ..parts[0].clone()
        };
        for part in &parts[1..] {
            add(&mut sum, part).context("the counts of its parts are too large to be added up")?;
        }
        sum.verdict = verdict(&sum).to_string();
        Ok(sum)
    }

    /// All parts of one whole, in their order.
    fn parts(&self) -> anyhow::Result<Vec<&Answer>> {
        let Some(first) = self.answers.first() else {
            bail!("a question is broken, and no record of kind questions counts it");
        };
        let n = first.part.n;
        let mut found = BTreeMap::new();
        for answer in &self.answers {
            let part = answer.part;
            ensure!(
                part.n == n,
                "part {part} and part {} are not of one whole",
                first.part
            );
            let before = found.insert(part.k, answer);
            ensure!(before.is_none(), "part {part} stands there twice");
        }
        let missing: Vec<usize> = (1..=n).filter(|k| !found.contains_key(k)).collect();
        ensure!(missing.is_empty(), "{}", lack(n, &missing));
        Ok(found.into_values().collect())
    }

    /// Makes sure that what is said of single questions is counted where they belong.
    fn check_broken(&self, parts: &[&Answer], names: &[String]) -> anyhow::Result<()> {
        let places: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for (question, property) in &self.broken {
            let place = places.get(question.as_str());
            let place = place.with_context(|| format!("it has no question {question:?}"))?;
            *counts
                .entry((place % parts.len(), property.as_str()))
                .or_default() += 1;
        }
        for ((at, property), count) in counts {
            let told = parts[at].violated.get(property).copied().unwrap_or(0);
            ensure!(
                count <= told,
                "part {} says that {told} of its questions break {property}, and {count} are there that do",
                parts[at].part
            );
        }
        Ok(())
    }
}

/// Which parts are missing.
fn lack(n: usize, missing: &[usize]) -> String {
    let listed: Vec<String> = missing
        .iter()
        .take(LISTED)
        .map(|k| Part { k: *k, n }.to_string())
        .collect();
    let more = match missing.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let are = if missing.len() == 1 {
        "one is"
    } else {
        "some are"
    };
    format!("of {n} parts {are} missing: {}{more}", listed.join(", "))
}

/// Refuses an answer that contradicts itself, or a set of so many questions.
fn check(answer: &Answer, set: &Set, questions: usize) -> anyhow::Result<()> {
    answer.part.check(set.name, questions)?;
    let size = answer.part.size(questions);
    let told = answer.questions;
    ensure!(
        told == size,
        "it has {size} questions, and its record says {told}"
    );
    for (property, count) in answer.tested.iter().chain(&answer.violated) {
        ensure!(
            (1..=told).contains(count),
            "{property} is counted in {count} of {told} questions"
        );
    }
    for property in tested_everywhere() {
        let counted = answer.tested.get(property).copied().unwrap_or(0);
        ensure!(
            counted == told,
            "each of its {told} questions puts {property} to the test, and its record says {counted}"
        );
    }
    let (states, largest) = (answer.states, answer.largest);
    ensure!(
        (1..=states).contains(&largest) && states >= told as u64,
        "the states of {told} questions were counted wrongly: {states}, of which the largest has {largest}"
    );
    ensure!(
        answer.seconds.is_finite() && answer.seconds >= 0.0,
        "it took {} seconds, which cannot be",
        answer.seconds
    );
    let counted = verdict(answer).to_string();
    ensure!(
        answer.verdict == counted,
        "its counts say {counted}, and its verdict says {:?}",
        answer.verdict
    );
    Ok(())
}

/// Adds a part; none if a count is too large.
fn add(sum: &mut Answer, part: &Answer) -> Option<()> {
    sum.complete &= part.complete;
    sum.questions = sum.questions.checked_add(part.questions)?;
    sum.states = sum.states.checked_add(part.states)?;
    sum.edges = sum.edges.checked_add(part.edges)?;
    sum.largest = sum.largest.max(part.largest);
    sum.seconds = Some(sum.seconds + part.seconds).filter(|sum| sum.is_finite())?;
    for (into, from) in [
        (&mut sum.tested, &part.tested),
        (&mut sum.violated, &part.violated),
    ] {
        for (property, count) in from {
            let of_all = into.entry(property.clone()).or_default();
            *of_all = of_all.checked_add(*count)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{ask, blank};
    use specs::Design;

    const SET: &str = "pairs_beside_gc";

    /// An answer that holds.
    fn part(k: usize, n: usize) -> Answer {
        let set = Set::named(SET).unwrap();
        let part = Part { k, n };
        let questions = part.size(set.questions().len());
        Answer {
            verdict: "holds".to_owned(),
            questions,
            states: questions as u64 * 2,
            edges: questions as u64,
            largest: 3,
            tested: tested_everywhere()
                .map(|name| (name.to_owned(), questions))
                .into(),
            ..blank(set, part, &Design::HARDENED.into())
        }
    }

    /// What comes of these records.
    fn merged(records: &[Value]) -> anyhow::Result<Vec<Answer>> {
        let mut told = Told::default();
        for record in records {
            told.take(&record.to_string())?;
        }
        told.merge()
    }

    fn value(answer: &Answer) -> Value {
        serde_json::to_value(answer).unwrap()
    }

    fn refusal(records: &[Value]) -> String {
        format!("{:#}", merged(records).unwrap_err())
    }

    #[test]
    fn parts_put_together_say_what_the_whole_says() {
        let halves = [part(2, 2), part(1, 2)];
        let whole = merged(&halves.each_ref().map(value)).unwrap().remove(0);
        assert_eq!((whole.questions, whole.states), (208, 416));
        assert_eq!((whole.part, whole.verdict.as_str()), (Part::WHOLE, "holds"));
        assert_eq!(whole.tested["no_operation_waits_forever"], 208);
    }

    #[test]
    fn what_was_asked_is_accepted_but_for_the_parts_that_are_missing() {
        let set = Set::named(SET).unwrap();
        for design in [Design::HARDENED, Design::UPSTREAM] {
            let (answer, broken) =
                ask(set, Part { k: 1, n: 70 }, &design.into(), 2, &|_| {}).unwrap();
            let broken = broken.iter().map(|one| serde_json::to_value(one).unwrap());
            let records: Vec<Value> = broken.chain([value(&answer)]).collect();
            let refusal = refusal(&records);
            let lack = "of 70 parts some are missing: 2/70, 3/70, ";
            assert!(refusal.contains(lack), "{refusal}");
            assert!(refusal.ends_with(", and 61 more"), "{refusal}");
        }
    }

    #[test]
    fn parts_that_make_no_whole_are_refused() {
        let twice = [value(&part(1, 2)), value(&part(1, 2))];
        assert!(refusal(&twice).contains("part 1/2 stands there twice"));
        let mixed = [value(&part(1, 2)), value(&part(2, 3))];
        assert!(refusal(&mixed).contains("part 2/3 and part 1/2 are not of one whole"));
        let one = [value(&part(1, 2))];
        assert!(refusal(&one).contains("of 2 parts one is missing: 2/2"));
        assert!(refusal(&[]).contains("there is no record of kind questions"));
    }

    #[test]
    fn an_answer_that_contradicts_itself_or_its_set_is_refused() {
        let count = u64::MAX.into();
        for (field, wrong, said) in [
            (
                "questions",
                1.into(),
                "it has 104 questions, and its record says 1",
            ),
            (
                "verdict",
                "violated".into(),
                "its counts say holds, and its verdict says \"violated\"",
            ),
            (
                "verdict",
                "banana".into(),
                "its counts say holds, and its verdict says \"banana\"",
            ),
            (
                "complete",
                false.into(),
                "its counts say cut, and its verdict says \"holds\"",
            ),
            ("set", "pears".into(), "there is no such set of questions"),
            ("design", "banana".into(), "there is no design banana"),
            (
                "design",
                "upstream+banana".into(),
                "there is no change banana",
            ),
            (
                "tested",
                serde_json::json!({}),
                "each of its 104 questions puts state_is_well_formed to the test, and its record says 0",
            ),
            (
                "tested",
                serde_json::json!({"state_is_well_formed": 104, "no_operation_waits_forever": 103}),
                "puts no_operation_waits_forever to the test, and its record says 103",
            ),
            (
                "tested",
                serde_json::json!({"owner_file_is_whole": 105}),
                "owner_file_is_whole is counted in 105 of 104 questions",
            ),
            (
                "tested",
                serde_json::json!({"deadlock": 1}),
                "no question asks a property \"deadlock\"",
            ),
            (
                "violated",
                serde_json::json!({"deadlock": 0}),
                "deadlock is counted in 0 of 104 questions",
            ),
            (
                "violated",
                serde_json::json!({"can_sweep_dead_chunk": 1}),
                "no question asks a property \"can_sweep_dead_chunk\"",
            ),
            ("seconds", f64::MAX.into(), "too large to be added up"),
            ("states", 1.into(), "counted wrongly"),
            ("states", count, "too large to be added up"),
            (
                "part",
                serde_json::json!({"k": 1, "n": u64::MAX}),
                "there is no part 1/18446744073709551615",
            ),
            (
                "part",
                serde_json::json!({"k": 0, "n": 2}),
                "there is no part 0/2",
            ),
            (
                "seconds",
                (-1).into(),
                "it took -1 seconds, which cannot be",
            ),
            ("mutant", "banana".into(), "is no fault"),
            ("kind", Value::Null, "it has no kind"),
            ("kind", "check".into(), "writes none of the kind \"check\""),
        ] {
            let mut first = value(&part(1, 2));
            first[field] = wrong;
            let mut second = value(&part(2, 2));
            second["seconds"] = f64::MAX.into();
            let refusal = refusal(&[first, second]);
            assert!(refusal.contains(said), "{field}: {refusal}");
        }
    }

    #[test]
    fn parts_that_were_asked_with_different_faults_make_no_whole() {
        let mut other = value(&part(2, 2));
        other["mutant"] = "gc.lock_journal/skip".into();
        let refused = refusal(&[value(&part(1, 2)), other.clone()]);
        assert!(refused.contains("of 2 parts one is missing"), "{refused}");
        for (mutant, said) in [
            (
                "hardened-replaces_owner_file+gc.lock_journal/skip",
                "is no fault",
            ),
            (
                "gc.lock_journal/skip+gc.lock_journal/skip",
                "it has one already",
            ),
            ("gc.lock_journal/skip+gc.lock_journal/wait", "cannot wait"),
            ("take_lock.flock_lock_file/skip", "nobody takes it"),
            (
                "hardened-replaces_owner_file",
                "has the design hardened-replaces_owner_file",
            ),
        ] {
            other["mutant"] = mutant.into();
            let refused = refusal(&[other.clone()]);
            assert!(refused.contains(said), "{mutant}: {refused}");
        }
    }

    #[test]
    fn a_whole_is_cut_whichever_of_its_parts_was() {
        for cut in [0, 1] {
            let mut parts = [value(&part(1, 2)), value(&part(2, 2))];
            parts[cut]["complete"] = false.into();
            parts[cut]["verdict"] = "cut".into();
            let whole = merged(&parts).unwrap();
            assert_eq!(whole[0].verdict, "cut", "part {cut}");
        }
    }

    #[test]
    fn a_question_that_is_broken_must_be_counted_in_its_part() {
        let question = |name: &str| {
            serde_json::json!({
                "kind": "question", "set": SET, "design": "hardened", "verdict": "violated",
                "question": name, "property": "live_chunk_is_never_swept",
            })
        };
        let (first, second) = (value(&part(1, 2)), value(&part(2, 2)));
        let name = Set::named(SET).unwrap().questions()[1].to_string();
        let uncounted = refusal(&[question(&name), first.clone(), second.clone()]);
        let said = "part 2/2 says that 0 of its questions break live_chunk_is_never_swept, and 1 are there that do";
        assert!(uncounted.contains(said), "{uncounted}");
        let stranger = refusal(&[question("gc"), first.clone(), second.clone()]);
        assert!(stranger.contains("it has no question \"gc\""), "{stranger}");
        assert!(refusal(&[question(&name)]).contains("no record of kind questions counts it"));
        let mut counted = second;
        counted["violated"] = serde_json::json!({"live_chunk_is_never_swept": 1});
        counted["verdict"] = "violated".into();
        let whole = merged(&[question(&name), first, counted]).unwrap();
        assert_eq!(whole[0].verdict, "violated");
    }

    #[test]
    fn a_run_that_ended_with_an_error_or_diverged_is_not_put_together() {
        let both = [value(&part(1, 2)), value(&part(2, 2))];
        for (record, said) in [
            (
                serde_json::json!({"kind": "error", "message": "no room"}),
                "ask it again: no room",
            ),
            (
                serde_json::json!({"kind": "share", "verdict": "diverged", "complete": true}),
                "does not hold",
            ),
        ] {
            let refusal = refusal(&[&both[..], &[record]].concat());
            assert!(refusal.contains(said), "{refusal}");
        }
    }
}
