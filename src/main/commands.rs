//! The words of the command line: what they are, and what `--help` says of them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use voxtrunk::base::units::parse_duration;
use voxtrunk::server::console::command::{Form, Target};
use voxtrunk::server::console::{calls, trace};
use voxtrunk::server::control::protocol::{self, Wish};
use voxtrunk::server::{bench, dial, models, routes};

use crate::choices::{Format, SchemaFile, Taping};

/// A self-hosted SIP/RTP media server with built-in AI voice agents.
#[derive(Debug, Parser)]
#[command(name = "voxtrunk", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take calls until SIGTERM or Ctrl-C; then running calls end and the server stops.
    Serve(Config),
    /// Report every mistake of the configuration, with file, line and what to do.
    Check {
        #[command(flatten)]
        config: Config,
        /// For people, as one JSON object for each mistake, or as workflow commands of GitHub.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        /// Ask every provider that agents name for a little, too: wrong keys, unknown models. It
        /// costs a few words of each. And look whether somebody is there where tools go.
        #[arg(long)]
        probe: bool,
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
    /// Call a SIP address with a phone of our own; or look at the calls of the running server.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Call {
        #[command(subcommand)]
        command: Option<CallCommand>,
        /// Whom to call, such as `sip:demo@127.0.0.1:5060` or `sip:demo@pbx.example;transport=tls`.
        #[arg(required = true)]
        target: Option<String>,
        /// Say this (English, by flite); may be given more than once, in order.
        #[arg(long, value_name = "TEXT")]
        say: Vec<String>,
        /// Play this file (WAV, FLAC, Ogg Vorbis, MP3); may be given more than once, after what is
        /// said.
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
        /// Hide the packets (SRTP): required, or only if the other side can (optional).
        #[arg(long, value_enum, num_args = 0..=1, value_name = "HOW",
            default_value = "off", default_missing_value = "required")]
        srtp: dial::Srtp,
        /// Let the keys of SRTP go over UDP and TCP too, where others can read them.
        #[arg(long)]
        insecure_sdes: bool,
        /// Where the recording goes (what was heard left, what was said right).
        #[arg(long, value_name = "FILE", default_value = "call.wav")]
        record: PathBuf,
        /// Believe this authority (PEM) beside those of the system when calling by TLS.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// How the running server stands: calls, trunks, phones, what was turned away, memory.
    Status(Server),
    /// What ${secret:NAME} stands for in the files.
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// What the files said before.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Let the running server read its files again: calls that begin from now on go by them.
    Reload {
        /// Only tell what would be changed, and what is wrong.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        server: Server,
    },
    /// What happens to the running server and its calls, as it happens.
    Events(Server),
    /// The trunks of the running server.
    Trunk {
        #[command(subcommand)]
        command: TrunkCommand,
    },
    /// Recordings of calls.
    Recording {
        #[command(subcommand)]
        command: RecordingCommand,
    },
    /// The phones that register with the running server.
    Phone {
        #[command(subcommand)]
        command: PhoneCommand,
    },
    /// The signalling of the running server.
    Sip {
        #[command(subcommand)]
        command: SipCommand,
    },
    /// Show what is filled in for the customers of a carrier (`preset` in a trunk).
    Preset {
        #[command(subcommand)]
        command: PresetCommand,
    },
    /// What editors are told of the files, as JSON Schema: which keys there are and what they mean.
    Schema {
        /// The settings of the machine, or files of the dialplan.
        #[arg(value_enum)]
        file: SchemaFile,
    },
    /// Which call goes where.
    Route {
        #[command(subcommand)]
        command: RouteCommand,
    },
    /// Those who hear, think and speak for agents.
    Providers {
        #[command(subcommand)]
        command: ProvidersCommand,
    },
    /// Tools that agents can have used.
    Tool {
        #[command(subcommand)]
        command: ToolCommand,
    },
    /// Flows of calls.
    Flow {
        #[command(subcommand)]
        command: FlowCommand,
    },
    /// Models for the engines of this machine: what can be had, and what is there.
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
    /// Open stand-ins for vendors on this machine: hearing, thinking and speaking without keys.
    Fakes(Delays),
    /// Measure this machine: signalling, media, turns.
    Bench {
        /// What to measure.
        #[arg(value_enum, default_value = "all")]
        group: bench::Group,
        /// How long the soak lasts, such as `30s` or `30m`.
        #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse_duration)]
        lasts: Duration,
        /// One JSON object for each figure.
        #[arg(long)]
        json: bool,
    },
}

