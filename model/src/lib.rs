//! The abstract datastore as a `stateright::Model`, and the engine that explores it completely.
//!
//! Guard and effect of every step stand in one arm, in the order of the step table; see `ops`.
//!
//! ```
//! use model::{Scope, engine};
//! use specs::{Design, Scenario};
//!
//! let scenario = Scenario::named("two_moves_cross").expect("it exists");
//! let scope = Scope::new(scenario, Design::HARDENED, &[]);
//! let record = engine::explore(&scope, &engine::Options::default())?.record;
//! assert!(record.holds(), "{:?}", record.failures());
//! # Ok::<(), engine::Refusal>(())
//! ```

pub mod aftermath;
mod directories;
pub mod engine;
pub mod environment;
pub mod faults;
pub mod journal;
pub mod locks;
mod occurrences;
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
