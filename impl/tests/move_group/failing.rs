//! Moves that fail in their middle: a full file system, a journal that is locked, what vanishes and what comes meanwhile.

use super::*;

#[test]
fn full_tmpfs_fails_the_move_before_its_rename_and_the_next_append_mends_the_journal() {
    let line = |f: &Fixture, time| {
        format!(
            "{}/ns/b/vm/100/{time}/drive.img.fidx\n",
            f.path(".").display()
        )
    };
    for design in [Design::HARDENED, Design::UPSTREAM] {
        for (missing, cut) in [(0, "Nothing"), (5, "MidLine"), (1, "NoNewline")] {
            let fixture = fixture(design);
            let len = line(&fixture, OLD).len();
            // The owner file of the target needs its nine bytes as well.
            fixture
                .cx
                .sys
                .room
                .set(Some(9 + if missing == 0 { 0 } else { len - missing }));
            assert!(matches!(move_group(&fixture), Err(MoveError::Hard { .. })));
            let steps = fixture.cx.sys.steps().join("\n");
            assert!(
                steps.contains(&format!(
                    "append_journal(ns/a/vm/100/{OLD}) = NoSpace({cut})"
                )),
                "{steps}"
            );
            assert_eq!(
                fixture.path("ns/b/vm/100").exists(),
                design == Design::UPSTREAM
            );
            assert!(fixture.path(format!("ns/a/vm/100/{OLD}")).exists());

            fixture.cx.sys.room.set(None);
            let merge = Settings {
                existing: Existing::Merge,
                ..settings()
            };
            move_group::run(&fixture.cx, &fixture.store, &merge).unwrap();
            let whole = line(&fixture, OLD) + &line(&fixture, NEW);
            let is_whole = design == Design::HARDENED || missing == 0;
            assert_eq!(fixture.journal() == whole, is_whole, "{design:?} {cut}");
        }
    }
}

#[test]
fn journal_that_somebody_keeps_locked_fails_the_move_as_a_lock_that_is_busy() {
    let fixture = fixture(Design::HARDENED);
    let journal = fixture.store.layout().journal();
    let held = fixture.hold(journal, Mode::Exclusive);
    let error = move_group(&fixture).unwrap_err();
    assert!(matches!(error, MoveError::Hard { .. }), "{error}");
    assert!(error.is_busy(), "{error}");
    drop(held);
    move_group(&fixture).unwrap();
}

#[test]
fn target_group_whose_owner_cannot_be_written_goes_whether_it_was_there_empty_or_not() {
    for is_there in [false, true] {
        let fixture = fixture(Design::HARDENED);
        let target = fixture.path(group("b", "vm/100"));
        if is_there {
            fs::create_dir_all(&target).unwrap();
        }
        let settings = Settings {
            existing: Existing::Merge,
            ..settings()
        };
        let merge = || move_group::run(&fixture.cx, &fixture.store, &settings);
        fixture.cx.sys.room.set(Some(0));
        let error = merge().unwrap_err();
        assert!(error.to_string().contains("no storage space"), "{error}");
        assert!(!target.exists(), "there before: {is_there}");
        let locks = tree(fixture.store.layout().locks());
        assert!(!locks.contains(&"b/vm-100".to_owned()), "{locks:?}");
        fixture.cx.sys.room.set(None);
        merge().unwrap();
    }
}

#[test]
fn snapshot_without_an_index_file_needs_no_journal() {
    let fixture = Fixture::new(Design::HARDENED);
    let directory = fixture.add(&snapshot(&group("a", "vm/100"), OLD), &[]);
    fs::rename(
        directory.join("drive.img.fidx"),
        directory.join("client.log.blob"),
    )
    .unwrap();
    move_group(&fixture).unwrap();
    assert!(!fixture.store.layout().journal().exists());
}

#[test]
fn snapshot_that_vanished_before_its_turn_fails_the_move_half_way() {
    let fixture = fixture(Design::HARDENED);
    let newest = fixture.path(snapshot(&group("a", "vm/100"), NEW));
    let label = format!("move_group.list_snapshot(ns/a/vm/100/{NEW})");
    fixture
        .cx
        .sys
        .at(label, move || fs::remove_dir_all(newest).unwrap());
    assert!(matches!(move_group(&fixture), Err(MoveError::Hard { .. })));
    assert!(
        fixture.path(format!("ns/b/vm/100/{OLD}")).exists(),
        "what was moved stays moved"
    );
    assert!(fixture.path("ns/b/vm/100/owner").exists());
    let steps = fixture.cx.sys.steps();
    assert_eq!(steps.last().unwrap(), "move_group.release_all");
    assert!(
        !steps
            .iter()
            .any(|step| step.contains("remove_target_group"))
    );
}

#[test]
fn target_snapshot_that_is_there_fails_the_move() {
    let fixture = fixture(Design::HARDENED);
    let label = format!("move_group.rename_snapshot(ns/a/vm/100/{OLD})");
    let intruder = fixture.path(format!("ns/b/vm/100/{OLD}"));
    fixture.cx.sys.at(label.clone(), move || {
        fs::create_dir(&intruder).unwrap();
        fs::write(intruder.join("file"), "").unwrap();
    });
    assert!(matches!(move_group(&fixture), Err(MoveError::Hard { .. })));
    let steps = fixture.cx.sys.steps();
    assert!(steps.contains(&format!("{label} = Exists")), "{steps:?}");
    assert!(
        fixture
            .path(format!("ns/a/vm/100/{OLD}/drive.img.fidx"))
            .exists()
    );
}

#[test]
fn snapshot_that_came_meanwhile_keeps_the_source_group() {
    let fixture = fixture(Design::HARDENED);
    let late = fixture.path("ns/a/vm/100/2026-07-16T06:33:20Z");
    fixture.cx.sys.at("move_group.move_notes", move || {
        fs::create_dir(late).unwrap();
    });
    let moved = move_group(&fixture).unwrap();
    assert_eq!(
        moved,
        Moved {
            snapshots: 2,
            is_source_removed: false
        }
    );
    assert!(fixture.path("ns/a/vm/100/owner").exists());
    let steps = fixture.cx.sys.steps();
    assert_eq!(
        steps[steps.len() - 3..],
        [
            "move_group.list_source_group = NotEmpty",
            "move_group.unlock_source_group",
            "move_group.unlock_target_group"
        ]
    );
}
