//! A share of many graphs is replayed on real files: of each graph what none before it has shown.
//!
//! All edges of all generated questions are too many. What is chosen instead is every way in which two operations met: a step
//! with its outcome, taken while another actor stands before one of its own steps, has begun and has not ended; and each step of
//! an operation with each outcome, whoever is there. Each that occurs anywhere is replayed at least once, on a shortest way to it
//! and on to an end.

use crate::drawing::actor_of;
use crate::edges::{Explored, Progress, first_calm_edge, is_kill};
use crate::record::{Share, Verdict};
use crate::replay::Plan;
use crate::traces::{Path, Ways};
use model::engine::Graph;
use model::{Scope, State};
use specs::{Design, Event, Op};
use std::collections::BTreeSet;
use std::time::Instant;

/// Something that an edge shows: which step with which outcome, and beside what.
pub type Sight = (usize, usize);

/// What an edge shows.
pub type Sights = fn(&Scope, &State, &Event) -> Vec<Sight>;

/// The step beside each other actor that is at work, with the row of its table before which that stands; and the step of that
/// operation, which may be one of another that it runs.
pub fn meetings(scope: &Scope, state: &State, event: &Event) -> Vec<Sight> {
    let Some(me) = actor_of(event) else {
        return Vec::new();
    };
    let kind = scope.kind_of(state, event);
    let others = scope
        .actors()
        .filter(|other| *other != me && scope.is_at_work(state, *other));
    let of = Op::ALL.iter().position(|op| *op == scope.task_of(me).op());
    others
        .map(|other| (kind, scope.place_of(state, other)))
        .chain(of.map(|op| (kind, usize::MAX - op)))
        .collect()
}

/// The step alone.
pub fn kinds(scope: &Scope, state: &State, event: &Event) -> Vec<Sight> {
    let is_step = actor_of(event).is_some();
    let kind = is_step.then(|| (scope.kind_of(state, event), 0));
    kind.into_iter().collect()
}

/// Replays graphs one after the other, and remembers what they have shown.
pub struct Sharing {
    sights: Sights,
    seen: BTreeSet<Sight>,
    shown_before: usize,
    begin: Instant,
    share: Share,
}

impl Sharing {
    /// Nothing has been shown yet. `of` names what the graphs are of.
    pub fn new(of: &str, design: Design, sights: Sights) -> Self {
        Self {
            sights,
            seen: BTreeSet::new(),
            shown_before: 0,
            begin: Instant::now(),
            share: Share::of(of, design),
        }
    }

    /// Replays what a scope shows for the first time.
    ///
    /// # Errors
    ///
    /// If it cannot be explored, or no worker can be started.
    pub fn replay(
        &mut self,
        scope: &Scope,
        plan: &Plan<'_>,
        threads: usize,
        progress: &dyn Progress,
    ) -> anyhow::Result<()> {
        let explored = Explored::of(scope, threads)?;
        let edges = explored.graph.edges.iter();
        let calm = edges.filter(|edge| !is_kill(&edge.action)).count();
        let (paths, covered) = self.paths(scope, &explored.graph);
        let share = &mut self.share;
        share.graphs += 1;
        share.edges += calm as u64;
        if paths.is_empty() {
            return Ok(());
        }
        let report = explored.replay(plan, &paths, false, progress)?;
        share.graphs_replayed += 1;
        share.edges_replayed += covered as u64;
        share.traces += report.counts.traces as u64;
        share.steps += report.counts.steps as u64;
        share.compared_fields += report.counts.compared_fields as u64;
        let name = scope.scenario.name;
        if let Some((trace, divergence)) = &report.divergence {
            share.failures.push(format!(
                "{name}: trace {} step {}: {}: {}",
                trace + 1,
                divergence.step + 1,
                divergence.described,
                divergence.first_difference
            ));
        } else {
            let lack = lack(name, report.counts.traces, paths.len());
            share.failures.extend(lack);
        }
        Ok(())
    }

    /// Lets the next graph show everything anew.
    pub fn forget(&mut self) {
        self.shown_before += self.seen.len();
        self.seen.clear();
    }

    /// What came of it. Graphs that show nothing are no success.
    pub fn end(mut self) -> Share {
        let share = &mut self.share;
        share.sights = self.shown_before + self.seen.len();
        share.seconds = self.begin.elapsed().as_secs_f64();
        if share.edges_replayed == 0 {
            let nothing = "nothing was replayed, so nothing was compared";
            share.failures.push(nothing.to_owned());
        }
        if !share.failures.is_empty() {
            share.verdict = Verdict::Diverged;
        }
        self.share
    }

