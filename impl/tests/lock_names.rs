//! Names of lock files: the published ones, those that do not work as published, and what can be created.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

use datastore::error::LockError;
use datastore::lock_file::LockGuard;
use datastore::lock_names::{self, NAME_MAX};
use datastore::paths::Layout;
use datastore::{BackupTime, Config, Datastore, Group, LinuxSys, Namespace, Prefixes, Snapshot};
use proptest::prelude::*;
use specs::Design;
use specs::lock_class::Mode;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const SYS: LinuxSys = LinuxSys;

struct Store {
    _directory: TempDir,
    store: Datastore<LinuxSys>,
}

type Lock<'a> = Result<LockGuard<'a, LinuxSys>, LockError>;

impl Store {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut config = Config::new(directory.path().join("base"), "store");
        config.locks = directory.path().join("locks");
        Self {
            store: Datastore::create(&SYS, config, Prefixes::Only(&[])).unwrap(),
            _directory: directory,
        }
    }

    fn hardened(&self, group: &Group) -> Lock<'_> {
        self.store.lock_group(&SYS, Design::HARDENED, group)
    }

    fn published(&self, group: &Group) -> Lock<'_> {
        self.store.lock_group(&SYS, Design::UPSTREAM, group)
    }

    fn lock_directory(&self) -> &Path {
        self.store.layout().locks()
    }
}

fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

fn group(namespace_name: &str, name: &str) -> Group {
    Group::parse(namespace(namespace_name), name).unwrap()
}

fn snapshot(group: &Group) -> Snapshot {
    group.snapshot(BackupTime::parse("2026-07-14T06:33:20Z").unwrap())
}

fn is_busy(lock: &Lock<'_>) -> bool {
    matches!(lock, Err(LockError::WouldBlock(_)))
}

fn is_in_the_way(lock: &Lock<'_>) -> bool {
    matches!(lock, Err(error) if error.is_in_the_way())
}

/// Namespaces, among them such as look like lock files.
fn any_namespace() -> impl Strategy<Value = Namespace> {
    let odd = [
        "move-journal",
        "hashed",
        "vm-1",
        "ct-a.b",
        "host-x-y",
        "vm-",
        "vm",
        "host",
        "ns",
        "locks",
    ];
    prop_oneof![
        Just(String::new()),
        prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
        "[ab]/[ab](/vm-1)?",
        "(ns|vm)/(a|vm-1)",
        "(vm|ct|host)-[a-b0-1._-]{1,4}",
        "[ab]{30,60}(/[ab]{30,62}){3}",
    ]
    .prop_filter_map("a namespace", |name| Namespace::new(&name).ok())
}

fn any_group() -> impl Strategy<Value = Group> {
    let id = prop_oneof![
        "[01ab._][01ab._-]{0,4}",
        "(vm|ct|host)-[01]",
        "[ab][ab-]{50,300}"
    ];
    let any = (any_namespace(), "(vm|ct|host)", id);
    // Few names, so that whatever could collide is there often.
    let few = prop::sample::select(vec!["", "vm", "ns", "host", "vm-1", "host-vm-1", "hashed"]);
    let few = few.prop_map(namespace);
    let few = (few, "(vm|host)", "(1|vm-1|host-1)");
    prop_oneof![any, few].prop_filter_map("a group", |(ns, kind, id)| {
        Group::parse(ns, &format!("{kind}/{id}")).ok()
    })
}

/// Every path at which a group, what is in it, or a namespace above it may be locked: the published file, the own one, the
/// one instead, and that of a process that locks directories.
fn paths(layout: &Layout, group: &Group) -> Vec<(String, PathBuf)> {
    let (locks, snapshot, namespace) = (layout.locks(), snapshot(group), group.namespace());
    let mut all = Vec::new();
    for raw in [group.name(), snapshot.name(), snapshot.manifest_lock_name()] {
        let what = format!("{namespace} {raw}");
        match lock_names::own_lock_file(locks, namespace, &raw) {
            Some(own) => all.push((what, own)),
            None => {
                let published = lock_names::lock_file(locks, namespace, &raw);
                all.push((what.clone(), published));
                if *namespace == Namespace::ROOT {
                    all.push((what, lock_names::lock_file_instead(locks, &raw)));
                }
            }
        }
    }
    for namespace in [namespace.clone()].into_iter().chain(namespace.above()) {
        let own = lock_names::own_namespace_lock_file(locks, &namespace);
        let path = own.unwrap_or_else(|| layout.namespace_lock(&namespace));
        all.push((format!("namespace {namespace}"), path));
    }
    // The directory of a group whose id is longer cannot be created either.
    if group.id().len() <= NAME_MAX {
        let path = layout.old_manifest_lock(&snapshot);
        all.push((
            format!("manifest of {snapshot} by a process that locks directories"),
            path,
        ));
    }
    all
}

/// Paths of locks that belong to no group.
fn other_paths(layout: &Layout) -> Vec<(String, PathBuf)> {
    let chunk = "5ca1".repeat(16);
    let chunks = layout.locks().join(".chunks").join("5ca1");
    vec![
        ("journal".to_owned(), layout.journal()),
        ("chunk".to_owned(), chunks.join(chunk)),
    ]
}

