//! The properties of namespaces and owners, judged from real files and reported steps.

use super::Evidence;
use crate::projection::OwnerFile;
use specs::Id;
use specs::scenario::OWNERS;

/// The directory of a namespace that was removed, and is there.
pub(super) fn returned_namespace(evidence: &Evidence<'_>) -> Option<String> {
    let namespace = evidence.notes.witness.returned_namespace()?;
    let path = evidence.scenario.path(Id::Namespace(namespace));
    Some(format!("{path} was removed, and is there again"))
}

/// An owner that was replaced although it was not the one that had been read.
pub(super) fn unchecked_owner(evidence: &Evidence<'_>) -> Option<String> {
    let (actor, checked, replaced) = evidence.notes.witness.unchecked_owner()?;
    Some(format!(
        "actor {} has checked the owner {}, and has replaced {}",
        actor.0,
        describe(checked),
        describe(replaced)
    ))
}

/// A group whose owner file is empty.
pub(super) fn empty_owner(evidence: &Evidence<'_>) -> Option<String> {
    let scenario = evidence.scenario;
    let places = scenario
        .all_namespaces()
        .flat_map(|namespace| scenario.all_groups().map(move |group| (namespace, group)));
    let mut owners = places.zip(&evidence.seen.owner_names);
    let ((namespace, group), _) = owners.find(|(_, owner)| **owner == OwnerFile::Empty)?;
    let path = scenario.path(Id::Group(namespace, group));
    Some(format!("the owner file of {path} is empty"))
}

fn describe(owner: OwnerFile) -> &'static str {
    match owner {
        OwnerFile::Missing => "(no file)",
        OwnerFile::Empty => "(an empty file)",
        OwnerFile::Owner(owner) => OWNERS[usize::from(owner)],
        OwnerFile::Unknown => "(nobody that is known)",
    }
}
