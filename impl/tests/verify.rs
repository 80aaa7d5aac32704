//! Verifying a group on real files: its steps, what it writes, what it sets aside, what it skips.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::finished::{contents, insert_sound, real_digest};
use common::{Fixture, NEW, OLD, group, snapshot, tree};
use datastore::chunk_store::ChunkPath;
use datastore::index::Index;
use datastore::lock_file::{self, LockGuard};
use datastore::manifest::Verdict;
use datastore::ops::set_notes;
use datastore::ops::verify::{self, ChunkProblem, Problem, Report, Settings, VerifyError};
use datastore::{LinuxSys, Snapshot, Sys};
use specs::Design;
use specs::lock_class::{Mode, Wait};
use std::fs;
use std::path::PathBuf;

const BOTH: [Design; 2] = [Design::HARDENED, Design::UPSTREAM];
const FILE: &str = "drive.img.fidx";

fn old() -> Snapshot {
    snapshot(&group("a", "vm/100"), OLD)
}

fn new() -> Snapshot {
    snapshot(&group("a", "vm/100"), NEW)
}

/// One snapshot of the first two chunks.
fn one(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    fixture.add_finished(&old(), &[(FILE, &[0, 1])]);
    fixture
}

fn verify(fixture: &Fixture) -> Result<Report, VerifyError> {
    let settings = Settings {
        group: group("a", "vm/100"),
    };
    verify::run(&fixture.cx, &fixture.store, &settings)
}

/// The report of a job that went over all snapshots and found some bad.
fn failed(fixture: &Fixture) -> Report {
    match verify(fixture) {
        Err(VerifyError::Failed(report)) => *report,
        other => panic!("{other:?}"),
    }
}

fn state(fixture: &Fixture, snapshot: &Snapshot) -> Option<Verdict> {
    fixture
        .manifest(snapshot)
        .verify_state()
        .map(|state| state.state)
}

fn steps(fixture: &Fixture) -> String {
    let group = "ns/a/vm/100";
    let names = [(old().to_string(), "old"), (new().to_string(), "new")];
    fixture.short_steps(
        "verify",
        &[
            (names[0].0.as_str(), names[0].1),
            (names[1].0.as_str(), names[1].1),
            (group, "group"),
        ],
    )
}

fn hold(fixture: &Fixture, path: PathBuf, mode: Mode) -> LockGuard<'static, LinuxSys> {
    lock_file::lock(&LinuxSys, path, fixture.store.lock_files(), mode, Wait::No).unwrap()
}

#[test]
fn steps_are_those_of_the_table_in_its_order_and_each_chunk_is_read_once() {
    for design in BOTH {
        let fixture = Fixture::new(design);
        fixture.add_finished(&old(), &[("b.didx.fidx", &[0]), ("a.img.fidx", &[2, 1, 2])]);
        fixture.add_finished(&new(), &[(FILE, &[1, 0, 1])]);
        let before = tree(&fixture.path("."));
        let report = verify(&fixture).unwrap();
        assert_eq!((report.verified, report.chunks), (2, 3));
        let recheck = |name| {
            if design == Design::HARDENED {
                format!("recheck_snapshot({name})\n")
            } else {
                String::new()
            }
        };
        let manifest = |name| {
            format!(
                "lock_manifest({name})
load_manifest({name})
write_manifest({name})
unlock_manifest({name})
unlock_snapshot({name})"
            )
        };
        let listed = match design {
            Design::HARDENED => "",
            _ => "list_snapshot(new)\nlist_snapshot(old)\n",
        };
        let expected = format!(
            "list_group(group)
{listed}check_snapshot(new)
lock_snapshot(new)
{}read_manifest(new)
open_index(new/{FILE})
read_chunk(chunk 1)
read_chunk(chunk 0)
{}
check_snapshot(old)
lock_snapshot(old)
{}read_manifest(old)
open_index(old/a.img.fidx)
read_chunk(chunk 2)
open_index(old/b.didx.fidx)
{}",
            recheck("new"),
            manifest("new"),
            recheck("old"),
            manifest("old")
        );
        assert_eq!(steps(&fixture), expected);
        for snapshot in [old(), new()] {
            assert_eq!(state(&fixture, &snapshot), Some(Verdict::Ok));
        }
        assert_eq!(tree(&fixture.path(".")), before, "no temporary file stays");
    }
}

