//! One state for the eye: what lies where, the chunks, the journal, and what each actor has, does next and waits for.

use super::{actor_name, describe, lock_label, short};
use crate::expected::expected;
use crate::projection::{Chunk, ChunkFile, Lock, Namespaces, OwnerFile};
use model::locks;
use model::state::Next;
use model::{Refusal, Scope, State};
use specs::id::{Actor, Namespace};
use specs::scenario::OWNERS;
use specs::step::LockUse;
use specs::{Event, Id, LockClass, Outcome};
use std::fmt;

/// A state of a scope, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The actors, in their order.
    pub actors: Vec<Doing>,
    /// The namespaces by path, and for each group in it one line with its snapshots.
    pub places: Vec<(String, Vec<String>)>,
    /// The chunks by short path, and their age.
    pub chunks: Vec<(String, Chunk)>,
    /// The lines of the move journal; none if there is no such file.
    pub journal: Option<Vec<String>>,
    /// The lock files that are there, below the lock directory.
    pub lock_files: Vec<String>,
}

/// What an actor is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doing {
    /// Its name.
    pub name: String,
    /// The steps that may come next, or how it ended.
    pub next: String,
    /// The locks that it has or relies on: class, label, and whether it was given.
    pub locks: Vec<(LockClass, String, bool)>,
    /// The lock that it wants and does not get: class, and who holds it.
    pub wants: Option<(LockClass, String)>,
}

impl Picture {
    /// Takes a state apart.
    pub fn of(scope: &Scope, state: &State) -> Self {
        let scenario = scope.scenario;
        let seen = expected(scope, state, "");
        let lines = |bytes: &Vec<u8>| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let lines = text.split_inclusive('\n');
            lines
                .map(
                    |line| match line.trim_start_matches('/').strip_suffix('\n') {
                        Some(whole) => whole.to_owned(),
                        None => format!("{} (no newline)", line.trim_start_matches('/')),
                    },
                )
                .collect()
        };
        let place = |namespace: Namespace| {
            let has = |mask: &Namespaces| mask >> namespace.0 & 1 != 0;
            let mut lines = Vec::new();
            for (group, name) in scenario.all_groups().zip(scenario.groups) {
                let snapshots: Vec<&str> = scenario
                    .snapshots
                    .iter()
                    .zip(&seen.snapshots)
                    .filter(|(at, mask)| at.group == group && has(mask))
                    .map(|(at, _)| at.time)
                    .collect();
                let number = usize::from(group.0);
                if !has(&seen.groups[number]) && snapshots.is_empty() {
                    continue;
                }
                let held = match snapshots.as_slice() {
                    [] => "no snapshot".to_owned(),
                    some => some.join(", "),
                };
                let at = usize::from(namespace.0) * scenario.groups.len() + number;
                let owner = match seen.owner_names[at] {
                    OwnerFile::Owner(0) => String::new(),
                    OwnerFile::Owner(owner) => format!("; owner {}", OWNERS[usize::from(owner)]),
                    OwnerFile::Empty => "; empty owner file".to_owned(),
                    OwnerFile::Missing => "; no owner file".to_owned(),
                    OwnerFile::Unknown => "; unknown owner".to_owned(),
                };
                let notes = if has(&seen.notes[number]) {
                    "; notes"
                } else {
                    ""
                };
                lines.push(format!("{name}: {held}{owner}{notes}"));
            }
            for (of, mask) in scenario.indexes.iter().zip(&seen.indexes) {
                if of.snapshot.is_none() && has(mask) {
                    lines.push(of.name.to_owned());
                }
            }
            if !has(&seen.namespaces) {
                lines.push("the namespace is gone".to_owned());
            }
            (scenario.path(Id::Namespace(namespace)), lines)
        };
        Self {
            actors: scope
                .actors()
                .map(|actor| doing(scope, state, actor))
                .collect(),
            places: scenario.all_namespaces().map(place).collect(),
            chunks: scenario
                .all_chunks()
                .map(|chunk| short(&scenario.path(Id::Chunk(chunk))))
                .zip(seen.chunks.iter().copied())
                .collect(),
            journal: seen.journal.as_ref().map(lines),
            lock_files: seen
                .locks
                .iter()
                .filter(|lock| lock.has_file && is_worth_a_line(lock.lock))
                .map(|lock| lock.lock.path(scenario))
                .collect(),
        }
    }
}

