//! What the endpoint writes: the headers that are its own, in answers and in requests.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::Endpoint;
use crate::sip::address::NameAddr;
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::session_timer;
use crate::sip::dialog::state::Dialog;
use crate::sip::event::{Flow, Outgoing, Refusal, Transport};
use crate::sip::header::Name;
use crate::sip::message::{Message, StartLine};
use crate::sip::method::Method;
use crate::sip::print::{Builder, ToTag};
use crate::sip::status::q850;
use crate::sip::transaction::key::Key;
use crate::sip::transaction::layer::{Datagram, TransactionId};
use crate::sip::uri::{Scheme, Uri};

/// The extensions that we support: reliable provisional answers (RFC 3262), a call in the place
/// of another one (RFC 3891), a REFER without NOTIFY (RFC 4488). Session timers if so set.
const EXTENSIONS: [&str; 3] = ["100rel", "replaces", "norefersub"];
/// The bodies that we read in INVITE and UPDATE.
pub(super) const SDP: &str = "application/sdp";

impl Endpoint {
    /// Begins an answer; `tag` goes to To where the request has none.
    pub(super) fn response(&self, request: &Arrival, status: u16, tag: &str) -> Builder {
        let tag = if tag.is_empty() { ToTag::AsReceived } else { ToTag::Added(tag) };
        let builder = Builder::answer(&request.message, status, request.flow.remote, tag);
        if status == 100 {
            // RFC 3261 8.2.6.1: so that the client can estimate the round trip.
            return builder.copy(&request.message, Name::Timestamp);
        }
        builder.header("Server", &self.settings.user_agent)
    }

    /// The extensions that we support.
    pub(super) fn extensions(&self) -> String {
        let timer = self.settings.session_timers.is_supported().then_some(session_timer::EXTENSION);
        timer.into_iter().chain(EXTENSIONS).collect::<Vec<_>>().join(", ")
    }

    /// Whether we support an extension.
    pub(super) fn supports(&self, token: &str) -> bool {
        self.extensions().split(", ").any(|known| known.eq_ignore_ascii_case(token))
    }

    /// Begins a 200 to an INVITE or UPDATE.
    pub(super) fn accepting(&self, request: &Arrival, tag: &str) -> Builder {
        self.response(request, 200, tag)
            .header("Contact", &self.contact_towards(request))
            .header("Allow", &self.allowed())
            .header("Supported", &self.extensions())
    }

    /// Writes a refusal with its Warning and Retry-After.
    pub(super) fn refusal(&self, request: &Arrival, refusal: &Refusal, tag: &str) -> Bytes {
        let mut answer = self.response(request, refusal.status, tag);
        if let Some(warning) = &refusal.warning {
            let text = warning.text.replace(['"', '\\'], "'");
            let agent = self.sent_by(request.flow);
            answer = answer.header("Warning", &format!("{} {agent} \"{text}\"", warning.code));
        }
        if let Some(cause) = q850(refusal.status).filter(|_| request.method == Method::Invite) {
            // RFC 6432: for gateways, which know more causes than SIP has statuses.
            answer = answer.header("Reason", &format!("Q.850;cause={cause}"));
        }
        if let Some(reason) = &refusal.reason {
            answer = answer.header("Reason", reason);
        }
        if let Some(seconds) = refusal.retry_after {
            answer = answer.header("Retry-After", &seconds.to_string());
        }
        answer.finish()
    }

    /// Adds what a 200 to OPTIONS tells (11.2).
    pub(super) fn described(&self, answer: Builder) -> Builder {
        answer
            .header("Allow", &self.allowed())
            .header("Accept", SDP)
            .header("Supported", &self.extensions())
    }

    /// Sends an answer by its transaction, unless that has had its final one.
    pub(super) fn answer(
        &mut self,
        transaction: TransactionId,
        status: u16,
        answer: Bytes,
        now: Instant,
    ) -> Option<Datagram> {
        let datagram = self.layer.respond(transaction, status, answer, now)?;
        self.send(datagram.clone());
        Some(datagram)
    }

