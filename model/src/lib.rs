//! The abstract datastore as a `stateright::Model`, and the engine that explores it completely.
//!
//! Guard and effect of every step stand in one arm, in the order of the step table; see `ops`.

pub mod engine;
pub mod environment;
pub mod faults;
pub mod journal;
pub mod locks;
pub mod ops;
pub mod properties;
pub mod refusal;
pub mod scope;
pub mod second_opinion;
pub mod state;
pub mod verdict;

pub use refusal::Refusal;
pub use scope::Scope;
pub use state::State;
