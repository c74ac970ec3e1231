//! `voxtrunk models`: what engines of this machine can be had, is there, and is what it should be.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::base::sum;
use crate::config::diagnostic::did_you_mean;
use crate::config::glance::Glance;
use crate::engine::clock;
use crate::net::download::{Downloads, Wanted};
use crate::net::tls;
use crate::providers::models::catalogue::{self, Model, Part, State};
use crate::server::console::paint::{Ink, Paint};
use crate::server::console::table::{Cell, Table};
use crate::server::serve;

/// Where models lie.
#[derive(Debug, Clone)]
pub struct Place {
    /// The settings, which name the folder.
    pub config: PathBuf,
    /// The folder, if the settings are not to be looked at.
    pub folder: Option<PathBuf>,
}

/// Shows every model.
pub fn list(place: &Place, as_json: bool) -> ExitCode {
    at(place, |folder| {
        let text = match as_json {
            true => catalogue::all().iter().map(|model| line(model, folder)).collect(),
            false => table(folder, Paint::for_stdout()),
        };
        print!("{text}");
        Ok(true)
    })
}

/// Brings models from where they are published, or `from` elsewhere.
pub fn pull(place: &Place, names: &[String], from: Option<&str>) -> ExitCode {
    at(place, |folder| {
        let tls = tls::Client::load(tls::Files::default()).map_err(|why| why.to_string())?;
        let downloads = Downloads::new(&tls).map_err(|why| format!("no HTTP client: {why}"))?;
        let mut all_right = true;
        for model in names.iter().filter_map(|name| catalogue::named(name)) {
            let size = megabytes(model.size());
            println!("{}: {size}, licence: {}", model.name, model.licence);
            let from = from.unwrap_or(&model.from).trim_end_matches('/');
            for file in &model.files {
                let url = format!("{from}/{}", file.name);
                all_right &= serve::block_on(brought(&downloads, (file, url), folder));
            }
        }
        Ok(all_right)
    })
}

/// Compares the sums of these models, or of all that are there.
pub fn verify(place: &Place, names: &[String]) -> ExitCode {
    at(place, |folder| {
        let is_asked = |model: &&Model| match names {
            [] => model.state(folder) != State::Missing,
            [..] => names.contains(&model.name),
        };
        let mut all_right = true;
        for file in catalogue::all().iter().filter(is_asked).flat_map(|model| &model.files) {
            let path = folder.join(&file.name);
            let found = std::fs::File::open(&path).and_then(sum::sha256);
            let (word, right) = match found {
                Ok((sum, _)) if sum == file.sha256 => ("as published".to_owned(), true),
                Ok(_) => ("CHANGED".to_owned(), false),
                Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                    ("missing".to_owned(), false)
                }
                Err(why) => (format!("unreadable ({why})"), false),
            };
            println!("{word:<13} {}", path.display());
            all_right &= right;
        }
        Ok(all_right)
    })
}

/// A name of a model, for the command line.
///
/// # Errors
/// When there is no such model; it says which ones there are.
pub fn known(name: &str) -> Result<String, String> {
    if catalogue::named(name).is_some() {
        return Ok(name.to_owned());
    }
    let names = || catalogue::all().iter().map(|model| model.name.as_str());
    let meant = did_you_mean(name, names());
    Err(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
    })
}

/// Does something with the folder. The exit status is 1 when not all is well, and 2 when nobody
/// knows the folder.
fn at(place: &Place, act: impl FnOnce(&Path) -> Result<bool, String>) -> ExitCode {
    let environment = |name: &str| std::env::var(name).ok();
    let of_settings = || Glance::at(&place.config, &environment)?.models();
    let folder = match place.folder.clone().map_or_else(of_settings, Ok) {
        Ok(folder) => folder,
        Err(why) => {
            eprintln!(
                "voxtrunk: {why}\n  name the settings with --config, or the folder with --models"
            );
            return ExitCode::from(2);
        }
    };
    match act(&folder) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => serve::finish(Err(why)),
    }
}

/// Brings a file, unless it is there, and says what came of it.
async fn brought(downloads: &Downloads, (file, url): (&Part, String), folder: &Path) -> bool {
    let path = folder.join(&file.name);
    let shown = path.display();
    let there = std::fs::File::open(&path).and_then(sum::sha256);
    if there.is_ok_and(|(sum, _)| sum == file.sha256) {
        println!("  {shown}: is there already");
        return true;
    }
    let bar = Bar::of(file);
    let wanted = Wanted { url: url.clone(), size: file.size, sha256: file.sha256.clone() };
    let outcome = downloads.bring(&wanted, &path, |octets| bar.move_to(octets)).await;
    bar.clear();
    match outcome {
        Ok(()) => println!("  {shown}: is there, and its sum is right"),
        Err(ref why) => eprintln!("voxtrunk: {} from {url}: {why}", file.name),
    }
    outcome.is_ok()
}