#[test]
fn corrupt_chunk_is_set_aside_and_fails_every_snapshot_that_names_it() {
    for design in BOTH {
        let fixture = one(design);
        fixture.add_finished(&new(), &[(FILE, &[1])]);
        fixture.corrupt_chunk(1);
        let report = failed(&fixture);
        assert_eq!(report.set_aside, [fixture.bad_chunk(1, 0)]);
        assert!(!fixture.real_chunk(1).exists() && fixture.is_sound(0));
        let steps = steps(&fixture);
        assert!(
            steps.contains(
                "read_chunk(chunk 1) = Corrupt\nrename_corrupt_chunk(chunk 1)\nlock_manifest(new)"
            ),
            "{steps}"
        );
        assert_eq!(steps.matches("read_chunk(chunk 1)").count(), 1, "{steps}");
        let [first, second] = report.failures.as_slice() else {
            panic!("{report:?}")
        };
        assert!(matches!(
            first.problems.as_slice(),
            [Problem::Chunk { digest, source: ChunkProblem::Corrupt(_) }] if *digest == real_digest(1)
        ));
        assert!(matches!(
            second.problems.as_slice(),
            [Problem::KnownChunks { file, entries: 1 }] if file == FILE
        ));
        for snapshot in [old(), new()] {
            assert_eq!(state(&fixture, &snapshot), Some(Verdict::Failed));
        }
    }
}

/// The first entry that names the bad chunk tells what is wrong with it; all others are counted, whatever stands behind them.
#[test]
fn each_further_entry_that_names_a_bad_chunk_is_counted() {
    for (chunks, known) in [
        (&[1, 0][..], 0),
        (&[1, 0, 1], 1),
        (&[1, 1, 0, 0], 1),
        (&[0, 1, 1, 0, 1, 0], 2),
    ] {
        let fixture = one(Design::HARDENED);
        fixture.add_finished(&new(), &[(FILE, chunks)]);
        fixture.corrupt_chunk(1);
        let report = failed(&fixture);
        let counts: Vec<Vec<u64>> = report
            .failures
            .iter()
            .map(|failure| {
                let problems = failure.problems.iter();
                let known = problems.filter_map(|problem| {
                    if let Problem::KnownChunks { entries, .. } = problem {
                        Some(*entries)
                    } else {
                        None
                    }
                });
                known.collect()
            })
            .collect();
        let of_new = if known == 0 { vec![] } else { vec![known] };
        // The older snapshot names it once, when it is known already.
        assert_eq!(counts, [of_new, vec![1]], "{chunks:?}");
        assert_eq!(state(&fixture, &new()), Some(Verdict::Failed));
    }
}

/// However often a chunk is named: each entry is as long as the chunk, or its file fails.
#[test]
fn each_entry_that_names_a_chunk_is_as_long_as_the_chunk() {
    let long = contents(0).len() as u64;
    for files in [
        &["a.img.fidx", "b.img.fidx"][..],
        &["b.img.fidx", "a.img.fidx"],
    ] {
        let fixture = one(Design::HARDENED);
        let written: Vec<_> = files.iter().map(|name| (*name, &[0, 1, 0][..])).collect();
        fixture.add_finished(&new(), &written);
        // The chunks of the second file in the order of names are known when it is read.
        let path = fixture.path(new()).join("b.img.fidx");
        let bytes = fs::read(&path).unwrap();
        let digests = [0, 1, 0].map(real_digest);
        let wrong = Index::encode_fixed([7; 16], 0, 3 * long + 3, long + 1, &digests);
        assert_eq!(wrong.len(), bytes.len());
        fs::write(&path, wrong).unwrap();
        let failures = failed(&fixture).failures;
        let [failure] = &failures[..] else {
            panic!("{failures:?}")
        };
        let counted = |problem: &Problem| {
            matches!(problem, Problem::ChunkSize { file, entries: 3, size, .. }
                if file == "b.img.fidx" && *size == long)
        };
        assert!(failure.problems.iter().any(counted), "{failure:?}");
    }
}

