//! The words about calls, phones, trunks and what was said on the wire.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use voxtrunk::server::console::{calls, trace};
use voxtrunk::server::control::protocol::{self, Sought, Wish};
use voxtrunk::server::dial;

use crate::choices::{Taping, TransferMode};
use crate::place::{Config, Server};

/// Whom to call, and what to do there.
#[derive(Debug, Args)]
pub struct Dial {
    /// Whom to call, such as `sip:demo@127.0.0.1:5060` or `sip:demo@pbx.example;transport=tls`.
    #[arg(required = true)]
    pub target: Option<String>,
    /// Call from this number or name, as the `From` shows it.
    #[arg(long, value_name = "USER", default_value = "phone")]
    pub from: String,
    /// Say this (English, by flite); may be given more than once, in order.
    #[arg(long, value_name = "TEXT")]
    pub say: Vec<String>,
    /// Play this file (WAV, FLAC, Ogg Vorbis, MP3); may be given more than once, after what is
    /// said.
    #[arg(long, value_name = "FILE")]
    pub wav: Vec<PathBuf>,
    /// Press these keys at the end, `0-9 * #`.
    #[arg(long, value_name = "KEYS")]
    pub dtmf: Option<String>,
    /// Offer this codec: opus, g722, pcma, pcmu, l16, l16/8000; may be given more than once,
    /// the dearest first. Without it, G.711.
    #[arg(long = "codec", value_name = "NAME")]
    pub codecs: Vec<String>,
    /// Milliseconds of audio in a packet: 10 to 60.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub ptime: u64,
    /// Hide the packets (SRTP): required, or only if the other side can (optional).
    #[arg(long, value_enum, num_args = 0..=1, value_name = "HOW",
        default_value = "off", default_missing_value = "required")]
    pub srtp: dial::Srtp,
    /// Let the keys of SRTP go over UDP and TCP too, where others can read them.
    #[arg(long)]
    pub insecure_sdes: bool,
    /// Where the recording goes (what was heard left, what was said right).
    #[arg(long, value_name = "FILE", default_value = "call.wav")]
    pub record: PathBuf,
    /// Believe this authority (PEM) beside those of the system when calling by TLS.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    #[command(flatten)]
    pub config: Config,
}

