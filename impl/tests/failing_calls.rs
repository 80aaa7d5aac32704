//! Every call of every operation goes wrong once: with an error, by a write that is cut short, by a read of damaged content.
//!
//! Whichever it is, nothing that somebody needs is lost or half-written, nothing stays held or open, the operation says
//! that it failed, and the next run does what this one could not.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests look at real files"
)]

#[path = "failing_calls/cases.rs"]
mod cases;
mod common;
#[path = "failing_calls/damaged.rs"]
mod damaged;
#[path = "failing_calls/failing_sys.rs"]
mod failing_sys;
#[path = "failing_calls/judge.rs"]
mod judge;

use cases::{CASES, Case, fill};
use common::{Fixture, tree};
use datastore::ops::gc;
use datastore::{Cx, Datastore, OpenError, Prefixes};
use failing_sys::{FailingSys, Failure, Hit};
use judge::{Tree, is_temporary};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use specs::{Design, Op};
use std::collections::BTreeSet;
use std::fs::File;

/// A failure that an operation does not tell, and why that is right.
struct Untold {
    op: &'static str,
    call: &'static str,
    /// A part of the path.
    path: &'static str,
    why: &'static str,
}

const UNTOLD: &[Untold] = &[
    Untold {
        op: "gc",
        call: "read_dir",
        path: "/lost+found",
        why: "only root may read it, and it holds no index file",
    },
    Untold {
        op: "backup",
        call: "unlink",
        path: "/owner.tmp_",
        why: "it is the second name of the owner file, and goes with the group",
    },
    Untold {
        op: "move_group",
        call: "unlink",
        path: "/owner.tmp_",
        why: "it is the second name of the owner file, and goes with the group",
    },
    Untold {
        op: "backup",
        call: "",
        path: "-.index.json.",
        why: "who gives up removes its snapshot without the lock of a manifest that it has not written",
    },
    Untold {
        op: "verify",
        call: "read",
        path: "/.chunks/",
        why: "the chunk was corrupt before it was read wrongly",
    },
    Untold {
        op: "access_chunk",
        call: "read",
        path: "/.chunks/",
        why: "the chunk was corrupt before it was read wrongly",
    },
];

/// An operation on a datastore of its own.
struct Run {
    directory: tempfile::TempDir,
    cx: Cx<FailingSys>,
    store: Datastore<FailingSys>,
    before: Tree,
}

impl Run {
    fn of(case: &Case) -> Self {
        let fixture = Fixture::new(Design::HARDENED);
        fill(&fixture);
        (case.prepare)(&fixture);
        let Fixture {
            directory, store, ..
        } = fixture;
        // A process opens a datastore once.
        drop(store);
        let cx = Cx {
            sys: FailingSys::default(),
            design: Design::HARDENED,
        };
        let mut config = Fixture::config(directory.path());
        (case.configure)(&mut config);
        let store = Datastore::open(&cx.sys, config).unwrap();
        let before = Tree::of(directory.path());
        Self {
            directory,
            cx,
            store,
            before,
        }
    }

    fn tree(&self) -> Tree {
        Tree::of(self.directory.path())
    }

    /// What becomes of the operation, without the directory that it runs in.
    fn perform(&self, run: cases::Run) -> Result<String, String> {
        let plain = |text: String| text.replace(&self.directory.path().display().to_string(), "");
        run(&self.cx, &self.store).map(plain).map_err(plain)
    }

    /// Whether nobody of this process has the record lock: an open file asks for one of its own, which excludes that.
    fn is_process_lock_free(&self) -> bool {
        let lock = libc::flock {
            l_type: libc::c_short::try_from(libc::F_WRLCK).unwrap(),
            l_whence: 0,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        let path = self.store.layout().process_lock();
        let file = File::options().write(true).open(path).unwrap();
        fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).is_ok()
    }
}

/// An operation in which no call goes wrong: what becomes of it, and the tree afterwards.
struct Clean {
    result: Result<String, String>,
    tree: Tree,
}

