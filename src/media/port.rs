//! The port: the media of one leg, from the datagram to the edge of speech and from the words of
//! the agent to the datagram. It holds no clock and no socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::base::random::Random;
use crate::media::event::{Command, Event, Output, Quality, Settings};
use crate::media::playout::Playout;
use crate::media::receive::{Listeners, Receiver};
use crate::media::record::Recorder;
use crate::media::send::{Desk, Sender};
use crate::media::source::{Judgement, Source};
use crate::rtp::packet::Packet;
use crate::rtp::sequence::Verdict;
use crate::rtp::session::Session;

/// The media of one leg.
#[derive(Debug)]
pub struct Port {
    settings: Settings,
    source: Source,
    receiver: Receiver,
    playout: Playout,
    sender: Sender,
    session: Session,
    recorder: Option<Recorder>,
    state: State,
    /// Whether a packet of the peer was ever accepted.
    heard: bool,
    received: u64,
    discarded: u64,
    /// Where the peer's reports come from.
    reports_from: Option<SocketAddr>,
    out: VecDeque<Output>,
}

/// Where a port stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// It listens and sends nothing yet.
    Open,
    /// It sends.
    Running {
        /// When the last packet came; or when we began to wait for one.
        silent_since: Instant,
        /// Whether this silence was told.
        told: bool,
    },
    /// It is over.
    Closed,
}

impl Port {
    /// Opens a port.
    pub fn new(settings: Settings, now: Instant, random: &mut Random) -> Self {
        let sender = Sender::new(&settings, random);
        let mut session = Session::new(sender.ssrc(), now, random.split());
        session.cname.clone_from(&settings.cname);
        let rate = settings.codec.rate();
        Self {
            source: Source::new(&settings),
            receiver: Receiver::new(&settings),
            playout: Playout::new(rate),
            sender,
            session,
            recorder: settings.recording.then(|| Recorder::new(rate)),
            settings,
            state: State::Open,
            heard: false,
            received: 0,
            discarded: 0,
            reports_from: None,
            out: VecDeque::new(),
        }
    }

