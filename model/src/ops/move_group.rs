//! `move_group`: moves a backup group to another namespace, one rename a snapshot, journalled before each.

mod asked;
mod place;

use super::not_locked;
use super::set_owner;
use crate::directories;
use crate::faults;
use crate::journal;
use crate::locks::{self, Name, generations, namespaces};
use crate::refusal::{Refusal, accept, find};
use crate::scope::Scope;
use crate::state::{Actor, End, Fixed, Held, Hold, Next, Owner, Reach, Set, State};
pub(crate) use asked::{half_moved, leaves_empty_target, merges};
use place::{
    Chain, Locals, after_rename, first_of_a_snapshot, in_order, is_journalled, next_batch,
};
use specs::design::Change;
use specs::id::{self, Group, Id, Namespace, Snapshot};
use specs::ops::move_group::{Step, TABLE};
use specs::scenario::Task;
use specs::{Cut, Label, Outcome, ToLabel as _};

const fn next(step: Step) -> Next {
    Next::row(step as usize)
}

pub(crate) fn begin(scope: &Scope, me: id::Actor, actor: &mut Actor) {
    let first = scope.namespace_locks[usize::from(me.0)].first();
    actor.next = first.map_or(next(Step::LockSourceGroup), |lock| {
        Next::row(lock.take.position())
    });
}

pub(crate) fn visit_holds(
    state: &State,
    me: id::Actor,
    group: Group,
    source: Namespace,
    target: Namespace,
    visit: &mut impl FnMut(id::Actor, Name, Hold),
) {
    let mv = Locals::of(state.actor(me));
    if mv.source != Hold::NONE {
        visit(me, locks::group(source, group), mv.source);
    }
    if mv.target != Hold::NONE {
        visit(me, locks::group(target, group), mv.target);
    }
    for (s, hold) in (0u8..).zip(mv.snapshots) {
        if hold != Hold::NONE {
            visit(me, Name::Snapshot(source.0, s), hold);
        }
    }
    if mv.manifest != Hold::NONE {
        visit(me, Name::Manifest(source.0, mv.manifest_of), mv.manifest);
    }
}

fn task(scope: &Scope, me: id::Actor) -> Option<(Group, Namespace, Namespace, bool)> {
    if let Task::MoveGroup {
        group,
        source,
        target,
        merge,
    } = scope.task_of(me)
    {
        Some((group, source, target, merge))
    } else {
        None
    }
}

/// The lock of a group that a step takes, which its task names.
pub(crate) fn lock_of(task: Task, step: specs::Step) -> Option<Name> {
    let Task::MoveGroup {
        group,
        source,
        target,
        ..
    } = task
    else {
        return None;
    };
    let takes = |locks: Step| step == locks.into();
    let namespace = if takes(Step::LockSourceGroup) {
        source
    } else if takes(Step::LockTargetGroup) {
        target
    } else {
        return None;
    };
    Some(locks::group(namespace, group))
}

/// Offers the label of the next step; a move has no choice.
pub(crate) fn offers(
    scope: &Scope,
    state: &State,
    me: id::Actor,
    offer: &mut impl FnMut(Label<Id>),
) {
    let Some((group, source, _, _)) = task(scope, me) else {
        return;
    };
    let actor = state.actor(me);
    let mv = Locals::of(actor);
    let Some(row) = TABLE.get(usize::from(actor.next.0)) else {
        return;
    };
    let specs::Step::MoveGroup(kind) = row.step else {
        return;
    };
    let taken = [Step::LockSourceNamespace, Step::LockTargetNamespace];
    let let_go = [Step::UnlockSourceNamespace, Step::UnlockTargetNamespace];
    let lock = if taken.contains(&kind) {
        namespaces::next(scope, state, me)
    } else if let_go.contains(&kind) {
        namespaces::oldest(scope, state, me)
    } else {
        None
    };
    if let Some(lock) = lock {
        offer(kind.of(Id::Namespace(lock.namespace)));
        return;
    }
    let current = if kind == Step::LockSnapshot {
        mv.to_lock
    } else if kind == Step::UnlockSnapshot {
        mv.to_unlock
    } else {
        mv.to_move
    };
    let argument = match in_order(scope, current) {
        Some(s) => Id::Snapshot(source, Snapshot(s)),
        // Without a current snapshot the only argument is that of the design that renames whole groups.
        None => Id::Group(source, group),
    };
    offer(kind.of(argument));
}

