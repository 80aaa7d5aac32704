//! The search itself: blocks of the frontier in three phases, by any number of threads.
//!
//! Expand (parallel by chunk), look up (parallel by table), number (by the leader alone). The threads
//! meet after each phase. No phase has two writers of one thing, so the locks are never waited for:
//! they are there to say so to the compiler.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use stateright::{Expectation, Property};

use super::block::{CHUNKS, Chunk, Recent};
use super::ledger::{Ledger, Plan, Step};
use super::meeting::Meeting;
use super::table::{SHARDS, Table};
use super::tally::{Sighting, Site, Subject, Tally};
use super::{DEADLOCK, Exploration, Options, Protocol, Refusal};
use crate::verdict::{Completeness, Cut};

/// Fingerprints looked up together, so that their cache misses overlap.
const GROUP: usize = 32;

/// What the threads share.
pub(super) struct Search<'a, P: Protocol> {
    pub(super) model: &'a P,
    pub(super) tables: Vec<Mutex<Table>>,
    pub(super) chunks: Vec<RwLock<Chunk<P::State, P::Action>>>,
    pub(super) frontier: RwLock<Vec<P::State>>,
    /// The property that the search is to stop at was hit.
    pub(super) is_stopped: AtomicBool,
    pub(super) properties: Vec<Property<P>>,
    stop_at: Option<Subject>,
    keep_graph: bool,
    plan: RwLock<Option<Plan>>,
    next_chunk: AtomicUsize,
    next_table: AtomicUsize,
    meeting: Meeting,
}

/// What a thread has for itself.
struct Hand {
    tally: Tally,
    recent: Option<Recent>,
    entries: Vec<Entry>,
}

/// A successor to be looked up.
#[derive(Clone, Copy)]
struct Entry {
    print: u64,
    chunk: u32,
    index: u32,
}

/// Searches `model` and writes the record of it.
pub(super) fn run<P: Protocol>(
    model: &P,
    options: &Options,
    stop_at: Option<Subject>,
) -> Result<Exploration<P::State, P::Action>, Refusal> {
    let threads = options.threads.max(1);
    let search = Search::new(model, options, stop_at, threads);
    let mut ledger = Ledger::new(options.keep_graph);
    let mut hand = search.hand();
    let completeness = thread::scope(|scope| {
        let followers: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| search.follow()))
            .collect();
        let completeness = search.lead(options, &mut ledger, &mut hand);
        for follower in followers {
            match follower.join() {
                Ok(tally) => hand.tally.merge(&tally),
                // The model panicked: the message has been printed, and the caller is to know.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        completeness
    });
    let record = search.record(completeness, &ledger, &hand.tally, threads)?;
    Ok(Exploration {
        record,
        graph: ledger.into_graph(),
    })
}

impl<'a, P: Protocol> Search<'a, P> {
    fn new(model: &'a P, options: &Options, stop_at: Option<Subject>, threads: usize) -> Self {
        let keep_graph = options.keep_graph;
        Self {
            model,
            tables: (0..SHARDS)
                .map(|_| Mutex::new(Table::new(keep_graph)))
                .collect(),
            chunks: (0..CHUNKS).map(|_| RwLock::new(Chunk::new())).collect(),
            frontier: RwLock::default(),
            is_stopped: AtomicBool::new(false),
            properties: model.properties(),
            stop_at,
            keep_graph,
            plan: RwLock::default(),
            next_chunk: AtomicUsize::new(0),
            next_table: AtomicUsize::new(0),
            meeting: Meeting::new(threads),
        }
    }

    fn hand(&self) -> Hand {
        Hand {
            tally: Tally::new(self.model.kinds(), self.properties.len()),
            // A graph has an edge to every successor, so none may be left out.
            recent: (!self.keep_graph).then(Recent::new),
            entries: Vec::new(),
        }
    }

    /// Directs the search and takes part in it.
    fn lead(
        &self,
        options: &Options,
        ledger: &mut Ledger<P::State, P::Action>,
        hand: &mut Hand,
    ) -> Completeness {
        let _member = self.meeting.member();
        ledger.put_initial_states(self);
        self.look_up(ledger.initial_block(), hand);
        ledger.number_new_states(self, options);
        loop {
            let step = ledger.next_step(self, options);
            let plan = match &step {
                Step::Expand(plan) => Some(*plan),
                Step::End(_) => None,
            };
            *write(&self.plan) = plan;
            self.next_chunk.store(0, Ordering::Relaxed);
            self.next_table.store(0, Ordering::Relaxed);
            let is_broken = !self.meeting.wait();
            if let Step::End(completeness) = step {
                return completeness;
            }
            if is_broken || !self.take_part(hand) {
                // The follower that panicked is about to be joined, so this is never read.
                return Completeness::Cut { why: Cut::Aborted };
            }
            ledger.number_new_states(self, options);
        }
    }

