//! `Witness`: what the reported steps say, each with the real tree after it, that no single look at the tree shows.

use crate::projection::{ChunkFile, Lock, Manifest, Namespaces, OwnerFile, Projected, Verified};
use specs::id::{Actor, Chunk, Group, Index, Namespace, Snapshot};
use specs::ops::{
    access_chunk, backup, forget_snapshot, gc, move_group, prune, set_notes, set_owner, verify,
};
use specs::scenario::{Access, Scenario, Start, Task};
use specs::{Event, Id, Label, Outcome, Step};

/// What has happened.
#[derive(Clone, Debug)]
pub struct Witness {
    scenario: Scenario,
    events: Vec<Event>,
    /// The tree as of the last event.
    seen: Projected,
    /// The snapshots that an actor has locked and found, and not let go yet.
    found: Vec<(Actor, Namespace, Snapshot)>,
    /// What was written to the manifest of each snapshot since it was made.
    written: Vec<Written>,
    /// The chunks whose file was set aside while it was corrupt, and that were not written since.
    set_aside: Vec<bool>,
    /// The jobs that counted a snapshot that is gone as failed.
    counted_vanished: Vec<(Actor, Snapshot)>,
    /// The finished snapshots that prunes have listed.
    listed: Vec<(Actor, Snapshot)>,
    /// The namespaces whose directory was removed at some time.
    removed: Namespaces,
    /// The owner that each actor has read without a lock, until it replaces it.
    checked: Vec<Option<OwnerFile>>,
    /// Who has replaced another owner than it had checked: that one, and the one that was there.
    unchecked: Option<(Actor, OwnerFile, OwnerFile)>,
    /// The collections that have begun to mark and have not read the journal yet.
    marking: Vec<Actor>,
    /// The index files that were renamed while somebody marked, since the last one began or read the journal.
    renamed: Vec<(Namespace, Index)>,
    /// What backups have tried to lock that was a directory, and whether they got it.
    directories: Vec<(Actor, Lock, bool)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Written {
    statistics: bool,
    verified: bool,
    notes: bool,
}

impl Witness {
    /// Nothing has happened.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            scenario: *scenario,
            events: Vec::new(),
            seen: Projected::default(),
            found: Vec::new(),
            written: vec![Written::default(); scenario.snapshots.len()],
            set_aside: vec![false; usize::from(scenario.chunks)],
            counted_vanished: Vec::new(),
            listed: Vec::new(),
            removed: 0,
            checked: vec![None; scenario.actors.len()],
            unchecked: None,
            marking: Vec::new(),
            renamed: Vec::new(),
            directories: Vec::new(),
        }
    }

    /// Notes the tree at the start.
    pub fn begin(&mut self, seen: &Projected) {
        self.seen.clone_from(seen);
    }

    /// Notes an event as it was reported, and the tree after it.
    pub fn note(&mut self, event: &Event, seen: &Projected) {
        match *event {
            Event::Step {
                actor,
                label,
                outcome,
            } => self.step(actor, label, outcome, seen),
            Event::Killed { process } => {
                let actors = self.scenario.actors;
                let lives = |actor: &Actor| actors[usize::from(actor.0)].0 != process;
                self.found.retain(|(actor, ..)| lives(actor));
                self.marking.retain(lives);
            }
            Event::Reached { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => {}
        }
        self.events.push(*event);
        self.removed |= self.seen.namespaces & !seen.namespaces;
        self.seen.clone_from(seen);
        for (set_aside, chunk) in self.set_aside.iter_mut().zip(&seen.chunks) {
            *set_aside &= chunk.file == ChunkFile::Missing;
        }
    }

    /// The steps of an actor, in order, with their outcomes.
    pub fn steps_of(&self, actor: Actor) -> impl Iterator<Item = (Label<Id>, Outcome)> {
        self.events.iter().filter_map(move |event| match event {
            Event::Step {
                actor: whose,
                label,
                outcome,
            } if *whose == actor => Some((*label, *outcome)),
            Event::Step { .. }
            | Event::Reached { .. }
            | Event::Killed { .. }
            | Event::Reloaded { .. }
            | Event::FlagSet
            | Event::CutoffPassed => None,
        })
    }

    /// The newest finished snapshot that a prune has listed.
    pub fn newest_listed(&self, prune: Actor) -> Option<Snapshot> {
        let of_it = self.listed.iter().filter(|(actor, _)| *actor == prune);
        of_it.map(|(_, snapshot)| *snapshot).max()
    }

    /// Whether a snapshot is to be somewhere: it was at the start, or a backup has made it, and nobody has removed it since.
    pub fn is_to_be(&self, snapshot: Snapshot) -> bool {
        use {backup::Step as B, forget_snapshot::Step as F};
        let changes = |event: &Event| {
            let Event::Step {
                label,
                outcome: Outcome::Done,
                ..
            } = event
            else {
                return None;
            };
            let makes = matches!(label.step, Step::Backup(B::CreateSnapshot));
            let removes = matches!(label.step, Step::ForgetSnapshot(F::RemoveSnapshot));
            let is_it = matches!(label.of, Some(Id::Snapshot(_, s)) if s == snapshot);
            (is_it && (makes || removes)).then_some(makes)
        };
        let last = self.events.iter().rev().find_map(changes);
        let start = self.scenario.snapshots[usize::from(snapshot.0)].start;
        last.unwrap_or(start != Start::Later)
    }

    /// The snapshots that a move has renamed.
    pub fn renamed_by(&self, mover: Actor) -> Vec<Snapshot> {
        let renamed = |(label, outcome): (Label<Id>, Outcome)| {
            let renames = matches!(
                label.step,
                Step::MoveGroup(move_group::Step::RenameSnapshot)
            );
            let Some(Id::Snapshot(_, snapshot)) = label.of else {
                return None;
            };
            (renames && outcome == Outcome::Done).then_some(snapshot)
        };
        self.steps_of(mover).filter_map(renamed).collect()
    }

    /// Whether a backup has tried to lock the directory of a group.
    pub fn has_tried_directory_of_group(&self, backup: Actor) -> bool {
        let mut own = self.directories.iter().filter(|(a, ..)| *a == backup);
        own.any(|(_, lock, _)| matches!(lock, Lock::GroupDirectory(..)))
    }

    /// Whether a backup was kept out of the directory of a snapshot.
    pub fn is_kept_out_of_directory(&self, backup: Actor) -> bool {
        let mut own = self.directories.iter().filter(|(a, ..)| *a == backup);
        own.any(|(_, lock, got)| matches!(lock, Lock::SnapshotDirectory(..)) && !got)
    }

    /// Notes whether what a backup has tried to lock is a directory: it has that lock, or somebody else has, and nobody that of
    /// the file.
    fn note_directory(&mut self, actor: Actor, file: Lock, outcome: Outcome, seen: &Projected) {
        let Some(directory) = file.by_directory() else {
            return;
        };
        let holders = |lock: Lock| {
            let all = seen.locks.iter().filter(move |state| state.lock == lock);
            all.flat_map(|state| &state.holders)
        };
        let (own, _) = self.scenario.actors[usize::from(actor.0)];
        let is_locked = outcome == Outcome::Done;
        let is_directory = if is_locked {
            holders(directory).any(|holder| holder.process == own)
        } else {
            outcome == Outcome::WouldBlock
                && holders(directory).next().is_some()
                && holders(file).next().is_none()
        };
        if is_directory {
            self.directories.push((actor, directory, is_locked));
        }
    }

    /// The index files that were renamed while a collection marked, where they came to lie.
    pub fn renamed(&self) -> impl Iterator<Item = (Namespace, Index)> {
        self.renamed.iter().copied()
    }

    /// A namespace whose directory was removed, and is there.
    pub fn returned_namespace(&self) -> Option<Namespace> {
        let returned = self.removed & self.seen.namespaces;
        let number = u8::try_from(returned.trailing_zeros()).ok()?;
        (returned != 0).then_some(Namespace(number))
    }

    /// Who has replaced another owner than it had checked: the owner that it had checked, and the one that was there.
    pub const fn unchecked_owner(&self) -> Option<(Actor, OwnerFile, OwnerFile)> {
        self.unchecked
    }

    /// Whether a chunk is missing because a corrupt file was set aside.
    pub fn was_corrupt(&self, chunk: Chunk) -> bool {
        self.set_aside[usize::from(chunk.0)]
    }

    /// The snapshots that an actor has locked and found, and that are not there any more.
    pub fn lost_snapshots(&self) -> impl Iterator<Item = (Actor, Namespace, Snapshot)> {
        let is_lost = move |(_, n, s): &(Actor, Namespace, Snapshot)| {
            self.seen.snapshots[usize::from(s.0)] & 1 << n.0 == 0
        };
        self.found.iter().copied().filter(is_lost)
    }

    /// A snapshot whose manifest lacks what was written to it, and what that is.
    pub fn lost_update(&self) -> Option<(Snapshot, &'static str)> {
        let lost = |(written, manifest): (&Written, &Manifest)| {
            let says = manifest.says.unwrap_or_default();
            match written {
                _ if manifest.namespaces == 0 => None,
                w if w.statistics && !says.statistics => Some("the statistics of the upload"),
                w if w.verified && says.verified == Verified::Never => Some("a verify state"),
                w if w.notes && !says.notes => Some("notes"),
                _ => None,
            }
        };
        let all = self.written.iter().zip(&self.seen.manifests);
        (0..)
            .zip(all)
            .find_map(|(s, pair)| Some((Snapshot(s), lost(pair)?)))
    }

    /// A job that counted a snapshot that is gone as failed.
    pub fn counted_vanished(&self) -> Option<(Actor, Snapshot)> {
        self.counted_vanished.first().copied()
    }

    /// A chunk that an actor has touched or written, or found there for an insert, and that is not there; none of
    /// those that were corrupt when they were set aside, once the actor has let the mutex go.
    pub fn lost_chunk(&self) -> Option<(Actor, Chunk)> {
        for (actor, (_, task)) in (0..).map(Actor).zip(self.scenario.actors) {
            let Task::AccessChunk { chunk, access } = *task else {
                continue;
            };
            let file = self.seen.chunks[usize::from(chunk.0)].file;
            if file == ChunkFile::Missing && self.relies(actor, chunk, access) {
                return Some((actor, chunk));
            }
        }
        None
    }

    /// Whether an actor relies on a chunk that it touched or inserted.
    fn relies(&self, actor: Actor, chunk: Chunk, access: Access) -> bool {
        use access_chunk::Step as S;
        let mut secured = false;
        let mut unlocks = false;
        for (label, outcome) in self.steps_of(actor) {
            let Step::AccessChunk(step) = label.step else {
                continue;
            };
            let acts = matches!(step, S::TouchChunk | S::WriteChunk);
            secured |= acts && outcome == Outcome::Done;
            unlocks = acts;
        }
        let inserts = access == Access::Insert;
        if unlocks {
            secured || inserts
        } else {
            secured && !self.was_corrupt(chunk)
        }
    }

    fn step(&mut self, actor: Actor, label: Label<Id>, outcome: Outcome, seen: &Projected) {
        self.note_found(actor, label, outcome, seen);
        self.note_mark(actor, label, outcome);
        if let (Step::Backup(backup::Step::LockGroup), Some(Id::Group(n, g))) =
            (label.step, label.of)
        {
            self.note_directory(actor, Lock::Group(n, g), outcome, seen);
        }
        if let (Step::Backup(backup::Step::LockSnapshot), Some(Id::Snapshot(n, s))) =
            (label.step, label.of)
        {
            self.note_directory(actor, Lock::Snapshot(n, s), outcome, seen);
        }
        if outcome != Outcome::Done {
            return;
        }
        if let (Step::Prune(prune::Step::ListSnapshot), Some(Id::Snapshot(_, s))) =
            (label.step, label.of)
            && seen.manifests[usize::from(s.0)].namespaces != 0
        {
            self.listed.push((actor, s));
        }
        self.note_written(label);
        self.note_owner(actor, label);
        self.note_renamed(actor, label, seen);
        let renames = matches!(
            label.step,
            Step::Verify(verify::Step::RenameCorruptChunk)
                | Step::AccessChunk(access_chunk::Step::RenameChunk)
        );
        if let (true, Some(Id::Chunk(chunk))) = (renames, label.of) {
            let at = usize::from(chunk.0);
            self.set_aside[at] = self.seen.chunks[at].is_corrupt;
        }
    }

    fn note_found(&mut self, actor: Actor, label: Label<Id>, outcome: Outcome, seen: &Projected) {
        use {backup::Step as B, verify::Step as V};
        if let (Step::Verify(V::ReadManifest), Some(Id::Snapshot(n, s))) = (label.step, label.of) {
            if outcome == Outcome::Done {
                self.found.push((actor, n, s));
            } else if seen.snapshots[usize::from(s.0)] & 1 << n.0 == 0 {
                self.counted_vanished.push((actor, s));
            }
        }
        if let (Step::Backup(B::OpenPrevious), Some(Id::Index(n, index)), Outcome::Done) =
            (label.step, label.of, outcome)
        {
            let of = self.scenario.indexes[usize::from(index.0)].snapshot;
            let known = self.found.iter().any(|(other, ..)| *other == actor);
            if let (Some(previous), false) = (of, known) {
                self.found.push((actor, n, previous));
            }
        }
        let lets_go = matches!(
            label.step,
            Step::Verify(V::UnlockSnapshot | V::ReleaseAll)
                | Step::Backup(B::CheckPrevious | B::UnlockPrevious | B::ReleaseAll)
                | Step::ForgetSnapshot(_)
        );
        if lets_go || outcome == Outcome::Stopped {
            self.found.retain(|(other, ..)| *other != actor);
        }
    }

    fn note_mark(&mut self, actor: Actor, label: Label<Id>, outcome: Outcome) {
        use gc::Step as G;
        let Step::Gc(step) = label.step else { return };
        let reads = matches!(step, G::ReadJournal);
        if reads || matches!(step, G::ReadClock) {
            self.renamed.clear();
        }
        if reads || matches!(step, G::ReleaseAll) || outcome == Outcome::Stopped {
            self.marking.retain(|other| *other != actor);
        } else if matches!(step, G::ReadClock) {
            self.marking.push(actor);
        }
    }

    fn note_renamed(&mut self, actor: Actor, label: Label<Id>, seen: &Projected) {
        use move_group::Step as M;
        let Task::MoveGroup { group, target, .. } = self.scenario.actors[usize::from(actor.0)].1
        else {
            return;
        };
        let one = match label.of {
            Some(Id::Snapshot(_, snapshot)) => Some(snapshot),
            Some(_) | None => None,
        };
        let is_meant = |snapshot: Snapshot| match one {
            Some(one) => one == snapshot,
            None => self.scenario.snapshots[usize::from(snapshot.0)].group == group,
        };
        let renames = matches!(
            label.step,
            Step::MoveGroup(M::RenameSnapshot | M::RenameGroup)
        );
        if !renames || self.marking.is_empty() {
            return;
        }
        let has_come = |index: &Index| {
            let at = usize::from(index.0);
            self.scenario.indexes[at].snapshot.is_some_and(is_meant)
                && seen.indexes[at] & 1 << target.0 != 0
        };
        let come = self.scenario.all_indexes().filter(has_come);
        self.renamed
            .extend(come.map(|index| (target, index)).collect::<Vec<_>>());
    }

    /// Called before the tree after the step is noted.
    fn note_owner(&mut self, actor: Actor, label: Label<Id>) {
        use set_owner::Step as S;
        let (Step::SetOwner(step), Some(Id::Group(n, g))) = (label.step, label.of) else {
            return;
        };
        let found = self.owner_of(n, g);
        let checked = &mut self.checked[usize::from(actor.0)];
        match step {
            S::ReadOwner => *checked = Some(found),
            // Where the file is emptied first, what is written afterwards replaces nothing.
            S::TruncateOwner | S::WriteOwner => {
                if let Some(checked) = checked.take().filter(|checked| *checked != found) {
                    self.unchecked = Some((actor, checked, found));
                }
            }
            S::LockGroup | S::RecheckOwner | S::UnlockGroup | S::ReleaseAll => {}
        }
    }

    /// What the owner file of a group said before the last event.
    fn owner_of(&self, namespace: Namespace, group: Group) -> OwnerFile {
        let groups = self.scenario.groups.len();
        let at = usize::from(namespace.0) * groups + usize::from(group.0);
        self.seen.owner_names.get(at).copied().unwrap_or_default()
    }

    fn note_written(&mut self, label: Label<Id>) {
        use {backup::Step as B, set_notes::Step as N, verify::Step as V};
        let Some(Id::Snapshot(_, s)) = label.of else {
            return;
        };
        let written = &mut self.written[usize::from(s.0)];
        written.statistics |= matches!(label.step, Step::Backup(B::UpdateManifest));
        written.verified |= matches!(label.step, Step::Verify(V::WriteManifest));
        written.notes |= matches!(label.step, Step::SetNotes(N::WriteManifest));
        if matches!(label.step, Step::Backup(B::WriteManifest)) {
            *written = Written::default();
        }
    }
}

/// Whether a step is one in which a job finds that what it goes over is gone.
pub fn misses(label: Label<Id>, outcome: Outcome) -> bool {
    outcome == Outcome::NotFound
        && matches!(
            label.step,
            Step::Prune(prune::Step::ListGroup | prune::Step::ListSnapshot)
                | Step::Verify(verify::Step::ListGroup)
                | Step::ForgetSnapshot(forget_snapshot::Step::ListRemaining)
        )
}

/// The label of the step in which a garbage collection takes the process lock, as it is printed.
pub fn takes_store() -> String {
    let label: Label<String> = gc::Step::LockStore.into();
    label.to_string()
}
