//! The group of a backup: found or created, locked, and with an owner.

use super::{BackupError, Held, Reason, Session, Step};
use crate::error::{At, LockError};
use crate::group_directory;
use crate::owner;
use crate::paths::Namespace;
use crate::sys::Sys;
use specs::ToLabel as _;
use specs::lock_class::Mode;
use std::io;

impl<'a, S: Sys> Session<'a, '_, S> {
    /// Locks the group, creates it if need be, and makes sure that it has an owner.
    pub(super) fn open_group(&self, held: &mut Held<'a, S>) -> Result<(), BackupError> {
        let (cx, group) = (self.cx, &self.settings.group);
        let lock = || {
            cx.try_step(Step::LockGroup.of(group), || {
                self.store.lock_group(&cx.sys, cx.design, group)
            })
        };
        let create = || match cx.try_step(Step::CreateGroup.of(group), || {
            let files = self.store.files();
            group_directory::create(&cx.sys, cx.design, &self.group_path, files.owner)
        }) {
            Ok(()) => Ok(true),
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) if error.is_not_found() => Err(self.failed(self.no_namespace())),
            Err(error) => Err(self.failed(error)),
        };
        // A directory can only be locked once it is there.
        let locks_first =
            cx.design.locks_before_it_creates() && !self.store.always_locks_directories(cx.design);
        let locked = match locks_first.then(lock) {
            // The process has found out that it locks directories.
            Some(Err(LockError::Missing(_))) => None,
            locked => locked,
        };
        let is_new = if let Some(locked) = locked {
            held.group = Some(locked.map_err(|e| self.not_locked(group, e))?);
            self.check_namespace()?;
            create()?
        } else {
            self.check_namespace()?;
            self.lock_namespaces(held)?;
            let is_new = create()?;
            let lock = lock();
            let stays = locks_first || self.store.locks_directories(cx.design);
            if lock.is_err() && is_new && !stays {
                // It may be gone, or hold a snapshot of whoever has the lock: both are theirs.
                cx.try_step(Step::RemoveNewGroup.of(group), || {
                    group_directory::remove(&cx.sys, &self.group_path)
                })
                .unwrap_or_default();
            }
            held.group = Some(lock.map_err(|e| self.not_locked(group, e))?);
            is_new
        };
        if is_new {
            self.write_owner()?;
            return self.check_owner().map_err(|e| self.failed(e));
        }
        match self.check_owner() {
            Err(Reason::NoOwner) if cx.design.adopts_an_ownerless_group() => {
                let listing = cx.step_with(Step::ListOwnerlessGroup.of(group), || {
                    group_directory::list_if_empty(&cx.sys, &self.group_path)
                });
                if listing.map_err(|e| self.failed(e))?.is_none() {
                    return Err(self.failed(Reason::NoOwner));
                }
                self.write_owner()?;
                self.check_owner()
            }
            checked => checked,
        }
        .map_err(|e| self.failed(e))
    }

    fn write_owner(&self) -> Result<(), BackupError> {
        let (cx, owner) = (self.cx, &self.settings.owner);
        cx.try_step(Step::WriteOwner.of(&self.settings.group), || {
            let files = self.store.files();
            owner::write_new(&cx.sys, cx.design, &self.group_path, files, owner)
        })
        .map_err(|e| self.failed(e))
    }

    fn check_owner(&self) -> Result<(), Reason> {
        let cx = self.cx;
        cx.try_step(
            Step::ReadOwner.of(&self.settings.group),
            || match owner::read(&cx.sys, &self.group_path) {
                Ok(owner) if owner == self.settings.owner => Ok(()),
                Ok(owner) => Err(Reason::OtherOwner(owner)),
                Err(error) if error.is_not_found() => Err(Reason::NoOwner),
                Err(error) => Err(error.into()),
            },
        )
    }

    /// See that the namespace exists; the root namespace always does.
    fn check_namespace(&self) -> Result<(), BackupError> {
        let (cx, namespace) = (self.cx, self.settings.group.namespace());
        if *namespace == Namespace::ROOT {
            return Ok(());
        }
        let path = self.store.layout().path(namespace);
        match cx.try_step(Step::CheckNamespace.of(namespace), || {
            cx.sys.stat(&path).at("stat", &path)
        }) {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(self.failed(self.no_namespace())),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Shares the locks of the namespace and of those above it, in the designs that have such locks.
    fn lock_namespaces(&self, held: &mut Held<'a, S>) -> Result<(), BackupError> {
        let (cx, namespace) = (self.cx, self.settings.group.namespace());
        if !cx.design.locks_namespaces() {
            return Ok(());
        }
        held.namespaces
            .lock(cx, self.store, namespace, Mode::Shared, |namespace, _| {
                Step::LockNamespace.of(namespace)
            })
            .map_err(|e| self.not_locked(&format!("namespace {namespace}"), e))
    }

    fn no_namespace(&self) -> Reason {
        Reason::NoNamespace(self.settings.group.namespace().clone())
    }
}
