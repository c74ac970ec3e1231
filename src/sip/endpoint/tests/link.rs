//! Two endpoints and the weather between them, in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::random::Random;
use crate::sip::dialog::session_timer::{Mode, Policy};
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::event::{Command, Event, Flow, Input, Outgoing, Output, SessionId, Standing};

pub const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=offer\r\n";
pub const ANSWER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=answer\r\n";
pub const CALL: SessionId = SessionId(1);

/// What the network does to datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub delay: Duration,
    pub jitter: Duration,
    pub loss: f64,
    pub duplication: f64,
}

impl Weather {
    pub fn fair() -> Self {
        let delay = Duration::from_millis(20);
        Self { delay, jitter: Duration::ZERO, loss: 0.0, duplication: 0.0 }
    }

    pub fn stormy(loss: f64) -> Self {
        let delay = Duration::from_millis(20);
        Self { delay, jitter: Duration::from_millis(200), loss, duplication: 0.1 }
    }
}

/// One of the two endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Caller,
    Callee,
}

#[derive(Debug)]
enum Job {
    Deliver(Side, Bytes),
    Command(Side, Command),
}

/// The two endpoints, the clock, and what is on its way.
pub struct Link {
    pub now: Instant,
    pub started: Instant,
    pub caller: Endpoint,
    pub callee: Endpoint,
    pub caller_events: Vec<Event>,
    pub callee_events: Vec<Event>,
    /// First lines of what was sent, by whom, whether it arrived or not.
    pub ladder: Vec<(Side, String)>,
    /// Loses the datagrams whose number on the ladder it names.
    pub loses: Box<dyn FnMut(Side, &str) -> bool>,
    jobs: BTreeMap<(Instant, u64), Job>,
    count: u64,
    weather: Weather,
    random: Random,
}

