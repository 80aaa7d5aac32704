//! The command line: what exists, and the exit code of everything.

mod ask;
mod compare;
mod everywhere;
mod explore;
mod gate;
mod list;
mod litmus;
mod lock_order;
mod mends;
mod names;
mod output;
mod runs;
mod shell;
mod tips;
mod trace;

use crate::everywhere::Subject;
use crate::loom_find::EXECUTIONS;
use crate::private_dir;
use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use output::{Format, Output};
use specs::mutant::Fault;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Is this locking change safe? Explores a model of the datastore's protocol completely, replays every step of it on
/// real files and real locks, and shows that seeded bugs are caught.
#[derive(Debug, Parser)]
#[command(
    name = "lockstep",
    version,
    after_help = "Without a command: the gate. It explores every scenario, replays every edge and runs the seed board.\n\nExit codes: 0 holds; 1 violated, untested, diverged or a surviving mutant; 2 usage or environment; 3 cut short; 128 and the number of the signal if interrupted.\n\nExample: lockstep check one_move_meets_gc --design upstream"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
struct Common {
    /// How results are printed: tables, or one JSON record a line; a trace also as a Mermaid sequence diagram, as an SVG
    /// picture, or in Apalache's Informal Trace Format; the lock order also as a Mermaid flowchart.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print no progress and no explanations.
    #[arg(long, global = true)]
    quiet: bool,
    /// Threads of the checker.
    #[arg(long, global = true, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// The directory, on a tmpfs, in which replays make their private stores and lock directories.
    #[arg(long, global = true, default_value = private_dir::SHM, value_name = "DIR")]
    lock_dir: PathBuf,
    /// A directory for the private stores of replays, if they are to lie apart from their locks: on a disk, say.
    #[arg(long, global = true, value_name = "DIR")]
    store_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What exists: operations, steps, locks, properties, mutants, scenarios, designs and their changes, and what questions are made of.
    #[command(after_help = "Example: lockstep list mutants")]
    List {
        /// Of what; everything if not given.
        #[arg(value_enum)]
        what: Option<list::What>,
    },
    /// Explores scenarios completely.
    #[command(
        after_help = "Examples: lockstep check two_gc_runs_meet_move --design upstream\n          lockstep check one_move_meets_gc --design hardened-mends_torn_tail --against upstream"
    )]
    Check {
        /// The scenarios; all that the gate checks if not given.
        scenarios: Vec<String>,
        #[command(flatten)]
        variant: Variant,
        /// Whose counts and verdicts.
        #[arg(long, value_enum, default_value_t = EngineName::Both)]
        engine: EngineName,
        /// Stop after so many states; the run is then cut and never green.
        #[arg(long, value_name = "N")]
        max_states: Option<u64>,
        /// Compare with this design: exit 1 only if what it keeps is broken.
        #[arg(long, value_name = "DESIGN", conflicts_with_all = ["engine", "property"])]
        against: Option<String>,
        /// Ask this property only.
        #[arg(long)]
        property: Option<String>,
    },
    /// Explores generated questions, a whole set of them; whatever breaks is shown with as few tasks as it needs.
    #[command(
        after_help = "A single question is asked by its name: lockstep check 'gc+move(a,b)+backup(b)+forget(b,0)'\n\nExamples: lockstep ask pairs_beside_gc --design upstream\n          lockstep ask triples --fault gc.lock_journal/skip\n          lockstep ask triples_beside_gc --part 1/4 --format json > part1.json"
    )]
    Ask {
        /// The sets; those of the gate if not given.
        sets: Vec<String>,
        /// All sets, and not those of the gate only.
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        variant: Variant,
        /// Ask every N-th question only, beginning with the K-th.
        #[arg(long, value_name = "K/N", default_value = "1/1")]
        part: crate::ask::Part,
        /// Replay a share of the graphs on real files as well: every meeting of two operations that occurs in one of them.
        #[arg(long)]
        replay: bool,
    },
    /// Puts the records of the parts of a set together, and says whether they are whole.
    #[command(after_help = "Example: lockstep merge part1.json part2.json")]
    Merge {
        /// Files with the records of lockstep ask --format json.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Replays every edge of scenarios on real files and locks, in real processes.
    #[command(
        after_help = "It holds where outcome, files and locks were what the model says, after every step. What the model breaks of a design or a mutant is named below the table; lockstep check judges it.\n\nExamples: lockstep replay one_move_meets_gc\n          lockstep replay --trace tests/traces/move_group-append_journal-skip.json"
    )]
    Replay {
        /// The scenarios; all that the gate replays if not given.
        scenarios: Vec<String>,
        #[command(flatten)]
        variant: Variant,
        /// Replay one behaviour from a file instead, and judge its property on the real files.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["scenarios", "mutant", "design", "faults", "kill"])]
        trace: Option<PathBuf>,
        /// Kill each process at each state instead.
        #[arg(long)]
        kill: bool,
    },
    /// The seed board: every mutant, in the model and on real files.
    #[command(
        after_help = "Examples: lockstep mutants move_group.append_journal/skip\n          lockstep mutants move_group.append_journal/skip --by loom"
    )]
    Mutants {
        /// The mutants, by name, or by number, which may stand for several; all if not given.
        mutants: Vec<String>,
        /// Who looks for them.
        #[arg(long, value_enum, default_value_t = Seeker::Model)]
        by: Seeker,
        /// Executions that a search under loom may have.
        #[arg(long, value_name = "N", help = executions_help())]
        max_executions: Option<u64>,
        /// Ask each of them in every scenario, and replay what it changes there on real files.
        #[arg(long, conflicts_with_all = ["by", "max_executions"])]
        everywhere: bool,
        /// With --everywhere: in the large scenarios as well.
        #[arg(long, requires = "everywhere")]
        all: bool,
        /// Ask each of them in this scenario or question instead; may be given more than once.
        #[arg(long = "in", value_name = "SCENARIO", conflicts_with_all = ["everywhere", "by", "max_executions"])]
        scenarios: Vec<String>,
        /// With --everywhere or --in: in the place of the mutants every fault that a step can have, one by one.
        #[arg(long, conflicts_with_all = ["mutants", "by", "max_executions"])]
        faults: bool,
    },
    /// Draws one shortest behaviour.
    #[command(
        after_help = "Examples: lockstep trace --mutant move_group.append_journal/skip\n          lockstep trace two_gc_runs_meet_move --design upstream --format svg > trace.svg\n          lockstep trace --trace tests/traces/gc-lock_journal-skip.json"
    )]
    Trace {
        /// The scenario; that of the mutant if not given.
        scenario: Option<String>,
        #[command(flatten)]
        variant: Variant,
        /// The property that it breaks or witnesses; the mutant's, or the first that is broken or witnessed, if not given.
        #[arg(long)]
        property: Option<String>,
        /// Draw a line for every event, instead of one for each run of an actor that nobody interferes with.
        #[arg(long)]
        full: bool,
        /// Draw the behaviour of a file instead, without the events that its end does not need.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "mutant", "design", "faults", "property"])]
        trace: Option<PathBuf>,
    },
    /// Shows a scenario in the browser: every step that may come next, and who holds which lock after it.
    #[command(after_help = "Example: lockstep explore one_move_meets_gc --port 3000")]
    Explore {
        /// The scenario; that of the mutant if not given.
        scenario: Option<String>,
        #[command(flatten)]
        variant: Variant,
        /// The port of this host; 0 for any free one.
        #[arg(long, default_value_t = 3000, value_name = "N")]
        port: u16,
    },
    /// Which lock is taken while which other one is held, in the model and in real runs; compared with the allowed order.
    #[command(
        after_help = "Examples: lockstep lock-order --format mermaid\n          lockstep lock-order --mutant move_group.lock_target_group/wait"
    )]
    LockOrder {
        /// The scenarios; all that the gate checks, or that of the mutant, if not given.
        scenarios: Vec<String>,
        #[command(flatten)]
        variant: Variant,
        /// Who says what is taken.
        #[arg(long, value_enum, default_value_t = lock_order::Teller::Both)]
        by: lock_order::Teller,
        /// Stop after so many states of a scenario; the run is then cut and never green.
        #[arg(long, value_name = "N")]
        max_states: Option<u64>,
    },
    /// What each mend is good for: what falls without it, what it repairs and breaks by itself, which are needed together.
    #[command(
        after_help = "A mend holds if something falls without it, or if it says what keeps it.\n\nExamples: lockstep mends renames_under_journal_lock\n          lockstep mends --format json"
    )]
    Mends {
        /// The mends; all, and the sets of them that are needed together, if not given.
        mends: Vec<String>,
        /// Explore all scenarios of the gate, the largest ones as well.
        #[arg(long)]
        all: bool,
        /// Replay on real files instead what each changes by itself on the published design.
        #[arg(long)]
        replay: bool,
    },
    /// Litmus tests: what the protocol takes for granted of the kernel, on this machine, in memory and in the model.
    #[command(
        after_help = "A test whose needs this machine refuses is skipped, and the exit code is 2.\n\nExamples: lockstep litmus\n          lockstep litmus unlink_while_waiting --tries 1000"
    )]
    Litmus {
        /// The tests; all if not given. A single one is printed with its program.
        tests: Vec<String>,
        /// How often each runs on this machine.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
        tries: u64,
    },
    /// One process of a litmus test; started by them.
    #[command(hide = true)]
    LitmusProcess {
        /// What the test says.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// One process of a scenario; started by replays.
    #[command(hide = true)]
    Worker {
        /// What the driver says.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// Which protocol is run.
#[derive(Clone, Debug, Default, Args)]
struct Variant {
    /// The design, hardened if not given: a name, less some changes and plus others, such as `upstream+mends_torn_tail`.
    #[arg(long, conflicts_with = "mutant")]
    design: Option<String>,
    /// A mutant, by name, or by a number that no other one has.
    #[arg(long)]
    mutant: Option<String>,
    /// A fault under the design: a step that is skipped, or that waits where it should only try, such as
    /// `gc.lock_journal/skip`; may be given more than once.
    #[arg(
        long = "fault",
        value_name = "STEP/skip|wait",
        conflicts_with = "mutant"
    )]
    faults: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Seeker {
    /// The model, and its shortest behaviour on real files.
    Model,
    /// The real operations in the interleavings of loom, and what is left of the one that was met on real files.
    Loom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// The engine of this project.
    Lockstep,
    /// stateright's breadth-first checker, with one thread.
    Stateright,
    /// Both, and they must agree.
    Both,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = tips::without_hidden(error, &Cli::command());
            let printed = error.print().and_then(|()| io::stdout().flush());
            // Help and version are no errors, and a broken pipe changes nothing.
            let is_lost = |error: &io::Error| error.kind() != io::ErrorKind::BrokenPipe;
            let is_printed = !printed.as_ref().is_err_and(is_lost);
            return ExitCode::from(if error.use_stderr() || !is_printed {
                2
            } else {
                0
            });
        }
    };
    let output = Output::new(cli.common.format, cli.common.quiet);
    let code = dispatch(cli, &output).unwrap_or_else(|error| {
        private_dir::end_if_interrupted();
        output.error(&error);
        2
    });
    ExitCode::from(output.exit_code(code))
}

