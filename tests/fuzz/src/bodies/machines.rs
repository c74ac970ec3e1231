//! The endpoint: any order of what a peer sends, an owner orders and time does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::base::random::Random;
use voxtrunk::sip::endpoint::{Endpoint, Settings};
use voxtrunk::sip::event::{
    Command, Event, Flow, Input, Outgoing, Output, Refusal, SessionId, Standing,
};

/// Four octets are one step. At the end everybody hangs up, time runs out, every session has ended
/// once, and nothing is left.
pub fn dialog_state(octets: &[u8]) {
    let mut world = World::new();
    for step in octets.chunks_exact(4).take(MOST_STEPS) {
        world.live(step);
    }
    world.close();
}

const MOST_STEPS: usize = 200;

const METHODS: [&str; 12] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "REFER", "PRACK", "INFO", "MESSAGE",
    "NOTIFY", "REGISTER",
];

const TRAITS: [&str; 8] = [
    "",
    "Supported: 100rel, timer\r\n",
    "Require: 100rel\r\n",
    "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n",
    "Min-SE: 90\r\nSession-Expires: 20\r\nSupported: timer\r\n",
    "RSeq: 1\r\nRequire: 100rel\r\n",
    "Replaces: call-1;to-tag=a;from-tag=b\r\n",
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n",
];

const STATUSES: [u16; 16] =
    [100, 180, 183, 199, 200, 202, 302, 401, 407, 408, 422, 481, 487, 491, 500, 603];

struct World {
    endpoint: Endpoint,
    now: Instant,
    requests: Vec<String>,
    tags: Vec<String>,
    began: Vec<SessionId>,
    ended: Vec<SessionId>,
}

impl World {
    fn new() -> Self {
        Self {
            endpoint: Endpoint::new(Settings::default(), Random::repeatable(9)),
            now: Instant::now(),
            requests: Vec::new(),
            tags: Vec::new(),
            began: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn live(&mut self, step: &[u8]) {
        let &[what, which, how, says] = step else { return };
        match what % 8 {
            0..=2 => self.asked(which, how, says),
            3 => self.answered(which, how, says),
            4 | 5 => self.order(how, which),
            6 => self.wait(Duration::from_millis(u64::from(which) * u64::from(how))),
            _ => {
                let Some(request) = pick(&self.requests, which).cloned() else { return };
                self.receive(request, standing(says));
            }
        }
    }

    fn asked(&mut self, which: u8, how: u8, says: u8) {
        let method = METHODS[usize::from(which) % METHODS.len()];
        let tag = pick(&self.tags, how >> 3).filter(|_| says & 0x10 != 0);
        let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let body = if says & 0x20 == 0 { "" } else { "v=0\r\n" };
        let request = format!(
            "{method} sip:desk@192.0.2.2 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{};rport\r\n\
             From: <sip:ann@192.0.2.1>;tag=ann\r\nTo: <sip:desk@192.0.2.2>{tag}\r\n\
             Call-ID: call-{}\r\nCSeq: {} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:ann@192.0.2.1>\r\nRefer-To: <sip:x@192.0.2.3>\r\nRAck: 1 1 INVITE\r\n\
             {}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            how & 7,
            how & 3,
            1 + (how >> 5),
            TRAITS[usize::from(says & 7)],
            body.len(),
        );
        self.receive(request, standing(says >> 6));
    }

    fn answered(&mut self, which: u8, how: u8, says: u8) {
        let Some(request) = pick(&self.requests, which) else { return };
        let kept = |name: &str| {
            let lines = request.lines().filter(|line| line.starts_with(name));
            lines.map(|line| format!("{line}\r\n")).collect::<String>()
        };
        let to = kept("To: ").trim_end().to_owned();
        let tag = if to.contains(";tag=") { String::new() } else { format!(";tag=t{}", how >> 6) };
        let status = STATUSES[usize::from(how & 15)];
        let answer = format!(
            "SIP/2.0 {status} X\r\n{}{}{to}{tag}\r\n{}{}Contact: <sip:t@192.0.2.1>\r\n{}\
             Content-Length: 5\r\n\r\nv=0\r\n",
            kept("Via: "),
            kept("From: "),
            kept("Call-ID: "),
            kept("CSeq: "),
            TRAITS[usize::from(says & 7)],
        );
        self.receive(answer, Standing::Trusted);
    }

    fn order(&mut self, how: u8, which: u8) {
        let session = pick(&self.began, which).copied().unwrap_or(SessionId(1));
        let body = Bytes::from_static(b"v=0\r\n");
        let command = match how % 9 {
            0 => {
                let session = SessionId(1_000_000 + self.began.len() as u64);
                self.began.push(session);
                Command::Invite(Box::new(Outgoing {
                    session,
                    target: "sip:ann@192.0.2.1".to_owned(),
                    from: "<sip:desk@192.0.2.2>".to_owned(),
                    flow: flow(),
                    body: if which & 1 == 0 { body } else { Bytes::new() },
                    headers: Vec::new(),
                }))
            }
            1 => Command::Progress { session, status: 183, body: Some(body) },
            2 | 3 => Command::Answer { session, body, headers: Vec::new() },
            4 => Command::Refuse { session, refusal: Refusal::status(486) },
            5 => Command::HangUp { session, reason: None },
            6 => Command::Reoffer { session, body },
            7 => Command::AnswerReoffer { session, answer: Ok(body) },
            _ => Command::AnswerOffer { session, body },
        };
        self.endpoint.handle(self.now, Input::Command(command));
        self.drain();
    }

    fn receive(&mut self, text: String, standing: Standing) {
        let input = Input::Received { bytes: text.into(), flow: flow(), standing };
        self.endpoint.handle(self.now, input);
        self.drain();
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.tick(self.now);
            self.drain();
            assert!(self.endpoint.deadline().is_none_or(|due| due > self.now), "a past deadline");
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { bytes, .. } => {
                    let text = String::from_utf8(bytes.to_vec()).expect("what we write is text");
                    if !text.starts_with("SIP/2.0") {
                        self.requests.push(text);
                    } else if let Some((_, tag)) = text
                        .lines()
                        .find(|line| line.starts_with("To: "))
                        .and_then(|line| line.rsplit_once(";tag="))
                    {
                        self.tags.push(tag.to_owned());
                    }
                }
                Output::Event(Event::Incoming(incoming)) => self.began.push(incoming.session),
                Output::Event(Event::Ended { session, .. }) => self.ended.push(session),
                Output::Event(_) | Output::Notice(_) => {}
            }
        }
    }

    fn close(mut self) {
        for session in self.began.clone() {
            let command = Command::HangUp { session, reason: None };
            self.endpoint.handle(self.now, Input::Command(command));
            self.drain();
        }
        self.wait(Duration::from_secs(400));
        assert!(self.endpoint.is_idle(), "something is left behind");
        self.began.sort();
        self.ended.sort();
        assert_eq!(self.began, self.ended, "every session ends once");
    }
}

fn pick<T>(list: &[T], which: u8) -> Option<&T> {
    list.get(usize::from(which).checked_rem(list.len())?)
}

fn standing(which: u8) -> Standing {
    match which % 4 {
        0 | 1 => Standing::Trusted,
        2 => Standing::Stranger,
        _ => Standing::Refused,
    }
}

fn flow() -> Flow {
    Flow::udp(([192, 0, 2, 2], 5_060).into(), ([192, 0, 2, 1], 5_060).into())
}
