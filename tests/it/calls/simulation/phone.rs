//! The phone: a caller with a SIP endpoint and a port of its own, that plays a script and hears
//! what really arrives.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::library::Libraries;
use voxtrunk::audio::packing::Wishes;
use voxtrunk::audio::speech;
use voxtrunk::base::id::{SessionId, UtteranceId};
use voxtrunk::media::event::{self as media, Digit, LATEST, Ways};
use voxtrunk::media::port::Port;
use voxtrunk::sdp::keying::Terms;
use voxtrunk::sdp::line::Direction;
use voxtrunk::sdp::negotiate::{self, Local};
use voxtrunk::sip;
use voxtrunk::sip::endpoint::{Endpoint, Settings};
use voxtrunk::sip::event::{Command, Ending, Event, Flow, Outgoing, Refusal, Standing};
use voxtrunk::sip::message::Message;

use super::inside::Dialog;
use super::network::Side;
use super::scene::{SIP, Scene, address};
use super::server::probability;
use super::tongue::{Hearing, Word};

/// The phone.
pub struct Phone {
    pub endpoint: Endpoint,
    pub port: Option<Port>,
    /// What it does, one after the other.
    pub script: VecDeque<Line>,
    /// Whom it calls.
    pub target: String,
    /// What it offers.
    pub offer: Offer,
    /// What it answers when it is asked to call somebody else.
    pub refer: Result<u16, u16>,
    /// Whether its voice goes nowhere.
    pub muted: bool,
    pub moments: Vec<(u64, Moment)>,
    hearing: Hearing,
    dialog: Dialog,
    local: Local,
    line: Quiet,
    spoken: UtteranceId,
}

/// What the phone offers in its INVITE.
#[derive(Debug, Clone)]
pub enum Offer {
    /// PCMU and PCMA.
    Usual,
    /// Nothing: it wants an offer, and answers it in the ACK.
    Late,
    /// This.
    These(&'static str),
}

/// One line of a script.
#[derive(Debug, Clone)]
pub struct Line {
    pub when: When,
    pub act: Act,
}

/// When a line is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So many milliseconds after the INVITE.
    At(u64),
    /// When the agent has spoken since the last line and then been quiet for 700 ms.
    Quiet,
    /// So many milliseconds after the agent began to speak.
    Over(u64),
    /// So many milliseconds after the last line was done.
    After(u64),
}

/// What a line does.
#[derive(Debug, Clone)]
pub enum Act {
    Say(String),
    /// A burst of noise, so many milliseconds long.
    Cough(u64),
    Press(&'static str),
    HangUp,
    /// Puts the call on hold, by a re-INVITE, and sends nothing.
    Hold,
    /// Takes it back.
    Resume,
    /// Moves its media to another port, by a re-INVITE without an offer.
    Move,
    /// Its voice goes nowhere from now on.
    Mute,
    /// Asks the server to connect whom it talks with with somebody else.
    Refer(&'static str),
}

/// What happened to the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    Rang,
    Answered,
    /// It began to say something: the first packet was sent.
    Spoke,
    /// It said it: the last packet was sent.
    Said,
    /// It heard a key.
    Key(char),
    Referred(String),
    /// It heard what came of a REFER of its own.
    Told(u16),
    Ended(Ending),
}

/// Who speaks, as far as the phone can tell.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    they_speak_since: Option<Instant>,
    quiet_since: Instant,
    they_answered: bool,
    saying: bool,
    done: Instant,
}

impl Phone {
    pub fn new(scene: &mut Scene) -> Self {
        let local = Local {
            address: address(Side::Phone, 0).ip(),
            port: RTP,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            session_id: 7,
            version: 1,
            wishes: Wishes::default(),
            srtp: Terms::default(),
        };
        Self {
            endpoint: Endpoint::new(Settings::default(), scene.random.split()),
            port: None,
            script: VecDeque::new(),
            target: "sip:desk@192.0.2.2".to_owned(),
            offer: Offer::Usual,
            refer: Ok(200),
            muted: false,
            moments: Vec::new(),
            hearing: Hearing::default(),
            dialog: Dialog::default(),
            local,
            line: Quiet {
                they_speak_since: None,
                quiet_since: scene.now,
                they_answered: false,
                saying: false,
                done: scene.now,
            },
            spoken: UtteranceId(0),
        }
    }