proptest! {
    #[test]
    fn no_lock_file_has_the_path_of_another_one_or_of_a_directory(
        groups in prop::collection::btree_set(any_group(), 1..40),
    ) {
        let layout = Layout::new(Path::new("/srv/store"), Path::new("/locks"), "store").unwrap();
        let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
        let of_groups = groups.iter().map(|group| paths(&layout, group));
        for paths in of_groups.chain([other_paths(&layout)]) {
            for (what, path) in paths {
                for part in path.components() {
                    let Component::Normal(name) = part else { continue };
                    prop_assert!(name.len() <= NAME_MAX, "{:?}", path);
                }
                if let Some(other) = files.insert(path.clone(), what.clone()) {
                    prop_assert_eq!(other, what, "{:?}", path);
                }
            }
        }
        for path in files.keys() {
            for above in path.ancestors().skip(1) {
                prop_assert!(!files.contains_key(above), "{:?} lies below a lock file", path);
            }
        }
    }

    #[test]
    fn an_ordinary_name_has_the_published_file_and_no_other(ns in "(a|b|vm/x|a-b)(/[ab.]{1,9}){0,3}", id in "[ab0-]{1,300}") {
        let (Ok(ns), name) = (Namespace::new(&ns), format!("vm/{id}")) else { return Ok(()) };
        prop_assert_eq!(lock_names::own_lock_file(Path::new("/l"), &ns, &name), None);
    }
}

#[test]
fn names_of_every_length_can_be_locked_and_exclude_each_other() {
    let store = Store::new();
    for len in [1, 60, 61, 62, 63, 64, 100].into_iter().chain(180..270) {
        for letter in ["x", "-"] {
            let group = group("", &format!("vm/a{}", letter.repeat(len)));
            let held = store.hardened(&group).unwrap();
            assert!(held.path().file_name().unwrap().len() <= NAME_MAX);
            assert!(is_busy(&store.hardened(&group)));
            let manifest = store
                .store
                .lock_manifest(&SYS, Design::HARDENED, &snapshot(&group));
            manifest.unwrap().unlink().unwrap();
            held.unlink().unwrap();
        }
    }
}

#[test]
fn ours_and_the_published_locks_exclude_each_other() {
    for group in [
        group("", "vm/100"),
        group("a/b", "ct/1"),
        group("vm-100", "vm/1"),
        group("host-x", "host/x"),
        group("vm", "vm/1"),
    ] {
        let store = Store::new();
        let ours = store.hardened(&group).unwrap();
        assert!(is_busy(&store.published(&group)), "{group}");
        drop(ours);
        let theirs = store.published(&group).unwrap();
        assert!(is_busy(&store.hardened(&group)), "{group}");
        drop(theirs);
        drop(store.hardened(&group).unwrap());
    }
}

#[test]
fn a_namespace_with_the_name_of_a_lock_file_is_locked_beside_it_where_the_published_one_is_kept_out()
 {
    let (root, inner) = (group("", "vm/100"), group("vm-100", "vm/1"));
    for first_is_root in [true, false] {
        let (first, second) = if first_is_root {
            (&root, &inner)
        } else {
            (&inner, &root)
        };
        let published = Store::new();
        let held = published.published(first).unwrap();
        assert!(is_in_the_way(&published.published(second)), "{second}");
        drop(held);

        let store = Store::new();
        let held = [
            store.hardened(first).unwrap(),
            store.hardened(second).unwrap(),
        ];
        for group in [first, second] {
            assert!(is_busy(&store.hardened(group)), "{group}");
        }
        // What was locked first keeps its name; whoever was kept out has another one, and goes on with it.
        let [first_held, second_held] = held;
        drop(second_held);
        let again = store.hardened(second).unwrap();
        assert!(is_busy(&store.hardened(second)));
        drop((first_held, again));
    }
}

#[test]
fn a_group_whose_file_becomes_a_directory_is_locked_by_one_at_a_time() {
    let (root, inner) = (group("", "vm/100"), group("vm-100", "vm/1"));
    let store = Store::new();
    let held = store.hardened(&root).unwrap();
    held.unlink().unwrap();
    drop(store.hardened(&inner).unwrap());
    assert!(store.lock_directory().join("vm-100").is_dir());
    drop(held);
    let held = store.hardened(&root).unwrap();
    assert!(
        held.path()
            .starts_with(store.lock_directory().join(".groups"))
    );
    assert!(is_busy(&store.hardened(&root)));
    held.unlink().unwrap();
    drop(held);
    drop(store.hardened(&root).unwrap());
}