fn executions_help() -> String {
    format!("Executions that a search under loom may have [default: {EXECUTIONS}]")
}

impl Command {
    /// The designs that are asked about.
    fn designs(&self) -> Vec<&str> {
        let (variant, against) = match self {
            Self::Check {
                variant, against, ..
            } => (variant, against.as_deref()),
            Self::Replay { variant, .. }
            | Self::Trace { variant, .. }
            | Self::Explore { variant, .. }
            | Self::LockOrder { variant, .. }
            | Self::Ask { variant, .. } => (variant, None),
            Self::Merge { .. }
            | Self::List { .. }
            | Self::Mutants { .. }
            | Self::Mends { .. }
            | Self::Litmus { .. }
            | Self::LitmusProcess { .. }
            | Self::Worker { .. } => return Vec::new(),
        };
        variant
            .design
            .as_deref()
            .into_iter()
            .chain(against)
            .collect()
    }
}

fn dispatch(cli: Cli, output: &Output) -> anyhow::Result<u8> {
    let common = &cli.common;
    // A trace is one record, which is a file.
    let is_trace = matches!(cli.command, Some(Command::Trace { .. }));
    for design in cli.command.iter().flat_map(Command::designs) {
        names::say_what_came_along(design, output.is_json() && !is_trace, output)?;
    }
    let draws = match cli.command {
        Some(Command::Trace { .. }) => true,
        Some(Command::LockOrder { .. }) => output.format() == Format::Mermaid,
        _ => false,
    };
    if output.is_drawing() && !draws {
        anyhow::bail!(
            "svg and itf are formats of lockstep trace only, and mermaid of that and lockstep lock-order; use --format text or json"
        );
    }
    if !matches!(
        cli.command,
        Some(Command::List { .. } | Command::Worker { .. } | Command::LitmusProcess { .. })
    ) {
        check_threads(common.threads)?;
    }
    match cli.command {
        Some(Command::Check {
            engine: EngineName::Stateright,
            max_states: Some(_),
            ..
        }) => {
            anyhow::bail!(
                "--max-states needs --engine lockstep or both: stateright's own limit ends green"
            )
        }
        Some(Command::Mutants {
            by: Seeker::Model,
            max_executions: Some(_),
            ..
        }) => anyhow::bail!("--max-executions needs --by loom: the model is searched to its end"),
        Some(Command::Worker { arguments }) => {
            crate::worker::serve(&crate::worker::Arguments::parse(&arguments)?)?;
            Ok(0)
        }
        Some(Command::LitmusProcess { arguments }) => {
            crate::litmus::process::serve(&crate::litmus::process::Arguments::parse(&arguments)?)?;
            Ok(0)
        }
        Some(Command::Litmus { tests, tries }) => {
            let store_dir = common.store_dir.clone();
            let common = Common {
                store_dir: Some(store_dir.unwrap_or_else(std::env::temp_dir)),
                ..common.clone()
            };
            litmus::run(&tests, tries, &prepare(&common)?, output)
        }
        Some(Command::Mends {
            mends,
            all,
            replay: true,
        }) => {
            let subjects: Vec<Subject> = names::mends(&mends)?
                .into_iter()
                .map(Subject::alone)
                .collect();
            everywhere::run(&subjects, &[], all, &prepare(common)?, output)
        }
        Some(Command::Mends {
            mends,
            all,
            replay: false,
        }) => mends::run(&mends, all, common, output),
        Some(Command::List { what }) => Ok(list::run(what, output)),
        Some(Command::Check {
            scenarios,
            variant,
            max_states,
            against: Some(against),
            ..
        }) => compare::run(&scenarios, &variant, &against, max_states, common, output),
        Some(Command::Check {
            scenarios,
            variant,
            engine,
            max_states,
            against: None,
            property,
        }) => {
            let property = property.as_deref();
            runs::check(
                &scenarios, &variant, property, engine, max_states, common, output,
            )
        }
        Some(Command::Ask {
            sets,
            deep,
            variant,
            part,
            replay: false,
        }) => ask::run(&sets, deep, &variant, part, false, common, output),
        Some(Command::Ask {
            sets,
            deep,
            variant,
            part,
            replay: true,
        }) => {
            let common = &prepare(common)?;
            ask::run(&sets, deep, &variant, part, true, common, output)
        }
        Some(Command::Merge { files }) => ask::merge(&files, output),
        Some(Command::Replay {
            trace: Some(file), ..
        }) => trace::replay(&file, &prepare(common)?, output),
        Some(Command::Replay {
            scenarios,
            variant,
            kill,
            trace: None,
        }) => runs::replay(&scenarios, &variant, kill, &prepare(common)?, output),
        Some(Command::Mutants {
            mutants,
            everywhere,
            all,
            scenarios,
            faults,
            ..
        }) if everywhere || !scenarios.is_empty() => {
            let subjects: Vec<Subject> = match faults {
                true => Fault::all().filter_map(Subject::fault).collect(),
                false => names::mutants(&mutants)?
                    .into_iter()
                    .map(Subject::from)
                    .collect(),
            };
            everywhere::run(&subjects, &scenarios, all, &prepare(common)?, output)
        }
        Some(Command::Mutants { faults: true, .. }) => anyhow::bail!(
            "--faults needs --everywhere, or --in with a scenario: no fault has one of its own"
        ),
        Some(Command::Mutants {
            mutants,
            by,
            max_executions,
            ..
        }) => {
            let max_executions = max_executions.unwrap_or(EXECUTIONS);
            let by_loom = (by == Seeker::Loom).then_some(max_executions);
            runs::mutants(&mutants, by_loom, &prepare(common)?, output)
        }
        Some(Command::Trace {
            trace: Some(file),
            full,
            ..
        }) => trace::draw_file(&file, full, output),
        Some(Command::Trace {
            trace: None,
            scenario,
            variant,
            property,
            full,
        }) => trace::draw(
            scenario.as_deref(),
            &variant,
            property.as_deref(),
            full,
            common,
            output,
        ),
        Some(Command::Explore {
            scenario,
            variant,
            port,
        }) => explore::run(scenario.as_deref(), &variant, port, common, output),
        Some(Command::LockOrder {
            scenarios,
            variant,
            by,
            max_states,
        }) => {
            let common = match by {
                lock_order::Teller::Both => &prepare(common)?,
                lock_order::Teller::Model => common,
            };
            lock_order::run(&scenarios, &variant, by, max_states, common, output)
        }
        None => gate::run(&prepare(common)?, output),
    }
}

