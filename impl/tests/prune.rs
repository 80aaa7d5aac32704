//! Pruning on real files: its steps, what it meets; and the keep options against another
//! formulation of what they mean.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, NEW, OLD, group, snapshot};
use datastore::ops::forget_snapshot::ForgetError;
use datastore::ops::prune::{self, Candidate, KeepOptions, Mark, PruneError, Report, Settings};
use datastore::paths::BackupTime;
use datastore::{Group, Snapshot};
use proptest::prelude::*;
use specs::Design;
use specs::design::Change;
use specs::lock_class::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use time::{Date, UtcDateTime};

const LATEST: &str = "2026-07-16T06:33:20Z";

fn the_group() -> Group {
    group("a", "vm/100")
}

fn at(time: &str) -> Snapshot {
    snapshot(&the_group(), time)
}

/// Three finished snapshots.
fn fixture(design: Design) -> Fixture {
    let fixture = Fixture::new(design);
    for (time, chunk) in [(OLD, 1), (NEW, 2), (LATEST, 3)] {
        fixture.add_with_manifest(&at(time), &[chunk]);
    }
    fixture.cx.sys.hold_against_tables(design);
    fixture
}

fn keep_last(n: u64) -> KeepOptions {
    KeepOptions {
        last: Some(n),
        ..KeepOptions::default()
    }
}

fn prune(fixture: &Fixture, keep: KeepOptions) -> Result<Report, PruneError> {
    let group = the_group();
    prune::run(&fixture.cx, &fixture.store, &Settings { group, keep })
}

/// The steps, without those inside a removal but its first; `O`, `N` and `L` are the snapshots.
fn steps(fixture: &Fixture) -> Vec<String> {
    let mut steps = fixture.cx.sys.steps();
    steps.retain(|step| step.starts_with("prune.") || step.contains(".lock_snapshot"));
    let short = |step: String| {
        let times = [("O", OLD), ("N", NEW), ("L", LATEST)];
        times.iter().fold(step, |step, (name, time)| {
            step.replace(&at(time).to_string(), name)
        })
    };
    steps.into_iter().map(short).collect()
}

#[test]
fn newest_are_listed_first_and_the_oldest_is_removed_first() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        let report = prune(&fixture, keep_last(1)).unwrap();
        assert_eq!(report.removed, [at(NEW), at(OLD)]);
        assert_eq!(report.kept, [(at(LATEST), Mark::Kept)]);
        assert_eq!(
            steps(&fixture),
            [
                "prune.list_group(ns/a/vm/100)",
                "prune.list_snapshot(L)",
                "prune.list_snapshot(N)",
                "prune.list_snapshot(O)",
                "forget_snapshot.lock_snapshot(O)",
                "forget_snapshot.lock_snapshot(N)",
            ]
        );
        let left = fixture.below(the_group());
        let expected = ["", "/drive.img.fidx", "/index.json.blob"].map(|f| LATEST.to_owned() + f);
        assert_eq!(left, [&expected[..], &["owner".to_owned()]].concat());
    }
}

#[test]
fn removal_that_fails_is_told_and_the_next_one_follows() {
    let fixture = fixture(Design::HARDENED);
    let lock = fixture.store.layout().snapshot_lock(&at(OLD));
    let held = fixture.hold(lock, Mode::Shared);
    let hook = {
        let path = fixture.path(at(NEW)).join(".protected");
        move || fs::write(path, "").unwrap()
    };
    let label = format!("forget_snapshot.check_protected({})", at(NEW));
    fixture.cx.sys.at(label, hook);
    let report = prune(&fixture, keep_last(0)).unwrap();
    assert_eq!(report.removed, [at(LATEST)]);
    let [(_, protected), (_, busy)] = &report.skipped[..] else {
        panic!("{report:?}");
    };
    assert!(matches!(protected, ForgetError::Protected(_)) && busy.is_busy());
    let steps = fixture.cx.sys.steps().join("\n");
    assert_eq!(steps.matches("forget_snapshot.release_all").count(), 2);
    drop(held);

    let gone = fixture.path(at(OLD)).join("directory");
    fs::create_dir(gone).unwrap();
    let report = prune(&fixture, keep_last(0)).unwrap();
    let [(snapshot, error)] = &report.failed[..] else {
        panic!("{report:?}");
    };
    assert_eq!(*snapshot, at(OLD));
    assert!(error.to_string().contains("not empty"), "{error}");
    assert!(!error.is_busy());
}

