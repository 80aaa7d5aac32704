//! The directories of namespaces, groups and snapshots: who creates them on the way to a group, and when one can be
//! removed.
//!
//! A namespace has a directory, in it one for its backup type and one for its child namespaces. Of the root namespace
//! none is ever removed.

use crate::locks::generations::number_directory;
use crate::locks::{self, Name};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::state::{Set, State};
use specs::Outcome;

/// The namespaces that lie directly in a namespace.
pub(crate) fn children(scope: &Scope, state: &State, namespace: u8) -> Set {
    scope.children[usize::from(namespace)].and(state.namespaces)
}

/// Creates the directory of a group, and that of its type if need be; in some designs also those of its namespace.
pub(crate) fn create_group(
    scope: &Scope,
    state: &mut State,
    (namespace, group): (u8, u8),
    outcome: Outcome,
) -> Result<(), Refusal> {
    let g = usize::from(group);
    let there = state.groups[g].has(namespace);
    let possible = state.namespaces.has(namespace) || scope.design.creates_namespaces_on_the_way();
    match (there, possible, outcome) {
        (true, _, Outcome::Exists) | (false, false, Outcome::NotFound) => Ok(()),
        (false, true, Outcome::Done) => {
            create_type(scope, state, namespace);
            state.groups[g] = state.groups[g].with(namespace);
            number_directory(scope, state, Name::Group(namespace, group));
            Ok(())
        }
        (false, false, _) => Err(Refusal::NotThere),
        (there, true, _) | (there, false, _) => Err(Refusal::found(there)),
    }
}

/// Removes the directory of a group, which is empty.
pub(crate) fn remove_group(state: &mut State, (namespace, group): (u8, u8)) {
    let at = &mut state.groups[usize::from(group)];
    *at = at.without(namespace);
    locks::unlink(state, Name::GroupDirectory(namespace, group));
}

/// Creates the directory of a snapshot that is nowhere yet.
pub(crate) fn create_snapshot(scope: &Scope, state: &mut State, (namespace, snapshot): (u8, u8)) {
    state.snapshots[usize::from(snapshot)] = Set::only(namespace);
    state.present = state.present.with(snapshot);
    number_directory(scope, state, Name::Snapshot(namespace, snapshot));
}

/// Removes the directory of a snapshot, which is empty.
pub(crate) fn remove_snapshot(state: &mut State, (namespace, snapshot): (u8, u8)) {
    let at = &mut state.snapshots[usize::from(snapshot)];
    *at = at.without(namespace);
    state.present = state.present.without(snapshot);
    locks::unlink(state, Name::SnapshotDirectory(namespace, snapshot));
}

/// Creates the directory of the backup type in a namespace, with all that is missing above it.
pub(crate) fn create_type(scope: &Scope, state: &mut State, namespace: u8) {
    state.types = state.types.with(namespace);
    let mut this = namespace;
    while let Some(above) = scope.parents[usize::from(this)] {
        state.namespaces = state.namespaces.with(this);
        state.children = state.children.with(above);
        this = above;
    }
}

/// Removes the directory of the backup type of a namespace, unless a group is in it.
pub(crate) fn remove_type(
    state: &mut State,
    namespace: u8,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let empty = !state.groups.iter().any(|at| at.has(namespace));
    remove(&mut state.types, namespace, empty, outcome)
}

/// Removes the directory of the child namespaces of a namespace, unless one is in it.
pub(crate) fn remove_children(
    scope: &Scope,
    state: &mut State,
    namespace: u8,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let empty = children(scope, state, namespace).is_empty();
    remove(&mut state.children, namespace, empty, outcome)
}

/// Removes the directory of a namespace, unless one of the other two is in it.
pub(crate) fn remove_namespace(
    state: &mut State,
    namespace: u8,
    outcome: Outcome,
) -> Result<(), Refusal> {
    let empty = !state.types.has(namespace) && !state.children.has(namespace);
    remove(&mut state.namespaces, namespace, empty, outcome)?;
    if outcome == Outcome::Done {
        state.removed = state.removed.with(namespace);
    }
    Ok(())
}

fn remove(set: &mut Set, namespace: u8, empty: bool, outcome: Outcome) -> Result<(), Refusal> {
    match (set.has(namespace), empty, outcome) {
        (true, true, Outcome::Done) => {
            *set = set.without(namespace);
            Ok(())
        }
        (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => Ok(()),
        (there, ..) => Err(Refusal::found(there)),
    }
}

/// Whether every directory that exists lies in one that exists.
pub(crate) fn are_rooted(scope: &Scope, state: &State) -> bool {
    let grouped = state
        .groups
        .iter()
        .fold(Set::default(), |all, at| all.or(*at));
    let inside = state.types.or(state.children).minus(state.namespaces);
    let rooted = (0u8..).zip(scope.parents).all(|(n, above)| {
        above.is_none_or(|above| !state.namespaces.has(n) || state.children.has(above))
    });
    grouped.minus(state.types).is_empty() && inside.is_empty() && rooted
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::{Design, Scenario};

    fn emptied(design: Design) -> (Scope, State) {
        let scenario = Scenario::named("takers_of_nested_namespaces").unwrap();
        let scope = Scope::new(scenario, design, &[]);
        let mut state = scope.start();
        for n in [3, 2] {
            let children = if n == 2 {
                Outcome::Done
            } else {
                Outcome::NotFound
            };
            remove_type(&mut state, n, Outcome::Done).unwrap();
            remove_children(&scope, &mut state, n, children).unwrap();
            remove_namespace(&mut state, n, Outcome::Done).unwrap();
        }
        (scope, state)
    }

    #[test]
    fn directories_are_removed_from_the_inside_out_only() {
        let (scope, mut state) = emptied(Design::HARDENED);
        assert_eq!(state.namespaces, Set::only(0).with(1));
        assert_eq!(state.removed, Set::only(2).with(3));
        assert!(are_rooted(&scope, &state));
        let refused = Err(Refusal::There);
        assert_eq!(remove_namespace(&mut state, 1, Outcome::Done), refused);
        assert_eq!(remove_namespace(&mut state, 1, Outcome::NotEmpty), Ok(()));
        assert_eq!(remove_type(&mut state, 2, Outcome::NotFound), Ok(()));
    }

    #[test]
    fn a_group_in_a_namespace_that_is_gone_is_refused_or_brings_it_back() {
        let (scope, mut state) = emptied(Design::HARDENED);
        let place = (3, 0);
        let before = state;
        let refused = create_group(&scope, &mut state, place, Outcome::NotFound);
        assert_eq!(refused, Ok(()));
        assert!(state == before);
        assert!(create_group(&scope, &mut state, place, Outcome::Done).is_err());

        let (scope, mut state) = emptied(Design::UPSTREAM);
        assert!(create_group(&scope, &mut state, place, Outcome::NotFound).is_err());
        assert_eq!(
            create_group(&scope, &mut state, place, Outcome::Done),
            Ok(())
        );
        assert_eq!(state.namespaces, scope.start().namespaces);
        assert!(are_rooted(&scope, &state) && state.groups[0].has(3));
        assert!(!state.types.has(2), "only what is on the way");
    }
}
