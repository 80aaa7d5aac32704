//! Accessing one chunk in single calls on real files: the steps of each access and design, and what
//! happens between them.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::Fixture;
use common::finished::{contents, insert_sound, real_digest};
use datastore::ops::access_chunk::{self, Access, AccessError, Accessed, Settings};
use datastore::{LinuxSys, Sys};
use specs::Design;
use specs::design::Change;
use std::fs;
use std::time::Duration;

fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    insert_sound(fixture.real_chunk(0), 0)();
    LinuxSys
        .utimensat(&fixture.real_chunk(0), 1_000_000_000)
        .unwrap();
    fixture
}

fn access(fixture: &Fixture, access: Access) -> Result<Accessed, AccessError> {
    let settings = Settings {
        digest: real_digest(0),
        contents: contents(0).to_vec(),
        access,
        min_atime_ns: LinuxSys.now() - 1_000_000_000 * 3600,
    };
    access_chunk::run(&fixture.cx, &fixture.store, &settings)
}

/// The steps on one line, without their arguments.
fn steps(fixture: &Fixture) -> String {
    let steps = fixture.short_steps("access_chunk", &[("(chunk 0)", "")]);
    steps.replace(" = ", "=").replace('\n', " ")
}

fn atime(fixture: &Fixture) -> i128 {
    LinuxSys.stat(&fixture.real_chunk(0)).unwrap().atime_ns
}

fn unlink(fixture: &Fixture) -> impl FnOnce() + 'static {
    let path = fixture.real_chunk(0);
    move || fs::remove_file(path).unwrap()
}

/// What the access reports, and its steps between locking and unlocking.
fn locked(fixture: &Fixture, how: Access) -> (Accessed, String) {
    let accessed = access(fixture, how).unwrap();
    let steps = steps(fixture);
    let within = steps
        .strip_prefix("lock_chunk_store ")
        .and_then(|rest| rest.strip_suffix(" unlock_chunk_store"));
    (accessed, within.unwrap_or(&steps).to_owned())
}

#[test]
fn touch_and_insert_leave_a_young_chunk() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        let before = LinuxSys.now();
        let touched = (Accessed::Touched, "touch_chunk".to_owned());
        assert_eq!(locked(&fixture, Access::Touch), touched);
        assert!(atime(&fixture) >= before);

        let touched = (Accessed::Touched, "stat_chunk touch_chunk".to_owned());
        assert_eq!(locked(&fixture, Access::Insert), touched);

        unlink(&fixture)();
        let missing = (Accessed::Missing, "touch_chunk=NotFound".to_owned());
        assert_eq!(locked(&fixture, Access::Touch), missing);
        let before = LinuxSys.now();
        let written = (
            Accessed::Written,
            "stat_chunk=NotFound write_chunk".to_owned(),
        );
        assert_eq!(locked(&fixture, Access::Insert), written);
        assert!(fixture.is_sound(0) && atime(&fixture) >= before);
    }
}

#[test]
fn sweep_removes_an_old_chunk_only() {
    let fixture = fixture(Design::HARDENED);
    let removed = (Accessed::Removed, "stat_chunk unlink_chunk".to_owned());
    assert_eq!(locked(&fixture, Access::Sweep), removed);
    assert!(!fixture.real_chunk(0).exists());
    let missing = (Accessed::Missing, "stat_chunk=NotFound".to_owned());
    assert_eq!(locked(&fixture, Access::Sweep), missing);
    fixture.add_file(&fixture.real_chunk(0), Duration::from_secs(60));
    let kept = (Accessed::Kept, "stat_chunk=Kept".to_owned());
    assert_eq!(locked(&fixture, Access::Sweep), kept);
    assert!(fixture.real_chunk(0).exists());
}

#[test]
fn only_a_corrupt_chunk_is_set_aside() {
    let aside = |fixture: &Fixture| {
        let accessed = access(fixture, Access::SetAside).unwrap();
        (accessed, steps(fixture))
    };
    let fixture = fixture(Design::HARDENED);
    assert_eq!(
        aside(&fixture),
        (Accessed::Kept, "read_chunk".to_owned()),
        "a sound one stays, without the mutex"
    );
    fixture.corrupt_chunk(0);
    assert_eq!(
        aside(&fixture),
        (
            Accessed::SetAside(fixture.bad_chunk(0, 0)),
            "read_chunk=Corrupt lock_chunk_store recheck_chunk=Corrupt rename_chunk \
             unlock_chunk_store"
                .to_owned()
        )
    );
    assert!(!fixture.real_chunk(0).exists() && fixture.bad_chunk(0, 0).exists());
    assert_eq!(
        aside(&fixture),
        (Accessed::Missing, "read_chunk=NotFound".to_owned())
    );
}

