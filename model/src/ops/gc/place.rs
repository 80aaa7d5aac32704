//! Where a garbage collection is: what it keeps between its steps, and the walk over directories.
//!
//! A namespace has one type directory, whose entries are groups, and one directory of child namespaces.

use super::next;
use crate::directories;
use crate::journal::{At, Kind};
use crate::locks::Name;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Actor, Age, End, Fixed, GROUPS, Hold, NAMESPACES, Next, Places, Set, State};
use specs::design::Change;
use specs::id::{self, Group, Id, Namespace, Snapshot};
use specs::ops::gc::Step;
use specs::{Design, Outcome};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The walk starts at the base directory, which is that of the root namespace.
pub(super) const BASE: Set = Set::only(0);
/// Four bits of a walk are for the type directories, the next four for those of child namespaces.
const CHILDREN: u8 = 4;
/// Bits that a namespace has in a set of groups; there are not more of them.
const GROUPS_OF_A_NAMESPACE: u8 = 2;
const _: () = assert!(
    GROUPS <= 2 && NAMESPACES <= 4,
    "one byte holds a bit for each group in each namespace"
);

/// From where an index file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u8);

impl Phase {
    pub(super) const VISIT: Self = Self(0);
    pub(super) const LEFTOVER: Self = Self(1);
    pub(super) const DRAIN: Self = Self(2);
    /// The drain has failed, and its design truncates all the same.
    pub(super) const FAILED: Self = Self(3);
    /// The drain visits the group of an entry whose index file is gone.
    pub(super) const VISIT_AGAIN: Self = Self(4);
}

/// What a run keeps between its steps.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Locals {
    /// The index files that the walk found and nobody has opened yet.
    pub(super) listed: Places,
    /// During the walk, the namespaces whose type directory is still to be listed, and from [`CHILDREN`] on those
    /// whose directory of child namespaces is; then the phase.
    pub(super) walk: Set,
    /// Namespaces that are still to be listed, then to be visited.
    pub(super) namespaces: Set,
    /// The current namespace.
    pub(super) namespace: u8,
    /// Groups of the current namespace that are still to be visited.
    pub(super) groups: Set,
    /// One more than the current group; 0 between groups.
    pub(super) group: u8,
    /// The snapshots of the last listing of the current group.
    pub(super) listing: Set,
    /// Those whose files are still to be listed.
    pub(super) to_list: Set,
    /// Index files of the listing that are still to be opened.
    pub(super) files: Set,
    /// Listings of the current group that were given up.
    pub(super) attempts: u8,
    /// The group lock of the last attempt.
    pub(super) hold: u8,
    /// Chunks of the current index file, or of the sweep, that are still to be taken.
    pub(super) chunks: Set,
    /// Chunks that this run has touched.
    pub(super) touched: Set,
    /// One more than the number of lines that the drain read; 0 before.
    pub(super) read: u8,
    /// The current line of the drain, counted from 1.
    pub(super) line: u8,
    /// Whether a writer began before the cutoff passed, so that what was touched since then stays.
    pub(super) spares_middle: u8,
    /// Chunks that were set aside and are still to be looked at: two bits for each chunk.
    pub(super) bad_chunks: Set,
    /// Whether the names of the current listing were listed once more.
    pub(super) names_are_checked: u8,
    /// The groups that the drain has visited: for each namespace one bit for each group.
    pub(super) visited_again: Set,
}

impl Locals {
    pub(super) fn of(actor: &Actor) -> Self {
        zerocopy::transmute!(actor.locals)
    }

    /// From where the current index file was opened.
    pub(super) const fn phase(&self) -> Phase {
        Phase(self.walk.0)
    }

