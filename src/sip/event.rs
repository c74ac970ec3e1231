//! The vocabulary of the SIP room: what an endpoint is told and what it tells.
//!
//! An `Endpoint` is our pure user agent. It is fed datagrams and commands with the time, and gives
//! back datagrams and facts. A session is one dialog-forming INVITE, ours or theirs, from its first
//! message to its end; every session that began ends with exactly one `Event::Ended`.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::sip::account::Account;
use crate::sip::method::Method;

pub use crate::base::id::SessionId;
pub use crate::sip::flow::{Connection, Flow, Transport};
pub use crate::sip::notice::{Notice, Offence, Reach, SubscriptionId};

/// What admission thinks of the source of a datagram (T2, T3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The source is a trunk, or a peer that we called.
    Trusted,
    /// Somebody who may prove to be a phone: OPTIONS are answered, whatever else begins something
    /// is challenged statelessly.
    Guest,
    /// Nobody we know: OPTIONS may be answered statelessly, everything else is dropped in silence.
    Stranger,
    /// Nobody we know, and the operator wants strangers told: a stateless 403.
    Refused,
}

/// What an endpoint is fed.
#[derive(Debug, Clone)]
pub enum Input {
    /// A datagram arrived.
    Received {
        /// The octets as they came.
        bytes: Bytes,
        /// Where it came from.
        flow: Flow,
        /// What admission thinks of the source.
        standing: Standing,
    },
    /// The call's owner orders something.
    Command(Command),
    /// The connection of a stream is gone, or could not be had: what waits for an answer through
    /// it waits no longer, and what still goes there takes another one.
    ConnectionLost(Connection),
}

/// What the owner of a call orders. A command for a session that has ended is ignored: the fact of
/// the end is already on its way.
#[derive(Debug, Clone)]
pub enum Command {
    /// Calls somebody.
    Invite(Box<Outgoing>),
    /// Sends a request outside of any dialog; answered by `Event::Told`.
    Ask(Box<Asking>),
    /// Lets an account answer challenges to our requests in a session, ours or theirs, when they
    /// come from that peer (T6). Given before the INVITE, it holds until the session ends.
    Credentials {
        /// The session.
        session: SessionId,
        /// Who we are there.
        account: Arc<Account>,
        /// Who may ask.
        peer: IpAddr,
    },
    /// Gives up an INVITE to which nobody has said a word: the session ends at once as lost, and
    /// a late answer is hung up. Ignored as soon as there was a provisional answer.
    Forsake {
        /// The session.
        session: SessionId,
    },
    /// The server takes no more calls: OPTIONS outside of calls get 503 from now on.
    Drain,
    /// Sends a provisional answer (180, or 183 with a body) to an incoming INVITE. One with a body
    /// arrives for sure when the caller knows how (RFC 3262).
    Progress {
        /// The session.
        session: SessionId,
        /// 101 to 199.
        status: u16,
        /// A session description, if early media is to flow.
        body: Option<Bytes>,
    },
    /// Accepts an incoming INVITE with 200 and a session description, which is left out when it is
    /// an offer that a provisional answer made before and PRACK answered.
    Answer {
        /// The session.
        session: SessionId,
        /// The session description.
        body: Bytes,
        /// Further headers, by name and value.
        headers: Vec<(String, String)>,
    },
    /// Refuses an incoming INVITE.
    Refuse {
        /// The session.
        session: SessionId,
        /// How.
        refusal: Refusal,
    },
    /// Ends a session in whatever state it is: BYE when it is up, CANCEL while our INVITE rings,
    /// 487 or 480 while theirs does.
    HangUp {
        /// The session.
        session: SessionId,
        /// The Reason header's value (RFC 3326), such as `Q.850;cause=16;text="…"`.
        reason: Option<String>,
    },
    /// Sends an incoming call elsewhere: 302 with these URIs as Contact, the dearest first.
    Redirect {
        /// The session.
        session: SessionId,
        /// `sip:`, `sips:` or `tel:` URIs.
        targets: Vec<String>,
    },
    /// Offers another session description: by re-INVITE, or by UPDATE while the call is not
    /// answered. `Event::OfferAnswered` follows; an offer that meets one of the peer's is sent
    /// again by itself.
    Reoffer {
        /// The session.
        session: SessionId,
        /// The session description.
        body: Bytes,
    },
    /// Answers an offer that the peer made in its answer to our INVITE without one: the answer
    /// goes into the ACK, or into the PRACK of a provisional answer.
    AnswerOffer {
        /// The session.
        session: SessionId,
        /// The session description.
        body: Bytes,
    },
    /// Says something within a session: INFO or MESSAGE.
    Tell {
        /// The session.
        session: SessionId,
        /// What.
        note: Box<Note>,
    },
    /// Answers a re-INVITE that arrived as `Event::Reoffered`.
    AnswerReoffer {
        /// The session.
        session: SessionId,
        /// A session description, or how the offer is refused (488).
        answer: Result<Bytes, Refusal>,
    },
    /// Asks the peer to call `target` instead (REFER, RFC 3515).
    Refer {
        /// The session.
        session: SessionId,
        /// A `sip:` or `tel:` URI.
        target: String,
    },
    /// Asks the peer to take the place of us in another session of ours (RFC 3515, RFC 3891): the
    /// attended transfer.
    ReferToSession {
        /// The session.
        session: SessionId,
        /// The other session, which must be up.
        other: SessionId,
    },
    /// Answers a REFER that arrived as `Event::ReferReceived`, first with 202 and then by NOTIFY
    /// with the outcome, or refuses it.
    AnswerRefer {
        /// The session.
        session: SessionId,
        /// The status of the referred call for the NOTIFY (200: it worked), or a refusal.
        outcome: Result<u16, Refusal>,
    },
    /// Tells a subscriber how many messages wait for it, in the words of RFC 3842.
    Publish {
        /// The subscription.
        id: SubscriptionId,
        /// The words.
        body: Bytes,
    },
    /// Answers a MESSAGE that arrived as `Event::Texted`.
    AnswerText {
        /// The session that it came with.
        session: SessionId,
        /// 200 to 699.
        status: u16,
        /// Further headers, by name and value.
        headers: Vec<(String, String)>,
    },
}

