//! Sessions that a full disk ends, archives that are refused before anything is locked, a manifest that somebody keeps locked,
//! and a collection in the middle of a session.

use super::*;

#[test]
fn full_disk_ends_the_session_and_leaves_nothing_of_it() {
    let room = |room| {
        let fixture = Fixture::new(Design::HARDENED);
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
    let fixture = fixture(Design::HARDENED);
    for archives in [
        vec![archive("drive.img", &[0])],
        vec![archive("", &[0])],
        vec![archive(".drive.img.fidx", &[0])],
        vec![archive("a/drive.img.fidx", &[0])],
        vec![archive("/drive.img.fidx", &[0])],
        vec![archive("drive img.fidx", &[0])],
        vec![archive("dr\u{ef}ve.img.fidx", &[0])],
        vec![archive("drive.img.fidx\n", &[0])],
        vec![archive(DRIVE, &[0]), archive(DRIVE, &[1])],
    ] {
        let error = back_up(&fixture, OLD, &archives).unwrap_err();
        assert!(matches!(error, BackupError::Archive { .. }), "{error}");
        assert_eq!(steps(&fixture), "");
    }
}

#[test]
fn backup_that_cannot_lock_its_manifest_leaves_a_snapshot_that_is_whole() {
    let fixture = fixture(Design::HARDENED);
    let lock = fixture.hold(
        fixture.store.layout().manifest_lock(&at(NEW)),
        Mode::Exclusive,
    );
    let error = back_up(&fixture, NEW, &[archive(DRIVE, &[0])]).unwrap_err();
    let left = "the manifest of ns/a/vm/100/";
    assert!(
        matches!(&error, BackupError::LeftRemains { remains, .. } if remains.is_busy() && remains.to_string().contains(left)),
        "{error}"
    );
    let refused =
        "lock_manifest(N) = TimedOut\nforget_snapshot.lock_manifest(N) = TimedOut\nrelease_all";
    let log = steps(&fixture);
    assert!(log.ends_with(refused), "{log}");
    assert!(fixture.store.layout().manifest_lock(&at(NEW)).exists());
    drop(lock);
    let report = back_up(&fixture, LATEST, &[archive(DRIVE, &[0])]).unwrap();
    assert_eq!(report.previous, Some(at(NEW)), "it is as good as any");
    assert_eq!(report.reused_chunks, 1);
}

#[test]
fn snapshot_without_a_manifest_is_removed_whoever_has_the_lock_of_that() {
    let fixture = fixture(Design::HARDENED);
    let path = fixture.store.layout().manifest_lock(&at(NEW));
    let lock = fixture.hold(path.clone(), Mode::Exclusive);
    let error = back_up_until(&fixture, NEW, &[archive(DRIVE, &[0])], Some(0)).unwrap_err();
    assert!(matches!(error, BackupError::ClientLeft(_)), "{error}");
    let log = steps(&fixture);
    assert!(
        log.contains("forget_snapshot.lock_manifest(N) = TimedOut\n"),
        "{log}"
    );
    assert!(!log.contains("unlink_manifest_lock"), "{log}");
    assert!(fixture.below("ns/a/vm").is_empty());
    assert!(path.exists(), "it is that of its holder");
    drop(lock);
}
#[test]
fn group_with_a_snapshot_and_without_an_owner_is_refused() {
    let fixture = fixture(Design::HARDENED);
    back_up(&fixture, OLD, &[]).unwrap();
    fs::remove_file(fixture.path(the_group()).join("owner")).unwrap();
    assert!(matches!(
        failed(back_up(&fixture, NEW, &[])),
        Reason::NoOwner
    ));
    let expected = "read_owner(G) = NotFound
list_ownerless_group(G) = NotEmpty
forget_snapshot.list_group";
    assert!(steps(&fixture).contains(expected));
}

#[test]
fn group_that_an_interrupted_creation_left_gets_an_owner() {
    for (design, is_adopted) in [
        (Design::HARDENED, true),
        (
            Design::HARDENED.without(Change::AdoptsAnOwnerlessGroup),
            false,
        ),
        (Design::UPSTREAM, false),
    ] {
        let fixture = fixture(design);
        fs::create_dir_all(fixture.path(the_group())).unwrap();
        let result = back_up(&fixture, NEW, &[]);
        assert_eq!(result.is_ok(), is_adopted, "{design:?}");
        let owner = fixture.path(the_group()).join("owner");
        assert_eq!(owner.exists(), is_adopted, "{design:?}");
        if let Err(error) = result {
            assert!(error.to_string().contains("owner"), "{error}");
        }
    }
}

#[test]
fn backup_that_is_not_later_than_the_newest_is_refused_before_any_snapshot_is_locked() {
    for design in [Design::HARDENED, Design::UPSTREAM] {
        let fixture = fixture(design);
        back_up(&fixture, NEW, &[archive(DRIVE, &[0])]).unwrap();
        steps(&fixture);
        for (time, is_there) in [(NEW, true), (OLD, false)] {
            let error = back_up(&fixture, time, &[archive(DRIVE, &[1])]).unwrap_err();
            assert!(!error.is_busy(), "a later attempt cannot succeed: {error}");
            let reason = failed(Err(error));
            let is_told = match is_there {
                true => matches!(reason, Reason::SameTime),
                false => matches!(&reason, Reason::NotLater(newest) if *newest == at(NEW)),
            };
            assert!(is_told, "{reason}");
            let log = steps(&fixture);
            assert!(
                log.contains("read_previous_manifest(N) = Refused\n"),
                "{log}"
            );
            assert!(
                !log.contains("lock_previous") && !log.contains("lock_snapshot"),
                "{log}"
            );
        }
        let report = back_up(&fixture, LATEST, &[archive(DRIVE, &[0])]).unwrap();
        assert_eq!(report.previous, Some(at(NEW)));
    }
}

#[test]
fn unfinished_snapshot_of_a_later_time_is_in_nobodys_way_and_one_of_the_same_time_is() {
    let fixture = fixture(Design::HARDENED);
    fs::create_dir_all(fixture.path(at(NEW))).unwrap();
    fs::write(fixture.path("ns/a/vm/100/owner"), "root@pam\n").unwrap();
    back_up(&fixture, OLD, &[archive(DRIVE, &[0])]).unwrap();
    let reason = failed(back_up(&fixture, NEW, &[archive(DRIVE, &[0])]));
    assert!(matches!(reason, Reason::Exists), "{reason}");
}

#[test]
fn garbage_collection_in_the_middle_keeps_what_was_sent_long_ago() {
    for (design, is_refused, is_kept) in [
        (Design::HARDENED, false, true),
        (Design::UPSTREAM, false, true),
        (
            Design::HARDENED.with(Change::IgnoresOldestWriter),
            false,
            false,
        ),
        (
            Design::HARDENED.with(Change::StoreLockPerHandle),
            true,
            true,
        ),
    ] {
        let fixture = fixture(design);
        let other = Cx {
            sys: TestSys::default(),
            design,
        };
        let (sent, is_over) = (Cell::new(0), Cell::new(false));
        let client_has_left = || {
            if sent.replace(sent.get() + 1) == 1 {
                // The first chunk is older than the cutoff by now, and no index file names it.
                let settings = gc::Settings {
                    cutoff: Duration::from_secs(3600),
                    ..gc::Settings::default()
                };
                is_over.set(gc::run(&other, &fixture.store, &settings).is_err());
            }
            false
        };
        let settings = Settings {
            group: the_group(),
            owner: owner("root@pam"),
            time: BackupTime::parse(OLD).unwrap(),
            archives: vec![archive(DRIVE, &[0, 1])],
            client_has_left: &client_has_left,
        };
        fixture.cx.sys.behind.set(Duration::from_secs(7200));
        backup::run(&fixture.cx, &fixture.store, &settings).unwrap();
        assert_eq!(is_over.get(), is_refused, "{design:?}");
        let path = fixture.store.chunks().path(Digest::of(&chunk(0)));
        assert_eq!(path.exists(), is_kept, "{design:?}");
    }
}
