//! `voxtrunk secret`: what `${secret:NAME}` stands for in the settings and the dialplans.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::base::secret::Secret;
use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::config::secrets::Secrets;
use crate::engine::clock;

/// Keeps a secret that is typed, or comes by the standard input.
pub fn set(config: &Path, name: &str) -> ExitCode {
    let kept = store(config).and_then(|store| {
        let secret = typed(name).map_err(|why| why.to_string())?;
        if secret.is_empty() {
            return Err("nothing was typed: nothing was kept".to_owned());
        }
        let secret = Secret::from(secret.as_str());
        store.set(name, Some(&secret), &mut clock::random()).map_err(|why| why.to_string())
    });
    answer(kept.map(|was_there| {
        let how = if was_there { "replaced" } else { "kept" };
        println!("{how}: write \"${{secret:{name}}}\" where it is needed");
    }))
}

/// Shows the names.
pub fn list(config: &Path) -> ExitCode {
    let all = store(config).and_then(|store| store.all().map_err(|why| why.to_string()));
    answer(all.map(|all| all.keys().for_each(|name| println!("{name}"))))
}

/// Forgets one.
pub fn remove(config: &Path, name: &str) -> ExitCode {
    let gone = store(config).and_then(|store| {
        let gone = store.set(name, None, &mut clock::random()).map_err(|why| why.to_string())?;
        if gone { Ok(()) } else { Err(format!("there is no secret `{name}`")) }
    });
    answer(gone)
}

fn store(config: &Path) -> Result<Secrets, String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    let data = tidied(&glance.folder().join(glance.data()));
    Ok(Secrets::below(&data, credentials.as_deref().map(Path::new)))
}

/// What is typed, unseen, up to the end of the line; all of the standard input that is no terminal.
fn typed(name: &str) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let input = io::stdin();
    if input.is_terminal() {
        eprint!("The secret `{name}`, which is not shown: ");
        let before = tcgetattr(&input)?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &unseen)?;
        let read = input.read_line(&mut text);
        tcsetattr(&input, OptionalActions::Flush, &before)?;
        eprintln!();
        read?;
    } else {
        input.lock().take(LONGEST).read_to_string(&mut text)?;
    }
    // The end of the line belongs to the typing, not to the secret.
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text)
}

pub(super) fn answer(done: Result<(), String>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("voxtrunk: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The longest secret, in octets.
const LONGEST: u64 = 64 * 1_024;
