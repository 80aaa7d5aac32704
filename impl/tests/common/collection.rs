//! Garbage collections of a fixture: a run, its steps, and a move that it meets.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use super::Fixture;
use datastore::ops::gc::{self, GcError, GcStatus, Settings};
use std::fs;
use std::path::PathBuf;

/// Collects garbage with the settings that nobody has changed.
pub(crate) fn gc(fixture: &Fixture) -> Result<GcStatus, GcError> {
    gc::run(&fixture.cx, &fixture.store, &Settings::default())
}

/// The steps of a run, without the walk and the sweep, which are the same each time.
pub(crate) fn middle(fixture: &Fixture) -> Vec<String> {
    let outer = [
        "gc.list_index_files",
        "gc.list_prefixes",
        "gc.list_chunks",
        "gc.sweep_chunk",
    ];
    let mut steps = fixture.cx.sys.steps();
    steps.retain(|step| !outer.iter().any(|outer| step.starts_with(outer)));
    steps
}

/// Moves a directory without any lock, as a mover does in one of its steps.
pub(crate) fn rename(from: PathBuf, to: PathBuf) -> impl FnOnce() + 'static {
    move || {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(from, to).unwrap();
    }
}