    /// The walk is over, so that its byte is free.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.walk = Set(phase.0);
    }

    pub(super) fn unlist(&mut self, namespace: u8, index: u8) {
        self.listed = self.listed.without(namespace, index);
    }

    /// Begins to visit the group of an entry whose index file is gone; false if the drain has done so before, or if
    /// the file is that of no group.
    pub(super) fn visits_again(&mut self, scope: &Scope, at: At) -> bool {
        let Some(snapshot) = scope.snapshot_of[usize::from(at.index)] else {
            return false;
        };
        let group = scope.group_of[usize::from(snapshot)];
        let bit = at.namespace * GROUPS_OF_A_NAMESPACE + group;
        if self.visited_again.has(bit) {
            return false;
        }
        self.visited_again = self.visited_again.with(bit);
        self.namespace = at.namespace;
        self.group = group + 1;
        self.enter(Phase::VISIT_AGAIN);
        true
    }

    /// The current listing is given up.
    pub(super) fn leave_listing(&mut self) {
        self.listing = Set::default();
        self.to_list = Set::default();
        self.files = Set::default();
        self.names_are_checked = 0;
    }

    /// The current group is done.
    pub(super) fn leave_group(&mut self) {
        self.leave_listing();
        self.group = 0;
        self.attempts = 0;
    }
}

/// What follows a step.
#[derive(Clone, Copy)]
pub(super) enum Chain {
    /// The step of that label.
    Step(Step),
    /// The run fails: everything is released next.
    Fail(End),
    /// The run has ended.
    End(End),
}

/// Stores what follows; a run that has ended is followed by the next one, if there is one.
pub(super) fn go_on(state: &mut State, me: id::Actor, gc: Locals, then: Chain) {
    let actor = state.actor_mut(me);
    actor.locals = zerocopy::transmute!(gc);
    match then {
        Chain::Step(step) => actor.next = next(step),
        Chain::Fail(end) => {
            actor.end = end;
            actor.next = next(Step::ReleaseAll);
        }
        Chain::End(end) => {
            actor.end = end;
            actor.locals = Default::default();
            match actor.runs.checked_sub(1) {
                Some(runs) => {
                    actor.runs = runs;
                    actor.next = next(Step::LockGcSlot);
                }
                None => actor.next = Next::FINISHED,
            }
        }
    }
}

pub(super) fn release(state: &mut State, me: id::Actor, lock: Fixed) {
    let actor = state.actor_mut(me);
    actor.held = actor.held.without(lock);
}

/// Visits the group lock of the last listing attempt.
pub fn visit_holds(state: &State, me: id::Actor, visit: &mut impl FnMut(id::Actor, Name, Hold)) {
    let gc = Locals::of(state.actor(me));
    if gc.hold != 0 {
        visit(me, Name::Group(gc.namespace, gc.group - 1), Hold(gc.hold));
    }
}

/// Those of a set of namespaces that lie deepest. What is left of a walk in depth lies on one path from the root
/// namespace, so they are siblings.
pub(crate) fn deepest(scope: &Scope, namespaces: Set) -> Set {
    let depth = |n: u8| scope.depths[usize::from(n)];
    let deepest = namespaces.iter().map(depth).max();
    namespaces
        .iter()
        .filter(|n| Some(depth(*n)) == deepest)
        .fold(Set::default(), Set::with)
}

/// Offers the directories that the walk may list next: depth first, siblings in any order.
pub(super) fn walk_next(scope: &Scope, gc: &Locals, mut offer: impl FnMut(Id)) {
    let here = Namespace(gc.namespace);
    let types = Set(gc.walk.0 & ((1 << CHILDREN) - 1));
    let children = Set(gc.walk.0 >> CHILDREN);
    // What lies in a namespace is deeper than the namespace, and less deep than one below it.
    let opened = deepest(scope, types.or(children));
    let pending = deepest(scope, gc.namespaces);
    let depth = |set: Set| set.lowest().map(|n| scope.depths[usize::from(n)]);
    if !gc.to_list.is_empty() {
        gc.to_list
            .iter()
            .for_each(|s| offer(Id::Snapshot(here, Snapshot(s))));
    } else if !gc.groups.is_empty() {
        gc.groups
            .iter()
            .for_each(|g| offer(Id::Group(here, Group(g))));
    } else if depth(pending) > depth(opened) {
        pending
            .iter()
            .for_each(|n| offer(Id::Namespace(Namespace(n))));
    } else {
        types
            .and(opened)
            .iter()
            .for_each(|n| offer(Id::Type(Namespace(n))));
        children
            .and(opened)
            .iter()
            .for_each(|n| offer(Id::Children(Namespace(n))));
    }
}

