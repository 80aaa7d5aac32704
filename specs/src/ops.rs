//! The step tables, one file an operation, in the order of the protocol.

pub mod gc;
pub mod move_group;
pub mod take_lock;
