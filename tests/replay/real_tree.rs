//! Whatever is changed in a real tree is seen: each file and directory that could be there comes or goes, and each content that
//! is compared becomes another one.

use super::{Covered, Move, private};
use conformance::driver::Driver;
use conformance::observer::{Circumstances, Observer};
use conformance::projection::{Ends, Lock, Projected};
use conformance::world::{STORE_NAME, World};
use datastore::blob;
use datastore::index::Digest;
use datastore::manifest::{Manifest, Verdict, VerifyState};
use datastore::{LinuxSys, Sys};
use specs::scenario::{Flag, OWNERS, Scenario};
use specs::scenarios::SCENARIOS;
use specs::{Design, Event, Id, Outcome, Step};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The fields that no change of a tree shows, since a worker or the kernel tells them.
const TOLD: &[(&str, &str)] = &[
    ("gc_slots", "the worker says so"),
    ("ended", "the worker says so"),
    ("failed", "the worker says so"),
    (
        "lock_modes",
        "the kernel says so; both modes occur in the gate",
    ),
    (
        "store_holders",
        "the kernel says so; they change in the gate",
    ),
    (
        "store_modes",
        "the kernel says so; both modes occur in the gate",
    ),
];

/// A tree about at its start, which nobody uses.
struct Stage {
    parent: tempfile::TempDir,
    world: World,
    observer: Observer,
    start: Projected,
    /// The fields that a change was seen in.
    seen: BTreeSet<String>,
}

fn look(observer: &mut Observer) -> Projected {
    let nobody = Circumstances {
        pids: &[],
        cutoffs: 0,
        ticks: 0,
        passed_backups: 0,
        gc_slots: 0,
        ends: Ends::default(),
    };
    let mut into = Projected::default();
    observer.observe(&nobody, &mut into).unwrap();
    into
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let parent = private();
        let world = World::create(parent.path(), scenario).unwrap();
        // A snapshot that is to be backed up is there, so that its files can come.
        for snapshot in scenario.all_snapshots() {
            let at = scenario.snapshots[usize::from(snapshot.0)].namespace;
            let path = world
                .store()
                .join(scenario.path(Id::Snapshot(at, snapshot)));
            fs::create_dir_all(path).unwrap();
        }
        let mut observer = Observer::new(&world, scenario, Design::HARDENED).unwrap();
        observer.begin();
        let start = look(&mut observer);
        Self {
            parent,
            world,
            observer,
            start,
            seen: BTreeSet::new(),
        }
    }

    /// Makes a change and takes it back; it must be seen in some field, or as something that nobody expects.
    fn change(&mut self, what: &str, make: impl FnOnce(), take_back: impl FnOnce()) {
        make();
        let changed = look(&mut self.observer);
        let strangers = self.observer.strangers(&self.world).unwrap();
        let altered = self.observer.altered(&self.world).unwrap();
        match changed.first_difference(&self.start) {
            Some(difference) => {
                let field = difference.split([':', '[']).next().unwrap();
                self.seen.insert(field.to_owned());
            }
            None => assert!(
                !strangers.is_empty() || !altered.is_empty(),
                "nobody has seen that {what}"
            ),
        }
        take_back();
        // A chunk that comes back with the access time that it had is a new sight.
        self.observer.begin();
        let back = look(&mut self.observer);
        assert_eq!(back.first_difference(&self.start), None, "after {what}");
    }

    /// What is at a path goes, or something comes there.
    fn toggle(&mut self, relative: &Path, is_dir: bool) {
        let path = self.world.at(relative);
        let shown = relative.display();
        if path.exists() {
            let aside = self.parent.path().join("aside");
            let (from, to) = (path.clone(), aside.clone());
            self.change(
                &format!("{shown} is gone"),
                move || fs::rename(&from, &to).unwrap(),
                move || fs::rename(aside, path).unwrap(),
            );
        } else if path.parent().is_some_and(Path::is_dir) {
            let there = path.clone();
            let make = move || match is_dir {
                true => fs::create_dir(there).unwrap(),
                false => fs::write(there, "").unwrap(),
            };
            let take_back = move || match is_dir {
                true => fs::remove_dir(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            };
            self.change(&format!("{shown} has come"), make, take_back);
        }
    }

    /// A file has another content for a while, at a place where one is.
    fn rewrite(&mut self, relative: &Path, what: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let path = self.world.at(relative);
        let atime = LinuxSys.stat(&path).unwrap().atime_ns;
        let new = change(fs::read(&path).unwrap());
        LinuxSys.utimensat(&path, atime).unwrap();
        let aside = self.parent.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        let there = path.clone();
        let make = move || {
            fs::write(&there, new).unwrap();
            LinuxSys.utimensat(&there, atime).unwrap();
        };
        let take_back = move || fs::rename(aside, path).unwrap();
        self.change(&format!("{} {what}", relative.display()), make, take_back);
    }
}

