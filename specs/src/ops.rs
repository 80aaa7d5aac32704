//! The step tables, one file an operation, in the order of the protocol.

#![allow(missing_docs, reason = "what a step does is said once, by its row")]

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
