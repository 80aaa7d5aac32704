//! The first difference between two projections, in words; and the corruption of one field, to test that it is seen.

use crate::projection::{ChunkFile, Holder, LockState, Namespaces, Projected};
use specs::id::Process;
use std::fmt;

impl Projected {
    /// Changes one field, for the test that every field is compared; false if the scenario has nothing of that kind.
    pub fn corrupt(&mut self, field: &str) -> bool {
        let flip = |masks: &mut Vec<Namespaces>| masks.first_mut().map(|mask| *mask ^= 1).is_some();
        match field {
            "snapshots" => flip(&mut self.snapshots),
            "indexes" => flip(&mut self.indexes),
            "groups" => flip(&mut self.groups),
            "owners" => flip(&mut self.owners),
            "notes" => flip(&mut self.notes),
            "chunks" => match self.chunks.first_mut() {
                Some(chunk) => {
                    *chunk = match chunk {
                        ChunkFile::Missing | ChunkFile::Fresh => ChunkFile::Old,
                        ChunkFile::Old => ChunkFile::Fresh,
                    };
                    true
                }
                None => false,
            },
            "journal" => {
                self.journal = match self.journal.take() {
                    None => Some(Vec::new()),
                    Some(mut bytes) => {
                        bytes.push(b'\n');
                        Some(bytes)
                    }
                };
                true
            }
            "lock_files" => self
                .locks
                .first_mut()
                .map(|lock| lock.has_file ^= true)
                .is_some(),
            "lock_holders" => match self.locks.first_mut() {
                Some(lock) => {
                    match lock.holders.pop() {
                        Some(_) => {}
                        None => lock.holders.push(Holder {
                            process: Process(0),
                            is_at_path: true,
                        }),
                    }
                    true
                }
                None => false,
            },
            "unknown_locks" => {
                self.unknown_locks += 1;
                true
            }
            "store_holders" => {
                match self.store_holders.pop() {
                    Some(_) => {}
                    None => self.store_holders.push(Process(0)),
                }
                true
            }
            "gc_slots" => {
                self.gc_slots ^= 1;
                true
            }
            "ended" => {
                self.ended ^= 1;
                true
            }
            _ => false,
        }
    }

    /// The first field in which what was seen differs from what was expected, with both values; none if they are equal.
    pub fn first_difference(&self, expected: &Self) -> Option<String> {
        if self == expected {
            return None;
        }
        let masks = [
            ("snapshots", &self.snapshots, &expected.snapshots),
            ("indexes", &self.indexes, &expected.indexes),
            ("groups", &self.groups, &expected.groups),
            ("owners", &self.owners, &expected.owners),
            ("notes", &self.notes, &expected.notes),
        ];
        for (field, seen, wanted) in masks {
            if let Some(difference) = first_of(field, seen, wanted, |mask| {
                format!("namespaces {}", Bits(*mask))
            }) {
                return Some(difference);
            }
        }
        if let Some(difference) = first_of("chunks", &self.chunks, &expected.chunks, |c| {
            format!("{c:?}")
        }) {
            return Some(difference);
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
                "store_holders",
                show_processes(&self.store_holders),
                show_processes(&expected.store_holders),
            ),
            (
                "gc_slots",
                format!("processes {}", Bits(self.gc_slots)),
                format!("processes {}", Bits(expected.gc_slots)),
            ),
            (
                "ended",
                format!("actors {}", Bits(self.ended)),
                format!("actors {}", Bits(expected.ended)),
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
            let show = |holders: &[Holder]| match holders {
                [] => "nobody".to_owned(),
                holders => holders
                    .iter()
                    .map(Holder::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            return Some(sentence(
                &name("lock_holders"),
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
        write!(f, "process {} on {place}", self.process.0)
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

fn show_processes(processes: &[Process]) -> String {
    format!(
        "processes {:?}",
        processes.iter().map(|p| p.0).collect::<Vec<_>>()
    )
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
    use crate::projection::Lock;
    use specs::Scenario;

    fn sample() -> Projected {
        let scenario = Scenario::named("one_move_meets_gc").unwrap();
        let lock = |lock| LockState {
            lock,
            has_file: false,
            holders: Vec::new(),
        };
        Projected {
            snapshots: vec![2],
            indexes: vec![2],
            groups: vec![2],
            owners: vec![2],
            notes: vec![0],
            chunks: vec![ChunkFile::Old; 2],
            locks: Lock::all(scenario).into_iter().map(lock).collect(),
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
        }
    }
}
