//! `voxtrunk check`: every mistake of the configuration at once.

use std::path::Path;
use std::process::ExitCode;

use crate::config::diagnostic::Diagnostic;
use crate::config::load::load;
use crate::config::report::{self, Format, Outcome};
use crate::server::inspection::Inspection;
use crate::server::{providers, reach};

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What stands in the files, and what is on this machine.
    Files,
    /// And whether the providers that agents name do what they are to do, which costs a few words of
    /// each, and whether somebody is there where tools go.
    Providers,
}

/// Checks and prints; fails when something is wrong. Providers are asked only when nothing is wrong
/// with the files.
pub fn run(config: &Path, format: Format, depth: Depth) -> ExitCode {
    let environment = |name: &str| std::env::var(name).ok();
    let mut loaded = load(&report::request(&[config.to_owned()]), &environment, &Inspection);
    let mut found = Vec::new();
    if depth == Depth::Providers && !loaded.has_errors() {
        found = providers::findings(&loaded);
        loaded.diagnostics.extend(providers::diagnostics(&found, &loaded.places));
        loaded.diagnostics.extend(reach::unreachable(&loaded));
        loaded.diagnostics.sort_by_key(Diagnostic::start);
    }
    let outcome = Outcome::of(&loaded, format);
    print!("{}", outcome.text);
    found.retain(|(_, finding)| finding.is_ok());
    if format.is_for_people() && !found.is_empty() {
        print!("{}", providers::table(&found));
    }
    ExitCode::from(outcome.exit_code())
}
