//! The port: the media of one leg, from the datagram to the edge of speech and from the words of
//! the agent to the datagram. It holds no clock and no socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::id::PortId;
use crate::base::master_key::Keys;
use crate::base::random::Random;
use crate::media::armour::{Armour, is_report};
use crate::media::event::{Command, Event, Output, Quality, Settings};
use crate::media::link::{Links, Passage, Voice};
use crate::media::playout::Playout;
use crate::media::receive::{Listeners, Receiver};
use crate::media::record::{Recorder, Taping};
use crate::media::send::{Desk, Sender};
use crate::media::source::{Judgement, Source};
use crate::rtp::emodel::Impairment;
use crate::rtp::packet::Packet;
use crate::rtp::sequence::Verdict;
use crate::rtp::session::{Listening, Session};

/// The media of one leg.
#[derive(Debug)]
pub struct Port {
    settings: Settings,
    /// What hides and proves packets, when that was agreed.
    armour: Option<Box<Armour>>,
    source: Source,
    receiver: Receiver,
    playout: Playout,
    sender: Sender,
    session: Session,
    recorder: Option<Recorder>,
    /// Whether somebody listens to both sides, recording or not.
    tapped: bool,
    links: Links,
    /// Counts the streams of the peer: a new source, or a clock that was restarted.
    stream: u32,
    state: State,
    /// Whether a packet of the peer was ever accepted.
    heard: bool,
    received: u64,
    discarded: u64,
    refused: u64,
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
        let mut playout = Playout::new(rate);
        playout.pace(settings.packing.ptime);
        Self {
            source: Source::new(&settings),
            receiver: Receiver::new(&settings),
            playout,
            sender,
            session,
            recorder: settings.recording.then(|| Recorder::new(rate)),
            tapped: false,
            armour: settings.srtp.clone().map(|keys| Box::new(Armour::new(keys))),
            settings,
            links: Links::default(),
            stream: 0,
            state: State::Open,
            heard: false,
            received: 0,
            discarded: 0,
            refused: 0,
            reports_from: None,
            out: VecDeque::with_capacity(OUTPUTS),
        }
    }

    /// Takes a datagram from the RTP socket. Whatever it holds, it is used or counted.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if is_report(bytes) {
            return if self.settings.mux {
                self.handle_rtcp(now, from, bytes)
            } else {
                self.discarded += 1
            };
        }
        self.unveiled(bytes, |port, bytes| port.heard(now, from, bytes));
    }

    /// Takes a packet in the clear.
    fn heard(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
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
                self.stream = self.stream.wrapping_add(1);
                index
            }
            Judgement::Accepted(Verdict::Ahead { index } | Verdict::Behind { index }) => index,
            Judgement::Accepted(Verdict::Twice | Verdict::Strange) | Judgement::Foreign => {
                self.discarded += 1;
                return;
            }
        };
        self.accept(now, from);
        self.pass_on(index, &packet);
        self.play_in(now, index, &packet);
    }

    /// Takes a datagram from the RTCP socket. Nothing that it says ends the call.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.unveiled(bytes, |port, bytes| port.reported(now, from, bytes));
    }

    /// Lets a datagram be used, when it is hidden as it should be: before anything of it is looked
    /// at (L1).
    fn unveiled(&mut self, bytes: &[u8], take: impl FnOnce(&mut Self, &[u8])) {
        let Some(mut armour) = self.armour.take() else {
            if self.settings.web.is_none() {
                return take(self, bytes);
            }
            // The keys are still to come.
            self.refused += 1;
            return;
        };
        match armour.open(bytes) {
            Some(bytes) => take(self, bytes),
            None => self.refused += 1,
        }
        self.armour = Some(armour);
    }

    /// Takes reports in the clear.
    fn reported(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
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
            Command::Secure(keys) => {
                let suite = keys.ours.suite();
                self.arm(*keys);
                self.out.push_back(Output::Event(Event::Secured(suite)));
            }
            Command::GiveUp(flaw) => self.out.push_back(Output::Event(Event::Unproven(flaw))),
            Command::Lead(to) => self.source.lead(to),
            Command::Play { utterance, frame } => self.playout.play(utterance, frame.samples),
            Command::Finish { utterance } => {
                self.playout.finish(utterance);
                self.playout.settle(self.sender.last_voice().unwrap_or(now), &mut self.out);
            }
            Command::Pause => self.playout.pause(self.sender.is_speaking()),
            Command::Duck => self.playout.duck(),
            Command::Resume => self.playout.resume(),
            Command::Flush { through } => {
                let heard = self.playout.flush(through, self.sender.is_speaking());
                self.out.push_back(Output::Event(Event::Flushed { through, heard }));
                self.playout.settle(self.sender.last_voice().unwrap_or(now), &mut self.out);
            }
            Command::Dial(digits) => self.sender.dial(&digits),
            Command::Signalled(digit) => {
                if self.receiver.signalled(now, digit) {
                    self.out.push_back(Output::Event(Event::Signalled(digit)));
                }
            }
            Command::Connect(links) => {
                self.sender.connect(now, &links);
                self.links = links;
            }
            Command::Mute => self.receiver.mute(true),
            Command::Unmute => self.receiver.mute(false),
            Command::Music(tape) => self.sender.entertain(Some(tape)),
            Command::NoMusic => self.sender.entertain(None),
            Command::Ambience(tape) => self.sender.surround(tape),
            Command::WithholdRecording => self.record_as(Taping::Withheld),
            Command::PauseRecording => self.record_as(Taping::Paused),
            Command::ResumeRecording => self.record_as(Taping::Running),
            Command::Tap(tapped) => self.tap(tapped),
            Command::Attend(attention) => self.receiver.attend(attention),
            Command::HearBeeps => self.receiver.tap.hear_beeps(),
        }
        self.send(now);
    }

    /// Takes what the peer of another port said, or what we ourselves say there, if this one is to
    /// hear it.
    pub fn take(&mut self, now: Instant, from: PortId, passage: &Passage) {
        if matches!(self.state, State::Closed) || !self.links.lets_in(from, passage.voice) {
            return;
        }
        let mut desk = Desk {
            playout: &mut self.playout,
            to: self.source.destination(),
            recorder: self.recorder.as_mut(),
            tap: &mut self.receiver.tap,
            out: &mut self.out,
        };
        match passage.voice {
            Voice::Peer => self.sender.take(now, (from, passage), &mut desk),
            Voice::Ours => self.sender.oversee(now, (from, passage), &mut desk),
        }
    }

    /// Brings both sides together for somebody who listens, also without a recording.
    fn tap(&mut self, tapped: bool) {
        let rate = self.playout.rate();
        self.tapped = tapped;
        if tapped {
            self.recorder.get_or_insert_with(|| Recorder::new(rate));
        } else if !self.settings.recording
            && let Some(mut recorder) = self.recorder.take()
        {
            recorder.finish(&mut self.out);
        }
    }

    fn record_as(&mut self, taping: Taping) {
        if let Some(recorder) = &mut self.recorder {
            recorder.record_as(taping);
        }
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
        loop {
            let mut output = self.out.pop_front()?;
            let is_sent = match (&mut output, &mut self.armour) {
                (Output::SendRtp { bytes, .. } | Output::SendRtcp { bytes, .. }, Some(armour)) => {
                    armour.hide(bytes)
                }
                (Output::SendRtp { .. } | Output::SendRtcp { .. }, None) => {
                    self.settings.web.is_none()
                }
                _ => true,
            };
            if is_sent {
                return Some(output);
            }
        }
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        if matches!(self.state, State::Closed) {
            return None;
        }
        let voice = self.source.destination().is_some() && self.playout.ready();
        let times = [
            self.receiver.deadline(),
            self.sender.due(voice, self.recorder.is_some()),
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
        let listening = self.listening();
        let conditions =
            self.source.reception().and_then(|it| self.session.conditions(it, &listening));
        Quality {
            received: self.received,
            sent: self.sender.sent_packets(),
            lost: self.source.lost(),
            discarded: self.discarded,
            late: listening.late,
            refused: self.refused,
            jitter: self.source.reception().map_or(Duration::ZERO, |it| it.jitter()),
            max_jitter: self.source.reception().map_or(Duration::ZERO, |it| it.max_jitter()),
            round_trip: self.session.round_trip(),
            score: conditions.map(|conditions| conditions.score()),
            far: self.session.far(),
        }
    }

    fn listening(&self) -> Listening {
        Listening {
            impairment: Impairment::of(self.receiver.codec()),
            packet: self.receiver.packet(),
            late: self.receiver.late(),
        }
    }

    /// Ends the port: says goodbye by RTCP, writes the rest of the recording, tells the quality.
    /// Afterwards it does nothing but give its last outputs.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if matches!(self.state, State::Running { .. }) {
            let sent = self.sender.sent(now);
            self.session.listening = Some(self.listening());
            let bytes = self.session.goodbye(now, &sent, self.source.reception_mut());
            self.send_report(bytes);
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

    /// Gives a packet to the ports that are told what the peer says.
    fn pass_on(&mut self, index: u64, packet: &Packet<'_>) {
        if self.links.told.is_empty() || self.receiver.is_muted() {
            return;
        }
        let header = packet.header;
        let Some(content) = self.receiver.content(header.payload_type) else { return };
        let passage = Passage {
            voice: Voice::Peer,
            stream: self.stream,
            index,
            timestamp: header.timestamp,
            clock: self.receiver.clock_of(content),
            marker: header.marker,
            content,
            payload: Bytes::copy_from_slice(packet.payload),
        };
        for to in &self.links.told {
            self.out.push_back(Output::Pass { to: *to, passage: passage.clone() });
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
        // What was once hidden is never sent in the clear; nobody agrees to that.
        if let Some(keys) = &settings.srtp {
            self.arm(keys.clone());
        }
        self.source.describe(&settings);
        self.receiver.describe(&settings);
        self.sender.describe(now, &settings);
        self.playout.pace(settings.packing.ptime);
        self.session.cname.clone_from(&settings.cname);
        if settings.sending && !self.settings.sending {
            // Silence on hold is no silence.
            self.live(now);
        }
        match (settings.recording || self.tapped, self.recorder.take()) {
            (true, recorder) => {
                let rate = self.playout.rate();
                self.recorder = Some(recorder.unwrap_or_else(|| Recorder::new(rate)));
            }
            (false, Some(mut recorder)) => recorder.finish(&mut self.out),
            (false, None) => {}
        }
        self.settings = settings;
    }

    /// Takes keys, or others than those before.
    fn arm(&mut self, keys: Keys) {
        match &mut self.armour {
            Some(armour) => armour.rekey(keys),
            None => self.armour = Some(Box::new(Armour::new(keys))),
        }
    }

    fn send(&mut self, now: Instant) {
        let mut desk = Desk {
            playout: &mut self.playout,
            to: self.source.destination(),
            recorder: self.recorder.as_mut(),
            tap: &mut self.receiver.tap,
            out: &mut self.out,
        };
        self.sender.advance(now, &mut desk);
    }

    fn report(&mut self, now: Instant) {
        let sent = self.sender.sent(now);
        self.session.listening = Some(self.listening());
        let bytes = self.session.report(now, &sent, self.source.reception_mut());
        self.send_report(bytes);
        self.out.push_back(Output::Event(Event::Condition(self.quality())));
    }

    fn send_report(&mut self, bytes: Vec<u8>) {
        if self.settings.mux {
            let sent = self.source.destination().map(|to| Output::SendRtp { to, bytes });
            return self.out.extend(sent);
        }
        let sent = self.reports_to().map(|to| Output::SendRtcp { to, bytes });
        self.out.extend(sent);
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

/// So many outputs wait at most in an ordinary slot, also in one with a report.
const OUTPUTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::frame::{Frame, Rate};
    use crate::base::id::UtteranceId;
    use crate::media::bench::{Bench, MAPPED, PEER, Peer, STRANGER, settings};
    use crate::media::event::Digit;
    use crate::rtp::rtcp::{self, Compound};
    use proptest::prelude::*;

    /// Ten seconds of a peer; `attack` acts after each packet. Gives the bench afterwards.
    fn under(mut attack: impl FnMut(&mut Bench, &Peer, u64)) -> Bench {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..500 {
            bench.until(packet * 20 + 10);
            bench.receive(PEER, &peer.loud());
            attack(&mut bench, &peer, packet);
        }
        bench
    }

    fn is_unharmed(bench: &Bench) {
        let heard = bench.heard_millis();
        assert!((9_900..=10_100).contains(&heard), "{heard} ms");
        assert!(bench.loud_share(20) > 0.8, "{}", bench.loud_share(20));
        assert!(bench.sent.iter().all(|packet| packet.to.to_string() == PEER));
        assert_eq!(bench.sent.len(), 500);
        assert_eq!(bench.port.quality().received, 500);
    }

    #[test]
    fn injected_packets_are_not_heard() {
        let bench = under(|bench, peer, _| {
            // The attacker knows everything but has another address.
            let quiet = peer.clone().quiet();
            for _ in 0..3 {
                bench.receive(STRANGER, &quiet);
                bench.receive(MAPPED, &quiet);
            }
        });
        is_unharmed(&bench);
        assert_eq!(bench.port.quality().discarded, 3_000);
    }

    #[test]
    fn an_attacker_who_is_first_bleeds_nothing() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..100 {
            bench.until(packet * 20);
            bench.receive(STRANGER, &peer.loud());
        }
        assert!(bench.heard.is_empty() && bench.events.is_empty());
        bench.receive(PEER, &Peer { ssrc: 5, ..Peer::new() }.loud());
        assert_eq!(bench.heard_millis(), 20);
        assert!(bench.sent.iter().all(|packet| packet.to.to_string() == PEER));
    }

    #[test]
    fn a_silent_caller_cannot_be_hijacked() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        bench.receive(PEER, &peer.loud());
        for packet in 0..200 {
            bench.until(2_000 + packet * 20);
            bench.receive(STRANGER, &peer.loud());
            // From the caller's own address, but without its source.
            bench.receive(MAPPED, &Peer { ssrc: 9, ..peer.clone() }.loud());
        }
        assert!(bench.sent.iter().all(|packet| packet.to.to_string() == PEER));
        assert_eq!(bench.port.quality().received, 1);
    }

    #[test]
    fn garbage_is_counted_and_never_fatal() {
        let mut random = Random::repeatable(9);
        let bench = under(|bench, _, _| {
            for length in [0, 1, 11, 12, 40, 172, 1_500, 9_000] {
                let mut bytes = vec![0; length];
                random.fill(&mut bytes);
                bench.receive(PEER, &bytes);
                bench.receive_report(PEER, &bytes);
            }
        });
        is_unharmed(&bench);
        assert_eq!(bench.port.quality().discarded, 8_000);
    }

    #[test]
    fn flipping_sources_and_jumping_sequences_do_not_silence_the_caller() {
        let bench = under(|bench, peer, packet| {
            let flip = Peer { ssrc: 1_000 + packet as u32, ..peer.clone() }.quiet();
            bench.receive(PEER, &flip);
            let jump =
                Peer { sequence: peer.sequence.wrapping_add(30_000), ..peer.clone() }.quiet();
            bench.receive(PEER, &jump);
            let giant = Peer { ssrc: 3, length: 1_900, ..peer.clone() }.quiet();
            bench.receive(PEER, &giant);
        });
        is_unharmed(&bench);
    }

    #[test]
    fn a_goodbye_by_rtcp_ends_nothing() {
        let bench = under(|bench, peer, packet| {
            let goodbye = Compound {
                ssrc: peer.ssrc,
                sender: None,
                block: None,
                cname: "peer",
                leaving: true,
            };
            if packet % 50 == 0 {
                bench.receive_report("198.51.100.7:4001", &goodbye.write());
                bench.receive_report(STRANGER, &goodbye.write());
            }
        });
        is_unharmed(&bench);
        assert_eq!(bench.port.quality().discarded, 10, "the stranger's");
    }

    #[test]
    fn our_own_packets_that_come_back_are_a_loop() {
        let mut bench = Bench::started(settings());
        bench.until(1_000);
        let ours: Vec<Vec<u8>> =
            bench.sent.iter().map(|sent| sent.header.write(&sent.payload)).collect();
        for bytes in ours {
            bench.receive(PEER, &bytes);
        }
        assert!(bench.heard.is_empty());
        assert_eq!(bench.port.quality().received, 0);
    }

    #[test]
    fn a_peer_behind_a_nat_is_answered_where_it_comes_from() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..100 {
            bench.until(packet * 20);
            bench.receive(if packet < 50 { MAPPED } else { "198.51.100.7:61999" }, &peer.loud());
        }
        // The NAT forgot at 1000 ms; half a second later the peer is followed.
        let goes_to = |at: u64| {
            let packet = bench.sent.iter().find(|packet| packet.at >= at).expect("a packet");
            packet.to.port()
        };
        assert_eq!((goes_to(0), goes_to(100), goes_to(1_300)), (4_000, 61_000, 61_000));
        assert_eq!(goes_to(1_500), 61_999);
        let heard = bench.heard_millis();
        assert!((1_960..=2_040).contains(&heard), "{heard}");
    }

    #[test]
    fn silence_is_told_once_and_reports_are_a_sign_of_life() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        let silences = |bench: &Bench| {
            let silent = |event: &&Event| matches!(event, Event::Silent { .. });
            bench.events.iter().filter(silent).count()
        };
        bench.receive(PEER, &peer.loud());
        bench.until(29_999);
        assert_eq!(silences(&bench), 0);
        let report =
            Compound { ssrc: peer.ssrc, sender: None, block: None, cname: "peer", leaving: false };
        bench.receive_report("198.51.100.7:4001", &report.write());
        bench.until(59_998);
        assert_eq!(silences(&bench), 0);
        bench.until(200_000);
        assert_eq!(silences(&bench), 1);
        let since = bench.start + Duration::from_millis(29_999);
        assert!(bench.events.contains(&Event::Silent { since }));
        bench.receive(PEER, &peer.loud());
        bench.until(300_000);
        assert_eq!(silences(&bench), 2);
    }

    #[test]
    fn reports_tell_what_was_sent_and_received_and_the_last_one_says_goodbye() {
        let mut bench = under(|_, _, _| {});
        assert!(!bench.reports.is_empty());
        for (to, bytes) in &bench.reports {
            assert_eq!(to.to_string(), "198.51.100.7:4001");
            assert!(rtcp::parse(bytes, 0).expect("a report").report.is_some());
        }
        let told = bench.reports.len();
        let now = bench.now;
        bench.port.close(now);
        bench.port.close(now);
        bench.drain();
        assert_eq!(bench.reports.len(), told + 1);
        let last = rtcp::parse(&bench.reports[told].1, 0).expect("a report");
        assert!(last.goodbye);
        assert!(matches!(bench.events.last(), Some(Event::Quality(it)) if it.received == 500));
        assert_eq!(bench.port.deadline(), None);
        bench.receive(PEER, &Peer::new().loud());
        bench.play(1, 100);
        assert_eq!(bench.sent.len(), 500);
    }

    #[test]
    fn a_recording_holds_both_sides_on_one_time_line() {
        let mut bench = Bench::started(Settings { recording: true, ..settings() });
        let mut peer = Peer::new();
        // The caller speaks from 1 s to 2 s, the agent from 3 s to 4 s.
        for packet in 0..250_u64 {
            bench.until(packet * 20 + 5);
            if packet == 150 {
                bench.play(1, 1_000);
                bench.finish(1);
            }
            let voiced = (50..100).contains(&packet);
            bench.receive(PEER, &if voiced { peer.loud() } else { peer.quiet() });
        }
        let now = bench.now;
        bench.port.close(now);
        bench.drain();
        assert_eq!(bench.recorded.len(), 250);
        let loud = |frame: &[i16]| frame.iter().any(|sample| sample.unsigned_abs() > 4_000);
        for (slot, (caller, agent)) in bench.recorded.iter().enumerate() {
            assert_eq!((caller.len(), agent.len()), (160, 160));
            assert_eq!(loud(agent), (151..201).contains(&slot), "agent in slot {slot}");
            match slot {
                50..=98 => assert!(loud(caller), "caller in slot {slot}"),
                49 | 99 | 100 => {}
                _ => assert!(!loud(caller), "caller in slot {slot}"),
            }
        }
    }

    #[test]
    fn a_new_description_moves_the_media() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        bench.receive(PEER, &peer.loud());
        bench.until(100);
        let remote = crate::media::bench::address("198.51.100.9:7000");
        bench.order(Command::Update(Box::new(Settings { remote, ..settings() })));
        bench.until(120);
        assert_eq!(bench.sent.last().map(|packet| packet.to), Some(remote));
        bench.receive(PEER, &peer.loud());
        assert_eq!(bench.port.quality().received, 1);
        bench.receive("198.51.100.9:7000", &Peer { ssrc: 2, ..peer }.loud());
        assert_eq!(bench.port.quality().received, 2);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u64),
        Rtp {
            from: usize,
            ssrc: u32,
            sequence: u16,
            timestamp: u32,
            payload_type: u8,
            length: usize,
        },
        Bytes {
            from: usize,
            bytes: Vec<u8>,
        },
        Order(u8, u64, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_u64..400).prop_map(Step::Wait),
            6 => (0_usize..3, 0_u32..3, 0_u16..40, any::<u32>(), prop::sample::select(vec![0, 8, 13, 101, 50]), 0_usize..400)
                .prop_map(|(from, ssrc, sequence, timestamp, payload_type, length)| Step::Rtp {
                    from, ssrc, sequence, timestamp, payload_type, length
                }),
            1 => (0_usize..3, prop::collection::vec(any::<u8>(), 0..60))
                .prop_map(|(from, bytes)| Step::Bytes { from, bytes }),
            4 => (0_u8..10, 0_u64..6, 0_usize..500).prop_map(|(order, id, size)| Step::Order(order, id, size)),
        ]
    }

    fn order(order: u8, id: u64, size: usize) -> Command {
        let utterance = UtteranceId(id);
        match order {
            0 | 1 => Command::Play { utterance, frame: Frame::new(Rate::NARROW, vec![900; size]) },
            2 => Command::Finish { utterance },
            3 => Command::Pause,
            4 => Command::Resume,
            5 => Command::Flush { through: utterance },
            6 => Command::Dial(Digit::new('5').into_iter().collect()),
            7 => Command::Update(Box::new(Settings {
                sending: size.is_multiple_of(2),
                ..settings()
            })),
            8 => Command::Update(Box::new(Settings {
                recording: size.is_multiple_of(2),
                ..settings()
            })),
            _ => Command::Start,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn whatever_comes_a_port_lives_and_says_little(steps in prop::collection::vec(step(), 0..60)) {
            let mut bench = Bench::new(settings());
            let mut millis = 0;
            let count = steps.len();
            for step in steps {
                match step {
                    Step::Wait(wait) if wait.is_multiple_of(5) => {
                        millis += wait;
                        bench.sleep_until(millis);
                    }
                    Step::Wait(wait) => {
                        millis += wait;
                        bench.until(millis);
                    }
                    Step::Rtp { from, ssrc, sequence, timestamp, payload_type, length } => {
                        let peer = Peer { ssrc, sequence, timestamp, length: length as u32 };
                        let payload = vec![1; length];
                        let bytes = peer.clone().packet(payload_type, &payload);
                        bench.receive([PEER, MAPPED, STRANGER][from], &bytes);
                    }
                    Step::Bytes { from, bytes } => {
                        bench.receive([PEER, MAPPED, STRANGER][from], &bytes);
                        bench.receive_report([PEER, MAPPED, STRANGER][from], &bytes);
                    }
                    Step::Order(kind, id, size) => bench.order(order(kind, id, size)),
                }
            }
            // Each second: 50 packets, 50 frames, 32 windows, 50 recorded; each step a few more.
            let most = (millis as usize + 1_000) * 200 / 1_000 + count * 40;
            prop_assert!(bench.outputs <= most, "{} outputs in {millis} ms", bench.outputs);
            prop_assert!(bench.heard_millis() <= millis + 300);
            bench.sleep_until(millis);
            prop_assert!(bench.port.deadline().is_none_or(|due| due > bench.now));
        }
    }
}