/// What could be at a path, whether that is a directory.
fn places(scenario: &Scenario) -> Vec<(PathBuf, bool)> {
    let store = Path::new("store");
    let mut places = Vec::new();
    for id in scenario.all_ids() {
        let path = store.join(scenario.path(id));
        match id {
            Id::Namespace(n) if n.0 == 0 => {}
            // Its directory shows by what is in it.
            Id::Prefix if scenario.chunks == 0 => {}
            Id::Namespace(_) | Id::Children(_) | Id::Type(_) | Id::Snapshot(..) | Id::Prefix => {
                places.push((path, true));
            }
            Id::Group(..) => {
                places.extend(["owner", "notes"].map(|file| (path.join(file), false)));
                places.push((path, true));
            }
            Id::Index(..)
            | Id::Temporary(..)
            | Id::Manifest(..)
            | Id::Protected(..)
            | Id::Chunk(_)
            | Id::BadChunk(..) => places.push((path, false)),
            Id::Line(_) => {}
        }
    }
    let locks = Path::new("locks").join(STORE_NAME);
    for lock in Lock::all(scenario, Design::HARDENED) {
        // The file of a namespace counts as there until somebody makes it.
        if !lock.is_directory() && !matches!(lock, Lock::Namespace(_)) {
            places.push((locks.join(lock.path(scenario)), false));
        }
    }
    if scenario.generations.flag != Flag::Absent {
        places.push(("locks/old-locking".into(), false));
    }
    places
}

/// The blob of a manifest after an edit.
fn edited(bytes: &[u8], edit: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let json = blob::decode(bytes).unwrap();
    let mut manifest = serde_json::from_slice(&json).unwrap();
    edit(&mut manifest);
    blob::encode(&manifest.to_json().unwrap()).unwrap()
}

