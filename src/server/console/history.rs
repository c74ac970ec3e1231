//! `voxtrunk config history` and `voxtrunk config rollback`: what the files said before, and that
//! again.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::server::control::times::timestamp;
use crate::server::history::{History, Restored, State};

/// Shows the states, the newest first.
pub fn list(config: &Path, as_json: bool) -> ExitCode {
    answer(states(config).map(|(_, states)| {
        for (number, state) in states.iter().enumerate() {
            let at = timestamp(Duration::from_secs(state.at));
            let changed = changed(state, states.get(number + 1));
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
    answer(states(config).and_then(|(history, states)| {
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
    }))
}

fn states(config: &Path) -> Result<(History, Vec<State>), String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    let history = History::below(&tidied(&glance.folder().join(glance.data())));
    let states = history.states().map_err(|why| why.to_string())?;
    Ok((history, states))
}

/// The files that are otherwise than in the state before, by the ends of their paths.
fn changed(state: &State, before: Option<&State>) -> Vec<String> {
    let Some(before) = before else { return vec![format!("{} files", state.files.len())] };
    let is_new = |path: &&std::path::PathBuf| before.files.get(*path) != state.files.get(*path);
    let written = state.files.keys().filter(is_new).map(|path| (path, ""));
    let gone = before.files.keys().filter(|path| !state.files.contains_key(*path));
    let all = written.chain(gone.map(|path| (path, " (removed)")));
    all.map(|(path, how)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}{how}")
    })
    .collect()
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
