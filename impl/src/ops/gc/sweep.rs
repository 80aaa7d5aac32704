//! The sweep: every chunk whose access time is before the minimum is removed, and every temporary file that is as old.
//!
//! A file that cannot be removed and a directory that cannot be listed do not keep the others from being swept; the run ends
//! with an error that names the first ones. As published, the first of them ends the sweep.

use super::{GcError, GcStatus, NotSwept, Relative, SECOND, Step, Unfinished, unless_stopping};
use crate::chunk_store::{self, Named, Swept};
use crate::datastore::Datastore;
use crate::error::At;
use crate::listing::child_directories;
use crate::place::link_in_the_way;
use crate::step::{Cx, Ending};
use crate::sys::Sys;
use specs::Outcome;
use specs::ToLabel as _;
use std::path::Path;
use std::time::Duration;

/// A writer that began before the cutoff moves it to so long before its beginning.
const WRITER_MARGIN: i128 = 300 * SECOND;

/// What the sweep compares access times with, in nanoseconds since the epoch.
pub(super) struct Limits {
    /// A chunk that was used since then is in use.
    start: i128,
    /// A chunk that was not used since then is removed.
    minimum: i128,
}

impl Limits {
    pub(super) fn new(start: i128, cutoff: Duration, oldest_writer: Option<i128>) -> Self {
        // Whole seconds, since there are file systems that record no more.
        let start = start - start.rem_euclid(SECOND);
        let cutoff = start - i128::try_from(cutoff.as_nanos()).unwrap_or(i128::MAX / 2);
        let minimum = match oldest_writer {
            Some(began) if began < cutoff => began - WRITER_MARGIN,
            Some(_) | None => cutoff,
        };
        Self { start, minimum }
    }
}

/// Removes the chunks whose access time is before the minimum; what could not be removed is the answer.
pub(super) fn sweep<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    limits: &Limits,
    status: &mut GcStatus,
) -> Result<NotSwept, GcError> {
    let mut left = NotSwept::default();
    let chunks = store.chunks();
    let directory = chunks.directory();
    let listing = cx.try_step(Step::ListPrefixes, || {
        cx.sys.read_dir(directory).at("list", directory)
    })?;
    for link in listing.iter().filter(|entry| entry.is_link) {
        if link.name.to_str().is_some_and(chunk_store::is_prefix) {
            left.add(link_in_the_way(directory.join(&link.name)));
        }
    }
    let mut prefixes: Vec<&str> = child_directories(&listing)
        .filter(|name| chunk_store::is_prefix(name))
        .collect();
    prefixes.sort_unstable();
    for prefix in prefixes {
        let relative = Path::new(".chunks").join(prefix);
        let mut path = directory.join(prefix);
        let listing = cx.try_step(Step::ListChunks.of(&Relative(&relative)), || {
            cx.sys.read_dir(&path).at("list", &path)
        });
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                left.add(error);
                continue;
            }
        };
        for entry in listing {
            let Some(name) = entry.name.to_str() else {
                continue;
            };
            let Some(named) = Named::of(name) else {
                continue;
            };
            path.push(name);
            let relative = path.strip_prefix(store.layout().base()).unwrap_or(&path);
            let swept = cx.step_with(Step::SweepChunk.of(&Relative(relative)), || {
                let swept =
                    unless_stopping(&cx.sys, || chunks.sweep(&cx.sys, &path, limits.minimum));
                let outcome = match &swept {
                    Ok(Swept::Removed { .. }) => Outcome::Removed,
                    Ok(Swept::Gone) => Outcome::NotFound,
                    Ok(Swept::Kept { .. } | Swept::Skipped) => Outcome::Kept,
                    Err(error) => error.outcome().unwrap_or(Outcome::Refused),
                };
                (swept, outcome)
            });
            match swept {
                Ok(swept) => count(status, swept, named, limits.start),
                Err(Unfinished::Failed(error)) => left.add(error),
                Err(stopped @ Unfinished::Stopped) => return Err(stopped.into()),
            }
            path.pop();
        }
    }
    status.not_swept = left.count;
    Ok(left)
}

fn count(status: &mut GcStatus, swept: Swept, named: Named, start: i128) {
    let (files, bytes, size) = match (swept, named) {
        (Swept::Gone | Swept::Skipped, _) => return,
        (Swept::Removed { .. }, Named::Bad) => {
            status.removed_bad += 1;
            return;
        }
        (Swept::Kept { .. }, Named::Bad) => {
            status.still_bad += 1;
            return;
        }
        (Swept::Removed { size }, Named::Temporary) => (
            &mut status.removed_temporary,
            &mut status.removed_temporary_bytes,
            size,
        ),
        (Swept::Kept { size, .. }, Named::Temporary) => (
            &mut status.still_temporary,
            &mut status.still_temporary_bytes,
            size,
        ),
        (Swept::Removed { size }, Named::Chunk) => {
            (&mut status.removed_chunks, &mut status.removed_bytes, size)
        }
        (Swept::Kept { size, atime_ns }, Named::Chunk) if atime_ns < start => {
            (&mut status.pending_chunks, &mut status.pending_bytes, size)
        }
        (Swept::Kept { size, .. }, Named::Chunk) => {
            (&mut status.disk_chunks, &mut status.disk_bytes, size)
        }
    };
    *files += 1;
    *bytes += size;
}
