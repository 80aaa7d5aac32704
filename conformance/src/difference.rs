//! The first difference between two projections, in words.

use crate::projection::{
    Chunk, Holder, LockState, Manifest, Namespaces, OwnerFile, Projected, StoreHolder, Verified,
};
use specs::scenario::OWNERS;
use std::fmt;

impl Projected {
    /// The first field in which what was seen differs from what was expected, with both values; none if they are equal.
    pub fn first_difference(&self, expected: &Self) -> Option<String> {
        if self == expected {
            return None;
        }
        let directories = self.directories().into_iter().zip(expected.directories());
        for ((field, seen), (_, wanted)) in directories {
            if seen != wanted {
                let show = |mask| format!("namespaces {}", Bits(mask));
                return Some(sentence(field, &show(wanted), &show(seen)));
            }
        }
        for ((field, seen), (_, wanted)) in self.masks().into_iter().zip(expected.masks()) {
            if let Some(difference) = first_of(field, seen, wanted, |mask| {
                format!("namespaces {}", Bits(*mask))
            }) {
                return Some(difference);
            }
        }
        let files = first_of(
            "owner_names",
            &self.owner_names,
            &expected.owner_names,
            owner,
        )
        .or_else(|| first_of_manifests(&self.manifests, &expected.manifests))
        .or_else(|| first_of_chunks(&self.chunks, &expected.chunks));
        if files.is_some() {
            return files;
        }
        if self.journal != expected.journal {
            let show = |journal: &Option<Vec<u8>>| match journal {
                None => "no file".to_owned(),
                Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            };
            return Some(sentence(
                "journal",
                &show(&expected.journal),
                &show(&self.journal),
            ));
        }
        if self.locks.len() != expected.locks.len() {
            let count = |locks: &Vec<LockState>| format!("{} locks", locks.len());
            return Some(sentence(
                "lock_files",
                &count(&expected.locks),
                &count(&self.locks),
            ));
        }
        for (seen, wanted) in self.locks.iter().zip(&expected.locks) {
            if let Some(difference) = seen.difference(wanted) {
                return Some(difference);
            }
        }
        let rest = [
            (
                "unknown_locks",
                self.unknown_locks.to_string(),
                expected.unknown_locks.to_string(),
            ),
            (
                "flag",
                flag_file(self.flag).to_owned(),
                flag_file(expected.flag).to_owned(),
            ),
            (
                "store_holders",
                show_processes(&self.store_holders),
                show_processes(&expected.store_holders),
            ),
            (
                "store_modes",
                show_modes(&self.store_holders),
                show_modes(&expected.store_holders),
            ),
            (
                "gc_slots",
                format!("processes {}", Bits(self.gc_slots)),
                format!("processes {}", Bits(expected.gc_slots)),
            ),
            (
                "ended",
                format!("actors {}", Bits(self.ends.ended)),
                format!("actors {}", Bits(expected.ends.ended)),
            ),
            (
                "failed",
                format!("actors {}", Bits(self.ends.failed)),
                format!("actors {}", Bits(expected.ends.failed)),
            ),
        ];
        rest.into_iter()
            .find(|(_, seen, wanted)| seen != wanted)
            .map(|(field, seen, wanted)| sentence(field, &wanted, &seen))
    }
}

impl LockState {
    fn difference(&self, expected: &Self) -> Option<String> {
        let name = |field: &str| format!("{field}[{}]", expected.lock.describe());
        if self.lock != expected.lock {
            return Some(sentence(
                "lock_files",
                &expected.lock.describe(),
                &self.lock.describe(),
            ));
        }
        if self.has_file != expected.has_file {
            let show = |has_file| if has_file { "a file" } else { "no file" };
            return Some(sentence(
                &name("lock_files"),
                show(expected.has_file),
                show(self.has_file),
            ));
        }
        if self.holders != expected.holders {
            let places = |holders: &[Holder]| -> Vec<_> {
                holders.iter().map(|h| (h.process, h.is_at_path)).collect()
            };
            let field = if places(&self.holders) == places(&expected.holders) {
                "lock_modes"
            } else {
                "lock_holders"
            };
            let show = |holders: &[Holder]| match holders {
                [] => "nobody".to_owned(),
                holders => holders
                    .iter()
                    .map(Holder::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            return Some(sentence(
                &name(field),
                &show(&expected.holders),
                &show(&self.holders),
            ));
        }
        None
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_at_path {
            "the file at the path"
        } else {
            "a file that is no longer there"
        };
        let mode = if self.is_shared { ", shared" } else { "" };
        write!(f, "process {} on {place}{mode}", self.process.0)
    }
}

/// A set as a list of numbers.
struct Bits(u8);

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<u8> = (0..8).filter(|bit| self.0 & 1 << bit != 0).collect();
        write!(f, "{set:?}")
    }
}

fn owner(file: &OwnerFile) -> String {
    match file {
        OwnerFile::Missing => "no file".to_owned(),
        OwnerFile::Empty => "an empty file".to_owned(),
        OwnerFile::Owner(owner) => OWNERS[usize::from(*owner)].to_owned(),
        OwnerFile::Unknown => "nobody that is known".to_owned(),
    }
}

const fn flag_file(is_there: Option<bool>) -> &'static str {
    match is_there {
        None => "none that could be there",
        Some(false) => "no file",
        Some(true) => "a file",
    }
}

fn show_processes(holders: &[StoreHolder]) -> String {
    let processes: Vec<_> = holders.iter().map(|holder| holder.process.0).collect();
    format!("processes {processes:?}")
}