    /// Calls.
    pub fn call(&mut self, scene: &mut Scene) {
        let body = match &self.offer {
            Offer::Usual => Bytes::from(negotiate::offer(&self.local)),
            Offer::Late => Bytes::new(),
            Offer::These(text) => Bytes::from(text.replace('\n', "\r\n")),
        };
        let outgoing = Outgoing {
            session: CALL,
            target: self.target.clone(),
            from: "\"Ann\" <sip:ann@192.0.2.1>".to_owned(),
            flow: Flow::udp(address(Side::Phone, SIP), address(Side::Server, SIP)),
            body,
            headers: Vec::new(),
        };
        self.order(scene, Command::Invite(Box::new(outgoing)));
    }

    /// When something is due.
    pub fn deadline(&self, scene: &Scene) -> Option<Instant> {
        let port = self.port.as_ref().and_then(Port::deadline);
        [port, self.endpoint.deadline(), self.next_line(scene)].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, scene: &mut Scene) {
        self.endpoint.tick(scene.now);
        self.drain_endpoint(scene);
        self.with_port(scene, Port::tick);
        while self.next_line(scene).is_some_and(|due| due <= scene.now) {
            let Some(line) = self.script.pop_front() else { return };
            self.act(scene, line.act);
        }
    }

    /// Takes a datagram.
    pub fn receive(&mut self, scene: &mut Scene, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        if to.port() != SIP {
            if to.port() & !1 != self.local.port {
                return;
            }
            let control = to.port() % 2 == 1;
            return self.with_port(scene, |port, now| {
                if control {
                    port.handle_rtcp(now, from, &bytes)
                } else {
                    port.handle_rtp(now, from, &bytes)
                }
            });
        }
        if let Ok(message) = Message::parse_datagram(&bytes)
            && let Some(ack) = self.dialog.receive(&message)
        {
            return scene.signal(to, from, ack);
        }
        let (flow, standing) = (Flow::udp(to, from), Standing::Trusted);
        self.endpoint.handle(scene.now, sip::event::Input::Received { bytes, flow, standing });
        self.drain_endpoint(scene);
    }

    /// The words that were heard of the agent.
    pub fn heard(&self, scene: &Scene) -> Vec<Word> {
        self.hearing.words(&scene.tongue)
    }

    /// Whether nothing is left of any call.
    pub fn is_idle(&self) -> bool {
        self.endpoint.is_idle() && self.port.is_none()
    }

    fn order(&mut self, scene: &mut Scene, command: Command) {
        self.endpoint.handle(scene.now, sip::event::Input::Command(command));
        self.drain_endpoint(scene);
    }