/// The journal is shown by its lines, a directory with the others, and the lock file of a namespace is as good as always
/// there.
const fn is_worth_a_line(lock: Lock) -> bool {
    match lock {
        Lock::Namespace(_)
        | Lock::Journal
        | Lock::GroupDirectory(..)
        | Lock::SnapshotDirectory(..) => false,
        Lock::Group(..) | Lock::Snapshot(..) | Lock::Manifest(..) | Lock::OldManifest(..) => true,
    }
}

fn doing(scope: &Scope, state: &State, actor: Actor) -> Doing {
    let labels = scope.labels(state, actor);
    let event = |label| Event::Step {
        actor,
        label,
        outcome: Outcome::Done,
    };
    let steps: Vec<String> = labels
        .iter()
        .map(|label| describe(scope, &event(*label)))
        .collect();
    let next = match (steps.as_slice(), state.actor(actor).next) {
        ([], Next::KILLED) => "killed".to_owned(),
        ([], _) => "has ended".to_owned(),
        (some, _) => some.join(" or "),
    };
    let wants = labels.first().and_then(|label| {
        let takes = matches!(
            label.step.row().lock,
            Some(LockUse::Take(..) | LockUse::Within(..))
        );
        match scope.apply(state, event(*label)) {
            Err(Refusal::Held(class, by)) if takes => Some((class, actor_name(scope, Actor(by)))),
            Ok(_) | Err(_) => None,
        }
    });
    Doing {
        name: actor_name(scope, actor),
        next,
        locks: locks::possessions(scope, state, actor)
            .iter()
            .map(|lock| (lock.class, lock_label(scope, lock), lock.is_locked))
            .collect(),
        wants,
    }
}

/// The age of a chunk file in a word.
pub fn age(file: ChunkFile) -> String {
    format!("{file:?}").to_lowercase()
}

/// A chunk in a few words.
pub fn chunk_in_words(chunk: &Chunk) -> String {
    let mut text = age(chunk.file);
    if chunk.is_corrupt {
        text += ", corrupt";
    }
    for (n, file) in chunk.bad.iter().enumerate() {
        if *file != ChunkFile::Missing {
            text += &format!(", .{n}.bad {}", age(*file));
        }
    }
    text
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for actor in &self.actors {
            writeln!(f, "{}: {}", actor.name, actor.next)?;
            for (_, label, is_real) in &actor.locks {
                let word = if *is_real {
                    "holds"
                } else {
                    "relies, without having it, on"
                };
                writeln!(f, "    {word} {label}")?;
            }
            if let Some((class, by)) = &actor.wants {
                writeln!(f, "    wants {}, which {by} holds", class.name())?;
            }
        }
        for (path, lines) in &self.places {
            let text = if lines.is_empty() {
                "nothing".to_owned()
            } else {
                lines.join(" | ")
            };
            writeln!(f, "{path}: {text}")?;
        }
        for (path, chunk) in &self.chunks {
            writeln!(f, "{path}: {}", chunk_in_words(chunk))?;
        }
        match &self.journal {
            None => writeln!(f, "move journal: no file")?,
            Some(lines) if lines.is_empty() => writeln!(f, "move journal: empty")?,
            Some(lines) => writeln!(f, "move journal: {}", lines.join(" | "))?,
        }
        match self.lock_files.as_slice() {
            [] => write!(f, "lock files: none"),
            some => write!(f, "lock files: {}", some.join(", ")),
        }
    }
}
