//! Backing up on real files: what is written, what is reused, who is refused, what a failure leaves.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

#[path = "backup/refused.rs"]
mod refused;

mod common;

use common::{Fixture, NEW, OLD, TestSys, group, owner, snapshot, tree};
use datastore::blob;
use datastore::chunk_store::Content;
use datastore::index::{self, Digest};
use datastore::manifest::{self, Manifest, Verdict, VerifyState};
use datastore::ops::backup::{self, Archive, BackupError, Reason, Report, Settings};
use datastore::ops::{forget_snapshot, gc};
use datastore::paths::BackupTime;
use datastore::{Cx, Group, LinuxSys, Snapshot, Sys, chunk_store};
use specs::design::Change;
use specs::lock_class::Mode;
use specs::{Design, scenario};
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const LATEST: &str = "2026-07-16T06:33:20Z";
const DRIVE: &str = "drive-scsi0.img.fidx";

fn the_group() -> Group {
    group("a", "vm/100")
}

fn at(time: &str) -> Snapshot {
    snapshot(&the_group(), time)
}

/// Contents whose digest lies in the one prefix directory of the fixture.
fn chunk(n: u8) -> Vec<u8> {
    specs::Scenario::contents(specs::id::Chunk(n)).into()
}

fn archive(name: &str, chunks: &[u8]) -> Archive {
    Archive {
        name: name.to_owned(),
        chunks: chunks.iter().map(|n| chunk(*n)).collect(),
    }
}

fn fixture(design: Design) -> Fixture {
    assert!(scenario::PREFIX.ends_with("5ca1"));
    let fixture = Fixture::new(design);
    fixture.cx.sys.hold_against_tables(design);
    fixture
}

/// Backs up at a time; the client leaves before it sends that chunk, counted from 0.
fn back_up_until(
    fixture: &Fixture,
    time: &str,
    archives: &[Archive],
    leaves: Option<u32>,
) -> Result<Report, BackupError> {
    let sent = Cell::new(0);
    let client_has_left = || Some(sent.replace(sent.get() + 1)) == leaves;
    let settings = Settings {
        group: the_group(),
        owner: owner("root@pam"),
        time: BackupTime::parse(time).unwrap(),
        archives: archives.to_vec(),
        client_has_left: &client_has_left,
    };
    backup::run(&fixture.cx, &fixture.store, &settings)
}

fn back_up(fixture: &Fixture, time: &str, archives: &[Archive]) -> Result<Report, BackupError> {
    back_up_until(fixture, time, archives, None)
}

/// The steps, without the names of the operations. `G` is the group, `O`, `N` and `L` are the
/// snapshots; chunks are `0` to `3`.
fn steps(fixture: &Fixture) -> String {
    let mut steps = fixture.cx.sys.steps().join("\n").replace("backup.", "");
    for (name, time) in [("O", OLD), ("N", NEW), ("L", LATEST)] {
        steps = steps.replace(&at(time).to_string(), name);
    }
    for n in 0..4 {
        let digest = Digest::of(&chunk(n)).to_string();
        steps = steps.replace(&format!(".chunks/5ca1/{digest}"), &n.to_string());
    }
    steps.replace("ns/a/vm/100", "G").replace(DRIVE, "drive")
}

fn read_manifest(fixture: &Fixture, snapshot: &Snapshot) -> Manifest {
    manifest::read(&LinuxSys, &fixture.store.layout().manifest(snapshot)).unwrap()
}

fn failed(result: Result<Report, BackupError>) -> Reason {
    let error = result.unwrap_err();
    let message = error.to_string();
    let BackupError::Failed { source, .. } = error else {
        panic!("{message}");
    };
    *source
}

const BEGIN: &str = "lock_group(G)
check_namespace(ns/a)
create_group(G)
write_owner(G)
read_owner(G)
list_group(G)
lock_snapshot(O)
create_snapshot(O)
lock_store";

const END: &str = "write_manifest(O)
unlock_store
lock_manifest(O)
load_manifest(O)
update_manifest(O)
unlock_manifest(O)
unlock_snapshot(O)
unlock_group(G)";

#[test]
fn first_backup_takes_the_steps_of_the_page() {
    let created_first = BEGIN
        .replace(
            "lock_group(G)\ncheck_namespace(ns/a)\ncreate_group(G)",
            "check_namespace(ns/a)\ncreate_group(G)\nlock_group(G)",
        )
        .replace(
            "lock_snapshot(O)\ncreate_snapshot(O)",
            "create_snapshot(O)\nlock_snapshot(O)",
        );
    for (design, begin) in [
        (Design::HARDENED, BEGIN),
        (Design::UPSTREAM, &created_first),
    ] {
        let fixture = fixture(design);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0, 1, 0])]).unwrap();
        let middle = "create_index(O/drive)
