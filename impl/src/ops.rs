//! The operations, one file each, with the file and step names of the step tables.

pub mod access_chunk;
pub mod backup;
pub mod delete_namespace;
pub mod forget_snapshot;
pub mod gc;
pub mod move_group;
pub mod prune;
pub mod set_notes;
pub mod set_owner;
pub mod take_lock;
pub mod take_namespace_lock;
pub mod verify;
