//! What a state of the model says about the real tree and its locks.

use crate::projection::{
    Chunk, ChunkFile, Ends, Holder, Lock, LockState, Manifest, OwnerFile, Projected, Says,
    StoreHolder, Verified,
};
use crate::start_tree::FOREIGN_LINE;
use model::Scope;
use model::journal::{At, HIDDEN, Kind};
use model::locks::{self, Name};
use model::state::{self, Age, End, Fixed, Next, Owner, Part, State};
use specs::id::{Actor, Group, Index, Namespace, Snapshot};
use specs::scenario::{Flag, OWNERS, Scenario};
use specs::{Id, id};

/// What is expected of the world in a state; `base` is the absolute path of the datastore.
pub fn expected(scope: &Scope, state: &State, base: &str) -> Projected {
    let scenario = scope.scenario;
    // An index file lies where its snapshot lies; a stray one in the root namespace.
    let places = |of: state::Set| {
        let place = |Index(i)| match scenario.indexes[usize::from(i)].snapshot {
            _ if !of.has(i) => 0,
            Some(s) => state.snapshots[usize::from(s.0)].0,
            None => 1,
        };
        scenario.all_indexes().map(place).collect()
    };
    let masks = |sets: &[state::Set], count: usize| sets[..count].iter().map(|set| set.0).collect();
    let protected = |s: Snapshot| {
        let is_protected = state.protected.has(s.0);
        if is_protected {
            state.snapshots[usize::from(s.0)].0
        } else {
            0
        }
    };
    let groups = scenario.groups.len();
    let owner = |(namespace, group): (Namespace, Group)| {
        owner_file(state.owners[usize::from(group.0)].at(namespace.0))
    };
    let places_of_groups = scenario
        .all_namespaces()
        .flat_map(|namespace| scenario.all_groups().map(move |group| (namespace, group)));
    Projected {
        namespaces: state.namespaces.0,
        type_directories: state.types.0,
        children_directories: state.children.0,
        snapshots: masks(&state.snapshots, scenario.snapshots.len()),
        indexes: places(state.indexes),
        temporaries: places(state.temporaries),
        manifests: scenario
            .all_snapshots()
            .map(|Snapshot(s)| manifest(state, usize::from(s)))
            .collect(),
        protected: scenario.all_snapshots().map(protected).collect(),
        groups: masks(&state.groups, groups),
        owners: state.owners[..groups]
            .iter()
            .map(|owners| owners.files().0)
            .collect(),
        owner_names: places_of_groups.map(owner).collect(),
        notes: masks(&state.notes, groups),
        chunks: state.chunks[..usize::from(scenario.chunks)]
            .iter()
            .map(chunk)
            .collect(),
        journal: match state.journal_file {
            0 => None,
            HIDDEN => Some(Vec::new()),
            _ => Some(journal(scenario, state, base)),
        },
        locks: lock_states(scope, state),
        unknown_locks: 0,
        flag: (scenario.generations.flag != Flag::Absent).then_some(state.flag != 0),
        store_holders: store_holders(scope, state),
        gc_slots: scope
            .actors()
            .filter(|a| state.actor(*a).held.is_locked(Fixed::GC_SLOT))
            .fold(0, |mask, actor| mask | 1 << scope.process_of(actor).0),
        ends: ends(scope, state),
    }
}

fn ends(scope: &Scope, state: &State) -> Ends {
    let all = |is_it: fn(End) -> bool| {
        let has_ended = |a: &Actor| state.actor(*a).next == Next::FINISHED;
        let those = scope.actors().filter(has_ended);
        those
            .filter(|a| is_it(state.actor(*a).end))
            .fold(0, |mask, actor| mask | 1 << actor.0)
    };
    Ends {
        ended: all(|_| true),
        // What a deletion has kept, and what a verification has left out, is told in a report.
        failed: all(|end| ![End::DONE, End::NOT_EMPTY, End::LEFT_OUT].contains(&end)),
    }
}

fn owner_file(owner: Option<Owner>) -> OwnerFile {
    match owner {
        None => OwnerFile::Missing,
        Some(Owner::NOBODY) => OwnerFile::Empty,
        Some(owner) => (0..)
            .zip(OWNERS)
            .find(|(number, _)| Owner::of(*number) == owner)
            .map_or(OwnerFile::Unknown, |(number, _)| OwnerFile::Owner(number)),
    }
}

