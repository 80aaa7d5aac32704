//! What can be checked by reading files: who uses whom, twin files, words that must not stand here, links that lead
//! somewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot read a file fails")]

use specs::mutant::{Fault, MUTANTS};
use specs::property::Mood;
use specs::scenarios::SCENARIOS;
use specs::{Op, Property, Scenario};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use suite::{PACKAGES, root, uses};

/// Lines that a file may have.
const LINES: usize = 600;
/// Lines that a file of an operation may have: it is as long as its table.
const LINES_OF_AN_OPERATION: usize = 650;

/// A file of the workspace, by its path below the root, with its text.
struct File {
    path: String,
    text: String,
}

impl File {
    fn is_source(&self) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|extension| extension == "rs")
    }

    /// Whether the name of a crate or module stands here with a `::` behind it, and as a word of its own.
    fn names(&self, module: &str) -> bool {
        let wanted = format!("{module}::");
        self.text.match_indices(&wanted).any(|(at, _)| {
            let before = self.text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    }
}

/// Every text file of the workspace.
fn files() -> Vec<File> {
    let mut files = Vec::new();
    let mut folders: Vec<String> = PACKAGES.iter().map(|(_, f)| (*f).to_owned()).collect();
    folders.extend([".ci".to_owned(), ".cargo".to_owned()]);
    for name in [
        "README.md",
        "Cargo.toml",
        "deny.toml",
        "rustfmt.toml",
        ".gitignore",
    ] {
        if let Ok(text) = fs::read_to_string(root().join(name)) {
            files.push(File {
                path: name.to_owned(),
                text,
            });
        }
    }
    while let Some(folder) = folders.pop() {
        for name in names_in(&folder) {
            let path = format!("{folder}/{name}");
            if root().join(&path).is_dir() {
                if name != "target" {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(root().join(&path)) {
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        files.len() > PACKAGES.len(),
        "no files found below {}",
        root().display()
    );
    files
}

/// What lies in a folder, sorted; nothing if there is no such folder.
fn names_in(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Fails with every complaint at once.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn packages_use_each_other_along_the_arrows_only() {
    let mut complaints = Vec::new();
    for (package, folder) in PACKAGES {
        let allowed: &[&str] = match package {
            "specs" => &[],
            "model" | "datastore" => &["specs"],
            "conformance" => &["specs", "model", "datastore"],
            _ => &["specs", "model", "datastore", "conformance"],
        };
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for used in uses(&manifest).concat() {
            let is_ours = PACKAGES.iter().any(|(name, _)| *name == used);
            if is_ours && !allowed.contains(&used.as_str()) {
                complaints.push(format!("{package} uses {used}"));
            }
        }
    }
    none(&complaints);
}

#[test]
fn each_checker_and_nix_is_used_where_it_belongs() {
    let mut complaints = Vec::new();
    let all_tests = |path: &str| {
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
    };
    for file in files().iter().filter(|file| file.is_source()) {
        let path = file.path.as_str();
        let conformance = path.starts_with("conformance/");
        let may = [
            (
                "stateright",
                path.starts_with("model/") || conformance || all_tests(path),
            ),
            (
                "nix",
                path == "impl/src/linux.rs" || conformance || all_tests(path),
            ),
            (
                "rustix",
                path == "impl/src/linux.rs" || path.starts_with("impl/benches/"),
            ),
            ("loom", conformance || path.starts_with("tests/")),
        ];
        for (name, may) in may {
            if !may && file.names(name) {
                complaints.push(format!("{path} uses {name}"));
            }
        }
    }
    for (package, folder) in PACKAGES {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let [normal, dev] = uses(&manifest);
        for name in normal.iter().chain(&dev) {
            let may = match name.as_str() {
                "stateright" => matches!(package, "model" | "conformance") || dev.contains(name),
                "nix" => matches!(package, "datastore" | "conformance") || dev.contains(name),
                "rustix" => package == "datastore",
                "loom" => matches!(package, "conformance" | "suite"),
                _ => true,
            };
            if !may {
                complaints.push(format!("{folder}/Cargo.toml names {name}"));
            }
        }
    }
    none(&complaints);
}

#[test]
fn files_are_ascii() {
    let mut complaints = Vec::new();
    for file in files() {
        for (line, text) in (1..).zip(file.text.lines()) {
            if let Some(bad) = text.chars().find(|c| !c.is_ascii() || c.is_ascii_control()) {
                complaints.push(format!("{}:{line} has {}", file.path, bad.escape_unicode()));
            }
        }
    }
    none(&complaints);
}

#[test]
fn no_file_speaks_of_one_machine() {
    // Written in two halves, so that this file does not find itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("../sha", "red"),
        concat!("/sha", "red/"),
        concat!("sha", "red/recordings"),
        concat!("sha", "red/seeds"),
    ];
    let mut complaints = Vec::new();
    for file in files().iter().filter(|file| file.path != ".ci/run") {
        for (line, text) in (1..).zip(file.text.lines()) {
            for word in words.iter().filter(|word| text.contains(*word)) {
                complaints.push(format!("{}:{line} says {word}", file.path));
            }
        }
    }
    none(&complaints);
}

#[test]
fn every_operation_has_its_four_files_and_no_other_has_one() {
    let folders = [
        ("specs/src/ops", "rs"),
        ("model/src/ops", "rs"),
        ("impl/src/ops", "rs"),
    ];
    for (folder, extension) in folders.into_iter().chain([("specs/ops", "md")]) {
        let expected: BTreeSet<String> = Op::ALL
            .iter()
            .map(|op| format!("{}.{extension}", op.name()))
            .collect();
        let found: BTreeSet<String> = names_in(folder)
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|e| e == extension))
            .collect();
        assert_eq!(found, expected, "{folder}");
    }
}

#[test]
fn every_step_of_a_table_stands_in_model_and_implementation() {
    let mut complaints = Vec::new();
    for op in Op::ALL {
        for folder in ["model/src/ops", "impl/src/ops"] {
            let path = format!("{folder}/{}.rs", op.name());
            let Ok(mut text) = fs::read_to_string(root().join(&path)) else {
                complaints.push(format!("there is no {path}"));
                continue;
            };
            // A long operation has parts of its own, in a folder of its name.
            let parts = root().join(folder).join(op.name());
            for part in fs::read_dir(parts).into_iter().flatten() {
                text += &fs::read_to_string(part.unwrap().path()).unwrap();
            }
            for row in op.table() {
                let label = camel(row.step.name());
                if !text.contains(&format!("Step::{label}")) {
                    complaints.push(format!("{path} has no Step::{label}"));
                }
            }
        }
    }
    none(&complaints);
}

/// The variant of a step with this name.
fn camel(name: &str) -> String {
    let mut label = String::new();
    for word in name.split('_') {
        let (first, rest) = word.split_at(1);
        label += &first.to_ascii_uppercase();
        label += rest;
    }
    label
}

#[test]
fn files_are_short() {
    let mut complaints = Vec::new();
    for file in files().iter().filter(|file| file.is_source()) {
        let is_operation = Op::ALL.iter().any(|op| {
            let twin = format!("/src/ops/{}.rs", op.name());
            file.path.ends_with(&twin)
        });
        let limit = if is_operation {
            LINES_OF_AN_OPERATION
        } else {
            LINES
        };
        let lines = file.text.lines().count();
        if lines > limit {
            complaints.push(format!(
                "{} has {lines} lines, more than {limit}",
                file.path
            ));
        }
    }
    none(&complaints);
}

#[test]
fn every_mutant_names_a_scenario_that_asks_its_property() {
    let mut complaints = Vec::new();
    let mut names = BTreeSet::new();
    for mutant in MUTANTS {
        if !names.insert(mutant.name) {
            complaints.push(format!("{} is there twice", mutant.name));
        }
        match Scenario::named(mutant.scenario) {
            None => complaints.push(format!("{}: no scenario {}", mutant.name, mutant.scenario)),
            // A generated question lists none, and asks all.
            Some(scenario)
                if !scenario.properties.is_empty()
                    && !scenario.properties.contains(&mutant.property) =>
            {
                complaints.push(format!(
                    "{}: {} does not ask its property",
                    mutant.name, mutant.scenario
                ));
            }
            Some(_) => {}
        }
        let has_step = |fault: &Fault| fault.step().row().designs.contains(mutant.design());
        if !mutant.faults().iter().all(has_step) {
            complaints.push(format!("{}: its design has no such step", mutant.name));
        }
    }
    none(&complaints);
}

#[test]
fn every_property_is_asked_and_one_that_always_holds_has_a_mutant() {
    let mut complaints = Vec::new();
    for property in Property::ALL {
        if !SCENARIOS
            .iter()
            .any(|scenario| scenario.properties.contains(property))
        {
            complaints.push(format!("no scenario asks {}", property.name()));
        }
        let is_broken = MUTANTS.iter().any(|mutant| mutant.property == *property);
        if property.entry().mood == Mood::Always && !is_broken {
            complaints.push(format!("no mutant breaks {}", property.name()));
        }
    }
    none(&complaints);
}

#[test]
fn links_between_pages_lead_to_files() {
    let mut complaints = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with(".md")) {
        let folder = Path::new(&file.path).parent().unwrap();
        for link in file.text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let is_elsewhere = target.is_empty() || target.contains("://");
            if !is_elsewhere && !root().join(folder).join(target).exists() {
                complaints.push(format!("{} links to {target}", file.path));
            }
        }
    }
    none(&complaints);
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let pages: Vec<File> = files()
        .into_iter()
        .filter(|f| f.path.ends_with(".md"))
        .collect();
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut next = vec!["README.md".to_owned()];
    while let Some(path) = next.pop() {
        let Some(page) = pages.iter().find(|page| page.path == path) else {
            continue;
        };
        let folder = Path::new(&path).parent().unwrap();
        for link in page.text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if let Ok(found) = fs::canonicalize(root().join(folder).join(target)) {
                for page in &pages {
                    let is_it = fs::canonicalize(root().join(&page.path)).unwrap() == found;
                    if is_it && reached.insert(page.path.clone()) {
                        next.push(page.path.clone());
                    }
                }
            }
        }
    }
    let lost: Vec<String> = pages
        .into_iter()
        .filter(|page| !reached.contains(&page.path))
        .map(|page| format!("no link leads to {}", page.path))
        .collect();
    none(&lost);
}