impl Link {
    pub fn new(weather: Weather, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            started: now,
            caller: Endpoint::new(Settings::default(), Random::repeatable(seed ^ 0xa11ce)),
            callee: Endpoint::new(Settings::default(), Random::repeatable(seed ^ 0xb0b)),
            caller_events: Vec::new(),
            callee_events: Vec::new(),
            ladder: Vec::new(),
            loses: Box::new(|_, _| false),
            jobs: BTreeMap::new(),
            count: 0,
            weather,
            random: Random::repeatable(seed),
        }
    }

    /// Both want session timers.
    pub fn prefer_timers(&mut self) {
        let session_timers = Policy { mode: Mode::Prefer, ..Policy::default() };
        let settings = Settings { session_timers, ..Settings::default() };
        self.caller = Endpoint::new(settings.clone(), Random::repeatable(11));
        self.callee = Endpoint::new(settings, Random::repeatable(12));
    }

    /// Has an order given `after` the present.
    pub fn later(&mut self, after: Duration, side: Side, command: Command) {
        let at = self.now + after;
        self.plan(at, Job::Command(side, command));
    }

    pub fn command(&mut self, side: Side, command: Command) {
        self.feed(side, Input::Command(command));
    }

    pub fn call(&mut self) {
        self.command(Side::Caller, invite(CALL));
    }

    /// Lets everything happen that happens within `span`.
    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.step(at);
        }
        self.now = until;
    }

    /// Lets everything happen until nothing is left to happen.
    pub fn run_out(&mut self) {
        while let Some(at) = self.next() {
            assert!(at - self.started < Duration::from_secs(3_600), "something never ends");
            self.step(at);
        }
    }

    /// The session of the newest call at the callee.
    pub fn incoming(&self) -> SessionId {
        self.callee_events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Incoming(incoming) => Some(incoming.session),
                _ => None,
            })
            .expect("a call has come in")
    }

    /// How often a first line that begins so was sent by a side.
    pub fn sent(&self, side: Side, start: &str) -> usize {
        self.ladder.iter().filter(|(by, line)| *by == side && line.starts_with(start)).count()
    }

    pub fn is_empty(&self) -> bool {
        self.caller.is_idle() && self.callee.is_idle()
    }

    fn next(&self) -> Option<Instant> {
        let job = self.jobs.keys().next().map(|(at, _)| *at);
        [job, self.caller.deadline(), self.callee.deadline()].into_iter().flatten().min()
    }

    fn step(&mut self, at: Instant) {
        assert!(at >= self.now, "a deadline lies in the past");
        self.now = at;
        while let Some(job) = self.jobs.first_entry().filter(|job| job.key().0 <= at) {
            match job.remove() {
                Job::Deliver(side, bytes) => {
                    let flow = flow_of(side);
                    self.feed(side, Input::Received { bytes, flow, standing: Standing::Trusted });
                }
                Job::Command(side, command) => self.feed(side, Input::Command(command)),
            }
        }
        for side in [Side::Caller, Side::Callee] {
            self.endpoint(side).tick(at);
            self.drain(side);
            let deadline = self.endpoint(side).deadline();
            assert!(deadline.is_none_or(|due| due > at), "a deadline lies in the past");
        }
    }

    fn feed(&mut self, side: Side, input: Input) {
        let now = self.now;
        self.endpoint(side).handle(now, input);
        self.drain(side);
    }

    fn endpoint(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    fn drain(&mut self, side: Side) {
        while let Some(output) = self.endpoint(side).poll() {
            match output {
                Output::Event(event) => match side {
                    Side::Caller => self.caller_events.push(event),
                    Side::Callee => self.callee_events.push(event),
                },
                Output::Transmit { flow, bytes } => self.transmit(side, flow, bytes),
                Output::Notice(_) => {}
            }
        }
    }

    fn transmit(&mut self, side: Side, flow: Flow, bytes: Bytes) {
        assert_eq!(flow, flow_of(side));
        let line = bytes.split(|octet| *octet == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let lost = (self.loses)(side, &line) || self.random.unit() < self.weather.loss;
        self.ladder.push((side, line));
        if lost {
            return;
        }
        let other = match side {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        };
        let copies = if self.random.unit() < self.weather.duplication { 2 } else { 1 };
        for _ in 0..copies {
            let delay = self.weather.delay + self.weather.jitter.mul_f64(self.random.unit());
            self.plan(self.now + delay, Job::Deliver(other, bytes.clone()));
        }
    }

    fn plan(&mut self, at: Instant, job: Job) {
        self.count += 1;
        self.jobs.insert((at, self.count), job);
    }
}

pub fn invite(session: SessionId) -> Command {
    Command::Invite(Box::new(Outgoing {
        session,
        target: "sip:desk@192.0.2.2:5060".to_owned(),
        from: "\"Ann\" <sip:ann@192.0.2.1>".to_owned(),
        flow: flow_of(Side::Caller),
        body: Bytes::from_static(OFFER),
        headers: vec![("X-Case".to_owned(), "42".to_owned())],
    }))
}

pub fn ring(session: SessionId) -> Command {
    Command::Progress { session, status: 180, body: None }
}

pub fn answer(session: SessionId) -> Command {
    Command::Answer { session, body: Bytes::from_static(ANSWER), headers: Vec::new() }
}

pub fn hang_up(session: SessionId) -> Command {
    Command::HangUp { session, reason: None }
}

pub fn flow_of(side: Side) -> Flow {
    let caller: SocketAddr = "192.0.2.1:5060".parse().expect("an address");
    let callee: SocketAddr = "192.0.2.2:5060".parse().expect("an address");
    match side {
        Side::Caller => Flow::udp(caller, callee),
        Side::Callee => Flow::udp(callee, caller),
    }
}

/// How the sessions ended that did, in order.
pub fn endings(events: &[Event]) -> Vec<crate::sip::event::Ending> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Ended { ending, .. } => Some(ending.clone()),
            _ => None,
        })
        .collect()
}
