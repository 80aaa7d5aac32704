//! The move journal in both parts: the lines of the model and the bytes of the file stay the same text.
//!
//! Appends, torn ones among them, and truncates come in any order, under the published and the hardened design.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::expected::expected;
use conformance::gate::cut_length;
use conformance::world::SHM;
use datastore::LinuxSys;
use datastore::journal::{self, Journal};
use datastore::sys::CreateMode;
use model::journal::{At, Kind};
use model::state::LINES;
use model::{Scope, State};
use proptest::prelude::*;
use specs::id::{Index, Namespace};
use specs::{Cut, Design, Id, Scenario};
use std::path::{Path, PathBuf};

/// Where the datastore would be; only its name is used.
const BASE: &str = "/mnt/datastore/store";

#[derive(Clone, Debug)]
enum Happens {
    /// One write of so many entries, of which a full tmpfs takes a part.
    Append(Vec<At>, Option<Cut>),
    /// A drain has read everything.
    Truncate,
}

fn anything() -> impl Strategy<Value = Happens> {
    let at = (0..2_u8, 1..3_u8).prop_map(|(index, namespace)| At { index, namespace });
    let cut = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Cut::Nothing)),
        1 => Just(Some(Cut::MidLine)),
        1 => Just(Some(Cut::NoNewline)),
    ];
    prop_oneof![
        4 => (prop::collection::vec(at, 1..3), cut).prop_map(|(entries, cut)| Happens::Append(entries, cut)),
        1 => Just(Happens::Truncate),
    ]
}

/// The path of an index file, as an entry names it.
fn path(scenario: &Scenario, at: At) -> PathBuf {
    let id = Id::Index(Namespace(at.namespace), Index(at.index));
    Path::new(BASE).join(scenario.path(id))
}

fn append_in_model(state: &mut State, design: Design, entries: &[At], cut: Option<Cut>) {
    if design.mends_torn_tail() {
        model::journal::mend(state);
    }
    model::journal::append_all(state, entries.iter().copied(), cut);
}

fn append_to_file(
    file: &mut Journal<'_, LinuxSys>,
    scenario: &Scenario,
    design: Design,
    entries: &[At],
    cut: Option<Cut>,
) {
    let paths: Vec<PathBuf> = entries.iter().map(|at| path(scenario, *at)).collect();
    let lines = journal::encode(&paths).unwrap();
    let taken = cut.map_or(lines.len(), |cut| cut_length(&lines, cut));
    file.append(&lines[..taken], design).unwrap();
}

/// What a drain takes for entries.
fn entries_of(scenario: &Scenario, state: &State, design: Design) -> Vec<PathBuf> {
    let beginning = |at: At| {
        let whole = path(scenario, at).to_str().unwrap().to_owned();
        whole[..whole.rfind('/').unwrap() + 4].to_owned()
    };
    let show = |at: At| path(scenario, at).to_str().unwrap().to_owned();
    let entry = |kind| match kind {
        Kind::Entry(at) => Some(show(at)),
        Kind::NoNewline(at) => (!design.mends_torn_tail()).then(|| show(at)),
        Kind::MidLine(at) => (!design.mends_torn_tail()).then(|| beginning(at)),
        Kind::GluedToMidLine(first, second) => Some(beginning(first) + &show(second)),
        Kind::GluedToNoNewline(first, second) => Some(show(first) + &show(second)),
        Kind::None | Kind::Foreign | Kind::Directory { .. } => None,
    };
    state
        .lines
        .iter()
        .filter_map(|line| entry(line.kind()))
        .map(PathBuf::from)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn the_lines_of_the_model_and_the_bytes_of_the_file_are_one_text(
        design in prop_oneof![Just(Design::HARDENED), Just(Design::UPSTREAM)],
        events in prop::collection::vec(anything(), 1..12),
    ) {
        let scope = Scope::new(Scenario::named("torn_append_meets_gc").unwrap(), design, &[]);
        let directory = tempfile::tempdir_in(SHM).unwrap();
        let file = directory.path().join("move-journal");
        let mut file = Journal::lock(&LinuxSys, file, CreateMode { mode: 0o660, owner: None }).unwrap();
        let mut state = scope.start();
        state.journal_file = 1;
        for event in events {
            match event {
                Happens::Append(entries, cut) => {
                    let is_torn = state.lines.iter().any(|line| line.is_torn());
                    // A second torn append behind a first, and a longer file, lie outside the model's bounds.
                    let tears = matches!(cut, Some(Cut::MidLine | Cut::NoNewline));
                    if (is_torn && tears) || model::journal::len(&state) + entries.len() > LINES {
                        continue;
                    }
                    append_in_model(&mut state, design, &entries, cut);
                    append_to_file(&mut file, scope.scenario, design, &entries, cut);
                }
                Happens::Truncate => {
                    model::journal::truncate(&mut state);
                    file.truncate().unwrap();
                }
            }
            let bytes = file.read().unwrap();
            let wanted = expected(&scope, &state, BASE).journal;
            prop_assert_eq!(Some(&bytes), wanted.as_ref());
            let entries = journal::entries(&bytes, design).unwrap();
            let paths: Vec<PathBuf> = entries.iter().map(|entry| entry.path.to_owned()).collect();
            prop_assert_eq!(paths, entries_of(scope.scenario, &state, design));
        }
    }
}
