//! The operations whose calls go wrong, each on a datastore of its own.

use crate::common::finished::{contents, real_digest};
use crate::common::{Fixture, NEW, OLD, group, namespace, owner, snapshot};
use crate::failing_sys::FailingSys;
use datastore::error::LockError;
use datastore::index::{Digest, Index};
use datastore::ops::access_chunk::{self, Access, AccessError};
use datastore::ops::backup::{self as backing_up, Archive, BackupError};
use datastore::ops::delete_namespace::{self, DeleteError};
use datastore::ops::forget_snapshot::{self, ForgetError};
use datastore::ops::gc::{self, GcError};
use datastore::ops::move_group::{self, Existing, MoveError};
use datastore::ops::prune::{self, KeepOptions, PruneError};
use datastore::ops::set_notes::{self, SetNotesError};
use datastore::ops::set_owner::{self, SetOwnerError};
use datastore::ops::{take_lock, take_namespace_lock, verify};
use datastore::paths::{BackupTime, Lockable};
use datastore::{Config, Cx, Datastore, Generation, LinuxSys, Sys, blob};
use specs::Op;
use specs::lock_class::Mode;
use std::fmt::Display;
use std::fs;
use std::time::Duration;

/// How an operation is run.
pub(crate) type Run = fn(&Cx<FailingSys>, &Datastore<FailingSys>) -> Result<String, String>;

/// An operation and what it meets.
pub(crate) struct Case {
    pub(crate) op: Op,
    pub(crate) name: &'static str,
    /// What is there beside what is there for every operation.
    pub(crate) prepare: fn(&Fixture),
    pub(crate) run: Run,
    /// The next run.
    pub(crate) again: Run,
    /// Parts of the messages with which the next run may end, since the first one was half done.
    pub(crate) accepted: &'static [&'static str],
    /// Whether a next run that succeeds leaves what a single one leaves.
    pub(crate) converges: bool,
    /// Whether a run that fails leaves the datastore as it was.
    pub(crate) leaves_nothing: bool,
    /// Whether snapshots go.
    pub(crate) removes: bool,
    pub(crate) configure: fn(&mut Config),
}

/// A case whose next run is the same once more.
const fn case(op: Op, name: &'static str, run: Run) -> Case {
    Case {
        op,
        name,
        prepare: |_| {},
        run,
        again: run,
        accepted: &[],
        converges: true,
        leaves_nothing: false,
        removes: false,
        configure: |_| {},
    }
}

/// A backup, which is made again some time later.
const fn backup(name: &'static str, run: Run, again: Run) -> Case {
    Case {
        again,
        converges: false,
        leaves_nothing: true,
        ..case(Op::Backup, name, run)
    }
}

/// A removal of a snapshot that may be gone the next time.
const fn removal(name: &'static str, run: Run) -> Case {
    Case {
        accepted: &["there is no snapshot"],
        removes: true,
        ..case(Op::ForgetSnapshot, name, run)
    }
}

/// A move that may have been made the next time.
const fn moving(name: &'static str, run: Run) -> Case {
    Case {
        accepted: &["merging is not allowed", "there is no such group"],
        ..case(Op::MoveGroup, name, run)
    }
}

const LATEST: &str = "2026-07-16T06:33:20Z";
const EARLY: &str = "2026-07-13T06:33:20Z";

const LATER: &str = "2026-07-17T06:33:20Z";

