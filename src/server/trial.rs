//! `voxtrunk test`: conversations that an agent must be able to have, as TOML. Each is played with
//! the agent's own session and its own model, in a time that waits for nobody; tools are played.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::config::load::Loaded;
use crate::server::assembly::{self, Show};
use crate::server::casting;
use crate::server::serve;
use crate::server::trial::case::{Case, File};
use crate::server::trial::played::Played;
use crate::server::trial::stage::{House, Stage};

mod case;
mod played;
mod stage;

/// What is played, and how it is told.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The files and folders; without any, `tests/agents` beside the folder of the settings.
    pub paths: Vec<PathBuf>,
    /// Only cases with this in their names.
    pub filter: String,
    /// One JSON object for each case, instead of lines for people.
    pub json: bool,
}

/// Plays every case; fails when one does.
pub fn run(config: &Path, order: &Order) -> ExitCode {
    let loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let cases = match cases(config, order) {
        Ok(cases) => cases,
        Err(why) => return serve::finish(Err(why)),
    };
    let wanted = |case: &&Case| case.name.contains(&order.filter);
    let cases: Vec<&Case> = cases.iter().filter(wanted).collect();
    if cases.is_empty() {
        eprintln!("There is no such test: write one into tests/agents/NAME.toml");
        return ExitCode::from(2);
    }
    match serve::block_on(play_all(&loaded, &cases, order.json)) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Plays the cases one after the other; gives how many failed.
async fn play_all(loaded: &Loaded, cases: &[&Case], as_json: bool) -> usize {
    let machine = &loaded.server.machine;
    let registry = casting::registry(&loaded.server.providers, machine.models.clone());
    let mut failed = 0;
    for case in cases {
        let house = House { loaded, registry: &registry };
        let (played, wrong) = match Stage::open(house, case).await {
            Ok(mut stage) => {
                let played = stage.play(&case.say).await;
                let mut wrong = case.expect.misses(&played);
                if let Some(question) = case.judge.as_deref().filter(|_| played.failure.is_none()) {
                    wrong.extend(stage.judge(question, &played).await.err());
                }
                (played, wrong)
            }
            Err(why) => (Played::default(), vec![why]),
        };
        failed += usize::from(!wrong.is_empty());
        if as_json {
            let lines = played.lines.iter().map(ToString::to_string).collect::<Vec<_>>();
            println!(
                "{}",
                json!({ "name": case.name, "passed": wrong.is_empty(),
                "failures": wrong, "transcript": lines })
            );
        } else {
            tell(case, &played, &wrong);
        }
    }
    if !as_json {
        let cases = cases.len();
        println!("\n{} of {cases} passed", cases - failed);
    }
    failed
}

fn tell(case: &Case, played: &Played, wrong: &[String]) {
    if wrong.is_empty() {
        let turns = played.turns();
        return println!("✓ {}  ({turns} turn{})", case.name, if turns == 1 { "" } else { "s" });
    }
    println!("✗ {}", case.name);
    for why in wrong {
        println!("    {why}");
    }
    for line in &played.lines {
        println!("      {line}");
    }
}

/// Reads every case of the files that are asked for.
fn cases(config: &Path, order: &Order) -> Result<Vec<Case>, String> {
    let beside = || {
        let folder = config.parent().and_then(Path::parent).unwrap_or(Path::new("."));
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        vec![folder.join("tests/agents")]
    };
    let paths = if order.paths.is_empty() { beside() } else { order.paths.clone() };
    let mut cases = Vec::new();
    for path in paths.iter().map(|path| files(path)).collect::<Result<Vec<_>, _>>()?.concat() {
        let told = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|why| told(&why))?;
        let file: File = toml::from_str(&text).map_err(|why| told(&why))?;
        cases.extend(file.case);
    }
    Ok(cases)
}

/// The file itself, or those of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let told = |why: std::io::Error| format!("{}: {why}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|it| it == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