/// What is said within a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How.
    pub kind: NoteKind,
    /// The Content-Type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// How something is said within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// INFO (RFC 6086): for machines, such as a key of the telephone.
    Info,
    /// MESSAGE (RFC 3428): for people.
    Message,
}

/// An INVITE to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The session's identity, chosen by the caller.
    pub session: SessionId,
    /// The Request-URI, also in To: `sip:agent@127.0.0.1:5060`.
    pub target: String,
    /// From as it shall stand, without a tag: `"Ann" <sip:ann@192.0.2.1>`.
    pub from: String,
    /// Through which of our sockets, and to where.
    pub flow: Flow,
    /// The session description offered; empty when the peer is to make the offer.
    pub body: Bytes,
    /// Further headers, by name and value. Those named Route lead the INVITE.
    pub headers: Vec<(String, String)>,
}

/// The identity of a request outside of any dialog, chosen by who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

impl AskId {
    /// The first one.
    pub const FIRST: Self = Self(0);
}

/// A request outside of any dialog.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Its identity.
    pub id: AskId,
    /// REGISTER, OPTIONS, MESSAGE and the like.
    pub method: Method,
    /// The Request-URI.
    pub target: String,
    /// From as it shall stand, without a tag.
    pub from: String,
    /// To as it shall stand.
    pub to: String,
    /// Through which of our sockets, and to where.
    pub flow: Flow,
    /// The values of Route, in order.
    pub routes: Vec<String>,
    /// How many hops it may go yet; 70 for one that begins here (RFC 3261 8.1.1.6).
    pub max_forwards: u8,
    /// The Contact, when there is to be one.
    pub contact: Option<OwnContact>,
    /// Call-ID and CSeq, when the request is one of a series (RFC 3261 10.2).
    pub series: Option<Series>,
    /// Further headers, by name and value.
    pub headers: Vec<(String, String)>,
    /// The type of the body, when there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
    /// Who answers a challenge.
    pub account: Option<Arc<Account>>,
}

/// A Contact of ours: the address is that of the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnContact {
    /// The user part.
    pub user: String,
    /// The parameters behind the address: `;expires=300`.
    pub params: String,
}

/// The place of a request among its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The Call-ID of all of them.
    pub call_id: String,
    /// The CSeq of this one; an answered challenge takes the next.
    pub sequence: u32,
}

/// How a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 300 to 699.
    pub status: u16,
    /// The Warning header.
    pub warning: Option<Warning>,
    /// Retry-After in seconds.
    pub retry_after: Option<u32>,
    /// A value of Reason (RFC 3326) beside the cause that follows from the status.
    pub reason: Option<String>,
}