pub(crate) const CASES: &[Case] = &[
    Case {
        prepare: scatter,
        ..case(Op::Gc, "collection", |cx, store| collect(cx, store, 10))
    },
    Case {
        prepare: scatter,
        ..case(Op::Gc, "collection that locks every group", |cx, store| {
            collect(cx, store, 0)
        })
    },
    Case {
        prepare: scatter,
        configure: by_directories,
        ..case(
            Op::Gc,
            "collection that locks every directory",
            |cx, store| collect(cx, store, 0),
        )
    },
    Case {
        prepare: |fixture| fs::remove_file(fixture.real_chunk(1)).unwrap(),
        ..case(
            Op::Gc,
            "collection that finds a chunk missing",
            |cx, store| collect(cx, store, 10),
        )
    },
    backup(
        "backup",
        |cx, store| back_up(cx, store, "a", LATEST, None),
        |cx, store| back_up(cx, store, "a", LATER, None),
    ),
    backup(
        "backup into a new group",
        |cx, store| back_up(cx, store, "b", LATEST, None),
        |cx, store| back_up(cx, store, "b", LATER, None),
    ),
    backup(
        "backup whose client leaves",
        |cx, store| back_up(cx, store, "b", LATEST, Some(1)),
        |cx, store| back_up(cx, store, "b", LATER, None),
    ),
    Case {
        // The group that it has made stays.
        leaves_nothing: false,
        configure: by_directories,
        ..backup(
            "backup that locks directories",
            |cx, store| back_up(cx, store, "b", LATEST, None),
            |cx, store| back_up(cx, store, "b", LATER, None),
        )
    },
    removal("removal", |cx, store| forget(cx, store, "a", "vm/100", NEW)),
    removal("removal of the last snapshot", |cx, store| {
        forget(cx, store, "a/deep", "ct/5", OLD)
    }),
    Case {
        configure: by_directories,
        ..removal("removal that locks directories", |cx, store| {
            forget(cx, store, "a/deep", "ct/5", OLD)
        })
    },
    Case {
        prepare: |fixture| {
            let early = snapshot(&group("a", "vm/100"), EARLY);
            fixture.add_finished(&early, &[("drive.img.fidx", &[1])]);
        },
        removes: true,
        ..case(Op::Prune, "prune", prune)
    },
    case(Op::Verify, "verification", check),
    Case {
        prepare: |fixture| fixture.corrupt_chunk(1),
        accepted: &["is missing", "is corrupt"],
        ..case(Op::Verify, "verification that finds a corrupt chunk", check)
    },
    Case {
        leaves_nothing: true,
        ..case(Op::SetNotes, "change of notes", |cx, store| {
            let settings = set_notes::Settings {
                snapshot: snapshot(&group("a", "vm/100"), NEW),
                notes: "new".to_owned(),
            };
            done(set_notes::run(cx, store, &settings), SetNotesError::is_busy)
        })
    },
    Case {
        leaves_nothing: true,
        ..case(Op::SetOwner, "change of an owner", |cx, store| {
            let settings = set_owner::Settings {
                group: group("a", "vm/100"),
                owner: owner("b@pbs"),
            };
            done(set_owner::run(cx, store, &settings), SetOwnerError::is_busy)
        })
    },
    moving("move", |cx, store| move_group(cx, store, Existing::Refuse)),
    Case {
        prepare: merges,
        // Nobody can remove the directory of the group, and its owner is gone.
        accepted: &["there is no such group", "/vm/100/owner: No such file"],
        ..moving("move that merges", |cx, store| {
            move_group(cx, store, Existing::Merge)
        })
    },
    Case {
        prepare: |fixture| {
            merges(fixture);
            let journal = fixture.store.layout().journal();
            let base = fixture.path(".");
            fs::write(journal, format!("{}/gone/x.fidx\n/torn", base.display())).unwrap();
        },
        accepted: &["there is no such group", "/vm/100/owner: No such file"],
        ..moving("move behind a torn line", |cx, store| {
            move_group(cx, store, Existing::Merge)
        })
    },
    Case {
        removes: true,
        ..case(Op::DeleteNamespace, "removal of a namespace", delete)
    },
    Case {
        prepare: |fixture| {
            let protected = snapshot(&group("a", "vm/100"), NEW);
            fs::write(fixture.path(protected).join(".protected"), "").unwrap();
        },
        removes: true,
        ..case(
            Op::DeleteNamespace,
            "removal of a namespace with a protected snapshot",
            delete,
        )
    },
    case(Op::TakeLock, "lock", |cx, store| {
        let group = group("a", "vm/100");
        let settings = take_lock::Settings {
            lock: Lockable::Group(&group),
            mode: Mode::Exclusive,
            removes: true,
        };
        done(take_lock::run(cx, store, &settings), LockError::is_conflict)
    }),
    case(Op::TakeNamespaceLock, "locks of namespaces", |cx, store| {
        let settings = take_namespace_lock::Settings {
            first: (namespace("a/deep"), Mode::Exclusive),
            second: Some((namespace("vm"), Mode::Shared)),
        };
        done(
            take_namespace_lock::run(cx, store, &settings),
            LockError::is_conflict,
        )
    }),
    case(Op::AccessChunk, "touch", |cx, store| {
        access(cx, store, 0, Access::Touch)
    }),
    Case {
        prepare: |fixture| fs::remove_file(fixture.real_chunk(3)).unwrap(),
        ..case(Op::AccessChunk, "insert", |cx, store| {
            access(cx, store, 3, Access::Insert)
        })
    },
    case(Op::AccessChunk, "sweep", |cx, store| {
        access(cx, store, 3, Access::Sweep)
    }),
    Case {
        prepare: |fixture| fixture.corrupt_chunk(3),
        ..case(Op::AccessChunk, "setting aside", |cx, store| {
            access(cx, store, 3, Access::SetAside)
        })
    },
];

