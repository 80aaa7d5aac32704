//! The operations of a backup datastore on real files, with their locks, over any system calls.
//!
//! An operation runs with a [`Cx`], which holds the actor's own [`Sys`] handle and the
//! [`specs::Design`] that it follows, on a [`Datastore`] that the actors of a process share:
//!
//! ```no_run
//! use datastore::ops::gc;
//! use datastore::{Config, Cx, Datastore, LinuxSys};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cx = Cx { sys: LinuxSys, design: specs::Design::HARDENED };
//! let store = Datastore::open(&cx.sys, Config::new("/srv/store", "store"))?;
//! let status = gc::run(&cx, &store, &gc::Settings::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! A caller can set where the lock directory lies and on which file systems, who owns what is created, and how groups
//! and snapshots are locked ([`Config`]): by lock files, or by their directories, as before there were lock files.
//! Unless it says otherwise, the flag file of Proxmox Backup decides ([`OLD_LOCKING`], [`Generation`]).

pub mod beside;
pub mod blob;
pub mod chunk_store;
mod datastore;
pub mod error;
mod generation;
mod group_directory;
pub mod index;
pub mod journal;
pub mod linux;
pub mod listing;
pub mod lock_file;
pub mod lock_names;
pub mod manifest;
pub mod namespace_locks;
pub mod ops;
pub mod owner;
pub mod paths;
mod place;
pub mod process_lock;
pub mod step;
pub mod sys;
pub mod temporary;

pub use datastore::{Config, Datastore, GcSlot, LOCKS, LockFileSystem, OpenError, Prefixes};
pub use generation::{Generation, OLD_LOCKING};
pub use linux::LinuxSys;
pub use owner::Owner;
pub use paths::{BackupTime, BackupType, Group, Layout, Lockable, Namespace, Snapshot};
pub use step::Cx;
pub use sys::Sys;
