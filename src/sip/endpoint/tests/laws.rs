//! Laws that hold for whatever arrives in whatever order.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::link::invite;
use super::raw::{PEER, Raw, STRANGER, Text, flow_from, header, respond, to_tag};
use crate::base::random::Random;
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::event::{
    Command, Event, Input, Note, NoteKind, Outgoing, Output, Refusal, SessionId, Standing,
};

/// One thing that happens to the endpoint.
#[derive(Debug, Clone)]
enum Happening {
    /// A request, by its method's number, dialog, sequence, branch and whether it knows our tag.
    Request {
        method: usize,
        dialog: u8,
        sequence: u32,
        branch: u8,
        knows: bool,
        says: usize,
    },
    /// A response to one of our requests, by number.
    Response {
        status: u16,
        request: usize,
        tag: u8,
        says: usize,
    },
    /// One of our own requests comes back, or any octets.
    Echo(usize),
    Octets(Vec<u8>),
    Command {
        kind: u8,
        session: u64,
    },
    Stranger {
        method: usize,
    },
    Wait(u32),
}

const METHODS: [&str; 11] = [
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "REFER", "NOTIFY", "MESSAGE",
    "PRACK",
];

/// What a peer may say of itself, by number.
const TRAITS: [&str; 6] = [
    "",
    "Supported: 100rel, timer\r\nAllow: UPDATE\r\n",
    "Require: 100rel\r\nSupported: timer\r\nSession-Expires: 100\r\n",
    "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: UPDATE\r\n",
    "Supported: timer\r\nSession-Expires: 30\r\n",
    "Replaces: call-0;to-tag=x;from-tag=annstag\r\nMin-SE: 200\r\n",
];

/// What a peer may say in an answer, by number.
const ANSWERS: [&str; 6] = [
    "",
    "Require: 100rel\r\nRSeq: 1\r\nAllow: UPDATE\r\n",
    "Require: 100rel\r\nRSeq: 2\r\n",
    "Session-Expires: 90;refresher=uac\r\nAllow: UPDATE\r\n",
    "Session-Expires: 90;refresher=uas\r\n",
    "Min-SE: 300\r\nRetry-After: 1\r\n",
];

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..METHODS.len(), 0..3_u8, 1..6_u32, 0..6_u8, any::<bool>(), 0..TRAITS.len())
            .prop_map(|(method, dialog, sequence, branch, knows, says)| {
                Happening::Request { method, dialog, sequence, branch, knows, says }
            }),
        6 => (statuses(), any::<usize>(), 0..3_u8, 0..ANSWERS.len()).prop_map(
            |(status, request, tag, says)| Happening::Response { status, request, tag, says }
        ),
        1 => any::<usize>().prop_map(Happening::Echo),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Happening::Octets),
        6 => (0..17_u8, 0..4_u64).prop_map(|(kind, session)| Happening::Command { kind, session }),
        1 => (0..METHODS.len()).prop_map(|method| Happening::Stranger { method }),
        3 => (0..40_000_u32).prop_map(Happening::Wait),
    ]
}

/// Any status, and often those that mean something.
fn statuses() -> impl Strategy<Value = u16> {
    let known = [100, 180, 183, 199, 200, 302, 401, 408, 422, 481, 487, 488, 491, 500];
    prop_oneof![prop::sample::select(known.to_vec()), 100..700_u16]
}

/// An endpoint to which things happen, and everything it said.
struct World {
    endpoint: Endpoint,
    now: Instant,
    requests: Vec<String>,
    tags: Vec<String>,
    rseqs: Vec<String>,
    sessions: Vec<SessionId>,
    said: Vec<String>,
    began: Vec<SessionId>,
    ended: Vec<SessionId>,
}

