//! The scene: the clock, what is still to happen, the network and the ladder of what was sent.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::agent::event::{Delta, ThoughtId};
use voxtrunk::base::id::{PortId, SessionId};
use voxtrunk::base::random::Random;
use voxtrunk::call::event::Input;
use voxtrunk::call::placement::Placement;
use voxtrunk::media::event as media;
use voxtrunk::sip::event::Command;
use voxtrunk::sip::message::{Message, StartLine};

use super::network::{Side, Weather};
use super::tongue::Tongue;

/// What both sides share.
pub struct Scene {
    pub start: Instant,
    pub now: Instant,
    pub tongue: Tongue,
    pub random: Random,
    pub signalling: Weather,
    pub media: Weather,
    /// How long an order or a fact may be under way between the tasks of the server.
    pub lag: Duration,
    /// Loses messages by their sender and summary (`200 INVITE`), whatever the weather.
    pub loses: Box<dyn FnMut(Side, &str) -> bool>,
    pub ladder: Vec<Rung>,
    jobs: BTreeMap<(Instant, u64), Job>,
    count: u64,
    /// When the last thing in each pipe of the server arrives: pipes keep their order.
    pipes: BTreeMap<(Pipe, SessionId), Instant>,
}

/// A SIP message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    pub at: u64,
    pub from: Side,
    pub to: Side,
    pub summary: String,
    /// How often it arrives.
    pub copies: usize,
}

/// Something that is to happen.
#[derive(Debug)]
pub enum Job {
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
    },
    Call(SessionId, Input),
    Sip(Command),
    Place(Box<Placement>),
    Media(PortId, Order),
    Thought(SessionId, ThoughtId, Delta),
    /// A text of a transcriber, with the number of the agent that it hears for.
    Text(SessionId, usize, Input),
}

/// An order to the owner of the ports.
#[derive(Debug)]
pub enum Order {
    Open(Box<media::Settings>),
    Command(media::Command),
    Feed,
    Close,
}

/// A pipe between tasks of the server, for each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pipe {
    FromSip,
    FromMedia,
    ToSip,
    ToMedia,
}

impl Scene {
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            tongue: Tongue::default(),
            random: Random::repeatable(seed),
            signalling: Weather::fair(),
            media: Weather::fair(),
            lag: Duration::ZERO,
            loses: Box::new(|_, _| false),
            ladder: Vec::new(),
            jobs: BTreeMap::new(),
            count: 0,
            pipes: BTreeMap::new(),
        }
    }

    /// Milliseconds since the start.
    pub fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.start).as_millis() as u64
    }

    /// The next moment at which something is to happen.
    pub fn next(&self) -> Option<Instant> {
        self.jobs.keys().next().map(|(at, _)| *at)
    }

    /// The next thing that is due.
    pub fn take(&mut self) -> Option<Job> {
        let job = self.jobs.first_entry().filter(|job| job.key().0 <= self.now)?;
        Some(job.remove())
    }

    pub fn later(&mut self, after: Duration, job: Job) {
        self.plan(self.now + after, job);
    }

    /// Sends something through a pipe of the server.
    pub fn pipe(&mut self, pipe: Pipe, call: SessionId, job: Job) {
        let at = self.now + self.lag.mul_f64(self.random.unit());
        let at = self.pipes.get(&(pipe, call)).map_or(at, |last| at.max(*last));
        self.pipes.insert((pipe, call), at);
        self.plan(at, job);
    }

    /// Sends a SIP message.
    pub fn signal(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let (side, summary) = (side_of(from.ip()), summary(&bytes));
        let mut arrivals = self.signalling.arrivals(&mut self.random);
        if (self.loses)(side, &summary) {
            arrivals.clear();
        }
        let (at, copies) = (self.millis(self.now), arrivals.len());
        let to_side = side_of(to.ip());
        self.ladder.push(Rung { at, from: side, to: to_side, summary, copies });
        for after in arrivals {
            self.later(after, Job::Datagram { from, to, bytes: bytes.clone() });
        }
    }

    /// Sends an RTP or RTCP packet.
    pub fn stream(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        for after in self.media.arrivals(&mut self.random) {
            self.later(after, Job::Datagram { from, to, bytes: bytes.clone() });
        }
    }

    fn plan(&mut self, at: Instant, job: Job) {
        self.count += 1;
        self.jobs.insert((at, self.count), job);
    }
}

/// The address of a side, with a port; of the callees it is that of the first.
pub fn address(side: Side, port: u16) -> SocketAddr {
    let last = match side {
        Side::Phone => 1,
        Side::Server => 2,
        Side::Callee => 7,
    };
    SocketAddr::from(([192, 0, 2, last], port))
}

/// Whose address it is.
pub fn side_of(address: IpAddr) -> Side {
    let is = |side: Side| address == self::address(side, 0).ip();
    if is(Side::Phone) {
        Side::Phone
    } else if is(Side::Server) {
        Side::Server
    } else {
        Side::Callee
    }
}

/// The port of signalling.
pub const SIP: u16 = 5060;

/// `INVITE`, or `200 INVITE` for the answer to it.
fn summary(bytes: &Bytes) -> String {
    let Ok(message) = Message::parse_datagram(bytes) else { return "?".to_owned() };
    match message.start_line() {
        StartLine::Request { method, .. } => method.as_str().to_owned(),
        StartLine::Response { status, .. } => {
            let method = message.cseq().map(|cseq| cseq.method.as_str().to_owned());
            format!("{status} {}", method.unwrap_or_default())
        }
    }
}
