//! Which lock a file is, by its path and the places that the lock classes say of themselves.
//!
//! A place reads `<locks>/<store>/[<ns>/]<type>-<id>`: what stands in angle brackets is a name without a slash; where a
//! place joins names by hyphens, every name but that of a namespace is escaped so that it has none. What stands in square
//! brackets may be missing; with two dots at its end it may be there any number of times. A class that has two places
//! has a semicolon between them, and some words.

use specs::LockClass;
use specs::lock_class::CLASSES;
use std::path::{Path, PathBuf};

/// The two directories that places begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The datastore.
    pub store: PathBuf,
    /// The lock directory of the datastore.
    pub locks: PathBuf,
}

impl Roots {
    /// The class of the lock whose file lies there, or whose directory it is. Of several, the one that leaves the least
    /// open.
    pub fn class_of(&self, path: &Path) -> Option<LockClass> {
        let places = CLASSES.iter().flat_map(|class| {
            let places = class.path.split(';');
            places.filter_map(|place| Some((class.class, &place[place.find('<')?..])))
        });
        let fitting = places.filter(|(_, place)| {
            let below = |root: &Path, place: &str| {
                let rest = path.strip_prefix(root).ok().and_then(Path::to_str);
                rest.is_some_and(|rest| fits(place, rest, place.contains(">-")))
            };
            if let Some(place) = place.strip_prefix("<datastore>/") {
                below(&self.store, place)
            } else if let Some(place) = place.strip_prefix("<locks>/<store>/") {
                below(&self.locks, place)
            } else {
                false
            }
        });
        let fixed = |place: &str| {
            place
                .split(['<', '>'])
                .step_by(2)
                .map(str::len)
                .sum::<usize>()
        };
        fitting
            .max_by_key(|(_, place)| fixed(place))
            .map(|(class, _)| class)
    }
}

/// Whether a path is one of a place, whose names are escaped or not.
fn fits(place: &str, path: &str, are_escaped: bool) -> bool {
    if let Some((maybe, rest)) = place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        let once_more = match maybe.strip_suffix("..") {
            Some(again) => format!("{again}{place}"),
            None => format!("{maybe}{rest}"),
        };
        return fits(rest, path, are_escaped) || fits(&once_more, path, are_escaped);
    }
    if let Some((what, rest)) = place.strip_prefix('<').and_then(|p| p.split_once('>')) {
        let is_end = |c| c == '/' || c == '-' && what != "ns" && are_escaped;
        let name = path.find(is_end).unwrap_or(path.len());
        let ends = path.char_indices().map(|(at, c)| at + c.len_utf8());
        return ends
            .take_while(|end| *end <= name)
            .any(|end| fits(rest, &path[end..], are_escaped));
    }
    match (place.chars().next(), path.chars().next()) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b => {
            fits(&place[a.len_utf8()..], &path[b.len_utf8()..], are_escaped)
        }
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_lock_file_tells_its_class() {
        let roots = Roots {
            store: "/srv/s".into(),
            locks: "/run/locks/s".into(),
        };
        for (path, class) in [
            ("/srv/s/.lock", Some(LockClass::Store)),
            ("/srv/s/vm/100", Some(LockClass::GroupDirectory)),
            ("/srv/s/ns/a/ns/b/host/a-b", Some(LockClass::GroupDirectory)),
            (
                "/srv/s/vm/100/2026-07-14T04:33:20Z",
                Some(LockClass::SnapshotDirectory),
            ),
            (
                "/srv/s/ns/a/ns/b/vm/100/2026-07-14T04:33:20Z",
                Some(LockClass::SnapshotDirectory),
            ),
            ("/srv/s/vm/100/2026-07-14T04:33:20Z/owner", None),
            (
                "/run/locks/s/ns/a/vm/100/2026-07-14T04:33:20Z/2026-07-14T04:33:20Z.index.json.lck",
                Some(LockClass::Manifest),
            ),
            (
                "/run/locks/s/vm/100/2026-07-14T04:33:20Z.index.json.lck",
                None,
            ),
            ("/run/locks/s/move-journal", Some(LockClass::MoveJournal)),
            ("/run/locks/s/vm-100", Some(LockClass::Group)),
            ("/run/locks/s/a/vm-100", Some(LockClass::Group)),
            ("/run/locks/s/a-b:c/vm-100", Some(LockClass::Group)),
            (
                r"/run/locks/s/a:b/vm-100-2026\x2d07",
                Some(LockClass::Snapshot),
            ),
            (
                r"/run/locks/s/vm-100-2026\x2d07-.index.json.lck",
                Some(LockClass::Manifest),
            ),
            (
                "/run/locks/s/.chunks/5ca1/5ca124",
                Some(LockClass::ChunkFile),
            ),
            ("/run/locks/s/vm-100-a-b-c", None),
            ("/elsewhere/vm-100", None),
        ] {
            assert_eq!(roots.class_of(Path::new(path)), class, "{path}");
        }
    }
}
