//! The settings of the machine, as they stand in `conf/server.toml`. Every key has a default.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::agent::assistant::Assistant;
use crate::base::country::Country;
use crate::base::language::Language;
use crate::base::master_key::Suite;
use crate::base::network::Network;
use crate::base::units::{self, parsed};
use crate::base::zone::Zone;
use crate::config::keys::KeyWay;
use crate::config::network::PortRange;
use crate::config::observing::{Hep, Log, Metrics};
use crate::config::paths::tidied;
use crate::config::phone::{Group, Phone, Registering};
use crate::config::srtp;

pub use crate::config::codec::Codec;
pub use crate::config::control::{Control, Socket};
pub use crate::config::database::Database;
pub use crate::config::http::Http;
pub use crate::config::inbound::Inbound;
pub use crate::config::inlets::AudioSocket;
pub use crate::config::listen::{Listen, OpenedTls, Tls, Transport};
pub use crate::config::mail::Mail;
pub use crate::config::otel::Otel;
pub use crate::config::provider::{Job, Provider, ProviderKind};
pub use crate::config::recordings::{Location, Recordings};
pub use crate::config::security::{MaxInvites, Security, SipSecurity, UnknownSource};
pub use crate::config::srtp::Srtp;
pub use crate::config::stream::Stream;
pub use crate::config::tenant::Tenant;
pub use crate::config::trunk::Trunk;
pub use crate::config::webhook::Webhook;

/// Everything that belongs to the machine: sockets, trunks, providers, storage, security.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The version of this shape: 1.
    pub schema_version: SchemaVersion,
    /// The machine as a whole.
    #[serde(rename = "server")]
    pub machine: Machine,
    /// Where SIP is spoken.
    pub sip: Sip,
    /// Certificates, by name.
    pub tls: BTreeMap<String, Tls>,
    /// Where and how audio flows.
    pub rtp: Rtp,
    /// What is done with audio.
    pub media: Media,
    /// Carriers and telephone systems, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// Companies that share the machine, by name.
    pub tenants: BTreeMap<String, Tenant>,
    /// Phones that register with us, by name.
    pub phones: BTreeMap<String, Phone>,
    /// Phones that ring together, by name.
    pub groups: BTreeMap<String, Group>,
    /// Who hears, thinks and speaks, by name.
    pub providers: BTreeMap<String, Provider>,
    /// The server that takes the mails of tools.
    pub mail: Option<Mail>,
    /// The databases that tools read, by name.
    pub databases: BTreeMap<String, Database>,
    /// Who is let in.
    pub security: Security,
    /// Where calls are kept.
    pub storage: Storage,
    /// Who is told what happens, by name.
    pub webhooks: BTreeMap<String, Webhook>,
    /// Who hears and speaks behind WebSockets, by name.
    pub streams: BTreeMap<String, Stream>,
    /// How operators talk to the running server.
    pub control: Control,
    /// What is counted.
    pub metrics: Metrics,
    /// Who collects what is said on the wire, if somebody does.
    pub hep: Option<Hep>,
    /// Who collects calls as traces, if somebody does.
    pub otel: Option<Otel>,
    /// Where programs ask the running server by HTTP, if they may.
    pub http: Option<Http>,
    /// Where an Asterisk brings calls by AudioSocket, if it may.
    pub audiosocket: Option<AudioSocket>,
    /// What is logged.
    pub log: Log,
}

/// `schema_version = 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(with = "u32", extend("const" = 1))]
pub struct SchemaVersion;

/// `[server]`: the machine as a whole. Relative paths begin at the folder of the file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    /// Shown in User-Agent and logs.
    pub name: String,
    /// Where everything is kept that the server writes.
    pub data_dir: PathBuf,
    /// The folder of the dialplans, read in the order of names.
    pub dialplans: PathBuf,
    /// The folder of the models.
    pub models: PathBuf,
    /// The language of agents that name none.
    pub language: Language,
    /// The country whose national numbers are meant where a trunk names none.
    pub country: Country,
    /// Where its clock hangs: the time zone of opening hours that name none, such as
    /// `Europe/Berlin`; without it, that of the machine.
    pub timezone: Zone,
    /// Whether files are read again by themselves when they are changed.
    pub watch: bool,
}

