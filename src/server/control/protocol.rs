//! The protocol of the control socket: a JSON object a line. A request names its version, a number
//! of its own and what it asks; every answer repeats the number. Version 1 only grows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::destination::Mode;
use crate::base::id::CallId;

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The version of the protocol.
    pub v: u32,
    /// Chosen by who asks; repeated in the answers.
    #[serde(default)]
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", content = "with")]
pub enum Ask {
    /// How the server stands.
    #[serde(rename = "status")]
    Status,
    /// How every trunk stands.
    #[serde(rename = "trunk.list")]
    Trunks,
    /// How one stands.
    #[serde(rename = "trunk.show")]
    Trunk(Named),
    /// Whether one answers, and registers us.
    #[serde(rename = "trunk.test")]
    TestTrunk(Named),
    /// Where the phones are.
    #[serde(rename = "phone.list")]
    Phones,
    /// What calls have cost, and what they may.
    #[serde(rename = "usage")]
    Usage,
    /// How every queue stands.
    #[serde(rename = "queue.list")]
    Queues,
    /// A member takes no callers from now on, or takes them again.
    #[serde(rename = "queue.pause")]
    PauseMember(PauseMember),
    /// What begins by itself.
    #[serde(rename = "schedule.list")]
    Schedules,
    /// How every campaign stands.
    #[serde(rename = "campaign.list")]
    Campaigns,
    /// How one stands.
    #[serde(rename = "campaign.show")]
    Campaign(Named),
    /// One begins, pauses, goes on or stops.
    #[serde(rename = "campaign.order")]
    OrderCampaign(CampaignOrder),
    /// What came of the rows of one.
    #[serde(rename = "campaign.rows")]
    CampaignRows(RowsWanted),
    /// No campaign calls a number from now on.
    #[serde(rename = "campaign.dnc")]
    NoCalls(NoCalls),
    /// The calls that are up.
    #[serde(rename = "call.list")]
    Calls,
    /// One of them.
    #[serde(rename = "call.show")]
    Call(Identified),
    /// The record of one that ended.
    #[serde(rename = "call.record.show")]
    Ended(Identified),
    /// A call is to begin here.
    #[serde(rename = "call.originate")]
    Originate(Originate),
    /// One of them is to end.
    #[serde(rename = "call.hangup")]
    HangUp(HangUp),
    /// What the caller of one says is heard by nobody from now on, or is heard again.
    #[serde(rename = "call.mute")]
    Mute(Mute),
    /// The caller's side of one is to wait, with music, or is taken back.
    #[serde(rename = "call.hold")]
    Hold(Hold),
    /// Somebody is to oversee one of them, or to do so in another way.
    #[serde(rename = "call.oversee")]
    Oversee(Oversee),
    /// The caller's side of one of them is to be sent somewhere.
    #[serde(rename = "call.transfer")]
    Transfer(Transfer),
    /// The agent of one of them is to say something.
    #[serde(rename = "call.say")]
    Say(Say),
    /// Keys are to be pressed in one of them.
    #[serde(rename = "call.dtmf")]
    Press(Press),
    /// Nothing of what is said in one of them is to be recorded for a while, or everything again.
    #[serde(rename = "call.record")]
    Record(Record),
    /// Calls, those that are up and those that ended.
    #[serde(rename = "call.history")]
    History(Sought),
    /// What calls that ended come to.
    #[serde(rename = "analytics")]
    Analytics(Inquiry),
    /// Some records of calls that ended, written for others to read.
    #[serde(rename = "cdr.export")]
    Export(Extract),
    /// Who is told what happens.
    #[serde(rename = "webhook.list")]
    Webhooks,
    /// One of them is told something that did not happen.
    #[serde(rename = "webhook.test")]
    TestWebhook(Named),
    /// What one of them was told, or could not be told.
    #[serde(rename = "webhook.log")]
    WebhookLog(WebhookLog),
    /// One of them is to be told again.
    #[serde(rename = "webhook.replay")]
    Replay(Replay),
    /// What is said on the wire; a stream.
    #[serde(rename = "sip.trace")]
    Trace(Wish),
    /// What happens; a stream without end.
    #[serde(rename = "events")]
    Events,
    /// Calls that begin are to go by the files as they are now.
    #[serde(rename = "config.reload")]
    Reload(Reload),
}

/// A reading of the files again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reload {
    /// Whether it is only told what would be changed.
    pub dry: bool,
}