/// How long stand-ins take.
#[derive(Debug, Args)]
pub struct Delays {
    /// From the caller's pause to the text.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_duration)]
    pub hears: Duration,
    /// From a request to the first word of an answer.
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = parse_duration)]
    pub thinks: Duration,
    /// For each further word.
    #[arg(long, value_name = "TIME", default_value = "12ms", value_parser = parse_duration)]
    pub per_word: Duration,
    /// From a clause to its first sound.
    #[arg(long, value_name = "TIME", default_value = "120ms", value_parser = parse_duration)]
    pub speaks: Duration,
}

/// With secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep one, sealed: it is typed unseen, or comes by the standard input.
    Set {
        /// Its name, such as `carrier`.
        name: String,
        #[command(flatten)]
        config: Config,
    },
    /// Their names.
    List(Config),
    /// Forget one.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        config: Config,
    },
}

/// With the files.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// When the server took them, and which were changed; the newest first.
    History {
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: Config,
    },
    /// Write them again as they were.
    Rollback {
        /// Which state: 1 is the one before the newest.
        #[arg(default_value_t = 1)]
        number: usize,
        #[command(flatten)]
        config: Config,
    },
}

/// With calls of the running server.
#[derive(Debug, Subcommand)]
pub enum CallCommand {
    /// The calls that are up.
    List(Server),
    /// One of them, with its legs.
    Show {
        /// Its identity, or the end of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Let nobody hear its caller: no agent, no other leg, no conference.
    Mute {
        /// Its identity, or the end of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Let its caller be heard again.
    Unmute {
        /// Its identity, or the end of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// End one of them.
    Hangup {
        /// Its identity, or the end of it.
        id: String,
        /// Why, as Q.850 counts (`17`) or telephone systems call it (`user-busy`).
        #[arg(long, default_value = "normal-clearing")]
        cause: calls::Cause,
        #[command(flatten)]
        server: Server,
    },
    /// Let somebody hear both sides of one of them, heard by nobody.
    Listen(Oversight),
    /// Let somebody hear both sides, heard by ours only.
    Whisper(Oversight),
    /// Let somebody hear both sides, heard by all.
    Barge(Oversight),
    /// Let what is said in one of them be silence in its recording, and go on with it.
    Record {
        /// Its identity, or the end of it.
        id: String,
        /// What is to be done.
        #[arg(value_enum)]
        action: Taping,
        #[command(flatten)]
        server: Server,
    },
}

/// Who is to oversee a call. Said again with another word, it changes what that one may do.
#[derive(Debug, Args)]
pub struct Oversight {
    /// The identity of the call, or the end of it.
    id: String,
    /// The name of the phone that is called for it, or a destination such as `sip:boss@192.0.2.5`.
    phone: String,
    #[command(flatten)]
    server: Server,
}

/// With recordings.
#[derive(Debug, Subcommand)]
pub enum RecordingCommand {
    /// Make a file that everybody can play of a sealed recording.
    Decrypt {
        /// The sealed file.
        file: PathBuf,
        /// Where the open one goes; without it, beside the sealed one.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// A file with the key; without it, that of the settings.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Take what there is of a file whose end is missing: its server was killed.
        #[arg(long)]
        incomplete: bool,
        #[command(flatten)]
        config: Config,
    },
    /// Tell which recordings are not what was written, by the sums in their notes.
    Verify {
        /// Recordings, their notes, or folders; without any, the folder of the settings.
        paths: Vec<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
}

/// With trunks.
#[derive(Debug, Subcommand)]
pub enum TrunkCommand {
    /// All of them: registered until when, up or down since when, calls in and out.
    List(Server),
    /// One of them, with its last refusal and what may be done.
    Show {
        /// Its name in conf/server.toml.
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Ask one now whether it is there, register anew, and explain what comes of it.
    Test {
        /// Its name in conf/server.toml.
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

/// With providers.
#[derive(Debug, Subcommand)]
pub enum ProvidersCommand {
    /// Ask each of them for a little: what works, how soon, and what to do about the rest. It costs a
    /// few words of each.
    Test(Config),
}

/// With flows.
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Walk through one as text: type what the caller says, `#12` for keys, nothing for silence.
    /// Its tools are used as in a call.
    Test {
        /// Its name under [flows].
        name: String,
        #[command(flatten)]
        config: Config,
    },
}

/// With tools.
#[derive(Debug, Subcommand)]
pub enum ToolCommand {
    /// Use one as a call would: shows what is asked, secrets blotted out, and what a model would be
    /// told. What it changes is changed.
    Run {
        /// Its name under [tools].
        name: String,
        /// What a model would give it, as a JSON object.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        args: String,
        #[command(flatten)]
        config: Config,
    },
}

/// With models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// All of them: what each is for, its licence, and whether it is there.
    List {
        #[command(flatten)]
        place: Models,
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Bring models. What was brought before a connection broke is not brought again.
    Pull {
        /// Their names, such as `whisper-base.en`.
        #[arg(required = true, value_parser = models::known)]
        names: Vec<String>,
        /// Bring them from here, where their files lie under their own names.
        #[arg(long, value_name = "URL", env = "VOXTRUNK_MODELS_FROM")]
        from: Option<String>,
        #[command(flatten)]
        place: Models,
    },
    /// Tell which files are not what was published, by their sums.
    Verify {
        /// Their names; without any, all that are there.
        #[arg(value_parser = models::known)]
        names: Vec<String>,
        #[command(flatten)]
        place: Models,
    },
}

/// Where models lie.
#[derive(Debug, Args)]
pub struct Models {
    #[command(flatten)]
    config: Config,
    /// Their folder, if the settings are not to be looked at.
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

/// With phones.
#[derive(Debug, Subcommand)]
pub enum PhoneCommand {
    /// All of them, with every place where they ring.
    List(Server),
}

/// With SIP messages.
#[derive(Debug, Subcommand)]
pub enum SipCommand {
    /// What was said on the wire, as a ladder: the last calls, or those that are looked for.
    Trace {
        #[command(flatten)]
        wish: TraceWish,
        #[command(flatten)]
        server: Server,
    },
}

/// Which messages are wanted.
#[derive(Debug, Args)]
pub struct TraceWish {
    /// This call: its identity or a Call-ID, or the end of it.
    #[arg(long, value_name = "ID")]
    call_id: Option<String>,
    /// Calls whose From has this in it.
    #[arg(long, value_name = "TEXT")]
    from: Option<String>,
    /// Calls whose To has this in it.
    #[arg(long, value_name = "TEXT")]
    to: Option<String>,
    /// Calls that this trunk, or this phone, takes part in.
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// How many calls, the newest; 5 when nothing is said, and none before those that come.
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Registrations and pings, too.
    #[arg(long)]
    all: bool,
    /// And then whatever comes, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Whole messages instead of ladders; passwords and keys are blotted out.
    #[arg(long)]
    raw: bool,
    /// Into a file for Wireshark or sngrep.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["raw", "json"])]
    pcap: Option<PathBuf>,
}

/// Which running server, and in which form it answers.
#[derive(Debug, Args)]
pub struct Server {
    #[command(flatten)]
    config: Config,
    /// Its control socket, if the settings are not to be looked at.
    #[arg(long, value_name = "PATH", env = "VOXTRUNK_SOCKET")]
    socket: Option<PathBuf>,
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// With routes.
#[derive(Debug, Subcommand)]
pub enum RouteCommand {
    /// Tell which route takes a call, and what each one before it says to it.
    Test {
        #[command(flatten)]
        call: routes::Thought,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: Config,
    },
}

/// With presets.
#[derive(Debug, Subcommand)]
pub enum PresetCommand {
    /// All of them, one a line.
    List,
    /// One of them, as TOML.
    Show {
        /// Its name, such as `sipgate`.
        name: String,
    },
}

/// Which settings.
#[derive(Debug, Args)]
pub struct Config {
    /// The settings of the machine.
    #[arg(long, value_name = "FILE", default_value = "conf/server.toml", env = "VOXTRUNK_CONFIG")]
    pub config: PathBuf,
}

impl Server {
    /// Which server, and in which form it answers.
    pub fn target(self) -> Target {
        let form = if self.json { Form::Json } else { Form::Text };
        Target { config: self.config.config, socket: self.socket, form }
    }
}

impl Models {
    /// Where they lie.
    pub fn place(self) -> models::Place {
        models::Place { config: self.config.config, folder: self.models }
    }
}

impl Oversight {
    /// Arranges it.
    pub fn arrange(self, role: protocol::Role) -> ExitCode {
        calls::oversee(&self.server.target(), self.id, (role, self.phone))
    }
}

impl TraceWish {
    /// What is wanted of the trace.
    pub fn order(self) -> trace::Order {
        let Self { call_id, from, to, trunk, last, all, follow, raw, pcap } = self;
        trace::Order { wish: Wish { call: call_id, from, to, trunk, last, all, raw, follow }, pcap }
    }
}
