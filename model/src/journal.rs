//! The move journal as an ordered list of lines, torn and glued ones among them.
//!
//! *What a line is.* A complete line names an index file after its rename. An append that meets a full tmpfs
//! leaves a torn line; published, the next append is glued to it.

use crate::scope::Scope;
use crate::state::{LINES, Line, State};
use specs::Cut;
use specs::id::Actor;
use specs::scenario::Task;

/// The meaning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no line.
    None,
    /// The path of an index file.
    Entry(At),
    /// The path of an index file that lacks its newline.
    NoNewline(At),
    /// The beginning of a path, without a newline.
    MidLine(At),
    /// A line that no append wrote.
    Foreign,
    /// The path of a group directory: namespace and group.
    Directory {
        /// Namespace.
        namespace: u8,
        /// Group.
        group: u8,
    },
    /// The beginning of a path, and behind it the path of an index file.
    GluedToMidLine(At, At),
    /// A path that lacked its newline, and behind it the path of an index file.
    GluedToNoNewline(At, At),
}

/// An index file at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The index file.
    pub index: u8,
    /// The namespace.
    pub namespace: u8,
}

impl At {
    const fn code(self) -> u8 {
        self.index << 2 | self.namespace
    }

    const fn decode(code: u8) -> Self {
        Self {
            index: code >> 2 & 3,
            namespace: code & 3,
        }
    }
}

impl Line {
    /// The line of that meaning.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::None => Self([0, 0]),
            Kind::Entry(at) => Self([0x10 | at.code(), 0]),
            Kind::NoNewline(at) => Self([0x20 | at.code(), 0]),
            Kind::MidLine(at) => Self([0x30 | at.code(), 0]),
            Kind::Foreign => Self([0x40, 0]),
            Kind::Directory { namespace, group } => Self([0x50 | group << 2 | namespace, 0]),
            Kind::GluedToMidLine(first, second) => Self([0x60 | first.code(), second.code()]),
            Kind::GluedToNoNewline(first, second) => Self([0x70 | first.code(), second.code()]),
        }
    }

    /// Its meaning.
    pub const fn kind(self) -> Kind {
        let Self([first, second]) = self;
        let at = At::decode(first);
        match first >> 4 {
            1 => Kind::Entry(at),
            2 => Kind::NoNewline(at),
            3 => Kind::MidLine(at),
            4 => Kind::Foreign,
            5 => Kind::Directory {
                namespace: first & 3,
                group: first >> 2 & 3,
            },
            6 => Kind::GluedToMidLine(at, At::decode(second)),
            7 => Kind::GluedToNoNewline(at, At::decode(second)),
            _ => Kind::None,
        }
    }

    /// Whether it is the last one because it has no newline.
    pub const fn is_torn(self) -> bool {
        matches!(self.kind(), Kind::NoNewline(_) | Kind::MidLine(_))
    }
}

/// Whether the lines of the state are those of the journal that an actor uses.
///
/// Where each process keeps its own in memory, only that of a process that both moves and collects is ever read: its
/// lines are kept, and those of the others are read by nobody. A scope has at most one such process.
pub(crate) fn is_that_of(scope: &Scope, actor: Actor) -> bool {
    let is_gc = |a: Actor| matches!(scope.task_of(a), Task::Gc { .. });
    let of_process = || {
        let process = scope.process_of(actor);
        scope
            .actors()
            .filter(move |a| scope.process_of(*a) == process)
    };
    !scope.design.keeps_journal_in_memory()
        || (of_process().any(is_gc) && of_process().any(|a| !is_gc(a)))
}

/// Number of lines, a torn one included.
pub fn len(state: &State) -> usize {
    state
        .lines
        .iter()
        .take_while(|line| line.kind() != Kind::None)
        .count()
}

/// Whether an entry for an index file at a place is in the journal and would be read as one.
pub fn has_entry(state: &State, at: At) -> bool {
    state
        .lines
        .iter()
        .any(|line| matches!(line.kind(), Kind::Entry(a) | Kind::NoNewline(a) if a == at))
}

/// Removes what an interrupted append left at the end.
pub fn mend(state: &mut State) {
    let len = len(state);
    if len > 0 && state.lines[len - 1].is_torn() {
        state.lines[len - 1] = Line::of(Kind::None);
    }
}

/// Appends one line, glued to a torn one if there is one.
///
/// # Panics
///
/// If the scenario appends more lines than a state can hold, which is a mistake in the scenario.
pub fn append(state: &mut State, kind: Kind) {
    let len = len(state);
    let last = len.checked_sub(1).map(|l| (l, state.lines[l].kind()));
    match (last, kind) {
        (Some((l, Kind::MidLine(first))), Kind::Entry(second)) => {
            state.lines[l] = Line::of(Kind::GluedToMidLine(first, second));
        }
        (Some((l, Kind::NoNewline(first))), Kind::Entry(second)) => {
            state.lines[l] = Line::of(Kind::GluedToNoNewline(first, second));
        }
        _ => {
            assert!(len < LINES, "the scenario appends more than {LINES} lines");
            state.lines[len] = Line::of(kind);
        }
    }
}

/// Appends the lines of one write; the last one is torn if the write was cut.
pub fn append_all(state: &mut State, entries: impl Iterator<Item = At>, cut: Option<Cut>) {
    let mut entries = entries.peekable();
    while let Some(at) = entries.next() {
        let last = entries.peek().is_none();
        match cut {
            Some(Cut::Nothing) => {}
            Some(Cut::MidLine) if last => append(state, Kind::MidLine(at)),
            Some(Cut::NoNewline) if last => append(state, Kind::NoNewline(at)),
            Some(Cut::MidLine | Cut::NoNewline) | None => append(state, Kind::Entry(at)),
        }
    }
}

/// The file is there, and empty, while whoever emptied it still goes through what it has read.
pub const HIDDEN: u8 = 2;

/// Empties the file; its lines stay for the one who has read them and holds the lock.
pub fn hide(state: &mut State) {
    state.journal_file = HIDDEN;
}

/// The one who has read the lines of a file that was emptied is done with them.
pub fn forget_hidden(state: &mut State) {
    if state.journal_file == HIDDEN {
        truncate(state);
        state.journal_file = 1;
    }
}

/// Empties the journal.
pub fn truncate(state: &mut State) {
    state.lines = [Line::of(Kind::None); LINES];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_reads_back_as_it_was_written() {
        let (a, b) = (
            At {
                index: 2,
                namespace: 1,
            },
            At {
                index: 3,
                namespace: 2,
            },
        );
        for kind in [
            Kind::None,
            Kind::Entry(a),
            Kind::NoNewline(b),
            Kind::MidLine(a),
            Kind::Foreign,
            Kind::Directory {
                namespace: 2,
                group: 1,
            },
            Kind::GluedToMidLine(a, b),
            Kind::GluedToNoNewline(b, a),
        ] {
            assert_eq!(Line::of(kind).kind(), kind);
        }
    }

    #[test]
    fn an_append_behind_a_torn_line_is_glued_and_a_mended_one_is_not() {
        let (a, b) = (
            At {
                index: 0,
                namespace: 2,
            },
            At {
                index: 1,
                namespace: 2,
            },
        );
        let mut state = State::default();
        append_all(&mut state, [a].into_iter(), Some(Cut::MidLine));
        let mut mended = state;
        append_all(&mut state, [b].into_iter(), None);
        assert!(!has_entry(&state, b));
        mend(&mut mended);
        append_all(&mut mended, [b].into_iter(), None);
        assert!(has_entry(&mended, b));
        assert_eq!(len(&mended), 1);
    }
}
