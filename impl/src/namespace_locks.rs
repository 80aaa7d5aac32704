//! The locks of a namespace and of those above it: one chain, taken and let go in one order.
//!
//! # Race fixed
//!
//! A namespace is moved or removed while somebody works in it, or in a namespace below it.
//!
//! # Protocol
//!
//! 1. Whoever works in a namespace shares its lock, then those of the namespaces above it, from the
//!    inside out. The lock of the root namespace is never shared: everybody would hold it.
//! 2. Whoever changes which namespaces there are takes the lock of its namespace exclusively, before
//!    it shares those above.
//! 3. The locks are let go one by one, in the order in which they were taken.
//!
//! > While somebody has the lock of a namespace exclusively, nobody else has a lock of it or of a
//! > namespace below it.
//!
//! Without the shared locks above, whoever removes an outer namespace never meets whoever works in an
//! inner one: see the changes `namespace_shared_alone` and `namespace_exclusive_alone`.
//! The other way round, locking everything below, would cost as many locks as there are namespaces.
//!
//! A crash leaves the locks free and their files behind. Nobody ever removes those.
//!
//! Not covered: garbage collection takes no such lock, so that it can meet a group on its way.

use crate::datastore::Datastore;
use crate::error::LockError;
use crate::lock_file::LockGuard;
use crate::paths::Namespace;
use crate::step::Cx;
use crate::sys::{Label, Sys};
use specs::Design;
use specs::lock_class::Mode;
use std::collections::VecDeque;
use std::fmt::Display;

/// Locks of namespaces that are held. Dropping it lets them go in the order in which they were taken.
#[must_use = "locks are held only as long as their guard"]
pub struct NamespaceLocks<'s, S: Sys> {
    /// In the order in which they were taken.
    locks: VecDeque<(Namespace, LockGuard<'s, S>)>,
}

impl<'s, S: Sys> NamespaceLocks<'s, S> {
    /// Holds nothing.
    pub const fn none() -> Self {
        Self {
            locks: VecDeque::new(),
        }
    }

    /// Takes the locks of a namespace and of those above it, after those that are held already; one
    /// step each, under the label that is made of the namespace and the mode. If one is not
    /// obtained, those before it stay held.
    pub fn lock(
        &mut self,
        cx: &'s Cx<S>,
        store: &Datastore<S>,
        namespace: &Namespace,
        mode: Mode,
        label: impl Fn(&dyn Display, Mode) -> Label<'_>,
    ) -> Result<(), LockError> {
        for (namespace, mode) in order(cx.design, namespace, mode) {
            let lock = cx.try_step(label(&namespace, mode), || {
                store.lock_namespace(&cx.sys, cx.design, &namespace, mode)
            })?;
            self.locks.push_back((namespace, lock));
        }
        Ok(())
    }

    /// Lets every lock go, one step each, in the order in which they were taken.
    pub fn unlock(&mut self, cx: &Cx<S>, label: impl Fn(&dyn Display) -> Label<'_>) {
        while let Some((namespace, lock)) = self.locks.pop_front() {
            cx.step(label(&namespace), || drop(lock));
        }
    }
}

impl<S: Sys> Drop for NamespaceLocks<'_, S> {
    fn drop(&mut self) {
        while let Some((_, lock)) = self.locks.pop_front() {
            drop(lock);
        }
    }
}

/// Which locks a design takes for a namespace, in the order in which it takes them.
fn order(design: Design, namespace: &Namespace, mode: Mode) -> Vec<(Namespace, Mode)> {
    let has_own = mode == Mode::Exclusive || *namespace != Namespace::ROOT;
    let own = has_own.then(|| (namespace.clone(), mode));
    let above = namespace.above().map(|above| (above, Mode::Shared));
    let above = above.filter(|_| design.locks_ancestors(mode));
    let mut order: Vec<_> = own.into_iter().chain(above).collect();
    if design.locks_ancestors_first() {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::design::Change;

    fn check(design: Design, namespace: &str, mode: Mode, expected: &str) {
        let order: Vec<String> = order(design, &Namespace::new(namespace).unwrap(), mode)
            .into_iter()
            .map(|(namespace, mode)| format!("{namespace} {mode:?}"))
            .collect();
        assert_eq!(order.join(", "), expected, "{design:?}");
    }

    #[test]
    fn own_lock_comes_first_and_those_above_from_the_inside_out() {
        let design = Design::NAMESPACE_LOCKS;
        check(
            design,
            "a/b/c",
            Mode::Shared,
            "ns/a/ns/b/ns/c Shared, ns/a/ns/b Shared, ns/a Shared",
        );
        check(
            design,
            "a/b/c",
            Mode::Exclusive,
            "ns/a/ns/b/ns/c Exclusive, ns/a/ns/b Shared, ns/a Shared",
        );
    }

    #[test]
    fn root_namespace_has_no_shared_lock() {
        check(Design::NAMESPACE_LOCKS, "", Mode::Shared, "");
        check(Design::NAMESPACE_LOCKS, "", Mode::Exclusive, ". Exclusive");
    }

    #[test]
    fn wrong_designs_leave_out_those_above_or_take_them_first() {
        let alone = Design::NAMESPACE_LOCKS.with(Change::NamespaceExclusiveAlone);
        check(alone, "a/b", Mode::Exclusive, "ns/a/ns/b Exclusive");
        check(alone, "a/b", Mode::Shared, "ns/a/ns/b Shared, ns/a Shared");
        let alone = Design::NAMESPACE_LOCKS.with(Change::NamespaceSharedAlone);
        check(alone, "a/b", Mode::Shared, "ns/a/ns/b Shared");
        check(
            Design::NAMESPACE_LOCKS
                .with(Change::NamespaceAncestorsFirst)
                .with(Change::NamespaceLocksBlock),
            "a/b/c",
            Mode::Exclusive,
            "ns/a Shared, ns/a/ns/b Shared, ns/a/ns/b/ns/c Exclusive",
        );
    }
}
