//! `set_owner`: changes the owner of a group, from the one that was checked.
//!
//! # Race fixed
//!
//! Two users change one owner at once. Each may do so by the owner that it has read, and the second
//! overwrites what the first has written, though it was no longer allowed to.
//!
//! # Protocol
//!
//! 1. Read the owner, without a lock. Whether it may be changed is decided by it.
//! 2. Lock the group; it is only tried. Read the owner again: another one ends the operation.
//! 3. Write the new owner to a temporary file and rename it over the old one.
//! 4. Let the group go.
//!
//! > The owner that is replaced is the one that was checked, and whoever reads the file finds an owner.
//!
//! A crash leaves the old owner or the new one, and perhaps a temporary file. The published design
//! empties the file and then writes it: whoever reads it in between finds no owner, and a crash there
//! leaves a group that nobody can use.
//!
//! Not covered: who may change an owner.

use crate::datastore::Datastore;
use crate::error::LockError;
use crate::lock_file::LockGuard;
use crate::owner::{self, Owner, OwnerError};
use crate::paths::Group;
use crate::step::{Cx, Ending};
use crate::sys::Sys;
use specs::Outcome;
use specs::ToLabel as _;
use specs::ops::set_owner::Step;

/// Whose owner, and who it becomes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The group.
    pub group: Group,
    /// The new owner.
    pub owner: Owner,
}

/// Why the owner was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetOwnerError {
    /// Somebody else uses the group; a later attempt can succeed with nothing mended.
    #[error("cannot lock {group}: {source}")]
    Busy {
        /// The group.
        group: Group,
        /// Who is in the way.
        source: LockError,
    },
    /// Somebody else has changed it since it was read.
    #[error(
        "the owner of {group} was changed meanwhile, from {from} to {to}; look again whether you may change it"
    )]
    Changed {
        /// The group.
        group: Group,
        /// The owner that was checked.
        from: Owner,
        /// The owner that it has now.
        to: Owner,
    },
    /// There is no such group, or it has no owner.
    #[error("cannot change the owner of {0}: there is no such group, or it has no owner file")]
    NoOwner(Group),
    /// The owner cannot be read or written, or a lock call failed.
    #[error("cannot change the owner of {group}: {source}")]
    Failed {
        /// The group.
        group: Group,
        /// Why.
        source: Box<Reason>,
    },
}

/// Why a change of an owner failed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The owner cannot be told.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// A lock call failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl SetOwnerError {
    /// Whether somebody else holds the lock, so that a later attempt can succeed with nothing mended.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Changed { .. } | Self::NoOwner(_) | Self::Failed { .. } => false,
        }
    }
}

impl Ending for SetOwnerError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::NoOwner(_) => Some(Outcome::NotFound),
            Self::Busy { source, .. } => source.outcome(),
            Self::Failed { source, .. } => match &**source {
                Reason::Owner(error) => error.outcome(),
                Reason::Lock(error) => error.outcome(),
            },
            Self::Changed { .. } => None,
        }
    }
}

/// What is held, in the order of release.
struct Held<'a, S: Sys> {
    /// The emptied owner file, in the design that empties it.
    file: Option<S::File>,
    group: Option<LockGuard<'a, S>>,
}

/// Changes the owner of a group.
pub fn run<S: Sys>(
    cx: &Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
) -> Result<(), SetOwnerError> {
    let mut held = Held {
        file: None,
        group: None,
    };
    let result = change(cx, store, settings, &mut held);
    if result.is_err() {
        cx.step(Step::ReleaseAll, || drop(held));
    }
    result
}

fn change<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
    held: &mut Held<'a, S>,
) -> Result<(), SetOwnerError> {
    let (group, owner) = (&settings.group, &settings.owner);
    let path = store.layout().path(group);
    let link = store.refuse_links(&cx.sys, &path);
    link.map_err(|e| failed(group, e.into()))?;
    let checked = cx.try_step(Step::ReadOwner.of(group), || {
        owner::read(&cx.sys, &path).map_err(|e| failed(group, e))
    })?;
    if cx.design.locks_group_of_new_owner() {
        let lock = cx.try_step(Step::LockGroup.of(group), || {
            store.lock_group(&cx.sys, cx.design, group)
        });
        held.group = Some(lock.map_err(|e| not_locked(group, e))?);
    }
    if cx.design.rechecks_owner() {
        cx.try_step(Step::RecheckOwner.of(group), || {
            match owner::read(&cx.sys, &path).map_err(|e| failed(group, e))? {
                found if found == checked => Ok(()),
                found => Err(SetOwnerError::Changed {
                    group: group.clone(),
                    from: checked,
                    to: found,
                }),
            }
        })?;
    }
    if !cx.design.replaces_owner_file() {
        let file = cx.try_step(Step::TruncateOwner.of(group), || {
            owner::truncate(&cx.sys, &path, store.files())
        });
        held.file = Some(file.map_err(|e| failed(group, e.into()))?);
    }
    cx.try_step(Step::WriteOwner.of(group), || match held.file.take() {
        Some(file) => owner::write_emptied(&cx.sys, &file, &path, owner),
        None => owner::replace(&cx.sys, &path, store.files(), owner),
    })
    .map_err(|e| failed(group, e.into()))?;
    if held.group.is_some() {
        cx.step(Step::UnlockGroup.of(group), || held.group = None);
    }
    Ok(())
}

fn failed(group: &Group, source: OwnerError) -> SetOwnerError {
    if source.is_not_found() {
        return SetOwnerError::NoOwner(group.clone());
    }
    SetOwnerError::Failed {
        group: group.clone(),
        source: Box::new(source.into()),
    }
}

fn not_locked(group: &Group, source: LockError) -> SetOwnerError {
    let group = group.clone();
    match source {
        LockError::WouldBlock(_) | LockError::TimedOut(_) | LockError::Vanished(_) => {
            SetOwnerError::Busy { group, source }
        }
        LockError::Missing(_) => SetOwnerError::NoOwner(group),
        LockError::Call(_) => SetOwnerError::Failed {
            group,
            source: Box::new(source.into()),
        },
    }
}
