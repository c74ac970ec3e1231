//! The words of the command line: what they are, and what `--help` says of them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use voxtrunk::base::units::parse_duration;
use voxtrunk::server::{bench, models, routes};

use crate::insights::{Analytics, CdrCommand};
use crate::lines::{
    CallCommand, CampaignCommand, Dial, PhoneCommand, QueueCommand, RecordingCommand,
    ScheduleCommand, SipCommand, TrunkCommand,
};
use crate::place::{Config, Server};

use crate::choices::{Format, Platform, SchemaFile, Scope};

/// A self-hosted SIP/RTP media server with built-in AI voice agents.
#[derive(Debug, Parser)]
#[command(name = "voxtrunk", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// Which tests are played.
#[derive(Debug, Args)]
pub struct Test {
    /// Files or folders; without any, tests/agents beside the folder of the settings.
    pub paths: Vec<PathBuf>,
    /// Only tests with this in their names.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub filter: String,
    /// One JSON object for each test.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: Config,
}

/// What is imported, and where to.
#[derive(Debug, Args)]
pub struct Import {
    /// Where it comes from.
    #[arg(value_enum)]
    pub platform: Platform,
    /// The file, in JSON: what the API of that platform answers or is given, one or many of it.
    pub file: PathBuf,
    /// The folder of the settings, `server.toml`; settings that are there stay as they are, and
    /// without any there are new ones.
    #[arg(long, value_name = "FOLDER", default_value = "imported")]
    pub into: PathBuf,
    /// Hear, think and speak by the engines of this machine, without any key: callers choose by
    /// keys and plain words.
    #[arg(long)]
    pub local: bool,
    /// Only tell what would come of it.
    #[arg(long)]
    pub dry_run: bool,
    /// Write over an earlier import of a file of this name.
    #[arg(long)]
    pub force: bool,
    /// As one JSON object.
    #[arg(long)]
    pub json: bool,
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
        #[command(flatten)]
        dial: Box<Dial>,
    },
    /// How the running server stands: calls, trunks, phones, what was turned away, memory.
    Status(Server),
    /// What ${secret:NAME} stands for in the files.
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Who did what to the server.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Keys of those who ask the server by HTTP.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// What is kept of a caller for the next call.
    Memory {
        #[command(subcommand)]
        command: MemoryCommand,
    },
    /// The messages that callers left.
    Voicemail {
        #[command(subcommand)]
        command: VoicemailCommand,
    },
    /// What the files said before.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// The database in which calls are listed and events wait.
    Db {
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Who is told what happens.
    Webhook {
        #[command(subcommand)]
        command: WebhookCommand,
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
    /// The queues of the running server.
    Queue {
        #[command(subcommand)]
        command: QueueCommand,
    },
    /// What calls have cost today and this month, and what they may.
    Usage(Server),
    /// What calls came to: how many, how long, how they ended, how fast they were answered.
    Analytics(Box<Analytics>),
    /// The records of calls, for other programs.
    Cdr {
        #[command(subcommand)]
        command: CdrCommand,
    },
    /// The campaigns of the running server: who is called, and what came of it.
    Campaign {
        #[command(subcommand)]
        command: CampaignCommand,
    },
    /// What begins by itself at its time.
    Schedule {
        #[command(subcommand)]
        command: ScheduleCommand,
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
    /// Make files of what was made on another platform, with a list of what could not be mapped.
    Import(Import),
    /// Play the conversations of tests/agents/*.toml with the agents and their models.
    Test(Test),
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

/// With what was done.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show it, the newest first.
    List {
        /// How much of it.
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: usize,
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: Config,
    },
    /// Tell whether anybody has changed what was written of it.
    Verify {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: Config,
    },
}

/// With keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make one. It is shown once; a running server takes it at once.
    Create {
        /// Who is to have it.
        #[arg(long)]
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "read")]
        scope: Scope,
        /// How long it is valid, such as `30d`; without it, until it is revoked.
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// How often it may be used on a day; without it, as often as it likes.
        #[arg(long, value_name = "COUNT")]
        per_day: Option<u64>,
        #[command(flatten)]
        config: Config,
    },
    /// All of them: what each may do, since when and until when.
    List(Config),
    /// Take one back, at once.
    Revoke {
        /// Its identity, or its name.
        key: String,
        #[command(flatten)]
        config: Config,
    },
}

/// With what is kept of a caller.
#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// Show it.
    Show {
        /// The number, with its country: `+4971112345`.
        number: String,
        /// The tenant whose caller it is.
        #[arg(long, value_name = "NAME", default_value = "")]
        tenant: String,
        #[command(flatten)]
        config: Config,
    },
    /// Forget it.
    Forget {
        /// The number, with its country: `+4971112345`.
        number: String,
        /// The tenant whose caller it is.
        #[arg(long, value_name = "NAME", default_value = "")]
        tenant: String,
        #[command(flatten)]
        config: Config,
    },
}

/// With the messages that callers left.
#[derive(Debug, Subcommand)]
pub enum VoicemailCommand {
    /// List them.
    List {
        /// Those of this voicemail only.
        #[arg(value_name = "BOX")]
        mailbox: Option<String>,
        #[command(flatten)]
        config: Config,
    },
    /// Show one: who left it, what was said, and where the sound is.
    Show {
        /// Its name, or that of its call.
        id: String,
        #[command(flatten)]
        config: Config,
    },
    /// Delete one.
    Delete {
        /// Its name, or that of its call.
        id: String,
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

impl Models {
    /// Where they lie.
    pub fn place(self) -> models::Place {
        models::Place { config: self.config.config, folder: self.models }
    }
}

/// With the database.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Bring it into the shape that this program needs; a server that starts does so, too.
    Migrate {
        /// Only tell what would be done.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        config: Config,
    },
    /// Write all of it into a new file while the server goes on (SQLite).
    Backup {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        config: Config,
    },
    /// Tell whether it is sound, and whether it lists the calls whose files are there.
    Check(Config),
}

/// With those who are told what happens.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// All of them, with what is still to be told.
    List(Server),
    /// Tell one something that did not happen. One that was gone and takes it is told things again.
    Test {
        /// Its name in conf/server.toml.
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// What one was told of late, or could not be told.
    Log {
        /// Its name in conf/server.toml.
        name: String,
        /// Only what is pending, delivered or dead.
        #[arg(long)]
        state: Option<String>,
        /// How many events.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        #[command(flatten)]
        server: Server,
    },
    /// Tell one again what it was told, or what was given up.
    Replay {
        /// Its name in conf/server.toml.
        name: String,
        /// The event, as the log shows it.
        #[arg(required_unless_present = "dead", conflicts_with = "dead")]
        event: Option<String>,
        /// All that was given up.
        #[arg(long)]
        dead: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Make a secret for one.
    Secret,
}
