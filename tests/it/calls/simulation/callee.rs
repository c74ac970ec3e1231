//! A callee: somebody whom the server calls, with a SIP endpoint and a port of its own.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::library::Libraries;
use voxtrunk::audio::packing::Wishes;
use voxtrunk::audio::speech;
use voxtrunk::base::id::{SessionId, UtteranceId};
use voxtrunk::media::event::{self as media, Digit, LATEST, Ways};
use voxtrunk::media::port::Port;
use voxtrunk::sdp::keying::Terms;
use voxtrunk::sdp::line::Direction;
use voxtrunk::sdp::negotiate::{self, Agreed, Local};
use voxtrunk::sip;
use voxtrunk::sip::endpoint::{Endpoint, Settings};
use voxtrunk::sip::event::{Command, Ending, Event, Incoming, Refusal, Standing};

use super::network::Side;
use super::scene::{SIP, Scene, address};
use super::server::probability;
use super::tongue::{Hearing, Word};

/// Somebody who may be called.
pub struct Callee {
    pub address: IpAddr,
    pub manner: Manner,
    /// What it speaks.
    pub codecs: Vec<Codec>,
    /// What it does, each so many milliseconds after it answered.
    pub script: VecDeque<(u64, Act)>,
    /// Every INVITE that came, and how each call ended.
    #[allow(clippy::vec_box)]
    pub invites: Vec<Box<Incoming>>,
    pub endings: Vec<Ending>,
    /// The keys that it heard.
    pub keys: String,
    /// When it heard anything at all.
    sounds: Vec<Instant>,
    endpoint: Endpoint,
    port: Option<Port>,
    local: Local,
    hearing: Hearing,
    session: Option<(SessionId, Bytes)>,
    answers: Option<Instant>,
    since: Option<Instant>,
    spoken: UtteranceId,
}

/// What somebody does who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Rings for so many milliseconds and answers.
    Answers(u64),
    /// Says something as early media for so many milliseconds, and answers.
    Announces(&'static str, u64),
    /// Rings and rings.
    Rings,
    /// Refuses at once.
    Refuses(u16),
}

/// What somebody does who answered.
#[derive(Debug, Clone)]
pub enum Act {
    Say(&'static str),
    Press(&'static str),
    HangUp,
    /// Asks the server to call somebody else.
    Refer(&'static str),
}

impl Callee {
    pub fn new(scene: &mut Scene, last: u8, manner: Manner) -> Self {
        let address = IpAddr::from([192, 0, 2, last]);
        let codecs = vec![Codec::Pcmu, Codec::Pcma];
        Self {
            address,
            manner,
            script: VecDeque::new(),
            invites: Vec::new(),
            endings: Vec::new(),
            keys: String::new(),
            sounds: Vec::new(),
            endpoint: Endpoint::new(Settings::default(), scene.random.split()),
            port: None,
            local: Local {
                address,
                port: RTP,
                codecs: codecs.clone(),
                session_id: 9,
                version: 1,
                wishes: Wishes::default(),
                srtp: Terms::default(),
            },
            codecs,
            hearing: Hearing::default(),
            session: None,
            answers: None,
            since: None,
            spoken: UtteranceId(0),
        }
    }

    /// Adds to its script.
    pub fn then(&mut self, after: u64, act: Act) -> &mut Self {
        self.script.push_back((after, act));
        self
    }

    /// When something is due.
    pub fn deadline(&self, _scene: &Scene) -> Option<Instant> {
        let port = self.port.as_ref().and_then(Port::deadline);
        let parts = [port, self.endpoint.deadline(), self.answers, self.next_act()];
        parts.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, scene: &mut Scene) {
        self.endpoint.tick(scene.now);
        self.drain_endpoint(scene);
        self.with_port(scene, Port::tick);
        if self.answers.take_if(|at| *at <= scene.now).is_some() {
            self.answer(scene);
        }
        while self.next_act().is_some_and(|due| due <= scene.now) {
            let Some((_, act)) = self.script.pop_front() else { return };
            self.act(scene, act);
        }
    }

    /// Takes a datagram.
    pub fn receive(
        &mut self,
        scene: &mut Scene,
        (from, to): (SocketAddr, SocketAddr),
        bytes: Bytes,
    ) {
        if to.port() != SIP {
            let control = to.port() % 2 == 1;
            return self.with_port(scene, |port, now| match control {
                true => port.handle_rtcp(now, from, &bytes),
                false => port.handle_rtp(now, from, &bytes),
            });
        }
        let flow = sip::event::Flow::udp(to, from);
        let standing = Standing::Trusted;
        self.endpoint.handle(scene.now, sip::event::Input::Received { bytes, flow, standing });
        self.drain_endpoint(scene);
    }

    /// The words that it heard.
    pub fn heard(&self, scene: &Scene) -> String {
        let words: Vec<Word> = self.hearing.words(&scene.tongue);
        words.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
    }

    /// How many frames with a sound it heard between two times, in milliseconds.
    pub fn sounds(&self, scene: &Scene, since: u64, until: u64) -> usize {
        let at = self.sounds.iter().map(|at| scene.millis(*at));
        at.filter(|at| (since..until).contains(at)).count()
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
                    scene.signal(flow.local, flow.remote, bytes);
                }
                sip::event::Output::Event(event) => self.signalled(scene, event),
                sip::event::Output::Notice(_) => {}
            }
        }
    }