/// `[sip]`: where SIP is spoken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sip {
    /// The sockets.
    pub listen: Vec<Listen>,
    /// The address that peers should use when it is not the one that we bind: `"auto"` or an
    /// address.
    #[serde(deserialize_with = "external_address")]
    #[schemars(with = "String")]
    pub external_address: Option<IpAddr>,
    /// Networks that this machine stands in itself, such as `"10.0.0.0/8"`: peers there are told
    /// its own address, not the external one.
    pub local_networks: Vec<Network>,
    /// Whether OPTIONS outside of calls, the pings of peers, are answered with 200, and with 503
    /// while the server winds up; otherwise they get 405, which most peers take for a sign of life
    /// as well.
    pub options_reply: bool,
    /// The most calls at once; beyond it 503 with Retry-After.
    pub max_calls: u32,
    /// Whether calls are refreshed from time to time, so that a peer that vanished is noticed
    /// (RFC 4028).
    pub session_timers: SessionTimers,
    /// How long a call lives without a refresh: 90 s or more.
    #[serde(deserialize_with = "units::duration")]
    pub session_expires: Duration,
    /// The shortest life without a refresh that a peer may ask for: its Min-SE. RFC 4028 wants
    /// 90 s or more.
    #[serde(deserialize_with = "units::duration")]
    pub session_min_se: Duration,
    /// T1 of RFC 3261: the estimated round trip. A message that nobody answers is repeated after
    /// it for the first time, and given up after 64 times as long; T2 and T4 grow with it.
    #[serde(deserialize_with = "units::duration")]
    pub t1: Duration,
    /// The domain of our phones: what their passwords belong to, and what stands in From of calls
    /// to them; without it, `voxtrunk` and the address of the socket.
    pub domain: Option<String>,
    /// How phones register.
    pub registrar: Registering,
    /// A request of more octets goes by TCP to peers that know it (RFC 3261 18.1.1).
    pub tcp_above: usize,
    /// The name servers, as `"192.0.2.53:53"`; without any, those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// TLS connections that we open.
    pub tls: OpenedTls,
}

/// Whether calls have a session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionTimers {
    /// Never.
    Never,
    /// When the peer asks for it.
    #[default]
    Accept,
    /// Always; alone, if the peer does not know how.
    Prefer,
    /// Always; who does not know how is refused.
    Require,
}

/// `[rtp]`: where and how audio flows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rtp {
    /// The ports, two for a call.
    #[serde(deserialize_with = "parsed")]
    pub ports: PortRange,
    /// The address to bind; without it, the address of the first SIP socket.
    pub address: Option<IpAddr>,
    /// The codecs that we accept, the best first.
    pub codecs: Vec<Codec>,
    /// How much audio in a packet, where the peer wishes nothing else: 10 to 60 ms.
    #[serde(deserialize_with = "units::duration")]
    pub ptime: Duration,
    /// Whether silence is described instead of sent to peers that know how (RFC 3389).
    pub comfort_noise: bool,
    /// By which ways keys are heard. Without it by telephone events and INFO, and as tones where
    /// the peer knows no telephone events.
    pub dtmf: Option<Vec<KeyWay>>,
    /// Whether packets are hidden (SRTP), where a trunk says nothing else.
    pub srtp: Srtp,
    /// The suites that we take, the best first.
    #[serde(deserialize_with = "srtp::suites")]
    pub srtp_suites: Vec<Suite>,
    /// Whether keys of SRTP may go by signalling that others can read. They are secret over TLS
    /// only.
    pub insecure_sdes: bool,
    /// Whether audio is sent to where it comes from, for peers behind NAT.
    pub symmetric: bool,
    /// After how long without a packet the call ends.
    #[serde(deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// How long packets wait for those before them, where calls are bridged or mixed.
    pub jitter: Jitter,
}