insert_chunk(0)
insert_chunk(1)
close_index(O/drive)";
        assert_eq!(steps(&fixture), [begin, middle, END].join("\n"));
        let locks = tree(fixture.store.layout().locks());
        assert!(!locks.iter().any(|file| file.contains("tmp_")), "{locks:?}");
    }
}

#[test]
fn second_backup_relies_on_the_first_and_touches_nothing_of_it() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
        steps(&fixture);
        let digest = Digest::of(&chunk(0));
        let path = fixture.store.chunks().path(digest);
        LinuxSys.utimensat(&path, 1_000_000_000).unwrap();
        let archives = [archive("b.didx", &[2, 0, 2]), archive(DRIVE, &[0, 1])];
        let report = back_up(&fixture, NEW, &archives).unwrap();
        assert_eq!(report.previous, Some(at(OLD)));
        assert_eq!((report.reused_chunks, report.upload.count), (3, 2));
        assert_eq!(
            LinuxSys.stat(&path).unwrap().atime_ns,
            1_000_000_000,
            "a chunk that is reused is not touched"
        );
        let log = steps(&fixture);
        let looks_again = if design == Design::HARDENED {
            "recheck_previous(O)\nlock_snapshot(N)\ncreate_snapshot(N)"
        } else {
            "create_snapshot(N)\nlock_snapshot(N)"
        };
        let lists = match design {
            Design::HARDENED => "",
            _ => "list_snapshot(O)\n",
        };
        let expected = format!(
            "read_owner(G)
list_group(G)
{lists}read_previous_manifest(O)
lock_previous(O)
{looks_again}
lock_store
open_previous(O/drive)
create_index(N/b.didx)
insert_chunk(2)
close_index(N/b.didx)
create_index(N/drive)
insert_chunk(1)
close_index(N/drive)
write_manifest(N)
check_previous(O)
unlock_previous(O)
unlock_store
lock_manifest(N)"
        );
        assert!(log.contains(&expected), "{log}");
        assert!(log.contains("create_group(G) = Exists"));
    }
}

#[test]
fn snapshot_that_vanishes_while_it_is_listed_costs_a_published_backup_its_previous_one() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        for time in [OLD, NEW] {
            back_up(&fixture, time, &[archive(DRIVE, &[0])]).unwrap();
        }
        steps(&fixture);
        let path = fixture.path(at(NEW));
        let label = match design {
            Design::HARDENED => "read_previous_manifest",
            _ => "list_snapshot",
        };
        let remove = move || fs::remove_dir_all(path).unwrap();
        fixture
            .cx
            .sys
            .at(format!("backup.{label}({})", at(NEW)), remove);
        let report = back_up(&fixture, LATEST, &[archive(DRIVE, &[0])]).unwrap();
        let expected = (design == Design::HARDENED).then(|| at(OLD));
        assert_eq!(report.previous, expected);
    }
}

#[test]
fn previous_manifest_that_vanishes_after_the_listing_fails_a_published_backup() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
        steps(&fixture);
        let path = fixture.store.layout().manifest(&at(OLD));
        let label = format!("backup.read_previous_manifest({})", at(OLD));
        let remove = move || fs::remove_file(path).unwrap();
        fixture.cx.sys.at(label, remove);
        let result = back_up(&fixture, NEW, &[archive(DRIVE, &[0])]);
        assert_eq!(result.is_ok(), design == Design::HARDENED, "{result:?}");
    }
}

