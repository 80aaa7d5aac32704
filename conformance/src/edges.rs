//! Replays every edge of a scenario's graph on real files, and kills at every state.

use crate::expected::expected;
use crate::record::{Replay, Run, RunKind, Verdict};
use crate::replay::{Left, Plan, Report, replay_all};
use crate::traces::{Ways, cover};
use anyhow::Context as _;
use model::engine::{self, Graph};
use model::verdict::{Claim, PropertyRecord, Record};
use model::{Scope, State, aftermath};
use specs::Event;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// How far a replay has come.
pub trait Progress: Sync {
    /// So many traces and steps are to be replayed.
    fn begin(&self, traces: usize, steps: usize);
    /// So many steps were replayed.
    fn done(&self, steps: usize);
}

/// Replays every edge but kills; every step and the state after it is compared.
pub fn replay_edges(
    scope: &Scope,
    plan: &Plan<'_>,
    threads: usize,
    mutant: Option<&'static str>,
    progress: &dyn Progress,
) -> anyhow::Result<Replay> {
    let explored = Explored::of(scope, threads)?;
    let graph = &explored.graph;
    let paths = cover(graph, |event| !is_kill(event))?;
    let wanted = explored.edges - explored.kills;
    let mut taken = vec![false; graph.edges.len()];
    for edge in paths.iter().flatten() {
        taken[*edge as usize] = true;
    }
    let covered = taken.iter().filter(|taken| **taken).count();
    let report = explored.replay(plan, &paths, false, progress)?;
    let whole = report.divergence.is_none();
    let mut failures = Vec::new();
    if let Some((trace, divergence)) = &report.divergence {
        failures.push(format!(
            "trace {} step {}: {}: {}",
            trace + 1,
            divergence.step + 1,
            divergence.described,
            divergence.first_difference
        ));
    }
    if wanted == 0 {
        failures.push("it has no edge to replay, so nothing was compared".to_owned());
    }
    if whole && report.counts.traces != paths.len() {
        failures.push(format!(
            "{} of {} traces were replayed",
            report.counts.traces,
            paths.len()
        ));
    }
    if covered != wanted {
        failures.push(format!(
            "{covered} of {wanted} edges lie on a replayed path"
        ));
        failures.extend(explored.not_covered(&taken));
    }
    let replayed = if whole { covered } else { 0 };
    let mut replay = explored.record(RunKind::Replay, (wanted, replayed), failures, report);
    replay.run.mutant = mutant;
    Ok(replay)
}

/// At every state and for every process that has something to do: the process is killed, and the others finish.
pub fn replay_kills(
    scope: &Scope,
    plan: &Plan<'_>,
    threads: usize,
    mutant: Option<&'static str>,
    progress: &dyn Progress,
) -> anyhow::Result<Replay> {
    let explored = Explored::of(scope, threads)?;
    let paths = kill_paths(&explored.graph);
    let report = explored.replay(plan, &paths, true, progress)?;
    let (kills, replayed) = (explored.kills, report.counts.traces);
    let unfinished = paths.iter().filter(|path| !explored.ends(path)).count();
    let mut failures: Vec<String> = report
        .divergence
        .iter()
        .map(|(trace, d)| {
            format!(
                "kill {}: {}: {}",
                trace + 1,
                d.described,
                d.first_difference
            )
        })
        .collect();
    if failures.is_empty() && (kills == 0 || replayed != kills) {
        failures.push(format!("{replayed} of {kills} kills were replayed"));
    }
    if unfinished > 0 {
        failures.push(format!(
            "after {unfinished} kills the others were not replayed to their end"
        ));
    }
    let mut replay = explored.record(RunKind::Kill, (kills, replayed), failures, report);
    replay.run.mutant = mutant;
    Ok(replay)
}

/// A scope with its whole graph, of which paths are to be replayed.
pub(crate) struct Explored<'s> {
    scope: &'s Scope,
    begin: Instant,
    states: u64,
    depth: u32,
    /// The properties that the model breaks.
    breaks: Vec<&'static str>,
    pub(crate) graph: Graph<State, Event>,
    /// What the search counted while it followed the edges, before anybody asked which of them are replayed.
    counted: BTreeMap<String, u64>,
    /// All edges, by that.
    edges: usize,
    /// Edges that are kills, by that.
    kills: usize,
}

impl<'s> Explored<'s> {
    pub(crate) fn of(scope: &'s Scope, threads: usize) -> anyhow::Result<Self> {
        let begin = Instant::now();
        let options = engine::Options {
            threads,
            keep_graph: true,
            ..engine::Options::default()
        };
        let exploration = engine::explore(scope, &options)
            .with_context(|| format!("cannot explore {}", scope.scenario.name))?;
        let graph = exploration.graph.context("the engine kept no graph")?;
        let record = &exploration.record;
        let counted = scope.occurrences(&record.coverage);
        let kills = counted.iter().filter(|(name, _)| is_name_of_kill(name));
        let kills: u64 = kills.map(|(_, count)| count).sum();
        Ok(Self {
            scope,
            begin,
            states: exploration.record.states,
            depth: exploration.record.depth,
            breaks: broken(&exploration.record),
            edges: usize::try_from(record.edges)?,
            kills: usize::try_from(kills)?,
            counted,
            graph,
        })
    }

