//! The generated parts of the pages.
//!
//! A part that is out of date is written anew and the test fails, so a second run passes. With `CI` set nothing is
//! written.

#![expect(clippy::unwrap_used, reason = "a test that cannot read a file fails")]

#[path = "pages/of_findings.rs"]
mod of_findings;

use specs::design::{CHANGES, Kind};
use specs::mutant::MUTANTS;
use specs::{Cut, Design, Event, Op, Outcome, Property, page};
use std::collections::BTreeSet;
use std::fs;
use suite::{bounds, findings, mends, order, parts, questions, races, records, root, runs};

/// Page, part and what prints it.
type Part = (&'static str, &'static str, fn() -> String);

/// Parts that a benchmark writes when it is told to: what they say differs from run to run.
const MEASURED: &[(&str, &str)] = &[("specs/waits.md", "waits")];

const PARTS: &[Part] = &[
    ("README.md", "gate", parts::gate),
    ("README.md", "asked", questions::sets_of_the_gate),
    ("README.md", "drawing", || {
        findings::trace("history/rename_before_append")
    }),
    ("specs/ARCHITECTURE.md", "arrows", parts::arrows),
    ("specs/ARCHITECTURE.md", "sizes", parts::sizes),
    ("specs/changing-a-lock.md", "row", || {
        parts::example_patch(0)
    }),
    ("specs/changing-a-lock.md", "arm", || {
        parts::example_patch(1)
    }),
    ("specs/changing-a-lock.md", "line", || {
        parts::example_patch(2)
    }),
    ("specs/designs.md", "designs", page::presets),
    ("specs/designs.md", "changes", page::changes),
    ("specs/designs.md", "races", races::verdicts),
    ("specs/designs.md", "costs", races::costs),
    ("specs/designs.md", "rows", parts::rows_that_differ),
    ("specs/guarantees.md", "properties", page::properties),
    ("specs/guarantees.md", "counts", parts::property_counts),
    ("specs/guarantees.md", "exceptions", parts::exceptions),
    (
        "specs/questions.md",
        "disturbances",
        questions::disturbances,
    ),
    ("specs/questions.md", "sets", questions::question_sets),
    ("specs/questions.md", "tasks", questions::short_tasks),
    ("specs/questions.md", "trees", questions::trees),
    ("specs/questions.md", "standard", questions::standard_tasks),
    ("specs/litmus.md", "litmus", parts::litmus),
    ("specs/locks.md", "classes", page::locks),
    ("specs/locks.md", "conflicts", parts::conflicts),
    ("specs/locks.md", "order", order::table),
    ("specs/locks.md", "order drawing", order::drawing),
    ("specs/mends.md", "explored", mends::explored),
    ("specs/mends.md", "without", mends::without),
    ("specs/mends.md", "alone", mends::alone),
    ("specs/mends.md", "repairs", mends::repairs),
    ("specs/mends.md", "smallest", mends::smallest),
    ("specs/mutants.md", "board", parts::board),
    ("specs/occurrences.md", "occurrences", parts::occurrences),
    ("specs/records.md", "records", records::tables),
    ("specs/scenarios.md", "counts", parts::scenario_counts),
    ("specs/scenarios.md", "bounds", bounds::table),
    ("specs/mutants.md", "everywhere", bounds::everywhere),
    ("specs/scenarios.md", "questions", parts::scenario_questions),
    ("specs/ops/gc.md", "steps", || page::steps(Op::Gc)),
    ("specs/ops/gc.md", "invariant", || {
        parts::sentence(Property::LiveChunkIsNeverSwept)
    }),
    ("specs/ops/move_group.md", "steps", || {
        page::steps(Op::MoveGroup)
    }),
    ("specs/ops/move_group.md", "corrected", || {
        parts::sentence(Property::NewPathImpliesJournalEntry)
    }),
    ("specs/ops/move_group.md", "too strong", || {
        let property = Property::CanHaveNewPathWithoutEntry;
        findings::witness("one_move_meets_gc", Design::HARDENED, property)
    }),
    ("specs/ops/move_group.md", "breakers", || {
        parts::breakers(Property::NewPathImpliesJournalEntry)
    }),
    ("specs/ops/take_lock.md", "steps", || {
        page::steps(Op::TakeLock)
    }),
    ("specs/ops/take_lock.md", "invariant", || {
        parts::sentence(Property::OneExclusiveHolderPerLock)
    }),
    ("specs/ops/take_lock.md", "trace", || {
        findings::trace("take_lock.recheck_lock_file/skip")
    }),
    ("specs/ops/backup.md", "steps", || page::steps(Op::Backup)),
    ("specs/ops/backup.md", "invariant", || {
        parts::sentence(Property::LiveChunkIsNeverSwept)
    }),
    ("specs/ops/forget_snapshot.md", "steps", || {
        page::steps(Op::ForgetSnapshot)
    }),
    ("specs/ops/forget_snapshot.md", "invariant", || {
        parts::sentence(Property::FinishedSnapshotIsWhole)
    }),
    ("specs/ops/prune.md", "steps", || page::steps(Op::Prune)),
    ("specs/ops/prune.md", "invariant", || {
        parts::sentence(Property::PruneKeepsFinishedSnapshot)
    }),
    ("specs/ops/verify.md", "steps", || page::steps(Op::Verify)),
    ("specs/ops/verify.md", "invariant", || {
        parts::sentence(Property::LockedSnapshotStays)
    }),
    ("specs/ops/set_notes.md", "steps", || {
        page::steps(Op::SetNotes)
    }),
    ("specs/ops/set_notes.md", "invariant", || {
        parts::sentence(Property::ManifestUpdateIsNotLost)
    }),
    ("specs/ops/access_chunk.md", "steps", || {
        page::steps(Op::AccessChunk)
    }),
    ("specs/ops/access_chunk.md", "invariant", || {
        parts::sentence(Property::InsertedChunkIsThere)
    }),
    ("specs/ops/delete_namespace.md", "steps", || {
        page::steps(Op::DeleteNamespace)
    }),
    ("specs/ops/delete_namespace.md", "invariant", || {
        parts::sentence(Property::DeletedNamespaceStaysDeleted)
    }),
    ("specs/ops/take_namespace_lock.md", "steps", || {
        page::steps(Op::TakeNamespaceLock)
    }),
    ("specs/ops/take_namespace_lock.md", "invariant", || {
        parts::sentence(Property::ExclusiveNamespaceIsAlone)
    }),
    ("specs/ops/set_owner.md", "steps", || {
        page::steps(Op::SetOwner)
    }),
    ("specs/ops/set_owner.md", "invariant", || {
        parts::sentence(Property::OwnerIsChangedFromWhatWasChecked)
    }),
    ("specs/ops/set_owner.md", "whole", || {
        parts::sentence(Property::OwnerFileIsWhole)
    }),
    ("specs/generations.md", "invariant", || {
        parts::sentence(Property::OneExclusiveHolderPerLock)
    }),
];

