//! Long inputs against references: every parser and every append, with lengths around the sizes of buffers and pages.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

mod common;

use common::{Fixture, OLD, group, owner, snapshot};
use datastore::blob;
use datastore::index::{Digest, Index};
use datastore::journal::{self, Journal};
use datastore::manifest::{self, Manifest};
use datastore::ops::set_owner;
use datastore::sys::{Access, CreateMode};
use datastore::temporary::replace_file;
use datastore::{LinuxSys, Sys};
use proptest::prelude::*;
use specs::Design;
use std::fs;
use std::path::PathBuf;

const CREATE: CreateMode = CreateMode {
    mode: 0o644,
    owner: None,
};

/// Lengths near those of pages and buffers, and any others.
fn length() -> impl Strategy<Value = usize> {
    let border = prop::sample::select(vec![0usize, 4096, 8192, 12_288, 16_384, 65_536]);
    let near = (border, 0usize..5).prop_map(|(border, more)| (border + more).saturating_sub(2));
    prop_oneof![near, 0usize..20_000]
}

/// Lines of a journal, together perhaps longer than a page.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = (length(), "[a-z]{1,8}")
        .prop_map(|(length, name)| format!("/store/{}/{name}.fidx\n", "x".repeat(length % 3000)));
    prop::collection::vec(line, 0..12)
}

