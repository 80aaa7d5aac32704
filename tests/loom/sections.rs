//! Sections: one mechanism each, called directly, two threads in every interleaving and three with two preemptions.
//!
//! What must not happen is asserted by the threads themselves: an exploration with a panic is an error.

use conformance::errand::Errand;
use conformance::interval_log::SharedLog;
use conformance::loom_explore::{End, Stage, interleave};
use conformance::loom_sys::{LoomSys, Machine, Process};

use datastore::error::LockError;
use datastore::index::Digest;
use datastore::journal::Journal;
use datastore::lock_file::{self, LockFile};
use datastore::sys::{Access, CreateMode, Sys as _};
use datastore::{Config, Cx, Datastore, Generation, Prefixes};
use loom::sync::atomic::{AtomicUsize, Ordering};
use specs::design::Change;
use specs::id::{self, Actor};
use specs::lock_class::{Mode, Wait};
use specs::scenario::{Access as Use, Limits, Scenario};
use specs::{Design, id::Chunk};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{pin, say, settings};

const CREATE: CreateMode = CreateMode {
    mode: 0o660,
    owner: None,
};
const LOCK: &str = "/locks/store/lock";
const JOURNAL: &str = "/locks/store/move-journal";

type Store = Datastore<LoomSys>;

/// What the threads of a section share.
struct Shared {
    /// The datastore as each of two processes has it open.
    stores: [Store; 2],
    machine: Arc<Machine>,
    /// Who is inside: one for a reader, a hundred for a writer.
    inside: AtomicUsize,
    /// Lines that were drained from the journal, and times that something was got.
    drained: Mutex<Vec<String>>,
    got: Mutex<usize>,
}

/// One thread of a section: its process and what it does.
#[derive(Clone)]
struct Thread(usize, fn(&LoomSys, &Shared));

impl Shared {
    /// A process whose actor has the process lock has the record lock that this needs, in one of these modes; in the design
    /// that is right.
    fn has_record_lock(&self, process: usize, design: Design, modes: &[&str]) {
        let held = self.machine.record_locks();
        let has = |mode: &&str| {
            let lock = format!("the {mode} record lock of process {process} on /store/.lock");
            held.contains(&lock)
        };
        let is_right = design == Design::HARDENED;
        assert!(!is_right || modes.iter().any(has), "{held:?}");
    }

    /// Is inside as a writer, alone.
    fn alone(&self) {
        assert_eq!(self.inside.fetch_add(100, Ordering::SeqCst), 0, "not alone");
        self.inside.fetch_sub(100, Ordering::SeqCst);
        *self.got.lock().unwrap() += 1;
    }

    /// Is inside as a reader, without a writer.
    fn beside(&self) {
        let others = self.inside.fetch_add(1, Ordering::SeqCst);
        assert!(others < 100, "beside a writer");
        self.inside.fetch_sub(1, Ordering::SeqCst);
        *self.got.lock().unwrap() += 1;
    }
}

/// Explores the threads and checks what is left when all have ended; the number of executions.
fn explore(
    threads: &[Thread],
    prepare: fn(&LoomSys),
    check: fn(&LoomSys, &Shared),
) -> anyhow::Result<u64> {
    let bound = if threads.len() == 2 { None } else { Some(2) };
    let tree = BTreeMap::from(["locks", "locks/store", "store"].map(|path| (path.into(), None)));
    let threads = threads.to_vec();
    let begin = move |stage: &mut Stage| {
        stage.expect_no_record_lock();
        let processes = [0, 1].map(|n| Process::new(&stage.machine, id::Process(n)));
        let [first, second] = [0, 1].map(|n| LoomSys::before(&processes[n]));
        let config = || Config {
            locks: "/locks".into(),
            generation: Generation::LockFiles,
            ..Config::new("/store", "store")
        };
        let prefixes = Prefixes::Only(&["5ca1"]);
        let stores = [
            Datastore::create(&first, config(), prefixes)?,
            Datastore::open(&second, config())?,
        ];
        prepare(&first);
        let shared = Arc::new(Shared {
            stores,
            machine: Arc::clone(&stage.machine),
            inside: AtomicUsize::new(0),
            drained: Mutex::default(),
            got: Mutex::default(),
        });
        let left = Arc::new(std::sync::atomic::AtomicUsize::new(threads.len()));
        for (number, Thread(process, body)) in (0..).zip(threads.clone()) {
            let sys = LoomSys::new(&processes[process], Actor(number), &SharedLog::default());
            let (shared, left) = (Arc::clone(&shared), Arc::clone(&left));
            let after = LoomSys::before(&processes[0]);
            stage.keep(Arc::clone(&shared));
            stage.spawn(move || {
                body(&sys, &shared);
                if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    check(&after, &shared);
                }
            })?;
        }
        Ok(())
    };
    let run = interleave(settings(bound), &tree, BTreeSet::new(), begin, |_| {
        ControlFlow::Continue(())
    })?;
    assert_eq!(run.end, End::Complete);
    Ok(run.executions)
}

