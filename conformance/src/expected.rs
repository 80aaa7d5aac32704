//! What a state of the model says about the real tree and its locks.

use crate::projection::{ChunkFile, Holder, Lock, LockState, Projected};
use model::Scope;
use model::journal::{At, Kind};
use model::locks::{self, Name};
use model::state::{ChunkAge, Fixed, Next, State};
use specs::id::{Group, Index, Namespace, Snapshot};
use specs::scenario::Scenario;
use specs::{Id, id};

/// The line that a journal starts with in a scenario with a foreign line.
pub const FOREIGN_LINE: &str = "foreign line, no path\n";

/// What is expected of the world in a state; `base` is the absolute path of the datastore.
pub fn expected(scope: &Scope, state: &State, base: &str) -> Projected {
    let scenario = scope.scenario;
    let indexes = scenario
        .all_indexes()
        .map(|Index(i)| match scenario.indexes[usize::from(i)].snapshot {
            Some(s) => state.snapshots[usize::from(s.0)].0,
            None => 1,
        })
        .collect();
    let masks =
        |sets: &[model::state::Set], count: usize| sets[..count].iter().map(|set| set.0).collect();
    let groups = scenario.groups.len();
    Projected {
        snapshots: masks(&state.snapshots, scenario.snapshots.len()),
        indexes,
        groups: masks(&state.groups, groups),
        owners: masks(&state.owners, groups),
        notes: masks(&state.notes, groups),
        chunks: state.chunks[..usize::from(scenario.chunks)]
            .iter()
            .map(chunk)
            .collect(),
        journal: (state.journal_file != 0).then(|| journal(scenario, state, base)),
        locks: lock_states(scope, state),
        unknown_locks: 0,
        store_holders: store_holders(scope, state),
        gc_slots: scope
            .actors()
            .filter(|a| state.actor(*a).held.is_locked(Fixed::GC_SLOT))
            .fold(0, |mask, actor| mask | 1 << scope.process_of(actor).0),
        ended: scope
            .actors()
            .filter(|a| state.actor(*a).next == Next::FINISHED)
            .fold(0, |mask, actor| mask | 1 << actor.0),
    }
}

fn chunk(age: &ChunkAge) -> ChunkFile {
    match *age {
        ChunkAge::FRESH => ChunkFile::Fresh,
        ChunkAge::OLD => ChunkFile::Old,
        _ => ChunkFile::Missing,
    }
}

/// The bytes of the journal.
fn journal(scenario: &Scenario, state: &State, base: &str) -> Vec<u8> {
    let path = |at: At| {
        let id = Id::Index(Namespace(at.namespace), Index(at.index));
        format!("{base}/{}", scenario.path(id))
    };
    let beginning = |at: At| {
        let path = path(at);
        let name = path.rfind('/').map_or(0, |slash| slash + 1);
        path[..path.len().min(name + 3)].to_owned()
    };
    let mut text = String::new();
    for line in state.lines {
        match line.kind() {
            Kind::None => break,
            Kind::Entry(at) => text += &(path(at) + "\n"),
            Kind::NoNewline(at) => text += &path(at),
            Kind::MidLine(at) => text += &beginning(at),
            Kind::Foreign => text += FOREIGN_LINE,
            Kind::Directory { namespace, group } => {
                let id = Id::Group(Namespace(namespace), Group(group));
                text += &format!("{base}/{}\n", scenario.path(id));
            }
            Kind::GluedToMidLine(first, second) => {
                text += &format!("{}{}\n", beginning(first), path(second));
            }
            Kind::GluedToNoNewline(first, second) => {
                text += &format!("{}{}\n", path(first), path(second));
            }
        }
    }
    text.into_bytes()
}

fn lock_states(scope: &Scope, state: &State) -> Vec<LockState> {
    let mut all: Vec<LockState> = Lock::all(scope.scenario)
        .into_iter()
        .map(|lock| LockState {
            lock,
            has_file: has_file(state, lock),
            holders: Vec::new(),
        })
        .collect();
    let mut hold = |lock: Lock, actor: id::Actor, is_at_path: bool| {
        let holder = Holder {
            process: scope.process_of(actor),
            is_at_path,
        };
        if let Some(found) = all.iter_mut().find(|l| l.lock == lock) {
            found.holders.push(holder);
        }
    };
    locks::visit_holds(scope, state, &mut |actor, name, theirs| {
        if theirs.is_locked() {
            hold(
                lock_of(name),
                actor,
                theirs.generation() == locks::file_at(state, name),
            );
        }
    });
    for actor in scope
        .actors()
        .filter(|a| state.actor(*a).held.is_locked(Fixed::JOURNAL))
    {
        hold(Lock::Journal, actor, true);
    }
    for lock in &mut all {
        lock.holders.sort();
    }
    all
}

const fn lock_of(name: Name) -> Lock {
    match name {
        Name::Group(n, g) => Lock::Group(Namespace(n), Group(g)),
        Name::Snapshot(n, s) => Lock::Snapshot(Namespace(n), Snapshot(s)),
    }
}

fn has_file(state: &State, lock: Lock) -> bool {
    match lock {
        Lock::Group(n, g) => locks::file_at(state, Name::Group(n.0, g.0)) != 0,
        Lock::Snapshot(n, s) => locks::file_at(state, Name::Snapshot(n.0, s.0)) != 0,
        // No operation of this version takes a manifest lock.
        Lock::Manifest(..) => false,
        Lock::Journal => state.journal_file != 0,
    }
}

fn store_holders(scope: &Scope, state: &State) -> Vec<id::Process> {
    let mut holders: Vec<id::Process> = scope
        .actors()
        .filter(|a| state.actor(*a).held.is_locked(Fixed::STORE))
        .map(|a| scope.process_of(a))
        .collect();
    holders.sort();
    holders.dedup();
    holders
}
