//! What a user does beside the operations: make a namespace, protect a snapshot, restore an archive.
//!
//! These take the locks of the published ones and look again under them. They have no step table: no model knows them, no
//! replay takes them, and what they do to the operations was not explored.

pub mod create_namespace;
pub mod protect;
pub mod restore;
