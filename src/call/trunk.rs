//! A trunk at work: whether it is registered, whether it answers, and so whether calls can go by
//! it. Its requests leave through the exchange.

mod report;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::report::{Echo, EnrolmentReport, PingReport, Refused, Report};
use crate::base::random::Random;
use crate::call::identity::Profile;
use crate::call::stir::Signing;
use crate::sip::account::Account;
use crate::sip::method::Method;
use crate::sip::registration::{self, Enrolment, Errand, Registration, is_life, route_of};

/// One trunk.
#[derive(Debug)]
pub struct Trunk {
    settings: Settings,
    registration: Option<Registration>,
    enrolment: Option<Enrolment>,
    enrolled_at: Option<Instant>,
    refusal: Option<Refused>,
    pings: Option<Pings>,
    /// What was told last: nothing before the first answer.
    told: Option<Health>,
    turned_at: Option<Instant>,
    out: VecDeque<Output>,
}

/// What a trunk is told when it is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where its calls go, as SIP URIs, the best first.
    pub peers: Vec<String>,
    /// Whether the peers are proxies before the trunk: then each is its own Route.
    pub is_proxied: bool,
    /// How it speaks of callers and called.
    pub profile: Profile,
    /// Who answers its challenges.
    pub account: Option<Arc<Account>>,
    /// How it is registered, if it is.
    pub registration: Option<registration::Settings>,
    /// How often it is asked whether it is there.
    pub ping_every: Option<Duration>,
    /// The most calls at once with it, both ways together.
    pub max_calls: Option<usize>,
    /// The trunk that takes its calls when it is down.
    pub failover: Option<Arc<str>>,
    /// How calls by it are signed, if they are.
    pub signing: Option<Signing>,
}

/// What one of its requests is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// REGISTER.
    Register,
    /// OPTIONS to the first registrar while another one serves us.
    Probe,
    /// OPTIONS to see whether it is there.
    Ping,
    /// OPTIONS because an operator wants to know.
    Trial,
}

/// What a trunk is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// A request has its final answer; 408 is silence.
    Told {
        /// Which.
        purpose: Purpose,
        /// 200 to 699.
        status: u16,
        /// The headers by name and value.
        headers: Vec<(String, String)>,
    },
    /// An operator wants it registered anew, now.
    Renew,
    /// The server goes down.
    Leave,
}

/// What a trunk wants done, and what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this; whatever was sent before for that purpose is not waited for any more.
    Ask(Purpose, Box<Errand>),
    /// Calls can go by it, or cannot.
    Turned(Health),
    /// Its registration stands otherwise than before.
    Stands(Enrolment),
}

/// Whether calls can go by a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They can.
    Up,
    /// They cannot; why, for people.
    Down(String),
}

/// The questions whether it is there.
#[derive(Debug)]
struct Pings {
    every: Duration,
    next: Instant,
    /// When the last one was sent, while it has no answer.
    unanswered: bool,
    asked_at: Instant,
    misses: u32,
    last: Option<Echo>,
}

impl Trunk {
    /// Makes a trunk; what it has to send it sends at the first `tick`.
    pub fn new(settings: Settings, mut random: Random, now: Instant) -> Self {
        let has_registrar = |it: &registration::Settings| !it.registrars.is_empty();
        let registration = settings.registration.clone().filter(has_registrar);
        let pings = settings.ping_every.map(|every| Pings {
            every: every.max(SHORTEST_PING),
            next: now + Duration::from_millis(u64::from(random.below(FIRST_PING_WITHIN_MS))),
            unanswered: false,
            asked_at: now,
            misses: 0,
            last: None,
        });
        Self {
            registration: registration.map(|it| Registration::new(it, random.split())),
            enrolment: None,
            enrolled_at: None,
            refusal: None,
            pings,
            told: None,
            turned_at: None,
            out: VecDeque::new(),
            settings,
        }
    }