/// Which calls are looked for. Each word that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sought {
    /// `completed` and so on.
    pub status: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: Option<String>,
    /// An agent that spoke.
    pub agent: Option<String>,
    /// The trunk.
    pub trunk: Option<String>,
    /// The tenant whose call it was.
    pub tenant: Option<String>,
    /// Why it ended.
    pub cause: Option<String>,
    /// The number of the caller.
    pub from: Option<String>,
    /// The number that was called.
    pub to: Option<String>,
    /// It began then or later (RFC 3339).
    pub created_after: Option<String>,
    /// It began earlier.
    pub created_before: Option<String>,
    /// Words that were said.
    pub q: Option<String>,
    /// How many.
    pub limit: usize,
    /// Only those that began before this one.
    #[serde(skip)]
    pub behind: Option<CallId>,
}

impl Default for Sought {
    fn default() -> Self {
        Self {
            status: None,
            direction: None,
            agent: None,
            trunk: None,
            tenant: None,
            cause: None,
            from: None,
            to: None,
            created_after: None,
            created_before: None,
            q: None,
            limit: 50,
            behind: None,
        }
    }
}

/// What is to be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inquiry {
    /// By what: `agent`, `trunk`, `tenant`, `route`, `direction`, `hour`, `day`.
    pub by: Option<String>,
    /// By whose clock; without one, the server's.
    pub timezone: Option<String>,
    /// Which calls.
    pub sought: Sought,
}

/// Which records are wanted, and how they are to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extract {
    /// `csv`, `jsonl`, `asterisk` or `training`; with `parquet` what stands in a table comes as lines
    /// of JSON, and whoever asks makes the table.
    pub format: String,
    /// By whose clock times are written that name none; without one, the server's.
    pub timezone: Option<String>,
    /// Which calls; how many and from where on says `after`.
    pub sought: Sought,
    /// The last call that was looked at; nothing at the beginning.
    pub after: Option<String>,
}

/// What of a webhook is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookLog {
    /// Its name.
    pub name: String,
    /// `pending`, `delivered` or `dead`.
    #[serde(default)]
    pub state: Option<String>,
    /// How many events, the newest; 20 when nothing is said.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// What a webhook is to be told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its name.
    pub name: String,
    /// The event; without one, all that were given up.
    #[serde(default)]
    pub event: Option<String>,
}

/// A member of queues that rests, or works again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseMember {
    /// The name of a phone, or a destination as it stands in the files.
    pub member: String,
    /// Whether it takes no callers.
    pub paused: bool,
}

/// What an operator wants of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignOrder {
    /// Its name.
    pub name: String,
    /// What.
    pub action: Action,
}

/// What is done with a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It begins, or goes on with those who were not called yet.
    Start,
    /// It calls nobody for now.
    Pause,
    /// It goes on.
    Resume,
    /// It calls nobody any more.
    Stop,
}

/// Rows that are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsWanted {
    /// The name of the campaign.
    pub name: String,
    /// Only those behind this line of the file.
    #[serde(default)]
    pub after: u64,
    /// How many; at most 1000.
    pub limit: usize,
}

/// A number that nobody is to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoCalls {
    /// The number, in E.164.
    pub number: String,
}

/// Something by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// A call by its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identified {
    /// The identity, or the end of it, as long as no other ends so.
    pub id: String,
}

/// A call that is to begin here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Originate {
    /// Who is called: a number in E.164, or a destination such as `phone:101`.
    pub to: String,
    /// Where whoever answers comes to: `agent:NAME`, `flow:NAME` and so on.
    pub then: String,
    /// The number that is shown; without it, the trunk's.
    #[serde(default)]
    pub from: String,
    /// The name that is shown.
    #[serde(default)]
    pub name: Option<String>,
    /// What templates may name.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// How long it rings, in seconds.
    #[serde(default)]
    pub ring_s: Option<u64>,
    /// Whether it is found out who answers, and what follows: `true`, `"off"`, or a table as in the
    /// files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amd: Option<Value>,
    /// The span of another program in which it begins (W3C Trace Context).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A call that is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HangUp {
    /// The identity, or the end of it.
    pub id: String,
    /// The cause of Q.850: 1 to 127.
    #[serde(default = "ordinary")]
    pub q850: u8,
}

/// A call whose caller is muted, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// The identity, or the end of it.
    pub id: String,
    /// Whether nobody hears it.
    pub muted: bool,
}

/// A call whose caller's side is to wait, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The identity, or the end of it.
    pub id: String,
    /// Whether it waits.
    pub on_hold: bool,
}

/// A call that somebody is to oversee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oversee {
    /// The identity, or the end of it.
    pub id: String,
    /// How.
    pub role: Role,
    /// The name of a phone, or a destination such as `sip:boss@192.0.2.5`.
    pub phone: String,
}

/// How a call is overseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Heard by nobody.
    Listen,
    /// Heard by our side only.
    Whisper,
    /// Heard by all.
    Barge,
}

