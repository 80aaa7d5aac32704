//! Sessions that a full disk ends, and archives that are refused before anything is locked.

use super::*;

#[test]
fn full_disk_ends_the_session_and_leaves_nothing_of_it() {
    let room = |room| {
        let fixture = Fixture::new(Design::Hardened);
        fixture.cx.sys.room.set(room);
        let result = back_up(&fixture, OLD, &[archive(DRIVE, &[0, 1])]);
        let left = fixture.cx.sys.room.get();
        (result.map(drop).map_err(|e| e.to_string()), left, fixture)
    };
    let enough = 1_000_000;
    let (result, left, _) = room(Some(enough));
    result.unwrap();
    let needed = enough - left.unwrap();
    // Owner, first chunk, second chunk, index file, manifest, manifest with statistics.
    for short in [0, 4, 20, 60, 1000, needed - 300, needed - 1] {
        let (result, _, fixture) = room(Some(short));
        let message = result.unwrap_err();
        assert!(message.contains(OLD), "{message}");
        assert_eq!(fixture.below("ns/a"), ["vm"], "{short} bytes");
        let chunks = fixture.below(".chunks/5ca1");
        assert!(chunks.iter().all(|name| name.len() == 64), "{chunks:?}");
    }
}

#[test]
fn archives_that_cannot_be_are_refused_before_anything_is_locked() {
    let fixture = fixture(Design::Hardened);
    for archives in [
        vec![archive("drive.img", &[0])],
        vec![archive(DRIVE, &[0]), archive(DRIVE, &[1])],
    ] {
        let error = back_up(&fixture, OLD, &archives).unwrap_err();
        assert!(matches!(error, BackupError::Archive { .. }), "{error}");
        assert_eq!(steps(&fixture), "");
    }
}
