//! A lock directory without an inode to spare: whichever creation of an operation meets it, nothing is half done that a
//! repetition does not finish, and no snapshot is lost or left that nobody made.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::finished::contents;
use common::{Fixture, NEW, OLD, group, namespace, owner, snapshot};
use datastore::listing::snapshot_times;
use datastore::ops::backup::{self, Archive};
use datastore::ops::{delete_namespace, forget_snapshot, gc, move_group, prune, set_notes};
use datastore::ops::{set_owner, verify};
use datastore::paths::{BackupTime, Group, Snapshot};
use datastore::{LinuxSys, Sys};
use specs::Design;
use specs::design::Change;

const FILE: &str = "drive.img.fidx";
const LATEST: &str = "2026-07-16T06:33:20Z";

fn the_group() -> Group {
    group("a", "vm/100")
}

/// Two finished snapshots, and nothing in the lock directory.
fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    for (time, chunk) in [(OLD, 0), (NEW, 1)] {
        fixture.add_finished(&snapshot(&the_group(), time), &[(FILE, &[chunk])]);
    }
    fixture
}

fn snapshots(fixture: &Fixture, group: &Group) -> Vec<Snapshot> {
    let listing = LinuxSys.read_dir(&fixture.path(group)).unwrap_or_default();
    let times = snapshot_times(&listing).into_iter();
    times.map(|time| group.snapshot(time)).collect()
}

/// Runs an operation with room for more and more files, until it has all that it needs. After each failure the fixture is
/// looked at, and with enough room the operation must succeed.
fn with_too_few(
    run: impl Fn(&Fixture) -> Result<(), String>,
    look: impl Fn(&Fixture),
    repeat: impl Fn(&Fixture) -> Result<(), String>,
) {
    for room in 0.. {
        let fixture = fixture(Design::HARDENED);
        let locks = fixture.store.layout().locks().to_owned();
        *fixture.cx.sys.inodes.borrow_mut() = Some((locks, room));
        let result = run(&fixture);
        let left = fixture.cx.sys.inodes.take().unwrap().1;
        let Err(message) = result else {
            if left > 0 {
                // It had one more than it needed.
                return;
            }
            continue;
        };
        assert!(
            message.contains("tmp_") || message.contains("directory"),
            "{message}"
        );
        look(&fixture);
        repeat(&fixture).unwrap_or_else(|error| panic!("{room}: {error} after {message}"));
    }
}

