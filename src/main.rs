//! The door: the command line of voxtrunk.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use voxtrunk::server::{bench, check, demo, dial, preset, serve};

/// A self-hosted SIP/RTP media server with built-in AI voice agents.
#[derive(Debug, Parser)]
#[command(name = "voxtrunk", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take calls until SIGTERM or Ctrl-C; then running calls end and the server stops.
    Serve(Config),
    /// Report every mistake of the configuration, with file, line and what to do.
    Check {
        #[command(flatten)]
        config: Config,
        /// For people, or one JSON object for each mistake.
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Start a server with a ready agent and let a caller of our own call it once.
    Demo {
        /// The settings of the demo.
        #[arg(long, value_name = "FILE", default_value = "conf/demo.toml")]
        config: PathBuf,
        /// End after that call; the exit status says whether it went well.
        #[arg(long)]
        once: bool,
    },
    /// Call a SIP address with a phone of our own, play speech, and record what is heard.
    Call {
        /// Whom to call, such as `sip:demo@127.0.0.1:5060` or `sip:demo@pbx.example;transport=tls`.
        target: String,
        /// Say this (English, by flite); may be given more than once, in order.
        #[arg(long, value_name = "TEXT")]
        say: Vec<String>,
        /// Play this WAV file; may be given more than once, after what is said.
        #[arg(long, value_name = "FILE")]
        wav: Vec<PathBuf>,
        /// Press these keys at the end, `0-9 * #`.
        #[arg(long, value_name = "KEYS")]
        dtmf: Option<String>,
        /// Offer this codec: opus, g722, pcma, pcmu, l16, l16/8000; may be given more than once,
        /// the dearest first. Without it, G.711.
        #[arg(long = "codec", value_name = "NAME")]
        codecs: Vec<String>,
        /// Milliseconds of audio in a packet: 10 to 60.
        #[arg(long, value_name = "MS", default_value_t = 20)]
        ptime: u64,
        /// Where the recording goes (what was heard left, what was said right).
        #[arg(long, value_name = "FILE", default_value = "call.wav")]
        record: PathBuf,
        /// Believe this authority (PEM) beside those of the system when calling by TLS.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// Show what is filled in for the customers of a carrier (`preset` in a trunk).
    Preset {
        #[command(subcommand)]
        command: PresetCommand,
    },
    /// Measure this machine: signalling, media, turns.
    Bench {
        /// What to measure.
        #[arg(value_enum, default_value = "all")]
        group: bench::Group,
        /// One JSON object for each figure.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum PresetCommand {
    /// All of them, one a line.
    List,
    /// One of them, as TOML.
    Show {
        /// Its name, such as `sipgate`.
        name: String,
    },
}

#[derive(Debug, Args)]
struct Config {
    /// The settings of the machine.
    #[arg(long, value_name = "FILE", default_value = "conf/server.toml", env = "VOXTRUNK_CONFIG")]
    config: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Json,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(Config { config }) => serve::run(&config),
        Command::Check { config, format } => {
            check::run(&config.config, matches!(format, Format::Json))
        }
        Command::Demo { config, once } => demo::run(&config, once),
        Command::Call { target, say, wav, dtmf, codecs, ptime, record, ca, config } => {
            let config = config.config;
            dial::run(dial::Order { target, say, wav, dtmf, codecs, ptime, record, ca, config })
        }
        Command::Preset { command: PresetCommand::List } => preset::list(),
        Command::Preset { command: PresetCommand::Show { name } } => preset::show(&name),
        Command::Bench { group, json } => bench::run(group, json),
    }
}
