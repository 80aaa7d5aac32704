//! Puts the answers of the parts of a set together, and says whether they are whole.

use super::{Answer, Part, verdict};
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// The answers among the records of a file, one JSON record a line.
///
/// # Errors
///
/// If the file cannot be read, or a line is no record.
pub fn read(path: &Path) -> anyhow::Result<Vec<Answer>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut answers = Vec::new();
    for (line, text) in (1..)
        .zip(text.lines())
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let place = || format!("{}, line {line}", path.display());
        let record: serde_json::Value = serde_json::from_str(text)
            .with_context(|| format!("{} is no record of lockstep ask --format json", place()))?;
        if record["kind"] == "questions" {
            answers.push(serde_json::from_value(record).with_context(place)?);
        }
    }
    Ok(answers)
}

/// One answer for each set and design, out of those of their parts.
///
/// # Errors
///
/// If parts are missing, stand there twice, or are parts of different wholes; says which.
pub fn merge(answers: &[Answer]) -> anyhow::Result<Vec<Answer>> {
    if answers.is_empty() {
        bail!(
            "there is no record of kind questions; make some with lockstep ask --part K/N --format json"
        );
    }
    let mut by_set: BTreeMap<(&str, &str), Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        by_set
            .entry((&answer.set, &answer.design))
            .or_default()
            .push(answer);
    }
    by_set.into_values().map(|parts| whole(&parts)).collect()
}

fn whole(parts: &[&Answer]) -> anyhow::Result<Answer> {
    let mut sum = parts[0].clone();
    let of = format!("{} under {}", sum.set, sum.design);
    let n = sum.part.n;
    let mut seen = vec![false; n];
    for answer in parts {
        if answer.part.n != n {
            bail!(
                "{of}: part {}/{} and part {}/{n} are not of one whole",
                answer.part.k,
                answer.part.n,
                sum.part.k
            );
        }
        let Some(seen) = answer.part.k.checked_sub(1).and_then(|k| seen.get_mut(k)) else {
            bail!("{of}: there is no part {}/{n}", answer.part.k);
        };
        if std::mem::replace(seen, true) {
            bail!("{of}: part {}/{n} stands there twice", answer.part.k);
        }
    }
    let missing: Vec<String> = (1..)
        .zip(&seen)
        .filter(|(_, seen)| !**seen)
        .map(|(k, _)| format!("{k}/{n}"))
        .collect();
    if !missing.is_empty() {
        bail!(
            "{of}: of {n} parts {} missing: {}",
            if missing.len() == 1 {
                "one is"
            } else {
                "some are"
            },
            missing.join(", ")
        );
    }
    for answer in &parts[1..] {
        sum.complete &= answer.complete;
        sum.questions += answer.questions;
        sum.states += answer.states;
        sum.edges += answer.edges;
        sum.largest = sum.largest.max(answer.largest);
        sum.seconds += answer.seconds;
        for (into, from) in [
            (&mut sum.tested, &answer.tested),
            (&mut sum.violated, &answer.violated),
        ] {
            for (property, count) in from {
                *into.entry(property.clone()).or_default() += count;
            }
        }
    }
    sum.part = Part::WHOLE;
    sum.verdict = verdict(&sum).to_string();
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::ask;
    use specs::Design;
    use specs::question::sets::Set;

    #[test]
    fn parts_put_together_say_what_the_whole_says() {
        let set = Set::named("pairs_beside_gc").unwrap();
        let asked = |k, n| {
            ask(set, Part { k, n }, Design::HARDENED, 2, &|_| {})
                .unwrap()
                .0
        };
        let parts = [asked(1, 40), asked(2, 40)];
        let error = merge(&parts).unwrap_err().to_string();
        assert!(
            error.contains("of 40 parts some are missing: 3/40, "),
            "{error}"
        );
        let twice = [parts[0].clone(), parts[0].clone()];
        let error = merge(&twice).unwrap_err().to_string();
        assert!(error.contains("part 1/40 stands there twice"), "{error}");
        let mut halves = parts;
        for (k, half) in (1..).zip(&mut halves) {
            half.part = Part { k, n: 2 };
        }
        let whole = merge(&halves).unwrap().remove(0);
        assert_eq!(whole.questions, halves[0].questions + halves[1].questions);
        assert_eq!(whole.states, halves[0].states + halves[1].states);
        assert_eq!((whole.part, whole.verdict.as_str()), (Part::WHOLE, "holds"));
        assert!(merge(&[]).is_err());
    }
}
