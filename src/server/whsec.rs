//! `voxtrunk webhook secret`: makes what a webhook proves us by.

use std::process::ExitCode;

use crate::server::webhooks::desk;

/// Prints a new one.
pub fn make() -> ExitCode {
    println!("{}", desk::secret());
    ExitCode::SUCCESS
}
