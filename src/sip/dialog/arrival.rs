//! A message that has arrived: checked, with the fields that every message must carry read once.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::state::{Dialog, DialogId};
use crate::sip::check::{self, Essentials, Fault};
use crate::sip::event::{Flow, Transport};
use crate::sip::header::Name;
use crate::sip::message::{CSeq, Message, StartLine};
use crate::sip::method::Method;
use crate::sip::registrar::Phone;
use crate::sip::transaction::key::Key;
use crate::sip::uri::{Host, Scheme, Uri};
use crate::sip::via::{Rport, Via};

/// A request or response and where it came from. A clone shares the octets.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The message.
    pub message: Message,
    /// Where it came from, and where its answer goes: the port is that of the Via when the peer
    /// asks for no other one (18.2.2).
    pub flow: Flow,
    /// The method in CSeq, of a request and of its response.
    pub method: Method,
    /// The number in CSeq.
    pub sequence: u32,
    /// The Call-ID.
    pub call_id: String,
    /// The tag in From; empty when there is none.
    pub from_tag: String,
    /// The tag in To; empty when there is none.
    pub to_tag: String,
    /// The phone that proved to have sent it.
    pub phone: Option<Arc<Phone>>,
    branch: String,
    sent_by: String,
}

/// What stays the same in a request that reaches us by two ways (RFC 3261 8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    call_id: String,
    from_tag: String,
    sequence: u32,
}

/// A message that lacks what every message must have.
#[derive(Debug)]
pub struct Unfit {
    /// What is wrong with it.
    pub fault: Fault,
    /// The message.
    pub message: Message,
}

impl Arrival {
    /// Checks a message and reads what must be in it.
    ///
    /// # Errors
    /// When something is missing or malformed that every message must have.
    pub fn read(message: Message, flow: Flow) -> Result<Self, Box<Unfit>> {
        match Head::read(&message) {
            Ok(head) => Ok(head.with(message, flow)),
            Err(fault) => Err(Box::new(Unfit { fault, message })),
        }
    }

    /// The name of the server transaction that a request belongs to.
    pub fn key(&self) -> Key {
        Key::server(&self.branch, &self.sent_by, self.method.as_str())
    }

    /// The name of the client transaction that a response belongs to.
    pub fn client_key(&self) -> Key {
        Key::client(&self.branch, self.method.as_str())
    }

    /// What stays the same in a request that reaches us by two ways.
    pub fn origin(&self) -> Origin {
        let (call_id, from_tag) = (self.call_id.clone(), self.from_tag.clone());
        Origin { call_id, from_tag, sequence: self.sequence }
    }

