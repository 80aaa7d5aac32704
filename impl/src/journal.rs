//! The move journal: movers announce where an index file will be, garbage collection marks it there.
//!
//! # Race fixed
//!
//! Garbage collection visits the namespaces one after the other. A snapshot that is renamed from a
//! namespace that is visited later into one that was visited already is seen at neither place, and
//! its chunks would be swept.
//!
//! # Protocol
//!
//! A mover, for each snapshot:
//!
//! 1. lock the journal, wait up to 10 s ([`Journal::lock`]);
//! 2. append the path that each index file will have, one a line, in one write
//!    ([`Journal::append`]);
//! 3. rename the snapshot;
//! 4. close the journal. As published, the journal is closed before the rename: then a drain can
//!    come between the two, and takes away the entry of a rename that is still to come.
//!
//! Garbage collection, after it has visited every namespace and before it sweeps:
//!
//! 1. lock the journal, wait up to 10 s;
//! 2. read all of it ([`Journal::read`], [`entries`]) and mark the chunks of every index file that
//!    is there;
//! 3. empty it ([`Journal::truncate`]) and close it. If an entry could not be processed, it stays
//!    as it is.
//!
//! Nobody asks by what path a mover had opened the datastore: an entry of a snapshot that does not begin with the base
//! directory is looked for below it by its end, unless there is another file at its own path.
//!
//! > From the first listing of a run until its drain has read the journal, every index file that
//! > was renamed in that time has an entry in the journal.
//!
//! A crash of a mover between append and rename leaves an entry for a file that is not there: it is
//! skipped. A write that was cut short, by a full tmpfs or by SIGKILL, leaves a torn line. As
//! published, that line fails every later collection, or is glued to the next one, which is then
//! lost; the hardened design therefore cuts it off before it appends, and does not take it for an
//! entry. Its mover has not renamed that snapshot, so nothing is lost with it.
//!
//! A reboot empties the tmpfs, and ends every garbage collection with it.
//!
//! One design that is shown to be wrong has no file: each process keeps a journal of its own in
//! memory, under a mutex that is waited for however long it takes. What a process announces there
//! is seen by its own garbage collections only.
//!
//! Not covered: somebody removes the file. The lock of the journal is not compared with its path,
//! as no operation ever unlinks it.

use crate::error::{At, CallError, LockError};
use crate::lock_file::{LockFile, LockGuard};
use crate::paths::Group;
use crate::step::Ending;
use crate::sys::{CreateMode, Sys};
use crate::temporary::append_all;
use specs::lock_class::{Mode, Wait};
use specs::{Cut, Design, Outcome};
use std::path::{Path, PathBuf};

/// How long movers and garbage collection wait for each other.
pub const WAIT: Wait = Wait::Seconds(10);

/// The journal, locked. Dropping it closes the file, or unlocks the mutex, which lets the lock go.
#[must_use = "the journal is locked only as long as its guard"]
pub struct Journal<'s, S: Sys> {
    sys: &'s S,
    content: Content<'s, S>,
}

/// Where the content of a locked journal lies.
enum Content<'s, S: Sys + 's> {
    File(LockGuard<'s, S>),
    Memory(S::Guard<'s, Vec<u8>>),
}

/// A path that cannot be an entry.
#[derive(Debug, thiserror::Error)]
#[error("cannot be recorded in the move journal, because it {why}: {}", path.display())]
pub struct BadPath {
    /// The path.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: &'static str,
}

/// An append that failed, perhaps after a part of it was written.
#[derive(Debug, thiserror::Error)]
#[error("wrote {written} of {len} bytes: {source}")]
pub struct AppendError {
    /// So many bytes were written.
    pub written: usize,
    /// So many should have been.
    pub len: usize,
    /// Why it failed.
    pub source: CallError,
}

/// One entry of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Number of its line, counted from 1; empty lines count.
    pub line: usize,
    /// Where the line begins in the file.
    pub offset: usize,
    /// The path.
    pub path: &'a Path,
}

/// Why the journal cannot be drained.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// It is not text.
    #[error("byte {offset} is not UTF-8")]
    NotUtf8 {
        /// The first such byte.
        offset: usize,
    },
    /// A line is not the path of an index file.
    #[error("line {line} at byte {offset} {why}: {entry:?}")]
    BadEntry {
        /// Number of the line, counted from 1.
        line: usize,
        /// Where it begins.
        offset: usize,
        /// What is wrong with it.
        why: &'static str,
        /// The line.
        entry: String,
    },
}

/// The lines that announce paths; every path is checked before anything is written.
pub fn encode(paths: &[PathBuf]) -> Result<Vec<u8>, BadPath> {
    let len = paths.iter().map(|path| path.as_os_str().len() + 1).sum();
    let mut lines = Vec::with_capacity(len);
    let mut are_plain = true;
    for path in paths {
        let bytes = path.as_os_str().as_encoded_bytes();
        are_plain &= bytes.first() == Some(&b'/')
            && bytes.last().is_some_and(u8::is_ascii_graphic)
            && !bytes.contains(&b'\n');
        lines.extend_from_slice(bytes);
        lines.push(b'\n');
    }
    // Most paths need no closer look, and decoding all of them at once is faster.
    if !are_plain || str::from_utf8(&lines).is_err() {
        paths.iter().try_for_each(|path| check_path(path))?;
    }
    Ok(lines)
}

