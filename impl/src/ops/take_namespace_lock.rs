//! `take_namespace_lock`: the locks of one namespace or of two, as a caller takes them.
//!
//! The protocol and what it protects from are those of [`crate::namespace_locks`]. This operation does
//! nothing under the locks, so that everything that takers can do to each other is explored and
//! replayed. It takes them in every design; those without locks of namespaces try them.

use crate::datastore::Datastore;
use crate::error::LockError;
use crate::namespace_locks::NamespaceLocks;
use crate::paths::Namespace;
use crate::step::Cx;
use crate::sys::{Label, Sys};
use specs::ToLabel as _;
use specs::lock_class::Mode;
use specs::ops::take_namespace_lock::Step;
use std::fmt::Display;

/// What is locked, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first namespace; those above it are shared.
    pub first: (Namespace, Mode),
    /// The second one, once the first is locked.
    pub second: Option<(Namespace, Mode)>,
}

/// What is held.
struct Held<'a, S: Sys> {
    namespaces: NamespaceLocks<'a, S>,
}

/// Takes the locks and lets them go.
pub fn run<S: Sys>(cx: &Cx<S>, store: &Datastore<S>, settings: &Settings) -> Result<(), LockError> {
    let mut held = Held {
        namespaces: NamespaceLocks::none(),
    };
    let result = take(cx, store, settings, &mut held);
    if result.is_err() {
        cx.step(Step::ReleaseAll, || drop(held));
    }
    result
}

fn take<'a, S: Sys>(
    cx: &'a Cx<S>,
    store: &Datastore<S>,
    settings: &Settings,
    held: &mut Held<'a, S>,
) -> Result<(), LockError> {
    for (namespace, mode) in [&settings.first].into_iter().chain(&settings.second) {
        held.namespaces.lock(cx, store, namespace, *mode, lock)?;
    }
    held.namespaces
        .unlock(cx, |namespace| Step::UnlockNamespace.of(namespace));
    Ok(())
}

fn lock(namespace: &dyn Display, mode: Mode) -> Label<'_> {
    match mode {
        Mode::Exclusive => Step::LockExclusive.of(namespace),
        Mode::Shared => Step::LockShared.of(namespace),
    }
}