/// With calls of the running server.
#[derive(Debug, Subcommand)]
pub enum CallCommand {
    /// The calls that are up; those that ended, too, when some are looked for.
    List(Box<ListCalls>),
    /// One of them, with its legs.
    Show {
        /// Its identity, or the end of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Begin one: call somebody, and let an agent speak with whoever answers. Prints its identity.
    Originate(Originate),
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
    /// Let its caller wait, with music; whoever it talks with hears nothing meanwhile.
    Hold {
        /// Its identity, or the end of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Take its caller back.
    Unhold {
        /// Its identity, or the end of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Watch them come and go: who talks with whom, how fast agents answer, how lines sound. q leaves.
    Top(Server),
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
    /// Send its caller somewhere: `queue:sales`, `agent:billing`, `tel:+4971112340`, a phone.
    Transfer {
        /// Its identity, or the end of it.
        id: String,
        /// The name of a phone, or a destination.
        to: String,
        /// Whether the other side is only called first, or also told who is there.
        #[arg(long, value_enum, default_value = "blind")]
        mode: TransferMode,
        /// What whoever answers a warm transfer is told.
        #[arg(long, value_name = "WORDS")]
        brief: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Have its agent say something.
    Say {
        /// Its identity, or the end of it.
        id: String,
        /// The words.
        text: String,
        /// End the call when they were heard.
        #[arg(long)]
        end: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Press keys in one of them.
    Dtmf {
        /// Its identity, or the end of it.
        id: String,
        /// The keys.
        digits: String,
        #[command(flatten)]
        server: Server,
    },
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

/// Which calls are listed.
#[derive(Debug, Args)]
pub struct ListCalls {
    /// Those that ended, too.
    #[arg(long)]
    all: bool,
    /// Those that are, or ended, so: completed, busy, no_answer, canceled, failed.
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
    /// Those of this tenant, that ended.
    #[arg(long)]
    tenant: Option<String>,
    /// Those that ended so, such as caller_hangup.
    #[arg(long)]
    cause: Option<String>,
    /// Those from this number.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Those to this number.
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Those that began then or later, such as 2026-11-22T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Those that began earlier.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Those in which these words were said.
    #[arg(long, short, value_name = "WORDS")]
    q: Option<String>,
    /// How many, the newest.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    server: Server,
}

impl ListCalls {
    /// Lists them.
    pub fn run(self) -> ExitCode {
        let usual = Sought::default();
        let sought = Sought {
            status: self.status,
            direction: self.direction,
            agent: self.agent,
            trunk: self.trunk,
            tenant: self.tenant,
            cause: self.cause,
            from: self.from,
            to: self.to,
            created_after: self.since,
            created_before: self.until,
            q: self.q,
            ..Sought::default()
        };
        let target = self.server.target();
        if sought == usual && !self.all && self.limit.is_none() {
            return calls::list(&target);
        }
        calls::find(&target, Sought { limit: self.limit.unwrap_or(usual.limit), ..sought })
    }
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

impl Oversight {
    /// Arranges it.
    pub fn arrange(self, role: protocol::Role) -> ExitCode {
        calls::oversee(&self.server.target(), self.id, (role, self.phone))
    }
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

/// With phones.
#[derive(Debug, Subcommand)]
pub enum PhoneCommand {
    /// All of them, with every place where they ring.
    List(Server),
}

/// A call that is to begin.
#[derive(Debug, Args)]
pub struct Originate {
    /// Who is called: a number such as +4971112345, or phone:101, trunk:NAME/NUMBER, sip:ADDRESS.
    #[arg(long)]
    to: String,
    /// Who speaks with whoever answers.
    #[arg(long, conflicts_with = "then", required_unless_present = "then")]
    agent: Option<String>,
    /// Where whoever answers comes to, if not to an agent: flow:NAME, queue:NAME, phone:101, ...
    #[arg(long)]
    then: Option<String>,
    /// The number that is shown; without it, the trunk's.
    #[arg(long, default_value = "")]
    from: String,
    /// The name that is shown.
    #[arg(long)]
    name: Option<String>,
    /// What templates may name, as NAME=VALUE.
    #[arg(long = "set", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// How many seconds it rings.
    #[arg(long)]
    ring: Option<u64>,
    /// Finds out who answers; a machine is hung up.
    #[arg(long)]
    amd: bool,
    /// Leaves this with a machine, after its tone.
    #[arg(long, value_name = "TEXT")]
    drop: Option<String>,
    /// Says this to whoever asks who calls.
    #[arg(long, value_name = "TEXT")]
    screening: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl Originate {
    /// Has the running server begin it.
    pub fn run(self) -> ExitCode {
        let agent = self.agent.map(|name| format!("agent:{name}"));
        let told = [("message", self.drop), ("screening", self.screening)];
        let told: Map<String, Value> = told
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), Value::String(text?))))
            .collect();
        let amd = (self.amd || !told.is_empty()).then_some(Value::Object(told));
        let order = protocol::Originate {
            to: self.to,
            then: self.then.or(agent).unwrap_or_default(),
            from: self.from,
            name: self.name,
            variables: self.variables.into_iter().collect(),
            ring_s: self.ring,
            amd,
            traceparent: None,
        };
        calls::originate(&self.server.target(), order)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// With queues.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// All of them: who waits, who serves, and what each member is doing.
    List(Server),
    /// A member takes no callers from now on; what it does now it does to the end.
    Pause {
        /// The name of a phone, or a destination as it stands among the members.
        member: String,
        #[command(flatten)]
        server: Server,
    },
    /// It takes callers again.
    Resume {
        /// The name of a phone, or a destination as it stands among the members.
        member: String,
        #[command(flatten)]
        server: Server,
    },
}

/// With schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// All of them: when they are due, and what came of the last time.
    List(Server),
}

/// With campaigns.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// All of them: how many were called, and how many are left.
    List(Server),
    /// One, and how many came to what.
    Show(OneCampaign),
    /// It begins, or goes on with those who were not called yet.
    Start(OneCampaign),
    /// It calls nobody for now; calls that are up go on.
    Pause(OneCampaign),
    /// It goes on.
    Resume(OneCampaign),
    /// It calls nobody any more; calls that are up go on.
    Stop(OneCampaign),
    /// What came of every row; bad ones with their reason.
    Results {
        #[command(flatten)]
        one: OneCampaign,
        /// As CSV.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// Numbers that nobody calls.
    Dnc {
        #[command(subcommand)]
        command: DncCommand,
    },
}

/// A campaign by its name.
#[derive(Debug, Args)]
pub struct OneCampaign {
    /// Its name in the files.
    pub name: String,
    #[command(flatten)]
    pub server: Server,
}

/// With numbers that nobody calls.
#[derive(Debug, Subcommand)]
pub enum DncCommand {
    /// No campaign calls it from now on.
    Add {
        /// The number, in E.164.
        number: String,
        #[command(flatten)]
        server: Server,
    },
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

impl TraceWish {
    /// What is wanted of the trace.
    pub fn order(self) -> trace::Order {
        let Self { call_id, from, to, trunk, last, all, follow, raw, pcap } = self;
        trace::Order { wish: Wish { call: call_id, from, to, trunk, last, all, raw, follow }, pcap }
    }
}