/// `rtp.jitter`: how long packets wait; what the network makes necessary, within these bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Jitter {
    /// At least so long.
    #[serde(deserialize_with = "units::duration")]
    pub min: Duration,
    /// At most so long, 20 to 300 ms: what comes later is lost.
    #[serde(deserialize_with = "units::duration")]
    pub max: Duration,
}

/// `[media]`: what is done with audio.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// How speech is told from noise.
    pub vad: Vad,
    /// A file (WAV, FLAC, Ogg Vorbis, MP3) that is played to those on hold; without it, a melody of
    /// our own.
    pub hold_music: Option<PathBuf>,
}

/// `[media.vad]`: how speech is told from noise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vad {
    /// Which implementation runs the network.
    pub detector: Detector,
    /// The file of the network, in the folder of the models; or `silero-v5`, which `./dev setup` puts
    /// there.
    pub model: PathBuf,
    /// From which probability on it is speech: 0.0 to 1.0.
    pub threshold: f32,
    /// How much speech makes it begin.
    #[serde(deserialize_with = "units::duration")]
    pub min_speech: Duration,
    /// How much silence makes it end.
    #[serde(deserialize_with = "units::duration")]
    pub min_silence: Duration,
    /// Whether an echo of what the caller hears is no speech.
    pub echo_gate: bool,
}

/// Which implementation runs the network of speech detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Detector {
    /// Our own, without any library.
    #[default]
    Kernel,
    /// ONNX Runtime, loaded at run time (feature `ort`).
    Ort,
}

/// `[storage]`: where calls are kept.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The folder of the records of calls; without it, `calls` in the data folder.
    pub calls: Option<PathBuf>,
    /// Recordings.
    pub recordings: Recordings,
    /// Where calls are listed: `sqlite://FILE` or `postgres://USER@HOST/NAME`; without it, the file
    /// `voxtrunk.db` in the data folder.
    #[serde(deserialize_with = "database")]
    #[schemars(with = "Option<String>")]
    pub database: Option<Database>,
    /// How long what is kept.
    pub retention: Retention,
}

/// `[storage.retention]`: how long what is kept; for ever, where nothing is said. Recordings have a
/// `retention` of their own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// What was said, and what was made of it.
    #[serde(deserialize_with = "units::optional_duration")]
    pub transcripts: Option<Duration>,
    /// The records of calls.
    #[serde(deserialize_with = "units::optional_duration")]
    pub cdr: Option<Duration>,
    /// What webhooks were told, or could not be told.
    #[serde(deserialize_with = "units::optional_duration")]
    pub events: Option<Duration>,
}

