//! The tables of names of all scenarios.

use super::*;
use crate::Id;
use std::collections::BTreeMap;

#[test]
fn names_are_unique_and_every_id_has_a_path_of_its_own() {
    let mut names = BTreeMap::new();
    for scenario in SCENARIOS {
        assert!(
            names.insert(scenario.name, ()).is_none(),
            "{}",
            scenario.name
        );
        let mut paths = BTreeMap::new();
        for id in scenario.all_ids() {
            let other = paths.insert(scenario.path(id), id);
            assert_eq!(other, None, "{}: {id:?}", scenario.name);
        }
    }
}

#[test]
fn index_files_are_sorted_by_path_so_that_ids_and_paths_have_one_order() {
    for scenario in SCENARIOS {
        for namespace in scenario.all_namespaces() {
            let paths: Vec<String> = scenario
                .all_indexes()
                .filter(|i| scenario.indexes[usize::from(i.0)].snapshot.is_some())
                .map(|i| scenario.path(Id::Index(namespace, i)))
                .collect();
            assert!(paths.is_sorted(), "{}: {paths:?}", scenario.name);
        }
    }
}