/// What is wrong after one call of an operation went wrong.
fn complaints(case: &Case, clean: &Clean, failure: Failure, run: &Run) -> Option<Trial> {
    let sys = &run.cx.sys;
    let open = sys.open_files();
    let result = run.perform(case.run);
    let hit = sys.mend()?;
    let after = run.tree();

    let is_whole = failure == Failure::Short
        || failure == Failure::Error(Errno::EINTR) && hit.name == "append";
    // What stays then is told.
    let remains = matches!(&result, Err(error) if error.contains("what it made stays"));
    let goes_on = matches!(failure, Failure::Always(_));
    let mut complaints = after.damage(&run.before);
    let mut complain = |complaint: String| complaints.push(complaint);
    for path in after.paths().filter(|path| is_temporary(path)) {
        // One whose removal is refused stays.
        let is_hit = hit.name == "unlink" && hit.path.ends_with(path);
        if !run.before.has(path) && !is_hit && !goes_on && !remains {
            complain(format!("{path}: stays under its temporary name"));
        }
    }
    if sys.open_files() != open {
        complain(format!(
            "{open} files were open, and are {}",
            sys.open_files()
        ));
    }
    if !run.is_process_lock_free() {
        complain("the process lock stays held".to_owned());
    }
    for (snapshot, times) in run.before.snapshots() {
        let now = after.snapshots().get(&snapshot).copied().unwrap_or(0);
        if now > times || now < times && !case.removes {
            complain(format!("{snapshot}: is there {now} times"));
        }
    }
    if is_whole && result != clean.result {
        complain(format!("it fails where it could go on: {result:?}"));
    }
    if case.leaves_nothing && result.is_err() && !remains && !goes_on {
        for path in after
            .differing(&run.before)
            .filter(|path| path.starts_with("store/"))
        {
            complain(format!("{path}: a failed run has made or removed it"));
        }
    }
    let (more, accepted) = next_runs(case, clean, run, &hit);
    complaints.extend(more);
    let names_it = |report: &String| {
        report.contains("problem: Some")
            || report.contains("problems: [") && !report.contains("problems: []")
    };
    let is_told = result != clean.result && result.as_ref().map_or(true, names_it);
    Some(Trial {
        untold: (!is_told && !is_whole).then_some(hit),
        accepted,
        complaints,
    })
}

/// What is wrong with the next run of the operation, and with a collection after it; and which failure of the next run is
/// accepted.
fn next_runs(
    case: &Case,
    clean: &Clean,
    run: &Run,
    hit: &Hit,
) -> (Vec<String>, Option<&'static str>) {
    let mut complaints = Vec::new();
    let mut accepted = None;
    match run.perform(case.again) {
        Ok(_) if case.converges => {
            let after = run.tree();
            // A lock file that could not be unlinked stays, and with it those that were to follow, until somebody takes
            // the lock again, as after a crash.
            let is_lock_file =
                hit.name == "unlink" && hit.path.starts_with(run.store.layout().locks());
            for path in after.differing(&clean.tree) {
                if !(is_lock_file && path.starts_with("locks/")) {
                    complaints.push(format!("{path}: differs after the next run"));
                }
            }
        }
        Ok(_) => {}
        Err(error) => match case.accepted.iter().find(|part| error.contains(**part)) {
            Some(part) => accepted = Some(*part),
            None => complaints.push(format!("the next run fails: {error}")),
        },
    }
    if let Err(error) = gc::run(&run.cx, &run.store, &gc::Settings::default()) {
        complaints.push(format!("a collection fails afterwards: {error}"));
    }
    let damage = run.tree().damage(&run.before);
    complaints.extend(
        damage
            .into_iter()
            .map(|damage| format!("at last, {damage}")),
    );
    (complaints, accepted)
}

/// What one run with a call that went wrong has shown.
struct Trial {
    untold: Option<Hit>,
    /// What the next run failed with, which is accepted.
    accepted: Option<&'static str>,
    complaints: Vec<String>,
}

/// What is wrong with an operation, and which exceptions it needs.
#[derive(Default)]
struct Found {
    complaints: Vec<String>,
    /// The numbers of the failures that are not told.
    untold: BTreeSet<usize>,
    /// The failures of next runs that are accepted.
    accepted: BTreeSet<&'static str>,
}

/// Tries every call of one case with every failure.
fn every_call_in(case: &Case, found: &mut Found) {
    let run = Run::of(case);
    let clean = Clean {
        result: run.perform(case.run),
        tree: run.tree(),
    };
    for failure in Failure::ALL {
        for number in 1.. {
            let run = Run::of(case);
            run.cx.sys.fail(*failure, number);
            let Some(trial) = complaints(case, &clean, *failure, &run) else {
                break;
            };
            let mut complain = |complaint: &str| {
                let name = case.name;
                let complaint = format!("{name}, {failure:?} of call {number}: {complaint}");
                found.complaints.push(complaint);
            };
            trial.complaints.iter().for_each(|c| complain(c));
            found.accepted.extend(trial.accepted);
            let Some(Hit { name, path }) = trial.untold else {
                continue;
            };
            let path = path.to_string_lossy();
            let is_it = |untold: &Untold| {
                untold.op == case.op.name()
                    && name.starts_with(untold.call)
                    && path.contains(untold.path)
            };
            match UNTOLD.iter().position(is_it) {
                Some(at) => drop(found.untold.insert(at)),
                None => complain(&format!("nobody is told that {name} of {path} failed")),
            }
        }
    }
}

