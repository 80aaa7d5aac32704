//! Which snapshots of a group the keep options keep.
//!
//! Proxmox Backup cuts time into hours, days and so on by the clock of the host; here it is UTC, so
//! that the same list has the same answer everywhere.
//!
//! 1. A protected snapshot is kept and counts for nothing.
//! 2. The newest snapshot is kept if it has no manifest, since it may be running. Any other without
//!    a manifest goes. Neither counts.
//! 3. The options decide one after the other: last, hours, days, weeks, months, years. Each looks at
//!    what is undecided, newest first. A period that has a snapshot which an option before it kept
//!    is covered, and does not count. Of every other period the newest snapshot is kept and the rest
//!    goes, until there are as many periods as the option says.
//! 4. What no option has decided about goes. Without any option, everything is kept.

use crate::paths::BackupTime;
use specs::Design;
use specs::design::Change;
use std::collections::BTreeSet;
use time::UtcDateTime;

/// How many snapshots are kept; none leaves the option out. An option of 0 keeps none, so that without another one every
/// snapshot goes that is not protected; Proxmox Backup refuses it, and so should whoever asks a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepOptions {
    /// The newest ones.
    pub last: Option<u64>,
    /// The newest one of each of so many hours.
    pub hourly: Option<u64>,
    /// The newest one of each of so many days.
    pub daily: Option<u64>,
    /// The newest one of each of so many weeks, which begin on Monday.
    pub weekly: Option<u64>,
    /// The newest one of each of so many months.
    pub monthly: Option<u64>,
    /// The newest one of each of so many years.
    pub yearly: Option<u64>,
}

/// A snapshot, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its backup time.
    pub time: BackupTime,
    /// Whether it has a manifest.
    pub is_finished: bool,
    /// Whether it is protected.
    pub is_protected: bool,
}

/// What is to become of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It stays: it is protected.
    Protected,
    /// It stays: it is the newest one and not finished, so that it may be running.
    Unfinished,
    /// It stays: an option keeps it.
    Kept,
    /// It is removed.
    Goes,
}

type Period = fn(BackupTime) -> i64;

impl KeepOptions {
    /// The options in the order in which they decide.
    fn rules(&self) -> [(Option<u64>, Period); 6] {
        [
            (self.last, BackupTime::epoch),
            (self.hourly, |time| time.epoch().div_euclid(3600)),
            (self.daily, day),
            // Day 0 was a Thursday.
            (self.weekly, |time| (day(time) + 3).div_euclid(7)),
            (self.monthly, |time| {
                let date = date(time);
                i64::from(date.year()) * 12 + i64::from(u8::from(date.month()))
            }),
            (self.yearly, |time| date(time).year().into()),
        ]
    }

    /// A mark for each snapshot; they are given newest first, and no two have the same time.
    pub fn decide(&self, snapshots: &[Candidate], design: Design) -> Vec<Mark> {
        let rules = self.rules();
        if rules.iter().all(|(keep, _)| keep.is_none()) {
            let mark = |snapshot: &Candidate| {
                if snapshot.is_protected {
                    Mark::Protected
                } else {
                    Mark::Kept
                }
            };
            return snapshots.iter().map(mark).collect();
        }
        let counts_unfinished = design.has(Change::PruneCountsUnfinished);
        let before_rules = |(i, snapshot): (usize, &Candidate)| {
            if snapshot.is_protected {
                Some(Mark::Protected)
            } else if snapshot.is_finished || (i == 0 && counts_unfinished) {
                None
            } else if i == 0 {
                Some(Mark::Unfinished)
            } else {
                Some(Mark::Goes)
            }
        };
        let mut marks: Vec<Option<Mark>> = snapshots.iter().enumerate().map(before_rules).collect();
        for (keep, period) in rules {
            if let Some(keep) = keep {
                apply(keep, period, snapshots, &mut marks);
            }
        }
        let mut marks: Vec<Mark> = marks
            .into_iter()
            .map(|mark| mark.unwrap_or(Mark::Goes))
            .collect();
        if let (Some(newest), Some(mark)) = (snapshots.first(), marks.first_mut())
            && !newest.is_finished
            && *mark == Mark::Goes
        {
            *mark = Mark::Unfinished;
        }
        marks
    }
}

/// One option decides about what is undecided.
fn apply(keep: u64, period: Period, snapshots: &[Candidate], marks: &mut [Option<Mark>]) {
    let covered: BTreeSet<i64> = snapshots
        .iter()
        .zip(&*marks)
        .filter(|(_, mark)| **mark == Some(Mark::Kept))
        .map(|(snapshot, _)| period(snapshot.time))
        .collect();
    let mut chosen = None;
    let mut left = keep;
    for (snapshot, mark) in snapshots.iter().zip(marks) {
        let period = period(snapshot.time);
        if mark.is_some() || covered.contains(&period) {
            continue;
        }
        if chosen == Some(period) {
            *mark = Some(Mark::Goes);
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        chosen = Some(period);
        *mark = Some(Mark::Kept);
    }
}

fn day(time: BackupTime) -> i64 {
    time.epoch().div_euclid(24 * 3600)
}

fn date(time: BackupTime) -> time::Date {
    // The time of a snapshot is one of the years 0 to 9999.
    UtcDateTime::from_unix_timestamp(time.epoch())
        .unwrap_or(UtcDateTime::UNIX_EPOCH)
        .date()
}