/// Whether a move refuses to begin: it would have to rename what is locked, or there are no moves yet.
pub(crate) fn refuses(scope: &Scope, state: &State, me: id::Actor) -> bool {
    task(scope, me).is_some()
        && (scope.design.is_before_moves() || generations::locks_directories(scope, state, me))
}

/// Guard and effect of each step.
pub(crate) fn step(
    scope: &Scope,
    before: &State,
    me: id::Actor,
    (step, of): (Step, Option<Id>),
    outcome: Outcome,
) -> Result<State, Refusal> {
    let Some((group, source, target, merge)) = task(scope, me) else {
        return Err(Refusal::NotNext);
    };
    if before.actor(me).next != next(step) {
        return Err(Refusal::NotNext);
    }
    let mut state = *before;
    let mut mv = Locals::of(before.actor(me));
    let design = scope.design;
    let g = usize::from(group.0);
    let (from, to) = (source.0, target.0);
    let current = if let Some(Id::Snapshot(_, s)) = of {
        s.0
    } else {
        0
    };
    let s = usize::from(current);
    let then = match step {
        Step::LockSourceNamespace | Step::LockTargetNamespace => {
            namespaces::take(scope, &mut state, me, outcome)?;
            match (outcome, namespaces::next(scope, &state, me)) {
                (Outcome::Done, Some(lock)) => Chain::Lock(lock),
                (Outcome::Done, None) => Chain::Step(Step::LockSourceGroup),
                (_, _) => Chain::Fail(End::BUSY),
            }
        }
        Step::LockSourceGroup => {
            let may = !refuses(scope, before, me);
            generations::look(scope, &mut state, me);
            if !may || outcome == Outcome::Refused {
                permit(may, outcome)?;
                go_on(scope, &mut state, me, mv, Chain::Fail(End::REFUSED));
                return Ok(state);
            }
            let name = locks::group(source, group);
            mv.source = locks::take(scope, &mut state, me, name, step, outcome)?;
            busy_or(outcome, Step::CheckMove)
        }
        Step::CheckMove => {
            let allowed = before.namespaces.has(to)
                && before.groups[g].has(from)
                && (merge || !before.groups[g].has(to));
            permit(allowed, outcome)?;
            let then = if design.renames_whole_group() {
                Step::LockTargetGroup
            } else {
                Step::ReadOwner
            };
            done_or_refused(outcome, then)
        }
        Step::ReadOwner => {
            let owner = before.owners[g].at(from);
            accept(owner.is_some(), owner != Some(Owner::NOBODY), outcome)?;
            mv.owner = owner.unwrap_or_default();
            let then = if design.locks_target_before_it_creates() {
                Step::LockTargetGroup
            } else {
                Step::CreateTargetGroup
            };
            done_or_refused(outcome, then)
        }
        Step::LockTargetGroup => {
            let name = locks::group(target, group);
            mv.target = locks::take(scope, &mut state, me, name, step, outcome)?;
            match (outcome, mv.created) {
                (Outcome::WouldBlock | Outcome::NoSpace(_), 1) => {
                    state.actor_mut(me).end = not_locked(outcome);
                    Chain::Step(Step::RemoveTargetGroup)
                }
                (Outcome::WouldBlock | Outcome::NoSpace(_), _) => Chain::Fail(not_locked(outcome)),
                (_, _) if design.renames_whole_group() && design.has_journal() => {
                    Chain::Step(Step::LockJournal)
                }
                (_, _) if design.renames_whole_group() => Chain::Step(Step::RenameGroup),
                (_, _) if design.locks_target_before_it_creates() => {
                    Chain::Step(Step::CreateTargetGroup)
                }
                (_, _) => owner(&mv),
            }
        }
        Step::CreateTargetGroup => {
            directories::create_group(scope, &mut state, (to, group.0), outcome)?;
            if outcome == Outcome::Done {
                mv.created = 1;
            }
            if outcome == Outcome::NotFound {
                Chain::Fail(End::NO_NAMESPACE)
            } else if design.has(Change::MergeCheckedBeforeLock) && outcome == Outcome::Exists {
                Chain::Step(Step::CheckMerge)
            } else if design.locks_target_before_it_creates() {
                owner(&mv)
            } else {
                Chain::Step(Step::LockTargetGroup)
            }
        }
        Step::WriteTargetOwner => {
            match (before.groups[g].has(to), before.owners[g].has(to), outcome) {
                (true, false, Outcome::Done) => {
                    state.owners[g] = before.owners[g].with(to, mv.owner);
                }
                (true, true, Outcome::Exists) | (false, _, Outcome::NotFound) => {}
                (group, file, _) => return Err(Refusal::found(group && file)),
            }
            done_or_refused(outcome, Step::ReadTargetOwner)
        }
        Step::ReadTargetOwner => {
            let owner = before.owners[g].at(to);
            accept(owner.is_some(), owner != Some(Owner::NOBODY), outcome)?;
            let adopts = mv.created == 0 && design.adopts_an_ownerless_group();
            mv.target_owner = owner.unwrap_or_default();
            // Where merging was checked before, no owner had been read.
            let is_late = design.has(Change::MergeCheckedBeforeLock);
            if outcome == Outcome::NotFound && adopts {
                Chain::Step(Step::ListOwnerlessTarget)
            } else if is_late && outcome == Outcome::Done && owner != Some(mv.owner) {
                Chain::Fail(End::REFUSED)
            } else if mv.created == 1 || design.has(Change::MergeCheckedBeforeLock) {
                done_or_refused(outcome, Step::ListSnapshots)
            } else {
                done_or_refused(outcome, Step::CheckMerge)
            }
        }
        Step::ListOwnerlessTarget => {
            let there = before.groups[g].has(to);
            let empty = scope.snapshots_at(before, to, group.0).is_empty();
            match (there, empty, outcome) {
                (true, true, Outcome::Done) => mv.created = 1,
                (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {}
                (there, ..) => return Err(Refusal::found(there)),
            }
            done_or_refused(outcome, Step::WriteTargetOwner)
        }
        Step::CheckMerge => {
            let is_early = design.has(Change::MergeCheckedBeforeLock);
            let newest_there = scope.snapshots_at(before, to, group.0).highest();
            let oldest_here = scope.snapshots_at(before, from, group.0).lowest();
            let older = match (newest_there, oldest_here) {
                (Some(there), Some(here)) => there < here,
                (None, _) | (_, None) => true,
            };
            let both_there = before.groups[g].has(from) && before.groups[g].has(to);
            if !merge || !is_early && mv.target_owner != mv.owner {
                permit(false, outcome)?;
            } else {
                accept(both_there, older, outcome)?;
            }
            done_or_refused(
                outcome,
                match is_early {
                    true => Step::LockTargetGroup,
                    false => Step::ListSnapshots,
                },
            )
        }
        Step::ListSnapshots => {
            find(before.groups[g].has(from), outcome)?;
            mv.left = scope.snapshots_at(before, from, group.0);
            let is_vain = mv.left.is_empty() && mv.created == 1;
            if outcome == Outcome::NotFound {
                Chain::Fail(End::VANISHED)
            } else if is_vain && design.removes_group_of_a_failed_move() {
                Chain::Fail(End::REFUSED)
            } else if design.has(Change::TargetUnlockedEarly) {
                Chain::Step(Step::UnlockTargetGroup)
            } else {
                next_batch(scope, &mut mv)
            }
        }
        Step::LockSnapshot => {
            let name = Name::Snapshot(from, current);
            mv.snapshots[s] = locks::take(scope, &mut state, me, name, step, outcome)?;
            if outcome != Outcome::Done {
                Chain::Fail(not_locked(outcome))
            } else {
                mv.to_lock = mv.to_lock.without(current);
                if mv.to_lock.is_empty() {
                    first_of_a_snapshot(design)
                } else {
                    Chain::Step(Step::LockSnapshot)
                }
            }
        }
        Step::LockManifest => {
            let name = Name::Manifest(from, current);
            mv.manifest = locks::take(scope, &mut state, me, name, step, outcome)?;
            if outcome != Outcome::Done {
                Chain::Fail(not_locked(outcome))
            } else {
                mv.manifest_of = current;
                Chain::Step(Step::ListSnapshot)
            }
        }
        Step::ListSnapshot => {
            find(before.snapshots[s].has(from), outcome)?;
            mv.listed = scope.indexes_in(before, current);
            let then = if is_journalled(scope, &mv) && !design.has(Change::RenameBeforeAppend) {
                Step::LockJournal
            } else {
                Step::RenameSnapshot
            };
            done_or_refused(outcome, then)
        }
        Step::LockJournal => {
            locks::take_journal(scope, &mut state, me, step, outcome)?;
            if outcome == Outcome::TimedOut {
                Chain::Fail(End::TIMED_OUT)
            } else {
                Chain::Step(Step::AppendJournal)
            }
        }
        Step::AppendJournal => {
            let skips = faults::skips(scope, step);
            let cut = if let Outcome::NoSpace(cut) = outcome {
                // Nobody has asked what a torn line of a whole group does to a run that reads it.
                let is_torn_group = design.renames_whole_group() && cut != Cut::Nothing;
                if skips || is_torn_group || design.keeps_journal_in_memory() {
                    return Err(Refusal::NotInDesign(outcome));
                }
                state.full_tmpfs = before.full_tmpfs.checked_sub(1).ok_or(Refusal::Exhausted)?;
                Some(cut)
            } else {
                None
            };
            if !skips && journal::is_that_of(scope, me) {
                if design.mends_torn_tail() {
                    journal::mend(&mut state);
                }
                place::append(scope, &mut state, (of, mv.listed), source, target, cut);
            }
            if cut.is_some() {
                Chain::Fail(End::NO_SPACE)
            } else if design.renames_whole_group() {
                Chain::Step(Step::RenameGroup)
            } else if design.renames_under_journal_lock() {
                Chain::Step(Step::RenameSnapshot)
            } else {
                Chain::Step(Step::UnlockJournal)
            }
        }
        Step::RenameSnapshot => {
            let (here, there) = (before.snapshots[s].has(from), before.snapshots[s].has(to));
            let group_there = before.groups[g].has(to);
            match (here && group_there, there, outcome) {
                (true, false, Outcome::Done) => {
                    place::rename_snapshot(scope, &mut state, current, (from, to));
                    mv.renamed = mv.renamed.with(current);
                    let journalled = is_journalled(scope, &mv);
                    if journalled && design.has(Change::RenameBeforeAppend) {
                        Chain::Step(Step::LockJournal)
                    } else if journalled && design.renames_under_journal_lock() {
                        Chain::Step(Step::UnlockJournal)
                    } else {
                        after_rename(design)
                    }
                }
                (true, true, Outcome::Exists) | (false, _, Outcome::NotFound) => {
                    Chain::Fail(End::REFUSED)
                }
                (here, _, _) => return Err(Refusal::found(here)),
            }
        }
        Step::UnlockJournal => {
            let actor = state.actor_mut(me);
            actor.held = actor.held.without(Fixed::JOURNAL);
            let is_renamed =
                design.renames_under_journal_lock() || design.has(Change::RenameBeforeAppend);
            if design.renames_whole_group() {
                Chain::Step(Step::UnlinkSourceGroupLock)
            } else if is_renamed {
                after_rename(design)
            } else {
                Chain::Step(Step::RenameSnapshot)
            }
        }
        Step::RemoveSnapshot => {
            state.snapshots[s] = before.snapshots[s].without(from);
            locks::unlink(&mut state, Name::SnapshotDirectory(from, current));
            Chain::Step(Step::UnlinkManifestLock)
        }
        Step::UnlinkManifestLock => {
            let there = locks::unlink(&mut state, Name::Manifest(from, current));
            find(there, outcome)?;
            mv.listed = Set::default();
            if design.moves_under_manifest_lock() {
                mv.manifest = mv.manifest.given_up();
                Chain::Step(Step::UnlockManifest)
            } else {
                Chain::Step(Step::UnlinkSnapshotLock)
            }
        }
        Step::UnlockManifest => {
            mv.manifest = Hold::NONE;
            mv.manifest_of = 0;
            Chain::Step(Step::UnlinkSnapshotLock)
        }
        Step::UnlinkSnapshotLock => {
            locks::unlink(&mut state, Name::Snapshot(from, current));
            mv.snapshots[s] = mv.snapshots[s].given_up();
            mv.to_move = mv.to_move.without(current);
            if mv.to_move.is_empty() {
                Chain::Step(Step::UnlockSnapshot)
            } else {
                first_of_a_snapshot(design)
            }
        }
        Step::UnlockSnapshot => {
            mv.snapshots[s] = Hold::NONE;
            mv.to_unlock = mv.to_unlock.without(current);
            if mv.to_unlock.is_empty() {
                next_batch(scope, &mut mv)
            } else {
                Chain::Step(Step::UnlockSnapshot)
            }
        }
        Step::MoveNotes => {
            if before.notes[g].has(from) && !before.notes[g].has(to) {
                state.notes[g] = before.notes[g].without(from).with(to);
            }
            Chain::Step(Step::ListSourceGroup)
        }
        Step::ListSourceGroup => {
            let empty = scope.snapshots_at(before, from, group.0).is_empty();
            match (before.groups[g].has(from), empty, outcome) {
                (true, true, Outcome::Done) => Chain::Step(Step::UnlinkOwner),
                (true, false, Outcome::NotEmpty) => Chain::Step(Step::UnlockSourceGroup),
                (false, _, Outcome::NotFound) => Chain::Fail(End::VANISHED),
                (there, empty, _) => return Err(Refusal::found(there && !empty)),
            }
        }
        Step::UnlinkOwner => {
            set_owner::unlink(scope, &mut state, (from, group.0));
            state.notes[g] = before.notes[g].without(from);
            Chain::Step(Step::RemoveSourceGroup)
        }
        Step::RemoveSourceGroup => {
            let in_it = place::holds_anything(scope, before, group, source);
            match (before.groups[g].has(from), in_it, outcome) {
                (true, false, Outcome::Done) => {
                    directories::remove_group(&mut state, (from, group.0));
                    Chain::Step(Step::UnlinkSourceGroupLock)
                }
                (true, true, Outcome::NotEmpty) => Chain::Fail(End::REFUSED),
                (false, _, Outcome::NotFound) => Chain::Fail(End::VANISHED),
                (there, _, _) => return Err(Refusal::found(there)),
            }
        }
        Step::RenameGroup => {
            let places = (group, source, target);
            place::rename_group(scope, before, &mut state, places, outcome)?
        }
        Step::UnlinkSourceGroupLock => {
            find(
                locks::unlink(&mut state, locks::group(source, group)),
                outcome,
            )?;
            mv.source = mv.source.given_up();
            Chain::Step(Step::UnlockSourceGroup)
        }
        Step::UnlockSourceGroup => {
            mv.source = Hold::NONE;
            if design.has(Change::TargetUnlockedEarly) {
                Chain::End(End::DONE)
            } else {
                Chain::Step(Step::UnlockTargetGroup)
            }
        }
        Step::UnlockTargetGroup => {
            if !faults::skips(scope, step) {
                mv.target = Hold::NONE;
            }
            if design.has(Change::TargetUnlockedEarly) {
                next_batch(scope, &mut mv)
            } else {
                leave_namespaces(scope, &state, me)
            }
        }
        Step::UnlockSourceNamespace | Step::UnlockTargetNamespace => {
            namespaces::release(&mut state, me);
            leave_namespaces(scope, &state, me)
        }
        Step::UnlinkTargetOwner => {
            find(before.owners[g].has(to), outcome)?;
            set_owner::unlink(scope, &mut state, (to, group.0));
            Chain::Step(Step::RemoveTargetGroup)
        }
        Step::RemoveTargetGroup => {
            let there = before.groups[g].has(to);
            let empty = scope.snapshots_at(before, to, group.0).is_empty()
                && !before.owners[g].has(to)
                && !before.notes[g].has(to);
            match (there, empty, outcome) {
                (true, true, Outcome::Done) => directories::remove_group(&mut state, (to, group.0)),
                (true, false, Outcome::NotEmpty) | (false, _, Outcome::NotFound) => {}
                (there, _, _) => return Err(Refusal::found(there)),
            }
            mv.created = 0;
            if outcome == Outcome::Done && mv.target != Hold::NONE {
                Chain::Step(Step::UnlinkTargetGroupLock)
            } else {
                Chain::Step(Step::ReleaseAll)
            }
        }
        Step::UnlinkTargetGroupLock => {
            let there = locks::unlink(&mut state, locks::group(target, group));
            find(there, outcome)?;
            mv.target = mv.target.given_up();
            Chain::Step(Step::ReleaseAll)
        }
        Step::ReleaseAll => Chain::End(state.actor(me).end),
    };
    go_on(scope, &mut state, me, mv, then);
    Ok(state)
}

/// Stores what follows. A move that fails before its first rename removes the group that it created.
fn go_on(scope: &Scope, state: &mut State, me: id::Actor, mv: Locals, then: Chain) {
    let actor = state.actor_mut(me);
    actor.locals = zerocopy::transmute!(mv);
    match then {
        Chain::Step(step) => actor.next = next(step),
        Chain::Lock(lock) => actor.next = Next::row(lock.take.position()),
        Chain::Unlock(lock) => actor.next = Next::row(lock.release.position()),
        Chain::Fail(end) => {
            actor.end = end;
            let clean = scope.design.removes_group_of_a_failed_move()
                && mv.created == 1
                && mv.renamed.is_empty()
                && mv.target != Hold::NONE;
            actor.next = next(if clean {
                Step::UnlinkTargetOwner
            } else {
                Step::ReleaseAll
            });
        }
        Chain::End(end) => {
            let kept = mv.target;
            actor.end = end;
            actor.held = Held::NONE;
            actor.reach = Reach::NONE;
            actor.locals = Default::default();
            if end == End::DONE {
                // Only a fault leaves it here.
                actor.locals[1] = kept.0;
            }
            actor.next = Next::FINISHED;
        }
    }
}

/// The next lock of a namespace to let go, or the end.
fn leave_namespaces(scope: &Scope, state: &State, me: id::Actor) -> Chain {
    namespaces::oldest(scope, state, me).map_or(Chain::End(End::DONE), Chain::Unlock)
}

const fn permit(allowed: bool, outcome: Outcome) -> Result<(), Refusal> {
    match (allowed, outcome) {
        (true, Outcome::Done) | (false, Outcome::Refused) => Ok(()),
        (true, _) => Err(Refusal::Allowed),
        (false, _) => Err(Refusal::NotAllowed),
    }
}

/// A new target group gets its owner file first.
const fn owner(mv: &Locals) -> Chain {
    Chain::Step(if mv.created == 1 {
        Step::WriteTargetOwner
    } else {
        Step::ReadTargetOwner
    })
}

fn busy_or(outcome: Outcome, step: Step) -> Chain {
    if outcome == Outcome::Done {
        Chain::Step(step)
    } else {
        Chain::Fail(not_locked(outcome))
    }
}

fn done_or_refused(outcome: Outcome, step: Step) -> Chain {
    if outcome == Outcome::Done {
        Chain::Step(step)
    } else {
        Chain::Fail(End::REFUSED)
    }
}