    /// Whether a path ends where no actor has anything left to do, or can do anything.
    fn ends(&self, path: &[u32]) -> bool {
        let last = path.last().map(|last| self.graph.edges[*last as usize].to);
        let last = &self.graph.states[last.unwrap_or(0) as usize];
        self.scope.is_over(last) || self.scope.is_deadlock(last)
    }

    /// The kinds of edges of which fewer lie on a replayed path than the search has counted, each in a sentence.
    fn not_covered(&self, taken: &[bool]) -> Vec<String> {
        let edges = self
            .graph
            .edges
            .iter()
            .zip(taken)
            .filter(|(_, taken)| **taken);
        let edges = edges.map(|(edge, _)| (&self.graph.states[edge.from as usize], &edge.action));
        let covered = self.scope.occurrences(&self.scope.count(edges));
        let all = self.counted.iter();
        all.filter(|(name, _)| !name.starts_with("killed "))
            .filter_map(|(name, count)| {
                let covered = covered.get(name).copied().unwrap_or(0);
                let sentence = || format!("{covered} of {count} edges of {name} lie on one");
                (covered != *count).then(sentence)
            })
            .collect()
    }

    pub(crate) fn replay(
        &self,
        plan: &Plan<'_>,
        paths: &[Vec<u32>],
        asks_what_is_left: bool,
        progress: &dyn Progress,
    ) -> anyhow::Result<Report> {
        let edge = |number: &u32| &self.graph.edges[*number as usize];
        let traces: Vec<Vec<Event>> = paths
            .iter()
            .map(|path| path.iter().map(|number| edge(number).action).collect())
            .collect();
        progress.begin(traces.len(), traces.iter().map(Vec::len).sum());
        let expect = |base: &Path, trace: usize, events: usize| {
            let state = events
                .checked_sub(1)
                .map_or(0, |last| edge(&paths[trace][last]).to);
            let state = &self.graph.states[state as usize];
            expected(self.scope, state, &base.display().to_string())
        };
        let left = |trace: usize| {
            let last = paths[trace].last().map_or(0, |last| edge(last).to);
            let tried = aftermath::tried(self.scope, &self.graph.states[last as usize]);
            tried.map(|tried| crate::aftermath::Tried {
                tasks: tried.tasks,
                failure: tried.failure.map(|failure| failure.to_string()),
            })
        };
        let left: Option<&Left<'_>> = if asks_what_is_left { Some(&left) } else { None };
        replay_all(plan, &traces, expect, left, |steps| progress.done(steps))
    }

    /// The record of a replay of so many edges, of which so many were replayed.
    fn record(
        &self,
        kind: RunKind,
        (edges, replayed): (usize, usize),
        failures: Vec<String>,
        report: Report,
    ) -> Replay {
        let run = Run {
            kind,
            scenario: self.scope.scenario.name,
            design: self.scope.design,
            mutant: None,
            verdict: if failures.is_empty() {
                Verdict::Holds
            } else {
                Verdict::Diverged
            },
            complete: replayed == edges,
            states: self.states,
            edges: edges as u64,
            depth: Some(self.depth),
            seconds: self.begin.elapsed().as_secs_f64(),
            failures,
        };
        Replay {
            run,
            edges_replayed: replayed as u64,
            kill_edges: self.kills as u64,
            steps: report.counts.steps as u64,
            traces: report.counts.traces as u64,
            compared_fields: report.counts.compared_fields as u64,
            locks_witnessed: report.counts.locks_witnessed as u64,
            model_breaks: self.breaks.clone(),
            takings: report.takings,
        }
    }
}

/// The properties that a search found broken.
fn broken(record: &Record<State, Event>) -> Vec<&'static str> {
    let is_broken =
        |property: &&PropertyRecord<_, _>| property.claim == Claim::Always && property.hits > 0;
    let broken = record.properties.iter().filter(is_broken);
    broken.map(|property| property.name).collect()
}

/// One path for each kill edge: the shortest way to it, the kill, and any way to an end.
pub fn kill_paths(graph: &Graph<State, Event>) -> Vec<Vec<u32>> {
    let ways = Ways::of(graph);
    let mut paths = Vec::new();
    for (e, edge) in (0u32..).zip(&graph.edges) {
        if !is_kill(&edge.action) {
            continue;
        }
        let mut path = ways.to(edge.from);
        path.push(e);
        let mut state = edge.to;
        while let Some((next, to)) = first_calm_edge(graph, state) {
            path.push(next);
            state = to;
        }
        paths.push(path);
    }
    paths
}

/// Whether it is the name under which the kills of a process are counted, whoever is at work.
fn is_name_of_kill(name: &str) -> bool {
    name.starts_with("killed ") && !name.contains(" beside ")
}

pub(crate) const fn is_kill(event: &Event) -> bool {
    matches!(event, Event::Killed { .. })
}

pub(crate) fn first_calm_edge(graph: &Graph<State, Event>, state: u32) -> Option<(u32, u32)> {
    let first = graph.offsets[state as usize];
    (first..)
        .zip(graph.edges_from(state))
        .find(|(_, edge)| !is_kill(&edge.action))
        .map(|(e, edge)| (as_number(e as usize), edge.to))
}

/// The engine numbers states and kept edges with 32 bits.
fn as_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