/// What every command that starts processes does first. It goes on with absolute paths: a datastore takes no other.
fn prepare(common: &Common) -> anyhow::Result<Common> {
    let absolute = |directory: &PathBuf| {
        let path = directory.canonicalize();
        path.with_context(|| format!("{} has no absolute path", directory.display()))
    };
    private_dir::check_lock_directory(&common.lock_dir)?;
    let mut common = common.clone();
    common.lock_dir = absolute(&common.lock_dir)?;
    if let Some(directory) = &mut common.store_dir {
        private_dir::check_store_directory(directory)?;
        *directory = absolute(directory)?;
    }
    private_dir::remove_on_interrupt(common.quiet)?;
    private_dir::remove_leftovers(&common.lock_dir)?;
    if let Some(directory) = &common.store_dir {
        private_dir::remove_leftovers(directory)?;
    }
    Ok(common)
}

/// How many threads there are besides those of the checker: one for signals, one for the bar, two lanes of a replay.
const THREADS_BESIDES: u16 = 4;

/// Makes sure that this process may have its threads, before it is in the middle of something: neither engine can do without
/// one that it was promised.
fn check_threads(threads: u16) -> anyhow::Result<()> {
    let all = threads + THREADS_BESIDES;
    // Nobody ends before all are there.
    let gate = std::sync::RwLock::new(());
    let closed = gate.write();
    std::thread::scope(|scope| {
        let wait = || drop(gate.read());
        let start = |number| {
            let started = std::thread::Builder::new().spawn_scoped(scope, wait);
            started.map(drop).with_context(|| {
                format!(
                    "cannot start {all} threads, but only {number}; allow this user more (ulimit -u), or name fewer with --threads"
                )
            })
        };
        let started = (0..all).try_for_each(start);
        drop(closed);
        started
    })
}

/// How drivers work: workers are this very executable.
fn driver_options(common: &Common) -> anyhow::Result<crate::driver::Options> {
    let worker = std::env::current_exe().context("cannot find the executable of this process")?;
    let mut options = crate::driver::Options::new(worker);
    options.parent.clone_from(&common.lock_dir);
    options.store_parent.clone_from(&common.store_dir);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