/// All of them.
fn parts_of_pages() -> impl Iterator<Item = &'static Part> {
    PARTS.iter().chain(of_findings::PARTS)
}

/// What is out of date in a page; with `CI` unset it is mended at once.
fn stale(page: &str) -> Option<String> {
    let path = root().join(page);
    let old = fs::read_to_string(&path).unwrap();
    let mut new = old;
    let mut stale = Vec::new();
    for (_, part, print) in parts_of_pages().filter(|(of, ..)| *of == page) {
        let Some(replaced) = page::replace_part(&new, part, &print()) else {
            panic!("{page} has no place for the part `{part}`");
        };
        if replaced != new {
            stale.push(*part);
        }
        new = replaced;
    }
    if !stale.is_empty() && !is_ci() {
        // Renamed into place: another test may be reading the page.
        let half = path.with_extension("half");
        fs::write(&half, new).unwrap();
        fs::rename(&half, &path).unwrap();
    }
    (!stale.is_empty()).then(|| format!("{page} ({})", stale.join(", ")))
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

fn check<'a>(pages: impl IntoIterator<Item = &'a str>) {
    let stale: Vec<String> = pages.into_iter().filter_map(stale).collect();
    let advice = if is_ci() {
        "run `cargo test -p suite --test pages` and commit what it writes"
    } else {
        "it was written anew; look at it and run this again"
    };
    assert!(
        stale.is_empty(),
        "out of date: {}; {advice}",
        stale.join("; ")
    );
}

#[test]
fn readme() {
    check(["README.md"]);
}

#[test]
fn architecture() {
    check(["specs/ARCHITECTURE.md"]);
}

#[test]
fn worked_example() {
    check(["specs/changing-a-lock.md"]);
}

#[test]
fn designs_and_locks() {
    check(["specs/designs.md", "specs/locks.md"]);
}

#[test]
fn litmus() {
    check(["specs/litmus.md"]);
}

#[test]
fn guarantees() {
    check(["specs/guarantees.md"]);
}

#[test]
fn questions() {
    check(["specs/questions.md"]);
}

#[test]
fn mutants() {
    check(["specs/mutants.md"]);
}

#[test]
fn what_the_mends_are_good_for() {
    check(["specs/mends.md"]);
}

#[test]
fn scenarios() {
    check(["specs/scenarios.md", "specs/occurrences.md"]);
}

#[test]
fn operations() {
    check(pages_in("specs/ops/"));
}

#[test]
fn findings_and_their_index() {
    check(pages_in("specs/findings/"));
}

#[test]
fn generations_and_records() {
    check(["specs/generations.md", "specs/records.md"]);
}

/// The pages of a folder that have generated parts.
fn pages_in(folder: &str) -> BTreeSet<&'static str> {
    let pages = parts_of_pages().map(|(page, ..)| *page);
    pages.filter(|page| page.starts_with(folder)).collect()
}

