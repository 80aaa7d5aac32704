//! Where a snapshot will be, as the journal says it, and how it appears there.

use crate::journal::{self, At, Kind};
use crate::ops::gc;
use crate::scope::Scope;
use crate::state::State;
use specs::id::{Id, Namespace};
use specs::ops::move_group::Step;
use specs::{Cut, Design};

/// Appends to the journal what is announced, or as much of it as was written.
pub(super) fn append(
    scope: &Scope,
    state: &mut State,
    label: Step<Id>,
    source: Namespace,
    target: Namespace,
    cut: Option<Cut>,
) {
    let records_source = scope.design == Design::RecordSourcePath;
    let namespace = if records_source { source.0 } else { target.0 };
    if let Step::AppendJournal(Id::Snapshot(_, s)) = label {
        let indexes = scope.indexes_in(state, s.0);
        journal::append_all(
            state,
            indexes.iter().map(|index| At { index, namespace }),
            cut,
        );
    } else if let (Step::AppendJournal(Id::Group(_, g)), None) = (label, cut) {
        journal::append(
            state,
            Kind::Directory {
                namespace,
                group: g.0,
            },
        );
    }
}

/// A snapshot appears at its target; the ghost remembers it while a run marks.
pub(super) fn appear(scope: &Scope, state: &mut State, snapshot: u8, to: u8) {
    let at = &mut state.snapshots[usize::from(snapshot)];
    *at = at.with(to);
    if scope
        .actors()
        .any(|actor| gc::is_marking(scope, state, actor))
    {
        let indexes = scope.indexes_in(state, snapshot);
        state.renamed = state.renamed.with_all(to, indexes);
    }
}
