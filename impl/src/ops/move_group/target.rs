//! The target group of a move: locked, found or created, with an owner, and fit to be merged into.

use super::report::{hard, not_locked};
use super::{Existing, Held, MoveError, Mover, Reason, Step};
use crate::error::{At, skip_not_found};
use crate::group_directory;
use crate::listing::snapshot_times;
use crate::lock_file::LockGuard;
use crate::owner::{self, Owner, OwnerError};
use crate::sys::Sys;
use specs::design::Change;
use std::io;

impl<'a, S: Sys> Mover<'a, S> {
    /// Locks and opens the target group for a source group of that owner.
    pub(super) fn open_target(
        &self,
        held: &mut Held<'a, S>,
        owner: &Owner,
    ) -> Result<(), MoveError> {
        let (cx, source) = (self.cx, &self.settings.source);
        let hard = |reason: Reason| hard(source, reason);
        let checks_early = cx.design.has(Change::MergeCheckedBeforeLock);
        if cx.design.locks_target_before_it_creates() {
            held.target = Some(self.lock_target()?);
            held.is_target_new = self.create_target()?;
        } else {
            held.is_target_new = self.create_target()?;
            if !held.is_target_new && checks_early {
                cx.try_step(Step::CheckMerge, || {
                    self.check_merging_is_allowed()?;
                    self.check_time_order()
                })
                .map_err(hard)?;
            }
            let lock = self.lock_target();
            if lock.is_err() && held.is_target_new {
                // It may be gone, or hold a snapshot of whoever has the lock: both are theirs.
                cx.try_step(Step::RemoveTargetGroup, || {
                    group_directory::remove(&cx.sys, &self.target_path)
                })
                .unwrap_or_default();
            }
            held.target = Some(lock?);
        }
        if held.is_target_new {
            self.write_target_owner(owner)?;
        }
        let target_owner = match self.read_target_owner() {
            Err(OwnerError::Call(error))
                if error.is_not_found()
                    && !held.is_target_new
                    && cx.design.adopts_an_ownerless_group() =>
            {
                let listing = cx
                    .step_with(Step::ListOwnerlessTarget, || {
                        group_directory::list_if_empty(&cx.sys, &self.target_path)
                    })
                    .map_err(|e| hard(e.into()))?;
                if listing.is_none() {
                    return Err(hard(error.into()));
                }
                held.is_target_new = true;
                self.write_target_owner(owner)?;
                self.read_target_owner()
            }
            read => read,
        }
        .map_err(|e| hard(e.into()))?;
        if checks_early {
            // Owners can be compared only now, and do not change while a move checks the rest.
            check_owners(owner, &target_owner).map_err(hard)?;
        } else if !held.is_target_new {
            cx.try_step(Step::CheckMerge, || {
                self.check_merging_is_allowed()?;
                check_owners(owner, &target_owner)?;
                self.check_time_order()
            })
            .map_err(hard)?;
        }
        Ok(())
    }

    pub(super) fn lock_target(&self) -> Result<LockGuard<'a, S>, MoveError> {
        let cx = self.cx;
        cx.try_step(Step::LockTargetGroup, || {
            self.store.lock_group(&cx.sys, cx.design, &self.target)
        })
        .map_err(|error| not_locked(&self.target, error))
    }

    /// Creates the directory, with that of its type; false if it is there.
    fn create_target(&self) -> Result<bool, MoveError> {
        let (cx, source) = (self.cx, &self.settings.source);
        match cx.try_step(Step::CreateTargetGroup, || {
            let files = self.store.files();
            group_directory::create(&cx.sys, cx.design, &self.target_path, files.owner)
        }) {
            Ok(()) => Ok(true),
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) if error.is_not_found() => Err(hard(
                source,
                Reason::Refused("the target namespace was removed"),
            )),
            Err(error) => Err(hard(source, error.into())),
        }
    }

    fn write_target_owner(&self, owner: &Owner) -> Result<(), MoveError> {
        let cx = self.cx;
        cx.try_step(Step::WriteTargetOwner, || {
            let create = self.store.files();
            owner::write_new(&cx.sys, cx.design, &self.target_path, create, owner)
        })
        .map_err(|e| hard(&self.settings.source, e.into()))
    }

    fn read_target_owner(&self) -> Result<Owner, OwnerError> {
        let cx = self.cx;
        cx.try_step(Step::ReadTargetOwner, || {
            owner::read(&cx.sys, &self.target_path)
        })
    }

    fn check_merging_is_allowed(&self) -> Result<(), Reason> {
        match self.settings.existing {
            Existing::Merge => Ok(()),
            Existing::Refuse => Err(Reason::Refused(
                "the target group appeared meanwhile, and merging is not allowed",
            )),
        }
    }

    fn check_time_order(&self) -> Result<(), Reason> {
        let newest = snapshot_times(&self.read_dir(&self.target_path)?)
            .into_iter()
            .next_back();
        let oldest = snapshot_times(&self.read_dir(&self.source_path)?)
            .into_iter()
            .next();
        match (newest, oldest) {
            (Some(newest), Some(oldest)) if newest >= oldest => Err(Reason::Refused(
                "the target group has a snapshot that is not older than all of the source",
            )),
            _ => Ok(()),
        }
    }

    /// After a failure before the first rename: nobody else can have used the group, since its lock
    /// is held.
    pub(super) fn remove_new_target(&self, lock: &LockGuard<'_, S>) {
        let cx = self.cx;
        let owner = self.target_path.join("owner");
        let unlinked = cx
            .try_step(Step::UnlinkTargetOwner, || {
                cx.sys.unlink(&owner).at("unlink", &owner)
            })
            .or_else(skip_not_found);
        // What the move failed with is worth more to its caller than what this clean-up fails with.
        if unlinked.is_ok()
            && cx
                .try_step(Step::RemoveTargetGroup, || {
                    group_directory::remove(&cx.sys, &self.target_path)
                })
                .is_ok()
        {
            cx.try_step(Step::UnlinkTargetGroupLock, || lock.unlink())
                .unwrap_or_default();
        }
    }
}

fn check_owners(owner: &Owner, target_owner: &Owner) -> Result<(), Reason> {
    if owner == target_owner {
        Ok(())
    } else {
        Err(Reason::Refused("the target group has another owner"))
    }
}