    /// Takes something that happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Told { purpose: Purpose::Ping, status, .. } => self.pinged(status, now),
            Input::Told { purpose: Purpose::Register, status, headers } => {
                self.note_refusal(status, now);
                self.tell(registration::Input::Answered { status, headers }, now);
            }
            Input::Told { purpose: Purpose::Probe, status, .. } => {
                self.tell(registration::Input::Probed { status }, now);
            }
            // Whoever asked is told by the exchange.
            Input::Told { purpose: Purpose::Trial, .. } => {}
            Input::Renew => self.tell(registration::Input::Renew, now),
            Input::Leave => {
                self.pings = None;
                self.tell(registration::Input::Leave, now);
            }
        }
        self.drain(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            registration.tick(now);
        }
        self.drain(now);
        let Some(pings) = self.pings.as_mut().filter(|pings| pings.next <= now) else { return };
        pings.next = now + pings.every;
        pings.asked_at = now;
        let missed = std::mem::replace(&mut pings.unanswered, true);
        if missed {
            self.missed(now);
        }
        if self.registration.as_ref().is_none_or(Registration::is_registered) {
            let errand = self.question();
            self.out.push_back(Output::Ask(Purpose::Ping, Box::new(errand)));
        } else if let Some(pings) = &mut self.pings {
            // Without a registration there is nothing to be asked about: it says enough.
            pings.unanswered = false;
        }
    }

    /// Gives the next thing to be done or told.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let registration = self.registration.as_ref().and_then(|it| it.deadline(now));
        registration.into_iter().chain(self.pings.as_ref().map(|pings| pings.next)).min()
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether calls may be tried by it: they may until something speaks against it.
    pub fn is_usable(&self) -> bool {
        !matches!(self.told, Some(Health::Down(_)))
            && self.registration.as_ref().is_none_or(Registration::is_registered)
    }

    /// Whether nothing of it is left at its registrar.
    pub fn is_gone(&self) -> bool {
        self.registration.is_none() || self.enrolment == Some(Enrolment::Gone)
    }

    /// Where its calls go: the registrar that serves us, else its peers.
    pub fn peers(&self) -> Vec<String> {
        let serving = self.registration.as_ref().filter(|it| it.is_registered());
        match serving {
            Some(registration) => {
                let first = registration.registrar().to_owned();
                let others = self.settings.peers.iter().filter(|peer| **peer != first).cloned();
                std::iter::once(first.clone()).chain(others).collect()
            }
            None => self.settings.peers.clone(),
        }
    }

    /// The values of Route for calls that go to `peer`: those of the registrar (RFC 3608), else
    /// the proxy.
    pub fn routes(&self, peer: &str) -> Vec<String> {
        let granted = self.registration.as_ref().map_or(&[][..], Registration::service_route);
        match granted {
            [] if self.settings.is_proxied => vec![route_of(peer)],
            granted => granted.to_vec(),
        }
    }

    fn tell(&mut self, input: registration::Input, now: Instant) {
        if let Some(registration) = &mut self.registration {
            registration.handle(now, input);
        }
    }

    /// Passes on what the registration wants.
    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.registration.as_mut().and_then(Registration::poll) {
            match output {
                registration::Output::Register(errand) => {
                    self.out.push_back(Output::Ask(Purpose::Register, errand));
                }
                registration::Output::Probe(errand) => {
                    self.out.push_back(Output::Ask(Purpose::Probe, errand));
                }
                registration::Output::Changed(enrolment) => self.stands(enrolment, now),
            }
        }
    }

    fn note_refusal(&mut self, status: u16, at: Instant) {
        if status >= 300 {
            self.refusal = Some(Refused { status, at });
        }
    }

    fn stands(&mut self, enrolment: Enrolment, now: Instant) {
        let health = match &enrolment {
            Enrolment::Registered { .. } => Health::Up,
            Enrolment::Rejected { status } => {
                Health::Down(format!("credentials rejected ({status})"))
            }
            Enrolment::Failed { status: 408, .. } => Health::Down("no answer to REGISTER".into()),
            Enrolment::Failed { status, .. } => Health::Down(format!("not registered ({status})")),
            Enrolment::Gone => Health::Down("unregistered".to_owned()),
        };
        if health == Health::Up
            && let Some(pings) = &mut self.pings
        {
            (pings.misses, pings.unanswered) = (0, false);
        }
        if let Enrolment::Rejected { status } | Enrolment::Failed { status, .. } = &enrolment {
            self.note_refusal(*status, now);
        }
        if self.enrolment.as_ref() != Some(&enrolment) {
            self.enrolled_at = Some(now);
            self.out.push_back(Output::Stands(enrolment.clone()));
        }
        self.enrolment = Some(enrolment);
        self.turn(health, now);
    }

    fn pinged(&mut self, status: u16, now: Instant) {
        let Some(pings) = &mut self.pings else { return };
        pings.unanswered = false;
        let after = now.saturating_duration_since(pings.asked_at);
        pings.last = Some(Echo { status, at: now, after });
        if !is_life(status) {
            return self.missed(now);
        }
        pings.misses = 0;
        if self.registration.as_ref().is_none_or(Registration::is_registered) {
            self.turn(Health::Up, now);
        }
    }

    fn missed(&mut self, now: Instant) {
        let Some(pings) = &mut self.pings else { return };
        pings.misses = pings.misses.saturating_add(1);
        if pings.misses != MISSES {
            return;
        }
        self.turn(Health::Down("no answer to OPTIONS".to_owned()), now);
        self.tell(registration::Input::Doubted, now);
        self.drain(now);
    }

    fn turn(&mut self, health: Health, now: Instant) {
        if self.told.as_ref() != Some(&health) {
            self.turned_at = Some(now);
            self.told = Some(health.clone());
            self.out.push_back(Output::Turned(health));
        }
    }

    /// The question whether it is there: OPTIONS; to nobody when there is nowhere to send it.
    pub fn question(&self) -> Errand {
        let profile = &self.settings.profile;
        let user = if profile.user.is_empty() { "voxtrunk" } else { &profile.user };
        let hop = self.peers().into_iter().next().unwrap_or_default();
        Errand {
            method: Method::Options,
            target: format!("sip:{}", profile.domain),
            address: format!("<sip:{user}@{}>", profile.domain),
            routes: self.routes(&hop),
            hop,
            contact: None,
            series: None,
            headers: Vec::new(),
        }
    }
}