#[test]
fn missing_chunk_fails_the_snapshot() {
    for design in BOTH {
        let fixture = one(design);
        fs::remove_file(fixture.real_chunk(1)).unwrap();
        let report = failed(&fixture);
        assert!(report.set_aside.is_empty());
        let steps = steps(&fixture);
        let goes_on = "read_chunk(chunk 1) = NotFound\nlock_manifest(old)";
        assert_eq!(steps.contains(goes_on), design == Design::HARDENED);
        let renames = "rename_corrupt_chunk(chunk 1) = NotFound";
        assert_eq!(steps.contains(renames), design == Design::UPSTREAM);
        assert_eq!(state(&fixture, &old()), Some(Verdict::Failed));
    }
}

#[test]
fn good_chunk_that_took_the_place_of_the_corrupt_one_is_lost_in_the_published_design_only() {
    for design in BOTH {
        for is_missing in [false, true] {
            let fixture = one(design);
            if is_missing {
                fs::remove_file(fixture.real_chunk(1)).unwrap();
            } else {
                fixture.corrupt_chunk(1);
            }
            let is_hardened = design == Design::HARDENED;
            // Where hardened goes on if the chunk is missing.
            let label = if is_hardened && is_missing {
                format!("verify.lock_manifest({})", old())
            } else {
                format!("verify.rename_corrupt_chunk({})", ChunkPath(real_digest(1)))
            };
            let sys = &fixture.cx.sys;
            sys.at(label, insert_sound(fixture.real_chunk(1), 1));
            let report = failed(&fixture);
            assert_eq!(fixture.is_sound(1), is_hardened, "{design:?}");
            assert_eq!(report.set_aside.is_empty(), is_hardened);
            let kept = steps(&fixture).contains("rename_corrupt_chunk(chunk 1) = Kept");
            assert_eq!(kept, is_hardened && !is_missing);
            assert_eq!(state(&fixture, &old()), Some(Verdict::Failed));
        }
    }
}

#[test]
fn chunk_that_cannot_be_read_is_renamed_in_the_published_design_only() {
    for design in BOTH {
        let fixture = one(design);
        fs::remove_file(fixture.real_chunk(1)).unwrap();
        fs::create_dir(fixture.real_chunk(1)).unwrap();
        let report = failed(&fixture);
        let is_hardened = design == Design::HARDENED;
        assert_eq!(fixture.real_chunk(1).exists(), is_hardened);
        assert_eq!(report.set_aside.is_empty(), is_hardened);
        assert!(matches!(
            report.failures[0].problems.as_slice(),
            [Problem::Chunk {
                source: ChunkProblem::Unreadable(_),
                ..
            }]
        ));
        assert_eq!(state(&fixture, &old()), Some(Verdict::Failed));
    }
}

#[test]
fn reading_leaves_access_times_for_garbage_collection() {
    let fixture = one(Design::HARDENED);
    verify(&fixture).unwrap();
    let atime = LinuxSys.stat(&fixture.real_chunk(0)).unwrap().atime_ns;
    assert_eq!(atime, 1_000_000_000);
}

#[test]
fn busy_snapshot_is_skipped_and_one_that_is_read_is_not_busy() {
    for design in BOTH {
        let fixture = one(design);
        fixture.add_finished(&new(), &[(FILE, &[0])]);
        let lock = fixture.store.layout().snapshot_lock(&new());
        let held = hold(&fixture, lock.clone(), Mode::Exclusive);
        let report = verify(&fixture).unwrap();
        assert_eq!((report.verified, report.busy), (1, 1));
        assert_eq!(state(&fixture, &new()), None);
        assert_eq!(state(&fixture, &old()), Some(Verdict::Ok));
        let skipped = "lock_snapshot(new) = WouldBlock\ncheck_snapshot(old)";
        assert!(steps(&fixture).contains(skipped));
        drop(held);
        let held = hold(&fixture, lock, Mode::Shared);
        assert_eq!(verify(&fixture).unwrap().verified, 2);
        drop(held);
    }
}