impl Server {
    /// The address that RTP sockets bind.
    pub fn rtp_address(&self) -> IpAddr {
        let sip = || self.sip.listen.first().map(|listen| listen.bind.ip());
        self.rtp.address.or_else(sip).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// The address that stands in SDP.
    pub fn advertised_rtp_address(&self) -> IpAddr {
        self.sip.external_address.unwrap_or_else(|| self.rtp_address())
    }

    /// The trunk that a request from `address` belongs to: of several the one whose range is
    /// narrowest.
    pub fn trunk_at(&self, address: IpAddr) -> Option<(&str, &Trunk)> {
        self.trunks
            .iter()
            .filter_map(|(name, trunk)| Some((trunk.narrowest(address)?, name.as_str(), trunk)))
            .max_by_key(|(prefix, _, _)| *prefix)
            .map(|(_, name, trunk)| (name, trunk))
    }

    /// The provider that thinks for an agent, by name: the one it chose; else the built-in rules
    /// if it has intents, else the first language model there is.
    pub fn thinker<'a>(&'a self, agent: &'a Assistant) -> Option<&'a str> {
        let chosen = agent.realtime.as_ref().unwrap_or(&agent.llm).provider.as_deref();
        let rules = (!agent.intents.is_empty()).then_some("rules");
        let model = || {
            // Whoever hears and speaks, too, may be there for that only: then it names no model.
            let thinks = |provider: &Provider| {
                let only = provider.kind.jobs().len() == 1;
                provider.kind.is_language_model() && (only || provider.model.is_some())
            };
            let first = self.providers.iter().find(|(_, provider)| thinks(provider));
            first.map(|(name, _)| name.as_str())
        };
        chosen.or(rules).or_else(model)
    }

    /// The folder of the records of calls.
    pub fn calls_folder(&self) -> PathBuf {
        self.storage.calls.clone().unwrap_or_else(|| self.machine.data_dir.join("calls"))
    }

    /// The folder of the recordings; those that go to a bucket stand here until they are there.
    pub fn recordings_folder(&self) -> PathBuf {
        let folder = self.storage.recordings.location.folder().cloned();
        folder.unwrap_or_else(|| self.machine.data_dir.join("recordings"))
    }

    /// The file of the database of calls, if it is one.
    pub fn database_file(&self) -> Option<PathBuf> {
        match &self.storage.database {
            Some(database) => database.file(),
            None => Some(self.machine.data_dir.join("voxtrunk.db")),
        }
    }

    /// The control socket, if there is to be one.
    pub fn control_socket(&self) -> Option<PathBuf> {
        self.control.path(&self.machine.data_dir)
    }

    /// The file of the network of speech detection.
    pub fn vad_model(&self) -> PathBuf {
        let model = &self.media.vad.model;
        let file = if model == Path::new(SILERO) { Path::new(SILERO_FILE) } else { model };
        self.machine.models.join(file)
    }

    /// Lets every relative path begin at `folder`.
    pub fn settle(&mut self, folder: &Path) {
        let machine = &mut self.machine;
        let always = [&mut machine.data_dir, &mut machine.dialplans, &mut machine.models];
        let chosen = [
            &mut self.storage.calls,
            &mut self.media.hold_music,
            &mut self.security.stir.authorities,
        ];
        let recordings = self.storage.recordings.location.folder_mut();
        let control = match &mut self.control.socket {
            Socket::At(path) => Some(path),
            Socket::InDataFolder | Socket::Off => None,
        };
        let certificates =
            self.tls.values_mut().flat_map(Tls::files).chain(self.sip.tls.ca.as_mut());
        let keys = self.trunks.values_mut().filter_map(|trunk| trunk.stir.key.as_mut());
        let all = always.into_iter().chain(chosen.into_iter().flatten());
        let own = self.tenants.values_mut().filter_map(|tenant| tenant.dialplans.as_mut());
        let all = all.chain(certificates).chain(control).chain(keys).chain(recordings).chain(own);
        for path in all {
            *path = tidied(&folder.join(&*path));
        }
        let databases = self.databases.values_mut().chain(&mut self.storage.database);
        databases.for_each(|database| database.settle(|file| tidied(&folder.join(file))));
    }
}

impl Trunk {
    fn narrowest(&self, address: IpAddr) -> Option<u8> {
        self.sources().filter(|network| network.contains(address)).map(|it| it.prefix()).max()
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            name: "voxtrunk".to_owned(),
            data_dir: "../data".into(),
            dialplans: "../dialplans".into(),
            models: "../models".into(),
            language: Language::english(),
            country: Country::default(),
            timezone: zone_of_this_machine(),
            watch: true,
        }
    }
}

fn zone_of_this_machine() -> Zone {
    let zone = jiff::tz::TimeZone::system();
    zone.iana_name().and_then(|name| name.parse().ok()).unwrap_or_default()
}