#[test]
fn what_a_backup_writes_reads_back_and_verifies() {
    let fixture = fixture(Design::HARDENED);
    let archives = [
        archive(DRIVE, &[0, 1, 2]),
        archive("root.pxar.didx", &[3, 3, 0]),
    ];
    let report = back_up(&fixture, OLD, &archives).unwrap();
    let manifest = read_manifest(&fixture, &at(OLD));
    assert!(manifest.belongs_to(&at(OLD)));
    for (file, archive) in manifest.files().iter().zip(&archives) {
        assert_eq!(file.filename, archive.name);
        let path = fixture.path(at(OLD)).join(&archive.name);
        let index = index::read(&LinuxSys, &path).unwrap();
        assert_eq!((file.size, file.csum), (index.size(), csum(&path)));
        let mut contents = Vec::new();
        for digest in index.digests() {
            let path = fixture.store.chunks().path(digest);
            let blob = fs::read(&path).unwrap();
            match chunk_store::check(digest, &blob).unwrap() {
                Content::Data(data) => contents.push(data),
                Content::Encrypted => panic!("nothing is encrypted"),
            }
        }
        assert_eq!(contents, archive.chunks);
    }
    let sizes: usize = (0..4).map(|n| chunk(n).len()).sum();
    let stats = serde_json::json!({
        "count": 4, "size": sizes, "compressed_size": sizes + 4 * blob::HEADER, "duplicates": 0,
    });
    assert_eq!(manifest.chunk_upload_stats(), Some(&stats));
    assert_eq!(serde_json::json!(report.upload), stats);
    let owner = fs::read_to_string(fixture.path(the_group()).join("owner")).unwrap();
    assert_eq!(owner, "root@pam\n");

    let status = gc::run(&fixture.cx, &fixture.store, &gc::Settings::default()).unwrap();
    assert_eq!((status.marked_chunks, status.missing_chunks), (4, 0));
}

fn csum(path: &PathBuf) -> Digest {
    Digest::of(&fs::read(path).unwrap()[index::HEADER..])
}

#[test]
fn chunk_that_is_there_is_touched_and_counted_as_duplicate() {
    let fixture = fixture(Design::HARDENED);
    let path = fixture.store.chunks().path(Digest::of(&chunk(1)));
    fs::write(&path, blob::encode_plain(&chunk(1)).unwrap()).unwrap();
    LinuxSys.utimensat(&path, 1_000_000_000).unwrap();
    let report = back_up(&fixture, OLD, &[archive(DRIVE, &[1])]).unwrap();
    assert_eq!((report.upload.count, report.upload.duplicates), (1, 1));
    assert!(steps(&fixture).contains("insert_chunk(1) = Exists"));
    assert!(LinuxSys.stat(&path).unwrap().atime_ns > 1_000_000_000);
}

#[test]
fn second_backup_of_a_group_is_refused_while_one_runs() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        // Whether the group is there already, or not yet.
        for is_new in [true, false] {
            let path = fixture.store.layout().group_lock(&the_group());
            let held = fixture.hold(path, Mode::Exclusive);
            let error = back_up(&fixture, NEW, &[]).unwrap_err();
            assert!(error.is_busy(), "{error}");
            let expected = match (design == Design::UPSTREAM, is_new) {
                (false, _) => "lock_group(G) = WouldBlock\nrelease_all",
                (true, true) => {
                    "check_namespace(ns/a)\ncreate_group(G)\nlock_group(G) = WouldBlock\nremove_new_group(G)\nrelease_all"
                }
                (true, false) => {
                    "check_namespace(ns/a)\ncreate_group(G) = Exists\nlock_group(G) = WouldBlock\nrelease_all"
                }
            };
            assert_eq!(steps(&fixture), expected);
            assert_eq!(fixture.path(the_group()).exists(), !is_new);
            drop(held);
            if is_new {
                back_up(&fixture, OLD, &[]).unwrap();
                steps(&fixture);
            }
        }
    }
}

/// A backup that fails in its middle, beside a snapshot that is there or not: everything is as it
/// was before, except for what the published design leaves.
#[test]
fn backup_whose_client_leaves_is_removed() {
    let removal = "forget_snapshot.lock_manifest(N)
forget_snapshot.list_snapshot(N)
forget_snapshot.unlink_manifest(N) = NotFound
forget_snapshot.unlink_file(N/b.didx)
forget_snapshot.unlink_file(N/drive-scsi0.img.tmp_fidx)
forget_snapshot.remove_snapshot(N)
forget_snapshot.unlink_manifest_lock(N)
forget_snapshot.unlink_snapshot_lock(N)";
    let empty = "forget_snapshot.list_group(G)
forget_snapshot.unlink_owner(G)
forget_snapshot.remove_group(G)
forget_snapshot.unlink_group_lock(G)";
    for (design, has_previous, rest) in [
        (Design::HARDENED, false, empty),
        (
            Design::HARDENED,
            true,
            "forget_snapshot.list_group(G) = NotEmpty",
        ),
        (
            Design::UPSTREAM,
            false,
            "forget_snapshot.lock_group(G) = WouldBlock",
        ),
    ] {
        let fixture = fixture(design);
        if has_previous {
            back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
            steps(&fixture);
        }
        let before = fixture.below("ns/a/vm");
        let archives = [archive("b.didx", &[1]), archive(DRIVE, &[0, 2])];
        let leaves = if has_previous { 1 } else { 2 };
        let error = back_up_until(&fixture, NEW, &archives, Some(leaves)).unwrap_err();
        assert!(matches!(error, BackupError::ClientLeft(_)), "{error}");
        let log = steps(&fixture);
        let mut expected = format!("insert_chunk(2) = Stopped\n{removal}\n{rest}\nrelease_all");
        if design == Design::UPSTREAM {
            expected = expected.replace("forget_snapshot.lock_manifest(N)\n", "");
            expected = expected.replace("forget_snapshot.unlink_manifest(N) = NotFound\n", "");
            expected = expected.replace("manifest_lock(N)\n", "manifest_lock(N) = NotFound\n");
        }
        assert!(log.ends_with(&expected), "{log}");
        if design == Design::HARDENED {
            assert_eq!(fixture.below("ns/a/vm"), before);
        } else {
            assert_eq!(fixture.below("ns/a/vm"), ["100", "100/owner"]);
        }
        back_up(&fixture, LATEST, &archives).expect("everything was released");
    }
}