/// A datastore with groups and snapshots. All chunks are old, and chunk 3 is named by nothing.
pub(crate) fn fill(fixture: &Fixture) {
    let vm = group("a", "vm/100");
    for directory in ["ns/vm", "ns/a/ns/deep", "ns/b/vm"] {
        fs::create_dir_all(fixture.path(directory)).unwrap();
    }
    fixture.write_chunk(3, &blob::encode_plain(contents(3)).unwrap());
    fixture.add_finished(&snapshot(&vm, OLD), &[("drive.img.fidx", &[0, 1])]);
    let two = [("drive.img.fidx", &[1][..]), ("root.img.fidx", &[2])];
    fixture.add_finished(&snapshot(&vm, NEW), &two);
    let (deep, web) = (group("a/deep", "ct/5"), group("", "host/web"));
    fixture.add_finished(&snapshot(&deep, OLD), &[("root.img.fidx", &[1])]);
    fixture.add_finished(&snapshot(&web, OLD), &[("root.img.fidx", &[0])]);
    fs::write(fixture.path("ns/a/vm/100/notes"), "notes").unwrap();
}

/// Index files at every kind of place, each over a chunk of its own, and a journal.
fn scatter(fixture: &Fixture) {
    for place in PLACES {
        add_index(fixture, place);
    }
    fs::create_dir(fixture.path("lost+found")).unwrap();
    let base = fixture.path(".").display().to_string();
    let announced = format!("{base}/ns/a/vm/100/{NEW}/drive.img.fidx");
    let journal = format!(
        "{announced}\n{base}/gone/x.fidx\n{base}/{}\n/torn",
        PLACES[0]
    );
    fs::write(fixture.store.layout().journal(), journal).unwrap();
}

/// Where index files lie that belong to no snapshot, and that no listing of a group has. The walk does not look into the first
/// of these directories, so that only the journal knows of it.
pub(crate) const PLACES: &[&str] = &[
    ".hidden/x.didx",
    "x.didx",
    "other/place/x.didx",
    "ns/x.didx",
    "ns/a/x.didx",
    "ns/a/odd name/x.didx",
    "ns/a/vm/x.didx",
    "ns/a/vm/100/x.didx",
    "ns/a/vm/100/no time/x.didx",
    "ns/a/vm/100/2026-07-14T06:33:20Z/more/x.didx",
];

/// Adds an index file over a chunk that nothing else names.
pub(crate) fn add_index(fixture: &Fixture, place: &str) -> Digest {
    let data = format!("the chunk of {place}");
    let digest = Digest::of(data.as_bytes());
    let chunk = fixture.store.chunks().path(digest);
    fs::create_dir_all(chunk.parent().unwrap()).unwrap();
    fs::write(&chunk, blob::encode_plain(data.as_bytes()).unwrap()).unwrap();
    LinuxSys.utimensat(&chunk, 1_000_000_000).unwrap();
    let path = fixture.path(place);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, Index::encode_dynamic([7; 16], 0, &[(9, digest)])).unwrap();
    digest
}

/// A group in the target of the move, with an older snapshot.
fn merges(fixture: &Fixture) {
    let early = snapshot(&group("b", "vm/100"), EARLY);
    fixture.add_finished(&early, &[("drive.img.fidx", &[1])]);
}

fn by_directories(config: &mut Config) {
    config.generation = Generation::Directories;
}

