//! The borders of what a collection removes: one nanosecond on each side of the minimum, the beginnings of writers, a file
//! system that records whole seconds, a clock that goes on at each look.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::collection::gc;
use common::{Fixture, OLD, digest, group, snapshot};
use datastore::ops::gc::{self, GcStatus, Settings};
use datastore::{LinuxSys, Sys};
use proptest::prelude::*;
use specs::Design;
use std::time::Duration;

const SECOND: i128 = 1_000_000_000;
/// What a day of the settings and its margin have.
const CUTOFF: i128 = (24 * 3600 + 5 * 60) * SECOND;
/// How long before its beginning a writer keeps chunks.
const MARGIN: i128 = 300 * SECOND;
/// 2026-07-20, in the middle of no second.
const START: i128 = 1_784_505_600 * SECOND + 600_000_000;

/// Collects at a time, and tells whether a chunk of a certain access time is still there.
fn stays(fixture: &Fixture, start: i128, cutoff: i128, atime: i128) -> bool {
    add(fixture, 9, atime);
    fixture.cx.sys.clock.set(Some((start, 0)));
    let settings = Settings {
        cutoff: Duration::from_nanos(u64::try_from(cutoff).unwrap()),
        ..Settings::default()
    };
    gc::run(&fixture.cx, &fixture.store, &settings).unwrap();
    fixture.has_chunk(9)
}

/// Adds a chunk file with an access time.
fn add(fixture: &Fixture, n: u8, atime: i128) {
    fixture.add_chunk(n, Duration::ZERO);
    LinuxSys.utimensat(&fixture.chunk(n), atime).unwrap();
}

/// What keeps a chunk, in words of its own: it was used since the whole second of the start, less the cutoff; or since five
/// minutes before the second in which the oldest writer began, if that began before.
fn is_kept(start: i128, cutoff: i128, writers: &[i128], atime: i128) -> bool {
    let floor = |time: i128| time - time.rem_euclid(SECOND);
    let limit = floor(start) - cutoff;
    let oldest = writers.iter().map(|began| floor(*began)).min();
    match oldest {
        Some(began) if began < limit => atime >= began - MARGIN,
        _ => atime >= limit,
    }
}

#[test]
fn chunk_goes_one_nanosecond_before_the_minimum() {
    for fraction in [0, 1, 500_000_000, SECOND - 1] {
        let whole = START - START.rem_euclid(SECOND);
        for cutoff in [CUTOFF, CUTOFF + 1, CUTOFF - 1, 0] {
            let minimum = whole - cutoff;
            for (atime, expected) in [(minimum - 1, false), (minimum, true), (minimum + 1, true)] {
                let fixture = Fixture::new(Design::HARDENED);
                let found = stays(&fixture, whole + fraction, cutoff, atime);
                assert_eq!(found, expected, "{fraction} {cutoff} {}", atime - minimum);
            }
        }
    }
}

#[test]
fn oldest_writer_moves_the_minimum_to_five_minutes_before_its_second() {
    let limit = START - START.rem_euclid(SECOND) - CUTOFF;
    // A writer that began at the limit, or later, does not move it.
    for began in [limit - 1, limit, limit + 1, limit - 3600 * SECOND - 1] {
        let began_second = began - began.rem_euclid(SECOND);
        let minimum = if began < limit {
            began_second - MARGIN
        } else {
            limit
        };
        for (atime, expected) in [(minimum - 1, false), (minimum, true)] {
            let fixture = Fixture::new(Design::HARDENED);
            fixture.cx.sys.clock.set(Some((began, 0)));
            let lock = fixture.store.process_lock();
            let writer = lock.lock_shared(&fixture.cx.sys, Design::HARDENED).unwrap();
            let found = stays(&fixture, START, CUTOFF, atime);
            assert_eq!(found, expected, "{} {}", began - limit, atime - minimum);
            drop(writer);
        }
    }
}

