//! What the checks of the workspace share: where its files lie, runs of the model, traces drawn as lanes, and the
//! generated parts of the pages.

pub mod bounds;
pub mod findings;
pub mod mends;
pub mod order;
pub mod parts;
pub mod questions;
pub mod races;
pub mod records;
pub mod runs;

use conformance::drawing::Drawing;
use conformance::{lanes, thin};
use model::Scope;
use specs::Event;
use std::path::{Path, PathBuf};

/// The packages and their folders.
pub const PACKAGES: [(&str, &str); 5] = [
    ("specs", "specs"),
    ("model", "model"),
    ("datastore", "impl"),
    ("conformance", "conformance"),
    ("suite", "tests"),
];

/// A behaviour as lanes, told in the fewest turns, with what its last event does.
///
/// # Panics
///
/// If the model does not accept it.
#[must_use]
pub fn drawn(scope: &Scope, events: &[Event], end: Option<String>) -> String {
    let told = thin::reorder(scope, events);
    match Drawing::folded(scope, &told, end) {
        Ok(drawing) => lanes::draw(&drawing),
        Err((at, refusal)) => panic!("event {} is refused: {refusal}", at + 1),
    }
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// The packages that a manifest names as dependencies, and those that it names for its tests only.
#[must_use]
pub fn uses(manifest: &str) -> [Vec<String>; 2] {
    let mut all = [Vec::new(), Vec::new()];
    let mut section = "";
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let list = match section {
            "[dependencies]" => 0,
            "[dev-dependencies]" => 1,
            _ => continue,
        };
        if let Some(name) = line.split(['.', '=', ' ']).next()
            && !name.is_empty()
            && !name.starts_with('#')
        {
            all[list].push(name.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_and_those_of_tests_are_told_apart() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nspecs.workspace = true\n# no\n\
                        nix = { workspace = true }\n[dev-dependencies]\ntempfile.workspace = true\n";
        assert_eq!(uses(manifest), [vec!["specs", "nix"], vec!["tempfile"]]);
    }
}
