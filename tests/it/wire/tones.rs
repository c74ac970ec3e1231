//! A caller's line by bare sockets, on which keys are sent as tones and events, and heard.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::coder::{Decoder, Encoder};
use voxtrunk::audio::dtmf::Detector;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;
use voxtrunk::rtp::packet::{Header, Packet};
use voxtrunk::rtp::telephone_event;

use super::datagrams::{Wire, header};
use super::server::Server;

/// The line.
pub struct Line {
    wire: Wire,
    media: UdpSocket,
    to: SocketAddr,
    answer: String,
    clock: tokio::time::Interval,
    encoder: Encoder,
    decoder: Decoder,
    detector: Detector,
    receiver: telephone_event::Receiver,
    /// How many packets went, each with its own number.
    sequence: u16,
    /// How many slots of 20 ms went by.
    slot: u32,
    requests: u32,
    /// How loud the loudest sample of the last slots was.
    pub loudest: u16,
    /// All that came, at the rate of the telephone.
    pub sound: Vec<i16>,
    /// The keys that came as tones.
    pub heard: String,
    /// The keys that came as telephone events.
    pub events: String,
}

impl Line {
    /// Opens a line to a server.
    pub async fn open(server: &Server) -> Self {
        Self {
            wire: Wire::open("127.0.0.1:0", server.address).await,
            media: UdpSocket::bind("127.0.0.1:0").await.expect("a port"),
            to: server.address,
            answer: String::new(),
            clock: tokio::time::interval(Duration::from_millis(20)),
            encoder: Encoder::plain(Codec::Pcmu),
            decoder: Decoder::plain(Codec::Pcmu),
            detector: Detector::new(Rate::NARROW),
            receiver: telephone_event::Receiver::default(),
            sequence: 0,
            slot: 0,
            requests: 1,
            loudest: 0,
            sound: Vec::new(),
            heard: String::new(),
            events: String::new(),
        }
    }

    /// Calls an extension with this line of a description, `PORT` in place of the port.
    pub async fn call(&mut self, extension: &str, audio: &str) {
        let port = self.media.local_addr().expect("a bound socket").port();
        let description = self.wire.description_at(port);
        let (head, _) = description.split_once("m=audio").expect("audio");
        let body = format!("{head}{}", audio.replace("PORT", &port.to_string()));
        self.answer = self.wire.call(extension, &body).await;
        let audio = self.answer.lines().find_map(|line| line.strip_prefix("m=audio "));
        let there = audio.and_then(|audio| audio.split(' ').next()?.parse().ok());
        self.to.set_port(there.expect("a port"));
        self.clock.reset();
        self.pause(200).await;
    }

    /// The identity of the call at the server.
    pub fn id(&self) -> &str {
        header(&self.answer, "X-Voxtrunk-Call")
    }

    /// Hangs up.
    pub async fn hang_up(self) {
        self.wire.hang_up(&self.answer).await;
    }

    /// Is silent until the other side hangs up.
    pub async fn until_hung_up(&mut self) {
        for _ in 0..LONGEST_SILENCE {
            self.pause(20).await;
            let Some(request) = self.wire.receive(Duration::ZERO).await else { continue };
            if request.starts_with("BYE ") {
                return self.wire.agree(&request).await;
            }
        }
        panic!("the other side does not hang up");
    }

    /// Goes on after something else was done meanwhile, in which nothing was sent.
    pub fn goes_on(&mut self) {
        self.clock.reset();
    }

    /// Sends a key as a tone of 80 ms.
    pub async fn tone(&mut self, key: char) {
        let mut tone = Tone::key(Rate::NARROW, key).expect("a key").at(0.3);
        let samples = tone.play(Duration::from_millis(80));
        self.say(&Frame { rate: Rate::NARROW, samples }).await;
    }

    /// Sends a key as a tone and as an event at the same time, as gateways do that leave the tone
    /// in the voice.
    pub async fn press(&mut self, key: char) {
        let mut tone = Tone::key(Rate::NARROW, key).expect("a key").at(0.3);
        let code = telephone_event::code(key).expect("a key");
        let begin = self.slot * 160;
        for count in 1..=7_u16 {
            let last = u8::from(count > 4) << 7;
            let [high, low] = (count.min(5) * 160).to_be_bytes();
            self.send(count == 1, (101, begin), &[code, last | 10, high, low]).await;
            if count <= 5 {
                self.slot(&tone.play(Duration::from_millis(20))).await;
            }
        }
    }

    /// Tells of a key by the signalling.
    pub async fn info(&mut self, key: char) {
        self.requests += 1;
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        let request = self.wire.inside(&self.answer, &format!("{} INFO", self.requests));
        let request = request.replace("z9hG4bKINFO", &format!("z9hG4bK{}INFO", self.requests));
        let length = format!(
            "Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let request = request.replace("Content-Length: 0\r\n\r\n", &length);
        self.wire.send(request.as_bytes()).await;
    }

    /// Is silent for so many milliseconds.
    pub async fn pause(&mut self, millis: u64) {
        self.say(&Frame::silence(Rate::NARROW, Duration::from_millis(millis))).await;
    }

    /// Says something, in its time.
    pub async fn say(&mut self, words: &Frame) {
        assert_eq!(words.rate, Rate::NARROW);
        for samples in words.samples.chunks(160) {
            self.slot(samples).await;
        }
    }

    /// Sends 20 ms of voice in its time, and hears what came meanwhile.
    async fn slot(&mut self, samples: &[i16]) {
        self.clock.tick().await;
        let mut payload = Vec::new();
        self.encoder.encode(samples, &mut payload);
        self.send(self.slot == 0, (0, self.slot * 160), &payload).await;
        self.slot += 1;
        let mut buffer = [0; 2_048];
        while let Ok(length) = self.media.try_recv(&mut buffer) {
            let Ok(packet) = Packet::parse(&buffer[..length]) else { continue };
            if packet.header.payload_type == 101 {
                let key = self.receiver.handle(packet.header.timestamp, packet.payload);
                self.events.extend(key);
                continue;
            }
            let mut samples = Vec::new();
            self.decoder.decode(packet.payload, &mut samples);
            self.sound.extend_from_slice(&samples);
            let peak = samples.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
            self.loudest = self.loudest.max(peak);
            let mut rest = &samples[..];
            while !rest.is_empty() {
                let (key, left) = self.detector.push(rest);
                self.heard.extend(key);
                rest = left;
            }
        }
    }

    async fn send(&mut self, marker: bool, (payload_type, timestamp): (u8, u32), payload: &[u8]) {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let header = Header { marker, payload_type, sequence, timestamp, ssrc: 0x6b65_7973 };
        let octets = header.write(payload);
        self.media.send_to(&octets, self.to).await.expect("the loopback takes it");
    }
}

/// How long the other side may take to hang up, in slots of 20 ms.
const LONGEST_SILENCE: usize = 2_000;