/// A place that nobody fills looks like a page that has nothing to say.
#[test]
fn no_marked_place_of_a_page_is_empty() {
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let is_empty =
            |two: &&[&str]| two[0].starts_with("<!-- begin: ") && two[1].starts_with("<!-- end: ");
        let empty = lines.windows(2).find(is_empty);
        assert_eq!(empty, None, "{page}");
    }
}

#[test]
fn every_operation_and_finding_has_its_parts() {
    let has = |page: &str| parts_of_pages().any(|(of, ..)| *of == page);
    for op in Op::ALL {
        assert!(has(&format!("specs/ops/{}.md", op.name())), "{}", op.name());
    }
    for (page, _) in findings::FINDINGS {
        assert!(has(&format!("specs/findings/{page}.md")), "{page}");
    }
}

/// The README says so: what breaks the published design is in the findings.
#[test]
fn every_property_that_the_published_design_breaks_in_the_gate_is_named_by_a_finding() {
    let gate = rows("README.md", "gate");
    let found = rows("specs/findings/index.md", "findings");
    let broken: BTreeSet<&str> = gate.iter().flat_map(|row| row[5].split(", ")).collect();
    let named: BTreeSet<&str> = found.iter().map(|row| row[3].as_str()).collect();
    let unnamed: Vec<&&str> = broken
        .difference(&named)
        .filter(|name| !name.is_empty())
        .collect();
    assert!(broken.len() > 1 && unnamed.is_empty(), "{unnamed:?}");
    // What a finding breaks without a mutant nobody else asks about.
    for broken in findings::BROKEN_AS_WELL {
        let scenario = format!("`{}`", broken.scenario);
        let property = format!("`{}`", broken.property.name());
        let row = gate.iter().find(|row| row[0] == scenario).unwrap();
        assert!(
            row[5].split(", ").any(|name| name == property),
            "{broken:?}"
        );
    }
}

/// A seeded bug falls somewhere, and one that is said to make no difference falls nowhere.
#[test]
fn every_mutant_is_asked_in_every_scenario() {
    assert_eq!(bounds::failures(), Vec::<String>::new());
}

/// Whatever breaks the published design and not the hardened one, in a scenario or in a generated question, is repaired by a
/// mend; so if every mend has a finding, everything that was asked has one.
#[test]
fn every_mend_has_a_finding_or_says_what_keeps_it() {
    let mends = CHANGES.iter().filter(|about| about.kind == Kind::Mend);
    for mend in mends.clone() {
        match (mend.finding, mend.kept_by) {
            (Some(page), _) => {
                let page = root().join(format!("specs/findings/{page}.md"));
                let text = fs::read_to_string(&page).unwrap();
                assert!(text.contains(&format!("| `{}` |", mend.name)), "{page:?}");
            }
            (None, kept_by) => assert!(kept_by.is_some(), "{}", mend.name),
        }
    }
    assert!(mends.count() > 20);
}

/// The cells of a generated table, row by row.
fn rows(page: &str, part: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (_, part) = text
        .split_once(&format!("<!-- begin: {part} -->\n"))
        .unwrap();
    let (part, _) = part.split_once("<!-- end: ").unwrap();
    let rows = part.lines().skip(2).map(|row| {
        let cells = row
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"));
        cells.unwrap().split(" | ").map(str::to_owned).collect()
    });
    rows.collect()
}

/// Another weakness of the same design, with a shorter trace, could stand in for the one that the page speaks of.
#[test]
fn the_traces_of_a_torn_append_have_one() {
    let torn = |event: &Event| {
        matches!(
            event,
            Event::Step {
                outcome: Outcome::NoSpace(Cut::MidLine | Cut::NoNewline),
                ..
            }
        )
    };
    let mutants = MUTANTS
        .iter()
        .filter(|mutant| mutant.name.starts_with("upstream/torn_append"));
    let without: Vec<&str> = mutants
        .filter(|mutant| !runs::shortest(mutant).1.actions().any(torn))
        .map(|mutant| mutant.name)
        .collect();
    assert!(
        without.is_empty(),
        "found by the trace of another weakness: {}",
        without.join(", ")
    );
}

#[test]
fn every_marked_place_of_a_page_is_filled_by_somebody() {
    let mut marked = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for line in text.lines() {
            if let Some(part) = line.strip_prefix("<!-- begin: ") {
                let part = part.strip_suffix(" -->").unwrap();
                assert!(
                    text.contains(&format!("<!-- end: {part} -->")),
                    "{page}: {part}"
                );
                marked.push((page.clone(), part.to_owned()));
            }
        }
    }
    let filled = parts_of_pages().map(|(page, part, _)| (*page, *part));
    let filled = filled.chain(MEASURED.iter().copied());
    let mut filled: Vec<(String, String)> = filled
        .map(|(page, part)| (page.to_owned(), part.to_owned()))
        .collect();
    marked.sort();
    filled.sort();
    assert_eq!(marked, filled);
}

fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for folder in ["specs", "specs/ops", "specs/findings"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}/{name}"));
            }
        }
    }
    pages
}