/// How far a file has come, on a terminal; nothing elsewhere.
struct Bar<'a> {
    file: &'a Part,
    /// What is drawn, in thousandths; beyond them, nothing is.
    drawn: std::cell::Cell<u64>,
    begun: std::time::Instant,
    is_seen: bool,
}

impl<'a> Bar<'a> {
    fn of(file: &'a Part) -> Self {
        let is_seen = std::io::stderr().is_terminal();
        Self { file, drawn: u64::MAX.into(), begun: clock::now(), is_seen }
    }

    fn move_to(&self, octets: u64) {
        let share = octets * 1_000 / self.file.size.max(1);
        if self.is_seen && self.drawn.replace(share) != share {
            let took = clock::now().saturating_duration_since(self.begun).as_secs();
            eprint!("\r{}", drawn((octets, self.file), took));
            std::io::stderr().flush().ok();
        }
    }

    fn clear(&self) {
        if self.is_seen {
            eprint!("\r\x1b[K");
        }
    }
}

/// The bar as it is drawn so many seconds after the beginning.
fn drawn((octets, file): (u64, &Part), seconds: u64) -> String {
    let filled = (octets * BAR / file.size.max(1)).min(BAR) as usize;
    let bar = format!("{}{}", "#".repeat(filled), ".".repeat(BAR as usize - filled));
    let percent = octets * 100 / file.size.max(1);
    let (there, all) = (megabytes(octets), megabytes(file.size));
    format!("  {} [{bar}] {percent:>3} % {there} of {all}, {seconds} s\x1b[K", file.name)
}

fn table(folder: &Path, paint: Paint) -> String {
    let mut table = Table::new(&["MODEL", "FOR", "SIZE", "HERE", "LICENCE", "ABOUT"]);
    for model in catalogue::all() {
        let (here, ink) = match model.state(folder) {
            State::There => ("yes".to_owned(), Ink::Green),
            State::Begun(percent) => (format!("{percent} %"), Ink::Yellow),
            State::Missing => ("no".to_owned(), Ink::Faint),
        };
        table.row(vec![
            Cell::new(&model.name),
            Cell::new(model.job.name()),
            Cell::new(megabytes(model.size())),
            Cell::painted(here, ink),
            Cell::new(&model.licence),
            Cell::new(&model.about),
        ]);
    }
    let mut text = table.print(paint);
    let folder = folder.display();
    writeln!(text, "\n`voxtrunk models pull MODEL` brings one to {folder}")
        .expect("a text takes it");
    text
}

fn line(model: &Model, folder: &Path) -> String {
    let (state, percent) = match model.state(folder) {
        State::There => ("there", 100),
        State::Begun(percent) => ("begun", percent),
        State::Missing => ("missing", 0),
    };
    let files = model.files.iter().map(|file| {
        let path = folder.join(&file.name);
        json!({ "path": path, "size": file.size, "sha256": file.sha256 })
    });
    let line = json!({
        "name": model.name,
        "job": model.job,
        "about": model.about,
        "licence": model.licence,
        "from": model.from,
        "state": state,
        "percent": percent,
        "files": files.collect::<Vec<_>>(),
    });
    format!("{line}\n")
}

/// A size for people.
fn megabytes(octets: u64) -> String {
    let tenths = (octets + 50_000) / 100_000;
    match octets {
        0..100_000 => format!("{} kB", octets.div_ceil(1_000)),
        _ => format!("{}.{} MB", tenths / 10, tenths % 10),
    }
}

/// How wide the bar is.
const BAR: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_asked_about() {
        assert_eq!(known("whisper-tiny"), Ok("whisper-tiny".to_owned()));
        assert_eq!(known("whisper-tyny"), Err("did you mean `whisper-tiny`?".to_owned()));
        assert!(known("parakeet").is_err_and(|why| why.contains("smart-turn-v3.2")));
    }

    #[test]
    fn a_bar_is_drawn_as_far_as_the_file_came() {
        let file = Part { name: "a.bin".to_owned(), size: 3_000_000, sha256: String::new() };
        let half = format!(
            "  a.bin [{}{}]  50 % 1.5 MB of 3.0 MB, 7 s\x1b[K",
            "#".repeat(15),
            ".".repeat(15)
        );
        assert_eq!(drawn((1_500_000, &file), 7), half);
        assert_eq!(megabytes(4_885), "5 kB");
    }
}