#[test]
fn snapshot_that_goes_before_it_is_locked_fails_the_published_design_only() {
    for (label, expected) in [
        ("check_snapshot", "check_snapshot(new) = NotFound\ncheck"),
        (
            "lock_snapshot",
            "recheck_snapshot(new) = NotFound\nunlock_snapshot(new)\ncheck",
        ),
    ] {
        for design in BOTH {
            let fixture = one(design);
            fixture.add_finished(&new(), &[(FILE, &[0])]);
            let gone = fixture.path(new());
            let label = format!("verify.{label}({})", new());
            fixture
                .cx
                .sys
                .at(&label, move || fs::remove_dir_all(gone).unwrap());
            let result = verify(&fixture);
            let steps = steps(&fixture);
            if design == Design::HARDENED || label.contains("check_snapshot") {
                let report = result.unwrap();
                assert_eq!((report.verified, report.vanished), (1, 1));
                assert!(steps.contains(expected), "{steps}");
            } else {
                let error = result.unwrap_err();
                assert!(error.is_vanished() && !error.is_busy(), "{error}");
                let failed = "read_manifest(new) = NotFound\nunlock_snapshot(new)\ncheck";
                assert!(steps.contains(failed), "{steps}");
            }
            assert_eq!(state(&fixture, &old()), Some(Verdict::Ok));
        }
    }
}

#[test]
fn group_that_is_gone_fails_no_design() {
    for design in BOTH {
        let fixture = Fixture::new(design);
        let report = verify(&fixture).unwrap();
        assert!(report.is_group_gone && report.verified == 0);
        assert_eq!(steps(&fixture), "list_group(group) = NotFound");
    }
}

#[test]
fn snapshot_that_vanishes_while_it_is_listed_hides_its_group_in_the_published_design_only() {
    for design in BOTH {
        let fixture = one(design);
        fixture.add_finished(&new(), &[(FILE, &[1])]);
        let path = fixture.path(new());
        let label = match design {
            Design::HARDENED => "check_snapshot",
            _ => "list_snapshot",
        };
        let remove = move || fs::remove_dir_all(path).unwrap();
        fixture
            .cx
            .sys
            .at(format!("verify.{label}({})", new()), remove);
        let report = verify(&fixture).unwrap();
        let is_hidden = design == Design::UPSTREAM;
        assert_eq!(report.is_group_left_out, is_hidden);
        assert_eq!(report.verified, u64::from(!is_hidden));
        let expected = "list_group(group)\nlist_snapshot(new) = NotFound";
        assert_eq!(steps(&fixture) == expected, is_hidden);
    }
}

#[test]
fn unfinished_snapshot_fails_without_a_manifest_being_made() {
    let fixture = one(Design::HARDENED);
    let manifest = fixture.store.layout().manifest(&old());
    fs::remove_file(&manifest).unwrap();
    let error = verify(&fixture).unwrap_err();
    assert!(error.is_vanished(), "{error}");
    assert!(!manifest.exists());
    let expected = "read_manifest(old) = NotFound\nunlock_snapshot(old)";
    assert!(steps(&fixture).ends_with(expected));
}

#[test]
fn damaged_files_of_a_snapshot_fail_it_and_not_the_job() {
    let fixture = one(Design::HARDENED);
    fixture.add_finished(
        &new(),
        &[
            ("a.fidx", &[0]),
            ("b.fidx", &[0]),
            ("c.fidx", &[0]),
            ("d.fidx", &[2]),
        ],
    );
    let directory = fixture.path(new());
    fs::remove_file(directory.join("a.fidx")).unwrap();
    fs::write(directory.join("b.fidx"), "no index").unwrap();
    fs::copy(directory.join("d.fidx"), directory.join("c.fidx")).unwrap();
    let mut manifest = fixture.manifest(&new());
    manifest.add_file("../../escape.fidx", 1, real_digest(0));
    let path = fixture.store.layout().manifest(&new());
    manifest
        .write(&LinuxSys, &path, fixture.store.files())
        .unwrap();

    let report = failed(&fixture);
    assert_eq!(report.verified, 1);
    let [failure] = report.failures.as_slice() else {
        panic!("{report:?}")
    };
    assert!(
        matches!(
            failure.problems.as_slice(),
            [
                Problem::FileName(_),
                Problem::Index(_),
                Problem::Index(_),
                Problem::IndexChecksum(name),
            ] if name == "c.fidx"
        ),
        "{failure}"
    );
    assert_eq!(state(&fixture, &new()), Some(Verdict::Failed));
    let steps = steps(&fixture);
    assert!(steps.contains("open_index(new/a.fidx) = NotFound\nopen_index(new/b.fidx) = Refused"));

    fs::write(&path, "no blob").unwrap();
    let report = failed(&fixture);
    assert!(matches!(
        report.failures[0].problems.as_slice(),
        [Problem::Manifest(_)]
    ));
    assert_eq!(fs::read(&path).unwrap(), b"no blob");
}

