//! `voxtrunk preset`: what is filled in for the customers of a carrier.

use std::process::ExitCode;

use crate::config::diagnostic::did_you_mean;
use crate::config::presets::{PRESETS, Preset};

/// Lists every preset with what it is for.
pub fn list() -> ExitCode {
    let widest = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or_default();
    for preset in PRESETS {
        println!("{:widest$}  {}", preset.name, preset.summary());
    }
    ExitCode::SUCCESS
}

/// Shows one preset as it stands.
pub fn show(name: &str) -> ExitCode {
    if let Some(preset) = Preset::named(name) {
        print!("{}", preset.text);
        return ExitCode::SUCCESS;
    }
    let near = did_you_mean(name, PRESETS.iter().map(|preset| preset.name));
    match near {
        Some(near) => eprintln!("There is no preset `{name}`: did you mean `{near}`?"),
        None => eprintln!("There is no preset `{name}`: `voxtrunk preset list` shows them all."),
    }
    ExitCode::from(2)
}
