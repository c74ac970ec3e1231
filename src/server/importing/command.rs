//! `voxtrunk import`: what was made elsewhere, as files of ours.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::load::Loaded;
use crate::config::report::{self, Format};
use crate::server::importing::layout::{self, Files, Layout, Unfit};
use crate::server::importing::pieces::{Options, Pieces};
use crate::server::importing::platform::{Import, Platform, import};
use crate::server::importing::read::Unreadable;
use crate::server::importing::report::Report;

/// What is wanted.
#[derive(Debug)]
pub struct Order {
    /// Where the file comes from.
    pub platform: Platform,
    /// The file.
    pub file: PathBuf,
    /// Where the settings lie, or are to lie.
    pub into: PathBuf,
    /// Whether everything is done by the engines of this machine.
    pub local: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Whether an earlier import is written over.
    pub force: bool,
    /// Whether a program reads what is told.
    pub json: bool,
}

/// Why there is no import.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The file is not there, or too large.
    #[error("{0}")]
    File(String),
    /// It cannot be read.
    #[error("{0}: {1}")]
    Unreadable(String, Unreadable),
    /// The files cannot be written there.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Imports a file and tells what came of it; fails when nothing did.
pub fn run(order: &Order) -> ExitCode {
    match carried_out(order) {
        Ok(code) => code,
        Err(why) => {
            if order.json {
                println!("{}", serde_json::json!({ "error": why.to_string() }));
            } else {
                eprintln!("{why}");
            }
            ExitCode::FAILURE
        }
    }
}

fn carried_out(order: &Order) -> Result<ExitCode, Failed> {
    let text = read(&order.file)?;
    let title = order.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let layout = Layout::of(&order.into, &title)?;
    let options = Options {
        local: order.local,
        taken: layout.taken(),
        allowed: layout
            .there()
            .map(|it| it.server.security.tools.allow.clone())
            .unwrap_or_default(),
        title,
        ..Options::default()
    };
    let name = order.file.display().to_string();
    let import = import(order.platform, &text, &options);
    let Import { pieces, mut report } =
        import.map_err(|why| Failed::Unreadable(name.clone(), why))?;
    let source = order.file.file_name().unwrap_or_default().to_string_lossy();
    let files = layout.files(&pieces, &source);
    let loaded = layout.read(&files);
    (report.errors, report.warnings) = layout::counted(&loaded);
    report.files = files.keys().map(|path| path.display().to_string()).collect();
    if report.errors == 0 && !order.dry_run {
        layout.write(&files, order.force)?;
        report.written = true;
    }
    tell(order, &report, (&loaded, &pieces, &files));
    Ok(if report.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(order: &Order, report: &Report, (loaded, pieces, _): (&Loaded, &Pieces, &Files)) {
    if order.json {
        println!("{}", serde_json::to_string(report).unwrap_or_default());
        return;
    }
    if !loaded.diagnostics.is_empty() {
        print!("{}", report::render(&loaded.diagnostics, &loaded.sources, Format::for_stdout()));
    }
    println!("Imported from {}:", order.file.display());
    print!("{}", report.text());
    let missing = layout::providers(pieces, loaded);
    if !missing.is_empty() {
        println!("\nThe settings in {} need these tables:\n{missing}", order.into.display());
    }
    if report.errors > 0 {
        println!("Nothing was written: `check` would not take it.");
    } else if report.written {
        let settings = order.into.join("server.toml");
        println!("Try it: voxtrunk serve --config {}", settings.display());
    }
}

/// The text of a file that is not too large.
fn read(path: &Path) -> Result<String, Failed> {
    let failed = |why: String| Failed::File(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|why| failed(why.to_string()))?;
    let mut octets = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut octets).map_err(|why| failed(why.to_string()))?;
    if octets.len() as u64 > LARGEST {
        return Err(failed(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    String::from_utf8(octets).map_err(|why| {
        failed(format!("it is no UTF-8 text from byte {}", why.utf8_error().valid_up_to()))
    })
}

/// The largest file, in octets.
const LARGEST: u64 = 16 << 20;