/// What an append that was cut short has left: anything without the end of a line.
fn torn() -> impl Strategy<Value = Vec<u8>> {
    (length(), any::<u8>()).prop_map(|(length, byte)| {
        let byte = if byte == b'\n' { b'/' } else { byte };
        vec![byte; length]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A torn tail goes, however long it is, and nothing else does.
    #[test]
    fn append_to_a_journal_keeps_every_line(lines in lines(), torn in torn(), new in lines()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("move-journal");
        let before = [lines.concat().as_bytes(), &torn].concat();
        let new = new.concat().into_bytes();
        for design in [Design::HARDENED, Design::UPSTREAM] {
            fs::write(&path, &before).unwrap();
            let mut journal = Journal::lock(&LinuxSys, path.clone(), CREATE).unwrap();
            journal.append(&new, design).unwrap();
            prop_assert_eq!(journal.read().unwrap(), fs::read(&path).unwrap());
            let kept = if design == Design::HARDENED { lines.concat().into_bytes() } else { before.clone() };
            prop_assert_eq!(fs::read(&path).unwrap(), [kept, new.clone()].concat());
        }
    }

    /// The entries, by a walk over the bytes.
    #[test]
    fn entries_of_a_long_journal_are_its_lines(
        lines in prop::collection::vec(("[ \t\u{2003}]{0,3}", lines(), "[ \t\r]{0,3}"), 0..6),
        torn in torn(),
    ) {
        let mut content = Vec::new();
        let mut expected = Vec::new();
        let mut number = 0;
        for (before, entries, after) in &lines {
            for entry in entries.iter().map(String::as_str).chain(["\n"]) {
                number += 1;
                let path = entry.trim_end_matches('\n');
                if !path.is_empty() {
                    expected.push((number, content.len(), PathBuf::from(path)));
                }
                content.extend(format!("{before}{path}{after}\n").into_bytes());
            }
        }
        content.extend(&torn);
        let found = journal::entries(&content, Design::HARDENED).unwrap();
        let found: Vec<_> = found.iter().map(|e| (e.line, e.offset, e.path.to_owned())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn long_index_reads_back_and_no_part_of_it_is_one(
        count in 1usize..3000,
        seed in any::<u8>(),
        at in any::<prop::sample::Index>(),
        is_fixed in any::<bool>(),
    ) {
        let digests: Vec<Digest> = (0..count).map(|n| Digest::of(&[n.to_le_bytes(), [seed; 8]].concat())).collect();
        let ends = (1..).map(|n| n * 19);
        let entries: Vec<(u64, Digest)> = ends.zip(digests.iter().copied()).collect();
        let bytes = if is_fixed {
            Index::encode_fixed([1; 16], 0, 19 * count as u64, 19, &digests)
        } else {
            Index::encode_dynamic([1; 16], 0, &entries)
        };
        let index = Index::decode(bytes.clone()).unwrap();
        prop_assert_eq!(index.digests().collect::<Vec<_>>(), digests);
        prop_assert_eq!(index.size(), 19 * count as u64);
        let cut = at.index(bytes.len());
        prop_assert!(Index::decode(bytes[..cut].to_vec()).is_err(), "{cut} of {} bytes", bytes.len());
        let mut flipped = bytes.clone();
        let entry = 4096 + at.index(bytes.len() - 4096);
        flipped[entry] ^= 0x04;
        prop_assert!(Index::decode(flipped).is_err());
    }

    #[test]
    fn long_blob_reads_back_and_no_part_of_it_does(
        length in length(), times in 1usize..20, seed in any::<u64>(), at in any::<prop::sample::Index>(),
    ) {
        // Neither all alike nor all different.
        let data: Vec<u8> = (0..(length * times) as u64)
            .map(|n| (n.wrapping_mul(seed | 1) >> (8 + n % 3)).to_le_bytes()[0])
            .collect();
        for blob in [blob::encode(&data).unwrap(), blob::encode_plain(&data).unwrap()] {
            prop_assert_eq!(&blob::decode(&blob).unwrap(), &data);
            let cut = at.index(blob.len());
            prop_assert!(blob::decode(&blob[..cut]).is_err(), "{cut} of {} bytes", blob.len());
        }
    }

    #[test]
    fn long_manifest_reads_back(files in 0usize..400, notes in length()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.json.blob");
        let mut manifest = Manifest::new(&snapshot(&group("a", "vm/100"), OLD));
        for n in 0..files {
            manifest.add_file(&format!("drive-{n}.img.fidx"), n as u64, Digest::of(&n.to_le_bytes()));
        }
        manifest.set_notes(&"n\u{f6}".repeat(notes));
        manifest.write(&LinuxSys, &path, CREATE).unwrap();
        prop_assert_eq!(manifest::read(&LinuxSys, &path).unwrap(), manifest);
    }

    #[test]
    fn file_of_any_length_is_written_and_read_whole(length in length(), offset in length(), room in 1usize..9000) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let data: Vec<u8> = (0..length).map(|n| (n % 251).to_le_bytes()[0]).collect();
        replace_file(&LinuxSys, &path, CREATE, &data).unwrap();
        prop_assert_eq!(&fs::read(&path).unwrap(), &data);
        let file = LinuxSys.open(&path, Access::Read).unwrap();
        let from = offset.min(length);
        prop_assert_eq!(LinuxSys.read(&file, offset as u64).unwrap(), &data[from..]);
        let mut buffer = vec![0; room];
        let read = LinuxSys.pread(&file, &mut buffer, offset as u64).unwrap();
        prop_assert_eq!(&buffer[..read], &data[from..length.min(from + room)]);
    }
}

/// White space around an owner counts for nothing, however much there is; the name itself may be long.
#[test]
fn owner_file_of_any_length_is_read() {
    for (space, name) in [(0, 1), (5000, 1), (1, 5000), (9000, 9000)] {
        let fixture = Fixture::new(Design::HARDENED);
        let group = group("a", "vm/100");
        fixture.add(&snapshot(&group, OLD), &[1]);
        let old = format!("{}@pam", "u".repeat(name));
        let space = " \n".repeat(space);
        let path = fixture.path(&group).join("owner");
        fs::write(&path, format!("{space}{old}{space}")).unwrap();
        let settings = set_owner::Settings {
            group: group.clone(),
            owner: owner("b@pbs"),
        };
        set_owner::run(&fixture.cx, &fixture.store, &settings).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b@pbs\n");
        // The name is read to its end: another one that begins alike is another owner.
        fs::write(&path, &old).unwrap();
        let there = path.clone();
        let other = format!("{old}x");
        let label = format!("set_owner.recheck_owner({group})");
        fixture
            .cx
            .sys
            .at(label, move || fs::write(there, other).unwrap());
        let error = set_owner::run(&fixture.cx, &fixture.store, &settings).unwrap_err();
        assert!(
            matches!(error, set_owner::SetOwnerError::Changed { .. }),
            "{error}"
        );
    }
}