fn back_up(fixture: &Fixture) -> Result<(), String> {
    let settings = backup::Settings {
        group: the_group(),
        owner: owner("root@pam"),
        time: BackupTime::parse(LATEST).unwrap(),
        archives: vec![Archive {
            name: FILE.to_owned(),
            chunks: vec![contents(0).to_vec(), contents(2).to_vec()],
        }],
        client_has_left: &|| false,
    };
    let result = backup::run(&fixture.cx, &fixture.store, &settings);
    result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn backup_that_finds_no_inode_leaves_no_snapshot_for_which_a_prune_gives_up_good_ones() {
    let look = |fixture: &Fixture| {
        let there = snapshots(fixture, &the_group());
        assert_eq!(there, [OLD, NEW].map(|time| snapshot(&the_group(), time)));
        // Nothing was sent either.
        assert!(!fixture.real_chunk(2).exists());
    };
    with_too_few(back_up, look, back_up);
}

/// What the mend is for.
#[test]
fn backup_that_makes_the_lock_of_its_manifest_last_leaves_a_snapshot_when_it_finds_no_inode() {
    let design = Design::HARDENED.without(Change::MakesLockOfManifestFirst);
    let leaves_one = |room| {
        let fixture = fixture(design);
        let locks = fixture.store.layout().locks().to_owned();
        *fixture.cx.sys.inodes.borrow_mut() = Some((locks, room));
        back_up(&fixture).is_err() && snapshots(&fixture, &the_group()).len() > 2
    };
    assert!((0..10).any(leaves_one));
}

#[test]
fn first_backup_of_a_group_that_finds_no_inode_leaves_nothing() {
    let back_up = |fixture: &Fixture| {
        let settings = backup::Settings {
            group: group("b", "vm/7"),
            owner: owner("root@pam"),
            time: BackupTime::parse(NEW).unwrap(),
            archives: Vec::new(),
            client_has_left: &|| false,
        };
        let result = backup::run(&fixture.cx, &fixture.store, &settings);
        result.map(drop).map_err(|error| error.to_string())
    };
    let look = |fixture: &Fixture| {
        let left = fixture.below("ns/b");
        assert!(left.iter().all(|name| name == "vm"), "{left:?}");
    };
    with_too_few(back_up, look, back_up);
}

#[test]
fn removal_that_finds_no_inode_has_removed_all_or_nothing() {
    let old = snapshot(&the_group(), OLD);
    let forget = |fixture: &Fixture| {
        let settings = forget_snapshot::Settings {
            snapshot: old.clone(),
        };
        let result = forget_snapshot::run(&fixture.cx, &fixture.store, &settings);
        result.map(drop).map_err(|error| error.to_string())
    };
    let look = |fixture: &Fixture| {
        assert_eq!(snapshots(fixture, &the_group()).len(), 2);
        fixture.manifest(&old);
    };
    with_too_few(forget, look, forget);
}

#[test]
fn prune_that_finds_no_inode_keeps_what_it_is_to_keep() {
    let prune = |fixture: &Fixture| {
        let settings = prune::Settings {
            group: the_group(),
            keep: prune::KeepOptions {
                last: Some(1),
                ..prune::KeepOptions::default()
            },
        };
        let result = prune::run(&fixture.cx, &fixture.store, &settings);
        result.map(drop).map_err(|error| error.to_string())
    };
    let look = |fixture: &Fixture| {
        fixture.manifest(&snapshot(&the_group(), NEW));
    };
    with_too_few(prune, look, prune);
}

#[test]
fn move_that_finds_no_inode_can_be_repeated() {
    let moves = |existing| {
        move |fixture: &Fixture| {
            let settings = move_group::Settings {
                existing,
                ..move_group::Settings::new(the_group(), namespace("b"))
            };
            let result = move_group::run(&fixture.cx, &fixture.store, &settings);
            result.map(drop).map_err(|error| error.to_string())
        }
    };
    let look = |fixture: &Fixture| {
        let both = [the_group(), group("b", "vm/100")];
        let there: Vec<_> = both.iter().flat_map(|g| snapshots(fixture, g)).collect();
        assert_eq!(there.len(), 2, "each is at one place");
        there
            .iter()
            .for_each(|snapshot| drop(fixture.manifest(snapshot)));
    };
    let first = moves(move_group::Existing::Refuse);
    with_too_few(first, look, moves(move_group::Existing::Merge));
}

#[test]
fn upkeep_that_finds_no_inode_can_be_repeated() {
    let new = snapshot(&the_group(), NEW);
    let notes = |fixture: &Fixture| {
        let settings = set_notes::Settings {
            snapshot: new.clone(),
            notes: "x".to_owned(),
        };
        let result = set_notes::run(&fixture.cx, &fixture.store, &settings);
        result.map_err(|error| error.to_string())
    };
    let no_notes = |fixture: &Fixture| assert_eq!(fixture.manifest(&new).notes(), None);
    with_too_few(notes, no_notes, notes);

    let change = |fixture: &Fixture| {
        let settings = set_owner::Settings {
            group: the_group(),
            owner: owner("b@pbs"),
        };
        let result = set_owner::run(&fixture.cx, &fixture.store, &settings);
        result.map_err(|error| error.to_string())
    };
    with_too_few(change, |_| {}, change);

    let verify = |fixture: &Fixture| {
        let settings = verify::Settings { group: the_group() };
        let result = verify::run(&fixture.cx, &fixture.store, &settings);
        result.map(drop).map_err(|error| error.to_string())
    };
    with_too_few(verify, |_| {}, verify);

    let collect = |fixture: &Fixture| {
        let result = gc::run(&fixture.cx, &fixture.store, &gc::Settings::default());
        result.map(drop).map_err(|error| error.to_string())
    };
    let all = |fixture: &Fixture| assert!(fixture.real_chunk(0).exists());
    with_too_few(collect, all, collect);

    let delete = |fixture: &Fixture| {
        let settings = delete_namespace::Settings {
            namespace: namespace("a"),
        };
        let result = delete_namespace::run(&fixture.cx, &fixture.store, &settings);
        result.map(drop).map_err(|error| error.to_string())
    };
    with_too_few(delete, |_| {}, delete);
}
