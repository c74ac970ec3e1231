//! The bench of the tests: a port under a virtual clock, and a peer that sends to it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::audio::frame::{Frame, Rate};
use crate::audio::library::Libraries;
use crate::audio::packing::Packing;
use crate::audio::{codec::Codec, speech};
use crate::base::id::{PortId, UtteranceId};
use crate::base::random::Random;
use crate::media::armour::{Armour, is_report};
use crate::media::event::{Command, Event, LATEST, Output, Settings, Ways};
use crate::media::jitter::Bounds;
use crate::media::link::Passage;
use crate::media::port::Port;
use crate::rtp::packet::{Header, Packet};

/// Where the peer says that it listens.
pub const PEER: &str = "198.51.100.7:4000";
/// The same peer behind a NAT.
pub const MAPPED: &str = "198.51.100.7:61000";
/// Somebody else.
pub const STRANGER: &str = "192.0.2.66:4000";

/// Settings of a leg with PCMU and telephone events.
pub fn settings() -> Settings {
    Settings {
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: Some(101),
        packing: Packing::default(),
        libraries: Libraries::default(),
        remote: address(PEER),
        remote_rtcp: address("198.51.100.7:4001"),
        signalling: "203.0.113.5".parse().expect("an address"),
        symmetric: true,
        sending: true,
        speech: speech::Settings::default(),
        jitter: Bounds::default(),
        recording: false,
        latest: LATEST,
        keys: Ways::default(),
        srtp: None,
        web: None,
        mux: false,
        cname: "port".into(),
        timeout: Duration::from_secs(30),
    }
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A packet that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Milliseconds since the bench began.
    pub at: u64,
    pub to: SocketAddr,
    pub header: Header,
    pub payload: Vec<u8>,
}

impl Sent {
    /// Whether it is voice of the level that `speak` gives.
    pub fn is_voice(&self) -> bool {
        self.header.payload_type == 0 && self.payload.iter().any(|code| *code != 0xff)
    }
}

/// A port under a virtual clock.
pub struct Bench {
    pub port: Port,
    pub start: Instant,
    pub now: Instant,
    pub sent: Vec<Sent>,
    pub reports: Vec<(SocketAddr, Vec<u8>)>,
    pub events: Vec<Event>,
    /// Samples heard at 16 kHz.
    pub heard: Vec<i16>,
    pub windows: usize,
    pub recorded: Vec<(Vec<i16>, Vec<i16>)>,
    /// What was given to other ports.
    pub passed: Vec<(PortId, Passage)>,
    /// Outputs of any kind.
    pub outputs: usize,
    /// What opens what the port sends, when it is hidden.
    pub armour: Option<Armour>,
}

impl Bench {
    pub fn new(settings: Settings) -> Self {
        let start = Instant::now();
        let port = Port::new(settings, start, &mut Random::repeatable(1));
        Self {
            port,
            start,
            now: start,
            sent: Vec::new(),
            reports: Vec::new(),
            events: Vec::new(),
            heard: Vec::new(),
            windows: 0,
            recorded: Vec::new(),
            passed: Vec::new(),
            outputs: 0,
            armour: None,
        }
    }

    /// A bench whose call was answered at 0.
    pub fn started(settings: Settings) -> Self {
        let mut bench = Self::new(settings);
        bench.order(Command::Start);
        bench
    }