#[test]
fn a_namespace_named_like_the_journal_keeps_nobody_from_it() {
    let inner = group("move-journal", "vm/1");
    let published = Store::new();
    drop(published.published(&inner).unwrap());
    let journal = |store: &Store, design| store.store.lock_journal(&SYS, design).map(drop);
    let kept_out = journal(&published, Design::UPSTREAM);
    assert!(matches!(kept_out, Err(error) if error.is_in_the_way()));

    let store = Store::new();
    drop(store.hardened(&inner).unwrap());
    journal(&store, Design::HARDENED).unwrap();
    let held = store.hardened(&inner).unwrap();
    assert!(is_busy(&store.hardened(&inner)));
    drop(held);
}

#[test]
fn a_namespace_of_256_bytes_can_be_locked() {
    let name = [
        ["a"; 63].concat(),
        ["b"; 64].concat(),
        ["c"; 64].concat(),
        ["d"; 62].concat(),
    ]
    .join("/");
    assert_eq!(name.len(), 256);
    let inner = group(&name, "vm/1");
    let store = Store::new();
    assert!(is_in_the_way(&store.published(&inner)));
    let held = store.hardened(&inner).unwrap();
    assert!(is_busy(&store.hardened(&inner)));
    held.unlink().unwrap();
    drop(held);
    drop(store.hardened(&inner).unwrap());
}

#[test]
fn lock_of_a_namespace_is_taken_beside_the_file_that_keeps_the_proposed_one_out() {
    let long = [
        "a".repeat(63),
        "b".repeat(64),
        "c".repeat(64),
        "d".repeat(62),
    ]
    .join("/");
    for name in ["vm-100", "move-journal", &long] {
        let store = Store::new();
        let lock = |design, mode| {
            let namespace = namespace(name);
            store.store.lock_namespace(&SYS, design, &namespace, mode)
        };
        let proposed = || lock(Design::NAMESPACE_LOCKS, Mode::Exclusive);
        let hardened = |mode| lock(Design::HARDENED, mode);
        let root = store.hardened(&group("", "vm/100")).unwrap();
        let journal = store.store.lock_journal(&SYS, Design::HARDENED);
        assert!(is_in_the_way(&proposed()), "{name}");
        let shared = [Mode::Shared, Mode::Shared].map(|mode| hardened(mode).unwrap());
        assert!(is_busy(&hardened(Mode::Exclusive)), "{name}");
        drop(shared);
        let exclusive = hardened(Mode::Exclusive).unwrap();
        assert!(is_busy(&hardened(Mode::Shared)), "{name}");
        drop((exclusive, root, journal));
    }
}

#[test]
fn lock_of_a_namespace_excludes_the_proposed_one_wherever_that_can_be() {
    for name in ["a/b", "vm-100", "ns"] {
        let store = Store::new();
        let lock = |design| {
            let namespace = namespace(name);
            store
                .store
                .lock_namespace(&SYS, design, &namespace, Mode::Exclusive)
        };
        let ours = lock(Design::HARDENED).unwrap();
        assert!(is_busy(&lock(Design::NAMESPACE_LOCKS)), "{name}");
        drop(ours);
        let theirs = lock(Design::NAMESPACE_LOCKS).unwrap();
        assert!(is_busy(&lock(Design::HARDENED)), "{name}");
        drop(theirs);
    }
}

#[test]
fn a_namespace_named_like_a_type_is_locked_beside_what_processes_that_lock_directories_have_left() {
    for (left, inner) in [
        (group("", "vm/vm-100"), group("vm", "vm/100")),
        (group("vm-100", "vm/1"), group("ns", "vm/100")),
    ] {
        let store = Store::new();
        let old = store.store.layout().old_manifest_lock(&snapshot(&left));
        std::fs::create_dir_all(old.parent().unwrap()).unwrap();
        assert!(is_in_the_way(&store.published(&inner)), "{inner}");
        let held = store.hardened(&inner).unwrap();
        assert!(is_busy(&store.hardened(&inner)), "{inner}");
        drop(held);
    }
}

#[test]
fn a_lock_file_is_never_seen_without_its_mode_nor_left_behind_under_another_name() {
    let store = Store::new();
    let groups: Vec<Group> = (0..4).map(|n| group("a", &format!("vm/{n}"))).collect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let watcher = threads.spawn(|| {
            let mut seen = 0_u32;
            while !is_over.load(Ordering::SeqCst) || seen == 0 {
                for group in &groups {
                    // Not there, or there as it is meant to be.
                    if let Ok(found) = std::fs::metadata(store.store.layout().group_lock(group)) {
                        assert_eq!(found.permissions().mode() & 0o7777, 0o660);
                        seen += 1;
                    }
                }
            }
            seen
        });
        let takers: Vec<_> = (0..3)
            .map(|_| {
                threads.spawn(|| {
                    for n in 0..600 {
                        if let Ok(lock) = store.hardened(&groups[n % groups.len()]) {
                            lock.unlink().unwrap();
                        }
                    }
                })
            })
            .collect();
        for taker in takers {
            taker.join().unwrap();
        }
        drop(store.hardened(&groups[0]).unwrap());
        is_over.store(true, Ordering::SeqCst);
        assert!(watcher.join().unwrap() > 0);
    });
    let left: Vec<_> = std::fs::read_dir(store.lock_directory().join("a"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["vm-0"]);
}
