//! The voice of a call that came without RTP: what its peer says leaves for our own port as packets,
//! on a grid of their own, and what the port says comes out as samples.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::frame::{Frame, Rate};
use crate::audio::packing::Wishes;
use crate::audio::resample::Resampler;
use crate::engine::clock;
use crate::rtp::packet::{Header, Packet};
use crate::rtp::telephone_event::{self, Receiver, Sender, Slot};
use crate::sdp::keying::{Policy, Terms};
use crate::sdp::negotiate::{self, Agreed, Local};
use crate::sdp::refusal::Refusal;

/// A socket beside our port, and what is offered for it.
#[derive(Debug)]
pub struct Unheard {
    socket: UdpSocket,
    local: Local,
    /// Where our ports are.
    house: IpAddr,
    rate: Rate,
}

/// A voice at work.
#[derive(Debug)]
pub struct Voice {
    socket: UdpSocket,
    port: SocketAddr,
    agreed: Agreed,
    encoder: Encoder,
    decoder: Decoder,
    /// From the rate of the peer to that of the packets, and back.
    inwards: Resampler,
    outwards: Resampler,
    keys: Sender,
    keys_heard: Receiver,
    header: Header,
    /// What is not sent yet.
    waiting: VecDeque<i16>,
    /// When the next packet may leave; nothing before the first.
    next: Option<Instant>,
    datagram: Vec<u8>,
}

/// What the port says.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Samples at the rate of the peer.
    Sound(Vec<i16>),
    /// A key.
    Key(char),
}

impl Unheard {
    /// Binds a socket beside ports that are bound to `house`, for a peer whose samples have `rate`.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn bind(house: IpAddr, rate: Rate) -> io::Result<Self> {
        let house = if house.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { house };
        let socket = UdpSocket::bind((house, 0)).await?;
        let local = socket.local_addr()?;
        // The dearest first is the one that loses least.
        let linear = if rate.0 > Rate::NARROW.0 { Codec::L16Wide } else { Codec::L16Narrow };
        let local = Local {
            address: local.ip(),
            port: local.port(),
            codecs: vec![linear, Codec::Pcmu, Codec::Pcma],
            session_id: clock::since_epoch().as_secs(),
            version: 1,
            wishes: Wishes::default(),
            srtp: Terms { policy: Policy::Off, keys: Vec::new(), web: None },
        };
        Ok(Self { socket, local, house, rate })
    }

    /// What is offered.
    pub fn offer(&self) -> String {
        negotiate::offer(&self.local)
    }

    /// Takes what was answered.
    ///
    /// # Errors
    /// When it agrees to nothing of the offer.
    pub fn answered(self, answer: &[u8]) -> Result<Voice, Refusal> {
        let agreed = negotiate::accept(answer, &self.local)?;
        let mut random = clock::random();
        let header = Header {
            marker: true,
            payload_type: agreed.payload_type,
            sequence: random.u32() as u16,
            timestamp: random.u32(),
            ssrc: random.u32(),
        };
        let rate = agreed.codec.rate();
        Ok(Voice {
            // Whatever address others are told: our ports are here.
            port: SocketAddr::new(self.house, agreed.remote.port()),
            socket: self.socket,
            encoder: Encoder::plain(agreed.codec),
            decoder: Decoder::plain(agreed.codec),
            inwards: Resampler::new(self.rate, rate),
            outwards: Resampler::new(rate, self.rate),
            keys: Sender::default(),
            keys_heard: Receiver::default(),
            header,
            waiting: VecDeque::new(),
            next: None,
            datagram: vec![0; LARGEST],
            agreed,
        })
    }
}

impl Voice {
    /// Takes what the peer says. What is more than may wait is lost; false then.
    pub fn say(&mut self, frame: &Frame) -> bool {
        let mut samples = Vec::with_capacity(frame.samples.len() * 2);
        self.inwards.push(&frame.samples, &mut samples);
        let room = self.samples_in(LONGEST_WAIT).saturating_sub(self.waiting.len());
        let fits = samples.len() <= room;
        self.waiting.extend(samples.into_iter().take(room));
        fits
    }