fn check_path(path: &Path) -> Result<(), BadPath> {
    let bad = |why| BadPath {
        path: path.to_owned(),
        why,
    };
    if !path.is_absolute() {
        return Err(bad("is relative"));
    }
    let text = path.to_str().ok_or_else(|| bad("is not UTF-8"))?;
    if text.contains('\n') {
        return Err(bad("contains a newline"));
    }
    // It begins with a slash.
    if text.ends_with(char::is_whitespace) {
        return Err(bad("ends with white space, which the drain would trim"));
    }
    Ok(())
}

/// The entries of a journal, in the order of the file.
pub fn entries(content: &[u8], design: Design) -> Result<Vec<Entry<'_>>, Corrupt> {
    // What follows the last newline was torn off by a crash or a full tmpfs: it was never an entry.
    let content = if design.mends_torn_tail() {
        &content[..end_of_lines(content)]
    } else {
        content
    };
    let text = str::from_utf8(content).map_err(|error| Corrupt::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    let mut entries = Vec::new();
    let mut offset = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let entry = line.trim();
        if !entry.is_empty() {
            entries.push(Entry {
                line: i + 1,
                offset,
                path: Path::new(entry),
            });
        }
        offset += line.len();
    }
    Ok(entries)
}

/// Where the index file of an entry can be.
#[derive(Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// At this path.
    Here(&'a Path),
    /// The entry was written by somebody who reached a datastore by another path: this one, if that was how it was called
    /// then, before its mount point was renamed. Each of these is a path below it by which the entry can go on.
    Called(Vec<PathBuf>),
}

/// Where the index file of an entry can be in the datastore at `base`.
pub fn place<'a>(entry: &Entry<'a>, base: &Path, design: Design) -> Result<Place<'a>, Corrupt> {
    let path = entry.path;
    if !path.is_absolute() {
        return Err(entry.corrupt("is not absolute"));
    }
    if !crate::index::is_index_file(path) {
        return Err(entry.corrupt("is not the path of an index file"));
    }
    if !design.mends_torn_tail() || is_below(path, base) {
        return Ok(Place::Here(path));
    }
    let ends = path.ancestors().filter_map(|above| {
        let end = path.strip_prefix(above).ok()?;
        Group::of_file(end).map(|_| base.join(end))
    });
    match ends.collect::<Vec<_>>() {
        ends if ends.is_empty() => Err(entry.outside()),
        ends => Ok(Place::Called(ends)),
    }
}

impl Entry<'_> {
    /// The error of an entry that is that of another datastore.
    pub fn outside(&self) -> Corrupt {
        self.corrupt("lies outside the datastore")
    }

    fn corrupt(&self, why: &'static str) -> Corrupt {
        Corrupt::BadEntry {
            line: self.line,
            offset: self.offset,
            why,
            entry: self.path.to_string_lossy().into_owned(),
        }
    }
}

fn is_below(path: &Path, base: &Path) -> bool {
    let up = |component| component == std::path::Component::ParentDir;
    path.strip_prefix(base)
        .is_ok_and(|rest| !rest.components().any(up))
}

/// Where the last complete line ends.
fn end_of_lines(content: &[u8]) -> usize {
    content
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)
}

impl<'s, S: Sys> Journal<'s, S> {
    /// Locks the journal, and creates it if there is none.
    pub fn lock(sys: &'s S, path: PathBuf, create: CreateMode) -> Result<Self, LockError> {
        let file = LockFile::open_or_create(sys, path, create)?;
        file.flock(Mode::Exclusive, WAIT)?;
        Ok(Self {
            sys,
            content: Content::File(file.into_guard()),
        })
    }

    /// Locks the journal that this process has in memory; waits for as long as it takes.
    pub fn lock_in_memory(sys: &'s S, content: &'s S::Mutex<Vec<u8>>) -> Self {
        Self {
            sys,
            content: Content::Memory(sys.lock(content)),
        }
    }

    /// Appends lines in one write; first cuts off what an interrupted append left, in a design that
    /// does so.
    pub fn append(&mut self, lines: &[u8], design: Design) -> Result<(), AppendError> {
        let guard = match &mut self.content {
            Content::File(guard) => guard,
            Content::Memory(content) => {
                content.extend_from_slice(lines);
                return Ok(());
            }
        };
        let failed = |written, source| AppendError {
            written,
            len: lines.len(),
            source,
        };
        if design.mends_torn_tail() {
            cut_torn_tail(self.sys, guard).map_err(|source| failed(0, source))?;
        }
        append_all(self.sys, guard.file(), lines).map_err(|torn| {
            failed(
                torn.written,
                CallError {
                    action: "append to",
                    path: guard.path().to_owned(),
                    source: torn.source,
                },
            )
        })
    }

