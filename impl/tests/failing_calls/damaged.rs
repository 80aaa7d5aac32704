//! A damaged index file ends a collection before anything is removed, wherever the file lies.

use crate::cases::{PLACES, add_index, fill};
use crate::common::collection::gc;
use crate::common::{Fixture, NEW, OLD, tree};
use specs::Design;
use std::fs;

type Damage = fn(&mut Vec<u8>);

/// What can become of the bytes of an index file.
const DAMAGES: &[(&str, Damage)] = &[
    ("empty", Vec::clear),
    ("half of the header", |bytes| bytes.truncate(2048)),
    ("half of an entry", |bytes| bytes.truncate(4096 + 20)),
    ("no entry", |bytes| bytes.truncate(4096)),
    ("all zero", |bytes| bytes.fill(0)),
    ("another magic number", |bytes| bytes[0] ^= 1),
    ("another checksum", |bytes| bytes[32] ^= 1),
    ("another digest", |bytes| *bytes.last_mut().unwrap() ^= 1),
    ("an entry more", |bytes| bytes.extend_from_within(4096..)),
];

#[test]
fn damaged_index_file_ends_a_collection_wherever_it_lies() {
    let in_snapshots = [OLD, NEW].map(|time| format!("ns/a/vm/100/{time}/drive.img.fidx"));
    let places = PLACES.iter().map(|place| (*place).to_owned());
    for place in places.chain(in_snapshots) {
        for (what, damage) in DAMAGES {
            let fixture = Fixture::new(Design::HARDENED);
            fill(&fixture);
            if PLACES.contains(&place.as_str()) {
                add_index(&fixture, &place);
            }
            let path = fixture.path(&place);
            if place == PLACES[0] {
                let line = format!("{}\n", path.display());
                fs::write(fixture.store.layout().journal(), line).unwrap();
            }
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let chunks = tree(fixture.store.chunks().directory());
            let error = gc(&fixture).expect_err(&format!("{place} has {what}"));
            let error = error.to_string();
            assert!(error.contains(&place), "{place} has {what}: {error}");
            assert_eq!(tree(fixture.store.chunks().directory()), chunks, "{place}");
        }
    }
}