    /// Milliseconds since the bench began.
    pub fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.start).as_millis() as u64
    }

    /// Lets time go on to so many milliseconds, with every deadline kept.
    pub fn until(&mut self, millis: u64) {
        let end = self.start + Duration::from_millis(millis);
        while let Some(due) = self.port.deadline()
            && due <= end
        {
            self.now = self.now.max(due);
            self.port.tick(self.now);
            self.drain();
            assert!(self.port.deadline().is_none_or(|due| due > self.now), "no past deadline");
        }
        self.now = self.now.max(end);
    }

    /// Lets time go on to so many milliseconds while the thread sleeps.
    pub fn sleep_until(&mut self, millis: u64) {
        self.now = self.start + Duration::from_millis(millis);
        self.port.tick(self.now);
        self.drain();
    }

    pub fn order(&mut self, command: Command) {
        self.port.handle(self.now, command);
        self.drain();
    }

    pub fn play(&mut self, utterance: u64, millis: usize) {
        let frame = Frame::new(Rate::NARROW, vec![8_000; millis * 8]);
        self.order(Command::Play { utterance: UtteranceId(utterance), frame });
    }

    pub fn finish(&mut self, utterance: u64) {
        self.order(Command::Finish { utterance: UtteranceId(utterance) });
    }

    pub fn receive(&mut self, from: &str, bytes: &[u8]) {
        self.port.handle_rtp(self.now, address(from), bytes);
        self.drain();
    }

    pub fn receive_report(&mut self, from: &str, bytes: &[u8]) {
        self.port.handle_rtcp(self.now, address(from), bytes);
        self.drain();
    }

    /// Takes every output. Windows are answered at once, by how loud they are.
    pub fn drain(&mut self) {
        while let Some(output) = self.port.poll() {
            self.outputs += 1;
            let output = self.unveiled(output);
            match output {
                Output::SendRtp { to, bytes } if is_report(&bytes) => {
                    self.reports.push((to, bytes))
                }
                Output::SendRtp { to, bytes } => {
                    let packet = Packet::parse(&bytes).expect("our own packet");
                    let (header, payload) = (packet.header, packet.payload.to_vec());
                    self.sent.push(Sent { at: self.millis(self.now), to, header, payload });
                }
                Output::SendRtcp { to, bytes } => self.reports.push((to, bytes)),
                Output::Heard(frame) => {
                    assert_eq!((frame.rate, frame.samples.len()), (Rate::WIDE, 320));
                    self.heard.extend(frame.samples);
                }
                Output::Window(window) => {
                    self.windows += 1;
                    let loud = window.iter().any(|sample| sample.abs() > 0.1);
                    self.port.hear(self.now, if loud { 0.9 } else { 0.1 });
                }
                Output::Recorded { caller, agent } => {
                    self.recorded.push((caller.samples, agent.samples));
                }
                Output::Pass { to, passage } => self.passed.push((to, passage)),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn unveiled(&mut self, output: Output) -> Output {
        let mut open = |bytes: Vec<u8>| match &mut self.armour {
            Some(armour) => armour.open(&bytes).expect("hidden as it should be").to_vec(),
            None => bytes,
        };
        match output {
            Output::SendRtp { to, bytes } => Output::SendRtp { to, bytes: open(bytes) },
            Output::SendRtcp { to, bytes } => Output::SendRtcp { to, bytes: open(bytes) },
            other => other,
        }
    }

    /// How many of the samples heard since `from` (in milliseconds of the stream) are loud.
    pub fn loud_share(&self, from: usize) -> f64 {
        let heard = self.heard.get(from * 16..).unwrap_or_default();
        let loud = heard.iter().filter(|sample| sample.unsigned_abs() > 4_000).count();
        loud as f64 / heard.len().max(1) as f64
    }

    /// Milliseconds heard.
    pub fn heard_millis(&self) -> u64 {
        self.heard.len() as u64 / 16
    }
}

/// A peer that sends PCMU.
#[derive(Debug, Clone)]
pub struct Peer {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    /// Samples in a packet.
    pub length: u32,
}

impl Peer {
    pub fn new() -> Self {
        Self { ssrc: 77, sequence: 65_500, timestamp: u32::MAX - 16_000, length: 160 }
    }

    /// A packet of a steady loud level (a square wave, so that its pitch is plain).
    pub fn loud(&mut self) -> Vec<u8> {
        let payload: Vec<u8> =
            (0..self.length).map(|at| if at / 20 % 2 == 0 { 0x90 } else { 0x10 }).collect();
        self.packet(0, &payload)
    }

    /// A packet of silence.
    pub fn quiet(&mut self) -> Vec<u8> {
        self.packet(0, &vec![0xff; self.length as usize])
    }

    /// A packet of any type; the clock goes on by the length of a packet.
    pub fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let bytes = self.header(payload_type).write(payload);
        self.skip();
        bytes
    }

    /// Lets a packet be lost.
    pub fn skip(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.length);
    }

    /// Pauses for so many packets (silence suppression): the clock goes on, the sequence does not.
    pub fn pause(&mut self, packets: u32) {
        self.timestamp = self.timestamp.wrapping_add(self.length * packets);
    }

    pub fn header(&self, payload_type: u8) -> Header {
        let (sequence, timestamp, ssrc) = (self.sequence, self.timestamp, self.ssrc);
        Header { marker: false, payload_type, sequence, timestamp, ssrc }
    }
}
