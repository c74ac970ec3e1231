//! `voxtrunk route test`: which route takes a call, and what each one before it says to it.

use std::path::Path;
use std::process::ExitCode;

use crate::server::assembly::{self, Show};
use crate::server::routing::Test;

pub use crate::server::routing::Thought;

/// Tells which route takes it; fails when none does.
pub fn test(config: &Path, thought: &Thought, as_json: bool) -> ExitCode {
    let loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let test = match Test::new(&loaded, thought) {
        Ok(test) => test,
        Err(why) => {
            eprintln!("voxtrunk: {why}");
            return ExitCode::from(2);
        }
    };
    let taken = test.taken();
    if as_json {
        println!("{}", test.json(taken.as_ref()));
    } else {
        print!("{}", test.text(taken.as_ref()));
    }
    if taken.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