    /// Begins a request inside a dialog (12.2.1.1). Strict routers of RFC 2543 are not served.
    pub(super) fn request_inside(
        &mut self,
        dialog: &mut Dialog,
        method: &Method,
    ) -> (Builder, Key) {
        let sequence = dialog.next_sequence();
        let branch = self.branch();
        let key = Key::client(&branch, method.as_str());
        let builder = self.inside_as(dialog, method, sequence, &branch);
        (builder.header("User-Agent", &self.settings.user_agent), key)
    }

    /// Writes the ACK of a 2xx to an INVITE with that CSeq in `dialog`: the dialog's, not the
    /// transaction's. The body answers an offer of the 2xx.
    pub(super) fn acknowledgement(
        &mut self,
        dialog: &Dialog,
        sequence: u32,
        body: &Bytes,
    ) -> Datagram {
        let branch = self.branch();
        let ack = self.inside_as(dialog, &Method::Ack, sequence, &branch);
        Datagram { flow: dialog.next_hop(), bytes: self.with_sdp(ack, body, dialog.flow) }
    }

    fn inside_as(&self, dialog: &Dialog, method: &Method, sequence: u32, branch: &str) -> Builder {
        let mut builder = Builder::request(method, &dialog.target)
            .header("Via", &self.via(dialog.flow, branch))
            .header("Max-Forwards", "70");
        for route in &dialog.routes {
            builder = builder.header("Route", route);
        }
        builder
            .header("From", &dialog.local)
            .header("To", &dialog.remote)
            .header("Call-ID", &dialog.id.call_id)
            .header("CSeq", &format!("{sequence} {method}"))
    }

    /// Writes our INVITE; `None` when its target or From is no address.
    pub(super) fn invite(&mut self, outgoing: &Outgoing, branch: &str) -> Option<Bytes> {
        let target = &outgoing.target;
        let from = NameAddr::parse(outgoing.from.as_bytes()).filter(|from| from.tag().is_none())?;
        if !is_callable(target) || !is_callable(from.uri().as_str()) {
            return None;
        }
        let (tag, call_id) = (self.random.token(20), self.random.token(24));
        let mut invite = Builder::request(&Method::Invite, target)
            .header("Via", &self.via(outgoing.flow, branch))
            .header("Max-Forwards", "70");
        let is_route = |name: &str| name.eq_ignore_ascii_case("route");
        for (_, route) in outgoing.headers.iter().filter(|(name, _)| is_route(name)) {
            invite = invite.header("Route", route);
        }
        let mut invite = invite
            .header("From", &format!("{};tag={tag}", outgoing.from))
            .header("To", &format!("<{target}>"))
            .header("Call-ID", &call_id)
            .header("CSeq", "1 INVITE")
            .header("Contact", &self.contact_for(target, outgoing.flow))
            .header("Allow", &self.allowed())
            .header("Supported", &self.extensions())
            .header("User-Agent", &self.settings.user_agent)
            .extra_headers(&outgoing.headers);
        let policy = self.settings.session_timers;
        if let Some(interval) = policy.asked() {
            invite = invite
                .header("Session-Expires", &interval.as_secs().to_string())
                .header("Min-SE", &policy.least.as_secs().to_string());
        }
        for extension in self.demands(outgoing) {
            invite = invite.header("Require", extension);
        }
        Some(self.with_sdp(invite, &outgoing.body, outgoing.flow))
    }

