//! Divides the calls of a recording into the steps that our own operation took on the same tree.
//!
//! What changes something, and every lock that is taken or let go, must be the same with the same names in the same order. A call that only reads
//! belongs to a step between the changes around it: to one that made the same call, or else to one whose row has such a call.

use super::strace::Seen;
use super::{LOCKS, STORE};
use conformance::recording_sys::{Made, Recorded};
use specs::step::Call;

/// Something that only the original does in a recording, and why it stays out of the comparison.
pub(super) struct LeftOut {
    pub(super) calls: &'static [Call],
    /// What its path ends with, or contains before a `*`.
    pub(super) path: &'static str,
    pub(super) why: &'static str,
}

impl LeftOut {
    fn covers(&self, seen: &Seen) -> bool {
        let fits = match self.path.strip_suffix('*') {
            Some(begin) => seen.path.contains(begin),
            None => seen.path.ends_with(self.path),
        };
        fits && self.calls.contains(&seen.call)
    }
}

/// Our steps, with the calls of the recording in the place of ours. `ours` has the names of the recording.
pub(super) fn divide(
    what: &str,
    ours: &[(Recorded, Vec<Seen>)],
    theirs: Vec<Seen>,
    left_out: &[LeftOut],
) -> Result<Vec<Recorded>, String> {
    for left in left_out {
        let is_there = theirs.iter().any(|seen| left.covers(seen));
        assert!(is_there, "{what}: nothing to leave out: {}", left.why);
    }
    let is_compared = |seen: &Seen| !left_out.iter().any(|left| left.covers(seen));
    let theirs: Vec<Seen> = theirs.into_iter().filter(is_compared).collect();

    let mut our_effects: Vec<(usize, &Seen)> = Vec::new();
    for (step, (_, calls)) in ours.iter().enumerate() {
        let effects = calls.iter().filter(|seen| is_effect(seen));
        our_effects.extend(effects.map(|seen| (step, seen)));
    }
    let mut their_effects: Vec<(usize, &Seen)> = theirs
        .iter()
        .enumerate()
        .filter(|(_, seen)| is_effect(seen))
        .collect();
    normalize(&mut our_effects);
    normalize(&mut their_effects);
    let of = |effects: &[(usize, &Seen)]| -> Vec<String> {
        effects.iter().map(|(_, seen)| shown(seen)).collect()
    };
    let (our_list, their_list) = (of(&our_effects), of(&their_effects));
    let first = our_list
        .iter()
        .zip(&their_list)
        .position(|(a, b)| a != b)
        .unwrap_or(our_list.len().min(their_list.len()));
    if our_list != their_list {
        return Err(format!(
            "{what}: from change {first} on the recording has\n  {}\nand ours\n  {}",
            some(&their_list[first..]),
            some(&our_list[first..])
        ));
    }

    // The step of each change of theirs, and for what only reads the steps around it.
    let mut step_of = vec![None; theirs.len()];
    for ((step, _), (at, _)) in our_effects.iter().zip(&their_effects) {
        step_of[*at] = Some(*step);
    }
    let emptied = |(step, _): &(Recorded, Vec<Seen>)| Recorded {
        calls: Vec::new(),
        ..step.clone()
    };
    let mut divided: Vec<Recorded> = ours.iter().map(emptied).collect();
    for (at, seen) in theirs.iter().enumerate() {
        let step = step_of[at].unwrap_or_else(|| {
            // Changes of one kind may come in another order, so the step of neither neighbour is a strict border.
            let before = step_of[..at]
                .iter()
                .rev()
                .flatten()
                .next()
                .copied()
                .unwrap_or(0);
            let after = step_of[at..]
                .iter()
                .flatten()
                .next()
                .copied()
                .unwrap_or(ours.len() - 1);
            let between = before.min(after)..=before.max(after);
            let made = |step: &usize| {
                let same = |ours: &Seen| ours.call == seen.call && ours.path == seen.path;
                ours[*step].1.iter().any(same)
            };
            let has = |step: &usize| ours[*step].0.kind.row().calls.contains(&seen.call);
            let found = between
                .clone()
                .find(made)
                .or_else(|| between.clone().find(has));
            found.unwrap_or(before)
        });
        divided[step].calls.push(Made {
            call: seen.call,
            path: seen.path.clone().into(),
            is_ok: seen.is_ok,
        });
    }
    Ok(divided)
}

/// Whether others can see what a call has done, or it tells what is locked.
fn is_effect(seen: &Seen) -> bool {
    let is_lock = seen.path.starts_with(LOCKS);
    // What is written under a temporary name is seen when it is renamed.
    let is_in_place = !seen.path.contains(".tmp_");
    match seen.call {
        Call::Flock => true,
        Call::Open | Call::Close => seen.is_ok && is_lock,
        Call::Append | Call::Ftruncate | Call::Utimensat => seen.is_ok && is_in_place,
        Call::Create
        | Call::RecordLock
        | Call::Link
        | Call::Rename
        | Call::RenameNoReplace
        | Call::Unlink
        | Call::Mkdir
        | Call::Rmdir => seen.is_ok,
        Call::Fstat | Call::Stat | Call::ReadDir | Call::Read | Call::Now | Call::Mutex => false,
    }
}

/// What is written or emptied twice in a row counts once. Files that are unlinked one after the other, and chunks that are touched, come in
/// the order of a directory, which is another one on another file system.
fn normalize(effects: &mut Vec<(usize, &Seen)>) {
    let repeats = [Call::Append, Call::Ftruncate];
    effects.dedup_by(|a, b| a.1 == b.1 && repeats.contains(&a.1.call));
    let sorts = |seen: &Seen| {
        matches!(seen.call, Call::Unlink | Call::Utimensat) && seen.path.starts_with(STORE)
    };
    let same =
        |a: &(usize, &Seen), b: &(usize, &Seen)| sorts(a.1) && sorts(b.1) && a.1.call == b.1.call;
    for run in effects.chunk_by_mut(same) {
        run.sort_by(|a, b| a.1.cmp(b.1));
    }
}

/// The first ones of a list, a line each.
fn some(list: &[String]) -> String {
    list[..list.len().min(12)].join("\n  ")
}

fn shown(seen: &Seen) -> String {
    let busy = if seen.is_ok { "" } else { ", which failed" };
    format!("{:?} {}{busy}", seen.call, seen.path)
}