    /// Takes part in the search until there is no plan.
    fn follow(&self) -> Tally {
        let _member = self.meeting.member();
        let mut hand = self.hand();
        while self.meeting.wait() && self.take_part(&mut hand) {}
        hand.tally
    }

    /// Does a share of the planned block. False if there is none, or if another thread panicked.
    fn take_part(&self, hand: &mut Hand) -> bool {
        let Some(plan) = *read(&self.plan) else {
            return false;
        };
        self.expand(&plan, hand);
        if !self.meeting.wait() {
            return false;
        }
        self.look_up(plan, hand);
        self.meeting.wait()
    }

    /// Phase one: follows the edges out of a range of the frontier, chunk by chunk.
    fn expand(&self, plan: &Plan, hand: &mut Hand) {
        let frontier = read(&self.frontier);
        loop {
            let number = self.next_chunk.fetch_add(1, Ordering::Relaxed);
            if number >= plan.chunks() {
                return;
            }
            let range = plan.chunk(number);
            let first = plan.number_of(range.start);
            write(&self.chunks[number]).expand(
                self.model,
                &frontier[range],
                first,
                &mut hand.recent,
                self.keep_graph,
                &mut hand.tally.coverage,
            );
        }
    }

    /// Phase two: finds out which successors are new, table by table, and judges those.
    fn look_up(&self, plan: Plan, hand: &mut Hand) {
        let chunks: Vec<_> = self.chunks[..plan.chunks()].iter().map(read).collect();
        loop {
            let number = self.next_table.fetch_add(1, Ordering::Relaxed);
            if number >= SHARDS {
                return;
            }
            collect(&chunks, number, &mut hand.entries);
            let mut table = lock(&self.tables[number]);
            table.reserve(hand.entries.len());
            for group in hand.entries.chunks(GROUP) {
                table.touch(group.iter().map(|entry| entry.print));
                for entry in group {
                    let (slot, is_new) = table.insert(entry.print);
                    let chunk = &chunks[entry.chunk as usize];
                    if is_new || self.keep_graph {
                        chunk.mark(entry.index, slot, is_new);
                    }
                    if is_new {
                        let site = Site {
                            block: plan.block,
                            chunk: entry.chunk as usize,
                            index: entry.index,
                        };
                        let sighting = Sighting {
                            site,
                            print: entry.print,
                        };
                        let state = &chunk.states[entry.index as usize];
                        self.judge(state, sighting, &mut hand.tally);
                    }
                }
            }
        }
    }

    /// Asks everything there is to ask about a new state.
    #[inline]
    fn judge(&self, state: &P::State, sighting: Sighting, tally: &mut Tally) {
        for (index, property) in self.properties.iter().enumerate() {
            tally.premises[index] += u64::from(self.model.premise(index, state));
            let holds = (property.condition)(self.model, state);
            if holds != (property.expectation == Expectation::Always) {
                tally.hits[index].add(sighting);
                self.stop_if(Subject::Property(index));
            }
        }
        if self.model.is_deadlock(state) {
            tally.deadlocks.add(sighting);
            self.stop_if(Subject::Deadlock);
        }
    }

    #[cold]
    fn stop_if(&self, subject: Subject) {
        if self.stop_at == Some(subject) {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
    }

    /// What the search was told to stop at, by name.
    pub(super) fn stopped_at(&self) -> String {
        match self.stop_at {
            Some(Subject::Property(index)) => self.properties[index].name.to_owned(),
            Some(Subject::Deadlock) | None => DEADLOCK.to_owned(),
        }
    }
}

/// The successors that belong to one table, in the order in which one queue would have met them.
#[expect(clippy::cast_possible_truncation, reason = "a block has CHUNKS chunks")]
fn collect<S, A>(
    chunks: &[RwLockReadGuard<'_, Chunk<S, A>>],
    table: usize,
    entries: &mut Vec<Entry>,
) {
    entries.clear();
    for (number, chunk) in chunks.iter().enumerate() {
        entries.extend(chunk.buckets[table].iter().map(|&index| Entry {
            print: chunk.prints[index as usize],
            chunk: number as u32,
            index,
        }));
    }
}

/// Locks, whether or not a thread that had the lock panicked: then the search ends anyway.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
