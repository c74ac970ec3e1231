//! An endpoint and a peer that writes its messages by hand.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::random::Random;
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::event::{Command, Event, Flow, Input, Outgoing, Output, SessionId, Standing};

pub const PEER: &str = "192.0.2.1:5060";
pub const STRANGER: &str = "198.51.100.66:5060";

/// A request as a peer writes it; the fields are what the cases vary.
#[derive(Debug, Clone)]
pub struct Text {
    pub method: &'static str,
    pub uri: String,
    pub version: &'static str,
    pub branch: String,
    pub from_tag: String,
    pub to_tag: Option<String>,
    pub call_id: String,
    pub sequence: u32,
    pub extra: String,
    pub body: String,
}

impl Text {
    pub fn new(method: &'static str) -> Self {
        Self {
            method,
            uri: "sip:desk@192.0.2.2".to_owned(),
            version: "SIP/2.0",
            branch: format!("z9hG4bK-{method}-1"),
            from_tag: "annstag".to_owned(),
            to_tag: None,
            call_id: "call-1@192.0.2.1".to_owned(),
            sequence: 1,
            extra: String::new(),
            body: String::new(),
        }
    }

    pub fn invite() -> Self {
        let mut text = Self::new("INVITE");
        text.extra =
            "Contact: <sip:ann@192.0.2.1:5060>\r\nContent-Type: application/sdp\r\n".into();
        text.body = "v=0\r\n".to_owned();
        text
    }

    pub fn extra(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self
    }

    pub fn branch(mut self, branch: &str) -> Self {
        self.branch = branch.to_owned();
        self
    }

    pub fn sequence(mut self, sequence: u32) -> Self {
        self.sequence = sequence;
        self
    }

    pub fn with_to_tag(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    pub fn write(&self) -> String {
        let Self { method, uri, version, branch, from_tag, call_id, sequence, extra, body, .. } =
            self;
        let to_tag = self.to_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        format!(
            "{method} {uri} {version}\r\n\
             Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\n\
             From: \"Ann\" <sip:ann@192.0.2.1>;tag={from_tag}\r\n\
             To: <sip:desk@192.0.2.2>{to_tag}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\n\
             Max-Forwards: 70\r\n\
             {extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// The endpoint under test, at 192.0.2.2:5060.
pub struct Raw {
    pub now: Instant,
    pub endpoint: Endpoint,
    pub events: Vec<Event>,
    pub notices: Vec<crate::sip::event::Notice>,
}

impl Raw {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let endpoint = Endpoint::new(settings, Random::repeatable(5));
        Self { now: Instant::now(), endpoint, events: Vec::new(), notices: Vec::new() }
    }

    /// Feeds a message of the trusted peer; tells what was sent because of it.
    pub fn receive(&mut self, text: &str) -> Vec<String> {
        self.receive_from(text, PEER, Standing::Trusted)
    }

    pub fn receive_from(&mut self, text: &str, from: &str, standing: Standing) -> Vec<String> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let flow = flow_from(from);
        self.endpoint.handle(self.now, Input::Received { bytes, flow, standing });
        self.drain(flow)
    }

    pub fn command(&mut self, command: Command) -> Vec<String> {
        self.command_for(command, PEER)
    }

    /// Orders something that is about somebody else than the peer.
    pub fn command_for(&mut self, command: Command, whom: &str) -> Vec<String> {
        self.endpoint.handle(self.now, Input::Command(command));
        self.drain(flow_from(whom))
    }

    /// Lets time pass; tells what was sent meanwhile.
    pub fn wait(&mut self, span: Duration) -> Vec<String> {
        self.wait_for(span, PEER)
    }

    /// Lets time pass; tells what somebody was sent meanwhile.
    pub fn wait_for(&mut self, span: Duration, whom: &str) -> Vec<String> {
        let until = self.now + span;
        let mut sent = Vec::new();
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.endpoint.tick(self.now);
            sent.extend(self.drain(flow_from(whom)));
        }
        self.now = until;
        sent
    }

    pub fn session(&self) -> SessionId {
        self.events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Incoming(incoming) => Some(incoming.session),
                _ => None,
            })
            .expect("a call has come in")
    }

    /// Lets the peer call, and answers; gives back our tag.
    pub fn connect(&mut self) -> String {
        self.receive(&Text::invite().write());
        let session = self.session();
        let body = Bytes::from_static(b"v=0\r\n");
        let sent = self.command(Command::Answer { session, body, headers: Vec::new() });
        let tag = to_tag(&sent[0]);
        self.receive(&Text::new("ACK").with_to_tag(&tag).branch("z9hG4bK-ack").write());
        assert!(matches!(self.events.last(), Some(Event::Confirmed { .. })));
        self.events.clear();
        tag
    }

    /// Calls the peer; gives back our INVITE.
    pub fn invite(&mut self, session: SessionId) -> String {
        self.invite_as(session, b"v=0\r\n", Vec::new())
    }

    pub fn invite_without_offer(&mut self, session: SessionId) -> String {
        self.invite_as(session, b"", Vec::new())
    }

    pub fn invite_with(&mut self, session: SessionId, headers: Vec<(String, String)>) -> String {
        self.invite_as(session, b"v=0\r\n", headers)
    }

    fn invite_as(
        &mut self,
        session: SessionId,
        body: &'static [u8],
        headers: Vec<(String, String)>,
    ) -> String {
        let outgoing = Outgoing {
            session,
            target: "sip:ann@192.0.2.1".to_owned(),
            from: "<sip:desk@192.0.2.2>".to_owned(),
            flow: flow_from(PEER),
            body: Bytes::from_static(body),
            headers,
        };
        self.command(Command::Invite(Box::new(outgoing))).remove(0)
    }

    fn drain(&mut self, expected: Flow) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { flow, bytes } => {
                    assert_eq!(flow, expected, "an answer goes to the packet's source");
                    sent.push(String::from_utf8(bytes.to_vec()).expect("our messages are text"));
                }
                Output::Event(event) => self.events.push(event),
                Output::Notice(notice) => self.notices.push(notice),
            }
        }
        sent
    }
}

pub fn flow_from(remote: &str) -> Flow {
    Flow::udp("192.0.2.2:5060".parse().expect("an address"), remote.parse().expect("an address"))
}

/// The value of the first header of that name.
pub fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split("\r\n\r\n").next()?.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The status of a response, or 0.
pub fn status(text: &str) -> u16 {
    text.strip_prefix("SIP/2.0 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

pub fn to_tag(text: &str) -> String {
    let to = header(text, "To").expect("To");
    to.split_once(";tag=").map(|(_, tag)| tag.to_owned()).unwrap_or_default()
}

/// A response of the peer to our request.
pub fn respond(request: &str, line: &str, tag: &str, extra: &str) -> String {
    let value = |name| header(request, name).expect("our requests are complete");
    let tag = if value("To").contains(";tag=") { String::new() } else { format!(";tag={tag}") };
    format!(
        "SIP/2.0 {line}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\n\
         CSeq: {}\r\n{extra}Content-Length: 0\r\n\r\n",
        value("Via"),
        value("From"),
        value("To"),
        value("Call-ID"),
        value("CSeq"),
    )
}
