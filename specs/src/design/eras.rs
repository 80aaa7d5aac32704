//! Mechanisms of other times, and of proposals that were never applied.

use super::change::{About, Change};

/// The mechanisms.
pub(super) const ERAS: &[About] = &[
    About::era(
        Change::LocksDirectories,
        "locks_directories",
        "Every process locks a group or a snapshot by its directory, and not by a lock file.",
    )
    // What is locked by its directory is never compared, and never unlinked.
    .excludes(&[Change::RecheckBeforeFlock, Change::UnlinkAfterUnlock]),
    About::era(Change::NoMoves, "no_moves", "There are no moves: whoever would move is refused.")
        .requires(&[Change::NoJournal]),
    About::era(
        Change::LocksNamespaces,
        "locks_namespaces",
        "Operations lock the namespace that they work in and those above it, by lock files that everybody tries.",
    )
    .requires(&[Change::RenameWholeGroup])
    // A backup locks its namespace before it creates its group, and its group after that.
    .excludes(&[Change::LocksBeforeItCreates]),
    About::era(
        Change::WaitsForNamespaces,
        "waits_for_namespaces",
        "Everybody waits up to 5 s for the lock of a namespace.",
    )
    .requires(&[Change::LocksNamespaces]),
];