#[test]
fn chunk_that_is_replaced_after_it_was_read_stays_in_the_hardened_design_only() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for is_missing in [false, true] {
            let fixture = fixture(design);
            fixture.corrupt_chunk(0);
            if is_missing {
                unlink(&fixture)();
            }
            let (chunk, is_hardened) = (fixture.real_chunk(0), design == Design::HARDENED);
            if !(is_hardened && is_missing) {
                let sys = &fixture.cx.sys;
                sys.at("access_chunk.lock_chunk_store", insert_sound(chunk, 0));
            }
            let accessed = access(&fixture, Access::SetAside).unwrap();
            let read = if is_missing {
                "read_chunk=NotFound"
            } else {
                "read_chunk=Corrupt"
            };
            let (expected, rest) = match (is_hardened, is_missing) {
                (true, true) => (Accessed::Missing, ""),
                (true, false) => (
                    Accessed::Kept,
                    " lock_chunk_store recheck_chunk unlock_chunk_store",
                ),
                (false, _) => (
                    Accessed::SetAside(fixture.bad_chunk(0, 0)),
                    " lock_chunk_store rename_chunk unlock_chunk_store",
                ),
            };
            assert_eq!(accessed, expected, "{design:?}");
            assert_eq!(steps(&fixture), format!("{read}{rest}"));
            assert_eq!(fixture.is_sound(0), is_hardened && !is_missing);
        }
    }
}

#[test]
fn what_cannot_be_read_is_renamed_in_the_published_design_only() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = Fixture::new(design);
        fs::create_dir(fixture.real_chunk(0)).unwrap();
        let accessed = access(&fixture, Access::SetAside);
        let is_error = design == Design::HARDENED;
        let expected = if is_error {
            "read_chunk=Refused"
        } else {
            "read_chunk=Corrupt lock_chunk_store rename_chunk unlock_chunk_store"
        };
        assert_eq!(accessed.is_err(), is_error, "{accessed:?}");
        assert_eq!(steps(&fixture), expected);
        assert_eq!(fixture.real_chunk(0).exists(), is_error);
    }
}

#[test]
fn wrong_designs_leave_out_what_their_sentence_names() {
    let in_design = |design: Design, how: Access, is_corrupt: bool| {
        let fixture = fixture(design);
        if is_corrupt {
            fixture.corrupt_chunk(0);
        }
        access(&fixture, how).unwrap();
        steps(&fixture)
    };
    assert_eq!(
        in_design(
            Design::HARDENED.with(Change::TouchWithoutMutex),
            Access::Touch,
            false
        ),
        "touch_chunk"
    );
    assert_eq!(
        in_design(
            Design::HARDENED.with(Change::SweepInTwoPeriods),
            Access::Sweep,
            false
        ),
        "lock_chunk_store stat_chunk unlock_chunk_store lock_chunk_store unlink_chunk \
         unlock_chunk_store"
    );
    assert_eq!(
        in_design(
            Design::HARDENED.with(Change::InsertDecidesBeforeMutex),
            Access::Insert,
            false
        ),
        "stat_chunk lock_chunk_store touch_chunk unlock_chunk_store"
    );
    assert_eq!(
        in_design(
            Design::HARDENED.with(Change::RenameWithoutMutex),
            Access::SetAside,
            true
        ),
        "read_chunk=Corrupt recheck_chunk=Corrupt rename_chunk"
    );
}

#[test]
fn chunk_that_vanishes_under_a_wrong_design_ends_in_unlocking() {
    for (design, how, at) in [
        (
            Design::HARDENED.with(Change::InsertDecidesBeforeMutex),
            Access::Insert,
            "lock_chunk_store",
        ),
        (
            Design::HARDENED.with(Change::SweepInTwoPeriods),
            Access::Sweep,
            "unlock_chunk_store",
        ),
    ] {
        let fixture = fixture(design);
        let label = format!("access_chunk.{at}");
        fixture.cx.sys.at(label, unlink(&fixture));
        assert_eq!(access(&fixture, how).unwrap(), Accessed::Missing);
        let steps = steps(&fixture);
        assert!(
            steps.ends_with("_chunk=NotFound unlock_chunk_store"),
            "{steps}"
        );
    }
}

#[test]
fn mutex_is_free_after_an_error() {
    let fixture = fixture(Design::HARDENED);
    let prefix = fixture.real_chunk(0).parent().unwrap().to_owned();
    fs::remove_dir_all(&prefix).unwrap();
    assert!(access(&fixture, Access::Insert).is_err());
    let failed = "lock_chunk_store stat_chunk=NotFound write_chunk=NotFound unlock_chunk_store";
    assert_eq!(steps(&fixture), failed);
    fs::create_dir(&prefix).unwrap();
    assert_eq!(
        access(&fixture, Access::Insert).unwrap(),
        Accessed::Written,
        "whoever comes next gets the mutex"
    );
}

#[test]
fn contents_of_another_chunk_are_refused_before_the_first_step() {
    let fixture = fixture(Design::HARDENED);
    let settings = Settings {
        digest: real_digest(0),
        contents: contents(1).to_vec(),
        access: Access::Insert,
        min_atime_ns: 0,
    };
    let error = access_chunk::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
    assert!(matches!(error, AccessError::Digest { .. }), "{error}");
    assert_eq!(steps(&fixture), "");
}
