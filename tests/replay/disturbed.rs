//! Every task alone, disturbed in every way that could change anything, and beside a backup that fails, under every named
//! design: each step with each outcome is replayed in each of these questions.

use super::options;
use conformance::edges::Progress;
use conformance::record::Verdict;
use conformance::replay::Plan;
use conformance::share::{Sharing, kinds};
use conformance::world::SHM;
use model::Scope;
use specs::design::{Change, PRESETS};
use specs::question::disturbance::{Disturbance, Disturbances};
use specs::question::sets::{STANDARD, tasks_of};
use specs::question::tree::TREES;
use specs::question::{Modes, Question};
use specs::{Design, Scenario};
use std::path::Path;

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize, _: usize) {}
    fn done(&self, _: usize) {}
}

/// The tasks of the first tree, each by itself, calm and disturbed once. Kills are replayed elsewhere, state by state.
fn questions() -> Vec<&'static Scenario> {
    let tree = &TREES[0];
    let once = Disturbance::ALL
        .into_iter()
        .filter(|by| *by != Disturbance::Kill)
        .map(|by| Disturbances::NONE.with(by));
    let ways: Vec<Disturbances> = std::iter::once(Disturbances::NONE).chain(once).collect();
    let mut questions = Vec::new();
    for task in tasks_of(tree) {
        let calm = Question {
            tree,
            actors: vec![vec![task]],
            modes: Modes::default(),
        };
        let is_disturbed = |by: &Disturbances| by.iter().all(|one| one.matters(calm.scenario()));
        for by in ways.iter().copied().filter(is_disturbed) {
            let mut question = calm.clone();
            question.modes.by = by;
            questions.push(question.scenario());
        }
    }
    questions
}

/// A backup whose client leaves, beside each other task.
fn beside_a_failing_backup() -> Vec<&'static Scenario> {
    let beside = |task: &str| Question::parse(&format!("backup(b)+{task}@own,leave")).ok();
    let all = STANDARD.iter().filter_map(|task| beside(task));
    all.map(|question| question.scenario()).collect()
}

/// Each step with each outcome is replayed in each question, under every named design.
fn does_what_the_model_does(questions: &[&'static Scenario]) {
    let mut designs: Vec<Design> = PRESETS.iter().map(|preset| preset.design).collect();
    designs.push(Design::HARDENED.with(Change::LocksDirectories));
    for design in designs {
        let mut sharing = Sharing::new("tasks", design, kinds);
        for scenario in questions {
            let plan = Plan {
                scenario,
                design,
                faults: Vec::new(),
                options: options(Path::new(SHM)),
                lanes: 2,
            };
            let scope = Scope::new(scenario, design, &[]);
            sharing.forget();
            sharing.replay(&scope, &plan, 2, &Silent).unwrap();
        }
        let share = sharing.end();
        let failures = &share.failures;
        assert_eq!(share.verdict, Verdict::Holds, "{design}: {failures:?}");
        assert!(
            share.edges_replayed > 500,
            "{design}: {}",
            share.edges_replayed
        );
    }
}

#[test]
fn a_task_alone_and_disturbed_does_what_the_model_does_under_every_named_design() {
    let questions = questions();
    assert!(questions.len() > 50, "{}", questions.len());
    does_what_the_model_does(&questions);
}

#[test]
fn a_task_beside_a_failing_backup_does_what_the_model_does_under_every_named_design() {
    let questions = beside_a_failing_backup();
    assert!(questions.len() > 15, "{}", questions.len());
    does_what_the_model_does(&questions);
}

/// A share is one of all edges: those of a graph that shows nothing new count as well.
#[test]
fn every_graph_counts_in_its_share_with_all_its_edges() {
    let question = Question::parse("prune(a)+owner(b)").unwrap();
    let scenario = question.scenario();
    let plan = Plan {
        scenario,
        design: Design::HARDENED,
        faults: Vec::new(),
        options: options(Path::new(SHM)),
        lanes: 1,
    };
    let scope = Scope::new(scenario, Design::HARDENED, &[]);
    let shared = |graphs: usize| {
        let mut sharing = Sharing::new("test", Design::HARDENED, kinds);
        for _ in 0..graphs {
            sharing.replay(&scope, &plan, 1, &Silent).unwrap();
        }
        sharing.end()
    };
    let once = shared(1);
    let thrice = shared(3);
    assert_eq!((thrice.graphs, thrice.graphs_replayed), (3, 1));
    assert_eq!(thrice.edges_replayed, once.edges_replayed);
    assert_eq!(thrice.edges, 3 * once.edges);
    assert_eq!(
        once.edges,
        super::Covered::of(scope).graph.edges.len() as u64
    );
}