impl World {
    fn new(now: Instant) -> Self {
        Self {
            endpoint: Endpoint::new(Settings::default(), Random::repeatable(9)),
            now,
            requests: Vec::new(),
            tags: Vec::new(),
            rseqs: Vec::new(),
            sessions: Vec::new(),
            said: Vec::new(),
            began: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn live(&mut self, happening: &Happening) {
        match happening {
            Happening::Request { method, dialog, sequence, branch, knows, says } => {
                let mut text = Text::new(METHODS[*method])
                    .sequence(*sequence)
                    .branch(&format!("z9hG4bK-{dialog}-{branch}"));
                if METHODS[*method] == "INVITE" {
                    text = text.extra("Contact: <sip:ann@192.0.2.1:5060>\r\n");
                }
                text.call_id = format!("call-{dialog}");
                if *knows {
                    text.to_tag = self.tags.get(usize::from(*dialog)).cloned();
                }
                text = text.extra("Refer-To: <sip:x@192.0.2.3>\r\nEvent: refer\r\n");
                text = text.extra("Content-Type: application/sdp\r\n").extra(TRAITS[*says]);
                if let Some(rseq) = self.rseqs.get(usize::from(*branch)) {
                    text = text.extra(&format!("RAck: {rseq} {dialog} INVITE\r\n"));
                }
                if says % 2 == 1 {
                    text.body = "v=0\r\n".to_owned();
                }
                self.receive(text.write().into(), PEER, Standing::Trusted);
            }
            Happening::Response { status, request, tag, says } => {
                let Some(request) = pick(&self.requests, *request) else { return };
                let said = ANSWERS[*says];
                let contact = format!("Contact: <sip:t{tag}@192.0.2.1>\r\n{said}");
                let text = respond(request, &format!("{status} X"), &format!("t{tag}"), &contact);
                self.receive(text.into(), PEER, Standing::Trusted);
            }
            Happening::Echo(request) => {
                let Some(request) = pick(&self.requests, *request).cloned() else { return };
                self.receive(request.into(), PEER, Standing::Trusted);
            }
            Happening::Octets(octets) => {
                self.receive(octets.clone().into(), PEER, Standing::Trusted);
            }
            Happening::Stranger { method } => {
                let text = Text::new(METHODS[*method]).write();
                self.receive(text.into(), STRANGER, Standing::Stranger);
            }
            Happening::Command { kind, session } => self.order(*kind, *session),
            Happening::Wait(millis) => self.wait(Duration::from_millis(u64::from(*millis))),
        }
    }

    fn order(&mut self, kind: u8, number: u64) {
        let session = match number {
            0 => SessionId(1),
            1 => SessionId(2),
            _ => pick(&self.sessions, number as usize).copied().unwrap_or(SessionId(1)),
        };
        let body = Bytes::from_static(b"v=0\r\n");
        let refused = Refusal::status(486);
        let command = match kind {
            0 | 1 => {
                let Command::Invite(outgoing) = invite(session) else { return };
                let mut outgoing: Outgoing = *outgoing;
                outgoing.flow = flow_from(PEER);
                if kind == 1 {
                    outgoing.body = Bytes::new();
                }
                let lives = |list: &[SessionId]| list.iter().filter(|id| **id == session).count();
                if lives(&self.began) == lives(&self.ended) {
                    self.began.push(session);
                }
                Command::Invite(Box::new(outgoing))
            }
            2 => Command::Progress { session, status: 183, body: Some(body) },
            3 | 4 => Command::Answer { session, body, headers: Vec::new() },
            5 => Command::Refuse { session, refusal: refused },
            6 => Command::HangUp { session, reason: Some("Q.850;cause=16".to_owned()) },
            7 | 10 => Command::AnswerReoffer { session, answer: Ok(body) },
            8 => Command::Refer { session, target: "sip:x@192.0.2.3".to_owned() },
            11 => Command::Reoffer { session, body },
            12 => Command::AnswerOffer { session, body },
            13 => Command::ReferToSession { session, other: SessionId(2) },
            14 => {
                let content_type = "text/plain".to_owned();
                let note = Note { kind: NoteKind::Message, content_type, body };
                Command::Tell { session, note: Box::new(note) }
            }
            15 => Command::Redirect { session, targets: vec!["sip:x@192.0.2.3".to_owned()] },
            16 => Command::AnswerText { session, status: 200, headers: Vec::new() },
            _ => Command::AnswerRefer { session, outcome: Ok(200) },
        };
        self.endpoint.handle(self.now, Input::Command(command));
        self.drain();
    }

    fn receive(&mut self, bytes: Bytes, from: &str, standing: Standing) {
        let input = Input::Received { bytes, flow: flow_from(from), standing };
        self.endpoint.handle(self.now, input);
        self.drain();
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = at;
            self.endpoint.tick(at);
            self.drain();
            assert!(self.endpoint.deadline().is_none_or(|due| due > at), "a past deadline");
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { bytes, flow } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if !text.starts_with("SIP/2.0") {
                        self.requests.push(text.clone());
                    } else if text.contains("To: <sip:desk@192.0.2.2>;tag=") {
                        self.tags.push(to_tag(&text));
                    }
                    self.rseqs.extend(header(&text, "RSeq").map(str::to_owned));
                    self.said.push(format!("{flow:?} {text}"));
                }
                Output::Event(event) => {
                    match &event {
                        Event::Incoming(incoming) => {
                            self.sessions.push(incoming.session);
                            self.began.push(incoming.session);
                        }
                        Event::Ended { session, .. } => self.ended.push(*session),
                        _ => {}
                    }
                    self.said.push(format!("{event:?}"));
                }
                Output::Notice(notice) => self.said.push(format!("{notice:?}")),
            }
        }
    }

    /// Hangs everything up and waits until nothing is left.
    fn close(&mut self) {
        for session in self.began.clone() {
            let command = Command::HangUp { session, reason: None };
            self.endpoint.handle(self.now, Input::Command(command));
            self.drain();
        }
        self.wait(Duration::from_secs(400));
    }
}