/// A Warning header (RFC 3261 20.43).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The warning code: 300 to 399.
    pub code: u16,
    /// What a person at the other end should read.
    pub text: String,
}

impl Refusal {
    /// Refuses with a bare status.
    pub fn status(status: u16) -> Self {
        Self { status, warning: None, retry_after: None, reason: None }
    }
}

/// A request that asks for a new call, digested.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The session's identity, chosen by the endpoint.
    pub session: SessionId,
    /// Where it came from.
    pub flow: Flow,
    /// The name of the phone that proved to have sent it; then it is also the user that calls.
    pub phone: Option<Arc<str>>,
    /// The name of the trunk that proved to have sent it.
    pub trunk: Option<Arc<str>>,
    /// The Request-URI as it stands.
    pub request_uri: String,
    /// The user part of the Request-URI, unescaped: the number or extension called.
    pub called_user: String,
    /// The user part of the From URI, unescaped; empty when there is none.
    pub calling_user: String,
    /// The display name in From, unquoted.
    pub calling_name: Option<String>,
    /// The Call-ID header.
    pub sip_call_id: String,
    /// The User-Agent header.
    pub user_agent: Option<String>,
    /// Every header by name and value, in order, compact names written out.
    pub headers: Vec<(String, String)>,
    /// The session description offered; empty when the INVITE came without one.
    pub body: Bytes,
    /// The session that the caller wants to take the place of (RFC 3891): to be hung up when this
    /// one is answered.
    pub replaces: Option<SessionId>,
}

/// Who ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// We did.
    Us,
    /// The peer did.
    Peer,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// BYE, by whom and with which Reason header.
    Bye {
        /// Who sent it.
        by: Party,
        /// The Reason header's value.
        reason: Option<String>,
    },
    /// CANCEL before the answer.
    Cancelled {
        /// Who sent it.
        by: Party,
        /// The Reason header's value.
        reason: Option<String>,
    },
    /// A final answer of 300 or more, by whom.
    Refused {
        /// Who gave it.
        by: Party,
        /// The status code.
        status: u16,
        /// The text of the Warning, the Reason header's value, or the reason phrase.
        reason: Option<String>,
    },
    /// The peer stopped answering: no ACK or PRACK within 64·T1, no answer to INVITE or BYE, no
    /// refresh before the session timer ran out.
    Lost,
}

