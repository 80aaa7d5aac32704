//! Faults and deadlocks of the runtime: what was left out is really missing, and the kernel is the witness.

use super::*;

#[test]
fn a_full_tmpfs_takes_as_much_of_an_append_as_the_trace_says() {
    let scenario = scenario("one_move_meets_gc");
    let whole = record(scenario, &[1]);
    let append = position(&whole, 1, "append_journal");
    let mut driver = driver(scenario, &[]);
    let index = driver
        .world()
        .store()
        .join(scenario.path(Id::Index(Namespace(2), specs::id::Index(0))));
    let index = index.to_str().unwrap().to_owned();
    for (cut, left) in [
        (Cut::Nothing, String::new()),
        (
            Cut::MidLine,
            index[..index.rfind('/').unwrap() + 4].to_owned(),
        ),
        (Cut::NoNewline, index.clone()),
    ] {
        let mut trace = whole[..=append].to_vec();
        if let Event::Step { outcome, .. } = &mut trace[append] {
            *outcome = Outcome::NoSpace(cut);
        }
        let states = watch(&mut driver, &trace);
        assert_eq!(
            states.last().unwrap().journal,
            Some(left.into_bytes()),
            "{cut:?}"
        );
    }
}

#[test]
fn a_skipped_unlock_keeps_the_lock_and_a_skipped_append_writes_nothing() {
    let scenario = scenario("one_move_meets_gc");
    let trace = record(scenario, &[1]);
    let fault = Fault::Skip(specs::Step::MoveGroup(Move::UnlockTargetGroup));
    let mut faulty = driver(scenario, &[fault]);
    let states = watch(&mut faulty, &trace);
    let target = Lock::Group(Namespace(2), GroupId(0));
    let end = states.last().unwrap();
    let held = end.locks.iter().find(|l| l.lock == target).unwrap();
    assert_eq!(held.holders.len(), 1);
    let runs = [vec![], faulty.runs(Actor(1)).to_vec()];
    let notes = Notes::new(&Scope::new(scenario, Design::HARDENED, &[]));
    let evidence = Evidence {
        scenario,
        design: Design::HARDENED,
        world: faulty.world(),
        seen: end,
        notes: &notes,
        runs: &runs,
        before: &[],
        waiters: &[],
        refused: None,
    };
    let shown_of = |property| shown(property, &evidence).unwrap();
    let Shown::Broken(text) = shown_of(Property::FinishedOperationHoldsNoLock) else {
        panic!("the lock that stays is not seen");
    };
    assert!(
        text.contains("other has ended its work") && text.contains("b/vm-100"),
        "{text}"
    );
    assert_eq!(shown_of(Property::LiveChunkIsNeverSwept), Shown::Unbroken);
    // What stayed open is closed with the trace.
    assert_eq!(watch(&mut faulty, &trace), states);

    let fault = Fault::Skip(specs::Step::MoveGroup(Move::AppendJournal));
    let mut faulty = driver(scenario, &[fault]);
    let states = watch(&mut faulty, &trace);
    let appended = &states[position(&trace, 1, "append_journal") + 1];
    assert_eq!(appended.journal, Some(Vec::new()));
}

#[test]
fn two_takers_rely_on_one_lock_when_the_comparison_of_inodes_is_skipped() {
    let scenario = scenario("three_takers_meet_remover");
    let path = Id::Group(Namespace(0), GroupId(0));
    let step = |actor, label: specs::Label<Id>| Event::Step {
        actor: Actor(actor),
        label,
        outcome: Outcome::Done,
    };
    let trace = [
        step(3, Take::OpenLockFile.of(path)),
        step(3, Take::FlockLockFile.into()),
        step(3, Take::RecheckLockFile.into()),
        step(0, Take::OpenLockFile.of(path)),
        step(3, Take::UnlinkLockFile.into()),
        step(3, Take::UnlockLockFile.into()),
        step(0, Take::FlockLockFile.into()),
        step(0, Take::RecheckLockFile.into()),
        step(1, Take::OpenLockFile.of(path)),
        step(1, Take::FlockLockFile.into()),
        step(1, Take::RecheckLockFile.into()),
    ];
    let fault = Fault::Skip(specs::Step::TakeLock(Take::RecheckLockFile));
    let mut faulty = driver(scenario, &[fault]);
    let states = watch(&mut faulty, &trace);
    let mut reliance = Notes::new(&Scope::new(scenario, Design::HARDENED, &[])).reliance;
    trace.iter().for_each(|event| reliance.note(event));
    let text = reliance.conflict(states.last().unwrap()).unwrap();
    assert!(
        text.contains("process 0 on a file that is no longer there"),
        "{text}"
    );
    assert!(text.contains("process 1 on the file at the path"), "{text}");

    // Without the fault the first taker is told that its file has vanished.
    let mut sound = driver(scenario, &[]);
    let result = replay_trace(&mut sound, &trace, |after| states[after].clone()).unwrap();
    let divergence = result.unwrap_err();
    assert_eq!(
        (divergence.step, divergence.first_difference.as_str()),
        (7, "outcome: expected Done, saw Vanished")
    );
}

#[test]
fn a_deadlock_is_witnessed_by_the_kernels_waiters() {
    let scenario = scenario("two_moves_cross");
    let fault = Fault::Wait(specs::Step::MoveGroup(Move::LockTargetGroup));
    let mut faulty = driver(scenario, &[fault]);
    // Each in turn up to the step that would wait.
    let mut trace = Vec::new();
    for name in [Move::LockSourceGroup, Move::CheckMove, Move::ReadOwner] {
        for actor in [0, 1] {
            let (label, actor) = (name.into(), Actor(actor));
            trace.push(Event::Step {
                actor,
                label,
                outcome: Outcome::Done,
            });
        }
    }
    watch(&mut faulty, &trace);
    let waiters = faulty.witness_deadlock(&[Actor(0), Actor(1)]).unwrap();
    let waiter = |process, namespace| Waiter {
        process: Process(process),
        lock: Some(Lock::Group(Namespace(namespace), GroupId(0))),
    };
    assert!(
        waiters.contains(&waiter(0, 2)) && waiters.contains(&waiter(1, 1)),
        "{waiters:?}"
    );
}
