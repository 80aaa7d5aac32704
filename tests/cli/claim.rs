//! The first claim of the README, compared with the records of the built binary.

use super::{lockstep, records};
use serde_json::Value;
use specs::exception::EXCEPTIONS;
use specs::property::Property;
use specs::question::sets::SETS;
use specs::scenarios::SCENARIOS;
use std::collections::BTreeSet;
use std::path::Path;

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap()
}

fn of_kind(records: Vec<Value>, kind: &str) -> Vec<Value> {
    let records = records.into_iter();
    records.filter(|record| record["kind"] == kind).collect()
}

/// `hardened` keeps every property in every scenario, but for the exceptions, and in every generated question of the gate.
#[test]
fn hardened_keeps_every_property_wherever_the_readme_says_so() {
    let mut checks = of_kind(records(&lockstep(&["check", "--format", "json"])), "check");
    let asked: BTreeSet<&str> = checks.iter().map(|check| text(check, "scenario")).collect();
    let gate = SCENARIOS.iter().filter(|scenario| scenario.runs.check);
    assert_eq!(asked, gate.map(|scenario| scenario.name).collect());
    // An exception of a scenario that is disturbed is one of a generated question.
    let disturbed = EXCEPTIONS.iter().map(|exception| exception.scenario);
    let disturbed = disturbed.filter(|name| name.contains('@'));
    for name in disturbed {
        let of_it = records(&lockstep(&["check", name, "--format", "json"]));
        let mut of_it = of_kind(of_it, "check");
        // The rest of what is broken there are the exceptions of the scenario itself.
        let is_own = |asked: &Value| {
            let property = text(asked, "name");
            let mut all = EXCEPTIONS.iter();
            all.any(|e| e.scenario == name && e.property.name() == property)
        };
        for check in &mut of_it {
            check["properties"].as_array_mut().unwrap().retain(is_own);
        }
        checks.extend(of_it);
    }
    let mut exceptions = BTreeSet::new();
    let mut tested = BTreeSet::new();
    for check in &checks {
        let scenario = text(check, "scenario");
        assert_eq!(check["verdict"], "holds", "{scenario}");
        assert_eq!(check["complete"], true, "{scenario}");
        for asked in check["properties"].as_array().unwrap() {
            let property = text(asked, "name");
            match text(asked, "verdict") {
                "holds" | "witnessed" => drop(tested.insert(property)),
                "exception" => drop(exceptions.insert((scenario, property))),
                "not_tested" => assert_eq!(asked["hits"], 0, "{scenario} {property}"),
                other => panic!("{scenario} {property}: {other}"),
            }
        }
    }
    let named = EXCEPTIONS.iter().map(|e| (e.scenario, e.property.name()));
    assert_eq!(exceptions, named.collect());
    let untested: Vec<_> = Property::ALL
        .iter()
        .map(|property| property.name())
        .filter(|name| !tested.contains(name))
        .collect();
    assert_eq!(untested, Vec::<&str>::new());

    let answers = of_kind(
        records(&lockstep(&["ask", "--format", "json"])),
        "questions",
    );
    let sets: Vec<&str> = answers.iter().map(|answer| text(answer, "set")).collect();
    let gate: Vec<_> = SETS.iter().filter(|set| set.gate).collect();
    assert_eq!(sets, gate.iter().map(|set| set.name).collect::<Vec<_>>());
    for (answer, set) in answers.iter().zip(&gate) {
        assert_eq!(answer["verdict"], "holds", "{}", set.name);
        assert_eq!(answer["complete"], true, "{}", set.name);
        assert_eq!(answer["questions"], set.questions().len(), "{}", set.name);
    }
    // The README names each of them.
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    for set in gate {
        let named = format!("* `{}`: {}", set.name, set.sentence);
        assert!(readme.contains(&named), "{named}");
    }
}