/// Every content of a file of the start tree that can be told from another one becomes that.
fn rewrites(stage: &mut Stage, scenario: &Scenario) {
    for id in scenario.all_ids() {
        let path = Path::new("store").join(scenario.path(id));
        let is_there = |path: &Path| stage.world.at(path).is_file();
        match id {
            Id::Group(..) if is_there(&path.join("owner")) => {
                let owner = path.join("owner");
                for (what, content) in [
                    ("is empty", String::new()),
                    ("names another owner", format!("{}\n", OWNERS[1])),
                    ("names nobody known", "nobody@nowhere\n".to_owned()),
                ] {
                    stage.rewrite(&owner, what, |_| content.into());
                }
            }
            Id::Manifest(..) if is_there(&path) => {
                stage.rewrite(&path, "has notes", |bytes| {
                    edited(&bytes, |m| m.set_notes("notes"))
                });
                stage.rewrite(&path, "has statistics", |bytes| {
                    edited(&bytes, |m| m.set_chunk_upload_stats(serde_json::json!({})))
                });
                stage.rewrite(&path, "has a file more", |bytes| {
                    edited(&bytes, |m| m.add_file("more.fidx", 1, Digest([0; 32])))
                });
                for state in [Verdict::Ok, Verdict::Failed] {
                    let upid = "UPID".to_owned();
                    let state = VerifyState { upid, state };
                    stage.rewrite(&path, "has a verify state", |bytes| {
                        edited(&bytes, |m| m.set_verify_state(&state))
                    });
                }
                stage.rewrite(&path, "is damaged", |mut bytes| {
                    bytes.truncate(bytes.len() / 2);
                    bytes
                });
            }
            Id::Chunk(_) => {
                stage.rewrite(&path, "has another content", |mut bytes| {
                    *bytes.last_mut().unwrap() ^= 1;
                    bytes
                });
                let full = stage.world.at(&path);
                let old = LinuxSys.stat(&full).unwrap().atime_ns;
                let touched = full.clone();
                stage.change(
                    "a chunk is touched",
                    move || LinuxSys.utimensat(&touched, LinuxSys.now()).unwrap(),
                    move || {
                        LinuxSys.utimensat(&full, old).unwrap();
                    },
                );
            }
            Id::Index(..) if is_there(&path) => {
                stage.rewrite(&path, "is damaged", |mut bytes| {
                    *bytes.last_mut().unwrap() ^= 1;
                    bytes
                });
            }
            Id::Group(..)
            | Id::Manifest(..)
            | Id::Index(..)
            | Id::Namespace(_)
            | Id::Children(_)
            | Id::Type(_)
            | Id::Snapshot(..)
            | Id::Temporary(..)
            | Id::Protected(..)
            | Id::Prefix
            | Id::BadChunk(..)
            | Id::Line(_) => {}
        }
    }
    let journal = Path::new("locks").join(STORE_NAME).join("move-journal");
    if stage.world.at(&journal).is_file() {
        stage.rewrite(&journal, "has a line more", |bytes| {
            [&bytes[..], b"x\n"].concat()
        });
    }
}

#[test]
fn whatever_is_changed_in_a_real_tree_is_seen() {
    let mut seen = BTreeSet::new();
    for scenario in SCENARIOS {
        let mut stage = Stage::new(scenario);
        for (path, is_dir) in places(scenario) {
            stage.toggle(&path, is_dir);
        }
        rewrites(&mut stage, scenario);
        seen.extend(stage.seen);
    }
    seen.extend(lock_that_is_replaced_is_seen());
    let told = TOLD.iter().map(|(field, _)| (*field).to_owned());
    let all: BTreeSet<String> = seen.into_iter().chain(told).collect();
    let fields: BTreeSet<String> = Projected::FIELDS.iter().map(|f| (*f).to_owned()).collect();
    assert_eq!(all, fields);
}

/// The fields in which it is seen that the file of a lock that a worker holds is another one: before it was ever seen at its path,
/// and afterwards.
fn lock_that_is_replaced_is_seen() -> Vec<String> {
    let covered = Covered::new("two_moves_cross", Design::HARDENED);
    let trace = covered.trace(covered.longest());
    let takes = |event: &Event| {
        let Event::Step { label, outcome, .. } = event else {
            return false;
        };
        *outcome == Outcome::Done && label.step == Step::MoveGroup(Move::LockSourceGroup)
    };
    let at = trace.iter().position(takes).unwrap();
    [false, true]
        .map(|is_known| {
            let parent = private();
            let mut driver = covered.driver(parent.path(), &[]);
            driver.begin(&trace).unwrap();
            for step in 0..=at {
                driver.step(step).unwrap();
            }
            if is_known {
                driver.observe(&mut Projected::default()).unwrap();
            }
            replace_locks(&driver);
            let mut seen = Projected::default();
            driver.observe(&mut seen).unwrap();
            let base = driver.world().store().to_owned();
            let wanted = covered.expected(covered.longest(), at + 1, &base);
            if is_known {
                let difference = seen.first_difference(&wanted).unwrap();
                difference.split([':', '[']).next().unwrap().to_owned()
            } else {
                assert_ne!(seen.unknown_locks, wanted.unknown_locks);
                "unknown_locks".to_owned()
            }
        })
        .to_vec()
}

/// Every file in the lock directory is replaced by another one.
fn replace_locks(driver: &Driver) {
    let mut directories = vec![driver.world().locks().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                fs::remove_file(&path).unwrap();
                fs::write(&path, "").unwrap();
            }
        }
    }
}