    /// Takes a datagram from the RTP socket. Whatever it holds, it is used or counted.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let Ok(packet) = Packet::parse(bytes) else {
            self.discarded += 1;
            return;
        };
        if packet.header.ssrc == self.sender.ssrc() {
            // Our own packets come back: a loop (RFC 3550 8.2).
            self.discarded += 1;
            return;
        }
        let index = match self.source.judge(now, from, &packet.header) {
            Judgement::Begun { index } | Judgement::Accepted(Verdict::Restarted { index }) => {
                self.receiver.restart();
                index
            }
            Judgement::Accepted(Verdict::Ahead { index } | Verdict::Behind { index }) => index,
            Judgement::Accepted(Verdict::Twice | Verdict::Strange) | Judgement::Foreign => {
                self.discarded += 1;
                return;
            }
        };
        self.accept(now, from);
        self.play_in(now, index, &packet);
    }

    /// Takes a datagram from the RTCP socket. Nothing that it says ends the call.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let known = self.source.may_report(from)
            && self.session.handle(now, bytes, self.source.reception_mut()).is_ok();
        if !known {
            self.discarded += 1;
            return;
        }
        self.reports_from = Some(from);
        self.live(now);
    }

    /// Takes an order.
    pub fn handle(&mut self, now: Instant, command: Command) {
        if matches!(self.state, State::Closed) {
            return;
        }
        match command {
            Command::Update(settings) => self.update(now, *settings),
            Command::Start => self.start(now),
            Command::Play { utterance, frame } => self.playout.play(utterance, frame.samples),
            Command::Finish { utterance } => {
                self.playout.finish(utterance);
                self.playout.settle(self.sender.last_voice().unwrap_or(now), &mut self.out);
            }
            Command::Pause => self.playout.pause(self.sender.is_speaking()),
            Command::Resume => self.playout.resume(),
            Command::Flush { through } => {
                let heard = self.playout.flush(through, self.sender.is_speaking());
                self.out.push_back(Output::Event(Event::Flushed { through, heard }));
                self.playout.settle(self.sender.last_voice().unwrap_or(now), &mut self.out);
            }
            Command::Dial(digits) => self.sender.dial(&digits),
        }
        self.send(now);
    }

    /// Takes the speech probability of the earliest window that has none yet.
    pub fn hear(&mut self, _now: Instant, probability: f32) {
        if let Some(event) = self.receiver.tap.hear(probability) {
            self.out.push_back(Output::Event(event));
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let mut listeners = Listeners { out: &mut self.out, recorder: self.recorder.as_mut() };
        self.receiver.tick(now, &mut listeners);
        self.send(now);
        if self.session.deadline().is_some_and(|due| due <= now) {
            self.report(now);
        }
        if let Some(due) = self.silence_due()
            && due <= now
            && let State::Running { silent_since, told } = &mut self.state
        {
            *told = true;
            self.out.push_back(Output::Event(Event::Silent { since: *silent_since }));
        }
    }

    /// Gives what is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        if matches!(self.state, State::Closed) {
            return None;
        }
        let voice = self.source.destination().is_some() && self.playout.ready();
        let times = [
            self.receiver.deadline(),
            self.sender.due(voice),
            self.session.deadline(),
            self.silence_due(),
        ];
        times.into_iter().flatten().min()
    }

    /// How much audio waits to be played: whoever feeds keeps it at a second or less.
    pub fn queued(&self) -> Duration {
        self.playout.queued()
    }

    /// How well the leg was received so far.
    pub fn quality(&self) -> Quality {
        Quality {
            received: self.received,
            sent: self.sender.sent_packets(),
            lost: self.source.lost(),
            discarded: self.discarded,
            jitter: self.source.reception().map_or(Duration::ZERO, |it| it.jitter()),
            round_trip: self.session.round_trip(),
        }
    }

    /// Ends the port: says goodbye by RTCP, writes the rest of the recording, tells the quality.
    /// Afterwards it does nothing but give its last outputs.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if matches!(self.state, State::Running { .. })
            && let Some(to) = self.reports_to()
        {
            let sent = self.sender.sent(now);
            let bytes = self.session.goodbye(now, &sent, self.source.reception_mut());
            self.out.push_back(Output::SendRtcp { to, bytes });
        }
        if let Some(mut recorder) = self.recorder.take() {
            recorder.finish(&mut self.out);
        }
        self.out.push_back(Output::Event(Event::Quality(self.quality())));
        self.state = State::Closed;
    }

    fn accept(&mut self, now: Instant, from: SocketAddr) {
        self.received += 1;
        self.live(now);
        if !std::mem::replace(&mut self.heard, true) {
            self.out.push_back(Output::Event(Event::Heard { from, at: now }));
        }
    }

    fn play_in(&mut self, now: Instant, index: u64, packet: &Packet<'_>) {
        if self.receiver.is_voice(packet.header.payload_type)
            && let Some(reception) = self.source.reception_mut()
        {
            reception.measure(packet.header.timestamp, now);
        }
        let mut listeners = Listeners { out: &mut self.out, recorder: self.recorder.as_mut() };
        if !self.receiver.handle(now, (index, packet), &mut listeners) {
            self.discarded += 1;
        }
    }

    /// The peer gave a sign of life.
    fn live(&mut self, now: Instant) {
        if let State::Running { silent_since, told } = &mut self.state {
            (*silent_since, *told) = (now, false);
        }
    }

    fn start(&mut self, now: Instant) {
        if matches!(self.state, State::Open) {
            self.state = State::Running { silent_since: now, told: false };
            self.sender.start(now);
            self.session.start(now);
        }
    }

    fn update(&mut self, now: Instant, settings: Settings) {
        self.source.describe(&settings);
        self.receiver.describe(&settings);
        self.sender.describe(&settings);
        self.session.cname.clone_from(&settings.cname);
        if settings.sending && !self.settings.sending {
            // Silence on hold is no silence.
            self.live(now);
        }
        match (settings.recording, self.recorder.take()) {
            (true, recorder) => {
                let rate = settings.codec.rate();
                self.recorder = Some(recorder.unwrap_or_else(|| Recorder::new(rate)));
            }
            (false, Some(mut recorder)) => recorder.finish(&mut self.out),
            (false, None) => {}
        }
        self.settings = settings;
    }

    fn send(&mut self, now: Instant) {
        let mut desk = Desk {
            playout: &mut self.playout,
            to: self.source.destination(),
            recorder: self.recorder.as_mut(),
            out: &mut self.out,
        };
        self.sender.advance(now, &mut desk);
    }

    fn report(&mut self, now: Instant) {
        let sent = self.sender.sent(now);
        let bytes = self.session.report(now, &sent, self.source.reception_mut());
        if let Some(to) = self.reports_to() {
            self.out.push_back(Output::SendRtcp { to, bytes });
        }
    }

    /// Where our reports go: to the described address; when media comes from elsewhere, to where
    /// the peer's reports come from, or to the port above (RFC 3550 11).
    fn reports_to(&self) -> Option<SocketAddr> {
        let media = self.source.destination()?;
        let to = if self.source.moved() {
            let above = SocketAddr::new(media.ip(), media.port().checked_add(1)?);
            self.reports_from.filter(|from| from.ip() == media.ip()).unwrap_or(above)
        } else {
            self.settings.remote_rtcp
        };
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// When the silence of the peer is to be told; never on hold.
    fn silence_due(&self) -> Option<Instant> {
        match self.state {
            State::Running { silent_since, told: false } if self.settings.sending => {
                silent_since.checked_add(self.settings.timeout)
            }
            State::Running { .. } | State::Open | State::Closed => None,
        }
    }
}