#[test]
fn what_vanishes_beside_the_job_is_skipped_or_if_it_is_still_listed_fails_the_published_design() {
    let labels = [
        format!("prune.list_group({})", the_group()),
        format!("prune.list_snapshot({})", at(OLD)),
        format!("forget_snapshot.list_snapshot({})", at(OLD)),
    ];
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for (i, label) in labels.iter().enumerate() {
            let fixture = fixture(design);
            let gone = if i == 0 {
                fixture.path(the_group())
            } else {
                fixture.path(at(OLD))
            };
            let hook = move || fs::remove_dir_all(gone).unwrap();
            fixture.cx.sys.at(label.clone(), hook);
            let result = prune(&fixture, keep_last(1));
            let steps = fixture.cx.sys.steps().join("\n");
            assert!(steps.contains(&format!("{label} = NotFound")), "{steps}");
            match (design, i) {
                (Design::UPSTREAM, 0) => assert!(matches!(result, Err(PruneError::GroupGone(_)))),
                (Design::UPSTREAM, 1) => {
                    assert!(matches!(result, Err(PruneError::SnapshotVanished(_))));
                }
                // A removal that fails is a warning in every design.
                _ => {
                    let report = result.unwrap();
                    assert_eq!(report.skipped.len(), usize::from(i == 2), "{report:?}");
                    assert_eq!(report.is_group_gone, i == 0, "{report:?}");
                }
            }
            assert_eq!(fixture.path(at(LATEST)).exists(), i != 0);
        }
    }
}

#[test]
fn unfinished_and_protected_snapshots_take_nobodys_place() {
    for (design, is_old_kept) in [
        (Design::HARDENED, true),
        (Design::UPSTREAM, true),
        (Design::HARDENED.with(Change::PruneCountsUnfinished), false),
    ] {
        let fixture = Fixture::new(design);
        fixture.add_with_manifest(&at(OLD), &[1]);
        let protected = fixture.add_with_manifest(&at(NEW), &[2]);
        fs::write(protected.join(".protected"), "").unwrap();
        fixture.add(&at(LATEST), &[3]);
        fixture.cx.sys.hold_against_tables(design);
        let report = prune(&fixture, keep_last(1)).unwrap();
        assert_eq!(report.removed.is_empty(), is_old_kept, "{design:?}");
        assert_eq!(report.kept[1], (at(NEW), Mark::Protected));
        if is_old_kept {
            assert_eq!(report.kept[0], (at(LATEST), Mark::Unfinished));
        }
        assert!(fixture.path(at(LATEST)).exists() && fixture.path(at(NEW)).exists());
    }
}

#[test]
fn unfinished_snapshot_goes_once_there_is_a_newer_one() {
    let fixture = Fixture::new(Design::HARDENED);
    fixture.add(&at(OLD), &[1]);
    fixture.add_with_manifest(&at(NEW), &[2]);
    assert_eq!(prune(&fixture, keep_last(9)).unwrap().removed, [at(OLD)]);
    let nothing = KeepOptions::default();
    fixture.add(&at(OLD), &[1]);
    assert!(prune(&fixture, nothing).unwrap().removed.is_empty());
}

fn candidate(time: &str) -> Candidate {
    Candidate {
        time: BackupTime::parse(time).unwrap(),
        is_finished: true,
        is_protected: false,
    }
}

/// The days that are kept, of finished snapshots that are given newest first.
fn kept_of(options: KeepOptions, times: &[&str]) -> Vec<String> {
    let snapshots: Vec<Candidate> = times.iter().map(|time| candidate(time)).collect();
    let marks = options.decide(&snapshots, Design::HARDENED);
    let kept = times.iter().zip(marks);
    kept.filter(|(_, mark)| *mark == Mark::Kept)
        .map(|(time, _)| (*time).to_owned())
        .collect()
}

#[test]
fn weeks_begin_on_monday_and_may_lie_in_two_months_or_years() {
    // Sunday, Monday, Sunday, Saturday of one year and the next.
    let times = [
        "2027-01-04T00:00:00Z",
        "2027-01-03T23:59:59Z",
        "2026-12-28T00:00:00Z",
        "2026-12-27T23:59:59Z",
    ];
    let weekly = KeepOptions {
        weekly: Some(2),
        ..KeepOptions::default()
    };
    assert_eq!(kept_of(weekly, &times), [times[0], times[1]]);
    // What its week has decided about is not looked at by the months.
    let and_monthly = KeepOptions {
        monthly: Some(1),
        ..weekly
    };
    assert_eq!(kept_of(and_monthly, &times), [times[0], times[1], times[3]]);
}

#[test]
fn later_options_go_on_where_the_earlier_ones_end() {
    let times = [
        "2026-07-16T12:30:00Z",
        "2026-07-16T12:00:00Z",
        "2026-07-16T11:00:00Z",
        "2026-07-15T11:00:00Z",
        "2026-07-14T12:00:00Z",
        "2026-07-14T11:00:00Z",
        "2026-06-01T11:00:00Z",
    ];
    let options = KeepOptions {
        last: Some(1),
        daily: Some(2),
        monthly: Some(1),
        ..KeepOptions::default()
    };
    assert_eq!(
        kept_of(options, &times),
        [times[0], times[3], times[4], times[6]]
    );
}

