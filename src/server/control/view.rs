//! What operators are shown, in the shapes of the JSON that they get. Times are RFC 3339 in UTC,
//! spans are seconds or milliseconds as their names say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A list of things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The things.
    pub data: Vec<T>,
}

/// What a reading of the files again came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadView {
    /// What is new, changed or gone, and counts for calls that begin from now on.
    pub changed: Vec<ChangeView>,
    /// The keys that were changed too, and count when the server starts again.
    pub restart: Vec<String>,
    /// Whether this is only what would be changed.
    pub dry: bool,
}

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// What: `agents.reception`, or a file beside the dialplans.
    pub what: String,
    /// `added`, `changed` or `removed`.
    pub how: String,
}

/// One trunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrunkView {
    /// Its name.
    pub name: String,
    /// `up`, `down`, `unknown` before the first answer, or `inbound` when calls only come from it.
    pub state: String,
    /// Why it is down.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// How long that is.
    pub since_s: Option<u64>,
    /// Where its calls go.
    pub peer: Option<String>,
    /// How it is registered, if it is to be.
    pub registration: Option<RegistrationView>,
    /// How it answers OPTIONS, if it is asked.
    pub options: Option<OptionsView>,
    /// What it carries.
    pub calls: TrafficView,
    /// What it may carry.
    pub limits: LimitsView,
    /// The trunk that takes its calls when it is down.
    pub failover: Option<String>,
}

/// A registration of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegistrationView {
    /// `registered`, `registering`, `rejected`, `failed` or `unregistered`.
    pub state: String,
    /// The registrar that is used now.
    pub registrar: String,
    /// Since when it stands so.
    pub since: Option<String>,
    /// Until when the registrar knows us.
    pub expires_at: Option<String>,
    /// How long that is.
    pub expires_in_s: Option<u64>,
    /// For how long it was granted.
    pub granted_s: Option<u64>,
    /// In how many seconds the next REGISTER is sent.
    pub next_in_s: Option<u64>,
    /// The last refusal.
    pub refusal: Option<RefusalView>,
}

/// A REGISTER that did not work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RefusalView {
    /// The status; 408 is silence.
    pub status: u16,
    /// Its phrase.
    pub phrase: String,
    /// What it means.
    pub meaning: String,
    /// When.
    pub at: String,
    /// How long ago.
    pub ago_s: u64,
}

/// How a trunk answers OPTIONS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OptionsView {
    /// How often it is asked.
    pub every_s: f64,
    /// How many questions in a row have had no answer.
    pub misses: u32,
    /// The last answer; 408 is silence.
    pub status: Option<u16>,
    /// How long it took.
    pub after_ms: Option<f64>,
    /// How long ago it came.
    pub ago_s: Option<u64>,
}

/// The calls of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrafficView {
    /// Those that came in and are up.
    pub inbound: u64,
    /// Those that go out and are up, or ring.
    pub outbound: u64,
    /// All that came in.
    pub inbound_total: u64,
    /// All that were tried out.
    pub outbound_total: u64,
}

/// What a trunk may carry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct LimitsView {
    /// The most calls at once.
    pub max_calls: Option<u64>,
    /// The most new calls in a second.
    pub max_cps: Option<f64>,
}

/// What came of the test of a trunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    /// The trunk.
    pub trunk: String,
    /// Whether calls can go by it.
    pub works: bool,
    /// In one sentence.
    pub summary: String,
    /// What to look at, if it does not work.
    pub advice: Option<String>,
    /// Every request.
    pub steps: Vec<StepView>,
}

/// A request of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// OPTIONS or REGISTER.
    pub request: String,
    /// The SIP URI that it was to go to.
    pub to: String,
    /// The address that it went to; nothing, when the name leads to none.
    pub remote: Option<String>,
    /// The status; 408 is silence.
    pub status: u16,
    /// Its phrase.
    pub phrase: String,
    /// How long it took.
    pub after_ms: f64,
    /// Who answered (Server or User-Agent).
    pub by: Option<String>,
    /// What it said beside the status (Warning, Reason, Retry-After).
    pub remarks: Vec<String>,
    /// What it means.
    pub meaning: String,
}

/// One phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhoneView {
    /// Its name.
    pub name: String,
    /// Who has it.
    pub display: Option<String>,
    /// Where it can be reached; nowhere, when it is not registered.
    pub bindings: Vec<BindingView>,
}