fn manifest(state: &State, snapshot: usize) -> Manifest {
    let manifest = state.manifests[snapshot];
    let namespaces = state.snapshots[snapshot].0;
    if !manifest.is_there() || namespaces == 0 {
        return Manifest::default();
    }
    Manifest {
        namespaces,
        says: Some(Says {
            statistics: manifest.has(Part::STATISTICS),
            verified: match (manifest.has(Part::VERIFY), manifest.has_failed()) {
                (false, _) => Verified::Never,
                (true, false) => Verified::Ok,
                (true, true) => Verified::Failed,
            },
            notes: manifest.has(Part::NOTES),
        }),
    }
}

fn chunk(chunk: &state::Chunk) -> Chunk {
    Chunk {
        file: chunk_file(chunk.age()),
        is_corrupt: chunk.is_corrupt(),
        bad: [chunk_file(chunk.bad(0)), chunk_file(chunk.bad(1))],
    }
}

const fn chunk_file(age: Age) -> ChunkFile {
    match age {
        Age::FRESH => ChunkFile::Fresh,
        Age::MIDDLE => ChunkFile::Middle,
        Age::OLD => ChunkFile::Old,
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
    let mut all: Vec<LockState> = Lock::all(scope.scenario, scope.design)
        .into_iter()
        .map(|lock| LockState {
            lock,
            has_file: has_file(state, lock),
            holders: Vec::new(),
        })
        .collect();
    let mut hold = |lock: Lock, actor: Actor, is_at_path: bool, is_shared: bool| {
        let holder = Holder {
            process: scope.process_of(actor),
            is_at_path,
            is_shared,
        };
        if let Some(found) = all.iter_mut().find(|l| l.lock == lock) {
            found.holders.push(holder);
        }
    };
    locks::visit_holds(scope, state, &mut |actor, name, theirs| {
        if theirs.is_locked() {
            let name = locks::name_now(scope, state, name, theirs);
            hold(
                lock_of(name),
                actor,
                theirs.number() == locks::file_at(state, name),
                theirs.is_shared(),
            );
        }
    });
    for actor in scope
        .actors()
        .filter(|a| state.actor(*a).held.is_locked(Fixed::JOURNAL))
        .filter(|_| !scope.design.keeps_journal_in_memory())
    {
        hold(Lock::Journal, actor, true, false);
    }
    for lock in &mut all {
        lock.holders.sort();
    }
    all
}

const fn lock_of(name: Name) -> Lock {
    match name {
        Name::Namespace(n) => Lock::Namespace(Namespace(n)),
        Name::Group(n, g) => Lock::Group(Namespace(n), Group(g)),
        Name::Snapshot(n, s) => Lock::Snapshot(Namespace(n), Snapshot(s)),
        Name::Manifest(n, s) => Lock::Manifest(Namespace(n), Snapshot(s)),
        Name::GroupDirectory(n, g) => Lock::GroupDirectory(Namespace(n), Group(g)),
        Name::SnapshotDirectory(n, s) => Lock::SnapshotDirectory(Namespace(n), Snapshot(s)),
        Name::OldManifest(n, s) => Lock::OldManifest(Namespace(n), Snapshot(s)),
    }
}

fn has_file(state: &State, lock: Lock) -> bool {
    let name = match lock {
        Lock::Namespace(n) => Name::Namespace(n.0),
        Lock::Group(n, g) => Name::Group(n.0, g.0),
        Lock::Snapshot(n, s) => Name::Snapshot(n.0, s.0),
        Lock::Manifest(n, s) => Name::Manifest(n.0, s.0),
        Lock::GroupDirectory(n, g) => Name::GroupDirectory(n.0, g.0),
        Lock::SnapshotDirectory(n, s) => Name::SnapshotDirectory(n.0, s.0),
        Lock::OldManifest(n, s) => Name::OldManifest(n.0, s.0),
        Lock::Journal => return state.journal_file != 0,
    };
    locks::file_at(state, name) != 0
}

/// A process has one record lock for all its actors: an exclusive one if it collects garbage.
fn store_holders(scope: &Scope, state: &State) -> Vec<StoreHolder> {
    let has = |process: id::Process, lock: Fixed| {
        scope
            .actors()
            .filter(|actor| scope.process_of(*actor) == process)
            .any(|actor| state.actor(actor).held.is_locked(lock))
    };
    let processes = (0..).map(id::Process).take(scope.scenario.processes.len());
    processes
        .filter_map(|process| {
            let is_shared = !has(process, Fixed::STORE);
            let holds = !is_shared || has(process, Fixed::STORE_SHARED);
            holds.then_some(StoreHolder { process, is_shared })
        })
        .collect()
}
