//! What the model says about an assumption: a scenario, explored completely, and what is asked of its steps.

use super::Frequency;
use anyhow::{Context as _, bail};
use model::engine::{self, Options};
use model::verdict::{Completeness, Record};
use model::{Scope, State};
use specs::mutant::Fault;
use specs::{Design, Event, Property, Scenario};

/// A question to the model.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The scenario.
    pub scenario: &'static str,
    /// The design.
    pub design: Design,
    /// The faults.
    pub faults: &'static [Fault],
    /// What is asked.
    pub asks: Asks,
}

/// What is asked of a graph.
#[derive(Clone, Copy, Debug)]
pub enum Asks {
    /// In which of the states that put a property to the test it is broken.
    Broken(Property),
    /// Of which of these events something is true.
    Events(fn(&Scope, Event, &State) -> Option<bool>),
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How often it is true.
    pub frequency: Frequency,
    /// Cases in which it is true, and in which it is not.
    pub positive: u64,
    /// The others.
    pub negative: u64,
}

impl Question {
    /// Explores the scenario and answers. The error is that nothing was asked, or that the search was cut.
    pub fn answer(&self, threads: usize) -> anyhow::Result<Answer> {
        let scenario = Scenario::named(self.scenario)
            .with_context(|| format!("there is no scenario {}", self.scenario))?;
        let mut scope = Scope::new(scenario, self.design, self.faults);
        if let Asks::Broken(property) = self.asks {
            scope = scope.asking(property);
        }
        let options = Options {
            threads,
            keep_graph: matches!(self.asks, Asks::Events(_)),
            ..Options::default()
        };
        let explored = engine::explore(&scope, &options)?;
        if explored.record.completeness != Completeness::Complete {
            bail!("{}: {}", self.scenario, explored.record.completeness);
        }
        let (positive, negative) = match self.asks {
            Asks::Broken(property) => broken(&explored.record, property)?,
            Asks::Events(is_true) => {
                let graph = explored.graph.context("the search kept no graph")?;
                let cases = graph.edges.iter().filter_map(|edge| {
                    is_true(&scope, edge.action, &graph.states[edge.to as usize])
                });
                cases.fold((0, 0), |(yes, no), is_true| {
                    if is_true {
                        (yes + 1, no)
                    } else {
                        (yes, no + 1)
                    }
                })
            }
        };
        let frequency = Frequency::of(positive, negative)
            .with_context(|| format!("{} has no case of it", self.scenario))?;
        Ok(Answer {
            frequency,
            positive,
            negative,
        })
    }
}

/// States in which a property is broken, and states that put it to the test and keep it.
fn broken(record: &Record<State, Event>, property: Property) -> anyhow::Result<(u64, u64)> {
    let found = record
        .property(property.name())
        .with_context(|| format!("{} was not asked", property.name()))?;
    Ok((found.hits, found.premise.saturating_sub(found.hits)))
}