/// After how many questions without an answer a trunk is down.
const MISSES: u32 = 2;

/// How soon the first question comes: not all trunks ask in one moment.
const FIRST_PING_WITHIN_MS: u32 = 2_000;

/// How often a trunk may be asked at most.
const SHORTEST_PING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(registers: bool) -> (Trunk, Instant) {
        let registration = registration::Settings {
            registrars: vec!["sip:a".into(), "sip:b".into()],
            domain: "sip:carrier.example".into(),
            address: "<sip:us@carrier.example>".into(),
            contact_user: "vt-1".into(),
            is_proxied: false,
            expires: Duration::from_secs(3_600),
        };
        let settings = Settings {
            name: "carrier".into(),
            peers: vec!["sip:a".into(), "sip:b".into()],
            is_proxied: false,
            profile: Profile { domain: "carrier.example".into(), ..Profile::default() },
            account: None,
            registration: registers.then_some(registration),
            ping_every: Some(Duration::from_secs(30)),
            max_calls: None,
            failover: None,
            signing: None,
        };
        let now = Instant::now();
        (Trunk::new(settings, Random::repeatable(1), now), now)
    }

    fn outputs(trunk: &mut Trunk) -> Vec<Output> {
        let told = std::iter::from_fn(|| trunk.poll());
        told.filter(|output| !matches!(output, Output::Stands(_))).collect()
    }

    fn told(purpose: Purpose, status: u16) -> Input {
        Input::Told { purpose, status, headers: Vec::new() }
    }

    /// Goes to the next deadline; tells what is asked then.
    fn next(trunk: &mut Trunk, now: &mut Instant) -> Vec<Output> {
        *now = trunk.deadline(*now).expect("something is due").max(*now);
        trunk.tick(*now);
        outputs(trunk)
    }

    #[test]
    fn two_pings_without_an_answer_turn_a_trunk_down_and_any_answer_up_again() {
        let (mut trunk, mut now) = trunk(false);
        assert!(trunk.is_usable(), "nothing speaks against it");
        assert!(matches!(next(&mut trunk, &mut now)[..], [Output::Ask(Purpose::Ping, _)]));
        trunk.handle(now, told(Purpose::Ping, 404));
        assert_eq!(outputs(&mut trunk), [Output::Turned(Health::Up)]);
        next(&mut trunk, &mut now);
        trunk.handle(now, told(Purpose::Ping, 503));
        assert!(outputs(&mut trunk).is_empty());
        next(&mut trunk, &mut now);
        let asked = next(&mut trunk, &mut now);
        assert!(matches!(&asked[0], Output::Turned(Health::Down(why)) if why.contains("OPTIONS")));
        assert!(matches!(asked[1], Output::Ask(Purpose::Ping, _)));
        assert!(!trunk.is_usable());
        trunk.handle(now, told(Purpose::Ping, 200));
        assert_eq!(outputs(&mut trunk), [Output::Turned(Health::Up)]);
    }

    #[test]
    fn a_trunk_is_up_when_it_is_registered_and_says_so_once() {
        let (mut trunk, mut now) = trunk(true);
        assert!(!trunk.is_usable());
        assert!(matches!(next(&mut trunk, &mut now)[..], [Output::Ask(Purpose::Register, _)]));
        for _ in 0..2 {
            trunk.handle(now, told(Purpose::Register, 200));
        }
        assert_eq!(outputs(&mut trunk), [Output::Turned(Health::Up)]);
        assert!(trunk.is_usable());
        assert_eq!(trunk.peers(), ["sip:a", "sip:b"]);
    }

    #[test]
    fn a_registrar_that_falls_silent_is_doubted_and_the_second_one_takes_over() {
        let (mut trunk, mut now) = trunk(true);
        next(&mut trunk, &mut now);
        trunk.handle(now, told(Purpose::Register, 200));
        outputs(&mut trunk);
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.extend(next(&mut trunk, &mut now));
        }
        let hops: Vec<&str> = asked
            .iter()
            .filter_map(|output| match output {
                Output::Ask(Purpose::Register, errand) => Some(errand.hop.as_str()),
                Output::Ask(..) | Output::Turned(_) | Output::Stands(_) => None,
            })
            .collect();
        assert_eq!(hops, ["sip:a", "sip:b"]);
        trunk.handle(now, told(Purpose::Register, 200));
        assert_eq!(outputs(&mut trunk), [Output::Turned(Health::Up)]);
        assert_eq!(trunk.peers(), ["sip:b", "sip:a"]);
    }

    #[test]
    fn rejected_credentials_are_said_plainly() {
        let (mut trunk, mut now) = trunk(true);
        next(&mut trunk, &mut now);
        trunk.handle(now, told(Purpose::Register, 403));
        let why = "credentials rejected (403)".to_owned();
        assert_eq!(outputs(&mut trunk), [Output::Turned(Health::Down(why))]);
    }

    #[test]
    fn a_trunk_that_leaves_is_gone() {
        let (mut trunk, mut now) = trunk(true);
        next(&mut trunk, &mut now);
        trunk.handle(now, told(Purpose::Register, 200));
        trunk.handle(now, Input::Leave);
        assert!(!trunk.is_gone());
        trunk.handle(now, told(Purpose::Register, 200));
        assert!(trunk.is_gone());
        assert_eq!(trunk.deadline(now), None);
    }
}
