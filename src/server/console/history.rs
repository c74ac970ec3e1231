//! `voxtrunk config history` and `voxtrunk config rollback`: what the files said before, and that
//! again.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::server::control::times::timestamp;
use crate::server::deeds;
use crate::server::history::{History, Restored, State};

/// Shows the states, the newest first.
pub fn list(config: &Path, as_json: bool) -> ExitCode {
    answer(states(config).map(|(_, states)| {
        for (number, state) in states.iter().enumerate() {
            let at = timestamp(Duration::from_secs(state.at));
            let changed = state.changed_since(states.get(number + 1));
            if as_json {
                println!("{}", json!({ "number": number, "at": at, "changed": changed }));
            } else {
                println!("{number:>3}  {at}  {}", changed.join(", "));
            }
        }
        if states.is_empty() && !as_json {
            println!("no server has taken these files yet");
        }
    }))
}

/// Brings a state back: 1 is the one before the newest.
pub fn roll_back(config: &Path, number: usize) -> ExitCode {
    let done = states(config).and_then(|(history, states)| {
        let (Some(newest), Some(state)) = (states.first(), states.get(number)) else {
            return Err(format!(
                "there is no state {number}: `voxtrunk config history` shows {} of them",
                states.len()
            ));
        };
        let restored = history.bring_back(state, newest).map_err(|why| why.to_string())?;
        for file in &restored {
            match file {
                Restored::Written(path) => println!("  written  {}", path.display()),
                Restored::Removed(path) => println!("  removed  {}", path.display()),
            }
        }
        let at = timestamp(Duration::from_secs(state.at));
        match restored.as_slice() {
            [] => println!("the files say already what they said at {at}"),
            _ => println!(
                "the files are as they were at {at}: a server that watches them goes by them now, \
                 any other after `voxtrunk reload`"
            ),
        }
        Ok(())
    });
    deeds::of_command_line(config, "config.rollback", None, done.is_ok());
    answer(done)
}

fn states(config: &Path) -> Result<(History, Vec<State>), String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    let history = History::below(&tidied(&glance.folder().join(glance.data())));
    let states = history.states().map_err(|why| why.to_string())?;
    Ok((history, states))
}

fn answer(done: Result<(), String>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("voxtrunk: {why}");
            ExitCode::from(2)
        }
    }
}