    /// The dialog that a request of the peer names.
    pub fn dialog_id_as_server(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.to_tag.clone(),
            remote_tag: self.from_tag.clone(),
        }
    }

    /// The dialog that a response to our request names.
    pub fn dialog_id_as_client(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.from_tag.clone(),
            remote_tag: self.to_tag.clone(),
        }
    }

    /// The dialog that our answer to this INVITE establishes with our tag (12.1.1).
    pub fn dialog_as_server(&self, tag: &str) -> Dialog {
        Dialog {
            id: DialogId { local_tag: tag.to_owned(), ..self.dialog_id_as_server() },
            local: format!("{};tag={tag}", self.text(Name::To).unwrap_or_default()),
            remote: self.text(Name::From).unwrap_or_default(),
            local_sequence: 0,
            remote_sequence: Some(self.sequence),
            routes: self.route_set(),
            target: self.target(Name::From),
            flow: self.flow,
        }
    }

    /// The dialog that this 2xx to our INVITE establishes (12.1.2), through the INVITE's flow.
    pub fn dialog_as_client(&self, flow: Flow) -> Dialog {
        let mut routes = self.route_set();
        routes.reverse();
        Dialog {
            id: self.dialog_id_as_client(),
            local: self.text(Name::From).unwrap_or_default(),
            remote: self.text(Name::To).unwrap_or_default(),
            local_sequence: self.sequence,
            remote_sequence: None,
            routes,
            target: self.target(Name::To),
            flow,
        }
    }

    /// Takes over the Contact of an offer within the dialog: a target refresh (12.2).
    pub fn refresh(&self, dialog: &mut Dialog) {
        if let Some(contact) = self.contact() {
            dialog.target = contact;
        }
    }

    /// Whether it asks for safety on the whole way: a `sips:` URI (RFC 3261 12.1.1).
    pub fn is_secure(&self) -> bool {
        self.message.request_uri().is_ok_and(|uri| uri.scheme() == Scheme::Sips)
    }

    /// Where a request is answered when its connection is gone: at the address in its Via, when
    /// that is the one it came from (18.2.2, T5). `now` is where the answer would have gone.
    pub fn answered_elsewhere(&self, now: Option<Flow>) -> Option<Flow> {
        let now = now?;
        let via = self.message.top_via().ok()?;
        let is_there = via.host().address() == Some(now.remote.ip());
        let is_dialled = matches!(now.transport, Transport::Tcp | Transport::Tls);
        let elsewhere = now.to_port(via.port().unwrap_or(now.transport.default_port()));
        (is_there && is_dialled && elsewhere != now).then_some(elsewhere)
    }

    /// The status of a response; 0 for a request.
    pub fn status(&self) -> u16 {
        self.message.status().unwrap_or_default()
    }

    /// The first header of that name as text.
    pub fn text(&self, name: Name) -> Option<String> {
        self.message.text(name).map(|text| text.into_owned())
    }

    /// The body.
    pub fn body(&self) -> Bytes {
        self.message.body()
    }

    /// Every header by name and value.
    pub fn headers(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        self.message.fields().map(|field| pair(field.name_text(), &field.text())).collect()
    }

    /// Whether it is an INVITE or UPDATE: a request that may carry an offer.
    pub fn makes_offer(&self) -> bool {
        matches!(self.method, Method::Invite | Method::Update)
    }

    /// Why a response refuses: the text of its Warning, its Reason, or its phrase.
    pub fn explanation(&self) -> String {
        let warning = self.text(Name::Warning).unwrap_or_default();
        let quoted = warning.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
        match (quoted, self.message.start_line()) {
            (Some((text, _)), _) => text.replace('\\', ""),
            (None, StartLine::Response { reason, .. }) => {
                self.text(Name::Reason).unwrap_or_else(|| reason.into_owned())
            }
            (None, StartLine::Request { .. }) => String::new(),
        }
    }

    /// The URI that a REFER asks us to call.
    pub fn refer_to(&self) -> Option<String> {
        self.message.refer_to().ok().map(|address| address.uri().as_str().to_owned())
    }

    fn route_set(&self) -> Vec<String> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.message.values(Name::RecordRoute).map(text).collect()
    }

    fn contact(&self) -> Option<String> {
        let contact = self.message.contacts().next()?.ok()?;
        Some(contact.uri().as_str().to_owned())
    }

    /// The peer's Contact. RFC 3261 demands one; for a peer without it, its address has to do.
    fn target(&self, otherwise: Name) -> String {
        let uri = |name| {
            let address = self.message.addresses(name).next()?.ok()?;
            Some(address.uri().as_str().to_owned())
        };
        self.contact().or_else(|| uri(otherwise)).unwrap_or_default()
    }
}

/// What is read out of a message before it is moved into its arrival.
struct Head {
    cseq: CSeq,
    /// Where the answer goes if not to the port that the request came from.
    reply: Option<Reply>,
    call_id: String,
    from_tag: String,
    to_tag: String,
    branch: String,
    sent_by: String,
}

impl Head {
    fn read(message: &Message) -> Result<Self, Fault> {
        let Essentials { via, from, to, call_id, cseq, .. } = check::read(message)?;
        let tag = |tag: Option<&str>| tag.unwrap_or_default().to_owned();
        let (from_tag, to_tag) = (tag(from.tag()), tag(to.tag()));
        let call_id = call_id.to_owned();
        let port = via.port().unwrap_or(DEFAULT_PORT);
        let sent_by = format!("{}:{port}", host_text(via.host()));
        // A peer of RFC 2543 has no branch that is unique by itself. What it repeats in the ACK and
        // CANCEL of an INVITE is unique together (17.2.3).
        let branch = via.unique_branch().map(str::to_owned).unwrap_or_else(|| {
            let branch = via.branch().unwrap_or_default();
            format!("{branch} {call_id} {from_tag} {}", cseq.number)
        });
        let reply = message.status().is_none().then(|| Reply::read(&via)).flatten();
        Ok(Self { cseq, reply, call_id, from_tag, to_tag, branch, sent_by })
    }

