//! Names and words: what the operations are called, which steps they take, which locks, properties,
//! mutants, scenarios and designs exist. This crate runs nothing; `model` and `datastore` are two programs
//! written by hand from its tables, and the pages beside it are printed from them.

pub mod design;
pub mod event;
pub mod exception;
pub mod id;
mod joined;
pub mod lock_class;
pub mod mutant;
pub mod occurrences;
pub mod op;
pub mod ops;
pub mod page;
pub mod property;
pub mod question;
pub mod race;
pub mod scenario;
pub mod scenarios;
pub mod step;

pub use design::Design;
pub use event::{Cut, Event, Outcome, Stage};
pub use exception::Exception;
pub use id::Id;
pub use lock_class::LockClass;
pub use mutant::Mutant;
pub use op::Op;
pub use property::Property;
pub use scenario::Scenario;
pub use step::{Label, Step, ToLabel};