/// What became of an operation. Nobody else is there, so no error says that somebody is in the way.
fn done<T: std::fmt::Debug, E: Display>(
    result: Result<T, E>,
    is_busy: impl Fn(&E) -> bool,
) -> Result<String, String> {
    match result {
        Ok(report) => Ok(format!("{report:?}")),
        Err(error) => {
            assert!(!is_busy(&error), "{error}");
            Err(error.to_string())
        }
    }
}

fn back_up(
    cx: &Cx<FailingSys>,
    store: &Datastore<FailingSys>,
    ns: &str,
    time: &str,
    leaves: Option<u32>,
) -> Result<String, String> {
    let archive = |name: &str, chunks: &[u8]| Archive {
        name: name.to_owned(),
        chunks: chunks.iter().map(|n| contents(*n).to_vec()).collect(),
    };
    let sent = std::cell::Cell::new(0);
    let settings = backing_up::Settings {
        group: group(ns, "vm/100"),
        owner: owner("root@pam"),
        time: BackupTime::parse(time).unwrap(),
        archives: vec![
            archive("drive.img.fidx", &[1]),
            archive("root.pxar.didx", &[2, 3]),
        ],
        client_has_left: &|| Some(sent.replace(sent.get() + 1)) == leaves,
    };
    done(backing_up::run(cx, store, &settings), BackupError::is_busy)
}

fn collect(
    cx: &Cx<FailingSys>,
    store: &Datastore<FailingSys>,
    list_attempts: u32,
) -> Result<String, String> {
    let settings = gc::Settings {
        list_attempts,
        ..gc::Settings::default()
    };
    done(gc::run(cx, store, &settings), GcError::is_busy)
}

fn prune(cx: &Cx<FailingSys>, store: &Datastore<FailingSys>) -> Result<String, String> {
    let settings = prune::Settings {
        group: group("a", "vm/100"),
        keep: KeepOptions {
            last: Some(1),
            ..KeepOptions::default()
        },
    };
    let result = prune::run(cx, store, &settings);
    match &result {
        // Each is a warning of the job.
        Ok(report) if !report.failed.is_empty() => {
            let told = report.failed.iter().map(|(_, error)| error.to_string());
            Err(told.collect::<Vec<_>>().join("; "))
        }
        Ok(_) | Err(_) => done(result, PruneError::is_busy),
    }
}

fn forget(
    cx: &Cx<FailingSys>,
    store: &Datastore<FailingSys>,
    ns: &str,
    of: &str,
    time: &str,
) -> Result<String, String> {
    let snapshot = snapshot(&group(ns, of), time);
    let settings = forget_snapshot::Settings { snapshot };
    let result = forget_snapshot::run(cx, store, &settings);
    done(result, ForgetError::is_busy)
}

fn check(cx: &Cx<FailingSys>, store: &Datastore<FailingSys>) -> Result<String, String> {
    let group = group("a", "vm/100");
    match verify::run(cx, store, &verify::Settings { group }) {
        Ok(report) => Ok(format!("{report:?}")),
        Err(error) => {
            assert!(!error.is_busy(), "{error}");
            Err(format!("{error}: {error:?}"))
        }
    }
}

fn move_group(
    cx: &Cx<FailingSys>,
    store: &Datastore<FailingSys>,
    existing: Existing,
) -> Result<String, String> {
    let settings = move_group::Settings {
        existing,
        ..move_group::Settings::new(group("a", "vm/100"), namespace("b"))
    };
    done(move_group::run(cx, store, &settings), MoveError::is_busy)
}

fn delete(cx: &Cx<FailingSys>, store: &Datastore<FailingSys>) -> Result<String, String> {
    let settings = delete_namespace::Settings {
        namespace: namespace("a"),
    };
    done(
        delete_namespace::run(cx, store, &settings),
        DeleteError::is_busy,
    )
}

fn access(
    cx: &Cx<FailingSys>,
    store: &Datastore<FailingSys>,
    n: u8,
    access: Access,
) -> Result<String, String> {
    let hour = i128::try_from(Duration::from_secs(3600).as_nanos()).unwrap();
    let settings = access_chunk::Settings {
        digest: real_digest(n),
        contents: contents(n).to_vec(),
        access,
        min_atime_ns: LinuxSys.now() - hour,
    };
    done(
        access_chunk::run(cx, store, &settings),
        AccessError::is_busy,
    )
}
