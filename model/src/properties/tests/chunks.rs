//! What is said of chunks, of the journal and of collections.

use super::*;

#[test]
fn each_chunk_that_an_index_file_names_is_live() {
    for scenario in SCENARIOS {
        let scope = Scope::new(scenario, Design::HARDENED, &[]);
        let judged = Judged::new(Property::LiveChunkIsNeverSwept, &scope, scope.start());
        for id::Chunk(c) in scenario.all_chunks() {
            let at = usize::from(c);
            let is_named = judged
                .base
                .indexes
                .iter()
                .any(|i| scope.chunks_of[usize::from(i)].has(c));
            let sweep = |state: &mut State| state.chunks[at] = state.chunks[at].unlinked();
            if !is_named {
                judged.accepts("a dead chunk that is gone", sweep);
                continue;
            }
            judged.refuses("a live chunk that is gone", sweep);
            judged.accepts("a corrupt chunk that was set aside", |state| {
                state.chunks[at] = Chunk::OLD.corrupt().set_aside().unwrap();
            });
            judged.refuses("a good chunk that was set aside", |state| {
                state.chunks[at] = Chunk::OLD.set_aside().unwrap();
            });
            judged.accepts("a chunk whose index files have no name yet", |state| {
                sweep(state);
                let naming = state
                    .indexes
                    .iter()
                    .filter(|i| scope.chunks_of[usize::from(*i)].has(c));
                state.indexes = naming.fold(state.indexes, Set::without);
            });
            let is_stray = scope
                .strays
                .iter()
                .any(|i| scope.chunks_of[usize::from(i)].has(c));
            if !is_stray {
                judged.accepts("a chunk of snapshots that are gone", |state| {
                    sweep(state);
                    state.snapshots = [Set::default(); SNAPSHOTS];
                });
            }
        }
    }
}

#[test]
fn each_new_path_of_each_index_file_needs_its_entry() {
    let scope = scope("two_moves_chain_meets_gc");
    let judged = Judged::new(Property::NewPathImpliesJournalEntry, &scope, scope.start());
    for (n, i) in &scope.by_path {
        let (n, i) = (*n, *i);
        let Some(s) = scope.snapshot_of[usize::from(i)] else {
            continue;
        };
        let at = At {
            index: i,
            namespace: n,
        };
        let other = At {
            namespace: (n + 1) % 4,
            ..at
        };
        let renamed = |line: Kind| {
            move |state: &mut State| {
                state.snapshots[usize::from(s)] = Set::only(n);
                state.renamed = state.renamed.with_all(n, Set::only(i));
                state.lines[0] = Line::of(line);
            }
        };
        judged.refuses("a path without an entry", renamed(Kind::None));
        judged.refuses("an entry for another path", renamed(Kind::Entry(other)));
        judged.refuses("an entry that was cut short", renamed(Kind::MidLine(at)));
        judged.accepts("a path with its entry", renamed(Kind::Entry(at)));
        judged.accepts("an entry without its newline", renamed(Kind::NoNewline(at)));
        judged.accepts("a path where nothing is any more", |state| {
            renamed(Kind::None)(state);
            state.snapshots[usize::from(s)] = Set::default();
        });
    }
}

#[test]
fn each_end_of_a_collection_that_a_journal_or_a_removal_brings_is_refused() {
    for (name, has_foreign) in [
        ("one_move_meets_gc", false),
        ("foreign_line_meets_two_gc_runs", true),
    ] {
        let scope = scope(name);
        let gc = actor(&scope, is_gc_task);
        let base = all_ended(&scope.start(), &scope);
        let finishes = Judged::new(Property::GcThatMeetsNoAbortConditionFinishes, &scope, base);
        let stops = Judged::new(Property::JournalNeverStopsGc, &scope, base);
        for end in ENDS {
            let ends = move |state: &mut State| state.actor_mut(gc).end = end;
            let by_journal = end == End::BAD_ENTRY || end == End::FOREIGN_LINE && !has_foreign;
            let is_refused = by_journal || end == End::VANISHED;
            let what = format!("end {}", end.0);
            match is_refused {
                true => finishes.refuses(&what, ends),
                false => finishes.accepts(&what, ends),
            }
            match by_journal {
                true => stops.refuses(&what, ends),
                false => stops.accepts(&what, ends),
            }
            for judged in [&finishes, &stops] {
                judged.accepts("a run that has not let its locks go", |state| {
                    ends(state);
                    state.actor_mut(gc).held = Held::NONE.with(Fixed::GC_SLOT);
                });
                judged.accepts("another operation that ends so", |state| {
                    state.actor_mut(actor(&scope, is_move)).end = end;
                });
            }
        }
    }
}

#[test]
fn each_chunk_that_was_touched_or_inserted_is_there() {
    for (name, unlocks) in [
        ("insert_meets_set_aside", true),
        ("insert_meets_set_aside", false),
    ] {
        let scope = scope(name);
        let is_it = |state: &State| {
            let all: Vec<bool> = secured(&scope, state).map(|(_, unlocks)| unlocks).collect();
            !all.is_empty() && all.iter().all(|found| *found == unlocks)
        };
        let state = reach(&scope, |state| {
            is_it(state) && holds(Property::InsertedChunkIsThere, &scope, state)
        });
        let (id::Chunk(c), _) = secured(&scope, &state).next().unwrap();
        let judged = Judged::new(Property::InsertedChunkIsThere, &scope, state);
        let at = usize::from(c);
        judged.refuses("a chunk that is gone", |state| {
            state.chunks[at] = Chunk::OLD.unlinked();
        });
        let aside =
            |state: &mut State| state.chunks[at] = Chunk::OLD.corrupt().set_aside().unwrap();
        match unlocks {
            // Under the mutex nobody sets it aside.
            true => judged.refuses("a chunk that was set aside under the mutex", aside),
            false => judged.accepts("a corrupt chunk that was set aside", aside),
        }
    }
}