#[test]
fn backup_is_refused_while_another_process_collects_garbage() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        fixture.cx.sys.is_record_lock_busy.set(true);
        let error = back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap_err();
        assert!(matches!(error, BackupError::StoreInUse) && error.is_busy());
        let left = fixture.below("ns/a");
        if design == Design::UPSTREAM {
            let directory = format!("vm/100/{OLD}");
            assert_eq!(left, ["vm", "vm/100", &directory, "vm/100/owner"]);
            assert!(steps(&fixture).ends_with("lock_store = WouldBlock\nrelease_all"));
        } else {
            assert_eq!(left, ["vm"]);
        }
        fixture.cx.sys.is_record_lock_busy.set(false);
        let again = back_up(&fixture, NEW, &[archive(DRIVE, &[0])]);
        again.expect("everything was released");
    }
}

#[test]
fn whatever_is_in_the_way_ends_the_session_and_leaves_the_group_as_it_was() {
    let held = |fixture: &Fixture, what: &str| {
        let layout = fixture.store.layout();
        match what {
            "lock_previous(O)" => fixture.hold(layout.snapshot_lock(&at(OLD)), Mode::Exclusive),
            _ => fixture.hold(layout.snapshot_lock(&at(NEW)), Mode::Shared),
        }
    };
    for (last, outcome) in [
        ("lock_previous(O)", "WouldBlock"),
        ("lock_snapshot(N)", "WouldBlock"),
    ] {
        let fixture = fixture(Design::HARDENED);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
        steps(&fixture);
        let before = fixture.below("ns/a/vm");
        let lock = held(&fixture, last);
        let error = back_up(&fixture, NEW, &[archive(DRIVE, &[0, 1])]).unwrap_err();
        assert!(error.is_busy(), "{error}");
        let log = steps(&fixture);
        assert!(
            log.contains(&format!("{last} = {outcome}\nforget_snapshot.")),
            "{log}"
        );
        assert!(log.ends_with("list_group(G) = NotEmpty\nrelease_all"));
        assert_eq!(fixture.below("ns/a/vm"), before);
        drop(lock);
        back_up(&fixture, LATEST, &[]).expect("everything was released");
    }
}

#[test]
fn snapshot_that_is_there_is_not_overwritten() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
        let before = fixture.below("ns");
        // The lock of the previous snapshot would be in its way.
        fs::remove_file(fixture.store.layout().manifest(&at(OLD))).unwrap();
        let result = back_up(&fixture, OLD, &[archive(DRIVE, &[1])]);
        assert!(matches!(failed(result), Reason::Exists));
        assert!(steps(&fixture).contains("create_snapshot(O) = Exists\n"));
        assert_eq!(fixture.below("ns").len(), before.len() - 1);
    }
}