/// A call whose near side is to be sent somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The identity, or the end of it.
    pub id: String,
    /// A destination such as `queue:sales`, or the name of a phone.
    pub to: String,
    /// How it is brought there.
    #[serde(default)]
    pub mode: Mode,
    /// What whoever answers a warm transfer is told.
    #[serde(default)]
    pub brief: Option<String>,
}

/// Something that the agent of a call is to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// The identity, or the end of it.
    pub id: String,
    /// The words.
    pub text: String,
    /// Whether the call ends when they were heard.
    #[serde(default)]
    pub end: bool,
}

/// Keys that are to be pressed in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The identity, or the end of it.
    pub id: String,
    /// The keys: `0` to `9`, `*`, `#` and `A` to `D`.
    pub digits: String,
}

/// A recording that is to be paused, or to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The identity of the call, or the end of it.
    pub id: String,
    /// What is to be done.
    pub action: Taping,
}

/// What is to be done with a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taping {
    /// What is said from now on is silence in it.
    Pause,
    /// It goes on.
    Resume,
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Those of this call: its identity or a Call-ID, or the end of it.
    pub call: Option<String>,
    /// Those whose From has this in it.
    pub from: Option<String>,
    /// Those whose To has this in it.
    pub to: Option<String>,
    /// Those of calls that this trunk, or this phone, takes part in.
    pub trunk: Option<String>,
    /// Those of so many calls, the newest.
    pub last: Option<usize>,
    /// Not of calls only: also registrations and pings.
    pub all: bool,
    /// With the text of each message, without its secrets.
    pub raw: bool,
    /// And then those that are said from now on.
    pub follow: bool,
}

/// An answer, or a part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The version of the protocol.
    pub v: u32,
    /// The number of the request; 0 when it could not be read.
    pub id: u64,
    /// What is said.
    #[serde(flatten)]
    pub said: Said,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The whole answer.
    Result(Value),
    /// One thing of a stream.
    Item(Value),
    /// The end of a stream.
    End {
        /// How many things were left out, because who reads was too slow.
        missed: u64,
    },
    /// It does not work.
    Error(Fault),
}

/// Why something does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// For programs: one of [`FaultCode`].
    pub code: FaultCode,
    /// For people: what happened, and what to do.
    pub message: String,
}

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// It cannot be read.
    Malformed,
    /// It is longer than it may be.
    TooLong,
    /// The version is another one.
    Version,
    /// Who asks is not the user that the server runs as.
    Forbidden,
    /// Too many ask at once, or it took too long.
    Busy,
    /// There is no such thing.
    NotFound,
    /// Several things are meant.
    Ambiguous,
    /// It cannot be done with this one.
    Impossible,
    /// The files have mistakes; the message shows them as `voxtrunk check` does.
    Invalid,
}

impl Fault {
    /// A fault in words.
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Answer {
    /// An answer to the request of that number.
    pub fn new(id: u64, said: Said) -> Self {
        Self { v: VERSION, id, said }
    }
}

fn ordinary() -> u8 {
    16
}

/// The version that is spoken.
pub const VERSION: u32 = 1;

/// The longest request, in octets, its line end included.
pub const LONGEST_REQUEST: usize = 16 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_stand_on_one_line_as_they_are_documented() {
        let ask = Ask::Trunk(Named { name: "carrier".to_owned() });
        let request = Request { v: 1, id: 7, ask };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"v":1,"id":7,"ask":"trunk.show","with":{"name":"carrier"}}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        let bare: Request = serde_json::from_str(r#"{"v":1,"ask":"status"}"#).unwrap();
        assert_eq!(bare, Request { v: 1, id: 0, ask: Ask::Status });
        let wish: Request = serde_json::from_str(r#"{"v":1,"ask":"sip.trace","with":{}}"#).unwrap();
        assert_eq!(wish.ask, Ask::Trace(Wish::default()));
        let hangup = r#"{"v":1,"ask":"call.hangup","with":{"id":"call_x"}}"#;
        let hangup: Request = serde_json::from_str(hangup).unwrap();
        assert_eq!(hangup.ask, Ask::HangUp(HangUp { id: "call_x".to_owned(), q850: 16 }));
    }

    #[test]
    fn an_answer_says_one_thing() {
        let fault = Fault::new(FaultCode::NotFound, "there is no trunk `x`");
        let answer = Answer::new(3, Said::Error(fault));
        let text = serde_json::to_string(&answer).unwrap();
        let expected =
            r#"{"v":1,"id":3,"error":{"code":"not_found","message":"there is no trunk `x`"}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
        let end = Answer::new(3, Said::End { missed: 0 });
        assert_eq!(serde_json::to_string(&end).unwrap(), r#"{"v":1,"id":3,"end":{"missed":0}}"#);
    }
}
