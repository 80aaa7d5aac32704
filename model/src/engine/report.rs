//! From what was counted and where it was seen to the record of the run.

use stateright::{Expectation, Model};

use super::ledger::Ledger;
use super::search::Search;
use super::tally::{Sighting, Tally};
use super::{Protocol, Refusal};
use crate::verdict::{Claim, Completeness, Deadlocks, PropertyRecord, Record, Trace};

/// A trace through the model `P`, if there is one.
type TraceOf<P> = Option<Trace<<P as Model>::State, <P as Model>::Action>>;

impl<P: Protocol> Search<'_, P> {
    /// The record of a run that ended like this; its time is added by the caller.
    pub(super) fn record(
        &self,
        completeness: Completeness,
        ledger: &Ledger<P::State, P::Action>,
        tally: &Tally,
        threads: usize,
    ) -> Result<Record<P::State, P::Action>, Refusal> {
        let mut properties = Vec::new();
        for (index, property) in self.properties.iter().enumerate() {
            let is_always = property.expectation == Expectation::Always;
            properties.push(PropertyRecord {
                name: property.name,
                claim: if is_always {
                    Claim::Always
                } else {
                    Claim::Sometimes
                },
                expected: self.model.expected(index),
                premise: tally.premises[index],
                hits: tally.hits[index].times,
                first: self.trace(ledger, tally.hits[index].first)?,
            });
        }
        Ok(Record {
            completeness,
            states: ledger.history.len() as u64,
            edges: ledger.edges,
            depth: ledger.depth(),
            deadlocks: Deadlocks {
                count: tally.deadlocks.times,
                first: self.trace(ledger, tally.deadlocks.first)?,
            },
            coverage: tally.coverage.clone(),
            properties,
            threads,
            peak_bytes: ledger.peak_bytes,
            seconds: 0.0,
        })
    }

    fn trace(
        &self,
        ledger: &Ledger<P::State, P::Action>,
        first: Option<Sighting>,
    ) -> Result<TraceOf<P>, Refusal> {
        first
            .map(|first| ledger.history.trace(self.model, first.print))
            .transpose()
    }
}
