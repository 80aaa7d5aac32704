//! What must be so in every state that can be reached, whatever the design: nothing lies in a directory that is not there,
//! and who is dead has nothing.

use crate::directories;
use crate::engine::{self, Options};
use crate::journal::{HIDDEN, Kind};
use crate::locks;
use crate::scope::Scope;
use crate::state::{Actor, Fixed, Next, State};
use specs::Design;
use specs::design::{CHANGES, Change, PRESETS};
use specs::id;
use specs::question::Question;
use std::collections::BTreeSet;

/// What is wrong with a state, in words.
fn incoherences(scope: &Scope, state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |is_so: bool, what: &str| {
        if !is_so {
            wrong.push(what.to_owned());
        }
    };
    let is_reader = |actor: id::Actor| state.actor(actor).held.is_locked(Fixed::JOURNAL);
    must(
        state.journal_file != HIDDEN || scope.actors().any(is_reader),
        "lines are kept for a drain, and nobody drains",
    );
    let kinds = state.lines.map(|line| line.kind() != Kind::None);
    must(
        kinds.is_sorted_by(|first, second| first >= second),
        "there is a line behind the end of the journal",
    );
    let keeps_file = !scope.design.keeps_journal_in_memory();
    must(
        !kinds[0] || state.journal_file > 0 || !keeps_file,
        "there are lines and no journal",
    );
    for actor in scope.actors() {
        let now = *state.actor(actor);
        if now.next == Next::KILLED {
            let dead = Actor {
                next: Next::KILLED,
                ..Actor::default()
            };
            must(now == dead, "who is dead keeps something");
            must(
                locks::holds_nothing(scope, state, actor),
                "who is dead holds a lock",
            );
        }
    }
    for (s, places) in state.snapshots.iter().enumerate() {
        let group = usize::from(scope.group_of[s]);
        must(
            places.minus(state.groups[group]).is_empty(),
            "a snapshot lies in a group that is not there",
        );
    }
    for (g, groups) in state.groups.iter().enumerate() {
        must(
            state.owners[g].files().minus(*groups).is_empty(),
            "an owner lies in a group that is not there",
        );
        must(
            state.notes[g].minus(*groups).is_empty(),
            "notes lie in a group that is not there",
        );
    }
    must(
        directories::are_rooted(scope, state),
        "a directory lies in one that is not there",
    );
    for index in state.indexes.or(state.temporaries).iter() {
        let of = scope.snapshot_of[usize::from(index)];
        must(
            of.is_none_or(|s| !state.snapshots[usize::from(s)].is_empty()),
            "an index file lies in a snapshot that is not there",
        );
    }
    wrong
}

/// Both designs and the published one, each with one change more or less.
fn designs() -> BTreeSet<Design> {
    let toggled = |design: Design, change: Change| match design.has(change) {
        true => design.without(change),
        false => design.with(change),
    };
    let ends = [Design::HARDENED, Design::UPSTREAM];
    let changed = CHANGES
        .iter()
        .flat_map(|about| ends.map(|design| toggled(design, about.change)))
        .filter(|design| design.contradiction().is_none());
    PRESETS
        .iter()
        .map(|preset| preset.design)
        .chain(changed)
        .collect()
}

/// How many states there are; all coherent.
fn asked(name: &str, designs: impl IntoIterator<Item = Design>) -> usize {
    let question = Question::parse(name).unwrap();
    let mut states = 0;
    for design in designs {
        let scope = Scope::new(question.scenario(), design, &[]);
        let options = Options {
            keep_graph: true,
            ..Options::default()
        };
        let graph = engine::explore(&scope, &options).unwrap().graph.unwrap();
        states += graph.states.len();
        for state in &graph.states {
            let wrong = incoherences(&scope, state);
            assert!(wrong.is_empty(), "{name} {design}: {wrong:?}: {state:?}");
        }
    }
    states
}

#[test]
fn every_state_is_coherent_under_every_design_with_one_change() {
    for name in [
        "foreign_line:gc+move(a,b)@kill",
        "notes:move(a,b)+delete(b)@kill",
    ] {
        let states = asked(name, designs());
        assert!(states > 50_000, "{name}: {states}");
    }
}

#[test]
fn every_state_is_coherent_whatever_is_done() {
    for name in [
        "gc+merge(a,b)+forget(b,0)@own,kill",
        "two_groups:prune(a,0)+backup(b)@kill,leave,time",
        "corrupt:verify(a)+notes(a,0)+owner(a)@own,kill",
        "nested:delete(a)+backup(a/b)@own,kill",
    ] {
        let states = asked(name, [Design::HARDENED, Design::UPSTREAM]);
        assert!(states > 100, "{name}: {states}");
    }
}