#[test]
fn previous_snapshot_that_vanishes_is_noticed_before_it_is_used_or_at_the_end() {
    for (design, label, is_ok) in [
        (Design::HARDENED, "lock_previous", true),
        (Design::UPSTREAM, "lock_previous", false),
        (Design::HARDENED, "check_previous", false),
        (
            Design::HARDENED.with(Change::PreviousNotChecked),
            "unlock_previous",
            true,
        ),
    ] {
        let fixture = fixture(design);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
        steps(&fixture);
        let gone = fixture.path(at(OLD));
        let hook = move || fs::remove_dir_all(gone).unwrap();
        fixture
            .cx
            .sys
            .at(format!("backup.{label}({})", at(OLD)), hook);
        let result = back_up(&fixture, NEW, &[archive(DRIVE, &[0])]);
        let log = steps(&fixture);
        if label == "lock_previous" && is_ok {
            let dropped = "recheck_previous(O) = NotFound\ndrop_previous(O)\nlock_snapshot(N)";
            assert!(log.contains(dropped), "{log}");
            assert!(log.contains("insert_chunk(0)"), "nothing is reused: {log}");
            assert_eq!(result.unwrap().previous, None);
        } else if is_ok {
            assert!(!log.contains("\ncheck_previous"), "{log}");
            result.unwrap();
        } else {
            assert!(matches!(failed(result), Reason::PreviousGone(_)));
            assert!(
                log.contains("check_previous(O) = NotFound\nforget_snapshot"),
                "{log}"
            );
            assert!(!fixture.path(at(NEW)).exists());
        }
    }
}

#[test]
fn only_a_finished_snapshot_that_did_not_fail_its_verification_is_the_previous_one() {
    let fixture = fixture(Design::HARDENED);
    back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
    fixture.add(&at(NEW), &[]);
    steps(&fixture);
    let report = back_up(&fixture, LATEST, &[archive(DRIVE, &[0])]).unwrap();
    assert_eq!(report.previous, Some(at(OLD)));
    assert!(steps(&fixture).contains(
        "read_previous_manifest(N) = NotFound\nread_previous_manifest(O)\nlock_previous(O)"
    ));

    let settings = |snapshot| forget_snapshot::Settings { snapshot };
    forget_snapshot::run(&fixture.cx, &fixture.store, &settings(at(LATEST))).unwrap();
    let mut manifest = read_manifest(&fixture, &at(OLD));
    let upid = "UPID:test".to_owned();
    let state = Verdict::Failed;
    manifest.set_verify_state(&VerifyState { upid, state });
    let path = fixture.store.layout().manifest(&at(OLD));
    let files = fixture.store.files();
    manifest.write(&LinuxSys, &path, files).unwrap();
    let report = back_up(&fixture, LATEST, &[archive(DRIVE, &[0])]).unwrap();
    assert_eq!((report.previous, report.upload.count), (None, 1));
}

#[test]
fn designs_of_the_history_take_and_release_where_their_sentence_says() {
    let order = |design: Design, archives: &[Archive]| {
        let fixture = fixture(design);
        back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
        steps(&fixture);
        back_up(&fixture, NEW, archives).unwrap();
        let log = steps(&fixture);
        let (from, to) = (
            log.find("create_snapshot").unwrap(),
            log.find("lock_manifest").unwrap(),
        );
        log[from..to]
            .replace('\n', " ")
            .trim_end()
            .replace("(N/drive)", "")
            .replace("(N/b.didx)", "")
    };
    let two = [archive("b.didx", &[0, 1]), archive(DRIVE, &[2, 3])];
    let end = "write_manifest(N) check_previous(O) unlock_previous(O) unlock_store";
    assert_eq!(
        order(
            Design::HARDENED.with(Change::StoreLockAfterFirstChunk),
            &two
        ),
        format!(
            "create_snapshot(N) open_previous(O/drive) create_index insert_chunk(1) lock_store close_index \
             create_index insert_chunk(2) insert_chunk(3) close_index {end}"
        )
    );
    assert_eq!(
        order(
            Design::HARDENED.with(Change::StoreLockAfterFirstChunk),
            &[archive(DRIVE, &[0])]
        ),
        format!(
            "create_snapshot(N) open_previous(O/drive) create_index close_index lock_store {end}"
        )
    );
    assert_eq!(
        order(Design::HARDENED.with(Change::StoreLockPerIndex), &two),
        "create_snapshot(N) open_previous(O/drive) \
         lock_store create_index insert_chunk(1) close_index unlock_store \
         lock_store create_index insert_chunk(2) insert_chunk(3) close_index unlock_store \
         write_manifest(N) check_previous(O) unlock_previous(O)"
    );
    assert_eq!(
        order(Design::HARDENED.with(Change::PreviousUnlockedEarly), &two),
        "create_snapshot(N) lock_store open_previous(O/drive) create_index insert_chunk(1) close_index \
         create_index insert_chunk(2) insert_chunk(3) check_previous(O) unlock_previous(O) close_index \
         write_manifest(N) unlock_store"
    );
    // It opens and closes the file of the process lock in the steps that all designs have.
    assert_eq!(
        order(Design::HARDENED.with(Change::TwoProcessLocks), &two),
        order(Design::HARDENED, &two)
    );
}