/// What an endpoint reports.
#[derive(Debug, Clone)]
pub enum Event {
    /// A new call arrived. A 100 has been sent.
    Incoming(Box<Incoming>),
    /// Our INVITE got a provisional answer above 100.
    Progressed {
        /// The session.
        session: SessionId,
        /// 101 to 199.
        status: u16,
        /// Early media, if offered. After an INVITE of ours without an offer it is one, to be
        /// answered by `Command::AnswerOffer`.
        body: Bytes,
        /// Where it came from.
        from: IpAddr,
    },
    /// Our INVITE was sent elsewhere (3xx); `Event::Ended` follows.
    Redirected {
        /// The session.
        session: SessionId,
        /// The URIs that may be called instead, the dearest first: `sip:`, `sips:` or `tel:`.
        targets: Vec<String>,
    },
    /// Our INVITE was accepted; the ACK has been sent.
    Answered {
        /// The session.
        session: SessionId,
        /// The session description.
        body: Bytes,
        /// Every header of the answer by name and value.
        headers: Vec<(String, String)>,
        /// Where it came from.
        from: IpAddr,
    },
    /// The ACK to our 200 arrived: the call is up. Comes again when the ACK of a re-INVITE brings
    /// a session description.
    Confirmed {
        /// The session.
        session: SessionId,
        /// A session description, when the INVITE had none.
        body: Bytes,
    },
    /// Our offer has its answer: that of `Command::Reoffer`, or one that went in a provisional
    /// answer to an INVITE without an offer. Comes unasked when a refresh of ours is answered
    /// otherwise than before.
    OfferAnswered {
        /// The session.
        session: SessionId,
        /// The session description, or the status that refuses ours: then what was agreed before
        /// stands. 491 says that both offered at once; the owner may offer again.
        outcome: Result<Bytes, u16>,
    },
    /// The peer sent a re-INVITE (or UPDATE) inside the session.
    Reoffered {
        /// The session.
        session: SessionId,
        /// The new offer; empty when it came without one.
        body: Bytes,
    },
    /// The peer asks us to call somebody else. Nothing is answered until `AnswerRefer`.
    ReferReceived {
        /// The session.
        session: SessionId,
        /// The URI in Refer-To, without headers.
        target: String,
        /// The value of Replaces for the INVITE to it: the call that it is to take the place of.
        replaces: Option<String>,
        /// Who asks (Referred-By, RFC 3892), as it stands.
        referred_by: Option<String>,
    },
    /// Our REFER moved: 202 accepted is `status: 100`, then what NOTIFY's sipfrag says; 300 and
    /// more is a failure, be it of the REFER itself or of the referred call.
    Referred {
        /// The session.
        session: SessionId,
        /// The status.
        status: u16,
    },
    /// A body arrived in an INFO (DTMF relay and the like).
    Info {
        /// The session.
        session: SessionId,
        /// The Content-Type.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// A MESSAGE arrived inside the session.
    Written {
        /// The session.
        session: SessionId,
        /// The Content-Type.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// A MESSAGE outside of any call (RFC 3428), read as an INVITE is. Its session is that one
    /// request: it ends with `Command::AnswerText`, or when its sender gave up.
    Texted(Box<Incoming>),
    /// Our request outside of any dialog has its final answer; 408 when nobody gave one.
    Told {
        /// Which request.
        id: AskId,
        /// 200 to 699.
        status: u16,
        /// Every header of the answer by name and value.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// The session is over; nothing more is said about it.
    Ended {
        /// The session.
        session: SessionId,
        /// How.
        ending: Ending,
    },
}

impl Command {
    /// The session that it is for.
    pub fn session_mut(&mut self) -> Option<&mut SessionId> {
        match self {
            Self::Invite(outgoing) => Some(&mut outgoing.session),
            Self::Ask(_) | Self::Publish { .. } | Self::Drain => None,
            Self::Credentials { session, .. }
            | Self::Forsake { session }
            | Self::Progress { session, .. }
            | Self::Answer { session, .. }
            | Self::Refuse { session, .. }
            | Self::HangUp { session, .. }
            | Self::AnswerReoffer { session, .. }
            | Self::Refer { session, .. }
            | Self::Redirect { session, .. }
            | Self::Reoffer { session, .. }
            | Self::AnswerOffer { session, .. }
            | Self::Tell { session, .. }
            | Self::AnswerText { session, .. }
            | Self::ReferToSession { session, .. }
            | Self::AnswerRefer { session, .. } => Some(session),
        }
    }
}

impl Event {
    /// The session that it is of.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Incoming(incoming) | Self::Texted(incoming) => Some(incoming.session),
            Self::Told { .. } => None,
            Self::Progressed { session, .. }
            | Self::Answered { session, .. }
            | Self::Confirmed { session, .. }
            | Self::Reoffered { session, .. }
            | Self::ReferReceived { session, .. }
            | Self::Referred { session, .. }
            | Self::Redirected { session, .. }
            | Self::OfferAnswered { session, .. }
            | Self::Written { session, .. }
            | Self::Info { session, .. }
            | Self::Ended { session, .. } => Some(*session),
        }
    }

    /// The same, to be changed.
    pub fn session_mut(&mut self) -> Option<&mut SessionId> {
        match self {
            Self::Incoming(incoming) | Self::Texted(incoming) => Some(&mut incoming.session),
            Self::Told { .. } => None,
            Self::Progressed { session, .. }
            | Self::Answered { session, .. }
            | Self::Confirmed { session, .. }
            | Self::Reoffered { session, .. }
            | Self::ReferReceived { session, .. }
            | Self::Referred { session, .. }
            | Self::Redirected { session, .. }
            | Self::OfferAnswered { session, .. }
            | Self::Written { session, .. }
            | Self::Info { session, .. }
            | Self::Ended { session, .. } => Some(session),
        }
    }
}

impl Event {
    /// A request that has its answer from ourselves.
    pub(super) fn untold(id: AskId, status: u16) -> Self {
        Self::Told { id, status, headers: Vec::new(), body: Bytes::new() }
    }
}

/// What an endpoint wants done.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send this datagram.
    Transmit {
        /// From which socket to where.
        flow: Flow,
        /// The octets.
        bytes: Bytes,
    },
    /// Tell the owner of the call.
    Event(Event),
    /// Tell whoever stands at the door.
    Notice(Notice),
}
