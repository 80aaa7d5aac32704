//! Prints results: a table on a terminal or in a file, or one JSON record a line.

use crate::edges::Progress;
use crate::record::{Mistake, Verdict};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

/// Exit code, usage or environment: what was skipped is not green.
pub(super) const SKIPPED: u8 = 2;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables and sentences.
    Text,
    /// One JSON record a line.
    Json,
    /// A Mermaid sequence diagram of a trace, or a Mermaid flowchart of the lock order.
    Mermaid,
    /// A picture of a trace, which stands alone.
    Svg,
    /// A trace in the Informal Trace Format of Apalache.
    Itf,
}

/// Where results go.
pub(super) struct Output {
    format: Format,
    quiet: bool,
    /// Why a result was not written.
    lost: OnceLock<io::Error>,
}

impl Output {
    pub(super) const fn new(format: Format, quiet: bool) -> Self {
        Self {
            format,
            quiet,
            lost: OnceLock::new(),
        }
    }

    /// The exit code: 2 if a result was not written, whatever it was.
    pub(super) fn exit_code(&self, code: u8) -> u8 {
        let Some(error) = self.lost.get() else {
            return code;
        };
        let text = format!("results cannot be written to standard output: {error}");
        writeln!(io::stderr().lock(), "lockstep: {text}").unwrap_or_default();
        2
    }

    /// Whether a result was not written: whoever goes on would only wait for somebody who has not heard of it.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether one drawing or file is wanted, and neither text nor records.
    pub(super) fn is_drawing(&self) -> bool {
        self.format != Format::Text && !self.is_json()
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// A record, if records are wanted.
    pub(super) fn record(&self, record: &impl Serialize) {
        if self.is_json() {
            match serde_json::to_string(record) {
                Ok(line) => self.print(&line),
                Err(error) => self.error(&error.into()),
            }
        }
    }

    /// A text, if no records are wanted. Where a drawing is wanted it must not mix with it.
    pub(super) fn text(&self, text: &str) {
        if self.is_drawing() {
            writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
        } else if !self.is_json() {
            self.print(text);
        }
    }

    /// A remark, unless records are wanted or silence.
    pub(super) fn remark(&self, text: &str) {
        if !self.quiet {
            self.text(text);
        }
    }

    /// Something about what was asked, unless silence is wanted; never among the results.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            writeln!(io::stderr().lock(), "lockstep: {text}").unwrap_or_default();
        }
    }

    /// Results go to standard output; whoever closed it has read enough.
    pub(super) fn print(&self, text: &str) {
        match writeln!(io::stdout().lock(), "{text}") {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                // The first one says it.
                self.lost.set(error).unwrap_or_default();
            }
            _ => {}
        }
    }

    /// What is done of a long run, for whoever waits for its end: a line on standard error, which has no results.
    pub(super) fn progress(&self, text: &str) {
        if !self.quiet && !self.is_json() {
            writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
        }
    }

    /// One clear error.
    pub(super) fn error(&self, error: &anyhow::Error) {
        let text = printable(&format!("{error:#}"));
        if self.is_json() {
            self.record(&Mistake {
                kind: "error",
                message: text.clone(),
            });
        }
        writeln!(io::stderr().lock(), "lockstep: {text}").unwrap_or_default();
    }

    /// A progress bar, on a terminal only.
    pub(super) fn bar(&self, what: &str) -> Bar {
        let shown = !self.quiet && !self.is_json() && io::stderr().is_terminal();
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "{prefix:40} {wide_bar} {human_pos}/{human_len} {rate} {left}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(
                style
                    .with_key("rate", write_rate)
                    .with_key("left", write_left),
            );
        }
        bar.set_prefix(what.to_owned());
        Bar(bar)
    }
}

/// An error without what a terminal takes for a command, and with an end: it may quote a file that somebody else has made.
fn printable(text: &str) -> String {
    const LONGEST: usize = 4000;
    let mut printable = String::new();
    for character in text.chars() {
        if printable.len() > LONGEST {
            return printable + "..";
        }
        if character.is_control() && character != '\n' {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Positions a second since the bar began; the library's own estimate needs minutes to settle.
fn rate(state: &ProgressState) -> f64 {
    state.pos() as f64 / state.elapsed().as_secs_f64().max(0.001)
}

fn write_rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    write!(out, "{:.0}/s", rate(state)).unwrap_or_default();
}

fn write_left(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    let left = state.len().unwrap_or(0).saturating_sub(state.pos());
    if left > 0 && state.pos() > 0 {
        write!(out, "{:.0} s left", left as f64 / rate(state)).unwrap_or_default();
    }
}

/// A progress bar that goes away when it is dropped.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Progress for Bar {
    fn begin(&self, _traces: usize, steps: usize) {
        self.0.set_length(steps as u64);
        self.0.reset_elapsed();
    }

    fn done(&self, steps: usize) {
        self.0.set_position(steps as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A table with these headings.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.to_vec());
    table
}

/// The worst verdict of many.
pub(super) fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().max().unwrap_or(Verdict::Cut)
}

/// A count with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
