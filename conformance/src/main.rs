//! The binary `lockstep`.

use std::process::ExitCode;

fn main() -> ExitCode {
    conformance::cli::run()
}