#[test]
fn notes_and_verify_state_survive_each_other() {
    let fixture = one(Design::HARDENED);
    let set_notes = |notes: &str| {
        let settings = set_notes::Settings {
            snapshot: old(),
            notes: notes.to_owned(),
        };
        set_notes::run(&fixture.cx, &fixture.store, &settings).unwrap();
    };
    set_notes("before");
    // Between the first reading of the manifest and its lock.
    let path = fixture.store.layout().manifest(&old());
    let mut late = fixture.manifest(&old());
    late.set_notes("meanwhile");
    let files = fixture.store.files();
    let label = format!("verify.lock_manifest({})", old());
    fixture
        .cx
        .sys
        .at(label, move || late.write(&LinuxSys, &path, files).unwrap());
    verify(&fixture).unwrap();
    assert_eq!(fixture.manifest(&old()).notes(), Some("meanwhile"));
    set_notes("after");
    assert_eq!(fixture.manifest(&old()).notes(), Some("after"));
    assert_eq!(state(&fixture, &old()), Some(Verdict::Ok));
}

#[test]
fn locked_manifest_fails_its_snapshot_without_a_verify_state() {
    let fixture = one(Design::HARDENED);
    let lock = fixture.store.layout().manifest_lock(&old());
    let held = hold(&fixture, lock, Mode::Exclusive);
    let error = verify(&fixture).unwrap_err();
    assert!(error.is_busy() && !error.is_vanished(), "{error}");
    let expected = "lock_manifest(old) = TimedOut\nunlock_snapshot(old)";
    assert!(steps(&fixture).ends_with(expected));
    assert_eq!(state(&fixture, &old()), None);
    drop(held);
    verify(&fixture).unwrap();
}

#[test]
fn manifest_that_is_gone_by_the_end_is_not_written() {
    for design in BOTH {
        let fixture = one(design);
        let manifest = fixture.store.layout().manifest(&old());
        let gone = manifest.clone();
        let label = format!("verify.load_manifest({})", old());
        fixture
            .cx
            .sys
            .at(label, move || fs::remove_file(gone).unwrap());
        let result = verify(&fixture);
        if design == Design::HARDENED {
            result.unwrap();
        } else {
            assert!(result.unwrap_err().is_vanished());
        }
        assert!(!manifest.exists());
        let expected = "load_manifest(old) = NotFound\nunlock_manifest(old)\nunlock_snapshot(old)";
        assert!(steps(&fixture).ends_with(expected));
    }
}

#[test]
fn full_disk_ends_the_job_with_what_it_found_and_every_lock_free() {
    let fixture = one(Design::HARDENED);
    fixture.add_finished(&new(), &[(FILE, &[1])]);
    fixture.corrupt_chunk(1);
    let before = fixture.manifest(&new());
    fixture.cx.sys.room.set(Some(0));
    let Err(VerifyError::Aborted { report, .. }) = verify(&fixture) else {
        panic!("the manifest cannot be written")
    };
    assert_eq!(report.set_aside, [fixture.bad_chunk(1, 0)]);
    assert_eq!(report.failures.len(), 1, "{report:?}");
    let expected = "write_manifest(new) = NoSpace(Nothing)\nrelease_all";
    assert!(steps(&fixture).ends_with(expected));
    assert_eq!(fixture.manifest(&new()), before);
    let files = fs::read_dir(fixture.path(new())).unwrap().count();
    assert_eq!(files, 2, "no temporary file stays");
    let layout = fixture.store.layout();
    for lock in [layout.manifest_lock(&new()), layout.snapshot_lock(&new())] {
        drop(hold(&fixture, lock, Mode::Exclusive));
    }
}