/// Lists one directory of the walk; whether it was there.
pub(super) fn walk_list(scope: &Scope, state: &State, gc: &mut Locals, id: Id) -> bool {
    match id {
        Id::Namespace(Namespace(n)) => {
            gc.namespaces = gc.namespaces.without(n);
            if !state.namespaces.has(n) {
                return false;
            }
            if state.types.has(n) {
                gc.walk = gc.walk.with(n);
            }
            if state.children.has(n) {
                gc.walk = gc.walk.with(CHILDREN + n);
            }
            if n == 0 {
                gc.listed = gc.listed.with_all(0, scope.strays);
            }
        }
        Id::Children(Namespace(n)) => {
            gc.walk = gc.walk.without(CHILDREN + n);
            if !state.children.has(n) {
                return false;
            }
            gc.namespaces = gc.namespaces.or(directories::children(scope, state, n));
        }
        Id::Type(Namespace(n)) => {
            gc.walk = gc.walk.without(n);
            if !state.types.has(n) {
                return false;
            }
            gc.namespace = n;
            gc.groups = groups_at(state, n);
        }
        Id::Group(Namespace(n), Group(g)) => {
            gc.groups = gc.groups.without(g);
            if !state.groups[usize::from(g)].has(n) {
                return false;
            }
            gc.to_list = scope.snapshots_at(state, n, g);
        }
        Id::Snapshot(Namespace(n), Snapshot(s)) => {
            gc.to_list = gc.to_list.without(s);
            if !state.snapshots[usize::from(s)].has(n) {
                return false;
            }
            gc.listed = gc.listed.with_all(n, scope.indexes_in(state, s));
        }
        Id::Index(..)
        | Id::Temporary(..)
        | Id::Manifest(..)
        | Id::Protected(..)
        | Id::Prefix
        | Id::Chunk(_)
        | Id::BadChunk(..)
        | Id::Line(_) => return false,
    }
    true
}

/// Whether every directory of the walk was listed; the current namespace is then forgotten.
pub(super) fn walk_is_over(gc: &mut Locals) -> bool {
    let over = gc
        .to_list
        .or(gc.groups)
        .or(gc.namespaces)
        .or(gc.walk)
        .is_empty();
    if gc.to_list.or(gc.groups).is_empty() {
        gc.namespace = 0;
    }
    over
}

/// The index files of the newest snapshot that still has some to open.
pub(super) fn newest_files(scope: &Scope, gc: &Locals) -> Set {
    let snapshots = || {
        gc.files
            .iter()
            .filter_map(|i| scope.snapshot_of[usize::from(i)])
    };
    let next = if scope.design.has(Change::OldestFirst) {
        snapshots().min()
    } else {
        snapshots().max()
    };
    next.map_or(Set::default(), |s| {
        gc.files.and(scope.indexes_of[usize::from(s)])
    })
}

/// The first listed index file that no group held, by path.
pub(super) fn first_leftover(scope: &Scope, gc: &Locals) -> Option<(u8, u8)> {
    if gc.listed.is_empty() {
        return None;
    }
    scope
        .by_path
        .iter()
        .copied()
        .find(|(n, i)| gc.listed.has(*n, *i))
}

/// Number of lines that the drain takes as lines.
pub(super) fn lines_read(design: Design, state: &State) -> u8 {
    let lines = state.lines.iter().filter(|line| {
        let kind = line.kind();
        kind != Kind::None && !(design.mends_torn_tail() && line.is_torn())
    });
    lines.fold(0, |count, _| count + 1)
}

/// Everything is marked.
pub(super) fn after_marks(design: Design) -> Chain {
    if design.has(Change::OldestWriterAfterMark) {
        Chain::Step(Step::ReadOldestWriter)
    } else {
        Chain::Step(Step::ListPrefixes)
    }
}