    /// The extensions without which our INVITE makes no sense.
    fn demands(&self, outgoing: &Outgoing) -> Vec<&'static str> {
        let replaces = outgoing.headers.iter().any(|(name, _)| is(name, Name::Replaces));
        let timer = self.settings.session_timers.mode == session_timer::Mode::Require;
        let replaces = replaces.then_some("replaces");
        replaces.into_iter().chain(timer.then_some(session_timer::EXTENSION)).collect()
    }

    pub(super) fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.random.token(20))
    }

    pub(super) fn contact(&self, flow: Flow) -> String {
        self.contact_as(&self.settings.contact_user, flow)
    }

    /// Our address with a user part of somebody's choice.
    pub(super) fn contact_as(&self, user: &str, flow: Flow) -> String {
        format!("<sip:{user}@{}{}>", self.sent_by(flow), flow.transport.uri_param())
    }

    /// Our address for somebody whose own is `target`: as safe as that (8.1.1.8, 12.1.1).
    pub(super) fn contact_for(&self, target: &str, flow: Flow) -> String {
        if is_secure(target) { self.secure_contact(flow) } else { self.contact(flow) }
    }

    /// Our address in an answer.
    pub(super) fn contact_towards(&self, request: &Arrival) -> String {
        let flow = request.flow;
        if request.is_secure() { self.secure_contact(flow) } else { self.contact(flow) }
    }

    fn secure_contact(&self, flow: Flow) -> String {
        // `transport=tls` would say it twice (26.2.2).
        let param = match flow.transport {
            Transport::Ws | Transport::Wss => flow.transport.uri_param(),
            Transport::Udp | Transport::Tcp | Transport::Tls => "",
        };
        format!("<sips:{}@{}{param}>", self.settings.contact_user, self.sent_by(flow))
    }

    pub(super) fn allowed(&self) -> String {
        let names: Vec<&str> = self.settings.methods.iter().map(Method::as_str).collect();
        names.join(", ")
    }

    pub(super) fn via(&self, flow: Flow, branch: &str) -> String {
        // `alias`: the peer may use our connection for its own requests (RFC 5923).
        let alias = match flow.transport {
            Transport::Tcp | Transport::Tls => ";alias",
            Transport::Udp | Transport::Ws | Transport::Wss => "",
        };
        format!("{};branch={branch};rport{alias}", self.sent_with(flow))
    }

    /// How a Via begins that is sent through a flow.
    pub(super) fn sent_with(&self, flow: Flow) -> String {
        format!("SIP/2.0/{} {}", flow.transport.name(), self.sent_by(flow))
    }

    fn sent_by(&self, flow: Flow) -> SocketAddr {
        self.settings.vantage.of(flow.local, flow.remote.ip())
    }

    /// Ends a message that leaves through `flow` with a session description, if there is one: it
    /// names the address by which the peer there sees us.
    pub(super) fn with_sdp(&self, message: Builder, body: &Bytes, flow: Flow) -> Bytes {
        if body.is_empty() {
            return message.finish();
        }
        let retold = self.settings.vantage.retold(body, flow.remote.ip());
        message.finish_with(SDP, retold.as_deref().unwrap_or(body))
    }
}

/// Writes the ACK of a refusal, hop by hop: of our INVITE but for To, which the refusal has
/// completed (17.1.1.3).
pub(super) fn refusal_ack(invite: &Bytes, refusal: &Message) -> Option<Bytes> {
    let invite = Message::parse_datagram(invite).ok()?;
    let ack = beside(&invite, &Method::Ack)?.copy(refusal, Name::To);
    Some(ack.finish())
}

/// Writes the CANCEL of our INVITE: the same in all that identifies it, so To has no tag (9.1).
pub(super) fn cancellation(invite: &Bytes, reason: Option<&str>) -> Option<(Bytes, Key)> {
    let invite = Message::parse_datagram(invite).ok()?;
    let key = Key::client(invite.top_via().ok()?.branch()?, "CANCEL");
    let mut cancel = beside(&invite, &Method::Cancel)?.copy(&invite, Name::To);
    if let Some(reason) = reason {
        cancel = cancel.header("Reason", reason);
    }
    Some((cancel.finish(), key))
}

fn beside(invite: &Message, method: &Method) -> Option<Builder> {
    let StartLine::Request { uri, .. } = invite.start_line() else { return None };
    let sequence = invite.cseq().ok()?.number;
    let builder = Builder::request(method, uri)
        .copy(invite, Name::Via)
        .copy(invite, Name::Route)
        .header("Max-Forwards", "70")
        .copy(invite, Name::From)
        .copy(invite, Name::CallId)
        .header("CSeq", &format!("{sequence} {method}"));
    Some(builder)
}

/// Whether a text is the name of that header.
fn is(text: &str, name: Name) -> bool {
    Name::from_text(text.trim().as_bytes()) == name
}

/// Whether a URI asks for safety on the whole way.
pub(super) fn is_secure(uri: &str) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.scheme() == Scheme::Sips)
}

/// Whether a text is a URI that SIP can call.
pub(super) fn is_callable(text: &str) -> bool {
    let is_plain = !text.contains(['<', '>', '"', ',', ' ']);
    is_plain
        && Uri::parse(text)
            .is_ok_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel))
}