/// What a period is to the second formulation: the numbers by which people name it.
fn name_of_period(rule: usize, time: BackupTime) -> (i32, u16, u8, i64) {
    let time = UtcDateTime::from_unix_timestamp(time.epoch()).unwrap();
    let date: Date = time.date();
    match rule {
        0 => (0, 0, 0, time.unix_timestamp()),
        1 => (date.year(), date.ordinal(), time.hour(), 0),
        2 => (date.year(), date.ordinal(), 0, 0),
        3 => {
            let (year, week, _) = date.to_iso_week_date();
            (year, week.into(), 0, 0)
        }
        4 => (date.year(), u8::from(date.month()).into(), 0, 0),
        _ => (date.year(), 0, 0, 0),
    }
}

/// The second formulation: sets of times, and for each option a table of its periods.
fn removed_by(options: &KeepOptions, snapshots: &[Candidate]) -> BTreeSet<BackupTime> {
    let of = |wanted: &dyn Fn(&Candidate) -> bool| -> BTreeSet<BackupTime> {
        let wanted = snapshots.iter().filter(|snapshot| wanted(snapshot));
        wanted.map(|snapshot| snapshot.time).collect()
    };
    let mut undecided = of(&|s| s.is_finished && !s.is_protected);
    let mut removed = of(&|s| !s.is_finished && !s.is_protected);
    if let Some(newest) = snapshots.iter().map(|s| s.time).max() {
        removed.remove(&newest);
    }
    let mut kept = BTreeSet::new();
    let rules = [
        options.last,
        options.hourly,
        options.daily,
        options.weekly,
        options.monthly,
        options.yearly,
    ];
    for (rule, limit) in rules.into_iter().enumerate() {
        let Some(limit) = limit else { continue };
        let covered: BTreeSet<_> = kept
            .iter()
            .map(|time| name_of_period(rule, *time))
            .collect();
        let mut periods: BTreeMap<_, BTreeSet<BackupTime>> = BTreeMap::new();
        for time in &undecided {
            let period = name_of_period(rule, *time);
            periods.entry(period).or_default().insert(*time);
        }
        periods.retain(|period, _| !covered.contains(period));
        let limit = usize::try_from(limit).unwrap();
        for (_, mut times) in periods.into_iter().rev().take(limit) {
            undecided.retain(|time| !times.contains(time));
            kept.extend(times.pop_last());
            removed.extend(times);
        }
    }
    removed.extend(undecided);
    removed
}

/// Times that fall together now and then, whatever the period.
fn snapshots() -> impl Strategy<Value = Vec<Candidate>> {
    let hours = prop_oneof![0i64..48, 0i64..24 * 40, 0i64..24 * 365 * 4];
    let time = (hours, 0i64..3).prop_map(|(hours, thirds)| {
        BackupTime::from_epoch(1_703_900_000 + hours * 3600 + thirds * 1200).unwrap()
    });
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1));
    prop::collection::btree_map(time, flags, 0..40).prop_map(|map| {
        let newest_first = map.into_iter().rev();
        newest_first
            .map(|(time, (is_finished, is_protected))| Candidate {
                time,
                is_finished,
                is_protected,
            })
            .collect()
    })
}

fn options() -> impl Strategy<Value = KeepOptions> {
    prop::array::uniform6(prop::option::of(0u64..5)).prop_map(|n| KeepOptions {
        last: n[0],
        hourly: n[1],
        daily: n[2],
        weekly: n[3],
        monthly: n[4],
        yearly: n[5],
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn two_formulations_of_the_keep_options_agree(options in options(), snapshots in snapshots()) {
        let marks = options.decide(&snapshots, Design::HARDENED);
        prop_assert_eq!(marks.len(), snapshots.len());
        let marked = snapshots.iter().zip(&marks);
        let goes = marked.filter(|(_, mark)| **mark == Mark::Goes);
        let removed: BTreeSet<BackupTime> = goes.map(|(snapshot, _)| snapshot.time).collect();
        if options == KeepOptions::default() {
            prop_assert!(removed.is_empty());
        } else {
            prop_assert_eq!(removed, removed_by(&options, &snapshots));
        }
    }

    #[test]
    fn protected_ones_stay_and_as_many_of_the_newest_as_the_options_say(
        options in options(),
        snapshots in snapshots(),
    ) {
        let marks = options.decide(&snapshots, Design::HARDENED);
        let finished = |s: &Candidate| s.is_finished && !s.is_protected;
        for (snapshot, mark) in snapshots.iter().zip(&marks) {
            prop_assert_eq!(*mark == Mark::Protected, snapshot.is_protected);
        }
        let newest = snapshots.iter().zip(&marks).filter(|(s, _)| finished(s));
        let last = usize::try_from(options.last.unwrap_or(0)).unwrap();
        prop_assert!(newest.take(last).all(|(_, mark)| *mark == Mark::Kept));
    }
}
