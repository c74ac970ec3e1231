//! `voxtrunk recording verify`: tells which recordings are not what was written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::engine::recorder::verify::{Verdict, verify};
use crate::server::assembly::{self, Show};

/// Looks at these, or at everything in the folder of the settings. The exit status is 1 when a
/// recording is changed, missing or cannot be read.
pub fn run(paths: &[PathBuf], config: &Path) -> ExitCode {
    let paths = match paths {
        [] => match assembly::load(config, Show::Errors) {
            Ok(loaded) => vec![loaded.server.recordings_folder()],
            Err(code) => return code,
        },
        [..] => paths.to_vec(),
    };
    let (mut verdicts, mut failed) = (Vec::new(), false);
    for path in paths {
        match verify(&path) {
            Ok(found) => verdicts.extend(found),
            Err(why) => {
                eprintln!("voxtrunk: {}: {}", path.display(), reason(&why));
                failed = true;
            }
        }
    }
    for (path, verdict) in &verdicts {
        if let Some(word) = word(verdict) {
            println!("{word:<13} {}", path.display());
        }
    }
    println!("{}", summary(&verdicts));
    match failed || verdicts.iter().any(|(_, verdict)| verdict.is_trouble()) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn reason(why: &std::io::Error) -> String {
    match why.kind() {
        std::io::ErrorKind::InvalidInput => "neither a recording nor its note".to_owned(),
        _ => why.to_string(),
    }
}

/// What is said of a recording beside its path.
fn word(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Sound => None,
        Verdict::Open => Some("being written".to_owned()),
        Verdict::Unsummed => Some("has no sum".to_owned()),
        Verdict::Changed => Some("changed".to_owned()),
        Verdict::Missing => Some("missing".to_owned()),
        Verdict::NoteMissing => Some("without note".to_owned()),
        Verdict::Unreadable(why) => Some(format!("unreadable ({why})")),
    }
}

fn summary(verdicts: &[(PathBuf, Verdict)]) -> String {
    let sound = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Sound).count();
    let trouble = verdicts.iter().filter(|(_, verdict)| verdict.is_trouble()).count();
    let all = match verdicts.len() {
        1 => "1 recording".to_owned(),
        many => format!("{many} recordings"),
    };
    format!("{all}: {sound} as written, {trouble} not")
}
