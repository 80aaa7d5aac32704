//! Every task, and every two, one after the other, on the trees that questions are asked on.

use super::Stage;
use specs::id::{Chunk, Group, Namespace, Process, Snapshot};
use specs::question::sets::tasks_of;
use specs::question::tree::{TREES, Tree};
use specs::question::{Modes, Question, ShortTask};
use specs::scenario::{Start, Task};
use specs::{Design, Scenario};

/// Runs tasks one after the other; the model follows.
fn run(tree: &'static Tree, tasks: &[&ShortTask], design: Design) {
    let question = Question {
        tree,
        actors: tasks.iter().map(|task| vec![(*task).clone()]).collect(),
        modes: Modes::default(),
    };
    if question.doubled_backup().is_some() {
        return;
    }
    let mut stage = Stage::new(question.scenario(), design);
    for actor in (0..).take(tasks.len()) {
        stage.run(actor);
    }
}

#[test]
fn a_task_alone_takes_the_steps_of_the_model_on_every_tree() {
    for design in [Design::HARDENED, Design::UPSTREAM, Design::RELEASE_4_2_3] {
        for tree in TREES {
            let tasks = tasks_of(tree);
            assert!(tasks.len() > 5, "{}", tree.name);
            tasks.iter().for_each(|task| run(tree, &[task], design));
        }
    }
}

#[test]
fn two_tasks_in_turn_take_the_steps_of_the_model_where_there_is_more_than_snapshots() {
    let has_more = |tree: &&Tree| {
        let groups = tree.empty_groups.len() + tree.notes.len();
        tree.foreign_line || groups + tree.protected.len() + tree.corrupt.len() > 0
    };
    let trees: Vec<&Tree> = TREES.iter().filter(has_more).collect();
    assert_eq!(trees.len(), 4);
    for tree in trees {
        let tasks = tasks_of(tree);
        for first in &tasks {
            for second in &tasks {
                for design in [Design::HARDENED, Design::UPSTREAM] {
                    run(tree, &[first, second], design);
                }
            }
        }
    }
}

#[test]
fn a_prune_keeps_what_the_model_keeps_whichever_snapshots_are_protected() {
    let two = *Question::parse("four_snapshots:prune(a)")
        .unwrap()
        .scenario();
    let all: [&[Snapshot]; 4] = [
        &[],
        &[Snapshot(0)],
        &[Snapshot(1)],
        &[Snapshot(0), Snapshot(1)],
    ];
    for protected in all {
        for keep_last in 0..3 {
            let prune = Task::Prune {
                namespace: Namespace(1),
                group: Group(0),
                keep_last,
            };
            let scenario = Scenario {
                protected,
                actors: vec![(Process(0), prune)].leak(),
                ..two
            };
            for design in [Design::HARDENED, Design::UPSTREAM] {
                Stage::new(Box::leak(Box::new(scenario)), design).run(0);
            }
        }
    }
}

/// Two snapshots, each with two index files; every way to name two chunks, and every choice of corrupt ones. The same
/// verification again finds what the first one has set aside.
#[test]
fn a_verification_fails_what_the_model_fails_whichever_chunks_are_corrupt() {
    const NAMED: [&[Chunk]; 3] = [&[Chunk(0)], &[Chunk(1)], &[Chunk(0), Chunk(1)]];
    const CORRUPT: [&[Chunk]; 4] = [&[], &[Chunk(0)], &[Chunk(1)], &[Chunk(0), Chunk(1)]];
    let question = Question::parse("two_files:verify(a)").unwrap();
    let two = *question.scenario();
    let verify = question.scenario().actors[0];
    let mut snapshots = two.snapshots.to_vec();
    for (older, newer) in NAMED.into_iter().flat_map(|a| NAMED.map(|b| (a, b))) {
        for corrupt in CORRUPT {
            snapshots[1].start = Start::Finished;
            let mut indexes = two.indexes.to_vec();
            for index in &mut indexes {
                index.chunks = match index.snapshot {
                    Some(Snapshot(0)) => older,
                    _ => newer,
                };
            }
            let scenario = Scenario {
                corrupt,
                snapshots: snapshots.clone().leak(),
                indexes: indexes.leak(),
                actors: vec![verify, verify].leak(),
                ..two
            };
            for design in [Design::HARDENED, Design::UPSTREAM] {
                let mut stage = Stage::new(Box::leak(Box::new(scenario)), design);
                stage.run(0);
                stage.run(1);
            }
        }
    }
}