/// A call that has begun here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OriginatedView {
    /// Its identity.
    pub id: String,
}

/// One place where a phone can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BindingView {
    /// The URI of its Contact.
    pub contact: String,
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    pub transport: String,
    /// Where its REGISTER came from.
    pub from: String,
    /// Its User-Agent.
    pub user_agent: Option<String>,
    /// The proxies between it and us.
    pub path: Vec<String>,
    /// How long ago it registered last.
    pub refreshed_s: u64,
    /// Until when it is registered.
    pub expires_at: String,
    /// How long that is.
    pub expires_in_s: u64,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallView {
    /// Its identity.
    pub id: String,
    /// `inbound`, or `outbound` when it is us who began it.
    pub direction: String,
    /// `ringing` or `in-progress`.
    pub status: String,
    /// What it is about: `dialling`, `agent`, `bridged`, `transferring` …
    pub doing: String,
    /// Who called.
    pub from: PartyView,
    /// Whom.
    pub to: PartyView,
    /// Which trunk it came by.
    pub trunk: Option<String>,
    /// Which phone it came from.
    pub phone: Option<String>,
    /// The route that took it.
    pub route: Option<String>,
    /// The agent that has the line.
    pub agent: Option<String>,
    /// The stream that has the line.
    #[serde(default)]
    pub stream: Option<String>,
    /// When it arrived.
    pub started_at: String,
    /// How long ago that was.
    pub age_ms: u64,
    /// After how long it was answered.
    pub answered_ms: Option<u64>,
    /// Whether it is recorded.
    pub recorded: bool,
    /// Whether nothing of what is said now is in the recording.
    #[serde(default)]
    pub recording_paused: bool,
    /// Whether an operator lets the caller's side wait, with music.
    #[serde(default)]
    pub on_hold: bool,
    /// The legs; the first is the caller's.
    pub legs: Vec<LegView>,
    /// What programs call it.
    #[serde(default)]
    pub name: Option<String>,
    /// What programs keep with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// Somebody at an end of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartyView {
    /// The number.
    pub number: String,
    /// The name.
    pub name: Option<String>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LegView {
    /// Whom we called there; nobody when it is the leg of the caller.
    pub to: Option<String>,
    /// `listen`, `whisper` or `barge`, when its peer oversees the call.
    #[serde(default)]
    pub role: Option<String>,
    /// `calling`, `ringing`, `early`, `answering`, `up`, `held`, `ending` or `over`.
    pub state: String,
    /// The trunk that carries it.
    pub trunk: Option<String>,
    /// The codec.
    pub codec: Option<String>,
    /// The peer's address of signalling.
    pub peer: Option<String>,
    /// Its User-Agent.
    pub user_agent: Option<String>,
    /// The Call-ID header.
    pub sip_call_id: Option<String>,
    /// When it began, since the call arrived.
    pub start_ms: u64,
    /// When it was answered, since the call arrived.
    pub answered_ms: Option<u64>,
    /// How well it was received so far: told every few seconds.
    #[serde(default)]
    pub quality: Option<QualityView>,
}

/// How well a leg is received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityView {
    /// The mean opinion score, 1.0 to 4.41, as the E-model estimates it.
    pub mos: Option<f64>,
    /// Packets that came.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// The same, of a hundred that were sent.
    pub loss_percent: f64,
    /// Interarrival jitter.
    pub jitter_ms: f64,
    /// Round-trip time, when the peer reports.
    pub round_trip_ms: Option<f64>,
}

/// A call that is being hung up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HungUpView {
    /// Its identity.
    pub id: String,
    /// The cause of Q.850.
    pub q850: u8,
}

/// A call whose caller was muted, or no longer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MutedView {
    /// Its identity.
    pub id: String,
    /// Whether nobody hears it.
    pub muted: bool,
}

/// A call whose caller's side waits, or no longer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldView {
    /// Its identity.
    pub id: String,
    /// Whether it waits, with music.
    pub on_hold: bool,
}

/// A call that is overseen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OverseenView {
    /// Its identity.
    pub id: String,
    /// `listen`, `whisper` or `barge`.
    pub role: String,
    /// Who does, or is called for it.
    pub phone: String,
    /// Whether that one was on the line before.
    pub on_the_line: bool,
}

/// A call whose near side is being sent somewhere; `call.transferred` and `call.transfer_failed` tell
/// what comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentView {
    /// Its identity.
    pub id: String,
    /// Where.
    pub to: String,
}

