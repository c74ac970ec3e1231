//! A registration of ours (RFC 3261 10.2): tells registrars where calls for us go, again and
//! again, and another registrar when the first is dead. Requests and answers pass through the
//! endpoint, which also answers challenges; a 401 that reaches us here is a refusal.

mod answer;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::answer::Answer;
use crate::base::random::Random;
use crate::sip::event::{OwnContact, Series};
use crate::sip::method::Method;

/// One registration.
#[derive(Debug)]
pub struct Registration {
    settings: Settings,
    random: Random,
    series: Series,
    /// What is asked for: more than the settings say after a 423.
    expires: Duration,
    state: State,
    /// Which registrar is used now, and how many have failed one after the other.
    registrar: usize,
    failed: usize,
    /// How often in a row all of them have failed.
    rounds: u32,
    probe_at: Option<Instant>,
    service_route: Vec<String>,
    out: VecDeque<Output>,
}

/// What a registration is told when it is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where REGISTER goes, as SIP URIs, the best first.
    pub registrars: Vec<String>,
    /// The Request-URI: `sip:` and the domain.
    pub domain: String,
    /// The address of record, From and To: `<sip:user@domain>`.
    pub address: String,
    /// The user part of our Contact: by it an INVITE is known to be for this registration.
    pub contact_user: String,
    /// Whether the registrars named are proxies before the registrar: then each is its own Route.
    pub is_proxied: bool,
    /// For how long to register.
    pub expires: Duration,
}

/// A request that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// REGISTER, or OPTIONS to see whether the first registrar is back.
    pub method: Method,
    /// The Request-URI.
    pub target: String,
    /// From and To.
    pub address: String,
    /// Where it goes: a SIP URI.
    pub hop: String,
    /// The values of Route.
    pub routes: Vec<String>,
    /// Our Contact.
    pub contact: Option<OwnContact>,
    /// Its place among the REGISTERs.
    pub series: Option<Series>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

/// What a registration is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// REGISTER has its final answer, or 408.
    Answered {
        /// 200 to 699.
        status: u16,
        /// The headers by name and value.
        headers: Vec<(String, String)>,
    },
    /// The question whether the first registrar is alive has its answer, or 408.
    Probed {
        /// 200 to 699.
        status: u16,
    },
    /// The registrar does not answer other requests: see whether it still knows us.
    Doubted,
    /// An operator wants it registered anew, now.
    Renew,
    /// The server goes down: the registration is to be removed.
    Leave,
}

/// What a registration wants done, and what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this REGISTER; whatever was sent before is not waited for any more.
    Register(Box<Errand>),
    /// Send this OPTIONS.
    Probe(Box<Errand>),
    /// It stands otherwise than before.
    Changed(Enrolment),
}

/// How a registration stands, as far as others need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// Calls reach us.
    Registered {
        /// The SIP URI of the registrar.
        registrar: String,
        /// For how long it was granted.
        granted: Duration,
    },
    /// The registrar does not accept our credentials: a matter for the operator.
    Rejected {
        /// 401, 403, 404 or 407.
        status: u16,
    },
    /// It did not work; it will be tried again.
    Failed {
        /// The last answer; 408 is silence.
        status: u16,
        /// When it is tried again.
        retry: Duration,
    },
    /// It has been removed.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent yet.
    New,
    /// A REGISTER is under way.
    Asking { until: Instant, known_until: Option<Instant> },
    /// The registrar knows us.
    Registered { refresh_at: Instant, expires_at: Instant },
    /// Nobody knows us; there is time to wait.
    Waiting { until: Instant },
    /// A REGISTER that removes us is under way.
    Leaving { until: Instant },
    /// Nobody knows us, and nobody shall.
    Gone,
}

impl Registration {
    /// Makes a registration that begins at the first `tick`. There must be a registrar.
    pub fn new(settings: Settings, mut random: Random) -> Self {
        let series = Series { call_id: random.token(24), sequence: 1 };
        Self {
            series,
            random,
            expires: settings.expires.clamp(SHORTEST, LONGEST),
            settings,
            state: State::New,
            registrar: 0,
            failed: 0,
            rounds: 0,
            probe_at: None,
            service_route: Vec::new(),
            out: VecDeque::new(),
        }
    }

