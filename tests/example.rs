//! The worked example: its patches fit this tree. `worked-example.sh` builds what they make, and runs the page.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;
use suite::parts::EXAMPLE_PATCHES;
use suite::root;

#[test]
fn each_patch_of_the_worked_example_applies_to_the_one_file_that_its_section_speaks_of() {
    for (patch, target) in EXAMPLE_PATCHES {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join(target);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = fs::read_to_string(root().join(target)).unwrap();
        fs::write(&path, &before).unwrap();
        let output = Command::new("git")
            .args(["apply", "--verbose"])
            .arg(root().join(patch))
            .current_dir(&copy)
            // Below a repository git would apply nothing, and say nothing.
            .env(
                "GIT_CEILING_DIRECTORIES",
                copy.path().parent().unwrap_or(Path::new("/")),
            )
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{patch}: {said}");
        assert!(
            !said.contains("offset"),
            "{patch} has moved, write it anew: {said}"
        );
        assert_ne!(fs::read_to_string(&path).unwrap(), before, "{patch}");
    }
}
