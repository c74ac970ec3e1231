//! Keys of the telephone by every way on the wire: tones for peers that know no telephone events,
//! several ways at once, and voices that are no keys.

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

use super::caller::{Speaker, spoken};
use super::datagrams::Wire;
use super::server::{House, Server};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_tones_where_no_telephone_events_are_known() {
    let server = Server::start(House::with(DIGITS)).await;
    let mut line = Line::open(&server).await;
    line.call("m=audio PORT RTP/AVP 0\r\n").await;
    for key in "1590*#AD".chars() {
        line.tone(key).await;
        line.pause(80).await;
    }
    line.pause(2_500).await;
    assert_eq!(line.heard, "1590*#AD");
    assert_eq!(line.events, "", "they were not agreed to");
    line.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_by_three_ways_is_one_key() {
    let rtp = "dtmf = [\"rfc4733\", \"inband\", \"info\"]\n".to_owned();
    let server = Server::start(House { rtp, ..House::with(DIGITS) }).await;
    let mut line = Line::open(&server).await;
    line.call("m=audio PORT RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n").await;
    for key in "2558".chars() {
        line.press(key).await;
        line.info(key).await;
        line.pause(400).await;
    }
    line.pause(1_500).await;
    assert_eq!(line.events, "2558");
    line.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_is_no_key() {
    let server = Server::start(House::with(DIGITS)).await;
    let mut line = Line::open(&server).await;
    line.call("m=audio PORT RTP/AVP 0\r\n").await;
    for speaker in [Speaker::Flite("rms"), Speaker::Flite("slt")] {
        let words = "My number is one two three, four five six, seven eight nine, oh. \
                     Who would you like to speak to? I will put you through to the sales team.";
        line.say(&spoken(speaker, words).await).await;
    }
    line.tone('7').await;
    line.pause(1_500).await;
    assert_eq!(line.heard, "7", "only the key that was pressed");
    line.hang_up().await;
}

/// A caller's line by bare sockets, who sends tones and hears them.
struct Line {
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
    /// The keys that came as tones.
    heard: String,
    /// The keys that came as telephone events.
    events: String,
}

impl Line {
    async fn open(server: &Server) -> Self {
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
            heard: String::new(),
            events: String::new(),
        }
    }

    async fn call(&mut self, audio: &str) {
        let port = self.media.local_addr().expect("a bound socket").port();
        let description = self.wire.description_at(port);
        let (head, _) = description.split_once("m=audio").expect("audio");
        let body = format!("{head}{}", audio.replace("PORT", &port.to_string()));
        self.answer = self.wire.call("digits", &body).await;
        let audio = self.answer.lines().find_map(|line| line.strip_prefix("m=audio "));
        let there = audio.and_then(|audio| audio.split(' ').next()?.parse().ok());
        self.to.set_port(there.expect("a port"));
        self.clock.reset();
        self.pause(200).await;
    }

    async fn hang_up(self) {
        self.wire.hang_up(&self.answer).await;
    }

    /// Sends a key as a tone of 80 ms.
    async fn tone(&mut self, key: char) {
        let mut tone = Tone::key(Rate::NARROW, key).expect("a key").at(0.3);
        let samples = tone.play(Duration::from_millis(80));
        self.say(&Frame { rate: Rate::NARROW, samples }).await;
    }

    /// Sends a key as a tone and as an event at the same time, as gateways do that leave the tone
    /// in the voice.
    async fn press(&mut self, key: char) {
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

    async fn info(&mut self, key: char) {
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

    async fn pause(&mut self, millis: u64) {
        self.say(&Frame::silence(Rate::NARROW, Duration::from_millis(millis))).await;
    }

    async fn say(&mut self, words: &Frame) {
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

const DIGITS: &str = "[[route]]\nto = \"digits\"\n";