    /// Takes something that happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match (self.state, input) {
            (State::Asking { .. }, Input::Answered { status, headers }) => {
                self.answered(&Answer { status, headers }, now);
            }
            (State::Leaving { .. }, Input::Answered { .. }) => self.gone(),
            (State::Registered { .. }, Input::Probed { status }) if is_life(status) => {
                // The first registrar is back.
                self.registrar = 0;
                self.ask(now);
            }
            (State::Registered { .. } | State::Waiting { .. }, Input::Doubted | Input::Renew)
            | (State::New, Input::Renew) => self.ask(now),
            (State::Registered { .. } | State::Asking { .. }, Input::Leave) => self.leave(now),
            (State::New | State::Waiting { .. }, Input::Leave) => self.gone(),
            (_, Input::Answered { .. } | Input::Probed { .. }) => {}
            (_, Input::Doubted | Input::Renew | Input::Leave) => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        match self.state {
            State::New => self.ask(now),
            State::Asking { until, .. } if until <= now => self.failed(408, None, now),
            State::Registered { refresh_at, .. } if refresh_at <= now => self.ask(now),
            State::Waiting { until } if until <= now => {
                self.registrar = 0;
                self.ask(now);
            }
            State::Leaving { until } if until <= now => self.gone(),
            State::Asking { .. }
            | State::Registered { .. }
            | State::Waiting { .. }
            | State::Leaving { .. }
            | State::Gone => {}
        }
        if self.probe_at.is_some_and(|at| at <= now) {
            self.probe_at = Some(now + PROBE_EVERY);
            let errand = self.probe();
            self.out.push_back(Output::Probe(Box::new(errand)));
        }
    }

    /// Gives the next thing to be done or told.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `tick` wants to be called; a moment that has passed means at once.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let own = match self.state {
            State::New => Some(now),
            State::Asking { until, .. } | State::Waiting { until } | State::Leaving { until } => {
                Some(until)
            }
            State::Registered { refresh_at, .. } => Some(refresh_at),
            State::Gone => None,
        };
        own.into_iter().chain(self.probe_at).min()
    }

    /// Whether calls reach us now.
    pub fn is_registered(&self) -> bool {
        match self.state {
            State::Registered { .. } => true,
            State::Asking { known_until, .. } => known_until.is_some(),
            State::New | State::Waiting { .. } | State::Leaving { .. } | State::Gone => false,
        }
    }

    /// Whether a REGISTER has no answer yet.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking { .. } | State::Leaving { .. })
    }

    /// Until when the registrar knows us.
    pub fn known_until(&self) -> Option<Instant> {
        match self.state {
            State::Registered { expires_at, .. } => Some(expires_at),
            State::Asking { known_until, .. } => known_until,
            State::New | State::Waiting { .. } | State::Leaving { .. } | State::Gone => None,
        }
    }

    /// When the next REGISTER is sent, if none is under way.
    pub fn next_request(&self) -> Option<Instant> {
        match self.state {
            State::Registered { refresh_at, .. } => Some(refresh_at),
            State::Waiting { until } => Some(until),
            State::New | State::Asking { .. } | State::Leaving { .. } | State::Gone => None,
        }
    }

    /// The route that requests of ours take (RFC 3608), as the values of Route.
    pub fn service_route(&self) -> &[String] {
        &self.service_route
    }

    /// The registrar that is used now, as a SIP URI.
    pub fn registrar(&self) -> &str {
        self.settings.registrars.get(self.registrar).map_or(&self.settings.domain, |uri| uri)
    }

    /// The user part of our Contact.
    pub fn contact_user(&self) -> &str {
        &self.settings.contact_user
    }

    fn ask(&mut self, now: Instant) {
        let known_until = match self.state {
            State::Registered { expires_at, .. } => Some(expires_at),
            State::Asking { known_until, .. } => known_until,
            State::New | State::Waiting { .. } | State::Leaving { .. } | State::Gone => None,
        };
        let known_until = known_until.filter(|until| *until > now);
        self.state = State::Asking { until: now + ANSWER_WITHIN, known_until };
        let errand = self.errand(self.expires);
        self.out.push_back(Output::Register(Box::new(errand)));
    }

    fn leave(&mut self, now: Instant) {
        self.probe_at = None;
        self.state = State::Leaving { until: now + LEAVE_WITHIN };
        let errand = self.errand(Duration::ZERO);
        self.out.push_back(Output::Register(Box::new(errand)));
    }

    fn gone(&mut self) {
        self.probe_at = None;
        self.state = State::Gone;
        self.out.push_back(Output::Changed(Enrolment::Gone));
    }

    fn answered(&mut self, answer: &Answer, now: Instant) {
        self.series.sequence = answer.sequence().unwrap_or(self.series.sequence).max(1);
        match answer.status {
            200..=299 => self.accepted(answer, now),
            401 | 403 | 404 | 407 => self.rejected(answer.status, now),
            423 => match answer.least().filter(|least| (self.expires..=LONGEST).contains(least)) {
                // Equal to what we asked for would be a loop.
                Some(least) if least > self.expires => {
                    self.expires = least;
                    self.ask(now);
                }
                Some(_) | None => self.failed(423, None, now),
            },
            status => self.failed(status, answer.retry_after(), now),
        }
    }

    fn accepted(&mut self, answer: &Answer, now: Instant) {
        let granted = answer.granted(&self.settings.contact_user).unwrap_or(self.expires);
        if granted.is_zero() {
            // Said yes and kept nothing.
            return self.failed(500, None, now);
        }
        let granted = granted.min(LONGEST);
        (self.failed, self.rounds) = (0, 0);
        self.service_route = answer.service_route();
        self.state = State::Registered {
            refresh_at: now + granted.mul_f64(REFRESH_AT),
            expires_at: now + granted,
        };
        self.probe_at = (self.registrar != 0).then(|| now + PROBE_EVERY);
        let registrar = self.registrar().to_owned();
        self.out.push_back(Output::Changed(Enrolment::Registered { registrar, granted }));
    }

    /// The credentials are wrong: more attempts would only look like an attack.
    fn rejected(&mut self, status: u16, now: Instant) {
        self.probe_at = None;
        (self.failed, self.rounds) = (0, 0);
        let retry = self.jittered(LONGEST_PAUSE);
        self.state = State::Waiting { until: now + retry };
        self.out.push_back(Output::Changed(Enrolment::Rejected { status }));
    }

    /// A registrar does not serve us: the next one is asked at once; after the last there is a
    /// pause that grows.
    fn failed(&mut self, status: u16, retry_after: Option<Duration>, now: Instant) {
        self.probe_at = None;
        self.failed = self.failed.saturating_add(1);
        if self.failed < self.settings.registrars.len() {
            self.registrar = (self.registrar.saturating_add(1)) % self.settings.registrars.len();
            return self.ask(now);
        }
        self.failed = 0;
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.rounds.min(10));
        let pause = self.jittered(doubled.min(LONGEST_PAUSE));
        self.rounds = self.rounds.saturating_add(1);
        let retry = pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY));
        self.registrar = 0;
        self.state = State::Waiting { until: now + retry };
        self.out.push_back(Output::Changed(Enrolment::Failed { status, retry }));
    }

    /// A pause with up to a quarter taken off or added: a thousand clients of a registrar that was
    /// down must not come back in one moment.
    fn jittered(&mut self, pause: Duration) -> Duration {
        pause.mul_f64(0.75 + self.random.unit() / 2.0)
    }

    fn errand(&mut self, expires: Duration) -> Errand {
        self.series.sequence = self.series.sequence.saturating_add(1);
        let seconds = expires.as_secs();
        let contact = OwnContact {
            user: self.settings.contact_user.clone(),
            params: format!(";expires={seconds}"),
        };
        let headers = [("Expires", seconds.to_string()), ("Supported", "path".to_owned())];
        Errand {
            method: Method::Register,
            target: self.settings.domain.clone(),
            address: self.settings.address.clone(),
            hop: self.registrar().to_owned(),
            routes: self.routes(self.registrar()),
            contact: Some(contact),
            series: Some(self.series.clone()),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        }
    }

    fn routes(&self, hop: &str) -> Vec<String> {
        if self.settings.is_proxied { vec![route_of(hop)] } else { Vec::new() }
    }

    fn probe(&self) -> Errand {
        let hop = self.settings.registrars.first().cloned().unwrap_or_default();
        Errand {
            method: Method::Options,
            target: self.settings.domain.clone(),
            address: self.settings.address.clone(),
            routes: self.routes(&hop),
            hop,
            contact: None,
            series: None,
            headers: Vec::new(),
        }
    }
}

/// The value of Route that leads through a proxy, which is named by a SIP URI.
pub fn route_of(proxy: &str) -> String {
    format!("<{proxy};lr>")
}

/// Whether an answer to OPTIONS means that somebody is there: any but silence and 503.
pub fn is_life(status: u16) -> bool {
    !matches!(status, 408 | 503)
}

/// After which part of the granted time the registration is renewed.
const REFRESH_AT: f64 = 0.85;

/// The shortest and the longest time that is asked for or believed.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(86_400);

/// The pause after the first failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// The longest pause that a registrar may ask for.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// How long a registrar has to answer before the next is asked. The transaction itself would wait
/// for 32 seconds, longer than many a granted time has left.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// How often the first registrar is asked whether it is back, while another one serves us.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// How long the last REGISTER may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