    /// Presses a key; false when too many are waiting, or there is no such.
    pub fn press(&mut self, key: char) -> bool {
        self.agreed.telephone_event.is_some()
            && telephone_event::code(key).is_some_and(|code| self.keys.push(code))
    }

    /// When something is to be sent.
    pub fn deadline(&self) -> Option<Instant> {
        let has_packet = self.waiting.len() >= self.samples_in(PACKET);
        (has_packet || self.keys.busy()).then(|| self.next.unwrap_or_else(clock::now))
    }

    /// Sends what is due.
    pub async fn send(&mut self) {
        let now = clock::now();
        let count = self.samples_in(PACKET);
        while self.deadline().is_some_and(|due| due <= now + EARLY) {
            let ticks = self.agreed.codec.ticks_in(PACKET);
            // After a pause the clock has gone on.
            let begins = self.next.filter(|next| now.saturating_duration_since(*next) < PAUSE);
            if let (None, Some(next)) = (begins, self.next) {
                let pause = self.agreed.codec.ticks_in(now.saturating_duration_since(next));
                self.header.timestamp = self.header.timestamp.wrapping_add(pause);
                self.header.marker = true;
            }
            self.next = Some(begins.unwrap_or(now) + GRID);
            let samples: Vec<i16> = self.waiting.drain(..count.min(self.waiting.len())).collect();
            let slot = u16::try_from(ticks).unwrap_or(u16::MAX);
            let (header, payload) = match self.keys.slot(self.header.timestamp, slot) {
                Slot::Event { marker, timestamp, payload } => {
                    let payload_type = self.agreed.telephone_event.unwrap_or_default();
                    let header = Header { marker, timestamp, payload_type, ..self.header };
                    (Some(header), payload.to_vec())
                }
                Slot::Idle if samples.len() == count => {
                    let mut payload = Vec::new();
                    self.encoder.encode(&samples, &mut payload);
                    (Some(self.header), payload)
                }
                Slot::Idle | Slot::Rest => (None, Vec::new()),
            };
            if let Some(header) = header {
                // A port that is full or gone hears nothing, as on any network.
                self.socket.send_to(&header.write(&payload), self.port).await.ok();
                self.header.sequence = self.header.sequence.wrapping_add(1);
                self.header.marker = false;
            }
            self.header.timestamp = self.header.timestamp.wrapping_add(ticks);
        }
    }

    /// What the port says next. Nothing is lost when the future is dropped.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let Ok((size, from)) = self.socket.recv_from(&mut self.datagram).await else {
                // Nobody is at the port yet, or any more: that is told by the signalling.
                tokio::time::sleep(PACKET).await;
                continue;
            };
            let bytes = self.datagram.get(..size).unwrap_or_default();
            let Ok(packet) = Packet::parse(bytes) else { continue };
            if from != self.port {
                continue;
            }
            let Packet { header, payload } = packet;
            if Some(header.payload_type) == self.agreed.telephone_event {
                match self.keys_heard.handle(header.timestamp, payload) {
                    Some(key) => return Heard::Key(key),
                    None => continue,
                }
            }
            if header.payload_type == self.agreed.payload_type {
                let (mut narrow, mut samples) = (Vec::new(), Vec::new());
                self.decoder.decode(payload, &mut narrow);
                self.outwards.push(&narrow, &mut samples);
                return Heard::Sound(samples);
            }
        }
    }

    fn samples_in(&self, span: Duration) -> usize {
        self.agreed.codec.rate().samples_in(span)
    }
}

/// What a packet lasts.
const PACKET: Duration = Duration::from_millis(20);

/// How far packets are apart: a peer whose clock is faster than ours does not pile up.
const GRID: Duration = Duration::from_micros(19_900);

/// How much earlier than the grid one may leave.
const EARLY: Duration = Duration::from_millis(5);

/// After how long without a packet a new talkspurt begins.
const PAUSE: Duration = Duration::from_millis(60);

/// How much may wait to be sent.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The largest datagram.
const LARGEST: usize = 2_048;