    fn drain_endpoint(&mut self, scene: &mut Scene) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                sip::event::Output::Transmit { flow, bytes } => {
                    self.dialog.transmit(&bytes);
                    scene.signal(flow.local, flow.remote, bytes);
                }
                sip::event::Output::Event(event) => self.signalled(scene, event),
                sip::event::Output::Notice(_) => {}
            }
        }
    }

    fn signalled(&mut self, scene: &mut Scene, event: Event) {
        match event {
            Event::Progressed { .. } => self.note(scene, Moment::Rang),
            Event::Answered { session, body, .. } => self.answered(scene, session, &body),
            Event::ReferReceived { session, target, .. } => {
                self.note(scene, Moment::Referred(target));
                let outcome = self.refer.map_err(Refusal::status);
                self.order(scene, Command::AnswerRefer { session, outcome });
            }
            Event::Referred { status, .. } => self.note(scene, Moment::Told(status)),
            Event::Ended { ending, .. } => {
                self.note(scene, Moment::Ended(ending));
                self.with_port(scene, Port::close);
                self.port = None;
                self.script.clear();
            }
            Event::Incoming(_)
            | Event::Confirmed { .. }
            | Event::Reoffered { .. }
            | Event::Redirected { .. }
            | Event::OfferAnswered { .. }
            | Event::Texted(_)
            | Event::Written { .. }
            | Event::Info { .. }
            | Event::Told { .. } => panic!("nobody does this to the phone: {event:?}"),
        }
    }

    fn answered(&mut self, scene: &mut Scene, session: SessionId, body: &[u8]) {
        self.note(scene, Moment::Answered);
        let agreed = match self.offer {
            Offer::Late => {
                let (answer, agreed) = negotiate::answer(body, &self.local).expect("an offer");
                self.order(scene, Command::AnswerOffer { session, body: answer.into() });
                agreed
            }
            Offer::Usual | Offer::These(_) => {
                negotiate::accept(body, &self.local).expect("an answer")
            }
        };
        let settings = media::Settings {
            codec: agreed.codec,
            payload_type: agreed.payload_type,
            telephone_event: agreed.telephone_event,
            packing: agreed.packing.clone(),
            libraries: Libraries::default(),
            remote: agreed.remote,
            remote_rtcp: agreed.remote_rtcp,
            signalling: address(Side::Server, 0).ip(),
            symmetric: true,
            sending: matches!(agreed.direction, Direction::SendReceive | Direction::SendOnly),
            speech: speech::Settings::default(),
            recording: false,
            cname: "phone".to_owned(),
            timeout: Duration::from_secs(600),
            latest: LATEST,
            jitter: Default::default(),
            keys: Ways::default(),
            srtp: agreed.srtp.clone(),
            web: None,
            mux: agreed.mux,
        };
        self.port = Some(Port::new(settings, scene.now, &mut scene.random));
        self.with_port(scene, |port, now| port.handle(now, media::Command::Start));
        (self.line.quiet_since, self.line.done) = (scene.now, scene.now);
    }

    // Media.

    fn with_port(&mut self, scene: &mut Scene, act: impl FnOnce(&mut Port, Instant)) {
        let Some(port) = &mut self.port else { return };
        act(port, scene.now);
        let mut events = Vec::new();
        while let Some(output) = port.poll() {
            match output {
                media::Output::SendRtp { to, bytes } if !self.muted => {
                    scene.stream(address(Side::Phone, self.local.port), to, bytes);
                }
                media::Output::SendRtcp { to, bytes } if !self.muted => {
                    scene.stream(address(Side::Phone, self.local.port + 1), to, bytes);
                }
                media::Output::Heard(frame) => self.hearing.hear(scene.now, &frame, &scene.tongue),
                media::Output::Window(window) => port.hear(scene.now, probability(&window)),
                media::Output::SendRtp { .. }
                | media::Output::SendRtcp { .. }
                | media::Output::Pass { .. }
                | media::Output::Recorded { .. } => {}
                media::Output::Event(event) => events.push(event),
            }
        }
        for event in events {
            self.media_moved(scene, event);
        }
    }

    fn media_moved(&mut self, scene: &mut Scene, event: media::Event) {
        match event {
            media::Event::SpeechStarted { at } => {
                (self.line.they_speak_since, self.line.they_answered) = (Some(at), true);
            }
            media::Event::SpeechEnded { last_voiced } => {
                (self.line.they_speak_since, self.line.quiet_since) = (None, last_voiced);
            }
            media::Event::Started { .. } => self.note(scene, Moment::Spoke),
            media::Event::Finished { at, .. } => {
                (self.line.saying, self.line.done) = (false, at);
                self.note(scene, Moment::Said);
            }
            media::Event::Digit(digit) | media::Event::Signalled(digit) => {
                self.note(scene, Moment::Key(digit.key()));
            }
            media::Event::Heard { .. }
            | media::Event::SpeechFaded
            | media::Event::Beep { .. }
            | media::Event::SpeechReturned
            | media::Event::Flushed { .. }
            | media::Event::Silent { .. }
            | media::Event::Condition(_)
            | media::Event::Secured(_)
            | media::Event::Unproven(_)
            | media::Event::Quality(_) => {}
        }
    }

    // The script.

    fn next_line(&self, scene: &Scene) -> Option<Instant> {
        let line = self.script.front()?;
        let up = self.port.is_some() && !self.line.saying;
        match (line.when, self.line.they_speak_since) {
            (When::At(after), _) => Some(scene.start + Duration::from_millis(after)),
            (When::Quiet, None) if up && self.line.they_answered => {
                Some(self.line.quiet_since.max(self.line.done) + BEAT)
            }
            (When::Over(after), Some(since)) if up => Some(since + Duration::from_millis(after)),
            (When::After(after), _) if up => Some(self.line.done + Duration::from_millis(after)),
            (When::Quiet | When::Over(_) | When::After(_), _) => None,
        }
    }

    fn act(&mut self, scene: &mut Scene, act: Act) {
        self.line.they_answered = false;
        self.line.done = scene.now;
        match act {
            Act::Say(text) => {
                let frame = scene.tongue.say(&text, Rate::NARROW);
                self.play(scene, frame);
            }
            Act::Cough(millis) => {
                let length = Rate::NARROW.samples_in(Duration::from_millis(millis));
                let samples = (0..length).map(|_| (scene.random.u16() as i16) / 3).collect();
                self.play(scene, Frame::new(Rate::NARROW, samples));
            }
            Act::Press(keys) => {
                let digits = keys.chars().filter_map(Digit::new).collect();
                self.with_port(scene, |port, now| port.handle(now, media::Command::Dial(digits)));
            }
            Act::HangUp => {
                self.order(scene, Command::HangUp { session: CALL, reason: None });
            }
            Act::Hold => self.reoffer(scene, "sendonly"),
            Act::Resume => self.reoffer(scene, "sendrecv"),
            Act::Move => self.shift(scene),
            Act::Mute => self.muted = true,
            Act::Refer(target) => {
                let target = target.to_owned();
                self.order(scene, Command::Refer { session: CALL, target });
            }
        }
    }

    fn play(&mut self, scene: &mut Scene, frame: Frame) {
        if self.port.is_none() {
            return;
        }
        self.line.saying = true;
        self.spoken = self.spoken.next();
        let utterance = self.spoken;
        self.with_port(scene, |port, now| {
            port.handle(now, media::Command::Play { utterance, frame });
            port.handle(now, media::Command::Finish { utterance });
        });
    }

    fn reoffer(&mut self, scene: &mut Scene, direction: &str) {
        self.muted = direction == "sendonly";
        self.local.version += 1;
        let offer = negotiate::offer(&self.local).replace("sendrecv", direction);
        if let Some(invite) = self.dialog.reinvite(&offer) {
            scene.signal(address(Side::Phone, SIP), address(Side::Server, SIP), invite);
        }
    }

    fn shift(&mut self, scene: &mut Scene) {
        self.muted = false;
        (self.local.port, self.local.version) = (self.local.port + 10, self.local.version + 1);
        if let Some(invite) = self.dialog.reinvite_to(&self.local) {
            scene.signal(address(Side::Phone, SIP), address(Side::Server, SIP), invite);
        }
    }

    fn note(&mut self, scene: &Scene, moment: Moment) {
        self.moments.push((scene.millis(scene.now), moment));
    }
}

/// The phone's only call.
pub const CALL: SessionId = SessionId(1);

/// The phone's first port of RTP.
const RTP: u16 = 40_000;

/// How long the agent is quiet before the next line.
const BEAT: Duration = Duration::from_millis(700);
