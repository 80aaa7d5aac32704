//! Replay of the model's behaviours on real files, real locks and real processes.
//!
//! ```no_run
//! use conformance::behaviour::{Replayed, replay_behaviour};
//! use conformance::real_check::Shown;
//! use conformance::{board, driver};
//! use specs::mutant::MUTANTS;
//!
//! let mutant = &MUTANTS[0];
//! let scope = board::scope_of(mutant)?;
//! if let Some(example) = board::shortest(&scope, mutant.property, 2)? {
//!     let options = driver::Options::new("target/release/lockstep");
//!     let replayed =
//!         replay_behaviour(&scope, &example.events, &example.states, mutant.property, options)?;
//!     assert!(matches!(replayed, Replayed::Same { shown: Shown::Broken(_), .. }));
//! }
//! # anyhow::Ok(())
//! ```

pub mod aftermath;
pub mod ask;
pub mod behaviour;
pub mod board;
pub mod calls_of_rows;
pub mod check;
pub mod cli;
pub mod compare;
mod contents;
mod corruption;
mod difference;
pub mod drawing;
pub mod driver;
pub mod edges;
pub mod equivalent;
pub mod errand;
pub mod everywhere;
pub mod expected;
pub mod explain;
pub mod explorer;
pub mod faulty_sys;
mod field_values;
pub mod gate;
pub mod gated_sys;
pub mod interval_log;
pub mod itf;
pub mod lanes;
pub mod litmus;
pub mod lock_directory;
pub mod lock_notes;
pub mod lock_order;
pub mod lock_place;
pub mod loom_explore;
pub mod loom_find;
pub mod loom_run;
pub mod loom_sys;
pub mod mends;
pub mod notes;
pub mod observer;
mod pool;
pub mod private_dir;
pub mod proc_locks;
pub mod projection;
#[cfg(test)]
mod random_walk;
pub mod real_check;
pub mod record;
pub mod recording_sys;
pub mod reliance;
pub mod replay;
pub mod report;
pub mod share;
mod start_tree;
pub mod thin;
pub mod traces;
mod tree_paths;
mod use_times;
pub mod wire;
pub mod witness;
pub mod worker;
pub mod world;