    fn with(self, message: Message, flow: Flow) -> Arrival {
        let Self { cseq: CSeq { number: sequence, method }, .. } = self;
        let flow = self.reply.map_or(flow, |reply| reply.flow(flow));
        let Self { call_id, from_tag, to_tag, branch, sent_by, .. } = self;
        let phone = None;
        Arrival {
            message,
            flow,
            method,
            sequence,
            call_id,
            from_tag,
            to_tag,
            phone,
            branch,
            sent_by,
        }
    }
}

impl Dialog {
    /// Where our next request goes: to the address that the dialog was established with. When the
    /// first route, or else the Contact, names another port of that very address, to that port.
    pub fn next_hop(&self) -> Flow {
        // A connection that is there is used, whoever opened it.
        if self.flow.transport.is_reliable() {
            return self.flow;
        }
        let route = self.routes.first().map(|route| inside_brackets(route));
        let Ok(uri) = Uri::parse(route.unwrap_or(&self.target)) else { return self.flow };
        let mut flow = self.flow;
        if uri.host() == Some(Host::Address(flow.remote.ip())) {
            flow.remote.set_port(uri.port().unwrap_or(DEFAULT_PORT));
        }
        flow
    }

    /// Whether the first route, or else the Contact, asks for TCP at the address that datagrams go
    /// to now.
    pub fn wants_tcp(&self) -> bool {
        let route = self.routes.first().map(|route| inside_brackets(route));
        let Ok(uri) = Uri::parse(route.unwrap_or(&self.target)) else { return false };
        let wish = uri.param("transport").flatten().and_then(Transport::from_text);
        self.flow.transport == Transport::Udp
            && wish == Some(Transport::Tcp)
            && uri.host() == Some(Host::Address(self.flow.remote.ip()))
    }

    /// Where the peer listens, for the time after its connection: the port in its Contact or route
    /// on its own address. Nowhere, when it is reached by its own connection only (RFC 7118 5).
    pub fn elsewhere(&self) -> Option<Flow> {
        let transport = self.flow.transport;
        if !matches!(transport, Transport::Tcp | Transport::Tls) {
            return None;
        }
        let route = self.routes.first().map(|route| inside_brackets(route));
        let uri = Uri::parse(route.unwrap_or(&self.target)).ok()?;
        Some(self.flow.to_port(uri.port().unwrap_or(transport.default_port())))
    }
}

/// Where a datagram is answered when its sender does not ask for `rport`.
#[derive(Debug, Clone, Copy)]
struct Reply {
    address: Option<IpAddr>,
    port: u16,
}

impl Reply {
    fn read(via: &Via<'_>) -> Option<Self> {
        let port = via.port().unwrap_or(DEFAULT_PORT);
        (via.rport() == Rport::Absent).then_some(Self { address: via.host().address(), port })
    }

    /// To the port in the Via (18.2.2), at the address that it came from in any case. Behind NAT
    /// nobody listens there: who writes another address than we see is answered where he is.
    fn flow(self, from: Flow) -> Flow {
        let is_there =
            self.address.is_none_or(|address| address == from.remote.ip().to_canonical());
        let is_datagram = from.transport == Transport::Udp;
        if is_there && is_datagram { from.to_port(self.port) } else { from }
    }
}

/// The port of SIP over datagrams when none is written.
const DEFAULT_PORT: u16 = 5060;

fn host_text(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => name.to_ascii_lowercase(),
        Host::Address(IpAddr::V4(address)) => address.to_string(),
        Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
    }
}

fn inside_brackets(route: &str) -> &str {
    let inside = route.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(route, |(uri, _)| uri)
}