fn show_modes(holders: &[StoreHolder]) -> String {
    let mode = |holder: &StoreHolder| {
        let mode = if holder.is_shared {
            "shared"
        } else {
            "exclusive"
        };
        format!("process {} {mode}", holder.process.0)
    };
    holders.iter().map(mode).collect::<Vec<_>>().join(", ")
}

fn first_of_manifests(seen: &[Manifest], wanted: &[Manifest]) -> Option<String> {
    let places = |manifests: &[Manifest]| -> Vec<Namespaces> {
        manifests
            .iter()
            .map(|manifest| manifest.namespaces)
            .collect()
    };
    first_of("manifests", &places(seen), &places(wanted), |mask| {
        format!("namespaces {}", Bits(*mask))
    })
    .or_else(|| {
        first_of("manifest_contents", seen, wanted, |manifest| {
            let Some(says) = manifest.says else {
                return "nothing that can be used".to_owned();
            };
            let verified = match says.verified {
                Verified::Never => "",
                Verified::Ok => ", verified",
                Verified::Failed => ", failed verification",
            };
            let statistics = if says.statistics { ", statistics" } else { "" };
            let notes = if says.notes { ", notes" } else { "" };
            format!("the index files{statistics}{verified}{notes}")
        })
    })
}

fn first_of_chunks(seen: &[Chunk], wanted: &[Chunk]) -> Option<String> {
    fn part<T>(chunks: &[Chunk], of: impl Fn(&Chunk) -> T) -> Vec<T> {
        chunks.iter().map(of).collect()
    }
    let files = |chunks: &[Chunk]| part(chunks, |chunk| chunk.file);
    let corrupt = |chunks: &[Chunk]| part(chunks, |chunk| chunk.is_corrupt);
    let bad = |chunks: &[Chunk]| part(chunks, |chunk| chunk.bad);
    first_of("chunks", &files(seen), &files(wanted), |file| {
        format!("{file:?}")
    })
    .or_else(|| {
        first_of("corrupt_chunks", &corrupt(seen), &corrupt(wanted), |is| {
            if *is { "corrupt" } else { "not corrupt" }.to_owned()
        })
    })
    .or_else(|| {
        first_of("bad_chunks", &bad(seen), &bad(wanted), |files| {
            format!("{files:?}")
        })
    })
}

fn first_of<T: PartialEq>(
    field: &str,
    seen: &[T],
    wanted: &[T],
    show: impl Fn(&T) -> String,
) -> Option<String> {
    if seen.len() != wanted.len() {
        return Some(sentence(
            field,
            &format!("{} values", wanted.len()),
            &format!("{} values", seen.len()),
        ));
    }
    let at = seen.iter().zip(wanted).position(|(s, w)| s != w)?;
    Some(sentence(
        &format!("{field}[{at}]"),
        &show(&wanted[at]),
        &show(&seen[at]),
    ))
}

fn sentence(field: &str, expected: &str, seen: &str) -> String {
    format!("{field}: expected {expected}, saw {seen}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{Lock, Says};
    use specs::id::Process;
    use specs::{Design, Scenario};

    fn sample() -> Projected {
        let scenario = Scenario::named("one_move_meets_gc").unwrap();
        let lock = |lock| LockState {
            lock,
            has_file: false,
            holders: vec![Holder {
                process: Process(1),
                is_at_path: true,
                is_shared: true,
            }],
        };
        Projected {
            snapshots: vec![2],
            indexes: vec![2],
            temporaries: vec![0],
            manifests: vec![Manifest {
                namespaces: 2,
                says: Some(Says::default()),
            }],
            protected: vec![0],
            groups: vec![2],
            owners: vec![2],
            owner_names: vec![OwnerFile::Owner(0)],
            notes: vec![0],
            chunks: vec![Chunk::default(); 2],
            locks: Lock::all(scenario, Design::HARDENED)
                .into_iter()
                .map(lock)
                .collect(),
            store_holders: vec![StoreHolder {
                process: Process(0),
                is_shared: true,
            }],
            ..Projected::default()
        }
    }

    #[test]
    fn every_field_is_compared_and_named() {
        let expected = sample();
        assert_eq!(expected.first_difference(&expected), None);
        for field in Projected::FIELDS {
            let mut seen = expected.clone();
            assert!(seen.corrupt(field), "{field}");
            let difference = seen.first_difference(&expected).unwrap();
            assert!(difference.starts_with(field), "{field}: {difference}");
            let has_changed = |field: &&&str| seen.value(field) != expected.value(field);
            let changed: Vec<&&str> = Projected::FIELDS.iter().filter(has_changed).collect();
            assert!(changed.contains(&field), "{field}: {changed:?}");
        }
    }

    #[test]
    fn a_holder_elsewhere_or_of_another_process_is_told_from_one_that_holds_in_another_mode() {
        let expected = sample();
        let seen_as = |change: fn(&mut Holder)| {
            let mut seen = expected.clone();
            change(&mut seen.locks[0].holders[0]);
            seen.first_difference(&expected).unwrap()
        };
        let elsewhere = seen_as(|holder| holder.is_at_path = false);
        let other = seen_as(|holder| holder.process = Process(0));
        let mode = seen_as(|holder| holder.is_shared = false);
        assert!(elsewhere.starts_with("lock_holders["), "{elsewhere}");
        assert!(other.starts_with("lock_holders["), "{other}");
        assert!(mode.starts_with("lock_modes["), "{mode}");
    }
}