    /// Paths that show everything that no graph before has shown, and the number of edges on them.
    fn paths(&mut self, scope: &Scope, graph: &Graph<State, Event>) -> (Vec<Path>, usize) {
        let ways = Ways::of(graph);
        let mut paths = Vec::new();
        let mut taken = vec![false; graph.edges.len()];
        for (e, edge) in (0u32..).zip(&graph.edges) {
            if is_kill(&edge.action) || !self.is_new(scope, graph, e) {
                continue;
            }
            let mut path = ways.to(edge.from);
            path.push(e);
            let mut state = edge.to;
            while let Some((next, to)) = self.onwards(scope, graph, state) {
                path.push(next);
                state = to;
            }
            for edge in &path {
                self.seen.extend(self.shown(scope, graph, *edge));
                taken[*edge as usize] = true;
            }
            paths.push(path);
        }
        (paths, taken.into_iter().filter(|taken| *taken).count())
    }

    /// An edge to go on with: one that shows something new, if there is one.
    fn onwards(
        &self,
        scope: &Scope,
        graph: &Graph<State, Event>,
        state: u32,
    ) -> Option<(u32, u32)> {
        let first = graph.offsets[state as usize];
        let edges = (first..).zip(graph.edges_from(state));
        let mut calm = edges.filter(|(_, edge)| !is_kill(&edge.action));
        let new = calm.find(|(e, _)| self.is_new(scope, graph, *e));
        new.map(|(e, edge)| (e, edge.to))
            .or_else(|| first_calm_edge(graph, state))
    }

    fn is_new(&self, scope: &Scope, graph: &Graph<State, Event>, edge: u32) -> bool {
        let shown = self.shown(scope, graph, edge);
        shown.iter().any(|sight| !self.seen.contains(sight))
    }

    fn shown(&self, scope: &Scope, graph: &Graph<State, Event>, edge: u32) -> Vec<Sight> {
        let edge = &graph.edges[edge as usize];
        (self.sights)(scope, &graph.states[edge.from as usize], &edge.action)
    }
}

/// What is missing if not all traces of a graph were replayed.
fn lack(name: &str, replayed: usize, all: usize) -> Option<String> {
    let is_whole = replayed == all;
    (!is_whole).then(|| format!("{name}: {replayed} of {all} traces were replayed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::engine::{self, Options};

    /// With three actors an edge shows two meetings.
    #[test]
    fn the_paths_show_everything_that_the_graph_shows_and_the_same_graph_nothing_more() {
        for name in ["gc+move(a,b)", "move(a,b)+notes(a,0)+owner(a)"] {
            let question = specs::question::Question::parse(name).unwrap();
            let scope = Scope::new(question.scenario(), Design::HARDENED, &[]);
            let options = Options {
                keep_graph: true,
                ..Options::default()
            };
            let graph = engine::explore(&scope, &options).unwrap().graph.unwrap();
            let all: BTreeSet<Sight> = graph
                .edges
                .iter()
                .flat_map(|edge| meetings(&scope, &graph.states[edge.from as usize], &edge.action))
                .collect();
            let mut sharing = Sharing::new("test", Design::HARDENED, meetings);
            let (paths, covered) = sharing.paths(&scope, &graph);
            assert!(
                sharing.seen == all,
                "{name}: {} of {}",
                sharing.seen.len(),
                all.len()
            );
            assert!(all.len() > 100, "{}", all.len());
            assert!(covered < graph.edges.len() && covered >= paths.len());
            assert_eq!(sharing.paths(&scope, &graph), (Vec::new(), 0));
            sharing.forget();
            // Not in the message: they are long.
            assert!(sharing.paths(&scope, &graph) == (paths, covered));
            assert_eq!(sharing.end().sights, 2 * all.len());
        }
    }

    #[test]
    fn a_graph_of_which_one_trace_was_not_replayed_is_no_success() {
        assert_eq!(lack("gc", 7, 7), None);
        for replayed in [0, 6, 8] {
            let said = format!("gc: {replayed} of 7 traces were replayed");
            assert_eq!(lack("gc", replayed, 7), Some(said));
        }
    }

    #[test]
    fn what_was_never_replayed_is_no_success() {
        let share = Sharing::new("test", Design::HARDENED, kinds).end();
        assert_eq!(share.verdict, Verdict::Diverged);
    }
}
