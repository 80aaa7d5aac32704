//! `lockstep mends`: what each mend is good for, and which are needed together.

use super::output::{Output, count, table};
use super::{Common, names};
use crate::mends::tables::{self, Cell, Rows};
use crate::mends::{self, Explorer, Mend, Summary, sets};
use crate::record::Verdict;
use std::time::Instant;

pub(super) fn run(
    chosen: &[String],
    all: bool,
    common: &Common,
    output: &Output,
) -> anyhow::Result<u8> {
    let begin = Instant::now();
    let threads = common.threads.into();
    let chosen = names::mends(chosen)?;
    let most = (!all).then_some(mends::MOST_STATES);
    let (scenarios, large) = mends::scenarios(most, threads)?;
    let bar = output.bar("explored");
    let mut explorer = Explorer::new(scenarios, large.clone(), threads, move |done| {
        bar.set(done as u64);
    });
    let mut found: Vec<Mend> = Vec::new();
    for mend in &chosen {
        let mend = mends::mend(&mut explorer, *mend)?;
        output.record(&mend);
        found.push(mend);
    }
    show(
        "Without a mend, under hardened",
        &tables::without(&found),
        output,
    );
    show(
        "With one mend, on top of upstream",
        &tables::alone(&found),
        output,
    );
    if chosen.len() == names::mends(&[])?.len() {
        let repairs = sets::repairs(&mut explorer)?;
        repairs.iter().for_each(|repair| output.record(repair));
        show("What upstream breaks", &tables::repairs(&repairs), output);
        let smallest = sets::smallest(&mut explorer, &repairs)?;
        smallest.iter().for_each(|smallest| output.record(smallest));
        show("In all scenarios", &tables::smallest(&smallest), output);
    }
    let failures = mends::failures(&mut explorer, &found)?;
    for failure in &failures {
        output.text(failure);
    }
    let (explored, states) = explorer.explored();
    let large: Vec<&'static str> = large.iter().map(|scenario| scenario.name).collect();
    if !large.is_empty() {
        let names = large.join(", ");
        output.remark(&format!(
            "large, and explored only for a mend that no other scenario needs: {names} (--all explores them always)"
        ));
    }
    output.remark(&format!(
        "{} states in {explored} graphs, {:.1} s",
        count(states),
        begin.elapsed().as_secs_f64()
    ));
    let verdict = if failures.is_empty() {
        Verdict::Holds
    } else {
        Verdict::Violated
    };
    output.record(&Summary {
        kind: "mends",
        verdict,
        complete: true,
        scenarios: explorer.scenarios().len(),
        large,
        explored,
        states,
        seconds: begin.elapsed().as_secs_f64(),
        failures,
    });
    Ok(verdict.exit_code())
}

fn show(title: &str, rows: &Rows, output: &Output) {
    let mut table = table(rows.headings);
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| match cell {
            Cell::Words(words) => words.clone(),
            Cell::Names(names) => names.join(", "),
        }));
    }
    output.text(&format!("{title}:\n{}\n", table.trim_fmt()));
}
