//! `voxtrunk check`: every mistake of the configuration at once.

use std::path::Path;
use std::process::ExitCode;

use crate::config::report::{self, Format};
use crate::server::inspection::Inspection;

/// Checks and prints; fails when something is wrong.
pub fn run(config: &Path, json: bool) -> ExitCode {
    let format = if json { Format::Json } else { Format::for_stdout() };
    let outcome = report::check(&[config.to_owned()], format, &Inspection);
    print!("{}", outcome.text);
    ExitCode::from(outcome.exit_code())
}
