//! `Cx`: what an operation runs with, and the braces that make an effect one step.

use crate::sys::{FlockError, Label, Sys};
use specs::{Cut, Design, Outcome};
use std::io;

/// What an operation runs with: its own system calls and the design it follows.
#[derive(Clone, Copy, Debug)]
pub struct Cx<S> {
    /// The system calls of this actor.
    pub sys: S,
    /// The design of the protocol.
    pub design: Design,
}

/// An error that says how the step ended, as far as the step table has a word for it.
pub trait Ending {
    /// The outcome; none if the table has no word for this error, which then ends the operation as
    /// [`Outcome::Refused`].
    fn outcome(&self) -> Option<Outcome>;
}

impl<S: Sys> Cx<S> {
    /// Runs an effect as one step that cannot fail.
    #[inline]
    pub fn step<'l, T>(&self, label: impl Into<Label<'l>>, effect: impl FnOnce() -> T) -> T {
        self.step_with(label, || (effect(), Outcome::Done))
    }

    /// Runs an effect as one step whose error says how it ended.
    #[inline]
    pub fn try_step<'l, T, E: Ending>(
        &self,
        label: impl Into<Label<'l>>,
        effect: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.step_with(label, || {
            let result = effect();
            let outcome = match &result {
                Ok(_) => Outcome::Done,
                Err(error) => error.outcome().unwrap_or(Outcome::Refused),
            };
            (result, outcome)
        })
    }

    /// Runs an effect as one step that says itself how it ended.
    #[inline]
    pub fn step_with<'l, T>(
        &self,
        label: impl Into<Label<'l>>,
        effect: impl FnOnce() -> (T, Outcome),
    ) -> T {
        let label = label.into();
        self.sys.begin(&label);
        let (value, outcome) = effect();
        self.sys.end(&label, outcome);
        value
    }
}

impl Ending for io::Error {
    fn outcome(&self) -> Option<Outcome> {
        use io::ErrorKind as Kind;
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "ErrorKind is non-exhaustive"
        )]
        match self.kind() {
            Kind::NotFound => Some(Outcome::NotFound),
            Kind::NotADirectory => Some(Outcome::NotDirectory),
            Kind::AlreadyExists => Some(Outcome::Exists),
            Kind::DirectoryNotEmpty => Some(Outcome::NotEmpty),
            Kind::StorageFull => Some(Outcome::NoSpace(Cut::Nothing)),
            _ => None,
        }
    }
}

impl Ending for FlockError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::WouldBlock => Some(Outcome::WouldBlock),
            Self::TimedOut => Some(Outcome::TimedOut),
            Self::Io(error) => error.outcome(),
        }
    }
}
