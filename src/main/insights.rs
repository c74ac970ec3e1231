//! The words about calls of the past: what they came to, and their records.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use voxtrunk::server::console::insight;
use voxtrunk::server::control::protocol::{Extract, Inquiry, Sought};

use crate::place::Server;

/// What is counted.
#[derive(Debug, Args)]
pub struct Analytics {
    /// By what, with commas between: agent, trunk, tenant, route, direction, hour, day.
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    server: Server,
}

/// With records of calls.
#[derive(Debug, Subcommand)]
pub enum CdrCommand {
    /// Write those of calls that ended, the newest first.
    Export(Box<Export>),
}

/// Which records are written, how, and where to.
#[derive(Debug, Args)]
pub struct Export {
    /// For spreadsheets, whole records, for scripts made for Asterisk, to train a model, or as a
    /// table with types.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Where they go; without it, to the standard output.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    server: Server,
}

/// Which calls.
#[derive(Debug, Args)]
struct Which {
    /// Those that began then or later, such as 2026-11-22T10:00:00Z.
    #[arg(long, value_name = "TIME", visible_alias = "since")]
    from: Option<String>,
    /// Those that began earlier.
    #[arg(long, value_name = "TIME", visible_alias = "until")]
    to: Option<String>,
    /// By whose clock, such as Europe/Berlin; without it, the server's.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Those that ended so: completed, busy, no_answer, canceled, failed.
    #[arg(long)]
    status: Option<String>,
    /// inbound or outbound.
    #[arg(long)]
    direction: Option<String>,
    /// Those in which this agent spoke.
    #[arg(long)]
    agent: Option<String>,
    /// Those that came by this trunk.
    #[arg(long)]
    trunk: Option<String>,
    /// Those of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Those that ended so, such as caller_hangup.
    #[arg(long)]
    cause: Option<String>,
}

/// How records are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
    Asterisk,
    Training,
    Parquet,
}

impl Analytics {
    /// Counts.
    pub fn run(self) -> ExitCode {
        let timezone = self.which.timezone.clone();
        let inquiry = Inquiry { by: self.by, timezone, sought: self.which.sought() };
        insight::count(&self.server.target(), inquiry)
    }
}

impl Export {
    /// Writes them.
    pub fn run(self) -> ExitCode {
        let format = match self.format {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Asterisk => "asterisk",
            Format::Training => "training",
            Format::Parquet => "parquet",
        };
        let timezone = self.which.timezone.clone();
        let (format, sought) = (format.to_owned(), self.which.sought());
        let extract = Extract { format, timezone, sought, after: None };
        insight::export(&self.server.target(), extract, self.file)
    }
}

impl Which {
    fn sought(self) -> Sought {
        Sought {
            status: self.status,
            direction: self.direction,
            agent: self.agent,
            trunk: self.trunk,
            tenant: self.tenant,
            cause: self.cause,
            created_after: self.from,
            created_before: self.to,
            ..Sought::default()
        }
    }
}