/// A call in which the agent is told to say something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToldView {
    /// Its identity.
    pub id: String,
    /// The agent.
    pub agent: String,
}

/// A call in which keys are pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PressedView {
    /// Its identity.
    pub id: String,
    /// How many.
    pub digits: usize,
}

/// A recording that is paused, or goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordingView {
    /// The identity of the call.
    pub id: String,
    /// Whether nothing of what is said now is in it.
    pub paused: bool,
}

/// One message on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageView {
    /// Counts up over all of them.
    pub number: u64,
    /// When, to the microsecond.
    pub at: String,
    /// The same, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// `in` or `out`.
    pub direction: String,
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    pub transport: String,
    /// Our address.
    pub local: String,
    /// The peer's address.
    pub remote: String,
    /// The trunk or the phone that is there.
    pub peer: Option<String>,
    /// What belongs together: the call, else the Call-ID.
    pub group: String,
    /// The Call-ID header.
    pub call_id: String,
    /// The address in From.
    pub from: String,
    /// The address in To.
    pub to: String,
    /// The method: that of a request, or of what is answered.
    pub method: String,
    /// The status of an answer.
    pub status: Option<u16>,
    /// The first line in brief: `INVITE`, `180 Ringing`.
    pub label: String,
    /// Whether it carries a session description.
    pub sdp: bool,
    /// How often it was sent before: 0 for the first time.
    pub repeat: u32,
    /// How many octets it has.
    pub octets: usize,
    /// The text, if it was wanted, without its secrets.
    pub raw: Option<String>,
}

/// How the server stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// The version of the program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub started_at: String,
    /// How long ago that was.
    pub uptime_s: u64,
    /// Where SIP is spoken.
    pub listens: Vec<String>,
    /// The calls.
    pub calls: CallsView,
    /// The trunks.
    pub trunks: TrunksView,
    /// The phones.
    pub phones: PhonesView,
    /// The door.
    pub door: DoorView,
    /// The signalling.
    pub sip: SipView,
    /// The media.
    pub media: MediaView,
    /// Memory in use, in octets.
    pub memory: Option<u64>,
}

/// The calls in sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallsView {
    /// Those that are up.
    pub active: u64,
    /// The most that may be.
    pub most: u64,
    /// Those that were taken since the beginning.
    pub taken: u64,
    /// Those that were refused behind the door: no room, or not the trunk's number.
    pub refused: u64,
}

/// The trunks in sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrunksView {
    /// Those by which calls can go.
    pub up: u64,
    /// Those by which they cannot.
    pub down: u64,
    /// All of them.
    pub total: u64,
}

/// The phones in sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhonesView {
    /// Those that can be reached.
    pub reachable: u64,
    /// Requests that were asked for a password.
    pub challenged: u64,
    /// Requests whose sender knew it.
    pub proved: u64,
}

/// What happened at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoorView {
    /// How often it stayed shut, by reason.
    pub turned_away: BTreeMap<String, u64>,
    /// Who is banned.
    pub banned: Vec<BanView>,
}

/// Somebody who is banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BanView {
    /// The address, or the network.
    pub source: String,
    /// For how long.
    pub for_s: u64,
}

/// The signalling in sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SipView {
    /// Sessions.
    pub sessions: u64,
    /// Transactions.
    pub transactions: u64,
    /// Connections.
    pub connections: u64,
    /// Messages that were of no use to anybody.
    pub dropped: u64,
    /// Messages that were sent again because nobody answered.
    pub resent: u64,
    /// Messages by kind.
    pub messages: Vec<MessagesView>,
    /// Messages that are kept for `sip trace`.
    pub traced: u64,
    /// Of how many octets.
    pub traced_octets: u64,
}

/// Messages of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagesView {
    /// `in` or `out`.
    pub direction: String,
    /// The method of a request, or `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The status of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How many.
    pub count: u64,
}

/// The media in sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaView {
    /// Open ports.
    pub ports: u64,
    /// How often a port was served later than 40 ms.
    pub late: u64,
    /// The worst lateness.
    pub worst_ms: f64,
    /// Frames that no listener took.
    pub unheard: u64,
    /// Facts that no call took.
    pub undelivered: u64,
    /// Frames that no recording took.
    #[serde(default)]
    pub unrecorded: u64,
}