fn nothing(_: &LoomSys) {}

/// Explores a section with two and with three threads.
fn counts(
    name: &str,
    threads: &[Thread; 3],
    prepare: fn(&LoomSys),
    check: fn(&LoomSys, &Shared),
) -> String {
    let mut counts = String::new();
    for threads in [&threads[..2], &threads[..]] {
        let begin = std::time::Instant::now();
        let executions = explore(threads, prepare, check).unwrap();
        let seconds = begin.elapsed().as_secs_f64();
        let threads = threads.len();
        say(&format!(
            "{name}, {threads} threads: {executions} executions in {seconds:.2} s"
        ));
        writeln!(counts, "{threads} threads: {executions}").unwrap();
    }
    counts
}

/// Takes a lock file, again if it vanished, and perhaps unlinks it.
fn takes_lock(sys: &LoomSys, shared: &Shared, removes: bool) {
    for _ in 0..3 {
        match lock_file::lock(sys, LOCK.into(), CREATE, Mode::Exclusive, Wait::Forever) {
            Ok(guard) => {
                shared.alone();
                if removes {
                    guard.unlink().unwrap();
                }
                return;
            }
            Err(LockError::Vanished(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("there are only two who could have removed it");
}

const REMOVES: Thread = Thread(0, |sys, shared| takes_lock(sys, shared, true));
const TAKES: Thread = Thread(1, |sys, shared| takes_lock(sys, shared, false));

#[test]
fn a_lock_file_has_one_holder_whoever_removes_it() {
    let threads = [REMOVES, TAKES, REMOVES];
    let check = |_: &LoomSys, shared: &Shared| {
        let got = *shared.got.lock().unwrap();
        assert!(got == 2 || got == 3, "everybody gets it in the end");
    };
    pin(
        "section_lock_file",
        &counts("lock file", &threads, nothing, check),
    );
}

#[test]
fn without_the_second_look_a_lock_file_has_two_holders() {
    let careless = Thread(1, |sys, shared| {
        let file = LockFile::open_or_create(sys, LOCK.into(), CREATE).unwrap();
        file.flock(Mode::Exclusive, Wait::Forever).unwrap();
        let guard = file.into_guard();
        shared.alone();
        drop(guard);
    });
    let threads = [REMOVES, careless.clone(), careless];
    let found = explore(&threads, nothing, |_, _| {}).unwrap_err();
    assert!(found.to_string().contains("not alone"), "{found}");
}

fn appends(sys: &LoomSys, line: &str) {
    let mut journal = Journal::lock(sys, JOURNAL.into(), CREATE).unwrap();
    journal.append(line.as_bytes(), Design::HARDENED).unwrap();
}

const DRAINS: Thread = Thread(0, |sys, shared| {
    let mut journal = Journal::lock(sys, JOURNAL.into(), CREATE).unwrap();
    let read = String::from_utf8(journal.read().unwrap()).unwrap();
    shared.drained.lock().unwrap().push(read);
    journal.truncate().unwrap();
});
const APPENDS: Thread = Thread(1, |sys, _| appends(sys, "/a\n"));
const APPENDS_TOO: Thread = Thread(1, |sys, _| appends(sys, "/b\n"));

/// Every line that was appended has been drained once, or is still there.
fn nothing_is_lost(sys: &LoomSys, shared: &Shared) {
    let file = sys.open(Path::new(JOURNAL), Access::Read).unwrap();
    let mut text = shared.drained.lock().unwrap().concat();
    text += &String::from_utf8(sys.read(&file, 0).unwrap()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert!(lines == ["/a"] || lines == ["/a", "/b"], "lines {lines:?}");
}

#[test]
fn no_line_is_lost_between_append_and_drain() {
    let threads = [DRAINS, APPENDS, APPENDS_TOO];
    pin(
        "section_journal",
        &counts("journal", &threads, nothing, nothing_is_lost),
    );
}

#[test]
fn a_line_that_is_appended_without_the_lock_can_be_lost() {
    let careless = Thread(1, |sys, _| {
        let file = LockFile::open_or_create(sys, JOURNAL.into(), CREATE).unwrap();
        let guard = file.into_guard();
        sys.append(guard.file(), b"/a\n").unwrap();
    });
    let found = explore(&[DRAINS, careless], nothing, nothing_is_lost).unwrap_err();
    assert!(found.to_string().contains("lines []"), "{found}");
}

fn accesses(sys: &LoomSys, shared: &Shared, access: Use) {
    let cx = Cx {
        sys: sys.clone(),
        design: Design::HARDENED,
    };
    let errand = Errand::AccessChunk {
        digest: Scenario::digest(Chunk(0)).to_owned(),
        contents: Scenario::contents(Chunk(0)).to_owned(),
        access,
    };
    errand.run(
        &cx,
        &shared.stores[0],
        Limits::PUBLISHED,
        &|| false,
        |ended| {
            assert_eq!(ended, conformance::errand::Ended::Done);
        },
    );
}

const INSERTS: Thread = Thread(0, |sys, shared| accesses(sys, shared, Use::Insert));
const SWEEPS: Thread = Thread(0, |sys, shared| accesses(sys, shared, Use::Sweep));
const TOUCHES: Thread = Thread(0, |sys, shared| accesses(sys, shared, Use::Touch));

fn chunk() -> std::path::PathBuf {
    Path::new("/store/.chunks/5ca1").join(Scenario::digest(Chunk(0)))
}

#[test]
fn an_inserted_chunk_survives_a_sweep() {
    let old_chunk = |sys: &LoomSys| {
        sys.append(&sys.create(&chunk(), CREATE).unwrap(), &blob())
            .unwrap();
        sys.utimensat(&chunk(), 0).unwrap();
    };
    let is_there = |sys: &LoomSys, _: &Shared| assert!(sys.stat(&chunk()).is_ok(), "chunk lost");
    let threads = [INSERTS, SWEEPS, TOUCHES];
    pin(
        "section_chunk",
        &counts("chunk", &threads, old_chunk, is_there),
    );
}

fn digest() -> Digest {
    Digest::parse(Scenario::digest(Chunk(0))).unwrap()
}

fn blob() -> Vec<u8> {
    datastore::blob::encode_plain(Scenario::contents(Chunk(0)).as_bytes()).unwrap()
}

/// Unlike the operation that makes single calls, it replaces a chunk that is empty.
const REPLACES: Thread = Thread(0, |sys, shared| {
    let store = shared.stores[0].chunks();
    store.insert(sys, digest(), &blob(), CREATE).unwrap();
});
const SETS_ASIDE: Thread = Thread(0, |sys, shared| {
    let store = shared.stores[0].chunks();
    store
        .rename_corrupt(sys, digest(), Design::HARDENED)
        .unwrap();
});

#[test]
fn a_good_chunk_that_replaces_a_corrupt_one_is_never_set_aside() {
    let empty = |sys: &LoomSys| {
        sys.create(&chunk(), CREATE).unwrap();
    };
    let is_there = |sys: &LoomSys, _: &Shared| assert!(sys.stat(&chunk()).unwrap().size > 0);
    let threads = [REPLACES, SETS_ASIDE, SETS_ASIDE];
    pin(
        "section_corrupt_chunk",
        &counts("corrupt chunk", &threads, empty, is_there),
    );
}

fn shares(sys: &LoomSys, shared: &Shared, process: usize, design: Design) {
    let lock = shared.stores[process].process_lock();
    if let Ok(guard) = lock.lock_shared(sys, design) {
        shared.has_record_lock(process, design, &["Shared", "Exclusive"]);
        shared.beside();
        shared.has_record_lock(process, design, &["Shared", "Exclusive"]);
        drop(guard);
    }
}

fn excludes(sys: &LoomSys, shared: &Shared, process: usize, design: Design, inside: impl FnOnce()) {
    let lock = shared.stores[process].process_lock();
    if let Ok(guard) = lock.lock_exclusive(sys, design) {
        shared.has_record_lock(process, design, &["Exclusive"]);
        inside();
        shared.has_record_lock(process, design, &["Exclusive"]);
        drop(guard);
    }
}

/// A sharer and a collector of the first process, and a collector of the second one, which must not meet the sharer.
const fn of_two_processes<const DOWNGRADES: bool>() -> [Thread; 3] {
    const fn design(downgrades: bool) -> Design {
        if downgrades {
            Design::HARDENED
        } else {
            Design::HARDENED.with(Change::UnlockWithoutDowngrade)
        }
    }
    [
        Thread(0, |sys, shared| {
            shares(sys, shared, 0, design(DOWNGRADES));
        }),
        Thread(1, |sys, shared| {
            excludes(sys, shared, 1, design(DOWNGRADES), || {
                shared.alone();
            });
        }),
        Thread(0, |sys, shared| {
            excludes(sys, shared, 0, design(DOWNGRADES), || {});
        }),
    ]
}

#[test]
fn the_process_lock_keeps_the_writers_of_one_process_from_the_collector_of_another() {
    let threads = of_two_processes::<true>();
    let check = |_: &LoomSys, _: &Shared| {};
    pin(
        "section_process_lock",
        &counts("process lock", &threads, nothing, check),
    );
}

#[test]
fn a_process_lock_that_is_let_go_without_a_downgrade_does_not() {
    let found = explore(&of_two_processes::<false>(), nothing, |_, _| {}).unwrap_err();
    let words = found.to_string();
    assert!(
        words.contains("not alone") || words.contains("beside a writer"),
        "{words}"
    );
}

#[test]
fn the_slot_of_garbage_collection_has_one_holder() {
    let collects = Thread(0, |sys, shared| {
        if let Ok(slot) = shared.stores[0].lock_gc_slot(sys) {
            shared.alone();
            drop(slot);
        }
    });
    let threads = [collects.clone(), collects.clone(), collects];
    let check = |_: &LoomSys, shared: &Shared| assert_ne!(*shared.got.lock().unwrap(), 0);
    pin("section_slot", &counts("slot", &threads, nothing, check));
}