impl Default for Sip {
    fn default() -> Self {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        Self {
            listen: vec![Listen::plain(Transport::Udp, bind)],
            external_address: None,
            local_networks: Vec::new(),
            options_reply: true,
            max_calls: 100,
            session_timers: SessionTimers::default(),
            session_expires: Duration::from_secs(1_800),
            session_min_se: Duration::from_secs(90),
            t1: Duration::from_millis(500),
            domain: None,
            registrar: Registering::default(),
            tcp_above: 1_300,
            name_servers: Vec::new(),
            tls: OpenedTls::default(),
        }
    }
}

impl Default for Rtp {
    fn default() -> Self {
        Self {
            ports: PortRange { first: 20_000, last: 20_999 },
            address: None,
            codecs: vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
            ptime: Duration::from_millis(20),
            comfort_noise: false,
            dtmf: None,
            srtp: Srtp::default(),
            srtp_suites: srtp::usual(),
            insecure_sdes: false,
            symmetric: true,
            timeout: Duration::from_secs(30),
            jitter: Jitter::default(),
        }
    }
}

/// The name by which the network is known, and its file.
const SILERO: &str = "silero-v5";
const SILERO_FILE: &str = "silero_vad.onnx";

impl Default for Jitter {
    fn default() -> Self {
        Self { min: Duration::ZERO, max: Duration::from_millis(200) }
    }
}

impl Default for Vad {
    fn default() -> Self {
        Self {
            detector: Detector::Kernel,
            model: SILERO_FILE.into(),
            threshold: 0.5,
            min_speech: Duration::from_millis(64),
            min_silence: Duration::from_millis(160),
            echo_gate: true,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        let month = Duration::from_secs(30 * 86_400);
        Self { transcripts: None, cdr: None, events: Some(month) }
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        match u32::deserialize(source)? {
            1 => Ok(Self),
            other => Err(de::Error::custom(format!(
                "this program knows version 1 of the settings, and these have version {other}"
            ))),
        }
    }
}

fn database<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Database>, D::Error> {
    let url = String::deserialize(source)?.into();
    Ok(Some(Database { url, password: None }))
}

fn external_address<'de, D: Deserializer<'de>>(source: D) -> Result<Option<IpAddr>, D::Error> {
    match String::deserialize(source)?.as_str() {
        "auto" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            de::Error::custom(format!("`{text}` is neither \"auto\" nor an IP address"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_begin_at_the_folder_of_the_file() {
        let mut server = Server::default();
        server.machine.data_dir = "/var/lib/voxtrunk".into();
        server.settle(Path::new("conf"));
        assert_eq!(server.machine.dialplans, Path::new("dialplans"));
        assert_eq!(server.vad_model(), Path::new("models/silero_vad.onnx"));
        assert_eq!(server.calls_folder(), Path::new("/var/lib/voxtrunk/calls"));
        assert_eq!(tidied(Path::new("../a/./b/../c")), Path::new("../a/c"));
        assert_eq!(tidied(Path::new("conf/..")), Path::new("."));
    }

    #[test]
    fn a_request_belongs_to_the_trunk_with_the_narrowest_range() {
        let trunk = |allow: &str| Trunk {
            inbound: Inbound { allow: vec![allow.parse().expect("a network")], auth: None },
            ..Trunk::default()
        };
        let by_host = Trunk { host: Some("192.0.2.1:5070".to_owned()), ..Trunk::default() };
        let trunks = [
            ("wide".to_owned(), trunk("10.0.0.0/8")),
            ("narrow".to_owned(), trunk("10.1.0.0/16")),
            ("host".to_owned(), by_host),
        ];
        let server = Server { trunks: trunks.into(), ..Server::default() };
        let name =
            |ip: &str| server.trunk_at(ip.parse().expect("an address")).map(|(name, _)| name);
        assert_eq!(name("10.2.0.1"), Some("wide"));
        assert_eq!(name("10.1.0.1"), Some("narrow"));
        assert_eq!(name("192.0.2.1"), Some("host"));
        assert_eq!(name("203.0.113.7"), None);
    }
}