fn pick<T>(list: &[T], number: usize) -> Option<&T> {
    list.get(number.checked_rem(list.len())?)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_panics_and_everything_ends_once(
        happenings in prop::collection::vec(happening(), 0..80)
    ) {
        let now = Instant::now();
        let (mut one, mut two) = (World::new(now), World::new(now));
        for happening in &happenings {
            one.live(happening);
            two.live(happening);
        }
        one.close();
        two.close();
        prop_assert_eq!(&one.said, &two.said, "the same seed tells the same story");
        prop_assert!(one.endpoint.is_idle(), "something is left behind");
        one.began.sort();
        one.ended.sort();
        prop_assert_eq!(&one.began, &one.ended, "every session ends once");
    }

    #[test]
    fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut raw = Raw::new();
        let text = String::from_utf8_lossy(&octets).into_owned();
        raw.receive(&text);
        prop_assert!(raw.endpoint.is_idle());
    }

    #[test]
    fn a_message_with_one_octet_changed_is_survived(at in 0..400_usize, octet in any::<u8>()) {
        let mut raw = Raw::new();
        let mut octets = Text::invite().write().into_bytes();
        if let Some(place) = octets.get_mut(at) {
            *place = octet;
        }
        let bytes = Bytes::from(octets);
        let (flow, standing) = (flow_from(PEER), Standing::Trusted);
        raw.endpoint.handle(raw.now, Input::Received { bytes, flow, standing });
        while raw.endpoint.poll().is_some() {}
    }
}

#[test]
fn ten_thousand_calls_leave_nothing_behind() {
    let settings = Settings { max_half_open_per_source: 20_000, ..Settings::default() };
    let mut raw =
        Raw::with(Settings { max_sessions: 20_000, max_transactions: 50_000, ..settings });
    for number in 0..10_000 {
        let mut text = Text::invite().branch(&format!("z9hG4bK-{number}"));
        text.call_id = format!("call-{number}");
        raw.receive(&text.write());
    }
    assert_eq!(raw.endpoint.sessions(), 10_000);
    for event in std::mem::take(&mut raw.events) {
        let Event::Incoming(incoming) = event else { continue };
        let body = Bytes::from_static(b"v=0\r\n");
        let session = incoming.session;
        raw.command(Command::Answer { session, body, headers: Vec::new() });
    }
    raw.wait(Duration::from_secs(200));
    assert_eq!(raw.events.len(), 10_000, "each is lost for want of an ACK");
    assert!(raw.endpoint.is_idle());
}
