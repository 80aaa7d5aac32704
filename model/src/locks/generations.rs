//! The two generations of locks: an older version locks the directories of groups and snapshots, a newer one files.
//!
//! A process of the newer version looks for a flag file at its first lock. If that is there, a process of the older
//! version may still be at work, and it takes the locks that this one would take.

use super::{Name, file_at, set_file, visit_holds};
use crate::scope::Scope;
use crate::state::{Hold, Numbers, Set, State};
use specs::design::LooksForFlag;
use specs::id::{Actor, Process};
use specs::scenario::{Flag, Scenario};
use specs::{Design, LockClass};

/// What a process goes by when it takes a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It locks files.
    Files,
    /// It locks directories.
    Directories,
    /// It locks directories if it finds the flag file, which is created at some time.
    Flag,
}

impl Choice {
    /// That of a process under a design.
    pub(crate) fn of(scenario: &Scenario, design: Design, process: Process) -> Self {
        if scenario.generations.old.contains(&process) {
            return Self::Directories;
        }
        Self::of_new(scenario, design)
    }

    /// That of a process of the new version.
    pub(crate) fn of_new(scenario: &Scenario, design: Design) -> Self {
        if design.locks_directories() {
            return Self::Directories;
        }
        match (scenario.generations.flag, design.flag()) {
            (Flag::Absent, _) | (_, LooksForFlag::Never) => Self::Files,
            (Flag::Present, LooksForFlag::AtFirstLock | LooksForFlag::AtEveryLock) => {
                Self::Directories
            }
            (Flag::Created, LooksForFlag::AtFirstLock | LooksForFlag::AtEveryLock) => Self::Flag,
        }
    }

    /// That of a process that is started when all others are gone: a reboot takes the flag file, which lies on the tmpfs.
    pub(crate) fn of_late(scenario: &Scenario, design: Design) -> Self {
        let finds_flag = scenario.generations.flag == Flag::Present && !design.locks_directories();
        match Self::of_new(scenario, design) {
            Self::Directories if finds_flag => Self::Flag,
            choice @ (Self::Files | Self::Directories | Self::Flag) => choice,
        }
    }
}

impl Name {
    /// The lock that a process takes in the place of this one if it locks directories.
    #[must_use]
    pub const fn by_directory(self) -> Self {
        match self {
            Self::Group(n, g) | Self::GroupDirectory(n, g) => Self::GroupDirectory(n, g),
            Self::Snapshot(n, s) | Self::SnapshotDirectory(n, s) => Self::SnapshotDirectory(n, s),
            Self::Manifest(n, s) | Self::OldManifest(n, s) => Self::OldManifest(n, s),
            Self::Namespace(_) => self,
        }
    }

    /// The lock that a process takes in the place of this one if it locks files. Who relies on either relies on the
    /// same thing, although the kernel knows nothing of that.
    #[must_use]
    pub const fn by_file(self) -> Self {
        match self {
            Self::Group(n, g) | Self::GroupDirectory(n, g) => Self::Group(n, g),
            Self::Snapshot(n, s) | Self::SnapshotDirectory(n, s) => Self::Snapshot(n, s),
            Self::Manifest(n, s) | Self::OldManifest(n, s) => Self::Manifest(n, s),
            Self::Namespace(_) => self,
        }
    }

    /// The lock of that name as an actor has it.
    pub(crate) const fn of_hold(self, hold: Hold) -> Self {
        if hold.is_old() {
            self.by_directory()
        } else {
            self
        }
    }

    /// Whether it is one of the old generation.
    pub const fn is_old(self) -> bool {
        match self {
            Self::GroupDirectory(..) | Self::SnapshotDirectory(..) | Self::OldManifest(..) => true,
            Self::Namespace(_) | Self::Group(..) | Self::Snapshot(..) | Self::Manifest(..) => false,
        }
    }

    /// Whether what is open under the one name may be what another actor knows by the other: a directory that was renamed.
    pub(super) fn can_be(self, other: Self) -> bool {
        self.in_namespace(0) == other.in_namespace(0)
    }

    /// The same in another namespace.
    const fn in_namespace(self, n: u8) -> Self {
        match self {
            Self::GroupDirectory(_, g) => Self::GroupDirectory(n, g),
            Self::SnapshotDirectory(_, s) => Self::SnapshotDirectory(n, s),
            Self::Group(..)
            | Self::Snapshot(..)
            | Self::Manifest(..)
            | Self::OldManifest(..)
            | Self::Namespace(_) => self,
        }
    }

    /// Whether what is locked is a directory, which is not created to be locked.
    pub(super) const fn is_directory(self) -> bool {
        matches!(self, Self::GroupDirectory(..) | Self::SnapshotDirectory(..))
    }
}