    /// The whole content.
    pub fn read(&self) -> Result<Vec<u8>, CallError> {
        match &self.content {
            Content::File(guard) => self.sys.read(guard.file(), 0).at("read", guard.path()),
            Content::Memory(content) => Ok(content.to_vec()),
        }
    }

    /// Empties it.
    pub fn truncate(&mut self) -> Result<(), CallError> {
        match &mut self.content {
            Content::File(guard) => self
                .sys
                .ftruncate(guard.file(), 0)
                .at("truncate", guard.path()),
            Content::Memory(content) => {
                content.clear();
                Ok(())
            }
        }
    }
}

fn cut_torn_tail<S: Sys>(sys: &S, guard: &LockGuard<'_, S>) -> Result<(), CallError> {
    let (file, path) = (guard.file(), guard.path());
    let size = sys.fstat(file).at("fstat", path)?.size;
    let Some(last) = size.checked_sub(1) else {
        return Ok(());
    };
    let mut byte = [0];
    if sys.pread(file, &mut byte, last).at("read", path)? == 1 && byte == *b"\n" {
        return Ok(());
    }
    let content = sys.read(file, 0).at("read", path)?;
    sys.ftruncate(file, end_of_lines(&content) as u64)
        .at("truncate", path)
}

impl Ending for AppendError {
    fn outcome(&self) -> Option<Outcome> {
        match self.source.outcome() {
            Some(Outcome::NoSpace(_)) => Some(Outcome::NoSpace(match self.len - self.written {
                unwritten if unwritten == self.len => Cut::Nothing,
                1 => Cut::NoNewline,
                _ => Cut::MidLine,
            })),
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn nothing_is_written_for_a_path_that_the_drain_would_not_find() {
        let why = |path: &[u8]| {
            let bad = PathBuf::from(std::ffi::OsStr::from_bytes(path));
            let reasons = [0, 1, 2].map(|at| {
                let mut paths = vec![PathBuf::from("/fine"), PathBuf::from("/too")];
                paths.insert(at, bad.clone());
                encode(&paths).unwrap_err().why
            });
            assert!(reasons.iter().all(|why| *why == reasons[0]), "{reasons:?}");
            reasons[0]
        };
        assert_eq!(why(b"relative"), "is relative");
        assert_eq!(why(b"/a\nb"), "contains a newline");
        assert_eq!(why(b"/a\xff"), "is not UTF-8");
        assert_eq!(
            why(b"/a "),
            "ends with white space, which the drain would trim"
        );
        assert_eq!(
            why("/a\u{2003}".as_bytes()),
            "ends with white space, which the drain would trim"
        );
        assert_eq!(encode(&["/a".into(), "/b".into()]).unwrap(), b"/a\n/b\n");
        let umlaut = "/\u{fc}\n".as_bytes();
        assert_eq!(encode(&["/\u{fc}".into()]).unwrap(), umlaut);
    }

    #[test]
    fn entries_are_the_lines_with_their_place() {
        let content = b"/a\n\n  /b\r\n/torn";
        let lines = |design| {
            let entries = entries(content, design).unwrap();
            entries
                .iter()
                .map(|e| (e.line, e.offset, e.path.to_owned()))
                .collect::<Vec<_>>()
        };
        let complete = [(1, 0, PathBuf::from("/a")), (3, 4, "/b".into())];
        assert_eq!(lines(Design::HARDENED), complete);
        assert_eq!(lines(Design::UPSTREAM)[..2], complete);
        assert_eq!(lines(Design::UPSTREAM)[2], (4, 10, "/torn".into()));
    }

    #[test]
    fn byte_that_is_not_utf8_is_named() {
        for (content, design, offset) in [
            (b"/a\n\xff\n".as_slice(), Design::HARDENED, Some(3)),
            (b"/a\n\xff", Design::UPSTREAM, Some(3)),
            (b"/a\n\xff", Design::HARDENED, None),
        ] {
            let error = entries(content, design).err();
            assert_eq!(
                error,
                offset.map(|offset| Corrupt::NotUtf8 { offset }),
                "{design:?}"
            );
        }
    }

    #[test]
    fn append_cuts_off_a_torn_tail_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("move-journal");
        let create = CreateMode {
            mode: 0o660,
            owner: None,
        };
        for (before, design, after) in [
            ("", Design::HARDENED, "/new\n"),
            ("/old\n", Design::HARDENED, "/old\n/new\n"),
            ("/old\n/to", Design::HARDENED, "/old\n/new\n"),
            ("/to", Design::HARDENED, "/new\n"),
            ("/old\n/to", Design::UPSTREAM, "/old\n/to/new\n"),
        ] {
            std::fs::write(&path, before).unwrap();
            let mut journal = Journal::lock(&crate::LinuxSys, path.clone(), create).unwrap();
            journal.append(b"/new\n", design).unwrap();
            assert_eq!(journal.read().unwrap(), after.as_bytes());
            journal.truncate().unwrap();
            assert_eq!(journal.read().unwrap(), b"");
        }
    }
}