/// A line cannot be processed: the run fails, and in one design empties the journal before.
pub(super) fn fail_drain(design: Design, gc: &mut Locals, failure: End) -> Chain {
    if design.has(Change::TruncateAfterFailedEntry) {
        gc.enter(Phase::FAILED);
        Chain::Step(Step::TruncateJournal)
    } else {
        Chain::Fail(failure)
    }
}

pub(crate) fn groups_at(state: &State, namespace: u8) -> Set {
    let mut groups = Set::default();
    for (g, at) in (0u8..).zip(state.groups) {
        if at.has(namespace) {
            groups = groups.with(g);
        }
    }
    groups
}

pub(super) fn chunks_there(state: &State) -> Set {
    let mut chunks = Set::default();
    for (c, chunk) in (0u8..).zip(state.chunks) {
        if chunk.is_there() {
            chunks = chunks.with(c);
        }
    }
    chunks
}

/// The files that were set aside: two bits for each chunk.
pub(super) fn bad_chunks_there(state: &State) -> Set {
    let mut bad = Set::default();
    for (c, chunk) in (0u8..).zip(state.chunks) {
        for n in (0..2).filter(|n| chunk.bad(*n) != Age::MISSING) {
            bad = bad.with(c * 2 + n);
        }
    }
    bad
}

/// What opening the path of a line gives.
pub(super) fn open_entry(scope: &Scope, state: &State, kind: Kind) -> Outcome {
    let is_at = |at: At| scope.index_is_at(state, at.namespace, at.index);
    match kind {
        Kind::Entry(at) | Kind::NoNewline(at) if is_at(at) => Outcome::Done,
        // The first path is a file, so nothing can lie below it.
        Kind::GluedToNoNewline(first, _) if is_at(first) => Outcome::NotDirectory,
        Kind::Entry(_)
        | Kind::NoNewline(_)
        | Kind::GluedToMidLine(..)
        | Kind::GluedToNoNewline(..)
        | Kind::MidLine(_)
        | Kind::Foreign
        | Kind::Directory { .. }
        | Kind::None => Outcome::NotFound,
    }
}

/// Whether a file of that age goes, which the outcome must say.
pub(super) fn sweeps(gc: &Locals, age: Age, outcome: Outcome) -> Result<bool, Refusal> {
    let goes = age == Age::OLD || age == Age::MIDDLE && gc.spares_middle == 0;
    let (expected, refusal) = if age == Age::MISSING {
        (Outcome::NotFound, Refusal::NotThere)
    } else if goes {
        (Outcome::Removed, Refusal::Old)
    } else {
        (Outcome::Kept, Refusal::Fresh)
    };
    if outcome == expected {
        Ok(goes)
    } else {
        Err(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::question::Question;
    use zerocopy::FromZeros as _;

    #[test]
    fn every_group_of_every_namespace_is_visited_again_once_and_for_itself() {
        let question = Question::parse("two_groups:gc").unwrap();
        let scope = Scope::new(question.scenario(), Design::HARDENED, &[]);
        let mut gc = Locals::new_zeroed();
        let mut visited = Vec::new();
        for namespace in 0..u8::try_from(NAMESPACES).unwrap() {
            for (index, snapshot) in scope.snapshot_of.into_iter().enumerate() {
                let index = u8::try_from(index).unwrap();
                let group = snapshot.map(|s| (namespace, scope.group_of[usize::from(s)]));
                let is_new = group.is_some_and(|group| !visited.contains(&group));
                let visits = gc.visits_again(&scope, At { index, namespace });
                assert_eq!(visits, is_new, "{group:?} after {visited:?}");
                if visits {
                    let current = (gc.namespace, gc.group - 1);
                    assert_eq!((Some(current), gc.phase()), (group, Phase::VISIT_AGAIN));
                    visited.push(current);
                }
            }
        }
        assert_eq!(visited.len(), 2 * NAMESPACES);
    }
}
