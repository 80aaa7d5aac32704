//! What was recorded: which operation lies where in which log, and what was there before.

use super::divide::LeftOut;
use super::stage::{Stage, group};
use super::time;
use conformance::errand::Errand;
use specs::step::Call;

/// A call, and what its path ends with.
pub(super) type Mark = (Call, &'static str);

/// One operation of a recording.
pub(super) struct Case {
    /// The log, without its ending.
    pub(super) log: &'static str,
    /// The lines of the driver between which it lies.
    pub(super) between: (&'static str, Option<&'static str>),
    /// The first and the last call of it among these, if they hold several.
    pub(super) part: Option<(Mark, Mark)>,
    /// What was there before: what the recordings before it have left.
    pub(super) before: fn(&mut Stage),
    pub(super) errand: fn(&Stage) -> Errand,
    /// The first and the last step of ours that the recording has; a step of the protocol that the recording was made without is left out.
    pub(super) steps: Option<(&'static str, &'static str)>,
    pub(super) left_out: &'static [LeftOut],
}

/// Logs in which no operation of ours is.
pub(super) const NOT_COMPARED: &[(&str, &str)] = &[
    (
        "04e-protect-off",
        "ending the protection of a snapshot is no operation of this version",
    ),
    (
        "05c-move-group-target-exists",
        "refused by a look before any lock, which our move does not have",
    ),
];

const BLOB: LeftOut = LeftOut {
    calls: &[Call::Create, Call::Append, Call::Rename, Call::Close],
    path: "qemu-server.conf*",
    why: "a file of the client that is no archive; our session sends archives only",
};
const SYNC: LeftOut = LeftOut {
    calls: &[Call::Open, Call::Close],
    path: "lockstep-store",
    why: "the file system is synchronised; ours syncs nothing, see limits.md",
};
const ACCESS_TIMES: LeftOut = LeftOut {
    calls: &[
        Call::Stat,
        Call::Create,
        Call::Append,
        Call::Rename,
        Call::Close,
        Call::Utimensat,
    ],
    path: "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8*",
    why: "whether the file system keeps access times is tried with a chunk of zeros; no step of ours, see limits.md",
};

fn chunk_of(digest: &str) -> String {
    digest.repeat(1024)
}

const fn whole(log: &'static str, begin: &'static str, end: &'static str) -> Case {
    Case {
        log,
        between: (begin, Some(end)),
        part: None,
        before: |_| {},
        errand: |_| Errand::Gc { runs: 1 },
        steps: None,
        left_out: &[],
    }
}

/// A backup to the group `vm/100` of the root namespace, whose chunks have the identities of those in the recording.
fn backup(stage: &Stage, hour: u8) -> Errand {
    let snapshot = format!("vm/100/{}", time(hour));
    let chunks = |name: &str| {
        let digests = stage.digests(&format!("{snapshot}/{name}"));
        (
            name.to_owned(),
            digests.iter().map(|d| chunk_of(d)).collect(),
        )
    };
    Errand::Backup {
        group: group("", "vm/100"),
        time: time(hour),
        archives: vec![chunks("drive-scsi0.img.fidx"), chunks("root.pxar.didx")],
    }
}

const MOVE_RESULT: &str = "move_group result";

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            before: Stage::empty,
            errand: |stage| backup(stage, 4),
            left_out: &[BLOB, SYNC],
            ..whole("01-backup-new", "backup ", "backup done")
        },
        Case {
            before: |stage| {
                stage.empty();
                stage.run(&backup(stage, 4));
            },
            errand: |stage| backup(stage, 5),
            left_out: &[BLOB, SYNC],
            ..whole("02-backup-reuse", "backup ", "backup done")
        },
        Case {
            left_out: &[ACCESS_TIMES],
            ..whole(
                "03-gc",
                "garbage_collection start",
                "garbage_collection end",
            )
        },
        Case {
            before: |stage| stage.add_group("a/b", "vm/201", &[4, 5, 6, 7]),
            errand: |_| Errand::ForgetSnapshot {
                group: group("a/b", "vm/201"),
                time: time(4),
            },
            ..whole("04a-forget", "forget ", "forget done")
        },
        Case {
            before: |stage| stage.add_group("a/b", "vm/201", &[5, 6, 7]),
            errand: |_| Errand::Prune {
                group: group("a/b", "vm/201"),
                keep_last: 1,
            },
            between: ("prune: list_backups", None),
            ..whole("04b-prune", "", "")
        },
        Case {
            before: |stage| stage.add_group("a/b", "vm/201", &[7]),
            errand: |_| Errand::ForgetSnapshot {
                group: group("a/b", "vm/201"),
                time: time(7),
            },
            ..whole("04c-forget-last", "forget ", "forget done")
        },
        Case {
            before: |stage| {
                stage.add_group("a/b", "vm/202", &[4, 5]);
                stage.protect("a/b", "vm/202", 5);
            },
            errand: |_| Errand::ForgetSnapshot {
                group: group("a/b", "vm/202"),
                time: time(5),
            },
            between: ("forget ", None),
            ..whole("04d-forget-protected", "", "")
        },
        Case {
            before: |stage| {
                stage.only_group("a/b", "vm/202", &[4, 5]);
            },
            errand: |_| Errand::DeleteNamespace {
                namespace: "a/b".to_owned(),
            },
            steps: Some(("lock_group", "unlock_group")),
            ..whole(
                "04f-destroy-group",
                "remove_backup_group",
                "removed snapshots",
            )
        },
        Case {
            before: |stage| stage.only_types("a"),
            errand: |_| Errand::DeleteNamespace {
                namespace: "a".to_owned(),
            },
            part: Some((
                (Call::Rmdir, "ns/a/ns/b/vm"),
                (Call::Rmdir, "lockstep-store/ns/a"),
            )),
            steps: Some(("remove_type", "remove_namespace")),
            left_out: &[LeftOut {
                calls: &[Call::ReadDir],
                path: "lockstep-store/ns/a/ns",
                why: "a move of a namespace looks whether another namespace came in; here it is removed in the middle of one",
            }],
            ..whole(
                "06-move-namespace",
                "move_namespace",
                "move_namespace result",
            )
        },
        Case {
            before: |stage| stage.add_namespace("z"),
            errand: |_| moves("a", "vm/100", "z", false),
            ..whole("05-move-group-then-gc", "move_group\\n", MOVE_RESULT)
        },
        Case {
            before: |stage| {
                stage.add_namespace("z");
                stage.run(&moves("a", "vm/100", "z", false));
            },
            part: Some(((Call::Open, "move-journal"), (Call::Close, "move-journal"))),
            steps: Some(("lock_journal", "unlock_journal")),
            ..whole(
                "05-move-group-then-gc",
                "garbage_collection start",
                "garbage_collection end",
            )
        },
        Case {
            before: |stage| {
                stage.add_namespace("z");
                stage.run(&moves("a", "vm/100", "z", false));
            },
            errand: |_| moves("z", "vm/100", "a/b", true),
            ..whole("05b-move-group-merge", "move_group\\n", MOVE_RESULT)
        },
        Case {
            before: |stage| {
                stage.add_namespace("z");
                stage.run(&moves("a", "vm/100", "z", false));
                stage.run(&moves("z", "vm/100", "a/b", true));
            },
            errand: |_| moves("", "vm/100", "a/b", true),
            ..whole("05d-merge-not-newer", "move_group\\n", MOVE_RESULT)
        },
        Case {
            before: |stage| stage.add_namespace("c"),
            errand: |_| moves("a", "host/web", "c", false),
            part: Some(((Call::Mkdir, "lockstep/a"), (Call::Close, "c/host-web"))),
            ..whole(
                "06-move-namespace",
                "move_namespace",
                "move_namespace result",
            )
        },
        Case {
            before: |stage| {
                stage.add_namespace("c/b");
                stage.add_snapshots("a/b", "vm/100", &[6, 7]);
            },
            errand: |_| moves("a/b", "vm/100", "c/b", false),
            part: Some(((Call::Open, "a:b/vm-100"), (Call::Close, "c:b/vm-100"))),
            ..whole(
                "06-move-namespace",
                "move_namespace",
                "move_namespace result",
            )
        },
        Case {
            before: |stage| {
                stage.add_namespace("k2");
                stage.add_group("k1", "vm/400", &[4, 5]);
            },
            errand: |_| moves("k1", "vm/400", "k2", false),
            between: ("move_group\\n", None),
            part: Some(((Call::Mkdir, "lockstep/k1"), (Call::Close, "move-journal"))),
            // The mover is killed when it has let the journal go.
            steps: Some(("lock_source_group", "unlock_journal")),
            ..whole("10a-mover-killed-between-append-and-rename", "", "")
        },
        Case {
            before: |stage| {
                let files = ["drive-scsi0.img.fidx", "root.pxar.didx"];
                let ghosts = files.map(|file| format!("ns/k2/vm/400/{}/{file}", time(4)));
                stage.announce(&ghosts);
            },
            part: Some(((Call::Open, "move-journal"), (Call::Close, "move-journal"))),
            steps: Some(("lock_journal", "unlock_journal")),
            ..whole(
                "10b-gc-drains-ghost",
                "garbage_collection start",
                "garbage_collection end",
            )
        },
        Case {
            before: |stage| {
                stage.add_group("n2", "vm/310", &[]);
                stage.add_group("n3", "vm/310", &[4, 5]);
            },
            errand: |_| moves("n3", "vm/310", "n2", true),
            ..whole("12-retry-after-soft-failure", "move_group\\n", MOVE_RESULT)
        },
        Case {
            before: |stage| {
                stage.add_namespace("d/b");
                stage.add_group("c/b", "vm/100", &[4, 6, 7]);
                stage.sit_on("c:b/vm-100-2026\\x2d07\\x2d14T06\\x3a33\\x3a20Z");
            },
            errand: |_| moves("c/b", "vm/100", "d/b", false),
            part: Some(((Call::Open, "c:b/vm-100"), (Call::Close, "c:b/vm-100"))),
            ..whole(
                "13-move-namespace-vs-reader",
                "move_namespace",
                "move_namespace result",
            )
        },
        Case {
            before: |stage| stage.add_group("c/b", "vm/100", &[6]),
            errand: |_| Errand::Verify {
                group: group("c/b", "vm/100"),
            },
            between: ("verify: lock_shared", None),
            steps: Some(("lock_snapshot", "unlock_snapshot")),
            ..whole("13-move-namespace-vs-reader", "", "")
        },
        Case {
            before: |stage| stage.add_group("c/b", "vm/100", &[6]),
            errand: |_| Errand::SetNotes {
                group: group("c/b", "vm/100"),
                time: time(6),
            },
            ..whole(
                "08b-manifest-lock-wait-2s",
                "set_notes\\n",
                "set_notes done",
            )
        },
        Case {
            before: |stage| stage.add_group("c/b", "vm/100", &[4]),
            errand: |_| Errand::SetOwner {
                group: group("c/b", "vm/100"),
                owner: "admin@pbs".to_owned(),
            },
            between: ("set_backup_owner: get_owner", None),
            ..whole("09-set-owner", "", "")
        },
    ]
}

fn moves(source: &str, name: &str, target: &str, merge: bool) -> Errand {
    Errand::MoveGroup {
        group: group(source, name),
        target: target.to_owned(),
        merge,
    }
}