    fn signalled(&mut self, scene: &mut Scene, event: Event) {
        match event {
            Event::Incoming(incoming) => self.called(scene, incoming),
            Event::Reoffered { session, body } => {
                self.local.version += 1;
                let answer = negotiate::answer(&body, &self.local).map(|(text, _)| text.into());
                let answer = answer.map_err(|_| Refusal::status(488));
                self.order(scene, Command::AnswerReoffer { session, answer });
            }
            Event::Ended { ending, .. } => {
                self.endings.push(ending);
                self.with_port(scene, Port::close);
                (self.port, self.session, self.answers, self.since) = (None, None, None, None);
            }
            Event::Confirmed { .. }
            | Event::Referred { .. }
            | Event::Progressed { .. }
            | Event::Answered { .. }
            | Event::ReferReceived { .. }
            | Event::Redirected { .. }
            | Event::OfferAnswered { .. }
            | Event::Texted(_)
            | Event::Written { .. }
            | Event::Info { .. }
            | Event::Told { .. } => {}
        }
    }

    fn called(&mut self, scene: &mut Scene, incoming: Box<Incoming>) {
        self.local.codecs.clone_from(&self.codecs);
        let session = incoming.session;
        let answer = negotiate::answer(&incoming.body, &self.local);
        self.invites.push(incoming);
        let (answer, agreed) = answer.expect("the server offers what everybody speaks");
        self.session = Some((session, Bytes::from(answer.clone())));
        let ring = Command::Progress { session, status: 180, body: None };
        match self.manner {
            Manner::Refuses(status) => {
                let refusal = Refusal::status(status);
                self.order(scene, Command::Refuse { session, refusal });
            }
            Manner::Rings => self.order(scene, ring),
            Manner::Answers(after) => {
                self.order(scene, ring);
                self.answers = Some(scene.now + Duration::from_millis(after));
                self.open(scene, &agreed);
            }
            Manner::Announces(words, after) => {
                let body = Some(Bytes::from(answer));
                self.order(scene, Command::Progress { session, status: 183, body });
                self.open(scene, &agreed);
                self.with_port(scene, |port, now| port.handle(now, media::Command::Start));
                self.act(scene, Act::Say(words));
                self.answers = Some(scene.now + Duration::from_millis(after));
            }
        }
    }

    fn open(&mut self, scene: &mut Scene, agreed: &Agreed) {
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
            cname: "callee".to_owned(),
            timeout: Duration::from_secs(600),
            latest: LATEST,
            jitter: Default::default(),
            keys: Ways::default(),
            srtp: agreed.srtp.clone(),
            web: None,
            mux: agreed.mux,
        };
        self.port = Some(Port::new(settings, scene.now, &mut scene.random));
    }

    fn answer(&mut self, scene: &mut Scene) {
        let Some((session, body)) = self.session.clone() else { return };
        self.order(scene, Command::Answer { session, body, headers: Vec::new() });
        self.with_port(scene, |port, now| port.handle(now, media::Command::Start));
        self.since = Some(scene.now);
    }

    fn next_act(&self) -> Option<Instant> {
        let (after, _) = self.script.front()?;
        Some(self.since? + Duration::from_millis(*after))
    }

    fn act(&mut self, scene: &mut Scene, act: Act) {
        match act {
            Act::Say(text) => {
                let frame = scene.tongue.say(text, Rate::NARROW);
                self.spoken = self.spoken.next();
                let utterance = self.spoken;
                self.with_port(scene, |port, now| {
                    port.handle(now, media::Command::Play { utterance, frame });
                    port.handle(now, media::Command::Finish { utterance });
                });
            }
            Act::Press(keys) => {
                let digits = keys.chars().filter_map(Digit::new).collect();
                self.with_port(scene, |port, now| port.handle(now, media::Command::Dial(digits)));
            }
            Act::HangUp => {
                let Some((session, _)) = self.session.clone() else { return };
                self.order(scene, Command::HangUp { session, reason: None });
            }
            Act::Refer(target) => {
                let Some((session, _)) = self.session.clone() else { return };
                self.order(scene, Command::Refer { session, target: target.to_owned() });
            }
        }
    }

    fn with_port(&mut self, scene: &mut Scene, act: impl FnOnce(&mut Port, Instant)) {
        let Some(port) = &mut self.port else { return };
        act(port, scene.now);
        while let Some(output) = port.poll() {
            match output {
                media::Output::SendRtp { to, bytes } => {
                    scene.stream(SocketAddr::new(self.address, RTP), to, bytes);
                }
                media::Output::SendRtcp { to, bytes } => {
                    scene.stream(SocketAddr::new(self.address, RTP + 1), to, bytes);
                }
                media::Output::Heard(frame) => {
                    if frame.samples.iter().any(|sample| sample.unsigned_abs() > 200) {
                        self.sounds.push(scene.now);
                    }
                    self.hearing.hear(scene.now, &frame, &scene.tongue);
                }
                media::Output::Window(window) => port.hear(scene.now, probability(&window)),
                media::Output::Event(media::Event::Digit(digit)) => self.keys.push(digit.key()),
                media::Output::Pass { .. }
                | media::Output::Recorded { .. }
                | media::Output::Event(_) => {}
            }
        }
    }
}

/// Its port of RTP.
const RTP: u16 = 30_000;