#[test]
fn oldest_of_two_writers_of_one_process_counts() {
    let day = 24 * 3600 * SECOND;
    for [first, second] in [[5, 0], [0, 5]] {
        let fixture = Fixture::new(Design::HARDENED);
        let (sys, lock) = (&fixture.cx.sys, fixture.store.process_lock());
        let begin = |days: i128| {
            sys.clock.set(Some((START - days * day, 0)));
            lock.lock_shared(sys, Design::HARDENED).unwrap()
        };
        let writers = (begin(first), begin(second));
        // The first backup has touched it when it had just begun; the second began after the cutoff had passed it.
        assert!(stays(&fixture, START, CUTOFF, START - 5 * day));
        assert!(!stays(&fixture, START, CUTOFF, START - 6 * day));
        drop(writers);
        assert!(!stays(&fixture, START, CUTOFF, START - 5 * day));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn chunk_is_kept_for_the_cutoff_and_for_the_oldest_writer(
        fraction in 0..SECOND,
        cutoff in prop_oneof![Just(CUTOFF), 0..2 * CUTOFF],
        writers in prop::collection::vec(0..3 * CUTOFF, 0..4),
        near in prop_oneof![-3i128..=3, -2 * SECOND..2 * SECOND],
        which in 0usize..6,
    ) {
        let start = START - START.rem_euclid(SECOND) + fraction;
        let writers: Vec<i128> = writers.iter().map(|ago| start - ago).collect();
        // Near whatever could be the border.
        let mut borders = vec![start - cutoff, start - fraction - cutoff];
        borders.extend(writers.iter().map(|began| began - began.rem_euclid(SECOND) - MARGIN));
        let atime = borders[which % borders.len()] + near;
        let fixture = Fixture::new(Design::HARDENED);
        let (sys, lock) = (&fixture.cx.sys, fixture.store.process_lock());
        let shares: Vec<_> = writers.iter().map(|began| {
            sys.clock.set(Some((*began, 0)));
            lock.lock_shared(sys, Design::HARDENED).unwrap()
        }).collect();
        let found = stays(&fixture, start, cutoff, atime);
        prop_assert_eq!(found, is_kept(start, cutoff, &writers, atime));
        drop(shares);
    }
}

/// A chunk that this very run has marked is older than its start, where the file system records no fractions.
#[test]
fn marked_chunk_stays_and_is_in_use_where_times_are_whole_seconds() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("a", "vm/100"), OLD), &[1]);
    fixture.cx.sys.has_whole_seconds.set(true);
    fixture.cx.sys.clock.set(Some((START, 0)));
    let settings = Settings {
        cutoff: Duration::ZERO,
        ..Settings::default()
    };
    let status = gc::run(&fixture.cx, &fixture.store, &settings).unwrap();
    let atime = LinuxSys.stat(&fixture.chunk(1)).unwrap().atime_ns;
    assert_eq!(atime, START - START.rem_euclid(SECOND), "of whole seconds");
    let expected = GcStatus {
        index_file_count: 1,
        index_data_bytes: 4096,
        marked_chunks: 1,
        disk_chunks: 1,
        disk_bytes: 5,
        ..GcStatus::default()
    };
    assert_eq!(status, expected);
}

/// A backup that marked the chunk meanwhile began later than the run: its mark must not be taken back.
#[test]
fn each_chunk_is_marked_with_the_time_of_its_mark() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&snapshot(&group("a", "vm/100"), OLD), &[1, 2, 3]);
    let label = format!("gc.touch_chunk(.chunks/5ca1/{})", digest(3));
    let chunk = fixture.chunk(3);
    let later = START + 2 * SECOND + 7;
    let touch = move || LinuxSys.utimensat(&chunk, later).unwrap();
    fixture.cx.sys.at(label, touch);
    fixture.cx.sys.clock.set(Some((START, SECOND + 7)));
    gc(&fixture).unwrap();
    let atimes = [1, 2, 3].map(|n| LinuxSys.stat(&fixture.chunk(n)).unwrap().atime_ns);
    // The clock is looked at once for the start, and once for each mark.
    let marks = [1, 2, 3].map(|n| START + n * (SECOND + 7));
    assert_eq!(atimes, marks);
    assert!(atimes[2] >= later, "a later mark was taken back");
}

/// Access times go on where the clock does, also for what an insert finds or writes.
#[test]
fn inserted_chunk_has_the_time_of_its_insert() {
    let fixture = Fixture::new(Design::HARDENED);
    let blob = datastore::blob::encode_plain(b"some data").unwrap();
    let sys = &fixture.cx.sys;
    for now in [START, START + 1, START + SECOND] {
        sys.clock.set(Some((now, 0)));
        let chunks = fixture.store.chunks();
        chunks
            .insert(sys, digest(5), &blob, fixture.store.files())
            .unwrap();
        assert_eq!(LinuxSys.stat(&fixture.chunk(5)).unwrap().atime_ns, now);
    }
}
