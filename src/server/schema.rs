//! `voxtrunk schema`: what editors are told of the operator's files.

use std::process::ExitCode;

use crate::config::schema::File;

/// Prints the schema of a kind of files.
pub fn show(file: File) -> ExitCode {
    print!("{}", file.text());
    ExitCode::SUCCESS
}