/// Tries every call of all cases of an operation; an exception that none of them needs is wrong as well.
fn every_call_of(op: &str) {
    let mut found = Found::default();
    for case in CASES.iter().filter(|case| case.op.name() == op) {
        every_call_in(case, &mut found);
    }
    let mut complaints = found.complaints;
    for (at, untold) in UNTOLD.iter().enumerate() {
        if untold.op == op && !found.untold.contains(&at) {
            let Untold {
                call, path, why, ..
            } = untold;
            complaints.push(format!(
                "every failure of {call} of {path} is told, although {why}"
            ));
        }
    }
    for case in CASES.iter().filter(|case| case.op.name() == op) {
        for part in case
            .accepted
            .iter()
            .filter(|part| !found.accepted.contains(*part))
        {
            complaints.push(format!("{}: no next run fails because {part}", case.name));
        }
    }
    let count = complaints.len();
    assert!(
        complaints.is_empty(),
        "{count} complaints\n{}",
        complaints.join("\n")
    );
}

/// A datastore is made and opened again, whichever call went wrong in the first attempt.
#[test]
fn datastore_can_be_made_and_opened_whichever_call_goes_wrong() {
    for failure in Failure::ALL {
        for number in 1.. {
            let directory = tempfile::tempdir_in("/dev/shm").unwrap();
            let config = || Fixture::config(directory.path());
            let sys = FailingSys::default();
            sys.fail(*failure, number);
            let made = Datastore::create(&sys, config(), Prefixes::Only(&["5ca1"]));
            let Some(hit) = sys.mend() else { break };
            // An append that a signal interrupts, or that writes a part only, goes on; of an empty file nothing can be damaged.
            let goes_on = match failure {
                Failure::Error(errno) => *errno == Errno::EINTR && hit.name == "append",
                Failure::Short => true,
                Failure::Cut | Failure::Empty | Failure::Zeros | Failure::Flip => true,
                Failure::Always(_) | Failure::ShortThenFull | Failure::Nothing => false,
            };
            assert!(made.is_err() || goes_on, "{failure:?} of {hit:?}");
            drop(made);
            assert_eq!(sys.open_files(), 0, "{failure:?} of {hit:?}");
            match Datastore::create(&sys, config(), Prefixes::Only(&["5ca1"])) {
                Ok(_) => {}
                Err(OpenError::Exists(_)) => drop(Datastore::open(&sys, config()).unwrap()),
                Err(error) => panic!("{failure:?} of {hit:?}: {error}"),
            }
            let left = tree(directory.path());
            let expected = [
                "locks",
                "locks/store",
                "store",
                "store/.chunks",
                "store/.chunks/5ca1",
                "store/.lock",
            ];
            assert_eq!(left, expected, "{failure:?} of {hit:?}");
        }
    }
}

#[test]
fn every_operation_is_tried() {
    for op in Op::ALL {
        assert!(CASES.iter().any(|case| case.op == *op), "{}", op.name());
    }
}

#[test]
fn collection_sweeps_nothing_that_is_live_whichever_call_goes_wrong() {
    every_call_of("gc");
}

#[test]
fn backup_is_whole_or_gone_whichever_call_goes_wrong() {
    every_call_of("backup");
}

#[test]
fn removal_of_a_snapshot_can_be_repeated_whichever_call_goes_wrong() {
    every_call_of("forget_snapshot");
}

#[test]
fn prune_can_be_repeated_whichever_call_goes_wrong() {
    every_call_of("prune");
}

#[test]
fn verification_takes_no_failure_for_damage_whichever_call_goes_wrong() {
    every_call_of("verify");
}

#[test]
fn notes_are_the_old_or_the_new_ones_whichever_call_goes_wrong() {
    every_call_of("set_notes");
}

#[test]
fn owner_is_the_old_or_the_new_one_whichever_call_goes_wrong() {
    every_call_of("set_owner");
}

#[test]
fn every_snapshot_is_at_one_place_whichever_call_of_a_move_goes_wrong() {
    every_call_of("move_group");
}

#[test]
fn removal_of_a_namespace_can_be_repeated_whichever_call_goes_wrong() {
    every_call_of("delete_namespace");
}

#[test]
fn no_lock_stays_held_whichever_call_goes_wrong() {
    every_call_of("take_lock");
    every_call_of("take_namespace_lock");
}

#[test]
fn chunk_is_whole_or_gone_whichever_call_goes_wrong() {
    every_call_of("access_chunk");
}