/// Whether the process of an actor locks directories: what it has found, or would find if it looked now.
pub(crate) fn locks_directories(scope: &Scope, state: &State, me: Actor) -> bool {
    match scope.choice_of(me) {
        Choice::Files => false,
        Choice::Directories => true,
        Choice::Flag => found(scope, state, me).unwrap_or(state.flag != 0),
    }
}

/// Whether the process of an actor has found the flag file; none if it has to look before it takes a lock.
fn found(scope: &Scope, state: &State, me: Actor) -> Option<bool> {
    match scope.design.flag() {
        LooksForFlag::AtFirstLock => state.looked.of(scope.process_of(me).0),
        LooksForFlag::AtEveryLock | LooksForFlag::Never => Some(state.flag != 0),
    }
}

/// Whether the process of an actor looks for the flag file before it takes a lock.
pub(super) fn has_to_look(scope: &Scope, state: &State, me: Actor) -> bool {
    scope.choice_of(me) == Choice::Flag && found(scope, state, me).is_none()
}

/// The process of an actor looks for the flag file, if it has to.
pub(crate) fn look(scope: &Scope, state: &mut State, me: Actor) {
    if has_to_look(scope, state, me) {
        let process = scope.process_of(me).0;
        state.looked = state.looked.with(process, state.flag != 0);
    }
}

/// The lock that an actor takes where it needs the one of that name. Its process looks for the flag file before.
pub(super) fn name_for(scope: &Scope, state: &mut State, me: Actor, name: Name) -> Name {
    look(scope, state, me);
    if locks_directories(scope, state, me) {
        name.by_directory()
    } else {
        name
    }
}

/// The class of the lock that an actor would take where a row has that class.
pub(crate) fn class_for(scope: &Scope, state: &State, me: Actor, class: LockClass) -> LockClass {
    if locks_directories(scope, state, me) {
        class.by_directory()
    } else {
        class
    }
}

/// The smallest number that nobody has open of what has the lock of that name. A directory can be renamed, and takes its number
/// along, so none of the same thing in another namespace has it either.
pub(super) fn next_number(scope: &Scope, state: &State, name: Name) -> u8 {
    let mut used = 0u16;
    visit_holds(scope, state, &mut |_, other, hold| {
        if other.can_be(name) {
            used |= 1 << hold.number();
        }
    });
    if name.is_directory() {
        for n in scope.scenario.all_namespaces() {
            used |= 1 << file_at(state, name.in_namespace(n.0));
        }
    }
    (1..Numbers::MOST)
        .find(|number| used & 1 << number == 0)
        .unwrap_or(Numbers::MOST)
}

/// The directory of a group or of a snapshot was made. It has a number where somebody could lock it.
pub(crate) fn number_directory(scope: &Scope, state: &mut State, name: Name) {
    if scope.numbers_directories {
        let name = name.by_directory();
        let number = next_number(scope, state, name);
        set_file(state, name, number);
    }
}

/// The directory of a group or of a snapshot was renamed: whoever has its lock has it still.
pub(crate) fn renumber_directory(state: &mut State, from: Name, to: Name) {
    let (from, to) = (from.by_directory(), to.by_directory());
    let number = file_at(state, from);
    set_file(state, from, 0);
    set_file(state, to, number);
}

/// The name that what somebody has open under a name has now: a directory may have been renamed.
pub fn name_now(scope: &Scope, state: &State, name: Name, hold: Hold) -> Name {
    let all = scope.scenario.all_namespaces();
    let mut names = all.map(|n| name.in_namespace(n.0));
    names
        .find(|now| name.is_directory() && file_at(state, *now) == hold.number())
        .unwrap_or(name)
}

/// All directories that are there at the start have a number where somebody could lock them.
pub(crate) fn number_directories(scope: &Scope, state: &mut State) {
    for (g, at) in (0u8..).zip(state.groups) {
        for n in at.iter() {
            number_directory(scope, state, Name::Group(n, g));
        }
    }
    for (s, at) in (0u8..).zip(state.snapshots) {
        for n in at.iter() {
            number_directory(scope, state, Name::Snapshot(n, s));
        }
    }
}

/// Whether exactly those directories have a number that are there, where they have one at all.
pub(crate) fn are_numbered(scope: &Scope, state: &State) -> bool {
    let is_numbered = |name: &dyn Fn(u8) -> Name, there: Set| {
        let all = scope.scenario.all_namespaces();
        all.map(|n| n.0)
            .all(|n| (file_at(state, name(n)) != 0) == there.has(n))
    };
    !scope.numbers_directories
        || (0u8..)
            .zip(state.groups)
            .all(|(g, at)| is_numbered(&|n| Name::GroupDirectory(n, g), at))
            && (0u8..)
                .zip(state.snapshots)
                .all(|(s, at)| is_numbered(&|n| Name::SnapshotDirectory(n, s), at))
}

#[cfg(test)]
mod tests;
