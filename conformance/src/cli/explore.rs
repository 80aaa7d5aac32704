//! `lockstep explore`: a scenario in the browser, with stateright's Explorer.

use super::output::Output;
use super::{Common, Variant, names};
use crate::board;
use crate::explorer;
use crate::private_dir;
use crate::record::Explored;

pub(super) fn run(
    scenario: Option<&str>,
    variant: &Variant,
    port: u16,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let scenario = names::scenario_or_that_of_mutant(scenario, variant)?;
    let (scope, chosen) = names::scope(scenario, variant)?;
    names::each_fault_is_met([scenario].into_iter(), &chosen)?;
    // Before any thread is started, so that an interrupt ends all of them.
    private_dir::remove_on_interrupt(common.quiet)?;
    let example = match chosen.mutant {
        Some(mutant) => board::shortest(&scope, mutant.property, common.threads.into())?,
        None => None,
    };
    let address = example.and_then(|example| explorer::address(&scope, &example.events));
    let server = explorer::serve(scope, port)?;
    let at = |place: &str| format!("http://127.0.0.1:{}/{place}", server.port);
    let url = at(explorer::START);
    let example = address.map(|address| at(&address));
    output.text(&format!("{} can be explored at {url}", scenario.name));
    if let Some(example) = &example {
        output.text(&format!("its shortest counterexample: {example}"));
    }
    output.remark("Ctrl-C ends it.");
    output.record(&Explored {
        kind: "explore",
        scenario: scenario.name,
        mutant: chosen.name,
        url,
        counterexample: example,
    });
    if output.is_lost() {
        return Ok(0);
    }
    server.wait()
}
